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
        struct gather_copy c   = { &d, SPAN("s"), SPAN("t"), d.n_columns, columns, d.n_columns,
                                   columns };
        struct buf         out = { 0 };
        gather_create_text(&c, gather_width(&c) != 0 ? GATHER_MEMORY : GATHER_ARIA, &out);
        gather_select_text(&c, &out);
        gather_load_text(&c, &out);
        buf_fini(&out);
    }
    arena_fini(&a);
    return 0;
}
