/* tally.c - see tally.h. */
#include "shm/tally.h"

#include <stdlib.h>

#include "core/base/memory.h"

/* What a statement touches, apart from the texts. */
struct row {
    uint64_t         hash; /* 0: free */
    uint64_t         weight; /* us of it and of those whose row it took */
    struct tally_sum now, before;
};

struct text {
    uint8_t  kind, schema_len;
    uint16_t len;
    uint8_t  schema[TALLY_SCHEMA_MAX], bytes[TALLY_TEXT_MAX];
};

struct tally {
    struct row  row[TALLY_ROWS];
    struct text text[TALLY_ROWS];
    uint64_t    window_s; /* when it began */
    bool        news;
};

/* As it is written, followed by the schema and the text. */
struct written {
    uint64_t         hash;
    struct tally_sum sum;
    uint16_t         kind, schema_len, len, zero;
    uint32_t         zero32;
};

struct tally *
tally_new(void)
{
    return mem_alloc(sizeof(struct tally));
}

void
tally_free(struct tally *t)
{
    free(t);
}

/* The row of a statement, or the one it takes: a free one, else that of the least weight. */
static uint32_t
find(const struct tally *t, uint64_t hash)
{
    uint32_t least = 0;

    for (uint32_t i = 0; i < TALLY_ROWS; i++) {
        if (t->row[i].hash == hash)
            return i;
        if (t->row[i].hash == 0 || (t->row[least].hash != 0 &&
                                    t->row[i].weight < t->row[least].weight))
            least = t->row[least].hash == 0 ? least : i;
    }
    return least;
}

static size_t
cut(uint8_t *out, size_t room, struct span text)
{
    size_t len = text.len < room ? text.len : room;

    while (len < text.len && len > 0 && (text.ptr[len] & 0xc0) == 0x80)
        len--; /* not amid a character */
    if (len > 0)
        memcpy(out, text.ptr, len);
    return len;
}

static void
take(struct tally *t, uint32_t i, const struct tally_name *name)
{
    t->row[i] = (struct row){ .hash = name->hash, .weight = t->row[i].weight };
    t->text[i].kind       = name->kind;
    t->text[i].schema_len = (uint8_t)cut(t->text[i].schema, TALLY_SCHEMA_MAX, name->schema);
    t->text[i].len        = (uint16_t)cut(t->text[i].bytes, TALLY_TEXT_MAX, name->text);
}

void
tally_note(struct tally *t, const struct tally_name *name, uint16_t *place, uint64_t us,
           bool failed, uint64_t now_s)
{
    struct row *row = &t->row[*place % TALLY_ROWS];

    if (row->hash != name->hash) {
        uint32_t i = find(t, name->hash);

        *place = (uint16_t)i;
        row    = &t->row[i];
        if (row->hash != name->hash)
            take(t, i, name);
    }
    if (t->window_s == 0)
        t->window_s = now_s;
    row->now.calls++;
    row->now.us += us;
    row->weight += us;
    row->now.errors += failed;
    if (us > row->now.max_us)
        row->now.max_us = us;
    t->news = true;
}

void
tally_turn(struct tally *t, uint64_t now_s)
{
    if (t->window_s == 0 || now_s < t->window_s + TALLY_WINDOW_S)
        return;
    bool both   = now_s >= t->window_s + (uint64_t)2 * TALLY_WINDOW_S;
    t->window_s = now_s;
    t->news     = true;
    for (uint32_t i = 0; i < TALLY_ROWS; i++) {
        struct row *row = &t->row[i];

        row->before = row->now;
        row->now    = (struct tally_sum){ .calls = 0 };
        if (both)
            row->before = row->now;
        row->weight = row->before.us;
        if (row->before.calls == 0)
            *row = (struct row){ .hash = 0 };
    }
}

/* Of both windows. */
static struct tally_sum
sum_of(const struct row *row)
{
    struct tally_sum sum = row->now;

    sum.calls += row->before.calls;
    sum.us += row->before.us;
    sum.errors += row->before.errors;
    if (row->before.max_us > sum.max_us)
        sum.max_us = row->before.max_us;
    return sum;
}

bool
tally_write(struct tally *t, struct buf *out)
{
    if (!t->news)
        return false;
    t->news = false;
    for (uint32_t i = 0; i < TALLY_ROWS; i++) {
        const struct row  *row  = &t->row[i];
        const struct text *text = &t->text[i];

        if (row->hash == 0)
            continue;
        struct written w = {
            .hash       = row->hash,
            .sum        = sum_of(row),
            .kind       = text->kind,
            .schema_len = text->schema_len,
            .len        = text->len,
        };
        buf_append(out, &w, sizeof(w));
        buf_append(out, text->schema, text->schema_len);
        buf_append(out, text->bytes, text->len);
    }
    return true;
}

bool
tally_each(struct span written, void (*each)(void *context, const struct tally_name *name,
                                             const struct tally_sum *sum), void *context)
{
    while (written.len > 0) {
        struct written w;

        if (written.len < sizeof(w))
            return false;
        memcpy(&w, written.ptr, sizeof(w));
        written = span_from(written, sizeof(w));
        if (w.schema_len > TALLY_SCHEMA_MAX || w.len > TALLY_TEXT_MAX ||
            written.len < (size_t)w.schema_len + w.len)
            return false;
        struct tally_name name = {
            .hash   = w.hash,
            .kind   = (uint8_t)w.kind,
            .schema = { written.ptr, w.schema_len },
            .text   = { written.ptr + w.schema_len, w.len },
        };
        each(context, &name, &w.sum);
        written = span_from(written, (size_t)w.schema_len + w.len);
    }
    return true;
}
