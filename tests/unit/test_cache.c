/* test_cache.c - the plan cache: found again, never mixed up, bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "core/route/cache.h"

static struct cache_key
key_of(const char *text, uint64_t hash)
{
    return (struct cache_key){ .hash = hash, .text = span_of(text), .schema = SPAN("app"),
                               .generation = 1, .sql_mode = 7, .collation = 45 };
}

static void
insert(struct cache *c, const struct cache_key *key, enum plan_kind kind)
{
    struct plan_ref *p = plan_ref_new();
    p->plan.kind       = kind;
    cache_insert(c, key, p);
    plan_ref_release(p);
}

static void
test_whole_key(void **state)
{
    (void)state;
    struct cache    *c   = cache_new(100, 1 << 20);
    struct cache_key key = key_of("SELECT :i", 5);
    insert(c, &key, PLAN_USE);
    struct plan_ref *found = cache_find(c, &key);
    assert_non_null(found);
    assert_int_equal(found->plan.kind, PLAN_USE);
    plan_ref_release(found);

    /* Another of anything, the hash alone included, is another statement. */
    struct cache_key others[7];
    for (size_t i = 0; i < countof(others); i++)
        others[i] = key;
    others[0].text       = SPAN("SELECT :s");
    others[1].schema     = SPAN("apq");
    others[2].generation = 2;
    others[3].sql_mode   = 6;
    others[4].collation  = 46;
    others[5].flags      = 1;
    others[6].hash       = 6;
    for (size_t i = 0; i < countof(others); i++)
        assert_null(cache_find(c, &others[i]));
    cache_free(c);
}

static void
test_bounds(void **state)
{
    (void)state;
    struct cache      *c = cache_new(50, 1 << 20);
    struct cache_stats stats;
    for (uint32_t i = 0; i < 1000; i++) {
        char text[32];
        snprintf(text, sizeof(text), "SELECT %u", i);
        struct cache_key key = key_of(text, i % 7); /* many share a hash */
        insert(c, &key, PLAN_ONE);
        struct plan_ref *found = cache_find(c, &key);
        assert_non_null(found);
        plan_ref_release(found);
    }
    cache_stats(c, &stats);
    assert_int_equal(stats.entries, 50);
    assert_int_equal(stats.evictions, 950);
    assert_int_equal(stats.hits, 1000);
    cache_clear(c);
    cache_stats(c, &stats);
    assert_int_equal(stats.entries, 0);
    assert_int_equal(stats.bytes, 0);
    cache_free(c);
}

static void
test_used_ones_stay(void **state)
{
    (void)state;
    struct cache    *c   = cache_new(8, 1 << 20);
    struct cache_key hot = key_of("hot", 99);
    insert(c, &hot, PLAN_KILL);
    for (uint32_t i = 0; i < 100; i++) {
        char text[32];
        snprintf(text, sizeof(text), "SELECT %u", i);
        struct cache_key key = key_of(text, i * 0x9e3779b97f4a7c15u);
        plan_ref_release(cache_find(c, &hot));
        insert(c, &key, PLAN_ONE);
    }
    struct plan_ref *found = cache_find(c, &hot);
    assert_non_null(found);
    /* A plan in use outlives the cache. */
    cache_free(c);
    assert_int_equal(found->plan.kind, PLAN_KILL);
    plan_ref_release(found);
}

static void
test_too_large(void **state)
{
    (void)state;
    static char        text[100001];
    struct cache      *c = cache_new(10, 1 << 20);
    struct cache_stats stats;
    memset(text, 'x', sizeof(text) - 1);
    struct cache_key key = key_of(text, 1);
    insert(c, &key, PLAN_ONE);
    cache_stats(c, &stats);
    assert_int_equal(stats.entries, 0);
    cache_free(c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_key),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_used_ones_stay),
        cmocka_unit_test(test_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
