/* explain_make.c - see explain.h: what of a plan is told, and the reasons. */
#include <stdlib.h>

#include "core/route/explain.h"
#include "core/route/gather.h"

struct maker {
    struct arena             *arena;
    const struct plan        *plan;
    const struct routes      *routes;
    const struct plan_values *values;
};

/* ---- nodes ---- */

static struct explain_node *
node_add(struct maker *m, struct explain_node *parent, const char *step, struct span why)
{
    struct explain_node *n = arena_alloc(m->arena, sizeof(*n));
    *n                     = (struct explain_node){ .step = step, .why = why };
    if (parent == NULL)
        return n;
    struct explain_node **at = &parent->first;
    while (*at != NULL)
        at = &(*at)->next;
    *at = n;
    return n;
}

static struct explain_item *
item_add(struct maker *m, struct explain_node *n, const char *key, uint32_t cap)
{
    struct explain_item *item = arena_alloc(m->arena, sizeof(*item));
    *item = (struct explain_item){ .key = key };
    item->texts = arena_alloc(m->arena, (cap + 1) * sizeof(*item->texts));
    struct explain_item **at = &n->items;
    while (*at != NULL)
        at = &(*at)->next;
    *at = item;
    return item;
}

static void
list_add(struct maker *m, struct explain_item *item, struct span text)
{
    item->is_list          = true;
    item->texts[item->n++] = arena_copy(m->arena, text);
}

static void
add_text(struct maker *m, struct explain_node *n, const char *key, struct span text)
{
    struct explain_item *item = item_add(m, n, key, 1);
    item->texts[item->n++]    = arena_copy(m->arena, text);
}

void
explain_add(struct arena *arena, struct explain_node *node, const char *key, const char *text)
{
    struct maker m = { .arena = arena };

    add_text(&m, node, key, span_of(text));
}

static void
add_number(struct maker *m, struct explain_node *n, const char *key, uint64_t number)
{
    struct explain_item *item = item_add(m, n, key, 0);
    item->is_number = true;
    item->number    = number;
}

static void
add_template(struct maker *m, struct explain_node *n, const char *key, const char *before,
             const struct sql_template *t)
{
    struct buf       text  = { 0 };
    struct bind_list binds = { 0 };
    buf_append_text(&text, before);
    plan_render(m->plan, t, m->values, m->plan->n_params > 0 ? RENDER_PREPARE : RENDER_TEXT, &text,
                &binds);
    free(binds.items);
    add_text(m, n, key, buf_unread(&text));
    buf_fini(&text);
}

/* ---- where ---- */

static const char *
why_target(const struct target *t)
{
    switch (t->kind) {
    case TARGET_ANY:  return "any shard has it";
    case TARGET_HOME: return "it is whole on its database's home";
    case TARGET_KEYS: return t->n_groups > 1 ? "keys of several tables are given; they must be of "
                                               "one shard"
                                             : "the key is given";
    case TARGET_ALL:  return "no key is given";
    case TARGET_EVERY: return "every shard has a copy";
    case TARGET_NONE: return "no row can match; one shard gives the empty answer";
    }
    return "";
}

static void
add_set(struct maker *m, struct explain_node *n, const struct shard_set *set)
{
    struct explain_item *item = item_add(m, n, "shards", set->n);
    for (uint32_t i = shard_set_next(set, 0); i != ROUTES_NONE; i = shard_set_next(set, i + 1))
        list_add(m, item, m->routes->shards[i].name);
}

/* Which columns fix them: "app.users.id". */
static void
add_keys(struct maker *m, struct explain_node *n, const struct target *t)
{
    if (t->kind != TARGET_KEYS)
        return;
    struct explain_item *item = item_add(m, n, "key", t->n_groups);
    for (uint32_t i = 0; i < t->n_groups; i++) {
        const struct route_table *table = &m->routes->tables[t->groups[i].table];
        struct buf                text  = { 0 };
        struct span database = m->routes->databases[table->database].name;
        struct span column   = table->columns[table->key].name;
        buf_printf(&text, "%.*s.%.*s.%.*s", (int)database.len, database.ptr,
                   (int)table->name.len, table->name.ptr, (int)column.len, column.ptr);
        list_add(m, item, buf_unread(&text));
        buf_fini(&text);
    }
}

static void
add_where(struct maker *m, struct explain_node *n)
{
    const struct plan *plan = m->plan;
    struct shard_set   set;
    struct sql_error   error;
    add_keys(m, n, &plan->target);
    if (plan->n_params > 0 && plan->target.kind == TARGET_KEYS)
        add_text(m, n, "shards", SPAN("the values of ? decide"));
    else if (plan_route(plan, m->routes, m->values, 0, &set, &error))
        add_set(m, n, &set);
    else
        add_text(m, n, "refused", span_of(error.message));
}

/* ---- merging ---- */

static struct span
column_name(struct maker *m, uint32_t column)
{
    struct buf text = { 0 };
    if (column >= MERGE_HIDDEN)
        buf_printf(&text, "hidden %u", column - MERGE_HIDDEN + 1);
    else
        buf_printf(&text, "%u", column + 1);
    struct span out = arena_copy(m->arena, buf_unread(&text));
    buf_fini(&text);
    return out;
}

static void
add_merge_keys(struct maker *m, struct explain_node *n, const char *what, uint32_t n_keys,
               const struct merge_key *keys)
{
    struct explain_item *item = n_keys == 0 ? NULL : item_add(m, n, what, n_keys);
    for (uint32_t i = 0; i < n_keys; i++) {
        struct buf  text = { 0 };
        struct span name = column_name(m, keys[i].column);
        buf_printf(&text, "%.*s%s", (int)name.len, name.ptr, keys[i].descending ? " desc" : "");
        list_add(m, item, buf_unread(&text));
        buf_fini(&text);
    }
}

static const char *
why_merge(const struct merge_spec *s)
{
    if (s->grouped && s->n_group == 0)
        return "one group of all shards: their parts are added up";
    if (s->grouped)
        return "groups span shards: each shard groups its rows, and the parts are added up";
    if (s->natural)
        return "nobody asked for an order: of the shards' next rows the least key goes first";
    if (s->sorted_legs)
        return "each shard sorts its rows, and the sorted rows are merged";
    return "rows are sent as they come";
}

static void
add_merge(struct maker *m, struct explain_node *parent)
{
    static const char *const functions[] = {
        [MERGE_ANY] = "any", [MERGE_COUNT] = "count", [MERGE_COUNT_DISTINCT] = "count distinct",
        [MERGE_SUM] = "sum", [MERGE_MIN] = "min", [MERGE_MAX] = "max", [MERGE_AVG] = "avg",
        [MERGE_BIT_AND] = "bit_and", [MERGE_BIT_OR] = "bit_or", [MERGE_BIT_XOR] = "bit_xor",
    };
    const struct merge_spec *s = m->plan->merge;
    struct explain_node     *n = node_add(m, parent, "merge", span_of(why_merge(s)));
    struct explain_item     *item =
        s->n_outputs == 0 ? NULL : item_add(m, n, "aggregates", s->n_outputs);
    for (uint32_t i = 0; i < s->n_outputs; i++) {
        struct buf  text = { 0 };
        struct span name = column_name(m, s->outputs[i].column);
        buf_printf(&text, "%s of %.*s", functions[s->outputs[i].function], (int)name.len,
                   name.ptr);
        list_add(m, item, buf_unread(&text));
        buf_fini(&text);
    }
    add_merge_keys(m, n, "group", s->n_group, s->group);
    if (s->having != NULL)
        node_add(m, n, "having", SPAN("it is about groups, which are whole here only"));
    add_merge_keys(m, n, s->natural ? "natural_order" : "order", s->n_order, s->order);
    if (s->distinct)
        add_merge_keys(m, node_add(m, n, "distinct", SPAN("equal rows may be on several shards")),
                       "columns", s->n_distinct, s->distinct_keys);
    if (m->plan->has_limit)
        node_add(m, n, "limit", s->grouped ? SPAN("of the groups that are whole")
                                           : SPAN("no shard sends more than offset and count"));
}

/* ---- gathering ---- */

static void
add_names(struct maker *m, struct explain_node *n, const char *key, uint32_t table,
          const uint32_t *columns, uint32_t n_columns)
{
    struct explain_item *item = n_columns == 0 ? NULL : item_add(m, n, key, n_columns);
    for (uint32_t i = 0; i < n_columns; i++)
        list_add(m, item, m->routes->tables[table].columns[columns[i]].name);
}

static void
add_joins(struct maker *m, struct explain_node *parent, const struct gather_table *t)
{
    for (uint32_t i = 0; i < t->n_joins; i++) {
        const struct gather_join  *join = &t->joins[i];
        const struct gather_table *of   = &m->plan->gather->tables[join->of];
        struct explain_node       *n =
            node_add(m, parent, "values", SPAN("rows with other values meet none of that table: "
                     "asked when it is here, by a list, unless that is too long"));
        struct buf text = { 0 };
        struct span column = m->routes->tables[of->table].columns[join->of_column].name;
        add_text(m, n, "column", m->routes->tables[t->table].columns[join->column].name);
        buf_printf(&text, "%.*s.%.*s.%.*s", (int)of->schema.len, of->schema.ptr,
                   (int)of->name.len, of->name.ptr, (int)column.len, column.ptr);
        add_text(m, n, "of", buf_unread(&text));
        buf_fini(&text);
    }
}

static void
add_fetch(struct maker *m, struct explain_node *parent, const struct gather_table *t)
{
    struct span why = t->filtered
                          ? SPAN("conditions on this table alone are looked at by its shards")
                      : t->n_joins > 0 ? SPAN("rows matter beside those of another table only")
                          : SPAN("no condition is on this table alone: all rows may matter");
    struct explain_node *n = node_add(m, parent, "fetch", why);
    struct buf       name = { 0 };
    struct shard_set set;
    buf_printf(&name, "%.*s.%.*s", (int)t->schema.len, t->schema.ptr, (int)t->name.len,
               t->name.ptr);
    add_text(m, n, "table", buf_unread(&name));
    buf_fini(&name);
    add_keys(m, n, &t->target);
    if (m->plan->n_params > 0 && t->target.kind == TARGET_KEYS) {
        add_text(m, n, "shards", SPAN("the values of ? decide"));
    } else {
        gather_route(m->plan, m->routes, t, m->values, 0, &set);
        add_set(m, n, &set);
    }
    add_text(m, n, "because", span_of(why_target(&t->target)));
    add_names(m, n, "columns", t->table, t->columns, t->n_columns);
    add_names(m, n, "keys", t->table, t->keys, t->n_keys);
    add_template(m, n, "text", "SELECT ...", &t->from);
    add_joins(m, n, t);
}

static void
add_gather(struct maker *m, struct explain_node *parent)
{
    const struct gather_spec *g = m->plan->gather;
    struct explain_node      *n = node_add(m, parent, "engine", m->plan->change != NULL
                ? SPAN("the statement runs on copies of the rows, which are locked")
                : SPAN("the statement runs on copies of the rows"));
    if (g->text != NULL)
        add_template(m, n, "text", "", g->text);
    for (uint32_t i = 0; i < g->n_tables; i++)
        add_fetch(m, n, &g->tables[i]);
}

static void
add_change(struct maker *m, struct explain_node *parent)
{
    static const char *const  verbs[] = { "insert", "update", "delete" };
    const struct change_spec *c = m->plan->change;
    for (uint32_t i = 0; i < c->n_targets; i++) {
        const struct gather_table *t = &m->plan->gather->tables[c->targets[i].at];
        struct explain_node       *n = node_add(m, parent, verbs[c->targets[i].verb],
                      SPAN("what has changed is written by primary key, in one transaction"));
        add_text(m, n, "table", t->name);
        add_names(m, n, "columns", t->table, c->targets[i].columns, c->targets[i].n_columns);
    }
}

/* ---- rows ---- */

static void
add_rows(struct maker *m, struct explain_node *parent)
{
    const struct insert_spec *s      = m->plan->insert;
    struct shard_set          set    = { 0 };
    uint32_t                  waits = 0;
    for (uint32_t i = 0; i < s->n_rows && m->plan->n_params == 0; i++) {
        enum insert_number number = INSERT_PLAIN;
        struct sql_error   error;
        uint64_t           value;
        uint32_t           shard;
        bool ok = insert_inspect(m->plan, m->routes, m->values, i, &number, &value, &error);
        if (ok && number == INSERT_NUMBER) {
            waits++;
            continue;
        }
        if (!ok || !insert_shard(m->plan, m->routes, m->values, i, false, 0, &shard, &error)) {
            add_text(m, parent, "refused", span_of(error.message));
            return;
        }
        shard_set_add(&set, shard);
    }
    add_number(m, parent, "rows", s->n_rows);
    if (m->plan->n_params > 0)
        add_text(m, parent, "shards", SPAN("the values of ? decide"));
    else
        add_set(m, parent, &set);
    if (waits > 0)
        add_number(m, parent, "rows that get a number of the sequence first", waits);
}

static void
add_lookup(struct maker *m, struct explain_node *parent)
{
    const struct lookup_read *l = m->plan->lookup;
    const struct route_table *t = &m->routes->tables[l->table];
    struct explain_node      *n =
        node_add(m, parent, "lookup", SPAN("asked first: only the shards of its rows are"));

    add_text(m, n, "column", t->columns[l->column].name);
    add_template(m, n, "text", "", &l->text);
}

/* ---- */

static bool
has_place(enum plan_kind kind)
{
    return kind == PLAN_ONE || kind == PLAN_SCATTER || kind == PLAN_WRITE;
}

static struct span
why(const struct plan *plan)
{
    if (plan->kind == PLAN_REFUSE)
        return span_of(plan->error.message);
    if (plan->reason != NULL)
        return span_of(plan->reason);
    return has_place(plan->kind) ? span_of(why_target(&plan->target)) : (struct span){ 0 };
}

struct explain_node *
explain_make(struct arena *arena, const struct plan *plan, const struct routes *routes,
             const struct plan_values *values)
{
    struct maker m = { arena, plan, routes, values };
    bool always    = plan->kind == PLAN_GATHER || plan->kind == PLAN_CHANGE;
    bool gathers   = always || (plan->gather != NULL && plan->n_params == 0 &&
                              gather_needed(plan, routes, values));
    struct explain_node *top =
        node_add(&m, NULL, gathers && plan->change == NULL ? "gather"
                           : gathers ? "change" : plan_kind_name(plan->kind), why(plan));
    if (plan->kind == PLAN_REFUSE) {
        add_number(&m, top, "error", plan->error.code);
        return top;
    }
    if (gathers) {
        add_gather(&m, top);
        if (plan->change != NULL)
            add_change(&m, top);
        return top;
    }
    if (has_place(plan->kind))
        add_where(&m, top);
    if (plan->lookup != NULL)
        add_lookup(&m, top);
    if (plan->kind == PLAN_INSERT)
        add_rows(&m, top);
    if (has_place(plan->kind) && plan->text != NULL)
        add_template(&m, top, "text", "", plan->text);
    if (plan->merge != NULL)
        add_merge(&m, top);
    if (plan->gather != NULL)
        node_add(&m, top, plan->change != NULL ? "or change" : "or gather",
                 plan->kind == PLAN_SCATTER
                     ? SPAN("when the types of its columns cannot be merged, or a column is of any "
                            "row of a group and the rows are few")
                     : SPAN("when the keys are of several shards"));
    return top;
}
