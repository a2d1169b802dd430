/* throttle.c - see throttle.h. */
#include "ctl/move/throttle.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { RUNNING = 4, SLOWER = 125, FLOOR = 29 };

/* "50", "50K", "50MB", "50MB/s": powers of 1000, as network rates are. */
static bool
read_amount(const char *text, uint64_t *out)
{
    static const struct { const char *unit; uint64_t by; } units[] = {
        { "", 1 }, { "K", 1000 }, { "M", 1000000 }, { "G", 1000000000 },
    };
    char  *end;
    double n = strtod(text, &end);
    char   unit[8];
    size_t len;

    if (end == text || text[0] < '0' || text[0] > '9' || !(n < 1e15))
        return false;
    len = strlen(end);
    if (len >= 2 && strcasecmp(end + len - 2, "/s") == 0)
        len -= 2;
    if (len > 0 && (end[len - 1] == 'B' || end[len - 1] == 'b'))
        len--;
    snprintf(unit, sizeof(unit), "%.*s", (int)(len < 7 ? len : 7), end);
    for (size_t i = 0; i < countof(units); i++)
        if (strcasecmp(unit, units[i].unit) == 0) {
            *out = (uint64_t)(n * (double)units[i].by);
            return true;
        }
    return false;
}

static bool
read_word(const char *word, struct throttle *t)
{
    const char *is = strchr(word, '=');
    const struct { const char *name; uint64_t min, max; unsigned *to; } numbers[] = {
        { "running", 1, 100000, &t->running },
        { "slower", 101, 100000, &t->slower },
        { "floor", 1, 100, &t->floor },
    };
    uint64_t n;

    if (strcmp(word, "auto") == 0 || strcmp(word, "off") == 0) {
        t->automatic = word[0] == 'a';
        if (!t->automatic)
            t->rows_per_s = t->bytes_per_s = 0;
        return true;
    }
    if (!read_amount(is ? is + 1 : word, &n))
        return false;
    if (!is || strncmp(word, "rows=", 5) == 0) {
        t->rows_per_s = n;
        return true;
    }
    if (strncmp(word, "bytes=", 6) == 0) {
        t->bytes_per_s = n;
        return true;
    }
    for (size_t i = 0; i < countof(numbers); i++)
        if (strlen(numbers[i].name) == (size_t)(is - word) &&
            strncmp(word, numbers[i].name, (size_t)(is - word)) == 0 && n >= numbers[i].min &&
            n <= numbers[i].max) {
            *numbers[i].to = (unsigned)n;
            return true;
        }
    return false;
}

bool
throttle_parse(const char *text, struct throttle *out, struct sql_error *error)
{
    struct throttle t    = { .automatic = true, .running = RUNNING, .slower = SLOWER,
                             .floor = FLOOR };
    const char     *next = text ? text : "";

    while (*next) {
        char   word[64];
        size_t len = strcspn(next, ",");

        snprintf(word, sizeof(word), "%.*s", (int)(len < 63 ? len : 63), next);
        if (len > 0 && !read_word(word, &t))
            return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: '%s' is no way to throttle a "
                                 "move: it is auto, off, a number of rows per second, or some of "
                                 "rows=N,bytes=N[K|M|G],running=N,slower=PERCENT (above 100),"
                                 "floor=PERCENT", word);
        next += len + (next[len] == ',');
    }
    *out = t;
    return true;
}

const char *
throttle_print(const struct throttle *t, char out[THROTTLE_TEXT_MAX])
{
    int n = snprintf(out, THROTTLE_TEXT_MAX, "%s", t->automatic ? "auto" : "off");

    if (t->automatic)
        n += snprintf(out + n, THROTTLE_TEXT_MAX - (size_t)n, ",running=%u,slower=%u,floor=%u",
                      t->running, t->slower, t->floor);
    if (t->rows_per_s > 0)
        n += snprintf(out + n, THROTTLE_TEXT_MAX - (size_t)n, ",rows=%llu",
                      (unsigned long long)t->rows_per_s);
    if (t->bytes_per_s > 0)
        snprintf(out + n, THROTTLE_TEXT_MAX - (size_t)n, ",bytes=%llu",
                 (unsigned long long)t->bytes_per_s);
    return out;
}
