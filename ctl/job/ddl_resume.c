/* ddl_resume.c - statements that a killed controller left half done.
 *
 * The home shard is the first to have a change (and the last to have a new table), and nobody
 * can change a schema while no controller runs. So the home shard tells whether the change has
 * begun: then it is finished on the others, else there is nothing to do. Rows are never touched
 * again: applications have gone on writing since.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/catalog/model.h"
#include "ctl/job/ddl_step.h"
#include "ctl/job/facts.h"

enum { QUIET_WAIT_S = 30 };

static enum job_state
nothing(struct ddl *d, const char *why)
{
    sql_error_set(d->error, SQL_UNKNOWN_ERROR, "shardd: the controller ended while the job was "
                  "running; %s", why);
    return JOB_FAILED;
}

static enum job_state
stuck(struct ddl *d, const struct ddl_table *t)
{
    struct sql_error kept    = *d->error;
    json_t          *objects = json_object(), *object;
    char            *name    = catalog_table_name(t->database, t->name);

    if (t->object) {
        object = json_deep_copy(t->object);
        model_set(object, "state", "stuck");
        json_object_set_new_nocheck(objects, name, object);
        (void)!ddl_record(d, objects);
    }
    json_decref(objects);
    free(name);
    sql_error_set(d->error, SQL_UNKNOWN_ERROR, "shardd: the controller ended while the job was "
                  "running, and it could not be finished (%.250s); repeat the statement",
                  kept.message);
    return JOB_STUCK;
}

static bool
is_there(struct ddl *d, size_t shard, const char *database, const char *name, const char *more,
         bool *yes)
{
    struct server *s = ddl_us(d, shard);
    char           n[24];

    if (!s || !server_value(s, n, sizeof(n), d->error, "SELECT COUNT(*) FROM "
                            "information_schema.TABLES WHERE TABLE_SCHEMA = %s AND "
                            "TABLE_NAME = %s%s", server_text(database), server_text(name), more))
        return false;
    *yes = strcmp(n, "0") != 0;
    return true;
}

bool
ddl_there(struct ddl *d, size_t shard, const char *database, const char *name, bool *yes)
{
    return is_there(d, shard, database, name, "", yes);
}

bool
ddl_sequence_there(struct ddl *d, const struct ddl_table *t, bool *yes)
{
    return is_there(d, ddl_index(d, t->home), t->database, t->name,
                    " AND TABLE_TYPE = 'SEQUENCE'", yes);
}

bool
ddl_wait_quiet(struct ddl *d, size_t shard, const struct ddl_table *t)
{
    struct server *s = ddl_us(d, shard);

    return s && server_run(s, d->error, "SET SESSION lock_wait_timeout = %d", QUIET_WAIT_S) &&
           server_run(s, d->error, "LOCK TABLES %s.%s WRITE", server_name(t->database),
                      server_name(t->name)) &&
           server_run(s, d->error, "UNLOCK TABLES");
}

/* --- ALTER TABLE, CREATE INDEX, DROP INDEX --------------------------------- */

/* Which shards look like the home shard; `*all`: those that should do. */
static bool
compare(struct ddl *d, const struct ddl_table *t, bool *same, bool *all)
{
    struct buf home = { 0 }, other = { 0 };
    size_t     at   = ddl_index(d, t->home);
    bool       ok   = ddl_us(d, at) && facts_definition(ddl_us(d, at), t->database, t->name,
                                                        &home, d->error);

    *all = true;
    for (size_t i = 0; ok && i < d->n_shards; i++) {
        if (i == at || ddl_where(t) != DDL_ALL) {
            same[i] = true;
            continue;
        }
        ok = ddl_us(d, i) && facts_definition(ddl_us(d, i), t->database, t->name, &other,
                                              d->error);
        same[i] = ok && span_equal(buf_unread(&home), buf_unread(&other));
        *all    = *all && same[i];
    }
    buf_fini(&home);
    buf_fini(&other);
    return ok;
}

/* The catalog follows the home shard. The table stays what it is, or it is stuck. */
static bool
refresh(struct ddl *d, const struct ddl_table *t)
{
    struct server  *s    = ddl_us(d, ddl_index(d, t->home));
    json_t         *facts = s ? facts_read(s, t->database, t->name, NULL, d->error) : NULL;
    json_t         *objects = json_object(), *object;
    struct wish     wish = { .given = true, .kind = ddl_kind(t) };
    struct decision how  = { .kind = TABLE_GLOBAL };
    char           *name = catalog_table_name(t->database, t->name);
    bool            ok;

    snprintf(wish.key, sizeof(wish.key), "%s", model_text(t->object, "key"));
    ok = facts && decide(t->database, t->name, facts, &wish, false, d->tables, &how, d->error);
    if (ok) {
        object = ddl_object(t, facts, &how);
        json_object_set(object, "reason", json_object_get(t->object, "reason"));
        json_object_set(object, "remedy", json_object_get(t->object, "remedy"));
        json_object_set(object, "triggers", json_object_get(t->object, "triggers"));
        if (json_object_get(t->object, "sequence"))
            json_object_set(object, "sequence", json_object_get(t->object, "sequence"));
        else if (how.kind == TABLE_SHARDED && facts_auto_increment(facts)[0])
            ok = sql_error_set(d->error, SQL_UNKNOWN_ERROR, "AUTO_INCREMENT came to the table");
        json_object_set_new_nocheck(objects, name, object);
    }
    ok = ok && ddl_record(d, objects);
    decision_fini(&how);
    json_decref(objects);
    json_decref(facts);
    free(name);
    return ok;
}

static enum job_state
resume_alter(struct ddl *d)
{
    struct ddl_table t;
    bool            *same = arena_alloc(&d->arena, d->n_shards * sizeof(*same)), all, was;

    if (!ddl_find(d, &d->stmt->alter_table->table, &t) || !t.object)
        return nothing(d, "there is no such table");
    for (size_t i = 0; i < d->n_shards; i++)
        if ((ddl_where(&t) == DDL_ALL || i == ddl_index(d, t.home)) && !ddl_wait_quiet(d, i, &t))
            return stuck(d, &t);
    if (!compare(d, &t, same, &all))
        return stuck(d, &t);
    was = all;
    for (size_t i = 0; i < d->n_shards; i++) {
        struct server *s = same[i] ? NULL : ddl_user(d, i);

        if (s && server_run_text(s, d->request->sql, d->error))
            job_note(&d->job, "finished on %s", s->name);
    }
    if (!compare(d, &t, same, &all) || !all || !refresh(d, &t))
        return stuck(d, &t);
    return was ? nothing(d, "the table is the same on every shard, see SHOW CREATE TABLE")
               : JOB_DONE;
}

/* --- DROP TABLE, DROP VIEW, RENAME TABLE ------------------------------------ */

/* Gone from the home shard: then from everywhere. False: it could not be found out or done. */
static bool
drop_one(struct ddl *d, const struct ddl_table *t, json_t *objects)
{
    const char *what = d->stmt->object == KW_VIEW ? "VIEW" : "TABLE";
    char       *name;
    bool        at_home;

    if (!ddl_there(d, ddl_index(d, t->home), t->database, t->name, &at_home))
        return false;
    if (at_home)
        return true;
    ddl_undo(d, ddl_where(t), "DROP %s IF EXISTS %s.%s", what, server_name(t->database),
             server_name(t->name));
    name = catalog_table_name(t->database, t->name);
    json_object_set_new_nocheck(objects, name, json_null());
    free(name);
    return d->end != JOB_STUCK;
}

static enum job_state
resume_drop(struct ddl *d)
{
    json_t          *objects = json_object();
    struct ddl_table t       = { .home = 0 };
    bool             ok      = true;
    size_t           n;

    for (struct table_item *at = d->stmt->tables; ok && at; at = at->next)
        if (ddl_find(d, &at->table, &t) && t.object)
            ok = drop_one(d, &t, objects);
    n  = json_object_size(objects);
    ok = ok && (n == 0 || ddl_record(d, objects));
    json_decref(objects);
    if (!ok)
        return stuck(d, &t);
    return n == 0 ? nothing(d, "nothing was dropped") : JOB_DONE;
}

static bool
rename_one(struct ddl *d, const struct ddl_table *from, const struct ddl_table *to,
           json_t *objects)
{
    size_t home = ddl_index(d, from->home);
    bool   old, new;
    char  *name;
    json_t *object;

    if (!ddl_there(d, home, from->database, from->name, &old) ||
        !ddl_there(d, home, to->database, to->name, &new))
        return false;
    if (old || !new)
        return true;
    for (size_t i = 0; ddl_where(from) == DDL_ALL && i < d->n_shards; i++) {
        if (!ddl_there(d, i, from->database, from->name, &old))
            return false;
        if (old && !server_run(ddl_us(d, i), d->error, "RENAME TABLE %s.%s TO %s.%s",
                               server_name(from->database), server_name(from->name),
                               server_name(to->database), server_name(to->name)))
            return false;
    }
    object = json_deep_copy(from->object);
    model_set(object, "database", to->database);
    model_set(object, "name", to->name);
    name = catalog_table_name(from->database, from->name);
    json_object_set_new_nocheck(objects, name, json_null());
    free(name);
    name = catalog_table_name(to->database, to->name);
    json_object_set_new_nocheck(objects, name, object);
    free(name);
    return true;
}

static enum job_state
resume_chain(struct ddl *d)
{
    struct ddl_table first;
    bool             renamed;

    if (!ddl_rename_resume(d, &first, &renamed))
        return stuck(d, &first);
    return renamed ? JOB_DONE : nothing(d, "nothing was renamed");
}

static enum job_state
resume_rename(struct ddl *d)
{
    json_t          *objects = json_object();
    struct ddl_table from = { .home = 0 }, to;
    bool             ok = true;
    size_t           n;

    if (ddl_rename_chained(d))
        return resume_chain(d);
    for (struct table_item *at = d->stmt->tables; ok && at; at = at->next)
        if (ddl_find(d, &at->table, &from) && ddl_find(d, &at->renamed, &to) && from.object)
            ok = rename_one(d, &from, &to, objects);
    n  = json_object_size(objects);
    ok = ok && (n == 0 || ddl_record(d, objects));
    json_decref(objects);
    if (!ok)
        return stuck(d, &from);
    return n == 0 ? nothing(d, "nothing was renamed") : JOB_DONE;
}

static enum job_state
resume_truncate(struct ddl *d)
{
    struct ddl_table t;

    if (!ddl_find(d, &d->stmt->tables->table, &t) || !t.object)
        return nothing(d, "there is no such table");
    if (ddl_kind(&t) == TABLE_REFERENCE) {
        sql_error_set(d->error, SQL_UNKNOWN_ERROR, "its copies may differ");
        return stuck(d, &t);
    }
    return nothing(d, "its rows are gone from some shards, or from none; repeat it");
}

/* --- CREATE TABLE that the catalog knows --------------------------------------- */

/* As it is on another shard. Without rows: a table that has just been made. */
static bool
copy_definition(struct ddl *d, const struct ddl_table *t, struct span definition, size_t to)
{
    struct server *s = ddl_us(d, to);

    return s && server_run(s, d->error, "USE %s", server_name(t->database)) &&
           server_run(s, d->error, "SET SESSION sql_mode = '', foreign_key_checks = 0") &&
           server_run_text(s, definition, d->error);
}

/* The home copy is the last one to be made, when routes and catalog have the table. Clients
 * may have written rows to the others since: these stay, and the home copy is made. */
static bool
complete(struct ddl *d, const struct ddl_table *t, size_t *n_copies)
{
    struct buf definition = { 0 };
    bool       has[ROUTES_SHARDS_MAX], ok = true;

    *n_copies = 0;
    for (size_t i = 0; ok && i < d->n_shards; i++) {
        has[i] = true;
        if (ddl_where(t) != DDL_ALL && i != ddl_index(d, t->home))
            continue;
        ok = ddl_there(d, i, t->database, t->name, &has[i]);
        if (ok && has[i] && (*n_copies)++ == 0)
            ok = facts_definition(ddl_us(d, i), t->database, t->name, &definition, d->error);
    }
    for (size_t i = 0; ok && *n_copies > 0 && i < d->n_shards; i++)
        ok = has[i] || copy_definition(d, t, buf_unread(&definition), i);
    buf_fini(&definition);
    return ok;
}

static enum job_state
resume_create(struct ddl *d)
{
    struct ddl_table t;
    json_t          *objects;
    char            *name;
    size_t           n;
    bool            *same = arena_alloc(&d->arena, d->n_shards * sizeof(*same)), all, ok;

    if (!ddl_find(d, &d->stmt->create_table->table, &t) || !t.object)
        return nothing(d, "there is no such table");
    if (!complete(d, &t, &n))
        return stuck(d, &t);
    if (n > 0)
        return compare(d, &t, same, &all) && all ? JOB_DONE : stuck(d, &t);
    objects = json_object();
    name    = catalog_table_name(t.database, t.name);
    json_object_set_new_nocheck(objects, name, json_null());
    ok = ddl_record(d, objects);
    json_decref(objects);
    free(name);
    return ok ? nothing(d, "the table was not made") : stuck(d, &t);
}

enum job_state
ddl_resume(struct ddl *d)
{
    if (d->stmt->object == KW_TRIGGER)
        return ddl_trigger_resume(d);
    if (d->stmt->kind == STMT_CREATE_TABLE)
        return resume_create(d);
    if (d->stmt->kind == STMT_ALTER_TABLE || d->stmt->kind == STMT_CREATE_INDEX ||
        d->stmt->kind == STMT_DROP_INDEX)
        return resume_alter(d);
    if (d->stmt->kind == STMT_DROP_TABLE &&
        (d->stmt->object == KW_TABLE || d->stmt->object == KW_TABLES ||
         d->stmt->object == KW_VIEW))
        return resume_drop(d);
    if (d->stmt->kind == STMT_RENAME_TABLE)
        return resume_rename(d);
    if (d->stmt->kind == STMT_TRUNCATE)
        return resume_truncate(d);
    return JOB_STUCK;
}
