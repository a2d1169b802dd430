/* limits.c - see limits.h. */
#include "workers/query/limits.h"

#include <stdio.h>

#include "workers/query/leg.h"

enum { ERR_USER_LIMIT = 1226 /* ER_USER_LIMIT_REACHED */ };

static uint64_t
less(uint64_t a, uint64_t b)
{
    if (a == 0 || b == 0)
        return a + b;
    return a < b ? a : b;
}

static uint64_t
allowed_ms(const struct session *s, enum route_limit limit, uint64_t unit_ms, uint32_t setting_s)
{
    return s->limit[limit] != 0 ? s->limit[limit] * unit_ms : (uint64_t)setting_s * 1000;
}

static uint64_t
statement_ms(const struct session *s)
{
    return allowed_ms(s, LIMIT_STATEMENT_MS, 1, s->ctx->conf.query_timeout_s);
}

/* The name is that of a SET by the client, which then takes its place. */
void
limits_begin(struct session *s)
{
    uint64_t ms = statement_ms(s);
    char     text[64];

    if (ms == 0)
        return;
    snprintf(text, sizeof(text), "SET SESSION max_statement_time = %llu.%03u",
             (unsigned long long)ms / 1000, (unsigned)(ms % 1000));
    vars_set(&s->vars, SPAN("max_statement_time,"), span_of(text));
}

uint64_t
session_statement_ms(const struct session *s)
{
    return less(statement_ms(s), s->modes != NULL ? s->modes->statement_ms : 0);
}

uint64_t
session_idle_ms(const struct session *s)
{
    return less(allowed_ms(s, LIMIT_IDLE_S, 1000, s->ctx->conf.client_idle_s),
                s->modes != NULL ? s->modes->wait_s * 1000 : 0);
}

uint64_t
session_transaction_ms(const struct session *s)
{
    return allowed_ms(s, LIMIT_TRANSACTION_S, 1000, s->ctx->conf.transaction_timeout_s);
}

uint64_t
query_limit_ms(const struct query_run *q)
{
    uint64_t hint = q->plan != NULL ? q->plan->plan.timeout_ms : 0;

    if (q->for_text.len == 0)
        return less(session_statement_ms(q->s), hint);
    return less(less(statement_ms(q->s), q->limit_ms), hint);
}

/* --- time ----------------------------------------------------------------- */

bool
query_on_servers(const struct query_run *q)
{
    if (q->answered || (q->n_legs > 0 && q->n_over == q->n_legs))
        return true; /* it is nearly over */
    for (uint32_t i = 0; i < q->n_legs; i++)
        if (q->legs[i].backend != NULL || q->legs[i].shared != NULL)
            return true;
    return false;
}

/* --- rows ----------------------------------------------------------------- */

bool
query_counts_rows(const struct query_run *q)
{
    return (q->s->limit[LIMIT_ROWS] | q->s->limit[LIMIT_BYTES]) != 0 && q->plan != NULL &&
           q->command != QUERY_PREPARE && !q->plan->plan.is_write;
}

bool
query_may_send_row(struct query_run *q, size_t bytes, struct sql_error *why)
{
    static const char *const names[] = { [LIMIT_ROWS] = "max_rows", [LIMIT_BYTES] = "max_bytes" };
    const uint64_t          *limit   = q->s->limit;
    enum route_limit         over    = LIMITS_N;

    q->rows++;
    q->row_bytes += bytes;
    if (limit[LIMIT_BYTES] != 0 && q->row_bytes > limit[LIMIT_BYTES])
        over = LIMIT_BYTES;
    if (limit[LIMIT_ROWS] != 0 && q->rows > limit[LIMIT_ROWS])
        over = LIMIT_ROWS;
    if (over == LIMITS_N)
        return true;
    slot_count(q->ctx->slot, COUNTER_ERRORS_LIMIT);
    return sql_error_set(why, ERR_USER_LIMIT, "User '%s' has exceeded the '%s' resource (current "
                         "value: %llu) (shardd: the answer is cut there; ask for less, with "
                         "LIMIT)", q->s->user, names[over], (unsigned long long)limit[over]);
}
