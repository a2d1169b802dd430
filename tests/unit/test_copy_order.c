/* test_copy_order.c - primary keys: their order, as texts in a row, and what lies behind one.
 *
 * The orders are a server's: test_copy.py asks one about many more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/move/copy_part.h"

#define S(text) { (const uint8_t *)(text), sizeof(text) - 1 }
#define MOST 8

static const struct {
    const char         *name;
    struct route_column column;
    struct span         texts[MOST]; /* ascending */
} orders[] = {
    { "integers", { .type = COLUMN_INT },
      { S("-2147483648"), S("-10"), S("-9"), S("0"), S("9"), S("10"), S("2147483647") } },
    { "unsigned, with zeros in front", { .type = COLUMN_BIGINT, .is_unsigned = true },
      { S("0000"), S("0009"), S("0010"), S("9999"), S("18446744073709551615") } },
    { "decimals", { .type = COLUMN_DECIMAL, .length = 5, .scale = 2 },
      { S("-10.50"), S("-9.50"), S("-0.01"), S("0.00"), S("0.01"), S("9.99"), S("10.00") } },
    { "times", { .type = COLUMN_TIME, .length = 1 },
      { S("-838:59:59.0"), S("-100:00:00.0"), S("-99:00:00.0"), S("-00:00:00.1"),
        S("00:00:00.0"), S("99:59:59.9"), S("100:00:00.0") } },
    { "dates", { .type = COLUMN_DATE },
      { S("0000-00-00"), S("2001-00-00"), S("2001-02-31"), S("9999-12-31") } },
    { "bits", { .type = COLUMN_BIT, .length = 12 },
      { S("\0\0"), S("\0\1"), S("\0\xff"), S("\1\0"), S("\x0f\xff") } },
    { "binary", { .type = COLUMN_BINARY, .length = 3 },
      { S("\0\0\0"), S("a"), S("a\0b"), S("b\0\0"), S("\xff") } },
    { "varbinary", { .type = COLUMN_VARBINARY },
      { S(""), S("\0"), S("\0\0"), S("a"), S("a\0"), S("\xff") } },
    { "general_ci", { .type = COLUMN_VARCHAR, .collation = 45 },
      { S(""), S("a\t"), S("A"), S("a b"), S("\xc3\x84" "b"), S("B"), S("_"),
        S("\xe4\xb8\xad") } },
    { "utf8mb4_bin", { .type = COLUMN_VARCHAR, .collation = 46 },
      { S(""), S("A"), S("a\t"), S("a"), S("a!"), S("\xc3\xa4"), S("\xf0\x9f\x98\x80") } },
    { "latin1_bin", { .type = COLUMN_CHAR, .collation = 47 },
      { S("A"), S("a"), S("\x80"), S("\xe4"), S("\xff") } },
    { "ascii", { .type = COLUMN_CHAR, .collation = 11 },
      { S(""), S("A"), S("b"), S("Z"), S("_"), S("~") } },
};

static int
sign(int order)
{
    return (order > 0) - (order < 0);
}

static void
test_orders(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(orders); i++) {
        print_message("  %s\n", orders[i].name);
        assert_true(copy_order_known(&orders[i].column));
        for (size_t a = 0; a < MOST && orders[i].texts[a].ptr; a++)
            for (size_t b = 0; b < MOST && orders[i].texts[b].ptr; b++)
                assert_int_equal(sign(copy_order(&orders[i].column, orders[i].texts[a],
                                                 orders[i].texts[b])), (a > b) - (a < b));
    }
}

static const struct {
    const char         *name;
    struct route_column column;
    struct span         a, b;
} equals[] = {
    { "case", { .type = COLUMN_VARCHAR, .collation = 45 }, S("abC"), S("ABc") },
    { "spaces at the end", { .type = COLUMN_VARCHAR, .collation = 46 }, S("a"), S("a  ") },
    { "expanded", { .type = COLUMN_VARCHAR, .collation = 224 }, S("\xc3\x9f"), S("ss") },
    { "zeros that a log leaves out", { .type = COLUMN_BINARY, .length = 4 }, S("a"),
      S("a\0\0\0") },
    { "zerofill", { .type = COLUMN_INT }, S("0007"), S("7") },
};

static void
test_equals(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(equals); i++) {
        print_message("  %s\n", equals[i].name);
        assert_int_equal(copy_order(&equals[i].column, equals[i].a, equals[i].b), 0);
    }
}

static const struct route_column unknown[] = {
    { .type = COLUMN_DOUBLE }, { .type = COLUMN_ENUM }, { .type = COLUMN_UUID },
    { .type = COLUMN_VARCHAR, .collation = 54 },   /* utf16 */
    { .type = COLUMN_VARCHAR, .collation = 1070 }, /* does not pad */
    { .type = COLUMN_TEXT, .collation = 45 },
};

static void
test_unknown(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(unknown); i++)
        assert_false(copy_order_known(&unknown[i]));
}

static void
test_keys(void **state)
{
    static const struct span bad[] = { S(""), S(":"), S("3:ab"), S("x"), S("3"), S("-1:a"),
                                       S("9999999999:a") };
    struct buf  key = { 0 };
    struct span left, text;

    (void)state;
    copy_key_append(&key, (struct span)S("a:\0"));
    copy_key_append(&key, (struct span)S(""));
    left = buf_unread(&key);
    assert_true(copy_key_take(&left, &text) && span_equal(text, (struct span)S("a:\0")));
    assert_true(copy_key_take(&left, &text) && text.len == 0);
    assert_false(copy_key_take(&left, &text));
    for (size_t i = 0; i < countof(bad); i++) {
        left = bad[i];
        assert_false(copy_key_take(&left, &text));
    }
    buf_fini(&key);
}

/* --- statements --- */

static const struct route_column columns[] = {
    { .name = S("id"), .type = COLUMN_INT },
    { .name = S("n`n"), .type = COLUMN_VARCHAR, .collation = 45 },
    { .name = S("f"), .type = COLUMN_FLOAT },
    { .name = S("e"), .type = COLUMN_ENUM },
    { .name = S("g"), .type = COLUMN_INT, .generated = true },
    { .name = S("u"), .type = COLUMN_UUID },
};
static const struct route_table table = {
    .name = S("t"), .kind = TABLE_SHARDED, .key = 0, .n_columns = countof(columns),
    .columns = columns,
};

static void
test_statements(void **state)
{
    struct move       m = { .job = 7 };
    struct move_table mt = { .number = 3, .database = "d", .name = "t", .before = &table,
                             .after = &table, .n_primary = 2, .primary = { 1, 0 },
                             .primary_plain = true };
    struct copy_table t = { .t = NULL };
    struct buf        sql = { 0 }, key = { 0 };
    struct sql_error  error;

    (void)state;
    assert_true(copy_table_init(&t, &m, &mt, 1, &error));
    assert_true(t.ordered);
    copy_key_append(&key, (struct span)S("a'"));
    assert_false(copy_table_select(&t, buf_unread(&key), 10, &sql)); /* half a key */
    copy_key_append(&key, (struct span)S("5"));
    buf_clear(&sql);
    assert_true(copy_table_select(&t, buf_unread(&key), 10, &sql));
    assert_string_equal(buf_cstr(&sql),
        "SELECT `id`,`n``n`,CAST(`f` AS DOUBLE),CAST(`e` AS UNSIGNED),`u` FROM `d`.`t` "
        "FORCE INDEX (PRIMARY) WHERE `n``n` >= _utf8mb4 x'6127' AND (`n``n` > _utf8mb4 x'6127' "
        "OR (`id` > 5)) ORDER BY `n``n`,`id` LIMIT 10");
    assert_string_equal(buf_cstr(&t.load),
        "LOAD DATA LOCAL INFILE 'shardd' INTO TABLE `d`.`t` CHARACTER SET binary FIELDS "
        "TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' "
        "(`id`,`n``n`,`f`,@shardd_3,@shardd_4) SET `e` = CAST(@shardd_3 AS UNSIGNED), "
        "`u` = CONVERT(@shardd_4 USING latin1)");
    assert_non_null(strstr(buf_cstr(&t.load_in), "IGNORE INTO TABLE `shardd_move`.`in_7_3` "));
    assert_non_null(strstr(buf_cstr(&t.load_out), "IGNORE INTO TABLE `shardd_move`.`out_7_3` "));
    copy_table_fini(&t, 1);

    mt.n_primary = 0;
    t = (struct copy_table){ .t = NULL };
    assert_false(copy_table_init(&t, &m, &mt, 1, &error));
    assert_non_null(strstr(error.message, "has no primary key"));
    copy_table_fini(&t, 1);
    buf_fini(&sql);
    buf_fini(&key);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders),  cmocka_unit_test(test_equals),
        cmocka_unit_test(test_unknown), cmocka_unit_test(test_keys),
        cmocka_unit_test(test_statements),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
