/* history.c - see history.h. Values are 4-byte floats in the order of the file's own list of
 * names, which only grows: another build finds the fields that it knows. */
#include "ctl/scale/history.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/memory.h"

enum { FIELDS_MAX = 256, SWEEP_MS = 600000, PATH_ROOM = 1200 };

struct history {
    char          path[PATH_ROOM];
    sqlite3      *db; /* NULL: it could not be opened */
    sqlite3_stmt *put;
    int           ours[FIELDS_MAX]; /* which of our fields the file's n-th is; -1: none */
    int           n;
    bool          failed, told, damaged;
    int64_t       swept_ms;
};

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS point (shard INTEGER NOT NULL, grain INTEGER NOT NULL,"
    " at INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (shard, grain, at)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS field (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);";

static bool
run(struct history *h, const char *sql)
{
    return h->db && sqlite3_exec(h->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static void
shut(struct history *h)
{
    if (!h->db)
        return;
    int rc     = sqlite3_errcode(h->db);
    h->damaged = rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB;
    sqlite3_finalize(h->put);
    sqlite3_close(h->db);
    h->put = NULL;
    h->db  = NULL;
}

/* --- opening ------------------------------------------------------------------ */

/* Ours that the file lacks are added to its list, which then is read. */
static bool
read_fields(struct history *h)
{
    sqlite3_stmt *stmt = NULL;
    int           rc   = SQLITE_ROW;

    for (int i = 0; i < LOAD_FIELDS_N; i++) {
        char sql[160];

        snprintf(sql, sizeof(sql), "INSERT OR IGNORE INTO field (name) VALUES ('%s')",
                 load_fields[i].name);
        if (!run(h, sql))
            return false;
    }
    if (sqlite3_prepare_v2(h->db, "SELECT name FROM field ORDER BY number", -1, &stmt, NULL) !=
        SQLITE_OK)
        return false;
    for (h->n = 0; h->n < FIELDS_MAX && (rc = sqlite3_step(stmt)) == SQLITE_ROW; h->n++) {
        const char *name = (const char *)sqlite3_column_text(stmt, 0);

        h->ours[h->n] = -1;
        for (int i = 0; name && i < LOAD_FIELDS_N; i++)
            if (strcmp(name, load_fields[i].name) == 0)
                h->ours[h->n] = i;
    }
    sqlite3_finalize(stmt);
    return rc == SQLITE_DONE;
}

static bool
open_file(struct history *h)
{
    mode_t before = umask(0077);
    int    rc     = sqlite3_open_v2(h->path, &h->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                                                     SQLITE_OPEN_FULLMUTEX, NULL);

    umask(before);
    if (rc == SQLITE_OK && run(h, "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF") &&
        run(h, schema) && run(h, "BEGIN") && read_fields(h) && run(h, "COMMIT") &&
        sqlite3_prepare_v2(h->db, "INSERT OR REPLACE INTO point VALUES (?, ?, ?, ?)", -1,
                           &h->put, NULL) == SQLITE_OK)
        return true;
    shut(h);
    return false;
}

static void
restore_row(const struct history *h, sqlite3_stmt *row, struct load *l)
{
    float             value[FIELDS_MAX + 1];
    int64_t           grain = sqlite3_column_int64(row, 1);
    size_t            len   = (size_t)sqlite3_column_bytes(row, 3);
    struct shard_load m;

    if (grain < 0 || grain >= LOAD_GRAINS_N || len < sizeof(float) ||
        len > (size_t)(h->n + 1) * sizeof(float))
        return;
    memcpy(value, sqlite3_column_blob(row, 3), len);
    shard_load_init(&m, (uint32_t)sqlite3_column_int64(row, 0), "");
    m.at_ms   = sqlite3_column_int64(row, 2);
    m.seconds = (double)value[0];
    for (size_t i = 0; i + 1 < len / sizeof(float); i++)
        if (h->ours[i] >= 0)
            m.value[h->ours[i]] = (double)value[i + 1];
    load_restore(l, (enum load_grain)grain, &m);
}

/* False: the file is damaged. */
static bool
restore(struct history *h, struct load *l)
{
    sqlite3_stmt *rows = NULL;
    int           rc;

    if (sqlite3_prepare_v2(h->db, "SELECT shard, grain, at, body FROM point"
                                  " ORDER BY shard, grain, at", -1, &rows, NULL) != SQLITE_OK)
        return false;
    while ((rc = sqlite3_step(rows)) == SQLITE_ROW)
        restore_row(h, rows, l);
    sqlite3_finalize(rows);
    return rc == SQLITE_DONE;
}

static void
set_aside(struct history *h)
{
    char to[PATH_ROOM + 8], wal[PATH_ROOM + 8];

    snprintf(to, sizeof(to), "%s.bad", h->path);
    snprintf(wal, sizeof(wal), "%s-wal", h->path);
    if (rename(h->path, to) == 0)
        log_warn("the history of the load is damaged: it is %s now, and a new one begins", to);
    unlink(wal);
    snprintf(wal, sizeof(wal), "%s-shm", h->path);
    unlink(wal);
}

struct history *
history_open(const char *folder, struct load *l)
{
    struct history *h = mem_alloc(sizeof(*h));

    snprintf(h->path, sizeof(h->path), "%s/load.db", folder);
    if (open_file(h) && restore(h, l))
        return h;
    shut(h);
    if (h->damaged)
        set_aside(h);
    if (!open_file(h))
        log_warn("%s cannot be written: the history of the load is in memory only", h->path);
    return h;
}

void
history_close(struct history *h)
{
    shut(h);
    free(h);
}

/* --- writing ------------------------------------------------------------------ */

void
history_begin(struct history *h)
{
    h->failed = !(h->db || open_file(h)) || !run(h, "BEGIN");
}

void
history_put(struct history *h, enum load_grain grain, const struct shard_load *m)
{
    float value[FIELDS_MAX + 1];

    if (h->failed)
        return;
    value[0] = (float)m->seconds;
    for (int i = 0; i < h->n; i++)
        value[i + 1] = h->ours[i] >= 0 ? (float)m->value[h->ours[i]] : NAN;
    sqlite3_bind_int64(h->put, 1, m->id);
    sqlite3_bind_int64(h->put, 2, grain);
    sqlite3_bind_int64(h->put, 3, m->at_ms);
    sqlite3_bind_blob(h->put, 4, value, (int)((size_t)(h->n + 1) * sizeof(float)), SQLITE_STATIC);
    h->failed = sqlite3_step(h->put) != SQLITE_DONE;
    sqlite3_reset(h->put);
}

static bool
sweep(struct history *h, int64_t now_ms, int interval_ms)
{
    char sql[400];

    if (now_ms - h->swept_ms < SWEEP_MS && now_ms >= h->swept_ms)
        return true;
    h->swept_ms = now_ms;
    snprintf(sql, sizeof(sql), "DELETE FROM point WHERE at < %lld"
             " OR (grain = %d AND at < %lld) OR (grain = %d AND at < %lld)",
             (long long)(now_ms - (int64_t)LOAD_HOURS_MAX * 3600000), LOAD_MINUTE,
             (long long)(now_ms - (int64_t)LOAD_MINUTES_MAX * 60000), LOAD_RAW,
             (long long)(now_ms - (int64_t)LOAD_RAW_MAX * interval_ms));
    return run(h, sql);
}

void
history_end(struct history *h, int64_t now_ms, int interval_ms)
{
    if (!h->failed && sweep(h, now_ms, interval_ms) && run(h, "COMMIT")) {
        if (h->told)
            log_info("the history of the load is written again");
        h->told = false;
        return;
    }
    if (!h->told)
        log_warn("the history of the load is not written, and kept in memory: %s",
                 h->db ? sqlite3_errmsg(h->db) : "its file cannot be opened");
    h->told = true;
    if (h->db)
        shut(h); /* which rolls back; it is opened anew the next time */
}
