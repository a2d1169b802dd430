/* test_merge_decimal.c - exact decimals: what MariaDB 10.11 answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/route/merge_decimal.h"

static struct decimal
number(const char *text)
{
    struct decimal d;
    if (!decimal_parse(&d, span_of(text)))
        fail_msg("%s is no number", text);
    return d;
}

static void
expect(const struct decimal *d, const char *text)
{
    struct buf out = { 0 };
    decimal_print(&out, d);
    assert_string_equal(buf_cstr(&out), text);
    buf_fini(&out);
}

static void
test_text(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        { "0", "0" }, { "-0", "0" }, { "-0.00", "0.00" }, { "007", "7" }, { "+5", "5" },
        { ".5", "0.5" }, { "5.", "5" }, { "-12.30", "-12.30" }, { "1000000000", "1000000000" },
        { "999999999999999999.000000001", "999999999999999999.000000001" },
        { "0.0000000000000000000000000000000000001", "0.0000000000000000000000000000000000001" },
    };
    static const char *const bad[] = { "", "-", ".", "1e5", "1.2.3", "x", " 1", "1 " };
    for (size_t i = 0; i < countof(rows); i++) {
        struct decimal d = number(rows[i][0]);
        expect(&d, rows[i][1]);
    }
    for (size_t i = 0; i < countof(bad); i++) {
        struct decimal d;
        assert_false(decimal_parse(&d, span_of(bad[i])));
    }
}

static void
test_arithmetic(void **state)
{
    (void)state;
    static const struct {
        char        op;
        const char *a, *b, *result;
    } rows[] = {
        { '+', "1.5", "2.25", "3.75" },       { '+', "-1.5", "1.50", "0.00" },
        { '+', "999999999", "1", "1000000000" }, { '+', "-5", "3", "-2" },
        { '-', "1", "1.001", "-0.001" },      { '-', "1000000000", "1", "999999999" },
        { '*', "1.5", "-2.5", "-3.75" },      { '*', "123456789012", "1000000001",
                                                "123456789135456789012" },
        { '*', "0", "-7", "0" },
    };
    for (size_t i = 0; i < countof(rows); i++) {
        struct decimal a = number(rows[i].a), b = number(rows[i].b);
        assert_true(rows[i].op == '+'   ? decimal_add(&a, &a, &b)
                    : rows[i].op == '-' ? decimal_sub(&a, &a, &b)
                                        : decimal_mul(&a, &a, &b));
        expect(&a, rows[i].result);
    }
}

static void
test_average(void **state)
{
    (void)state;
    static const struct {
        const char *sum;
        uint64_t    count;
        uint8_t     scale;
        const char *result;
    } rows[] = {
        { "10", 4, 4, "2.5000" },        { "10", 3, 4, "3.3333" },
        { "-20", 3, 4, "-6.6667" },      { "0", 7, 4, "0.0000" },
        { "2.00", 3, 6, "0.666667" },    { "1.00005", 3, 9, "0.333350000" },
        { "2.00000", 3, 9, "0.666666666" }, /* cut, not rounded: a whole group of digits */
        { "182.13575", 9, 9, "20.237305555" },
    };
    for (size_t i = 0; i < countof(rows); i++) {
        struct decimal sum = number(rows[i].sum), out;
        assert_true(decimal_avg(&out, &sum, rows[i].count, rows[i].scale));
        expect(&out, rows[i].result);
    }
}

static void
test_order(void **state)
{
    (void)state;
    static const char *const up[] = { "-10", "-9.99", "-0.1", "0", "0.09", "0.1", "1", "9",
                                      "10.5" };
    for (size_t i = 0; i < countof(up); i++)
        for (size_t k = 0; k < countof(up); k++) {
            struct decimal a = number(up[i]), b = number(up[k]);
            int            order = decimal_compare(&a, &b);
            assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
        }
    struct decimal a = number("1.0"), b = number("1");
    assert_int_equal(decimal_compare(&a, &b), 0);
}

static void
test_round(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        uint8_t     scale;
        const char *out;
    } rows[] = {
        { "1.005", 2, "1.01" }, { "-1.005", 2, "-1.01" }, { "1.0049", 2, "1.00" },
        { "9.99", 1, "10.0" },  { "5", 3, "5.000" },      { "0.4", 0, "0" }, { "-0.4", 0, "0" },
    };
    for (size_t i = 0; i < countof(rows); i++) {
        struct decimal d = number(rows[i].in);
        assert_true(decimal_round(&d, rows[i].scale));
        expect(&d, rows[i].out);
    }
}

static void
test_limits(void **state)
{
    (void)state;
    char           digits[200];
    struct decimal d, e;
    uint64_t       u;
    int64_t        i;
    memset(digits, '9', sizeof(digits));
    assert_true(decimal_parse(&d, (struct span){ (const uint8_t *)digits, 108 }));
    assert_false(decimal_parse(&e, (struct span){ (const uint8_t *)digits, 109 }));
    assert_false(decimal_add(&e, &d, &d));
    assert_false(decimal_mul(&e, &d, &d));
    d = number("18446744073709551615");
    assert_true(decimal_to_uint(&d, &u) && u == UINT64_MAX);
    assert_false(decimal_to_int(&d, &i));
    d = number("-9223372036854775808");
    assert_true(decimal_to_int(&d, &i) && i == INT64_MIN);
    d = number("1.5");
    assert_false(decimal_to_int(&d, &i));
    assert_true(decimal_to_double(&d) == 1.5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),  cmocka_unit_test(test_arithmetic),
        cmocka_unit_test(test_average), cmocka_unit_test(test_order),
        cmocka_unit_test(test_round), cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
