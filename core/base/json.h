/* json.h - text in JSON: RFC 8259. */
#ifndef CORE_BASE_JSON_H
#define CORE_BASE_JSON_H

#include "core/base/buf.h"

/* Append a string with its quotes. What is not UTF-8 (RFC 3629) becomes U+FFFD. */
void json_text(struct buf *out, struct span text);

#endif
