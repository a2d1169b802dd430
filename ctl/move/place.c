/* place.c - see place.h. */
#include "ctl/move/place.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctl/catalog/model.h"
#include "ctl/move/sequences.h"

enum { LOCK_S = 30, ANSWER_S = 60 };

static uint32_t
home_id(const struct routes *r, const struct route_table *t)
{
    return move_home(r, t->database);
}

static bool
session(struct server *s, const struct move *m, uint32_t shard, struct sql_error *error)
{
    *s = (struct server){ .answer_s = ANSWER_S };
    return move_session(s, m, shard, LOCK_S, error) &&
           server_run(s, error, "SET SESSION sql_mode = ''") &&
           server_run(s, error, "SET NAMES utf8mb4");
}

/* --- tables --------------------------------------------------------------------- */

/* SHOW CREATE TABLE begins with these words. */
static bool
make_table(struct server *s, const struct move_table *t, const char *text,
           struct sql_error *error)
{
    static const char head[] = "CREATE TABLE ";
    struct buf        sql    = { 0 };
    bool              ok;

    if (strncmp(text, head, strlen(head)) != 0)
        return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: the definition of table %s.%s "
                             "cannot be read", t->database, t->name);
    buf_printf(&sql, "CREATE TABLE IF NOT EXISTS %s", text + strlen(head));
    ok = server_run(s, error, "USE %s", server_name(t->database)) &&
         server_run_text(s, buf_unread(&sql), error);
    buf_fini(&sql);
    return ok;
}

static bool
make_on(const struct move *m, const struct move_table *t, uint32_t shard, const char *text,
        struct sql_error *error)
{
    struct server s;
    bool          ok = session(&s, m, shard, error) && make_table(&s, t, text, error);

    server_close(&s);
    return ok;
}

/* On the new home, or on all. */
static bool
make_copies(const struct move *m, const struct move_table *t, const char *text,
            struct sql_error *error)
{
    uint32_t from = home_id(m->before, t->before);

    for (uint32_t i = 0; i < m->after->n_shards; i++) {
        uint32_t id = m->after->shards[i].id;

        if (id != from &&
            (t->after->kind != TABLE_GLOBAL || id == home_id(m->after, t->after)) &&
            !make_on(m, t, id, text, error))
            return false;
    }
    return true;
}

static bool
moves_alone(const struct move *m, const struct move_table *t)
{
    return t->before->kind == TABLE_GLOBAL &&
           (t->after->kind != TABLE_GLOBAL ||
            home_id(m->before, t->before) != home_id(m->after, t->after));
}

static bool
make_tables(const struct move *m, struct sql_error *error)
{
    for (unsigned i = 0; i < m->n_tables; i++) {
        const struct move_table *t = &m->tables[i];
        struct server            s;
        json_t                  *rows = NULL;
        bool                     ok;

        if (!moves_alone(m, t))
            continue;
        if (session(&s, m, home_id(m->before, t->before), error))
            rows = server_rows(&s, error, "SHOW CREATE TABLE %s.%s", server_name(t->database),
                               server_name(t->name));
        server_close(&s);
        ok = rows && make_copies(m, t, server_cell(json_array_get(rows, 0), 1), error);
        json_decref(rows);
        if (!ok)
            return false;
    }
    return true;
}

/* --- views ---------------------------------------------------------------------- */

/* Old and new home of a view, from the record; false: it stays. */
static bool
homes_of(const struct move *m, const json_t *view, uint32_t *from, uint32_t *to)
{
    json_t *pair = json_object_get(json_object_get(m->spec, "homes"),
                                   model_text(view, "database"));

    *from = (uint32_t)json_integer_value(json_array_get(pair, 0));
    *to   = (uint32_t)json_integer_value(json_array_get(pair, 1));
    return pair != NULL;
}

static bool
make_view(struct server *old, struct server *new, const json_t *view, struct sql_error *error)
{
    const char *database = model_text(view, "database"), *name = model_text(view, "name");
    char        there[8];
    json_t     *rows;
    bool        ok;

    if (!server_value(new, there, sizeof(there), error, "SELECT COUNT(*) FROM"
                      " information_schema.TABLES WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s",
                      server_text(database), server_text(name)))
        return false;
    if (strcmp(there, "0") != 0)
        return true;
    rows = server_rows(old, error, "SHOW CREATE VIEW %s.%s", server_name(database),
                       server_name(name));
    ok   = rows && server_run(new, error, "USE %s", server_name(database)) &&
         server_run_text(new, span_of(server_cell(json_array_get(rows, 0), 1)), error);
    json_decref(rows);
    return ok;
}

/* One after another, and again: a view may reach others that come later. */
static bool
make_views(const struct move *m, struct sql_error *error)
{
    json_t *views = json_object_get(m->spec, "views"), *name;
    size_t  n = json_array_size(views), made = 0, before, i;
    bool   *done;

    if (n == 0)
        return true;
    done = calloc(n, sizeof(*done));
    do {
        before = made;
        json_array_foreach(views, i, name) {
            json_t       *view = catalog_get(m->c->catalog, CATALOG_TABLE, json_string_value(name),
                                             NULL);
            uint32_t      from, to;
            struct server old = { .mysql = NULL }, new = { .mysql = NULL };

            if (!done[i])
                done[i] = !view || !homes_of(m, view, &from, &to) ||
                          (session(&old, m, from, error) && session(&new, m, to, error) &&
                           make_view(&old, &new, view, error));
            server_close(&old);
            server_close(&new);
            json_decref(view);
        }
        for (made = 0, i = 0; i < n; i++)
            made += done[i];
    } while (made < n && made > before);
    free(done);
    return made == n;
}

bool
place_drop_views(const struct move *m, bool in, struct sql_error *error)
{
    json_t *name;
    size_t  i;
    bool    ok = true;

    json_array_foreach(json_object_get(m->spec, "views"), i, name) {
        json_t       *view = catalog_get(m->c->catalog, CATALOG_TABLE, json_string_value(name),
                                         NULL);
        uint32_t      from, to;
        struct server s = { .mysql = NULL };

        if (ok && view && homes_of(m, view, &from, &to))
            ok = session(&s, m, in ? to : from, error) &&
                 server_run(&s, error, "DROP VIEW IF EXISTS %s.%s",
                            server_name(model_text(view, "database")),
                            server_name(model_text(view, "name")));
        server_close(&s);
        json_decref(view);
    }
    return ok;
}

bool
place_make(const struct move *m, struct sql_error *error)
{
    return sequences_make(m, error) && make_tables(m, error) && make_views(m, error);
}
