/* own_tables.c - see own_tables.h. */
#include "workers/query/own_tables.h"

#include "core/base/memory.h"
#include "core/mysql/literal.h"
#include "core/mysql/row.h"
#include "core/route/gather.h"
#include "core/route/own_table.h"
#include "workers/query/leg.h"
#include "workers/query/txn.h"

enum { N_CELLS = 2 };

struct asked {
    struct span name, create; /* in the query's arena; create: empty: it is not there */
    uint32_t    database, shard;
    bool        said;
};

struct owning {
    struct asked    *tables;
    uint32_t         n;
    uint32_t        *at; /* [q->n_legs): each leg's table */
    struct sql_error error;
    void           (*otherwise)(struct query_run *q);
};

/* --- behind the answers ----------------------------------------------------- */

/* What was read in another character set may be anything beyond ASCII. */
static bool
is_readable(const struct query_run *q, struct span text)
{
    const struct session *s = q->s;
    bool utf8 = s->lex.charset == LEX_UTF8 &&
                (s->modes == NULL || strncmp(s->modes->results, "utf8", 4) == 0);

    return utf8 || span_is_ascii(text);
}

static bool
read_table(struct query_run *q, struct routes_ref *ref, const struct asked *a, uint32_t n,
           struct route_table *out)
{
    struct span create = arena_copy(&ref->arena, a->create);
    struct span name   = arena_copy(&ref->arena, a->name);
    struct err  err    = { .text = "its definition has letters beyond ASCII: use "
                                   "character_set_client=utf8mb4" };

    ((struct span *)(uintptr_t)ref->own)[n] = create;
    if (is_readable(q, create) && own_table_read(&ref->arena, create, name, a->database, out, &err))
        return true;
    sql_error_set(&q->owning->error, SQL_NOT_SUPPORTED, "shardd: the temporary table '%.*s' cannot "
                  "be used beside rows of several shards: %s", (int)name.len, name.ptr, err.text);
    return false;
}

/* NULL: none was there, or q->owning->error. */
static struct routes_ref *
make_routes(struct query_run *q)
{
    struct owning      *o      = q->owning;
    struct routes_ref  *ref    = mem_alloc(sizeof(*ref));
    struct route_table *tables = arena_alloc(&q->arena, o->n * sizeof(*tables));
    uint32_t            n      = 0;

    ref->refs = 1;
    ref->base = q->routes;
    ref->base->refs++;
    ref->own = arena_alloc(&ref->arena, o->n * sizeof(*ref->own));
    for (uint32_t i = 0; i < o->n && o->error.code == 0; i++)
        if (o->tables[i].create.len != 0 && read_table(q, ref, &o->tables[i], n, &tables[n]))
            n++;
    ref->routes = own_routes_make(&ref->arena, q->routes->routes, tables, n);
    if (n != 0 && o->error.code == 0)
        return ref;
    routes_drop(ref);
    return NULL;
}

static void
settled(struct query_run *q)
{
    struct owning *o = q->owning;

    if (q->failed) {
        query_fail(q, &q->error);
        return;
    }
    struct routes_ref *ref = make_routes(q);
    if (o->error.code != 0) {
        query_fail(q, &o->error);
        return;
    }
    q->n_legs = q->n_over = 0;
    if (ref == NULL) {
        o->otherwise(q);
        return;
    }
    routes_drop(q->routes);
    plan_ref_release(q->plan);
    q->routes = ref;
    q->plan   = NULL;
    q->ops->owned(q);
}

static void
all_over(struct query_run *q)
{
    txn_settle(q, q->failed ? q->error.code : 0, settled);
}

/* --- asking ----------------------------------------------------------------- */

static void ask_next(struct leg *leg);

static void
on_message(struct exchange *x, struct backend *b, const struct result_message *m, bool last)
{
    struct leg   *leg = container_of(x, struct leg, x);
    struct owning *o  = leg->q->owning;
    struct asked *a   = &o->tables[o->at[leg->number]];
    struct cell   cells[N_CELLS];

    (void)b;
    if (m->kind == RESULT_IS_ROW && row_text_decode(m->message.payload, N_CELLS, cells))
        a->create = arena_copy(&leg->q->arena, cells[1].bytes);
    if (last)
        ask_next(leg);
}

static const struct exchange_ops ops = { .on_message = on_message, .on_lost = leg_lost };

/* The server's error for a table that is not there is no error of the statement. */
static void
ask_next(struct leg *leg)
{
    struct query_run *q = leg->q;
    struct owning    *o = q->owning;
    uint32_t          i = 0;
    struct buf        text = { 0 };

    while (i < o->n && (o->tables[i].shard != leg->shard || o->tables[i].said))
        i++;
    if (i == o->n) {
        leg_over(leg, NULL);
        return;
    }
    struct asked *a     = &o->tables[i];
    a->said             = true;
    o->at[leg->number]  = i;
    buf_append_text(&text, "SET STATEMENT sql_mode='' FOR SHOW CREATE TABLE ");
    literal_identifier(&text, q->routes->routes->databases[a->database].name);
    buf_append_byte(&text, '.');
    literal_identifier(&text, a->name);
    backend_send(leg->backend, COM_QUERY, buf_unread(&text), &leg->x, &ops);
    buf_fini(&text);
}

/* --- which ------------------------------------------------------------------ */

/* One of the text that hides a table of the routes stays what it is: refused. */
static bool
note_table(struct query_run *q, struct owning *o, struct span full)
{
    const struct routes *r   = q->routes->routes;
    const uint8_t       *dot = memchr(full.ptr, '.', full.len);
    size_t               at  = dot == NULL ? full.len : (size_t)(dot - full.ptr);
    uint32_t             database = routes_database(r, (struct span){ full.ptr, at });

    if (dot == NULL || database == ROUTES_NONE)
        return true;
    struct span name = arena_copy(&q->arena, span_from(full, at + 1));
    if (routes_table(r, database, name) != ROUTES_NONE)
        return false;
    o->tables[o->n++] = (struct asked){ .name = name, .database = database,
                                        .shard = r->databases[database].home };
    return true;
}

static bool
find_tables(struct query_run *q, struct owning *o)
{
    struct span list = buf_unread(&q->s->pins.tables), full;
    uint32_t    n    = 0;

    while (uservars_next(&list, &full))
        n++;
    o->tables = arena_alloc(&q->arena, (n + 1) * sizeof(*o->tables));
    list      = buf_unread(&q->s->pins.tables);
    for (struct span rest = list; uservars_next(&rest, &full); list = rest) {
        struct span one = { list.ptr, list.len - rest.len };
        if (pins_any_named(one, q->text, q->s->lex) && !note_table(q, o, full))
            return false;
    }
    return o->n != 0;
}

bool
own_tables_ask(struct query_run *q, void (*otherwise)(struct query_run *q))
{
    const struct session *s      = q->s;
    struct shard_set      shards = { 0 };

    if (q->owning != NULL || q->ops->owned == NULL || !pins_has(&s->pins, PIN_TEMPORARY_TABLE) ||
        q->routes->routes->n_engines == 0 || session_broken(s))
        return false;
    struct owning *o = arena_alloc(&q->arena, sizeof(*o));
    if (!find_tables(q, o))
        return false;
    for (uint32_t i = 0; i < o->n; i++)
        shard_set_add(&shards, o->tables[i].shard);
    o->at        = arena_alloc(&q->arena, shards.n * sizeof(*o->at));
    o->otherwise = otherwise;
    q->owning    = o;
    q->leg_ready = ask_next;
    q->all_over  = all_over;
    legs_make(q, &shards);
    for (uint32_t i = 0; i < q->n_legs; i++)
        leg_start(&q->legs[i]);
    return true;
}

bool
own_tables_refuse(struct query_run *q)
{
    if (q->plan->plan.fill == NULL || q->fills)
        return false;
    query_refuse(q, SQL_NOT_SUPPORTED, "shardd: CREATE TEMPORARY TABLE from rows of several "
                 "shards is not supported here: make the table, then use INSERT ... SELECT");
    return true;
}

bool
own_tables_alone(const struct query_run *q)
{
    const struct change_spec *change = q->plan->plan.change;
    bool                      alone  = true;

    for (uint32_t i = 0; i < change->n_targets; i++)
        alone = alone && own_table_is(q->routes->routes,
                                      q->plan->plan.gather->tables[change->targets[i].at].table);
    return alone;
}

struct definition *
own_tables_definition(const struct query_run *q, uint32_t table)
{
    const struct routes_ref *ref = q->routes;
    struct definition       *d   = mem_alloc(sizeof(*d));
    struct err               err;

    struct span create = arena_copy(&d->arena, ref->own[table - ref->routes->n_tables]);
    (void)!gather_define(&d->arena, create, &d->d, &err); /* it was read before */
    d->generation = ref->routes->generation;
    d->table      = table;
    d->references = 1;
    return d;
}
