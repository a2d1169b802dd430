/* verbs_audit.c - audit show, audit verify; statements. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ctl/catalog/audit_log.h"
#include "ctl/catalog/model.h"
#include "ctl/client.h"
#include "ctl/verbs.h"

enum { LIMIT = 20, LINES_MAX = 1000, STATEMENT_SHOWN = 100 };

static void
print_time(double at, char out[32])
{
    time_t    s = (time_t)at;
    struct tm tm;

    gmtime_r(&s, &tm);
    strftime(out, 32, "%Y-%m-%d %H:%M:%S", &tm);
}

/* {"state": "up"} -> {"state": "draining"} */
static void
print_change(const json_t *line)
{
    static const char *const parts[] = { "before", "after" };

    for (size_t i = 0; i < countof(parts); i++) {
        json_t *object = json_object_get(line, parts[i]);
        char   *text   = json_object_size(object) > 0 ? json_dumps(object, JSON_COMPACT) : NULL;

        if (text)
            printf("         %-7s %.400s%s\n", parts[i], text, strlen(text) > 400 ? " ..." : "");
        free(text);
    }
}

static void
print_line(const json_t *line)
{
    char        when[32];
    const char *result = model_text(line, "result"), *request = model_text(line, "request");

    print_time(json_number_value(json_object_get(line, "time")), when);
    printf("%7" PRId64 "  %s  %s  %s %s %s%s%s\n", (int64_t)model_number(line, "seq"), when,
           model_text(line, "who"), model_text(line, "action"),
           strcmp(model_text(line, "kind"), "request") == 0 ? "" : model_text(line, "kind"),
           model_text(line, "name"), result[0] ? "  -> " : "", result);
    if (request[0])
        printf("         request %s\n", request);
    print_change(line);
}

int
verb_audit_show(struct cli *cli)
{
    json_t *answer, *list;
    char    path[80];
    int     limit, before, status;

    if (!cli_number(cli, "limit", 1, LINES_MAX, &limit, LIMIT) ||
        !cli_number(cli, "before", 1, INT32_MAX, &before, INT32_MAX))
        return CLI_USAGE;
    snprintf(path, sizeof(path), "/v1/audit?limit=%d&before=%d", limit, before);
    status = cli_call(cli, "GET", path, NULL, &answer);
    list   = json_object_get(answer, "audit");
    for (size_t i = json_array_size(list); i-- > 0;) /* the newest at the bottom */
        print_line(json_array_get(list, i));
    json_decref(answer);
    return status;
}

/* Returns the exit status. */
static int
print_report(const json_t *report)
{
    const json_t *problems = json_object_get(report, "problems"), *head;
    bool          ok       = json_is_true(json_object_get(report, "ok"));

    head = json_object_get(report, "head");
    for (size_t i = 0; i < json_array_size(problems); i++)
        printf("%s\n", json_string_value(json_array_get(problems, i)));
    if (model_number(report, "wrong") > (int64_t)json_array_size(problems))
        printf("and %lld more\n", (long long)(model_number(report, "wrong") -
                                              (int64_t)json_array_size(problems)));
    printf("%s: %lld lines, %lld to %lld\nhead %lld:%s\n", ok ? "whole" : "NOT whole",
           (long long)model_number(report, "lines"), (long long)model_number(report, "first"),
           (long long)model_number(report, "last"), (long long)model_number(head, "seq"),
           model_text(head, "hash"));
    return ok ? CLI_OK : CLI_FAILED;
}

static bool
is_expected(struct cli *cli, const char *expect)
{
    size_t digits = expect ? strspn(expect, "0123456789") : 0;

    if (!expect || (digits > 0 && expect[digits] == ':' &&
                    strspn(expect + digits + 1, "0123456789abcdef") == AUDIT_HASH &&
                    strlen(expect + digits + 1) == AUDIT_HASH))
        return true;
    cli_wrong(cli, "--expect is NUMBER:HASH, as 'audit verify' prints its head");
    return false;
}

/* Of the cluster by its controller, which knows both ends; of files without. */
int
verb_audit_verify(struct cli *cli)
{
    const char *expect = cli_option(cli, "expect");
    json_t     *report;
    char        path[160];
    int         status;
    struct err  err;

    if (!is_expected(cli, expect))
        return CLI_USAGE;
    snprintf(path, sizeof(path), "/v1/audit/verify%s%s", expect ? "?expect=" : "",
             expect ? expect : "");
    if (cli->n_arguments > 0)
        report = audit_files_verify(cli->argument, cli->n_arguments, expect);
    else
        report = client_call(&cli->paths, "GET", path, NULL, NULL, &err);
    if (!report) {
        fprintf(stderr, "shardctl: %s\n", err.text);
        return CLI_FAILED;
    }
    status = json_is_true(json_object_get(report, "ok")) ? CLI_OK : CLI_FAILED;
    if (cli_option(cli, "json")) {
        json_dumpf(report, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        status = print_report(report);
    }
    json_decref(report);
    return status;
}

/* The text is the last column and as long as it likes, within reason. */
int
verb_statements(struct cli *cli)
{
    const char *by = cli_option(cli, "order");
    json_t     *answer, *list, *one;
    char        path[80];
    int         limit, status;
    size_t      i;

    if (!cli_number(cli, "limit", 1, LINES_MAX, &limit, LIMIT))
        return CLI_USAGE;
    snprintf(path, sizeof(path), "/v1/statements?limit=%d&by=%s", limit, by ? by : "time");
    status = cli_call(cli, "GET", path, NULL, &answer);
    list   = json_object_get(answer, "statements");
    if (answer && json_array_size(list) == 0)
        printf("no statements in the last %lld minutes\n",
               (long long)model_number(answer, "window_s") / 60);
    else if (answer)
        printf("%7s %8s %10s %10s %9s %7s  %-10s statement\n", "time", "calls", "total s",
               "mean ms", "max ms", "errors", "plan");
    json_array_foreach(list, i, one) {
        const char *text = model_text(one, "statement");

        printf("%6.1f%% %8lld %10.2f %10.2f %9.1f %7lld  %-10s %.*s%s\n",
               100 * json_number_value(json_object_get(one, "share")),
               (long long)model_number(one, "calls"),
               json_number_value(json_object_get(one, "total_s")),
               json_number_value(json_object_get(one, "mean_ms")),
               json_number_value(json_object_get(one, "max_ms")),
               (long long)model_number(one, "errors"), model_text(one, "plan"), STATEMENT_SHOWN,
               text, strlen(text) > STATEMENT_SHOWN ? "..." : "");
    }
    json_decref(answer);
    return status;
}
