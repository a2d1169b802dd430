/* failover.h - another server becomes a shard's primary.
 *
 *   switchover   the primary answers: statements wait (a fence around all of the shard), what is
 *                under way ends, the server is frozen at F, the replica has all up to F; then one
 *                change of the catalog is the point of no return; the replica is opened, published,
 *                and what waited goes there. The server before replicates from it. No statement
 *                fails
 *   failover     it does not: workers let go of it at once, a process of ours is killed; the
 *                replica that has most applies all that it got, and takes its place. The server
 *                before is suspect: it may have what nobody else has, and is not used again
 *
 * Before the point of no return everything is as before; behind it a controller that starts
 * finishes it (roles_keep()), because roles follow from the catalog.
 */
#ifndef CTL_FAILOVER_FAILOVER_H
#define CTL_FAILOVER_FAILOVER_H

#include "ctl/job/job.h"
#include "ctl/provision/server.h"

struct failover_wish {
    const char *to;      /* a replica's name; "": the best one */
    bool        dry_run; /* say what would be done */
    bool        cut;     /* end transactions that are in the way, with 1213 */
    bool        force;   /* a primary that does not answer goes even if commits may be lost */
    int         wait_ms; /* for transactions to end, at most; 0: FAILOVER_WAIT_MS */
};

enum { FAILOVER_WAIT_MS = 3000 };

/* Returns {"shard", "from", "to", "behind_s", "pause_ms", ...}, to be owned; NULL with `error`.
 * behind_s: how far the new primary was behind when it was chosen; -1: it did not say. */
json_t *failover_switch(struct cluster *c, const char *who, const char *shard,
                        const struct failover_wish *wish, struct sql_error *error);

/* The servers of this shard are as the catalog has their roles: a primary that is read_only or
 * replicates is opened, a replica that follows another server is told whom to follow. False with
 * `error`: a server does not answer, or does not do it; it is worth another try. */
bool roles_keep(struct cluster *c, const json_t *shard, struct sql_error *error) must_check;

/* That for all shards: `first`, before they are published, or those whose primary was ever changed,
 * from time to time. Whether all are; `loud`: logs which are not. */
bool roles_keep_all(struct cluster *c, bool first, bool loud);

/* A replica becomes a primary that may be written to: it replicates no more, and is told first that
 * it is one (claim_primary()), by a commit that no replica could confirm yet. From then on commits
 * wait for one, with `waits`. May be repeated. */
bool roles_open(struct cluster *c, struct server *s, bool waits,
                struct sql_error *error) must_check;

/* Whether commits on its primary wait for a replica: it is set so, and there is one. */
bool roles_wait(struct cluster *c, const json_t *shard);

/* They do from now on, and all replicas have what was committed before. The flag of the shard is
 * the caller's to set. */
bool roles_begin_to_wait(struct cluster *c, const json_t *shard,
                         struct sql_error *error) must_check;

/* `shardctl shard set --semi-sync`. */
bool roles_set_semi_sync(struct cluster *c, const char *who, const char *name, bool on,
                         struct sql_error *error) must_check;

/* "failover": whether it is replaced without being asked; "reseed": whether a server that was
 * replaced is made anew so. `how` is "auto" or "manual". */
bool roles_set(struct cluster *c, const char *who, const char *name, const char *key,
               const char *how, struct sql_error *error) must_check;

/* The primary does not answer: replaced by the replica that has most (or wish->to, when that has
 * all as well). `why` is for people. As failover_switch(); "may_be_lost" says whether commits may
 * be, which only wish->force allows: those of a shard without semi_sync, and those that only a
 * replica has which does not answer either. */
json_t *failover_lost(struct cluster *c, const char *who, const char *shard,
                      const struct failover_wish *wish, const char *why,
                      struct sql_error *error);

/* Whether the shard's primary answers. */
bool failover_answers(const json_t *shard);

#endif
