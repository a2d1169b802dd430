/* charset.h - the names of the server's character sets. */
#ifndef CORE_SQL_CHARSET_H
#define CORE_SQL_CHARSET_H

#include "core/base/base.h"

/* Is there such a set? Any case of letters. */
bool charset_known(struct span name);

/* Are ASCII's letters and signs the same bytes there? */
bool charset_has_ascii(struct span name);

/* The set that a collation's id (information_schema.COLLATIONS) is of, for the usual ones; NULL:
 * it is not one of these. */
const char *charset_of_collation(uint16_t id);

#endif
