/* definitions.c - see definitions.h. */
#include "workers/query/definitions.h"

#include <stdlib.h>

#include "core/base/memory.h"
#include "core/mysql/literal.h"
#include "core/mysql/row.h"
#include "workers/backend/backend.h"

enum { PLACES = 1024, N_CELLS = 2 };

struct definitions {
    struct definition *places[PLACES];
};

struct definition_asking {
    struct context            *ctx;
    struct definition_request *request; /* NULL: forgotten */
    struct pool_waiter         waiter;
    struct exchange            x;
    uint32_t                   shard_id;
    struct routes_ref         *routes; /* a reference of ours */
    uint32_t                   table;
    struct definition         *made;   /* owned */
    struct sql_error           error;
};

/* --- the memory ----------------------------------------------------------- */

void
definition_release(struct definition *d)
{
    if (d == NULL || --d->references > 0)
        return;
    arena_fini(&d->arena);
    free(d);
}

static struct definition **
place_of(struct context *ctx, uint32_t table)
{
    if (ctx->definitions == NULL)
        ctx->definitions = mem_alloc(sizeof(*ctx->definitions));
    return &ctx->definitions->places[table % PLACES];
}

struct definition *
definition_find(struct context *ctx, const struct routes *r, uint32_t table)
{
    struct definition *d = *place_of(ctx, table);

    if (d == NULL || d->table != table || d->generation != r->generation) {
        slot_count(ctx->slot, COUNTER_GATHER_DEFINITION_MISSES);
        return NULL;
    }
    slot_count(ctx->slot, COUNTER_GATHER_DEFINITION_HITS);
    d->references++;
    return d;
}

static void
keep(struct context *ctx, struct definition *d)
{
    struct definition **place = place_of(ctx, d->table);

    definition_release(*place);
    d->references++;
    *place = d;
}

/* --- asking --------------------------------------------------------------- */

static void
over(struct definition_asking *a)
{
    struct definition_request *r = a->request;

    if (a->made != NULL)
        keep(a->ctx, a->made);
    if (r != NULL) {
        r->asking = NULL;
        r->ready(r, a->made, &a->error);
    } else {
        definition_release(a->made);
    }
    routes_drop(a->routes);
    free(a);
}

/* The shard's columns must be those that the plan was made for. */
static bool
is_same(const struct route_table *t, const struct gather_definition *d)
{
    if (d->n_columns != t->n_columns)
        return false;
    for (uint32_t i = 0; i < d->n_columns; i++)
        if (!span_equal_nocase(d->columns[i].name, t->columns[i].name))
            return false;
    return true;
}

static void
take_row(struct definition_asking *a, struct span row)
{
    const struct route_table *t = &a->routes->routes->tables[a->table];
    struct definition        *d = mem_alloc(sizeof(*d));
    struct cell               cells[N_CELLS];
    struct err                err = { 0 };
    bool                      ok;

    ok = row_text_decode(row, N_CELLS, cells) ? true : err_set(&err, "what it says is no row");
    if (ok) {
        struct span text = arena_copy(&d->arena, cells[1].bytes);
        ok = gather_define(&d->arena, text, &d->d, &err);
    }
    if (ok && !is_same(t, &d->d))
        ok = err_set(&err, "its columns are not those in the routes: run shardctl fsck");
    d->generation = a->routes->routes->generation;
    d->table      = a->table;
    d->references = 1;
    if (ok && a->made == NULL) {
        a->made = d;
        return;
    }
    if (!ok)
        sql_error_set(&a->error, SQL_NOT_SUPPORTED, "shardd: table %.*s cannot be gathered: %s",
                      (int)t->name.len, t->name.ptr, err.text);
    definition_release(d);
}

/* --- who refers to it ------------------------------------------------------ */

/* InnoDB tells of names as they are in its files, where only these are as they are. */
static bool
is_plain(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_')
            return false;
    }
    return true;
}

static void
referred(struct exchange *x, struct backend *b, const struct result_message *m, bool last)
{
    struct definition_asking *a = container_of(x, struct definition_asking, x);
    struct cell               cell;

    if (m->kind == RESULT_IS_ROW && row_text_decode(m->message.payload, 1, &cell))
        a->made->referenced = cell.bytes.len != 1 || cell.bytes.ptr[0] != '0';
    if (!last)
        return;
    pool_release(b);
    over(a);
}

static void on_lost(struct exchange *x, struct backend *b, const struct sql_error *why);

static const struct exchange_ops referred_ops = { .on_message = referred, .on_lost = on_lost };

/* False: that is not asked, and taken to be so. */
static bool
ask_referred(struct definition_asking *a, struct backend *b)
{
    const struct routes      *r    = a->routes->routes;
    const struct route_table *t    = &r->tables[a->table];
    struct span               db   = r->databases[t->database].name;
    struct buf                text = { 0 };

    a->made->referenced = true;
    if (!is_plain(db) || !is_plain(t->name))
        return false;
    buf_printf(&text, "SELECT COUNT(*) FROM information_schema.INNODB_SYS_FOREIGN WHERE REF_NAME = "
               "'%.*s/%.*s'", (int)db.len, db.ptr, (int)t->name.len, t->name.ptr);
    backend_send(b, COM_QUERY, buf_unread(&text), &a->x, &referred_ops);
    buf_fini(&text);
    return true;
}

static void
on_message(struct exchange *x, struct backend *b, const struct result_message *m, bool last)
{
    struct definition_asking *a = container_of(x, struct definition_asking, x);

    if (m->kind == RESULT_IS_ROW)
        take_row(a, m->message.payload);
    if (m->kind == RESULT_IS_ERR && !reply_err_decode(m->message.payload, &a->error))
        sql_error_set(&a->error, SQL_UNKNOWN_ERROR, "shardd: a shard sent an unreadable error");
    if (!last || (a->made != NULL && ask_referred(a, b)))
        return;
    pool_release(b);
    over(a);
}

static void
on_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    struct definition_asking *a = container_of(x, struct definition_asking, x);

    (void)b;
    definition_release(a->made);
    a->made  = NULL;
    a->error = *why;
    over(a);
}

static const struct exchange_ops ops = { .on_message = on_message, .on_lost = on_lost };

static void
got_backend(struct pool_waiter *w, struct backend *b, const struct sql_error *why)
{
    struct definition_asking *a    = container_of(w, struct definition_asking, waiter);
    const struct routes      *r    = a->routes->routes;
    struct buf                text = { 0 };

    if (b == NULL) {
        a->error = *why;
        over(a);
        return;
    }
    buf_append_text(&text, "SET STATEMENT sql_mode='' FOR SHOW CREATE TABLE ");
    literal_identifier(&text, r->databases[r->tables[a->table].database].name);
    buf_append_byte(&text, '.');
    literal_identifier(&text, r->tables[a->table].name);
    backend_send(b, COM_QUERY, buf_unread(&text), &a->x, &ops);
    buf_fini(&text);
}

void
definition_ask(struct context *ctx, struct routes_ref *routes, uint32_t table, uint32_t shard_id,
               struct definition_request *request)
{
    struct definition_asking *a = mem_alloc(sizeof(*a));

    a->ctx      = ctx;
    a->request  = request;
    a->table    = table;
    a->shard_id = shard_id;
    a->routes   = routes;
    a->routes->refs++;
    request->asking = a;
    sql_error_set(&a->error, SQL_UNKNOWN_ERROR, "shardd: a shard did not say how a table looks");
    a->waiter.ready   = got_backend;
    struct backend *b = pool_acquire(pool_service(ctx, shard_id), &a->waiter);
    if (b != NULL)
        got_backend(&a->waiter, b, NULL);
}

void
definition_forget(struct definition_request *request)
{
    if (request->asking != NULL)
        request->asking->request = NULL;
    request->asking = NULL;
}
