/* metrics.h - what the controller knows, for Prometheus.
 *
 * Text format 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/
 * The number of series is bounded: by the shards, the collectors and the states of jobs. The
 * workers have a page of their own (workers/metrics.h).
 */
#ifndef CTL_API_METRICS_H
#define CTL_API_METRICS_H

#include "core/base/buf.h"
#include "ctl/provision/cluster.h"

/* Append the page. */
void metrics_controller(struct buf *out, struct cluster *c);

#endif
