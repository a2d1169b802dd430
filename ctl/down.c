/* down.c - `shardctl down`: by the controller when it lives, else by who still runs. */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "ctl/client.h"
#include "ctl/provision/spawn.h"
#include "ctl/up.h"

enum { PATIENCE_MS = 110000, SERVERS_MAX = ROUTES_SHARDS_MAX + ROUTES_ENGINES_MAX };

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

/* A process that is to end. */
struct left {
    pid_t pid;
    int   pidfd;
};

static void
find_shardd(const struct cluster_paths *paths, const char *pid_file, struct left *left)
{
    char conf[CLUSTER_PATH_MAX + 300];

    snprintf(conf, sizeof(conf), "%s/shardd.conf", paths->home);
    left->pid   = local_find(pid_file, conf);
    left->pidfd = left->pid > 0 ? pidfd_open(left->pid, 0) : -1;
    if (left->pidfd < 0 || local_find(pid_file, conf) != left->pid)
        left->pid = 0; /* it has ended meanwhile */
    if (left->pid == 0 && left->pidfd >= 0)
        close(left->pidfd);
}

/* shardd or all servers that still run. */
static size_t
find_left(const struct cluster_paths *paths, bool servers, struct left left[SERVERS_MAX])
{
    DIR           *dir = opendir(paths->home);
    struct dirent *entry;
    size_t         n = 0;

    while (dir && n < SERVERS_MAX && (entry = readdir(dir))) {
        char path[CLUSTER_PATH_MAX + 300];
        bool is_server = strncmp(entry->d_name, "shard-", 6) == 0 ||
                         strncmp(entry->d_name, "replica-", 8) == 0 ||
                         strncmp(entry->d_name, "engine-", 7) == 0;

        if (is_server != servers || (!is_server && strcmp(entry->d_name, "shardd.pid") != 0))
            continue;
        snprintf(path, sizeof(path), "%s/%s", paths->home, entry->d_name);
        if (is_server)
            left[n].pid = local_find_server(path, &left[n].pidfd);
        else
            find_shardd(paths, path, &left[n]);
        n += left[n].pid > 0;
    }
    if (dir)
        closedir(dir);
    return n;
}

static bool
any_alive(const struct left *left, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!local_ended(left[i].pidfd))
            return true;
    return false;
}

static bool
stop_left(const struct cluster_paths *paths, bool servers, int *found)
{
    int64_t      deadline = spawn_now_ms() + PATIENCE_MS / 2;
    struct left *left     = mem_alloc(SERVERS_MAX * sizeof(*left));
    size_t       n        = find_left(paths, servers, left);
    bool         alive;

    for (size_t i = 0; i < n; i++)
        pidfd_send_signal(left[i].pidfd, SIGTERM, NULL, 0);
    while ((alive = any_alive(left, n)) && spawn_now_ms() <= deadline)
        usleep(10000);
    for (size_t i = 0; i < n; i++)
        close(left[i].pidfd);
    free(left);
    *found += (int)n;
    return !alive;
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
