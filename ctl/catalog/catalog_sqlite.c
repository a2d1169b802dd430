/* catalog_sqlite.c - the catalog in one SQLite file, for one host.
 *
 * One connection and one mutex: writers are rare (DDL, users, jobs) and small,
 * and a reader that waits for one of them waits for one fsync. WAL with
 * synchronous=FULL: what catalog_commit() said is done survives a power cut.
 * locking_mode=EXCLUSIVE keeps a second controller out.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "core/base/memory.h"
#include "core/base/wake.h"
#include "ctl/catalog/catalog_sqlite.h"

static const char *const kind_names[CATALOG_KINDS] = {
    [CATALOG_META] = "meta",   [CATALOG_SHARD] = "shard", [CATALOG_RANGES] = "ranges",
    [CATALOG_DATABASE] = "database", [CATALOG_TABLE] = "table", [CATALOG_USER] = "user",
    [CATALOG_JOB] = "job", [CATALOG_ENGINE] = "engine",
    [CATALOG_TOKEN] = "token", [CATALOG_KEY] = "key", [CATALOG_DECISION] = "decision",
    [CATALOG_INPUTS] = "inputs", [CATALOG_REPLICA] = "replica",
};

const char *
catalog_kind_name(enum catalog_kind kind)
{
    return kind_names[kind];
}

bool
catalog_run(sqlite3 *db, const char *sql, struct err *err)
{
    char *message = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &message) == SQLITE_OK)
        return true;
    err_set(err, "the catalog: %s", message ? message : sqlite3_errmsg(db));
    sqlite3_free(message);
    return false;
}

struct catalog *
catalog_open(const char *path, struct err *err)
{
    struct catalog *c     = mem_alloc(sizeof(*c));
    mode_t          umask_before = umask(0077);
    int             rc    = sqlite3_open_v2(path, &c->db,
                  SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, NULL);

    umask(umask_before);
    pthread_mutex_init(&c->lock, NULL);
    for (size_t i = 0; i < CATALOG_KINDS; i++)
        c->stamp[i] = 1;
    pthread_mutex_init(&c->news_lock, NULL);
    wake_init(&c->news);
    if (rc != SQLITE_OK) {
        err_set(err, "cannot open the catalog %s: %s", path,
                c->db ? sqlite3_errmsg(c->db) : sqlite3_errstr(rc));
        goto fail;
    }
    /* A moment's patience: the controller before this one may be closing. */
    sqlite3_busy_timeout(c->db, 1000);
    if (!catalog_run(c->db, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL;"
                    "PRAGMA synchronous=FULL; BEGIN EXCLUSIVE; COMMIT;", err)) {
        err_set(err, "another controller has the catalog %s open; stop it first", path);
        goto fail;
    }
    if (!catalog_run(c->db, catalog_schema, err) || !catalog_audit_open(c, err) ||
        !catalog_answers_open(c, err))
        goto fail;
    return c;

fail:
    catalog_close(c);
    return NULL;
}

void
catalog_close(struct catalog *c)
{
    if (!c)
        return;
    sqlite3_close(c->db);
    pthread_mutex_destroy(&c->lock);
    pthread_mutex_destroy(&c->news_lock);
    pthread_cond_destroy(&c->news);
    free(c);
}

sqlite3_stmt *
catalog_prepare(struct catalog *c, const char *sql)
{
    sqlite3_stmt *stmt = NULL;

    if (sqlite3_prepare_v2(c->db, sql, -1, &stmt, NULL) != SQLITE_OK)
        return NULL;
    return stmt;
}

void
catalog_bind(sqlite3_stmt *stmt, int at, const char *text)
{
    sqlite3_bind_text(stmt, at, text, -1, SQLITE_TRANSIENT);
}

static json_t *
load(const unsigned char *text)
{
    return json_loads((const char *)text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

/* With the lock held. */
static json_t *
get(struct catalog *c, enum catalog_kind kind, const char *name, int64_t *version)
{
    sqlite3_stmt *stmt = catalog_prepare(c, "SELECT body, version FROM object"
                                            " WHERE kind=? AND name=?");
    json_t       *body = NULL;

    if (!stmt)
        return NULL;
    catalog_bind(stmt, 1, kind_names[kind]);
    catalog_bind(stmt, 2, name);
    if (sqlite3_step(stmt) == SQLITE_ROW) {
        body = load(sqlite3_column_text(stmt, 0));
        if (version)
            *version = sqlite3_column_int64(stmt, 1);
    }
    sqlite3_finalize(stmt);
    return body;
}

json_t *
catalog_get(struct catalog *c, enum catalog_kind kind, const char *name, int64_t *version)
{
    json_t *body;

    pthread_mutex_lock(&c->lock);
    body = get(c, kind, name, version);
    pthread_mutex_unlock(&c->lock);
    return body;
}

/* With the lock held. */
static json_t *
all_of(struct catalog *c, enum catalog_kind kind)
{
    json_t       *all  = json_object();
    sqlite3_stmt *stmt = catalog_prepare(c, "SELECT name, body FROM object"
                                             " WHERE kind=? ORDER BY name");

    if (stmt) {
        catalog_bind(stmt, 1, kind_names[kind]);
        while (sqlite3_step(stmt) == SQLITE_ROW) {
            json_t *body = load(sqlite3_column_text(stmt, 1));

            json_object_set_new(all, (const char *)sqlite3_column_text(stmt, 0), body);
        }
        sqlite3_finalize(stmt);
    }
    return all;
}

json_t *
catalog_all(struct catalog *c, enum catalog_kind kind)
{
    json_t *all;

    pthread_mutex_lock(&c->lock);
    all = all_of(c, kind);
    pthread_mutex_unlock(&c->lock);
    return all;
}

void
catalog_refresh(struct catalog *c, struct catalog_kept *kept, size_t n)
{
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < n; i++) {
        if (kept[i].stamp == c->stamp[kept[i].kind])
            continue;
        kept[i].stamp = c->stamp[kept[i].kind];
        json_decref(kept[i].value);
        kept[i].value = kept[i].name ? get(c, kept[i].kind, kept[i].name, NULL)
                                     : all_of(c, kept[i].kind);
    }
    pthread_mutex_unlock(&c->lock);
}

json_t *
catalog_read(struct catalog_change *change, enum catalog_kind kind, const char *name,
             int64_t *version)
{
    return get(change->catalog, kind, name, version);
}

void
catalog_broken(struct catalog_change *change)
{
    change->rc = -EIO;
    err_set(&change->err, "cannot write the catalog: %s", sqlite3_errmsg(change->catalog->db));
}

/* The version that is there, 0: none; and its object, to be owned. */
static int64_t
version_of(struct catalog *c, enum catalog_kind kind, const char *name, json_t **object)
{
    sqlite3_stmt *stmt = catalog_prepare(c, "SELECT version, body FROM object"
                                            " WHERE kind=? AND name=?");
    int64_t       version = 0;

    if (!stmt)
        return -1;
    catalog_bind(stmt, 1, kind_names[kind]);
    catalog_bind(stmt, 2, name);
    if (sqlite3_step(stmt) == SQLITE_ROW) {
        version = sqlite3_column_int64(stmt, 0);
        if (object)
            *object = load(sqlite3_column_text(stmt, 1));
    }
    sqlite3_finalize(stmt);
    return version;
}

/* False when the change has failed already or fails here. */
static bool
check_version(struct catalog_change *change, enum catalog_kind kind, const char *name,
              int64_t expected, int64_t *found, json_t **object)
{
    if (change->rc)
        return false;
    *found = version_of(change->catalog, kind, name, object);
    if (expected == CATALOG_ANY || *found == expected)
        return true;
    change->rc = -EAGAIN;
    err_set(&change->err, "%s '%s' was changed by somebody else meanwhile; try again",
            kind_names[kind], name);
    return false;
}

/* Of this thread: a request runs on one from its head to its end, through code that knows nothing
 * of requests. */
static _Thread_local struct {
    bool              set, failed;
    enum catalog_kind kind;
    char              name[1024];
    int64_t           version;
} wanted;

void
catalog_expect(enum catalog_kind kind, const char *name, int64_t version)
{
    wanted.set     = true;
    wanted.failed  = false;
    wanted.kind    = kind;
    wanted.version = version;
    snprintf(wanted.name, sizeof(wanted.name), "%s", name);
}

bool
catalog_expect_failed(void)
{
    bool failed = wanted.failed;

    wanted.set = wanted.failed = false;
    return failed;
}

static void
meet_expectation(struct catalog_change *change)
{
    int64_t found;

    if (!wanted.set)
        return;
    wanted.set    = false;
    wanted.failed = !check_version(change, wanted.kind, wanted.name, wanted.version,
                                     &found, NULL);
}

struct catalog_change *
catalog_begin(struct catalog *c, const char *who)
{
    struct catalog_change *change = mem_alloc(sizeof(*change));

    pthread_mutex_lock(&c->lock);
    change->catalog = c;
    change->who     = mem_strdup(who);
    change->head    = c->head;
    if (!catalog_run(c->db, "BEGIN IMMEDIATE", &change->err))
        change->rc = -EIO;
    meet_expectation(change);
    return change;
}

void
catalog_put(struct catalog_change *change, enum catalog_kind kind, const char *name,
            json_t *object, int64_t expected)
{
    sqlite3_stmt *stmt;
    int64_t       found;
    json_t       *old = NULL;
    char         *text;

    if (!check_version(change, kind, name, expected, &found, &old)) {
        json_decref(old);
        return;
    }
    change->catalog->stamp[kind]++;
    stmt = catalog_prepare(change->catalog,
                           "INSERT INTO object (kind, name, version, body) VALUES (?, ?, 1, ?)"
                           " ON CONFLICT (kind, name) DO UPDATE"
                           " SET version = version + 1, body = excluded.body");
    text = json_dumps(object, JSON_COMPACT | JSON_ENCODE_ANY);
    catalog_bind(stmt, 1, kind_names[kind]);
    catalog_bind(stmt, 2, name);
    catalog_bind(stmt, 3, text);
    if (sqlite3_step(stmt) != SQLITE_DONE)
        catalog_broken(change);
    sqlite3_finalize(stmt);
    free(text);
    if (change->rc == 0)
        catalog_audit_put(change, kind, name, found + 1, old, object);
    json_decref(old);
}

void
catalog_remove(struct catalog_change *change, enum catalog_kind kind, const char *name,
               int64_t expected)
{
    sqlite3_stmt *stmt;
    int64_t       found;
    json_t       *old = NULL;

    if (!check_version(change, kind, name, expected, &found, &old) || found == 0) {
        json_decref(old);
        return;
    }
    change->catalog->stamp[kind]++;
    stmt = catalog_prepare(change->catalog, "DELETE FROM object WHERE kind=? AND name=?");
    catalog_bind(stmt, 1, kind_names[kind]);
    catalog_bind(stmt, 2, name);
    if (sqlite3_step(stmt) != SQLITE_DONE)
        catalog_broken(change);
    sqlite3_finalize(stmt);
    if (change->rc == 0)
        catalog_audit_put(change, kind, name, found, old, NULL);
    json_decref(old);
}

static void
end(struct catalog_change *change)
{
    pthread_mutex_unlock(&change->catalog->lock);
    free(change->who);
    free(change);
}

void
catalog_cancel(struct catalog_change *change)
{
    struct err ignored;

    if (!sqlite3_get_autocommit(change->catalog->db))
        (void)catalog_run(change->catalog->db, "ROLLBACK", &ignored);
    end(change);
}

int
catalog_commit(struct catalog_change *change, struct err *err)
{
    struct catalog *c = change->catalog;
    int             rc;

    if (change->rc == 0 && change->head.seq != c->head.seq)
        catalog_audit_head(change);
    if (change->rc == 0 && !catalog_run(c->db, "COMMIT", &change->err))
        change->rc = -EIO;
    rc = change->rc;
    if (rc == 0) {
        c->head = change->head;
        end(change);
        catalog_tell_news(c);
        return 0;
    }
    *err = change->err;
    catalog_cancel(change);
    return rc;
}
