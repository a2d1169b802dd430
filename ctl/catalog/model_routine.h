/* model_routine.h - which stored procedures and functions use nothing but what is on the home of
 * their database.
 *
 *   text --model_routine_see()--> what it names, in the catalog --model_routines()--> routes
 *
 * The names are kept, not what they mean: a table may come later. One that by its words only reads
 * (core/route/routine_reads.h) is on every shard and engine; with all that it calls it can be run
 * wherever the rows are.
 */
#ifndef CTL_CATALOG_MODEL_ROUTINE_H
#define CTL_CATALOG_MODEL_ROUTINE_H

#include "core/base/buf.h"
#include "core/sql/lex.h"
#include "ctl/catalog/model.h"

/* What CREATE PROCEDURE's or FUNCTION's text names, into `what`: uses, a list of "NAME" or
 * "SCHEMA.NAME" in small letters; functions, procedures: those it calls. FUNCTION_HOME, or why
 * uses was not put there, and the others may lack some. */
enum function_class model_routine_see(struct span text, struct lex_options options, json_t *what);

/* {database: {"procedures": {name: {class, home, reads, body ...}}, "functions": ...}} as in the
 * routes: the class as a number, home: it uses nothing else, reads: [[database, table], ...] that
 * it, or what it calls, may name; absent: it is not known to only read. Of a procedure whose
 * statements are known (core/route/routine_body.h) body: these, uses_of: [enum routine_use, ...]
 * and parameters: [model_column_new(), ...]. Owned by the caller. */
json_t *model_routines(json_t *databases, json_t *tables);

/* Appends a database's routines of model_routines() as a list of core/route/function_class.h.
 * `*bodies`: bytes of statements in all of them so far; what is too much is left out, and such a
 * procedure is not called by its key. */
void model_routine_list(json_t *all, size_t *bodies, struct buf *list);

/* Whether it is on every shard and engine: of its arguments alone, or it only reads; on every
 * shard, also when its statements are known. */
bool model_routine_on_engines(const json_t *routine);
bool model_routine_everywhere(const json_t *routine);

#endif
