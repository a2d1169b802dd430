/* leg_named.c - a statement with values that are SQL: EXECUTE IMMEDIATE 'text' USING ...
 *
 * The text goes as bytes: it may be in a character set that is not the connection's.
 */
#include "workers/query/leg.h"

void
leg_send_named(struct leg *leg, const struct exchange_ops *ops)
{
    const struct query_run   *q      = leg->q;
    bool                      own    = buf_len(&leg->text) != 0;
    const struct param_value *params = own ? leg->params : q->params;
    uint32_t                  n      = own ? leg->n_params : q->n_params;
    struct span               text   = leg_text(leg);
    struct buf                sql    = { 0 };

    buf_append_span(&sql, q->for_text); /* SET STATEMENT ... FOR */
    buf_append_hex_literal(&sql, q->for_text.len != 0 ? " EXECUTE IMMEDIATE "
                                                      : "EXECUTE IMMEDIATE ", text);
    for (uint32_t i = 0; i < n; i++) {
        buf_append_text(&sql, i == 0 ? " USING " : ", ");
        buf_append_span(&sql, params[i].bytes);
    }
    backend_send(leg->backend, COM_QUERY, buf_unread(&sql), &leg->x, ops);
    buf_fini(&sql);
}
