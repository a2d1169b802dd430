/* policy.h - what to do, from what is known; and why, or why not.
 *
 *   settings + world --policy_decide()--> decisions, those that matter most first
 *
 * A pure function: the same world gives the same decisions, on whatever day they are asked for.
 * That is what `shardctl scaler explain` (policy_json.h) and `simulate` (simulate.h) rest on.
 *
 *   hot, or will be -----------------------------> split      in a way that helps: else a hint
 *   two cold ones that fit together -------------> merge
 *   hot in a way that moving rows does not cure -> hint
 *   cold for long, on a server with limits ------> hint       that a smaller one would do
 *
 * What may not be done now is decided all the same, and held: with the first of the reasons
 * below that applies.
 */
#ifndef CTL_SCALE_POLICY_H
#define CTL_SCALE_POLICY_H

#include "ctl/scale/settings.h"

enum policy_action { POLICY_SPLIT, POLICY_MERGE, POLICY_HINT, POLICY_ACTIONS_N };

/* X(name, word) */
#define POLICY_WHYS(X) \
    X(HOT,      "hot")      /* a limit is passed */ \
    X(FORECAST, "forecast") /* it will be */ \
    X(COLD,     "cold")     /* both have little to do */ \
    X(KEY,      "key")      /* hot, and one key is why */ \
    X(MEMORY,   "memory")   /* memory only: a larger server helps, fewer rows do not */ \
    X(LATENCY,  "latency")  /* slow with little to do: statements, locks or the disk */ \
    X(SIZE,     "size")     /* its server is larger than it needs */

/* What holds it back, in the order of being looked at. */
#define POLICY_HOLDS(X) \
    X(NONE,      "") \
    X(STOPPED,   "stopped")    /* after failures, until `scaler resume` */ \
    X(HOME,      "home")       /* a database is at home there: people say where it goes */ \
    X(HEALTH,    "health")     /* a shard is away, lags, or has no room */ \
    X(SHARDS,    "shards")     /* max_shards */ \
    X(COOLDOWN,  "cooldown") \
    X(QUIET,     "quiet")      /* quiet hours */ \
    X(BUDGET,    "budget")     /* moves_per_day */ \
    X(MOVE,      "move")       /* rows move already */ \
    X(ADVISE,    "advise")     /* the mode */

enum policy_why {
#define POLICY_ENUM(name, word) WHY_##name,
    POLICY_WHYS(POLICY_ENUM)
#undef POLICY_ENUM
    POLICY_WHYS_N
};

enum policy_hold {
#define POLICY_ENUM(name, word) HOLD_##name,
    POLICY_HOLDS(POLICY_ENUM)
#undef POLICY_ENUM
    POLICY_HOLDS_N
};

const char *policy_action_name(enum policy_action a);
const char *policy_why_name(enum policy_why w);
const char *policy_hold_name(enum policy_hold h);

enum { POLICY_NAME_MAX = 64, POLICY_TEXT_MAX = 480 };

/* A forecast, in base units and seconds; see forecast.h. */
struct policy_forecast {
    bool    ready;
    double  peak, low, high, error;
    int64_t in_s;      /* until the peak */
    int64_t reach_s;   /* storage: until its limit is reached; 0: not for long */
    int64_t period_s;  /* of the season it found; 0: none */
};

struct policy_shard {
    uint32_t id;
    char     name[POLICY_NAME_MAX];
    bool     home;                /* of a database: it does not go by itself */
    unsigned ranges;              /* 0: it has no rows, and may get some */
    uint32_t beside;              /* the id of the shard with most borders to it; itself: none */
    char     sick[160];           /* why rows must not move from or to it now; "": they may */
    double   mean[METRICS_N];     /* over the last measurements; NAN: not measured */
    uint32_t hot;                 /* a bit per metric */
    uint8_t  above[METRICS_N];    /* measurements, of the last hot_of */
    bool     cold;
    double   bytes, disk_used, disk_free; /* NAN: not known */
    double   cpus;                /* that its server is limited to; 0: to none of its own */
    int64_t  moved_s;             /* when the last move with it ended; 0: never */
    bool     moving;              /* it takes part in one now */
    struct policy_forecast statements, storage;
    char     key[POLICY_NAME_MAX + 136]; /* the hottest, "app.users 5"; "": none is known */
    double   key_share;           /* of the statements that keys fix, 0 to 1 */
};

struct policy_world {
    int64_t  now_s;      /* Unix time */
    int      minute;     /* of the day, local */
    unsigned n_shards;   /* in the cluster; those that matter are in `shard` */
    unsigned n_spare;    /* of these such without rows, that are well */
    unsigned moves;      /* under way */
    char     moving[120];/* which, for people */
    unsigned moves_today;
    unsigned merges_today; /* of these */
    char     stopped[200]; /* why; "": it is not */
    size_t   n;
    struct policy_shard *shard;
};

struct decision {
    enum policy_action action;
    enum policy_why    why;
    enum policy_hold   hold;
    size_t             shard, other; /* in the world; a merge empties `shard` into `other` */
    enum metric        metric;
    double             value, limit; /* of the metric, in base units */
    char               text[POLICY_TEXT_MAX]; /* a sentence: what, why, and why not now */
};

/* At most `max` decisions; how many. Of those that are not held no two have a shard in
 * common, and there are not more than the limits allow. None in mode off. */
size_t policy_decide(const struct scale_settings *s, const struct policy_world *w,
                     struct decision *out, size_t max);

/* "12000 statements per second", "87% CPU": a metric's value for people. */
const char *policy_value(enum metric m, double value, char out[64]);

#endif
