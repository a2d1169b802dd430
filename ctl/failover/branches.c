/* branches.c - see branches.h.
 *
 * XA PREPARE is in the binary log a moment before XA RECOVER of the primary shows the branch, and
 * XA COMMIT before it no longer does. So: what the replica has, the primary shows neither now nor
 * a second later, and the replica still has when it has applied all of the primary's log, is
 * nobody's.
 *
 * Where such a branch keeps the applier from going on, it cannot get there. Either way the decision
 * about the transaction has the last word (resolver_ask()): a primary whose commits wait for a
 * replica shows a branch only when that has confirmed it, however late. Should the end of one that
 * was rolled back come in the log after all, it is an XA ROLLBACK, and is passed over (mend.h).
 */
#include "ctl/failover/branches.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/route/xid.h"
#include "ctl/catalog/model.h"
#include "ctl/job/resolver.h"
#include "ctl/provision/replication.h"

enum { ANSWER_S = 3, CATCH_UP_S = 5, SETTLE_US = 1000000 };

json_t *
branches_of(struct server *s)
{
    struct sql_error ignored;
    json_t          *rows = server_rows(s, &ignored, "XA RECOVER"), *row, *out = json_object();
    bool             ok   = rows != NULL;
    size_t           i;

    json_array_foreach(rows, i, row) {
        struct buf text = { 0 };

        resolver_branch_words(row, &text);
        json_object_set(out, buf_cstr(&text), row);
        buf_fini(&text);
    }
    json_decref(rows);
    if (ok)
        return out;
    json_decref(out);
    return NULL;
}

/* What `has` has, or has not, leaves the set. False: nobody says. */
static bool
narrow(json_t *set, json_t *has, bool those_it_has)
{
    const char *xid;
    json_t     *row;
    void       *next;

    json_object_foreach_safe(set, next, xid, row)
        if ((json_object_get(has, xid) != NULL) == those_it_has)
            json_object_del(set, xid);
    json_decref(has);
    return has != NULL;
}

/* Those that the primary shows neither now nor in a second. */
static bool
find_strangers(struct server *primary, json_t *set)
{
    if (!narrow(set, branches_of(primary), true) || json_object_size(set) == 0)
        return false;
    usleep(SETTLE_US);
    return narrow(set, branches_of(primary), true) && json_object_size(set) > 0;
}

/* Only those whose transactions are aborted, for good, stay in the set. */
static void
keep_aborted(struct cluster *c, json_t *set)
{
    const char *name;
    json_t     *row;
    void       *next;

    json_object_foreach_safe(set, next, name, row) {
        struct server    home  = { .answer_s = ANSWER_S };
        struct sql_error ignored;
        size_t           len   = (size_t)atoi(server_cell(row, 1));
        char             gtrid[XID_GTRID_MAX + 1];
        struct xid       xid;
        json_t          *shard = NULL;
        bool             aborted = false;

        snprintf(gtrid, sizeof(gtrid), "%.*s", (int)(len < XID_GTRID_MAX ? len : XID_GTRID_MAX),
                 server_cell(row, 3));
        if (len <= XID_GTRID_MAX && xid_decode(span_of(gtrid), &xid) &&
            strcmp(xid.instance, c->instance) == 0)
            shard = cluster_shard_by_id(c, xid.home);
        if (shard && server_open(&home, shard, &ignored) &&
            server_run(&home, &ignored, "SET SESSION innodb_lock_wait_timeout = 1"))
            aborted = resolver_ask(&home, gtrid) == RESOLVER_ROLLBACK;
        server_close(&home);
        json_decref(shard);
        if (!aborted)
            json_object_del(set, name);
    }
}

/* How far it is, applied. */
static bool
stands_still(struct server *s)
{
    char             before[GTID_TEXT_MAX], now[GTID_TEXT_MAX];
    char             waits[16];
    struct sql_error ignored;

    if (!server_value(s, before, sizeof(before), &ignored, "SELECT @@gtid_slave_pos"))
        return false;
    usleep(SETTLE_US);
    return server_value(s, now, sizeof(now), &ignored, "SELECT @@gtid_slave_pos") &&
           strcmp(before, now) == 0 &&
           server_value(s, waits, sizeof(waits), &ignored,
                        "SELECT COUNT(*) FROM information_schema.INNODB_TRX t JOIN"
                        " information_schema.PROCESSLIST p ON p.ID = t.trx_mysql_thread_id"
                        " WHERE t.trx_state = 'LOCK WAIT' AND p.USER = 'system user'") &&
           strcmp(waits, "0") != 0;
}

static void
roll_back(struct server *s, const json_t *set)
{
    struct sql_error error;
    const char      *xid;
    json_t          *row;

    if (json_object_size(set) == 0 || !server_run(s, &error, "SET SESSION sql_log_bin = 0"))
        return;
    json_object_foreach((json_t *)(uintptr_t)set, xid, row) {
        if (server_run(s, &error, "XA ROLLBACK %s", xid))
            log_warn("replica %s: rolled back the branch %s, which its primary does not have",
                     s->name, xid);
        else
            log_warn("replica %s: the branch %s, which its primary does not have, stays: %s",
                     s->name, xid, error.message);
    }
}

void
branches_keep(struct cluster *c, const json_t *replica, json_t *old)
{
    json_t          *shard   = cluster_shard_by_id(c, model_number(replica, "shard"));
    json_t          *now     = cluster_replica_by_id(c, model_number(replica, "id"));
    struct server    primary = { .answer_s = ANSWER_S };
    struct server    s       = { .answer_s = CATCH_UP_S + ANSWER_S };
    struct sql_error ignored;
    char             position[GTID_TEXT_MAX];

    if (shard && now && server_open(&primary, shard, &ignored) &&
        server_value(&primary, position, sizeof(position), &ignored,
                     "SELECT @@gtid_binlog_pos") &&
        find_strangers(&primary, old) && server_open(&s, replica, &ignored)) {
        if (!replication_wait(&s, position, CATCH_UP_S, &ignored) && !stands_still(&s))
            json_object_clear(old);
        keep_aborted(c, old);
        if (narrow(old, branches_of(&s), false))
            roll_back(&s, old);
    }
    server_close(&primary);
    server_close(&s);
    json_decref(shard);
    json_decref(now);
}

bool
branches_unblock(struct cluster *c, struct server *s)
{
    json_t *set = stands_still(s) ? branches_of(s) : NULL;
    bool    any;

    if (set)
        keep_aborted(c, set);
    any = json_object_size(set) > 0;
    if (any)
        roll_back(s, set);
    json_decref(set);
    return any;
}
