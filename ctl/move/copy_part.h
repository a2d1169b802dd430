/* copy_part.h - what the copy_*.c share; not for others.
 *
 *   session of the snapshot --> lane's reader --+--> step --+--> writer: target A   rows, in_
 *                                               |           +--> writer: target B   and copied
 *                                               |           +--> writer: source     out_
 *                                               +--> step (the next is filled meanwhile)
 *
 * A lane copies one table at a time. Its steps are a ring: the reader fills one when all writers
 * are done with it, each writer takes them in order. A target's writer commits a step only when
 * the source's has committed its keys.
 */
#ifndef CTL_MOVE_COPY_PART_H
#define CTL_MOVE_COPY_PART_H

#include <pthread.h>

#include "ctl/move/copy.h"
#include "ctl/move/copy_key.h"
#include "ctl/move/image.h"
#include "ctl/move/sets.h"

/* --- copy_table.c: one table's statements --- */

struct copy_target { /* of one table */
    bool       takes; /* rows can go there */
    bool       done;
    bool       torn;  /* a part of an unordered table is there: it goes before the copy begins */
    struct buf last;  /* copy_key_append() of each primary column; empty: nothing yet */
};

struct copy_table {
    const struct move_table *t;
    bool        leaves;  /* rows can leave the source */
    bool        ordered; /* see copy.h */
    bool        torn_fine; /* not ordered, and a part of it can be told from other rows */
    bool        taken;   /* by a lane, in this cycle */
    uint32_t    n_fields;
    uint32_t   *columns; /* of the table, by field of the SELECT; owned */
    bool       *plain;   /* by field: has nothing to escape; owned */
    bool       *sent;    /* by field: in the LOAD DATA; owned */
    uint32_t    primary[MOVE_PRIMARY_MAX]; /* fields */
    uint32_t    key_before, key_after;     /* fields or ROUTES_NONE */
    struct buf  select, load, load_in, load_out; /* texts with a NUL behind */
    struct image *image; /* rows are written as such; NULL: by LOAD DATA; owned */
    uint32_t   *cells;   /* by column of the image: the field of the SELECT; owned */
    uint64_t    estimate;
    struct copy_target *targets; /* by the index of the target in struct copy; owned */
};

/* `out` is zeroed. False: it has no primary key, or a type that cannot be carried. */
bool copy_table_init(struct copy_table *out, const struct move *m, const struct move_table *t,
                     size_t n_targets, struct sql_error *error) must_check;
void copy_table_fini(struct copy_table *t, size_t n_targets);

/* Its rows are to fire no trigger: from now on they are written as images. `s`: a session of the
 * source, which describes the columns. False: that is not possible. */
bool copy_table_images(struct copy_table *t, struct server *s, struct sql_error *error) must_check;

/* The SELECT of rows behind `last` (empty: all), at most `limit` (0: all). False: `last` is not
 * such a key. */
bool copy_table_select(const struct copy_table *t, struct span last, uint64_t limit,
                       struct buf *out) must_check;

/* As copy_order(), of whole keys made by copy_key_append(). */
int copy_table_order(const struct copy_table *t, struct span a, struct span b);

/* A row's primary key as copy_key_append() makes it. `out` is emptied first. */
void copy_table_key(const struct copy_table *t, MYSQL_ROW row, const unsigned long *lengths,
                    struct buf *out);

/* --- copy_write.c: lanes' writers --- */

enum {
    COPY_STEPS      = 3,
    COPY_STEP_ROWS  = 16384,
    COPY_STEP_BYTES = 4 * 1024 * 1024,
    COPY_STEP_READ  = 8 * COPY_STEP_ROWS, /* rows that stay are worth noting as well */
    COPY_FATAL      = 1593, /* as APPLY_FATAL */
};

struct copy_part { /* of a step, for one writer */
    bool       active;
    struct buf rows; /* as LOAD DATA reads them, or images; unused for the source's */
    struct buf keys; /* the same for in_ or out_ */
    size_t     key_at; /* where the last of them begins */
    uint64_t   n_rows;
};

struct copy_step {
    struct copy_table *table;
    struct copy_part  *parts; /* by writer; owned */
    struct buf         last;
    bool               done;   /* the table's last one */
    bool               commit; /* else the transaction goes on */
    uint64_t           n_sent, n_bytes, n_read;
};

struct copy_lane;

struct copy_writer {
    struct copy_lane *lane;
    size_t            index;  /* in parts; the source's is the last */
    uint32_t          shard;
    pthread_t         thread;
    bool              started;
    uint64_t          consumed; /* steps */
    bool              in_transaction; /* of several steps, with so many rows: */
    uint64_t          open_rows;
    struct server     server;
    struct image_session images;
    int               fd; /* a duplicate of its socket, for others to end it; 0: none */
};

struct copy_lane {
    struct copy        *copy;
    struct server      *session; /* borrowed from the snapshot */
    int                 fd;      /* a duplicate of its socket */
    const atomic_bool  *stop;
    double              end_ms;
    pthread_t           thread;
    bool                started;
    atomic_bool         ended;
    size_t              n_writers;
    struct copy_writer *writers; /* owned */
    struct copy_step    steps[COPY_STEPS];

    pthread_mutex_t  lock; /* around the rest, and writers' `consumed` */
    pthread_cond_t   changed;
    uint64_t         produced;
    bool             closing; /* no more steps come */
    bool             failed;
    struct sql_error error; /* code 0: told to stop */
};

bool copy_lane_init(struct copy_lane *lane, struct copy *c, struct server *session,
                    const atomic_bool *stop, double end_ms, struct sql_error *error) must_check;

/* The step to fill, when all writers are done with it; NULL: the lane has failed, or was told to
 * stop. Its buffers are empty. */
struct copy_step *copy_lane_step(struct copy_lane *lane);
void              copy_lane_put(struct copy_lane *lane);

/* Waits until all that was put is written; false when something was not. */
bool copy_lane_settle(struct copy_lane *lane) must_check;

/* Ends the writers. The first error of all is in lane->error. */
void copy_lane_fini(struct copy_lane *lane);
void copy_lane_fail(struct copy_lane *lane, const struct sql_error *error);

/* Its threads find their connections closed, whatever they wait for. */
void copy_lane_cut(struct copy_lane *lane);
bool copy_lane_stopped(struct copy_lane *lane);

/* --- copy_read.c --- */

/* Copies tables until time is over, none is left, or something fails. */
void *copy_lane_run(void *lane);

/* --- copy.c --- */

struct copy {
    const struct move *m;
    uint32_t           source;
    size_t             n_targets;
    uint32_t          *targets; /* ids; owned */
    unsigned           n_tables;
    struct copy_table *tables; /* by number in the job; owned */

    pthread_mutex_t    lock; /* around what follows, and the tables' `taken` */
    double             next_ms; /* when the next row may be read */
    char               current[256];

    atomic_ullong      rows_per_s, bytes_per_s;
    atomic_bool        paused;
    atomic_ullong      rows, rows_total, sent, bytes;
    atomic_uint        n_leaving, n_done;
};

double copy_now_ms(void);

/* A table nobody has taken; NULL: none is left. */
struct copy_table *copy_take(struct copy *c);

/* `rows` were read and `bytes` made of them: sleeps as long as copy_throttle() wants. */
void copy_pace(struct copy_lane *lane, uint64_t rows, uint64_t bytes);

bool copy_table_done(const struct copy *c, const struct copy_table *t);

#endif
