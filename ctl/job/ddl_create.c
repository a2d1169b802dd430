/* ddl_create.c - CREATE TABLE: probe, decide, make. */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/catalog/model.h"
#include "ctl/job/code_uses.h"
#include "ctl/job/ddl_step.h"
#include "ctl/job/facts.h"
#include "ctl/job/lookup.h"
#include "ctl/job/moving.h"

/* Facts of a table that does not exist yet. NULL with the error set. */
static json_t *
probe(struct ddl *d, const struct ddl_table *t)
{
    struct server *s = ddl_probe_open(d, t->home, t->home_db);
    json_t        *facts = NULL;

    if (!s)
        return NULL;
    if (ddl_probe_run(d, s, ddl_unqualified(d, &d->stmt->create_table->table)))
        facts = facts_read(s, t->database, t->name, DDL_PROBE, d->error);
    ddl_probe_close(d, s);
    if (facts && !code_note_uses(d, t->name, facts)) {
        json_decref(facts);
        return NULL;
    }
    return facts;
}

static bool
policy_is_global(const struct ddl_table *t)
{
    return strcmp(model_text(t->home_db, "policy"), "global") == 0;
}

/* Writes the object, with its sequence when one is needed. */
static bool
record(struct ddl *d, const struct ddl_table *t, const json_t *facts, const struct decision *how)
{
    json_t *object = ddl_object(t, facts, how);
    char   *name   = catalog_table_name(t->database, t->name);
    json_t *objects;
    bool    ok = true;

    if (how->kind == TABLE_SHARDED && facts_auto_increment(facts)[0]) {
        int64_t id = ddl_sequence_new(d, t->home, model_number(facts, "auto_increment"));

        json_object_set_new(object, "sequence", json_integer(id));
        ok = id != 0;
    }
    objects = json_object();
    json_object_set_new_nocheck(objects, name, object);
    ok = ok && ddl_record(d, objects);
    json_decref(objects);
    free(name);
    return ok;
}

static void
forget(struct ddl *d, const struct ddl_table *t)
{
    struct sql_error kept    = *d->error;
    char            *name    = catalog_table_name(t->database, t->name);
    json_t          *objects = json_object();

    json_object_set_new_nocheck(objects, name, json_null());
    if (!ddl_record(d, objects))
        d->end = JOB_STUCK;
    *d->error = kept;
    json_decref(objects);
    free(name);
}

static void
drop_everywhere(struct ddl *d, const struct ddl_table *t)
{
    ddl_undo(d, DDL_ALL, "DROP TABLE IF EXISTS %s.%s", server_name(t->database),
             server_name(t->name));
}

/* Other shards, routes, home: see ddl.h for the order. */
static bool
make_on_all(struct ddl *d, const struct ddl_table *t, const json_t *facts,
            const struct decision *how)
{
    size_t done = 0;

    if (!ddl_run_others(d, d->request->sql, t->home, &done)) {
        if (d->ran)
            drop_everywhere(d, t);
        return false;
    }
    if (!record(d, t, facts, how)) {
        drop_everywhere(d, t);
        return false;
    }
    if (ddl_run_text(d, d->request->sql, t->home, t->home, &done))
        return true;
    forget(d, t);
    drop_everywhere(d, t);
    return false;
}

static bool
make_at_home(struct ddl *d, const struct ddl_table *t, const json_t *facts,
             const struct decision *how)
{
    size_t done;

    if (!ddl_run_text(d, d->request->sql, t->home, t->home, &done))
        return false;
    if (record(d, t, facts, how))
        return true;
    ddl_undo(d, t->home, "DROP TABLE IF EXISTS %s.%s", server_name(t->database),
             server_name(t->name));
    return false;
}

static bool
make(struct ddl *d, const struct ddl_table *t, const json_t *facts, const struct wish *wish)
{
    struct decision how;
    bool            ok;

    if (!moving_allows_foreign(d->c, json_object_get(facts, "foreign"), d->error) ||
        !decide(t->database, t->name, facts, wish, policy_is_global(t), d->tables, &how,
                d->error))
        return false;
    ok = ddl_bring_home(d, how.also_global,
                        "a foreign key of the new table joins rows of different shards");
    if (ok)
        ok = how.kind == TABLE_GLOBAL ? make_at_home(d, t, facts, &how)
                                      : make_on_all(d, t, facts, &how);
    decision_fini(&how);
    return ok;
}

/* Whether the new table could be made, were the old one gone. */
static bool
may_replace(struct ddl *d, const struct ddl_table *t, const json_t *facts, const struct wish *wish)
{
    struct decision how;

    if (!decide(t->database, t->name, facts, wish, policy_is_global(t), d->tables, &how,
                d->error))
        return false;
    decision_fini(&how);
    d->replaces = true;
    return true;
}

/* With what keeps its columns unique. */
static bool
finish(struct ddl *d, const struct ddl_table *t, const json_t *like, const struct wish *wish)
{
    if (like ? lookup_add_like(&d->job, t->database, t->name, like, d->error)
             : lookup_add_wished(&d->job, t->database, t->name, wish, d->error))
        return true;
    forget(d, t);
    drop_everywhere(d, t);
    return false;
}

/* One that is no table of the catalog may be a sequence of its home. */
static bool
sequence_like(struct ddl *d, const struct ddl_table *t, const struct ddl_table *source)
{
    size_t done;
    bool   there;

    if (!ddl_sequence_there(d, source, &there))
        return false;
    if (!there || source->home != t->home || t->object)
        return sql_error_set(d->error, DDL_NO_SUCH_TABLE, "Table '%s.%s' doesn't exist",
                             source->database, source->name);
    return moving_allows_use(d->c, t->database, NULL, d->error) &&
           ddl_run_text(d, d->request->sql, t->home, t->home, &done);
}

/* CREATE TABLE t LIKE s: spread as s is. The wish in s's comment came with it. */
static bool
create_like(struct ddl *d, const struct ddl_table *t)
{
    struct ddl_table source;
    struct server   *s;
    json_t          *facts;
    struct wish      wish = { .given = true };
    bool             ok;

    if (!ddl_find(d, &d->stmt->create_table->like, &source))
        return false;
    if (!source.object)
        return sequence_like(d, t, &source);
    if (source.object == t->object)
        return sql_error_set(d->error, DDL_NOT_UNIQUE, "Not unique table/alias: '%s'", t->name);
    if (ddl_kind(&source) == TABLE_GLOBAL && source.home != t->home)
        return sql_error_set(d->error, SQL_NOT_SUPPORTED,
                             "shardd: CREATE TABLE ... LIKE a global table that lies on another "
                             "shard is not supported; use the text of SHOW CREATE TABLE");
    s     = ddl_us(d, ddl_index(d, source.home));
    facts = s ? facts_read(s, source.database, source.name, NULL, d->error) : NULL;
    if (!facts || !code_note_uses(d, t->name, facts)) {
        json_decref(facts);
        return false;
    }
    wish.kind = ddl_kind(&source);
    snprintf(wish.key, sizeof(wish.key), "%s", model_text(source.object, "key"));
    /* The copy has neither the foreign keys nor the counter. */
    json_object_set_new(facts, "foreign", json_array());
    json_object_set_new(facts, "auto_increment", json_integer(1));
    lookup_takes_known(facts, source.object);
    ok = (t->object ? may_replace : make)(d, t, facts, &wish);
    json_decref(facts);
    return ok && (t->object || finish(d, t, source.object, NULL));
}

static bool
create_plain(struct ddl *d, const struct ddl_table *t)
{
    json_t     *facts = probe(d, t);
    struct wish wish;
    bool        ok;

    if (!facts)
        return false;
    ok = decide_comment(model_text(facts, "comment"), &wish, d->error);
    lookup_takes_keys(facts, &wish);
    ok = ok && (t->object ? may_replace : make)(d, t, facts, &wish);
    json_decref(facts);
    return ok && (t->object || finish(d, t, NULL, &wish));
}

bool
ddl_may_replace(struct ddl *d, const struct create_table *s, struct ddl_table *t)
{
    if (s->or_replace && s->if_not_exists)
        return sql_error_set(d->error, DDL_WRONG_USAGE,
                             "Incorrect usage of OR REPLACE and IF NOT EXISTS");
    if (!ddl_find(d, &s->table, t))
        return false;
    if (t->object && s->or_replace && strcmp(model_text(t->object, "kind"), "view") == 0)
        return sql_error_set(d->error, DDL_IS_A_VIEW, "'%s.%s' is a view", t->database, t->name);
    return true;
}

bool
ddl_create_table(struct ddl *d)
{
    struct create_table *s = d->stmt->create_table;
    struct ddl_table     t;

    if (s->temporary)
        return sql_error_set(d->error, SQL_NOT_SUPPORTED,
                             "shardd: a temporary table belongs to one connection and is no job "
                             "of the controller");
    if (!ddl_may_replace(d, s, &t))
        return false;
    if (t.object && s->if_not_exists)
        return ddl_note(d, DDL_TABLE_EXISTS, "Table '%s' already exists", t.name);
    if (t.object && !s->or_replace)
        return sql_error_set(d->error, DDL_TABLE_EXISTS, "Table '%s' already exists", t.name);
    if (s->like.name.ptr)
        return create_like(d, &t);
    return create_plain(d, &t);
}
