/* engine_sync.h - what an engine must have: the databases and accounts of the cluster.
 *
 *   databases   as on the shards, with the same default collation, always empty
 *   accounts    the users', with the secrets that workers know; they may make temporary tables
 *               and do what they want with these, read what is in databases of ours (nothing,
 *               but what the server makes up, such as seq_1_to_9), and nothing else
 *   functions   stored ones of their arguments alone, and functions and procedures that only
 *               read; the users may run them that may do so on the shards (engine_functions.c)
 *   shardd's    the service account, for KILL
 *
 * What is not in the catalog any more goes, as far as it was made here: accounts of ours have
 * the role shardd_engine_user, databases the comment "shardd". So a server
 * that is somebody else's keeps what it had.
 */
#ifndef CTL_PROVISION_ENGINE_SYNC_H
#define CTL_PROVISION_ENGINE_SYNC_H

#include "ctl/provision/cluster.h"

#define ENGINE_ROLE "shardd_engine_user" /* has every account of ours */

/* What all engines must have now, owned by the caller: {"databases": {name: collation},
 * "users": {name: secret}, "service": secret, "functions": {database: {name: as in the catalog}},
 * "procedures": the same, "execute": {user: {database or "*": true}}}. */
json_t *engine_wanted(struct cluster *c);

/* A number that differs when what is wanted does; never 0. */
uint64_t engine_wanted_hash(const json_t *wanted);

/* Compares and writes what differs. False with the first `error`; the rest is done. */
bool engine_sync(struct server *s, const json_t *wanted, struct sql_error *error) must_check;

/* One of several parts: keeps the first error, in `ok` whether there is none. */
void engine_part(bool done, bool *ok, const struct sql_error *why, struct sql_error *error);

/* Parts of these: engine_functions.c. */
void engine_wanted_functions(struct cluster *c, json_t *wanted);
bool engine_sync_functions(struct server *s, const json_t *wanted,
                           struct sql_error *error) must_check;

/* Removes all that was made there, at last the account `s` came with. */
bool engine_clear(struct server *s, struct sql_error *error) must_check;

#endif
