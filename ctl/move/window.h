/* window.h - the times of day in which a move may switch its rows by itself.
 *
 *   "01:00-05:00"          UTC
 *   "22:30-04:00 local"    as the controller's host has it (TZ); over midnight
 */
#ifndef CTL_MOVE_WINDOW_H
#define CTL_MOVE_WINDOW_H

#include <jansson.h>
#include <time.h>

#include "core/base/err.h"

struct window {
    unsigned from_min, to_min; /* minutes of the day; equal: all day */
    bool     local;
};

bool window_parse(const char *text, struct window *out, struct sql_error *error) must_check;

/* A list of texts that window_parse() takes; none: always. Seconds until one is open, at most a
 * day: 0: one is. */
unsigned windows_wait(const json_t *texts, time_t now);

#endif
