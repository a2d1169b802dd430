/* audit_check.c - see audit_check.h. */
#include "ctl/catalog/audit_check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/catalog/audit_log.h"

void
audit_check_problem(struct audit_check *check, const char *fmt, ...)
{
    char    text[512];
    va_list args;

    check->wrong++;
    if (json_array_size(check->list) >= AUDIT_PROBLEMS_MAX)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    json_array_append_new(check->list, json_string(text));
}

/* Does it follow the line before? One thing that is wrong is one problem: what comes behind it
 * is compared with what the line says of itself. */
static void
follow(struct audit_check *check, const char *where, const struct audit_link *link,
       const char *prev)
{
    const struct audit_link *last = &check->last;

    if (!check->begun)
        return;
    if (link->seq > last->seq + 1)
        audit_check_problem(check, "%s: lines %" PRId64 " to %" PRId64 " are missing", where,
                            last->seq + 1, link->seq - 1);
    else if (link->seq <= last->seq)
        audit_check_problem(check, "%s: line %" PRId64 " comes behind line %" PRId64, where,
                            link->seq, last->seq);
    else if (strcmp(prev, last->hash) != 0)
        audit_check_problem(check, "%s: line %" PRId64 " does not follow the line %" PRId64
                            " that is there", where, link->seq, last->seq);
}

static void
meet(struct audit_check *check, const struct audit_link *link)
{
    char text[AUDIT_HASH + 32];

    if (!check->expect || check->met)
        return;
    snprintf(text, sizeof(text), "%" PRId64 ":%s", link->seq, link->hash);
    check->met = strcmp(text, check->expect) == 0;
}

static void
look(struct audit_check *check, const char *path, unsigned number, struct span line)
{
    struct audit_link link;
    char              prev[AUDIT_HASH + 1], where[300];
    enum audit_word   word = audit_line_read(line, &link, prev);
    const char       *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;

    snprintf(where, sizeof(where), "%.200s:%u", name, number);
    if (word != AUDIT_NO_LINE && check->until > 0 && link.seq > check->until)
        return;
    check->lines++;
    if (word == AUDIT_NO_LINE) {
        audit_check_problem(check, "%s: it is no line of an audit log", where);
        return;
    }
    if (word == AUDIT_CHANGED)
        audit_check_problem(check, "%s: line %" PRId64 " was changed: its hash is another", where,
                            link.seq);
    follow(check, where, &link, prev);
    if (word == AUDIT_GOOD)
        meet(check, &link);
    check->first = check->first ? check->first : link.seq;
    check->last  = link;
    check->begun = true;
}

bool
audit_check_file(struct audit_check *check, const char *path)
{
    FILE    *file   = fopen(path, "re");
    char    *text   = NULL;
    size_t   room   = 0;
    unsigned number = 0;
    ssize_t  len;

    if (!file) {
        audit_check_problem(check, "%s cannot be read: %s", path, strerror(errno));
        return false;
    }
    while ((len = getline(&text, &room, file)) >= 0) {
        bool whole = len > 0 && text[len - 1] == '\n';

        look(check, path, ++number,
             (struct span){ (const uint8_t *)text, (size_t)len - (whole ? 1 : 0) });
    }
    free(text);
    fclose(file);
    return true;
}

void
audit_check_end(struct audit_check *check, const struct audit_link *head)
{
    const struct audit_link *last = &check->last;

    if (head && last->seq < head->seq)
        audit_check_problem(check, "lines %" PRId64 " to %" PRId64 " are missing at the end",
                            last->seq + 1, head->seq);
    else if (head && strcmp(last->hash, head->hash) != 0)
        audit_check_problem(check, "the last line is not the one that the catalog knows: another "
                            "chain was put in its place");
    if (check->expect && !check->met)
        audit_check_problem(check, "the line %.100s is not among them", check->expect);
}

json_t *
audit_check_report(struct audit_check *check)
{
    return json_pack("{s:b, s:I, s:I, s:I, s:{s:I, s:s}, s:I, s:o}", "ok", check->wrong == 0,
                     "lines", (json_int_t)check->lines, "first", (json_int_t)check->first,
                     "last", (json_int_t)check->last.seq, "head", "seq",
                     (json_int_t)check->last.seq, "hash",
                     check->last.hash[0] ? check->last.hash : audit_none.hash, "wrong",
                     (json_int_t)check->wrong, "problems", check->list);
}
