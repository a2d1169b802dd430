/* query_shardd.c - what the proxy itself answers: SHOW SHARDD ..., KILL. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/mysql/result_writer.h"
#include "core/route/explain.h"
#include "core/sql/digest.h"
#include "workers/query/processlist.h"
#include "workers/query/replica.h"
#include "workers/query/report.h"

enum { ERR_NO_SUCH_THREAD = 1094, ERR_NO_RIGHT = 1095, ERR_INTERRUPTED = 1317, ERR_KILLED = 1927 };

struct table {
    struct query_run    *q;
    struct result_writer w;
};

static void
begin(struct table *t, struct query_run *q, const struct result_column *columns, size_t n)
{
    t->q = q;
    result_writer_begin(&t->w, stream_out(q->client), &q->seq, q->s->capabilities, columns, n);
}

static void
end(struct table *t)
{
    unsigned status = session_status(t->q->s);

    if (t->q->more)
        status |= SERVER_MORE_RESULTS_EXISTS;
    result_writer_end(&t->w, (uint16_t)status, 0);
    query_flush(t->q);
    query_done(t->q);
}

static void
number(struct table *t, uint64_t n)
{
    result_writer_number(&t->w, (int64_t)n);
}

#define TEXT(name)   { name, MYSQL_TYPE_VAR_STRING, 0 }
#define NUMBER(name) { name, MYSQL_TYPE_LONGLONG, 0 }

static void
show_status(struct query_run *q)
{
    static const struct result_column columns[] = { TEXT("Variable_name"), NUMBER("Value") };
    struct slots_sum                 *sum = arena_alloc(&q->arena, sizeof(*sum));
    const struct routes              *r   = q->routes->routes;
    struct table                      t;

    slots_sum(q->ctx->slots, sum);
    begin(&t, q, columns, countof(columns));
    result_writer_text(&t.w, SPAN("generation"));
    number(&t, r->generation);
    for (int i = 0; i < COUNTERS_N; i++) {
        char name[160];
        const char *labels = counter_info[i].labels;
        snprintf(name, sizeof(name), "%s%s%s%s", counter_info[i].metric,
                 labels[0] ? "{" : "", labels, labels[0] ? "}" : "");
        result_writer_text(&t.w, span_of(name));
        number(&t, sum->counter[i]);
    }
    end(&t);
}

static const char *const states[] = { "up", "down", "draining" };

static void
show_shards(struct query_run *q)
{
    static const struct result_column columns[] = {
        TEXT("Shard"), TEXT("Host"), NUMBER("Port"), TEXT("State"), NUMBER("Ranges"),
        NUMBER("Backends"), NUMBER("Statements"), NUMBER("Errors"),
    };
    const struct routes *r = q->routes->routes;
    struct table         t;

    begin(&t, q, columns, countof(columns));
    for (uint32_t i = 0; i < r->n_shards; i++) {
        uint64_t counts[SHARD_COUNTERS_N], ranges = 0;
        for (uint32_t k = 0; k < r->n_ranges; k++)
            ranges += r->ranges[k].shard == i;
        slots_sum_shard(q->ctx->slots, r->shards[i].id, counts);
        result_writer_text(&t.w, r->shards[i].name);
        result_writer_text(&t.w, r->shards[i].host);
        number(&t, r->shards[i].port);
        result_writer_text(&t.w, span_of(states[r->shards[i].state]));
        number(&t, ranges);
        number(&t, counts[SHARD_COUNTER_OPEN]);
        number(&t, counts[SHARD_COUNTER_STATEMENTS]);
        number(&t, counts[SHARD_COUNTER_ERRORS]);
    }
    end(&t);
}

static void
show_engines(struct query_run *q)
{
    static const struct result_column columns[] = {
        TEXT("Engine"), TEXT("Host"), NUMBER("Port"), TEXT("State"), NUMBER("Backends"),
        NUMBER("Statements"), NUMBER("Errors"),
    };
    const struct routes *r = q->routes->routes;
    struct table         t;

    begin(&t, q, columns, countof(columns));
    for (uint32_t i = 0; i < r->n_engines; i++) {
        uint64_t counts[SHARD_COUNTERS_N];
        slots_sum_shard(q->ctx->slots, r->engines[i].id, counts);
        result_writer_text(&t.w, r->engines[i].name);
        result_writer_text(&t.w, r->engines[i].host);
        number(&t, r->engines[i].port);
        result_writer_text(&t.w, span_of(states[r->engines[i].state]));
        number(&t, counts[SHARD_COUNTER_OPEN]);
        number(&t, counts[SHARD_COUNTER_STATEMENTS]);
        number(&t, counts[SHARD_COUNTER_ERRORS]);
    }
    end(&t);
}

/* Others' statements are for administrators. */
static void
show_clients(struct query_run *q)
{
    static const struct result_column columns[] = {
        NUMBER("Id"), NUMBER("Worker"), TEXT("User"), TEXT("Schema"), TEXT("Command"),
        NUMBER("Time_ms"), NUMBER("Statements"), TEXT("Pinned"), TEXT("State"),
        TEXT("Statement"),
    };
    struct client_info info;
    struct table       t;
    char               pins[128];
    uint64_t           now = slots_now_ms();

    begin(&t, q, columns, countof(columns));
    for (uint32_t w = 0; w < q->ctx->slots->n_workers; w++) {
        const struct slot *slot = slots_at(q->ctx->slots, w);
        for (uint32_t row = 0; row < q->ctx->slots->n_clients; row++) {
            if (!client_read(slot, row, &info) ||
                (!q->s->admin && strcmp(info.user, q->s->user) != 0))
                continue;
            number(&t, info.id);
            number(&t, w);
            result_writer_text(&t.w, span_of(info.user));
            result_writer_text(&t.w, span_of(info.schema));
            result_writer_text(&t.w, span_of(command_name((uint8_t)info.command)));
            number(&t, now - info.since_ms);
            number(&t, info.statements);
            pins_text((uint32_t)info.state, pins, sizeof(pins));
            result_writer_text(&t.w, span_of(pins));
            result_writer_text(&t.w, span_of(processlist_state(&info)));
            result_writer_text(&t.w, span_of(info.statement));
        }
    }
    end(&t);
}

/* "s1, s2": of the participants, or of the one shard it began on. */
static void
shards_of(const struct client_info *info, const struct routes *r, struct buf *out)
{
    uint64_t n = info->n_participants;

    for (uint64_t i = 0; i < (n ? n : info->txn_shard != 0); i++) {
        uint32_t id = n ? participant_shard(info->participant[i]) : (uint32_t)info->txn_shard - 1;
        for (uint32_t k = 0; k < r->n_shards; k++)
            if (r->shards[k].id == id)
                buf_printf(out, "%s%.*s", buf_len(out) ? ", " : "", (int)r->shards[k].name.len,
                           r->shards[k].name.ptr);
    }
}

static void
show_transaction(struct table *t, uint32_t worker, const struct client_info *info)
{
    static const char *const phases[CLIENT_PHASES_N] = { "open", "prepare", "held", "commit",
                                                         "finish", "rollback" };
    uint64_t since = info->txn_ms != 0 ? info->txn_ms : info->spread_us / 1000;
    uint64_t now   = slots_now_ms();
    struct buf shards = { 0 };

    shards_of(info, t->q->routes->routes, &shards);
    number(t, info->id);
    number(t, worker);
    result_writer_text(&t->w, span_of(info->user));
    result_writer_text(&t->w, span_of(info->schema));
    number(t, now > since ? now - since : 0);
    result_writer_text(&t->w, span_of(info->phase < CLIENT_PHASES_N ? phases[info->phase] : "?"));
    result_writer_text(&t->w, buf_unread(&shards));
    number(t, info->txn_ms != 0 ? info->txn_statements : 0);
    result_writer_text(&t->w, span_of(info->statement));
    buf_fini(&shards);
}

/* Of all workers; what began with the statement that runs now is seen when it is on
 * several shards. Others' are for administrators. */
static void
show_transactions(struct query_run *q)
{
    static const struct result_column columns[] = {
        NUMBER("Id"), NUMBER("Worker"), TEXT("User"), TEXT("Schema"), NUMBER("Age_ms"),
        TEXT("Phase"), TEXT("Shards"), NUMBER("Statements"), TEXT("Statement"),
    };
    struct client_info info;
    struct table       t;

    begin(&t, q, columns, countof(columns));
    for (uint32_t w = 0; w < q->ctx->slots->n_workers; w++)
        for (uint32_t row = 0; row < q->ctx->slots->n_clients; row++)
            if (client_read(slots_at(q->ctx->slots, w), row, &info) &&
                (info.txn_ms != 0 || info.spread_us != 0) &&
                (q->s->admin || strcmp(info.user, q->s->user) == 0))
                show_transaction(&t, w, &info);
    end(&t);
}

/* "  text: SELECT ..." and why. */
static void
explain_row(void *context, unsigned depth, struct span text, struct span why)
{
    struct table *t    = context;
    struct buf    line = { 0 };

    buf_printf(&line, "%*s", (int)(2 * depth), "");
    buf_append_span(&line, text);
    result_writer_text(&t->w, buf_unread(&line));
    result_writer_text(&t->w, why);
    buf_fini(&line);
}

static void
explain_tree(struct query_run *q, const struct explain_node *node)
{
    static const struct result_column columns[] = { TEXT("Plan"), TEXT("Why") };
    struct table                      t;

    begin(&t, q, columns, countof(columns));
    explain_lines(node, explain_row, &t);
    end(&t);
}

static void
explain_document(struct query_run *q, const struct explain_node *node)
{
    static const struct result_column columns[] = { TEXT("EXPLAIN") };
    struct buf                        text = { 0 };
    struct table                      t;

    explain_json(node, &text);
    begin(&t, q, columns, countof(columns));
    result_writer_text(&t.w, buf_unread(&text));
    buf_fini(&text);
    end(&t);
}

/* Which kind of server is asked: only where there are several. */
static void
explain_server(struct query_run *q, const struct plan *plan, struct explain_node *node)
{
    const struct routes *r = q->routes->routes;
    enum consistency     c = plan->consistency;

    if (c == CONSISTENCY_UNSET)
        c = q->plan->plan.consistency; /* a comment before the statement is the whole text's */
    if (c == CONSISTENCY_UNSET)
        c = session_consistency(q->s, r);
    const char *why = replica_refuses(q->s, plan, c);

    if (r->n_replicas == 0)
        return;
    explain_add(&q->arena, node, "server", why == NULL ? "replica" : "primary");
    if (why == NULL)
        why = c == CONSISTENCY_CAUSAL
                  ? "causal: one that has all that the session has seen, else the primary"
                  : "eventual: the best one within replica_lag_ms, else the primary";
    explain_add(&q->arena, node, "server_why", why);
}

/* What the proxy would do with a statement, and why. */
static void
explain(struct query_run *q)
{
    const struct session *s       = q->s;
    struct digest         d       = { 0 };
    struct plan           plan    = { 0 };
    struct plan_values    values;
    struct plan_context   context = {
            .routes         = q->routes->routes,
            .schema         = span_of(s->schema),
            .lex            = s->lex,
            .zero_is_number = s->zero_is_number,
            .collation      = s->collation,
    };

    if (!explain_plan(&q->arena, &context, q->plan->plan.name, &d, &plan, &values)) {
        digest_fini(&d);
        query_refuse(q, SQL_NOT_SUPPORTED, "shardd: there is no statement to explain");
        return;
    }
    struct explain_node *node = explain_make(&q->arena, &plan, context.routes, &values);
    explain_server(q, &plan, node);
    if (q->plan->plan.show == SHARDD_EXPLAIN_JSON)
        explain_document(q, node);
    else
        explain_tree(q, node);
    digest_fini(&d);
}

/* --- KILL ---------------------------------------------------------------- */

static bool
knows(const struct query_run *q, uint32_t worker, uint64_t id, bool *ours)
{
    const struct slot *slot = slots_at(q->ctx->slots, worker);
    struct client_info info;

    for (uint32_t row = 0; row < q->ctx->slots->n_clients; row++)
        if (client_read(slot, row, &info) && info.id == id) {
            *ours = strcmp(info.user, q->s->user) == 0;
            return true;
        }
    return false;
}

static bool
kill_id(const struct query_run *q, uint64_t *id)
{
    const struct operand *o    = &q->plan->plan.kill_id;
    struct span           text = o->constant.bytes;

    if (o->kind == OPERAND_LITERAL) {
        const struct literal *l = &q->values.literals[o->ordinal];
        text = (struct span){ q->text.ptr + l->start, l->end - l->start };
    }
    return o->kind != OPERAND_PARAM && literal_u64(text, id);
}

static void
run_kill(struct query_run *q)
{
    uint64_t id   = 0;
    bool     ours = false;
    bool     only = q->plan->plan.kill_query;

    uint32_t worker = ROUTES_NONE;
    if (kill_id(q, &id))
        for (uint32_t w = 0; w < q->ctx->slots->n_workers && worker == ROUTES_NONE; w++)
            if (knows(q, w, id, &ours))
                worker = w;
    if (worker == ROUTES_NONE) {
        query_refuse(q, ERR_NO_SUCH_THREAD, "Unknown thread id: %llu", (unsigned long long)id);
        return;
    }
    if (!ours && !q->s->admin) {
        query_refuse(q, ERR_NO_RIGHT, "You are not owner of thread %llu", (unsigned long long)id);
        return;
    }
    if (id == q->s->id) {
        q->release = !only;
        if (only)
            query_refuse(q, ERR_INTERRUPTED, "Query execution was interrupted");
        else
            query_refuse(q, ERR_KILLED, "Connection was killed");
        return;
    }
    if (worker == q->ctx->number) {
        q->ctx->kill(q->ctx, id, only);
    } else {
        uint64_t one = 1;
        mail_post(q->ctx->slot,
                  (struct mail){ only ? MAIL_KILL_QUERY : MAIL_KILL_CONNECTION, id });
        if (write(q->ctx->pokes[worker], &one, sizeof(one)) < 0)
            slot_count(q->ctx->slot, COUNTER_ERRORS_SHARDD); /* it looks by itself in 100 ms */
    }
    query_ok(q, 0, 0, 0, (struct span){ 0 });
}

void
query_shardd(struct query_run *q)
{
    slot_count(q->ctx->slot, COUNTER_ROUTE_LOCAL);
    if (q->plan->plan.kind == PLAN_KILL) {
        run_kill(q);
        return;
    }
    switch (q->plan->plan.show) {
    case SHARDD_STATUS:  show_status(q); return;
    case SHARDD_SHARDS:  show_shards(q); return;
    case SHARDD_ENGINES: show_engines(q); return;
    case SHARDD_SERVERS: query_show_servers(q); return;
    case SHARDD_POOLS:   report_show(q, REPORT_POOLS); return;
    case SHARDD_CLIENTS: show_clients(q); return;
    case SHARDD_DIGESTS: report_show(q, REPORT_DIGESTS); return;
    case SHARDD_TRANSACTIONS: show_transactions(q); return;
    case SHARDD_EXPLAIN:
    case SHARDD_EXPLAIN_JSON: explain(q); return;
    }
}
