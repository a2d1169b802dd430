/* verbs_objects.c - databases, tables and users. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/catalog/model.h"
#include "ctl/catalog/user.h"
#include "ctl/client.h"
#include "ctl/verbs.h"

#define TABLE_COLUMNS "database name kind key home state reason remedy"

static json_t *
text_or_null(const char *text)
{
    return text ? json_string_nocheck(text) : json_null();
}

/* A list of the controller's as a table. */
static int
list(struct cli *cli, const char *path, const char *member, const char *columns)
{
    json_t *answer;
    int     status = cli_call(cli, "GET", path, NULL, &answer);

    if (answer)
        cli_table(json_object_get(answer, member), columns);
    json_decref(answer);
    return status;
}

int
verb_database_create(struct cli *cli)
{
    json_t *body = json_pack("{s:s, s:o, s:o, s:o}", "name", cli->argument[0], "policy",
              text_or_null(cli_option(cli, "policy")), "home",
              text_or_null(cli_option(cli, "home-shard")), "collation",
              text_or_null(cli_option(cli, "collation")));
    int     status = cli_change(cli, "POST", "/v1/databases", body, "made database %s",
                                cli->argument[0]);

    json_decref(body);
    return status;
}

int
verb_database_list(struct cli *cli)
{
    return list(cli, "/v1/databases", "databases",
                "name policy home collation sharded reference global view");
}

int
verb_database_show(struct cli *cli)
{
    json_t *answer;
    char   *path   = client_path("/v1/databases/", cli->argument[0]);
    int     status = cli_call(cli, "GET", path, NULL, &answer);

    free(path);
    if (!answer)
        return status;
    cli_members(answer, "name policy home collation consistency");
    printf("\n");
    cli_table(json_object_get(answer, "tables"), TABLE_COLUMNS);
    json_decref(answer);
    return status;
}

int
verb_database_set(struct cli *cli)
{
    json_t *body = json_object();
    int     status;

    if (!cli_option(cli, "consistency")) {
        json_decref(body);
        return cli_wrong(cli, "say --consistency strong, causal, eventual or default");
    }
    json_object_set_new(body, "consistency",
                        json_string_nocheck(cli_option(cli, "consistency")));
    status = cli_change_named(cli, "PUT", "/v1/databases/", body, "changed database");
    json_decref(body);
    return status;
}

int
verb_database_drop(struct cli *cli)
{
    return cli_change_named(cli, "DELETE", "/v1/databases/", NULL, "dropped database");
}

int
verb_table_list(struct cli *cli)
{
    char *path = cli->n_arguments ? client_path("/v1/tables?database=", cli->argument[0])
                                  : client_path("/v1/tables", "");
    int   status = list(cli, path, "tables", TABLE_COLUMNS);

    free(path);
    return status;
}

/* "/v1/tables/DB/TABLE" of DB.TABLE; the caller frees it. NULL: no dot. */
char *
verb_table_path(struct cli *cli)
{
    const char *dot = strchr(cli->argument[0], '.');
    char        database[512];
    char       *one, *two, *path = NULL;

    if (!dot || dot == cli->argument[0] || !dot[1]) {
        cli_wrong(cli, "'%s' is not DATABASE.TABLE", cli->argument[0]);
        return NULL;
    }
    snprintf(database, sizeof(database), "%.*s", (int)(dot - cli->argument[0]),
             cli->argument[0]);
    one = client_path("/v1/tables/", database);
    two = client_path("/", dot + 1);
    if (asprintf(&path, "%s%s", one, two) < 0)
        path = NULL;
    free(one);
    free(two);
    return path;
}

int
verb_table_show(struct cli *cli)
{
    char   *path = verb_table_path(cli);
    json_t *answer;
    int     status;

    if (!path)
        return CLI_USAGE;
    status = cli_call(cli, "GET", path, NULL, &answer);
    free(path);
    if (!answer)
        return status;
    cli_members(answer, "database name kind key home state reason remedy");
    printf("\n");
    cli_table(json_object_get(answer, "columns"),
              "name type unsigned nullable auto_increment generated");
    if (json_object_get(answer, "lookups")) {
        printf("\n");
        cli_table(json_object_get(answer, "lookups"), "column index table filling");
    }
    json_decref(answer);
    return status;
}

/* False, after saying why, when standard input cannot be read. */
static bool
password_of(struct cli *cli, json_t *body)
{
    char   *line = NULL;
    size_t  room = 0;
    ssize_t n;

    if (cli_option(cli, "plugin"))
        json_object_set_new(body, "plugin", json_string_nocheck(cli_option(cli, "plugin")));
    if (cli_option(cli, "password"))
        json_object_set_new(body, "password",
                            json_string_nocheck(cli_option(cli, "password")));
    if (!cli_option(cli, "password-stdin"))
        return true;
    n = getline(&line, &room, stdin);
    if (n < 0) {
        free(line);
        fprintf(stderr, "shardctl: there is no password on standard input\n");
        return false;
    }
    line[strcspn(line, "\n")] = '\0';
    json_object_set_new(body, "password", json_string_nocheck(line));
    free(line);
    return true;
}

/* "1.5" seconds as 1500, "64K" as 65536; digits behind what the unit has are refused. */
static bool
read_limit(const char *text, const struct user_limit *limit, json_int_t *out)
{
    static const char suffixes[] = "KMG";
    uint64_t          value      = 0, unit = limit->factor;
    const char       *at         = text, *suffix;

    for (; isdigit((unsigned char)*at) && value <= limit->max; at++)
        value = value * 10 + (uint64_t)(*at - '0');
    bool some = at > text;
    value = value > limit->max ? value : value * unit;
    if (*at == '.' && unit > 1)
        for (at++; isdigit((unsigned char)*at) && unit > 1; at++)
            value += (uint64_t)(*at - '0') * (unit /= 10);
    suffix = *at != '\0' && strcmp(limit->key, "max_bytes") == 0 ? strchr(suffixes, *at) : NULL;
    if (suffix) {
        unsigned shift = 10 * (unsigned)(suffix - suffixes + 1);
        value = value > limit->max >> shift ? limit->max + 1 : value << shift;
        at++;
    }
    *out = (json_int_t)value;
    return some && *at == '\0' && value <= limit->max;
}

/* The limits that were given. False, after saying why, when one is none. */
static bool
limits_of(struct cli *cli, json_t *body)
{
    json_int_t value;

    for (size_t i = 0; i < LIMITS_N; i++) {
        const struct user_limit *limit = &user_limits[i];
        const char              *text  = cli_option(cli, limit->option);

        if (!text)
            continue;
        if (!read_limit(text, limit, &value)) {
            cli_wrong(cli, "--%s %s: it is a number from 0 (no limit) to %llu", limit->option, text,
                      (unsigned long long)limit->max / limit->factor);
            return false;
        }
        json_object_set_new(body, limit->key, json_integer(value));
    }
    return true;
}

int
verb_user_add(struct cli *cli)
{
    json_t *body = json_pack("{s:s, s:b, s:b}", "name", cli->argument[0], "admin",
                             cli_option(cli, "admin") != NULL, "no_rights",
                             cli_option(cli, "no-rights") != NULL);
    int     status = CLI_USAGE;

    if (limits_of(cli, body)) {
        if (json_object_get(cli->options, "grant"))
            json_object_set(body, "grants", json_object_get(cli->options, "grant"));
        status = CLI_FAILED;
        if (password_of(cli, body))
            status = cli_change(cli, "POST", "/v1/users", body, "made user %s",
                                cli->argument[0]);
    }
    json_decref(body);
    return status;
}

int
verb_user_list(struct cli *cli)
{
    return list(cli, "/v1/users", "users",
                "name plugin has_password old_password token admin locked commit consistency "
                "limits");
}

int
verb_user_show(struct cli *cli)
{
    json_t *answer;
    char   *path   = client_path("/v1/users/", cli->argument[0]);
    int     status = cli_call(cli, "GET", path, NULL, &answer);
    struct buf members = { 0 };

    free(path);
    if (!answer)
        return status;
    buf_append_text(&members, "name plugin has_password old_password token admin locked commit "
                              "consistency");
    for (size_t i = 0; i < LIMITS_N; i++)
        if (model_number(answer, user_limits[i].key) != 0)
            buf_printf(&members, " %s", user_limits[i].key);
    cli_members(answer, buf_cstr(&members));
    buf_fini(&members);
    json_decref(answer);
    return status;
}

int
verb_user_set(struct cli *cli)
{
    json_t     *body   = json_object();
    const char *commit = cli_option(cli, "commit");
    int         status = CLI_USAGE;

    if (commit)
        json_object_set_new(body, "commit", json_string_nocheck(commit));
    if (cli_option(cli, "consistency"))
        json_object_set_new(body, "consistency",
                            json_string_nocheck(cli_option(cli, "consistency")));
    if (cli_option(cli, "lock") || cli_option(cli, "unlock"))
        json_object_set_new(body, "locked", json_boolean(cli_option(cli, "lock") != NULL));
    if (cli_option(cli, "lock") && cli_option(cli, "unlock"))
        status = cli_wrong(cli, "say --lock or --unlock");
    else if (limits_of(cli, body))
        status = json_object_size(body) == 0
                     ? cli_wrong(cli, "say --commit MODE, --consistency WORD, --lock, --unlock or "
                                 "a limit: see "
                                 "shardctl user set --help")
                     : cli_change_named(cli, "PUT", "/v1/users/", body, "changed user");
    json_decref(body);
    return status;
}

int
verb_user_passwd(struct cli *cli)
{
    json_t *body   = json_object();
    int     status = CLI_FAILED;

    if (cli_option(cli, "retain"))
        json_object_set_new(body, "retain", json_true());
    if (cli_option(cli, "discard-old"))
        json_object_set_new(body, "discard_old", json_true());
    if (!cli_option(cli, "password") && !cli_option(cli, "password-stdin") &&
        !cli_option(cli, "discard-old"))
        status = cli_wrong(cli, "say --password TEXT or --password-stdin, or --discard-old");
    else if (password_of(cli, body))
        status = cli_change_named(cli, "PUT", "/v1/users/", body, "changed the password of");
    json_decref(body);
    return status;
}

int
verb_user_token(struct cli *cli)
{
    char   *name = client_path("/v1/users/", cli->argument[0]), path[1024];
    json_t *answer;
    int     status;

    snprintf(path, sizeof(path), "%s/token", name);
    free(name);
    if (cli_option(cli, "revoke"))
        return cli_change(cli, "DELETE", path, NULL, "revoked the token of %s", cli->argument[0]);
    status = cli_call(cli, "POST", path, NULL, &answer);
    if (answer)
        printf("%s\n", model_text(answer, "token"));
    json_decref(answer);
    return status;
}

int
verb_user_remove(struct cli *cli)
{
    return cli_change_named(cli, "DELETE", "/v1/users/", NULL, "removed user");
}
