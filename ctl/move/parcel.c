/* parcel.c - see parcel.h. */
#include "ctl/move/parcel.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/mysql/wire.h"

enum { PIECE = 256 << 10 };

void
parcel_fini(struct parcel *p)
{
    if (p->spilled > 0 && !p->lent)
        close(p->file);
    p->spilled = 0;
    buf_fini(&p->bytes);
}

static int
write_all(int fd, struct span bytes, uint64_t at)
{
    while (bytes.len > 0) {
        ssize_t n = pwrite(fd, bytes.ptr, bytes.len, (off_t)at);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n <= 0)
            continue;
        bytes = span_from(bytes, (size_t)n);
        at += (uint64_t)n;
    }
    return 0;
}

int
parcel_spill(struct parcel *p)
{
    if (p->spilled == 0) {
        p->file = open(p->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (p->file < 0)
            return -errno;
    }
    struct span bytes = buf_unread(&p->bytes);
    int         error = write_all(p->file, bytes, p->spilled);
    if (error == 0 || p->spilled > 0)
        p->spilled += error == 0 ? bytes.len : 0;
    else
        close(p->file);
    if (error == 0)
        buf_clear(&p->bytes);
    return error;
}

int
parcel_put_bytes(struct parcel *p, struct span bytes)
{
    if (buf_len(&p->bytes) > 0 && buf_len(&p->bytes) + bytes.len > PARCEL_MEMORY) {
        int error = parcel_spill(p);
        if (error != 0)
            return error;
    }
    buf_append_span(&p->bytes, bytes);
    return 0;
}

int
parcel_put(struct parcel *p, const struct parcel_record *r)
{
    size_t len = PARCEL_HEADER + r->first.len + r->second.len;

    if (buf_len(&p->bytes) > 0 && buf_len(&p->bytes) + len > PARCEL_MEMORY) {
        int error = parcel_spill(p);
        if (error != 0)
            return error;
    }
    buf_reserve(&p->bytes, len);
    wire_put_u32(&p->bytes, (uint32_t)r->what);
    wire_put_u32(&p->bytes, r->number);
    wire_put_u32(&p->bytes, (uint32_t)r->first.len);
    wire_put_u32(&p->bytes, (uint32_t)r->second.len);
    buf_append_span(&p->bytes, r->first);
    buf_append_span(&p->bytes, r->second);
    p->rows += r->what == 'I' || r->what == 'U' || r->what == 'D';
    return 0;
}

int
parcel_cut(struct parcel *p, uint64_t size, uint64_t rows)
{
    p->rows = rows;
    if (size >= p->spilled) {
        p->bytes.end = p->bytes.start + (size_t)(size - p->spilled);
        return 0;
    }
    buf_clear(&p->bytes);
    if (size == 0) {
        close(p->file);
        p->spilled = 0;
        return 0;
    }
    p->spilled = size;
    return ftruncate(p->file, (off_t)size) == 0 ? 0 : -errno;
}

void
parcel_read(struct parcel_reader *r, const struct parcel *p)
{
    *r = (struct parcel_reader){ .parcel = p };
}

void
parcel_read_end(struct parcel_reader *r)
{
    buf_fini(&r->room);
}

/* Up to `want` bytes that follow one another, from the file into `room` or from memory; 0 or
 * -errno. `*out` may be shorter only at the end. */
static int
look(struct parcel_reader *r, size_t want, struct span *out)
{
    const struct parcel *p = r->parcel;

    buf_consume(&r->room, r->past);
    r->past = 0;
    while (buf_len(&r->room) < want && r->at < p->spilled) {
        size_t  max = p->spilled - r->at < PIECE ? (size_t)(p->spilled - r->at) : PIECE;
        ssize_t n   = pread(p->file, buf_reserve(&r->room, max), max, (off_t)(p->base + r->at));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        buf_commit(&r->room, (size_t)n);
        r->at += (uint64_t)n;
    }
    struct span left = buf_unread(&p->bytes);
    if (r->at >= p->spilled)
        left = span_from(left, (size_t)(r->at - p->spilled));
    if (buf_len(&r->room) == 0) {
        *out = left;
        return 0;
    }
    if (buf_len(&r->room) < want) {
        size_t more = want - buf_len(&r->room) < left.len ? want - buf_len(&r->room) : left.len;
        buf_append(&r->room, left.ptr, more);
        r->at += more;
    }
    *out = buf_unread(&r->room);
    return 0;
}

static void
pass(struct parcel_reader *r, size_t len)
{
    if (buf_len(&r->room) > 0)
        r->past = len;
    else
        r->at += len;
}

int
parcel_next(struct parcel_reader *r, struct parcel_record *out)
{
    struct span bytes;
    int         error = look(r, PARCEL_HEADER, &bytes);

    if (error != 0 || bytes.len == 0)
        return error;
    if (bytes.len < PARCEL_HEADER)
        return -EBADMSG;
    struct parcel_record got = { .what   = (char)bytes.ptr[0],
                                 .number = wire_load_u32(bytes.ptr + 4) };
    size_t first = wire_load_u32(bytes.ptr + 8), second = wire_load_u32(bytes.ptr + 12);
    error = look(r, PARCEL_HEADER + first + second, &bytes);
    if (error != 0)
        return error;
    if (bytes.len < PARCEL_HEADER + first + second)
        return -EBADMSG;
    got.first  = (struct span){ bytes.ptr + PARCEL_HEADER, first };
    got.second = (struct span){ bytes.ptr + PARCEL_HEADER + first, second };
    pass(r, PARCEL_HEADER + first + second);
    *out = got;
    return 1;
}

int
parcel_piece(struct parcel_reader *r, size_t max, struct span *out)
{
    int error = look(r, max, out);

    if (error != 0)
        return error;
    if (out->len > max)
        out->len = max;
    pass(r, out->len);
    return 0;
}
