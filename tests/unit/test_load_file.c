/* test_load_file.c - files of LOAD DATA: whole, byte by byte, and cut in every place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "core/route/load_file.h"

enum { UTF8MB4 = 45, BINARY = 63, GBK = 28, COLUMNS = 3 };

struct row {
    const char *name, *field, *line, *start;
    int         enclosed, escape;
    const char *file, *expected; /* fields with | behind, records with / */
};

static const struct row rows[] = {
    { "the usual one",      "\t", "\n", "", -1, '\\', "1\ta\tb\n2\tc\td\n", "1|a|b|/2|c|d|/" },
    { "no end of the last", "\t", "\n", "", -1, '\\', "1\ta\tb\n2\tc", "1|a|b|/2|c|-|/" },
    { "too many",           "\t", "\n", "", -1, '\\', "1\t2\t3\t4\n5\n", "1|2|3|/5|-|-|/" },
    { "an empty line",      "\t", "\n", "", -1, '\\', "\n1\n", "|-|-|/1|-|-|/" },
    { "no line",            "\t", "\n", "", -1, '\\', "", "" },
    { "escapes",            ",", "\n", "", -1, '\\', "\\N,a\\tb\\,c,\\\n\n", "NULL|a\tb,c|\n|/" },
    { "quotes",             ",", "\n", "", '"', '\\', "\"a\nb\",\"c\"\"d\",\"e\n",
      "a\nb|c\"d|\"e\n|/" },
    { "NULL as a word",     ",", "\n", "", '"', '\\', "NULL,\"NULL\",\\NULL\n",
      "NULL|NULL|NULL|/" },
    { "a prefix",           ",", "\n", ">>", -1, '\\', "no\n>>1,2,3\n>x>>4\n>", "1|2|3|/4|-|-|/" },
    { "long separators",    "--", "aab", "", -1, -1, "1--2-3--4aab5a--aaab", "1|2-3|4|/5a|a|-|/" },
    { "no lines",           ",", "", "", -1, '\\', "1,2,3,4,5,6", "1|2|3|/4|5|6|/" },
    { "one separator",      ",", ",", "", -1, '\\', "1,2,3,4,5,6,", "1|2|3|/4|5|6|/" },
    { "escape is quote",    ",", "\n", "", '"', '"', "\"a\"\"b\",c\n", "a\"b|c|-|/" },
    { "characters",         ",", "\n", "", -1, '\\', "\xc3\xa9,\xf0\x9f\x98\x80\n",
      "\xc3\xa9|\xf0\x9f\x98\x80|-|/" },
    { "no character",       ",", "\n", "", -1, '\\', "\xff,\xf0\n\n", "\xff|\xf0|-|/|-|-|/" },
    { "half a character",   ",", "\n", "", -1, '\\', "1,\xf0\x9f", "1|\xf0\x9f|-|/" },
    { "escape at the end",  ",", "\n", "", -1, '\\', "1,2\\", "1|2\\|-|/" },
};

static struct load_format
format_of(const struct row *r)
{
    struct load_format f = {
        .field_term = span_of(r->field), .line_term = span_of(r->line),
        .line_start = span_of(r->start), .enclosed = r->enclosed, .escape = r->escape,
        .n_columns  = COLUMNS,
    };

    assert_true(load_format_finish(&f, UTF8MB4));
    return f;
}

static void
put(struct buf *out, const struct load_field *fields)
{
    for (int i = 0; i < COLUMNS; i++) {
        if (!fields[i].present)
            buf_append_text(out, "-");
        else if (fields[i].null)
            buf_append_text(out, "NULL");
        else
            buf_append_span(out, fields[i].value);
        buf_append_text(out, "|");
    }
    buf_append_text(out, "/");
}

/* The file comes in pieces of so many bytes. */
static void
read_in_pieces(const struct row *r, size_t piece, struct buf *out)
{
    static const uint32_t wanted[COLUMNS] = { 0, 1, 2 };
    struct load_format    f    = format_of(r);
    struct load_field     fields[COLUMNS];
    struct buf            room = { 0 };
    struct span           file = span_of(r->file);
    size_t                at = 0, there = 0, start, used;

    for (;;) {
        bool             whole = there == file.len;
        enum load_status s = load_record(&f, (struct span){ file.ptr + at, there - at }, whole,
                                         wanted, COLUMNS, fields, &room, &start, &used);
        if (s == LOAD_END)
            break;
        if (s == LOAD_RECORD) {
            put(out, fields);
            at += used;
            assert_true(at <= there && start <= used);
        } else {
            assert_false(whole);
            there = file.len - there < piece ? file.len : there + piece;
        }
    }
    buf_fini(&room);
}

static void
records(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(rows); i++)
        for (size_t piece = 1; piece < 40; piece += 3) {
            struct buf out = { 0 };
            print_message("  %s, %zu bytes at once\n", rows[i].name, piece);
            read_in_pieces(&rows[i], piece, &out);
            assert_string_equal(buf_cstr(&out), rows[i].expected);
            buf_fini(&out);
        }
}

/* What a field was written as, so that it can be replaced. */
static void
ranges(void **state)
{
    (void)state;
    static const uint32_t wanted[] = { 1 };
    struct load_format    f        = format_of(&rows[6]);
    struct load_field     field;
    struct buf            room = { 0 };
    size_t                start, used;
    struct span           line = SPAN("1,\"a\"\"b\",c\nrest");

    assert_int_equal(load_record(&f, line, true, wanted, 1, &field, &room, &start, &used),
                     LOAD_RECORD);
    assert_int_equal(used, 11);
    assert_int_equal(field.from, 2);
    assert_int_equal(field.to, 8);
    assert_true(span_equal(field.value, SPAN("a\"b")));
    buf_fini(&room);
}

static void
skipped_lines(void **state)
{
    (void)state;
    struct load_format f = format_of(&rows[0]);
    size_t             used;

    assert_int_equal(load_skip_line(&f, SPAN("a\\\nb\nc"), false, &used), LOAD_RECORD);
    assert_int_equal(used, 5);
    assert_int_equal(load_skip_line(&f, SPAN("abc"), false, &used), LOAD_MORE);
    assert_int_equal(load_skip_line(&f, SPAN("abc"), true, &used), LOAD_END);
}

static void
formats_that_are_refused(void **state)
{
    (void)state;
    struct load_format fixed = { .line_term = SPAN("\n"), .enclosed = -1, .escape = -1 };
    struct load_format wide  = { .field_term = SPAN("\xc3\xa9"), .line_term = SPAN("\n"),
                                 .enclosed = -1, .escape = -1 };
    struct load_format zero  = { .field_term = SPAN("\0"), .enclosed = -1, .escape = -1 };
    struct load_format good  = { .field_term = SPAN(","), .enclosed = -1, .escape = -1 };

    assert_false(load_format_finish(&fixed, BINARY));
    assert_false(load_format_finish(&wide, BINARY));
    assert_false(load_format_finish(&zero, BINARY));
    assert_false(load_format_finish(&good, GBK));
    assert_true(load_format_finish(&good, BINARY));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records),
        cmocka_unit_test(ranges),
        cmocka_unit_test(skipped_lines),
        cmocka_unit_test(formats_that_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
