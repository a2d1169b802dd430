/* shard.h - shards that come, change and go. */
#ifndef CTL_JOB_SHARD_H
#define CTL_JOB_SHARD_H

#include "ctl/job/job.h"

/* One more server of ours: it gets schemas, accounts, the definitions of the
 * sharded tables and copies of the reference tables. It owns no ranges (unless it is
 * the first shard), so no rows of sharded tables come to it. */
bool shard_add(struct cluster *c, const char *who, const char *name,
               struct sql_error *error) must_check;

/* The same with a server as it is wished. */
bool shard_add_as(struct cluster *c, const char *who, const char *name,
                  const struct provision_wish *wish, struct sql_error *error) must_check;

/* What shard_adopt() did, for people. */
struct adopted {
    unsigned databases, tables, users;
    json_t  *notes; /* owned: sentences about what was left as it is */
};

/* Takes over a server that exists, with its data: its databases appear with all
 * tables global and it as their home; accounts of mysql_native_password and ed25519 become
 * users with the same password and rights. On it only shardd's schema, service
 * account, and accounts for the workers are added. `address` is HOST or
 * HOST:PORT; `user` may do everything there. `tls_ca`: the controller uses TLS with it
 * and verifies its certificate by this file ("": not at all); NULL: no TLS. */
bool shard_adopt(struct cluster *c, const char *who, const char *name, const char *address,
                 const char *user, const char *password, const char *tls_ca,
                 struct adopted *out, struct sql_error *error) must_check;

/* The same with a server that has no tables yet: then it is as one that shard_add() made, but
 * nobody starts it, and it stays when the shard goes. Its accounts do not become users. `more` is
 * added to its object; NULL: nothing. */
bool shard_join(struct cluster *c, const char *who, const char *name, const char *address,
                const char *user, const char *password, const char *tls_ca, const json_t *more,
                struct sql_error *error) must_check;

/* What jobs of kind "shard" do; the words of their records. */
#define SHARD_ADD    "add a shard"
#define SHARD_ADOPT  "adopt a server"
#define SHARD_REMOVE "remove a shard"

/* What a controller before this one began; as ddl_resume(). */
enum job_state shard_resume(struct cluster *c, json_t *record, struct sql_error *error) must_check;

/* The catalog has the new shard: ranges, when it is the first, and routes follow, while its
 * copies of reference tables are locked. Then the record says that all is done. */
bool shard_announce(struct job *job, struct sql_error *error) must_check;

/* Takes back what an adoption that comes to nothing has made on servers: `undo` of its record,
 * see shard_resume.c. Nothing of the catalog. */
bool shard_undo(struct cluster *c, const json_t *undo, struct sql_error *error) must_check;

/* Only when it owns no ranges and is no database's home. Its replicas go with it. A server of ours
 * goes with its data; another is left alone. */
bool shard_remove(struct cluster *c, const char *who, const char *name,
                  struct sql_error *error) must_check;

/* What that would do: {"shard", "servers": shard_servers()}, to be owned; NULL with `error`: it
 * would be refused. */
json_t *shard_remove_plan(struct cluster *c, const char *name, struct sql_error *error);

/* The servers that go with a shard, in order: [{server, role: "replica"|"primary", provisioner,
 * then: "removed"|"left alone"}], to be owned. */
json_t *shard_servers(struct cluster *c, const json_t *shard);

/* Of a shard that has left the catalog; `undo` as in shard_remove.c. */
bool shard_remove_servers(struct cluster *c, const json_t *undo,
                          struct sql_error *error) must_check;

/* Whether node-exporter may be there: "http://HOST:9100/metrics"; "": there is none. */
bool shard_is_agent(const char *url, struct sql_error *error) must_check;

/* Where node-exporter of its machine is, "http://HOST:9100/metrics"; "": nowhere. */
bool shard_set_agent(struct cluster *c, const char *who, const char *name, const char *url,
                     struct sql_error *error) must_check;

/* False with a sentence: it owns ranges, or is a database's home. */
bool shard_owns_nothing(struct cluster *c, const json_t *shard,
                        struct sql_error *error) must_check;

/* Name and state ("up" or "draining"); NULL: as it is. */
bool shard_set(struct cluster *c, const char *who, const char *name, const char *new_name,
               const char *state, struct sql_error *error) must_check;

/* Definitions and copies for a shard that is not in the catalog yet; the copies
 * stay locked against writes until shard_fill_done(). */
struct shard_fill {
    struct server home[ROUTES_SHARDS_MAX]; /* with LOCK TABLES; owned */
    size_t        n;
};
bool shard_fill(struct cluster *c, const json_t *shard, void *fill,
                struct sql_error *error) must_check;
void shard_fill_done(struct shard_fill *fill);

/* shard_functions.c: a stored function or procedure ("FUNCTION", "PROCEDURE") as it is on `from`;
 * one of that name must not be there. Then a part of shard_fill(). */
bool shard_copy_routine(struct server *from, struct server *to, const char *word,
                        const char *database, const char *name,
                        struct sql_error *error) must_check;
bool shard_fill_functions(struct cluster *c, const json_t *shard, json_t *shards,
                          struct sql_error *error) must_check;
bool shard_fill_triggers(struct cluster *c, const json_t *shard, json_t *shards, json_t *tables,
                         struct sql_error *error) must_check;

/* The copies of reference tables on a shard of the catalog once more, locked as above: the
 * first ones may be too old. */
bool shard_fill_again(struct cluster *c, const json_t *shard, struct shard_fill *fill,
                      struct sql_error *error) must_check;

#endif
