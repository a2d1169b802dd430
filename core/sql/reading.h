/* reading.h - what a change of sql_mode makes of a text that is there already.
 */
#ifndef CORE_SQL_READING_H
#define CORE_SQL_READING_H

#include "core/sql/lex.h"

/* `options` as with these words of sql_mode (SQL_MODE_ANSI_QUOTES ..., see sql_mode.h). */
struct lex_options reading_options(struct lex_options options, uint16_t words);

/* Whether `text` may mean something else with the words `a` than with `b`. True is said too
 * often rather than too seldom. */
bool reading_matters(struct span text, struct lex_options options, uint16_t a, uint16_t b)
    must_check;

#endif
