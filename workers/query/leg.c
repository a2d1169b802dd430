/* leg.c - see leg.h. */
#include "workers/query/leg.h"

#include <stdio.h>
#include <stdlib.h>

#include "workers/query/hedge.h"
#include "workers/query/own_vars.h"
#include "workers/query/park.h"
#include "workers/query/replica.h"
#include "workers/query/set_transaction.h"
#include "workers/query/settings.h"
#include "workers/query/txn.h"

void
legs_make(struct query_run *q, const struct shard_set *shards)
{
    q->n_legs = shards->n;
    q->n_over = 0;
    q->legs   = arena_alloc(&q->arena, shards->n * sizeof(*q->legs));

    uint32_t shard = shards->first;
    for (uint32_t i = 0; i < shards->n; i++) {
        q->legs[i] = (struct leg){
            .q        = q,
            .number   = i,
            .shard    = shard,
            .shard_id = session_server(q->s, q->routes->routes->shards[shard].id),
        };
        shard = shard_set_next(shards, shard + 1);
    }
}

/* --- the end ------------------------------------------------------------- */

/* Does the transaction or a pin keep the backend? */
static bool
stays_held(const struct leg *leg)
{
    const struct held *h = session_held(leg->q->s, leg->shard_id);

    return h != NULL && h->backend == leg->backend;
}

static void
put_back(struct leg *leg)
{
    struct backend *b    = leg->backend;
    bool            kept = b != NULL && stays_held(leg);

    leg->backend = NULL;
    if (b == NULL)
        return;
    backend_resume(b); /* the last bytes of an answer may have filled the client's stream */
    if (!kept)
        pool_release(b);
}

void
leg_over(struct leg *leg, const struct sql_error *error)
{
    struct query_run *q = leg->q;

    if (leg->state == LEG_OVER)
        return;
    if (error != NULL && leg->use.server != NULL && replica_again(leg, error->code))
        return;
    if (q->hedge != NULL && leg == q->legs)
        hedge_end(q);
    leg->state = LEG_OVER;
    leg->ok    = error == NULL;
    leg_time_end(leg);
    if (leg->use.server != NULL || leg->suspect.server != NULL || q->s->seen != NULL)
        replica_over(leg);
    else
        q->s->touched |= q->plan == NULL || q->plan->plan.kind != PLAN_SET;
    if (leg->over != NULL) {
        leg->error = error != NULL ? *error : leg->error;
        if (leg->fill == NULL) /* else it has to be emptied first */
            put_back(leg);
        leg->over(leg);
        return;
    }
    if (error != NULL) {
        leg->error = *error;
        txn_translate(q, &leg->error);
        if (!q->failed) {
            q->failed = true;
            q->error  = leg->error;
        }
    }
    put_back(leg);
    buf_fini(&leg->text);
    if (q->leg_ended != NULL)
        q->leg_ended(leg);
    if (++q->n_over == q->n_legs)
        q->all_over(q);
}

void
leg_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    struct leg *leg = container_of(x, struct leg, x);

    (void)b;
    leg->backend = NULL;
    leg->lost    = true;
    if (!leg->q->finished)
        leg_over(leg, why);
}

/* --- what has to be said before the statement ---------------------------- */

static void
step_failed(struct leg *leg, const struct sql_error *why)
{
    struct backend *b = leg->backend;

    /* Nobody knows what the session over there looks like now. */
    if (b != NULL && b->state == BACKEND_BUSY) {
        leg->backend = NULL;
        backend_close(b, why);
    }
    leg_over(leg, why);
}

static void
step_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    struct leg *leg = container_of(x, struct leg, x);

    (void)b;
    leg->backend = NULL;
    leg->lost    = true;
    leg_over(leg, why);
}

static void
step_answered(struct exchange *x, struct backend *b, struct span bytes, bool last)
{
    struct leg      *leg = container_of(x, struct leg, x);
    struct sql_error why;

    (void)b, (void)bytes;
    if (!last)
        return;
    if (result_error(&x->reader, &why))
        step_failed(leg, &why);
    else
        leg_go_on(leg);
}

static const struct exchange_ops step_ops = {
    .on_bytes = step_answered,
    .on_lost  = step_lost,
};

static void
say(struct leg *leg, uint8_t command, struct span text)
{
    backend_send(leg->backend, command, text, &leg->x, &step_ops);
}

/* Will somebody look at the backend's user variables, now or as long as it is held? */
static bool
sees_variables(const struct leg *leg)
{
    const struct query_run *q = leg->q;

    return q->s->in_txn || q->command == QUERY_NAMED ||
           (q->plan != NULL && (q->plan->plan.sees_variables || q->plan->plan.pin != PIN_NONE));
}

static bool
has_foreign_variables(const struct leg *leg)
{
    const struct backend *b = leg->backend;

    return b->user_owner != 0 && b->user_owner != leg->q->s->uservars.owner &&
           sees_variables(leg);
}

/* A SET STATEMENT is over. */
static bool
undo_statement_vars(struct leg *leg)
{
    struct held *h = session_held(leg->q->s, leg->shard_id);
    char        *text = h->undo;

    if (text == NULL)
        return false;
    h->undo                 = NULL;
    leg->backend->vars_hash = h->undo_hash;
    say(leg, COM_QUERY, span_of(text));
    free(text);
    return true;
}

/* Each step says something and returns true, or has nothing to say. */
static bool
step_reset(struct leg *leg)
{
    struct backend *b = leg->backend;
    struct session *s = leg->q->s;

    /* What the session holds already is a subset of its state, and a reset would
     * end its transaction. */
    if (session_held(s, leg->shard_id) != NULL)
        return undo_statement_vars(leg);
    if ((b->vars_hash == s->vars.hash || b->vars_hash == 0) && !has_foreign_variables(leg))
        return false;
    b->vars_hash  = 0;
    b->user_owner = b->user_version = 0;
    b->fixed_time = b->tells_changes = b->tells_transaction = b->patient = false;
    b->role       = b->role == ROLE_NONE ? ROLE_NONE : ROLE_UNKNOWN;
    backend_forget_statements(b);
    command_encode(backend_out(b), COM_RESET_CONNECTION);
    if (s->schema == NULL) {
        backend_expect(b, &leg->x, &step_ops, RESULT_SIMPLE);
        backend_flush(b);
        return true;
    }
    /* The server keeps the schema, and forgets its character set: it is chosen again. */
    backend_expect(b, &leg->time, &leg_along_ops, RESULT_SIMPLE);
    backend_set_schema(b, span_of(s->schema));
    say(leg, COM_INIT_DB, span_of(s->schema));
    return true;
}

/* Inside an XA branch a server refuses SET autocommit. What the backend has of it is from
 * before the transaction, and still right. */
static bool
is_for_later(const struct leg *leg, struct span text)
{
    const struct held *h = session_held(leg->q->s, leg->shard_id);

    return h != NULL && h->role == HELD_XA && vars_mentions(text, "autocommit");
}

static bool
step_vars(struct leg *leg)
{
    struct backend *b = leg->backend;
    struct session *s = leg->q->s;
    struct span     text;

    if (b->vars_hash == s->vars.hash)
        return false;
    if (leg->sub_step == 0)
        leg->sub_step = vars_prefix(&s->vars, b->vars_hash);
    do {
        text = vars_nth(&s->vars, leg->sub_step++);
        leg->vars_skipped |= is_for_later(leg, text);
    } while (is_for_later(leg, text));
    if (text.ptr == NULL) {
        b->vars_hash = leg->vars_skipped ? 1 : s->vars.hash;
        return false;
    }
    b->vars_hash = 1; /* until all are said: of no session */
    say(leg, COM_QUERY, text);
    return true;
}

static bool
step_user_vars(struct leg *leg)
{
    struct backend        *b    = leg->backend;
    const struct uservars *v    = &leg->q->s->uservars;
    struct buf             text = { 0 };

    if (v->owner == 0 || !sees_variables(leg) || b->user_version == v->version)
        return false;
    uservars_say(v, b->user_owner == 0 ? 0 : b->user_version, &text);
    b->user_owner   = v->owner;
    b->user_version = v->version;
    bool speaks = buf_len(&text) != 0;
    if (speaks)
        say(leg, COM_QUERY, buf_unread(&text));
    buf_fini(&text);
    return speaks;
}

static bool
step_schema(struct leg *leg)
{
    struct backend *b = leg->backend;
    struct session *s = leg->q->s;

    if (s->schema == NULL || (b->schema != NULL && strcmp(b->schema, s->schema) == 0))
        return false;
    backend_set_schema(b, span_of(s->schema));
    say(leg, COM_INIT_DB, span_of(s->schema));
    return true;
}

static bool
step_insert_id(struct leg *leg)
{
    struct session *s = leg->q->s;
    char            text[64];

    /* What RETURNING hides is asked for afterwards, and may not be another session's. */
    bool wanted = query_reads_insert_id(leg->q) ||
                  (leg->q->plan != NULL && (leg->q->plan->plan.runs_code ||
                                            leg->q->plan->plan.asks_insert_id));
    if (!wanted)
        return false;
    snprintf(text, sizeof(text), "SET last_insert_id = %llu",
             (unsigned long long)s->last_insert_id);
    say(leg, COM_QUERY, span_of(text));
    return true;
}

/* The first shard is the commit point and runs a plain transaction. */
static struct held *
commit_point(struct session *s)
{
    for (uint32_t i = 0; i < s->n_held; i++)
        if (s->held[i].role == HELD_PLAIN)
            return &s->held[i];
    return NULL;
}

static bool
step_begin(struct leg *leg)
{
    struct session *s     = leg->q->s;
    struct backend *b     = leg->backend;
    struct held    *first = commit_point(s);
    struct held    *h     = session_held(s, leg->shard_id);
    struct sql_error why;

    if (leg->is_engine || !s->in_txn || (h != NULL && h->role != HELD_PIN))
        return false;
    if (!park_may_join(leg->q, leg->shard, &why)) {
        step_failed(leg, &why);
        return true;
    }
    leg->joins     = true;
    b->next_is_set = false; /* it is this one */
    if (first == NULL)
        s->txn_generation = leg->q->routes->routes->generation;
    if (h == NULL)
        h = leg_hold(leg, HELD_PLAIN);
    if (h->of != h->shard_id && leg->q->consistency > s->on_replicas)
        s->on_replicas = (uint8_t)leg->q->consistency;
    /* Without a common end each shard commits for itself, and that is all a plain one does. */
    if (first == NULL || s->read_only || session_commit(s) != COMMIT_ATOMIC) {
        h->role = HELD_PLAIN;
        session_joined(s);
        if (s->begin == NULL)
            return false;
        if (s->implicit) { /* the others say XA START and wait, too */
            say(leg, COM_QUERY, span_of(s->begin));
            return true;
        }
        command_text_encode(backend_out(b), COM_QUERY, span_of(s->begin));
        backend_expect(b, &leg->begin, &leg_along_ops, RESULT_QUERY);
        return false; /* it travels with what follows */
    }
    if (s->gtrid[0] == 0) {
        /* session_hold() may have moved `first`: its index is what counts. */
        for (uint32_t i = 0; i < s->n_held; i++)
            if (s->held[i].role == HELD_PLAIN && s->held[i].shard_id != leg->shard_id) {
                struct held tmp = s->held[0];
                s->held[0]      = s->held[i];
                s->held[i]      = tmp;
                break;
            }
        txn_name(s);
        h = session_held(s, leg->shard_id);
    }
    h->role = HELD_XA;
    session_joined(s);
    char text[XA_TEXT];
    txn_xa_text(s, "START", leg->shard_id, "", text);
    say(leg, COM_QUERY, span_of(text));
    return true;
}

static bool
step_next_transaction(struct leg *leg)
{
    struct span text = set_next_for(leg);

    if (text.len != 0)
        say(leg, COM_QUERY, text);
    return text.len != 0;
}

/* A shard that joins late knows nothing of earlier savepoints: rolling back to
 * one of them undoes all it did, so they are made at its start. */
static bool
step_savepoints(struct leg *leg)
{
    struct savepoint *at = leg->q->s->savepoints;
    struct buf        text = { 0 };

    if (!leg->joins)
        return false;
    for (uint32_t i = 0; i < leg->sub_step && at != NULL; i++)
        at = at->next;
    leg->sub_step++;
    if (at == NULL)
        return false;
    buf_append_text(&text, "SAVEPOINT ");
    literal_identifier(&text, (struct span){ at->name, at->len });
    say(leg, COM_QUERY, buf_unread(&text));
    buf_fini(&text);
    return true;
}

/* A statement that fails on one of several shards must be undone on the others. */
static bool
step_statement_savepoint(struct leg *leg)
{
    const struct query_run *q = leg->q;
    bool may_be_undone = !leg->is_engine && (q->n_legs > 1 || q->loading != NULL);

    if (!may_be_undone || !q->plan->plan.is_write || !q->s->in_txn || q->s->implicit)
        return false;
    say(leg, COM_QUERY, SPAN("SAVEPOINT `shardd statement`"));
    return true;
}

static bool
do_step(struct leg *leg)
{
    switch (leg->step) {
    case STEP_RESET:               return step_reset(leg);
    case STEP_FILL:                return leg->fill != NULL && (leg->fill(leg), true);
    case STEP_ALONG:               return leg_tell_along(leg), false;
    case STEP_VARS:                return step_vars(leg);
    case STEP_USER_VARS:           return step_user_vars(leg);
    case STEP_SCHEMA:              return step_schema(leg);
    case STEP_CHANGES:             return leg_tell_changes(leg), false;
    case STEP_INSERT_ID:           return step_insert_id(leg);
    case STEP_NEXT_TRANSACTION:    return step_next_transaction(leg);
    case STEP_BEGIN:               return step_begin(leg);
    case STEP_SAVEPOINTS:          return step_savepoints(leg);
    case STEP_STATEMENT_SAVEPOINT: return step_statement_savepoint(leg);
    case STEP_LOOKUP:              return lookup_arm(leg);
    case STEP_READY:               return false;
    }
    __builtin_unreachable();
}

/* Steps that may have to speak more than once stay until they have no more to say. */
static bool
repeats(enum leg_step step)
{
    return step == STEP_VARS || step == STEP_SAVEPOINTS;
}

void
leg_go_on(struct leg *leg)
{
    while (leg->step != STEP_READY) {
        enum leg_step step  = leg->step;
        bool          spoke = do_step(leg);

        if (!spoke || !repeats(step)) {
            leg->step     = step + 1;
            leg->sub_step = 0;
        }
        if (spoke)
            return;
    }
    leg->state = LEG_RUNNING;
    (leg->ready != NULL ? leg->ready : leg->q->leg_ready)(leg);
}

static void
synchronise(struct leg *leg, struct backend *b)
{
    leg->backend  = b;
    leg->state    = LEG_SYNC;
    leg->step     = STEP_RESET;
    leg->sub_step = 0;
    leg_go_on(leg);
}

static void
got_backend(struct pool_waiter *w, struct backend *b, const struct sql_error *why)
{
    struct leg *leg = container_of(w, struct leg, waiter);

    if (b == NULL)
        leg_over(leg, why);
    else if (w->shared)
        query_share(leg, b);
    else
        synchronise(leg, b);
}

void
leg_start(struct leg *leg)
{
    struct session    *s = leg->q->s;
    const struct held *h = session_held(s, leg->shard_id);

    if (h != NULL && h->backend == NULL) { /* lost since the statement began */
        txn_explain_loss(s, leg->shard_id, &leg->error);
        leg_over(leg, &leg->error);
        return;
    }
    if (h != NULL) {
        synchronise(leg, h->backend);
        return;
    }
    leg->state            = LEG_WAITING;
    leg->waiter.ready     = got_backend;
    leg->waiter.vars_hash = s->vars.hash;
    leg->waiter.schema    = span_of(s->schema);
    leg->waiter.sees_user  = sees_variables(leg);
    leg->waiter.user_owner = s->uservars.owner;

    leg->key = (struct statement_key){ leg_text(leg), span_of(s->schema), s->vars.hash };
    leg->waiter.prepared = leg->q->command == QUERY_EXECUTE ? &leg->key : NULL;

    struct backend *b = pool_acquire(session_pool(s, leg->shard_id), &leg->waiter);
    if (b != NULL)
        got_backend(&leg->waiter, b, NULL);
}
