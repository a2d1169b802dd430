/* reading.h - a prepared statement means what it meant when it was prepared, as on a server,
 * also after a change of sql_mode in which its text reads otherwise.
 *
 *   prepared under ANSI_QUOTES      SELECT "a" || 'b'
 *   SET sql_mode = 'STRICT_ALL_TABLES'
 *   executed                        the session has sql_mode = 'STRICT_ALL_TABLES,ANSI_QUOTES'
 *                                   for this statement (workers/query/statement_vars.h)
 */
#ifndef WORKERS_CLIENT_READING_H
#define WORKERS_CLIENT_READING_H

#include "core/sql/lex.h"

struct client;
struct sql_error;

/* The words of sql_mode about reading that are in force (see core/sql/sql_mode.h). */
uint16_t client_reading(const struct client *c);

/* Does `text`, prepared under the words `then`, read otherwise now? */
bool client_reads_otherwise(const struct client *c, struct span text, uint16_t then) must_check;

/* Text in another character set than the session's cannot be said to a server any more. False
 * and `why`, unless it is ASCII. */
bool client_may_execute(const struct client *c, struct span text, enum lex_charset then,
                        struct sql_error *why) must_check;

/* The session reads as `then`, until client_for_leave(). False, and `why`: it cannot. */
bool client_read_as(struct client *c, uint16_t then, struct sql_error *why) must_check;

#endif
