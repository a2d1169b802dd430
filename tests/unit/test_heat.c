/* test_heat.c - keys that come often, latencies in few buckets, and what the monitor makes of
 * them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "core/base/memory.h"
#include "ctl/scale/hot.h"
#include "ctl/scale/measure.h"
#include "shm/slots.h"

static struct heat_sketch sketch;

static void
add(struct slot_heat *heat, uint64_t key, uint64_t now_ms)
{
    char     text[32];
    uint32_t row;
    uint64_t hash = XXH3_64bits(&key, sizeof(key));

    heat_count(heat, hash);
    snprintf(text, sizeof(text), "%llu", (unsigned long long)key);
    if (heat_add(&sketch, heat, hash, now_ms, &row))
        heat_name(&sketch, heat, row, span_of("app"), span_of("t"), span_of(text));
}

/* Whatever comes, a key's true count is within what is said, and the frequent are there. */
static void
test_sketch(void **state)
{
    struct slot_heat *heat = mem_alloc(sizeof(*heat));
    uint32_t          truth[5000] = { 0 }, seen = 0;

    (void)state;
    srandom(99);
    heat_begin(&sketch, heat, 1);
    for (int i = 0; i < 100000; i++) {
        uint64_t key = random() % 10 < 5 ? (uint64_t)random() % 5 : (uint64_t)random() % 5000;
        truth[key]++;
        add(heat, key, 1);
    }
    for (uint32_t row = 0; row < HEAT_KEYS; row++) {
        struct heat_key k;

        assert_true(heat_read(heat, row, &k));
        uint64_t key = strtoull(k.key, NULL, 10);
        assert_true(k.count - k.error <= truth[key] && truth[key] <= k.count);
        assert_string_equal(k.table, "app.t");
        seen += key < 5;
    }
    assert_int_equal(seen, 5);
    assert_true(atomic_load(&heat->samples) == 100000);

    /* A while later they are forgotten. */
    for (uint64_t i = 1; i < 30; i++)
        add(heat, 7777, 1 + i * HEAT_HALF_MS);
    struct heat_key only;
    seen = 0;
    for (uint32_t row = 0; row < HEAT_KEYS; row++)
        if (heat_read(heat, row, &only)) {
            assert_string_equal(only.key, "7777");
            seen++;
        }
    assert_int_equal(seen, 1);
    free(heat);
}

static void
test_texts(void **state)
{
    struct slot_heat *heat = mem_alloc(sizeof(*heat));
    struct heat_key   k;
    char              longer[200];
    uint32_t          row;

    (void)state;
    memset(longer, 'x', sizeof(longer));
    memcpy(longer + HEAT_KEY_MAX - 1, "\xc3\xa4", 2);
    heat_begin(&sketch, heat, 1);
    assert_true(heat_add(&sketch, heat, 5, 1, &row));
    heat_name(&sketch, heat, row, (struct span){ (uint8_t *)longer, 40 },
              (struct span){ (uint8_t *)longer, 64 }, (struct span){ (uint8_t *)longer, 200 });
    assert_true(heat_read(heat, row, &k));
    assert_int_equal(k.key_len, 200);
    assert_int_equal(strnlen(k.key, HEAT_KEY_MAX), HEAT_KEY_MAX - 1); /* no half character */
    assert_int_equal(strnlen(k.table, HEAT_TABLE_MAX), HEAT_TABLE_MAX);
    assert_false(heat_add(&sketch, heat, 5, 1, &row));
    atomic_fetch_add(&heat->key[row].lock.count, 1); /* killed in the middle */
    assert_false(heat_read(heat, row, &k));
    heat_begin(&sketch, heat, 1);
    assert_false(heat_read(heat, row, &k));
    add(heat, 3, 1);
    assert_true(heat_read(heat, 0, &k));
    free(heat);
}

static void
test_latency(void **state)
{
    static const uint64_t us[] = { 0, 1, 5, 8, 9, 100, 999, 12345, 1000000, 130000000 };
    _Atomic uint32_t      live[LATENCY_BUCKETS] = { 0 };
    uint32_t              count[LATENCY_BUCKETS] = { 0 };

    (void)state;
    assert_true(isnan(latency_quantile(count, 0.5)));
    for (size_t i = 0; i < countof(us); i++) {
        uint32_t one[LATENCY_BUCKETS] = { 0 };

        one[latency_bucket(us[i])] = 3;
        double got = latency_quantile(one, 0.5);
        if (fabs(got - (double)us[i]) > 2 + (double)us[i] * 0.125)
            fail_msg("%llu us: %g", (unsigned long long)us[i], got);
    }
    assert_int_equal(latency_bucket(UINT64_MAX / 2000), LATENCY_BUCKETS - 1);
    for (uint64_t i = 1; i <= 10000; i++)
        latency_record(live, i);
    for (int i = 0; i < LATENCY_BUCKETS; i++)
        count[i] = live[i];
    assert_true(fabs(latency_quantile(count, 0.5) - 5000) < 100);
    assert_true(fabs(latency_quantile(count, 0.95) - 9500) < 200);
    assert_true(fabs(latency_quantile(count, 0.99) - 9900) < 600);
}

/* --- from slots to the monitor -------------------------------------------------- */

static char         instance[SEGMENT_INSTANCE_MAX];
static struct slots slots;

static int
setup(void **state)
{
    struct err err;

    (void)state;
    snprintf(instance, sizeof(instance), "test-h%d", (int)getpid());
    segment_unlink(SEGMENT_SLOTS, instance);
    if (!slots_create(&slots, instance, 1, 8, &err))
        fail_msg("%s", err.text);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    slots_close(&slots);
    segment_unlink(SEGMENT_SLOTS, instance);
    return 0;
}

static void
test_measure(void **state)
{
    struct measure    *m = measure_new();
    struct slot       *slot = (struct slot *)(uintptr_t)slots_at(&slots, 0);
    struct slot_shard *shard = slot_shard(slot, 12);
    struct shard_load  out;

    (void)state;
    shard_load_init(&out, 12, "s");
    measure_look(m, NULL);
    measure_look(m, &slots);
    measure_take(m, 12, &out);
    assert_true(isnan(out.statements_per_s)); /* one look */
    for (int i = 0; i < 100; i++) {
        slot_shard_add(shard, SHARD_COUNTER_STATEMENTS, 1);
        slot_shard_took(shard, 1000);
    }
    slot_shard_add(shard, SHARD_COUNTER_OPEN, (uint64_t)-1); /* read in the middle */
    usleep(20000);
    measure_look(m, &slots);
    measure_take(m, 12, &out);
    assert_true(fabs(out.statements_per_s * out.seconds - 100) < 0.1);
    assert_true(fabs(out.latency_mean_us - 1000) < 1 && fabs(out.latency_p99_us - 1000) < 130);
    assert_true(out.errors_per_s == 0 && out.connections == 0 && isnan(out.cpu));
    usleep(2000);
    measure_look(m, &slots);
    shard_load_init(&out, 12, "s");
    measure_take(m, 12, &out);
    assert_true(out.statements_per_s == 0 && isnan(out.latency_p50_us));
    shard_load_init(&out, 99, "unknown");
    measure_take(m, 99, &out);
    assert_true(out.statements_per_s == 0);
    measure_free(m);
}

static void
test_hot(void **state)
{
    struct hot      *h = hot_new();
    struct load     *l = load_new();
    struct slot     *slot = (struct slot *)(uintptr_t)slots_at(&slots, 0);
    json_t          *map = json_pack("{s:[[s,i],[s,i]]}", "ranges", "0000000000000000", 1,
                                     "8000000000000000", 2);
    struct load_key  keys[LOAD_KEYS_MAX];
    float           *heat = mem_alloc(LOAD_PARTS * sizeof(*heat));
    struct timespec  began, ended;

    (void)state;
    heat_begin(&sketch, &slot->heat, 1);
    clock_gettime(CLOCK_MONOTONIC, &began);
    hot_look(h, &slots);
    hot_put(h, map, l);
    assert_false(load_heat(l, heat));
    for (int i = 0; i < 1000; i++)
        add(&slot->heat, i % 2 ? 4711 : (uint64_t)i + 10000, 1);
    usleep(100000);
    hot_look(h, &slots);
    hot_put(h, map, l);
    assert_true(load_heat(l, heat));
    clock_gettime(CLOCK_MONOTONIC, &ended);
    double seconds = (double)(ended.tv_sec - began.tv_sec) +
                     (double)(ended.tv_nsec - began.tv_nsec) / 1e9; /* 0.1, or busier */
    double all = load_heat_of(heat, NULL, 0, 0, UINT64_MAX);
    assert_true(all > 100 / seconds && all < 12000);
    assert_true(load_keys(l, ROUTES_NONE, keys, LOAD_KEYS_MAX) >= 1);
    assert_string_equal(keys[0].key, "4711");
    assert_string_equal(keys[0].table, "app.t");
    assert_true(fabs(keys[0].per_s - all / 2) < all * 0.02 && keys[0].error < all * 0.02);
    assert_int_equal(keys[0].shard, keys[0].hash >> 63 ? 2 : 1);
    assert_true(keys[0].share > 0.5 && keys[0].share < 0.8);
    hot_look(h, NULL); /* the segment is gone: no more is known */
    hot_put(h, map, l);
    json_decref(map);
    free(heat);
    load_free(l);
    hot_free(h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sketch),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_latency),
        cmocka_unit_test_setup_teardown(test_measure, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hot, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
