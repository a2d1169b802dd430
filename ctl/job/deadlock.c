/* deadlock.c - see the picture in the header. */
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/job/deadlock.h"
#include "ctl/job/deadlock_graph.h"
#include "ctl/provision/ticker.h"
#include "ctl/provision/schema.h"
#include "ctl/provision/spawn.h"
#include "shm/slots.h"

enum {
    CALM_MS    = 100, /* there are not two transactions on several shards */
    ALERT_MS   = 25,  /* there are */
    LOOK_MS    = 110, /* two wait: more than InnoDB's 100 ms, which every reading begins anew */
    WAITING_MS = 50,
    ANSWER_S   = 5,
    RETRY_MS   = 5000,
};

struct link {
    struct server server;
    uint32_t      shard_id;
    json_t       *shard;    /* its object, as it was when the connection was opened */
    int64_t       retry_ms; /* not before */
    bool          in_txn;   /* ours, whose only use is to be seen in INNODB_TRX */
    bool          noticed;  /* it was seen there as it is now */
};

struct deadlock {
    struct cluster      *cluster;
    struct ticker        ticker;
    struct link          link[ROUTES_SHARDS_MAX];
    uint32_t             n_links;
    struct deadlock_view before;
};

/* --- what the workers tell ------------------------------------------------- */

static bool
is_running(const struct client_info *info)
{
    return info->command != 0 && info->n_participants >= 2;
}

/* Adds those of one worker; returns how many of them wait for long. */
static uint32_t
add_txns(const struct slot *slot, uint32_t n_clients, struct deadlock_view *view)
{
    uint64_t           rows = atomic_load_explicit(&slot->rows, memory_order_acquire);
    uint64_t           now  = slots_now_ms();
    uint32_t           n    = 0;
    struct client_info info;

    for (uint32_t row = 0; row < rows && row < n_clients; row++) {
        struct deadlock_txn txn;
        if (!client_is_spread(slot, row) || !client_read(slot, row, &info) || !is_running(&info))
            continue;
        txn.client    = info.id;
        txn.spread_us = info.spread_us;
        txn.n_members = info.n_participants;
        memcpy(txn.member, info.participant, sizeof(txn.member));
        deadlock_view_add_txn(view, &txn);
        n += now >= info.since_ms + WAITING_MS;
    }
    return n;
}

/* Those that may be waiting for one another. Returns in how many ms to come again. */
static int
read_txns(struct deadlock *d, struct deadlock_view *view)
{
    const struct slots *slots = publish_slots(d->cluster->publisher);
    uint64_t            open  = 0;
    uint32_t            stuck = 0;

    for (uint32_t w = 0; slots && w < slots->n_workers; w++)
        open += atomic_load_explicit(&slots_at(slots, w)->counter[COUNTER_TXN_MULTI_OPEN],
                                     memory_order_relaxed);
    for (uint32_t w = 0; slots && open >= 2 && w < slots->n_workers; w++)
        if (slot_alive(slots_at(slots, w), slots_now_ms(), 0))
            stuck += add_txns(slots_at(slots, w), slots->n_clients, view);
    publish_slots_done(d->cluster->publisher);
    return stuck >= 2 ? LOOK_MS : open >= 2 ? ALERT_MS : CALM_MS;
}

/* --- what the shards tell --------------------------------------------------- */

static void
close_link(struct link *l)
{
    server_close(&l->server);
    json_decref(l->shard);
    l->shard  = NULL;
    l->in_txn = l->noticed = false;
}

/* The connection leads where the shard is now. */
static bool
keep_link(struct deadlock *d, struct link *l, struct sql_error *error)
{
    json_t *shard = cluster_shard_by_id(d->cluster, l->shard_id);

    if (l->server.mysql && json_equal(shard, l->shard)) {
        json_decref(shard);
        return true;
    }
    close_link(l);
    l->shard = shard;
    if (!shard)
        return sql_error_set(error, SQL_UNKNOWN_ERROR, "it is not in the catalog");
    l->noticed         = true;
    l->server.answer_s = ANSWER_S;
    return server_open_as(&l->server, shard, SCHEMA_SERVICE_USER, d->cluster->service_secret,
                          NULL, error) &&
           server_run(&l->server, error, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ");
}

static struct link *
link_to(struct deadlock *d, uint32_t shard_id)
{
    for (uint32_t i = 0; i < d->n_links; i++)
        if (d->link[i].shard_id == shard_id)
            return &d->link[i];
    if (d->n_links == countof(d->link))
        return NULL;
    struct link *l = &d->link[d->n_links++];
    *l = (struct link){ .shard_id = shard_id };
    return l;
}

/* The statements that run; rows are [thread, query]. Read before the waits: what runs
 * now and runs again when the next look begins ran all the time between. */
static json_t *
read_running(struct link *l, struct sql_error *error)
{
    return server_rows(&l->server, error, "SELECT ID, QUERY_ID FROM information_schema.PROCESSLIST"
                       " WHERE COMMAND <> 'Sleep'");
}

/* See the header. False: the tables are old, or the server did not answer. */
static bool
is_fresh(struct link *l, struct sql_error *error)
{
    char shown[32];

    if (l->noticed) {
        if (!server_run(&l->server, error, "%s",
                        l->in_txn ? "COMMIT" : "START TRANSACTION WITH CONSISTENT SNAPSHOT"))
            return false;
        l->in_txn  = !l->in_txn;
        l->noticed = false;
    }
    error->code = 0;
    if (!server_value(&l->server, shown, sizeof(shown), error, "SELECT COUNT(*) FROM"
                      " information_schema.INNODB_TRX"
                      " WHERE trx_mysql_thread_id = CONNECTION_ID()"))
        return false;
    l->noticed = (strcmp(shown, "0") != 0) == l->in_txn;
    return l->noticed;
}

static uint64_t
number_at(const json_t *row, size_t column)
{
    return strtoull(server_cell(row, column), NULL, 10);
}

static uint64_t
query_of(const json_t *running, uint64_t thread)
{
    json_t *row;
    size_t  i;

    json_array_foreach((json_t *)(uintptr_t)running, i, row)
        if (number_at(row, 0) == thread)
            return number_at(row, 1);
    return 0;
}

/* A prepared branch whose connection is gone belongs to thread 0: nobody who waits. */
static bool
read_waits(struct link *l, const json_t *running, struct deadlock_view *view,
           struct sql_error *error)
{
    json_t *rows, *row;
    size_t  i;

    rows = server_rows(&l->server, error,
        "SELECT DISTINCT r.trx_mysql_thread_id, b.trx_mysql_thread_id"
        " FROM information_schema.INNODB_LOCK_WAITS w"
        " JOIN information_schema.INNODB_TRX r ON r.trx_id = w.requesting_trx_id"
        " JOIN information_schema.INNODB_TRX b ON b.trx_id = w.blocking_trx_id");
    json_array_foreach(rows, i, row) {
        uint64_t             waiter = number_at(row, 0), blocker = number_at(row, 1);
        struct deadlock_wait wait   = {
            .waiter  = participant_word(l->shard_id, waiter),
            .blocker = participant_word(l->shard_id, blocker),
            .query   = query_of(running, waiter),
        };
        if (waiter != 0 && blocker != 0 && wait.query != 0)
            deadlock_view_add_wait(view, &wait);
    }
    json_decref(rows);
    return rows != NULL;
}

static void
ask(struct deadlock *d, uint32_t shard_id, struct deadlock_view *view)
{
    struct link     *l       = link_to(d, shard_id);
    struct sql_error error   = { 0 };
    json_t          *running = NULL;

    if (!l || spawn_now_ms() < l->retry_ms)
        return;
    bool ok = keep_link(d, l, &error) &&
              (running = read_running(l, &error)) != NULL && is_fresh(l, &error) &&
              read_waits(l, running, view, &error);
    json_decref(running);
    if (ok || error.code == 0)
        return;
    log_warn("deadlocks cannot be looked for on shard %u: %s", shard_id, error.message);
    close_link(l);
    l->retry_ms = spawn_now_ms() + RETRY_MS;
}

static void
ask_all(struct deadlock *d, struct deadlock_view *view)
{
    struct shard_ids {
        uint32_t n, id[ROUTES_SHARDS_MAX];
    } *asked = mem_alloc(sizeof(*asked));

    for (uint32_t t = 0; t < view->n_txns; t++)
        for (uint64_t m = 0; m < view->txn[t].n_members; m++) {
            uint32_t id = participant_shard(view->txn[t].member[m]), i = 0;
            while (i < asked->n && asked->id[i] != id)
                i++;
            if (i < asked->n || asked->n == ROUTES_SHARDS_MAX)
                continue;
            asked->id[asked->n++] = id;
            ask(d, id, view);
        }
    free(asked);
}

/* --- the end of a deadlock --------------------------------------------------- */

/* All its statements that wait: the transaction can end only when none does. */
static void
end_txn(struct deadlock *d, const struct deadlock_view *view, const struct deadlock_txn *txn)
{
    uint64_t         last = 0;
    uint32_t         n    = 0;
    struct sql_error error;

    for (uint32_t i = 0; i < view->n_waits; i++) {
        const struct deadlock_wait *w = &view->wait[i];
        struct link                *l = link_to(d, participant_shard(w->waiter));
        if (w->waiter == last || !deadlock_txn_has(txn, w->waiter) || !l || !l->server.mysql)
            continue;
        last = w->waiter; /* they are sorted by it */
        if (server_run(&l->server, &error, "KILL QUERY ID %llu", (unsigned long long)w->query))
            n++;
        else
            log_info("deadlock: the statement of client %llu on shard %u has ended: %s",
                     (unsigned long long)txn->client, l->shard_id, error.message);
    }
    if (n == 0)
        return;
    atomic_fetch_add(&d->cluster->deadlocks, 1);
    log_info("deadlock between shards: ended the transaction of client %llu, on %u shards",
             (unsigned long long)txn->client, (unsigned)txn->n_members);
}

/* Whoever was ended needs a moment to be gone: the next look must not find it again. */
static void
forget_txn(struct deadlock_view *view, const struct deadlock_txn *txn)
{
    for (uint32_t i = 0; i < view->n_txns; i++)
        if (view->txn[i].client == txn->client)
            view->txn[i].spread_us = 0;
}

static void
end_deadlocks(struct deadlock *d, struct deadlock_view *now)
{
    struct deadlock_view both    = deadlock_view_both(&d->before, now);
    uint32_t            *victims = mem_alloc((both.n_txns + 1) * sizeof(*victims));
    uint32_t             n       = deadlock_find(&both, victims);

    for (uint32_t i = 0; i < n; i++) {
        end_txn(d, &both, &both.txn[victims[i]]);
        forget_txn(now, &both.txn[victims[i]]);
    }
    free(victims);
    deadlock_view_fini(&both);
}

/* --- the thread --------------------------------------------------------------- */

/* Nobody waits: connections stay open for the next time, but no transaction does. */
static void
rest(struct deadlock *d)
{
    struct sql_error ignored;

    deadlock_view_fini(&d->before);
    for (uint32_t i = 0; i < d->n_links; i++) {
        struct link *l = &d->link[i];
        if (!l->in_txn)
            continue;
        l->in_txn  = false;
        l->noticed = false; /* the tables have to show that it ended */
        if (!server_run(&l->server, &ignored, "COMMIT"))
            close_link(l);
    }
}

static int
look(struct deadlock *d)
{
    struct deadlock_view now     = { 0 };
    int                  next_ms = read_txns(d, &now);

    if (next_ms == LOOK_MS) {
        ask_all(d, &now);
        end_deadlocks(d, &now);
        deadlock_view_fini(&d->before);
        d->before = now;
    } else {
        deadlock_view_fini(&now);
        rest(d);
    }
    return next_ms;
}

static void *
run(void *context)
{
    struct deadlock *d       = context;
    int              next_ms = CALM_MS;

    while (!ticker_wait(&d->ticker, (unsigned)next_ms))
        next_ms = look(d);
    for (uint32_t i = 0; i < d->n_links; i++)
        close_link(&d->link[i]);
    deadlock_view_fini(&d->before);
    return NULL;
}

struct deadlock *
deadlock_start(struct cluster *c)
{
    struct deadlock *d = mem_alloc(sizeof(*d));

    d->cluster = c;
    if (ticker_start(&d->ticker, run, d))
        return d;
    log_error("deadlocks between shards are not found: there is no thread for it");
    free(d);
    return NULL;
}

void
deadlock_stop(struct deadlock *d)
{
    if (!d)
        return;
    ticker_stop(&d->ticker);
    free(d);
}
