/* conf.h - the settings of shardd: one table, from which all else is made.
 *
 *   conf_table.c --+--> conf_load()  a libconfig file to struct conf, or every mistake in it
 *                  +--> conf_reload() what SIGHUP may change, and what waits for a restart
 *                  +--> conf_help()  the list in `shardd --help`
 *                  +--> conf_man()   the list in shardd.conf(5); a test compares the two
 *
 * The file is flat: `name = value;`, one setting a line, see shardd.conf(5).
 * A value that is not in the file has its default.
 */
#ifndef CORE_CONF_CONF_H
#define CORE_CONF_CONF_H

#include <sys/socket.h>

#include "core/base/buf.h"
#include "core/base/log.h"

enum conf_steer {
    STEER_AUTO,   /* by CPU when workers and CPUs match one to one, else random */
    STEER_CPU,    /* the worker on the CPU that received the connection */
    STEER_RANDOM, /* the kernel's choice among the listening sockets */
};

/* As in sched(7). */
enum conf_class {
    CLASS_BATCH,  /* SCHED_BATCH */
    CLASS_NORMAL, /* as the master was started */
};

enum conf_access { ACCESS_ALL, ACCESS_GROUP, ACCESS_OWNER };

enum conf_commit {
    COMMIT_ATOMIC,      /* several shards commit together or not at all */
    COMMIT_BEST_EFFORT, /* one after the other; a crash in between is not repaired */
    COMMIT_SINGLE,      /* an error as soon as a second shard is written to */
};

enum conf_compress { CONF_COMPRESS_OFF, CONF_COMPRESS_ZLIB, CONF_COMPRESS_ZSTD };

enum conf_server_tls { SERVER_TLS_OFF, SERVER_TLS_REQUIRED, SERVER_TLS_CA, SERVER_TLS_HOST };

enum conf_tls_min { TLS_MIN_12, TLS_MIN_13 };

enum conf_log_format {
    CONF_LOG_AUTO, /* journal when stderr is the journal, human on a terminal, else JSON */
    CONF_LOG_HUMAN,
    CONF_LOG_JSON,
    CONF_LOG_JOURNAL,
};

/* Values only, no pointers: a copy is an assignment. Every field is a row in
 * conf_table.c, under the same name and in the same order, where its default,
 * range and meaning are. An unset path or address is "". */
struct conf {
    /* who and where */
    char             instance[32];
    char             listen[64];
    char             socket[108];
    enum conf_access socket_access;
    bool             proxy_protocol;
    char             proxy_networks[512];
    char             http[64];
    bool             http_query;
    uint64_t         http_body_max_bytes;
    char             controller[108];
    char             control[108];
    char             server_version[64];
    uint32_t         workers; /* 0: one per CPU */
    bool             pin_cpus;
    enum conf_class  scheduling;
    enum conf_steer  steer;
    uint32_t         backlog;
    /* clients */
    uint32_t         max_clients; /* per worker */
    uint64_t         max_packet_bytes;
    uint64_t         client_out_high_water_bytes;
    uint32_t         login_timeout_s;
    uint32_t         tcp_silent_s;   /* 0: the kernel's own */
    uint32_t         client_idle_s;
    uint32_t         query_timeout_s; /* 0: none */
    uint32_t         transaction_timeout_s; /* 0: none */
    uint32_t         drain_s;
    /* TLS and logins */
    char             tls_cert[256];
    char             tls_key[256];
    char             tls_ca[256];
    bool             tls_require_client_cert;
    enum conf_tls_min tls_min_version;
    bool             require_secure_transport;
    char             rsa_key[256];
    uint32_t         compression_level; /* 0: not offered */
    /* pools: per worker, server and user */
    uint32_t         pool_max;
    uint32_t         pool_min_idle;
    uint32_t         pool_idle_s;
    uint32_t         pool_statements;
    uint32_t         pool_max_age_s;  /* 0: no limit */
    uint32_t         pool_check_s;
    uint32_t         pool_wait_ms;
    uint32_t         connect_timeout_ms;
    uint32_t         pipeline;         /* statements on one backend; 1: off */
    uint32_t         pipeline_wait_ms;
    bool             join_reads;
    enum conf_compress server_compression;
    enum conf_server_tls server_tls;
    char             server_tls_ca[256];
    /* replicas */
    char             zone[64];
    uint32_t         replica_lag_ms;
    uint32_t         replica_wait_ms; /* 0: never */
    uint32_t         replica_probe_ms;
    uint32_t         replica_probe_timeout_ms;
    uint32_t         replica_probe_jitter; /* % */
    uint32_t         replica_login_ms;     /* 0: never */
    uint32_t         replica_cooldown_ms;
    uint32_t         replica_ramp_ms;
    uint32_t         replica_panic_percent;
    uint32_t         retry_percent;
    uint32_t         hedge_percent; /* 0: off */
    uint32_t         breaker_errors;   /* 0: off, as the next one */
    uint32_t         breaker_percent;
    uint32_t         breaker_open_ms;
    uint32_t         breaker_open_max_ms;
    /* statements */
    uint32_t         plan_cache_entries;
    uint64_t         merge_memory_bytes; /* per statement */
    uint64_t         merge_disk_bytes;   /* 0: none */
    char             merge_folder[256];  /* "": that of `control` */
    uint64_t         gather_max_rows;    /* per statement, as the next three */
    uint64_t         gather_max_bytes;
    uint32_t         gather_max_seconds; /* 0: no limit */
    uint64_t         gather_memory_bytes;
    uint32_t         gather_join_values; /* 0: off */
    enum conf_commit commit;
    uint32_t         snapshot_wait_ms;
    uint32_t         fence_wait_ms;
    bool             snapshot_reads;
    /* io */
    uint32_t         ring_entries;
    uint32_t         recv_buffers;
    uint32_t         recv_buffer_bytes;
    uint32_t         sqpoll_ms;      /* 0: off */
    uint32_t         napi_us;        /* 0: off */
    uint32_t         spin_us;        /* 0: off */
    uint32_t         coalesce_us;    /* 0: off */
    uint64_t         zerocopy_bytes; /* 0: never */
    /* logs */
    enum log_level       log_level;
    enum conf_log_format log_format;
};

/* What is wrong with a file: one line each, "FILE:LINE: SETTING: what is wrong
 * and what is allowed". All zeroes is an empty list; buf_fini(&m->lines). */
struct conf_mistakes {
    uint32_t   n;
    struct buf lines;
};

/* Every setting at its default. */
void conf_defaults(struct conf *conf);

/* Reads all of `path` (NULL: the defaults alone). Returns false and lists
 * every mistake when there is one, and `*conf` is not touched then. */
bool conf_load(const char *path, struct conf *conf, struct conf_mistakes *m) must_check;

/* Takes over into `running` what differs in `loaded` and may change while
 * shardd runs. Appends "name old -> new" to `changed` for each of these, the
 * bare name to `restart` for what differs and has to wait; ", " in between. */
void conf_reload(struct conf *running, const struct conf *loaded, struct buf *changed,
                 struct buf *restart);

/* "127.0.0.1:7306", "[::1]:7306" or "/path/of/a/socket" (AF_UNIX). Only literal
 * addresses: a name would need a resolver. Returns false on anything else.
 * What conf_load() accepted for `listen` and `http` always converts; "" does not. */
bool conf_sockaddr(const char *text, struct sockaddr_storage *addr, socklen_t *len) must_check;

/* Lists of networks, as in proxy_networks: is it one; does one of them contain the address? */
bool conf_networks_ok(const char *text) must_check;
bool conf_networks_have(const char *text, const struct sockaddr_storage *addr) must_check;

/* The log format to use now: resolves CONF_LOG_AUTO by looking at stderr and $JOURNAL_STREAM. */
enum log_format conf_log_format(const struct conf *conf);

/* For people: the settings with type, default and meaning, 80 columns. */
void conf_help(struct buf *out);

/* The same as an mdoc(7) list, for shardd.conf(5). */
void conf_man(struct buf *out);

/* An example file: every setting at its default, commented out, and explained. */
void conf_example(struct buf *out);

#endif
