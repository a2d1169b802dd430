/* scaler_health.c - why rows of a shard must not move now: servers that are away, replicas that do
 * not follow, disks without room. */
#include <math.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "ctl/catalog/model.h"
#include "ctl/scale/monitor.h"
#include "ctl/scale/scaler_step.h"

enum { LATE_INTERVALS = 4, NEW_MB = 200 /* a server that is empty */ };

/* Where the next servers of this provisioner would lie: in our home, else beside those that there
 * are. False: that is not known. */
static bool
disk_of_next(const struct scaler *s, const char *provisioner, const struct shard_load *last,
             double *all, double *left)
{
    struct statvfs st;

    if (strcmp(provisioner, "local") != 0) {
        *all  = last->disk_used + last->disk_free;
        *left = last->disk_free;
        return strcmp(provisioner, "static") != 0 && !isnan(*all);
    }
    if (statvfs(s->c->path.home, &st) != 0)
        return false;
    *all  = (double)st.f_blocks * (double)st.f_frsize;
    *left = (double)st.f_bavail * (double)st.f_frsize;
    return true;
}

bool
scaler_has_room(const struct shard_load *last, double all, double left, double free_disk)
{
    double copies = 1 + (last->replicas_wanted > 0 ? last->replicas_wanted : 0);
    double bytes  = isnan(last->bytes) ? 0 : last->bytes;

    return left - copies * (2 * bytes + NEW_MB * 1e6) >= all * free_disk / 100;
}

static void
check_room(const struct scaler *s, const json_t *shard, const struct shard_load *last,
           struct policy_shard *p)
{
    const char *provisioner = model_text(shard, "provisioner");
    double      all, left;

    if (disk_of_next(s, provisioner, last, &all, &left) &&
        !scaler_has_room(last, all, left, s->s.free_disk))
        snprintf(p->sick, sizeof(p->sick), "the disk of %.80s has too little room for a copy",
                 strcmp(provisioner, "local") == 0 ? s->c->path.home : p->name);
}

/* Rows are safer where they are while a server that should have them as well has not. */
static void
check_replica(const struct scaler *s, const struct replica_load *r, struct policy_shard *p)
{
    if (r->wanted && !r->follows)
        snprintf(p->sick, sizeof(p->sick), "replica %.40s does not follow %.40s; see 'shardctl "
                 "load', or 'shardctl server disable'", r->name, p->name);
    else if (r->wanted && r->lag_s > s->s.max_lag_s)
        snprintf(p->sick, sizeof(p->sick), "replica %.50s of %.50s is %.0f s behind", r->name,
                 p->name, r->lag_s);
}

/* Rows that come go to the replicas too: the disk with the least room counts. */
static void
count_disk(const struct scaler *s, const struct replica_load *r, struct policy_shard *p)
{
    struct shard_load last;

    if (r->wanted && load_latest_of(monitor_load(s->c->monitor), r->id, &last) &&
        !(last.disk_free >= p->disk_free) && !isnan(last.disk_free)) {
        p->disk_used = last.disk_used;
        p->disk_free = last.disk_free;
    }
}

static void
check_replicas(const struct scaler *s, struct policy_shard *p)
{
    struct replica_load all[ROUTES_SHARD_REPLICAS_MAX];
    size_t              n = load_replicas(monitor_load(s->c->monitor), p->id, all, countof(all));

    for (size_t i = 0; i < n && i < countof(all); i++) {
        count_disk(s, &all[i], p);
        if (s->s.max_lag_s > 0 && !p->sick[0])
            check_replica(s, &all[i], p);
    }
}

void
scaler_health(const struct scaler *s, const json_t *shard, const struct shard_load *last,
              struct policy_shard *p)
{
    int64_t interval = s->c->monitor ? monitor_interval_ms(s->c->monitor) : 0;
    int64_t age_ms   = scaler_now_s() * 1000 - last->at_ms;

    if (strcmp(model_text(shard, "state"), "up") != 0)
        snprintf(p->sick, sizeof(p->sick), "%s is %.20s", p->name, model_text(shard, "state"));
    else if (age_ms > LATE_INTERVALS * interval + 1000 || isnan(last->threads_connected))
        snprintf(p->sick, sizeof(p->sick), "%s does not answer, or was not measured lately",
                 p->name);
    else
        check_room(s, shard, last, p);
    if (s->c->monitor)
        check_replicas(s, p);
}
