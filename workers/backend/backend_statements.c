/* backend_statements.c - what is prepared on a backend, counted; see backend.h.
 *
 *   kept      found by text, schema and settings; closed when others were used since
 *   private   of one execution (a cursor's rows belong to it); closed with it
 */
#include "workers/backend/backend.h"

#include "core/mysql/command.h"

static void
count(struct backend *b, uint32_t n)
{
    slot_add(b->pool->ctx->slot, COUNTER_BACKEND_STATEMENTS, n);
}

static void
uncount(struct backend *b, uint32_t n)
{
    slot_sub(b->pool->ctx->slot, COUNTER_BACKEND_STATEMENTS, n);
}

static bool
close_beyond(struct backend *b, uint32_t max)
{
    bool     any = false;
    uint32_t id;

    while (statements_evict(&b->statements, max, &id)) {
        uncount(b, 1);
        command_id_encode(backend_out(b), COM_STMT_CLOSE, id);
        any = true;
    }
    if (any)
        backend_flush(b);
    return any;
}

void
backend_keep_statement(struct backend *b, const struct statement_key *key, uint32_t id)
{
    uint32_t known;

    if (statements_find(&b->statements, key, &known)) {
        command_id_encode(backend_out(b), COM_STMT_CLOSE, id);
        backend_flush(b);
        return;
    }
    statements_add(&b->statements, key, id);
    count(b, 1);
    close_beyond(b, b->pool->ctx->conf.pool_statements);
}

void
backend_own_statement(struct backend *b)
{
    b->n_private++;
    count(b, 1);
}

void
backend_close_statement(struct backend *b, uint32_t id)
{
    b->n_private--;
    uncount(b, 1);
    command_id_encode(backend_out(b), COM_STMT_CLOSE, id);
    backend_flush(b);
}

void
backend_forget_statements(struct backend *b)
{
    uncount(b, statements_count(&b->statements) + b->n_private);
    b->n_private = 0;
    statements_clear(&b->statements);
}

bool
backend_yield_statements(struct backend *b)
{
    bool any = close_beyond(b, 0);

    LIST_EACH(at, &b->pool->ctx->pools) {
        struct pool *pool = container_of(at, struct pool, node);
        if (pool->key.shard_id != b->pool->key.shard_id)
            continue;
        LIST_EACH(idle, &pool->idle)
            any |= close_beyond(container_of(idle, struct backend, node), 0);
    }
    return any;
}
