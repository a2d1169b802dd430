/* plan_natural.c - see plan_internal.h: the order of rows that none was asked for.
 *
 * A server sends them as it finds them, by primary key mostly, and applications have got used to
 * that. So does each shard; and of the rows that shards offer, that of the least primary key goes
 * out first. No shard sorts for it: where they find rows by another way, they come in that way's
 * order from each, and in the same one every time.
 */
#include "core/route/plan_scatter.h"

/* Compared by value, whatever its text is. */
static bool
is_simple(const struct route_column *c)
{
    return column_is_integer(c->type) || c->type == COLUMN_DATE ||
           c->type == COLUMN_DATETIME || c->type == COLUMN_TIMESTAMP;
}

/* Index of the column that is the `place`-th of the primary key, from 1. */
static uint32_t
primary_column(const struct route_table *t, uint32_t place)
{
    for (uint32_t i = 0; i < t->n_columns; i++)
        if (t->columns[i].primary == place)
            return is_simple(&t->columns[i]) && span_is_ascii(t->columns[i].name) ? i
                                                                                   : ROUTES_NONE;
    return ROUTES_NONE;
}

/* The first table with rows on several shards; NULL: there is none that a name stands for. */
static const struct instance *
first_sharded(const struct scope *s)
{
    const struct instance *found = NULL;
    for (const struct instance *i = s->first; i != NULL; i = i->next)
        if (found == NULL && i->table != NULL && i->table->kind == TABLE_SHARDED)
            found = i;
    for (const struct instance *i = s->first; i != NULL && found != NULL; i = i->next)
        if (i != found && span_equal_nocase(i->alias, found->alias))
            return NULL;
    return found;
}

static uint32_t
visible(const struct scatter *c, const struct instance *i, uint32_t column)
{
    uint32_t at = 0, other;
    for (const struct select_item *item = c->q->items; item != NULL && at < c->star_at;
         item = item->next, at++) {
        const struct expr *e = bare(item->expr);
        if (e->kind == EXPR_COLUMN && scope_column(c->s, e->path, &other) == i && other == column)
            return at;
    }
    return MERGE_NONE;
}

static uint32_t
hide_column(struct scatter *c, const struct instance *i, uint32_t column)
{
    text_const(&c->hidden, ", ");
    text_name(&c->hidden, i->alias);
    text_const(&c->hidden, ".");
    text_name(&c->hidden, i->table->columns[column].name);
    text_const(&c->hidden, " AS `shardd`");
    return MERGE_HIDDEN + c->n_hidden++;
}

/* By the columns of GROUP BY, as far as they are simple. */
static uint32_t
group_keys(struct scatter *c, struct merge_key *keys)
{
    uint32_t n = 0;
    for (const struct order_item *o = c->q->group_by; o != NULL; o = o->next) {
        uint32_t               column;
        const struct expr     *e = bare(o->expr);
        const struct instance *i = e->kind == EXPR_COLUMN ? scope_column(c->s, e->path, &column)
                                                          : NULL;
        const struct route_column *t = i == NULL ? NULL : instance_column(i, column);
        uint32_t at = t != NULL && is_simple(t) ? visible(c, i, column) : MERGE_NONE;
        if (at == MERGE_NONE)
            break;
        keys[n++] = (struct merge_key){ .column = at, .weight = MERGE_NONE };
    }
    return n;
}

static uint32_t
row_keys(struct scatter *c, const struct instance *i, struct merge_key *keys)
{
    uint32_t n = 0;
    for (uint32_t place = 1;; place++) {
        uint32_t column = primary_column(i->table, place);
        uint32_t at     = column == ROUTES_NONE ? MERGE_NONE : visible(c, i, column);
        if (column == ROUTES_NONE || (at == MERGE_NONE && c->q->distinct))
            break;
        keys[n++] = (struct merge_key){
            .column = at != MERGE_NONE ? at : hide_column(c, i, column), .weight = MERGE_NONE };
    }
    return n;
}

void
natural_order(struct scatter *c)
{
    const struct query    *q = c->q;
    const struct instance *i = q->group_by == NULL ? first_sharded(c->s) : NULL;
    uint32_t               n = i == NULL ? 0 : i->table->n_columns;
    if (c->spec->n_order != 0 || q->order_by != NULL || q->into != NULL)
        return;
    for (const struct order_item *o = q->group_by; o != NULL; o = o->next)
        n++;
    if (n == 0)
        return;
    struct merge_key *keys = make(c->p, n * sizeof(*keys));
    c->spec->n_order     = i == NULL ? group_keys(c, keys) : row_keys(c, i, keys);
    c->spec->order       = keys;
    c->spec->natural     = c->spec->n_order > 0;
    c->spec->sorted_legs = c->spec->natural;
}
