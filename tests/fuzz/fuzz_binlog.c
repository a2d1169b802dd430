/* fuzz_binlog.c - a log's events, whatever they say; and what is built of them reads the same.
 *
 * Input: a byte of options (1: events end with checksums, 2: these are made right first), then
 * events. */
#include <openssl/evp.h>
#include <stdlib.h>
#include <zlib.h>

#include "core/base/memory.h"
#include "core/mysql/binlog_build.h"
#include "core/mysql/binlog_value.h"
#include "core/mysql/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TABLES = 8, CHECKSUMS = 1, MENDED = 2 };

static struct binlog_table *tables[TABLES];
static volatile uint64_t    sink; /* so that what is read is looked at */

static void
check(bool good)
{
    if (!good)
        __builtin_trap();
}

static void
values(const struct binlog_table *t, struct span image)
{
    struct binlog_image it;
    struct binlog_value v;
    struct buf          text = { 0 };
    uint32_t            n    = 0;

    binlog_image_init(&it, t, image);
    for (; binlog_image_next(&it, &v); n++)
        sink = !v.is_null && binlog_value_text(&text, &v, n % 2 != 0);
    check(n == t->n_columns && it.rest.len == 0);
    check(binlog_image_value(t, image, t->n_columns - 1, &v));
    buf_fini(&text);
}

/* What a batch made of one row. */
static void
read_back(struct span sql, const struct binlog_format *f, const struct binlog_row *row)
{
    static const size_t words = sizeof("BINLOG '") - 1;
    uint8_t            *bytes = mem_alloc(sql.len);
    int                 n     = EVP_DecodeBlock(bytes, sql.ptr + words, (int)(sql.len - words - 1));
    struct binlog_format format = *f;
    struct binlog_event  e;
    struct binlog_rows   rows;
    struct binlog_row    again;
    struct binlog_table *t    = NULL;
    struct buf           room = { 0 };
    uint32_t             column;

    check(n > BINLOG_HEADER_BYTES);
    size_t map = wire_load_u32(bytes + 9);
    check(binlog_read(&format, (struct span){ bytes, map }, &e) == BINLOG_GOOD);
    check(binlog_table_new(&e, &t, &column) == BINLOG_TABLE_GOOD);
    size_t len = wire_load_u32(bytes + map + 9);
    check(binlog_read(&format, (struct span){ bytes + map, len }, &e) == BINLOG_GOOD);
    check(binlog_rows_read(&e, &room, &rows) && rows.flags & BINLOG_ROWS_STMT_END && rows.full);
    check(binlog_rows_next(&rows, t, &again) == BINLOG_ROW);
    check(span_equal(again.before, row->before) && span_equal(again.after, row->after));
    check(binlog_rows_next(&rows, t, &again) == BINLOG_END);
    binlog_table_free(t);
    buf_fini(&room);
    free(bytes);
}

static void
rebuild(const struct binlog_format *f, const struct binlog_table *t, enum binlog_change change,
        const struct binlog_row *row)
{
    struct binlog_batch b;
    struct buf          sql = { 0 };

    if (!binlog_batch_init(&b, f, 0))
        return;
    uint32_t table = binlog_batch_table(&b, t, SPAN("d"), t->name);
    check(binlog_batch_table(&b, t, SPAN("d"), t->name) == table);
    binlog_batch_row(&b, table, change, row);
    check(binlog_batch_take(&b, &sql) && !binlog_batch_take(&b, &sql));
    if (buf_len(&sql) < 4096)
        read_back(buf_unread(&sql), f, row);
    binlog_batch_fini(&b);
    buf_fini(&sql);
}

static void
rows_event(const struct binlog_format *f, const struct binlog_event *e)
{
    struct binlog_rows         rows;
    struct binlog_row          row;
    struct buf                 room = { 0 };
    const struct binlog_table *t    = NULL;

    if (binlog_rows_read(e, &room, &rows)) {
        for (size_t i = 0; i < TABLES; i++)
            if (tables[i] != NULL && tables[i]->id == rows.table_id)
                t = tables[i];
        enum binlog_change change = rows.change;
        for (int n = 0; t && n < 64 && binlog_rows_next(&rows, t, &row) == BINLOG_ROW; n++) {
            if (row.before.len != 0)
                values(t, row.before);
            if (row.after.len != 0)
                values(t, row.after);
            rebuild(f, t, change, &row);
        }
    }
    buf_fini(&room);
}

static void
map_event(const struct binlog_event *e)
{
    struct binlog_table *t;
    uint32_t             column = UINT32_MAX;

    enum binlog_table_status status = binlog_table_new(e, &t, &column);
    if (status != BINLOG_TABLE_GOOD)
        return;
    check(binlog_table_alike(t, t));
    for (uint32_t i = 0; i < t->n_columns && t->name.len != 0 && t->name.ptr[0] == 'o'; i++)
        binlog_table_fraction(t, i, (uint8_t)(i % 7));
    binlog_table_free(tables[t->id % TABLES]);
    tables[t->id % TABLES] = t;
}

static void
other_event(const struct binlog_event *e)
{
    struct binlog_rotate    rotate;
    struct binlog_gtid      gtid;
    struct binlog_gtid_list list;
    struct binlog_query     query;
    struct binlog_xid       xid;
    struct span             text;
    struct buf              room = { 0 };
    uint64_t                number, sum = 0;
    bool                    flag;

    if (binlog_gtid_list_read(e, &list))
        for (uint32_t i = 0; i < list.n; i++)
            sum += binlog_gtid_at(&list, i).sequence;
    if (binlog_query_read(e, &room, &query))
        for (size_t i = 0; i < query.text.len; i++)
            sum += query.text.ptr[i];
    sum += binlog_rotate_read(e, &rotate) ? rotate.file.ptr[0] : 0u;
    sum += binlog_gtid_read(e, &gtid) && gtid.xid.gtrid.len != 0 ? gtid.xid.gtrid.ptr[0] : 0u;
    sum += binlog_xa_prepare_read(e, &flag, &xid) ? xid.format : 0u;
    sum += binlog_xid_read(e, &number) + binlog_annotate_read(e, &text);
    sum += binlog_file_read(e, &text) ? text.len : 0;
    sink = sum;
    buf_fini(&room);
}

static void
mend(uint8_t *event, size_t len)
{
    if (len < BINLOG_HEADER_BYTES + BINLOG_CHECKSUM_BYTES)
        return;
    unsigned long crc = crc32(0, event, (unsigned)len - BINLOG_CHECKSUM_BYTES);
    for (int i = 0; i < BINLOG_CHECKSUM_BYTES; i++)
        event[len - BINLOG_CHECKSUM_BYTES + (size_t)i] = (uint8_t)(crc >> i * 8);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct binlog_format format;
    uint8_t             *bytes;

    if (size < 1)
        return 0;
    binlog_format_init(&format, data[0] & CHECKSUMS);
    bytes = mem_alloc(size);
    memcpy(bytes, data + 1, size - 1);
    for (size_t at = 0, len; size - 1 - at >= BINLOG_HEADER_BYTES; at += len) {
        struct binlog_event e;

        len = wire_load_u32(bytes + at + 9);
        if (len < BINLOG_HEADER_BYTES || len > size - 1 - at)
            break;
        if (data[0] & MENDED)
            mend(bytes + at, len);
        if (binlog_read(&format, (struct span){ bytes + at, len }, &e) != BINLOG_GOOD)
            continue;
        if (e.kind == BINLOG_KIND_TABLE_MAP)
            map_event(&e);
        else if (e.kind == BINLOG_KIND_ROWS)
            rows_event(&format, &e);
        else
            other_event(&e);
    }
    for (size_t i = 0; i < TABLES; i++) {
        binlog_table_free(tables[i]);
        tables[i] = NULL;
    }
    free(bytes);
    return 0;
}
