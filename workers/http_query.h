/* http_query.h - POST /v1/query: one statement in, one JSON document out.
 *
 *   request --> user, database --> a client of our own --> the answer in JSON
 *
 * The statement is a client's like any other: behind the HTTP connection there is a
 * struct client on the other end of a local stream, with its limits, its row in the
 * process list and its counters. It is kept for the next request of the same user and
 * database, but nothing of its session is: every request begins as after a login, and
 * what it leaves open (a transaction, locks) is undone.
 *
 *   {"query": "SELECT ...", "database": "app", "params": [1, "a", null], "shard_key": 1}
 *
 * With a shard_key the statement keeps to rows with that key, or is refused: plan_keeps_to().
 * Answers: http_json.h.
 */
#ifndef WORKERS_HTTP_QUERY_H
#define WORKERS_HTTP_QUERY_H

#include "core/io/stream.h"
#include "workers/backend/context.h"
#include "workers/http_message.h"

struct http_query;

struct http_query_ops {
    /* The answer is complete in the output; comes once for each start, perhaps from inside
     * of it. `status` is for counting; without `keep` the connection must end. */
    void (*done)(void *owner, enum http_status status, bool keep);
};

/* Answers go to `out`, which outlives http_query_close(). `host` (copied) is where it leads to,
 * for the process list. */
struct http_query *http_query_new(struct context *ctx, struct stream *out, const char *host,
                                  void *owner, const struct http_query_ops *ops);

/* The owner goes: no more output, no done(). A statement that runs is stopped. */
void http_query_close(struct http_query *q);

/* `request` and `body` are not needed behind the call. */
void http_query_start(struct http_query *q, const struct http_request *request,
                      struct span body);

/* `out` has room again. */
void http_query_resume(struct http_query *q);

#endif
