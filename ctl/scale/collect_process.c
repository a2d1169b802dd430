/* collect_process.c - CPU, memory and disk of a server on this machine: what its process uses, by
 * /proc, of what its provisioner and its control group let it use. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/provision/provision.h"
#include "ctl/scale/cgroup.h"
#include "ctl/scale/collect.h"

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

/* What the provisioner says it may use, and the control group, and the machine: the least. */
static void
measure_limits(const struct provision_facts *f, struct shard_load *out)
{
    struct cgroup group;

    cgroup_of(f->pid, &group);
    out->cpu_limit    = fmin(machine_cores(), group.cores);
    out->memory_limit = fmin(machine_memory(), group.memory_limit);
    if (f->milli_cpus > 0)
        out->cpu_limit = fmin(out->cpu_limit, (double)f->milli_cpus / 1000);
    if (f->memory_bytes > 0)
        out->memory_limit = fmin(out->memory_limit, (double)f->memory_bytes);
}

static bool
run(const struct collect_about *about, void **state, struct shard_load *out, struct err *err)
{
    struct provision_facts f = { .state = "" };
    double                 cpu_s, resident;

    if (strcmp(model_text(about->shard, "provisioner"), "static") == 0)
        return true; /* not on this machine: see collect_agent.c */
    if (!provision_describe(about->cluster, about->shard, &f, err))
        return false;
    measure_disk(f.directory, out);
    if (f.pid == 0 || !read_process(f.pid, &cpu_s, &resident))
        return err_set(err, "its process does not run: %s", f.state);
    if (!*state)
        *state = mem_alloc(sizeof(struct state));
    measure_limits(&f, out);
    out->memory = resident / out->memory_limit;
    measure_cpu(*state, f.pid, cpu_s, out);
    return true;
}

const struct collector collect_process = { "process", 0, true, run, free };
