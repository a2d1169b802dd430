/* shard_remove.c - a shard goes, with its replicas.
 *
 *   it owns nothing -> recorded -> out of the catalog -> routes -> idle -> replicas -> its server
 *
 * One change takes the shard and its replicas out of the catalog: before it all is as it was,
 * behind it all goes, whoever goes on with it. Its replicas go when nothing waits for them any
 * more: a commit on the shard's server may need one (see roles_wait()).
 *
 *   undo   {"id", "made": what provision_trace() kept, "replicas": [the same of each]}
 */
#include <stdio.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "ctl/catalog/model.h"
#include "ctl/job/moving.h"
#include "ctl/job/shard.h"
#include "ctl/provision/failpoint.h"

enum { IDLE_WAIT_MS = 30000, LOOK_MS = 150, ANSWER_S = 5 };

/* --- the catalog -------------------------------------------------------------------------- */

static bool
keep_undo(struct job *job, const json_t *shard, const json_t *replicas, struct sql_error *error)
{
    json_t *traces = json_array(), *one;
    size_t  i;

    json_array_foreach((json_t *)(uintptr_t)replicas, i, one)
        json_array_append_new(traces, provision_trace(one));
    json_object_set_new(job->record, "made", provision_trace(shard)); /* for discover.c */
    json_object_set_new(job->record, "undo",
                        json_pack("{s:I, s:o, s:o}", "id", (json_int_t)model_number(shard, "id"),
                                  "made", provision_trace(shard), "replicas", traces));
    return job_write(job, error);
}

static void
take(struct catalog_change *change, enum catalog_kind kind, const json_t *object)
{
    char id[24];

    snprintf(id, sizeof(id), "%lld", (long long)model_number(object, "id"));
    catalog_remove(change, kind, id, CATALOG_ANY);
}

static bool
take_out(struct job *job, const char *who, const json_t *shard, const json_t *replicas,
         struct sql_error *error)
{
    struct cluster        *c = job->cluster;
    struct catalog_change *change;
    json_t                *one;
    size_t                 i;

    if (!shard_owns_nothing(c, shard, error) || !keep_undo(job, shard, replicas, error))
        return false;
    failpoint("shard-going");
    change = catalog_begin(c->catalog, who);
    take(change, CATALOG_SHARD, shard);
    json_array_foreach((json_t *)(uintptr_t)replicas, i, one)
        take(change, CATALOG_REPLICA, one);
    cluster_bump(c, change, "generation");
    return job_commit(change, error);
}

/* --- what is under way there ---------------------------------------------------------------- */

/* Transactions that read there before the routes without the shard came: they would lose a
 * connection. None begins any more. */
static bool
is_idle(const json_t *shard)
{
    struct server    s     = { .answer_s = ANSWER_S };
    struct sql_error error;
    char             n[24] = "0";
    bool             asked;

    if (!server_open(&s, shard, &error))
        return true;
    asked = server_value(&s, n, sizeof(n), &error, "SELECT COUNT(*) FROM "
                         "information_schema.INNODB_TRX WHERE trx_mysql_thread_id NOT IN "
                         "(0, CONNECTION_ID())");
    server_close(&s);
    return !asked || strcmp(n, "0") == 0;
}

/* Twice in a row: what a server says of its transactions may be a moment old. */
static void
wait_until_idle(struct cluster *c, const json_t *shard)
{
    uint64_t until = clock_us() + IDLE_WAIT_MS * 1000ull;
    int      idle  = 0;

    while (!publish_drained(c->publisher, LOOK_MS) && clock_us() < until)
        continue;
    while (idle < 2 && clock_us() < until) {
        idle = is_idle(shard) ? idle + 1 : 0;
        usleep(LOOK_MS * 1000);
    }
}

/* --- servers ------------------------------------------------------------------------------- */

/* All are tried; the error is that of the first that stays. */
bool
shard_remove_servers(struct cluster *c, const json_t *undo, struct sql_error *error)
{
    struct err err;
    json_t    *one;
    size_t     i;
    bool       ok = true;

    json_array_foreach(json_object_get(undo, "replicas"), i, one) {
        if (!cluster_remove_server(c, one, false, &err) && ok)
            ok = job_fail(error, &err);
        failpoint("shard-replica-gone");
    }
    if (!cluster_remove_server(c, json_object_get(undo, "made"), true, &err) && ok)
        ok = job_fail(error, &err);
    return ok;
}

/* Once it is out of the catalog its servers must go: what is left is tried again by a controller
 * that starts. */
static enum job_state
remove_shard(struct job *job, const char *who, const json_t *shard, const json_t *replicas,
             struct sql_error *error)
{
    struct cluster    *c = job->cluster;
    struct provisioned p = provision_of(c, (json_t *)(uintptr_t)shard);
    struct err         err;

    if (!take_out(job, who, shard, replicas, error))
        return JOB_FAILED;
    failpoint("shard-gone");
    if (!cluster_publish(c, &err)) {
        job_fail(error, &err);
        return JOB_STUCK;
    }
    if (provision_is_ours(&p) || json_array_size(replicas) > 0)
        wait_until_idle(c, shard);
    else /* it stays as it is */
        publish_drained(c->publisher, PUBLISH_WAIT_MS);
    if (json_array_size(replicas) > 0)
        job_note(job, "%zu replica%s of %s go too", json_array_size(replicas),
                 json_array_size(replicas) == 1 ? "" : "s", model_text(shard, "name"));
    return shard_remove_servers(c, json_object_get(job->record, "undo"), error) ? JOB_DONE
                                                                                : JOB_STUCK;
}

/* --- what would be ---------------------------------------------------------------------------- */

static void
add_server(struct cluster *c, json_t *list, const json_t *server, const char *name,
           const char *role)
{
    struct provisioned p = provision_of(c, (json_t *)(uintptr_t)server);

    json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "server", name, "role", role,
                                          "provisioner", p.by->name, "then",
                                          provision_is_ours(&p) ? "removed" : "left alone"));
}

json_t *
shard_servers(struct cluster *c, const json_t *shard)
{
    json_t     *all  = cluster_replicas(c, model_number(shard, "id")), *list = json_array(), *one;
    const char *name = model_text(shard, "server_name");
    char        own[32];
    size_t      i;

    snprintf(own, sizeof(own), "server-%d", model_server_number(shard));
    json_array_foreach(all, i, one)
        add_server(c, list, one, model_text(one, "name"), "replica");
    add_server(c, list, shard, name[0] ? name : own, "primary");
    json_decref(all);
    return list;
}

/* --- all of it ------------------------------------------------------------------------------ */

json_t *
shard_remove_plan(struct cluster *c, const char *name, struct sql_error *error)
{
    json_t *shard = cluster_need_shard(c, name, error), *plan = NULL;

    if (shard && moving_allows_shards(c, "a shard is removed", error) &&
        shard_owns_nothing(c, shard, error))
        plan = json_pack("{s:s, s:o}", "shard", name, "servers", shard_servers(c, shard));
    json_decref(shard);
    return plan;
}

bool
shard_remove(struct cluster *c, const char *who, const char *name, struct sql_error *error)
{
    struct job     job;
    json_t        *shard, *replicas = NULL;
    enum job_state end = JOB_FAILED;

    if (!job_begin(&job, c, "shard", who, SHARD_REMOVE, "", "", error))
        return false;
    shard = cluster_need_shard(c, name, error);
    if (shard && moving_allows_shards(c, "a shard is removed", error)) {
        replicas = cluster_replicas(c, model_number(shard, "id"));
        end      = remove_shard(&job, who, shard, replicas, error);
    }
    json_decref(replicas);
    json_decref(shard);
    job_end(&job, end, error);
    return end == JOB_DONE;
}
