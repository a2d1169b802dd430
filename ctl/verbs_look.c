/* verbs_look.c - fsck, explain, top. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl/catalog/model.h"
#include "ctl/client.h"
#include "ctl/verbs.h"

int
verb_fsck(struct cli *cli)
{
    json_t    *body = json_object(), *report;
    struct err err;
    bool       ok;

    if (cli->n_arguments > 0)
        json_object_set_new(body, "database", json_string_nocheck(cli->argument[0]));
    report = client_call(&cli->paths, "POST", "/v1/fsck", body, NULL, &err);
    json_decref(body);
    if (!report) {
        fprintf(stderr, "shardctl: %s\n", err.text);
        return CLI_FAILED;
    }
    ok = model_flag(report, "ok");
    if (cli_option(cli, "json")) {
        json_dumpf(report, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        if (!ok)
            cli_table(json_object_get(report, "problems"), "table shard problem");
        printf("%lld tables, %lld rows: %s\n", (long long)model_number(report, "tables"),
               (long long)model_number(report, "rows"),
               ok ? "everything is where it belongs" : "see the problems above");
    }
    json_decref(report);
    return ok ? CLI_OK : CLI_FAILED;
}

static void
print_shards(const json_t *list)
{
    json_t *name;
    size_t  i;

    printf("%-16s", "shards");
    json_array_foreach((json_t *)(uintptr_t)list, i, name)
        printf("%s%s", i ? ", " : " ", json_string_value(name));
    printf("%s\n", json_array_size(list) == 0 ? " -" : "");
}

int
verb_explain(struct cli *cli)
{
    const char *database = cli_option(cli, "database");
    json_t     *body     = json_pack("{s:o, s:s}", "sql", json_string_nocheck(cli->argument[0]),
                                     "database", database ? database : "app");
    json_t     *answer, *error;
    int         status = cli_call(cli, "POST", "/v1/explain", body, &answer);

    json_decref(body);
    if (!answer)
        return status;
    cli_members(answer, "plan target");
    print_shards(json_object_get(answer, "shards"));
    cli_members(answer, "reason note detail");
    error = json_object_get(answer, "error");
    if (error)
        printf("%-16s %lld: %s\n", "refused", (long long)model_number(error, "code"),
               model_text(error, "message"));
    json_decref(answer);
    return status;
}

static void
print_top(const json_t *answer)
{
    printf("%.0f statements/s, %.0f errors/s, p50 %.3f ms, p99 %.3f ms, %lld clients, "
           "%lld backends\n\n",
           json_real_value(json_object_get(answer, "statements_per_s")),
           json_real_value(json_object_get(answer, "errors_per_s")),
           json_real_value(json_object_get(answer, "p50_ms")),
           json_real_value(json_object_get(answer, "p99_ms")),
           (long long)model_number(answer, "clients"),
           (long long)model_number(answer, "backends"));
    cli_table(json_object_get(answer, "shards"),
              "shard statements_per_s mean_ms errors_per_s backends waiting");
    printf("\n");
    cli_table(json_object_get(answer, "workers"), "worker statements_per_s clients backends");
    fflush(stdout);
}

int
verb_top(struct cli *cli)
{
    bool once = cli_option(cli, "once") || cli_option(cli, "json") || !isatty(STDOUT_FILENO);
    int  status;

    do {
        json_t *answer;

        status = cli_call(cli, "GET", "/v1/top?interval_ms=1000", NULL, &answer);
        if (!answer)
            break;
        if (!once)
            printf("\033[H\033[2J"); /* home, clear */
        print_top(answer);
        json_decref(answer);
    } while (!once);
    return status;
}
