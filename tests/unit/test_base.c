/* test_base.c - buffers, arenas and lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/base/hex.h"
#include "core/base/list.h"

static void
a_buf_gives_back_what_it_got(void **state)
{
    (void)state;
    struct buf b = { 0 };
    uint32_t   next_in = 0, next_out = 0;

    for (int round = 0; round < 1000; round++) {
        for (int i = 0; i < round % 37; i++, next_in++)
            buf_append(&b, &next_in, sizeof(next_in));
        for (int i = 0; i < 18 && buf_len(&b) >= 4; i++, next_out++) {
            uint32_t got;
            memcpy(&got, buf_unread(&b).ptr, sizeof(got));
            assert_int_equal(got, next_out);
            buf_consume(&b, sizeof(got));
        }
    }
    assert_int_equal(buf_len(&b), (next_in - next_out) * 4);
    buf_fini(&b);
    assert_null(b.bytes);
}

static void
a_buf_prints(void **state)
{
    (void)state;
    struct buf b = { 0 };

    buf_append_text(&b, "a");
    buf_printf(&b, "%d-%s", 42, "xyz");
    buf_append_byte(&b, '!');
    assert_string_equal(buf_cstr(&b), "a42-xyz!");
    assert_int_equal(buf_len(&b), 8);
    buf_fini(&b);
}

static void
bytes_are_printed_as_digits(void **state)
{
    (void)state;
    static const uint8_t bytes[] = { 0x00, 0x9a, 0xff };
    struct span          all     = { bytes, sizeof(bytes) };
    struct buf           b       = { 0 };
    char                 text[8] = "-------";

    assert_ptr_equal(hex_lower(text, all), text + 6);
    assert_string_equal(text, "009aff");
    assert_ptr_equal(hex_upper(hex_upper(text, (struct span){ bytes, 1 }),
                               (struct span){ bytes + 1, 2 }), text + 6);
    assert_string_equal(text, "009AFF");
    hex_lower(text, (struct span){ NULL, 0 });
    assert_string_equal(text, "");
    buf_append_text(&b, "0x");
    buf_append_hex(&b, all);
    assert_string_equal(buf_cstr(&b), "0x009aff");
    buf_clear(&b);
    buf_append_hex_literal(&b, "_utf8mb4 ", all);
    assert_string_equal(buf_cstr(&b), "_utf8mb4 x'009aff'");
    buf_fini(&b);
}

static void
an_arena_keeps_its_first_chunk(void **state)
{
    (void)state;
    struct arena a = { 0 };

    uint8_t *first = arena_alloc(&a, 10);
    for (int i = 0; i < 100; i++) {
        uint8_t *p = arena_alloc(&a, 1000);
        assert_int_equal((uintptr_t)p % 16, 0);
        memset(p, 0xff, 1000);
    }
    arena_reset(&a);
    uint8_t *again = arena_alloc(&a, 10);
    assert_ptr_equal(first, again);
    assert_int_equal(again[0], 0); /* zeroed again */
    assert_string_equal(arena_cstr(&a, SPAN("abc")), "abc");
    arena_fini(&a);
    assert_int_equal(a.total, 0);
}

static void
a_list_keeps_order(void **state)
{
    (void)state;
    struct list head, nodes[3];
    int         n = 0;

    list_init(&head);
    for (size_t i = 0; i < 3; i++)
        list_append(&head, &nodes[i]);
    list_remove(&nodes[1]);
    list_remove(&nodes[1]);
    list_prepend(&head, &nodes[1]);
    assert_ptr_equal(head.next, &nodes[1]);
    assert_ptr_equal(head.prev, &nodes[2]);
    LIST_EACH_SAFE(at, &head) {
        list_remove(at);
        n++;
    }
    assert_int_equal(n, 3);
    assert_true(list_empty(&head));
}

static void
an_error_has_the_servers_state(void **state)
{
    (void)state;
    struct sql_error e;

    assert_false(sql_error_set(&e, 1045, "no %s", "way"));
    assert_string_equal(e.sqlstate, "28000");
    assert_string_equal(e.message, "no way");
    assert_string_equal(sql_state_of(1062), "23000");
    assert_string_equal(sql_state_of(1172), "42000");
    assert_string_equal(sql_state_of(1305), "42000");
    assert_string_equal(sql_state_of(4092), "42S02");
    assert_string_equal(sql_state_of(4242), "HY000");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buf_gives_back_what_it_got),
        cmocka_unit_test(a_buf_prints),
        cmocka_unit_test(bytes_are_printed_as_digits),
        cmocka_unit_test(an_arena_keeps_its_first_chunk),
        cmocka_unit_test(a_list_keeps_order),
        cmocka_unit_test(an_error_has_the_servers_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
