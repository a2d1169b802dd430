/* snapshot.c - a consistent view of one server, and where in its binlog it lies. */
#include <errno.h>
#include <stdio.h>

#include "core/base/clock.h"
#include "core/base/hex.h"
#include "core/mysql/binlog.h"
#include "ctl/catalog/model.h"
#include "ctl/move/snapshot.h"

enum {
    ANSWER_S = 60, /* of a session that reads: rows come one after the other */
    LOCK_S   = 5,
    POLL_MS  = 20,
};

struct gate {
    const struct move *m;
    const json_t      *server;
    bool               replica;
    unsigned           hold_ms;
    struct server      side;
};

static double
now_ms(void)
{
    return (double)clock_us() / 1e3;
}

/* --- branches --- */

static void
note_branch(void *context, MYSQL_ROW row, const unsigned long *lengths)
{
    json_t *branches = context;
    size_t  len      = row[3] ? lengths[3] : 0;
    char    hex[2 * BINLOG_XID_BYTES + 1];

    hex_upper(hex, (struct span){ (const uint8_t *)row[3],
                                  len < BINLOG_XID_BYTES ? len : BINLOG_XID_BYTES });
    json_object_set_new(branches, hex, json_true());
}

/* All that are prepared; the caller owns the object. */
static json_t *
branches_of(struct server *s, struct sql_error *error)
{
    json_t *branches = json_object();

    if (server_each(s, note_branch, branches, error, "XA RECOVER"))
        return branches;
    json_decref(branches);
    return NULL;
}

static bool
share_one(json_t *a, json_t *b)
{
    const char *name;
    json_t     *value;

    json_object_foreach(a, name, value)
        if (json_object_get(b, name))
            return true;
    return false;
}

/* --- the moment in which nothing commits --- */

static bool
begin_all(struct snapshot *s, struct sql_error *error)
{
    for (unsigned i = 0; i < s->n; i++)
        if (!server_run(&s->session[i], error, "START TRANSACTION WITH CONSISTENT SNAPSHOT"))
            return false;
    return true;
}

static bool
add_slave_position(struct snapshot *s, struct gate *g, struct sql_error *error)
{
    char            text[GTID_TEXT_MAX];
    struct gtid_set log, slave;

    if (!server_value(&g->side, text, sizeof(text), error, "SELECT @@global.gtid_slave_pos"))
        return false;
    if (!gtid_parse(&log, s->position) || !gtid_parse(&slave, text) || !gtid_join(&log, &slave))
        return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: %s has '%.100s', which is no "
                             "position", g->side.name, text);
    gtid_print(&log, s->position);
    return true;
}

static bool
look(struct snapshot *s, struct gate *g, struct sql_error *error)
{
    json_decref(s->prepared);
    s->prepared = NULL;
    if (!server_value(&g->side, s->position, sizeof(s->position), error,
                      "SELECT @@global.gtid_binlog_pos") ||
        (g->replica && !add_slave_position(s, g, error)))
        return false;
    s->prepared = branches_of(&g->side, error);
    return s->prepared != NULL;
}

/* What is read in between counts only when END says that the stage stood until then. */
static bool
pass(struct snapshot *s, struct gate *g, struct sql_error *error)
{
    struct sql_error ignored;
    double           begin, held;
    bool             ok;

    if (!server_run(&g->side, error, "BACKUP STAGE START"))
        return false;
    begin = now_ms();
    ok = server_run(&g->side, error, "BACKUP STAGE BLOCK_COMMIT") && begin_all(s, error) &&
         look(s, g, error);
    if (!server_run(&g->side, ok ? error : &ignored, "BACKUP STAGE END"))
        ok = false;
    held = now_ms() - begin;
    if (held > s->held_ms)
        s->held_ms = held;
    if (ok && held > g->hold_ms)
        return sql_error_set(error, 1205, "shardd: shard %s: commits had to wait %.0f ms for a "
                             "snapshot, which is more than the %u ms that are allowed; it is "
                             "tried again", g->side.name, held, g->hold_ms);
    return ok;
}

/* The server itself gives up, and forgets a side session that says nothing any more, so that
 * commits go on whatever becomes of us. */
static bool
open_side(struct gate *g, struct sql_error *error)
{
    unsigned seconds = (g->hold_ms + 999) / 1000;

    g->side = (struct server){ .answer_s = seconds + 2 };
    if (!move_session_on(&g->side, g->m, g->server, LOCK_S, error))
        return false;
    if (server_run(&g->side, error, "SET SESSION max_statement_time = %.3f, wait_timeout = %u",
                   g->hold_ms / 1e3, seconds))
        return true;
    server_close(&g->side);
    return false;
}

static bool
pass_once(struct snapshot *s, struct gate *g, struct sql_error *error)
{
    bool ok;

    if (!open_side(g, error))
        return false;
    ok = pass(s, g, error);
    server_close(&g->side);
    return ok;
}

/* --- branches that were there before --- */

static bool
is_stopped(const atomic_bool *stop)
{
    return stop && atomic_load(stop);
}

/* Until none of `old` is left. The views of s->session end: they would be too old. */
static bool
wait_for_branches(struct snapshot *s, json_t *old, double deadline, const atomic_bool *stop,
                  struct sql_error *error)
{
    struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };

    for (;;) {
        json_t *now = NULL;
        bool    left;

        for (unsigned i = 0; i < s->n; i++)
            if (!server_run(&s->session[i], error, "COMMIT"))
                return false;
        now = branches_of(&s->session[0], error);
        if (!now)
            return false;
        left = share_one(old, now);
        json_decref(now);
        if (!left)
            return true;
        if (is_stopped(stop) || now_ms() > deadline)
            return sql_error_set(error, 1205, "shardd: shard %s: a branch of a transaction stays "
                                 "prepared, so no snapshot can be taken; see XA RECOVER there "
                                 "and 'shardctl txn list'; it is tried again",
                                 s->session[0].name);
        nanosleep(&pause, NULL);
    }
}

static bool
take(struct snapshot *s, struct gate *g, const atomic_bool *stop, struct sql_error *error)
{
    double  deadline = now_ms() + SNAPSHOT_BRANCHES_MS;
    json_t *old;
    bool    ok;

    if (!pass_once(s, g, error))
        return false;
    snprintf(s->from, sizeof(s->from), "%s", s->position);
    if (json_object_size(s->prepared) == 0)
        return true;
    old = json_incref(s->prepared);
    ok  = wait_for_branches(s, old, deadline, stop, error) && pass_once(s, g, error);
    if (ok && share_one(old, s->prepared)) /* a name that was used again */
        ok = sql_error_set(error, 1205, "shardd: shard %s: a transaction's name was used twice; "
                           "the snapshot is tried again", s->session[0].name);
    json_decref(old);
    return ok;
}

bool
move_snapshot_open_on(struct snapshot *s, const struct move *m, const json_t *server, bool replica,
                      unsigned n, unsigned hold_ms, const atomic_bool *stop,
                      struct sql_error *error)
{
    struct gate g = { .m = m, .server = server, .replica = replica, .hold_ms = hold_ms };
    bool        ok = n > 0 && n <= SNAPSHOT_SESSIONS_MAX;

    *s = (struct snapshot){ .n = 0 };
    for (; ok && s->n < n; s->n += ok) {
        s->session[s->n].answer_s = ANSWER_S;
        ok = move_session_on(&s->session[s->n], m, server, LOCK_S, error);
    }
    if (ok && take(s, &g, stop, error))
        return true;
    move_snapshot_close(s);
    return false;
}

bool
move_snapshot_open(struct snapshot *s, const struct move *m, uint32_t shard, unsigned n,
              unsigned hold_ms, const atomic_bool *stop, struct sql_error *error)
{
    const json_t *server = move_shard(m, shard);

    *s = (struct snapshot){ .n = 0 };
    if (!server)
        return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: job %lld names shard %u, which "
                             "is not in the catalog", (long long)m->job, (unsigned)shard);
    return move_snapshot_open_on(s, m, server, false, n, hold_ms, stop, error);
}

void
move_snapshot_close(struct snapshot *s)
{
    for (unsigned i = 0; i < SNAPSHOT_SESSIONS_MAX; i++)
        server_close(&s->session[i]);
    json_decref(s->prepared);
    *s = (struct snapshot){ .n = 0 };
}
