/* cutover_lock.c - the servers of a switch: sessions, locks, and what may still be under way. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/move/cutover_step.h"
#include "shm/slots.h"

enum {
    ANSWER_S        = 5,
    END_MS          = 5000, /* for a session to be gone after its KILL */
    END_LOOK_US     = 5000,
    LOCK_S          = 2,
    EARLY_MS        = 20,   /* so that a wait ends before the watchdog does */
    INTERRUPTED     = 1969, /* ER_STATEMENT_TIMEOUT */
    NO_SUCH_THREAD  = 1094,
    WORKER_QUIET_MS = 2000,   /* what a worker that died has sent is read by then */
    WORKER_LATE_MS  = 60000,  /* and may wait for a lock as long as this */
};

/* --- sessions ------------------------------------------------------------- */

static bool
listed(const struct cutover_run *r, uint32_t id, struct cutover_server **found)
{
    for (size_t i = 0; i < r->n_servers; i++)
        if (r->server[i].id == id) {
            *found = &r->server[i];
            return true;
        }
    return false;
}

static struct cutover_server *
put_server(struct cutover_run *r, uint32_t id)
{
    struct cutover_server *server;

    if (listed(r, id, &server))
        return server;
    server     = &r->server[r->n_servers++];
    server->id = id;
    return server;
}

static void
list_servers(struct cutover_run *r)
{
    uint32_t *ids = mem_alloc(ROUTES_SHARDS_MAX * sizeof(*ids));

    r->server    = mem_alloc(ROUTES_SHARDS_MAX * sizeof(*r->server));
    r->n_sources = move_sources(r->m, ids);
    for (size_t i = 0; i < r->n_sources; i++)
        put_server(r, ids[i])->source = true;
    for (size_t i = 0; i < r->n_sources; i++) {
        size_t n = move_targets_of(r->m, r->server[i].id, ids);

        r->server[i].n_rows_to = (uint32_t)n;
        for (size_t k = 0; k < n; k++)
            put_server(r, ids[k])->target = true;
    }
    for (size_t i = 0; i < r->n_sources; i++)
        r->mixed = r->mixed || r->server[i].target;
    put_server(r, journal_shard(r->m));
    free(ids);
}

/* Its time limit and its locks are one packet: see lock_one(). */
static bool
open_lock(struct cutover_run *r, struct cutover_server *s)
{
    return move_session(&s->lock, r->m, s->id, LOCK_S, r->error) &&
           (mysql_set_server_option(s->lock.mysql, MYSQL_OPTION_MULTI_STATEMENTS_ON) == 0 ||
            server_failed(&s->lock, r->error));
}

bool
cutover_open(struct cutover_run *r)
{
    list_servers(r);
    for (size_t i = 0; i < r->n_servers; i++) {
        struct cutover_server *s = &r->server[i];

        s->work.answer_s = s->lock.answer_s = ANSWER_S;
        if (!move_session(&s->work, r->m, s->id, LOCK_S, r->error) ||
            (s->source && !open_lock(r, s)))
            return false;
        s->work_thread = mysql_thread_id(s->work.mysql);
    }
    return true;
}

static bool
is_gone(struct server *s, unsigned long thread, struct sql_error *error)
{
    char n[24];

    return server_value(s, n, sizeof(n), error, "SELECT COUNT(*) FROM "
                        "information_schema.PROCESSLIST WHERE ID = %lu", thread) &&
           strcmp(n, "0") == 0;
}

static bool
end_one(struct cutover_run *r, struct cutover_server *s, struct sql_error *error)
{
    uint64_t      until = clock_us() + END_MS * 1000ull;
    struct server side  = { .answer_s = ANSWER_S };
    bool          gone  = false;

    server_close(&s->work);
    error->code = 0;
    if (move_session(&side, r->m, s->id, LOCK_S, error) &&
        (server_run(&side, error, "KILL %lu", s->work_thread) || error->code == NO_SUCH_THREAD))
        while (!(gone = is_gone(&side, s->work_thread, error)) && clock_us() < until)
            usleep(END_LOOK_US);
    if (!gone)
        log_warn("move: job %lld: what a session on shard %u has begun may end there later%s%s",
                 (long long)r->m->job, s->id, error->code ? ": " : "",
                 error->code ? error->message : "");
    server_close(&side);
    return gone;
}

void
cutover_end_work(struct cutover_run *r)
{
    struct sql_error *caller = r->error, ignored;

    r->error = &ignored;
    (void)!cutover_each(r, cutover_is_source, end_one);
    r->error = caller;
}

void
cutover_close(struct cutover_run *r)
{
    for (size_t i = 0; i < r->n_servers; i++) {
        server_close(&r->server[i].lock);
        server_close(&r->server[i].work);
    }
    free(r->server);
}

/* --- LOCK TABLES ---------------------------------------------------------- */

/* Has the source rows of this table that leave it? All that could have are locked. */
static bool
is_there(const struct move *m, const struct move_table *t, uint32_t source)
{
    return t->before->kind != TABLE_GLOBAL || move_home(m->before, t->before->database) == source;
}

static bool
lock_one(struct cutover_run *r, struct cutover_server *s, struct sql_error *error)
{
    struct buf sql  = { 0 };
    unsigned   left = cutover_left_ms(r), n = 0;
    bool       ok;

    left = left > 2 * EARLY_MS ? left - EARLY_MS : left / 2 + 1;
    buf_printf(&sql, "SET SESSION max_statement_time = %u.%03u; LOCK TABLES ", left / 1000,
               left % 1000);
    for (unsigned i = 0; i < r->m->n_tables; i++) {
        const struct move_table *t = &r->m->tables[i];

        if (is_there(r->m, t, s->id))
            buf_printf(&sql, "%s%s.%s READ", n++ ? ", " : "", server_name(t->database),
                       server_name(t->name));
    }
    /* An attached branch and an open transaction have the table; a detached one does not. */
    ok = n == 0 || server_run_text(&s->lock, buf_unread(&sql), error);
    buf_fini(&sql);
    if (!ok && error->code == INTERRUPTED)
        sql_error_set(error, INTERRUPTED, "shardd: a transaction or a statement that uses "
                      "tables that move is open on shard %s", s->lock.name);
    return ok;
}

bool
cutover_lock(struct cutover_run *r)
{
    return cutover_each(r, cutover_is_source, lock_one);
}

bool
cutover_lock_mixed(struct cutover_run *r)
{
    return cutover_each(r, cutover_is_mixed, lock_one);
}

static void
unlock_one(struct cutover_server *s)
{
    struct sql_error ignored;

    if (s->lock.mysql && !server_run(&s->lock, &ignored, "UNLOCK TABLES"))
        server_close(&s->lock); /* what a lost session had is free as well */
}

void
cutover_unlock_mixed(struct cutover_run *r)
{
    for (size_t i = 0; i < r->n_sources; i++)
        if (r->server[i].target)
            unlock_one(&r->server[i]);
}

void
cutover_unlock(struct cutover_run *r)
{
    for (size_t i = 0; i < r->n_sources; i++)
        unlock_one(&r->server[i]);
}

/* --- branches ------------------------------------------------------------- */

/* Any prepared branch may have rows of ours, also another program's. Bytes are told as far as
 * they are letters. */
static bool
branches(struct cutover_server *s, char name[64], bool *there, struct sql_error *error)
{
    json_t     *rows = server_rows(&s->work, error, "XA RECOVER");
    const char *data = server_cell(json_array_get(rows, 0), 3);
    size_t      n    = 0;

    if (!rows)
        return false;
    *there = json_array_size(rows) > 0;
    for (; n < 63 && data[n]; n++)
        name[n] = data[n] >= ' ' && data[n] <= '~' ? data[n] : '?';
    name[n] = 0;
    json_decref(rows);
    return true;
}

static bool
no_branch(struct cutover_run *r, struct cutover_server *s, struct sql_error *error)
{
    char name[64];
    bool there;

    for (;;) {
        if (!branches(s, name, &there, error))
            return false;
        if (!there)
            return true;
        if (cutover_left_ms(r) == 0)
            return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: a prepared branch of a "
                                 "transaction is open on shard %s: %s; 'shardctl txn list' "
                                 "says more", s->work.name, name);
        usleep(1000);
    }
}

/* --- positions ------------------------------------------------------------ */

static bool
read_position(struct cutover_run *r, struct cutover_server *s, struct sql_error *error)
{
    (void)r;
    return server_value(&s->work, s->position, sizeof(s->position), error,
                        "SELECT @@gtid_binlog_pos");
}

/* XA COMMIT of a branch is in the log behind its rows: so branches first. */
static bool
last_position(struct cutover_run *r, struct cutover_server *s, struct sql_error *error)
{
    return (!s->source || no_branch(r, s, error)) && read_position(r, s, error);
}

bool
cutover_positions(struct cutover_run *r)
{
    return cutover_each(r, cutover_takes_part, last_position);
}

bool
cutover_positions_mixed(struct cutover_run *r)
{
    return cutover_each(r, cutover_is_mixed, read_position);
}

/* --- what workers that died have left ------------------------------------- */

/* For how long the youngest worker serves; and whether it is one that came after the others,
 * instead of one that died. True when there are none. */
static bool
workers(struct cutover_run *r, uint64_t *mark, uint64_t *youngest_ms, bool *replaced)
{
    const struct slots *slots = publish_slots(r->m->c->publisher);
    uint64_t            first = UINT64_MAX, last = 0, now = slots_now_ms();

    *mark = slots ? gate_mark(slots) : 0;
    for (uint32_t i = 0; slots && i < slots->n_workers; i++) {
        const struct slot_life *life = &slots_at(slots, i)->life;
        uint64_t                at   = life->started_ms;

        if (life->pid == 0)
            continue;
        first = at < first ? at : first;
        last  = at > last ? at : last;
    }
    *replaced    = last > 0 && (slots_epoch(slots) > 1 || last - first > WORKER_QUIET_MS);
    *youngest_ms = last > 0 ? now - last : UINT64_MAX;
    publish_slots_done(r->m->c->publisher);
    return true;
}

bool
cutover_quiet_workers(struct cutover_run *r)
{
    uint64_t deadline = clock_us() + 3 * WORKER_QUIET_MS * 1000, youngest_ms;
    bool     replaced;

    while (workers(r, &r->mark, &youngest_ms, &replaced) && replaced &&
           youngest_ms < WORKER_QUIET_MS) {
        if (clock_us() > deadline)
            return sql_error_set(r->error, SQL_UNKNOWN_ERROR, "shardd: a worker of shardd ended "
                                 "just now; what it has sent to servers may still be under way");
        usleep(20000);
    }
    return true;
}

/* Statements wait behind our locks. Those of live workers are on rows that stay; those of dead
 * ones cannot be told from them, would run after the unlock, and are ended. */
static bool
end_waiting(struct cutover_run *r, struct cutover_server *s)
{
    json_t          *rows, *row;
    struct sql_error ignored;
    size_t           i;

    rows = server_rows(&s->work, r->error, "SELECT ID FROM information_schema.PROCESSLIST"
                       " WHERE COMMAND <> 'Sleep' AND STATE LIKE 'Waiting for table%%'");
    json_array_foreach(rows, i, row) {
        log_warn("move: statement of connection %s on shard %s ended: a worker of shardd died "
                 "lately", server_cell(row, 0), s->work.name);
        if (!server_run(&s->work, &ignored, "KILL %s", server_cell(row, 0)))
            continue; /* it has ended */
    }
    json_decref(rows);
    return rows != NULL;
}

bool
cutover_late_writers(struct cutover_run *r)
{
    uint64_t mark, youngest_ms;
    bool     replaced;

    if (!workers(r, &mark, &youngest_ms, &replaced))
        return false;
    if (mark != r->mark)
        return sql_error_set(r->error, SQL_UNKNOWN_ERROR, "shardd: a worker of shardd ended, or "
                             "left a commit undecided, during the switch");
    if (!replaced || youngest_ms > WORKER_LATE_MS)
        return true;
    for (size_t i = 0; i < r->n_sources; i++)
        if (!end_waiting(r, &r->server[i]))
            return false;
    return true;
}
