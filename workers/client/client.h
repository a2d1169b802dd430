/* client.h - a connection from an application.
 *
 *   accept --> LOGIN ------> IDLE <-----> RUNNING
 *                |   auth      |  command     |
 *                v   switch    v              v
 *              CLOSING <-------+--------------+ --> freed
 *
 * A client has at most one statement under way; what it sends meanwhile waits
 * in its stream. The session is the client's, backends are borrowed. A commit on several
 * shards that is under way when the connection ends goes on to its end, and session and
 * client live as long.
 */
#ifndef WORKERS_CLIENT_CLIENT_H
#define WORKERS_CLIENT_CLIENT_H

#include "core/io/sock.h"
#include "core/io/stream.h"
#include "core/mysql/auth_plugin.h"
#include "core/mysql/compress.h"
#include "core/mysql/handshake.h"
#include "core/mysql/packet.h"
#include "workers/client/apply.h"
#include "workers/client/for.h"
#include "workers/client/named.h"
#include "workers/client/once.h"
#include "workers/client/stmt.h"
#include "workers/query/query.h"

/* As a server's max_prepared_stmt_count, for one client. */
enum { STMTS_MAX = 16382 };

enum client_state { CLIENT_LOGIN, CLIENT_IDLE, CLIENT_RUNNING, CLIENT_CLOSING };

enum login_wait {
    LOGIN_WAIT_RESPONSE, /* the client's first packet, or the one behind its TLS request */
    LOGIN_WAIT_ANSWER,   /* we asked for the user's plugin */
    LOGIN_WAIT_PASSWORD, /* we asked for the password itself, or for a question for our key */
    LOGIN_WAIT_CIPHER,   /* the password, encrypted */
    LOGIN_WAIT_HELLO,    /* the first packet of a TLS handshake */
    LOGIN_WAIT_TURN,     /* there is much to compute for it: see client_turn.c */
};

/* What the turn is for. */
enum login_work { LOGIN_WORK_PASSWORD, LOGIN_WORK_PROOF, LOGIN_WORK_TLS };

/* What a login needs and an idle client does not. */
struct client_login {
    enum login_wait  wait;
    enum auth_plugin plugin;        /* of the user */
    uint8_t          nonce[32];     /* NONCE_BYTES, or ED25519_NONCE_BYTES after a switch */
    uint8_t          verifier[2][AUTH_VERIFIER_MAX];
    unsigned         n_verifiers;   /* passwords that are good; 0: only none is */
    enum login_work  work;
    struct buf       secret;        /* what is to be hashed or verified */
    bool             encrypted;     /* it is */
    struct list      turn;          /* in LOGIN_WAIT_TURN */
    struct client   *client;
    uint64_t offered;
    uint8_t  zstd_level;            /* asked for */
    enum compress_how compress;     /* from the OK on */
    bool     known;
    struct sock_addr peer; /* who is at the other end, or behind a load balancer there */
    bool     proxied;   /* by a header */
    char    *schema;    /* owned */

    /* COM_CHANGE_USER: who the client was, and is again when the proof fails. */
    bool     changing;
    char    *former_user, *former_schema; /* owned */
    uint16_t former_charset;
    uint64_t former_key; /* it is still counted as one of that user's; 0: not */
};

struct client {
    struct stream        stream;
    struct list          node; /* in context.clients */
    struct context      *ctx;
    enum client_state    state;
    enum counter         reason; /* why it closes */
    uint32_t             row;    /* in the slot's process list */
    struct timer         timer;  /* login deadline; then see client_limits.c */
    struct packet_reader reader;
    struct session       session;
    struct stmts         stmts;
    struct named_list    named_list; /* prepared by their names */
    struct named_run    *named;  /* owned; only while a statement about them runs */
    struct once_run     *once;   /* owned; only while such a statement runs */
    struct client_for   *settings; /* owned; only while SET STATEMENT ... FOR runs */
    struct client_apply *apply;  /* owned; only while such a statement runs */
    struct client_find  *find;    /* owned; likewise, before it */
    struct client_make  *make;   /* owned; likewise, around all of its parts */
    char                *schema_before; /* owned: current again when the statement is over */
    struct client_login *login;  /* owned; only while logging in */
    struct client_bulk  *bulk;   /* owned; only while one runs: see client_bulk.c */
    struct query_run        *query;  /* owned; only while a statement runs */
    struct buf           command; /* the one under way; empty memory is the ring's */
    struct span          rest;    /* of a multi-statement text: what is still to run */
    bool                 multi_statements; /* allowed */
    bool                 local;   /* through a Unix socket, and not proxied */
    char                *host;    /* owned: as the process list has it; NULL before the login */
    uint8_t              nonce[NONCE_BYTES]; /* of the greeting: COM_CHANGE_USER answers it */
    uint8_t              failed_changes;     /* of user */
    uint64_t             claimed; /* capabilities that the client and we have */
    struct prepared     *preparing, *executing, *fetching; /* of `stmts` */
    uint64_t             active_ms; /* when the last command came, or was answered */
    uint32_t             active_tick; /* context.ticks when the last command came */
    uint64_t             started_ms; /* when the statement under way began */
    uint64_t             user_key; /* counted as one of the user's; 0: not */
    bool                 grace;   /* the server may end the statement, which is late */
    bool                 in_run;  /* inside client_run(): no recursion */
    bool                 unconnected; /* CLOSING, and the stream is closed */
    struct query_run    *committing; /* owned; only CLOSING: what goes on without a client */
};

/* An accepted connection. Greets it, or refuses it (limits, no routes, leaving). */
void client_open(struct context *ctx, struct ring_file file, const struct sock_addr *peer);

/* A client within the process, for `user`, whose name was proven otherwise: logged in, at
 * the other end of `peer`, which is opened. `schema` may be empty; `host` is where its orders
 * come from, as the process list tells it. NULL and `error`: refused, `peer` as before. It is
 * gone when `peer` hears its end. */
struct client *client_open_inner(struct context *ctx, struct stream *peer,
                                 const struct stream_ops *peer_ops, const char *user,
                                 const char *schema, const char *host,
                                 struct sql_error *error);

/* As COM_RESET_CONNECTION, at once: as after the login, but for the schema. No command is
 * under way. */
void client_forget(struct client *c);

/* Close for a reason that is counted; `error` (or NULL) is said first. */
void client_close(struct client *c, enum counter reason, const struct sql_error *error);

/* The same with what was written before as the last words. */
void client_hang_up(struct client *c, enum counter reason);

/* Take commands until there is nothing to do or one is under way. */
void client_run(struct client *c);

/* KILL: true when the worker has such a client. */
bool client_kill(struct context *ctx, uint64_t id, bool query_only);

/* The worker leaves: idle clients outside of a transaction go now, the others when
 * they are. Called again and again. */
void client_drain_all(struct context *ctx);

/* Is a session old, as workers/query/park.h has it? With routes.cut their transactions end. */
bool client_any_old(struct context *ctx);

/* How many are on eased shards: see there. */
uint32_t client_n_eased(const struct context *ctx);

/* Is it a password of the user? As client_answer(), for whoever sends it as it is; with
 * caching_sha2_password it takes some 3 ms when it is wrong or new to this worker. */
bool client_password_is(struct context *ctx, const struct route_user *user,
                        struct span password) must_check;

/* --- between the files of this folder --- */

void client_greet(struct client *c, const struct sock_addr *peer);
void client_log_in(struct client *c);                     /* client_login.c */
void client_tls_failed(struct client *c);
bool client_enter(struct client *c, const char *user, const char *schema, const char *host,
                  struct sql_error *error) must_check;
void client_welcome(struct client *c);
void client_deny(struct client *c, bool used_password);
void client_refuse_login(struct client *c, const struct sql_error *error);
void client_find_user(struct client *c, struct span name);
bool client_answers_plugin(const struct client_login *l, const struct login *login) must_check;
bool client_is_secure(const struct client *c);            /* nobody reads the wire */
void client_ask(struct client *c);                        /* client_auth.c: the user's plugin */
void client_answer(struct client *c, struct span answer); /* a packet of that plugin */
void client_prove(struct client *c);                      /* it has its turn: `work` is done now */
void client_login_free(struct client *c);                 /* ends it, in any state */

void client_begin_tls(struct client *c);                  /* client_login.c: it has its turn */

/* client_again.c: query_ops.again, query_ops.elsewhere, query_ops.owned. */
void client_again(struct query_run *q);
void client_elsewhere(struct query_run *q);
void client_owned(struct query_run *q);
/* q->plan for its text as the routes and the session are now; the former one was released. */
void client_plan_anew(struct client *c, struct query_run *q);

/* client_turn.c: there is `work` to do for the login, when it is its turn. */
void client_wait_for_turn(struct client *c, enum login_work work);
void client_leave_turn(struct client_login *l);
/* How many wait. */
unsigned client_turns(const struct context *ctx);

void client_dispatch(struct client *c, struct span payload); /* client_command.c */
void client_take(struct client *c, struct query_run *q);     /* it is the one that runs */
void client_begin(struct client *c, struct query_run *q);    /* in several steps if need be */
bool client_refuses_past(struct client *c, struct query_run *q); /* it has answered */
void client_statement_done(struct query_run *q);             /* it is answered, and freed */

/* A prepared statement runs in the schema that was current when it was prepared. */
void client_enter_schema(struct client *c, struct span schema);

/* The statement is over: schema and variables are those of before it. */
void client_leave_statement(struct client *c);

/* A statement as text, `q` being set up but for it. */
void client_run_text(struct client *c, struct query_run *q, struct span text);

/* An execution of `p`, with what the client's packet says. */
void client_run_prepared(struct client *c, struct prepared *p, struct span payload);

void client_run_rest(struct client *c);                     /* the next of several */

/* The connection ends in the middle of whatever it does: what runs is stopped, and its
 * transaction rolled back. */
void client_cut(struct client *c, enum counter reason, const struct sql_error *why);

/* client_limits.c: one more connection of the user; false with `error`: one too many. */
bool client_count(struct client *c, const struct route_user *user,
                  struct sql_error *error) must_check;
void client_uncount(struct client *c);
/* After the login and each command; when a statement begins, which is c->query. */
void client_watch(struct client *c);
void client_watch_statement(struct client *c);

/* An error of our own that ends the command. */
void client_fail(struct client *c, uint16_t code, const char *text);

/* A statement to be set up; its plan (NULL: there is no statement), from the cache or made,
 * with the literals in the query's arena; and off it goes. */
struct query_run *client_query(struct client *c, enum query_command command);
struct plan_ref  *client_find_plan(struct client *c, struct query_run *q, struct span text,
                                   bool prepared);
void              client_start(struct client *c, struct query_run *q);

void client_prepare(struct client *c, struct span payload); /* client_stmt.c */
void client_execute(struct client *c, struct span payload);
void client_fetch(struct client *c, struct span payload);
void client_send_long_data(struct client *c, struct span payload);
void client_close_statement(struct client *c, struct span payload);
void client_reset_statement(struct client *c, struct span payload);
/* For QUERY_EXECUTE: `params` in the query's arena, n of them. */
void client_bind(struct client *c, struct query_run *q, const struct param_value *params,
                 uint32_t n);
void client_bulk_execute(struct client *c, struct span payload); /* client_bulk.c */
void client_bulk_free(struct client *c);
/* The server's answer to a PREPARE has passed. */
void client_prepared(struct client *c, const struct query_run *q);

/* COM_CHANGE_USER and COM_RESET_CONNECTION: client_change.c */
void client_start_over(struct client *c);
void client_change_failed(struct client *c, const struct sql_error *error);

void client_login_too_long(struct timer *timer);

/* A reply of our own that ends the command. */
void client_reply_ok(struct client *c);
void client_reply_error(struct client *c, const struct sql_error *error);
void client_command_done(struct client *c);

#endif
