/* test_gtid.c - sets of GTIDs, and parcels that do not fit into memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/move/parcel.h"
#include "ctl/provision/gtid.h"

static struct gtid_set
set_of(const char *text)
{
    struct gtid_set s;

    assert_true(gtid_parse(&s, text));
    return s;
}

static void
expect(const struct gtid_set *s, const char *text)
{
    char out[GTID_TEXT_MAX];

    gtid_print(s, out);
    assert_string_equal(out, text);
}

static void
test_texts(void **state)
{
    static const char *const bad[] = { "0", "0-1", "0-1-", "a-1-2", "0-1-2x", "0-1-2 3-4-5",
                                       "4294967296-1-1", "-1-1-1", ",0-1-2" };
    struct gtid_set s;

    (void)state;
    s = set_of("5-1-7, 0-2-3,\n4294967295-1-18446744073709551615");
    expect(&s, "0-2-3,5-1-7,4294967295-1-18446744073709551615");
    s = set_of("");
    expect(&s, "");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(gtid_parse(&s, bad[i]));
}

static void
test_meaning(void **state)
{
    struct gtid_set a = set_of("0-1-10,5-1-7"), b = set_of("0-2-12,9-1-1"), c = a;

    (void)state;
    assert_true(gtid_has(&a, (struct gtid){ 0, 9, 10 }));
    assert_false(gtid_has(&a, (struct gtid){ 0, 1, 11 }));
    assert_false(gtid_has(&a, (struct gtid){ 1, 1, 1 }));
    assert_false(gtid_has_all(&a, &b));
    gtid_join(&a, &b);
    expect(&a, "0-2-12,5-1-7,9-1-1");
    assert_true(gtid_has_all(&a, &b) && gtid_has_all(&a, &c));
    gtid_meet(&c, &b);
    expect(&c, "0-1-10");
    assert_true(gtid_add(&c, (struct gtid){ 3, 1, 1 }));
    expect(&c, "0-1-10,3-1-1");
    for (uint32_t i = 10; c.n < GTID_DOMAINS_MAX; i++)
        assert_true(gtid_add(&c, (struct gtid){ i, UINT32_MAX, UINT64_MAX }));
    assert_false(gtid_add(&c, (struct gtid){ 7, 1, 1 }));
    assert_true(gtid_add(&c, (struct gtid){ 3, 1, 2 }));
}

enum { ROWS = 3000, ROW = 1000 };

static void
put(struct parcel *p, uint32_t i)
{
    static uint8_t       bytes[ROW];
    struct parcel_record r = { 'U', i, { bytes, 8 }, { bytes, ROW - (i % 7) } };

    memset(bytes, (int)(i % 251), sizeof(bytes));
    assert_int_equal(parcel_put(p, &r), 0);
}

static void
check(const struct parcel *p, uint32_t n)
{
    struct parcel_reader r;
    struct parcel_record got;

    parcel_read(&r, p);
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(parcel_next(&r, &got), 1);
        assert_int_equal(got.number, i);
        assert_int_equal(got.second.len, ROW - (i % 7));
        assert_int_equal(got.second.ptr[got.second.len - 1], i % 251);
    }
    assert_int_equal(parcel_next(&r, &got), 0);
    parcel_read_end(&r);
}

static void
test_parcel(void **state)
{
    struct parcel        p = { .folder = "/tmp" }, copy = { .folder = "/tmp" };
    struct parcel_reader r;
    struct span          piece;
    uint64_t             at[ROWS + 1];

    (void)state;
    for (uint32_t i = 0; i < ROWS; i++) {
        at[i] = parcel_size(&p);
        put(&p, i);
    }
    assert_true(p.spilled > PARCEL_MEMORY);
    assert_int_equal(p.rows, ROWS);
    check(&p, ROWS);
    parcel_read(&r, &p);
    while (parcel_piece(&r, 70000, &piece) == 0 && piece.len > 0)
        assert_int_equal(parcel_put_bytes(&copy, piece), 0);
    parcel_read_end(&r);
    check(&copy, ROWS);
    for (uint32_t n = ROWS; n > 0; n /= 2) { /* in memory, in the file, to its start */
        assert_int_equal(parcel_cut(&p, at[n - 1], n - 1), 0);
        check(&p, n - 1);
        put(&p, n - 1);
        check(&p, n);
    }
    assert_int_equal(parcel_cut(&p, 0, 0), 0);
    check(&p, 0);
    parcel_fini(&p);
    parcel_fini(&copy);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_meaning),
        cmocka_unit_test(test_parcel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
