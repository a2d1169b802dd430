/* run.c - the thread of moves, and what people ask of it. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/memory.h"
#include "core/base/wake.h"
#include "ctl/catalog/model.h"
#include "ctl/job/moving.h"
#include "ctl/move/run_step.h"
#include "ctl/provision/failpoint.h"

enum { DRAIN_TELL_US = 5000000, WAIT_MIN_MS = 200, WAIT_MAX_MS = 10000, IDLE_MS = 3600 * 1000 };

static const struct {
    const char *name;
    enum step (*run)(struct run *r);
    bool        may_fail; /* all can be undone; else it must go on, however long it takes */
} phases[] = {
    { "prepare", run_prepare, true },   { "copy", run_copy, true },
    { "follow", run_follow, true },     { "verify", run_verify, true },
    { "cutover", run_cutover, false },  { "reverse", run_reverse, false },
    { "back", run_back, false },        { "complete", run_complete, false },
    { "cancel", run_cancel, false },    { "remove", run_remove, false },
};

/* --- words for the phases --------------------------------------------------------- */

bool
run_stopping(struct run *r)
{
    bool stop;

    pthread_mutex_lock(&r->moves->lock);
    stop = r->moves->stop || r->moves->holds > 0;
    pthread_mutex_unlock(&r->moves->lock);
    return stop;
}

static bool
sleep_until_asked(struct moves *s, unsigned ms)
{
    struct timespec until = wake_after_ms(ms);
    bool            stop;

    pthread_mutex_lock(&s->lock);
    while (!s->stop && s->holds == 0 && !s->again &&
           pthread_cond_timedwait(&s->wake, &s->lock, &until) == 0)
        ;
    s->again = false;
    stop     = s->stop || s->holds > 0;
    pthread_mutex_unlock(&s->lock);
    return !stop;
}

bool
run_wait(struct run *r, unsigned ms)
{
    return sleep_until_asked(r->moves, ms);
}

bool
run_paused(struct run *r)
{
    bool paused;

    pthread_mutex_lock(&r->moves->lock);
    paused = strcmp(model_text(r->job.record, "state"), job_state_name(JOB_PAUSED)) == 0;
    pthread_mutex_unlock(&r->moves->lock);
    return paused;
}

bool
run_asked(struct run *r, const char *what, bool forget)
{
    json_t *asked;
    bool    is;

    pthread_mutex_lock(&r->moves->lock);
    asked = json_object_get(r->job.record, "asked");
    is    = model_flag(asked, what);
    if (forget)
        json_object_del(asked, what);
    pthread_mutex_unlock(&r->moves->lock);
    return is;
}

void
run_ask_again(struct run *r, const char *what)
{
    json_t *asked;

    pthread_mutex_lock(&r->moves->lock);
    asked = json_object_get(r->job.record, "asked");
    if (model_flag(asked, what))
        json_object_set_new(asked, what, json_string("again"));
    pthread_mutex_unlock(&r->moves->lock);
}

bool
run_asked_again(struct run *r, const char *what)
{
    bool is;

    pthread_mutex_lock(&r->moves->lock);
    is = strcmp(model_text(json_object_get(r->job.record, "asked"), what), "again") == 0;
    pthread_mutex_unlock(&r->moves->lock);
    return is;
}

struct throttle
run_throttle(struct run *r)
{
    struct throttle  how, all;
    struct sql_error ignored;

    pthread_mutex_lock(&r->moves->lock);
    bool ok = throttle_parse(model_text(json_object_get(r->job.record, "options"), "throttle"),
                             &how, &ignored);
    pthread_mutex_unlock(&r->moves->lock);
    return ok || !throttle_parse("", &all, &ignored) ? how : all;
}

const json_t *
run_member(const struct run *r, const char *member)
{
    const json_t *value;

    pthread_mutex_lock(&r->moves->lock);
    value = json_object_get(r->job.record, member);
    pthread_mutex_unlock(&r->moves->lock);
    return value;
}

/* An option never changes while it runs, but for "throttle", which comes and goes beside it. */
const json_t *
run_option(const struct run *r, const char *option)
{
    const json_t *value;

    pthread_mutex_lock(&r->moves->lock);
    value = json_object_get(json_object_get(r->job.record, "options"), option);
    pthread_mutex_unlock(&r->moves->lock);
    return value;
}

bool
run_flag(const struct run *r, const char *option)
{
    return json_is_true(run_option(r, option));
}

const char *
run_text(const struct run *r, const char *option)
{
    const char *text = json_string_value(run_option(r, option));

    return text ? text : "";
}

void
run_note(struct run *r, const char *member, json_t *value)
{
    pthread_mutex_lock(&r->moves->lock);
    if (value)
        json_object_set_new(r->job.record, member, value);
    else
        json_object_del(r->job.record, member);
    pthread_mutex_unlock(&r->moves->lock);
}

bool
run_enter(struct run *r, const char *phase)
{
    bool ok;

    pthread_mutex_lock(&r->moves->lock);
    model_set(r->job.record, "phase", phase);
    ok = job_write(&r->job, &r->error);
    pthread_mutex_unlock(&r->moves->lock);
    if (ok)
        log_info("job %lld: %s", (long long)r->m.job, phase);
    r->tries = 0;
    run_waits(r, "");
    failpoint(phase);
    return ok;
}

/* A server that is away or busy; all else is the same the next time. */
enum step
run_failed(const struct run *r)
{
    static const uint16_t passing[] = {
        1040, 1053, 1152, 1158, 1159, 1160, 1161, 1184, 1205, 1213, 1317, 1429, 1430, 1927,
        1969, 2002, 2003, 2006, 2013, 2055, 3024,
    };

    for (size_t i = 0; i < countof(passing); i++)
        if (r->error.code == passing[i])
            return STEP_AGAIN;
    return STEP_FAILED;
}

enum step
run_drain(struct run *r)
{
    uint64_t since = clock_us();

    while (!publish_drained(r->c->publisher, 200)) {
        if (run_stopping(r))
            return STEP_STOP;
        if (clock_us() - since > DRAIN_TELL_US)
            run_problem(r, "statements or transactions are under way that began by the routes of "
                        "before; SHOW SHARDD TRANSACTIONS tells who is in one");
    }
    run_problem(r, "");
    return STEP_ON;
}

/* --- the thread ------------------------------------------------------------------- */

void
run_problem(struct run *r, const char *text)
{
    bool news;

    pthread_mutex_lock(&r->moves->lock);
    news = text[0] && strcmp(r->problem, text) != 0;
    snprintf(r->problem, sizeof(r->problem), "%s", text);
    pthread_mutex_unlock(&r->moves->lock);
    if (news)
        log_warn("job %lld: %s", (long long)r->m.job, text);
}

static size_t
phase_of(struct run *r)
{
    const char *name;
    size_t      i = 0;

    pthread_mutex_lock(&r->moves->lock);
    name = model_text(r->job.record, "phase");
    while (i + 1 < countof(phases) && strcmp(phases[i].name, name) != 0)
        i++;
    pthread_mutex_unlock(&r->moves->lock);
    return i;
}

/* Everything is as before, when the cancel phase is over. */
static bool
give_up(struct run *r)
{
    struct sql_error why = r->error;
    json_t          *text = json_string(why.message);

    log_error("job %lld: %s; its rows are taken back", (long long)r->m.job, why.message);
    run_note(r, "error", text ? text : json_string("(the message is not UTF-8)"));
    run_note(r, "end", json_string(job_state_name(JOB_FAILED)));
    run_stop_flows(r);
    return run_enter(r, "cancel");
}

/* False: the controller ends. */
static bool
again(struct run *r, bool long_pause)
{
    unsigned ms = (unsigned)WAIT_MIN_MS << (r->tries < 6 ? r->tries : 6);

    run_problem(r, r->error.message);
    r->tries++;
    return run_wait(r, long_pause || ms > WAIT_MAX_MS ? WAIT_MAX_MS : ms);
}

/* No phase is begun that another controller is at. */
static enum step
run_phase(struct run *r, size_t i)
{
    return claims_keep(&r->claims, r->c, r->m.shards, &r->error) ? phases[i].run(r) : STEP_AGAIN;
}

static void
run_phases(struct run *r)
{
    for (;;) {
        size_t    i    = phase_of(r);
        enum step step = run_stopping(r) ? STEP_STOP : run_phase(r, i);

        if (step == STEP_FAILED && phases[i].may_fail)
            step = give_up(r) ? STEP_ON : STEP_AGAIN;
        if (step == STEP_ON) {
            run_problem(r, "");
            continue;
        }
        if (step == STEP_STOP || step == STEP_END)
            return;
        if (!again(r, step == STEP_FAILED))
            return;
    }
}

/* The move as the record says; waits for servers that must be asked. */
static bool
load(struct run *r)
{
    while (!move_load(&r->m, r->c, r->job.record, &r->error)) {
        if (run_failed(r) == STEP_FAILED)
            log_error("job %lld cannot go on: %s",
                      (long long)model_number(r->job.record, "number"), r->error.message);
        if (!again(r, run_failed(r) == STEP_FAILED))
            return false;
    }
    move_reverse(&r->m, &r->back);
    return r->loaded = true;
}

static void
run_one(struct moves *s, json_t *record)
{
    struct run *r = mem_alloc(sizeof(*r));
    char        number[24];

    snprintf(number, sizeof(number), "%lld", (long long)model_number(record, "number"));
    log_about(LOG_JOB, number);
    r->moves      = s;
    r->c          = s->c;
    r->job        = (struct job){ .cluster = s->c, .record = record };
    r->in_doubt   = true;
    pthread_mutex_lock(&s->lock);
    s->run = r;
    pthread_cond_broadcast(&s->wake); /* to whoever asks something of it */
    pthread_mutex_unlock(&s->lock);
    if (load(r))
        run_phases(r);
    run_stop_flows(r);
    claims_fini(&r->claims);
    pthread_mutex_lock(&s->lock);
    s->run = NULL;
    json_decref(r->live);
    json_decref(r->job.record); /* NULL when the job has ended */
    pthread_mutex_unlock(&s->lock);
    if (r->loaded) {
        move_fini(&r->back);
        move_fini(&r->m);
    }
    log_about(LOG_JOB, NULL);
    free(r);
}

/* What was recorded and not begun: killed between the two. */
static void
end_unbegun(struct cluster *c, json_t *record)
{
    struct job       job = { .cluster = c, .record = record };
    struct sql_error error;

    sql_error_set(&error, SQL_UNKNOWN_ERROR, "shardd: the controller ended before it began");
    job_close(&job, JOB_FAILED, &error);
}

/* False: the controller ends. */
static bool
become_busy(struct moves *s)
{
    pthread_mutex_lock(&s->lock);
    while (!s->stop && s->holds > 0)
        pthread_cond_wait(&s->wake, &s->lock);
    s->busy = !s->stop;
    pthread_mutex_unlock(&s->lock);
    return s->busy;
}

static void
become_idle(struct moves *s)
{
    pthread_mutex_lock(&s->lock);
    s->busy = false;
    pthread_cond_broadcast(&s->wake);
    pthread_mutex_unlock(&s->lock);
}

static void *
run_moves(void *context)
{
    struct moves *s = context;

    while (become_busy(s)) {
        json_t *record;

        pthread_mutex_lock(&s->c->change_lock); /* not one that is being made */
        record = moving_record(s->c);
        if (record && !json_object_get(record, "phase"))
            end_unbegun(s->c, json_incref(record));
        pthread_mutex_unlock(&s->c->change_lock);
        if (record && json_object_get(record, "phase"))
            run_one(s, json_incref(record));
        json_decref(record);
        become_idle(s);
        (void)sleep_until_asked(s, IDLE_MS);
    }
    return NULL;
}

/* --- from elsewhere ---------------------------------------------------------------- */

static void
interrupt(struct moves *s)
{
    if (s->run) {
        atomic_store(&s->run->interrupt, true);
        atomic_store(&s->run->cleaning.stop, true);
    }
    pthread_cond_broadcast(&s->wake);
}

bool
moves_hold(struct cluster *c, unsigned wait_ms)
{
    struct timespec until = wake_after_ms(wait_ms);
    struct moves   *s     = c->moves;
    bool            held  = true;

    if (!s)
        return true;
    pthread_mutex_lock(&s->lock);
    s->holds++;
    interrupt(s);
    while (held && s->busy)
        held = pthread_cond_timedwait(&s->wake, &s->lock, &until) == 0;
    held = !s->busy;
    pthread_mutex_unlock(&s->lock);
    if (!held)
        moves_release(c);
    return held;
}

void
moves_release(struct cluster *c)
{
    struct moves *s = c->moves;

    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->holds--;
    s->again = true;
    pthread_cond_broadcast(&s->wake);
    pthread_mutex_unlock(&s->lock);
}

void
moves_start(struct cluster *c)
{
    struct moves *s = mem_alloc(sizeof(*s));

    s->c = c;
    pthread_mutex_init(&s->lock, NULL);
    wake_init(&s->wake);
    if (pthread_create(&s->thread, NULL, run_moves, s) == 0) {
        c->moves = s;
        return;
    }
    log_error("there is no thread for moves: rows do not move");
    free(s);
}

void
moves_stop(struct cluster *c)
{
    struct moves *s = c->moves;

    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    interrupt(s);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    free(s);
    c->moves = NULL;
}
