/* merge_internal.h - what merge*.c share: see merge.h.
 *
 *   merge.c           columns, legs and their queues, the heap over them, what comes out
 *   merge_finish.c    groups are complete: HAVING, their order
 *   merge_spill.c     groups that are too many for memory: parts of them in files
 *   merge_distinct.c  DISTINCT, and rows that have to wait in files
 */
#ifndef CORE_ROUTE_MERGE_INTERNAL_H
#define CORE_ROUTE_MERGE_INTERNAL_H

#include "core/base/spill.h"
#include "core/route/merge_group.h"

/* Keys are parted by four bits of their hash at each level. */
enum { SPILL_WAYS = 16, SPILL_LEVELS = 16 };

struct spill_parts {
    struct spill_run runs[SPILL_WAYS];
    bool             used;
};

/* Parts that have to be gone through, each by itself. */
struct spill_task {
    struct spill_run run;
    uint32_t         level;
};

struct spill_tasks {
    struct spill_task *list; /* owned */
    uint32_t           n, cap;
};

struct merge_leg {
    struct buf         queue;  /* rows, each behind its length (4 bytes) */
    struct buf         head;   /* the row that is compared now; stays where it is */
    bool               ended, has_head;
    struct sort_value *keys;   /* of the head; they point into it */
    size_t             visible_end;
    struct spill_run   run;    /* instead of a queue: groups in their order */
};

struct sorted_group {
    struct span        row;
    struct sort_value *keys;
};

/* What is done with groups:
 *
 *   TAKE     rows of the legs are added
 *   DUMP     there is no room for more: what there is is written, by hash of its key
 *   VALUES   a part of the values of COUNT(DISTINCT): each new one counts for its group
 *   READ     a part of the groups is put together
 *   FINISH   its groups are made rows
 *   EMIT     ... for the client
 *   RUNS     all rows of groups are in files, each in order: they are merged as legs are */
enum groups_state {
    GROUPS_TAKE, GROUPS_DUMP, GROUPS_VALUES, GROUPS_READ, GROUPS_FINISH, GROUPS_EMIT, GROUPS_RUNS,
};

struct group_work {
    enum groups_state   state, after; /* after: of DUMP */
    bool                spilled;
    uint32_t            at;     /* DUMP, FINISH: a group */
    uint32_t            at_value;
    struct span        *names;  /* DUMP: keys of the groups */
    struct span        *values; /* DUMP: keys of g->values */
    struct spill_parts  groups, distinct, parts; /* parts: of the one that is read */
    struct spill_tasks  tasks;
    struct spill_task   now;
    bool                reading; /* `now` is one */
    struct key_set      counted; /* VALUES */
    bool                full;    /* ... and takes no more */
    struct spill_run   *runs;    /* [n_runs), in order */
    uint32_t            n_runs;
};

/* DISTINCT, when not all keys can be remembered. */
struct distinct_work {
    bool               full;    /* `seen` takes no more */
    struct spill_parts parts;   /* rows whose key is not in `seen` */
    uint32_t           level;
    struct spill_tasks tasks;
    struct spill_task  now;
    bool               reading; /* rows come from there */
    bool               ended;   /* no more come from elsewhere */
    bool               held;    /* this one waits meanwhile */
    struct span        held_row;
    size_t             held_end;
    bool               in_order; /* equal rows come together: ORDER BY has distinct columns only */
    struct buf         order;    /* canonical, of the last row */
    struct buf         row;
};

enum merge_phase { PHASE_FILL, PHASE_RUN, PHASE_DONE, PHASE_ERROR };

struct merge {
    struct merge_spec        spec; /* with column numbers resolved */
    const struct merge_args *args;
    struct arena             arena;
    enum merge_protocol      protocol;
    uint32_t                 n_columns, n_visible, n_legs;
    size_t                   memory_limit;
    struct spill             file;
    bool                     may_spill;
    struct field_type       *types;
    struct field            *fields; /* scratch */
    struct merge_leg        *legs;
    size_t                   queued;

    enum merge_phase         phase;
    uint32_t                *heap; /* legs with a head, least first */
    uint32_t                 n_heap;
    bool                     top_taken;
    uint32_t                 turn; /* concatenation: the leg whose turn it is */

    struct groups            groups;
    struct group_work        work;
    struct arena             sorted_arena; /* of the rows of groups */
    struct sorted_group     *sorted; /* [n_sorted), owned */
    uint32_t                 n_sorted, cap_sorted, next_sorted;

    struct key_set           seen; /* DISTINCT */
    struct distinct_work     distinct;
    struct buf               key, out, record;
    uint64_t                 skipped, sent, beyond;
    uint64_t                 n_rows; /* see merge_rows() */
    struct sql_error         error;
};

/* ---- merge.c ---- */

enum merge_status merge_fail(struct merge *m, uint16_t code, const char *sentence);
enum merge_status merge_malformed(struct merge *m);

/* `what` did not go into a file, or come out of it: -errno. */
enum merge_status merge_file_failed(struct merge *m, int failed);
enum merge_status merge_too_large(struct merge *m);

bool merge_keys(struct merge *m, const struct merge_key *keys, uint32_t n, struct sort_value *out);
int merge_compare(const struct merge *m, const struct sort_value *a, const struct sort_value *b);

/* The next row of the leg into its head. */
bool merge_pull(struct merge *m, struct merge_leg *leg);
enum merge_status merge_sorted_leg(struct merge *m, struct span *row, size_t *visible_end);

/* ---- merge_spill.c ---- */

/* The run of a key at this level. */
struct spill_run *spill_part(struct spill_parts *p, uint32_t level, struct span key);

/* What is in them becomes tasks of the next level. */
int spill_parts_close(struct merge *m, struct spill_parts *p, uint32_t level,
                      struct spill_tasks *tasks);
bool spill_task_next(struct spill_tasks *tasks, struct spill_task *now);
size_t spill_parts_memory(const struct spill_parts *p);
void spill_parts_drop(struct merge *m, struct spill_parts *p);
void spill_tasks_drop(struct merge *m, struct spill_tasks *tasks);

/* A row of a leg, in payload. */
void merge_group_row(struct merge *m, struct span payload);

/* The next row of a group, or MERGE_AGAIN, WAIT, DONE, ERROR. */
enum merge_status merge_next_group(struct merge *m, struct span *row, size_t *visible_end);
size_t merge_groups_memory(const struct merge *m);
void merge_groups_fini(struct merge *m);

/* ---- merge_finish.c ---- */

/* Some more groups of m->groups are made rows; MERGE_ROW: all of them, or as many as there is
 * room for. */
enum merge_status merge_finish_some(struct merge *m);

/* The rows of groups into a file, in their order. */
enum merge_status merge_write_run(struct merge *m);
void merge_sort_groups(struct merge *m);

/* The files' rows come as those of legs. */
void merge_open_runs(struct merge *m);
size_t merge_sorted_memory(const struct merge *m);
void merge_sorted_reset(struct merge *m);

/* ---- merge_distinct.c ---- */

enum seen { SEEN_NEW, SEEN_BEFORE, SEEN_LATER, SEEN_BAD };

/* In m->fields are the row's. LATER: it is kept in a file; BAD: the merge may have failed. */
enum seen merge_seen(struct merge *m, struct span row);

/* The row comes behind what has to come before it; MERGE_ROW: it may go on. */
enum merge_status merge_distinct_next(struct merge *m, enum merge_status s, struct span *row,
                                      size_t *visible_end);
void merge_distinct_fini(struct merge *m);

#endif
