/* replication.h - what a server that replicates another says, and is told.
 *
 * Positions are GTIDs as the server writes them ("1-1-17,5-1073741825-3").
 */
#ifndef CTL_PROVISION_REPLICATION_H
#define CTL_PROVISION_REPLICATION_H

#include "ctl/provision/gtid.h"
#include "ctl/provision/server.h"

#define REPLICATION_USER "shardd_replica"

/* SHOW SLAVE STATUS, of the connection without a name. */
struct replication_status {
    bool    configured; /* it is told to replicate; else nothing of what follows is known */
    bool    io, sql;    /* it gets events; it applies them */
    bool    io_stopped; /* somebody has stopped it from getting any */
    bool    gtid;       /* its positions are GTIDs */
    char    host[256];
    int     port;
    int64_t source_id;  /* the server_id of whom it replicates; 0: it was never connected */
    int64_t behind_s;   /* -1: not known */
    unsigned error;     /* why it applies nothing any more; 0: nothing has failed */
    char    problem[256]; /* in the server's words; "": none */
};

bool replication_status(struct server *s, struct replication_status *out,
                        struct sql_error *error) must_check;

/* The account that replicas come by, on the primary: `secret` is its password. */
bool replication_account(struct server *primary, const char *secret,
                         struct sql_error *error) must_check;

/* What a server says about itself that a replica must have. */
struct replication_facts {
    int64_t server_id;
    bool    binlog, row, full, chained, read_only; /* log_bin, its format and images,
                                                      log_slave_updates */
    bool    lower_case;
    char    position[GTID_TEXT_MAX]; /* gtid_binlog_pos */
};

bool replication_facts(struct server *s, struct replication_facts *out,
                       struct sql_error *error) must_check;

/* Has `replica` replicate from `primary` (a shard's object), on from what it has; or from
 * `position` when that is not NULL. */
bool replication_follow(struct server *replica, const json_t *primary, const char *secret,
                        const char *position, struct sql_error *error) must_check;

/* Waits until it has applied all of `position`, at most `wait_s`. */
bool replication_wait(struct server *replica, const char *position, double wait_s,
                      struct sql_error *error) must_check;

/* All that it has, be it its own or replicated. */
bool replication_all(struct server *s, struct gtid_set *out, struct sql_error *error) must_check;

/* What it has got of its primary, applied or not; "": nothing since it was started. */
bool replication_got(struct server *s, char *out, size_t room,
                     struct sql_error *error) must_check;

/* It gets and applies nothing for now. */
bool replication_stop(struct server *s, struct sql_error *error) must_check;

/* It replicates no more, and may be written to. */
bool replication_promote(struct server *s, struct sql_error *error) must_check;

/* Nobody but the controller and replication writes there: waits for what is committing. */
bool replication_freeze(struct server *s, struct sql_error *error) must_check;

/* Ends the sessions of all but replication and `user`: sessions with temporary tables or locks of
 * their own, and of clients that came past shardd. */
void replication_cut_off(struct server *s, const char *user);

/* Whether commits on the primary wait until a replica has them; the replica's half of it. */
bool replication_semi_sync(struct server *s, bool primary, bool on,
                           struct sql_error *error) must_check;

#endif
