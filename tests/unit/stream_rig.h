/* stream_rig.h - two ends of a connection on one ring, and what they saw. */
#ifndef TESTS_UNIT_STREAM_RIG_H
#define TESTS_UNIT_STREAM_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "core/io/listener.h"
#include "core/io/stream.h"

static struct ring *ring;

static inline uint64_t
clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Turns until it is so; a test fails after 20 s. */
#define UNTIL(condition)                                            \
    do {                                                            \
        uint64_t until_end = clock_ms() + 20000;                    \
        while (!(condition)) {                                      \
            assert_true(ring_turn(ring, 100) >= 0);                 \
            if (clock_ms() > until_end)                             \
                fail_msg("never so: %s", #condition);               \
        }                                                           \
    } while (0)

static inline void
turns(int n)
{
    while (n-- > 0)
        assert_true(ring_turn(ring, 1) >= 0);
}

static inline void
rig_open(struct ring_config config)
{
    struct err err;

    config.n_files = config.n_files ? config.n_files : 4096;
    sock_raise_nofile(8192);
    if (!ring_open(&ring, &config, &err))
        fail_msg("%s", err.text);
}

static inline void
rig_close(void)
{
    ring_close(ring);
    ring = NULL;
}

/* One end. What it does with data is a choice; it counts and checks always. */
struct end {
    struct stream s;
    void        (*data)(struct end *end); /* NULL: take all */
    void        (*drained)(struct end *end);
    struct end   *other;
    uint64_t      received; /* bytes, each checked against pattern() */
    uint64_t      written;
    uint64_t      to_write;
    int           data_calls, drained_calls, end_calls, end_error;
    int           connect_calls, connect_error, closed_calls;
    bool          unchecked, close_on_end;
    struct buf    bytes; /* what was received, when `keep` */
    bool          keep;
};

static inline struct end *
end_of(struct stream *s)
{
    return container_of(s, struct end, s);
}

static inline uint8_t
pattern(uint64_t at)
{
    return (uint8_t)((at * 31) ^ (at >> 8) ^ (at >> 16));
}

static inline void
end_take(struct end *end, size_t len)
{
    struct span unread = stream_unread(&end->s);

    assert_true(len <= unread.len);
    for (size_t i = 0; i < len && !end->unchecked; i++)
        if (unread.ptr[i] != pattern(end->received + i))
            fail_msg("byte %llu is wrong", (unsigned long long)(end->received + i));
    if (end->keep)
        buf_append(&end->bytes, unread.ptr, len);
    end->received += len;
    stream_consume(&end->s, len);
}

/* Appends `len` bytes of the pattern. */
static inline bool
end_write(struct end *end, size_t len)
{
    uint8_t *to = buf_reserve(stream_out(&end->s), len);

    for (size_t i = 0; i < len; i++)
        to[i] = pattern(end->written + i);
    buf_commit(stream_out(&end->s), len);
    end->written += len;
    return stream_flush(&end->s);
}

static inline void
end_on_data(struct stream *s)
{
    struct end *end = end_of(s);

    assert_int_equal(end->end_calls, 0);
    assert_true(stream_is_open(s));
    end->data_calls++;
    if (end->data != NULL)
        end->data(end);
    else
        end_take(end, stream_unread(s).len);
}

static inline void
end_on_drained(struct stream *s)
{
    end_of(s)->drained_calls++;
    if (end_of(s)->drained != NULL)
        end_of(s)->drained(end_of(s));
}

static inline void
end_on_connect(struct stream *s, int error)
{
    end_of(s)->connect_calls++;
    end_of(s)->connect_error = error;
}

static inline void
end_on_end(struct stream *s, int error)
{
    assert_true(stream_is_open(s));
    end_of(s)->end_calls++;
    end_of(s)->end_error = error;
    if (end_of(s)->close_on_end)
        stream_close(s, STREAM_CLOSE_NOW, 0);
}

static inline void
end_on_closed(struct stream *s)
{
    end_of(s)->closed_calls++;
}

static const struct stream_ops end_ops = {
    .on_data    = end_on_data,
    .on_drained = end_on_drained,
    .on_connect = end_on_connect,
    .on_end     = end_on_end,
    .on_closed  = end_on_closed,
};

/* How two ends are connected. */
enum way { BY_UNIX, BY_TCP, LOCALLY, N_WAYS };

static inline void
make_pair(int fds[2], bool tcp)
{
    struct sock_addr addr;
    struct err       err;

    if (!tcp) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        return;
    }
    assert_true(sock_parse(&addr, "127.0.0.1:0", 0, &err));
    int l = sock_listen(&addr, &(struct sock_listen_options){ 0 }, &err);
    assert_true(l >= 0);
    sock_local(l, &addr);
    fds[0] = sock_open(&addr);
    assert_int_equal(connect(fds[0], (struct sockaddr *)&addr.addr, addr.len), 0);
    fds[1] = accept(l, NULL, NULL);
    close(l);
}

static inline void
join(struct end *a, struct end *b, enum way way)
{
    int fds[2];

    a->other = b;
    b->other = a;
    if (way == LOCALLY) {
        stream_open_pair(&a->s, &end_ops, &b->s, &end_ops, ring);
        return;
    }
    make_pair(fds, way == BY_TCP);
    stream_open(&a->s, ring, (struct ring_file){ fds[0], false }, &end_ops);
    stream_open(&b->s, ring, (struct ring_file){ fds[1], false }, &end_ops);
}

static inline void
part(struct end *end)
{
    stream_close(&end->s, STREAM_CLOSE_NOW, 0);
    UNTIL(end->s.state == STREAM_CLOSED);
    assert_int_equal(end->closed_calls, 1);
    assert_null(end->s.in.bytes);
    assert_null(end->s.out.bytes);
    assert_null(end->s.sending.bytes);
    buf_fini(&end->bytes);
}

/* Both ends of n pairs, and their arrays. */
static inline void
part_all(struct end *a, struct end *b, int n)
{
    for (int i = 0; i < n; i++) {
        part(&a[i]);
        part(&b[i]);
    }
    free(a);
    free(b);
}

#endif
