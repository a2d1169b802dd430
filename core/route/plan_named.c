/* plan_named.c - see plan_internal.h: PREPARE, EXECUTE, DEALLOCATE as SQL.
 *
 * Which statement EXECUTE runs is the session's to know: these plans only say what was
 * written. Their literals stay in the normalised text, so a plan may hold them.
 */
#include "core/route/plan_internal.h"

enum { ERR_SUBQUERY = 1970 /* ER_SUBQUERIES_NOT_SUPPORTED */ };

static bool
no_subquery(struct visitor *v, struct query *q)
{
    (void)q;
    *(bool *)v->context = true;
    return false;
}

static bool
no_stored(struct visitor *v, struct expr *e)
{
    if (e->kind == EXPR_FUNC && !function_is_builtin(e->func))
        *(bool *)v->context = true;
    return true;
}

/* What a server does not take here either: it would read tables. */
static bool
reads_tables(struct expr *e)
{
    bool           found = false;
    struct visitor v     = { .query = no_subquery, .expr = no_stored, .context = &found };
    visit_expr(&v, e);
    return found;
}

static struct span
decoded(struct planner *p, struct span token)
{
    struct buf  bytes = { 0 };
    struct span value = { 0 };
    if (literal_decode(token, TOK_STRING, p->context->lex, &bytes))
        value = arena_copy(p->arena, buf_unread(&bytes));
    buf_fini(&bytes);
    return value;
}

static struct span
negative(struct planner *p, struct span number)
{
    uint8_t *bytes = make(p, number.len + 1);
    bytes[0]       = '-';
    memcpy(bytes + 1, number.ptr, number.len);
    return (struct span){ bytes, number.len + 1 };
}

/* x'ab', DATE'2024-02-29', _latin1'a': the same wherever it is computed. */
static bool
is_literal(struct expr *e)
{
    switch ((int)e->kind) {
    case EXPR_LITERAL: return true;
    case EXPR_UNARY: case EXPR_TEMPORAL: case EXPR_COLLATE: return is_literal(bare(e->args));
    default: return false;
    }
}

static struct named_value
value_of(struct planner *p, struct expr *e)
{
    struct named_value out = {
        .kind = NAMED_EXPRESSION,
        .sql  = arena_copy(p->arena, (struct span){ p->text.ptr + e->start, e->end - e->start }),
    };
    struct expr   *inner = bare(e);
    struct operand operand;
    bool           plain = inner->kind == EXPR_LITERAL && inner->literal == TOK_STRING &&
                 inner->n_args == 0 && inner->introducer == NULL;
    if (inner->kind == EXPR_USER_VAR) {
        out.kind     = NAMED_VARIABLE;
        out.variable = arena_copy(p->arena, *inner->name);
    } else if (plain) {
        out.kind  = NAMED_CONSTANT;
        out.value = (struct key_value){
            .kind      = KEY_VALUE_STRING,
            .bytes     = decoded(p, (struct span){ p->text.ptr + inner->start,
                                                   inner->end - inner->start }),
            .collation = p->context->collation,
        };
    } else if (inner->kind != EXPR_TEMPORAL && operand_make(p, inner, &operand) &&
               operand.kind == OPERAND_CONST && operand.collation == 0) {
        out.kind  = NAMED_CONSTANT;
        out.value = operand.constant;
        if (operand.negative)
            out.value.bytes = negative(p, operand.constant.bytes);
    } else if (is_literal(inner)) {
        out.kind  = NAMED_CONSTANT;
        out.value = (struct key_value){ .kind = KEY_VALUE_OTHER };
    }
    return out;
}

static void
plan_values(struct planner *p, struct named_spec *spec)
{
    uint32_t n = 0;
    for (struct expr *e = p->stmt->args; e != NULL; e = e->next)
        n++;
    struct named_value *values = make(p, (n + 1) * sizeof(*values));
    for (struct expr *e = p->stmt->args; e != NULL; e = e->next)
        values[spec->n_values++] = value_of(p, e);
    spec->values = values;
}

void
plan_named(struct planner *p)
{
    static const char *const words[] = { "PREPARE..FROM", "EXECUTE..USING", "EXECUTE IMMEDIATE" };

    const struct stmt *s    = p->stmt;
    struct named_spec *spec = make(p, sizeof(*spec));
    spec->verb = s->kind == STMT_PREPARE      ? NAMED_PREPARE
                 : s->kind == STMT_DEALLOCATE ? NAMED_DEALLOCATE
                 : s->name.ptr == NULL        ? NAMED_IMMEDIATE
                                              : NAMED_EXECUTE;
    spec->name = arena_copy(p->arena, s->name);
    for (struct expr *e = s->args; e != NULL; e = e->next)
        if (reads_tables(e)) {
            refuse(p, ERR_SUBQUERY, "%s does not support subqueries or stored functions",
                   words[NAMED_EXECUTE]);
            return;
        }
    if (s->expr != NULL && reads_tables(s->expr)) {
        refuse(p, ERR_SUBQUERY, "%s does not support subqueries or stored functions",
               words[spec->verb]);
        return;
    }
    if (s->expr != NULL)
        spec->text = value_of(p, s->expr);
    if (spec->text.value.kind == KEY_VALUE_OTHER)
        spec->text.kind = NAMED_EXPRESSION;
    plan_values(p, spec);
    p->out->kind      = PLAN_NAMED;
    p->out->named     = spec;
    p->out->cacheable = p->out->cacheable && spec->verb == NAMED_EXECUTE;
    p->out->reason    = "the session's prepared statements";
}
