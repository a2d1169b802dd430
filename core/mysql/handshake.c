/* handshake.c - see handshake.h. */
#include "core/mysql/handshake.h"

#include "core/mysql/packet.h"
#include "core/mysql/protocol.h"
#include "core/mysql/wire.h"

enum {
    PROTOCOL_VERSION  = 10,
    NONCE_FIRST_PART  = 8,
    LOGIN_FILLER      = 19,
};

/* The upper half of `capabilities`, which travels only between MariaDBs. */
static uint32_t
extended(uint64_t capabilities)
{
    return capabilities & CLIENT_MYSQL ? 0 : (uint32_t)(capabilities >> 32);
}

void
greeting_encode(struct buf *out, uint8_t *seq, const struct greeting *greeting)
{
    size_t at = packet_begin(out);

    wire_put_u8(out, PROTOCOL_VERSION);
    wire_put_nul(out, greeting->version);
    wire_put_u32(out, greeting->thread_id);
    buf_append(out, greeting->nonce, NONCE_FIRST_PART);
    wire_put_u8(out, 0);
    wire_put_u16(out, (uint16_t)greeting->capabilities);
    wire_put_u8(out, greeting->charset);
    wire_put_u16(out, greeting->status);
    wire_put_u16(out, (uint16_t)(greeting->capabilities >> 16));
    wire_put_u8(out, greeting->capabilities & CLIENT_PLUGIN_AUTH ? NONCE_BYTES + 1 : 0);
    wire_put_zeroes(out, 6);
    wire_put_u32(out, extended(greeting->capabilities));
    buf_append(out, greeting->nonce + NONCE_FIRST_PART, NONCE_BYTES - NONCE_FIRST_PART);
    wire_put_u8(out, 0);
    if (greeting->capabilities & CLIENT_PLUGIN_AUTH)
        wire_put_nul(out, greeting->plugin);
    packet_end(out, at, seq);
}

bool
greeting_decode(struct span payload, struct greeting *out)
{
    struct cursor   c = cursor_of(payload);
    struct greeting g = { 0 };

    if (wire_u8(&c) != PROTOCOL_VERSION)
        return false;
    g.version   = wire_nul(&c);
    g.thread_id = wire_u32(&c);
    struct span first = wire_bytes(&c, NONCE_FIRST_PART);
    wire_skip(&c, 1);
    g.capabilities = wire_u16(&c);
    g.charset      = wire_u8(&c);
    g.status       = wire_u16(&c);
    g.capabilities |= (uint64_t)wire_u16(&c) << 16;
    uint8_t nonce_len = wire_u8(&c);
    wire_skip(&c, 6);
    uint32_t upper = wire_u32(&c);
    if (!(g.capabilities & CLIENT_MYSQL))
        g.capabilities |= (uint64_t)upper << 32;

    /* A longer nonce belongs to a plugin that we answer by an auth switch. */
    size_t      rest   = nonce_len > NONCE_BYTES + 1 ? nonce_len - NONCE_FIRST_PART : 13;
    struct span second = wire_bytes(&c, rest);
    if (g.capabilities & CLIENT_PLUGIN_AUTH)
        g.plugin = wire_nul_or_rest(&c);
    if (c.bad || !(g.capabilities & CLIENT_PROTOCOL_41))
        return false;
    memcpy(g.nonce, first.ptr, NONCE_FIRST_PART);
    memcpy(g.nonce + NONCE_FIRST_PART, second.ptr, NONCE_BYTES - NONCE_FIRST_PART);
    *out = g;
    return true;
}

static uint32_t
number(struct span *s)
{
    uint32_t n = 0;

    while (s->len != 0 && s->ptr[0] >= '0' && s->ptr[0] <= '9' && n < 1000) {
        n  = n * 10 + (uint32_t)(s->ptr[0] - '0');
        *s = span_from(*s, 1);
    }
    if (s->len != 0 && s->ptr[0] == '.')
        *s = span_from(*s, 1);
    return n;
}

uint32_t
greeting_version(const struct greeting *greeting, bool *is_mariadb)
{
    struct span s = greeting->version;

    *is_mariadb = s.len != 0 && memmem(s.ptr, s.len, "MariaDB", 7) != NULL;
    if (s.len > 6 && memcmp(s.ptr, "5.5.5-", 6) == 0)
        s = span_from(s, 6);
    uint32_t major = number(&s), minor = number(&s), patch = number(&s);
    return major * 10000 + minor * 100 + patch;
}

/* The answer of the plugin: three ways to write its length. */
static struct span
auth_read(struct cursor *c, uint64_t capabilities)
{
    if (capabilities & CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA)
        return wire_lenenc_bytes(c);
    if (capabilities & CLIENT_SECURE_CONNECTION)
        return wire_bytes(c, wire_u8(c));
    return wire_nul(c);
}

/* Attributes are an extra: a client that leaves them out is still welcome. */
static struct span
attributes_read(struct cursor *c)
{
    return cursor_left(c) != 0 ? wire_lenenc_bytes(c) : (struct span){ 0 };
}

enum login_kind
login_decode(struct span payload, uint64_t offered, struct login *out)
{
    struct cursor c = cursor_of(payload);
    struct login  l = { 0 };

    if (payload.len < 2)
        return LOGIN_MALFORMED;
    if (!(wire_load_u16(payload.ptr) & CLIENT_PROTOCOL_41))
        return LOGIN_TOO_OLD;
    uint64_t claimed = wire_u32(&c);
    l.max_packet     = wire_u32(&c);
    l.charset        = wire_u8(&c);
    wire_skip(&c, LOGIN_FILLER);
    uint32_t upper = wire_u32(&c);
    if (!(claimed & CLIENT_MYSQL))
        claimed |= (uint64_t)upper << 32;
    l.capabilities = claimed & offered;
    if (c.bad)
        return LOGIN_MALFORMED;
    if (cursor_done(&c)) {
        if (!(claimed & CLIENT_SSL))
            return LOGIN_MALFORMED;
        *out = l;
        return LOGIN_TLS_REQUEST;
    }

    l.user = wire_nul(&c);
    l.auth = auth_read(&c, l.capabilities);
    if (l.capabilities & CLIENT_CONNECT_WITH_DB)
        l.schema = wire_nul_or_rest(&c);
    if (l.capabilities & CLIENT_PLUGIN_AUTH)
        l.plugin = wire_nul_or_rest(&c);
    if (l.capabilities & CLIENT_CONNECT_ATTRS)
        l.attributes = attributes_read(&c);
    if (l.capabilities & CLIENT_ZSTD_COMPRESSION && cursor_left(&c) != 0)
        l.zstd_level = wire_u8(&c);
    if (c.bad)
        return LOGIN_MALFORMED;
    *out = l;
    return LOGIN_RESPONSE;
}

static void
login_head(struct buf *out, const struct login *login)
{
    wire_put_u32(out, (uint32_t)login->capabilities);
    wire_put_u32(out, login->max_packet);
    wire_put_u8(out, (uint8_t)login->charset);
    wire_put_zeroes(out, LOGIN_FILLER);
    wire_put_u32(out, extended(login->capabilities));
}

static void
auth_write(struct buf *out, uint64_t capabilities, struct span answer)
{
    if (capabilities & CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA) {
        wire_put_lenenc_bytes(out, answer);
    } else if (capabilities & CLIENT_SECURE_CONNECTION) {
        wire_put_u8(out, (uint8_t)answer.len);
        buf_append(out, answer.ptr, (uint8_t)answer.len);
    } else {
        wire_put_nul(out, answer);
    }
}

void
login_encode(struct buf *out, uint8_t *seq, const struct login *login)
{
    size_t at = packet_begin(out);

    login_head(out, login);
    wire_put_nul(out, login->user);
    auth_write(out, login->capabilities, login->auth);
    if (login->capabilities & CLIENT_CONNECT_WITH_DB)
        wire_put_nul(out, login->schema);
    if (login->capabilities & CLIENT_PLUGIN_AUTH)
        wire_put_nul(out, login->plugin);
    if (login->capabilities & CLIENT_CONNECT_ATTRS)
        wire_put_lenenc_bytes(out, login->attributes);
    if (login->capabilities & CLIENT_ZSTD_COMPRESSION)
        wire_put_u8(out, login->zstd_level);
    packet_end(out, at, seq);
}

void
tls_request_encode(struct buf *out, uint8_t *seq, const struct login *login)
{
    size_t at = packet_begin(out);

    login_head(out, login);
    packet_end(out, at, seq);
}

bool
change_user_decode(struct span payload, uint64_t capabilities, struct login *out)
{
    struct cursor c = cursor_of(payload);
    struct login  l = { .capabilities = capabilities };

    if (wire_u8(&c) != COM_CHANGE_USER)
        return false;
    l.user = wire_nul(&c);
    /* The length is one byte here even where a login has a lenenc integer. */
    l.auth   = auth_read(&c, capabilities & ~CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA);
    l.schema = wire_nul_or_rest(&c);
    if (cursor_left(&c) >= 2)
        l.charset = wire_u16(&c);
    if (capabilities & CLIENT_PLUGIN_AUTH && cursor_left(&c) != 0)
        l.plugin = wire_nul_or_rest(&c);
    if (capabilities & CLIENT_CONNECT_ATTRS)
        l.attributes = attributes_read(&c);
    if (c.bad)
        return false;
    *out = l;
    return true;
}

bool
attribute_next(struct span *rest, struct span *name, struct span *value)
{
    struct cursor c = cursor_of(*rest);

    struct span n = wire_lenenc_bytes(&c), v = wire_lenenc_bytes(&c);
    if (c.bad)
        return false;
    *name  = n;
    *value = v;
    *rest  = wire_rest(&c);
    return true;
}

void
attribute_put(struct buf *attributes, const char *name, const char *value)
{
    wire_put_lenenc_bytes(attributes, span_of(name));
    wire_put_lenenc_bytes(attributes, span_of(value));
}

/* Nonces end with a NUL, which is not part of them; MariaDB's ed25519 has none, and its
 * bytes are any. */
static bool
has_nul(struct span plugin)
{
    return !span_equal(plugin, SPAN(PLUGIN_ED25519));
}

void
auth_switch_encode(struct buf *out, uint8_t *seq, const struct auth_switch *request)
{
    size_t at = packet_begin(out);

    wire_put_u8(out, 0xfe);
    wire_put_nul(out, request->plugin);
    buf_append_span(out, request->data);
    if (has_nul(request->plugin))
        wire_put_u8(out, 0);
    packet_end(out, at, seq);
}

bool
auth_switch_decode(struct span payload, struct auth_switch *out)
{
    struct cursor c = cursor_of(payload);

    uint8_t     first  = wire_u8(&c);
    struct span plugin = wire_nul(&c);
    struct span data   = wire_rest(&c);
    if (first != 0xfe || c.bad)
        return false;
    if (data.len != 0 && data.ptr[data.len - 1] == 0 && has_nul(plugin))
        data.len--;
    *out = (struct auth_switch){ plugin, data };
    return true;
}

void
auth_more_encode(struct buf *out, uint8_t *seq, struct span data)
{
    size_t at = packet_begin(out);

    wire_put_u8(out, 1);
    buf_append_span(out, data);
    packet_end(out, at, seq);
}

void
auth_answer_encode(struct buf *out, uint8_t *seq, struct span answer)
{
    size_t at = packet_begin(out);

    buf_append_span(out, answer);
    packet_end(out, at, seq);
}
