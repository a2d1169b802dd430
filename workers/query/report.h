/* report.h - SHOW SHARDD POOLS and DIGESTS: what only the workers themselves know.
 *
 *   the worker that was asked --mail, poke--> all others
 *        |                                       |
 *        +-- looks every few ms <-- slots <------+ each writes its report into its own slot
 *
 * Whoever has not written within a second (it is stopped, or gone) is missing, with a warning.
 */
#ifndef WORKERS_QUERY_REPORT_H
#define WORKERS_QUERY_REPORT_H

#include "workers/query/query.h"

/* MAIL_REPORT has come: write ours. */
void report_tell(const struct context *ctx, enum report which);

/* The answer to SHOW SHARDD POOLS or DIGESTS. */
void report_show(struct query_run *q, enum report which);
void report_abandon(struct query_run *q);

#endif
