/* charset.h - the names of the server's character sets. */
#ifndef CORE_SQL_CHARSET_H
#define CORE_SQL_CHARSET_H

#include "core/base/base.h"

/* Is there such a set? Any case of letters. */
bool charset_known(struct span name);

#endif
