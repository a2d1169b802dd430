/* ddl_trigger.c - triggers of sharded tables: the same on every shard.
 *
 *   statements wait (fence) --> "changing" in the catalog --> home, as the client --> others, as
 *   home has them --> what the table has now, and no fence
 *
 * So no statement meets a trigger on one shard and none on another. A controller that is killed in
 * between, or a server that dies, leaves a table that is "changing", which nobody writes to: the
 * next controller, or the next such statement, makes the others what its home is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/log.h"
#include "core/route/function_class.h"
#include "ctl/catalog/model.h"
#include "ctl/job/ddl_step.h"
#include "ctl/job/facts.h"
#include "ctl/job/moving.h"
#include "ctl/job/trigger.h"
#include "ctl/provision/fence.h"

enum { FENCE_MS = 5000, NAME_TAKEN = 1359 };

static bool
is_sharded(const struct ddl_table *t)
{
    return t->object && ddl_kind(t) == TABLE_SHARDED &&
           strcmp(model_text(t->object, "kind"), "sharded") == 0;
}

/* ---- what is told of it ---- */

/* False with the error: it assigns what decides where rows are, or sees what one server would not
 * show it. */
static bool
columns_ok(struct ddl *d, const struct trigger_look *look, const struct ddl_table *t)
{
    struct span key    = span_of(model_text(t->object, "key"));
    struct span number = span_of(facts_auto_increment(t->object));

    for (uint32_t i = 0; i < look->set.n; i++)
        if (span_equal_nocase(look->set.name[i], key) ||
            (number.len && span_equal_nocase(look->set.name[i], number)))
            return sql_error_set(d->error, SQL_NOT_SUPPORTED, "shardd: the trigger assigns the "
                                 "column %.64s, which is the key of %.64s, or has numbers that "
                                 "shardd gives: the row would be on the wrong shard",
                                 arena_cstr(&d->arena, look->set.name[i]), t->name);
    for (uint32_t i = 0; number.len && look->before && look->insert && i < look->named.n; i++)
        if (span_equal_nocase(look->named.name[i], number))
            return sql_error_set(d->error, SQL_NOT_SUPPORTED, "shardd: the AUTO_INCREMENT column "
                                 "%.*s of %.64s has its number before a BEFORE INSERT trigger "
                                 "fires, where one server has 0 then", (int)number.len, number.ptr,
                                 t->name);
    return true;
}

static bool
reads_anywhere(const struct ddl_request *r)
{
    const char *charset = r->charset ? r->charset : "utf8mb4";

    return span_is_ascii(r->sql) || strncasecmp(charset, "utf8", 4) == 0;
}

static bool
may_be(struct ddl *d, enum function_class class, const struct trigger_look *look,
       const struct ddl_table *t)
{
    if (!reads_anywhere(d->request) ||
        strcasestr(d->request->sql_mode ? d->request->sql_mode : "", "ORACLE"))
        class = FUNCTION_UNKNOWN;
    if (json_array_size(json_object_get(t->object, "lookups")) != 0)
        return sql_error_set(d->error, SQL_NOT_SUPPORTED, "shardd: %.64s has lookups, whose values "
                             "triggers could change: it cannot have triggers", t->name);
    if (class != FUNCTION_PLAIN)
        return sql_error_set(d->error, SQL_NOT_SUPPORTED, "shardd: a trigger of the sharded table "
                             "%.64s may use its row (NEW and OLD), variables that it declares, "
                             "functions of the server, the time, SET and SIGNAL, and nothing else: "
                             "%s", t->name, class == FUNCTION_UNKNOWN
                                 ? "this one cannot be read" : function_class_why(class));
    return columns_ok(d, look, t);
}

/* ---- the catalog ---- */

/* The fence ends with it where `lower`. */
static bool
record(struct ddl *d, const struct ddl_table *t, enum route_triggers triggers, bool lower)
{
    struct catalog_change *change = catalog_begin(d->c->catalog, d->request->user
                                                                     ? d->request->user
                                                                     : "controller");
    char                  *name   = catalog_table_name(t->database, t->name);
    json_t                *object = catalog_read(change, CATALOG_TABLE, name, NULL);
    struct err             err;

    model_set(object, "triggers", model_triggers_name(triggers));
    catalog_put(change, CATALOG_TABLE, name, object, CATALOG_ANY);
    if (lower)
        fence_put(change, NULL);
    cluster_bump(d->c, change, "generation");
    json_decref(object);
    free(name);
    if (!job_commit(change, d->error))
        return false;
    return cluster_publish(d->c, &err) || job_fail(d->error, &err);
}

/* ---- servers ---- */

static json_t *
read_home(struct ddl *d, const struct ddl_table *t)
{
    struct server *s = ddl_us(d, ddl_index(d, t->home));

    return s && server_run(s, d->error, "SET NAMES utf8mb4")
               ? trigger_read(s, t->database, t->name, d->error) : NULL;
}

/* On all shards but the home, or with `home` there as well. */
static bool
put_all(struct ddl *d, const struct ddl_table *t, const json_t *wanted, bool home)
{
    bool ok = true;

    for (size_t i = 0; i < d->n_shards; i++) {
        struct sql_error error;
        struct server   *s = i == ddl_index(d, t->home) && !home ? NULL : ddl_us(d, i);

        if (i == ddl_index(d, t->home) && !home)
            continue;
        if (s && trigger_put(s, t->database, t->name, wanted, &error)) {
            job_note(&d->job, "done on %s", s->name);
            continue;
        }
        if (s && ok)
            *d->error = error;
        ok = false;
    }
    return ok;
}

/* The others become what the home is. */
static bool
like_home(struct ddl *d, const struct ddl_table *t, enum route_triggers *now)
{
    json_t *wanted = read_home(d, t);
    bool    ok     = wanted && put_all(d, t, wanted, false);

    *now = json_array_size(wanted) == 0 ? TRIGGERS_NONE : TRIGGERS_OWN_ROW;
    json_decref(wanted);
    return ok;
}

/* ---- the change ---- */

static bool
raise_fence(struct ddl *d, const struct ddl_table *t)
{
    char        *name   = catalog_table_name(t->database, t->name);
    json_t      *tables = json_pack("[s]", name), *ids = json_array(), *shard;
    struct fence fence  = { .tables = tables, .shards = ids };
    struct err   err;
    const char  *id;
    bool         ok;

    json_object_foreach(d->shards, id, shard)
        json_array_append(ids, json_object_get(shard, "id"));
    ok = fence_raise(d->c, &fence, FENCE_MS, NULL, &err) == FENCE_UP ||
         job_fail(d->error, &err);
    json_decref(tables);
    json_decref(ids);
    free(name);
    return ok;
}

static void
lower_fence(struct ddl *d)
{
    struct err err;

    if (!fence_lower(d->c, 0, &err))
        log_error("%s", err.text);
}

/* The error stays; as before, or "changing". */
static void
take_back(struct ddl *d, const struct ddl_table *t, const json_t *before)
{
    struct sql_error kept = *d->error;
    bool             same = put_all(d, t, before, true);

    if (!same)
        d->end = JOB_STUCK;
    if (!record(d, t, !same ? TRIGGERS_CHANGING
                      : json_array_size(before) ? TRIGGERS_OWN_ROW : TRIGGERS_NONE, true)) {
        d->end = JOB_STUCK;
        lower_fence(d);
    }
    *d->error = kept;
}

/* Under the fence. */
static bool
change(struct ddl *d, const struct ddl_table *t, const json_t *before)
{
    enum route_triggers now;
    size_t              done = 0;

    if (!record(d, t, TRIGGERS_CHANGING, false)) {
        lower_fence(d);
        return false;
    }
    if (!put_all(d, t, before, false) || /* where an older change was interrupted */
        !ddl_run_text(d, d->request->sql, t->home, t->home, &done) || !like_home(d, t, &now)) {
        take_back(d, t, before);
        return false;
    }
    d->end = JOB_STUCK;
    return record(d, t, now, true);
}

static bool
run(struct ddl *d, const struct ddl_table *t)
{
    json_t *before;
    bool    ok = true;

    if (!moving_allows_shards(d->c, "triggers of sharded tables change", d->error))
        return false;
    for (size_t i = 0; ok && i < d->n_shards; i++)
        ok = ddl_us(d, i) != NULL; /* one that is down says so before anything changes */
    before = ok ? read_home(d, t) : NULL;
    ok     = before && raise_fence(d, t) && change(d, t, before);
    json_decref(before);
    return ok;
}

/* ---- statements ---- */

/* The table of the trigger that there is; `*there` false: there is none. */
static bool
find_there(struct ddl *d, const struct path *path, struct ddl_table *t, bool *there)
{
    struct ddl_table named;
    struct server   *s;
    json_t          *rows;
    bool             ok;

    if (!ddl_find(d, path, &named))
        return false;
    s    = ddl_us(d, ddl_index(d, named.home));
    rows = s ? server_rows(s, d->error, "SELECT EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE"
                           " FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = %s"
                           " AND TRIGGER_NAME = %s AND " TRIGGER_IS("TRIGGER_SCHEMA")
                           " AND " TRIGGER_IS("TRIGGER_NAME"), server_text(named.database),
                           server_text(named.name), server_text(named.database),
                           server_text(named.name)) : NULL;
    if (!rows)
        return false;
    *there = json_array_size(rows) != 0;
    ok     = true;
    if (*there) {
        const json_t *row = json_array_get(rows, 0);
        struct path   of  = { .schema = span_of(server_cell(row, 0)),
                              .name   = span_of(server_cell(row, 1)) };
        ok = ddl_find_known(d, &of, t);
    }
    json_decref(rows);
    return ok;
}

/* Those of lookups are nobody's, and are looked for by their names. */
static bool
name_ok(struct ddl *d, const struct path *path)
{
    struct ddl_table named;
    struct server   *s;
    char             ours[8];

    if (!ddl_find(d, path, &named))
        return false;
    s = ddl_us(d, ddl_index(d, named.home));
    if (!s || !server_value(s, ours, sizeof(ours), d->error, "SELECT CONVERT(%s USING utf8mb4)"
                            " COLLATE utf8mb4_general_ci LIKE 'shardd lookup%%'",
                            server_text(named.name)))
        return false;
    return strcmp(ours, "0") == 0 ||
           sql_error_set(d->error, SQL_NOT_SUPPORTED, "shardd: triggers with names that begin with "
                         "'shardd lookup' are shardd's own");
}

static bool
create(struct ddl *d, const struct path *path, bool *mine)
{
    struct trigger_look *look  = arena_alloc(&d->arena, sizeof(*look));
    enum function_class  class = trigger_classify(d->request->sql, ddl_lex_options(d->request),
                                                  look);
    struct path          of    = { .schema = look->schema, .name = look->table };
    struct ddl_table     t     = { .home = 0 }, old = { .home = 0 };
    struct sql_error     kept  = *d->error;
    bool                 there = false;

    if (look->table.len != 0 && !ddl_find(d, &of, &t)) {
        *d->error = kept; /* the server says so */
        t.object  = NULL;
    }
    if (!name_ok(d, path) || !find_there(d, path, &old, &there))
        return false;
    *mine = is_sharded(&t) || (there && d->stmt->or_replace && is_sharded(&old));
    if (!*mine)
        return true;
    if (there && d->stmt->or_replace && old.object != t.object)
        return sql_error_set(d->error, NAME_TAKEN, "shardd: the trigger is one of the table "
                             "%.64s: drop it first", old.name);
    return may_be(d, class, look, &t) && moving_allows(d->c, t.database, t.name, d->error) &&
           run(d, &t);
}

/* Gone from the home already, when that was interrupted: the others have it. */
static bool
find_changing(struct ddl *d, const struct path *path, struct ddl_table *t)
{
    struct ddl_table named;
    const char      *name;
    json_t          *object;

    if (!ddl_find(d, path, &named))
        return false;
    json_object_foreach(d->tables, name, object)
        if (model_triggers(object) == TRIGGERS_CHANGING &&
            strcmp(model_text(object, "database"), named.database) == 0)
            return ddl_find_named(d, name, t);
    return false;
}

static bool
drop(struct ddl *d, const struct path *path, bool *mine)
{
    struct ddl_table t;
    bool             there;

    if (!find_there(d, path, &t, &there))
        return false;
    there = there || find_changing(d, path, &t);
    *mine = there && is_sharded(&t);
    return !*mine || run(d, &t);
}

bool
ddl_trigger(struct ddl *d, const struct path *path, bool *mine)
{
    *mine = false;
    return d->stmt->word == KW_CREATE ? create(d, path, mine) : drop(d, path, mine);
}

/* ---- what a controller left ---- */

static bool
all_quiet(struct ddl *d, const struct ddl_table *t)
{
    for (size_t i = 0; i < d->n_shards; i++)
        if (!ddl_wait_quiet(d, i, t))
            return false;
    return true;
}

enum job_state
ddl_trigger_resume(struct ddl *d)
{
    const char         *name;
    json_t             *object;
    enum route_triggers now;
    enum job_state      end = JOB_FAILED;

    sql_error_set(d->error, SQL_UNKNOWN_ERROR, "shardd: the controller ended while the job was "
                  "running; see SHOW TRIGGERS");
    json_object_foreach(d->tables, name, object) {
        struct ddl_table t;

        if (model_triggers(object) != TRIGGERS_CHANGING)
            continue;
        if (!ddl_find_named(d, name, &t) || !all_quiet(d, &t) || !like_home(d, &t, &now) ||
            !record(d, &t, now, false))
            return JOB_STUCK;
        end = JOB_DONE;
    }
    return end;
}
