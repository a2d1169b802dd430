/* relay_remember.c - what a relayed answer says of the session: its counts, and its last number.
 */
#include "workers/query/diagnostics.h"
#include "workers/query/leg.h"

/* "Records: 3  Duplicates: 1 ..." */
static uint64_t
records_of(const struct result_reader *r)
{
    uint64_t  n = 0;
    struct ok ok;

    if (!reply_ok_decode(result_last(r), CLIENT_SESSION_TRACK, &ok) || ok.info.len == 0)
        return r->affected_rows;
    query_add_counts(ok.info, &n, 1);
    return n;
}

static void
remember_found_rows(struct leg *leg, const struct plan *plan)
{
    struct session             *s = leg->q->s;
    const struct result_reader *r = &leg->x.reader;

    if (plan != NULL && plan->selects_into_table && r->error == 0)
        s->found_rows = records_of(r);
    else if (r->error == SQL_TOO_MANY_ROWS)
        s->found_rows = 1; /* that INTO has taken before the second */
    else if (r->had_rows)
        s->found_rows = r->n_rows + (r->n_rows != 0 ? plan_page_offset(plan, &leg->q->values) : 0);
}

void
query_relay_remember(struct leg *leg)
{
    struct session             *s    = leg->q->s;
    const struct result_reader *r    = &leg->x.reader;
    const struct plan          *plan = leg->q->plan != NULL ? &leg->q->plan->plan : NULL;
    struct sql_error            why;

    if (leg->q->keeps_diagnostics) {
        s->row_count  = -1;
        s->found_rows = r->n_rows;
        return;
    }
    /* Relayed rows of a sharded table bring their own numbers. */
    if (query_is_numbered(leg->q, r->insert_id, r->affected_rows, false))
        s->last_insert_id = r->insert_id;
    if (r->warnings != 0) {
        diagnostics_clear(s);
        s->warnings = r->warnings;
    }
    /* A procedure ends with an OK of its own behind its results. */
    bool rows    = r->had_rows && r->n_results == 1;
    s->row_count = r->error != 0 || rows ? -1 : (int64_t)r->affected_rows;
    if (plan == NULL || !plan->keeps_found_rows)
        remember_found_rows(leg, plan);
    if (result_error(r, &why))
        diagnostics_error(s, &why);
}
