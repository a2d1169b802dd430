/* ddl_step.c - names, connections, running on many shards, recording. */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "ctl/catalog/model.h"
#include "ctl/job/ddl_step.h"
#include "ctl/job/facts.h"

enum { NOTES_MAX = 64 }; /* a server's max_error_count */

static void
copy_name(char out[DDL_NAME_MAX], struct span name)
{
    snprintf(out, DDL_NAME_MAX, "%.*s", (int)name.len, (const char *)name.ptr);
}

bool
ddl_may_name(struct ddl *d, struct span name)
{
    const char *charset = d->request->charset ? d->request->charset : "utf8mb4";

    return span_is_ascii(name) || lex_charset_of(span_of(charset)) == LEX_UTF8 ||
           sql_error_set(d->error, SQL_NOT_SUPPORTED,
                         "shardd: a name that is not in ASCII, and character_set_client=%s: use "
                         "utf8mb4", charset);
}

bool
ddl_find(struct ddl *d, const struct path *path, struct ddl_table *out)
{
    return ddl_may_name(d, path->name) && ddl_may_name(d, path->schema) &&
           ddl_find_known(d, path, out);
}

bool
ddl_find_known(struct ddl *d, const struct path *path, struct ddl_table *out)
{
    char *name;

    *out = (struct ddl_table){ .home = 0 };
    copy_name(out->name, path->name);
    if (path->schema.ptr)
        copy_name(out->database, path->schema);
    else
        copy_name(out->database, span_of(d->request->database));
    if (out->database[0] == '\0')
        return sql_error_set(d->error, DDL_NO_DB, "No database selected");
    out->home_db = json_object_get(d->databases, out->database);
    if (!out->home_db)
        return sql_error_set(d->error, DDL_BAD_DB, "Unknown database '%s'", out->database);
    out->home   = model_number(out->home_db, "home");
    name        = catalog_table_name(out->database, out->name);
    out->object = json_object_get(d->tables, name);
    free(name);
    return true;
}

enum table_kind
ddl_kind(const struct ddl_table *t)
{
    enum table_kind kind = model_kind(model_text(t->object, "kind"), TABLE_GLOBAL);

    if (model_flag(t->object, "expands"))
        return TABLE_SHARDED;
    return kind == TABLE_VIEW ? model_kind(model_text(t->object, "view_kind"), TABLE_GLOBAL)
                              : kind;
}

int64_t
ddl_where(const struct ddl_table *t)
{
    return ddl_kind(t) == TABLE_GLOBAL || model_flag(t->object, "expands") ? t->home : DDL_ALL;
}

static json_t *
shard_at(const struct ddl *d, size_t index)
{
    const char *id;
    json_t     *shard;
    size_t      i = 0;

    json_object_foreach(d->shards, id, shard)
        if (i++ == index)
            return shard;
    return NULL;
}

size_t
ddl_index(const struct ddl *d, int64_t shard_id)
{
    const char *id;
    json_t     *shard;
    size_t      i = 0;

    json_object_foreach(d->shards, id, shard) {
        if (model_number(shard, "id") == shard_id)
            return i;
        i++;
    }
    return 0;
}

/* The client's session, as far as it changes what DDL means. */
static bool
set_session(struct server *s, const struct ddl_request *r, bool probe, struct sql_error *error)
{
    const char *charset = r->charset ? r->charset : "utf8mb4";

    /* Names of engines are not found in the connection's collation, which may be UCS2's. */
    if (r->session && r->session[0] &&
        (!server_run(s, error, "SET NAMES utf8mb4") ||
         !server_run(s, error, "SET SESSION %s", r->session)))
        return false;
    /* It may be of another character set than the client's. */
    if (!server_run(s, error, "SET NAMES %s%s%s", server_text(charset),
                    r->collation ? ", collation_connection = " : "",
                    r->collation ? server_text(r->collation) : ""))
        return false;
    if (r->sql_mode && !server_run(s, error, "SET SESSION sql_mode = %s",
                                   server_text(r->sql_mode)))
        return false;
    return server_run(s, error, "SET SESSION foreign_key_checks = %d",
                      !probe && !r->no_foreign_key_checks);
}

static bool
open_as_user(struct ddl *d, struct server *s, const json_t *shard)
{
    const char *name = d->request->user;
    json_t     *user = name ? catalog_get(d->c->catalog, CATALOG_USER, name, NULL) : NULL;
    bool        ok   = user ? server_open_as(s, shard, name, model_text(user, "secret"), NULL,
                                             d->error)
                            : server_open(s, shard, d->error);

    json_decref(user);
    if (!ok || !set_session(s, d->request, false, d->error))
        return false;
    return !d->request->database[0] ||
           server_run(s, d->error, "USE %s", server_name(d->request->database));
}

struct server *
ddl_user(struct ddl *d, size_t index)
{
    struct server *s = &d->as_user[index];

    if (s->mysql || open_as_user(d, s, shard_at(d, index)))
        return s;
    server_close(s);
    return NULL;
}

struct server *
ddl_us(struct ddl *d, size_t index)
{
    struct server *s = &d->as_us[index];

    if (s->mysql || server_open(s, shard_at(d, index), d->error))
        return s;
    return NULL;
}

struct runner {
    pthread_t        thread;
    struct server   *server;
    struct span      sql;
    struct sql_error error;
    bool             ok;
};

static void *
run_one(void *context)
{
    struct runner *r = context;

    r->ok = server_run_text(r->server, r->sql, &r->error);
    return NULL;
}

/* Starts one thread a shard; an ALTER takes as long as on the slowest. */
static void
run_together(struct runner *runners, size_t n)
{
    bool started[ROUTES_SHARDS_MAX];

    for (size_t i = 0; i < n; i++) {
        started[i] = n > 1 &&
                     pthread_create(&runners[i].thread, NULL, run_one, &runners[i]) == 0;
        if (!started[i])
            run_one(&runners[i]);
    }
    for (size_t i = 0; i < n; i++)
        if (started[i])
            pthread_join(runners[i].thread, NULL);
}

static bool
note_results(struct ddl *d, struct runner *runners, size_t n, size_t *done)
{
    bool ok = true;

    for (size_t i = 0; i < n; i++) {
        if (runners[i].ok) {
            job_note(&d->job, "done on %s", runners[i].server->name);
            ++*done;
            continue;
        }
        job_note(&d->job, "failed on %s: %s", runners[i].server->name,
                 runners[i].error.message);
        if (ok)
            *d->error = runners[i].error;
        ok = false;
    }
    return ok;
}

void
ddl_add_note(struct ddl *d, const char *level, int code, const char *message)
{
    json_t *note = json_pack("[s, i, s]", level, code, message), *known;
    size_t  i;

    if (!d->answer->notes)
        d->answer->notes = json_array();
    json_array_foreach(d->answer->notes, i, known)
        if (note && json_equal(known, note)) {
            json_decref(note);
            return;
        }
    if (note && json_array_size(d->answer->notes) < NOTES_MAX)
        json_array_append_new(d->answer->notes, note);
    else
        json_decref(note); /* not UTF-8, or one too many: counted only */
    d->answer->warnings++;
}

bool
ddl_note(struct ddl *d, uint16_t code, const char *fmt, ...)
{
    char    text[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    ddl_add_note(d, "Note", code, text);
    return true;
}

void
ddl_take_warnings(struct ddl *d, struct server *s)
{
    struct sql_error ignored;
    json_t          *rows, *row;
    size_t           i;

    if (s->warnings == 0)
        return;
    rows = server_rows(s, &ignored, "SHOW WARNINGS");
    json_array_foreach(rows, i, row)
        ddl_add_note(d, server_cell(row, 0), atoi(server_cell(row, 1)), server_cell(row, 2));
    json_decref(rows);
}

bool
ddl_run_others(struct ddl *d, struct span sql, int64_t home, size_t *done)
{
    struct runner *runners = arena_alloc(&d->arena, d->n_shards * sizeof(*runners));
    size_t         n = 0, skip = ddl_index(d, home);

    /* All connections before the first change: most failures show here. */
    for (size_t i = 0; i < d->n_shards; i++) {
        if (i == skip)
            continue;
        runners[n].sql    = sql;
        runners[n].server = ddl_user(d, i);
        if (!runners[n++].server)
            return false;
    }
    d->ran = true;
    run_together(runners, n);
    for (size_t i = 0; i < n && !d->copies; i++) {
        d->answer->affected += runners[i].server->affected;
        d->answer->counts |= runners[i].server->counts;
        if (runners[i].ok)
            ddl_take_warnings(d, runners[i].server);
    }
    return note_results(d, runners, n, done);
}

bool
ddl_run_text(struct ddl *d, struct span sql, int64_t home, int64_t where, size_t *done)
{
    struct server *s = ddl_user(d, ddl_index(d, home));

    *done = 0;
    for (size_t i = 0; where == DDL_ALL && s && i < d->n_shards; i++)
        if (!ddl_user(d, i))
            return false;
    if (!s || !server_run_text(s, sql, d->error))
        return false;
    d->answer->affected = s->affected;
    d->answer->counts   = s->counts;
    ddl_take_warnings(d, s);
    job_note(&d->job, "done on %s", s->name);
    ++*done;
    return where != DDL_ALL || ddl_run_others(d, sql, home, done);
}

void
ddl_undo(struct ddl *d, int64_t where, const char *fmt, ...)
{
    struct sql_error kept = *d->error;
    char             sql[2048];
    va_list          args;

    va_start(args, fmt);
    vsnprintf(sql, sizeof(sql), fmt, args);
    va_end(args);
    for (size_t i = 0; i < d->n_shards; i++) {
        struct server *s;

        if (where != DDL_ALL && i != ddl_index(d, where))
            continue;
        s = ddl_us(d, i);
        if (s && server_run(s, d->error, "SET SESSION foreign_key_checks = 0") &&
            server_run(s, d->error, "%s", sql))
            job_note(&d->job, "undone on %s", s->name);
        else
            d->end = JOB_STUCK;
    }
    *d->error = kept;
}

struct server *
ddl_probe_open(struct ddl *d, int64_t home, const json_t *database)
{
    struct server *s = ddl_us(d, ddl_index(d, home));

    if (!s || !server_run(s, d->error, "SET SESSION sql_log_bin = 0") ||
        !server_run(s, d->error, "DROP DATABASE IF EXISTS " DDL_PROBE) ||
        !server_run(s, d->error, "CREATE DATABASE " DDL_PROBE " COLLATE %s",
                    server_text(model_text(database, "collation"))) ||
        !server_run(s, d->error, "USE " DDL_PROBE) ||
        !set_session(s, d->request, true, d->error))
        return NULL;
    return s;
}

/* Whether the server missed a sequence that the client's database has, and has it now. */
static bool
make_sequence(struct ddl *d, struct server *s)
{
    static const char before[] = "Table '" DDL_PROBE ".", behind[] = "' doesn't exist";
    const char *at  = d->error->message + strlen(before);
    size_t      len = strlen(d->error->message);
    char        name[DDL_NAME_MAX], is[8];

    if (d->error->code != DDL_NO_SUCH_TABLE ||
        strncmp(d->error->message, before, strlen(before)) != 0 ||
        len < strlen(before) + strlen(behind) || len - strlen(before) >= sizeof(name))
        return false;
    snprintf(name, sizeof(name), "%.*s", (int)(len - strlen(before) - strlen(behind)), at);
    return server_value(s, is, sizeof(is), d->error, "SELECT COUNT(*) FROM"
                        " information_schema.TABLES WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s"
                        " AND TABLE_TYPE = 'SEQUENCE'", server_text(d->request->database),
                        server_text(name)) &&
           strcmp(is, "1") == 0 &&
           server_run(s, d->error, "CREATE SEQUENCE " DDL_PROBE ".%s", server_name(name));
}

bool
ddl_probe_run(struct ddl *d, struct server *s, struct span text)
{
    struct sql_error first;

    while (!server_run_text(s, text, d->error)) {
        first = *d->error;
        if (!make_sequence(d, s)) {
            *d->error = first;
            return false;
        }
    }
    return true;
}

/* The words of the client's database, not of ours, in the server's refusals. */
static void
rename_probe(struct sql_error *error, const char *database)
{
    char        text[sizeof(error->message)];
    const char *at = strstr(error->message, DDL_PROBE);

    if (!at)
        return;
    snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - error->message), error->message,
             database, at + strlen(DDL_PROBE));
    memcpy(error->message, text, sizeof(text));
}

void
ddl_probe_close(struct ddl *d, struct server *s)
{
    struct sql_error ignored;

    rename_probe(d->error, d->request->database);
    /* A new connection next time: this one has a session of its own. */
    if (!server_run(s, &ignored, "DROP DATABASE IF EXISTS " DDL_PROBE))
        log_warn("the scratch database " DDL_PROBE " stays on %s: %s", s->name, ignored.message);
    server_close(s);
}

struct span
ddl_unqualified(struct ddl *d, const struct path *path)
{
    struct buf  out = { 0 };
    struct span sql = d->request->sql, text;

    if (!path->schema.ptr)
        return sql;
    buf_append(&out, sql.ptr, path->range.start);
    server_quote_name(&out, arena_cstr(&d->arena, path->name));
    buf_append(&out, sql.ptr + path->range.end, sql.len - path->range.end);
    text = arena_copy(&d->arena, buf_unread(&out));
    buf_fini(&out);
    return text;
}

json_t *
ddl_object(const struct ddl_table *t, const json_t *facts, const struct decision *how)
{
    json_t *object = json_object();

    model_set(object, "database", t->database);
    model_set(object, "name", t->name);
    model_set(object, "kind", model_kind_name(how->kind));
    model_set(object, "key", how->kind == TABLE_SHARDED ? how->key : NULL);
    model_set(object, "reason", how->reason[0] ? how->reason : NULL);
    model_set(object, "remedy", how->remedy[0] ? how->remedy : NULL);
    model_set(object, "state", "ok");
    json_object_set(object, "columns", json_object_get(facts, "columns"));
    json_object_set(object, "foreign", json_object_get(facts, "foreign"));
    return object;
}

bool
ddl_record(struct ddl *d, const json_t *objects)
{
    struct catalog_change *change = catalog_begin(d->c->catalog,
                                                  d->request->user ? d->request->user
                                                                   : "controller");
    const char            *name;
    json_t                *object;
    struct err             err;

    json_object_foreach((json_t *)(uintptr_t)objects, name, object) {
        if (json_is_null(object))
            catalog_remove(change, CATALOG_TABLE, name, CATALOG_ANY);
        else
            catalog_put(change, CATALOG_TABLE, name, object, CATALOG_ANY);
    }
    cluster_bump(d->c, change, "generation");
    if (!job_commit(change, d->error))
        return false;
    return cluster_publish(d->c, &err) || job_fail(d->error, &err);
}

int64_t
ddl_sequence_new(struct ddl *d, int64_t home, int64_t first)
{
    struct server *s  = ddl_us(d, ddl_index(d, home));
    int64_t        id = s ? cluster_number(d->c, "next_sequence") : 0;

    if (id == 0 || !server_run(s, d->error,
                               "INSERT INTO shardd.sequence (id, next_value) VALUES (%lld, %lld)",
                               (long long)id, (long long)(first > 0 ? first : 1)))
        return 0;
    return id;
}
