/* replica.h - replicas of shards that come, change and go.
 *
 *   replica_add   (local, systemd, docker)
 *                           planned -> created -> copied -> started -> caught up -> in the catalog
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
    const char *provisioner; /* as of provision.h; "": as the shard's server was made */
    const char *address;     /* static: HOST:PORT, or the path of a socket */
    const char *user, *password; /* static: may do everything there */
    const char *tls_ca;      /* as of shard_adopt() */
    int         weight;      /* 0: as it is, or 1 */
    const char *zone;        /* NULL: as it is */
    const char *agent;       /* as in shard_set_agent(); NULL: as it is */
    const char *cpus, *memory; /* of a server that is made; NULL: no limit */
    bool        plain;       /* the copy is not compressed on its way */
    int64_t     max_rate;    /* bytes a second of it on its way; 0: as fast as it goes */
};

#define REPLICA_ADD    "add a replica"
#define REPLICA_REMOVE "remove a replica"
#define REPLICA_RESEED "seed a replica anew"

/* Returns when it serves. */
bool replica_add(struct cluster *c, const char *who, const char *shard,
                 const struct replica_wish *wish, struct sql_error *error) must_check;

/* The shard gets the settings of another about commits and failures, and as many replicas, made as
 * its own server was. Nothing when that one has none. */
bool replica_like(struct cluster *c, const char *who, const char *name, const char *other,
                  struct sql_error *error) must_check;

/* A server that is of no use any more, one that was replaced as a primary for example: another
 * one is made, by the same provisioner, with its weight and zone, takes its place, and the first
 * is removed. */
bool replica_reseed(struct cluster *c, const char *who, const char *name,
                    struct sql_error *error) must_check;

/* Nothing is sent there any more, and then it goes, with its data when it is ours; else it is left
 * as it is. */
bool replica_remove(struct cluster *c, const char *who, const char *name,
                    struct sql_error *error) must_check;

/* Weight, zone and agent; `state` is serving, draining or disabled, or NULL: as it is. */
bool replica_set(struct cluster *c, const char *who, const char *name,
                 const struct replica_wish *wish, const char *state,
                 struct sql_error *error) must_check;

/* What a controller before this one began; as ddl_resume(). */
enum job_state replica_resume(struct cluster *c, json_t *record,
                              struct sql_error *error) must_check;

/* A restart of a shard's servers was interrupted: the replica that was drained for it is as it was
 * before. */
enum job_state replica_restart_resume(struct cluster *c, const json_t *record,
                                      struct sql_error *error) must_check;

/* The password that replicas come by; made when there is none yet. False: the catalog cannot be
 * written. */
bool replica_secret(struct cluster *c, char *out, size_t room, struct err *err) must_check;

/* How it replicates, into its object for people: "replicates", "lag_s", "problem"; and whether
 * its server answers. */
void replica_look(const json_t *replica, json_t *out);

#endif
