/* test_load_line.c - rows as lines of a file, and read back as a server does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "core/mysql/load_line.h"
#include "core/mysql/row.h"
#include "core/route/load_file.h"

enum { COLUMNS_MAX = 4, BINARY = 63 };

/* A cell is text; "-" alone is NULL. Forms: p plain, b bytes, e epoch. */
static const struct row {
    const char *name, *forms;
    const char *cells[COLUMNS_MAX];
    const char *line; /* NULL: refused */
} rows[] = {
    { "numbers", "ppp", { "1", "-2.50", "3e10" }, "1\t-2.50\t3e10\n" },
    { "one empty cell", "b", { "" }, "\n" },
    { "NULL and words like it", "bbbb", { "-", "NULL", "\\N", "N" }, "\\N\tNULL\t\\\\N\tN\n" },
    { "what has a meaning", "b", { "a\tb\nc\\d" }, "a\\\tb\\\nc\\\\d\n" },
    { "what has none", "bb", { "\"'`,;\r\b", "\x1a\xff\x80" }, "\"'`,;\r\b\t\x1a\xff\x80\n" },
    { "long without", "b", { "0123456789abcdef0123456789abcdef" },
      "0123456789abcdef0123456789abcdef\n" },
    { "long with one at the end", "b", { "0123456789abcdef\n" }, "0123456789abcdef\\\n\n" },
    { "only such", "b", { "\\\\\\\\\\\\\\\\\\" }, "\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\n" },
    { "epoch", "e", { "1000000000" }, "2001-09-09 01:46:40\n" },
    { "epoch, its first second", "e", { "1" }, "1970-01-01 00:00:01\n" },
    { "epoch, the zero date", "e", { "0" }, "0000-00-00 00:00:00\n" },
    { "epoch, the zero date with digits", "e", { "0.000000" }, "0000-00-00 00:00:00.000000\n" },
    { "epoch with a fraction", "e", { "1709164799.999999" }, "2024-02-28 23:59:59.999999\n" },
    { "epoch, leap day", "e", { "1709164800" }, "2024-02-29 00:00:00\n" },
    { "epoch, no leap year", "e", { "4107542400" }, "2100-03-01 00:00:00\n" },
    { "epoch, the last of 32 bits", "e", { "4294967295" }, "2106-02-07 06:28:15\n" },
    { "epoch NULL", "e", { "-" }, "\\N\n" },
    { "no epoch", "e", { "12a" }, NULL },
    { "an epoch below 0", "e", { "-1" }, NULL },
    { "an epoch too large", "e", { "4294967296" }, NULL },
    { "an epoch with a long fraction", "e", { "1.1234567" }, NULL },
    { "an epoch with two points", "e", { "1.2.3" }, NULL },
};

static uint32_t
forms_of(const struct row *r, uint8_t *forms)
{
    uint32_t n = 0;

    for (const char *p = r->forms; *p != 0; p++)
        forms[n++] = (uint8_t)(*p == 'p' ? LOAD_FORM_PLAIN : *p == 'b' ? LOAD_FORM_BYTES
                                                                       : LOAD_FORM_EPOCH);
    return n;
}

static void
cells_of(const struct row *r, uint32_t n, struct cell *cells)
{
    for (uint32_t i = 0; i < n; i++) {
        cells[i].is_null = strcmp(r->cells[i], "-") == 0;
        cells[i].bytes   = cells[i].is_null ? (struct span){ 0 } : span_of(r->cells[i]);
    }
}

static void
check_line(const struct row *r, bool ok, const struct buf *out)
{
    struct span line = buf_unread(out);

    if (ok != (r->line != NULL) || (ok && !span_equal(line, span_of(r->line))))
        fail_msg("%s: got %s", r->name, ok ? "another line" : "none");
    if (!ok)
        assert_int_equal(line.len, 0);
}

static void
text_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        uint8_t          forms[COLUMNS_MAX], seq = 0;
        struct cell      cells[COLUMNS_MAX];
        struct load_line l   = { .n = forms_of(&rows[i], forms), .forms = forms };
        struct buf       row = { 0 }, out = { 0 };

        cells_of(&rows[i], l.n, cells);
        row_text_encode(&row, &seq, cells, l.n);
        check_line(&rows[i], load_line_text(&l, span_from(buf_unread(&row), 4), &out), &out);
        buf_fini(&row);
        buf_fini(&out);
    }
}

static void
binary_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        uint8_t          forms[COLUMNS_MAX], seq = 0;
        struct cell      cells[COLUMNS_MAX], room[COLUMNS_MAX];
        struct column    columns[COLUMNS_MAX] = { 0 };
        struct load_line l   = { .forms = forms, .columns = columns, .cells = room };
        struct buf       row = { 0 }, out = { 0 };

        l.n = forms_of(&rows[i], forms);
        for (uint32_t c = 0; c < l.n; c++)
            columns[c].type = forms[c] == LOAD_FORM_BYTES ? MYSQL_TYPE_BLOB
                                                          : MYSQL_TYPE_NEWDECIMAL;
        cells_of(&rows[i], l.n, cells);
        row_binary_encode(&row, &seq, columns, cells, l.n);
        check_line(&rows[i], load_line_binary(&l, span_from(buf_unread(&row), 4), &out), &out);
        buf_fini(&row);
        buf_fini(&out);
    }
}

static void
binary_numbers(void **state)
{
    static const uint8_t int_bytes[]   = { 0xfe, 0xff, 0xff, 0xff };
    static const uint8_t epoch_bytes[] = { 0, 0xca, 0x9a, 0x3b, 0, 0, 0, 0 };
    static const uint8_t date_bytes[]  = { 0xe8, 0x07, 2, 29 };
    static const uint8_t real_bytes[]  = { 0, 0, 0, 0, 0, 0, 0, 0x80 }; /* -0.0 */
    const struct column  columns[]     = {
               { .type = MYSQL_TYPE_LONG },
               { .type = MYSQL_TYPE_LONGLONG },
               { .type = MYSQL_TYPE_DATE },
               { .type = MYSQL_TYPE_DOUBLE, .decimals = NOT_FIXED_DEC },
    };
    const uint8_t     forms[] = { LOAD_FORM_PLAIN, LOAD_FORM_EPOCH, LOAD_FORM_PLAIN,
                                  LOAD_FORM_PLAIN };
    const struct cell cells[] = {
        { .bytes = { int_bytes, sizeof(int_bytes) } },
        { .bytes = { epoch_bytes, sizeof(epoch_bytes) } },
        { .bytes = { date_bytes, sizeof(date_bytes) } },
        { .bytes = { real_bytes, sizeof(real_bytes) } },
    };
    struct cell      room[4];
    struct load_line l   = { .n = 4, .forms = forms, .columns = columns, .cells = room };
    struct buf       row = { 0 }, out = { 0 };
    uint8_t          seq = 0;

    (void)state;
    row_binary_encode(&row, &seq, columns, cells, 4);
    assert_true(load_line_binary(&l, span_from(buf_unread(&row), 4), &out));
    assert_string_equal(buf_cstr(&out), "-2\t2001-09-09 01:46:40\t2024-02-29\t-0\n");
    buf_fini(&row);
    buf_fini(&out);
}

/* Every pair of bytes comes back as it was. */
static void
bytes_come_back(void **state)
{
    static const uint32_t wanted[] = { 0 };
    struct load_format f = { .field_term = SPAN("\t"), .line_term = SPAN("\n"),
                             .enclosed = LOAD_NO_BYTE, .escape = '\\', .n_columns = 1 };
    const uint8_t    forms[] = { LOAD_FORM_BYTES };
    struct load_line l       = { .n = 1, .forms = forms };

    (void)state;
    assert_true(load_format_finish(&f, BINARY));
    for (unsigned i = 0; i < 0x10000; i++) {
        uint8_t           bytes[] = { 'x', (uint8_t)i, (uint8_t)(i >> 8) }, seq = 0;
        const struct cell cell    = { .bytes = { bytes, sizeof(bytes) } };
        struct load_field field;
        struct buf        row = { 0 }, out = { 0 }, room = { 0 };
        size_t            start, used;

        row_text_encode(&row, &seq, &cell, 1);
        assert_true(load_line_text(&l, span_from(buf_unread(&row), 4), &out));
        assert_int_equal(load_record(&f, buf_unread(&out), true, wanted, 1, &field, &room, &start,
                                     &used), LOAD_RECORD);
        assert_int_equal(used, buf_len(&out));
        assert_true(!field.null && span_equal(field.value, cell.bytes));
        buf_fini(&row);
        buf_fini(&out);
        buf_fini(&room);
    }
}

static void
malformed_rows(void **state)
{
    static const char *const bad[] = {
        "", "\x01", "\x01" "a" "\x02" "b", "\x01" "a\x01" "b\x01" "c",
        "\xfc\xff\xff" "a\x01" "b", "\xff\x01" "b",
    };
    const uint8_t            forms[] = { LOAD_FORM_BYTES, LOAD_FORM_BYTES };
    struct load_line         l       = { .n = 2, .forms = forms };

    (void)state;
    for (size_t i = 0; i < countof(bad); i++) {
        struct buf out = { 0 };
        buf_append_text(&out, "before");
        assert_false(load_line_text(&l, span_of(bad[i]), &out));
        assert_string_equal(buf_cstr(&out), "before");
        buf_fini(&out);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_rows),       cmocka_unit_test(binary_rows),
        cmocka_unit_test(binary_numbers),  cmocka_unit_test(bytes_come_back),
        cmocka_unit_test(malformed_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
