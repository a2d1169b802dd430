/* claim.c - see claim.h. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <xxhash.h>

#include "core/base/log.h"
#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/provision/claim.h"
#include "ctl/provision/failpoint.h"

#define HOLDER ROUTES_MOVE_SCHEMA ".holder"

enum {
    NO_SUCH_DATABASE = 1049, NO_SUCH_TABLE = 1146, NO_SUCH_COLUMN = 1054, DUPLICATE = 1062,
    NO_SUCH_THREAD = 1094, PLACE_MAX = CLAIM_PLACE_MAX, END_MS = 5000, LOOK_MS = 20,
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

static int64_t
number_of(struct cluster *c, const char *key)
{
    json_t *meta   = catalog_get(c->catalog, CATALOG_META, "cluster", NULL);
    int64_t number = model_number(meta, key);

    json_decref(meta);
    return number;
}

int64_t
claim_generation(struct cluster *c)
{
    return number_of(c, "generation");
}

int64_t
claim_term(struct cluster *c)
{
    return number_of(c, "term");
}

/* Whoever had the servers before us, at another place, is an old copy from now on. */
static bool
take_term(struct cluster *c, int64_t term, struct sql_error *error)
{
    struct catalog_change *change = catalog_begin(c->catalog, "controller");
    json_t                *meta   = catalog_read(change, CATALOG_META, "cluster", NULL);
    struct err             err;

    json_object_set_new(meta, "term", json_integer(term));
    catalog_put(change, CATALOG_META, "cluster", meta, CATALOG_ANY);
    json_decref(meta);
    return catalog_commit(change, &err) == 0 ||
           sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: %.400s", err.text);
}

/* Takes `part`. */
static void
add_part(XXH3_state_t *state, json_t *part)
{
    char *text = json_dumps(part, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY);

    if (text)
        XXH3_64bits_update(state, text, strlen(text) + 1);
    free(text);
    json_decref(part);
}

/* Which shards there are; not by what servers. */
static json_t *
names_of(json_t *objects)
{
    json_t     *names = json_object(), *object;
    const char *name;

    json_object_foreach(objects, name, object)
        json_object_set_new_nocheck(names, name, json_true());
    json_decref(objects);
    return names;
}

/* What a move that is under way has its readers not see. */
static json_t *
hidden(json_t *move)
{
    json_t *out = json_pack("{s:I}", "job", (json_int_t)model_number(move, "job"));

    json_object_set(out, "hide", json_object_get(move, "hide"));
    json_decref(move);
    return out;
}

void
claim_placement(struct cluster *c, char out[CLAIM_PLACEMENT_MAX])
{
    XXH3_state_t *state = XXH3_createState();

    XXH3_64bits_reset(state);
    add_part(state, names_of(catalog_all(c->catalog, CATALOG_SHARD)));
    add_part(state, catalog_get(c->catalog, CATALOG_RANGES, "map", NULL));
    add_part(state, catalog_all(c->catalog, CATALOG_DATABASE));
    add_part(state, catalog_all(c->catalog, CATALOG_TABLE));
    add_part(state, hidden(catalog_get(c->catalog, CATALOG_META, "move", NULL)));
    snprintf(out, CLAIM_PLACEMENT_MAX, "%016llx",
             (unsigned long long)XXH3_64bits_digest(state));
    XXH3_freeState(state);
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
end_sessions(struct server *s, const struct claim_holder *other, struct sql_error *error)
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
                      PLACE_MAX) &&
           server_run(s, error, "ALTER TABLE " HOLDER
                      " ADD COLUMN IF NOT EXISTS term BIGINT NOT NULL DEFAULT 0,"
                      " ADD COLUMN IF NOT EXISTS placement VARCHAR(20) NOT NULL DEFAULT '',"
                      " ADD COLUMN IF NOT EXISTS told TIMESTAMP(6) NULL");
}

static bool
has_no_row(const struct sql_error *error)
{
    return error->code == NO_SUCH_TABLE || error->code == NO_SUCH_DATABASE ||
           error->code == NO_SUCH_COLUMN;
}

bool
claim_read(struct server *s, const struct cluster *c, struct claim_holder *out,
           struct sql_error *error)
{
    json_t *rows = server_rows(s, error, "SELECT holder, generation, place, since, term,"
                               " placement, told FROM " HOLDER " WHERE cluster = %s",
                               server_text(c->uuid)), *row;

    *out = (struct claim_holder){ .is = false };
    if (!rows)
        return has_no_row(error);
    if ((row = json_array_get(rows, 0))) {
        out->is = true;
        snprintf(out->id, sizeof(out->id), "%s", server_cell(row, 0));
        out->generation = strtoll(server_cell(row, 1), NULL, 10);
        snprintf(out->place, sizeof(out->place), "%s", server_cell(row, 2));
        snprintf(out->since, sizeof(out->since), "%s", server_cell(row, 3));
        out->term = strtoll(server_cell(row, 4), NULL, 10);
        snprintf(out->placement, sizeof(out->placement), "%s", server_cell(row, 5));
    }
    json_decref(rows);
    return true;
}

/* What a server without a row lacks for one is made. */
static bool
read_row(struct server *s, const struct cluster *c, struct claim_holder *out,
         struct sql_error *error)
{
    *error = (struct sql_error){ 0 };
    return claim_read(s, c, out, error) && (error->code == 0 || make_table(s, error)) &&
           (error->code == 0 || claim_read(s, c, out, error));
}

/* 1205: somebody else was faster. */
static bool
write_row(struct server *s, struct cluster *c, const struct claim_holder *now,
          struct sql_error *error)
{
    char place[PLACE_MAX], placement[CLAIM_PLACEMENT_MAX];
    bool ok;

    own_place(c, place);
    claim_placement(c, placement);
    if (now->is)
        ok = server_run(s, error, "UPDATE " HOLDER " SET holder = %s, term = %lld, generation ="
                        " %lld, placement = %s, place = %s, since = CURRENT_TIMESTAMP"
                        " WHERE cluster = %s AND holder = %s", server_text(c->holder),
                        (long long)claim_term(c), (long long)claim_generation(c),
                        server_text(placement), server_text(place), server_text(c->uuid),
                        server_text(now->id));
    else
        ok = server_run(s, error, "INSERT INTO " HOLDER " (cluster, holder, term, generation,"
                        " placement, place) VALUES (%s, %s, %lld, %lld, %s, %s)",
                        server_text(c->uuid), server_text(c->holder), (long long)claim_term(c),
                        (long long)claim_generation(c), server_text(placement),
                        server_text(place));
    if (ok ? s->affected == 1 : error->code != DUPLICATE)
        return ok;
    return sql_error_set(error, CLAIM_HELD, "shardd: another controller begins to work on %s",
                         s->name);
}

bool
claim_is_ahead(struct cluster *c, const struct claim_holder *row)
{
    return row->is && (row->term > claim_term(c) || row->generation > claim_generation(c));
}

static bool
refuse_old(const struct server *s, const struct cluster *c, const struct claim_holder *other,
           struct sql_error *error)
{
    return sql_error_set(error, CLAIM_HELD,
        "shardd: %s is an old copy: %s has been worked on by a controller that knew newer routes "
        "(%s, since %s); stop this controller and start that one, or restore a newer copy; where "
        "neither is to be had, 'shardctl recover' shows what can be learned from the servers",
        c->path.home, s->name, other->place, other->since);
}

bool
claim_is_idle(struct server *s, const struct claim_holder *row, bool *idle,
              struct sql_error *error)
{
    json_t *at_work = sessions_of(s, row->id, error);
    bool    ok      = at_work != NULL;

    *idle = json_array_size(at_work) == 0;
    json_decref(at_work);
    return ok;
}

/* Is nobody of that controller's at work? */
static bool
is_idle(struct server *s, const struct claim_holder *other, struct sql_error *error)
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
may_take(struct server *s, struct cluster *c, const struct claim_holder *now,
         struct sql_error *error)
{
    char place[PLACE_MAX];

    own_place(c, place);
    if (claim_is_ahead(c, now))
        return refuse_old(s, c, now, error);
    /* The one before at the same place is dead, though its sessions may not have heard of it. */
    return strcmp(now->place, place) == 0 || is_idle(s, now, error);
}

static bool
take_over(struct server *s, struct cluster *c, const struct claim_holder *now,
          struct sql_error *error)
{
    char place[PLACE_MAX];
    bool other;

    own_place(c, place);
    other = strcmp(now->place, place) != 0;
    if (other && now->term >= claim_term(c) && !take_term(c, now->term + 1, error))
        return false;
    failpoint("claim-term");
    if (!write_row(s, c, now, error) || !end_sessions(s, now, error))
        return false;
    if (other)
        log_warn("%s: this controller goes on in place of that of %s", s->name, now->place);
    return true;
}

static bool
take_row(struct server *s, struct cluster *c, const struct claim_holder *now,
         struct sql_error *error)
{
    if (!now->is)
        return write_row(s, c, now, error);
    return may_take(s, c, now, error) && take_over(s, c, now, error);
}

bool
claim_possible(struct server *s, struct cluster *c, struct sql_error *error)
{
    struct claim_holder now;

    return !c->holder[0] || (claim_read(s, c, &now, error) &&
           (!now.is || strcmp(now.id, c->holder) == 0 || may_take(s, c, &now, error)));
}

bool
claim_session(struct server *s, struct cluster *c, struct sql_error *error)
{
    struct claim_holder now;

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
    char placement[CLAIM_PLACEMENT_MAX];

    claim_placement(c, placement);
    return server_run(s, error, "UPDATE " HOLDER " SET generation = %lld, placement = %s,"
                      " told = NOW(6) WHERE cluster = %s AND holder = %s AND generation <= %lld",
                      (long long)generation, server_text(placement), server_text(c->uuid),
                      server_text(c->holder), (long long)generation);
}

bool
claim_primary(struct server *s, struct cluster *c, struct sql_error *error)
{
    return !c->holder[0] ||
           (claim_session(s, c, error) && claim_tell(s, c, claim_generation(c), error));
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
