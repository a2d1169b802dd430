/* api.h - REST/JSON between the controller, `shardctl VERB` and the workers.
 *
 *   shardctl VERB --+
 *                   +--HTTP/1.1 over the Unix socket HOME/controller.sock--> api --> job, catalog
 *   worker, DDL  ---+
 *
 * The socket has mode 0600: the account that runs the controller, and root, may do anything.
 * A group can be let in with a role. On TCP (off until it is asked for) there is TLS, and who
 * asks has a token (jwt.h, api_tokens.c). Who may call what is a column of the table of routes.
 * One request may be in work for as long as an ALTER TABLE takes; many can be at a time. Bodies are
 * JSON, and a member that is not known, or of another type, is refused. Every failure has status
 * 4xx or 5xx and
 *     {"error": {"code": N, "sqlstate": "SSSSS", "message": "what, and what to do",
 *                "request_id": as in the header X-Request-Id}}
 * Lists take ?limit=N&cursor=C, and answer with "next_cursor" when there is more.
 * Requests that change something are in the audit with their results, and with the header
 * Idempotency-Key they are done once (once.h). Events come as they happen (stream.h).
 * What there is is in the table of api_routes.c, from which GET /v1/openapi.json is made. In
 * short:
 *
 *   GET    /v1/status                  the cluster, its servers, unfinished jobs
 *   POST   /v1/shutdown                stop all, orderly; answered before it begins
 *   GET    /v1/databases               POST {"name", "policy", "home", "collation"}
 *   GET    /v1/databases/DB            DELETE
 *   GET    /v1/tables[?database=DB]
 *   GET    /v1/tables/DB/TABLE         PUT {"kind": "sharded|reference|global", "key": "COLUMN"}
 *   GET    /v1/shards                  POST {"name"} or {"adopt": "HOST:PORT", "user", "password"}
 *   GET    /v1/shards/NAME             PUT {"state": "up|draining", "name", "agent"}, DELETE
 *   GET    /v1/engines                 POST {"name"} or {"adopt": "HOST:PORT", "user", "password"}
 *   GET    /v1/engines/NAME            DELETE
 *   GET    /v1/users                   POST {"name", "password", "admin", limits}
 *   GET    /v1/users/NAME              PUT {"password"} or {"commit", limits}, DELETE
 *             limits: "max_connections", "connection_rate", "statement_timeout_ms",
 *             "transaction_timeout_s", "idle_timeout_s", "max_rows", "max_bytes"; 0: none
 *   GET    /v1/jobs                    newest first
 *   GET    /v1/jobs/N                  its record; of a move also "progress", see below
 *   POST   /v1/jobs/N/WHAT             asks a move (N 0: the one that runs): pause, resume, cancel,
 *             cutover, verify, reverse, complete, throttle {"throttle": "words"}
 *   POST   /v1/moves                   see below
 *   GET    /v1/ranges                  which shard owns which part of the key space
 *   GET    /v1/jobs/N/events           server-sent events until the job is over
 *   GET    /v1/events                  of everything
 *   GET    /v1/audit[?limit=100&before=N]  newest first; "head" and "first" of the chain
 *   GET    /v1/audit/verify[?expect=SEQ:HASH]  "ok", or "problems" in words
 *   GET    /v1/statements[?by=time|mean|max|calls|errors&limit=50]  where time goes, lately
 *   GET    /v1/top[?interval_ms=1000]  rates and latencies, by two looks at the counters
 *   GET    /v1/load                    the last measurement of each shard (ctl/scale/load.h) and,
 *             in its "replicas", of each of them; what was not measured is null;
 *             PUT {"interval_s": how often to measure, "metrics": HOST:PORT where /metrics
 *             is by TCP, "": nowhere}
 *   GET    /v1/load/SERVER[?since_s=N&grain=raw|minute|hour]  history of a shard, with
 *             its tables, or of a replica
 *   GET    /v1/heat                    hot keys, ranges by statements per second, and where a shard
 *             would be cut into halves of equal load
 *   POST   /v1/explain                 {"sql", "database"}
 *   POST   /v1/fsck                    {"database"}
 *   POST   /v1/recover                 {"force", "apply"}: see ctl/failover/recover.h
 *   GET    /v1/scaler                  what it sees and is to do; PUT {"mode", settings}
 *   POST   /v1/scaler/resume           go on after failures
 *   GET    /v1/scaler/decisions[?limit=50&before=N]   newest first
 *   GET    /v1/scaler/decisions/N      with what it was made from, and made once more
 *   GET    /v1/scaler/trace[?grain=minute|hour]       what was measured, as trace.h has it
 *   POST   /v1/ddl                     see below
 *   POST   /v1/move/hide               {"hide": {"DATABASE.TABLE": "SET"}}: internal, for tests;
 *             SET is a table of schema shardd_move, see core/route/table.h; {}: nothing is hidden
 *   GET    /v1/fence                   generation, the map, meta/move; POST: see below
 *   GET    /metrics                    for Prometheus, no JSON (ctl/api/metrics.h)
 *
 * POST /v1/fence is for tests, and for taking down by hand what a dead controller left: moves
 * raise and lower their fences themselves (ctl/provision/fence.h).
 *   raise     {"split": ["<start>", ...] (the map is cut there first), "ranges": ["<start>", ...],
 *              "shards": [id, ...], "tables": [name, ...], "cut": bool, "wait_ms": N}
 *   answer    {"acknowledged_us": N, "drained_us": N}, or 409 and it is down again
 *   lower     {"lower": true, "owners": [["<start>", shard id], ...]}: without owners as before;
 *             nobody looks whether their rows are there
 *
 * POST /v1/moves moves rows between shards, in a job that goes on when the answer is there.
 *   request   {"verb": "split|merge|move|rebalance|drain", what it is about: see
 *              ctl/move/layout.h, and: "cutover": "auto|manual", "max_pause_ms": 200,
 *              "cut_transactions": false, "reverse": true, "verify": true, "throttle": "auto"
 *              (ctl/move/throttle.h), "windows": ["01:00-05:00", ...] (ctl/move/window.h),
 *              "compress": false, "verify_on": "replicas|primary", "dry_run": false}
 *   answer    {"job": N (0: "dry_run"), "move": {"pieces": [{"start", "last", "from_name",
 *              "to_name", "rows", "bytes"} ...], "new_shards": N, "tables": [...], ...}}
 * Of its record "phase" says how far it is (ctl/move/run.h), "state" running, paused, done, failed
 * or cancelled, "problem" what it waits for, "progress" {"tables", "tables_done", "table",
 * "rows", "rows_total", "sent", "bytes", "rows_per_s", "left_s", "slowed" (why it is held back),
 * "window_s" (until its window opens), "lag_s", "applied", "removed"}.
 *
 * POST /v1/ddl runs one DDL statement of a client on the shards it belongs on
 * and returns when all live workers use the new routes (or 2 s later).
 *   request   {"user": NAME, "database": current schema or "", "sql": TEXT,
 *              "sql_mode": TEXT, "charset": connection character set's name,
 *              "collation": connection collation's name,
 *              "database_collation": of a database that is made and says none,
 *              "foreign_key_checks": bool, "session": "SET ... assignments, optional"}
 *              all but "sql" may be absent; "sql" is UTF-8 (see "sql_base64")
 *              "variables_base64": "@a = 1, ..." user variables that the statement reads
 *              "sql_base64": instead of "sql", when the text is not UTF-8
 *   answer    {"generation": G, "affected": N, "warnings": N,
 *              "notes": [[LEVEL, CODE, MESSAGE] ...] as SHOW WARNINGS tells them, if any}
 *   failure   {"error": {...}} as the server said it where it was the server that refused
 */
#ifndef CTL_API_API_H
#define CTL_API_API_H

#include "core/base/err.h"

struct api;
struct cluster;

struct api_options {
    const char *socket;
    const char *listen;     /* "HOST:PORT" for TCP; NULL: off */
    const char *cert, *key; /* files, PEM */
    bool        plain;      /* no TLS; loopback only */
    const char *group;      /* whose members may use the socket; NULL: nobody's */
    const char *group_role; /* and as what; NULL: viewer */
};

/* Listens on the socket (a stale one of a dead controller is replaced, a live one refused), and
 * where else it is told to, and serves on threads of its own. Returns NULL
 * and fills `err` when it cannot. Close with api_close(), which waits for the
 * requests in work. */
struct api *api_open(struct cluster *cluster, const struct api_options *options, struct err *err);
void        api_close(struct api *api);

#endif
