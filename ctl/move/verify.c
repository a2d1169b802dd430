/* verify.c - rounds of a snapshot each, in which several threads compare table after table.
 *
 *   flow held where it is
 *   snapshot of the source at G; flow led to exactly G
 *   snapshots of the targets; flow released
 *   threads: the next table, until there is none or the round's time is over
 *
 * The flow stands still only while the snapshots are taken. A part of a table is compared within
 * one round; the next round's snapshot is newer, so that none gets old. What is compared is
 * noted, and a controller that starts goes on from there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/memory.h"
#include "core/base/wake.h"
#include "ctl/catalog/model.h"
#include "ctl/move/reader.h"
#include "ctl/move/verify_step.h"

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
    REPLICA_MS   = 3000,  /* to get what the targets have; the flow stands still meanwhile */
    PACE_MS      = 50,
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
    json_t         *target[ROUTES_SHARDS_MAX]; /* owned: the servers that are read from */
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

/* No more of them per second than asked for, all threads together. */
static void
pace(struct verify *v, uint64_t rows)
{
    uint64_t due = 0;

    pthread_mutex_lock(&v->lock);
    v->paced += rows;
    if (v->how->rows_per_s > 0)
        due = v->began_us + v->paced * 1000000 / v->how->rows_per_s;
    while (!v->ended && clock_us() < due) {
        pthread_mutex_unlock(&v->lock);
        usleep(PACE_MS * 1000);
        pthread_mutex_lock(&v->lock);
    }
    pthread_mutex_unlock(&v->lock);
}

void
verify_count(struct verify *v, uint64_t rows)
{
    raise_by(&v->out->rows, rows);
    pace(v, rows);
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

static void
number_of(const struct move_table *t, char out[16])
{
    snprintf(out, 16, "%u", t->number);
}

void
verify_begin(struct verify *v, const struct move_table *t, struct buf *last)
{
    char        number[16];
    const char *text;

    number_of(t, number);
    pthread_mutex_lock(&v->lock);
    text = json_string_value(json_object_get(v->done, number));
    for (unsigned byte; text && sscanf(text, "%2x", &byte) == 1; text += 2)
        buf_append_byte(last, (uint8_t)byte);
    pthread_mutex_unlock(&v->lock);
}

/* Differences are counted from the beginning. Under the lock: one at a time. */
static void
note(struct verify *v)
{
    if (v->failed || v->out->missing + v->out->extra + v->out->different > 0)
        return;
    json_object_update(v->how->done, v->done);
    if (v->how->note)
        v->how->note(v->how->context);
}

bool
verify_end(struct verify *v, const struct move_table *t, struct span last)
{
    struct buf text = { 0 };
    char       number[16];
    bool       more;

    number_of(t, number);
    buf_append_hex(&text, last);
    pthread_mutex_lock(&v->lock);
    json_object_set_new(v->done, number, last.len ? json_string(buf_cstr(&text)) : json_true());
    v->out->tables_done += last.len == 0;
    note(v);
    more = clock_us() < v->round_until_us;
    pthread_mutex_unlock(&v->lock);
    buf_fini(&text);
    return more;
}

/* Those that were begun are among them. */
static unsigned
tables_left(const struct verify *v)
{
    unsigned n = 0;
    char     number[16];

    for (unsigned i = 0; i < v->m->n_tables; i++) {
        number_of(&v->m->tables[i], number);
        n += !json_is_true(json_object_get(v->done, number));
    }
    return n;
}

static const struct move_table *
next_table(struct verify *v)
{
    const struct move_table *t = NULL;
    char                     number[16];

    pthread_mutex_lock(&v->lock);
    while (!t && !v->ended && v->next < v->m->n_tables && clock_us() < v->round_until_us) {
        t = &v->m->tables[v->next++];
        number_of(t, number);
        if (json_is_true(json_object_get(v->done, number)))
            t = NULL;
    }
    pthread_mutex_unlock(&v->lock);
    return t;
}

static void *
work(void *arg)
{
    struct worker           *w = arg;
    struct verify           *v = w->v;
    const struct move_table *t;

    while ((t = next_table(v)) != NULL)
        if (!verify_table(v, t, w->source, w->target))
            break;
    pthread_mutex_lock(&v->lock);
    v->at_work--;
    pthread_cond_signal(&v->wake);
    pthread_mutex_unlock(&v->lock);
    return NULL;
}

/* --- a round -------------------------------------------------------------- */

static bool
open_target(struct verify *v, struct server *s, const json_t *server, struct sql_error *error)
{
    s->answer_s = ANSWER_S;
    return move_session_on(s, v->m, server, LOCK_S, error) &&
           server_run(s, error, "SET SESSION net_write_timeout = 31536000") &&
           server_run(s, error, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY");
}

static bool
open_targets(struct verify *v, struct round *r, struct sql_error *error)
{
    for (unsigned i = 0; i < r->n; i++) {
        r->worker[i].target = mem_alloc((v->n_targets + 1) * sizeof(*r->worker[i].target));
        for (size_t k = 0; k < v->n_targets; k++)
            if (!open_target(v, &r->worker[i].target[k], r->target[k], error))
                return false;
        if (!server_run(r->worker[i].source, error,
                        "SET SESSION net_write_timeout = 31536000"))
            return false;
    }
    return true;
}

/* What the target's log has now: all that came to it while the flow is held. */
static json_t *
replica_of_target(struct verify *v, uint32_t target)
{
    struct server    s = { .answer_s = ANSWER_S };
    struct sql_error ignored;
    char             position[GTID_TEXT_MAX];
    bool             known;

    known = move_session(&s, v->m, target, LOCK_S, &ignored) &&
            server_value(&s, position, sizeof(position), &ignored,
                         "SELECT @@global.gtid_binlog_pos");
    server_close(&s);
    return known ? reader_replica(v->m, target, position, REPLICA_MS) : NULL;
}

static void
choose_targets(struct verify *v, struct round *r)
{
    for (size_t k = 0; k < v->n_targets; k++) {
        r->target[k] = v->replicas ? replica_of_target(v, v->target[k]) : NULL;
        v->out->replicas += r->target[k] != NULL;
        if (!r->target[k])
            r->target[k] = json_incref((json_t *)(uintptr_t)move_shard(v->m, v->target[k]));
    }
}

static bool
open_source(struct verify *v, struct round *r, struct flow *f, struct sql_error *error)
{
    struct flow_status status;
    json_t            *replica = NULL;
    bool               ok;

    flow_status(f, &status);
    if (v->replicas)
        replica = reader_replica(v->m, v->source, status.position, REPLICA_MS);
    ok = replica ? move_snapshot_open_on(&r->snapshot, v->m, replica, true, r->n, GATE_MS, v->stop,
                                         error)
                 : move_snapshot_open(&r->snapshot, v->m, v->source, r->n, GATE_MS, v->stop,
                                      error);
    v->out->replicas = ok && replica;
    json_decref(replica);
    return ok;
}

static bool
open_round(struct verify *v, struct round *r, struct flow *f, struct sql_error *error)
{
    bool ok;

    if (!flow_hold(f, NULL, HOLD_MS, v->stop, error))
        return false;
    if (!open_source(v, r, f, error)) {
        flow_release(f);
        return false;
    }
    for (unsigned i = 0; i < r->n; i++)
        r->worker[i] = (struct worker){ .v = v, .source = &r->snapshot.session[i] };
    ok = flow_hold(f, r->snapshot.position, HOLD_MS, v->stop, error);
    if (ok)
        choose_targets(v, r);
    ok = ok && open_targets(v, r, error);
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
    for (size_t k = 0; k < v->n_targets; k++)
        json_decref(r->target[k]);
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
    size_t n = tables_left(v), per = SESSIONS_MAX / (v->n_targets + 1);

    n = n < THREADS_MAX ? n : THREADS_MAX;
    n = n < per ? n : per;
    return n > 0 ? (unsigned)n : 1;
}

static bool
rounds(struct verify *v, struct flow *f, struct sql_error *error)
{
    while (tables_left(v) > 0) {
        struct round *r = mem_alloc(sizeof(*r));
        bool          ok;

        r->n = threads(v);
        v->next = 0;
        ok   = open_round(v, r, f, error);
        if (ok)
            run_round(v, r);
        close_round(v, r);
        free(r);
        if (!ok && v->replicas && !(v->stop && *v->stop)) {
            log_warn("move: %s; rows are compared on the primaries", error->message);
            v->replicas = false;
            continue;
        }
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

/* All of it, or from where it was left. */
static bool
compare_all(struct verify *v, struct flow *f, struct sql_error *error)
{
    bool ok;

    v->done     = json_copy(v->how->done);
    v->began_us = clock_us();
    v->failed   = false;
    v->ended    = false;
    v->error    = (struct sql_error){ 0 };
    for (unsigned i = 0; v->out->tables_done == 0 && i < v->m->n_tables; i++)
        v->out->tables_done = v->m->n_tables - tables_left(v);
    ok = rounds(v, f, error);
    json_decref(v->done);
    return ok;
}

static uint64_t
differences(const struct verify_status *s)
{
    return s->missing + s->extra + s->different;
}

/* What replicas show may be a fault of theirs. */
static bool
compare(struct verify *v, struct flow *f, struct sql_error *error)
{
    struct verify_status *s = v->out;

    if (!compare_all(v, f, error))
        return false;
    if (s->replicas == 0 || differences(s) == 0)
        return true;
    log_warn("move: shard %s: replicas show %llu differences; the primaries are compared",
             model_text(move_shard(v->m, v->source), "name"),
             (unsigned long long)differences(s));
    s->missing = s->extra = s->different = 0;
    s->rows = s->tables_done = 0;
    json_array_clear(s->examples);
    v->replicas = false;
    return compare_all(v, f, error);
}

bool
verify_run(struct move *m, uint32_t source, struct flow *f, const struct verify_how *how,
           struct verify_status *out, const atomic_bool *stop, struct sql_error *error)
{
    struct verify v     = { .m = m, .source = source, .stop = stop, .out = out, .how = how,
                            .replicas = how->replicas };
    uint64_t      began = clock_us();
    bool          ok;

    *out = (struct verify_status){ .tables = m->n_tables, .examples = json_array(),
                                   .rows_total = estimate(m, source) };
    v.target    = mem_alloc(ROUTES_SHARDS_MAX * sizeof(*v.target));
    v.n_targets = move_targets_of(m, source, v.target);
    pthread_mutex_init(&v.lock, NULL);
    wake_init(&v.wake);
    ok = compare(&v, f, error);
    out->seconds = (double)(clock_us() - began) / 1e6;
    if (!ok)
        out->missing = out->extra = out->different = 0;
    else
        ok = judge(&v, error);
    log_info("move: shard %s verified: %llu rows in %.1f s, %u replicas read, %llu missing, %llu "
             "extra, %llu different", model_text(move_shard(m, source), "name"),
             (unsigned long long)out->rows, out->seconds, out->replicas,
             (unsigned long long)out->missing,
             (unsigned long long)out->extra, (unsigned long long)out->different);
    pthread_cond_destroy(&v.wake);
    pthread_mutex_destroy(&v.lock);
    free(v.target);
    return ok;
}
