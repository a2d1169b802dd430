/* ring_wish.c - see ring.h: what the next turn is to submit.
 *
 * A completion's user_data is its op, or 0 when nobody wants to know. Cancels
 * name ops by address: submissions are taken in order, so a cancel can not
 * reach an op that was armed later at the same address.
 */
#include <assert.h>

#include "core/io/ring_internal.h"
#include "core/io/sock.h"

/* The queue is full only when a turn makes more wishes than it has entries;
 * then they are submitted early. */
static struct io_uring_sqe *
wish(struct ring *ring)
{
    struct io_uring_sqe *sqe;

    while ((sqe = io_uring_get_sqe(&ring->uring)) == NULL) {
        ring->stats.enters++;
        if (ring->features.sqpoll)
            io_uring_sqring_wait(&ring->uring);
        else
            io_uring_submit(&ring->uring);
    }
    return sqe;
}

static void
arm(struct io_uring_sqe *sqe, struct op *op)
{
    assert(!op->armed);
    op->armed = true;
    io_uring_sqe_set_data(sqe, op);
}

static void
arm_on(struct io_uring_sqe *sqe, struct op *op, struct ring_file file)
{
    if (file.direct)
        sqe->flags |= IOSQE_FIXED_FILE;
    arm(sqe, op);
}

void
ring_poll(struct ring *ring, struct op *op, int fd, unsigned events)
{
    struct io_uring_sqe *sqe = wish(ring);

    io_uring_prep_poll_add(sqe, fd, events);
    arm(sqe, op);
}

void
ring_read(struct ring *ring, struct op *op, int fd, void *bytes, unsigned len)
{
    struct io_uring_sqe *sqe = wish(ring);

    io_uring_prep_read(sqe, fd, bytes, len, (uint64_t)-1);
    arm(sqe, op);
}

void
ring_cancel(struct ring *ring, struct op *op)
{
    if (!op->armed)
        return;
    struct io_uring_sqe *sqe = wish(ring);
    io_uring_prep_cancel64(sqe, (uintptr_t)op, 0);
    io_uring_sqe_set_data64(sqe, 0);
}

void
ring_poll_multishot(struct ring *ring, struct op *op, int fd, unsigned events)
{
    struct io_uring_sqe *sqe = wish(ring);

    io_uring_prep_poll_multishot(sqe, fd, events);
    arm(sqe, op);
}

void
ring_recv(struct ring *ring, struct op *op, struct ring_file file)
{
    struct io_uring_sqe *sqe = wish(ring);

    io_uring_prep_recv_multishot(sqe, file.fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = RECV_GROUP;
    arm_on(sqe, op, file);
}

void
ring_send(struct ring *ring, struct op *op, struct ring_file file, struct span bytes)
{
    struct io_uring_sqe *sqe = wish(ring);

    io_uring_prep_send(sqe, file.fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
    arm_on(sqe, op, file);
}

void
ring_send_zerocopy(struct ring *ring, struct op *op, struct ring_file file, struct span bytes)
{
    struct io_uring_sqe *sqe = wish(ring);

    io_uring_prep_send_zc(sqe, file.fd, bytes.ptr, bytes.len, MSG_NOSIGNAL, 0);
    if (ring->features.zerocopy_reports)
        sqe->ioprio |= SEND_REPORTS;
    arm_on(sqe, op, file);
}

void
ring_accept(struct ring *ring, struct op *op, int fd)
{
    struct io_uring_sqe *sqe = wish(ring);

    io_uring_prep_multishot_accept_direct(sqe, fd, NULL, NULL, 0);
    arm(sqe, op);
}

void
ring_accept_peer(struct ring *ring, struct op *op, int fd, struct sock_addr *peer)
{
    struct io_uring_sqe *sqe = wish(ring);

    peer->len = sizeof(peer->addr);
    io_uring_prep_accept(sqe, fd, (struct sockaddr *)&peer->addr, &peer->len, 0);
    sqe->file_index = IORING_FILE_INDEX_ALLOC;
    arm(sqe, op);
}

void
ring_install(struct ring *ring, struct op *op, int *fd)
{
    struct io_uring_sqe *sqe = wish(ring);

    io_uring_prep_files_update(sqe, fd, 1, 0);
    sqe->off = IORING_FILE_INDEX_ALLOC;
    arm(sqe, op);
}

void
ring_connect(struct ring *ring, struct op *op, struct ring_file file,
             const struct sock_addr *peer)
{
    struct io_uring_sqe *sqe = wish(ring);

    io_uring_prep_connect(sqe, file.fd, (const struct sockaddr *)&peer->addr, peer->len);
    arm_on(sqe, op, file);
}

void
ring_shutdown(struct ring *ring, struct op *op, struct ring_file file)
{
    struct io_uring_sqe *sqe = wish(ring);

    io_uring_prep_shutdown(sqe, file.fd, SHUT_WR);
    arm_on(sqe, op, file);
}

void
ring_close_file(struct ring *ring, struct ring_file file)
{
    struct io_uring_sqe *sqe = wish(ring);

    if (file.direct)
        io_uring_prep_close_direct(sqe, (unsigned)file.fd);
    else
        io_uring_prep_close(sqe, file.fd);
    io_uring_sqe_set_data64(sqe, 0);
}
