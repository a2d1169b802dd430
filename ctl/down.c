/* down.c - `shardctl down`: by the controller when it lives, else by the pid files. */
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "ctl/client.h"
#include "ctl/provision/spawn.h"
#include "ctl/up.h"

enum { PATIENCE_MS = 110000, SERVERS_MAX = ROUTES_SHARDS_MAX };

/* Asks the controller, and waits for the end of the process. */
static bool
stop_controller(const struct cluster_paths *paths, pid_t pid)
{
    int64_t    deadline = spawn_now_ms() + PATIENCE_MS;
    struct err ignored;
    json_t    *answer = client_call(paths, "POST", "/v1/shutdown", NULL, NULL, &ignored);

    json_decref(answer);
    if (!answer)
        kill(pid, SIGTERM); /* it does not listen yet, or no more */
    while (cluster_owner(paths) == pid) {
        if (spawn_now_ms() > deadline)
            return false;
        usleep(10000);
    }
    return true;
}

/* shardd, or the servers, that are left: their pidfds. A pid file is no sign that one still
 * runs: it goes long before the files are closed. */
static size_t
find_left(const struct cluster_paths *paths, bool servers, struct pollfd *out)
{
    char           pid_file[CLUSTER_PATH_MAX + 300], needle[CLUSTER_PATH_MAX + 300];
    DIR           *dir = opendir(paths->home);
    struct dirent *entry;
    size_t         n = 0;
    pid_t          pid;

    while (dir && n < SERVERS_MAX && (entry = readdir(dir))) {
        bool is_server = strncmp(entry->d_name, "shard-", 6) == 0;

        if (is_server != servers || (!is_server && strcmp(entry->d_name, "shardd.pid") != 0))
            continue;
        snprintf(pid_file, sizeof(pid_file), "%s/%s%s", paths->home, entry->d_name,
                 is_server ? "/mariadbd.pid" : "");
        snprintf(needle, sizeof(needle), "%s/%s", paths->home,
                 is_server ? entry->d_name : "shardd.conf");
        pid    = local_find(pid_file, needle);
        out[n] = (struct pollfd){ .fd = pid > 0 ? pidfd_open(pid, 0) : -1, .events = POLLIN };
        n += out[n].fd >= 0;
    }
    if (dir)
        closedir(dir);
    return n;
}

static bool
stop_left(const struct cluster_paths *paths, bool servers, int *found)
{
    struct pollfd *left     = mem_alloc(SERVERS_MAX * sizeof(*left));
    int64_t        deadline = spawn_now_ms() + PATIENCE_MS / 2;
    size_t         n        = find_left(paths, servers, left);
    bool           all      = true;

    *found += (int)n;
    for (size_t i = 0; i < n; i++)
        pidfd_send_signal(left[i].fd, SIGTERM, NULL, 0);
    for (size_t i = 0; i < n; i++) {
        int64_t room = deadline - spawn_now_ms();

        all = poll(&left[i], 1, room > 0 ? (int)room : 0) == 1 && all;
        close(left[i].fd);
    }
    free(left);
    return all;
}

int
up_down(const struct cluster_paths *paths, bool json)
{
    pid_t pid   = cluster_owner(paths);
    int   found = pid > 0;

    if (pid > 0 && !stop_controller(paths, pid)) {
        fprintf(stderr, "shardctl: the controller (pid %ld) does not stop; see %s/shardctl.log\n",
                (long)pid, paths->home);
        return 1;
    }
    /* What a controller that was killed left behind: shardd first. */
    if (!stop_left(paths, false, &found) || !stop_left(paths, true, &found)) {
        fprintf(stderr, "shardctl: a server of %s does not stop; see its error.log\n",
                paths->home);
        return 1;
    }
    if (json)
        printf("{\"stopped\": %s}\n", found ? "true" : "false");
    else
        printf(found ? "stopped %s\n" : "nothing runs for %s\n", paths->home);
    return 0;
}
