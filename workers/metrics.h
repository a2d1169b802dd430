/* metrics.h - what all workers have counted, for Prometheus.
 *
 * Text format 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/
 * The number of series is bounded: by the counters, the shards and the workers.
 */
#ifndef WORKERS_METRICS_H
#define WORKERS_METRICS_H

#include "core/base/buf.h"
#include "core/route/table.h"
#include "shm/slots.h"

/* Append the page. `routes` (NULL: none yet) names the shards. */
void metrics_render(struct buf *out, const struct slots *slots, const struct routes *routes,
                    uint64_t now_ms);

#endif
