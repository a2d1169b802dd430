/* once.h - requests with an Idempotency-Key are done once, however often they are sent.
 *
 *   same key, same request    the answer of the first time, with Idempotent-Replayed: true
 *   same key, another request 422
 *   still in work             409
 *   in work when a controller ended: 409, because nobody knows what was done of it
 *
 * Keys are of whoever asks, 24 hours, 10,000 in all (ctl/catalog/catalog.h). Kept are answers of
 * handlers up to status 499: what was refused before anything was done, and what failed because
 * something is away, is done again when it is asked again.
 */
#ifndef CTL_API_ONCE_H
#define CTL_API_ONCE_H

#include "ctl/api/request.h"

enum { ONCE_KEY_MAX = 200, ONCE_ANSWER_MAX = 1 << 20 };

/* Returns 0 to go on, followed by once_end(); or the status, with the answer. */
unsigned once_begin(struct request *r) must_check;

/* `status` is the answer's; `done`: the handler has run. */
void once_end(struct request *r, unsigned status, bool done);

#endif
