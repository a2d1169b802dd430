/* model.h - what the catalog's objects mean, and words for reading them.
 *
 *   meta/cluster   format (of the catalog), uuid, instance, generation, users_generation,
 *                  next_shard, next_replica, next_engine, next_sequence, next_job,
 *                  next_decision, service_user, replica_secret,
 *                  service_secret, provision (settings of provision.h), lower_case,
 *                  engine_made (`up` makes none any more)
 *   engine/ID      as a shard, for a server that runs what the shards cannot; ids from
 *                  ROUTES_ENGINE_ID
 *   shard/ID       id, name, host, port, socket, state (up|draining),
 *                  provisioner (local|docker|systemd|static), directory, container, unit,
 *                  found (by discovery), milli_cpus, memory_bytes, user, secret (of the
 *                  controller),
 *                  account_host (static: what users' accounts are bound to there),
 *                  agent (URL of its machine's node-exporter; "" or absent: none),
 *                  tls (the controller uses it there), tls_ca (a file; "": unverified),
 *                  server_id (of its primary's server; absent: its own id), server_name, epoch
 *                  (of the primary; absent: 0), lost (see core/route/table.h)
 *   replica/ID     what of a shard is about its server; id (the server's: from ROUTES_REPLICA_ID,
 *                  or of the shard whose server it was), shard (its id), state
 *                  (serving|draining|disabled), weight, zone, suspect (why it may have what its
 *                  primary has not: it does not replicate before it was looked at)
 *   ranges/map     ranges: [["<start, 16 hex digits>", shard id], ...] sorted
 *   database/NAME  name, consistency ("": not set), policy (auto|global), home (shard id),
 *                  collation, collation_id, code (has, or once had, routines or triggers),
 *                  functions: {name in small letters: {class (function_class_name()); of a plain
 *                  one, and of one with reads (it only reads), also text (from its parameters
 *                  on), sql_mode, charset, collation: see ctl/job/ddl_function.c; of any other
 *                  than a plain one that could be read uses, functions, procedures: see
 *                  model_routine.h}}, procedures: {the same}
 *   table/NAME     database, name, kind (global|sharded|reference|view), key, sequence,
 *                  reason, remedy, view_kind, state (ok|stuck), columns: [...], triggers
 *                  ("own row" or "changing", see route_triggers; absent: none); of a view
 *                  view_text (its SELECT as the server has it), view_collation (id; absent:
 *                  neither is known), expands (see route_table.view_expands), view_unchecked (it
 *                  has no CHECK OPTION; false: it has, or that is not known), view_materialized
 *                  (it has ALGORITHM = TEMPTABLE; false: not, or that is not known)
 *   user/NAME      name, plugin (absent: mysql_native_password), verifier (hex digits),
 *                  old_verifier (also good; "" or absent: none), has_password, admin, secret,
 *                  commit, consistency, token, the limits of user.h, locked (nobody logs in),
 *                  grants: ["SELECT ON `a`.*", ...] (absent: everything in every database),
 *                  uneven (the shards' rights may differ: see ctl/job/admin_rights.c)
 *   meta/move      while rows move: job (its number), fenced: {ranges: ["<start>", ...], shards:
 *                  [id, ...], tables: ["<catalog name>", ...]}, hide: {"<catalog name>": name of
 *                  a table in ROUTES_MOVE_SCHEMA}, hiding: [id, ...] (the shards that have
 *                  keys in those; absent: all), cut (transactions of before the fence end at
 *                  once); each part may be absent
 *   meta/scaler, decision/NUMBER, inputs/NUMBER    see ctl/scale/scaler.h
 *   meta/monitor   interval_ms (how often the load is measured), metrics (HOST:PORT of the
 *                  controller's /metrics)
 *   job/NUMBER     see ctl/job/job.h
 *
 * `reason` says why a table is global, `remedy` what would make it shardable.
 */
#ifndef CTL_CATALOG_MODEL_H
#define CTL_CATALOG_MODEL_H

#include "core/base/arena.h"
#include "core/route/table.h"
#include "ctl/catalog/catalog.h"

/* Never NULL: "" when there is no such text, 0 when no such number. */
const char *model_text(const json_t *object, const char *key);
int64_t     model_number(const json_t *object, const char *key);
bool        model_flag(const json_t *object, const char *key);

/* Of a shard's, a replica's or an engine's object: the id of its server, never used again; which
 * kind it was made as, "shard", "replica" or "engine", and the number in its names. */
int64_t     model_server_id(const json_t *server);
const char *model_server_kind(const json_t *server);
int         model_server_number(const json_t *server);
bool        model_is_engine(const json_t *server);

/* By what id routes and slots have a replica. Workers know the backends of a shard's primary by the
 * shard's number, whoever that is: its first server has another one when it is a replica. */
uint32_t model_replica_route_id(const json_t *replica);

/* The shard that a shard's or a replica's server belongs to; whether it replicates another. */
int64_t model_server_shard(const json_t *server);
bool    model_is_replica(const json_t *server);

/* The replica's server is the shard's primary from now on, and the other way round: what is about
 * servers changes places, ids and names with it. */
void model_swap_servers(json_t *shard, json_t *replica);

/* "strong" ... and "" for what is not set; CONSISTENCIES for other words. */
const char      *model_consistency_name(uint8_t consistency);
enum consistency model_consistency(const char *name);

/* A new object's text member; NULL becomes null. Bytes need not be UTF-8. */
void model_set(json_t *object, const char *key, const char *text);

/* "sharded" ... and back; `fallback` for other words. */
const char     *model_kind_name(enum table_kind kind);
enum table_kind model_kind(const char *name, enum table_kind fallback);

/* Of one of a database's functions; FUNCTION_UNKNOWN for NULL. */
enum function_class model_function_class(const json_t *function);

/* Of a table's object. */
enum route_triggers model_triggers(const json_t *table);
enum route_triggers model_triggers_routed(const json_t *table, bool fenced);
const char         *model_triggers_name(enum route_triggers triggers); /* NULL: none */

/* How a user proves who it is. */
enum auth_plugin model_plugin(const json_t *user);

/* A table's column as stored, and as the routing code sees it (texts borrowed
 * from `object`). */
json_t *model_column_new(const struct route_column *column);
void    model_column(const json_t *object, struct route_column *out);

/* The catalog as routes, everything in `arena`. Not indexed: encode it.
 * Returns false and fills `err` when objects contradict one another. */
bool model_routes(struct catalog *c, struct arena *arena, struct routes *out,
                  struct err *err) must_check;

/* The same in two steps: what routes are made from, each part owned (catalog_all() or
 * catalog_get()) and open to changes before they are made. `move` may be NULL. */
struct model_parts {
    json_t *cluster, *move, *shards, *replicas, *engines, *map, *databases, *tables, *users;
};

void model_parts_read(struct catalog *c, struct model_parts *out);
void model_parts_fini(struct model_parts *parts);
bool model_routes_of(const struct model_parts *parts, struct arena *arena, struct routes *out,
                     struct err *err) must_check;

/* n_shards x per_shard ranges of equal size, dealt out in turn; the caller
 * owns the {"ranges": ...} object. */
json_t *model_ranges_new(const int64_t *shard_ids, size_t n_shards, size_t per_shard);

/* The catalog's cluster object with `key` one higher; returns the number it
 * had before. Part of `change`. */
int64_t model_take_number(json_t *cluster, const char *key);

/* The objects of a list by the number `key`, the smallest first, or the largest: a list of its
 * own. Takes `list`. */
json_t *model_sorted(json_t *list, const char *key, bool largest_first);

#endif
