/* status.c - see status.h. */
#include "workers/query/status.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/io/tls.h"
#include "core/mysql/compress.h"

/* Counted by a server for each connection; and TLS, which is each connection's own. */
static const char *const of_connections[] = {
    "Access_denied_errors", "Binlog_", "Bytes_", "Column_", "Com_", "Created_tmp_",
    "Executed_", "Empty_queries", "Feature_", "Handler_", "Last_query_cost",
    "Max_statement_time_exceeded", "Memory_used", "Open_tables", "Opened_", "Prepared_stmt_count",
    "Queries", "Questions", "Rows_", "Select_", "Slow_", "Sort_", "Ssl_", "Syncs",
    "Table_open_cache_", "Update_scan", "Delete_scan", "Compression",
};

bool
status_counts(struct span name, bool session)
{
    for (size_t i = 0; session && i < countof(of_connections); i++) {
        size_t len = strlen(of_connections[i]);
        if (name.len >= len &&
            span_equal_nocase((struct span){ name.ptr, len }, span_of(of_connections[i])))
            return false;
    }
    return true;
}

static void
say(struct information *rows, const char *name, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    information_own(rows, name, text);
}

static uint64_t
add(const struct slots_sum *sum, enum counter first, enum counter last)
{
    uint64_t n = 0;

    for (unsigned i = first; i <= (unsigned)last; i++)
        n += sum->counter[i];
    return n;
}

static uint64_t
running(const struct slots *slots)
{
    struct client_info *info = mem_alloc(sizeof(*info));
    uint64_t            n    = 0;

    for (uint32_t w = 0; w < slots->n_workers; w++)
        for (uint32_t row = 0; row < slots->n_clients; row++)
            n += client_read(slots_at(slots, w), row, info) && info->command != 0;
    free(info);
    return n;
}

/* The client's own connection. */
static void
say_connection(const struct query_run *q, struct information *rows)
{
    const struct filter *chain = q->client->filter;
    struct tls_info      tls   = { .version = "", .cipher = "" };

    if (!tls_info(chain, &tls))
        tls = (struct tls_info){ .version = "", .cipher = "" };
    information_own(rows, "Ssl_version", tls.version);
    information_own(rows, "Ssl_cipher", tls.cipher);
    information_own(rows, "Compression", compress_in(chain) ? "ON" : "OFF");
}

/* Since the oldest worker began. */
static uint64_t
uptime_s(const struct slots *slots)
{
    uint64_t now = slots_now_ms(), first = now;

    for (uint32_t w = 0; w < slots->n_workers; w++) {
        uint64_t at = atomic_load_explicit(&slots_at(slots, w)->life.started_ms,
                                           memory_order_relaxed);
        first       = at != 0 && at < first ? at : first;
    }
    return (now - first) / 1000;
}

static void
say_statements(const struct query_run *q, struct information *rows, const struct slots_sum *sum,
               bool session)
{
    static const struct {
        const char  *name;
        enum counter counter;
    } kinds[] = {
        { "Com_select", COUNTER_STATEMENTS_SELECT },
        { "Com_insert", COUNTER_STATEMENTS_INSERT },
        { "Com_replace", COUNTER_STATEMENTS_REPLACE },
        { "Com_update", COUNTER_STATEMENTS_UPDATE },
        { "Com_delete", COUNTER_STATEMENTS_DELETE },
    };
    uint64_t all = add(sum, COUNTER_STATEMENTS_SELECT, COUNTER_STATEMENTS_OTHER);

    say(rows, "Questions", session ? q->s->statements : all);
    say(rows, "Queries", all);
    for (size_t i = 0; !session && i < countof(kinds); i++)
        say(rows, kinds[i].name, sum->counter[kinds[i].counter]);
    if (session)
        return;
    say(rows, "Bytes_received", sum->counter[COUNTER_CLIENT_BYTES_IN]);
    say(rows, "Bytes_sent", sum->counter[COUNTER_CLIENT_BYTES_OUT]);
}

void
status_own(const struct query_run *q, struct information *rows, bool session)
{
    struct slots_sum *sum = mem_alloc(sizeof(*sum));

    slots_sum(q->ctx->slots, sum);
    say_statements(q, rows, sum, session);
    say_connection(q, rows);
    say(rows, "Connections", sum->counter[COUNTER_CLIENTS_ACCEPTED]);
    say(rows, "Threads_connected", sum->counter[COUNTER_CLIENTS_OPEN]);
    say(rows, "Threads_running", running(q->ctx->slots));
    say(rows, "Uptime", uptime_s(q->ctx->slots));
    say(rows, "Uptime_since_flush_status", uptime_s(q->ctx->slots));
    say(rows, "Aborted_clients", add(sum, COUNTER_CLOSED_LOST, COUNTER_CLOSED_TIMEOUT));
    say(rows, "Aborted_connects", add(sum, COUNTER_LOGIN_FAILED_USER,
                                      COUNTER_LOGIN_FAILED_INSECURE));
    free(sum);
}
