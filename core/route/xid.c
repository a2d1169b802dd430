/* xid.c - numbers to and from a gtrid; read from the right, because an
 * instance's name may hold a '-'. */
#include <inttypes.h>
#include <stdio.h>

#include "core/route/xid.h"

static const char prefix[] = "shardd-";

size_t
xid_encode(const struct xid *xid, char out[XID_GTRID_MAX + 1])
{
    int n;

    if (xid->instance[0] == '\0')
        return 0;
    n = snprintf(out, XID_GTRID_MAX + 1, "%s%s-%" PRIu32 "-%" PRIx32 "-%" PRIx64 "-%" PRIu32,
                 prefix, xid->instance, xid->worker, xid->epoch, xid->counter, xid->home);
    return n < 0 || n > XID_GTRID_MAX ? 0 : (size_t)n;
}

/* The digit's value, or `base` when it is none. Upper case is none: a gtrid
 * has one spelling. */
static unsigned
digit_value(uint8_t c, unsigned base)
{
    unsigned value = base;

    if (c >= '0' && c <= '9')
        value = c - (unsigned)'0';
    else if (c >= 'a' && c <= 'f')
        value = c - (unsigned)'a' + 10;
    return value < base ? value : base;
}

/* Takes "-<number>" off the end of `s`. */
static bool
take_number(struct span *s, unsigned base, uint64_t max, uint64_t *out)
{
    size_t   at    = s->len;
    uint64_t value = 0;

    while (at > 0 && s->ptr[at - 1] != '-')
        at--;
    if (at == 0 || at == s->len || (s->ptr[at] == '0' && s->len - at > 1))
        return false;
    for (size_t i = at; i < s->len; i++) {
        unsigned digit = digit_value(s->ptr[i], base);

        if (digit == base || value > (max - digit) / base)
            return false;
        value = value * base + digit;
    }
    *out   = value;
    s->len = at - 1;
    return true;
}

bool
xid_decode(struct span gtrid, struct xid *xid)
{
    struct xid out = { .worker = 0 };
    uint64_t   home, counter, epoch, worker;
    size_t     prefix_len = sizeof(prefix) - 1;

    if (gtrid.len <= prefix_len || gtrid.len > XID_GTRID_MAX ||
        memcmp(gtrid.ptr, prefix, prefix_len) != 0)
        return false;
    gtrid = span_from(gtrid, prefix_len);
    if (!take_number(&gtrid, 10, UINT32_MAX, &home) ||
        !take_number(&gtrid, 16, UINT64_MAX, &counter) ||
        !take_number(&gtrid, 16, UINT32_MAX, &epoch) ||
        !take_number(&gtrid, 10, UINT32_MAX, &worker))
        return false;
    if (gtrid.len == 0 || gtrid.len >= sizeof(out.instance))
        return false;

    memcpy(out.instance, gtrid.ptr, gtrid.len);
    out.home    = (uint32_t)home;
    out.counter = counter;
    out.epoch   = (uint32_t)epoch;
    out.worker  = (uint32_t)worker;
    *xid        = out;
    return true;
}
