/* release.h - the way out: one server that works without shardd.
 *
 *   release   the last shard, an adopted server, has everything: all tables become global, so that
 *             the server numbers rows by itself, and each user may log in there. shardd goes on
 *             beside it: applications change over one by one.
 *   forget    the catalog forgets the shard, its databases and tables; on the server what shardd
 *             has made there goes.
 */
#ifndef CTL_JOB_RELEASE_H
#define CTL_JOB_RELEASE_H

#include "ctl/job/job.h"

#define RELEASE_FORGET "forget a released server"

/* {"address": "HOST:PORT", "tables": that became global, "notes": [sentences]}, for the caller to
 * free; NULL with a sentence. May be repeated. */
json_t *release_shard(struct cluster *c, const char *who, const char *name,
                      struct sql_error *error);
json_t *release_forget(struct cluster *c, const char *who, const char *name,
                       struct sql_error *error);

/* A controller ended in the middle of forgetting. */
enum job_state release_resume(struct cluster *c, const json_t *record,
                              struct sql_error *error) must_check;

#endif
