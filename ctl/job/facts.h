/* facts.h - what a table is, as its server says it: the ground for deciding where its rows go.
 *
 *   {"columns": [model_column_new() + "on_update": bool, "varies": facts_varies(),
 *                "counts": facts_counts()],
 *    "keys":    [{"name", "unique", "columns": [...], "whole": [bool, ...]}],
 *    "foreign": [{"name", "columns": [...], "database", "table", "references": [...]}],
 *    "comment", "auto_increment": next value or 0, "is_view",
 *    "view_text", "view_collation", "view_unchecked": of a view}
 *
 * "whole" is false where only a prefix of the column is in the key.
 */
#ifndef CTL_JOB_FACTS_H
#define CTL_JOB_FACTS_H

#include "ctl/provision/server.h"

/* Reads them; NULL with `error` when the server cannot be asked, or (1146)
 * when there is no such table. `probe` (may be NULL) is a database whose name
 * stands for `database` in foreign keys. The caller owns the object. */
json_t *facts_read(struct server *s, const char *database, const char *table, const char *probe,
                   struct sql_error *error);

/* A procedure's parameters, as columns: [model_column_new() ..., ...], in their order. NULL with
 * `error`. */
json_t *facts_parameters(struct server *s, const char *database, const char *procedure,
                         struct sql_error *error);

/* SQL: the id of the collation c.COLLATION_NAME. Newer servers have collations whose full name is
 * only in another table, and whose short name is there once per character set. */
const char *facts_collation_id(const struct server *s);

/* What the catalog keeps of a view: its text, and the collation of who made it. */
void facts_view(const json_t *facts, json_t *object);

/* A column's default, as information_schema has it: would servers compute different ones for the
 * same row? */
bool facts_varies(const char *preset);

/* Likewise: is it a sequence's, which is on one server only? */
bool facts_counts(const char *preset);

/* The column's object, NULL when there is none; compared without case. */
const json_t *facts_column(const json_t *facts, const char *name);

/* The primary key's object, or NULL. */
const json_t *facts_primary(const json_t *facts);

/* The name of the AUTO_INCREMENT column, "" when there is none. */
const char *facts_auto_increment(const json_t *facts);

/* Position of a name in an array of names, without case; SIZE_MAX: not there. */
size_t facts_find(const json_t *names, const char *name);

/* SHOW CREATE TABLE without the counter, which differs by right between shards. */
bool facts_definition(struct server *s, const char *database, const char *table,
                      struct buf *out, struct sql_error *error) must_check;

#endif
