/* sequences.c - see sequences.h. */
#include "ctl/move/sequences.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctl/catalog/model.h"
#include "ctl/provision/failpoint.h"

enum { ANSWER_S = 10, LOCK_S = 5, RUN_OUT = 4084 };

/* A database whose home changes, with a session to each. */
struct homes {
    char          database[300];
    uint32_t      from, to;
    struct server old, new;
};

static bool
session(struct server *s, const struct move *m, uint32_t shard, struct sql_error *error)
{
    *s = (struct server){ .answer_s = ANSWER_S };
    return move_session(s, m, shard, LOCK_S, error) &&
           server_run(s, error, "SET SESSION sql_mode = ''") &&
           server_run(s, error, "SET NAMES utf8mb4");
}

/* [[name], ...] of those of a database; to be owned. */
static json_t *
list(struct server *s, const char *database, struct sql_error *error)
{
    return server_rows(s, error, "SELECT TABLE_NAME FROM information_schema.TABLES"
                       " WHERE TABLE_SCHEMA = %s AND TABLE_TYPE = 'SEQUENCE'",
                       server_text(database));
}

static bool
is_listed(const json_t *rows, const char *name)
{
    json_t *row;
    size_t  i;

    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
        if (strcmp(server_cell(row, 0), name) == 0)
            return true;
    return false;
}

/* --- one sequence ----------------------------------------------------------------- */

static bool
make(struct homes *h, const char *name, struct sql_error *error)
{
    return server_run(&h->new, error, "CREATE SEQUENCE IF NOT EXISTS %s.%s",
                      server_name(h->database), server_name(name));
}

/* The next one, "": there is none. It is given to nobody. */
static bool
take_next(struct homes *h, const char *name, char *next, size_t room, struct sql_error *error)
{
    next[0] = '\0';
    return server_value(&h->old, next, room, error, "SELECT NEXTVAL(%s.%s)",
                        server_name(h->database), server_name(name)) || error->code == RUN_OUT;
}

/* `row`: minimum, maximum, start, increment, cache, cycle. */
static bool
put(struct homes *h, const char *name, const json_t *row, const char *next,
    struct sql_error *error)
{
    bool        down = server_cell(row, 3)[0] == '-';
    const char *last = server_cell(row, down ? 0 : 1);

    if (!server_run(&h->new, error, "ALTER SEQUENCE %s.%s START WITH %s MINVALUE %s MAXVALUE %s"
                    " INCREMENT BY %s CACHE %s %s RESTART WITH %s", server_name(h->database),
                    server_name(name), server_cell(row, 2), server_cell(row, 0),
                    server_cell(row, 1), server_cell(row, 3), server_cell(row, 4),
                    strcmp(server_cell(row, 5), "0") == 0 ? "NOCYCLE" : "CYCLE",
                    next[0] ? next : last))
        return false;
    return next[0] || server_run(&h->new, error, "DO NEXTVAL(%s.%s)", server_name(h->database),
                                 server_name(name));
}

static bool
carry(struct homes *h, const char *name, struct sql_error *error)
{
    char    next[32];
    json_t *rows;
    bool    ok;

    rows = server_rows(&h->old, error, "SELECT minimum_value, maximum_value, start_value,"
                       " increment, cache_size, cycle_option FROM %s.%s",
                       server_name(h->database), server_name(name));
    ok   = rows && make(h, name, error) && take_next(h, name, next, sizeof(next), error);
    failpoint("sequence-taken");
    ok = ok && put(h, name, json_array_get(rows, 0), next, error);
    failpoint("sequence-put");
    json_decref(rows);
    return ok;
}

/* --- those of a database ---------------------------------------------------------- */

static bool
make_each(struct homes *h, struct sql_error *error)
{
    json_t *rows = list(&h->old, h->database, error), *row;
    bool    ok   = rows != NULL;
    size_t  i;

    json_array_foreach(rows, i, row)
        ok = ok && make(h, server_cell(row, 0), error);
    json_decref(rows);
    return ok;
}

static bool
drop_on(struct server *s, const char *database, const char *name, struct sql_error *error)
{
    return server_run(s, error, "DROP SEQUENCE IF EXISTS %s.%s", server_name(database),
                      server_name(name));
}

static bool
is_switched(const struct move *m, const struct homes *h)
{
    json_t *object = catalog_get(m->c->catalog, CATALOG_DATABASE, h->database, NULL);
    bool    is     = model_number(object, "home") == h->to;

    json_decref(object);
    return is;
}

/* And without those that were dropped since they were made there. */
static bool
carry_each(struct homes *h, struct sql_error *error)
{
    json_t *rows = list(&h->old, h->database, error), *row;
    json_t *there = list(&h->new, h->database, error);
    bool    ok   = rows && there;
    size_t  i;

    json_array_foreach(rows, i, row)
        ok = ok && carry(h, server_cell(row, 0), error);
    json_array_foreach(there, i, row)
        ok = ok && (is_listed(rows, server_cell(row, 0)) ||
                    drop_on(&h->new, h->database, server_cell(row, 0), error));
    json_decref(rows);
    json_decref(there);
    return ok;
}

/* Only what the other one has as well: elsewhere there is nothing of ours to drop. */
static bool
drop_each(struct homes *h, bool in, struct sql_error *error)
{
    struct server *s = in ? &h->new : &h->old, *other = in ? &h->old : &h->new;
    json_t        *rows = list(s, h->database, error), *row;
    json_t        *kept = list(other, h->database, error);
    bool           ok   = rows && kept;
    size_t         i;

    json_array_foreach(rows, i, row)
        if (ok && is_listed(kept, server_cell(row, 0)))
            ok = drop_on(s, h->database, server_cell(row, 0), error);
    json_decref(rows);
    json_decref(kept);
    return ok;
}

/* --- those of a move -------------------------------------------------------------- */

/* The next database whose home changes, from `*i` on, with its sessions; false: there is none, or
 * with `error` not NULL one cannot be had. */
static bool
next_homes(const struct move *m, uint32_t *i, struct homes *h)
{
    const struct routes *a = m->before, *b = m->after;

    for (; *i < a->n_databases; (*i)++) {
        const struct route_database *d = &a->databases[*i];

        h->from = a->shards[d->home].id;
        h->to   = b->shards[b->databases[*i].home].id;
        if (h->from == h->to)
            continue;
        snprintf(h->database, sizeof(h->database), "%.*s", (int)d->name.len, d->name.ptr);
        (*i)++;
        return true;
    }
    return false;
}

static bool
open_both(const struct move *m, struct homes *h, struct sql_error *error)
{
    h->old = h->new = (struct server){ .mysql = NULL };
    return session(&h->old, m, h->from, error) && session(&h->new, m, h->to, error);
}

bool
sequences_make(const struct move *m, struct sql_error *error)
{
    struct homes h;
    bool         ok = true;

    for (uint32_t i = 0; ok && next_homes(m, &i, &h);) {
        ok = open_both(m, &h, error) && make_each(&h, error);
        server_close(&h.old);
        server_close(&h.new);
    }
    return ok;
}

bool
sequences_carry(const struct move *m, struct sql_error *error)
{
    struct homes h;
    bool         ok = true;

    for (uint32_t i = 0; ok && next_homes(m, &i, &h);) {
        if (is_switched(m, &h))
            continue;
        ok = open_both(m, &h, error) && carry_each(&h, error);
        server_close(&h.old);
        server_close(&h.new);
    }
    return ok;
}

bool
sequences_drop(const struct move *m, bool in, struct sql_error *error)
{
    struct homes h;
    bool         ok = true;

    for (uint32_t i = 0; ok && next_homes(m, &i, &h);) {
        ok = open_both(m, &h, error) && drop_each(&h, in, error);
        server_close(&h.old);
        server_close(&h.new);
    }
    return ok;
}
