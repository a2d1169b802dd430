/* claim.c - see claim.h. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/provision/claim.h"

#define HOLDER ROUTES_MOVE_SCHEMA ".holder"

enum {
    NO_SUCH_DATABASE = 1049, NO_SUCH_TABLE = 1146, DUPLICATE = 1062, NO_SUCH_THREAD = 1094,
    PLACE_MAX = 200, END_MS = 5000, LOOK_MS = 20,
};

struct holder {
    char    id[CLUSTER_HOLDER_MAX], place[PLACE_MAX], since[40];
    int64_t generation;
    bool    is; /* there is one */
};

/* Where this controller is: nobody else can have this home at this place while it lives. */
static void
own_place(const struct cluster *c, char out[PLACE_MAX])
{
    char        host[65] = "";
    struct stat st       = { .st_ino = 0 };

    gethostname(host, sizeof(host) - 1);
    if (stat(c->path.home, &st) != 0)
        st.st_ino = 0;
    snprintf(out, PLACE_MAX, "%s:%.110s (%llu)", host, c->path.home,
             (unsigned long long)st.st_ino);
}

int64_t
claim_generation(struct cluster *c)
{
    json_t *meta       = catalog_get(c->catalog, CATALOG_META, "cluster", NULL);
    int64_t generation = model_number(meta, "generation");

    json_decref(meta);
    return generation;
}

/* --- slots ---------------------------------------------------------------- */

static bool
take_slot(struct server *s, const struct cluster *c, struct sql_error *error)
{
    static atomic_uint next;

    for (unsigned i = 0; i < CLAIM_SLOTS; i++) {
        char got[8];

        if (!server_value(s, got, sizeof(got), error, "SELECT GET_LOCK('shardd/%s/%u', 0)",
                          c->holder, atomic_fetch_add(&next, 1) % CLAIM_SLOTS))
            return false;
        if (strcmp(got, "1") == 0)
            return true;
    }
    return sql_error_set(error, CLAIM_HELD, "shardd: there are %d sessions of moves with %s "
                         "already", CLAIM_SLOTS, s->name);
}

/* The numbers of the sessions of that controller, to be owned; NULL with `error`. */
static json_t *
sessions_of(struct server *s, const char *holder, struct sql_error *error)
{
    struct buf sql   = { 0 };
    json_t    *found = NULL, *rows;

    buf_append_text(&sql, "SELECT IS_USED_LOCK(");
    for (unsigned i = 0; i < CLAIM_SLOTS; i++)
        buf_printf(&sql, "%s'shardd/%s/%u')", i ? ", IS_USED_LOCK(" : "", holder, i);
    rows = server_rows(s, error, "%s", buf_cstr(&sql));
    buf_fini(&sql);
    if (rows) {
        found = json_array();
        for (size_t i = 0; i < CLAIM_SLOTS; i++) {
            const char *number = server_cell(json_array_get(rows, 0), i);

            if (number[0])
                json_array_append_new(found, json_string(number));
        }
    }
    json_decref(rows);
    return found;
}

/* Ends them, and waits until they have. */
static bool
end_sessions(struct server *s, const struct holder *other, struct sql_error *error)
{
    for (int waited = 0; waited <= END_MS; waited += LOOK_MS) {
        json_t *left = sessions_of(s, other->id, error), *number;
        size_t  i, n = json_array_size(left);
        bool    ok   = left != NULL;

        json_array_foreach(left, i, number)
            ok = ok && (server_run(s, error, "KILL %s", json_string_value(number)) ||
                        error->code == NO_SUCH_THREAD);
        json_decref(left);
        if (!ok || n == 0)
            return ok;
        nanosleep(&(struct timespec){ .tv_nsec = LOOK_MS * 1000000L }, NULL);
    }
    return sql_error_set(error, CLAIM_HELD, "shardd: sessions of the controller before this one "
                         "do not end on %s", s->name);
}

/* --- the row -------------------------------------------------------------- */

static bool
make_table(struct server *s, struct sql_error *error)
{
    return server_run(s, error, "CREATE DATABASE IF NOT EXISTS " ROUTES_MOVE_SCHEMA
                      " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin") &&
           server_run(s, error, "CREATE TABLE IF NOT EXISTS " HOLDER " ("
                      "cluster VARCHAR(40) NOT NULL PRIMARY KEY, holder VARCHAR(40) NOT NULL, "
                      "generation BIGINT NOT NULL, place VARCHAR(%d) NOT NULL, "
                      "since TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP) ENGINE=InnoDB",
                      PLACE_MAX);
}

static bool
read_row(struct server *s, const struct cluster *c, struct holder *out, struct sql_error *error)
{
    json_t *rows = server_rows(s, error, "SELECT holder, generation, place, since FROM " HOLDER
                               " WHERE cluster = %s", server_text(c->uuid)), *row;

    *out = (struct holder){ .is = false };
    if (!rows)
        return (error->code == NO_SUCH_TABLE || error->code == NO_SUCH_DATABASE) &&
               make_table(s, error);
    if ((row = json_array_get(rows, 0))) {
        out->is = true;
        snprintf(out->id, sizeof(out->id), "%s", server_cell(row, 0));
        out->generation = strtoll(server_cell(row, 1), NULL, 10);
        snprintf(out->place, sizeof(out->place), "%s", server_cell(row, 2));
        snprintf(out->since, sizeof(out->since), "%s", server_cell(row, 3));
    }
    json_decref(rows);
    return true;
}

/* 1205: somebody else was faster. */
static bool
write_row(struct server *s, struct cluster *c, const struct holder *now, struct sql_error *error)
{
    char place[PLACE_MAX];
    bool ok;

    own_place(c, place);
    if (now->is)
        ok = server_run(s, error, "UPDATE " HOLDER " SET holder = %s, generation = %lld,"
                        " place = %s, since = CURRENT_TIMESTAMP WHERE cluster = %s AND holder = %s",
                        server_text(c->holder), (long long)claim_generation(c), server_text(place),
                        server_text(c->uuid), server_text(now->id));
    else
        ok = server_run(s, error, "INSERT INTO " HOLDER " (cluster, holder, generation, place)"
                        " VALUES (%s, %s, %lld, %s)", server_text(c->uuid),
                        server_text(c->holder), (long long)claim_generation(c),
                        server_text(place));
    if (ok ? s->affected == 1 : error->code != DUPLICATE)
        return ok;
    return sql_error_set(error, CLAIM_HELD, "shardd: another controller begins to work on %s",
                         s->name);
}

static bool
refuse_old(const struct server *s, const struct cluster *c, const struct holder *other,
           struct sql_error *error)
{
    return sql_error_set(error, CLAIM_HELD,
        "shardd: %s is an old copy: %s has been worked on by a controller that knew newer routes "
        "(%s, since %s); stop this controller, or, to lose what the other one did, DELETE FROM "
        HOLDER " there", c->path.home, s->name, other->place, other->since);
}

/* Is nobody of that controller's at work? */
static bool
is_idle(struct server *s, const struct holder *other, struct sql_error *error)
{
    json_t *at_work = sessions_of(s, other->id, error);
    size_t  n       = json_array_size(at_work);
    bool    ok      = at_work && n == 0;

    if (n > 0)
        sql_error_set(error, CLAIM_HELD,
            "shardd: another controller of this cluster works on %s (%s, since %s); stop it, or "
            "this one; if its machine is gone for ever, end its %zu sessions there: KILL %s ...",
            s->name, other->place, other->since, n,
            json_string_value(json_array_get(at_work, 0)));
    json_decref(at_work);
    return ok;
}

static bool
may_take(struct server *s, struct cluster *c, const struct holder *now, struct sql_error *error)
{
    char place[PLACE_MAX];

    own_place(c, place);
    if (now->generation > claim_generation(c))
        return refuse_old(s, c, now, error);
    /* The one before at the same place is dead, though its sessions may not have heard of it. */
    return strcmp(now->place, place) == 0 || is_idle(s, now, error);
}

static bool
take_row(struct server *s, struct cluster *c, const struct holder *now, struct sql_error *error)
{
    char place[PLACE_MAX];

    if (!now->is)
        return write_row(s, c, now, error);
    if (!may_take(s, c, now, error) || !write_row(s, c, now, error) ||
        !end_sessions(s, now, error))
        return false;
    own_place(c, place);
    if (strcmp(now->place, place) != 0)
        log_warn("%s: this controller goes on in place of that of %s", s->name, now->place);
    return true;
}

bool
claim_possible(struct server *s, struct cluster *c, struct sql_error *error)
{
    struct holder now;

    return !c->holder[0] || (read_row(s, c, &now, error) &&
           (!now.is || strcmp(now.id, c->holder) == 0 || may_take(s, c, &now, error)));
}

bool
claim_session(struct server *s, struct cluster *c, struct sql_error *error)
{
    struct holder now;

    if (!c->holder[0])
        return true;
    return take_slot(s, c, error) && read_row(s, c, &now, error) &&
           ((now.is && strcmp(now.id, c->holder) == 0) || take_row(s, c, &now, error));
}

/* --- for as long as a job runs -------------------------------------------- */

/* A server that is away: one may be without it. */
static bool
is_away(const struct sql_error *error)
{
    return error->code != CLAIM_HELD;
}

static bool
keep_one(struct server *s, struct cluster *c, const json_t *shard, struct sql_error *error)
{
    if (s->mysql && mysql_ping(s->mysql) == 0)
        return true;
    server_close(s);
    *s = (struct server){ .answer_s = 5 };
    if (server_open(s, shard, error) && claim_session(s, c, error))
        return true;
    server_close(s);
    return is_away(error);
}

bool
claim_tell(struct server *s, struct cluster *c, int64_t generation, struct sql_error *error)
{
    return server_run(s, error, "UPDATE " HOLDER " SET generation = %lld WHERE cluster = %s"
                      " AND holder = %s AND generation < %lld", (long long)generation,
                      server_text(c->uuid), server_text(c->holder), (long long)generation);
}

static bool
tell(struct server *s, struct cluster *c, int64_t generation, struct sql_error *error)
{
    return !s->mysql || claim_tell(s, c, generation, error) || is_away(error);
}

bool
claims_keep(struct claims *all, struct cluster *c, const json_t *shards, struct sql_error *error)
{
    int64_t     generation = claim_generation(c);
    const char *id;
    json_t     *shard;
    size_t      i = 0;

    if (!all->server) {
        all->n      = json_object_size(shards);
        all->server = mem_alloc(all->n * sizeof(*all->server));
    }
    json_object_foreach((json_t *)(uintptr_t)shards, id, shard) {
        if (i == all->n)
            break;
        if (!keep_one(&all->server[i], c, shard, error) ||
            (generation != all->generation && !tell(&all->server[i], c, generation, error)))
            return false;
        i++;
    }
    all->generation = generation;
    return true;
}

void
claims_fini(struct claims *all)
{
    for (size_t i = 0; i < all->n; i++)
        server_close(&all->server[i]);
    free(all->server);
    *all = (struct claims){ .n = 0 };
}

/* --- duty ----------------------------------------------------------------- */

void
claim_stand_by(struct cluster *c, const char *why)
{
    pthread_mutex_lock(&c->duty_lock);
    if (why[0] && !c->standby[0])
        log_warn("this controller stands by: %s", why);
    else if (!why[0] && c->standby[0])
        log_warn("this controller is on duty now");
    snprintf(c->standby, sizeof(c->standby), "%s", why);
    pthread_mutex_unlock(&c->duty_lock);
}

bool
claim_on_duty(struct cluster *c, struct sql_error *error)
{
    bool is;

    pthread_mutex_lock(&c->duty_lock);
    is = !c->standby[0];
    if (!is)
        sql_error_set(error, CLAIM_HELD, "%s", c->standby);
    pthread_mutex_unlock(&c->duty_lock);
    return is;
}
