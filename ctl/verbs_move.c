/* verbs_move.c - reshard, shard drain, range list. */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/catalog/model.h"
#include "ctl/client.h"
#include "ctl/verbs.h"

enum { PAUSE_MAX_MS = 60000, WAIT_MAX_S = 1000000 };

static json_t *
words(const struct cli *cli)
{
    json_t *list = json_array();

    for (size_t i = 0; i < cli->n_arguments; i++)
        json_array_append_new(list, json_string_nocheck(cli->argument[i]));
    return list;
}

static void
set_list(json_t *body, const struct cli *cli, const char *option)
{
    json_t *list = json_object_get(cli->options, option);

    if (list)
        json_object_set(body, option, list);
}

static void
set_flag(json_t *body, const char *key, const char *option, bool value)
{
    if (option)
        json_object_set_new(body, key, json_boolean(value));
}

/* What all verbs that move rows have. False, after saying why. */
static bool
options_of(struct cli *cli, json_t *body)
{
    const char *throttle = cli_option(cli, "throttle"), *rate = cli_option(cli, "max-rate");
    struct buf  limits   = { 0 };
    int         pause, wait;

    if (!cli_number(cli, "max-pause", 10, PAUSE_MAX_MS, &pause, 200) ||
        !cli_number(cli, "max-wait", 0, WAIT_MAX_S, &wait, 0))
        return false;
    json_object_set_new(body, "max_wait_s", json_integer(wait));
    buf_printf(&limits, "%s%s%s", throttle ? throttle : "", rate ? ",bytes=" : "",
               rate ? rate : "");
    model_set(body, "throttle", buf_cstr(&limits));
    buf_fini(&limits);
    json_object_set_new(body, "max_pause_ms", json_integer(pause));
    if (cli_option(cli, "cutover"))
        model_set(body, "cutover", cli_option(cli, "cutover"));
    if (cli_option(cli, "by"))
        model_set(body, "by", cli_option(cli, "by"));
    if (cli_option(cli, "verify-on"))
        model_set(body, "verify_on", cli_option(cli, "verify-on"));
    set_list(body, cli, "to");
    set_list(body, cli, "at");
    if (json_object_get(cli->options, "window"))
        json_object_set(body, "windows", json_object_get(cli->options, "window"));
    set_flag(body, "compress", cli_option(cli, "compress"), true);
    set_flag(body, "dry_run", cli_option(cli, "dry-run"), true);
    set_flag(body, "cut_transactions", cli_option(cli, "cut-transactions"), true);
    set_flag(body, "reverse", cli_option(cli, "no-reverse"), false);
    set_flag(body, "verify", cli_option(cli, "no-verify"), false);
    return true;
}

/* From whom to whom, all ranges together. */
static json_t *
sum_up(const json_t *pieces)
{
    json_t *sums = json_object(), *piece;
    size_t  i;

    json_array_foreach((json_t *)(uintptr_t)pieces, i, piece) {
        char    key[200];
        json_t *sum;

        snprintf(key, sizeof(key), "%s\n%s", model_text(piece, "from_name"),
                 model_text(piece, "to_name"));
        sum = json_object_get(sums, key);
        if (!sum) {
            sum = json_pack("{s:O, s:O}", "from", json_object_get(piece, "from_name"), "to",
                            json_object_get(piece, "to_name"));
            json_object_set_new(sums, key, sum);
        }
        json_object_set_new(sum, "ranges", json_integer(model_number(sum, "ranges") + 1));
        json_object_set_new(sum, "rows", json_integer(model_number(sum, "rows") +
                                                      model_number(piece, "rows")));
        json_object_set_new(sum, "n_bytes", json_integer(model_number(sum, "n_bytes") +
                                                         model_number(piece, "bytes")));
    }
    return sums;
}

static void
print_plan(const json_t *move)
{
    json_t     *sums   = sum_up(json_object_get(move, "pieces")), *rows = json_array(), *sum, *note;
    size_t      tables = json_array_size(json_object_get(move, "tables"));
    const char *key;
    char        text[32];
    size_t      i;

    json_object_foreach(sums, key, sum) {
        model_set(sum, "bytes", cli_bytes(model_number(sum, "n_bytes"), text));
        json_array_append(rows, sum);
    }
    cli_table(rows, "from to ranges rows bytes");
    printf("%zu table%s; rows and bytes as the servers estimate them\n", tables,
           cli_plural((long long)tables));
    json_array_foreach(json_object_get(move, "notes"), i, note)
        printf("%s\n", json_string_value(note));
    json_decref(sums);
    json_decref(rows);
}

/* What there is to say of a move that was begun, or would be. */
static void
tell(struct cli *cli, const json_t *answer, const char *done)
{
    const json_t *move = json_object_get(answer, "move");
    int64_t       job  = model_number(answer, "job");

    if (cli_option(cli, "json") && (job == 0 || !cli_option(cli, "wait"))) {
        json_dumpf(answer, stdout, JSON_INDENT(2));
        putchar('\n');
    } else if (!cli_option(cli, "json")) {
        if (move)
            print_plan(move);
        if (model_flag(move, "one_way"))
            printf("once switched it cannot be reversed: only 'table set' changes it again\n");
        if (job > 0)
            printf("job %lld; see 'shardctl job watch %lld'\n", (long long)job, (long long)job);
        if (!move)
            printf("%s\n", done);
    }
    fflush(stdout);
}

int
move_begin(struct cli *cli, const char *method, const char *path, json_t *body, const char *done)
{
    json_t    *answer;
    int64_t    job;
    struct err err;

    if (!options_of(cli, body)) {
        json_decref(body);
        return CLI_USAGE;
    }
    answer = client_call(&cli->paths, method, path, body, NULL, &err);
    json_decref(body);
    if (!answer) {
        fprintf(stderr, "shardctl: %s\n", err.text);
        return CLI_FAILED;
    }
    job = model_number(answer, "job");
    tell(cli, answer, done);
    json_decref(answer);
    return job > 0 && cli_option(cli, "wait") ? job_wait(cli, job, "switched") : CLI_OK;
}

static int
begin(struct cli *cli, const char *verb, json_t *body)
{
    model_set(body, "verb", verb);
    return move_begin(cli, "POST", "/v1/moves", body, "");
}

int
verb_reshard_split(struct cli *cli)
{
    json_t *body = json_pack("{s:o}", "shards", words(cli));
    int     into;

    if (!cli_number(cli, "into", 2, ROUTES_SHARDS_MAX, &into, 0)) {
        json_decref(body);
        return CLI_USAGE;
    }
    if (into > 0)
        json_object_set_new(body, "into", json_integer(into));
    return begin(cli, "split", body);
}

int
verb_reshard_merge(struct cli *cli)
{
    return begin(cli, "merge", json_pack("{s:o}", "shards", words(cli)));
}

int
verb_reshard_move(struct cli *cli)
{
    if (!cli_option(cli, "to") && !json_object_get(cli->options, "to"))
        return cli_wrong(cli, "say with --to which shard gets them");
    return begin(cli, "move", json_pack("{s:o}", "ranges", words(cli)));
}

int
verb_reshard_rebalance(struct cli *cli)
{
    return begin(cli, "rebalance", json_pack("{s:o}", "shards", words(cli)));
}

int
verb_shard_drain(struct cli *cli)
{
    return begin(cli, "drain", json_pack("{s:o}", "shards", words(cli)));
}

int
verb_range_list(struct cli *cli)
{
    json_t *answer;
    int     status = cli_call(cli, "GET", "/v1/ranges", NULL, &answer);

    if (answer)
        cli_table(json_object_get(answer, "ranges"), "first last shard percent");
    json_decref(answer);
    return status;
}
