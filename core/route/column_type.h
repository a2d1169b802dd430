/* column_type.h - types of columns by the names that servers give them in information_schema and
 * SHOW CREATE TABLE, and the catalog keeps.
 */
#ifndef CORE_ROUTE_COLUMN_TYPE_H
#define CORE_ROUTE_COLUMN_TYPE_H

#include "core/route/table.h"

/* The first name of several: "text" of COLUMN_TEXT; "other". */
const char *column_type_name(enum column_type type);

/* Without case; COLUMN_OTHER: it is none of them. */
enum column_type column_type_of(struct span name);

#endif
