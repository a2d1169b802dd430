/* request.h - one REST request on its way through a handler; private to ctl/api. */
#ifndef CTL_API_REQUEST_H
#define CTL_API_REQUEST_H

#include "core/base/buf.h"
#include "ctl/job/job.h"

enum { REQUEST_PARTS = 5, REQUEST_ID_MAX = 64, REQUEST_WHO_MAX = 160 };

/* What somebody may do; each may what those before it may. OWNER is for shardd itself and for
 * whoever may do anything on this machine: only over the Unix socket. */
enum role { ROLE_VIEWER, ROLE_OPERATOR, ROLE_ADMIN, ROLE_OWNER };

struct route;
struct stream;

struct request {
    struct cluster     *cluster;
    const char         *method;
    const char         *path;                /* as asked, for people */
    const char         *part[REQUEST_PARTS]; /* of the path behind /v1/, percent-decoded; NULL:
                                                none */
    const struct route *route;               /* NULL: there is none for the path */
    json_t             *body;                /* an object; empty when there was none */
    const json_t       *query;               /* {"database": "x"}; checked as `body` is */
    char                id[REQUEST_ID_MAX + 1];   /* X-Request-Id */
    char                who[REQUEST_WHO_MAX + 1]; /* "unix:root" */
    enum role           role;                     /* of `who` */
    const char         *if_match;                 /* the header; NULL: none */
    const char         *once_key;                 /* Idempotency-Key; NULL: none, or a GET */
    int64_t             after_event;              /* Last-Event-ID; negative: none */
    /* the answer */
    json_t *answer;  /* owned; NULL: {} */
    json_t *headers; /* owned; {"ETag": "\"7\""}; NULL: none */
    struct stream *stream; /* owned; in place of `answer`; see stream.h */
};

/* Returns the HTTP status; 200 with `answer`, else request_fail(). */
typedef unsigned (*handler_fn)(struct request *r);

/* One row is all that a route needs: who may call it is checked, what it takes is checked, its
 * list is cut into pages, and it is in /v1/openapi.json, before and after the handler runs.
 *
 *   takes    members of the body of POST and PUT, of the query of GET and DELETE; see schema.h:
 *            "name:text! policy:auto|global rows:int(0..100)"; "": none
 *   list     "databases name": the answer's member "databases" is a list of objects that "name"
 *            tells apart ("a,b": both together), in any order; "-number": newest first. "" : it
 *            is no list
 *   object   the kind of catalog object that the path names: its version is the ETag, and If-Match
 *            is heeded by PUT, POST and DELETE. CATALOG_META: settings, which always are there.
 *            NO_OBJECT: it names none, and If-Match is refused
 */
struct route {
    const char       *method;
    const char       *path; /* "tables/{database}/{table}": {any} part that is not empty */
    enum role         role;
    handler_fn        handler;
    const char       *takes;
    const char       *list;
    const char       *summary; /* a few words for people */
    enum catalog_kind object;
};

#define NO_OBJECT CATALOG_KINDS

extern const struct route api_routes[];
extern const size_t       api_n_routes;

/* A viewer changes nothing, by whatever method: this is what the audit has, and what an
 * Idempotency-Key is heeded by. */
bool route_changes(const struct route *route);

/* Answers with events as long as the client listens: the paths that end with "events". */
bool route_streams(const struct route *route);

const char *role_name(enum role role);

/* False: there is no such role that a token could have. */
bool role_find(const char *name, enum role *out) must_check;

/* A text of the body, NULL when it is not there. */
const char *request_text(const struct request *r, const char *key);

/* Makes the answer an error; returns `status`. */
unsigned request_fail(struct request *r, unsigned status, const struct sql_error *error);
unsigned request_refuse(struct request *r, unsigned status, const char *fmt, ...)
    printf_like(3, 4);

/* 404, with the command that lists what there is. */
unsigned request_no_such(struct request *r, const char *what, const char *name);
bool     request_knows_database(const struct request *r, const char *name);

/* 200 or, with the error, 400 (404 when the thing is not there, 503 when a server is not). */
unsigned request_done(struct request *r, bool ok, const struct sql_error *error);

/* Sends a header with the answer. */
void request_header(struct request *r, const char *name, const char *fmt, ...)
    printf_like(3, 4);

/* Handlers, by file. */
unsigned api_openapi(struct request *r);
unsigned api_token_list(struct request *r);
unsigned api_token_issue(struct request *r);
unsigned api_token_revoke(struct request *r);
unsigned api_key_list(struct request *r);
unsigned api_key_add(struct request *r);
unsigned api_key_remove(struct request *r);
unsigned api_status(struct request *r);
unsigned api_shutdown(struct request *r);
unsigned api_jobs(struct request *r);
unsigned api_job_show(struct request *r);
unsigned api_job_ask(struct request *r);
unsigned api_move_begin(struct request *r);
unsigned api_range_list(struct request *r);
unsigned api_audit(struct request *r);
unsigned api_audit_verify(struct request *r);
unsigned api_events(struct request *r);
unsigned api_job_events(struct request *r);
unsigned api_statements(struct request *r);
unsigned api_database_list(struct request *r);
unsigned api_database_show(struct request *r);
unsigned api_database_create(struct request *r);
unsigned api_database_drop(struct request *r);
unsigned api_table_list(struct request *r);
unsigned api_table_show(struct request *r);
unsigned api_lookup_add(struct request *r);
unsigned api_lookup_drop(struct request *r);
unsigned api_table_set(struct request *r);
unsigned api_ddl(struct request *r);
unsigned api_fsck(struct request *r);
unsigned api_recover(struct request *r);
unsigned api_explain(struct request *r);
unsigned api_move_hide(struct request *r);
unsigned api_top(struct request *r);
unsigned api_load(struct request *r);
unsigned api_heat(struct request *r);
unsigned api_load_set(struct request *r);
unsigned api_load_history(struct request *r);
unsigned api_scaler_show(struct request *r);
unsigned api_scaler_set(struct request *r);
unsigned api_scaler_resume(struct request *r);
unsigned api_scaler_trace(struct request *r);
unsigned api_decision_list(struct request *r);
unsigned api_decision_show(struct request *r);
unsigned api_shard_add(struct request *r);
unsigned api_shard_set(struct request *r);
unsigned api_shard_remove(struct request *r);
unsigned api_shard_release(struct request *r);
unsigned api_shard_list(struct request *r);
unsigned api_shard_show(struct request *r);
unsigned api_failover(struct request *r);
unsigned api_failover_list(struct request *r);
unsigned api_shard_restart(struct request *r);
unsigned api_replica_reseed(struct request *r);
unsigned api_replica_list(struct request *r);
unsigned api_replica_show(struct request *r);
unsigned api_replica_add(struct request *r);
unsigned api_replica_set(struct request *r);
unsigned api_replica_remove(struct request *r);
unsigned api_engine_list(struct request *r);
unsigned api_engine_show(struct request *r);
unsigned api_engine_add(struct request *r);
unsigned api_engine_remove(struct request *r);
unsigned api_txn_list(struct request *r);
unsigned api_txn_show(struct request *r);
unsigned api_txn_resolve(struct request *r);
unsigned api_fence_show(struct request *r);
unsigned api_fence_set(struct request *r);
unsigned api_user_list(struct request *r);
unsigned api_user_show(struct request *r);
unsigned api_user_add(struct request *r);
unsigned api_user_change(struct request *r);
unsigned api_user_token(struct request *r);
unsigned api_user_token_revoke(struct request *r);
unsigned api_user_remove(struct request *r);

/* How many ranges of catalog's ranges/map a shard owns. */
int api_ranges_of(const json_t *map, int64_t shard);

unsigned api_database_set(struct request *r);

/* The replicas of a shard, for people; to be owned. */
json_t *api_replicas_of(struct cluster *c, int64_t shard);

/* How a shard's primary is seen, and its servers by the workers, into the shard's object for
 * people: api_servers.c. */
void api_show_watch(struct cluster *c, const json_t *shard, json_t *out);
void api_show_health(struct cluster *c, int64_t server, json_t *out);

/* {shard id: its part of the key space}, to be owned. */
json_t *api_shares(const json_t *map);

#endif
