/* tail.c - see tail.h.
 *
 * The reader owns the connection from when it starts until it has ended; everything else in the
 * tail is used by both under the lock, or only by the caller's side.
 */
#include "ctl/move/tail.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <mariadb/mariadb_rpl.h>

#include "core/base/memory.h"
#include "core/base/wake.h"

enum {
    AHEAD_BYTES   = 4 << 20,
    SILENCE_S     = 60,    /* longer than any heartbeat: the server is gone */
    HEARTBEAT_MAX = 30000,
    SLAVE_KNOWS   = 4,     /* @mariadb_slave_capability: GTIDs */
    LOG_FAILED    = 1236,  /* ER_MASTER_FATAL_ERROR_READING_BINLOG */
    LOST          = 1430,  /* as server.h has it */
    EOF_BYTES     = 9,     /* packets that begin with 0xfe and are shorter end an answer */
};

/* An event on its way; its bytes behind it. */
struct piece {
    struct piece *next;
    size_t        len;
    uint8_t       bytes[];
};

struct tail {
    struct server        server;
    MARIADB_RPL         *rpl;
    char                *position;
    struct binlog_format format;
    struct buf           description;
    struct piece        *current;  /* what tail_next() gave */
    size_t               ahead_max;
    pthread_t            reader;
    bool                 started;

    pthread_mutex_t      lock;
    pthread_cond_t       changed;
    struct piece        *first, **end; /* read, not given; owned */
    size_t               ahead;        /* bytes of these */
    bool                 stop, over;   /* asked to end; has ended, with `error` */
    bool                 nudged;
    struct sql_error     error;
};

/* A refusal to give events, in words that say what to do. `error` has the server's. */
static void
explain(const struct tail *t, struct sql_error *error)
{
    char said[256];

    if (error->code != LOG_FAILED)
        return;
    snprintf(said, sizeof(said), "%.255s", error->message);
    if (strstr(said, "not in the master")) {
        sql_error_set(error, LOG_FAILED,
                      "shardd: shard %s has not written what was read from it before, up to "
                      "'%.64s': its log was reset, it was restored, or it lost transactions; "
                      "cancel the move and start it again (%s)", t->server.name, t->position,
                      said);
    } else if (strstr(said, "urged") || strstr(said, "GTID")) {
        sql_error_set(error, LOG_FAILED,
                      "shardd: shard %s no longer has the binary log that follows position "
                      "'%.64s': cancel the move and start it again, and let the server keep its "
                      "logs longer (binlog_expire_logs_seconds) (%s)", t->server.name,
                      t->position, said);
    } else if (strstr(said, "not open")) {
        sql_error_set(error, LOG_FAILED,
                      "shardd: shard %s writes no binary log: start it with log_bin and "
                      "binlog_format=ROW (%s)", t->server.name, said);
    } else {
        sql_error_set(error, LOG_FAILED,
                      "shardd: shard %s cannot send its binary log: %s", t->server.name, said);
    }
}

/* --- the reader --- */

static void
reader_end(struct tail *t, const struct sql_error *error)
{
    pthread_mutex_lock(&t->lock);
    t->error = *error;
    t->over  = true;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

/* Waits for room, then passes the piece on. False: asked to stop. */
static bool
reader_pass(struct tail *t, struct piece *piece)
{
    pthread_mutex_lock(&t->lock);
    while (!t->stop && t->first != NULL && t->ahead + piece->len > t->ahead_max)
        pthread_cond_wait(&t->changed, &t->lock);
    bool go = !t->stop;
    if (go) {
        *t->end   = piece;
        t->end    = &piece->next;
        t->ahead += piece->len;
        pthread_cond_broadcast(&t->changed);
    }
    pthread_mutex_unlock(&t->lock);
    return go;
}

/* One packet as a piece; NULL: *error. */
static struct piece *
reader_fetch(struct tail *t, struct sql_error *error)
{
    MYSQL        *mysql = t->server.mysql;
    unsigned long len   = mysql_net_read_packet(mysql);

    if (len == packet_error) {
        server_refused(&t->server, error);
        explain(t, error);
        return NULL;
    }
    const uint8_t *at = mysql->net.read_pos;
    if (len == 0 || (at[0] == 0xfe && len < EOF_BYTES)) {
        sql_error_set(error, LOST, "shardd: shard %s ended the binary log's stream",
                      t->server.name);
        return NULL;
    }
    struct piece *piece = mem_resize(NULL, sizeof(*piece) + len - 1);
    piece->next = NULL;
    piece->len  = len - 1;
    memcpy(piece->bytes, at + 1, len - 1);
    return piece;
}

static void *
reader_run(void *arg)
{
    struct tail     *t     = arg;
    struct sql_error error = { 0 };

    for (struct piece *piece; (piece = reader_fetch(t, &error)) != NULL;) {
        if (reader_pass(t, piece))
            continue;
        free(piece);
        break;
    }
    reader_end(t, &error);
    return NULL;
}

/* --- opening --- */

/* The checksums that the server's log has, as it will send them. */
static bool
negotiate(struct tail *t, const struct tail_spec *spec, struct sql_error *error)
{
    char checksum[16];

    if (!server_run(&t->server, error,
                    "SET @master_heartbeat_period = %llu, @mariadb_slave_capability = %d,"
                    " @master_binlog_checksum = @@global.binlog_checksum,"
                    " @slave_connect_state = %s, @slave_gtid_strict_mode = 1,"
                    " @slave_gtid_ignore_duplicates = 0, SESSION net_write_timeout = 3600",
                    spec->heartbeat_ms * 1000000ull, SLAVE_KNOWS, server_text(t->position)) ||
        !server_value(&t->server, checksum, sizeof(checksum), error,
                      "SELECT @master_binlog_checksum"))
        return false;
    binlog_format_init(&t->format, strcmp(checksum, "CRC32") == 0);
    return true;
}

static bool
dump(struct tail *t, const struct tail_spec *spec, struct sql_error *error)
{
    t->rpl = mariadb_rpl_init(t->server.mysql);
    if (t->rpl == NULL)
        return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: libmariadb is too old to follow "
                             "binary logs: install version 3.3");
    mariadb_rpl_optionsv(t->rpl, MARIADB_RPL_SERVER_ID, spec->server_id);
    mariadb_rpl_optionsv(t->rpl, MARIADB_RPL_START, 4ul);
    mariadb_rpl_optionsv(t->rpl, MARIADB_RPL_FLAGS, 0u);
    if (mariadb_rpl_open(t->rpl) == 0)
        return true;
    server_refused(&t->server, error);
    explain(t, error);
    return false;
}

static bool
start(struct tail *t, struct sql_error *error)
{
    t->started = pthread_create(&t->reader, NULL, reader_run, t) == 0;
    return t->started || sql_error_set(error, SQL_UNKNOWN_ERROR,
                                       "shardd: no thread for the binary log of shard %s: raise "
                                       "the limit of tasks", t->server.name);
}

static void
init_lock(struct tail *t)
{
    pthread_mutex_init(&t->lock, NULL);
    wake_init(&t->changed);
}

struct tail *
tail_open(const struct tail_spec *spec, struct sql_error *error)
{
    struct tail *t = mem_alloc(sizeof(*t));

    init_lock(t);
    t->end             = &t->first;
    t->position        = mem_strdup(spec->position);
    t->ahead_max       = spec->ahead_bytes != 0 ? spec->ahead_bytes : AHEAD_BYTES;
    t->server.answer_s = SILENCE_S;
    t->server.compress = spec->compress;
    if (server_open(&t->server, spec->shard, error) && negotiate(t, spec, error) &&
        dump(t, spec, error) && start(t, error))
        return t;
    tail_close(t);
    return NULL;
}

/* --- the caller's side --- */

/* The next piece into t->current. */
static enum tail_status
take(struct tail *t, unsigned timeout_ms, struct sql_error *error)
{
    struct timespec  until  = wake_after_ms(timeout_ms);
    enum tail_status status = TAIL_EVENT;

    free(t->current);
    t->current = NULL;
    pthread_mutex_lock(&t->lock);
    while (!t->stop && !t->over && t->first == NULL && status == TAIL_EVENT)
        if (t->nudged || pthread_cond_timedwait(&t->changed, &t->lock, &until) == ETIMEDOUT)
            status = TAIL_TIMEOUT;
    t->nudged = false;
    if (t->stop) {
        status = TAIL_INTERRUPTED;
    } else if (t->first != NULL) {
        status     = TAIL_EVENT;
        t->current = t->first;
        t->first   = t->current->next;
        t->end     = t->first != NULL ? t->end : &t->first;
        t->ahead  -= t->current->len;
        pthread_cond_broadcast(&t->changed);
    } else if (t->over) {
        status = TAIL_ERROR;
        *error = t->error;
    }
    pthread_mutex_unlock(&t->lock);
    return status;
}

enum tail_status
tail_next(struct tail *t, unsigned timeout_ms, struct binlog_event *event,
          struct sql_error *error)
{
    enum tail_status status = take(t, timeout_ms, error);

    if (status != TAIL_EVENT)
        return status;
    struct span        raw  = { t->current->bytes, t->current->len };
    enum binlog_status read = binlog_read(&t->format, raw, event);
    if (read != BINLOG_GOOD) {
        sql_error_set(error, LOG_FAILED, "shardd: an event of type %u in the binary log of shard "
                      "%s cannot be followed: %s", raw.len > 4 ? raw.ptr[4] : 0, t->server.name,
                      binlog_status_text(read));
        return TAIL_ERROR;
    }
    if (event->type == BINLOG_FORMAT_DESCRIPTION) {
        buf_clear(&t->description);
        buf_append_span(&t->description, raw);
    }
    return event->kind == BINLOG_KIND_HEARTBEAT ? TAIL_HEARTBEAT : TAIL_EVENT;
}

const struct binlog_format *
tail_format(const struct tail *t)
{
    return &t->format;
}

struct span
tail_description(const struct tail *t)
{
    return buf_unread(&t->description);
}

void
tail_interrupt(struct tail *t)
{
    pthread_mutex_lock(&t->lock);
    t->stop = true;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

void
tail_nudge(struct tail *t)
{
    pthread_mutex_lock(&t->lock);
    t->nudged = true;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

/* A reader that waits for the server is woken by the end of its socket. */
static void
end_reader(struct tail *t)
{
    if (!t->started)
        return;
    tail_interrupt(t);
    shutdown(mysql_get_socket(t->server.mysql), SHUT_RDWR);
    pthread_join(t->reader, NULL);
}

void
tail_close(struct tail *t)
{
    if (t == NULL)
        return;
    end_reader(t);
    if (t->rpl != NULL)
        mariadb_rpl_close(t->rpl);
    server_close(&t->server);
    for (struct piece *piece; (piece = t->first) != NULL;) {
        t->first = piece->next;
        free(piece);
    }
    free(t->current);
    free(t->position);
    buf_fini(&t->description);
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->lock);
    free(t);
}
