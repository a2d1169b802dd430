/* scaler_act.c - decisions are recorded, begun, and followed to their ends. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/provision/failpoint.h"
#include "ctl/move/run.h"
#include "ctl/scale/hot.h"
#include "ctl/scale/monitor.h"
#include "ctl/scale/scaler_step.h"

enum { SAID_S = 1800 /* the same again is news after so long */ };

/* --- records --------------------------------------------------------------------------- */

static void
name_of(int64_t number, char out[24])
{
    snprintf(out, 24, "%010lld", (long long)number);
}

static bool
commit(struct catalog_change *change, const char *what)
{
    struct err err;

    if (catalog_commit(change, &err) == 0)
        return true;
    log_error("scaler: %s was not recorded: %s", what, err.text);
    return false;
}

void
scaler_put(struct cluster *c, json_t *decision)
{
    struct catalog_change *change = catalog_begin(c->catalog, "scaler");
    char                   name[24];

    name_of(model_number(decision, "number"), name);
    catalog_put(change, CATALOG_DECISION, name, decision, CATALOG_ANY);
    (void)commit(change, "a decision");
}

static json_t *
inputs_of(const struct scaler *s, const struct scaler_look *look, const struct decision *d)
{
    return json_pack("{s:o, s:o}", "settings", settings_json(&s->s), "world",
                     policy_world_around(&look->world, d, SCALER_WORLD_KEPT));
}

/* A new decision with what it was made from, and the oldest are forgotten. NULL: it is not
 * durable, and must not be acted on. */
static json_t *
record(struct scaler *s, const struct scaler_look *look, const struct decision *d,
       const char *state, json_t *request)
{
    json_t *o = policy_decision_json(d, &look->world), *inputs = inputs_of(s, look, d), *meta;
    struct catalog_change *change = catalog_begin(s->c->catalog, "scaler");
    int64_t                number;
    char                   name[24];

    meta   = catalog_read(change, CATALOG_META, "cluster", NULL);
    number = model_take_number(meta, "next_decision");
    number = number > 0 ? number : model_take_number(meta, "next_decision");
    catalog_put(change, CATALOG_META, "cluster", meta, CATALOG_ANY);
    json_decref(meta);
    json_object_set_new(o, "number", json_integer((json_int_t)number));
    json_object_set_new(o, "at_s", json_integer((json_int_t)look->world.now_s));
    model_set(o, "state", state);
    if (request)
        json_object_set_new(o, "request", request);
    name_of(number, name);
    catalog_put(change, CATALOG_DECISION, name, o, CATALOG_ANY);
    catalog_put(change, CATALOG_INPUTS, name, inputs, CATALOG_ANY);
    json_decref(inputs);
    if (number > SCALER_DECISIONS_KEPT) {
        name_of(number - SCALER_DECISIONS_KEPT, name);
        catalog_remove(change, CATALOG_DECISION, name, CATALOG_ANY);
        catalog_remove(change, CATALOG_INPUTS, name, CATALOG_ANY);
    }
    if (commit(change, d->text))
        return o;
    json_decref(o);
    return NULL;
}

/* --- how to do it ---------------------------------------------------------------------- */

/* Positions where each part has an equal part of the load; NULL: the load is not known, or
 * cannot be parted there, and keys are parted evenly instead. */
static json_t *
cuts(struct scaler *s, const struct scaler_look *look, uint32_t shard, unsigned into)
{
    float              *heat = mem_alloc(LOAD_PARTS * sizeof(*heat));
    struct load_key     hot[LOAD_KEYS_MAX];
    uint32_t            n;
    struct route_range *ranges = hot_ranges(look->map, &n);
    struct load        *load   = s->c->monitor ? monitor_load(s->c->monitor) : NULL;
    json_t             *out    = json_array();
    uint64_t            at = 0, before = 0;
    double              got;
    bool                ok = load && load_heat(load, heat);
    size_t              n_hot = ok ? load_keys(load, shard, hot, LOAD_KEYS_MAX) : 0;

    for (unsigned i = 1; ok && i < into; i++) {
        char hex[17];

        ok = load_cut(heat, hot, n_hot, ranges, n, shard, (double)i / into, &at, &got) &&
             (i == 1 || at > before);
        snprintf(hex, sizeof(hex), "%016llx", (unsigned long long)at);
        json_array_append_new(out, json_string(hex));
        before = at;
    }
    free(heat);
    free(ranges);
    if (ok)
        return out;
    json_decref(out);
    return NULL;
}

/* Shards without rows, for the parts. */
static json_t *
spares(const struct scaler_look *look, size_t parts)
{
    const struct policy_world *w    = &look->world;
    json_t                    *list = json_array();

    for (size_t i = 0; i < w->n && json_array_size(list) < parts; i++)
        if (w->shard[i].ranges == 0 && !w->shard[i].sick[0] && !w->shard[i].moving &&
            !w->shard[i].home)
            json_array_append_new(list, json_string(w->shard[i].name));
    return list;
}

json_t *
scaler_request(struct scaler *s, const struct scaler_look *look, const struct decision *d)
{
    const struct policy_shard *from = &look->world.shard[d->shard];
    const struct policy_shard *to   = &look->world.shard[d->other];
    unsigned                   into = (unsigned)s->s.into;
    json_t *out = json_pack("{s:[s], s:b, s:I}", "shards", from->name, "reverse",
                            s->s.keep_s > 0, "max_pause_ms", (json_int_t)s->s.max_pause_ms);
    json_t *at, *spare;
    char    rows[40];

    snprintf(rows, sizeof(rows), "rows=%.0f", s->s.rows_per_s);
    if (s->s.rows_per_s > 0)
        model_set(out, "throttle", rows);
    if (d->action == POLICY_MERGE) {
        model_set(out, "verb", "drain");
        json_object_set_new(out, "to", json_pack("[s]", to->name));
        return out;
    }
    model_set(out, "verb", "split");
    json_object_set_new(out, "into", json_integer(into));
    if ((at = cuts(s, look, from->id, into)))
        json_object_set_new(out, "at", at);
    spare = spares(look, into - 1);
    if (json_array_size(spare) > 0)
        json_object_set(out, "to", spare);
    json_decref(spare);
    return out;
}

/* --- doing ----------------------------------------------------------------------------- */

static void
end(struct scaler *s, json_t *decision, const char *state, const char *error)
{
    model_set(decision, "state", state);
    json_object_set_new(decision, "ended_s", json_integer((json_int_t)scaler_now_s()));
    if (error && error[0])
        model_set(decision, "error", error);
    log_info("scaler: decision %lld: %s%s%s", (long long)model_number(decision, "number"), state,
             error && error[0] ? ": " : "", error ? error : "");
    scaler_count(s, decision);
    failpoint("scaler-ends");
    scaler_put(s->c, decision);
}

/* Takes over `decision`. */
static void
begin(struct scaler *s, json_t *decision)
{
    json_t          *request = json_deep_copy(json_object_get(decision, "request")), *answer;
    struct sql_error error;
    char             who[40];

    log_info("scaler: decision %lld: %s", (long long)model_number(decision, "number"),
             model_text(decision, "text"));
    snprintf(who, sizeof(who), "scaler %lld", (long long)model_number(decision, "number"));
    s->follows = true;
    failpoint("scaler-decided");
    answer = moves_begin(s->c, who, request, &error);
    failpoint("scaler-begun");
    if (!answer) { /* somebody else's move is no failure */
        end(s, decision, moves_running(s->c) > 0 ? "lost" : "failed", error.message);
    } else {
        model_set(decision, "state", "moving");
        scaler_count(s, decision);
        json_object_set(decision, "job", json_object_get(answer, "job"));
        s->current = model_number(decision, "number");
        scaler_put(s->c, decision); /* else found by its name */
        failpoint("scaler-moving");
    }
    json_decref(answer);
    json_decref(request);
    json_decref(decision);
}

/* Is it news, or what was said at the last look? */
static bool
is_news(struct scaler *s, const struct scaler_look *look, const struct decision *d)
{
    struct ward *w = scaler_ward(s, look->world.shard[d->shard].id);
    int64_t      now = look->world.now_s;
    char         what[sizeof(w->said)];
    bool         news;

    snprintf(what, sizeof(what), "%s %s %s %.70s", policy_action_name(d->action),
             policy_why_name(d->why), policy_hold_name(d->hold),
             look->world.shard[d->other].name);
    news = strcmp(what, w->said) != 0 || now >= w->said_s + SAID_S;
    if (news) {
        memcpy(w->said, what, sizeof(what));
        w->said_s = now;
    }
    return news;
}

void
scaler_act(struct scaler *s, const struct scaler_look *look, const struct decision *all, size_t n)
{
    for (size_t i = 0; i < n && !ticker_is_stopping(&s->ticker); i++) {
        const struct decision *d  = &all[i];
        bool                   go = d->action != POLICY_HINT && d->hold == HOLD_NONE;
        bool                   news = is_news(s, look, d);
        json_t                *o;

        if (!go && !news)
            continue;
        o = record(s, look, d, go ? "beginning" : d->action == POLICY_HINT ? "hint" : "held",
                   go ? scaler_request(s, look, d) : NULL);
        if (o && go) {
            begin(s, o);
            continue;
        }
        if (o) {
            log_info("scaler: %s", d->text);
            scaler_count(s, o);
        }
        json_decref(o);
    }
}

/* --- following ------------------------------------------------------------------------- */

/* The job of a decision whose number was not recorded any more. */
static json_t *
job_of(struct cluster *c, const json_t *decision)
{
    int64_t number = model_number(decision, "job");
    json_t *all, *job, *found = NULL;
    char    who[40];
    size_t  i;

    if (number > 0)
        return job_find(c, number);
    snprintf(who, sizeof(who), "scaler %lld", (long long)model_number(decision, "number"));
    all = job_list(c, 0, false);
    json_array_foreach(all, i, job)
        if (!found && strcmp(model_text(job, "who"), who) == 0 &&
            strcmp(model_text(job, "kind"), "move") == 0)
            found = json_incref(job);
    json_decref(all);
    return found;
}

/* The old copies were kept for long enough. */
static void
complete(struct scaler *s, json_t *decision, const json_t *job)
{
    int64_t          now = scaler_now_s(), since = model_number(decision, "switched_s");
    int64_t          number = model_number(job, "number");
    struct sql_error error;

    if (strcmp(model_text(job, "phase"), "reverse") != 0)
        return;
    if (since == 0) {
        json_object_set_new(decision, "switched_s", json_integer((json_int_t)now));
        scaler_put(s->c, decision);
    } else if (now >= since + (int64_t)s->s.keep_s &&
               !moves_ask(s->c, &number, "complete", NULL, &error))
        log_warn("scaler: %s", error.message);
}

static void
follow(struct scaler *s, json_t *decision)
{
    json_t     *job   = job_of(s->c, decision);
    const char *state = model_text(job, "state");

    if (!job) {
        end(s, decision, "lost", "the controller ended before it had begun");
    } else if (job_is_open(job) && strcmp(state, "stuck") != 0) {
        if (model_number(decision, "job") == 0 ||
            strcmp(model_text(decision, "state"), "moving") != 0) {
            model_set(decision, "state", "moving");
            json_object_set(decision, "job", json_object_get(job, "number"));
            scaler_put(s->c, decision);
        }
        complete(s, decision, job);
        s->current = model_number(decision, "number");
    } else {
        json_object_set(decision, "job", json_object_get(job, "number"));
        end(s, decision, strcmp(state, "done") == 0        ? "done"
                         : strcmp(state, "cancelled") == 0 ? "cancelled"
                                                           : "failed",
            model_text(job, "error"));
    }
    json_decref(job);
}

static bool
is_under_way(const json_t *decision)
{
    const char *state = model_text(decision, "state");

    return strcmp(state, "beginning") == 0 || strcmp(state, "moving") == 0;
}

void
scaler_follow(struct scaler *s)
{
    json_t *all, *d;
    size_t  i;
    bool    any = false;

    if (!s->follows)
        return;
    all        = scaler_decisions(s->c, SCALER_DECISIONS_KEPT, 0);
    s->current = 0;
    json_array_foreach(all, i, d)
        if (is_under_way(d)) {
            any = true;
            follow(s, d);
        }
    json_decref(all);
    s->follows = any;
}
