/* query_insert.c - INSERT and REPLACE ... VALUES into a sharded table.
 *
 *   rows --> which want numbers --> numbers from the sequence --> shard of each row
 *        --> one shard, nothing to inject: the original text is relayed
 *        --> else a text per shard, in one transaction
 */
#include <stdlib.h>

#include "workers/query/heat.h"
#include "workers/query/leg.h"
#include "workers/query/park.h"
#include "workers/query/sequence.h"
#include "workers/query/write.h"

enum {
    ERR_DUPLICATE = 1062, /* ER_DUP_ENTRY */
    ERR_DEADLOCK  = 1213,
};

struct inserting {
    struct sequence_request request;
    struct query_run           *q;
    uint64_t               *number;     /* [n_rows) */
    bool                   *has_number; /* [n_rows) */
    uint32_t               *shard;      /* [n_rows) */
    uint64_t                first_number;
    bool                    waiting;
    bool                    again;      /* with other numbers than at first */
};

static const struct insert_spec *
spec_of(const struct query_run *q)
{
    return q->plan->plan.insert;
}

/* --- texts --------------------------------------------------------------- */

static void
render(struct leg *leg)
{
    struct query_run           *q     = leg->q;
    const struct inserting *ins   = q->inserting;
    uint32_t                total = spec_of(q)->n_rows, n = 0;
    uint32_t               *rows  = arena_alloc(&q->arena, total * sizeof(*rows));
    uint64_t               *numbers = arena_alloc(&q->arena, total * sizeof(*numbers));
    bool                   *has     = arena_alloc(&q->arena, total * sizeof(*has));
    struct bind_list        binds   = { 0 };

    for (uint32_t row = 0; row < total; row++)
        if (ins->shard[row] == leg->shard) {
            rows[n]    = row;
            numbers[n] = ins->number[row];
            has[n]     = ins->has_number[row];
            n++;
        }
    leg->n_rows = n;
    insert_render(&q->plan->plan, &q->values,
                  query_render_mode(q), rows, n, numbers, has, &leg->text, &binds);
    if (query_render_mode(q) == RENDER_PREPARE)
        query_bind(q, &binds, 0, &leg->params, &leg->n_params);
    free(binds.items);
}

bool
query_is_numbered(const struct query_run *q, uint64_t id, uint64_t affected, bool from_sequence)
{
    const struct plan *plan = q->plan != NULL ? &q->plan->plan : NULL;

    if (id == 0)
        return false;
    if (plan == NULL || from_sequence || plan->needs_last_insert_id)
        return true;
    if (plan->kind == PLAN_INSERT || (plan->upserts_one && affected != 1) ||
        (plan->asks_insert_id && plan->selects_into_table)) /* its server is asked */
        return false;
    return !insert_brings_numbers(plan, &q->values);
}

uint32_t
query_insert_row(const struct leg *leg, uint32_t row)
{
    const struct query_run *q   = leg->q;
    const struct inserting *ins = q->inserting;

    for (uint32_t i = 0; ins != NULL && i < spec_of(q)->n_rows; i++)
        if (ins->shard[i] == leg->shard && --row == 0)
            return i + 1;
    return 0;
}

uint32_t
query_insert_leg(const struct query_run *q, uint32_t row)
{
    uint32_t i = 0;

    while (q->legs[i].shard != q->inserting->shard[row])
        i++;
    return i;
}

/* --- reference tables: the home copy numbers, the others are told ---------- */

bool
query_insert_copies(const struct query_run *q, bool *numbered, struct sql_error *error)
{
    const struct insert_spec *spec = spec_of(q);
    uint32_t                  n    = 0;

    for (uint32_t row = 0; row < spec->n_rows; row++) {
        enum insert_number kind;
        uint64_t           value;
        if (!insert_inspect(&q->plan->plan, q->routes->routes, &q->values, row, &kind, &value,
                            error))
            return false;
        n += kind == INSERT_NUMBER;
    }
    *numbered = n > 0;
    if (n == 0 || spec->n_rows == 1 || (n == spec->n_rows && !spec->overwrites))
        return true;
    return sql_error_set(error, SQL_NOT_SUPPORTED,
                         "shardd: give the AUTO_INCREMENT column of the reference table '%.*s' "
                         "in every row, or insert its rows one by one",
                         (int)q->routes->routes->tables[spec->table].name.len,
                         (const char *)q->routes->routes->tables[spec->table].name.ptr);
}

void
query_insert_copy(struct query_run *q, struct leg *leg, uint64_t number, uint64_t step)
{
    const struct insert_spec *spec    = spec_of(q);
    uint32_t                 *rows    = arena_alloc(&q->arena, spec->n_rows * sizeof(*rows));
    uint64_t                 *numbers = arena_alloc(&q->arena, spec->n_rows * sizeof(*numbers));
    struct bind_list          binds   = { 0 };

    for (uint32_t i = 0; i < spec->n_rows; i++) {
        rows[i]    = i;
        numbers[i] = number + i * step;
    }
    insert_render(&q->plan->plan, &q->values,
                  query_render_mode(q), rows, spec->n_rows, numbers, NULL, &leg->text, &binds);
    if (query_render_mode(q) == RENDER_PREPARE)
        query_bind(q, &binds, 0, &leg->params, &leg->n_params);
    free(binds.items);
}

/* --- shards -------------------------------------------------------------- */

static bool
place_rows(struct query_run *q, struct shard_set *shards, struct sql_error *error)
{
    struct inserting *ins = q->inserting;

    for (uint32_t row = 0; row < spec_of(q)->n_rows; row++) {
        if (!insert_shard(&q->plan->plan, q->routes->routes, &q->values, row,
                          ins->has_number[row], ins->number[row], &ins->shard[row], error))
            return false;
        shard_set_add(shards, ins->shard[row]);
    }
    return true;
}

/* A value would not be stored as it is written: a server says what becomes of it, or why not. */
static void
undecided(struct query_run *q, const struct sql_error *error)
{
    if (error->code == SQL_NOT_SUPPORTED && q->ops->elsewhere != NULL && !q->elsewhere &&
        q->routes->routes->n_engines > 0) {
        q->inserting = NULL;
        q->elsewhere = true;
        q->ops->elsewhere(q);
        return;
    }
    slot_count(q->ctx->slot, COUNTER_ROUTE_REFUSED);
    query_fail(q, error);
}

/* The keys are known only now. */
static bool
waits_for_move(struct query_run *q, const struct shard_set *shards)
{
    const struct routes *r      = q->routes->routes;
    struct inserting    *ins    = q->inserting;
    uint32_t             n_rows = spec_of(q)->n_rows;
    struct sql_error     ignored;

    if (!r->fenced && r->eases == 0)
        return false;
    uint64_t *hashes = arena_alloc(&q->arena, n_rows * sizeof(*hashes));
    for (uint32_t row = 0; row < n_rows; row++)
        if (!insert_hash(&q->plan->plan, r, &q->values, row, ins->has_number[row],
                         ins->number[row], &hashes[row], &ignored))
            return false;
    return park_if_rows_fenced(q, hashes, n_rows, shards);
}

static void
run(struct query_run *q)
{
    struct inserting *ins    = q->inserting;
    struct shard_set  shards = { 0 };
    struct sql_error  error;

    q->values.watch = heat_watch(q);
    bool placed     = place_rows(q, &shards, &error);
    q->values.watch = NULL;
    if (!placed) {
        undecided(q, &error);
        return;
    }
    if (waits_for_move(q, &shards))
        return;
    if (shards.n == 1 && ins->first_number == 0) {
        slot_count(q->ctx->slot, COUNTER_ROUTE_ONE);
        query_relay(q, shards.first);
        return;
    }
    slot_count(q->ctx->slot, shards.n == 1 ? COUNTER_ROUTE_ONE : COUNTER_ROUTE_INSERT_SPLIT);
    legs_make(q, &shards);
    for (uint32_t i = 0; i < q->n_legs; i++)
        render(&q->legs[i]);
    write_run(q, ROUTES_NONE, ins->first_number);
}

/* REPLACE, IGNORE, ON DUPLICATE KEY UPDATE: a number that exists is no error. */
static bool
overwrites(const struct insert_spec *spec, struct lex_options options)
{
    struct lex   l;
    struct token t;

    if (spec->tail.n != 0)
        return true;
    lex_init(&l, spec->header.pieces[0].text, options);
    while ((t = lex_next(&l)).kind == TOK_KEYWORD && t.keyword != KW_INTO)
        if (t.keyword == KW_REPLACE || t.keyword == KW_IGNORE)
            return true;
    return false;
}

/* --- numbers ------------------------------------------------------------- */

static void
got_numbers(struct sequence_request *r, uint64_t first, const struct sql_error *error)
{
    struct inserting *ins = container_of(r, struct inserting, request);
    struct query_run     *q   = ins->q;

    ins->waiting = false;
    if (error != NULL) {
        query_fail(q, error);
        return;
    }
    if (r->count != 0)
        ins->first_number = first;
    for (uint32_t row = 0; row < spec_of(q)->n_rows; row++)
        if (ins->has_number[row])
            ins->number[row] = first++;
    run(q);
}

static bool
inspect_rows(struct query_run *q, struct sql_error *error)
{
    struct inserting *ins = q->inserting;

    for (uint32_t row = 0; row < spec_of(q)->n_rows; row++) {
        enum insert_number kind;
        uint64_t           value = 0;
        if (!insert_inspect(&q->plan->plan, q->routes->routes, &q->values, row, &kind, &value,
                            error))
            return false;
        if (kind == INSERT_NUMBER) {
            ins->has_number[row] = true;
            ins->request.count++;
        }
        if (kind == INSERT_RAISES && value > ins->request.above)
            ins->request.above = value;
    }
    return true;
}

void
query_insert(struct query_run *q)
{
    const struct insert_spec *spec  = spec_of(q);
    const struct routes      *r     = q->routes->routes;
    const struct route_table *table = &r->tables[spec->table];
    struct inserting         *ins   = arena_alloc(&q->arena, sizeof(*ins));
    struct sql_error          error;

    ins->q          = q;
    ins->number     = arena_alloc(&q->arena, spec->n_rows * sizeof(*ins->number));
    ins->has_number = arena_alloc(&q->arena, spec->n_rows * sizeof(*ins->has_number));
    ins->shard      = arena_alloc(&q->arena, spec->n_rows * sizeof(*ins->shard));
    q->inserting    = ins;
    if (!spec->numbered) {
        run(q);
        return;
    }
    if (!inspect_rows(q, &error)) {
        undecided(q, &error);
        return;
    }
    if (ins->request.count == 0 && ins->request.above == 0) {
        run(q);
        return;
    }
    if (ins->request.count != 0 && vars_set_insert_id(&q->s->vars)) {
        query_refuse(q, SQL_NOT_SUPPORTED, "shardd: insert_id is set, and the numbers of a sharded "
                     "table are its sequence's: give the value in the row, or SET insert_id = 0");
        return;
    }
    ins->request.sequence = table->sequence;
    ins->request.shard_id = r->shards[r->databases[table->database].home].id;
    ins->request.ready    = got_numbers;
    ins->request.fresh    = overwrites(spec, q->s->lex);
    /* The sequence may move with its shard's tables. */
    if (r->shards[r->databases[table->database].home].fenced && !park_is_old(q->s, r) &&
        !sequence_in_hand(q->ctx, &ins->request)) {
        park(q);
        return;
    }
    ins->waiting          = true;
    sequence_ask(q->ctx, &ins->request);
}

/* The number behind the last " at row " of a message that ends with it; 0: none. */
static uint32_t
row_said(const char *message)
{
    static const char words[] = " at row ";
    const char       *at = NULL;
    char             *end;

    for (const char *p = message; (p = strstr(p, words)) != NULL; p++)
        at = p + sizeof(words) - 1;
    if (at == NULL)
        return 0;
    unsigned long row = strtoul(at, &end, 10);
    return *end == '\0' && row <= UINT32_MAX ? (uint32_t)row : 0;
}

/* The row, from 0, at which this shard stopped; its first one when nothing tells. */
static uint32_t
failed_row(const struct leg *leg)
{
    const struct query_run *q       = leg->q;
    const struct inserting *ins     = q->inserting;
    static const char       words[] = "Duplicate entry '";
    uint32_t                first   = UINT32_MAX, said = row_said(leg->error.message);
    struct span             entry   = { .ptr = NULL };

    if (said != 0)
        return said - 1;
    if (leg->error.code == ERR_DUPLICATE &&
        strncmp(leg->error.message, words, sizeof(words) - 1) == 0) {
        entry     = span_of(leg->error.message + sizeof(words) - 1);
        entry.len = strcspn((const char *)entry.ptr, "'");
    }
    for (uint32_t row = 0; row < spec_of(q)->n_rows; row++) {
        if (ins->shard[row] != leg->shard)
            continue;
        if (entry.ptr != NULL &&
            insert_begins(&q->plan->plan, &q->values, row, ins->has_number[row],
                          ins->number[row], entry))
            return row;
        if (first == UINT32_MAX)
            first = row;
    }
    return first;
}

void
query_insert_first_error(struct query_run *q)
{
    uint32_t best = UINT32_MAX;

    for (uint32_t i = 0; i < q->n_legs; i++) {
        const struct leg *leg = &q->legs[i];
        if (!leg->ok && (leg->lost || leg->error.code == ERR_DEADLOCK))
            return; /* that decides what becomes of the transaction */
    }
    for (uint32_t i = 0; i < q->n_legs; i++) {
        const struct leg *leg = &q->legs[i];
        uint32_t          row = leg->ok ? UINT32_MAX : failed_row(leg);
        if (row < best) {
            best     = row;
            q->error = leg->error;
        }
    }
}

/* "Duplicate entry '20' for key 'PRIMARY'": a number of ours? */
static bool
is_our_number(const struct query_run *q)
{
    const struct inserting *ins    = q->inserting;
    static const char       words[] = "Duplicate entry '";

    if (q->error.code != ERR_DUPLICATE ||
        strncmp(q->error.message, words, sizeof(words) - 1) != 0)
        return false;
    uint64_t number = strtoull(q->error.message + sizeof(words) - 1, NULL, 10);
    return number >= ins->first_number && number < ins->first_number + ins->request.count;
}

bool
query_insert_again(struct query_run *q)
{
    struct inserting *ins = q->inserting;

    if (ins == NULL || ins->again || ins->first_number == 0 || !is_our_number(q))
        return false;
    ins->again         = true;
    ins->waiting       = true;
    ins->request.above = 0;
    q->failed          = false;
    sequence_drop_block(q->ctx, ins->request.sequence);
    sequence_ask(q->ctx, &ins->request);
    return true;
}

void
query_insert_abandon(struct query_run *q)
{
    if (q->inserting != NULL && q->inserting->waiting)
        sequence_forget(&q->inserting->request);
}
