/* query_gather_join.c - tables that are asked only for rows that others want; see gather.h.
 *
 * A wave's fetches begin when all of the wave before are complete. Their legs are new ones: what
 * a transaction holds they find again, and else a connection was nobody's in between.
 */
#include <stdlib.h>

#include "core/mysql/literal.h"
#include "core/mysql/row.h"
#include "workers/query/gather.h"

/* --- what is told --------------------------------------------------------- */

static struct told *
told_of(const struct gathering *g, const struct gather_join *join)
{
    struct source *of = &g->sources[join->of];

    for (uint32_t i = 0; i < of->n_told; i++)
        if (of->told[i].column == join->of_column)
            return &of->told[i];
    return NULL;
}

/* Where the column stands in a row of the copy. */
static uint32_t
place_of(const struct gather_copy *c, uint32_t column)
{
    uint32_t at = 0;

    while (at < c->n && c->columns[at] != column)
        at++;
    return at;
}

static void
hear_of(struct gathering *g, const struct gather_join *join)
{
    const struct routes *r    = g->q->routes->routes;
    struct source       *of   = &g->sources[join->of];
    uint32_t             at   = place_of(&of->copy, join->of_column);
    struct told         *told;

    if (told_of(g, join) != NULL || at == of->copy.n)
        return;
    if (of->told == NULL)
        of->told = arena_alloc(&g->q->arena, of->copy.n * sizeof(*of->told));
    told  = &of->told[of->n_told++];
    *told = (struct told){ .column = join->of_column, .at = at };
    join_values_init(&told->values, &r->tables[of->table->table].columns[join->of_column],
                     g->q->ctx->conf.gather_join_values);
}

void
gather_listen(struct gathering *g)
{
    for (uint32_t i = 0; i < g->spec->n_tables; i++)
        for (uint32_t k = 0; k < g->spec->tables[i].n_joins; k++)
            hear_of(g, &g->spec->tables[i].joins[k]);
}

void
gather_forget_told(struct gathering *g)
{
    for (uint32_t i = 0; i < g->spec->n_tables; i++)
        for (uint32_t k = 0; k < g->sources[i].n_told; k++)
            join_values_fini(&g->sources[i].told[k].values);
}

static void
note(struct fetch *f, struct told *told)
{
    const struct cell   *cell   = &f->line.cells[told->at];
    const struct column *column = &f->columns[told->at];
    struct buf           text   = { 0 };

    if (cell->is_null)
        return;
    if (!f->source->prepared || type_size(column->type) == TYPE_LENENC)
        join_values_add(&told->values, cell->bytes);
    else if (cell_to_text(&text, column, *cell))
        join_values_add(&told->values, buf_unread(&text));
    buf_fini(&text);
}

static bool
wants_more(const struct source *source)
{
    for (uint32_t i = 0; i < source->n_told; i++)
        if (!source->told[i].values.gave_up)
            return true;
    return false;
}

bool
gather_note(struct fetch *f, struct span row)
{
    struct source *source = f->source;
    bool           binary = source->prepared;

    if (!wants_more(source))
        return true;
    if (!binary && !row_text_decode(row, f->line.n, f->line.cells))
        return false;
    for (uint32_t i = 0; i < source->n_told; i++)
        if (!source->told[i].values.gave_up)
            note(f, &source->told[i]);
    return true;
}

/* --- who is asked --------------------------------------------------------- */

static const struct route_table *
table_of(const struct source *source)
{
    return &source->g->q->routes->routes->tables[source->table->table];
}

static bool
is_key(const struct source *source, const struct gather_join *join)
{
    const struct route_table *t = table_of(source);

    return t->kind == TABLE_SHARDED && t->key == join->column;
}

/* The values that rows must have; NULL: they are too many. */
static const struct join_values *
values_of(const struct source *source, const struct gather_join *join)
{
    const struct told *told = told_of(source->g, join);

    return told == NULL || told->values.gave_up ? NULL : &told->values;
}

static bool
may_be_on(const struct source *source, uint32_t shard)
{
    const struct routes *r = source->g->q->routes->routes;

    for (uint32_t i = 0; i < source->table->n_joins; i++) {
        const struct gather_join *join   = &source->table->joins[i];
        const struct join_values *values = values_of(source, join);
        if (values == NULL)
            continue;
        if (values->n == 0 ||
            (is_key(source, join) &&
             !join_values_on(values, &table_of(source)->columns[join->column], r, shard)))
            return false;
    }
    return true;
}

/* One is asked in any case: whether the client may read the table, say. */
void
gather_narrow(struct source *source)
{
    struct shard_set all = source->shards, left = { 0 };

    if (source->table->n_joins == 0)
        return;
    for (uint32_t s = all.first; s != ROUTES_NONE; s = shard_set_next(&all, s + 1))
        if (may_be_on(source, s))
            shard_set_add(&left, s);
    if (left.n == 0)
        shard_set_add(&left, all.first);
    source->shards = left;
}

void
gather_conditions(const struct source *source, uint32_t shard, struct buf *out)
{
    const struct routes *r          = source->g->q->routes->routes;
    bool                 says_where = source->table->says_where;

    for (uint32_t i = 0; i < source->table->n_joins; i++) {
        const struct gather_join  *join   = &source->table->joins[i];
        const struct join_values  *values = values_of(source, join);
        const struct route_column *column = &table_of(source)->columns[join->column];
        struct buf                 list   = { 0 };
        if (values == NULL)
            continue;
        join_values_text(values, column, is_key(source, join), r, shard, &list);
        buf_append_text(out, says_where ? " AND " : " WHERE ");
        if (buf_len(&list) == 0) {
            buf_append_text(out, "FALSE");
        } else {
            literal_identifier(out, column->name);
            buf_append_text(out, " IN (");
            buf_append_span(out, buf_unread(&list));
            buf_append_byte(out, ')');
        }
        buf_fini(&list);
        says_where = true;
    }
}
