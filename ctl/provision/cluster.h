/* cluster.h - one home folder and everything that runs for it.
 *
 *   HOME/lock              held by the controller as long as it lives
 *   HOME/catalog.db        the catalog
 *   HOME/audit/            the audit log (ctl/catalog/audit_log.h)
 *   HOME/shardd.conf       written by `shardctl up`
 *   HOME/shardd.log, shardd.pid
 *   RUN/controller.sock    REST (ctl/api/api.h)
 *   RUN/shardd.sock        where the master is poked
 *   RUN/mysql.sock         where applications connect, besides the port
 *   RUN/shard-1.sock ...   the servers
 *   RUN/engine-1.sock
 *
 * RUN is HOME, or when that makes a socket's path longer than the 107 bytes
 * the kernel takes, a directory under $XDG_RUNTIME_DIR or /tmp whose name
 * follows from HOME.
 */
#ifndef CTL_PROVISION_CLUSTER_H
#define CTL_PROVISION_CLUSTER_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/route/table.h"
#include "ctl/catalog/catalog.h"
#include "ctl/catalog/publish.h"
#include "ctl/provision/provision.h"
#include "ctl/provision/provision_local.h"
#include "ctl/provision/server.h"
#include "shm/segment.h"

enum {
    CLUSTER_PATH_MAX         = 1024,
    CLUSTER_HOLDER_MAX       = 33,
    CLUSTER_RANGES_PER_SHARD = 16,
    CLUSTER_FORMAT           = 2, /* of the catalog */
};

struct cluster_paths {
    char home[CLUSTER_PATH_MAX]; /* absolute */
    char run[CLUSTER_PATH_MAX];
    char socket[108];  /* the controller's */
    char control[108]; /* the master's */
    char clients[108]; /* shardd's, for applications on this machine */
};

struct audit_log;
struct resolver;
struct moves;
struct monitor;
struct exporter;
struct scaler;
struct failover_watch;

struct cluster {
    struct cluster_paths path;
    int                  lock_fd;
    char                 instance[SEGMENT_INSTANCE_MAX];
    struct catalog      *catalog;
    struct audit_log    *audit;     /* in HOME/audit */
    struct publisher    *publisher;
    pthread_mutex_t      change_lock; /* schema, shards and users change one at a time */
    pthread_mutex_t      roles_lock;  /* held by whoever has another server be a primary, and by
                                         who writes on shards without change_lock; behind that */
    pthread_mutex_t      local_lock;  /* around the array below */
    struct local_server *local[ROUTES_SHARDS_MAX + ROUTES_ENGINES_MAX + ROUTES_REPLICAS_MAX];
    size_t               n_local;
    char                 service_secret[64];
    char                 uuid[40];   /* of the cluster: what is made for it bears it */
    char                 holder[CLUSTER_HOLDER_MAX]; /* this run of the controller, see
                                                        claim.h; "": it is none */
    pthread_mutex_t      duty_lock; /* around the next */
    char                 standby[512]; /* why it leaves servers alone; "": it is on duty */
    json_t              *provision;  /* owned; see provision_setting(). Constant while it runs */
    atomic_bool          stopping; /* set by POST /v1/shutdown or a signal */
    atomic_bool          ready;
    atomic_int           streams;  /* of events that somebody listens to */
    atomic_ullong        deadlocks; /* between shards, ended since the start */
    atomic_int           shardd_pid; /* 0: none of ours */
    char                 listen[64], http[64], socket[108]; /* of shardd, "" when it is not
                                                               ours or there is none */
    int64_t              started_ms;
    struct moves        *moves;    /* see ctl/move/run.h; NULL: rows do not move */
    struct resolver     *resolver; /* see ctl/job/resolver.h; NULL: none runs */
    struct engines      *engines;  /* see engines.h; NULL: nobody looks after them */
    struct exporter     *exporter; /* see ctl/api/exporter.h; NULL: not yet */
    struct monitor      *monitor;  /* see ctl/scale/monitor.h; NULL: nobody measures */
    struct failover_watch *failover; /* see ctl/failover/failover_watch.h; NULL: nobody watches */
    struct scaler       *scaler;   /* see ctl/scale/scaler.h; NULL: nobody decides */
};

/* $XDG_STATE_HOME/shardd, ~/.local/state/shardd, or /var/lib/shardd for root.
 * `home` may be NULL. Makes no directory. */
bool cluster_paths(const char *home, struct cluster_paths *out, struct err *err) must_check;

/* Makes the directories, takes the lock, opens catalog and segment. `instance`
 * names a new cluster; NULL: after its home. */
struct cluster *cluster_open(const struct cluster_paths *paths, const char *instance,
                             struct err *err);
void            cluster_close(struct cluster *c);

/* The pid of the controller that holds the lock of this home, or 0. */
pid_t cluster_owner(const struct cluster_paths *paths);

/* Puts what belongs on a shard there, before anybody is sent to it. */
typedef bool (*cluster_fill_fn)(struct cluster *c, const json_t *shard, void *context,
                                struct sql_error *error);

/* The object of shard `id` (a "next_shard"), `name` ("" for "shard-ID"), with a server that is
 * still to be made: what there will be of it has its names already. The caller owns it. */
json_t *cluster_plan_shard(struct cluster *c, int64_t id, const char *name,
                           const struct provision_wish *wish, struct err *err);

/* Makes the server of a planned shard, starts it, brings it up to date, and has `fill` (NULL:
 * nothing) put the tables there. Then it is in the catalog, and owns no ranges. When that fails
 * nothing is left of it. */
bool cluster_make_shard(struct cluster *c, json_t *shard, cluster_fill_fn fill, void *context,
                        struct err *err) must_check;

/* The server of a shard of ours goes, with its data unless settings say otherwise; also what
 * is left of one that was never made. Fine where nothing is there. */
bool cluster_remove_server(struct cluster *c, const json_t *shard, bool kept,
                           struct err *err) must_check;

/* A new shard object in the catalog. */
bool cluster_put_shard(struct cluster *c, json_t *shard, struct err *err) must_check;

/* Stops the process of a shard or an engine of ours that left the catalog, and removes its
 * data. */
bool cluster_remove_local(struct cluster *c, const json_t *shard, struct err *err) must_check;

/* cluster_tick() looks after this server from now on. */
void cluster_keep_local(struct cluster *c, struct local_server *server);

/* It no longer does, for whoever ends it; NULL: there is none. `id` is the server's, see
 * model_server_id(). */
struct local_server *cluster_release_local(struct cluster *c, int64_t id);

/* A server of ours is killed, and not started again until it is held no more. */
void cluster_hold_local(struct cluster *c, int64_t id, bool hold);

/* The object of a process of ours is another one from its next start on. */
void cluster_renew_local(struct cluster *c, const json_t *server);

/* The server of this object, whoever made it, has another part to play from its next start on.
 * Logs. */
void cluster_renew(struct cluster *c, const json_t *server);

/* A process of ours ends orderly, and is started again. Returns before it answers. */
bool cluster_restart_local(struct cluster *c, int64_t id, struct err *err) must_check;

/* Ends a server that never came into the catalog, and removes what there is of it. */
void cluster_abandon_local(struct local_server *server, const json_t *shard);

/* The pid of our own server with this id; 0: none runs. */
pid_t cluster_local_pid(struct cluster *c, int64_t id);

/* Gives all ranges, in turn, to the shards there are. Only for an empty cluster. */
bool cluster_cut_ranges(struct cluster *c, struct err *err) must_check;

/* Starts the servers of ours that are in the catalog, and waits until those of shards
 * answer. Others than processes of ours may be away: then they are named in the log. */
bool cluster_start_local(struct cluster *c, struct err *err) must_check;

/* It is a primary, and commits there waited for a replica. When it hangs nobody waits for it:
 * whoever replaces it starts behind the servers. */
bool cluster_may_be_replaced(struct cluster *c, int64_t server);

/* Schema, accounts, databases and reference tables of this shard: what is
 * missing is made. */
bool cluster_ensure_shard(struct cluster *c, const json_t *shard,
                          struct sql_error *error) must_check;

/* Restarts servers that died. */
void cluster_tick(struct cluster *c);

/* Stops the servers and waits for them. */
void cluster_stop_local(struct cluster *c);

/* Brings engines up to date and publishes; logs when it fails or when a worker does not follow. */
bool cluster_publish(struct cluster *c, struct err *err);

/* Raises the routes' generation (or that of users) as part of a change. */
void cluster_bump(struct cluster *c, struct catalog_change *change, const char *counter);

/* A new number of "next_shard", "next_replica", "next_engine", "next_sequence" or "next_job". */
int64_t cluster_number(struct cluster *c, const char *key);

/* A shard's object by name or by id, owned by the caller; NULL when there is none, of which
 * cluster_need_shard() makes an error. */
json_t *cluster_shard(struct cluster *c, const char *name);
json_t *cluster_need_shard(struct cluster *c, const char *name, struct sql_error *error);
json_t *cluster_engine(struct cluster *c, const char *name);
json_t *cluster_shard_by_id(struct cluster *c, int64_t id);
json_t *cluster_replica(struct cluster *c, const char *name);
json_t *cluster_replica_by_id(struct cluster *c, int64_t id);

/* The replicas of a shard, to be owned. */
json_t *cluster_replicas(struct cluster *c, int64_t shard);

#endif
