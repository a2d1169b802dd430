/* ddl.h - one DDL statement of a client, on the shards it belongs on.
 *
 *   parse -> probe (the statement on an empty copy, in a scratch database of the home
 *   shard, shows what the server makes of it) -> decide -> run on the shards ->
 *   catalog -> routes -> acknowledged by the workers
 *
 * A table that is new comes into the routes before its home copy exists: a
 * worker that does not know a table sends statements to the home shard, and must
 * find nothing there until it knows where rows go. What fails half-way is
 * undone where that can be; else the job, and the table, stand as stuck.
 */
#ifndef CTL_JOB_DDL_H
#define CTL_JOB_DDL_H

#include "ctl/job/job.h"

struct ddl_request {
    const char *user;       /* whose accounts run it; NULL: the controller's */
    const char *database;   /* current schema, "" none */
    struct span sql;        /* one statement, in `charset` */
    const char *sql_mode;   /* NULL: the server's */
    const char *charset;    /* NULL: utf8mb4 */
    const char *collation;  /* NULL: the charset's */
    const char *database_collation; /* where CREATE DATABASE says none; NULL: the server's */
    bool        no_foreign_key_checks;
    const char *session;    /* further assignments for SET SESSION, or NULL */
    struct span variables;  /* "@a = 1, ...": assignments to user variables, or empty */
    const char *making;     /* CREATE TABLE ... SELECT: the table's name until it is complete;
                               NULL: nobody does the rest, see ddl_select.c */
};

struct ddl_answer {
    uint64_t generation, affected;
    unsigned warnings;
    bool     counts; /* `affected` is how many records were gone through: clients are told */
    json_t  *notes; /* owned by the caller; NULL: none. [level, code, message] as SHOW WARNINGS
                       tells them, as many as a server keeps */
    json_t  *columns, *rows; /* owned by the caller; NULL: no rows. [[name, "text" or "number"],
                       ...] and [[text or null, ...], ...] */
    struct buf make, insert, drop, name, undo; /* owned by the caller: what is still to be done,
                       in the character set of the request; empty: nothing */
};

void ddl_answer_fini(struct ddl_answer *a);

/* False with `error`: the server's own where it was the server that refused. */
bool ddl_run(struct cluster *c, const struct ddl_request *request, struct ddl_answer *answer,
             struct sql_error *error) must_check;

/* The tables of statements whose worker has gone in the middle of them. */
void ddl_drop_made(struct cluster *c);

/* `shardctl table set`: an empty table becomes another kind. `key` only for sharded. */
bool ddl_set_kind(struct cluster *c, const char *who, const char *database, const char *table,
                  enum table_kind kind, const char *key, struct sql_error *error) must_check;

/* Jobs that a controller left running: finished, undone, or marked stuck. */
void ddl_recover(struct cluster *c);

#endif
