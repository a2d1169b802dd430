/* follow_internal.h - what the parts of the follower share; private to follow*.c.
 *
 *   follow.c        events, transactions, positions
 *   follow_rows.c   which rows go where
 *   follow_text.c   statements that stop us
 */
#ifndef CTL_MOVE_FOLLOW_INTERNAL_H
#define CTL_MOVE_FOLLOW_INTERNAL_H

#include "core/mysql/binlog_rows.h"
#include "ctl/move/follow.h"
#include "ctl/move/tail.h"

enum {
    FOLLOW_FATAL     = 1593, /* as APPLY_FATAL */
    FOLLOW_MAPS      = 1024, /* buckets */
    FOLLOW_MAPS_MAX  = 8192, /* tables remembered at a time */
};

/* A table as the log numbers it. */
struct follow_map {
    struct list              node;
    uint64_t                 id;
    struct buf               body;   /* of the TABLE_MAP */
    struct binlog_table     *table;  /* owned; NULL: it does not move */
    const struct move_table *moving; /* NULL: it does not */
};

/* A target and what the transaction under way has for it. */
struct follow_lane {
    struct follow_target to;
    struct parcel        rows;
    uint32_t            *told;     /* by table: the round in which its TABLE_MAP was put */
    uint32_t             round;
    bool                 behind;   /* the position was not passed on */
    bool                 behind_us; /* and only what we wrote has passed */
};

struct savepoint {
    char     name[200];
    unsigned lane_at; /* of the first of n_lanes in follow.saved */
};

struct saved {
    uint64_t size, rows;
};

enum group_end { GROUP_COMMIT, GROUP_DROP, GROUP_PREPARE, GROUP_XA_COMMIT, GROUP_XA_ROLLBACK,
                 GROUP_NOTHING };

struct follow {
    const struct move        *move;
    uint32_t                  source;
    const char               *name;  /* of the source */
    struct tail              *tail;
    unsigned                  n_lanes;
    struct follow_lane       *lanes;
    const struct move_table **sorted; /* by database and name */
    struct list               maps[FOLLOW_MAPS];
    unsigned                  n_maps;
    struct gtid_set           position, effect, limit;
    bool                      has_position, limited;
    const json_t             *prepared;
    struct follow_seen        seen;

    bool                      in_group, ours, held; /* held: it begins behind the limit */
    struct gtid               gtid;
    uint8_t                   flags;  /* of the GTID */
    char                      branch[BRANCH_NAME_MAX];
    char                      data[2 * BINLOG_XID_BYTES + 1]; /* as snapshots know it */
    unsigned                  n_savepoints, room_savepoints;
    struct savepoint         *savepoints;
    struct saved             *saved;
    struct buf                room, text, literal;
};

/* --- follow_rows.c; false: *error */
bool follow_map_take(struct follow *f, const struct binlog_event *e, struct sql_error *error)
    must_check;
bool follow_rows_take(struct follow *f, const struct binlog_event *e, struct sql_error *error)
    must_check;
void follow_maps_clear(struct follow *f);
bool follow_put(struct follow *f, struct follow_lane *l, char what, uint32_t number,
                struct span first, struct span second, struct sql_error *error) must_check;
const struct move_table *follow_moving(const struct follow *f, struct span database,
                                       struct span name);

/* --- follow_text.c: whether the statement may pass. */
bool follow_text_passes(const struct follow *f, const struct binlog_query *q,
                        struct sql_error *error) must_check;

#endif
