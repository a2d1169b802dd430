/* scaler.c - the thread, and its settings. */
#include "ctl/scale/scaler.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/scale/scaler_step.h"

enum { LOOK_MS = 500, DECISIONS_MAX = 2 * ROUTES_SHARDS_MAX + 8 };

/* --- settings ------------------------------------------------------------------------- */

static void
recall(struct scaler *s)
{
    json_t *meta = catalog_get(s->c->catalog, CATALOG_META, "scaler", NULL);

    settings_read(&s->settings, json_object_get(meta, "settings"));
    s->resumed_s = model_number(meta, "resumed_s");
    json_decref(meta);
}

/* Under s->lock. */
static bool
remember(struct scaler *s, const char *who, const struct scale_settings *settings,
         int64_t resumed_s, struct err *err)
{
    struct catalog_change *change = catalog_begin(s->c->catalog, who);
    json_t *meta = json_pack("{s:o, s:I}", "settings", settings_json(settings), "resumed_s",
                             (json_int_t)resumed_s);

    catalog_put(change, CATALOG_META, "scaler", meta, CATALOG_ANY);
    json_decref(meta);
    return catalog_commit(change, err) == 0;
}

static bool
change_one(struct scale_settings *s, const char *name, const json_t *value, struct err *err)
{
    char text[40];

    if (json_is_string(value))
        return settings_set(s, name, json_string_value(value), err);
    if (!json_is_number(value))
        return err_set(err, "%.40s is to be a number or a text", name);
    snprintf(text, sizeof(text), "%.10g", json_number_value(value));
    return settings_set(s, name, text, err);
}

bool
scaler_set(struct scaler *s, const char *who, const json_t *changes, struct err *err)
{
    struct scale_settings next;
    const char           *name;
    json_t               *value;
    bool                  ok = true;

    pthread_mutex_lock(&s->lock);
    next = s->settings;
    json_object_foreach((json_t *)(uintptr_t)changes, name, value)
        ok = ok && change_one(&next, name, value, err);
    ok = ok && settings_check(&next, err) && remember(s, who, &next, s->resumed_s, err);
    if (ok) {
        s->settings = next;
        s->again    = true;
    }
    pthread_mutex_unlock(&s->lock);
    return ok;
}

bool
scaler_resume(struct scaler *s, const char *who, struct err *err)
{
    int64_t now = scaler_now_s();
    bool    ok  = false;

    pthread_mutex_lock(&s->lock);
    if (model_text(s->shown, "stopped")[0] == '\0')
        err_set(err, "the scaler has not stopped; its mode is %s",
                settings_mode_name(s->settings.mode));
    else
        ok = remember(s, who, &s->settings, now, err);
    if (ok) {
        s->resumed_s = now;
        s->again     = true;
        model_set(s->shown, "stopped", "");
    }
    pthread_mutex_unlock(&s->lock);
    return ok;
}

/* --- the thread ----------------------------------------------------------------------- */

/* A look at the settings; true: it is time to decide. */
static bool
is_due(struct scaler *s)
{
    double step = s->s.forecast_step_s, steps = s->s.forecast_steps;
    bool   due;

    pthread_mutex_lock(&s->lock);
    s->s = s->settings;
    due  = s->again || scaler_now_s() >= s->next_check_s;
    s->again = false;
    pthread_mutex_unlock(&s->lock);
    settings_rules(&s->s, &s->rules);
    if (s->s.forecast_step_s != step || s->s.forecast_steps != steps)
        scaler_forget_wards(s);
    return due;
}

static void
show(struct scaler *s, const struct policy_world *w)
{
    int64_t now   = scaler_now_s();
    json_t *world = policy_world_json(w);

    pthread_mutex_lock(&s->lock);
    json_decref(s->shown);
    s->shown        = world;
    s->checked_s    = now;
    s->next_check_s = now + (int64_t)s->s.check_s;
    pthread_mutex_unlock(&s->lock);
}

static void
decide(struct scaler *s)
{
    struct decision   *all = mem_alloc(DECISIONS_MAX * sizeof(*all));
    struct scaler_look look;
    size_t             n;

    scaler_look(s, &look);
    n = policy_decide(&s->s, &look.world, all, DECISIONS_MAX);
    show(s, &look.world);
    scaler_act(s, &look, all, n);
    scaler_look_fini(&look);
    free(all);
}

static void *
run(void *context)
{
    struct scaler *s = context;

    while (!ticker_wait(&s->ticker, LOOK_MS)) {
        bool due = is_due(s);

        scaler_measure(s);
        scaler_follow(s);
        if (due)
            decide(s);
    }
    return NULL;
}

struct scaler *
scaler_start(struct cluster *c)
{
    struct scaler *s = mem_alloc(sizeof(*s));

    s->c = c;
    pthread_mutex_init(&s->lock, NULL);
    recall(s);
    s->s            = s->settings;
    s->follows      = true; /* what the controller before us began */
    s->next_check_s = scaler_now_s() + 1;
    if (ticker_start(&s->ticker, run, s))
        return s;
    log_error("there is no thread for the scaler: nothing grows or shrinks by itself");
    pthread_mutex_destroy(&s->lock);
    free(s);
    return NULL;
}

void
scaler_stop(struct scaler *s)
{
    if (!s)
        return;
    ticker_stop(&s->ticker);
    scaler_forget_wards(s);
    json_decref(s->shown);
    json_decref(s->counts);
    pthread_mutex_destroy(&s->lock);
    free(s->ward);
    free(s);
}

void
scaler_count(struct scaler *s, const json_t *decision)
{
    char key[64];

    snprintf(key, sizeof(key), "%.20s %.30s", model_text(decision, "action"),
             model_text(decision, "state"));
    pthread_mutex_lock(&s->lock);
    if (!s->counts)
        s->counts = json_object();
    json_object_set_new(s->counts, key, json_integer(model_number(s->counts, key) + 1));
    pthread_mutex_unlock(&s->lock);
}

json_t *
scaler_counts(struct scaler *s)
{
    json_t     *out = json_array(), *n;
    const char *key;

    pthread_mutex_lock(&s->lock);
    json_object_foreach(s->counts, key, n) {
        int split = (int)strcspn(key, " ");

        json_array_append_new(out, json_pack("{s:s%, s:s, s:O}", "action", key, (size_t)split,
                                             "state", key + split + 1, "n", n));
    }
    pthread_mutex_unlock(&s->lock);
    return out;
}

json_t *
scaler_show(struct scaler *s)
{
    json_t *out;

    pthread_mutex_lock(&s->lock);
    out = json_pack("{s:s, s:s, s:I, s:I, s:I, s:s, s:o, s:O}", "mode",
                    settings_mode_name(s->settings.mode), "stopped",
                    model_text(s->shown, "stopped"), "checked_s", (json_int_t)s->checked_s,
                    "next_check_s", (json_int_t)s->next_check_s, "moves_today",
                    (json_int_t)model_number(s->shown, "moves_today"), "moving",
                    model_text(s->shown, "moving"), "settings", settings_list(&s->settings),
                    "shards", s->shown ? json_object_get(s->shown, "shards") : json_null());
    pthread_mutex_unlock(&s->lock);
    return out;
}
