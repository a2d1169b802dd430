/* fuzz_packet.c - packets and messages: no claim past the end, one way to cut. */
#include "core/mysql/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Joining packet by packet must give what message_next() joins. */
static void
check_message(struct packet_reader reader, struct span in, const struct message *m)
{
    size_t        at = 0, payload = 0;
    struct packet p;

    do {
        if (packet_next(&reader, span_from(in, at), &p) != PACKET_OK)
            __builtin_trap();
        if (p.payload.len > m->payload.len - payload
            || (p.payload.len != 0
                && memcmp(p.payload.ptr, m->payload.ptr + payload, p.payload.len) != 0))
            __builtin_trap();
        payload += p.payload.len;
        at += PACKET_HEADER_BYTES + p.payload.len;
    } while (!p.last);
    if (at != m->used || payload != m->payload.len)
        __builtin_trap();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct packet_reader reader = { .limit = 64 }, before;
    struct span          in     = { data, size };
    struct buf           joined = { 0 };
    struct message       m;

    for (before = reader; message_next(&reader, in, &joined, &m) == PACKET_OK; before = reader) {
        if (m.used > in.len || m.payload.len > reader.limit)
            __builtin_trap();
        check_message(before, in, &m);
        in = span_from(in, m.used);
    }
    buf_fini(&joined);
    return 0;
}
