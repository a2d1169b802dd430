/* run_ask.c - what people see of moves, and what they ask of them. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/wake.h"
#include "ctl/catalog/model.h"
#include "ctl/job/moving.h"
#include "ctl/move/run_step.h"
#include "ctl/move/window.h"

enum { COMES_MS = 10000 };

/* --- asking ------------------------------------------------------------------------- */

static const char before[] = "prepare copy follow verify cutover";

static const struct {
    const char *what;
    const char *phases; /* in which it can be asked; "": any */
    const char *otherwise;
} questions[] = {
    { "cancel", before, "its rows have been switched: 'shardctl reshard reverse' switches back, "
                        "'shardctl reshard complete' ends it" },
    { "cutover", before, "its rows have been switched" },
    { "verify", before, "its rows have been switched; 'shardctl fsck' compares" },
    { "reverse", "reverse back", "only rows that have been switched, and whose old copies are "
                                 "kept, can be switched back; 'shardctl job cancel' gives up a "
                                 "move before that" },
    { "complete", "reverse", "only when its rows have been switched; see 'shardctl job show'" },
    { "cut", "reverse complete cancel", "its rows have not been switched, and no "
                                        "transaction holds up its end" },
    { "pause", "", "" },
    { "resume", "", "" },
    { "throttle", "", "" },
};

static bool
has_word(const char *words, const char *word)
{
    size_t      len = strlen(word);
    const char *at  = words;

    while (len > 0 && (at = strstr(at, word))) {
        if ((at == words || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
            return true;
        at += len;
    }
    return false;
}

static bool
may_ask(const json_t *record, const char *what, struct sql_error *error)
{
    const char *phase = model_text(record, "phase");

    for (size_t i = 0; i < countof(questions); i++) {
        if (strcmp(questions[i].what, what) != 0)
            continue;
        if (!questions[i].phases[0] || has_word(questions[i].phases, phase))
            return true;
        return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: job %lld is in its phase %s: %s",
                             (long long)model_number(record, "number"), phase,
                             questions[i].otherwise);
    }
    return sql_error_set(error, SQL_UNKNOWN_ERROR,
                         "shardd: '%s' is nothing that can be asked of a move", what);
}

/* Once these are begun, they are gone on with to their end. */
static bool
is_at_it(const json_t *record, const char *what)
{
    return strcmp(model_text(record, "phase"), what) == 0 &&
           (strcmp(what, "complete") == 0 || strcmp(what, "cancel") == 0);
}

static bool
ask(struct run *r, const char *what, const char *words, struct sql_error *error)
{
    json_t         *record = r->job.record, *asked = json_object_get(record, "asked");
    struct throttle how;
    char            text[THROTTLE_TEXT_MAX];

    if (is_at_it(record, what))
        return true;
    if (!may_ask(record, what, error) || !throttle_parse(words, &how, error))
        return false;
    if (!asked) {
        asked = json_object();
        json_object_set_new(record, "asked", asked);
    }
    if (strcmp(what, "pause") == 0)
        model_set(record, "state", job_state_name(JOB_PAUSED));
    else if (strcmp(what, "resume") == 0)
        model_set(record, "state", job_state_name(JOB_RUNNING));
    else if (strcmp(what, "throttle") == 0)
        model_set(json_object_get(record, "options"), "throttle", throttle_print(&how, text));
    else
        json_object_set_new(asked, what, json_true());
    if (strcmp(what, "cut") == 0 && strcmp(model_text(record, "phase"), "reverse") == 0)
        json_object_set_new(asked, "complete", json_true());
    if (strcmp(what, "cancel") == 0)
        atomic_store(&r->interrupt, true);
    return job_write(&r->job, error);
}

/* Is it, or any for 0, one that goes on by itself? */
static bool
is_under_way(struct cluster *c, int64_t number)
{
    json_t *record = moving_record(c);
    bool    is     = record && (number == 0 || model_number(record, "number") == number);

    json_decref(record);
    return is;
}

/* Neither a move that has ended, nor another kind of job. */
static bool
none_runs(struct cluster *c, int64_t number, struct sql_error *error)
{
    json_t *record = number > 0 ? job_find(c, number) : moving_record(c);

    if (record && is_under_way(c, model_number(record, "number")))
        sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: job %lld is held by another change at "
                      "this moment; ask again", (long long)model_number(record, "number"));
    else if (number > 0 && !record)
        sql_error_set(error, SQL_UNKNOWN_ERROR,
                      "shardd: there is no job %lld; see 'shardctl job list'",
                      (long long)number);
    else if (record)
        sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: job %lld is no move that runs: it is %s",
                      (long long)number, model_text(record, "state"));
    else
        sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: no rows are being moved");
    json_decref(record);
    return false;
}

/* Is it with the thread of moves? `number` 0: whichever is there. With the lock. */
static bool
is_here(const struct moves *s, int64_t number)
{
    return s->run && s->run->job.record &&
           (number == 0 || model_number(s->run->job.record, "number") == number);
}

/* A move that was just begun, or that was held while a primary was replaced, is with its thread
 * in a moment. With the lock. */
static bool
comes_here(struct moves *s, int64_t number)
{
    struct timespec until = wake_after_ms(COMES_MS);

    while (!is_here(s, number) && !s->stop && is_under_way(s->c, number) &&
           pthread_cond_timedwait(&s->wake, &s->lock, &until) == 0)
        ;
    return is_here(s, number);
}

bool
moves_ask(struct cluster *c, int64_t *number, const char *what, const char *throttle,
          struct sql_error *error)
{
    struct moves *s = c->moves;
    bool          here = false, ok = false;

    if (s) {
        pthread_mutex_lock(&s->lock);
        here = comes_here(s, *number);
        if (here) {
            *number  = model_number(s->run->job.record, "number");
            ok       = ask(s->run, what, throttle, error);
            s->again = true;
            pthread_cond_broadcast(&s->wake);
        }
        pthread_mutex_unlock(&s->lock);
    }
    return here ? ok : none_runs(c, *number, error);
}

int64_t
moves_running(struct cluster *c)
{
    struct moves *s      = c->moves;
    int64_t       number = 0;

    if (!s)
        return 0;
    pthread_mutex_lock(&s->lock);
    if (s->run && s->run->job.record)
        number = model_number(s->run->job.record, "number");
    pthread_mutex_unlock(&s->lock);
    return number;
}

/* --- seeing ------------------------------------------------------------------------- */

static void
keep_rate(struct run *r, uint64_t rows)
{
    int64_t now = (int64_t)(clock_us() / 1000);

    if (r->rate_ms > 0 && now - r->rate_ms < 1000)
        return;
    if (r->rate_ms > 0 && rows >= r->rate_rows) {
        double rate = (double)(rows - r->rate_rows) * 1000 / (double)(now - r->rate_ms);

        r->rows_per_s = r->rows_per_s > 0 ? 0.7 * r->rows_per_s + 0.3 * rate : rate;
    }
    r->rate_ms   = now;
    r->rate_rows = rows;
}

json_t *
run_progress(struct run *r)
{
    struct copy_status all = { 0 };
    uint64_t           transactions = 0, applied = 0;
    unsigned           stashed = 0;
    double             lag_s = 0, left = -1;
    char               slowed[PACE_REASON_MAX] = "";
    json_t            *out;

    for (size_t i = 0; i < r->n_flows; i++) {
        struct flow_status s;

        flow_status(r->flow[i], &s);
        all.rows += s.copy.rows;
        all.rows_total += s.copy.rows_total;
        all.sent += s.copy.sent;
        all.bytes += s.copy.bytes;
        all.tables += s.copy.tables;
        all.tables_done += s.copy.tables_done;
        if (s.copy.table[0] && s.state == FLOW_COPYING)
            memcpy(all.table, s.copy.table, sizeof(all.table));
        if (s.slowed[0] && s.state == FLOW_COPYING)
            memcpy(slowed, s.slowed, sizeof(slowed));
        transactions += s.transactions;
        applied += s.rows;
        stashed += s.stashed;
        lag_s = s.lag_s > lag_s ? s.lag_s : lag_s;
    }
    keep_rate(r, all.rows);
    if (r->rows_per_s > 0 && all.rows_total >= all.rows)
        left = (double)(all.rows_total - all.rows) / r->rows_per_s;
    out = json_pack("{s:i, s:i, s:I, s:I, s:I, s:I, s:f, s:I, s:I, s:i, s:f, s:i}", "tables",
                    (int)all.tables, "tables_done", (int)all.tables_done, "rows",
                    (json_int_t)all.rows, "rows_total", (json_int_t)all.rows_total, "sent",
                    (json_int_t)all.sent, "bytes", (json_int_t)all.bytes, "rows_per_s",
                    r->rows_per_s, "transactions", (json_int_t)transactions, "applied",
                    (json_int_t)applied, "stashed", (int)stashed, "lag_s", lag_s, "flows",
                    (int)r->n_flows);
    json_object_set_new(out, "table", all.table[0] ? json_string_nocheck(all.table)
                                                   : json_null());
    json_object_set_new(out, "slowed", slowed[0] ? json_string_nocheck(slowed) : json_null());
    json_object_set_new(out, "left_s", left >= 0 ? json_real(left) : json_null());
    return out;
}

/* What is long, or only for controllers. */
static void
shorten(json_t *record)
{
    json_t *move = json_object_get(record, "move"), *names, *one;
    size_t  i;

    json_object_del(record, "undo");
    json_object_del(record, "definitions");
    if (!move)
        return;
    move  = json_copy(move);
    names = json_array();
    json_array_foreach(json_object_get(move, "tables"), i, one)
        json_array_append(names, json_object_get(one, "name"));
    json_object_set_new(move, "tables", names);
    json_object_del(move, "ranges");
    json_object_del(move, "ranges_before");
    json_object_set_new(record, "move", move);
}

/* Under moves->lock. */
static json_t *
show_running(struct run *r)
{
    json_t     *record = json_copy(r->job.record), *live = r->live ? json_copy(r->live)
                                                                   : json_object();
    const char *phase  = model_text(record, "phase");
    json_t     *options;

    /* What is changed in its place is not shown while that happens. */
    options = json_deep_copy(json_object_get(record, "options"));
    json_object_set_new(record, "options", options);
    if (json_object_get(record, "asked"))
        json_object_set_new(record, "asked", json_deep_copy(json_object_get(record, "asked")));
    if (strcmp(phase, "complete") == 0 || strcmp(phase, "cancel") == 0)
        json_object_set_new(live, "removed",
                            json_integer((json_int_t)atomic_load(&r->cleaning.removed)));
    if (strcmp(phase, "follow") == 0 && strcmp(model_text(options, "cutover"), "manual") != 0)
        json_object_set_new(live, "window_s",
                            json_integer(windows_wait(json_object_get(options, "windows"),
                                                      time(NULL))));
    json_object_set_new(record, "progress", live);
    if (r->problem[0])
        model_set(record, "problem", r->problem);
    return record;
}

json_t *
moves_show(struct cluster *c, int64_t number)
{
    struct moves *s      = c->moves;
    json_t       *record = NULL;

    if (s) {
        pthread_mutex_lock(&s->lock);
        if (s->run && s->run->job.record &&
            model_number(s->run->job.record, "number") == number)
            record = show_running(s->run);
        pthread_mutex_unlock(&s->lock);
    }
    if (!record)
        record = job_find(c, number);
    if (record)
        shorten(record);
    return record;
}
