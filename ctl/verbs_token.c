/* verbs_token.c - token ...: who may use the REST API from elsewhere. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ctl/catalog/model.h"
#include "ctl/client.h"
#include "ctl/verbs.h"

/* "12h" in seconds; 0: it is none. */
static int64_t
seconds_of(const char *text)
{
    char   *end;
    int64_t n = strtoll(text, &end, 10), unit;

    unit = strcmp(end, "s") == 0   ? 1
           : strcmp(end, "m") == 0 ? 60
           : strcmp(end, "h") == 0 ? 3600
           : strcmp(end, "d") == 0 ? 86400 : 0;
    return n > 0 && n <= 366LL * 86400 / (unit ? unit : 1) ? n * unit : 0;
}

int
verb_token_issue(struct cli *cli)
{
    const char *role = cli_option(cli, "role"), *life = cli_option(cli, "expires");
    int64_t     seconds = life ? seconds_of(life) : 30 * 86400;
    json_t     *body, *answer;
    int         status;

    if (seconds == 0)
        return cli_wrong(cli, "--expires %s: say 90s, 30m, 12h or 30d, a year at most", life);
    body   = json_pack("{s:o, s:s, s:I}", "name", json_string_nocheck(cli->argument[0]), "role",
                       role ? role : "viewer", "expires_s", (json_int_t)seconds);
    status = cli_call(cli, "POST", "/v1/tokens", body, &answer);
    json_decref(body);
    if (answer)
        printf("%s\n", model_text(answer, "token"));
    json_decref(answer);
    return status;
}

static void
set_time(json_t *row, const char *key)
{
    time_t    at = (time_t)model_number(row, key);
    struct tm day;
    char      text[32];

    localtime_r(&at, &day);
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &day);
    model_set(row, key, text);
}

int
verb_token_list(struct cli *cli)
{
    json_t *answer, *row;
    int     status = cli_call(cli, "GET", "/v1/tokens", NULL, &answer);
    size_t  i;

    json_array_foreach(json_object_get(answer, "tokens"), i, row) {
        set_time(row, "issued");
        set_time(row, "expires");
    }
    if (answer)
        cli_table(json_object_get(answer, "tokens"), "id name role kid issued expires revoked");
    json_decref(answer);
    return status;
}

int
verb_token_revoke(struct cli *cli)
{
    return cli_change_named(cli, "DELETE", "/v1/tokens/", NULL, "revoked");
}

int
verb_token_distrust(struct cli *cli)
{
    return cli_change_named(cli, "DELETE", "/v1/keys/", NULL, "no longer trusted:");
}

int
verb_token_keys(struct cli *cli)
{
    json_t *answer;
    int     status = cli_call(cli, "GET", "/v1/keys", NULL, &answer);

    if (answer)
        cli_table(json_object_get(answer, "keys"), "kid alg signs audience");
    json_decref(answer);
    return status;
}

static int
add_key(struct cli *cli, json_t *body)
{
    json_t *answer;
    int     status = cli_call(cli, "POST", "/v1/keys", body, &answer);

    json_decref(body);
    if (answer)
        printf("key %s (%s)\n", model_text(answer, "kid"), model_text(answer, "alg"));
    json_decref(answer);
    return status;
}

int
verb_token_rotate(struct cli *cli)
{
    const char *alg = cli_option(cli, "alg");

    return add_key(cli, json_pack("{s:s}", "alg", alg ? alg : "HS256"));
}

int
verb_token_trust(struct cli *cli)
{
    const char *alg = cli_option(cli, "alg"), *kid = cli_option(cli, "kid");
    const char *audience = cli_option(cli, "audience");
    char        pem[16384] = "";
    FILE       *file;

    if (!kid)
        return cli_wrong(cli, "say with --kid by which name tokens call the key");
    file = fopen(cli->argument[0], "re");
    if (!file || fread(pem, 1, sizeof(pem) - 1, file) == 0) {
        fprintf(stderr, "shardctl: cannot read %s: %s\n", cli->argument[0], strerror(errno));
        if (file)
            fclose(file);
        return CLI_FAILED;
    }
    fclose(file);
    json_t *body = json_pack("{s:s, s:o, s:s}", "alg", alg ? alg : "RS256", "public",
                             json_string_nocheck(pem), "kid", kid);
    if (audience)
        model_set(body, "audience", audience);
    return add_key(cli, body);
}
