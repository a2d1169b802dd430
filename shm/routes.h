/* routes.h - struct routes as a flat blob, and back.
 *
 *   +------------------------+--------+--------+-----+---------+-------+
 *   | magic, version, sizes, | shards | ranges | ... | engines | bytes |
 *   | checksum, counts       |        |        |     |         |       |
 *   +------------------------+--------+--------+-----+---------+-------+
 *
 * The arrays have records of fixed size in a fixed order, names are (offset,
 * length) into `bytes` at the end, numbers are little-endian, nothing is a
 * pointer. The blob passes between processes that may be of different builds
 * and may be damaged, so decoding trusts nothing.
 */
#ifndef SHM_ROUTES_H
#define SHM_ROUTES_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/route/table.h"

enum { ROUTES_BLOB_VERSION = 17 };

/* Append the blob to `out`. `index` need not be there. Arrays need not be
 * sorted: the blob has them sorted, and shards as they are. False, with `err`
 * filled, when routes_decode() would refuse the result, for example because two
 * tables have one name. */
bool routes_encode(const struct routes *r, struct buf *out,
                   struct err *err) must_check;

/* A blob back as routes, which borrow nothing from `blob`.
 * Free with routes_free(). False: the blob is damaged or of another version,
 * or breaks a rule of table.h; `err` says which. */
bool routes_decode(struct span blob, struct routes **out,
                   struct err *err) must_check;

/* NULL is fine. */
void routes_free(struct routes *r);

#endif
