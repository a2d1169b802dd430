/* test_compress.c - the compressed protocol: bytes come back, and packets are counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "core/mysql/compress.h"
#include "core/mysql/packet.h"

static struct filter *us, *them;

static void
open_pair(enum compress_how how, int level)
{
    us   = compress_new(how, level, true);
    them = compress_new(how, level, false);
}

static void
drop(struct filter *f)
{
    buf_fini(&f->raw);
    buf_fini(&f->ready);
    f->ops->free(f);
}

static void
close_pair(void)
{
    drop(us);
    drop(them);
}

/* What `a` has ready to `b`, `bite` bytes at a time; appended to `to`. */
static void
pass(struct filter *a, struct filter *b, struct buf *to, size_t bite)
{
    while (buf_len(&a->ready) > 0) {
        size_t n = buf_len(&a->ready) < bite ? buf_len(&a->ready) : bite;
        buf_append(&b->raw, buf_unread(&a->ready).ptr, n);
        buf_consume(&a->ready, n);
        for (size_t before = SIZE_MAX; before != buf_len(to);) {
            before = buf_len(to);
            assert_int_equal(b->ops->decode(b, to, 1000), 0);
        }
    }
}

static void
put(struct buf *out, uint8_t seq, size_t len, uint8_t fill, bool random_bytes)
{
    size_t   at = packet_begin(out);
    uint8_t *to = buf_reserve(out, len);

    for (size_t i = 0; i < len; i++)
        to[i] = random_bytes ? (uint8_t)random() : (uint8_t)(fill + i / 50);
    buf_commit(out, len);
    packet_end(out, at, &seq);
}

static uint8_t
sequence_of(const struct filter *f)
{
    return buf_unread(&f->ready).ptr[3];
}

static void
test_bytes_come_back(void **state)
{
    static const size_t lengths[] = { 0, 1, 45, 46, 47, 1000, 65530, 65536, 200000, 20000000 };

    (void)state;
    for (int k = 0; k < 2 * COMPRESS_ZLIB_LEVEL_MAX; k++) {
        enum compress_how how = k % 2 ? COMPRESS_ZSTD : COMPRESS_ZLIB;
        open_pair(how, k / 2 + 1);
        for (size_t i = 0; i < countof(lengths) - (k > 3); i++) {
            struct buf sent = { 0 }, from = { 0 }, got = { 0 };
            put(&sent, 0, lengths[i], (uint8_t)i, i % 3 == 2);
            buf_append_span(&from, buf_unread(&sent));
            us->ops->encode(us, &from);
            assert_int_equal(buf_len(&from), 0);
            if (lengths[i] == 1000)
                assert_true(i % 3 == 2 || buf_len(&us->ready) < 500);
            pass(us, them, &got, lengths[i] > 1000000 ? 100000 : 7);
            assert_int_equal(buf_len(&got), buf_len(&sent));
            assert_memory_equal(got.bytes, sent.bytes, sent.end);
            buf_fini(&sent);
            buf_fini(&from);
            buf_fini(&got);
        }
        close_pair();
    }
}

static void
test_packets_are_counted(void **state)
{
    struct buf from = { 0 }, got = { 0 };

    (void)state;
    open_pair(COMPRESS_ZLIB, 6);
    for (int command = 0; command < 3; command++) {
        put(&from, 0, 20000000, 1, false); /* two packets, so two compressed ones */
        us->ops->encode(us, &from);
        assert_int_equal(sequence_of(us), 0);
        pass(us, them, &got, 1 << 20);
        put(&from, 2, 200000, 1, true);
        them->ops->encode(them, &from);
        assert_int_equal(sequence_of(them), 2);
        pass(them, us, &got, 1 << 20);
        put(&from, 3, 10, 1, false); /* a file goes on behind what the other side asked */
        us->ops->encode(us, &from);
        assert_int_equal(sequence_of(us), 6); /* behind 2, 3, 4, 5 */
        pass(us, them, &got, 1 << 20);
    }
    close_pair();
    buf_fini(&from);
    buf_fini(&got);
}

/* Two commands sent together; and a file of more than 256 packets. */
static void
test_where_commands_begin(void **state)
{
    struct buf from = { 0 }, got = { 0 };

    (void)state;
    open_pair(COMPRESS_ZSTD, 3);
    put(&from, 0, 10, 1, false);
    put(&from, 0, 10, 1, false);
    us->ops->encode(us, &from);
    assert_int_equal(buf_len(&us->ready), 2 * (COMPRESS_HEADER_BYTES + 14));
    assert_int_equal(us->ready.bytes[3], 0);
    assert_int_equal(us->ready.bytes[COMPRESS_HEADER_BYTES + 14 + 3], 0);
    pass(us, them, &got, 1 << 20);
    for (unsigned i = 2; i <= 256; i++) {
        buf_clear(&us->ready);
        put(&from, (uint8_t)i, 10, 1, false);
        us->ops->encode(us, &from);
    }
    assert_int_equal(sequence_of(us), 255); /* it counts on, although the packet has 0 */
    buf_clear(&us->ready);
    put(&from, 1, 10, 1, false);
    us->ops->encode(us, &from);
    assert_int_equal(sequence_of(us), 0);
    close_pair();
    buf_fini(&from);
    buf_fini(&got);
}

static void
test_bad_packets(void **state)
{
    static const struct {
        const char *name, *bytes;
        size_t      len;
        int         result;
    } rows[] = {
        { "a header's piece", "\5\0\0\0\0\0", 6, 0 },
        { "a payload's piece", "\5\0\0\0\0\0\0ab", 9, 0 },
        { "not zlib", "\5\0\0\0\10\0\0abcde", 12, -EPROTO },
        { "nothing for something", "\0\0\0\0\10\0\0", 7, -EPROTO },
        { "nothing", "\0\0\0\0\0\0\0", 7, 0 },
    };

    (void)state;
    for (size_t i = 0; i < 2 * countof(rows); i++) {
        struct buf to = { 0 };
        open_pair(i % 2 ? COMPRESS_ZLIB : COMPRESS_ZSTD, 1);
        buf_append(&them->raw, rows[i / 2].bytes, rows[i / 2].len);
        assert_int_equal(them->ops->decode(them, &to, 1000), rows[i / 2].result);
        assert_int_equal(buf_len(&to), 0);
        close_pair();
        buf_fini(&to);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_come_back),
        cmocka_unit_test(test_packets_are_counted),
        cmocka_unit_test(test_where_commands_begin),
        cmocka_unit_test(test_bad_packets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
