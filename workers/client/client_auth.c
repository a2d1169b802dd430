/* client_auth.c - what a client says to prove who it is, plugin by plugin.
 *
 *                 +-----------------------------> welcome / deny
 *   RESPONSE --> ANSWER --> PASSWORD --> TURN ----^
 *                              |          ^
 *                              +-> CIPHER-+       (caching_sha2_password)
 *
 * caching_sha2_password: `quick` hashes of passwords that were proven in full are
 * remembered by the verifier that they were proven against, so a new password is a
 * new entry and the old one is never asked for again. The table has one place per
 * verifier's first bits (its random salt); who is pushed out of it proves in full
 * again. Hashing a password takes some 3 ms and verifying a signature 0.1, so
 * they wait for their turn (client_turn.c).
 *
 * Somebody unknown fails as late as a native user with a wrong password.
 */
#include <stdlib.h>

#include <openssl/crypto.h>

#include "core/base/memory.h"
#include "core/mysql/auth.h"
#include "core/mysql/auth_ed25519.h"
#include "core/mysql/auth_sha2.h"
#include "workers/client/client.h"

enum {
    PLACES   = 1024,
    MAX_WAIT = 5000, /* logins that wait to be hashed; 15 s of work */
};

struct place {
    uint8_t verifier[SHA2_VERIFIER_BYTES]; /* all zeroes: empty */
    uint8_t quick[SHA2_BYTES];
};

struct logins {
    struct place place[PLACES];
};

/* --- what is remembered --------------------------------------------------- */

static struct place *
place_of(struct logins *logins, const uint8_t *verifier)
{
    uint16_t at;

    memcpy(&at, verifier, sizeof(at));
    return &logins->place[at % PLACES];
}

static const uint8_t *
quick_of(struct logins *logins, const uint8_t *verifier)
{
    struct place *place = place_of(logins, verifier);

    return memcmp(place->verifier, verifier, sizeof(place->verifier)) == 0 ? place->quick : NULL;
}

static void
remember(struct logins *logins, const uint8_t *verifier, struct span password)
{
    struct place *place = place_of(logins, verifier);

    memcpy(place->verifier, verifier, sizeof(place->verifier));
    sha2_quick(password, place->quick);
}

/* Hashes it, unless somebody before has proven this or another one. */
static bool
is_password(struct logins *logins, const uint8_t *verifier, struct span password)
{
    const uint8_t *known = quick_of(logins, verifier);
    uint8_t        quick[SHA2_BYTES];

    if (password.len == 0)
        return false;
    if (known == NULL) {
        bool good = sha2_check(password, verifier);
        if (good)
            remember(logins, verifier, password);
        return good;
    }
    sha2_quick(password, quick);
    bool good = memcmp(known, quick, sizeof(quick)) == 0;
    explicit_bzero(quick, sizeof(quick));
    return good;
}

/* --- what takes long ------------------------------------------------------ */

static struct logins *
logins_of(struct context *ctx)
{
    if (ctx->logins == NULL)
        ctx->logins = mem_alloc(sizeof(*ctx->logins));
    return ctx->logins;
}

static bool
proves_password(struct client *c)
{
    struct client_login *l        = c->login;
    struct buf           password = { 0 };
    bool                 good     = false;

    if (!l->encrypted) {
        password  = l->secret;
        l->secret = (struct buf){ 0 };
    } else if (c->ctx->secure.rsa == NULL ||
               !sha2_decrypt(c->ctx->secure.rsa, buf_unread(&l->secret), l->nonce, &password)) {
        buf_clear(&password);
    }
    for (unsigned i = 0; i < l->n_verifiers && !good; i++)
        good = is_password(logins_of(c->ctx), l->verifier[i], buf_unread(&password));
    if (password.bytes != NULL)
        explicit_bzero(password.bytes, password.cap);
    buf_fini(&password);
    return good;
}

static bool
ed25519_proves(const struct client_login *l, struct span answer)
{
    bool good = l->n_verifiers == 0 && answer.len == 0;

    for (unsigned i = 0; i < l->n_verifiers; i++)
        good = good || ed25519_verify(answer, l->nonce, l->verifier[i]);
    return good;
}

void
client_prove(struct client *c)
{
    struct client_login *l    = c->login;
    bool                 some = buf_len(&l->secret) != 0 || l->work == LOGIN_WORK_PASSWORD;

    if (l->work == LOGIN_WORK_PROOF ? ed25519_proves(l, buf_unread(&l->secret))
                                    : proves_password(c))
        client_welcome(c);
    else
        client_deny(c, some);
}

static void
wait_for_turn(struct client *c, enum login_work work, struct span secret, bool encrypted)
{
    struct client_login *l = c->login;

    if (client_turns(c->ctx) >= MAX_WAIT || secret.len > 4 * SHA2_PASSWORD_MAX) {
        client_deny(c, true);
        return;
    }
    buf_append_span(&l->secret, secret);
    l->encrypted = encrypted;
    client_wait_for_turn(c, work);
}

static void
decide(struct client *c, bool good, struct span answer)
{
    if (good)
        client_welcome(c);
    else
        client_deny(c, answer.len != 0);
}

/* --- caching_sha2_password ------------------------------------------------ */

static void
say_more(struct client *c, struct span data)
{
    auth_more_encode(stream_out(&c->stream), &c->reader.next_seq, data);
    stream_flush(&c->stream);
}

static void
sha2_answer(struct client *c, struct span answer)
{
    static const uint8_t works = SHA2_QUICK_WORKS, full = SHA2_FULL_PLEASE;
    struct client_login *l      = c->login;
    struct logins       *logins = logins_of(c->ctx);
    unsigned             known  = 0;

    if (answer.len <= 1 || l->n_verifiers == 0) { /* none is sent as nothing, or as a NUL */
        decide(c, answer.len <= 1 && l->n_verifiers == 0, answer);
        return;
    }
    for (unsigned i = 0; i < l->n_verifiers; i++) {
        const uint8_t *quick = quick_of(logins, l->verifier[i]);
        known += quick != NULL;
        if (quick == NULL || !sha2_verify(answer, l->nonce, quick))
            continue;
        say_more(c, (struct span){ &works, 1 });
        client_welcome(c);
        return;
    }
    if (known == l->n_verifiers) {
        client_deny(c, true);
        return;
    }
    l->wait = LOGIN_WAIT_PASSWORD;
    say_more(c, (struct span){ &full, 1 });
}

static void
sha2_password(struct client *c, struct span said)
{
    const struct sha2_key *rsa = c->ctx->secure.rsa;

    if (client_is_secure(c)) {
        if (said.len > 0 && said.ptr[said.len - 1] == 0)
            said.len--;
        wait_for_turn(c, LOGIN_WORK_PASSWORD, said, false);
    } else if (rsa == NULL) {
        struct sql_error error;
        slot_count(c->ctx->slot, COUNTER_LOGIN_FAILED_INSECURE);
        sql_error_set(&error, 1045, "Access denied for user '%s': shardd: the first login with "
                      "caching_sha2_password needs TLS or a Unix socket; or set rsa_key",
                      c->session.user);
        client_refuse_login(c, &error);
    } else if (said.len == 1 && said.ptr[0] == SHA2_KEY_PLEASE) {
        c->login->wait = LOGIN_WAIT_CIPHER;
        say_more(c, sha2_key_public(rsa));
    } else {
        wait_for_turn(c, LOGIN_WORK_PASSWORD, said, true);
    }
}

/* --- all ------------------------------------------------------------------ */

static bool
native_proves(const struct client_login *l, struct span answer)
{
    static const uint8_t nobody[AUTH_HASH_BYTES];
    bool                 good = false;

    if (l->known && l->n_verifiers == 0)
        return answer.len == 0;
    if (!l->known)
        return auth_verify(answer, l->nonce, nobody) && l->known;
    for (unsigned i = 0; i < l->n_verifiers; i++)
        good |= auth_verify(answer, l->nonce, l->verifier[i]);
    return good;
}

void
client_answer(struct client *c, struct span answer)
{
    struct client_login *l = c->login;

    if (l->wait == LOGIN_WAIT_PASSWORD)
        sha2_password(c, answer);
    else if (l->wait == LOGIN_WAIT_CIPHER)
        wait_for_turn(c, LOGIN_WORK_PASSWORD, answer, true);
    else if (l->plugin == AUTH_SHA2)
        sha2_answer(c, answer);
    else if (l->plugin == AUTH_ED25519)
        wait_for_turn(c, LOGIN_WORK_PROOF, answer, false);
    else
        decide(c, native_proves(l, answer), answer);
}

bool
client_password_is(struct context *ctx, const struct route_user *user, struct span password)
{
    const struct span proofs[] = { user->verifier, user->old_verifier };
    uint8_t           own[AUTH_VERIFIER_MAX];

    if (user->verifier.len == 0 || password.len == 0)
        return user->verifier.len == 0 && password.len == 0;
    if (user->plugin != AUTH_SHA2 && auth_plugin_verifier(user->plugin, password, own) != 0)
        return false;
    for (size_t i = 0; i < countof(proofs); i++) {
        if (proofs[i].len == 0)
            continue;
        if (user->plugin == AUTH_SHA2 ? is_password(logins_of(ctx), proofs[i].ptr, password)
                                      : CRYPTO_memcmp(own, proofs[i].ptr, proofs[i].len) == 0)
            return true;
    }
    return false;
}

void
client_ask(struct client *c)
{
    struct client_login *l       = c->login;
    size_t               len     = NONCE_BYTES;
    struct auth_switch   request = { .plugin = span_of(auth_plugin_name(l->plugin)) };

    if (l->plugin == AUTH_ED25519) {
        uint8_t more[NONCE_BYTES];
        len = ED25519_NONCE_BYTES;
        if (auth_nonce(more) != 0) {
            client_close(c, COUNTER_CLOSED_LOGIN, NULL);
            return;
        }
        memcpy(l->nonce + NONCE_BYTES, more, ED25519_NONCE_BYTES - NONCE_BYTES);
    }
    request.data = (struct span){ l->nonce, len };
    l->wait      = LOGIN_WAIT_ANSWER;
    auth_switch_encode(stream_out(&c->stream), &c->reader.next_seq, &request);
    stream_flush(&c->stream);
}

void
client_login_free(struct client *c)
{
    struct client_login *l = c->login;

    client_leave_turn(l);
    if (l->secret.bytes != NULL)
        explicit_bzero(l->secret.bytes, l->secret.cap);
    buf_fini(&l->secret);
    free(l->schema);
    if (l->former_key != 0)
        slot_user_leave(c->ctx->slot, l->former_key, false);
    free(l->former_user);
    free(l->former_schema);
    free(l);
    c->login = NULL;
}
