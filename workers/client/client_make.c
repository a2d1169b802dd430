/* client_make.c - see make.h. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "workers/client/client.h"
#include "workers/client/make.h"
#include "workers/query/ddl.h"
#include "workers/query/diagnostics.h"

/* The last one is for what has failed. */
enum make_step { MAKE_ASK, MAKE_TABLE, MAKE_ROWS, MAKE_DROP, MAKE_NAME, MAKE_UNDO };

struct client_make {
    struct client      *client;
    struct query_run   *q;      /* the client's statement, which answers in the end; NULL while
                                   the controller is asked */
    enum make_step      step;
    struct arena        arena;
    struct query_making making;
    struct stream       sink;   /* answers that are not for the client yet */
    struct diagnostics_kept kept;
    struct ok           ok;     /* of the rows */
    uint8_t             seq;    /* of the client's answer */
    bool                temporary; /* none of the controller's: the shards make it */
    bool                failed;
    struct sql_error    error;
};

static void go_on(struct client_make *k);

bool
client_makes(const struct query_run *q)
{
    const struct plan *plan = &q->plan->plan;

    return (plan->kind == PLAN_DDL && plan->ddl->from_query) ||
           (plan->fill != NULL && q->command != QUERY_PREPARE);
}

/* What has been made and has no name yet: nobody else knows of it. */
static bool
leaves_table(const struct client_make *k)
{
    return !k->temporary && k->step != MAKE_ASK;
}

void
client_make_free(struct client *c)
{
    struct client_make *k = c->make;

    if (k == NULL)
        return;
    c->make = NULL;
    if (leaves_table(k))
        ddl_run_later(c->ctx, k->making.undo);
    if (k->q != NULL)
        query_free(k->q);
    diagnostics_kept_fini(&k->kept);
    buf_fini(&k->sink.out);
    arena_fini(&k->arena);
    free(k);
}

/* --- the answer ----------------------------------------------------------- */

static void
say_ok(struct client_make *k)
{
    struct client  *c = k->client;
    struct session *s = &c->session;

    k->ok.track  = (struct span){ 0 };
    k->ok.status = session_status(s);
    if (k->q->more)
        k->ok.status |= SERVER_MORE_RESULTS_EXISTS;
    k->ok.warnings = (uint16_t)(s->warnings < UINT16_MAX ? s->warnings : UINT16_MAX);
    s->row_count   = (int64_t)k->ok.affected_rows;
    if (k->making.make.len != 0) /* else there was a table */
        s->found_rows = k->ok.affected_rows;
    reply_ok_encode(stream_out(&c->stream), &c->reader.next_seq, s->capabilities, &k->ok);
}

static void
finish(struct client_make *k)
{
    struct client    *c = k->client;
    struct session   *s = &c->session;
    struct query_run *q = k->q;

    c->reader.next_seq = k->seq;
    if (k->failed) {
        diagnostics_error(s, &k->error);
        s->row_count = -1;
        reply_err_encode(stream_out(&c->stream), &c->reader.next_seq, s->capabilities, &k->error);
    } else {
        diagnostics_put_back(s, &k->kept);
        say_ok(k);
    }
    q->seq    = c->reader.next_seq;
    q->failed = k->failed;
    k->q      = NULL;
    k->step   = MAKE_ASK;
    client_make_free(c);
    stream_flush(&c->stream);
    client_statement_done(q);
}

/* --- the parts ------------------------------------------------------------- */

/* The table is called by the name that the client gave it. */
static void
rename_in(struct client_make *k, char *message, size_t size)
{
    size_t      len = strlen(k->making.name);
    char        text[sizeof(k->error.message)];
    const char *at;

    if (k->making.wanted.len == 0)
        return;
    while (len != 0 && (at = strstr(message, k->making.name)) != NULL) {
        snprintf(text, sizeof(text), "%.*s%.*s%s", (int)(at - message), message,
                 (int)k->making.wanted.len, (const char *)k->making.wanted.ptr, at + len);
        snprintf(message, size, "%s", text);
    }
}

static void
fail(struct client_make *k, const struct sql_error *error)
{
    if (k->failed)
        return;
    k->failed = true;
    k->error  = *error;
    rename_in(k, k->error.message, sizeof(k->error.message));
}

static void
keep_ok(struct client_make *k, const struct ok *ok)
{
    k->ok      = *ok;
    k->ok.info = arena_copy(&k->arena, ok->info);
    diagnostics_keep(&k->client->session, &k->kept);
}

static void
read_answer(struct client_make *k)
{
    struct span      out     = buf_unread(&k->sink.out), payload = { 0 };
    struct sql_error error;
    struct ok        ok;
    bool             planned = k->step == MAKE_ASK && k->making.make.len != 0;

    if (out.len > PACKET_HEADER_BYTES)
        payload = span_from(out, PACKET_HEADER_BYTES);
    if (payload.len != 0 && payload.ptr[0] == REPLY_ERR && reply_err_decode(payload, &error)) {
        if (k->step == MAKE_UNDO && !k->temporary)
            ddl_run_later(k->client->ctx, k->making.undo);
        fail(k, &error);
    } else if (payload.len != 0 && payload.ptr[0] == REPLY_OK &&
               reply_ok_decode(payload, k->client->session.capabilities, &ok)) {
        if (k->step == MAKE_ROWS || (k->step == MAKE_NAME && k->temporary) ||
            (k->step == MAKE_ASK && !planned))
            keep_ok(k, &ok);
    } else if (!planned) {
        sql_error_set(&error, SQL_UNKNOWN_ERROR, "shardd: a part of the statement was not "
                      "answered as it should be");
        fail(k, &error);
    }
    buf_clear(&k->sink.out);
}

static void
part_done(struct query_run *q)
{
    struct client      *c   = q->owner;
    struct client_make *k   = c->make;
    bool                cut = q->cut;

    c->query = NULL;
    if (k->step == MAKE_ASK)
        k->q = q;
    else
        query_free(q);
    if (c->state == CLIENT_CLOSING)
        return;
    if (cut) {
        client_hang_up(c, COUNTER_CLOSED_BACKEND);
        return;
    }
    read_answer(k);
    go_on(k);
}

static const struct query_ops part_ops = { .done = part_done, .again = client_again,
                                           .owned = client_owned };

static void
start_part(struct client_make *k, struct query_run *q)
{
    q->ops    = &part_ops;
    q->client = &k->sink;
    q->silent = true;
    q->seq    = 1;
}

static void
say(struct client_make *k, enum make_step step, struct span text)
{
    struct client    *c = k->client;
    struct query_run *q = client_query(c, QUERY_TEXT);

    k->step        = step;
    q->text        = text;
    q->values.text = text;
    q->one_off     = true;
    /* What the client may not do to its own table is done for it. */
    q->as_controller = !k->temporary && (step == MAKE_NAME || step == MAKE_UNDO);
    q->fills         = k->temporary;
    q->plan          = client_find_plan(c, q, text, false);
    start_part(k, q);
    client_begin(c, q);
}

/* What the rows were kept in goes in any case. */
static void
go_on_temporary(struct client_make *k)
{
    if (k->step == MAKE_UNDO)
        finish(k);
    else if (k->failed || k->step == MAKE_NAME)
        say(k, MAKE_UNDO, k->making.undo);
    else if (k->step == MAKE_TABLE)
        say(k, MAKE_ROWS, k->making.insert);
    else
        say(k, MAKE_NAME, k->making.rename);
}

/* What was begun last is over. */
static void
go_on(struct client_make *k)
{
    if (k->temporary) {
        go_on_temporary(k);
        return;
    }
    if (k->failed && k->step != MAKE_ASK && k->step != MAKE_UNDO) {
        say(k, MAKE_UNDO, k->making.undo);
        return;
    }
    switch (k->step) {
    case MAKE_ASK:
        if (k->failed || k->making.make.len == 0)
            finish(k);
        else
            say(k, MAKE_TABLE, k->making.make);
        return;
    case MAKE_TABLE: say(k, MAKE_ROWS, k->making.insert); return;
    case MAKE_ROWS:
        if (k->making.drop.len != 0)
            say(k, MAKE_DROP, k->making.drop);
        else
            say(k, MAKE_NAME, k->making.rename);
        return;
    case MAKE_DROP:  say(k, MAKE_NAME, k->making.rename); return;
    case MAKE_NAME:
    case MAKE_UNDO:  finish(k); return;
    }
}

/* --- the beginning --------------------------------------------------------- */

/* Parameters become part of the text. */
static void
write_text(struct client_make *k, struct query_run *q)
{
    struct buf       text = { 0 };
    struct sql_error error;

    if (q->plan->plan.text != NULL) {
        if (query_render_alone(q, q->plan->plan.text, &text, &error))
            q->text = arena_copy(&k->arena, buf_unread(&text));
        else
            fail(k, &error);
    }
    q->command  = QUERY_TEXT;
    q->n_params = 0;
    buf_fini(&text);
}

static struct span
alone(struct client_make *k, const struct query_run *q, const struct sql_template *template)
{
    struct buf       text = { 0 };
    struct sql_error error;
    struct span      out = { 0 };

    if (query_render_alone(q, template, &text, &error))
        out = arena_copy(&k->arena, buf_unread(&text));
    else
        fail(k, &error);
    buf_fini(&text);
    return out;
}

static void
make_temporary(struct client *c, struct query_run *q)
{
    const struct fill_spec *fill = q->plan->plan.fill;
    struct client_make     *k    = mem_alloc(sizeof(*k));

    *k = (struct client_make){ .client = c, .seq = c->reader.next_seq, .temporary = true, .q = q };
    k->sink.ring     = c->ctx->ring;
    k->sink.state    = STREAM_OPEN;
    c->make          = k;
    k->making.make   = alone(k, q, &fill->make);
    k->making.insert = alone(k, q, &fill->insert);
    k->making.rename = alone(k, q, &fill->name);
    k->making.undo   = alone(k, q, &fill->drop);
    q->command       = QUERY_TEXT;
    if (k->failed)
        finish(k);
    else
        say(k, MAKE_TABLE, k->making.make);
}

void
client_make(struct client *c, struct query_run *q)
{
    if (q->plan->plan.fill != NULL) {
        make_temporary(c, q);
        return;
    }

    static uint64_t     n;
    struct client_make *k = mem_alloc(sizeof(*k));

    *k = (struct client_make){ .client = c, .seq = c->reader.next_seq };
    k->making.arena = &k->arena;
    snprintf(k->making.name, sizeof(k->making.name), "shardd making %ld-%llu", (long)getpid(),
             (unsigned long long)++n);
    k->making.wanted = arena_copy(&k->arena, q->plan->plan.ddl->name);
    k->sink.ring     = c->ctx->ring;
    k->sink.state    = STREAM_OPEN;
    c->make          = k;
    write_text(k, q);
    q->making = &k->making;
    if (k->failed) {
        k->q = q;
        finish(k);
        return;
    }
    start_part(k, q);
    client_start(c, q);
}
