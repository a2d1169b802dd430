/* apply_internal.h - what the parts of the applier share; private to apply*.c.
 *
 *   apply.c         the thread, its queue, its connections, and what is repeated
 *   apply_batch.c   a batch as one transaction
 *   apply_rows.c    parcels as BINLOG statements and keys
 *   apply_branch.c  branches of XA, in memory and in `stash`
 *   apply_spool.c   rows that wait in a file
 */
#ifndef CTL_MOVE_APPLY_INTERNAL_H
#define CTL_MOVE_APPLY_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/mysql/binlog_build.h"
#include "ctl/move/apply.h"

enum {
    BRANCH_BUCKETS   = 4096,
    BRANCHES_DONE    = 20000, /* marks that are kept, at least half of them */
    APPLY_FATAL      = 1593, /* ER_SLAVE_FATAL_ERROR: our own words for what does not pass */
    APPLY_KEYS_BYTES = 256 << 10, /* of one INSERT */
    APPLY_TABLES_MAX = 16,        /* whose rows are put together in a batch */
};

#define APPLY_ALL_TABLES UINT32_MAX

enum branch_state { BRANCH_NONE, BRANCH_STASHED, BRANCH_DEFERRED, BRANCH_DONE };

struct branch {
    struct list       bucket;
    struct list       touched; /* in the batch */
    char              name[BRANCH_NAME_MAX];
    enum branch_state state;   /* in `stash` */
    enum branch_state next;    /* by the batch under way */
    struct item      *item;    /* of the batch: its PREPARE */
    struct parcel    *rows;    /* STASHED and DEFERRED, when it is in memory; owned */
    uint64_t          order;   /* DONE: the older, the smaller */
};

/* What is known of a table's columns. */
struct apply_table {
    struct buf           map;   /* the TABLE_MAP */
    struct binlog_table *table; /* owned */
};

/* Keys for one set. */
struct apply_keys {
    struct buf values;
    char       set[64];
};

/* Rows of items that are in the queue or under way, one behind the other; emptied when there are
 * none. */
struct apply_spool {
    int      fd;
    uint64_t end;
    unsigned n; /* items; 0: there is no file */
    unsigned n_own; /* items with a file of their own */
};

struct apply {
    const struct move  *move;
    uint32_t            source, target;
    const struct copy  *copy;
    void              (*wake)(void *context);
    void               *context;
    struct list         queue; /* shared, under the lock */
    size_t              queued;
    uint64_t            taken_us; /* when the first of the items under way came; 0: none are */
    bool                spools;
    struct apply_spool  spool; /* under the lock, too */
    struct apply_status status;
    bool                reload;
    pthread_mutex_t     lock;
    pthread_cond_t      changed;
    pthread_t           thread;
    bool                started;
    atomic_bool         stop;
    int                 fd_target, fd_source; /* of open connections, for apply_interrupt() */

    /* the thread's own from here on */
    struct server        server, origin;
    char                 stored[GTID_TEXT_MAX]; /* in `stream`; "": no row */
    bool                 has_stored;
    char                 attempt[GTID_TEXT_MAX]; /* that a COMMIT was sent with; "": none */
    struct gtid_set      position;
    struct buf           description;
    bool                 described;  /* the session has it */
    struct binlog_format format;
    struct binlog_batch  batch;
    bool                 has_batch;
    struct apply_table  *tables;     /* by number */
    struct apply_keys   *hidden, *leaving; /* by number */
    uint32_t             present[APPLY_TABLES_MAX]; /* tables in the batch */
    unsigned             n_present;        /* one more than there is room for: many */
    uint32_t             open_number, open_table; /* the last one's number in the batch */
    bool                 is_open;
    struct buf           sql;
    size_t               packet_max; /* what the target takes */
    struct list          branch[BRANCH_BUCKETS];
    struct list          touched;
    unsigned             n_done;
    uint64_t             order;
    struct binlog_value *values; /* of an image, by column */
    uint32_t             n_values;
};

/* --- apply_batch.c: false with the error; all of it may be repeated. */
bool apply_batch(struct apply *a, struct list *items, struct sql_error *error) must_check;

/* --- apply_rows.c */
bool apply_keys_of(struct apply *a, const struct parcel *p, struct sql_error *error) must_check;
bool apply_keys_flush(struct apply *a, struct sql_error *error) must_check;
bool apply_leaving_flush(struct apply *a, struct sql_error *error) must_check;
/* What the copy covers, of one table or (APPLY_ALL_TABLES) of all. `one_by_one`: to find the row
 * that does not fit, the error names it. */
bool apply_rows_of(struct apply *a, const struct parcel *p, uint32_t table, bool one_by_one,
                   struct sql_error *error) must_check;
bool apply_rows_flush(struct apply *a, struct sql_error *error) must_check;
void apply_rows_reset(struct apply *a);
void apply_rows_fini(struct apply *a);
bool apply_is_bad_row(const struct sql_error *error);

/* --- apply_branch.c */
bool branch_load(struct apply *a, struct sql_error *error) must_check;
void branch_forget_all(struct apply *a);
/* NULL: there is none. */
struct branch *branch_find(struct apply *a, const char *name);

/* What an item does to branches; calls `step` with rows to be applied. */
typedef bool (*branch_step)(struct apply *a, const struct parcel *rows, struct sql_error *error);
bool branch_item(struct apply *a, struct item *i, branch_step step, struct sql_error *error)
    must_check;
/* Into `stash`, in the batch's transaction; after its COMMIT; after its ROLLBACK. */
bool branch_write(struct apply *a, struct sql_error *error) must_check;
void branch_committed(struct apply *a);
void branch_undone(struct apply *a);
unsigned branch_count(struct apply *a);

/* --- apply_spool.c, under the lock */
/* Its rows are in the file then. False: they cannot be. */
bool spool_put(struct apply *a, struct item *i) must_check;
void spool_done(struct apply *a, const struct list *items);

/* --- apply.c */
bool apply_put(struct apply *a, struct sql_error *error) must_check; /* a->sql, emptied */
bool apply_origin(struct apply *a, struct sql_error *error) must_check;
bool apply_file_error(const struct apply *a, int errnum, struct sql_error *error);

#endif
