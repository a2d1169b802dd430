/* ddl_kind.c - tables that change from one kind to another, while they are empty.
 *
 * Emptiness must hold until the workers know the new kind. WRITE locks on every
 * copy keep rows out; a statement that waits for such a lock was routed by the old
 * kind, so the table is dropped under the lock: the waiting statement finds no
 * table (1146) instead of putting a row where it would be lost.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "ctl/catalog/model.h"
#include "ctl/job/code_uses.h"
#include "ctl/job/ddl_step.h"
#include "ctl/job/facts.h"
#include "ctl/job/lookup.h"
#include "ctl/job/trigger.h"

enum { LOCK_WAIT_S = 10, DRAIN_MS = 5000 };

void
ddl_unlock(struct ddl *d)
{
    struct sql_error ignored;

    for (size_t i = 0; i < d->n_shards; i++)
        if (d->as_us[i].mysql && !server_run(&d->as_us[i], &ignored, "UNLOCK TABLES"))
            server_close(&d->as_us[i]);
}

bool
ddl_has_rows(struct ddl *d, struct server *s, const struct ddl_table *t, bool lock, bool *rows)
{
    char found[8];

    if (lock && (!server_run(s, d->error, "SET SESSION lock_wait_timeout = %d", LOCK_WAIT_S) ||
                 !server_run(s, d->error, "LOCK TABLES %s.%s WRITE", server_name(t->database),
                             server_name(t->name))))
        return false;
    if (!server_value(s, found, sizeof(found), d->error, "SELECT 1 FROM %s.%s LIMIT 1",
                      server_name(t->database), server_name(t->name)))
        return false;
    *rows = found[0] != '\0';
    return true;
}

bool
ddl_require_empty(struct ddl *d, const struct ddl_table *t, bool lock, const char *why)
{
    int64_t where = ddl_where(t);

    for (size_t i = 0; i < d->n_shards; i++) {
        struct server *s;
        bool           rows;

        if (where != DDL_ALL && i != ddl_index(d, where))
            continue;
        s = ddl_us(d, i);
        if (!s || !ddl_has_rows(d, s, t, lock, &rows))
            return false;
        if (rows)
            return sql_error_set(d->error, SQL_NOT_SUPPORTED,
                                 "shardd: %s, and the table %s.%s has rows already, so that it "
                                 "cannot change to another kind; empty it first, or choose "
                                 "other keys", why, t->database, t->name);
    }
    return true;
}

bool
ddl_find_named(struct ddl *d, const char *name, struct ddl_table *t)
{
    json_t     *object = json_object_get(d->tables, name);
    struct path path   = { .schema = span_of(model_text(object, "database")),
                           .name   = span_of(model_text(object, "name")) };

    return ddl_find_known(d, &path, t);
}

/* Drops the copies of a sharded, locked, empty table that are not at home. */
static bool
drop_away(struct ddl *d, const struct ddl_table *t)
{
    for (size_t i = 0; i < d->n_shards; i++)
        if (i != ddl_index(d, t->home) &&
            (!server_run(&d->as_us[i], d->error, "SET SESSION foreign_key_checks = 0") ||
             !server_run(&d->as_us[i], d->error, "DROP TABLE %s.%s", server_name(t->database),
                         server_name(t->name))))
            return false;
    return true;
}

static json_t *
as_global(const json_t *object, const char *why)
{
    json_t *copy = json_deep_copy(object);

    model_set(copy, "kind", "global");
    model_set(copy, "key", NULL);
    model_set(copy, "reason", why);
    model_set(copy, "remedy", "let its foreign keys join the key columns of both tables");
    json_object_del(copy, "sequence");
    return copy;
}

/* SHOW CREATE TABLE as the home shard says it; in the arena, NULL with the error. */
static const char *
create_text(struct ddl *d, const struct ddl_table *t)
{
    struct server *s    = ddl_us(d, ddl_index(d, t->home));
    json_t        *rows = s ? server_rows(s, d->error, "SHOW CREATE TABLE %s.%s",
                                          server_name(t->database), server_name(t->name))
                            : NULL;
    const char    *text = NULL;

    if (rows)
        text = arena_cstr(&d->arena, span_of(server_cell(json_array_get(rows, 0), 1)));
    json_decref(rows);
    return text;
}

/* One table at a time: a LOCK TABLES ends the one before. */
static bool
bring_one(struct ddl *d, const char *name, const char *why)
{
    struct ddl_table t;
    const char      *text;
    bool             ok;

    if (!ddl_find_named(d, name, &t) || !(text = create_text(d, &t)) || !ddl_keep(d, &t, text) ||
        !ddl_require_empty(d, &t, true, why))
        ok = false;
    else
        ok = drop_away(d, &t);
    ddl_unlock(d);
    return ok;
}

/* Copies that were dropped although the catalog has not changed are made again. Returns
 * false, with the error of before. */
static bool
restored(struct ddl *d)
{
    struct sql_error kept = *d->error;

    if (!ddl_restore(d))
        d->end = JOB_STUCK;
    *d->error = kept;
    return false;
}

bool
ddl_bring_home(struct ddl *d, const json_t *names, const char *why)
{
    json_t          *set     = (json_t *)(uintptr_t)names;
    json_t          *objects = json_object(), *ignored;
    const char      *name;
    struct ddl_table t;
    bool             ok = true;

    /* All are looked at before the first is changed. */
    json_object_foreach(set, name, ignored)
        ok = ok && ddl_find_named(d, name, &t) &&
             !lookup_forbids(t.object, "another kind", d->error) &&
             !trigger_forbids(t.object, "another kind", d->error) &&
             ddl_require_empty(d, &t, false, why);
    json_object_foreach(set, name, ignored) {
        ok = ok && bring_one(d, name, why);
        if (ok)
            json_object_set_new_nocheck(objects, name,
                                        as_global(json_object_get(d->tables, name), why));
    }
    if (json_object_size(objects) > 0) {
        struct sql_error kept = *d->error;
        bool             recorded = ddl_record(d, objects);

        if (!ok && recorded)
            *d->error = kept;
        ok = ok && recorded;
        json_object_update(d->tables, objects);
    }
    json_decref(objects);
    return ok || restored(d);
}

bool
ddl_create_copy(struct ddl *d, size_t index, const struct ddl_table *t, const char *text)
{
    struct server *s = ddl_us(d, index);

    return s && server_run(s, d->error, "SET SESSION foreign_key_checks = 0") &&
           server_run(s, d->error, "SET SESSION sql_mode = ''") &&
           server_run(s, d->error, "USE %s", server_name(t->database)) &&
           server_run_text(s, span_of(text), d->error);
}

static bool
record_one(struct ddl *d, const struct ddl_table *t, json_t *object)
{
    char   *name    = catalog_table_name(t->database, t->name);
    json_t *objects = json_object();
    bool    ok;

    json_object_set_nocheck(objects, name, object);
    ok = ddl_record(d, objects);
    json_decref(objects);
    free(name);
    return ok;
}

/* Dropped where it is, known in its new form, made where it belongs. Between
 * the first and the last of these a client sees no table. */
static bool
rebuild(struct ddl *d, const struct ddl_table *t, json_t *object, int64_t to)
{
    const char *text = create_text(d, t);
    bool        ok;

    if (!text || !ddl_keep(d, t, text) ||
        !ddl_require_empty(d, t, true, "its kind is to change")) {
        ddl_unlock(d);
        return false;
    }
    d->end = JOB_STUCK;
    ddl_undo(d, ddl_where(t), "DROP TABLE IF EXISTS %s.%s", server_name(t->database),
             server_name(t->name));
    ddl_unlock(d);
    ok = record_one(d, t, object);
    if (!publish_drained(d->c->publisher, DRAIN_MS))
        log_warn("%s.%s changes its kind while statements of before are still under way",
                 t->database, t->name);
    for (size_t i = 0; ok && i < d->n_shards; i++)
        if (to == DDL_ALL || i == ddl_index(d, to))
            ok = ddl_create_copy(d, i, t, text);
    return ok;
}

static bool
set_kind(struct ddl *d, const struct ddl_table *t, const struct wish *wish)
{
    struct server  *s     = ddl_us(d, ddl_index(d, t->home));
    json_t         *facts = s ? facts_read(s, t->database, t->name, NULL, d->error) : NULL;
    json_t         *object;
    struct decision how;
    bool            ok;

    if (!facts)
        return false;
    if (!code_note_uses(d, t->name, facts) ||
        !decide(t->database, t->name, facts, wish, false, d->tables, &how, d->error)) {
        json_decref(facts);
        return false;
    }
    ok     = ddl_bring_home(d, how.also_global,
                            "a foreign key joins rows of different shards");
    object = ddl_object(t, facts, &how);
    if (ok && how.kind == TABLE_SHARDED && facts_auto_increment(facts)[0]) {
        int64_t id = ddl_sequence_new(d, t->home, 1);

        json_object_set_new(object, "sequence", json_integer(id));
        ok = id != 0;
    }
    if (ok && how.kind == TABLE_GLOBAL && model_text(object, "reason")[0] == '\0')
        model_set(object, "reason", "shardctl table set");
    ok = ok && rebuild(d, t, object, how.kind == TABLE_GLOBAL ? t->home : DDL_ALL);
    json_decref(object);
    json_decref(facts);
    decision_fini(&how);
    return ok;
}

/* Those of a global table are at its home alone. */
bool
ddl_no_triggers(struct ddl *d, const struct ddl_table *t)
{
    struct server *s   = ddl_us(d, ddl_index(d, t->home));
    json_t        *all = s ? trigger_read(s, t->database, t->name, d->error) : NULL;
    size_t         n   = json_array_size(all);

    json_decref(all);
    return all && (n == 0 || sql_error_set(d->error, SQL_NOT_SUPPORTED, "shardd: %.64s has "
                                           "triggers, which do not go with another kind: drop "
                                           "them first, and make them again afterwards", t->name));
}

bool
ddl_change_kind(struct ddl *d, const char *database, const char *table, const struct wish *wish)
{
    struct path      path = { .schema = span_of(database), .name = span_of(table) };
    struct ddl_table t;

    if (!ddl_find_known(d, &path, &t))
        return false;
    if (!t.object)
        return sql_error_set(d->error, DDL_NO_SUCH_TABLE, "Table '%s.%s' doesn't exist",
                             database, table);
    if (strcmp(model_text(t.object, "kind"), "view") == 0)
        return sql_error_set(d->error, SQL_NOT_SUPPORTED, "shardd: %s.%s is a view", database,
                             table);
    if (ddl_kind(&t) == wish->kind &&
        (wish->kind != TABLE_SHARDED || strcasecmp(model_text(t.object, "key"), wish->key) == 0))
        return ddl_restore_older(d, database, table);
    return !lookup_forbids(t.object, "another kind", d->error) &&
           !trigger_forbids(t.object, "another kind", d->error) && ddl_no_triggers(d, &t) &&
           set_kind(d, &t, wish);
}
