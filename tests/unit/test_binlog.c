/* test_binlog.c - what a real server logged (binlog_record.py), read, damaged, and built anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "core/base/memory.h"
#include "core/mysql/binlog_rows.h"
#include "core/mysql/wire.h"

#define S(literal) SPAN(literal)

enum { EVENTS = 1024 };

/* One recorded log. */
struct log {
    uint8_t    *bytes;
    size_t      n;
    struct span events[EVENTS];
    bool        checksums;
};

static const char *const recorded[] = { "plain", "packed", "none" };

static void
load(struct log *log, const char *name)
{
    static uint8_t room[1 << 20];
    char           path[128];

    snprintf(path, sizeof(path), "tests/fuzz/corpus/binlog/%s", name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t len = fread(room, 1, sizeof(room), file);
    fclose(file);
    *log = (struct log){ .bytes = mem_alloc(len), .checksums = room[0] & 1 };
    memcpy(log->bytes, room, len);
    for (size_t at = 1, size; at < len; at += size) {
        size = wire_load_u32(log->bytes + at + 9);
        log->events[log->n++] = (struct span){ log->bytes + at, size };
        assert_true(at + size <= len && log->n < EVENTS);
    }
}

static void
set_checksum(uint8_t *event, size_t len)
{
    unsigned long crc = crc32(0, event, (unsigned)len - 4);

    for (int i = 0; i < 4; i++)
        event[len - 4 + (size_t)i] = (uint8_t)(crc >> i * 8);
}

/* --- what stands in it ----------------------------------------------------------------------- */

static void
test_every_event_is_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(recorded); i++) {
        struct log           log;
        struct binlog_format f;
        unsigned             kinds[BINLOG_KIND_SKIP + 1] = { 0 };

        load(&log, recorded[i]);
        binlog_format_init(&f, log.checksums);
        for (size_t k = 0; k < log.n; k++) {
            struct binlog_event e;
            assert_int_equal(binlog_read(&f, log.events[k], &e), BINLOG_GOOD);
            assert_int_equal(e.server_id, 7);
            kinds[e.kind]++;
        }
        assert_true(f.known);
        assert_int_equal(f.checksums, log.checksums);
        assert_non_null(strstr(f.server_version, "MariaDB"));
        assert_int_equal(kinds[BINLOG_KIND_XA_PREPARE], 1);
        assert_true(kinds[BINLOG_KIND_ROWS] >= 14);
        assert_true(kinds[BINLOG_KIND_TABLE_MAP] >= 14);
        assert_true(kinds[BINLOG_KIND_XID] >= 12);
        assert_int_equal(kinds[BINLOG_KIND_STATEMENT], 2); /* USER_VAR, RAND */
        free(log.bytes);
    }
}

static void
test_transactions_are_told(void **state)
{
    struct log           log;
    struct binlog_format f;
    struct buf           room = { 0 };
    uint64_t             last = 0;
    int                  prepared = 0, completed = 0, savepoints = 0, creates = 0;

    (void)state;
    load(&log, "packed");
    binlog_format_init(&f, log.checksums);
    for (size_t k = 0; k < log.n; k++) {
        struct binlog_event e;
        struct binlog_gtid  g;
        struct binlog_query q;
        struct binlog_xid   x;
        bool                one_phase;

        assert_int_equal(binlog_read(&f, log.events[k], &e), BINLOG_GOOD);
        if (binlog_gtid_read(&e, &g)) {
            assert_true(last == 0 || g.sequence == last + 1);
            last = g.sequence;
            prepared += (g.flags & BINLOG_GTID_PREPARED_XA) != 0;
            completed += (g.flags & BINLOG_GTID_COMPLETED_XA) != 0;
            if (g.flags & (BINLOG_GTID_PREPARED_XA | BINLOG_GTID_COMPLETED_XA)) {
                assert_true(span_equal(g.xid.gtrid, S("trid")));
                assert_true(span_equal(g.xid.bqual, S("qual")));
                assert_int_equal(g.xid.format, 3);
            }
        }
        if (binlog_query_read(&e, &room, &q)) {
            savepoints += q.text.len > 9 && memcmp(q.text.ptr, "SAVEPOINT", 9) == 0;
            creates += q.text.len > 12 && memcmp(q.text.ptr, "CREATE TABLE", 12) == 0;
            assert_true(q.database.len == 0 || span_equal(q.database, S("r")));
        }
        if (binlog_xa_prepare_read(&e, &one_phase, &x))
            assert_true(!one_phase && span_equal(x.gtrid, S("trid")) && x.format == 3);
    }
    assert_int_equal(prepared, 1);
    assert_int_equal(completed, 1);
    assert_int_equal(savepoints, 1);
    assert_true(creates > 5);
    buf_fini(&room);
    free(log.bytes);
}

/* --- damage ---------------------------------------------------------------------------------- */

static void
test_damage_is_seen(void **state)
{
    struct log           log;
    struct binlog_format f;
    struct binlog_event  e;

    (void)state;
    load(&log, "plain");
    binlog_format_init(&f, log.checksums);
    assert_int_equal(binlog_read(&f, log.events[0], &e), BINLOG_GOOD);
    for (size_t k = 0; k < log.n; k++) {
        uint8_t *at = (uint8_t *)(uintptr_t)log.events[k].ptr;
        for (size_t i = 0; i < log.events[k].len; i += 7) {
            at[i] ^= 0x10;
            enum binlog_status status = binlog_read(&f, log.events[k], &e);
            assert_true(status == BINLOG_DAMAGED || status == BINLOG_MALFORMED ||
                        status == BINLOG_TOO_OLD);
            at[i] ^= 0x10;
        }
    }
    free(log.bytes);
}

/* The event's parts, whatever its kind; nothing may be read past its end. */
static void
read_all(const struct binlog_event *e, struct binlog_table **t)
{
    struct buf             room = { 0 };
    struct binlog_rotate   rotate;
    struct binlog_gtid     gtid;
    struct binlog_query    query;
    struct binlog_rows     rows;
    struct binlog_row      row;
    struct binlog_table   *table = NULL;
    uint32_t               column;

    (void)!binlog_rotate_read(e, &rotate);
    (void)!binlog_gtid_read(e, &gtid);
    (void)!binlog_query_read(e, &room, &query);
    if (binlog_table_new(e, &table, &column) == BINLOG_TABLE_GOOD) {
        binlog_table_free(*t);
        *t = table;
    }
    if (*t && binlog_rows_read(e, &room, &rows))
        while (binlog_rows_next(&rows, *t, &row) == BINLOG_ROW)
            continue;
    buf_fini(&room);
}

/* Cut at each byte, with lengths and checksums that agree. */
static void
test_short_events_are_no_trouble(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(recorded); i++) {
        struct log           log;
        struct binlog_format f, again;
        struct binlog_table *t = NULL;
        struct binlog_event  e;

        load(&log, recorded[i]);
        binlog_format_init(&f, log.checksums);
        for (size_t k = 0; k < log.n; k++) {
            struct span whole = log.events[k];
            assert_int_equal(binlog_read(&f, whole, &e), BINLOG_GOOD);
            for (size_t len = 0; len < whole.len; len += len < 200 ? 1 : 23) {
                uint8_t *cut = mem_alloc(len + 1); /* its end is the memory's, for ASan */
                memcpy(cut, whole.ptr, len);
                if (len >= BINLOG_HEADER_BYTES)
                    for (int b = 0; b < 4; b++)
                        cut[9 + b] = (uint8_t)(len >> b * 8);
                if (len >= BINLOG_HEADER_BYTES + 4 && f.checksums)
                    set_checksum(cut, len);
                again = f;
                if (binlog_read(&again, (struct span){ cut, len }, &e) == BINLOG_GOOD)
                    read_all(&e, &t);
                free(cut);
            }
            if (binlog_read(&f, whole, &e) == BINLOG_GOOD)
                read_all(&e, &t);
        }
        binlog_table_free(t);
        free(log.bytes);
    }
}

/* --- made by hand ----------------------------------------------------------------------------- */

static struct span
event(struct buf *out, uint8_t type, uint16_t flags, struct span body)
{
    buf_clear(out);
    wire_put_u32(out, 1700000000);
    wire_put_u8(out, type);
    wire_put_u32(out, 7);
    wire_put_u32(out, (uint32_t)(BINLOG_HEADER_BYTES + body.len));
    wire_put_u32(out, 0);
    wire_put_u16(out, flags);
    buf_append_span(out, body);
    return buf_unread(out);
}

static void
test_kinds(void **state)
{
    static const struct {
        const char        *name;
        uint8_t            type;
        uint16_t           flags;
        enum binlog_status status;
        enum binlog_kind   kind;
    } cases[] = {
        { "unknown", 200, 0, BINLOG_UNKNOWN, 0 },
        { "ignorable", 200, BINLOG_F_IGNORABLE, BINLOG_GOOD, BINLOG_KIND_SKIP },
        { "encrypted", BINLOG_START_ENCRYPTION, 0, BINLOG_ENCRYPTED, 0 },
        { "incident", BINLOG_INCIDENT, 0, BINLOG_LOST, 0 },
        { "start", BINLOG_START_V3, 0, BINLOG_TOO_OLD, 0 },
        { "stop", BINLOG_STOP, 0, BINLOG_GOOD, BINLOG_KIND_SKIP },
        { "heartbeat", BINLOG_HEARTBEAT, 0, BINLOG_GOOD, BINLOG_KIND_HEARTBEAT },
        { "intvar", BINLOG_INTVAR, 0, BINLOG_GOOD, BINLOG_KIND_STATEMENT },
        { "load", BINLOG_EXECUTE_LOAD_QUERY, 0, BINLOG_GOOD, BINLOG_KIND_STATEMENT },
        { "pre-GA rows", 20, 0, BINLOG_UNKNOWN, 0 },
        { "partial rows", 39, 0, BINLOG_UNKNOWN, 0 },
        { "mysql's gtid", 33, 0, BINLOG_UNKNOWN, 0 },
    };
    struct binlog_format f;
    struct binlog_event  e;
    struct buf           room = { 0 };

    (void)state;
    binlog_format_init(&f, false);
    for (size_t i = 0; i < countof(cases); i++) {
        struct span raw = event(&room, cases[i].type, cases[i].flags, S("12345678"));
        if (binlog_read(&f, raw, &e) != cases[i].status)
            fail_msg("%s", cases[i].name);
        if (cases[i].status == BINLOG_GOOD)
            assert_int_equal(e.kind, cases[i].kind);
        assert_true(strlen(binlog_status_text(cases[i].status)) > 5);
    }
    buf_fini(&room);
}

static void
test_second_version_of_rows(void **state)
{
    struct binlog_format f;
    struct binlog_event  e;
    struct binlog_rows   rows;
    struct buf           room = { 0 }, out = { 0 };

    (void)state;
    binlog_format_init(&f, false);
    struct span raw = event(&room, BINLOG_UPDATE_ROWS, 0,
                            S("\5\0\0\0\0\0\1\0\5\0xyz\2\3\1rest"));
    assert_int_equal(binlog_read(&f, raw, &e), BINLOG_GOOD);
    assert_true(binlog_rows_read(&e, &out, &rows));
    assert_int_equal(rows.table_id, 5);
    assert_int_equal(rows.n_columns, 2);
    assert_false(rows.full);
    assert_true(span_equal(rows.images, S("rest")));
    raw = event(&room, BINLOG_WRITE_ROWS, 0, S("\5\0\0\0\0\0\1\0\1\0xyz"));
    assert_int_equal(binlog_read(&f, raw, &e), BINLOG_GOOD);
    assert_false(binlog_rows_read(&e, &out, &rows));
    buf_fini(&room);
    buf_fini(&out);
}

static void
test_unpacking(void **state)
{
    static const struct {
        const char *name;
        struct span bytes;
        const char *text; /* NULL: refused */
    } cases[] = {
        { "good", { (const uint8_t *)"\x81\3x\x9cKLJ\6\0\2M\1'", 13 }, "abc" },
        { "empty", { (const uint8_t *)"", 0 }, NULL },
        { "no mark", { (const uint8_t *)"\1\3x\x9cKLJ\6\0\2M\1'", 13 }, NULL },
        { "another way", { (const uint8_t *)"\x91\3x\x9cKLJ\6\0\2M\1'", 13 }, NULL },
        { "no length", { (const uint8_t *)"\x80x\x9cKLJ\6\0\2M\1'", 12 }, NULL },
        { "length too large", { (const uint8_t *)"\x81\4x\x9cKLJ\6\0\2M\1'", 13 }, NULL },
        { "length too small", { (const uint8_t *)"\x81\2x\x9cKLJ\6\0\2M\1'", 13 }, NULL },
        { "absurd length", { (const uint8_t *)"\x84\xff\xff\xff\xffx\x9cKLJ\6\0\2M\1'", 16 },
          NULL },
        { "cut", { (const uint8_t *)"\x81\3x\x9cKLJ\6\0\2M\1", 12 }, NULL },
        { "more behind", { (const uint8_t *)"\x81\3x\x9cKLJ\6\0\2M\1'z", 14 }, NULL },
    };
    struct buf out = { 0 };

    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        buf_clear(&out);
        bool good = binlog_unpack(cases[i].bytes, &out);
        if (good != (cases[i].text != NULL))
            fail_msg("%s", cases[i].name);
        assert_true(good ? span_equal(buf_unread(&out), span_of(cases[i].text))
                         : buf_len(&out) == 0);
    }
    buf_fini(&out);
}

static void
test_types_without_a_size_are_refused(void **state)
{
    static const struct {
        const char *name;
        struct span tail; /* columns, types, metadata, nulls */
        enum binlog_table_status status;
    } cases[] = {
        { "good", { (const uint8_t *)"\1\3\0\1", 4 }, BINLOG_TABLE_GOOD },
        { "decimal of MySQL 4", { (const uint8_t *)"\2\3\0\0\1", 5 }, BINLOG_TABLE_TYPE },
        { "unknown", { (const uint8_t *)"\2\3\310\0\1", 5 }, BINLOG_TABLE_TYPE },
        { "bit of 65", { (const uint8_t *)"\2\3\20\2\1\10\1", 7 }, BINLOG_TABLE_TYPE },
        { "set of 9", { (const uint8_t *)"\2\3\376\2\370\11\1", 7 }, BINLOG_TABLE_TYPE },
        { "blob of 5", { (const uint8_t *)"\2\3\374\1\5\1", 6 }, BINLOG_TABLE_TYPE },
        { "decimal 66", { (const uint8_t *)"\2\3\366\2\102\0\1", 7 }, BINLOG_TABLE_TYPE },
        { "time of 7", { (const uint8_t *)"\2\3\23\1\7\1", 6 }, BINLOG_TABLE_TYPE },
        { "no columns", { (const uint8_t *)"\0\0", 2 }, BINLOG_TABLE_MALFORMED },
        { "metadata short", { (const uint8_t *)"\1\17\1\5\1", 5 }, BINLOG_TABLE_MALFORMED },
        { "metadata left", { (const uint8_t *)"\1\3\1\5\1", 5 }, BINLOG_TABLE_MALFORMED },
        { "no nulls", { (const uint8_t *)"\1\3\0", 3 }, BINLOG_TABLE_MALFORMED },
        { "option cut", { (const uint8_t *)"\1\3\0\1\1\5x", 7 }, BINLOG_TABLE_MALFORMED },
        { "primary past the end", { (const uint8_t *)"\1\3\0\1\10\1\1", 7 },
          BINLOG_TABLE_MALFORMED },
    };
    struct binlog_format f;
    struct binlog_event  e;
    struct buf           room = { 0 }, body = { 0 };

    (void)state;
    binlog_format_init(&f, false);
    for (size_t i = 0; i < countof(cases); i++) {
        struct binlog_table *t = NULL;
        uint32_t             column = 9;

        buf_clear(&body);
        buf_append_span(&body, S("\5\0\0\0\0\0\1\0\1s\0\1t\0"));
        buf_append_span(&body, cases[i].tail);
        struct span raw = event(&room, BINLOG_TABLE_MAP, 0, buf_unread(&body));
        assert_int_equal(binlog_read(&f, raw, &e), BINLOG_GOOD);
        if (binlog_table_new(&e, &t, &column) != cases[i].status)
            fail_msg("%s", cases[i].name);
        if (cases[i].status == BINLOG_TABLE_TYPE)
            assert_int_equal(column, 1);
        binlog_table_free(t);
    }
    buf_fini(&room);
    buf_fini(&body);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_event_is_known),
        cmocka_unit_test(test_transactions_are_told),
        cmocka_unit_test(test_damage_is_seen),
        cmocka_unit_test(test_short_events_are_no_trouble),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_second_version_of_rows),
        cmocka_unit_test(test_unpacking),
        cmocka_unit_test(test_types_without_a_size_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
