/* client_turn.c - logins that cost much take turns, so that a storm of them does not stall
 * the worker's other clients.
 *
 *   password to hash, signature to verify, TLS to begin --> [ FIFO ] --> a few per loop turn
 *
 * A loop turn takes the first, and further ones until BUDGET_US have passed; a TLS handshake
 * computes in the task that its stream has posted, so it is the last one of its loop
 * turn. Who came first is served first, whatever it needs. Nothing is read from who
 * waits.
 */
#include "core/base/clock.h"
#include "core/base/memory.h"
#include "workers/client/client.h"

enum { BUDGET_US = 2000 };

struct turns {
    struct ring *ring;
    struct task  task;
    struct list  waiting; /* client_login.turn */
    unsigned     n_waiting;
};

void
client_leave_turn(struct client_login *l)
{
    if (list_empty(&l->turn))
        return;
    list_remove(&l->turn);
    list_init(&l->turn);
    l->client->ctx->turns->n_waiting--;
}

static enum login_work
take_one(struct turns *turns)
{
    struct client_login *l    = container_of(turns->waiting.next, struct client_login, turn);
    struct client       *c    = l->client;
    enum login_work      work = l->work;

    client_leave_turn(l);
    if (work == LOGIN_WORK_TLS)
        client_begin_tls(c);
    else
        client_prove(c);
    if (c->state != CLIENT_CLOSING)
        stream_resume_read(&c->stream); /* what it sent ahead */
    return work;
}

static void
loop_turn(struct task *task)
{
    struct turns *turns = container_of(task, struct turns, task);
    uint64_t      until = clock_us() + BUDGET_US;

    while (!list_empty(&turns->waiting))
        if (take_one(turns) == LOGIN_WORK_TLS || clock_us() >= until)
            break;
    if (!list_empty(&turns->waiting))
        ring_post(turns->ring, &turns->task);
}

static struct turns *
turns_of(struct context *ctx)
{
    if (ctx->turns != NULL)
        return ctx->turns;
    ctx->turns       = mem_alloc(sizeof(*ctx->turns));
    ctx->turns->ring = ctx->ring;
    list_init(&ctx->turns->waiting);
    task_init(&ctx->turns->task, loop_turn);
    return ctx->turns;
}

void
client_wait_for_turn(struct client *c, enum login_work work)
{
    struct turns        *turns = turns_of(c->ctx);
    struct client_login *l     = c->login;

    l->work = work;
    l->wait = LOGIN_WAIT_TURN;
    stream_pause_read(&c->stream);
    list_append(&turns->waiting, &l->turn);
    turns->n_waiting++;
    ring_post(turns->ring, &turns->task);
}

unsigned
client_turns(const struct context *ctx)
{
    return ctx->turns != NULL ? ctx->turns->n_waiting : 0;
}
