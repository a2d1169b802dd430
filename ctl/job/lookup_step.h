/* lookup_step.h - a lookup that is added or dropped; private to ctl/job/lookup*.c. */
#ifndef CTL_JOB_LOOKUP_STEP_H
#define CTL_JOB_LOOKUP_STEP_H

#include "ctl/job/lookup.h"
#include "ctl/provision/server.h"

struct lookup_work {
    struct cluster   *c;
    struct job       *job;
    const char       *who, *database, *name;
    json_t           *table, *shards;            /* owned */
    struct server     server[ROUTES_SHARDS_MAX]; /* in the order of `shards` */
    size_t            n;
    struct sql_error *error;
};

/* The rows that were there before writes told the lookup. May be repeated. False with the error
 * (1062: two rows have one value). */
bool lookup_fill(struct lookup_work *w, const json_t *lookup) must_check;

/* Its table, an index that is not UNIQUE, and the triggers; what is there already stays. */
bool lookup_make_on(struct server *s, const json_t *table, const json_t *lookup,
                    struct sql_error *error) must_check;
bool lookup_drop_triggers(struct server *s, const json_t *table, const json_t *lookup,
                          struct sql_error *error) must_check;

#endif
