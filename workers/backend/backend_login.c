/* backend_login.c - the states of a connection that is not yet usable.
 *
 *                          server asks again
 *                             +------+
 *                             |      v
 *   GREETING --------------> VERDICT ------> READY
 *                             |      ^
 *            \-> SECURE ---^  |      ^
 *                             +-KEY--+       caching_sha2_password, in the clear
 *
 * We begin with mysql_native_password; a server that wants another plugin says so.
 *   (every state can also go to FAILED, which is the end)
 *
 * A step looks at the state, takes a packet, says what it has to say, and
 * picks the next state. It does no I/O and never waits, so the whole exchange
 * can be tested from a string.
 */
#include "workers/backend/backend_login.h"

#include "core/mysql/auth.h"
#include "core/mysql/auth_ed25519.h"
#include "core/mysql/auth_sha2.h"
#include "core/mysql/reply.h"

enum { ZSTD_LEVEL = 3 };

enum { MALFORMED = 1429 /* ER_CONNECT_TO_FOREIGN_DATA_SOURCE */ };

static enum login_step
fail(struct backend_login *l, const char *what)
{
    sql_error_set(&l->error, MALFORMED, "shardd: %s, while in %s", what,
                  login_state_name(l->state));
    l->state = LOGIN_FAILED;
    return LOGIN_STEP_FAIL;
}

static enum login_step
refused(struct backend_login *l, struct span payload)
{
    if (!reply_err_decode(payload, &l->error))
        return fail(l, "cannot read the refusal");
    l->state = LOGIN_FAILED; /* the server's own words */
    return LOGIN_STEP_FAIL;
}

/* The same in the request for TLS and in the login behind it: servers go by the first. */
static uint64_t
claimed(const struct backend_login *l)
{
    return l->params.capabilities | (l->params.compress & l->offered) |
           (l->params.tls ? CLIENT_SSL : 0) |
           (l->params.schema.len != 0 ? CLIENT_CONNECT_WITH_DB : 0);
}

static enum login_step
say_login(struct backend_login *l, struct buf *out)
{
    uint8_t      scramble[AUTH_HASH_BYTES];
    struct login login = {
        .capabilities = claimed(l),
        .max_packet   = 1U << 30,
        .charset      = l->params.charset,
        .user         = l->params.user,
        .auth         = { scramble, auth_scramble(l->params.password, l->nonce, scramble) },
        .schema       = l->params.schema,
        .plugin       = SPAN(PLUGIN_NATIVE_PASSWORD),
        .zstd_level   = ZSTD_LEVEL,
    };

    if (login.capabilities & (CLIENT_COMPRESS | CLIENT_ZSTD_COMPRESSION))
        l->compress = login.capabilities & CLIENT_COMPRESS ? COMPRESS_ZLIB : COMPRESS_ZSTD;
    login_encode(out, &l->reader.next_seq, &login);
    l->state = LOGIN_VERDICT;
    return LOGIN_STEP_AGAIN;
}

static enum login_step
read_greeting(struct backend_login *l, struct span payload, struct buf *out)
{
    struct greeting greeting;

    if (payload.ptr[0] == REPLY_ERR)
        return refused(l, payload);
    if (!greeting_decode(payload, &greeting))
        return fail(l, "cannot read the greeting");
    if ((greeting.capabilities & l->params.capabilities) != l->params.capabilities)
        return fail(l, "the server is too old: it lacks a capability that was promised");

    memcpy(l->nonce, greeting.nonce, sizeof(l->nonce));
    l->thread_id = greeting.thread_id;
    l->offered   = greeting.capabilities;
    if (!l->params.tls)
        return say_login(l, out);
    if (!(l->offered & CLIENT_SSL))
        return fail(l, "the server does not offer TLS, which server_tls demands");
    struct login request = { .capabilities = claimed(l),
                             .max_packet   = 1U << 30,
                             .charset      = l->params.charset };
    tls_request_encode(out, &l->reader.next_seq, &request);
    l->state = LOGIN_SECURE;
    return LOGIN_STEP_TLS;
}

/* --- plugins -------------------------------------------------------------- */

static void
answer(struct backend_login *l, struct span bytes, struct buf *out)
{
    auth_answer_encode(out, &l->reader.next_seq, bytes);
}

static enum login_step
switch_plugin(struct backend_login *l, struct span payload, struct buf *out)
{
    struct auth_switch request;
    enum auth_plugin   plugin;
    uint8_t            proof[ED25519_ANSWER_BYTES];
    size_t             len = 0;

    if (!auth_switch_decode(payload, &request) || !auth_plugin_find(request.plugin, &plugin))
        return fail(l, "the server wants an authentication plugin that shardd does not know");
    if (request.data.len < (plugin == AUTH_ED25519 ? ED25519_NONCE_BYTES : NONCE_BYTES))
        return fail(l, "the server's question is too short");
    memcpy(l->nonce, request.data.ptr, NONCE_BYTES);
    switch (plugin) {
    case AUTH_NATIVE:
        len = auth_scramble(l->params.password, l->nonce, proof);
        break;
    case AUTH_SHA2:
        len = sha2_scramble(l->params.password, l->nonce, proof);
        break;
    case AUTH_ED25519:
    case AUTH_PLUGINS:
        len = ED25519_ANSWER_BYTES;
        ed25519_sign(l->params.password, request.data.ptr, proof);
        break;
    }
    l->plugin = plugin;
    answer(l, (struct span){ proof, len }, out);
    return LOGIN_STEP_AGAIN;
}

/* The password itself, to a server that does not remember it. */
static enum login_step
say_password(struct backend_login *l, struct buf *out)
{
    static const uint8_t key_please = SHA2_KEY_PLEASE;

    if (!l->params.secure) {
        l->state = LOGIN_KEY;
        answer(l, (struct span){ &key_please, 1 }, out);
        return LOGIN_STEP_AGAIN;
    }
    struct buf text = { 0 };
    buf_append_span(&text, l->params.password);
    buf_append_byte(&text, 0);
    answer(l, buf_unread(&text), out);
    explicit_bzero(text.bytes, text.cap);
    buf_fini(&text);
    return LOGIN_STEP_AGAIN;
}

static enum login_step
read_more(struct backend_login *l, struct span payload, struct buf *out)
{
    if (l->plugin != AUTH_SHA2 || payload.len != 2)
        return fail(l, "unexpected reply");
    if (payload.ptr[1] == SHA2_QUICK_WORKS)
        return LOGIN_STEP_AGAIN;
    if (payload.ptr[1] == SHA2_FULL_PLEASE)
        return say_password(l, out);
    return fail(l, "unexpected reply");
}

static enum login_step
read_key(struct backend_login *l, struct span payload, struct buf *out)
{
    struct buf cipher = { 0 };

    if (payload.ptr[0] == REPLY_ERR)
        return refused(l, payload);
    if (payload.ptr[0] != SHA2_MORE ||
        !sha2_encrypt(span_from(payload, 1), l->params.password, l->nonce, &cipher)) {
        buf_fini(&cipher);
        return fail(l, "the server's RSA key cannot be used");
    }
    answer(l, buf_unread(&cipher), out);
    buf_fini(&cipher);
    l->state = LOGIN_VERDICT;
    return LOGIN_STEP_AGAIN;
}

static enum login_step
read_verdict(struct backend_login *l, struct span payload, struct buf *out)
{
    switch (payload.ptr[0]) {
    case REPLY_OK:
        l->state = LOGIN_READY;
        return LOGIN_STEP_DONE;
    case REPLY_EOF: /* the same byte: auth switch */
        return switch_plugin(l, payload, out);
    case SHA2_MORE:
        return read_more(l, payload, out);
    case REPLY_ERR:
        return refused(l, payload);
    default:
        return fail(l, "unexpected reply");
    }
}

static enum login_step
login_step(struct backend_login *l, struct span payload, struct buf *out)
{
    if (payload.len == 0)
        return fail(l, "an empty packet");
    switch (l->state) {
    case LOGIN_GREETING: return read_greeting(l, payload, out);
    case LOGIN_VERDICT:  return read_verdict(l, payload, out);
    case LOGIN_SECURE:   break;
    case LOGIN_KEY:      return read_key(l, payload, out);
    case LOGIN_READY:    return LOGIN_STEP_DONE;
    case LOGIN_FAILED:   return LOGIN_STEP_FAIL;
    }
    __builtin_unreachable();
}

enum login_step
backend_login_run(struct backend_login *l, struct span in, size_t *used, struct buf *out)
{
    enum login_step step = LOGIN_STEP_AGAIN;

    *used = 0;
    if (l->state == LOGIN_SECURE)
        step = say_login(l, out);
    while (step == LOGIN_STEP_AGAIN) {
        struct packet      packet;
        enum packet_status status = packet_next(&l->reader, span_from(in, *used), &packet);

        if (status == PACKET_PARTIAL)
            return LOGIN_STEP_WAIT;
        if (status != PACKET_OK)
            return fail(l, packet_status_name(status));
        *used += PACKET_HEADER_BYTES + packet.payload.len;
        step = login_step(l, packet.payload, out);
    }
    return step;
}

const char *
login_state_name(enum login_state state)
{
    static const char *const names[] = {
        [LOGIN_GREETING] = "greeting",
        [LOGIN_SECURE]   = "tls",
        [LOGIN_VERDICT]  = "verdict",
        [LOGIN_KEY]      = "key",
        [LOGIN_READY]    = "ready",
        [LOGIN_FAILED]   = "failed",
    };
    return names[state];
}
