/* backend.h - a connection to a server, and whose answers come next on it.
 *
 *   CONNECTING --> LOGIN --> IDLE <--> BUSY          (pool.c moves them)
 *        \           \         \         \
 *         +-----------+---------+---------+--> CLOSING --> freed
 *
 * Commands are sent back to back; the server answers in order. Each command has
 * an exchange in a FIFO, which says who gets the bytes of its answer. A backend
 * belongs to one holder (a statement or a session) while BUSY.
 *
 * What a backend's session looks like (schema, variables) is remembered here,
 * so that the next holder pays only for the difference.
 */
#ifndef WORKERS_BACKEND_BACKEND_H
#define WORKERS_BACKEND_BACKEND_H

#include "core/base/list.h"
#include "core/io/stream.h"
#include "core/mysql/result.h"
#include "workers/backend/backend_login.h"
#include "workers/backend/pool.h"
#include "workers/backend/share.h"
#include "workers/backend/statements.h"

struct exchange;

/* Who waits for an answer. Either on_bytes (a relay) or on_message (a reader)
 * is set. When `last`, the exchange is off the FIFO and x->reader says what the
 * answer was; it may be reused inside the call. */
struct exchange_ops {
    /* Bytes of this answer, in order, cut anywhere. */
    void (*on_bytes)(struct exchange *x, struct backend *b, struct span bytes, bool last);
    void (*on_message)(struct exchange *x, struct backend *b, const struct result_message *m,
                       bool last);
    /* The server wants the file of a LOAD DATA LOCAL. The bytes of its request
     * came by on_bytes. NULL: never expected. */
    void (*on_infile)(struct exchange *x, struct backend *b);
    /* backend_flush() had said "full" and the output has drained. May be NULL. */
    void (*on_room)(struct exchange *x, struct backend *b);
    /* The backend is lost before the answer was complete, and closing. */
    void (*on_lost)(struct exchange *x, struct backend *b, const struct sql_error *why);
    /* Sharers only (see share.h): those before it take too long. The exchange is off the
     * FIFO and what it asked for must be asked elsewhere. */
    void (*on_moved)(struct exchange *x, struct backend *b);
    /* Sharers only: it is the one that takes too long. */
    void (*on_holds)(struct exchange *x, struct backend *b);
};

struct exchange {
    struct list                node; /* in backend.fifo */
    const struct exchange_ops *ops;
    struct result_reader       reader;
    bool                       armed; /* on a FIFO */
    uint32_t                   cost_us; /* of sharers: expected */
    uint64_t                   sent_us;
    uint64_t                   asked_us; /* 0: the answer has begun */
};

enum backend_state {
    BACKEND_CONNECTING,
    BACKEND_LOGIN,
    BACKEND_IDLE,
    BACKEND_BUSY,
    BACKEND_CLOSING,
};

/* The role whose rights are in force there: shardd's own, for what its statements may read and
 * call but clients not see. */
enum backend_role { ROLE_NONE, ROLE_OURS, ROLE_UNKNOWN };

#define ROLE_OURS_NAME "shardd_committer"

struct backend {
    struct stream        stream;
    struct list          node; /* in a list of its pool, by state */
    struct pool         *pool;
    struct slot_shard   *counters;
    enum backend_state   state;
    struct backend_login login;
    char                 secret[80]; /* for the login only */
    struct tls_context  *tls;        /* until TLS begins; NULL: it does not */
    struct list          fifo;
    struct timer         timer;     /* connect and login deadline; idle closing */
    struct buf           joined;    /* messages of several packets */
    uint64_t             opened_ms;
    uint64_t             login_us;  /* when it was logged in */
    uint64_t             old_ms;    /* when it is to be replaced; UINT64_MAX: never */
    uint64_t             idle_ms;   /* since when it is idle, while it is */
    uint64_t             checked_ms; /* when it last said that it works */
    uint64_t             answered_us; /* when it answered last */
    bool                 reading;   /* inside on_data */
    bool                 infile;    /* the server waits for a file */

    /* The session over there. */
    char             *schema;    /* owned; NULL: none */
    uint64_t          vars_hash; /* of the replayed variables; 0: fresh */
    uint64_t          user_owner, user_version; /* see workers/query/uservars.h; 0: none there */
    bool              dirty;     /* has state that cannot be replayed: never for others */
    bool              unclean;    /* may have state that we cannot see: the next holder resets */
    bool              next_is_set; /* SET TRANSACTION was said; who knows for whom it will be */
    bool              fixed_time; /* SET timestamp is in force */
    bool              patient;    /* SET net_write_timeout, net_read_timeout are */
    bool              tells_changes; /* its answers say when a statement has run SET, */
    bool              tells_transaction; /* and what is in force for the next transaction */
    enum backend_role role;
    struct statements statements;
    uint32_t          n_private; /* statements of one execution each: not among these */
    uint64_t          epoch;     /* of the shard's primary, when it was opened */

    struct sharing share; /* see share.h */

    /* Whoever holds it between statements learns of its end. NULL: nobody. */
    void (*on_holder_lost)(struct backend *b);
    void *holder;
};

/* Start connecting; the pool hears about the outcome (pool_connected(),
 * pool_lost()). Never calls back before it returns. */
struct backend *backend_open(struct pool *pool, struct span schema);

/* Append a command to backend_out(), say who gets its answer, flush. */
struct buf *backend_out(struct backend *b);
void backend_expect(struct backend *b, struct exchange *x, const struct exchange_ops *ops,
                    enum result_shape shape);
bool backend_flush(struct backend *b); /* false: full, see on_room */

/* The command just expected had a payload of so many bytes: a long one takes
 * several packets, and the answer counts on from them. */
void backend_long(struct exchange *x, size_t payload);

/* One command with one text, whole. */
void backend_send(struct backend *b, uint8_t command, struct span text, struct exchange *x,
                  const struct exchange_ops *ops);

/* Stop and go on reading its answers: flow control. */
void backend_pause(struct backend *b);
void backend_resume(struct backend *b);

/* The file of a LOAD DATA LOCAL has been sent: its answer goes on. */
void backend_infile_sent(struct backend *b);

/* Close, politely (COM_QUIT) when idle. Whoever waits hears on_lost() with
 * `why` (NULL: a text of our own). */
void backend_close(struct backend *b, const struct sql_error *why);

void backend_set_schema(struct backend *b, struct span schema);

/* --- what is prepared there: backend_statements.c --- */

/* The server has prepared it: found again by its key until it is unused for longest of
 * conf.pool_statements; then it is closed there. */
void backend_keep_statement(struct backend *b, const struct statement_key *key, uint32_t id);

/* One that nobody else finds; and its end. */
void backend_own_statement(struct backend *b);
void backend_close_statement(struct backend *b, uint32_t id);

/* The server has forgotten them all, or is gone. */
void backend_forget_statements(struct backend *b);

/* A server has as many statements as it may: close those that are only kept, here and on
 * idle connections to the same server. False: there were none. */
bool backend_yield_statements(struct backend *b);

/* "shard s1 (127.0.0.1:3310)" or "engine e1 (/run/e1.sock)" for messages; static, until the
 * next call. */
const char *backend_name(const struct context *ctx, uint32_t shard_id);

#endif
