/* collect_process.c - CPU, memory and disk of a server on this machine: of its process by /proc,
 * or, where it is in a control group with limits, of that. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/scale/collect.h"
#include "ctl/scale/cgroup.h"

struct state {
    pid_t    pid;
    double   cpu_s; /* used until then */
    uint64_t at_us; /* 0: not looked yet */
};

/* CPU seconds of all threads, and resident bytes. False: there is no such process. */
static bool
read_process(pid_t pid, double *cpu_s, double *resident)
{
    char               path[64], text[1024];
    unsigned long long user = 0, system = 0;
    long long          pages = 0;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (!cgroup_read(path, text, sizeof(text)))
        return false;
    /* The name, in parentheses, may have anything in it. */
    const char *behind = strrchr(text, ')');
    if (!behind || sscanf(behind + 1,
                          " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d"
                          " %*d %*d %*d %*u %*u %lld", &user, &system, &pages) != 3)
        return false;
    *cpu_s    = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
    *resident = (double)pages * (double)sysconf(_SC_PAGESIZE);
    return true;
}

static double
machine_memory(void)
{
    return (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
}

static double
machine_cores(void)
{
    return (double)sysconf(_SC_NPROCESSORS_ONLN);
}

static void
measure_disk(const char *directory, struct shard_load *out)
{
    struct statvfs fs;

    if (!directory[0] || statvfs(directory, &fs) != 0)
        return;
    out->disk_free = (double)fs.f_bavail * (double)fs.f_frsize;
    out->disk_used = (double)(fs.f_blocks - fs.f_bfree) * (double)fs.f_frsize;
}

/* From now to the look before; a first look has no CPU to tell. */
static void
measure_cpu(struct state *s, pid_t pid, double cpu_s, struct shard_load *out)
{
    uint64_t now = clock_us();

    if (s->at_us != 0 && s->pid == pid && now > s->at_us && cpu_s >= s->cpu_s)
        out->cpu = (cpu_s - s->cpu_s) / ((double)(now - s->at_us) / 1e6) / out->cpu_limit;
    s->pid   = pid;
    s->cpu_s = cpu_s;
    s->at_us = now;
}

static bool
run(const struct collect_about *about, void **state, struct shard_load *out, struct err *err)
{
    pid_t         pid = cluster_local_pid(about->cluster, model_number(about->shard, "id"));
    struct cgroup group;
    double        cpu_s, resident;

    if (strcmp(model_text(about->shard, "provisioner"), "local") != 0)
        return true; /* none of ours: see collect_agent.c */
    measure_disk(model_text(about->shard, "directory"), out);
    if (pid == 0 || !read_process(pid, &cpu_s, &resident))
        return err_set(err, "its process does not run");
    if (!*state)
        *state = mem_alloc(sizeof(struct state));

    cgroup_of(pid, &group);
    out->cpu_limit    = fmin(machine_cores(), group.cores);
    out->memory_limit = fmin(machine_memory(), group.memory_limit);
    out->memory       = resident / out->memory_limit;
    measure_cpu(*state, pid, cpu_s, out);
    return true;
}

const struct collector collect_process = { "process", 0, run, free };
