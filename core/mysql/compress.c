/* compress.c - see compress.h. */
#include "core/mysql/compress.h"

#include <errno.h>
#include <stdlib.h>

#include <zlib.h>
#include <zstd.h>

#include "core/base/memory.h"
#include "core/mysql/packet.h"

struct compress {
    struct filter     filter;
    enum compress_how how;
    int               level;
    bool              asks;
    bool              heard;    /* something was received behind what we sent last */
    uint8_t           seq;      /* of our next packet */
    uint8_t           last_seq; /* of the ordinary packet that we sent last */
};

static struct compress *
of(struct filter *f)
{
    return container_of(f, struct compress, filter);
}

static uint32_t
get_u24(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
}

static void
put_u24(uint8_t *p, size_t n)
{
    p[0] = (uint8_t)n;
    p[1] = (uint8_t)(n >> 8);
    p[2] = (uint8_t)(n >> 16);
}

/* --- in ------------------------------------------------------------------- */

static bool
unpack(const struct compress *c, struct span packed, uint8_t *out, size_t len)
{
    if (c->how == COMPRESS_ZSTD)
        return ZSTD_decompress(out, len, packed.ptr, packed.len) == len;
    uLongf got = len, used = packed.len;
    return uncompress2(out, &got, packed.ptr, &used) == Z_OK && got == len && used == packed.len;
}

static int
decode(struct filter *f, struct buf *to, size_t want)
{
    struct compress *c     = of(f);
    size_t           start = buf_len(to);

    while (buf_len(to) - start < want && buf_len(&f->raw) >= COMPRESS_HEADER_BYTES) {
        struct span in     = buf_unread(&f->raw);
        size_t      len    = get_u24(in.ptr), before = get_u24(in.ptr + 4);
        struct span packed = span_from(in, COMPRESS_HEADER_BYTES);

        if (packed.len < len)
            return 0;
        packed.len = len;
        if (before == 0)
            buf_append_span(to, packed);
        else if (unpack(c, packed, buf_reserve(to, before), before))
            buf_commit(to, before);
        else
            return -EPROTO;
        c->seq   = (uint8_t)(in.ptr[3] + 1);
        c->heard = true;
        buf_consume(&f->raw, COMPRESS_HEADER_BYTES + len);
    }
    return 0;
}

/* --- out ------------------------------------------------------------------ */

/* 0: it does not become shorter. */
static size_t
pack(const struct compress *c, struct span bytes, uint8_t *out, size_t room)
{
    if (bytes.len < COMPRESS_MIN_BYTES || bytes.len > COMPRESS_MAX_BYTES)
        return 0;
    if (c->how == COMPRESS_ZSTD) {
        size_t n = ZSTD_compress(out, room, bytes.ptr, bytes.len, c->level);
        return ZSTD_isError(n) ? 0 : n;
    }
    uLongf n = room;
    return compress2(out, &n, bytes.ptr, bytes.len, c->level) == Z_OK ? n : 0;
}

static void
emit(struct compress *c, struct span bytes)
{
    /* Room for what is shorter only: a longer one fails, and goes as it is. */
    uint8_t *to     = buf_reserve(&c->filter.ready, COMPRESS_HEADER_BYTES + bytes.len);
    size_t   packed = pack(c, bytes, to + COMPRESS_HEADER_BYTES, bytes.len - 1);
    size_t   len    = packed != 0 ? packed : bytes.len;

    if (packed == 0)
        memcpy(to + COMPRESS_HEADER_BYTES, bytes.ptr, bytes.len);
    put_u24(to, len);
    to[3] = c->seq++;
    put_u24(to + 4, packed != 0 ? bytes.len : 0);
    buf_commit(&c->filter.ready, COMPRESS_HEADER_BYTES + len);
}

/* The sequence of a long message, or of a file, comes to 0 again; but not behind an
 * answer. */
static bool
begins_command(const struct compress *c, uint8_t seq)
{
    return seq == 0 && (c->last_seq != 255 || c->heard);
}

/* All packets of a message; 0: they are not all there. */
static size_t
message_bytes(struct span bytes, uint8_t *last_seq)
{
    size_t at = 0, len = PACKET_PAYLOAD_MAX;

    while (len == PACKET_PAYLOAD_MAX) {
        if (bytes.len - at < PACKET_HEADER_BYTES)
            return 0;
        len       = get_u24(bytes.ptr + at);
        *last_seq = bytes.ptr[at + 3];
        if (bytes.len - at - PACKET_HEADER_BYTES < len)
            return 0;
        at += PACKET_HEADER_BYTES + len;
    }
    return at;
}

/* A server numbers the packets of its answer behind the compressed ones of the command,
 * and whoever reads them expects them behind the ordinary ones: as many of these as of
 * those, then. */
static void
encode_messages(struct compress *c, struct buf *from)
{
    struct span bytes = buf_unread(from);
    uint8_t     last;

    for (size_t n; (n = message_bytes(bytes, &last)) > 0; bytes = span_from(bytes, n)) {
        if (begins_command(c, bytes.ptr[3]))
            c->seq = 0;
        for (size_t at = 0, piece; at < n; at += piece) {
            piece = n - at < PACKET_PAYLOAD_MAX ? n - at : PACKET_PAYLOAD_MAX;
            emit(c, (struct span){ bytes.ptr + at, piece });
        }
        c->last_seq = last;
        c->heard    = false;
    }
    buf_consume(from, buf_len(from) - bytes.len);
}

static void
encode(struct filter *f, struct buf *from)
{
    struct compress *c = of(f);

    if (c->asks) {
        encode_messages(c, from);
        return;
    }
    while (buf_len(from) > 0) {
        struct span bytes = buf_unread(from);
        if (bytes.len > COMPRESS_CHUNK_BYTES)
            bytes.len = COMPRESS_CHUNK_BYTES;
        emit(c, bytes);
        buf_consume(from, bytes.len);
    }
}

static void
compress_free(struct filter *f)
{
    free(of(f));
}

static const struct filter_ops compress_ops = { decode, encode, NULL, compress_free };

struct filter *
compress_new(enum compress_how how, int level, bool asks)
{
    struct compress *c   = mem_alloc(sizeof(*c));
    int              max = how == COMPRESS_ZSTD ? COMPRESS_ZSTD_LEVEL_MAX : COMPRESS_ZLIB_LEVEL_MAX;

    c->filter.ops = &compress_ops;
    c->how        = how;
    c->level      = level < 1 ? 1 : level > max ? max : level;
    c->asks       = asks;
    return &c->filter;
}

bool
compress_in(const struct filter *chain)
{
    while (chain != NULL && chain->ops != &compress_ops)
        chain = chain->below;
    return chain != NULL;
}
