/* simulate_step.h - a simulation under way; private to simulate*.c. */
#ifndef CTL_SCALE_SIMULATE_STEP_H
#define CTL_SCALE_SIMULATE_STEP_H

#include "ctl/scale/simulate.h"
#include "ctl/scale/watch.h"

enum { SIM_SHARDS_MAX = 1024, SIM_MOVES_MAX = 64 };

/* So much of a shard of the trace. */
struct sim_part {
    uint32_t source;
    bool     key; /* has its hottest key */
    double   of;  /* 0 to 1, without the key */
};

struct sim_shard {
    char             name[POLICY_NAME_MAX];
    uint32_t         id, parent;
    struct sim_part *part; /* owned */
    size_t           n;
    struct watch     watch;
    double           value[METRICS_N], bytes, key_share;
    uint32_t         key_source;
    int64_t          moved_s;
    bool             moving;
    char             last[80]; /* what was decided last, to tell news */
};

struct sim_move {
    bool    merge;
    size_t  from, to; /* ids: indexes change */
    int64_t until_s;
};

struct sim_begun {
    int64_t at_s;
    bool    is_merge;
};

struct sim {
    const struct trace          *t;
    struct scale_settings        s;
    struct detector_rules        rules;
    struct simulate_options      o;
    struct trace_point          *now;  /* the newest point of each shard of the trace */
    float                       *calm; /* the least latency of each, so far */
    struct sim_shard            *shard;
    size_t                       n;
    uint32_t                     next_id;
    struct sim_move              move[SIM_MOVES_MAX];
    size_t                       n_moves;
    struct sim_begun            *begun; /* when each move began */
    size_t                       n_begun;
    int64_t                      next_check_s, last_s, next_line_s;
    size_t                       most;
    unsigned                     splits, merges, hints, held[POLICY_HOLDS_N];
    double                       hot_before_s, hot_s, error_sum;
    unsigned                     errors;
    json_t                      *decisions, *timeline;
};

/* The values of all shards from the newest points. */
void sim_load(struct sim *m);

/* What is decided now, is begun. */
void sim_decide(struct sim *m, int64_t now_s);

/* Moves whose time is over have happened. */
void sim_finish(struct sim *m, int64_t now_s);

struct sim_shard *sim_add(struct sim *m, const char *name);

#endif
