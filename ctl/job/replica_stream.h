/* replica_stream.h - a copy of a server's files on its way, as mariadb-backup streams it.
 *
 *   mariadb-backup --stream -> [compress] -> link -> [decompress] -> mbstream -x
 *
 * What goes over the link is LZ4 frames, or the bytes as they are, and not more of them a second
 * than is wished.
 */
#ifndef CTL_JOB_REPLICA_STREAM_H
#define CTL_JOB_REPLICA_STREAM_H

#include <stdatomic.h>

#include "core/base/base.h"

struct stream_wish {
    bool               plain;     /* do not compress */
    int64_t            max_rate;  /* bytes a second over the link; 0: as fast as it goes */
    const atomic_bool *stopping;  /* then it ends with -ECANCELED */
};

struct stream_sizes {
    uint64_t bytes;   /* of the files */
    uint64_t on_link;
};

/* Everything from `from` arrives at `to`; both stay open. 0, -errno, or -EBADMSG: it ended in the
 * middle. */
int replica_stream(int from, int to, const struct stream_wish *wish, struct stream_sizes *sizes)
    must_check;

#endif
