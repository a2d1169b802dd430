/* uses.h - what servers keep that names a table or lives beside it: views and code.
 *
 * A view's text, a routine or a trigger means one kind of table: over a global one it runs on
 * the home shard alone, and would read a part of the rows when they are spread. So a table that
 * changes its kind must not have any, and code does not move from home to home.
 */
#ifndef CTL_MOVE_USES_H
#define CTL_MOVE_USES_H

#include "ctl/provision/cluster.h"

/* False with a sentence that names the view, routine, trigger or event that uses the table. Code
 * is read for the table's name as a word, in whatever database: rather once too often. */
bool uses_none(struct cluster *c, const char *database, const char *table,
               struct sql_error *error) must_check;

/* False with a sentence: the database has code at its home, other than functions and triggers that
 * are on every shard. */
bool uses_no_code(struct cluster *c, struct server *home, const char *database,
                  struct sql_error *error) must_check;

#endif
