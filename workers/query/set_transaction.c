/* set_transaction.c - see set_transaction.h. */
#include "workers/query/set_transaction.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "workers/query/leg.h"

enum {
    ERR_PARSE          = 1064, /* ER_PARSE_ERROR */
    ERR_NO_SUCH_TABLE  = 1146, /* ER_NO_SUCH_TABLE */
    ERR_IN_TRANSACTION = 1568,
    ERR_READ_ONLY      = 1792, /* ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION: did not begin */
};

static void
say_next(struct session *s)
{
    struct buf text = { 0 };

    buf_append_text(&text, "SET TRANSACTION ");
    if (s->next_level[0] != 0)
        buf_printf(&text, "ISOLATION LEVEL %s%s", s->next_level, s->next_access[0] ? ", " : "");
    buf_append_text(&text, s->next_access);
    free(s->next_transaction);
    s->next_transaction = NULL;
    if (s->next_level[0] != 0 || s->next_access[0] != 0)
        s->next_transaction = mem_strdup(buf_cstr(&text));
    buf_fini(&text);
}

/* Level and access mode are set one by one and hold together. */
static void
note_next(struct session *s, const struct set_spec *spec)
{
    if (s->next_transaction == NULL)
        s->next_level[0] = s->next_access[0] = 0;
    for (uint32_t i = 0; i < spec->n; i++) {
        const struct setting *item  = &spec->items[i];
        struct span           words = item->value.n == 1 ? item->value.pieces[0].text
                                                         : (struct span){ 0 };
        bool level = span_equal(item->name, SPAN("isolation level"));
        snprintf(level ? s->next_level : s->next_access,
                 level ? sizeof(s->next_level) : sizeof(s->next_access), "%.*s",
                 (int)words.len, words.ptr);
    }
    say_next(s);
}

static bool
is_one_of(struct span name, const char *const *names)
{
    for (; *names != NULL; names++)
        if (span_equal(name, span_of(*names)))
            return true;
    return false;
}

void
set_overrides_next(struct session *s, const struct set_spec *spec)
{
    static const char *const level[]  = { "isolation level", "tx_isolation",
                                          "transaction_isolation", NULL };
    static const char *const access[] = { "access mode", "tx_read_only", "transaction_read_only",
                                          NULL };

    if (s->next_transaction == NULL || s->in_txn)
        return;
    for (uint32_t i = 0; i < spec->n; i++) {
        if (is_one_of(spec->items[i].name, level))
            s->next_level[0] = 0;
        if (is_one_of(spec->items[i].name, access))
            s->next_access[0] = 0;
    }
    say_next(s);
}

bool
set_next_transaction(struct query_run *q)
{
    const struct set_spec *spec = q->plan->plan.set;
    struct session        *s    = q->s;

    if (spec->n == 0 || spec->items[0].scope != SCOPE_ONCE)
        return false;
    if (s->in_txn) {
        query_refuse(q, ERR_IN_TRANSACTION, "Transaction characteristics can't be changed while "
                     "a transaction is in progress");
        return true;
    }
    note_next(s, spec);
    query_ok(q, 0, 0, 0, (struct span){ 0 });
    return true;
}

struct span
set_next_for(struct leg *leg)
{
    struct session    *s = leg->q->s;
    struct backend    *b = leg->backend;
    const struct held *h = session_held(s, leg->shard_id);

    if (leg->is_engine || (h != NULL && h->role != HELD_PIN))
        return (struct span){ 0 };
    if (s->next_transaction != NULL) {
        b->next_is_set = true;
        return span_of(s->next_transaction);
    }
    /* What was SET behind its beginning is for transactions after it. */
    if (s->in_txn && !s->implicit && session_is_read_only(s) != s->read_only) {
        b->next_is_set = true;
        return span_of(s->read_only ? "SET TRANSACTION READ ONLY" : "SET TRANSACTION READ WRITE");
    }
    if (!b->next_is_set)
        return (struct span){ 0 };
    /* The transaction that it was for was another shard's. */
    b->next_is_set = false;
    return SPAN("SET SESSION tx_isolation = @@SESSION.tx_isolation, "
                "SESSION tx_read_only = @@SESSION.tx_read_only");
}

/* A statement without tables, or with one that is not there, leaves SET TRANSACTION for the next
 * one, and so do savepoints. */
static bool
is_used(const struct query_run *q)
{
    const struct plan *plan = q->plan != NULL ? &q->plan->plan : NULL;

    uint16_t code = q->error.code != 0 || q->n_legs == 0 ? q->error.code
                                                         : q->legs[0].x.reader.error;

    if (plan == NULL || q->command == QUERY_PREPARE ||
        (plan->kind == PLAN_SET && plan->keeps_diagnostics) || /* no subquery */
        code == ERR_READ_ONLY || code == ERR_PARSE ||
        (code == ERR_NO_SUCH_TABLE && !plan->implicit_commit)) /* which comes first */
        return false;
    if (plan->kind == PLAN_TXN)
        return plan->txn->verb == TXN_COMMIT || plan->txn->verb == TXN_ROLLBACK;
    return !plan->begins_nothing;
}

void
set_next_over(struct query_run *q)
{
    struct session *s = q->s;

    if (s->in_txn || q->knows_next || !is_used(q))
        return;
    free(s->next_transaction);
    s->next_transaction = NULL;
}

/* ---- what a routine says ---- */

bool
set_next_by_code(const struct leg *leg)
{
    const struct query_run *q = leg->q;

    return q->plan != NULL && q->plan->plan.runs_block && !leg->is_engine &&
           q->command != QUERY_PREPARE;
}

/* What stands between the words and the next ';'. */
static struct span
behind(struct span text, struct span words)
{
    const uint8_t *at = memmem(text.ptr, text.len, words.ptr, words.len);

    if (at == NULL)
        return (struct span){ 0 };
    struct span    rest = span_from(text, (size_t)(at - text.ptr) + words.len);
    const uint8_t *end  = memchr(rest.ptr, ';', rest.len);
    rest.len            = end == NULL ? rest.len : (size_t)(end - rest.ptr);
    return rest;
}

/* "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; START TRANSACTION READ ONLY;". What an open
 * transaction has is what it has on the shards that it comes to. */
void
set_next_heard(struct leg *leg)
{
    struct query_run *q = leg->q;
    struct session   *s = q->s;

    if (leg->backend == NULL || !leg->backend->tells_transaction)
        return;
    q->knows_next = true;
    if (!q->told_next)
        return;
    struct span text  = q->next_words;
    struct span level = behind(text, SPAN("ISOLATION LEVEL "));
    const char *access =
        memmem(text.ptr, text.len, "READ ONLY", 9) != NULL    ? "READ ONLY"
        : memmem(text.ptr, text.len, "READ WRITE", 10) != NULL ? "READ WRITE" : "";
    snprintf(s->next_level, sizeof(s->next_level), "%.*s", (int)level.len, level.ptr);
    snprintf(s->next_access, sizeof(s->next_access), "%s", access);
    say_next(s);
    leg->backend->next_is_set |= s->next_transaction != NULL && !s->in_txn;
}

void
set_keeps_access(struct session *s, const struct set_spec *spec)
{
    bool access = false;

    for (uint32_t i = 0; i < spec->n; i++)
        access = access || spec->items[i].kind == SETTING_TRANSACTION ||
                 span_equal(spec->items[i].name, SPAN("tx_read_only")) ||
                 span_equal(spec->items[i].name, SPAN("transaction_read_only"));
    if (!access || !s->in_txn || s->begin == NULL || strstr(s->begin, "READ ") != NULL)
        return;

    struct buf text = { 0 };
    buf_printf(&text, "%s%s READ %s", s->begin, strstr(s->begin, "SNAPSHOT") ? "," : "",
               s->read_only ? "ONLY" : "WRITE");
    free(s->begin);
    s->begin = mem_strdup(buf_cstr(&text));
    buf_fini(&text);
}
