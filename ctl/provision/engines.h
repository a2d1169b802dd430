/* engines.h - the servers that run what the shards cannot: one is made, all are kept up to date.
 *
 *   catalog --engines_follow()--> databases and accounts on each, before each publication
 *                                      ^
 *   a thread of its own ---------------+   makes the first engine of a cluster; repeats what did
 *                                          not work, and does it again on one that has started
 *                                          anew
 *
 * An engine has nothing to lose, and shards do without it: nothing here ever fails because one
 * is away. cluster_tick() restarts those that are processes of ours.
 */
#ifndef CTL_PROVISION_ENGINES_H
#define CTL_PROVISION_ENGINES_H

#include "ctl/provision/cluster.h"

/* Sets c->engines. `make`: the cluster gets an engine when it never had one. */
void engines_start(struct cluster *c, bool make);
void engines_stop(struct cluster *c);

/* Is one about to be of use? Not when it cannot be reached and is not a process of ours. */
bool engines_pending(struct cluster *c);

/* Brings those that answered last time up to date. Called by any thread. */
void engines_follow(struct cluster *c);

/* Every engine of the catalog has what it says now: none would run a routine of before. One that
 * is starting is waited for; a process of ours that has ended starts from nothing. False: `who`
 * does not answer, or refuses. */
bool engines_agree(struct cluster *c, char who[64]) must_check;

/* Makes an engine of ours, waits until it can be used, and puts it into catalog and routes.
 * The caller holds the change lock. */
bool engines_make(struct cluster *c, const char *who, const char *name,
                  struct err *err) must_check;

/* The steps of that for one that exists. A new object, owned by the caller, has id and name
 * ("" for "engine-N"); when its server is up to date it goes into catalog and routes, which
 * must not name an engine that lets nobody in. */
json_t *engines_new(struct cluster *c, const char *name, struct err *err) must_check;
bool    engines_sync_new(struct cluster *c, const json_t *engine,
                         struct sql_error *error) must_check;
bool    engines_put(struct cluster *c, const char *who, json_t *engine,
                    struct err *err) must_check;

/* What is wrong with the engine, "" when nothing is known to be. */
void engines_problem(struct cluster *c, int64_t id, char out[256]);

#endif
