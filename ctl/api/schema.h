/* schema.h - what a request takes, in a few words that both check it and document it.
 *
 *   "name:text! policy:auto|global into:int(2..64) to:texts"
 *
 *   NAME:TYPE   a member; '!' at the end: it must be there. Where it may be absent it may be null
 *   text(N)     a string of at most N bytes (4096), without a NUL
 *   bytes(N)    the same, and may have NULs
 *   int(A..B)   a whole number (0..2^53)
 *   number(A..B) (0..1e18)
 *   bool
 *   texts       a list of strings, 4096 at most
 *   list        a list of anything;   object: an object with any members
 *   a|b|c       one of these words
 *
 *   *           at the end: other members as well, which the handler checks
 *
 * Members that are not named are refused: a mistyped option must not be ignored.
 */
#ifndef CTL_API_SCHEMA_H
#define CTL_API_SCHEMA_H

#include <jansson.h>

#include "core/base/err.h"

/* Whether `object` is as `schema` says; `err` names the first member that is not. */
bool schema_check(const char *schema, const json_t *object, struct err *err) must_check;

/* The same for the members of a query, which are all texts, and must not be empty. Numbers are
 * digits, bool is "true" or "false". */
bool schema_check_query(const char *schema, const json_t *query, struct err *err) must_check;

/* The bytes of the longest text that it allows; 0: of none. */
size_t schema_text_max(const char *schema);

/* As JSON Schema (2020-12), owned by the caller: {"type": "object", ...}. */
json_t *schema_document(const char *schema);

/* {"name", "in": "query", "required", "schema"} of each member, appended to `list`. */
void schema_parameters(const char *schema, json_t *list);

#endif
