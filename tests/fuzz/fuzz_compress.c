/* fuzz_compress.c - compressed packets from a stranger; and what we compress comes back. */
#include <assert.h>
#include <stdlib.h>

#include "core/mysql/compress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
drop(struct filter *f)
{
    buf_fini(&f->raw);
    buf_fini(&f->ready);
    f->ops->free(f);
}

static void
take(enum compress_how how, struct span bytes)
{
    struct filter *f  = compress_new(how, 1, false);
    struct buf     to = { 0 };

    buf_append_span(&f->raw, bytes);
    for (;;) {
        size_t before = buf_len(&to);
        if (f->ops->decode(f, &to, 1 << 16) != 0 || buf_len(&to) == before)
            break;
        if (buf_len(&to) > 1 << 22)
            break;
    }
    buf_fini(&to);
    drop(f);
}

/* The bytes as one packet, handed over in two pieces. */
static void
there_and_back(enum compress_how how, int level, struct span bytes)
{
    struct filter *out = compress_new(how, level, true), *in = compress_new(how, level, false);
    struct buf     from = { 0 }, sent = { 0 }, to = { 0 };
    uint8_t        header[4] = { (uint8_t)bytes.len, (uint8_t)(bytes.len >> 8),
                                 (uint8_t)(bytes.len >> 16), 0 };

    buf_append(&sent, header, 4);
    buf_append_span(&sent, bytes);
    size_t half = buf_len(&sent) / 2;
    buf_append(&from, sent.bytes, half);
    out->ops->encode(out, &from);
    buf_append(&from, sent.bytes + half, sent.end - half);
    out->ops->encode(out, &from);
    assert(buf_len(&from) == 0);
    buf_append_span(&in->raw, buf_unread(&out->ready));
    for (size_t before = SIZE_MAX; before != buf_len(&to);) {
        before = buf_len(&to);
        int failed = in->ops->decode(in, &to, 1 << 16);
        assert(failed == 0);
    }
    assert(buf_len(&to) == sent.end && memcmp(to.bytes, sent.bytes, sent.end) == 0);
    buf_fini(&from);
    buf_fini(&sent);
    buf_fini(&to);
    drop(out);
    drop(in);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    enum compress_how how  = data[0] & 1 ? COMPRESS_ZSTD : COMPRESS_ZLIB;
    struct span       rest = { data + 1, size - 1 };

    if (data[0] & 2)
        take(how, rest);
    else if (rest.len < 0xffffff)
        there_and_back(how, data[0] >> 2, rest);
    return 0;
}
