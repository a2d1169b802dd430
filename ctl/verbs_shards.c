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

static bool
any_option(const struct cli *cli, const char *const names[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (cli_option(cli, names[i]))
            return true;
    return false;
}

/* CLI_OK, or what is wrong with the options has been said. */
static int
check_add(const struct cli *cli)
{
    static const char *const there[] = { "user", "password", "tls", "tls-ca" };
    static const char *const made[]  = { "cpus", "memory" };
    const char              *by      = cli_option(cli, "provisioner");
    bool exists = cli_option(cli, "adopt") || cli_option(cli, "static");

    if (cli_option(cli, "adopt") && cli_option(cli, "static"))
        return cli_wrong(cli, "--adopt is for a server with data, --static for one without");
    if (!exists && any_option(cli, there, countof(there)))
        return cli_wrong(cli, "--user, --password, --tls and --tls-ca go with --adopt and "
                              "--static");
    if (exists && (any_option(cli, made, countof(made)) || (by && strcmp(by, "static") != 0)))
        return cli_wrong(cli, "--provisioner, --cpus and --memory are for servers that are made");
    if (!exists && by && strcmp(by, "static") == 0)
        return cli_wrong(cli, "say which server it is: --static HOST:PORT, or --adopt when it has "
                              "data");
    return CLI_OK;
}

int
verb_shard_add(struct cli *cli)
{
    const char *address = cli_option(cli, "adopt");
    json_t     *body, *answer;
    int         status = check_add(cli);

    if (status != CLI_OK)
        return status;
    body = json_object();
    set_text(body, "provisioner", cli_option(cli, "provisioner"));
    set_text(body, "cpus", cli_option(cli, "cpus"));
    set_text(body, "memory", cli_option(cli, "memory"));
    if (cli_option(cli, "tls"))
        json_object_set_new(body, "tls", json_true());
    set_text(body, "tls_ca", cli_option(cli, "tls-ca"));
    set_text(body, "name", cli_option(cli, "name"));
    set_text(body, "adopt", address);
    set_text(body, "static", cli_option(cli, "static"));
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
verb_shard_show(struct cli *cli)
{
    char   *path = client_path("/v1/shards/", cli->argument[0]);
    json_t *answer;
    int     status = cli_call(cli, "GET", path, NULL, &answer);

    free(path);
    if (!answer)
        return status;
    cli_members(answer, "name id host port socket state server_name epoch semi_sync failover "
                        "provisioner container unit ranges percent answers version problem");
    cli_members(json_object_get(answer, "server"),
                "runs health pid directory cpus memory disk disk_free cgroup memory_cgroup "
                "unknown");
    if (json_array_size(json_object_get(answer, "replicas")) > 0) {
        printf("\n");
        cli_table(json_object_get(answer, "replicas"),
                  "replica state weight zone host port replicates lag_s problem");
    }
    json_decref(answer);
    return CLI_OK;
}

int
verb_shard_set(struct cli *cli)
{
    const char *state = cli_option(cli, "state"), *name = cli_option(cli, "name");
    const char *agent = cli_option(cli, "agent");
    json_t     *body;
    char       *path;
    int         status;

    const char *semi_sync = cli_option(cli, "semi-sync");
    const char *failover  = cli_option(cli, "failover");

    if (!state && !name && !agent && !semi_sync && !failover)
        return cli_wrong(cli, "say --state, --name, --agent, --semi-sync or --failover");
    body = json_object();
    if (semi_sync)
        json_object_set_new(body, "semi_sync", json_boolean(strcmp(semi_sync, "on") == 0));
    set_text(body, "failover", failover);
    set_text(body, "agent", agent);
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

int
verb_shard_release(struct cli *cli)
{
    bool    forget = cli_option(cli, "forget") != NULL;
    char   *shard  = client_path("/v1/shards/", cli->argument[0]), *path;
    json_t *body   = json_pack("{s:b}", "forget", forget), *answer, *note;
    size_t  i;
    int     status;

    if (asprintf(&path, "%s/release", shard) < 0)
        abort();
    free(shard);
    status = cli_call(cli, "POST", path, body, &answer);
    free(path);
    json_decref(body);
    if (!answer)
        return status;
    if (forget)
        printf("shardd has forgotten %s; applications connect to %s\n", cli->argument[0],
               model_text(answer, "address"));
    else
        printf("applications may connect to %s now, with the users and passwords they have;\n"
               "shardd goes on beside it (change the schema by shardd only, until then).\n"
               "When none comes by shardd any more: shardctl shard release %s --forget\n",
               model_text(answer, "address"), cli->argument[0]);
    json_array_foreach(json_object_get(answer, "notes"), i, note)
        printf("%s\n", json_string_value(note));
    json_decref(answer);
    return status;
}
