/* move.h - what the parts of a move share: which rows go where, and what is written down.
 *
 *   plan ----> record of the job ----> move_load() ----> struct move
 *                                                          |  one per source
 *   copy (rows as of a snapshot) --\                       v
 *                                   >--> targets  <---- flow (binlog of the source)
 *   follow (what changed since)  --/
 *                                        verify, cutover, cleanup
 *
 * A move is described by the routes before it and the routes after it: a row that lies on
 * shard S by the first and on T by the second goes from S to T. Splitting and merging shards
 * changes the ranges; making a table global, sharded or reference changes the table.
 *
 * On every shard, in ROUTES_MOVE_SCHEMA, InnoDB, all keyed by job:
 *   stream  (job, source, target, position)            how far the flow has come, on the target
 *   copied  (job, source, target, tbl, last, done, n_rows)  how far the copy has come, there
 * too
 *   stash   (job, source, target, xid, seq, events)    rows of branches that are only prepared
 *   journal (job, what, ts)                            on all: the switch is decided
 *   in_JOB_TABLE, out_JOB_TABLE (k)                    what is not to be seen: see table.h,
 * hide
 * A position is in the same transaction as the rows it speaks of. Sets are written before what
 * makes them necessary: out_ on the source before the position on the target, in_ with the
 * rows.
 */
#ifndef CTL_MOVE_MOVE_H
#define CTL_MOVE_MOVE_H

#include "core/base/arena.h"
#include "ctl/job/job.h"
#include "ctl/provision/gtid.h"

enum {
    MOVE_TABLES_MAX   = 65536,
    MOVE_PRIMARY_MAX  = 32,         /* columns of a primary key */
    MOVE_SERVER_ID    = 0x73680000, /* + job % 65536: of all that a move writes */
    MOVE_GTID_DOMAIN  = 0x7368,
};

#define MOVE_EVERYWHERE UINT32_MAX /* a reference table's rows are on all shards */

/* A table whose rows move. */
struct move_table {
    unsigned                  number;   /* in the job, dense, names its sets */
    const char               *database, *name;
    const struct route_table *before, *after; /* in move.before, move.after */
    unsigned                  n_primary;
    uint32_t                  primary[MOVE_PRIMARY_MAX]; /* columns, in the key's order */
    bool                      primary_plain; /* whole columns, all ascending */
};

struct move {
    struct cluster    *c;
    int64_t            job;
    json_t            *spec;   /* the record's "move" */
    struct arena       arena;  /* texts and tables */
    struct routes     *before, *after; /* owned; the same columns, the same shards */
    bool               borrowed;       /* not owned: move_reverse() */
    bool               compress;       /* what goes to and from servers by TCP */
    json_t            *shards; /* {id as text: catalog object}: all that take part or have sets */
    unsigned           n_tables;
    struct move_table *tables; /* by number */
};

/* From the job's record; its "move" is   {"verb": "split|merge|move|rebalance|drain|table",
 * "ranges": the map afterwards as in    ranges/map (absent: as before), "ranges_before": the
 * map as it was,    "tables": [{"name": catalog name, "object": the table's catalog object
 * afterwards (absent: as    before), "before": its object before}, ...] in the order of their
 * numbers,    "homes": {database: [shard id before, after]} (absent: they stay)} The primary
 * keys are asked from a shard. */
bool move_load(struct move *m, struct cluster *c, const json_t *record,
               struct sql_error *error) must_check;
void move_fini(struct move *m);

/* The shard's catalog object, borrowed; NULL: it takes no part. */
const json_t *move_shard(const struct move *m, uint32_t id);

/* The id of the shard where a row with this hash of its key lies; MOVE_EVERYWHERE. `t` is one
 * of move_table.before (with m->before) or .after. `hash` is ignored for tables without a key.
 * */
uint32_t move_owner(const struct routes *r, const struct route_table *t, uint64_t hash);

/* The id of a database's home shard; whether it is another one afterwards. `database` is an index,
 * the same before and after. */
uint32_t move_home(const struct routes *r, uint32_t database);
bool     move_home_changes(const struct move *m, uint32_t database);

/* A row on `source` goes to other shards: calls `to` with each target's id. `before` and
 * `after` are the hashes of its key before and after (one and the same where the key stays).
 * Rows that do not lie on `source` by the routes before, or stay, go nowhere. Those of a
 * reference table neither, for they are everywhere already: it can become global (the copies
 * beside the home's are left over), and by way of that sharded. */
typedef void (*move_to_fn)(void *context, uint32_t target);
void move_targets(const struct move *m, const struct move_table *t, uint32_t source,
                  uint64_t before, uint64_t after, move_to_fn to, void *context);

/* The ids of the shards that rows leave, and of those that get rows from `source`: into `out`,
 * room for ROUTES_SHARDS_MAX; returns how many. Each shard once, in the order of the routes. */
size_t move_sources(const struct move *m, uint32_t *out);
size_t move_targets_of(const struct move *m, uint32_t source, uint32_t *out);

/* The same of one table. */
size_t move_targets_of_table(const struct move *m, const struct move_table *t, uint32_t source,
                             uint32_t *out);

/* The same job backwards: what was after is before. Borrows from `m`. */
void move_reverse(const struct move *m, struct move *out);

/* A session for writing as a move: server_id and GTID domain, no checks of foreign keys and
 * constraints, UTC, sql_mode that stores what it is given, no annotations, binary character set
 * of results, lock waits of `lock_s` seconds. */
bool move_session(struct server *s, const struct move *m, uint32_t shard, unsigned lock_s,
                  struct sql_error *error) must_check;

/* The same on the server of this catalog object, a shard's or a replica's. */
bool move_session_on(struct server *s, const struct move *m, const json_t *object,
                     unsigned lock_s, struct sql_error *error) must_check;

/* The tables above on a shard, when they are not there; sets of the job, on all shards; and the
 * end of both: the job's rows and sets. All may be repeated. */
bool move_schema(struct server *s, struct sql_error *error) must_check;
bool move_sets_create(const struct move *m, struct sql_error *error) must_check;
bool move_bookkeeping_drop(const struct move *m, struct sql_error *error) must_check;

/* The ids of the shards that get keys in the sets of the job in this direction: where rows come to
 * (`in`), or leave from. Owned by the caller. */
json_t *move_hiding(const struct move *m, bool in);

#endif
