/* verbs_shards.c - shard list, add, remove, set. */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/catalog/model.h"
#include "ctl/client.h"
#include "ctl/verbs.h"

int
verb_shard_list(struct cli *cli)
{
    json_t *answer;
    int     status = cli_call(cli, "GET", "/v1/shards", NULL, &answer);

    if (answer)
        cli_table(json_object_get(answer, "shards"),
                  "name host port state provisioner ranges percent answers version problem");
    json_decref(answer);
    return status;
}

static void
set_text(json_t *body, const char *key, const char *text)
{
    if (text)
        json_object_set_new(body, key, json_string_nocheck(text));
}

static void
print_adopted(const json_t *answer)
{
    json_t *note;
    size_t  i;

    printf("adopted %lld databases with %lld tables, and %lld users\n",
           (long long)model_number(answer, "databases"),
           (long long)model_number(answer, "tables"), (long long)model_number(answer, "users"));
    json_array_foreach(json_object_get(answer, "notes"), i, note)
        printf("  %s\n", json_string_value(note));
}

int
verb_shard_add(struct cli *cli)
{
    const char *address = cli_option(cli, "adopt");
    json_t     *body = json_object(), *answer;
    int         status;

    if (!address && (cli_option(cli, "user") || cli_option(cli, "password") ||
                     cli_option(cli, "tls") || cli_option(cli, "tls-ca"))) {
        json_decref(body);
        return cli_wrong(cli, "--user, --password, --tls and --tls-ca go with --adopt");
    }
    if (cli_option(cli, "tls"))
        json_object_set_new(body, "tls", json_true());
    set_text(body, "tls_ca", cli_option(cli, "tls-ca"));
    set_text(body, "name", cli_option(cli, "name"));
    set_text(body, "adopt", address);
    set_text(body, "user", cli_option(cli, "user"));
    set_text(body, "password", cli_option(cli, "password"));
    status = cli_call(cli, "POST", "/v1/shards", body, &answer);
    json_decref(body);
    if (!answer)
        return status;
    if (address)
        print_adopted(answer);
    else
        printf("added a shard; it owns no ranges yet, so rows of sharded tables stay where they "
               "are\n");
    json_decref(answer);
    return status;
}

int
verb_shard_set(struct cli *cli)
{
    const char *state = cli_option(cli, "state"), *name = cli_option(cli, "name");
    json_t     *body;
    char       *path;
    int         status;

    if (!state && !name)
        return cli_wrong(cli, "say --state up, --state draining, or --name NAME");
    body = json_object();
    set_text(body, "state", state);
    set_text(body, "name", name);
    path   = client_path("/v1/shards/", cli->argument[0]);
    status = cli_change(cli, "PUT", path, body, "changed shard %s", cli->argument[0]);
    free(path);
    json_decref(body);
    return status;
}

int
verb_shard_remove(struct cli *cli)
{
    char *path   = client_path("/v1/shards/", cli->argument[0]);
    int   status = cli_change(cli, "DELETE", path, NULL, "removed shard %s", cli->argument[0]);

    free(path);
    return status;
}
