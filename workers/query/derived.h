/* derived.h - a table of information_schema in a statement becomes rows of our own.
 *
 *   SELECT p.ID FROM information_schema.PROCESSLIST p
 *   SELECT p.ID FROM (SELECT ...) p
 */
#ifndef WORKERS_QUERY_DERIVED_H
#define WORKERS_QUERY_DERIVED_H

#include "core/base/buf.h"
#include "core/sql/lex.h"

struct derived {
    struct lex_options lex;
    const char        *schema; /* the current one, or NULL */
    const char        *table;  /* its name */
    struct span        rows;   /* what stands in its place: a query in parentheses, or a function */
};

/* Appends `text` with every use of the table replaced; where it has no alias it gets its own
 * name. False: it is not used, and `text` is appended as it is. */
bool derived_replace(const struct derived *d, struct span text, struct buf *out);

#endif
