#!/usr/bin/python3
"""balance.py - reads from replicas: who gets them, and what that costs.

    bench/balance.py [--only trouble,scale] [--seconds S] [--rounds N]

trouble: three replicas, one slowed by a delaying proxy, one failing 10 % of its statements, one
         well; reads through shardd against the same servers in turn and against HAProxy's
         leastconn, in one run: quantiles, errors, share of the traffic; then all are well again:
         how long until each has its part, and the largest part of one meanwhile.
scale:   point selects (sysbench) with consistency strong, eventual and causal, two replicas.
"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

import pymysql  # noqa: E402

import testbed  # noqa: E402
from faultybed import Load, Three  # noqa: E402
from test_replica_reads import weak  # noqa: E402
from test_replicas import Static  # noqa: E402

LOOPS, SLOW_MS, FAIL_PERCENT, ROWS = 6, 20, 10, 10_000


def direct(port):
    return pymysql.connect(host="127.0.0.1", port=port, user="boss", password="x",
                           database="app", autocommit=True)


def in_turn(ports):
    mine = threading.local()

    def connect(i):
        if not hasattr(mine, "all"):
            mine.all = [direct(p) for p in ports]
        return mine.all[i % len(mine.all)]
    return connect


def by_leastconn(port, statements=20):
    """Sessions are short, so that the balancer has something to decide."""
    mine = threading.local()

    def connect(i):
        if i % statements == 0 and hasattr(mine, "c"):
            mine.c.close()
        if i % statements == 0:
            mine.c = direct(port)
        return mine.c
    return connect


def through(cluster):
    mine = threading.local()

    def connect(_):
        if not hasattr(mine, "c"):
            mine.c = weak(cluster, "eventual")
        return mine.c
    return connect


def haproxy(folder, ports):
    port = testbed.free_port()
    conf = folder / "haproxy.cfg"
    servers = "".join(f"  server s{i} 127.0.0.1:{p}\n" for i, p in enumerate(ports))
    conf.write_text("global\n  maxconn 900\ndefaults\n  mode tcp\n  timeout connect 5s\n"
                    "  timeout client 1h\n  timeout server 1h\nlisten mysql\n"
                    f"  bind 127.0.0.1:{port}\n  balance leastconn\n{servers}")
    process = subprocess.Popen(["haproxy", "-db", "-f", conf], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ready():
        try:
            direct(port).close()
            return True
        except pymysql.err.Error:
            return False
    testbed.wait_for("haproxy", ready)
    return process, port


def measure(three, name, connect, seconds):
    three.counts()
    load  = Load(LOOPS, connect).run(seconds)
    parts = three.counts()
    share = [100 * n / max(sum(parts), 1) for n in parts]
    print(f"  {name:12} {len(load.took) / seconds:6.0f}/s  p50 {load.quantile(.5) * 1e3:6.2f} ms"
          f"  p99 {load.quantile(.99) * 1e3:6.2f} ms  errors {load.errors:4}  share"
          f" slow/failing/well {share[0]:.0f}/{share[1]:.0f}/{share[2]:.0f} %", flush=True)
    return load.quantile(.99), load.errors


def recover(three, cluster):
    three.counts()
    load = Load(LOOPS, through(cluster))
    load.start()
    three.trouble(0, 0)
    began, largest, least = time.monotonic(), 0, 0
    while least < 0.15 and time.monotonic() - began < 60:
        time.sleep(0.5)
        parts   = three.counts()
        least   = min(parts) / max(sum(parts), 1)
        largest = max(largest, parts[0] / max(sum(parts), 1))
    load.stop()
    print(f"  all are well: each has its part after {time.monotonic() - began:.1f} s; the largest "
          f"part of the one that was slow in half a second: {100 * largest:.0f} %; "
          f"errors {load.errors}", flush=True)


def trouble(folder, options):
    cluster = testbed.Cluster(folder / "c", shards=1, workers=2)
    three, process = None, None
    try:
        three   = Three(cluster, folder / "copies", Static)
        ports   = [p.port for p in three.proxies]
        process, port = haproxy(folder, ports)
        time.sleep(12)  # new ones ramp up
        for turn in range(options.rounds):
            print(f"round {turn + 1}: {SLOW_MS} ms, {FAIL_PERCENT} %")
            three.trouble(SLOW_MS, FAIL_PERCENT)
            turns, _     = measure(three, "in turn", in_turn(ports), options.seconds)
            least, _     = measure(three, "leastconn", by_leastconn(port), options.seconds)
            ours, errors = measure(three, "shardd", through(cluster), options.seconds)
            print(f"  p99 of shardd: {ours / turns:.2f} x in turn, {ours / least:.2f} x leastconn;"
                  f" errors {errors}")
            recover(three, cluster)
    finally:
        if process:
            process.terminate()
            process.wait()
        for replica in cluster.replica_list():
            cluster.ctl("replica remove", replica["replica"], timeout=120)
        if three:
            three.stop()
        cluster.down()
        cluster.forget()


def sysbench(cluster, seconds, *verb):
    done = subprocess.run(
        ["sysbench", "oltp_point_select", "--db-driver=mysql", "--mysql-host=127.0.0.1",
         f"--mysql-port={cluster.port}", "--mysql-user=app", "--mysql-password=app",
         "--mysql-db=app", "--tables=1", f"--table-size={ROWS}", "--threads=16",
         f"--time={seconds}", *verb], stdout=subprocess.PIPE, text=True, check=True)
    rate = re.search(r"transactions: .*\((\S+) per sec", done.stdout)
    return float(rate.group(1)) if rate else 0


def scale(folder, options):
    cluster = testbed.Cluster(folder / "c", shards=1, workers=2)
    try:
        sysbench(cluster, 1, "prepare")
        for _ in range(2):
            cluster.ctl("replica add", "shard-1", timeout=120)
        time.sleep(12)
        for turn in range(options.rounds):
            rate = {}
            for how in ("strong", "eventual", "causal"):
                cluster.ctl("user set", "app", "--consistency", how)
                rate[how] = sysbench(cluster, options.seconds, "run")
            print(f"round {turn + 1}: " + ", ".join(f"{h} {r:.0f}/s" for h, r in rate.items()) +
                  f"; eventual {rate['eventual'] / rate['strong']:.2f} x strong, causal "
                  f"{rate['causal'] / rate['eventual']:.2f} x eventual", flush=True)
    finally:
        cluster.down()
        cluster.forget()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--only", default="trouble,scale")
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    for name, run in (("trouble", trouble), ("scale", scale)):
        if name not in options.only.split(","):
            continue
        with tempfile.TemporaryDirectory(prefix="shardd-balance-") as home:
            print(f"{name}:")
            run(pathlib.Path(home), options)


if __name__ == "__main__":
    main()
