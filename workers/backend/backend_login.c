/* backend_login.c - the states of a connection that is not yet usable.
 *
 *                          server asks again
 *                             +------+
 *                             |      v
 *   GREETING --------------> VERDICT ------> READY
 *
 *   (every state can also go to FAILED, which is the end)
 *
 * A step looks at the state, takes a packet, says what it has to say, and
 * picks the next state. It does no I/O and never waits, so the whole exchange
 * can be tested from a string.
 */
#include "workers/backend/backend_login.h"

#include "core/mysql/auth.h"
#include "core/mysql/reply.h"

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

static enum login_step
read_greeting(struct backend_login *l, struct span payload, struct buf *out)
{
    struct greeting greeting;
    uint8_t         scramble[AUTH_HASH_BYTES];

    if (payload.ptr[0] == REPLY_ERR)
        return refused(l, payload);
    if (!greeting_decode(payload, &greeting))
        return fail(l, "cannot read the greeting");
    if ((greeting.capabilities & l->params.capabilities) != l->params.capabilities)
        return fail(l, "the server is too old: it lacks a capability that was promised");

    memcpy(l->nonce, greeting.nonce, sizeof(l->nonce));
    l->thread_id = greeting.thread_id;

    struct login login = {
        .capabilities = l->params.capabilities,
        .max_packet   = 1U << 30,
        .charset      = l->params.charset,
        .user         = l->params.user,
        .auth         = { scramble, auth_scramble(l->params.password, l->nonce, scramble) },
        .schema       = l->params.schema,
        .plugin       = SPAN(PLUGIN_NATIVE_PASSWORD),
    };
    if (login.schema.len != 0)
        login.capabilities |= CLIENT_CONNECT_WITH_DB;
    login_encode(out, &l->reader.next_seq, &login);
    l->state = LOGIN_VERDICT;
    return LOGIN_STEP_AGAIN;
}

static enum login_step
switch_plugin(struct backend_login *l, struct span payload, struct buf *out)
{
    struct auth_switch request;
    uint8_t            scramble[AUTH_HASH_BYTES];

    if (!auth_switch_decode(payload, &request) || request.data.len < NONCE_BYTES ||
        !span_equal(request.plugin, SPAN(PLUGIN_NATIVE_PASSWORD)))
        return fail(l, "the server wants an authentication plugin other than "
                       PLUGIN_NATIVE_PASSWORD);
    memcpy(l->nonce, request.data.ptr, NONCE_BYTES);
    size_t len = auth_scramble(l->params.password, l->nonce, scramble);
    auth_answer_encode(out, &l->reader.next_seq, (struct span){ scramble, len });
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
        [LOGIN_VERDICT]  = "verdict",
        [LOGIN_READY]    = "ready",
        [LOGIN_FAILED]   = "failed",
    };
    return names[state];
}
