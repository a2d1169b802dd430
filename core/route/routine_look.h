/* routine_look.h - what the text of a stored procedure or function names.
 *
 * Read by its words, with no grammar: every word that could be a table's name is told as one, so
 * that what is not told is not used. What no names would say (text that it makes and executes,
 * the end of a transaction, ...) makes the whole unseen.
 */
#ifndef CORE_ROUTE_ROUTINE_LOOK_H
#define CORE_ROUTE_ROUTINE_LOOK_H

#include "core/route/table.h"
#include "core/sql/lex.h"

enum routine_name {
    ROUTINE_TABLE,     /* ... it may be, or a column, a variable, any other word */
    ROUTINE_FUNCTION,  /* a stored one is called */
    ROUTINE_PROCEDURE,
};

struct routine_names {
    void (*found)(void *context, enum routine_name what, struct span schema, struct span name);
    void  *context;
};

/* CREATE PROCEDURE's or FUNCTION's text. A schema that is not said is the routine's own.
 * FUNCTION_HOME: everything was told; any other class says why not. */
enum function_class routine_look(struct span text, struct lex_options options,
                                 const struct routine_names *names);

/* The same of a statement that is no CREATE, in a database: a block, or of unknown grammar. */
enum function_class routine_look_at(struct span text, struct lex_options options,
                                    const struct routine_names *names);

#endif
