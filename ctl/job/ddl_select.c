/* ddl_select.c - CREATE TABLE ... SELECT, as far as it is the controller's.
 *
 *   worker --statement--> here: what would the table look like, and where would it be?
 *          <---- "make": CREATE TABLE `db`.`shardd making 7-1` (...)
 *                "insert": INSERT INTO `db`.`shardd making 7-1` (a, b) SELECT ...
 *                "drop": DROP TABLE ..., where CREATE OR REPLACE finds one
 *                "name":  RENAME TABLE ..., "undo": DROP TABLE ...
 *
 * The worker runs these one after the other; the rows are read and written in the client's own
 * session. So nobody sees the table before it is complete, and a statement that fails leaves none,
 * or the one that it would have replaced.
 * Names of this form whose worker is gone are dropped by the next such statement.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "ctl/catalog/model.h"
#include "ctl/job/ddl_step.h"
#include "ctl/job/facts.h"

#define MAKING "shardd making "

struct reach {
    struct visitor visitor;
    struct ddl    *ddl;
    int64_t        home;
    const json_t  *replaced; /* a table; NULL: none */
    bool           itself;   /* that one is read */
    char           away[2 * DDL_NAME_MAX]; /* a global table that lies elsewhere */
};

static bool
starts(struct span text, struct span with)
{
    return text.len >= with.len && memcmp(text.ptr, with.ptr, with.len) == 0;
}

static bool
reach_table(struct visitor *v, struct table_ref *ref)
{
    struct reach    *r = v->context;
    struct ddl_table t;
    struct sql_error kept = *r->ddl->error;

    if (ref->kind == TABLE_REF_TABLE && ddl_find(r->ddl, &ref->table, &t) && t.object) {
        r->itself = r->itself || t.object == r->replaced;
        if (ddl_kind(&t) == TABLE_GLOBAL && t.home != r->home)
            snprintf(r->away, sizeof(r->away), "%s.%s", t.database, t.name);
    }
    *r->ddl->error = kept;
    return true;
}

/* The home shard, which is asked what the columns are, must have all tables. */
static bool
can_ask(struct ddl *d, const struct ddl_table *t)
{
    struct reach r = { .visitor = { .table_ref = reach_table }, .ddl = d, .home = t->home,
                       .replaced = t->object };

    r.visitor.context = &r;
    visit_query(&r.visitor, d->stmt->create_table->query);
    if (r.itself)
        return sql_error_set(d->error, DDL_USED_TWICE,
                             "Table '%s' is specified twice, both as a target for 'CREATE' and as "
                             "a separate source for data", t->name);
    if (r.away[0] == '\0')
        return true;
    return sql_error_set(d->error, SQL_NOT_SUPPORTED,
                         "shardd: CREATE TABLE ... SELECT from the global table %.150s, whose home "
                         "is another shard than that of the new table, is not supported; create "
                         "the table, then use INSERT ... SELECT", r.away);
}

static void
append_range(struct ddl *d, struct buf *out, uint32_t start, uint32_t end)
{
    buf_append(out, d->request->sql.ptr + start, end - start);
}

/* Nothing may stand behind a WITH in parentheses, nor may INSERT before one. */
static struct range
query_range(const struct create_table *s)
{
    return s->query->with ? s->query->range : s->query_range;
}

/* The query, and no rows. */
static void
append_empty_query(struct ddl *d, struct buf *out)
{
    const struct create_table *s     = d->stmt->create_table;
    const struct query        *q     = s->query;
    const struct range         range = query_range(s);
    uint32_t                   at    = range.end, end = at;

    if (q->limit) {
        at  = q->limit->range.start;
        end = q->limit->range.end;
    } else if (q->lock_range.end != 0) {
        at = end = q->lock_range.start;
    }
    append_range(d, out, range.start, at);
    buf_append_text(out, " LIMIT 0 ");
    append_range(d, out, end, range.end);
}

struct made {
    struct buf definition; /* SHOW CREATE TABLE */
    json_t    *facts;
    size_t     n_columns;  /* of the query: the table's last ones */
};

static void
made_fini(struct made *m)
{
    buf_fini(&m->definition);
    json_decref(m->facts);
}

static bool
count_columns(struct ddl *d, struct server *s, struct made *m)
{
    struct buf text    = { 0 };
    json_t    *columns = NULL, *rows = NULL;
    bool       ok;

    append_empty_query(d, &text);
    ok = server_table(s, buf_unread(&text), &columns, &rows, d->error);
    m->n_columns = json_array_size(columns);
    json_decref(columns);
    json_decref(rows);
    buf_fini(&text);
    return ok;
}

/* User variables are what they are in the client's session. */
static bool
set_variables(struct ddl *d, struct server *s)
{
    struct buf text = { 0 };
    bool       ok;

    buf_append_text(&text, "SET ");
    buf_append_span(&text, d->request->variables);
    ok = d->request->variables.len == 0 || server_run_text(s, buf_unread(&text), d->error);
    buf_fini(&text);
    return ok;
}

/* In the scratch database, with the names of the statement meaning what they mean there. */
static bool
probe(struct ddl *d, const struct ddl_table *t, struct made *m)
{
    const struct create_table *s    = d->stmt->create_table;
    struct server             *at   = ddl_probe_open(d, t->home, t->home_db);
    struct buf                 text = { 0 };
    bool                       ok;

    if (!at)
        return false;
    append_range(d, &text, 0, s->table.range.start);
    buf_append_text(&text, DDL_PROBE ".");
    server_quote_name(&text, t->name);
    append_range(d, &text, s->table.range.end, s->query_range.start);
    append_empty_query(d, &text);
    ok = set_variables(d, at) &&
         (!d->request->database[0] ||
          server_run(at, d->error, "USE %s", server_name(d->request->database))) &&
         server_run_text(at, buf_unread(&text), d->error) && count_columns(d, at, m) &&
         facts_definition(at, DDL_PROBE, t->name, &m->definition, d->error);
    m->facts = ok ? facts_read(at, t->database, t->name, DDL_PROBE, d->error) : NULL;
    ddl_probe_close(d, at);
    buf_fini(&text);
    return m->facts != NULL;
}

/* --- the statements -------------------------------------------------------- */

static void
append_path(struct buf *out, const char *database, const char *name)
{
    server_quote_name(out, database);
    buf_append_byte(out, '.');
    server_quote_name(out, name);
}

/* SHOW CREATE TABLE under another name. */
static bool
make_text(struct ddl *d, const struct ddl_table *t, const struct made *m)
{
    struct buf  head = { 0 }, ansi = { 0 };
    struct span text = buf_unread(&m->definition), rest = { 0 };

    buf_append_text(&head, "CREATE TABLE ");
    buf_append_text(&ansi, "CREATE TABLE \"");
    server_quote_name(&head, t->name);
    for (const char *c = t->name; *c; c++)
        buf_append_text(&ansi, *c == '"' ? "\"\"" : (char[]){ *c, '\0' });
    buf_append_byte(&ansi, '"');
    if (starts(text, buf_unread(&head)))
        rest = span_from(text, buf_len(&head));
    else if (starts(text, buf_unread(&ansi)))
        rest = span_from(text, buf_len(&ansi));
    buf_fini(&head);
    buf_fini(&ansi);
    if (rest.len == 0)
        return sql_error_set(d->error, SQL_UNKNOWN_ERROR,
                             "shardd: the definition of the new table cannot be read");
    buf_append_text(&d->answer->make, "CREATE TABLE ");
    append_path(&d->answer->make, t->database, d->request->making);
    buf_append_span(&d->answer->make, rest);
    return true;
}

static bool
insert_text(struct ddl *d, const struct ddl_table *t, const struct made *m)
{
    const struct create_table *s       = d->stmt->create_table;
    const json_t              *columns = json_object_get(m->facts, "columns");
    struct buf                *out     = &d->answer->insert;
    size_t                     n       = json_array_size(columns);

    if (m->n_columns == 0 || m->n_columns > n)
        return sql_error_set(d->error, SQL_UNKNOWN_ERROR,
                             "shardd: the columns of the new table cannot be told");
    buf_append_text(out, s->replace ? "REPLACE INTO " : s->ignore ? "INSERT IGNORE INTO "
                                                                  : "INSERT INTO ");
    append_path(out, t->database, d->request->making);
    for (size_t i = n - m->n_columns; i < n; i++) {
        buf_append_text(out, i == n - m->n_columns ? " (" : ", ");
        server_quote_name(out, model_text(json_array_get(columns, i), "name"));
    }
    buf_append_text(out, ") ");
    append_range(d, out, query_range(s).start, query_range(s).end);
    return true;
}

static void
end_texts(struct ddl *d, const struct ddl_table *t)
{
    struct ddl_answer *a = d->answer;

    buf_append_text(&a->name, "RENAME TABLE ");
    append_path(&a->name, t->database, d->request->making);
    buf_append_text(&a->name, " TO ");
    append_path(&a->name, t->database, t->name);
    if (t->object) {
        buf_append_text(&a->drop, "DROP TABLE ");
        append_path(&a->drop, t->database, t->name);
    }
    buf_append_text(&a->undo, "DROP TABLE IF EXISTS ");
    append_path(&a->undo, t->database, d->request->making);
}

/* --- what workers left behind ------------------------------------------------ */

static bool
is_left(const char *name)
{
    size_t len = strlen(MAKING);
    long   pid;

    if (strncmp(name, MAKING, len) != 0)
        return false;
    pid = strtol(name + len, NULL, 10);
    return pid > 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

void
ddl_drop_made(struct cluster *c)
{
    json_t     *tables = catalog_all(c->catalog, CATALOG_TABLE), *object;
    const char *name;

    json_object_foreach(tables, name, object) {
        struct buf         text    = { 0 };
        struct ddl_answer  answer  = { 0 };
        struct ddl_request request = { .database = "" };
        struct sql_error   error;

        if (!is_left(model_text(object, "name")))
            continue;
        buf_append_text(&text, "DROP TABLE IF EXISTS ");
        append_path(&text, model_text(object, "database"), model_text(object, "name"));
        request.sql = buf_unread(&text);
        if (!ddl_run(c, &request, &answer, &error))
            log_warn("the table %s, of a statement that was cut off, stays: %s", name,
                     error.message);
        ddl_answer_fini(&answer);
        buf_fini(&text);
    }
    json_decref(tables);
}

/* --- the statement ----------------------------------------------------------- */

static bool
plan(struct ddl *d, const struct ddl_table *t)
{
    struct made m = { .facts = NULL };
    bool        ok;

    ok = can_ask(d, t) && probe(d, t, &m) && make_text(d, t, &m) && insert_text(d, t, &m);
    if (ok)
        end_texts(d, t);
    made_fini(&m);
    return ok;
}

bool
ddl_create_select(struct ddl *d)
{
    struct create_table *s = d->stmt->create_table;
    struct ddl_table     t;

    if (!ddl_may_replace(d, s, &t))
        return false;
    if (t.object && s->if_not_exists)
        return ddl_note(d, DDL_TABLE_EXISTS, "Table '%s' already exists", t.name);
    if (t.object && !s->or_replace)
        return sql_error_set(d->error, DDL_TABLE_EXISTS, "Table '%s' already exists", t.name);
    if (!d->request->making || strncmp(d->request->making, MAKING, strlen(MAKING)) != 0)
        return sql_error_set(d->error, SQL_NOT_SUPPORTED,
                             "shardd: CREATE TABLE ... SELECT is not supported here; create the "
                             "table, then use INSERT ... SELECT");
    return plan(d, &t);
}
