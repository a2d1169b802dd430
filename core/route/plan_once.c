/* plan_once.c - see plan_internal.h: values that a server computes first.
 *
 * UUID() in a row of a reference table must be the same in every copy; a key that is an
 * expression must be known before its row has a shard; a sequence is on one shard only. Such
 * values become user variables, and what then is planned is an INSERT of plain values. SET GLOBAL
 * gives every shard the same literal, whatever it was computed from. What SET and DO read of
 * several shards is asked for by a SELECT. Who has a lock is known on one server, and may be told
 * beside rows of others. A CALL whose argument is a key has a shard when that is known.
 */
#include "core/route/plan_internal.h"

enum { ONCE_MAX = 1000 };

struct once {
    struct planner           *p;
    const struct insert      *in;
    const struct route_table *table;
    uint32_t                  key_at, auto_at;
    struct range             *ranges;
    uint32_t                  n;
};

static bool
find_difference(struct visitor *v, struct expr *e)
{
    static const char *const names[] = {
        "RAND", "UUID", "UUID_SHORT", "SYS_GUID", "SYSDATE", "SLEEP", "BENCHMARK", "RANDOM_BYTES",
    };
    if (e->kind == EXPR_SYSTEM_VAR)
        *(bool *)v->context = true;
    if (e->kind != EXPR_FUNC)
        return true;
    *(bool *)v->context |= function_differs(e->func);
    for (size_t i = 0; i < countof(names); i++)
        *(bool *)v->context |= span_equal_nocase(e->func->name.name, span_of(names[i]));
    return true;
}

static bool
differs(struct expr *e)
{
    bool           found = false;
    struct visitor v     = { .expr = find_difference, .context = &found };
    visit_expr(&v, e);
    return found;
}

static bool
find_sequence(struct visitor *v, struct expr *e)
{
    *(bool *)v->context |= e->kind == EXPR_FUNC && function_is_of_sequence(e->func);
    return true;
}

static bool
uses_sequence(struct expr *e)
{
    bool           found = false;
    struct visitor v     = { .expr = find_sequence, .context = &found };
    visit_expr(&v, e);
    return found;
}

struct variables {
    bool used, set; /* by := */
};

struct ties {
    const struct planner *p;
    bool                  found;
};

/* What means something only inside of its statement, or on a certain server. The values of
 * sequences are computed on their home. */
static bool
find_tied(struct visitor *v, struct expr *e)
{
    struct ties *ties = v->context;
    static const char *const names[] = { "GET_LOCK", "RELEASE_LOCK", "RELEASE_ALL_LOCKS",
                                         "IS_FREE_LOCK", "IS_USED_LOCK", "LOAD_FILE", "VALUES",
                                         "VALUE", "DEFAULT" };
    if (e->kind == EXPR_FUNC && function_is_of_sequence(e->func))
        return false;
    switch ((int)e->kind) {
    case EXPR_COLUMN: case EXPR_PARAM: case EXPR_DEFAULT: case EXPR_ASSIGN:
        ties->found = true;
        break;
    case EXPR_FUNC:
        ties->found |= !function_is_plain(ties->p, e->func);
        for (size_t i = 0; i < countof(names); i++)
            ties->found |= span_equal_nocase(e->func->name.name, span_of(names[i]));
        break;
    default: break;
    }
    return true;
}

static bool
find_query(struct visitor *v, struct query *q)
{
    struct ties *ties = v->context;
    (void)q;
    ties->found = true;
    return false;
}

static bool
stands_alone(const struct once *o, struct expr *e)
{
    struct ties    ties = { .p = o->p, .found = o->p->digest == NULL };
    struct visitor v    = { .expr = find_tied, .query = find_query, .context = &ties };
    visit_expr(&v, e);
    return !ties.found;
}

static bool
wanted(const struct once *o, struct expr *e, uint32_t at)
{
    struct operand operand;
    if (o->table->kind == TABLE_REFERENCE)
        return differs(e);
    return uses_sequence(e) ||
           ((at == o->key_at || at == o->auto_at) && !operand_make(o->p, e, &operand));
}

/* False: it cannot be computed first. */
static bool
take(struct once *o, struct expr *e, uint32_t at)
{
    if (!wanted(o, e, at))
        return true;
    if (!stands_alone(o, e) || o->n == ONCE_MAX)
        return false;
    o->ranges[o->n++] = (struct range){ e->start, e->end };
    return true;
}

static bool
take_rows(struct once *o)
{
    uint32_t at = 0;
    for (const struct assignment *a = o->in->set; a != NULL; a = a->next)
        if (!take(o, a->value, at++))
            return false;
    for (const struct row *row = o->in->rows; row != NULL; row = row->next) {
        at = 0;
        for (struct expr *e = row->values; e != NULL; e = e->next)
            if (!take(o, e, at++))
                return false;
    }
    return o->n != 0;
}

static void
once_planned(struct planner *p, const struct range *ranges, uint32_t n)
{
    p->out->kind      = PLAN_ONCE;
    p->out->once      = ranges;
    p->out->n_once    = n;
    p->out->cacheable = false; /* the ranges are of this text */
    p->out->reason    = "values that must be known first are computed by a server";
}

bool
plan_once_global(struct planner *p, const struct set *set)
{
    struct range *ranges = make(p, ONCE_MAX * sizeof(*ranges));
    uint32_t      n      = 0;
    for (const struct set_item *item = set->items; item != NULL; item = item->next) {
        if (item->value == NULL || expr_is_constant(item->value))
            continue;
        if (p->n_params != 0 || n == ONCE_MAX)
            return false;
        ranges[n++] = (struct range){ item->value->start, item->value->end };
    }
    if (n == 0)
        return false;
    once_planned(p, ranges, n);
    p->out->once_literals = true;
    return true;
}

bool
plan_once_kill(struct planner *p, const struct expr *id)
{
    struct range *range = make(p, sizeof(*range));
    if (p->n_params != 0)
        return false;
    *range = (struct range){ id->start, id->end };
    once_planned(p, range, 1);
    p->out->once_literals = true;
    return true;
}

static bool
see_variable(struct visitor *v, struct expr *e)
{
    struct variables *found = v->context;
    found->used |= e->kind == EXPR_USER_VAR;
    found->set  |= e->kind == EXPR_ASSIGN;
    return true;
}

/* Values are those of the session before the statement, so all can be asked for at once. Only where
 * one is set by := does the order count: then those before it that use variables are asked too. */
static uint32_t
take_asked(struct expr *const *values, uint32_t n, struct range *ranges, bool *ordered)
{
    struct variables all  = { .set = false };
    struct visitor   v    = { .expr = see_variable, .context = &all };
    uint32_t         last = 0, found = 0;
    for (uint32_t i = 0; i < n; i++) {
        visit_expr(&v, values[i]);
        last = expr_has_query(values[i]) ? i + 1 : last;
    }
    for (uint32_t i = 0; i < last; i++) {
        struct variables one = { .set = false };
        v.context            = &one;
        visit_expr(&v, values[i]);
        if (expr_has_query(values[i]) || (all.set && one.used))
            ranges[found++] = (struct range){ values[i]->start, values[i]->end };
    }
    *ordered = all.set && found > 1;
    return found;
}

/* A SELECT has variables of the types that they had before it; so has DO, and SET has not. */
bool
plan_once_asked(struct planner *p, struct expr *const *values, uint32_t n)
{
    struct range *ranges  = make(p, (n + 1) * sizeof(*ranges));
    bool          refused = p->refused && p->out->error.code == SQL_NOT_SUPPORTED;
    if (!p->any_sharded || p->n_params != 0 || n > ONCE_MAX ||
        (p->refused ? !refused : target_certainly_one(p, &p->out->target)))
        return false;
    bool     ordered;
    uint32_t found = take_asked(values, n, ranges, &ordered);
    if (found == 0)
        return false;
    p->refused               = false;
    p->out->error            = (struct sql_error){ 0 };
    p->out->target           = (struct target){ .kind = TARGET_ANY, .home = ROUTES_NONE };
    p->out->n_user_variables = 0;
    once_planned(p, ranges, found);
    p->out->once_asked = true;
    if (ordered && p->stmt->kind != STMT_DO)
        NOT_YET(p, "shardd: values of SET that read rows of several shards cannot stand beside "
                   "others that use :=; set one variable at a time");
    return true;
}

bool
plan_once_arguments(struct planner *p, struct expr *arguments, const struct expr *key)
{
    const struct once once   = { .p = p };
    struct range     *ranges = make(p, ONCE_MAX * sizeof(*ranges));
    uint32_t          n      = 0;
    bool              asked  = false;
    struct operand    operand;

    for (struct expr *e = arguments; e != NULL; e = e->next) {
        bool query = expr_has_query(e);

        if (!query && (e != key || operand_make(p, e, &operand)))
            continue;
        if (n == ONCE_MAX || (!query && !stands_alone(&once, e)))
            return false;
        ranges[n++] = (struct range){ e->start, e->end };
        asked       = asked || query;
    }
    if (n == 0 || p->n_params != 0)
        return false;
    p->refused               = false;
    p->out->error            = (struct sql_error){ 0 };
    p->out->target           = (struct target){ .kind = TARGET_ANY, .home = ROUTES_NONE };
    p->out->n_user_variables = 0;
    once_planned(p, ranges, n);
    p->out->once_asked = asked;
    return true;
}

/* ---- locks by name, in a SELECT ---- */

enum { NAMED_MAX = 60 }; /* bytes of a column's name */

/* What asks for them in a statement. */
struct lock_calls {
    struct range *ranges; /* [n], room for ONCE_MAX */
    bool         *named;
    uint32_t      n;
    bool          other; /* what changes locks or sequences */
};

static bool
is_lock_question(const struct expr *e)
{
    return e->kind == EXPR_FUNC && e->args != NULL &&
           (e->args->kind == EXPR_LITERAL || e->args->kind == EXPR_NULL) &&
           (span_equal_nocase(e->func->name.name, SPAN("IS_FREE_LOCK")) ||
            span_equal_nocase(e->func->name.name, SPAN("IS_USED_LOCK")));
}

static bool
find_lock_call(struct visitor *v, struct expr *e)
{
    static const char *const names[] = { "GET_LOCK", "RELEASE_LOCK", "RELEASE_ALL_LOCKS" };
    struct lock_calls *calls = v->context;

    if (is_lock_question(e) && calls->n < ONCE_MAX) {
        calls->ranges[calls->n++] = (struct range){ e->start, e->end };
        return false;
    }
    calls->other |= is_lock_question(e) ||
                    (e->kind == EXPR_FUNC && function_is_of_sequence(e->func));
    for (size_t i = 0; e->kind == EXPR_FUNC && i < countof(names); i++)
        calls->other |= span_equal_nocase(e->func->name.name, span_of(names[i]));
    return true;
}

static struct lock_calls
no_calls(struct planner *p)
{
    return (struct lock_calls){ .ranges = make(p, ONCE_MAX * sizeof(struct range)),
                                .named  = make(p, ONCE_MAX * sizeof(bool)) };
}

/* Not where a number is a column's place, nor where the text is a column's name but in part. */
static bool
take_calls(struct lock_calls *calls, const struct query *q)
{
    struct visitor v = { .expr = find_lock_call, .context = calls };

    for (const struct select_item *item = q->items; item != NULL; item = item->next) {
        uint32_t before = calls->n;
        visit_expr(&v, item->expr);
        if (calls->n == before || item->alias.len != 0)
            continue;
        if (!is_lock_question(item->expr) || item->expr->end - item->expr->start > NAMED_MAX)
            return false;
        calls->named[before] = true;
    }
    if (q->where != NULL)
        visit_expr(&v, q->where);
    return !calls->other;
}

bool
plan_once_locks(struct planner *p)
{
    struct query     *q   = p->stmt != NULL && p->stmt->kind == STMT_SELECT ? p->stmt->query : NULL;
    bool              may = !p->refused || p->out->error.code == SQL_NOT_SUPPORTED;
    struct lock_calls all   = no_calls(p), taken = no_calls(p);
    struct visitor    v     = { .expr = find_lock_call, .context = &all };

    if (!may || q == NULL || q->kind != QUERY_BLOCK || p->n_params != 0)
        return false;
    visit_query(&v, q);
    if (all.other || !take_calls(&taken, q) || taken.n != all.n || taken.n == 0)
        return false;
    p->refused     = false;
    p->out->error  = (struct sql_error){ 0 };
    p->out->target = (struct target){ .kind = TARGET_ANY, .home = ROUTES_NONE };
    p->out->pin    = PIN_NONE; /* whoever asks first has it */
    once_planned(p, taken.ranges, taken.n);
    p->out->once_literals = true;
    p->out->once_named    = taken.named;
    return true;
}

bool
plan_once(struct planner *p, const struct insert *in, const struct route_table *table)
{
    struct once o = {
        .p = p, .in = in, .table = table,
        .key_at  = table->kind == TABLE_SHARDED ? insert_position(in, table, table->key)
                                                : ROUTES_NONE,
        .auto_at = insert_position(in, table, table->auto_increment),
        .ranges  = make(p, ONCE_MAX * sizeof(*o.ranges)),
    };
    if (in->query != NULL || !take_rows(&o))
        return false;
    once_planned(p, o.ranges, o.n);
    return true;
}
