/* servers.h - the servers of shards with replicas, as this worker sees them, and the choice among
 * replicas.
 *
 *   server_group   a shard: what its primary had written, and when that was asked (position.h)
 *      server      a replica: how far it is, how quick, whether it is well (core/balance)
 *
 * Each worker chooses by what it sees itself: no lock, no shared cache line that is written. That
 * a server is to be left alone, or is well again, is told to the others through the slots
 * (servers_tell.c); each takes it over within milliseconds, and then tries the server itself. What
 * a read needs is said as a moment of this host's clock: the server must have everything that could
 * be seen before. Every replica also has to have everything from before the routes in use were
 * taken over, because rows may have moved to its shard and columns may have changed with them.
 * No replica that is fit: the caller asks the primary.
 *
 * What is learned is kept as long as the server is in the routes. probe.c asks primaries and
 * replicas how far they are, also when nobody else wants anything of them; of primaries it is only
 * told (slots.h) whether they answer. A replica that was drained or disabled and serves again
 * rests for replica_cooldown_ms, in which nothing but these questions gets there; then it is tried
 * as one that has failed, and ramps up as a new one.
 */
#ifndef WORKERS_BACKEND_SERVERS_H
#define WORKERS_BACKEND_SERVERS_H

#include "core/balance/breaker.h"
#include "core/balance/pick.h"
#include "core/balance/position.h"
#include "workers/backend/backend.h"

struct server_group;

/* A question to a server, one at a time; see probe.c. */
struct probe {
    struct context    *ctx;
    uint32_t           server_id;
    void             (*done)(struct probe *p, bool well);
    struct pool_waiter waiter;
    struct exchange    x;
    struct backend    *backend;
    struct timer       deadline;
    bool               asking;
    uint64_t           asked_us; /* when the question was sent */
    enum probe_stage   stage;    /* how far it came, when it failed */
    bool               good;     /* an answer came: */
    size_t             len;      /* of `text`, its one value */
    char               text[POSITION_TEXT];
};

struct server {
    uint32_t             id;
    struct server_group *group;
    enum replica_state   state;
    bool                 primary; /* group->primary: no reads are chosen for it */
    bool                 gone;   /* freed when nothing of it is under way */
    uint32_t             incarnation; /* grows when it may have forgotten something: a crash */
    struct pick_server   pick;
    struct breaker       breaker;
    breaker_ticket       probe_ticket;
    uint64_t             decided_us; /* the newest decision that is in force, a worker's */
    uint64_t             rests_us;   /* it is not used before */
    uint32_t             silent;     /* probes in a row that it has not answered */
    enum probe_stage     stage;      /* of the last one of these */
    uint64_t             covers_us;  /* it has all of before; 0: not known */
    uint64_t             lag_us, behind; /* when it answered last: see slots.h */
    uint64_t             heard_us;   /* it answered a probe */
    struct probe         probe;
    struct slot_server  *record;
};

struct server_group {
    struct context  *ctx;
    uint32_t         shard_id;
    uint64_t         epoch; /* of the primary */
    uint32_t         n;
    struct server   *server[ROUTES_SHARD_REPLICAS_MAX];
    bool             local[ROUTES_SHARD_REPLICAS_MAX]; /* it is in our zone */
    struct positions positions;
    struct server    primary;
    uint64_t         primary_epoch; /* when it was asked */
    struct slot_shard *counters;    /* of the primary, and what they were then: */
    uint64_t         n_statements, n_lost, ns;
    struct timer     timer;
    struct timer     hurry;    /* somebody waits: replicas are asked again soon */
    struct list      asking;   /* server_ask */
};

/* Somebody who waits until a server has everything that can be seen now. All zeroes: nobody. */
struct server_ask {
    struct list          node;
    struct timer         deadline;
    struct server_group *group; /* NULL: it does not wait */
    uint64_t             since_us;
    void               (*told)(struct server_ask *ask); /* one has, or the time is over */
};

/* New routes are in use: `other`, with another generation. */
void servers_install(struct context *ctx, const struct routes *r, bool other);

/* What a read needs. */
struct server_wish {
    uint64_t      since_us; /* everything that could be seen before; 0: anything */
    uint32_t      stay;     /* the id of a server that will do if it is still the same one; or 0 */
    uint32_t      incarnation;
    struct server *skip;    /* NULL: none to be left out */
};

/* The server for a read of this shard; NULL: the primary. */
struct server *servers_choose(struct context *ctx, uint32_t shard_id,
                              const struct server_wish *wish) must_check;

/* The replica with this id; NULL: it is none of the shard's any more. */
struct server *servers_find(struct context *ctx, uint32_t shard_id, uint32_t id);

/* The servers of the shard are asked how far they are; told() comes when one has everything of
 * before, or after replica_wait_ms. False: there are none that could have, or it is not worth
 * the while. The caller sets told. */
bool servers_ask(struct context *ctx, uint32_t shard_id, struct server_ask *ask) must_check;

/* told() will not be called. Harmless when it does not wait. */
void servers_forget(struct server_ask *ask);

/* A statement that is under way on a server. All zeroes: none. */
struct server_use {
    struct server *server;
    breaker_ticket ticket;
    uint64_t       since_us;
};

enum server_outcome {
    SERVER_WELL, SERVER_BADLY,
    SERVER_UNSAID, /* it says nothing about the server */
};

void server_begin(struct server_use *use, struct server *s);

/* `timed`: how long it took was the server's doing. Nothing when there is none. */
void server_end(struct server_use *use, enum server_outcome outcome, bool timed);

/* One more failed statement may be sent a second time. */
bool servers_may_retry(struct context *ctx) must_check;

/* A read was sent that might be asked of two servers; one more of these is. */
void servers_earn_hedge(struct context *ctx);
bool servers_may_hedge(struct context *ctx) must_check;

/* A connection to the server with this id ended by itself: if it is a replica it may have lost
 * what it had applied, and nothing is known of it before it is asked again. */
void servers_lost(struct context *ctx, uint32_t id);

/* --- between servers.c and probe.c --- */

void server_publish(struct server *s);
/* We have decided that it is to be left alone, or is well: the others are told. */
void server_decide(struct server *s);
/* What other workers have decided since they were last looked at; and whether their decisions, so
 * many in all, are news. */
void servers_look(struct context *ctx);
bool servers_news(struct context *ctx, uint64_t n_decisions);
struct server_group *servers_nth(struct context *ctx, uint32_t i); /* NULL: there are no more */
struct breaker_rules servers_rules(const struct context *ctx);
uint64_t servers_random(struct context *ctx);
/* After a change: it is well again, or not any more. */
void server_changed(struct server *s, enum breaker_state before, const char *why);
void group_start(struct server_group *g);
void group_hurry(struct server_group *g);
void group_tell_all(struct server_group *g);
void probe_stop(struct probe *p);

#endif
