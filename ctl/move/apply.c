/* apply.c - the applier's thread, its queue and its connections. */
#include "ctl/move/apply.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/base/wake.h"
#include "ctl/catalog/model.h"
#include "ctl/move/apply_internal.h"
#include "ctl/move/image.h"
#include "ctl/move/lost.h"

enum {
    QUEUE_BYTES  = 16 << 20,
    QUEUE_SPOOL  = 64 << 20, /* with items whose rows are in a file: 512 bytes each */
    BATCH_BYTES  = 4 << 20,
    BATCH_ITEMS  = 4000,
    ANSWER_S     = 120,
    LOCK_S       = 5,
    RETRY_MIN_MS = 20,
    RETRY_MAX_MS = 2000,
    ITEM_BYTES   = 512,
};

/* --- items --- */

struct item *
item_new(enum item_kind kind, const struct gtid_set *at)
{
    struct item *i = mem_alloc(sizeof(*i) + at->n * sizeof(at->at[0]));

    i->kind       = kind;
    i->n_position = at->n;
    memcpy(i->position, at->at, at->n * sizeof(at->at[0]));
    list_init(&i->node);
    return i;
}

void
item_free(struct item *i)
{
    list_remove(&i->node);
    parcel_fini(&i->parcel);
    json_decref(i->prepared);
    free(i);
}

static void
free_items(struct apply *a, struct list *items)
{
    pthread_mutex_lock(&a->lock);
    spool_done(a, items);
    pthread_mutex_unlock(&a->lock);
    LIST_EACH_SAFE(at, items)
        item_free(container_of(at, struct item, node));
}

/* --- connections --- */

/* -1: none. A duplicate is kept: libmariadb closes a socket when it sees an error, and its number
 * may be somebody else's when the other thread shuts it. */
static void
note_fd(struct apply *a, int *which, int fd)
{
    int own = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;

    pthread_mutex_lock(&a->lock);
    if (*which >= 0)
        close(*which);
    *which = own;
    if (a->stop && own >= 0)
        shutdown(own, SHUT_RDWR);
    pthread_mutex_unlock(&a->lock);
}

static void
close_one(struct apply *a, struct server *s, int *fd)
{
    note_fd(a, fd, -1);
    server_close(s);
}

static bool
open_one(struct apply *a, struct server *s, uint32_t shard, int *fd, struct sql_error *error)
{
    if (!move_shard(a->move, shard))
        return sql_error_set(error, APPLY_FATAL, "shardd: shard %u is not in the catalog; cancel "
                             "the move", shard);
    s->answer_s = ANSWER_S;
    if (!move_session(s, a->move, shard, LOCK_S, error))
        return false;
    note_fd(a, fd, (int)mysql_get_socket(s->mysql));
    return true;
}

/* Asked of each new connection: another server may have become the primary. */
static bool
fires_none(const struct apply *a, struct server *s, struct sql_error *error)
{
    bool any = false;

    for (unsigned i = 0; i < a->move->n_tables; i++)
        any = any || a->move->tables[i].before->triggers != TRIGGERS_NONE;
    return !any || image_fires_none(s, error);
}

bool
apply_origin(struct apply *a, struct sql_error *error)
{
    return a->origin.mysql || open_one(a, &a->origin, a->source, &a->fd_source, error);
}

static void
close_all(struct apply *a)
{
    close_one(a, &a->server, &a->fd_target);
    close_one(a, &a->origin, &a->fd_source);
    a->described = false;
}

bool
apply_put(struct apply *a, struct sql_error *error)
{
    bool ok;

    if (buf_len(&a->sql) > a->packet_max)
        ok = sql_error_set(error, APPLY_FATAL, "shardd: a row is too large for shard %s: set "
                           "max_allowed_packet there to more than %zu and resume the job",
                           a->server.name, buf_len(&a->sql));
    else
        ok = server_run_text(&a->server, buf_unread(&a->sql), error);
    buf_clear(&a->sql);
    return ok;
}

bool
apply_file_error(const struct apply *a, int errnum, struct sql_error *error)
{
    if (errnum == -EBADMSG)
        return sql_error_set(error, APPLY_FATAL, "shardd: what job %lld has stashed on shard %u "
                             "is damaged; cancel the move and start it again",
                             (long long)a->move->job, a->target);
    return sql_error_set(error, APPLY_FATAL, "shardd: a large transaction does not fit into %s: "
                         "%s; make room there and resume the job", a->move->c->path.home,
                         strerror(-errnum));
}

/* --- where `stream` is --- */

static bool
read_position(struct apply *a, struct sql_error *error)
{
    json_t *rows = server_rows(&a->server, error,
        "SELECT position FROM %s.stream WHERE job = %lld AND source = %u AND target = %u "
        "FOR UPDATE",
        ROUTES_MOVE_SCHEMA, (long long)a->move->job, a->source, a->target);

    if (!rows)
        return false;
    a->has_stored = json_array_size(rows) > 0;
    snprintf(a->stored, sizeof(a->stored), "%s",
             a->has_stored ? server_cell(json_array_get(rows, 0), 0) : "");
    json_decref(rows);
    if (gtid_parse(&a->position, a->stored))
        return true;
    return sql_error_set(error, APPLY_FATAL, "shardd: job %lld has no position on shard %s, but "
                         "'%.64s'; cancel the move", (long long)a->move->job, a->server.name,
                         a->stored);
}

/* A COMMIT of ours whose answer was lost has released the row by the time that we have read it. */
static bool
refresh(struct apply *a, struct sql_error *error)
{
    char packet[32];

    if (!server_value(&a->server, packet, sizeof(packet), error, "SELECT @@max_allowed_packet") ||
        !server_run(&a->server, error, "START TRANSACTION") || !read_position(a, error) ||
        !branch_load(a, error) || !server_run(&a->server, error, "COMMIT"))
        return false;
    a->packet_max = strtoull(packet, NULL, 10);
    pthread_mutex_lock(&a->lock);
    a->status.committed = a->position;
    a->status.stashed   = branch_count(a);
    pthread_mutex_unlock(&a->lock);
    return true;
}

static bool
connect_all(struct apply *a, struct sql_error *error)
{
    if (a->server.mysql)
        return true;
    a->described = false;
    if (open_one(a, &a->server, a->target, &a->fd_target, error) &&
        fires_none(a, &a->server, error) && refresh(a, error))
        return true;
    close_all(a);
    return false;
}

static bool
begin_anew(struct apply *a, const char *start, struct sql_error *error)
{
    long long job = (long long)a->move->job;

    if (!server_run(&a->server, error, "START TRANSACTION") ||
        !server_run(&a->server, error, "DELETE FROM %s.stash WHERE job = %lld AND source = %u AND "
                    "target = %u", ROUTES_MOVE_SCHEMA, job, a->source, a->target) ||
        !server_run(&a->server, error, "REPLACE INTO %s.stream (job, source, target, position) "
                    "VALUES (%lld, %u, %u, '%s')", ROUTES_MOVE_SCHEMA, job, a->source, a->target,
                    start) ||
        !server_run(&a->server, error, "COMMIT"))
        return false;
    return refresh(a, error);
}

/* --- a batch, until it is done --- */

/* The format of the log; not part of any transaction. */
static bool
take_format(struct apply *a, struct item *i, struct sql_error *error)
{
    struct span         bytes = buf_unread(&i->parcel.bytes);
    struct binlog_event e;

    if (a->has_batch && span_equal(bytes, buf_unread(&a->description)))
        return true;
    buf_clear(&a->description);
    buf_append_span(&a->description, bytes);
    if (a->has_batch)
        binlog_batch_fini(&a->batch);
    binlog_format_init(&a->format, true);
    a->described = false;
    a->has_batch = binlog_read(&a->format, buf_unread(&a->description), &e) == BINLOG_GOOD &&
                   binlog_batch_init(&a->batch, &a->format, 0);
    return a->has_batch || sql_error_set(error, APPLY_FATAL, "shardd: the binary log of shard %u "
                                         "is of a format that is not known", a->source);
}

static void
done(struct apply *a, struct list *items, uint64_t us)
{
    uint64_t rows = 0, n = 0;

    LIST_EACH(at, items) {
        const struct item *i = container_of(at, struct item, node);
        rows += i->parcel.rows;
        n    += i->kind == ITEM_ROWS || i->kind == ITEM_COMMIT;
    }
    pthread_mutex_lock(&a->lock);
    a->status.committed     = a->position;
    a->status.rows         += rows;
    a->status.transactions += n;
    a->status.stashed       = branch_count(a);
    a->status.retries       = false;
    a->status.batch_us      = us;
    pthread_mutex_unlock(&a->lock);
}

static void
commit_known(struct apply *a)
{
    snprintf(a->stored, sizeof(a->stored), "%s", a->attempt);
    a->attempt[0] = 0;
    if (!gtid_parse(&a->position, a->stored))
        a->position = (struct gtid_set){ 0 };
    branch_committed(a);
}

/* These do not move the position, which so does not tell whether they are in. */
static bool
is_repeatable(const struct item *i)
{
    return i->kind == ITEM_RESOLVE || i->kind == ITEM_LOST;
}

/* Once. True: it is in. */
static bool
try_batch(struct apply *a, struct list *items, struct sql_error *error)
{
    bool unsure = a->attempt[0] != 0, reload;

    pthread_mutex_lock(&a->lock);
    reload    = a->reload;
    a->reload = false;
    pthread_mutex_unlock(&a->lock);
    if (!connect_all(a, error) || (reload && !refresh(a, error)))
        return false;
    if (unsure && strcmp(a->stored, a->attempt) == 0 &&
        !is_repeatable(container_of(items->prev, struct item, node))) {
        a->attempt[0] = 0;
        return true;
    }
    a->attempt[0] = 0;
    if (!apply_batch(a, items, error))
        return false;
    commit_known(a);
    return true;
}

static bool
pause_ms(struct apply *a, unsigned ms)
{
    struct timespec until = wake_after_ms(ms);

    pthread_mutex_lock(&a->lock);
    while (!a->stop && pthread_cond_timedwait(&a->changed, &a->lock, &until) == 0)
        continue;
    bool stop = a->stop;
    pthread_mutex_unlock(&a->lock);
    return !stop;
}

static void
tell(struct apply *a, bool failed, const struct sql_error *error)
{
    pthread_mutex_lock(&a->lock);
    a->status.failed  = failed;
    a->status.retries = !failed;
    a->status.error   = *error;
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
    a->wake(a->context);
}

/* False: stopped or failed. */
static bool
run_batch(struct apply *a, struct list *items)
{
    struct sql_error error = { 0 };
    uint64_t         start = clock_us();

    for (unsigned wait = RETRY_MIN_MS; !a->stop; wait = wait * 2 < RETRY_MAX_MS ? wait * 2
                                                                                : RETRY_MAX_MS) {
        if (try_batch(a, items, &error)) {
            done(a, items, clock_us() - start);
            return true;
        }
        if (!lost_is_passing(&error) && !a->stop) {
            lost_explain(&error, model_text(move_shard(a->move, a->target), "name"));
            tell(a, true, &error);
            return false;
        }
        if (lost_is_lock(&error)) { /* the server has rolled back all or a statement: all is ours */
            a->attempt[0] = 0;
            branch_undone(a);
        } else {
            close_all(a);
            branch_forget_all(a);
            if (!a->stop)
                tell(a, false, &error);
        }
        if (!pause_ms(a, wait))
            break;
    }
    return false;
}

/* --- the thread --- */

/* Some items in order, waiting for the first. False: stop. */
static bool
take_items(struct apply *a, struct list *out)
{
    size_t bytes = 0, n = 0;

    pthread_mutex_lock(&a->lock);
    a->taken_us = 0;
    while (!a->stop && list_empty(&a->queue)) {
        if (!a->status.idle) {
            a->status.idle = true;
            pthread_cond_broadcast(&a->changed);
            pthread_mutex_unlock(&a->lock);
            a->wake(a->context);
            pthread_mutex_lock(&a->lock);
            continue;
        }
        pthread_cond_wait(&a->changed, &a->lock);
    }
    while (!a->stop && !list_empty(&a->queue) && bytes < BATCH_BYTES && n < BATCH_ITEMS) {
        struct item *i = container_of(a->queue.next, struct item, node);
        if (n > 0 && i->kind == ITEM_FORMAT)
            break;
        list_remove(&i->node);
        list_append(out, &i->node);
        a->taken_us = a->taken_us ? a->taken_us : i->arrived_us;
        bytes += parcel_size(&i->parcel) + ITEM_BYTES;
        n++;
        a->queued -= i->weight;
        if (i->kind == ITEM_FORMAT)
            break;
    }
    pthread_cond_broadcast(&a->changed);
    bool stop = a->stop;
    pthread_mutex_unlock(&a->lock);
    return !stop;
}

static bool
handle(struct apply *a, struct list *items)
{
    struct item     *first = container_of(items->next, struct item, node);
    struct sql_error error = { 0 };

    if (first->kind != ITEM_FORMAT)
        return run_batch(a, items);
    if (take_format(a, first, &error))
        return true;
    tell(a, true, &error);
    return false;
}

static void *
run(void *arg)
{
    struct apply *a = arg;
    bool          ok = true;
    struct list   items;

    list_init(&items);
    while (ok && take_items(a, &items)) {
        if (!list_empty(&items))
            ok = handle(a, &items);
        free_items(a, &items);
    }
    free_items(a, &items);
    pthread_mutex_lock(&a->lock);
    a->status.idle = false;
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

/* --- from other threads --- */

static struct apply *
apply_new(const struct apply_spec *spec)
{
    struct apply *a = mem_alloc(sizeof(*a));
    unsigned      n = spec->move->n_tables + 1;

    a->move      = spec->move;
    a->source    = spec->source;
    a->target    = spec->target;
    a->copy      = spec->copy;
    a->spools    = spec->spools;
    a->wake      = spec->wake;
    a->context   = spec->context;
    a->fd_target = a->fd_source = -1;
    a->tables    = mem_alloc(n * sizeof(*a->tables));
    a->hidden    = mem_alloc(n * sizeof(*a->hidden));
    a->leaving   = mem_alloc(n * sizeof(*a->leaving));
    list_init(&a->queue);
    list_init(&a->touched);
    for (unsigned i = 0; i < BRANCH_BUCKETS; i++)
        list_init(&a->branch[i]);
    pthread_mutex_init(&a->lock, NULL);
    wake_init(&a->changed);
    return a;
}

static bool
apply_begin(struct apply *a, const char *start, struct sql_error *error)
{
    if (!connect_all(a, error) || (start && !begin_anew(a, start, error)))
        return false;
    if (!a->has_stored)
        return sql_error_set(error, APPLY_FATAL, "shardd: job %lld has no position on shard %s; "
                             "cancel the move", (long long)a->move->job, a->server.name);
    a->started = pthread_create(&a->thread, NULL, run, a) == 0;
    return a->started || sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: no thread for moving "
                                       "rows: raise the limit of tasks");
}

struct apply *
apply_start(const struct apply_spec *spec, const char *start, struct sql_error *error)
{
    struct apply *a = apply_new(spec);

    if (apply_begin(a, start, error))
        return a;
    apply_stop(a);
    return NULL;
}

void
apply_interrupt(struct apply *a)
{
    pthread_mutex_lock(&a->lock);
    a->stop = true;
    if (a->fd_target >= 0)
        shutdown(a->fd_target, SHUT_RDWR);
    if (a->fd_source >= 0)
        shutdown(a->fd_source, SHUT_RDWR);
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

void
apply_stop(struct apply *a)
{
    if (!a)
        return;
    apply_interrupt(a);
    if (a->started)
        pthread_join(a->thread, NULL);
    close_all(a);
    free_items(a, &a->queue);
    branch_forget_all(a);
    apply_rows_fini(a);
    buf_fini(&a->sql);
    buf_fini(&a->description);
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

bool
apply_push(struct apply *a, struct item *i)
{
    i->weight     = ITEM_BYTES + buf_len(&i->parcel.bytes);
    i->arrived_us = clock_us();
    pthread_mutex_lock(&a->lock);
    if (a->spools && a->queued + i->weight > QUEUE_BYTES && spool_put(a, i))
        i->weight = ITEM_BYTES;
    size_t most = i->filed ? QUEUE_SPOOL : QUEUE_BYTES;
    while (!a->stop && !a->status.failed && a->queued > 0 && a->queued + i->weight > most)
        pthread_cond_wait(&a->changed, &a->lock);
    bool ok = !a->stop && !a->status.failed;
    if (ok) {
        list_append(&a->queue, &i->node);
        a->queued     += i->weight;
        a->status.idle = false;
        pthread_cond_broadcast(&a->changed);
    }
    pthread_mutex_unlock(&a->lock);
    if (!ok)
        item_free(i);
    return ok;
}

bool
apply_lost(struct apply *a)
{
    struct apply_status s;

    apply_status(a, &s);
    return apply_push(a, item_new(ITEM_LOST, &s.committed));
}

void
apply_reload(struct apply *a, const struct copy *copy)
{
    pthread_mutex_lock(&a->lock);
    a->copy   = copy;
    a->reload = true;
    pthread_mutex_unlock(&a->lock);
}

void
apply_status(struct apply *a, struct apply_status *out)
{
    pthread_mutex_lock(&a->lock);
    *out           = a->status;
    out->oldest_us = a->taken_us;
    if (a->taken_us == 0 && !list_empty(&a->queue))
        out->oldest_us = container_of(a->queue.next, struct item, node)->arrived_us;
    pthread_mutex_unlock(&a->lock);
}
