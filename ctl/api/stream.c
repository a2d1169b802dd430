/* stream.c - see stream.h. */
#include "ctl/api/stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "ctl/catalog/audit_log.h"
#include "ctl/catalog/model.h"
#include "ctl/move/run.h"
#include "ctl/scale/scaler.h"

enum {
    LOOK_MS   = 300,     /* for progress, which leaves no lines */
    BEAT_US   = 15000000,
    ENDS_US   = 600000000,
    BATCH     = 100,
    RETRY_MS  = 2000,
};

struct stream {
    struct cluster *c;
    int64_t         job;      /* 0: everything */
    int64_t         last;     /* the line that was told last */
    struct buf      out;      /* to be sent */
    char           *progress; /* as told last, owned; NULL: not yet */
    uint64_t        told_us, ends_us;
    bool            over;
};

struct stream *
stream_new(struct cluster *c, int64_t job, int64_t after)
{
    struct stream    *s;
    struct audit_ends ends;

    if (atomic_fetch_add(&c->streams, 1) >= STREAMS_MAX) {
        atomic_fetch_sub(&c->streams, 1);
        return NULL;
    }
    s = mem_alloc(sizeof(*s));
    catalog_audit_ends(c->catalog, &ends);
    s->c       = c;
    s->job     = job;
    s->last    = after >= 0 && job == 0 ? after : ends.head.seq;
    s->told_us = clock_us();
    s->ends_us = s->told_us + ENDS_US;
    buf_printf(&s->out, "retry: %d\n\n", RETRY_MS);
    return s;
}

void
stream_free(struct stream *s)
{
    if (!s)
        return;
    atomic_fetch_sub(&s->c->streams, 1);
    buf_fini(&s->out);
    free(s->progress);
    free(s);
}

/* --- saying --------------------------------------------------------------------------- */

/* Takes over `data`. `id` 0: none. */
static void
say(struct stream *s, const char *event, int64_t id, json_t *data)
{
    char *text = data ? json_dumps(data, JSON_COMPACT) : NULL;

    if (text && id > 0)
        buf_printf(&s->out, "id: %" PRId64 "\n", id);
    if (text) {
        buf_printf(&s->out, "event: %s\ndata: ", event);
        buf_append_text(&s->out, text);
        buf_append_text(&s->out, "\n\n");
    }
    free(text);
    json_decref(data);
}

static int64_t
job_version(struct cluster *c, int64_t number)
{
    int64_t version = 0;
    char    name[24];

    snprintf(name, sizeof(name), "%010lld", (long long)number);
    json_decref(catalog_get(c->catalog, CATALOG_JOB, name, &version));
    return version;
}

/* The job as it is now, when it is not as it was told last. */
static void
say_job(struct stream *s, int64_t number, int64_t id)
{
    json_t *record = moves_show(s->c, number);
    char   *text   = record ? json_dumps(record, JSON_COMPACT) : NULL;

    if (s->job > 0)
        id = job_version(s->c, number);
    if (text && (!s->progress || strcmp(text, s->progress) != 0))
        say(s, "job", id, json_incref(record));
    free(s->progress);
    s->progress = text;
    if (s->job > 0 && (!record || !job_is_open(record)))
        s->over = true;
    json_decref(record);
}

static void
say_decision(struct stream *s, const char *name, int64_t id)
{
    say(s, "decision", id, catalog_get(s->c->catalog, CATALOG_DECISION, name, NULL));
}

static void
say_scaler(struct stream *s, int64_t id)
{
    json_t *meta = catalog_get(s->c->catalog, CATALOG_META, "scaler", NULL);

    say(s, "scaler", id, json_pack("{s:O?}", "settings", json_object_get(meta, "settings")));
    json_decref(meta);
}

static void
say_change(struct stream *s, const json_t *line, int64_t id)
{
    say(s, "change", id, json_pack("{s:s, s:s, s:s, s:s, s:O?}", "kind",
                                   model_text(line, "kind"), "name", model_text(line, "name"),
                                   "action", model_text(line, "action"), "who",
                                   model_text(line, "who"), "time",
                                   json_object_get(line, "time")));
}

/* What only helps to keep the books is not news. */
static void
say_line(struct stream *s, const json_t *line)
{
    const char *kind = model_text(line, "kind"), *name = model_text(line, "name");
    int64_t     id   = model_number(line, "seq");
    bool        removed = strcmp(model_text(line, "action"), "remove") == 0;

    s->last = id;
    if (strcmp(kind, "job") == 0 && !removed && (s->job == 0 || s->job == atoll(name)))
        say_job(s, atoll(name), id);
    else if (s->job > 0 || strcmp(kind, "request") == 0 || strcmp(kind, "inputs") == 0)
        return;
    else if (strcmp(kind, "decision") == 0 && !removed)
        say_decision(s, name, id);
    else if (strcmp(kind, "meta") == 0 && strcmp(name, "scaler") == 0)
        say_scaler(s, id);
    else if (strcmp(kind, "meta") != 0)
        say_change(s, line, id);
}

/* --- hearing -------------------------------------------------------------------------- */

static void
take_lines(struct stream *s)
{
    json_t           *lines = audit_log_after(s->c->audit, s->last, BATCH), *line;
    struct audit_ends ends;
    size_t            i;

    if (!lines) {
        catalog_audit_ends(s->c->catalog, &ends);
        s->last = ends.head.seq;
        say(s, "reset", s->last, json_object());
        return;
    }
    json_array_foreach(lines, i, line)
        if (!s->over)
            say_line(s, line);
    json_decref(lines);
}

/* What a move has done leaves no lines. */
static void
take_progress(struct stream *s)
{
    int64_t moving = s->job > 0 ? s->job : moves_running(s->c);

    if (moving > 0 && !s->over)
        say_job(s, moving, 0);
}

static void
look(struct stream *s)
{
    uint64_t now;

    take_lines(s);
    take_progress(s);
    now = clock_us();
    if (buf_len(&s->out) == 0 && now > s->told_us + BEAT_US)
        buf_append_text(&s->out, ": still here\n\n");
    if (now > s->ends_us)
        s->over = true;
}

size_t
stream_read(struct stream *s, char *out, size_t max, const atomic_bool *closing)
{
    while (buf_len(&s->out) == 0) {
        if (s->over || atomic_load(closing) || atomic_load(&s->c->stopping))
            return 0;
        look(s);
        if (buf_len(&s->out) == 0 && !s->over)
            audit_log_wait(s->c->audit, s->last, LOOK_MS);
    }
    size_t n = buf_len(&s->out) < max ? buf_len(&s->out) : max;
    memcpy(out, s->out.bytes + s->out.start, n);
    buf_consume(&s->out, n);
    s->told_us = clock_us();
    return n;
}
