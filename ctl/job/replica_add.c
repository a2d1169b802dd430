/* replica_add.c - a replica comes: made by a provisioner, or a server that replicates already; or
 * one is made in the place of another that is of no use any more. See replica.h. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "ctl/catalog/model.h"
#include "ctl/catalog/user.h"
#include "ctl/job/replica_step.h"
#include "ctl/provision/failpoint.h"
#include "ctl/provision/replication.h"

enum { READY_MS = 60000, CATCH_UP_S = 600, ARRIVE_S = 30 };

/* What comes, from what, in whose place. */
struct coming {
    struct job                *job;
    const char                *who;
    const struct replica_wish *wish;
    json_t                    *shard;   /* owned, as all of these */
    json_t                    *replica;
    json_t                    *instead; /* the one whose place it takes; NULL: none */
    struct sql_error          *error;
};

/* --- who it is ------------------------------------------------------------------- */

static bool
is_name_free(const struct coming *k, const char *name)
{
    json_t *other = cluster_replica(k->job->cluster, name);
    bool    is    = !other || (k->instead && model_number(other, "id") ==
                                                 model_number(k->instead, "id"));

    json_decref(other);
    return is || sql_error_set(k->error, SQL_UNKNOWN_ERROR, "shardd: there is a replica named %s "
                               "already; choose another name", name);
}

static bool
has_room(const struct coming *k)
{
    json_t *all = cluster_replicas(k->job->cluster, model_number(k->shard, "id"));
    size_t  n   = json_array_size(all);

    json_decref(all);
    return n < ROUTES_SHARD_REPLICAS_MAX || k->instead ||
           sql_error_set(k->error, SQL_NOT_SUPPORTED, "shardd: a shard has %d replicas at most",
                         ROUTES_SHARD_REPLICAS_MAX);
}

/* Its object, with names and without a server. */
static bool
name_it(struct coming *k)
{
    struct cluster *c      = k->job->cluster;
    int64_t         number = cluster_number(c, "next_replica");
    const char     *given  = k->wish->name;
    char            name[32];

    if (number == 0) /* a catalog of before there were any */
        number = cluster_number(c, "next_replica");
    snprintf(name, sizeof(name), "replica-%lld", (long long)number);
    k->replica = json_pack("{s:I, s:O, s:s, s:s, s:i, s:s}", "id",
                           (json_int_t)(ROUTES_REPLICA_ID + number), "shard",
                           json_object_get(k->shard, "id"), "name", given[0] ? given : name,
                           "state", "serving", "weight", 1, "zone", "");
    replica_set_wish(k->replica, k->wish);
    return has_room(k) && is_name_free(k, model_text(k->replica, "name"));
}

/* --- steps ------------------------------------------------------------------------ */

/* The account is made on the primary first: the copy has it then. */
static bool
prepare_primary(struct cluster *c, const json_t *shard, struct sql_error *error)
{
    struct server s = { .mysql = NULL };
    char          secret[USER_SECRET_LEN + 1];
    struct err    err;
    bool          ok;

    if (!replica_secret(c, secret, sizeof(secret), &err))
        return job_fail(error, &err);
    ok = server_open(&s, shard, error) && replication_account(&s, secret, error);
    server_close(&s);
    return ok;
}

/* From the copy's position on; what it had of a binary log is another server's history. */
static bool
follow(struct cluster *c, const json_t *shard, const json_t *replica, const char *position,
       struct sql_error *error)
{
    struct server s = { .mysql = NULL }, primary = { .mysql = NULL };
    char          secret[USER_SECRET_LEN + 1], now[GTID_TEXT_MAX];
    struct err    err;
    bool          ok;

    if (!replica_secret(c, secret, sizeof(secret), &err))
        return job_fail(error, &err);
    ok = server_open(&s, replica, error) && server_run(&s, error, "RESET MASTER") &&
         server_run(&s, error, "SET GLOBAL gtid_binlog_state = %s", server_text(position)) &&
         replication_semi_sync(&s, false, true, error) &&
         replication_follow(&s, shard, secret, position, error) &&
         server_open(&primary, shard, error) &&
         server_value(&primary, now, sizeof(now), error, "SELECT @@gtid_binlog_pos") &&
         replica_catch_up(&s, now, CATCH_UP_S, error);
    server_close(&s);
    server_close(&primary);
    return ok;
}

static bool
seed(struct coming *k, struct provisioned *p, char position[GTID_TEXT_MAX])
{
    struct seeded done = { .position = position };
    struct err    err;

    failpoint("replica-planned");
    if (!p->by->create(p, &err))
        return job_fail(k->error, &err);
    failpoint("replica-created");
    if (!replica_seed(k->job->cluster, k->shard, k->replica, k->wish, &done, &err) ||
        !p->by->settle(p, &err))
        return job_fail(k->error, &err);
    job_note(k->job, "copied %.1f MB, %.1f MB on the way, as of %.100s", (double)done.bytes / 1e6,
             (double)done.on_link / 1e6, position);
    failpoint("replica-copied");
    return job_write(k->job, k->error);
}

static bool
bring_up(struct coming *k, struct provisioned *p, const char *position)
{
    struct err err;

    if (!p->by->start(p, &err) || !p->by->wait_ready(p, READY_MS, &err))
        return job_fail(k->error, &err);
    job_note(k->job, "started");
    failpoint("replica-started");
    if (!job_write(k->job, k->error) ||
        !follow(k->job->cluster, k->shard, k->replica, position, k->error))
        return false;
    job_note(k->job, "caught up");
    failpoint("replica-caught-up");
    return true;
}

static bool
make(struct coming *k)
{
    struct provisioned p = provision_of(k->job->cluster, k->replica);
    char               position[GTID_TEXT_MAX];
    struct err         err;
    bool               started = false, ok = seed(k, &p, position);

    if (ok) {
        started = true;
        ok      = bring_up(k, &p, position);
    }
    if (ok)
        p.by->keep(&p);
    else if (started && !p.by->destroy(&p, false, &err))
        log_warn("%s", err.text);
    return ok;
}

static bool
can_be_copied(struct coming *k)
{
    struct provisioned p = provision_of(k->job->cluster, k->shard);

    return (provision_is_ours(&p) && p.by->folder) ||
           sql_error_set(k->error, SQL_NOT_SUPPORTED, "shardd: the server of shard %s is not one "
                         "that shardctl has made, so its files cannot be copied from here; "
                         "make a replica of it yourself, and name it with --provisioner static "
                         "--address HOST:PORT", model_text(k->shard, "name"));
}

/* By the shard's own provisioner when none is said. */
static bool
plan(struct coming *k)
{
    const struct replica_wish  *w    = k->wish;
    const struct provision_wish wish = {
        w->provisioner[0] ? w->provisioner : model_text(k->shard, "provisioner"),
        w->cpus ? w->cpus : "", w->memory ? w->memory : "" };
    struct err err;
    json_t    *undo;

    if (!can_be_copied(k))
        return false;
    if (!provision_plan(k->job->cluster, &wish, k->replica, &err))
        return job_fail(k->error, &err);
    undo = json_pack("{s:O, s:o}", "id", json_object_get(k->replica, "id"), "made",
                     provision_trace(k->replica));
    if (k->instead)
        json_object_set_new(undo, "instead", provision_trace(k->instead));
    json_object_set_new(k->job->record, "undo", undo);
    return prepare_primary(k->job->cluster, k->shard, k->error) && job_write(k->job, k->error);
}

/* --- the catalog ---------------------------------------------------------------------- */

/* The lock was given back for the copying: is the shard still what was copied? */
static bool
is_as_before(const json_t *now, const json_t *before, struct sql_error *error)
{
    return (now && model_server_id(now) == model_server_id(before)) ||
           sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: shard %s has another server now; "
                         "try it again", model_text(before, "name"));
}

/* Where commits wait for a replica they have to before this one counts as one that has them. */
static bool
begin_to_wait(const json_t *shard, const json_t *replica, struct sql_error *error)
{
    struct server s = { .mysql = NULL };
    char          now[GTID_TEXT_MAX];
    bool          ok;

    if (!model_flag(shard, "semi_sync"))
        return true;
    ok = server_open(&s, shard, error) && replication_semi_sync(&s, true, true, error) &&
         server_value(&s, now, sizeof(now), error, "SELECT @@gtid_binlog_pos");
    server_close(&s);
    ok = ok && server_open(&s, replica, error) && replica_catch_up(&s, now, ARRIVE_S, error);
    server_close(&s);
    return ok;
}

/* It is there, and the one whose place it takes is not: one change. */
static bool
put(struct coming *k)
{
    struct cluster        *c      = k->job->cluster;
    struct catalog_change *change = catalog_begin(c->catalog, k->who);
    struct err             err;
    char                   id[24];

    if (k->instead) {
        snprintf(id, sizeof(id), "%lld", (long long)model_number(k->instead, "id"));
        catalog_remove(change, CATALOG_REPLICA, id, CATALOG_ANY);
    }
    snprintf(id, sizeof(id), "%lld", (long long)model_number(k->replica, "id"));
    catalog_put(change, CATALOG_REPLICA, id, k->replica, CATALOG_NEW);
    cluster_bump(c, change, "generation");
    if (!job_commit(change, k->error))
        return false;
    failpoint("replica-recorded");
    return cluster_publish(c, &err) || job_fail(k->error, &err);
}

/* While nobody changes roles. */
static bool
record(struct coming *k)
{
    struct cluster *c     = k->job->cluster;
    json_t         *shard = cluster_shard_by_id(c, model_number(k->shard, "id"));
    bool            ok;

    pthread_mutex_lock(&c->roles_lock);
    ok = is_as_before(shard, k->shard, k->error) && begin_to_wait(shard, k->replica, k->error) &&
         put(k);
    pthread_mutex_unlock(&c->roles_lock);
    json_decref(shard);
    return ok;
}

/* --- the job ------------------------------------------------------------------------- */

static void
remove_left(struct coming *k, const json_t *server)
{
    struct err err;

    if (!cluster_remove_server(k->job->cluster, server, false, &err))
        log_warn("replica %s: what is left of it cannot be removed: %s",
                 model_text(server, "name"), err.text);
}

/* The change lock is given back while the files are copied. */
static bool
add_made(struct coming *k)
{
    struct cluster *c  = k->job->cluster;
    bool            ok = plan(k);

    job_release(k->job);
    if (!ok)
        return false;
    ok = make(k);
    pthread_mutex_lock(&c->change_lock);
    ok = ok && record(k);
    if (ok && k->instead) {
        publish_drained(c->publisher, PUBLISH_WAIT_MS);
        remove_left(k, k->instead); /* nobody is to see what the catalog does not have */
    }
    pthread_mutex_unlock(&c->change_lock);
    if (!ok)
        remove_left(k, k->replica);
    return ok;
}

static bool
add_static(struct coming *k)
{
    bool ok = prepare_primary(k->job->cluster, k->shard, k->error) &&
              replica_adopt(k->job->cluster, k->shard, k->replica, k->wish, k->error) && record(k);

    job_release(k->job);
    return ok;
}

static void
coming_fini(struct coming *k)
{
    json_decref(k->shard);
    json_decref(k->replica);
    json_decref(k->instead);
}

bool
replica_add(struct cluster *c, const char *who, const char *shard,
            const struct replica_wish *wish, struct sql_error *error)
{
    struct job    job;
    struct coming k  = { .job = &job, .who = who, .wish = wish, .error = error };
    bool          ok = false;

    if (!replica_check_wish(wish, error) ||
        !job_begin(&job, c, "replica", who, REPLICA_ADD, "", "", error))
        return false;
    k.shard = cluster_need_shard(c, shard, error);
    if (!k.shard || !name_it(&k))
        job_release(&job);
    else
        ok = strcmp(wish->provisioner, "static") == 0 ? add_static(&k) : add_made(&k);
    coming_fini(&k);
    job_close(&job, ok ? JOB_DONE : JOB_FAILED, error);
    return ok;
}

/* --- in the place of another ------------------------------------------------------------ */

/* "server-3", "replica-12": the number is that of a server, and the new one has another. */
static bool
is_own_name(const char *name)
{
    size_t len = strncmp(name, "server-", 7) == 0 ? 7 : strncmp(name, "replica-", 8) == 0 ? 8 : 0;

    return len > 0 && name[len] && strspn(name + len, "0123456789") == strlen(name + len);
}

static bool
can_be_made_again(struct coming *k, const char *name)
{
    struct provisioned p = provision_of(k->job->cluster, k->instead);

    if (!k->instead)
        return sql_error_set(k->error, SQL_UNKNOWN_ERROR, "shardd: there is no replica %s; see "
                             "'shardctl replica list'", name);
    return provision_is_ours(&p) ||
           sql_error_set(k->error, SQL_NOT_SUPPORTED, "shardd: replica %s is not one that shardctl "
                         "has made: seed it anew yourself, then 'shardctl replica remove' and add "
                         "it again with --provisioner static", name);
}

static bool
again(struct coming *k, const char *name, struct replica_wish *wish)
{
    k->instead = cluster_replica(k->job->cluster, name);
    if (!can_be_made_again(k, name))
        return false;
    wish->name        = is_own_name(name) ? "" : model_text(k->instead, "name");
    wish->provisioner = model_text(k->instead, "provisioner");
    wish->weight      = (int)model_number(k->instead, "weight");
    wish->zone        = model_text(k->instead, "zone");
    k->shard = cluster_shard_by_id(k->job->cluster, model_number(k->instead, "shard"));
    return k->shard && name_it(k);
}

bool
replica_reseed(struct cluster *c, const char *who, const char *name, struct sql_error *error)
{
    struct job          job;
    struct replica_wish wish = { .name = "" };
    struct coming       k    = { .job = &job, .who = who, .wish = &wish, .error = error };
    bool                ok   = false;

    if (!job_begin(&job, c, "replica", who, REPLICA_RESEED, "", "", error))
        return false;
    if (!again(&k, name, &wish))
        job_release(&job);
    else
        ok = add_made(&k);
    if (ok)
        job_note(&job, "%s in the place of %s", model_text(k.replica, "name"), name);
    coming_fini(&k);
    job_close(&job, ok ? JOB_DONE : JOB_FAILED, error);
    return ok;
}
