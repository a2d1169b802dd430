/* model_routes.c - the whole catalog as a struct routes. */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/catalog/model_routine.h"
#include "ctl/catalog/user.h"

struct place {
    int64_t  id;
    uint32_t index;
};

struct builder {
    json_t        *move; /* meta/move, NULL when nothing moves */
    json_t        *fenced; /* owned: "LIST/WHAT" of all that it says is fenced; NULL: nothing */
    struct place  *places; /* of the shards, in the order of their ids */
    struct arena  *arena;
    struct routes *routes;
    size_t         bodies; /* see model_routine_list() */
    struct err    *err;
};

static struct span
keep(struct builder *b, const json_t *object, const char *key)
{
    return arena_copy(b->arena, span_of(model_text(object, key)));
}

static int
by_id(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

/* Many ranges ask, of many shards. */
static void
note_places(struct builder *b)
{
    uint32_t n = b->routes->n_shards;

    b->places = arena_alloc(b->arena, (n + 1) * sizeof(*b->places));
    for (uint32_t i = 0; i < n; i++)
        b->places[i] = (struct place){ b->routes->shards[i].id, i };
    qsort(b->places, n, sizeof(*b->places), by_id);
}

static bool
shard_index(struct builder *b, int64_t id, uint32_t *index)
{
    struct place  wanted = { id, 0 };
    struct place *found  = bsearch(&wanted, b->places, b->routes->n_shards, sizeof(wanted), by_id);

    if (!found)
        return err_set(b->err, "the catalog names shard %lld, which does not exist",
                       (long long)id);
    *index = found->index;
    return true;
}

/* A server on this machine, of a user who may open its socket: that is half the way of its port. */
static bool
by_socket(const json_t *server)
{
    const char *by = model_text(server, "provisioner");

    return (strcmp(by, "local") == 0 || strcmp(by, "systemd") == 0 ||
            model_number(server, "port") == 0) &&
           model_text(server, "socket")[0] == '/';
}

/* "ranges/0123...", "shards/7", "tables/app.t" */
static void
fence_name(const char *list, const json_t *what, char out[1200])
{
    if (json_is_integer(what))
        snprintf(out, 1200, "%s/%lld", list, (long long)json_integer_value(what));
    else
        snprintf(out, 1200, "%s/%s", list, json_is_string(what) ? json_string_value(what) : "");
}

/* meta/move has lists. */
static void
note_fence(struct builder *b)
{
    const char *list;
    json_t     *all, *one;
    size_t      i;
    char        name[1200];

    json_object_foreach(json_object_get(b->move, "fenced"), list, all)
        json_array_foreach(all, i, one) {
            if (!b->fenced)
                b->fenced = json_object();
            fence_name(list, one, name);
            json_object_set_new_nocheck(b->fenced, name, json_true());
        }
}

static bool
is_fenced(const struct builder *b, const char *list, const json_t *what)
{
    char name[1200];

    if (!b->fenced)
        return false;
    fence_name(list, what, name);
    return json_object_get(b->fenced, name) != NULL;
}

/* Of meta/move: {"shards": [id, ...], "most": N}. */
static bool
is_eased(const struct builder *b, int64_t id)
{
    const json_t *one;
    size_t        i;

    json_array_foreach(json_object_get(json_object_get(b->move, "eases"), "shards"), i, one)
        if (json_integer_value(one) == id)
            return true;
    return false;
}

/* A move that does not say where it hides rows may do so anywhere. */
static bool
may_hide(const struct builder *b, int64_t id)
{
    const json_t *hiding = json_object_get(b->move, "hiding"), *one;
    size_t        i;

    if (!hiding)
        return json_object_get(b->move, "hide") != NULL;
    json_array_foreach(hiding, i, one)
        if (json_integer_value(one) == id)
            return true;
    return false;
}

/* All shards or all engines. */
static const struct route_shard *
build_servers(struct builder *b, json_t *all, uint32_t *n)
{
    size_t              room    = json_object_size(all) + 1;
    struct route_shard *servers = arena_alloc(b->arena, room * sizeof(*servers));
    const char         *name;
    json_t             *object;

    *n = 0;
    json_object_foreach(all, name, object)
        servers[(*n)++] = (struct route_shard){
            .id    = (uint32_t)model_number(object, "id"),
            .name  = keep(b, object, "name"),
            .host  = keep(b, object, by_socket(object) ? "socket" : "host"),
            .port  = by_socket(object) ? 0 : (uint16_t)model_number(object, "port"),
            .state = strcmp(model_text(object, "state"), "draining") == 0 ? SHARD_DRAINING
                                                                          : SHARD_UP,
            .fenced = is_fenced(b, "shards", json_object_get(object, "id")),
            .eased  = is_eased(b, model_number(object, "id")),
            .hides  = may_hide(b, model_number(object, "id")),
            .server = (uint32_t)model_server_id(object),
            .epoch  = (uint64_t)model_number(object, "epoch"),
            .lost   = model_flag(object, "lost"),
        };
    return servers;
}

static const char *const replica_states[] = {
    [REPLICA_SERVING] = "serving", [REPLICA_DRAINING] = "draining",
    [REPLICA_DISABLED] = "disabled",
};

/* Nothing is sent to one that is not known to be as its primary. */
static enum replica_state
replica_state(const json_t *replica)
{
    const char *state = model_text(replica, "state");

    for (size_t i = 0; i < countof(replica_states) && !model_text(replica, "suspect")[0]; i++)
        if (strcmp(replica_states[i], state) == 0)
            return (enum replica_state)i;
    return REPLICA_DISABLED;
}

static uint8_t
replica_weight(const json_t *replica)
{
    int64_t weight = model_number(replica, "weight");

    return (uint8_t)(weight < 1 ? 1 : weight > ROUTES_WEIGHT_MAX ? ROUTES_WEIGHT_MAX : weight);
}

uint32_t
model_replica_route_id(const json_t *replica)
{
    enum { FIRST_SERVERS = 0x20000000 };
    uint32_t id = (uint32_t)model_number(replica, "id");

    return id < ROUTES_REPLICA_ID ? ROUTES_REPLICA_ID + FIRST_SERVERS + id : id;
}

/* Those of one shard after those of another, in the shards' order. */
static void
build_replicas(struct builder *b, json_t *all)
{
    struct routes        *r    = b->routes;
    size_t                room = json_object_size(all) + 1;
    struct route_replica *list = arena_alloc(b->arena, room * sizeof(*list));
    const char           *name;
    json_t               *object;

    for (uint32_t i = 0; i < r->n_shards; i++)
        json_object_foreach(all, name, object)
            if (model_number(object, "shard") == r->shards[i].id)
                list[r->n_replicas++] = (struct route_replica){
                    .id     = model_replica_route_id(object),
                    .shard  = i,
                    .name   = keep(b, object, "name"),
                    .host   = keep(b, object, by_socket(object) ? "socket" : "host"),
                    .port   = by_socket(object) ? 0 : (uint16_t)model_number(object, "port"),
                    .weight = replica_weight(object),
                    .state  = replica_state(object),
                    .zone   = keep(b, object, "zone"),
                };
    r->replicas = list;
}

static bool
build_ranges(struct builder *b, json_t *map)
{
    json_t             *list   = json_object_get(map, "ranges");
    size_t              n      = json_array_size(list);
    struct route_range *ranges = arena_alloc(b->arena, (n + 1) * sizeof(*ranges));
    json_t             *pair;
    size_t              i;

    json_array_foreach(list, i, pair) {
        const char *start = json_string_value(json_array_get(pair, 0));

        ranges[i].start  = strtoull(start ? start : "", NULL, 16);
        ranges[i].fenced = is_fenced(b, "ranges", json_array_get(pair, 0));
        if (!shard_index(b, json_integer_value(json_array_get(pair, 1)), &ranges[i].shard))
            return false;
    }
    b->routes->n_ranges = (uint32_t)n;
    b->routes->ranges   = ranges;
    return true;
}

static int
by_database(const void *a, const void *b)
{
    const struct route_database *x = a, *y = b;
    size_t                       n = x->name.len < y->name.len ? x->name.len : y->name.len;
    int                          order = memcmp(x->name.ptr, y->name.ptr, n);

    return order ? order : (x->name.len > y->name.len) - (x->name.len < y->name.len);
}

/* Of a word that a later shardd wrote we know nothing: it is not set. */
static uint8_t
consistency_of(const json_t *object)
{
    enum consistency c = model_consistency(model_text(object, "consistency"));

    return (uint8_t)(c < CONSISTENCIES ? c : CONSISTENCY_UNSET);
}

static struct span
build_routines(struct builder *b, json_t *all)
{
    struct buf  list = { 0 };
    struct span kept;

    model_routine_list(all, &b->bodies, &list);
    kept = arena_copy(b->arena, buf_unread(&list));
    buf_fini(&list);
    return kept;
}

static bool
build_databases(struct builder *b, json_t *all, const json_t *routines)
{
    size_t                 n         = json_object_size(all);
    struct route_database *databases = arena_alloc(b->arena, (n + 1) * sizeof(*databases));
    const char            *name;
    json_t                *object;
    uint32_t               i = 0;

    json_object_foreach(all, name, object) {
        json_t *code = json_object_get(routines, name);

        databases[i].name      = arena_copy(b->arena, span_of(name));
        databases[i].collation = (uint16_t)model_number(object, "collation_id");
        databases[i].has_code  = model_flag(object, "code");
        databases[i].consistency = consistency_of(object);
        databases[i].functions   = build_routines(b, json_object_get(code, "functions"));
        databases[i].procedures  = build_routines(b, json_object_get(code, "procedures"));
        if (!shard_index(b, model_number(object, "home"), &databases[i].home))
            return false;
        i++;
    }
    if (i > 0)
        qsort(databases, i, sizeof(*databases), by_database);
    b->routes->n_databases = i;
    b->routes->databases   = databases;
    return true;
}

static uint32_t
find_database(const struct routes *r, const char *name)
{
    for (uint32_t i = 0; i < r->n_databases; i++)
        if (span_equal(r->databases[i].name, span_of(name)))
            return i;
    return ROUTES_NONE;
}

static void
build_columns(struct builder *b, const json_t *object, struct route_table *table)
{
    json_t              *list    = json_object_get(object, "columns");
    size_t               n       = json_array_size(list);
    struct route_column *columns = arena_alloc(b->arena, (n + 1) * sizeof(*columns));
    const char          *key     = model_text(object, "key");
    bool                 has_key = table->kind == TABLE_SHARDED ||
                    (table->kind == TABLE_VIEW && table->view_kind == TABLE_SHARDED && key);
    json_t              *column;
    size_t               i;

    json_array_foreach(list, i, column) {
        model_column(column, &columns[i]);
        columns[i].name = arena_copy(b->arena, columns[i].name);
        if (columns[i].auto_increment)
            table->auto_increment = (uint32_t)i;
        if (has_key && span_equal_nocase(columns[i].name, span_of(key)))
            table->key = (uint32_t)i;
    }
    table->n_columns = (uint32_t)n;
    table->columns   = columns;
}

/* Those whose columns are gone are none. */
static void
build_lookups(struct builder *b, const json_t *object, struct route_table *table)
{
    json_t              *list = json_object_get(object, "lookups"), *one;
    struct route_lookup *all;
    size_t               i;

    if (json_array_size(list) == 0 || table->kind != TABLE_SHARDED)
        return;
    all = arena_alloc(b->arena, ROUTES_LOOKUPS_MAX * sizeof(*all));
    json_array_foreach(list, i, one) {
        uint32_t column = routes_column(table, span_of(model_text(one, "column")));

        if (column != ROUTES_NONE && table->n_lookups < ROUTES_LOOKUPS_MAX)
            all[table->n_lookups++] = (struct route_lookup){
                .column = column, .filling = model_flag(one, "filling"),
                .table = keep(b, one, "table") };
    }
    table->lookups = all;
}

/* What a move says about the table of this catalog name. */
static void
build_move(struct builder *b, const char *name, struct route_table *table)
{
    json_t *text = json_string(name);

    table->fenced = is_fenced(b, "tables", text);
    if (table->kind == TABLE_SHARDED)
        table->hide = keep(b, json_object_get(b->move, "hide"), name);
    json_decref(text);
}

static bool
build_table(struct builder *b, const char *name, const json_t *object, struct route_table *table)
{
    const char *database = model_text(object, "database");

    *table = (struct route_table){
        .name           = keep(b, object, "name"),
        .database       = find_database(b->routes, database),
        .kind           = model_kind(model_text(object, "kind"), TABLE_GLOBAL),
        .key            = ROUTES_NONE,
        .auto_increment = ROUTES_NONE,
        .sequence       = (uint64_t)model_number(object, "sequence"),
        .view_kind      = model_kind(model_text(object, "view_kind"), TABLE_GLOBAL),
        .view_text      = keep(b, object, "view_text"),
        .view_collation = (uint16_t)model_number(object, "view_collation"),
        .view_expands   = model_flag(object, "expands"),
        .view_unchecked = model_flag(object, "view_unchecked"),
        .view_materialized = model_flag(object, "view_materialized"),
    };
    if (b->move)
        build_move(b, name, table);
    if (table->database == ROUTES_NONE)
        return err_set(b->err, "table %s is in database %s, which the catalog does not have",
                       model_text(object, "name"), database);
    build_columns(b, object, table);
    build_lookups(b, object, table);
    table->triggers = model_triggers_routed(object, table->fenced);
    if (table->kind == TABLE_SHARDED && table->key == ROUTES_NONE)
        return err_set(b->err, "table %s.%s has no column '%s' for its key", database,
                       model_text(object, "name"), model_text(object, "key"));
    return true;
}

static bool
build_tables(struct builder *b, json_t *all)
{
    size_t              n      = json_object_size(all);
    struct route_table *tables = arena_alloc(b->arena, (n + 1) * sizeof(*tables));
    const char         *name;
    json_t             *object;
    uint32_t            i = 0;

    json_object_foreach(all, name, object) {
        if (!build_table(b, name, object, &tables[i]))
            return false;
        i++;
    }
    b->routes->n_tables = i;
    b->routes->tables   = tables;
    return true;
}

/* Hexadecimal digits as the bytes they stand for. */
static struct span
keep_hex(struct builder *b, const json_t *object, const char *key)
{
    const char *text  = model_text(object, key);
    size_t      n     = strlen(text) / 2;
    uint8_t    *bytes = arena_alloc(b->arena, n + 1);

    for (size_t i = 0; i < n; i++) {
        char digits[3] = { text[2 * i], text[2 * i + 1], '\0' };
        bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return (struct span){ bytes, n };
}

/* Of a mode that a later shardd wrote we know nothing: the setting decides. */
static uint8_t
commit_of(const json_t *user)
{
    int mode = user_commit(model_text(user, "commit"));

    return (uint8_t)(mode > 0 ? mode : 0);
}

static void
build_users(struct builder *b, json_t *all)
{
    size_t             n     = json_object_size(all);
    struct route_user *users = arena_alloc(b->arena, (n + 1) * sizeof(*users));
    const char        *name;
    json_t            *object;
    uint32_t           i = 0;

    json_object_foreach(all, name, object) {
        users[i] = (struct route_user){
            .name            = arena_copy(b->arena, span_of(name)),
            .plugin          = model_plugin(object),
            .verifier        = keep_hex(b, object, "verifier"),
            .old_verifier    = keep_hex(b, object, "old_verifier"),
            .token           = keep_hex(b, object, "token"),
            .admin           = model_flag(object, "admin"),
            .secret          = keep(b, object, "secret"),
            .commit          = commit_of(object),
            .consistency     = consistency_of(object),
            .locked          = model_flag(object, "locked"),
        };
        for (size_t k = 0; k < LIMITS_N; k++)
            users[i].limit[k] = (uint64_t)model_number(object, user_limits[k].key);
        i++;
    }
    b->routes->n_users = i;
    b->routes->users   = users;
}

static bool
build(struct builder *b, const struct model_parts *parts)
{
    struct routes *r = b->routes;

    r->generation       = (uint64_t)model_number(parts->cluster, "generation");
    r->users_generation = (uint64_t)model_number(parts->cluster, "users_generation");
    r->lower_case       = model_flag(parts->cluster, "lower_case");
    r->cut              = model_flag(b->move, "cut");
    r->eases = (uint32_t)model_number(json_object_get(b->move, "eases"), "most");
    r->service_user     = keep(b, parts->cluster, "service_user");
    r->service_secret   = keep(b, parts->cluster, "service_secret");
    r->shards           = build_servers(b, parts->shards, &r->n_shards);
    r->engines          = build_servers(b, parts->engines, &r->n_engines);
    build_replicas(b, parts->replicas);
    note_places(b);
    json_t *routines = model_routines(parts->databases, parts->tables);
    bool    ok       = build_ranges(b, parts->map) &&
              build_databases(b, parts->databases, routines) && build_tables(b, parts->tables);
    json_decref(routines);
    if (!ok)
        return false;
    build_users(b, parts->users);
    return true;
}

bool
model_routes_of(const struct model_parts *parts, struct arena *arena, struct routes *out,
                struct err *err)
{
    struct routes  routes = { .n_shards = 0 };
    struct builder b      = { .move = parts->move, .arena = arena, .routes = &routes,
                              .err = err };
    bool           ok;

    note_fence(&b);
    ok = build(&b, parts);
    json_decref(b.fenced);
    if (ok)
        *out = routes;
    return ok;
}

void
model_parts_read(struct catalog *c, struct model_parts *out)
{
    *out = (struct model_parts){
        .cluster   = catalog_get(c, CATALOG_META, "cluster", NULL),
        .move      = catalog_get(c, CATALOG_META, "move", NULL),
        .shards    = catalog_all(c, CATALOG_SHARD),
        .replicas  = catalog_all(c, CATALOG_REPLICA),
        .engines   = catalog_all(c, CATALOG_ENGINE),
        .map       = catalog_get(c, CATALOG_RANGES, "map", NULL),
        .databases = catalog_all(c, CATALOG_DATABASE),
        .tables    = catalog_all(c, CATALOG_TABLE),
        .users     = catalog_all(c, CATALOG_USER),
    };
}

void
model_parts_fini(struct model_parts *parts)
{
    json_decref(parts->cluster);
    json_decref(parts->move);
    json_decref(parts->shards);
    json_decref(parts->replicas);
    json_decref(parts->engines);
    json_decref(parts->map);
    json_decref(parts->databases);
    json_decref(parts->tables);
    json_decref(parts->users);
}

bool
model_routes(struct catalog *c, struct arena *arena, struct routes *out, struct err *err)
{
    struct model_parts parts;
    bool               ok;

    model_parts_read(c, &parts);
    ok = model_routes_of(&parts, arena, out, err);
    model_parts_fini(&parts);
    return ok;
}
