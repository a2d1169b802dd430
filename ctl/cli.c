/* cli.c - reading a command line, and help. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "ctl/cli.h"
#include "ctl/client.h"

static const struct cli_option *
find_option(const char *name, size_t len)
{
    for (size_t i = 0; i < cli_n_options; i++)
        if (strlen(cli_options[i].name) == len && strncmp(cli_options[i].name, name, len) == 0)
            return &cli_options[i];
    return NULL;
}

/* Whether `word` is one of the words of `list`. */
static bool
in_list(const char *list, const char *word)
{
    size_t len = strlen(word);

    for (const char *at = list; (at = strstr(at, word)); at += len)
        if ((at == list || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
            return true;
    return false;
}

/* Whether `word` is one of "up|draining"; any word is where there is no choice. */
static bool
is_choice(const char *choices, const char *word)
{
    size_t len = strlen(word), n;

    if (!strchr(choices, '|'))
        return true;
    for (const char *at = choices; *at; at += n + (at[n] == '|')) {
        n = strcspn(at, "|");
        if (n == len && strncmp(at, word, n) == 0)
            return true;
    }
    return false;
}

static void
keep_option(struct cli *cli, const struct cli_option *option, const char *value)
{
    json_t *list;

    if (!in_list("set grant at to window with", option->name)) { /* these may be repeated */
        json_object_set_new(cli->options, option->name, json_string_nocheck(value));
        return;
    }
    list = json_object_get(cli->options, option->name);
    if (!list) {
        list = json_array();
        json_object_set_new(cli->options, option->name, list);
    }
    json_array_append_new(list, json_string_nocheck(value));
}

/* "[commit|rollback]": one of these, or nothing. */
static bool
take_choice(struct cli *cli, const struct cli_option *option, const char *value, int argc,
            char *const argv[], int *i, struct err *err)
{
    char choice[64];

    snprintf(choice, sizeof(choice), "%.*s", (int)strlen(option->value) - 2, option->value + 1);
    if (!value && *i + 1 < argc && is_choice(choice, argv[*i + 1]))
        value = argv[++*i];
    if (value && !is_choice(choice, value))
        return err_set(err, "--%s %s: it is one of %s", option->name, value, choice);
    keep_option(cli, option, value ? value : "");
    return true;
}

/* argv[*i] begins with "--". */
static bool
take_option(struct cli *cli, int argc, char *const argv[], int *i, struct err *err)
{
    const char              *name   = argv[*i] + 2;
    size_t                   len    = strcspn(name, "=");
    const char              *value  = name[len] ? name + len + 1 : NULL;
    const struct cli_option *option = find_option(name, len);

    if (!option)
        return err_set(err, "there is no option --%.*s", (int)len, name);
    if (!option->value && value)
        return err_set(err, "the option --%s takes no value", option->name);
    if (option->value && option->value[0] == '[') /* one that may lack its value */
        return take_choice(cli, option, value, argc, argv, i, err);
    if (option->value && !value) {
        if (*i + 1 >= argc)
            return err_set(err, "the option --%s needs a value: --%s %s", option->name,
                           option->name, option->value);
        value = argv[++*i];
    }
    if (option->value && !is_choice(option->value, value))
        return err_set(err, "--%s %s: it is one of %s", option->name, value, option->value);
    keep_option(cli, option, value ? value : "");
    return true;
}

/* One dash: -h, -V. */
static const char *
long_form(const char *argument)
{
    if (strcmp(argument, "-h") == 0)
        return "--help";
    if (strcmp(argument, "-V") == 0)
        return "version";
    return argument;
}

static bool
split(struct cli *cli, int argc, char *const argv[], struct err *err)
{
    bool only_words = false;

    for (int i = 1; i < argc; i++) {
        const char *argument = long_form(argv[i]);

        if (!only_words && strcmp(argument, "--") == 0) {
            only_words = true;
        } else if (!only_words && strcmp(argument, "--help") == 0) {
            keep_option(cli, find_option("help", 4), "");
        } else if (!only_words && strncmp(argument, "--", 2) == 0) {
            if (!take_option(cli, argc, argv, &i, err))
                return false;
        } else if (cli->n_arguments == CLI_ARGUMENTS_MAX) {
            return err_set(err, "too many arguments");
        } else {
            cli->argument[cli->n_arguments++] = argument;
        }
    }
    return true;
}

static void
shift(struct cli *cli, size_t n)
{
    cli->n_arguments -= n;
    memmove(cli->argument, cli->argument + n, cli->n_arguments * sizeof(cli->argument[0]));
}

/* Takes the verb's words off the arguments. */
static bool
find_verb(struct cli *cli, struct err *err)
{
    char one[64], two[130];

    snprintf(one, sizeof(one), "%s", cli->argument[0]);
    snprintf(two, sizeof(two), "%s %s", one, cli->n_arguments > 1 ? cli->argument[1] : "");
    for (size_t i = 0; i < cli_n_verbs; i++) {
        bool both = strcmp(cli_verbs[i].words, two) == 0;

        if (!both && strcmp(cli_verbs[i].words, one) != 0)
            continue;
        cli->verb = &cli_verbs[i];
        shift(cli, both ? 2 : 1);
        return true;
    }
    for (size_t i = 0; i < cli_n_verbs; i++)
        if (strncmp(cli_verbs[i].words, one, strlen(one)) == 0 &&
            cli_verbs[i].words[strlen(one)] == ' ')
            return err_set(err, "%s what? See 'shardctl %s --help'", one, one);
    return err_set(err, "there is no verb '%s'; see 'shardctl --help'", one);
}

/* How many arguments the verb wants: NAME counts, [NAME] may be there. */
static bool
check_arguments(const struct cli *cli, struct err *err)
{
    const char *at  = cli->verb->arguments;
    size_t      min = 0, max = 0;

    while (*at) {
        size_t len = strcspn(at, " ");

        min += at[0] != '[';
        max++;
        if (len > 3 && memmem(at, len, "...", 3))
            max = CLI_ARGUMENTS_MAX;
        at += len + (at[len] == ' ');
    }
    if (cli->n_arguments < min)
        return err_set(err, "'%s' needs %s", cli->verb->words, cli->verb->arguments);
    if (cli->n_arguments > max)
        return err_set(err, "'%s' does not take '%s'", cli->verb->words, cli->argument[max]);
    return true;
}

static bool
check_options(const struct cli *cli, struct err *err)
{
    const char *name;
    json_t     *value;

    json_object_foreach(cli->options, name, value)
        if (!in_list("home json help", name) && !in_list(cli->verb->options, name))
            return err_set(err, "'%s' has no option --%s", cli->verb->words, name);
    return true;
}

/* The n-th verb of a group that begins with this word; NULL: there are no more. */
static const struct cli_verb *
in_group(const char *word, size_t n)
{
    size_t len = strlen(word);

    for (size_t i = 0; i < cli_n_verbs; i++)
        if (strncmp(cli_verbs[i].words, word, len) == 0 && cli_verbs[i].words[len] == ' ' &&
            n-- == 0)
            return &cli_verbs[i];
    return NULL;
}

/* Help of all verbs that begin with this word, and of the one that is this word. */
static bool
group_help(const char *word, struct buf *out)
{
    const struct cli_verb *verb;

    if (!in_group(word, 0))
        return false;
    for (size_t i = 0; i < cli_n_verbs; i++)
        if (strcmp(cli_verbs[i].words, word) == 0) {
            cli_verb_help(&cli_verbs[i], out);
            buf_append_text(out, "\nSee also:\n");
        }
    for (size_t n = 0; (verb = in_group(word, n)); n++)
        buf_printf(out, "  shardctl %s %s\n      %s\n", verb->words, verb->arguments, verb->help);
    return true;
}

int
cli_parse(int argc, char *const argv[], struct cli *cli, struct buf *out, struct err *err)
{
    const char *home;

    *cli         = (struct cli){ .n_arguments = 0 };
    cli->options = json_object();
    if (!split(cli, argc, argv, err))
        return CLI_USAGE;
    if (cli->n_arguments == 0) {
        if (cli_option(cli, "help")) {
            cli_help(out);
            return CLI_OK;
        }
        err_set(err, "say what to do; see 'shardctl --help'");
        return CLI_USAGE;
    }
    if (cli_option(cli, "help") && cli->n_arguments == 1 && group_help(cli->argument[0], out))
        return CLI_OK;
    if (!find_verb(cli, err))
        return CLI_USAGE;
    if (cli_option(cli, "help")) {
        cli_verb_help(cli->verb, out);
        return CLI_OK;
    }
    home = cli_option(cli, "home");
    if (!check_arguments(cli, err) || !check_options(cli, err))
        return CLI_USAGE;
    if (!cluster_paths(home && home[0] ? home : NULL, &cli->paths, err))
        return CLI_FAILED;
    return -1;
}

void
cli_fini(struct cli *cli)
{
    json_decref(cli->options);
    cli->options = NULL;
}

int
cli_main(int argc, char *const argv[])
{
    struct cli cli;
    struct buf out = { 0 };
    struct err err = { "" };
    int        status = cli_parse(argc, argv, &cli, &out, &err);

    if (status == -1)
        status = cli.verb->run(&cli);
    else if (status != CLI_OK)
        fprintf(stderr, "shardctl: %s\n", err.text);
    if (buf_len(&out) > 0)
        fputs(buf_cstr(&out), stdout);
    buf_fini(&out);
    cli_fini(&cli);
    if (fflush(stdout) != 0 && status == CLI_OK)
        status = CLI_FAILED;
    return status;
}

void
cli_help(struct buf *out)
{
    buf_append_text(out,
        "shardctl - the control plane of shardd, the sharding proxy for MariaDB\n\n"
        "Usage: shardctl VERB [ARGUMENTS] [--home DIR] [--json]\n"
        "       shardctl VERB --help\n\n");
    for (size_t i = 0; i < cli_n_verbs; i++)
        buf_printf(out, "  %-17s %-22s %s\n", cli_verbs[i].words, cli_verbs[i].arguments,
                   cli_verbs[i].help);
    buf_append_text(out,
        "\n  --home DIR   the cluster's folder; the default is $XDG_STATE_HOME/shardd, or\n"
        "               /var/lib/shardd for root. Clusters in several folders run side by side\n"
        "  --json       print the answer as JSON, for programs\n\n"
        "Exit status: 0 done, 1 failed, 2 the command line is wrong. See shardctl(8).\n");
}

void
cli_verb_help(const struct cli_verb *verb, struct buf *out)
{
    buf_printf(out, "Usage: shardctl %s%s%s [OPTIONS]\n\n%s.\n", verb->words,
               verb->arguments[0] ? " " : "", verb->arguments, verb->help);
    if (verb->more[0])
        buf_printf(out, "\n%s\n", verb->more);
    buf_append_text(out, "\nOptions:\n");
    for (size_t i = 0; i < cli_n_options; i++) {
        const struct cli_option *o = &cli_options[i];
        char                     name[48];

        if (!in_list("home json help", o->name) && !in_list(verb->options, o->name))
            continue;
        snprintf(name, sizeof(name), "--%s%s%s", o->name, o->value ? " " : "",
                 o->value ? o->value : "");
        buf_printf(out, "  %-22s %s\n", name, o->help);
    }
}

const char *
cli_option(const struct cli *cli, const char *name)
{
    return json_string_value(json_object_get(cli->options, name));
}

int
cli_wrong(const struct cli *cli, const char *fmt, ...)
{
    va_list args;

    fprintf(stderr, "shardctl: ");
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fprintf(stderr, "; see 'shardctl %s --help'\n", cli->verb->words);
    return CLI_USAGE;
}

bool
cli_number(const struct cli *cli, const char *name, long min, long max, int *out, int fallback)
{
    const char *text = cli_option(cli, name);
    char       *end;
    long        value;

    *out = fallback;
    if (!text)
        return true;
    value = strtol(text, &end, 10);
    if (text[0] == '\0' || *end != '\0' || value < min || value > max) {
        cli_wrong(cli, "--%s %s: it is a number from %ld to %ld", name, text, min, max);
        return false;
    }
    *out = (int)value;
    return true;
}
