/* view_text.h - the SELECT of a view, as its server tells it. */
#ifndef CTL_JOB_VIEW_TEXT_H
#define CTL_JOB_VIEW_TEXT_H

#include "ctl/provision/server.h"

/* Sets "view_text", "view_collation", "view_unchecked" and "view_materialized" of `facts`; none
 * when there is no such view, and no "view_text" when a server does not tell all of it. False
 * with `error` when the server cannot be asked. */
bool view_text_read(struct server *s, const char *database, const char *view, json_t *facts,
                    struct sql_error *error) must_check;

#endif
