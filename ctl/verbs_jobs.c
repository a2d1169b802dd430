/* verbs_jobs.c - jobs: list, show, watch, and what is asked of those that move rows. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "ctl/catalog/model.h"
#include "ctl/client.h"
#include "ctl/verbs.h"

enum { LOOK_US = 200000, LINE_S = 5 };

/* --- one look ------------------------------------------------------------------------- */

static json_t *
look(struct cli *cli, int64_t number, struct err *err)
{
    char path[64];

    snprintf(path, sizeof(path), "/v1/jobs/%lld", (long long)number);
    return client_call(&cli->paths, "GET", path, NULL, NULL, err);
}

static bool
is_open(const json_t *record)
{
    const char *state = model_text(record, "state");

    return strcmp(state, "running") == 0 || strcmp(state, "paused") == 0;
}

static double
real_of(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

/* "12 s", "3 min", "2 h" */
static const char *
time_text(double s, char out[32])
{
    if (s < 100)
        snprintf(out, 32, "%.0f s", s);
    else if (s < 6000)
        snprintf(out, 32, "%.0f min", s / 60);
    else
        snprintf(out, 32, "%.1f h", s / 3600);
    return out;
}

/* What a job is at, in one line. */
static void
line_of(const json_t *record, struct buf *out)
{
    const json_t *p     = json_object_get(record, "progress");
    const char   *phase = model_text(record, "phase");
    char          text[32];

    buf_printf(out, "job %lld  %s", (long long)model_number(record, "number"),
               is_open(record) && strcmp(model_text(record, "state"), "paused") != 0 && phase[0]
                   ? phase : model_text(record, "state"));
    if (is_open(record) && (strcmp(phase, "copy") == 0 || strcmp(phase, "prepare") == 0)) {
        buf_printf(out, "  %lld/%lld tables  %lld/~%lld rows  %.0f rows/s",
                   (long long)model_number(p, "tables_done"),
                   (long long)model_number(p, "tables"), (long long)model_number(p, "rows"),
                   (long long)model_number(p, "rows_total"), real_of(p, "rows_per_s"));
        if (json_is_number(json_object_get(p, "left_s")))
            buf_printf(out, "  %s left", time_text(real_of(p, "left_s"), text));
    } else if (is_open(record) && (strcmp(phase, "follow") == 0 ||
                                   strcmp(phase, "reverse") == 0)) {
        buf_printf(out, "  %lld rows applied  lag %.1f s",
                   (long long)model_number(p, "applied"), real_of(p, "lag_s"));
    } else if (is_open(record) && json_object_get(p, "removed")) {
        buf_printf(out, "  %lld rows removed", (long long)model_number(p, "removed"));
    }
    if (model_text(record, "problem")[0])
        buf_printf(out, "  (%s)", model_text(record, "problem"));
    else if (is_open(record) && strcmp(phase, "follow") == 0 &&
             json_object_get(json_object_get(record, "last_cutover"), "error"))
        buf_printf(out, "  (the last try to switch: %s)",
                   model_text(json_object_get(record, "last_cutover"), "error"));
    if (!is_open(record) && model_text(record, "error")[0])
        buf_printf(out, ": %s", model_text(record, "error"));
}

static void
print_members(const json_t *record)
{
    const json_t *verified = json_object_get(record, "verified");
    const json_t *last     = json_object_get(record, "last_cutover");

    cli_members(record, "number kind what who state phase database table problem error");
    cli_members(json_object_get(record, "options"),
                "cutover max_pause_ms cut_transactions reverse verify rows_per_s");
    cli_members(json_object_get(record, "progress"),
                "tables tables_done table rows rows_total rows_per_s left_s sent bytes lag_s "
                "transactions applied stashed removed");
    if (verified)
        printf("%-16s %lld rows in %.1f s: %lld missing, %lld extra, %lld different\n",
               "verified", (long long)model_number(verified, "rows"),
               real_of(verified, "seconds"), (long long)model_number(verified, "missing"),
               (long long)model_number(verified, "extra"),
               (long long)model_number(verified, "different"));
    if (last)
        printf("%-16s %.1f ms%s%s\n", "last switch", real_of(last, "parked_ms"),
               model_text(last, "error")[0] ? ": " : "", model_text(last, "error"));
}

/* --- waiting ---------------------------------------------------------------------------- */

static bool
is_enough(const json_t *record, const char *enough)
{
    const char *phase = model_text(record, "phase");

    if (!is_open(record))
        return true;
    if (strcmp(enough, "switched") == 0)
        return model_flag(record, "switched") &&
               (strcmp(phase, "reverse") == 0 || model_text(record, "problem")[0]) &&
               strcmp(phase, "complete") != 0;
    if (strcmp(enough, "verified") == 0)
        return !model_flag(json_object_get(record, "asked"), "verify") &&
               strcmp(phase, "verify") != 0;
    return false;
}

/* A terminal's line is written over; elsewhere news are a line each, and progress now and
 * then. */
static void
show_line(const json_t *record, struct buf *last, time_t *shown)
{
    struct buf line = { 0 };
    bool       tty  = isatty(STDOUT_FILENO);
    time_t     now  = time(NULL);

    line_of(record, &line);
    if (tty)
        printf("\r\033[K%s", buf_cstr(&line));
    else if (strcmp(buf_cstr(last), model_text(record, "phase")) != 0 || !is_open(record) ||
             now - *shown >= LINE_S) {
        printf("%s\n", buf_cstr(&line));
        *shown = now;
    }
    fflush(stdout);
    buf_clear(last);
    buf_append_text(last, model_text(record, "phase"));
    buf_fini(&line);
}

static int
status_of(const json_t *record, const char *enough)
{
    const char *state = model_text(record, "state");

    if (is_open(record) || strcmp(state, "done") == 0)
        return CLI_OK;
    return strcmp(state, "cancelled") == 0 && strcmp(enough, "cancelled") == 0 ? CLI_OK
                                                                             : CLI_FAILED;
}

int
job_wait(struct cli *cli, int64_t number, const char *enough)
{
    struct buf last  = { 0 };
    time_t     shown = 0;
    bool       json  = cli_option(cli, "json") != NULL, over = false;
    int        status = CLI_OK;

    while (!over) {
        struct err err;
        json_t    *record = look(cli, number, &err);

        if (!record) {
            fprintf(stderr, "%sshardctl: %s\n", isatty(STDOUT_FILENO) && !json ? "\n" : "",
                    err.text);
            buf_fini(&last);
            return CLI_FAILED;
        }
        over   = is_enough(record, enough);
        status = status_of(record, enough);
        if (!json)
            show_line(record, &last, &shown);
        else if (over)
            json_dumpf(record, stdout, JSON_INDENT(2));
        json_decref(record);
        if (!over)
            usleep(LOOK_US);
    }
    if (json || isatty(STDOUT_FILENO))
        putchar('\n');
    buf_fini(&last);
    return status;
}

/* --- verbs ------------------------------------------------------------------------------ */

/* The job's number in this argument; 0: the one that runs. False, after saying why. */
static bool
number_of(struct cli *cli, size_t argument, int64_t *out)
{
    char *end;

    *out = 0;
    if (cli->n_arguments <= argument)
        return true;
    *out = strtoll(cli->argument[argument], &end, 10);
    if (*end == '\0' && *out > 0)
        return true;
    cli_wrong(cli, "'%s' is not the number of a job", cli->argument[argument]);
    return false;
}

/* Asks a move for something, and waits for it when --wait says so. */
static int
ask(struct cli *cli, size_t argument, const char *what, const json_t *body, const char *done,
    const char *enough)
{
    json_t *answer;
    int64_t number;
    char    path[64];
    struct err err;

    if (!number_of(cli, argument, &number))
        return CLI_USAGE;
    snprintf(path, sizeof(path), "/v1/jobs/%lld/%s", (long long)number, what);
    answer = client_call(&cli->paths, "POST", path, body, NULL, &err);
    if (!answer) {
        fprintf(stderr, "shardctl: %s\n", err.text);
        return CLI_FAILED;
    }
    number = model_number(answer, "job");
    if (cli_option(cli, "json") && !cli_option(cli, "wait")) {
        json_dumpf(answer, stdout, JSON_INDENT(2));
        putchar('\n');
    } else if (!cli_option(cli, "json")) {
        printf("job %lld %s\n", (long long)number, done);
    }
    json_decref(answer);
    fflush(stdout);
    return cli_option(cli, "wait") ? job_wait(cli, number, enough) : CLI_OK;
}

int
verb_reshard_verify(struct cli *cli)
{
    return ask(cli, 0, "verify", NULL, "compares its rows", "verified");
}

int
verb_reshard_cutover(struct cli *cli)
{
    return ask(cli, 0, "cutover", NULL, "switches as soon as its copies are current", "switched");
}

int
verb_reshard_reverse(struct cli *cli)
{
    return ask(cli, 0, "reverse", NULL, "switches back", "ended");
}

int
verb_reshard_complete(struct cli *cli)
{
    return ask(cli, 0, "complete", NULL, "removes the old copies", "ended");
}

int
verb_job_pause(struct cli *cli)
{
    return ask(cli, 0, "pause", NULL, "rests", "");
}

int
verb_job_resume(struct cli *cli)
{
    return ask(cli, 0, "resume", NULL, "goes on", "");
}

int
verb_job_cancel(struct cli *cli)
{
    return ask(cli, 0, "cancel", NULL, "is given up", "cancelled");
}

int
verb_job_throttle(struct cli *cli)
{
    char   *end;
    int64_t rows   = strtoll(cli->argument[0], &end, 10);
    json_t *body;
    int     status;

    if (*end != '\0' || end == cli->argument[0] || rows < 0)
        return cli_wrong(cli, "'%s' is no number of rows per second", cli->argument[0]);
    body   = json_pack("{s:I}", "rows_per_s", (json_int_t)rows);
    status = ask(cli, 1, "throttle", body, "is throttled so", "");
    json_decref(body);
    return status;
}

int
verb_job_list(struct cli *cli)
{
    json_t *answer;
    int     status = cli_call(cli, "GET", "/v1/jobs", NULL, &answer);

    if (answer)
        cli_table(json_object_get(answer, "jobs"), "number kind state phase what who error");
    json_decref(answer);
    return status;
}

int
verb_job_show(struct cli *cli)
{
    json_t    *record;
    struct err err;
    int64_t    number;

    if (!number_of(cli, 0, &number))
        return CLI_USAGE;
    record = look(cli, number, &err);
    if (!record) {
        fprintf(stderr, "shardctl: %s\n", err.text);
        return CLI_FAILED;
    }
    if (cli_option(cli, "json")) {
        json_dumpf(record, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        print_members(record);
    }
    json_decref(record);
    return CLI_OK;
}

/* The move that runs, or the last one. */
static int64_t
latest_move(struct cli *cli)
{
    struct err err;
    json_t    *answer = client_call(&cli->paths, "GET", "/v1/jobs", NULL, NULL, &err), *record;
    int64_t    found  = 0;
    size_t     i;

    json_array_foreach(json_object_get(answer, "jobs"), i, record)
        if (found == 0 && strcmp(model_text(record, "kind"), "move") == 0)
            found = model_number(record, "number");
    if (!answer)
        fprintf(stderr, "shardctl: %s\n", err.text);
    else if (found == 0)
        fprintf(stderr, "shardctl: no rows have been moved yet; see 'shardctl job list'\n");
    json_decref(answer);
    return found;
}

int
verb_job_watch(struct cli *cli)
{
    int64_t number;

    if (!number_of(cli, 0, &number))
        return CLI_USAGE;
    if (number == 0)
        number = latest_move(cli);
    return number == 0 ? CLI_FAILED : job_wait(cli, number, "ended");
}
