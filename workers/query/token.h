/* token.h - what a session has seen as a text that another one can be given.
 *
 *   SELECT @@shardd_causal_token --> "1f3a...-81234567" --> SET shardd_causal_token = '...'
 *
 * The moment is one of this host's clock, as it runs since it was started. Of another host or an
 * earlier start it says nothing, but that it is past: then everything until now must be seen.
 */
#ifndef WORKERS_QUERY_TOKEN_H
#define WORKERS_QUERY_TOKEN_H

#include "workers/query/session.h"

enum { TOKEN_TEXT = 40 };

/* Static, until the next call. The session's reads are followed from here on. */
const char *token_print(struct session *s);

/* Until which moment; UINT64_MAX: until now. False: it is no token. */
bool token_read(struct span text, uint64_t *us) must_check;

/* The session reads nothing older from here on, where it reads with causal consistency. */
void token_take(struct session *s, struct span text);

#endif
