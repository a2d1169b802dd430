/* apply_spool.c - rows that wait for their target in a file, so that others need not wait for it.
 *
 * Only rows: what has been prepared is kept beyond its batch. Large transactions have files of
 * their own already: of these some can wait.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/base/log.h"
#include "ctl/move/apply_internal.h"

enum { OWN_MAX = 256 }; /* open files */

static const uint64_t most_bytes = UINT64_C(8) << 30; /* then all have to wait */

static bool
write_all(int fd, struct span bytes, uint64_t at)
{
    while (bytes.len > 0) {
        ssize_t n = pwrite(fd, bytes.ptr, bytes.len, (off_t)at);

        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            bytes = span_from(bytes, (size_t)n);
            at += (uint64_t)n;
        }
    }
    return true;
}

static bool
begin(struct apply *a)
{
    a->spool.fd  = open(a->move->c->path.home, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    a->spool.end = 0;
    if (a->spool.fd >= 0)
        log_info("job %lld: shard %u is behind; what it does not take yet waits in a file",
                 (long long)a->move->job, a->target);
    return a->spool.fd >= 0;
}

static bool
put_own(struct apply *a, struct item *i)
{
    if (a->spool.n_own >= OWN_MAX || parcel_spill(&i->parcel) != 0)
        return false;
    a->spool.n_own++;
    return i->filed = true;
}

bool
spool_put(struct apply *a, struct item *i)
{
    struct apply_spool *s     = &a->spool;
    struct span         bytes = buf_unread(&i->parcel.bytes);

    if (i->kind != ITEM_ROWS || parcel_size(&i->parcel) == 0)
        return false;
    if (i->parcel.spilled > 0)
        return put_own(a, i);
    if (s->n == 0 ? !begin(a) : s->end + bytes.len > most_bytes)
        return false;
    if (!write_all(s->fd, bytes, s->end)) {
        if (s->n == 0)
            close(s->fd);
        return false;
    }
    i->parcel.file    = s->fd;
    i->parcel.lent    = true;
    i->parcel.base    = s->end;
    i->parcel.spilled = bytes.len;
    s->end += bytes.len;
    s->n++;
    buf_fini(&i->parcel.bytes);
    return i->filed = true;
}

void
spool_done(struct apply *a, const struct list *items)
{
    LIST_EACH(at, items) {
        const struct item *i = container_of(at, struct item, node);

        if (i->parcel.lent && --a->spool.n == 0)
            close(a->spool.fd);
        a->spool.n_own -= i->filed && !i->parcel.lent;
    }
}
