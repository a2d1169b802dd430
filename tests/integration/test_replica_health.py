"""test_replica_health.py - replicas as the monitor sees them, and what the scaler makes of it: rows
do not move while health or room say no."""
import contextlib
import http.server
import itertools
import os
import signal
import threading
import urllib.request

import pymysql
import pytest

import movebed
import testbed
from test_load_history import Node
from testbed import Cluster, wait_for

HOT = ["check_s=1", "max_statements=5", "hot_n=2", "hot_of=2", "cold=0", "mode=advise",
       "max_latency_ms=0", "max_cpu=0", "max_memory=0", "max_storage=0", "max_connections=0",
       "free_disk=0", "forecast_error=0", "max_lag_s=30"]


@pytest.fixture(scope="module")
def c(scratch):
    cluster = Cluster(scratch / "health", shards=1)
    cluster.ctl("replica add", "shard-1", "--name", "r", timeout=120)
    cluster.metrics = f"127.0.0.1:{testbed.free_port()}"
    cluster.ctl("load set", "--interval", 1, "--metrics", cluster.metrics)
    cluster.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, n INT)")
    cluster.sql("INSERT INTO t VALUES " + ",".join(f"({i}, 0)" for i in range(100)))
    cluster.ctl("scaler set", *HOT)
    yield cluster
    cluster.finish()


class Full(Node):
    """A machine with a disk that is nearly full."""
    page = Node.page.replace("4e+11", "1e+06")


@pytest.fixture(scope="module")
def busy(c):
    """An application that makes the shard hot, and writes."""
    stop = threading.Event()

    def work():
        with c.connect(autocommit=True) as db, db.cursor() as cursor:
            for i in itertools.count():  # no key is hot
                if stop.wait(0.02):
                    return
                cursor.execute("UPDATE t SET n = n + 1 WHERE id = %s", (i % 100,))

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stop.set()
    thread.join()


def replica(c):
    (shard,) = c.ctl("load")["shards"]
    return shard, next((r for r in shard["replicas"] if r["replica"] == "r"), None)


def sick(c):
    """Why rows must not move there."""
    return c.ctl("scaler status")["shards"][0]["sick"]


def metric(c, line):
    with urllib.request.urlopen(f"http://{c.metrics}/metrics", timeout=60) as answer:
        return next((float(found.rpartition(" ")[2]) for found in answer.read().decode().split("\n")
                     if found.startswith(line + " ")), None)


def newest(c):
    found = c.ctl("scaler decisions", "--limit", 1)["decisions"]
    return found[0] if found else {"number": 0, "held": "", "text": ""}


def held(c, why, before=None):
    """The newest decision, when that is what holds it."""
    found = newest(c)
    return found["held"] == why and found["number"] != before and found


def test_they_are_measured(c):
    _, r = wait_for("a measurement", lambda: (got := replica(c)) and got[1] and
                        got[1]["follows"] and got[1]["lag_s"] == 0 and got)
    assert (r["answers"], r["wanted"], r["problem"], r["lag_s"]) == (True, True, "", 0)
    shard = wait_for("the shard's", lambda: (got := replica(c)[0])["lag_s"] == 0 and got)
    assert (shard["replicas_wanted"], shard["replicas_following"]) == (1, 1)
    wait_for("the lag", lambda: metric(
        c, 'shardctl_shard_replica_lag_seconds{shard="shard-1"}') == 0)
    wait_for("that it replicates", lambda: metric(
        c, 'shardctl_replica_replicates{shard="shard-1",replica="r"}') == 1)
    assert "does not follow" not in c.ctl_raw("load").stdout


RESOURCES = ["threads_connected", "threads_running", "buffer_pool", "cpu", "cpu_limit", "memory",
             "disk_used", "disk_free", "disk"]


def test_their_servers_are_measured(c):
    """As the primary's is: its process, its disk, what it says of itself; and what workers sent."""
    def whole():
        _, r = replica(c)
        return r and all(r[name] is not None for name in RESOURCES) and r

    r = wait_for("its numbers", whole)
    assert 0 <= r["cpu"] <= 1 and 0 < r["memory"] < 1 and r["threads_connected"] >= 1
    assert {k["collector"] for k in r["collectors"] if not k["problem"]} >= {"server", "process"}
    label = '{shard="shard-1",replica="r"}'
    assert metric(c, f"shardctl_replica_memory_ratio{label}") > 0
    assert metric(c, f"shardctl_replica_disk_free_bytes{label}") > 0
    collector = 'shardctl_replica_collector_up{shard="shard-1",replica="r",collector="server"}'
    wait_for("the collector", lambda: metric(c, collector) == 1)
    lines = [line.split() for line in c.ctl_raw("load").stdout.splitlines() if line]
    assert [line[:2] for line in lines if line[0] == "r"] == [["r", "shard-1"]]

    with c.connect(autocommit=True) as db, db.cursor() as cursor:
        cursor.execute("SET shardd_consistency = 'eventual'")

        def counted():
            for i in range(100):  # those that find it behind go to the primary
                cursor.execute("SELECT n FROM t WHERE id = %s", (i,))
            points = c.ctl("load history", "r")["points"]
            sent = sum((p["statements_per_s"] or 0) * p["seconds"] for p in points)
            return sent >= 90 and [p for p in points if p["latency_p99_us"]]

        busy = wait_for("what workers sent there", counted)
    assert all(p["latency_p50_us"] <= p["latency_p95_us"] <= p["latency_p99_us"] for p in busy)
    assert metric(c, f"shardctl_replica_statements_per_second{label}") is not None
    assert [s["shard"] for s in c.ctl("load")["shards"]] == ["shard-1"]  # it is no shard of its own


def test_their_history_is_kept(c):
    """With what was before the controller was killed."""
    before = wait_for("points", lambda: len(p := c.ctl("load history", "r")["points"]) > 3 and p)
    movebed.restart(c)
    after = {p["at_ms"]: p for p in c.ctl("load history", "r")["points"]}
    for point in before[-4:-1]:
        assert after[point["at_ms"]]["disk_free"] == pytest.approx(point["disk_free"], rel=1e-6)
    assert c.ctl_raw("load history", "nobody").returncode == 1
    wait_for("a measurement", lambda: (r := replica(c)[1]) and r["follows"] and
             r["cpu"] is not None)


def test_one_on_another_machine_is_measured_by_its_agent(c):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Node)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        c.ctl("replica set", "r", "--agent", f"http://127.0.0.1:{server.server_port}/metrics")
        wait_for("its numbers", lambda: (r := replica(c)[1]) and r["memory_limit"] == 1e10 and
                 r["disk"] == pytest.approx(0.6))
        assert replica(c)[0]["memory_limit"] != 1e10  # the primary is not there
        done = c.ctl_raw("replica set", "r", "--agent", "ftp://x")
        assert done.returncode == 1 and "no address of metrics" in done.stderr
    finally:
        c.ctl("replica set", "r", "--agent", "")
        server.shutdown()
        server.server_close()
    wait_for("its own", lambda: replica(c)[1]["memory_limit"] not in (None, 1e10))


def room(c):
    """What the scaler holds for the free disk of the shard."""
    shards = c.ctl("scaler status")["shards"] or [{}]
    return shards[0].get("disk_free") or 0


def test_the_disk_with_the_least_room_counts(c):
    """Rows that come to a shard go to its replicas too."""
    page = "http://127.0.0.1:{}/metrics"
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Full)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        wait_for("the primary's", lambda: room(c) > 1e6)
        c.ctl("replica set", "r", "--agent", page.format(server.server_port))
        wait_for("its disk", lambda: room(c) == 1e6)
    finally:
        c.ctl("replica set", "r", "--agent", "")
        server.shutdown()
        server.server_close()
    wait_for("the one before", lambda: room(c) > 1e6)


def test_nothing_moves_while_one_does_not_answer(c, busy):
    wait_for("advice", lambda: held(c, "advise"))
    pid = c.replica_list()[0]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        why = wait_for("its hold", lambda: held(c, "health"))
        assert "replica r does not follow shard-1" in why["text"]
        assert c.ctl("scaler explain", why["number"])["replayed"]["text"] == why["text"]
        wait_for("it to be without numbers", lambda: (r := replica(c)[1]) and not r["answers"]
                 and r["lag_s"] is None and r["problem"])
        wait_for("the shard's own", lambda: (replica(c)[0]["threads_connected"] or 0) >= 1)
        assert "shard-1: replica r does not follow: " in c.ctl_raw("load").stdout
        assert metric(c, 'shardctl_replica_replicates{shard="shard-1",replica="r"}') == 0
        wait_for("the metric", lambda: metric(
            c, 'shardctl_shard_replica_lag_seconds{shard="shard-1"}') is None)
        # Who does not want it need not wait for it.
        c.ctl("server disable", "r", timeout=60)
        wait_for("advice", lambda: held(c, "advise"))
    finally:
        os.kill(pid, signal.SIGCONT)
    c.ctl("server enable", "r", timeout=60)
    wait_for("it to follow", lambda: replica(c)[1]["follows"])


def test_nothing_moves_while_one_is_behind(c, busy):
    """Its table is locked there, so that it cannot apply what it gets."""
    wait_for("advice", lambda: held(c, "advise"))
    c.ctl("scaler set", "max_lag_s=2")
    with c.server_connect(c.replica_list()[0], "app") as root, root.cursor() as cursor:
        cursor.execute("LOCK TABLES t READ")
        why = wait_for("its hold", lambda: held(c, "health"))
        wait_for("the reason", lambda: sick(c).startswith("replica r of shard-1 is ")
                 and sick(c).endswith(" s behind"))
        assert wait_for("the shard's", lambda: (replica(c)[0]["lag_s"] or 0) > 2)
        c.ctl("scaler set", "max_lag_s=0")  # replicas do not matter
        wait_for("advice", lambda: held(c, "advise", why["number"]))
        with contextlib.suppress(pymysql.err.MySQLError):
            cursor.execute("UNLOCK TABLES")
    wait_for("it to catch up", lambda: replica(c)[1]["lag_s"] == 0)
    c.ctl("scaler set", "max_lag_s=30")


def test_nothing_moves_where_there_is_no_room(c, busy):
    wait_for("advice", lambda: held(c, "advise"))
    disk = os.statvfs(c.home)
    if disk.f_bavail > 0.89 * disk.f_blocks:
        pytest.skip("this disk is empty")
    c.ctl("scaler set", "free_disk=90")
    why = wait_for("its hold", lambda: held(c, "health"))
    assert "too little room for a copy" in why["text"]
    c.ctl("scaler set", "free_disk=0")
    wait_for("advice", lambda: held(c, "advise", why["number"]))


def test_after_a_failover_each_has_its_own_numbers(c):
    """The primary of before is a replica, and no shard, although its number was the shard's."""
    c.ctl("failover", "shard-1", timeout=60)
    seen = {}

    def whole():
        (shard,) = c.ctl("load")["shards"]
        other = next((r for r in shard["replicas"] if r["replica"] == "server-1"), None)
        seen.update(shard=shard, other=other)
        return other and other["follows"] and all(
            s[name] is not None for s in (shard, other) for name in RESOURCES)

    wait_for("the numbers of both", whole)
    assert seen["shard"]["shard"] == "shard-1" and seen["other"]["problem"] == ""
    assert metric(c, 'shardctl_replica_memory_ratio{shard="shard-1",replica="server-1"}') > 0
    points = c.ctl("load history", "server-1")["points"]
    assert {p["replica"] for p in points} == {"server-1"}
    assert c.ctl("load history", "shard-1")["points"][-1]["shard"] == "shard-1"
    assert {p["id"] for p in points}.isdisjoint({seen["shard"]["id"]})
