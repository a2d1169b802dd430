/* test_proc.c - what the kernel says of processes. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/base/proc.h"

static void
test_it_runs_and_uses_cpu(void **state)
{
    struct proc_stat before, now;

    (void)state;
    prctl(PR_SET_NAME, "a) S 1 (b");
    assert_true(proc_stat_read(getpid(), &before));
    do {
        assert_true(proc_stat_read(getpid(), &now));
        assert_int_equal(now.state, 'R');
    } while (now.cpu_ms < before.cpu_ms + 20);
}

static void
test_others(void **state)
{
    struct proc_stat stat;
    int              status;
    pid_t            pid = fork();

    (void)state;
    if (pid == 0)
        for (;;)
            raise(SIGSTOP);
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(proc_stat_read(pid, &stat));
    assert_int_equal(stat.state, 'T');
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_false(proc_stat_read(pid, &stat));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_runs_and_uses_cpu),
        cmocka_unit_test(test_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
