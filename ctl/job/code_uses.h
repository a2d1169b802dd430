/* code_uses.h - triggers and events, and what they would do with a table that comes later.
 *
 * They run on their database's home, by names. A table that is spread and has such a name would get
 * their rows there, where nobody looks for them: so none is made, and none gets that name. Routines
 * are looked at when they are called (ctl/catalog/model_routine.h).
 */
#ifndef CTL_JOB_CODE_USES_H
#define CTL_JOB_CODE_USES_H

#include "ctl/job/ddl_step.h"

/* The schemas whose code is no application's, for NOT IN. */
#define CODE_OTHERS "('mysql', 'sys', 'information_schema', 'performance_schema', 'shardd', " \
                    "'shardd_probe', '" ROUTES_MOVE_SCHEMA "')"

/* Is one of these words, in small letters, in the text as a name? Not behind NEW. and OLD., where
 * columns are. What cannot be read may name anything. `words`: {word: true}. */
bool code_names(const char *text, const json_t *words);

/* {name: true} in small letters, owned by the caller. */
json_t *code_words(const char *name);

/* "trigger app.t" in facts.used_by, when one names the table, or a routine that does so: decide()
 * keeps it global. False with the error set: it could not be found out. */
bool code_note_uses(struct ddl *d, const char *table, json_t *facts) must_check;

/* False with the error set when there is such a one, or a view that calls a routine of that name:
 * it is for what is spread. */
bool code_allows(struct ddl *d, const struct ddl_table *t) must_check;

/* The same of a statement that makes a trigger or an event: no routine that it names may use what
 * is spread. */
bool code_calls_home(struct ddl *d) must_check;

/* The same of one that makes a routine: where it may use what is spread, no trigger, event or view
 * calls one of its name, also by way of others. */
bool code_may_spread(struct ddl *d, const struct ddl_table *t) must_check;

#endif
