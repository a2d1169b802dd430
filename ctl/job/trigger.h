/* trigger.h - the triggers of a sharded table, which are the same on every shard.
 *
 * They use nothing but their row (trigger_classify()). Those of lookups are none of them: see
 * lookup.h.
 */
#ifndef CTL_JOB_TRIGGER_H
#define CTL_JOB_TRIGGER_H

#include "ctl/provision/server.h"

/* SQL: the column of information_schema, which compares without case, is the name %s to a server
 * whose names have two. */
#define TRIGGER_IS(column) \
    "(@@lower_case_table_names <> 0 OR CONVERT(" column " USING utf8mb4) COLLATE utf8mb4_bin" \
    " = CONVERT(%s USING utf8mb4))"

/* As SHOW CREATE TRIGGER tells them, in the order in which they fire, to be owned: [[name,
 * sql_mode, text, character_set_client, collation_connection, collation of the database], ...].
 * NULL with `error`. */
json_t *trigger_read(struct server *s, const char *database, const char *table,
                     struct sql_error *error);

/* From now on the server's table has these, and no other ones. Nothing is done where it has them.
 * Its session has the default sql_mode, and utf8mb4, afterwards. */
bool trigger_put(struct server *s, const char *database, const char *table, const json_t *wanted,
                 struct sql_error *error) must_check;

/* Both: a table's object, which is on both servers. */
bool trigger_copy(struct server *from, struct server *to, const json_t *table,
                  struct sql_error *error) must_check;

/* True, and a sentence that says what to do before `what`: the table's object has triggers. */
bool trigger_forbids(const json_t *table, const char *what, struct sql_error *error);

#endif
