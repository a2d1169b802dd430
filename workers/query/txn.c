/* txn.c - see txn.h.
 *
 * Every phase says something on some of the session's held backends and waits
 * for all answers. What is lost or refused, by phase:
 *
 *   PREPARE       everything rolls back, also when what is lost was not being
 *                 talked to: its COMMIT has not been sent
 *   COMMIT_POINT  lost: nobody here knows; the branches are the resolver's and the
 *                 client hears so. Refused: ASK
 *   ASK           an abort row in the place of the decision: written, everything
 *                 rolls back; the decision is there, everything commits
 *   FINISH        a prepared branch is the resolver's, which finds the decision
 *
 * The decision row is said while the branches prepare: it is in the first shard's
 * transaction, so it counts only once that commits, and COMMIT is not sent before all
 * are prepared. A commit so waits three times for disks, where on one shard it waits
 * once, and for no other round trip. Who asks about the decision meanwhile (the resolver)
 * waits for the row's lock and learns that it is not known yet.
 *
 * A branch that has written always ends by PREPARE and a decision, also the only one:
 * XA COMMIT ... ONE PHASE lasts no longer than the server. Killed after its OK it comes
 * back with the branch prepared, and then nobody knew that it is committed (found on
 * 10.11 with a binary log). Without such a branch COMMIT on the first is the decision, and
 * those who only read follow: what they have locked stays so until the change can be seen.
 */
#include "workers/query/txn.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "workers/query/diagnostics.h"
#include "workers/query/gate.h"

enum {
    ERR_TXN_LOST  = 1927, /* ER_CONNECTION_KILLED */
    ERR_IN_DOUBT  = 1105, /* ER_UNKNOWN_ERROR */
    ERR_DEADLOCK  = 1213, /* ER_LOCK_DEADLOCK */
    ERR_DUPLICATE = 1062, /* ER_DUP_ENTRY */
    SAYS_PER_TURN = 5,
};

enum phase {
    PHASE_PREPARE,
    PHASE_GATE,
    PHASE_COMMIT_POINT,
    PHASE_ASK,
    PHASE_FINISH,
    PHASE_ROLLBACK,
    PHASE_WARNINGS, /* why it was not rolled back entirely */
};

struct commit;

/* One command on one backend. */
struct said {
    struct exchange x;
    struct commit  *commit;
    uint32_t        held; /* index in session.held */
};

struct commit {
    struct query_run    *q;
    txn_ended       *ended;
    enum phase       phase;
    uint32_t         n_open;   /* commands without an answer */
    uint32_t         n_said;   /* in `said` */
    bool             starting; /* answers do not move the phase on yet */
    bool             failed, in_doubt, prepared;
    bool             left_over; /* a branch is for the resolver */
    bool             committed; /* ASK has found the decision */
    uint32_t         doubtful; /* in_doubt: a shard's id */
    uint32_t         warned;   /* whose ROLLBACK had warnings: 1 + the first one's index */
    uint64_t         started_us;
    struct sql_error error;
    struct gate_passage passage;
    struct said      said[];
};

static void advance(struct commit *c);

static void
fail(struct commit *c, const struct sql_error *why)
{
    if (!c->failed)
        c->error = *why;
    txn_translate(c->q, &c->error);
    c->failed = true;
}

static void
answered(struct commit *c)
{
    if (--c->n_open == 0 && !c->starting)
        advance(c);
}

static bool
is_writer(const struct held *h)
{
    return h->role == HELD_XA && h->wrote;
}

/* After the decision a branch's refusal changes nothing, and before it a
 * rollback's does not. */
static bool
matters(const struct commit *c)
{
    return c->phase <= PHASE_COMMIT_POINT;
}

static void
doubt(struct commit *c, uint32_t held)
{
    c->in_doubt = true;
    c->doubtful = c->q->s->held[held].shard_id;
}

static bool
is_last_word(const struct commit *c, const struct said *said)
{
    return said + 1 == &c->said[c->n_said] || said[1].held != said->held;
}

/* In PREPARE: what is said on the first shard, which has no branch. */
static bool
is_decision(const struct said *said)
{
    return said->commit->q->s->held[said->held].role == HELD_PLAIN;
}

/* What was refused is not for others: it may still have our role, or a branch that is
 * the resolver's once nobody owns it. */
static bool
must_close(const struct commit *c, const struct said *said)
{
    if (c->phase == PHASE_COMMIT_POINT || (c->phase == PHASE_PREPARE && !is_decision(said)))
        return false; /* more will be said on it */
    return is_last_word(c, said);
}

/* The resolver was faster: it takes a commit that does not go on for a dead one's. */
static void
explain_refusal(const struct commit *c, const struct said *said, struct sql_error *why)
{
    if (c->phase == PHASE_PREPARE && is_decision(said) && why->code == ERR_DUPLICATE)
        sql_error_set(why, ERR_DEADLOCK, "shardd: the COMMIT took so long that the transaction "
                      "was rolled back on all shards; start it again");
}

static void
on_refusal(struct commit *c, struct said *said, struct backend *b, struct sql_error *why)
{
    explain_refusal(c, said, why);
    if (c->phase == PHASE_ASK && why->code == ERR_DUPLICATE)
        c->committed = true;
    else if (c->phase == PHASE_ASK)
        doubt(c, said->held);
    c->left_over |= c->phase == PHASE_FINISH;
    if (matters(c))
        fail(c, why);
    if (must_close(c, said))
        backend_close(b, why);
}

static void
on_answer(struct exchange *x, struct backend *b, struct span bytes, bool last)
{
    struct said     *said = container_of(x, struct said, x);
    struct commit   *c    = said->commit;
    struct sql_error why;

    (void)bytes;
    if (!last)
        return;
    if (result_error(&x->reader, &why))
        on_refusal(c, said, b, &why);
    else if (c->phase == PHASE_ROLLBACK && x->reader.warnings != 0 && c->warned == 0) {
        c->warned      = said->held + 1;
        c->q->warnings = x->reader.warnings;
    }
    answered(c);
}

static void
on_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    struct said       *said = container_of(x, struct said, x);
    struct commit     *c    = said->commit;
    const struct held *h    = &c->q->s->held[said->held];

    (void)b;
    if (c->phase == PHASE_ASK || (c->phase == PHASE_COMMIT_POINT && (c->prepared || h->wrote)))
        doubt(c, said->held);
    c->left_over |= c->phase == PHASE_FINISH;
    if (matters(c))
        fail(c, why);
    answered(c);
}

static void
on_warning(struct exchange *x, struct backend *b, const struct result_message *m, bool last)
{
    struct said *said = container_of(x, struct said, x);

    (void)b;
    if (m->kind == RESULT_IS_ROW)
        diagnostics_copy(said->commit->q->s, m->message.payload);
    if (last)
        answered(said->commit);
}

static const struct exchange_ops said_ops    = { .on_bytes = on_answer, .on_lost = on_lost };
static const struct exchange_ops warning_ops = { .on_message = on_warning, .on_lost = on_lost };

static void
say(struct commit *c, uint32_t held, const char *text)
{
    struct held *h = &c->q->s->held[held];
    struct said *said;

    if (h->backend == NULL)
        return;
    said  = &c->said[c->n_said++];
    *said = (struct said){ .commit = c, .held = held };
    c->n_open++;
    backend_send(h->backend, COM_QUERY, span_of(text), &said->x,
                 c->phase == PHASE_WARNINGS ? &warning_ops : &said_ops);
}

static void
no_role(struct commit *c, uint32_t held)
{
    struct backend *b = c->q->s->held[held].backend;

    if (b != NULL)
        b->role = ROLE_NONE;
    say(c, held, "SET ROLE NONE");
}

static void
say_xa(struct commit *c, uint32_t held, const char *verb, const char *suffix)
{
    const struct session *s = c->q->s;
    char                  text[XA_TEXT];

    txn_xa_text(s, verb, s->held[held].shard_id, suffix, text);
    say(c, held, text);
}

/* --- phases -------------------------------------------------------------- */

static bool
any_lost(const struct session *s)
{
    for (uint32_t i = 0; i < s->n_held; i++)
        if (s->held[i].role != HELD_PIN && s->held[i].backend == NULL)
            return true;
    return s->doomed;
}

/* The branches promise to be able to commit, and the first shard gets the row that will
 * say that they do. The right to write it comes with a role, so that nobody sees our schema
 * between their own. */
static void
prepare(struct commit *c)
{
    const struct session *s = c->q->s;
    char                  decide[XA_TEXT];

    txn_call_text(s, "decide", decide);
    for (uint32_t i = 0; i < s->n_held; i++)
        if (is_writer(&s->held[i])) {
            say_xa(c, i, "END", "");
            say_xa(c, i, "PREPARE", "");
        } else if (s->held[i].role == HELD_PLAIN) {
            say(c, i, "SET ROLE " ROLE_OURS_NAME);
            say(c, i, decide);
            no_role(c, i);
        }
    gate_prepare(c->q->ctx->gate, &c->passage, s->gtrid);
    c->prepared = true;
}

/* Those that have written, or hold the decision; the others wait for FINISH. */
static void
commit_point(struct commit *c)
{
    const struct session *s = c->q->s;

    for (uint32_t i = 0; i < s->n_held; i++)
        if (s->held[i].role == HELD_PLAIN && (c->prepared || s->held[i].wrote))
            say(c, i, "COMMIT AND NO CHAIN NO RELEASE"); /* whatever completion_type says */
}

/* In the place of the decision. What nobody has prepared is no longer open there. */
static void
ask(struct commit *c)
{
    const struct session *s = c->q->s;
    char                  text[XA_TEXT];

    txn_call_text(s, "abort", text);
    for (uint32_t i = 0; i < s->n_held; i++)
        if (s->held[i].role == HELD_PLAIN) {
            say(c, i, "ROLLBACK AND NO CHAIN NO RELEASE");
            say(c, i, "SET ROLE " ROLE_OURS_NAME);
            say(c, i, text);
            say(c, i, "COMMIT AND NO CHAIN NO RELEASE");
            no_role(c, i);
        }
}

/* Branches that only read end in one phase: a prepared branch that wrote
 * nothing is not one a server remembers. */
static void
finish(struct commit *c)
{
    const struct session *s = c->q->s;

    for (uint32_t i = 0; i < s->n_held; i++) {
        const struct held *h = &s->held[i];

        if (h->role == HELD_PLAIN && !c->prepared && !h->wrote)
            say(c, i, "COMMIT AND NO CHAIN NO RELEASE");
        if (h->role != HELD_XA)
            continue;
        if (is_writer(h)) {
            say_xa(c, i, "COMMIT", "");
        } else {
            say_xa(c, i, "END", "");
            say_xa(c, i, "COMMIT", " ONE PHASE");
        }
    }
}

static void
roll_back(struct commit *c)
{
    const struct session *s = c->q->s;

    for (uint32_t i = 0; i < s->n_held; i++) {
        if (s->held[i].role == HELD_PLAIN)
            say(c, i, "ROLLBACK AND NO CHAIN NO RELEASE");
        if (s->held[i].role == HELD_XA) {
            /* END is refused when the branch is prepared already, or was rolled
             * back by a deadlock; ROLLBACK is right in either case. */
            say_xa(c, i, "END", "");
            say_xa(c, i, "ROLLBACK", "");
        }
    }
}

static void
ask_warnings(struct commit *c)
{
    say(c, c->warned - 1, "SHOW WARNINGS");
}

static void
count(const struct commit *c, uint32_t n_shards)
{
    struct slot *slot = c->q->ctx->slot;
    bool         ok   = !c->failed && c->phase < PHASE_ROLLBACK;
    uint64_t     us   = ring_now_us(c->q->ctx->ring) - c->started_us;

    if (ok && c->prepared && us > c->passage.held_us)
        histogram_record(&slot->latency[LATENCY_COMMIT], (us - c->passage.held_us) * 1000);
    if (n_shards > 1)
        slot_count(slot, ok ? COUNTER_TXN_MULTI_COMMIT : COUNTER_TXN_MULTI_ABORT);
    else if (n_shards == 1)
        slot_count(slot, ok ? COUNTER_TXN_SINGLE_COMMIT : COUNTER_TXN_SINGLE_ABORT);
    if (c->in_doubt)
        slot_count(slot, COUNTER_TXN_MULTI_IN_DOUBT);
}

static void
over(struct commit *c)
{
    struct query_run    *q      = c->q;
    txn_ended       *ended  = c->ended;
    bool             failed = c->failed;
    struct sql_error error  = c->error;
    bool             implicit = q->s->implicit;

    count(c, q->s->n_held);
    if (c->in_doubt || c->left_over)
        gate_doubt(q->ctx->gate);
    gate_leave(q->ctx->gate, &c->passage);
    if (c->in_doubt) {
        sql_error_set(&error, ERR_IN_DOUBT, "shardd: %s was lost while it committed; the "
                      "transaction is being resolved: read before you try again",
                      backend_name(q->ctx, c->doubtful));
        session_abort(q->s); /* prepared branches outlive their connections */
    } else
        session_end_txn(q->s);
    if (!implicit) { /* else query_done() knows whether the statement used it */
        free(q->s->next_transaction);
        q->s->next_transaction = NULL;
    }
    free(c);
    q->committing = NULL;
    ended(q, failed ? &error : NULL);
}

static void
enter(struct commit *c, enum phase phase, void (*speak)(struct commit *))
{
    static const uint8_t told[] = {
        [PHASE_PREPARE] = CLIENT_PHASE_PREPARE, [PHASE_GATE] = CLIENT_PHASE_HELD,
        [PHASE_COMMIT_POINT] = CLIENT_PHASE_COMMIT,
        [PHASE_FINISH] = CLIENT_PHASE_FINISH, [PHASE_ROLLBACK] = CLIENT_PHASE_ROLLBACK,
        [PHASE_WARNINGS] = CLIENT_PHASE_ROLLBACK,
    };
    const struct session *s = c->q->s;

    if (s->published)
        client_set_phase(s->ctx->slot, s->row, (enum client_phase)told[phase]);
    c->phase    = phase;
    c->n_said   = 0;
    c->starting = true;
    speak(c);
    c->starting = false;
    if (c->n_open == 0)
        advance(c);
}

/* Before the decision nothing may be missing, also not what nobody was talking to,
 * and somebody must have been talked to. */
static void
fail_lost(struct commit *c)
{
    struct sql_error why;

    bool said_nothing = c->n_said == 0 && c->phase != PHASE_GATE;

    if (c->failed || !(said_nothing || any_lost(c->q->s)))
        return;
    sql_error_set(&why, ERR_TXN_LOST, "shardd: a connection of the transaction was lost; "
                  "it is rolled back: start it again");
    fail(c, &why);
}

/* From here to the end no snapshot of several shards opens, or all of them before. */
static void
passed_gate(struct gate_passage *p)
{
    advance(container_of(p, struct commit, passage));
}

static void
pass_gate(struct commit *c)
{
    c->phase          = PHASE_GATE;
    c->passage.opened = passed_gate;
    if (gate_enter(c->q->ctx->gate, &c->passage))
        advance(c);
    else
        client_set_phase(c->q->ctx->slot, c->q->s->row, CLIENT_PHASE_HELD);
}

static void
after_commit_point(struct commit *c)
{
    if (c->in_doubt && c->prepared) {
        over(c);
    } else if (c->failed && c->prepared) {
        enter(c, PHASE_ASK, ask);
    } else if (c->failed) {
        enter(c, PHASE_ROLLBACK, roll_back);
    } else {
        enter(c, PHASE_FINISH, finish);
    }
}

static void
after_ask(struct commit *c)
{
    if (c->n_said == 0)
        doubt(c, 0);
    if (c->in_doubt) {
        over(c);
        return;
    }
    c->failed = !c->committed;
    if (c->failed)
        enter(c, PHASE_ROLLBACK, roll_back);
    else
        enter(c, PHASE_FINISH, finish);
}

static void
advance(struct commit *c)
{
    if (c->phase <= PHASE_GATE)
        fail_lost(c);
    switch (c->phase) {
    case PHASE_PREPARE:
        if (c->failed)
            enter(c, PHASE_ROLLBACK, roll_back);
        else
            pass_gate(c);
        return;
    case PHASE_GATE:
        if (c->failed)
            enter(c, PHASE_ROLLBACK, roll_back);
        else
            enter(c, PHASE_COMMIT_POINT, commit_point);
        return;
    case PHASE_COMMIT_POINT:
        after_commit_point(c);
        return;
    case PHASE_ASK:
        after_ask(c);
        return;
    case PHASE_ROLLBACK:
        if (c->warned != 0)
            enter(c, PHASE_WARNINGS, ask_warnings);
        else
            over(c);
        return;
    case PHASE_FINISH: case PHASE_WARNINGS:
        over(c);
        return;
    }
}

static struct commit *
commit_new(struct query_run *q, txn_ended *ended)
{
    struct commit *c =
        mem_alloc(sizeof(*c) + SAYS_PER_TURN * (q->s->n_held + 1) * sizeof(struct said));

    c->q          = q;
    c->ended      = ended;
    c->started_us = ring_now_us(q->ctx->ring);
    q->committing = c;
    return c;
}

void
txn_commit(struct query_run *q, txn_ended *ended)
{
    const struct session *s        = q->s;
    struct commit        *c        = commit_new(q, ended);
    bool                  branches = false;
    uint32_t              writers  = 0;

    for (uint32_t i = 0; i < s->n_held; i++) {
        branches |= is_writer(&s->held[i]);
        writers  += s->held[i].role != HELD_PIN && s->held[i].wrote;
    }
    if (any_lost(s))
        fail_lost(c);
    if (c->failed)
        enter(c, PHASE_ROLLBACK, roll_back);
    else if (branches)
        enter(c, PHASE_PREPARE, prepare);
    else if (writers > 1)
        pass_gate(c);
    else
        enter(c, PHASE_COMMIT_POINT, commit_point);
}

void
txn_rollback(struct query_run *q, txn_ended *ended)
{
    enter(commit_new(q, ended), PHASE_ROLLBACK, roll_back);
}

bool
txn_outlives(struct query_run *q, txn_ended *ended)
{
    struct commit *c = q->committing;

    if (c == NULL || !c->prepared)
        return false;
    c->ended = ended;
    return true;
}

void
txn_abandon(struct query_run *q)
{
    /* The answers still come, or the backends close: neither may find us. */
    struct commit *c = q->committing;

    if (c == NULL)
        return;
    for (uint32_t i = 0; i < c->n_said; i++)
        if (c->said[i].x.armed) {
            list_remove(&c->said[i].x.node);
            c->said[i].x.armed = false;
        }
    if (c->passage.inside)
        gate_doubt(q->ctx->gate);
    gate_leave(q->ctx->gate, &c->passage);
    free(c);
    q->committing = NULL;
}
