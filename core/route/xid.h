/* xid.h - the name of a distributed transaction, made by workers, read by the resolver.
 *
 *   XA START 'shardd-<instance>-<worker>-<epoch>-<counter>-<home>','<shard>'
 *             \_______________________ gtrid _____________________/ bqual
 *
 * worker, home and shard are decimal, epoch and counter are hexadecimal. `home`
 * is the catalog's id of the shard whose plain transaction is the commit point:
 * its row in shardd.decision, whose primary key is the gtrid, decides all
 * branches. A gtrid is never used twice: the epoch is new with every start of
 * a worker. An instance of up to 20 letters always fits the server's 64 bytes.
 */
#ifndef CORE_ROUTE_XID_H
#define CORE_ROUTE_XID_H

#include "core/base/base.h"

#define XID_GTRID_MAX    64 /* the server's limit, bytes */
#define XID_INSTANCE_MAX 32 /* with the NUL */

struct xid {
    char     instance[XID_INSTANCE_MAX]; /* [a-z0-9_]+; '-' ends it only from the right */
    uint32_t worker;  /* number of the worker's slot */
    uint32_t epoch;   /* of the worker's process */
    uint64_t counter; /* per worker process */
    uint32_t home;    /* the catalog's shard id */
};

/* Writes the gtrid and a NUL. Returns its length, or 0 when the instance is
 * empty or the whole is longer than XID_GTRID_MAX. */
size_t xid_encode(const struct xid *xid, char out[XID_GTRID_MAX + 1]) must_check;

/* Reads a gtrid. Returns false, and leaves `*xid` alone, when it is not one of
 * ours: another program's XA transactions must not be touched. */
bool xid_decode(struct span gtrid, struct xid *xid) must_check;

#endif
