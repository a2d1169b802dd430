/* local_files.c - template, datadir, my.cnf: what a private server is made of. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "ctl/catalog/model.h"
#include "ctl/catalog/user.h"
#include "ctl/provision/local_files.h"
#include "ctl/provision/provision_local.h"
#include "ctl/provision/spawn.h"

/* These shape the files, so they are the same for the template and its copies. */
#define DATA_FILE      "ibdata1:3M:autoextend"
#define DATA_INCREMENT "1"
#define LOG_FILE_SIZE  "16M"

/* Servers' ports come from here up to where those of outgoing connections begin. */
#define PORT_MIN   16384
#define PORT_TRIES 100

static int
bind_port(int port)
{
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    socklen_t          len  = sizeof(addr);
    int                fd   = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    int                rc   = -1;

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0 && listen(fd, 1) == 0 &&
        getsockname(fd, (struct sockaddr *)&addr, &len) == 0)
        rc = ntohs(addr.sin_port);
    close(fd);
    return rc;
}

bool
local_port_free(int port)
{
    return bind_port(port) > 0;
}

/* The ports from which the kernel takes those of outgoing connections start here. One of them
 * would be somebody's whenever a server is started again while there are many clients. */
static int
first_outgoing_port(void)
{
    FILE *in    = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
    int   first = 0;

    if (!in)
        return 0;
    if (fscanf(in, "%d", &first) != 1)
        first = 0;
    fclose(in);
    return first;
}

int
local_free_port(void)
{
    int      room = first_outgoing_port() - PORT_MIN;
    uint32_t dice;

    for (int i = 0; i < PORT_TRIES && room > 0; i++) {
        if (getrandom(&dice, sizeof(dice), 0) != (ssize_t)sizeof(dice))
            break;
        int port = PORT_MIN + (int)(dice % (uint32_t)room);

        if (local_port_free(port))
            return port;
    }
    return bind_port(0);
}

static bool
write_file(const char *path, struct buf *text, struct err *err)
{
    FILE *out = fopen(path, "we");
    bool  ok;

    if (!out)
        return err_set(err, "cannot write %s: %s", path, strerror(errno));
    fchmod(fileno(out), 0600);
    ok = fwrite(text->bytes + text->start, 1, buf_len(text), out) == buf_len(text);
    if (fclose(out) != 0 || !ok)
        return err_set(err, "cannot write %s: %s", path, strerror(errno));
    return true;
}

/* The defaults a user would notice (character set, packet size, creators of
 * triggers) are those of Debian's package, or more generous. */
static const char settings[] =
    "skip-name-resolve\n"
    "performance_schema=OFF\n"
    "character-set-server=utf8mb4\n"
    "collation-server=utf8mb4_general_ci\n"
    "max_allowed_packet=1G\n"
    "max_connections=4000\n"
    "local_infile=ON\n"
    "innodb_log_file_size=" LOG_FILE_SIZE "\n"
    "innodb_data_file_path=" DATA_FILE "\n"
    "innodb_autoextend_increment=" DATA_INCREMENT "\n"
    "innodb_use_native_aio=OFF\n"
    "key_buffer_size=64K\n"
    "loose-innodb_buffer_pool_dump_at_shutdown=OFF\n"
    "loose-innodb_buffer_pool_load_at_startup=OFF\n";

/* Small, but as durable as a server of one's own: DESIGN asks for nothing less. */
static const char shard_settings[] =
    "log_bin=binlog\n"
    "log_bin_trust_function_creators=ON\n"
    "binlog_format=ROW\n"
    "binlog_row_image=FULL\n"
    "binlog_expire_logs_seconds=86400\n"
    "max_binlog_size=256M\n"
    "relay_log=relay\n" /* a primary may be a replica one day, and is restarted then */
    "log_slave_updates=ON\n"
    "gtid_strict_mode=ON\n"
    "innodb_autoinc_lock_mode=2\n" /* else an INSERT waits for each LOAD DATA of a copy, and ends
                                      in deadlocks where that has split pages */
    "sync_binlog=1\n"
    "innodb_flush_log_at_trx_commit=1\n"
    "aria_pagecache_buffer_size=8M\n";

/* Until the controller says otherwise: what a client writes there is lost for its primary. */
static const char replica_settings[] =
    "read_only=ON\n"
    "slave_net_timeout=3\n"
    "rpl_semi_sync_slave_enabled=ON\n";

/* From its first commit on, also when it comes back after a crash. A week is for ever. */
static const char waiting_settings[] =
    "rpl_semi_sync_master_enabled=ON\n"
    "rpl_semi_sync_master_wait_point=AFTER_SYNC\n"
    "rpl_semi_sync_master_timeout=604800000\n";

/* All it has of its own are accounts, which the catalog knows as well. Its work are temporary
 * tables: MEMORY ones as large as a statement may want (its own limits stop it before), Aria
 * ones in a page cache of their own, sorting and joining with room. InnoDB stays, as small as
 * can be: sessions have its variables. */
static const char engine_settings[] =
    "skip-networking\n"
    "skip-log-bin\n"
    "innodb_fast_shutdown=2\n"
    "innodb_flush_log_at_trx_commit=0\n"
    "innodb_buffer_pool_size=8M\n"
    "innodb_log_buffer_size=2M\n"
    "innodb_temp_data_file_path=ibtmp1:3M:autoextend\n"
    "aria_pagecache_buffer_size=64M\n"
    "query_cache_size=0\n"
    "max_heap_table_size=4G\n"
    "tmp_memory_table_size=64M\n"
    "join_buffer_size=1M\n"
    "sort_buffer_size=2M\n"
    "bulk_insert_buffer_size=16M\n";

/* Runs before the server listens, at each start: the template's open accounts
 * never see a connection. */
static const char init[] =
    "SET sql_log_bin = 0;\n"
    "DELETE FROM mysql.global_priv WHERE User = '' OR (User = 'root' AND Host <> 'localhost');\n"
    "FLUSH PRIVILEGES;\n"
    "ALTER USER 'root'@'localhost' IDENTIFIED VIA unix_socket"
    " OR mysql_native_password USING PASSWORD('%s');\n";

/* Half of what it may use is the buffer pool's; without a limit it is small. The log can take a
 * quarter of that, so that writes need not wait for pages. */
static void
sizes(const json_t *shard, struct buf *out)
{
    long long pool = (long long)model_number(shard, "memory_bytes") >> 21, log = pool / 4;

    buf_printf(out, "innodb_buffer_pool_size=%lldM\n", pool ? pool : 64);
    if (log > 16)
        buf_printf(out, "innodb_log_file_size=%lldM\n", log < 4096 ? log : 4096);
}

static void
numbers(const json_t *shard, struct buf *out)
{
    buf_printf(out, "bind-address=%s\nport=%d\nserver_id=%lld\ngtid_domain_id=%lld\n",
               model_text(shard, "host"), (int)model_number(shard, "port"),
               (long long)model_server_id(shard), (long long)model_server_shard(shard));
    if (model_is_replica(shard))
        buf_append_text(out, replica_settings);
    else if (model_flag(shard, "semi_sync"))
        buf_append_text(out, waiting_settings);
    buf_append_text(out, shard_settings);
    sizes(shard, out);
}

void
local_shard_settings(const json_t *shard, struct buf *out)
{
    buf_append_text(out, settings);
    numbers(shard, out);
}

/* mariadbd does not run as root unless it is told that this is meant; a unit has a user. */
static bool
as_root(const json_t *shard)
{
    return geteuid() == 0 && strcmp(model_text(shard, "provisioner"), "systemd") != 0;
}

bool
local_write_settings(const json_t *shard, struct err *err)
{
    const char *directory = model_text(shard, "directory");
    struct buf  text      = { 0 };
    char        path[LOCAL_PATH_MAX + 16];
    bool        ok;

    buf_printf(&text, "[mariadbd]\ndatadir=%s/data\ntmpdir=%s/tmp\npid-file=%s/mariadbd.pid\n"
                      "init-file=%s/init.sql\n", directory, directory, directory, directory);
    buf_printf(&text, "socket=%s\n", model_text(shard, "socket"));
    buf_append_text(&text, as_root(shard) ? "user=root\n" : "");
    buf_append_text(&text, settings);
    if (model_is_engine(shard))
        buf_append_text(&text, engine_settings);
    else
        numbers(shard, &text);
    snprintf(path, sizeof(path), "%s/my.cnf", directory);
    ok = write_file(path, &text, err);
    buf_clear(&text);
    buf_printf(&text, init, model_text(shard, "secret"));
    snprintf(path, sizeof(path), "%s/init.sql", directory);
    ok = ok && write_file(path, &text, err);
    buf_fini(&text);
    return ok;
}

static bool
make_template(const char *home, struct err *err)
{
    char        done[LOCAL_PATH_MAX], making[LOCAL_PATH_MAX], datadir[LOCAL_PATH_MAX + 16];
    char        program[LOCAL_PATH_MAX], tmpdir[LOCAL_PATH_MAX + 16];
    const char *argv[] = { program, "--no-defaults", datadir, tmpdir, "--skip-test-db",
                           "--auth-root-authentication-method=normal",
                           "--innodb-data-file-path=" DATA_FILE,
                           "--innodb-autoextend-increment=" DATA_INCREMENT,
                           "--innodb-log-file-size=" LOG_FILE_SIZE,
                           geteuid() == 0 ? "--user=root" : NULL, NULL };

    snprintf(done, sizeof(done), "%s/template", home);
    if (access(done, F_OK) == 0)
        return true;
    if (!spawn_find("mariadb-install-db", program, sizeof(program)))
        return err_set(err, "mariadb-install-db is not installed; "
                            "install the package mariadb-server-core");
    /* Under another name until it is whole. */
    snprintf(making, sizeof(making), "%s/template.new", home);
    snprintf(datadir, sizeof(datadir), "--datadir=%s", making);
    /* A server that starts removes what looks like leftovers from its tmpdir: in /tmp that
     * would be the tables of others that are being installed. */
    snprintf(tmpdir, sizeof(tmpdir), "--tmpdir=%s", home);
    if (!spawn_remove_tree(making, err) || !spawn_mkdir(making, err) || !spawn_run(argv, err))
        return false;
    if (rename(making, done) != 0)
        return err_set(err, "cannot rename %s: %s", making, strerror(errno));
    return true;
}

/* A shard and an engine may be made at the same time: the second waits for the first's. */
bool
local_template(const char *home, struct err *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    bool                   ok;

    pthread_mutex_lock(&lock);
    ok = make_template(home, err);
    pthread_mutex_unlock(&lock);
    return ok;
}

static bool
copy_template(const char *home, const char *directory, struct err *err)
{
    char        program[LOCAL_PATH_MAX], from[LOCAL_PATH_MAX], to[LOCAL_PATH_MAX + 16];
    const char *argv[] = { program, "-a", from, to, NULL };

    if (!spawn_find("cp", program, sizeof(program)))
        return err_set(err, "the program cp is not there");
    snprintf(from, sizeof(from), "%s/template", home);
    snprintf(to, sizeof(to), "%s/data", directory);
    if (!spawn_run(argv, err))
        return false;
    snprintf(to, sizeof(to), "%s/tmp", directory);
    return spawn_mkdir(to, err);
}

bool
local_choose_port(json_t *shard, struct err *err)
{
    int port = local_free_port();

    json_object_set_new(shard, "port", json_integer(port));
    return port > 0 || err_set(err, "there is no free TCP port on 127.0.0.1");
}

bool
local_create_in(const char *home, const char *directory, const char *socket, json_t *shard,
                struct err *err)
{
    char secret[USER_SECRET_LEN + 1];
    bool engine = model_is_engine(shard);

    user_secret(secret);
    model_set(shard, "directory", directory);
    model_set(shard, "host", engine ? socket : "127.0.0.1");
    model_set(shard, "socket", socket);
    model_set(shard, "user", "root");
    model_set(shard, "secret", secret);
    json_object_set_new(shard, "port", json_integer(0));

    /* Left over from a controller that was killed before the catalog knew of it. */
    if (!spawn_remove_tree(directory, err))
        return false;
    return local_template(home, err) && spawn_mkdir(directory, err) &&
           copy_template(home, directory, err) && (engine || local_choose_port(shard, err)) &&
           local_write_settings(shard, err);
}

bool
local_create(const char *home, const char *run_dir, json_t *shard, struct err *err)
{
    char directory[LOCAL_PATH_MAX], socket[LOCAL_PATH_MAX + 32];
    const char *kind = model_server_kind(shard);
    int         id   = model_server_number(shard);

    snprintf(directory, sizeof(directory), "%s/%s-%d", home, kind, id);
    snprintf(socket, sizeof(socket), "%s/%s-%d.sock", run_dir, kind, id);
    model_set(shard, "provisioner", "local");
    return local_create_in(home, directory, socket, shard, err);
}

bool
local_renew(const json_t *server, struct err *err)
{
    const char *directory = model_text(server, "directory");
    char        home[LOCAL_PATH_MAX];

    snprintf(home, sizeof(home), "%.*s", (int)(strrchr(directory, '/') - directory), directory);
    return spawn_remove_tree(directory, err) && local_template(home, err) &&
           spawn_mkdir(directory, err) && copy_template(home, directory, err);
}

bool
local_destroy(const json_t *shard, struct err *err)
{
    return spawn_remove_tree(model_text(shard, "directory"), err);
}
