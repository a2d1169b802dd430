/* audit_files.c - see audit_files.h. */
#include "ctl/catalog/audit_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/memory.h"

enum { DIGITS = 16, PATH_ROOM = 1200 };

/* --- which there are -------------------------------------------------------------------- */

static int
ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

void
audit_files_list(const char *dir, struct audit_files *out)
{
    DIR                 *d = opendir(dir);
    const struct dirent *entry;
    size_t               room = 0;

    *out = (struct audit_files){ .n = 0 };
    while (d && (entry = readdir(d))) {
        if (strspn(entry->d_name, "0123456789") != DIGITS ||
            strcmp(entry->d_name + DIGITS, ".jsonl") != 0)
            continue;
        if (out->n == room) {
            room       = room ? 2 * room : 64;
            out->first = mem_resize(out->first, room * sizeof(*out->first));
        }
        out->first[out->n++] = strtoll(entry->d_name, NULL, 10);
    }
    if (d)
        closedir(d);
    if (out->n > 1)
        qsort(out->first, out->n, sizeof(*out->first), ascending);
}

void
audit_files_fini(struct audit_files *files)
{
    free(files->first);
    *files = (struct audit_files){ .n = 0 };
}

void
audit_files_path(const char *dir, int64_t first, char *out, size_t room)
{
    snprintf(out, room, "%s/%016" PRId64 ".jsonl", dir, first);
}

void
audit_files_sync(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return;
    (void)fsync(fd);
    close(fd);
}

/* --- their lines ------------------------------------------------------------------------ */

/* Calls back with each line, without its line feed, and where the next one begins. */
static bool
each_line(const char *path, void (*each)(void *context, struct span line, off_t end),
          void *context)
{
    FILE   *file = fopen(path, "re");
    char   *text = NULL;
    size_t  room = 0;
    off_t   at   = 0;
    ssize_t len;

    if (!file)
        return false;
    while ((len = getline(&text, &room, file)) >= 0) {
        bool whole = len > 0 && text[len - 1] == '\n';

        at += len;
        each(context, (struct span){ (const uint8_t *)text, (size_t)len - (whole ? 1 : 0) },
             whole ? at : -1);
    }
    free(text);
    fclose(file);
    return true;
}

struct search {
    int64_t           seq;
    off_t             end; /* behind that line; -1: not found */
    struct audit_link last;
};

static void
note_line(void *context, struct span line, off_t end)
{
    struct search    *s = context;
    struct audit_link link;
    char              prev[AUDIT_HASH + 1];

    if (audit_line_read(line, &link, prev) == AUDIT_NO_LINE)
        return;
    s->last = link;
    if (link.seq == s->seq && end >= 0)
        s->end = end;
}

bool
audit_files_last(const char *path, struct audit_link *out)
{
    struct search s = { .end = -1 };

    if (!each_line(path, note_line, &s) || s.last.seq == 0)
        return false;
    *out = s.last;
    return true;
}

bool
audit_files_find(const char *path, int64_t seq, off_t *end)
{
    struct search s = { .seq = seq, .end = -1 };

    if (!each_line(path, note_line, &s) || s.end < 0)
        return false;
    *end = s.end;
    return true;
}

struct picking {
    int64_t above, below;
    size_t  limit;
    bool    newest; /* of those beyond the limit the oldest go */
    json_t *out;
};

static void
pick(void *context, struct span line, off_t end)
{
    struct picking   *p = context;
    struct audit_link link;
    char              prev[AUDIT_HASH + 1];
    json_t           *object;

    (void)end;
    if (audit_line_read(line, &link, prev) == AUDIT_NO_LINE || link.seq <= p->above ||
        link.seq >= p->below || (!p->newest && json_array_size(p->out) >= p->limit))
        return;
    object = json_loadb((const char *)line.ptr, line.len, JSON_ALLOW_NUL, NULL);
    if (!object)
        return;
    json_array_append_new(p->out, object);
    if (p->newest && json_array_size(p->out) > p->limit)
        json_array_remove(p->out, 0);
}

json_t *
audit_files_before(const char *dir, int64_t before, size_t limit)
{
    struct audit_files files;
    json_t            *out = json_array();
    char               path[PATH_ROOM];

    audit_files_list(dir, &files);
    for (size_t i = files.n; i-- > 0 && json_array_size(out) < limit;) {
        struct picking p = { .below = before, .newest = true, .out = json_array(),
                             .limit = limit - json_array_size(out) };

        if (files.first[i] < before) {
            audit_files_path(dir, files.first[i], path, sizeof(path));
            (void)each_line(path, pick, &p);
        }
        for (size_t k = json_array_size(p.out); k-- > 0;)
            json_array_append(out, json_array_get(p.out, k));
        json_decref(p.out);
    }
    audit_files_fini(&files);
    return out;
}

json_t *
audit_files_after(const char *dir, int64_t after, size_t limit)
{
    struct audit_files files;
    struct picking     p = { .above = after, .below = INT64_MAX, .limit = limit,
                             .out = json_array() };
    char               path[PATH_ROOM];

    audit_files_list(dir, &files);
    for (size_t i = 0; i < files.n && json_array_size(p.out) < limit; i++) {
        if (i + 1 < files.n && files.first[i + 1] <= after + 1)
            continue;
        audit_files_path(dir, files.first[i], path, sizeof(path));
        (void)each_line(path, pick, &p);
    }
    audit_files_fini(&files);
    return p.out;
}
