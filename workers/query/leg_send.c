/* leg_send.c - a leg's statement goes to its server. See leg.h. */
#include "workers/query/leg.h"
#include "workers/query/set_statement.h"

void
leg_send(struct leg *leg, const struct exchange_ops *ops)
{
    struct query_run *q = leg->q;

    query_fill_leg(leg);
    leg_time_begin(leg);
    leg->ops = ops;
    switch (q->command) {
    case QUERY_TEXT:
        if (q->for_text.len != 0)
            leg_send_set(leg, ops);
        else
            backend_send(leg->backend, COM_QUERY, leg_text(leg), &leg->x, ops);
        break;
    case QUERY_EXECUTE:
        leg_execute(leg);
        return;
    case QUERY_NAMED:
        leg_send_named(leg, ops);
        break;
    case QUERY_PREPARE:
        backend_send(leg->backend, COM_STMT_PREPARE, leg_text(leg), &leg->x, ops);
        break;
    case QUERY_FETCH: /* row_cursor.c asks itself */
    case QUERY_OTHER:
        backend_send(leg->backend, q->payload.ptr[0], span_from(q->payload, 1), &leg->x, ops);
        break;
    }
    if (q->leg_sent != NULL)
        q->leg_sent(leg);
}

static const uint16_t index_use =
    SERVER_QUERY_NO_GOOD_INDEX_USED | SERVER_QUERY_NO_INDEX_USED | SERVER_QUERY_WAS_SLOW;

void
leg_read_outcome(struct leg *leg, const struct result_reader *r)
{
    leg->affected  = r->affected_rows;
    leg->insert_id = r->insert_id;
    leg->warnings  = r->warnings;
    leg->status    = r->status;
    leg_read_index_use(leg);
}

void
leg_read_index_use(struct leg *leg)
{
    leg->q->more_status |= leg->x.reader.status & index_use;
}
