/* follow_rows.c - which rows of the log go where: the hash of what a row was and of what it is. */
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/route/row_key.h"
#include "ctl/move/follow_internal.h"
#include "ctl/move/sets.h"

/* Targets of an image of a row, by the index of their lane. */
struct lanes {
    const struct follow *f;
    unsigned             n;
    bool                 missing; /* a target without a lane: the move was planned otherwise */
    uint32_t             at[ROUTES_SHARDS_MAX];
};

/* --- tables --- */

static void
map_free(struct follow_map *m)
{
    list_remove(&m->node);
    buf_fini(&m->body);
    binlog_table_free(m->table);
    free(m);
}

void
follow_maps_clear(struct follow *f)
{
    for (unsigned i = 0; i < FOLLOW_MAPS; i++)
        LIST_EACH_SAFE(at, &f->maps[i])
            map_free(container_of(at, struct follow_map, node));
    f->n_maps = 0;
}

static struct follow_map *
map_find(struct follow *f, uint64_t id)
{
    struct list *bucket = &f->maps[id % FOLLOW_MAPS];

    LIST_EACH(at, bucket) {
        struct follow_map *m = container_of(at, struct follow_map, node);
        if (m->id == id)
            return m;
    }
    return NULL;
}

static int
compare(const struct move_table *t, struct span database, struct span name)
{
    struct span a[] = { span_of(t->database), span_of(t->name) }, b[] = { database, name };
    int         c   = 0;

    for (int i = 0; i < 2 && c == 0; i++) {
        size_t n = a[i].len < b[i].len ? a[i].len : b[i].len;
        c = n ? memcmp(a[i].ptr, b[i].ptr, n) : 0;
        c = c ? c : (a[i].len > b[i].len) - (a[i].len < b[i].len);
    }
    return c;
}

const struct move_table *
follow_moving(const struct follow *f, struct span database, struct span name)
{
    size_t low = 0, high = f->move->n_tables;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int    c      = compare(f->sorted[middle], database, name);
        if (c == 0)
            return f->sorted[middle];
        low  = c < 0 ? middle + 1 : low;
        high = c < 0 ? high : middle;
    }
    return NULL;
}

static bool
changed(const struct follow *f, const struct move_table *t, const char *what,
        struct sql_error *error)
{
    return sql_error_set(error, FOLLOW_FATAL, "shardd: table %s.%s on shard %s is not as the "
                         "catalog has it: %s; cancel the move, run 'shardctl fsck', and start it "
                         "again", t->database, t->name, f->name, what);
}

static bool
key_matches(const struct follow *f, const struct move_table *t, const struct route_table *r,
            const struct binlog_table *logged, struct sql_error *error)
{
    struct err err = { .text = "" };

    if (r->kind != TABLE_SHARDED)
        return true;
    return row_key_matches(&r->columns[r->key], &logged->columns[r->key], &err)
           || changed(f, t, err.text, error);
}

/* What the log does not say, from the definition. */
static bool
map_complete(const struct follow *f, struct follow_map *m, struct sql_error *error)
{
    const struct route_table *r = m->moving->before;

    if (!binlog_table_hides(m->table, r->n_columns))
        return changed(f, m->moving, "it has another number of columns", error);
    for (uint32_t i = 0; i < r->n_columns; i++) {
        const struct route_column *c = &r->columns[i];
        m->table->columns[i].is_unsigned = c->is_unsigned;
        if (c->type == COLUMN_TIME || c->type == COLUMN_DATETIME || c->type == COLUMN_TIMESTAMP)
            binlog_table_fraction(m->table, i, (uint8_t)c->length);
    }
    return key_matches(f, m->moving, r, m->table, error) &&
           key_matches(f, m->moving, m->moving->after, m->table, error);
}

static bool
map_fill(struct follow *f, struct follow_map *m, const struct binlog_event *e,
         struct sql_error *error)
{
    uint32_t                 column;
    enum binlog_table_status got = binlog_table_new(e, &m->table, &column);
    char                     what[64];

    if (got == BINLOG_TABLE_MALFORMED)
        return sql_error_set(error, FOLLOW_FATAL, "shardd: a table in the binary log of shard %s "
                             "cannot be read; cancel the move, and look at the server's disk",
                             f->name);
    /* Of a type that is not known the rest is not either: no table of ours, or it would be. */
    if (got == BINLOG_TABLE_GOOD)
        m->moving = follow_moving(f, m->table->database, m->table->name);
    if (got == BINLOG_TABLE_TYPE) {
        snprintf(what, sizeof(what), "column %u has a type that cannot be followed", column + 1);
        for (unsigned i = 0; i < f->move->n_tables; i++)
            if (memmem(e->body.ptr, e->body.len, f->move->tables[i].name,
                       strlen(f->move->tables[i].name)))
                return changed(f, &f->move->tables[i], what, error);
    }
    if (!m->moving) {
        binlog_table_free(m->table);
        m->table = NULL;
        return true;
    }
    return map_complete(f, m, error);
}

bool
follow_map_take(struct follow *f, const struct binlog_event *e, struct sql_error *error)
{
    struct follow_map *m;
    uint64_t           id;

    if (!binlog_table_id(e, &id))
        return sql_error_set(error, FOLLOW_FATAL, "shardd: a table in the binary log of shard %s "
                             "cannot be read; cancel the move, and look at the server's disk",
                             f->name);
    m = map_find(f, id);
    if (m && span_equal(buf_unread(&m->body), e->body))
        return true;
    if (m) {
        map_free(m);
        f->n_maps--;
    }
    m     = mem_alloc(sizeof(*m));
    m->id = id;
    buf_append_span(&m->body, e->body);
    list_append(&f->maps[id % FOLLOW_MAPS], &m->node);
    f->n_maps++;
    if (map_fill(f, m, e, error))
        return true;
    map_free(m);
    f->n_maps--;
    return false;
}

/* --- a row --- */

bool
follow_put(struct follow *f, struct follow_lane *l, char what, uint32_t number, struct span first,
           struct span second, struct sql_error *error)
{
    struct parcel_record r = { what, number, first, second };
    int                  bad = parcel_put(&l->rows, &r);

    if (bad == 0)
        return true;
    return sql_error_set(error, FOLLOW_FATAL, "shardd: a large transaction does not fit into %s: "
                         "%s; make room there and resume the job", f->move->c->path.home,
                         strerror(-bad));
}

static void
add_lane(void *context, uint32_t target)
{
    struct lanes *out = context;

    for (unsigned i = 0; i < out->f->n_lanes; i++)
        if (out->f->lanes[i].to.shard == target) {
            out->at[out->n++] = i;
            return;
        }
    out->missing = true;
}

static bool
hash_of(struct follow *f, const struct follow_map *m, const struct route_table *r,
        struct span image, uint64_t *hash)
{
    struct binlog_value v;

    *hash = 0;
    if (r->kind != TABLE_SHARDED)
        return true;
    return binlog_image_value(m->table, image, r->key, &v)
           && row_key_hash(&r->columns[r->key], &v, &f->room, hash);
}

/* Where a row with this image is to be. */
static bool
lanes_of(struct follow *f, const struct follow_map *m, struct span image, struct lanes *out,
         struct sql_error *error)
{
    const struct move_table *t = m->moving;
    uint64_t                 before, after;

    out->f = f;
    out->n = 0;
    if (image.len == 0)
        return true;
    if (!hash_of(f, m, t->before, image, &before))
        return changed(f, t, "a key in its binary log has no meaning", error);
    after = before;
    if ((t->after->kind != TABLE_SHARDED || t->before->kind != TABLE_SHARDED ||
         t->after->key != t->before->key) && !hash_of(f, m, t->after, image, &after))
        return changed(f, t, "a key in its binary log has no meaning", error);
    out->missing = false;
    move_targets(f->move, t, f->source, before, after, add_lane, out);
    return !out->missing || changed(f, t, "a row goes to a shard that takes no part", error);
}

static bool
has_lane(const struct lanes *l, uint32_t i)
{
    for (unsigned k = 0; k < l->n; k++)
        if (l->at[k] == i)
            return true;
    return false;
}

/* The key as a literal for a set; nothing for a table that has none. */
static bool
put_key(struct follow *f, struct follow_lane *l, const struct follow_map *m, bool hidden,
        struct span image, struct sql_error *error)
{
    const struct route_column *c = sets_column(m->moving, hidden);
    const struct route_table  *r = hidden ? m->moving->before : m->moving->after;
    struct binlog_value        v;
    struct key_value           key = { .kind = KEY_VALUE_NULL };

    if (c == NULL)
        return true;
    buf_clear(&f->room);
    buf_clear(&f->literal);
    if (!binlog_image_value(m->table, image, r->key, &v))
        return changed(f, m->moving, "a key in its binary log has no meaning", error);
    if (!v.is_null) {
        if (!row_key_text(c, &v, &f->room))
            return changed(f, m->moving, "a key in its binary log has no meaning", error);
        key = (struct key_value){ .kind = KEY_VALUE_STRING, .bytes = buf_unread(&f->room),
                                  .collation = c->collation };
    }
    if (!sets_literal(&f->literal, c, &key))
        return changed(f, m->moving, "a key in its binary log has no meaning", error);
    return follow_put(f, l, hidden ? 'k' : 'o', m->moving->number, buf_unread(&f->literal),
                      (struct span){ 0 }, error);
}

static bool
same_value(const struct follow_map *m, const struct binlog_row *row, uint32_t column)
{
    struct binlog_value a, b;

    return binlog_image_value(m->table, row->before, column, &a) &&
           binlog_image_value(m->table, row->after, column, &b) && a.is_null == b.is_null &&
           span_equal(a.bytes, b.bytes);
}

/* An UPDATE that leaves the keys as they are, so that the sets have them. */
static bool
keys_stay(const struct follow_map *m, const struct binlog_row *row)
{
    const struct move_table *t = m->moving;

    if ((t->before->kind == TABLE_SHARDED && !same_value(m, row, t->before->key)) ||
        (t->after->kind == TABLE_SHARDED && !same_value(m, row, t->after->key)))
        return false;
    for (unsigned i = 0; i < t->n_primary; i++)
        if (!same_value(m, row, t->primary[i]))
            return false;
    return true;
}

static bool
put_row(struct follow *f, struct follow_lane *l, const struct follow_map *m, char what,
        const struct binlog_row *row, struct sql_error *error)
{
    uint32_t    number = m->moving->number;
    struct span none   = { 0 };

    if (gtid_has(&l->to.start, f->gtid))
        return true;
    if (l->told[number] != l->round) {
        if (!follow_put(f, l, 'T', number, buf_unread(&m->body), none, error))
            return false;
        l->told[number] = l->round;
    }
    if ((what == 'I' || (what == 'U' && !keys_stay(m, row))) &&
        (!put_key(f, l, m, true, row->after, error) ||
         !put_key(f, l, m, false, row->after, error)))
        return false;
    return follow_put(f, l, what, number, what == 'I' ? none : row->before,
                      what == 'D' ? none : row->after, error);
}

static bool
take_row(struct follow *f, const struct follow_map *m, const struct binlog_row *row,
         struct lanes *was, struct lanes *is, struct sql_error *error)
{
    if (!lanes_of(f, m, row->before, was, error) || !lanes_of(f, m, row->after, is, error))
        return false;
    for (unsigned i = 0; i < was->n; i++) /* deleted first, should a unique key move with it */
        if (!put_row(f, &f->lanes[was->at[i]], m, has_lane(is, was->at[i]) ? 'U' : 'D', row, error))
            return false;
    for (unsigned i = 0; i < is->n; i++)
        if (!has_lane(was, is->at[i]) && !put_row(f, &f->lanes[is->at[i]], m, 'I', row, error))
            return false;
    return true;
}

bool
follow_rows_take(struct follow *f, const struct binlog_event *e, struct sql_error *error)
{
    static _Thread_local struct lanes was, is;
    struct binlog_rows                rows;
    struct binlog_row                 row;
    enum binlog_step                  step;

    if (!binlog_rows_read(e, &f->text, &rows))
        return sql_error_set(error, FOLLOW_FATAL, "shardd: rows in the binary log of shard %s "
                             "cannot be read; cancel the move, and look at the server's disk",
                             f->name);
    if (rows.n_columns == 0)
        return true;
    const struct follow_map *m = map_find(f, rows.table_id);
    if (!m)
        return sql_error_set(error, FOLLOW_FATAL, "shardd: rows in the binary log of shard %s have "
                             "no table; cancel the move, and look at the server's disk", f->name);
    if (!m->moving)
        return true;
    if (!rows.full)
        return changed(f, m->moving, "its binary log lacks columns: set binlog_row_image=FULL, "
                       "globally and in all sessions", error);
    while ((step = binlog_rows_next(&rows, m->table, &row)) == BINLOG_ROW)
        if (!take_row(f, m, &row, &was, &is, error))
            return false;
    return step == BINLOG_END || changed(f, m->moving, "its rows in the binary log have other "
                                         "columns", error);
}
