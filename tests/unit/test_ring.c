/* test_ring.c - turns, tasks, timers, watches; and what a turn costs. */
#include "core/io/coalesce.h"
#include "core/io/spin.h"
#include "tests/unit/stream_rig.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct seen {
    struct op op;
    int       calls, result;
};

static void
see(struct op *op, int result, uint32_t flags)
{
    struct seen *seen = container_of(op, struct seen, op);

    (void)flags;
    seen->calls++;
    seen->result = result;
}

static void
poll_and_read_and_cancel(void **state)
{
    (void)state;
    struct seen poll_in = { .op = { .done = see } }, reading = poll_in, never = poll_in;
    int         fd = eventfd(0, EFD_CLOEXEC), other = eventfd(0, EFD_CLOEXEC);
    uint64_t    value = 0, unused, one = 1;

    rig_open((struct ring_config){ 0 });
    ring_poll(ring, &poll_in.op, fd, POLLIN);
    ring_read(ring, &reading.op, fd, &value, sizeof(value));
    ring_read(ring, &never.op, other, &unused, sizeof(unused));
    turns(2);
    assert_int_equal(poll_in.calls + reading.calls + never.calls, 0);
    assert_int_equal(write(fd, &one, 8), 8);
    UNTIL(poll_in.calls == 1 && reading.calls == 1);
    assert_true((poll_in.result & POLLIN) != 0);
    assert_int_equal(reading.result, 8);
    assert_int_equal(value, 1);
    assert_true(never.op.armed);
    ring_cancel(ring, &never.op);
    UNTIL(never.calls == 1);
    assert_int_equal(never.result, -ECANCELED);
    assert_false(never.op.armed);
    ring_cancel(ring, &never.op); /* nothing */
    turns(1);
    assert_int_equal(never.calls, 1);
    close(fd);
    close(other);
    rig_close();
}

static int fired;

static void
note_fired(struct ring_watch *watch)
{
    fired++;
    if (fired == 5)
        ring_unwatch(watch);
}

static void
a_watched_eventfd_fires_each_time(void **state)
{
    (void)state;
    for (int nonblock = 0; nonblock < 2; nonblock++) {
        struct ring_watch watch;
        int      fd  = eventfd(0, EFD_CLOEXEC | (nonblock ? EFD_NONBLOCK : 0));
        uint64_t one = 1;

        fired = 0;
        rig_open((struct ring_config){ 0 });
        ring_watch_fd(ring, &watch, fd, note_fired);
        for (int i = 1; i <= 5; i++) {
            turns(2);
            assert_int_equal(fired, i - 1);
            assert_int_equal(write(fd, &one, 8), 8);
            while (fired < i)
                assert_true(ring_turn(ring, -1) >= 0);
        }
        UNTIL(!watch.op.armed);
        assert_int_equal(write(fd, &one, 8), 8);
        turns(2);
        assert_int_equal(fired, 5);
        close(fd);
        rig_close();
    }
}

static void
a_pidfd_tells_the_end_of_a_process(void **state)
{
    (void)state;
    struct seen seen = { .op = { .done = see } };
    int         gate[2];

    rig_open((struct ring_config){ 0 });
    assert_int_equal(pipe(gate), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char c;
        close(gate[1]);
        _exit((int)read(gate[0], &c, 1));
    }
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    assert_true(fd >= 0);
    ring_poll(ring, &seen.op, fd, POLLIN);
    turns(2);
    assert_int_equal(seen.calls, 0);
    close(gate[1]);
    UNTIL(seen.calls == 1);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(gate[0]);
    close(fd);
    rig_close();
}

struct counted {
    struct task  task;
    struct timer timer;
    int          ran;
    bool         again;
    uint64_t     at_ms;
};

static void
count_task(struct task *task)
{
    struct counted *c = container_of(task, struct counted, task);

    c->ran++;
    if (c->again)
        ring_post(ring, task);
}

static void
tasks_run_once_per_post_and_do_not_starve(void **state)
{
    (void)state;
    struct counted once = { 0 }, again = { .again = true }, dropped = { 0 };

    rig_open((struct ring_config){ 0 });
    task_init(&once.task, count_task);
    task_init(&again.task, count_task);
    task_init(&dropped.task, count_task);
    ring_post(ring, &once.task);
    ring_post(ring, &once.task);
    ring_post(ring, &again.task);
    ring_post(ring, &dropped.task);
    task_drop(&dropped.task);
    uint64_t begin = clock_ms();
    for (int i = 0; i < 10; i++)
        assert_true(ring_turn(ring, -1) >= 0); /* never sleeps: a task waits */
    assert_true(clock_ms() - begin < 20000);
    assert_int_equal(once.ran, 1);
    assert_int_equal(again.ran, 10);
    assert_int_equal(dropped.ran, 0);
    rig_close();
}

static void
count_timer(struct timer *timer)
{
    struct counted *c = container_of(timer, struct counted, timer);

    c->ran++;
    c->at_ms = ring_now_ms(ring);
}

static void
timers_end_the_sleep(void **state)
{
    (void)state;
    struct counted t[3] = { 0 };
    static const uint64_t ms[] = { 30, 10, 0 };

    rig_open((struct ring_config){ 0 });
    turns(1);
    uint64_t begin = ring_now_ms(ring);
    for (int i = 0; i < 3; i++)
        timer_start(ring_timers(ring), &t[i].timer, ms[i], count_timer);
    while (t[0].ran == 0)
        assert_true(ring_turn(ring, -1) >= 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(t[i].ran, 1);
        assert_in_range(t[i].at_ms - begin, ms[i], ms[i] + 10000);
    }
    assert_true(ring_now_us(ring) / 1000 == ring_now_ms(ring));
    rig_close();
}

static void
bad_configurations_are_explained(void **state)
{
    (void)state;
    struct ring *none = NULL;
    struct err   err  = { 0 };
    const struct ring_config odd  = { .n_recv_buffers = 3, .n_files = 16 };
    const struct ring_config huge = { .n_files = 1U << 30 };

    assert_false(ring_open(&none, &odd, &err));
    assert_non_null(strstr(err.text, "power of 2"));
    assert_false(ring_open(&none, &huge, &err));
    assert_true(err.text[0] != 0);
    assert_null(none);
    ring_close(NULL);
}

/* In a process where io_uring_setup() answers `error`, as containers have it. */
static void
open_where_refused(int error, const char *expected)
{
    struct sock_filter code[] = {
        { BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr) },
        { BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_io_uring_setup },
        { BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | (uint32_t)error },
        { BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW },
    };
    struct sock_fprog program = { .len = countof(code), .filter = code };
    int               status;

    pid_t pid = fork();
    if (pid == 0) {
        struct ring       *none   = NULL;
        struct ring_config config = { .n_files = 16 };
        struct err         err    = { 0 };
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
            _exit(77);
        bool opened = ring_open(&none, &config, &err);
        _exit(!opened && strstr(err.text, expected) != NULL ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) != 77) /* no seccomp here */
        assert_int_equal(WEXITSTATUS(status), 0);
}

static void
a_refusing_kernel_is_explained(void **state)
{
    (void)state;
    open_where_refused(EPERM, "io_uring_disabled");
    open_where_refused(ENOSYS, "Linux 6.1");
    open_where_refused(EINVAL, "too old");
    open_where_refused(ENOMEM, "RLIMIT_MEMLOCK");
    open_where_refused(EMFILE, "Too many open files");
}

/* Under load a turn is one io_uring_enter however many streams take part. */
static void
again(struct end *end)
{
    end->received += stream_unread(&end->s).len;
    stream_write(&end->s, stream_unread(&end->s));
    stream_consume(&end->s, stream_unread(&end->s).len);
}

static void
a_turn_is_one_system_call(void **state)
{
    (void)state;
    enum { N = 100 };
    struct end *a = mem_alloc(N * sizeof(*a)), *b = mem_alloc(N * sizeof(*b));

    rig_open((struct ring_config){ 0 });
    for (int i = 0; i < N; i++) {
        a[i].data = b[i].data = again;
        join(&a[i], &b[i], i % 2);
        end_write(&a[i], 100);
    }
    for (int i = 0; i < 1000; i++)
        assert_true(ring_turn(ring, 100) >= 0);
    assert_int_equal(ring_stats(ring)->turns, ring_stats(ring)->enters);
    assert_true(ring_stats(ring)->sends > 10000);
    part_all(a, b, N);
    rig_close();
}

/* In vain it looks ever less often, so an idle ring does not burn its CPU. */
static void
an_idle_ring_spins_little(void **state)
{
    (void)state;
    struct spin s     = { .us = 50 };
    int         looks = 0;

    for (int i = 0; i < 10000; i++)
        if (spin_wanted(&s)) {
            looks++;
            (void)spin_ended(&s, false);
        }
    assert_in_range(looks, SPIN_MISSED_MAX, 2 * SPIN_MISSED_MAX);
    while (!spin_wanted(&s))
        ;
    assert_true(spin_ended(&s, true));
    assert_true(spin_wanted(&s));
    s.us = 0;
    assert_false(spin_wanted(&s));
}

/* For as many as come in time, where many clients are busy. */
static void
a_ring_coalesces_where_much_is_expected(void **state)
{
    (void)state;
    static const struct {
        uint32_t us, clients, known, wanted;
    } cases[] = {
        { 500, 0, 9, 1 },   { 500, 31, 9, 1 },  { 500, 32, 9, 4 }, { 500, 256, 0, 4 },
        { 500, 256, 9, 9 }, { 500, 48, 9, 6 },  { 0, 100000, 9, 1 },
    };

    for (size_t i = 0; i < countof(cases); i++) {
        struct coalesce c = { .us      = cases[i].us,
                              .clients = cases[i].clients,
                              .wanted  = cases[i].known };
        assert_int_equal(coalesce_for(&c), cases[i].wanted);
    }

    struct coalesce c = { .us = 500, .clients = 100000 };
    for (int i = 0; i < 100; i++)
        coalesce_ended(&c, coalesce_for(&c), 100);
    assert_int_equal(coalesce_for(&c), COALESCE_MAX);
    coalesce_ended(&c, COALESCE_MAX, 12); /* the time was over */
    assert_int_equal(coalesce_for(&c), 9);
    coalesce_ended(&c, 9, 11);
    assert_int_equal(coalesce_for(&c), 10);
}

/* Ever less often while it is in vain. */
static void
a_ring_coalesces_little_where_all_is_slow(void **state)
{
    (void)state;
    struct coalesce c     = { .us = 500, .clients = 128 };
    int             times = 0;

    for (int i = 0; i < 10000; i++)
        if (coalesce_for(&c) > 1) {
            times++;
            coalesce_ended(&c, 4, 3);
        }
    assert_in_range(times, COALESCE_MISSED_MAX, 2 * COALESCE_MISSED_MAX);
    while (coalesce_for(&c) == 1)
        ;
    coalesce_ended(&c, 4, 4);
    assert_int_equal(coalesce_for(&c), 5);
}

/* Those that come alone are not left lying; nor is a timer late by more than the wait. */
static void
what_comes_alone_is_handled(void **state)
{
    (void)state;
    struct ring_watch watch;
    int      fd  = eventfd(0, EFD_CLOEXEC);
    uint64_t one = 1;

    fired = 0;
    rig_open((struct ring_config){ .coalesce_us = 2000 });
    ring_watch_fd(ring, &watch, fd, note_fired);
    ring_expect(ring, 1000);
    for (int i = 1; i <= 5; i++) {
        assert_int_equal(write(fd, &one, 8), 8);
        UNTIL(fired == i);
        turns(2);
        assert_int_equal(fired, i);
    }
    UNTIL(!watch.op.armed);
    close(fd);
    rig_close();
}

/* Each worker makes its own after the fork. */
static void
a_ring_works_in_a_child(void **state)
{
    (void)state;
    int status;

    rig_open((struct ring_config){ 0 });
    pid_t pid = fork();
    if (pid == 0) {
        struct ring       *own;
        struct err         err;
        struct ring_config config = { .n_files = 64 };
        _exit(ring_open(&own, &config, &err) && ring_turn(own, 1) >= 0 ? 7 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    turns(1);
    rig_close();
}

static void
an_idle_stream_is_small(void **state)
{
    (void)state;
    assert_true(sizeof(struct stream) <= 448);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(poll_and_read_and_cancel),
        cmocka_unit_test(a_watched_eventfd_fires_each_time),
        cmocka_unit_test(a_pidfd_tells_the_end_of_a_process),
        cmocka_unit_test(tasks_run_once_per_post_and_do_not_starve),
        cmocka_unit_test(timers_end_the_sleep),
        cmocka_unit_test(bad_configurations_are_explained),
        cmocka_unit_test(a_refusing_kernel_is_explained),
        cmocka_unit_test(a_turn_is_one_system_call),
        cmocka_unit_test(an_idle_ring_spins_little),
        cmocka_unit_test(a_ring_coalesces_where_much_is_expected),
        cmocka_unit_test(a_ring_coalesces_little_where_all_is_slow),
        cmocka_unit_test(what_comes_alone_is_handled),
        cmocka_unit_test(a_ring_works_in_a_child),
        cmocka_unit_test(an_idle_stream_is_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
