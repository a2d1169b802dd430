"""gather.py - what gathering costs: rows a second from four shards into the engine and through
a join there, servers included; what it adds to a read of few rows; and a join of which one table
tells which rows of the other matter, with that and without."""
import os
import signal
import statistics
import sys
import tempfile
import time

import rawclient
import testbed

ROWS = 500_000
SMALL = 200  # statements

MATCHES = sum(1 for i in range(ROWS) if 1 <= i * 7919 % 1000003 <= 20)
JOIN = "SELECT COUNT(*) FROM narrow a JOIN few b ON a.k = b.k"
SMALL_JOIN = "SELECT a.id FROM few a JOIN few b ON a.k = b.id ORDER BY a.id"
LISTED_JOIN = "SELECT COUNT(*) FROM narrow a JOIN few b ON a.id = b.k WHERE b.id < 10"
SMALL_SCATTER = "SELECT id, k FROM few ORDER BY id"


def gather(setup, options):
    if not setup.cluster:
        return {}
    with tempfile.TemporaryDirectory(prefix="shardd-bench-") as folder:
        cluster = testbed.Cluster(f"{folder}/c4", shards=4, workers=1)
        try:
            return measure(cluster, options)
        finally:
            cluster.down()


def fill(c):
    c.query("CREATE TABLE narrow (id INT PRIMARY KEY, k INT)")
    c.query("CREATE TABLE few (id INT PRIMARY KEY, k INT)")
    for start in range(0, ROWS, 50_000):
        c.query("INSERT INTO narrow VALUES " + ",".join(
            f"({i},{i * 7919 % 1000003})" for i in range(start, start + 50_000)))
    c.query("INSERT INTO few VALUES " + ",".join(f"({i},{i + 1})" for i in range(20)))


def timed(c, sql):
    before = time.perf_counter()
    _, rows = c.query(sql)
    return time.perf_counter() - before, rows


def joined(cluster, c, values):
    """Milliseconds, and rows that came, with gather_join_values = values."""
    path = cluster.home / "shardd.conf"
    kept = [line for line in path.read_text().splitlines() if "gather_join_values" not in line]
    path.write_text("\n".join([*kept, f"gather_join_values = {values}", ""]))
    os.kill(cluster.master(), signal.SIGHUP)
    testbed.wait_for("the setting", lambda: settled(cluster, c, values))
    before = cluster.metric("shardd_gather_rows_total")
    ms = [timed(c, LISTED_JOIN)[0] * 1000 for _ in range(9)]
    return statistics.median(ms), (cluster.metric("shardd_gather_rows_total") - before) / len(ms)


def settled(cluster, c, values):
    before = cluster.metric("shardd_gather_rows_total")
    timed(c, LISTED_JOIN)
    return (cluster.metric("shardd_gather_rows_total") - before < ROWS) == (values > 0)


def measure(cluster, options):
    with rawclient.RawClient(cluster.port, timeout=300) as c:
        c.login(db="app")
        fill(c)
        worker, = cluster.worker_pids()
        memory = testbed.memory_kib(worker)
        rates, cpus = [], []
        for _ in range(options.rounds):
            cpu = testbed.cpu_seconds(worker)
            seconds, rows = timed(c, JOIN)
            if rawclient.text_row(rows[0]) != [b"%d" % MATCHES]:
                sys.exit(f"{JOIN}: {rows}")
            rates.append(ROWS / seconds)
            cpus.append(ROWS / max(testbed.cpu_seconds(worker) - cpu, 0.01))
        brought = cluster.metric("shardd_gather_rows_total")
        if brought < ROWS * options.rounds:
            sys.exit(f"{JOIN}: only {brought} rows were brought to the engine")
        growth = testbed.memory_kib(worker) - memory
        ms = {sql: statistics.median(timed(c, sql)[0] * 1000 for _ in range(SMALL))
              for sql in (SMALL_JOIN, SMALL_SCATTER)}
        listed = {values: joined(cluster, c, values) for values in (10000, 0)}
    return {
        "gather, join by a list of keys": {"shardd": {
            "ms": listed[10000][0], "rows": listed[10000][1],
            "ms_without": listed[0][0], "rows_without": listed[0][1]}},
        "gather, join of narrow rows": {"shardd": {
            "rows_per_s": statistics.median(rates), "rows_per_cpu_s": statistics.median(cpus),
            "growth_kib": growth}},
        "gather, few rows": {"shardd": {
            "p50_ms": ms[SMALL_JOIN], "added_ms": ms[SMALL_JOIN] - ms[SMALL_SCATTER]}},
    }
