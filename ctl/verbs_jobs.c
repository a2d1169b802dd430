/* verbs_jobs.c - jobs: list, show, watch, and what is asked of those that move rows. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "ctl/catalog/model.h"
#include "ctl/client.h"
#include "ctl/job_view.h"
#include "ctl/verbs.h"

enum { LOOK_US = 200000 };

/* --- one look ------------------------------------------------------------------------- */

static json_t *
look(struct cli *cli, int64_t number, struct err *err)
{
    char path[64];

    snprintf(path, sizeof(path), "/v1/jobs/%lld", (long long)number);
    return client_call(&cli->paths, "GET", path, NULL, NULL, err);
}

/* --- waiting ---------------------------------------------------------------------------- */

static bool
is_enough(const json_t *record, const char *enough)
{
    const char *phase = model_text(record, "phase");

    if (!job_goes_on(record))
        return true;
    if (strcmp(enough, "switched") == 0)
        return model_flag(record, "switched") &&
               (strcmp(phase, "reverse") == 0 || model_text(record, "problem")[0]) &&
               strcmp(phase, "complete") != 0;
    if (strcmp(enough, "reversed") == 0) /* what cannot be is not asked for any more */
        return strcmp(phase, "reverse") == 0 &&
               !model_flag(json_object_get(record, "asked"), "reverse");
    if (strcmp(enough, "verified") == 0)
        return !model_flag(json_object_get(record, "asked"), "verify") &&
               strcmp(phase, "verify") != 0;
    return false;
}

static int
status_of(const json_t *record, const char *enough)
{
    const char *state = model_text(record, "state");

    if (strcmp(enough, "reversed") == 0)
        return strcmp(state, "done") == 0 && strcmp(model_text(record, "end"), enough) == 0
                   ? CLI_OK : CLI_FAILED;
    if (job_goes_on(record) || strcmp(state, "done") == 0)
        return CLI_OK;
    return strcmp(state, "cancelled") == 0 && strcmp(enough, "cancelled") == 0 ? CLI_OK
                                                                             : CLI_FAILED;
}

struct waiting {
    struct job_view view;
    const char     *enough;
    bool            json, over;
    int             status;
};

static void
see(struct waiting *w, const json_t *record)
{
    w->over   = is_enough(record, w->enough);
    w->status = status_of(record, w->enough);
    if (!w->json)
        job_view_show(&w->view, record);
    else if (w->over)
        json_dumpf(record, stdout, JSON_INDENT(2));
    if (w->over && strcmp(w->enough, "reversed") == 0 && job_goes_on(record))
        fprintf(stderr, "shardctl: job %lld cannot be reversed: %s\n",
                (long long)model_number(record, "number"), job_trouble(record));
}

static bool
heard(void *context, const char *event, json_t *data)
{
    struct waiting *w = context;

    if (strcmp(event, "job") == 0)
        see(w, data);
    return !w->over;
}

/* A stream ends when the controller wants it to, or does itself: then it is looked at. */
int
job_wait(struct cli *cli, int64_t number, const char *enough)
{
    struct waiting w = { .view   = { .tty = isatty(STDOUT_FILENO) != 0 },
                         .enough = enough,
                         .json   = cli_option(cli, "json") != NULL };
    char           path[64];
    struct err     err;

    snprintf(path, sizeof(path), "/v1/jobs/%lld/events", (long long)number);
    while (!w.over) {
        json_t *record = NULL;

        if (client_listen(&cli->paths, path, heard, &w, &err) && !w.over) {
            usleep(LOOK_US);
            record = look(cli, number, &err);
        }
        if (!record && !w.over) {
            fprintf(stderr, "shardctl: %s\n", err.text);
            return CLI_FAILED;
        }
        if (!w.over)
            see(&w, record);
        json_decref(record);
    }
    if (w.json)
        putchar('\n');
    return w.status;
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
    return ask(cli, 0, "reverse", NULL, "switches back", "reversed");
}

int
verb_reshard_complete(struct cli *cli)
{
    return ask(cli, 0, cli_option(cli, "cut-transactions") ? "cut" : "complete", NULL,
               "removes the old copies", "ended");
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
    json_t *body   = json_pack("{s:s}", "throttle", cli->argument[0]);
    int     status = ask(cli, 1, "throttle", body, "is throttled so", "");

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
        job_print(record);
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
