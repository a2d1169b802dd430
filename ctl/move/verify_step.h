/* verify_step.h - what the parts of verifying share; private to ctl/move. */
#ifndef CTL_MOVE_VERIFY_STEP_H
#define CTL_MOVE_VERIFY_STEP_H

#include <pthread.h>

#include "ctl/move/verify.h"

struct verify {
    struct move          *m;
    uint32_t              source;
    uint32_t             *target; /* ids of those that get rows from `source`; owned */
    size_t                n_targets;
    const atomic_bool    *stop;
    atomic_bool           ended; /* an error, or told to stop: everybody leaves */

    pthread_mutex_t       lock;  /* around the rest */
    pthread_cond_t        wake;
    const struct verify_how *how;
    json_t               *done;  /* as how->done, of this round as well; owned */
    unsigned              next;  /* table to look at */
    unsigned              at_work;
    bool                  replicas;
    uint64_t              began_us, paced; /* rows since then */
    uint64_t              round_until_us; /* no table is begun with this snapshot after it */
    struct verify_status *out;
    struct sql_error      error; /* the first one */
    bool                  failed;
};

/* A difference, counted and perhaps shown. `what`: "missing", "extra" or "different"; `key` is
 * an array, taken over. */
void verify_found(struct verify *v, const struct move_table *t, const char *what, json_t *key);
void verify_count(struct verify *v, uint64_t rows);
void verify_fail(struct verify *v, const struct sql_error *error);

/* The last key of the table's part that was compared already, appended to `last`. */
void verify_begin(struct verify *v, const struct move_table *t, struct buf *last);
/* Up to here it is compared now; `last` empty: all of it. False: the time of the round is over. */
bool verify_end(struct verify *v, const struct move_table *t, struct span last);

/* verify_table.c: one table; `source` and `target[]` (in the order of v->target) are sessions
 * inside of their snapshots. False: v->error, or told to stop. */
bool verify_table(struct verify *v, const struct move_table *t, struct server *source,
                  struct server *target) must_check;

#endif
