/* fsck_step.h - what the checks share; private to ctl/job. */
#ifndef CTL_JOB_FSCK_STEP_H
#define CTL_JOB_FSCK_STEP_H

#include "core/route/table.h"
#include "ctl/job/fsck.h"
#include "ctl/provision/server.h"

struct fsck {
    struct cluster *c;
    struct routes  *routes; /* owned: of the start */
    json_t         *shards, *tables;
    struct server   server[ROUTES_SHARDS_MAX]; /* by index in the routes; may be closed */
    json_t         *problems;
    uint64_t        n_tables, n_rows;
};

void fsck_problem(struct fsck *f, const char *table, const char *shard, const char *fmt, ...)
    printf_like(4, 5);

/* One table of the catalog; its rows, its copies. `name` is its catalog name. */
void fsck_table(struct fsck *f, const char *name, const json_t *table);

/* Branches of ours that stay in doubt. */
void fsck_branches(struct fsck *f);

#endif
