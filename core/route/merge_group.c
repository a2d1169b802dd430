/* merge_group.c - see merge_group.h. */
#include "core/route/merge_group.h"

#include <stdlib.h>
#include <xxhash.h>

#include "core/base/memory.h"

struct key_slot {
    uint64_t    hash;
    uint32_t    id; /* + 1; 0: free */
    struct span key;
};

static void
grow(struct key_set *s)
{
    uint32_t         cap  = s->slots == NULL ? 256 : 2 * (s->mask + 1);
    struct key_slot *more = mem_alloc(cap * sizeof(*more));
    for (uint32_t i = 0; s->slots != NULL && i <= s->mask; i++) {
        if (s->slots[i].id == 0)
            continue;
        uint32_t at = (uint32_t)s->slots[i].hash & (cap - 1);
        while (more[at].id != 0)
            at = (at + 1) & (cap - 1);
        more[at] = s->slots[i];
    }
    free(s->slots);
    s->slots = more;
    s->mask  = cap - 1;
}

uint32_t
key_set_add(struct key_set *s, struct span key, bool *added)
{
    if (s->slots == NULL || s->n * 2 > s->mask)
        grow(s);
    uint64_t hash = XXH3_64bits(key.ptr, key.len);
    uint32_t at   = (uint32_t)hash & s->mask;
    while (s->slots[at].id != 0) {
        if (s->slots[at].hash == hash && span_equal(s->slots[at].key, key)) {
            *added = false;
            return s->slots[at].id - 1;
        }
        at = (at + 1) & s->mask;
    }
    *added       = true;
    s->slots[at] = (struct key_slot){ hash, ++s->n, arena_copy(&s->bytes, key) };
    return s->n - 1;
}

bool
key_set_has(const struct key_set *s, struct span key)
{
    if (s->slots == NULL)
        return false;
    uint64_t hash = XXH3_64bits(key.ptr, key.len);
    for (uint32_t at = (uint32_t)hash & s->mask; s->slots[at].id != 0; at = (at + 1) & s->mask)
        if (s->slots[at].hash == hash && span_equal(s->slots[at].key, key))
            return true;
    return false;
}

void
key_set_names(const struct key_set *s, struct span *names)
{
    for (uint32_t i = 0; s->slots != NULL && i <= s->mask; i++)
        if (s->slots[i].id != 0)
            names[s->slots[i].id - 1] = s->slots[i].key;
}

size_t
key_set_memory(const struct key_set *s)
{
    return s->bytes.total + (s->slots == NULL ? 0 : (s->mask + 1) * sizeof(s->slots[0]));
}

void
key_set_fini(struct key_set *s)
{
    free(s->slots);
    arena_fini(&s->bytes);
    *s = (struct key_set){ 0 };
}

/* Bytes that take the place of `old`, whose room is used again when it is enough. */
static struct span
keep_bytes(struct arena *a, struct span old, const uint8_t *ptr, size_t len)
{
    uint8_t *room = (uint8_t *)(uintptr_t)old.ptr;
    if (room == NULL || old.len < len)
        room = arena_alloc(a, len + 1);
    if (len > 0)
        memcpy(room, ptr, len);
    return (struct span){ room, len };
}

static bool
add_number(struct groups *g, struct cell_sum *cell, const struct field_type *t, struct field f)
{
    if (t->class == FIELD_DOUBLE || t->class == FIELD_FLOAT) {
        double d;
        if (!field_double(f, t, g->protocol, &d))
            return false;
        cell->is_double = true;
        cell->real += d;
        return true;
    }
    struct decimal d;
    return field_decimal(f, t, g->protocol, &d) &&
           (cell->set ? decimal_add(&cell->decimal, &cell->decimal, &d)
                      : (cell->decimal = d, true));
}

void
groups_extreme(struct groups *g, struct cell_sum *cell, const struct merge_output *o,
               const struct sort_value *v, struct span field)
{
    struct merge_key key = o->key;
    key.descending       = false;
    if (cell->set) {
        int order = sort_value_compare(&key, g->types, v, &cell->best);
        if (o->function == MERGE_MIN ? order >= 0 : order <= 0)
            return;
    }
    cell->bytes = keep_bytes(&g->arena, cell->bytes, field.ptr, field.len);
    cell->best  = *v;
    if (v->bytes.ptr != NULL) {
        cell->best_bytes = keep_bytes(&g->arena, cell->best_bytes, v->bytes.ptr, v->bytes.len);
        cell->best.bytes = cell->best_bytes;
    }
    cell->set = true;
}

static bool
add_extreme(struct groups *g, struct cell_sum *cell, const struct merge_output *o,
            const struct field *fields)
{
    struct field      f = fields[o->column];
    struct sort_value v;
    if (!sort_value_make(&o->key, g->types, g->protocol, fields, &v))
        return false;
    if (!v.null)
        groups_extreme(g, cell, o, &v, (struct span){ f.ptr, f.len });
    return true;
}

/* Counted when this group's column had no equal value yet. */
static bool
add_distinct(struct groups *g, struct cell_sum *cell, uint32_t group, const struct merge_output *o,
             const struct field *fields)
{
    struct sort_value v;
    bool              added;
    if (!sort_value_make(&o->key, g->types, g->protocol, fields, &v))
        return false;
    if (v.null)
        return true;
    buf_clear(&g->value);
    buf_append(&g->value, &group, sizeof(group));
    buf_append(&g->value, &o->column, sizeof(o->column));
    sort_value_canonical(&o->key, g->types, &v, &g->value);
    key_set_add(&g->values, buf_unread(&g->value), &added);
    cell->bits += added;
    return true;
}

static bool
add_cell(struct groups *g, uint32_t group, uint32_t column, const struct field *fields)
{
    struct cell_sum           *cell = &g->rows[group][column];
    const struct merge_output *o = &g->output_of[column];
    const struct field_type   *t = &g->types[column];
    struct field               f = fields[column];
    uint64_t                   bits;
    if (o->function == MERGE_MIN || o->function == MERGE_MAX)
        return add_extreme(g, cell, o, fields);
    if (o->function == MERGE_COUNT_DISTINCT)
        return add_distinct(g, cell, group, o, fields);
    if (f.ptr == NULL)
        return true;
    switch (o->function) {
    case MERGE_ANY:
        if (!cell->set)
            cell->bytes = keep_bytes(&g->arena, cell->bytes, f.ptr, f.len);
        break;
    case MERGE_COUNT: case MERGE_SUM: case MERGE_AVG:
        if (!add_number(g, cell, t, f))
            return false;
        break;
    case MERGE_BIT_AND: case MERGE_BIT_OR: case MERGE_BIT_XOR:
        if (!field_uint(f, t, g->protocol, &bits))
            return false;
        if (!cell->set)
            cell->bits = bits;
        else if (o->function == MERGE_BIT_AND)
            cell->bits &= bits;
        else if (o->function == MERGE_BIT_OR)
            cell->bits |= bits;
        else
            cell->bits ^= bits;
        break;
    case MERGE_MIN: case MERGE_MAX: case MERGE_COUNT_DISTINCT: break;
    }
    cell->set = true;
    return true;
}

uint32_t
groups_find(struct groups *g, struct span key, bool *added)
{
    uint32_t id = key_set_add(&g->keys, key, added);
    if (!*added)
        return id;
    if (id >= g->rows_cap) {
        g->rows_cap = g->rows_cap == 0 ? 64 : 2 * g->rows_cap;
        g->rows     = mem_resize(g->rows, g->rows_cap * sizeof(g->rows[0]));
    }
    g->rows[id] = arena_alloc(&g->arena, g->n_columns * sizeof(struct cell_sum));
    return id;
}

void
groups_empty(struct groups *g)
{
    bool added;
    groups_find(g, (struct span){ 0 }, &added);
}

void
groups_reset(struct groups *g)
{
    key_set_fini(&g->keys);
    key_set_fini(&g->values);
    arena_fini(&g->arena);
    free(g->rows);
    g->rows     = NULL;
    g->rows_cap = 0;
}

static bool
is_as_before(const struct groups *g, const struct cell_sum *cell, struct field f)
{
    if (!cell->set || f.ptr == NULL)
        return g->spec->n_group == 0 || (!cell->set && f.ptr == NULL);
    return span_equal(cell->bytes, (struct span){ f.ptr, f.len });
}

bool
groups_add(struct groups *g, const struct field *fields)
{
    buf_clear(&g->key);
    for (uint32_t i = 0; i < g->spec->n_group; i++) {
        struct sort_value v;
        if (!sort_value_make(&g->spec->group[i], g->types, g->protocol, fields, &v))
            return false;
        sort_value_canonical(&g->spec->group[i], g->types, &v, &g->key);
    }
    bool     added;
    uint32_t id = groups_find(g, buf_unread(&g->key), &added);
    /* Where groups are grouped by something, the first row's NULLs stand. */
    for (uint32_t i = 0; i < g->n_columns; i++) {
        bool any = g->output_of[i].function == MERGE_ANY;
        if (any && !added)
            g->differs = g->differs || !is_as_before(g, &g->rows[id][i], fields[i]);
        if (any && g->spec->n_group > 0 && !added)
            continue;
        if (!add_cell(g, id, i, fields))
            return false;
    }
    return true;
}

/* A number's field bytes in `scratch`. */
static bool
print_number(struct groups *g, const struct cell_sum *cell, const struct field_type *t,
             struct buf *scratch)
{
    uint64_t u;
    int64_t  i;
    if (cell->is_double || t->class == FIELD_DOUBLE || t->class == FIELD_FLOAT) {
        field_print_double(scratch, t, g->protocol,
                           cell->is_double ? cell->real : decimal_to_double(&cell->decimal));
        return true;
    }
    if (t->class == FIELD_DECIMAL || g->protocol == MERGE_TEXT) {
        decimal_print(scratch, &cell->decimal);
        return true;
    }
    if (t->class == FIELD_UINT ? !decimal_to_uint(&cell->decimal, &u)
                               : !decimal_to_int(&cell->decimal, &i))
        return false;
    field_print_uint(scratch, t, g->protocol, t->class == FIELD_UINT ? u : (uint64_t)i);
    return true;
}

static bool
print_average(struct groups *g, const struct cell_sum *row, const struct merge_output *o,
              struct buf *scratch)
{
    const struct field_type *t   = &g->types[o->column];
    const struct cell_sum   *sum = &row[o->sum];
    struct cell_sum          out = { .set = true };
    uint64_t                 count;
    if (!decimal_to_uint(&row[o->count].decimal, &count) || count == 0)
        return false;
    if (sum->is_double) {
        out.is_double = true;
        out.real      = sum->real / (double)count;
    } else if (!decimal_avg(&out.decimal, &sum->decimal, count, t->decimals)) {
        return false;
    }
    return print_number(g, &out, t, scratch);
}

/* The field of a column of the finished group: in the cell, or in `scratch`. */
static bool
finish_cell(struct groups *g, const struct cell_sum *row, uint32_t column, struct buf *scratch,
            struct field *out)
{
    const struct merge_output *o    = &g->output_of[column];
    const struct cell_sum     *cell = &row[column];
    bool                       ok   = true;
    *out                            = (struct field){ NULL, 0 };
    buf_clear(scratch);
    bool counts = o->function == MERGE_COUNT || o->function == MERGE_COUNT_DISTINCT;
    if (o->function == MERGE_AVG ? !row[o->sum].set : !cell->set && !counts)
        return true;
    struct cell_sum exact;
    if (o->function == MERGE_SUM && o->sum != MERGE_NONE) {
        exact = row[o->sum];
        ok    = exact.is_double || decimal_round(&exact.decimal, g->types[column].decimals);
        cell  = &exact;
    }
    switch (o->function) {
    case MERGE_ANY: case MERGE_MIN: case MERGE_MAX:
        *out = (struct field){ cell->bytes.ptr, (uint32_t)cell->bytes.len };
        return true;
    case MERGE_COUNT: case MERGE_SUM:
        ok = ok && print_number(g, cell, &g->types[column], scratch);
        break;
    case MERGE_AVG: ok = print_average(g, row, o, scratch); break;
    case MERGE_COUNT_DISTINCT:
    case MERGE_BIT_AND: case MERGE_BIT_OR: case MERGE_BIT_XOR:
        field_print_uint(scratch, &g->types[column], g->protocol, cell->bits);
        break;
    }
    struct span s = buf_unread(scratch);
    *out          = (struct field){ s.ptr, (uint32_t)s.len };
    return ok;
}

bool
groups_row(struct groups *g, uint32_t group, struct buf *out)
{
    const struct cell_sum *row     = g->rows[group];
    struct buf             scratch = { 0 };
    size_t                 bitmap  = buf_len(out) + 1;
    bool                   ok      = true;
    if (g->protocol == MERGE_BINARY) {
        size_t   len  = 1 + (g->n_columns + 9) / 8;
        uint8_t *room = buf_reserve(out, len);
        memset(room, 0, len);
        buf_commit(out, len);
    }
    for (uint32_t i = 0; i < g->n_columns && ok; i++) {
        struct field f;
        ok = finish_cell(g, row, i, &scratch, &f);
        if (f.ptr == NULL && g->protocol == MERGE_BINARY)
            out->bytes[out->start + bitmap + (i + 2) / 8] |= (uint8_t)(1u << ((i + 2) % 8));
        field_append(out, &g->types[i], g->protocol, f);
    }
    buf_fini(&scratch);
    return ok;
}

size_t
groups_memory(const struct groups *g)
{
    return key_set_memory(&g->keys) + key_set_memory(&g->values) +
           g->arena.total + g->rows_cap * sizeof(g->rows[0]);
}

void
groups_fini(struct groups *g)
{
    key_set_fini(&g->keys);
    key_set_fini(&g->values);
    buf_fini(&g->value);
    arena_fini(&g->arena);
    buf_fini(&g->key);
    free(g->rows);
}
