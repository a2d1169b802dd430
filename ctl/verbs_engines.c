/* verbs_engines.c - engine list, add, remove. */
#include <stdlib.h>

#include "ctl/client.h"
#include "ctl/verbs.h"

int
verb_engine_list(struct cli *cli)
{
    json_t *answer;
    int     status = cli_call(cli, "GET", "/v1/engines", NULL, &answer);

    if (answer)
        cli_table(json_object_get(answer, "engines"),
                  "engine host port state provisioner answers version problem");
    json_decref(answer);
    return status;
}

int
verb_engine_add(struct cli *cli)
{
    static const char *const options[][2] = {
        { "name", "name" }, { "adopt", "adopt" }, { "user", "user" },
        { "password", "password" }, { "tls-ca", "tls_ca" },
    };
    json_t *body = json_object();
    int     status;

    if (!cli_option(cli, "adopt") &&
        (cli_option(cli, "user") || cli_option(cli, "password") || cli_option(cli, "tls") ||
         cli_option(cli, "tls-ca"))) {
        json_decref(body);
        return cli_wrong(cli, "--user, --password, --tls and --tls-ca go with --adopt");
    }
    for (size_t i = 0; i < countof(options); i++)
        if (cli_option(cli, options[i][0]))
            json_object_set_new(body, options[i][1],
                                json_string_nocheck(cli_option(cli, options[i][0])));
    if (cli_option(cli, "tls"))
        json_object_set_new(body, "tls", json_true());
    status = cli_change(cli, "POST", "/v1/engines", body, "added an engine");
    json_decref(body);
    return status;
}

int
verb_engine_remove(struct cli *cli)
{
    return cli_change_named(cli, "DELETE", "/v1/engines/", NULL, "removed engine");
}
