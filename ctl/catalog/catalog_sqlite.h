/* catalog_sqlite.h - the catalog in SQLite from inside; private to ctl/catalog. */
#ifndef CTL_CATALOG_CATALOG_SQLITE_H
#define CTL_CATALOG_CATALOG_SQLITE_H

#include <pthread.h>
#include <sqlite3.h>

#include "ctl/catalog/catalog.h"

struct catalog {
    sqlite3          *db;
    pthread_mutex_t   lock; /* around every use of `db`; held from begin to commit or cancel */
    uint64_t          stamp[CATALOG_KINDS]; /* raised by changes, also by those that are
                                               cancelled */
    struct audit_link head; /* as committed; under `lock` */
    char              boot[17]; /* of this opening, unlike any other's */
    pthread_mutex_t   news_lock;
    pthread_cond_t    news;
    int64_t           news_seq; /* of `head`; under `news_lock`, as this one: */
    unsigned          wakes;    /* catalog_wake() */
};

struct catalog_change {
    struct catalog   *catalog;
    char             *who; /* owned */
    struct audit_link head; /* as it will be */
    int               rc;   /* 0, or the first failure */
    struct err        err;
};

extern const char catalog_schema[];

bool          catalog_run(sqlite3 *db, const char *sql, struct err *err);
sqlite3_stmt *catalog_prepare(struct catalog *c, const char *sql); /* NULL: it cannot be */
void          catalog_bind(sqlite3_stmt *stmt, int at, const char *text);

/* The change fails with what SQLite says. */
void catalog_broken(struct catalog_change *change);

/* --- catalog_audit.c --- */

/* Reads the head; what an older release has recorded is chained. */
bool catalog_audit_open(struct catalog *c, struct err *err) must_check;

/* A line into the outbox, as part of the change. Either object may be NULL. */
void catalog_audit_put(struct catalog_change *change, enum catalog_kind kind, const char *name,
                       int64_t version, const json_t *old, const json_t *new);

/* The change's head becomes the catalog's, as part of it. */
void catalog_audit_head(struct catalog_change *change);

/* What was committed has lines; without the lock. */
void catalog_tell_news(struct catalog *c);

/* --- catalog_answers.c --- */
bool catalog_answers_open(struct catalog *c, struct err *err) must_check;

#endif
