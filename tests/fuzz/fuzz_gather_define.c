/* fuzz_gather_define.c - what a server says of a table, and the texts made from it. */
#include "core/route/gather_define.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena             a = { 0 };
    struct gather_definition d;
    struct err               err;

    if (gather_define(&a, (struct span){ data, size }, &d, &err)) {
        uint32_t *columns = arena_alloc(&a, d.n_columns * sizeof(*columns));
        for (uint32_t i = 0; i < d.n_columns; i++)
            columns[i] = i;
        bool *wanted = arena_alloc(&a, d.n_columns * sizeof(*wanted));
        struct gather_copy c = { .definition = &d, .schema = SPAN("s"), .name = SPAN("t"),
                                 .n = d.n_columns, .columns = columns, .n_keys = d.n_columns,
                                 .keys = columns, .numbered = size % 2 != 0,
                                 .unique = size % 4 > 1, .computes = size % 8 > 3 };
        struct buf         out = { 0 };
        gather_create_text(&c, gather_width(&c) != 0 ? GATHER_MEMORY : GATHER_ARIA, &out);
        gather_select_text(&c, &out);
        gather_load_text(&c, &out);
        gather_before_text(&c, wanted, &out);
        buf_fini(&out);
    }
    arena_fini(&a);
    return 0;
}
