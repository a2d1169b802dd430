/* version.h - ETag and If-Match: a change that was thought of looking at an older version of an
 * object is refused, before anything is done. */
#ifndef CTL_API_VERSION_H
#define CTL_API_VERSION_H

#include "ctl/api/request.h"

/* The request changes the object that its path names only if it still is r->if_match. Returns 0,
 * or 412 with the answer. Follow with version_after(). */
unsigned version_check(struct request *r) must_check;

/* `status` of the handler, or 412 when the object was changed between version_check() and the
 * handler's first change. */
unsigned version_after(struct request *r, unsigned status) must_check;

/* Sends the version with the answer. `version` was read before the handler looked. */
int64_t version_of(const struct request *r) must_check;
void    version_tell(struct request *r, int64_t version);

#endif
