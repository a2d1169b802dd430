/* settings.h - what a routine, function or trigger has SET is the session's from then on.
 *
 *   answer says that something was SET --> information_schema.SYSTEM_VARIABLES: what is not as in
 *       a new session, and what the session had set before --> what it means (meaning.h)
 *       --> the session's variables, all as constants
 *
 * Servers put back themselves what a routine may not keep (sql_mode, the character set that
 * statements come in, what functions do to foreign_key_checks ...).
 */
#ifndef WORKERS_QUERY_SETTINGS_H
#define WORKERS_QUERY_SETTINGS_H

#include "workers/query/query.h"

struct settings;

/* Whether the answer to the leg's statement is to say that it has SET something; and whether the
 * backend may hear that those behind it are not. */
bool settings_may_change(const struct leg *leg);
bool settings_may_forget(const struct leg *leg);

/* Whether the leg's statement, whose answer is complete, may have SET something. */
bool settings_may_have_changed(const struct leg *leg);

/* The first question, of three columns; `*out` collects the answer, in the query's arena. */
void settings_ask(struct leg *leg, struct buf *text, struct settings **out);
void settings_take(struct settings *r, struct span row);

/* The second one, of MEANING_CELLS columns; at its row the session has the new state. */
void settings_ask_meaning(const struct settings *r, struct buf *text);
bool settings_adopt(struct settings *r, struct span row) must_check;

void settings_fini(struct settings *r);

#endif
