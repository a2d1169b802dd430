/* test_table.c - who owns which key, and how names are found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <xxhash.h>

#include "core/route/table.h"

enum { RANGES_MAX = 20000 };

static struct route_range ranges[RANGES_MAX], grown[RANGES_MAX];
static uint32_t           slices[(1 << 15) + 1];

static struct routes
routes_of(const struct route_range *r, uint32_t n)
{
    struct routes routes = { .ranges = r, .n_ranges = n, .index = slices,
                             .index_bits = routes_index_bits(n) };

    assert_true(((size_t)1 << routes.index_bits) + 1 <= countof(slices));
    routes_index(r, n, routes.index_bits, slices);
    return routes;
}

static uint64_t
number(uint64_t i)
{
    return XXH3_64bits(&i, sizeof(i));
}

/* The definition, by looking at each. */
static uint32_t
owner_slowly(const struct routes *r, uint64_t hash)
{
    uint32_t i = 0;

    while (i + 1 < r->n_ranges && r->ranges[i + 1].start <= hash)
        i++;
    return r->ranges[i].shard;
}

static void
check_owners(const struct routes *r)
{
    for (uint32_t i = 0; i < r->n_ranges; i++) {
        assert_int_equal(routes_owner(r, r->ranges[i].start), r->ranges[i].shard);
        if (i > 0)
            assert_int_equal(routes_owner(r, r->ranges[i].start - 1), r->ranges[i - 1].shard);
    }
    assert_int_equal(routes_owner(r, UINT64_MAX), r->ranges[r->n_ranges - 1].shard);
    for (uint64_t i = 0; i < 300; i++)
        assert_int_equal(routes_owner(r, number(i)), owner_slowly(r, number(i)));
}

static void
every_key_has_its_owner(void **state)
{
    static const uint32_t shapes[][2] = { { 1, 1 }, { 2, 16 }, { 3, 16 }, { 7, 5 },
                                          { 4, 1 }, { 1000, 16 }, { 1024, 16 } };
    (void)state;

    for (size_t i = 0; i < countof(shapes); i++) {
        uint32_t n = shapes[i][0] * shapes[i][1];
        routes_cut(shapes[i][0], shapes[i][1], ranges);
        struct routes r = routes_of(ranges, n);
        check_owners(&r);
    }
}

static int
by_start(const void *a, const void *b)
{
    const struct route_range *x = a, *y = b;

    return (x->start > y->start) - (x->start < y->start);
}

static void
uneven_ranges_are_found_too(void **state)
{
    (void)state;

    for (uint64_t round = 0; round < 200; round++) {
        uint32_t n = 1 + (uint32_t)(number(round) % 300);
        for (uint32_t i = 0; i < n; i++) /* crowded into some slices */
            ranges[i] = (struct route_range){
                .start = i == 0 ? 0 : number(round * 1000 + i) >> number(i) % 50, .shard = i };
        qsort(ranges, n, sizeof(ranges[0]), by_start);
        uint32_t kept = 1;
        for (uint32_t i = 1; i < n; i++)
            if (ranges[i].start != ranges[kept - 1].start)
                ranges[kept++] = ranges[i];
        struct routes r = routes_of(ranges, kept);
        check_owners(&r);
    }
}

static void
rows_spread_evenly(void **state)
{
    (void)state;

    for (uint32_t shards = 2; shards <= 4; shards++) {
        uint32_t count[4] = { 0 };
        routes_cut(shards, 16, ranges);
        struct routes r = routes_of(ranges, shards * 16);
        for (uint64_t id = 1; id <= 10000; id++)
            count[routes_owner(&r, number(id))]++;
        for (uint32_t i = 0; i < shards; i++)
            assert_in_range(count[i], 9500 / shards, 10500 / shards);
    }
}

static double
share(const struct route_range *r, uint32_t n, uint32_t shard)
{
    double keys = 0;

    for (uint32_t i = 0; i < n; i++)
        if (r[i].shard == shard)
            keys += (double)((i + 1 < n ? r[i + 1].start : UINT64_MAX) - r[i].start);
    return keys / 18446744073709551616.0;
}

static void
a_new_shard_takes_an_equal_part_from_every_other(void **state)
{
    (void)state;
    uint32_t n = 1;

    routes_cut(1, 1, ranges);
    for (uint32_t shards = 1; shards < 12; shards++) {
        uint32_t made = routes_grow(ranges, n, shards, shards, grown);
        assert_in_range(made, n, n + shards);
        assert_int_equal(grown[0].start, 0);
        for (uint32_t i = 1; i < made; i++)
            assert_true(grown[i].start > grown[i - 1].start);
        for (uint32_t i = 0; i <= shards; i++)
            assert_true(share(grown, made, i) * (shards + 1) > 0.999 &&
                        share(grown, made, i) * (shards + 1) < 1.001);
        /* A key stays or goes to the new shard. */
        struct routes before = routes_of(ranges, n);
        for (uint64_t i = 0; i < 300; i++) {
            struct routes after = { .ranges = grown, .n_ranges = made };
            uint32_t      owner = owner_slowly(&after, number(i));
            assert_true(owner == shards || owner == owner_slowly(&before, number(i)));
        }
        memcpy(ranges, grown, made * sizeof(ranges[0]));
        n = made;
    }
}

static void
names_are_found(void **state)
{
    (void)state;
    const struct route_database databases[] = {
        { .name = SPAN("Big") }, { .name = SPAN("app") }, { .name = SPAN("b") } };
    const struct route_column columns[] = { { .name = SPAN("Id") },
                                                   { .name = SPAN("name") } };
    const struct route_table tables[] = {
        { .name = SPAN("a"), .database = 0 }, { .name = SPAN("t"), .database = 1 },
        { .name = SPAN("u"), .database = 1, .n_columns = 2, .columns = columns },
        { .name = SPAN("t"), .database = 2 } };
    const struct route_user users[] = { { .name = SPAN("") }, { .name = SPAN("root") } };
    struct routes r = { .n_databases = 3, .databases = databases, .n_tables = 4,
                        .tables = tables, .n_users = 2, .users = users };

    assert_int_equal(routes_database(&r, SPAN("Big")), 0);
    assert_int_equal(routes_database(&r, SPAN("big")), ROUTES_NONE);
    assert_int_equal(routes_database(&r, SPAN("")), ROUTES_NONE);
    assert_int_equal(routes_table(&r, 1, SPAN("t")), 1);
    assert_int_equal(routes_table(&r, 2, SPAN("t")), 3);
    assert_int_equal(routes_table(&r, 0, SPAN("t")), ROUTES_NONE);
    assert_int_equal(routes_table(&r, 1, SPAN("T")), ROUTES_NONE);
    assert_int_equal(routes_user(&r, SPAN("root")), 1);
    assert_int_equal(routes_user(&r, SPAN("")), 0);
    assert_int_equal(routes_column(&tables[2], SPAN("ID")), 0);
    assert_int_equal(routes_column(&tables[2], SPAN("i")), ROUTES_NONE);
    r.lower_case = true;
    assert_int_equal(routes_table(&r, 1, SPAN("T")), 1);
    assert_int_equal(routes_database(&r, SPAN("APP")), 1);
}

static void
letters_beyond_ascii_have_cases(void **state)
{
    (void)state;
    const struct route_column columns[] = { { .name = SPAN("no") }, { .name = SPAN("größe") },
                                            { .name = SPAN("ключ") } };
    const struct route_table tables[] = {
        { .name = SPAN("ab"), .database = 0, .n_columns = 3, .columns = columns },
        { .name = SPAN("größe"), .database = 0 },
    };
    const struct route_database databases[] = { { .name = SPAN("bö") } };
    struct routes r = { .n_databases = 1, .databases = databases, .n_tables = 2,
                        .tables = tables };

    assert_int_equal(routes_column(&tables[0], SPAN("КЛЮЧ")), 2);
    assert_int_equal(routes_column(&tables[0], SPAN("GRÖßE")), 1);
    assert_int_equal(routes_column(&tables[0], SPAN("Ключи")), ROUTES_NONE);
    assert_int_equal(routes_column(&tables[0], SPAN("gr\xf6\xdf" "e")), ROUTES_NONE); /* latin1 */
    assert_int_equal(routes_table(&r, 0, SPAN("GRÖßE")), ROUTES_NONE);
    r.lower_case = true;
    assert_int_equal(routes_table(&r, 0, SPAN("GRÖßE")), 1);
    assert_int_equal(routes_database(&r, SPAN("BÖ")), 0);
}

static void
servers_are_found_by_number(void **state)
{
    (void)state;
    const struct route_shard shards[] = { { .id = 3 }, { .id = 1 } };
    const struct route_shard engines[] = {
        { .id = ROUTES_ENGINE_ID + 1, .state = SHARD_DRAINING },
        { .id = ROUTES_ENGINE_ID + 2, .state = SHARD_UP },
        { .id = ROUTES_ENGINE_ID + 3, .state = SHARD_UP } };
    struct routes r = { .n_shards = 2, .shards = shards, .n_engines = 3, .engines = engines };

    assert_ptr_equal(routes_server(&r, 1), &shards[1]);
    assert_null(routes_server(&r, 2));
    assert_ptr_equal(routes_server(&r, ROUTES_ENGINE_ID + 3), &engines[2]);
    assert_null(routes_server(&r, ROUTES_ENGINE_ID));
    assert_int_equal(routes_engine(&r, 0), 1);
    assert_int_equal(routes_engine(&r, 1), 1);
    assert_int_equal(routes_engine(&r, 2), 2);
    r.n_engines = 1;
    assert_int_equal(routes_engine(&r, 5), ROUTES_NONE);
    r.n_engines = 0;
    assert_int_equal(routes_engine(&r, 0), ROUTES_NONE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_has_its_owner),
        cmocka_unit_test(uneven_ranges_are_found_too),
        cmocka_unit_test(rows_spread_evenly),
        cmocka_unit_test(a_new_shard_takes_an_equal_part_from_every_other),
        cmocka_unit_test(names_are_found),
        cmocka_unit_test(letters_beyond_ascii_have_cases),
        cmocka_unit_test(servers_are_found_by_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
