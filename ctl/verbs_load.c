/* verbs_load.c - what shards and replicas have to do: load, load keys, load history. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "ctl/catalog/model.h"
#include "ctl/client.h"
#include "ctl/verbs.h"

/* How a number is shown to people. */
enum form { FORM_COUNT, FORM_RATE, FORM_MS, FORM_PERCENT, FORM_BYTES, FORM_SECONDS };

struct column {
    const char *name, *field;
    enum form   form;
};

static const struct column shard_columns[] = {
    { "statements_per_s", "statements_per_s", FORM_RATE },
    { "errors_per_s", "errors_per_s", FORM_RATE },
    { "p50_ms", "latency_p50_us", FORM_MS },
    { "p99_ms", "latency_p99_us", FORM_MS },
    { "connections", "threads_connected", FORM_COUNT },
    { "running", "threads_running", FORM_COUNT },
    { "cpu", "cpu", FORM_PERCENT },
    { "memory", "memory", FORM_PERCENT },
    { "disk", "disk", FORM_PERCENT },
    { "pool", "buffer_pool", FORM_PERCENT },
    { "rows", "rows", FORM_COUNT },
    { "bytes", "bytes", FORM_BYTES },
    { "lag_s", "lag_s", FORM_SECONDS },
};

static void
print_bytes(double n, char *out, size_t room)
{
    static const char units[] = " KMGTPE";
    size_t            unit    = 0;

    for (; n >= 1024 && units[unit + 1]; n /= 1024)
        unit++;
    if (unit == 0)
        snprintf(out, room, "%.0f", n);
    else
        snprintf(out, room, "%.1f%c", n, units[unit]);
}

/* "-" when it was not measured. */
static void
show(const json_t *value, enum form form, char *out, size_t room)
{
    double n = json_number_value(value);

    if (!json_is_number(value)) {
        snprintf(out, room, "-");
        return;
    }
    switch (form) {
    case FORM_COUNT:   snprintf(out, room, "%.0f", n); return;
    case FORM_RATE:    snprintf(out, room, n < 10 && n > 0 ? "%.1f" : "%.0f", n); return;
    case FORM_MS:      snprintf(out, room, "%.2f", n / 1000); return;
    case FORM_PERCENT: snprintf(out, room, "%.0f%%", n * 100); return;
    case FORM_BYTES:   print_bytes(n, out, room); return;
    case FORM_SECONDS: snprintf(out, room, "%.1f", n); return;
    }
}

static json_t *
row_of(const json_t *from, const char *label, const char *text, bool brief)
{
    json_t *row = json_object();

    model_set(row, label, text);
    for (size_t i = 0; i < countof(shard_columns); i++) {
        const struct column *c = &shard_columns[i];
        char                 cell[32];

        if (brief && strcmp(c->name, "rows") == 0)
            continue;
        show(json_object_get(from, c->field), c->form, cell, sizeof(cell));
        model_set(row, c->name, cell);
    }
    return row;
}

#define SERVER_COLUMNS "statements_per_s errors_per_s p50_ms p99_ms connections running cpu " \
                       "memory disk pool"
#define COLUMNS        SERVER_COLUMNS " bytes lag_s"

static void
print_unmeasured(const json_t *server, const char *shard, const char *replica)
{
    json_t *one;
    size_t  i;

    json_array_foreach(json_object_get(server, "collectors"), i, one)
        if (model_text(one, "problem")[0])
            printf("%s: %s%s%s is not measured: %s\n", shard, replica, replica[0] ? ": " : "",
                   model_text(one, "collector"), model_text(one, "problem"));
}

/* What cannot be measured, and replicas that do not follow. */
static void
print_problems(const json_t *shard)
{
    const char *name = model_text(shard, "shard");
    json_t     *one;
    size_t      i;

    print_unmeasured(shard, name, "");
    json_array_foreach(json_object_get(shard, "replicas"), i, one) {
        if (model_flag(one, "wanted") && !model_flag(one, "follows"))
            printf("%s: replica %s does not follow: %s\n", name, model_text(one, "replica"),
                   model_text(one, "problem"));
        if (model_flag(one, "wanted"))
            print_unmeasured(one, name, model_text(one, "replica"));
    }
}

/* A table of their own, where there are any. */
static void
print_replicas(const json_t *answer)
{
    json_t *rows = json_array(), *shard, *one, *row;
    size_t  i, k;

    json_array_foreach(json_object_get(answer, "shards"), i, shard)
        json_array_foreach(json_object_get(shard, "replicas"), k, one) {
            row = row_of(one, "replica", model_text(one, "replica"), true);
            model_set(row, "shard", model_text(shard, "shard"));
            json_array_append_new(rows, row);
        }
    if (json_array_size(rows) > 0) {
        printf("\n");
        cli_table(rows, "replica shard " SERVER_COLUMNS " lag_s");
    }
    json_decref(rows);
}

static void
print_load(const json_t *answer)
{
    json_t *rows = json_array(), *shard;
    size_t  i;

    json_array_foreach(json_object_get(answer, "shards"), i, shard)
        json_array_append_new(rows, row_of(shard, "shard", model_text(shard, "shard"), false));
    cli_table(rows, "shard " COLUMNS " rows");
    json_decref(rows);
    print_replicas(answer);
    json_array_foreach(json_object_get(answer, "shards"), i, shard)
        print_problems(shard);
    fflush(stdout);
}

int
verb_load(struct cli *cli)
{
    bool watch = cli_option(cli, "watch") != NULL;
    int  status;

    do {
        json_t *answer;

        status = cli_call(cli, "GET", "/v1/load", NULL, &answer);
        if (watch && status == CLI_OK && cli_option(cli, "json"))
            fflush(stdout);
        if (answer) {
            if (watch && isatty(STDOUT_FILENO))
                printf("\033[H\033[2J"); /* home, clear */
            print_load(answer);
            json_decref(answer);
        }
        if (watch && status == CLI_OK)
            sleep(1);
    } while (watch && status == CLI_OK);
    return status;
}

/* In place of the numbers, for people. */
static void
round_rates(json_t *list)
{
    json_t *row;
    size_t  i;

    json_array_foreach(list, i, row) {
        char text[32];

        show(json_object_get(row, "per_s"), FORM_RATE, text, sizeof(text));
        model_set(row, "statements_per_s", text);
        show(json_object_get(row, "share"), FORM_PERCENT, text, sizeof(text));
        model_set(row, "of_shard", text);
    }
}

int
verb_load_keys(struct cli *cli)
{
    json_t *answer, *keys, *ranges;
    int     status = cli_call(cli, "GET", "/v1/heat", NULL, &answer);

    if (!answer)
        return status;
    keys   = json_object_get(answer, "keys");
    ranges = json_object_get(answer, "ranges");
    round_rates(keys);
    round_rates(ranges);
    if (json_array_size(keys) > 0)
        cli_table(keys, "table key shard statements_per_s of_shard hash");
    else
        printf("no key comes often enough to be seen\n");
    printf("\n");
    cli_table(ranges, "start last shard statements_per_s");
    json_decref(answer);
    return status;
}

int
verb_load_set(struct cli *cli)
{
    const char *metrics = cli_option(cli, "metrics");
    int         interval, status;

    if (!cli_number(cli, "interval", 1, 600, &interval, 0))
        return CLI_USAGE;
    if (interval == 0 && !metrics)
        return cli_wrong(cli, "say --interval SECONDS or --metrics ADDRESS");

    json_t *body = json_object();
    if (interval > 0)
        json_object_set_new(body, "interval_s", json_integer(interval));
    if (metrics)
        json_object_set_new(body, "metrics", json_string_nocheck(metrics));
    status = cli_change(cli, "PUT", "/v1/load", body, "it is set");
    json_decref(body);
    return status;
}

/* "90", "90s", "15m", "2h", "7d" in seconds; -1: none of these. */
static long long
seconds_of(const char *text)
{
    static const struct {
        const char *suffix;
        long long   seconds;
    } units[] = { { "", 1 }, { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 } };
    char     *end;
    long long n = strtoll(text, &end, 10);

    for (size_t i = 0; end != text && n >= 0 && n < 100000000 && i < countof(units); i++)
        if (strcmp(end, units[i].suffix) == 0)
            return n * units[i].seconds;
    return -1;
}

/* What is there for so long. */
static const char *
grain_for(long long since_s)
{
    return since_s <= 600 ? "raw" : since_s <= 21600 ? "minute" : "hour";
}

static void
print_history(const json_t *answer)
{
    json_t *rows = json_array(), *point;
    size_t  i;

    json_array_foreach(json_object_get(answer, "points"), i, point) {
        time_t    at = (time_t)(model_number(point, "at_ms") / 1000);
        struct tm tm;
        char      text[32];

        gmtime_r(&at, &tm);
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
        json_array_append_new(rows, row_of(point, "until_utc", text, true));
    }
    cli_table(rows, "until_utc " COLUMNS);
    json_decref(rows);
}

int
verb_load_history(struct cli *cli)
{
    const char *since = cli_option(cli, "since"), *grain = cli_option(cli, "grain");
    long long   since_s = seconds_of(since ? since : "10m");
    char       *server, *path = NULL;
    json_t     *answer;
    int         status;

    if (since_s < 0)
        return cli_wrong(cli, "--since is like 90s, 15m, 2h or 7d");
    server = client_path("/v1/load/", cli->argument[0]);
    if (asprintf(&path, "%s?since_s=%lld&grain=%s", server, since_s,
                 grain ? grain : grain_for(since_s)) < 0)
        abort();
    status = cli_call(cli, "GET", path, NULL, &answer);
    free(server);
    free(path);
    if (!answer)
        return status;
    print_history(answer);
    json_decref(answer);
    return status;
}
