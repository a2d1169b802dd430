/* replica_step.h - what the files of replicas share; private to ctl/job. */
#ifndef CTL_JOB_REPLICA_STEP_H
#define CTL_JOB_REPLICA_STEP_H

#include "ctl/job/replica.h"
#include "ctl/provision/server.h"

struct seeded {
    char    *position; /* the GTIDs that the copy has all of; GTID_TEXT_MAX bytes */
    uint64_t bytes, on_link; /* as they came from the server, and on the way */
};

/* A copy of the shard's server in the folder of this replica, which was created: see
 * replica_seed.c. */
bool replica_seed(struct cluster *c, const json_t *shard, const json_t *replica,
                  const struct replica_wish *wish, struct seeded *done,
                  struct err *err) must_check;

/* What such a copy leaves when its controller is killed. Fine where there is nothing. */
bool replica_seed_clean(struct cluster *c, const json_t *replica, struct err *err) must_check;

bool replica_check_wish(const struct replica_wish *wish, struct sql_error *error) must_check;
void replica_set_wish(json_t *replica, const struct replica_wish *wish);

/* Writes it (see catalog_put()), and publishes. */
bool replica_put(struct cluster *c, const char *who, json_t *replica, int64_t expected,
                 struct sql_error *error) must_check;

/* Waits until it has applied all of `position`, and gets more; a replica that has stopped is not
 * waited for. */
bool replica_catch_up(struct server *s, const char *position, int wait_s,
                      struct sql_error *error) must_check;

/* Looks at a server that replicates already, and proves that it does: what is written on the
 * primary arrives. Then its object has all that is to be known of it. */
bool replica_adopt(struct cluster *c, const json_t *shard, json_t *replica,
                   const struct replica_wish *wish, struct sql_error *error) must_check;

#endif
