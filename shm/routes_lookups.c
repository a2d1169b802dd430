/* routes_lookups.c - a table's lookups in the blob, trusting nothing; see routes_blob.h. */
#include "core/base/arena.h"
#include "shm/routes.h"
#include "shm/routes_blob.h"

enum { LOOKUP_NAME_MAX = 64, COLUMN_DIGITS = 5 };

static bool
is_name(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i], small = c | 0x20;
        if ((small < 'a' || small > 'z') && (c < '0' || c > '9') && c != '_')
            return false;
    }
    return s.len != 0 && s.len <= LOOKUP_NAME_MAX;
}

static bool
read_line(struct span line, uint32_t n_columns, struct route_lookup *out)
{
    uint32_t column = 0;
    size_t   at     = 0;

    while (at < line.len && at < COLUMN_DIGITS && line.ptr[at] >= '0' && line.ptr[at] <= '9')
        column = column * 10 + (uint32_t)(line.ptr[at++] - '0');
    if (at == 0 || column >= n_columns || line.len < at + 3 || line.ptr[at] != ' ' ||
        (line.ptr[at + 1] | 1) != '1' || line.ptr[at + 2] != ' ')
        return false;
    *out = (struct route_lookup){ .column = column, .filling = line.ptr[at + 1] == '1',
                                  .table = span_from(line, at + 3) };
    return is_name(out->table);
}

static bool
read_all(struct span text, uint32_t n_columns, struct route_lookup *list, uint32_t *n)
{
    while (text.len != 0) {
        const uint8_t *end = memchr(text.ptr, '\n', text.len);
        if (end == NULL || *n == ROUTES_LOOKUPS_MAX)
            return false;
        size_t len = (size_t)(end - text.ptr);
        if (!read_line((struct span){ text.ptr, len }, n_columns, &list[(*n)++]))
            return false;
        text = span_from(text, len + 1);
    }
    return true;
}

bool
blob_lookups(struct arena *arena, struct span text, uint32_t n_columns, struct route_table *t,
             struct err *err)
{
    struct route_lookup *list;

    if (text.len == 0)
        return true;
    list       = arena_alloc(arena, ROUTES_LOOKUPS_MAX * sizeof(*list));
    t->lookups = list;
    return (t->kind == TABLE_SHARDED && read_all(text, n_columns, list, &t->n_lookups)) ||
           err_set(err, "routes: the lookups of table %.*s cannot be read", (int)t->name.len,
                   t->name.ptr);
}
