"""test_replica_health.py - replicas as the monitor sees them, and what the scaler makes of it: rows
do not move while health or room say no."""
import contextlib
import itertools
import os
import signal
import threading
import urllib.request

import pymysql
import pytest

import testbed
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
    with urllib.request.urlopen(f"http://{c.metrics}/metrics", timeout=20) as answer:
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
                        got[1]["follows"] and got)
    assert (r["answers"], r["wanted"], r["problem"], r["lag_s"]) == (True, True, "", 0)
    shard = wait_for("the shard's", lambda: (got := replica(c)[0])["lag_s"] == 0 and got)
    assert (shard["replicas_wanted"], shard["replicas_following"]) == (1, 1)
    assert metric(c, 'shardctl_shard_replica_lag_seconds{shard="shard-1"}') == 0
    assert metric(c, 'shardctl_replica_replicates{shard="shard-1",replica="r"}') == 1
    assert "does not follow" not in c.ctl_raw("load").stdout


def test_nothing_moves_while_one_does_not_answer(c, busy):
    wait_for("advice", lambda: held(c, "advise"))
    pid = c.replica_list()[0]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        why = wait_for("its hold", lambda: held(c, "health"))
        assert "replica r does not follow shard-1" in why["text"]
        assert c.ctl("scaler explain", why["number"])["replayed"]["text"] == why["text"]
        shard, r = replica(c)
        assert not r["answers"] and r["lag_s"] is None and r["problem"]
        assert shard["threads_connected"] >= 1  # the shard's own numbers are there
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
