/* buf.c - see buf.h. */
#include "core/base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/hex.h"
#include "core/base/memory.h"

enum { FIRST_CAP = 256 };

/* Slide the unread bytes to the front when that alone makes the room, but
 * only when at least half the memory is consumed: sliding a little often
 * would make a long stream quadratic. */
static bool
slide(struct buf *b, size_t len)
{
    size_t unread = b->end - b->start;

    if (b->start < b->cap / 2 || b->cap - unread < len)
        return false;
    memmove(b->bytes, b->bytes + b->start, unread);
    b->start = 0;
    b->end   = unread;
    return true;
}

uint8_t *
buf_reserve(struct buf *b, size_t len)
{
    if (b->cap - b->end >= len && b->bytes != NULL)
        return b->bytes + b->end;
    if (b->start != 0 && slide(b, len))
        return b->bytes + b->end;

    size_t cap = b->cap != 0 ? b->cap : FIRST_CAP;
    while (cap - b->end < len)
        cap *= 2;
    b->bytes = mem_resize(b->bytes, cap);
    b->cap   = cap;
    return b->bytes + b->end;
}

void
buf_append_hex(struct buf *b, struct span bytes)
{
    hex_lower((char *)buf_reserve(b, 2 * bytes.len + 1), bytes);
    buf_commit(b, 2 * bytes.len);
}

void
buf_append_hex_literal(struct buf *b, const char *before, struct span bytes)
{
    buf_append_text(b, before);
    buf_append_text(b, "x'");
    buf_append_hex(b, bytes);
    buf_append_byte(b, '\'');
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    assert(len >= 0);

    va_start(args, fmt);
    vsnprintf((char *)buf_reserve(b, (size_t)len + 1), (size_t)len + 1, fmt,
              args);
    va_end(args);
    b->end += (size_t)len;
}

void
buf_consume(struct buf *b, size_t len)
{
    assert(len <= b->end - b->start);
    b->start += len;
    if (b->start == b->end)
        buf_clear(b);
}

const char *
buf_cstr(struct buf *b)
{
    *buf_reserve(b, 1) = 0;
    return (const char *)b->bytes + b->start;
}

void
buf_fini(struct buf *b)
{
    free(b->bytes);
    *b = (struct buf){ 0 };
}
