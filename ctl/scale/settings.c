/* settings.c - see settings.h. */
#include "ctl/scale/settings.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/scale/forecast.h"

static const struct number {
    const char *name, *unit, *help;
    size_t      offset;
    double      usual, least, most;
} numbers[] = {
#define SCALE_ROW(name, unit, usual, least, most, help) \
    { #name, unit, help, offsetof(struct scale_settings, name), usual, least, most },
    SCALE_NUMBERS(SCALE_ROW)
#undef SCALE_ROW
};

static const char *const modes[SCALE_MODES_N] = { "off", "advise", "auto" };

const char *
settings_mode_name(enum scale_mode mode)
{
    return modes[mode];
}

static double *
number_in(struct scale_settings *s, const struct number *n)
{
    return (double *)(void *)((char *)s + n->offset);
}

static double
number_of(const struct scale_settings *s, const struct number *n)
{
    return *(const double *)(const void *)((const char *)s + n->offset);
}

void
settings_default(struct scale_settings *out)
{
    *out      = (struct scale_settings){ 0 };
    out->mode = SCALE_ADVISE;
    for (size_t i = 0; i < countof(numbers); i++)
        *number_in(out, &numbers[i]) = numbers[i].usual;
}

static bool
set_mode(struct scale_settings *s, const char *value, struct err *err)
{
    for (int i = 0; i < SCALE_MODES_N; i++)
        if (strcmp(modes[i], value) == 0) {
            s->mode = (enum scale_mode)i;
            return true;
        }
    return err_set(err, "'%.40s' is no mode: it is off, advise or auto", value);
}

static bool
set_quiet(struct scale_settings *s, const char *value, struct err *err)
{
    int h[2] = { 0 }, m[2] = { 0 }, end = 0, from, to;

    if (value[0] != '\0' &&
        (sscanf(value, "%2d:%2d-%2d:%2d%n", &h[0], &m[0], &h[1], &m[1], &end) != 4 ||
         value[end] != '\0' || h[0] < 0 || h[0] > 23 || h[1] < 0 || m[0] < 0 || m[0] > 59 ||
         m[1] < 0 || m[1] > 59 || 60 * h[1] + m[1] > 24 * 60))
        return err_set(err, "'%.40s' are no quiet hours: they are like 22:00-06:00, or empty",
                       value);
    from = 60 * h[0] + m[0];
    to   = 60 * h[1] + m[1];
    if (value[0] != '\0' && from == to)
        return err_set(err, "'%.40s' would be no time at all: the whole day is 00:00-24:00, and "
                       "the mode off or advise does the same", value);
    s->quiet_from = from;
    s->quiet_to   = to;
    return true;
}

bool
settings_set(struct scale_settings *s, const char *name, const char *value, struct err *err)
{
    if (strcmp(name, "mode") == 0)
        return set_mode(s, value, err);
    if (strcmp(name, "quiet") == 0)
        return set_quiet(s, value, err);
    for (size_t i = 0; i < countof(numbers); i++) {
        const struct number *n = &numbers[i];
        char                *end;
        double               x = strtod(value, &end);

        if (strcmp(n->name, name) != 0)
            continue;
        if (end == value || *end != '\0' || strpbrk(value, "xX") ||
            !(x >= n->least && x <= n->most))
            return err_set(err, "%s is a number from %g to %g%s%s, not '%.40s'", name, n->least,
                           n->most, n->unit[0] ? " " : "", n->unit, value);
        *number_in(s, n) = x;
        return true;
    }
    return err_set(err, "the scaler has no setting '%.40s'; see 'shardctl scaler status'", name);
}

bool
settings_check(const struct scale_settings *s, struct err *err)
{
    if (s->hot_n > s->hot_of || s->cold_n > s->cold_of)
        return err_set(err, "hot_n is at most hot_of, and cold_n at most cold_of");
    if (s->cold >= s->clear)
        return err_set(err, "cold must be below clear, else shards are hot and cold at once");
    if (s->merge_to > s->clear)
        return err_set(err, "merge_to is at most clear, else merged shards are hot at once");
    if (s->min_shards > s->max_shards)
        return err_set(err, "min_shards is at most max_shards");
    return true;
}

static const char *
quiet_text(const struct scale_settings *s, char out[16])
{
    out[0] = '\0';
    if (s->quiet_from != s->quiet_to)
        snprintf(out, 16, "%02d:%02d-%02d:%02d", s->quiet_from / 60 % 25, s->quiet_from % 60,
                 s->quiet_to / 60 % 25, s->quiet_to % 60);
    return out;
}

json_t *
settings_json(const struct scale_settings *s)
{
    char    quiet[16];
    json_t *out = json_pack("{s:s, s:s}", "mode", modes[s->mode], "quiet", quiet_text(s, quiet));

    for (size_t i = 0; i < countof(numbers); i++)
        json_object_set_new(out, numbers[i].name, json_real(number_of(s, &numbers[i])));
    return out;
}

void
settings_read(struct scale_settings *out, const json_t *object)
{
    struct err  ignored;
    const char *text;

    settings_default(out);
    if ((text = json_string_value(json_object_get(object, "mode"))) &&
        !set_mode(out, text, &ignored))
        out->mode = SCALE_ADVISE;
    if ((text = json_string_value(json_object_get(object, "quiet"))) &&
        !set_quiet(out, text, &ignored))
        out->quiet_from = out->quiet_to = 0;
    for (size_t i = 0; i < countof(numbers); i++) {
        const struct number *n = &numbers[i];
        const json_t        *value = json_object_get(object, n->name);
        double               x = json_number_value(value);

        if (json_is_number(value) && x >= n->least && x <= n->most)
            *number_in(out, n) = x;
    }
    if (!settings_check(out, &ignored)) {
        enum scale_mode mode = out->mode;

        settings_default(out);
        out->mode = mode;
    }
}

json_t *
settings_list(const struct scale_settings *s)
{
    json_t *list = json_array();
    char    quiet[16];

    json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", "mode", "value",
        modes[s->mode], "unit", "", "default", modes[SCALE_ADVISE], "help",
        "off; advise: it decides, and people act; auto: it acts"));
    json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", "quiet", "value",
        quiet_text(s, quiet), "unit", "", "default", "", "help",
        "no move begins in these hours of local time, as 22:00-06:00"));
    for (size_t i = 0; i < countof(numbers); i++)
        json_array_append_new(list, json_pack("{s:s, s:f, s:s, s:f, s:s}", "name",
            numbers[i].name, "value", number_of(s, &numbers[i]), "unit", numbers[i].unit,
            "default", numbers[i].usual, "help", numbers[i].help));
    return list;
}

void
settings_rules(const struct scale_settings *s, struct detector_rules *out)
{
    *out = (struct detector_rules){
        .limit = {
            [METRIC_STATEMENTS] = s->max_statements,   [METRIC_CPU] = s->max_cpu / 100,
            [METRIC_MEMORY] = s->max_memory / 100,     [METRIC_STORAGE] = s->max_storage / 100,
            [METRIC_CONNECTIONS] = s->max_connections, [METRIC_LATENCY] = s->max_latency_ms / 1e3,
        },
        .clear = s->clear / 100, .cold = s->cold / 100,
        .hot_n = (unsigned)s->hot_n, .hot_of = (unsigned)s->hot_of,
        .cold_n = (unsigned)s->cold_n, .cold_of = (unsigned)s->cold_of,
    };
}

unsigned
settings_periods(const struct scale_settings *s, unsigned out[2])
{
    static const double seasons_s[] = { 86400, 604800 };
    unsigned            n = 0;

    for (size_t i = 0; i < countof(seasons_s); i++) {
        double steps = round(seasons_s[i] / s->forecast_step_s);

        if (steps >= 2 && steps <= FORECAST_PERIOD_MAX)
            out[n++] = (unsigned)steps;
    }
    return n;
}

bool
settings_is_quiet(const struct scale_settings *s, int minute)
{
    if (s->quiet_from <= s->quiet_to)
        return minute >= s->quiet_from && minute < s->quiet_to;
    return minute >= s->quiet_from || minute < s->quiet_to;
}
