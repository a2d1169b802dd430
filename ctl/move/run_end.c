/* run_end.c - a move's last phases: what it leaves behind goes. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "ctl/catalog/model.h"
#include "ctl/job/shard.h"
#include "ctl/move/place.h"
#include "ctl/move/prepare.h"
#include "ctl/move/run_step.h"
#include "ctl/move/sequences.h"
#include "ctl/move/views.h"
#include "ctl/provision/failpoint.h"

enum { LOOK_MS = 200, TELL_US = 5000000 };

static const char *
text_of(const struct run *r, const char *member)
{
    const char *text = json_string_value(run_member(r, member));

    return text ? text : "";
}

/* After this nobody speaks of the job any more. */
static void
end(struct run *r, enum job_state state)
{
    struct sql_error error;
    const char      *text = text_of(r, "error");

    sql_error_set(&error, SQL_UNKNOWN_ERROR, "%s", text);
    pthread_mutex_lock(&r->moves->lock);
    json_object_del(r->job.record, "asked");
    job_close(&r->job, state, text[0] ? &error : NULL);
    pthread_mutex_unlock(&r->moves->lock);
    log_info("job %lld: %s", (long long)r->m.job, job_state_name(state));
}

/* The record says what it waits for, also to those who look at it after a restart. */
static bool
tell_waiting(struct run *r, size_t left, const char *oldest)
{
    json_t *text = NULL;
    char    said[VIEWS_TEXT_MAX + 128];
    bool    ok;

    snprintf(said, sizeof(said), "%zu transaction%s older than the switch may still see the old "
             "rows: %s", left, left == 1 ? "" : "s", oldest);
    if (left > 0)
        text = json_string(said);
    run_problem(r, text ? said : "");
    pthread_mutex_lock(&r->moves->lock);
    if (text)
        json_object_set_new(r->job.record, "waits_for", text);
    else
        json_object_del(r->job.record, "waits_for");
    ok = job_write(&r->job, &r->error);
    pthread_mutex_unlock(&r->moves->lock);
    return ok;
}

/* Is the patience with such transactions over? */
static bool
may_end_views(struct run *r, uint64_t since_us)
{
    int64_t most = (int64_t)json_number_value(run_option(r, "max_wait_s"));

    return run_asked(r, "cut", false) ||
           (most > 0 && clock_us() - since_us > (uint64_t)most * 1000000);
}

/* A transaction whose view is older than the end of the cleaning still has the rows that are
 * gone: what hides them stays until it is over. */
static enum step
wait_for_views(struct run *r)
{
    json_t   *noted = views_note(&r->m, &r->error);
    uint64_t  since = clock_us(), told = 0;
    size_t    left  = 1;
    char      oldest[VIEWS_TEXT_MAX];
    bool      ok    = noted != NULL;
    enum step step  = STEP_ON;

    while (ok && step == STEP_ON && left > 0) {
        ok = views_left(&r->m, noted, &left, oldest, &r->error);
        if (!ok || left == 0)
            break;
        if (clock_us() - told > TELL_US) {
            told = clock_us();
            ok   = tell_waiting(r, left, oldest);
        }
        if (ok && may_end_views(r, since))
            ok = views_end(&r->m, noted, &r->error);
        if (ok && !run_wait(r, LOOK_MS))
            step = STEP_STOP;
    }
    json_decref(noted);
    if (ok && step == STEP_ON && told > 0)
        ok = tell_waiting(r, 0, "");
    return ok ? step : run_failed(r);
}

/* Rows that nobody sees go, then what hid them. */
static enum step
clean(struct run *r, bool (*cleanup)(struct move *, struct cleanup *, struct sql_error *))
{
    enum step step;

    if (run_stopping(r))
        return STEP_STOP;
    r->cleaning.rows_per_s = run_throttle(r).rows_per_s;
    atomic_store(&r->cleaning.stop, false);
    if (!cleanup(&r->m, &r->cleaning, &r->error))
        return run_stopping(r) ? STEP_STOP : run_failed(r);
    if (!place_drop_views(&r->m, cleanup == cleanup_targets, &r->error) ||
        !sequences_drop(&r->m, cleanup == cleanup_targets, &r->error) ||
        !cutover_sequences_forget(&r->m, cleanup == cleanup_targets, &r->error))
        return run_failed(r);
    step = wait_for_views(r);
    if (step != STEP_ON)
        return step;
    failpoint("clean-unhide");
    if (!prepare_unhide(&r->m, &r->error))
        return run_failed(r);
    step = run_drain(r);
    if (step != STEP_ON)
        return step;
    failpoint("clean-drop");
    return move_bookkeeping_drop(&r->m, &r->error) ? STEP_ON : run_failed(r);
}

enum step
run_complete(struct run *r)
{
    enum step step;

    run_stop_flows(r);
    step = clean(r, cleanup_sources);
    if (step != STEP_ON)
        return step;
    if (json_object_get(r->m.spec, "remove"))
        return run_enter(r, "remove") ? STEP_ON : STEP_AGAIN;
    end(r, JOB_DONE);
    return STEP_END;
}

enum step
run_cancel(struct run *r)
{
    const char *how;
    enum step   step;

    run_stop_flows(r);
    if (!json_is_true(run_member(r, "switched")) && strcmp(text_of(r, "end"), "reversed") != 0 &&
        !cutover_undo(&r->m, &r->error))
        return run_failed(r);
    if (!prepare_servers(&r->m, &r->error)) /* it may have been killed while these were made */
        return run_failed(r);
    step = clean(r, cleanup_targets);
    if (step != STEP_ON)
        return step;
    how = text_of(r, "end");
    end(r, strcmp(how, "reversed") == 0 ? JOB_DONE
           : strcmp(how, job_state_name(JOB_FAILED)) == 0 ? JOB_FAILED : JOB_CANCELLED);
    return STEP_END;
}

/* The shard that was drained. What stands against it then is told; the rows are well. */
enum step
run_remove(struct run *r)
{
    json_t *shard = cluster_shard_by_id(r->c, model_number(r->m.spec, "remove"));
    bool    ok    = !shard || shard_remove(r->c, "controller", model_text(shard, "name"),
                                           &r->error);

    json_decref(shard);
    if (!ok && run_failed(r) == STEP_AGAIN)
        return STEP_AGAIN;
    if (!ok) {
        json_t *text = json_string(r->error.message);

        run_note(r, "error", text ? text : json_string("the shard could not be removed"));
    }
    end(r, JOB_DONE);
    return STEP_END;
}
