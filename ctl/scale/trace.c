/* trace.c - reading and writing loads as text. */
#include "ctl/scale/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "core/base/memory.h"

enum { COLUMNS_MAX = 32, COLUMN_TIME = -1, COLUMN_SHARD = -2, COLUMN_NONE = -3 };

static const char gaps[] = " \t,\r\n";

struct reader {
    struct trace *t;
    const char   *file;
    unsigned      line;
    int           column[COLUMNS_MAX]; /* a value's index, or COLUMN_... */
    size_t        n_columns;
    size_t        hint; /* shards come in the same order, mostly */
    struct err   *err;
};

static const char *
value_name(int i)
{
    return i < METRICS_N ? metrics[i].name : i == TRACE_BYTES ? "bytes" : "key";
}

static bool
wrong(struct reader *r, const char *what, const char *word)
{
    return err_set(r->err, "%s, line %u: %s%s%.60s%s", r->file, r->line, what, word ? " '" : "",
                   word ? word : "", word ? "'" : "");
}

static bool
read_head(struct reader *r, char *line)
{
    bool time = false, shard = false;

    for (char *word; (word = strsep(&line, gaps));) {
        int i = 0;

        if (!word[0])
            continue;
        if (r->n_columns == COLUMNS_MAX)
            return wrong(r, "too many columns", NULL);
        while (i < TRACE_VALUES_N && strcmp(value_name(i), word) != 0)
            i++;
        time  = time || strcmp(word, "time") == 0;
        shard = shard || strcmp(word, "shard") == 0;
        r->column[r->n_columns++] = strcmp(word, "time") == 0    ? COLUMN_TIME
                                    : strcmp(word, "shard") == 0 ? COLUMN_SHARD
                                    : i < TRACE_VALUES_N         ? i
                                                                 : COLUMN_NONE;
    }
    if (!time || !shard)
        return wrong(r, "the first line must name the columns, time and shard among them; see "
                        "'shardctl scaler simulate --help'", NULL);
    return true;
}

static uint32_t
add_name(struct trace *t, const char *name)
{
    t->name = mem_resize(t->name, (t->n_shards + 1) * sizeof(*t->name));
    snprintf(t->name[t->n_shards], sizeof(*t->name), "%s", name);
    return (uint32_t)t->n_shards++;
}

static bool
find_shard(struct reader *r, const char *name, uint32_t *out)
{
    struct trace *t = r->t;

    if (strlen(name) >= POLICY_NAME_MAX)
        return wrong(r, "the shard's name is too long:", name);
    for (size_t i = 0; i < t->n_shards; i++) {
        size_t k = (r->hint + i) % t->n_shards;

        if (strcmp(t->name[k], name) == 0) {
            *out    = (uint32_t)k;
            r->hint = k + 1;
            return true;
        }
    }
    if (t->n_shards == TRACE_SHARDS_MAX)
        return wrong(r, "there are more than 1000 shards", NULL);
    *out    = add_name(t, name);
    r->hint = *out + 1;
    return true;
}

static struct trace_point *
add_point(struct trace *t)
{
    if (t->n == t->room) {
        t->room  = t->room ? 2 * t->room : 1024;
        t->point = mem_resize(t->point, t->room * sizeof(*t->point));
    }
    for (int i = 0; i < TRACE_VALUES_N; i++)
        t->point[t->n].value[i] = NAN;
    return &t->point[t->n++];
}

static bool
read_value(struct reader *r, struct trace_point *p, int column, const char *word)
{
    char  *end;
    double x;

    if (strcmp(word, "-") == 0)
        return true;
    x = strtod(word, &end);
    if (*end != '\0' || !isfinite(x) || x < 0)
        return wrong(r, "this is no number from 0 on, and not '-':", word);
    p->value[column] = (float)x;
    return true;
}

static bool
read_time(struct reader *r, struct trace_point *p, const char *word)
{
    char  *end;
    double x = strtod(word, &end);

    if (*end != '\0' || !(x >= 0 && x < 1e12))
        return wrong(r, "this is no time in seconds:", word);
    p->at_s = (int64_t)x;
    if (r->t->n > 1 && p->at_s < p[-1].at_s)
        return wrong(r, "the time goes back:", word);
    return true;
}

static bool
read_point(struct reader *r, char *line)
{
    struct trace_point *p = add_point(r->t);
    size_t              i = 0;

    if (r->t->n > TRACE_POINTS_MAX)
        return wrong(r, "there are more than 20 million points", NULL);
    for (char *word; (word = strsep(&line, gaps));) {
        int  column;
        bool ok = true;

        if (!word[0])
            continue;
        if (i == r->n_columns)
            return wrong(r, "more values than columns:", word);
        column = r->column[i++];
        if (column == COLUMN_TIME)
            ok = read_time(r, p, word);
        else if (column == COLUMN_SHARD)
            ok = find_shard(r, word, &p->shard);
        else if (column != COLUMN_NONE)
            ok = read_value(r, p, column, word);
        if (!ok)
            return false;
    }
    return i == r->n_columns || wrong(r, "fewer values than columns", NULL);
}

bool
trace_read(struct trace *t, FILE *in, const char *file, struct err *err)
{
    struct reader r    = { .t = t, .file = file, .err = err };
    char         *line = NULL;
    size_t        room = 0;
    bool          ok   = true;

    *t = (struct trace){ 0 };
    errno = 0;
    while (ok && getline(&line, &room, in) >= 0) {
        r.line++;
        if (line[0] == '#' || line[strspn(line, gaps)] == '\0')
            continue;
        ok = r.n_columns == 0 ? read_head(&r, line) : read_point(&r, line);
    }
    free(line);
    if (ok && ferror(in))
        return err_set(err, "cannot read %s: %s", file, strerror(errno));
    if (ok && t->n == 0)
        return err_set(err, "%s has no measurements", file);
    return ok;
}

void
trace_free(struct trace *t)
{
    free(t->name);
    free(t->point);
    *t = (struct trace){ 0 };
}

void
trace_write_head(FILE *out)
{
    fputs("# shardd trace\ntime shard", out);
    for (int i = 0; i < TRACE_VALUES_N; i++)
        fprintf(out, " %s", value_name(i));
    fputc('\n', out);
}

void
trace_write_point(FILE *out, const struct trace *t, const struct trace_point *p)
{
    fprintf(out, "%" PRId64 " %s", p->at_s, t->name[p->shard]);
    for (int i = 0; i < TRACE_VALUES_N; i++)
        if (isnan(p->value[i]))
            fputs(" -", out);
        else
            fprintf(out, " %.6g", (double)p->value[i]);
    fputc('\n', out);
}

void
trace_write(FILE *out, const struct trace *t)
{
    trace_write_head(out);
    for (size_t i = 0; i < t->n; i++)
        trace_write_point(out, t, &t->point[i]);
}

/* --- made-up loads ------------------------------------------------------------------- */

struct shape {
    const char *name;
    double (*load)(double hour, unsigned shard, uint64_t *seed); /* times the mean */
};

static double
dice(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(*seed >> 11) / 9007199254740992.0;
}

static double
rough(uint64_t *seed)
{
    return 0.9 + 0.2 * dice(seed);
}

static double
load_daily(double hour, unsigned shard, uint64_t *seed)
{
    return (1 - 0.8 * cos(2 * M_PI * (hour - 0.2 * (shard % 10)) / 24)) * rough(seed);
}

static double
load_weekly(double hour, unsigned shard, uint64_t *seed)
{
    return load_daily(hour, shard, seed) * (fmod(hour / 24, 7) < 5 ? 1.2 : 0.5);
}

static double
load_growth(double hour, unsigned shard, uint64_t *seed)
{
    return (0.5 + hour / 48 * (1 + 0.1 * (shard % 5))) * rough(seed);
}

static double
load_steps(double hour, unsigned shard, uint64_t *seed)
{
    return ((unsigned)(hour / 6) % 2 ? 2.0 : 0.3) * (shard % 3 == 0 ? 1 : 0.5) * rough(seed);
}

/* Up and down within minutes: what no scaler should follow. */
static double
load_flapping(double hour, unsigned shard, uint64_t *seed)
{
    return ((unsigned)(hour * 4 + shard) % 2 ? 2.5 : 0.05) * rough(seed);
}

static double
load_noise(double hour, unsigned shard, uint64_t *seed)
{
    (void)hour;
    (void)shard;
    return 2 * dice(seed) * dice(seed) * 2;
}

static double
load_even(double hour, unsigned shard, uint64_t *seed)
{
    (void)hour;
    (void)shard;
    return 1.6 * rough(seed);
}

static double
load_idle(double hour, unsigned shard, uint64_t *seed)
{
    (void)hour;
    (void)shard;
    return 0.01 * rough(seed);
}

static const struct shape shapes[] = {
    { "daily", load_daily }, { "weekly", load_weekly },     { "growth", load_growth },
    { "steps", load_steps }, { "flapping", load_flapping }, { "noise", load_noise },
    { "key", load_even },    { "idle", load_idle },
};

static void
make_point(struct trace *t, const struct shape *shape, uint32_t shard, int64_t at_s, double mean,
           uint64_t *seed)
{
    struct trace_point *p    = add_point(t);
    double              hour = (double)at_s / 3600, load = mean * shape->load(hour, shard, seed);
    double              bytes = 1e9 * (1 + hour / 240);

    p->at_s  = at_s;
    p->shard = shard;
    p->value[METRIC_STATEMENTS]  = (float)load;
    p->value[METRIC_CPU]         = (float)fmin(load / 14000, 1);
    p->value[METRIC_STORAGE]     = (float)fmin(bytes / 20e9, 1);
    p->value[METRIC_CONNECTIONS] = (float)fmin(20 + load / 50, 5000);
    p->value[METRIC_LATENCY]     = (float)(0.002 / (1.02 - fmin(load / 14000, 1)));
    p->value[TRACE_BYTES]        = (float)bytes;
    p->value[TRACE_KEY]          = strcmp(shape->name, "key") == 0 ? 0.8F : 0.01F;
}

bool
trace_generate(struct trace *t, const char *shape, unsigned shards, double hours,
               unsigned every_s, double mean, uint64_t seed, struct err *err)
{
    const struct shape *s = NULL;
    char                name[POLICY_NAME_MAX];

    *t = (struct trace){ 0 };
    for (size_t i = 0; i < countof(shapes); i++)
        if (strcmp(shapes[i].name, shape) == 0)
            s = &shapes[i];
    if (!s)
        return err_set(err, "'%.40s' is no shape of load: it is one of daily, weekly, growth, "
                       "steps, flapping, noise, key, idle", shape);
    if (shards < 1 || shards > TRACE_SHARDS_MAX || every_s < 1 || !(hours > 0) ||
        hours * 3600 / every_s * shards > TRACE_POINTS_MAX)
        return err_set(err, "a trace has 1 to 1000 shards and at most 20 million points");
    for (unsigned i = 0; i < shards; i++) {
        snprintf(name, sizeof(name), "shard-%u", i + 1);
        add_name(t, name);
    }
    for (int64_t at = every_s; (double)at <= hours * 3600; at += every_s)
        for (uint32_t i = 0; i < shards; i++)
            make_point(t, s, i, at, mean, &seed);
    return true;
}
