/* plan_stateless.c - see plan_internal.h: reads that may run on any connection, beside
 * those of others, and once more when their answer was not used; and those that a replica may
 * answer, which may also see the session's user variables, and be gathered. */
#include "core/route/gather.h"
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

/* --- replicas --------------------------------------------------------------- */

static const struct { uint32_t flags; const char *why; } flag_whys[] = {
    { DIGEST_ASSIGN | DIGEST_INTO, "it assigns user variables" },
    { DIGEST_LAST_INSERT_ID | DIGEST_FOUND_ROWS | DIGEST_ROW_COUNT | DIGEST_CALC_FOUND_ROWS |
          DIGEST_SYSTEM_VAR | DIGEST_USER | DIGEST_TEMPORARY,
      "it asks for the state of its session or server" },
    { DIGEST_LOCK_FUNCTION, "locks by name are the primary's" },
    { DIGEST_SEQUENCE, "sequences are the primary's" },
    { DIGEST_NOT_DETERMINED, "it calls a function whose value is not determined by its arguments" },
};

struct replica_look {
    const char *why;
};

static bool
look_for_replica(struct visitor *v, struct expr *e)
{
    struct replica_look *look = v->context;

    if (e->kind == EXPR_SYSTEM_VAR)
        look->why = "it asks for the state of its session or server";
    else if (e->kind == EXPR_ASSIGN)
        look->why = "it assigns user variables";
    else if (e->kind == EXPR_FUNC && !function_is_builtin(e->func))
        look->why = "a stored function may write";
    else if (e->kind == EXPR_FUNC && is_about_the_server(e->func))
        look->why = "it asks for the state of its session or server";
    return look->why == NULL;
}

static const char *
flag_why(uint32_t flags)
{
    for (size_t i = 0; i < countof(flag_whys); i++)
        if ((flags & flag_whys[i].flags) != 0)
            return flag_whys[i].why;
    return (flags & ~(uint32_t)(DIGEST_HINT | DIGEST_USER_VAR)) != 0
               ? "it has parts that only a server reads" : NULL;
}

static bool
locks(const struct plan *out)
{
    bool any = out->locks;

    for (uint32_t i = 0; out->gather != NULL && i < out->gather->n_tables; i++)
        any |= out->gather->tables[i].locks;
    return any;
}

const char *
plan_primary_why(const struct planner *p)
{
    const struct plan  *out  = p->out;
    struct replica_look look = { NULL };
    struct visitor      v    = { .context = &look, .expr = look_for_replica };

    if (p->stmt == NULL || p->stmt->kind != STMT_SELECT)
        return "replicas are asked plain SELECTs only";
    if (p->digest == NULL)
        return "it is too long to be looked at";
    if (flag_why(p->digest->flags) != NULL)
        return flag_why(p->digest->flags);
    visit_query(&v, p->stmt->query);
    if (look.why != NULL)
        return look.why;
    if (locks(out) || !out->is_read)
        return "it locks rows, which the primary has to know of";
    if (out->asks_found_rows)
        return "it asks for the state of its session or server";
    if (!only_base_tables(p))
        return "it reads no table, or what may be a view or a system table";
    if (out->hides || (out->gather != NULL && out->gather->hides))
        return "rows are on the move";
    bool plain = out->kind == PLAN_ONE || out->kind == PLAN_SCATTER || out->kind == PLAN_GATHER;
    return p->refused || !plain ? "it is refused" : NULL;
}
