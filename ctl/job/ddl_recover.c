/* ddl_recover.c - `table set`, and the jobs that a killed controller left running. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/job/admin.h"
#include "ctl/job/ddl_step.h"
#include "ctl/job/globals.h"
#include "ctl/job/moving.h"
#include "ctl/job/release.h"
#include "ctl/job/replica.h"
#include "ctl/job/shard.h"
#include "ctl/provision/fence.h"

static struct ddl *
open_ddl(struct cluster *c, const struct ddl_request *request, struct ddl_answer *answer,
         struct sql_error *error)
{
    struct ddl *d = mem_alloc(sizeof(*d));

    d->c         = c;
    d->request   = request;
    d->answer    = answer;
    d->error     = error;
    d->shards    = catalog_all(c->catalog, CATALOG_SHARD);
    d->tables    = catalog_all(c->catalog, CATALOG_TABLE);
    d->databases = catalog_all(c->catalog, CATALOG_DATABASE);
    d->n_shards  = json_object_size(d->shards);
    d->end       = JOB_FAILED;
    return d;
}

static void
close_ddl(struct ddl *d)
{
    ddl_close(d);
    arena_fini(&d->arena);
    free(d);
}

static bool
begin_set_kind(struct job *job, struct cluster *c, const char *who, const char *database,
               const char *table, const struct wish *wish, struct sql_error *error)
{
    json_t *session = json_pack("{s:s, s:s}", "kind", model_kind_name(wish->kind), "key",
                                wish->key);
    bool    ok = job_begin_in(job, c, "table", who, "change a table's kind", database, table,
                              session, error);

    json_decref(session);
    return ok;
}

bool
ddl_set_kind(struct cluster *c, const char *who, const char *database, const char *table,
             enum table_kind kind, const char *key, struct sql_error *error)
{
    struct ddl_request request = { .database = database };
    struct ddl_answer  answer  = { 0 };
    struct wish        wish    = { .given = true, .kind = kind };
    struct job         job;
    struct ddl        *d;
    bool               ok;
    enum job_state     end;

    if (kind == TABLE_SHARDED)
        snprintf(wish.key, sizeof(wish.key), "%s", key);
    if (!begin_set_kind(&job, c, who, database, table, &wish, error))
        return false;
    d      = open_ddl(c, &request, &answer, error);
    d->job = job;
    ok     = moving_allows(c, database, table, error) &&
             ddl_change_kind(d, database, table, &wish);
    end    = ok ? JOB_DONE : d->end;
    job    = d->job;
    close_ddl(d);
    json_decref(answer.notes);
    job_end(&job, end, error);
    return ok;
}

/* Is the table what it was to become? */
static bool
has_kind(struct cluster *c, const json_t *record)
{
    const json_t *wish   = json_object_get(record, "session");
    char         *name   = catalog_table_name(model_text(record, "database"),
                                              model_text(record, "table"));
    json_t       *object = catalog_get(c->catalog, CATALOG_TABLE, name, NULL);
    bool          is     = object && wish &&
              strcmp(model_text(object, "kind"), model_text(wish, "kind")) == 0 &&
              strcasecmp(model_text(object, "key"), model_text(wish, "key")) == 0;

    free(name);
    json_decref(object);
    return is;
}

/* Copies that were dropped to be made elsewhere. */
static bool
restore(struct cluster *c, const json_t *record, struct sql_error *error)
{
    struct ddl_request request = { .database = "" };
    struct ddl_answer  answer  = { 0 };
    struct ddl        *d       = open_ddl(c, &request, &answer, error);
    bool               ok;

    d->job = (struct job){ .cluster = c, .record = (json_t *)(uintptr_t)record };
    ok     = ddl_restore(d);
    close_ddl(d);
    json_decref(answer.notes);
    return ok;
}

/* A table that was being made and that the catalog does not know was never
 * promised to anybody: what is there of it goes. */
static bool
drop_remains(struct cluster *c, const char *database, const char *table)
{
    json_t          *shards = catalog_all(c->catalog, CATALOG_SHARD), *shard;
    const char      *id;
    struct sql_error error;
    bool             ok = true;

    json_object_foreach(shards, id, shard) {
        struct server s = { .mysql = NULL };

        ok = server_open(&s, shard, &error) &&
             server_run(&s, &error, "SET SESSION foreign_key_checks = 0") &&
             server_run(&s, &error, "DROP TABLE IF EXISTS %s.%s", server_name(database),
                        server_name(table)) && ok;
        server_close(&s);
    }
    json_decref(shards);
    return ok;
}

static json_t *
text_or_null(const char *text)
{
    json_t *good = text ? json_string(text) : NULL;

    return good ? good : json_null();
}

json_t *
ddl_session(const struct ddl_request *r)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:b}", "database", text_or_null(r->database),
                     "sql_mode", text_or_null(r->sql_mode), "charset", text_or_null(r->charset),
                     "collation", text_or_null(r->collation), "session",
                     text_or_null(r->session), "no_foreign_key_checks",
                     r->no_foreign_key_checks);
}

void
ddl_request_of(const json_t *record, struct ddl_request *out)
{
    const json_t *s        = json_object_get(record, "session");
    const char   *database = json_string_value(json_object_get(s, "database"));

    *out = (struct ddl_request){
        .sql       = span_of(model_text(record, "what")),
        .database  = database ? database : "",
        .sql_mode  = json_string_value(json_object_get(s, "sql_mode")),
        .charset   = json_string_value(json_object_get(s, "charset")),
        .collation = json_string_value(json_object_get(s, "collation")),
        .session   = json_string_value(json_object_get(s, "session")),
        .no_foreign_key_checks = model_flag(s, "no_foreign_key_checks"),
    };
}

/* The record keeps the text as UTF-8; what was in another character set and is no ASCII is
 * not repeated. */
static bool
can_repeat(const json_t *record, const struct ddl_request *r)
{
    bool utf8 = !r->charset || strncmp(r->charset, "utf8", 4) == 0;

    for (size_t i = 0; i < r->sql.len && !utf8; i++)
        if (r->sql.ptr[i] >= 0x80)
            return false;
    return json_object_get(record, "session") != NULL;
}

/* Any statement but a CREATE TABLE that the catalog does not know. */
static enum job_state
resume(struct cluster *c, const json_t *record, struct sql_error *error)
{
    struct ddl_request request;
    struct ddl_answer  answer = { 0 };
    struct ddl        *d;
    enum job_state     end = JOB_STUCK;

    ddl_request_of(record, &request);
    if (!can_repeat(record, &request))
        return JOB_STUCK;
    d      = open_ddl(c, &request, &answer, error);
    d->job = (struct job){ .cluster = c, .record = (json_t *)(uintptr_t)record };
    if (parse_statement(&d->arena, request.sql, ddl_lex_options(&request), NULL, &d->stmt) ==
        PARSE_OK)
        end = ddl_resume(d);
    close_ddl(d);
    json_decref(answer.notes);
    return end;
}

static bool
is_create_table(const char *what)
{
    return strncasecmp(what, "CREATE TABLE", 12) == 0;
}

/* Returns the state the record gets. */
static enum job_state
recover_one(struct cluster *c, const json_t *record, struct sql_error *error)
{
    const char *database = model_text(record, "database"), *table = model_text(record, "table");
    char       *name;
    json_t     *known;

    if (json_object_get(record, "definitions") && !restore(c, record, error))
        return JOB_STUCK;
    if (strcmp(model_text(record, "kind"), "table") == 0)
        return has_kind(c, record) ? JOB_DONE : JOB_FAILED;
    if (strcmp(model_text(record, "kind"), "user") == 0)
        return JOB_FAILED; /* accounts are compared at each start */
    if (strcmp(model_text(record, "kind"), "shard") == 0)
        return shard_resume(c, (json_t *)(uintptr_t)record, error);
    if (strcmp(model_text(record, "kind"), "failover") == 0)
        return JOB_FAILED; /* or done: roles follow from the catalog, see failover.h */
    if (strcmp(model_text(record, "kind"), "replica") == 0)
        return replica_resume(c, (json_t *)(uintptr_t)record, error);
    if (strcmp(model_text(record, "kind"), "restart") == 0)
        return replica_restart_resume(c, record, error);
    if (strcmp(model_text(record, "kind"), "engine") == 0)
        return JOB_FAILED; /* what is left of it goes, see engines.c */
    if (strcmp(model_text(record, "kind"), "release") == 0)
        return release_resume(c, record, error);
    if (strcmp(model_text(record, "kind"), "global") == 0)
        return globals_resume(c, record, error);
    if (strcmp(model_text(record, "what"), DATABASE_CHANGE) == 0)
        return JOB_FAILED; /* one change of the catalog, or none */
    if (strcmp(model_text(record, "kind"), "database") == 0)
        return admin_database_resume(c, model_text(record, "what"), database, error);
    if (strcmp(model_text(record, "kind"), "ddl") != 0 || !database[0] || !table[0])
        return JOB_STUCK;
    if (!is_create_table(model_text(record, "what")))
        return resume(c, record, error);
    name  = catalog_table_name(database, table);
    known = catalog_get(c->catalog, CATALOG_TABLE, name, NULL);
    free(name);
    json_decref(known);
    if (known)
        return resume(c, record, error);
    return drop_remains(c, database, table) ? JOB_FAILED : JOB_STUCK;
}

/* A fence that was raised for a short change nobody goes on with; a move lowers its own. */
static void
lower_fence(struct cluster *c)
{
    struct err err;
    bool       back = fence_back(c, 0, &err);
    json_t    *move = moving_record(c);

    if (!back)
        log_error("%s", err.text);
    if (!move && fence_stands(c) && !fence_lower(c, 0, &err))
        log_error("%s", err.text);
    json_decref(move);
}

void
ddl_recover(struct cluster *c)
{
    json_t *list = job_list(c, 0, true), *record;
    size_t  i;

    lower_fence(c);

    json_array_foreach(list, i, record) {
        struct sql_error error;
        struct job       job = { .cluster = c };
        enum job_state   end;

        if (strcmp(model_text(record, "kind"), "move") == 0)
            continue; /* it goes on by itself, see ctl/move/run.c */
        if (strcmp(model_text(record, "state"), "running") != 0 &&
            !json_object_get(record, "definitions") && !json_object_get(record, "undo"))
            continue; /* what is stuck for another reason waits for people */
        log_warn("job %lld (%s) was interrupted", (long long)model_number(record, "number"),
                 model_text(record, "what"));
        sql_error_set(&error, SQL_UNKNOWN_ERROR,
                      "shardd: the controller ended while the job was running");
        pthread_mutex_lock(&c->change_lock); /* job_end() gives it back */
        job.record = json_incref(record);
        end        = recover_one(c, record, &error);
        log_warn("job %lld: %s", (long long)model_number(record, "number"),
                 end == JOB_DONE ? "finished" : error.message);
        job_end(&job, end, &error);
    }
    json_decref(list);
}
