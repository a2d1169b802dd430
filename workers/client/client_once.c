/* client_once.c - see once.h. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/mysql/literal.h"
#include "core/mysql/reply.h"
#include "core/sql/ast.h"
#include "workers/client/client.h"
#include "workers/client/once.h"

struct once_run {
    struct arena       arena;
    bool               running; /* the statement; before that the SET or SELECT */
    enum query_command command;
    bool               more;
    double             now_s;
    struct span        set, text; /* the client's, with the values in: */
    const struct range *ranges;   /* [n] */
    bool               literals;  /* they become such, not variables */
    const bool        *named;     /* [n], NULL: none */
    bool               asked;    /* of a SELECT, whose answer is not for the client: */
    struct stream      sink;
    uint8_t            seq;      /* of the client's answer */
    uint64_t           found_rows;
    uint64_t           limit_ms; /* see query.h */
    struct span        for_text;
    uint32_t           n; /* values */
    const struct param_value *params;
    const struct key_value   *keys;
    uint32_t           n_params;
    struct sql_error   error;
};

static struct span
variable(struct once_run *r, uint32_t n)
{
    char name[32];
    int  len = snprintf(name, sizeof(name), "shardd once %u", n);

    return arena_copy(&r->arena, (struct span){ (uint8_t *)name, (size_t)len });
}

/* A LIMIT of its own: sql_select_limit may be 0. */
static void
say_computation(struct buf *set, struct span text, const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->n_once; i++) {
        const struct range *r = &plan->once[i];
        if (plan->once_asked)
            buf_append_text(set, i == 0 ? "SELECT " : ", ");
        else
            buf_printf(set, "%s@`shardd once %u` = ", i == 0 ? "SET " : ", ", i);
        buf_append(set, text.ptr + r->start, r->end - r->start);
    }
    for (uint32_t i = 0; plan->once_asked && i < plan->n_once; i++)
        buf_printf(set, "%s @`shardd once %u`", i == 0 ? " LIMIT 1 INTO" : ",", i);
}

static const bool *
keep_named(struct once_run *r, const struct plan *plan)
{
    struct span bytes = { (const uint8_t *)plan->once_named, plan->n_once * sizeof(bool) };

    return plan->once_named == NULL ? NULL : (const bool *)arena_copy(&r->arena, bytes).ptr;
}

static void
keep_text(struct once_run *r, struct span text, const struct plan *plan)
{
    struct buf    set    = { 0 };
    struct range *ranges = arena_alloc(&r->arena, plan->n_once * sizeof(*ranges));

    for (uint32_t i = 0; i < plan->n_once; i++)
        ranges[i] = plan->once[i];
    say_computation(&set, text, plan);
    r->n        = plan->n_once;
    r->ranges   = ranges;
    r->literals = plan->once_literals;
    r->named    = keep_named(r, plan);
    r->asked    = plan->once_asked;
    r->text     = arena_copy(&r->arena, text);
    r->set      = arena_copy(&r->arena, buf_unread(&set));
    buf_fini(&set);
}

/* As SET GLOBAL takes it. */
static void
say_literal(struct client *c, uint32_t n, struct buf *out)
{
    struct literal_mode mode = { .charset              = CHARSET_UTF8MB4_GENERAL_CI,
                                 .no_backslash_escapes = c->session.lex.no_backslash_escapes };
    struct key_value    value;

    uservars_value(&c->session.uservars, variable(c->once, n), &value);
    if (value.kind == KEY_VALUE_NULL)
        buf_append_text(out, "NULL");
    else if (value.kind == KEY_VALUE_INT || value.kind == KEY_VALUE_DECIMAL)
        buf_append_span(out, value.bytes);
    else if (value.kind == KEY_VALUE_FLOAT)
        buf_printf(out, "%.*s%s", (int)value.bytes.len, (const char *)value.bytes.ptr,
                   memchr(value.bytes.ptr, 'e', value.bytes.len) == NULL ? "e0" : "");
    else
        literal_quote(out, value.bytes, &mode);
}

/* Of the column, which is as its text was. */
static void
say_name(const struct once_run *r, const struct range *at, struct buf *out)
{
    buf_append_text(out, " AS `");
    for (uint32_t i = at->start; i < at->end; i++) {
        if (r->text.ptr[i] == '`')
            buf_append_byte(out, '`');
        buf_append_byte(out, r->text.ptr[i]);
    }
    buf_append_text(out, "`");
}

/* The client's text, with variables or what they are in the places of the values. */
static struct span
final_text(struct client *c)
{
    struct once_run *r   = c->once;
    struct buf       out = { 0 };
    uint32_t         at  = 0;

    for (uint32_t i = 0; i < r->n; i++) {
        buf_append(&out, r->text.ptr + at, r->ranges[i].start - at);
        if (r->literals)
            say_literal(c, i, &out);
        else
            buf_printf(&out, "@`shardd once %u`", i);
        if (r->named != NULL && r->named[i])
            say_name(r, &r->ranges[i], &out);
        at = r->ranges[i].end;
    }
    buf_append(&out, r->text.ptr + at, r->text.len - at);
    struct span text = arena_copy(&r->arena, buf_unread(&out));
    buf_fini(&out);
    return text;
}

/* The parameters are the client's packet, or the arena's that `q` has: they are copied. */
static void
keep_params(struct once_run *r, const struct query_run *q)
{
    struct param_value *params = arena_alloc(&r->arena, (q->n_params + 1) * sizeof(*params));
    struct key_value   *keys   = arena_alloc(&r->arena, (q->n_params + 1) * sizeof(*keys));

    for (uint32_t i = 0; i < q->n_params; i++) {
        params[i]       = q->params[i];
        params[i].bytes = arena_copy(&r->arena, params[i].bytes);
        keys[i]         = q->values.params[i];
        keys[i].bytes   = arena_copy(&r->arena, keys[i].bytes);
    }
    r->params   = params;
    r->keys     = keys;
    r->n_params = q->n_params;
}

static struct query_run *
new_query(struct client *c, enum query_command command, struct span text)
{
    struct once_run  *r = c->once;
    struct query_run *q = client_query(c, command);

    q->text        = text;
    q->values.text = text;
    q->fixed_s     = r->now_s;
    q->plan        = client_find_plan(c, q, text, query_render_mode(q) == RENDER_PREPARE);
    return q;
}

/* It is a read like any other, but that nobody sees its answer. */
static void
ask(struct client *c, struct query_run *q)
{
    struct once_run *r = c->once;

    r->sink.ring  = c->ctx->ring;
    r->sink.state = STREAM_OPEN;
    r->seq        = q->seq;
    r->found_rows = c->session.found_rows;
    q->client     = &r->sink;
    q->silent     = true;
    q->seq        = 1;
    q->limit_ms   = r->limit_ms;
    client_begin(c, q);
}

void
client_once(struct client *c, struct query_run *q)
{
    struct once_run *r = mem_alloc(sizeof(*r));

    *r = (struct once_run){
        .command = q->command,
        .more    = q->more,
        .now_s   = clock_wall_s(),
        .limit_ms = q->limit_ms,
    };
    r->for_text = arena_copy(&r->arena, q->for_text);
    c->once = r;
    keep_text(r, q->text, &q->plan->plan);
    keep_params(r, q);
    query_free(q);
    struct query_run *set = new_query(c, QUERY_TEXT, r->set);
    if (r->asked) {
        ask(c, set);
        return;
    }
    set->quiet = true;
    client_start(c, set);
}

static void
read_answer(struct once_run *r)
{
    struct span out = buf_unread(&r->sink.out), payload = { 0 };

    if (out.len > PACKET_HEADER_BYTES)
        payload = span_from(out, PACKET_HEADER_BYTES);
    bool fine = payload.len != 0 && payload.ptr[0] == REPLY_OK;
    if (!fine && (payload.len == 0 || payload.ptr[0] != REPLY_ERR ||
                  !reply_err_decode(payload, &r->error)))
        sql_error_set(&r->error, SQL_UNKNOWN_ERROR, "shardd: a part of the statement was not "
                      "answered as it should be");
    buf_clear(&r->sink.out);
}

bool
client_once_done(struct client *c, const struct query_run *q)
{
    struct once_run *r = c->once;

    if (r == NULL)
        return false;
    if (!r->running) {
        if (r->asked)
            read_answer(r);
        else if (q->failed)
            r->error = q->error;
        return true;
    }
    for (uint32_t i = 0; i < r->n; i++)
        uservars_forget(&c->session.uservars, variable(r, i));
    client_once_free(c);
    return false;
}

void
client_once_next(struct client *c)
{
    struct once_run *r = c->once;

    if (r->asked) {
        c->reader.next_seq    = r->seq;
        c->session.found_rows = r->found_rows;
    }
    struct query_run *q = new_query(c, r->command, final_text(c));
    struct sql_error  error = r->error;

    r->running         = true;
    q->more            = r->more;
    q->limit_ms        = r->limit_ms;
    q->for_text        = r->for_text;
    q->params          = r->params;
    q->n_params        = r->n_params;
    q->values.params   = r->keys;
    if (r->command != QUERY_TEXT)
        q->values.n_params = r->n_params;
    if (error.code == 0) {
        client_begin(c, q);
        return;
    }
    client_take(c, q);
    query_fail(q, &error);
}

void
client_once_free(struct client *c)
{
    struct once_run *r = c->once;

    if (r == NULL)
        return;
    c->once = NULL;
    buf_fini(&r->sink.out);
    arena_fini(&r->arena);
    free(r);
}
