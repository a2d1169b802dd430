/* conf_table.c - the settings; and one value from text and to text. */
#include "core/conf/conf_table.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>

#define KIB 1024ULL
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#define FIELD(f)           offsetof(struct conf, f), sizeof(((struct conf *)0)->f)
#define BOOL(f, initial)   #f, CONF_BOOL, FIELD(f), initial, 0, 0, "", ""
#define INT(f, initial, min, max, unit) #f, CONF_INT, FIELD(f), initial, min, max, unit, ""
#define ENUM(f, initial, choices) #f, CONF_ENUM, FIELD(f), initial, 0, 0, "", choices
#define STR(f, type, initial, min) #f, type, FIELD(f), initial, min, 0, "", ""

/* The first row of an enum's choices is its value 0: keep the order of conf.h. */
const struct conf_setting conf_settings[] = {
    { STR(instance, CONF_NAME, "default", 1), CONF_RESTART,
      "The name of this shardd and its controller on this host; part of the names of the "
      "shared memory segments." },
    { STR(listen, CONF_ADDRESS, "127.0.0.1:7306", 1), CONF_RESTART,
      "Where applications connect with the MySQL protocol." },
    { STR(socket, CONF_PATH, "", 0), CONF_RESTART,
      "A Unix socket where they connect as well, at most 107 bytes long. A file of that name that "
      "nobody listens on is replaced. Empty: none." },
    { ENUM(socket_access, "all", "all|group|owner"), CONF_RESTART,
      "Who may connect to the Unix socket, by its file's permissions: 0777, 0770 or 0700." },
    { BOOL(proxy_protocol, "false"), CONF_RELOAD,
      "Load balancers in proxy_networks may tell for whom they connect, by a PROXY header of "
      "version 1 or 2 before all else: then the process list, messages and logs name the client "
      "behind them." },
    { STR(proxy_networks, CONF_NETWORKS, "127.0.0.0/8, ::1, localhost", 0), CONF_RELOAD,
      "From which addresses such a header is believed; from others it ends the connection. "
      "Addresses or networks, with commas in between; localhost means Unix sockets, * all." },
    { STR(http, CONF_ADDRESS, "127.0.0.1:7380", 0), CONF_RESTART,
      "Where /metrics, /healthz and /readyz are served. Empty: nowhere." },
    { BOOL(http_query, "false"), CONF_RELOAD,
      "Users may also send statements there, by POST /v1/query with a token (shardctl user "
      "token) or their password. There is no TLS: loopback, or behind a proxy that has it." },
    { INT(http_body_max_bytes, "10M", KIB, GIB, "bytes"), CONF_RELOAD,
      "The largest body of a request to /v1/query. A larger one gets status 413." },
    { STR(controller, CONF_PATH, "/var/lib/shardd/controller.sock", 0), CONF_RESTART,
      "The controller's socket, to which DDL and sequence requests go." },
    { STR(control, CONF_PATH, "/var/lib/shardd/shardd.sock", 0), CONF_RESTART,
      "The socket on which shardd is told that the routes have changed." },
    { STR(server_version, CONF_TEXT, "10.11.0-MariaDB-shardd", 1), CONF_RESTART,
      "The version that clients are told. Some decide by it which SQL they send." },
    { INT(workers, "0", 0, 256, ""), CONF_RESTART,
      "The number of worker processes. 0: one per CPU." },
    { BOOL(pin_cpus, "true"), CONF_RESTART,
      "Each worker runs on one CPU, when there are not more workers than CPUs." },
    { ENUM(scheduling, "batch", "batch|normal"), CONF_RESTART,
      "Where a worker has to share its CPU, as with servers on the same machine: with batch it "
      "runs when the others pause, and then has the work of many clients to do at once; they "
      "get more for less CPU time. With normal it interrupts the others for each statement." },
    { ENUM(steer, "auto", "auto|cpu|random"), CONF_RESTART,
      "Which worker gets a new connection: cpu is the one on the CPU that received it, random "
      "any, auto is cpu when there is exactly one pinned worker per CPU, else random." },
    { INT(backlog, "4096", 1, 65535, "connections"), CONF_RESTART,
      "How many connections may wait to be accepted, per worker. net.core.somaxconn is a "
      "limit as well." },

    { INT(max_clients, "10000", 1, 1000000, "connections"), CONF_RELOAD,
      "Client connections per worker. One more gets error 1040, Too many connections." },
    { INT(max_packet_bytes, "64M", 16 * KIB, GIB, "bytes"), CONF_RELOAD,
      "The longest statement or parameter accepted. A longer one gets error 1153. The "
      "servers' max_allowed_packet should not be smaller." },
    { INT(client_out_high_water_bytes, "256K", 16 * KIB, GIB, "bytes"), CONF_RELOAD,
      "Bytes waiting for a slow client beyond which shardd stops reading its answer from "
      "the server." },
    { INT(login_timeout_s, "10", 1, 3600, "s"), CONF_RELOAD,
      "A client that has not logged in by then is disconnected." },
    { INT(tcp_silent_s, "120", 0, 86400, "s"), CONF_RESTART,
      "A connection by TCP, a client's or a server's, is over when the other side acknowledges "
      "nothing, or takes nothing of what is sent to it, for so long: its transaction is rolled "
      "back. Clients that pause for longer within one large answer need more. 0: the kernel's own "
      "limit, a quarter of an hour and more." },
    { INT(client_idle_s, "28800", 0, 31536000, "s"), CONF_RELOAD,
      "A client that sends nothing for so long is disconnected, with error 4031. 0: never. A "
      "user may have a limit of its own (shardctl user set), and a session less by SET "
      "wait_timeout." },
    { INT(query_timeout_s, "0", 0, 31536000, "s"), CONF_RELOAD,
      "A statement that takes longer is ended on the servers and gets error 1969: sessions begin "
      "with max_statement_time = this. 0: never. A user may have a limit of its own, and a "
      "session or statement less by SET max_statement_time." },
    { INT(transaction_timeout_s, "0", 0, 31536000, "s"), CONF_RELOAD,
      "A client whose transaction is open for longer is disconnected, with error 1927, and the "
      "transaction rolled back. 0: never. A user may have a limit of its own." },
    { INT(drain_s, "30", 0, 86400, "s"), CONF_RELOAD,
      "After SIGTERM, how long open transactions may take to end before they are cut." },

    { STR(tls_cert, CONF_PATH, "", 0), CONF_RELOAD,
      "The certificate for clients that ask for TLS: a PEM file, intermediate certificates "
      "behind it. SIGHUP reads the file again. Empty: TLS is not offered; shardd never makes a "
      "certificate of its own." },
    { STR(tls_key, CONF_PATH, "", 0), CONF_RELOAD,
      "The certificate's private key: a PEM file without a passphrase." },
    { STR(tls_ca, CONF_PATH, "", 0), CONF_RELOAD,
      "CA certificates: a PEM file. Certificates that clients show are verified against them. "
      "Empty: clients are not asked for one." },
    { BOOL(tls_require_client_cert, "false"), CONF_RELOAD,
      "A client that uses TLS must show a certificate that tls_ca has signed." },
    { ENUM(tls_min_version, "1.2", "1.2|1.3"), CONF_RELOAD,
      "The oldest version of TLS that clients may use." },
    { BOOL(require_secure_transport, "false"), CONF_RELOAD,
      "Logins are refused that come neither by TLS nor through a Unix socket." },
    { STR(rsa_key, CONF_PATH, "", 0), CONF_RELOAD,
      "A private RSA key of at least 2048 bits: a PEM file without a passphrase. With it "
      "clients that use caching_sha2_password can send their password encrypted when they do "
      "not use TLS. Empty: they must use TLS or a Unix socket." },
    { INT(compression_level, "6", 0, 9, ""), CONF_RELOAD,
      "Clients that ask for it get compressed answers: by zlib at this level, or by zstd at the "
      "level that the client asks for (at most 7). 0: compression is not offered." },

    { INT(pool_max, "64", 1, 100000, "connections"), CONF_RELOAD,
      "Connections to one server as one user, per worker. The servers' max_connections "
      "must allow for all workers." },
    { INT(pool_min_idle, "0", 0, 100000, "connections"), CONF_RELOAD,
      "As many connections per server, user and kind of client (its protocol's options) are "
      "opened when the first such client logs in, and stay open when they are idle. Not more "
      "than pool_max." },
    { INT(pool_idle_s, "60", 1, 86400, "s"), CONF_RELOAD,
      "An idle connection to a server is closed after this time." },
    { INT(pool_statements, "128", 1, 16384, "statements"), CONF_RELOAD,
      "Prepared statements that a connection to a server keeps for whoever wants the same; the "
      "one unused for longest is closed. The servers' max_prepared_stmt_count is a limit for "
      "all connections together." },
    { INT(pool_max_age_s, "3600", 0, 31536000, "s"), CONF_RELOAD,
      "A connection to a server that has been open for so long, or up to a fifth less, is closed "
      "as soon as nobody uses it. 0: never." },
    { INT(pool_check_s, "30", 0, 86400, "s"), CONF_RELOAD,
      "A connection that was idle for so long is asked whether it still works (COM_PING) before a "
      "statement gets it. 0: always." },
    { INT(pool_wait_ms, "10000", 1, 3600000, "ms"), CONF_RELOAD,
      "How long a statement waits for a connection to a server when pool_max are busy; then "
      "it gets error 1203." },
    { INT(connect_timeout_ms, "10000", 1, 600000, "ms"), CONF_RELOAD,
      "A server that has not accepted a connection and login by then counts as down." },
    { INT(pipeline, "16", 1, 256, "statements"), CONF_RELOAD,
      "Reads that are known to be quick, need nothing of their connection and are in no "
      "transaction share connections to a server: at most so many are sent back to back on "
      "one. 1: every statement has a connection to itself." },
    { INT(pipeline_wait_ms, "50", 1, 60000, "ms"), CONF_RELOAD,
      "A read that has waited so long behind others on a shared connection is sent again on "
      "another one, and the statement before it, whatever its values are, shares none for a while: "
      "longer each time." },
    { BOOL(join_reads, "false"), CONF_RELOAD,
      "Reads with the same text, of the same user with the same settings, that come while one like "
      "them is under way wait for its end, and are then answered by one of them: a server has at "
      "most one of a kind to do per worker. No answer is older than the question, but a read may "
      "take up to twice as long." },
    { ENUM(server_compression, "off", "off|zlib|zstd"), CONF_RELOAD,
      "New connections to servers by TCP are compressed, when the server offers it: MariaDB has "
      "zlib, MySQL 8 both. It saves bytes and costs CPU on both sides." },
    { ENUM(server_tls, "off", "off|required|verify_ca|verify_host"), CONF_RELOAD,
      "New connections to servers by TCP use TLS: required takes any certificate, verify_ca one "
      "that server_tls_ca has signed, verify_host one that names the server's address as "
      "'shardctl shard list' shows it as well. A server that does not offer it counts as down." },
    { STR(server_tls_ca, CONF_PATH, "", 0), CONF_RELOAD,
      "CA certificates for server_tls: a PEM file. Empty: those of the system." },

    { STR(zone, CONF_TEXT, "", 0), CONF_RESTART,
      "Where this shardd is, as shardctl replica add --zone says it of replicas: reads go to "
      "replicas in the same zone as long as one of these is fit for them. Empty: all are alike." },
    { INT(replica_lag_ms, "10000", 1, 86400000, "ms"), CONF_RELOAD,
      "No read is answered by a replica that may lack something older than this." },
    { INT(replica_wait_ms, "20", 0, 60000, "ms"), CONF_RELOAD,
      "A session with causal consistency that read from the primary, because no replica had what "
      "it had written or seen, waits so long at most, ten times a second at most, for one that "
      "has; then it goes on reading there. 0: it goes back to replicas only when it has paused." },
    { INT(replica_probe_ms, "250", 10, 60000, "ms"), CONF_RELOAD,
      "How often a worker asks the servers of a shard with replicas how far they are. What a "
      "replica has is known as of then." },
    { INT(replica_probe_timeout_ms, "1000", 10, 60000, "ms"), CONF_RELOAD,
      "A replica that has not answered by then is left alone, and reads that wait for it are sent "
      "elsewhere." },
    { INT(replica_probe_jitter, "25", 0, 100, "%"), CONF_RELOAD,
      "By such a part of replica_probe_ms the time between two questions differs by chance, so "
      "that workers do not ask all at once." },
    { INT(replica_login_ms, "10000", 0, 3600000, "ms"), CONF_RELOAD,
      "How often the connection for these questions is made anew, so that a server that lets "
      "nobody in any more is found out. 0: never." },
    { INT(replica_cooldown_ms, "1000", 0, 3600000, "ms"), CONF_RELOAD,
      "A replica that was drained or disabled and is enabled again gets nothing but these "
      "questions for so long, then reads that try whether it is well." },
    { INT(replica_ramp_ms, "10000", 0, 3600000, "ms"), CONF_RELOAD,
      "A replica that is new, or well again, gets a tenth of its part of the reads at first, and "
      "all of it after this time." },
    { INT(replica_panic_percent, "50", 0, 100, "%"), CONF_RELOAD,
      "When a smaller part of a shard's replicas than this looks well, the fault is likely not "
      "theirs, and all of them are used." },
    { INT(retry_percent, "20", 0, 1000, "%"), CONF_RELOAD,
      "Reads that failed on a replica are sent to another server as long as they are at most so "
      "many of all reads from replicas, and ten per second and worker besides." },
    { INT(hedge_percent, "0", 0, 100, "%"), CONF_RELOAD,
      "Reads with consistency eventual whose answer takes longer than 95 % of their statement's "
      "and than a millisecond are asked of a second replica as well, as long as these are at most "
      "so many of all such reads, and ten per second and worker besides; the first answer counts. "
      "0: no read is." },
    { INT(breaker_errors, "5", 0, 1000000, "errors"), CONF_RELOAD,
      "So many failed reads in a row, and a replica is left alone for a while. 0: never for "
      "that." },
    { INT(breaker_percent, "50", 0, 100, "%"), CONF_RELOAD,
      "The same for such a part of the reads of the last ten seconds, when these are 20 or more. "
      "0: never for that." },
    { INT(breaker_open_ms, "1000", 1, 3600000, "ms"), CONF_RELOAD,
      "For how long the first time, up to a quarter more or less; then three reads try whether it "
      "is well. Each time that one of these fails it is left alone for twice as long." },
    { INT(breaker_open_max_ms, "30000", 1, 86400000, "ms"), CONF_RELOAD,
      "The longest time that a replica is left alone at once." },

    { INT(plan_cache_entries, "4096", 16, 1048576, "plans"), CONF_RESTART,
      "Statements, without their literals, whose plan each worker remembers." },
    { INT(merge_memory_bytes, "256M", MIB, 64 * GIB, "bytes"), CONF_RELOAD,
      "Memory that merging the answers of several shards may take, per statement. Groups and "
      "distinct rows that need more are kept in a temporary file, in parts." },
    { INT(merge_disk_bytes, "4G", 0, 1024 * GIB, "bytes"), CONF_RELOAD,
      "How large that file may become, per statement. One that needs more gets error 1114. "
      "0: no files." },
    { STR(merge_folder, CONF_PATH, "", 0), CONF_RELOAD,
      "Where these files are; they have no names. Empty: in the folder of control." },
    { INT(gather_max_rows, "20000000", 1, 1000000000000, "rows"), CONF_RELOAD,
      "Rows that a statement may bring from the shards to an engine. One that needs more gets "
      "error 1104." },
    { INT(gather_max_bytes, "4G", MIB, 1024 * GIB, "bytes"), CONF_RELOAD,
      "The same in bytes, as text." },
    { INT(gather_max_seconds, "300", 0, 86400, "s"), CONF_RELOAD,
      "How long a statement may bring rows together and wait for the engine's answer to begin. "
      "One that takes longer gets error 1969. 0: no limit." },
    { INT(gather_memory_bytes, "256M", 64 * KIB, 3 * GIB, "bytes"), CONF_RELOAD,
      "Memory of the engine that a table of a statement may take there; a larger one is moved "
      "to its disk, which takes longer. Tables with wide rows are always there." },
    { INT(gather_join_values, "10000", 0, 1000000, "values"), CONF_RELOAD,
      "A table of a gathered statement whose rows matter only beside rows of another is asked "
      "for rows with the values that were found there, when these are not more than so many. 0: "
      "all its rows come." },
    { ENUM(commit, "atomic", "atomic|best_effort|single"), CONF_RELOAD,
      "A transaction that writes on several shards: atomic commits everywhere or nowhere, "
      "best_effort commits one shard after the other, single refuses the second shard." },
    { INT(snapshot_wait_ms, "1000", 10, 60000, "ms"), CONF_RELOAD,
      "How long commits on several shards are held back, at most, while a snapshot opens on "
      "all of them. What has not opened by then gets error 1205, and commits go on." },
    { INT(fence_wait_ms, "10000", 10, 600000, "ms"), CONF_RELOAD,
      "How long a statement waits, at most, while the rows it needs are being switched to "
      "another shard. What waits longer gets error 1205 and can be tried again." },
    { BOOL(snapshot_reads, "false"), CONF_RELOAD,
      "A read on several shards outside of a transaction is taken from one snapshot of them, "
      "so that it never sees half of a commit. Costs two round trips and holds commits." },

    { INT(ring_entries, "4096", 64, 32768, "entries"), CONF_RESTART,
      "Size of each worker's io_uring submission queue. A power of two." },
    { INT(recv_buffers, "64", 16, 32768, "buffers"), CONF_RESTART,
      "Receive buffers per worker, shared by all its connections. A power of two." },
    { INT(recv_buffer_bytes, "64K", KIB, MIB, "bytes"), CONF_RESTART,
      "Size of each receive buffer." },
    { INT(sqpoll_ms, "0", 0, 60000, "ms"), CONF_RESTART,
      "A kernel thread polls each worker's submission queue and sleeps after so long "
      "without work. It costs a CPU per worker. 0: off." },
    { INT(napi_us, "0", 0, 1000000, "us"), CONF_RESTART,
      "Busy-poll the network card for so long before sleeping. 0: off." },
    { INT(spin_us, "0", 0, 1000, "us"), CONF_RESTART,
      "A worker with nothing to do looks for new work so long before it sleeps, and ever less "
      "often while that is in vain. It makes statements of few clients quicker and costs CPU "
      "time; try 50 where there are more CPUs than work. 0: off." },
    { INT(coalesce_us, "500", 0, 10000, "us"), CONF_RESTART,
      "A worker with 32 busy clients or more waits until there is something to do for several of "
      "them, for up to one in 8, but no longer than this. It sleeps and wakes less often then, "
      "and many clients get more done. 0: off." },
    { INT(zerocopy_bytes, "256K", 0, GIB, "bytes"), CONF_RESTART,
      "Sends at least this long are not copied into the kernel, where it can. 0: never." },

    { ENUM(log_level, "info", "error|warn|info|debug"), CONF_RELOAD,
      "The least urgent messages to be logged." },
    { ENUM(log_format, "auto", "auto|human|json|journal"), CONF_RELOAD,
      "The form of log lines: auto is journal under systemd, human on a terminal, else json." },
};
const size_t conf_n_settings = countof(conf_settings);

const struct conf_section conf_sections[] = {
    { "instance", "Who and where" },
    { "max_clients", "Clients" },
    { "tls_cert", "TLS and logins" },
    { "pool_max", "Connections to the servers" },
    { "zone", "Replicas" },
    { "plan_cache_entries", "Statements" },
    { "ring_entries", "Input and output" },
    { "log_level", "Logs" },
};
const size_t conf_n_sections = countof(conf_sections);

const char *
conf_heading(const struct conf_setting *setting)
{
    for (size_t i = 0; i < conf_n_sections; i++)
        if (strcmp(conf_sections[i].first, setting->name) == 0)
            return conf_sections[i].title;
    return NULL;
}

/* --- integers ---------------------------------------------------------- */

static const struct {
    char     letter;
    unsigned shift;
} suffixes[] = { { 'G', 30 }, { 'M', 20 }, { 'K', 10 } };

static bool
parse_u64(const char *text, bool is_bytes, uint64_t *out)
{
    char    *end;
    uint64_t value;

    if (!isdigit((unsigned char)*text))
        return false;
    value = strtoull(text, &end, 10);
    if (value > (uint64_t)INT64_MAX)
        return false;
    for (size_t i = 0; is_bytes && i < countof(suffixes); i++) {
        if (toupper((unsigned char)*end) != suffixes[i].letter)
            continue;
        if (value > UINT64_MAX >> suffixes[i].shift)
            return false;
        value <<= suffixes[i].shift;
        end++;
        break;
    }
    *out = value;
    return *end == 0;
}

static void
print_u64(uint64_t value, bool is_bytes, struct buf *out)
{
    for (size_t i = 0; is_bytes && value != 0 && i < countof(suffixes); i++)
        if ((value & ((1ULL << suffixes[i].shift) - 1)) == 0) {
            buf_printf(out, "%" PRIu64 "%c", value >> suffixes[i].shift, suffixes[i].letter);
            return;
        }
    buf_printf(out, "%" PRIu64, value);
}

static bool
is_bytes(const struct conf_setting *s)
{
    return strcmp(s->unit, "bytes") == 0;
}

static void
store_int(const struct conf_setting *s, uint64_t value, struct conf *conf)
{
    char    *field = (char *)conf + s->offset;
    uint32_t narrow = (uint32_t)value;

    if (s->size == sizeof(uint32_t))
        memcpy(field, &narrow, sizeof(narrow));
    else
        memcpy(field, &value, sizeof(value));
}

static uint64_t
load_int(const struct conf_setting *s, const struct conf *conf)
{
    const char *field = (const char *)conf + s->offset;
    uint32_t    narrow;
    uint64_t    wide;

    if (s->size == sizeof(uint32_t)) {
        memcpy(&narrow, field, sizeof(narrow));
        return narrow;
    }
    memcpy(&wide, field, sizeof(wide));
    return wide;
}

/* --- one of several words ---------------------------------------------- */

/* The n-th of the words in "a|b|c"; empty when there are not so many. */
static struct span
choice(const char *choices, unsigned n)
{
    while (n > 0 && *choices != 0)
        n -= *choices++ == '|';
    return (struct span){ (const uint8_t *)choices, strcspn(choices, "|") };
}

static bool
parse_enum(const struct conf_setting *s, const char *text, struct conf *conf)
{
    for (unsigned i = 0; choice(s->choices, i).len != 0; i++)
        if (span_equal(choice(s->choices, i), span_of(text))) {
            store_int(s, i, conf);
            return true;
        }
    return false;
}

/* --- strings ------------------------------------------------------------ */

static bool
made_of(const char *text, const char *more)
{
    for (; *text != 0; text++)
        if (!islower((unsigned char)*text) && !isdigit((unsigned char)*text) &&
            strchr(more, *text) == NULL)
            return false;
    return true;
}

static bool
printable(const char *text)
{
    while (*text >= ' ' && *text <= '~')
        text++;
    return *text == 0;
}

static bool
parse_string(const struct conf_setting *s, const char *text, struct conf *conf)
{
    struct sockaddr_storage addr;
    socklen_t               len;
    bool                    ok = strlen(text) < s->size && printable(text);

    if (*text == 0)
        ok = s->min == 0;
    else if (s->type == CONF_NAME)
        ok = ok && made_of(text, "_-");
    else if (s->type == CONF_PATH)
        ok = ok && *text == '/';
    else if (s->type == CONF_ADDRESS)
        ok = ok && conf_sockaddr(text, &addr, &len);
    else if (s->type == CONF_NETWORKS)
        ok = ok && conf_networks_ok(text);
    if (ok) {
        memset((char *)conf + s->offset, 0, s->size);
        memcpy((char *)conf + s->offset, text, strlen(text));
    }
    return ok;
}

/* --- any ------------------------------------------------------------------ */

static bool
parse(const struct conf_setting *s, const char *text, struct conf *conf)
{
    uint64_t value;
    bool     yes;

    switch (s->type) {
    case CONF_BOOL:
        yes = strcmp(text, "true") == 0;
        if (!yes && strcmp(text, "false") != 0)
            return false;
        memcpy((char *)conf + s->offset, &yes, sizeof(yes));
        return true;
    case CONF_INT:
        if (!parse_u64(text, is_bytes(s), &value) || value < s->min || value > s->max)
            return false;
        store_int(s, value, conf);
        return true;
    case CONF_ENUM:
        return parse_enum(s, text, conf);
    case CONF_NAME:
    case CONF_TEXT:
    case CONF_PATH:
    case CONF_ADDRESS:
    case CONF_NETWORKS:
        return parse_string(s, text, conf);
    }
    return false;
}

bool
conf_parse(const struct conf_setting *s, const char *text, struct conf *conf, struct err *err)
{
    struct buf allowed = { 0 };

    if (parse(s, text, conf))
        return true;
    conf_allowed(s, &allowed);
    err_set(err, "'%.100s' is not %s", text, buf_cstr(&allowed));
    buf_fini(&allowed);
    return false;
}

void
conf_print(const struct conf_setting *s, const struct conf *conf, struct buf *out)
{
    const char *field = (const char *)conf + s->offset;
    bool        yes;

    switch (s->type) {
    case CONF_BOOL:
        memcpy(&yes, field, sizeof(yes));
        buf_append_text(out, yes ? "true" : "false");
        break;
    case CONF_INT:
        print_u64(load_int(s, conf), is_bytes(s), out);
        break;
    case CONF_ENUM:
        buf_append_span(out, choice(s->choices, (unsigned)load_int(s, conf)));
        break;
    case CONF_NAME:
    case CONF_TEXT:
    case CONF_PATH:
    case CONF_ADDRESS:
    case CONF_NETWORKS:
        buf_append_text(out, field);
        break;
    }
}

static void
allowed_int(const struct conf_setting *s, struct buf *out)
{
    buf_append_text(out, "an integer from ");
    print_u64(s->min, is_bytes(s), out);
    buf_append_text(out, " to ");
    print_u64(s->max, is_bytes(s), out);
    if (*s->unit != 0)
        buf_printf(out, " (%s)", s->unit);
}

static void
allowed_enum(const struct conf_setting *s, struct buf *out)
{
    for (unsigned i = 0; choice(s->choices, i).len != 0; i++) {
        struct span word = choice(s->choices, i);
        bool        last = choice(s->choices, i + 1).len == 0;
        buf_printf(out, "%s\"%.*s\"", i == 0 ? "" : last ? " or " : ", ", (int)word.len,
                   (const char *)word.ptr);
    }
}

void
conf_allowed(const struct conf_setting *s, struct buf *out)
{
    switch (s->type) {
    case CONF_BOOL:
        buf_append_text(out, "true or false");
        return;
    case CONF_INT:
        allowed_int(s, out);
        return;
    case CONF_ENUM:
        allowed_enum(s, out);
        return;
    case CONF_NAME:
        buf_append_text(out, "a name of letters a-z, digits, _ and -");
        break;
    case CONF_TEXT:
        buf_append_text(out, "a text of printable ASCII characters");
        break;
    case CONF_PATH:
        buf_append_text(out, "an absolute path");
        break;
    case CONF_ADDRESS:
        buf_append_text(out, "an address like \"127.0.0.1:7306\", \"[::1]:7306\" or \"/a/socket\"");
        break;
    case CONF_NETWORKS:
        buf_append_text(out, "a list like \"10.0.0.0/8, fd00::/8, 192.0.2.7, localhost\"");
        break;
    }
    buf_printf(out, " of at most %zu bytes%s", s->size - 1, s->min == 0 ? ", or \"\"" : "");
}
