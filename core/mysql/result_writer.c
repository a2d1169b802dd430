/* result_writer.c - see result_writer.h. */
#include "core/mysql/result_writer.h"

#include <assert.h>
#include <stdio.h>

#include "core/mysql/packet.h"
#include "core/mysql/reply.h"
#include "core/mysql/wire.h"

static struct column
describe(const struct result_column *column)
{
    bool is_text = column->type == MYSQL_TYPE_VAR_STRING;

    return (struct column){
        .name     = span_of(column->name),
        .type     = column->type,
        .charset  = is_text ? CHARSET_UTF8MB4_GENERAL_CI : CHARSET_BINARY,
        .length   = is_text ? 1024 : 21,
        .flags    = (uint16_t)(column->flags | (is_text ? 0 : NUM_FLAG | BINARY_FLAG)),
        .decimals = column->type == MYSQL_TYPE_DOUBLE ? NOT_FIXED_DEC : 0,
    };
}

void
result_writer_begin(struct result_writer *w, struct buf *out, uint8_t *seq,
                    uint64_t capabilities, const struct result_column *columns,
                    size_t n_columns)
{
    assert(n_columns != 0);
    *w = (struct result_writer){
        .out = out, .seq = seq, .capabilities = capabilities, .n_columns = n_columns
    };
    reply_column_count_encode(out, seq, capabilities, n_columns);
    for (size_t i = 0; i < n_columns; i++) {
        struct column c = describe(&columns[i]);
        reply_column_encode(out, seq, capabilities, &c);
    }
    if (!(capabilities & CLIENT_DEPRECATE_EOF))
        reply_eof_encode(out, seq, &(struct eof){ .status = SERVER_STATUS_AUTOCOMMIT });
}

static void
cell_begin(struct result_writer *w)
{
    size_t header = 1 + (w->n_columns + 9) / 8; /* 0, and a bit for each NULL */

    if (w->n_cells != 0)
        return;
    w->at = packet_begin(w->out);
    if (!w->binary)
        return;
    memset(buf_reserve(w->out, header), 0, header);
    buf_commit(w->out, header);
}

static void
cell_end(struct result_writer *w)
{
    if (++w->n_cells < w->n_columns)
        return;
    packet_end(w->out, w->at, w->seq);
    w->n_cells = 0;
}

void
result_writer_text(struct result_writer *w, struct span text)
{
    cell_begin(w);
    wire_put_lenenc_bytes(w->out, text);
    cell_end(w);
}

void
result_writer_number(struct result_writer *w, int64_t value)
{
    char text[24];

    if (w->binary) {
        cell_begin(w);
        wire_put_u64(w->out, (uint64_t)value);
        cell_end(w);
        return;
    }
    int len = snprintf(text, sizeof(text), "%lld", (long long)value);

    result_writer_text(w, (struct span){ (const uint8_t *)text, (size_t)len });
}

void
result_writer_null(struct result_writer *w)
{
    cell_begin(w);
    if (w->binary) {
        size_t bit = w->n_cells + 2;
        w->out->bytes[w->out->start + w->at + PACKET_HEADER_BYTES + 1 + bit / 8] |=
            (uint8_t)(1u << bit % 8);
    } else
        wire_put_u8(w->out, 0xfb);
    cell_end(w);
}

void
result_writer_end(struct result_writer *w, uint16_t status, uint16_t warnings)
{
    assert(w->n_cells == 0);
    reply_end_encode(w->out, w->seq, w->capabilities,
                     &(struct ok){ .status = status, .warnings = warnings });
}
