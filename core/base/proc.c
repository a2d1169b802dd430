/* proc.c - see proc.h. */
#include "core/base/proc.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool
proc_stat_read(pid_t pid, struct proc_stat *out)
{
    char     path[64], line[1024];
    uint64_t user, system;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    size_t n = fread(line, 1, sizeof(line) - 1, file);
    fclose(file);
    line[n] = 0;
    /* "pid (name) state ...": the name may hold anything, parentheses too. */
    const char *at = strrchr(line, ')');
    if (at == NULL || sscanf(at, ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64
                             " %" SCNu64, &out->state, &user, &system) != 3)
        return false;
    out->cpu_ms = (user + system) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
    return true;
}

uint64_t
proc_resident(void)
{
    FILE    *file  = fopen("/proc/self/statm", "re");
    uint64_t pages = 0;

    if (file != NULL) {
        if (fscanf(file, "%*u %" SCNu64, &pages) != 1)
            pages = 0;
        fclose(file);
    }
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}
