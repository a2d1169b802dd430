/* latin1.h - texts in the server's latin1, which is Windows' 1252. */
#ifndef CORE_ROUTE_LATIN1_H
#define CORE_ROUTE_LATIN1_H

#include "core/base/buf.h"

/* Is the collation, by the server's id, one of latin1's? */
bool latin1_is(uint16_t collation);

/* Is it one of ascii's? */
bool ascii_is(uint16_t collation);

/* The byte that stands for a character, or -1. */
int latin1_byte(uint32_t code_point);

/* Append the same text in latin1. False: it is not UTF-8, or has letters that are not there. */
bool latin1_of_utf8(struct span text, struct buf *out);

#endif
