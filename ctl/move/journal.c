/* journal.c - see journal.h. */
#include <stdio.h>
#include <unistd.h>

#include <xxhash.h>

#include "ctl/catalog/model.h"
#include "ctl/catalog/user.h"
#include "ctl/move/journal.h"
#include "ctl/provision/claim.h"
#include "shm/routes.h"

enum { ANSWER_S = 5, LOCK_S = 3, NO_SUCH_TABLE = 1146 };

/* --- the words ------------------------------------------------------------ */

static void
add(XXH3_state_t *state, uint64_t number)
{
    XXH3_64bits_update(state, &number, sizeof(number));
}

void
journal_what(const struct move *m, char out[JOURNAL_WHAT_MAX])
{
    const struct routes *r     = m->after;
    XXH3_state_t        *state = XXH3_createState();
    uint32_t             last  = ROUTES_NONE;

    XXH3_64bits_reset(state);
    for (uint32_t i = 0; i < r->n_ranges; i++) {
        uint32_t id = r->shards[r->ranges[i].shard].id;

        if (id != last) {
            add(state, r->ranges[i].start);
            add(state, id);
        }
        last = id;
    }
    for (unsigned i = 0; i < m->n_tables; i++) {
        const struct route_table *t = m->tables[i].after;

        add(state, t->kind);
        add(state, t->key);
        add(state, move_home(r, t->database));
    }
    snprintf(out, JOURNAL_WHAT_MAX, "to %016llx", (unsigned long long)XXH3_64bits_digest(state));
    XXH3_freeState(state);
}

uint32_t
journal_shard(const struct move *m)
{
    uint32_t sources[ROUTES_SHARDS_MAX];

    if (move_sources(m, sources) > 0)
        return sources[0];
    /* Nothing moves (a reference table becomes global): the home it gets. */
    return m->n_tables > 0 ? move_home(m->after, m->tables[0].after->database)
                           : m->after->shards[0].id;
}

/* --- the deciding row ----------------------------------------------------- */

bool
journal_ready(struct server *s, const struct move *m, char out[JOURNAL_WHAT_MAX],
              struct sql_error *error)
{
    char token[USER_SECRET_LEN + 1];

    /* The row of the way here goes as well: that switch is history. */
    user_secret(token);
    snprintf(out, JOURNAL_WHAT_MAX, "ready %.20s", token);
    return server_run(s, error, "DELETE FROM " ROUTES_MOVE_SCHEMA ".journal WHERE job = %lld",
                      (long long)m->job) &&
           server_run(s, error, "INSERT INTO " ROUTES_MOVE_SCHEMA ".journal (job, what)"
                      " VALUES (%lld, %s)", (long long)m->job, server_text(out));
}

/* With the decision: whoever has a home of before it must not believe that home any more. Where
 * rows are then is told when it is known (claim_tell()). */
static bool
tell_generation(struct server *s, const struct move *m, struct sql_error *error)
{
    return !m->c->holder[0] ||
           server_run(s, error, "UPDATE " ROUTES_MOVE_SCHEMA ".holder SET generation = %lld,"
                      " placement = '' WHERE cluster = %s AND holder = %s AND generation < %lld",
                      (long long)claim_generation(m->c), server_text(m->c->uuid),
                      server_text(m->c->holder), (long long)claim_generation(m->c));
}

bool
journal_stage(struct server *s, const struct move *m, const char *ready, struct sql_error *error)
{
    char what[JOURNAL_WHAT_MAX];

    journal_what(m, what);
    if (!tell_generation(s, m, error) ||
        !server_run(s, error, "UPDATE " ROUTES_MOVE_SCHEMA ".journal SET what = %s, ts = NOW(6)"
                    " WHERE job = %lld AND what = %s", server_text(what), (long long)m->job,
                    server_text(ready)))
        return false;
    return s->affected == 1 ||
           sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: somebody else has given up this "
                         "switch; try it again");
}

bool
journal_tell(struct server *s, const struct move *m, struct sql_error *error)
{
    char what[JOURNAL_WHAT_MAX];
    bool there;

    journal_what(m, what);
    if (!journal_has(s, m, &there, error))
        return false;
    return there ||
           (server_run(s, error, "DELETE FROM " ROUTES_MOVE_SCHEMA ".journal WHERE job = %lld",
                       (long long)m->job) &&
            server_run(s, error, "INSERT INTO " ROUTES_MOVE_SCHEMA ".journal (job, what)"
                       " VALUES (%lld, %s)", (long long)m->job, server_text(what)));
}

bool
journal_has(struct server *s, const struct move *m, bool *yes, struct sql_error *error)
{
    char what[JOURNAL_WHAT_MAX], n[24];

    journal_what(m, what);
    *yes = false;
    if (!server_value(s, n, sizeof(n), error, "SELECT COUNT(*) FROM " ROUTES_MOVE_SCHEMA
                      ".journal WHERE job = %lld AND what = %s", (long long)m->job,
                      server_text(what)))
        return error->code == NO_SUCH_TABLE; /* nobody ever wrote one */
    *yes = strcmp(n, "0") != 0;
    return true;
}

/* A session on one of those that take part. */
static bool
session(struct server *s, const struct move *m, uint32_t shard, struct sql_error *error)
{
    const json_t *object = move_shard(m, shard);

    *s = (struct server){ .answer_s = ANSWER_S };
    if (!object)
        return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: shard %u takes no part in job "
                             "%lld", shard, (long long)m->job);
    return move_session(s, m, shard, LOCK_S, error);
}

/* Does any other server have the row, which it gets only when it is decided? */
static bool
others_have(const struct move *m)
{
    const char      *id;
    json_t          *shard;
    struct sql_error ignored;
    bool             yes = false;

    json_object_foreach(m->shards, id, shard) {
        struct server s = { .mysql = NULL };
        bool          has;

        if (yes || (uint32_t)model_number(shard, "id") == journal_shard(m) ||
            !session(&s, m, (uint32_t)model_number(shard, "id"), &ignored))
            continue;
        yes = journal_has(&s, m, &has, &ignored) && has;
        server_close(&s);
    }
    return yes;
}

bool
journal_ask(const struct move *m, bool *decided, struct sql_error *error)
{
    struct server s;
    bool          ok;

    if (!session(&s, m, journal_shard(m), error)) {
        *decided = others_have(m);
        return *decided;
    }
    ok = journal_has(&s, m, decided, error);
    server_close(&s);
    return ok;
}

bool
journal_settle(const struct move *m, bool *decided, struct sql_error *error)
{
    struct server s;
    bool          ok;

    if (!session(&s, m, journal_shard(m), error))
        return false;
    ok = (server_run(&s, error, "DELETE FROM " ROUTES_MOVE_SCHEMA ".journal WHERE job = %lld"
                     " AND what LIKE 'ready %%'", (long long)m->job) ||
          error->code == NO_SUCH_TABLE) &&
         journal_has(&s, m, decided, error);
    server_close(&s);
    return ok;
}

bool
journal_stream(struct server *source, const struct move *m, uint32_t source_id,
               uint32_t target_id, const char *position, struct sql_error *error)
{
    return server_run(source, error, "REPLACE INTO " ROUTES_MOVE_SCHEMA ".stream"
                      " (job, source, target, position) VALUES (%lld, %u, %u, %s)",
                      (long long)m->job, target_id, source_id, server_text(position));
}
