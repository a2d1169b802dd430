/* pace.c - see pace.h. */
#include "ctl/move/pace.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/catalog/publish.h"
#include "shm/slots.h"

enum {
    IDLE_MS   = 200,
    ANSWER_S  = 2,
    OURS      = 6,  /* threads that one copy keeps running on a server, and the question */
    ASK_MOST  = 16, /* servers; of further ones only what workers see of them counts */
};

/* What the thread knows: the source and then the targets. */
struct view {
    unsigned            n;
    uint32_t           *id;
    struct server      *server;
    struct pace_server *seen;
    struct pace_seen   *before;
};

static void
tell(struct pace *p)
{
    uint64_t rate = p->wanted.rows_per_s;

    if (p->state.allowed != 0 && (rate == 0 || p->state.allowed < rate))
        rate = p->state.allowed;
    if (p->copy)
        copy_throttle(p->copy, rate, p->wanted.bytes_per_s, p->paused || p->state.hold);
}

/* --- looking ------------------------------------------------------------------------ */

/* Threads_running costs nothing, but has all that moves as well; who they are is asked only when
 * there are many. */
static unsigned
count_running(struct server *s, struct sql_error *error, bool *asked)
{
    char n[24] = "0";

    *asked = server_value(s, n, sizeof(n), error, "SELECT VARIABLE_VALUE FROM "
                          "information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = "
                          "'THREADS_RUNNING'");
    if (*asked && strtoul(n, NULL, 10) > OURS)
        *asked = server_value(s, n, sizeof(n), error, "SELECT COUNT(*) FROM "
                              "information_schema.PROCESSLIST WHERE COMMAND NOT IN ('Sleep', "
                              "'Daemon', 'Binlog Dump', 'Slave_IO', 'Slave_SQL', 'Slave_worker') "
                              "AND USER NOT IN ('system user', "
                              "SUBSTRING_INDEX(CURRENT_USER(), '@', 1))");
    else
        snprintf(n, sizeof(n), "0");
    return *asked ? (unsigned)strtoul(n, NULL, 10) : 0;
}

static unsigned
running(struct pace *p, struct view *v, unsigned i)
{
    struct server   *s = &v->server[i];
    struct sql_error error;
    bool             asked = false;
    unsigned         n     = 0;

    s->answer_s = ANSWER_S;
    if (s->mysql || move_session(s, p->move, v->id[i], ANSWER_S, &error))
        n = count_running(s, &error, &asked);
    if (!asked)
        server_close(s);
    return n;
}

/* Workers that are not there have no statements either. */
static void
read_slots(const struct pace *p, struct view *v)
{
    struct publisher   *publisher = p->move->c->publisher;
    const struct slots *slots     = publisher ? publish_slots(publisher) : NULL;

    for (unsigned i = 0; slots && i < v->n; i++) {
        uint64_t count[SHARD_COUNTERS_N];

        slots_sum_shard(slots, v->id[i], count);
        v->seen[i].statements = count[SHARD_COUNTER_STATEMENTS];
        v->seen[i].ns         = count[SHARD_COUNTER_NS];
    }
    if (publisher)
        publish_slots_done(publisher);
}

static unsigned
look(struct pace *p, struct view *v)
{
    struct copy_status s = { 0 };
    struct throttle    how;
    unsigned           ms;

    pthread_mutex_lock(&p->lock);
    how = p->wanted;
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; how.automatic && i < v->n && i < ASK_MOST; i++)
        v->seen[i].running = running(p, v, i);
    read_slots(p, v);
    pthread_mutex_lock(&p->lock);
    if (p->copy)
        copy_status(p->copy, &s);
    ms = pace_look(&p->state, &p->wanted, v->seen, v->n, s.rows, clock_us());
    tell(p);
    pthread_mutex_unlock(&p->lock);
    return ms;
}

/* --- the thread --------------------------------------------------------------------- */

static void
view_init(struct view *v, const struct pace *p)
{
    uint32_t targets[ROUTES_SHARDS_MAX];

    v->n      = 1 + (unsigned)move_targets_of(p->move, p->source, targets);
    v->id     = mem_alloc(v->n * sizeof(*v->id));
    v->server = mem_alloc(v->n * sizeof(*v->server));
    v->seen   = mem_alloc(v->n * sizeof(*v->seen));
    v->before = mem_alloc(v->n * sizeof(*v->before));
    v->id[0]  = p->source;
    memcpy(v->id + 1, targets, (v->n - 1) * sizeof(*v->id));
    for (unsigned i = 0; i < v->n; i++)
        v->seen[i].name = model_text(move_shard(p->move, v->id[i]), "name");
}

static void
close_servers(struct view *v)
{
    for (unsigned i = 0; i < v->n; i++)
        server_close(&v->server[i]);
}

static void
view_fini(struct view *v)
{
    close_servers(v);
    free(v->id);
    free(v->server);
    free(v->seen);
    free(v->before);
}

/* The first looks are taken before there is a copy: what statements take without one. */
static bool
is_needed(struct pace *p)
{
    pthread_mutex_lock(&p->lock);
    bool is = p->copy != NULL || p->state.phase < PACE_FULL;
    pthread_mutex_unlock(&p->lock);
    return is;
}

static void *
run(void *context)
{
    struct pace *p  = context;
    struct view  v  = { .n = 0 };
    unsigned     ms = 0;

    view_init(&v, p);
    p->state.seen = v.before;
    do {
        ms = IDLE_MS;
        if (is_needed(p))
            ms = look(p, &v);
        else
            close_servers(&v);
    } while (!ticker_wait(&p->ticker, ms));
    view_fini(&v);
    return NULL;
}

bool
pace_start(struct pace *p, const struct move *m, uint32_t source)
{
    struct sql_error ignored;

    p->move   = m;
    p->source = source;
    pthread_mutex_init(&p->lock, NULL);
    p->started = throttle_parse("", &p->wanted, &ignored) && ticker_start(&p->ticker, run, p);
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

/* --- from others -------------------------------------------------------------------- */

void
pace_throttle(struct pace *p, const struct throttle *wanted, bool paused)
{
    pthread_mutex_lock(&p->lock);
    p->wanted = *wanted;
    p->paused = paused;
    tell(p);
    pthread_mutex_unlock(&p->lock);
}

void
pace_copy(struct pace *p, struct copy *copy)
{
    pthread_mutex_lock(&p->lock);
    p->copy = copy;
    tell(p);
    pthread_mutex_unlock(&p->lock);
}

void
pace_reason(struct pace *p, char out[PACE_REASON_MAX])
{
    const struct throttle *w = &p->wanted;

    pthread_mutex_lock(&p->lock);
    out[0] = '\0';
    if (!p->copy)
        ;
    else if (p->paused)
        snprintf(out, PACE_REASON_MAX, "paused");
    else if (p->state.reason[0])
        memcpy(out, p->state.reason, PACE_REASON_MAX);
    else if (w->rows_per_s > 0 || w->bytes_per_s > 0)
        snprintf(out, PACE_REASON_MAX, "at most %llu %s per second are asked for",
                 (unsigned long long)(w->rows_per_s > 0 ? w->rows_per_s : w->bytes_per_s),
                 w->rows_per_s > 0 ? "rows" : "bytes");
    pthread_mutex_unlock(&p->lock);
}
