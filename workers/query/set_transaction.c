/* set_transaction.c - see set_transaction.h. */
#include "workers/query/set_transaction.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "workers/query/leg.h"

enum { ERR_IN_TRANSACTION = 1568 };

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
