/* client_once.c - see once.h. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/memory.h"
#include "core/sql/ast.h"
#include "workers/client/client.h"
#include "workers/client/once.h"

struct once_run {
    struct arena       arena;
    bool               running; /* the INSERT; before that the SET */
    enum query_command command;
    bool               more;
    double             now_s;
    struct span        set, insert;
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

/* Both texts, with a variable in the place of each value. */
static void
write_texts(struct once_run *r, struct span text, const struct plan *plan)
{
    struct buf set = { 0 }, insert = { 0 };
    uint32_t   at  = 0;

    for (uint32_t i = 0; i < plan->n_once; i++) {
        struct range value = plan->once[i];
        buf_printf(&set, "%s@`shardd once %u` = ", i == 0 ? "SET " : ", ", i);
        buf_append(&set, text.ptr + value.start, value.end - value.start);
        buf_append(&insert, text.ptr + at, value.start - at);
        buf_printf(&insert, "@`shardd once %u`", i);
        at = value.end;
    }
    buf_append(&insert, text.ptr + at, text.len - at);
    r->set    = arena_copy(&r->arena, buf_unread(&set));
    r->insert = arena_copy(&r->arena, buf_unread(&insert));
    buf_fini(&set);
    buf_fini(&insert);
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

void
client_once(struct client *c, struct query_run *q)
{
    struct once_run *r = mem_alloc(sizeof(*r));
    struct timespec  now;

    clock_gettime(CLOCK_REALTIME, &now);
    *r = (struct once_run){
        .command = q->command,
        .more    = q->more,
        .now_s   = (double)now.tv_sec + (double)now.tv_nsec / 1e9,
        .n       = q->plan->plan.n_once,
        .limit_ms = q->limit_ms,
    };
    r->for_text = arena_copy(&r->arena, q->for_text);
    c->once = r;
    write_texts(r, q->text, &q->plan->plan);
    keep_params(r, q);
    query_free(q);
    struct query_run *set = new_query(c, QUERY_TEXT, r->set);
    set->quiet = true;
    client_start(c, set);
}

bool
client_once_done(struct client *c, const struct query_run *q)
{
    struct once_run *r = c->once;

    if (r == NULL)
        return false;
    if (!r->running) {
        if (q->failed)
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
    struct once_run  *r = c->once;
    struct query_run *q = new_query(c, r->command, r->insert);
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
        client_start(c, q);
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
    arena_fini(&r->arena);
    free(r);
}
