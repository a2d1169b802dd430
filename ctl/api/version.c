/* version.c - the catalog's versions of objects, as ETags. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/api/version.h"
#include "ctl/catalog/model.h"

enum { NAME_ROOM = 1024 };

static void
name_of_id(json_t *object, char out[NAME_ROOM])
{
    out[0] = '\0';
    if (object)
        snprintf(out, NAME_ROOM, "%" PRId64, model_number(object, "id"));
    json_decref(object);
}

/* As the catalog calls what the path names; "" when there is none. */
static void
object_name(const struct request *r, char out[NAME_ROOM])
{
    char *table;

    if (r->route->object == CATALOG_META) {
        snprintf(out, NAME_ROOM, "%s", strcmp(r->part[0], "load") == 0 ? "monitor" : r->part[0]);
    } else if (r->route->object == CATALOG_SHARD) {
        name_of_id(cluster_shard(r->cluster, r->part[1]), out);
    } else if (r->route->object == CATALOG_REPLICA) {
        name_of_id(cluster_replica(r->cluster, r->part[1]), out);
    } else if (r->route->object == CATALOG_ENGINE) {
        name_of_id(cluster_engine(r->cluster, r->part[1]), out);
    } else if (r->route->object == CATALOG_TABLE) {
        table = catalog_table_name(r->part[1], r->part[2]);
        snprintf(out, NAME_ROOM, "%s", table);
        free(table);
    } else {
        snprintf(out, NAME_ROOM, "%s", r->part[1]);
    }
}

int64_t
version_of(const struct request *r)
{
    char    name[NAME_ROOM];
    int64_t version = 0;
    json_t *object;

    if (r->route->object == NO_OBJECT)
        return 0;
    object_name(r, name);
    object = catalog_get(r->cluster->catalog, r->route->object, name, &version);
    json_decref(object);
    return object ? version : 0;
}

/* Settings that nobody has changed yet have the version 0, which the catalog knows as well. */
static bool
exists(const struct request *r, int64_t version)
{
    return version > 0 || r->route->object == CATALOG_META;
}

void
version_tell(struct request *r, int64_t version)
{
    if (exists(r, version))
        request_header(r, "ETag", "\"%" PRId64 "\"", version);
}

static unsigned
refuse(struct request *r)
{
    return request_refuse(r, 412, "it is no longer the version of If-Match: look at it again");
}

unsigned
version_check(struct request *r)
{
    char    name[NAME_ROOM], tag[32];
    int64_t version;

    if (!r->if_match || strcmp(r->method, "GET") == 0)
        return 0;
    if (r->route->object == NO_OBJECT)
        return request_refuse(r, 400, "what this changes has no versions, so If-Match cannot be "
                              "heeded");
    version = version_of(r);
    snprintf(tag, sizeof(tag), "\"%" PRId64 "\"", version);
    if (!exists(r, version) || (strcmp(r->if_match, "*") != 0 && strcmp(r->if_match, tag) != 0))
        return refuse(r);
    object_name(r, name);
    catalog_expect(r->route->object, name, version);
    return 0;
}

unsigned
version_after(struct request *r, unsigned status)
{
    bool other = catalog_expect_failed();

    return other && status != 200 ? refuse(r) : status;
}
