/* ddl_alter.c - ALTER TABLE, CREATE INDEX, DROP INDEX.
 *
 * The statement runs on an empty copy first: what comes out must still let
 * every row lie where it lies. Then the home shard, then the others.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/route/keyhash.h"
#include "ctl/catalog/model.h"
#include "ctl/job/code_uses.h"
#include "ctl/job/ddl_step.h"
#include "ctl/job/facts.h"
#include "ctl/job/lookup.h"
#include "ctl/job/moving.h"
#include "ctl/job/trigger.h"

/* What one ALTER is about to do. */
struct alter {
    struct ddl_table t;
    char             new_name[DDL_NAME_MAX]; /* the same unless it renames */
    char             key[256];               /* the key column's name afterwards */
    json_t          *before, *after;         /* facts; owned */
    struct decision  how;
};

static bool
read_actions(struct ddl *d, struct alter *a)
{
    snprintf(a->new_name, sizeof(a->new_name), "%s", a->t.name);
    snprintf(a->key, sizeof(a->key), "%s", model_text(a->t.object, "key"));
    for (struct alter_action *at = d->stmt->alter_table->actions; at; at = at->next) {
        const char *schema = at->table.schema.ptr ? arena_cstr(&d->arena, at->table.schema)
                                                  : a->t.database;

        if (at->kind == ALTER_RENAME && strcmp(schema, a->t.database) != 0)
            return sql_error_set(d->error, SQL_NOT_SUPPORTED,
                                 "shardd: ALTER TABLE ... RENAME into another database is not "
                                 "supported; use RENAME TABLE");
        if (at->kind == ALTER_RENAME)
            snprintf(a->new_name, sizeof(a->new_name), "%s",
                     arena_cstr(&d->arena, at->table.name));
        if (at->kind == ALTER_PARTITION && lookup_forbids(a->t.object, "this statement", d->error))
            return false;
        if (at->kind == ALTER_PARTITION && at->table.name.ptr)
            return sql_error_set(d->error, SQL_NOT_SUPPORTED,
                                 "shardd: EXCHANGE PARTITION and the like are not supported");
        if (at->kind == ALTER_CHANGE_COLUMN && at->column &&
            span_equal_nocase(at->name, span_of(model_text(a->t.object, "key"))))
            snprintf(a->key, sizeof(a->key), "%s", arena_cstr(&d->arena, at->column->name));
        if (at->kind == ALTER_RENAME_COLUMN &&
            span_equal_nocase(at->name, span_of(model_text(a->t.object, "key"))))
            snprintf(a->key, sizeof(a->key), "%s", arena_cstr(&d->arena, at->new_name));
    }
    return true;
}

/* Triggers say names of columns, which must go on to mean what was looked at. */
static bool
triggers_stay(struct ddl *d, const struct alter *a)
{
    for (struct alter_action *at = d->stmt->alter_table->actions; at; at = at->next)
        if (at->kind != ALTER_ADD_COLUMN && at->kind != ALTER_ADD_KEY &&
            at->kind != ALTER_DROP_KEY && at->kind != ALTER_KEY_VISIBILITY &&
            at->kind != ALTER_RENAME_KEY && at->kind != ALTER_ALGORITHM &&
            at->kind != ALTER_LOCK && at->kind != ALTER_FORCE &&
            trigger_forbids(a->t.object, "this change of the table", d->error))
            return false;
    return true;
}

/* A number that a trigger would see. */
static bool
number_stays(struct ddl *d, const struct alter *a)
{
    return strcmp(facts_auto_increment(a->before), facts_auto_increment(a->after)) == 0 ||
           !trigger_forbids(a->t.object, "another AUTO_INCREMENT column", d->error);
}

static bool
copy_empty(struct ddl *d, struct server *s, const struct ddl_table *t)
{
    json_t *rows = NULL;
    bool    ok;

    /* Its text is told and read by one sql_mode; the client's comes back after it. */
    if (server_run(s, d->error, "SET @shardd_mode = @@SESSION.sql_mode") &&
        server_run(s, d->error, "SET SESSION sql_mode = ''"))
        rows = server_rows(s, d->error, "SHOW CREATE TABLE %s.%s", server_name(t->database),
                           server_name(t->name));
    ok = rows && server_run_text(s, span_of(server_cell(json_array_get(rows, 0), 1)), d->error) &&
         server_run(s, d->error, "SET SESSION sql_mode = @shardd_mode");
    json_decref(rows);
    return ok;
}

static bool
probe(struct ddl *d, struct alter *a)
{
    struct server *s = ddl_probe_open(d, a->t.home, a->t.home_db);
    bool           ok;

    if (!s)
        return false;
    ok = copy_empty(d, s, &a->t) &&
         ddl_probe_run(d, s, ddl_unqualified(d, &d->stmt->alter_table->table));
    if (ok) {
        a->before = facts_read(s, a->t.database, a->t.name, NULL, d->error);
        a->after  = facts_read(s, a->t.database, a->new_name, DDL_PROBE, d->error);
        ok        = a->before && a->after && code_note_uses(d, a->new_name, a->after);
    }
    ddl_probe_close(d, s);
    return ok;
}

static size_t
position(const json_t *facts, const char *column)
{
    json_t *list = json_object_get(facts, "columns"), *object;
    size_t  i;

    json_array_foreach(list, i, object)
        if (strcasecmp(model_text(object, "name"), column) == 0)
            return i;
    return SIZE_MAX;
}

/* Some row on some shard meets the condition, a printf's. */
static bool
any_row(struct ddl *d, const struct ddl_table *t, const char *condition, bool *found)
{
    int64_t where = ddl_where(t);

    *found = false;
    for (size_t i = 0; i < d->n_shards && !*found; i++) {
        struct server *s;
        char           yes[8];

        if (where != DDL_ALL && i != ddl_index(d, where))
            continue;
        s = ddl_us(d, i);
        if (!s || !server_value(s, yes, sizeof(yes), d->error,
                                "SELECT EXISTS (SELECT 1 FROM %s.%s WHERE %s)",
                                server_name(t->database), server_name(t->name), condition))
            return false;
        *found = strcmp(yes, "1") == 0;
    }
    return true;
}

/* A condition that is true of all rows whose values the narrower column could change. */
static void
say_unfit(const struct route_column *to, const char *key, char *out, size_t room)
{
    uint64_t most = keyhash_int_max(to);

    if (most != 0 && to->is_unsigned)
        snprintf(out, room, "%s < 0 OR %s > %llu", key, key, (unsigned long long)most);
    else if (most != 0)
        snprintf(out, room, "%s < -%llu - 1 OR %s > %llu", key, (unsigned long long)most, key,
                 (unsigned long long)most);
    else if (to->type == COLUMN_CHAR || to->type == COLUMN_VARCHAR)
        snprintf(out, room, "CHAR_LENGTH(%s) > %u", key, to->length);
    else if (to->type == COLUMN_VARBINARY)
        snprintf(out, room, "LENGTH(%s) > %u", key, to->length);
    else
        snprintf(out, room, "TRUE");
}

/* The key becomes narrower, or of another character set. A server that is not strict would give
 * rows other values, and leave them on the shards of the old ones. */
static bool
values_fit(struct ddl *d, const struct alter *a, const struct route_column *to)
{
    const char *key = model_text(a->t.object, "key");
    char        condition[2 * DDL_NAME_MAX + 100];
    bool        found;

    say_unfit(to, server_name(key), condition, sizeof(condition));
    if (!any_row(d, &a->t, condition, &found))
        return false;
    if (found || d->stmt->alter_table->ignore)
        return sql_error_set(d->error, SQL_NOT_SUPPORTED,
                             "shardd: the column %s decides on which shard the rows of %s lie, and "
                             "the new type%s could give some of them other values; change those "
                             "rows first, or make a new table", key, a->t.name,
                             found ? "" : ", with IGNORE,");
    for (size_t i = 0; i < d->n_shards; i++) {
        struct server *s = ddl_user(d, i);

        if (!s || !server_run(s, d->error, "SET SESSION sql_mode ="
                              " CONCAT(@@SESSION.sql_mode, ',STRICT_ALL_TABLES')"))
            return false;
    }
    return true;
}

/* What the column was called before. */
static const char *
name_before(struct ddl *d, const char *column)
{
    for (struct alter_action *at = d->stmt->alter_table->actions; at; at = at->next) {
        struct span now = at->kind == ALTER_CHANGE_COLUMN && at->column ? at->column->name
                          : at->kind == ALTER_RENAME_COLUMN             ? at->new_name
                                                                        : (struct span){ 0 };
        if (now.ptr && span_equal_nocase(now, span_of(column)))
            return arena_cstr(&d->arena, at->name);
    }
    return column;
}

/* A column that becomes AUTO_INCREMENT, with rows for which each shard would find numbers. */
static bool
numbers_stay(struct ddl *d, const struct alter *a)
{
    const char *column = facts_auto_increment(a->after), *old;
    char        condition[2 * DDL_NAME_MAX + 100];
    bool        found;

    if (ddl_kind(&a->t) != TABLE_SHARDED || !column[0])
        return true;
    old = name_before(d, column);
    if (strcasecmp(old, facts_auto_increment(a->before)) == 0)
        return true;
    snprintf(condition, sizeof(condition), "TRUE");
    if (facts_column(a->before, old))
        snprintf(condition, sizeof(condition), "%s IS NULL OR %s = 0", server_name(old),
                 server_name(old));
    if (!any_row(d, &a->t, condition, &found))
        return false;
    return !found || sql_error_set(d->error, SQL_NOT_SUPPORTED,
                                   "shardd: with AUTO_INCREMENT each shard would number rows of "
                                   "%s by itself, those without a value (or with 0) in %s; give "
                                   "them values first", a->t.name, column);
}

/* Whether stored rows keep their hash, and statements on their way their meaning. */
static bool
key_stays(struct ddl *d, const struct alter *a)
{
    const char         *old    = model_text(a->t.object, "key");
    const json_t       *before = facts_column(a->before, old);
    const json_t       *after  = facts_column(a->after, a->key);
    struct route_column x, y;
    size_t              n = json_array_size(json_object_get(a->before, "columns"));

    if (!before || !after)
        return sql_error_set(d->error, SQL_NOT_SUPPORTED,
                             "shardd: the column %s decides on which shard the rows of %s lie; "
                             "it cannot be dropped from a table with rows", old, a->t.name);
    model_column(before, &x);
    model_column(after, &y);
    if (!keyhash_colocated(&x, &y))
        return sql_error_set(d->error, SQL_NOT_SUPPORTED,
                             "shardd: the column %s decides on which shard the rows of %s lie; "
                             "with the new type they would lie elsewhere", old, a->t.name);
    if (!keyhash_copies(&x, &y) && !values_fit(d, a, &y))
        return false;
    if (n == json_array_size(json_object_get(a->after, "columns")) &&
        position(a->before, old) != position(a->after, a->key))
        return sql_error_set(d->error, SQL_NOT_SUPPORTED,
                             "shardd: the key column %s of %s cannot change its place while "
                             "the table has rows; add or move other columns behind it", old,
                             a->t.name);
    return true;
}

/* The new facts under the old kind. False with the error set when they do not fit. */
static bool
decide_again(struct ddl *d, struct alter *a)
{
    struct wish wish = { .given = true, .kind = ddl_kind(&a->t) };
    struct sql_error why;

    if (!moving_allows_foreign(d->c, json_object_get(a->after, "foreign"), d->error) ||
        !lookup_lets_alter(a->t.object, a->before, a->after, d->error))
        return false;
    if (wish.kind != TABLE_SHARDED)
        return decide(a->t.database, a->t.name, a->after, &wish, false, d->tables, &a->how,
                      d->error);
    snprintf(wish.key, sizeof(wish.key), "%s", a->key);
    if (decide(a->t.database, a->t.name, a->after, &wish, false, d->tables, &a->how, &why)) {
        if (key_stays(d, a))
            return true;
        decision_fini(&a->how);
        why = *d->error;
    }
    /* It does not fit. An empty table may become something else: whatever the
     * policy says of the new form. */
    if (!ddl_require_empty(d, &a->t, false, "the change does not go with the table's key")) {
        *d->error = why;
        return false;
    }
    wish.given = false;
    return decide(a->t.database, a->t.name, a->after, &wish, false, d->tables, &a->how,
                  d->error);
}

/* A wish in the comment that was not there before. */
static bool
comment_wish(struct ddl *d, const struct alter *a, struct wish *wish)
{
    if (strcmp(model_text(a->before, "comment"), model_text(a->after, "comment")) == 0) {
        *wish = (struct wish){ .given = false };
        return true;
    }
    return decide_comment(model_text(a->after, "comment"), wish, d->error) &&
           lookup_knows_wished(a->t.object, wish, d->error);
}

/* The opposite of an ALTER that only adds; false when it has no simple one. */
static bool
opposite(struct ddl *d, const struct alter *a, struct buf *out)
{
    buf_printf(out, "ALTER TABLE %s.%s ", server_name(a->t.database), server_name(a->t.name));
    for (struct alter_action *at = d->stmt->alter_table->actions; at; at = at->next) {
        const char *what = NULL;
        struct span name = { .ptr = NULL };

        if (at->kind == ALTER_ADD_COLUMN && at->column && !at->column->next) {
            what = "DROP COLUMN IF EXISTS ";
            name = at->column->name;
        } else if (at->kind == ALTER_ADD_KEY && at->key && at->key->name.ptr) {
            what = "DROP INDEX IF EXISTS ";
            name = at->key->name;
        }
        if (!what || at->if_exists)
            return false;
        buf_append_text(out, at == d->stmt->alter_table->actions ? what : ", ");
        if (at != d->stmt->alter_table->actions)
            buf_append_text(out, what);
        server_quote_name(out, arena_cstr(&d->arena, name));
    }
    return true;
}

static void
mark_stuck(struct ddl *d, const struct alter *a)
{
    struct sql_error kept    = *d->error;
    json_t          *object  = json_deep_copy(a->t.object), *objects = json_object();
    char            *name    = catalog_table_name(a->t.database, a->t.name);

    d->end = JOB_STUCK;
    model_set(object, "state", "stuck");
    json_object_set_new_nocheck(objects, name, object);
    (void)!ddl_record(d, objects);
    json_decref(objects);
    free(name);
    sql_error_set(d->error, kept.code,
                  "shardd: %.250s (some shards have the change already; repeat it when the "
                  "cause is gone, see 'shardctl table show')", kept.message);
}

/* On every shard, or on none: an addition that fails on one is taken back. */
static bool
run(struct ddl *d, struct alter *a)
{
    struct buf undo = { 0 };
    size_t     done = 0;
    bool       ok   = ddl_run_text(d, d->request->sql, a->t.home, ddl_where(&a->t), &done);

    if (!ok && done > 0) {
        if (opposite(d, a, &undo))
            ddl_undo(d, DDL_ALL, "%s", buf_cstr(&undo));
        else
            d->end = JOB_STUCK;
        if (d->end == JOB_STUCK)
            mark_stuck(d, a);
    }
    buf_fini(&undo);
    return ok;
}

/* Its rows have numbers already, which others than a sequence gave. */
static bool
behind_all(struct ddl *d, const struct alter *a, int64_t *first)
{
    const char *column = server_name(facts_auto_increment(a->after));

    for (size_t i = 0; i < d->n_shards; i++) {
        struct server *s = ddl_us(d, i);
        char           next[32];

        if (!s || !server_value(s, next, sizeof(next), d->error,
                                "SELECT GREATEST(COALESCE(MAX(%s), 0), 0) + 1 FROM %s.%s", column,
                                server_name(a->t.database), server_name(a->new_name)))
            return false;
        *first = *first > atoll(next) ? *first : atoll(next);
    }
    return true;
}

/* AUTO_INCREMENT came, went, or has AUTO_INCREMENT = n: then in a new sequence, as the workers'
 * blocks are of the old one. What these may have given out is never given again. */
static bool
keep_sequence(struct ddl *d, const struct alter *a, json_t *object)
{
    int64_t        id    = model_number(a->t.object, "sequence");
    int64_t        first = model_number(a->after, "auto_increment"); /* 1: not given */
    struct server *s;
    char           next[24];

    if (a->how.kind != TABLE_SHARDED || !facts_auto_increment(a->after)[0])
        return true;
    if (id != 0 && first > 1) {
        s = ddl_us(d, ddl_index(d, a->t.home));
        if (!s || !server_value(s, next, sizeof(next), d->error, "SELECT next_value FROM "
                                "shardd.sequence WHERE id = %lld", (long long)id))
            return false;
        first = first > atoll(next) ? first : atoll(next);
        id    = 0;
    } else if (id == 0 && !behind_all(d, a, &first)) {
        return false;
    }
    if (id == 0)
        id = ddl_sequence_new(d, a->t.home, first);
    json_object_set_new(object, "sequence", json_integer(id));
    return id != 0;
}

static bool
record(struct ddl *d, struct alter *a)
{
    struct ddl_table t       = a->t;
    json_t          *objects = json_object(), *object;
    char            *name    = catalog_table_name(t.database, t.name);
    int64_t          was     = model_number(t.object, "sequence");
    bool             ok;

    json_object_set_new_nocheck(objects, name, json_null());
    free(name);
    snprintf(t.name, sizeof(t.name), "%s", a->new_name);
    object = ddl_object(&t, a->after, &a->how);
    json_object_set(object, "triggers", json_object_get(a->t.object, "triggers"));
    if (json_object_get(a->t.object, "lookups"))
        json_object_set(object, "lookups", json_object_get(a->t.object, "lookups"));
    if (a->how.kind == TABLE_GLOBAL && !a->how.reason[0] && a->how.kind == ddl_kind(&a->t)) {
        json_object_set(object, "reason", json_object_get(a->t.object, "reason"));
        json_object_set(object, "remedy", json_object_get(a->t.object, "remedy"));
    }
    ok   = keep_sequence(d, a, object);
    name = catalog_table_name(t.database, t.name);
    json_object_set_new_nocheck(objects, name, object);
    free(name);
    ok = ok && ddl_record(d, objects);
    if (ok && was != 0 && was != model_number(object, "sequence"))
        ddl_undo(d, t.home, "DELETE FROM shardd.sequence WHERE id = %lld", (long long)was);
    json_decref(objects);
    return ok;
}

/* Sharded so far, and empty: it goes home first, where the other tables of its foreign
 * keys are, and is changed there. */
static bool
go_home(struct ddl *d, struct alter *a)
{
    char  *name = catalog_table_name(a->t.database, a->t.name);
    size_t done;
    bool   ok;

    json_object_set_new_nocheck(a->how.also_global, name, json_true());
    free(name);
    ok = ddl_bring_home(d, a->how.also_global, a->how.reason) &&
         ddl_find(d, &d->stmt->alter_table->table, &a->t) &&
         ddl_run_text(d, d->request->sql, a->t.home, a->t.home, &done);
    if (ok)
        d->end = JOB_STUCK;
    return ok && record(d, a);
}

static bool
alter(struct ddl *d, struct alter *a)
{
    struct wish wish;

    if (!number_stays(d, a) || !comment_wish(d, a, &wish))
        return false;
    if (wish.given && !ddl_no_triggers(d, &a->t))
        return false;
    if (wish.given && lookup_forbids(a->t.object, "another kind", d->error))
        return false;
    if (wish.given && !ddl_require_empty(d, &a->t, false, "the comment asks for another kind"))
        return false;
    if (!decide_again(d, a))
        return false;
    if (!wish.given && a->how.kind == TABLE_GLOBAL && ddl_kind(&a->t) == TABLE_SHARDED)
        return go_home(d, a);
    if (!numbers_stay(d, a))
        return false;
    if (!ddl_bring_home(d, a->how.also_global,
                        "a foreign key joins rows of different shards") ||
        !run(d, a))
        return false;
    d->end = JOB_STUCK;
    if (a->how.kind != ddl_kind(&a->t)) {
        /* Empty, and no longer fit to be sharded: everything goes home. */
        struct wish global = { .given = true, .kind = TABLE_GLOBAL };

        a->how.kind = ddl_kind(&a->t);
        snprintf(a->how.key, sizeof(a->how.key), "%s", a->key);
        if (!facts_column(a->after, a->key))
            return ddl_change_kind(d, a->t.database, a->t.name, &global);
        wish = wish.given ? wish : global;
    }
    if (!record(d, a))
        return false;
    if (!wish.given)
        return true;
    json_decref(d->tables);
    d->tables = catalog_all(d->c->catalog, CATALOG_TABLE);
    return ddl_change_kind(d, a->t.database, a->new_name, &wish);
}

bool
ddl_alter_table(struct ddl *d)
{
    struct alter_table *s = d->stmt->alter_table;
    struct alter        a = { .before = NULL };
    bool                ok;

    if (!ddl_find(d, &s->table, &a.t))
        return false;
    d->copies = a.t.object && ddl_kind(&a.t) == TABLE_REFERENCE;
    if (!a.t.object && s->if_exists) {
        return ddl_note(d, DDL_NO_SUCH_TABLE, "Table '%s.%s' doesn't exist", a.t.database,
                        a.t.name);
    }
    if (!a.t.object)
        return sql_error_set(d->error, DDL_NO_SUCH_TABLE, "Table '%s.%s' doesn't exist",
                             a.t.database, a.t.name);
    if (strcmp(model_text(a.t.object, "kind"), "view") == 0)
        return sql_error_set(d->error, 1347, "'%s.%s' is not of type 'BASE TABLE'",
                             a.t.database, a.t.name);
    ok = read_actions(d, &a) && triggers_stay(d, &a) && probe(d, &a) && alter(d, &a);
    json_decref(a.before);
    json_decref(a.after);
    decision_fini(&a.how);
    return ok;
}
