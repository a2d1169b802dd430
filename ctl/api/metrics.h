/* metrics.h - what the controller knows, for Prometheus.
 *
 * Text format 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/
 * The number of series is bounded: by shards, replicas, collectors and states of jobs. The
 * workers have a page of their own (workers/metrics.h).
 */
#ifndef CTL_API_METRICS_H
#define CTL_API_METRICS_H

#include "core/base/buf.h"
#include "ctl/provision/cluster.h"

/* Append the page. */
void metrics_controller(struct buf *out, struct cluster *c);

/* Its part about primaries and replicas; `shards` is a catalog_all(). */
void metrics_servers(struct buf *out, struct cluster *c, json_t *shards);

/* Its part about the load of shards and replicas. */
void metrics_load(struct buf *out, struct monitor *m);

/* A label's value, escaped. */
void metrics_label(struct buf *out, const char *text);

#endif
