/* session.h - what belongs to a client and not to a backend.
 *
 * Variables, schema, transaction, last insert id. Between transactions a
 * session holds no backend, unless something pins it: state that lives on one
 * server session and cannot be replayed (temporary tables, locks; see pins.h).
 *
 *   held backends:  PIN    kept for its state, no transaction on it
 *                   PLAIN  the transaction's first shard: its commit point
 *                   XA     a further shard: a branch of the same transaction
 */
#ifndef WORKERS_QUERY_SESSION_H
#define WORKERS_QUERY_SESSION_H

#include "core/route/xid.h"
#include "core/sql/lex.h"
#include "workers/query/pins.h"
#include "workers/backend/backend.h"
#include "core/route/plan.h"
#include "workers/query/uservars.h"
#include "workers/query/vars.h"

enum held_role { HELD_PIN, HELD_PLAIN, HELD_XA };

struct statement_vars;

struct held {
    uint32_t        shard_id; /* or that of a replica, */
    uint32_t        of;       /* ... of this shard; else the same */
    enum held_role  role;
    struct backend *backend; /* NULL: lost */
    bool            wrote;
    char           *undo;      /* owned: what is said to it next, see statement_vars.h; or NULL */
    uint64_t        undo_hash; /* vars_hash of the backend after that */
    bool            armed; /* the statement's changes for lookups are kept there */
    struct session *session;
};

/* A savepoint, in the order of making; names compare without case. */
struct savepoint {
    struct savepoint *next;
    size_t            len;
    uint8_t           name[];
};

/* Names, as the server says them. */
struct session_modes {
    bool no_foreign_key_checks;
    bool read_only;    /* transactions are, when nothing else is said */
    bool completion_chain, completion_release; /* completion_type */
    bool select_limit; /* sql_select_limit is in force */
    bool as_of;        /* system_versioning_asof is: SELECTs read the past, and they alone */
    bool track_no_schema, track_changes; /* see track.h */
    uint64_t statement_ms, wait_s; /* max_statement_time; wait_timeout, when it was set; 0: none */
    char charset[33], collation[65], sql_mode[768];
    char results[33];   /* character_set_results; "": NULL */
    uint16_t reading;   /* the words of sql_mode that say how texts read, see sql_mode.h */
    char ddl[1024];     /* "time_zone = '+00:00', ...": what else DDL depends on; "": nothing */
    char collation_server[65]; /* of databases that it makes; "": the server's */
    char timestamp[32]; /* of vars_set_time() sessions */
};

struct session {
    struct context *ctx;
    uint64_t        id;    /* CONNECTION_ID() */
    uint32_t        row;   /* in the slot's process list */
    char           *user;  /* owned */
    char           *host;  /* owned: "127.0.0.1:4711"; NULL: this machine, by no port */
    bool            admin;
    uint64_t        limit[LIMITS_N]; /* the user's, see limits.h */
    uint64_t        capabilities; /* agreed with the client, and so with backends */
    uint16_t        charset;      /* collation id of the login */
    char           *schema;       /* owned; NULL: none */

    /* Variables, and what they mean for reading statements. */
    struct vars        vars;
    struct statement_vars *before; /* owned: SET STATEMENT is in force, and this is the session's
                                      own state; NULL: none */
    struct uservars    uservars;
    struct lex_options lex;
    bool               zero_is_number;
    uint16_t           collation;  /* collation_connection; 0 when the client's set differs */
    bool               autocommit;
    uint8_t            own_commit, user_commit, own_snapshot_reads; /* 1 + value; 0: see
                                                                       own_vars.h */
    uint8_t            own_consistency; /* enum consistency, as SET; see replica.h */
    uint8_t            default_consistency; /* of its user and schema, with the routes of: */
    uint64_t           default_generation, default_users;
    bool               touched;    /* a server has run something for it, but SET */
    struct seen       *seen;       /* owned; NULL: it was never causal */
    struct session_modes *modes;   /* owned: how a server reads DDL; NULL: as after the login */
    char              *next_transaction; /* owned: SET TRANSACTION ... for the next one, and its
                                            words; NULL: none, whatever they are */
    char               next_level[20], next_access[12];

    const struct key_value *only_key; /* borrowed: its statements keep to rows with this key, or
                                         fail; NULL: any. See plan_keeps_to() */

    /* The transaction. */
    bool              in_txn;     /* explicit, or begun by a statement without autocommit */
    bool              read_only;  /* several plain participants will do */
    bool              implicit;   /* one write on several shards: ends with its statement */
    uint8_t           on_replicas; /* READ ONLY, and replicas have a part of it (replica.h): the
                                      weakest consistency they were chosen by; 0: they have not */
    bool              snapshot;   /* opened everywhere at one moment: no shard joins later */
    bool              cut;        /* it was ended so that rows can move: the client is told next */
    bool              doomed;     /* a participant is lost: only ROLLBACK is left */
    bool              tells_locks; /* the process list tells where its locks are */
    bool              published;  /* the process list tells its participants */
    uint64_t          txn_generation; /* of the routes it began with, once it is on a shard */
    uint64_t          txn_ms, txn_from; /* when it began, at which of the statements; 0: not told */
    char             *begin;      /* owned: opens it on the first shard; NULL: nothing to say */
    char              gtrid[XID_GTRID_MAX + 1]; /* "" until a second shard is touched */
    struct savepoint *savepoints; /* owned */

    struct pins  pins;
    uint32_t     n_cursors; /* open ones: see row_cursor.h */
    struct held *held; /* owned */
    uint32_t     n_held;

    uint64_t last_insert_id;
    uint64_t found_rows;
    int64_t  row_count;
    uint64_t statements;

    /* See diagnostics.h. */
    struct buf diagnostics;    /* owned: the last statement's rows for SHOW WARNINGS */
    uint32_t   n_diagnostics;
    uint32_t   warnings;       /* how many there were */
};

void session_init(struct session *s, struct context *ctx);

/* Closes held backends: the servers roll back. */
void session_fini(struct session *s);

void session_set_schema(struct session *s, struct span schema);

/* Where the client is, as USER() tells it: without the port. */
struct span session_host(const struct session *s);

/* As after COM_RESET_CONNECTION: all but user and schema are forgotten. */
void session_reset(struct session *s);

/* The servers have reset all that it holds: that goes back to its pools, then as above. */
void session_was_reset(struct session *s);

/* The pool whose backends suit the session on a shard. */
struct pool *session_pool(const struct session *s, uint32_t shard_id);

struct held *session_held(const struct session *s, uint32_t shard_id);

/* The server of a shard on which the transaction is: the shard's id, or that of a replica of it. */
uint32_t session_server(const struct session *s, uint32_t shard_id);

/* Keep a backend beyond the statement. Pointers from session_held() die. */
struct held *session_hold(struct session *s, uint32_t shard_id, struct backend *b,
                          enum held_role role);

/* It is no longer the session's, but whoever has it at work gives it back. */
void session_take_back(struct session *s, uint32_t shard_id);

/* The transaction has come to a further shard: from the second on the process list
 * tells where it is, so that the controller can find deadlocks between shards. */
void session_joined(struct session *s);

/* It may have begun to hold locks by name on this shard's backend, or ceased to. */
void session_tell_locks(struct session *s, uint32_t shard_id);

/* Does the transaction hold backends on several shards? */
bool session_is_spread(const struct session *s);

/* The transaction is over on all held backends: pinned ones stay, the others go
 * back to their pools. */
void session_end_txn(struct session *s);

/* As session_end_txn(), but what still has an open transaction is closed. */
void session_abort(struct session *s);

/* A held backend is lost, and with it what it was held for. */
bool session_broken(const struct session *s);

void session_add_savepoint(struct session *s, struct span name);
bool session_has_savepoint(const struct session *s, struct span name);
/* Those made after `name`, and `name` itself when `itself`. */
void session_drop_savepoints(struct session *s, struct span name, bool itself);

/* Outside of a transaction, with all that pins it: the held backends are closed. */
void session_unpin(struct session *s);

/* Nothing pins it any more: held backends without a transaction go back to their pools. */
void session_unpinned(struct session *s);

/* Whether a transaction that begins now is, by SET TRANSACTION for one or for all. */
bool session_is_read_only(const struct session *s);

/* The status flags a server would send now. */
uint16_t session_status(const struct session *s);

/* Schemas that every server has and the catalog does not. */
bool session_is_system_schema(struct span name);

/* What the bytes of a statement may be, from a collation id of the login. */
enum lex_charset session_lex_charset(uint16_t collation);

#endif
