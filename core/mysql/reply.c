/* reply.c - see reply.h. */
#include "core/mysql/reply.h"

#include "core/mysql/packet.h"
#include "core/mysql/wire.h"

enum { COLUMN_FIXED_BYTES = 12, SQLSTATE_BYTES = 5 };

/* Documents let info run to the end of the packet where session tracking is
 * off, servers write its length all the same: take what fits exactly. */
static struct span
info_read(struct cursor *c, uint64_t capabilities)
{
    if (capabilities & CLIENT_SESSION_TRACK)
        return cursor_left(c) != 0 ? wire_lenenc_bytes(c) : (struct span){ 0 };

    struct cursor ahead = *c;
    struct span   info  = wire_lenenc_bytes(&ahead);
    if (cursor_done(&ahead)) {
        *c = ahead;
        return info;
    }
    return wire_rest(c);
}

bool
reply_ok_decode(struct span payload, uint64_t capabilities, struct ok *out)
{
    struct cursor c     = cursor_of(payload);
    struct ok     ok    = { 0 };
    uint8_t       first = wire_u8(&c);

    if (first != REPLY_OK && first != REPLY_EOF)
        return false;
    ok.affected_rows = wire_lenenc(&c);
    ok.insert_id     = wire_lenenc(&c);
    ok.status        = wire_u16(&c);
    ok.warnings      = wire_u16(&c);
    ok.info          = info_read(&c, capabilities);
    if (capabilities & CLIENT_SESSION_TRACK && ok.status & SERVER_SESSION_STATE_CHANGED)
        ok.track = wire_lenenc_bytes(&c);
    if (c.bad)
        return false;
    *out = ok;
    return true;
}

static void
ok_encode(struct buf *out, uint8_t *seq, uint64_t capabilities, const struct ok *ok,
          uint8_t first)
{
    bool     tracked = capabilities & CLIENT_SESSION_TRACK && ok->track.len != 0;
    uint16_t status  = (uint16_t)(ok->status & ~SERVER_SESSION_STATE_CHANGED);
    size_t   at      = packet_begin(out);

    if (tracked)
        status |= SERVER_SESSION_STATE_CHANGED;
    wire_put_u8(out, first);
    wire_put_lenenc(out, ok->affected_rows);
    wire_put_lenenc(out, ok->insert_id);
    wire_put_u16(out, status);
    wire_put_u16(out, ok->warnings);
    if (tracked || ok->info.len != 0)
        wire_put_lenenc_bytes(out, ok->info);
    if (tracked)
        wire_put_lenenc_bytes(out, ok->track);
    packet_end(out, at, seq);
}

void
reply_ok_encode(struct buf *out, uint8_t *seq, uint64_t capabilities, const struct ok *ok)
{
    ok_encode(out, seq, capabilities, ok, REPLY_OK);
}

void
reply_end_encode(struct buf *out, uint8_t *seq, uint64_t capabilities, const struct ok *ok)
{
    uint16_t status = (uint16_t)(ok->status & ~SERVER_SESSION_STATE_CHANGED);

    if (capabilities & CLIENT_DEPRECATE_EOF)
        ok_encode(out, seq, capabilities, ok, REPLY_EOF);
    else
        reply_eof_encode(out, seq, &(struct eof){ ok->warnings, status });
}

bool
track_next(struct span *rest, uint8_t *kind, struct span *data)
{
    struct cursor c = cursor_of(*rest);

    uint8_t     k = wire_u8(&c);
    struct span d = wire_lenenc_bytes(&c);
    if (c.bad)
        return false;
    *kind = k;
    *data = d;
    *rest = wire_rest(&c);
    return true;
}

bool
reply_err_decode(struct span payload, struct sql_error *out)
{
    struct cursor c     = cursor_of(payload);
    uint8_t       first = wire_u8(&c);
    uint16_t      code  = wire_u16(&c);

    if (c.bad || first != REPLY_ERR)
        return false;
    out->code = code;
    memcpy(out->sqlstate, sql_state_of(code), sizeof(out->sqlstate));
    if (cursor_left(&c) > SQLSTATE_BYTES && *c.at == '#') {
        memcpy(out->sqlstate, c.at + 1, SQLSTATE_BYTES);
        wire_skip(&c, 1 + SQLSTATE_BYTES);
    }
    struct span text = wire_rest(&c);
    size_t      len  = text.len < sizeof(out->message) - 1 ? text.len : sizeof(out->message) - 1;
    if (len != 0)
        memcpy(out->message, text.ptr, len);
    out->message[len] = 0;
    return true;
}

/* CR_MIN_ERROR to CR_MAX_ERROR, and Connector/C's CER_MIN_ERROR to CER_MAX_ERROR. */
static bool
is_library_code(uint16_t code)
{
    return (code >= 2000 && code <= 2999) || (code >= 5000 && code <= 5999);
}

void
reply_err_encode(struct buf *out, uint8_t *seq, uint64_t capabilities,
                 const struct sql_error *error)
{
    size_t at = packet_begin(out);

    wire_put_u8(out, REPLY_ERR);
    wire_put_u16(out, is_library_code(error->code) ? SQL_UNKNOWN_ERROR : error->code);
    if (capabilities & CLIENT_PROTOCOL_41) {
        wire_put_u8(out, '#');
        buf_append(out, error->sqlstate, SQLSTATE_BYTES);
    }
    buf_append_text(out, error->message);
    packet_end(out, at, seq);
}

bool
reply_eof_decode(struct span payload, struct eof *out)
{
    struct cursor c     = cursor_of(payload);
    uint8_t       first = wire_u8(&c);
    struct eof    eof   = { .warnings = wire_u16(&c) };

    eof.status = wire_u16(&c);
    if (!cursor_done(&c) || first != REPLY_EOF)
        return false;
    *out = eof;
    return true;
}

void
reply_eof_encode(struct buf *out, uint8_t *seq, const struct eof *eof)
{
    size_t at = packet_begin(out);

    wire_put_u8(out, REPLY_EOF);
    wire_put_u16(out, eof->warnings);
    wire_put_u16(out, eof->status);
    packet_end(out, at, seq);
}

bool
reply_prepare_decode(struct span payload, struct prepare_ok *out)
{
    struct cursor     c     = cursor_of(payload);
    uint8_t           first = wire_u8(&c);
    struct prepare_ok ok    = { .statement_id = wire_u32(&c) };

    ok.n_columns = wire_u16(&c);
    ok.n_params  = wire_u16(&c);
    wire_skip(&c, 1);
    ok.warnings = wire_u16(&c);
    if (c.bad || first != REPLY_OK)
        return false;
    *out = ok;
    return true;
}

void
reply_prepare_encode(struct buf *out, uint8_t *seq, const struct prepare_ok *ok)
{
    size_t at = packet_begin(out);

    wire_put_u8(out, REPLY_OK);
    wire_put_u32(out, ok->statement_id);
    wire_put_u16(out, ok->n_columns);
    wire_put_u16(out, ok->n_params);
    wire_put_u8(out, 0);
    wire_put_u16(out, ok->warnings);
    packet_end(out, at, seq);
}

bool
reply_column_decode(struct span payload, uint64_t capabilities, struct column *out)
{
    struct cursor c = cursor_of(payload);
    struct column d = { .catalog = wire_lenenc_bytes(&c) };

    d.schema    = wire_lenenc_bytes(&c);
    d.table     = wire_lenenc_bytes(&c);
    d.org_table = wire_lenenc_bytes(&c);
    d.name      = wire_lenenc_bytes(&c);
    d.org_name  = wire_lenenc_bytes(&c);
    if (capabilities & MARIADB_CLIENT_EXTENDED_METADATA)
        d.extended = wire_lenenc_bytes(&c);

    struct cursor fixed = cursor_of(wire_lenenc_bytes(&c));
    d.charset  = wire_u16(&fixed);
    d.length   = wire_u32(&fixed);
    d.type     = wire_u8(&fixed);
    d.flags    = wire_u16(&fixed);
    d.decimals = wire_u8(&fixed);
    if (cursor_left(&c) != 0) {
        bool is_null;
        d.default_value = wire_nullable_bytes(&c, &is_null);
        d.has_default   = !is_null;
    }
    if (c.bad || fixed.bad)
        return false;
    *out = d;
    return true;
}

void
reply_column_encode(struct buf *out, uint8_t *seq, uint64_t capabilities,
                    const struct column *column)
{
    size_t at = packet_begin(out);

    wire_put_lenenc_bytes(out, SPAN("def"));
    wire_put_lenenc_bytes(out, column->schema);
    wire_put_lenenc_bytes(out, column->table);
    wire_put_lenenc_bytes(out, column->org_table);
    wire_put_lenenc_bytes(out, column->name);
    wire_put_lenenc_bytes(out, column->org_name);
    if (capabilities & MARIADB_CLIENT_EXTENDED_METADATA)
        wire_put_lenenc_bytes(out, column->extended);
    wire_put_u8(out, COLUMN_FIXED_BYTES);
    wire_put_u16(out, column->charset);
    wire_put_u32(out, column->length);
    wire_put_u8(out, column->type);
    wire_put_u16(out, column->flags);
    wire_put_u8(out, column->decimals);
    wire_put_u16(out, 0);
    packet_end(out, at, seq);
}

struct span
column_format(const struct column *column)
{
    struct span rest = column->extended, name = { 0 }, data;
    uint8_t     kind;

    /* Entries have the shape of session-track entries: a kind, a lenenc string.
     * 0 is a type's name, 1 the format of its text. Either says what we ask. */
    while (name.len == 0 && track_next(&rest, &kind, &data))
        if (kind <= 1)
            name = data;
    return name;
}

void
reply_column_count_encode(struct buf *out, uint8_t *seq, uint64_t capabilities, uint64_t n)
{
    size_t at = packet_begin(out);

    wire_put_lenenc(out, n);
    if (capabilities & MARIADB_CLIENT_CACHE_METADATA)
        wire_put_u8(out, 1); /* the definitions follow */
    packet_end(out, at, seq);
}
