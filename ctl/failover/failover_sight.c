/* failover_sight.c - see failover_sight.h. */
#include "ctl/failover/failover_sight.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/failover/branches.h"
#include "ctl/failover/mend.h"
#include "ctl/provision/parallel.h"
#include "ctl/provision/replication.h"
#include "ctl/provision/spawn.h"
#include "ctl/provision/ticker.h"

enum {
    PERIOD_MS = 2000,
    ANSWER_S  = 1,
    MEND_S    = 10,
    AGAIN_MS  = 30000, /* what is not for us to mend is not looked into each time */
    OLD_MS    = 5000, /* the resolver has ended a branch before */
    TELL_MS   = 10000, /* what is wrong for so long is told */
    BEHIND_S  = 10,
};

struct sight {
    struct cluster *c;
    struct ticker   ticker;
    pthread_mutex_t lock;  /* around: */
    json_t         *seen;  /* owned; see sight_show() */
    json_t         *since; /* owned; {"<replica's id> <branch>": ms when first seen} */
    json_t         *stopped; /* owned; {"<replica's id>": ms since when it applies nothing} */
    json_t         *later;   /* owned; {"<replica's id>": ms when it can be mended again} */
    json_t         *wrong;   /* owned; {"<replica's id>": {since, told}}, of those that do
                                not replicate as they should */
};

/* One replica, while it is asked. */
struct view {
    const json_t             *replica; /* borrowed */
    bool                      suspect, answers;
    struct replication_status status;
    json_t                   *branches; /* owned; NULL: not known */
    char                      problem[256];
};

/* --- asking --------------------------------------------------------------------- */

/* Whoever started it: it may have what nobody else has, and is never to get more. */
static void
freeze(struct server *s, const json_t *replica)
{
    struct replication_facts facts;
    struct sql_error         error;

    if (!replication_facts(s, &facts, &error) || facts.read_only)
        return;
    replication_cut_off(s, model_text(replica, "user"));
    if (replication_freeze(s, &error))
        log_warn("%s answers again; it was replaced, and is read_only now",
                 model_text(replica, "name"));
    else
        log_warn("%s was replaced, answers again, and is not read_only: %s",
                 model_text(replica, "name"), error.message);
}

static void
ask(void *item)
{
    struct view     *v = item;
    struct server    s = { .answer_s = ANSWER_S };
    struct sql_error error = { 0 };

    v->status  = (struct replication_status){ .behind_s = -1 };
    v->answers = server_open(&s, v->replica, &error) && replication_status(&s, &v->status, &error);
    if (v->answers && v->suspect)
        freeze(&s, v->replica);
    else if (v->answers)
        v->branches = branches_of(&s);
    server_close(&s);
    snprintf(v->problem, sizeof(v->problem), "%.255s",
             v->answers ? v->status.problem : error.message);
}

/* --- what is made of it --------------------------------------------------------------- */

/* Since when it applies nothing because of an error; 0: it does. */
static int64_t
stopped_ms(struct sight *s, const struct view *v, const char *id, json_t *still)
{
    int64_t now = spawn_now_ms(), since = model_number(s->stopped, id);

    if (!v->answers || !v->status.configured || v->status.sql || v->status.error == 0)
        return 0;
    since = since ? since : now;
    json_object_set_new(still, id, json_integer(since));
    return now - since + 1;
}

static json_t *
describe(struct sight *s, const struct view *v, const char *id, json_t *still)
{
    json_t *shard = cluster_shard_by_id(s->c, model_number(v->replica, "shard"));
    json_t *out   = json_pack("{s:s, s:s, s:b, s:b, s:b, s:s, s:I}", "replica",
                              model_text(v->replica, "name"), "shard", model_text(shard, "name"),
                              "suspect", v->suspect, "answers", v->answers, "replicates",
                              v->answers && v->status.io && v->status.sql, "problem", v->problem,
                              "stopped_ms", (json_int_t)stopped_ms(s, v, id, still));

    if (!out) /* a problem that is not UTF-8 */
        out = json_pack("{s:s, s:s, s:b, s:b, s:b}", "replica", model_text(v->replica, "name"),
                        "shard", model_text(shard, "name"), "suspect", v->suspect, "answers",
                        v->answers, "replicates", false);
    json_object_set_new(out, "lag_s", v->answers && v->status.behind_s >= 0
                                          ? json_integer(v->status.behind_s) : json_null());
    json_decref(shard);
    return out;
}

/* Those of its branches that were there OLD_MS ago as well; all are remembered. */
static json_t *
old_branches(struct sight *s, const struct view *v, const char *id, json_t *still)
{
    json_t     *old = json_object(), *row;
    int64_t     now = spawn_now_ms();
    const char *xid;
    char        key[700];

    json_object_foreach(v->branches, xid, row) {
        snprintf(key, sizeof(key), "%s %.600s", id, xid);
        int64_t since = model_number(s->since, key);

        json_object_set_new(still, key, json_integer(since ? since : now));
        if (since && now - since >= OLD_MS)
            json_object_set(old, xid, row);
    }
    return old;
}

static void
keep_branches(struct sight *s, struct view *views, size_t n)
{
    json_t *still = json_object();

    for (size_t i = 0; i < n; i++) {
        char    id[24];
        json_t *old;

        snprintf(id, sizeof(id), "%lld", (long long)model_number(views[i].replica, "id"));
        old = old_branches(s, &views[i], id, still);
        if (json_object_size(old) > 0 && views[i].status.sql)
            branches_keep(s->c, views[i].replica, old);
        json_decref(old);
        json_decref(views[i].branches);
    }
    json_decref(s->since);
    s->since = still;
}

/* Not while somebody changes roles. */
static void
mend(struct sight *s, struct view *v)
{
    struct server    server = { .answer_s = MEND_S };
    struct sql_error ignored;
    char             id[24];

    snprintf(id, sizeof(id), "%lld", (long long)model_number(v->replica, "id"));
    if (v->suspect || !v->answers || v->status.sql || v->status.error == 0 ||
        spawn_now_ms() < model_number(s->later, id) ||
        pthread_mutex_trylock(&s->c->roles_lock) != 0)
        return;
    if (server_open(&server, v->replica, &ignored) &&
        replication_status(&server, &v->status, &ignored) && !v->status.sql &&
        v->status.error != 0 && !mend_applier(s->c, &server, &v->status))
        json_object_set_new(s->later, id, json_integer(spawn_now_ms() + AGAIN_MS));
    server_close(&server);
    pthread_mutex_unlock(&s->c->roles_lock);
}

/* --- what is told ---------------------------------------------------------------------- */

/* NULL: nothing is. */
static const char *
what_is_wrong(const struct view *v)
{
    if (v->suspect)
        return NULL; /* that was told when it was replaced */
    if (!v->answers)
        return "it does not answer";
    if (!v->status.configured)
        return "it does not replicate";
    if (!v->status.sql)
        return "it applies nothing";
    if (!v->status.io)
        return "it gets nothing from its primary";
    return v->status.behind_s >= BEHIND_S ? "it lags behind its primary" : NULL;
}

/* Each is told once, and when it is over. */
static void
tell(struct sight *s, const struct view *v, const char *id, json_t *still)
{
    json_t     *was   = json_object_get(s->wrong, id);
    const char *what  = what_is_wrong(v), *name = model_text(v->replica, "name");
    const char *told  = model_text(was, "told");
    int64_t     now   = spawn_now_ms(), since = was ? model_number(was, "since") : now;
    bool        tells = what && now - since >= TELL_MS && strcmp(told, what) != 0;

    if (tells)
        log_warn("replica %s: %s%s%s", name, what, v->problem[0] ? ": " : "", v->problem);
    else if (!what && told[0])
        log_info("replica %s: it replicates as it should again", name);
    if (what)
        json_object_set_new(still, id, json_pack("{s:I, s:s}", "since", (json_int_t)since, "told",
                                                 tells ? what : told));
}

static void
note(struct sight *s, const struct view *views, size_t n)
{
    json_t *seen = json_object(), *still = json_object(), *wrong = json_object();

    for (size_t i = 0; i < n; i++) {
        char id[24];

        snprintf(id, sizeof(id), "%lld", (long long)model_number(views[i].replica, "id"));
        json_object_set_new(seen, id, describe(s, &views[i], id, still));
        tell(s, &views[i], id, wrong);
    }
    json_decref(s->stopped);
    s->stopped = still;
    json_decref(s->wrong);
    s->wrong = wrong;
    pthread_mutex_lock(&s->lock);
    json_decref(s->seen);
    s->seen = seen;
    pthread_mutex_unlock(&s->lock);
}

static void
look(struct sight *s)
{
    json_t      *all   = catalog_all(s->c->catalog, CATALOG_REPLICA), *replica;
    struct view *views = mem_alloc((json_object_size(all) + 1) * sizeof(*views));
    const char  *id;
    size_t       n = 0;

    json_object_foreach(all, id, replica)
        views[n++] = (struct view){ .replica = replica,
                                    .suspect = model_text(replica, "suspect")[0] != '\0' };
    parallel_each(views, n, sizeof(*views), ask);
    note(s, views, n);
    for (size_t i = 0; i < n; i++)
        mend(s, &views[i]);
    keep_branches(s, views, n);
    free(views);
    json_decref(all);
}

static void *
run(void *context)
{
    struct sight *s = context;

    do
        look(s);
    while (!ticker_wait(&s->ticker, PERIOD_MS));
    return NULL;
}

json_t *
sight_show(struct sight *s)
{
    json_t *out;

    pthread_mutex_lock(&s->lock);
    out = json_deep_copy(s->seen);
    pthread_mutex_unlock(&s->lock);
    return out;
}

static void
sight_free(struct sight *s)
{
    pthread_mutex_destroy(&s->lock);
    json_decref(s->seen);
    json_decref(s->since);
    json_decref(s->stopped);
    json_decref(s->later);
    json_decref(s->wrong);
    free(s);
}

struct sight *
sight_start(struct cluster *c)
{
    struct sight *s = mem_alloc(sizeof(*s));

    s->c       = c;
    s->seen    = json_object();
    s->since   = json_object();
    s->stopped = json_object();
    s->later   = json_object();
    s->wrong   = json_object();
    pthread_mutex_init(&s->lock, NULL);
    if (ticker_start(&s->ticker, run, s))
        return s;
    log_error("nobody looks at replicas: there is no thread for it");
    sight_free(s);
    return NULL;
}

void
sight_stop(struct sight *s)
{
    if (!s)
        return;
    ticker_stop(&s->ticker);
    sight_free(s);
}
