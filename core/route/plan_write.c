/* plan_write.c - see plan_internal.h: UPDATE and DELETE. */
#include "core/route/plan_internal.h"

struct written {
    bool sharded, reference, global;
    const struct route_table *reference_table;
};

static void
note_written(struct planner *p, struct written *w, const struct instance *i, struct span column)
{
    if (i != NULL)
        (void)view_writes_copies(p, i->table, column);
    if (i == NULL || i->table == NULL) {
        w->global |= i != NULL;
    } else if (instance_sharded(i)) {
        w->sharded = true;
    } else if (i->table->kind == TABLE_REFERENCE) {
        w->reference       = true;
        w->reference_table = i->table;
    } else {
        w->global = true;
    }
}

static bool
same_column(struct scope *s, struct expr *e, const struct instance *i, uint32_t column)
{
    uint32_t at;
    e = bare(e);
    return e->kind == EXPR_COLUMN && scope_column(s, e->path, &at) == i && at == column;
}

static bool
check_assignments(struct planner *p, struct scope *s, struct written *w)
{
    for (struct assignment *a = p->stmt->update->set; a != NULL; a = a->next) {
        uint32_t         column;
        struct instance *i = scope_column(s, &a->column, &column);
        if (!scope_expr(p, s, a->value))
            return false;
        if (i == NULL && s->first != NULL && s->first->next == NULL)
            i = s->first; /* an unknown column: the server complains */
        else if (i == NULL && p->any_sharded)
            return refuse(p, 1054, "Unknown column '%.*s' in 'field list'",
                          SHOWN(a->column.name));
        note_written(p, w, i, a->column.name);
        if (i != NULL && instance_sharded(i) && scope_column(s, &a->column, &column) == i &&
            column == i->key && !same_column(s, a->value, i, column))
            return NOT_YET(p, "shardd: '%.*s' is the key of '%.*s': changing it would move the row "
                              "to another shard; DELETE the row and INSERT it anew",
                           SHOWN(a->column.name), SHOWN(i->table->name));
    }
    return true;
}

static void
only_one_shard(struct planner *p, const char *what)
{
    p->out->target.one_shard = true;
    if (p->out->error.code == 0)
        sql_error_set(&p->out->error, SQL_NOT_SUPPORTED,
                      "shardd: %s on several shards is not supported; give the key in the WHERE "
                      "clause, or leave it out", what);
}

bool
function_differs(const struct func *f)
{
    static const char *const names[] = {
        "CONNECTION_ID", "LAST_INSERT_ID", "ROW_COUNT", "FOUND_ROWS", "SYSDATE", "NEXTVAL",
        "GET_LOCK", "VERSION", "SYS_GUID", "RANDOM_BYTES", "ENCRYPT",
    };
    for (size_t i = 0; i < countof(names); i++)
        if (span_equal_nocase(f->name.name, span_of(names[i])))
            return true;
    return false;
}

static bool
find_unsafe(struct visitor *v, struct expr *e)
{
    if (e->kind == EXPR_SYSTEM_VAR || e->kind == EXPR_ASSIGN ||
        (e->kind == EXPR_FUNC && function_differs(e->func)))
        *(bool *)v->context = true;
    return true;
}

bool
write_is_repeatable(struct planner *p)
{
    bool           unsafe = p->digest != NULL && (p->digest->flags & DIGEST_NOT_DETERMINED) != 0;
    struct visitor v      = { .expr = find_unsafe, .context = &unsafe };
    if ((p->stmt->flags & STMT_HAS_ROWNUM) != 0)
        unsafe = p->stmt->kind != STMT_INSERT || p->stmt->insert->query != NULL;
    visit_statement(&v, (struct stmt *)(uintptr_t)p->stmt);
    if (unsafe)
        NOT_YET(p, "shardd: a reference table is written on every shard, so its values cannot come "
                   "from functions such as RAND, UUID or USER; compute the value first");
    return !unsafe;
}

static void
write_reference(struct planner *p, const struct written *w, bool limited)
{
    if (w->sharded || w->global || p->any_sharded || p->any_global || p->any_system) {
        NOT_YET(p, "shardd: the reference table '%.*s' is written on every shard and cannot be "
                   "combined with other kinds of tables in one write",
                SHOWN(w->reference_table->name));
        return;
    }
    if (limited) {
        NOT_YET(p, "shardd: LIMIT in a write to the reference table '%.*s' could hit other rows on "
                   "each shard; name the rows instead", SHOWN(w->reference_table->name));
        return;
    }
    if (!write_is_repeatable(p))
        return;
    p->out->kind            = PLAN_WRITE;
    p->out->target          = (struct target){
                 .kind = TARGET_EVERY,
                 .home = p->routes->databases[w->reference_table->database].home };
    p->out->reference_write = true;
    p->out->same_time       = true;
    p->out->reason          = "every shard has a copy";
}

static void
finish(struct planner *p, struct scope *s, const struct written *w, bool limited, bool returning)
{
    struct target *t = &p->out->target;
    if (p->refused)
        return;
    p->out->is_write  = true;
    p->out->returning = returning;
    if (w->reference) {
        write_reference(p, w, limited);
        return;
    }
    if (!where_target(p, s->region, t))
        return;
    if (!p->any_sharded) {
        p->out->kind   = PLAN_ONE;
        p->out->reason = "tables of one shard";
        return;
    }
    p->out->kind   = PLAN_WRITE;
    p->out->reason = t->kind == TARGET_ALL ? "no key is given" : "the keys are given";
    if (t->at_home || t->n_groups > 1)
        only_one_shard(p, "a write that combines tables");
    if (limited)
        only_one_shard(p, "UPDATE or DELETE with LIMIT");
    if (p->digest == NULL || (p->digest->flags & DIGEST_ASSIGN) != 0)
        only_one_shard(p, "a write that assigns user variables");
    if ((p->stmt->flags & STMT_HAS_ROWNUM) != 0)
        only_one_shard(p, "a write that uses ROWNUM()");
    hide_write(p);
}

static bool
find_query(struct visitor *v, struct query *q)
{
    (void)q;
    *(bool *)v->context = true;
    return false;
}

bool
expr_has_query(struct expr *e)
{
    bool           found = false;
    struct visitor v     = { .query = find_query, .context = &found };
    visit_expr(&v, e);
    return found;
}

bool
scope_returning(struct planner *p, struct scope *s, struct select_item *items)
{
    for (struct select_item *item = items; item != NULL; item = item->next)
        if (expr_has_query(item->expr) && !scope_expr(p, s, item->expr))
            return false;
    return true;
}

static bool
scope_written(struct planner *p, struct scope *s, struct cte *with, struct table_ref *tables,
              struct expr *where, struct order_item *order)
{
    scope_cte(p, s, with, false);
    if (!scope_from(p, s, tables, s->region))
        return false;
    if (where != NULL)
        where_learn(p, s, where, NULL);
    for (; order != NULL; order = order->next)
        if (!scope_expr(p, s, order->expr))
            return false;
    return where == NULL || scope_expr(p, s, where);
}

/* Whether the plan is for one shard only and the values may be of several. */
static bool
spreads(const struct planner *p)
{
    const struct plan *out = p->out;
    return (out->kind == PLAN_WRITE || out->kind == PLAN_ONE) && out->target.one_shard &&
           !target_certainly_one(p, &out->target);
}

void
write_elsewhere(struct planner *p)
{
    if (p->refused ? p->out->error.code == SQL_NOT_SUPPORTED : spreads(p))
        plan_change(p);
}

static void
update_rows(struct planner *p)
{
    const struct update *u = p->stmt->update;
    struct scope        *s = scope_new(p, NULL, NULL);
    struct written       w = { 0 };
    if (!scope_written(p, s, u->with, u->tables, u->where, u->order_by) ||
        !check_assignments(p, s, &w))
        return;
    finish(p, s, &w, u->limit != NULL, false);
}

static struct instance *
named(struct scope *s, const struct table_item *t)
{
    for (struct instance *i = s->first; i != NULL; i = i->next)
        if (span_equal_nocase(i->alias, t->table.name))
            return i;
    return NULL;
}

static void
delete_rows(struct planner *p)
{
    const struct delete *d = p->stmt->delete;
    struct scope        *s = scope_new(p, NULL, NULL);
    struct written       w = { 0 };
    if (!scope_written(p, s, d->with, d->tables, d->where, d->order_by) ||
        !scope_returning(p, s, d->returning) ||
        (d->before != NULL && !scope_expr(p, s, d->before)))
        return;
    if (!d->multi)
        note_written(p, &w, s->first, (struct span){ 0 });
    for (const struct table_item *t = d->multi ? d->targets : NULL; t != NULL; t = t->next) {
        struct instance *i = named(s, t);
        if (i == NULL) {
            refuse(p, 1109, "Unknown table '%.*s' in MULTI DELETE", SHOWN(t->table.name));
            return;
        }
        note_written(p, &w, i, (struct span){ 0 });
    }
    finish(p, s, &w, d->limit != NULL, d->returning != NULL);
}

void
plan_update(struct planner *p)
{
    update_rows(p);
    write_elsewhere(p);
}

void
plan_delete(struct planner *p)
{
    delete_rows(p);
    write_elsewhere(p);
}
