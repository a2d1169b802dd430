/* proc.h - what the kernel says of a process. Source: proc(5), /proc/PID/stat. */
#ifndef CORE_BASE_PROC_H
#define CORE_BASE_PROC_H

#include <sys/types.h>

#include "core/base/base.h"

struct proc_stat {
    char     state;  /* R: has or wants a CPU; S, D: waits; T: stopped; Z: has ended */
    uint64_t cpu_ms; /* that it has had, in user space and in the kernel */
};

/* False: there is no such process. */
bool proc_stat_read(pid_t pid, struct proc_stat *out) must_check;

/* Bytes of this process that are in memory, shared ones too; 0: not known. */
uint64_t proc_resident(void);

#endif
