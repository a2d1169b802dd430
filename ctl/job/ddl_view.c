/* ddl_view.c - views, and the objects that shardd leaves whole on one shard.
 *
 * A view over global tables is on their home; over reference tables everywhere.
 * Over a sharded table it is on every shard where it means the union of what the shards'
 * views say. Any other one is text at its home: what reads it is planned with the view's
 * SELECT in its place (core/route/plan_view.c), and nothing runs there with its name.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/catalog/model.h"
#include "ctl/job/code_uses.h"
#include "ctl/job/ddl_step.h"
#include "ctl/job/facts.h"
#include "ctl/job/moving.h"

struct reach {
    struct visitor visitor;
    struct ddl    *ddl;
    int64_t        global_home; /* 0: reaches no global table */
    unsigned       sharded, reference;
    bool           two_homes, outer, expands;
    bool           moving; /* a table that becomes another kind; ddl->error says so */
    struct span    alias; /* of the sharded table */
    char           key[DDL_NAME_MAX];
};

static bool
see_table(struct visitor *v, struct table_ref *ref)
{
    struct reach    *r    = v->context;
    struct sql_error kept = *r->ddl->error;
    struct ddl_table t;

    if (ref->kind == TABLE_REF_JOIN && (ref->join == JOIN_LEFT || ref->join == JOIN_RIGHT))
        r->outer = true;
    if (ref->kind != TABLE_REF_TABLE || !ddl_find(r->ddl, &ref->table, &t) || !t.object) {
        *r->ddl->error = kept; /* the server says what it thinks of it */
        return true;
    }
    if (!moving_allows_use(r->ddl->c, t.database, t.name, r->ddl->error)) {
        r->moving = true;
        return false;
    }
    r->expands = r->expands || model_flag(t.object, "expands");
    if (ddl_kind(&t) == TABLE_SHARDED) {
        r->sharded++;
        r->alias = ref->alias.ptr ? ref->alias : ref->table.name;
        snprintf(r->key, sizeof(r->key), "%s", model_text(t.object, "key"));
    } else if (ddl_kind(&t) == TABLE_REFERENCE)
        r->reference++;
    else if (r->global_home != 0 && r->global_home != t.home)
        r->two_homes = true;
    else
        r->global_home = t.home;
    return true;
}

/* A query whose answer is the union of the shards' answers. */
static bool
is_union_of_shards(const struct ddl *d, const struct reach *r)
{
    const struct query *q       = d->stmt->create_view->query;
    uint32_t            unsafe  = STMT_HAS_SUBQUERY | STMT_HAS_AGGREGATE | STMT_HAS_WINDOW |
                      STMT_HAS_UNION | STMT_HAS_CTE | STMT_HAS_DERIVED | STMT_HAS_ROWNUM;

    return q->kind == QUERY_BLOCK && (d->stmt->flags & unsafe) == 0 && !q->distinct &&
           !q->group_by && !q->having && !q->limit && r->sharded == 1 && !r->outer;
}

static bool
where_to(struct ddl *d, struct reach *r, const struct ddl_table *t, enum table_kind *kind)
{
    if (r->two_homes || (r->global_home != 0 && r->global_home != t->home))
        return sql_error_set(d->error, SQL_NOT_SUPPORTED,
                             "shardd: the view %s reaches global tables of databases that lie on "
                             "different shards", t->name);
    *kind = r->sharded ? TABLE_SHARDED
            : r->reference && !r->global_home ? TABLE_REFERENCE : TABLE_GLOBAL;
    if (r->sharded && (r->global_home != 0 || r->expands || !is_union_of_shards(d, r))) {
        *kind      = TABLE_GLOBAL;
        r->expands = true;
    }
    return true;
}

/* Whether the item shows the key of the sharded table. What has no table's name
 * in front is that table's, because the server took it as unambiguous. */
static bool
shows_key(const struct reach *r, const struct select_item *item)
{
    const struct expr *e = item->expr;

    if (e->kind != EXPR_COLUMN && e->kind != EXPR_STAR)
        return false;
    if (e->path->table.ptr && !span_equal_nocase(e->path->table, r->alias))
        return false;
    return e->kind == EXPR_STAR || span_equal_nocase(e->path->name, span_of(r->key));
}

/* The view's column that is the key: without one its rows have no shard that a
 * statement could be sent to. Empty when there is none. */
static struct span
key_column(const struct ddl *d, const struct reach *r)
{
    const struct create_view *s     = d->stmt->create_view;
    const struct name_item   *names = s->columns;

    if (r->sharded != 1 || r->expands)
        return (struct span){ 0 };
    for (const struct select_item *i = s->query->items; i; i = i->next) {
        bool star = i->expr->kind == EXPR_STAR;
        if (star && s->columns)
            return (struct span){ 0 }; /* which name is its is not told here */
        if (shows_key(r, i))
            return s->columns ? names->name
                   : !star && i->alias.ptr ? i->alias : span_of(r->key);
        names = names ? names->next : NULL;
    }
    return (struct span){ 0 };
}

static bool
record(struct ddl *d, const struct ddl_table *t, enum table_kind kind, const struct reach *r)
{
    struct span key = key_column(d, r);
    struct decision how   = { .kind = TABLE_VIEW };
    struct server  *s     = ddl_us(d, ddl_index(d, t->home));
    json_t         *facts = s ? facts_read(s, t->database, t->name, NULL, d->error) : NULL;
    json_t         *object, *objects;
    char           *name;
    bool            ok;

    if (!facts)
        return false;
    object = ddl_object(t, facts, &how);
    model_set(object, "view_kind", model_kind_name(kind));
    if (key.len != 0)
        model_set(object, "key", arena_cstr(&d->arena, key));
    facts_view(facts, object);
    json_object_set_new(object, "expands", json_boolean(r->expands));
    json_decref(facts);
    objects = json_object();
    name    = catalog_table_name(t->database, t->name);
    json_object_set_new_nocheck(objects, name, object);
    ok = ddl_record(d, objects);
    json_decref(objects);
    free(name);
    return ok;
}

/* A view that moves away from shards it was on. */
static void
drop_others(struct ddl *d, const struct ddl_table *t, enum table_kind kind)
{
    if (!t->object || ddl_kind(t) == TABLE_GLOBAL || kind != TABLE_GLOBAL)
        return;
    for (size_t i = 0; i < d->n_shards; i++) {
        struct server   *s = i == ddl_index(d, t->home) ? NULL : ddl_us(d, i);
        struct sql_error ignored;

        if (s && !server_run(s, &ignored, "DROP VIEW IF EXISTS %s.%s",
                             server_name(t->database), server_name(t->name)))
            job_note(&d->job, "the old view stays on %s", s->name);
    }
}

/* What a connection between shardd and the server has seen is not what the session has. */
static bool
see_state(struct visitor *v, struct expr *e)
{
    static const char *const names[] = { "LAST_INSERT_ID", "FOUND_ROWS", "ROW_COUNT" };

    for (size_t i = 0; e->kind == EXPR_FUNC && i < countof(names); i++)
        if (span_equal_nocase(e->func->name.name, span_of(names[i])))
            *(const char **)v->context = names[i];
    return true;
}

static bool
is_the_same_everywhere(struct ddl *d, struct query *q)
{
    const char    *found = NULL;
    struct visitor v     = { .expr = see_state, .context = &found };

    visit_query(&v, q);
    return !found || sql_error_set(d->error, SQL_NOT_SUPPORTED,
                                   "shardd: %s() in a view would be that of a connection between "
                                   "shardd and the server, not the session's: write it in the "
                                   "statements that use the view", found);
}

bool
ddl_create_view(struct ddl *d)
{
    struct create_view *s = d->stmt->create_view;
    struct reach        r = { .visitor = { .table_ref = see_table }, .ddl = d };
    struct ddl_table    t;
    enum table_kind     kind = TABLE_GLOBAL;
    size_t              done;

    if (s->or_replace && s->if_not_exists)
        return sql_error_set(d->error, DDL_WRONG_USAGE,
                             "Incorrect usage of OR REPLACE and IF NOT EXISTS");
    if (!ddl_find(d, &s->view, &t))
        return false;
    if (t.object && strcmp(model_text(t.object, "kind"), "view") != 0 && s->or_replace)
        return sql_error_set(d->error, 1347, "'%s.%s' is not of type 'VIEW'", t.database,
                             t.name);
    if (t.object && s->if_not_exists)
        return ddl_note(d, DDL_TABLE_EXISTS, "Table '%s' already exists", t.name);
    if (t.object && !s->or_replace && !s->alter)
        return sql_error_set(d->error, DDL_TABLE_EXISTS, "Table '%s' already exists", t.name);
    if (!is_the_same_everywhere(d, s->query))
        return false;
    r.visitor.context = &r;
    visit_query(&r.visitor, s->query);
    if (r.moving || !moving_allows_use(d->c, t.database, NULL, d->error))
        return false;
    if (!where_to(d, &r, &t, &kind) || ((r.sharded || r.reference) && !code_allows(d, &t)))
        return false;
    if (s->alter && r.sharded && t.object && ddl_where(&t) != DDL_ALL) {
        kind      = TABLE_GLOBAL; /* it is where it is */
        r.expands = true;
    }
    if (!ddl_run_text(d, d->request->sql, t.home, kind == TABLE_GLOBAL ? t.home : DDL_ALL,
                      &done)) {
        if (done > 0 && !t.object)
            ddl_undo(d, DDL_ALL, "DROP VIEW IF EXISTS %s.%s", server_name(t.database),
                     server_name(t.name));
        else if (done > 0)
            d->end = JOB_STUCK;
        return false;
    }
    d->end = JOB_STUCK;
    drop_others(d, &t, kind);
    return record(d, &t, kind, &r);
}

/* What is named may be on its way to another kind. */
bool
ddl_names_moving(struct ddl *d)
{
    struct sql_error kept = *d->error;

    for (struct path_item *at = d->stmt->names; at; at = at->next) {
        struct ddl_table t;

        if (ddl_find(d, &at->path, &t) && t.object &&
            !moving_allows_use(d->c, t.database, t.name, d->error))
            return true;
        *d->error = kept;
    }
    return false;
}

/* A name without a schema is of the session's database where the statement itself has it, and of
 * the routine's own in its body: it is looked for in both. */
bool
ddl_names_spread(struct ddl *d)
{
    struct sql_error kept = *d->error;
    struct span      own  = d->stmt->path.schema;
    char             which[2 * DDL_NAME_MAX];
    bool             yes  = false;

    for (struct path_item *at = d->stmt->names; at && !yes; at = at->next) {
        const struct path paths[] = { at->path, { .schema = own, .name = at->path.table.ptr
                                                  ? at->path.table : at->path.name } };
        bool both = own.ptr && !at->path.schema.ptr;

        for (size_t i = 0; i < (both ? 2U : 1U) && !yes; i++) {
            struct ddl_table t;

            yes = ddl_find(d, &paths[i], &t) && t.object && ddl_kind(&t) != TABLE_GLOBAL;
            if (yes)
                snprintf(which, sizeof(which), "%s.%s", t.database, t.name);
        }
    }
    *d->error = kept;
    return yes && !sql_error_set(d->error, SQL_NOT_SUPPORTED,
                                 "shardd: routines, triggers and events that use the sharded or "
                                 "reference table %s are not supported yet", which);
}

/* Before the first routine or trigger of a database exists, the workers know that there
 * may be one: it can change a session in ways that no statement shows. */
bool
ddl_note_code(struct ddl *d, const char *database)
{
    json_t                *object = catalog_get(d->c->catalog, CATALOG_DATABASE, database, NULL);
    struct catalog_change *change;
    struct err             err;
    bool                   ok;

    if (!object || model_flag(object, "code")) {
        json_decref(object);
        return true;
    }
    json_object_set_new(object, "code", json_true());
    change = catalog_begin(d->c->catalog, d->request->user ? d->request->user : "controller");
    catalog_put(change, CATALOG_DATABASE, database, object, CATALOG_ANY);
    cluster_bump(d->c, change, "generation");
    json_decref(object);
    ok = job_commit(change, d->error);
    return ok && (cluster_publish(d->c, &err) || job_fail(d->error, &err));
}

/* Routines, triggers, events and sequences of MariaDB: on the home shard of
 * their database, when all that they name lies there. */
bool
ddl_object_statement(struct ddl *d)
{
    static const enum keyword whole[] = { KW_PROCEDURE, KW_FUNCTION, KW_TRIGGER, KW_EVENT,
                                          KW_SEQUENCE };
    struct ddl_table t;
    struct path      path = d->stmt->path;
    size_t           done;
    bool             known = false, mine = false;

    for (size_t i = 0; i < countof(whole); i++)
        known = known || d->stmt->object == whole[i];
    if (d->stmt->object == KW_PACKAGE)
        return sql_error_set(d->error, SQL_NOT_SUPPORTED,
                             "shardd: packages of stored routines are not supported; make its "
                             "procedures and functions one by one");
    if (!known)
        return sql_error_set(d->error, SQL_NOT_SUPPORTED,
                             "shardd: users and their rights are kept by 'shardctl user', and "
                             "servers are configured one by one; this statement is not run");
    if (!path.name.ptr && d->stmt->tables)
        path = d->stmt->tables->table;
    if (d->stmt->object == KW_FUNCTION || d->stmt->object == KW_PROCEDURE)
        return ddl_find(d, &path, &t) && moving_allows_use(d->c, t.database, NULL, d->error) &&
               ddl_function(d, &t);
    if (d->stmt->object == KW_TRIGGER) {
        bool ok = ddl_trigger(d, &path, &mine);

        if (!ok || mine)
            return ok;
    }
    if (ddl_names_spread(d))
        return false;
    return !ddl_names_moving(d) && ddl_find(d, &path, &t) && code_calls_home(d) &&
           moving_allows_use(d->c, t.database, NULL, d->error) &&
           (d->stmt->object == KW_SEQUENCE || ddl_note_code(d, t.database)) &&
           ddl_run_text(d, d->request->sql, t.home, t.home, &done);
}
