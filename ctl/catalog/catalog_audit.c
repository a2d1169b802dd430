/* catalog_audit.c - the lines that changes leave in the outbox, and the ends of their chain. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/base/wake.h"
#include "ctl/catalog/catalog_sqlite.h"

const char catalog_schema[] =
    "CREATE TABLE IF NOT EXISTS object ("
    " kind TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL,"
    " PRIMARY KEY (kind, name)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS outbox (seq INTEGER PRIMARY KEY, line TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS audit_ends ("
    " which TEXT PRIMARY KEY, seq INTEGER NOT NULL, hash TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS answer ("
    " who TEXT NOT NULL, key TEXT NOT NULL, print TEXT NOT NULL, boot TEXT NOT NULL,"
    " time REAL NOT NULL, body TEXT, PRIMARY KEY (who, key)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS answer_time ON answer (time);";

/* Of this thread: a request runs on one from its head to its end. */
static _Thread_local struct {
    const char *who, *request;
} acting;

void
catalog_acts_for(const char *who, const char *request)
{
    acting.who     = who;
    acting.request = request;
}

/* --- writing ------------------------------------------------------------------------ */

static void
append(struct catalog_change *change, const struct audit_event *event)
{
    sqlite3_stmt *stmt;
    char         *line;

    if (change->rc)
        return;
    stmt = catalog_prepare(change->catalog, "INSERT INTO outbox (seq, line) VALUES (?, ?)");
    line = audit_line_make(event, &change->head);
    sqlite3_bind_int64(stmt, 1, change->head.seq);
    catalog_bind(stmt, 2, line);
    if (sqlite3_step(stmt) != SQLITE_DONE)
        catalog_broken(change);
    sqlite3_finalize(stmt);
    free(line);
}

/* "shardctl" and "controller" are whoever the request is from. */
static const char *
actor(const char *who)
{
    bool ours = strcmp(who, "shardctl") == 0 || strcmp(who, "controller") == 0;

    return ours && acting.who ? acting.who : who;
}

void
catalog_audit_put(struct catalog_change *change, enum catalog_kind kind, const char *name,
                  int64_t version, const json_t *old, const json_t *new)
{
    struct audit_event event = {
        .time    = clock_wall_s(),
        .who     = actor(change->who),
        .action  = !new ? "remove" : old ? "change" : "create",
        .kind    = catalog_kind_name(kind),
        .name    = name,
        .version = version,
        .request = acting.request,
    };
    json_t *before, *after;

    audit_differences(old, new, &before, &after);
    event.before = before;
    event.after  = after;
    append(change, &event);
    json_decref(before);
    json_decref(after);
}

static void
write_end(struct catalog_change *change, const char *which, const struct audit_link *link)
{
    sqlite3_stmt *stmt = catalog_prepare(change->catalog,
        "INSERT OR REPLACE INTO audit_ends (which, seq, hash) VALUES (?, ?, ?)");

    catalog_bind(stmt, 1, which);
    sqlite3_bind_int64(stmt, 2, link->seq);
    catalog_bind(stmt, 3, link->hash);
    if (sqlite3_step(stmt) != SQLITE_DONE)
        catalog_broken(change);
    sqlite3_finalize(stmt);
}

void
catalog_audit_head(struct catalog_change *change)
{
    write_end(change, "head", &change->head);
}

bool
catalog_note(struct catalog *c, const char *who, const char *action, const char *name,
             const char *result, struct err *err)
{
    struct catalog_change *change = catalog_begin(c, who);
    struct audit_event     event  = { .time = clock_wall_s(), .who = who, .action = action,
                                      .kind = "request", .name = name, .result = result,
                                      .request = acting.request };

    append(change, &event);
    return catalog_commit(change, err) == 0;
}

/* --- the ends ----------------------------------------------------------------------- */

static void
read_end(struct catalog *c, const char *which, struct audit_link *out)
{
    sqlite3_stmt *stmt = catalog_prepare(c, "SELECT seq, hash FROM audit_ends WHERE which=?");

    *out = audit_none;
    catalog_bind(stmt, 1, which);
    if (sqlite3_step(stmt) == SQLITE_ROW) {
        out->seq = sqlite3_column_int64(stmt, 0);
        snprintf(out->hash, sizeof(out->hash), "%s",
                 (const char *)sqlite3_column_text(stmt, 1));
    }
    sqlite3_finalize(stmt);
}

void
catalog_audit_ends(struct catalog *c, struct audit_ends *out)
{
    pthread_mutex_lock(&c->lock);
    read_end(c, "before", &out->before);
    out->head = c->head;
    pthread_mutex_unlock(&c->lock);
}

bool
catalog_audit_forget(struct catalog *c, const struct audit_link *before, struct err *err)
{
    struct catalog_change *change = catalog_begin(c, "controller");

    if (change->rc == 0)
        write_end(change, "before", before);
    return catalog_commit(change, err) == 0;
}

/* --- what an older release has recorded ---------------------------------------------- */

static bool
has_table(struct catalog *c, const char *name)
{
    sqlite3_stmt *stmt = catalog_prepare(c, "SELECT 1 FROM sqlite_master WHERE name=?");
    bool          has;

    catalog_bind(stmt, 1, name);
    has = sqlite3_step(stmt) == SQLITE_ROW;
    sqlite3_finalize(stmt);
    return has;
}

static void
chain_row(struct catalog_change *change, sqlite3_stmt *row)
{
    json_t *after = json_loads((const char *)sqlite3_column_text(row, 6), JSON_DECODE_ANY, NULL);
    struct audit_event event = {
        .time    = sqlite3_column_double(row, 0),
        .who     = (const char *)sqlite3_column_text(row, 1),
        .kind    = (const char *)sqlite3_column_text(row, 2),
        .name    = (const char *)sqlite3_column_text(row, 3),
        .version = sqlite3_column_int64(row, 4),
        .action  = (const char *)sqlite3_column_text(row, 5),
        .after   = after,
    };

    append(change, &event);
    json_decref(after);
}

/* Its table had no chain; what it says is chained as of now. */
static bool
take_over(struct catalog *c, struct err *err)
{
    struct catalog_change *change = catalog_begin(c, "controller");
    sqlite3_stmt          *row    = catalog_prepare(c,
        "SELECT time, who, kind, name, version, action, body FROM audit"
        " WHERE kind <> 'inputs' ORDER BY id");

    while (row && sqlite3_step(row) == SQLITE_ROW)
        chain_row(change, row);
    sqlite3_finalize(row);
    if (change->rc == 0 && !catalog_run(c->db, "DROP TABLE audit", &change->err))
        change->rc = -EIO;
    return catalog_commit(change, err) == 0;
}

bool
catalog_audit_open(struct catalog *c, struct err *err)
{
    read_end(c, "head", &c->head);
    c->news_seq = c->head.seq;
    return !has_table(c, "audit") || take_over(c, err);
}

/* --- the outbox ---------------------------------------------------------------------- */

json_t *
catalog_outbox(struct catalog *c, int64_t seq, int limit, int64_t *first)
{
    json_t       *lines = json_array();
    sqlite3_stmt *stmt;

    pthread_mutex_lock(&c->lock);
    if (first) {
        stmt   = catalog_prepare(c, "SELECT MIN(seq) FROM outbox");
        *first = sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
        sqlite3_finalize(stmt);
    }
    stmt = catalog_prepare(c, "SELECT line FROM outbox WHERE seq > ? ORDER BY seq LIMIT ?");
    sqlite3_bind_int64(stmt, 1, seq);
    sqlite3_bind_int(stmt, 2, limit);
    while (sqlite3_step(stmt) == SQLITE_ROW)
        json_array_append_new(lines, json_string((const char *)sqlite3_column_text(stmt, 0)));
    sqlite3_finalize(stmt);
    pthread_mutex_unlock(&c->lock);
    return lines;
}

bool
catalog_outbox_done(struct catalog *c, int64_t seq, struct err *err)
{
    struct catalog_change *change = catalog_begin(c, "controller");
    sqlite3_stmt          *stmt   = catalog_prepare(c, "DELETE FROM outbox WHERE seq <= ?");

    sqlite3_bind_int64(stmt, 1, seq);
    if (change->rc == 0 && sqlite3_step(stmt) != SQLITE_DONE)
        catalog_broken(change);
    sqlite3_finalize(stmt);
    return catalog_commit(change, err) == 0;
}

/* --- news ---------------------------------------------------------------------------- */

void
catalog_tell_news(struct catalog *c)
{
    int64_t seq;

    pthread_mutex_lock(&c->lock);
    seq = c->head.seq;
    pthread_mutex_unlock(&c->lock);
    pthread_mutex_lock(&c->news_lock);
    if (seq > c->news_seq) {
        c->news_seq = seq;
        pthread_cond_broadcast(&c->news);
    }
    pthread_mutex_unlock(&c->news_lock);
}

void
catalog_wake(struct catalog *c)
{
    pthread_mutex_lock(&c->news_lock);
    c->wakes++;
    pthread_cond_broadcast(&c->news);
    pthread_mutex_unlock(&c->news_lock);
}

int64_t
catalog_wait_news(struct catalog *c, int64_t seq, unsigned ms)
{
    struct timespec until = wake_after_ms(ms);
    int64_t         now_seq;

    pthread_mutex_lock(&c->news_lock);
    unsigned wakes = c->wakes;
    while (c->news_seq <= seq && c->wakes == wakes &&
           pthread_cond_timedwait(&c->news, &c->news_lock, &until) == 0)
        ;
    now_seq = c->news_seq;
    pthread_mutex_unlock(&c->news_lock);
    return now_seq;
}
