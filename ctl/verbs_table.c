/* verbs_table.c - table set, table reshard. */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/catalog/model.h"
#include "ctl/client.h"
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
    if (json_object_get(cli->options, "with"))
        json_object_set(body, "with", json_object_get(cli->options, "with"));
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

int
verb_table_lookup(struct cli *cli)
{
    const char *what = cli->argument[0], *table = cli->argument[1], *column = cli->argument[2];
    bool        add  = strcmp(what, "add") == 0;
    char       *path, *all, *last;
    int         status;

    if (!add && strcmp(what, "drop") != 0)
        return cli_wrong(cli, "'%s' is neither add nor drop", what);
    cli->argument[0] = table;
    path             = verb_table_path(cli);
    if (!path)
        return CLI_USAGE;
    last = client_path("/lookups/", column);
    if (asprintf(&all, "%s%s", path, last) < 0)
        abort();
    status = cli_change(cli, add ? "PUT" : "DELETE", all, NULL, "%s.%s %s", table, column,
                        add ? "is unique over all shards now" : "is no lookup any more");
    free(all);
    free(last);
    free(path);
    return status;
}
