"""test_monitor.py - the load of shards, as the controller measures it."""
import json
import os

import pytest

import testbed
from testbed import wait_for


@pytest.fixture(scope="module")
def c(scratch):
    cluster = testbed.Cluster(scratch / "monitor")
    cluster.ctl_raw("load set", "--interval", "1")
    cluster.sql("CREATE TABLE t (id INT PRIMARY KEY, b INT)")
    cluster.sql("CREATE TABLE names (name VARCHAR(50) PRIMARY KEY)")
    yield cluster
    cluster.finish()


def loads(c):
    return {s["shard"]: s for s in c.ctl("load")["shards"]}


def measured(c, shard, *fields):
    one = loads(c).get(shard, {})
    return one if all(one.get(f) is not None for f in fields) else None


def points(c, shard):
    return c.ctl("load history", shard)["points"]


def test_servers_and_their_processes(c):
    one = wait_for("numbers", lambda: measured(c, "shard-1", "threads_connected", "cpu", "memory",
                                               "disk_free", "bytes", "buffer_pool"))
    assert one["threads_connected"] >= 1 and one["max_connections"] > 1
    assert 0 <= one["cpu"] <= 1 and 0 < one["memory"] < 1 and 0 < one["buffer_pool"] <= 1
    assert 0 < one["cpu_limit"] <= os.cpu_count()
    disk = os.statvfs(c.shard_list()[0]["directory"])
    assert abs(one["disk_free"] - disk.f_bavail * disk.f_frsize) < 0.2 * one["disk_free"]
    assert "shard-1" in c.ctl_raw("load").stdout
    assert one["lag_s"] is None  # it has no replicas: not 0


def test_statements_latencies_and_errors_by_shard(c):
    """What was counted over all points is what was done, on the shard where it was done."""
    with c.connect(autocommit=True) as db, db.cursor() as cursor:
        cursor.execute("INSERT INTO t VALUES (1, 1)")
        shard = next(s["name"] for s in c.shard_list()
                     if c.on_shard(s, "SELECT COUNT(*) FROM t", db="app")[0][0])
        before = len(points(c, shard))
        for _ in range(500):
            cursor.execute("SELECT b FROM t WHERE id = 1")
        for _ in range(20):
            with pytest.raises(Exception):
                cursor.execute("SELECT no_such FROM t WHERE id = 1")

    def seen():
        new = points(c, shard)[before:]
        return (new and sum(p["statements_per_s"] * p["seconds"] for p in new) > 515
                and sum(p["errors_per_s"] * p["seconds"] for p in new) > 15 and new)

    new = wait_for("the points", seen)
    assert sum(p["statements_per_s"] * p["seconds"] for p in new) < 600
    assert 15 < sum(p["errors_per_s"] * p["seconds"] for p in new) < 25
    busy = max(new, key=lambda p: p["statements_per_s"])
    assert 0 < busy["latency_p50_us"] <= busy["latency_p95_us"] <= busy["latency_p99_us"]
    assert busy["latency_mean_us"] > 0
    assert new[-1]["connections"] >= 1


def test_statements_by_their_time(c):
    """Of all workers together; values are left out, errors are counted, the slow one is first."""
    with c.connect(autocommit=True) as db, db.cursor() as cursor:
        for i in range(60):
            cursor.execute("SELECT b AS timed FROM t WHERE id = %s", (i,))
        cursor.execute("SELECT SLEEP(0.6), 'a secret'")
        for _ in range(3):
            with pytest.raises(Exception):
                cursor.execute("SELECT missing AS timed FROM t WHERE id = 5")
        cursor.execute("DO 1")  # who leaves amid the end of a statement is not counted

    def find(by):
        rows = c.ctl("statements", "--order", by, "--limit", "1000")["statements"]
        told = " ".join(r["statement"].lower() for r in rows if r["calls"] in (1, 3, 60))
        return all(word in told for word in ("b as timed", "sleep(?)", "missing")) and rows

    rows = wait_for("the statements", lambda: find("max"))
    assert [r["max_ms"] for r in rows] == sorted((r["max_ms"] for r in rows), reverse=True)
    slow = next(r for r in rows if "sleep(?)" in r["statement"].lower())
    assert slow["max_ms"] >= 600 and slow["plan"] and slow["database"] == "app"
    assert "secret" not in json.dumps(rows)
    many = next(r for r in rows if "b as timed" in r["statement"].lower())
    assert many["calls"] == 60 and many["errors"] == 0 and "id = ?" in many["statement"]
    assert 0 < many["mean_ms"] <= many["max_ms"] and many["total_s"] > 0
    failed = find("errors")
    assert [r["errors"] for r in failed] == sorted((r["errors"] for r in failed), reverse=True)
    assert next(r for r in failed if "missing" in r["statement"])["errors"] == 3
    assert sum(r["share"] for r in rows) == pytest.approx(1, abs=0.01)
    assert "sleep(?)" in c.ctl_raw("statements").stdout.lower()
    assert c.ctl_raw("statements", "--order", "luck").returncode == 2


def test_hot_keys_and_ranges(c):
    with c.connect(autocommit=True) as db, db.cursor() as cursor:
        for i in range(4000):
            cursor.execute("SELECT b FROM t WHERE id = %s", (i if i % 4 else 777,))
            if i % 4 == 0:
                cursor.execute("INSERT IGNORE INTO names VALUES ('Grüße'), ('x\n')")

    def found():
        told = c.ctl("load keys")
        return {k["key"] for k in told["keys"]} >= {"777", "Grüße", "780a"} and told

    everything = wait_for("hot keys", found)
    keys = {k["table"]: k for k in reversed(everything["keys"])}
    assert keys["app.t"]["key"] == "777" and keys["app.t"]["share"] > 0
    hot = next(k for k in everything["keys"] if k["key"] == "777")
    home = next(r for r in everything["ranges"] if r["start"] <= hot["hash"] <= r["last"])
    assert home["shard"] == hot["shard"] and home["per_s"] > 0
    assert {h["shard"] for h in everything["halves"]} == {"shard-1", "shard-2"}
    assert all(0.2 < h["share"] < 0.8 for h in everything["halves"])
    text = c.ctl_raw("load keys").stdout
    assert "app.t" in text and "Grüße" in text and hot["hash"] in text


def test_bad_questions(c):
    assert c.ctl_raw("load history", "nobody").returncode == 1
    assert c.ctl_raw("load history", "shard-1", "--since", "x").returncode == 2
    assert c.ctl_raw("load set", "--interval", "0").returncode == 2
    assert c.ctl_raw("load set").returncode == 2
    all_points = points(c, "shard-2")
    assert [p["at_ms"] for p in all_points] == sorted({p["at_ms"] for p in all_points})


def test_one_that_does_not_answer_costs_only_its_own_numbers(c):
    """Not even another of its own: the disk is there."""
    pid = c.shard_list()[1]["pid"]
    os.kill(pid, 19)
    try:
        one = wait_for("its problem", lambda: next(
            (s for s in loads(c).values() if s["shard"] == "shard-2" and any(
                k["collector"] == "server" and k["problem"] for k in s["collectors"])), None))
        assert one["disk_free"] > 0
        assert "shard-2: server is not measured" in c.ctl_raw("load").stdout
        wait_for("it to be stale", lambda: loads(c)["shard-2"]["threads_connected"] is None)
        assert measured(c, "shard-1", "threads_connected", "cpu")
    finally:
        os.kill(pid, 18)
    wait_for("its numbers", lambda: measured(c, "shard-2", "threads_connected"))
