/* exporter.h - the controller's /metrics by TCP, for a Prometheus on another machine. It tells
 * nothing but metrics.h and needs no token: let it listen where you would let everybody read
 * that. The Unix socket of the API has the page as well.
 */
#ifndef CTL_API_EXPORTER_H
#define CTL_API_EXPORTER_H

#include <microhttpd.h>

#include "ctl/provision/cluster.h"

struct exporter;

/* Listens where it did last time (the catalog's meta/monitor); a port that is taken is
 * logged, and the controller goes on without. */
struct exporter *exporter_open(struct cluster *c);
void             exporter_close(struct exporter *e); /* NULL is fine */

/* Listen on "HOST:PORT" or "[HOST]:PORT" from now on, HOST an address in numbers; "": nowhere.
 * Kept in the catalog when it works. */
bool exporter_listen(struct exporter *e, const char *who, const char *address,
                     struct err *err) must_check;

/* The page, as the answer to a request on the API's socket. */
enum MHD_Result exporter_answer(struct MHD_Connection *connection, struct cluster *c);

/* Where it listens, "" when it does not; owned by the caller. */
char *exporter_address(struct exporter *e) must_check;

#endif
