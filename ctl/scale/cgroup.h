/* cgroup.h - the limits and the use of a control group, of version 2 or 1.
 *
 * Source: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1 of the kernel. What has no
 * limit, or cannot be read, is INFINITY for limits and NAN for what is used.
 */
#ifndef CTL_SCALE_CGROUP_H
#define CTL_SCALE_CGROUP_H

#include <sys/types.h>

#include "core/base/base.h"

struct cgroup {
    double cores, memory_limit; /* the narrowest of the group and those around it */
    double cpu_s, memory;       /* used by all processes in it */
};

/* Of the group a process is in. */
void cgroup_of(pid_t pid, struct cgroup *out);

/* Of the group with this path below the hierarchies' roots, as "/system.slice/x.service". */
void cgroup_at(const char *path, struct cgroup *out);

/* The first line of it, or as much as there is room for. False: it cannot be read. */
bool cgroup_read(const char *file, char *out, size_t room) must_check;

#endif
