#!/usr/bin/python3
"""monitor.py [SHARDS [SECONDS]] - what looking after the load costs the controller: its CPU time
with 16 real servers, measured every 10 s and every second, against a look every ten minutes.

CPU time, not wall time, so other work on the machine hardly matters; the servers' own share, which
answer SHOW GLOBAL STATUS and the like, is told apart. Nobody asks the API meanwhile.
"""
import os
import pathlib
import shutil
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from controlbed import Controller  # noqa: E402

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


def main():
    shards = int(sys.argv[1]) if len(sys.argv) > 1 else 16
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 60
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


if __name__ == "__main__":
    main()
