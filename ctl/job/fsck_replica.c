/* fsck_replica.c - replicas have all that their primaries have, and nobody else writes there. */
#include "ctl/catalog/model.h"
#include "ctl/job/fsck_step.h"
#include "ctl/job/replica_step.h"
#include "ctl/provision/replication.h"

enum { CATCH_UP_S = 15, ANSWER_S = 20 };

static void
check_one(struct fsck *f, const json_t *replica, const char *position)
{
    struct server            s = { .answer_s = ANSWER_S };
    struct replication_facts facts;
    struct sql_error         error;
    const char              *name = model_text(replica, "name");

    if (!server_open(&s, replica, &error) || !replica_catch_up(&s, position, CATCH_UP_S, &error) ||
        !replication_facts(&s, &facts, &error))
        fsck_problem(f, "", name, "the replica is not as its primary: %s", error.message);
    else if (!facts.read_only)
        fsck_problem(f, "", name, "the replica can be written to: SET GLOBAL read_only=ON there");
    server_close(&s);
}

/* One that was replaced is known to be of no use. */
void
fsck_replicas(struct fsck *f)
{
    for (uint32_t i = 0; i < f->routes->n_shards; i++) {
        json_t *all = cluster_replicas(f->c, f->routes->shards[i].id), *one;
        struct replication_facts primary;
        struct sql_error         error;
        size_t                   k;

        if (json_array_size(all) > 0 && f->server[i].mysql &&
            replication_facts(&f->server[i], &primary, &error))
            json_array_foreach(all, k, one)
                if (!model_text(one, "suspect")[0])
                    check_one(f, one, primary.position);
        json_decref(all);
    }
}
