/* exposition.h - reading what Prometheus scrapes: of node-exporter, for servers elsewhere.
 *
 * Text format 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/
 */
#ifndef CTL_SCALE_EXPOSITION_H
#define CTL_SCALE_EXPOSITION_H

#include "core/base/base.h"

/* One line: name{labels} value. `labels` without the braces. */
struct sample {
    struct span name, labels;
    double      value;
};

/* The next sample of *text, which moves behind it; false at the end. Comments, empty lines and
 * what is no sample are passed over. */
bool sample_next(struct span *text, struct sample *out) must_check;

/* The value of a label, undecoded; empty when it has none. */
struct span sample_label(const struct sample *s, const char *name);

/* What a machine has, by node-exporter; NAN: it does not say. CPU seconds are sums over all
 * CPUs since its start. The disk is that of the mount point under which `directory` lies. */
struct machine {
    double cpu_idle_s, cpu_all_s, cpus;
    double memory_total, memory_available;
    double disk_size, disk_available;
};

void machine_read(struct span text, const char *directory, struct machine *out);

#endif
