/* catalog.h - the durable truth that routes are made from.
 *
 *     reader ----------------------> catalog_get / catalog_each  (copies)
 *     writer -- catalog_begin
 *                 catalog_put, catalog_remove ...
 *               catalog_commit ----> all or nothing, an audit row each
 *
 * A store of named JSON objects, so that another store (etcd) can take the place of
 * SQLite: what objects mean is in model.h. Every object has a version
 * that starts at 1 and grows with each change; a writer names the version it
 * read, and loses with -EAGAIN when somebody else was faster. One process
 * opens a catalog at a time; its threads may share it.
 */
#ifndef CTL_CATALOG_CATALOG_H
#define CTL_CATALOG_CATALOG_H

#include <jansson.h>

#include "core/base/err.h"
#include "ctl/catalog/audit_line.h"

enum catalog_kind {
    CATALOG_META,     /* "cluster"; "move" while rows move */
    CATALOG_SHARD,    /* named by its id in decimal */
    CATALOG_RANGES,   /* one object, "map" */
    CATALOG_DATABASE, /* named as in SQL */
    CATALOG_TABLE,    /* named by catalog_table_name() */
    CATALOG_USER,     /* named as in SQL */
    CATALOG_JOB,      /* named by its number, 10 digits */
    CATALOG_ENGINE,   /* named by its id in decimal */
    CATALOG_TOKEN,    /* of the REST API, named by its id */
    CATALOG_KEY,      /* that signs such, named by its id */
    CATALOG_DECISION, /* of the scaler, named by its number, 10 digits */
    CATALOG_INPUTS,   /* what it was made from, named the same */
    CATALOG_REPLICA,  /* named by its server's id in decimal */
    CATALOG_KINDS,    /* how many there are */
};

#define CATALOG_NEW 0  /* expected version: there is none */
#define CATALOG_ANY -1 /* expected version: no matter */

struct catalog;
struct catalog_change;

/* Opens or creates the SQLite file `path` (mode 0600). Returns NULL and fills
 * `err` when it cannot, or when another process has it open. */
struct catalog *catalog_open(const char *path, struct err *err);
void            catalog_close(struct catalog *c);

/* The object, owned by the caller (json_decref), or NULL when there is none.
 * `version` may be NULL. */
json_t *catalog_get(struct catalog *c, enum catalog_kind kind, const char *name,
                    int64_t *version);

/* All objects of a kind: {name: object, ...} sorted by name (bytes), owned by the caller. */
json_t *catalog_all(struct catalog *c, enum catalog_kind kind);

/* Something that is kept of the catalog and read again only when it has changed. */
struct catalog_kept {
    enum catalog_kind kind;
    const char       *name;  /* NULL: all of the kind */
    json_t           *value; /* owned: catalog_get() or catalog_all() as of the last refresh; nobody
                                changes it */
    uint64_t          stamp; /* 0 at first */
};

/* All of them as of one moment. */
void catalog_refresh(struct catalog *c, struct catalog_kept *kept, size_t n);

/* Starts a change by `who` ("app", "shardctl", "controller"). Waits for the
 * change of another thread. Always ends with commit or cancel. */
struct catalog_change *catalog_begin(struct catalog *c, const char *who);

/* catalog_get() inside a change, which it sees. (catalog_get() itself would wait
 * for the change to end.) */
json_t *catalog_read(struct catalog_change *change, enum catalog_kind kind, const char *name,
                     int64_t *version);

/* Does not take over the reference to `object`. */
void catalog_put(struct catalog_change *change, enum catalog_kind kind, const char *name,
                 json_t *object, int64_t expected);
void catalog_remove(struct catalog_change *change, enum catalog_kind kind, const char *name,
                    int64_t expected);

/* The next change that this thread begins fails with -EAGAIN if the object does not have this
 * version then: what comes before that change may take its time. */
void catalog_expect(enum catalog_kind kind, const char *name, int64_t version);

/* Whether one has failed so since catalog_expect(); whatever is expected is forgotten. */
bool catalog_expect_failed(void) must_check;

/* Makes the change durable, and frees it. Returns 0; or -EAGAIN when a version
 * was not the expected one, -EIO when it cannot be written; `err` says which
 * object, and nothing is changed. */
int  catalog_commit(struct catalog_change *change, struct err *err) must_check;
void catalog_cancel(struct catalog_change *change);

/* --- the audit log ---
 *
 * Each change writes its lines (audit_line.h) in its own transaction, into an outbox; audit_log.h
 * takes them from there to files. The catalog keeps the chain's two ends: the last line ever
 * written, and the line before the first that is kept.
 */

/* From now on what this thread changes as "shardctl" or "controller" is by `who`, and all its
 * lines name `request`; NULL: no longer. Both stay the caller's. */
void catalog_acts_for(const char *who, const char *request);

/* A line about no object: a request with its result. False, with `err`, when it is not durable. */
bool catalog_note(struct catalog *c, const char *who, const char *action, const char *name,
                  const char *result, struct err *err);

struct audit_ends {
    struct audit_link before; /* the line before the first that is kept */
    struct audit_link head;
};
void catalog_audit_ends(struct catalog *c, struct audit_ends *out);

/* Lines up to `before` are no longer kept. */
bool catalog_audit_forget(struct catalog *c, const struct audit_link *before, struct err *err);

/* Lines of the outbox above `seq`, at most `limit`, in order: ["{...}", ...]. The caller owns
 * it. `first` (may be NULL) gets the number of the outbox's first line, 0: it is empty. */
json_t *catalog_outbox(struct catalog *c, int64_t seq, int limit, int64_t *first);

/* Lines up to `seq` are safe elsewhere. */
bool catalog_outbox_done(struct catalog *c, int64_t seq, struct err *err);

/* Waits until there is a line above `seq`, at most `ms`. Returns the last line's number. */
int64_t catalog_wait_news(struct catalog *c, int64_t seq, unsigned ms);

/* Whoever waits for news goes on. */
void catalog_wake(struct catalog *c);

/* --- answers of requests that may be repeated (ctl/api/once.h) --- */

enum { ANSWERS_KEPT = 10000, ANSWERS_KEPT_S = 86400 };

enum answer_state {
    ANSWER_NEW,    /* nobody asked so: go on, and end with keep or drop */
    ANSWER_KEPT,   /* `kept` is what was kept */
    ANSWER_OTHER,  /* the key was for another request */
    ANSWER_RUNS,   /* the request is in work */
    ANSWER_LOST,   /* a controller ended while it was in work */
    ANSWER_BROKEN, /* the catalog cannot be written */
};

/* By whom, under which key, and the hash of what is asked. `kept` is the caller's to own. */
enum answer_state catalog_answer_begin(struct catalog *c, const char *who, const char *key,
                                       const char *print, json_t **kept) must_check;
void catalog_answer_keep(struct catalog *c, const char *who, const char *key,
                         const json_t *answer);
void catalog_answer_drop(struct catalog *c, const char *who, const char *key);

/* "database.table" with '.', '%' and '/' inside either percent-encoded. The
 * caller frees it. */
char *catalog_table_name(const char *database, const char *table) must_check;

const char *catalog_kind_name(enum catalog_kind kind);

#endif
