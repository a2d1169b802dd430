/* pace.c - see pace.h. */
#include "ctl/move/pace.h"

#include <stdlib.h>

#include "core/base/clock.h"

enum {
    LOOK_MS   = 500,
    ANSWER_S  = 2,
    OURS      = 6,  /* threads that the copy itself keeps running, and the question */
    BUSY      = 4,  /* more than these of others: the source has enough to do */
    FLOOR     = 30, /* percent of the best rate that a busy source is left with */
};

/* What the thread knows. */
struct view {
    struct server server;
    uint64_t      rows, at_us; /* at the last look */
    uint64_t      best;        /* rows per second, the highest rate seen */
};

static void
tell(struct pace *p)
{
    uint64_t rate = p->wanted;

    if (p->allowed != 0 && (rate == 0 || p->allowed < rate))
        rate = p->allowed;
    if (p->copy)
        copy_throttle(p->copy, rate, p->paused);
}

/* Statements that run on the source, without ours; 0: also when it cannot be asked. */
static unsigned
others(struct pace *p, struct view *v)
{
    struct sql_error error;
    json_t          *rows = NULL;

    v->server.answer_s = ANSWER_S;
    if (v->server.mysql || move_session(&v->server, p->move, p->source, ANSWER_S, &error))
        rows = server_rows(&v->server, &error, "SHOW GLOBAL STATUS LIKE 'Threads_running'");
    if (!rows)
        server_close(&v->server);
    unsigned n = (unsigned)strtoul(rows ? server_cell(json_array_get(rows, 0), 1) : "0", NULL, 10);
    json_decref(rows);
    return n > OURS ? n - OURS : 0;
}

/* Down at once, up by steps. */
static uint64_t
next_rate(const struct view *v, uint64_t allowed, bool busy)
{
    uint64_t floor = v->best * FLOOR / 100 + 1;

    if (busy && v->best > 0)
        return floor;
    if (busy || allowed == 0)
        return allowed;
    return allowed + allowed / 4 > v->best ? 0 : allowed + allowed / 4 + 1;
}

static void
look(struct pace *p, struct view *v)
{
    struct copy_status s    = { 0 };
    bool               busy = others(p, v) > BUSY;
    uint64_t           now  = clock_us();

    pthread_mutex_lock(&p->lock);
    if (p->copy)
        copy_status(p->copy, &s);
    uint64_t rate = p->copy && s.rows > v->rows && v->at_us > 0
                        ? (s.rows - v->rows) * 1000000 / (now - v->at_us + 1) : 0;
    v->best    = rate > v->best ? rate : v->best;
    v->rows    = s.rows;
    v->at_us   = now;
    uint64_t allowed = next_rate(v, p->allowed, busy);
    if (p->copy && allowed != p->allowed) {
        p->allowed = allowed;
        tell(p);
    }
    pthread_mutex_unlock(&p->lock);
}

static void *
run(void *context)
{
    struct pace *p = context;
    struct view  v = { .rows = 0 };

    while (!ticker_wait(&p->ticker, LOOK_MS)) {
        pthread_mutex_lock(&p->lock);
        bool copying = p->copy != NULL;
        pthread_mutex_unlock(&p->lock);
        if (copying)
            look(p, &v);
        else
            server_close(&v.server);
    }
    server_close(&v.server);
    return NULL;
}

bool
pace_start(struct pace *p, const struct move *m, uint32_t source)
{
    p->move   = m;
    p->source = source;
    pthread_mutex_init(&p->lock, NULL);
    p->started = ticker_start(&p->ticker, run, p);
    if (!p->started)
        pthread_mutex_destroy(&p->lock);
    return p->started;
}

void
pace_stop(struct pace *p)
{
    if (!p->started)
        return;
    ticker_stop(&p->ticker);
    pthread_mutex_destroy(&p->lock);
    p->started = false;
}

void
pace_set(struct pace *p, struct copy *copy, uint64_t rows_per_s, bool paused)
{
    pthread_mutex_lock(&p->lock);
    p->copy   = copy;
    p->wanted = rows_per_s;
    p->paused = paused;
    tell(p);
    pthread_mutex_unlock(&p->lock);
}
