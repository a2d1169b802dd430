/* fsck_server.c - servers with a name of this cluster that are no shard of it.
 *
 * One is half made, or half removed: a controller was killed over it, or could not end it. Where
 * the record of a job says that its making failed, or that it was removed, nothing in it counts.
 * About others nobody knows that: those are only told.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/catalog/model.h"
#include "ctl/job/discover.h"
#include "ctl/job/fsck_step.h"
#include "ctl/provision/provision_local.h"

/* `id`: of the shard it was made for. */
static void
stranger(struct fsck *f, int64_t id, const char *by, const char *where)
{
    bool    kept = true;
    json_t *made = discover_discarded(f->c, id, &kept);
    char    what[300];

    if (!made) {
        fsck_problem(f, "", "", "%s %s was made for shard number %lld, which is not in the "
                     "catalog, and no record says why; look what is in it, then remove it", by,
                     where, (long long)id);
        return;
    }
    fsck_problem(f, "", model_text(made, "name"), "its server (%s %s) is left over: the shard %s",
                 by, where, kept ? "was removed" : "could not be made");
    snprintf(what, sizeof(what), "remove the server of shard %lld: %s %.200s", (long long)id, by,
             where);
    json_array_append_new(f->repairs, json_pack("{s:s, s:s, s:O, s:b}", "shard",
                          model_text(made, "name"), "what", what, "made", made, "kept", kept));
    json_decref(made);
}

/* All that have a server: a replica may have become the primary, and the other way round. */
static json_t *
all_servers(struct fsck *f)
{
    json_t     *all = json_deep_copy(f->shards), *replicas = catalog_all(f->c->catalog,
                                                                         CATALOG_REPLICA), *one;
    const char *key;
    char        name[40];

    json_object_foreach(replicas, key, one) {
        snprintf(name, sizeof(name), "replica %.24s", key);
        json_object_set(all, name, one);
    }
    json_decref(replicas);
    return all;
}

static bool
is_one_of(json_t *servers, int64_t id)
{
    const char *key;
    json_t     *one;

    json_object_foreach(servers, key, one)
        if (model_server_id(one) == id)
            return true;
    return false;
}

/* Folders of our own servers. */
static void
look_local(struct fsck *f, json_t *servers)
{
    json_t *found = local_strangers(f->c->path.home, "shard", servers), *path;
    size_t  i;

    json_array_foreach(found, i, path) {
        const char *name = strrchr(json_string_value(path), '-');

        stranger(f, name ? strtoll(name + 1, NULL, 10) : 0, "directory", json_string_value(path));
    }
    json_decref(found);
}

void
fsck_servers(struct fsck *f)
{
    const struct provisioner *by;
    json_t                   *servers = all_servers(f);
    struct err                ignored;

    look_local(f, servers);
    for (size_t i = 0; (by = provision_at(i)); i++) {
        /* No daemon: then it says nothing about who is there. */
        json_t *list = by->list ? by->list(f->c, &ignored) : NULL, *entry;
        size_t  k;

        json_array_foreach(list, k, entry) {
            int64_t id = model_number(entry, "id");

            if (id >= 0 && !is_one_of(servers, id))
                stranger(f, id, by->name, model_text(entry, "name"));
        }
        json_decref(list);
    }
    json_decref(servers);
}

bool
fsck_remove_server(struct fsck *f, const json_t *repair, struct err *err)
{
    return cluster_remove_server(f->c, json_object_get(repair, "made"),
                                 model_flag(repair, "kept"), err);
}
