/* leg_named.c - a statement with values that are SQL: EXECUTE IMMEDIATE 'text' USING ...
 *
 * The text goes as bytes: it may be in a character set that is not the connection's.
 */
#include "workers/query/leg.h"

void
leg_named_text(struct buf *out, struct span text, const struct param_value *params, uint32_t n)
{
    buf_append_hex_literal(out, "EXECUTE IMMEDIATE ", text);
    for (uint32_t i = 0; i < n; i++) {
        buf_append_text(out, i == 0 ? " USING " : ", ");
        buf_append_span(out, params[i].bytes);
    }
}

void
leg_send_named(struct leg *leg, const struct exchange_ops *ops)
{
    const struct query_run *q   = leg->q;
    bool                    own = buf_len(&leg->text) != 0;
    struct buf              sql = { 0 };

    buf_append_span(&sql, q->for_text); /* SET STATEMENT ... FOR */
    if (q->for_text.len != 0)
        buf_append_byte(&sql, ' ');
    leg_named_text(&sql, leg_text(leg), own ? leg->params : q->params,
                   own ? leg->n_params : q->n_params);
    backend_send(leg->backend, COM_QUERY, buf_unread(&sql), &leg->x, ops);
    buf_fini(&sql);
}
