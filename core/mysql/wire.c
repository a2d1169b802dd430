/* wire.c - see wire.h. */
#include "core/mysql/wire.h"

#include <assert.h>

/* The next `len` bytes, or NULL and a cursor that stays bad and empty. */
static const uint8_t *
take(struct cursor *c, size_t len)
{
    const uint8_t *p = c->at;

    if (c->bad || cursor_left(c) < len) {
        c->bad = true;
        c->at  = c->end;
        return NULL;
    }
    if (len != 0)
        c->at += len;
    return p;
}

uint8_t
wire_u8(struct cursor *c)
{
    const uint8_t *p = take(c, 1);
    return p != NULL ? p[0] : (uint8_t)0;
}

uint16_t
wire_u16(struct cursor *c)
{
    const uint8_t *p = take(c, 2);
    return p != NULL ? wire_load_u16(p) : (uint16_t)0;
}

uint32_t
wire_u24(struct cursor *c)
{
    const uint8_t *p = take(c, 3);
    return p != NULL ? (uint32_t)wire_load_u16(p) | (uint32_t)p[2] << 16 : 0;
}

uint32_t
wire_u32(struct cursor *c)
{
    const uint8_t *p = take(c, 4);
    return p != NULL ? wire_load_u32(p) : 0;
}

uint64_t
wire_u64(struct cursor *c)
{
    const uint8_t *p = take(c, 8);
    return p != NULL ? wire_load_u64(p) : 0;
}

uint64_t
wire_lenenc(struct cursor *c)
{
    uint8_t first = wire_u8(c);

    switch (first) {
    case 0xfc: return wire_u16(c);
    case 0xfd: return wire_u24(c);
    case 0xfe: return wire_u64(c);
    case 0xfb:
    case 0xff:
        c->bad = true;
        c->at  = c->end;
        return 0;
    default: return first;
    }
}

struct span
wire_bytes(struct cursor *c, size_t len)
{
    const uint8_t *p = take(c, len);

    return p != NULL ? (struct span){ p, len } : (struct span){ c->end, 0 };
}

struct span
wire_lenenc_bytes(struct cursor *c)
{
    uint64_t len = wire_lenenc(c);

    return wire_bytes(c, len);
}

struct span
wire_nullable_bytes(struct cursor *c, bool *is_null)
{
    *is_null = !c->bad && c->at != c->end && *c->at == 0xfb;
    if (!*is_null)
        return wire_lenenc_bytes(c);
    c->at++;
    return (struct span){ c->at, 0 };
}

struct span
wire_nul(struct cursor *c)
{
    size_t         left = cursor_left(c);
    const uint8_t *nul  = left != 0 ? memchr(c->at, 0, left) : NULL;

    if (nul == NULL)
        return wire_bytes(c, left + 1); /* goes bad */
    struct span s = { c->at, (size_t)(nul - c->at) };
    c->at = nul + 1;
    return s;
}

struct span
wire_nul_or_rest(struct cursor *c)
{
    size_t left = cursor_left(c);

    if (left != 0 && memchr(c->at, 0, left) != NULL)
        return wire_nul(c);
    return wire_rest(c);
}

struct span
wire_rest(struct cursor *c)
{
    return wire_bytes(c, cursor_left(c));
}

void
wire_skip(struct cursor *c, size_t len)
{
    (void)take(c, len);
}

/* The low `n` bytes of `v`. */
static void
put(struct buf *b, uint64_t v, size_t n)
{
    uint8_t *p = buf_reserve(b, n);

    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> (8 * i));
    buf_commit(b, n);
}

void
wire_put_u16(struct buf *b, uint16_t v)
{
    put(b, v, 2);
}

void
wire_put_u24(struct buf *b, uint32_t v)
{
    assert(v <= 0xffffff);
    put(b, v, 3);
}

void
wire_put_u32(struct buf *b, uint32_t v)
{
    put(b, v, 4);
}

void
wire_put_u64(struct buf *b, uint64_t v)
{
    put(b, v, 8);
}

void
wire_put_zeroes(struct buf *b, size_t n)
{
    memset(buf_reserve(b, n), 0, n);
    buf_commit(b, n);
}

size_t
wire_lenenc_size(uint64_t v)
{
    return v <= 250 ? 1 : v <= 0xffff ? 3 : v <= 0xffffff ? 4 : 9;
}

void
wire_put_lenenc(struct buf *b, uint64_t v)
{
    static const uint8_t mark[] = { [3] = 0xfc, [4] = 0xfd, [9] = 0xfe };
    size_t               size   = wire_lenenc_size(v);

    if (size > 1)
        wire_put_u8(b, mark[size]);
    put(b, v, size > 1 ? size - 1 : 1);
}

void
wire_put_lenenc_bytes(struct buf *b, struct span s)
{
    wire_put_lenenc(b, s.len);
    buf_append_span(b, s);
}

void
wire_put_nul(struct buf *b, struct span s)
{
    buf_append_span(b, s);
    wire_put_u8(b, 0);
}
