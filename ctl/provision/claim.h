/* claim.h - of the controllers of a cluster, one works on its servers.
 *
 * On one machine the lock of the home and of the segment of routes see to that. A copy of a home on
 * another machine has neither, so the servers decide, each for what is done on it:
 *
 *   shardd_move.holder (cluster, holder, term, generation,             one row: who may write here
 *                       placement, place, since, told)
 *   GET_LOCK('shardd/<holder>/<slot>')      each session that claims: its controller is at work
 *
 * A session takes a slot first and looks at the row then. Whoever puts itself into the row looks
 * at the slots of the one before it first (in use: that controller lives, and is waited for), and
 * again afterwards, and ends those sessions: so when it begins, no statement of another
 * controller is under way on this server, and none will be. A slot is free when what its session
 * had open is rolled back.
 *
 * The row has the generation of the routes that its holder knew: a home that knows less is an old
 * copy, whose jobs may have been finished long ago by another one, and whose primaries may have
 * been replaced. It works on none, and publishes nothing. A term begins when a controller at
 * another place takes the servers: the home before is an old copy then, whatever its generation.
 * Replicas have the row of their primary; a new primary is told the generation that made it one
 * before anybody is sent there (claim_primary()). So each server of a shard is asked, not only the
 * one that this home takes for the primary.
 *
 * The resolver has such a session with every primary for as long as the controller runs
 * (resolver.h). A controller that begins takes all or nothing: it asks each server first. While
 * another one is at work it stands by: it begins no job, goes on with none, ends no branch,
 * replaces no primary and, from its start on, publishes no routes.
 */
#ifndef CTL_PROVISION_CLAIM_H
#define CTL_PROVISION_CLAIM_H

#include "ctl/provision/cluster.h"

enum {
    CLAIM_SLOTS  = 256,  /* sessions of one controller on one server */
    CLAIM_HELD   = 1205, /* the code of all refusals of ours: it is tried again */
};

enum { CLAIM_PLACE_MAX = 200, CLAIM_PLACEMENT_MAX = 17 };

/* The row of a server. */
struct claim_holder {
    char    id[CLUSTER_HOLDER_MAX], place[CLAIM_PLACE_MAX], since[40];
    char    placement[CLAIM_PLACEMENT_MAX]; /* of claim_placement() */
    int64_t term, generation;
    bool    is; /* there is one */
};

/* One per shard of a job for as long as it runs, so that others see somebody at work while
 * nothing moves. Zeroed is empty. */
struct claims {
    struct server *server; /* owned */
    size_t         n;
    int64_t        generation; /* that the rows have */
};

/* This session, which is open to a shard and in no transaction, may write as this controller from
 * now on, until it is closed. False: another controller does, or this home is an old copy. */
bool claim_session(struct server *s, struct cluster *c, struct sql_error *error) must_check;

/* Whether claim_session() would work now, for who wants all servers or none: takes nothing, and
 * writes nothing, so it may be asked of replicas too. */
bool claim_possible(struct server *s, struct cluster *c, struct sql_error *error) must_check;

/* That of every server of every shard, replicas too, all at once. False: of one it would not. A
 * server that does not answer says nothing; `wait`: those of ours have a moment to start. `any`:
 * whether one has answered. */
bool claims_ask(struct cluster *c, bool wait, bool *any, struct sql_error *error) must_check;

/* The row as it is. True where there is none. */
bool claim_read(struct server *s, const struct cluster *c, struct claim_holder *out,
                struct sql_error *error) must_check;

/* Whether none of its holder's sessions is on this server. */
bool claim_is_idle(struct server *s, const struct claim_holder *row, bool *idle,
                   struct sql_error *error) must_check;

/* Who wrote it knew more than the catalog has. */
bool claim_is_ahead(struct cluster *c, const struct claim_holder *row);

/* Claims a server that is the shard's primary from now on, by a session of its own, and puts into
 * its row what the catalog knows: that it is the primary, among other things. */
bool claim_primary(struct server *s, struct cluster *c, struct sql_error *error) must_check;

/* Sees to a session with each shard of this object of objects, and to the generation in their
 * rows. A server that does not answer is left out: it is for who needs it to say so. */
bool claims_keep(struct claims *all, struct cluster *c, const json_t *shards,
                 struct sql_error *error) must_check;

void claims_fini(struct claims *all);

/* The generation of the routes in the catalog. */
int64_t claim_generation(struct cluster *c);

/* Its term: 0 until another home had the servers. */
int64_t claim_term(struct cluster *c);

/* A digest of which shards there are and which rows are where, by what tables and databases; not
 * of which servers the shards have. */
void claim_placement(struct cluster *c, char out[CLAIM_PLACEMENT_MAX]);

/* Puts it into the row, by a session that has claimed. The row changes in any case, so that
 * replicas get all of it. */
bool claim_tell(struct server *s, struct cluster *c, int64_t generation,
                struct sql_error *error) must_check;

/* `why`: the error of a claim; "": this controller is on duty, as each is at first. */
void claim_stand_by(struct cluster *c, const char *why);

/* False, with the reason: another controller is at work. */
bool claim_on_duty(struct cluster *c, struct sql_error *error) must_check;

#endif
