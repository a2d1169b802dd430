/* failover_step.h - what the files of failovers share; private to ctl/failover. */
#ifndef CTL_FAILOVER_FAILOVER_STEP_H
#define CTL_FAILOVER_FAILOVER_STEP_H

#include "ctl/failover/failover.h"
#include "ctl/failover/failover_log.h"
#include "ctl/move/move.h"
#include "ctl/provision/fence.h"
#include "ctl/provision/replication.h"

/* Everything that a change of the primary touches. */
struct failover {
    struct cluster   *c;
    struct job        job;
    json_t           *shard;   /* owned: its object; after the change as it is then */
    json_t           *replica; /* owned: that becomes the primary; then the server before */
    struct server     old, chosen;
    int64_t           behind_s; /* the chosen one, when it was looked at; -1: not known */
    json_t           *left_out; /* owned: replicas that did not answer when somebody insisted */
    const char       *kind, *why, *who; /* see failover_log.h */
    bool              may_be_lost;
    struct sql_error *error;
    char              position[GTID_TEXT_MAX]; /* of the server before: all of it */
    bool              frozen;
    uint64_t          began_us;
};

/* Ranges, tables and the shard itself: everything that would go there waits. The three lists are
 * to be owned. */
void failover_fence(struct cluster *c, const json_t *shard, struct fence *out);
void failover_fence_fini(struct fence *f);

/* Roles change in the catalog, and the fence goes: the point of no return. */
bool failover_record(struct failover *f, const char *suspect, struct sql_error *error) must_check;

void failover_note_pause(struct failover *f, double pause_ms);

/* moves_hold(), or a sentence. */
bool failover_hold_moves(struct cluster *c, struct sql_error *error) must_check;

/* The server that was chosen may be written to. */
bool failover_open(struct failover *f, struct sql_error *error) must_check;

#endif
