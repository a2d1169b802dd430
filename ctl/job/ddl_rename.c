/* ddl_rename.c - RENAME TABLE a TO b, c TO a: one after the other, and on each server all or none.
 *
 * What the catalog will be is found by doing it to a copy: `objects` has the names that change,
 * with null for those that are no more.
 *
 * Where a name is freed and used again, only a name that was not there before tells whether a
 * server has done it (ddl_rename_resume()). A statement that makes none, which only exchanges
 * names, is refused.
 */
#include <stdlib.h>

#include "ctl/catalog/model.h"
#include "ctl/job/code_uses.h"
#include "ctl/job/ddl_step.h"
#include "ctl/job/moving.h"

struct renames {
    json_t          *objects; /* owned */
    struct ddl_table first;   /* as it was; its object is the catalog's */
    struct ddl_table made;    /* a name that is new; its database is empty: there is none */
    bool             chained; /* some name is used twice */
};

static json_t *
known(const struct renames *r, const struct ddl_table *t)
{
    char   *name = catalog_table_name(t->database, t->name);
    json_t *at   = json_object_get(r->objects, name);

    free(name);
    return at;
}

/* As it is behind the pairs before. */
static bool
find(struct ddl *d, struct renames *r, const struct path *path, struct ddl_table *t)
{
    json_t *at;

    if (!ddl_find(d, path, t))
        return false;
    at = known(r, t);
    if (at) {
        r->chained = true;
        t->object  = json_is_null(at) ? NULL : at;
    }
    return true;
}

/* NULL: nothing changes about the name. */
static void
put(struct renames *r, const struct ddl_table *t, json_t *object)
{
    char *name = catalog_table_name(t->database, t->name);

    if (object)
        json_object_set_new_nocheck(r->objects, name, object);
    else
        json_object_del(r->objects, name);
    free(name);
}

static bool
may_rename(struct ddl *d, const struct renames *r, const struct ddl_table *from,
           const struct ddl_table *to)
{
    if (!from->object)
        return sql_error_set(d->error, DDL_NO_SUCH_TABLE, "Table '%s.%s' doesn't exist",
                             from->database, from->name);
    if (to->object)
        return sql_error_set(d->error, DDL_TABLE_EXISTS, "Table '%s' already exists", to->name);
    if (from->home != to->home && ddl_kind(from) == TABLE_GLOBAL)
        return sql_error_set(d->error, SQL_NOT_SUPPORTED,
                             "shardd: %s.%s is a global table and the database %s lies on another "
                             "shard; make the table there and copy the rows", from->database,
                             from->name, to->database);
    if (r->first.database[0] &&
        (ddl_where(from) != ddl_where(&r->first) || from->home != r->first.home))
        return sql_error_set(d->error, SQL_NOT_SUPPORTED,
                             "shardd: one RENAME TABLE cannot rename tables of different "
                             "kinds or homes; rename them one by one");
    return true;
}

/* Checks one pair, and does it to the copy. */
static bool
plan_pair(struct ddl *d, struct renames *r, const struct table_item *item)
{
    struct ddl_table from, to;
    json_t          *object;

    if (!find(d, r, &item->table, &from) || !find(d, r, &item->renamed, &to) ||
        !may_rename(d, r, &from, &to))
        return false;
    if (!r->first.database[0])
        r->first = from;
    if (ddl_kind(&from) != TABLE_GLOBAL && !code_allows(d, &to))
        return false;
    object = json_deep_copy(from.object);
    model_set(object, "database", to.database);
    model_set(object, "name", to.name);
    put(r, &from, json_null());
    put(r, &to, object);
    return true;
}

/* Names that were there for a moment are none; one that stays is what tells. */
static bool
sort_names(struct ddl *d, struct renames *r)
{
    for (struct table_item *at = d->stmt->tables; at; at = at->next) {
        struct ddl_table to;
        json_t          *now;

        if (!ddl_find(d, &at->renamed, &to))
            return false;
        now = known(r, &to);
        if (to.object || !now)
            continue;
        if (json_is_null(now))
            put(r, &to, NULL);
        else
            r->made = to;
    }
    return true;
}

static bool
plan_renames(struct ddl *d, struct renames *r)
{
    *r = (struct renames){ .objects = json_object() };
    for (struct table_item *at = d->stmt->tables; at; at = at->next)
        if (!plan_pair(d, r, at))
            return false;
    return sort_names(d, r);
}

/* Sequences, and what procedures have made: their server knows them. */
static bool
is_of_home(struct ddl *d, struct ddl_table *first)
{
    struct ddl_table from, to;

    if (!ddl_find(d, &d->stmt->tables->table, first))
        return false;
    for (struct table_item *at = d->stmt->tables; at; at = at->next)
        if (!ddl_find(d, &at->table, &from) || !ddl_find(d, &at->renamed, &to) || from.object ||
            from.home != first->home || to.home != first->home)
            return false;
    return true;
}

bool
ddl_rename_tables(struct ddl *d)
{
    struct renames   r;
    struct ddl_table first;
    size_t           done = 0;
    bool             ok;

    if (is_of_home(d, &first))
        return moving_allows_use(d->c, first.database, NULL, d->error) &&
               ddl_run_text(d, d->request->sql, first.home, first.home, &done);
    ok = plan_renames(d, &r);
    if (ok && !r.made.database[0])
        ok = sql_error_set(d->error, SQL_NOT_SUPPORTED,
                           "shardd: RENAME TABLE that only exchanges names is not supported, as "
                           "nobody could tell afterwards how far it has come: use a name that is "
                           "new, and in a second statement the old one");
    ok = ok && ddl_run_text(d, d->request->sql, r.first.home, ddl_where(&r.first), &done) &&
         ddl_record(d, r.objects);
    if (!ok && done > 0)
        d->end = JOB_STUCK;
    json_decref(r.objects);
    return ok;
}

/* --- after the end of a controller ---------------------------------------- */

static void
say_pair(struct ddl *d, const struct table_item *item, struct buf *text)
{
    struct ddl_table t;

    if (ddl_find(d, &item->table, &t))
        buf_printf(text, "%s%s.%s", buf_len(text) ? ", " : "RENAME TABLE ",
                   server_name(t.database), server_name(t.name));
    if (ddl_find(d, &item->renamed, &t))
        buf_printf(text, " TO %s.%s", server_name(t.database), server_name(t.name));
}

/* On the servers that have not done it. */
static bool
finish(struct ddl *d, const struct renames *r)
{
    struct buf text = { 0 };
    bool       there, ok = true;

    for (struct table_item *at = d->stmt->tables; at; at = at->next)
        say_pair(d, at, &text);
    for (size_t i = 0; ok && ddl_where(&r->first) == DDL_ALL && i < d->n_shards; i++) {
        ok = ddl_there(d, i, r->made.database, r->made.name, &there);
        if (ok && !there)
            ok = server_run(ddl_us(d, i), d->error, "%.*s", (int)buf_len(&text),
                            (const char *)buf_unread(&text).ptr);
    }
    buf_fini(&text);
    return ok && ddl_record(d, r->objects);
}

bool
ddl_rename_chained(struct ddl *d)
{
    for (struct table_item *at = d->stmt->tables; at; at = at->next)
        for (struct table_item *to = d->stmt->tables; to; to = to->next) {
            struct ddl_table a, b;
            if (!ddl_find(d, &at->table, &a) || !ddl_find(d, &to->renamed, &b) ||
                (strcmp(a.database, b.database) == 0 && strcmp(a.name, b.name) == 0))
                return true;
        }
    return false;
}

bool
ddl_rename_resume(struct ddl *d, struct ddl_table *first, bool *renamed)
{
    struct renames   r;
    struct sql_error none = { 0 };
    bool             ok   = true;

    *renamed = false;
    /* Where the catalog has it already the names are not those that the statement needs. */
    if (!plan_renames(d, &r) || !r.made.database[0])
        *d->error = none;
    else if (ddl_there(d, ddl_index(d, r.first.home), r.made.database, r.made.name, renamed))
        ok = !*renamed || finish(d, &r);
    else
        ok = false;
    *first = r.first;
    json_decref(r.objects);
    return ok;
}
