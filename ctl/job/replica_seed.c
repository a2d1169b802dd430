/* replica_seed.c - a physical copy of a shard's server, by mariadb-backup.
 *
 *   mariadb-backup --backup:  the files, while they change, and the log of how they did; streamed,
 *                             see replica_stream.h
 *                  --prepare: as of the end of the copy; what was not committed then is undone,
 *                             prepared branches stay prepared
 *
 * The copy has the position of its end in a file, and all that is behind it is replicated. The
 * server holds commits back for a moment there (BACKUP STAGE BLOCK_COMMIT), those of branches too.
 *
 * Whatever ends in the middle leaves HOME/seed-N and the half-filled folder, which go with the
 * replica; the programs end with the controller.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/log.h"
#include "ctl/catalog/model.h"
#include "ctl/job/replica_step.h"
#include "ctl/job/replica_stream.h"
#include "ctl/provision/local_files.h"
#include "ctl/provision/replication.h"
#include "ctl/provision/spawn.h"

enum { ANSWER_S = 30 };

/* Programs, folders and options of one copy. */
struct seeding {
    char backup[LOCAL_PATH_MAX], unpack[LOCAL_PATH_MAX]; /* the programs */
    char work[LOCAL_PATH_MAX], log[LOCAL_PATH_MAX + 16];
    char defaults[LOCAL_PATH_MAX + 64];  /* the option */
    char source[LOCAL_PATH_MAX], target[LOCAL_PATH_MAX]; /* folders of data */
    char inside[LOCAL_PATH_MAX]; /* as the source's server names its own; "": as we do */
    char unshare[LOCAL_PATH_MAX]; /* the program, where that is another name */
};

static void
work_folder(const struct cluster *c, const json_t *replica, char *out, size_t room)
{
    snprintf(out, room, "%s/seed-%d", c->path.home, model_server_number(replica));
}

/* The password is in a file that nobody else reads: an argument would be seen in a list of
 * processes. */
static bool
write_login(const json_t *shard, const char *path, struct err *err)
{
    const char *socket = model_text(shard, "socket");
    int   fd  = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
    bool  ok;

    if (!out)
        return err_set(err, "cannot write %s: %s", path, strerror(errno));
    ok = fprintf(out, "[mariadb-backup]\nuser=%s\npassword=%s\n", model_text(shard, "user"),
                 model_text(shard, "secret")) > 0;
    if (socket[0])
        ok = fprintf(out, "socket=%s\n", socket) > 0 && ok;
    else
        ok = fprintf(out, "host=%s\nport=%d\nprotocol=tcp\n", model_text(shard, "host"),
                     (int)model_number(shard, "port")) > 0 && ok;
    if (fclose(out) != 0 || !ok)
        return err_set(err, "cannot write %s: %s", path, strerror(errno));
    return true;
}

static bool
find(const char *program, char *out, size_t room, struct err *err)
{
    return spawn_find(program, out, room) ||
           err_set(err, "%s is not installed; install the package mariadb-backup", program);
}

static bool
folder_of(struct cluster *c, const json_t *server, char *out, size_t room, struct err *err)
{
    struct provisioned p = provision_of(c, (json_t *)(uintptr_t)server);

    if (!p.by->folder)
        return err_set(err, "the files of %s are not on this machine", model_text(server, "name"));
    return p.by->folder(&p, out, room, err) &&
           (access(out, R_OK | X_OK) == 0 ||
            err_set(err, "cannot look into the folder of %s, %.200s: %s",
                    model_text(server, "name"), out, strerror(errno)));
}

/* A folder that may be a mount stays itself. */
static bool
empty(const char *folder, struct err *err)
{
    DIR           *dir = opendir(folder);
    struct dirent *entry;
    char           path[LOCAL_PATH_MAX + 256];
    bool           ok = dir != NULL;

    if (!dir)
        return err_set(err, "cannot open %s: %s", folder, strerror(errno));
    while (ok && (entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        ok = spawn_remove_tree(path, err);
    }
    closedir(dir);
    return ok;
}

/* mariadb-backup copies the folder that the server names. In a container that is a name of its own,
 * and here it may be that of another server's: so mariadb-backup gets a view of its own, in which
 * the source's folder has that name. */
static bool
find_view(const json_t *shard, struct seeding *s, struct err *err)
{
    struct server    server = { .mysql = NULL };
    struct sql_error error  = { .message = "" };
    struct stat      ours, named;
    bool ok = server_open(&server, shard, &error) &&
              server_value(&server, s->inside, sizeof(s->inside), &error, "SELECT @@datadir");

    server_close(&server);
    if (!ok)
        return err_set(err, "%s", error.message);
    if (stat(s->source, &ours) != 0)
        return err_set(err, "cannot look at %s: %s", s->source, strerror(errno));
    if (stat(s->inside, &named) == 0 && ours.st_dev == named.st_dev &&
        ours.st_ino == named.st_ino) {
        s->inside[0] = '\0';
        return true;
    }
    if (geteuid() != 0)
        return err_set(err, "the folder of %s is %.200s here and %.200s there; to copy it the "
                            "controller has to be root", model_text(shard, "name"), s->source,
                       s->inside);
    return spawn_mkdir(s->inside, err) && (spawn_find("unshare", s->unshare, sizeof(s->unshare)) ||
                                           err_set(err, "the program unshare is not there"));
}

static bool
prepare(struct cluster *c, const json_t *shard, const json_t *replica, struct seeding *s,
        struct err *err)
{
    char login[LOCAL_PATH_MAX + 16];

    work_folder(c, replica, s->work, sizeof(s->work));
    snprintf(s->log, sizeof(s->log), "%s/log", s->work);
    snprintf(login, sizeof(login), "%s/my.cnf", s->work);
    snprintf(s->defaults, sizeof(s->defaults), "--defaults-file=%s", login);
    return find("mariadb-backup", s->backup, sizeof(s->backup), err) &&
           find("mbstream", s->unpack, sizeof(s->unpack), err) &&
           folder_of(c, shard, s->source, sizeof(s->source), err) && find_view(shard, s, err) &&
           folder_of(c, replica, s->target, sizeof(s->target), err) &&
           empty(s->target, err) && spawn_remove_tree(s->work, err) &&
           spawn_mkdir(s->work, err) && write_login(shard, login, err);
}

/* --- the stream ----------------------------------------------------------------------- */

static bool
explain(int error, struct err *err)
{
    if (error == -ECANCELED)
        return err_set(err, "the controller stops");
    return err_set(err, error == -EBADMSG ? "the copy ended in the middle"
                                          : "the copy broke off: %s", strerror(-error));
}

/* Both programs have ended when it returns. What they say tells more than a broken pipe does. */
static bool
run_both(const struct seeding *s, const struct stream_wish *wish, struct seeded *done,
         struct err *err)
{
    char        from[LOCAL_PATH_MAX + 32], work[LOCAL_PATH_MAX + 32];
    const char *elsewhere[] = { s->unshare, "--mount", "sh", "-c",
                                "mount --bind \"$0\" \"$1\" && shift && exec \"$@\"", s->source,
                                s->inside, s->backup, s->defaults, "--backup",
                                "--stream=mbstream", from, work, NULL };
    const char *const *backup = s->inside[0] ? elsewhere : elsewhere + 7;
    const char *unpack[] = { s->unpack, "-x", "-C", s->target, NULL };
    struct stream_sizes sizes = { 0 };
    int                 out[2], in[2], error;
    pid_t               first, second;
    bool                ok;

    snprintf(from, sizeof(from), "--datadir=%s", s->inside[0] ? s->inside : s->source);
    snprintf(work, sizeof(work), "--target-dir=%s", s->work);
    if (pipe2(out, O_CLOEXEC) != 0)
        return err_set(err, "cannot make a pipe: %s", strerror(errno));
    if (pipe2(in, O_CLOEXEC) != 0) {
        close(out[0]);
        close(out[1]);
        return err_set(err, "cannot make a pipe: %s", strerror(errno));
    }
    first  = spawn_piped(backup, -1, out[1], s->log);
    second = spawn_piped(unpack, in[0], -1, s->log);
    close(out[1]);
    close(in[0]);
    error = first > 0 && second > 0 ? replica_stream(out[0], in[1], wish, &sizes)
                                    : first < 0 ? (int)first : (int)second;
    close(out[0]); /* the one dies of it, the other sees the end */
    close(in[1]);
    ok = first < 0 || spawn_ended("mariadb-backup", first, s->log, err);
    ok = (second < 0 || spawn_ended("mbstream", second, s->log, err)) && ok;
    done->bytes   = sizes.bytes;
    done->on_link = sizes.on_link;
    if (error != 0 && (ok || error == -ECANCELED))
        return explain(error, err);
    return ok;
}

/* The end of the copy, as its server's binary log knows it. */
struct place {
    char file[256], gtids[GTID_TEXT_MAX];
    long offset;
};

/* "FILE", "OFFSET" and "GTIDs", with tabs between them. */
static bool
read_place(const char *data, struct place *out, struct err *err)
{
    static const char *const names[] = { "mariadb_backup_binlog_info", "xtrabackup_binlog_info" };
    char  path[LOCAL_PATH_MAX + 64], line[GTID_TEXT_MAX + 512] = "";
    FILE *in = NULL;

    for (size_t i = 0; !in && i < countof(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", data, names[i]);
        in = fopen(path, "re");
    }
    if (!in)
        return err_set(err, "the copy in %s does not say of which position it is", data);
    bool  ok  = fgets(line, sizeof(line), in) != NULL;
    char *tab = strchr(line, '\t'), *second = tab ? strchr(tab + 1, '\t') : NULL;
    fclose(in);
    if (!ok || !second || tab - line >= (long)sizeof(out->file) ||
        strlen(second + 1) >= sizeof(out->gtids))
        return err_set(err, "the copy in %s says of its position only '%.100s'", data, line);
    second[1 + strcspn(second + 1, "\n")] = '\0';
    out->offset = atol(tab + 1);
    snprintf(out->file, sizeof(out->file), "%.*s", (int)(tab - line), line);
    snprintf(out->gtids, sizeof(out->gtids), "%s", second + 1);
    return true;
}

/* The GTIDs that come with a copy are gtid_current_pos, which leaves out what was written there
 * with another server_id: rows that a move has brought. The log has these. It lacks what the server
 * got as a copy itself, which the others have. */
static bool
find_position(const json_t *shard, const struct place *place, struct seeded *done, struct err *err)
{
    struct server    s     = { .answer_s = ANSWER_S };
    struct sql_error error = { .message = "" };
    struct gtid_set  both, other;
    char             logged[GTID_TEXT_MAX];
    bool             ok = server_open(&s, shard, &error) &&
              server_value(&s, logged, sizeof(logged), &error, "SELECT COALESCE("
                           "BINLOG_GTID_POS(%s, %ld), '?')", server_text(place->file),
                           place->offset);

    server_close(&s);
    if (!ok)
        return err_set(err, "%s", error.message);
    if (!gtid_parse(&both, logged) || !gtid_parse(&other, place->gtids) ||
        !gtid_join(&both, &other))
        return err_set(err, "%s does not know any more which GTIDs are before the end of the "
                       "copy (%s %ld); try it again", model_text(shard, "name"), place->file,
                       place->offset);
    gtid_print(&both, done->position);
    return true;
}

static bool
make_whole(const struct seeding *s, struct err *err)
{
    char        target[LOCAL_PATH_MAX + 32];
    const char *argv[] = { s->backup, s->defaults, "--prepare", target, NULL };
    pid_t       pid;

    snprintf(target, sizeof(target), "--target-dir=%s", s->target);
    pid = spawn_piped(argv, -1, -1, s->log);
    if (pid < 0)
        return err_set(err, "cannot start %s: %s", s->backup, strerror(-pid));
    return spawn_ended("mariadb-backup --prepare", pid, s->log, err);
}

bool
replica_seed(struct cluster *c, const json_t *shard, const json_t *replica,
             const struct replica_wish *wish, struct seeded *done, struct err *err)
{
    const struct stream_wish stream = { .plain = wish->plain, .max_rate = wish->max_rate,
                                        .stopping = &c->stopping };
    struct seeding           s;
    struct place             place;
    struct err               ignored;
    bool ok = prepare(c, shard, replica, &s, err) && run_both(&s, &stream, done, err) &&
              make_whole(&s, err) && read_place(s.target, &place, err) &&
              find_position(shard, &place, done, err);

    if (!replica_seed_clean(c, replica, &ignored))
        log_warn("%s", ignored.text);
    return ok;
}

bool
replica_seed_clean(struct cluster *c, const json_t *replica, struct err *err)
{
    char work[LOCAL_PATH_MAX];

    work_folder(c, replica, work, sizeof(work));
    return spawn_remove_tree(work, err);
}
