"""whatnow.py - what a cluster is at, for whoever reads of a test that waited in vain."""
import json
import re
import subprocess

import pymysql

LOG_LINES = 60
QUESTIONS = ["SELECT ID, USER, COMMAND, TIME_MS, STATE, LEFT(INFO, 200)"
             " FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID()", "XA RECOVER",
             "SELECT trx_id, trx_state, trx_started, trx_mysql_thread_id, trx_rows_locked,"
             " LEFT(trx_query, 200) FROM information_schema.INNODB_TRX",
             "SELECT * FROM information_schema.INNODB_LOCK_WAITS",
             "SELECT @@gtid_binlog_pos, @@gtid_slave_pos, @@read_only", "SHOW ALL SLAVES STATUS",
             "SHOW GLOBAL STATUS WHERE Variable_name LIKE 'rpl_semi%' AND Value <> '0'",
             "SELECT * FROM shardd_move.stream"]


def asked(cluster, *words):
    try:
        done = subprocess.run([str(cluster.shardctl), *words, "--home", str(cluster.home),
                               "--json"], capture_output=True, text=True, timeout=10,
                              stdin=subprocess.DEVNULL)
        return json.loads(done.stdout) if done.returncode == 0 else done.stderr.strip()
    except (subprocess.TimeoutExpired, ValueError) as error:
        return repr(error)


def jobs(cluster):
    """Those that go on, in full; the last one in any case."""
    found = asked(cluster, "job", "list")
    if not isinstance(found, dict):
        yield found
        return
    for i, job in enumerate(found["jobs"]):
        if i == 0 or job["state"] in ("running", "paused"):
            yield json.dumps(asked(cluster, "job", "show", str(job["number"])), indent=1)


def told(names, row):
    """What is empty is left out."""
    return ", ".join(f"{n}={v}" for n, v in zip(names, row) if v not in (None, "", "0", 0))


def answers(connect, questions):
    try:
        with connect() as connection, connection.cursor() as cursor:
            for sql in questions:
                yield f"- {sql}"
                try:
                    cursor.execute(sql)
                    names = [d[0] for d in cursor.description or ()]
                    yield from (told(names, row) for row in cursor.fetchall())
                except pymysql.err.MySQLError as error:
                    yield repr(error)
    except (pymysql.err.MySQLError, OSError) as error:
        yield repr(error)


def log_of(cluster, name):
    try:
        lines = (cluster.home / name).read_text(errors="replace").splitlines()
    except OSError as error:
        return [repr(error)]
    return [f"--- {name}", *(line[:600] for line in lines[-LOG_LINES:])]


def processes(cluster):
    return [f"master {cluster.master()}, workers {cluster.worker_pids()}, " +
            ("ready" if cluster.ready() else "not ready")]


def servers(cluster):
    """By what lies in the home: the controller may not answer."""
    for socket in sorted(cluster.home.glob("*.sock")):
        name = socket.name.removesuffix(".sock")
        if re.fullmatch(r"(shard|server|replica)-\d+", name):
            yield name, {"socket": str(socket), "directory": str(cluster.home / name)}


def report(cluster):
    limit = {"connect_timeout": 5, "read_timeout": 10}
    lines = [f"=== {cluster.home} ===", *jobs(cluster), "--- shardd", *processes(cluster)]
    lines += answers(lambda: cluster.connect(db=None, **limit),
                     ["SHOW SHARDD TRANSACTIONS", "SHOW SHARDD CLIENTS"])
    for name, server in servers(cluster):
        lines += [f"--- {name}",
                  *answers(lambda server=server: cluster.shard_connect(server, **limit), QUESTIONS)]
    return "\n".join([*lines, *log_of(cluster, "shardctl.log"), *log_of(cluster, "shardd.log")])
