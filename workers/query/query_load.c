/* query_load.c - LOAD DATA LOCAL INFILE into a sharded or reference table.
 *
 *   client's packets --> in --load_record()--> rows --> part of each shard --> server
 *                                               |
 *                        numbers from the sequence, a batch at a time
 *
 * One shard is asked first, with no line for it yet: what it has to say against the
 * statement comes before the client is asked for its file. The others join with their
 * first line. All of it is one transaction, so that half a file is never loaded.
 * A server that has begun to read reads on to the end of its part; a load that fails
 * ends all parts, swallows what the client still sends and then answers.
 */
#include <stdio.h>
#include <stdlib.h>

#include "workers/query/leg.h"
#include "workers/query/own_vars.h"
#include "workers/query/load.h"
#include "workers/query/txn.h"
#include "workers/query/write.h"

enum {
    WAITING_BYTES = 1 << 20,   /* of a part whose server has not asked for it yet */
    NUMBER_BYTES  = 256 << 10, /* of the file, for one question to the sequence */
    N_COUNTS      = 4,
    ERR_LOST      = 1927,      /* ER_CONNECTION_KILLED */
};

/* --- parts --------------------------------------------------------------- */

static void
part_end(struct part *p)
{
    struct backend *b = p->leg->backend;

    if (!p->open || p->ended || b == NULL)
        return;
    size_t at = packet_begin(backend_out(b));
    packet_end(backend_out(b), at, &p->seq);
    p->ended = true;
    p->full  = false;
    backend_flush(b);
    backend_infile_sent(b);
}

void
load_part_send(struct part *p)
{
    struct backend *b = p->leg->backend;

    if (!p->open || p->ended || b == NULL)
        return;
    while (buf_len(&p->out) != 0) {
        struct span bytes = buf_unread(&p->out);
        if (bytes.len > LOAD_PACKET_BYTES)
            bytes.len = LOAD_PACKET_BYTES;
        size_t at = packet_begin(backend_out(b));
        buf_append_span(backend_out(b), bytes);
        packet_end(backend_out(b), at, &p->seq);
        buf_consume(&p->out, bytes.len);
    }
    p->full = !backend_flush(b);
}

static void
finish(struct loading *l)
{
    struct query_run *q = l->q;

    if (!l->over || l->inside != 0 || (l->asked && !l->ended))
        return;
    q->answered = false; /* the server's question was, and that is over */
    write_finish(q);
}

void
load_enter(struct loading *l)
{
    l->inside++;
}

void
load_leave(struct loading *l)
{
    l->inside--;
    finish(l);
}

/* Legs without a line have nothing to do. */
static void
give_up_unused(struct loading *l)
{
    for (uint32_t i = 0; i < l->q->n_legs; i++)
        if (l->q->legs[i].state == LEG_NEW) {
            leg_over(&l->q->legs[i], NULL);
            l->q->legs[i].ok = false; /* nothing there to be undone */
        }
}

void
load_stop(struct loading *l, const struct sql_error *why)
{
    struct query_run *q = l->q;

    if (l->stopped)
        return;
    l->stopped = true;
    if (!q->failed)
        q->error = *why;
    q->failed = true;
    if (l->waiting)
        sequence_forget(&l->request);
    l->waiting = false;
    for (uint32_t i = 0; i < q->n_legs; i++) {
        buf_fini(&l->parts[i].out);
        part_end(&l->parts[i]);
    }
    buf_fini(&l->in);
    give_up_unused(l);
}

/* May the client go on? */
static void
update_full(struct loading *l)
{
    struct query_run *q    = l->q;
    bool              full = l->waiting;

    for (uint32_t i = 0; i < q->n_legs; i++) {
        const struct part *p = &l->parts[i];
        full |= p->full || (p->started && !p->open && buf_len(&p->out) > WAITING_BYTES);
    }
    bool was     = q->file_full;
    q->file_full = full && !l->stopped;
    if (was && !q->file_full && q->infile != NULL)
        q->ops->room(q);
}

void
load_part_start(struct loading *l, uint32_t shard)
{
    struct query_run *q   = l->q;
    struct leg       *leg = &q->legs[shard];
    struct sql_error  error;

    if (session_broken(q->s)) {
        sql_error_set(&error, ERR_LOST, "shardd: a connection of the transaction was lost; it is "
                      "rolled back: start it again");
        load_stop(l, &error);
        return;
    }
    l->parts[shard].started = true;
    plan_render(&q->plan->plan, &l->spec->text, &q->values, RENDER_TEXT, &leg->text, NULL);
    leg_start(leg);
}

static void
ask_client(struct loading *l, struct leg *leg)
{
    struct query_run *q   = l->q;
    struct buf       *out = stream_out(q->client);
    size_t            at  = packet_begin(out);

    buf_append_byte(out, REPLY_LOCAL_INFILE);
    buf_append_span(out, l->spec->file);
    packet_end(out, at, &q->seq);
    l->asked  = true;
    q->infile = leg;
    query_flush(q);
}

void
query_load_wanted(struct exchange *x, struct backend *b)
{
    struct leg     *leg = container_of(x, struct leg, x);
    struct loading *l   = leg->q->loading;
    struct part    *p   = &l->parts[leg->number];

    p->open = true;
    p->seq  = x->reader.next_seq;
    if (l->spec->n_variables != 0) {
        b->unclean   = true;
        b->vars_hash = 1; /* of no session */
    }
    load_enter(l);
    if (l->stopped || l->ended) {
        load_part_send(p);
        part_end(p);
    } else {
        load_part_send(p);
        if (!l->asked)
            ask_client(l, leg);
        update_full(l);
    }
    load_leave(l);
}

void
query_load_room(struct exchange *x, struct backend *b)
{
    struct leg     *leg = container_of(x, struct leg, x);
    struct loading *l   = leg->q->loading;

    (void)b;
    if (l == NULL)
        return;
    l->parts[leg->number].full = false;
    update_full(l);
}

/* Of several refusals the one that a single server would have come to first. */
static void
choose_error(struct loading *l, const struct leg *leg)
{
    const char *at  = strcasestr(leg->error.message, "row ");
    uint64_t    row = at != NULL ? strtoull(at + 4, NULL, 10) : 0;

    row = row == 0 ? UINT64_MAX : row;
    if (l->error_row != 0 && row >= l->error_row)
        return;
    l->error_row = row;
    l->q->error  = leg->error;
}

static void
leg_ended(struct leg *leg)
{
    struct loading *l = leg->q->loading;

    load_enter(l);
    l->parts[leg->number].ended = true;
    l->parts[leg->number].full  = false;
    if (!leg->ok && !l->stopped) {
        choose_error(l, leg);
        /* What the other servers say to lines that are all here may be about earlier ones. */
        if (!l->ended || leg->lost)
            load_stop(l, &leg->error);
    }
    update_full(l);
    l->inside--; /* the end comes by legs_over() */
}

static void
legs_over(struct query_run *q)
{
    q->loading->over = true;
    finish(q->loading);
}

/* --- the file ------------------------------------------------------------ */

static bool
has_enough(const struct loading *l)
{
    size_t len = buf_len(&l->in);

    if (l->ended)
        return len != 0;
    /* What is not a whole record yet is not looked at again with every byte. */
    return len >= 2 * l->tried && len > (l->spec->numbered ? NUMBER_BYTES : 0);
}

static void
end_parts(struct loading *l)
{
    for (uint32_t i = 0; i < l->q->n_legs; i++) {
        load_part_send(&l->parts[i]);
        part_end(&l->parts[i]);
    }
    give_up_unused(l);
}

/* Inside of a call of ours. */
void
load_run(struct loading *l)
{
    while (!l->stopped && !l->waiting && has_enough(l)) {
        load_take_rows(l);
        if (l->stopped)
            return;
        bool none = l->n_batch == 0;
        load_deal_rows(l);
        if (none)
            break;
    }
    if (l->ended && !l->stopped && !l->waiting)
        end_parts(l);
    update_full(l);
}

void
query_load_file(struct query_run *q, struct span packet, bool last)
{
    struct loading *l = q->loading;

    load_enter(l);
    if (last)
        l->ended = true;
    else if (!l->stopped)
        buf_append_span(&l->in, span_from(packet, PACKET_HEADER_BYTES));
    if (!l->stopped)
        load_run(l);
    load_leave(l);
}

/* --- the end ------------------------------------------------------------- */

static void
set_variable(struct loading *l, struct span name, const struct load_field *value)
{
    struct buf key = { 0 }, text = { 0 };

    buf_append_text(&key, "@");
    buf_append_span(&key, name);
    buf_append_text(&key, ",");
    buf_append_text(&text, "SET @");
    literal_identifier(&text, name);
    buf_append_text(&text, " = ");
    if (!value->present || value->null) {
        buf_append_text(&text, "NULL");
    } else {
        buf_printf(&text, "_%s", l->spec->charset);
        buf_append_hex_literal(&text, " ", value->value);
    }
    vars_set(&l->q->s->vars, buf_unread(&key), buf_unread(&text));
    buf_fini(&key);
    buf_fini(&text);
}

/* They keep what the last line had. */
static void
set_variables(struct loading *l)
{
    const struct load_spec *spec   = l->spec;
    uint32_t                n      = spec->n_variables;
    uint32_t               *wanted = arena_alloc(&l->q->arena, (n + 1) * sizeof(*wanted));
    struct load_field      *fields = arena_alloc(&l->q->arena, (n + 1) * sizeof(*fields));
    size_t                  start, used;

    for (uint32_t i = 0; i < n; i++)
        wanted[i] = spec->variables[i].column;
    if (n == 0 || buf_len(&l->last) == 0 ||
        load_record(&spec->format, buf_unread(&l->last), true, wanted, n, fields, &l->room,
                    &start, &used) != LOAD_RECORD)
        return;
    for (uint32_t i = 0; i < n; i++)
        set_variable(l, spec->variables[i].name, &fields[i]);
}

void
query_load_answer(struct query_run *q, uint64_t affected)
{
    struct loading *l                = q->loading;
    uint64_t        counts[N_COUNTS] = { 0 };
    char            text[160];

    for (uint32_t i = 0; i < q->n_legs; i++)
        if (!l->spec->reference || i == l->probe)
            query_add_counts(q->legs[i].info, counts, N_COUNTS);
    int len = snprintf(text, sizeof(text), "Records: %llu  Deleted: %llu  Skipped: %llu  "
                       "Warnings: %llu", (unsigned long long)counts[0],
                       (unsigned long long)counts[1], (unsigned long long)counts[2],
                       (unsigned long long)counts[3]);
    if (l->first_id != 0)
        q->s->last_insert_id = l->first_id;
    set_variables(l);
    query_ok(q, affected, 0, (uint32_t)counts[3],
             arena_copy(&q->arena, (struct span){ (const uint8_t *)text, (size_t)len }));
}

void
query_load_abandon(struct query_run *q)
{
    struct loading *l = q->loading;

    if (l == NULL)
        return;
    if (l->waiting)
        sequence_forget(&l->request);
    l->waiting = false;
    l->stopped = true;
}

void
query_load_free(struct query_run *q)
{
    struct loading *l = q->loading;

    if (l == NULL)
        return;
    for (uint32_t i = 0; i < q->n_legs; i++) {
        buf_fini(&l->parts[i].out);
        buf_fini(&l->parts[i].rows);
    }
    buf_fini(&l->in);
    buf_fini(&l->room);
    buf_fini(&l->last);
    free(l->rows);
    q->loading = NULL;
}

/* --- the beginning ------------------------------------------------------- */

static void
find_charset_variable(void *ctx, struct span name, struct span text)
{
    (void)text;
    *(bool *)ctx |= memmem(name.ptr, name.len, "_database", 9) != NULL;
}

static bool
refuse(struct query_run *q)
{
    const struct load_spec *spec = q->plan->plan.load;
    bool                    set  = false;

    vars_each(&q->s->vars, find_charset_variable, &set);
    if (set && spec->default_charset) {
        query_refuse(q, SQL_NOT_SUPPORTED, "shardd: character_set_database was set: name the "
                     "file's character set in the statement (CHARACTER SET ...)");
        return true;
    }
    if (spec->reference && session_commit(q->s) == COMMIT_SINGLE && q->n_legs > 1) {
        struct sql_error error;
        write_refuse_second(q, &error);
        slot_count(q->ctx->slot, COUNTER_ERRORS_SHARDD);
        query_fail(q, &error);
        return true;
    }
    return false;
}

static uint32_t
first_shard(const struct query_run *q)
{
    const struct session *s = q->s;

    if (q->plan->plan.load->reference)
        return q->plan->plan.target.home;
    for (uint32_t i = 0; s->n_held > 0 && i < q->n_legs; i++)
        if (q->legs[i].shard_id == s->held[0].shard_id)
            return i;
    return (uint32_t)(s->id % q->n_legs);
}

static void
want(struct loading *l)
{
    const struct load_spec *spec = l->spec;

    if (spec->number != ROUTES_NONE)
        l->wanted[l->n_wanted++] = spec->number;
    if (spec->key != ROUTES_NONE && spec->key != spec->number)
        l->wanted[l->n_wanted++] = spec->key;
    if (l->n_wanted == 2 && l->wanted[0] > l->wanted[1]) {
        uint32_t swap = l->wanted[0];
        l->wanted[0]  = l->wanted[1];
        l->wanted[1]  = swap;
    }
    for (uint32_t i = 0; i < l->n_wanted; i++) {
        if (l->wanted[i] == spec->number)
            l->number = &l->fields[i];
        if (l->wanted[i] == spec->key)
            l->key = &l->fields[i];
    }
}

void
query_load(struct query_run *q)
{
    const struct routes *r      = q->routes->routes;
    struct loading      *l      = arena_alloc(&q->arena, sizeof(*l));
    struct shard_set     shards = { 0 };

    for (uint32_t i = 0; i < r->n_shards; i++)
        shard_set_add(&shards, i);
    legs_make(q, &shards);
    if (refuse(q))
        return;
    slot_count(q->ctx->slot, COUNTER_ROUTE_LOAD);
    l->q       = q;
    l->spec    = q->plan->plan.load;
    l->skip    = l->spec->format.one_term ? 0 : l->spec->skip;
    l->probe   = first_shard(q);
    l->writer  = ROUTES_NONE;
    l->parts   = arena_alloc(&q->arena, q->n_legs * sizeof(*l->parts));
    q->loading = l;
    for (uint32_t i = 0; i < q->n_legs; i++)
        l->parts[i].leg = &q->legs[i];
    want(l);
    if (!q->s->in_txn)
        txn_begin_implicit(q->s);
    write_prepare(q, l->spec->reference ? l->probe : ROUTES_NONE);
    q->all_over  = legs_over;
    q->leg_ended = leg_ended;
    load_enter(l);
    load_part_start(l, l->probe);
    for (uint32_t i = 0; l->spec->reference && i < q->n_legs; i++)
        if (!l->parts[i].started && !l->stopped)
            load_part_start(l, i);
    load_leave(l);
}
