/* binlog_build.c - see binlog_build.h. */
#include "core/mysql/binlog_build.h"

#include <assert.h>
#include <openssl/evp.h>
#include <zlib.h>

#include "core/mysql/wire.h"

enum {
    MAP_FIXED   = 8,
    ROWS_FIXED  = 8,
    AT_LENGTH   = 9,  /* in the header */
    AT_FLAGS    = 6,  /* in a rows event's fixed part */
    ROW_ROOM    = 64, /* more than an event's parts that are no rows */
    PACKET_ROOM = 64, /* of a statement's packet: the command, and words */
    ENCODE_MAX  = 3 << 28, /* bytes that one call of OpenSSL encodes: divisible by three */
};

static const char words[] = "BINLOG '";

bool
binlog_batch_init(struct binlog_batch *b, const struct binlog_format *f, size_t limit)
{
    if (f->header_bytes != BINLOG_HEADER_BYTES || f->fixed[BINLOG_TABLE_MAP] != MAP_FIXED)
        return false;
    for (int type = BINLOG_WRITE_ROWS_V1; type <= BINLOG_DELETE_ROWS_V1; type++)
        if (f->fixed[type] != ROWS_FIXED)
            return false;
    *b = (struct binlog_batch){
        .format = f, .limit = limit != 0 ? limit : BINLOG_BATCH_BYTES,
        .flags = BINLOG_ROWS_NO_FOREIGN_CHECKS | BINLOG_ROWS_NO_CHECKS,
    };
    return true;
}

void
binlog_batch_fini(struct binlog_batch *b)
{
    buf_fini(&b->maps);
    buf_fini(&b->rows);
}

static void
put_header(const struct binlog_batch *b, struct buf *out, uint8_t type)
{
    wire_put_u32(out, b->timestamp);
    wire_put_u8(out, type);
    wire_put_u32(out, b->server_id);
    wire_put_u32(out, 0); /* the length, when it is known */
    wire_put_u32(out, 0);
    wire_put_u16(out, 0);
}

static void
store_u32(uint8_t *at, size_t v)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(v >> i * 8);
}

/* The event from `start` to the end of `out` gets its length and its checksum. */
static void
finish_event(const struct binlog_batch *b, struct buf *out, size_t start)
{
    size_t len = buf_len(out) - start;
    size_t all = len + (b->format->checksums ? BINLOG_CHECKSUM_BYTES : 0);

    assert(all <= UINT32_MAX);
    store_u32(out->bytes + out->start + start + AT_LENGTH, all);
    if (b->format->checksums)
        wire_put_u32(out, (uint32_t)crc32_z(0, out->bytes + out->start + start, len));
}

static void
put_id(struct buf *out, uint32_t table)
{
    wire_put_u32(out, table);
    wire_put_u16(out, 0);
}

static void
put_map(const struct binlog_batch *b, struct buf *out, uint32_t table,
        const struct binlog_table *t, struct span database, struct span name)
{
    size_t start = buf_len(out);

    assert(database.len <= UINT8_MAX && name.len <= UINT8_MAX);
    put_header(b, out, BINLOG_TABLE_MAP);
    put_id(out, table);
    wire_put_u16(out, t->flags);
    wire_put_u8(out, (uint8_t)database.len);
    wire_put_nul(out, database);
    wire_put_u8(out, (uint8_t)name.len);
    wire_put_nul(out, name);
    wire_put_lenenc(out, t->n_columns);
    buf_append_span(out, t->types);
    wire_put_lenenc_bytes(out, t->meta);
    buf_append_span(out, t->nulls);
    finish_event(b, out, start);
}

/* Two maps are the same when all behind their numbers is. */
static bool
same_map(const struct binlog_batch *b, const uint8_t *a, size_t len_a, const uint8_t *c,
         size_t len_c)
{
    size_t skip = BINLOG_HEADER_BYTES + 6, tail = b->format->checksums ? BINLOG_CHECKSUM_BYTES : 0;

    return len_a == len_c && memcmp(a + skip, c + skip, len_a - skip - tail) == 0;
}

uint32_t
binlog_batch_table(struct binlog_batch *b, const struct binlog_table *t, struct span database,
                   struct span name)
{
    size_t   end = buf_len(&b->maps);
    uint32_t i   = 0;

    put_map(b, &b->maps, b->n_tables + 1, t, database, name);
    const uint8_t *maps = b->maps.bytes + b->maps.start, *new = maps + end;
    for (size_t at = 0, len; at < end; at += len, i++) {
        len = wire_load_u32(maps + at + AT_LENGTH);
        if (!same_map(b, maps + at, len, new, buf_len(&b->maps) - end))
            continue;
        b->maps.end = b->maps.start + end;
        return i + 1;
    }
    return ++b->n_tables;
}

/* Four letters for three bytes. */
static size_t
text_bytes(size_t len)
{
    return (len + 2) / 3 * 4 + sizeof(words);
}

bool
binlog_batch_fits(const struct binlog_batch *b, const struct binlog_row *row)
{
    size_t len = buf_len(&b->maps) + buf_len(&b->rows) + row->before.len + row->after.len;

    return binlog_batch_empty(b) || text_bytes(len + ROW_ROOM) <= b->limit;
}

static void
close_event(struct binlog_batch *b, uint16_t flags)
{
    if (!b->is_open)
        return;
    uint8_t *at = b->rows.bytes + b->rows.start + b->open + BINLOG_HEADER_BYTES + AT_FLAGS;
    at[0] = (uint8_t)flags;
    at[1] = (uint8_t)(flags >> 8);
    finish_event(b, &b->rows, b->open);
    b->is_open = false;
}

/* The number of columns of a table's map. */
static uint64_t
columns_of(const struct binlog_batch *b, uint32_t table)
{
    const uint8_t *at = b->maps.bytes + b->maps.start;

    assert(table >= 1 && table <= b->n_tables);
    for (uint32_t i = 1; i < table; i++)
        at += wire_load_u32(at + AT_LENGTH);
    struct cursor c = cursor_of((struct span){ at, wire_load_u32(at + AT_LENGTH) });
    wire_skip(&c, BINLOG_HEADER_BYTES + MAP_FIXED);
    for (int name = 0; name < 2; name++) {
        uint8_t len = wire_u8(&c);
        wire_skip(&c, len + 1u);
    }
    return wire_lenenc(&c);
}

static void
open_event(struct binlog_batch *b, uint32_t table, enum binlog_change change)
{
    static const uint8_t types[] = {
        [BINLOG_INSERT] = BINLOG_WRITE_ROWS_V1, [BINLOG_UPDATE] = BINLOG_UPDATE_ROWS_V1,
        [BINLOG_DELETE] = BINLOG_DELETE_ROWS_V1,
    };
    uint64_t n = columns_of(b, table);

    b->open        = buf_len(&b->rows);
    b->is_open     = true;
    b->open_table  = table;
    b->open_change = change;
    put_header(b, &b->rows, types[change]);
    put_id(&b->rows, table);
    wire_put_u16(&b->rows, b->flags);
    wire_put_lenenc(&b->rows, n);
    buf_append_span(&b->rows, b->present);
    for (int bitmaps = b->present.len > 0 ? 0 : change == BINLOG_UPDATE ? 2 : 1; bitmaps > 0;
         bitmaps--)
        for (uint64_t left = n; left > 0; left -= left < 8 ? left : 8)
            wire_put_u8(&b->rows, (uint8_t)(left < 8 ? (1u << left) - 1 : 0xff));
}

void
binlog_batch_row(struct binlog_batch *b, uint32_t table, enum binlog_change change,
                 const struct binlog_row *row)
{
    if (b->is_open && (b->open_table != table || b->open_change != change))
        close_event(b, b->flags);
    if (!b->is_open)
        open_event(b, table, change);
    if (change != BINLOG_INSERT)
        buf_append_span(&b->rows, row->before);
    if (change != BINLOG_DELETE)
        buf_append_span(&b->rows, row->after);
}

bool
binlog_batch_take(struct binlog_batch *b, struct buf *sql)
{
    if (binlog_batch_empty(b))
        return false;
    close_event(b, b->flags | BINLOG_ROWS_STMT_END);
    buf_append_span(&b->maps, buf_unread(&b->rows));
    binlog_statement(sql, buf_unread(&b->maps));
    buf_clear(&b->maps);
    buf_clear(&b->rows);
    b->n_tables = 0;
    return true;
}

void
binlog_statement(struct buf *sql, struct span events)
{
    buf_append_text(sql, words);
    for (size_t n; events.len > 0; events = span_from(events, n)) {
        n = events.len < ENCODE_MAX ? events.len : ENCODE_MAX;
        int len = EVP_EncodeBlock(buf_reserve(sql, (n + 2) / 3 * 4 + 1), events.ptr, (int)n);
        buf_commit(sql, (size_t)len);
    }
    buf_append_byte(sql, '\'');
}

static bool
run_half(const char *variable, struct span half, binlog_run_fn run, void *context)
{
    struct buf sql = { 0 };

    buf_printf(&sql, "SET @%s = '", variable);
    buf_append_span(&sql, half);
    buf_append_byte(&sql, '\'');
    bool good = run(context, buf_unread(&sql));
    buf_fini(&sql);
    return good;
}

enum binlog_run
binlog_run(struct span sql, size_t packet_max, binlog_run_fn run, void *context)
{
    size_t      begin = sizeof(words) - 1, half = sql.len / 2;
    size_t      room  = packet_max > PACKET_ROOM ? packet_max - PACKET_ROOM : 0;
    struct span text  = { sql.ptr + begin, sql.len - begin - 1 };

    if (sql.len <= room)
        return run(context, sql) ? BINLOG_RUN_DONE : BINLOG_RUN_FAILED;
    if (sql.len - half > room)
        return BINLOG_RUN_TOO_LONG;
    bool good = run_half("shardd_binlog_0", (struct span){ text.ptr, half }, run, context) &&
                run_half("shardd_binlog_1", span_from(text, half), run, context) &&
                run(context, SPAN("BINLOG @shardd_binlog_0, @shardd_binlog_1"));
    return good ? BINLOG_RUN_DONE : BINLOG_RUN_FAILED;
}
