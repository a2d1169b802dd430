/* provision.h - where the servers of shards come from: one table of functions for each kind.
 *
 *   provision_plan() -> create() -> start() -> wait_ready() -> [catalog] -> keep()
 *         |                 |          |            |
 *         v                 +----------+------------+---> destroy()
 *   names into the object, so that a job can record what it is about to make
 *
 *   local     a mariadbd of the controller's, see provision_local.h
 *   docker    a container with a volume, by the Engine API, see docker.h
 *   systemd   shardd-mariadb@INSTANCE.service, see provision_systemd.c
 *   static    somebody else's server: it is adopted, never made or removed
 *
 * Names follow from the cluster's uuid and the shard's number, which is never used again: what
 * has such a name and is not in the catalog is half made, or was half removed.
 */
#ifndef CTL_PROVISION_PROVISION_H
#define CTL_PROVISION_PROVISION_H

#include <jansson.h>
#include <sys/types.h>

#include "core/base/buf.h"
#include "core/base/err.h"

struct cluster;
struct local_server;

/* A server that is made, looked at or removed. */
struct provisioned {
    struct cluster           *c;
    const struct provisioner *by;
    json_t                   *server; /* its object, borrowed: create() fills in where it is */
    struct local_server      *local;  /* of `local`, from start() to keep() or destroy() */
};

/* What is known of a server that runs, or may. */
struct provision_facts {
    char    state[32];       /* "running", or the provisioner's word for what it is instead */
    char    health[16];      /* "healthy", "starting", "unhealthy"; "": nobody looks */
    pid_t   pid;             /* of mariadbd, as this machine sees it; 0: not known */
    char    cgroup[512];     /* of its own, a folder of /sys/fs/cgroup for CPU; "": none */
    char    memory_cgroup[512]; /* for memory: with version 2 the same */
    char    directory[1024]; /* its data, on this machine; "": not known */
    int64_t milli_cpus;      /* what it may use; 0: all */
    int64_t memory_bytes;    /* 0: all */
    int64_t disk_bytes, disk_free_bytes; /* of the file system of its data; -1: not known */
};

struct provisioner {
    const char *name;
    bool        makes;   /* servers; else they exist */
    bool        limits;  /* --cpus and --memory mean something */
    void (*plan)(struct provisioned *p);
    /* All but the running server; what was left of one with that name goes first. */
    bool (*create)(struct provisioned *p, struct err *err);
    bool (*start)(struct provisioned *p, struct err *err); /* fine on one that runs */
    /* Until it answers SQL; says what the server said when it ended. */
    bool (*wait_ready)(struct provisioned *p, int wait_ms, struct err *err);
    void (*keep)(struct provisioned *p); /* it is in the catalog now */
    /* Stops it and removes it, or what there is of it. `kept`: its rows were in use; a
     * provisioner whose settings say so keeps their files. */
    bool (*destroy)(struct provisioned *p, bool kept, struct err *err);
    bool (*describe)(struct provisioned *p, struct provision_facts *out, struct err *err);
    /* The folder of its data as this machine sees it; between create() and start() it may be filled
     * with a copy of another's, and settle() makes the files its own. */
    bool (*folder)(struct provisioned *p, char *out, size_t room, struct err *err);
    bool (*settle)(struct provisioned *p, struct err *err);
    /* Ends it orderly and starts it again; returns before it answers. */
    bool (*restart)(struct provisioned *p, struct err *err);
    /* It has another part to play from its next start on: settings are written anew. NULL: they
     * cannot be. */
    bool (*renew)(struct provisioned *p, struct err *err);
    /* For discover.c; NULL where nothing is to be discovered: the member of a shard's object that
     * has its server's name there ("container"). */
    const char *handle;
    unsigned    seldom; /* every so many looks: one costs a process */
    /* What there is with a name or label of this cluster, objects to be owned: name; ref (another
     * for one that was made anew); id of the shard it was made for, or -1: somebody else's, who
     * wants it to be a shard; running; and of those what they say: shard (a name), host, port,
     * user. NULL with `err`: it cannot be told. */
    json_t *(*list)(struct cluster *c, struct err *err);
    /* The password of that user; "" where none is told. */
    void (*secret)(struct cluster *c, const json_t *entry, char *out, size_t room);
};

extern const struct provisioner provisioner_local, provisioner_docker, provisioner_systemd,
    provisioner_static;

/* By its name; NULL: there is none. `i` counts from 0 until the answer is NULL. */
const struct provisioner *provision_find(const char *name);
const struct provisioner *provision_at(size_t i);

/* The one of this object; one without a known name is static. */
struct provisioned provision_of(struct cluster *c, json_t *server);

/* How a shard's server is wished to be. */
struct provision_wish {
    const char *provisioner; /* "": as the cluster's settings say */
    const char *cpus;        /* "1.5"; "": no limit */
    const char *memory;      /* "512M", "2G"; "": no limit */
};

/* The wish, and the names that follow from it, into an object with id and name. */
bool provision_plan(struct cluster *c, const struct provision_wish *wish, json_t *server,
                    struct err *err) must_check;

/* Whether it is ours to start and to remove: not what was found, see ctl/job/discover.h. */
bool provision_is_ours(const struct provisioned *p);

/* What a job's record needs of it to find it again: an object to be owned. */
json_t *provision_trace(const json_t *server);

bool provision_describe(struct cluster *c, const json_t *server, struct provision_facts *out,
                        struct err *err) must_check;

/* A setting of the cluster's: "docker_image" ...; the default where none was given. */
const char *provision_setting(const struct cluster *c, const char *name);

/* The settings there are, for `shardctl up` and `serve`: its name there, and here. */
struct provision_option {
    const char *option, *name, *fallback;
};
extern const struct provision_option provision_options[];
extern const size_t                  provision_n_options;

/* --- for provisioners ------------------------------------------------------------ */

/* Waits until the server answers. False with `err`: it does not after `wait_ms`, or `lives` has
 * said in `err` why it never will. `what`: "the unit x". */
bool provision_wait(struct provisioned *p, const char *what,
                    bool (*lives)(struct provisioned *p, struct err *err), int wait_ms,
                    struct err *err) must_check;

/* "PREFIX-shard-N", with the first 8 digits of the cluster's uuid as PREFIX. */
void provision_name(const struct cluster *c, const json_t *server, char *out, size_t room);

/* The id of the server with such a name of this cluster, behind `before`; -1: it is none. */
int64_t provision_number(const struct cluster *c, const char *name, const char *before);

/* "data" in the server's own folder: what provisioner.folder() is where the controller makes it. */
bool provision_folder(struct provisioned *p, char *out, size_t room, struct err *err);

/* Fills in cgroup and disk of what is known already: pid and directory. */
void provision_look(struct provision_facts *f);

/* Bytes of "512M"; 0: not a size. Thousandths of "1.5"; 0: not a number above 0. */
int64_t provision_size(const char *text);
int64_t provision_milli(const char *text);

/* The line of a log that says best why a server ended: the last one with "ERROR", else the last
 * one. */
void provision_telling(struct span lines, char *out, size_t room);

/* The folders of a process below /sys/fs/cgroup from /proc/PID/cgroup; "" where there is none but
 * the root. */
void provision_cgroup(const char *lines, const char *controller, char *out, size_t room);

#endif
