/* api_statements.c - GET /v1/statements: where the workers' time goes, by statement. */
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/route/plan.h"
#include "ctl/api/request.h"
#include "shm/slots.h"
#include "shm/tally.h"

enum { SHOWN = 50, FEW = 64 };

struct statement {
    uint64_t         hash;
    uint8_t          kind;
    struct tally_sum sum;
    json_t          *schema, *text; /* owned */
};

struct statements {
    struct statement *all; /* owned */
    size_t            n, room;
};

static bool
is_word(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Digests have :i, :s and so on where values were (core/sql/digest.h): people know them as ?.
 * Workers cut texts at characters, but applications may send what is none. */
static json_t *
text_of(struct span bytes)
{
    struct buf out = { 0 };
    json_t    *text;

    for (size_t i = 0; i < bytes.len; i++) {
        bool value = bytes.ptr[i] == ':' && i + 1 < bytes.len && bytes.ptr[i + 1] >= 'a' &&
                     bytes.ptr[i + 1] <= 'z' &&
                     (i + 2 == bytes.len || !is_word(bytes.ptr[i + 2]));

        buf_append_byte(&out, value ? '?' : bytes.ptr[i]);
        i += value;
    }
    text = json_string(buf_cstr(&out));
    buf_fini(&out);
    return text ? text : json_string("(not UTF-8)");
}

static struct statement *
find(struct statements *s, const struct tally_name *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->all[i].hash == name->hash)
            return &s->all[i];
    if (s->n == s->room) {
        s->room = s->room ? 2 * s->room : FEW;
        s->all  = mem_resize(s->all, s->room * sizeof(*s->all));
    }
    s->all[s->n] = (struct statement){ .hash = name->hash, .kind = name->kind,
                                       .schema = text_of(name->schema),
                                       .text   = text_of(name->text) };
    return &s->all[s->n++];
}

static void
add(void *context, const struct tally_name *name, const struct tally_sum *sum)
{
    struct statement *one = find(context, name);

    one->sum.calls += sum->calls;
    one->sum.us += sum->us;
    one->sum.errors += sum->errors;
    if (sum->max_us > one->sum.max_us)
        one->sum.max_us = sum->max_us;
}

static void
collect(struct cluster *c, struct statements *out)
{
    const struct slots *slots = publish_slots(c->publisher);

    for (uint32_t w = 0; slots && w < slots->n_workers; w++) {
        struct buf text = { 0 };

        if (slot_alive(slots_at(slots, w), slots_now_ms(), 0) &&
            report_read(slots, w, REPORT_STATEMENTS, 0, &text))
            (void)tally_each(buf_unread(&text), add, out);
        buf_fini(&text);
    }
    publish_slots_done(c->publisher);
}

/* --- in order ------------------------------------------------------------------------- */

static double
mean_us(const struct statement *s)
{
    return s->sum.calls ? (double)s->sum.us / (double)s->sum.calls : 0;
}

#define BY(name, value)                                                  \
    static int by_##name(const void *a, const void *b)                   \
    {                                                                    \
        const struct statement *s = a, *t = b;                           \
        double x = (double)(value(s)), y = (double)(value(t));           \
        return x < y ? 1 : x > y ? -1 : s->hash < t->hash ? -1 : 1;      \
    }
#define TIME_OF(s)   (s)->sum.us
#define MAX_OF(s)    (s)->sum.max_us
#define CALLS_OF(s)  (s)->sum.calls
#define ERRORS_OF(s) (s)->sum.errors
BY(time, TIME_OF)
BY(mean, mean_us)
BY(max, MAX_OF)
BY(calls, CALLS_OF)
BY(errors, ERRORS_OF)

static const struct {
    const char *word;
    int       (*compare)(const void *a, const void *b);
} orders[] = {
    { "time", by_time }, { "mean", by_mean }, { "max", by_max }, { "calls", by_calls },
    { "errors", by_errors },
};

static void
sort(struct statements *s, const char *by)
{
    for (size_t i = 0; i < countof(orders); i++)
        if (strcmp(orders[i].word, by) == 0 && s->n > 1)
            qsort(s->all, s->n, sizeof(*s->all), orders[i].compare);
}

static json_t *
show(const struct statement *s, double all_us)
{
    return json_pack("{s:O, s:O, s:s, s:I, s:f, s:f, s:f, s:I, s:f}", "statement", s->text,
                     "database", s->schema, "plan",
                     s->kind <= PLAN_REFUSE ? plan_kind_name((enum plan_kind)s->kind) : "?",
                     "calls", (json_int_t)s->sum.calls, "total_s", (double)s->sum.us / 1e6,
                     "mean_ms", mean_us(s) / 1e3, "max_ms", (double)s->sum.max_us / 1e3,
                     "errors", (json_int_t)s->sum.errors, "share",
                     all_us > 0 ? (double)s->sum.us / all_us : 0.0);
}

/* ?by=time&limit=50 */
unsigned
api_statements(struct request *r)
{
    const char       *by    = json_string_value(json_object_get(r->query, "by"));
    const char       *limit = json_string_value(json_object_get(r->query, "limit"));
    size_t            most  = limit ? strtoul(limit, NULL, 10) : SHOWN;
    struct statements s     = { .n = 0 };
    json_t           *list  = json_array();
    double            all   = 0;

    collect(r->cluster, &s);
    sort(&s, by ? by : "time");
    for (size_t i = 0; i < s.n; i++)
        all += (double)s.all[i].sum.us;
    for (size_t i = 0; i < s.n; i++) {
        if (i < most)
            json_array_append_new(list, show(&s.all[i], all));
        json_decref(s.all[i].schema);
        json_decref(s.all[i].text);
    }
    free(s.all);
    r->answer = json_pack("{s:o, s:I, s:i}", "statements", list, "known", (json_int_t)s.n,
                          "window_s", TALLY_WINDOW_S);
    return 200;
}
