/* buf.h - bytes on their way in or out, in memory that grows and is given back.
 *
 *      0        start          end         cap
 *      +----------+-------------+-----------+
 *      | consumed |   unread    |   room    |
 *      +----------+-------------+-----------+
 *
 * All zeroes is an empty buf. Whoever embeds one calls buf_fini().
 */
#ifndef CORE_BASE_BUF_H
#define CORE_BASE_BUF_H

#include "core/base/base.h"

struct buf {
    uint8_t *bytes; /* owned */
    size_t   start, end, cap;
};

static inline size_t
buf_len(const struct buf *b)
{
    return b->end - b->start;
}

/* The unread bytes; valid until the next call that changes `b`. */
static inline struct span
buf_unread(const struct buf *b)
{
    return (struct span){ b->bytes == NULL ? NULL : b->bytes + b->start, b->end - b->start };
}

/* Room for `len` more bytes; returns where they go. Follow with buf_commit().
 * May move the bytes. */
uint8_t *buf_reserve(struct buf *b, size_t len);

static inline void
buf_commit(struct buf *b, size_t len)
{
    b->end += len;
}

static inline void
buf_append(struct buf *b, const void *bytes, size_t len)
{
    if (len == 0)
        return;
    memcpy(buf_reserve(b, len), bytes, len);
    b->end += len;
}

static inline void
buf_append_span(struct buf *b, struct span s)
{
    buf_append(b, s.ptr, s.len);
}

static inline void
buf_append_text(struct buf *b, const char *text)
{
    buf_append(b, text, strlen(text));
}

static inline void
buf_append_byte(struct buf *b, uint8_t byte)
{
    *buf_reserve(b, 1) = byte;
    b->end++;
}

/* Two digits, 0-9 and a-f, for each byte. */
void buf_append_hex(struct buf *b, struct span bytes);

/* `before`, and the bytes as a literal of SQL that every sql_mode and character set reads the same:
 * x'...'. "_utf8mb4 " before it makes a text of it. */
void buf_append_hex_literal(struct buf *b, const char *before, struct span bytes);

/* printf into the buffer, without the NUL. */
void buf_printf(struct buf *b, const char *fmt, ...) printf_like(2, 3);

/* Drop the first `len` unread bytes (asserts that there are so many). */
void buf_consume(struct buf *b, size_t len);

/* Empty, and keep the memory. */
static inline void
buf_clear(struct buf *b)
{
    b->start = b->end = 0;
}

/* A NUL behind the unread bytes (not counted); returns them as a C string. */
const char *buf_cstr(struct buf *b);

/* Give the memory back; the buf is empty and usable again. */
void buf_fini(struct buf *b);

#endif
