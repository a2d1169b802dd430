/* test_gate.c - the commit gate between workers, all of them in one process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "workers/query/gate.h"

enum { WORKERS = 3, WAIT_MS = 200 };

static char           instance[SEGMENT_INSTANCE_MAX];
static struct slots   slots;
static struct context ctx[WORKERS];

struct commit {
    struct gate_passage p;
    int                 opened;
};

struct snapshot {
    struct gate_ask ask;
    int             closed, expired;
};

static void
commit_opened(struct gate_passage *p)
{
    container_of(p, struct commit, p)->opened++;
}

static void
snapshot_closed(struct gate_ask *ask)
{
    container_of(ask, struct snapshot, ask)->closed++;
}

static void
snapshot_expired(struct gate_ask *ask, bool was_closed)
{
    (void)was_closed;
    container_of(ask, struct snapshot, ask)->expired++;
}

static struct commit
a_commit(void)
{
    return (struct commit){ .p = { .opened = commit_opened } };
}

static struct snapshot
a_snapshot(void)
{
    return (struct snapshot){ .ask = { .closed = snapshot_closed, .expired = snapshot_expired } };
}

static void
look_all(void)
{
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < WORKERS; i++)
            if (ctx[i].gate != NULL)
                gate_look(ctx[i].gate);
}

static void
turn_until(uint64_t ms)
{
    uint64_t end = slots_now_ms() + ms;

    while (slots_now_ms() < end)
        for (int i = 0; i < WORKERS; i++)
            if (ctx[i].ring != NULL && ring_turn(ctx[i].ring, 1) < 0)
                fail_msg("a ring is broken");
}

static int
setup(void **state)
{
    (void)state;
    struct err         err;
    struct ring_config config = { .entries = 64, .n_files = 64, .n_recv_buffers = 16 };

    snprintf(instance, sizeof(instance), "test-g%d", (int)getpid());
    segment_unlink(SEGMENT_SLOTS, instance);
    if (!slots_create(&slots, instance, WORKERS, 16, &err))
        fail_msg("%s", err.text);
    memset(ctx, 0, sizeof(ctx));
    for (unsigned i = 0; i < WORKERS - 1; i++) { /* nobody sits in the last slot */
        conf_defaults(&ctx[i].conf);
        ctx[i].conf.snapshot_wait_ms = WAIT_MS;
        ctx[i].number                = i;
        ctx[i].slots                 = &slots;
        ctx[i].slot                  = slots_take(&slots, i, &err);
        if (ctx[i].slot == NULL || !ring_open(&ctx[i].ring, &config, &err))
            fail_msg("%s", err.text);
        ctx[i].gate = gate_new(&ctx[i]);
    }
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    for (int i = 0; i < WORKERS; i++) {
        ring_close(ctx[i].ring);
        free(ctx[i].gate);
    }
    slots_close(&slots);
    segment_unlink(SEGMENT_SLOTS, instance);
    return 0;
}

static void
it_closes_at_once_when_nobody_commits(void **state)
{
    (void)state;
    struct snapshot s = a_snapshot();

    gate_close(ctx[0].gate, &s.ask);
    look_all();
    assert_int_equal(s.closed, 1);
    assert_true(gate_open(ctx[0].gate, &s.ask));
    assert_false(gate_open(ctx[0].gate, &s.ask));
}

static void
it_waits_for_commits_of_every_worker_and_holds_later_ones(void **state)
{
    (void)state;
    struct snapshot s    = a_snapshot();
    struct commit   here = a_commit(), there = a_commit(), late = a_commit(), gone = a_commit();

    assert_true(gate_enter(ctx[0].gate, &here.p));
    assert_true(gate_enter(ctx[1].gate, &there.p));
    gate_close(ctx[0].gate, &s.ask);
    look_all();
    assert_false(gate_enter(ctx[1].gate, &late.p));
    assert_false(gate_enter(ctx[1].gate, &gone.p));
    gate_leave(ctx[0].gate, &here.p);
    look_all();
    assert_int_equal(s.closed, 0);
    gate_leave(ctx[1].gate, &there.p);
    gate_leave(ctx[1].gate, &gone.p); /* its client went away */
    look_all();
    assert_int_equal(s.closed, 1);
    assert_int_equal(late.opened, 0);
    assert_true(gate_open(ctx[0].gate, &s.ask));
    look_all();
    assert_int_equal(late.opened, 1);
    assert_int_equal(gone.opened, 0);
    gate_leave(ctx[1].gate, &late.p);
}

/* Between two asks those who waited for the first go through. */
static void
commits_are_not_starved(void **state)
{
    (void)state;
    struct snapshot first = a_snapshot(), second = a_snapshot(), third = a_snapshot();
    struct commit   held = a_commit();

    gate_close(ctx[0].gate, &first.ask);
    look_all();
    assert_false(gate_enter(ctx[1].gate, &held.p));
    gate_close(ctx[0].gate, &second.ask);
    gate_close(ctx[1].gate, &third.ask);
    look_all();
    assert_int_equal(first.closed, 1);
    assert_int_equal(second.closed + third.closed, 0);
    assert_true(gate_open(ctx[0].gate, &first.ask));
    look_all();
    assert_int_equal(held.opened, 1);
    assert_int_equal(second.closed + third.closed, 0);
    gate_leave(ctx[1].gate, &held.p);
    look_all();
    assert_int_equal(second.closed, 1);
    assert_int_equal(third.closed, 1);
    assert_true(gate_open(ctx[0].gate, &second.ask));
    assert_true(gate_open(ctx[1].gate, &third.ask));
}

/* Each has a commit that the other's ask holds: the older ask goes first. */
static void
two_asks_do_not_wait_for_each_other(void **state)
{
    (void)state;
    struct snapshot a = a_snapshot(), b = a_snapshot();
    struct commit   x = a_commit(), y = a_commit();

    gate_close(ctx[0].gate, &a.ask);
    assert_false(gate_enter(ctx[0].gate, &x.p));
    gate_close(ctx[1].gate, &b.ask); /* sees both asks */
    assert_false(gate_enter(ctx[1].gate, &y.p));
    look_all();
    assert_int_equal(a.closed, 1);
    assert_true(gate_open(ctx[0].gate, &a.ask));
    look_all();
    gate_leave(ctx[0].gate, &x.p);
    look_all();
    assert_int_equal(b.closed, 1);
    assert_true(gate_open(ctx[1].gate, &b.ask));
    assert_int_equal(x.opened, 1);
    look_all();
    assert_int_equal(y.opened, 1);
    gate_leave(ctx[1].gate, &y.p);
}

static void
time_opens_it(void **state)
{
    (void)state;
    struct snapshot s    = a_snapshot();
    struct commit   held = a_commit();

    gate_close(ctx[0].gate, &s.ask);
    look_all();
    assert_int_equal(s.closed, 1);
    assert_false(gate_enter(ctx[1].gate, &held.p));
    turn_until(WAIT_MS + 50);
    assert_int_equal(s.expired, 1);
    assert_int_equal(held.opened, 1);
    assert_false(gate_open(ctx[0].gate, &s.ask));
    gate_leave(ctx[1].gate, &held.p);
}

static void
a_commit_that_does_not_end_is_not_waited_for_for_ever(void **state)
{
    (void)state;
    struct snapshot s     = a_snapshot();
    struct commit   stuck = a_commit(), held = a_commit();

    assert_true(gate_enter(ctx[1].gate, &stuck.p));
    gate_close(ctx[0].gate, &s.ask);
    look_all();
    assert_false(gate_enter(ctx[0].gate, &held.p));
    turn_until(WAIT_MS + 50);
    assert_int_equal(s.closed, 0);
    assert_int_equal(s.expired, 1);
    assert_int_equal(held.opened, 1);
}

/* A process in the third slot asks and is killed. */
static void
a_dead_asker_opens_it(void **state)
{
    (void)state;
    struct commit held = a_commit();
    int           up[2];
    char          byte;

    assert_int_equal(pipe(up), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct err   err;
        struct slot *slot = slots_take(&slots, WORKERS - 1, &err);
        if (slot != NULL)
            gate_ask(slot, clock_us() + 3600 * UINT64_C(1000000));
        _exit(write(up[1], "x", 1) == 1 && pause() == 0);
    }
    assert_int_equal(read(up[0], &byte, 1), 1);
    look_all();
    assert_false(gate_enter(ctx[0].gate, &held.p));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    turn_until(30);
    assert_int_equal(held.opened, 1);
    gate_leave(ctx[0].gate, &held.p);
    close(up[0]);
    close(up[1]);
}

static void
the_undecided_are_told_until_they_pass(void **state)
{
    (void)state;
    const char   *gtrid = "shardd-x-0-7-9-2";
    uint64_t      word  = gate_word(7, 9);
    struct commit c     = a_commit();
    uint64_t      mark  = gate_mark(&slots);

    gate_prepare(ctx[0].gate, &c.p, gtrid);
    assert_true(gate_undecided(&slots, 0, word));
    assert_false(gate_undecided(&slots, 1, word));
    assert_false(gate_undecided(&slots, 99, word));
    assert_true(gate_enter(ctx[0].gate, &c.p));
    assert_false(gate_undecided(&slots, 0, word));
    assert_true(gate_mark(&slots) == mark);
    assert_false(gate_is_clean(ctx[1].gate, 0));
    gate_found_clean(ctx[1].gate, mark, 1000);
    assert_true(gate_is_clean(ctx[1].gate, 999));
    assert_false(gate_is_clean(ctx[1].gate, 1000)); /* a new connection: perhaps a new server */
    assert_false(gate_is_clean(ctx[1].gate, 1001));
    gate_doubt(ctx[0].gate);
    gate_leave(ctx[0].gate, &c.p);
    assert_false(gate_is_clean(ctx[1].gate, 999));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(it_closes_at_once_when_nobody_commits),
        T(it_waits_for_commits_of_every_worker_and_holds_later_ones),
        T(commits_are_not_starved),
        T(two_asks_do_not_wait_for_each_other),
        T(time_opens_it),
        T(a_commit_that_does_not_end_is_not_waited_for_for_ever),
        T(a_dead_asker_opens_it),
        T(the_undecided_are_told_until_they_pass),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
