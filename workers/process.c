/* process.c - see process.h. */
#include "workers/process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/proc.h"

enum {
    STALE_MS   = 5000, /* a heartbeat so old means that the worker is stopped */
    LOOPING_MS = 1000, /* CPU time in which any turn is over, unless it goes on forever */
};

void
process_end(struct process *p)
{
    if (p->pidfd >= 0)
        close(p->pidfd);
    *p = (struct process){ .pidfd = -1 };
}

void
process_signal(const struct process *p, int signal)
{
    if (p->pidfd >= 0 && pidfd_send_signal(p->pidfd, signal, NULL, 0) != 0 && errno != ESRCH)
        log_warn("cannot signal worker process %d: %s", (int)p->pid, strerror(errno));
}

bool
process_ended(const struct process *p)
{
    struct pollfd fd = { .fd = p->pidfd, .events = POLLIN };

    return p->pidfd >= 0 && poll(&fd, 1, 0) == 1;
}

bool
process_is_worker(pid_t pid, const char *instance)
{
    char  path[64], name[128], line[512];
    bool  found = false;

    snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
    snprintf(name, sizeof(name), "/dev/shm/shardd-%s-slots", instance);
    FILE *maps = fopen(path, "re");
    if (maps == NULL)
        return false;
    while (!found && fgets(line, sizeof(line), maps) != NULL)
        found = strstr(line, name) != NULL;
    fclose(maps);
    return found;
}

/* On a machine that is far too busy it waits for a CPU: a successor would wait as long, and its
 * clients would be gone. */
static bool
is_starving(struct process *p, uint32_t row)
{
    struct proc_stat stat;

    if (!proc_stat_read(p->pid, &stat) || stat.state != 'R')
        return false;
    if (!p->starving) {
        log_warn("worker %u (process %d) gets no CPU", row, (int)p->pid);
        p->starving = true;
        p->cpu_ms   = stat.cpu_ms;
    }
    return stat.cpu_ms - p->cpu_ms < LOOPING_MS;
}

void
process_watch(struct process *p, uint32_t row, uint64_t beat, uint64_t now_ms, bool asleep)
{
    if (beat != p->beat || asleep) {
        p->beat     = beat;
        p->beat_at  = now_ms;
        p->starving = false;
    }
    if (p->killed || now_ms - p->beat_at <= STALE_MS || is_starving(p, row))
        return;
    log_error("worker %u (process %d) has not moved for %d s: killing it", row, (int)p->pid,
              STALE_MS / 1000);
    process_signal(p, SIGKILL);
    p->killed = true;
}

bool
process_hangs(const struct process *p, uint64_t now_ms)
{
    return now_ms - p->beat_at > 2 * STALE_MS && !p->starving;
}
