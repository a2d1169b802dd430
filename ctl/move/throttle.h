/* throttle.h - how fast a move may be: a job's limits, as words.
 *
 *   "auto"                    less while servers are busy: what nobody asks for is the default
 *   "off"                     as fast as it can
 *   "25000", "rows=25000"     rows per second at most, copied or removed
 *   "bytes=50M"               bytes of copied rows per second at most
 *   "running=4,slower=125,floor=29"   what busy is, and how much is left of the copy then
 *
 * Several with commas between them; what comes later wins. 0 rows or bytes: no limit.
 */
#ifndef CTL_MOVE_THROTTLE_H
#define CTL_MOVE_THROTTLE_H

#include "core/base/err.h"

struct throttle {
    uint64_t rows_per_s, bytes_per_s; /* 0: no limit */
    bool     automatic;
    unsigned running; /* a server with more statements of applications at once is busy */
    unsigned slower;  /* percent of the time that these take without us: more is too slow */
    unsigned floor;   /* percent of the best rate that the copy keeps however busy all is */
};

enum { THROTTLE_TEXT_MAX = 128 };

/* `text` "" or NULL: as nobody asked for. False: it says nothing of the kind. */
bool throttle_parse(const char *text, struct throttle *out, struct sql_error *error) must_check;

/* All of it in words that throttle_parse() takes. */
const char *throttle_print(const struct throttle *t, char out[THROTTLE_TEXT_MAX]);

#endif
