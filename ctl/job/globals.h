/* globals.h - SET GLOBAL: on all shards, and on those that start again or are new.
 *
 *   first shard --> catalog (what it has become there) --> users of shardd get new
 *   refuses: no change     meta/globals, version + 1        connections, the other shards
 *
 * A server that was restarted has its settings file's values again, so that a watcher gives
 * every server that it has a new connection to what the catalog has. Variables on which
 * shardd itself depends are refused, each with its reason.
 */
#ifndef CTL_JOB_GLOBALS_H
#define CTL_JOB_GLOBALS_H

#include "ctl/job/ddl_step.h"

/* Whether the statement sets global variables, and nothing else. */
bool globals_is_set(const struct stmt *s);

/* Why a variable is not set through shardd: a clause for "... because ..."; NULL: it is. */
const char *globals_obstacle(struct span name);

/* The statement of an administrator of shardd. */
bool globals_set(struct ddl *d) must_check;

/* A controller ended in the middle of one: the first shard's values are what counts. */
enum job_state globals_resume(struct cluster *c, const json_t *record, struct sql_error *error);

struct globals_watch;

struct globals_watch *globals_watch_new(struct cluster *c);
void                  globals_watch_look(struct globals_watch *w); /* once a second, say */
void                  globals_watch_free(struct globals_watch *w);

#endif
