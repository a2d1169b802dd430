/* txn_doubt.c - see txn_doubt.h. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "core/route/xid.h"
#include "ctl/catalog/model.h"
#include "ctl/job/resolver.h"
#include "ctl/job/txn_doubt.h"

enum { NO_SUCH_XID = 1397, ANSWER_S = 5 };

/* All shards, those that answer with a connection. */
struct shards {
    json_t       *objects; /* owned */
    struct server server[ROUTES_SHARDS_MAX];
    json_t       *rows[ROUTES_SHARDS_MAX]; /* XA RECOVER; NULL: no answer */
    size_t        n;
};

static void
open_shards(struct cluster *c, struct shards *s)
{
    const char      *key;
    json_t          *shard;
    struct sql_error ignored;

    *s = (struct shards){ .objects = catalog_all(c->catalog, CATALOG_SHARD) };
    json_object_foreach(s->objects, key, shard) {
        struct server *server = &s->server[s->n];

        server->answer_s = ANSWER_S;
        if (server_open(server, shard, &ignored) &&
            server_run(server, &ignored, "SET SESSION innodb_lock_wait_timeout = 1"))
            s->rows[s->n] = server_rows(server, &ignored, "XA RECOVER");
        server->id   = model_number(shard, "id");
        server->name = model_text(shard, "name");
        s->n++;
    }
}

static void
close_shards(struct shards *s)
{
    for (size_t i = 0; i < s->n; i++) {
        json_decref(s->rows[i]);
        server_close(&s->server[i]);
    }
    json_decref(s->objects);
}

static size_t
shard_at(const struct shards *s, int64_t id)
{
    size_t i = 0;

    while (i < s->n && s->server[i].id != id)
        i++;
    return i;
}

/* The gtrid of a row of XA RECOVER; false: too long to be one of ours, or not one. */
static bool
gtrid_of(const json_t *row, char out[XID_GTRID_MAX + 1], struct xid *xid)
{
    size_t len = (size_t)atoi(server_cell(row, 1));

    if (len > XID_GTRID_MAX)
        return false;
    memcpy(out, server_cell(row, 3), len);
    out[len] = '\0';
    return xid_decode(span_of(out), xid);
}

/* --- the list ------------------------------------------------------------- */

static void
add_decision(struct shards *s, const struct xid *xid, const char *gtrid, json_t *out)
{
    size_t           home = shard_at(s, xid->home);
    char             state[16] = "", age[24] = "";
    struct sql_error ignored;
    bool             asked = home < s->n && s->rows[home] &&
                 server_value(&s->server[home], state, sizeof(state), &ignored,
                              "SELECT state FROM shardd.decision WHERE xid = %s",
                              server_text(gtrid)) &&
                 server_value(&s->server[home], age, sizeof(age), &ignored,
                              "SELECT TIMESTAMPDIFF(SECOND, ts, NOW()) FROM shardd.decision"
                              " WHERE xid = %s", server_text(gtrid));

    json_object_set_new(out, "decided_on",
                        home < s->n ? json_string(s->server[home].name) : json_null());
    json_object_set_new(out, "decision",
                        json_string(!asked ? "unknown" : state[0] ? state : "none"));
    if (age[0])
        json_object_set_new(out, "age_s", json_integer(atoll(age)));
}

static json_t *
describe(struct cluster *c, struct shards *s, const struct xid *xid, const char *gtrid)
{
    json_t *out = json_pack("{s:s, s:n, s:i, s:b, s:b, s:[]}", "transaction", gtrid, "age_s",
                            "worker", (int)xid->worker, "worker_lives",
                            !resolver_worker_is_dead(c, xid), "ours",
                            strcmp(xid->instance, c->instance) == 0, "branches");
    int64_t seen_ms = resolver_age_ms(c->resolver, gtrid);

    add_decision(s, xid, gtrid, out);
    if (seen_ms >= 0 && json_is_null(json_object_get(out, "age_s")))
        json_object_set_new(out, "age_s", json_integer(seen_ms / 1000));
    return out;
}

json_t *
txn_doubt_list(struct cluster *c)
{
    json_t       *found = json_object(), *unreachable = json_array(), *list = json_array();
    json_t       *row, *each;
    const char   *key;
    struct shards s;
    size_t        i;

    open_shards(c, &s);
    for (size_t k = 0; k < s.n; k++) {
        if (!s.rows[k])
            json_array_append_new(unreachable, json_string(s.server[k].name));
        json_array_foreach(s.rows[k], i, row) {
            char       gtrid[XID_GTRID_MAX + 1];
            struct xid xid;

            if (!gtrid_of(row, gtrid, &xid))
                continue;
            if (!json_object_get(found, gtrid))
                json_object_set_new(found, gtrid, describe(c, &s, &xid, gtrid));
            json_array_append_new(json_object_get(json_object_get(found, gtrid), "branches"),
                                  json_string(s.server[k].name));
        }
    }
    json_object_foreach(found, key, each)
        json_array_append(list, each);
    json_decref(found);
    close_shards(&s);
    return json_pack("{s:o, s:o}", "transactions", list, "unreachable", unreachable);
}

/* --- the end of one ------------------------------------------------------- */

/* Every branch that is still there; how many could not be ended. */
static size_t
end_branches(struct shards *s, const char *gtrid, bool commit, json_t *done,
             struct sql_error *error)
{
    size_t  failed = 0, i;
    json_t *row;

    for (size_t k = 0; k < s->n; k++)
        json_array_foreach(s->rows[k], i, row) {
            char             other[XID_GTRID_MAX + 1];
            struct xid       xid;
            struct sql_error why;

            if (!gtrid_of(row, other, &xid) || strcmp(other, gtrid) != 0)
                continue;
            if (resolver_end_branch(&s->server[k], row, commit, &why))
                json_array_append_new(done, json_string(s->server[k].name));
            else {
                failed++;
                *error = why;
            }
        }
    return failed;
}

static bool
is_prepared(const struct shards *s, const char *gtrid)
{
    char       other[XID_GTRID_MAX + 1];
    struct xid xid;
    json_t    *row;
    size_t     i;

    for (size_t k = 0; k < s->n; k++)
        json_array_foreach(s->rows[k], i, row)
            if (gtrid_of(row, other, &xid) && strcmp(other, gtrid) == 0)
                return true;
    return false;
}

/* True: the verdict says what to do. */
static bool
find_verdict(struct shards *s, const struct xid *xid, const char *gtrid, const char *force,
             enum resolver_verdict *verdict, struct sql_error *error)
{
    size_t      home = shard_at(s, xid->home);
    const char *name = home < s->n ? s->server[home].name : "a shard that is no longer there";

    *verdict = home < s->n && s->rows[home] ? resolver_ask(&s->server[home], gtrid)
                                            : RESOLVER_WAIT;
    if (*verdict == RESOLVER_WAIT && !force)
        return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: %s has the decision and does not "
                             "tell it now; bring it back, or, when it is lost for good, choose "
                             "with --force commit or --force rollback: what you choose may be "
                             "the other half of what %s did", name, name);
    if (*verdict == RESOLVER_WAIT) {
        *verdict = strcmp(force, "commit") == 0 ? RESOLVER_COMMIT : RESOLVER_ROLLBACK;
        return true;
    }
    if (force && (strcmp(force, "commit") == 0) != (*verdict == RESOLVER_COMMIT))
        return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: the decision is to %s, and the "
                             "other would leave half of the transaction; resolve it without "
                             "--force", *verdict == RESOLVER_COMMIT ? "commit" : "roll back");
    return true;
}

static json_t *
resolve(struct cluster *c, struct shards *s, const char *who, const struct xid *xid,
        const char *gtrid, const char *force, struct sql_error *error)
{
    enum resolver_verdict verdict;
    json_t               *done = json_array();
    size_t                home = shard_at(s, xid->home);
    bool                  blind = home == s->n || !s->rows[home];

    if (!is_prepared(s, gtrid)) {
        sql_error_set(error, NO_SUCH_XID, "shardd: no shard that answers has anything prepared of "
                      "%s; see 'shardctl txn list'", gtrid);
    } else if (find_verdict(s, xid, gtrid, force, &verdict, error)) {
        bool commit = verdict == RESOLVER_COMMIT;
        if (end_branches(s, gtrid, commit, done, error) == 0) {
            log_info("%s: %s ended %s by %s", who, gtrid, commit ? "committed" : "rolled back",
                     blind ? "force" : "its decision");
            return json_pack("{s:s, s:o, s:s}", "outcome", commit ? "committed" : "rolled back",
                             "branches", done, "warning",
                             blind ? "this was without the decision: compare with what the shard "
                                     "that had it did, should it come back" : "");
        }
    }
    (void)c;
    json_decref(done);
    return NULL;
}

json_t *
txn_doubt_resolve(struct cluster *c, const char *who, const char *gtrid, const char *force,
                  struct sql_error *error)
{
    struct shards s;
    struct xid    xid;
    json_t       *out;

    if (!xid_decode(span_of(gtrid), &xid)) {
        sql_error_set(error, NO_SUCH_XID, "shardd: '%.80s' is no transaction of shardd; see "
                      "'shardctl txn list'", gtrid);
        return NULL;
    }
    if (force && strcmp(force, "commit") != 0 && strcmp(force, "rollback") != 0) {
        sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: --force is commit or rollback");
        return NULL;
    }
    /* What is written must not get to a server that is about to be no primary any more. */
    pthread_mutex_lock(&c->roles_lock);
    open_shards(c, &s);
    out = resolve(c, &s, who, &xid, gtrid, force, error);
    close_shards(&s);
    pthread_mutex_unlock(&c->roles_lock);
    return out;
}
