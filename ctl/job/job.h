/* job.h - recorded work on several servers: what was begun, how far it came, how it ended.
 *
 *   running --+--> done
 *    |   ^    +--> failed     nothing is changed
 *    v   |    +--> cancelled  the same, because somebody said so
 *   paused    +--> stuck      some servers have it and some not; people must look
 *                    +--> resolved   a later job on the same table has worked
 *
 * The record is {number, kind, who, what, database, table, state, steps, error,
 * session, started, ended}, durable before the first step. A controller that starts and
 * finds a running job finishes or undoes it (ddl_recover.c). For that a record also has
 * "definitions" (see ddl_restore.c) and "undo" (see shard_resume.c), which has secrets; of
 * a server that was made or removed "made" stays (see provision_trace()).
 */
#ifndef CTL_JOB_JOB_H
#define CTL_JOB_JOB_H

#include "ctl/provision/cluster.h"

enum job_state { JOB_RUNNING, JOB_DONE, JOB_FAILED, JOB_STUCK, JOB_PAUSED, JOB_CANCELLED };

struct job {
    struct cluster *cluster;
    json_t         *record; /* owned */
};

/* Takes the cluster's change lock and writes the record. `what` is the
 * statement, or what shardctl was asked. database and table may be "". */
bool job_begin(struct job *job, struct cluster *c, const char *kind, const char *who,
               const char *what, const char *database, const char *table,
               struct sql_error *error) must_check;

/* As above with what is needed to repeat `what`: an object, kept as "session". */
bool job_begin_in(struct job *job, struct cluster *c, const char *kind, const char *who,
                  const char *what, const char *database, const char *table, json_t *session,
                  struct sql_error *error) must_check;

/* Makes the record durable as it is now: what a later controller needs to finish or undo the
 * next step. */
bool job_write(struct job *job, struct sql_error *error) must_check;

/* Notes a step, in memory: "created on shard-1". Written with the next write. */
void job_note(struct job *job, const char *fmt, ...) printf_like(2, 3);

/* Writes the end, and gives the lock back. `error` may be NULL. */
void job_end(struct job *job, enum job_state state, const struct sql_error *error);

/* For a job that takes long, so that others may change things meanwhile: the lock is given back
 * now, and such a job ends with job_close() in place of job_end(). */
void job_release(struct job *job);
void job_close(struct job *job, enum job_state state, const struct sql_error *error);

/* "running" ... */
const char *job_state_name(enum job_state state);

/* Running, paused or stuck. */
bool job_is_open(const json_t *record);

/* The record with this number, to be owned; NULL: there is none. */
json_t *job_find(struct cluster *c, int64_t number);

/* All records, newest first; `limit` 0: all. The caller owns the array. */
json_t *job_list(struct cluster *c, size_t limit, bool unfinished);

/* The catalog as the workers would see it now; routes_free(). NULL with `error`. */
struct routes *job_routes(struct cluster *c, struct sql_error *error);

/* Puts an error of the catalog or the system into a client's words. Returns false. */
bool job_fail(struct sql_error *error, const struct err *err);

/* Commits, and turns a failure into `error`. */
bool job_commit(struct catalog_change *change, struct sql_error *error) must_check;

#endif
