/* client_login.c - who is there.
 *
 * The greeting promises exactly what answers can be relayed with: backends agree
 * on the same capabilities as their clients. It names mysql_native_password; a
 * client whose user has another plugin is asked to switch (client_auth.c).
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/base/log.h"
#include "core/io/proxy.h"
#include "core/io/tls.h"
#include "core/mysql/auth.h"
#include "workers/backend/care.h"
#include "workers/client/client.h"
#include "workers/query/limits.h"
#include "workers/query/track.h"

enum {
    ERR_HOST      = 1130, /* ER_HOST_NOT_PRIVILEGED */
    ERR_HANDSHAKE = 1043, /* ER_HANDSHAKE_ERROR */
    ERR_DENIED    = 1045, /* ER_ACCESS_DENIED_ERROR */
    ERR_BAD_DB    = 1049, /* ER_BAD_DB_ERROR */
    ERR_LOCKED    = 4151, /* ER_ACCOUNT_HAS_BEEN_LOCKED */
    ERR_INSECURE  = 3159, /* ER_SECURE_TRANSPORT_REQUIRED, MySQL's */
};

/* What we can do between any client and any server. */
static const uint64_t offered =
    CLIENT_FOUND_ROWS | CLIENT_LONG_FLAG | CLIENT_CONNECT_WITH_DB | CLIENT_NO_SCHEMA |
    CLIENT_ODBC | CLIENT_LOCAL_FILES | CLIENT_IGNORE_SPACE | CLIENT_PROTOCOL_41 |
    CLIENT_INTERACTIVE | CLIENT_TRANSACTIONS | CLIENT_SECURE_CONNECTION |
    CLIENT_MULTI_STATEMENTS | CLIENT_MULTI_RESULTS | CLIENT_PS_MULTI_RESULTS |
    CLIENT_PLUGIN_AUTH | CLIENT_CONNECT_ATTRS | CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA |
    CLIENT_SESSION_TRACK | CLIENT_DEPRECATE_EOF | CLIENT_RESERVED |
    MARIADB_CLIENT_EXTENDED_METADATA | MARIADB_CLIENT_STMT_BULK_OPERATIONS;

/* Of these the backends' connections must have what the client's has. */
static const uint64_t shared =
    CLIENT_FOUND_ROWS | CLIENT_NO_SCHEMA | CLIENT_ODBC | CLIENT_LOCAL_FILES |
    CLIENT_IGNORE_SPACE | CLIENT_SESSION_TRACK | CLIENT_DEPRECATE_EOF |
    MARIADB_CLIENT_EXTENDED_METADATA;

static const uint64_t always =
    CLIENT_PROTOCOL_41 | CLIENT_LONG_FLAG | CLIENT_TRANSACTIONS | CLIENT_SECURE_CONNECTION |
    CLIENT_MULTI_RESULTS | CLIENT_PS_MULTI_RESULTS | CLIENT_PLUGIN_AUTH |
    CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA;

/* MySQL's clients prefer the second when they may use both. */
static const uint64_t compression = CLIENT_COMPRESS | CLIENT_ZSTD_COMPRESSION;

void
client_greet(struct client *c, const struct sock_addr *peer)
{
    uint64_t        offers   = offered | (c->ctx->secure.clients != NULL ? CLIENT_SSL : 0) |
                      (c->ctx->conf.compression_level > 0 ? compression : 0);
    struct greeting greeting = {
        .version      = span_of(c->ctx->conf.server_version),
        .thread_id    = (uint32_t)c->session.id,
        .capabilities = offers,
        .charset      = CHARSET_UTF8MB4_GENERAL_CI,
        .status       = SERVER_STATUS_AUTOCOMMIT,
        .plugin       = SPAN(PLUGIN_NATIVE_PASSWORD),
    };

    c->login          = mem_alloc(sizeof(*c->login));
    c->login->client  = c;
    list_init(&c->login->turn);
    c->login->offered = offers;
    c->login->peer    = *peer;
    if (auth_nonce(c->nonce) != 0) {
        client_close(c, COUNTER_CLOSED_LOGIN, NULL);
        return;
    }
    memcpy(c->login->nonce, c->nonce, NONCE_BYTES);
    memcpy(greeting.nonce, c->nonce, NONCE_BYTES);
    greeting_encode(stream_out(&c->stream), &c->reader.next_seq, &greeting);
    stream_flush(&c->stream);
}

static void
refuse(struct client *c, enum counter why, uint16_t code, const char *fmt, ...)
    printf_like(4, 5);

static void
refuse(struct client *c, enum counter why, uint16_t code, const char *fmt, ...)
{
    struct sql_error error;
    char             text[sizeof(error.message)], peer[SOCK_NAME_BYTES];
    va_list          args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    sql_error_set(&error, code, "%s", text);
    slot_count(c->ctx->slot, why);
    log_debug("client %s: %s", sock_name(&c->login->peer, peer), text);
    client_refuse_login(c, &error);
}

void
client_refuse_login(struct client *c, const struct sql_error *error)
{
    if (c->login->changing)
        client_change_failed(c, error);
    else
        client_close(c, COUNTER_CLOSED_LOGIN, error);
}

void
client_deny(struct client *c, bool used_password)
{
    char host[SOCK_NAME_BYTES];

    refuse(c, c->login->known ? COUNTER_LOGIN_FAILED_PASSWORD : COUNTER_LOGIN_FAILED_USER,
           ERR_DENIED, "Access denied for user '%s'@'%s' (using password: %s)", c->session.user,
           sock_host(&c->login->peer, host), used_password ? "YES" : "NO");
}

/* --- after the proof ----------------------------------------------------- */

/* Everything but the proof: the schema is there, the limits are not reached. From then on
 * the connection counts as one of the user's. */
static bool
may_enter(struct client *c, const char *schema, struct sql_error *error)
{
    const struct routes *r  = c->ctx->routes->routes;
    uint32_t             at = routes_user(r, span_of(c->session.user));

    if (schema != NULL && routes_database(r, span_of(schema)) == ROUTES_NONE &&
        !session_is_system_schema(span_of(schema))) {
        slot_count(c->ctx->slot, COUNTER_LOGIN_FAILED_DATABASE);
        return sql_error_set(error, ERR_BAD_DB, "Unknown database '%s'", schema);
    }
    if (r->users[at].locked) {
        slot_count(c->ctx->slot, COUNTER_LOGIN_FAILED_USER);
        return sql_error_set(error, ERR_LOCKED, "Access denied, this account is locked");
    }
    return client_count(c, &r->users[at], error);
}

/* `host` as the process list tells it. */
static void
enter_session(struct client *c, const char *schema, const char *host)
{
    struct routes  *r = c->ctx->routes->routes;
    struct session *s = &c->session;

    const struct route_user *user = &r->users[routes_user(r, span_of(s->user))];

    s->admin       = user->admin;
    s->user_commit = user->commit;
    free(s->host);
    s->host = strchr(host, ':') != NULL ? mem_strdup(host) : NULL;
    memcpy(s->limit, user->limit, sizeof(s->limit));
    limits_begin(s);
    session_set_schema(s, span_of(schema));
    c->state     = CLIENT_IDLE;
    c->active_ms = ring_now_ms(c->ctx->ring);
    c->reader.next_seq = 0;
    c->reader.limit    = (size_t)c->ctx->conf.max_packet_bytes;
    s->row = c->row;
    slot_count(c->ctx->slot, COUNTER_LOGINS);
    client_login(c->ctx->slot, c->row, s->id, span_of(s->user), span_of(host), span_of(s->schema),
                 slots_now_ms());
    timer_stop(ring_timers(c->ctx->ring), &c->timer);
    client_watch(c);
    for (uint32_t i = 0; c->ctx->conf.pool_min_idle > 0 && i < r->n_shards; i++)
        care_warm(session_pool(s, r->shards[i].id), span_of(s->schema));
}

static int
compression_level(const struct client *c)
{
    return c->login->compress == COMPRESS_ZSTD ? c->login->zstd_level
                                               : (int)c->ctx->conf.compression_level;
}

void
client_welcome(struct client *c)
{
    struct ok        ok    = { .status = SERVER_STATUS_AUTOCOMMIT };
    struct arena     arena = { 0 };
    char             host[SOCK_NAME_BYTES];
    struct sql_error error;

    if (routes_user(c->ctx->routes->routes, span_of(c->session.user)) == ROUTES_NONE) {
        client_deny(c, true); /* removed while it logged in */
        return;
    }
    if (!may_enter(c, c->login->schema, &error)) {
        client_refuse_login(c, &error);
        return;
    }
    if (c->login->schema != NULL)
        ok.track = track_schema(&arena, &c->session, span_of(c->login->schema));
    uint8_t seq = c->reader.next_seq;
    reply_ok_encode(stream_out(&c->stream), &seq, c->session.capabilities, &ok);
    arena_fini(&arena);
    stream_flush(&c->stream);
    if (c->login->compress != COMPRESS_NONE)
        stream_add_filter(&c->stream, compress_new(c->login->compress, compression_level(c),
                                                   false));
    char *schema = c->login->schema;
    c->login->schema = NULL;
    if (sock_is_unix(&c->login->peer))
        sock_host(&c->login->peer, host);
    else
        sock_name(&c->login->peer, host);
    if (c->host == NULL) {
        c->host  = mem_strdup(host);
        c->local = sock_is_unix(&c->login->peer) && !c->login->proxied;
    }
    client_login_free(c);
    enter_session(c, schema, host);
    free(schema);
}

bool
client_enter(struct client *c, const char *user, const char *schema, const char *host,
             struct sql_error *error)
{
    struct session *s = &c->session;

    s->user         = mem_strdup(user);
    s->capabilities = always | CLIENT_DEPRECATE_EOF;
    s->charset      = CHARSET_UTF8MB4_GENERAL_CI;
    session_reset(s);
    schema = schema[0] != 0 ? schema : NULL;
    if (!may_enter(c, schema, error))
        return false;
    enter_session(c, schema, host);
    return true;
}

/* --- TLS ------------------------------------------------------------------ */

/* The first packet of a handshake makes us compute a signature. */
static void
await_tls(struct client *c)
{
    if (c->stream.filter != NULL || c->ctx->secure.clients == NULL)
        client_begin_tls(c);
    else if (stream_unread(&c->stream).len > 0)
        client_wait_for_turn(c, LOGIN_WORK_TLS);
    else
        c->login->wait = LOGIN_WAIT_HELLO;
}

void
client_begin_tls(struct client *c)
{
    c->login->wait = LOGIN_WAIT_RESPONSE;
    if (c->stream.filter == NULL && c->ctx->secure.clients != NULL)
        stream_add_filter(&c->stream, tls_accept(c->ctx->secure.clients));
    else
        refuse(c, COUNTER_LOGIN_FAILED_PROTOCOL, ERR_HANDSHAKE,
               "shardd: TLS is not offered; connect without it");
}

/* Our alert is on its way: it says why. */
void
client_tls_failed(struct client *c)
{
    char peer[SOCK_NAME_BYTES];

    slot_count(c->ctx->slot, COUNTER_LOGIN_FAILED_TLS);
    log_debug("client %s: the TLS handshake failed: %s", sock_name(&c->login->peer, peer),
              tls_failure(c->stream.filter));
    client_hang_up(c, COUNTER_CLOSED_LOGIN);
}

bool
client_is_secure(const struct client *c)
{
    struct tls_info info;

    return (sock_is_unix(&c->login->peer) && !c->login->proxied) ||
           tls_info(c->stream.filter, &info);
}

/* Counts the handshake; false when the login was refused. */
static bool
is_secure_enough(struct client *c)
{
    struct tls_info info;

    if (tls_info(c->stream.filter, &info)) {
        slot_count(c->ctx->slot, info.resumed ? COUNTER_TLS_RESUMED : COUNTER_TLS_FULL);
        return true;
    }
    if (client_is_secure(c) || !c->ctx->conf.require_secure_transport)
        return true;
    refuse(c, COUNTER_LOGIN_FAILED_INSECURE, ERR_INSECURE,
           "Connections using insecure transport are prohibited while "
           "--require_secure_transport=ON. (shardd: connect with TLS)");
    return false;
}

/* --- packets ------------------------------------------------------------- */

void
client_find_user(struct client *c, struct span name)
{
    struct client_login *l = c->login;
    const struct routes *r = c->ctx->routes->routes;
    uint32_t             u = routes_user(r, name);

    c->session.user = mem_strndup(name.ptr, name.len);
    l->known        = u != ROUTES_NONE;
    if (!l->known)
        return;
    const struct route_user *user = &r->users[u];
    l->plugin = user->plugin;
    const struct span proofs[] = { user->verifier, user->old_verifier };
    for (size_t i = 0; i < countof(proofs); i++)
        if (proofs[i].len != 0)
            memcpy(l->verifier[l->n_verifiers++], proofs[i].ptr, proofs[i].len);
}

/* A native answer that came with no name, or a wrong one, may be asked for again;
 * those of client_ed25519 sign a longer nonce than a greeting has. */
bool
client_answers_plugin(const struct client_login *l, const struct login *login)
{
    bool native = login->plugin.len == 0
                      ? !(login->capabilities & CLIENT_PLUGIN_AUTH)
                      : span_equal(login->plugin, SPAN(PLUGIN_NATIVE_PASSWORD));

    switch (l->plugin) {
    case AUTH_NATIVE: return native;
    case AUTH_SHA2: return span_equal(login->plugin, span_of(auth_plugin_name(AUTH_SHA2)));
    case AUTH_ED25519:
    case AUTH_PLUGINS: break;
    }
    return false;
}

static void
read_response(struct client *c, struct span payload)
{
    struct client_login *l = c->login;
    struct login         login;

    switch (login_decode(payload, l->offered, &login)) {
    case LOGIN_RESPONSE: break;
    case LOGIN_TLS_REQUEST:
        await_tls(c);
        return;
    case LOGIN_TOO_OLD:
    case LOGIN_MALFORMED:
        slot_count(c->ctx->slot, COUNTER_MALFORMED_PACKETS);
        refuse(c, COUNTER_LOGIN_FAILED_PROTOCOL, ERR_HANDSHAKE, "Bad handshake");
        return;
    }
    if (!is_secure_enough(c))
        return;
    l->zstd_level = login.zstd_level;
    if (login.capabilities & compression)
        l->compress = login.capabilities & CLIENT_COMPRESS ? COMPRESS_ZLIB : COMPRESS_ZSTD;
    struct session *s = &c->session;
    s->capabilities     = (login.capabilities & shared) | always;
    s->charset          = login.charset != 0 ? login.charset : CHARSET_UTF8MB4_GENERAL_CI;
    c->multi_statements = (login.capabilities & CLIENT_MULTI_STATEMENTS) != 0;
    c->claimed          = login.capabilities;
    session_reset(s);
    if (login.user.len >= sizeof(((struct pool_key *)0)->user)) {
        refuse(c, COUNTER_LOGIN_FAILED_PROTOCOL, ERR_HANDSHAKE, "Bad handshake");
        return;
    }
    client_find_user(c, login.user);
    if (login.schema.len != 0)
        l->schema = mem_strndup(login.schema.ptr, login.schema.len);
    if (client_answers_plugin(l, &login))
        client_answer(c, login.auth);
    else if (login.capabilities & CLIENT_PLUGIN_AUTH)
        client_ask(c); /* what it sent is for another plugin, or for none */
    else
        client_deny(c, login.auth.len != 0);
}

/* --- behind a load balancer ------------------------------------------------ */

enum { SURE_BYTES = 6 }; /* no packet of a login begins like so much of a header */

/* A header of the PROXY protocol stands before the client's first packet, if at all. False:
 * it is not complete yet, or the login was refused. */
static bool
take_proxy_header(struct client *c)
{
    struct client_login *l = c->login;
    const struct conf   *conf = &c->ctx->conf;
    struct proxy_header  header;
    char                 peer[SOCK_NAME_BYTES];

    if (!conf->proxy_protocol || l->proxied || l->wait != LOGIN_WAIT_RESPONSE ||
        c->stream.filter != NULL)
        return true;
    enum proxy_result result = proxy_parse(stream_unread(&c->stream), &header);
    if (result == PROXY_NONE)
        return true;
    bool sure = result != PROXY_PARTIAL || stream_unread(&c->stream).len >= SURE_BYTES;
    if (sure && !conf_networks_have(conf->proxy_networks, &l->peer.addr)) {
        refuse(c, COUNTER_LOGIN_FAILED_PROXY, ERR_HOST, "shardd: a PROXY header from %s is not "
               "accepted: see proxy_networks", sock_host(&l->peer, peer));
        return false;
    }
    if (result == PROXY_BAD)
        refuse(c, COUNTER_LOGIN_FAILED_PROXY, ERR_HANDSHAKE,
               "Bad handshake (shardd: a malformed PROXY header)");
    if (result != PROXY_OK)
        return false;
    l->proxied = true;
    if (header.client.len != 0)
        l->peer = header.client;
    stream_consume(&c->stream, header.used);
    return true;
}

void
client_log_in(struct client *c)
{
    struct message     message;

    if (c->login->wait == LOGIN_WAIT_HELLO)
        client_wait_for_turn(c, LOGIN_WORK_TLS);
    if (c->login->wait == LOGIN_WAIT_TURN || !take_proxy_header(c))
        return;
    enum packet_status status = message_next(&c->reader, stream_unread(&c->stream), &c->command,
                                             &message);

    if (status == PACKET_PARTIAL)
        return;
    if (status != PACKET_OK) {
        slot_count(c->ctx->slot, COUNTER_MALFORMED_PACKETS);
        refuse(c, COUNTER_LOGIN_FAILED_PROTOCOL, ERR_HANDSHAKE, "Bad handshake");
        return;
    }
    struct span payload = message.payload; /* good until we return, consumed or not */
    stream_consume(&c->stream, message.used);
    if (c->login->wait == LOGIN_WAIT_RESPONSE)
        read_response(c, payload);
    else
        client_answer(c, payload);
    buf_fini(&c->command);
}
