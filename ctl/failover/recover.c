/* recover.c - see recover.h. */
#include "ctl/failover/recover.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/failover/failover_log.h"
#include "ctl/job/resolver.h"
#include "ctl/provision/claim.h"
#include "ctl/provision/parallel.h"
#include "ctl/provision/replication.h"
#include "shm/routes.h"

enum { ANSWER_S = 5, NUMBERS_GAP = 100, USERS_GAP = 1000 };

/* What one server says. */
struct said {
    struct cluster           *c;
    json_t                   *server; /* borrowed: the shard's object, or a replica's */
    bool                      answers, works; /* works: that controller is at it right now */
    struct claim_holder       row;
    struct replication_status follows;
    struct sql_error          error;
};

struct recover {
    struct cluster *c;
    bool            force;
    json_t         *shards, *replicas, *answer;
    struct said    *said; /* those of the shards, in their order, and of the replicas behind them */
    size_t          n_said;
    int64_t         term, generation; /* the most that anybody knows */
};

static void
ask(void *item)
{
    struct said  *a = item;
    struct server s = { .answer_s = ANSWER_S };
    bool          idle = true;

    a->answers = server_open(&s, a->server, &a->error) &&
                 claim_read(&s, a->c, &a->row, &a->error) &&
                 replication_status(&s, &a->follows, &a->error);
    if (a->answers && a->row.is)
        a->answers = claim_is_idle(&s, &a->row, &idle, &a->error);
    a->works = a->answers && a->row.is && strcmp(a->row.id, a->c->holder) != 0 && !idle;
    server_close(&s);
}

static void
ask_all(struct recover *r)
{
    const char *id;
    json_t     *server;
    size_t      n = 0;

    r->n_said = json_object_size(r->shards) + json_object_size(r->replicas);
    r->said   = mem_alloc((r->n_said + 1) * sizeof(*r->said));
    json_object_foreach(r->shards, id, server)
        r->said[n++] = (struct said){ .c = r->c, .server = server };
    json_object_foreach(r->replicas, id, server)
        r->said[n++] = (struct said){ .c = r->c, .server = server };
    parallel_each(r->said, n, sizeof(*r->said), ask);
}

/* --- what is wrong ---------------------------------------------------------------- */

static const char *
shard_name(const struct recover *r, int64_t id)
{
    char key[24];

    snprintf(key, sizeof(key), "%lld", (long long)id);
    return model_text(json_object_get(r->shards, key), "name");
}

static void problem(struct recover *r, const char *shard, const char *fmt, ...) printf_like(3, 4);

static void
problem(struct recover *r, const char *shard, const char *fmt, ...)
{
    char    text[600];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    json_array_append_new(json_object_get(r->answer, "problems"),
                          json_pack("{s:s, s:s}", "shard", shard, "problem", text));
}

/* As it is told to people: a shard's own server has no name until it was replaced. */
static void
server_words(const struct said *a, char out[80])
{
    const char *name = model_is_replica(a->server) ? model_text(a->server, "name")
                                                   : model_text(a->server, "server_name");

    if (name[0])
        snprintf(out, 80, "%s", name);
    else
        snprintf(out, 80, "server-%d", model_server_number(a->server));
}

static bool
knows_more(const struct claim_holder *a, const struct claim_holder *b)
{
    return a->term != b->term ? a->term > b->term : a->generation > b->generation;
}

static bool
is_of(const struct said *a, int64_t shard)
{
    return model_server_shard(a->server) == shard;
}

/* One that is away may know more than those that answer. */
static void
check_each(struct recover *r)
{
    for (size_t i = 0; i < r->n_said; i++) {
        struct said *a = &r->said[i];
        const char  *shard = shard_name(r, model_server_shard(a->server));
        char         name[80];

        server_words(a, name);
        if (a->works)
            problem(r, shard, "the controller of %s works on %s right now: stop it, and look again",
                    a->row.place, name);
        if (!a->answers && !r->force && !model_text(a->server, "suspect")[0])
            problem(r, shard, "%s does not answer, and may know more than the others: start it, or "
                    "go on with --force without it (%.200s)", name, a->error.message);
    }
}

/* The placement is that of the row that knows most, wherever it is. */
static void
check_placement(struct recover *r)
{
    const struct claim_holder *most = NULL;
    char                       ours[CLAIM_PLACEMENT_MAX];
    json_t                    *move = catalog_get(r->c->catalog, CATALOG_META, "move", NULL);

    claim_placement(r->c, ours);
    for (size_t i = 0; i < r->n_said; i++)
        if (r->said[i].answers && r->said[i].row.is &&
            (!most || knows_more(&r->said[i].row, most)))
            most = &r->said[i].row;
    if (!most)
        problem(r, "", "no server says who has worked on it");
    else if (strcmp(most->placement, ours) != 0)
        problem(r, "", "tables, databases, shards or the places of rows were changed after this "
                "copy was made (by the controller of %s): what this home would publish is wrong. "
                "Restore a newer copy of it; 'shardctl fsck' shows what lies elsewhere than it "
                "believes. To have what it believes published in spite of that: DELETE FROM "
                ROUTES_MOVE_SCHEMA ".holder on each server", most->place);
    else if (json_object_get(move, "job"))
        problem(r, "", "rows were on the move: start the controller that moved them, or restore a "
                "newer copy of its home");
    if (most) {
        r->term       = most->term;
        r->generation = most->generation;
    }
    json_decref(move);
}

/* --- whose turn it is ------------------------------------------------------------- */

/* A later term with an older generation: who began it did not know what the other one did. */
static bool
is_split(struct recover *r, const json_t *shard, const struct claim_holder *most)
{
    for (size_t i = 0; i < r->n_said; i++) {
        const struct said *a = &r->said[i];
        char               name[80];

        if (!is_of(a, model_number(shard, "id")) || !a->answers || !a->row.is ||
            a->row.generation <= most->generation)
            continue;
        server_words(a, name);
        problem(r, model_text(shard, "name"), "two controllers have had a primary each: that of "
                "%s knew more when the other one (%s) began, without %s. Both may have commits "
                "that the other one lacks: choose, stop the server whose are to be given up, and "
                "go on with --force", a->row.place, most->place, name);
        return true;
    }
    return false;
}

/* Of those that know most: replicas know as much as whom they follow. */
static struct said *
primary_of(struct recover *r, const json_t *shard)
{
    int64_t                    id   = model_number(shard, "id");
    const struct claim_holder *most = NULL;
    struct said               *found = NULL, *follower = NULL;
    size_t                     n = 0;

    for (size_t i = 0; i < r->n_said; i++)
        if (is_of(&r->said[i], id) && r->said[i].answers && r->said[i].row.is &&
            (!most || knows_more(&r->said[i].row, most)))
            most = &r->said[i].row;
    for (size_t i = 0; i < r->n_said && most; i++) {
        struct said *a = &r->said[i];

        if (!is_of(a, id) || !a->answers || !a->row.is || knows_more(most, &a->row))
            continue;
        if (a->follows.configured)
            follower = a;
        else
            found = a;
        n += !a->follows.configured;
    }
    if (n == 1 && !is_split(r, shard, most))
        return found;
    if (n == 1)
        return NULL;
    if (n > 1)
        problem(r, model_text(shard, "name"), "%zu of its servers claim to be the primary: make "
                "all but one of them replicate that one, or stop them and use --force", n);
    else if (follower)
        problem(r, model_text(shard, "name"), "its primary, at %s:%d, does not answer or is not "
                "known to this home: start it, or run STOP SLAVE and RESET SLAVE ALL on the "
                "replica that is to take its place", follower->follows.host,
                follower->follows.port);
    else
        problem(r, model_text(shard, "name"), "none of its servers says who has worked on it");
    return NULL;
}

static bool
is_following(const struct said *a, const json_t *primary)
{
    return a->answers && a->follows.configured &&
           a->follows.port == (int)model_number(primary, "port") &&
           strcmp(a->follows.host, model_text(primary, "host")) == 0;
}

static void
show(struct recover *r, const struct said *a, const struct said *primary)
{
    char name[80], knows[64] = "-";
    bool is_replica = model_is_replica(a->server);

    server_words(a, name);
    if (a->answers && a->row.is)
        snprintf(knows, sizeof(knows), "term %lld, generation %lld", (long long)a->row.term,
                 (long long)a->row.generation);
    json_array_append_new(
        json_object_get(r->answer, "servers"),
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "shard",
                  shard_name(r, model_server_shard(a->server)), "server", name, "is",
                  !is_replica ? "primary" : model_text(a->server, "suspect")[0] ? "suspect"
                                                                               : "replica",
                  "becomes", a == primary ? "primary" : is_following(a, primary->server)
                                                            ? "replica" : "suspect",
                  "knows", knows, "where", a->answers ? a->row.place : "(no answer)"));
}

/* --- what is done ----------------------------------------------------------------- */

static void
put(struct catalog_change *change, enum catalog_kind kind, json_t *object)
{
    char id[24];

    snprintf(id, sizeof(id), "%lld", (long long)model_number(object, "id"));
    catalog_put(change, kind, id, object, CATALOG_ANY);
}

static void
set_suspect(const struct said *a, bool suspect)
{
    if (!suspect)
        json_object_del(a->server, "suspect");
    else if (!model_text(a->server, "suspect")[0])
        model_set(a->server, "suspect", "it did not follow the primary when this home was "
                                        "recovered");
}

static void
take_place(struct catalog_change *change, json_t *shard, struct said *primary, bool suspect,
           const char *who)
{
    char before[24], name[80];

    server_words(primary, name);
    snprintf(before, sizeof(before), "%lld", (long long)model_number(primary->server, "id"));
    model_swap_servers(shard, primary->server);
    set_suspect(primary, suspect);
    failover_log_add(shard, &(struct failover_event){
        .from = model_text(primary->server, "name"), .to = name, .kind = "recovered",
        .why = "the servers say so", .who = who });
    catalog_remove(change, CATALOG_REPLICA, before, CATALOG_ANY);
    put(change, CATALOG_REPLICA, primary->server);
}

/* The others first: the objects of two change places then. */
static void
change_shard(struct recover *r, struct catalog_change *change, json_t *shard,
             struct said *primary, const char *who)
{
    bool suspect = false;

    for (size_t i = 0; i < r->n_said; i++) {
        struct said *a = &r->said[i];

        if (a == primary || !is_of(a, model_number(shard, "id")))
            continue;
        if (a->server == shard) {
            suspect = !is_following(a, primary->server);
            continue;
        }
        set_suspect(a, !is_following(a, primary->server));
        put(change, CATALOG_REPLICA, a->server);
    }
    if (primary->server != shard)
        take_place(change, shard, primary, suspect, who);
    json_object_set_new(shard, "epoch", json_integer(model_number(shard, "epoch") + 1));
    json_object_set_new(shard, "lost", json_false());
    put(change, CATALOG_SHARD, shard);
}

/* Nothing was on the move. What they have left on servers is for fsck to find. */
static void
give_up_jobs(struct catalog_change *change, const json_t *jobs)
{
    json_t *record;
    size_t  i;
    char    name[24];

    json_array_foreach((json_t *)(uintptr_t)jobs, i, record) {
        snprintf(name, sizeof(name), "%010lld", (long long)model_number(record, "number"));
        model_set(record, "state", job_state_name(JOB_FAILED));
        model_set(record, "error", "its controller's home was lost; look with 'shardctl fsck'");
        catalog_put(change, CATALOG_JOB, name, record, CATALOG_ANY);
    }
}

static void
leap(json_t *meta, const char *key, int64_t gap)
{
    json_object_set_new(meta, key, json_integer(model_number(meta, key) + gap));
}

static void
change_meta(struct recover *r, struct catalog_change *change)
{
    json_t *meta       = catalog_read(change, CATALOG_META, "cluster", NULL);
    int64_t generation = model_number(meta, "generation");

    generation = (generation > r->generation ? generation : r->generation) + 1;
    json_object_set_new(meta, "generation", json_integer(generation));
    json_object_set_new(meta, "term", json_integer(r->term + 1));
    leap(meta, "users_generation", USERS_GAP);
    leap(meta, "next_replica", NUMBERS_GAP);
    leap(meta, "next_engine", NUMBERS_GAP);
    leap(meta, "next_job", NUMBERS_GAP);
    catalog_put(change, CATALOG_META, "cluster", meta, CATALOG_ANY);
    json_decref(meta);
    catalog_remove(change, CATALOG_META, "move", CATALOG_ANY); /* fences of before */
}

static bool
apply_all(struct recover *r, struct said *const *primary, const char *who,
          struct sql_error *error)
{
    json_t                *jobs   = job_list(r->c, 0, true), *shard;
    struct catalog_change *change = catalog_begin(r->c->catalog, who);
    const char            *id;
    size_t                 i = 0;

    json_object_foreach(r->shards, id, shard)
        change_shard(r, change, shard, primary[i++], who);
    give_up_jobs(change, jobs);
    json_decref(jobs);
    change_meta(r, change);
    if (!job_commit(change, error))
        return false;
    for (i = 0; i < r->n_said; i++) {
        json_t *server = r->said[i].server;

        cluster_renew(r->c, server);
        cluster_hold_local(r->c, model_server_id(server), model_text(server, "suspect")[0]);
    }
    log_warn("this home was an old copy, and has learned from the servers who their primaries are");
    resolver_begin_again(r->c->resolver);
    return true;
}

/* Fills the answer. */
static bool
plan(struct recover *r, struct said **primary)
{
    const char *id;
    json_t     *shard;
    size_t      i = 0;

    ask_all(r);
    check_each(r);
    check_placement(r);
    json_object_foreach(r->shards, id, shard) {
        primary[i] = primary_of(r, shard);
        for (size_t k = 0; k < r->n_said && primary[i]; k++)
            if (is_of(&r->said[k], model_number(shard, "id")))
                show(r, &r->said[k], primary[i]);
        i++;
    }
    return json_array_size(json_object_get(r->answer, "problems")) == 0;
}

static json_t *
run(struct recover *r, const char *who, bool apply, struct sql_error *error)
{
    struct said **primary  = mem_alloc((json_object_size(r->shards) + 1) * sizeof(*primary));
    bool          possible = plan(r, primary), ok = true;

    json_object_set_new(r->answer, "possible", json_boolean(possible));
    json_object_set_new(r->answer, "term", json_integer(r->term));
    json_object_set_new(r->answer, "generation", json_integer(r->generation));
    if (possible && apply)
        ok = apply_all(r, primary, who, error);
    json_object_set_new(r->answer, "done", json_boolean(possible && apply && ok));
    free(primary);
    free(r->said);
    if (!ok)
        json_decref(r->answer);
    return ok ? r->answer : NULL;
}

json_t *
recover_run(struct cluster *c, const char *who, bool force, bool apply, struct sql_error *error)
{
    struct recover   r = { .c = c, .force = force };
    struct sql_error why;
    json_t          *answer;

    if (claim_on_duty(c, &why)) {
        sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: this controller is on duty: there is "
                      "nothing to recover");
        return NULL;
    }
    pthread_mutex_lock(&c->roles_lock); /* the resolver does not begin meanwhile */
    r.shards   = catalog_all(c->catalog, CATALOG_SHARD);
    r.replicas = catalog_all(c->catalog, CATALOG_REPLICA);
    r.answer   = json_pack("{s:s, s:[], s:[]}", "standby", why.message, "problems", "servers");
    answer     = run(&r, who, apply, error);
    pthread_mutex_unlock(&c->roles_lock);
    json_decref(r.shards);
    json_decref(r.replicas);
    return answer;
}
