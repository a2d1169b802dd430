/* balance_trace.h - how long statements took on a real server, well and in trouble, as recorded
 * by bench/record.py into bench/latencies.txt:
 *
 *   stalled                                   a name, and then for each tenth of a second:
 *   29 98 119 145 186 283 341                 us: least, quartiles, 90 and 99 of 100, most
 *
 * They are of a machine of two cores that had other work as well: what is before and behind a
 * trouble is not always calm, "well" is.
 */
#ifndef TESTS_UNIT_BALANCE_TRACE_H
#define TESTS_UNIT_BALANCE_TRACE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/base.h"

enum { TRACE_TENTHS = 40, TRACE_POINTS = 7, TRACE_TENTH_US = 100000 };

enum trace_name {
    TRACE_WELL, TRACE_REBUILT, TRACE_REPORTED, TRACE_LOADED, TRACE_COPIED, TRACE_THROTTLED,
    TRACE_STALLED, TRACE_CROWDED, TRACE_COLD, TRACES
};

static const char *const trace_names[TRACES] = { "well", "rebuilt", "reported", "loaded", "copied",
                                                 "throttled", "stalled", "crowded", "cold" };

static const double trace_at[TRACE_POINTS] = { 0, 0.25, 0.5, 0.75, 0.9, 0.99, 1 };

struct trace {
    double us[TRACE_TENTHS][TRACE_POINTS];
    double mean[TRACE_TENTHS];
};

/* A statement of that tenth, for a number by chance in [0, 1). */
static inline double
trace_draw(const double *us, double chance)
{
    int i = 0;

    while (i < TRACE_POINTS - 2 && chance >= trace_at[i + 1])
        i++;
    return us[i] + (us[i + 1] - us[i]) * (chance - trace_at[i]) / (trace_at[i + 1] - trace_at[i]);
}

static inline double
trace_mean(const double *us)
{
    double sum = 0;

    for (int i = 0; i < TRACE_POINTS - 1; i++)
        sum += (us[i] + us[i + 1]) / 2 * (trace_at[i + 1] - trace_at[i]);
    return sum;
}

static inline void
trace_read_one(FILE *file, const char *name, struct trace *t)
{
    char got[32] = "";

    if (fscanf(file, "%31s", got) != 1 || strcmp(got, name) != 0)
        abort();
    for (int i = 0; i < TRACE_TENTHS; i++) {
        for (int k = 0; k < TRACE_POINTS; k++)
            if (fscanf(file, "%lf", &t->us[i][k]) != 1)
                abort();
        t->mean[i] = trace_mean(t->us[i]);
    }
}

/* All of them; read once, from the top of the tree. */
static inline const struct trace *
traces(void)
{
    static struct trace all[TRACES];

    if (all[0].mean[0] > 0)
        return all;
    FILE *file = fopen("bench/latencies.txt", "r");
    if (file == NULL) {
        perror("bench/latencies.txt");
        abort();
    }
    for (int i = 0; i < TRACES; i++)
        trace_read_one(file, trace_names[i], &all[i]);
    fclose(file);
    return all;
}

#endif
