/* test_backend_login.c - conversations with a server that is only a string. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

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
    struct backend_login l      = { .params = { SPAN("app"), SPAN("secret"), { 0 }, CAPS, 45 } };
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

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(conversations) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
