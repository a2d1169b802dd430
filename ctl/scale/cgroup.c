/* cgroup.c - see cgroup.h. */
#include "ctl/scale/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ROOT "/sys/fs/cgroup"

enum { PATH_ROOM = 4096 };

bool
cgroup_read(const char *file, char *out, size_t room)
{
    int     fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return false;
    n = read(fd, out, room - 1);
    close(fd);
    if (n < 0)
        return false;
    out[n] = '\0';
    return true;
}

/* A file of the group with one number; `fallback` when there is none ("max" too). */
static double
number(const char *tree, const char *path, const char *file, double fallback)
{
    char   name[PATH_ROOM], text[256], *end;
    double value;

    if (snprintf(name, sizeof(name), "%s%s%s/%s", ROOT, tree, path, file) >= (int)sizeof(name) ||
        !cgroup_read(name, text, sizeof(text)))
        return fallback;
    value = strtod(text, &end);
    return end == text ? fallback : value;
}

/* "max 100000" or "50000 100000": of each period so much. */
static double
cores_v2(const char *path)
{
    char   name[PATH_ROOM], text[256];
    double quota, period;

    if (snprintf(name, sizeof(name), ROOT "%s/cpu.max", path) >= (int)sizeof(name) ||
        !cgroup_read(name, text, sizeof(text)) ||
        sscanf(text, "%lf %lf", &quota, &period) != 2 || !(period > 0))
        return INFINITY;
    return quota / period;
}

static double
cores_v1(const char *path)
{
    double quota  = number("/cpu", path, "cpu.cfs_quota_us", -1);
    double period = number("/cpu", path, "cpu.cfs_period_us", 0);

    return quota > 0 && period > 0 ? quota / period : INFINITY;
}

/* A limit of version 1 that nobody set is a number near 2^63. */
static double
limit(double bytes)
{
    return bytes > 0 && bytes < 0x1p60 ? bytes : INFINITY;
}

static void
narrow(const char *path, struct cgroup *out)
{
    out->cores        = fmin(out->cores, fmin(cores_v2(path), cores_v1(path)));
    out->memory_limit = fmin(out->memory_limit, limit(number("", path, "memory.max", INFINITY)));
    out->memory_limit = fmin(out->memory_limit, limit(number("/memory", path,
                                                             "memory.limit_in_bytes", INFINITY)));
}

/* usage_usec N is the first line of cpu.stat. */
static double
used_cpu(const char *path)
{
    char   name[PATH_ROOM], text[256];
    double us, ns;

    if (snprintf(name, sizeof(name), ROOT "%s/cpu.stat", path) < (int)sizeof(name) &&
        cgroup_read(name, text, sizeof(text)) && sscanf(text, "usage_usec %lf", &us) == 1)
        return us / 1e6;
    ns = number("/cpuacct", path, "cpuacct.usage", NAN);
    return ns / 1e9;
}

void
cgroup_at(const char *path, struct cgroup *out)
{
    char around[PATH_ROOM];

    *out = (struct cgroup){ .cores = INFINITY, .memory_limit = INFINITY };
    out->cpu_s  = used_cpu(path);
    out->memory = number("", path, "memory.current",
                         number("/memory", path, "memory.usage_in_bytes", NAN));
    snprintf(around, sizeof(around), "%s", path);
    for (;;) {
        char *slash = strrchr(around, '/');

        narrow(around, out);
        if (!slash)
            return;
        *slash = '\0';
    }
}

/* Lines "0::/path" (version 2) or "4:memory:/path". */
void
cgroup_of(pid_t pid, struct cgroup *out)
{
    char name[64], text[PATH_ROOM], *state = NULL;

    *out = (struct cgroup){ INFINITY, INFINITY, NAN, NAN };
    snprintf(name, sizeof(name), "/proc/%d/cgroup", (int)pid);
    if (!cgroup_read(name, text, sizeof(text)))
        return;
    for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        char         *kind = strchr(line, ':'), *path = kind ? strchr(kind + 1, ':') : NULL;
        struct cgroup one;

        if (!path)
            continue;
        *path++ = '\0';
        if (kind[1] != '\0' && strcmp(kind, ":memory") != 0 && !strstr(kind, "cpu"))
            continue;
        cgroup_at(strcmp(path, "/") == 0 ? "" : path, &one);
        out->cores        = fmin(out->cores, one.cores);
        out->memory_limit = fmin(out->memory_limit, one.memory_limit);
        out->cpu_s        = isnan(out->cpu_s) ? one.cpu_s : out->cpu_s;
        out->memory       = isnan(out->memory) ? one.memory : out->memory;
    }
}
