/* stream.h - server-sent events: what happens, told as it happens.
 *
 *   audit log --lines--> stream --text--> a client of GET /v1/events or /v1/jobs/N/events
 *   running move --progress--^
 *
 *   id: 4711                      the number of the audit's line: Last-Event-ID goes on behind it;
 *                                 of one job its version
 *   event: job|decision|scaler|change|reset
 *   data: {...}                   one line of JSON
 *
 *   job       the job as GET /v1/jobs/N has it; without an id: its progress
 *   decision  the scaler's, as in GET /v1/scaler/decisions
 *   scaler    its mode and settings were changed
 *   change    {"kind", "name", "action", "who", "time"} of any other object
 *   reset     what came behind Last-Event-ID is no longer kept: look at everything anew
 *
 * A comment comes every 15 s when nothing else does, so that who listens and what lies between
 * know that it lives. After ten minutes it ends, so that a token that was revoked is looked at
 * again: clients come back by themselves, with Last-Event-ID. A stream of one job begins with the
 * job as it is, and ends with it.
 *
 * format: the WHATWG's HTML standard, "Server-sent events"
 */
#ifndef CTL_API_STREAM_H
#define CTL_API_STREAM_H

#include <sys/types.h>

#include "ctl/api/request.h"

enum { STREAMS_MAX = 64 };

struct stream;

/* Of all, or of this job (> 0), behind the event `after` (negative: from now on). NULL: too many
 * listen already. */
struct stream *stream_new(struct cluster *c, int64_t job, int64_t after);
void           stream_free(struct stream *s); /* NULL is fine */

/* Waits for something to say, and puts at most `max` bytes of it into `out`. Returns their
 * number; 0: it is over. `closing`: the API closes. */
size_t stream_read(struct stream *s, char *out, size_t max, const atomic_bool *closing);

#endif
