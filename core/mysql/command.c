/* command.c - see command.h. */
#include "core/mysql/command.h"

#include "core/mysql/cell.h"
#include "core/mysql/packet.h"
#include "core/mysql/wire.h"

enum {
    OPTION_MULTI_ON = 0, /* MYSQL_OPTION_MULTI_STATEMENTS_ON, _OFF */
    OPTION_MULTI_OFF,
};

bool
command_id(struct span payload, uint32_t *id)
{
    struct cursor c = cursor_of(payload);

    wire_skip(&c, 1);
    uint32_t value = wire_u32(&c);
    if (c.bad)
        return false;
    *id = value;
    return true;
}

bool
long_data_decode(struct span payload, struct long_data *out)
{
    struct cursor    c = cursor_of(payload);
    struct long_data d;

    wire_skip(&c, 1);
    d.statement_id = wire_u32(&c);
    d.param        = wire_u16(&c);
    d.bytes        = wire_rest(&c);
    if (c.bad)
        return false;
    *out = d;
    return true;
}

bool
field_list_decode(struct span payload, struct field_list *out)
{
    struct cursor     c = cursor_of(payload);
    struct field_list f;

    wire_skip(&c, 1);
    f.table    = wire_nul_or_rest(&c);
    f.wildcard = wire_nul_or_rest(&c);
    if (c.bad || f.table.len == 0)
        return false;
    *out = f;
    return true;
}

bool
fetch_decode(struct span payload, uint32_t *statement_id, uint32_t *rows)
{
    struct cursor c = cursor_of(payload);

    wire_skip(&c, 1);
    uint32_t id = wire_u32(&c), n = wire_u32(&c);
    if (c.bad)
        return false;
    *statement_id = id;
    *rows         = n;
    return true;
}

bool
set_option_decode(struct span payload, bool *multi_statements)
{
    struct cursor c = cursor_of(payload);

    wire_skip(&c, 1);
    uint16_t option = wire_u16(&c);
    if (c.bad || option > OPTION_MULTI_OFF)
        return false;
    *multi_statements = option == OPTION_MULTI_ON;
    return true;
}

/* Is `len` a length that a temporal value of `type` may have? */
static bool
temporal_length_fits(uint8_t type, size_t len)
{
    if (type == MYSQL_TYPE_TIME)
        return len == 0 || len == 8 || len == 12;
    return len == 0 || len == 4 || len == 7 || len == 11;
}

struct span
param_value_read(struct cursor *c, uint8_t type)
{
    int size = type_size(type);

    if (size >= 0)
        return wire_bytes(c, (size_t)size);
    if (size == TYPE_LENENC)
        return wire_lenenc_bytes(c);
    struct span s = { 0 };
    if (size == TYPE_TEMPORAL)
        s = wire_bytes(c, wire_u8(c));
    if (size == TYPE_UNKNOWN || !temporal_length_fits(type, s.len))
        c->bad = true;
    return s;
}

static struct param_value
param_read(struct cursor *c, uint16_t type, bool null_bit, struct span long_data)
{
    struct param_value p = { .type = (uint8_t)type, .is_unsigned = type & PARAM_UNSIGNED };

    if (long_data.ptr != NULL)
        p.bytes = long_data;
    else if (null_bit || p.type == MYSQL_TYPE_NULL)
        p.is_null = true;
    else
        p.bytes = param_value_read(c, p.type);
    return p;
}

/* All values, to nowhere or, once they are known to be good, to `params`. */
static bool
params_read(struct cursor c, struct span nulls, struct span bound, uint32_t n,
            const uint16_t *types, const struct span *long_data, struct param_value *params)
{
    for (uint32_t i = 0; i < n; i++) {
        uint16_t    type = bound.len != 0 ? wire_load_u16(bound.ptr + 2 * (size_t)i) : types[i];
        bool        null = nulls.ptr[i / 8] >> (i % 8) & 1;
        struct span data = long_data != NULL ? long_data[i] : (struct span){ 0 };
        if (type == PARAM_UNBOUND)
            return false;
        struct param_value p = param_read(&c, type, null, data);
        if (params != NULL)
            params[i] = p;
    }
    return !c.bad;
}

bool
execute_decode(struct span payload, uint32_t n_params, uint16_t *types,
               const struct span *long_data, struct execute *out, struct param_value *params)
{
    struct cursor  c = cursor_of(payload);
    struct execute e = { 0 };
    struct span    nulls = { 0 }, bound = { 0 };

    wire_skip(&c, 1);
    e.statement_id = wire_u32(&c);
    e.flags        = wire_u8(&c);
    e.iterations   = wire_u32(&c);
    if (n_params != 0) {
        nulls   = wire_bytes(&c, ((size_t)n_params + 7) / 8);
        e.bound = wire_u8(&c) == 1;
        if (e.bound)
            bound = wire_bytes(&c, 2 * (size_t)n_params);
    }
    if (c.bad || !params_read(c, nulls, bound, n_params, types, long_data, NULL))
        return false;

    bool read = params_read(c, nulls, bound, n_params, types, long_data, params);
    for (uint32_t i = 0; e.bound && i < n_params; i++)
        types[i] = wire_load_u16(bound.ptr + 2 * (size_t)i);
    *out = e;
    return read;
}

void
command_encode(struct buf *out, uint8_t command)
{
    command_text_encode(out, command, (struct span){ 0 });
}

void
command_text_encode(struct buf *out, uint8_t command, struct span text)
{
    uint8_t seq = 0;
    size_t  at  = packet_begin(out);

    wire_put_u8(out, command);
    buf_append_span(out, text);
    packet_end(out, at, &seq);
}

void
command_id_encode(struct buf *out, uint8_t command, uint32_t id)
{
    uint8_t seq = 0;
    size_t  at  = packet_begin(out);

    wire_put_u8(out, command);
    wire_put_u32(out, id);
    packet_end(out, at, &seq);
}

void
fetch_encode(struct buf *out, uint32_t statement_id, uint32_t rows)
{
    uint8_t seq = 0;
    size_t  at  = packet_begin(out);

    wire_put_u8(out, COM_STMT_FETCH);
    wire_put_u32(out, statement_id);
    wire_put_u32(out, rows);
    packet_end(out, at, &seq);
}

static void
nulls_write(struct buf *out, const struct param_value *params, uint32_t n)
{
    for (uint32_t at = 0; at < n; at += 8) {
        unsigned bits = 0;
        for (uint32_t i = at; i < n && i < at + 8; i++)
            bits |= (unsigned)params[i].is_null << (i - at);
        wire_put_u8(out, (uint8_t)bits);
    }
}

static void
value_write(struct buf *out, const struct param_value *p)
{
    int size = type_size(p->type);

    if (p->is_null)
        return;
    if (size == TYPE_LENENC)
        wire_put_lenenc(out, p->bytes.len);
    else if (size == TYPE_TEMPORAL)
        wire_put_u8(out, (uint8_t)p->bytes.len);
    buf_append_span(out, p->bytes);
}

/* Long data may come for a parameter that was bound as a number, although it
 * is text then: only a type with a length can carry it inside. */
static uint8_t
type_sent(const struct param_value *p)
{
    bool fixed = type_size(p->type) >= 0 && p->bytes.len != (size_t)type_size(p->type);

    return !p->is_null && fixed ? MYSQL_TYPE_VAR_STRING : p->type;
}

void
execute_encode(struct buf *out, uint32_t statement_id, uint8_t flags,
               const struct param_value *params, uint32_t n_params)
{
    uint8_t seq = 0;
    size_t  at  = packet_begin(out);

    wire_put_u8(out, COM_STMT_EXECUTE);
    wire_put_u32(out, statement_id);
    wire_put_u8(out, flags);
    wire_put_u32(out, 1);
    if (n_params != 0) {
        nulls_write(out, params, n_params);
        wire_put_u8(out, 1);
    }
    for (uint32_t i = 0; i < n_params; i++) {
        wire_put_u8(out, type_sent(&params[i]));
        wire_put_u8(out, params[i].is_unsigned ? PARAM_UNSIGNED >> 8 : 0);
    }
    for (uint32_t i = 0; i < n_params; i++) {
        struct param_value p = params[i];
        p.type               = type_sent(&p);
        value_write(out, &p);
    }
    packet_end(out, at, &seq);
}
