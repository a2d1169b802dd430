/* scaler_step.h - the scaler from inside; private to scaler*.c. */
#ifndef CTL_SCALE_SCALER_STEP_H
#define CTL_SCALE_SCALER_STEP_H

#include "ctl/job/job.h"
#include "ctl/provision/ticker.h"
#include "ctl/scale/load.h"
#include "ctl/scale/policy_json.h"
#include "ctl/scale/scaler.h"
#include "ctl/scale/watch.h"

enum { SCALER_DECISIONS_KEPT = 500, SCALER_WORLD_KEPT = 32 /* shards in the inputs */ };

/* A shard that is looked at. */
struct ward {
    uint32_t          id;
    bool              known;   /* in the catalog at this look */
    struct watch      watch;
    struct shard_load last;    /* the newest measurement */
    double            share;   /* of the key space; negative: not looked at yet */
    char              said[160]; /* what was decided last, and when: to tell news */
    int64_t           said_s;
};

struct scaler {
    struct cluster       *c;
    struct ticker         ticker;
    pthread_mutex_t       lock;     /* around all up to the next line */
    struct scale_settings settings;
    int64_t               resumed_s;
    bool                  again;    /* look now */
    json_t               *shown;    /* the world of the last look, owned */
    int64_t               checked_s, next_check_s;
    json_t               *counts;   /* {"split moving": n}, owned */
    /* the thread's own */
    struct scale_settings s;        /* a copy for this look */
    struct detector_rules rules;
    struct ward          *ward;
    size_t                n_wards, room;
    int64_t               current;  /* the decision that is being done; 0: none */
    bool                  follows;  /* some may be under way */
};

/* The catalog as the policy wants it; policy_world's shards are to be freed. */
struct scaler_look {
    json_t              *shards, *map, *jobs, *decisions; /* owned */
    struct policy_world  world;
    int64_t              open_move; /* number of the job; 0: none */
};

/* scaler_look.c */
int64_t scaler_now_s(void);
void    scaler_look(struct scaler *s, struct scaler_look *out);
void    scaler_look_fini(struct scaler_look *look);

/* Takes measurements that are new. */
void scaler_measure(struct scaler *s);
void scaler_forget_wards(struct scaler *s);

/* The ward of a shard; made, with what is known of its past, when there is none. */
struct ward *scaler_ward(struct scaler *s, uint32_t id);

/* scaler_health.c: fills in `sick`, and the disk of whichever of its servers has the least room. */
void scaler_health(const struct scaler *s, const json_t *shard, const struct shard_load *last,
                   struct policy_shard *p);

/* Whether a disk of `all` bytes with `left` free ones takes what a split of the shard makes, and
 * `free_disk` percent of it stay free. A shard that is made gets as many replicas as the one that
 * is split: a copy for each of them. */
bool scaler_has_room(const struct shard_load *last, double all, double left, double free_disk);

/* scaler_act.c: records what is new, and begins what is to be begun. */
void scaler_act(struct scaler *s, const struct scaler_look *look, const struct decision *all,
                size_t n);

/* Decisions of this controller or the one before that are under way. */
void scaler_follow(struct scaler *s);

/* One more decision stands so. */
void scaler_count(struct scaler *s, const json_t *decision);

/* The decision's object with changes, durably; when it cannot be, that is logged, and follows
 * once more from the job at the next look. */
void scaler_put(struct cluster *c, json_t *decision);

/* The request for ctl/move/run.h that does it, to be owned. */
json_t *scaler_request(struct scaler *s, const struct scaler_look *look,
                       const struct decision *d);

#endif
