/* test_patience.c - waits end at their deadline, or when the controller is to end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/base/memory.h"
#include "ctl/provision/patience.h"
#include "ctl/provision/spawn.h"

static void
test_until_the_deadline(void **state)
{
    int64_t         began = spawn_now_ms();
    struct patience p     = patience_of(NULL, 30, 8);
    unsigned        n     = 0;

    (void)state;
    while (patience_wait(&p))
        n++;
    assert_true(n >= 1 && n <= 30);
    assert_true(spawn_now_ms() - began >= 29);
}

static void
test_the_controller_ends(void **state)
{
    struct cluster *c = mem_alloc(sizeof(*c));
    struct patience p = patience_of(c, 60000, 1);

    (void)state;
    assert_true(patience_wait(&p));
    atomic_store(&c->stopping, true);
    assert_false(patience_wait(&p));
    free(c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_until_the_deadline),
        cmocka_unit_test(test_the_controller_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
