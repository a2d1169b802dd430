/* verbs_run.c - up, serve, down, status, version. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <curl/curl.h>
#include <mariadb/mysql.h>

#include "core/base/log.h"
#include "core/base/version.h"
#include "ctl/catalog/model.h"
#include "ctl/up.h"
#include "ctl/up_settings.h"
#include "ctl/verbs.h"

/* Libraries that want to be woken before there are threads. */
static void
wake_libraries(void)
{
    mysql_library_init(0, NULL, NULL);
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* The options of provision.h that were given, by their settings' names; to be owned. */
static json_t *
provision_given(const struct cli *cli)
{
    json_t *given = json_object();

    for (size_t i = 0; i < provision_n_options; i++) {
        const char *value = cli_option(cli, provision_options[i].option);

        if (value)
            json_object_set_new(given, provision_options[i].name, json_string_nocheck(value));
    }
    return given;
}

/* {"listen": ...} of --api-listen and so on; a flag is "yes". To be owned. */
static json_t *
api_given(const struct cli *cli)
{
    static const char *const names[] = { "listen", "cert", "key", "plain", "group", "role" };
    json_t                  *given   = json_object();
    char                     option[32];

    for (size_t i = 0; i < countof(names); i++) {
        const char *value;

        snprintf(option, sizeof(option), "api-%s", names[i]);
        value = cli_option(cli, option);
        if (value)
            json_object_set_new(given, names[i],
                                json_string(strcmp(names[i], "plain") == 0 ? "yes" : value));
    }
    return given;
}

static json_t *
log_given(const struct cli *cli)
{
    const char *format = cli_option(cli, "log-format"), *level = cli_option(cli, "log-level");
    json_t     *given  = json_object();

    if (format)
        model_set(given, "log_format", format);
    if (level)
        model_set(given, "log_level", level);
    return given;
}

static int
run(struct up_options *o, const struct cli *cli)
{
    json_t *given = provision_given(cli), *api = api_given(cli), *log = log_given(cli);
    int     status;

    o->provision = given;
    o->api       = api;
    o->log       = log;
    up_begin_log(log);
    wake_libraries();
    status = up_run(o);
    json_decref(given);
    json_decref(api);
    json_decref(log);
    return status;
}

int
verb_up(struct cli *cli)
{
    struct up_options o = { .paths = cli->paths, .with_shardd = true,
                            .detach   = cli_option(cli, "detach") != NULL,
                            .settings = json_object_get(cli->options, "set") };

    o.json_fd      = -1;
    o.shards_given = cli_option(cli, "shards") != NULL;
    o.no_engine    = cli_option(cli, "no-engine") != NULL;
    if (!cli_number(cli, "shards", 1, ROUTES_SHARDS_MAX, &o.shards, 2) ||
        !cli_number(cli, "replicas", 0, ROUTES_SHARD_REPLICAS_MAX, &o.replicas, 0) ||
        !cli_number(cli, "port", 1, 65535, &o.port, -1) ||
        !cli_number(cli, "http-port", 1, 65535, &o.http_port, -1) ||
        !cli_number(cli, "workers", 0, 256, &o.workers, -1))
        return CLI_USAGE;
    if (cli_option(cli, "json")) { /* what is for people goes elsewhere */
        o.json_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
        dup2(STDERR_FILENO, STDOUT_FILENO);
    }
    printf("shardd in %s\n", cli->paths.home);
    fflush(stdout);
    return run(&o, cli);
}

int
verb_serve(struct cli *cli)
{
    const char       *instance = cli_option(cli, "instance");
    struct up_options o = { .paths = cli->paths, .port = -1, .http_port = -1, .workers = -1,
                            .json_fd = -1, .instance = instance ? instance : "default" };

    if (!cli_number(cli, "shards", 0, ROUTES_SHARDS_MAX, &o.shards, 0))
        return CLI_USAGE;
    return run(&o, cli);
}

int
verb_down(struct cli *cli)
{
    return up_down(&cli->paths, cli_option(cli, "json") != NULL);
}

int
verb_version(struct cli *cli)
{
    printf(cli_option(cli, "json") ? "{\"version\": \"%s\"}\n" : "shardctl %s\n",
           SHARDD_VERSION);
    return CLI_OK;
}

static void
print_scaler(const json_t *scaler)
{
    if (!scaler || json_is_null(scaler))
        printf("%-16s does not run; see the controller's log\n", "scaler");
    else if (model_text(scaler, "stopped")[0])
        printf("%-16s %s, but it has STOPPED: %s; 'shardctl scaler resume' when that is seen to\n",
               "scaler", model_text(scaler, "mode"), model_text(scaler, "stopped"));
    else
        printf("%-16s %s\n", "scaler", model_text(scaler, "mode"));
}

int
verb_status(struct cli *cli)
{
    json_t *answer, *shardd;
    int     status = cli_call(cli, "GET", "/v1/status", NULL, &answer);

    if (!answer)
        return status;
    cli_members(answer, "home instance pid uptime_s generation deadlocks");
    if (model_text(answer, "standby")[0])
        cli_members(answer, "standby");
    shardd = json_object_get(answer, "shardd");
    if (model_number(shardd, "pid") > 0)
        printf("%-16s %s (pid %lld)\n%-16s %s\n%-16s http://%s/metrics\n", "shardd",
               model_text(shardd, "listen"), (long long)model_number(shardd, "pid"), "socket",
               model_text(shardd, "socket")[0] ? model_text(shardd, "socket") : "-", "metrics",
               model_text(shardd, "http"));
    print_scaler(json_object_get(answer, "scaler"));
    printf("\n");
    cli_table(json_object_get(answer, "shards"), "name host port state ranges answers problem");
    if (json_array_size(json_object_get(answer, "engines")) > 0) {
        printf("\n");
        cli_table(json_object_get(answer, "engines"), "engine host port state answers problem");
    }
    if (json_array_size(json_object_get(answer, "workers")) > 0) {
        printf("\n");
        cli_table(json_object_get(answer, "workers"),
                  "worker pid state generation clients backends");
    }
    if (json_array_size(json_object_get(answer, "jobs")) > 0) {
        printf("\nunfinished jobs:\n");
        cli_table(json_object_get(answer, "jobs"),
                  "number kind state database table what error");
    }
    json_decref(answer);
    return status;
}
