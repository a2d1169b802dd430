/* counters.h - what a worker counts: one row, one metric.
 *
 * X(name, role, metric, labels, help). A TOTAL only grows and outlives the
 * worker that counted it: its successor in the slot goes on from there. A
 * GAUGE begins at 0 with every worker. Rows of one metric stand together, so
 * that HELP and TYPE are written once. NANOSECONDS is a TOTAL that is counted in
 * them and shown in seconds (counter_info.scale).
 */
#ifndef SHM_COUNTERS_H
#define SHM_COUNTERS_H

#include "core/base/base.h"

enum counter_role { COUNTER_TOTAL, COUNTER_GAUGE };

#define COUNTERS(X) \
  X(CLIENTS_OPEN, GAUGE, "clients_open", "", "Client connections open now.") \
  X(CLIENTS_IDLE_MEMORY, GAUGE, "clients_memory_bytes", "", "Memory held for client connections.") \
  X(CLIENTS_ACCEPTED, TOTAL, "clients_accepted_total", "", "Client connections accepted.") \
  X(REFUSED_LIMIT, TOTAL, "clients_refused_total", "reason=\"limit\"", \
    "Client connections refused.") \
  X(REFUSED_USER_LIMIT, TOTAL, "clients_refused_total", "reason=\"user_limit\"", "") \
  X(REFUSED_USER_RATE, TOTAL, "clients_refused_total", "reason=\"user_rate\"", "") \
  X(REFUSED_MEMORY, TOTAL, "clients_refused_total", "reason=\"memory\"", "") \
  X(REFUSED_NOT_READY, TOTAL, "clients_refused_total", "reason=\"not_ready\"", "") \
  X(REFUSED_DRAINING, TOTAL, "clients_refused_total", "reason=\"draining\"", "") \
  X(CLOSED_QUIT, TOTAL, "clients_closed_total", "reason=\"quit\"", "Client connections closed.") \
  X(CLOSED_LOST, TOTAL, "clients_closed_total", "reason=\"lost\"", "") \
  X(CLOSED_LOGIN, TOTAL, "clients_closed_total", "reason=\"login\"", "") \
  X(CLOSED_MALFORMED, TOTAL, "clients_closed_total", "reason=\"malformed\"", "") \
  X(CLOSED_TIMEOUT, TOTAL, "clients_closed_total", "reason=\"timeout\"", "") \
  X(CLOSED_KILLED, TOTAL, "clients_closed_total", "reason=\"killed\"", "") \
  X(CLOSED_SHUTDOWN, TOTAL, "clients_closed_total", "reason=\"shutdown\"", "") \
  X(CLOSED_BACKEND, TOTAL, "clients_closed_total", "reason=\"backend\"", "") \
  X(LOGINS, TOTAL, "logins_total", "", "Logins that succeeded.") \
  X(LOGIN_FAILED_USER, TOTAL, "logins_failed_total", "reason=\"user\"", "Logins that failed.") \
  X(LOGIN_FAILED_PASSWORD, TOTAL, "logins_failed_total", "reason=\"password\"", "") \
  X(LOGIN_FAILED_DATABASE, TOTAL, "logins_failed_total", "reason=\"database\"", "") \
  X(LOGIN_FAILED_PROTOCOL, TOTAL, "logins_failed_total", "reason=\"protocol\"", "") \
  X(LOGIN_FAILED_TIMEOUT, TOTAL, "logins_failed_total", "reason=\"timeout\"", "") \
  X(LOGIN_FAILED_TLS, TOTAL, "logins_failed_total", "reason=\"tls\"", "") \
  X(LOGIN_FAILED_INSECURE, TOTAL, "logins_failed_total", "reason=\"insecure\"", "") \
  X(LOGIN_FAILED_PROXY, TOTAL, "logins_failed_total", "reason=\"proxy\"", "") \
  X(TLS_FULL, TOTAL, "tls_handshakes_total", "session=\"new\"", \
    "TLS handshakes with clients that came to a login.") \
  X(TLS_RESUMED, TOTAL, "tls_handshakes_total", "session=\"resumed\"", "") \
  X(CLIENT_BYTES_IN, TOTAL, "client_received_bytes_total", "", "Bytes received from clients.") \
  X(CLIENT_BYTES_OUT, TOTAL, "client_sent_bytes_total", "", "Bytes sent to clients.") \
  X(BACKEND_BYTES_IN, TOTAL, "backend_received_bytes_total", "", "Bytes received from servers.") \
  X(BACKEND_BYTES_OUT, TOTAL, "backend_sent_bytes_total", "", "Bytes sent to servers.") \
  X(STATEMENTS_SELECT, TOTAL, "statements_total", "kind=\"select\"", "Statements by kind.") \
  X(STATEMENTS_INSERT, TOTAL, "statements_total", "kind=\"insert\"", "") \
  X(STATEMENTS_REPLACE, TOTAL, "statements_total", "kind=\"replace\"", "") \
  X(STATEMENTS_UPDATE, TOTAL, "statements_total", "kind=\"update\"", "") \
  X(STATEMENTS_DELETE, TOTAL, "statements_total", "kind=\"delete\"", "") \
  X(STATEMENTS_SET, TOTAL, "statements_total", "kind=\"set\"", "") \
  X(STATEMENTS_SHOW, TOTAL, "statements_total", "kind=\"show\"", "") \
  X(STATEMENTS_DDL, TOTAL, "statements_total", "kind=\"ddl\"", "") \
  X(STATEMENTS_TXN, TOTAL, "statements_total", "kind=\"txn\"", "") \
  X(STATEMENTS_OTHER, TOTAL, "statements_total", "kind=\"other\"", "") \
  X(STATEMENTS_PREPARE, TOTAL, "prepares_total", "", "COM_STMT_PREPARE.") \
  X(STATEMENTS_EXECUTE, TOTAL, "executes_total", "", "COM_STMT_EXECUTE (also counted by kind).") \
  X(COMMANDS_OTHER, TOTAL, "commands_other_total", "", "Commands that carry no statement.") \
  X(ROUTE_ONE, TOTAL, "statements_routed_total", "route=\"one\"", "Statements by route.") \
  X(ROUTE_SCATTER, TOTAL, "statements_routed_total", "route=\"scatter\"", "") \
  X(ROUTE_GATHER, TOTAL, "statements_routed_total", "route=\"gather\"", "") \
  X(ROUTE_WRITE_ALL, TOTAL, "statements_routed_total", "route=\"write\"", "") \
  X(ROUTE_INSERT_SPLIT, TOTAL, "statements_routed_total", "route=\"insert_split\"", "") \
  X(ROUTE_LOAD, TOTAL, "statements_routed_total", "route=\"load\"", "") \
  X(ROUTE_LOCAL, TOTAL, "statements_routed_total", "route=\"local\"", "") \
  X(ROUTE_REFUSED, TOTAL, "statements_routed_total", "route=\"refused\"", "") \
  X(ERRORS_SHARDD, TOTAL, "errors_sent_total", "source=\"shardd\"", \
    "Error packets sent to clients.") \
  X(ERRORS_SERVER, TOTAL, "errors_sent_total", "source=\"server\"", "") \
  X(ERRORS_SYNTAX, TOTAL, "errors_sent_total", "source=\"parser\"", "") \
  X(ERRORS_BACKEND_LOST, TOTAL, "errors_sent_total", "source=\"backend_lost\"", "") \
  X(ERRORS_TIMEOUT, TOTAL, "errors_sent_total", "source=\"timeout\"", "") \
  X(ERRORS_LIMIT, TOTAL, "errors_sent_total", "source=\"limit\"", "") \
  X(PLAN_CACHE_ENTRIES, GAUGE, "plan_cache_entries", "", "Plans cached now.") \
  X(PLAN_CACHE_HITS, TOTAL, "plan_cache_hits_total", "", "Statements whose plan was cached.") \
  X(PLAN_CACHE_MISSES, TOTAL, "plan_cache_misses_total", "", "Statements that were parsed.") \
  X(PLAN_CACHE_EVICTED, TOTAL, "plan_cache_evicted_total", "", "Plans dropped to make room.") \
  X(BACKENDS_OPEN, GAUGE, "backends_open", "", "Connections to servers open now.") \
  X(BACKENDS_BUSY, GAUGE, "backends_busy", "", "Connections to servers in use now.") \
  X(BACKENDS_CREATED, TOTAL, "backends_created_total", "", "Connections to servers made.") \
  X(BACKENDS_FAILED, TOTAL, "backends_failed_total", "", \
    "Connections to servers that could not be made.") \
  X(BACKENDS_LOST, TOTAL, "backends_lost_total", "", "Connections to servers lost.") \
  X(BACKENDS_IDLE_CLOSED, TOTAL, "backends_idle_closed_total", "", "Idle connections closed.") \
  X(BACKEND_STATEMENTS, GAUGE, "backend_statements", "", \
    "Statements prepared on connections to servers now.") \
  X(BACKENDS_AGED, TOTAL, "backends_aged_total", "", "Connections closed because of their age.") \
  X(BACKENDS_WARMED, TOTAL, "backends_warmed_total", "", \
    "Connections opened before anybody waited for one.") \
  X(BACKEND_CHECKS, TOTAL, "backend_checks_total", "result=\"good\"", \
    "Idle connections asked whether they work, before use.") \
  X(BACKEND_CHECKS_FAILED, TOTAL, "backend_checks_total", "result=\"failed\"", "") \
  X(POOL_WAITING, GAUGE, "pool_waiting", "", "Statements waiting for a connection now.") \
  X(POOL_WAITS, TOTAL, "pool_waits_total", "", "Statements that waited for a connection.") \
  X(POOL_TIMEOUTS, TOTAL, "pool_timeouts_total", "", "Waits that reached their deadline.") \
  X(JOINED_READS, TOTAL, "joined_reads_total", "", \
    "Reads that got the answer to another one that was the same (join_reads).") \
  X(PIPELINED, TOTAL, "pipelined_total", "", \
    "Reads sent on a shared connection while others were on it.") \
  X(PIPELINE_MOVED, TOTAL, "pipeline_moved_total", "", \
    "Reads sent again on another connection because those before them took too long.") \
  X(PIPELINE_REPEATED, TOTAL, "pipeline_repeated_total", "", \
    "Reads run again alone because of an error, a warning or a large answer.") \
  X(READS_REPLICA, TOTAL, "weak_reads_total", "server=\"replica\"", \
    "Reads that replicas might answer, causal or eventual ones, by who was asked first.") \
  X(READS_PRIMARY, TOTAL, "weak_reads_total", "server=\"primary\"", "") \
  X(HEDGES, TOTAL, "hedges_total", "answer=\"asked\"", \
    "Reads asked of a second replica because the first took long, and those it answered first.") \
  X(HEDGES_WON, TOTAL, "hedges_total", "answer=\"first\"", "") \
  X(RETRIES, TOTAL, "retries_total", "", "Reads retried on another connection.") \
  X(TXN_SINGLE_COMMIT, TOTAL, "transactions_total", "shards=\"one\",end=\"commit\"", \
    "Transactions.") \
  X(TXN_SINGLE_ABORT, TOTAL, "transactions_total", "shards=\"one\",end=\"abort\"", "") \
  X(TXN_MULTI_COMMIT, TOTAL, "transactions_total", "shards=\"many\",end=\"commit\"", "") \
  X(TXN_MULTI_ABORT, TOTAL, "transactions_total", "shards=\"many\",end=\"abort\"", "") \
  X(TXN_MULTI_IN_DOUBT, TOTAL, "transactions_in_doubt_total", "", "Commits left to the resolver.") \
  X(TXN_MULTI_OPEN, GAUGE, "transactions_spread", "", \
    "Transactions that are on several shards now.") \
  X(SNAPSHOTS_OPENED, TOTAL, "snapshots_total", "end=\"opened\"", \
    "Snapshots of several shards.") \
  X(SNAPSHOTS_FAILED, TOTAL, "snapshots_total", "end=\"failed\"", "") \
  X(SNAPSHOTS_REPEATED, TOTAL, "snapshots_repeated_total", "", \
    "Snapshots opened again because a commit among them was in doubt.") \
  X(COMMITS_HELD, TOTAL, "commits_held_total", "", \
    "Commits on several shards that waited for snapshots to open.") \
  X(PARKED, GAUGE, "parked_statements", "", "Statements that wait for rows to move now.") \
  X(PARKED_TOTAL, TOTAL, "parked_total", "", "Statements that waited for rows to move.") \
  X(PARKED_TIMEOUTS, TOTAL, "parked_timeouts_total", "", \
    "Of these, those that reached fence_wait_ms.") \
  X(FENCE_CUTS, TOTAL, "transactions_cut_total", "", \
    "Transactions that were ended so that rows could move.") \
  X(DEADLOCKS, TOTAL, "deadlocks_total", "", \
    "Transactions on several shards that were ended to break a deadlock between shards.") \
  X(PINNED_TEMPORARY_TABLE, GAUGE, "pinned_sessions", "reason=\"temporary_table\"", \
    "Clients that hold a connection for its state now; one may have several reasons.") \
  X(PINNED_USER_LOCK, GAUGE, "pinned_sessions", "reason=\"user_lock\"", "") \
  X(PINNED_LOCK_TABLES, GAUGE, "pinned_sessions", "reason=\"lock_tables\"", "") \
  X(PINNED_HANDLER, GAUGE, "pinned_sessions", "reason=\"handler\"", "") \
  X(PINNED_USER_VARIABLE, GAUGE, "pinned_sessions", "reason=\"user_variable\"", "") \
  X(PINNED_CURSOR, GAUGE, "pinned_sessions", "reason=\"cursor\"", "") \
  X(PINS, TOTAL, "pins_total", "", "Reasons that began to pin a client to a connection.") \
  X(ROWS_RELAYED, TOTAL, "rows_merged_total", "", "Rows that passed through a merge.") \
  X(GATHER_ROWS, TOTAL, "gather_rows_total", "", "Rows brought from shards to an engine.") \
  X(GATHER_BYTES, TOTAL, "gather_bytes_total", "", "Bytes of these rows, as text.") \
  X(GATHER_TABLES, TOTAL, "gather_tables_total", "", "Tables filled on an engine.") \
  X(GATHER_SPILLED, TOTAL, "gather_spilled_total", "", \
    "Tables that were moved to an engine's disk because of gather_memory_bytes.") \
  X(GATHER_LIMIT_ROWS, TOTAL, "gather_refused_total", "limit=\"rows\"", \
    "Statements that needed more than the settings gather_max_... allow.") \
  X(GATHER_LIMIT_BYTES, TOTAL, "gather_refused_total", "limit=\"bytes\"", "") \
  X(GATHER_LIMIT_SECONDS, TOTAL, "gather_refused_total", "limit=\"seconds\"", "") \
  X(GATHER_DEFINITION_HITS, TOTAL, "gather_definitions_total", "from=\"memory\"", \
    "Definitions of tables looked up to make them on an engine.") \
  X(GATHER_DEFINITION_MISSES, TOTAL, "gather_definitions_total", "from=\"shard\"", "") \
  X(MERGE_MEMORY, GAUGE, "merge_memory_bytes", "", "Memory held by merges.") \
  X(MALFORMED_PACKETS, TOTAL, "malformed_packets_total", "", "Packets that broke the protocol.") \
  X(KILLS, TOTAL, "kills_total", "", "KILL commands carried out.") \
  X(SEQUENCE_BLOCKS, TOTAL, "sequence_blocks_total", "", \
    "Blocks of AUTO_INCREMENT numbers fetched.") \
  X(ROUTES_INSTALLED, TOTAL, "routes_installed_total", "", "Editions of the routes taken over.") \
  X(ROUTES_BAD, TOTAL, "routes_bad_total", "", "Editions of the routes refused.") \
  X(HTTP_CONNECTIONS, GAUGE, "http_connections_open", "", "HTTP connections open now.") \
  X(HTTP_REQUESTS_OK, TOTAL, "http_requests_total", "code=\"200\"", "HTTP requests by status.") \
  X(HTTP_REQUESTS_BAD, TOTAL, "http_requests_total", "code=\"400\"", "") \
  X(HTTP_REQUESTS_UNAUTHORIZED, TOTAL, "http_requests_total", "code=\"401\"", "") \
  X(HTTP_REQUESTS_FORBIDDEN, TOTAL, "http_requests_total", "code=\"403\"", "") \
  X(HTTP_REQUESTS_MISSING, TOTAL, "http_requests_total", "code=\"404\"", "") \
  X(HTTP_REQUESTS_METHOD, TOTAL, "http_requests_total", "code=\"405\"", "") \
  X(HTTP_REQUESTS_CONFLICT, TOTAL, "http_requests_total", "code=\"409\"", "") \
  X(HTTP_REQUESTS_BODY, TOTAL, "http_requests_total", "code=\"413\"", "") \
  X(HTTP_REQUESTS_TOO_MANY, TOTAL, "http_requests_total", "code=\"429\"", "") \
  X(HTTP_REQUESTS_LARGE, TOTAL, "http_requests_total", "code=\"431\"", "") \
  X(HTTP_REQUESTS_GATEWAY, TOTAL, "http_requests_total", "code=\"502\"", "") \
  X(HTTP_REQUESTS_UNREADY, TOTAL, "http_requests_total", "code=\"503\"", "") \
  X(HTTP_REQUESTS_TIMEOUT, TOTAL, "http_requests_total", "code=\"504\"", "") \
  X(LOOP_TURNS, TOTAL, "loop_turns_total", "", "Turns of the worker's loop.") \
  X(LOOP_STALLS, TOTAL, "loop_stalls_total", "", \
    "Turns of the worker's loop that took longer than 50 ms.") \
  X(LOOP_BUSY_NS, NANOSECONDS, "loop_busy_seconds_total", "", "Time the worker's loop was at work.")

#define COUNTER_ENUM(name, role, metric, labels, help) COUNTER_##name,
enum counter { COUNTERS(COUNTER_ENUM) COUNTERS_N };
#undef COUNTER_ENUM

struct counter_info {
    const char       *metric; /* "shardd_..." */
    const char       *labels; /* "kind=\"select\"" or "" */
    const char       *help;   /* "" for the rows after the metric's first */
    enum counter_role role;
    double            scale;  /* multiply to get the metric's unit */
};

extern const struct counter_info counter_info[COUNTERS_N];

/* X(name, metric, labels, help): latency histograms, recorded in ns. */
#define LATENCIES(X) \
  X(ONE, "statement_seconds", "route=\"one\"", \
    "From the statement's last byte to its answer's first.") \
  X(SCATTER, "statement_seconds", "route=\"scatter\"", "") \
  X(GATHER, "statement_seconds", "route=\"gather\"", "") \
  X(WRITE, "statement_seconds", "route=\"write\"", "") \
  X(LOCAL, "statement_seconds", "route=\"local\"", "") \
  X(POOL_WAIT, "pool_wait_seconds", "", "Waiting for a connection to a server.") \
  X(CONNECT, "backend_connect_seconds", "", "Connecting to a server and logging in.") \
  X(COMMIT, "commit_seconds", "", \
    "Commits of what was written on several shards, but for what snapshots held them.") \
  X(COMMIT_HELD, "commit_held_seconds", "", \
    "Commits on several shards that waited for snapshots to open: how long.") \
  X(PARKED, "parked_seconds", "", "Statements that waited for rows to move: how long.") \
  X(EASED, "eased_seconds", "", \
    "Transactions that waited before that for others to end, so that few are in the way.") \
  X(SNAPSHOT, "snapshot_seconds", "", "Opening a snapshot of several shards.") \
  X(TURN, "loop_turn_seconds", "", \
    "A turn of a worker's loop, without its sleep: so long nobody else is served.")

#define LATENCY_ENUM(name, metric, labels, help) LATENCY_##name,
enum latency { LATENCIES(LATENCY_ENUM) LATENCIES_N };
#undef LATENCY_ENUM

struct latency_info {
    const char *metric, *labels, *help;
};

extern const struct latency_info latency_info[LATENCIES_N];

/* What is counted per shard; the label is the shard's name. */
#define SHARD_COUNTERS(X) \
  X(OPEN, GAUGE, "shard_backends_open", "Connections to the shard open now.") \
  X(BUSY, GAUGE, "shard_backends_busy", \
    "Connections to the shard with a statement or a transaction now.") \
  X(WAITING, GAUGE, "shard_waiting", "Statements waiting for the shard now.") \
  X(DOWN, GAUGE, "shard_circuit_open", "1 while the worker holds the shard for down.") \
  X(STATEMENTS, TOTAL, "shard_statements_total", "Statements sent to the shard.") \
  X(ERRORS, TOTAL, "shard_errors_total", "Error packets received from the shard.") \
  X(LOST, TOTAL, "shard_backends_lost_total", "Connections to the shard lost or refused.") \
  X(NS, NANOSECONDS, "shard_busy_seconds_total", "Time waited for answers of the shard to begin.")

#define SHARD_COUNTER_ENUM(name, role, metric, help) SHARD_COUNTER_##name,
enum shard_counter { SHARD_COUNTERS(SHARD_COUNTER_ENUM) SHARD_COUNTERS_N };
#undef SHARD_COUNTER_ENUM

extern const struct counter_info shard_counter_info[SHARD_COUNTERS_N];

#endif
