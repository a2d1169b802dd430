/* resolver.c - see the picture in the header. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "core/base/memory.h"
#include "core/route/xid.h"
#include "ctl/catalog/model.h"
#include "ctl/job/resolver.h"
#include "ctl/provision/claim.h"
#include "ctl/provision/spawn.h"
#include "ctl/provision/ticker.h"
#include "shm/slots.h"

enum {
    PERIOD_MS     = 500,
    PATIENCE_MS   = 3500,
    ANSWER_S      = 3, /* longer than the wait for a lock that another's decision holds */
    RETRY_MS      = 1000,
    CLEAN_EVERY_S = 600,
    ASK_EVERY_MS  = 10000,
    DUPLICATE     = 1062,
    STALE_MS      = 5000,
};

struct resolver {
    struct cluster *cluster;
    struct ticker   ticker;
    pthread_mutex_t lock; /* around `seen` */
    json_t         *seen; /* {"shard gtrid": ms when first seen} */
    int64_t         cleaned_ms;
    struct server   server[ROUTES_SHARDS_MAX]; /* in the order of `shards` */
    int64_t         tried_ms[ROUTES_SHARDS_MAX]; /* when a connect to it failed; 0: it did not */
    json_t         *shards;
    int64_t         told[ROUTES_SHARDS_MAX]; /* the generation in its row, see claim.h */
    struct sql_error held;  /* of this look; code 0: no other controller is in the way */
    struct sql_error ahead; /* of the last time that replicas were asked too */
    int64_t          asked_ms;
    bool             any; /* one has answered then */
    atomic_bool      free;  /* so it was at the last look */
    atomic_bool      settled; /* see resolver_settled() */
    bool             started;
};

enum resolver_verdict
resolver_verdict(unsigned insert_code, const char *state)
{
    if (insert_code == 0)
        return RESOLVER_ROLLBACK;
    if (insert_code != DUPLICATE)
        return RESOLVER_WAIT;
    if (strcmp(state, "commit") == 0)
        return RESOLVER_COMMIT;
    return strcmp(state, "abort") == 0 ? RESOLVER_ROLLBACK : RESOLVER_WAIT;
}

/* Who is not a primary yet, or none any more, gets nothing written that is not in its log. */
static bool
is_primary(struct server *s)
{
    struct sql_error ignored;
    char             writes[8];

    return server_value(s, writes, sizeof(writes), &ignored,
                        "SELECT @@GLOBAL.read_only IN ('0', 'OFF')") && strcmp(writes, "1") == 0;
}

static bool
claim(struct resolver *r, struct server *s)
{
    struct sql_error error;

    if (!is_primary(s))
        return false;
    if (atomic_load(&r->settled) ? claim_session(s, r->cluster, &error)
                                 : claim_possible(s, r->cluster, &error))
        return true;
    if (error.code == CLAIM_HELD)
        r->held = error;
    return false;
}

/* A server that hangs costs time that the branches on others wait, so not every time. */
static struct server *
open_again(struct resolver *r, size_t i, const json_t *shard)
{
    struct server   *s = &r->server[i];
    struct sql_error ignored;

    server_close(s);
    if (r->tried_ms[i] != 0 && spawn_now_ms() - r->tried_ms[i] < RETRY_MS)
        return NULL;
    s->answer_s = ANSWER_S;
    if (server_open(s, shard, &ignored) && claim(r, s) &&
        server_run(s, &ignored, "SET SESSION innodb_lock_wait_timeout = 1")) {
        r->tried_ms[i] = r->told[i] = 0;
        return s;
    }
    server_close(s);
    if (r->held.code == 0)
        r->tried_ms[i] = spawn_now_ms();
    return NULL;
}

/* The open connection, NULL when the shard does not answer. */
static struct server *
at(struct resolver *r, int64_t id)
{
    const char *key;
    json_t     *shard;
    size_t      i = 0;

    json_object_foreach(r->shards, key, shard) {
        struct server *s = &r->server[i++];

        if (model_number(shard, "id") != id)
            continue;
        if (s->mysql && mysql_ping(s->mysql) == 0)
            return s;
        return open_again(r, i - 1, shard);
    }
    return NULL;
}

static bool
slot_is_anothers(const struct slot *slot, const struct xid *xid)
{
    uint64_t process = atomic_load_explicit(&slot->life.process, memory_order_acquire);

    return process != 0 && (uint32_t)process != xid->epoch;
}

bool
resolver_worker_is_dead(struct cluster *c, const struct xid *xid)
{
    const struct slots *slots = publish_slots(c->publisher);
    bool                dead  = slots && (xid->worker >= slots->n_workers ||
                 slot_is_anothers(slots_at(slots, xid->worker), xid) ||
                 !slot_alive(slots_at(slots, xid->worker), slots_now_ms(), STALE_MS));

    publish_slots_done(c->publisher);
    return dead;
}

int64_t
resolver_age_ms(struct resolver *r, const char *gtrid)
{
    int64_t     first = INT64_MAX;
    const char *key;
    json_t     *since;

    if (!r)
        return -1;
    pthread_mutex_lock(&r->lock);
    json_object_foreach(r->seen, key, since)
        if (strcmp(strchr(key, ' ') + 1, gtrid) == 0 && json_integer_value(since) < first)
            first = json_integer_value(since);
    pthread_mutex_unlock(&r->lock);
    return first == INT64_MAX ? -1 : spawn_now_ms() - first;
}

/* True when it is time: nobody else is going to end this branch. */
static bool
is_ours_to_end(struct resolver *r, const struct xid *xid, const char *key, json_t *still)
{
    int64_t now   = spawn_now_ms();
    json_t *since = json_object_get(r->seen, key);
    int64_t first = since ? json_integer_value(since) : now;

    json_object_set_new_nocheck(still, key, json_integer(first));
    return now - first >= PATIENCE_MS || resolver_worker_is_dead(r->cluster, xid);
}

enum resolver_verdict
resolver_ask(struct server *home, const char *gtrid)
{
    struct sql_error error     = { 0 };
    char             state[16] = "";

    if (server_run(home, &error, "INSERT INTO shardd.decision (xid, state) VALUES (%s, 'abort')",
                   server_text(gtrid)))
        error.code = 0;
    else if (error.code == DUPLICATE &&
             !server_value(home, state, sizeof(state), &error,
                           "SELECT state FROM shardd.decision WHERE xid = %s",
                           server_text(gtrid)))
        return RESOLVER_WAIT;
    else
        error.code = state[0] ? DUPLICATE : error.code;
    return resolver_verdict(error.code, state);
}

static enum resolver_verdict
ask(struct resolver *r, const struct xid *xid, const char *gtrid)
{
    struct server *home = at(r, xid->home);

    return home ? resolver_ask(home, gtrid) : RESOLVER_WAIT;
}

/* A row is: formatID, length of gtrid, of bqual, both together. */
void
resolver_branch_words(const json_t *row, struct buf *out)
{
    size_t gtrid = (size_t)atoi(server_cell(row, 1)), bqual = (size_t)atoi(server_cell(row, 2));
    const uint8_t *both = (const uint8_t *)server_cell(row, 3);

    buf_append_hex_literal(out, "", (struct span){ both, gtrid });
    buf_append_hex_literal(out, ",", (struct span){ both + gtrid, bqual });
    buf_printf(out, ",%s", server_cell(row, 0));
}

bool
resolver_end_branch(struct server *s, const json_t *row, bool commit, struct sql_error *error)
{
    const char *data  = server_cell(row, 3);
    size_t      gtrid = (size_t)atoi(server_cell(row, 1));
    struct buf  sql   = { 0 };

    buf_append_text(&sql, commit ? "XA COMMIT " : "XA ROLLBACK ");
    resolver_branch_words(row, &sql);
    bool ended = server_run_text(s, buf_unread(&sql), error);
    if (ended)
        log_info("shard %s: %s the branch %.*s", s->name, commit ? "committed" : "rolled back",
                 (int)gtrid, data);
    else
        log_info("shard %s: the branch %.*s is not ended yet: %s", s->name, (int)gtrid, data,
                 error->message);
    buf_fini(&sql);
    return ended;
}

static void
look_at(struct resolver *r, struct server *s, const json_t *row, json_t *still)
{
    size_t                len = (size_t)atoi(server_cell(row, 1));
    char                  gtrid[XID_GTRID_MAX + 1], key[XID_GTRID_MAX + 32];
    struct xid            xid;
    enum resolver_verdict verdict;

    if (len > XID_GTRID_MAX)
        return;
    memcpy(gtrid, server_cell(row, 3), len);
    gtrid[len] = '\0';
    if (!xid_decode(span_of(gtrid), &xid) || strcmp(xid.instance, r->cluster->instance) != 0)
        return;
    snprintf(key, sizeof(key), "%lld %s", (long long)s->id, gtrid);
    if (!is_ours_to_end(r, &xid, key, still))
        return;
    verdict = ask(r, &xid, gtrid);
    struct sql_error ignored;
    if (verdict != RESOLVER_WAIT &&
        !resolver_end_branch(s, row, verdict == RESOLVER_COMMIT, &ignored))
        return; /* next second */
}

/* Decisions are kept long after the last branch they could be for. */
static void
clean(struct resolver *r)
{
    const char      *key;
    json_t          *shard;
    struct sql_error ignored;

    if (spawn_now_ms() - r->cleaned_ms < CLEAN_EVERY_S * 1000)
        return;
    r->cleaned_ms = spawn_now_ms();
    json_object_foreach(r->shards, key, shard) {
        struct server *s = at(r, model_number(shard, "id"));

        if (s && !server_run(s, &ignored, "DELETE FROM shardd.decision"
                             " WHERE ts < NOW() - INTERVAL 1 DAY LIMIT 10000"))
            log_debug("shard %s: old decisions stay: %s", s->name, ignored.message);
    }
}

/* Later controllers are to know how much this one knew. */
static void
tell(struct resolver *r, int64_t generation)
{
    for (size_t i = 0; i < json_object_size(r->shards); i++) {
        struct sql_error ignored;

        if (r->server[i].mysql && r->told[i] < generation &&
            claim_tell(&r->server[i], r->cluster, generation, &ignored))
            r->told[i] = generation;
    }
}

static void
look(struct resolver *r)
{
    int64_t          generation = claim_generation(r->cluster);
    json_t          *still      = json_object(), *shard;
    const char      *key;
    bool             all = true;
    struct sql_error error;

    json_object_foreach(r->shards, key, shard) {
        struct server *s    = at(r, model_number(shard, "id"));
        json_t        *rows = s ? server_rows(s, &error, "XA RECOVER") : NULL, *row;
        size_t         i;

        all = all && rows;
        json_array_foreach(rows, i, row)
            look_at(r, s, row, still);
        json_decref(rows);
    }
    pthread_mutex_lock(&r->lock);
    json_decref(r->seen);
    r->seen = still;
    pthread_mutex_unlock(&r->lock);
    tell(r, generation);
    if (all && json_object_size(still) == 0)
        clean(r);
}

static void
close_all(struct resolver *r)
{
    for (size_t i = 0; i < json_object_size(r->shards); i++)
        server_close(&r->server[i]);
}

/* The session with a shard that has not changed stays: between two sessions another controller
 * could begin. */
static void
keep_session(struct resolver *r, struct server *from, const json_t *shard, size_t to)
{
    const char *key;
    json_t     *old;
    size_t      i = 0;

    json_object_foreach(r->shards, key, old) {
        struct server *s = &from[i++];

        if (!s->mysql || !json_equal(old, shard))
            continue;
        r->server[to]      = *s;
        r->server[to].name = model_text(shard, "name");
        *s                 = (struct server){ .mysql = NULL };
    }
}

/* The catalog's shards are others than before. */
static void
take_shards(struct resolver *r, json_t *shards)
{
    size_t         n    = json_object_size(r->shards), i = 0;
    struct server *from = mem_alloc((n + 1) * sizeof(*from));
    const char    *key;
    json_t        *shard;

    memcpy(from, r->server, n * sizeof(*from));
    memset(r->server, 0, sizeof(r->server));
    memset(r->tried_ms, 0, sizeof(r->tried_ms));
    memset(r->told, 0, sizeof(r->told));
    json_object_foreach(shards, key, shard)
        keep_session(r, from, shard, i++);
    for (i = 0; i < n; i++)
        server_close(&from[i]);
    free(from);
    json_decref(r->shards);
    r->shards = shards;
}

static void
renew_shards(struct resolver *r)
{
    json_t *shards = catalog_all(r->cluster->catalog, CATALOG_SHARD);

    if (json_equal(shards, r->shards))
        json_decref(shards);
    else
        take_shards(r, shards);
}

/* A controller begins: all servers that answer are free, and are claimed then, or none is. What
 * this home takes for a replica may be the primary now, and knows it. */
static void
begin(struct resolver *r, bool first)
{
    struct sql_error error;
    const char      *key;
    json_t          *shard;
    size_t           n = json_object_size(r->shards);

    memset(r->tried_ms, 0, sizeof(r->tried_ms));
    if (!claims_ask(r->cluster, first, &r->any, &r->held))
        return;
    json_object_foreach(r->shards, key, shard)
        (void)at(r, model_number(shard, "id"));
    for (size_t i = 0; i < n && r->held.code == 0; i++)
        if (r->server[i].mysql && !claim_session(&r->server[i], r->cluster, &error)) {
            server_close(&r->server[i]);
            if (error.code == CLAIM_HELD)
                r->held = error;
        }
    if (r->held.code != 0)
        close_all(r);
}

/* Who stands by goes on doing so while no server answers. */
static void
judge(struct resolver *r)
{
    struct sql_error ignored;
    bool             free = r->held.code == 0 &&
                (r->any || claim_on_duty(r->cluster, &ignored));

    atomic_store(&r->free, free);
    if (r->held.code != 0)
        claim_stand_by(r->cluster, r->held.message);
    else if (free && atomic_load(&r->settled))
        claim_stand_by(r->cluster, "");
}

/* Who was away when this controller began may know more than it does. */
static void
ask_again(struct resolver *r)
{
    if (spawn_now_ms() - r->asked_ms < ASK_EVERY_MS)
        return;
    r->ahead.code = 0;
    if (claims_ask(r->cluster, false, &r->any, &r->ahead))
        r->ahead.code = 0;
    r->asked_ms = spawn_now_ms();
}

static void *
run(void *context)
{
    struct resolver *r = context;

    while (!ticker_wait(&r->ticker, PERIOD_MS)) {
        if (atomic_load(&r->settled))
            ask_again(r);
        /* What it writes must not get to a server that is about to be no primary any more. */
        pthread_mutex_lock(&r->cluster->roles_lock);
        renew_shards(r);
        if (!atomic_load(&r->settled)) /* begin() asks them itself */
            r->ahead.code = 0;
        r->held = r->ahead;
        if (r->held.code == 0 && atomic_load(&r->settled))
            look(r);
        else if (!atomic_load(&r->settled) && !atomic_load(&r->free))
            begin(r, false);
        judge(r);
        pthread_mutex_unlock(&r->cluster->roles_lock);
    }
    return NULL;
}

struct resolver *
resolver_new(struct cluster *c)
{
    struct resolver *r = mem_alloc(sizeof(*r));

    r->cluster    = c;
    r->cleaned_ms = spawn_now_ms();
    r->seen       = json_object();
    pthread_mutex_init(&r->lock, NULL);
    renew_shards(r);
    begin(r, true);
    judge(r);
    return r;
}

void
resolver_start(struct resolver *r)
{
    r->started = ticker_start(&r->ticker, run, r);
    if (r->started)
        r->cluster->resolver = r;
    else
        log_error("the resolver cannot start: there is no thread for it");
}

bool
resolver_may_settle(struct resolver *r)
{
    return !atomic_load(&r->settled) && atomic_load(&r->free);
}

void
resolver_settled(struct resolver *r)
{
    atomic_store(&r->settled, true);
    claim_stand_by(r->cluster, "");
}

void
resolver_take(struct resolver *r)
{
    const char *id;
    json_t     *shard;

    if (!r)
        return;
    pthread_mutex_lock(&r->cluster->roles_lock);
    if (atomic_load(&r->settled) && r->held.code == 0) {
        renew_shards(r);
        json_object_foreach(r->shards, id, shard)
            (void)at(r, model_number(shard, "id"));
    }
    pthread_mutex_unlock(&r->cluster->roles_lock);
}

void
resolver_begin_again(struct resolver *r)
{
    if (!r)
        return;
    atomic_store(&r->free, false);
    atomic_store(&r->settled, false);
}

void
resolver_free(struct resolver *r)
{
    if (!r)
        return;
    if (r->started) {
        ticker_stop(&r->ticker);
        renew_shards(r); /* a server that is no primary any more gets nothing */
        tell(r, claim_generation(r->cluster)); /* what came since the last look */
    }
    close_all(r);
    pthread_mutex_destroy(&r->lock);
    json_decref(r->shards);
    json_decref(r->seen);
    free(r);
}
