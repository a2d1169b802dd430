/* replica.h - replicas of shards that come, change and go.
 *
 *   replica_add   (local)   planned -> copied -> prepared -> started -> caught up -> in the catalog
 *                 (static)  looked at ------------------------> proven ---------------^
 *
 * A copy is made by mariadb-backup while applications go on. Whatever fails before the catalog has
 * it leaves nothing behind; a controller that starts takes back what one before it had begun.
 */
#ifndef CTL_JOB_REPLICA_H
#define CTL_JOB_REPLICA_H

#include "ctl/job/job.h"

struct replica_wish {
    const char *name;        /* "": "replica-N" */
    const char *provisioner; /* "local", "static"; "": as the shard's server was made */
    const char *address;     /* static: HOST:PORT, or the path of a socket */
    const char *user, *password; /* static: may do everything there */
    const char *tls_ca;      /* as of shard_adopt() */
    int         weight;      /* 0: as it is, or 1 */
    const char *zone;        /* NULL: as it is */
};

#define REPLICA_ADD    "add a replica"
#define REPLICA_REMOVE "remove a replica"

/* Returns when it serves. */
bool replica_add(struct cluster *c, const char *who, const char *shard,
                 const struct replica_wish *wish, struct sql_error *error) must_check;

/* Nothing is sent there any more, and then it goes, with its data when it is ours; else it is left
 * as it is. */
bool replica_remove(struct cluster *c, const char *who, const char *name,
                    struct sql_error *error) must_check;

/* Weight and zone; `state` is serving, draining or disabled, or NULL: as it is. */
bool replica_set(struct cluster *c, const char *who, const char *name,
                 const struct replica_wish *wish, const char *state,
                 struct sql_error *error) must_check;

/* What a controller before this one began; as ddl_resume(). */
enum job_state replica_resume(struct cluster *c, json_t *record,
                              struct sql_error *error) must_check;

/* A copy of the shard's server in the directory of this planned local replica, and the GTID
 * `position` it is of: see replica_seed.c. */
bool replica_seed(const json_t *shard, json_t *replica, char *position, size_t room,
                  struct err *err) must_check;

/* The password that replicas come by; made when there is none yet. False: the catalog cannot be
 * written. */
bool replica_secret(struct cluster *c, char *out, size_t room, struct err *err) must_check;

/* How it replicates, into its object for people: "replicates", "lag_s", "problem"; and whether
 * its server answers. */
void replica_look(const json_t *replica, json_t *out);

#endif
