/* local_left.c - servers of ours that no catalog knows: a controller was killed over them. */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "core/base/log.h"
#include "ctl/catalog/model.h"
#include "ctl/provision/local_files.h"
#include "ctl/provision/provision_local.h"
#include "ctl/provision/spawn.h"

enum { PATIENCE_MS = 10000 };

static void
kill_server(const char *directory)
{
    int pidfd;

    if (local_find_server(directory, &pidfd) <= 0)
        return;
    pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
    while (!local_ended(pidfd))
        usleep(5000);
    close(pidfd);
}

/* A cp of the controller that was killed may still be filling it: then it is not empty at
 * first. */
bool
local_remove_left(const char *directory, struct err *err)
{
    int64_t deadline = spawn_now_ms() + PATIENCE_MS;

    for (;;) {
        kill_server(directory);
        if (spawn_remove_tree(directory, err))
            return true;
        if (spawn_now_ms() > deadline)
            return false;
        usleep(20000);
    }
}

/* "KIND-N"; RUN, which may be the same directory, has "KIND-N.sock". */
static bool
is_directory(const char *name, const char *kind)
{
    size_t len = strlen(kind);

    if (strncmp(name, kind, len) != 0 || name[len] != '-' || !name[len + 1])
        return false;
    return name[len + 1 + strspn(name + len + 1, "0123456789")] == '\0';
}

static bool
is_known(const json_t *known, const char *directory)
{
    const char *name;
    json_t     *server;

    json_object_foreach((json_t *)(uintptr_t)known, name, server)
        if (strcmp(model_text(server, "directory"), directory) == 0)
            return true;
    return false;
}

json_t *
local_strangers(const char *home, const char *kind, const json_t *known)
{
    json_t        *found = json_array();
    DIR           *dir   = opendir(home);
    struct dirent *entry;
    char           path[LOCAL_PATH_MAX];

    while (dir && (entry = readdir(dir))) {
        snprintf(path, sizeof(path), "%s/%s", home, entry->d_name);
        if (is_directory(entry->d_name, kind) && !is_known(known, path))
            json_array_append_new(found, json_string(path));
    }
    if (dir)
        closedir(dir);
    return found;
}

void
local_sweep(const char *home, const char *kind, const json_t *known)
{
    json_t    *found = local_strangers(home, kind, known), *path;
    struct err err;
    size_t     i;

    json_array_foreach(found, i, path)
        if (!local_remove_left(json_string_value(path), &err))
            log_warn("%s", err.text);
    json_decref(found);
}
