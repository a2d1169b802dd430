/* test_binlog_rows.c - values as a real server says they are (binlog_record.py), and events built
 * from recorded rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/mysql/binlog_build.h"
#include "core/mysql/binlog_encode.h"
#include "core/mysql/binlog_value.h"
#include "core/mysql/protocol.h"
#include "core/mysql/wire.h"

enum { TABLES = 256, ROWS = 256 };

/* The recorded tables and rows, in memory. */
static struct {
    uint8_t              bytes[1 << 20];
    size_t               len;
    struct binlog_format format;
    struct binlog_table *tables[TABLES];
    size_t               n_tables, n_rows;
    struct {
        const struct binlog_table *table;
        enum binlog_change         change;
        struct binlog_row          row;
    } rows[ROWS];
    struct buf unpacked[ROWS];
} log_;

static const struct binlog_table *
table_of(uint64_t id)
{
    for (size_t i = log_.n_tables; i-- > 0;)
        if (log_.tables[i]->id == id)
            return log_.tables[i];
    return NULL;
}

static void
take_rows(const struct binlog_event *e, size_t *n_events)
{
    struct binlog_rows rows;
    struct binlog_row  row;
    enum binlog_step   step;

    assert_true(binlog_rows_read(e, &log_.unpacked[*n_events], &rows));
    const struct binlog_table *t = table_of(rows.table_id);
    (*n_events)++;
    assert_non_null(t);
    enum binlog_change change = rows.change;
    if (!rows.full) {
        assert_int_equal(binlog_rows_next(&rows, t, &row), BINLOG_BAD);
        return;
    }
    while ((step = binlog_rows_next(&rows, t, &row)) == BINLOG_ROW) {
        assert_true(log_.n_rows < ROWS);
        log_.rows[log_.n_rows].table    = t;
        log_.rows[log_.n_rows].change   = change;
        log_.rows[log_.n_rows++].row    = row;
    }
    assert_int_equal(step, BINLOG_END);
}

static void
load(const char *name)
{
    char   path[128];
    size_t n_events = 0;

    snprintf(path, sizeof(path), "tests/fuzz/corpus/binlog/%s", name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    log_.len = fread(log_.bytes, 1, sizeof(log_.bytes), file);
    fclose(file);
    binlog_format_init(&log_.format, log_.bytes[0] & 1);
    for (size_t at = 1, size; at < log_.len; at += size) {
        struct binlog_event e;
        uint32_t            column;

        size = wire_load_u32(log_.bytes + at + 9);
        assert_int_equal(binlog_read(&log_.format, (struct span){ log_.bytes + at, size }, &e),
                         BINLOG_GOOD);
        if (e.kind == BINLOG_KIND_TABLE_MAP)
            assert_int_equal(binlog_table_new(&e, &log_.tables[log_.n_tables++], &column),
                             BINLOG_TABLE_GOOD);
        else if (e.kind == BINLOG_KIND_ROWS)
            take_rows(&e, &n_events);
    }
    assert_true(log_.n_rows > 50);
}

static void
unload(void)
{
    for (size_t i = 0; i < log_.n_tables; i++)
        binlog_table_free(log_.tables[i]);
    for (size_t i = 0; i < ROWS; i++)
        buf_fini(&log_.unpacked[i]);
    log_.n_tables = log_.n_rows = 0;
}

/* --- values ------------------------------------------------------------------------------- */

static const struct binlog_row *
inserted(const char *table, int id)
{
    for (size_t i = 0; i < log_.n_rows; i++) {
        struct binlog_value v;
        if (log_.rows[i].change != BINLOG_INSERT ||
            !span_equal(log_.rows[i].table->name, span_of(table)))
            continue;
        assert_true(binlog_image_value(log_.rows[i].table, log_.rows[i].row.after, 0, &v));
        if ((int)wire_load_u32(v.data.ptr) == id)
            return &log_.rows[i].row;
    }
    fail_msg("no row %d of %s", id, table);
    return NULL;
}

static const struct binlog_table *
named(const char *name)
{
    for (size_t i = 0; i < log_.n_tables; i++)
        if (span_equal(log_.tables[i]->name, span_of(name)))
            return log_.tables[i];
    fail_msg("no table %s", name);
    return NULL;
}

/* As the text file has it: BIT as a number. */
static void
put_hex(char *out, struct span text, bool is_number)
{
    size_t at = 0;

    if (is_number)
        while (at + 1 < text.len && text.ptr[at] == 0)
            at++;
    out += sprintf(out, "=");
    for (; at < text.len; at++)
        out += sprintf(out, is_number && out[-1] == '=' ? "%x" : "%02x", text.ptr[at]);
}

static void
compare_values(bool has_signs)
{
    char  table[16], kind[16], want[2048];
    int   id;
    unsigned column, n = 0;
    struct buf text = { 0 };

    FILE *file = fopen("tests/unit/binlog_values.txt", "r");
    assert_non_null(file);
    for (; fscanf(file, "%15s %d %u %15s %2047s", table, &id, &column, kind, want) == 5; n++) {
        const struct binlog_table *t = named(table);
        struct binlog_value        v;
        char                       got[2048] = "-";

        assert_true(binlog_image_value(t, inserted(table, id)->after, column, &v));
        buf_clear(&text);
        assert_int_equal(t->has_signs, has_signs);
        if (!v.is_null)
            assert_true(binlog_value_text(&text, &v, v.column->is_unsigned));
        if (!v.is_null)
            put_hex(got, buf_unread(&text), strcmp(kind, "bits") == 0);
        if (has_signs || strcmp(kind, "text") != 0)
            assert_string_equal(got, want);
    }
    fclose(file);
    buf_fini(&text);
    assert_true(n > 500);
}

static void
test_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        static const char *const names[] = { "plain", "packed", "none" };
        load(names[i]);
        compare_values(i != 1); /* "packed" was recorded without the types' signs */
        unload();
    }
}

/* --- encoding ----------------------------------------------------------------------------- */

/* As a DOUBLE's digits. */
static void
text_of(struct buf *out, const struct binlog_value *v)
{
    float f;

    buf_clear(out);
    if (v->column->type != MYSQL_TYPE_FLOAT) {
        assert_true(binlog_value_text(out, v, v->column->is_unsigned));
        return;
    }
    memcpy(&f, v->data.ptr, sizeof(f));
    buf_printf(out, "%.17g", (double)f);
}

static bool
is_packed(const struct binlog_column *c)
{
    return c->type == BINLOG_TYPE_BLOB_COMPRESSED || c->type == BINLOG_TYPE_VARCHAR_COMPRESSED;
}

static size_t
encode_row(const struct binlog_table *t, struct span image)
{
    struct binlog_image it;
    struct binlog_value v;
    struct buf          text = { 0 }, bytes = { 0 };
    size_t              n = 0;

    binlog_image_init(&it, t, image);
    while (binlog_image_next(&it, &v)) {
        if (v.is_null)
            continue;
        if (is_packed(v.column)) {
            assert_false(binlog_value_put(&bytes, v.column, v.data));
            continue;
        }
        text_of(&text, &v);
        buf_clear(&bytes);
        if (!binlog_value_put(&bytes, v.column, buf_unread(&text)) ||
            !span_equal(buf_unread(&bytes), v.bytes))
            fail_msg("%.*s, column %u: '%.*s'", (int)t->name.len, t->name.ptr, (unsigned)v.index,
                     (int)buf_len(&text), text.bytes);
        n++;
    }
    buf_fini(&text);
    buf_fini(&bytes);
    return n;
}

static void
encode_table(const struct binlog_table *t)
{
    struct binlog_table *made   = binlog_table_make(t->columns, t->n_columns);
    bool                 packed = false;

    for (uint32_t i = 0; i < t->n_columns; i++)
        packed = packed || is_packed(&t->columns[i]);
    assert_int_equal(made == NULL, packed);
    assert_true(packed || binlog_table_alike(made, t));
    binlog_table_free(made);
}

static void
test_encoding(void **state)
{
    static const char *const names[] = { "plain", "packed", "none" };
    size_t                   n       = 0;

    (void)state;
    for (size_t i = 0; i < countof(names); i++) {
        load(names[i]);
        for (size_t k = 0; k < log_.n_tables; k++)
            encode_table(log_.tables[k]);
        for (size_t k = 0; k < log_.n_rows; k++)
            if (log_.rows[k].change == BINLOG_INSERT)
                n += encode_row(log_.rows[k].table, log_.rows[k].row.after);
        unload();
    }
    assert_true(n > 1500);
}

static const struct refused {
    uint8_t     type, size;
    uint16_t    meta;
    uint8_t     scale;
    const char *text;
} refused[] = {
    { MYSQL_TYPE_TINY, 1, 0, 0, "256" }, { MYSQL_TYPE_TINY, 1, 0, 0, "-129" },
    { MYSQL_TYPE_TINY, 1, 0, 0, "" }, { MYSQL_TYPE_TINY, 1, 0, 0, "-" },
    { MYSQL_TYPE_TINY, 1, 0, 0, "1x" }, { MYSQL_TYPE_INT24, 3, 0, 0, "16777216" },
    { MYSQL_TYPE_LONGLONG, 8, 0, 0, "18446744073709551616" },
    { MYSQL_TYPE_LONGLONG, 8, 0, 0, "-9223372036854775809" },
    { MYSQL_TYPE_YEAR, 1, 0, 0, "70" }, { MYSQL_TYPE_YEAR, 1, 0, 0, "1900" },
    { MYSQL_TYPE_DOUBLE, 8, 8, 0, "1e999" }, { MYSQL_TYPE_FLOAT, 4, 4, 0, "1e40" },
    { MYSQL_TYPE_DOUBLE, 8, 8, 0, "1,5" },
    { MYSQL_TYPE_NEWDECIMAL, 2, 4, 2, "123.4" }, { MYSQL_TYPE_NEWDECIMAL, 2, 4, 2, "1.234" },
    { MYSQL_TYPE_NEWDECIMAL, 2, 4, 2, "1e1" }, { MYSQL_TYPE_NEWDECIMAL, 2, 4, 2, "-" },
    { MYSQL_TYPE_DATETIME2, 5, 0, 0, "2024-01-01 00:00:00.5" },
    { MYSQL_TYPE_DATETIME2, 6, 1, 0, "2024-01-01 00:00:00.55" },
    { MYSQL_TYPE_DATE, 3, 0, 0, "20240101x" }, { MYSQL_TYPE_TIME2, 3, 0, 0, "noon" },
    { MYSQL_TYPE_TIMESTAMP2, 4, 0, 0, "1969-12-31 23:59:59" },
    { MYSQL_TYPE_TIMESTAMP2, 4, 0, 0, "2107-01-01 00:00:00" },
    { MYSQL_TYPE_TIMESTAMP, 4, 0, 0, "2024-01-01 00:00:00" }, { MYSQL_TYPE_BIT, 1, 8, 0, "ab" },
    { MYSQL_TYPE_VARCHAR, 1, 3, 0, "abcd" }, { MYSQL_TYPE_STRING, 1, 3, 0, "abcd" },
    { MYSQL_TYPE_ENUM, 1, 1, 0, "256" }, { MYSQL_TYPE_SET, 1, 1, 0, "a" },
};

static void
test_what_does_not_fit_is_refused(void **state)
{
    struct buf out = { 0 };

    (void)state;
    for (size_t i = 0; i < countof(refused); i++) {
        const struct refused *r = &refused[i];
        struct binlog_column  c = { .type = r->type, .size = r->size, .meta = r->meta,
                                    .scale = r->scale };

        if (binlog_value_put(&out, &c, span_of(r->text)) || buf_len(&out) != 0)
            fail_msg("type %d: '%s'", r->type, r->text);
    }
    buf_fini(&out);
}

static void
test_describing(void **state)
{
    struct buf           out = { 0 };
    struct binlog_format f;
    struct binlog_event  e;
    struct binlog_batch  b;

    (void)state;
    binlog_format_init(&f, false);
    binlog_describe(&out);
    assert_int_equal(binlog_read(&f, buf_unread(&out), &e), BINLOG_GOOD);
    assert_true(f.known && f.checksums && binlog_batch_init(&b, &f, 0));
    binlog_batch_fini(&b);
    buf_fini(&out);
}

/* --- building ----------------------------------------------------------------------------- */

/* Events of a BINLOG statement; the caller frees them. */
static struct span
decode(struct span sql)
{
    size_t   words = sizeof("BINLOG '") - 1, padding = 0;
    uint8_t *bytes = mem_alloc(sql.len);

    assert_memory_equal(sql.ptr, "BINLOG '", words);
    assert_int_equal(sql.ptr[sql.len - 1], '\'');
    while (sql.ptr[sql.len - 2 - padding] == '=')
        padding++;
    int n = EVP_DecodeBlock(bytes, sql.ptr + words, (int)(sql.len - words - 1));
    assert_true(n > 0);
    return (struct span){ bytes, (size_t)n - padding };
}

/* What a statement does: the rows in order, checked against those that were put in. */
struct replay {
    size_t                     next; /* row of log_ */
    size_t                     n_maps, n_events;
};

static void
replay_rows(struct replay *r, const struct binlog_event *e, struct binlog_table **tables, size_t n)
{
    struct buf          room = { 0 };
    struct binlog_rows  rows;
    struct binlog_row   row;
    struct binlog_table *t = NULL;

    assert_true(binlog_rows_read(e, &room, &rows) && rows.full);
    for (size_t i = 0; i < n; i++)
        if (tables[i]->id == rows.table_id)
            t = tables[i];
    assert_non_null(t);
    assert_true(span_equal(t->database, SPAN("elsewhere")));
    assert_int_equal(rows.flags & ~BINLOG_ROWS_STMT_END,
                     BINLOG_ROWS_NO_FOREIGN_CHECKS | BINLOG_ROWS_NO_CHECKS);
    enum binlog_change change = rows.change;
    while (binlog_rows_next(&rows, t, &row) == BINLOG_ROW) {
        const struct binlog_row *want = &log_.rows[r->next].row;
        assert_int_equal(change, log_.rows[r->next].change);
        assert_true(span_equal(row.before, want->before) && span_equal(row.after, want->after));
        assert_true(binlog_table_alike(t, log_.rows[r->next].table));
        assert_true(span_equal(t->name, log_.rows[r->next++].table->name));
    }
    assert_int_equal(rows.images.len, 0);
    r->n_events++;
    buf_fini(&room);
}

static void
replay(struct replay *r, struct span sql)
{
    struct span          events = decode(sql), left = events;
    struct binlog_table *tables[TABLES];
    struct binlog_format f = log_.format;
    struct binlog_event  e;
    size_t               n_tables = 0;
    uint16_t             flags    = 0;

    for (size_t n; left.len > 0; left = span_from(left, n)) {
        uint32_t column;
        n = wire_load_u32(left.ptr + 9);
        assert_int_equal(flags & BINLOG_ROWS_STMT_END, 0); /* only the last has it */
        assert_int_equal(binlog_read(&f, (struct span){ left.ptr, n }, &e), BINLOG_GOOD);
        if (e.kind == BINLOG_KIND_TABLE_MAP) {
            assert_true(r->n_events == 0 || flags == 0);
            assert_int_equal(binlog_table_new(&e, &tables[n_tables++], &column),
                             BINLOG_TABLE_GOOD);
        } else {
            replay_rows(r, &e, tables, n_tables);
            flags = wire_load_u16(e.body.ptr + 6);
        }
    }
    assert_int_equal(flags & BINLOG_ROWS_STMT_END, BINLOG_ROWS_STMT_END);
    r->n_maps += n_tables;
    while (n_tables > 0)
        binlog_table_free(tables[--n_tables]);
    free((void *)(uintptr_t)events.ptr);
}

static void
run_batches(size_t limit, size_t *n_statements, struct replay *r)
{
    struct binlog_batch b;
    struct buf          sql = { 0 };

    *n_statements = 0;
    assert_true(binlog_batch_init(&b, &log_.format, limit));
    for (size_t i = 0; i < log_.n_rows; i++) {
        if (!binlog_batch_fits(&b, &log_.rows[i].row)) {
            assert_true(binlog_batch_take(&b, &sql));
            assert_true(buf_len(&sql) <= limit || r->next + 1 == i);
            replay(r, buf_unread(&sql));
            (*n_statements)++;
            buf_clear(&sql);
        }
        uint32_t t = binlog_batch_table(&b, log_.rows[i].table, SPAN("elsewhere"),
                                        log_.rows[i].table->name);
        binlog_batch_row(&b, t, log_.rows[i].change, &log_.rows[i].row);
    }
    assert_true(binlog_batch_take(&b, &sql));
    replay(r, buf_unread(&sql));
    (*n_statements)++;
    assert_true(binlog_batch_empty(&b) && !binlog_batch_take(&b, &sql));
    assert_int_equal(r->next, log_.n_rows);
    buf_fini(&sql);
    binlog_batch_fini(&b);
}

static void
test_building(void **state)
{
    static const char *const names[] = { "plain", "packed", "none" };

    (void)state;
    for (size_t i = 0; i < countof(names); i++) {
        struct replay one = { 0 }, many = { 0 };
        size_t        n;

        load(names[i]);
        run_batches(0, &n, &one);
        assert_int_equal(n, 1);
        assert_true(one.n_maps < one.n_events);
        run_batches(3000, &n, &many);
        assert_true(n > 5);
        unload();
    }
}

/* An update whose halves go to different servers. */
static void
test_halves_of_an_update(void **state)
{
    struct binlog_batch b;
    struct buf          sql = { 0 };
    size_t              i   = 0;

    (void)state;
    load("plain");
    while (log_.rows[i].change != BINLOG_UPDATE)
        i++;
    struct binlog_row row = log_.rows[i].row;
    for (int half = 0; half < 2; half++) {
        enum binlog_change change = half ? BINLOG_INSERT : BINLOG_DELETE;
        struct replay      r      = { .next = i };

        assert_true(binlog_batch_init(&b, &log_.format, 0));
        uint32_t t = binlog_batch_table(&b, log_.rows[i].table, SPAN("elsewhere"),
                                        log_.rows[i].table->name);
        binlog_batch_row(&b, t, change, &row);
        assert_true(binlog_batch_take(&b, &sql));
        log_.rows[i].change = change;
        log_.rows[i].row    = half ? (struct binlog_row){ .after = row.after }
                                   : (struct binlog_row){ .before = row.before };
        replay(&r, buf_unread(&sql));
        assert_int_equal(r.next, i + 1);
        buf_clear(&sql);
        binlog_batch_fini(&b);
    }
    buf_fini(&sql);
    unload();
}

static void
test_a_format_that_we_cannot_write(void **state)
{
    struct binlog_format f;
    struct binlog_batch  b;

    (void)state;
    binlog_format_init(&f, true);
    assert_true(binlog_batch_init(&b, &f, 0));
    f.fixed[BINLOG_UPDATE_ROWS_V1] = 6;
    assert_false(binlog_batch_init(&b, &f, 0));
    binlog_format_init(&f, true);
    f.header_bytes = 20;
    assert_false(binlog_batch_init(&b, &f, 0));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_encoding),
        cmocka_unit_test(test_what_does_not_fit_is_refused),
        cmocka_unit_test(test_describing),
        cmocka_unit_test(test_building),
        cmocka_unit_test(test_halves_of_an_update),
        cmocka_unit_test(test_a_format_that_we_cannot_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
