/* model.c - JSON objects to numbers, names and columns, and back. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/route/column_type.h"
#include "core/route/function_class.h"
#include "ctl/catalog/model.h"

const char *
model_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

int64_t
model_number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

bool
model_flag(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

void
model_set(json_t *object, const char *key, const char *text)
{
    json_object_set_new(object, key, text ? json_string_nocheck(text) : json_null());
}

static const char *const kinds[] = {
    [TABLE_GLOBAL] = "global", [TABLE_SHARDED] = "sharded",
    [TABLE_REFERENCE] = "reference", [TABLE_VIEW] = "view",
};

const char *
model_kind_name(enum table_kind kind)
{
    return kinds[kind];
}

enum table_kind
model_kind(const char *name, enum table_kind fallback)
{
    for (size_t i = 0; i < countof(kinds); i++)
        if (strcmp(kinds[i], name) == 0)
            return (enum table_kind)i;
    return fallback;
}

static const char *const triggers_names[] = {
    [TRIGGERS_NONE] = NULL, [TRIGGERS_OWN_ROW] = "own row", [TRIGGERS_CHANGING] = "changing",
};

const char *
model_triggers_name(enum route_triggers triggers)
{
    return triggers_names[triggers];
}

/* What a later shardd wrote is for nobody to write to. */
enum route_triggers
model_triggers(const json_t *table)
{
    const char *name = model_text(table, "triggers");

    if (name[0] == '\0')
        return TRIGGERS_NONE;
    return strcmp(name, triggers_names[TRIGGERS_OWN_ROW]) == 0 ? TRIGGERS_OWN_ROW
                                                               : TRIGGERS_CHANGING;
}

enum function_class
model_function_class(const json_t *function)
{
    return function_class_named(span_of(model_text(function, "class")));
}

enum auth_plugin
model_plugin(const json_t *user)
{
    enum auth_plugin plugin;

    return auth_plugin_find(span_of(model_text(user, "plugin")), &plugin) ? plugin : AUTH_NATIVE;
}

json_t *
model_column_new(const struct route_column *c)
{
    json_t *name = json_stringn_nocheck((const char *)c->name.ptr, c->name.len);

    return json_pack("{s:o, s:s, s:b, s:b, s:b, s:b, s:b, s:b, s:i, s:i, s:I, s:i}",
        "name", name, "type", column_type_name(c->type), "unsigned", c->is_unsigned,
        "nullable", c->nullable, "auto_increment", c->auto_increment,
        "generated", c->generated, "has_default", c->has_default,
        "invisible", c->invisible, "primary", (int)c->primary,
        "collation", (int)c->collation, "length", (json_int_t)c->length,
        "scale", (int)c->scale);
}

void
model_column(const json_t *object, struct route_column *out)
{
    *out = (struct route_column){
        .name           = span_of(model_text(object, "name")),
        .type           = column_type_of(span_of(model_text(object, "type"))),
        .is_unsigned    = model_flag(object, "unsigned"),
        .nullable       = model_flag(object, "nullable"),
        .auto_increment = model_flag(object, "auto_increment"),
        .generated      = model_flag(object, "generated"),
        .has_default    = model_flag(object, "has_default"),
        .invisible      = model_flag(object, "invisible"),
        .primary        = (uint8_t)model_number(object, "primary"),
        .collation      = (uint16_t)model_number(object, "collation"),
        .length         = (uint32_t)model_number(object, "length"),
        .scale          = (uint8_t)model_number(object, "scale"),
    };
}

/* What would write to a table behind a fence waits, and is not refused. */
enum route_triggers
model_triggers_routed(const json_t *table, bool fenced)
{
    enum route_triggers now = model_triggers(table);

    if (strcmp(model_text(table, "kind"), "sharded") != 0)
        return TRIGGERS_NONE;
    return fenced && now == TRIGGERS_CHANGING ? TRIGGERS_OWN_ROW : now;
}

json_t *
model_ranges_new(const int64_t *shard_ids, size_t n_shards, size_t per_shard)
{
    json_t  *ranges = json_array();
    uint64_t n      = n_shards * per_shard;

    for (uint64_t i = 0; i < n; i++) {
        uint64_t start = (uint64_t)(((__extension__ (unsigned __int128)i) << 64) / n);
        char     hex[17];

        snprintf(hex, sizeof(hex), "%016llx", (unsigned long long)start);
        json_array_append_new(ranges,
            json_pack("[s, I]", hex, (json_int_t)shard_ids[i % n_shards]));
    }
    return json_pack("{s:o}", "ranges", ranges);
}

bool
model_is_engine(const json_t *server)
{
    return model_number(server, "id") >= ROUTES_ENGINE_ID;
}

int64_t
model_server_id(const json_t *server)
{
    int64_t id = model_number(server, "server_id");

    return id > 0 ? id : model_number(server, "id");
}

bool
model_is_replica(const json_t *server)
{
    return json_object_get(server, "shard") != NULL;
}

int64_t
model_server_shard(const json_t *server)
{
    return model_number(server, model_is_replica(server) ? "shard" : "id");
}

const char *
model_server_kind(const json_t *server)
{
    return model_is_engine(server) ? "engine" : model_is_replica(server) ? "replica" : "shard";
}

int
model_server_number(const json_t *server)
{
    int64_t id = model_number(server, "id");

    if (model_is_engine(server))
        return (int)(id - ROUTES_ENGINE_ID);
    return (int)(id >= ROUTES_REPLICA_ID ? id - ROUTES_REPLICA_ID : id);
}

static const char *const consistencies[] = {
    [CONSISTENCY_UNSET] = "", [CONSISTENCY_STRONG] = "strong", [CONSISTENCY_CAUSAL] = "causal",
    [CONSISTENCY_EVENTUAL] = "eventual",
};

const char *
model_consistency_name(uint8_t consistency)
{
    return consistency < CONSISTENCIES ? consistencies[consistency] : "";
}

enum consistency
model_consistency(const char *name)
{
    for (size_t i = 0; i < countof(consistencies); i++)
        if (strcmp(consistencies[i], name) == 0)
            return (enum consistency)i;
    return CONSISTENCIES;
}

/* What of an object is about the server. */
static const char *const of_server[] = {
    "host", "port", "socket", "provisioner", "directory", "container", "unit", "found",
    "milli_cpus", "memory_bytes", "user", "secret", "account_host", "agent", "tls", "tls_ca",
};

static void
swap_members(json_t *a, const char *key_a, json_t *b, const char *key_b)
{
    json_t *x = json_incref(json_object_get(a, key_a)), *y = json_incref(json_object_get(b, key_b));

    json_object_del(a, key_a);
    json_object_del(b, key_b);
    if (y)
        json_object_set_new(a, key_a, y);
    if (x)
        json_object_set_new(b, key_b, x);
}

void
model_swap_servers(json_t *shard, json_t *replica)
{
    char name[32];

    snprintf(name, sizeof(name), "server-%d", model_server_number(shard));
    if (!model_text(shard, "server_name")[0])
        model_set(shard, "server_name", name);
    json_object_set_new(shard, "server_id", json_integer(model_server_id(shard)));
    swap_members(shard, "server_id", replica, "id");
    swap_members(shard, "server_name", replica, "name");
    for (size_t i = 0; i < countof(of_server); i++)
        swap_members(shard, of_server[i], replica, of_server[i]);
}

int64_t
model_take_number(json_t *cluster, const char *key)
{
    int64_t number = model_number(cluster, key);

    json_object_set_new(cluster, key, json_integer(number + 1));
    return number;
}

struct order {
    const char *key;
    bool        largest_first;
};

static int
by_number(const void *a, const void *b, void *context)
{
    const struct order *by = context;
    int64_t             x  = model_number(*(json_t *const *)a, by->key);
    int64_t             y  = model_number(*(json_t *const *)b, by->key);

    return by->largest_first ? (x < y) - (x > y) : (x > y) - (x < y);
}

json_t *
model_sorted(json_t *list, const char *key, bool largest_first)
{
    size_t       n   = json_array_size(list);
    json_t     **all = mem_alloc((n + 1) * sizeof(*all)), *out = json_array();
    struct order by  = { key, largest_first };

    for (size_t i = 0; i < n; i++)
        all[i] = json_array_get(list, i);
    qsort_r(all, n, sizeof(*all), by_number, &by);
    for (size_t i = 0; i < n; i++)
        json_array_append(out, all[i]);
    free(all);
    json_decref(list);
    return out;
}
