/* segment.h - a named piece of memory that processes share and may distrust.
 *
 *   /dev/shm/shardd-INSTANCE-routes     written by the controller
 *   /dev/shm/shardd-INSTANCE-slots      written by the master and its workers
 *
 *   +--------------------------------+------------------------------------+
 *   | magic, version, kind, size ... | the kind's own layout              |
 *   +--------------------------------+------------------------------------+
 *   0                                SEGMENT_HEADER
 *
 * A segment is a POSIX shm object of mode 0640. It is never mapped before its
 * owner, mode and size were checked, so that a truncated or foreign file is an
 * error in words, not a SIGBUS. At most one process writes: it holds an fcntl
 * lock, which ends with the process however that dies and is not inherited by
 * a forked child. That kind of lock is lost when ANY descriptor of the file is
 * closed, so a process opens a segment once.
 */
#ifndef SHM_SEGMENT_H
#define SHM_SEGMENT_H

#include "core/base/err.h"

enum { SEGMENT_HEADER = 4096, SEGMENT_INSTANCE_MAX = 64 };

enum segment_kind { SEGMENT_ROUTES, SEGMENT_SLOTS };

struct segment {
    uint8_t *base; /* SEGMENT_HEADER bytes of ours, then the kind's layout */
    size_t   size; /* of the mapping, header included */
    int      fd;   /* close-on-exec */
    bool     writer;
};

/* The instance name that belongs to a home directory: 16 hex digits that
 * follow from its resolved path, the same in every process. `home` need not
 * exist yet. */
void segment_instance(const char *home, char out[SEGMENT_INSTANCE_MAX]);

/* Open for writing, making it when there is none, and become its only writer
 * until segment_close(). `instance`: letters, digits, '-' and '_', at most
 * SEGMENT_INSTANCE_MAX - 1. `size`: whole bytes, header included; new bytes
 * are zero and have no memory behind them yet (segment_back()). False, with
 * `err` filled: another process writes it (named by its pid), it belongs to
 * another user, is writable by others, is not a segment of this kind, version
 * and size, or the system refused. A segment whose making was interrupted is
 * made anew. `*made` (may be NULL) tells whether it is new. */
bool segment_create(struct segment *s, enum segment_kind kind,
                    const char *instance, size_t size, bool *made,
                    struct err *err) must_check;

/* Map read-only. The size is what the file says, between SEGMENT_HEADER and
 * 1 TiB. False as above, or because there is none. */
bool segment_open(struct segment *s, enum segment_kind kind,
                  const char *instance, struct err *err) must_check;

/* Put memory behind [offset, offset + len) so that writing there cannot raise
 * SIGBUS when /dev/shm is full. 0 or -errno. */
int segment_back(const struct segment *s, size_t offset, size_t len) must_check;

/* The pid of the process that holds the writer lock, 0 when nobody does. Does
 * not see a lock of the calling process. */
int segment_writer(const struct segment *s);

/* Unmap and give up the writer lock. The segment itself stays. */
void segment_close(struct segment *s);

/* Remove the name; whoever has it mapped keeps it. 0 or -errno. */
int segment_unlink(enum segment_kind kind, const char *instance);

#endif
