/* test_replica_stream.c - bytes that went over the link are the same, fewer of them on the way, and
 * not faster than wished. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "ctl/job/replica_stream.h"

struct feed {
    const uint8_t *bytes;
    size_t         len;
    int            fd;
};

static void *
feed(void *context)
{
    struct feed *f = context;

    for (size_t at = 0; at < f->len;) {
        ssize_t n = write(f->fd, f->bytes + at, f->len - at);
        if (n <= 0)
            break;
        at += (size_t)n;
    }
    close(f->fd);
    return NULL;
}

struct drain {
    uint8_t *bytes;
    size_t   len, max;
    int      fd;
};

static void *
drain(void *context)
{
    struct drain *d = context;
    ssize_t       n;

    while ((n = read(d->fd, d->bytes + d->len, d->max - d->len)) > 0)
        d->len += (size_t)n;
    return NULL;
}

/* Half of each kind: what compresses, and what does not. */
static uint8_t *
bytes_of(size_t len, bool noise)
{
    uint8_t *bytes = mem_alloc(len + 1);
    uint64_t seed  = 88172645463325252u;

    for (size_t i = 0; i < len; i++) {
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        bytes[i] = noise ? (uint8_t)seed : (uint8_t)(i / 1000);
    }
    return bytes;
}

static int
pass(const uint8_t *bytes, size_t len, const struct stream_wish *wish, struct drain *d,
     struct stream_sizes *sizes)
{
    int         in[2], out[2], error;
    pthread_t   writer, reader;
    struct feed f = { .bytes = bytes, .len = len };

    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    f.fd = in[1];
    *d   = (struct drain){ .bytes = mem_alloc(len + 1), .max = len + 1, .fd = out[0] };
    pthread_create(&writer, NULL, feed, &f);
    pthread_create(&reader, NULL, drain, d);
    error = replica_stream(in[0], out[1], wish, sizes);
    close(in[0]);
    close(out[1]);
    pthread_join(writer, NULL);
    pthread_join(reader, NULL);
    close(out[0]);
    return error;
}

static void
test_what_arrives(void **state)
{
    static const struct {
        size_t len;
        bool   plain, noise;
        double at_most; /* on the link, of what was given */
    } rows[] = {
        { 0, false, false, 1e9 },       { 0, true, false, 1 },
        { 1, false, false, 1e9 },       { 1, true, false, 1 },
        { 262144, false, true, 1.01 },  { 262145, false, true, 1.01 },
        { 3000000, false, false, 0.05 }, { 3000000, false, true, 1.01 },
        { 3000000, true, true, 1 },
    };

    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        struct stream_wish  wish  = { .plain = rows[i].plain };
        struct stream_sizes sizes = { 0 };
        uint8_t            *bytes = bytes_of(rows[i].len, rows[i].noise);
        struct drain        d;

        assert_int_equal(pass(bytes, rows[i].len, &wish, &d, &sizes), 0);
        assert_int_equal(d.len, rows[i].len);
        assert_memory_equal(d.bytes, bytes, d.len);
        assert_int_equal(sizes.bytes, rows[i].len);
        assert_true((double)sizes.on_link <= (double)rows[i].len * rows[i].at_most ||
                    rows[i].len <= 1);
        free(d.bytes);
        free(bytes);
    }
}

static void
test_it_is_as_slow_as_wished(void **state)
{
    struct stream_wish  wish  = { .plain = true, .max_rate = 4000000 };
    struct stream_sizes sizes = { 0 };
    uint8_t            *bytes = bytes_of(1000000, true);
    uint64_t            began = clock_us();
    struct drain        d;

    (void)state;
    assert_int_equal(pass(bytes, 1000000, &wish, &d, &sizes), 0);
    assert_true(clock_us() - began >= 200000);
    free(d.bytes);
    free(bytes);
}

static void
test_it_ends_when_it_is_told_to(void **state)
{
    atomic_bool         stop  = true;
    struct stream_wish  wish  = { .stopping = &stop };
    struct stream_sizes sizes = { 0 };
    uint8_t            *bytes = bytes_of(1000, true);
    struct drain        d;

    (void)state;
    assert_int_equal(pass(bytes, 1000, &wish, &d, &sizes), -ECANCELED);
    free(d.bytes);
    free(bytes);
}

/* Nobody takes what arrives. */
static void
test_the_reader_goes(void **state)
{
    struct stream_wish  wish  = { .plain = true };
    struct stream_sizes sizes = { 0 };
    uint8_t            *bytes = bytes_of(3000000, true);
    struct feed         f     = { .bytes = bytes, .len = 3000000 };
    int                 in[2], out[2];
    pthread_t           writer;

    (void)state;
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    close(out[0]);
    f.fd = in[1];
    pthread_create(&writer, NULL, feed, &f);
    assert_int_equal(replica_stream(in[0], out[1], &wish, &sizes), -EPIPE);
    close(in[0]);
    close(out[1]);
    pthread_join(writer, NULL);
    free(bytes);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_arrives),
        cmocka_unit_test(test_it_is_as_slow_as_wished),
        cmocka_unit_test(test_it_ends_when_it_is_told_to),
        cmocka_unit_test(test_the_reader_goes),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
