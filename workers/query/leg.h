/* leg.h - a statement's way to one shard (see query.h for the states). */
#ifndef WORKERS_QUERY_LEG_H
#define WORKERS_QUERY_LEG_H

#include "workers/query/query.h"

/* Make q->legs for these shards, in ascending order. */
void legs_make(struct query_run *q, const struct shard_set *shards);

/* Acquire a backend, bring it to the session's state, join the transaction if
 * one is open; then q->leg_ready(leg). Failure is leg_over() with an error, later and
 * never from inside. The session must not be broken (session_broken()). */
void leg_start(struct leg *leg);

/* Make *leg a way to engine `engine` (an index in the routes) beside q->legs. Its backend gets
 * the session's settings, variables and schema, and has no part in the transaction; nothing
 * holds it beyond leg_over(). leg_start() ends in `ready` instead of q->leg_ready, leg_over()
 * in `over` instead of being counted: leg->ok and leg->error say how it was. With `fill` set
 * leg->backend is still the leg's in over(), and the caller's to release. */
static inline void
leg_to_engine(struct leg *leg, struct query_run *q, uint32_t engine,
              void (*ready)(struct leg *leg), void (*over)(struct leg *leg))
{
    *leg = (struct leg){
        .q         = q,
        .shard     = ROUTES_NONE,
        .shard_id  = q->routes->routes->engines[engine].id,
        .is_engine = true,
        .ready     = ready,
        .over      = over,
    };
}

/* leg->fill() has done what it wanted on the connection. Its session settings are the login's
 * but for what the leg says from here on: leg->backend->vars_hash is 1. */
void leg_go_on(struct leg *leg);

/* session_hold() of leg->backend. */
static inline struct held *
leg_hold(struct leg *leg, enum held_role role)
{
    struct held *h = session_hold(leg->q->s, leg->shard_id, leg->backend, role);

    if (leg->shard != ROUTES_NONE)
        h->of = leg->q->routes->routes->shards[leg->shard].id;
    return h;
}

/* The leg's answer is complete (error NULL) or it failed. The backend goes
 * where it belongs; when all legs are over, q->all_over(q). */
void leg_over(struct leg *leg, const struct sql_error *error);

/* For exchanges of which nothing else has to be told: the backend is gone, and with it the leg. */
void leg_lost(struct exchange *x, struct backend *b, const struct sql_error *why);

/* Send the statement for this leg: its own text or the query's, as COM_QUERY or
 * as prepared execution, answers to leg->x with `ops`; q->leg_sent(leg) when it is on its
 * way, which is later where it has to be prepared first. When that fails the leg is over. */
void leg_send(struct leg *leg, const struct exchange_ops *ops);

/* lookup.c: the last step before the statement; it has nothing to wait for. */
bool lookup_arm(struct leg *leg);

/* --- leg_along.c: said before the statement, and not waited for --- */

/* For such exchanges: a refusal closes the connection. */
extern const struct exchange_ops leg_along_ops;

/* The moment that NOW() is, the role, how long it waits for others. */
void leg_tell_along(struct leg *leg);

/* Whether answers are to say that code has SET something. */
void leg_tell_changes(struct leg *leg);

/* --- leg_time.c --- */

/* The statement goes to leg->backend, and its answer is complete: what the shard's load is
 * measured by. */
void leg_time_begin(struct leg *leg);
void leg_time_end(struct leg *leg);

/* --- leg_execute.c --- */

void leg_execute(struct leg *leg);

/* The server refused to prepare with this error: true when room was made there and it may be
 * asked once more. */
bool leg_may_prepare_again(struct leg *leg, uint16_t error) must_check;

/* QUERY_PREPARE was answered: what the server has prepared is kept for executions. */
void leg_keep_prepared(struct leg *leg);

/* A text whose parameters are SQL, as one statement. */
void leg_named_text(struct buf *out, struct span text, const struct param_value *params,
                    uint32_t n);

/* leg_send() of a QUERY_NAMED. */
void leg_send_named(struct leg *leg, const struct exchange_ops *ops);

/* For exchanges whose answer is only success or failure. */
void leg_read_outcome(struct leg *leg, const struct result_reader *r);

/* What its answer says of indexes is for the client, see query_run. */
void leg_read_index_use(struct leg *leg);

static inline struct span
leg_text(const struct leg *leg)
{
    return buf_len(&leg->text) != 0 ? buf_unread(&leg->text) : leg->q->text;
}

#endif
