/* plan_operand.c - see plan_internal.h: expressions that are constants of a run. */
#include <ctype.h>

#include "core/route/plan_internal.h"

enum { VARIABLES_MAX = 1000, VARIABLES_FIRST = 8 }; /* as many as plan_once() makes */

uint16_t
collation_named(struct span name)
{
    static const struct {
        const char *name;
        uint16_t    id;
    } known[] = {
        { "utf8mb4_bin", 46 },        { "utf8mb4_general_ci", 45 },     { "binary", 63 },
        { "utf8mb4_unicode_ci", 224 }, { "utf8mb4_unicode_520_ci", 246 }, { "latin1_bin", 47 },
        { "latin1_swedish_ci", 8 },   { "latin1_general_ci", 48 },      { "ascii_bin", 65 },
        { "utf8mb3_general_ci", 33 }, { "utf8_general_ci", 33 },
        { "utf8mb4_nopad_bin", 1070 },
        { "utf8mb3_unicode_ci", 192 }, { "utf8_unicode_ci", 192 },      { "ascii_general_ci", 11 },
    };
    for (size_t i = 0; i < countof(known); i++)
        if (span_equal_nocase(name, span_of(known[i].name)))
            return known[i].id;
    return 0;
}

/* The server's charset of an introducer, as a collation id; 0: not one we hash. */
static uint16_t
introducer_collation(struct span name)
{
    static const struct {
        const char *name;
        uint16_t    id;
    } known[] = {
        { "_utf8mb4", 45 }, { "_utf8", 33 }, { "_utf8mb3", 33 }, { "_latin1", 8 },
        { "_binary", 63 },  { "_ascii", 11 },
    };
    for (size_t i = 0; i < countof(known); i++)
        if (span_equal_nocase(name, span_of(known[i].name)))
            return known[i].id;
    return 0;
}

static bool
operand_literal(struct planner *p, struct expr *e, struct operand *out)
{
    if (e->n_args > 0)
        return false;
    if (e->introducer != NULL) {
        out->collation = introducer_collation(*e->introducer);
        if (out->collation == 0)
            return false;
        out->introduced = true;
    }
    if (e->ordinal != AST_NO_ORDINAL) {
        out->kind    = OPERAND_LITERAL;
        out->ordinal = e->ordinal;
        return true;
    }
    if (e->literal != TOK_INT && e->literal != TOK_DECIMAL)
        return false;
    out->kind     = OPERAND_CONST;
    out->constant = (struct key_value){
        .kind  = e->literal == TOK_INT ? KEY_VALUE_INT : KEY_VALUE_DECIMAL,
        .bytes = arena_copy(p->arena, (struct span){ p->text.ptr + e->start, e->end - e->start }),
    };
    return true;
}

static bool
operand_constant(struct operand *out, enum key_value_kind kind, struct span bytes)
{
    out->kind     = OPERAND_CONST;
    out->constant = (struct key_value){ .kind = kind, .bytes = bytes };
    return true;
}

/* Grows when n is a power of two. */
static struct span *
room_for_one(struct planner *p, struct plan *plan)
{
    uint32_t     n     = plan->n_user_variables;
    struct span *names = (struct span *)(uintptr_t)plan->user_variables;

    if (n != 0 && (n < VARIABLES_FIRST || (n & (n - 1)) != 0))
        return names;
    names = make(p, (n < VARIABLES_FIRST ? VARIABLES_FIRST : 2 * n) * sizeof(*names));
    if (n != 0)
        memcpy(names, plan->user_variables, n * sizeof(*names));
    plan->user_variables = names;
    return names;
}

/* Its value is the session's, unless the statement itself changes it. */
static bool
operand_variable(struct planner *p, const struct expr *e, struct operand *out)
{
    struct plan *plan  = p->out;
    struct span  name  = arena_copy(p->arena, *e->name);
    struct span *names = (struct span *)(uintptr_t)plan->user_variables;

    if (p->digest == NULL || (p->digest->flags & DIGEST_ASSIGN) != 0)
        return false;
    for (size_t i = 0; i < name.len; i++)
        ((uint8_t *)(uintptr_t)name.ptr)[i] = (uint8_t)tolower(name.ptr[i]);
    out->kind = OPERAND_VAR;
    for (out->ordinal = 0; out->ordinal < plan->n_user_variables; out->ordinal++)
        if (span_equal(names[out->ordinal], name))
            return true;
    if (plan->n_user_variables == VARIABLES_MAX)
        return false;
    names                           = room_for_one(p, plan);
    names[plan->n_user_variables++] = name;
    return true;
}

bool
operand_make(struct planner *p, struct expr *e, struct operand *out)
{
    *out = (struct operand){ .as = KEY_VALUE_OTHER };
    e    = bare(e);
    switch ((int)e->kind) {
    case EXPR_LITERAL: return operand_literal(p, e, out);
    case EXPR_PARAM:
        out->kind    = OPERAND_PARAM;
        out->ordinal = e->ordinal;
        return true;
    case EXPR_USER_VAR: return operand_variable(p, e, out);
    case EXPR_NULL: return operand_constant(out, KEY_VALUE_NULL, (struct span){ 0 });
    case EXPR_BOOL:
        return operand_constant(out, KEY_VALUE_INT, e->word == KW_TRUE ? SPAN("1") : SPAN("0"));
    case EXPR_DEFAULT:
        return e->n_args == 0 && operand_constant(out, KEY_VALUE_DEFAULT, (struct span){ 0 });
    case EXPR_UNARY:
        if (e->op != EXPR_OP_NEGATE && e->op != EXPR_OP_IDENTITY)
            return false;
        if (!operand_make(p, e->args, out))
            return false;
        out->negative ^= e->op == EXPR_OP_NEGATE;
        return true;
    case EXPR_TEMPORAL:
        if (!operand_make(p, e->args, out))
            return false;
        out->as = e->word == KW_DATE   ? KEY_VALUE_DATE
                  : e->word == KW_TIME ? KEY_VALUE_TIME
                                       : KEY_VALUE_DATETIME;
        return true;
    case EXPR_COLLATE:
        if (!operand_make(p, e->args, out))
            return false;
        out->collate   = true;
        out->collation = collation_named(*e->name);
        return out->collation != 0; /* else: compared in ways we do not know */
    default: return false;
    }
}
