/* cli.h - the command line: one table of verbs, one of options; help is made from both.
 *
 *   shardctl [OPTIONS] VERB [NOUN] [ARGUMENTS] [OPTIONS]
 *
 * Exit status: 0 done, 1 failed, 2 the command line is wrong.
 */
#ifndef CTL_CLI_H
#define CTL_CLI_H

#include "core/base/buf.h"
#include "ctl/provision/cluster.h"

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_ARGUMENTS_MAX = 64 };

struct cli_verb;

struct cli {
    const struct cli_verb *verb;
    struct cluster_paths   paths;
    const char            *argument[CLI_ARGUMENTS_MAX];
    size_t                 n_arguments;
    json_t                *options; /* {"shards": "3", "json": "", "set": ["a = 1", ...]} */
};

typedef int (*cli_fn)(struct cli *cli);

struct cli_verb {
    const char *words;     /* "database create" */
    const char *arguments; /* "NAME"; "" none; [X] may be left out, X... be several */
    const char *options;   /* names of its options, besides home, json, help: "policy collation" */
    cli_fn      run;
    const char *help;      /* one line */
    const char *more;      /* sentences for VERB --help; "" none */
};

struct cli_option {
    const char *name;
    const char *value; /* "DIR", "up|draining" for one of these; NULL: a flag */
    const char *help;
};

extern const struct cli_verb   cli_verbs[];
extern const size_t            cli_n_verbs;
extern const struct cli_option cli_options[];
extern const size_t            cli_n_options;

/* Reads a command line into `cli`. Returns -1 when a verb is to be run, else the
 * exit status; what there is to say is appended to `out` (help) or `err`. */
int  cli_parse(int argc, char *const argv[], struct cli *cli, struct buf *out, struct err *err);
void cli_fini(struct cli *cli);

/* Parses, runs, prints. Returns the exit status. */
int cli_main(int argc, char *const argv[]);

void cli_help(struct buf *out);
void cli_verb_help(const struct cli_verb *verb, struct buf *out);

/* The value of an option, NULL when it was not given; "" for a flag. */
const char *cli_option(const struct cli *cli, const char *name);

/* A whole number; `fallback` when it was not given. False, after saying why,
 * when it is none or outside [min, max]. */
bool cli_number(const struct cli *cli, const char *name, long min, long max, int *out,
                int fallback);

/* Prints what is wrong with the command line; returns CLI_USAGE. */
int cli_wrong(const struct cli *cli, const char *fmt, ...) printf_like(2, 3);

/* Calls the controller. With --json prints the answer (`member` of it, when it
 * is not NULL, as it is), else returns it in `*answer` for the verb to print. Returns
 * CLI_OK or CLI_FAILED, after saying why; `*answer` is NULL when all is said. */
int cli_call(struct cli *cli, const char *method, const char *path, const json_t *body,
             json_t **answer);

/* As above for verbs that change something: prints `done` when it worked. */
int cli_change(struct cli *cli, const char *method, const char *path, const json_t *body,
               const char *fmt, ...) printf_like(5, 6);

/* ... to `prefix`/NAME, where NAME is the first argument: prints "`done` NAME". */
int cli_change_named(struct cli *cli, const char *method, const char *prefix, const json_t *body,
                     const char *done);

/* The members `columns` ("name kind key") of each object as an aligned table. */
void cli_table(const json_t *rows, const char *columns);

/* "1.2 GB" */
const char *cli_bytes(int64_t bytes, char out[32]);

/* "s" for several of something, "" for one. */
static inline const char *
cli_plural(long long n)
{
    return n == 1 ? "" : "s";
}

/* "member value" lines of one object. */
void cli_members(const json_t *object, const char *members);

#endif
