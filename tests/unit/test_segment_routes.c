/* test_segment_routes.c - publishing to real processes: no copy is torn, and a
 * writer may be killed at any instruction. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/routes_segment.h"

enum { READERS = 2, READS_EACH = 500000, BLOB_MAX = 2048 };

static char instance[SEGMENT_INSTANCE_MAX];

static int
setup(void **state)
{
    (void)state;
    snprintf(instance, sizeof(instance), "test-r%d", (int)getpid());
    segment_unlink(SEGMENT_ROUTES, instance);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    segment_unlink(SEGMENT_ROUTES, instance);
    return 0;
}

/* A blob whose every word is its number, of a length that follows from it. */
static struct span
blob_make(uint64_t number, uint64_t words[BLOB_MAX / 8])
{
    size_t len = 64 + number * 37 % (BLOB_MAX - 64);

    for (size_t i = 0; i < (len + 7) / 8; i++)
        words[i] = number;
    return (struct span){ (const uint8_t *)words, len };
}

static bool
blob_is_whole(struct span blob)
{
    uint64_t number, words[BLOB_MAX / 8];

    if (blob.len < 64 || blob.len > BLOB_MAX)
        return false;
    memcpy(&number, blob.ptr, sizeof(number));
    return span_equal(blob, blob_make(number, words));
}

static uint64_t
publish(struct routes_segment *s, uint64_t number)
{
    uint64_t   words[BLOB_MAX / 8];
    struct err err;

    return routes_segment_publish(s, blob_make(number, words), &err);
}

static void
what_is_published_is_read(void **state)
{
    (void)state;
    struct routes_segment s;
    struct buf            out = { 0 };
    uint64_t              edition = 77;
    struct err            err;

    assert_true(routes_segment_create(&s, instance, &err));
    assert_int_equal(routes_segment_edition(&s), 0);
    assert_int_equal(routes_segment_read(&s, &out, &edition, &err), ROUTES_READ_NONE);
    for (uint64_t i = 1; i <= 100; i++) {
        assert_int_equal(publish(&s, i), i);
        assert_int_equal(routes_segment_read(&s, &out, &edition, &err), ROUTES_READ_OK);
        assert_int_equal(edition, i);
        assert_true(blob_is_whole(buf_unread(&out)));
    }
    assert_int_equal(routes_segment_publish(&s, (struct span){ NULL, 0 }, &err), 0);
    assert_int_equal(routes_segment_publish(&s, (struct span){ out.bytes, ROUTES_BLOB_MAX + 1 },
                                            &err), 0);
    assert_int_equal(routes_segment_edition(&s), 100);
    routes_segment_close(&s);

    assert_true(routes_segment_create(&s, instance, &err)); /* the next controller */
    assert_int_equal(routes_segment_edition(&s), 100);
    assert_int_equal(publish(&s, 5), 101);
    routes_segment_close(&s);
    buf_fini(&out);
}

static void
damage_is_noticed(void **state)
{
    (void)state;
    struct routes_segment s;
    struct buf            out = { 0 };
    uint64_t              edition, *words;
    struct err            err;

    assert_true(routes_segment_create(&s, instance, &err));
    assert_int_equal(publish(&s, 9), 1);
    words = (uint64_t *)(s.seg.base + SEGMENT_HEADER / 2);

    /* The control page: edition, 7 of padding, then count, length, checksum twice. */
    static const struct { size_t word; uint64_t flip; } damages[] = {
        { 8 + 3, 1 },                     /* the count: odd for ever */
        { 8 + 4, UINT64_C(1) << 40 },     /* a length beyond everything */
        { 8 + 4, 8 },                     /* a wrong one */
        { 8 + 5, 1 },                     /* the checksum */
        { (SEGMENT_HEADER / 2 + ROUTES_BLOB_MAX) / 8 + 3, 2 }, /* the blob */
        { 0, 1 },                         /* the edition points at the other copy */
    };
    for (size_t i = 0; i < countof(damages); i++) {
        words[damages[i].word] ^= damages[i].flip;
        enum routes_read got = routes_segment_read(&s, &out, &edition, &err);
        bool expected = damages[i].word == 0 ? got == ROUTES_READ_NONE : got == ROUTES_READ_BAD;
        if (!expected)
            fail_msg("damage %zu: %d", i, (int)got);
        words[damages[i].word] ^= damages[i].flip;
        assert_int_equal(routes_segment_read(&s, &out, &edition, &err), ROUTES_READ_OK);
    }
    words[0] = 2; /* the copy that was never written */
    assert_int_equal(routes_segment_read(&s, &out, &edition, &err), ROUTES_READ_BAD);
    routes_segment_close(&s);
    buf_fini(&out);
}

/* Exit status 0: so many whole copies, in the order they were published. */
static int
reader(void)
{
    struct routes_segment s;
    struct buf            out = { 0 };
    uint64_t              last = 0, edition = 0;
    struct err            err;
    int                   tries = 0;

    if (!routes_segment_open(&s, instance, &err))
        return 1;
    for (int whole = 0; whole < READS_EACH;) {
        enum routes_read got = routes_segment_read(&s, &out, &edition, &err);
        if (got == ROUTES_READ_BUSY && tries++ < 1000000)
            continue;
        if (got != ROUTES_READ_OK || edition < last || !blob_is_whole(buf_unread(&out)))
            return 2;
        last = edition;
        whole++;
    }
    return 0;
}

static void
no_copy_is_torn(void **state)
{
    (void)state;
    struct routes_segment s;
    struct err            err;
    int                   left = READERS, status;

    assert_true(routes_segment_create(&s, instance, &err));
    assert_int_equal(publish(&s, 1), 1);
    for (int i = 0; i < READERS; i++)
        if (fork() == 0)
            _exit(reader());
    for (uint64_t number = 2; left > 0; number++) {
        assert_int_equal(publish(&s, number), number);
        if (number % 1024 != 0)
            continue;
        if (waitpid(-1, &status, WNOHANG) > 0) {
            assert_int_equal(status, 0);
            left--;
        }
    }
    assert_true(routes_segment_edition(&s) > 1000);
    routes_segment_close(&s);
}

/* A child that stops, publishes `number`, stops again. Traced. */
static pid_t
writer_start(uint64_t number)
{
    pid_t pid = fork();

    if (pid == 0) {
        struct routes_segment s;
        struct err            err;
        if (!routes_segment_create(&s, instance, &err))
            _exit(1);
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        publish(&s, number);
        raise(SIGSTOP);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    return pid;
}

/* Step `n` instructions. Returns how many were made before the second stop. */
static long
step(pid_t pid, long n)
{
    for (long i = 0; i < n; i++) {
        int status;
        assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSTOPPED(status));
        if (WSTOPSIG(status) == SIGSTOP)
            return i;
    }
    return n;
}

static uint64_t
read_whole(void)
{
    struct routes_segment s;
    struct buf            out = { 0 };
    uint64_t              edition = 0;
    struct err            err;

    assert_true(routes_segment_open(&s, instance, &err));
    assert_int_equal(routes_segment_read(&s, &out, &edition, &err), ROUTES_READ_OK);
    assert_true(blob_is_whole(buf_unread(&out)));
    routes_segment_close(&s);
    buf_fini(&out);
    return edition;
}

/* Kills the writer after every number of instructions (in steps that keep the
 * test short where a sanitizer makes them many); readers must have the old or
 * the new edition, and the next writer goes on. */
static void
a_writer_may_die_anywhere(void **state)
{
    (void)state;
    struct routes_segment s;
    struct err            err;
    long                  old = 0, new = 0;

    assert_true(routes_segment_create(&s, instance, &err));
    assert_int_equal(publish(&s, 1), 1);
    routes_segment_close(&s);

    pid_t whole = writer_start(2);
    long  total = step(whole, 10000000);
    kill(whole, SIGKILL);
    waitpid(whole, NULL, 0);
    long stride = total <= 1000 ? 1 : 1 + total * total / 300000;
    assert_true(total > 100);

    for (long at = 0; at <= total + stride; at += stride) {
        uint64_t before = read_whole();
        pid_t    pid    = writer_start(before);
        step(pid, at);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        uint64_t after = read_whole();
        assert_in_range(after, before, before + 1);
        *(after == before ? &old : &new) += 1;
    }
    assert_true(old > 10 && new >= 1);
    assert_true(routes_segment_create(&s, instance, &err));
    uint64_t edition = publish(&s, 3);
    assert_int_equal(edition, read_whole());
    routes_segment_close(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_published_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(damage_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(no_copy_is_torn, setup, teardown),
        cmocka_unit_test_setup_teardown(a_writer_may_die_anywhere, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
