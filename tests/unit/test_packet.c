/* test_packet.c - framing: every way a header can be right or wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/mysql/packet.h"

#define BYTES(s) { (const uint8_t *)(s), sizeof(s) - 1 }

static const struct {
    const char          *name;
    struct span          in;
    struct packet_reader reader;
    enum packet_status   status;
    size_t               payload_len;
} cases[] = {
    { "no bytes at all",      BYTES(""),                 { 0, 0, 0 },   PACKET_PARTIAL, 0 },
    { "half a header",        BYTES("\1\0"),             { 0, 0, 0 },   PACKET_PARTIAL, 0 },
    { "header alone",         BYTES("\1\0\0\0"),         { 0, 0, 0 },   PACKET_PARTIAL, 0 },
    { "empty payload",        BYTES("\0\0\0\0"),         { 0, 0, 0 },   PACKET_OK,      0 },
    { "one byte",             BYTES("\1\0\0\0x"),        { 0, 0, 0 },   PACKET_OK,      1 },
    { "bytes behind it",      BYTES("\2\0\0\0xyz"),      { 0, 0, 0 },   PACKET_OK,      2 },
    { "second in a command",  BYTES("\1\0\0\1x"),        { 1, 0, 0 },   PACKET_OK,      1 },
    { "last before the wrap", BYTES("\1\0\0\xffx"),      { 255, 0, 0 }, PACKET_OK,      1 },
    { "a gap",                BYTES("\1\0\0\2x"),        { 1, 0, 0 },   PACKET_BAD_SEQ, 0 },
    { "a gap, no payload yet", BYTES("\1\0\0\2"),        { 1, 0, 0 },   PACKET_BAD_SEQ, 0 },
    { "at the limit",         BYTES("\2\0\0\0xy"),       { 0, 2, 0 },   PACKET_OK,      2 },
    { "over the limit",       BYTES("\3\0\0\0"),         { 0, 2, 0 },   PACKET_TOO_BIG, 0 },
    { "over, with the start", BYTES("\2\0\0\0xy"),       { 0, 9, 8 },   PACKET_TOO_BIG, 0 },
};

static void
next(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        struct packet_reader reader = cases[i].reader;
        struct packet        packet = { 0 };

        print_message("  %s\n", cases[i].name);
        assert_int_equal(packet_next(&reader, cases[i].in, &packet), cases[i].status);
        assert_int_equal(packet.payload.len, cases[i].payload_len);
        bool ok = cases[i].status == PACKET_OK;
        assert_int_equal(reader.next_seq, (uint8_t)(cases[i].reader.next_seq + ok));
        if (ok)
            assert_ptr_equal(packet_after(&packet), cases[i].in.ptr + 4 + packet.payload.len);
    }
}

static void
a_packet_is_partial_until_its_last_byte(void **state)
{
    (void)state;
    static const uint8_t bytes[] = "\5\0\0\0hello";

    for (size_t len = 0; len < 9; len++) {
        struct packet_reader reader = { 0 };
        struct packet        packet;
        assert_int_equal(packet_next(&reader, (struct span){ bytes, len }, &packet),
                         PACKET_PARTIAL);
        struct packet_header header;
        assert_int_equal(packet_peek((struct span){ bytes, len }, &header), len >= 5);
    }
}

static const size_t sizes[] = {
    0, 1, 255, 65536, PACKET_PAYLOAD_MAX - 1, PACKET_PAYLOAD_MAX, PACKET_PAYLOAD_MAX + 1,
    2 * PACKET_PAYLOAD_MAX, 2 * PACKET_PAYLOAD_MAX + 5,
};

/* What was written comes back, whatever lies before and behind it. */
static void
messages_of_any_size_survive(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(sizes); i++) {
        struct buf           out = { 0 }, joined = { 0 };
        struct packet_reader reader = { .next_seq = 254, .limit = sizes[i] };
        struct message       m;
        uint8_t              seq = 254;

        print_message("  %zu bytes\n", sizes[i]);
        buf_append_text(&out, "before");
        size_t   at = packet_begin(&out);
        uint8_t *p  = buf_reserve(&out, sizes[i]);
        for (size_t n = 0; n < sizes[i]; n++)
            p[n] = (uint8_t)(n * 2654435761U >> 13);
        buf_commit(&out, sizes[i]);
        packet_end(&out, at, &seq);
        buf_append_text(&out, "behind");

        struct span in = span_from(buf_unread(&out), 6);
        assert_int_equal(message_next(&reader, in, &joined, &m), PACKET_OK);
        assert_int_equal(m.payload.len, sizes[i]);
        assert_int_equal(m.used, in.len - 6);
        assert_int_equal(seq, (uint8_t)(254 + 1 + sizes[i] / PACKET_PAYLOAD_MAX));
        assert_int_equal(m.seq, (uint8_t)(seq - 1));
        assert_int_equal(reader.next_seq, seq);
        assert_int_equal(reader.so_far, 0);
        for (size_t n = 0; n < sizes[i]; n++)
            if (m.payload.ptr[n] != (uint8_t)(n * 2654435761U >> 13))
                fail_msg("byte %zu differs", n);
        buf_fini(&out);
        buf_fini(&joined);
    }
}

static void
the_limit_is_over_all_packets(void **state)
{
    (void)state;
    struct buf           out = { 0 }, joined = { 0 };
    struct packet_reader reader = { .limit = PACKET_PAYLOAD_MAX + 9 };
    struct message       m;
    uint8_t              seq = 0;
    size_t               at  = packet_begin(&out);

    memset(buf_reserve(&out, PACKET_PAYLOAD_MAX + 10), 'x', PACKET_PAYLOAD_MAX + 10);
    buf_commit(&out, PACKET_PAYLOAD_MAX + 10);
    packet_end(&out, at, &seq);
    struct span in = buf_unread(&out);
    assert_int_equal(message_next(&reader, in, &joined, &m), PACKET_TOO_BIG);
    /* ... and it is known from the second header. */
    in.len = PACKET_PAYLOAD_MAX + 2 * PACKET_HEADER_BYTES;
    assert_int_equal(message_next(&reader, in, &joined, &m), PACKET_TOO_BIG);
    in.len--;
    assert_int_equal(message_next(&reader, in, &joined, &m), PACKET_PARTIAL);
    assert_int_equal(reader.next_seq, 0);
    buf_fini(&out);
    buf_fini(&joined);
}

static void
an_abandoned_packet_leaves_nothing(void **state)
{
    (void)state;
    struct buf out = { 0 };

    buf_append_text(&out, "kept");
    size_t at = packet_begin(&out);
    buf_append_text(&out, "dropped");
    packet_abandon(&out, at);
    assert_string_equal(buf_cstr(&out), "kept");
    buf_fini(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(next),
        cmocka_unit_test(a_packet_is_partial_until_its_last_byte),
        cmocka_unit_test(messages_of_any_size_survive),
        cmocka_unit_test(the_limit_is_over_all_packets),
        cmocka_unit_test(an_abandoned_packet_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
