/* test_spill.c - streams of records in a temporary file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/base/spill.h"

enum { RUNS = 5, RECORDS = 2000 };

static struct span
record_of(uint32_t run, uint32_t i, char *room)
{
    /* Some empty, some longer than blocks. */
    size_t len = i % 97 == 0 ? 0 : i % 89 == 0 ? 9000 : (i * 31 + run) % 300;
    for (size_t at = 0; at < len; at++)
        room[at] = (char)(run * 7 + i + at);
    return (struct span){ (const uint8_t *)room, len };
}

static void
write_and_read(struct spill *s)
{
    struct spill_run runs[RUNS] = { 0 };
    struct buf       got        = { 0 };
    char             room[9000];
    for (uint32_t i = 0; i < RECORDS; i++)
        for (uint32_t r = 0; r < RUNS; r++)
            assert_int_equal(spill_put(s, &runs[r], record_of(r, i, room)), 0);
    for (uint32_t r = 0; r < RUNS; r++) {
        assert_int_equal(spill_finish(s, &runs[r]), 0);
        assert_int_equal(runs[r].here.cap, 0);
    }
    for (uint32_t i = 0; i < RECORDS; i++)
        for (uint32_t r = 0; r < RUNS; r++) {
            assert_int_equal(spill_get(s, &runs[r], &got), 1);
            assert_true(span_equal(buf_unread(&got), record_of(r, i, room)));
        }
    for (uint32_t r = 0; r < RUNS; r++) {
        assert_int_equal(spill_get(s, &runs[r], &got), 0);
        assert_int_equal(spill_get(s, &runs[r], &got), 0);
    }
    buf_fini(&got);
}

/* What has been read makes room. */
static void
test_again(void **state)
{
    (void)state;
    struct spill s = { .folder = "/tmp", .block = 4096, .limit = 64 << 20 };
    write_and_read(&s);
    uint32_t blocks = s.n_blocks;
    write_and_read(&s);
    assert_int_equal(s.n_blocks, blocks);
    assert_int_equal(s.n_unused, blocks);
    spill_fini(&s);
}

static void
test_limit(void **state)
{
    (void)state;
    struct spill     s   = { .folder = "/tmp", .block = 4096, .limit = 3 * 4096 + 100 };
    struct spill_run run = { 0 };
    char             room[9000];
    int              failed = 0;
    uint32_t         n      = 0;
    for (; failed == 0 && n < 1000; n++)
        failed = spill_put(&s, &run, record_of(1, 2, room));
    assert_int_equal(failed, -EDQUOT);
    assert_int_equal(s.n_blocks, 3);
    spill_drop(&s, &run);
    assert_int_equal(s.n_unused, 3);
    spill_fini(&s);
}

static void
test_no_folder(void **state)
{
    (void)state;
    struct spill     s   = { .folder = "/nonexistent", .block = 4096, .limit = 1 << 20 };
    struct spill_run run = { 0 };
    char             room[9000];
    assert_int_equal(spill_put(&s, &run, record_of(1, 89, room)), -ENOENT);
    spill_drop(&s, &run);
    spill_fini(&s);
}

static void
test_disk_full(void **state)
{
    (void)state;
    FILE *full = fopen("/dev/full", "r+");
    if (full == NULL)
        skip();
    struct spill     s   = { .folder = "/tmp", .block = 4096, .limit = 1 << 20,
                             .fd = fileno(full) + 1 };
    struct spill_run run = { 0 };
    char             room[9000];
    assert_int_equal(spill_put(&s, &run, record_of(1, 89, room)), -ENOSPC);
    assert_int_equal(s.n_unused, 1);
    spill_drop(&s, &run);
    s.fd = 0;
    spill_fini(&s);
    fclose(full);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_no_folder),
        cmocka_unit_test(test_disk_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
