/* test_users.c - connections of a user are counted over all workers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "shm/slots.h"

enum { WORKERS = 3 };

static char         instance[SEGMENT_INSTANCE_MAX];
static struct slots slots;
static struct slot *own[WORKERS];

static int
setup(void **state)
{
    struct err err;

    (void)state;
    snprintf(instance, sizeof(instance), "test-u%d", (int)getpid());
    segment_unlink(SEGMENT_SLOTS, instance);
    if (!slots_create(&slots, instance, WORKERS, 4, &err))
        fail_msg("%s", err.text);
    for (uint32_t i = 0; i < WORKERS; i++) {
        own[i] = slots_take(&slots, i, &err);
        assert_non_null(own[i]);
    }
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

static struct user_count
enter(uint32_t worker, uint64_t key, uint64_t now_ms)
{
    struct user_count count;

    assert_true(slot_user_enter(&slots, own[worker], key, now_ms, &count));
    return count;
}

static void
all_workers_count(void **state)
{
    uint64_t ann = user_key(SPAN("ann")), bob = user_key(SPAN("bob"));

    (void)state;
    assert_true(ann != bob && ann != 0);
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(enter(i % WORKERS, ann, 5000).connections, i + 1);
    assert_int_equal(enter(1, bob, 5000).connections, 1);
    slot_user_leave(own[0], ann, false);
    slot_user_leave(own[2], ann, false);
    assert_int_equal(enter(1, ann, 5000).connections, 5);
    slot_user_leave(own[1], user_key(SPAN("nobody")), false);
}

static void
new_ones_per_second(void **state)
{
    uint64_t key = user_key(SPAN("carl"));

    (void)state;
    for (uint32_t i = 0; i < 8; i++)
        assert_int_equal(enter(i % 2, key, 10100).per_second, i + 1);
    slot_user_leave(own[1], key, true); /* refused: was none */
    assert_int_equal(enter(1, key, 10900).per_second, 8);
    assert_int_equal(enter(2, key, 11000).per_second, 9);  /* all of the second before */
    assert_int_equal(enter(2, key, 11500).per_second, 6);  /* half of it, and two */
    assert_int_equal(enter(0, key, 11750).per_second, 5);  /* a quarter of it, and three */
    assert_int_equal(enter(0, key, 14000).per_second, 1);
}

static void
what_a_dead_worker_had(void **state)
{
    struct err err;
    uint64_t   key = user_key(SPAN("dora"));

    (void)state;
    for (int i = 0; i < 5; i++)
        (void)enter(0, key, 20100);
    own[0] = slots_take(&slots, 0, &err);
    assert_non_null(own[0]);
    struct user_count count = enter(1, key, 20200);
    assert_int_equal(count.connections, 1);
    assert_int_equal(count.per_second, 6);
}

static void
places_are_used_again(void **state)
{
    struct user_count count;
    uint32_t          refused = 0;
    char              name[32];

    (void)state;
    for (uint32_t i = 0; i < 2 * SLOT_USERS; i++) {
        snprintf(name, sizeof(name), "user %u", i);
        refused += !slot_user_enter(&slots, own[2], user_key(span_of(name)), 30000, &count);
    }
    assert_true(refused >= SLOT_USERS && refused < 2 * SLOT_USERS);
    for (uint32_t i = 0; i < 2 * SLOT_USERS; i++) {
        snprintf(name, sizeof(name), "user %u", i);
        if (i % 2 == 0)
            slot_user_leave(own[2], user_key(span_of(name)), false);
    }
    for (uint32_t i = 0, room = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "later %u", i);
        room += slot_user_enter(&slots, own[2], user_key(span_of(name)), 33000, &count);
        assert_true(i < 99 || room > 90);
        assert_true(room == 0 || count.connections <= 1);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_workers_count),
        cmocka_unit_test(new_ones_per_second),
        cmocka_unit_test(what_a_dead_worker_had),
        cmocka_unit_test(places_are_used_again),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
