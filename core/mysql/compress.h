/* compress.h - the compressed protocol, as a filter between packets and the wire.
 *
 *      0         3     4               7                     7 + length
 *      +---------+-----+---------------+------------------------+
 *      | length  | seq | length before |        payload         |
 *      +---------+-----+---------------+------------------------+
 *         u24      u8        u24         zlib or zstd; as it is when "before" is 0
 *
 * Packets of the ordinary protocol are one stream of bytes in there: a compressed
 * packet may hold several of them, or a piece. `seq` counts on through both
 * directions of a command and begins at 0 with the next one, so the asking side
 * begins a compressed packet with each command.
 *
 * Source: MariaDB knowledge base, "0-packet, compressed"; MySQL internals manual,
 * "Compression"; zstd: CLIENT_ZSTD_COMPRESSION_ALGORITHM of MySQL 8.
 */
#ifndef CORE_MYSQL_COMPRESS_H
#define CORE_MYSQL_COMPRESS_H

#include "core/base/filter.h"

enum compress_how { COMPRESS_NONE, COMPRESS_ZLIB, COMPRESS_ZSTD };

enum {
    COMPRESS_HEADER_BYTES   = 7,
    COMPRESS_MIN_BYTES      = 50,        /* shorter ones stay as they are, as servers do it */
    COMPRESS_CHUNK_BYTES    = 64 * 1024,  /* of one packet of an answer, before */
    COMPRESS_MAX_BYTES      = 256 * 1024, /* longer commands stay as they are: short turns */
    COMPRESS_ZLIB_LEVEL_MAX = 9,
    COMPRESS_ZSTD_LEVEL_MAX = 7, /* higher ones, which a client may ask for, would stall others */
};

/* Add it behind the OK of the login. `level`: 1 and up; more than the maximum is the
 * maximum. `asks`: this side sends the commands, and whole packets at a time. */
struct filter *compress_new(enum compress_how how, int level, bool asks);

/* Is one of the chain's filters of this kind? */
bool compress_in(const struct filter *chain);

#endif
