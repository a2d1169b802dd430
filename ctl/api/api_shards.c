/* api_shards.c - shards that come, change and go. */
#include "ctl/api/request.h"
#include "ctl/catalog/model.h"
#include "ctl/failover/failover.h"
#include "ctl/failover/restart.h"
#include "ctl/job/release.h"
#include "ctl/job/shard.h"

static const char *
or_empty(const char *text)
{
    return text ? text : "";
}

static unsigned
adopt(struct request *r, const char *address)
{
    const char      *user = request_text(r, "user"), *ca = request_text(r, "tls_ca");
    struct adopted   done;
    struct sql_error error;

    if (!shard_adopt(r->cluster, r->who, or_empty(request_text(r, "name")), address,
                     user ? user : "root", or_empty(request_text(r, "password")),
                     ca ? ca : model_flag(r->body, "tls") ? "" : NULL, &done, &error)) {
        json_decref(done.notes);
        return request_done(r, false, &error);
    }
    r->answer = json_pack("{s:i, s:i, s:i, s:o}", "databases", (int)done.databases, "tables",
                          (int)done.tables, "users", (int)done.users, "notes", done.notes);
    return 200;
}

static unsigned
join(struct request *r, const char *address)
{
    const char      *user = request_text(r, "user"), *ca = request_text(r, "tls_ca");
    struct sql_error error;

    return request_done(r, shard_join(r->cluster, r->who, or_empty(request_text(r, "name")),
                                      address, user ? user : "root",
                                      or_empty(request_text(r, "password")),
                                      ca ? ca : model_flag(r->body, "tls") ? "" : NULL, NULL,
                                      &error), &error);
}

unsigned
api_shard_add(struct request *r)
{
    const struct provision_wish wish = { or_empty(request_text(r, "provisioner")),
                                         or_empty(request_text(r, "cpus")),
                                         or_empty(request_text(r, "memory")) };
    const char      *address = request_text(r, "adopt"), *empty = request_text(r, "static");
    struct sql_error error;

    if (address)
        return adopt(r, address);
    if (empty)
        return join(r, empty);
    return request_done(r, shard_add_as(r->cluster, r->who, or_empty(request_text(r, "name")),
                                        &wish, &error), &error);
}

unsigned
api_shard_set(struct request *r)
{
    const char      *agent = request_text(r, "agent"), *failover = request_text(r, "failover");
    const char      *reseed = request_text(r, "reseed");
    const json_t    *semi_sync = json_object_get(r->body, "semi_sync");
    struct sql_error error;

    if (semi_sync && !roles_set_semi_sync(r->cluster, r->who, r->part[1],
                                          json_is_true(semi_sync), &error))
        return request_done(r, false, &error);
    if (failover && !roles_set(r->cluster, r->who, r->part[1], "failover", failover, &error))
        return request_done(r, false, &error);
    if (reseed && !roles_set(r->cluster, r->who, r->part[1], "reseed", reseed, &error))
        return request_done(r, false, &error);
    if (agent && !shard_set_agent(r->cluster, r->who, r->part[1], agent, &error))
        return request_done(r, false, &error);
    if ((agent || semi_sync || failover || reseed) && !request_text(r, "name") &&
        !request_text(r, "state"))
        return 200;
    return request_done(r, shard_set(r->cluster, r->who, r->part[1], request_text(r, "name"),
                                     request_text(r, "state"), &error), &error);
}

unsigned
api_shard_restart(struct request *r)
{
    struct sql_error error;

    r->answer = restart_shard(r->cluster, r->who, r->part[1], model_flag(r->body, "dry_run"),
                              &error);
    return request_done(r, r->answer != NULL, &error);
}

unsigned
api_shard_remove(struct request *r)
{
    struct sql_error error;

    if (strcmp(model_text(r->query, "dry_run"), "true") != 0)
        return request_done(r, shard_remove(r->cluster, r->who, r->part[1], &error), &error);
    r->answer = shard_remove_plan(r->cluster, r->part[1], &error);
    return request_done(r, r->answer != NULL, &error);
}

unsigned
api_shard_release(struct request *r)
{
    struct sql_error error;

    r->answer = model_flag(r->body, "forget")
                    ? release_forget(r->cluster, r->who, r->part[1], &error)
                    : release_shard(r->cluster, r->who, r->part[1], &error);
    return request_done(r, r->answer != NULL, &error);
}
