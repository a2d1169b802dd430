/* verbs_scaler.c - scaler status, mode, set, resume, decisions, explain. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ctl/catalog/model.h"
#include "ctl/client.h"
#include "ctl/scale/policy_json.h"
#include "ctl/verbs.h"

static const char *
when(int64_t at_s, char out[32])
{
    time_t    t = (time_t)at_s;
    struct tm tm;

    if (at_s <= 0)
        return "-";
    localtime_r(&t, &tm);
    strftime(out, 32, "%Y-%m-%d %H:%M:%S", &tm);
    return out;
}

/* A metric of a shard; "-": not measured. */
static void
set_metric(json_t *row, const json_t *shard, const char *metric, double times, const char *fmt)
{
    const json_t *value = json_object_get(json_object_get(shard, "mean"), metric);
    char          text[40];
    double        x = times * json_number_value(value);

    if (!json_is_number(value))
        snprintf(text, sizeof(text), "-");
    else if (fmt[0] == '%')
        snprintf(text, sizeof(text), "%.0f%%", x);
    else
        snprintf(text, sizeof(text), fmt[0] == '1' ? "%.1f" : "%.0f", x);
    model_set(row, metric, text);
}

static const char *
state_of(const json_t *shard)
{
    if (model_text(shard, "sick")[0])
        return "sick";
    if (model_flag(shard, "moving"))
        return "moving";
    if (json_object_size(json_object_get(shard, "hot")) > 0)
        return "hot";
    if (model_number(shard, "ranges") == 0)
        return "spare";
    return model_flag(shard, "cold") ? "cold" : "-";
}

/* "12000 in 20 min (+-8%)" */
static void
set_forecast(json_t *row, const json_t *shard)
{
    const json_t *f = json_object_get(shard, "statements");
    char          text[80] = "-";

    if (json_is_object(f))
        snprintf(text, sizeof(text), "%.0f in %lld min (off by %.0f%%)",
                 json_number_value(json_object_get(f, "peak")),
                 (long long)(model_number(f, "in_s") + 59) / 60,
                 100 * json_number_value(json_object_get(f, "error")));
    model_set(row, "forecast", text);
}

static void
print_shards(const json_t *shards)
{
    json_t *rows = json_array(), *shard;
    size_t  i;

    json_array_foreach((json_t *)(uintptr_t)shards, i, shard) {
        json_t *row = json_pack("{s:O, s:s}", "name", json_object_get(shard, "name"), "state",
                                state_of(shard));

        set_metric(row, shard, "statements", 1, "0");
        set_metric(row, shard, "cpu", 100, "%");
        set_metric(row, shard, "memory", 100, "%");
        set_metric(row, shard, "storage", 100, "%");
        set_metric(row, shard, "connections", 1, "0");
        set_metric(row, shard, "latency", 1000, "1");
        set_forecast(row, shard);
        json_array_append_new(rows, row);
    }
    cli_table(rows, "name state statements cpu memory storage connections latency forecast");
    json_decref(rows);
    json_array_foreach((json_t *)(uintptr_t)shards, i, shard)
        if (model_text(shard, "sick")[0])
            printf("%s is left alone: %s\n", model_text(shard, "name"),
                   model_text(shard, "sick"));
}

static void
print_settings(const json_t *settings)
{
    json_t *rows = json_array(), *one;
    size_t  i;

    json_array_foreach((json_t *)(uintptr_t)settings, i, one) {
        json_t       *row   = json_pack("{s:O, s:O, s:O}", "setting",
                                        json_object_get(one, "name"), "unit",
                                        json_object_get(one, "unit"), "help",
                                        json_object_get(one, "help"));
        const json_t *value = json_object_get(one, "value");
        char          text[40];

        if (json_is_string(value)) {
            json_object_set(row, "value", json_object_get(one, "value"));
        } else {
            snprintf(text, sizeof(text), "%.10g", json_number_value(value));
            model_set(row, "value", text);
        }
        json_array_append_new(rows, row);
    }
    cli_table(rows, "setting value unit help");
    json_decref(rows);
}

int
verb_scaler_status(struct cli *cli)
{
    json_t *answer;
    int     status = cli_call(cli, "GET", "/v1/scaler", NULL, &answer);
    char    text[32];

    if (!answer)
        return status;
    printf("mode             %s\n", model_text(answer, "mode"));
    if (model_text(answer, "stopped")[0])
        printf("stopped          %s; 'shardctl scaler resume' when that is seen to\n",
               model_text(answer, "stopped"));
    printf("moving           %s\n", model_text(answer, "moving")[0]
                                        ? model_text(answer, "moving") : "nothing");
    printf("moves today      %lld\n", (long long)model_number(answer, "moves_today"));
    printf("looked           %s\n\n", when(model_number(answer, "checked_s"), text));
    print_shards(json_object_get(answer, "shards"));
    putchar('\n');
    print_settings(json_object_get(answer, "settings"));
    json_decref(answer);
    return status;
}

int
verb_scaler_mode(struct cli *cli)
{
    json_t *body = json_object();
    int     status;

    model_set(body, "mode", cli->argument[0]);
    status = cli_change(cli, "PUT", "/v1/scaler", body, "the scaler's mode is %s",
                        cli->argument[0]);
    json_decref(body);
    return status;
}

/* "NAME=VALUE" into `out`. False: there is no '='. */
static bool
read_setting(json_t *out, const char *word)
{
    const char *is = strchr(word, '=');
    char        name[64];

    if (!is || is == word || (size_t)(is - word) >= sizeof(name))
        return false;
    memcpy(name, word, (size_t)(is - word));
    name[is - word] = '\0';
    model_set(out, name, is + 1);
    return true;
}

int
verb_scaler_set(struct cli *cli)
{
    json_t *body = json_object();
    int     status;

    for (size_t i = 0; i < cli->n_arguments; i++)
        if (!read_setting(body, cli->argument[i])) {
            json_decref(body);
            return cli_wrong(cli, "'%s' is not NAME=VALUE", cli->argument[i]);
        }
    status = cli_change(cli, "PUT", "/v1/scaler", body, "%zu setting%s changed",
                        cli->n_arguments, cli_plural((long long)cli->n_arguments));
    json_decref(body);
    return status;
}

int
verb_scaler_resume(struct cli *cli)
{
    return cli_change(cli, "POST", "/v1/scaler/resume", NULL, "the scaler goes on");
}

/* --- decisions ----------------------------------------------------------------------------- */

static const char *
outcome(const json_t *decision)
{
    const char *held = model_text(decision, "held");

    return strcmp(model_text(decision, "state"), "held") == 0 && held[0]
               ? held : model_text(decision, "state");
}

int
verb_scaler_decisions(struct cli *cli)
{
    json_t *answer, *rows, *d;
    int     limit, status;
    size_t  i;
    char    path[80], text[32];

    if (!cli_number(cli, "limit", 1, 500, &limit, 20))
        return CLI_USAGE;
    snprintf(path, sizeof(path), "/v1/scaler/decisions?limit=%d", limit);
    status = cli_call(cli, "GET", path, NULL, &answer);
    if (!answer)
        return status;
    rows = json_array();
    json_array_foreach(json_object_get(answer, "decisions"), i, d) {
        json_t *row = json_pack("{s:O, s:s, s:O, s:O, s:O, s:s, s:O}", "id",
                                json_object_get(d, "number"), "time",
                                when(model_number(d, "at_s"), text), "action",
                                json_object_get(d, "action"), "shard",
                                json_object_get(d, "shard"), "why", json_object_get(d, "why"),
                                "state", outcome(d), "text", json_object_get(d, "text"));

        if (model_number(d, "job") > 0)
            json_object_set(row, "job", json_object_get(d, "job"));
        json_array_append_new(rows, row);
    }
    cli_table(rows, "id time action shard why state job text");
    json_decref(rows);
    json_decref(answer);
    return status;
}

static void
print_replay(const json_t *answer)
{
    const json_t *again = json_object_get(answer, "replayed");

    printf("\ndecided again from the same settings and measurements: ");
    if (!json_is_object(again))
        printf("nothing would be done\n");
    else if (strcmp(model_text(again, "text"), model_text(answer, "text")) == 0)
        printf("the same\n");
    else
        printf("%s\n", model_text(again, "text"));
}

int
verb_scaler_explain(struct cli *cli)
{
    json_t *answer;
    char    path[80], text[32];
    int     status;

    snprintf(path, sizeof(path), "/v1/scaler/decisions/%.40s", cli->argument[0]);
    status = cli_call(cli, "GET", path, NULL, &answer);
    if (!answer)
        return status;
    printf("decision %lld, %s\n", (long long)model_number(answer, "number"),
           when(model_number(answer, "at_s"), text));
    printf("%s\n\n", model_text(answer, "text"));
    cli_members(answer, "action shard other why metric value limit held state job error");
    if (json_object_get(answer, "request")) {
        char *request = json_dumps(json_object_get(answer, "request"), 0);

        printf("request          %s\n", request);
        free(request);
    }
    printf("\nwhat was known then of the shards that matter:\n");
    print_shards(json_object_get(json_object_get(answer, "world"), "shards"));
    print_replay(answer);
    json_decref(answer);
    return status;
}
