/* layout_step.h - a plan in the making; private to layout*.c. */
#ifndef CTL_MOVE_LAYOUT_STEP_H
#define CTL_MOVE_LAYOUT_STEP_H

#include "core/route/ranges.h"
#include "ctl/job/job.h"

struct planner {
    struct cluster   *c;
    const json_t     *request;
    struct sql_error *error;
    json_t           *shards; /* owned: {id: object} */
    uint32_t          n;      /* of them, and of those to be made */
    int64_t           id[ROUTES_SHARDS_MAX];
    char              name[ROUTES_SHARDS_MAX][72];
    bool              up[ROUTES_SHARDS_MAX];
    double            rows[ROUTES_SHARDS_MAX], bytes[ROUTES_SHARDS_MAX];
    double            share[ROUTES_SHARDS_MAX]; /* of the key space, before */
    uint32_t          n_new;
    struct ranges     before, after, cut_before, cut_after; /* owned arrays */
    double           *weight;                               /* owned; NULL: widths */
    json_t           *homes;  /* owned: {database: [shard id before, after]}; NULL: they stay */
};

/* A sentence without the "shardd: ". Returns false. */
bool layout_refuse(struct planner *p, const char *fmt, ...) printf_like(2, 3);

/* The i-th of the texts under `key`, "" when there is none. */
const char *layout_text(const json_t *request, const char *key, size_t i);

/* The spec of before, after and what was measured; NULL: nothing moves. */
json_t *layout_spec(struct planner *p);

/* The same of a table that changes its kind or key; layout_table.c. */
json_t *layout_table(struct planner *p);

/* Databases at home on `from` come to `to`, with what lives there: into p->homes. False: they
 * have code, which does not move. layout_home.c. */
bool layout_homes(struct planner *p, uint32_t from, uint32_t to) must_check;

/* Their global tables and views, as "tables", "pieces" and "views" of the spec. */
bool layout_put_homes(struct planner *p, json_t *spec) must_check;

/* A piece of a spec that is no range. */
json_t *layout_piece(const struct planner *p, uint32_t from, uint32_t to, double rows,
                     double bytes);

#endif
