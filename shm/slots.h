/* slots.h - what each worker publishes about itself, and nobody else writes.
 *
 *   +--------+---------------+--------+--------+-- - --+
 *   | header | master: epoch | slot 0 | slot 1 |  ...  |   pages
 *   +--------+---------------+--------+--------+-- - --+
 *                              |
 *       life (pid, heartbeat, edition in use) | counters | latencies |
 *       per shard | heat of keys | mailbox | client rows | reports
 *
 * The master makes the segment, sets its epoch and forks workers; a worker maps
 * the whole read-only and its own slot writable, so it cannot damage another's.
 * All words are relaxed atomics with one writer: counting is a load, an add and
 * a store. What must be read together (a client's row) has a seqlock; a row
 * left half-written by a killed worker is skipped, never waited for.
 *
 * A worker that takes a slot over goes on counting where the last one stopped,
 * so that totals never go backward; gauges, rows and life begin anew. The
 * segment survives the master for the same reason.
 */
#ifndef SHM_SLOTS_H
#define SHM_SLOTS_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/route/table.h"
#include "shm/counters.h"
#include "shm/heat.h"
#include "shm/histogram.h"
#include "shm/latency.h"
#include "shm/segment.h"
#include "shm/seqlock.h"

enum {
    SLOTS_WORKERS_MAX   = 256,
    SLOTS_CLIENTS_MAX   = 1 << 20,
    SLOT_MAILS          = 64,
    SLOT_SERVERS        = ROUTES_REPLICAS_MAX + ROUTES_SHARDS_MAX,
    SLOT_USERS          = 1024, /* names whose connections a worker can count */
    GATE_UNDECIDED_MAX  = 64,   /* a worker's further ones are looked up on their shards */
    CLIENT_USER_MAX     = 80, /* bytes kept, longer ones are cut at a character */
    CLIENT_SCHEMA_MAX   = 64,
    CLIENT_HOST_MAX     = 48,
    CLIENT_STATEMENT_MAX = 256,
    CLIENT_PARTICIPANTS_MAX = 20,
};

enum slot_state {
    SLOT_EMPTY,    /* never used, or the worker's end was seen by the master */
    SLOT_STARTING,
    SLOT_READY,    /* has routes and serves */
    SLOT_UNREADY,  /* serves, but has no routes */
    SLOT_DRAINING, /* accepts nobody */
};

/* Written by the worker at each turn of its loop or change of routes. Times are
 * slots_now_ms(). */
struct slot_life {
    _Atomic uint64_t pid;
    _Atomic uint64_t state;        /* enum slot_state */
    _Atomic uint64_t epoch;        /* of the master that forked it */
    _Atomic uint64_t started_ms;
    _Atomic uint64_t heartbeat_ms;
    _Atomic uint64_t edition;      /* of the routes in use: the acknowledgement */
    _Atomic uint64_t generation;
    _Atomic uint64_t users_generation;
    _Atomic uint64_t drained;      /* no statement routed by a generation < this is under way,
                                      and, where this one has a fence, no transaction, cursor or
                                      table lock of before is left on a fenced shard
                                      (workers/query/park.h), nor is a number being fetched from
                                      one. What says so once stays true: as long as routes with
                                      that fence are in use nothing new gets there */
    _Atomic uint64_t process;      /* the epoch in its transactions' names; 0: not known yet */
    _Atomic uint64_t settled;      /* a generation with a fence, for which drained could be said
                                      now: see workers/query/park.h; may be taken back */
} __attribute__((aligned(64)));

/* Keyed by the catalog's shard id, because indexes change with generations. */
struct slot_shard {
    _Atomic uint64_t id; /* shard id + 1; 0: free */
    _Atomic uint64_t counter[SHARD_COUNTERS_N];
    _Atomic uint32_t latency[LATENCY_BUCKETS]; /* of its statements, see latency.h */
} __attribute__((aligned(64)));

enum { SERVER_TOLD_US = 5000000 };

/* How far the last question to a server came. */
enum probe_stage { PROBE_WELL, PROBE_CONNECT, PROBE_LOGIN, PROBE_ANSWER, PROBE_STAGES };

/* What a worker knows of a server of a shard that has replicas, a replica or the primary itself, by
 * the server's id (route_replica.id, route_shard.server); times in us of CLOCK_MONOTONIC. See
 * workers/backend/servers.h. Every worker asks each of these servers how far it is, each
 * replica_probe_ms: a primary is dead in the eyes of all workers when slots_sum_server() says
 * n_silent == n_asking != 0 (`silent`: for so many questions, `heard_us`: since when). Of primaries
 * covers, behind, lag and outstanding are 0: `reads` are the shard's statements, `errors` those of
 * them that were lost with their connection. */
struct slot_server {
    _Atomic uint64_t id;          /* its id + 1; 0: free */
    _Atomic uint64_t told_us;     /* when the worker last wrote this */
    _Atomic uint64_t asked_us;    /* when it was asked last; 0: never */
    _Atomic uint64_t heard_us;    /* when it was asked last what it answered; 0: never */
    _Atomic uint64_t silent;      /* questions in a row that it has not answered; */
    _Atomic uint64_t stage;       /* enum probe_stage, of the last one */
    _Atomic uint64_t covers_us;   /* it has everything of before; 0: not known */
    _Atomic uint64_t lag_us;      /* covers_us, as of heard_us; 0: it had all there was */
    _Atomic uint64_t behind;      /* transactions that it lacked then */
    _Atomic uint64_t breaker;     /* enum breaker_state */
    _Atomic uint64_t latency_us;
    _Atomic uint64_t outstanding; /* statements under way there */
    _Atomic uint64_t score;       /* 0 to 100; and the points that these cost it: */
    _Atomic uint64_t score_errors, score_latency;
    _Atomic uint64_t reads, errors, opened; /* totals: statements, failed ones, how often the
                                               breaker opened */
    /* What this worker decided last by what it saw itself, for the others: */
    _Atomic uint64_t decided_us;  /* when; 0: never */
    _Atomic uint64_t until_us;    /* it is left alone until then; 0: it is well */
    _Atomic uint64_t failed;      /* times in a row that it was left alone */
} __attribute__((aligned(64)));

/* MAIL_REPORT: everybody writes its report; `target` is which, an enum report. */
enum mail_kind { MAIL_NONE, MAIL_KILL_CONNECTION, MAIL_KILL_QUERY, MAIL_REPORT };

/* To whichever worker has client `target`; senders put it into their own slot
 * and poke the others' eventfds. */
struct mail {
    enum mail_kind kind;
    uint64_t       target;
};

struct mailbox {
    _Atomic uint64_t sent; /* mails ever posted; number n lies at n % SLOT_MAILS */
    _Atomic uint64_t kind[SLOT_MAILS];
    _Atomic uint64_t target[SLOT_MAILS];
};

/* How far the end of a transaction on several shards has come. */
enum client_phase {
    CLIENT_PHASE_OPEN, CLIENT_PHASE_PREPARE, CLIENT_PHASE_HELD, CLIENT_PHASE_COMMIT,
    CLIENT_PHASE_FINISH, CLIENT_PHASE_ROLLBACK, CLIENT_PHASES_N,
};

/* In client_info.state. */
#define CLIENT_WAITS_FOR_MOVE (UINT64_C(1) << 32)

/* One row of the process list, in private memory. Texts are NUL-terminated. */
struct client_info {
    uint64_t id;         /* connection id; 0: the row is free */
    uint64_t login_ms;
    uint64_t since_ms;   /* when the command or the idling began */
    uint64_t command;    /* COM_*; 3 = COM_QUERY; 0 = COM_SLEEP */
    uint64_t state;      /* the caller's own: what pins it (workers/query/pins.h); and
                            CLIENT_WAITS_FOR_MOVE */
    uint64_t shard;      /* shard id + 1 it waits for, 0: none */
    uint64_t in_transaction;
    uint64_t statements; /* ever run */
    uint64_t txn_ms;     /* when its transaction began; 0: none, as of its last answer */
    uint64_t txn_statements;
    uint64_t txn_shard;  /* shard id + 1 where it began; 0: nowhere yet */
    uint64_t phase;      /* enum client_phase */
    uint64_t locks;      /* participant_word() of the connection with its GET_LOCKs; 0: none */
    uint64_t spread_us;  /* since when its transaction is on several shards; 0: it is not */
    uint64_t n_participants; /* at most CLIENT_PARTICIPANTS_MAX: further ones are not told */
    uint64_t participant[CLIENT_PARTICIPANTS_MAX]; /* participant_word() */
    char     user[CLIENT_USER_MAX];
    char     host[CLIENT_HOST_MAX];
    char     schema[CLIENT_SCHEMA_MAX];
    char     statement[CLIENT_STATEMENT_MAX];
};

/* A connection to a shard's server: the shard's id and the server's number for it,
 * which is below 2^32 (it is sent in four bytes). */
static inline uint64_t
participant_word(uint32_t shard_id, uint64_t thread_id)
{
    return (uint64_t)shard_id << 32 | (uint32_t)thread_id;
}

static inline uint32_t
participant_shard(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

static inline uint32_t
participant_thread(uint64_t word)
{
    return (uint32_t)word;
}

enum { CLIENT_WORDS = sizeof(struct client_info) / 8 };

struct client_row {
    struct seqlock   lock;
    _Atomic uint64_t word[CLIENT_WORDS]; /* a struct client_info */
} __attribute__((aligned(64)));

/* The commit gate. Whoever opens snapshots on several shards asks all workers to hold
 * back the commits that several shards take part in; each tells by whose ask it does,
 * and none under way is left. An ask is a time: so long does it count, at most. See
 * workers/query/gate.h. */
struct slot_gate {
    _Atomic uint64_t ask; /* our own, in us of CLOCK_MONOTONIC; 0: none */
    _Atomic uint64_t honours[SLOTS_WORKERS_MAX]; /* by row: the ask of that worker */
    _Atomic uint64_t doubts; /* commits ever left to the resolver */
    _Atomic uint64_t undecided[GATE_UNDECIDED_MAX]; /* of our commits that are being prepared
                                                       or parked: gate_word(); 0: free */
} __attribute__((aligned(64)));

/* The connections of one user; see shm/users.c. */
struct slot_user {
    _Atomic uint64_t key;         /* user_key(); 0: free */
    _Atomic uint64_t connections; /* open now */
    _Atomic uint64_t second;      /* of CLOCK_MONOTONIC: the last one with new ones */
    _Atomic uint64_t fresh[2];    /* how many in it, and in the one before */
};

struct slot {
    struct slot_life  life;
    struct slot_gate  gate;
    struct slot_user  user[SLOT_USERS] __attribute__((aligned(64)));
    _Atomic uint64_t  counter[COUNTERS_N] __attribute__((aligned(64)));
    struct histogram  latency[LATENCIES_N];
    struct slot_shard shard[ROUTES_SHARDS_MAX];
    _Atomic uint64_t  servers;     /* server[servers] and above were never used */
    _Atomic uint64_t  server_decisions; /* grows with each change of a slot_server.decided_us */
    struct slot_server server[SLOT_SERVERS];
    struct slot_heat  heat;
    struct mailbox    mailbox;
    _Atomic uint64_t  rows;     /* client[rows] and above were never used, have no memory, and
                                   may not be touched: even reading would give them some */
    struct client_row client[]; /* slots.n_clients */
};

struct slots {
    struct segment seg;
    uint32_t       n_workers;
    uint32_t       n_clients; /* rows per worker */
    size_t         stride;    /* bytes from slot to slot, whole pages */
};

/* Milliseconds of CLOCK_MONOTONIC: the same in all processes of a host. */
uint64_t slots_now_ms(void);

/* The master's side: make or take over the segment, and begin a new epoch (1 +
 * the last). n_workers in [1, SLOTS_WORKERS_MAX], n_clients in [1,
 * SLOTS_CLIENTS_MAX]. A segment of other dimensions is replaced by a new one
 * (its workers, if any live, notice by slots_master_gone()); live workers of the
 * same dimensions stay in their slots: ask slot_alive(). */
bool slots_create(struct slots *s, const char *instance, uint32_t n_workers,
                  uint32_t n_clients, struct err *err) must_check;

/* Everybody else's: read-only. */
bool slots_open(struct slots *s, const char *instance, struct err *err) must_check;

void slots_close(struct slots *s);

/* The master's epoch and pid. A worker whose own epoch is smaller is an orphan
 * and accepts nobody any more. */
uint64_t slots_epoch(const struct slots *s);
uint64_t slots_master_pid(const struct slots *s);

/* True when the name no longer leads to the segment we have mapped, so that a
 * new master cannot be seen in it. Costs a system call. */
bool slots_master_gone(const struct slots *s, const char *instance);

const struct slot *slots_at(const struct slots *s, uint32_t worker);

/* A worker's own slot, writable: for a forked child of the master that did
 * slots_create() (pass its `s`: its mapping becomes read-only), or any process
 * of the same user. Takes the slot over: keeps totals, clears the rest, sets
 * pid, epoch and state SLOT_STARTING. NULL with `err` filled. */
struct slot *slots_take(struct slots *s, uint32_t worker, struct err *err) must_check;

/* The master, when it has reaped `worker`: gauges and rows vanish, the worker
 * counts as drained. Only for slots whose process is dead. */
void slots_bury(struct slots *s, uint32_t worker);

/* Counting: only with one's own slot. */
static inline void
slot_add(struct slot *slot, enum counter c, uint64_t n)
{
    atomic_store_explicit(&slot->counter[c],
        atomic_load_explicit(&slot->counter[c], memory_order_relaxed) + n,
        memory_order_relaxed);
}

static inline void
slot_count(struct slot *slot, enum counter c)
{
    slot_add(slot, c, 1);
}

/* Gauges. */
static inline void
slot_sub(struct slot *slot, enum counter c, uint64_t n)
{
    slot_add(slot, c, (uint64_t)0 - n);
}

static inline void
slot_set(struct slot *slot, enum counter c, uint64_t value)
{
    atomic_store_explicit(&slot->counter[c], value, memory_order_relaxed);
}

/* The record of the shard with this id, made when there is none; shared by
 * further shards when all ROUTES_SHARDS_MAX are taken. Look it up once per
 * generation and keep the pointer. */
struct slot_shard *slot_shard(struct slot *slot, uint32_t id);

/* Forget shards that are not among `ids`, so that their records can be reused;
 * pointers from slot_shard() of the others stay good. */
void slot_keep_shards(struct slot *slot, const uint32_t *ids, uint32_t n);

static inline void
slot_shard_add(struct slot_shard *shard, enum shard_counter c, uint64_t n)
{
    atomic_store_explicit(&shard->counter[c],
        atomic_load_explicit(&shard->counter[c], memory_order_relaxed) + n,
        memory_order_relaxed);
}

/* As these, for servers of shards with replicas. */
struct slot_server *slot_server(struct slot *slot, uint32_t id);
/* NULL: this worker knows nothing of it. */
const struct slot_server *slot_find_server(const struct slot *slot, uint32_t id);
void                slot_keep_servers(struct slot *slot, const uint32_t *ids, uint32_t n);
/* The process that wrote them is gone. What it decided stays, as it would for others. */
void                slot_clear_servers(struct slot *slot);

static inline void
slot_server_add(_Atomic uint64_t *word, uint64_t n)
{
    atomic_store_explicit(word, atomic_load_explicit(word, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

/* What all live workers together know of a server: see struct slot_server. */
struct server_sum {
    uint32_t n;         /* workers that know it; 0: the rest is nothing */
    uint32_t n_asking;  /* of them: have asked it, and told so within SERVER_TOLD_US */
    uint32_t n_silent;  /* ... and the last question was not answered in time, */
    uint64_t silent;    /* nor were so many before, for each of them (the least) */
    enum probe_stage stage; /* how far the last question came that failed; WELL: none did */
    uint64_t asked_us, heard_us; /* the last time for any of them */
    uint64_t covers_us; /* likewise: what one has proven is so */
    uint64_t lag_us, behind;     /* as of heard_us */
    uint32_t n_open, n_half_open; /* of their breakers */
    uint64_t latency_us;          /* on average */
    uint64_t outstanding, reads, errors, opened;
    uint64_t score, score_errors, score_latency; /* the least of theirs, and its parts */
};
void slots_sum_server(const struct slots *s, uint32_t id, struct server_sum *out);

/* A statement was answered so long after it was sent. */
static inline void
slot_shard_took(struct slot_shard *shard, uint64_t us)
{
    slot_shard_add(shard, SHARD_COUNTER_NS, us * 1000);
    latency_record(shard->latency, us);
}

/* Life. */
void slot_beat(struct slot *slot, uint64_t now_ms);
void slot_enter(struct slot *slot, enum slot_state state);

/* Acknowledge an edition: from now on no statement is routed by an older one. */
void slot_acknowledge(struct slot *slot, uint64_t edition, uint64_t generation,
                      uint64_t users_generation);
void slot_process(struct slot *slot, uint64_t epoch);
void slot_drained(struct slot *slot, uint64_t generation);
void slot_settled(struct slot *slot, uint64_t generation); /* 0: taken back */

/* Whether the process that took the slot still lives and beat within the last
 * `stale_ms` (0: any). */
bool slot_alive(const struct slot *slot, uint64_t now_ms, uint64_t stale_ms);

/* True once every live worker uses `edition` or a later one. */
bool slots_acknowledged(const struct slots *s, uint64_t edition);
bool slots_drained(const struct slots *s, uint64_t generation);
bool slots_settled(const struct slots *s, uint64_t generation);

/* Client rows; `row` in [0, n_clients), low ones first: memory is taken up to the
 * highest ever used, 736 bytes a row. login() fills a free row, the others change
 * only the words they name; logout() frees it. Texts are cut to fit. When /dev/shm
 * is full the client is missing in the list, and nothing else happens. */
void client_login(struct slot *slot, uint32_t row, uint64_t id, struct span user,
                  struct span host, struct span schema, uint64_t now_ms);
void client_logout(struct slot *slot, uint32_t row);
void client_schema(struct slot *slot, uint32_t row, struct span schema);
void client_command(struct slot *slot, uint32_t row, uint8_t command,
                    uint32_t state, struct span statement, uint64_t now_ms);
void client_state(struct slot *slot, uint32_t row, uint32_t state,
                  uint64_t shard_plus_1, bool in_transaction, uint64_t now_ms);

/* The command is answered: the client sleeps, perhaps inside of a transaction. */
struct client_txn {
    uint64_t since_ms; /* 0: none */
    uint64_t statements, shard_plus_1;
};
void client_idle(struct slot *slot, uint32_t row, uint32_t state, const struct client_txn *txn,
                 uint64_t now_ms);

/* Its statement is parked, or not any more; until the next client_command() or client_idle(). */
void client_waits_for_move(struct slot *slot, uint32_t row, bool waits);

/* Its transaction is ending. */
void client_set_phase(struct slot *slot, uint32_t row, enum client_phase phase);

/* The connections that its transaction holds on several shards, for whoever looks for
 * deadlocks between shards; n == 0: the transaction is over. In microseconds, because
 * several transactions begin in a millisecond. */
void client_participants(struct slot *slot, uint32_t row, const uint64_t *words, uint32_t n,
                         uint64_t now_us);

/* The connection that has its locks by name, participant_word(); 0: there are none. */
void client_locks(struct slot *slot, uint32_t row, uint64_t word);

/* Whether its transaction is on several shards: a look at one word. */
bool client_is_spread(const struct slot *slot, uint32_t row);

/* Copy a row out. False: it is free, or was being written all the time. */
bool client_read(const struct slot *slot, uint32_t row,
                 struct client_info *out) must_check;

/* Mail: post into the own slot; take what is new in another's, with a cursor
 * per sender that begins at mail_cursor(). A reader more than SLOT_MAILS behind
 * misses the oldest. */
void     mail_post(struct slot *own, struct mail mail);
uint64_t mail_cursor(const struct slot *sender);
bool     mail_take(const struct slot *sender, uint64_t *cursor, struct mail *out);

/* What a worker tells of itself only when it is asked: texts of the workers' own form, behind
 * the client rows, with memory from the first time on. */
enum report {
    REPORT_POOLS,
    REPORT_DIGESTS,
    REPORT_STATEMENTS, /* tally.h; told without being asked */
    REPORTS_N,
};

/* A report longer than this is cut. */
size_t report_room(enum report which);
size_t reports_bytes(void); /* of all, whole pages */

/* Of the caller's own worker. When /dev/shm is full it is empty. */
void report_write(const struct slots *s, struct slot *own, enum report which, struct span text);

/* The report that `worker` has written at `since_us` (clock_us()) or later is appended to
 * `out`. False: there is none yet, or it is just being written. */
bool report_read(const struct slots *s, uint32_t worker, enum report which, uint64_t since_us,
                 struct buf *out) must_check;

/* The gate; times are clock_us()'s, see shm/gate.c. */
void     gate_ask(struct slot *own, uint64_t until_us); /* 0: no longer */
void     gate_honour(struct slot *own, uint32_t row, uint64_t ask);

/* The ask of the worker in `row` when it counts: its time is not over and, where
 * `look` (a system call), its process lives. 0: none. */
uint64_t gate_asked(const struct slots *s, uint32_t row, uint64_t now_us, bool look);

/* Every worker that lives honours `ask` of the one in `row`. */
bool gate_honoured(const struct slots *s, uint32_t row, uint64_t ask);

/* A transaction in `undecided`. */
static inline uint64_t
gate_word(uint32_t epoch, uint64_t counter)
{
    return (uint64_t)epoch << 32 | (uint32_t)(counter + 1);
}

/* Whether a live worker in `row` says that it has not decided it yet. */
bool gate_undecided(const struct slots *s, uint32_t row, uint64_t word);

/* Equal while no worker died, began, or left a commit to the resolver. */
uint64_t gate_mark(const struct slots *s);

/* Processes that wrote to a segment that ours has replaced, and live: nobody can see
 * their commits. */
bool slots_has_strangers(const struct slots *s);

/* What a user has of the limits that hold for all workers together. */
struct user_count {
    uint64_t connections;
    uint64_t per_second; /* new ones within the last second */
};

/* Never 0. */
uint64_t user_key(struct span name);

/* Counts one more connection in the own slot, and then tells how many there are in all:
 * when two workers do so at once, at least one of them sees both. False: the slot has no
 * room for a further user, and nothing is counted. */
bool slot_user_enter(const struct slots *s, struct slot *own, uint64_t key, uint64_t now_ms,
                     struct user_count *out) must_check;

/* It is over. `refused`: it never was, and does not count as a new one either; said right
 * after slot_user_enter(). */
void slot_user_leave(struct slot *own, uint64_t key, bool refused);

/* Sums over all slots, for a scrape. */
struct slots_sum {
    uint64_t             counter[COUNTERS_N];
    struct histogram_sum latency[LATENCIES_N];
};
void slots_sum(const struct slots *s, struct slots_sum *out);
void slots_sum_shard(const struct slots *s, uint32_t id,
                     uint64_t out[SHARD_COUNTERS_N]);

#endif
