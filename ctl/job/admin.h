/* admin.h - what people ask of a cluster: databases and users.
 *
 * Every function is a job: it changes all shards, then the catalog, then
 * publishes. It fills `error` when it returns false; then nothing is changed,
 * or the job stands as stuck and the error says so. `who` is for the audit.
 */
#ifndef CTL_JOB_ADMIN_H
#define CTL_JOB_ADMIN_H

#include "ctl/catalog/user.h"
#include "ctl/job/job.h"

struct database_options {
    const char *policy;    /* "auto" or "global"; NULL: auto */
    const char *home;      /* a shard's name; NULL: the one with the fewest databases */
    const char *collation; /* NULL: the server's default */
    const char *charset;   /* NULL: the collation's */
    const char *words;     /* instead of both: as in a statement, for a server to read; or NULL */
    bool        if_not_exists;
};

/* `warnings` (may be NULL) is 1 when it existed already. */
bool admin_database_create(struct cluster *c, const char *who, const char *name,
                           const struct database_options *options, unsigned *warnings,
                           struct sql_error *error) must_check;

/* Collation and character set; other options are not looked at. */
bool admin_database_alter(struct cluster *c, const char *who, const char *name,
                          const struct database_options *options,
                          struct sql_error *error) must_check;

#define DATABASE_CHANGE "change a database" /* the words of its job */

/* Which reads replicas may answer: "strong", "causal", "eventual" or "default". */
bool admin_database_consistency(struct cluster *c, const char *who, const char *name,
                                const char *consistency, struct sql_error *error) must_check;
bool admin_consistency_ok(const char *word, struct sql_error *error) must_check;

/* Drops it with all its tables. */
bool admin_database_drop(struct cluster *c, const char *who, const char *name, bool if_exists,
                         unsigned *warnings, struct sql_error *error) must_check;

/* What a controller before this one began: `what` as the job's record has it. Returns the
 * record's state; `error` may say why it is stuck. */
enum job_state admin_database_resume(struct cluster *c, const char *what, const char *name,
                                     struct sql_error *error) must_check;

/* NO_RIGHTS: none until some are granted; ALL: on all databases, also those to come. */
enum admin_user_kind { ADMIN_USER_NO_RIGHTS, ADMIN_USER_ALL, ADMIN_USER_ADMIN };

/* `verifier`: see user.h; NULL: no password. `limits`: its members that are limits hold; or
 * NULL. */
bool admin_user_add(struct cluster *c, const char *who, const char *name,
                    enum auth_plugin plugin, const char *verifier, enum admin_user_kind kind,
                    const json_t *limits, struct sql_error *error) must_check;

struct password_change {
    const char       *password; /* NULL or "": none */
    const char       *verifier; /* instead of `password`, see user.h; needs `plugin` */
    enum auth_plugin *plugin;   /* NULL: as before */
    bool              retain;   /* the one before stays good until it is discarded */
    bool              discard;  /* nothing else: the one before is no longer good */
};

/* Each when it is given (NULL, -1: not). */
struct user_change {
    const char   *commit;
    const char   *consistency; /* as below */
    const json_t *limits; /* those that are members of it */
    int           locked; /* nobody logs in; who is in stays */
};

bool admin_user_set(struct cluster *c, const char *who, const char *name,
                    const struct user_change *change, struct sql_error *error) must_check;
/* Another name; rights, password and limits stay. */
bool admin_user_rename(struct cluster *c, const char *who, const char *from, const char *to,
                       struct sql_error *error) must_check;
bool admin_user_password(struct cluster *c, const char *who, const char *name,
                         const struct password_change *change,
                         struct sql_error *error) must_check;
/* A new token for HTTP instead of the one before, in `token`; NULL: none any more. */
bool admin_user_token(struct cluster *c, const char *who, const char *name,
                      char token[USER_TOKEN_LEN + 1], struct sql_error *error) must_check;
/* GRANT or REVOKE; `what` is "SELECT, INSERT ON `a`.*". When a shard fails after the first one
 * has changed, the others are made like it later: admin_rights_repair(). */
bool admin_user_rights(struct cluster *c, const char *who, const char *name, bool grant,
                       const char *what, struct sql_error *error) must_check;

/* Users whose rights were being changed when a shard or a controller failed: what the first
 * shard has is what all get. For the controller's loop; cheap when there is nothing to do. */
void admin_rights_repair(struct cluster *c);

/* Writes a user, `user` NULL: removes it; publishes. For the admin_*.c. */
bool admin_user_put(struct cluster *c, const char *who, const char *name, json_t *user,
                    int64_t expected, struct sql_error *error) must_check;
bool admin_user_remove(struct cluster *c, const char *who, const char *name,
                       struct sql_error *error) must_check;

/* Connects to every shard; on failure none is open. `out` has room for
 * ROUTES_SHARDS_MAX, in the order of `shards` (a catalog_all()). */
bool admin_open_all(const json_t *shards, struct server *out, size_t *n,
                    struct sql_error *error) must_check;
void admin_close_all(struct server *servers, size_t n);

#endif
