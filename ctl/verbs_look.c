/* verbs_look.c - fsck, recover, explain, top. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl/catalog/model.h"
#include "ctl/client.h"
#include "ctl/verbs.h"

/* NULL: it is said why. */
static json_t *
fsck_ask(struct cli *cli, bool repair)
{
    json_t    *body = json_object(), *report;
    struct err err;

    if (cli->n_arguments > 0)
        json_object_set_new(body, "database", json_string_nocheck(cli->argument[0]));
    if (repair)
        json_object_set_new(body, "repair", json_true());
    report = client_call(&cli->paths, "POST", "/v1/fsck", body, NULL, &err);
    json_decref(body);
    if (!report)
        fprintf(stderr, "shardctl: %s\n", err.text);
    return report;
}

static void
fsck_print(struct cli *cli, const json_t *report)
{
    bool    ok     = model_flag(report, "ok");
    int64_t moving = model_number(report, "moving");
    int64_t tables = model_number(report, "tables"), rows = model_number(report, "rows");

    if (cli_option(cli, "json")) {
        json_dumpf(report, stdout, JSON_INDENT(2));
        putchar('\n');
        return;
    }
    if (!ok)
        cli_table(json_object_get(report, "problems"), "table shard problem");
    printf("%lld table%s, %lld row%s", (long long)tables, cli_plural(tables), (long long)rows,
           cli_plural(rows));
    if (moving > 0)
        printf(" (and %lld more that a move has on two shards)", (long long)moving);
    printf(": %s\n", ok ? "everything is where it belongs" : "see the problems above");
}

static bool
agreed(struct cli *cli)
{
    char answer[16] = "";

    if (cli_option(cli, "yes"))
        return true;
    if (!isatty(STDIN_FILENO)) {
        fprintf(stderr, "shardctl: say --yes to have this done\n");
        return false;
    }
    printf("Do this? Type 'yes': ");
    fflush(stdout);
    return fgets(answer, sizeof(answer), stdin) && strcmp(answer, "yes\n") == 0;
}

/* Shows the plan, does it, and looks again. */
static json_t *
fsck_repair(struct cli *cli, json_t *report)
{
    json_t *plan  = json_object_get(report, "repairs"), *done;
    bool    quiet = cli_option(cli, "json") != NULL;

    if (json_array_size(plan) == 0) {
        fprintf(stderr, "shardctl: nothing of this can be repaired without a decision of yours\n");
        return report;
    }
    if (!quiet) {
        fsck_print(cli, report);
        printf("\nThese are of no use any more, and would go:\n");
        cli_table(plan, "shard what");
    }
    if (!agreed(cli)) {
        json_decref(report);
        return NULL;
    }
    json_decref(report);
    done = fsck_ask(cli, true);
    if (!done)
        return NULL;
    if (!quiet)
        printf("%lld repairs made\n\n", (long long)model_number(done, "repaired"));
    json_decref(done);
    return fsck_ask(cli, false);
}

int
verb_fsck(struct cli *cli)
{
    json_t *report = fsck_ask(cli, false);
    bool    ok;

    if (report && !model_flag(report, "ok") && cli_option(cli, "repair"))
        report = fsck_repair(cli, report);
    if (!report)
        return CLI_FAILED;
    ok = model_flag(report, "ok");
    fsck_print(cli, report);
    json_decref(report);
    return ok ? CLI_OK : CLI_FAILED;
}

static json_t *
recover_ask(struct cli *cli, bool apply)
{
    json_t    *body = json_object(), *answer;
    struct err err;

    json_object_set_new(body, "force", json_boolean(cli_option(cli, "force") != NULL));
    json_object_set_new(body, "apply", json_boolean(apply));
    answer = client_call(&cli->paths, "POST", "/v1/recover", body, NULL, &err);
    json_decref(body);
    if (!answer)
        fprintf(stderr, "shardctl: %s\n", err.text);
    return answer;
}

static void
recover_print(struct cli *cli, const json_t *plan)
{
    const json_t *problems = json_object_get(plan, "problems");

    if (cli_option(cli, "json")) {
        json_dumpf(plan, stdout, JSON_INDENT(2));
        putchar('\n');
        return;
    }
    cli_table(json_object_get(plan, "servers"), "shard server is becomes knows where");
    if (json_array_size(problems) > 0) {
        printf("\nNothing is done:\n");
        cli_table(problems, "shard problem");
    }
}

/* Shows what the servers say first, and again with --json what has become of it. */
int
verb_recover(struct cli *cli)
{
    json_t *plan = recover_ask(cli, false);
    bool    quiet = cli_option(cli, "json") != NULL, done;

    if (!plan)
        return CLI_FAILED;
    if (!model_flag(plan, "possible") || (quiet && !cli_option(cli, "yes"))) {
        int status = model_flag(plan, "possible") ? CLI_OK : CLI_FAILED;

        recover_print(cli, plan);
        json_decref(plan);
        return status;
    }
    if (!quiet) {
        recover_print(cli, plan);
        printf("\nThis controller would go on with these primaries. Users, passwords and settings "
               "are those\nof this copy. Servers that are suspect are not used until they are made "
               "anew.\n");
    }
    json_decref(plan);
    if (!agreed(cli) || !(plan = recover_ask(cli, true)))
        return CLI_FAILED;
    done = model_flag(plan, "done");
    if (quiet || !done)
        recover_print(cli, plan);
    else
        printf("done; see 'shardctl status', and 'shardctl fsck' for what jobs have left\n");
    json_decref(plan);
    return done ? CLI_OK : CLI_FAILED;
}

static void
print_shards(const json_t *list)
{
    json_t *name;
    size_t  i;

    printf("%-16s", "shards");
    json_array_foreach((json_t *)(uintptr_t)list, i, name)
        printf("%s%s", i ? ", " : " ", json_string_value(name));
    printf("%s\n", json_array_size(list) == 0 ? " -" : "");
}

/* The plan as a tree, with the reason beside each step. */
static void
print_lines(const json_t *lines)
{
    json_t *line;
    size_t  i;

    printf("\n");
    json_array_foreach((json_t *)(uintptr_t)lines, i, line) {
        const char *why = model_text(line, "why");
        printf("%s%s%s\n", model_text(line, "plan"), why[0] ? "  -- " : "", why);
    }
}

int
verb_explain(struct cli *cli)
{
    const char *database = cli_option(cli, "database");
    json_t     *body     = json_pack("{s:o, s:s}", "sql", json_string_nocheck(cli->argument[0]),
                                     "database", database ? database : "app");
    json_t     *answer, *error;
    int         status = cli_call(cli, "POST", "/v1/explain", body, &answer);

    json_decref(body);
    if (!answer)
        return status;
    cli_members(answer, "plan target");
    print_shards(json_object_get(answer, "shards"));
    cli_members(answer, "reason note detail");
    print_lines(json_object_get(answer, "lines"));
    error = json_object_get(answer, "error");
    if (error)
        printf("%-16s %lld: %s\n", "refused", (long long)model_number(error, "code"),
               model_text(error, "message"));
    json_decref(answer);
    return status;
}

static void
print_top(const json_t *answer)
{
    printf("%.0f statements/s, %.0f errors/s, p50 %.3f ms, p99 %.3f ms, %lld clients, "
           "%lld backends",
           json_real_value(json_object_get(answer, "statements_per_s")),
           json_real_value(json_object_get(answer, "errors_per_s")),
           json_real_value(json_object_get(answer, "p50_ms")),
           json_real_value(json_object_get(answer, "p99_ms")),
           (long long)model_number(answer, "clients"),
           (long long)model_number(answer, "backends"));
    if (model_number(answer, "parked") > 0)
        printf(", %lld waiting for rows to move", (long long)model_number(answer, "parked"));
    printf("\n\n");
    cli_table(json_object_get(answer, "shards"),
              "shard statements_per_s mean_ms errors_per_s backends waiting");
    printf("\n");
    cli_table(json_object_get(answer, "workers"), "worker statements_per_s clients backends");
    fflush(stdout);
}

int
verb_top(struct cli *cli)
{
    bool once = cli_option(cli, "once") || cli_option(cli, "json") || !isatty(STDOUT_FILENO);
    int  status;

    do {
        json_t *answer;

        status = cli_call(cli, "GET", "/v1/top?interval_ms=1000", NULL, &answer);
        if (!answer)
            break;
        if (!once)
            printf("\033[H\033[2J"); /* home, clear */
        print_top(answer);
        json_decref(answer);
    } while (!once);
    return status;
}
