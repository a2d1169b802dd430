/* merge_state.c - see merge_group.h: groups on their way to a file and back, exactly. */
#include "core/route/merge_group.h"

static void
put_span(struct buf *out, struct span s)
{
    uint32_t len = (uint32_t)s.len;
    buf_append(out, &len, sizeof(len));
    buf_append_span(out, s);
}

/* False: it is not there. */
static bool
take(struct span *in, void *out, size_t len)
{
    if (in->len < len)
        return false;
    memcpy(out, in->ptr, len);
    *in = span_from(*in, len);
    return true;
}

bool
state_take_span(struct span *in, struct span *out)
{
    uint32_t len;
    if (!take(in, &len, sizeof(len)) || in->len < len)
        return false;
    *out = (struct span){ in->ptr, len };
    *in  = span_from(*in, len);
    return true;
}

static void
save_cell(const struct merge_output *o, const struct cell_sum *cell, bool counts, struct buf *out)
{
    buf_append_byte(out, cell->set);
    switch (o->function) {
    case MERGE_ANY:
        if (cell->set)
            put_span(out, cell->bytes);
        break;
    case MERGE_MIN: case MERGE_MAX:
        if (!cell->set)
            break;
        put_span(out, cell->bytes);
        buf_append_byte(out, cell->best.bytes.ptr != NULL);
        buf_append(out, &cell->best.u, sizeof(cell->best.u));
        if (cell->best.bytes.ptr != NULL)
            put_span(out, cell->best.bytes);
        break;
    case MERGE_COUNT: case MERGE_SUM: case MERGE_AVG:
        if (!cell->set)
            break;
        buf_append_byte(out, cell->is_double);
        buf_append(out, &cell->real, sizeof(cell->real));
        buf_append(out, &cell->decimal, sizeof(cell->decimal));
        break;
    case MERGE_COUNT_DISTINCT: {
        uint64_t bits = counts ? cell->bits : 0;
        buf_append(out, &bits, sizeof(bits));
        break;
    }
    case MERGE_BIT_AND: case MERGE_BIT_OR: case MERGE_BIT_XOR:
        buf_append(out, &cell->bits, sizeof(cell->bits));
        break;
    }
}

void
groups_save(const struct groups *g, uint32_t group, struct span key, bool counts, struct buf *out)
{
    buf_append_byte(out, STATE_GROUP);
    put_span(out, key);
    for (uint32_t i = 0; i < g->n_columns; i++)
        save_cell(&g->output_of[i], &g->rows[group][i], counts, out);
}

void
groups_save_count(struct span key, uint32_t column, struct buf *out)
{
    buf_append_byte(out, STATE_COUNT);
    put_span(out, key);
    buf_append(out, &column, sizeof(column));
}

/* ---- back ---- */

static bool
load_extreme(struct groups *g, const struct merge_output *o, struct cell_sum *cell,
             struct span *in)
{
    struct sort_value v = { 0 };
    struct span       bytes;
    uint8_t           textual;
    if (!state_take_span(in, &bytes) || !take(in, &textual, 1) || !take(in, &v.u, sizeof(v.u)) ||
        (textual != 0 && !state_take_span(in, &v.bytes)))
        return false;
    groups_extreme(g, cell, o, &v, bytes);
    return true;
}

static bool
load_sum(struct cell_sum *cell, struct span *in)
{
    uint8_t        is_double;
    double         real;
    struct decimal decimal;
    if (!take(in, &is_double, 1) || !take(in, &real, sizeof(real)) ||
        !take(in, &decimal, sizeof(decimal)))
        return false;
    cell->is_double |= is_double != 0;
    cell->real += real;
    bool was  = cell->set;
    cell->set = true;
    if (!was) {
        cell->decimal = decimal;
        return true;
    }
    return decimal_add(&cell->decimal, &cell->decimal, &decimal);
}

static bool
load_bits(const struct merge_output *o, struct cell_sum *cell, bool set, struct span *in)
{
    uint64_t bits;
    if (!take(in, &bits, sizeof(bits)))
        return false;
    if (o->function == MERGE_COUNT_DISTINCT)
        cell->bits += bits;
    else if (set && !cell->set)
        cell->bits = bits;
    else if (set && o->function == MERGE_BIT_AND)
        cell->bits &= bits;
    else if (set && o->function == MERGE_BIT_OR)
        cell->bits |= bits;
    else if (set)
        cell->bits ^= bits;
    cell->set |= set;
    return true;
}

/* `first`: the group had no row yet, so that MERGE_ANY is this one's. */
static bool
load_cell(struct groups *g, const struct merge_output *o, struct cell_sum *cell, bool first,
          struct span *in)
{
    uint8_t     set;
    struct span bytes;
    if (!take(in, &set, 1))
        return false;
    switch (o->function) {
    case MERGE_ANY:
        if (set == 0)
            return true;
        if (!state_take_span(in, &bytes))
            return false;
        if (first || (g->spec->n_group == 0 && !cell->set)) {
            cell->bytes = arena_copy(&g->arena, bytes);
            cell->set   = true;
        }
        return true;
    case MERGE_MIN: case MERGE_MAX: return set == 0 || load_extreme(g, o, cell, in);
    case MERGE_COUNT: case MERGE_SUM: case MERGE_AVG: return set == 0 || load_sum(cell, in);
    case MERGE_COUNT_DISTINCT:
    case MERGE_BIT_AND: case MERGE_BIT_OR: case MERGE_BIT_XOR:
        return load_bits(o, cell, set != 0, in);
    }
    return false;
}

bool
groups_load(struct groups *g, struct span record)
{
    struct span key;
    uint8_t     kind;
    uint32_t    column;
    bool        first;
    if (!take(&record, &kind, 1) || !state_take_span(&record, &key))
        return false;
    uint32_t id = groups_find(g, key, &first);
    if (kind == STATE_COUNT) {
        if (!take(&record, &column, sizeof(column)) || column >= g->n_columns)
            return false;
        g->rows[id][column].bits++;
        return true;
    }
    for (uint32_t i = 0; i < g->n_columns; i++)
        if (!load_cell(g, &g->output_of[i], &g->rows[id][i], first, &record))
            return false;
    return true;
}
