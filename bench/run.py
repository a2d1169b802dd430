#!/usr/bin/python3
"""run.py - measure shardd against its peers, in one run, on one server.

    bench/run.py [--rounds N] [--seconds S] [--only NAME,...] [--without-shardd]

Peers: the server directly, and HAProxy in TCP mode. All are measured in turn within a round,
the order rotates from round to round, and medians over the rounds are compared. Like is
compared with like: both proxies reach one server by its port, and both reach another one,
set up the same, by its Unix socket, as `make run` has it. The servers are as durable as
there. Results go to build/bench/results.json, pictures beside it.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

import rawclient  # noqa: E402
import testbed  # noqa: E402
from certs import Certs  # noqa: E402
from gather import gather  # noqa: E402
from storm import storms  # noqa: E402

OUT = ROOT / "build" / "bench"
ROWS = 100_000
SCATTER_ROWS = 400_000


class Target:
    """Something to connect to, and the processes whose CPU time it costs."""

    def __init__(self, name, port, user, pids, db="app"):
        self.name, self.port, self.user, self.pids, self.db = name, port, user, pids, db

    def cpu(self):
        return sum(testbed.cpu_seconds(p) for p in self.pids())


class Haproxy:
    def __init__(self, folder, server, threads):
        self.port = testbed.free_port()
        conf = pathlib.Path(folder) / f"haproxy-{self.port}.cfg"
        conf.write_text(
            f"global\n  maxconn 9000\n  nbthread {threads}\n"
            "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1h\n"
            f"  timeout server 1h\nlisten mysql\n  bind 127.0.0.1:{self.port}\n"
            f"  server s {server}\n")
        # A session of its own, as the server and shardd have: the kernel shares the CPUs out
        # among sessions first, and one that sysbench is in would be favoured.
        self.process = subprocess.Popen(["haproxy", "-db", "-f", conf], start_new_session=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        testbed.wait_for("haproxy", self._listens)

    def _listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def stop(self):
        self.process.terminate()
        self.process.wait()


class PlainServer(testbed.Server):
    """The server that is reached by its port; a cluster adopts it."""

    def __init__(self, folder):
        super().__init__(folder, durable=True, settings="max_connections=12000\n")
        self.sql("CREATE DATABASE port")
        self.sql("CREATE USER bench@'%' IDENTIFIED BY 'app'")
        self.sql("GRANT ALL ON *.* TO bench@'%'")


class Setup:
    """Two servers, one for each way to reach it; HAProxy and shardd before both; on each
    the tables sbtest1 and thousand, in the databases `port` and `app`."""

    def __init__(self, folder, without_shardd):
        threads = os.cpu_count()
        self.cluster = None
        self.server = PlainServer(f"{folder}/server")
        self.proxies = [Haproxy(folder, f"127.0.0.1:{self.server.port}", threads)]
        self.direct = Target("direct", self.server.port, "bench", lambda: [], "port")
        self.targets = [self.direct, Target("haproxy", self.proxies[0].port, "bench",
                                            lambda: [self.proxies[0].process.pid], "port")]
        fill(self.direct)
        if without_shardd:
            return
        self.certs = Certs(f"{folder}/certs")
        for name, source in (("cacert.pem", "ca.pem"), ("client-cert.pem", "client.pem"),
                             ("client-key.pem", "client.key")):  # as sysbench wants them
            (self.certs.folder / source).rename(self.certs.folder / name)
        self.cluster = testbed.Cluster(
            f"{folder}/c", shards=1, workers=threads,
            settings=["--set", f'tls_cert = "{self.certs.cert}"',
                      "--set", f'tls_key = "{self.certs.key}"',
                      "--set", "http_query = true"])
        shard = self.cluster.shard_list()[0]
        # Another name: the adopted server's accounts become the cluster's.
        self.cluster.on_shard(shard, "CREATE USER past@'%' IDENTIFIED BY 'app'")
        self.cluster.on_shard(shard, "GRANT ALL ON *.* TO past@'%'")
        self.cluster.ctl("shard add", "--adopt", f"127.0.0.1:{self.server.port}", "--user", "app",
                         "--password", "app", "--name", "port")
        self.proxies.append(Haproxy(folder, f"unix@{shard['socket']}", threads))
        self.targets += [
            Target("shardd", self.cluster.port, "app", self.cluster.pids, "port"),
            Target("haproxy_unix", self.proxies[1].port, "past",
                   lambda: [self.proxies[1].process.pid]),
            Target("shardd_unix", self.cluster.port, "app", self.cluster.pids),
        ]
        fill(self.targets[-1])

    @staticmethod
    def sql(target, text):
        with rawclient.RawClient(target.port, timeout=300) as c:
            c.login(user=target.user, db=target.db)
            return c.query(text)

    def stop(self):
        for proxy in self.proxies:
            proxy.stop()
        if self.cluster:
            self.cluster.down()
        self.server.stop()


def fill(target):
    sysbench(target, "prepare", threads=1)
    Setup.sql(target, "CREATE TABLE thousand (id BIGINT PRIMARY KEY)")
    Setup.sql(target, "INSERT INTO thousand VALUES " + ",".join(f"({i})" for i in range(1000)))


def sysbench(target, command, *, threads, seconds=0, ps="disable", tls=None,
             script="oltp_point_select"):
    done = subprocess.run(
        ["sysbench", script, "--db-driver=mysql", "--mysql-host=127.0.0.1",
         f"--mysql-port={target.port}", f"--mysql-user={target.user}", "--mysql-password=app",
         f"--mysql-db={target.db}", f"--table-size={ROWS}", "--tables=1", f"--threads={threads}",
         f"--db-ps-mode={ps}", f"--time={seconds}", "--events=0", "--histogram=on",
         f"--mysql-ssl={'on' if tls else 'off'}", command], cwd=tls,
        capture_output=True, text=True, timeout=300 + 2 * seconds)
    if done.returncode != 0:
        sys.exit(f"sysbench {command} on {target.name}: {done.stdout}{done.stderr}")
    return done.stdout


def percentile(histogram, share):
    """Of lines "   0.123 |*****   456", in milliseconds."""
    points = [(float(ms), int(n)) for ms, n in
              re.findall(r"^\s*([\d.]+) \|\**\s+(\d+)$", histogram, flags=re.M)]
    wanted = share * sum(n for _, n in points)
    for ms, n in points:
        wanted -= n
        if wanted <= 0:
            return ms
    return float("nan")


def measure_sysbench(target, **how):
    cpu = target.cpu()
    out = sysbench(target, "run", **how)
    cpu = target.cpu() - cpu
    queries = int(re.search(r"total:\s+(\d+)", out).group(1))
    rate = float(re.search(r"queries:\s+\d+\s+\(([\d.]+) per sec", out).group(1))
    return {"rate": rate, "cpu_us": cpu / queries * 1e6, "p50_ms": percentile(out, 0.5),
            "p99_ms": percentile(out, 0.99), "p999_ms": percentile(out, 0.999)}


def measure_result(target, size_mb=1000):
    """Reads a result of `size_mb` MB as fast as it comes; the rate, and the growth in memory."""
    pids = target.pids()
    before = sum(testbed.memory_kib(p) for p in pids)
    cpu = target.cpu()
    total, peak, start = 0, before, time.monotonic()
    with rawclient.RawClient(target.port, timeout=60) as c:
        c.login(user=target.user, db=target.db)
        c.command(rawclient.QUERY, b"SELECT REPEAT('x', %d) FROM thousand" % (size_mb * 1000))
        view, wanted = memoryview(bytearray(1 << 20)), size_mb * 1_000_000
        while total < wanted:
            n = c.socket.recv_into(view)
            if n == 0:
                sys.exit(f"{target.name}: the result ended after {total} bytes")
            total += n
            if total % 64 == 0 and pids:
                peak = max(peak, sum(testbed.memory_kib(p) for p in pids))
    seconds = time.monotonic() - start
    return {"rate": total / 1e6 / seconds, "cpu_us": (target.cpu() - cpu) / total * 1e12,
            "growth_kib": peak - before}


# --- the measurements -----------------------------------------------------------------------


def in_turn(setup, rounds, measure, unix=True):
    """{target: {what: median}} over the rounds; the order of the targets rotates."""
    targets = [t for t in setup.targets if unix or not t.name.endswith("_unix")]
    seen = {t.name: [] for t in targets}
    for i in range(rounds):
        k = i % len(targets)
        for target in targets[k:] + targets[:k]:
            seen[target.name].append(measure(target))
    return {name: {what: statistics.median(r[what] for r in runs) for what in runs[0]}
            for name, runs in seen.items()}


def point_selects(setup, options):
    results = {}
    for ps, name in ("disable", "text"), ("auto", "prepared"):
        for threads in 1, 64:
            results[f"point select, {name}, {threads} clients"] = in_turn(
                setup, options.rounds, lambda t: measure_sysbench(
                    t, threads=threads, seconds=options.seconds, ps=ps))
    return results


def many_clients(setup, options):
    """More clients than a server likes; by its port only."""
    return {f"point select, text, {threads} clients": in_turn(
        setup, options.rounds, lambda t, n=threads: measure_sysbench(
            t, threads=n, seconds=options.seconds), unix=False)
            for threads in (256, 1000)}


def among_slow(setup, options):
    """Every 500th read looks at all rows, and nothing but a number in it tells so: what those
    wait that share a connection with one of them."""
    return {"quick reads among slow ones, 64 clients": in_turn(
        setup, options.rounds, lambda t: measure_sysbench(
            t, threads=64, seconds=options.seconds, script=ROOT / "bench" / "among.lua"))}


def variants(setup, options):
    """What TLS, SET NAMES and prepared statements change: the same statements through shardd
    with and without, in turn."""
    if not setup.cluster:
        return {}
    return {f"point select {name}, 64 clients": {"shardd": against_plain(setup, options, how)}
            for name, how in (("over TLS", {"tls": setup.certs.folder}),
                              ("after SET NAMES", {"script": ROOT / "bench" / "names.lua"}),
                              ("prepared and not", {"ps": "auto"}))}


def against_plain(setup, options, how):
    """The medians, and those of each pair's ratio."""
    plain, other = [], []
    for i in range(options.rounds):
        for runs, more in [(plain, {}), (other, how)][::1 - i % 2 * 2]:
            runs.append(measure_sysbench(setup.targets[-1], threads=64, seconds=options.seconds,
                                         **more))
    found = {what: statistics.median(r[what] for r in other) for what in other[0]}
    return found | {"times_" + short: statistics.median(
        b[what] / a[what] for a, b in zip(plain, other))
        for short, what in (("cpu", "cpu_us"), ("rate", "rate"))}


def spin(setup, options):
    """One client, through shardd as it is by default and through one whose workers look for new
    work for 50 us before they sleep; each reaches a server of its own kind by its socket."""
    if not setup.cluster:
        return {}
    with tempfile.TemporaryDirectory(prefix="shardd-bench-") as folder:
        cluster = testbed.Cluster(f"{folder}/spin", shards=1, workers=os.cpu_count(),
                                  settings=["--set", "spin_us = 50"])
        try:
            other = Target("spin", cluster.port, "app", cluster.pids)
            fill(other)
            runs = {t.name: [] for t in (setup.direct, setup.targets[-1], other)}
            for i in range(options.rounds):
                for t in (setup.direct, setup.targets[-1], other)[::1 - i % 2 * 2]:
                    runs[t.name].append(measure_sysbench(t, threads=1, seconds=options.seconds))
        finally:
            cluster.down()
    direct, without, with_spin = runs.values()
    row = {what: statistics.median(r[what] for r in with_spin) for what in with_spin[0]}
    for name, peers in (("times_rate", without), ("times_direct", direct)):
        row[name] = statistics.median(b["rate"] / a["rate"] for a, b in zip(peers, with_spin))
    row["times_cpu"] = statistics.median(b["cpu_us"] / a["cpu_us"]
                                         for a, b in zip(without, with_spin))
    return {"point select, 1 client, spin_us = 50": {"shardd": row}}


def connections(setup, options):
    def measure(target):
        out = subprocess.run(
            [ROOT / "build" / "release" / "bench_login", str(target.port), target.user, "app",
             target.db, "16", str(options.seconds)], capture_output=True, text=True)
        if out.returncode != 0:
            sys.exit(f"logins on {target.name}: {out.stderr}")
        return {"rate": float(out.stdout)}

    return {"new connections": in_turn(setup, options.rounds, measure)}


def large_result(setup, options):
    return {"result of 1 GB": in_turn(setup, options.rounds, measure_result)}


def idle_clients(setup, options):
    """Memory per client that is logged in and does nothing."""
    if not setup.cluster:
        return {}
    pids = setup.cluster.pids()
    base = sum(testbed.memory_kib(p, "Pss") for p in pids)
    wanted, clients = 10_000, []
    try:
        while len(clients) < wanted:
            c = rawclient.RawClient(setup.cluster.port)
            clients.append(c.login(db="app"))
        full = sum(testbed.memory_kib(p, "Pss") for p in pids)
    finally:
        for c in clients:
            c.close()
    return {"idle clients": {"shardd": {"base_kib": base, "each_kib": (full - base) / wanted}}}


POST = """
local headers = {["Authorization"] = "Basic YXBwOmFwcA==", ["Content-Type"] = "application/json"}
request = function()
    return wrk.format("POST", nil, headers, string.format(
        '{"database":"app","query":"SELECT c FROM sbtest1 WHERE id=%d"}', math.random(ROWS)))
end
"""


def wrk(setup, path, seconds, script=None):
    out = subprocess.run(
        ["wrk", "-t1", "-c64", f"-d{seconds}s", *(["-s", script] if script else []),
         f"http://127.0.0.1:{setup.cluster.http_port}{path}"],
        capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        sys.exit(f"wrk {path}: {out}")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))


def http(setup, options):
    """Pages; and point selects by POST against those of sysbench, in turn."""
    if not setup.cluster:
        return {}
    rates = {path: wrk(setup, path, options.seconds) for path in ("/healthz", "/metrics")}
    script = OUT / "post.lua"
    script.write_text(POST.replace("ROWS", str(ROWS)))
    pairs = [(wrk(setup, "/v1/query", options.seconds, script),
              measure_sysbench(setup.targets[-1], threads=64, seconds=options.seconds)["rate"])
             for _ in range(options.rounds)]
    ratio = statistics.median(post / mysql for post, mysql in pairs)
    return {"http": {"shardd": rates},
            "point select by HTTP, 64 clients": {"shardd": {
                "rate": statistics.median(post for post, _ in pairs), "times_rate": ratio}}}


def scatter(setup, options):
    """Rows merged per second of shardd's CPU time, over four shards."""
    if not setup.cluster:
        return {}
    with tempfile.TemporaryDirectory(prefix="shardd-bench-") as folder:
        cluster = testbed.Cluster(f"{folder}/c4", shards=4)
        try:
            return measure_scatter(cluster, options)
        finally:
            cluster.down()


def measure_scatter(cluster, options):
    with rawclient.RawClient(cluster.port, timeout=300) as c:
        c.login(db="app")
        c.query("CREATE TABLE s (id BIGINT PRIMARY KEY, k INT, pad CHAR(30), KEY (k))")
        for start in range(0, SCATTER_ROWS, 10_000):
            c.query("INSERT INTO s VALUES " + ",".join(
                f"({i},{i * 7919 % 1000003},'{i:030}')" for i in range(start, start + 10_000)))
    results = {}
    for name, sql, rows in (
            ("scatter, full scan", "SELECT id, k, pad FROM s", SCATTER_ROWS),
            ("scatter, ORDER BY", "SELECT id, k, pad FROM s ORDER BY id", SCATTER_ROWS),
            ("scatter, ORDER BY ... LIMIT",
             f"SELECT id, k FROM s ORDER BY k LIMIT {SCATTER_ROWS // 2}", SCATTER_ROWS // 2)):
        rates, before = [], sum(testbed.memory_kib(p) for p in cluster.pids())
        for _ in range(options.rounds):
            cpu = sum(testbed.cpu_seconds(p) for p in cluster.pids())
            got = read_rows(cluster.port, sql)
            if got != rows:
                sys.exit(f"{sql}: {got} rows")
            cpu = sum(testbed.cpu_seconds(p) for p in cluster.pids()) - cpu
            rates.append(rows / max(cpu, 0.01))
        growth = sum(testbed.memory_kib(p) for p in cluster.pids()) - before
        results[name] = {"shardd": {"rows_per_cpu_s": statistics.median(rates),
                                    "growth_kib": growth}}
    return results


def read_rows(port, sql):
    """Rows of a result, counted without keeping them."""
    rows, data, definitions = 0, bytearray(), 0
    with rawclient.RawClient(port, timeout=120) as c:
        c.login(db="app")
        c.command(rawclient.QUERY, sql.encode())
        columns = c.read()[0]
        while definitions <= columns:  # and the EOF behind them
            c.read()
            definitions += 1
        while True:
            data += c.input.read1(1 << 20)
            at = 0
            while len(data) - at >= 4:
                length = data[at] | data[at + 1] << 8 | data[at + 2] << 16
                if len(data) - at < 4 + length:
                    break
                if data[at + 4] == 0xfe and length < 9:
                    return rows
                if data[at + 4] == 0xff:
                    raise rawclient.ServerError(bytes(data[at + 4:at + 4 + length]))
                rows += 1
                at += 4 + length
            del data[:at]


def commits(setup, options):
    """What COMMIT takes when a transaction has written on one shard, and when on two; the
    servers are as durable as servers are by default, and one client waits for them."""
    if not setup.cluster:
        return {}
    with tempfile.TemporaryDirectory(prefix="shardd-bench-") as folder:
        cluster = testbed.Cluster(f"{folder}/c2", shards=2)
        try:
            return measure_commits(cluster, options)
        finally:
            cluster.down()


def measure_commits(cluster, options):
    cluster.sql("CREATE TABLE a (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)")
    cluster.sql("INSERT INTO a VALUES " + ",".join(f"({i}, 0)" for i in range(100)))
    durable = "SELECT @@innodb_flush_log_at_trx_commit, @@sync_binlog, @@log_bin"
    ids = []
    for shard in cluster.shard_list():
        if cluster.on_shard(shard, durable) != ((1, 1, 1),):
            sys.exit("commits: the servers are not durable")
        ids.append([i for i, in cluster.on_shard(shard, "SELECT id FROM a ORDER BY id LIMIT 2",
                                                 "app")])
    (a, b), (c, d) = ids
    kinds = {"one": [(a, b), (c, d)], "two": [(a, c), (d, b)]}
    took = {kind: [] for kind in kinds}
    with rawclient.RawClient(cluster.port, timeout=60) as client:
        client.login(db="app")
        for i in range(options.rounds * options.seconds * 20):
            for kind in sorted(kinds, reverse=i % 2 == 1):
                took[kind].append(time_commit(client, kinds[kind][i // 2 % 2]))
    one, two = (mean_of_most(took[kind]) * 1e3 for kind in ("one", "two"))
    return {"commit on two shards": {"shardd": {
        "one_ms": one, "two_ms": two, "times_one": two / one,
        "p50_ms": statistics.median(took["two"]) * 1e3}}}


def mean_of_most(times):
    """Without the tenth at either end. Not the median: a disk that others use is quick or
    slow, and the sum of several quick or slow waits has another one."""
    tenth = len(times) // 10
    return statistics.fmean(sorted(times)[tenth:len(times) - tenth])


def time_commit(client, ids):
    client.query("BEGIN")
    for i in ids:
        client.query(f"UPDATE a SET n = n + 1 WHERE id = {i}")
    start = time.perf_counter()
    client.query("COMMIT")
    return time.perf_counter() - start


MEASUREMENTS = {"point": point_selects, "many": many_clients,
                "slow": among_slow, "variants": variants, "spin": spin,
                "connect": connections, "result": large_result, "idle": idle_clients,
                "http": http, "scatter": scatter, "gather": gather,
                "commit": commits, "storm": storms}

# what, which value, better when, bound, against whom (None: absolute)
TARGETS = [
    ("point select, text, 64 clients", "cpu_us", "<=", 0.75, "haproxy"),
    ("point select, prepared, 64 clients", "cpu_us", "<=", 0.75, "haproxy"),
    ("point select, text, 64 clients", "rate", ">=", 1.3, "haproxy"),
    ("point select, prepared, 64 clients", "rate", ">=", 1.3, "haproxy"),
    ("point select, text, 64 clients", "rate", ">=", 0.7, "direct"),
    ("point select, text, 1 clients", "p50_ms", "<=", 1.1, "haproxy"),
    ("point select, text, 1 clients", "p99_ms", "<=", 1.1, "haproxy"),
    ("point select, prepared, 1 clients", "p50_ms", "<=", 1.1, "haproxy"),
    ("point select, prepared, 1 clients", "p99_ms", "<=", 1.1, "haproxy"),
    ("point select, text, 256 clients", "cpu_us", "<=", 0.6, "haproxy"),
    ("point select, text, 1000 clients", "rate", ">=", 0.8, "direct"),
    ("point select, text, 1000 clients", "p99_ms", "<=", 0.6, "direct"),
    ("quick reads among slow ones, 64 clients", "p50_ms", "<=", 1.1, "haproxy"),
    ("quick reads among slow ones, 64 clients", "p99_ms", "<=", 1.1, "haproxy"),
    ("quick reads among slow ones, 64 clients", "p999_ms", "<=", 1.1, "haproxy"),
    ("point select over TLS, 64 clients", "times_cpu", "<=", 2, None),
    ("point select over TLS, 64 clients", "times_rate", ">=", 0.5, None),
    ("point select after SET NAMES, 64 clients", "times_rate", ">=", 0.95, None),
    ("point select prepared and not, 64 clients", "times_rate", ">=", 1, None),
    ("point select, 1 client, spin_us = 50", "times_rate", ">=", 1, None),
    ("point select, 1 client, spin_us = 50", "times_direct", ">=", 0, None),
    ("point select, 1 client, spin_us = 50", "times_cpu", ">=", 0, None),
    ("new connections", "rate", ">=", 1.0, "haproxy"),
    ("result of 1 GB", "rate", ">=", 0.9, "haproxy"),
    ("result of 1 GB", "growth_kib", "<=", 32 << 10, None),
    ("idle clients", "base_kib", "<=", 50 << 10, None),
    ("idle clients", "each_kib", "<=", 8, None),
    ("scatter, full scan", "rows_per_cpu_s", ">=", 1e6, None),
    ("scatter, ORDER BY", "rows_per_cpu_s", ">=", 1e6, None),
    ("scatter, ORDER BY ... LIMIT", "rows_per_cpu_s", ">=", 1e6, None),
    ("gather, join of narrow rows", "rows_per_s", ">=", 6e5, None),
    ("gather, join of narrow rows", "growth_kib", "<=", 32 << 10, None),
    ("gather, few rows", "added_ms", "<=", 5, None),
    ("gather, join by a list of keys", "rows", "<=", 20, None),
    ("http", "/healthz", ">=", 0, None),
    ("http", "/metrics", ">=", 0, None),
    ("point select by HTTP, 64 clients", "times_rate", ">=", 0.6, None),
    ("commit on two shards", "times_one", "<=", 3.2, None),
    ("5,000 logins at once", "turn_ms", "<=", 50, None),
    ("5,000 logins at once", "lost", "<=", 0, None),
    ("5,000 logins at once over TLS", "turn_ms", "<=", 50, None),
    ("5,000 logins at once over TLS", "lost", "<=", 0, None),
]


def number(x):
    return f"{x:,.0f}" if abs(x) >= 1000 else f"{x:.3g}"


def report(results):
    """The table, and how many targets are missed."""
    missed = 0
    print(f"\n{'what':42} {'value':14} {'by':6} {'direct':>9} {'HAProxy':>9} {'shardd':>9} "
          f"{'ratio':>6} {'target':>9}")
    for what, value, sign, bound, peer in TARGETS:
        for by, suffix in ("port", ""), ("socket", "_unix"):
            row = results.get(what, {})
            seen = {name: row.get(name + (suffix if name != "direct" else ""), {}).get(value)
                    for name in ("direct", "haproxy", "shardd")}
            if seen["shardd"] is None:
                continue
            cells = [number(seen[n]) if seen[n] is not None else "-" for n in seen]
            figure = seen["shardd"] / max(seen[peer], 1e-9) if peer else seen["shardd"]
            reached = figure <= bound if sign == "<=" else figure >= bound
            missed += not reached
            print(f"{what:42} {value:14} {by if peer else '':6} {cells[0]:>9} {cells[1]:>9} "
                  f"{cells[2]:>9} {f'{figure:.2f}' if peer else '-':>6} "
                  f"{sign + ' ' + number(bound):>9}{'' if reached else '  missed'}")
    return missed


def draw(results):
    """A bar chart for each value that the three have in common."""
    if not shutil.which("gnuplot"):
        return
    for value, title in (("rate", "statements per second"), ("cpu_us", "proxy CPU, us a statement"),
                         ("p99_ms", "99th percentile, ms")):
        rows = [(w, r) for w, r in results.items() if w.startswith("point") and "haproxy" in r]
        if not rows:
            continue
        data = OUT / f"{value}.dat"
        with open(data, "w", encoding="utf-8") as f:
            for what, row in rows:
                cells = [str(row[n][value]) if n in row else "0"
                         for n in ("direct", "haproxy", "shardd")]
                f.write(f'"{what.replace("point select, ", "")}" {" ".join(cells)}\n')
        subprocess.run(["gnuplot", "-e", f"data='{data}'; out='{OUT}/{value}.svg'; "
                        f"what='{title}'", ROOT / "bench" / "bars.gp"], check=True)


def micro():
    """What the module's own benches print."""
    for program in sorted((ROOT / "build" / "release").glob("bench_*")):
        if program.suffix or program.name == "bench_login":
            continue
        print(f"--- {program.name}")
        sys.stdout.flush()
        subprocess.run([program], check=False, timeout=300)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--only", default=",".join(MEASUREMENTS) + ",micro")
    parser.add_argument("--without-shardd", action="store_true")
    options = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    chosen = options.only.split(",")
    if "micro" in chosen:
        micro()
    results = {}
    with tempfile.TemporaryDirectory(prefix="shardd-bench-") as folder:
        setup = Setup(folder, options.without_shardd)
        try:
            for name, measure in MEASUREMENTS.items():
                if name in chosen:
                    print(f"measuring: {name}", flush=True)
                    results |= measure(setup, options)
        finally:
            setup.stop()
    (OUT / "results.json").write_text(json.dumps(results, indent=1))
    draw(results)
    missed = report(results)
    print(f"\n{missed} targets missed; {OUT}/results.json has everything")


if __name__ == "__main__":
    main()
