/* run_step.h - a move under way; private to run*.c. */
#ifndef CTL_MOVE_RUN_STEP_H
#define CTL_MOVE_RUN_STEP_H

#include <stdatomic.h>

#include "ctl/move/cleanup.h"
#include "ctl/move/cutover.h"
#include "ctl/move/flow.h"
#include "ctl/move/run.h"
#include "ctl/move/verify.h"
#include "ctl/provision/claim.h"

struct moves {
    struct cluster *c;
    pthread_t       thread;
    pthread_mutex_t lock; /* around all below, and the record of the running job */
    pthread_cond_t  wake;
    bool            stop, again; /* again: there is something new to look at */
    bool            busy;        /* the thread has begun with a move, or looks for one */
    unsigned        holds;       /* of moves_hold() */
    struct run     *run;         /* NULL: nothing moves */
};

/* What a phase comes to. */
enum step {
    STEP_ON,     /* run_enter() has said which is next */
    STEP_AGAIN,  /* it did not work now: r->error; the same once more, later */
    STEP_FAILED, /* it will not work: r->error */
    STEP_STOP,   /* the controller ends, or the move is held */
    STEP_END,    /* the job has ended */
};

struct run {
    struct moves    *moves;
    struct cluster  *c;
    struct job       job;
    struct move      m, back;   /* back: m reversed */
    bool             loaded;
    struct flow     *flow[ROUTES_SHARDS_MAX]; /* by source of `m`, or reversed of `back` */
    size_t           n_flows;
    bool             reversed;
    bool             in_doubt;  /* a cutover may or may not have been decided */
    bool             verified, verified_back;
    uint64_t         compared_sent; /* rows copied in this life, when "compared" was begun */
    unsigned         tries;     /* of the same phase */
    unsigned         cutovers;  /* that did not come about */
    int64_t          next_cutover_ms;
    int64_t          far_since_ms; /* flows were last near their sources' ends; 0: they are */
    char             waits[256];   /* what run_waits() said last */
    int64_t          waits_log_ms; /* when that goes to the log */
    uint64_t         generation; /* as of the last look for new tables */
    atomic_bool      interrupt;  /* what takes long is to return */
    struct cleanup   cleaning;
    struct claims    claims;
    struct sql_error error;
    json_t          *live;       /* owned, under moves->lock: see run_live.c */
    char             problem[512]; /* under moves->lock: what it waits for */
    int64_t          rate_ms;    /* for rows per second */
    uint64_t         rate_rows;
    double           rows_per_s;
};

/* By phase: run_rows.c, run_switch.c, run_end.c. */
enum step run_prepare(struct run *r);
enum step run_copy(struct run *r);
enum step run_follow(struct run *r);
enum step run_verify(struct run *r);
enum step run_cutover(struct run *r);
enum step run_reverse(struct run *r);
enum step run_back(struct run *r);
enum step run_complete(struct run *r);
enum step run_cancel(struct run *r);
enum step run_remove(struct run *r);

/* The next phase, durably. False with r->error. */
bool run_enter(struct run *r, const char *phase) must_check;

/* STEP_AGAIN or STEP_FAILED by what r->error says. */
enum step run_failed(const struct run *r);

/* What it waits for, for people; "" nothing. Logged when it is news. */
void run_problem(struct run *r, const char *text);

/* Sleeps, or until somebody asks something. False: the controller ends. */
bool run_wait(struct run *r, unsigned ms) must_check;

bool run_stopping(struct run *r);
bool run_paused(struct run *r);

/* Is it asked for? `forget`: not any more. */
bool run_asked(struct run *r, const char *what, bool forget);

/* It did not come about: it is no new wish any more, but to be tried again. */
void run_ask_again(struct run *r, const char *what);
bool run_asked_again(struct run *r, const char *what) must_check;

/* Of the record, to which others add what they ask for meanwhile: nothing is read in it without
 * the lock. What these return stays until the job's own thread puts another value in its place. */
const json_t *run_member(const struct run *r, const char *member);

/* One of its "options". */
bool        run_flag(const struct run *r, const char *option);
const char *run_text(const struct run *r, const char *option);
const json_t *run_option(const struct run *r, const char *option);

/* How fast it may be, as it was asked for last. */
struct throttle run_throttle(struct run *r);

/* Sets a member of the record, which is owned by it then; written with the next phase. NULL: the
 * record has none any more. */
void run_note(struct run *r, const char *member, json_t *value);

/* The record's "options" from a request; owned by the caller. NULL: one of them is wrong. */
json_t *run_options(const json_t *request, struct sql_error *error);

/* One flow per source of this direction. */
bool run_start_flows(struct run *r, bool reversed) must_check;
void run_stop_flows(struct run *r);

/* Compares the copies with their sources, in this direction, and notes it. STEP_FAILED: they
 * differ, or cannot be compared. */
enum step run_compare(struct run *r, bool reversed);

/* Waits until no statement by older routes is under way. STEP_ON, or STEP_STOP. */
enum step run_drain(struct run *r);

/* What the flows do, for people; FLOW_FAILED: r->error is its. */
struct run_flows {
    unsigned copying, following, failed;
    double   lag_s, pause_s; /* as in flow.h, of the one that is farthest */
    bool     retries;
};
struct run_flows run_look(struct run *r);

/* So near to the sources' ends that a switch takes moments. The longer they are not, the less will
 * do: a try that comes to nothing is undone, and one that never comes is not what was asked for. */
bool run_is_near(struct run *r, const struct run_flows *all) must_check;

/* What is waited for in this turn of the phase, for people; "": nothing. Goes to the log when it
 * takes long. */
void run_waits(struct run *r, const char *text);

/* Under moves->lock: what run_look() does not see. */
json_t *run_progress(struct run *r);

#endif
