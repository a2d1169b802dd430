/* verbs_simulate.c - scaler simulate and trace: loads in files. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/catalog/model.h"
#include "ctl/client.h"
#include "ctl/scale/simulate.h"
#include "ctl/verbs.h"

enum { SEED = 1, LINES = 40 };

/* Those of the cluster when a controller answers, and no other home was meant; else the usual
 * ones; then what --set says. */
static bool
settings_for(struct cli *cli, const struct trace *t, struct scale_settings *s, struct err *err)
{
    json_t     *answer = client_call(&cli->paths, "GET", "/v1/scaler", NULL, NULL, err), *one;
    json_t     *list   = json_object_get(cli->options, "set"), *word;
    size_t      i;
    bool        ok = true, max = false;

    settings_default(s);
    json_array_foreach(json_object_get(answer, "settings"), i, one) {
        const json_t *value = json_object_get(one, "value");
        char          text[40];

        snprintf(text, sizeof(text), "%.10g", json_number_value(value));
        ok = ok && settings_set(s, model_text(one, "name"),
                                json_is_string(value) ? json_string_value(value) : text, err);
    }
    json_decref(answer);
    json_array_foreach(list, i, word) {
        char  copy[120], *is;

        snprintf(copy, sizeof(copy), "%s", json_string_value(word));
        is = strchr(copy, '=');
        if (!is)
            return err_set(err, "'%.80s' is not NAME=VALUE", copy);
        *is++ = '\0';
        max   = max || strcmp(copy, "max_shards") == 0;
        ok    = ok && settings_set(s, copy, is, err);
    }
    if (!max && s->max_shards < 2.0 * (double)t->n_shards)
        s->max_shards = fmin(2.0 * (double)t->n_shards, 1024);
    return ok && settings_check(s, err);
}

static bool
read_trace(const char *path, struct trace *t, struct err *err)
{
    FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    bool  ok;

    if (!in)
        return err_set(err, "cannot open %s: %s", path, strerror(errno));
    ok = trace_read(t, in, path, err);
    if (in != stdin)
        fclose(in);
    return ok;
}

/* What the command line says in numbers. */
struct wish {
    int shards, hours, every, mean, speed;
};

/* False: what is wrong has been said. */
static bool
read_wish(const struct cli *cli, struct wish *out)
{
    return cli_number(cli, "trace-shards", 1, TRACE_SHARDS_MAX, &out->shards, 4) &&
           cli_number(cli, "hours", 1, 24 * 366, &out->hours, 72) &&
           cli_number(cli, "every", 1, 3600, &out->every, 60) &&
           cli_number(cli, "mean", 0, 1000000, &out->mean, 8000) &&
           cli_number(cli, "speed", 1, 100000, &out->speed, 50);
}

static bool
make_trace(const struct cli *cli, const struct wish *w, struct trace *t, struct err *err)
{
    return trace_generate(t, cli_option(cli, "generate"), (unsigned)w->shards, w->hours,
                          (unsigned)w->every, w->mean, SEED, err);
}

/* A bar per line: how many shards there were. */
static void
print_timeline(const json_t *out)
{
    json_t *list = json_object_get(out, "timeline"), *line;
    size_t  n = json_array_size(list), step = n / LINES + 1;
    double  most = json_number_value(json_object_get(json_object_get(out, "shards"), "most"));
    int64_t first = model_number(json_array_get(list, 0), "time");

    printf("%10s %7s %12s %12s\n", "hour", "shards", "statements/s", "hottest");
    for (size_t i = 0; i < n; i += step) {
        int shards;

        line   = json_array_get(list, i);
        shards = (int)model_number(line, "shards");
        printf("%10.1f %7d %12.0f %12.0f  ", (double)(model_number(line, "time") - first) / 3600,
               shards, json_number_value(json_object_get(line, "statements")),
               json_number_value(json_object_get(line, "hottest")));
        for (int k = 0; k < (int)(40 * shards / fmax(most, 1)); k++)
            putchar('#');
        printf("%s\n", model_number(line, "moves") > 0 ? " *" : "");
    }
}

static void
print_summary(const json_t *out)
{
    const json_t *shards = json_object_get(out, "shards");
    json_t       *held   = json_object_get(out, "held"), *n;
    json_t       *error  = json_object_get(out, "forecast_error");
    const char   *why;

    print_timeline(out);
    printf("\n%.1f hours: %lld split%s, %lld merge%s, %lld hint%s; %lld shards at first, %lld at "
           "last, %lld at most\n", json_number_value(json_object_get(out, "hours")),
           (long long)model_number(out, "splits"), cli_plural(model_number(out, "splits")),
           (long long)model_number(out, "merges"), cli_plural(model_number(out, "merges")),
           (long long)model_number(out, "hints"), cli_plural(model_number(out, "hints")),
           (long long)model_number(shards, "first"), (long long)model_number(shards, "last"),
           (long long)model_number(shards, "most"));
    printf("shard-minutes above a limit: %.0f without the scaler, %.0f with it\n",
           json_number_value(json_object_get(out, "hot_before")),
           json_number_value(json_object_get(out, "hot")));
    if (json_is_number(error))
        printf("forecasts were off by %.1f%% on average\n", 100 * json_number_value(error));
    json_object_foreach(held, why, n)
        printf("held back by %-10s %lld times\n", why, (long long)json_integer_value(n));
}

static void
print_decisions(const json_t *out)
{
    json_t *list = json_object_get(out, "decisions"), *d, *rows = json_array();
    size_t  i;
    int64_t first = model_number(json_array_get(json_object_get(out, "timeline"), 0), "time");
    char    text[32];

    json_array_foreach(list, i, d) {
        json_t *row = json_copy(d);

        snprintf(text, sizeof(text), "%.2f", (double)(model_number(d, "time") - first) / 3600);
        model_set(row, "hour", text);
        json_array_append_new(rows, row);
    }
    cli_table(rows, "hour action shard why held text");
    json_decref(rows);
}

static bool
write_trace(const char *path, const struct trace *t, struct err *err)
{
    FILE *out = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");

    if (!out)
        return err_set(err, "cannot write %s: %s", path, strerror(errno));
    trace_write(out, t);
    if (fflush(out) != 0)
        return err_set(err, "cannot write %s: %s", path, strerror(errno));
    if (out != stdout)
        fclose(out);
    return true;
}

static bool
simulate(struct cli *cli, const struct wish *w, const struct trace *t, struct err *err)
{
    struct simulate_options o = { .bytes_per_s = 1e6 * w->speed };
    struct scale_settings   s;
    json_t                 *out;

    if (!settings_for(cli, t, &s, err))
        return false;
    out = simulate_run(t, &s, &o);
    if (cli_option(cli, "json")) {
        json_dumpf(out, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        if (cli_option(cli, "decisions"))
            print_decisions(out);
        print_summary(out);
    }
    json_decref(out);
    return true;
}

int
verb_scaler_simulate(struct cli *cli)
{
    const char  *file = cli_option(cli, "trace"), *write = cli_option(cli, "write");
    struct trace t    = { 0 };
    struct wish  wish;
    struct err   err;
    bool         ok;

    if (!file == !cli_option(cli, "generate"))
        return cli_wrong(cli, "say either --trace FILE or --generate SHAPE");
    if (!read_wish(cli, &wish))
        return CLI_USAGE;
    ok = file ? read_trace(file, &t, &err) : make_trace(cli, &wish, &t, &err);
    if (ok)
        ok = write ? write_trace(write, &t, &err) : simulate(cli, &wish, &t, &err);
    trace_free(&t);
    if (!ok)
        fprintf(stderr, "shardctl: %s\n", err.text);
    return ok ? CLI_OK : CLI_FAILED;
}

/* --- what was measured -------------------------------------------------------------------- */

static float
value_of(const json_t *point, const char *name)
{
    const json_t *value = json_object_get(point, name);

    return json_is_number(value) ? (float)json_number_value(value) : (float)NAN;
}

static void
print_point(const json_t *point)
{
    char               name[1][POLICY_NAME_MAX];
    struct trace       t = { .n_shards = 1, .name = name };
    struct trace_point p = { .at_s = model_number(point, "time") };

    snprintf(name[0], sizeof(name[0]), "%s", model_text(point, "shard"));
    for (int i = 0; i < METRICS_N; i++)
        p.value[i] = value_of(point, metrics[i].name);
    p.value[TRACE_BYTES] = value_of(point, "bytes");
    p.value[TRACE_KEY]   = value_of(point, "key");
    trace_write_point(stdout, &t, &p);
}

int
verb_scaler_trace(struct cli *cli)
{
    json_t *answer, *point;
    size_t  i;
    int     status = cli_call(cli, "GET", cli_option(cli, "by-hours")
                              ? "/v1/scaler/trace?grain=hour" : "/v1/scaler/trace", NULL,
                              &answer);

    if (!answer)
        return status;
    trace_write_head(stdout);
    json_array_foreach(json_object_get(answer, "points"), i, point)
        print_point(point);
    json_decref(answer);
    return status;
}
