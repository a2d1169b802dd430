/* audit_log.c - from the outbox to files; see audit_log.h. */
#include "ctl/catalog/audit_log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/memory.h"
#include "core/base/wake.h"
#include "ctl/catalog/audit_check.h"
#include "ctl/catalog/audit_files.h"

enum { BATCH = 200, SAFE_US = 2000000, LOOK_MS = 500, PATIENCE_MS = 5000, PATH_ROOM = 1200,
       RECENT = 256 };

struct audit_log {
    struct catalog   *catalog;
    char              dir[1024];
    size_t            file_bytes;
    unsigned          files;
    pthread_t         thread;
    atomic_bool       stop;
    pthread_mutex_t   lock;      /* around the files and all below */
    pthread_cond_t    grown;
    int               fd;        /* of the last file; -1: none is open */
    size_t            bytes;     /* in it */
    int64_t           written;   /* the last line's number */
    int64_t           safe;      /* so far lines have left the outbox */
    uint64_t          safe_us;
    bool              complained;
    char             *recent[RECENT]; /* owned; the last lines, line n at n % RECENT */
};

static void
complain(struct audit_log *log, const char *what, const char *why)
{
    if (!log->complained)
        log_error("the audit log %s: %s; it is tried again, and nothing is lost: %s", what, why,
                  log->dir);
    log->complained = true;
}

/* --- the last file --------------------------------------------------------------------- */

static bool
open_file(struct audit_log *log, int64_t first)
{
    char path[PATH_ROOM];

    audit_files_path(log->dir, first, path, sizeof(path));
    log->fd    = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    log->bytes = 0;
    if (log->fd < 0) {
        complain(log, "cannot be written", strerror(errno));
        return false;
    }
    return true;
}

/* All that is written is on the disk, and leaves the outbox. */
static bool
make_safe(struct audit_log *log)
{
    struct err err;

    log->safe_us = clock_us();
    if (log->safe == log->written)
        return true;
    if (log->fd >= 0 && fsync(log->fd) != 0) {
        complain(log, "cannot be written", strerror(errno));
        return false;
    }
    if (!catalog_outbox_done(log->catalog, log->written, &err)) {
        complain(log, "cannot be ticked off in the catalog", err.text);
        return false;
    }
    log->safe = log->written;
    return true;
}

/* The oldest file goes; the catalog knows it first. */
static void
forget_oldest(struct audit_log *log)
{
    struct audit_files files;
    struct audit_link  before;
    struct err         err;
    char               path[PATH_ROOM];

    audit_files_list(log->dir, &files);
    for (size_t i = 0; i + log->files < files.n; i++) {
        audit_files_path(log->dir, files.first[i], path, sizeof(path));
        if (audit_files_last(path, &before) &&
            !catalog_audit_forget(log->catalog, &before, &err))
            break;
        if (unlink(path) == 0)
            log_info("audit: lines up to %" PRId64 " are no longer kept", before.seq);
    }
    audit_files_fini(&files);
}

/* A full file ends where the outbox is empty: then only the last file can need mending. */
static bool
turn(struct audit_log *log)
{
    struct audit_ends ends;

    if (log->fd >= 0 && log->bytes < log->file_bytes)
        return true;
    if (log->fd >= 0) {
        if (!make_safe(log))
            return false;
        close(log->fd);
        log->fd = -1;
        catalog_audit_ends(log->catalog, &ends);
        log_info("audit: line %" PRId64 " is %s", ends.head.seq, ends.head.hash);
    }
    if (!open_file(log, log->written + 1))
        return false;
    audit_files_sync(log->dir);
    forget_oldest(log);
    return true;
}

/* One write for whole lines; what of it did not fit is taken back. */
static bool
append(struct audit_log *log, const struct buf *text)
{
    size_t  len = buf_len(text);
    ssize_t n   = write(log->fd, text->bytes + text->start, len);

    if (n == (ssize_t)len) {
        log->bytes += len;
        return true;
    }
    complain(log, "cannot be written", n < 0 ? strerror(errno) : "the disk is full");
    if (n > 0 && ftruncate(log->fd, (off_t)log->bytes) != 0) {
        close(log->fd); /* the next start mends it */
        log->fd = -1;
    }
    return false;
}

/* Behind `written`. */
static void
remember(struct audit_log *log, const json_t *lines)
{
    json_t *line;
    size_t  i;

    json_array_foreach(lines, i, line) {
        char **place = &log->recent[(size_t)(log->written + 1 + (int64_t)i) % RECENT];

        free(*place);
        *place = mem_strdup(json_string_value(line));
    }
}

/* The line as an object, to be owned; NULL: it is not among the last ones. */
static json_t *
recall(const struct audit_log *log, int64_t seq)
{
    const char       *text = log->recent[(size_t)seq % RECENT];
    char              prev[AUDIT_HASH + 1];
    struct audit_link link;

    if (!text || audit_line_read(span_of(text), &link, prev) != AUDIT_GOOD || link.seq != seq)
        return NULL;
    return json_loads(text, JSON_ALLOW_NUL, NULL);
}

/* True: there may be more. */
static bool
take_some(struct audit_log *log)
{
    json_t    *lines = catalog_outbox(log->catalog, log->written, BATCH, NULL), *line;
    struct buf text  = { 0 };
    size_t     i, n = json_array_size(lines);
    bool       ok;

    json_array_foreach(lines, i, line) {
        buf_append_text(&text, json_string_value(line));
        buf_append_byte(&text, '\n');
    }
    ok = n > 0 && turn(log) && append(log, &text);
    buf_fini(&text);
    if (ok)
        remember(log, lines);
    json_decref(lines);
    if (!ok)
        return false;
    log->written += (int64_t)n;
    log->complained = false;
    pthread_cond_broadcast(&log->grown);
    return n == BATCH;
}

static void *
run(void *context)
{
    struct audit_log *log = context;
    int64_t           seen = 0;

    while (!atomic_load(&log->stop)) {
        seen = catalog_wait_news(log->catalog, seen, LOOK_MS);
        pthread_mutex_lock(&log->lock);
        while (take_some(log))
            ;
        if (clock_us() > log->safe_us + SAFE_US)
            (void)make_safe(log);
        pthread_mutex_unlock(&log->lock);
    }
    return NULL;
}

/* --- opening --------------------------------------------------------------------------- */

/* The last file goes on behind the last safe line: what a crash left there is written again.
 * A file without that line was not left by a crash; it stays as it is, for 'audit verify' to
 * judge, and another one begins. */
static bool
resume(struct audit_log *log, struct err *err)
{
    struct audit_files files;
    struct audit_ends  ends;
    int64_t            first = 0, last = 0;
    char               path[PATH_ROOM];
    off_t              end = 0;

    json_decref(catalog_outbox(log->catalog, INT64_MAX - 1, 1, &first));
    catalog_audit_ends(log->catalog, &ends);
    log->written = log->safe = first > 0 ? first - 1 : ends.head.seq;
    audit_files_list(log->dir, &files);
    last = files.n > 0 ? files.first[files.n - 1] : 0;
    audit_files_fini(&files);
    if (last == 0 || last > log->written + 1)
        return true;
    audit_files_path(log->dir, last, path, sizeof(path));
    if (last <= log->written && !audit_files_find(path, log->written, &end)) {
        log_error("audit: line %" PRId64 " is not in %s; see 'shardctl audit verify'",
                  log->written, path);
        return true;
    }
    if (truncate(path, end) != 0 || !open_file(log, last))
        return err_set(err, "cannot mend %s: %s", path, strerror(errno));
    log->bytes = (size_t)end;
    return true;
}

struct audit_log *
audit_log_open(struct catalog *c, const char *dir, size_t file_bytes, unsigned files,
               struct err *err)
{
    struct audit_log *log = mem_alloc(sizeof(*log));

    log->catalog    = c;
    log->fd         = -1;
    log->file_bytes = file_bytes ? file_bytes : AUDIT_FILE_BYTES;
    log->files      = files ? files : AUDIT_FILES;
    snprintf(log->dir, sizeof(log->dir), "%s", dir);
    pthread_mutex_init(&log->lock, NULL);
    wake_init(&log->grown);
    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        err_set(err, "cannot make %s: %s", dir, strerror(errno));
        goto fail;
    }
    if (!resume(log, err))
        goto fail;
    if (pthread_create(&log->thread, NULL, run, log) == 0)
        return log;
    err_set(err, "there is no thread for the audit log");

fail:
    if (log->fd >= 0)
        close(log->fd);
    pthread_mutex_destroy(&log->lock);
    pthread_cond_destroy(&log->grown);
    free(log);
    return NULL;
}

void
audit_log_close(struct audit_log *log)
{
    if (!log)
        return;
    atomic_store(&log->stop, true);
    catalog_wake(log->catalog);
    pthread_join(log->thread, NULL);
    while (take_some(log))
        ;
    (void)make_safe(log);
    if (log->fd >= 0)
        close(log->fd);
    for (size_t i = 0; i < RECENT; i++)
        free(log->recent[i]);
    pthread_mutex_destroy(&log->lock);
    pthread_cond_destroy(&log->grown);
    free(log);
}

/* --- reading --------------------------------------------------------------------------- */

/* With the lock. */
static void
wait_for(struct audit_log *log, int64_t seq, unsigned ms)
{
    struct timespec until = wake_after_ms(ms);

    while (log->written < seq && !atomic_load(&log->stop) &&
           pthread_cond_timedwait(&log->grown, &log->lock, &until) == 0)
        ;
}

int64_t
audit_log_wait(struct audit_log *log, int64_t seq, unsigned ms)
{
    int64_t written;

    pthread_mutex_lock(&log->lock);
    wait_for(log, seq + 1, ms);
    written = log->written;
    pthread_mutex_unlock(&log->lock);
    return written;
}

/* Takes the lock; all that was committed before is in the files then. Files go under the lock,
 * so which line is before the first is what it is now. */
static void
lock_current(struct audit_log *log, struct audit_ends *ends)
{
    struct audit_ends now;

    catalog_audit_ends(log->catalog, ends);
    pthread_mutex_lock(&log->lock);
    wait_for(log, ends->head.seq, PATIENCE_MS);
    catalog_audit_ends(log->catalog, &now);
    ends->before = now.before;
}

json_t *
audit_log_read(struct audit_log *log, int64_t before, size_t limit)
{
    struct audit_ends ends;
    json_t           *out = json_array(), *line, *rest;
    int64_t           at;

    lock_current(log, &ends);
    at = before > 0 && before <= log->written ? before - 1 : log->written;
    for (; at > ends.before.seq && json_array_size(out) < limit && (line = recall(log, at)); at--)
        json_array_append_new(out, line);
    if (json_array_size(out) < limit && at > ends.before.seq) {
        rest = audit_files_before(log->dir, at + 1, limit - json_array_size(out));
        json_array_extend(out, rest);
        json_decref(rest);
    }
    pthread_mutex_unlock(&log->lock);
    return out;
}

json_t *
audit_log_after(struct audit_log *log, int64_t after, size_t limit)
{
    struct audit_ends ends;
    json_t           *out = NULL, *line = NULL;

    pthread_mutex_lock(&log->lock);
    catalog_audit_ends(log->catalog, &ends);
    if (after >= ends.before.seq && after <= ends.head.seq) {
        out = json_array();
        for (int64_t at = after + 1; at <= log->written && json_array_size(out) < limit; at++) {
            if (!(line = recall(log, at)))
                break;
            json_array_append_new(out, line);
        }
        if (json_array_size(out) == 0 && after < log->written) {
            json_decref(out);
            out = audit_files_after(log->dir, after, limit);
        }
    }
    pthread_mutex_unlock(&log->lock);
    return out;
}

json_t *
audit_log_verify(struct audit_log *log, const char *expect)
{
    struct audit_check check = { .list = json_array(), .expect = expect };
    struct audit_files files;
    struct audit_ends  ends;
    char               path[PATH_ROOM];

    lock_current(log, &ends);
    check.last  = ends.before;
    check.begun = true;
    check.until = ends.head.seq;
    audit_files_list(log->dir, &files);
    for (size_t i = 0; i < files.n; i++) {
        if (i + 1 < files.n && files.first[i + 1] <= ends.before.seq + 1)
            continue; /* no longer kept, and not yet removed */
        audit_files_path(log->dir, files.first[i], path, sizeof(path));
        audit_check_file(&check, path);
    }
    pthread_mutex_unlock(&log->lock);
    audit_files_fini(&files);
    audit_check_end(&check, &ends.head);
    return audit_check_report(&check);
}

json_t *
audit_files_verify(const char *const *paths, size_t n, const char *expect)
{
    struct audit_check check = { .list = json_array(), .expect = expect };

    for (size_t i = 0; i < n; i++)
        audit_check_file(&check, paths[i]);
    audit_check_end(&check, NULL);
    return audit_check_report(&check);
}
