/* plan_scope.c - see plan_internal.h: tables, and what column names mean. */
#include "core/route/function_class.h"
#include "core/route/plan_call.h"
#include "core/route/plan_trigger.h"

enum { ACCESS_DENIED = 1044 /* ER_DBACCESS_DENIED_ERROR */ };

static bool
name_equal(const struct planner *p, struct span a, struct span b)
{
    return p->routes->lower_case ? span_equal_nocase(a, b) : span_equal(a, b);
}

static bool
system_schema(struct span name)
{
    return span_equal_nocase(name, SPAN("information_schema")) ||
           span_equal_nocase(name, SPAN("performance_schema")) ||
           span_equal_nocase(name, SPAN("mysql")) || span_equal_nocase(name, SPAN("sys"));
}

static void
note_global(struct planner *p, uint32_t database, struct span name)
{
    uint32_t home = p->routes->databases[database].home;
    p->any_code  |= p->routes->databases[database].has_code;
    p->any_global = true;
    if (p->home != ROUTES_NONE && p->home != home) {
        p->home_conflict = true;
        p->conflict_name = name;
    }
    p->home          = home;
    p->home_database = database;
}

/* What the table's kind means for where the statement can run. */
static void
note_table(struct planner *p, struct instance *i)
{
    enum table_kind kind = i->table->kind;
    p->any_view |= kind == TABLE_VIEW;
    if (i->table->view_expands && !p->gathers)
        NOT_YET(p, "shardd: view '%.*s' reaches rows of several shards; use its SELECT instead",
                SHOWN(i->table->name));
    if (kind == TABLE_VIEW)
        kind = i->table->view_kind;
    switch (kind) {
    case TABLE_SHARDED:
        p->any_sharded  = true;
        p->sharded_name = i->table->name;
        i->key          = i->table->key;
        if (i->key == ROUTES_NONE && !p->gathers)
            NOT_YET(p, "shardd: view '%.*s' reaches sharded tables; use its SELECT instead",
                    SHOWN(i->table->name));
        break;
    case TABLE_REFERENCE:
        p->any_reference  = true;
        p->reference_home = p->routes->databases[i->table->database].home;
        break;
    case TABLE_VIEW: /* of an unknown kind: as its database's global tables */
    case TABLE_GLOBAL: note_global(p, i->table->database, i->table->name); break;
    }
}

struct instance *
scope_add(struct planner *p, struct scope *s, struct span alias, struct span schema)
{
    struct instance *i = make(p, sizeof(*i));
    i->alias           = alias;
    i->schema          = schema;
    i->key             = ROUTES_NONE;
    i->table_index     = ROUTES_NONE;
    i->region          = s->region;
    i->next_all        = p->instances;
    p->instances       = i;
    p->n_instances++;
    if (s->last == NULL)
        s->first = i;
    else
        s->last->next = i;
    s->last = i;
    return i;
}

struct instance *
scope_add_path(struct planner *p, struct scope *s, const struct path *path, struct span alias)
{
    struct span      schema = path->schema.ptr != NULL ? path->schema : p->context->schema;
    struct instance *i      = scope_add(p, s, alias.ptr != NULL ? alias : path->name, schema);
    uint32_t         database = routes_database(p->routes, schema);
    if (span_equal_nocase(schema, SPAN(ROUTES_MOVE_SCHEMA)))
        refuse(p, ACCESS_DENIED, "Access denied to database '" ROUTES_MOVE_SCHEMA "' (shardd: it "
                                 "is shardd's own)");
    if (system_schema(schema)) {
        p->any_system = true;
        if (span_equal_nocase(path->name, SPAN("PROCESSLIST")) &&
            span_equal_nocase(schema, SPAN("information_schema")))
            p->out->processlist = PROCESSLIST_TABLE;
        if (span_equal_nocase(schema, SPAN("information_schema")))
            plan_information_note(p, path->name);
        return i;
    }
    i->table_index = database == ROUTES_NONE ? ROUTES_NONE
                                             : routes_table(p->routes, database, path->name);
    if (i->table_index != ROUTES_NONE) {
        i->table = &p->routes->tables[i->table_index];
        note_table(p, i);
        plan_note_triggers(p, i->table);
    } else if (database != ROUTES_NONE) {
        /* Not there: the home's server says so. (Or it is a temporary table.) */
        p->any_unknown = true;
        note_global(p, database, path->name);
    }
    return i;
}

struct scope *
scope_new(struct planner *p, struct scope *outer, struct region *parent)
{
    struct scope *s   = make(p, sizeof(*s));
    s->outer          = outer;
    s->region         = make(p, sizeof(*s->region));
    s->region->parent = parent;
    s->ctes           = outer == NULL ? NULL : outer->ctes;
    s->next_all       = p->scopes;
    p->scopes         = s;
    return s;
}

void
scope_cte(struct planner *p, struct scope *s, const struct cte *list, bool recursive)
{
    if (list == NULL)
        return;
    struct cte_scope *c = make(p, sizeof(*c));
    *c                  = (struct cte_scope){ list, recursive, s->ctes };
    s->ctes             = c;
}

static const struct cte *
find_cte(struct planner *p, struct cte_scope *from, struct span name, struct cte_scope **in)
{
    for (struct cte_scope *c = from; c != NULL; c = c->outer)
        for (const struct cte *cte = c->list; cte != NULL; cte = cte->next)
            if (name_equal(p, cte->name, name)) {
                *in = c;
                return cte;
            }
    return NULL;
}

/* The item of `q` that is the key of a table inside it, in all of its rows: not of one that an
 * outer join fills with NULL, on whichever shard. q->n_items where none is to be seen. */
static uint32_t
key_item(struct planner *p, const struct scope *inner, const struct query *q, struct instance **of,
         uint32_t *column)
{
    uint32_t at = 0;
    for (struct select_item *item = q->items; item != NULL; item = item->next, at++) {
        struct expr *e = bare(item->expr);
        if (e->kind == EXPR_STAR)
            break;
        if (e->kind != EXPR_COLUMN)
            continue;
        *of = scope_column(inner, e->path, column);
        if (*of != NULL && (*of)->region == inner->region && where_is_key(p, *of, *column))
            return at;
    }
    return q->n_items;
}

/* A derived table or CTE: a region of its own, perhaps exported as one table that is cut
 * into parts by a key, which the outer query may or may not be able to name. */
static bool
add_derived(struct planner *p, struct scope *s, struct query *q, struct span alias,
            bool renamed, struct cte_scope *ctes, struct region *region)
{
    struct scope *inner = NULL;
    if (!scope_query(p, q, NULL, NULL, ctes, &inner))
        return false;
    struct instance *key = inner == NULL ? NULL : where_export(p, inner, q);
    struct instance *i   = scope_add(p, s, alias, (struct span){ 0 });
    i->region            = region;
    if (q->kind != QUERY_BLOCK || renamed)
        return true;
    i->derived = q;
    if (key == NULL)
        return true;
    struct instance *of     = key;
    uint32_t         column = key->key;
    uint32_t         at     = key_item(p, inner, q, &of, &column);
    if (at == q->n_items) {
        if (q->distinct) /* equal rows may be on several shards */
            return true;
        of     = key;
        column = key->key;
    }
    i->key         = at;
    i->derived_key = instance_column(of, column);
    i->table_index = key->table_index;
    where_exported(p, key, i); /* what is inside counts through `i` from now on */
    return true;
}

/* What one that is not recursive can name: those before it. */
static struct cte_scope *
before_cte(struct planner *p, const struct cte_scope *in, const struct cte *cte)
{
    struct cte_scope *visible = make(p, sizeof(*visible));
    struct cte       *before = NULL, *last = NULL;
    *visible = *in;
    for (const struct cte *c = in->list; c != cte; c = c->next) {
        struct cte *copy = make(p, sizeof(*copy));
        *copy            = *c;
        copy->next       = NULL;
        if (last == NULL)
            before = copy;
        else
            last->next = copy;
        last = copy;
    }
    visible->list = before;
    return visible;
}

static bool
add_table(struct planner *p, struct scope *s, struct table_ref *ref, struct region *region)
{
    struct cte_scope *in  = NULL;
    const struct cte *cte = ref->table.schema.ptr != NULL
                                ? NULL
                                : find_cte(p, s->ctes, ref->table.name, &in);
    if (cte != NULL) {
        /* Inside a recursive CTE its own name is what was computed so far. */
        if (in->recursive) {
            struct instance *i = scope_add(p, s, ref->alias.ptr ? ref->alias : ref->table.name,
                                     (struct span){ 0 });
            i->region          = region;
            return true;
        }
        return add_derived(p, s, cte->query, ref->alias.ptr ? ref->alias : ref->table.name,
                           cte->columns != NULL, before_cte(p, in, cte), region);
    }
    struct instance *i = numbers_add(p, s, ref);
    if (i == NULL)
        i = scope_add_path(p, s, &ref->table, ref->alias);
    i->region          = region;
    i->ref             = ref;
    return true;
}

static void
note_meeting(struct planner *p, struct region *region, struct instance *found[2],
             const uint32_t column[2])
{
    struct meeting *m = make(p, sizeof(*m));
    *m          = (struct meeting){ region, found[0], found[1], column[0], column[1], p->meetings };
    p->meetings = m;
}

/* USING (a, b): the columns of both sides are equal, in rows of the region. `left`: the first of
 * the join's own tables. */
static void
learn_using(struct planner *p, struct scope *s, struct instance *left, struct instance *right,
            const struct name_item *names, struct region *region)
{
    for (; names != NULL; names = names->next) {
        struct instance *found[2] = { NULL, NULL };
        uint32_t         column[2] = { 0, 0 };
        bool             is_right  = false;
        for (struct instance *i = left; i != NULL; i = i->next) {
            is_right |= i == right;
            uint32_t at = i->table == NULL ? ROUTES_NONE : routes_column(i->table, names->name);
            if (at == ROUTES_NONE || found[is_right] != NULL)
                continue;
            found[is_right]  = i;
            column[is_right] = at;
        }
        if (found[0] == NULL || found[1] == NULL)
            continue;
        where_equal(p, found[0], column[0], found[1], column[1], NULL);
        if (p->gathers && !s->right_names)
            note_meeting(p, region, found, column);
    }
}

static bool
add_join(struct planner *p, struct scope *s, struct table_ref *ref, struct region *region)
{
    struct region *left = region, *right = region;
    bool           outer = ref->join == JOIN_LEFT || ref->join == JOIN_RIGHT;
    s->right_names |= ref->join == JOIN_RIGHT && (ref->natural || ref->using_columns != NULL);
    if (outer) {
        struct region *nullable = make(p, sizeof(*nullable));
        nullable->parent        = region;
        nullable->nullable      = true;
        *(ref->join == JOIN_LEFT ? &right : &left) = nullable;
    }
    struct instance *before = s->last;
    if (!scope_from(p, s, ref->left, left))
        return false;
    struct instance *last = s->last;
    if (!scope_from(p, s, ref->right, right))
        return false;
    learn_using(p, s, before == NULL ? s->first : before->next,
                last == NULL ? s->first : last->next, ref->using_columns, right);
    if (ref->on == NULL)
        return true;
    /* The ON of an outer join says nothing about the rows of the other side. */
    struct region *only = outer ? (ref->join == JOIN_LEFT ? right : left)
                          : region == s->region ? NULL : region;
    where_learn(p, s, ref->on, only);
    return scope_expr(p, s, ref->on);
}

bool
scope_from(struct planner *p, struct scope *s, struct table_ref *ref, struct region *region)
{
    struct instance *i;
    if (ref == NULL)
        return true;
    /* A CTE is looked at anew wherever it is named: nested ones multiply. */
    if (p->n_instances > PLAN_TABLES_MAX)
        return NOT_YET(p, "shardd: the statement names more than %d tables", PLAN_TABLES_MAX);
    switch (ref->kind) {
    case TABLE_REF_TABLE: return add_table(p, s, ref, region);
    case TABLE_REF_JOIN:  return add_join(p, s, ref, region);
    case TABLE_REF_SUBQUERY:
    case TABLE_REF_VALUES:
        return add_derived(p, s, ref->query, ref->alias, ref->columns != NULL,
                           s->ctes, region);
    case TABLE_REF_FUNCTION:
        i         = scope_add(p, s, ref->alias, (struct span){ 0 });
        i->region = region;
        for (struct expr *e = ref->args; e != NULL; e = e->next)
            if (!scope_expr(p, s, e))
                return false;
        return true;
    }
    return true;
}

struct walk {
    struct planner *p;
    struct scope   *s;
    bool            ok;
};

/* Rows for which it is NULL go the way of those for which it is false. */
static bool
is_filter(struct expr *where, const struct expr *e)
{
    where = bare(where);
    if (where == NULL || where->kind != EXPR_AND)
        return where == e && !e->negated;
    for (struct expr *arg = where->args; arg != NULL; arg = arg->next)
        if (is_filter(arg, e))
            return true;
    return false;
}

/* NULL IN (...) is NULL, or false when there is no row at all, on whichever shard. */
static bool
never_null(const struct scope *s, const struct instance *i, uint32_t column)
{
    const struct route_column *type = instance_column(i, column);
    return type != NULL && !type->nullable && i->region == s->region &&
           (s->query == NULL || !s->query->with_rollup);
}

/* x IN (SELECT y ...) holds for rows with y = x only. */
static void
learn_in(struct planner *p, struct scope *s, struct expr *e, struct query *q, struct scope *inner)
{
    struct expr *x = bare(e->args);
    if (q->kind != QUERY_BLOCK || q->items == NULL || q->items->next != NULL || q->limit != NULL)
        return;
    if (q->group_by != NULL ? !where_groups_by_key(p, inner, q)
                            : query_aggregates(q) || inner->aggregated)
        return;
    struct expr *y = bare(q->items->expr);
    uint32_t     x_column, y_column;
    if (x->kind != EXPR_COLUMN || y->kind != EXPR_COLUMN)
        return;
    struct instance *a = scope_column(s, x->path, &x_column);
    struct instance *b = scope_column(inner, y->path, &y_column);
    if (a == NULL || b == NULL || b->region != inner->region)
        return;
    if (!never_null(s, a, x_column) && (s->query == NULL || !is_filter(s->query->where, e)))
        return;
    /* A NULL among the y, on whichever shard, changes what NOT IN says. */
    const struct route_column *type = instance_column(b, y_column);
    if (type != NULL && !type->nullable)
        where_bind(p, b, y_column, a, x_column);
}

/* A stored function of its arguments alone runs everywhere; any other one where its database's
 * tables all are, or not at all. */
bool
scope_stored(struct planner *p, const struct func *f)
{
    struct span schema   = f->name.schema.ptr != NULL ? f->name.schema : p->context->schema;
    uint32_t    database = routes_database(p->routes, schema);

    enum function_class class = function_class_of(p, f);
    if (class == FUNCTION_PLAIN)
        return true;
    p->any_stored = true;
    struct span list = { 0 };
    if (database != ROUTES_NONE)
        list = p->routes->databases[database].functions;
    bool spread = database != ROUTES_NONE &&
                  (class == FUNCTION_FAR || !all_global(p->routes, database));
    if (p->gathers && call_note_reader(p, list, f))
        return true;
    if (spread && function_list_at_home(list, f->name.name))
        p->at_home = f;
    else if (spread)
        return NOT_YET(p, "shardd: the stored function '%.*s' cannot be used here%s: %s",
                       SHOWN(f->name.name), class == FUNCTION_FAR ? "" : ", as its database has "
                       "sharded or reference tables", function_class_why(class));
    if (p->gathers)
        return NOT_YET(p, "shardd: the stored function '%.*s' is not on the engine, where rows of "
                          "several shards are brought together: %s",
                       SHOWN(f->name.name), function_class_why(class));
    if (schema.len == 0 || system_schema(schema))
        return true;
    if (database == ROUTES_NONE)
        return NOT_YET(p, "shardd: the stored function '%.*s' cannot be used here: what it reads "
                          "cannot be seen, and its database is not known",
                       SHOWN(f->name.name));
    note_global(p, database, f->name.name);
    return true;
}

static bool
visit_subquery(struct visitor *v, struct expr *e)
{
    struct walk  *w = v->context;
    struct scope *inner;
    scope_see_aggregate(w->s, e);
    if (e->kind == EXPR_FUNC && !function_is_builtin(e->func))
        w->ok = w->ok && scope_stored(w->p, e->func);
    if (e->kind == EXPR_IN && e->n_args == 2 && e->args->next->kind == EXPR_SUBQUERY) {
        struct query *q = e->args->next->query;
        w->ok = w->ok && scope_expr(w->p, w->s, e->args);
        w->ok = w->ok && scope_query(w->p, q, w->s, w->s->region, w->s->ctes, &inner);
        if (w->ok && inner != NULL)
            learn_in(w->p, w->s, e, q, inner);
        return false;
    }
    if (e->kind != EXPR_SUBQUERY)
        return w->ok;
    w->ok = w->ok && scope_query(w->p, e->query, w->s, w->s->region, w->s->ctes, &inner);
    return false;
}

bool
scope_expr(struct planner *p, struct scope *s, struct expr *e)
{
    struct walk    w = { p, s, true };
    struct visitor v = { .expr = visit_subquery, .context = &w };
    if (e != NULL)
        visit_expr(&v, e);
    return w.ok;
}

static bool
scope_order(struct planner *p, struct scope *s, const struct order_item *o)
{
    for (; o != NULL; o = o->next)
        if (!scope_expr(p, s, o->expr))
            return false;
    return true;
}

static bool
scope_windows(struct planner *p, struct scope *s, const struct window *w)
{
    for (; w != NULL; w = w->next) {
        for (struct expr *e = w->partition_by; e != NULL; e = e->next)
            if (!scope_expr(p, s, e))
                return false;
        if (!scope_order(p, s, w->order_by))
            return false;
    }
    return true;
}

static bool
scope_block(struct planner *p, struct scope *s, struct query *q)
{
    if (!scope_from(p, s, q->from, s->region))
        return false;
    if (q->where != NULL)
        where_learn(p, s, q->where, NULL);
    for (struct select_item *item = q->items; item != NULL; item = item->next)
        if (!scope_expr(p, s, item->expr))
            return false;
    return (q->where == NULL || scope_expr(p, s, q->where)) &&
           (q->having == NULL || scope_expr(p, s, q->having)) && scope_order(p, s, q->group_by) &&
           scope_windows(p, s, q->windows) && scope_order(p, s, q->order_by);
}

/* One that nothing names has to be there all the same. */
static bool
scope_ctes(struct planner *p, struct scope *s, struct query *q)
{
    for (struct cte *c = q->with; c != NULL; c = c->next)
        if (!scope_query(p, c->query, NULL, NULL,
                         q->recursive ? s->ctes : before_cte(p, s->ctes, c), NULL))
            return false;
    return true;
}

bool
scope_query(struct planner *p, struct query *q, struct scope *outer, struct region *parent,
            struct cte_scope *ctes, struct scope **top)
{
    struct scope *s = scope_new(p, outer, parent);
    s->ctes         = ctes;
    s->query        = q;
    if (top != NULL)
        *top = NULL;
    scope_cte(p, s, q->with, q->recursive);
    if ((q->recursive || p->gathers) && !scope_ctes(p, s, q))
        return false;
    for (struct query *part = q->parts; part != NULL; part = part->next)
        if (!scope_query(p, part, outer, parent, s->ctes, NULL))
            return false;
    for (struct row *row = q->rows; row != NULL; row = row->next)
        for (struct expr *e = row->values; e != NULL; e = e->next)
            if (!scope_expr(p, s, e))
                return false;
    if (q->kind != QUERY_BLOCK)
        return scope_order(p, s, q->order_by);
    if (top != NULL)
        *top = s;
    return scope_block(p, s, q);
}

static uint32_t
item_named(const struct query *q, struct span name)
{
    uint32_t at = 0, found = ROUTES_NONE;
    for (const struct select_item *item = q->items; item != NULL; item = item->next, at++) {
        const struct expr *e = item->expr;
        struct span own = item->alias.ptr != NULL ? item->alias
                          : e->kind == EXPR_COLUMN ? e->path->name : (struct span){ 0 };
        if (e->kind == EXPR_STAR)
            return ROUTES_NONE; /* positions behind it are not known here */
        if (own.ptr != NULL && span_equal_nocase(own, name))
            found = at;
    }
    return found;
}

struct instance *
scope_column(const struct scope *s, const struct path *path, uint32_t *index)
{
    for (; s != NULL; s = s->outer) {
        bool             opaque = false;
        struct instance *found  = NULL;
        for (struct instance *i = s->first; i != NULL; i = i->next) {
            if (path->table.ptr != NULL && !span_equal_nocase(path->table, i->alias))
                continue;
            if (path->schema.ptr != NULL && !span_equal_nocase(path->schema, i->schema))
                continue;
            uint32_t at = i->table != NULL     ? routes_column(i->table, path->name)
                          : i->derived != NULL ? item_named(i->derived, path->name)
                                               : ROUTES_NONE;
            opaque |= at == ROUTES_NONE && (i->table == NULL || i->table->n_columns == 0);
            if (at == ROUTES_NONE)
                continue;
            if (found != NULL) {
                if (s->right_names)
                    return NULL;
                continue;
            }
            found  = i;
            *index = at;
        }
        if (found != NULL)
            return found;
        if (opaque)
            return NULL;
    }
    return NULL;
}

const struct route_column *
instance_column(const struct instance *i, uint32_t index)
{
    if (i->table != NULL)
        return index < i->table->n_columns ? &i->table->columns[index] : NULL;
    return index == i->key ? i->derived_key : NULL;
}
