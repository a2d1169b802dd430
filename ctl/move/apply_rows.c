/* apply_rows.c - parcels as keys for the sets and as BINLOG statements. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/mysql/binlog_value.h"
#include "ctl/move/apply_internal.h"
#include "ctl/move/sets.h"

enum {
    DUPLICATE  = 1062, /* ER_DUP_ENTRY */
    MISSING    = 1032, /* ER_KEY_NOT_FOUND */
    MAP_FIXED  = 8,
    KEY_SHOWN  = 64,   /* bytes of a value in an error */
};

/* --- keys --- */

static bool
keys_flush(struct server *s, struct apply_keys *k, struct sql_error *error)
{
    struct buf sql = { 0 };
    bool       ok;

    if (buf_len(&k->values) == 0)
        return true;
    buf_printf(&sql, "INSERT IGNORE INTO %s.%s (k) VALUES ", ROUTES_MOVE_SCHEMA, k->set);
    buf_append_span(&sql, buf_unread(&k->values));
    ok = server_run_text(s, buf_unread(&sql), error);
    buf_clear(&k->values);
    buf_fini(&sql);
    return ok;
}

static bool
keys_add(struct apply *a, bool leaving, const struct parcel_record *r, struct sql_error *error)
{
    const struct move_table *t = &a->move->tables[r->number];
    struct apply_keys       *k = leaving ? &a->leaving[r->number] : &a->hidden[r->number];

    if (k->set[0] == 0)
        sets_name(a->move, t, !leaving, k->set);
    buf_append_text(&k->values, buf_len(&k->values) > 0 ? ",(" : "(");
    buf_append_span(&k->values, r->first);
    buf_append_text(&k->values, ")");
    if (buf_len(&k->values) < APPLY_KEYS_BYTES)
        return true;
    if (leaving && !apply_origin(a, error))
        return false;
    return keys_flush(leaving ? &a->origin : &a->server, k, error);
}

static bool
bad_parcel(const struct apply *a, int errnum, struct sql_error *error)
{
    return apply_file_error(a, errnum, error);
}

/* Whether *out is the next record, of a table of the move. A bad parcel clears *ok. */
static bool
next_record(struct apply *a, struct parcel_reader *r, struct parcel_record *out, bool *ok,
            struct sql_error *error)
{
    int got = *ok ? parcel_next(r, out) : 0;

    if (got == 0)
        return false;
    if (got > 0 && out->number < a->move->n_tables)
        return true;
    *ok = bad_parcel(a, got < 0 ? got : -EBADMSG, error);
    return false;
}

static void
note_table(struct apply *a, uint32_t number)
{
    unsigned i = 0;

    while (i < a->n_present && i < APPLY_TABLES_MAX && a->present[i] != number)
        i++;
    if (i < APPLY_TABLES_MAX)
        a->present[i] = number;
    if (i == a->n_present)
        a->n_present++;
}

bool
apply_keys_of(struct apply *a, const struct parcel *p, struct sql_error *error)
{
    struct parcel_reader r;
    struct parcel_record one;
    bool                 ok = true;

    parcel_read(&r, p);
    while (next_record(a, &r, &one, &ok, error)) {
        if (one.what == 'T')
            note_table(a, one.number);
        else if (one.what == 'k' || one.what == 'o')
            ok = keys_add(a, one.what == 'o', &one, error);
    }
    parcel_read_end(&r);
    return ok;
}

bool
apply_keys_flush(struct apply *a, struct sql_error *error)
{
    bool ok = true;

    for (unsigned i = 0; ok && i < a->move->n_tables; i++)
        ok = keys_flush(&a->server, &a->hidden[i], error);
    return ok;
}

bool
apply_leaving_flush(struct apply *a, struct sql_error *error)
{
    for (unsigned i = 0; i < a->move->n_tables; i++)
        if (buf_len(&a->leaving[i].values) > 0 &&
            (!apply_origin(a, error) || !keys_flush(&a->origin, &a->leaving[i], error)))
            return false;
    return true;
}

/* --- tables --- */

/* What a TABLE_MAP does not say, from the definition. */
static void
complete(struct binlog_table *t, const struct route_table *known)
{
    for (uint32_t i = 0; i < t->n_columns && i < known->n_columns; i++) {
        const struct route_column *c = &known->columns[i];
        t->columns[i].is_unsigned = c->is_unsigned;
        if (c->type == COLUMN_TIME || c->type == COLUMN_DATETIME || c->type == COLUMN_TIMESTAMP)
            binlog_table_fraction(t, i, (uint8_t)c->length);
    }
}

static bool
take_table(struct apply *a, const struct parcel_record *r, struct sql_error *error)
{
    struct apply_table *t = &a->tables[r->number];
    struct binlog_event e = { .raw = r->first, .body = r->first, .kind = BINLOG_KIND_TABLE_MAP,
                              .type = BINLOG_TABLE_MAP, .fixed = MAP_FIXED };
    uint32_t            column;

    if (span_equal(buf_unread(&t->map), r->first))
        return true;
    binlog_table_free(t->table);
    t->table   = NULL;
    a->is_open = false;
    buf_clear(&t->map);
    buf_append_span(&t->map, r->first);
    e.raw = e.body = buf_unread(&t->map);
    if (binlog_table_new(&e, &t->table, &column) != BINLOG_TABLE_GOOD)
        return sql_error_set(error, APPLY_FATAL, "shardd: the columns of table %s.%s cannot be "
                             "read; cancel the move", a->move->tables[r->number].database,
                             a->move->tables[r->number].name);
    complete(t->table, a->move->tables[r->number].before);
    return true;
}

/* --- what the copy has already --- */

static bool
covers(struct apply *a, uint32_t number, struct span image)
{
    const struct binlog_table *t = a->tables[number].table;
    struct binlog_image        it;
    struct binlog_value        v;

    if (a->copy == NULL)
        return true;
    if (a->n_values < t->n_columns) {
        a->values   = mem_resize(a->values, t->n_columns * sizeof(*a->values));
        a->n_values = t->n_columns;
    }
    binlog_image_init(&it, t, image);
    while (binlog_image_next(&it, &v))
        a->values[v.index] = v;
    return copy_covers(a->copy, number, a->target, a->values);
}

/* A row that comes into what is covered is inserted, one that goes out of it deleted. */
static bool
change_of(struct apply *a, const struct parcel_record *r, enum binlog_change *out)
{
    bool before = r->what != 'I' && covers(a, r->number, r->first);
    bool after  = r->what != 'D' && covers(a, r->number, r->second);

    *out = before && after ? BINLOG_UPDATE : after ? BINLOG_INSERT : BINLOG_DELETE;
    return before || after;
}

/* --- rows --- */

bool
apply_is_bad_row(const struct sql_error *error)
{
    return error->code == DUPLICATE || error->code == MISSING;
}

bool
apply_rows_flush(struct apply *a, struct sql_error *error)
{
    a->is_open = false;
    if (!binlog_batch_take(&a->batch, &a->sql))
        return true;
    return apply_put(a, error);
}

void
apply_rows_reset(struct apply *a)
{
    a->is_open = false;
    buf_clear(&a->sql);
    if (binlog_batch_take(&a->batch, &a->sql))
        buf_clear(&a->sql);
    for (unsigned i = 0; i < a->move->n_tables; i++) {
        buf_clear(&a->hidden[i].values);
        buf_clear(&a->leaving[i].values);
    }
}

void
apply_rows_fini(struct apply *a)
{
    for (unsigned i = 0; i < a->move->n_tables; i++) {
        buf_fini(&a->tables[i].map);
        binlog_table_free(a->tables[i].table);
        buf_fini(&a->hidden[i].values);
        buf_fini(&a->leaving[i].values);
    }
    free(a->tables);
    free(a->hidden);
    free(a->leaving);
    free(a->values);
    if (a->has_batch)
        binlog_batch_fini(&a->batch);
}

static void
show_value(struct buf *out, const struct binlog_value *v)
{
    struct buf text = { 0 };
    bool       good = !v->is_null && binlog_value_text(&text, v, v->column->is_unsigned);
    struct span s   = buf_unread(&text);

    buf_append_text(out, buf_len(out) > 0 ? ", " : "");
    if (!good)
        buf_append_text(out, v->is_null ? "NULL" : "?");
    for (size_t i = 0; good && i < s.len && i < KEY_SHOWN; i++)
        if (s.ptr[i] >= ' ' && s.ptr[i] != 0x7f)
            buf_append_byte(out, s.ptr[i]);
        else
            buf_printf(out, "\\x%02x", s.ptr[i]);
    buf_fini(&text);
}

/* "does not fit", with the row's primary key. */
static void
name_row(struct apply *a, uint32_t number, const struct binlog_row *row, struct sql_error *error)
{
    const struct move_table *t    = &a->move->tables[number];
    const json_t            *from = move_shard(a->move, a->source);
    struct span              image = row->before.len > 0 ? row->before : row->after;
    struct sql_error         said = *error;
    struct buf               key  = { 0 };
    struct binlog_value      v;

    for (unsigned i = 0; i < t->n_primary; i++)
        if (binlog_image_value(a->tables[number].table, image, t->primary[i], &v))
            show_value(&key, &v);
    sql_error_set(error, APPLY_FATAL, "shardd: table %s.%s on shard %s is not what it is on shard "
                  "%s: the row with the key (%.100s) %s; somebody wrote there past shardd: cancel "
                  "the move and start it again (%d: %.120s)", t->database, t->name,
                  a->server.name, json_string_value(json_object_get(from, "name")),
                  buf_cstr(&key), said.code == DUPLICATE ? "or another with its unique key is "
                  "there already" : "is missing", said.code, said.message);
    buf_fini(&key);
}

static bool
put_row(struct apply *a, const struct parcel_record *r, bool one_by_one, struct sql_error *error)
{
    const struct move_table *t   = &a->move->tables[r->number];
    struct binlog_row        row = { r->first, r->second };
    enum binlog_change       change;

    if (a->tables[r->number].table == NULL)
        return bad_parcel(a, -EBADMSG, error);
    if (!change_of(a, r, &change))
        return true;
    if (!binlog_batch_fits(&a->batch, &row) && !apply_rows_flush(a, error))
        return false;
    if (!a->is_open || a->open_table != r->number)
        a->open_number = binlog_batch_table(&a->batch, a->tables[r->number].table,
                                            span_of(t->database), span_of(t->name));
    a->is_open    = true;
    a->open_table = r->number;
    binlog_batch_row(&a->batch, a->open_number, change, &row);
    if (!one_by_one || apply_rows_flush(a, error))
        return true;
    if (apply_is_bad_row(error))
        name_row(a, r->number, &row, error);
    return false;
}

bool
apply_rows_of(struct apply *a, const struct parcel *p, uint32_t table, bool one_by_one,
              struct sql_error *error)
{
    struct parcel_reader r;
    struct parcel_record one;
    bool                 ok = true;

    parcel_read(&r, p);
    while (next_record(a, &r, &one, &ok, error)) {
        if (table != APPLY_ALL_TABLES && one.number != table)
            continue;
        else if (one.what == 'T')
            ok = take_table(a, &one, error);
        else if (one.what == 'I' || one.what == 'U' || one.what == 'D')
            ok = put_row(a, &one, one_by_one, error);
    }
    parcel_read_end(&r);
    return ok;
}
