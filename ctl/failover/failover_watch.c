/* failover_watch.c - see failover_watch.h. */
#include "ctl/failover/failover_watch.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/failover/failover.h"
#include "ctl/failover/failover_log.h"
#include "ctl/failover/failover_rule.h"
#include "ctl/failover/failover_sight.h"
#include "ctl/failover/reseed.h"
#include "ctl/provision/claim.h"
#include "ctl/provision/parallel.h"
#include "ctl/provision/replication.h"
#include "ctl/provision/spawn.h"
#include "ctl/provision/ticker.h"
#include "shm/slots.h"

enum {
    PERIOD_MS     = 500,
    AGAIN_MS      = 3000, /* after a failover that came to nothing */
    KEEP_EVERY_MS = 2000, /* servers are looked at, whether they are what they should be */
    TELL_MS       = 10000,
    TELL_EVERY_MS = 60000,
    ANSWER_S      = 1,
};

/* What a server refuses with that is there: too many connections of whatever kind. */
static const unsigned refusals[] = { 1040, 1129, 1203, 1226 };

struct failover_watch {
    struct cluster *c;
    struct ticker   ticker;
    struct sight   *sight;
    struct reseed  *reseed;
    int64_t         kept_ms;
    int64_t         tell_ms; /* when it is told that they are not; 0: they are */
    pthread_mutex_t lock;  /* around: */
    json_t         *state; /* {"<shard's id>": {since, after, answered, answered_ms, ...}} */
};

bool
failover_answers(const json_t *server)
{
    struct server    s = { .answer_s = ANSWER_S };
    struct sql_error error = { 0 };
    char             one[8];
    bool ok = server_open(&s, server, &error) &&
              server_value(&s, one, sizeof(one), &error, "SELECT 1");

    server_close(&s);
    for (size_t i = 0; i < countof(refusals); i++)
        ok = ok || error.code == refusals[i];
    return ok;
}

/* --- who looks -------------------------------------------------------------------- */

/* One primary, while it is asked. */
struct view {
    const char   *id;     /* these two are borrowed */
    const json_t *shard;
    bool          answers;
};

static void
ask(void *item)
{
    struct view *v = item;

    v->answers = failover_answers(v->shard);
}

/* A replica that is connected has heard its primary within seconds. */
struct hearer {
    json_t *replica;
    bool    hears;
};

static void
ask_hearer(void *item)
{
    struct hearer            *h = item;
    struct server             s = { .answer_s = ANSWER_S };
    struct replication_status status;
    struct sql_error          ignored;

    h->hears = server_open(&s, h->replica, &ignored) &&
               replication_status(&s, &status, &ignored) && status.io;
    server_close(&s);
}

static unsigned
hearers(struct failover_watch *w, const json_t *shard)
{
    json_t       *all = cluster_replicas(w->c, model_number(shard, "id")), *one;
    struct hearer list[ROUTES_SHARD_REPLICAS_MAX + 1];
    size_t        n = 0, i;
    unsigned      hear = 0;

    json_array_foreach(all, i, one)
        if (!model_text(one, "suspect")[0] && n < ROUTES_SHARD_REPLICAS_MAX)
            list[n++] = (struct hearer){ .replica = one };
    parallel_each(list, n, sizeof(*list), ask_hearer);
    for (i = 0; i < n; i++)
        hear += list[i].hears;
    json_decref(all);
    return hear;
}

/* The time that workers waited for answers of the shard: it grows with each answer. */
static uint64_t
answered(struct failover_watch *w, int64_t shard)
{
    const struct slots *slots = publish_slots(w->c->publisher);
    uint64_t            sum[SHARD_COUNTERS_N] = { 0 };

    if (slots)
        slots_sum_shard(slots, (uint32_t)shard, sum);
    publish_slots_done(w->c->publisher);
    return sum[SHARD_COUNTER_NS];
}

/* --- what is remembered of a shard --------------------------------------------------- */

static json_t *
state_of(struct failover_watch *w, const char *id)
{
    json_t *state = json_object_get(w->state, id);

    if (state)
        return state;
    state = json_pack("{s:I, s:I, s:I, s:I, s:i}", "since", (json_int_t)0, "after", (json_int_t)0,
                      "answered", (json_int_t)-1, "answered_ms", (json_int_t)-1, "failed", 0);
    json_object_set_new(w->state, id, state);
    return state;
}

static void
put(json_t *state, const char *key, int64_t value)
{
    json_object_set_new(state, key, json_integer(value));
}

/* Since when it is silent, and since when workers have had no answer. */
static void
remember(struct failover_watch *w, const struct view *v, json_t *state)
{
    int64_t now = spawn_now_ms(), total = (int64_t)answered(w, model_number(v->shard, "id"));
    int64_t before = model_number(state, "answered");

    if (before >= 0 && total != before)
        put(state, "answered_ms", now);
    put(state, "answered", total);
    if (v->answers)
        put(state, "since", 0);
    else if (model_number(state, "since") == 0) {
        put(state, "since", now);
        log_warn("shard %s: its primary does not answer", model_text(v->shard, "name"));
    }
}

static struct rule_facts
facts_of(struct failover_watch *w, const struct view *v, const json_t *state)
{
    int64_t           now = spawn_now_ms(), since = model_number(state, "since");
    int64_t           heard = model_number(state, "answered_ms");
    struct rule_facts f = {
        .wanted = roles_wait(w->c, v->shard) &&
                  strcmp(model_text(v->shard, "failover"), "manual") != 0,
        .silent_ms = since ? now - since + 1 : 0, .workers_ms = heard < 0 ? -1 : now - heard,
    };

    f.recent = failover_log_recent(v->shard, RULE_WINDOW_S, &f.last_ms);
    return f;
}

static void
tell(json_t *state, const struct view *v, const struct rule_facts *f, int hear,
     enum rule_verdict verdict)
{
    model_set(state, "shard", model_text(v->shard, "name"));
    json_object_set_new(state, "answers", json_boolean(v->answers));
    put(state, "silent_ms", f->silent_ms);
    put(state, "workers_ms", f->workers_ms);
    put(state, "replicas_hear", hear);
    if (f->silent_ms >= RULE_CONFIRM_MS &&
        strcmp(model_text(state, "verdict"), rule_words(verdict)) != 0)
        log_warn("shard %s: %s", model_text(v->shard, "name"), rule_words(verdict));
    model_set(state, "verdict", rule_words(verdict));
}

/* --- what is done ----------------------------------------------------------------------- */

static void
replace(struct failover_watch *w, const struct view *v)
{
    static const struct failover_wish any = { .to = "" };
    struct sql_error error;
    const char      *name   = model_text(v->shard, "name");
    json_t          *answer = failover_lost(w->c, "controller", name, &any,
                                            "it did not answer, and no worker or replica heard it",
                                            &error), *state;

    if (answer)
        log_warn("shard %s: its primary did not answer; %s has taken its place", name,
                 model_text(answer, "to"));
    else
        log_error("shard %s: its primary does not answer, and is not replaced: %s", name,
                  error.message);
    pthread_mutex_lock(&w->lock);
    state = state_of(w, v->id);
    put(state, "after", answer ? 0 : spawn_now_ms() + AGAIN_MS);
    put(state, "failed", model_number(state, "failed") + !answer);
    if (answer)
        put(state, "since", 0);
    pthread_mutex_unlock(&w->lock);
    json_decref(answer);
}

/* Replicas are asked only when they are what is missing for a decision. */
static enum rule_verdict
judge(struct failover_watch *w, const struct view *v)
{
    struct rule_facts f;
    enum rule_verdict verdict;
    int               hear = -1;
    bool              rests;

    pthread_mutex_lock(&w->lock);
    remember(w, v, state_of(w, v->id));
    f     = facts_of(w, v, state_of(w, v->id));
    rests = spawn_now_ms() < model_number(state_of(w, v->id), "after");
    pthread_mutex_unlock(&w->lock);
    verdict = rule_decide(&f);
    if (verdict == RULE_REPLACE) {
        hear            = (int)hearers(w, v->shard);
        f.replicas_hear = (unsigned)hear;
        verdict         = rule_decide(&f);
    }
    if (verdict == RULE_REPLACE && rests)
        verdict = RULE_WAITS;
    pthread_mutex_lock(&w->lock);
    tell(state_of(w, v->id), v, &f, hear, verdict);
    pthread_mutex_unlock(&w->lock);
    return verdict;
}

static bool
has_replicas(struct cluster *c, const json_t *shard)
{
    json_t *all = cluster_replicas(c, model_number(shard, "id"));
    bool    has = json_array_size(all) > 0;

    json_decref(all);
    return has;
}

static void
forget_others(struct failover_watch *w, const json_t *shards)
{
    const char *id;
    json_t     *state;
    void       *next;

    pthread_mutex_lock(&w->lock);
    json_object_foreach_safe(w->state, next, id, state)
        if (!json_object_get(shards, id))
            json_object_del(w->state, id);
    pthread_mutex_unlock(&w->lock);
}

static void
look(struct failover_watch *w)
{
    json_t      *all   = catalog_all(w->c->catalog, CATALOG_SHARD), *shard;
    struct view *views = mem_alloc((json_object_size(all) + 1) * sizeof(*views));
    const char  *id;
    size_t       n = 0;

    json_object_foreach(all, id, shard)
        if (has_replicas(w->c, shard))
            views[n++] = (struct view){ .id = id, .shard = shard };
    parallel_each(views, n, sizeof(*views), ask);
    for (size_t i = 0; i < n && !ticker_is_stopping(&w->ticker); i++)
        if (judge(w, &views[i]) == RULE_REPLACE)
            replace(w, &views[i]);
    forget_others(w, all);
    free(views);
    json_decref(all);
}

/* What cannot be put right at once is tried again, and told of when that does not help. */
static void
keep(struct failover_watch *w)
{
    bool loud, kept;

    if (spawn_now_ms() - w->kept_ms < KEEP_EVERY_MS ||
        pthread_mutex_trylock(&w->c->roles_lock) != 0)
        return;
    loud = w->tell_ms != 0 && spawn_now_ms() >= w->tell_ms;
    kept = roles_keep_all(w->c, false, loud);
    pthread_mutex_unlock(&w->c->roles_lock);
    w->kept_ms = spawn_now_ms();
    if (kept)
        w->tell_ms = 0;
    else if (w->tell_ms == 0 || loud)
        w->tell_ms = w->kept_ms + (loud ? TELL_EVERY_MS : TELL_MS);
}

static void *
run(void *context)
{
    struct failover_watch *w = context;

    while (!ticker_wait(&w->ticker, PERIOD_MS)) {
        struct sql_error ignored;

        if (!claim_on_duty(w->c, &ignored))
            continue;
        look(w);
        keep(w);
    }
    return NULL;
}

/* --- for people ----------------------------------------------------------------------------- */

json_t *
failover_watch_show(struct failover_watch *w)
{
    json_t *out;

    pthread_mutex_lock(&w->lock);
    out = json_deep_copy(w->state);
    pthread_mutex_unlock(&w->lock);
    return out;
}

json_t *
failover_watch_replicas(struct failover_watch *w)
{
    return w->sight ? sight_show(w->sight) : json_object();
}

static void
watch_free(struct failover_watch *w)
{
    reseed_stop(w->reseed);
    sight_stop(w->sight);
    pthread_mutex_destroy(&w->lock);
    json_decref(w->state);
    free(w);
}

struct failover_watch *
failover_watch_start(struct cluster *c)
{
    struct failover_watch *w = mem_alloc(sizeof(*w));

    w->c      = c;
    w->state  = json_object();
    pthread_mutex_init(&w->lock, NULL);
    w->sight  = sight_start(c);
    w->reseed = reseed_start(c, w->sight);
    if (ticker_start(&w->ticker, run, w))
        return w;
    log_error("nobody watches primaries: there is no thread for it");
    watch_free(w);
    return NULL;
}

void
failover_watch_stop(struct failover_watch *w)
{
    if (!w)
        return;
    ticker_stop(&w->ticker);
    watch_free(w);
}
