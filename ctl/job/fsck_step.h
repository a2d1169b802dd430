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
    json_t         *repairs; /* what could be done: [{"shard", "what", and "sql", or "made": see
                                fsck_servers(), or "routine": see fsck_routines()}] */
    json_t         *moving;  /* {catalog name: true}: tables of the move that runs */
    uint64_t        n_tables, n_rows;
    uint64_t        n_moving; /* rows that are there for a move, and that nobody sees */
};

void fsck_problem(struct fsck *f, const char *table, const char *shard, const char *fmt, ...)
    printf_like(4, 5);

/* One table of the catalog; its rows, its copies. `name` is its catalog name. */
void fsck_table(struct fsck *f, const char *name, const json_t *table);

/* The lookups of a sharded table; `t` is what it is in the routes. Not while its rows move: both
 * sides have rows that nobody sees. */
void fsck_lookups(struct fsck *f, const char *name, const json_t *object,
                  const struct route_table *t);

enum { FSCK_DOUBLES_MAX = 1000 };

/* Which of the rows that lie on the wrong `shard` are on the right one as well; `misplaced` has
 * their keys, up to FSCK_DOUBLES_MAX: [[value or null, index of the right shard], ...]. */
void fsck_doubles(struct fsck *f, const char *name, const json_t *table, uint32_t shard,
                  const json_t *misplaced);

/* Servers with a name of this cluster that are no shard. Where a job's record says
 * that nothing in one counts it may go: "made" is what provision_trace() kept of it, "kept" as
 * provisioner.destroy() wants it. */
void fsck_servers(struct fsck *f);
bool fsck_remove_server(struct fsck *f, const json_t *repair, struct err *err) must_check;

/* Replicas follow, and are read_only. */
void fsck_replicas(struct fsck *f);

/* Routines that every shard has; NULL: of all databases. A repair with "routine": where it is as it
 * should be, FUNCTION or PROCEDURE, its database, its name. */
void fsck_routines(struct fsck *f, const char *database);
bool fsck_make_routine(struct fsck *f, const json_t *repair, struct err *err) must_check;

/* Branches of ours that stay in doubt. */
void fsck_branches(struct fsck *f);

/* fsck_move.c: what runs is noted, before tables are looked at; what moves left behind is told.
 * With `repair` what is provably of no use any more goes. */
void fsck_moving(struct fsck *f);
void fsck_moves(struct fsck *f);
void fsck_repair(struct fsck *f);

#endif
