/* tls.c - see tls.h.
 *
 *   raw --bio_read--> OpenSSL --SSL_read--> decoded
 *   ready <--bio_write-- OpenSSL <--SSL_write-- to encode
 */
#include "core/io/tls.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "core/base/memory.h"

enum { RECORD_BYTES = 16384, PEERS_MAX = 4096 };

struct tls_session {
    uint32_t     peer;
    SSL_SESSION *session; /* owned */
};

struct tls_context {
    SSL_CTX            *ssl;
    BIO_METHOD         *bio;
    uint32_t            refs;
    struct tls_session *sessions; /* of the client's side: the last one of each peer */
    uint32_t            n_sessions;
    bool                by_host;
};

struct tls {
    struct filter       filter;
    struct tls_context *ctx;
    SSL                *ssl;
    uint32_t            peer;
    bool                failed;
    char                why[160];
};

static const struct filter_ops tls_ops;

static struct tls *
of(struct filter *f)
{
    return container_of(f, struct tls, filter);
}

/* --- OpenSSL's side of the buffers ---------------------------------------- */

static int
bio_read(BIO *bio, char *out, int len)
{
    struct tls *t = BIO_get_data(bio);
    size_t      n = buf_len(&t->filter.raw);

    BIO_clear_retry_flags(bio);
    if (n == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    if (n > (size_t)len)
        n = (size_t)len;
    memcpy(out, buf_unread(&t->filter.raw).ptr, n);
    buf_consume(&t->filter.raw, n);
    return (int)n;
}

static int
bio_write(BIO *bio, const char *bytes, int len)
{
    struct tls *t = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    buf_append(&t->filter.ready, bytes, (size_t)len);
    return len;
}

static long
bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *
bio_new_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "stream");

    assert(m != NULL);
    BIO_meth_set_read(m, bio_read);
    BIO_meth_set_write(m, bio_write);
    BIO_meth_set_ctrl(m, bio_ctrl);
    return m;
}

/* --- contexts ------------------------------------------------------------- */

static const char *
reason(void)
{
    unsigned long code = ERR_peek_last_error();
    const char   *text = ERR_reason_error_string(code);

    return code == 0 ? "unknown error" : text != NULL ? text : strerror(ERR_GET_REASON(code));
}

static int
no_passphrase(char *out, int size, int writing, void *arg)
{
    (void)out;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static struct tls_context *
context_new(const SSL_METHOD *method)
{
    struct tls_context *ctx = mem_alloc(sizeof(*ctx));

    ctx->refs = 1;
    ctx->bio  = bio_new_method();
    ctx->ssl  = SSL_CTX_new(method);
    assert(ctx->ssl != NULL);
    SSL_CTX_set_min_proto_version(ctx->ssl, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ctx->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                   SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_default_passwd_cb(ctx->ssl, no_passphrase);
    SSL_CTX_set_app_data(ctx->ssl, ctx);
    return ctx;
}

struct tls_context *
tls_context_hold(struct tls_context *ctx)
{
    if (ctx != NULL)
        ctx->refs++;
    return ctx;
}

void
tls_context_drop(struct tls_context *ctx)
{
    if (ctx == NULL || --ctx->refs > 0)
        return;
    for (uint32_t i = 0; i < ctx->n_sessions; i++)
        SSL_SESSION_free(ctx->sessions[i].session);
    free(ctx->sessions);
    SSL_CTX_free(ctx->ssl);
    BIO_meth_free(ctx->bio);
    free(ctx);
}

static bool
use_cert(struct tls_context *ctx, const char *cert, const char *key, struct err *err)
{
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(ctx->ssl, cert) != 1)
        return err_set(err, "cannot use the certificate %s: %s", cert, reason());
    if (SSL_CTX_use_PrivateKey_file(ctx->ssl, key, SSL_FILETYPE_PEM) != 1)
        return err_set(err, "cannot use the key %s: %s", key, reason());
    if (SSL_CTX_check_private_key(ctx->ssl) != 1)
        return err_set(err, "the key %s does not belong to the certificate %s", key, cert);
    return true;
}

static bool
use_ca(struct tls_context *ctx, const char *ca, struct err *err)
{
    ERR_clear_error();
    if (SSL_CTX_load_verify_file(ctx->ssl, ca) != 1)
        return err_set(err, "cannot use the CA certificates %s: %s", ca, reason());
    return true;
}

static bool
serve(struct tls_context *ctx, const struct tls_server_params *p, struct err *err)
{
    static const unsigned char name[] = "shardd";

    if (!use_cert(ctx, p->cert, p->key, err))
        return false;
    if (p->only_13)
        SSL_CTX_set_min_proto_version(ctx->ssl, TLS1_3_VERSION);
    SSL_CTX_set_session_cache_mode(ctx->ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(ctx->ssl, name, sizeof(name) - 1);
    SSL_CTX_set_num_tickets(ctx->ssl, 1);
    unsigned char key[TLS_TICKET_KEY_BYTES];
    memcpy(key, p->ticket_key, sizeof(key));
    SSL_CTX_set_tlsext_ticket_keys(ctx->ssl, key, sizeof(key));
    OPENSSL_cleanse(key, sizeof(key));
    if (p->ca[0] == 0)
        return true;
    if (!use_ca(ctx, p->ca, err))
        return false;
    SSL_CTX_set_client_CA_list(ctx->ssl, SSL_load_client_CA_file(p->ca));
    SSL_CTX_set_verify(ctx->ssl, SSL_VERIFY_PEER |
                       (p->require_cert ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
    return true;
}

struct tls_context *
tls_server_new(const struct tls_server_params *params, struct err *err)
{
    struct tls_context *ctx = context_new(TLS_server_method());

    if (serve(ctx, params, err))
        return ctx;
    tls_context_drop(ctx);
    return NULL;
}

/* A ticket came: it replaces the peer's last one. Returns 1: we keep it. */
static int
keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls         *t   = SSL_get_app_data(ssl);
    struct tls_context *ctx = t->ctx;
    uint32_t            i   = 0;

    while (i < ctx->n_sessions && ctx->sessions[i].peer != t->peer)
        i++;
    if (i == PEERS_MAX)
        return 0;
    if (i < ctx->n_sessions) {
        SSL_SESSION_free(ctx->sessions[i].session);
    } else {
        ctx->n_sessions++;
        ctx->sessions = mem_resize(ctx->sessions, ctx->n_sessions * sizeof(*ctx->sessions));
    }
    ctx->sessions[i] = (struct tls_session){ t->peer, session };
    return 1;
}

struct tls_context *
tls_client_new(const struct tls_client_params *p, struct err *err)
{
    struct tls_context *ctx = context_new(TLS_client_method());

    SSL_CTX_set_session_cache_mode(ctx->ssl, SSL_SESS_CACHE_CLIENT |
                                   SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx->ssl, keep_session);
    ctx->by_host = p->verify == TLS_VERIFY_HOST;
    if (p->verify != TLS_VERIFY_NOTHING) {
        SSL_CTX_set_verify(ctx->ssl, SSL_VERIFY_PEER, NULL);
        if (p->ca[0] == 0)
            SSL_CTX_set_default_verify_paths(ctx->ssl);
        else if (!use_ca(ctx, p->ca, err))
            goto fail;
    }
    if (p->cert[0] != 0 && !use_cert(ctx, p->cert, p->key, err))
        goto fail;
    return ctx;
fail:
    tls_context_drop(ctx);
    return NULL;
}

/* --- filters -------------------------------------------------------------- */

static struct tls *
tls_new(struct tls_context *ctx)
{
    struct tls *t   = mem_alloc(sizeof(*t));
    BIO        *bio = BIO_new(ctx->bio);

    t->filter.ops = &tls_ops;
    t->ctx        = ctx;
    t->ssl        = SSL_new(ctx->ssl);
    assert(t->ssl != NULL && bio != NULL);
    ctx->refs++;
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    SSL_set_bio(t->ssl, bio, bio);
    SSL_set_app_data(t->ssl, t);
    return t;
}

struct filter *
tls_accept(struct tls_context *ctx)
{
    struct tls *t = tls_new(ctx);

    SSL_set_accept_state(t->ssl);
    return &t->filter;
}

/* An address is compared with the certificate's addresses, a name with its names. */
static void
expect_host(struct tls *t, const char *host)
{
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(t->ssl), host) == 1)
        return;
    SSL_set_hostflags(t->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    SSL_set1_host(t->ssl, host);
    SSL_set_tlsext_host_name(t->ssl, host);
}

struct filter *
tls_connect(struct tls_context *ctx, const char *host, uint32_t peer)
{
    struct tls *t = tls_new(ctx);

    t->peer = peer;
    SSL_set_connect_state(t->ssl);
    if (ctx->by_host)
        expect_host(t, host);
    for (uint32_t i = 0; i < ctx->n_sessions; i++)
        if (ctx->sessions[i].peer == peer)
            SSL_set_session(t->ssl, ctx->sessions[i].session);
    return &t->filter;
}

static int
fail(struct tls *t)
{
    long        verdict = SSL_get_verify_result(t->ssl);
    const char *text    = verdict != X509_V_OK ? X509_verify_cert_error_string(verdict) : reason();

    if (!t->failed)
        snprintf(t->why, sizeof(t->why), "%s", text);
    t->failed = true;
    return -EPROTO;
}

/* What `result` of an SSL_ function means: 0 is "later". */
static int
judge(struct tls *t, int result)
{
    switch (SSL_get_error(t->ssl, result)) {
    case SSL_ERROR_NONE:
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        return -ESHUTDOWN;
    default:
        return fail(t);
    }
}

static int
decode(struct filter *f, struct buf *to, size_t want)
{
    struct tls *t = of(f);

    if (t->failed)
        return -EPROTO;
    for (size_t got = 0, n; got < want; got += n) {
        ERR_clear_error();
        int result = SSL_read_ex(t->ssl, buf_reserve(to, RECORD_BYTES), RECORD_BYTES, &n);
        if (result != 1)
            return judge(t, result);
        buf_commit(to, n);
    }
    return 0;
}

static void
encode(struct filter *f, struct buf *from)
{
    struct tls *t = of(f);
    size_t      n;

    ERR_clear_error();
    if (!t->failed && !SSL_is_init_finished(t->ssl))
        (void)judge(t, SSL_do_handshake(t->ssl));
    while (!t->failed && SSL_is_init_finished(t->ssl) && buf_len(from) > 0) {
        struct span bytes  = buf_unread(from);
        int         result = SSL_write_ex(t->ssl, bytes.ptr, bytes.len, &n);
        if (result != 1) {
            (void)judge(t, result);
            return;
        }
        buf_consume(from, n);
    }
}

static void
finish(struct filter *f)
{
    struct tls *t = of(f);

    if (!t->failed && SSL_is_init_finished(t->ssl))
        (void)SSL_shutdown(t->ssl);
}

static void
tls_free(struct filter *f)
{
    struct tls *t = of(f);

    /* Or OpenSSL would take a connection that was cut for one whose session is bad. */
    if (!t->failed)
        SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(t->ssl);
    tls_context_drop(t->ctx);
    free(t);
}

static const struct filter_ops tls_ops = { decode, encode, finish, tls_free };

/* --- what it was ---------------------------------------------------------- */

static const struct tls *
find(const struct filter *f)
{
    while (f != NULL && f->ops != &tls_ops)
        f = f->below;
    return f == NULL ? NULL : (const struct tls *)((const char *)f - offsetof(struct tls, filter));
}

bool
tls_info(const struct filter *filter, struct tls_info *out)
{
    const struct tls *t = find(filter);

    if (t == NULL || !SSL_is_init_finished(t->ssl))
        return false;
    *out = (struct tls_info){
        .version  = SSL_get_version(t->ssl),
        .cipher   = SSL_get_cipher_name(t->ssl),
        .resumed  = SSL_session_reused(t->ssl) != 0,
        .verified = SSL_get0_peer_certificate(t->ssl) != NULL &&
                    SSL_get_verify_result(t->ssl) == X509_V_OK,
    };
    return true;
}

const char *
tls_failure(const struct filter *filter)
{
    const struct tls *t = find(filter);

    return t == NULL ? "" : t->why;
}
