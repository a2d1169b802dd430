/* plan.h - what is to be done with a statement, as data.
 *
 *   statement text --lex, digest--> plan cache --miss--> parse --> plan_make()
 *                                       |                              |
 *                                       +------------ plan ------------+
 *                                                      |
 *               literals, parameters --> plan_route() --> which shards, which text
 *
 * A plan is immutable and shared by every statement with the same normalised
 * text, schema, relevant session settings and routes generation; so it never
 * holds a literal's value or an offset into one statement's text. Literals are
 * named by their ordinal among the statement's normalised literals (in order of
 * appearance), parameters ('?') by theirs. Both are "operands".
 *
 * Text for shards that differs from what was written is a template: constant
 * pieces and operands in between.
 */
#ifndef CORE_ROUTE_PLAN_H
#define CORE_ROUTE_PLAN_H

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/route/table.h"

enum plan_kind {
    PLAN_ONE,     /* one shard answers, text as written; bytes are relayed */
    PLAN_SCATTER, /* a read on several shards: `text` runs on each, `merge` joins the answers.
                     With a single target shard at run time the original text is relayed */
    PLAN_WRITE,   /* UPDATE/DELETE/TRUNCATE... on each target shard; affected rows add up;
                     for a reference table the home copy goes first and alone counts */
    PLAN_INSERT,  /* INSERT/REPLACE ... VALUES into a sharded table: rows split per shard */
    PLAN_TXN,     /* BEGIN, COMMIT, ROLLBACK, SAVEPOINT...: see `txn` */
    PLAN_SET,     /* SET of session state: see `set` */
    PLAN_USE,     /* USE schema: `name` */
    PLAN_DDL,     /* the controller runs it as a job */
    PLAN_SHARDD,  /* SHOW SHARDD ..., EXPLAIN SHARDD ...: the proxy answers */
    PLAN_KILL,    /* KILL [QUERY|CONNECTION] id: the proxy's own ids */
    PLAN_REFUSE,  /* `error` says why */
};

enum operand_kind { OPERAND_LITERAL, OPERAND_PARAM };

struct operand {
    enum operand_kind kind;
    uint32_t          ordinal;
};

/* Which shards. KEYS: the owners of the values; a value that cannot be decided
 * (plan_route() says so) widens to ALL for reads, UPDATE and DELETE. */
enum target_kind {
    TARGET_ANY,  /* any one shard: reference tables, or no table at all */
    TARGET_HOME, /* the shard `home` */
    TARGET_KEYS, /* owners of `keys` */
    TARGET_ALL,
    TARGET_NONE, /* provably no row: runs on one shard as written, for the empty answer */
};

struct target {
    enum target_kind      kind;
    uint32_t              home;   /* shard index */
    uint32_t              table;  /* TARGET_KEYS: the table whose key column types the values */
    uint32_t              n_keys;
    const struct operand *keys;
};

struct template_piece {
    bool           is_operand;
    struct span    text;    /* constant piece */
    struct operand operand;
};

struct sql_template {
    uint32_t                     n;
    const struct template_piece *pieces;
};

struct plan {
    enum plan_kind             kind;
    struct target              target;
    bool                       is_read;      /* SELECT/SHOW without locks: may be retried, takes no row lock */
    bool                       is_write;     /* changes rows: joins a multi-shard transaction as a writer */
    bool                       locks;        /* FOR UPDATE / LOCK IN SHARE MODE */
    bool                       pins;         /* touches session state that lives on one backend: @v := , GET_LOCK, temporary tables... */
    const char                *pin_reason;   /* a metrics label, static */
    bool                       implicit_commit;
    bool                       cacheable;
    bool                       needs_last_insert_id; /* LAST_INSERT_ID(), ROW_COUNT(), FOUND_ROWS() appear */
    uint32_t                   n_literals, n_params;
    const struct sql_template *text;         /* NULL: as written */
    const struct merge_spec   *merge;        /* PLAN_SCATTER; see merge.h */
    const struct insert_spec  *insert;       /* PLAN_INSERT */
    const struct txn_spec     *txn;          /* PLAN_TXN */
    const struct set_spec     *set;          /* PLAN_SET */
    struct span                name;         /* PLAN_USE */
    struct sql_error           error;        /* PLAN_REFUSE */
    const char                *reason;       /* one sentence for `shardctl explain` */
};

#endif
