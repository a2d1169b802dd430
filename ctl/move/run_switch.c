/* run_switch.c - a move's phases around the switch: cutover, reverse, and back. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "ctl/catalog/model.h"
#include "ctl/provision/failpoint.h"
#include "ctl/move/run_step.h"

enum { LOOK_MS = 200, RETRY_MIN_MS = 1000, RETRY_MAX_MS = 60000 };

/* --- one switch, there or back ------------------------------------------------------ */

static json_t *
text_of(const char *text)
{
    json_t *good = json_string(text);

    return good ? good : json_string("(not UTF-8)");
}

static void
note_try(struct run *r, const struct cutover *how, bool ok)
{
    json_t *last = json_pack("{s:f, s:s}", "parked_ms", how->parked_ms, "step", how->step);

    if (!ok)
        json_object_set_new(last, "error", text_of(r->error.message));
    run_note(r, "last_cutover", last);
}

/* What was tried before: STEP_ON: the rows have their new owners. STEP_END: not, all is as
 * before. STEP_AGAIN: not known, or not finished. */
static enum step
settle(struct run *r, struct move *m)
{
    bool decided = false;

    if (!r->in_doubt)
        return STEP_END;
    if (!cutover_decided(m, &decided, &r->error))
        return STEP_AGAIN;
    if (decided)
        return cutover_finish(m, &r->error) ? STEP_ON : STEP_AGAIN;
    if (!cutover_undo(m, &r->error))
        return STEP_AGAIN;
    r->in_doubt = false;
    return STEP_END;
}

/* One try, with the same three ends. */
static enum step
switch_over(struct run *r, struct move *m)
{
    struct cutover how = {
        .max_pause_ms = (unsigned)json_number_value(run_option(r, "max_pause_ms")),
        .cut_transactions = run_flag(r, "cut_transactions"),
    };
    bool decided = false, ok;

    if (!run_start_flows(r, m == &r->back))
        return run_failed(r) == STEP_AGAIN ? STEP_AGAIN : STEP_END;
    ok = cutover_run(m, r->flow, &how, &decided, &r->error);
    note_try(r, &how, ok);
    if (ok)
        log_info("job %lld: switched, statements waited for %.1f ms", (long long)r->m.job,
                 how.parked_ms);
    else
        log_warn("job %lld: the switch did not come about (%s, after %.1f ms): %s",
                 (long long)r->m.job, how.step, how.parked_ms, r->error.message);
    r->in_doubt = !ok && (decided || how.unknown);
    if (!ok && how.stale)
        run_stop_flows(r);
    return ok ? STEP_ON : r->in_doubt ? STEP_AGAIN : STEP_END;
}

/* --- phases ------------------------------------------------------------------------- */

/* The next try, later each time. */
static void
postpone(struct run *r, unsigned *tries)
{
    unsigned ms = (unsigned)RETRY_MIN_MS << (*tries < 6 ? *tries : 6);

    (*tries)++;
    r->next_cutover_ms = (int64_t)(clock_us() / 1000) + (ms < RETRY_MAX_MS ? ms : RETRY_MAX_MS);
}

enum step
run_cutover(struct run *r)
{
    unsigned  tries = r->cutovers;
    enum step step  = settle(r, &r->m);

    if (step == STEP_END)
        step = switch_over(r, &r->m);
    if (step == STEP_AGAIN)
        return step;
    if (step == STEP_END) {
        run_ask_again(r, "cutover");
        postpone(r, &tries);
        r->cutovers = tries;
        return run_enter(r, "follow") ? STEP_ON : STEP_AGAIN;
    }
    run_asked(r, "cutover", true);
    run_stop_flows(r);
    r->cutovers = 0;
    run_note(r, "switched", json_true());
    return run_enter(r, run_flag(r, "reverse") ? "reverse" : "complete") ? STEP_ON : STEP_AGAIN;
}

/* Streams keep the old copies current. When they cannot, there is no way back; the rows are well
 * where they are. Who asked for it is told: first why, then that it will not be. */
static void
keep_reversible(struct run *r, bool is)
{
    run_note(r, "reversible", json_boolean(is));
    run_note(r, "problem", is ? NULL : text_of(r->error.message));
    if (!is && run_asked(r, "reverse", true))
        log_error("job %lld: it cannot be reversed: %s", (long long)r->m.job, r->error.message);
}

/* Whether to switch back now; else it says what for it waits. */
static bool
goes_back(struct run *r, const struct run_flows *all)
{
    int64_t left = r->next_cutover_ms - (int64_t)(clock_us() / 1000);
    char    text[200];

    if (!run_is_near(r, all))
        snprintf(text, sizeof(text), "it is switched back when the old copies are current: %u of "
                 "%zu streams flow, they are %.1f s behind", all->following, r->n_flows,
                 all->lag_s);
    else if (left > 0)
        snprintf(text, sizeof(text), "it could not be switched back, see the last switch; the next "
                 "try is in %lld s", (long long)(left + 999) / 1000);
    else
        return true;
    run_waits(r, text);
    return false;
}

/* Until somebody says what is next. */
enum step
run_reverse(struct run *r)
{
    while (!run_stopping(r)) {
        bool             there = run_start_flows(r, true);
        struct run_flows all   = run_look(r);

        if (run_asked(r, "complete", false)) {
            run_stop_flows(r);
            return run_enter(r, "complete") ? STEP_ON : STEP_AGAIN;
        }
        if (!there && run_failed(r) == STEP_AGAIN)
            return STEP_AGAIN;
        keep_reversible(r, there && !all.failed);
        if (!run_asked(r, "reverse", false))
            run_waits(r, "");
        else if (goes_back(r, &all))
            return run_enter(r, "back") ? STEP_ON : STEP_AGAIN;
        if (!run_wait(r, LOOK_MS))
            break;
    }
    return STEP_STOP;
}

/* Copies that are not the same are not switched to. */
static enum step
stay_here(struct run *r)
{
    log_error("job %lld: it cannot be reversed: %s", (long long)r->m.job, r->error.message);
    run_note(r, "error", text_of(r->error.message));
    run_asked(r, "reverse", true);
    return run_enter(r, "reverse") ? STEP_ON : STEP_AGAIN;
}

enum step
run_back(struct run *r)
{
    unsigned  tries = r->cutovers;
    enum step step  = settle(r, &r->back);

    if (step == STEP_END && run_flag(r, "verify") && !r->verified_back) {
        step = run_compare(r, true);
        if (step == STEP_FAILED)
            return stay_here(r);
        r->verified_back = step == STEP_ON;
        step             = step == STEP_ON ? STEP_END : step;
    }
    if (step == STEP_END)
        step = switch_over(r, &r->back);
    if (step == STEP_AGAIN || step == STEP_STOP)
        return step;
    if (step == STEP_END) {
        postpone(r, &tries);
        r->cutovers = tries;
        return run_enter(r, "reverse") ? STEP_ON : STEP_AGAIN;
    }
    run_stop_flows(r);
    run_note(r, "error", NULL); /* of an earlier try */
    run_note(r, "switched", json_false());
    run_note(r, "end", json_string("reversed"));
    return run_enter(r, "cancel") ? STEP_ON : STEP_AGAIN;
}
