/* test_memory.c - what is freed between pieces that live on goes back to the system. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/base/memory.h"
#include "core/base/proc.h"

enum { PIECES = 25000, BYTES = 4000, KEPT = 100 }; /* 100 MB, of which 1 MB lives on */

static void *pieces[PIECES];

static void
fill(void)
{
    for (size_t i = 0; i < PIECES; i++) {
        pieces[i] = mem_alloc(BYTES);
        memset(pieces[i], 1, BYTES);
    }
}

static void
empty(size_t keep)
{
    for (size_t i = 0; i < PIECES; i++)
        if (keep == 0 || i % keep != 0) {
            free(pieces[i]);
            pieces[i] = NULL;
        }
}

static void
test_give_back(void **state)
{
    struct mem_rest rest   = { .skip = 0 };
    uint64_t        before = proc_resident(), held;

    (void)state;
#ifdef __SANITIZE_ADDRESS__
    skip(); /* its allocator is another */
#endif
    mem_give_back(&rest);
    assert_true(rest.least >= before);
    fill();
    held = proc_resident();
    assert_true(held > before + (uint64_t)PIECES * BYTES * 9 / 10);
    for (unsigned i = 0; i < 7; i++) /* tried at the first, the third and the seventh look */
        mem_give_back(&rest);
    assert_int_equal(rest.wait, 7);
    assert_int_equal(rest.skip, 7);
    empty(KEPT);
    for (unsigned i = 0; i < 7; i++)
        mem_give_back(&rest);
    assert_true(proc_resident() > before + (uint64_t)PIECES * BYTES / 2);
    mem_give_back(&rest);
    assert_true(proc_resident() < before + (uint64_t)PIECES * BYTES / 5);
    assert_int_equal(rest.wait, 0);
    empty(0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_give_back) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
