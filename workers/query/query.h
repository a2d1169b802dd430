/* query.h - one statement of a client, from its text to its answer.
 *
 *   query_start --> plan says what --> legs, one per shard --> answer --> done()
 *
 *   leg:   WAITING --> SYNC --> RUNNING --> [ASKING] --> OVER
 *          backend     session  the         for its      its answer is complete,
 *          from the    state,   command     warnings     or it failed
 *          pool        BEGIN
 *
 * The answer goes straight into the client's stream: relayed bytes as they
 * come (one leg), merged rows, or an OK that adds up what the legs did. Nothing
 * here blocks; done() comes exactly once, perhaps from inside query_start().
 */
#ifndef WORKERS_QUERY_QUERY_H
#define WORKERS_QUERY_QUERY_H

#include "core/mysql/command.h"
#include "core/mysql/reply.h"
#include "core/route/cache.h"
#include "core/route/plan.h"
#include "core/sql/digest.h"
#include "workers/backend/servers.h"
#include "workers/query/session.h"

struct query_run;
struct leg;
struct merging;
struct commit;
struct inserting;
struct asking;
struct snapshot;
struct loading;
struct gathering;
struct changing;
struct taking;
struct query_making;
struct aftermath;
struct reporting;
struct joined;
struct row_cursor;
struct hedge;
struct owning;

enum query_command {
    QUERY_TEXT,    /* COM_QUERY */
    QUERY_EXECUTE, /* COM_STMT_EXECUTE: `params` */
    QUERY_NAMED,   /* EXECUTE name USING ...: the bytes of `params` are SQL; answers as TEXT */
    QUERY_PREPARE, /* COM_STMT_PREPARE: for its metadata */
    QUERY_FETCH,   /* COM_STMT_FETCH: `fetch_rows` of `cursor` */
    QUERY_OTHER,   /* COM_FIELD_LIST...: `payload` as it came, to the home shard */
};

enum leg_state { LEG_NEW, LEG_WAITING, LEG_SYNC, LEG_RUNNING, LEG_ASKING, LEG_OVER };

/* What has to be said before the statement; one at a time. */
enum leg_step {
    STEP_RESET, STEP_FILL, STEP_ALONG, STEP_VARS, STEP_USER_VARS, STEP_SCHEMA,
    STEP_CHANGES, STEP_INSERT_ID, STEP_NEXT_TRANSACTION,
    STEP_BEGIN, STEP_SAVEPOINTS, STEP_STATEMENT_SAVEPOINT, STEP_LOOKUP, STEP_READY,
};

struct leg {
    struct query_run      *q;
    uint32_t           number;   /* in q->legs */
    uint32_t           shard;    /* index in q->routes */
    uint32_t           shard_id; /* or an engine's id */
    bool               is_engine; /* see leg_to_engine(), as for these two: */
    void             (*fill)(struct leg *leg);  /* on a connection of no session; or NULL */
    void             (*ready)(struct leg *leg);
    void             (*over)(struct leg *leg);
    enum leg_state     state;
    enum leg_step      step;
    uint32_t           sub_step;
    bool               joins;    /* the transaction begins here with this statement */
    bool               ok;       /* OVER, without error */
    bool               lost;     /* OVER, because the backend is gone */
    bool               retried;
    bool               heard;     /* something of its answer has been taken (merges) */
    uint8_t            n_retries; /* of replicas, see replica.h: */
    struct server_use  use;       /* it is for that one; shard_id is its id */
    struct server_use  suspect;   /* the one before, until it is known who was right */
    struct server_ask  ask;       /* it waits until a replica is far enough */
    bool               vars_skipped; /* a SET that the backend may not hear now */
    struct backend    *backend;
    struct backend    *shared;   /* instead of one of its own: see query_share.c */
    uint64_t           sent_us;
    struct slot_shard *counters; /* of the shard it was sent to; NULL: not yet */
    struct buf         answer;   /* owned: what has come by `shared` */
    struct statement_key key;    /* QUERY_EXECUTE: what a shared one has prepared */
    struct pool_waiter waiter;
    struct exchange    x;        /* of the step, then of the command */
    struct exchange    begin;    /* BEGIN travels with what follows */
    struct exchange    prepare;  /* of its text, when it is not prepared there yet */
    const struct exchange_ops *ops; /* for the answer to the command */
    uint32_t           statement; /* QUERY_EXECUTE: what runs; its own with a cursor */
    bool               yielded;  /* other statements were closed for it */
    struct exchange    time;     /* SET timestamp travels as well, */
    struct exchange    role;     /* and SET ROLE, */
    struct exchange    patience; /* and SET net_write_timeout, */
    struct exchange    changes;  /* and SET session_track_state_change, */
    struct exchange    arm;      /* and the beginning of what lookups are told */
    struct buf         text;     /* owned: this shard's own text; empty: q->text */
    const struct param_value *params; /* with a text of its own, QUERY_EXECUTE */
    uint32_t           n_params;
    struct aftermath  *after;    /* aftermath.c's own, in q->arena */
    struct sql_error   error;    /* !ok */
    uint64_t           affected, insert_id;
    uint16_t           warnings;
    uint16_t           status;
    uint32_t           n_rows;   /* of an INSERT, in this leg's text */
    struct span        info;     /* in q->arena */
};

struct query_ops {
    void (*done)(struct query_run *q);
    /* More of the client's file can be taken: file_full is false again. */
    void (*room)(struct query_run *q);
    /* It was parked and goes on: with `plan` and `routes` made anew, by query_again(). */
    void (*again)(struct query_run *q);
    /* An INSERT that says `elsewhere`, because its text does not tell where rows go, is planned
     * anew. NULL: it fails. */
    void (*elsewhere)(struct query_run *q);
    /* q->routes have the session's temporary tables now: it is planned anew with them. NULL: it
     * fails. */
    void (*owned)(struct query_run *q);
};

struct query_run {
    struct query_run           *next_spare;
    struct session         *s;
    struct context         *ctx;
    struct stream          *client;  /* where the answer goes */
    const struct query_ops *ops;
    void                   *owner;   /* the client, for ops */
    enum query_command      command;
    uint8_t                 seq;     /* of the next packet of our own to the client */
    bool                    more;    /* further results follow: SERVER_MORE_RESULTS_EXISTS */
    bool                    keeps_diagnostics; /* it looks at those of the last statement */
    bool                    quiet;    /* nothing of it is for the client: `error`, `prepared` */
    bool                    finished;
    bool                    cut;     /* done(), and then the client must go: half an answer */
    bool                    release; /* done(), and then the client wants to go */

    /* The statement: borrowed from the client until done(). */
    struct span               text;
    uint64_t                  text_hash;   /* prepared ones: XXH3-64 of text */
    struct span               payload;     /* QUERY_OTHER: with the command byte */
    const struct param_value *params;      /* QUERY_EXECUTE, QUERY_NAMED */
    uint32_t                  n_params;
    uint8_t                   cursor_flags;
    struct row_cursor        *cursor;     /* QUERY_FETCH: the client's; else see row_cursor.h */
    uint32_t                  fetch_rows;
    bool                      fills;      /* the caller does plan.fill */
    bool                      one_off;    /* QUERY_EXECUTE: nobody prepares this text again */
    bool                      elsewhere;     /* an engine computes what is stored */
    bool                      as_controller; /* DDL: by the controller's rights, not the client's */
    bool                      ours;       /* it uses tables that clients have no rights to */
    bool                      keeps_lookups; /* the caller tells them afterwards; else what would
                                             have to be told is refused */
    bool                      silent;     /* `client` is nobody's: the answer stays in its output */
    uint32_t                  client_statement; /* QUERY_PREPARE: the id to tell the client */
    uint64_t                  started_us;
    uint64_t                  limit_ms;   /* of SET STATEMENT, */
    struct span               for_text;   /* and its words; empty: none */
    bool                      sets_statement; /* a SET for them: see statement_vars.h */
    uint64_t                  rows, row_bytes; /* counted so far, see limits.h */
    bool                      stopped; /* the answer has ended with an error between rows */
    double                    now_s; /* wall clock, for plans with same_time */
    double                    fixed_s; /* 0, or the moment it must run at on any shard */

    struct plan_ref   *plan;   /* a reference of ours */
    struct routes_ref *routes; /* a reference of ours */
    struct plan_values values;
    uint32_t           digest_flags;
    bool               may_wait;    /* for a replica that is not far enough yet */
    enum consistency   consistency; /* CONSISTENCY_UNSET: no shard has replicas */
    struct arena       arena;

    /* See park.h; in us of ring_now_us(). */
    struct list parked;
    uint64_t    parked_us, parked_again_us; /* since when: the first time (0: never), the last */
    uint64_t    parked_under;               /* which generation */
    bool        parked_grace;               /* it may go on a little later */
    bool        parked_turn, parked_turn_came; /* it waits for its turn to begin; that has come */

    /* See together.h. */
    struct joined *joined;
    struct list    with;
    bool           waits;        /* for an answer, or to begin anew */
    bool           joins_nobody; /* it has waited in vain once */
    bool           served;       /* its answer is written */

    struct hedge *hedge; /* see hedge.h; NULL: there is none */
    struct leg *legs;   /* in the arena */
    uint32_t    n_legs, n_over;
    bool        answered; /* the client has got bytes of the answer */
    bool        paused;   /* the client is slow: backends wait */
    bool        slowed;   /* it was so at some time */
    void      (*leg_ready)(struct leg *leg);      /* send the command */
    void      (*leg_sent)(struct leg *leg);       /* it is sent; may be NULL */
    void      (*leg_ended)(struct leg *leg);      /* a leg is OVER; may be NULL */
    void      (*all_over)(struct query_run *q);       /* every leg is OVER */

    uint16_t         more_status; /* flags of the answer beside the session's */
    struct span      track; /* what query_ok() tells beside, see track.h; empty: nothing */
    struct sql_error error; /* the first one */
    bool             failed;
    bool             deadlocked; /* txn_translate()'s */

    /* Sums for the client's OK. */
    uint64_t affected, insert_id;
    uint32_t warnings;
    uint32_t n_repeated; /* warnings that another leg gave as well */
    struct span info;

    struct leg       *infile;   /* the client's next packets are a file for this leg */
    bool              file_full; /* its server is slow: take no more of them */
    bool              file_lost; /* the rest of them is swallowed, then comes `error` */
    struct commit    *committing; /* txn.c's own */
    struct snapshot  *opening;    /* snapshot.c's own */
    struct asking    *asking;     /* query_ddl.c's own */
    struct inserting *inserting;  /* query_insert.c's own */
    struct merging   *merging;    /* query_merge.c's own */
    struct loading   *loading;    /* query_load.c's own */
    struct gathering *gathering;  /* query_gather.c's own */
    bool              gathers_small; /* of a scatter whose rows turned out to be few */
    struct reporting *reporting;  /* report.c's own */
    struct query_making *making;  /* the caller's: see ddl.h; NULL: such a statement is refused */
    struct owning    *owning;     /* own_tables.c's own; NULL: they were not asked for */
    struct taking    *taking;     /* the caller's: see lookup.h */
    struct shard_set  found;      /* a lookup's answer: no other shards matter. Empty: none asked */
    struct changing  *changing;   /* the caller's: see change.h; NULL: such a write is refused */
    struct prepare_ok prepared; /* QUERY_PREPARE: what the server said */
    bool        told_change; /* by entries of its answers: of the session, */
    bool        told_next;   /* and of what is in force for the next transaction: */
    struct span next_words;  /* as SET says it */
    bool        knows_next;  /* the session has it by now */
    bool        ended;       /* by its answer the transaction is over: where others read, too */

    void      (*settled)(struct query_run *q); /* txn_settle()'s */
    uint32_t    at; /* a local statement's own counter */
    void       *local; /* query_*.c's own, in the arena */
    bool        chain_read_only; /* COMMIT AND CHAIN keeps the access mode */
};

/* Run it. `q` is set up by the caller: s, client, ops, command, seq, text (or
 * payload), plan, routes, values. */
void query_start(struct query_run *q);

/* After query_ops.again: on with it. */
void query_again(struct query_run *q);

/* The client's stream has room again. */
void query_resume(struct query_run *q);

/* The client has gone: no more output, no done(). Frees what it holds. */
void query_abandon(struct query_run *q);

/* Empty but for its context; its arena's first chunk is kept between uses. */
struct query_run *query_new(struct context *ctx);

/* After done() or query_abandon(): gives back plan, routes and memory. */
void query_free(struct query_run *q);

/* One packet of the client's file; `last`: the empty one at its end. Where the
 * backend was lost meanwhile the rest of the file is swallowed, then comes the error. */
void query_file(struct query_run *q, struct span packet, bool last);

/* The client has its whole answer, and only what it has left behind is still asked for. */
bool query_is_told(const struct query_run *q);

/* A statement must be stopped (KILL QUERY, a deadline). */
void query_kill(struct query_run *q, const struct sql_error *why);

/* --- for the other files of workers/query --- */

/* The answer is complete. */
void query_done(struct query_run *q);

/* Answer with an error (unless bytes of an answer went out already: then the
 * client is cut, which is all that can be done) and be done. */
void query_fail(struct query_run *q, const struct sql_error *error);
void query_refuse(struct query_run *q, uint16_t code, const char *fmt, ...) printf_like(3, 4);

/* Answer OK and be done. */
void query_ok(struct query_run *q, uint64_t affected, uint64_t insert_id, uint32_t warnings,
              struct span info);

/* Bytes for the client were appended to stream_out(q->client): send them, and
 * hold the backends back when it is slow. */
void query_flush(struct query_run *q);

/* The shard of a statement that may run anywhere: where the session is already, else one that is
 * not fenced. */
uint32_t query_any_shard(const struct query_run *q);

/* How texts are rendered for the command. */
enum render_mode query_render_mode(const struct query_run *q);

/* Parameters for a rendered text; they live in the query's arena. */
void query_bind(struct query_run *q, const struct bind_list *binds, uint64_t limit,
                const struct param_value **params, uint32_t *n_params);

/* The parameter as SQL, behind what is in `out`. False: it cannot be written so. */
bool query_param_literal(const struct query_run *q, const struct param_value *param,
                         struct buf *out) must_check;

/* The template as a text by itself: parameters become literals. False with `error`: one cannot be
 * written so. */
bool query_render_alone(const struct query_run *q, const struct sql_template *template,
                        struct buf *out, struct sql_error *error) must_check;

/* q->text and q->params become those of the plan's text, if it has one. False: query_fail(). */
bool query_render(struct query_run *q) must_check;

/* ROW_COUNT(), FOUND_ROWS(), CONNECTION_ID(), @@warning_count and @@error_count in the text
 * become the session's numbers. True: one of the latter two was there. */
bool query_fill_counts(struct query_run *q);
/* The same in the text that a leg has of its own. */
void query_fill_leg(struct leg *leg);

/* IS_USED_LOCK() in q->text tells clients; the only leg has its backend. */
void query_fill_locks(struct leg *leg);

/* LAST_INSERT_ID() or @@identity is in the text. */
bool query_reads_insert_id(const struct query_run *q);

/* After LAST_INSERT_ID(expression) the number, where no OK tells it, is the backend's to tell. */
bool query_sets_insert_id(const struct query_run *q);

/* LOCK TABLES of a dump that is restored: true when it was answered. */
bool query_bulk_lock(struct query_run *q);

/* table_locks.c: does the statement commit what is open before it runs? So does UNLOCK TABLES
 * when there are locked ones. */
bool table_locks_commit(const struct query_run *q);
/* False: it is refused, because tables are locked and its own cannot be. */
bool table_locks_allow(struct query_run *q) must_check;
/* Without autocommit: locked tables' connection is in the transaction that begins. */
void table_locks_join(struct session *s);
/* Where the statement goes when the session has locked tables; false: it is refused. */
bool table_locks_route(struct query_run *q, struct shard_set *shards) must_check;
bool table_locks_gather(struct query_run *q) must_check;
/* And a BEGIN. */
bool table_locks_begin(struct query_run *q) must_check;

/* query_share.c: on a backend that is shared with other clients' statements, at first. */
bool query_may_share(const struct query_run *q);
void query_share(struct leg *leg, struct backend *b);
void query_share_drop(struct leg *leg);

/* A message of the answer, with a header of our own and the session's status. */
void query_relay_message(struct leg *leg, const struct result_message *m);

/* leg->answer is the whole answer, which nothing was sent of yet. */
void query_relay_take(struct leg *leg);

/* Between two rows: the error is the end of the answer. */
void query_cut_answer(struct query_run *q, const struct sql_error *why);

/* By the status of the leg's answer: a routine may have begun a transaction or ended one. */
void query_relay_txn(struct leg *leg);

/* What the answer of a relayed statement did to the session. */
void query_relay_remember(struct leg *leg);

/* The numbers in an OK's info ("Rows matched: 3  Changed: 2 ...") are added to counts[n]. */
void query_add_counts(struct span info, uint64_t *counts, size_t n);

/* A PLAN_REFUSE: the plan's error, or that of a server that does not take the statement either. */
void query_refused(struct query_run *q);                     /* query_check.c */

/* QUERY_PREPARE: relayed; quiet: a server prepares the text and forgets it again. */
void query_prepare(struct query_run *q, uint32_t any);       /* query_check.c */

/* How each kind of plan runs. */
void query_relay(struct query_run *q, uint32_t shard);       /* query_relay.c */
void query_write(struct query_run *q, const struct shard_set *shards); /* query_write.c */
void query_insert(struct query_run *q);                      /* query_insert.c */
/* After a failure that left nothing behind: true when the statement runs again, because
 * a number it was given turned out to exist. */
bool query_insert_again(struct query_run *q);
void query_insert_abandon(struct query_run *q);
/* The client's number (from 1) of the `row`-th row of a leg's text; 0: there is none. */
uint32_t query_insert_row(const struct leg *leg, uint32_t row);
/* Whether `id`, the insert id of an OK, is also what LAST_INSERT_ID() is from now on: it stays
 * when the rows brought their own. `from_sequence`: the id is a number of ours. */
bool query_is_numbered(const struct query_run *q, uint64_t id, uint64_t affected,
                       bool from_sequence);
/* The leg that has the `row`-th row (from 0) of the client's statement. */
/* Of several shards that refused their rows: the error of the row that comes first in the
 * statement, which is what one server would say. */
void query_insert_first_error(struct query_run *q);
uint32_t query_insert_leg(const struct query_run *q, uint32_t row);
/* Whether the server numbers the rows of a reference table's INSERT; false with `error`: it
 * would number some only, or nobody could say how. */
bool query_insert_copies(const struct query_run *q, bool *numbered,
                         struct sql_error *error) must_check;
/* The text of a copy's leg, when the home copy gave its rows `number`, `number` + `step`... */
void query_insert_copy(struct query_run *q, struct leg *leg, uint64_t number, uint64_t step);
void query_load(struct query_run *q);                        /* query_load.c */
void query_load_file(struct query_run *q, struct span packet, bool last);
void query_load_abandon(struct query_run *q);
void query_load_free(struct query_run *q);
void query_load_wanted(struct exchange *x, struct backend *b); /* a server asks for its part */
void query_load_room(struct exchange *x, struct backend *b);
void query_load_answer(struct query_run *q, uint64_t affected);
/* As query_insert_row(): the row of the client's file. */
uint64_t query_load_row(const struct leg *leg, uint64_t row);
void query_merge(struct query_run *q, const struct shard_set *shards); /* query_merge.c */
/* The same from one moment of all of them, when that is wanted. */
void query_scatter(struct query_run *q, const struct shard_set *shards);
void query_merge_resume(struct query_run *q);
void query_merge_free(struct query_run *q);
/* A read that needs one server; `any`: as for plan_route(). */
void query_gather(struct query_run *q, uint32_t any);        /* query_gather.c */
void query_gather_abandon(struct query_run *q);
void query_gather_free(struct query_run *q);
void query_set(struct query_run *q);                         /* query_set.c */
void query_txn(struct query_run *q);                         /* query_txn.c */
void query_ddl(struct query_run *q);                         /* query_ddl.c */
void query_ddl_abandon(struct query_run *q);
void query_shardd(struct query_run *q);                      /* query_shardd.c */
void query_show_servers(struct query_run *q);                /* query_servers.c */

/* COM_RESET_CONNECTION for the session and all that it holds on servers; done() and no
 * answer (forget.c). */
void query_forget(struct query_run *q);

/* USE and COM_INIT_DB. */
void query_schema(struct query_run *q, struct span name);

#endif
