/* clients.c - the rows of the process list; see slots.h.
 *
 * A change writes only the words it concerns, between an odd and an even count.
 * The words are those of a struct client_info, found by its members' offsets.
 */
#include "shm/slots.h"

#include <assert.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

enum { TRIES = 64 };

_Static_assert(sizeof(struct client_info) % 8 == 0, "whole words");

#define WORD(member) (offsetof(struct client_info, member) / 8)

#define TEXT(row, member, text) \
    put_text(row, WORD(member), sizeof(((struct client_info *)0)->member), text)

static uint64_t
rows_of(const struct slot *slot)
{
    return atomic_load_explicit(&slot->rows, memory_order_acquire);
}

/* Memory up to and including `row`. The kernel answers here when /dev/shm is
 * full; merely writing would raise SIGBUS. */
static bool
back(struct slot *slot, uint32_t row)
{
    enum { PAGE = 4096 };
    uint64_t used = rows_of(slot);

    if (row < used)
        return true;
    uintptr_t from = (uintptr_t)&slot->client[used] / PAGE * PAGE;
    uintptr_t to   = (uintptr_t)&slot->client[row + 1];
    if (madvise((void *)from, to - from, MADV_POPULATE_WRITE) != 0)
        return false;
    atomic_store_explicit(&slot->rows, row + UINT64_C(1), memory_order_release);
    return true;
}

/* NULL: login() did not get memory for the row. */
static struct client_row *
begin(struct slot *slot, uint32_t row)
{
    if (row >= rows_of(slot))
        return NULL;

    struct client_row *r     = &slot->client[row];
    uint64_t           count = atomic_load_explicit(&r->lock.count, memory_order_relaxed);

    atomic_store_explicit(&r->lock.count, count | 1, memory_order_relaxed);
    return r;
}

static void
end(struct client_row *r)
{
    uint64_t count = atomic_load_explicit(&r->lock.count, memory_order_relaxed);

    assert(count % 2 == 1);
    atomic_store_explicit(&r->lock.count, count + 1, memory_order_release);
}

static void
put(struct client_row *r, size_t word, uint64_t value)
{
    atomic_store_explicit(&r->word[word], value, memory_order_release);
}

/* As much as fits before a NUL, cut at a UTF-8 character; words behind the text
 * keep what they had, because the NUL ends it. */
static void
put_text(struct client_row *r, size_t word, size_t size, struct span text)
{
    size_t len = text.len < size ? text.len : size - 1;

    while (len < text.len && len > 0 && (text.ptr[len] & 0xc0) == 0x80)
        len--;
    for (size_t i = 0; i <= len; i += 8) {
        uint64_t value = 0;
        size_t   n     = len - i < 8 ? len - i : 8;
        if (n > 0)
            memcpy(&value, text.ptr + i, n);
        put(r, word + i / 8, value);
    }
}

void
client_login(struct slot *slot, uint32_t row, uint64_t id, struct span user,
             struct span host, struct span schema, uint64_t now_ms)
{
    struct client_row *r = back(slot, row) ? begin(slot, row) : NULL;

    if (r == NULL)
        return;
    put(r, WORD(id), id);
    put(r, WORD(login_ms), now_ms);
    put(r, WORD(since_ms), now_ms);
    put(r, WORD(command), 0);
    put(r, WORD(state), 0);
    put(r, WORD(shard), 0);
    put(r, WORD(in_transaction), 0);
    put(r, WORD(statements), 0);
    put(r, WORD(txn_ms), 0);
    put(r, WORD(phase), CLIENT_PHASE_OPEN);
    put(r, WORD(spread_us), 0);
    put(r, WORD(n_participants), 0);
    TEXT(r, user, user);
    TEXT(r, host, host);
    TEXT(r, schema, schema);
    TEXT(r, statement, ((struct span){ NULL, 0 }));
    end(r);
}

void
client_logout(struct slot *slot, uint32_t row)
{
    struct client_row *r = begin(slot, row);

    if (r == NULL)
        return;
    put(r, WORD(id), 0);
    end(r);
}

void
client_schema(struct slot *slot, uint32_t row, struct span schema)
{
    struct client_row *r = begin(slot, row);

    if (r == NULL)
        return;
    TEXT(r, schema, schema);
    end(r);
}

void
client_command(struct slot *slot, uint32_t row, uint8_t command, uint32_t state,
               struct span statement, uint64_t now_ms)
{
    struct client_row *r = begin(slot, row);

    if (r == NULL)
        return;
    uint64_t run = atomic_load_explicit(&r->word[WORD(statements)], memory_order_relaxed);

    put(r, WORD(since_ms), now_ms);
    put(r, WORD(command), command);
    put(r, WORD(state), state);
    put(r, WORD(statements), run + 1);
    TEXT(r, statement, statement);
    end(r);
}

void
client_state(struct slot *slot, uint32_t row, uint32_t state,
             uint64_t shard_plus_1, bool in_transaction, uint64_t now_ms)
{
    struct client_row *r = begin(slot, row);

    if (r == NULL)
        return;
    put(r, WORD(since_ms), now_ms);
    put(r, WORD(state), state);
    put(r, WORD(shard), shard_plus_1);
    put(r, WORD(in_transaction), in_transaction);
    end(r);
}

void
client_waits_for_move(struct slot *slot, uint32_t row, bool waits)
{
    struct client_row *r = begin(slot, row);

    if (r == NULL)
        return;
    uint64_t state = atomic_load_explicit(&r->word[WORD(state)], memory_order_relaxed);

    put(r, WORD(state), waits ? state | CLIENT_WAITS_FOR_MOVE : state & ~CLIENT_WAITS_FOR_MOVE);
    end(r);
}

void
client_set_phase(struct slot *slot, uint32_t row, enum client_phase phase)
{
    struct client_row *r = begin(slot, row);

    if (r == NULL)
        return;
    put(r, WORD(phase), phase);
    end(r);
}

void
client_idle(struct slot *slot, uint32_t row, uint32_t state, const struct client_txn *txn,
            uint64_t now_ms)
{
    struct client_row *r = begin(slot, row);

    if (r == NULL)
        return;
    put(r, WORD(since_ms), now_ms);
    put(r, WORD(state), state);
    put(r, WORD(command), 0);
    put(r, WORD(txn_ms), txn->since_ms);
    put(r, WORD(txn_statements), txn->statements);
    put(r, WORD(txn_shard), txn->shard_plus_1);
    put(r, WORD(phase), CLIENT_PHASE_OPEN);
    end(r);
}

void
client_participants(struct slot *slot, uint32_t row, const uint64_t *words, uint32_t n,
                    uint64_t now_us)
{
    struct client_row *r    = begin(slot, row);
    uint32_t           told = n < CLIENT_PARTICIPANTS_MAX ? n : CLIENT_PARTICIPANTS_MAX;

    if (r == NULL)
        return;
    if (n == 0)
        put(r, WORD(spread_us), 0);
    else if (atomic_load_explicit(&r->word[WORD(spread_us)], memory_order_relaxed) == 0)
        put(r, WORD(spread_us), now_us);
    put(r, WORD(n_participants), told);
    for (uint32_t i = 0; i < told; i++)
        put(r, WORD(participant) + i, words[i]);
    end(r);
}

void
client_locks(struct slot *slot, uint32_t row, uint64_t word)
{
    struct client_row *r = begin(slot, row);

    if (r == NULL)
        return;
    put(r, WORD(locks), word);
    end(r);
}

bool
client_is_spread(const struct slot *slot, uint32_t row)
{
    return row < rows_of(slot) &&
           atomic_load_explicit(&slot->client[row].word[WORD(spread_us)],
                                memory_order_relaxed) != 0;
}

/* What comes from shared memory stays within its room. */
static void
confine(struct client_info *info)
{
    if (info->n_participants > CLIENT_PARTICIPANTS_MAX)
        info->n_participants = CLIENT_PARTICIPANTS_MAX;
    info->user[sizeof(info->user) - 1]           = 0;
    info->host[sizeof(info->host) - 1]           = 0;
    info->schema[sizeof(info->schema) - 1]       = 0;
    info->statement[sizeof(info->statement) - 1] = 0;
}

bool
client_read(const struct slot *slot, uint32_t row, struct client_info *out)
{
    const struct client_row *r = &slot->client[row];
    uint64_t                 words[CLIENT_WORDS];

    if (row >= rows_of(slot))
        return false;
    if (atomic_load_explicit(&r->word[WORD(id)], memory_order_relaxed) == 0)
        return false;
    for (int i = 0; i < TRIES; i++) {
        if (!seqlock_read(&r->lock, r->word, words, CLIENT_WORDS))
            continue;
        memcpy(out, words, sizeof(*out));
        confine(out);
        return out->id != 0;
    }
    return false;
}
