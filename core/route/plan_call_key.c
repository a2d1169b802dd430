/* plan_call_key.c - see plan_internal.h: CALL of a procedure that keeps to one key.
 *
 *   CREATE PROCEDURE p(u INT, n INT) BEGIN ... WHERE user_id = u ... VALUES (u, ...) ... END
 *   CALL p(5, 2)     runs where rows with the key 5 are, as it was written
 *
 * Each of its statements (routine_body.h) is planned as one of its own, with '?' for variables. All
 * that use rows of sharded tables have to fix the key of each by the same parameter, and nothing
 * else: then what a CALL gives for that parameter is the key of every row that it can meet. The
 * parameter has to hold what key columns can, and its value in the CALL has to be one that they
 * store as it is.
 */
#include "core/route/function_class.h"
#include "core/route/plan_call.h"
#include "core/route/plan_internal.h"
#include "core/route/routine_body.h"
#include "core/sql/digest.h"
#include "core/sql/parse.h"

enum { TABLES_MAX = 32, THROUGH_MAX = 32, CALLS_MAX = 4, TEXT_MAX = 1 << 20, SHOWN_MAX = 60 };

struct keyed {
    struct planner *p;
    struct span     body;      /* statements */
    const uint8_t  *variables; /* of the statement at hand, for each '?' */
    size_t          n_variables;
    bool            far;       /* it names sharded tables, say */
    bool            ends;      /* it begins or ends transactions */
    uint32_t        which;     /* the parameter; ROUTINE_OTHER: none so far */
    uint64_t        given;     /* bits of the parameters that a CALL in it may change */
    uint32_t        tables[TABLES_MAX];
    uint32_t        n_tables;
    struct route_column through[THROUGH_MAX]; /* parameters that the key goes through */
    uint32_t        n_through;
    struct sql_error why;      /* code 0: the statement does not keep to the key of one parameter */
};

/* ---- one statement ---- */

static bool
takes(struct keyed *k, uint32_t table, const struct operand *o)
{
    bool plain = o->kind == OPERAND_PARAM && o->ordinal < k->n_variables && !o->negative &&
                 !o->collate && !o->introduced && o->collation == 0 && o->as == KEY_VALUE_OTHER;
    uint8_t variable = plain ? k->variables[o->ordinal] : (uint8_t)ROUTINE_OTHER;

    if (variable == ROUTINE_OTHER || (k->which != ROUTINE_OTHER && k->which != variable))
        return false;
    k->which = variable;
    for (uint32_t i = 0; i < k->n_tables; i++)
        if (k->tables[i] == table)
            return true;
    if (k->n_tables == TABLES_MAX)
        return false;
    k->tables[k->n_tables++] = table;
    return true;
}

/* A server would give it the numbers that it gives here, which others give as well. */
static bool
insert_keeps(struct keyed *k, const struct plan *plan)
{
    const struct insert_spec *in = plan->insert;

    if (in->numbered)
        return sql_error_set(&k->why, SQL_NOT_SUPPORTED, "it would take numbers of an "
                             "AUTO_INCREMENT column, which only shardd gives");
    for (uint32_t i = 0; i < in->n_rows; i++)
        if (in->rows[i].key_null || in->rows[i].key_auto ||
            !takes(k, in->table, &in->rows[i].key))
            return false;
    return true;
}

static bool
note_through(struct keyed *k, const struct route_column *columns, uint32_t n)
{
    if (n > THROUGH_MAX - k->n_through)
        return false;
    for (uint32_t i = 0; i < n; i++)
        k->through[k->n_through++] = columns[i];
    return true;
}

static bool
target_keeps(struct keyed *k, const struct plan *plan)
{
    const struct target *t = &plan->target;

    if (t->kind == TARGET_ANY || t->kind == TARGET_NONE)
        return !plan->is_write || t->kind == TARGET_NONE;
    if (t->kind != TARGET_KEYS || t->at_home)
        return false;
    for (uint32_t i = 0; i < t->n_groups; i++)
        if (t->groups[i].n_keys != 1 || !takes(k, t->groups[i].table, t->groups[i].keys))
            return false;
    return note_through(k, t->through, t->n_through);
}

static bool
plan_keeps(struct keyed *k, const struct plan *plan)
{
    bool own_text = plan->text != NULL && !plan->hides && plan->kind != PLAN_SCATTER;

    if (plan->kind == PLAN_REFUSE) {
        k->why = plan->error;
        return false;
    }
    if (plan->is_write && plan->keeps_lookups)
        return sql_error_set(&k->why, SQL_NOT_SUPPORTED, "it writes a table with a lookup");
    if (plan->reference_write || own_text || plan->fill != NULL || plan->pin != PIN_NONE ||
        plan->information != 0 || plan->processlist != PROCESSLIST_NONE)
        return false;
    if (plan->kind == PLAN_INSERT)
        return insert_keeps(k, plan);
    if (plan->kind == PLAN_TXN)
        return k->ends = true;
    return (plan->kind == PLAN_ONE || plan->kind == PLAN_SCATTER || plan->kind == PLAN_WRITE) &&
           target_keeps(k, plan);
}

/* What CALL gives for OUT and INOUT is another value behind it. */
static void
note_given(struct keyed *k, const struct plan_context *context, const struct stmt *statement)
{
    const struct routes     *r      = k->p->routes;
    const struct path       *path   = &statement->path;
    struct span              schema = path->schema.ptr != NULL ? path->schema : context->schema;
    uint32_t                 at     = routes_database(r, schema);
    struct routine_parameter one;

    if (at == ROUTES_NONE)
        return;
    struct span body = function_list_body(r->databases[at].procedures, path->name);
    for (struct expr *e = statement->args; e != NULL && routine_parameter(&body, &one);
         e = e->next) {
        const struct expr *x = bare(e);

        if (one.use == ROUTINE_GIVES && x->kind == EXPR_PARAM && x->ordinal < k->n_variables &&
            k->variables[x->ordinal] != ROUTINE_OTHER)
            k->given |= UINT64_C(1) << k->variables[x->ordinal];
    }
}

static bool
statement_keeps(struct keyed *k, const struct plan_context *context, struct span text)
{
    struct planner *p = k->p;
    struct digest   d = { 0 };
    struct stmt    *statement;
    struct plan     plan;
    bool            known = digest_make(&d, text, context->lex, TEXT_MAX) == DIGEST_OK, ok = false;

    if (known && parse_statement(p->arena, text, context->lex, &d, &statement) == PARSE_OK) {
        plan_make(p->arena, context, text, &d, statement, &plan);
        ok = plan_keeps(k, &plan);
        if (statement->kind == STMT_CALL) {
            note_given(k, context, statement);
            k->ends |= plan.may_end_txn;
        }
    } else {
        sql_error_set(&k->why, SQL_NOT_SUPPORTED, "it is not understood (a column has the name of "
                      "a variable, perhaps)");
    }
    digest_fini(&d);
    return ok;
}

/* ---- all of them ---- */

/* As servers read the body: in its own database, under no sql_mode that reads otherwise. */
static struct plan_context
context_of(const struct planner *p, struct span schema)
{
    struct plan_context c = *p->context;

    c.schema   = schema;
    c.prepared = true;
    c.calls++;
    c.lex      = (struct lex_options){ .charset = LEX_UTF8,
                                       .server_version = p->context->lex.server_version };
    return c;
}

static void
refuse_statement(struct keyed *k, struct span name, struct span text)
{
    size_t n = text.len < SHOWN_MAX ? text.len : SHOWN_MAX;

    while (n < text.len && n > 0 && (text.ptr[n] & 0xc0) == 0x80)
        n--;
    NOT_YET(k->p, "shardd: CALL of '%.*s' is not possible: it names, or may reach, sharded or "
                  "reference tables, and '%.*s%s' in it %s%.200s", SHOWN(name), (int)n,
            (const char *)text.ptr, n < text.len ? "..." : "", k->why.code == 0
                ? "does not find all of its rows by the key, as one parameter gives it; one that "
                  "only reads could be called"
                : "cannot run on one shard: ",
            strncmp(k->why.message, "shardd: ", 8) == 0 ? k->why.message + 8 : k->why.message);
}

static bool
all_keep(struct keyed *k, struct span schema, struct span name)
{
    struct plan_context context = context_of(k->p, schema);
    struct buf          text = { 0 }, variables = { 0 };
    bool                ok = true;

    while (ok && routine_statement(&k->body, &text, &variables)) {
        struct span kept = arena_copy(k->p->arena, buf_unread(&text));

        k->variables   = buf_unread(&variables).ptr;
        k->n_variables = buf_len(&variables);
        ok             = statement_keeps(k, &context, kept);
        if (!ok && k->far)
            refuse_statement(k, name, kept);
        buf_clear(&text);
        buf_clear(&variables);
    }
    buf_fini(&text);
    buf_fini(&variables);
    return ok && k->which != ROUTINE_OTHER;
}

/* Its value equals what the key does. Whether it takes the CALL's is seen when that is known:
 * target.through. */
static bool
parameter_holds(struct keyed *k, const struct routine_parameter *parameter, struct span name)
{
    bool kept = parameter->use == ROUTINE_KEEPS && (k->given >> k->which & 1) == 0;

    for (uint32_t i = 0; i < k->n_tables; i++) {
        const struct route_table *t = &k->p->routes->tables[k->tables[i]];

        if (!kept || !keyhash_colocated(&t->columns[t->key], &parameter->type))
            return NOT_YET(k->p, "shardd: CALL of '%.*s' is not possible: its parameter %u, the "
                                 "key of rows of '%.*s', %s", SHOWN(name), (unsigned)k->which + 1,
                           SHOWN(t->name), !kept
                               ? "gets other values in it"
                               : "has another type or collation than the key's column");
    }
    return true;
}

static bool
arguments_fit(struct planner *p)
{
    struct scope *s = scope_new(p, NULL, NULL);

    for (struct expr *e = p->stmt->args; e != NULL; e = e->next)
        if (!scope_expr(p, s, e))
            return false;
    bool tables = p->any_sharded || p->any_reference || p->any_global || p->any_view ||
                  p->any_system || p->at_home != NULL;
    return !tables || NOT_YET(p, "shardd: the arguments of this CALL can use no tables: SET a user "
                                 "variable before");
}

static void
to_key(struct keyed *k, const struct operand *key)
{
    struct plan      *out    = k->p->out;
    struct key_group *groups = make(k->p, k->n_tables * sizeof(*groups));
    struct operand   *one    = make(k->p, sizeof(*one));
    struct route_column *through = make(k->p, k->n_through * sizeof(*through));

    *one = *key;
    memcpy(through, k->through, k->n_through * sizeof(*through));
    for (uint32_t i = 0; i < k->n_tables; i++)
        groups[i] = (struct key_group){ .table = k->tables[i], .n_keys = 1, .keys = one };
    out->kind   = PLAN_ONE;
    out->target = (struct target){ .kind = TARGET_KEYS, .one_shard = true,
                                   .n_through = k->n_through, .through = through,
                                   .n_groups = k->n_tables, .groups = groups };
    out->is_write = out->opaque = true;
    out->reason   = "all statements of the procedure keep to the key that a parameter gives";
    k->p->any_sharded  = true;
    k->p->keeps_to_txn = !k->ends;
}

bool
call_by_key(struct planner *p, struct span list, struct span schema)
{
    struct span              name = p->stmt->path.name, body = function_list_body(list, name);
    struct keyed             k = { .p = p, .which = ROUTINE_OTHER };
    struct routine_parameter parameters[ROUTINE_PARAMETERS_MAX], one;
    struct expr             *arguments = p->stmt->args, *argument = arguments;
    struct operand           key;
    uint32_t                 n = 0, n_arguments = 0;

    if (body.len == 0 || p->context->calls == CALLS_MAX)
        return false;
    while (n < ROUTINE_PARAMETERS_MAX && routine_parameter(&body, &one))
        parameters[n++] = one;
    for (const struct expr *e = argument; e != NULL; e = e->next)
        n_arguments++;
    k.body = body;
    k.far  = function_list_find(list, name) == FUNCTION_FAR;
    if (n != n_arguments || !all_keep(&k, schema, name) || k.which >= n ||
        !parameter_holds(&k, &parameters[k.which], name) ||
        !note_through(&k, &parameters[k.which].type, 1))
        return false;
    for (uint32_t i = 0; i < k.which; i++)
        argument = argument->next;
    if (plan_once_arguments(p, arguments, argument))
        return true;
    if (!operand_make(p, argument, &key))
        return NOT_YET(p, "shardd: the argument of CALL that is the key of its rows has to be a "
                          "constant or a user variable: SET a user variable before");
    if (!arguments_fit(p))
        return false;
    to_key(&k, &key);
    return true;
}
