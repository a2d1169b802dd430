/* test_handshake.c - greetings and logins, of real programs and of our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/mysql/handshake.h"
#include "core/mysql/packet.h"
#include "core/mysql/protocol.h"

#define OFFERED                                                                               \
    (CLIENT_PROTOCOL_41 | CLIENT_SECURE_CONNECTION | CLIENT_PLUGIN_AUTH | CLIENT_CONNECT_ATTRS \
     | CLIENT_CONNECT_WITH_DB | CLIENT_DEPRECATE_EOF | CLIENT_SESSION_TRACK                    \
     | MARIADB_CLIENT_EXTENDED_METADATA)

static struct span
payload_of(const struct buf *out)
{
    return span_from(buf_unread(out), PACKET_HEADER_BYTES);
}

static const struct greeting ours = {
    .version      = { (const uint8_t *)"5.5.5-10.11.6-MariaDB-shardd", 28 },
    .thread_id    = 0x01020304,
    .nonce        = "abcdefghijklmnopqrs",
    .capabilities = OFFERED,
    .charset      = 45,
    .status       = SERVER_STATUS_AUTOCOMMIT,
    .plugin       = { (const uint8_t *)PLUGIN_NATIVE_PASSWORD, 21 },
};

static void
a_greeting_survives(void **state)
{
    (void)state;
    struct buf      out = { 0 };
    struct greeting got;
    uint8_t         seq = 0;
    bool            is_mariadb;

    greeting_encode(&out, &seq, &ours);
    assert_int_equal(seq, 1);
    struct span payload = payload_of(&out);
    assert_true(greeting_decode(payload, &got));
    assert_true(span_equal(got.version, ours.version));
    assert_true(span_equal(got.plugin, ours.plugin));
    assert_int_equal(got.thread_id, ours.thread_id);
    assert_true(got.capabilities == ours.capabilities);
    assert_int_equal(got.charset, 45);
    assert_int_equal(got.status, SERVER_STATUS_AUTOCOMMIT);
    assert_memory_equal(got.nonce, ours.nonce, NONCE_BYTES);
    assert_int_equal(greeting_version(&got, &is_mariadb), 101106);
    assert_true(is_mariadb);
    /* Old servers end it without a plugin's NUL: only the plugin may be cut. */
    for (size_t len = 0; len < payload.len - 22; len++)
        assert_false(greeting_decode((struct span){ payload.ptr, len }, &got));
    buf_fini(&out);
}

static void
versions(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t    number;
        bool        is_mariadb;
    } cases[] = {
        { "8.0.36", 80036, false },
        { "5.7.44-log", 50744, false },
        { "11.4.2-MariaDB", 110402, true },
        { "5.5.5-10.6.12-MariaDB-1:10.6.12+maria~ubu2004", 100612, true },
        { "", 0, false },
        { "nonsense", 0, false },
    };
    for (size_t i = 0; i < countof(cases); i++) {
        struct greeting g = { .version = span_of(cases[i].text) };
        bool            is_mariadb;
        assert_int_equal(greeting_version(&g, &is_mariadb), cases[i].number);
        assert_int_equal(is_mariadb, cases[i].is_mariadb);
    }
}

#define HEAD(caps0, caps1, caps2, caps3) \
    caps0 caps1 caps2 caps3 "\0\0\0\1\55" "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define NO_EXT "\0\0\0\0"
#define TWENTY "01234567890123456789"

static const struct {
    const char     *name;
    struct span     payload;
    enum login_kind kind;
    const char     *user, *schema, *plugin;
    size_t          auth_len, attributes_len;
} logins[] = {
#define P(s) { (const uint8_t *)(s), sizeof(s) - 1 }
    { "no password", P(HEAD("\1", "\202", "\0", "\0") NO_EXT "app\0\0"),
      LOGIN_RESPONSE, "app", "", "", 0, 0 },
    { "password", P(HEAD("\1", "\202", "\0", "\0") NO_EXT "app\0\24" TWENTY),
      LOGIN_RESPONSE, "app", "", "", 20, 0 },
    { "schema and plugin", P(HEAD("\11", "\202", "\10", "\0") NO_EXT "u\0\24" TWENTY "db\0plug\0"),
      LOGIN_RESPONSE, "u", "db", "plug", 20, 0 },
    { "plugin not ended", P(HEAD("\1", "\202", "\10", "\0") NO_EXT "u\0\0plug"),
      LOGIN_RESPONSE, "u", "", "plug", 0, 0 },
    { "attributes", P(HEAD("\1", "\202", "\30", "\0") NO_EXT "u\0\0plug\0\6\1a\1b\0\0"),
      LOGIN_RESPONSE, "u", "", "plug", 0, 6 },
    { "attributes left out", P(HEAD("\1", "\202", "\30", "\0") NO_EXT "u\0\0plug\0"),
      LOGIN_RESPONSE, "u", "", "plug", 0, 0 },
    { "a bit that we did not offer", P(HEAD("\1", "\202", "\40", "\0") NO_EXT "u\0\3abc"),
      LOGIN_RESPONSE, "u", "", "", 3, 0 },
    { "TLS request", P(HEAD("\1", "\212", "\0", "\0") NO_EXT),
      LOGIN_TLS_REQUEST, "", "", "", 0, 0 },
    { "head alone, no TLS", P(HEAD("\1", "\202", "\0", "\0") NO_EXT),
      LOGIN_MALFORMED, "", "", "", 0, 0 },
    { "before 4.1", P("\5\44\0\0\0root\0pass"), LOGIN_TOO_OLD, "", "", "", 0, 0 },
    { "user not ended", P(HEAD("\1", "\202", "\0", "\0") NO_EXT "app"),
      LOGIN_MALFORMED, "", "", "", 0, 0 },
    { "answer cut", P(HEAD("\1", "\202", "\0", "\0") NO_EXT "app\0\24" "0123"),
      LOGIN_MALFORMED, "", "", "", 0, 0 },
    { "attributes cut", P(HEAD("\1", "\202", "\30", "\0") NO_EXT "u\0\0plug\0\6\1a"),
      LOGIN_MALFORMED, "", "", "", 0, 0 },
    { "nothing", P(""), LOGIN_MALFORMED, "", "", "", 0, 0 },
};

static void
logins_of_clients(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(logins); i++) {
        struct login got = { 0 };

        print_message("  %s\n", logins[i].name);
        assert_int_equal(login_decode(logins[i].payload, OFFERED, &got), logins[i].kind);
        assert_true(span_equal(got.user, span_of(logins[i].user)));
        assert_true(span_equal(got.schema, span_of(logins[i].schema)));
        assert_true(span_equal(got.plugin, span_of(logins[i].plugin)));
        assert_int_equal(got.auth.len, logins[i].auth_len);
        assert_int_equal(got.attributes.len, logins[i].attributes_len);
        assert_true((got.capabilities & ~OFFERED) == 0);
    }
}

static void
a_login_survives(void **state)
{
    (void)state;
    struct buf   out = { 0 }, attributes = { 0 };
    struct login got, l = {
        .capabilities = OFFERED, .max_packet = 1 << 24, .charset = 45, .user = SPAN("app"),
        .auth = SPAN(TWENTY), .schema = SPAN("db"), .plugin = SPAN(PLUGIN_NATIVE_PASSWORD),
    };
    uint8_t     seq = 1;
    struct span name, value;

    attribute_put(&attributes, "_pid", "42");
    attribute_put(&attributes, "program_name", "");
    l.attributes = buf_unread(&attributes);
    login_encode(&out, &seq, &l);
    assert_int_equal(seq, 2);
    struct span payload = payload_of(&out);
    assert_int_equal(login_decode(payload, OFFERED, &got), LOGIN_RESPONSE);
    assert_true(got.capabilities == OFFERED);
    assert_int_equal(got.max_packet, 1 << 24);
    assert_int_equal(got.charset, 45);
    assert_true(span_equal(got.user, l.user) && span_equal(got.auth, l.auth));
    assert_true(span_equal(got.schema, l.schema) && span_equal(got.plugin, l.plugin));
    assert_true(attribute_next(&got.attributes, &name, &value));
    assert_true(span_equal(name, SPAN("_pid")) && span_equal(value, SPAN("42")));
    assert_true(attribute_next(&got.attributes, &name, &value));
    assert_true(span_equal(name, SPAN("program_name")) && value.len == 0);
    assert_false(attribute_next(&got.attributes, &name, &value));

    buf_clear(&out);
    l.capabilities |= CLIENT_SSL;
    tls_request_encode(&out, &seq, &l);
    assert_int_equal(login_decode(payload_of(&out), OFFERED, &got), LOGIN_TLS_REQUEST);
    buf_fini(&out);
    buf_fini(&attributes);
}

static void
changes_of_user(void **state)
{
    (void)state;
    struct login got;
    struct span  full = SPAN("\x11" "u\0\24" TWENTY "db\0\55\0plug\0\4\1a\1b");
    uint64_t     caps = OFFERED | CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA;

    assert_true(change_user_decode(full, caps, &got));
    assert_true(span_equal(got.user, SPAN("u")) && span_equal(got.schema, SPAN("db")));
    assert_true(span_equal(got.plugin, SPAN("plug")) && span_equal(got.auth, SPAN(TWENTY)));
    assert_int_equal(got.charset, 45);
    assert_int_equal(got.attributes.len, 4);
    assert_true(change_user_decode(SPAN("\x11" "u\0\0\0"), caps, &got));
    assert_int_equal(got.charset, 0);
    assert_int_equal(got.plugin.len, 0);
    assert_false(change_user_decode(SPAN("\x11" "u"), caps, &got));
    assert_false(change_user_decode(SPAN("\x11" "u\0\24" "short"), caps, &got));
    assert_false(change_user_decode(SPAN("\x12" "u\0\0\0"), caps, &got));
}

static void
auth_switches(void **state)
{
    (void)state;
    struct buf         out = { 0 };
    struct auth_switch got, request = { SPAN(PLUGIN_NATIVE_PASSWORD), SPAN(TWENTY) };
    uint8_t            seq = 2;

    auth_switch_encode(&out, &seq, &request);
    assert_true(auth_switch_decode(payload_of(&out), &got));
    assert_true(span_equal(got.plugin, request.plugin) && span_equal(got.data, request.data));
    assert_false(auth_switch_decode(SPAN("\xfe"), &got));
    assert_false(auth_switch_decode(SPAN("\xfeplugin"), &got));
    assert_false(auth_switch_decode(SPAN("\0plugin\0"), &got));
    buf_clear(&out);
    auth_answer_encode(&out, &seq, SPAN("xyz"));
    assert_true(span_equal(buf_unread(&out), SPAN("\3\0\0\3xyz")));
    buf_fini(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_greeting_survives), cmocka_unit_test(versions),
        cmocka_unit_test(logins_of_clients),   cmocka_unit_test(a_login_survives),
        cmocka_unit_test(changes_of_user),     cmocka_unit_test(auth_switches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
