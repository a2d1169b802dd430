/* sequences.c - see sequences.h. */
#include "ctl/move/sequences.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctl/catalog/model.h"
#include "ctl/provision/failpoint.h"

enum { ANSWER_S = 10, LOCK_S = 5, RUN_OUT = 4084 };

/* A database whose home changes, with a session to each: none before open_both(). */
struct homes {
    const struct move *m;
    char               database[300];
    uint32_t           from, to;
    struct server      old, new;
};

static bool
session(struct server *s, const struct move *m, uint32_t shard, struct sql_error *error)
{
    *s = (struct server){ .answer_s = ANSWER_S };
    return move_session(s, m, shard, LOCK_S, error) &&
           server_run(s, error, "SET SESSION sql_mode = ''") &&
           server_run(s, error, "SET NAMES utf8mb4");
}

static bool
open_both(struct homes *h, struct sql_error *error)
{
    return session(&h->old, h->m, h->from, error) && session(&h->new, h->m, h->to, error);
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
make_all(struct homes *h, struct sql_error *error)
{
    json_t *rows, *row;
    size_t  i;
    bool    ok;

    rows = open_both(h, error) ? list(&h->old, h->database, error) : NULL;
    ok   = rows != NULL;
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
is_switched(const struct homes *h)
{
    json_t *object = catalog_get(h->m->c->catalog, CATALOG_DATABASE, h->database, NULL);
    bool    is     = model_number(object, "home") == h->to;

    json_decref(object);
    return is;
}

/* And without those that were dropped since they were made there. */
static bool
carry_all(struct homes *h, struct sql_error *error)
{
    json_t *rows, *there, *row;
    size_t  i;
    bool    ok;

    if (is_switched(h))
        return true;
    if (!open_both(h, error))
        return false;
    rows  = list(&h->old, h->database, error);
    there = list(&h->new, h->database, error);
    ok    = rows && there;
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
drop_all(struct homes *h, struct server *on, struct server *other, struct sql_error *error)
{
    json_t *rows, *kept, *row;
    size_t  i;
    bool    ok;

    if (!open_both(h, error))
        return false;
    rows = list(on, h->database, error);
    kept = list(other, h->database, error);
    ok   = rows && kept;
    json_array_foreach(rows, i, row)
        if (ok && is_listed(kept, server_cell(row, 0)))
            ok = drop_on(on, h->database, server_cell(row, 0), error);
    json_decref(rows);
    json_decref(kept);
    return ok;
}

static bool
drop_old(struct homes *h, struct sql_error *error)
{
    return drop_all(h, &h->old, &h->new, error);
}

static bool
drop_new(struct homes *h, struct sql_error *error)
{
    return drop_all(h, &h->new, &h->old, error);
}

/* --- those of a move -------------------------------------------------------------- */

typedef bool (*homes_fn)(struct homes *h, struct sql_error *error);

/* Whatever sessions `what` opens end with it. */
static bool
each(const struct move *m, homes_fn what, struct sql_error *error)
{
    bool ok = true;

    for (uint32_t i = 0; ok && i < m->before->n_databases; i++) {
        struct span  name = m->before->databases[i].name;
        struct homes h    = { .m = m, .from = move_home(m->before, i),
                              .to = move_home(m->after, i) };

        if (!move_home_changes(m, i))
            continue;
        snprintf(h.database, sizeof(h.database), "%.*s", (int)name.len, name.ptr);
        ok = what(&h, error);
        server_close(&h.old);
        server_close(&h.new);
    }
    return ok;
}

bool
sequences_make(const struct move *m, struct sql_error *error)
{
    return each(m, make_all, error);
}

bool
sequences_carry(const struct move *m, struct sql_error *error)
{
    return each(m, carry_all, error);
}

bool
sequences_drop(const struct move *m, bool in, struct sql_error *error)
{
    return each(m, in ? drop_new : drop_old, error);
}
