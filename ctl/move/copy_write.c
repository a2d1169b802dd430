/* copy_write.c - the threads that write what a lane reads, a connection each. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "ctl/move/copy_part.h"
#include "ctl/move/lost.h"

enum {
    ANSWER_S  = 60,
    LOCK_S    = 20,
    ATTEMPTS  = 10, /* of a step that met somebody's locks */
    DEADLOCK  = 1213,
    TIMED_OUT = 1205,
    TRUNCATED = 1265,
    DUPLICATE = 1062,
};

static bool
is_source(const struct copy_writer *w)
{
    return w->index + 1 == w->lane->n_writers;
}

/* --- LOAD DATA from memory --- */

static int
infile_init(void **state, const char *name, void *user)
{
    (void)name;
    *state = user;
    return 0;
}

static int
infile_read(void *state, char *out, unsigned room)
{
    struct span *left = state;
    size_t       n    = left->len < room ? left->len : room;

    if (n > 0)
        memcpy(out, left->ptr, n);
    *left = span_from(*left, n);
    return (int)n;
}

static void
infile_end(void *state)
{
    (void)state;
}

static int
infile_error(void *state, char *message, unsigned room)
{
    (void)state;
    snprintf(message, room, "none");
    return 0;
}

static bool
load(struct copy_writer *w, const struct buf *statement, const struct buf *lines,
     struct sql_error *error)
{
    struct span left = buf_unread(lines);

    mysql_set_local_infile_handler(w->server.mysql, infile_init, infile_read, infile_end,
                                   infile_error, &left);
    return server_run_text(&w->server, buf_unread(statement), error);
}

/* --- what the server says about rows --- */

/* The empty value of an ENUM, which has number 0, is stored with a warning. */
static bool
is_harmless(const struct copy_table *t, const json_t *warning)
{
    const struct route_table *table = t->t->before;
    const char               *text  = server_cell(warning, 2);
    bool                      found = false;

    if (strtoul(server_cell(warning, 1), NULL, 10) != TRUNCATED)
        return false;
    for (uint32_t i = 0; i < table->n_columns && !found; i++) {
        char start[256];

        snprintf(start, sizeof(start), "Data truncated for column '%.*s' at ",
                 (int)table->columns[i].name.len, table->columns[i].name.ptr);
        found = table->columns[i].type == COLUMN_ENUM && strncmp(text, start, strlen(start)) == 0;
    }
    return found;
}

static bool
check_warnings(struct copy_writer *w, const struct copy_table *t, struct sql_error *error)
{
    unsigned n = w->server.warnings;
    json_t  *row, *rows;
    size_t   i;
    bool     good;

    if (n == 0)
        return true;
    rows = server_rows(&w->server, error, "SHOW WARNINGS");
    if (!rows)
        return false;
    good = json_array_size(rows) == n || n >= UINT16_MAX;
    json_array_foreach(rows, i, row)
        if (good && !is_harmless(t, row)) {
            good = false;
            sql_error_set(error, COPY_FATAL, "shardd: table %s.%s: shard %s does not store a row "
                          "as it was read: %s", t->t->database, t->t->name, w->server.name,
                          server_cell(row, 2));
        }
    if (!good && i == 0)
        sql_error_set(error, COPY_FATAL, "shardd: table %s.%s: shard %s gave %u warnings "
                      "and does not tell them", t->t->database, t->t->name, w->server.name, n);
    json_decref(rows);
    return good;
}

static bool
write_images(struct copy_writer *w, const struct copy_table *t, const struct copy_part *part,
             struct sql_error *error)
{
    if (image_write(&w->images, &w->server, t->image, IMAGE_INSERT, buf_unread(&part->rows),
                    error))
        return true;
    return error->code == DUPLICATE &&
           sql_error_set(error, COPY_FATAL, "shardd: table %s.%s: shard %s has a row already that "
                         "is moved to it, and must have none of these: see 'shardctl fsck', then "
                         "start the move again", t->t->database, t->t->name, w->server.name);
}

static bool
load_rows(struct copy_writer *w, const struct copy_table *t, const struct copy_part *part,
          struct sql_error *error)
{
    if (part->n_rows == 0)
        return true;
    if (t->image)
        return write_images(w, t, part, error);
    if (!load(w, &t->load, &part->rows, error))
        return false;
    if (w->server.affected != part->n_rows)
        return sql_error_set(error, COPY_FATAL, "shardd: table %s.%s: of %llu rows shard %s took "
                             "%llu; it has the others already, and must have none of the rows "
                             "that are moved to it: see 'shardctl fsck', then start the move "
                             "again", t->t->database, t->t->name,
                             (unsigned long long)part->n_rows, w->server.name,
                             (unsigned long long)w->server.affected);
    return check_warnings(w, t, error);
}

/* --- a step --- */

static bool
note_progress(struct copy_writer *w, const struct copy_step *step, uint64_t n_rows,
              struct sql_error *error)
{
    const struct copy *c   = w->lane->copy;
    struct buf         sql = { 0 };
    bool               ok;

    buf_printf(&sql, "INSERT INTO `" ROUTES_MOVE_SCHEMA "`.copied "
               "(job, source, target, tbl, last, done, n_rows) VALUES (%lld, %u, %u, %u, x'",
               (long long)c->m->job, (unsigned)c->source, (unsigned)w->shard,
               step->table->t->number);
    buf_append_hex(&sql, buf_unread(&step->last));
    buf_printf(&sql, "', %d, %llu) ON DUPLICATE KEY UPDATE last = VALUES(last), "
               "done = VALUES(done), n_rows = n_rows + VALUES(n_rows)", step->done,
               (unsigned long long)n_rows);
    ok = server_run_text(&w->server, buf_unread(&sql), error);
    buf_fini(&sql);
    return ok;
}

/* Until the source has the keys of this step. False: the lane has failed. */
static bool
wait_for_source(struct copy_writer *w, uint64_t index, struct sql_error *error)
{
    struct copy_lane   *lane   = w->lane;
    struct copy_writer *source = &lane->writers[lane->n_writers - 1];
    bool                there;

    pthread_mutex_lock(&lane->lock);
    while (source->consumed <= index && !lane->failed)
        pthread_cond_wait(&lane->changed, &lane->lock);
    there = source->consumed > index;
    pthread_mutex_unlock(&lane->lock);
    return there || sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: the copy was stopped");
}

static bool
write_once(struct copy_writer *w, struct copy_step *step, bool begin, struct sql_error *error)
{
    const struct copy_part *part = &step->parts[w->index];

    if (begin && !server_run(&w->server, error, "START TRANSACTION"))
        return false;
    if (!load_rows(w, step->table, part, error))
        return false;
    if (buf_len(&part->keys) > 0 && !load(w, &step->table->load_in, &part->keys, error))
        return false;
    if (!step->commit)
        return true;
    return note_progress(w, step, w->open_rows + part->n_rows, error) &&
           wait_for_source(w, w->consumed, error) && server_run(&w->server, error, "COMMIT");
}

static bool
may_repeat(const struct sql_error *error)
{
    return error->code == DEADLOCK || error->code == TIMED_OUT;
}

static bool
write_target(struct copy_writer *w, struct copy_step *step, struct sql_error *error)
{
    struct copy_target *progress = &step->table->targets[w->index];
    bool                begin    = !w->in_transaction;
    unsigned            attempt  = 0;

    while (!write_once(w, step, begin, error)) {
        /* Of a transaction of several steps the earlier ones are gone. */
        if (!begin || !step->commit || !may_repeat(error) || ++attempt == ATTEMPTS ||
            copy_lane_stopped(w->lane) || !server_run(&w->server, error, "ROLLBACK"))
            return false;
    }
    w->in_transaction = !step->commit;
    w->open_rows      = step->commit ? 0 : w->open_rows + step->parts[w->index].n_rows;
    if (!step->commit)
        return true;
    buf_clear(&progress->last);
    buf_append_span(&progress->last, buf_unread(&step->last));
    progress->done = step->done;
    return true;
}

static bool
write_source(struct copy_writer *w, struct copy_step *step, struct sql_error *error)
{
    const struct copy_part *part = &step->parts[w->index];

    return buf_len(&part->keys) == 0 || load(w, &step->table->load_out, &part->keys, error);
}

static bool
write_step(struct copy_writer *w, struct copy_step *step, struct sql_error *error)
{
    if (is_source(w))
        return write_source(w, step, error);
    return !step->parts[w->index].active || write_target(w, step, error);
}

/* --- threads --- */

/* The next step; NULL: there will be none. */
static struct copy_step *
next_step(struct copy_writer *w)
{
    struct copy_lane *lane = w->lane;
    struct copy_step *step = NULL;

    pthread_mutex_lock(&lane->lock);
    while (w->consumed == lane->produced && !lane->closing && !lane->failed)
        pthread_cond_wait(&lane->changed, &lane->lock);
    if (!lane->failed && w->consumed < lane->produced)
        step = &lane->steps[w->consumed % COPY_STEPS];
    pthread_mutex_unlock(&lane->lock);
    return step;
}

static void *
writer_run(void *context)
{
    struct copy_writer *w = context;
    struct copy_lane   *lane = w->lane;
    struct copy_step   *step;
    struct sql_error    error;

    mysql_thread_init();
    while ((step = next_step(w))) {
        if (!write_step(w, step, &error)) {
            lost_explain(&error, w->server.name);
            copy_lane_fail(lane, &error);
            break;
        }
        pthread_mutex_lock(&lane->lock);
        w->consumed++;
        pthread_cond_broadcast(&lane->changed);
        pthread_mutex_unlock(&lane->lock);
    }
    mysql_thread_end();
    return NULL;
}

static bool
start_writer(struct copy_lane *lane, size_t i, struct sql_error *error)
{
    struct copy_writer *w = &lane->writers[i];

    w->lane            = lane;
    w->index           = i;
    w->shard           = i < lane->copy->n_targets ? lane->copy->targets[i] : lane->copy->source;
    w->server.answer_s = ANSWER_S;
    if (!move_session(&w->server, lane->copy->m, w->shard, LOCK_S, error))
        return false;
    /* Rows are only added, and each belongs to one writer: nothing between them needs a lock. */
    if (!server_run(&w->server, error, "SET SESSION tx_isolation = 'READ-COMMITTED'"))
        return false;
    w->fd      = dup((int)mysql_get_socket(w->server.mysql));
    w->started = pthread_create(&w->thread, NULL, writer_run, w) == 0;
    return w->started ||
           sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: no thread can be made for the copy");
}

/* --- lanes --- */

bool
copy_lane_init(struct copy_lane *lane, struct copy *c, struct server *session,
               const atomic_bool *stop, double end_ms, struct sql_error *error)
{
    *lane = (struct copy_lane){ .copy = c, .session = session, .stop = stop, .end_ms = end_ms,
                                .n_writers = c->n_targets + 1 };
    pthread_mutex_init(&lane->lock, NULL);
    pthread_cond_init(&lane->changed, NULL);
    lane->fd      = dup((int)mysql_get_socket(session->mysql));
    lane->writers = mem_alloc(lane->n_writers * sizeof(*lane->writers));
    for (size_t i = 0; i < COPY_STEPS; i++)
        lane->steps[i].parts = mem_alloc(lane->n_writers * sizeof(struct copy_part));
    for (size_t i = 0; i < lane->n_writers; i++)
        if (!start_writer(lane, i, error))
            return false;
    return true;
}

bool
copy_lane_stopped(struct copy_lane *lane)
{
    bool failed;

    pthread_mutex_lock(&lane->lock);
    failed = lane->failed;
    pthread_mutex_unlock(&lane->lock);
    return failed || (lane->stop && atomic_load(lane->stop));
}

/* How far all writers are. */
static uint64_t
consumed(const struct copy_lane *lane)
{
    uint64_t least = UINT64_MAX;

    for (size_t i = 0; i < lane->n_writers; i++)
        if (lane->writers[i].consumed < least)
            least = lane->writers[i].consumed;
    return least;
}

static void
clear_step(struct copy_lane *lane, struct copy_step *step)
{
    for (size_t i = 0; i < lane->n_writers; i++) {
        buf_clear(&step->parts[i].rows);
        buf_clear(&step->parts[i].keys);
        step->parts[i].active = false;
        step->parts[i].n_rows = 0;
        step->parts[i].key_at = 0;
    }
    buf_clear(&step->last);
    step->done   = false;
    step->commit = true;
    step->n_sent = step->n_bytes = step->n_read = 0;
}

struct copy_step *
copy_lane_step(struct copy_lane *lane)
{
    struct copy_step *step = NULL;

    pthread_mutex_lock(&lane->lock);
    while (lane->produced - consumed(lane) == COPY_STEPS && !lane->failed)
        pthread_cond_wait(&lane->changed, &lane->lock);
    if (!lane->failed)
        step = &lane->steps[lane->produced % COPY_STEPS];
    pthread_mutex_unlock(&lane->lock);
    if (step)
        clear_step(lane, step);
    return step;
}

void
copy_lane_put(struct copy_lane *lane)
{
    pthread_mutex_lock(&lane->lock);
    lane->produced++;
    pthread_cond_broadcast(&lane->changed);
    pthread_mutex_unlock(&lane->lock);
}

bool
copy_lane_settle(struct copy_lane *lane)
{
    bool ok;

    pthread_mutex_lock(&lane->lock);
    while (consumed(lane) < lane->produced && !lane->failed)
        pthread_cond_wait(&lane->changed, &lane->lock);
    ok = !lane->failed;
    pthread_mutex_unlock(&lane->lock);
    return ok;
}

void
copy_lane_fail(struct copy_lane *lane, const struct sql_error *error)
{
    pthread_mutex_lock(&lane->lock);
    if (!lane->failed)
        lane->error = *error;
    lane->failed = true;
    pthread_cond_broadcast(&lane->changed);
    pthread_mutex_unlock(&lane->lock);
}

/* libmariadb closes a socket when it sees an error; the duplicate stays what it is. */
void
copy_lane_cut(struct copy_lane *lane)
{
    if (lane->fd > 0)
        shutdown(lane->fd, SHUT_RDWR);
    for (size_t i = 0; i < lane->n_writers; i++)
        if (lane->writers[i].fd > 0)
            shutdown(lane->writers[i].fd, SHUT_RDWR);
}

static void
close_fd(int fd)
{
    if (fd > 0)
        close(fd);
}

static void
free_step(const struct copy_lane *lane, struct copy_step *step)
{
    for (size_t i = 0; i < lane->n_writers; i++) {
        buf_fini(&step->parts[i].rows);
        buf_fini(&step->parts[i].keys);
    }
    buf_fini(&step->last);
    free(step->parts);
}

void
copy_lane_fini(struct copy_lane *lane)
{
    pthread_mutex_lock(&lane->lock);
    lane->closing = true;
    pthread_cond_broadcast(&lane->changed);
    pthread_mutex_unlock(&lane->lock);
    for (size_t i = 0; i < lane->n_writers; i++) {
        if (lane->writers[i].started)
            pthread_join(lane->writers[i].thread, NULL);
        server_close(&lane->writers[i].server);
        close_fd(lane->writers[i].fd);
    }
    for (size_t i = 0; i < COPY_STEPS; i++)
        free_step(lane, &lane->steps[i]);
    close_fd(lane->fd);
    free(lane->writers);
    pthread_cond_destroy(&lane->changed);
    pthread_mutex_destroy(&lane->lock);
}
