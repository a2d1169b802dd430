/* cli_print.c - answers of the controller, for people and for programs. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "ctl/cli.h"
#include "ctl/client.h"

static void
print_json(const json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
    putchar('\n');
}

int
cli_call(struct cli *cli, const char *method, const char *path, const json_t *body,
         json_t **answer)
{
    struct err err;

    *answer = client_call(&cli->paths, method, path, body, NULL, &err);
    if (!*answer) {
        fprintf(stderr, "shardctl: %s\n", err.text);
        return CLI_FAILED;
    }
    if (cli_option(cli, "json")) {
        print_json(*answer);
        json_decref(*answer);
        *answer = NULL;
    }
    return CLI_OK;
}

int
cli_change(struct cli *cli, const char *method, const char *path, const json_t *body,
           const char *fmt, ...)
{
    json_t *answer;
    int     status = cli_call(cli, method, path, body, &answer);
    va_list args;

    if (!answer)
        return status;
    json_decref(answer);
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    putchar('\n');
    return status;
}

int
cli_change_named(struct cli *cli, const char *method, const char *prefix, const json_t *body,
                 const char *done)
{
    char *path   = client_path(prefix, cli->argument[0]);
    int   status = cli_change(cli, method, path, body, "%s %s", done, cli->argument[0]);

    free(path);
    return status;
}

/* A value as text of the people's table; the caller frees it. */
static char *
cell(const json_t *value)
{
    char *text = NULL;
    int   n    = 0;

    if (json_is_string(value))
        return mem_strdup(json_string_value(value));
    if (json_is_integer(value))
        n = asprintf(&text, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        n = asprintf(&text, "%.3f", json_real_value(value));
    else if (json_is_boolean(value))
        return mem_strdup(json_is_true(value) ? "yes" : "no");
    else
        return mem_strdup("-");
    return n >= 0 ? text : mem_strdup("?");
}

enum { COLUMNS_MAX = 16 };

/* How wide it is on a terminal, nearly: characters of UTF-8. */
static size_t
width(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static void
print_cell(const char *text, size_t room, bool last)
{
    if (last)
        printf("%s\n", text);
    else
        printf("%s%*s", text, (int)(room - width(text)) + 2, "");
}

void
cli_table(const json_t *rows, const char *columns)
{
    char   *copy = mem_strdup(columns), *state = NULL;
    char   *name[COLUMNS_MAX];
    size_t  room[COLUMNS_MAX], n = 0, i;
    json_t *row;

    for (char *word = strtok_r(copy, " ", &state); word && n < COLUMNS_MAX;
         word = strtok_r(NULL, " ", &state)) {
        name[n]   = word;
        room[n++] = strlen(word);
    }
    json_array_foreach(rows, i, row)
        for (size_t k = 0; k < n; k++) {
            char *text = cell(json_object_get(row, name[k]));

            if (width(text) > room[k])
                room[k] = width(text);
            free(text);
        }
    for (size_t k = 0; k < n; k++)
        print_cell(name[k], room[k], k + 1 == n);
    json_array_foreach(rows, i, row)
        for (size_t k = 0; k < n; k++) {
            char *text = cell(json_object_get(row, name[k]));

            print_cell(text, room[k], k + 1 == n);
            free(text);
        }
    free(copy);
}

void
cli_members(const json_t *object, const char *members)
{
    char *copy = mem_strdup(members), *state = NULL;

    for (char *word = strtok_r(copy, " ", &state); word; word = strtok_r(NULL, " ", &state)) {
        json_t *value = json_object_get(object, word);
        char   *text  = cell(value);

        if (value && !json_is_null(value) && text[0])
            printf("%-16s %s\n", word, text);
        free(text);
    }
    free(copy);
}

const char *
cli_bytes(int64_t bytes, char out[32])
{
    static const char *const units[] = { "B", "KB", "MB", "GB", "TB" };
    double                   n       = (double)bytes;
    size_t                   i       = 0;

    while (n >= 1000 && i + 1 < countof(units)) {
        n /= 1000;
        i++;
    }
    snprintf(out, 32, i == 0 ? "%.0f %s" : "%.1f %s", n, units[i]);
    return out;
}
