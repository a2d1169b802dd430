#!/usr/bin/python3
"""moving.py - what applications feel of a move, and how fast it follows them.

    bench/moving.py [--only during,cutover,backlog,catalog] [--seconds N] [--rows N] [--rounds N]
                    [--full]

during   statements per second of sysbench read/write while a copy runs with the default throttle,
         beside those right before and behind it; the copy's rate beside its rate without a
         throttle, under the same load
cutover  64 clients with sysbench read/write, at half of what they can do at most while rows are
         where they are, over a switch and one back: how long statements were parked (by the
         buckets of shardd_parked_seconds; none waits longer than the fence stands), and whether
         one failed. (A fence waits for the transactions that were there before; on a machine that
         is full each takes its queue with it, which is what --full shows)
backlog  sysbench update_index with 16 threads writes while a move rests; the rate at which the move
         catches up with the log, the source idle, against the rate at which it was written
catalog  1,024 shards and 16,384 ranges: from a changed map until all workers use it, and the plan
         of a split

Ratios within one run; medians over the rounds.
"""
import argparse
import json
import pathlib
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

import controlbed  # noqa: E402
import testbed  # noqa: E402
from testbed import wait_for  # noqa: E402


def sysbench(cluster, script, command, *, threads, seconds=0, rows, wait=True, rate=0):
    process = subprocess.Popen(
        ["sysbench", script, "--db-driver=mysql", "--mysql-host=127.0.0.1",
         f"--mysql-port={cluster.port}", "--mysql-user=app", "--mysql-password=app",
         "--mysql-db=app", f"--table-size={rows}", "--tables=1", f"--threads={threads}",
         f"--rate={rate}", f"--time={seconds}", "--events=0", "--report-interval=1",
         "--percentile=99", command],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    return finish(process) if wait else process


def finish(process):
    out = process.communicate()[0]
    if process.returncode != 0 or "FATAL" in out:
        sys.exit(f"sysbench failed: {out[-2000:]}")
    return out


def queries(out):
    return float(re.search(r"queries: +\d+ +\(([\d.]+) per sec", out).group(1))


def statements(cluster):
    """Ever sent to shards by applications."""
    text = urllib.request.urlopen(f"http://127.0.0.1:{cluster.http_port}/metrics").read().decode()
    return sum(float(v) for v in re.findall(r"^shardd_shard_statements_total\{.*\} (\S+)", text,
                                            re.M))


def job(cluster, number):
    return cluster.ctl("job show", number)


def until(cluster, number, *phases, seconds=600):
    wait_for(f"the phase {phases}", lambda: job(cluster, number)["phase"] in phases or
             job(cluster, number)["state"] == "failed", seconds)
    record = job(cluster, number)
    assert record["state"] != "failed", record
    return record


def cancel(cluster):
    done = cluster.ctl_raw("job cancel", "--wait", timeout=600)
    assert done.returncode == 0, done


def rate_over(cluster, number, seconds):
    """Rows copied and statements answered per second from now on, until the copy is over."""
    rows, sent, start = job(cluster, number)["progress"].get("rows", 0), statements(cluster), \
        time.monotonic()
    while time.monotonic() - start < seconds and job(cluster, number)["phase"] == "copy":
        time.sleep(0.2)
    took = time.monotonic() - start
    return ((job(cluster, number)["progress"].get("rows", 0) - rows) / took,
            (statements(cluster) - sent) / took)


def one_copy(cluster, throttle, seconds):
    number = cluster.ctl("reshard split", "shard-1", "--to", "shard-2", "--cutover", "manual",
                         "--no-verify", "--throttle", throttle)["job"]
    wait_for("the first rows", lambda: job(cluster, number)["phase"] == "follow" or
             job(cluster, number).get("progress", {}).get("rows", 0) > 0, 60)
    rates = rate_over(cluster, number, seconds)
    slowed = job(cluster, number)["progress"].get("slowed")
    cancel(cluster)
    return rates + (slowed,)


def without(cluster, seconds):
    """Statements per second while nothing moves."""
    sent = statements(cluster)
    time.sleep(seconds)
    return (statements(cluster) - sent) / seconds


def during(cluster, options):
    """All rows are on shard-1 and half of them go to shard-2."""
    load = sysbench(cluster, "oltp_read_write", "run", threads=16, seconds=86400,
                    rows=options.rows, wait=False)
    kept, share = [], []
    try:
        time.sleep(2)
        for i in range(options.rounds):
            free, _, _ = one_copy(cluster, "off", options.seconds)
            alone = without(cluster, options.seconds)
            rows, beside, slowed = one_copy(cluster, "auto", options.seconds)
            alone = (alone + without(cluster, options.seconds)) / 2
            kept.append(beside / alone)
            share.append(rows / free)
            print(f"round {i + 1}: {alone:,.0f} statements/s, {beside:,.0f} during the copy; "
                  f"{free:,.0f} rows/s without a throttle, {rows:,.0f} with it ({slowed})",
                  flush=True)
            assert load.poll() is None, load.communicate()[0][-2000:]
    finally:
        load.terminate()
        load.wait()
    return {"qps_kept": [statistics.median(kept), ">=", 0.8],
            "copy_of_unthrottled": [statistics.median(share), ">=", 0.25]}


def parked(cluster):
    """(upper bound in seconds, how many up to there) of the parked statements so far."""
    text = urllib.request.urlopen(f"http://127.0.0.1:{cluster.http_port}/metrics").read().decode()
    return [(float(le), float(n)) for le, n in re.findall(
        r'^shardd_parked_seconds_bucket\{le="([^"]+)"\} (\S+)', text, re.M)]


def quantile(before, after, q):
    old = dict(before)
    counts = [(le, n - old.get(le, 0)) for le, n in after]
    return next((le for le, n in counts if n >= q * counts[-1][1]), 0) if counts else 0


def transactions(out):
    return float(re.search(r"transactions: +\d+ +\(([\d.]+) per sec", out).group(1))


def switch(cluster, number, verb, seen):
    before = parked(cluster)
    done = cluster.ctl_raw(verb, "--wait", timeout=600)
    assert done.returncode == 0, done
    after = parked(cluster)
    print([line.split("switched, ")[1] for line in (cluster.home / "shardctl.log").read_text()
           .splitlines() if "switched, in" in line][-1], flush=True)
    seen["p99"].append(quantile(before, after, 0.99) * 1000)
    seen["longest"].append(quantile(before, after, 1) * 1000)
    seen["fences"].append(job(cluster, number)["last_cutover"]["parked_ms"])


def half(cluster, options):
    """Transactions per second: half of what 64 clients can do while rows are where they are."""
    if options.full:
        return 0
    most = transactions(sysbench(cluster, "oltp_read_write", "run", threads=64, rows=options.rows,
                                 seconds=5))
    print(f"{most:,.0f} transactions/s at most, half of it from now on", flush=True)
    return max(1, int(most / 2))


def beside(cluster, options, rate, do):
    """Calls `do` while the 64 clients run. Returns how long a transaction of theirs took, the 99th
    percentile of a second in ms: the median of the seconds before the last four, and the most of
    these, with the switch and what transactions on two shards take behind it."""
    load = sysbench(cluster, "oltp_read_write", "run", threads=64, rows=options.rows,
                    seconds=3600, wait=False, rate=rate)
    try:
        time.sleep(4)
        do()
        time.sleep(2)
        assert load.poll() is None, "a client failed: " + load.communicate()[0][-2000:]
    finally:
        load.terminate()
    took = [float(ms) for ms in re.findall(r"lat \(ms,99%\): ([\d.]+)", load.communicate()[0])]
    return statistics.median(took[:-4]), max(took[-4:])


def cutover(cluster, options):
    seen, rates, number = {"p99": [], "longest": [], "fences": []}, [], 0

    def there():
        nonlocal number
        number = cluster.ctl("reshard split", "shard-1", "--to", "shard-2", "--cutover", "manual",
                             "--throttle", "off")["job"]
        wait_for("the comparison", lambda: "verified" in job(cluster, number) and
                 job(cluster, number)["phase"] == "follow", 900)
        switch(cluster, number, "reshard cutover", seen)

    def back():
        switch(cluster, number, "reshard reverse", seen)
    for i in range(options.rounds):
        for at, do in enumerate((there, back)):  # on two shards a transaction is a dearer one
            if i == 0:
                rates.append(half(cluster, options))
            before, then = beside(cluster, options, rates[at], do)
            print(f"transactions took {before:.0f} ms before and {then:.0f} ms at most "
                  "around the switch (p99)", flush=True)
        print(f"round {i + 1}: parked up to {seen['p99'][-2]:.0f} and {seen['p99'][-1]:.0f} ms "
              f"(p99), {seen['longest'][-2]:.0f} and {seen['longest'][-1]:.0f} ms at most; the "
              f"fence stood {seen['fences'][-2]:.0f} and {seen['fences'][-1]:.0f} ms", flush=True)
    return {"parked_p99_ms": [statistics.median(seen["p99"]), "<=", 50],
            "fence_max_ms": [max(seen["fences"]), "<=", 200], "errors": [0, "<=", 0]}


def backlog(cluster, options):
    times = []
    for i in range(options.rounds):
        number = cluster.ctl("reshard split", "shard-1", "--to", "shard-2", "--cutover", "manual",
                             "--no-verify", "--throttle", "off")["job"]
        until(cluster, number, "follow")
        source = next(s for s in cluster.shard_list() if s["name"] == "shard-1")
        target = next(s for s in cluster.shard_list() if s["name"] == "shard-2")
        with cluster.shard_connect(target) as lock, lock.cursor() as cursor:
            cursor.execute("LOCK TABLES app.sbtest1 WRITE")  # what follows has to wait
            start = time.monotonic()
            out = sysbench(cluster, "oltp_update_index", "run", threads=16, rows=options.rows,
                           seconds=options.seconds)
            wrote = time.monotonic() - start
            end = cluster.on_shard(source, "SELECT @@gtid_binlog_pos")[0][0]
            cursor.execute("UNLOCK TABLES")
            start = time.monotonic()
        wait_for("the end of the log", lambda e=end: reached(cluster, target, number, e), 900)
        took = time.monotonic() - start
        times.append(options.seconds / took)
        print(f"round {i + 1}: {queries(out):,.0f} updates/s for {wrote:.1f} s, caught up in "
              f"{took:.1f} s", flush=True)
        cancel(cluster)
    return {"catching_up": [statistics.median(times), ">=", 1.5]}


def reached(cluster, target, number, position):
    def seen(text):
        text = text.decode() if isinstance(text, bytes) else text
        return {g.rsplit("-", 1)[0]: int(g.rsplit("-", 1)[1]) for g in text.split(",") if g}
    rows = cluster.on_shard(target, f"SELECT position FROM shardd_move.stream WHERE job = {number}")
    wanted = {k: v for k, v in seen(position).items() if not k.startswith("29544-")}
    return bool(rows) and all(seen(rows[0][0]).get(k, 0) >= v for k, v in wanted.items())


def catalog(_, options):
    """Five servers stand for all 1,024 shards: one has room for 256 claims of a controller."""
    with tempfile.TemporaryDirectory(prefix="shardd-bench-") as folder:
        cluster = testbed.Cluster(pathlib.Path(folder) / "c", shards=5)
        try:
            cluster.sql("CREATE TABLE t (id INT PRIMARY KEY)")
            cluster.down()
            multiply(cluster.home)
            cluster.up()
            api = controlbed.UnixConnection(cluster.home / "controller.sock")
            took, plans = [], []
            for i in range(options.rounds * 10):
                took.append(raise_and_lower(api, i))
            for i in range(options.rounds):
                start = time.monotonic()
                done = cluster.ctl_raw("reshard split", f"shard-{7 + i}", "--to", "shard-3",
                                       "--dry-run")
                plans.append(time.monotonic() - start)
                assert done.returncode == 0, done
            print(f"published and acknowledged in {statistics.median(took):.1f} ms (at most "
                  f"{max(took):.1f}); a split is planned in {statistics.median(plans):.2f} s",
                  flush=True)
        finally:
            cluster.down()
            cluster.forget()
    return {"publish_ms": [statistics.median(took), "<=", 20],
            "plan_s": [statistics.median(plans), "<=", 1]}


def raise_and_lower(api, i):
    def post(body):
        api.request("POST", "/v1/fence", json.dumps(body), {"Content-Type": "application/json"})
        answer = api.getresponse()
        text = answer.read()
        assert answer.status == 200, text
        return json.loads(text)
    start = f"{i * (1 << 50):016x}"
    up = post({"ranges": [start], "shards": [], "wait_ms": 5000})
    post({"lower": True})
    return up["acknowledged_us"] / 1000


def multiply(home):
    """Its shards until there are 1,024, and the key space cut into 16,384 ranges that go around."""
    db = sqlite3.connect(home / "catalog.db")
    shards = [json.loads(text) for text, in
              db.execute("SELECT body FROM object WHERE kind = 'shard'")]
    n, first = len(shards), max(s["id"] for s in shards) + 1
    for i in range(1024 - n):
        copy = dict(shards[i % n], id=first + i, name=f"shard-{first + i}", provisioner="static",
                    directory="")
        db.execute("INSERT INTO object (kind, name, body, version) VALUES ('shard', ?, ?, 1)",
                   (str(copy["id"]), json.dumps(copy)))
        shards.append(copy)
    ranges = [[f"{i * (1 << 50):016x}", shards[i % 1024]["id"]] for i in range(16384)]
    db.execute("UPDATE object SET body = ? WHERE kind = 'ranges'",
               (json.dumps({"ranges": ranges}),))
    db.commit()
    db.close()


def with_rows(measure, options):
    with tempfile.TemporaryDirectory(prefix="shardd-bench-") as folder:
        cluster = testbed.Cluster(pathlib.Path(folder) / "c", shards=1)
        try:
            sysbench(cluster, "oltp_read_write", "prepare", threads=1, rows=options.rows)
            cluster.ctl("shard add", timeout=120)
            return measure(cluster, options)
        finally:
            cluster.down()
            cluster.forget()


MEASUREMENTS = {"during": during, "cutover": cutover, "backlog": backlog, "catalog": catalog}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--only", default=",".join(MEASUREMENTS))
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--rows", type=int, help="of the table; else 1,000,000, and for "
                        "cutover, where they only have to be copied first, 100,000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--full", action="store_true", help="cutover: as much load as there can be")
    options = parser.parse_args()
    results, missed = {}, 0
    for name in options.only.split(","):
        measure = MEASUREMENTS[name]
        one = argparse.Namespace(**vars(options))
        one.rows = options.rows or (100_000 if name == "cutover" else 1_000_000)
        results |= measure(None, one) if name == "catalog" else with_rows(measure, one)
    for name, (value, how, wanted) in results.items():
        good = value >= wanted if how == ">=" else value <= wanted
        missed += not good
        print(f"{name:24} {value:10.2f} {how} {wanted:6} {'' if good else 'MISSED'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
