/* leg_along.c - what a backend is told along with a statement: it travels before it, and nobody
 * waits for the answer.
 */
#include <stdio.h>

#include "core/route/gather.h"
#include "workers/query/leg.h"
#include "workers/query/own_vars.h"
#include "workers/query/set_transaction.h"
#include "workers/query/settings.h"

static void
along_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    /* The statement behind it hears the same. */
    (void)x, (void)b, (void)why;
}

static void
along_answered(struct exchange *x, struct backend *b, struct span bytes, bool last)
{
    struct sql_error why;

    (void)bytes;
    /* What travels behind it must not run outside of the transaction: the server
     * would have to refuse BEGIN for that, and then the connection ends. */
    if (last && result_error(&x->reader, &why))
        backend_close(b, &why);
}

const struct exchange_ops leg_along_ops = {
    .on_bytes = along_answered,
    .on_lost  = along_lost,
};

/* SET would clear them. */
static bool
shows_diagnostics(const struct leg *leg)
{
    return leg->q->plan != NULL && leg->q->plan->plan.diagnostics;
}

static void
tell(struct leg *leg, struct exchange *x, struct span text)
{
    backend_send(leg->backend, COM_QUERY, text, x, &leg_along_ops);
}

/* Of code nobody knows what it will SET: the answer says whether it did, see settings.h, and what
 * it has said for the next transaction, see set_transaction.h. */
void
leg_tell_changes(struct leg *leg)
{
    struct backend *b        = leg->backend;
    bool            changes  = settings_may_change(leg), next = set_next_by_code(leg);
    char            text[96] = "SET ";
    size_t          n        = 4;

    changes |= b->tells_changes && !settings_may_forget(leg);
    next |= b->tells_transaction && shows_diagnostics(leg);
    if (changes != b->tells_changes)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "session_track_state_change = %d%s",
                              changes, next != b->tells_transaction ? ", " : "");
    if (next != b->tells_transaction)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "session_track_transaction_info = %s",
                              next ? "CHARACTERISTICS" : "OFF");
    b->tells_changes     = changes;
    b->tells_transaction = next;
    if (n != 4)
        tell(leg, &leg->changes, (struct span){ (const uint8_t *)text, n });
}

/* NOW() is one moment on all shards. */
static void
tell_time(struct leg *leg)
{
    const struct query_run *q    = leg->q;
    struct backend         *b    = leg->backend;
    bool                    same = q->plan != NULL && q->plan->plan.same_time &&
                (q->n_legs > 1 || q->gathering != NULL);
    bool                    want = (same || q->fixed_s != 0) && !vars_set_time(&q->s->vars);
    char                    text[64] = "SET timestamp = DEFAULT";

    if (!want && !b->fixed_time)
        return;
    b->fixed_time = want;
    if (want)
        snprintf(text, sizeof(text), "SET timestamp = %.6f", q->now_s);
    tell(leg, &leg->time, span_of(text));
}

/* What says which rows must not be seen is read with a role of ours: by a right of its own an
 * account would see our schema between its own. */
static void
tell_role(struct leg *leg)
{
    const struct query_run *q    = leg->q;
    struct backend         *b    = leg->backend;
    const struct plan      *plan = q->plan == NULL ? NULL : &q->plan->plan;
    bool want = plan != NULL && !leg->is_engine && q->command != QUERY_PREPARE &&
                (plan->hides || q->ours || (q->gathering != NULL && plan->gather->hides));

    if (b->role == (want ? ROLE_OURS : ROLE_NONE) || (shows_diagnostics(leg) && !want))
        return;
    b->role = want ? ROLE_OURS : ROLE_NONE;
    tell(leg, &leg->role, want ? SPAN("SET ROLE " ROLE_OURS_NAME) : SPAN("SET ROLE NONE"));
}

/* Where several servers work for one statement, one waits for another as long as that takes, and
 * may not take it for a dead connection: to send its rows, or to get those of its part of a file.
 * What the session says of that itself counts. */
static void
tell_patience(struct leg *leg)
{
    const struct query_run *q     = leg->q;
    struct backend         *b     = leg->backend;
    const struct plan      *plan  = q->plan == NULL ? NULL : &q->plan->plan;
    bool                    waits = (q->n_legs > 1 || q->gathering != NULL || q->loading != NULL) &&
                 !leg->is_engine && q->command != QUERY_PREPARE;
    bool                    seen  = plan == NULL || plan->sees_settings;

    if ((!waits && !b->patient) || shows_diagnostics(leg))
        return;
    bool want = (waits || !seen) && !vars_set_net_timeout(&q->s->vars);
    if (want == b->patient)
        return;
    b->patient = want;
    tell(leg, &leg->patience,
         want ? SPAN("SET SESSION net_read_timeout = 31536000, net_write_timeout = 31536000")
              : SPAN("SET SESSION net_read_timeout = DEFAULT, net_write_timeout = DEFAULT"));
}

void
leg_tell_along(struct leg *leg)
{
    tell_time(leg);
    tell_role(leg);
    tell_patience(leg);
}
