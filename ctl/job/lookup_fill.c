/* lookup_fill.c - see lookup_step.h: the rows that were there before writes told the lookup.
 *
 * They are read in the order of their values, some at a time, under locks that last until the
 * lookup has them: none of them changes in between, and what changed before or changes later is
 * told by its own write.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/route/keyhash.h"
#include "core/route/lookup_text.h"
#include "ctl/catalog/model.h"
#include "ctl/job/lookup_step.h"
#include "shm/routes.h"

enum { ROWS = 500, TRIES = 30, UTF8MB4_GENERAL_CI = 45, ERR_DUPLICATE = 1062,
       ERR_LOCK_WAIT = 1205, ERR_DEADLOCK = 1213 };

struct fill {
    struct lookup_work *w;
    const json_t       *lookup;
    struct routes      *routes; /* owned */
    const struct route_column *v, *k;
    struct server       reader;
    struct buf          last; /* the literal of the last value that was read */
    char                hex_v[200], hex_k[200]; /* expressions */
};

static bool
find_columns(struct fill *f)
{
    const struct routes *r        = f->routes;
    uint32_t             database = routes_database(r, SPAN(ROUTES_LOOKUP_SCHEMA));
    uint32_t             table    = database == ROUTES_NONE
                                        ? ROUTES_NONE
                                        : routes_table(r, database,
                                                       span_of(model_text(f->lookup, "table")));

    if (table == ROUTES_NONE || r->tables[table].n_columns < 2)
        return sql_error_set(f->w->error, SQL_UNKNOWN_ERROR, "shardd: the lookup's table is not in "
                             "the routes");
    f->v = &r->tables[table].columns[0];
    f->k = &r->tables[table].columns[1];
    return true;
}

static void
put_hex(const json_t *lookup, const char *column, enum column_type type, char *out, size_t room)
{
    struct buf text = { 0 };

    lookup_hex_text(type, server_name(model_text(lookup, column)), &text);
    snprintf(out, room, "%s", buf_cstr(&text));
    buf_fini(&text);
}

/* --- one batch ------------------------------------------------------------------- */

static size_t
unhex(const char *hex, uint8_t *out)
{
    size_t n = 0;

    for (; hex[0] && hex[1]; hex += 2) {
        char pair[3] = { hex[0], hex[1], '\0' };
        out[n++] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return n;
}

static bool
duplicate(struct fill *f, const json_t *row)
{
    const char *hex   = server_cell(row, 0);
    uint8_t    *bytes = calloc(1, strlen(hex) / 2 + 1);

    if (!bytes)
        abort();
    unhex(hex, bytes);
    sql_error_set(f->w->error, ERR_DUPLICATE, "Duplicate entry '%.64s' for key '%s'",
                  (const char *)bytes, model_text(f->lookup, "index"));
    free(bytes);
    return false;
}

static bool
owner_of(struct fill *f, const json_t *row, uint32_t *owner)
{
    const char *hex   = server_cell(row, 0);
    uint8_t    *bytes = calloc(1, strlen(hex) / 2 + 1);
    uint64_t    hash;
    bool        ok;

    if (!bytes)
        abort();
    ok = keyhash_row(f->v, (struct span){ bytes, unhex(hex, bytes) }, UTF8MB4_GENERAL_CI, &hash);
    free(bytes);
    if (ok)
        *owner = routes_owner(f->routes, hash);
    return ok || sql_error_set(f->w->error, SQL_UNKNOWN_ERROR,
                               "shardd: a value of the column cannot be placed");
}

static bool
put_pair(struct fill *f, const json_t *row, struct buf *out)
{
    bool ok;

    buf_append_text(out, buf_len(out) > 0 ? ",(" : "(");
    ok = lookup_literal(f->v->type, span_of(server_cell(row, 0)), out);
    buf_append_byte(out, ',');
    ok = ok && lookup_literal(f->k->type, span_of(server_cell(row, 1)), out);
    buf_append_byte(out, ')');
    return ok || sql_error_set(f->w->error, SQL_UNKNOWN_ERROR, "shardd: a value cannot be told");
}

/* What is there already is fine when it is of the same row. */
static bool
insert(struct fill *f, size_t shard, struct buf *pairs, size_t n, const json_t *last)
{
    struct server *s   = &f->w->server[shard];
    struct buf     sql = { 0 };
    char           found[24];
    const char    *table = server_name(model_text(f->lookup, "table"));
    bool           ok;

    buf_printf(&sql, "INSERT IGNORE INTO " ROUTES_LOOKUP_SCHEMA ".%s (v, k) VALUES ", table);
    buf_append_span(&sql, buf_unread(pairs));
    ok = server_run(s, f->w->error, "SET SESSION innodb_lock_wait_timeout = 5") &&
         server_run_text(s, buf_unread(&sql), f->w->error) &&
         server_value(s, found, sizeof(found), f->w->error, "SELECT COUNT(*) FROM "
                      ROUTES_LOOKUP_SCHEMA ".%s WHERE (v, k) IN (%s)", table, buf_cstr(pairs)) &&
         (strtoull(found, NULL, 10) == n || duplicate(f, last));
    buf_fini(&sql);
    return ok;
}

/* One after the other: with several, who is a duplicate of whom could not be told. */
static bool
insert_for(struct fill *f, json_t *rows, const uint32_t *owners, uint32_t shard)
{
    struct buf pairs = { 0 };
    json_t    *row, *last = NULL;
    size_t     i, n = 0;
    bool       ok = true;

    json_array_foreach(rows, i, row)
        if (ok && owners[i] == shard && (i == 0 || !json_equal(row, json_array_get(rows, i - 1)))) {
            ok   = put_pair(f, row, &pairs);
            last = row;
            n++;
        }
    if (ok && n > 0 && !insert(f, shard, &pairs, n, last)) {
        ok = false;
        if (f->w->error->code == ERR_DUPLICATE && n > 1) /* which one? */
            json_array_foreach(rows, i, row) {
                buf_clear(&pairs);
                if (owners[i] == shard && put_pair(f, row, &pairs) &&
                    !insert(f, shard, &pairs, 1, row))
                    break;
            }
    }
    buf_fini(&pairs);
    return ok;
}

static bool
insert_rows(struct fill *f, json_t *rows)
{
    size_t    n      = json_array_size(rows), i;
    uint32_t *owners = calloc(n + 1, sizeof(*owners));
    json_t   *row;
    bool      ok     = true;

    if (!owners)
        abort();
    json_array_foreach(rows, i, row) {
        ok = ok && owner_of(f, row, &owners[i]);
        if (ok && i > 0 && json_equal(row, json_array_get(rows, i - 1)))
            ok = duplicate(f, row);
    }
    for (uint32_t shard = 0; ok && shard < f->w->n; shard++)
        ok = insert_for(f, rows, owners, shard);
    free(owners);
    return ok;
}

/* --- a shard ---------------------------------------------------------------------- */

/* *n: rows that were read. */
static bool
batch(struct fill *f, size_t *n)
{
    const char *column = server_name(model_text(f->lookup, "column"));
    json_t     *rows   = NULL;
    bool        ok;

    if (server_run(&f->reader, f->w->error, "START TRANSACTION"))
        rows = server_rows(&f->reader, f->w->error,
                           "SELECT %s, %s FROM %s.%s FORCE INDEX (%s) WHERE %s IS NOT NULL%s%s%s%s"
                           " ORDER BY %s LIMIT %d LOCK IN SHARE MODE", f->hex_v, f->hex_k,
                           server_name(f->w->database), server_name(f->w->name),
                           server_name(model_text(f->lookup, "index")), column,
                           buf_len(&f->last) ? " AND " : "", buf_len(&f->last) ? column : "",
                           buf_len(&f->last) ? " >= " : "",
                           buf_len(&f->last) ? buf_cstr(&f->last) : "", column, ROWS);
    ok = rows && insert_rows(f, rows);
    *n = json_array_size(rows);
    if (ok && *n > 0) {
        buf_clear(&f->last);
        ok = lookup_literal(f->v->type, span_of(server_cell(json_array_get(rows, *n - 1), 0)),
                            &f->last);
    }
    json_decref(rows);
    if (ok)
        return server_run(&f->reader, f->w->error, "COMMIT");
    struct sql_error ignored;
    if (!server_run(&f->reader, &ignored, "ROLLBACK"))
        server_close(&f->reader);
    return false;
}

static bool
again(const struct sql_error *e)
{
    return e->code == ERR_LOCK_WAIT || e->code == ERR_DEADLOCK;
}

static bool
fill_shard(struct fill *f, const json_t *shard)
{
    size_t n = ROWS;
    bool   ok = server_open(&f->reader, shard, f->w->error) &&
              server_run(&f->reader, f->w->error, "SET SESSION sql_mode = ''") &&
              server_run(&f->reader, f->w->error, "SET SESSION innodb_lock_wait_timeout = 5");

    buf_clear(&f->last);
    while (ok && n == ROWS) {
        ok = false;
        for (int i = 0; !ok && i < TRIES; i++)
            if (!(ok = batch(f, &n)) && !again(f->w->error))
                break;
    }
    server_close(&f->reader);
    return ok;
}

bool
lookup_fill(struct lookup_work *w, const json_t *lookup)
{
    struct fill f  = { .w = w, .lookup = lookup, .routes = job_routes(w->c, w->error) };
    bool        ok = f.routes && find_columns(&f);
    const char *id;
    json_t     *shard;

    if (ok) {
        put_hex(lookup, "column", f.v->type, f.hex_v, sizeof(f.hex_v));
        put_hex(lookup, "key", f.k->type, f.hex_k, sizeof(f.hex_k));
    }
    json_object_foreach(w->shards, id, shard)
        ok = ok && fill_shard(&f, shard);
    buf_fini(&f.last);
    routes_free(f.routes);
    return ok;
}
