/* shard_fill.c - a new shard gets what every shard has.
 *
 * Copies of reference tables are made under LOCK TABLES ... READ on the home
 * shard, which every write reaches first. The locks are held until the workers know the
 * new shard; a write that waits for one was routed without it, so it is killed (its client may
 * repeat it) before the lock is given back.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/job/facts.h"
#include "ctl/job/lookup.h"
#include "ctl/job/shard.h"

enum { BATCH_BYTES = 1 << 20 };

static const char plain_session[] =
    "SET NAMES binary, SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO', SESSION time_zone = '+00:00',"
    " SESSION foreign_key_checks = 0, SESSION unique_checks = 0";

static bool
create(struct server *from, struct server *to, const json_t *table, struct sql_error *error)
{
    const char *database = model_text(table, "database");
    bool        view     = strcmp(model_text(table, "kind"), "view") == 0;
    json_t     *rows     = server_rows(from, error, "SHOW CREATE %s %s.%s",
                                       view ? "VIEW" : "TABLE", server_name(database),
                                       server_name(model_text(table, "name")));
    bool        ok;

    if (!rows)
        return false;
    ok = server_run(to, error, "USE %s", server_name(database)) &&
         server_run_text(to, span_of(server_cell(json_array_get(rows, 0), 1)), error) &&
         lookup_triggers(to, table, error);
    json_decref(rows);
    return ok;
}

struct copy {
    struct server   *to;
    struct buf       insert; /* the batch */
    size_t           head;   /* length of "INSERT INTO ... VALUES " */
    uint64_t         rows;
    unsigned         columns;
    struct sql_error error;
    bool             ok;
};

static void
flush(struct copy *c)
{
    if (buf_len(&c->insert) > c->head && c->ok)
        c->ok = server_run_text(c->to, buf_unread(&c->insert), &c->error) &&
                (mysql_warning_count(c->to->mysql) == 0 ||
                 sql_error_set(&c->error, SQL_UNKNOWN_ERROR,
                               "shardd: a reference table's rows cannot be copied exactly"));
    c->insert.end = c->insert.start + c->head;
}

static void
copy_row(void *context, MYSQL_ROW row, const unsigned long *lengths)
{
    struct copy *c = context;

    buf_append_text(&c->insert, buf_len(&c->insert) > c->head ? ",(" : "(");
    for (unsigned i = 0; i < c->columns; i++) {
        if (i > 0)
            buf_append_byte(&c->insert, ',');
        if (!row[i]) {
            buf_append_text(&c->insert, "NULL");
            continue;
        }
        buf_append_byte(&c->insert, '\'');
        buf_commit(&c->insert,
                   mysql_real_escape_string(c->to->mysql,
                       (char *)buf_reserve(&c->insert, 2 * lengths[i] + 1), row[i], lengths[i]));
        buf_append_byte(&c->insert, '\'');
    }
    buf_append_byte(&c->insert, ')');
    c->rows++;
    if (buf_len(&c->insert) > BATCH_BYTES)
        flush(c);
}

/* The columns that are stored as given. FLOAT in text form loses digits. */
static unsigned
column_lists(const json_t *table, struct buf *select, struct buf *names)
{
    json_t  *list = json_object_get(table, "columns"), *column;
    size_t   i;
    unsigned n = 0;

    json_array_foreach(list, i, column) {
        const char *name     = server_name(model_text(column, "name"));
        bool        is_float = strcmp(model_text(column, "type"), "float") == 0;

        if (model_flag(column, "generated"))
            continue;
        buf_printf(names, "%s%s", n ? "," : "", name);
        buf_printf(select, is_float ? "%sCAST(%s AS DOUBLE)" : "%s%s", n ? "," : "", name);
        n++;
    }
    return n;
}

static bool
copy_rows(struct server *from, struct server *to, const json_t *table, struct sql_error *error)
{
    struct buf  select = { 0 }, names = { 0 };
    struct copy c      = { .to = to, .ok = true };
    const char *where[2] = { model_text(table, "database"), model_text(table, "name") };

    c.columns = column_lists(table, &select, &names);
    buf_printf(&c.insert, "INSERT INTO %s.%s (%s) VALUES ", server_name(where[0]),
               server_name(where[1]), buf_cstr(&names));
    c.head = buf_len(&c.insert);
    if (server_each(from, copy_row, &c, error, "SELECT %s FROM %s.%s", buf_cstr(&select),
                    server_name(where[0]), server_name(where[1]))) {
        flush(&c);
        if (!c.ok)
            *error = c.error;
    } else {
        c.ok = false;
    }
    buf_fini(&select);
    buf_fini(&names);
    buf_fini(&c.insert);
    return c.ok;
}

/* The open connection to the home of the table's database, with the session
 * that moves bytes unchanged. */
static struct server *
home_of(struct cluster *c, struct shard_fill *fill, json_t *shards, const json_t *table,
        struct sql_error *error)
{
    json_t     *database = catalog_get(c->catalog, CATALOG_DATABASE,
                                       model_text(table, "database"), NULL);
    int64_t     id       = model_number(database, "home");
    const char *key;
    json_t     *shard;

    json_decref(database);
    for (size_t i = 0; i < fill->n; i++)
        if (fill->home[i].id == id)
            return &fill->home[i];
    json_object_foreach(shards, key, shard)
        if (model_number(shard, "id") == id) {
            struct server *s = &fill->home[fill->n];

            *s = (struct server){ .mysql = NULL };
            if (!server_open(s, shard, error))
                return NULL;
            fill->n++;
            return server_run(s, error, "%s", plain_session) ? s : NULL;
        }
    sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: a database has no home");
    return NULL;
}

/* One statement locks all reference tables of a home: a second would free the first. */
static bool
lock_references(struct server *s, struct cluster *c, json_t *tables, struct sql_error *error)
{
    struct buf  sql = { 0 };
    const char *key;
    json_t     *table;
    bool        ok = true;

    json_object_foreach(tables, key, table) {
        json_t *database = catalog_get(c->catalog, CATALOG_DATABASE,
                                       model_text(table, "database"), NULL);
        int64_t home     = model_number(database, "home");

        json_decref(database);
        if (strcmp(model_text(table, "kind"), "reference") != 0 || home != s->id)
            continue;
        buf_printf(&sql, "%s%s.%s READ", buf_len(&sql) ? ", " : "LOCK TABLES ",
                   server_name(model_text(table, "database")),
                   server_name(model_text(table, "name")));
    }
    if (buf_len(&sql) > 0)
        ok = server_run_text(s, buf_unread(&sql), error);
    buf_fini(&sql);
    return ok;
}

static bool
fill_tables(struct cluster *c, struct shard_fill *fill, struct server *to, json_t *shards,
            json_t *tables, bool views, struct sql_error *error)
{
    const char *key;
    json_t     *table;

    json_object_foreach(tables, key, table) {
        const char    *kind = model_text(table, "kind");
        bool           view = strcmp(kind, "view") == 0;
        struct server *from;

        if (view != views || strcmp(view ? model_text(table, "view_kind") : kind, "global") == 0)
            continue;
        from = home_of(c, fill, shards, table, error);
        if (!from || !create(from, to, table, error))
            return false;
    }
    return true;
}

static bool
fill_references(struct cluster *c, struct shard_fill *fill, struct server *to, json_t *shards,
                json_t *tables, struct sql_error *error)
{
    const char *key;
    json_t     *table;

    for (size_t i = 0; i < fill->n; i++)
        if (!lock_references(&fill->home[i], c, tables, error))
            return false;
    json_object_foreach(tables, key, table) {
        struct server *from;

        if (strcmp(model_text(table, "kind"), "reference") != 0)
            continue;
        from = home_of(c, fill, shards, table, error);
        if (!from || !copy_rows(from, to, table, error))
            return false;
    }
    return true;
}

/* The connections in `fill` have the names of their shards from there. */
static void
forget_shards(struct shard_fill *fill, json_t *shards)
{
    for (size_t i = 0; i < fill->n; i++)
        fill->home[i].name = "";
    json_decref(shards);
}

bool
shard_fill(struct cluster *c, const json_t *shard, void *context, struct sql_error *error)
{
    struct shard_fill *fill   = context;
    struct server      to     = { .mysql = NULL };
    json_t            *tables = catalog_all(c->catalog, CATALOG_TABLE);
    json_t            *shards = catalog_all(c->catalog, CATALOG_SHARD);
    bool               ok     = shard_fill_functions(c, shard, shards, error) &&
              server_open(&to, shard, error) && server_run(&to, error, "%s", plain_session) &&
              server_run(&to, error, "SET NAMES utf8mb4") &&
              fill_tables(c, fill, &to, shards, tables, false, error) &&
              fill_tables(c, fill, &to, shards, tables, true, error) &&
              shard_fill_triggers(c, shard, shards, tables, error) &&
              server_run(&to, error, "SET NAMES binary") &&
              fill_references(c, fill, &to, shards, tables, error);

    server_close(&to);
    json_decref(tables);
    forget_shards(fill, shards);
    return ok;
}

/* The homes of reference tables, open; the copies on `to`, empty. */
static bool
empty_references(struct cluster *c, struct shard_fill *fill, struct server *to, json_t *shards,
                 json_t *tables, struct sql_error *error)
{
    const char *key;
    json_t     *table;

    json_object_foreach(tables, key, table) {
        if (strcmp(model_text(table, "kind"), "reference") != 0)
            continue;
        if (!home_of(c, fill, shards, table, error) ||
            !server_run(to, error, "DELETE FROM %s.%s", server_name(model_text(table, "database")),
                        server_name(model_text(table, "name"))))
            return false;
    }
    return true;
}

bool
shard_fill_again(struct cluster *c, const json_t *shard, struct shard_fill *fill,
                 struct sql_error *error)
{
    struct server to     = { .mysql = NULL };
    json_t       *tables = catalog_all(c->catalog, CATALOG_TABLE);
    json_t       *shards = catalog_all(c->catalog, CATALOG_SHARD);
    bool          ok     = server_open(&to, shard, error) &&
              server_run(&to, error, "%s", plain_session) &&
              empty_references(c, fill, &to, shards, tables, error) &&
              fill_references(c, fill, &to, shards, tables, error);

    server_close(&to);
    json_decref(tables);
    forget_shards(fill, shards);
    return ok;
}

static void
kill_waiting(struct server *s)
{
    struct sql_error ignored;
    json_t          *rows = server_rows(s, &ignored,
            "SELECT ID FROM information_schema.PROCESSLIST"
            " WHERE STATE LIKE 'Waiting for table%%lock'"), *row;
    size_t           i;

    json_array_foreach(rows, i, row)
        if (!server_run(s, &ignored, "KILL QUERY %s", server_cell(row, 0)))
            continue;
    json_decref(rows);
}

void
shard_fill_done(struct shard_fill *fill)
{
    for (size_t i = 0; i < fill->n; i++) {
        kill_waiting(&fill->home[i]);
        server_close(&fill->home[i]);
    }
    fill->n = 0;
}
