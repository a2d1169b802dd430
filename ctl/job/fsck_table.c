/* fsck_table.c - the checks of one table. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/route/keyhash.h"
#include "ctl/catalog/model.h"
#include "ctl/job/facts.h"
#include "ctl/job/fsck_step.h"
#include "ctl/job/trigger.h"

enum { UTF8MB4_GENERAL_CI = 45, SHOWN_MAX = 5, COPIES_TRIES = 10 };

struct scan {
    struct fsck             *f;
    const char              *name; /* "db.table" for people */
    const struct route_table *table;
    uint32_t                 shard;
    uint64_t                 misplaced, unreadable, hidden;
    char                     shown[300];
    json_t                  *keys;  /* of the first that are misplaced: see fsck_doubles() */
};

static void
show(struct scan *s, const char *text, const char *belongs)
{
    size_t n = strlen(s->shown);

    snprintf(s->shown + n, sizeof(s->shown) - n, "%s%.40s (belongs to %s)", n ? ", " : "", text,
             belongs);
}

static void
note_key(struct scan *s, MYSQL_ROW row, const unsigned long *lengths, uint32_t owner)
{
    json_t *key = row[0] ? json_stringn_nocheck(row[0], lengths[0]) : json_null(), *known;
    size_t  i;

    json_array_foreach(s->keys, i, known)
        if (json_equal(json_array_get(known, 0), key))
            break;
    if (i == json_array_size(s->keys) && i < FSCK_DOUBLES_MAX)
        json_array_append_new(s->keys, json_pack("[O, I]", key, (json_int_t)owner));
    json_decref(key);
}

static void
see_row(void *context, MYSQL_ROW row, const unsigned long *lengths)
{
    struct scan         *s      = context;
    const struct routes *routes = s->f->routes;
    struct span          text   = { (const uint8_t *)row[0], row[0] ? lengths[0] : 0 };
    uint64_t             hash   = keyhash_null();
    bool                 is_hidden = row[1][0] == '1';
    uint32_t             owner;

    s->f->n_rows++;
    if (row[0] && !keyhash_row(&s->table->columns[s->table->key], text, UTF8MB4_GENERAL_CI,
                               &hash)) {
        s->unreadable++;
        return;
    }
    owner = routes_owner(routes, hash);
    if (is_hidden && owner != s->shard) {
        s->f->n_rows--;
        s->f->n_moving++;
        return;
    }
    if (owner == s->shard) {
        s->hidden += is_hidden;
        return;
    }
    note_key(s, row, lengths, owner);
    if (s->misplaced++ < SHOWN_MAX)
        show(s, row[0] ? row[0] : "NULL", s->f->server[owner].name ? s->f->server[owner].name
                                                                   : "another shard");
}

static const char *
quoted_table(const json_t *table)
{
    static _Thread_local char text[2100];

    snprintf(text, sizeof(text), "%s.%s", server_name(model_text(table, "database")),
             server_name(model_text(table, "name")));
    return text;
}

static void
scan_shard(struct scan *s, const json_t *table)
{
    struct server   *server = &s->f->server[s->shard];
    struct buf       hidden = { 0 };
    char             set[128];
    struct sql_error error;

    s->misplaced = s->unreadable = s->hidden = 0;
    s->shown[0]  = '\0';
    s->keys      = json_array();
    snprintf(set, sizeof(set), "%.*s", (int)s->table->hide.len, s->table->hide.ptr);
    if (set[0])
        buf_printf(&hidden, "EXISTS(SELECT 1 FROM " ROUTES_MOVE_SCHEMA ".%s h WHERE h.k <=> t.%s)",
                   server_name(set), server_name(model_text(table, "key")));
    if (!server_each(server, see_row, s, &error, "SELECT t.%s, %s FROM %s t",
                     server_name(model_text(table, "key")), set[0] ? buf_cstr(&hidden) : "0",
                     quoted_table(table)))
        fsck_problem(s->f, s->name, server->name, "%s", error.message);
    if (s->misplaced > 0)
        fsck_problem(s->f, s->name, server->name,
                     "%llu rows lie on the wrong shard, with these keys: %s",
                     (unsigned long long)s->misplaced, s->shown);
    if (s->misplaced > 0)
        fsck_doubles(s->f, s->name, table, s->shard, s->keys);
    json_decref(s->keys);
    if (s->unreadable > 0)
        fsck_problem(s->f, s->name, server->name, "%llu keys cannot be hashed",
                     (unsigned long long)s->unreadable);
    if (s->hidden > 0)
        fsck_problem(s->f, s->name, server->name, "%llu rows belong here and are hidden by %s "
                     "from statements that name no key", (unsigned long long)s->hidden, set);
    buf_fini(&hidden);
}

static const struct route_table *
routed(const struct fsck *f, const json_t *table)
{
    uint32_t database = routes_database(f->routes, span_of(model_text(table, "database")));
    uint32_t index    = database == ROUTES_NONE
                            ? ROUTES_NONE
                            : routes_table(f->routes, database, span_of(model_text(table, "name")));

    return index == ROUTES_NONE ? NULL : &f->routes->tables[index];
}

/* The highest number on this shard must be one that the sequence gave out. */
static void
check_sequence(struct fsck *f, const char *name, const json_t *table, struct server *server,
               uint64_t next)
{
    const char      *column = facts_auto_increment(table);
    char             highest[32];
    struct sql_error error;

    if (!server_value(server, highest, sizeof(highest), &error, "SELECT MAX(%s) FROM %s",
                      server_name(column), quoted_table(table)))
        return; /* said by the scan */
    if (highest[0] && highest[0] != '-' && strtoull(highest, NULL, 10) >= next)
        fsck_problem(f, name, server->name,
                     "the highest %s is %s, but the table's sequence is only at %llu", column,
                     highest, (unsigned long long)next);
}

static uint64_t
sequence_at(struct fsck *f, const json_t *table, uint32_t home)
{
    char             next[32];
    struct sql_error error;

    if (!f->server[home].mysql ||
        !server_value(&f->server[home], next, sizeof(next), &error,
                      "SELECT next_value FROM shardd.sequence WHERE id = %lld",
                      (long long)model_number(table, "sequence")))
        return UINT64_MAX;
    return next[0] ? strtoull(next, NULL, 10) : 0;
}

/* As on its home. */
static void
check_triggers(struct fsck *f, const char *name, const json_t *table, uint32_t home)
{
    const char      *database = model_text(table, "database"), *own = model_text(table, "name");
    struct sql_error error;
    json_t          *wanted = home < f->routes->n_shards && f->server[home].mysql
                                  ? trigger_read(&f->server[home], database, own, &error) : NULL;

    if (model_triggers(table) == TRIGGERS_CHANGING)
        fsck_problem(f, name, "", "a change of its triggers was interrupted, and nothing can be "
                     "written to it: repeat the CREATE or DROP TRIGGER");
    for (uint32_t i = 0; wanted && i < f->routes->n_shards; i++) {
        json_t *there = f->server[i].mysql ? trigger_read(&f->server[i], database, own, &error)
                                           : NULL;

        if (there && !json_equal(there, wanted))
            fsck_problem(f, name, f->server[i].name, "its triggers are not those of its home");
        json_decref(there);
    }
    if (wanted && json_array_size(wanted) != 0 && model_triggers(table) == TRIGGERS_NONE)
        fsck_problem(f, name, "", "it has triggers that were not made by way of shardd");
    json_decref(wanted);
}

static void
check_sharded(struct fsck *f, const char *name, const json_t *table, uint32_t home)
{
    struct scan scan = { .f = f, .name = name, .table = routed(f, table) };
    uint64_t    next;

    if (!scan.table || scan.table->key == ROUTES_NONE) {
        fsck_problem(f, name, "", "it is not in the routes");
        return;
    }
    for (scan.shard = 0; scan.shard < f->routes->n_shards; scan.shard++)
        if (f->server[scan.shard].mysql)
            scan_shard(&scan, table);
    if (json_object_size(f->moving) == 0)
        fsck_lookups(f, name, table, scan.table);
    check_triggers(f, name, table, home);
    if (model_number(table, "sequence") == 0)
        return;
    next = sequence_at(f, table, home);
    for (uint32_t i = 0; i < f->routes->n_shards; i++)
        if (f->server[i].mysql)
            check_sequence(f, name, table, &f->server[i], next);
}

static void
count_rows(struct fsck *f, struct server *s, const json_t *table)
{
    char             n[32];
    struct sql_error error;

    if (server_value(s, n, sizeof(n), &error, "SELECT COUNT(*) FROM %s", quoted_table(table)))
        f->n_rows += strtoull(n, NULL, 10);
}

/* CHECKSUM adds up rows, so their order does not matter. */
static bool
checksum(struct server *s, const json_t *table, char out[64], struct sql_error *error)
{
    json_t *rows = server_rows(s, error, "CHECKSUM TABLE %s EXTENDED", quoted_table(table));

    snprintf(out, 64, "%s", server_cell(json_array_get(rows, 0), 1));
    json_decref(rows);
    return rows != NULL;
}

/* The index of the first copy that differs from the first one; ROUTES_NONE: all equal. */
static uint32_t
different_copy(struct fsck *f, const json_t *table)
{
    char             first[64], other[64];
    bool             have = false;
    struct sql_error error;

    for (uint32_t i = 0; i < f->routes->n_shards; i++) {
        if (!f->server[i].mysql)
            continue;
        if (!checksum(&f->server[i], table, have ? other : first, &error))
            return i;
        if (have && strcmp(first, other) != 0)
            return i;
        have = true;
    }
    return ROUTES_NONE;
}

static void
check_reference(struct fsck *f, const char *name, const json_t *table, uint32_t home)
{
    uint32_t differs = different_copy(f, table);

    /* A write may be on its way from copy to copy. */
    for (int i = 0; i < COPIES_TRIES && differs != ROUTES_NONE; i++) {
        usleep(100000);
        differs = different_copy(f, table);
    }
    if (f->server[home].mysql)
        count_rows(f, &f->server[home], table);
    if (differs != ROUTES_NONE)
        fsck_problem(f, name, f->server[differs].name,
                     "this copy of the reference table is not like the first one");
}

static void
definition(struct server *s, const json_t *table, struct buf *out, struct sql_error *error)
{
    if (!facts_definition(s, model_text(table, "database"), model_text(table, "name"), out,
                          error))
        buf_clear(out);
}

static void
check_definitions(struct fsck *f, const char *name, const json_t *table, uint32_t home)
{
    struct buf       first = { 0 }, other = { 0 };
    struct sql_error error = { 0 };

    if (f->server[home].mysql)
        definition(&f->server[home], table, &first, &error);
    for (uint32_t i = 0; i < f->routes->n_shards && buf_len(&first) > 0; i++) {
        if (!f->server[i].mysql || i == home)
            continue;
        definition(&f->server[i], table, &other, &error);
        if (!span_equal(buf_unread(&first), buf_unread(&other)))
            fsck_problem(f, name, f->server[i].name, buf_len(&other) == 0
                             ? "the table is missing here"
                             : "the table has another definition than on the home shard");
    }
    if (buf_len(&first) == 0)
        fsck_problem(f, name, f->server[home].name ? f->server[home].name : "",
                     "the table is missing here: %s", error.message);
    buf_fini(&first);
    buf_fini(&other);
}

static void
check_global(struct fsck *f, const char *name, const char *catalog_name, const json_t *table,
             uint32_t home)
{
    bool             moves = json_object_get(f->moving, catalog_name) != NULL;
    struct sql_error error;

    for (uint32_t i = 0; i < f->routes->n_shards; i++) {
        char there[8] = "";

        if (!f->server[i].mysql)
            continue;
        if (!server_value(&f->server[i], there, sizeof(there), &error,
                          "SELECT COUNT(*) FROM information_schema.TABLES"
                          " WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s",
                          server_text(model_text(table, "database")),
                          server_text(model_text(table, "name"))))
            fsck_problem(f, name, f->server[i].name, "%s", error.message);
        else if (i == home && there[0] == '0')
            fsck_problem(f, name, f->server[i].name, "the table is missing here");
        else if (i != home && there[0] != '0' && !moves)
            fsck_problem(f, name, f->server[i].name,
                         "a global table lies on the home shard only, but there is one here");
    }
    if (f->server[home].mysql && strcmp(model_text(table, "kind"), "view") != 0)
        count_rows(f, &f->server[home], table);
}

void
fsck_table(struct fsck *f, const char *catalog_name, const json_t *table)
{
    enum table_kind kind     = model_kind(model_text(table, "kind"), TABLE_GLOBAL);
    uint32_t        database = routes_database(f->routes, span_of(model_text(table, "database")));
    bool            view     = kind == TABLE_VIEW;
    uint32_t        home;
    char            name[600];

    snprintf(name, sizeof(name), "%s.%s", model_text(table, "database"),
             model_text(table, "name"));
    if (database == ROUTES_NONE) {
        fsck_problem(f, name, "", "its database is not in the catalog (%s)", catalog_name);
        return;
    }
    home = f->routes->databases[database].home;
    f->n_tables++;
    if (view)
        kind = model_kind(model_text(table, "view_kind"), TABLE_GLOBAL);
    if (strcmp(model_text(table, "state"), "stuck") == 0)
        fsck_problem(f, name, "", "a change of this table is stuck; see 'shardctl status'");
    if (kind == TABLE_GLOBAL) {
        check_global(f, name, catalog_name, table, home);
        return;
    }
    check_definitions(f, name, table, home);
    if (view)
        return;
    if (kind == TABLE_SHARDED)
        check_sharded(f, name, table, home);
    else
        check_reference(f, name, table, home);
}
