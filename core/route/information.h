/* information.h - tables of information_schema that no single shard has right.
 *
 * A sharded table's row has the sums of all shards; what belongs to a database's home
 * comes from there; what every server has of its own comes from the first one asked.
 *
 *   shard 0 -rows-> \
 *   shard 1 -rows->  > add up by the table's key columns --> JSON for JSON_TABLE()
 *   shard n -rows-> /
 */
#ifndef CORE_ROUTE_INFORMATION_H
#define CORE_ROUTE_INFORMATION_H

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/route/table.h"

enum information_table {
    INFORMATION_TABLES, INFORMATION_PARTITIONS, INFORMATION_STATISTICS,
    INFORMATION_TABLESTATS, INFORMATION_GLOBAL_STATUS, INFORMATION_SESSION_STATUS,
    INFORMATION_SUMS, /* so many are added up; those behind say whose account it is */
    INFORMATION_USER_PRIVILEGES = INFORMATION_SUMS, INFORMATION_SCHEMA_PRIVILEGES,
    INFORMATION_TABLE_PRIVILEGES, INFORMATION_COLUMN_PRIVILEGES, INFORMATION_APPLICABLE_ROLES,
    INFORMATION_N,
};

/* INFORMATION_N: none of these. */
enum information_table information_find(struct span name);
const char            *information_name(enum information_table t);

/* A table of which there is one for each server and that is added up by nothing. */
bool information_is_servers(struct span name);

/* Is the column one that differs between shards? */
bool information_is_sum(enum information_table t, struct span column);

/* The query that a shard is asked: all columns as bytes. `first`: of the rows that
 * every server has of its own, too. Without a WHERE in `where` (such as "TABLE_SCHEMA = 'a'")
 * all are wanted. */
void information_query(enum information_table t, bool first, struct span where, struct buf *out);
size_t information_columns(enum information_table t);

struct information;

/* In `arena`. `first`: the shard whose own tables count. */
struct information *information_new(struct arena *arena, const struct routes *routes,
                                    enum information_table t, uint32_t first);

/* A shard's row; cells are copied, ptr NULL is NULL. */
void information_row(struct information *i, uint32_t shard, const struct span *cells);

/* A value that is the proxy's own, in place of what the shards say. */
void information_own(struct information *i, const char *name, const char *value);

/* "JSON_TABLE(...)" with all rows and the columns' types. */
void information_say(struct information *i, struct buf *out);

#endif
