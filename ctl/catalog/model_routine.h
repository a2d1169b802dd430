/* model_routine.h - which stored procedures and functions use nothing but what is on the home of
 * their database.
 *
 *   text --model_routine_see()--> what it names, in the catalog --model_routines()--> routes
 *
 * The names are kept, not what they mean: a table may come later.
 */
#ifndef CTL_CATALOG_MODEL_ROUTINE_H
#define CTL_CATALOG_MODEL_ROUTINE_H

#include "core/sql/lex.h"
#include "ctl/catalog/model.h"

/* What CREATE PROCEDURE's or FUNCTION's text names, into `what`: uses, a list of "NAME" or
 * "SCHEMA.NAME" in small letters; functions, procedures: those it calls. FUNCTION_HOME, or why
 * nothing was put there. */
enum function_class model_routine_see(struct span text, struct lex_options options, json_t *what);

/* {database: {"procedures": {name: {class, home}}, "functions": ...}} as in the routes: the class
 * as a number, home: it uses nothing else. Owned by the caller. */
json_t *model_routines(json_t *databases, json_t *tables);

#endif
