/* test_bulk.c - COM_STMT_BULK_EXECUTE taken apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "core/mysql/bulk.h"

enum { N = 2 };

/* Statement 5, types BIGINT UNSIGNED and VAR_STRING; (7, 'ab'), (NULL, DEFAULT), (1, ''). */
static const uint8_t sent[] = {
    0xfa, 5, 0, 0, 0, 128, 0, 8, 0x80, 253, 0,
    0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 2, 'a', 'b',
    1, 2,
    0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0,
};

static void
rows_and_indicators(void **state)
{
    uint16_t            types[N] = { PARAM_UNBOUND, PARAM_UNBOUND };
    enum bulk_indicator at[N];
    struct param_value  params[N];
    struct bulk         bulk;

    (void)state;
    assert_true(bulk_decode((struct span){ sent, sizeof(sent) }, N, types, &bulk));
    assert_int_equal(bulk.flags, BULK_TYPES);
    assert_true(bulk_next(&bulk.rows, N, types, at, params));
    assert_true(params[0].is_unsigned && params[0].bytes.ptr[0] == 7);
    assert_true(span_equal(params[1].bytes, SPAN("ab")) && !params[1].is_null);
    assert_true(bulk_next(&bulk.rows, N, types, at, params));
    assert_true(at[0] == BULK_NULL && at[1] == BULK_DEFAULT && params[0].is_null);
    assert_true(bulk_next(&bulk.rows, N, types, at, params));
    assert_true(at[1] == BULK_VALUE && params[1].bytes.len == 0 && !params[1].is_null);
    assert_int_equal(bulk.rows.len, 0);
}

static void
types_come_once(void **state)
{
    static const uint8_t later[] = { 0xfa, 5, 0, 0, 0, 0, 0, 1, 1 };
    uint16_t             types[N] = { PARAM_UNBOUND, PARAM_UNBOUND };
    struct bulk          bulk;

    (void)state;
    assert_false(bulk_decode((struct span){ later, sizeof(later) }, N, types, &bulk));
    assert_true(bulk_decode((struct span){ sent, sizeof(sent) }, N, types, &bulk));
    assert_true(bulk_decode((struct span){ later, sizeof(later) }, N, types, &bulk));
    assert_int_equal(bulk.rows.len, 2);
    assert_false(bulk_decode((struct span){ later, sizeof(later) }, 0, types, &bulk));
}

/* Cut anywhere it is malformed, or ends between two rows; nothing behind it is read. */
static void
cut_anywhere(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof(sent); len++) {
        uint8_t            *copy     = malloc(len + 1);
        uint16_t            types[N] = { PARAM_UNBOUND, PARAM_UNBOUND };
        enum bulk_indicator at[N];
        struct param_value  params[N];
        struct bulk         bulk;

        copy = realloc(copy, len != 0 ? len : 1);
        memcpy(copy, sent, len);
        bool good = bulk_decode((struct span){ copy, len }, N, types, &bulk);
        assert_int_equal(good, len > 11);
        while (good && bulk.rows.len != 0)
            good = bulk_next(&bulk.rows, N, types, at, params);
        assert_int_equal(good, len == 24 || len == 26);
        free(copy);
    }
}

static void
unknown_indicators(void **state)
{
    static const uint8_t odd[] = { 4, 1 }, null_type[] = { 0, 0 };
    static const uint16_t types[N] = { 8, 253 }, nulls[N] = { 6, 6 };
    enum bulk_indicator   at[N];
    struct param_value    params[N];
    struct span           rows = { odd, sizeof(odd) };

    (void)state;
    assert_false(bulk_next(&rows, N, types, at, params));
    rows = (struct span){ null_type, sizeof(null_type) };
    assert_true(bulk_next(&rows, N, nulls, at, params));
    assert_true(params[0].is_null && rows.len == 0);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_and_indicators), cmocka_unit_test(types_come_once),
        cmocka_unit_test(cut_anywhere), cmocka_unit_test(unknown_indicators),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
