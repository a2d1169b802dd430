/* wire.h - the protocol's integers and strings, read within bounds and written.
 *
 * A cursor walks a payload. Reading past its end sets `bad`, returns zeroes
 * and empties the cursor, so that a decoder reads all its fields and asks once
 * at the end. Spans point into the payload. All numbers are little-endian.
 *
 *   lenenc integer: 0..250 in one byte; 0xfc + u16; 0xfd + u24; 0xfe + u64.
 *   0xfb is NULL (in rows) and 0xff begins an error: neither is an integer.
 */
#ifndef CORE_MYSQL_WIRE_H
#define CORE_MYSQL_WIRE_H

#include "core/base/buf.h"

struct cursor {
    const uint8_t *at, *end;
    bool           bad;
};

static inline struct cursor
cursor_of(struct span s)
{
    return (struct cursor){ s.ptr, s.len != 0 ? s.ptr + s.len : s.ptr, false };
}

static inline size_t
cursor_left(const struct cursor *c)
{
    return (size_t)(c->end - c->at);
}

/* Everything was read, and nothing past the end. */
static inline bool
cursor_done(const struct cursor *c)
{
    return !c->bad && c->at == c->end;
}

uint8_t  wire_u8(struct cursor *c);
uint16_t wire_u16(struct cursor *c);
uint32_t wire_u24(struct cursor *c);
uint32_t wire_u32(struct cursor *c);
uint64_t wire_u64(struct cursor *c);
uint64_t wire_lenenc(struct cursor *c);

/* The next `len` bytes. */
struct span wire_bytes(struct cursor *c, size_t len);

/* A lenenc length and that many bytes. */
struct span wire_lenenc_bytes(struct cursor *c);

/* As wire_lenenc_bytes(), but 0xfb sets *is_null (else false) and reads as empty. */
struct span wire_nullable_bytes(struct cursor *c, bool *is_null);

/* Up to a NUL, which is skipped; bad when there is none. */
struct span wire_nul(struct cursor *c);

/* Up to a NUL or the end: for last fields, which some clients do not end. */
struct span wire_nul_or_rest(struct cursor *c);

struct span wire_rest(struct cursor *c);
void        wire_skip(struct cursor *c, size_t len);

static inline void
wire_put_u8(struct buf *b, uint8_t v)
{
    buf_append_byte(b, v);
}

void wire_put_u16(struct buf *b, uint16_t v);
void wire_put_u24(struct buf *b, uint32_t v); /* v <= 0xffffff */
void wire_put_u32(struct buf *b, uint32_t v);
void wire_put_u64(struct buf *b, uint64_t v);
void wire_put_zeroes(struct buf *b, size_t n);
void wire_put_lenenc(struct buf *b, uint64_t v);
void wire_put_lenenc_bytes(struct buf *b, struct span s);
void wire_put_nul(struct buf *b, struct span s); /* s holds no NUL */

/* Bytes that wire_put_lenenc(v) writes: 1, 3, 4 or 9. */
size_t wire_lenenc_size(uint64_t v);

/* Unchecked loads, for bytes already known to be there. */
static inline uint16_t
wire_load_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t
wire_load_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t
wire_load_u64(const uint8_t *p)
{
    return wire_load_u32(p) | (uint64_t)wire_load_u32(p + 4) << 32;
}

#endif
