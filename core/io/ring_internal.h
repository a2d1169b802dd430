/* ring_internal.h - what ring.c and ring_wish.c share: the only files that know liburing.
 */
#ifndef CORE_IO_RING_INTERNAL_H
#define CORE_IO_RING_INTERNAL_H

#include <liburing.h>

#include "core/io/coalesce.h"
#include "core/io/ring.h"
#include "core/io/spin.h"

/* As Linux 6.2 defines them, whose own feature bit is that of 6.3. */
enum { SEND_REPORTS = 1 << 3, FEATURE_LINUX_6_3 = 1 << 13 };

enum { RECV_GROUP = 1 }; /* id of our one group of receive buffers */

struct ring {
    struct io_uring      uring;
    struct ring_config   config;
    struct ring_features features;
    struct ring_stats    stats;
    struct timers        timers;
    uint64_t             now_us;
    struct list          tasks, flushes;

    struct io_uring_buf_ring *buf_ring;  /* shared with the kernel */
    size_t                    buf_ring_bytes;
    uint8_t                  *buffers; /* n_recv_buffers x recv_buffer_bytes */

    struct spares   spares;
    struct spin     spin;
    struct coalesce coalesce;
};

#endif
