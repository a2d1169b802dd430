/* policy_json.c - see policy_json.h. */
#include "ctl/scale/policy_json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"

enum { DECISIONS_MAX = 2 * 1024 + 8 };

static json_t *
number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static double
number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static int64_t
whole_of(const json_t *object, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(object, key));
}

static void
text_of(const json_t *object, const char *key, char *out, size_t room)
{
    const char *text = json_string_value(json_object_get(object, key));

    snprintf(out, room, "%s", text ? text : "");
}

static json_t *
text(const char *t)
{
    json_t *out = json_string(t);

    return out ? out : json_string("?");
}

static json_t *
forecast_json(const struct policy_forecast *f)
{
    if (!f->ready)
        return json_null();
    return json_pack("{s:f, s:f, s:f, s:f, s:I, s:I, s:I}", "peak", f->peak, "low", f->low, "high",
                     f->high, "error", f->error, "in_s", (json_int_t)f->in_s, "reach_s",
                     (json_int_t)f->reach_s, "period_s", (json_int_t)f->period_s);
}

static struct policy_forecast
forecast_of(const json_t *o)
{
    if (!json_is_object(o))
        return (struct policy_forecast){ 0 };
    return (struct policy_forecast){
        .ready = true, .peak = number_of(o, "peak"), .low = number_of(o, "low"),
        .high = number_of(o, "high"), .error = number_of(o, "error"),
        .in_s = whole_of(o, "in_s"), .reach_s = whole_of(o, "reach_s"),
        .period_s = whole_of(o, "period_s"),
    };
}

json_t *
policy_shard_json(const struct policy_shard *s)
{
    json_t *mean = json_object(), *hot = json_object(), *out;

    for (int m = 0; m < METRICS_N; m++) {
        json_object_set_new(mean, metrics[m].name, number(s->mean[m]));
        if (s->hot >> m & 1)
            json_object_set_new(hot, metrics[m].name, json_integer(s->above[m]));
    }
    out = json_pack("{s:I, s:o, s:b, s:i, s:I, s:o, s:o, s:o, s:b, s:I, s:b}", "id",
                    (json_int_t)s->id, "name", text(s->name), "home", s->home, "ranges",
                    (int)s->ranges, "beside", (json_int_t)s->beside, "sick", text(s->sick), "mean",
                    mean, "hot", hot, "cold", s->cold, "moved_s", (json_int_t)s->moved_s,
                    "moving", s->moving);
    json_object_set_new(out, "bytes", number(s->bytes));
    json_object_set_new(out, "disk_used", number(s->disk_used));
    json_object_set_new(out, "disk_free", number(s->disk_free));
    json_object_set_new(out, "cpus", json_real(s->cpus));
    json_object_set_new(out, "statements", forecast_json(&s->statements));
    json_object_set_new(out, "storage", forecast_json(&s->storage));
    json_object_set_new(out, "key", text(s->key));
    json_object_set_new(out, "key_share", number(s->key_share));
    return out;
}

static void
shard_read(struct policy_shard *s, const json_t *o)
{
    const json_t *mean = json_object_get(o, "mean"), *hot = json_object_get(o, "hot"), *above;

    *s    = (struct policy_shard){ .id = (uint32_t)whole_of(o, "id") };
    text_of(o, "name", s->name, sizeof(s->name));
    text_of(o, "sick", s->sick, sizeof(s->sick));
    text_of(o, "key", s->key, sizeof(s->key));
    s->home      = json_is_true(json_object_get(o, "home"));
    s->ranges    = (unsigned)whole_of(o, "ranges");
    s->beside    = (uint32_t)whole_of(o, "beside");
    s->cold      = json_is_true(json_object_get(o, "cold"));
    s->moving    = json_is_true(json_object_get(o, "moving"));
    s->moved_s   = whole_of(o, "moved_s");
    s->bytes     = number_of(o, "bytes");
    s->disk_used = number_of(o, "disk_used");
    s->disk_free = number_of(o, "disk_free");
    s->cpus      = json_number_value(json_object_get(o, "cpus"));
    s->key_share = number_of(o, "key_share");
    s->statements = forecast_of(json_object_get(o, "statements"));
    s->storage    = forecast_of(json_object_get(o, "storage"));
    for (int m = 0; m < METRICS_N; m++) {
        s->mean[m] = number_of(mean, metrics[m].name);
        above      = json_object_get(hot, metrics[m].name);
        if (above)
            s->hot |= UINT32_C(1) << m;
        s->above[m] = (uint8_t)json_integer_value(above);
    }
}

/* Without the shards. */
static json_t *
frame(const struct policy_world *w)
{
    return json_pack("{s:I, s:i, s:i, s:i, s:i, s:o, s:i, s:i, s:o, s:[]}", "now_s",
                     (json_int_t)w->now_s, "minute", w->minute, "n_shards", (int)w->n_shards,
                     "n_spare", (int)w->n_spare, "moves", (int)w->moves, "moving",
                     text(w->moving), "moves_today", (int)w->moves_today, "merges_today",
                     (int)w->merges_today, "stopped", text(w->stopped), "shards");
}

json_t *
policy_world_json(const struct policy_world *w)
{
    json_t *out = frame(w), *list = json_object_get(out, "shards");

    for (size_t i = 0; i < w->n; i++)
        json_array_append_new(list, policy_shard_json(&w->shard[i]));
    return out;
}

json_t *
policy_world_around(const struct policy_world *w, const struct decision *d, size_t max)
{
    json_t *out = frame(w), *list = json_object_get(out, "shards");

    if (w->n <= max) {
        json_decref(out);
        return policy_world_json(w);
    }
    for (size_t i = 0; i < w->n; i++) {
        bool matters = i == d->shard || i == d->other ||
                       (w->shard[i].hot && d->action != POLICY_MERGE);

        if (i != d->shard && i != d->other && json_array_size(list) + 2 >= max)
            continue;
        if (matters)
            json_array_append_new(list, policy_shard_json(&w->shard[i]));
    }
    return out;
}

void
policy_world_read(struct policy_world *out, const json_t *object)
{
    const json_t *list = json_object_get(object, "shards");

    *out = (struct policy_world){
        .now_s = whole_of(object, "now_s"), .minute = (int)whole_of(object, "minute"),
        .n_shards = (unsigned)whole_of(object, "n_shards"),
        .n_spare = (unsigned)whole_of(object, "n_spare"),
        .moves = (unsigned)whole_of(object, "moves"),
        .moves_today = (unsigned)whole_of(object, "moves_today"),
        .merges_today = (unsigned)whole_of(object, "merges_today"),
        .n = json_array_size(list),
    };
    text_of(object, "moving", out->moving, sizeof(out->moving));
    text_of(object, "stopped", out->stopped, sizeof(out->stopped));
    out->shard = mem_alloc((out->n + 1) * sizeof(*out->shard));
    for (size_t i = 0; i < out->n; i++)
        shard_read(&out->shard[i], json_array_get(list, i));
}

json_t *
policy_decision_json(const struct decision *d, const struct policy_world *w)
{
    json_t *out = json_pack("{s:s, s:s, s:s, s:o, s:s, s:o, s:o, s:o}", "action",
                            policy_action_name(d->action), "why", policy_why_name(d->why), "held",
                            policy_hold_name(d->hold), "shard", text(w->shard[d->shard].name),
                            "metric", d->metric < METRICS_N ? metrics[d->metric].name : "",
                            "value", number(d->value), "limit", number(d->limit), "text",
                            text(d->text));

    if (d->other != d->shard)
        json_object_set_new(out, "other", text(w->shard[d->other].name));
    return out;
}

json_t *
policy_replay(const json_t *settings, const json_t *world, const json_t *decision)
{
    struct decision      *all = mem_alloc(DECISIONS_MAX * sizeof(*all));
    const char           *shard = json_string_value(json_object_get(decision, "shard"));
    struct scale_settings s;
    struct policy_world   w;
    json_t               *out = NULL;
    size_t                n;

    settings_read(&s, settings);
    policy_world_read(&w, world);
    n = policy_decide(&s, &w, all, DECISIONS_MAX);
    for (size_t i = 0; !out && shard && i < n; i++)
        if (strcmp(w.shard[all[i].shard].name, shard) == 0)
            out = policy_decision_json(&all[i], &w);
    free(w.shard);
    free(all);
    return out;
}
