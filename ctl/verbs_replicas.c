/* verbs_replicas.c - replica list, add, set, remove; server enable, drain, disable; failover. */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/catalog/model.h"
#include "ctl/client.h"
#include "ctl/verbs.h"

int
verb_replica_list(struct cli *cli)
{
    json_t *answer;
    int     status = cli_call(cli, "GET", "/v1/replicas", NULL, &answer);

    if (answer)
        cli_table(json_object_get(answer, "replicas"),
                  "replica shard host port state provisioner weight zone replicates lag_s problem");
    json_decref(answer);
    return status;
}

/* False: what is wrong with --weight has been said. */
static bool
set_wish(const struct cli *cli, json_t *body)
{
    int weight;

    if (!cli_number(cli, "weight", 1, ROUTES_WEIGHT_MAX, &weight, 0))
        return false;
    if (weight > 0)
        json_object_set_new(body, "weight", json_integer(weight));
    if (cli_option(cli, "zone"))
        json_object_set_new(body, "zone", json_string_nocheck(cli_option(cli, "zone")));
    if (cli_option(cli, "agent"))
        json_object_set_new(body, "agent", json_string_nocheck(cli_option(cli, "agent")));
    return true;
}

static int
add(struct cli *cli, json_t *body)
{
    static const char *const options[][2] = {
        { "name", "name" }, { "provisioner", "provisioner" }, { "address", "address" },
        { "user", "user" }, { "password", "password" }, { "tls-ca", "tls_ca" },
        { "cpus", "cpus" }, { "memory", "memory" },
    };
    int64_t rate = cli_option(cli, "max-rate") ? provision_size(cli_option(cli, "max-rate")) : 0;

    json_object_set_new(body, "shard", json_string_nocheck(cli->argument[0]));
    for (size_t i = 0; i < countof(options); i++)
        if (cli_option(cli, options[i][0]))
            json_object_set_new(body, options[i][1],
                                json_string_nocheck(cli_option(cli, options[i][0])));
    if (cli_option(cli, "tls"))
        json_object_set_new(body, "tls", json_true());
    if (cli_option(cli, "max-rate") && rate == 0)
        return cli_wrong(cli, "--max-rate is bytes a second: 500K, 20M");
    if (rate > 0)
        json_object_set_new(body, "max_rate", json_integer(rate));
    if (cli_option(cli, "no-compress"))
        json_object_set_new(body, "compress", json_false());
    return cli_change(cli, "POST", "/v1/replicas", body, "added a replica of %s",
                      cli->argument[0]);
}

int
verb_replica_add(struct cli *cli)
{
    const char *by     = cli_option(cli, "provisioner");
    bool        exists = by && strcmp(by, "static") == 0;
    json_t     *body;
    int         status = CLI_USAGE;

    if (exists != (cli_option(cli, "address") != NULL))
        return cli_wrong(cli, "--address HOST:PORT says which server it is, and goes with "
                              "--provisioner static");
    if (!exists && (cli_option(cli, "user") || cli_option(cli, "password") ||
                    cli_option(cli, "tls") || cli_option(cli, "tls-ca")))
        return cli_wrong(cli, "--user, --password, --tls and --tls-ca go with --provisioner "
                              "static");
    body = json_object();
    if (set_wish(cli, body))
        status = add(cli, body);
    json_decref(body);
    return status;
}

int
verb_replica_set(struct cli *cli)
{
    json_t *body   = json_object();
    int     status = CLI_USAGE;

    if (!cli_option(cli, "weight") && !cli_option(cli, "zone") && !cli_option(cli, "agent"))
        status = cli_wrong(cli, "say --weight N, --zone NAME or --agent URL");
    else if (set_wish(cli, body))
        status = cli_change_named(cli, "PUT", "/v1/replicas/", body, "changed replica");
    json_decref(body);
    return status;
}

int
verb_replica_remove(struct cli *cli)
{
    return cli_change_named(cli, "DELETE", "/v1/replicas/", NULL, "removed replica");
}

static int
set_state(struct cli *cli, const char *state, const char *done)
{
    json_t *body   = json_pack("{s:s}", "state", state);
    int     status = cli_change_named(cli, "PUT", "/v1/replicas/", body, done);

    json_decref(body);
    return status;
}

int
verb_server_enable(struct cli *cli)
{
    return set_state(cli, "serving", "enabled");
}

int
verb_server_drain(struct cli *cli)
{
    return set_state(cli, "draining", "draining");
}

int
verb_server_disable(struct cli *cli)
{
    return set_state(cli, "disabled", "disabled");
}

int
verb_server_reseed(struct cli *cli)
{
    char *path   = client_path_to("/v1/replicas/", cli->argument[0], "/reseed");
    int   status = cli_change(cli, "POST", path, NULL, "made another server in the place of %s",
                              cli->argument[0]);

    free(path);
    return status;
}

int
verb_failovers(struct cli *cli)
{
    json_t *answer, *one;
    int     status = cli_call(cli, "GET", "/v1/failovers", NULL, &answer);
    size_t  i;

    json_array_foreach(json_object_get(answer, "failovers"), i, one)
        verb_set_time(one);
    if (answer)
        cli_table(json_object_get(answer, "failovers"),
                  "at shard from to kind pause_ms may_be_lost who why");
    json_decref(answer);
    return status;
}

static void
print_planned(const json_t *answer, const char *shard)
{
    long long behind_s = model_number(answer, "behind_s");

    printf("%s would become the primary of %s, in place of %s\n", model_text(answer, "to"), shard,
           model_text(answer, "from"));
    if (behind_s > 0)
        printf("it is %lld s behind: it would catch up before statements wait; were %s lost now, "
               "they would wait for that\n", behind_s, model_text(answer, "from"));
}

int
verb_failover(struct cli *cli)
{
    json_t     *body = json_object(), *answer;
    char       *path = client_path_to("/v1/shards/", cli->argument[0], "/failover");
    const char *to = json_string_value(json_array_get(json_object_get(cli->options, "to"), 0));
    int         status;

    to = to ? to : cli_option(cli, "to-replica");
    if (to)
        json_object_set_new(body, "to", json_string_nocheck(to));
    json_object_set_new(body, "force", json_boolean(cli_option(cli, "force") != NULL));
    json_object_set_new(body, "dry_run", json_boolean(cli_option(cli, "dry-run") != NULL));
    json_object_set_new(body, "cut_transactions",
                        json_boolean(cli_option(cli, "cut-transactions") != NULL));
    status = cli_call(cli, "POST", path, body, &answer);
    free(path);
    json_decref(body);
    if (!answer)
        return status;
    if (model_flag(answer, "done"))
        printf("%s is the primary of %s now, in place of %s; statements waited for %.1f ms\n",
               model_text(answer, "to"), cli->argument[0], model_text(answer, "from"),
               json_real_value(json_object_get(answer, "pause_ms")));
    if (model_flag(answer, "may_be_lost"))
        printf("commits that no replica had got are lost; they are still on %s, if that can be "
               "read: look before 'shardctl replica remove' or 'server reseed'\n",
               model_text(answer, "from"));
    if (!model_flag(answer, "done"))
        print_planned(answer, cli->argument[0]);
    json_decref(answer);
    return CLI_OK;
}
