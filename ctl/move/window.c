/* window.c - see window.h. */
#include "ctl/move/window.h"

#include <stdio.h>

enum { DAY_MIN = 24 * 60 };

static bool
is_time(unsigned hour, unsigned minute)
{
    return hour * 60 + minute <= DAY_MIN && minute < 60;
}

bool
window_parse(const char *text, struct window *out, struct sql_error *error)
{
    unsigned a, b, c, d;
    char     zone[8] = "UTC", end;
    int      n = sscanf(text, "%2u:%2u-%2u:%2u %7s %c", &a, &b, &c, &d, zone, &end);

    if ((n != 4 && n != 5) || !is_time(a, b) || !is_time(c, d) ||
        (strcmp(zone, "UTC") != 0 && strcmp(zone, "local") != 0))
        return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: '%.40s' is no window: it is "
                             "HH:MM-HH:MM, UTC, or 'HH:MM-HH:MM local'", text);
    *out = (struct window){ .from_min = (a * 60 + b) % DAY_MIN, .to_min = (c * 60 + d) % DAY_MIN,
                            .local = zone[0] == 'l' };
    return true;
}

/* Seconds until it is open. */
static unsigned
wait_for(const struct window *w, time_t now)
{
    struct tm at;

    if (w->local)
        localtime_r(&now, &at);
    else
        gmtime_r(&now, &at);
    unsigned minute = (unsigned)(at.tm_hour * 60 + at.tm_min);
    unsigned since  = (minute + DAY_MIN - w->from_min) % DAY_MIN;
    unsigned length = (w->to_min + DAY_MIN - w->from_min) % DAY_MIN;

    if (since < length || length == 0)
        return 0;
    return (DAY_MIN - since) * 60 - (unsigned)at.tm_sec % 60;
}

unsigned
windows_wait(const json_t *texts, time_t now)
{
    unsigned         least = json_array_size(texts) > 0 ? 24 * 3600 : 0;
    struct window    w;
    struct sql_error ignored;

    for (size_t i = 0; i < json_array_size(texts); i++) {
        const char *text = json_string_value(json_array_get(texts, i));
        unsigned    wait;

        if (!text || !window_parse(text, &w, &ignored))
            continue;
        wait  = wait_for(&w, now);
        least = wait < least ? wait : least;
    }
    return least;
}
