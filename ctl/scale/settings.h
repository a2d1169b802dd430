/* settings.h - what people tell the scaler: the table of its settings.
 *
 * Kept in the catalog (meta/scaler), shown and changed by `shardctl scaler status|set|mode`.
 * Numbers are doubles, percents are 0 to 100: as people write them.
 */
#ifndef CTL_SCALE_SETTINGS_H
#define CTL_SCALE_SETTINGS_H

#include <jansson.h>

#include "core/base/err.h"
#include "ctl/scale/detector.h"

/* X(name, unit, default, least, most, help) */
#define SCALE_NUMBERS(X) \
    X(check_s,         "s",  60,    1, 86400,  "how often it decides") \
    X(max_statements,  "/s", 10000, 0, 1e9,    "hot above so many; 0: no limit (of these six)") \
    X(max_cpu,         "%",  80,    0, 100,    "... above so much of the CPU it may use") \
    X(max_memory,      "%",  80,    0, 100,    "... of the memory it may use") \
    X(max_storage,     "%",  80,    0, 100,    "... of its disk") \
    X(max_connections, "",   1000,  0, 1e6,    "... above so many connections") \
    X(max_latency_ms,  "ms", 100,   0, 1e6,    "... when 5 of 100 statements take longer") \
    X(hot_n,           "",   6,     1, 64,     "hot is what was above in so many") \
    X(hot_of,          "",   10,    1, 64,     "... of the last so many measurements") \
    X(clear,           "%",  85,    1, 100,    "no longer hot below so much of a limit") \
    X(cold,            "%",  25,    0, 90,     "cold below so much of all limits; 0: never") \
    X(cold_n,          "",   54,    1, 64,     "cold is what was so in so many") \
    X(cold_of,         "",   60,    1, 64,     "... of the last so many measurements") \
    X(merge_to,        "%",  50,    1, 100,    "two cold ones must be below this together") \
    X(hot_key,         "%",  50,    1, 100,    "one key with so much of a shard's load: no split") \
    X(into,            "",   2,     2, 16,     "how many parts a split makes") \
    X(min_shards,      "",   1,     1, 1024,   "no merge below so many shards") \
    X(max_shards,      "",   16,    1, 1024,   "no split beyond so many shards") \
    X(max_moves,       "",   1,     1, 64,     "at most so many moves at once") \
    X(moves_per_day,   "",   24,    0, 10000,  "moves within 24 hours, a quarter of them merges") \
    X(cooldown_s,      "s",  1800,  0, 604800, "a shard rests so long after a move") \
    X(max_failures,    "",   3,     1, 100,    "after so many failures in a row it stops") \
    X(keep_s,          "s",  0,     0, 604800, "old copies are kept current for so long") \
    X(max_pause_ms,    "ms", 200,   10, 60000, "how long statements may wait for a switch") \
    X(rows_per_s,      "/s", 0,     0, 1e9,    "copy at most so many rows; 0: no limit") \
    X(free_disk,       "%",  10,    0, 90,     "of a disk must be left when rows have come") \
    X(max_lag_s,       "s",  30,    0, 1e6,    "no move while replicas are farther back; 0: any") \
    X(forecast_step_s, "s",  300,   1, 3600,   "how far forecasts' steps are apart") \
    X(forecast_steps,  "",   6,     1, 64,     "how many steps they look ahead") \
    X(forecast_error,  "%",  20,    0, 100,    "worse ones decide nothing; 0: none does")

enum scale_mode { SCALE_OFF, SCALE_ADVISE, SCALE_AUTO, SCALE_MODES_N };

struct scale_settings {
    enum scale_mode mode;
    int             quiet_from, quiet_to; /* minutes of the day; equal: there are no quiet hours */
#define SCALE_MEMBER(name, unit, usual, least, most, help) double name;
    SCALE_NUMBERS(SCALE_MEMBER)
#undef SCALE_MEMBER
};

void settings_default(struct scale_settings *out);

/* One of them, as text: "max_cpu" "75", "mode" "auto", "quiet" "22:00-06:00" or "". False with
 * a sentence; nothing is changed then. What belongs together is checked by settings_check(). */
bool settings_set(struct scale_settings *s, const char *name, const char *value,
                  struct err *err) must_check;

/* hot_n is not above hot_of, and the like. */
bool settings_check(const struct scale_settings *s, struct err *err) must_check;

/* All of them as an object, to be owned, and back: what is not there, or no longer known, is as
 * usual. */
json_t *settings_json(const struct scale_settings *s);
void    settings_read(struct scale_settings *out, const json_t *object);

/* [{"name", "value", "unit", "default", "help"}, ...], to be owned. */
json_t *settings_list(const struct scale_settings *s);

const char *settings_mode_name(enum scale_mode mode);

/* In base units. */
void settings_rules(const struct scale_settings *s, struct detector_rules *out);

/* The seasons of forecasts in steps: days and weeks, as far as they can be; how many. */
unsigned settings_periods(const struct scale_settings *s, unsigned out[2]);

bool settings_is_quiet(const struct scale_settings *s, int minute) must_check;

#endif
