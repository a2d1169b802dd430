/* plan_stateless.c - see plan_internal.h: reads that may run on any connection, beside
 * those of others, and once more when their answer was not used. */
#include "core/route/plan_internal.h"

/* Builtin functions about the connection or the server that the digest has no flag for. */
static bool
is_about_the_server(const struct func *f)
{
    static const char *const names[] = {
        "BINLOG_GTID_POS", "MASTER_GTID_WAIT", "MASTER_POS_WAIT", "WSREP_LAST_SEEN_GTID",
        "WSREP_LAST_WRITTEN_GTID", "WSREP_SYNC_WAIT_UPTO_GTID",
    };

    for (size_t i = 0; i < countof(names); i++)
        if (span_equal_nocase(f->name.name, span_of(names[i])))
            return true;
    return false;
}

static bool
look_at(struct visitor *v, struct expr *e)
{
    bool *stateless = v->context;

    if (e->kind == EXPR_USER_VAR || e->kind == EXPR_SYSTEM_VAR || e->kind == EXPR_ASSIGN)
        *stateless = false;
    /* A stored function may write. */
    if (e->kind == EXPR_FUNC && (!function_is_builtin(e->func) || is_about_the_server(e->func)))
        *stateless = false;
    return *stateless;
}

/* A view may reach a stored function; an unknown name may be a temporary table. */
static bool
only_base_tables(const struct planner *p)
{
    if (p->any_unknown || p->any_system || p->instances == NULL)
        return false;
    for (const struct instance *i = p->instances; i != NULL; i = i->next_all)
        if (i->table != NULL && i->table->kind == TABLE_VIEW)
            return false;
    return true;
}

bool
plan_is_stateless(const struct planner *p)
{
    bool           stateless = true;
    struct visitor v         = { .context = &stateless, .expr = look_at };

    /* Every flag but the comment for us stands for state or for doubt. */
    if (p->stmt->kind != STMT_SELECT || !p->out->is_read || p->out->locks || p->digest == NULL ||
        (p->digest->flags & ~(uint32_t)DIGEST_HINT) != 0 || p->out->asks_found_rows ||
        !only_base_tables(p))
        return false;
    visit_query(&v, p->stmt->query);
    return stateless;
}
