/* run_rows.c - a move's phases before the switch: prepare, copy, follow, verify. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "ctl/catalog/model.h"
#include "ctl/provision/failpoint.h"
#include "ctl/move/prepare.h"
#include "ctl/move/run_step.h"
#include "ctl/move/views.h"
#include "ctl/move/window.h"

enum {
    LOOK_MS  = 200,
    VIEWS_MS = 60000, /* how long a transaction can hold up a move that has not begun */
    WAITS_MIN_MS = 5000, WAITS_MAX_MS = 30000, /* until a wait is in the log, and again */
};

/* So near to the source's end a switch takes milliseconds; what a second of waiting adds; and how
 * long timestamps are believed. */
static const double near_s = 1.0, ease_s = 0.1, ease_most_s = 5.0, trust_s = 5.0;

/* --- flows ------------------------------------------------------------------------ */

bool
run_start_flows(struct run *r, bool reversed)
{
    const struct move *m = reversed ? &r->back : &r->m;
    uint32_t           source[ROUTES_SHARDS_MAX];
    size_t             n   = move_sources(m, source);
    struct throttle    how = run_throttle(r);

    if (r->n_flows > 0 && r->reversed != reversed)
        run_stop_flows(r);
    r->reversed = reversed;
    while (r->n_flows < n) {
        struct flow *f = flow_start(m, source[r->n_flows], !reversed, &r->error);

        if (!f)
            return false;
        r->flow[r->n_flows++] = f;
        flow_throttle(f, &how, run_paused(r));
    }
    return true;
}

void
run_stop_flows(struct run *r)
{
    while (r->n_flows > 0)
        flow_stop(r->flow[--r->n_flows]);
}

struct run_flows
run_look(struct run *r)
{
    struct run_flows  all  = { 0 };
    struct sql_error  away = { 0 };
    json_t           *live = run_progress(r);

    for (size_t i = 0; i < r->n_flows; i++) {
        struct flow_status s;

        flow_status(r->flow[i], &s);
        all.copying += s.state == FLOW_COPYING;
        all.following += (s.state == FLOW_FOLLOWING || s.state == FLOW_HELD) && s.heard;
        all.lag_s   = s.lag_s > all.lag_s ? s.lag_s : all.lag_s;
        all.pause_s = s.pause_s > all.pause_s ? s.pause_s : all.pause_s;
        if (s.state == FLOW_FAILED && !all.failed++)
            r->error = s.error;
        if (s.retries && !all.retries) {
            all.retries = true;
            away        = s.error;
        }
    }
    pthread_mutex_lock(&r->moves->lock);
    json_decref(r->live);
    r->live = live;
    snprintf(r->problem, sizeof(r->problem), "%s", all.retries ? away.message : r->waits);
    pthread_mutex_unlock(&r->moves->lock);
    return all;
}

bool
run_is_near(struct run *r, const struct run_flows *all)
{
    int64_t now  = (int64_t)(clock_us() / 1000);
    double  is_s = r->far_since_ms > 0 ? (double)(now - r->far_since_ms) / 1000 : 0;
    double  near = near_s + is_s * ease_s;

    if (all->retries || all->following < r->n_flows)
        return false;
    near = near < ease_most_s ? near : ease_most_s;
    if (all->lag_s <= near || (is_s > trust_s && all->pause_s <= near)) {
        r->far_since_ms = 0;
        return true;
    }
    r->far_since_ms = r->far_since_ms > 0 ? r->far_since_ms : now;
    return false;
}

void
run_waits(struct run *r, const char *text)
{
    int64_t now = (int64_t)(clock_us() / 1000);

    if (!text[0] || !r->waits[0])
        r->waits_log_ms = now + WAITS_MIN_MS;
    snprintf(r->waits, sizeof(r->waits), "%s", text);
    if (text[0] && now >= r->waits_log_ms) {
        log_info("job %lld: %s", (long long)r->m.job, text);
        r->waits_log_ms = now + WAITS_MAX_MS;
    }
}

/* --- what stops it ---------------------------------------------------------------- */

/* Would this table have had to move with the others? */
static bool
had_to_move(const struct run *r, const json_t *table)
{
    const char *kind = model_text(table, "kind");
    bool        home = json_object_get(json_object_get(r->m.spec, "homes"),
                                       model_text(table, "database")) != NULL;

    if (strcmp(kind, "view") == 0)
        return home && strcmp(model_text(table, "view_kind"), "global") == 0;
    return strcmp(kind, "sharded") == 0 ? json_object_get(r->m.spec, "ranges") != NULL
                                        : home && strcmp(kind, "global") == 0;
}

/* {catalog name: true}: tables and views of the record. */
static json_t *
known_tables(const struct run *r)
{
    json_t *known = json_object(), *one;
    size_t  i;

    json_array_foreach(json_object_get(r->m.spec, "tables"), i, one)
        json_object_set_new_nocheck(known, model_text(one, "name"), json_true());
    json_array_foreach(json_object_get(r->m.spec, "views"), i, one)
        json_object_set_new_nocheck(known, json_string_value(one), json_true());
    return known;
}

/* A table that was made meanwhile has rows in the moving ranges that nobody copies. */
static bool
no_new_table(struct run *r)
{
    json_t     *meta = catalog_get(r->c->catalog, CATALOG_META, "cluster", NULL);
    uint64_t    generation = (uint64_t)model_number(meta, "generation");
    json_t     *known, *all, *one;
    const char *name;
    bool        ok = true;

    json_decref(meta);
    if (generation == r->generation)
        return true;
    known = known_tables(r);
    all   = catalog_all(r->c->catalog, CATALOG_TABLE);
    json_object_foreach(all, name, one)
        if (ok && had_to_move(r, one) && !json_object_get(known, name))
            ok = sql_error_set(&r->error, SQL_UNKNOWN_ERROR,
                               "shardd: the table %s.%s was made while rows moved; begin again",
                               model_text(one, "database"), model_text(one, "name"));
    json_decref(known);
    json_decref(all);
    if (ok)
        r->generation = generation;
    return ok;
}

/* What holds in every phase before the switch. STEP_ON: nothing of the kind. */
static enum step
look_up(struct run *r)
{
    if (run_stopping(r))
        return STEP_STOP;
    if (run_asked(r, "cancel", false)) {
        run_stop_flows(r);
        return run_enter(r, "cancel") ? STEP_END : STEP_AGAIN;
    }
    return no_new_table(r) ? STEP_ON : STEP_FAILED;
}

/* look_up() for a phase: STEP_END stands for "another phase is entered". */
static bool
goes_on(struct run *r, enum step *out)
{
    *out = look_up(r);
    if (*out == STEP_ON)
        return true;
    if (*out == STEP_END)
        *out = STEP_ON;
    return false;
}

static void
throttle(struct run *r, bool paused)
{
    struct throttle how = run_throttle(r);

    for (size_t i = 0; i < r->n_flows; i++)
        flow_throttle(r->flow[i], &how, paused);
}

/* The head of a turn in which rows flow: at the pace that is asked for; *all says how. False:
 * *out is what to do instead of going on. */
static bool
flows_go_on(struct run *r, struct run_flows *all, enum step *out)
{
    if (!goes_on(r, out))
        return false;
    if (run_start_flows(r, false)) {
        throttle(r, run_paused(r));
        *all = run_look(r);
        if (!all->failed)
            return true;
    }
    *out = run_failed(r);
    return false;
}

/* --- phases ----------------------------------------------------------------------- */

/* What the tables look like goes into the record. Others read what is there now: it is not
 * changed, but another takes its place. */
static bool
note_definitions(struct run *r)
{
    json_t *spec = json_deep_copy(r->m.spec);

    move_fini(&r->back);
    json_decref(r->m.spec);
    r->m.spec = spec;
    move_reverse(&r->m, &r->back);
    if (!cutover_note(&r->m, &r->error))
        return false;
    run_note(r, "move", json_incref(spec));
    return true;
}

static void
tell_views(struct run *r, size_t left, const char *oldest)
{
    char text[VIEWS_TEXT_MAX + 100];

    snprintf(text, sizeof(text), "%zu transaction%s older than the move: %s", left,
             left == 1 ? " is" : "s are", oldest);
    run_problem(r, text);
}

/* Transactions that are older than the sets end; one that does not gets 1412 where it would
 * have to look into them. False: *out is what to do instead of going on. */
static bool
wait_for_views(struct run *r, enum step *out)
{
    json_t  *noted = views_note(&r->m, &r->error);
    uint64_t until = clock_us() + (uint64_t)VIEWS_MS * 1000;
    size_t   left  = SIZE_MAX;
    char     oldest[VIEWS_TEXT_MAX];
    bool     asked = noted != NULL, on = true;

    while (asked && left > 0 && clock_us() < until && (on = goes_on(r, out))) {
        asked = views_left(&r->m, noted, &left, oldest, &r->error);
        if (asked && left > 0)
            tell_views(r, left, oldest);
        on    = !asked || left == 0 || run_wait(r, LOOK_MS);
        if (!on) {
            *out = STEP_STOP;
            break;
        }
    }
    json_decref(noted);
    if (!asked)
        *out = run_failed(r);
    else if (on && left > 0)
        log_warn("job %lld: %zu transactions are older than the move, and may have to begin "
                 "again", (long long)r->m.job, left);
    return asked && on;
}

enum step
run_prepare(struct run *r)
{
    enum step step;

    if (!goes_on(r, &step))
        return step;
    if (!prepare_servers(&r->m, &r->error) || !note_definitions(r))
        return run_failed(r);
    if (!wait_for_views(r, &step))
        return step;
    failpoint("prepare-hide");
    if (!prepare_hide(&r->m, &r->error))
        return run_failed(r);
    step = run_drain(r);
    if (step != STEP_ON)
        return step;
    return run_enter(r, "copy") ? STEP_ON : STEP_AGAIN;
}

enum step
run_copy(struct run *r)
{
    struct run_flows all;
    enum step        step;

    while (flows_go_on(r, &all, &step)) {
        if (all.copying == 0)
            return run_enter(r, "follow") ? STEP_ON : STEP_AGAIN;
        if (!run_wait(r, LOOK_MS))
            return STEP_STOP;
    }
    return step;
}

/* Whether a cutover is to be tried now. */
static bool
wants_cutover(struct run *r, bool near)
{
    if (run_paused(r) || !near)
        return false;
    if (run_asked(r, "cutover", false))
        return true;
    if ((int64_t)(clock_us() / 1000) < r->next_cutover_ms)
        return false;
    return strcmp(run_text(r, "cutover"), "manual") == 0
               ? run_asked_again(r, "cutover")
               : windows_wait(run_option(r, "windows"), time(NULL)) == 0;
}

enum step
run_follow(struct run *r)
{
    struct run_flows all;
    enum step        step;
    bool             near;

    while (flows_go_on(r, &all, &step)) {
        if (all.copying > 0) /* a target that was lost begins anew */
            return run_enter(r, "copy") ? STEP_ON : STEP_AGAIN;
        near = run_is_near(r, &all);
        if (near && !run_paused(r) &&
            (run_asked(r, "verify", false) || (run_flag(r, "verify") && !r->verified)))
            return run_enter(r, "verify") ? STEP_ON : STEP_AGAIN;
        if (wants_cutover(r, near))
            return run_enter(r, "cutover") ? STEP_ON : STEP_AGAIN;
        if (!run_wait(r, LOOK_MS))
            return STEP_STOP;
    }
    return step;
}

static json_t *
verified(const struct verify_status *s)
{
    json_t *out = json_pack("{s:I, s:I, s:I, s:I, s:f, s:i}", "rows", (json_int_t)s->rows,
                            "missing", (json_int_t)s->missing, "extra", (json_int_t)s->extra,
                            "different", (json_int_t)s->different, "seconds", s->seconds,
                            "replicas", (int)s->replicas);

    if (s->examples)
        json_object_set(out, "examples", s->examples);
    return out;
}

static void
add_up(struct verify_status *all, const struct verify_status *one)
{
    json_t *example;
    size_t  i;

    all->rows += one->rows;
    all->missing += one->missing;
    all->extra += one->extra;
    all->different += one->different;
    all->seconds += one->seconds;
    all->replicas += one->replicas;
    json_array_foreach(one->examples, i, example)
        json_array_append(all->examples, example);
}

/* What was compared of one source, for who goes on with it. */
struct noting {
    struct run *r;
    uint32_t    source;
    json_t     *done; /* owned */
};

static void
note_compared(void *context)
{
    struct noting *n = context;
    char           id[16];
    json_t        *all;

    snprintf(id, sizeof(id), "%u", n->source);
    pthread_mutex_lock(&n->r->moves->lock);
    all = json_object_get(n->r->job.record, "compared");
    all = all ? json_deep_copy(all) : json_object();
    json_object_set_new(all, id, json_deep_copy(n->done));
    json_object_set_new(n->r->job.record, "compared", all);
    if (!job_write(&n->r->job, &n->r->error))
        log_warn("job %lld: %s", (long long)n->r->m.job, n->r->error.message);
    pthread_mutex_unlock(&n->r->moves->lock);
}

/* One source; with `reversed` what was compared before does not count. */
static bool
verify_one(struct run *r, struct move *m, size_t i, uint32_t source, struct verify_status *out)
{
    struct throttle   limit = run_throttle(r);
    struct noting     n     = { .r = r, .source = source };
    struct verify_how how   = { .rows_per_s = limit.rows_per_s, .context = &n };
    char              id[16];
    bool              ok;

    snprintf(id, sizeof(id), "%u", source);
    if (m == &r->m) {
        n.done   = json_deep_copy(json_object_get(run_member(r, "compared"), id));
        how.note = note_compared;
    }
    n.done       = n.done ? n.done : json_object();
    how.done     = n.done;
    how.replicas = strcmp(run_text(r, "verify_on"), "primary") != 0;
    ok = verify_run(m, source, r->flow[i], &how, out, &r->interrupt, &r->error);
    json_decref(n.done);
    return ok;
}

/* What was compared counts as long as nobody has copied anew. */
static void
forget_compared(struct run *r)
{
    uint64_t sent = 0;

    for (size_t i = 0; i < r->n_flows; i++) {
        struct flow_status s;

        flow_status(r->flow[i], &s);
        sent += s.copy.sent;
    }
    if (sent != r->compared_sent)
        run_note(r, "compared", json_object());
    r->compared_sent = sent;
}

/* All sources, one after another. */
static bool
verify_all(struct run *r, struct move *m, struct verify_status *all)
{
    uint32_t source[ROUTES_SHARDS_MAX];
    size_t   n  = move_sources(m, source);
    bool     ok = true;

    forget_compared(r);
    for (size_t i = 0; ok && i < n; i++) {
        struct verify_status one = { 0 };

        ok = verify_one(r, m, i, source[i], &one);
        add_up(all, &one);
        json_decref(one.examples);
    }
    return ok;
}

static void
diverged(struct run *r, const struct verify_status *s)
{
    const json_t *first = json_array_get(s->examples, 0);
    char         *key   = first ? json_dumps(json_object_get(first, "key"), JSON_COMPACT |
                                             JSON_ENCODE_ANY) : NULL;

    sql_error_set(&r->error, SQL_UNKNOWN_ERROR,
                  "shardd: the copies are not those of the sources: %llu rows missing, %llu "
                  "extra, %llu different, for example %s of %s; has something else written "
                  "to a target?", (unsigned long long)s->missing,
                  (unsigned long long)s->extra, (unsigned long long)s->different,
                  key ? key : "?", model_text(first, "table"));
    free(key);
}

enum step
run_compare(struct run *r, bool reversed)
{
    struct verify_status all  = { .examples = json_array() };
    enum step            step = STEP_ON;

    atomic_store(&r->interrupt, false);
    if (run_stopping(r)) { /* it may have been stored just now */
        json_decref(all.examples);
        return STEP_STOP;
    }
    if (!run_start_flows(r, reversed) ||
        !verify_all(r, reversed ? &r->back : &r->m, &all))
        step = atomic_load(&r->interrupt) ? STEP_AGAIN : run_failed(r);
    if (all.missing + all.extra + all.different > 0) {
        diverged(r, &all);
        step = STEP_FAILED;
    }
    run_note(r, "verified", verified(&all));
    json_decref(all.examples);
    return step;
}

enum step
run_verify(struct run *r)
{
    enum step        step;
    struct run_flows all = { .copying = 1 };

    while (all.copying > 0) { /* a controller that has just started does not know yet */
        if (!flows_go_on(r, &all, &step))
            return step;
        if (all.copying > 0 && !run_wait(r, LOOK_MS))
            return STEP_STOP;
    }
    step = run_compare(r, false);
    if (step != STEP_ON)
        return step;
    r->verified = true;
    run_note(r, "compared", json_object());
    run_asked(r, "verify", true);
    return run_enter(r, "follow") ? STEP_ON : STEP_AGAIN;
}
