/* row.c - see row.h. */
#include "core/mysql/row.h"

#include "core/mysql/packet.h"
#include "core/mysql/wire.h"

enum { NULL_BITS_OFFSET = 2 };

bool
row_text_decode(struct span payload, size_t n, struct cell *cells)
{
    struct cursor c = cursor_of(payload);

    for (size_t i = 0; i < n; i++)
        cells[i].bytes = wire_nullable_bytes(&c, &cells[i].is_null);
    return cursor_done(&c);
}

static bool
null_bit(struct span nulls, size_t i)
{
    size_t bit = i + NULL_BITS_OFFSET;

    return nulls.ptr[bit / 8] >> (bit % 8) & 1;
}

static struct span
cell_read(struct cursor *c, uint8_t type)
{
    int size = type_size(type);

    if (size >= 0)
        return wire_bytes(c, (size_t)size);
    if (size == TYPE_LENENC)
        return wire_lenenc_bytes(c);
    if (size == TYPE_TEMPORAL)
        return wire_bytes(c, wire_u8(c));
    c->bad = true;
    return (struct span){ 0 };
}

bool
row_binary_decode(struct span payload, const struct column *columns, size_t n,
                  struct cell *cells)
{
    struct cursor c     = cursor_of(payload);
    uint8_t       first = wire_u8(&c);
    struct span   nulls = wire_bytes(&c, (n + NULL_BITS_OFFSET + 7) / 8);

    if (c.bad || first != 0)
        return false;
    for (size_t i = 0; i < n; i++) {
        cells[i] = (struct cell){ .is_null = null_bit(nulls, i) };
        if (!cells[i].is_null)
            cells[i].bytes = cell_read(&c, columns[i].type);
    }
    return cursor_done(&c);
}

void
row_text_encode(struct buf *out, uint8_t *seq, const struct cell *cells, size_t n)
{
    size_t at = packet_begin(out);

    for (size_t i = 0; i < n; i++) {
        if (cells[i].is_null)
            wire_put_u8(out, 0xfb);
        else
            wire_put_lenenc_bytes(out, cells[i].bytes);
    }
    packet_end(out, at, seq);
}

void
row_binary_encode(struct buf *out, uint8_t *seq, const struct column *columns,
                  const struct cell *cells, size_t n)
{
    size_t at    = packet_begin(out);
    size_t nulls = at + PACKET_HEADER_BYTES + 1;

    wire_put_zeroes(out, 1 + (n + NULL_BITS_OFFSET + 7) / 8);
    for (size_t i = 0; i < n; i++) {
        size_t bit = i + NULL_BITS_OFFSET;
        if (cells[i].is_null) {
            uint8_t *p = out->bytes + out->start + nulls + bit / 8;
            *p         = (uint8_t)(*p | 1U << (bit % 8));
            continue;
        }
        if (type_size(columns[i].type) == TYPE_LENENC)
            wire_put_lenenc(out, cells[i].bytes.len);
        else if (type_size(columns[i].type) == TYPE_TEMPORAL)
            wire_put_u8(out, (uint8_t)cells[i].bytes.len);
        buf_append_span(out, cells[i].bytes);
    }
    packet_end(out, at, seq);
}
