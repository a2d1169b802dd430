/* replica_stream.c - see replica_stream.h: a thread at either end of the link. */
#include "ctl/job/replica_stream.h"

#include <errno.h>
#include <lz4frame.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/memory.h"

enum { PIECE = 256 << 10, LOOK_MS = 200 };

/* One end: what it reads goes through its codec to where it writes. */
struct end {
    int                       from, to;
    const struct stream_wish *wish;
    uint64_t                  got, sent, began_us;
    int                       error;
};

/* --- bytes ------------------------------------------------------------------------ */

static bool
is_stopping(const struct end *e)
{
    return e->wish->stopping && atomic_load(e->wish->stopping);
}

/* 1: something can be done there; it asks from time to time whether that is still wanted. */
static int
wait_until(const struct end *e, int fd, short events)
{
    struct pollfd p = { .fd = fd, .events = events };

    for (;;) {
        int n = poll(&p, 1, LOOK_MS);

        if (is_stopping(e))
            return -ECANCELED;
        if (n > 0)
            return 1;
        if (n < 0 && errno != EINTR)
            return -errno;
    }
}

/* Bytes read, 0: the end, or -errno. */
static ssize_t
take(struct end *e, char *room)
{
    int error = wait_until(e, e->from, POLLIN);

    for (;;) {
        ssize_t n = error < 0 ? error : read(e->from, room, PIECE);

        if (error == 1 && n < 0 && errno == EINTR)
            continue;
        if (error == 1 && n < 0)
            n = -errno;
        e->got += n > 0 ? (uint64_t)n : 0;
        return n;
    }
}

static int
give(struct end *e, const char *bytes, size_t len)
{
    while (len > 0) {
        int     error = wait_until(e, e->to, POLLOUT);
        ssize_t n     = error < 0 ? error : write(e->to, bytes, len);

        if (error == 1 && n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error < 0 ? error : -errno;
        bytes += n;
        len -= (size_t)n;
        e->sent += (uint64_t)n;
    }
    return 0;
}

/* What was sent so far is worth so much time. */
static int
slow_down(const struct end *e)
{
    while (e->wish->max_rate > 0 && !is_stopping(e)) {
        uint64_t took = clock_us() - e->began_us;
        uint64_t due  = e->sent * 1000000 / (uint64_t)e->wish->max_rate;

        if (due <= took)
            return 0;
        usleep((useconds_t)(due - took < LOOK_MS * 1000 ? due - took : LOOK_MS * 1000));
    }
    return is_stopping(e) ? -ECANCELED : 0;
}

/* --- as they are --------------------------------------------------------------------- */

static int
pass(struct end *e, char *room, bool slowly)
{
    for (;;) {
        ssize_t n     = take(e, room);
        int     error = n > 0 ? give(e, room, (size_t)n) : (int)n;

        if (n <= 0 || error != 0)
            return error;
        if (slowly && (error = slow_down(e)) != 0)
            return error;
    }
}

/* --- LZ4 ------------------------------------------------------------------------------ */

static const LZ4F_preferences_t preferences = {
    .frameInfo = { .blockSizeID         = LZ4F_max256KB,
                   .contentChecksumFlag = LZ4F_contentChecksumEnabled },
};

static int
compress_all(struct end *e, LZ4F_cctx *lz4, char *room, char *out, size_t max)
{
    size_t  len = LZ4F_compressBegin(lz4, out, max, &preferences);
    ssize_t n   = 1;
    int     error;

    while (!LZ4F_isError(len)) {
        if ((error = give(e, out, len)) != 0 || (error = slow_down(e)) != 0)
            return error;
        if (n == 0)
            return 0;
        if ((n = take(e, room)) < 0)
            return (int)n;
        len = n > 0 ? LZ4F_compressUpdate(lz4, out, max, room, (size_t)n, NULL)
                    : LZ4F_compressEnd(lz4, out, max, NULL);
    }
    return -EIO;
}

static int
compress(struct end *e, char *room)
{
    size_t     max = LZ4F_compressBound(PIECE, &preferences);
    char      *out = mem_alloc(max);
    LZ4F_cctx *lz4 = NULL;
    int        error = -ENOMEM;

    if (!LZ4F_isError(LZ4F_createCompressionContext(&lz4, LZ4F_VERSION)))
        error = compress_all(e, lz4, room, out, max);
    LZ4F_freeCompressionContext(lz4);
    free(out);
    return error;
}

/* `*left` is 0 at the end of a frame. */
static int
decompress_piece(struct end *e, LZ4F_dctx *lz4, const char *bytes, size_t len, char *out,
                 size_t *left)
{
    while (len > 0) {
        size_t made = PIECE, used = len;
        int    error;

        *left = LZ4F_decompress(lz4, out, &made, bytes, &used, NULL);
        if (LZ4F_isError(*left))
            return -EBADMSG;
        if ((error = give(e, out, made)) != 0)
            return error;
        bytes += used;
        len -= used;
    }
    return 0;
}

static int
decompress(struct end *e, char *room)
{
    char      *out  = mem_alloc(PIECE);
    LZ4F_dctx *lz4  = NULL;
    size_t     left = 1;
    ssize_t    n    = 1;
    int        error = 0;

    if (LZ4F_isError(LZ4F_createDecompressionContext(&lz4, LZ4F_VERSION)))
        error = -ENOMEM;
    while (error == 0 && (n = take(e, room)) > 0)
        error = decompress_piece(e, lz4, room, (size_t)n, out, &left);
    if (error == 0)
        error = n < 0 ? (int)n : left != 0 ? -EBADMSG : 0;
    LZ4F_freeDecompressionContext(lz4);
    free(out);
    return error;
}

/* --- both ends ------------------------------------------------------------------------- */

static void *
send_all(void *context)
{
    struct end *e    = context;
    char       *room = mem_alloc(PIECE);

    e->began_us = clock_us();
    e->error    = e->wish->plain ? pass(e, room, true) : compress(e, room);
    free(room);
    shutdown(e->to, SHUT_WR);
    return NULL;
}

static void
receive_all(struct end *e)
{
    char *room = mem_alloc(PIECE);

    e->error = e->wish->plain ? pass(e, room, false) : decompress(e, room);
    free(room);
    shutdown(e->from, SHUT_RDWR); /* whoever still sends hears of it, also when there is no room:
                                     with SHUT_RD alone poll() says nothing then */
}

int
replica_stream(int from, int to, const struct stream_wish *wish, struct stream_sizes *sizes)
{
    int       link[2];
    pthread_t thread;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, link) != 0)
        return -errno;
    struct end sender   = { .from = from, .to = link[0], .wish = wish };
    struct end receiver = { .from = link[1], .to = to, .wish = wish };
    int        error    = pthread_create(&thread, NULL, send_all, &sender);

    if (error == 0) {
        receive_all(&receiver);
        pthread_join(thread, NULL);
        *sizes = (struct stream_sizes){ .bytes = sender.got, .on_link = sender.sent };
        error  = -(sender.error && sender.error != -EPIPE ? sender.error : receiver.error);
        error  = error == 0 ? -sender.error : error;
    }
    close(link[0]);
    close(link[1]);
    return -error;
}
