/* verbs_txn.c - txn list, show, resolve. */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/catalog/model.h"
#include "ctl/client.h"
#include "ctl/verbs.h"

#define COLUMNS "transaction age_s worker worker_lives decision decided_on branches"

/* "s1, s2" in place of the list, for people. */
static void
join_branches(json_t *txn)
{
    struct buf text = { 0 };
    json_t    *name;
    size_t     i;

    json_array_foreach(json_object_get(txn, "branches"), i, name)
        buf_printf(&text, "%s%s", i ? "," : "", json_string_value(name));
    json_object_set_new(txn, "branches", json_string_nocheck(buf_cstr(&text)));
    buf_fini(&text);
}

int
verb_txn_list(struct cli *cli)
{
    json_t *answer, *each;
    int     status = cli_call(cli, "GET", "/v1/transactions", NULL, &answer);
    size_t  i;

    json_array_foreach(json_object_get(answer, "transactions"), i, each)
        join_branches(each);
    if (answer)
        cli_table(json_object_get(answer, "transactions"), COLUMNS);
    json_array_foreach(json_object_get(answer, "unreachable"), i, each)
        printf("shard %s does not answer: what it has is not listed\n", json_string_value(each));
    json_decref(answer);
    return status;
}

int
verb_txn_show(struct cli *cli)
{
    char   *path = client_path("/v1/transactions/", cli->argument[0]);
    json_t *answer;
    int     status = cli_call(cli, "GET", path, NULL, &answer);

    free(path);
    if (answer) {
        join_branches(answer);
        cli_members(answer, COLUMNS " ours");
    }
    json_decref(answer);
    return status;
}

int
verb_txn_resolve(struct cli *cli)
{
    char   *path = client_path("/v1/transactions/", cli->argument[0]);
    json_t *body = json_object(), *answer;

    if (cli_option(cli, "force"))
        json_object_set_new(body, "force", json_string_nocheck(cli_option(cli, "force")));

    int status = cli_call(cli, "POST", path, body, &answer);
    free(path);
    json_decref(body);
    if (answer) {
        join_branches(answer);
        printf("%s %s on %s\n", model_text(answer, "outcome"), cli->argument[0],
               model_text(answer, "branches"));
        if (model_text(answer, "warning")[0])
            printf("%s\n", model_text(answer, "warning"));
    }
    json_decref(answer);
    return status;
}
