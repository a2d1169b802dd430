/* packet.c - see packet.h. */
#include "core/mysql/packet.h"

#include <assert.h>

static uint32_t
read_u24(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
}

static void
write_header(uint8_t *p, size_t len, uint8_t seq)
{
    p[0] = (uint8_t)len;
    p[1] = (uint8_t)(len >> 8);
    p[2] = (uint8_t)(len >> 16);
    p[3] = seq;
}

enum packet_status
packet_next(struct packet_reader *reader, struct span in, struct packet *out)
{
    if (in.len < PACKET_HEADER_BYTES)
        return PACKET_PARTIAL;

    size_t  len = read_u24(in.ptr);
    uint8_t seq = in.ptr[3];
    if (seq != reader->next_seq)
        return PACKET_BAD_SEQ;
    if (reader->limit != 0 && len > reader->limit - reader->so_far)
        return PACKET_TOO_BIG;
    if (in.len - PACKET_HEADER_BYTES < len)
        return PACKET_PARTIAL;

    bool last = len < PACKET_PAYLOAD_MAX;
    reader->next_seq++;
    reader->so_far = last ? 0 : reader->so_far + len;
    *out = (struct packet){
        .payload = { in.ptr + PACKET_HEADER_BYTES, len },
        .seq     = seq,
        .last    = last,
    };
    return PACKET_OK;
}

/* All packets of a message of several; the first is known to be whole. */
static enum packet_status
measure(struct packet_reader *reader, struct span in, size_t *used)
{
    struct packet      packet;
    enum packet_status status;

    *used = 0;
    do {
        status = packet_next(reader, span_from(in, *used), &packet);
        if (status != PACKET_OK)
            return status;
        *used += PACKET_HEADER_BYTES + packet.payload.len;
    } while (!packet.last);
    return PACKET_OK;
}

static void
join(struct span in, size_t used, struct buf *joined)
{
    buf_clear(joined);
    for (size_t at = 0; at < used;) {
        size_t len = read_u24(in.ptr + at);
        buf_append(joined, in.ptr + at + PACKET_HEADER_BYTES, len);
        at += PACKET_HEADER_BYTES + len;
    }
}

enum packet_status
message_next(struct packet_reader *reader, struct span in, struct buf *joined,
             struct message *out)
{
    struct packet_reader ahead = *reader;
    struct packet        packet;
    size_t               used;

    enum packet_status status = packet_next(&ahead, in, &packet);
    if (status != PACKET_OK)
        return status;
    if (packet.last) {
        *reader = ahead;
        *out = (struct message){ packet.payload, PACKET_HEADER_BYTES + packet.payload.len,
                                 packet.seq };
        return PACKET_OK;
    }

    ahead  = *reader;
    status = measure(&ahead, in, &used);
    if (status != PACKET_OK)
        return status;
    join(in, used, joined);
    *reader = ahead;
    *out = (struct message){ buf_unread(joined), used, (uint8_t)(ahead.next_seq - 1) };
    return PACKET_OK;
}

size_t
packet_begin(struct buf *out)
{
    size_t at = buf_len(out);

    memset(buf_reserve(out, PACKET_HEADER_BYTES), 0, PACKET_HEADER_BYTES);
    buf_commit(out, PACKET_HEADER_BYTES);
    return at;
}

/* Make room for the headers inside a long payload: its pieces move back, the
 * last one first. A payload of n full pieces is closed by an empty one. */
static void
cut(struct buf *out, size_t at, size_t len, uint8_t *seq)
{
    size_t n = len / PACKET_PAYLOAD_MAX;

    buf_reserve(out, n * PACKET_HEADER_BYTES);
    uint8_t *from = out->bytes + out->start + at + PACKET_HEADER_BYTES;
    for (size_t i = n; i > 0; i--) {
        size_t   piece = i * PACKET_PAYLOAD_MAX;
        size_t   size  = i == n ? len - piece : PACKET_PAYLOAD_MAX;
        uint8_t *to    = from + piece + i * PACKET_HEADER_BYTES;
        memmove(to, from + piece, size);
        write_header(to - PACKET_HEADER_BYTES, size, (uint8_t)(*seq + i));
    }
    write_header(from - PACKET_HEADER_BYTES, PACKET_PAYLOAD_MAX, *seq);
    buf_commit(out, n * PACKET_HEADER_BYTES);
    *seq = (uint8_t)(*seq + n + 1);
}

void
packet_end(struct buf *out, size_t at, uint8_t *seq)
{
    assert(buf_len(out) >= at + PACKET_HEADER_BYTES);
    size_t len = buf_len(out) - at - PACKET_HEADER_BYTES;

    if (len >= PACKET_PAYLOAD_MAX) {
        cut(out, at, len, seq);
        return;
    }
    write_header(out->bytes + out->start + at, len, *seq);
    (*seq)++;
}

void
packet_abandon(struct buf *out, size_t at)
{
    assert(buf_len(out) >= at);
    out->end = out->start + at;
}

const char *
packet_status_name(enum packet_status status)
{
    switch (status) {
    case PACKET_OK:      return "ok";
    case PACKET_PARTIAL: return "partial";
    case PACKET_BAD_SEQ: return "bad sequence";
    case PACKET_TOO_BIG: return "too big";
    }
    return "?";
}
