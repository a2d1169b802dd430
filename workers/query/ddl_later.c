/* ddl_later.c - see ddl.h: what the controller is to run when nobody waits for it any more. */
#include <jansson.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/io/sock.h"
#include "workers/query/ddl.h"

enum { CONNECT_MS = 5000, AGAIN_MS = 1000, TRIES_MAX = 3600 };

struct later {
    struct context *ctx;
    struct stream   stream;
    struct timer    timer;
    struct buf      text; /* owned */
    unsigned        tries;
    bool            done;
};

static void
forget(struct later *l)
{
    buf_fini(&l->text);
    free(l);
}

/* Whatever the controller has said to it, it has said. */
static bool
is_answered(struct span in)
{
    const uint8_t *body = memmem(in.ptr, in.len, "\r\n\r\n", 4);
    json_t        *document;
    bool           ok;

    if (body == NULL)
        return false;
    document = json_loadb((const char *)body + 4, in.len - (size_t)(body + 4 - in.ptr), 0, NULL);
    ok       = json_is_integer(json_object_get(document, "generation"));
    json_decref(document);
    return ok;
}

static void
on_data(struct stream *stream)
{
    (void)stream; /* it is complete at the end */
}

static void
on_connect(struct stream *stream, int error)
{
    if (error != 0)
        stream_close(stream, STREAM_CLOSE_NOW, 0);
}

static void
on_end(struct stream *stream, int error)
{
    struct later *l = container_of(stream, struct later, stream);

    l->done = error == 0 && is_answered(stream_unread(stream));
    stream_close(stream, STREAM_CLOSE_NOW, 0);
}

static void again(struct timer *timer);

static void
on_closed(struct stream *stream)
{
    struct later *l = container_of(stream, struct later, stream);

    if (l->done || ++l->tries == TRIES_MAX)
        forget(l);
    else
        timer_start(ring_timers(l->ctx->ring), &l->timer, AGAIN_MS, again);
}

static const struct stream_ops ops = {
    .on_data    = on_data,
    .on_connect = on_connect,
    .on_end     = on_end,
    .on_closed  = on_closed,
};

static void
ask(struct later *l)
{
    struct sock_addr addr;
    struct err       err;

    if (!sock_parse(&addr, l->ctx->conf.controller, 0, &err)) {
        forget(l);
        return;
    }
    l->stream = (struct stream){ 0 };
    stream_connect(&l->stream, l->ctx->ring, &addr, CONNECT_MS, &ops);
    ddl_encode(stream_out(&l->stream), NULL, true, buf_unread(&l->text), NULL);
    stream_flush(&l->stream);
}

static void
again(struct timer *timer)
{
    ask(container_of(timer, struct later, timer));
}

/* The statement that is in its way may still be under way: not at once. */
void
ddl_run_later(struct context *ctx, struct span text)
{
    struct later *l = mem_alloc(sizeof(*l));

    l->ctx = ctx;
    buf_append_span(&l->text, text);
    timer_start(ring_timers(ctx->ring), &l->timer, AGAIN_MS, again);
}
