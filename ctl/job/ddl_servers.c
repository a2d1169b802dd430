/* ddl_servers.c - see ddl_servers.h. */
#include "ctl/job/ddl_servers.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "ctl/catalog/model.h"

/* One shard's share. */
struct part {
    struct server   *server;
    struct span      sql;
    json_t          *columns, *rows; /* owned */
    struct sql_error error;
    bool             ok;
};

bool
ddl_is_for_servers(const struct stmt *s)
{
    return s->kind == STMT_ADMIN_TABLE || s->kind == STMT_FLUSH ||
           (s->kind == STMT_ADMIN && s->word == KW_RESET) ||
           (s->kind == STMT_SHOW && s->show->kind == KW_ENGINE);
}

/* --- on all shards -------------------------------------------------------- */

static void *
run_one(void *context)
{
    struct part *p = context;

    p->ok = server_table(p->server, p->sql, &p->columns, &p->rows, &p->error);
    return NULL;
}

static void
run_together(struct part *parts, size_t n)
{
    pthread_t threads[ROUTES_SHARDS_MAX];
    bool      started[ROUTES_SHARDS_MAX];

    for (size_t i = 0; i < n; i++) {
        started[i] = n > 1 && pthread_create(&threads[i], NULL, run_one, &parts[i]) == 0;
        if (!started[i])
            run_one(&parts[i]);
    }
    for (size_t i = 0; i < n; i++)
        if (started[i])
            pthread_join(threads[i], NULL);
}

static void
free_parts(struct ddl *d, struct part *parts)
{
    for (size_t i = 0; parts && i < d->n_shards; i++) {
        json_decref(parts[i].columns);
        json_decref(parts[i].rows);
    }
}

/* A global table that is not there is somewhere else. */
static bool
is_elsewhere(struct ddl *d, const json_t *warning)
{
    struct sql_error kept = *d->error;
    char             text[2 * DDL_NAME_MAX + 32];
    struct ddl_table t;
    bool             yes = false;

    for (const struct table_item *i = d->stmt->tables; i && !yes; i = i->next) {
        if (!ddl_find(d, &i->table, &t) || !t.object)
            continue;
        snprintf(text, sizeof(text), "Table '%s.%s' doesn't exist", t.database, t.name);
        yes = atoi(server_cell(warning, 1)) == DDL_NO_SUCH_TABLE &&
              strcasecmp(server_cell(warning, 2), text) == 0;
    }
    *d->error = kept;
    return yes;
}

static void
take_warnings(struct ddl *d, struct server *s)
{
    struct sql_error ignored;
    json_t          *rows = s->warnings ? server_rows(s, &ignored, "SHOW WARNINGS") : NULL, *row;
    size_t           i;

    json_array_foreach(rows, i, row)
        if (!is_elsewhere(d, row))
            ddl_add_note(d, server_cell(row, 0), atoi(server_cell(row, 1)), server_cell(row, 2));
    json_decref(rows);
}

/* NULL with the error set: that of the first shard that refuses. */
static struct part *
run_all(struct ddl *d)
{
    struct part *parts = arena_alloc(&d->arena, d->n_shards * sizeof(*parts));
    bool         ok    = true;

    for (size_t i = 0; i < d->n_shards; i++) {
        parts[i].sql    = d->request->sql;
        parts[i].server = ddl_user(d, i);
        if (!parts[i].server)
            return NULL;
    }
    run_together(parts, d->n_shards);
    for (size_t i = 0; i < d->n_shards; i++) {
        if (parts[i].ok) {
            take_warnings(d, parts[i].server);
            continue;
        }
        if (ok)
            *d->error = parts[i].error;
        ok = false;
    }
    if (ok)
        return parts;
    free_parts(d, parts);
    return NULL;
}

/* --- tables --------------------------------------------------------------- */

int
ddl_servers_rank(const char *type, const char *text)
{
    if (strcasecmp(type, "error") == 0)
        return 2;
    if (strcasecmp(type, "warning") == 0)
        return 1;
    if (strcasecmp(type, "status") != 0)
        return 0;
    return strcasecmp(text, "Operation failed") == 0 || strcasecmp(text, "Corrupt") == 0 ? 2 : 0;
}

/* "db.table", as the servers say it. */
static bool
is_of(const json_t *row, const struct ddl_table *t)
{
    char name[2 * DDL_NAME_MAX + 2];

    snprintf(name, sizeof(name), "%s.%s", t->database, t->name);
    return strcasecmp(server_cell(row, 0), name) == 0;
}

static int
worst_of(const struct part *p, const struct ddl_table *t)
{
    json_t *row;
    size_t  i;
    int     worst = -1;

    json_array_foreach(p->rows, i, row) {
        int rank = is_of(row, t) ? ddl_servers_rank(server_cell(row, 2), server_cell(row, 3)) : -1;
        worst    = rank > worst ? rank : worst;
    }
    return worst;
}

/* Bad news that not all have say where they come from. */
static void
put_rows(struct ddl *d, const struct part *p, const struct ddl_table *t, bool differ)
{
    json_t *row;
    size_t  i;

    json_array_foreach(p->rows, i, row) {
        char text[1024];

        if (!is_of(row, t))
            continue;
        if (differ && ddl_servers_rank(server_cell(row, 2), server_cell(row, 3)) > 0) {
            snprintf(text, sizeof(text), "%s: %.900s", p->server->name, server_cell(row, 3));
            json_array_set_new(row, 3, json_string(text));
        }
        json_array_append(d->answer->rows, row);
    }
}

/* Of a sharded table the worst, of others the home copy. */
static void
put_worst(struct ddl *d, const struct part *parts, const struct ddl_table *t)
{
    size_t chosen = ddl_index(d, t->home);
    bool   differ = false;

    for (size_t i = 0; ddl_where(t) == DDL_ALL && i < d->n_shards; i++) {
        int one = worst_of(&parts[i], t), worst = worst_of(&parts[chosen], t);

        differ |= one != worst;
        chosen = one > worst ? i : chosen;
    }
    put_rows(d, &parts[chosen], t, differ);
}

static const char *
checksum_of(const struct part *p, const struct ddl_table *t)
{
    json_t *row;
    size_t  i;

    json_array_foreach(p->rows, i, row)
        if (is_of(row, t))
            return json_string_value(json_array_get(row, 1));
    return NULL;
}

/* A table's checksum is the sum of its rows' checksums in 32 bits, in whatever order. */
static void
put_checksum(struct ddl *d, const struct part *parts, const struct ddl_table *t)
{
    const char *first = checksum_of(&parts[ddl_index(d, t->home)], t);
    uint32_t    sum   = 0;
    bool        null  = first == NULL;
    char        name[2 * DDL_NAME_MAX + 2], text[16];

    snprintf(name, sizeof(name), "%s.%s", t->database, t->name);
    if (ddl_kind(t) != TABLE_SHARDED) {
        json_array_append_new(d->answer->rows, json_pack("[s, s?]", name, first));
        return;
    }
    for (size_t i = 0; i < d->n_shards; i++) {
        const char *one = checksum_of(&parts[i], t);
        null |= one == NULL;
        sum += one ? (uint32_t)strtoul(one, NULL, 10) : 0;
    }
    snprintf(text, sizeof(text), "%u", sum);
    json_array_append_new(d->answer->rows, json_pack("[s, s?]", name, null ? NULL : text));
}

static bool
for_tables(struct ddl *d, const struct part *parts)
{
    d->answer->columns = json_incref(parts[0].columns);
    d->answer->rows    = json_array();
    for (const struct table_item *item = d->stmt->tables; item; item = item->next) {
        struct ddl_table t;

        if (!ddl_find(d, &item->table, &t))
            return false;
        if (d->stmt->word == KW_CHECKSUM)
            put_checksum(d, parts, &t);
        else
            put_worst(d, parts, &t);
    }
    return true;
}

/* --- SHOW ENGINE ---------------------------------------------------------- */

/* Type, Name, Status: the name says which shard's. */
static void
for_engines(struct ddl *d, const struct part *parts)
{
    json_t *row;
    size_t  k;

    d->answer->columns = json_incref(parts[0].columns);
    d->answer->rows    = json_array();
    for (size_t i = 0; i < d->n_shards; i++)
        json_array_foreach(parts[i].rows, k, row) {
            char        name[512];
            const char *own = server_cell(row, 1);

            snprintf(name, sizeof(name), "%s%s%.400s", parts[i].server->name, own[0] ? " " : "",
                     own);
            json_array_set_new(row, 1, json_string(name));
            json_array_append(d->answer->rows, row);
        }
}

bool
ddl_for_servers(struct ddl *d)
{
    struct part *parts;
    bool         ok = true;

    d->shards    = catalog_all(d->c->catalog, CATALOG_SHARD);
    d->tables    = catalog_all(d->c->catalog, CATALOG_TABLE);
    d->databases = catalog_all(d->c->catalog, CATALOG_DATABASE);
    d->n_shards  = json_object_size(d->shards);
    parts        = run_all(d);
    if (parts && d->stmt->kind == STMT_ADMIN_TABLE)
        ok = for_tables(d, parts);
    else if (parts && d->stmt->kind == STMT_SHOW)
        for_engines(d, parts);
    free_parts(d, parts);
    ddl_close(d);
    return parts && ok;
}
