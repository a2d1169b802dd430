/* spawn.c - fork and exec with nothing inherited that matters. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "ctl/provision/provision.h"
#include "ctl/provision/spawn.h"

enum { LOG_TAIL = 64 << 10 };

/* In the child, between fork and exec. Only async-signal-safe calls: other
 * threads of the parent may have held any lock. */
static void
become(const char *const argv[], char **env, int in, int out, int errors)
{
    sigset_t none;
    int      null = open("/dev/null", O_RDWR | O_CLOEXEC);

    setsid();
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    dup2(in >= 0 ? in : null, STDIN_FILENO);
    if (out >= 0) {
        dup2(out, STDOUT_FILENO);
        dup2(errors, STDERR_FILENO);
    }
    /* Libraries open files that they do not mark close-on-exec. */
    close_range(3, ~0u, 0);
    execve(argv[0], (char *const *)(uintptr_t)argv, env);
    _exit(127);
}

/* Where a service's manager is told how it is; children are not the service. */
static bool
is_notify(const char *variable)
{
    return strncmp(variable, "NOTIFY_SOCKET=", 14) == 0 ||
           strncmp(variable, "WATCHDOG_", 9) == 0;
}

/* Our environment with `extra` ("NAME=value") instead of NAME's own; NAME
 * alone is left out. The caller frees the array, not the texts. */
static char **
environment(const char *extra)
{
    size_t n = 0, out = 0, name_len = extra ? strcspn(extra, "=") : 0;
    char **env;

    while (environ[n])
        n++;
    env = mem_alloc((n + 2) * sizeof(*env));
    for (size_t i = 0; i < n; i++)
        if (!is_notify(environ[i]) &&
            (!extra || strncmp(environ[i], extra, name_len) != 0 || environ[i][name_len] != '='))
            env[out++] = environ[i];
    if (extra && extra[name_len] == '=')
        env[out++] = (char *)(uintptr_t)extra;
    return env;
}

pid_t
spawn(const char *const argv[], const char *log, const char *extra)
{
    int    out = -1;
    pid_t  pid;
    char **env;

    if (log) {
        out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (out < 0)
            return -errno;
    }
    env = environment(extra);
    pid = fork();
    if (pid == 0)
        become(argv, env, -1, out, out);
    if (pid < 0)
        pid = -errno;
    free(env);
    if (out >= 0)
        close(out);
    return pid;
}

/* The first line that calls itself an error, else the last one. */
static void
telling_line(int fd, char *line, size_t room)
{
    FILE  *in    = fdopen(fd, "r");
    char  *text  = NULL;
    size_t cap   = 0;
    bool   found = false;

    line[0] = '\0';
    while (in && getline(&text, &cap, in) > 0) {
        text[strcspn(text, "\n")] = '\0';
        if (text[0] && !found)
            snprintf(line, room, "%s", text);
        found = found || strcasestr(text, "error");
    }
    free(text);
    if (in)
        fclose(in);
}

bool
spawn_run(const char *const argv[], struct err *err)
{
    char   line[256];
    int    ends[2], status = 0;
    pid_t  pid;
    char **env;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_set(err, "cannot make a pipe: %s", strerror(errno));
    env = environment(NULL);
    pid = fork();
    if (pid == 0)
        become(argv, env, -1, ends[1], ends[1]);
    free(env);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return err_set(err, "cannot start %s: %s", argv[0], strerror(errno));
    }
    telling_line(ends[0], line, sizeof(line));
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return err_set(err, "cannot run %s; is it installed?", argv[0]);
    return err_set(err, "%s failed: %s", argv[0], line[0] ? line : "it said nothing");
}

pid_t
spawn_piped(const char *const argv[], int in, int out, const char *log)
{
    int    errors = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    pid_t  pid, parent = getpid();
    char **env;

    if (errors < 0)
        return -errno;
    env = environment(NULL);
    pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(127);
        become(argv, env, in, out >= 0 ? out : errors, errors);
    }
    if (pid < 0)
        pid = -errno;
    free(env);
    close(errors);
    return pid;
}

/* Of the end of a log. */
static void
last_words(const char *path, char *line, size_t room)
{
    int        fd  = open(path, O_RDONLY | O_CLOEXEC);
    off_t      end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    struct buf out = { 0 };
    ssize_t    n;

    if (fd < 0)
        return;
    n = pread(fd, buf_reserve(&out, LOG_TAIL), LOG_TAIL, end > LOG_TAIL ? end - LOG_TAIL : 0);
    buf_commit(&out, n > 0 ? (size_t)n : 0);
    provision_telling(buf_unread(&out), line, room);
    buf_fini(&out);
    close(fd);
}

bool
spawn_ended(const char *program, pid_t pid, const char *log, struct err *err)
{
    char line[256] = "";
    int  status = 0;

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    last_words(log, line, sizeof(line));
    if (WIFSIGNALED(status))
        return err_set(err, "%s was ended by signal %d", program, WTERMSIG(status));
    return err_set(err, "%s failed: %s", program, line[0] ? line : "it said nothing");
}

bool
spawn_read(const char *const argv[], struct buf *out, struct err *err)
{
    int     ends[2], null = open("/dev/null", O_WRONLY | O_CLOEXEC), status = 0;
    pid_t   pid;
    ssize_t n = 1;
    char  **env;

    if (null < 0 || pipe2(ends, O_CLOEXEC) != 0) {
        err_set(err, "cannot make a pipe: %s", strerror(errno));
        close(null);
        return false;
    }
    env = environment(NULL);
    pid = fork();
    if (pid == 0)
        become(argv, env, -1, ends[1], null);
    free(env);
    close(ends[1]);
    close(null);
    while (pid > 0 && n > 0) {
        n = read(ends[0], buf_reserve(out, 4096), 4096);
        if (n > 0)
            buf_commit(out, (size_t)n);
        else if (n < 0 && errno == EINTR)
            n = 1;
    }
    close(ends[0]);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    return err_set(err, "'%s %s' failed with status %d", argv[0], argv[1],
                   WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

static bool
runnable(char *out, size_t room, const char *directory, size_t len, const char *program)
{
    int n = snprintf(out, room, "%.*s/%s", (int)len, directory, program);

    return n > 0 && (size_t)n < room && access(out, X_OK) == 0;
}

bool
spawn_find(const char *program, char *out, size_t room)
{
    static const char *const usual[] = { "/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
                                         "/usr/bin", "/usr/libexec", "/sbin" };
    static const char *const beside[] = { ".", "../libexec", "../libexec/shardd", "../sbin",
                                          "../bin" };
    char        self[PATH_MAX];
    ssize_t     n    = readlink("/proc/self/exe", self, sizeof(self) - 1);
    const char *path = getenv("PATH");

    for (size_t i = 0; n > 0 && i < countof(beside); i++) {
        char directory[PATH_MAX + 32];

        self[n] = '\0';
        snprintf(directory, sizeof(directory), "%.*s/%s", (int)(strrchr(self, '/') - self), self,
                 beside[i]);
        if (runnable(out, room, directory, strlen(directory), program))
            return true;
    }
    while (path && *path) {
        size_t len = strcspn(path, ":");

        if (len > 0 && runnable(out, room, path, len, program))
            return true;
        path += len + (path[len] == ':');
    }
    for (size_t i = 0; i < countof(usual); i++)
        if (runnable(out, room, usual[i], strlen(usual[i]), program))
            return true;
    return false;
}

int64_t
spawn_now_ms(void)
{
    return (int64_t)(clock_us() / 1000);
}

bool
spawn_mkdir(const char *path, struct err *err)
{
    char *copy = mem_strdup(path);

    for (char *at = copy + 1; *at; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        (void)mkdir(copy, 0700);
        *at = '/';
    }
    free(copy);
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return true;
    return err_set(err, "cannot make the directory %s: %s", path, strerror(errno));
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

bool
spawn_remove_tree(const char *path, struct err *err)
{
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT)
        return true;
    return err_set(err, "cannot remove %s: %s", path, strerror(errno));
}
