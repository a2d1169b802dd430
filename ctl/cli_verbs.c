/* cli_verbs.c - the tables of verbs and options. */
#include "ctl/cli.h"
#include "ctl/verbs.h"

#define PROVISION     "provisioner docker-socket docker-image docker-network docker-volumes " \
                      "discover"
#define API           "api-listen api-cert api-key api-plain api-group api-role log-format " \
                      "log-level "
#define SERVE_OPTIONS "shards instance " API PROVISION
#define USER_LIMITS   "max-connections connection-rate statement-timeout " \
                      "transaction-timeout idle-timeout max-rows max-bytes"
#define MOVE_OPTIONS  "to by " HOW_OPTIONS
#define HOW_OPTIONS   "dry-run wait throttle max-rate compress cutover window max-pause " \
                      "max-wait cut-transactions no-reverse no-verify verify-on"
#define UP_OPTIONS    "shards replicas no-engine port http-port workers set detach " API PROVISION

const struct cli_verb cli_verbs[] = {
    { "up", "", UP_OPTIONS, verb_up, "Start an embedded cluster: servers, controller, shardd",
      "It runs until Ctrl-C, SIGTERM or 'shardctl down'; started again it goes on with the\n"
      "same data. The first start makes the shards, an engine, a database app and a user app\n"
      "with the password app. Ports, workers, settings, the ways to the API and the log's format\n"
      "are remembered." },
    { "down", "", "", verb_down, "Stop the cluster of this home, orderly", "" },
    { "status", "", "", verb_status, "Show what runs, and what is wrong", "" },
    { "serve", "", SERVE_OPTIONS, verb_serve, "Run the controller as a service",
      "shardd runs as a service of its own (shardd.service) and finds the routes by the\n"
      "instance's name. 'shardctl shard add' makes or adopts the servers." },
    { "database create", "NAME", "policy home-shard collation", verb_database_create,
      "Make a database on every shard", "" },
    { "database list", "", "", verb_database_list, "List the databases", "" },
    { "database show", "NAME", "", verb_database_show, "Show one database and its tables", "" },
    { "database set", "NAME", "consistency", verb_database_set,
      "Say which reads of a database replicas may answer",
      "A user's own setting, a session's and a statement's come before it." },
    { "database drop", "NAME", "", verb_database_drop, "Drop a database and all its tables", "" },
    { "table list", "[DATABASE]", "", verb_table_list,
      "List tables: how each is spread, and why", "" },
    { "table show", "DB.TABLE", "", verb_table_show, "Show one table and its columns", "" },
    { "table set", "DB.TABLE", "kind key reference global with " HOW_OPTIONS, verb_table_set,
      "Choose how a table is spread",
      "An empty table becomes it at once. The rows of another one are moved while applications go\n"
      "on, as by 'reshard split': copied, followed, compared, switched at once; 'reshard reverse'\n"
      "switches back until 'reshard complete'. No view, routine, trigger or event may use it.\n"
      "Tables that foreign keys tie together change together, --with each other. In\n"
      "SQL the same is said of a new table by its comment: COMMENT 'shardd: key(COLUMN)',\n"
      "'shardd: reference' or 'shardd: global'." },
    { "table reshard", "DB.TABLE", "key with " HOW_OPTIONS, verb_table_reshard,
      "Give a sharded table another key",
      "As 'table set --key': each UNIQUE key, the primary key included, must have the column." },
    { "table lookup", "add|drop DB.TABLE COLUMN", "", verb_table_lookup,
      "Keep a column of a sharded table unique over all shards",
      "Writes tell the lookup in their own transaction, reads by the column go to one shard.\n"
      "Applications go on while the rows that are there are added. In SQL the same is said of a\n"
      "new table by its comment: COMMENT 'shardd: lookup(COLUMN)'." },
    { "shard list", "", "", verb_shard_list, "List the shards and their servers", "" },
    { "shard show", "NAME", "", verb_shard_show, "Show one shard, and the server it runs on", "" },
    { "shard add", "", "name provisioner cpus memory static adopt user password tls tls-ca",
      verb_shard_add,
      "Make one more shard, or adopt a server",
      "Without --adopt and --static a server of our own is made by the provisioner. It gets the\n"
      "schemas, the accounts and the reference tables, and owns no ranges of the key space: no\n"
      "rows of sharded tables come to it yet ('reshard rebalance' brings some). --static does the\n"
      "same with a server that exists and has no tables. With --adopt an existing MariaDB\n"
      "server is taken over with its data: its databases appear with all tables global, its\n"
      "accounts with mysql_native_password or ed25519 become users with the same password and\n"
      "rights; nothing on it is rewritten." },
    { "shard remove", "NAME", "dry-run", verb_shard_remove,
      "Remove a shard that owns no ranges and is no database's home",
      "Its replicas go with it. A server of our own is stopped and its data removed (docker: the\n"
      "volume of a primary is kept, see --docker-volumes of 'shardctl serve'); another is left\n"
      "alone. --dry-run says what would go." },
    { "shard set", "NAME", "state name agent semi-sync failover reseed", verb_shard_set,
      "Change a shard's state or name, or say where its machine's metrics are",
      "With --semi-sync on a commit is answered when a replica has it as well, where there is\n"
      "one: then a primary that dies is replaced without loss, by itself unless --failover\n"
      "manual was said. Without a replica that answers, writes wait for one: take it out with\n"
      "'replica remove'. With --reseed auto a server of ours that was replaced, or a replica that\n"
      "an error keeps from following, is made anew by itself ('server reseed')." },
    { "failovers", "", "", verb_failovers, "List the changes of primaries, newest first", "" },
    { "failover", "SHARD", "to to-replica dry-run cut-transactions force", verb_failover,
      "Have a replica take the place of a shard's server",
      "Statements wait meanwhile, and none fails; the server before becomes a replica. Sessions\n"
      "with temporary tables or locks by name there lose them with their connection. Where the\n"
      "server does not answer it is replaced only when commits wait for replicas (shard set\n"
      "--semi-sync on), and is not used again: 'server reseed' makes another one in its place.\n"
      "With --force it is replaced all the same, and replicas that do not answer are left out:\n"
      "what was committed there and had not got to a replica is lost." },
    { "shard restart", "SHARD", "dry-run", verb_shard_restart,
      "Restart all servers of a shard, one by one",
      "Replicas first, each without statements of its own meanwhile; then a replica takes the\n"
      "primary's place, and that one is restarted. No statement fails." },
    { "shard drain", "SHARD", MOVE_OPTIONS, verb_shard_drain,
      "Move all rows of a shard to the others, and remove it",
      "As 'reshard merge', but to all others that are up, or those that --to names. The shard is\n"
      "removed when the move is complete, with its replicas. Databases that are at home there get\n"
      "another home, the first of those, with their global tables, views and sequences;\n"
      "triggers, events, and procedures and functions that do more than compute or read do not\n"
      "move, and have to be dropped before." },
    { "shard release", "SHARD", "forget", verb_shard_release,
      "Let the last server work without shardd",
      "An adopted server that all others have been drained to: its tables become global, so that\n"
      "it numbers rows by itself, and each user may log in there as by shardd. Both ways are good\n"
      "then. With --forget, when no application comes by shardd any more, the catalog forgets the\n"
      "server, and the schemas and accounts that shardd made on it go." },
    { "range list", "", "", verb_range_list, "List which shard owns which part of the keys", "" },
    { "reshard split", "SHARD", "into at " MOVE_OPTIONS, verb_reshard_split,
      "Give parts of a shard's rows to other shards",
      "It keeps one part; each shard that --to names gets another, and shards are made for those\n"
      "that lack. Rows are copied and followed while applications go on, compared, and then\n"
      "switched at once; statements that would meet the switch wait for milliseconds. Until\n"
      "'reshard complete' the old copies are kept current, and 'reshard reverse' switches back." },
    { "reshard merge", "SHARD...", MOVE_OPTIONS, verb_reshard_merge,
      "Bring the rows of several shards together",
      "All go to the first, or to the one that --to names. The others stay, without rows of\n"
      "sharded tables: 'shard remove' removes them, 'shard drain' does both." },
    { "reshard move", "RANGE...", MOVE_OPTIONS, verb_reshard_move, "Give ranges to a shard",
      "A range is FIRST-LAST, or FIRST of one that there is: as 'range list' has them." },
    { "reshard rebalance", "[SHARD...]", MOVE_OPTIONS, verb_reshard_rebalance,
      "Even out the shards, moving no more than must be",
      "All that are up, or those named. Say --dry-run to see the plan." },
    { "reshard verify", "[JOB]", "wait", verb_reshard_verify,
      "Compare all copied rows with their sources once more", "" },
    { "reshard cutover", "[JOB]", "wait", verb_reshard_cutover,
      "Switch the rows to their new shards now", "For a move that was begun with --cutover manual, "
      "or that waits for its next try." },
    { "reshard reverse", "[JOB]", "wait", verb_reshard_reverse,
      "Switch back, without loss",
      "As soon as the old copies are current; 'job show' says what it waits for. When there is no\n"
      "way back, because they could not be kept or differ, it says so and ends with 1." },
    { "reshard complete", "[JOB]", "wait cut-transactions", verb_reshard_complete,
      "Remove the old copies; then there is no way back",
      "Transactions that are older than the switch may still see the old rows: it waits for their\n"
      "end, and 'job show' says which is the oldest. --cut-transactions ends them now." },
    { "job list", "", "", verb_job_list, "List the jobs, newest first", "" },
    { "job show", "JOB", "", verb_job_show, "Show one job", "" },
    { "job watch", "[JOB]", "", verb_job_watch, "See a move at work, until it ends",
      "Ctrl-C ends the looking, not the job. One line per change when the output is no\n"
      "terminal." },
    { "job pause", "[JOB]", "", verb_job_pause, "Let a move rest", "" },
    { "job resume", "[JOB]", "", verb_job_resume, "Let it go on", "" },
    { "job cancel", "[JOB]", "wait", verb_job_cancel, "Give a move up: all is as before", "" },
    { "job throttle", "LIMITS [JOB]", "", verb_job_throttle, "Say how fast a move may be",
      "LIMITS is auto, off, or some of these with commas between them: rows=N per second,\n"
      "copied or removed (a number alone is the same), bytes=N per second, and what makes the\n"
      "copy slow down by itself: running=N statements of applications at once on a server (4),\n"
      "or statements that take slower=PERCENT of what they took without the copy (125);\n"
      "floor=PERCENT of its best rate is what it keeps (29)." },
    { "scaler status", "", "", verb_scaler_status,
      "Show what the scaler sees, and its settings", "" },
    { "scaler mode", "off|advise|auto", "", verb_scaler_mode,
      "Let it do nothing, say what it would do, or do it",
      "In mode advise decisions are recorded and people act: see 'scaler decisions'." },
    { "scaler set", "NAME=VALUE...", "", verb_scaler_set,
      "Change limits, cooldown, budget, quiet hours",
      "All or none of them; they hold from the next look on, and are kept. 'scaler status' lists\n"
      "them. Quiet hours are local time: quiet=22:00-06:00." },
    { "scaler decisions", "", "limit", verb_scaler_decisions,
      "List what it decided, newest first",
      "What may not be done now is listed with what holds it back." },
    { "scaler explain", "ID", "", verb_scaler_explain,
      "Show a decision and what it was made from",
      "It is made once more, from the measurements and settings that were recorded with it." },
    { "scaler resume", "", "", verb_scaler_resume, "Let it go on after failures", "" },
    { "scaler simulate", "",
      "trace generate trace-shards hours every mean speed write decisions set",
      verb_scaler_simulate,
      "What would it have done with a load",
      "A trace is text. Its first line names the columns, of which time (in seconds) and shard\n"
      "must be there; the others may be statements (per second), cpu, memory, storage (0 to 1),\n"
      "connections, latency (the 95th percentile in seconds), bytes, and key (the part of the\n"
      "statements that is about one key). Each further line is one shard at one time:\n"
      "    time shard statements cpu latency\n"
      "    1700000000 shard-1 9500 0.71 0.012\n"
      "    1700000000 shard-2 300 - 0.002\n"
      "Values are separated by spaces, tabs or commas, '-' is not known, # begins a comment.\n"
      "'scaler trace' writes what was measured here like that. Settings are those of the cluster\n"
      "when its controller runs, and --set NAME=VALUE changes them for this run." },
    { "scaler trace", "", "by-hours", verb_scaler_trace,
      "Write what was measured, for 'scaler simulate'",
      "The last six hours by minutes, or the last five weeks by hours." },
    { "replica list", "", "", verb_replica_list,
      "List the replicas of shards, and how far they are", "" },
    { "replica add", "SHARD",
      "name provisioner address user password tls tls-ca weight zone agent cpus memory max-rate "
      "no-compress",
      verb_replica_add, "Make a replica of a shard, or use a server that replicates it",
      "It is a copy of the shard's server, made by mariadb-backup while applications go on, and\n"
      "serves when it has caught up. The files come as a stream, in LZ4 unless --no-compress is\n"
      "said. Without --provisioner it is made as the shard's server was. With --provisioner\n"
      "static it is a server that replicates the shard's already: with GTIDs, log_bin,\n"
      "log_slave_updates, binlog_format=ROW and read_only; that what is written on the shard\n"
      "arrives there is tried." },
    { "replica set", "NAME", "weight zone agent", verb_replica_set,
      "Change a replica's weight or zone, or say where its machine's metrics are", "" },
    { "replica remove", "NAME", "", verb_replica_remove, "Do without a replica",
      "A server of our own is stopped and its data removed; another is left alone, and goes on\n"
      "replicating." },
    { "server enable", "REPLICA", "", verb_server_enable, "Send reads to a replica again", "" },
    { "server drain", "REPLICA", "", verb_server_drain,
      "Send no new work to a replica, and let it end what it has", "" },
    { "server disable", "REPLICA", "", verb_server_disable, "Send nothing to a replica", "" },
    { "server reseed", "REPLICA", "", verb_server_reseed,
      "Make another server in the place of a replica's",
      "For one that was replaced as a primary, or cannot follow any more. It is removed, with its\n"
      "data, when the new one serves." },
    { "engine list", "", "", verb_engine_list, "List the servers that run what shards cannot", "" },
    { "engine add", "", "name adopt user password tls tls-ca", verb_engine_add,
      "Make one more engine, or use a server as one",
      "An engine keeps no rows: it gets copies of those that a statement needs, for as long as\n"
      "the statement runs. With --adopt an existing MariaDB server is used, which must have no\n"
      "tables of its own; databases and accounts of the cluster are made on it." },
    { "engine remove", "NAME", "", verb_engine_remove, "Do without an engine",
      "A server of our own is stopped and removed; another keeps what was not made by shardd.\n"
      "Statements that need an engine are refused when there is none." },
    { "user add", "NAME", "password password-stdin plugin admin grant no-rights " USER_LIMITS,
      verb_user_add,
      "Let somebody in", "The account is made on every shard with a random secret that only\n"
      "shardd knows. It may do everything in every database of the catalog, or what --grant\n"
      "says, or with --no-rights nothing until an administrator GRANTs something by SQL." },
    { "user list", "", "", verb_user_list, "List the users", "" },
    { "user show", "NAME", "", verb_user_show, "Show one user and its limits", "" },
    { "user set", "NAME", "commit consistency lock unlock " USER_LIMITS, verb_user_set,
      "Change a user's defaults and limits",
      "They hold for connections made from then on, those to /v1/query included. Connections\n"
      "are counted over all workers. A session may set max_statement_time and wait_timeout\n"
      "to less, and what shardd.conf says for everybody holds where a user has no limit." },
    { "user passwd", "NAME", "password password-stdin plugin retain discard-old",
      verb_user_passwd, "Change a password",
      "Say --password '' for an empty one. With --retain the one before\n"
      "stays good as well, so that applications can change over one by one; --discard-old ends\n"
      "that." },
    { "user token", "NAME", "revoke", verb_user_token,
      "Make a token for statements by HTTP",
      "It is shown once, and takes the place of the one before: POST /v1/query with the header\n"
      "Authorization: Bearer TOKEN." },
    { "user remove", "NAME", "", verb_user_remove, "Let somebody in no more", "" },
    { "token issue", "NAME", "role expires", verb_token_issue,
      "Make a token for the REST API", "It is shown once. NAME says whose it is, in the audit." },
    { "token list", "", "", verb_token_list, "List the tokens of the REST API", "" },
    { "token revoke", "ID", "", verb_token_revoke, "A token is good no more",
      "ID is the first column of 'token list', or the \"jti\" of a token that somebody else has\n"
      "issued." },
    { "token keys", "", "", verb_token_keys, "List the keys that tokens are signed by", "" },
    { "token rotate", "", "alg", verb_token_rotate, "Sign new tokens with a new key",
      "Tokens signed by the key before stay good until they expire, or 'token distrust' ends\n"
      "them." },
    { "token trust", "FILE", "kid alg audience", verb_token_trust,
      "Take tokens that somebody else signs", "FILE has the public key in PEM. Tokens name it by "
      "\"kid\", and have\n\"sub\", \"exp\", \"aud\" and \"role\" (viewer, operator, admin)." },
    { "token distrust", "KID", "", verb_token_distrust,
      "Take no tokens any more that a key has signed", "" },
    { "txn list", "", "", verb_txn_list, "List the transactions that are prepared on shards",
      "Those of workers that live end in milliseconds; the others are in doubt, and the\n"
      "controller ends them by their decision as soon as the shard that has it answers." },
    { "txn show", "TRANSACTION", "", verb_txn_show, "Show one of them", "" },
    { "txn resolve", "TRANSACTION", "force", verb_txn_resolve, "End one of them now",
      "By its decision; where there is none yet it is rolled back for good. When the shard that\n"
      "has the decision is lost for ever, --force chooses: that may leave half of the\n"
      "transaction, so compare with what is known of that shard." },
    { "fsck", "[DATABASE]", "repair yes", verb_fsck, "Check that every row is where it belongs",
      "It reads only, and works while applications run. Every row of a sharded table must lie\n"
      "on the shard that owns its key, the copies of reference tables must be equal, tables must\n"
      "be there where the catalog says, routines that every shard has must be alike, no\n"
      "transaction may be in doubt and no job stuck, and replicas must follow.\n"
      "The exit status is 1 when anything is wrong." },
    { "recover", "", "force yes", verb_recover, "Have an old copy of a home learn what it missed",
      "A controller that starts from a copy of a home stands by when servers were worked on by\n"
      "one that knew more: it publishes no routes, moves nothing and replaces no primary. Where\n"
      "a newer home is not to be had, the servers are asked who their primaries are; the plan\n"
      "is shown first. When tables or the places of rows have changed since the copy was made\n"
      "nothing is done. With --force also where a server that may know more does not answer." },
    { "explain", "SQL", "database", verb_explain, "Where would a statement go, and why", "" },
    { "top", "", "once", verb_top, "Statements per second and latency, live",
      "Refreshed every second until Ctrl-C; once when the output is no terminal." },
    { "load keys", "", "", verb_load_keys, "Show where the heat is: keys, ranges",
      "Statements per second whose key is given, lately: of the keys that come most often (at\n"
      "least so many; a key that is one of thousands does not show), and of each range." },
    { "load set", "", "interval metrics", verb_load_set,
      "Say how often the load is measured, and where metrics are", "They are remembered." },
    { "load history", "SERVER", "since grain", verb_load_history,
      "Show the load of one shard or replica over time",
      "Kept are the last 64 measurements, 6 hours of minutes and 35 days of hours." },
    { "load", "", "watch", verb_load, "Show what each shard has to do, and what it has left",
      "As last measured; '-' is what was not. p50 and p99 are of statements on its primary;\n"
      "replicas have a table of their own." },
    { "statements", "", "order limit", verb_statements,
      "Show which statements take the most time",
      "Of the last 10 to 20 minutes, as workers saw them: from the client's command to the end of\n"
      "the answer. Values are left out of the texts." },
    { "audit show", "", "limit before", verb_audit_show,
      "Show who changed what, and who asked for what", "Times are UTC." },
    { "audit verify", "[FILE...]", "expect", verb_audit_verify,
      "Check that the audit log is whole and as it was written",
      "Each line has the hash (SHA-256) of its own words and of the line before. The controller\n"
      "knows the last line and the first that is kept, so lines that were changed, removed, put\n"
      "elsewhere or cut off at either end are found. FILEs are checked without a controller:\n"
      "copies of HOME/audit/*.jsonl in order. A head that was printed earlier and noted\n"
      "elsewhere proves, with --expect, that nobody has written a whole new chain. The exit\n"
      "status is 1 when anything is wrong." },
    { "version", "", "", verb_version, "Print the version", "" },
};

const size_t cli_n_verbs = countof(cli_verbs);

const struct cli_option cli_options[] = {
    { "home", "DIR", "the cluster's folder" },
    { "json", NULL, "print the answer as JSON" },
    { "help", NULL, "print this" },
    { "shards", "N", "shards made at the first start (up: 2, serve: 0)" },
    { "replicas", "N", "replicas of each shard, made at the first start (0)" },
    { "repair", NULL, "remove what is provably of no use, after showing it" },
    { "yes", NULL, "do not ask" },
    { "no-engine", NULL, "none is made at the first start; see shardctl engine add" },
    { "port", "PORT", "where applications connect, on 127.0.0.1 (7306)" },
    { "http-port", "PORT", "where metrics are, on 127.0.0.1 (7380)" },
    { "workers", "N", "processes of shardd; 0: one per CPU (0)" },
    { "set", "'NAME = VALUE'", "up: a setting of shardd.conf(5), in place of all before, '' for "
      "none; scaler simulate: one of its own" },
    { "detach", NULL, "return when it is ready, and leave it running" },
    { "instance", "NAME", "as in shardd.conf(5); for a new home (default)" },
    { "log-format", "auto|text|json|journal", "how the controller's log looks; auto: as the "
      "journal wants it where that is listening, text on a terminal, else JSON (auto)" },
    { "log-level", "error|warn|info|debug", "how much it says; debug: each request (info)" },
    { "api-listen", "HOST:PORT", "serve the REST API on TCP as well, with tokens; all --api "
      "options are remembered together, and '' for none" },
    { "api-cert", "FILE", "its certificate, and those that vouch for it (PEM)" },
    { "api-key", "FILE", "the certificate's key (PEM)" },
    { "api-plain", NULL, "without TLS; on a loopback address only" },
    { "api-group", "GROUP", "whose members may use the controller's socket" },
    { "api-role", "viewer|operator|admin", "and as what (viewer)" },
    { "role", "viewer|operator|admin", "viewer looks, operator moves rows and changes tables, "
      "admin may do all" },
    { "expires", "TIME", "how long it is good: 90s, 30m, 12h, 30d (30d)" },
    { "alg", "HS256|RS256|ES256", "how tokens are signed (rotate: HS256, trust: RS256)" },
    { "kid", "NAME", "the name by which tokens say that it is their key" },
    { "audience", "NAME", "what tokens must have as \"aud\" (shardd)" },
    { "policy", "auto|global", "how new tables are spread (auto)" },
    { "home-shard", "SHARD", "where the database's global tables lie" },
    { "collation", "NAME", "the database's default collation" },
    { "database", "NAME", "the current database of the statement (app)" },
    { "once", NULL, "print once and end" },
    { "watch", NULL, "print again and again, until Ctrl-C" },
    { "interval", "SECONDS", "how often to measure, 1 to 600 (10)" },
    { "agent", "URL", "node-exporter on the machine of the server, as "
      "http://HOST:9100/metrics; '' for none: CPU, memory and disk of servers elsewhere" },
    { "metrics", "ADDRESS", "where the controller's /metrics is, as 127.0.0.1:7381; '' for on its "
      "socket only" },
    { "since", "TIME", "not what is older: 90s, 15m, 2h or 7d (10m)" },
    { "grain", "raw|minute|hour", "measurements, or one point per minute or hour (what there is "
      "for that time)" },
    { "name", "NAME", "the shard's or engine's name" },
    { "provisioner", "local|docker|systemd|static", "who makes the server of a shard (up, serve: "
      "for all that do not say; local)" },
    { "cpus", "N", "the server gets so many processors at most; 1.5 will do" },
    { "memory", "SIZE", "the server gets so many bytes (512M, 2G) at most, half of them for its "
      "buffer pool" },
    { "docker-socket", "PATH", "where the Docker daemon answers (/var/run/docker.sock)" },
    { "docker-image", "IMAGE", "MariaDB's official image, or one with its contract "
      "(mariadb:10.11)" },
    { "docker-network", "NAME", "host, or a network on which ports are published (host)" },
    { "discover", "on|off", "containers and units that say they are the cluster's become shards "
      "(on)" },
    { "docker-volumes", "keep|remove", "what becomes of a removed shard's data (keep)" },
    { "semi-sync", "on|off", "whether commits wait until a replica has them (off)" },
    { "failover", "auto|manual", "whether a primary that does not answer is replaced without being "
      "asked; with --semi-sync on (auto)" },
    { "to-replica", "REPLICA", "the same as --to" },
    { "reseed", "auto|manual", "whether a server that was replaced is made anew without being "
                               "asked (manual)" },
    { "no-compress", NULL, "the copy is not compressed on its way" },
    { "address", "HOST[:PORT]", "the server that replicates the shard" },
    { "weight", "N", "its part of the reads among replicas that are equally good, 1 to 100 (1)" },
    { "zone", "NAME", "where it is; '' for nowhere ('')" },
    { "consistency", "strong|causal|eventual|default", "strong: the primary answers reads; causal: "
      "also a replica that has what the session has written or seen; eventual: any replica "
      "(default: strong)" },
    { "static", "HOST[:PORT]", "a server without tables that becomes a shard" },
    { "adopt", "HOST[:PORT]", "the server to take over; an engine's may be /PATH of a socket" },
    { "user", "NAME", "an account that may do everything there (root)" },
    { "tls", NULL, "the controller uses TLS with the server (see also server_tls in "
      "shardd.conf(5)), whoever it is" },
    { "tls-ca", "FILE", "TLS, and the server's certificate must be signed by this CA and name "
      "its address" },
    { "state", "up|draining", "draining: no new work is sent there where another can do it" },
    { "into", "N", "how many parts, the one that stays included (2)" },
    { "at", "POSITION", "where a part begins, 16 hexadecimal digits; may be repeated" },
    { "to", "NAME", "the shard that gets the rows; may be repeated. failover: the replica that is "
                    "to be the primary (the first that is fit)" },
    { "by", "keys|rows|bytes|load", "what is to be even (keys)" },
    { "dry-run", NULL, "say what would move, and do nothing" },
    { "wait", NULL, "return when it is done: for a move when its rows have been switched" },
    { "throttle", "LIMITS", "auto, off, or rows per second at most; see shardctl(8) for more "
      "(auto: less while servers are busy)" },
    { "max-rate", "BYTES", "copy at most so much per second: 50MB/s; 0: no limit (0)" },
    { "compress", NULL, "compress what goes to and from servers that are reached by TCP" },
    { "window", "HH:MM-HH:MM", "switch only then by itself, UTC, or 'HH:MM-HH:MM local'; may be "
      "repeated" },
    { "cutover", "auto|manual", "when the rows are switched: as soon as they can be, or at "
      "'reshard cutover' (auto)" },
    { "max-pause", "MS", "statements wait no longer than so for a switch; else it is tried again "
      "later (200)" },
    { "max-wait", "SECONDS", "how long transactions that are older than the switch may hold up the "
      "removal of old copies; then they end with an error; 0: for ever (0)" },
    { "cut-transactions", NULL, "end transactions that are in a switch's way; applications see "
      "error 1213 and repeat them" },
    { "no-reverse", NULL, "remove the old copies as soon as the rows are switched" },
    { "no-verify", NULL, "do not compare the copies before the switch" },
    { "verify-on", "replicas|primary", "which servers rows are read from to be compared: replicas "
      "where there are some, or primaries only (replicas)" },
    { "kind", "sharded|reference|global", "the same as --key, --reference, --global" },
    { "key", "COLUMN", "rows lie where the hash of this column says" },
    { "with", "TABLE[:COLUMN]", "another table that changes together with it, sharded by its own "
      "column; may be repeated" },
    { "reference", NULL, "a full copy on every shard" },
    { "global", NULL, "whole, on the database's home shard" },
    { "password", "TEXT", "the password; others may see it in the process list" },
    { "password-stdin", NULL, "read the password from standard input, up to a line's end" },
    { "plugin", "NAME", "how the password is proven: mysql_native_password, caching_sha2_password "
      "or client_ed25519 (add: the first; passwd: as before)" },
    { "retain", NULL, "the password before stays good as well" },
    { "discard-old", NULL, "the password before is no longer good" },
    { "revoke", NULL, "no token is good any more" },
    { "admin", NULL, "may see and kill what others run, and manage users by SQL" },
    { "grant", "'RIGHTS ON OBJECT'", "has these rights only: 'SELECT, INSERT ON db.*'; may be "
      "repeated" },
    { "no-rights", NULL, "has no rights until some are granted" },
    { "lock", NULL, "nobody logs in as the user; who is connected stays" },
    { "unlock", NULL, "logins are possible again" },
    { "commit", "MODE", "transactions that write on several shards: atomic, best_effort, single "
      "or default (as in shardd.conf)" },
    { "forget", NULL, "the second step: nothing of shardd is left on it" },
    { "force", "[commit|rollback]", "what to do where the decision cannot be had; failover: also "
                                    "when commits may be lost; recover: without servers that "
                                    "do not answer" },
    { "limit", "N", "at most so many (20)" },
    { "before", "N", "only what is older than line N" },
    { "expect", "N:HASH", "a line that must be among them" },
    { "order", "time|mean|max|calls|errors", "what comes first (time)" },
    { "trace", "FILE", "the load, - for standard input" },
    { "generate", "SHAPE", "a made-up load: daily, weekly, growth, steps, flapping, noise, key or "
      "idle" },
    { "trace-shards", "N", "how many shards it is of (4)" },
    { "hours", "N", "how long (72)" },
    { "every", "SECONDS", "how far its measurements are apart (60)" },
    { "mean", "N", "about so many statements per second on each shard (8000)" },
    { "speed", "MB", "rows move at so many megabytes per second (50)" },
    { "write", "FILE", "write the load, and do not simulate" },
    { "decisions", NULL, "print all decisions too" },
    { "by-hours", NULL, "by hours, the last five weeks" },
    { "max-connections", "N", "at most so many at a time; 0: no limit (0)" },
    { "connection-rate", "N", "at most so many new ones per second; 0: no limit (0)" },
    { "statement-timeout", "SECONDS", "statements that take longer are ended; 0.25 will do; 0: as "
      "query_timeout_s says (0)" },
    { "transaction-timeout", "SECONDS", "connections whose transaction is open for longer are "
      "ended; 0: as transaction_timeout_s says (0)" },
    { "idle-timeout", "SECONDS", "connections that say nothing for so long are ended; 0: as "
      "client_idle_s says (0)" },
    { "max-rows", "N", "a read that answers with more rows is ended; 0: no limit (0)" },
    { "max-bytes", "N", "a read whose rows have more bytes (or 64K, 10M, 1G) is ended; 0: no "
      "limit (0)" },
};

const size_t cli_n_options = countof(cli_options);
