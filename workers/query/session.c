/* session.c - see session.h. */
#include "workers/query/diagnostics.h"
#include "workers/query/limits.h"
#include "workers/query/replica.h"
#include "workers/query/statement_vars.h"

#include <stdlib.h>

#include "core/base/memory.h"
#include "core/mysql/protocol.h"

void
session_init(struct session *s, struct context *ctx)
{
    *s = (struct session){ .ctx = ctx, .autocommit = true };
    vars_init(&s->vars);
    uservars_init(&s->uservars);
}

static void
forget_savepoints(struct session *s)
{
    while (s->savepoints != NULL) {
        struct savepoint *next = s->savepoints->next;
        free(s->savepoints);
        s->savepoints = next;
    }
}

static void
let_go(struct held *h, bool keep_open)
{
    struct backend *b = h->backend;

    h->backend = NULL;
    free(h->undo);
    h->undo = NULL;
    if (b == NULL)
        return;
    b->on_holder_lost = NULL;
    b->holder         = NULL;
    if (keep_open)
        pool_release(b);
    else
        backend_close(b, NULL);
}

/* --- what the process list tells ----------------------------------------- */

static void
publish(struct session *s)
{
    uint64_t words[CLIENT_PARTICIPANTS_MAX];
    uint32_t n = 0;

    for (uint32_t i = 0; i < s->n_held && n < CLIENT_PARTICIPANTS_MAX; i++) {
        const struct held *h = &s->held[i];
        /* What only reads on a replica holds nothing that anybody waits for. */
        if (h->role != HELD_PIN && h->backend != NULL && h->of == h->shard_id)
            words[n++] = participant_word(h->shard_id, h->backend->login.thread_id);
    }
    client_participants(s->ctx->slot, s->row, words, n, ring_now_us(s->ctx->ring));
}

static void
unpublish(struct session *s)
{
    if (!s->published)
        return;
    s->published = false;
    slot_sub(s->ctx->slot, COUNTER_TXN_MULTI_OPEN, 1);
    client_participants(s->ctx->slot, s->row, NULL, 0, 0);
}

bool
session_is_spread(const struct session *s)
{
    uint32_t n = 0;

    if (!s->in_txn || s->n_held < 2)
        return false;
    for (uint32_t i = 0; i < s->n_held; i++)
        n += s->held[i].role != HELD_PIN;
    return n >= 2;
}

void
session_joined(struct session *s)
{
    if (!session_is_spread(s))
        return;
    if (!s->published)
        slot_count(s->ctx->slot, COUNTER_TXN_MULTI_OPEN);
    s->published = true;
    publish(s);
}

void
session_tell_locks(struct session *s, uint32_t shard_id)
{
    const struct held *h    = session_held(s, shard_id);
    bool               have = pins_has(&s->pins, PIN_USER_LOCK) && h != NULL && h->backend != NULL;

    if (!have && !s->tells_locks)
        return;
    s->tells_locks = have;
    client_locks(s->ctx->slot, s->row,
                 have ? participant_word(shard_id, h->backend->login.thread_id) : 0);
}

static void
forget_txn(struct session *s)
{
    unpublish(s);
    s->in_txn = s->read_only = s->implicit = s->snapshot = s->doomed = false;
    s->on_replicas = CONSISTENCY_UNSET;
    s->gtrid[0] = 0;
    s->txn_ms   = 0;
    s->txn_generation = 0;
    free(s->begin);
    s->begin = NULL;
    forget_savepoints(s);
}

static void
shrink_held(struct session *s)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < s->n_held; i++)
        if (s->held[i].backend != NULL) {
            s->held[kept] = s->held[i];
            s->held[kept].backend->holder = s;
            kept++;
        } else
            free(s->held[i].undo);
    s->n_held = kept;
    if (kept == 0) {
        free(s->held);
        s->held = NULL;
    }
}

static void
end_txn(struct session *s, bool clean)
{
    for (uint32_t i = 0; i < s->n_held; i++) {
        struct held *h = &s->held[i];
        if (h->of == h->shard_id)
            replica_committed(s, h->shard_id);
        if (s->pins.set != 0 && (clean || h->role == HELD_PIN)) {
            h->role  = HELD_PIN;
            h->wrote = false;
            continue;
        }
        let_go(h, clean || h->role == HELD_PIN);
    }
    shrink_held(s);
    forget_txn(s);
}

void
session_end_txn(struct session *s)
{
    end_txn(s, true);
}

void
session_abort(struct session *s)
{
    end_txn(s, false);
}

void
session_unpin(struct session *s)
{
    for (uint32_t i = 0; i < s->n_held; i++) {
        if (s->held[i].backend != NULL)
            s->held[i].backend->dirty = true;
        let_go(&s->held[i], true);
    }
    shrink_held(s);
    pins_clear(&s->pins, s->ctx->slot);
    session_tell_locks(s, 0);
}

void
session_unpinned(struct session *s)
{
    /* Closed cursors leave nothing behind. */
    bool clean = s->pins.ever == 1u << PIN_CURSOR;

    s->pins.ever = 0;
    for (uint32_t i = 0; i < s->n_held; i++) {
        struct backend *b = s->held[i].backend;
        if (b != NULL && !clean) {
            b->dirty   = false;
            b->unclean = true;
        }
        if (s->held[i].role == HELD_PIN)
            let_go(&s->held[i], true);
    }
    shrink_held(s);
}

void
session_reset(struct session *s)
{
    for (uint32_t i = 0; i < s->n_held; i++) {
        if (s->held[i].backend != NULL)
            s->held[i].backend->dirty = true;
        let_go(&s->held[i], s->held[i].role == HELD_PIN);
    }
    shrink_held(s);
    forget_txn(s);
    statement_vars_free(s);
    vars_clear(&s->vars);
    free(s->next_transaction);
    s->next_transaction = NULL;
    pins_clear(&s->pins, s->ctx->slot);
    uservars_clear(&s->uservars);
    s->autocommit     = true;
    s->own_commit     = s->own_snapshot_reads = 0;
    s->own_consistency = CONSISTENCY_UNSET;
    s->touched         = false;
    free(s->seen);
    s->seen = NULL;
    s->lex            = (struct lex_options){ .charset = session_lex_charset(s->charset) };
    s->zero_is_number = false;
    s->collation      = s->charset;
    s->last_insert_id = 0;
    s->cut            = false;
    free(s->modes);
    s->modes = NULL;
    diagnostics_clear(s);
    limits_begin(s);
}

void
session_was_reset(struct session *s)
{
    for (uint32_t i = 0; i < s->n_held; i++) {
        struct backend *b = s->held[i].backend;
        if (b == NULL)
            continue;
        b->vars_hash  = 0;
        b->user_owner = b->user_version = 0;
        b->fixed_time = b->unclean = b->tells_changes = b->next_is_set = false;
        b->patient    = b->tells_transaction = false;
        b->role       = b->role == ROLE_NONE ? ROLE_NONE : ROLE_UNKNOWN;
        /* A reset leaves the schema, of which sessions without one must not hear. */
        b->dirty = !b->pool->key.has_schema && b->schema != NULL;
        backend_forget_statements(b);
        let_go(&s->held[i], true);
    }
    shrink_held(s);
    session_reset(s);
}

void
session_fini(struct session *s)
{
    session_reset(s);
    diagnostics_fini(s);
    vars_fini(&s->vars);
    free(s->user);
    free(s->host);
    free(s->schema);
    s->user = s->host = s->schema = NULL;
}

struct span
session_host(const struct session *s)
{
    struct span host = s->host != NULL ? span_of(s->host) : SPAN("localhost");

    for (size_t i = host.len; s->host != NULL && i-- > 0;)
        if (host.ptr[i] == ':') {
            host.len = i;
            break;
        }
    if (host.len > 1 && host.ptr[0] == '[') /* [::1] */
        host = (struct span){ host.ptr + 1, host.len - 2 };
    return host;
}

void
session_set_schema(struct session *s, struct span schema)
{
    char *copy = schema.len != 0 ? mem_strndup(schema.ptr, schema.len) : NULL;

    free(s->schema);
    s->schema = copy;
    s->default_generation = 0;
}

struct pool *
session_pool(const struct session *s, uint32_t shard_id)
{
    struct pool_key key = {
        .shard_id     = shard_id,
        .has_schema   = s->schema != NULL,
        .collation    = s->charset,
        .capabilities = s->capabilities | CLIENT_SESSION_TRACK |
                        (routes_is_engine(shard_id) ? CLIENT_LOCAL_FILES : 0),
    };
    size_t len = strlen(s->user);

    memcpy(key.user, s->user, len < sizeof(key.user) ? len : sizeof(key.user) - 1);
    return pool_get(s->ctx, &key);
}

struct held *
session_held(const struct session *s, uint32_t shard_id)
{
    for (uint32_t i = 0; i < s->n_held; i++)
        if (s->held[i].shard_id == shard_id)
            return &s->held[i];
    return NULL;
}

uint32_t
session_server(const struct session *s, uint32_t shard_id)
{
    for (uint32_t i = 0; s->on_replicas && i < s->n_held; i++)
        if (s->held[i].of == shard_id && s->held[i].role != HELD_PIN)
            return s->held[i].shard_id;
    return shard_id;
}

/* The server has rolled back what was open there. */
static void
held_lost(struct backend *b)
{
    struct session *s = b->holder;

    for (uint32_t i = 0; i < s->n_held; i++)
        if (s->held[i].backend == b) {
            s->held[i].backend = NULL;
            if (s->held[i].role != HELD_PIN)
                s->doomed = true;
            session_tell_locks(s, s->held[i].shard_id);
        }
    /* A server that starts again counts its connections from 1 again. */
    if (s->published)
        publish(s);
}

struct held *
session_hold(struct session *s, uint32_t shard_id, struct backend *b, enum held_role role)
{
    s->held = mem_resize(s->held, (s->n_held + 1) * sizeof(*s->held));
    struct held *h = &s->held[s->n_held++];

    *h = (struct held){ .shard_id = shard_id, .of = shard_id, .role = role, .backend = b,
                        .session = s };
    b->holder         = s;
    b->on_holder_lost = held_lost;
    return h;
}

void
session_take_back(struct session *s, uint32_t shard_id)
{
    struct held *h = session_held(s, shard_id);

    h->backend->on_holder_lost = NULL;
    h->backend->holder         = NULL;
    h->backend                 = NULL;
}

bool
session_broken(const struct session *s)
{
    for (uint32_t i = 0; i < s->n_held; i++)
        if (s->held[i].backend == NULL)
            return true;
    return s->doomed;
}

/* --- savepoints ---------------------------------------------------------- */

static struct savepoint **
find_savepoint(struct session *s, struct span name)
{
    struct savepoint **at = &s->savepoints;

    while (*at != NULL &&
           !span_equal_nocase((struct span){ (*at)->name, (*at)->len }, name))
        at = &(*at)->next;
    return at;
}

bool
session_has_savepoint(const struct session *s, struct span name)
{
    for (const struct savepoint *at = s->savepoints; at != NULL; at = at->next)
        if (span_equal_nocase((struct span){ at->name, at->len }, name))
            return true;
    return false;
}

void
session_add_savepoint(struct session *s, struct span name)
{
    struct savepoint **at = find_savepoint(s, name);

    if (*at != NULL) { /* the same name again: the old one is gone */
        struct savepoint *old = *at;
        *at = old->next;
        free(old);
    }
    while (*at != NULL)
        at = &(*at)->next;
    struct savepoint *new = mem_alloc(sizeof(*new) + name.len);
    new->len = name.len;
    memcpy(new->name, name.ptr, name.len);
    *at = new;
}

void
session_drop_savepoints(struct session *s, struct span name, bool itself)
{
    struct savepoint **at = find_savepoint(s, name);

    if (*at != NULL && !itself)
        at = &(*at)->next;
    while (*at != NULL) {
        struct savepoint *old = *at;
        *at = old->next;
        free(old);
    }
}

bool
session_is_read_only(const struct session *s)
{
    if (s->next_transaction != NULL && s->next_access[0] != 0)
        return span_equal_nocase(span_of(s->next_access), SPAN("READ ONLY"));
    return s->modes != NULL && s->modes->read_only;
}

uint16_t
session_status(const struct session *s)
{
    unsigned status = 0;

    if (s->autocommit)
        status |= SERVER_STATUS_AUTOCOMMIT;
    if (s->in_txn && !s->implicit)
        status |= SERVER_STATUS_IN_TRANS;
    if (s->in_txn && s->read_only && !s->implicit)
        status |= SERVER_STATUS_IN_TRANS_READONLY;
    if (s->lex.no_backslash_escapes)
        status |= SERVER_STATUS_NO_BACKSLASH_ESCAPES;
    if (s->lex.ansi_quotes)
        status |= SERVER_STATUS_ANSI_QUOTES;
    return (uint16_t)status;
}

/* utf8mb3 and utf8mb4, by ranges; the last are those of UCA 14.0.0. */
static bool
is_utf8(uint16_t id)
{
    static const struct {
        uint16_t first, last;
    } ranges[] = { { 33, 33 },   { 45, 46 },     { 76, 76 },     { 83, 83 },     { 192, 247 },
                   { 254, 255 }, { 576, 578 },   { 608, 610 },   { 1057, 1057 }, { 1069, 1070 },
                   { 1107, 1107 }, { 1216, 1271 }, { 2048, 2303 } };

    for (size_t i = 0; i < countof(ranges); i++)
        if (id >= ranges[i].first && id <= ranges[i].last)
            return true;
    return false;
}

/* Ids as in information_schema.COLLATIONS. Those of a set that have no padding are 1024 more. A
 * set that is not here is one that is not read. */
enum lex_charset
session_lex_charset(uint16_t id)
{
    static const uint16_t latin1[] = { 5, 8, 15, 31, 47, 48, 49, 94 };
    static const uint16_t bytes[]  = { 2, 3, 4, 6, 7, 9, 11, 12, 14, 16, 18, 19, 20, 21, 22, 23,
                                       24, 25, 26, 27, 29, 30, 32, 34, 36, 37, 38, 39, 40, 41,
                                       42, 43, 44, 50, 51, 52, 53, 57, 58, 59, 63, 64, 65, 66,
                                       67, 68, 69, 70, 71, 72, 73, 74, 75, 77, 78, 79, 80, 81,
                                       85, 86, 89, 91, 92, 93, 97, 98, 99 };
    uint16_t              of       = id < 1024 ? id : id - 1024;

    if (is_utf8(id))
        return LEX_UTF8;
    for (size_t i = 0; i < countof(latin1); i++)
        if (latin1[i] == of)
            return LEX_LATIN1;
    for (size_t i = 0; i < countof(bytes); i++)
        if (bytes[i] == of)
            return LEX_BYTES;
    return LEX_UNSAFE;
}

bool
session_is_system_schema(struct span name)
{
    static const char *const names[] = { "information_schema", "mysql", "performance_schema",
                                         "sys" };

    for (size_t i = 0; i < countof(names); i++)
        if (span_equal_nocase(span_of(names[i]), name))
            return true;
    return false;
}
