/* verify.c - rounds of a snapshot each, in which several threads compare table after table.
 *
 *   flow held where it is
 *   snapshot of the source at G; flow led to exactly G
 *   snapshots of the targets; flow released
 *   threads: the next table, until there is none or the round's time is over
 *
 * The flow stands still only while the snapshots are taken. A table is compared within one
 * round; the next round's snapshot is newer, so that none gets old.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/move/verify_step.h"
#include "ctl/provision/wake.h"

enum {
    THREADS_MAX  = 4,
    SESSIONS_MAX = 64,
    EXAMPLES_MAX = 20,
    ROUND_S      = 60,
    GATE_MS      = 1000,  /* commits of applications wait as long as this, at the most */
    HOLD_MS      = 60000,
    LOCK_S       = 10,
    ANSWER_S     = 600,
    LOOK_MS      = 20,
};

struct worker {
    struct verify *v;
    pthread_t      thread;
    struct server *source; /* of the snapshot */
    struct server *target; /* owned; by v->target */
};

struct round {
    struct snapshot snapshot;
    unsigned        n;
    struct worker   worker[THREADS_MAX];
};

/* --- what threads say ----------------------------------------------------- */

void
verify_fail(struct verify *v, const struct sql_error *error)
{
    pthread_mutex_lock(&v->lock);
    if (!v->failed && !v->ended)
        v->error = *error;
    v->failed = true;
    v->ended  = true;
    pthread_cond_signal(&v->wake);
    pthread_mutex_unlock(&v->lock);
}

/* The job reads the counts while threads raise them. */
static void
raise_by(uint64_t *count, uint64_t n)
{
    __atomic_fetch_add(count, n, __ATOMIC_RELAXED);
}

void
verify_count(struct verify *v, uint64_t rows)
{
    raise_by(&v->out->rows, rows);
}

void
verify_found(struct verify *v, const struct move_table *t, const char *what, json_t *key)
{
    char name[600];

    snprintf(name, sizeof(name), "%s.%s", t->database, t->name);
    pthread_mutex_lock(&v->lock);
    raise_by(what[0] == 'm'   ? &v->out->missing
             : what[0] == 'e' ? &v->out->extra
                              : &v->out->different, 1);
    if (json_array_size(v->out->examples) < EXAMPLES_MAX)
        json_array_append_new(v->out->examples,
                              json_pack("{s:s, s:O, s:s}", "table", name, "key", key, "what",
                                        what));
    pthread_mutex_unlock(&v->lock);
    json_decref(key);
}

/* --- a thread ------------------------------------------------------------- */

static const struct move_table *
next_table(struct verify *v)
{
    const struct move_table *t = NULL;

    pthread_mutex_lock(&v->lock);
    if (!v->ended && v->next < v->m->n_tables && clock_us() < v->round_until_us)
        t = &v->m->tables[v->next++];
    pthread_mutex_unlock(&v->lock);
    return t;
}

static void *
work(void *arg)
{
    struct worker           *w = arg;
    struct verify           *v = w->v;
    const struct move_table *t;

    while ((t = next_table(v)) != NULL) {
        if (!verify_table(v, t, w->source, w->target))
            break;
        __atomic_fetch_add(&v->out->tables_done, 1, __ATOMIC_RELAXED);
    }
    pthread_mutex_lock(&v->lock);
    v->at_work--;
    pthread_cond_signal(&v->wake);
    pthread_mutex_unlock(&v->lock);
    return NULL;
}

/* --- a round -------------------------------------------------------------- */

static bool
open_target(struct verify *v, struct server *s, uint32_t id, struct sql_error *error)
{
    s->answer_s = ANSWER_S;
    return move_session(s, v->m, id, LOCK_S, error) &&
           server_run(s, error, "SET SESSION net_write_timeout = 31536000") &&
           server_run(s, error, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY");
}

static bool
open_targets(struct verify *v, struct round *r, struct sql_error *error)
{
    for (unsigned i = 0; i < r->n; i++) {
        r->worker[i].target = mem_alloc((v->n_targets + 1) * sizeof(*r->worker[i].target));
        for (size_t k = 0; k < v->n_targets; k++)
            if (!open_target(v, &r->worker[i].target[k], v->target[k], error))
                return false;
        if (!server_run(r->worker[i].source, error,
                        "SET SESSION net_write_timeout = 31536000"))
            return false;
    }
    return true;
}

static bool
open_round(struct verify *v, struct round *r, struct flow *f, struct sql_error *error)
{
    bool ok;

    if (!flow_hold(f, NULL, HOLD_MS, error))
        return false;
    if (!move_snapshot_open(&r->snapshot, v->m, v->source, r->n, GATE_MS, v->stop, error)) {
        flow_release(f);
        return false;
    }
    for (unsigned i = 0; i < r->n; i++)
        r->worker[i] = (struct worker){ .v = v, .source = &r->snapshot.session[i] };
    ok = flow_hold(f, r->snapshot.position, HOLD_MS, error) && open_targets(v, r, error);
    flow_release(f);
    return ok;
}

static void
close_round(struct verify *v, struct round *r)
{
    for (unsigned i = 0; i < r->n; i++) {
        for (size_t k = 0; r->worker[i].target && k < v->n_targets; k++)
            server_close(&r->worker[i].target[k]);
        free(r->worker[i].target);
    }
    move_snapshot_close(&r->snapshot);
}

/* Whoever reads from a server returns at once. */
static void
cut(struct verify *v, struct round *r)
{
    for (unsigned i = 0; i < r->n; i++) {
        if (r->worker[i].source->mysql)
            shutdown(mysql_get_socket(r->worker[i].source->mysql), SHUT_RDWR);
        for (size_t k = 0; k < v->n_targets; k++)
            if (r->worker[i].target[k].mysql)
                shutdown(mysql_get_socket(r->worker[i].target[k].mysql), SHUT_RDWR);
    }
}

static void
wait_some(struct verify *v)
{
    struct timespec until = wake_after_ms(LOOK_MS);

    pthread_cond_timedwait(&v->wake, &v->lock, &until);
}

static void
run_round(struct verify *v, struct round *r)
{
    unsigned started = 0;
    bool     is_cut  = false;

    v->round_until_us = clock_us() + ROUND_S * UINT64_C(1000000);
    v->at_work        = r->n;
    while (started < r->n &&
           pthread_create(&r->worker[started].thread, NULL, work, &r->worker[started]) == 0)
        started++;
    pthread_mutex_lock(&v->lock);
    v->at_work -= r->n - started;
    if (started == 0) {
        v->failed = true;
        v->ended  = true;
    }
    while (v->at_work > 0) {
        wait_some(v);
        if (v->stop && *v->stop)
            v->ended = true;
        if (v->ended && !is_cut) {
            cut(v, r);
            is_cut = true;
        }
    }
    pthread_mutex_unlock(&v->lock);
    while (started > 0)
        pthread_join(r->worker[--started].thread, NULL);
}

/* As many at a time as tables are left, within reason. */
static unsigned
threads(const struct verify *v)
{
    size_t n = v->m->n_tables - v->next, per = SESSIONS_MAX / (v->n_targets + 1);

    n = n < THREADS_MAX ? n : THREADS_MAX;
    n = n < per ? n : per;
    return n > 0 ? (unsigned)n : 1;
}

static bool
rounds(struct verify *v, struct flow *f, struct sql_error *error)
{
    while (v->next < v->m->n_tables) {
        struct round *r = mem_alloc(sizeof(*r));
        bool          ok;

        r->n = threads(v);
        v->round_until_us = 0;
        ok   = open_round(v, r, f, error);
        if (ok)
            run_round(v, r);
        close_round(v, r);
        free(r);
        if (!ok)
            return false;
        if (v->stop && *v->stop)
            return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: verifying was interrupted");
        if (v->failed) {
            if (v->error.code == 0)
                return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: no thread could be "
                                     "started");
            *error = v->error;
            return false;
        }
    }
    return true;
}

/* --- the whole ------------------------------------------------------------ */

/* The server's estimate of the rows that are read on the source. */
static uint64_t
estimate(const struct move *m, uint32_t source)
{
    struct server    s     = { .answer_s = 10 };
    uint64_t         total = 0;
    struct sql_error ignored;
    char             n[32];

    for (unsigned i = 0; i < m->n_tables; i++) {
        if (!s.mysql && !move_session(&s, m, source, LOCK_S, &ignored))
            return 0;
        if (server_value(&s, n, sizeof(n), &ignored, "SELECT TABLE_ROWS FROM"
                         " information_schema.TABLES WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s",
                         server_text(m->tables[i].database), server_text(m->tables[i].name)))
            total += strtoull(n, NULL, 10);
    }
    server_close(&s);
    return total;
}

static bool
judge(const struct verify *v, struct sql_error *error)
{
    const struct verify_status *s = v->out;

    if (s->missing + s->extra + s->different == 0)
        return true;
    return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: the copies are not like shard %s: %llu "
                         "rows missing, %llu too many, %llu different",
                         model_text(move_shard(v->m, v->source), "name"),
                         (unsigned long long)s->missing, (unsigned long long)s->extra,
                         (unsigned long long)s->different);
}

bool
verify_run(struct move *m, uint32_t source, struct flow *f, struct verify_status *out,
           const atomic_bool *stop, struct sql_error *error)
{
    struct verify v     = { .m = m, .source = source, .stop = stop, .out = out };
    uint64_t      began = clock_us();
    bool          ok;

    *out = (struct verify_status){ .tables = m->n_tables, .examples = json_array(),
                                   .rows_total = estimate(m, source) };
    v.target    = mem_alloc(ROUTES_SHARDS_MAX * sizeof(*v.target));
    v.n_targets = move_targets_of(m, source, v.target);
    pthread_mutex_init(&v.lock, NULL);
    wake_init(&v.wake);
    ok = rounds(&v, f, error);
    out->seconds = (double)(clock_us() - began) / 1e6;
    if (!ok)
        out->missing = out->extra = out->different = 0;
    else
        ok = judge(&v, error);
    log_info("move: shard %s verified: %llu rows in %.1f s, %llu missing, %llu extra, %llu "
             "different", model_text(move_shard(m, source), "name"),
             (unsigned long long)out->rows, out->seconds, (unsigned long long)out->missing,
             (unsigned long long)out->extra, (unsigned long long)out->different);
    pthread_cond_destroy(&v.wake);
    pthread_mutex_destroy(&v.lock);
    free(v.target);
    return ok;
}
