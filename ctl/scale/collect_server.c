/* collect_server.c - what a server says of itself: connections, threads, buffer pool. By one
 * connection that stays, because logging in costs more than the answer. */
#include <stdlib.h>

#include "core/base/memory.h"
#include "ctl/scale/collect.h"

struct state {
    struct server server;
    double        reads, requests; /* of the buffer pool, at the last look; NAN: none */
};

static void
end(void *state)
{
    struct state *s = state;

    server_close(&s->server);
    free(s);
}

/* The values by name, as the server's words are. */
struct status {
    double connected, running, pages, pages_free, reads, requests, max_connections;
};

static void
take(void *context, MYSQL_ROW row, const unsigned long *lengths)
{
    struct status *s = context;
    const struct {
        const char *name;
        double     *to;
    } words[] = {
        { "Threads_connected", &s->connected },
        { "Threads_running", &s->running },
        { "Innodb_buffer_pool_pages_total", &s->pages },
        { "Innodb_buffer_pool_pages_free", &s->pages_free },
        { "Innodb_buffer_pool_reads", &s->reads },
        { "Innodb_buffer_pool_read_requests", &s->requests },
        { "max_connections", &s->max_connections },
    };

    (void)lengths;
    for (size_t i = 0; row[0] && row[1] && i < countof(words); i++)
        if (strcasecmp(row[0], words[i].name) == 0)
            *words[i].to = strtod(row[1], NULL);
}

static bool
ask(struct state *s, const json_t *shard, struct status *out, struct sql_error *error)
{
    if (!s->server.mysql) {
        s->server.answer_s = COLLECT_DEADLINE_S;
        if (!server_open(&s->server, shard, error))
            return false;
    }
    return server_each(&s->server, take, out, error,
                       "SHOW GLOBAL STATUS WHERE Variable_name IN ('Threads_connected',"
                       " 'Threads_running', 'Innodb_buffer_pool_pages_total',"
                       " 'Innodb_buffer_pool_pages_free', 'Innodb_buffer_pool_reads',"
                       " 'Innodb_buffer_pool_read_requests')") &&
           server_each(&s->server, take, out, error,
                       "SELECT 'max_connections', @@GLOBAL.max_connections");
}

static bool
run(const struct collect_about *about, void **state, struct shard_load *out, struct err *err)
{
    struct status    now = { NAN, NAN, NAN, NAN, NAN, NAN, NAN };
    struct sql_error error;
    struct state    *s = *state;

    if (!s) {
        *state = s = mem_alloc(sizeof(*s));
        s->reads = s->requests = NAN;
    }
    if (!ask(s, about->shard, &now, &error)) {
        server_close(&s->server);
        return err_set(err, "%s", error.message);
    }
    out->threads_connected = now.connected;
    out->threads_running   = now.running;
    out->max_connections   = now.max_connections;
    if (now.pages > 0)
        out->buffer_pool = 1 - now.pages_free / now.pages;
    if (now.requests > s->requests && now.reads >= s->reads)
        out->buffer_pool_miss = (now.reads - s->reads) / (now.requests - s->requests);
    s->reads    = now.reads;
    s->requests = now.requests;
    return true;
}

const struct collector collect_server = { "server", 0, true, run, end };
