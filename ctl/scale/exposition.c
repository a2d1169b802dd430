/* exposition.c - see exposition.h. */
#include "ctl/scale/exposition.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static struct span
take_line(struct span *text)
{
    const uint8_t *end  = memchr(text->ptr, '\n', text->len);
    size_t         len  = end ? (size_t)(end - text->ptr) : text->len;
    struct span    line = { text->ptr, len };

    *text = span_from(*text, len + (end != NULL));
    return line;
}

/* Where the labels end: a '}' outside of quotes. */
static size_t
labels_end(struct span s)
{
    bool quoted = false;

    for (size_t i = 0; i < s.len; i++) {
        if (quoted && s.ptr[i] == '\\')
            i++;
        else if (s.ptr[i] == '"')
            quoted = !quoted;
        else if (!quoted && s.ptr[i] == '}')
            return i;
    }
    return s.len;
}

static bool
number(struct span s, double *out)
{
    char   text[64], *end;
    size_t n = 0;

    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = span_from(s, 1);
    while (n < s.len && n + 1 < sizeof(text) && s.ptr[n] > ' ') {
        text[n] = (char)s.ptr[n];
        n++;
    }
    text[n] = '\0';
    *out    = strtod(text, &end);
    return n > 0 && *end == '\0';
}

static bool
parse(struct span line, struct sample *out)
{
    size_t n = 0;

    while (n < line.len && line.ptr[n] > ' ' && line.ptr[n] != '{')
        n++;
    if (n == 0 || n == line.len || line.ptr[0] == '#')
        return false;
    out->name   = (struct span){ line.ptr, n };
    out->labels = (struct span){ line.ptr, 0 };
    line        = span_from(line, n);
    if (line.ptr[0] == '{') {
        line        = span_from(line, 1);
        size_t end  = labels_end(line);
        out->labels = (struct span){ line.ptr, end };
        if (end == line.len)
            return false;
        line = span_from(line, end + 1);
    }
    return number(line, &out->value);
}

bool
sample_next(struct span *text, struct sample *out)
{
    while (text->len > 0)
        if (parse(take_line(text), out))
            return true;
    return false;
}

struct span
sample_label(const struct sample *s, const char *name)
{
    struct span at  = s->labels;
    size_t      len = strlen(name);

    while (at.len > 0) {
        const uint8_t *equals = memchr(at.ptr, '=', at.len);
        size_t         n      = equals ? (size_t)(equals - at.ptr) : at.len, end;

        if (n + 2 > at.len || at.ptr[n + 1] != '"')
            break;
        struct span value = span_from(at, n + 2);
        for (end = 0; end < value.len && value.ptr[end] != '"'; end++)
            end += value.ptr[end] == '\\';
        if (end >= value.len)
            break;
        if (n == len && memcmp(at.ptr, name, len) == 0)
            return (struct span){ value.ptr, end };
        at = span_from(value, end + 1);
        while (at.len > 0 && (at.ptr[0] == ',' || at.ptr[0] == ' '))
            at = span_from(at, 1);
    }
    return (struct span){ s->labels.ptr, 0 };
}

static bool
is(struct span text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.ptr, word, text.len) == 0;
}

/* How much of `directory` the mount point is; 0: it does not lie there. */
static size_t
covers(struct span mount, const char *directory)
{
    if (mount.len == 0 || strncmp((const char *)mount.ptr, directory, mount.len) != 0)
        return 0;
    bool whole = mount.ptr[mount.len - 1] == '/' || directory[mount.len] == '/' ||
                 directory[mount.len] == '\0';
    return whole ? mount.len : 0;
}

static void
add_cpu(const struct sample *s, struct machine *m)
{
    bool idle = is(sample_label(s, "mode"), "idle");

    m->cpu_all_s = (isnan(m->cpu_all_s) ? 0 : m->cpu_all_s) + s->value;
    if (!idle)
        return;
    m->cpu_idle_s = (isnan(m->cpu_idle_s) ? 0 : m->cpu_idle_s) + s->value;
    m->cpus       = (isnan(m->cpus) ? 0 : m->cpus) + 1;
}

/* The longest of those above the directory. */
static void
take_disk(const struct sample *s, const char *directory, size_t *best, double *out)
{
    size_t n = covers(sample_label(s, "mountpoint"), directory);

    if (n == 0 || n < *best)
        return;
    *best = n;
    *out  = s->value;
}

void
machine_read(struct span text, const char *directory, struct machine *out)
{
    size_t        size_of = 0, free_of = 0;
    struct sample s;

    *out = (struct machine){ NAN, NAN, NAN, NAN, NAN, NAN, NAN };
    while (sample_next(&text, &s)) {
        if (is(s.name, "node_cpu_seconds_total"))
            add_cpu(&s, out);
        else if (is(s.name, "node_memory_MemTotal_bytes"))
            out->memory_total = s.value;
        else if (is(s.name, "node_memory_MemAvailable_bytes"))
            out->memory_available = s.value;
        else if (is(s.name, "node_filesystem_size_bytes"))
            take_disk(&s, directory, &size_of, &out->disk_size);
        else if (is(s.name, "node_filesystem_avail_bytes"))
            take_disk(&s, directory, &free_of, &out->disk_available);
    }
}
