/* collect.c - see collect.h. */
#include "ctl/scale/collect.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "ctl/catalog/model.h"

enum { THREADS = 8, FRESH_PACES = 3, REST_MIN_MS = 1000 };

static const struct collector *const collectors[] = {
#define COLLECTOR_ROW(name) &collect_##name,
    COLLECTORS(COLLECTOR_ROW)
#undef COLLECTOR_ROW
};

/* One collector for one server. Whoever set `busy` has `object` and `state` for itself. */
struct job {
    const struct collector *what;
    uint32_t                id;
    json_t                 *object;
    void                   *state;
    bool                    busy, gone;
    int64_t                 due_ms, at_ms; /* at: of the last success, 0: none */
    unsigned                failures;      /* in a row */
    struct shard_load       got;
    struct err              problem;
};

struct collect {
    struct cluster *cluster;
    struct load    *load;
    pthread_mutex_t lock;
    pthread_cond_t  wake;
    pthread_t       thread[THREADS];
    size_t          n_threads;
    bool            stop;
    int             pace_ms;
    struct job    **jobs; /* by id */
    size_t          n_jobs;
};

static int64_t
now_ms(void)
{
    return (int64_t)(clock_us() / 1000);
}

static int
pace(const struct collect *p, const struct job *j)
{
    return j->what->pace_ms > p->pace_ms ? j->what->pace_ms : p->pace_ms;
}

static void
job_free(struct job *j)
{
    if (j->state)
        j->what->end(j->state);
    json_decref(j->object);
    free(j);
}

/* --- threads ------------------------------------------------------------------ */

/* The job that is due for longest; `*wait_ms`: until one will be. */
static struct job *
next_job(struct collect *p, int64_t *wait_ms)
{
    struct job *best = NULL;

    for (size_t i = 0; i < p->n_jobs; i++) {
        struct job *j = p->jobs[i];
        if (!j->busy && !j->gone && (!best || j->due_ms < best->due_ms))
            best = j;
    }
    *wait_ms = best ? best->due_ms - now_ms() : 1000;
    return best && *wait_ms <= 0 ? best : NULL;
}

static int
rest_ms(const struct collect *p, const struct job *j)
{
    int rest = pace(p, j) > REST_MIN_MS ? pace(p, j) : REST_MIN_MS;

    for (unsigned i = 1; i < j->failures && rest < COLLECT_REST_MAX_MS; i++)
        rest *= 2;
    return rest < COLLECT_REST_MAX_MS || pace(p, j) > COLLECT_REST_MAX_MS ? rest
                                                                         : COLLECT_REST_MAX_MS;
}

static void
finish(struct collect *p, struct job *j, bool ok, const struct shard_load *got, int64_t began,
       const struct err *err)
{
    int64_t ended = now_ms();
    int64_t least = (ended - began) * 20; /* what is slow must not take all of a server's time */

    j->busy = false;
    if (ok) {
        j->got      = *got;
        j->at_ms    = ended;
        j->failures = 0;
        j->problem  = (struct err){ .text = "" };
        j->due_ms   = began + (least > pace(p, j) ? least : pace(p, j));
    } else {
        j->failures++;
        j->problem = *err;
        j->due_ms  = ended + rest_ms(p, j);
    }
}

/* Called, and returns, with the lock. */
static void
do_job(struct collect *p, struct job *j)
{
    struct collect_about about = { p->cluster, j->object, p->load };
    struct shard_load    got;
    struct err           err   = { .text = "" };
    int64_t              began = now_ms();

    j->busy = true;
    pthread_mutex_unlock(&p->lock);
    shard_load_init(&got, j->id, "");
    bool ok = j->what->run(&about, &j->state, &got, &err);
    pthread_mutex_lock(&p->lock);
    finish(p, j, ok, &got, began, &err);
}

static void *
run(void *context)
{
    struct collect *p = context;

    mysql_thread_init();
    pthread_mutex_lock(&p->lock);
    while (!p->stop) {
        int64_t         wait;
        struct job     *j = next_job(p, &wait);
        struct timespec until;

        if (j) {
            do_job(p, j);
            continue;
        }
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += wait / 1000;
        until.tv_nsec += wait % 1000 * 1000000L;
        if (until.tv_nsec >= 1000000000L) {
            until.tv_nsec -= 1000000000L;
            until.tv_sec++;
        }
        pthread_cond_timedwait(&p->wake, &p->lock, &until);
    }
    pthread_mutex_unlock(&p->lock);
    mysql_thread_end();
    return NULL;
}

struct collect *
collect_start(struct cluster *c, struct load *l)
{
    struct collect    *p = mem_alloc(sizeof(*p));
    pthread_condattr_t monotonic;

    p->cluster = c;
    p->load    = l;
    p->pace_ms = 1000;
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&p->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    while (p->n_threads < THREADS &&
           pthread_create(&p->thread[p->n_threads], NULL, run, p) == 0)
        p->n_threads++;
    if (p->n_threads > 0)
        return p;
    collect_stop(p);
    return NULL;
}

void
collect_stop(struct collect *p)
{
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->n_threads; i++)
        pthread_join(p->thread[i], NULL);
    for (size_t i = 0; i < p->n_jobs; i++)
        job_free(p->jobs[i]);
    free(p->jobs);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* --- servers that come and go --------------------------------------------------- */

/* The first job of this server, or of the next one. */
static size_t
place(const struct collect *p, uint32_t id)
{
    size_t low = 0, high = p->n_jobs;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (p->jobs[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct job *
find(const struct collect *p, uint32_t id, const struct collector *what)
{
    for (size_t i = place(p, id); i < p->n_jobs && p->jobs[i]->id == id; i++)
        if (p->jobs[i]->what == what)
            return p->jobs[i];
    return NULL;
}

static struct job *
make(struct collect *p, uint32_t id, const struct collector *what)
{
    size_t      at = place(p, id);
    struct job *j  = mem_alloc(sizeof(*j));

    p->jobs = mem_resize(p->jobs, (p->n_jobs + 1) * sizeof(*p->jobs));
    memmove(&p->jobs[at + 1], &p->jobs[at], (p->n_jobs - at) * sizeof(*p->jobs));
    p->n_jobs++;
    p->jobs[at] = j;
    j->what     = what;
    j->id       = id;
    return j;
}

uint32_t
collect_id(const json_t *server)
{
    return model_is_replica(server) ? model_replica_route_id(server)
                                    : (uint32_t)model_number(server, "id");
}

static bool
is_asked(const struct collector *what, const json_t *server)
{
    return what->replicas || !model_is_replica(server);
}

static void
add(struct collect *p, const json_t *server, const struct collector *what)
{
    uint32_t    id = collect_id(server);
    struct job *j  = find(p, id, what);

    if (j && (j->busy || json_equal(j->object, server)))
        return; /* a change is seen at the next look */
    if (!j)
        j = make(p, id, what);
    if (j->state)
        what->end(j->state); /* its address may be another now */
    j->state = NULL;
    json_decref(j->object);
    j->object = json_deep_copy(server);
    j->due_ms = now_ms();
}

static bool
is_there(const json_t *servers, uint32_t id)
{
    char key[16];

    snprintf(key, sizeof(key), "%u", id);
    return json_object_get(servers, key) != NULL;
}

void
collect_sync(struct collect *p, const json_t *servers, int pace_ms)
{
    const char *key;
    json_t     *server;
    size_t      kept = 0;

    pthread_mutex_lock(&p->lock);
    bool faster = pace_ms < p->pace_ms;
    p->pace_ms  = pace_ms;
    for (size_t i = 0; i < p->n_jobs; i++) {
        struct job *j = p->jobs[i];
        j->gone = !is_there(servers, j->id);
        if (faster && j->failures == 0)
            j->due_ms = now_ms();
        if (j->gone && !j->busy)
            job_free(j);
        else
            p->jobs[kept++] = j;
    }
    p->n_jobs = kept;
    json_object_foreach((json_t *)(uintptr_t)servers, key, server)
        for (size_t i = 0; i < countof(collectors); i++)
            if (is_asked(collectors[i], server))
                add(p, server, collectors[i]);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

void
collect_take(struct collect *p, uint32_t id, struct shard_load *m)
{
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < countof(collectors); i++) {
        const struct job *j = find(p, id, collectors[i]);

        if (!j || j->at_ms == 0 ||
            now_ms() - j->at_ms > (int64_t)FRESH_PACES * pace(p, j) + COLLECT_DEADLINE_S * 1000)
            continue;
        for (int field = 0; field < LOAD_FIELDS_N; field++)
            if (!isnan(j->got.value[field]))
                m->value[field] = j->got.value[field];
    }
    pthread_mutex_unlock(&p->lock);
}

json_t *
collect_show(struct collect *p, uint32_t id)
{
    json_t *list = json_array();

    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < countof(collectors); i++) {
        const struct job *j = find(p, id, collectors[i]);

        if (!j || (j->at_ms == 0 && j->failures == 0))
            continue;
        json_t *row = json_pack("{s:s}", "collector", j->what->name);
        model_set(row, "problem", j->problem.text);
        if (j->at_ms)
            json_object_set_new(row, "age_s", json_real((double)(now_ms() - j->at_ms) / 1000));
        json_array_append_new(list, row);
    }
    pthread_mutex_unlock(&p->lock);
    return list;
}
