/* engine.h - engines that come and go. */
#ifndef CTL_JOB_ENGINE_H
#define CTL_JOB_ENGINE_H

#include "ctl/job/job.h"

/* One more server of ours. NAME "" for "engine-N". */
bool engine_add(struct cluster *c, const char *who, const char *name,
                struct sql_error *error) must_check;

/* How to come to a server that exists. */
struct engine_login {
    const char *address;        /* HOST, HOST:PORT, or the path of a socket */
    const char *user, *password; /* may do everything there */
    const char *tls_ca;         /* as of shard_adopt() */
};

/* Uses a server that exists and has no tables: databases and accounts are made on it. */
bool engine_adopt(struct cluster *c, const char *who, const char *name,
                  const struct engine_login *login, struct sql_error *error) must_check;

/* A server of ours goes; on another what was made there does, when it answers. */
bool engine_remove(struct cluster *c, const char *who, const char *name,
                   struct sql_error *error) must_check;

#endif
