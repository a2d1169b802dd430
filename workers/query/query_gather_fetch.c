/* query_gather_fetch.c - what the shards are asked, and their rows as lines; see gather.h. */
#include <stdlib.h>

#include "workers/query/gather.h"
#include "workers/query/replica.h"
#include "workers/query/txn.h"

enum {
    AHEAD_BYTES  = 256 << 10, /* of lines that the engine does not take yet */
    NARROW_BYTES = 256,       /* a row of a MEMORY table; wider ones would waste most of it */
    ERR_TOO_MUCH = 1104,      /* ER_TOO_BIG_SELECT */
};

/* The session's limit is for its own answers, and a list of values stays one: made a table of it
 * would be compared by other collations. */
static const char no_limit[] = "sql_select_limit=18446744073709551615";
static const char as_list[]  = "in_predicate_conversion_threshold=0";

/* --- texts ---------------------------------------------------------------- */

/* With the primary key's columns, which nothing names, and so cannot be ambiguous. */
static void
add_order(struct source *source)
{
    struct gather_copy      *c    = &source->copy;
    const struct gather_key *key  = gather_primary(c->definition);
    uint32_t                 last = c->definition->n_columns, n = 0;
    uint32_t *columns = arena_alloc(&source->g->q->arena, (last + 1) * sizeof(*columns));

    if (key == NULL)
        return;
    for (uint32_t at = 0; at < last; at++) {
        bool wanted = false;
        for (uint32_t i = 0; i < c->n; i++)
            wanted = wanted || c->columns[i] == at;
        for (uint32_t i = 0; i < key->n; i++)
            wanted = wanted || key->columns[i] == at;
        if (wanted)
            columns[n++] = at;
    }
    c->columns = columns;
    c->n       = n;
    c->primary = true;
}

static void
describe_copy(struct source *source)
{
    const struct gather_table *t = source->table;

    source->copy = (struct gather_copy){
        .definition = &source->definition->d,
        .schema     = t->schema,
        .name       = t->name,
        .n          = t->n_columns,
        .columns    = t->columns,
        .n_keys     = t->n_keys,
        .keys       = t->keys,
        .numbered   = t->numbered,
        .number     = (uint32_t)(source - source->g->sources),
        .computes   = source->g->spec->asks_defaults,
    };
    if (source->g->spec->ordered && !t->numbered)
        add_order(source);
}

static void
put_settings(const struct gathering *g, const struct source *source, struct buf *out)
{
    bool limits = g->q->s->modes != NULL && g->q->s->modes->select_limit;
    bool joins  = source->table->n_joins != 0;

    if (!limits && !joins)
        return;
    buf_printf(out, "SET STATEMENT %s%s%s FOR ", limits ? no_limit : "",
               limits && joins ? "," : "", joins ? as_list : "");
}

static void
render_source(struct gathering *g, struct source *source, uint64_t limit)
{
    struct query_run          *q     = g->q;
    const struct gather_table *t     = source->table;
    struct buf                 text  = { 0 };
    struct bind_list           binds = { 0 };
    struct sql_template        begin = { t->conditions_end, t->from.pieces };
    struct sql_template        end   = { t->from.n - begin.n, t->from.pieces + begin.n };
    enum render_mode           mode  = query_render_mode(q);

    source->width  = gather_width(&source->copy);
    bool narrow    = source->width != 0 && source->width <= NARROW_BYTES;
    source->large  = narrow ? GATHER_MEMORY : gather_disk_engine(&source->copy);
    source->engine = source->copy.unique || source->copy.primary ? GATHER_INNODB : source->large;
    put_settings(g, source, &text);
    gather_select_text(&source->copy, &text);
    plan_render(&q->plan->plan, &begin, &q->values, mode, &text, &binds);
    source->text = arena_copy(&q->arena, buf_unread(&text));
    buf_clear(&text);
    plan_render(&q->plan->plan, &end, &q->values, mode, &text, &binds);
    source->text_end = arena_copy(&q->arena, buf_unread(&text));
    query_bind(q, &binds, limit, &source->params, &source->n_params);
    source->prepared = source->n_params != 0 && q->command == QUERY_EXECUTE;
    buf_fini(&text);
    free(binds.items);
}

bool
gather_render(struct gathering *g)
{
    const struct plan *plan   = &g->q->plan->plan;
    uint64_t           offset = 0, count = UINT64_MAX;
    struct sql_error   why;

    if (plan->has_limit && !plan_limit(plan, &g->q->values, &offset, &count, &why)) {
        gather_stop(g, &why);
        return false;
    }
    for (uint32_t i = 0; i < g->spec->n_tables; i++)
        describe_copy(&g->sources[i]);
    gather_listen(g);
    if (plan->change != NULL && !gather_plan_changes(g))
        return false;
    for (uint32_t i = 0; i < g->spec->n_tables; i++)
        render_source(g, &g->sources[i], plan_limit_sum(offset, count));
    return true;
}

/* --- flow ----------------------------------------------------------------- */

static struct way *
way_of(const struct gathering *g, const struct leg *leg)
{
    return &g->ways[leg->number];
}

/* The engine takes no more of the table whose rows come from this leg. */
static bool
must_wait(const struct gathering *g, const struct way *way)
{
    if (g->failed || way->at == way->n)
        return false;
    const struct source *source = way->fetches[way->at].source;
    return source != &g->sources[g->at] || g->full || buf_len(&source->lines) >= AHEAD_BYTES;
}

void
gather_flow(struct gathering *g)
{
    struct query_run *q = g->q;

    for (uint32_t i = 0; i < q->n_legs; i++) {
        struct leg *leg = &q->legs[i];
        if (leg->backend == NULL || leg->state != LEG_RUNNING)
            continue;
        if (must_wait(g, &g->ways[i]))
            backend_pause(leg->backend);
        else
            backend_resume(leg->backend);
    }
}

/* --- rows ----------------------------------------------------------------- */

static void
malformed(struct gathering *g, const struct source *source)
{
    struct sql_error why;

    sql_error_set(&why, SQL_UNKNOWN_ERROR, "shardd: the shards' tables %.*s differ: run shardctl "
                  "fsck", (int)source->table->name.len, source->table->name.ptr);
    gather_stop(g, &why);
}

static bool
is_beyond(struct gathering *g)
{
    const struct conf *conf = &g->q->ctx->conf;
    struct sql_error   why;

    if (g->n_rows <= conf->gather_max_rows && g->n_bytes <= conf->gather_max_bytes)
        return false;
    bool rows = g->n_rows > conf->gather_max_rows;
    slot_count(g->q->ctx->slot, rows ? COUNTER_GATHER_LIMIT_ROWS : COUNTER_GATHER_LIMIT_BYTES);
    sql_error_set(&why, ERR_TOO_MUCH, "shardd: the statement needs more than %llu %s of the shards "
                  "in one place (%s): narrow it down, or raise the setting",
                  (unsigned long long)(rows ? conf->gather_max_rows : conf->gather_max_bytes),
                  rows ? "rows" : "bytes", rows ? "gather_max_rows" : "gather_max_bytes");
    gather_stop(g, &why);
    return true;
}

static void
take_row(struct fetch *f, struct span row)
{
    struct gathering *g      = f->g;
    struct source    *source = f->source;
    size_t            before = buf_len(&source->lines);
    bool ok = f->n_got == f->line.n &&
              (source->prepared ? load_line_binary(&f->line, row, &source->lines)
                                : load_line_text(&f->line, row, &source->lines));
    ok = ok && (source->n_told == 0 || gather_note(f, row));

    if (!ok) {
        malformed(g, source);
        return;
    }
    source->n_lines++;
    g->n_rows++;
    g->n_bytes += buf_len(&source->lines) - before;
    if (is_beyond(g))
        return;
    gather_push(g);
}

static void
take_column(struct fetch *f, struct span payload)
{
    const struct gather_copy *copy = &f->source->copy;
    uint32_t                  n    = f->n_got;
    struct column            *c    = &f->columns[n < copy->n ? n : 0];

    if (n >= copy->n || !reply_column_decode(payload, f->g->q->s->capabilities, c)) {
        malformed(f->g, f->source);
        return;
    }
    bool epoch  = copy->definition->columns[copy->columns[n]].form == GATHER_EPOCH;
    f->forms[n] = (uint8_t)(epoch ? LOAD_FORM_EPOCH : load_form_of(c->type));
    f->n_got++;
}

/* --- answers -------------------------------------------------------------- */

static void
close_statement(struct fetch *f)
{
    if (f->prepared && f->leg->backend != NULL)
        backend_close_statement(f->leg->backend, f->statement);
    f->prepared = false;
}

/* A fetch is over: the leg's next one begins, or it was the last. */
static void
fetched(struct fetch *f)
{
    struct gathering *g   = f->g;
    struct leg       *leg = f->leg;
    struct way       *way = way_of(g, leg);

    close_statement(f);
    f->source->n_open--;
    way->at++;
    gather_push(g);
    if (way->at == way->n)
        leg_over(leg, NULL);
    gather_flow(g);
}

/* An error of a server that a replica's reader never wanted to hear: see query_gather.c. */
static void
gather_blame(struct leg *leg, uint16_t code)
{
    leg->q->gathering->weakly |= leg->use.server != NULL && !leg->q->gathering->failed;
    replica_blame(leg, code);
}

static void
take_error(struct fetch *f, struct span payload)
{
    struct sql_error why;

    if (!reply_err_decode(payload, &why))
        sql_error_set(&why, SQL_UNKNOWN_ERROR, "shardd: a shard sent an unreadable error");
    slot_count(f->g->q->ctx->slot, COUNTER_ERRORS_SERVER);
    gather_blame(f->leg, why.code);
    txn_translate(f->g->q, &why);
    gather_stop(f->g, &why);
}

static void
on_message(struct exchange *x, struct backend *b, const struct result_message *m, bool last)
{
    struct fetch     *f = container_of(x, struct fetch, x);
    struct gathering *g = f->g;

    (void)b;
    gather_enter(g);
    switch (m->kind) {
    case RESULT_IS_ROW:
        if (!g->failed)
            take_row(f, m->message.payload);
        break;
    case RESULT_IS_COLUMN:
        if (!g->failed)
            take_column(f, m->message.payload);
        break;
    case RESULT_IS_ERR:
        if (!g->failed)
            take_error(f, m->message.payload);
        break;
    case RESULT_IS_COUNT:
    case RESULT_IS_EOF:
    case RESULT_IS_END:
    case RESULT_IS_PROGRESS: break;
    case RESULT_IS_OK:
    case RESULT_IS_LOCAL_INFILE:
    case RESULT_IS_PREPARED:
    case RESULT_IS_PARAM:
    case RESULT_IS_TEXT:
        if (!g->failed)
            malformed(g, f->source);
        break;
    }
    /* gather_stop() may have closed it, and then the leg is over already. */
    if (last && f->leg->state != LEG_OVER)
        fetched(f);
    else if (!g->failed && must_wait(g, way_of(g, f->leg)))
        gather_flow(g);
    gather_leave(g);
}

static void
on_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    struct fetch     *f   = container_of(x, struct fetch, x);
    struct gathering *g   = f->g;
    struct leg       *leg = f->leg;

    (void)b;
    leg->backend = NULL;
    leg->lost    = true;
    if (g->q->finished || leg->state == LEG_OVER)
        return;
    for (uint32_t i = 0; i < way_of(g, leg)->n; i++) {
        gather_forget(&way_of(g, leg)->fetches[i].x);
        gather_forget(&way_of(g, leg)->fetches[i].prepare);
    }
    gather_enter(g);
    slot_count(g->q->ctx->slot, COUNTER_ERRORS_BACKEND_LOST);
    gather_blame(leg, why->code);
    gather_stop(g, why);
    if (leg->state != LEG_OVER)
        leg_over(leg, why);
    gather_leave(g);
}

static const struct exchange_ops fetch_ops = { .on_message = on_message, .on_lost = on_lost };

/* --- asking --------------------------------------------------------------- */

static void
send_fetch(struct fetch *f)
{
    struct backend      *b      = f->leg->backend;
    const struct source *source = f->source;
    struct buf           named  = { 0 };
    struct span          text   = f->text;

    slot_shard_add(b->counters, SHARD_COUNTER_STATEMENTS, 1);
    if (!f->prepared) {
        if (source->n_params != 0) {
            leg_named_text(&named, text, source->params, source->n_params);
            text = buf_unread(&named);
        }
        command_text_encode(backend_out(b), COM_QUERY, text);
        backend_expect(b, &f->x, &fetch_ops, RESULT_QUERY);
        backend_long(&f->x, text.len + 1);
        buf_fini(&named);
        return;
    }
    size_t before = buf_len(backend_out(b));
    execute_encode(backend_out(b), f->statement, CURSOR_TYPE_NO_CURSOR, source->params,
                   source->n_params);
    backend_expect(b, &f->x, &fetch_ops, RESULT_QUERY);
    backend_long(&f->x, buf_len(backend_out(b)) - before - PACKET_HEADER_BYTES);
}

/* Nothing of the leg has been sent, or all preparations are answered. */
static void
give_up(struct gathering *g, struct leg *leg)
{
    struct way      *way = way_of(g, leg);
    struct sql_error why = g->error;

    for (uint32_t i = 0; i < way->n; i++)
        close_statement(&way->fetches[i]);
    leg_over(leg, &why);
}

static void
send_all(struct gathering *g, struct leg *leg)
{
    struct way *way = way_of(g, leg);

    for (uint32_t i = 0; i < way->n; i++)
        send_fetch(&way->fetches[i]);
    backend_flush(leg->backend);
    gather_flow(g);
}

static void send_prepare(struct fetch *f);

static void
prepared(struct exchange *x, struct backend *b, struct span bytes, bool last)
{
    struct fetch     *f   = container_of(x, struct fetch, prepare);
    struct gathering *g   = f->g;
    struct leg       *leg = f->leg;
    struct sql_error  why;

    (void)bytes;
    if (!last)
        return;
    gather_enter(g);
    if (x->reader.error == 0) {
        backend_own_statement(b);
        f->prepared  = true;
        f->statement = x->reader.statement_id;
    }
    if (result_error(&x->reader, &why) && leg_may_prepare_again(leg, why.code)) {
        send_prepare(f);
    } else {
        way_of(g, leg)->n_preparing--;
        if (x->reader.error != 0) {
            gather_blame(leg, why.code);
            gather_stop(g, &why);
        }
        if (leg->state != LEG_OVER && way_of(g, leg)->n_preparing == 0)
            (g->failed ? give_up : send_all)(g, leg);
    }
    gather_leave(g);
}

static void
prepare_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    struct fetch *f = container_of(x, struct fetch, prepare);

    on_lost(&f->x, b, why);
}

static const struct exchange_ops prepare_ops = { .on_bytes = prepared, .on_lost = prepare_lost };

static void
send_prepare(struct fetch *f)
{
    struct backend *b    = f->leg->backend;
    struct span     text = f->text;

    command_text_encode(backend_out(b), COM_STMT_PREPARE, text);
    backend_expect(b, &f->prepare, &prepare_ops, RESULT_PREPARE);
    backend_long(&f->prepare, text.len + 1);
    backend_flush(b);
}

static void
leg_ready(struct leg *leg)
{
    struct gathering *g   = leg->q->gathering;
    struct way       *way = way_of(g, leg);

    gather_enter(g);
    leg->heard = true; /* of here the leg does not begin anew alone */
    for (uint32_t i = 0; i < way->n && !g->failed; i++)
        if (way->fetches[i].source->prepared) {
            way->n_preparing++;
            send_prepare(&way->fetches[i]);
        }
    if (g->failed)
        give_up(g, leg);
    else if (way->n_preparing == 0)
        send_all(g, leg);
    gather_leave(g);
}

/* A leg that failed before its fetches. */
static void
leg_ended(struct leg *leg)
{
    struct gathering *g = leg->q->gathering;

    gather_enter(g);
    if (!leg->ok) {
        struct sql_error why = leg->error;
        gather_stop(g, &why);
    }
    g->inside--; /* the end comes by all_over() */
}

static struct span
text_of(const struct source *source, uint32_t shard)
{
    struct buf  text = { 0 };
    struct span copied;

    buf_append_span(&text, source->text);
    gather_conditions(source, shard, &text);
    buf_append_span(&text, source->text_end);
    copied = arena_copy(&source->g->q->arena, buf_unread(&text));
    buf_fini(&text);
    return copied;
}

static void
init_fetch(struct gathering *g, struct fetch *f, struct leg *leg, struct source *source)
{
    struct arena *arena = &g->q->arena;
    uint32_t      n     = source->copy.n;

    *f = (struct fetch){ .g = g, .leg = leg, .source = source,
                         .text = text_of(source, leg->shard) };
    f->forms   = arena_alloc(arena, n * sizeof(*f->forms));
    f->columns = arena_alloc(arena, n * sizeof(*f->columns));
    f->line    = (struct load_line){
           .n       = n,
           .forms   = f->forms,
           .columns = f->columns,
           .cells   = arena_alloc(arena, n * sizeof(struct cell)),
    };
    source->n_open++;
}

static void
make_way(struct gathering *g, struct way *way, struct leg *leg)
{
    way->fetches = arena_alloc(&g->q->arena, g->spec->n_tables * sizeof(*way->fetches));
    for (uint32_t i = 0; i < g->spec->n_tables; i++)
        if (g->sources[i].table->wave == g->wave &&
            shard_set_has(&g->sources[i].shards, leg->shard))
            init_fetch(g, &way->fetches[way->n++], leg, &g->sources[i]);
}

void
gather_fetch(struct gathering *g)
{
    struct query_run *q    = g->q;
    struct shard_set  all  = { 0 };

    for (uint32_t i = 0; i < g->spec->n_tables; i++) {
        struct source *source = &g->sources[i];
        if (source->table->wave != g->wave)
            continue;
        source->begun = true;
        gather_narrow(source);
        for (uint32_t s = source->shards.first; s != ROUTES_NONE;
             s          = shard_set_next(&source->shards, s + 1))
            shard_set_add(&all, s);
    }
    legs_make(q, &all);
    q->leg_ready = leg_ready;
    q->leg_ended = leg_ended;
    g->ways      = arena_alloc(&q->arena, q->n_legs * sizeof(*g->ways));
    for (uint32_t i = 0; i < q->n_legs; i++)
        make_way(g, &g->ways[i], &q->legs[i]);
    if (g->wave == 0)
        gather_fill(g);
    for (uint32_t i = 0; i < q->n_legs; i++) {
        struct leg *leg = &q->legs[i];
        if (leg->state != LEG_NEW)
            continue;
        if (q->consistency != CONSISTENCY_UNSET)
            replica_start(leg);
        else
            leg_start(leg);
    }
}
