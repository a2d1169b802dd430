/* handshake.h - what the two sides say to each other before the first command.
 *
 *   server                          client
 *     | ---- greeting ---------------> |      greeting_*
 *     | <--- TLS request ------------- |      (then TLS; login_decode() recognises it)
 *     | <--- login ------------------- |      login_*: HandshakeResponse41
 *     | ---- auth switch ------------> |      auth_switch_*
 *     | <--- answer (raw bytes) ------ |
 *     | ---- OK / ERR ---------------> |      reply.h
 *
 * Both sides are here: we are the server to clients and the client to servers.
 * Spans in the decoded structs point into the payload given.
 *
 * Source: MariaDB knowledge base, "Connecting"; MySQL internals manual,
 * Protocol::HandshakeV10 and HandshakeResponse41.
 */
#ifndef CORE_MYSQL_HANDSHAKE_H
#define CORE_MYSQL_HANDSHAKE_H

#include "core/base/buf.h"

#define NONCE_BYTES 20
#define PLUGIN_NATIVE_PASSWORD "mysql_native_password"
#define PLUGIN_ED25519         "client_ed25519"

struct greeting {
    struct span version;      /* as sent: "5.5.5-10.11.6-MariaDB" */
    uint32_t    thread_id;
    uint8_t     nonce[NONCE_BYTES];
    uint64_t    capabilities; /* MariaDB's upper half is sent when CLIENT_MYSQL is not set */
    uint8_t     charset;      /* collation id; those above 255 cannot be said here */
    uint16_t    status;
    struct span plugin;       /* empty: mysql_native_password is meant */
};

void greeting_encode(struct buf *out, uint8_t *seq, const struct greeting *greeting);

/* False when the payload is no complete protocol 10 greeting of a 4.1 or newer
 * server. An ERR packet (first byte 0xff, "too many connections") is not a
 * greeting: look with reply_err_decode(). */
bool greeting_decode(struct span payload, struct greeting *out) must_check;

/* 10.11.6 as 101106, and whether it is a MariaDB; the "5.5.5-" that MariaDB 10
 * puts before its version is left out. 0 when there is no number. */
uint32_t greeting_version(const struct greeting *greeting, bool *is_mariadb);

struct login {
    uint64_t    capabilities; /* decode: what client and server both have; encode: what to claim */
    uint32_t    max_packet;
    uint16_t    charset;      /* collation id; only the low byte travels in a login */
    struct span user;
    struct span auth;         /* the plugin's answer; empty for an empty password */
    struct span schema;
    struct span plugin;
    struct span attributes;   /* connection attributes: walk with attribute_next() */
    uint8_t     zstd_level;
};

enum login_kind {
    LOGIN_RESPONSE,    /* *out is set */
    LOGIN_TLS_REQUEST, /* capabilities, max_packet and charset are set; TLS begins now */
    LOGIN_TOO_OLD,     /* without CLIENT_PROTOCOL_41: refuse with 1043 (08S01) */
    LOGIN_MALFORMED,   /* refuse with 1043 (08S01) */
};

/* `offered`: the capabilities of our greeting. Clients shape their login by
 * what the server offered, whatever bits they set. */
enum login_kind login_decode(struct span payload, uint64_t offered,
                             struct login *out) must_check;

/* Fields whose capability bit is not set are left out. */
void login_encode(struct buf *out, uint8_t *seq, const struct login *login);

/* The short packet that asks for TLS; the login follows inside TLS. */
void tls_request_encode(struct buf *out, uint8_t *seq, const struct login *login);

/* COM_CHANGE_USER, with its command byte. `capabilities` of the session. The
 * charset is 0 when the client did not send one. */
bool change_user_decode(struct span payload, uint64_t capabilities,
                        struct login *out) must_check;

/* One name and value from login.attributes; false at the end or at a
 * malformed pair. `*rest` starts as login.attributes. */
bool attribute_next(struct span *rest, struct span *name, struct span *value);
void attribute_put(struct buf *attributes, const char *name, const char *value);

struct auth_switch {
    struct span plugin;
    struct span data; /* the nonce, without the NUL behind it */
};

void auth_switch_encode(struct buf *out, uint8_t *seq, const struct auth_switch *request);

/* First byte 0xfe. False for the one-byte request of pre-4.1 passwords, too. */
bool auth_switch_decode(struct span payload, struct auth_switch *out) must_check;

/* What a plugin has to say further: first byte 1. */
void auth_more_encode(struct buf *out, uint8_t *seq, struct span data);

/* A packet that is nothing but these bytes: the answer to an auth switch. */
void auth_answer_encode(struct buf *out, uint8_t *seq, struct span answer);

#endif
