/* ddl.c - from the request to the kind of statement, and the job around it. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/memory.h"
#include "core/sql/reading.h"
#include "core/sql/sql_mode.h"
#include "ctl/catalog/model.h"
#include "ctl/job/admin.h"
#include "ctl/job/ddl_servers.h"
#include "ctl/job/globals.h"
#include "ctl/job/moving.h"

struct lex_options
ddl_lex_options(const struct ddl_request *r)
{
    struct span        mode = r->sql_mode ? span_of(r->sql_mode) : SPAN("");
    struct lex_options lex  = {
        .charset = lex_charset_of(span_of(r->charset ? r->charset : "utf8mb4")),
    };

    return reading_options(lex, sql_mode_reading(mode));
}

/* What is said of character sets, also twice, for a server to judge; NULL: nothing. */
static const char *
charset_words(struct ddl *d)
{
    struct buf  words   = { 0 };
    uint8_t    *blanked = arena_alloc(&d->arena, d->request->sql.len + 1);

    lex_blank_comments(d->request->sql, ddl_lex_options(d->request), blanked);
    for (struct table_option *o = d->stmt->database->options; o; o = o->next)
        if (o->word == KW_CHARSET || o->word == KW_COLLATE) {
            buf_append_byte(&words, ' ');
            buf_append(&words, blanked + o->range.start, o->range.end - o->range.start);
        }
    const char *out = buf_len(&words) ? arena_cstr(&d->arena, buf_unread(&words)) : NULL;
    buf_fini(&words);
    return out;
}

/* As a server counts them when they go, but for sequences, which the catalog does not know. */
static uint64_t
tables_in(struct cluster *c, const char *database)
{
    json_t     *all = catalog_all(c->catalog, CATALOG_TABLE), *table;
    const char *name;
    uint64_t    n = 0;

    json_object_foreach(all, name, table)
        n += strcmp(model_text(table, "database"), database) == 0;
    json_decref(all);
    return n;
}

/* CREATE, DROP, ALTER DATABASE have jobs of their own. */
static bool
database_drop(struct ddl *d, const char *who, const char *name)
{
    unsigned warnings = 0;
    uint64_t n        = tables_in(d->c, name);
    bool     ok = admin_database_drop(d->c, who, name, d->stmt->database->if_exists, &warnings,
                                      d->error);

    if (ok && warnings != 0)
        ddl_note(d, 1008, "Can't drop database '%s'; database doesn't exist", name);
    d->answer->affected = ok ? n : 0;
    return ok;
}

/* Would a server take the statement? One that it would not must change nothing. */
static bool
server_reads(struct ddl *d)
{
    json_t       *shards = catalog_all(d->c->catalog, CATALOG_SHARD), *shard;
    struct server s      = { .mysql = NULL };
    MYSQL_STMT   *stmt;
    const char   *id;
    bool          ok = true;

    json_object_foreach(shards, id, shard) {
        ok   = server_open(&s, shard, d->error);
        stmt = ok ? mysql_stmt_init(s.mysql) : NULL;
        if (stmt && mysql_stmt_prepare(stmt, (const char *)d->request->sql.ptr,
                                       d->request->sql.len) != 0)
            ok = sql_error_set(d->error, (uint16_t)mysql_stmt_errno(stmt), "%s",
                               mysql_stmt_error(stmt));
        if (stmt)
            mysql_stmt_close(stmt);
        server_close(&s);
        break;
    }
    json_decref(shards);
    return ok;
}

static bool
database_create(struct ddl *d, const char *who, const char *name,
                const struct database_options *o)
{
    unsigned warnings = 0;
    bool     replaces = false, ok;
    json_t  *there;

    if (d->stmt->database->or_replace && d->stmt->database->if_exists)
        return sql_error_set(d->error, DDL_WRONG_USAGE,
                             "Incorrect usage of OR REPLACE and IF NOT EXISTS");
    there = catalog_get(d->c->catalog, CATALOG_DATABASE, name, NULL);
    if (d->stmt->database->or_replace && there) {
        replaces = true;
        ok       = server_reads(d) && admin_database_drop(d->c, who, name, true, NULL, d->error);
    } else {
        ok = true;
    }
    json_decref(there);
    ok = ok && admin_database_create(d->c, who, name, o, &warnings, d->error);
    if (ok && warnings != 0)
        ddl_note(d, 1007, "Can't create database '%s'; database exists", name);
    d->answer->affected = ok && warnings == 0 ? 1 + replaces : 0;
    return ok;
}

static bool
run_database(struct ddl *d)
{
    struct database        *s    = d->stmt->database;
    const char             *name = arena_cstr(&d->arena, s->name);
    const char             *who  = d->request->user ? d->request->user : "controller";
    struct database_options o    = { .if_not_exists = s->if_exists };

    if (!ddl_may_name(d, s->name) || !ddl_may_database(d, name[0] ? name : d->request->database))
        return false;
    if (s->word == KW_DROP)
        return database_drop(d, who, name);
    o.words = charset_words(d);
    if (s->word == KW_CREATE && !o.words)
        o.collation = d->request->database_collation;
    if (s->word == KW_CREATE)
        return database_create(d, who, name, &o);
    if (!name[0])
        name = d->request->database;
    d->answer->affected = admin_database_alter(d->c, who, name, &o, d->error);
    return d->answer->affected != 0;
}

static bool
dispatch(struct ddl *d)
{
    switch (d->stmt->kind) {
    case STMT_CREATE_TABLE: return ddl_create_table(d);
    case STMT_ALTER_TABLE:
    case STMT_CREATE_INDEX:
    case STMT_DROP_INDEX:   return ddl_alter_table(d);
    case STMT_DROP_TABLE:   return ddl_drop_tables(d);
    case STMT_TRUNCATE:     return ddl_truncate(d);
    case STMT_RENAME_TABLE: return ddl_rename_tables(d);
    case STMT_CREATE_VIEW:  return ddl_create_view(d);
    case STMT_OBJECT:       return ddl_object_statement(d);
    case STMT_UNKNOWN: case STMT_SELECT: case STMT_INSERT: case STMT_UPDATE: case STMT_DELETE:
    case STMT_SET: case STMT_USE: case STMT_SHOW: case STMT_EXPLAIN: case STMT_BEGIN:
    case STMT_COMMIT: case STMT_ROLLBACK: case STMT_SAVEPOINT: case STMT_RELEASE: case STMT_XA:
    case STMT_LOCK_TABLES: case STMT_UNLOCK_TABLES: case STMT_DATABASE: case STMT_PREPARE:
    case STMT_EXECUTE: case STMT_DEALLOCATE: case STMT_CALL: case STMT_DO: case STMT_KILL:
    case STMT_HANDLER: case STMT_LOAD: case STMT_ADMIN_TABLE: case STMT_FLUSH: case STMT_HELP:
    case STMT_SIGNAL: case STMT_ADMIN:
        break;
    }
    return sql_error_set(d->error, SQL_NOT_SUPPORTED,
                         "shardd: this is not a statement that changes a schema");
}

/* The name in the job's record: that of the first table. */
static void
names_of(struct ddl *d, const char **database, const char **table)
{
    const struct path *path = NULL;

    if (d->stmt->kind == STMT_CREATE_TABLE)
        path = &d->stmt->create_table->table;
    else if (d->stmt->kind == STMT_CREATE_VIEW)
        path = &d->stmt->create_view->view;
    else if (d->stmt->kind == STMT_ALTER_TABLE || d->stmt->kind == STMT_CREATE_INDEX ||
             d->stmt->kind == STMT_DROP_INDEX)
        path = &d->stmt->alter_table->table;
    else if (d->stmt->tables)
        path = &d->stmt->tables->table;
    else if (d->stmt->object == KW_TRIGGER)
        path = &d->stmt->path;
    *table    = path ? arena_cstr(&d->arena, path->name) : "";
    *database = path && path->schema.ptr ? arena_cstr(&d->arena, path->schema)
                                         : d->request->database;
}

void
ddl_close(struct ddl *d)
{
    for (size_t i = 0; i < d->n_shards; i++) {
        server_close(&d->as_user[i]);
        server_close(&d->as_us[i]);
    }
    json_decref(d->shards);
    json_decref(d->tables);
    json_decref(d->databases);
    d->shards = d->tables = d->databases = NULL;
}

static bool
may_change(struct ddl *d, const struct path *path)
{
    struct ddl_table t;
    struct sql_error ignored, *kept = d->error;
    bool             found;

    d->error = &ignored;
    found    = ddl_find(d, path, &t);
    d->error = kept;
    return !found || !t.object || moving_allows(d->c, t.database, t.name, d->error);
}

/* Tables whose rows move keep their definitions. A new table is one that the move stops for,
 * see ctl/move/run.c. */
static bool
nothing_moves(struct ddl *d)
{
    const struct stmt *s = d->stmt;

    if (s->kind == STMT_CREATE_TABLE)
        return may_change(d, &s->create_table->table);
    if (s->kind == STMT_ALTER_TABLE || s->kind == STMT_CREATE_INDEX || s->kind == STMT_DROP_INDEX)
        return may_change(d, &s->alter_table->table);
    if (s->kind == STMT_DROP_TABLE || s->kind == STMT_TRUNCATE || s->kind == STMT_RENAME_TABLE)
        for (struct table_item *at = s->tables; at; at = at->next)
            if (!may_change(d, &at->table))
                return false;
    return true;
}

/* The session's clock stands still, so that defaults have one value on all shards, now and when
 * the job is finished later. */
static const char *
with_clock(struct ddl *d, const char *session)
{
    char clock[64];

    if (session && strstr(session, "timestamp = "))
        return session;
    snprintf(clock, sizeof(clock), "timestamp = %.6f", clock_wall_s());
    if (!session || !session[0])
        return arena_cstr(&d->arena, span_of(clock));

    size_t len  = strlen(session) + 2 + strlen(clock) + 1;
    char  *text = arena_alloc(&d->arena, len);
    snprintf(text, len, "%s, %s", session, clock);
    return text;
}

static bool
run_job(struct ddl *d)
{
    struct ddl_request *timed = arena_alloc(&d->arena, sizeof(*timed));
    const char         *database, *table;
    json_t             *session;
    bool                ok;

    *timed         = *d->request;
    timed->session = with_clock(d, timed->session);
    d->request     = timed;
    session        = ddl_session(timed);
    names_of(d, &database, &table);
    ok = job_begin_in(&d->job, d->c, "ddl", d->request->user ? d->request->user : "controller",
                      arena_cstr(&d->arena, d->request->sql), database, table, session,
                      d->error);
    json_decref(session);
    if (!ok)
        return false;
    /* Under the change lock nothing of this moves. */
    d->shards    = catalog_all(d->c->catalog, CATALOG_SHARD);
    d->tables    = catalog_all(d->c->catalog, CATALOG_TABLE);
    d->databases = catalog_all(d->c->catalog, CATALOG_DATABASE);
    d->n_shards  = json_object_size(d->shards);
    d->end       = JOB_FAILED;
    ok           = nothing_moves(d) && dispatch(d);
    job_end(&d->job, ok ? JOB_DONE : d->end, d->error);
    ddl_close(d);
    return ok;
}

/* A statement that our parser does not know: a server reads it, without running
 * it, so that a mistake gets the server's words. */
static bool
refuse_unknown(struct ddl *d)
{
    json_t        *shards = catalog_all(d->c->catalog, CATALOG_SHARD);
    struct server  s      = { .mysql = NULL };
    const char    *id;
    json_t        *shard;
    MYSQL_STMT    *stmt;

    sql_error_set(d->error, SQL_NOT_SUPPORTED,
                  "shardd: this statement is not understood well enough to know which shards it "
                  "belongs on");
    json_object_foreach(shards, id, shard) {
        struct sql_error ignored;

        if (!server_open(&s, shard, &ignored) || !server_run(&s, &ignored, "USE shardd")) {
            server_close(&s);
            continue;
        }
        stmt = mysql_stmt_init(s.mysql);
        if (mysql_stmt_prepare(stmt, (const char *)d->request->sql.ptr, d->request->sql.len) != 0
            && mysql_stmt_errno(stmt) == 1064) {
            d->error->code = 1064;
            memcpy(d->error->sqlstate, "42000", 6);
            snprintf(d->error->message, sizeof(d->error->message), "%s", mysql_stmt_error(stmt));
        }
        mysql_stmt_close(stmt);
        server_close(&s);
        break;
    }
    json_decref(shards);
    return false;
}

static uint64_t
generation_of(struct cluster *c)
{
    json_t  *meta       = catalog_get(c->catalog, CATALOG_META, "cluster", NULL);
    uint64_t generation = (uint64_t)model_number(meta, "generation");

    json_decref(meta);
    return generation;
}

static bool
set_globals(struct ddl *d)
{
    d->shards   = catalog_all(d->c->catalog, CATALOG_SHARD);
    d->n_shards = json_object_size(d->shards);
    bool ok     = globals_set(d);
    ddl_close(d);
    return ok;
}

/* CREATE TABLE ... SELECT: what is to be done, which the worker does. */
static bool
plan_select(struct ddl *d)
{
    bool ok;

    pthread_mutex_lock(&d->c->change_lock); /* the scratch database is everybody's */
    d->shards    = catalog_all(d->c->catalog, CATALOG_SHARD);
    d->tables    = catalog_all(d->c->catalog, CATALOG_TABLE);
    d->databases = catalog_all(d->c->catalog, CATALOG_DATABASE);
    d->n_shards  = json_object_size(d->shards);
    ok           = ddl_create_select(d);
    ddl_close(d);
    pthread_mutex_unlock(&d->c->change_lock);
    return ok;
}

static bool
is_from_query(const struct stmt *s)
{
    return s->kind == STMT_CREATE_TABLE && s->create_table->query && !s->create_table->temporary;
}

void
ddl_answer_fini(struct ddl_answer *a)
{
    json_decref(a->notes);
    json_decref(a->columns);
    json_decref(a->rows);
    buf_fini(&a->make);
    buf_fini(&a->insert);
    buf_fini(&a->drop);
    buf_fini(&a->name);
    buf_fini(&a->undo);
}

bool
ddl_run(struct cluster *c, const struct ddl_request *request, struct ddl_answer *answer,
        struct sql_error *error)
{
    struct ddl       *d = mem_alloc(sizeof(*d)); /* too large for a thread's stack */
    enum parse_result parsed;
    bool              ok;

    *answer    = (struct ddl_answer){ 0 };
    d->c       = c;
    d->request = request;
    d->answer  = answer;
    d->error   = error;
    parsed = parse_statement(&d->arena, request->sql, ddl_lex_options(request), NULL, &d->stmt);
    if (parsed != PARSE_OK)
        ok = refuse_unknown(d);
    else if (ddl_is_account(d->stmt))
        ok = ddl_account(d, ddl_lex_options(request));
    else if (ddl_is_for_servers(d->stmt))
        ok = ddl_for_servers(d);
    else if (globals_is_set(d->stmt))
        ok = set_globals(d);
    else if (d->stmt->kind == STMT_DATABASE)
        ok = run_database(d);
    else if (is_from_query(d->stmt))
        ok = plan_select(d);
    else
        ok = run_job(d);
    ok = ok && (!d->replaces || ddl_replace(d));
    answer->generation = generation_of(c);
    arena_fini(&d->arena);
    free(d);
    return ok;
}
