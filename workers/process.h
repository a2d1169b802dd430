/* process.h - a worker's process as the master sees it: alive, moving, stopped or starving.
 *
 * It is known by its pidfd: no pid is ever killed that is not the one that was meant.
 */
#ifndef WORKERS_PROCESS_H
#define WORKERS_PROCESS_H

#include <sys/types.h>

#include "core/base/base.h"

/* A process that heeds a heartbeat. */
struct process {
    pid_t    pid;
    int      pidfd;     /* owned; -1: none */
    uint64_t beat;      /* the heartbeat last seen, */
    uint64_t beat_at;   /* when it was new */
    bool     killed;    /* for being stopped */
    bool     asked;     /* an orphan: to leave */
    bool     starving;  /* its heart does not beat as it gets no CPU; */
    uint64_t cpu_ms;    /* what it had when that was noticed */
};

/* Nothing to watch any more: the pidfd is closed. */
void process_end(struct process *p);

void process_signal(const struct process *p, int signal);
bool process_ended(const struct process *p);

/* A pid in a slot may be another program's by now. A worker has the instance's slots mapped. */
bool process_is_worker(pid_t pid, const char *instance);

/* The heartbeat is `beat` now. One that has not moved for long is killed; not one that waits for
 * a CPU. `asleep`: we have not looked for a while ourselves. */
void process_watch(struct process *p, uint32_t row, uint64_t beat, uint64_t now_ms, bool asleep);

/* Not even killing has helped. */
bool process_hangs(const struct process *p, uint64_t now_ms);

#endif
