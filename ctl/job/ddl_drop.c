/* ddl_drop.c - DROP TABLE, DROP VIEW, TRUNCATE. */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/catalog/model.h"
#include "ctl/job/ddl_step.h"
#include "ctl/job/lookup.h"
#include "ctl/job/moving.h"

enum { ITEMS_MAX = 1024 };

/* The tables of one statement that there are. */
struct items {
    struct ddl_table *table;
    size_t            n;
    struct buf        missing; /* "db.a,db.b" */
    struct buf        view;    /* "db.v": the first that DROP TABLE names */
    struct ddl_table *sequence; /* which DROP TABLE may name, too */
    size_t            n_sequences;
};

static bool
is_view(const struct ddl_table *t)
{
    return strcmp(model_text(t->object, "kind"), "view") == 0;
}

static void
leave_out(struct ddl *d, struct items *items, const struct ddl_table *t)
{
    if (t->object && is_view(t)) {
        ddl_note(d, DDL_IS_A_VIEW, "'%s.%s' is a view", t->database, t->name);
        if (buf_len(&items->view) == 0)
            buf_printf(&items->view, "%s.%s", t->database, t->name);
        return;
    }
    if (buf_len(&items->missing) > 0)
        buf_append_text(&items->missing, ",");
    buf_printf(&items->missing, "%s.%s", t->database, t->name);
}

static bool
collect(struct ddl *d, struct items *items)
{
    bool   views = d->stmt->object == KW_VIEW;
    size_t n     = 0;

    for (struct table_item *at = d->stmt->tables; at; at = at->next)
        n++;
    if (n > ITEMS_MAX)
        return sql_error_set(d->error, SQL_NOT_SUPPORTED,
                             "shardd: more than %d tables in one statement", ITEMS_MAX);
    items->table    = arena_alloc(&d->arena, (n + 1) * sizeof(*items->table));
    items->sequence = arena_alloc(&d->arena, (n + 1) * sizeof(*items->sequence));
    for (struct table_item *at = d->stmt->tables; at; at = at->next) {
        struct ddl_table *t        = &items->table[items->n];
        bool              sequence = false;

        if (!ddl_find(d, &at->table, t))
            return false;
        if (t->object && is_view(t) == views)
            items->n++;
        else if (!t->object && !views && !ddl_sequence_there(d, t, &sequence))
            return false;
        else if (sequence)
            items->sequence[items->n_sequences++] = *t;
        else
            leave_out(d, items, t);
    }
    return true;
}

/* DROP of those items that are on the shard at this index, in one statement, so
 * that parents and children may stand in any order. Empty: none is there. */
static void
drop_text(struct ddl *d, const struct items *items, size_t index, struct buf *out)
{
    buf_clear(out);
    for (size_t i = 0; i < items->n; i++) {
        const struct ddl_table *t     = &items->table[i];
        int64_t                 where = ddl_where(t);

        if (where != DDL_ALL && ddl_index(d, where) != index)
            continue;
        buf_append_text(out, buf_len(out) > 0 ? ", "
                             : d->stmt->object == KW_VIEW ? "DROP VIEW IF EXISTS "
                                                          : "DROP TABLE IF EXISTS ");
        server_quote_name(out, t->database);
        buf_append_byte(out, '.');
        server_quote_name(out, t->name);
    }
}

static bool
drop_at(struct ddl *d, const struct items *items, size_t index)
{
    struct buf     text = { 0 };
    struct server *s;
    bool           ok = true;

    drop_text(d, items, index, &text);
    if (buf_len(&text) > 0) {
        s  = ddl_user(d, index);
        ok = s && server_run_text(s, buf_unread(&text), d->error);
        if (ok)
            job_note(&d->job, "dropped on %s", s->name);
    }
    buf_fini(&text);
    return ok;
}

/* The rows of sequences; one that stays is only a row too many. */
static void
drop_sequences(struct ddl *d, const struct items *items)
{
    for (size_t i = 0; i < items->n; i++) {
        const struct ddl_table *t  = &items->table[i];
        int64_t                 id = model_number(t->object, "sequence");

        if (id != 0)
            ddl_undo(d, t->home, "DELETE FROM shardd.sequence WHERE id = %lld", (long long)id);
    }
}

/* Likewise. */
static void
drop_lookups(struct ddl *d, const struct items *items)
{
    struct sql_error ignored;

    for (size_t i = 0; i < items->n; i++)
        for (size_t k = 0; k < d->n_shards; k++) {
            struct server *s = json_object_get(items->table[i].object, "lookups")
                                   ? ddl_us(d, k) : NULL;

            if (s && !lookup_drop_tables(s, items->table[i].object, &ignored))
                job_note(&d->job, "a lookup's table stays on %s", s->name);
        }
}

static bool
drop(struct ddl *d, const struct items *items)
{
    size_t  home    = ddl_index(d, items->table[0].home);
    json_t *objects = json_object();
    bool    ok;

    for (size_t i = 0; i < d->n_shards; i++)
        if (!ddl_user(d, i)) {
            json_decref(objects);
            return false;
        }
    /* The home shard has all foreign keys and refuses for all. */
    ok = drop_at(d, items, home);
    if (ok)
        d->end = JOB_STUCK;
    for (size_t i = 0; ok && i < d->n_shards; i++)
        ok = i == home || drop_at(d, items, i);
    for (size_t i = 0; i < items->n; i++) {
        char *name = catalog_table_name(items->table[i].database, items->table[i].name);

        json_object_set_new_nocheck(objects, name, json_null());
        lookup_forget(items->table[i].object, objects);
        free(name);
    }
    ok = ok && ddl_record(d, objects);
    json_decref(objects);
    if (ok) {
        d->end = JOB_FAILED;
        drop_sequences(d, items);
        drop_lookups(d, items);
    }
    return ok;
}

static bool
drop_objects(struct ddl *d, const struct items *items)
{
    for (size_t i = 0; i < items->n_sequences; i++) {
        const struct ddl_table *t = &items->sequence[i];
        struct server          *s = ddl_user(d, ddl_index(d, t->home));

        if (!s || !moving_allows_use(d->c, t->database, NULL, d->error) ||
            !server_run(s, d->error, "DROP SEQUENCE %s.%s", server_name(t->database),
                        server_name(t->name)))
            return false;
    }
    return true;
}

/* A note for each, and the error of the server: a view's goes before. */
static bool
say_left_out(struct ddl *d, struct items *items)
{
    bool view = buf_len(&items->view) > 0;

    if (buf_len(&items->missing) > 0 && d->stmt->object == KW_VIEW)
        ddl_note(d, 4092, "Unknown VIEW: '%.400s'", buf_cstr(&items->missing));
    else if (buf_len(&items->missing) > 0)
        ddl_note(d, DDL_BAD_TABLE, "Unknown table '%.400s'", buf_cstr(&items->missing));
    if (d->stmt->if_exists || (!view && buf_len(&items->missing) == 0))
        return true;
    if (view)
        return sql_error_set(d->error, DDL_IS_A_VIEW, "'%.400s' is a view",
                             buf_cstr(&items->view));
    return sql_error_set(d->error, d->stmt->object == KW_VIEW ? 4092 : DDL_BAD_TABLE,
                         d->stmt->object == KW_VIEW ? "Unknown VIEW: '%.400s'"
                                                    : "Unknown table '%.400s'",
                         buf_cstr(&items->missing));
}

bool
ddl_drop_tables(struct ddl *d)
{
    struct items items = { .n = 0 };
    bool         ok;

    if (d->stmt->object != KW_TABLE && d->stmt->object != KW_TABLES &&
        d->stmt->object != KW_VIEW)
        return ddl_object_statement(d);
    ok = collect(d, &items);
    if (ok && items.n > 0)
        ok = drop(d, &items);
    ok = ok && drop_objects(d, &items) && say_left_out(d, &items);
    buf_fini(&items.missing);
    buf_fini(&items.view);
    return ok;
}

static bool
need_table(struct ddl *d, const struct path *path, struct ddl_table *t)
{
    if (!ddl_find(d, path, t))
        return false;
    if (!t->object || is_view(t))
        return sql_error_set(d->error, DDL_NO_SUCH_TABLE, "Table '%s.%s' doesn't exist",
                             t->database, t->name);
    return true;
}

/* A new sequence, not the old one at 1: the workers' cached blocks are of the old. */
static bool
restart_sequence(struct ddl *d, const struct ddl_table *t)
{
    int64_t old = model_number(t->object, "sequence"), id;
    json_t *object, *objects;
    char   *name;
    bool    ok;

    if (old == 0)
        return true;
    id = ddl_sequence_new(d, t->home, 1);
    if (id == 0)
        return false;
    object  = json_deep_copy(t->object);
    objects = json_object();
    name    = catalog_table_name(t->database, t->name);
    json_object_set_new(object, "sequence", json_integer(id));
    json_object_set_new_nocheck(objects, name, object);
    ok = ddl_record(d, objects);
    if (ok)
        ddl_undo(d, t->home, "DELETE FROM shardd.sequence WHERE id = %lld", (long long)old);
    json_decref(objects);
    free(name);
    return ok;
}

bool
ddl_truncate(struct ddl *d)
{
    struct ddl_table t;
    size_t           done;

    if (!need_table(d, &d->stmt->tables->table, &t) ||
        lookup_forbids(t.object, "TRUNCATE (DELETE does)", d->error))
        return false;
    if (!ddl_run_text(d, d->request->sql, t.home, ddl_where(&t), &done)) {
        if (done > 0)
            d->end = JOB_STUCK;
        return false;
    }
    d->end = JOB_STUCK;
    return restart_sequence(d, &t);
}
