/* query_bind.c - a text that is not the client's own, and its parameters. */
#include <stdio.h>
#include <stdlib.h>

#include "core/mysql/literal.h"
#include "workers/query/query.h"

enum render_mode
query_render_mode(const struct query_run *q)
{
    return q->command == QUERY_EXECUTE || q->command == QUERY_NAMED ? RENDER_PREPARE
                                                                    : RENDER_TEXT;
}

static struct param_value
number_param(struct query_run *q, uint64_t number)
{
    uint8_t *bytes = arena_alloc(&q->arena, 24);

    if (q->command == QUERY_NAMED) {
        int len = snprintf((char *)bytes, 24, "%llu", (unsigned long long)number);
        return (struct param_value){ .bytes = { bytes, (size_t)len } };
    }
    for (size_t i = 0; i < sizeof(number); i++)
        bytes[i] = (uint8_t)(number >> (8 * i));
    return (struct param_value){
        .type        = MYSQL_TYPE_LONGLONG,
        .is_unsigned = true,
        .bytes       = { bytes, sizeof(number) },
    };
}

void
query_bind(struct query_run *q, const struct bind_list *binds, uint64_t limit,
           const struct param_value **params, uint32_t *n_params)
{
    struct param_value *bound = arena_alloc(&q->arena, (binds->n + 1) * sizeof(*bound));

    for (uint32_t i = 0; i < binds->n; i++)
        switch (binds->items[i].kind) {
        case BIND_PARAM:  bound[i] = q->params[binds->items[i].ordinal]; break;
        case BIND_LIMIT:  bound[i] = number_param(q, limit); break;
        case BIND_NUMBER: bound[i] = number_param(q, binds->items[i].number); break;
        }
    *params   = bound;
    *n_params = binds->n;
}

/* Where the client's set is not the connection's, it is not known which it is: in some a quote of
 * ours would be the second byte of a character. */
bool
query_param_literal(const struct query_run *q, const struct param_value *param, struct buf *out)
{
    const struct session *s    = q->s;
    struct literal_mode   mode = { .charset              = s->collation,
                                   .no_backslash_escapes = s->lex.no_backslash_escapes };
    size_t                from = buf_len(out);

    return param_literal(out, param, &mode) &&
           (s->collation != 0 || s->lex.charset != LEX_UNSAFE ||
            span_is_ascii(span_from(buf_unread(out), from)));
}

static bool
put_param(const struct query_run *q, uint32_t ordinal, struct buf *out, struct sql_error *error)
{
    const struct param_value *param = &q->params[ordinal];

    if (ordinal >= q->n_params)
        return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: a parameter is missing");
    if (q->command == QUERY_NAMED) {
        buf_append_span(out, param->bytes);
        return true;
    }
    return query_param_literal(q, param, out) ||
           sql_error_set(error, SQL_NOT_SUPPORTED, "shardd: parameter %u has a value that cannot "
                         "be written as a literal (NaN, infinity, or letters in a set like gbk "
                         "that is not collation_connection's), and this statement is sent on as "
                         "text", ordinal + 1);
}

bool
query_render_alone(const struct query_run *q, const struct sql_template *template,
                   struct buf *out, struct sql_error *error)
{
    for (uint32_t i = 0; i < template->n; i++) {
        const struct template_piece *piece = &template->pieces[i];
        struct sql_template          one   = { 1, piece };

        if (piece->kind != PIECE_OPERAND || piece->operand.kind != OPERAND_PARAM)
            plan_render(&q->plan->plan, &one, &q->values, RENDER_TEXT, out, NULL);
        else if (!put_param(q, piece->operand.ordinal, out, error))
            return false;
    }
    return true;
}

bool
query_render(struct query_run *q)
{
    const struct plan *plan  = &q->plan->plan;
    struct buf         text  = { 0 };
    struct bind_list   binds = { 0 };
    uint64_t           offset = 0, count = UINT64_MAX;
    struct sql_error   error;

    if (plan->text == NULL)
        return true;
    if (!plan_limit(plan, &q->values, &offset, &count, &error)) {
        query_fail(q, &error);
        return false;
    }
    plan_render(plan, plan->text, &q->values, query_render_mode(q), &text, &binds);
    q->text = arena_copy(&q->arena, buf_unread(&text));
    buf_fini(&text);
    if (query_render_mode(q) == RENDER_PREPARE)
        query_bind(q, &binds, plan_limit_sum(offset, count), &q->params, &q->n_params);
    free(binds.items);
    if (plan->hides)
        (void)query_fill_counts(q); /* as in the text that was replaced */
    return true;
}
