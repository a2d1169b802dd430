/* verbs_look.c - fsck. */
#include <stdio.h>

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
