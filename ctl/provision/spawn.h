/* spawn.h - child processes that are not ours to take along. */
#ifndef CTL_PROVISION_SPAWN_H
#define CTL_PROVISION_SPAWN_H

#include <sys/types.h>

#include "core/base/buf.h"
#include "core/base/err.h"

/* Starts `argv` in a session of its own (so that a Ctrl-C on the terminal
 * reaches only us), with /dev/null for input and its output appended to `log`
 * (NULL: ours). `extra` is one more variable of its environment, "NAME=value",
 * or NULL. Returns the pid, or -errno. */
pid_t spawn(const char *const argv[], const char *log, const char *extra);

/* Starts `argv` with these for input and output, and `log` for what it says; it is killed when the
 * calling thread ends, however that comes. -1: /dev/null. Returns the pid, or -errno. */
pid_t spawn_piped(const char *const argv[], int in, int out, const char *log);

/* Waits for its end; false with `err`, naming the last line of `log`. */
bool spawn_ended(const char *program, pid_t pid, const char *log, struct err *err) must_check;

/* Runs it to its end; false with `err`, naming the last line it printed. */
bool spawn_run(const char *const argv[], struct err *err) must_check;

/* The same, with what it printed on standard output appended to `out`. */
bool spawn_read(const char *const argv[], struct buf *out, struct err *err) must_check;

/* Where the program is: beside the running one, in ../libexec or ../sbin of that, on
 * $PATH, or in the system's usual directories. False when nowhere. */
bool spawn_find(const char *program, char *out, size_t room);

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t spawn_now_ms(void);

/* mkdir -p with mode 0700. */
bool spawn_mkdir(const char *path, struct err *err) must_check;

/* rm -r; what is not there is fine. */
bool spawn_remove_tree(const char *path, struct err *err) must_check;

#endif
