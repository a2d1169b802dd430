/* routes_decode.c - a blob as struct routes, trusting nothing; see routes.h.
 *
 * First the header and the sizes of the parts (routes_header.c). Then each
 * record is checked as it is turned into its struct; names point into a copy
 * of the bytes. Nothing is used as an index before it was compared with its
 * bound.
 */
#include <stdlib.h>

#include "core/base/arena.h"
#include "core/base/memory.h"
#include "core/route/function_class.h"
#include "core/route/keyhash.h"
#include "shm/routes.h"
#include "shm/routes_blob.h"

enum { NAME_MAX_BYTES = 256, SECRET_MAX = 1024, COLUMNS_MAX = 4096 };

struct decoder {
    const struct blob_header *header;
    const uint8_t            *part[BLOB_PARTS]; /* in the blob */
    const uint8_t            *bytes;            /* our copy of the last part */
    struct routes            *r;
    struct arena             *arena;
    struct err               *err;
};

static uint32_t
count(const struct decoder *d, enum blob_part part)
{
    return d->header->count[part];
}

/* Record `i`. The blob need not be aligned. */
#define RECORD(d, PART, type, i) \
    record_copy(&(type){ 0 }, (d)->part[PART] + (size_t)(i) * sizeof(type), sizeof(type))

static void *
record_copy(void *to, const uint8_t *from, size_t size)
{
    return memcpy(to, from, size);
}

/* A text that people and servers see: of bounded length, without a NUL. */
static bool
bytes_get(struct decoder *d, struct blob_ref ref, const char *what, struct span *out)
{
    if (ref.offset > count(d, BLOB_BYTES) ||
        ref.len > count(d, BLOB_BYTES) - ref.offset)
        return err_set(d->err, "routes blob: a %s lies outside of it", what);
    *out = (struct span){ d->bytes + ref.offset, ref.len };
    return true;
}

static bool
name_get(struct decoder *d, struct blob_ref ref, size_t max, const char *what,
         struct span *out)
{
    if (!bytes_get(d, ref, what, out))
        return false;
    if (out->len > max)
        return err_set(d->err, "routes: a %s of %zu bytes is too long", what,
                       out->len);
    if (memchr(out->ptr, 0, out->len) != NULL)
        return err_set(d->err, "routes: a %s holds a NUL", what);
    return true;
}

static bool
name_get_full(struct decoder *d, struct blob_ref ref, const char *what,
              struct span *out)
{
    if (!name_get(d, ref, NAME_MAX_BYTES, what, out))
        return false;
    return out->len > 0 || err_set(d->err, "routes: a %s is empty", what);
}

static bool
is_folded(const struct decoder *d, struct span name)
{
    for (size_t i = 0; d->header->lower_case && i < name.len; i++)
        if (name.ptr[i] >= 'A' && name.ptr[i] <= 'Z')
            return err_set(d->err, "routes: '%.*s' has capitals although the "
                           "servers keep names in lower case", (int)name.len,
                           name.ptr);
    return true;
}

static int
compare_names(struct span a, struct span b)
{
    size_t len   = a.len < b.len ? a.len : b.len;
    int    order = len == 0 ? 0 : memcmp(a.ptr, b.ptr, len);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static bool
name_repeats(struct decoder *d, const char *what, struct span name)
{
    return err_set(d->err, "routes: %s '%.*s' is there twice, or out of order",
                   what, (int)name.len, name.ptr);
}

/* Record `i` of shards or engines. */
static bool
server_decode(struct decoder *d, enum blob_part part, uint32_t i, struct route_shard *s)
{
    const struct blob_shard *b      = RECORD(d, part, struct blob_shard, i);
    bool                     engine = part == BLOB_ENGINES;
    const char              *what   = engine ? "engine" : "shard";

    if (!name_get_full(d, b->name, engine ? "engine name" : "shard name", &s->name) ||
        !name_get_full(d, b->host, engine ? "engine host" : "shard host", &s->host))
        return false;
    if (b->state > SHARD_DRAINING)
        return err_set(d->err, "routes: %s %.*s is in state %u", what,
                       (int)s->name.len, s->name.ptr, b->state);
    if ((b->port == 0) != (s->host.ptr[0] == '/'))
        return err_set(d->err, "routes: %s %.*s: port %u of %.*s", what,
                       (int)s->name.len, s->name.ptr, b->port,
                       (int)s->host.len, s->host.ptr);
    if (routes_is_engine(b->id) != engine || b->id == ROUTES_NONE)
        return err_set(d->err, "routes: %s %.*s has the number %u", what,
                       (int)s->name.len, s->name.ptr, b->id);
    s->id    = b->id;
    s->port  = b->port;
    s->state = (enum shard_state)b->state;
    s->fenced = (b->waits & BLOB_FENCED) != 0;
    s->eased  = (b->waits & BLOB_EASED) != 0;
    s->epoch  = b->epoch;
    s->server = b->server != 0 ? b->server : b->id;
    s->lost   = b->lost != 0;
    s->hides  = b->hides != 0;
    d->r->fenced |= s->fenced;
    return true;
}

static int
by_number(const void *a, const void *b)
{
    const struct route_shard *x = *(const struct route_shard *const *)a;
    const struct route_shard *y = *(const struct route_shard *const *)b;

    return (x->id > y->id) - (x->id < y->id);
}

static int
by_name(const void *a, const void *b)
{
    const struct route_shard *x = *(const struct route_shard *const *)a;
    const struct route_shard *y = *(const struct route_shard *const *)b;

    return compare_names(x->name, y->name);
}

/* One whose number or name another one has; NULL: there is none. */
static const struct route_shard *
twin(struct decoder *d, const struct route_shard *all, uint32_t n)
{
    static int (*const orders[])(const void *, const void *) = { by_number, by_name };
    const struct route_shard **order = arena_alloc(d->arena, (n + 1) * sizeof(*order));

    for (size_t k = 0; k < countof(orders); k++) {
        for (uint32_t i = 0; i < n; i++)
            order[i] = &all[i];
        qsort(order, n, sizeof(*order), orders[k]);
        for (uint32_t i = 1; i < n; i++)
            if (orders[k](&order[i - 1], &order[i]) == 0)
                return order[i];
    }
    return NULL;
}

static bool
servers_decode(struct decoder *d, enum blob_part part, struct route_shard **out)
{
    uint32_t            n   = count(d, part);
    struct route_shard *all = arena_alloc(d->arena, n * sizeof(*all));

    const struct route_shard *double_one;

    for (uint32_t i = 0; i < n; i++)
        if (!server_decode(d, part, i, &all[i]))
            return false;
    if ((double_one = twin(d, all, n)))
        return name_repeats(d, part == BLOB_ENGINES ? "engine" : "shard", double_one->name);
    *out = all;
    return true;
}

/* A shard's own server, or another replica. */
static bool
replica_is_twice(const struct decoder *d, const struct route_replica *all, uint32_t i)
{
    for (uint32_t k = 0; k < i; k++)
        if (all[k].id == all[i].id || span_equal(all[k].name, all[i].name))
            return true;
    for (uint32_t k = 0; k < d->r->n_shards; k++)
        if (d->r->shards[k].server == all[i].id)
            return true;
    return false;
}

static bool
replica_decode(struct decoder *d, uint32_t i, struct route_replica *p)
{
    const struct blob_replica *b = RECORD(d, BLOB_REPLICAS, struct blob_replica, i);

    if (!name_get_full(d, b->name, "replica name", &p->name) ||
        !name_get_full(d, b->host, "replica host", &p->host) ||
        !name_get(d, b->zone, ROUTES_ZONE_MAX, "replica zone", &p->zone))
        return false;
    if (b->state > REPLICA_DISABLED || b->weight < 1 || b->weight > ROUTES_WEIGHT_MAX ||
        (b->port == 0) != (p->host.ptr[0] == '/') || routes_is_engine(b->id) || b->id == 0)
        return err_set(d->err, "routes: replica %.*s: number %u, state %u, weight %u, port %u",
                       (int)p->name.len, p->name.ptr, b->id, b->state, b->weight, b->port);
    p->id     = b->id;
    p->shard  = b->shard;
    p->port   = b->port;
    p->weight = b->weight;
    p->state  = (enum replica_state)b->state;
    return true;
}

/* They lie in the order of their shards, which get their parts. */
static bool
replicas_decode(struct decoder *d, struct route_shard *shards)
{
    uint32_t              n    = count(d, BLOB_REPLICAS);
    struct route_replica *all  = arena_alloc(d->arena, n * sizeof(*all));

    for (uint32_t i = 0; i < n; i++) {
        if (!replica_decode(d, i, &all[i]))
            return false;
        if (replica_is_twice(d, all, i))
            return name_repeats(d, "replica", all[i].name);
        if (all[i].shard >= d->r->n_shards || (i > 0 && all[i].shard < all[i - 1].shard))
            return err_set(d->err, "routes: replica %.*s is of shard %u of %u",
                           (int)all[i].name.len, all[i].name.ptr, all[i].shard,
                           d->r->n_shards);
        struct route_shard *s = &shards[all[i].shard];
        if (s->n_replicas == 0)
            s->first_replica = i;
        if (++s->n_replicas > ROUTES_SHARD_REPLICAS_MAX)
            return err_set(d->err, "routes: shard %.*s has over %d replicas", (int)s->name.len,
                           s->name.ptr, ROUTES_SHARD_REPLICAS_MAX);
    }
    d->r->n_replicas = n;
    d->r->replicas   = all;
    return true;
}

/* Of ranges that are looked at later. */
static void
note_owners(struct decoder *d, struct route_shard *shards)
{
    for (uint32_t i = 0; i < count(d, BLOB_RANGES); i++) {
        const struct blob_range *b = RECORD(d, BLOB_RANGES, struct blob_range, i);

        if (b->shard >= count(d, BLOB_SHARDS) || shards[b->shard].owns)
            continue;
        shards[b->shard].owns = true;
        d->r->hides          |= shards[b->shard].hides;
        d->r->n_owners++;
    }
}

static bool
shards_decode(struct decoder *d)
{
    struct route_shard *shards, *engines;

    if (!servers_decode(d, BLOB_SHARDS, &shards) || !servers_decode(d, BLOB_ENGINES, &engines))
        return false;
    note_owners(d, shards);
    d->r->n_shards  = count(d, BLOB_SHARDS);
    d->r->shards    = shards;
    d->r->n_engines = count(d, BLOB_ENGINES);
    d->r->engines   = engines;
    return replicas_decode(d, shards);
}

static bool
ranges_decode(struct decoder *d)
{
    uint32_t            n      = count(d, BLOB_RANGES);
    struct route_range *ranges = arena_alloc(d->arena, n * sizeof(*ranges));

    for (uint32_t i = 0; i < n; i++) {
        const struct blob_range *b = RECORD(d, BLOB_RANGES, struct blob_range, i);
        bool ascends = i == 0 ? b->start == 0 : b->start > ranges[i - 1].start;
        if (!ascends)
            return err_set(d->err, "routes: range %u starts at %llu", i,
                           (unsigned long long)b->start);
        if (b->shard >= d->r->n_shards)
            return err_set(d->err, "routes: range %u belongs to shard %u of %u",
                           i, b->shard, d->r->n_shards);
        ranges[i] = (struct route_range){ .start = b->start, .shard = b->shard,
                                          .fenced = b->fenced != 0 };
        d->r->fenced |= ranges[i].fenced;
    }
    d->r->n_ranges = n;
    d->r->ranges   = ranges;
    if (n == 0)
        return true;

    uint8_t   bits  = routes_index_bits(n);
    uint32_t *index = arena_alloc(d->arena, (((size_t)1 << bits) + 1) * sizeof(*index));
    routes_index(ranges, n, bits, index);
    d->r->index_bits = bits;
    d->r->index      = index;
    return true;
}

static bool
databases_decode(struct decoder *d)
{
    uint32_t               n   = count(d, BLOB_DATABASES);
    struct route_database *all = arena_alloc(d->arena, n * sizeof(*all));

    for (uint32_t i = 0; i < n; i++) {
        const struct blob_database *b = RECORD(d, BLOB_DATABASES, struct blob_database, i);
        if (!name_get_full(d, b->name, "database name", &all[i].name) ||
            !bytes_get(d, b->functions, "list of functions", &all[i].functions) ||
            !bytes_get(d, b->procedures, "list of procedures", &all[i].procedures) ||
            !is_folded(d, all[i].name))
            return false;
        if (i > 0 && compare_names(all[i - 1].name, all[i].name) >= 0)
            return name_repeats(d, "database", all[i].name);
        if (b->home >= d->r->n_shards || b->has_code > 1 ||
            b->consistency >= CONSISTENCIES || !function_list_ok(all[i].functions) ||
            !function_list_ok(all[i].procedures))
            return err_set(d->err, "routes: database %.*s: home %u, flags %u",
                           (int)all[i].name.len, all[i].name.ptr, b->home, b->has_code);
        all[i].home      = b->home;
        all[i].collation = b->collation;
        all[i].has_code  = b->has_code != 0;
        all[i].consistency = b->consistency;
    }
    d->r->n_databases = n;
    d->r->databases   = all;
    return true;
}

static bool
column_decode(struct decoder *d, uint32_t at, struct route_column *c)
{
    const struct blob_column *b = RECORD(d, BLOB_COLUMNS, struct blob_column, at);

    if (!name_get_full(d, b->name, "column name", &c->name))
        return false;
    if (b->type > COLUMN_GEOMETRY || b->scale > UINT8_MAX || b->primary > UINT8_MAX ||
        (b->flags & ~BLOB_COLUMN_FLAGS) != 0)
        return err_set(d->err, "routes: column %.*s: type %u, scale %u, flags %u",
                       (int)c->name.len, c->name.ptr, b->type, b->scale, b->flags);
    c->type           = (enum column_type)b->type;
    c->is_unsigned    = b->flags & BLOB_UNSIGNED;
    c->nullable       = b->flags & BLOB_NULLABLE;
    c->auto_increment = b->flags & BLOB_AUTO_INCREMENT;
    c->generated      = b->flags & BLOB_GENERATED;
    c->has_default    = b->flags & BLOB_HAS_DEFAULT;
    c->invisible      = b->flags & BLOB_INVISIBLE;
    c->primary        = (uint8_t)b->primary;
    c->collation      = b->collation;
    c->length         = b->length;
    c->scale          = (uint8_t)b->scale;
    return true;
}

/* What the numbers of a table must satisfy among themselves. */
static bool
table_check(struct decoder *d, const struct blob_table *b, const struct route_table *t)
{
    bool sharded = b->kind == TABLE_SHARDED;
    bool view    = b->kind == TABLE_VIEW && b->view_kind == TABLE_SHARDED;
    bool good    = b->kind <= TABLE_VIEW && b->view_kind <= TABLE_VIEW &&
                b->database < d->r->n_databases && b->n_columns <= COLUMNS_MAX &&
                (sharded || (view && b->key != ROUTES_NONE) ? b->key < b->n_columns
                                                            : b->key == ROUTES_NONE) &&
                (sharded || (b->hide.len == 0 && b->triggers == TRIGGERS_NONE)) &&
                b->triggers <= TRIGGERS_CHANGING &&
                (b->kind == TABLE_VIEW || (b->view_text.len == 0 && b->view_expands == 0 &&
                                            b->view_unchecked == 0 &&
                                            b->view_materialized == 0)) &&
                b->view_collation <= UINT16_MAX &&
                (b->auto_increment < b->n_columns || b->auto_increment == ROUTES_NONE);

    if (!good)
        return err_set(d->err, "routes: table %.*s: kind %u (view of %u), database "
                       "%u, %u columns, key %u, auto_increment %u",
                       (int)t->name.len, t->name.ptr, b->kind, b->view_kind,
                       b->database, b->n_columns, b->key, b->auto_increment);
    return true;
}

static bool
columns_decode(struct decoder *d, const struct blob_table *b, struct route_table *t)
{
    struct route_column *columns = arena_alloc(d->arena, b->n_columns * sizeof(*columns));

    for (uint32_t i = 0; i < b->n_columns; i++) {
        if (!column_decode(d, b->first_column + i, &columns[i]))
            return false;
        for (uint32_t k = 0; k < i; k++)
            if (span_equal_nocase(columns[k].name, columns[i].name))
                return name_repeats(d, "column", columns[i].name);
    }
    t->n_columns = b->n_columns;
    t->columns   = columns;
    return b->kind != TABLE_SHARDED ||
           keyhash_column_supported(&columns[b->key], d->err);
}

static bool
table_decode(struct decoder *d, struct route_table *tables, uint32_t i,
             uint32_t *columns)
{
    const struct blob_table  *b    = RECORD(d, BLOB_TABLES, struct blob_table, i);
    struct route_table       *t    = &tables[i];
    const struct route_table *last = i > 0 ? &tables[i - 1] : NULL;
    struct span               lookups;

    if (!name_get_full(d, b->name, "table name", &t->name) ||
        !name_get(d, b->hide, NAME_MAX_BYTES, "hiding table's name", &t->hide) ||
        !bytes_get(d, b->view_text, "view's text", &t->view_text) || !is_folded(d, t->name) ||
        !bytes_get(d, b->lookups, "lookup", &lookups) ||
        !table_check(d, b, t))
        return false;
    if (last != NULL && (last->database > b->database ||
                         (last->database == b->database &&
                          compare_names(last->name, t->name) >= 0)))
        return name_repeats(d, "table", t->name);
    if (b->first_column != *columns ||
        b->n_columns > count(d, BLOB_COLUMNS) - *columns)
        return err_set(d->err, "routes blob: the columns of table %.*s lie "
                       "outside of it", (int)t->name.len, t->name.ptr);
    *columns += b->n_columns;
    t->database       = b->database;
    t->kind           = (enum table_kind)b->kind;
    t->key            = b->key;
    t->auto_increment = b->auto_increment;
    t->sequence       = b->sequence;
    t->view_kind      = (enum table_kind)b->view_kind;
    t->fenced         = b->fenced != 0;
    t->view_collation = (uint16_t)b->view_collation;
    t->view_expands   = b->view_expands != 0;
    t->view_unchecked = b->view_unchecked != 0;
    t->view_materialized = b->view_materialized != 0;
    t->triggers       = (enum route_triggers)b->triggers;
    d->r->fenced |= t->fenced;
    return blob_lookups(d->arena, lookups, b->n_columns, t, d->err) && columns_decode(d, b, t);
}

static bool
tables_decode(struct decoder *d)
{
    uint32_t            n       = count(d, BLOB_TABLES);
    struct route_table *tables  = arena_alloc(d->arena, n * sizeof(*tables));
    uint32_t            columns = 0;

    for (uint32_t i = 0; i < n; i++)
        if (!table_decode(d, tables, i, &columns))
            return false;
    if (columns != count(d, BLOB_COLUMNS))
        return err_set(d->err, "routes blob: %u columns belong to no table",
                       count(d, BLOB_COLUMNS) - columns);
    d->r->n_tables = n;
    d->r->tables   = tables;
    return true;
}

static bool
verifier_get(struct decoder *d, struct blob_ref ref, enum auth_plugin plugin, struct span *out)
{
    if (!bytes_get(d, ref, "verifier", out))
        return false;
    return out->len == 0 || out->len == auth_plugin_bytes(plugin) ||
           err_set(d->err, "routes: a verifier of %zu bytes is none of %s", out->len,
                   auth_plugin_name(plugin));
}

static bool
users_decode(struct decoder *d)
{
    uint32_t           n     = count(d, BLOB_USERS);
    struct route_user *users = arena_alloc(d->arena, n * sizeof(*users));

    for (uint32_t i = 0; i < n; i++) {
        const struct blob_user *b = RECORD(d, BLOB_USERS, struct blob_user, i);
        struct route_user      *u = &users[i];
        /* MariaDB has an anonymous user, whose name is empty. */
        if (!name_get(d, b->name, NAME_MAX_BYTES, "user name", &u->name) ||
            !name_get(d, b->secret, SECRET_MAX, "user's secret", &u->secret))
            return false;
        if (i > 0 && compare_names(users[i - 1].name, u->name) >= 0)
            return name_repeats(d, "user", u->name);
        if ((b->flags & ~(uint32_t)BLOB_USER_FLAGS) != 0)
            return err_set(d->err, "routes: user %.*s has flags %u",
                           (int)u->name.len, u->name.ptr, b->flags);
        if (b->plugin >= AUTH_PLUGINS)
            return err_set(d->err, "routes: user %.*s logs in by method %u",
                           (int)u->name.len, u->name.ptr, b->plugin);
        u->plugin          = (enum auth_plugin)b->plugin;
        if (!verifier_get(d, b->verifier, u->plugin, &u->verifier) ||
            !verifier_get(d, b->old_verifier, u->plugin, &u->old_verifier) ||
            !bytes_get(d, b->token, "token", &u->token))
            return false;
        if (u->token.len != 0 && u->token.len != ROUTE_TOKEN_BYTES)
            return err_set(d->err, "routes: a token of %zu bytes is none", u->token.len);
        u->admin           = b->flags & BLOB_ADMIN;
        u->commit          = (uint8_t)(b->flags >> BLOB_COMMIT_SHIFT & 3u);
        u->locked          = b->flags & BLOB_LOCKED;
        u->consistency     = (uint8_t)(b->flags >> BLOB_CONSISTENCY_SHIFT & 3u);
        memcpy(u->limit, b->limit, sizeof(u->limit));
    }
    d->r->n_users = n;
    d->r->users   = users;
    return true;
}

/* The routes and the memory of everything they point to. */
struct owned {
    struct routes r;
    struct arena  arena;
};

bool
routes_decode(struct span blob, struct routes **out, struct err *err)
{
    struct blob_header header;
    struct decoder     d = { .header = &header, .err = err };

    if (blob.len < sizeof(header))
        return err_set(err, "routes blob: only %zu bytes", blob.len);
    memcpy(&header, blob.ptr, sizeof(header));
    if (!blob_header_check(&header, blob, err) || !blob_parts(&header, blob, d.part, err))
        return false;

    struct owned *owned = mem_alloc(sizeof(*owned));
    d.arena = &owned->arena;
    d.r     = &owned->r;
    d.bytes = arena_copy(d.arena, (struct span){ d.part[BLOB_BYTES],
                                                 header.count[BLOB_BYTES] }).ptr;
    d.r->generation       = header.generation;
    d.r->users_generation = header.users_generation;
    d.r->lower_case       = header.lower_case != 0;
    d.r->cut              = header.cut != 0;
    d.r->eases            = header.eases;
    if (name_get(&d, header.service_user, NAME_MAX_BYTES, "service user",
                 &d.r->service_user) &&
        name_get(&d, header.service_secret, SECRET_MAX, "service secret",
                 &d.r->service_secret) &&
        shards_decode(&d) && ranges_decode(&d) && databases_decode(&d) &&
        tables_decode(&d) && users_decode(&d)) {
        *out = d.r;
        return true;
    }
    routes_free(d.r);
    return false;
}

void
routes_free(struct routes *r)
{
    if (r == NULL)
        return;
    struct owned *owned = container_of(r, struct owned, r);
    arena_fini(&owned->arena);
    free(owned);
}
