/* api_replicas.c - replicas that come, change and go. */
#include "ctl/api/request.h"
#include "ctl/catalog/model.h"
#include "ctl/failover/failover.h"
#include "ctl/failover/failover_log.h"
#include "ctl/job/replica.h"

static const char *
or_empty(const char *text)
{
    return text ? text : "";
}

static json_t *
show(struct cluster *c, const json_t *replica)
{
    json_t *out   = json_copy((json_t *)(uintptr_t)replica);
    json_t *shard = cluster_shard_by_id(c, model_number(replica, "shard"));

    json_object_del(out, "secret");
    model_set(out, "replica", model_text(replica, "name"));
    model_set(out, "shard", model_text(shard, "name"));
    json_object_set_new(out, "pid", json_integer(cluster_local_pid(c, model_server_id(replica))));
    replica_look(replica, out);
    api_show_health(c, model_replica_route_id(replica), out);
    json_decref(shard);
    return out;
}

json_t *
api_replicas_of(struct cluster *c, int64_t shard)
{
    json_t *all = cluster_replicas(c, shard), *list = json_array(), *one;
    size_t  i;

    json_array_foreach(all, i, one)
        json_array_append_new(list, show(c, one));
    json_decref(all);
    return list;
}

unsigned
api_replica_list(struct request *r)
{
    json_t     *shards = catalog_all(r->cluster->catalog, CATALOG_SHARD), *shard, *part;
    json_t     *list   = json_array();
    const char *id;

    json_object_foreach(shards, id, shard) {
        part = api_replicas_of(r->cluster, model_number(shard, "id"));
        json_array_extend(list, part);
        json_decref(part);
    }
    json_decref(shards);
    r->answer = json_pack("{s:o}", "replicas", list);
    return 200;
}

unsigned
api_replica_show(struct request *r)
{
    json_t *replica = cluster_replica(r->cluster, r->part[1]);

    if (!replica)
        return request_no_such(r, "replica", r->part[1]);
    r->answer = show(r->cluster, replica);
    json_decref(replica);
    return 200;
}

static struct replica_wish
wish_of(const struct request *r)
{
    const char *ca = request_text(r, "tls_ca");

    return (struct replica_wish){
        .name        = or_empty(request_text(r, "name")),
        .provisioner = or_empty(request_text(r, "provisioner")),
        .address     = or_empty(request_text(r, "address")),
        .user        = request_text(r, "user") ? request_text(r, "user") : "root",
        .password    = or_empty(request_text(r, "password")),
        .tls_ca      = ca ? ca : model_flag(r->body, "tls") ? "" : NULL,
        .weight      = (int)model_number(r->body, "weight"),
        .zone        = request_text(r, "zone"),
        .agent       = request_text(r, "agent"),
        .cpus        = request_text(r, "cpus"),
        .memory      = request_text(r, "memory"),
        .plain       = json_is_false(json_object_get(r->body, "compress")),
        .max_rate    = model_number(r->body, "max_rate"),
    };
}

unsigned
api_replica_add(struct request *r)
{
    struct replica_wish wish   = wish_of(r);
    bool                exists = strcmp(wish.provisioner, "static") == 0;
    struct sql_error    error;

    if (exists != (wish.address[0] != 0))
        return request_refuse(r, 400, "\"address\" says which server it is, and goes with "
                              "\"provisioner\": \"static\"");
    return request_done(r, replica_add(r->cluster, r->who, request_text(r, "shard"), &wish,
                                       &error), &error);
}

unsigned
api_replica_set(struct request *r)
{
    struct replica_wish wish = wish_of(r);
    struct sql_error    error;

    return request_done(r, replica_set(r->cluster, r->who, r->part[1], &wish,
                                       request_text(r, "state"), &error), &error);
}

unsigned
api_replica_remove(struct request *r)
{
    struct sql_error error;

    return request_done(r, replica_remove(r->cluster, r->who, r->part[1], &error), &error);
}

unsigned
api_replica_reseed(struct request *r)
{
    struct sql_error error;

    return request_done(r, replica_reseed(r->cluster, r->who, r->part[1], &error), &error);
}

unsigned
api_failover_list(struct request *r)
{
    r->answer = json_pack("{s:o}", "failovers", failover_log_list(r->cluster));
    return 200;
}

/* A server that does not answer cannot be asked to end what it does. */
unsigned
api_failover(struct request *r)
{
    struct failover_wish wish = { .to = or_empty(request_text(r, "to")),
                                  .dry_run = model_flag(r->body, "dry_run"),
                                  .cut = model_flag(r->body, "cut_transactions"),
                                  .force = model_flag(r->body, "force") };
    json_t              *shard = cluster_shard(r->cluster, r->part[1]);
    struct sql_error     error;

    if (!shard)
        return request_no_such(r, "shard", r->part[1]);
    bool there = failover_answers(shard) || failover_answers(shard);

    json_decref(shard);
    if (!there && wish.dry_run)
        return request_refuse(r, 503, "the server of shard %s does not answer", r->part[1]);
    r->answer = there ? failover_switch(r->cluster, r->who, r->part[1], &wish, &error)
                      : failover_lost(r->cluster, r->who, r->part[1], &wish,
                                      "somebody has asked for it, and it did not answer", &error);
    return request_done(r, r->answer != NULL, &error);
}
