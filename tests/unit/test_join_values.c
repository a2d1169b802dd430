/* test_join_values.c - values of one table's column as a list for another's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "core/route/gather.h"
#include "core/route/join_values.h"
#include "core/route/keyhash.h"

#define INTEGER(t, u) { .type = (t), .is_unsigned = (u) }
#define STRING(t, n, c) { .type = (t), .length = (n), .collation = (c) }

enum { GENERAL = 45, BIN = 46, LATIN1 = 8, UCA1400 = 2304, NOPAD = 1069, BINARY = 63 };

static const struct route_column
    tiny = INTEGER(COLUMN_TINYINT, false), tiny_u = INTEGER(COLUMN_TINYINT, true),
    normal = INTEGER(COLUMN_INT, false), big = INTEGER(COLUMN_BIGINT, false),
    big_u = INTEGER(COLUMN_BIGINT, true), text = STRING(COLUMN_VARCHAR, 20, GENERAL),
    latin1 = STRING(COLUMN_VARCHAR, 20, LATIN1), bytes = STRING(COLUMN_VARBINARY, 20, BINARY);

/* Sixteen keys of shard 0, then sixteen of shard 1, and so on. */
static struct routes
two_shards(struct route_range ranges[32], uint32_t index[1 << 6])
{
    struct routes r = { .n_shards = 2, .n_ranges = 32, .ranges = ranges, .index = index };

    routes_cut(2, 16, ranges);
    r.index_bits = 5;
    routes_index(ranges, 32, r.index_bits, index);
    return r;
}

/* ---- lists ---- */

static const struct {
    const struct route_column *of, *column;
    const char                *values; /* with | between */
    const char                *list;   /* NULL: it gives up */
} lists[] = {
    { &normal, &normal, "1|2|1|-3", "1,2,-3" },
    { &normal, &normal, "00042|42|-0", "42,-0" }, /* ZEROFILL */
    { &normal, &tiny, "127|128|-128|-129|300", "127,-128" },
    { &normal, &tiny_u, "-1|0|255|256", "0,255" },
    { &big_u, &big, "18446744073709551615|9223372036854775808|9223372036854775807",
      "9223372036854775807" },
    { &big, &big_u, "-9223372036854775808|9223372036854775807", "9223372036854775807" },
    { &big_u, &big_u, "18446744073709551615", "18446744073709551615" },
    { &big_u, &big_u, "18446744073709551616", NULL },
    { &normal, &normal, "", NULL },
    { &normal, &normal, "-", NULL },
    { &normal, &normal, "1.5", NULL },
    { &text, &text, "a|A|a |ä", "_utf8mb4 x'61',_utf8mb4 x'41',_utf8mb4 x'6120',"
                                "_utf8mb4 x'c3a4'" },
    { &text, &text, "'\\|", "_utf8mb4 x'275c',_utf8mb4 x''" },
    { &text, &text, "a|\xc3(", NULL }, /* what is no text could be no literal */
    { &latin1, &latin1, "\xe4", "_latin1 x'e4'" },
    { &bytes, &bytes, "\xff\xfe", "_binary x'fffe'" },
};

static void
test_lists(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(lists); i++) {
        struct join_values v;
        struct buf         out = { 0 };
        const char        *at  = lists[i].values;
        join_values_init(&v, lists[i].of, 100);
        for (;;) {
            size_t n = strcspn(at, "|");
            join_values_add(&v, (struct span){ (const uint8_t *)at, n });
            if (at[n] == '\0')
                break;
            at += n + 1;
        }
        assert_int_equal(v.gave_up, lists[i].list == NULL);
        if (lists[i].list != NULL) {
            join_values_text(&v, lists[i].column, false, NULL, ROUTES_NONE, &out);
            buf_append_byte(&out, 0);
            if (strcmp((const char *)buf_unread(&out).ptr, lists[i].list) != 0)
                fail_msg("%s: %s", lists[i].values, (const char *)buf_unread(&out).ptr);
        }
        buf_fini(&out);
        join_values_fini(&v);
    }
}

/* ---- bounds ---- */

static void
add_number(struct join_values *v, int n)
{
    char digits[16];
    int  len = snprintf(digits, sizeof(digits), "%d", n);

    join_values_add(v, (struct span){ (const uint8_t *)digits, (size_t)len });
}

static void
test_bounds(void **state)
{
    (void)state;
    struct join_values v;

    join_values_init(&v, &normal, 1000);
    for (int i = 0; i < 5000; i++)
        add_number(&v, i % 1000);
    assert_false(v.gave_up);
    assert_int_equal(v.n, 1000);
    add_number(&v, 1000);
    assert_true(v.gave_up);
    assert_int_equal(v.n, 0);
    add_number(&v, 1);
    assert_int_equal(v.n, 0);

    join_values_init(&v, &normal, 0);
    assert_true(v.gave_up);

    uint8_t long_value[1 << 12] = { 0 };
    join_values_init(&v, &bytes, 1000000);
    for (uint32_t i = 0; i < JOIN_VALUES_BYTES / sizeof(long_value); i++) {
        assert_false(v.gave_up);
        memcpy(long_value, &i, sizeof(i));
        join_values_add(&v, (struct span){ long_value, sizeof(long_value) });
    }
    join_values_add(&v, SPAN("one more"));
    assert_true(v.gave_up);
    join_values_fini(&v);
}

/* ---- keys ---- */

static void
test_keys(void **state)
{
    (void)state;
    struct route_range ranges[32];
    uint32_t           index[1 << 6];
    struct routes      r = two_shards(ranges, index);
    struct join_values v;
    struct buf         each[2] = { { 0 }, { 0 } };

    join_values_init(&v, &normal, 100);
    for (int i = 0; i < 8; i++)
        add_number(&v, i);
    for (uint32_t s = 0; s < 2; s++) {
        join_values_text(&v, &big, true, &r, s, &each[s]);
        buf_append_byte(&each[s], 0);
        assert_true(join_values_on(&v, &big, &r, s));
    }
    for (int i = 0; i < 8; i++) {
        char             digit[2] = { (char)('0' + i), 0 };
        struct key_value key      = { .kind = KEY_VALUE_INT, .bytes = span_of(digit) };
        uint64_t         hash;
        assert_int_equal(keyhash_compare(&big, &key, &hash), KEY_HASH);
        for (uint32_t s = 0; s < 2; s++)
            assert_int_equal(strchr((const char *)buf_unread(&each[s]).ptr, digit[0]) != NULL,
                             routes_owner(&r, hash) == s);
    }
    join_values_fini(&v);
    join_values_init(&v, &normal, 100);
    assert_false(join_values_on(&v, &big, &r, 0));
    for (int s = 0; s < 2; s++)
        buf_fini(&each[s]);
    join_values_fini(&v);
}

/* ---- which columns ---- */

static void
test_which(void **state)
{
    (void)state;
    static const struct route_column
        bin = STRING(COLUMN_VARCHAR, 20, BIN), ch = STRING(COLUMN_CHAR, 20, GENERAL),
        longer = STRING(COLUMN_VARCHAR, 99, GENERAL), tailored = STRING(COLUMN_VARCHAR, 20, 228),
        nopad = STRING(COLUMN_VARCHAR, 20, NOPAD), uca = STRING(COLUMN_VARCHAR, 20, UCA1400),
        two = STRING(COLUMN_BINARY, 2, BINARY), three = STRING(COLUMN_BINARY, 3, BINARY),
        blob = STRING(COLUMN_BLOB, 0, BINARY), lob = STRING(COLUMN_TEXT, 0, GENERAL),
        day = INTEGER(COLUMN_DATE, false), number = INTEGER(COLUMN_DECIMAL, false),
        set = STRING(COLUMN_ENUM, 0, GENERAL);
    static const struct {
        const struct route_column *a, *b;
        bool                       is;
    } pairs[] = {
        { &tiny, &big_u, true },     { &text, &text, true },   { &text, &longer, true },
        { &text, &bin, false },      { &text, &ch, false },    { &text, &latin1, false },
        { &ch, &ch, true },          { &nopad, &nopad, false }, { &tailored, &tailored, false },
        { &uca, &uca, false },       { &two, &two, true },     { &two, &three, false },
        { &bytes, &bytes, true },    { &bytes, &two, false },  { &blob, &blob, false },
        { &lob, &lob, false },       { &day, &day, false },    { &number, &number, false },
        { &normal, &number, false }, { &normal, &text, false }, { &set, &set, false },
    };

    for (size_t i = 0; i < countof(pairs); i++) {
        assert_int_equal(gather_lists(pairs[i].a, pairs[i].b), pairs[i].is);
        assert_int_equal(gather_lists(pairs[i].b, pairs[i].a), pairs[i].is);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists), cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_keys),  cmocka_unit_test(test_which),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
