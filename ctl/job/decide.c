/* decide.c - the rules, in the order in which people are told of them. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/route/keyhash.h"
#include "ctl/catalog/model.h"
#include "ctl/job/decide.h"
#include "ctl/job/facts.h"

static const char choices[] =
    "choose another column (COMMENT 'shardd: key(column)'), COMMENT 'shardd: global' to keep the "
    "table whole on one shard, COMMENT 'shardd: reference' for a copy on every shard, or COMMENT "
    "'shardd: lookup(column)' so that a lookup keeps a column unique over all shards";

/* "(column)", perhaps in backquotes. NULL: it is none; else what stands behind it. */
static const char *
take_column(const char *at, char out[256])
{
    const char *end;
    size_t      len;

    while (*at == ' ')
        at++;
    if (*at++ != '(' || !(end = strchr(at, ')')))
        return NULL;
    len = (size_t)(end - at);
    while (len > 0 && (at[0] == ' ' || at[0] == '`')) {
        at++;
        len--;
    }
    while (len > 0 && (at[len - 1] == ' ' || at[len - 1] == '`'))
        len--;
    if (len == 0 || len >= 256)
        return NULL;
    memcpy(out, at, len);
    out[len] = '\0';
    return end + 1;
}

static const char *
take_word(const char *at, const char *word)
{
    size_t n = strlen(word);

    return strncmp(at, word, n) == 0 && !isalnum((unsigned char)at[n]) ? at + n : NULL;
}

/* One of the wishes behind "shardd:". NULL: it is none. */
static const char *
take_wish(const char *at, struct wish *wish)
{
    const char *end;

    if ((end = take_word(at, "lookup")))
        return wish->n_lookups < DECIDE_LOOKUPS ? take_column(end, wish->lookup[wish->n_lookups++])
                                                : NULL;
    if (wish->given)
        return NULL;
    wish->given = true;
    if ((end = take_word(at, "key"))) {
        wish->kind = TABLE_SHARDED;
        return take_column(end, wish->key);
    }
    wish->kind = TABLE_REFERENCE;
    if ((end = take_word(at, "reference")))
        return end;
    wish->kind = TABLE_GLOBAL;
    return take_word(at, "global");
}

static bool
starts_wish(const char *at)
{
    return take_word(at, "lookup") || take_word(at, "key") || take_word(at, "reference") ||
           take_word(at, "global");
}

bool
decide_comment(const char *comment, struct wish *wish, struct sql_error *error)
{
    const char *at    = strstr(comment, "shardd:");
    bool        first = true;

    *wish = (struct wish){ .kind = TABLE_GLOBAL };
    if (!at)
        return true;
    at += strlen("shardd:");
    for (;; first = false) {
        while (*at == ' ' || *at == ',')
            at++;
        if (!first && !starts_wish(at))
            return true; /* other words of the application */
        if (!(at = take_wish(at, wish)))
            return sql_error_set(error, SQL_NOT_SUPPORTED,
                                 "shardd: the comment '%.60s' is not understood; write "
                                 "'shardd: key(column)', 'shardd: reference' or 'shardd: global', "
                                 "and 'lookup(column)' with a key or alone", comment);
    }
}

static bool
unique_keys_ok(const json_t *facts, const char *column, char *reason, char *remedy, size_t room)
{
    json_t *keys = json_object_get(facts, "keys"), *key;
    size_t  i;

    json_array_foreach(keys, i, key) {
        size_t at = facts_find(json_object_get(key, "columns"), column);

        if (!model_flag(key, "unique"))
            continue;
        if (at != SIZE_MAX && json_is_true(json_array_get(json_object_get(key, "whole"), at)))
            continue;
        snprintf(reason, room, "UNIQUE key %s lacks the column %s", model_text(key, "name"),
                 column);
        snprintf(remedy, room, "add %s to the key %s, or choose a column that every UNIQUE key "
                               "has", column, model_text(key, "name"));
        return false;
    }
    return true;
}

/* A sequence is on one shard, and rows of the others could not have its numbers. */
static bool
defaults_ok(const json_t *facts, char *reason, char *remedy, size_t room)
{
    json_t *column;
    size_t  i;

    json_array_foreach(json_object_get(facts, "columns"), i, column)
        if (model_flag(column, "counts")) {
            snprintf(reason, room, "the default of the column %s is a sequence's, which is on one "
                     "shard", model_text(column, "name"));
            snprintf(remedy, room, "use AUTO_INCREMENT, or say NEXTVAL() in INSERT");
            return false;
        }
    return true;
}

/* A trigger or an event would write to it at its home alone. */
static bool
not_used(const json_t *facts, char *reason, char *remedy, size_t room)
{
    const char *who = model_text(facts, "used_by");

    if (who[0] == '\0')
        return true;
    snprintf(reason, room, "the %.200s uses its name", who);
    snprintf(remedy, room, "drop that, or give the table another name");
    return false;
}

bool
decide_key_ok(const json_t *facts, const char *column, char *reason, char *remedy, size_t room)
{
    const json_t       *object = facts_column(facts, column);
    struct route_column c;
    struct err          err;

    if (!facts_primary(facts)) {
        snprintf(reason, room, "it has no primary key");
        snprintf(remedy, room, "add a primary key");
        return false;
    }
    if (!object) {
        snprintf(reason, room, "it has no column %s", column);
        snprintf(remedy, room, "name one of its columns");
        return false;
    }
    model_column(object, &c);
    if (c.generated || model_flag(object, "on_update")) {
        snprintf(reason, room, "the server computes the column %s by itself", column);
        snprintf(remedy, room, "choose a column whose values the application gives");
        return false;
    }
    if (!keyhash_column_supported(&c, &err)) {
        snprintf(reason, room, "%s", err.text);
        snprintf(remedy, room, "choose another column as the key");
        return false;
    }
    return not_used(facts, reason, remedy, room) && defaults_ok(facts, reason, remedy, room) &&
           unique_keys_ok(facts, column, reason, remedy, room);
}

/* What decide() knows while it looks at the foreign keys of one table. */
struct view {
    const char      *name; /* the table's catalog name */
    const json_t    *facts;
    const json_t    *tables;
    struct decision *out;
    struct wish      wish;
};

static json_t *
find_table(const struct view *v, const json_t *foreign, char **name)
{
    *name = catalog_table_name(model_text(foreign, "database"), model_text(foreign, "table"));
    return json_object_get(v->tables, *name);
}

/* Whether the foreign key refers from the child's key column to the parent's. */
static bool
keys_meet(const json_t *foreign, const json_t *child, const char *child_key,
          const json_t *parent, const char *parent_key)
{
    size_t              at = facts_find(json_object_get(foreign, "columns"), child_key);
    const json_t       *a  = facts_column(child, child_key);
    const json_t       *b  = facts_column(parent, parent_key);
    struct route_column x, y;
    const char         *referred;

    if (at == SIZE_MAX || !a || !b)
        return false;
    referred = json_string_value(json_array_get(json_object_get(foreign, "references"), at));
    if (!referred || strcasecmp(referred, parent_key) != 0)
        return false;
    model_column(a, &x);
    model_column(b, &y);
    return keyhash_colocated(&x, &y);
}

static void
become_global(struct view *v, const char *reason, const char *constraint, const char *other)
{
    struct decision *d = v->out;

    if (d->kind != TABLE_SHARDED)
        return;
    d->kind = TABLE_GLOBAL;
    snprintf(d->reason, sizeof(d->reason), "its foreign key %s %s %s", constraint, reason, other);
    snprintf(d->remedy, sizeof(d->remedy),
             "let the foreign key join the key columns of both tables, or make one of them a "
             "reference table");
}

static void
also(struct view *v, const char *name)
{
    json_object_set_new_nocheck(v->out->also_global, name, json_true());
}

/* This table as the child. */
static void
look_at_parent(struct view *v, const json_t *foreign)
{
    char       *name;
    json_t     *parent     = find_table(v, foreign, &name);
    const char *constraint = model_text(foreign, "name");
    const char *shown      = model_text(foreign, "table");
    bool        self       = strcmp(name, v->name) == 0;
    enum table_kind kind   = parent ? model_kind(model_text(parent, "kind"), TABLE_GLOBAL)
                                    : TABLE_GLOBAL;

    if (self) {
        if (!keys_meet(foreign, v->facts, v->out->key, v->facts, v->out->key))
            become_global(v, "refers to other rows of", constraint, "the same table");
    } else if (parent && kind == TABLE_GLOBAL) {
        become_global(v, "refers to the global table", constraint, shown);
    } else if (parent && kind == TABLE_SHARDED) {
        if (v->out->kind == TABLE_SHARDED &&
            !keys_meet(foreign, v->facts, v->out->key, parent, model_text(parent, "key")))
            become_global(v, "does not join its key to the key of", constraint, shown);
    }
    free(name);
}

/* An existing table as the child of this one: it was made before its parent. */
static void
look_at_child(struct view *v, const json_t *child, const json_t *foreign)
{
    enum table_kind kind  = model_kind(model_text(child, "kind"), TABLE_GLOBAL);
    const char     *shown = model_text(child, "name");

    if (kind == TABLE_GLOBAL)
        become_global(v, "is that of a global table, namely", model_text(foreign, "name"),
                      shown);
    else if (kind == TABLE_SHARDED &&
             !keys_meet(foreign, child, model_text(child, "key"), v->facts, v->out->key))
        become_global(v, "does not join its key to the key of", model_text(foreign, "name"),
                      shown);
}

static void
look_at_children(struct view *v)
{
    const char *name;
    json_t     *child, *foreign;
    size_t      i;

    json_object_foreach((json_t *)(uintptr_t)v->tables, name, child) {
        json_t *list = json_object_get(child, "foreign");

        if (strcmp(name, v->name) == 0)
            continue;
        json_array_foreach(list, i, foreign) {
            char *parent = catalog_table_name(model_text(foreign, "database"),
                                              model_text(foreign, "table"));

            if (strcmp(parent, v->name) == 0)
                look_at_child(v, child, foreign);
            free(parent);
        }
    }
}

static bool
refers_to(const json_t *table, const char *name)
{
    json_t *list = json_object_get(table, "foreign"), *foreign;
    size_t  i;
    bool    yes = false;

    json_array_foreach(list, i, foreign) {
        char *parent = catalog_table_name(model_text(foreign, "database"),
                                          model_text(foreign, "table"));

        yes = yes || strcmp(parent, name) == 0;
        free(parent);
    }
    return yes;
}

static bool
is_sharded(const json_t *table)
{
    return strcmp(model_text(table, "kind"), "sharded") == 0;
}

void
decide_spread(json_t *names, const json_t *tables)
{
    size_t before;

    do {
        const char *name, *other;
        json_t     *table, *ignored;
        json_t     *found = json_object();

        before = json_object_size(names);
        json_object_foreach((json_t *)(uintptr_t)tables, name, table) {
            if (!is_sharded(table) || json_object_get(names, name))
                continue;
            json_object_foreach(names, other, ignored)
                if (refers_to(table, other) ||
                    refers_to(json_object_get(tables, other), name))
                    json_object_set_new_nocheck(found, name, json_true());
        }
        json_object_update(names, found);
        json_decref(found);
    } while (json_object_size(names) != before);
}

/* When this table is global, sharded tables tied to it must be so too. */
static void
collect_also(struct view *v)
{
    json_t     *list = json_object_get(v->facts, "foreign"), *foreign, *table;
    const char *name;
    size_t      i;

    json_array_foreach(list, i, foreign) {
        char   *parent_name;
        json_t *parent = find_table(v, foreign, &parent_name);

        if (parent && is_sharded(parent) && strcmp(parent_name, v->name) != 0)
            also(v, parent_name);
        free(parent_name);
    }
    json_object_foreach((json_t *)(uintptr_t)v->tables, name, table)
        if (is_sharded(table) && strcmp(name, v->name) != 0 && refers_to(table, v->name))
            also(v, name);
    decide_spread(v->out->also_global, v->tables);
    json_object_del(v->out->also_global, v->name);
}

static void
look_at_foreign_keys(struct view *v)
{
    json_t *list = json_object_get(v->facts, "foreign"), *foreign;
    size_t  i;

    json_array_foreach(list, i, foreign)
        look_at_parent(v, foreign);
    look_at_children(v);
}

/* A reference table's rows are everywhere; what they refer to must be too. */
static bool
reference_ok(struct view *v, const char *table, struct sql_error *error)
{
    json_t *list = json_object_get(v->facts, "foreign"), *foreign, *column;
    size_t  i;

    if (!facts_primary(v->facts))
        return sql_error_set(error, SQL_NOT_SUPPORTED,
                             "shardd: %s cannot be a reference table: it has no primary key; "
                             "add one", table);
    if (model_text(v->facts, "used_by")[0] != '\0')
        return sql_error_set(error, SQL_NOT_SUPPORTED,
                             "shardd: %s cannot be a reference table: the %.200s uses its name, "
                             "and runs on one shard alone", table,
                             model_text(v->facts, "used_by"));
    json_array_foreach(json_object_get(v->facts, "columns"), i, column)
        if (model_flag(column, "varies"))
            return sql_error_set(error, SQL_NOT_SUPPORTED,
                                 "shardd: %s cannot be a reference table: its copies would not "
                                 "compute the same default for the column %s; leave that out and "
                                 "give the value in INSERT", table, model_text(column, "name"));
    json_array_foreach(list, i, foreign) {
        char   *name;
        json_t *parent = find_table(v, foreign, &name);
        bool    bad    = parent && strcmp(model_text(parent, "kind"), "reference") != 0 &&
                   strcmp(name, v->name) != 0;

        free(name);
        if (bad)
            return sql_error_set(error, SQL_NOT_SUPPORTED,
                                 "shardd: %s cannot be a reference table: its foreign key %s "
                                 "refers to %s, which is not one; make that a reference table "
                                 "first, or leave the foreign key out", table,
                                 model_text(foreign, "name"), model_text(foreign, "table"));
    }
    return true;
}

static void
by_policy(struct view *v, bool policy_global)
{
    struct decision *d       = v->out;
    const json_t    *primary = facts_primary(v->facts);
    const char      *first   = json_string_value(
        json_array_get(json_object_get(primary, "columns"), 0));

    if (policy_global) {
        snprintf(d->reason, sizeof(d->reason), "the database's policy is global");
        snprintf(d->remedy, sizeof(d->remedy), "shardctl table set, or a comment "
                                               "'shardd: key(column)'");
        return;
    }
    snprintf(d->key, sizeof(d->key), "%s", first ? first : "");
    if (decide_key_ok(v->facts, d->key, d->reason, d->remedy, sizeof(d->reason)))
        d->kind = TABLE_SHARDED;
    look_at_foreign_keys(v);
}

/* As wished, or the obstacle as an error. */
static bool
by_wish(struct view *v, const char *table, struct sql_error *error)
{
    struct decision *d = v->out;

    d->kind = v->wish.kind;
    if (d->kind == TABLE_REFERENCE)
        return reference_ok(v, table, error);
    if (d->kind != TABLE_SHARDED)
        return true;
    snprintf(d->key, sizeof(d->key), "%s", v->wish.key);
    if (decide_key_ok(v->facts, d->key, d->reason, d->remedy, sizeof(d->reason)))
        look_at_foreign_keys(v);
    else
        d->kind = TABLE_GLOBAL;
    return d->kind == TABLE_SHARDED ||
           sql_error_set(error, SQL_NOT_SUPPORTED,
                         "shardd: %s cannot be sharded by %s: %.160s; %s", table, v->wish.key,
                         d->reason, choices);
}

bool
decide(const char *database, const char *table, const json_t *facts, const struct wish *wish,
       bool policy_global, const json_t *tables, struct decision *out, struct sql_error *error)
{
    char       *name = catalog_table_name(database, table);
    struct view v    = { .name = name, .facts = facts, .tables = tables, .out = out,
                         .wish = *wish };
    bool        ok   = true;

    *out             = (struct decision){ .kind = TABLE_GLOBAL };
    out->also_global = json_object();
    if (wish->given)
        ok = by_wish(&v, table, error);
    else
        by_policy(&v, policy_global);
    if (ok && out->kind == TABLE_GLOBAL)
        collect_also(&v);
    if (out->kind != TABLE_SHARDED)
        out->key[0] = '\0';
    if (!ok)
        decision_fini(out);
    free(name);
    return ok;
}

void
decision_fini(struct decision *d)
{
    json_decref(d->also_global);
    d->also_global = NULL;
}
