/* query_servers.c - SHOW SHARDD SERVERS: the replicas as all workers see them. */
#include "core/base/clock.h"
#include "core/mysql/result_writer.h"
#include "workers/query/query.h"

static void
number(struct result_writer *w, uint64_t n)
{
    result_writer_number(w, (int64_t)n);
}

static void
number_or_null(struct result_writer *w, uint64_t n, bool known)
{
    if (known)
        number(w, n);
    else
        result_writer_null(w);
}

static uint64_t
since_ms(uint64_t us, uint64_t now_us)
{
    return now_us > us ? (now_us - us) / 1000 : 0;
}

/* Nothing, when it had all there was: also of a primary that does nothing. */
static uint64_t
lag_ms(const struct server_sum *sum, uint64_t now_us)
{
    return sum->behind == 0 ? 0 : since_ms(sum->covers_us, now_us);
}

static void
show_one(struct query_run *q, struct result_writer *w, const struct route_replica *replica)
{
    static const char *const states[] = { "serving", "draining", "disabled" };
    static const char *const probes[] = { "well", "no connection", "no login", "no answer" };
    const struct routes     *r        = q->routes->routes;
    uint64_t                 now_us   = clock_us();
    struct server_sum        sum;

    slots_sum_server(q->ctx->slots, replica->id, &sum);
    result_writer_text(w, replica->name);
    result_writer_text(w, r->shards[replica->shard].name);
    result_writer_text(w, replica->host);
    number(w, replica->port);
    result_writer_text(w, span_of(states[replica->state]));
    result_writer_text(w, replica->zone);
    number(w, replica->weight);
    number(w, sum.score);
    result_writer_text(w, sum.n_open != 0        ? SPAN("open")
                          : sum.n_half_open != 0 ? SPAN("half-open") : SPAN("closed"));
    number_or_null(w, lag_ms(&sum, now_us), sum.covers_us != 0);
    number(w, sum.latency_us);
    number(w, sum.outstanding);
    number(w, sum.reads);
    number(w, sum.errors);
    number(w, sum.opened);
    number_or_null(w, since_ms(sum.covers_us, now_us), sum.covers_us != 0);
    number_or_null(w, sum.behind, sum.covers_us != 0);
    result_writer_text(w, span_of(probes[sum.stage]));
    number_or_null(w, since_ms(sum.heard_us, now_us), sum.heard_us != 0);
}

#define TEXT(name)   { name, MYSQL_TYPE_VAR_STRING, 0 }
#define NUMBER(name) { name, MYSQL_TYPE_LONGLONG, 0 }

void
query_show_servers(struct query_run *q)
{
    static const struct result_column columns[] = {
        TEXT("Server"), TEXT("Shard"), TEXT("Host"), NUMBER("Port"), TEXT("State"), TEXT("Zone"),
        NUMBER("Weight"), NUMBER("Score"), TEXT("Breaker"), NUMBER("Lag_ms"),
        NUMBER("Latency_us"), NUMBER("Outstanding"), NUMBER("Reads"), NUMBER("Errors"),
        NUMBER("Opened"), NUMBER("Fresh_ms"), NUMBER("Behind"), TEXT("Probe"),
        NUMBER("Heard_ms"),
    };
    const struct routes *r      = q->routes->routes;
    unsigned             status = session_status(q->s);
    struct result_writer w;

    result_writer_begin(&w, stream_out(q->client), &q->seq, q->s->capabilities, columns,
                        countof(columns));
    for (uint32_t i = 0; i < r->n_replicas; i++)
        show_one(q, &w, &r->replicas[i]);
    if (q->more)
        status |= SERVER_MORE_RESULTS_EXISTS;
    result_writer_end(&w, (uint16_t)status, 0);
    query_flush(q);
    query_done(q);
}
