/* lookup.c - see lookup.h. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "core/route/keyhash.h"
#include "core/route/lookup_text.h"
#include "ctl/catalog/model.h"
#include "ctl/job/admin.h"
#include "ctl/job/decide.h"
#include "ctl/job/facts.h"
#include "ctl/job/lookup_step.h"
#include "ctl/job/moving.h"
#include "ctl/job/trigger.h"

enum { DRAIN_MS = 5000, NAME_PART = 40 };

bool
lookup_forbids(const json_t *table, const char *what, struct sql_error *error)
{
    json_t *first = json_array_get(json_object_get(table, "lookups"), 0);

    if (!first)
        return false;
    sql_error_set(error, SQL_NOT_SUPPORTED, "shardd: %s has a lookup on the column %s, and %s "
                  "would not keep it: 'shardctl table lookup drop %s.%s %s' first",
                  model_text(table, "name"), model_text(first, "column"), what,
                  model_text(table, "database"), model_text(table, "name"),
                  model_text(first, "column"));
    return true;
}

bool
lookup_knows_wished(const json_t *table, const struct wish *wish, struct sql_error *error)
{
    for (size_t i = 0; i < wish->n_lookups; i++) {
        const json_t *list = json_object_get(table, "lookups"), *one;
        bool          known = false;
        size_t        k;

        json_array_foreach(list, k, one)
            known = known || strcasecmp(model_text(one, "column"), wish->lookup[i]) == 0;
        if (!known)
            return sql_error_set(error, SQL_NOT_SUPPORTED, "shardd: ALTER TABLE makes no lookup; "
                                 "'shardctl table lookup add %s.%s %s' does, while applications "
                                 "write", model_text(table, "database"), model_text(table, "name"),
                                 wish->lookup[i]);
    }
    return true;
}

/* --- unique keys ------------------------------------------------------------- */

static bool
is_on(const json_t *key, const char *column)
{
    json_t *columns = json_object_get(key, "columns");

    return json_array_size(columns) == 1 && facts_find(columns, column) == 0 &&
           json_is_true(json_array_get(json_object_get(key, "whole"), 0));
}

static void
take_keys(json_t *facts, const char *column)
{
    json_t *keys = json_object_get(facts, "keys"), *key;
    size_t  i;

    json_array_foreach(keys, i, key)
        if (is_on(key, column) && strcmp(model_text(key, "name"), "PRIMARY") != 0)
            json_object_set_new(key, "unique", json_false());
}

void
lookup_takes_keys(json_t *facts, const struct wish *wish)
{
    for (size_t i = 0; i < wish->n_lookups; i++)
        take_keys(facts, wish->lookup[i]);
}

void
lookup_takes_known(json_t *facts, const json_t *table)
{
    json_t *list = json_object_get(table, "lookups"), *one;
    size_t  i;

    json_array_foreach(list, i, one)
        take_keys(facts, model_text(one, "column"));
}

/* --- the catalog ---------------------------------------------------------------- */

static json_t *
find(const json_t *table, const char *column, size_t *at)
{
    json_t *list = json_object_get(table, "lookups"), *one;
    size_t  i;

    json_array_foreach(list, i, one)
        if (strcasecmp(model_text(one, "column"), column) == 0) {
            *at = i;
            return one;
        }
    return NULL;
}

/* Letters and digits of the names, so that people see whose it is, and a number. */
static void
name_table(char *out, size_t room, const char *table, const char *column, int64_t number)
{
    size_t n = 0;

    for (const char *at = table; *at && n < NAME_PART / 2; at++)
        out[n++] = isalnum((unsigned char)*at) && (unsigned char)*at < 128
                       ? (char)tolower((unsigned char)*at) : '_';
    out[n++] = '_';
    for (const char *at = column; *at && n < NAME_PART; at++)
        out[n++] = isalnum((unsigned char)*at) && (unsigned char)*at < 128
                       ? (char)tolower((unsigned char)*at) : '_';
    snprintf(out + n, room - n, "_%lld", (long long)number);
}

/* The name of the column's index, which is what duplicates are told by. */
static const char *
index_of(const json_t *facts, const char *column)
{
    json_t     *keys = json_object_get(facts, "keys"), *key;
    const char *name = column;
    size_t      i;

    json_array_foreach(keys, i, key)
        if (is_on(key, column) && strcmp(model_text(key, "name"), "PRIMARY") != 0 &&
            (name == column || model_flag(key, "unique")))
            name = model_text(key, "name");
    return name;
}

static json_t *
new_lookup(struct cluster *c, const json_t *table, const json_t *facts, const char *column)
{
    int64_t number = cluster_number(c, "next_lookup");
    json_t *one    = json_object();
    char    name[80];

    name_table(name, sizeof(name), model_text(table, "name"), column, number);
    model_set(one, "column", model_text(facts_column(facts, column), "name"));
    model_set(one, "type", model_text(facts_column(facts, column), "type"));
    model_set(one, "key", model_text(table, "key"));
    model_set(one, "key_type", model_text(facts_column(facts, model_text(table, "key")), "type"));
    model_set(one, "index", index_of(facts, column));
    model_set(one, "table", name);
    json_object_set_new(one, "number", json_integer(number));
    json_object_set_new(one, "filling", json_true());
    return one;
}

static bool
commit(struct lookup_work *w, struct catalog_change *change)
{
    struct err err;

    cluster_bump(w->c, change, "generation");
    if (!job_commit(change, w->error))
        return false;
    if (!cluster_publish(w->c, &err))
        return job_fail(w->error, &err);
    if (!publish_drained(w->c->publisher, DRAIN_MS))
        return sql_error_set(w->error, SQL_UNKNOWN_ERROR, "shardd: statements of before are still "
                             "under way; say it again later");
    return true;
}

static bool
put_table(struct lookup_work *w, struct catalog_change *change)
{
    char *name = catalog_table_name(w->database, w->name);

    catalog_put(change, CATALOG_TABLE, name, w->table, CATALOG_ANY);
    free(name);
    return commit(w, change);
}

static json_t *
as_database(struct server *s, int64_t home, struct sql_error *error)
{
    char collation[128], id[16];

    if (!server_value(s, collation, sizeof(collation), error,
                      "SELECT DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA"
                      " WHERE SCHEMA_NAME = '" ROUTES_LOOKUP_SCHEMA "'") ||
        !server_value(s, id, sizeof(id), error, "SELECT ID FROM information_schema.COLLATIONS"
                      " WHERE COLLATION_NAME = %s", server_text(collation)))
        return NULL;
    return json_pack("{s:s, s:s, s:I, s:s, s:i}", "name", ROUTES_LOOKUP_SCHEMA, "policy", "auto",
                     "home", (json_int_t)home, "collation", collation, "collation_id", atoi(id));
}

/* The lookup and its table are known from now on. */
static bool
record(struct lookup_work *w, const json_t *lookup)
{
    const char            *name   = model_text(lookup, "table");
    struct catalog_change *change;
    json_t                *facts  = facts_read(&w->server[0], ROUTES_LOOKUP_SCHEMA, name, NULL,
                                               w->error);
    json_t                *known  = catalog_get(w->c->catalog, CATALOG_DATABASE,
                                                ROUTES_LOOKUP_SCHEMA, NULL);
    json_t                *fresh  = known ? NULL : as_database(&w->server[0], w->server[0].id,
                                                               w->error);
    char                  *key    = catalog_table_name(ROUTES_LOOKUP_SCHEMA, name);
    json_t                *object;
    bool                   ok     = facts && (known || fresh);

    if (ok) {
        object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:O, s:O}", "database",
                           ROUTES_LOOKUP_SCHEMA, "name", name, "kind", "sharded", "key", "v",
                           "state", "ok", "columns", json_object_get(facts, "columns"), "foreign",
                           json_object_get(facts, "foreign"));
        change = catalog_begin(w->c->catalog, w->who);
        if (fresh)
            catalog_put(change, CATALOG_DATABASE, ROUTES_LOOKUP_SCHEMA, fresh, CATALOG_ANY);
        catalog_put(change, CATALOG_TABLE, key, object, CATALOG_ANY);
        ok = put_table(w, change);
        json_decref(object);
    }
    free(key);
    json_decref(facts);
    json_decref(known);
    json_decref(fresh);
    return ok;
}

/* --- may it be ----------------------------------------------------------------- */

static bool
refuse(struct lookup_work *w, const char *fmt, ...) printf_like(2, 3);

static bool
refuse(struct lookup_work *w, const char *fmt, ...)
{
    char    text[300];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return sql_error_set(w->error, SQL_NOT_SUPPORTED, "shardd: %s.%s cannot have a lookup: %s",
                         w->database, w->name, text);
}

/* What changes rows without a trigger's knowledge. */
static bool
changes_by_itself(struct lookup_work *w)
{
    char n[16];

    return !server_value(&w->server[0], n, sizeof(n), w->error,
                         "SELECT COUNT(*) FROM information_schema.REFERENTIAL_CONSTRAINTS"
                         " WHERE CONSTRAINT_SCHEMA = %s AND TABLE_NAME = %s"
                         " AND (UPDATE_RULE NOT IN ('RESTRICT', 'NO ACTION')"
                         "   OR DELETE_RULE NOT IN ('RESTRICT', 'NO ACTION'))",
                         server_text(w->database), server_text(w->name)) ||
           (strcmp(n, "0") != 0 &&
            !refuse(w, "a foreign key of it changes its rows by itself, which nobody is told of; "
                    "use RESTRICT"));
}

static bool
column_ok(struct lookup_work *w, const json_t *facts, const char *name)
{
    const json_t       *object = facts_column(facts, name);
    const json_t       *key    = facts_column(facts, model_text(w->table, "key"));
    struct route_column c, k;
    struct err          err;

    if (!object || !key)
        return refuse(w, "it has no column %s", name);
    model_column(object, &c);
    model_column(key, &k);
    if (strcasecmp(name, model_text(w->table, "key")) == 0)
        return refuse(w, "%s is its key: make it UNIQUE", name);
    if (c.generated)
        return refuse(w, "%s is generated", name);
    if (k.nullable)
        return refuse(w, "its key %s may be NULL; make it NOT NULL", model_text(w->table, "key"));
    if (!lookup_type_ok(c.type) || !keyhash_column_supported(&c, &err))
        return refuse(w, "the type or collation of %s is none that values are found by: whole "
                      "numbers, CHAR, VARCHAR, BINARY, VARBINARY, DATE, UUID and INET6 are", name);
    return lookup_type_ok(k.type) ||
           refuse(w, "the type of its key %s is none of whole numbers, CHAR, VARCHAR, BINARY, "
                  "VARBINARY, DATE, UUID and INET6", model_text(w->table, "key"));
}

static bool
may_be(struct lookup_work *w, const json_t *facts, const char *column)
{
    if (strcmp(model_text(w->table, "kind"), "sharded") != 0)
        return refuse(w, "it is %s; its servers keep UNIQUE keys by themselves",
                      model_text(w->table, "kind"));
    if (json_array_size(json_object_get(w->table, "lookups")) >= ROUTES_LOOKUPS_MAX)
        return refuse(w, "it has %d of them already", ROUTES_LOOKUPS_MAX);
    return moving_allows(w->c, w->database, w->name, w->error) &&
           !trigger_forbids(w->table, "lookups", w->error) && column_ok(w, facts, column) &&
           !changes_by_itself(w);
}

/* --- adding ---------------------------------------------------------------------- */

static bool
make_everywhere(struct lookup_work *w, const json_t *lookup)
{
    bool ok = true;

    for (size_t i = 0; ok && i < w->n; i++)
        ok = lookup_make_on(&w->server[i], w->table, lookup, w->error);
    return ok;
}

static bool
remove_lookup(struct lookup_work *w, const char *column)
{
    char            name[200];
    size_t          at;
    json_t         *lookup = find(w->table, column, &at), *list;
    struct catalog_change *change;
    char           *key;
    bool            ok = true;

    json_incref(lookup);
    list = json_object_get(w->table, "lookups");
    json_array_remove(list, at);
    if (json_array_size(list) == 0)
        json_object_del(w->table, "lookups");
    change = catalog_begin(w->c->catalog, w->who);
    ok     = put_table(w, change);
    for (size_t i = 0; ok && i < w->n; i++)
        ok = lookup_drop_triggers(&w->server[i], w->table, lookup, w->error);
    snprintf(name, sizeof(name), "%s", model_text(lookup, "table"));
    json_decref(lookup);
    if (!ok)
        return false;
    change = catalog_begin(w->c->catalog, w->who);
    key    = catalog_table_name(ROUTES_LOOKUP_SCHEMA, name);
    catalog_remove(change, CATALOG_TABLE, key, CATALOG_ANY);
    free(key);
    ok = commit(w, change);
    for (size_t i = 0; ok && i < w->n; i++)
        ok = server_run(&w->server[i], w->error, "DROP TABLE IF EXISTS " ROUTES_LOOKUP_SCHEMA
                        ".%s", server_name(name));
    return ok;
}

static bool
finish(struct lookup_work *w, const char *column)
{
    size_t  at;
    json_t *lookup = find(w->table, column, &at);

    if (!lookup_fill(w, lookup)) {
        struct sql_error why = *w->error;

        if (!remove_lookup(w, column))
            log_warn("the lookup of %s.%s that could not be filled stays: %s", w->database,
                     w->name, w->error->message);
        *w->error = why;
        return false;
    }
    json_object_set_new(lookup, "filling", json_false());
    job_note(w->job, "filled");
    return put_table(w, catalog_begin(w->c->catalog, w->who));
}

static bool
add(struct lookup_work *w, const char *column)
{
    json_t *facts, *one;
    size_t  at;
    bool    ok;

    if ((one = find(w->table, column, &at)))
        return !model_flag(one, "filling") || finish(w, column);
    facts = facts_read(&w->server[0], w->database, w->name, NULL, w->error);
    ok    = facts && may_be(w, facts, column);
    if (ok) {
        one = new_lookup(w->c, w->table, facts, column);
        if (!json_object_get(w->table, "lookups"))
            json_object_set_new(w->table, "lookups", json_array());
        json_array_append_new(json_object_get(w->table, "lookups"), one);
        ok = make_everywhere(w, one) && record(w, one) && finish(w, column);
    }
    json_decref(facts);
    return ok;
}

/* --- from outside ----------------------------------------------------------------- */

static bool
with_servers(struct job *job, const char *database, const char *table, const char *column,
             bool (*run)(struct lookup_work *w, const char *column), struct sql_error *error)
{
    struct lookup_work *w    = calloc(1, sizeof(*w));
    char               *name = catalog_table_name(database, table);
    bool                ok;

    if (!w)
        abort();
    w->c        = job->cluster;
    w->job      = job;
    w->who      = model_text(job->record, "who");
    w->database = database;
    w->name     = table;
    w->error    = error;
    w->table    = catalog_get(w->c->catalog, CATALOG_TABLE, name, NULL);
    w->shards   = catalog_all(w->c->catalog, CATALOG_SHARD);
    free(name);
    ok = (w->table || sql_error_set(error, 1146, "Table '%s.%s' doesn't exist", database, table))
         && admin_open_all(w->shards, w->server, &w->n, error) && run(w, column);
    admin_close_all(w->server, w->n);
    json_decref(w->table);
    json_decref(w->shards);
    free(w);
    return ok;
}

bool
lookup_add(struct job *job, const char *database, const char *table, const char *column,
           struct sql_error *error)
{
    return with_servers(job, database, table, column, add, error);
}

static bool
drop(struct lookup_work *w, const char *column)
{
    size_t at;

    return find(w->table, column, &at)
               ? moving_allows(w->c, w->database, w->name, w->error) && remove_lookup(w, column)
               : sql_error_set(w->error, SQL_NOT_SUPPORTED, "shardd: %s.%s has no lookup on %s",
                               w->database, w->name, column);
}

bool
lookup_drop(struct job *job, const char *database, const char *table, const char *column,
            struct sql_error *error)
{
    return with_servers(job, database, table, column, drop, error);
}

bool
lookup_run(struct cluster *c, const char *who, const char *database, const char *table,
           const char *column, bool add_it, struct sql_error *error)
{
    struct job job;
    char       what[300];
    bool       ok;

    snprintf(what, sizeof(what), "%s the lookup on %s", add_it ? "add" : "drop", column);
    if (!job_begin(&job, c, "lookup", who, what, database, table, error))
        return false;
    ok = add_it ? lookup_add(&job, database, table, column, error)
                : lookup_drop(&job, database, table, column, error);
    job_end(&job, ok ? JOB_DONE : JOB_FAILED, error);
    return ok;
}

bool
lookup_add_wished(struct job *job, const char *database, const char *table,
                  const struct wish *wish, struct sql_error *error)
{
    bool ok = true;

    for (size_t i = 0; ok && i < wish->n_lookups; i++)
        ok = lookup_add(job, database, table, wish->lookup[i], error);
    return ok;
}

bool
lookup_add_like(struct job *job, const char *database, const char *table, const json_t *like,
                struct sql_error *error)
{
    json_t *list = json_object_get(like, "lookups"), *one;
    size_t  i;
    bool    ok = true;

    json_array_foreach(list, i, one)
        ok = ok && lookup_add(job, database, table, model_text(one, "column"), error);
    return ok;
}

void
lookup_forget(const json_t *table, json_t *objects)
{
    json_t *list = json_object_get(table, "lookups"), *one;
    size_t  i;

    json_array_foreach(list, i, one) {
        char *name = catalog_table_name(ROUTES_LOOKUP_SCHEMA, model_text(one, "table"));

        json_object_set_new_nocheck(objects, name, json_null());
        free(name);
    }
}

bool
lookup_drop_tables(struct server *s, const json_t *table, struct sql_error *error)
{
    json_t *list = json_object_get(table, "lookups"), *one;
    size_t  i;
    bool    ok = true;

    json_array_foreach(list, i, one)
        ok = ok && server_run(s, error, "DROP TABLE IF EXISTS " ROUTES_LOOKUP_SCHEMA ".%s",
                              server_name(model_text(one, "table")));
    return ok;
}

static bool
stays(const json_t *before, const json_t *after, const char *column)
{
    json_t *x = json_deep_copy(facts_column(before, column));
    json_t *y = json_deep_copy(facts_column(after, column));
    bool    same;

    json_object_del(x, "has_default");
    json_object_del(y, "has_default");
    same = x && y && json_equal(x, y);
    json_decref(x);
    json_decref(y);
    return same;
}

static bool
is_unique(const json_t *facts, const char *column)
{
    json_t *keys = json_object_get(facts, "keys"), *key;
    size_t  i;

    json_array_foreach(keys, i, key)
        if (model_flag(key, "unique") && is_on(key, column))
            return true;
    return false;
}

bool
lookup_lets_alter(const json_t *table, const json_t *before, const json_t *after,
                  struct sql_error *error)
{
    json_t *list = json_object_get(table, "lookups"), *one;
    size_t  i;
    size_t  n = json_array_size(json_object_get(before, "foreign"));

    json_array_foreach(list, i, one) {
        const char *column = model_text(one, "column");

        if (!stays(before, after, column) || !stays(before, after, model_text(one, "key")))
            return !lookup_forbids(table, "a change of this column, or of the key,", error);
        if (is_unique(after, column))
            return !lookup_forbids(table, "a UNIQUE key of the servers beside it", error);
        if (json_array_size(json_object_get(after, "foreign")) > n)
            return !lookup_forbids(table, "a new foreign key", error);
    }
    return true;
}
