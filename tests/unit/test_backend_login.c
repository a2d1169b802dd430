/* test_backend_login.c - conversations with a server that is only a string. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/mysql/auth_ed25519.h"
#include "core/mysql/auth_sha2.h"
#include "core/mysql/protocol.h"
#include "workers/backend/backend_login.h"

#define CAPS (CLIENT_PROTOCOL_41 | CLIENT_SECURE_CONNECTION | CLIENT_PLUGIN_AUTH)

enum talk { END, HELLO, HELLO_OLD, OK, SWITCH, SWITCH_OTHER, DENIED, JUNK, EMPTY, BUSY };

static const struct {
    const char     *name;
    enum talk       server[4];
    enum login_step step;
    unsigned        n_answers; /* packets that we sent */
    uint16_t        error;
} cases[] = {
    { "silence",           { END },                       LOGIN_STEP_WAIT, 0, 0 },
    { "greeting",          { HELLO },                     LOGIN_STEP_WAIT, 1, 0 },
    { "plain login",       { HELLO, OK },                 LOGIN_STEP_DONE, 1, 0 },
    { "switch",            { HELLO, SWITCH, OK },         LOGIN_STEP_DONE, 2, 0 },
    { "foreign plugin",    { HELLO, SWITCH_OTHER },       LOGIN_STEP_FAIL, 1, 1429 },
    { "refused",           { HELLO, DENIED },             LOGIN_STEP_FAIL, 1, 1045 },
    { "refused at once",   { BUSY },                      LOGIN_STEP_FAIL, 0, 1040 },
    { "lacks capabilities", { HELLO_OLD },                LOGIN_STEP_FAIL, 0, 1429 },
    { "not MySQL",         { JUNK },                      LOGIN_STEP_FAIL, 0, 1429 },
    { "empty packet",      { HELLO, EMPTY },              LOGIN_STEP_FAIL, 1, 1429 },
};

static void
put(struct buf *out, uint8_t seq, const void *payload, size_t len)
{
    size_t at = packet_begin(out);

    buf_append(out, payload, len);
    packet_end(out, at, &seq);
}

static void
speak(struct buf *out, enum talk what, uint8_t seq)
{
    struct greeting hello = {
        .version      = SPAN("5.5.5-10.11.6-MariaDB"),
        .capabilities = what == HELLO_OLD ? CLIENT_PROTOCOL_41 : CAPS,
        .plugin       = SPAN(PLUGIN_NATIVE_PASSWORD),
        .nonce        = "01234567890123456789",
    };
    uint8_t s = seq;

    switch (what) {
    case HELLO:
    case HELLO_OLD:    greeting_encode(out, &s, &hello); return;
    case OK:           put(out, seq, "\0\0\0\2\0\0\0", 7); return;
    case SWITCH:       put(out, seq, "\xfemysql_native_password\0abcdefghijklmnopqrst", 43); return;
    case SWITCH_OTHER: put(out, seq, "\xfe" "client_ed25519\0abcdefghijklmnopqrst", 36); return;
    case DENIED:       put(out, seq, "\xff\x15\x04#28000no", 11); return;
    case BUSY:         put(out, seq, "\xff\x10\x04many", 7); return;
    case JUNK:         put(out, seq, "HTTP", 4); return;
    case EMPTY:        put(out, seq, "", 0); return;
    case END:          return;
    }
}

static unsigned
count_packets(struct span s)
{
    unsigned n = 0;

    for (; s.len >= 4; n++)
        s = span_from(s, 4 + ((size_t)s.ptr[0] | (size_t)s.ptr[1] << 8));
    return n;
}

static void
run_case(size_t i, size_t bite)
{
    struct buf           server = { 0 }, in = { 0 }, out = { 0 };
    struct backend_login l      = { .params = { SPAN("app"), SPAN("secret"), { 0 },
                                                           CAPS, 45, 0, false,
                                               false } };
    enum login_step      step   = LOGIN_STEP_WAIT;
    static const uint8_t seq[]  = { 0, 2, 4, 6 };

    for (size_t k = 0; k < 4; k++)
        speak(&server, cases[i].server[k], seq[k]);
    struct span all = buf_unread(&server);
    for (size_t at = 0; at < all.len && step == LOGIN_STEP_WAIT; at += bite) {
        size_t n = all.len - at < bite ? all.len - at : bite, used;
        buf_append(&in, all.ptr + at, n);
        step = backend_login_run(&l, buf_unread(&in), &used, &out);
        buf_consume(&in, used);
    }
    assert_int_equal(step, cases[i].step);
    assert_int_equal(count_packets(buf_unread(&out)), cases[i].n_answers);
    assert_int_equal(l.error.code, cases[i].error);
    buf_fini(&server);
    buf_fini(&in);
    buf_fini(&out);
}

static void
conversations(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        print_message("  %s\n", cases[i].name);
        run_case(i, SIZE_MAX / 2);
        run_case(i, 1);
    }
}

/* --- plugins, with a server that checks the answers ------------------------ */

static struct backend_login dialog;
static struct buf           said; /* our last packets */

static enum login_step
hear(const void *payload, size_t len, uint8_t seq)
{
    struct buf in = { 0 };
    size_t     used;

    buf_clear(&said);
    put(&in, seq, payload, len);
    enum login_step step = backend_login_run(&dialog, buf_unread(&in), &used, &said);
    buf_fini(&in);
    return step;
}

static struct span
last_answer(uint8_t seq)
{
    struct packet_reader reader = { .next_seq = seq };
    struct packet        packet;

    assert_int_equal(packet_next(&reader, buf_unread(&said), &packet), PACKET_OK);
    return packet.payload;
}

static void
greet(bool secure)
{
    struct buf hello = { 0 };
    size_t     used;

    dialog = (struct backend_login){ .params = { SPAN("app"), SPAN("secret"), { 0 },
                                                           CAPS, 45, 0, false,
                                                 secure } };
    speak(&hello, HELLO, 0);
    assert_int_equal(backend_login_run(&dialog, buf_unread(&hello), &used, &said),
                     LOGIN_STEP_WAIT);
    buf_fini(&hello);
}

static const uint8_t nonce[33] = "abcdefghijklmnopqrst0123456789AB";

static void
ed25519(void **state)
{
    uint8_t key[ED25519_KEY_BYTES];

    (void)state;
    greet(false);
    assert_int_equal(hear("\xfe" "client_ed25519\0abcdefghijklmnopqrst0123456789AB", 48, 2),
                     LOGIN_STEP_WAIT);
    ed25519_verifier(SPAN("secret"), key);
    assert_true(ed25519_verify(last_answer(3), nonce, key));
    assert_int_equal(hear("\0\0\0\2\0\0\0", 7, 4), LOGIN_STEP_DONE);
}

static void
switch_to_sha2(bool secure)
{
    uint8_t quick[SHA2_BYTES];

    greet(secure);
    assert_int_equal(hear("\xfe" "caching_sha2_password\0abcdefghijklmnopqrst", 44, 2),
                     LOGIN_STEP_WAIT);
    sha2_quick(SPAN("secret"), quick);
    assert_true(sha2_verify(last_answer(3), nonce, quick));
}

static void
sha2_quick_and_full(void **state)
{
    (void)state;
    switch_to_sha2(false);
    assert_int_equal(hear("\1\3", 2, 4), LOGIN_STEP_WAIT);
    assert_int_equal(hear("\0\0\0\2\0\0\0", 7, 5), LOGIN_STEP_DONE);

    switch_to_sha2(true);
    assert_int_equal(hear("\1\4", 2, 4), LOGIN_STEP_WAIT);
    assert_true(span_equal(last_answer(5), (struct span){ (const uint8_t *)"secret", 7 }));
    assert_int_equal(hear("\0\0\0\2\0\0\0", 7, 6), LOGIN_STEP_DONE);

    switch_to_sha2(false);
    assert_int_equal(hear("\1\4", 2, 4), LOGIN_STEP_WAIT);
    assert_true(span_equal(last_answer(5), SPAN("\2"))); /* never as it is, in the clear */
    assert_int_equal(hear("\1no key", 7, 6), LOGIN_STEP_FAIL);
    assert_int_equal(dialog.error.code, 1429);

    switch_to_sha2(false);
    assert_int_equal(hear("\1\7", 2, 4), LOGIN_STEP_FAIL);
}

static void
sha2_rsa(void **state)
{
    char             path[] = "/tmp/test_login.XXXXXX", command[200];
    int              fd     = mkstemp(path);
    struct err       err;
    struct buf       packet = { 0 }, password = { 0 };
    struct sha2_key *key;

    (void)state;
    close(fd);
    snprintf(command, sizeof(command), "openssl genrsa -out %s 2048 2>/dev/null", path);
    assert_int_equal(system(command), 0);
    key = sha2_key_load(path, &err);
    assert_non_null(key);
    unlink(path);

    switch_to_sha2(false);
    assert_int_equal(hear("\1\4", 2, 4), LOGIN_STEP_WAIT);
    buf_append_byte(&packet, 1);
    buf_append_span(&packet, sha2_key_public(key));
    assert_int_equal(hear(packet.bytes, packet.end, 6), LOGIN_STEP_WAIT);
    assert_true(sha2_decrypt(key, last_answer(7), nonce, &password));
    assert_true(span_equal(buf_unread(&password), SPAN("secret")));
    assert_int_equal(hear("\0\0\0\2\0\0\0", 7, 8), LOGIN_STEP_DONE);
    sha2_key_free(key);
    buf_fini(&packet);
    buf_fini(&password);
}

static int
drop(void **state)
{
    (void)state;
    buf_fini(&said);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conversations),
        cmocka_unit_test_teardown(ed25519, drop),
        cmocka_unit_test_teardown(sha2_quick_and_full, drop),
        cmocka_unit_test_teardown(sha2_rsa, drop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
