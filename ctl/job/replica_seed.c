/* replica_seed.c - a physical copy of a shard's server on the same machine, by mariadb-backup.
 *
 *   mariadb-backup --backup:  the files, while they change, and the log of how they did
 *                  --prepare: as of the end of the copy; what was not committed then is undone,
 *                             prepared branches stay prepared
 *
 * The copy has the position of its end in a file, and all that is behind it is replicated. The
 * server holds commits back for a moment there (BACKUP STAGE BLOCK_COMMIT), those of branches too.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/catalog/model.h"
#include "ctl/job/replica.h"
#include "ctl/provision/local_files.h"
#include "ctl/provision/spawn.h"

/* The password is in a file that nobody else reads: an argument would be seen in a list of
 * processes. */
static bool
write_login(const json_t *shard, const char *path, struct err *err)
{
    int   fd  = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
    bool  ok;

    if (!out)
        return err_set(err, "cannot write %s: %s", path, strerror(errno));
    ok = fprintf(out, "[mariadb-backup]\nuser=%s\npassword=%s\nsocket=%s\n",
                 model_text(shard, "user"), model_text(shard, "secret"),
                 model_text(shard, "socket")) > 0;
    if (fclose(out) != 0 || !ok)
        return err_set(err, "cannot write %s: %s", path, strerror(errno));
    return true;
}

static bool
find(char *program, size_t room, struct err *err)
{
    return spawn_find("mariadb-backup", program, room) ||
           err_set(err, "mariadb-backup is not installed; install the package mariadb-backup");
}

/* A settings file with all that tells it how the files look, and the login. */
static bool
write_defaults(const json_t *shard, const char *directory, char *option, size_t room,
               struct err *err)
{
    char path[LOCAL_PATH_MAX + 32];

    snprintf(path, sizeof(path), "%s/backup.cnf", directory);
    snprintf(option, room, "--defaults-file=%s", path);
    return write_login(shard, path, err);
}

/* "FILE", "OFFSET" and "GTIDs", with tabs between them. */
static bool
read_position(const char *data, char *out, size_t room, struct err *err)
{
    static const char *const names[] = { "mariadb_backup_binlog_info", "xtrabackup_binlog_info" };
    char  path[LOCAL_PATH_MAX + 64], line[4096] = "";
    FILE *in = NULL;

    for (size_t i = 0; !in && i < countof(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", data, names[i]);
        in = fopen(path, "re");
    }
    if (!in)
        return err_set(err, "the copy in %s does not say of which position it is", data);
    bool  ok  = fgets(line, sizeof(line), in) != NULL;
    char *tab = strrchr(line, '\t');
    fclose(in);
    if (!ok || !tab || !strchr(line, '\t'))
        return err_set(err, "the copy in %s says of its position only '%.100s'", data, line);
    tab[1 + strcspn(tab + 1, "\n")] = '\0';
    snprintf(out, room, "%s", tab + 1);
    return true;
}

static bool
copy(const char *program, const char *defaults, const char *data, const char *from,
     struct err *err)
{
    char        target[LOCAL_PATH_MAX + 32], source[LOCAL_PATH_MAX + 32];
    const char *backup[]  = { program, defaults, "--backup", target, source, NULL };
    const char *prepare[] = { program, defaults, "--prepare", target, NULL };

    snprintf(target, sizeof(target), "--target-dir=%s", data);
    snprintf(source, sizeof(source), "--datadir=%s/data", from);
    return spawn_run(backup, err) && spawn_run(prepare, err);
}

bool
replica_seed(const json_t *shard, json_t *replica, char *position, size_t room, struct err *err)
{
    const char *directory = model_text(replica, "directory");
    char        program[LOCAL_PATH_MAX], defaults[LOCAL_PATH_MAX + 64];
    char        data[LOCAL_PATH_MAX + 16];

    snprintf(data, sizeof(data), "%s/data", directory);
    return find(program, sizeof(program), err) &&
           write_defaults(shard, directory, defaults, sizeof(defaults), err) &&
           spawn_remove_tree(data, err) &&
           copy(program, defaults, data, model_text(shard, "directory"), err) &&
           read_position(data, position, room, err);
}
