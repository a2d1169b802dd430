/* routes_encode.c - struct routes as a blob; see routes.h. */
#include <assert.h>
#include <stdlib.h>
#include <xxhash.h>

#include "core/base/memory.h"
#include "shm/routes.h"
#include "shm/routes_blob.h"

struct encoder {
    const struct routes *r;
    struct buf           records; /* all but the header and the bytes */
    struct buf           bytes;
    uint32_t            *place;   /* of a database index in the sorted order */
};

static struct blob_ref
ref(struct encoder *e, struct span s)
{
    struct blob_ref at = { (uint32_t)buf_len(&e->bytes), (uint32_t)s.len };

    buf_append_span(&e->bytes, s);
    return at;
}

static int
compare_names(struct span a, struct span b)
{
    size_t len   = a.len < b.len ? a.len : b.len;
    int    order = len == 0 ? 0 : memcmp(a.ptr, b.ptr, len);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int
by_start(const void *a, const void *b, void *context)
{
    const struct encoder *e = context;
    uint64_t x = e->r->ranges[*(const uint32_t *)a].start;
    uint64_t y = e->r->ranges[*(const uint32_t *)b].start;

    return (x > y) - (x < y);
}

static int
by_database(const void *a, const void *b, void *context)
{
    const struct encoder *e = context;

    return compare_names(e->r->databases[*(const uint32_t *)a].name,
                         e->r->databases[*(const uint32_t *)b].name);
}

static int
by_table(const void *a, const void *b, void *context)
{
    const struct encoder     *e = context;
    const struct route_table *x = &e->r->tables[*(const uint32_t *)a];
    const struct route_table *y = &e->r->tables[*(const uint32_t *)b];
    uint32_t                  p = e->place[x->database], q = e->place[y->database];

    return p != q ? (p > q) - (p < q) : compare_names(x->name, y->name);
}

static int
by_user(const void *a, const void *b, void *context)
{
    const struct encoder *e = context;

    return compare_names(e->r->users[*(const uint32_t *)a].name,
                         e->r->users[*(const uint32_t *)b].name);
}

/* The numbers [0, n) in the order of `compare`, which ranges are in already; free() them. */
static uint32_t *
sorted(struct encoder *e, uint32_t n,
       int (*compare)(const void *, const void *, void *))
{
    uint32_t *order = mem_alloc(n * sizeof(*order));
    bool      is    = true;

    for (uint32_t i = 0; i < n; i++) {
        order[i] = i;
        is       = is && (i == 0 || compare(&order[i - 1], &order[i], e) <= 0);
    }
    if (is)
        return order;
    qsort_r(order, n, sizeof(*order), compare, e);
    return order;
}

static void
encode_servers(struct encoder *e, const struct route_shard *all, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct route_shard *s = &all[i];
        struct blob_shard record = {
            .id = s->id, .port = s->port, .state = (uint8_t)s->state,
            .waits = (uint8_t)((s->fenced ? BLOB_FENCED : 0) | (s->eased ? BLOB_EASED : 0)),
            .name = ref(e, s->name), .host = ref(e, s->host), .epoch = s->epoch,
            .server = s->server, .lost = s->lost, .hides = s->hides,
        };
        buf_append(&e->records, &record, sizeof(record));
    }
}

static void
encode_replicas(struct encoder *e)
{
    for (uint32_t i = 0; i < e->r->n_replicas; i++) {
        const struct route_replica *p = &e->r->replicas[i];
        struct blob_replica record = {
            .id = p->id, .shard = p->shard, .port = p->port, .weight = p->weight,
            .state = (uint8_t)p->state, .name = ref(e, p->name), .host = ref(e, p->host),
            .zone = ref(e, p->zone),
        };
        buf_append(&e->records, &record, sizeof(record));
    }
}

static void
encode_ranges(struct encoder *e)
{
    uint32_t *order = sorted(e, e->r->n_ranges, by_start);

    for (uint32_t i = 0; i < e->r->n_ranges; i++) {
        const struct route_range *range = &e->r->ranges[order[i]];
        struct blob_range record = { range->start, range->shard, range->fenced };
        buf_append(&e->records, &record, sizeof(record));
    }
    free(order);
}

static void
encode_databases(struct encoder *e)
{
    uint32_t *order = sorted(e, e->r->n_databases, by_database);

    for (uint32_t i = 0; i < e->r->n_databases; i++) {
        const struct route_database *d = &e->r->databases[order[i]];
        struct blob_database record = { ref(e, d->name), d->home, d->collation,
                                        d->has_code, d->consistency,
                                        ref(e, d->functions), ref(e, d->procedures) };
        buf_append(&e->records, &record, sizeof(record));
        e->place[order[i]] = i;
    }
    free(order);
}

static void
encode_columns(struct encoder *e, const struct route_table *t)
{
    for (uint32_t i = 0; i < t->n_columns; i++) {
        const struct route_column *c = &t->columns[i];
        int flags = (c->is_unsigned ? BLOB_UNSIGNED : 0) |
                    (c->nullable ? BLOB_NULLABLE : 0) |
                    (c->auto_increment ? BLOB_AUTO_INCREMENT : 0) |
                    (c->generated ? BLOB_GENERATED : 0) |
                    (c->has_default ? BLOB_HAS_DEFAULT : 0) |
                    (c->invisible ? BLOB_INVISIBLE : 0);
        struct blob_column record = {
            .name = ref(e, c->name), .type = (uint16_t)c->type,
            .collation = c->collation, .length = c->length, .scale = c->scale,
            .flags = (uint16_t)flags, .primary = c->primary,
        };
        buf_append(&e->records, &record, sizeof(record));
    }
}

static struct blob_ref
encode_lookups(struct encoder *e, const struct route_table *t)
{
    struct buf      text = { 0 };
    struct blob_ref r;

    for (uint32_t i = 0; i < t->n_lookups; i++)
        buf_printf(&text, "%u %d %.*s\n", t->lookups[i].column, t->lookups[i].filling,
                   (int)t->lookups[i].table.len, (const char *)t->lookups[i].table.ptr);
    r = ref(e, buf_unread(&text));
    buf_fini(&text);
    return r;
}

/* Returns how many columns the tables have together. */
static uint32_t
encode_tables(struct encoder *e)
{
    uint32_t *order = sorted(e, e->r->n_tables, by_table);
    uint32_t  columns = 0;

    for (uint32_t i = 0; i < e->r->n_tables; i++) {
        const struct route_table *t = &e->r->tables[order[i]];
        struct blob_table record = {
            .name = ref(e, t->name), .database = e->place[t->database],
            .kind = t->kind, .key = t->key, .auto_increment = t->auto_increment,
            .sequence = t->sequence, .view_kind = t->view_kind,
            .n_columns = t->n_columns, .first_column = columns, .fenced = t->fenced,
            .hide = ref(e, t->hide), .view_text = ref(e, t->view_text),
            .view_collation = t->view_collation, .view_expands = t->view_expands,
            .view_unchecked = t->view_unchecked, .view_materialized = t->view_materialized,
            .triggers = t->triggers,
            .lookups = encode_lookups(e, t),
        };
        buf_append(&e->records, &record, sizeof(record));
        columns += t->n_columns;
    }
    for (uint32_t i = 0; i < e->r->n_tables; i++)
        encode_columns(e, &e->r->tables[order[i]]);
    free(order);
    return columns;
}

static void
encode_users(struct encoder *e)
{
    uint32_t *order = sorted(e, e->r->n_users, by_user);

    for (uint32_t i = 0; i < e->r->n_users; i++) {
        const struct route_user *u = &e->r->users[order[i]];
        struct blob_user record = {
            .name = ref(e, u->name), .secret = ref(e, u->secret),
            .verifier = ref(e, u->verifier), .old_verifier = ref(e, u->old_verifier),
            .token = ref(e, u->token),
            .flags = (u->admin ? BLOB_ADMIN : 0u) | (u->commit & 3u) << BLOB_COMMIT_SHIFT |
                     (u->locked ? BLOB_LOCKED : 0u) |
                     (u->consistency & 3u) << BLOB_CONSISTENCY_SHIFT,
            .plugin = u->plugin,
        };
        memcpy(record.limit, u->limit, sizeof(record.limit));
        buf_append(&e->records, &record, sizeof(record));
    }
    free(order);
}

/* What the encoder itself uses as an index; the rest is checked afterwards by
 * decoding. */
static bool
usable(const struct routes *r, struct err *err)
{
    for (uint32_t i = 0; i < r->n_tables; i++)
        if (r->tables[i].database >= r->n_databases)
            return err_set(err, "table %.*s is in database number %u of %u",
                           (int)r->tables[i].name.len, r->tables[i].name.ptr,
                           r->tables[i].database, r->n_databases);
    return true;
}

static bool
append_checked(struct encoder *e, struct blob_header *header, struct buf *out,
               struct err *err)
{
    size_t          start = buf_len(out);
    struct routes  *decoded;

    while (buf_len(&e->bytes) % 8 != 0)
        buf_append_byte(&e->bytes, 0);
    header->count[BLOB_BYTES] = (uint32_t)buf_len(&e->bytes);
    header->len = sizeof(*header) + buf_len(&e->records) + buf_len(&e->bytes);
    if (buf_len(&e->bytes) > UINT32_MAX)
        return err_set(err, "the names in the routes have over 4 GiB");
    buf_append(out, header, sizeof(*header));
    buf_append_span(out, buf_unread(&e->records));
    buf_append_span(out, buf_unread(&e->bytes));

    struct span blob = span_from(buf_unread(out), start);
    header->checksum = XXH3_64bits(blob.ptr + BLOB_CHECKED_FROM,
                                   blob.len - BLOB_CHECKED_FROM);
    memcpy(out->bytes + out->start + start, header, sizeof(*header));
    if (routes_decode(blob, &decoded, err)) {
        routes_free(decoded);
        return true;
    }
    out->end -= blob.len;
    return false;
}

bool
routes_encode(const struct routes *r, struct buf *out, struct err *err)
{
    struct encoder e = { .r = r };

    if (!usable(r, err))
        return false;
    e.place = mem_alloc(r->n_databases * sizeof(*e.place));

    struct blob_header header = {
        .magic = BLOB_MAGIC, .version = ROUTES_BLOB_VERSION,
        .generation = r->generation, .users_generation = r->users_generation,
        .service_user = ref(&e, r->service_user),
        .service_secret = ref(&e, r->service_secret),
        .count = {
            [BLOB_SHARDS] = r->n_shards, [BLOB_RANGES] = r->n_ranges,
            [BLOB_DATABASES] = r->n_databases, [BLOB_TABLES] = r->n_tables,
            [BLOB_USERS] = r->n_users, [BLOB_ENGINES] = r->n_engines,
            [BLOB_REPLICAS] = r->n_replicas,
        },
        .lower_case = r->lower_case,
        .cut = r->cut, .eases = r->eases,
    };
    encode_servers(&e, r->shards, r->n_shards);
    encode_ranges(&e);
    encode_databases(&e);
    header.count[BLOB_COLUMNS] = encode_tables(&e);
    encode_users(&e);
    encode_servers(&e, r->engines, r->n_engines);
    encode_replicas(&e);

    bool good = append_checked(&e, &header, out, err);
    buf_fini(&e.records);
    buf_fini(&e.bytes);
    free(e.place);
    return good;
}
