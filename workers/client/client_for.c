/* client_for.c - see for.h. */
#include "workers/client/for.h"

#include <stdlib.h>

#include "core/base/memory.h"
#include "workers/client/client.h"
#include "workers/query/statement_vars.h"

struct client_for {
    bool             running;   /* the statement; before that the settings */
    bool             more;
    struct span      statement; /* in the client's packet, as the next one */
    struct prepared *prepared;  /* instead of it, with: */
    struct span      payload;
    struct sql_error error;
};

/* What is no SET to us is a server's to refuse. */
static void
plan(struct client *c, struct query_run *q)
{
    struct buf text = { 0 };

    q->values.text = q->text;
    q->plan        = client_find_plan(c, q, q->text, false);
    if (q->plan->plan.kind == PLAN_SET || q->plan->plan.kind == PLAN_REFUSE)
        return;
    plan_ref_release(q->plan);
    q->sets_statement = false;
    q->command        = QUERY_PREPARE;
    q->values.text    = SPAN("DO 0");
    q->plan           = client_find_plan(c, q, q->values.text, true);
    buf_append_span(&text, q->for_text);
    buf_append_text(&text, " DO 0");
    q->text     = arena_copy(&q->arena, buf_unread(&text));
    q->for_text = (struct span){ 0 };
    buf_fini(&text);
}

/* Evaluate; `set` is freed. */
static void
start(struct client *c, const struct client_for *what, struct span words, struct buf *set)
{
    struct query_run *q = client_query(c, QUERY_TEXT);

    c->settings       = mem_alloc(sizeof(*c->settings));
    *c->settings      = *what;
    q->sets_statement = true;
    q->quiet          = true;
    q->for_text       = words;
    q->text           = arena_copy(&q->arena, buf_unread(set));
    buf_fini(set);
    plan(c, q);
    client_start(c, q);
}

bool
client_for_text(struct client *c, struct span text, bool more)
{
    struct client_for what = { .more = more };
    struct buf        set  = { 0 };
    struct span       words;

    if (!statement_vars_find(text, c->session.lex, &words, &what.statement, &set)) {
        buf_fini(&set);
        return false;
    }
    start(c, &what, words, &set);
    return true;
}

void
client_for_split(struct client *c, struct span *for_text, struct span *text)
{
    struct buf  set = { 0 };
    struct span words, statement;

    if (statement_vars_find(*text, c->session.lex, &words, &statement, &set)) {
        *for_text = words;
        *text     = statement;
    }
    buf_fini(&set);
}

static void
answer_error(struct client *c, const struct sql_error *error)
{
    struct sql_error  copy = *error;
    struct query_run *q    = client_query(c, QUERY_TEXT);

    q->more = c->settings->more;
    client_take(c, q);
    query_fail(q, &copy);
}

/* The words were there when it was prepared; now the session may read them otherwise. */
void
client_for_prepared(struct client *c, struct prepared *p, struct span payload)
{
    struct client_for what = { .prepared = p, .payload = payload };
    struct buf        set = { 0 }, text = { 0 };
    struct span       words, ignored;

    buf_append_span(&text, p->for_text);
    buf_append_text(&text, " DO 0");
    if (statement_vars_find(buf_unread(&text), c->session.lex, &words, &ignored, &set))
        start(c, &what, p->for_text, &set);
    else {
        buf_fini(&set);
        client_fail(c, SQL_NOT_SUPPORTED, "shardd: sql_mode has changed in a way in which SET "
                    "STATEMENT reads otherwise since it was prepared: prepare it again");
    }
    buf_fini(&text);
}

/* What stays with the session, or shows that the words about reading have stayed. */
bool
client_for_allows(struct client *c, struct query_run *q)
{
    const struct statement_vars *before = c->session.before;
    enum plan_kind               kind   = q->plan->plan.kind;

    if (before == NULL || !before->reads_otherwise)
        return true;
    bool shows = q->text.len > 4 && span_equal_nocase((struct span){ q->text.ptr, 4 },
                                                      SPAN("SHOW"));
    if (kind != PLAN_DDL && kind != PLAN_NAMED && !shows && !vars_mentions(q->text, "sql_mode"))
        return true;
    struct sql_error why;
    sql_error_set(&why, SQL_NOT_SUPPORTED, "shardd: this would tell, or keep, the words of "
                  "sql_mode that say how statements are read, and these are as before SET "
                  "STATEMENT, or as when the statement was prepared: SET sql_mode for the session, "
                  "and prepare again");
    slot_count(c->ctx->slot, COUNTER_ERRORS_SHARDD);
    client_take(c, q);
    query_fail(q, &why);
    return false;
}

bool
client_for_done(struct client *c, const struct query_run *q)
{
    struct client_for *f = c->settings;

    if (f == NULL || f->running)
        return false;
    f->running = true;
    if (q->failed)
        f->error = q->error;
    else if (c->session.before == NULL)
        sql_error_set(&f->error, SQL_NOT_SUPPORTED, "shardd: cannot read what SET STATEMENT sets");
    return true;
}

void
client_for_next(struct client *c)
{
    struct client_for *f = c->settings;

    if (f->error.code != 0) {
        answer_error(c, &f->error);
        return;
    }
    if (f->prepared != NULL) {
        client_run_prepared(c, f->prepared, f->payload);
        return;
    }
    struct query_run *q = client_query(c, QUERY_TEXT);
    q->more = f->more;
    client_run_text(c, q, f->statement);
}

void
client_for_leave(struct client *c)
{
    statement_vars_leave(&c->session);
    client_for_free(c);
}

void
client_for_free(struct client *c)
{
    free(c->settings);
    c->settings = NULL;
}
