#!/usr/bin/python3
"""monitor.py - what looking after the load costs.

    bench/monitor.py [--shards 16] [--seconds 60]
        The controller's CPU time with so many real servers, measured every 10 s and every second,
        against a look every ten minutes. CPU time, not wall time, so other work on the machine
        hardly matters; the servers' own share, which answer SHOW GLOBAL STATUS and the like, is
        told apart. Nobody asks the API meanwhile.

    bench/monitor.py --workers [--rounds 5] [--seconds 12] [--threads 1,64]
        What the workers have of it: point selects by sysbench while nobody looks (the controller
        is stopped), every 10 s, and every second; in turn, medians, on a quiet machine. A window
        is longer than 10 s, so that each has a look in it.
"""
import argparse
import os
import pathlib
import signal
import statistics
import shutil
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

import testbed  # noqa: E402
from controlbed import Controller  # noqa: E402
from run import Target, measure_sysbench, sysbench  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")


def cpu_s(pid):
    """utime + stime of a process and all its threads."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        words = f.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICK


def measure(c, servers, interval_s, seconds):
    """Percent of a core: of the controller, and of all servers."""
    status, _, body = c.call("PUT", "/v1/load", {"interval_s": interval_s})
    assert status == 200, body
    time.sleep(2)
    before = [cpu_s(c.process.pid)] + [cpu_s(p) for p in servers]
    began = time.monotonic()
    time.sleep(seconds)
    after = [cpu_s(c.process.pid)] + [cpu_s(p) for p in servers]
    took = time.monotonic() - began
    used = [100 * (b - a) / took for a, b in zip(before, after)]
    return used[0], sum(used[1:])


def controller_cost(shards, seconds):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="shardd-mon-"))
    c = Controller(folder / "m", 1)
    try:
        for _ in range(shards - 1):
            c.ctl("shard", "add")
        servers = [s["pid"] for s in c.shard_list()]
        print(f"{len(servers)} shards, {seconds} s each; percent of one core")
        print(f"{'measured every':>16} {'controller':>11} {'all servers':>12}")
        base = measure(c, servers, 600, seconds)
        for interval in (600, 10, 1):
            one = base if interval == 600 else measure(c, servers, interval, seconds)
            print(f"{interval:>14} s {one[0]:>10.2f}% {one[1]:>11.2f}%"
                  + ("" if interval == 600 else f"   {one[0] - base[0]:+.2f} / "
                     f"{one[1] - base[1]:+.2f}"), flush=True)
    finally:
        c.stop()
        shutil.rmtree(folder, ignore_errors=True)


class Watched:
    """A cluster whose load is measured as often as `how` says; None: not at all."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.controller = cluster.status()["pid"]

    def look(self, how):
        os.kill(self.controller, signal.SIGCONT)
        if how is not None:
            self.cluster.ctl("load set", "--interval", how)
        else:
            os.kill(self.controller, signal.SIGSTOP)


def workers_cost(rounds, seconds, thread_counts):
    """In each round the three ways come in another order."""
    ways = [("nobody looks", None), ("every 10 s", 10), ("every second", 1)]
    folder = pathlib.Path(tempfile.mkdtemp(prefix="shardd-mon-"))
    cluster = testbed.Cluster(folder / "w", shards=2, workers=os.cpu_count())
    watched = Watched(cluster)
    try:
        target = Target("shardd", cluster.port, "app", cluster.worker_pids)
        sysbench(target, "prepare", threads=1)
        print(f"{'':37} {'per second':>11} {'CPU us each':>12} {'p50 ms':>8} {'p99 ms':>8}")
        for threads in thread_counts:
            seen = {name: [] for name, _ in ways}
            for i in range(rounds):
                for name, how in ways[i % 3:] + ways[:i % 3]:
                    watched.look(how)
                    seen[name].append(measure_sysbench(target, threads=threads, seconds=seconds))
            for name, runs in seen.items():
                m = {what: statistics.median(r[what] for r in runs) for what in runs[0]}
                print(f"{'point select, ' + str(threads):22} {name:>14} {m['rate']:>11.0f} "
                      f"{m['cpu_us']:>12.2f} {m['p50_ms']:>8.3f} {m['p99_ms']:>8.3f}", flush=True)
            ratios = {what: statistics.median(b[what] / a[what] for a, b in zip(
                seen["nobody looks"], seen["every 10 s"])) for what in ("rate", "cpu_us")}
            print(f"{'':22} {'10 s / nobody':>14} {ratios['rate']:>11.3f} "
                  f"{ratios['cpu_us']:>12.3f}", flush=True)
    finally:
        os.kill(watched.controller, signal.SIGCONT)
        cluster.down()
        cluster.forget()
        shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", action="store_true")
    parser.add_argument("--shards", type=int, default=16)
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", default="1,64")
    options = parser.parse_args()
    if options.workers:
        workers_cost(options.rounds, options.seconds or 12,
                     [int(n) for n in options.threads.split(",")])
    else:
        controller_cost(options.shards, options.seconds or 60)


if __name__ == "__main__":
    main()
