/* verbs_shards.c - shard list, add, remove, set. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

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

void
verb_set_time(json_t *event)
{
    time_t    at = (time_t)(model_number(event, "at_ms") / 1000);
    struct tm local;
    char      text[32];

    localtime_r(&at, &local);
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &local);
    model_set(event, "at", text);
}

static void
print_last(json_t *event)
{
    if (!json_is_object(event))
        return;
    verb_set_time(event);
    printf("%-16s %s from %s to %s, %s: %s\n", "last_failover", model_text(event, "at"),
           model_text(event, "from"), model_text(event, "to"), model_text(event, "kind"),
           model_text(event, "why"));
}

int
verb_shard_restart(struct cli *cli)
{
    char   *path = client_path_to("/v1/shards/", cli->argument[0], "/restart");
    json_t *body = json_pack("{s:b}", "dry_run", cli_option(cli, "dry-run") != NULL), *answer, *one;
    size_t  i;
    int     status;

    status = cli_call(cli, "POST", path, body, &answer);
    free(path);
    json_decref(body);
    if (!answer)
        return status;
    json_array_foreach(json_object_get(answer, "steps"), i, one)
        printf("%s%s\n", model_flag(answer, "done") ? "" : "would ", json_string_value(one));
    json_decref(answer);
    return CLI_OK;
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
    cli_members(answer, "name id primary host port socket state epoch semi_sync failover reseed "
                        "provisioner container unit ranges percent answers version problem score "
                        "score_errors score_latency breaker");
    cli_members(json_object_get(answer, "server"),
                "runs health pid directory cpus memory disk disk_free cgroup memory_cgroup "
                "unknown");
    if (json_array_size(json_object_get(answer, "replicas")) > 0) {
        printf("\n");
        cli_table(json_object_get(answer, "replicas"),
                  "replica state weight zone host port replicates lag_s score score_errors "
                  "score_latency breaker problem");
        printf("\n");
        cli_members(json_object_get(answer, "watch"),
                    "verdict silent_ms workers_ms replicas_hear behind_s "
                    "workers_that_hold_it_for_down failed");
        print_last(json_object_get(answer, "last_failover"));
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
    int         status;

    const char *semi_sync = cli_option(cli, "semi-sync");
    const char *failover  = cli_option(cli, "failover"), *reseed = cli_option(cli, "reseed");

    if (!state && !name && !agent && !semi_sync && !failover && !reseed)
        return cli_wrong(cli, "say --state, --name, --agent, --semi-sync, --failover or --reseed");
    body = json_object();
    if (semi_sync)
        json_object_set_new(body, "semi_sync", json_boolean(strcmp(semi_sync, "on") == 0));
    set_text(body, "failover", failover);
    set_text(body, "reseed", reseed);
    set_text(body, "agent", agent);
    set_text(body, "state", state);
    set_text(body, "name", name);
    status = cli_change_named(cli, "PUT", "/v1/shards/", body, "changed shard");
    json_decref(body);
    return status;
}

int
verb_shard_remove(struct cli *cli)
{
    bool    dry = cli_option(cli, "dry-run") != NULL;
    char   *path = client_path_to("/v1/shards/", cli->argument[0], dry ? "?dry_run=true" : "");
    json_t *answer = NULL;
    int     status = dry ? cli_call(cli, "DELETE", path, NULL, &answer)
                         : cli_change(cli, "DELETE", path, NULL, "removed shard %s",
                                      cli->argument[0]);

    if (answer) {
        printf("shard %s would go, and in this order\n", cli->argument[0]);
        cli_table(json_object_get(answer, "servers"), "server role provisioner then");
    }
    json_decref(answer);
    free(path);
    return status;
}

int
verb_shard_release(struct cli *cli)
{
    bool    forget = cli_option(cli, "forget") != NULL;
    char   *path   = client_path_to("/v1/shards/", cli->argument[0], "/release");
    json_t *body   = json_pack("{s:b}", "forget", forget), *answer, *note;
    size_t  i;
    int     status;

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
