/* lookup.h - lookups: global secondary indexes that keep a column's values unique over all shards.
 *
 *   catalog: table.lookups = [{"column", "index", "table", "number", "filling"}]
 *   shards:  shardd_lookup.TABLE (v, k), sharded by v; three triggers on the written table
 *
 *   add:   table, triggers --> in the routes, filling: every write tells it --> the rows of before,
 *          each under a lock of its own --> complete: it is read as well
 *   drop:  out of the routes --> triggers --> table
 *
 * Applications go on meanwhile. On the shards the column's index is not UNIQUE: while rows move,
 * one that is on its way may lie beside a new one with its value. What workers do is in
 * workers/query/lookup.h.
 */
#ifndef CTL_JOB_LOOKUP_H
#define CTL_JOB_LOOKUP_H

#include "ctl/job/job.h"

/* Under the change lock, as part of `job`. The table has such a lookup already: it is filled, if
 * that is not done. */
bool lookup_add(struct job *job, const char *database, const char *table, const char *column,
                struct sql_error *error) must_check;
bool lookup_drop(struct job *job, const char *database, const char *table, const char *column,
                 struct sql_error *error) must_check;

/* As jobs of their own; `column` as above. */
bool lookup_run(struct cluster *c, const char *who, const char *database, const char *table,
                const char *column, bool add, struct sql_error *error) must_check;

/* CREATE TABLE: those of the comment. CREATE TABLE ... LIKE `like`: as that has. */
struct wish;
bool lookup_add_wished(struct job *job, const char *database, const char *table,
                       const struct wish *wish, struct sql_error *error) must_check;
bool lookup_add_like(struct job *job, const char *database, const char *table,
                     const json_t *like, struct sql_error *error) must_check;

/* ALTER TABLE with such a comment makes none: false with `error`, which says what does, where one
 * of it is not there. */
bool lookup_knows_wished(const json_t *table, const struct wish *wish,
                         struct sql_error *error) must_check;

/* The table goes: so do its lookups' tables, from the catalog (as members of `objects` that are
 * null) and then from a server. */
void lookup_forget(const json_t *table, json_t *objects);
bool lookup_drop_tables(struct server *s, const json_t *table, struct sql_error *error) must_check;

/* ALTER TABLE: what it makes of the table lets its lookups be as they are. */
bool lookup_lets_alter(const json_t *table, const json_t *before, const json_t *after,
                       struct sql_error *error) must_check;

/* A table's object has lookups: true, and a sentence that says what to do before `what`. */
bool lookup_forbids(const json_t *table, const char *what, struct sql_error *error);

/* On a server that has the table already: the triggers of its lookups. */
struct server;
bool lookup_triggers(struct server *s, const json_t *table, struct sql_error *error) must_check;

/* It is one of these triggers: nothing happens in it unless a worker has asked for that. */
bool lookup_is_trigger(const char *name);

/* Unique keys of the facts that the wish's lookups keep unique are not the servers' business. */
void lookup_takes_keys(json_t *facts, const struct wish *wish);
void lookup_takes_known(json_t *facts, const json_t *table);

#endif
