/* packet.h - where one MySQL packet ends and the next begins.
 *
 * Everything on a MySQL connection travels in packets:
 *
 *      0         3     4                       4 + length
 *      +---------+-----+------------------------+
 *      | length  | seq |        payload         |
 *      +---------+-----+------------------------+
 *        u24 LE    u8
 *
 * A message longer than 0xfffffe bytes is cut into packets of 0xffffff and
 * one shorter packet to close it, which may be empty. The cuts carry no
 * meaning, so a relay passes them on unread and only `last` matters to it.
 *
 * `seq` counts from zero in each command and wraps. A gap means that we lost
 * the stream, and nothing after it can be trusted.
 *
 * The module is pure: it reads bytes that the caller owns and does no I/O.
 * What it returns points into those bytes and is valid as long as they are.
 */
#ifndef CORE_MYSQL_PACKET_H
#define CORE_MYSQL_PACKET_H

#include "core/base/buf.h"

#define PACKET_HEADER_BYTES 4
#define PACKET_PAYLOAD_MAX  0xffffff

enum packet_status {
    PACKET_OK,       /* *out is the next packet */
    PACKET_PARTIAL,  /* its end has not arrived: come back with more */
    PACKET_BAD_SEQ,  /* out of step: close the connection */
    PACKET_TOO_BIG,  /* the message is longer than `limit`: answer, then close */
};

struct packet {
    struct span payload; /* without the header; borrowed from the input */
    uint8_t     seq;
    bool        last;    /* false: the same message goes on in the next one */
};

/* All zeroes expects a new command and has no limit. */
struct packet_reader {
    uint8_t next_seq;    /* shared with our own packets; 0 in a new command */
    size_t  limit;       /* longest message to accept, over all its packets; 0 for no limit */
    size_t  so_far;      /* bytes of the message before this packet */
};

/* Take the packet at the start of `in`. On PACKET_OK `*out` is set and the
 * next one begins at packet_after(); on anything else `*out` and the reader
 * are untouched. Sequence and limit are judged as soon as the header is
 * there: a peer cannot make us wait for 16 MiB that we will refuse. */
enum packet_status packet_next(struct packet_reader *reader, struct span in,
                               struct packet *out) must_check;

/* The first byte after `packet`. */
static inline const uint8_t *
packet_after(const struct packet *packet)
{
    return packet->payload.ptr + packet->payload.len;
}

/* A whole message, its packets joined. */
struct message {
    struct span payload; /* in the input, or in `joined` when it was cut */
    size_t      used;    /* bytes of input, headers included */
    uint8_t     seq;     /* of its last packet */
};

/* Take the whole message at the start of `in`. The payload of a message of one
 * packet stays where it is; one of several is copied into `joined` (cleared
 * first), where it is valid until the next call. On anything but PACKET_OK
 * `*out` and the reader are untouched. */
enum packet_status message_next(struct packet_reader *reader, struct span in,
                                struct buf *joined, struct message *out) must_check;

/* What a relay wants to know before the payload is there. */
struct packet_header {
    uint32_t len;
    uint8_t  seq;
    uint8_t  first; /* first byte of the payload; 0 when len is 0 */
};

/* False until the header and the first payload byte have arrived. */
static inline bool
packet_peek(struct span in, struct packet_header *out)
{
    if (in.len < PACKET_HEADER_BYTES)
        return false;
    uint32_t len = (uint32_t)in.ptr[0] | (uint32_t)in.ptr[1] << 8 | (uint32_t)in.ptr[2] << 16;
    if (len != 0 && in.len == PACKET_HEADER_BYTES)
        return false;
    *out = (struct packet_header){ len, in.ptr[3], len != 0 ? in.ptr[4] : (uint8_t)0 };
    return true;
}

/* Writing: begin, append the payload to `out`, end.
 *
 *   size_t at = packet_begin(out);
 *   wire_put_u8(out, COM_PING);
 *   packet_end(out, at, &seq);
 *
 * Nothing may consume from `out` in between. packet_end() patches the header,
 * cuts a payload that needs several packets, and moves `*seq` past them. */
size_t packet_begin(struct buf *out);
void   packet_end(struct buf *out, size_t at, uint8_t *seq);

/* Forget what was appended since packet_begin(). */
void packet_abandon(struct buf *out, size_t at);

const char *packet_status_name(enum packet_status status);

#endif
