/* plan_refused.c - see plan_internal.h: a refused statement may be one that no server takes, for
 * a table or a function that does not exist, say. Then a server's words are better than ours, and
 * any that knows all of the names can say them without running anything: every shard has every
 * sharded and reference table; a global one is on the home of its database, and so is what is
 * not in the routes, if anywhere.
 */
#include "core/route/plan_internal.h"

enum { UNKNOWN_COLUMN = 1054 /* ER_BAD_FIELD_ERROR: it may be of a table that we do not know */ };

struct asker {
    struct planner *p;
    uint32_t        home; /* ROUTES_NONE: any */
    bool            several;
};

static void
note_home(struct asker *a, struct span schema, struct span name, bool table)
{
    const struct routes *r        = a->p->routes;
    uint32_t             database = ROUTES_NONE;
    if (schema.ptr == NULL)
        schema = a->p->context->schema;
    uint32_t home = home_of(a->p, schema, &database);
    if (database == ROUTES_NONE)
        return;
    uint32_t at = table ? routes_table(r, database, name) : ROUTES_NONE;
    if (at != ROUTES_NONE && r->tables[at].kind != TABLE_VIEW &&
        r->tables[at].kind != TABLE_GLOBAL)
        return;
    a->several |= a->home != ROUTES_NONE && a->home != home;
    a->home = home;
}

static bool
see_table(struct visitor *v, struct table_ref *ref)
{
    if (ref->kind == TABLE_REF_TABLE)
        note_home(v->context, ref->table.schema, ref->table.name, true);
    return true;
}

static bool
see_function(struct visitor *v, struct expr *e)
{
    if (e->kind != EXPR_FUNC)
        return true;
    if (function_is_of_sequence(e->func))
        note_home(v->context, (struct span){ 0 }, e->func->name.name, false);
    else if (!function_is_builtin(e->func))
        note_home(v->context, e->func->name.schema, e->func->name.name, false);
    return true;
}

void
plan_note_refused(struct planner *p)
{
    struct asker   a = { .p = p, .home = ROUTES_NONE };
    struct visitor v = { .table_ref = see_table, .expr = see_function, .context = &a };
    bool unknown = p->out->error.code == UNKNOWN_COLUMN && p->any_unknown;
    if (p->stmt == NULL || (p->out->error.code != SQL_NOT_SUPPORTED && !unknown))
        return;
    switch ((int)p->stmt->kind) {
    case STMT_SELECT: case STMT_UPDATE: case STMT_DELETE:
        visit_statement(&v, (struct stmt *)(uintptr_t)p->stmt);
        break;
    case STMT_INSERT:
        note_home(&a, p->stmt->insert->table.schema, p->stmt->insert->table.name, true);
        visit_statement(&v, (struct stmt *)(uintptr_t)p->stmt);
        break;
    case STMT_UNKNOWN:
        a.home = home_of(p, p->context->schema, &(uint32_t){ 0 });
        break;
    default: return;
    }
    p->out->asks   = !a.several;
    p->out->target = (struct target){ .kind = a.home == ROUTES_NONE ? TARGET_ANY : TARGET_HOME,
                                      .home = a.home };
}
