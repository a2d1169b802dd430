/* verbs_table.c - table set, table reshard. */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/catalog/model.h"
#include "ctl/verbs.h"

static int
set(struct cli *cli, const char *kind, const char *key)
{
    char    done[600];
    char   *path = verb_table_path(cli);
    json_t *body;
    int     status;

    if (!path)
        return CLI_USAGE;
    body = json_object();
    model_set(body, "kind", kind);
    if (key)
        model_set(body, "key", key);
    snprintf(done, sizeof(done), "%s is %s%s%s now", cli->argument[0], kind, key ? " by " : "",
             key ? key : "");
    status = move_begin(cli, "PUT", path, body, done);
    free(path);
    return status;
}

int
verb_table_set(struct cli *cli)
{
    const char *key = cli_option(cli, "key"), *kind = cli_option(cli, "kind");
    int chosen = (key != NULL) + (cli_option(cli, "reference") != NULL) +
                 (cli_option(cli, "global") != NULL);

    if (kind && chosen == (strcmp(kind, "sharded") == 0) && (key != NULL) == (chosen == 1))
        return set(cli, kind, key);
    if (kind || chosen != 1)
        return cli_wrong(cli, "say one of --key COLUMN, --reference, --global, with or without "
                         "the --kind that it is");
    return set(cli, key ? "sharded" : cli_option(cli, "reference") ? "reference" : "global", key);
}

int
verb_table_reshard(struct cli *cli)
{
    const char *key = cli_option(cli, "key");

    return key ? set(cli, "sharded", key)
               : cli_wrong(cli, "say with --key by which column rows are to lie");
}
