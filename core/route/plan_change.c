/* plan_change.c - see gather.h: writes whose rows one server has to find.
 *
 * What such a statement reads is looked at as a SELECT would be, with the same tables and
 * conditions, whose items are all that the statement computes. Every row of a table that is
 * written is locked when it is fetched, and rows that are only read are locked against changes, as
 * one server does it.
 */
#include "core/route/gather.h"
#include "core/route/own_table.h"
#include "core/route/plan_gather.h"

enum { RECORD_CHANGED = 1020 /* ER_CHECKREAD */ };

/* ---- the statement as a SELECT ---- */

static struct select_item *
item_of(struct planner *p, struct expr *e, struct select_item *next)
{
    struct select_item *item = make(p, sizeof(*item));
    *item = (struct select_item){ .expr = e, .range = { e->start, e->end }, .next = next };
    return item;
}

/* DEFAULT by itself is the column's, wherever the table is. */
static bool
is_default(struct expr *e)
{
    e = bare(e);
    return e->kind == EXPR_DEFAULT && e->n_args == 0;
}

static bool
assigns_default(const struct assignment *a)
{
    while (a != NULL && !is_default(a->value))
        a = a->next;
    return a != NULL;
}

static void
add_values(struct planner *p, struct query *q, struct expr *values)
{
    for (struct expr *e = values; e != NULL; e = e->next)
        if (!is_default(e))
            q->items = item_of(p, e, q->items);
}

static void
add_assignments(struct planner *p, struct query *q, struct assignment *set, bool columns_too)
{
    for (struct assignment *a = set; a != NULL; a = a->next) {
        if (!is_default(a->value))
            q->items = item_of(p, a->value, q->items);
        if (!columns_too)
            continue;
        struct expr *column = make(p, sizeof(*column));
        *column  = (struct expr){ .kind = EXPR_COLUMN, .start = a->column.range.start,
                                  .end = a->column.range.end, .path = &a->column };
        q->items = item_of(p, column, q->items);
    }
}

static struct query *
as_select(struct planner *p)
{
    const struct stmt *s = p->stmt;
    struct query      *q = make(p, sizeof(*q));
    *q                   = (struct query){ .kind = QUERY_BLOCK, .range = s->range };
    if (s->kind == STMT_UPDATE) {
        q->with     = s->update->with;
        q->from     = s->update->tables;
        q->where    = s->update->where;
        q->order_by = s->update->order_by;
        q->limit    = s->update->limit;
        add_assignments(p, q, s->update->set, true);
    } else if (s->kind == STMT_DELETE) {
        q->with     = s->delete->with;
        q->from     = s->delete->tables;
        q->where    = s->delete->where;
        q->order_by = s->delete->order_by;
        q->limit    = s->delete->limit;
        q->items    = s->delete->returning;
    } else if (s->insert->source == INSERT_QUERY) {
        return s->insert->query;
    } else {
        for (const struct row *row = s->insert->rows; row != NULL; row = row->next)
            add_values(p, q, row->values);
        add_assignments(p, q, s->insert->set, false);
    }
    return q;
}

/* ---- the tables that are written ---- */

static bool
add_target(struct planner *p, struct change_maker *m, struct gathering *g, uint32_t *at)
{
    const struct route_database *d = &p->routes->databases[g->table->database];
    m->triggered |= g->table->triggers != TRIGGERS_NONE;
    if (g->table->triggers != TRIGGERS_NONE)
        return NOT_YET(p, "shardd: the table '%.*s' has triggers, and the rows of this write are "
                          "found or computed elsewhere, or change their shard, so that these would "
                          "fire for other values or other rows: give the key and its values",
                       SHOWN(g->table->name));
    for (*at = 0; *at < m->n_targets; (*at)++)
        if (m->targets[*at] == g)
            return true;
    if (g->table->kind != TABLE_SHARDED && d->has_code && !own_table_is(p->routes, g->index))
        return NOT_YET(p, "shardd: the table '%.*s' is in a database that has, or had, triggers, "
                          "and the rows of this write are found elsewhere: name the rows",
                       SHOWN(g->table->name));
    g->changed    = true;
    g->lock_words = " FOR UPDATE";
    for (uint32_t i = 0; i < g->table->n_columns; i++)
        g->wanted[i] = true;
    m->targets[m->n_targets]   = g;
    m->columns[m->n_targets++] = make(p, g->table->n_columns * sizeof(bool));
    return true;
}

static bool
unknown_target(struct planner *p, struct span name)
{
    return NOT_YET(p, "shardd: it is not clear which table '%.*s' is of, and the rows of this "
                      "write are on several shards: say table.column", SHOWN(name));
}

static bool
update_targets(struct planner *p, struct change_maker *m, struct scope *s,
               struct gathering *list)
{
    for (struct assignment *a = p->stmt->update->set; a != NULL; a = a->next) {
        uint32_t          column, at;
        struct instance  *i = scope_column(s, &a->column, &column);
        struct gathering *g = i == NULL || i->table == NULL ? NULL : gathering_of(list, i);
        if (g == NULL)
            return unknown_target(p, a->column.name);
        if (!add_target(p, m, g, &at))
            return false;
        if (g->table->columns[column].generated)
            return NOT_YET(p, "shardd: '%.*s' is generated: it cannot be written",
                           SHOWN(a->column.name));
        m->columns[at][column] = true;
        /* Which rows it leaves alone depends on all that have keys. */
        g->whole |= p->stmt->update->ignore &&
                    (column == g->table->key || g->table->columns[column].primary != 0);
    }
    return true;
}

static bool
delete_targets(struct planner *p, struct change_maker *m, struct scope *s,
               struct gathering *list)
{
    const struct delete *d = p->stmt->delete;
    uint32_t             at;
    if (!d->multi) {
        struct gathering *g = s->first == NULL ? NULL : gathering_of(list, s->first);
        return g != NULL && add_target(p, m, g, &at);
    }
    for (const struct table_item *t = d->targets; t != NULL; t = t->next) {
        struct instance *i = s->first;
        while (i != NULL && !span_equal_nocase(i->alias, t->table.name))
            i = i->next;
        struct gathering *g = i == NULL ? NULL : gathering_of(list, i);
        if (g == NULL)
            return refuse(p, 1109, "Unknown table '%.*s' in MULTI DELETE", SHOWN(t->table.name));
        if (!add_target(p, m, g, &at))
            return false;
    }
    return true;
}

static bool
insert_target(struct planner *p, struct change_maker *m, struct scope *top,
              struct gathering **list)
{
    const struct insert *in = p->stmt->insert;
    struct scope        *s  = scope_new(p, NULL, NULL);
    struct instance     *i  = scope_add_path(p, s, &in->table, (struct span){ 0 });
    uint32_t             at;
    p->scopes = s->next_all; /* its names are those of no block */
    if (i->table == NULL || i->table->kind == TABLE_VIEW || i->table->n_columns == 0)
        return NOT_YET(p, "shardd: rows of several shards cannot be written into '%.*s', which is "
                          "no table that is known", SHOWN(in->table.name));
    struct gathering *g = gathering_of(*list, i);
    if (g == NULL) {
        g        = gathering_add(p, list, i);
        g->empty = true;
    }
    if (!add_target(p, m, g, &at))
        return false;
    if (m->spec->meets)
        meet_rows(p, g, top, *list);
    if (m->spec->meets && (g->partition.end != 0 || g->period.end != 0))
        return NOT_YET(p, "shardd: '%.*s' is written, and partitions of it, or its history, are "
                          "read, and there may be rows with the keys of new ones on several "
                          "shards", SHOWN(in->table.name));
    if (!m->spec->meets || g->empty)
        g->lock_words = NULL;
    return true;
}

static void
lock_the_rest(struct change_maker *m, struct gathering *list)
{
    for (; list != NULL; list = list->next)
        if (!list->empty && list->lock.end == 0 && list->lock_words == NULL)
            list->lock_words = " LOCK IN SHARE MODE";
    (void)m;
}

/* ---- columns ---- */

/* What is said for duplicates the shards do by themselves. */
static bool
check_repeats(struct planner *p, struct change_maker *m)
{
    return p->stmt->insert->on_duplicate == NULL ||
           m->targets[0]->table->kind != TABLE_REFERENCE || write_is_repeatable(p);
}

static bool
add_column(struct planner *p, struct change_target *t, const struct route_table *table,
           uint32_t column, struct span name)
{
    if (column == ROUTES_NONE)
        return refuse(p, 1054, "Unknown column '%.*s' in 'INSERT INTO'", SHOWN(name));
    if (table->columns[column].generated)
        return NOT_YET(p, "shardd: '%.*s' is generated: leave it out of the list of columns",
                       SHOWN(table->columns[column].name));
    ((uint32_t *)(uintptr_t)t->columns)[t->n_columns++] = column;
    return true;
}

/* The key's default is what the engine says: it decides where the row goes. */
static bool
add_key(struct planner *p, struct change_target *t, const struct route_table *table)
{
    if (table->kind != TABLE_SHARDED || table->key == table->auto_increment)
        return true;
    for (uint32_t i = 0; i < t->n_columns; i++)
        if (t->columns[i] == table->key)
            return true;
    return add_column(p, t, table, table->key, table->columns[table->key].name);
}

static bool
insert_columns(struct planner *p, struct change_maker *m, struct change_target *t)
{
    const struct insert      *in    = p->stmt->insert;
    const struct route_table *table = m->targets[0]->table;
    uint32_t                  n     = table->n_columns + in->n_columns + 1;
    for (const struct assignment *a = in->set; a != NULL; a = a->next)
        n++;
    t->columns = make(p, n * sizeof(uint32_t));
    for (const struct assignment *a = in->set; a != NULL; a = a->next)
        if (!add_column(p, t, table, routes_column(table, a->column.name), a->column.name))
            return false;
    for (const struct name_item *c = in->columns; c != NULL; c = c->next)
        if (!add_column(p, t, table, routes_column(table, c->name), c->name))
            return false;
    bool all = in->source != INSERT_SET && in->columns == NULL;
    for (uint32_t i = 0; all && i < table->n_columns; i++)
        if (!table->columns[i].invisible && !add_column(p, t, table, i, table->columns[i].name))
            return false;
    return add_key(p, t, table);
}

static void
head_and_tail(struct planner *p, struct change_maker *m, const struct change_target *target)
{
    const struct insert      *in    = p->stmt->insert;
    const struct route_table *table = m->targets[0]->table;
    struct text               t;
    text_begin(&t, p);
    text_const(&t, in->replace ? "REPLACE INTO "
                   : in->ignore && !m->spec->meets ? "INSERT IGNORE INTO " : "INSERT INTO ");
    text_name(&t, p->routes->databases[table->database].name);
    text_const(&t, ".");
    text_name(&t, table->name);
    for (uint32_t i = 0; i < target->n_columns; i++) {
        text_const(&t, i == 0 ? " (" : ", ");
        text_name(&t, table->columns[target->columns[i]].name);
    }
    text_const(&t, target->n_columns == 0 ? " () VALUES " : ") VALUES ");
    m->spec->head = text_end(&t);
    text_begin(&t, p);
    const struct range clauses[] = { in->on_duplicate_range, in->returning_range };
    for (size_t i = 0; i < countof(clauses) && !m->spec->answers; i++)
        if (clauses[i].end != 0) {
            text_const(&t, " ");
            text_source(&t, clauses[i].start, clauses[i].end);
        }
    m->spec->tail = text_end(&t);
}

/* Rows were looked for, and locked, by their keys. */
static void
say_met(struct planner *p, struct change_maker *m)
{
    struct sql_error *error = make(p, sizeof(*error));
    sql_error_set(error, RECORD_CHANGED, "shardd: a row with the key of a new one came while the "
                  "statement ran, or a key is written otherwise than its column stores it: try "
                  "again, with keys as they are stored");
    m->spec->duplicates = error;
}

uint32_t
change_zero(const struct planner *p, const struct route_table *table)
{
    return p->context->zero_is_number ? ROUTES_NONE : table->auto_increment;
}

static bool
make_targets(struct planner *p, struct change_maker *m)
{
    struct change_target *targets = make(p, m->n_targets * sizeof(*targets));
    if (m->spec->meets) {
        if (!meet_targets(p, m) || !nextval_columns(p, m, &targets[0]))
            return false;
        head_and_tail(p, m, &m->spec->targets[m->spec->n_targets - 1]);
        if (m->targets[0]->meets != NULL || m->targets[0]->like != NULL)
            say_met(p, m);
        return true;
    }
    uint32_t zero = m->spec->answers ? change_zero(p, m->targets[0]->table) : ROUTES_NONE;
    m->spec->targets   = targets;
    m->spec->n_targets = m->n_targets;
    for (uint32_t i = 0; i < m->n_targets; i++) {
        uint32_t  n       = m->targets[i]->table->n_columns;
        uint32_t *columns = make(p, n * sizeof(*columns));
        targets[i]        = (struct change_target){
            .verb = m->spec->verb, .columns = columns, .zero = zero,
            .moved_zero = change_zero(p, m->targets[i]->table) };
        for (uint32_t at = 0; at < n; at++)
            if (m->columns[i][at])
                columns[targets[i].n_columns++] = at;
    }
    if (m->spec->verb != CHANGE_INSERT)
        return true;
    if (!insert_columns(p, m, &targets[0]) || !check_repeats(p, m) ||
        !nextval_columns(p, m, &targets[0]))
        return false;
    head_and_tail(p, m, &targets[0]);
    return true;
}

bool
change_targets(struct planner *p, struct change_maker *m, struct scope *top,
               struct gathering **list)
{
    bool found = false;
    m->targets = make(p, (p->n_instances + 1) * sizeof(*m->targets));
    m->columns = make(p, (p->n_instances + 1) * sizeof(*m->columns));
    switch (m->spec->verb) {
    case CHANGE_INSERT: found = insert_target(p, m, top, list); break;
    case CHANGE_UPDATE: found = top != NULL && update_targets(p, m, top, *list); break;
    case CHANGE_DELETE: found = top != NULL && delete_targets(p, m, top, *list); break;
    }
    if (!found || m->n_targets == 0)
        return false;
    lock_the_rest(m, *list);
    return make_targets(p, m);
}

/* ---- LIMIT ---- */

static uint32_t
count_conjuncts(struct expr *e)
{
    uint32_t n = 0;
    e = bare(e);
    if (e->kind != EXPR_AND)
        return 1;
    for (struct expr *arg = e->args; arg != NULL; arg = arg->next)
        n += count_conjuncts(arg);
    return n;
}

/* The rows that the statement takes are among the first ones of each shard when the fetch says
 * all of its conditions, and its order. */
void
change_limit(const struct planner *p, struct gathering *list, struct scope *top)
{
    const struct query *q = p->whole;
    if (p->stmt->kind == STMT_INSERT || list->all_rows || list->whole || q->limit == NULL ||
        q->limit->count == NULL ||
        q->limit->offset != NULL || q->limit->rows_examined != NULL || q->limit->with_ties ||
        (p->stmt->flags & STMT_HAS_SUBQUERY) != 0 || list->next != NULL ||
        list->n_occurrences != 1 || top == NULL || top->first == NULL ||
        top->first->next != NULL)
        return;
    const struct filter *f = list->filters;
    if (q->where != NULL && (f == NULL || f->n != count_conjuncts(q->where)))
        return;
    for (const struct order_item *o = q->order_by; o != NULL; o = o->next)
        if (!gather_is_about(top, top->first, o->expr))
            return;
    list->order = q->order_by;
    list->limit = q->limit;
}

uint32_t
change_cuts(const struct planner *p, struct range *cuts)
{
    uint32_t n = 0;
    if (p->stmt->kind != STMT_INSERT)
        return 0;
    const struct insert *in = p->stmt->insert;
    if (p->maker != NULL && p->maker->spec->answers)
        return 0;
    if (in->on_duplicate_range.end != 0)
        cuts[n++] = in->on_duplicate_range;
    if (in->returning_range.end != 0)
        cuts[n++] = in->returning_range;
    return n;
}

/* ---- the plan ---- */

static bool
begin(struct planner *p, struct change_maker *m)
{
    struct change_spec *c = m->spec;
    switch ((int)p->stmt->kind) {
    case STMT_INSERT:
        c->verb   = CHANGE_INSERT;
        c->ignore = p->stmt->insert->ignore;
        c->from_query = p->stmt->insert->source == INSERT_QUERY;
        for (const struct row *row = p->stmt->insert->rows; row != NULL; row = row->next)
            for (struct expr *value = row->values; value != NULL; value = value->next)
                c->takes_defaults |= is_default(value);
        c->takes_defaults |= assigns_default(p->stmt->insert->set) ||
                             assigns_default(p->stmt->insert->on_duplicate);
        break;
    case STMT_UPDATE:
        c->verb   = CHANGE_UPDATE;
        c->ignore = p->stmt->update->ignore;
        c->takes_defaults = assigns_default(p->stmt->update->set);
        break;
    default:
        c->verb   = CHANGE_DELETE;
        c->ignore = p->stmt->delete->ignore;
        break;
    }
    bool portion = (c->verb == CHANGE_UPDATE && p->stmt->update->portion.end != 0) ||
                   (c->verb == CHANGE_DELETE && p->stmt->delete->portion.end != 0);
    bool partition = c->verb == CHANGE_INSERT && p->stmt->insert->partition.end != 0;
    bool history   = c->verb == CHANGE_DELETE && p->stmt->delete->history;
    return !portion && !partition && !history;
}

static void
become(struct planner *p, const struct planner *g, const struct gather_spec *made)
{
    struct plan *out = p->out;
    gather_become(p, g, made, PLAN_CHANGE);
    out->is_write        = true;
    out->reference_write = false;
    out->hides           = false;
    out->insert          = NULL;
    p->any_sharded       = true;
}

void
plan_change(struct planner *p)
{
    bool           engine = p->routes->n_engines > 0;
    bool           never  = p->refused || p->out->target.kind == TARGET_ALL;
    struct plan    scratch;
    struct planner g;
    if (!p->refused && !engine)
        return;
    struct change_spec *spec = make(p, sizeof(*spec));
    struct change_maker m    = { .spec = spec };
    m.assigns = p->digest == NULL || (p->digest->flags & DIGEST_ASSIGN) != 0;
    if (!begin(p, &m))
        return;
    gather_planner(p, &scratch, &g);
    m.query = nextval_query(p, &m);
    if (m.query == NULL)
        m.query = as_select(p);
    const struct gather_spec *made = gather_make(&g, m.query, &m);
    if (made != NULL && !engine) {
        gather_tell_of_engines(p);
    } else if (made != NULL) {
        p->out->gather           = made;
        p->out->cacheable        = scratch.cacheable;
        p->out->change           = spec;
        p->out->n_user_variables = scratch.n_user_variables;
        p->out->user_variables   = scratch.user_variables;
        if (never)
            become(p, &g, made);
    } else if ((p->refused || m.triggered) && g.refused && engine) {
        p->out->error = scratch.error;
    }
}
