"""Another server becomes a shard's primary: asked for, and because the one before is dead. What
applications were told is done is there."""
import concurrent.futures
import contextlib
import json
import os
import pathlib
import signal
import threading
import time

import pymysql
import pytest

import movebed
import testbed
from testbed import wait_for


def shard_of(c, name="shard-1"):
    return next(s for s in c.shard_list() if s["name"] == name)


def replicas_of(c, name="shard-1"):
    return {r["replica"]: r for r in c.replica_list() if r["shard"] == name}


def all_replicate(c):
    return all(r.get("replicates") for r in replicas_of(c).values())


@pytest.fixture(scope="module")
def served(scratch):
    """Two shards, each with two replicas, and commits that wait for one."""
    c = testbed.Cluster(scratch / "f", shards=2, settings=["--replicas", 2])
    c.sql("CREATE TABLE t (id BIGINT AUTO_INCREMENT PRIMARY KEY, n INT)")
    c.sql("CREATE TABLE g (id INT PRIMARY KEY, n INT) COMMENT 'shardd: global'")
    c.sql("CREATE TABLE r (id INT PRIMARY KEY, n INT) COMMENT 'shardd: reference'")
    c.sql("INSERT INTO g VALUES (1, 0)")
    c.sql("INSERT INTO r VALUES (1, 0)")
    yield c
    c.finish()


class Load:
    """Clients that write and read until the end of the block; `told` are ids that the cluster said
    it has, `added` what global and reference row must have at least."""

    def __init__(self, c):
        self.c, self.stop = c, threading.Event()
        self.told, self.failed, self.added, self.steps = set(), [], 0, [0] * 4

    def insert(self, app, cursor):
        cursor.execute("INSERT INTO t (n) VALUES (1)")
        self.told.add(cursor.lastrowid)

    def both(self, app, cursor):
        app.begin()
        cursor.execute("INSERT INTO t (n) VALUES (2), (3), (4)")
        first = cursor.lastrowid
        cursor.execute("UPDATE g SET n = n + 1")
        app.commit()
        self.told.update(range(first, first + 3))
        self.added += 1

    def reference(self, app, cursor):
        cursor.execute("UPDATE r SET n = n + 1")

    def read(self, app, cursor):
        cursor.execute("SELECT COUNT(*), MAX(id) FROM t")
        cursor.execute("SELECT g.n FROM g JOIN r ON g.id = r.id")

    def run(self, number):
        while not self.stop.is_set():
            with contextlib.suppress(pymysql.err.MySQLError), self.c.connect() as app, \
                    app.cursor() as cursor:
                while not self.stop.is_set():
                    try:
                        (self.insert, self.both, self.reference, self.read)[number](app, cursor)
                    except pymysql.err.MySQLError as error:
                        self.failed.append(error.args)
                        time.sleep(0.02)
                        raise
                    self.steps[number] += 1

    def __enter__(self):
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(4)]
        for thread in self.threads:
            thread.start()
        self.goes_on()
        return self

    def goes_on(self):
        """Each client gets on."""
        before = list(self.steps)
        wait_for("all clients", lambda: all(a > b for a, b in zip(self.steps, before)), 60)

    def __exit__(self, *exc):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def check(self):
        rows = {r[0] for r in self.c.sql("SELECT id FROM t")}
        assert self.told <= rows, sorted(self.told - rows)[:10]
        assert self.c.sql("SELECT n FROM g")[0][0] >= self.added


@pytest.fixture
def load(served):
    served.sql("DELETE FROM t")
    served.sql("UPDATE g SET n = 0")
    return Load(served)


def test_switching_there_and_back_fails_nothing(served, load):
    c = served
    planned = c.ctl("failover", "shard-1", "--dry-run")
    assert planned["to"] == "replica-1" and not planned["done"]
    with load:
        for to in ("replica-2", "server-1", "replica-1", "server-1"):
            done = c.ctl("failover", "shard-1", "--to-replica", to)
            assert (done["to"], done["done"]) == (to, True) and done["pause_ms"] > 0
            load.goes_on()
            wait_for("the others", lambda: all_replicate(c))
    assert not load.failed, load.failed[:3]
    load.check()
    assert shard_of(c)["server_id"] == shard_of(c)["id"] and shard_of(c)["epoch"] >= 4
    # All of them have the same now, and only the primary takes writes.
    shard = shard_of(c)
    for replica in replicas_of(c).values():
        with c.server_connect(replica, "app") as root, root.cursor() as cursor:
            cursor.execute("SELECT MASTER_GTID_WAIT(%s, 60)",
                           c.on_shard(shard, "SELECT @@gtid_binlog_pos")[0][0])
            for sql in ("SELECT @@read_only", "CHECKSUM TABLE t", "CHECKSUM TABLE g"):
                cursor.execute(sql)
                want = ((1,),) if "only" in sql else tuple(c.on_shard(shard, sql, "app"))
                assert cursor.fetchall() == want, sql
    assert c.on_shard(shard, "SELECT @@read_only") == ((0,),)


def test_what_is_refused(served):
    c = served
    for args, says in ((("nowhere",), "nowhere"),
                       (("shard-1", "--to-replica", "x"), "no replica x"),
                       (("shard-1", "--to-replica", "replica-3"), "no replica replica-3")):
        done = c.ctl_raw("failover", *args)
        assert done.returncode == 1 and says in done.stderr, done.stderr
    for name in replicas_of(c):
        c.ctl("server disable", name)
    assert "no replica that could" in c.ctl_raw("failover", "shard-1").stderr
    for name in replicas_of(c):
        c.ctl("server enable", name)


def test_a_replica_is_about_to_connect(served):
    """As behind a start of its server: it is waited for."""
    c = served
    for replica in replicas_of(c).values():
        with c.server_connect(replica) as root, root.cursor() as cursor:
            cursor.execute("STOP SLAVE IO_THREAD")
    assert c.ctl("failover", "shard-1", "--dry-run")["to"] in replicas_of(c)
    wait_for("the others", lambda: all_replicate(c))


def test_a_transaction_in_the_way(served):
    """It is waited for, then the primary stays; or it is cut."""
    c = served
    c.sql("REPLACE INTO t VALUES (1000000, 1)")
    with c.connect() as app, app.cursor() as cursor:
        app.begin()
        cursor.execute("UPDATE g SET n = n + 1")
        done = c.ctl_raw("failover", "shard-1")
        assert done.returncode == 1 and "stays" in done.stderr, done.stderr
        cursor.execute("UPDATE g SET n = n + 1")
        app.commit()
        app.begin()
        cursor.execute("UPDATE g SET n = n + 1")
        assert c.ctl("failover", "shard-1", "--cut-transactions")["done"]
        with pytest.raises(pymysql.err.OperationalError) as refused:
            cursor.execute("UPDATE g SET n = n + 1")
            app.commit()
        assert refused.value.args[0] == 1213
    c.ctl("failover", "shard-1", "--to-replica", "server-1")


@pytest.mark.parametrize("at", [
    "failover-frozen", "failover-recorded",
    *(pytest.param(p, marks=pytest.mark.long) for p in ("failover-fenced", "failover-opened"))])
def test_the_controller_dies_meanwhile(served, at):
    """Before the catalog has it everything is as before; behind that it is finished."""
    c = served
    c.down()
    c.up(SHARDD_FAIL_AT=at)
    before = shard_of(c).get("server_name", "server-1")
    assert c.ctl_raw("failover", "shard-1").returncode != 0
    wait_for("the controller's end", lambda: movebed.controller(c) is None)
    c.up()
    after = shard_of(c).get("server_name", "server-1")
    assert (after != before) == (at in ("failover-recorded", "failover-opened"))
    c.sql("UPDATE g SET n = n + 1")
    wait_for("the others", lambda: all_replicate(c))
    if after != before:
        c.ctl("failover", "shard-1", "--to-replica", before)


def test_a_transaction_is_resolved_meanwhile(served):
    """Who ends a branch waits for the change, and ends it on the server that is the primary by
    then."""
    c = served
    c.sql("CREATE TABLE a (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)")
    c.sql("INSERT INTO a VALUES " + ",".join(f"({i}, 100)" for i in range(24)))
    movebed.restart(c, SHARDD_STOP_AT="failover-frozen")
    gtrid, before = testbed.half_commit(c), shard_of(c, "shard-2")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        change = pool.submit(c.ctl_raw, "failover", "shard-2", timeout=120)
        wait_for("the controller to stand", lambda: stands(movebed.controller(c)), 60)
        resolved = pool.submit(c.ctl_raw, "txn resolve", gtrid, timeout=120)
        time.sleep(0.5)  # its request is there; later it would prove less, and be as right
        os.kill(movebed.controller(c), signal.SIGCONT)
        assert change.result().returncode == 0, change.result().stderr
        assert resolved.result().returncode == 0, resolved.result().stderr
    assert shard_of(c, "shard-2").get("server_id") != before.get("server_id", 2)
    assert c.sql("SELECT SUM(n) FROM a")[0][0] == 2400
    wait_for("it to be ended everywhere", lambda: not any(
        gtrid in str(prepared(c, s)) for s in [shard_of(c, "shard-2"),
                                               *replicas_of(c, "shard-2").values()]))
    c.ctl("failover", "shard-2", "--to-replica", "server-2")
    c.sql("DROP TABLE a")


def stands(pid):
    """Stopped, as SHARDD_STOP_AT does it."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def prepared(c, server):
    with c.server_connect(server) as root, root.cursor() as cursor:
        cursor.execute("XA RECOVER")
        return cursor.fetchall()


def test_a_primary_that_hangs_is_replaced(served, load):
    """It is stopped while applications write, one of them past shardd: that one's commits wait for
    a replica as well, and are in vain."""
    c = served
    assert "did not wait for a replica" not in c.ctl_raw("shard set", "shard-1", "--semi-sync",
                                                         "on").stderr
    c.ctl("shard set", "shard-2", "--semi-sync", "on")
    before = shard_of(c)
    stubborn = c.server_connect(before, "app")
    with load:
        load.goes_on()
        testbed.stop_process(before["pid"])
        wait_for("another primary", lambda: shard_of(c).get("server_name", "server-1") !=
                 "server-1", 60)
        load.goes_on()
    load.check()
    # The one before is dead, whoever was connected to it too, and nobody starts it again.
    with pytest.raises(pymysql.err.OperationalError):
        stubborn.cursor().execute("UPDATE g SET n = -1")
    lost = replicas_of(c)["server-1"]
    assert not testbed.alive(before["pid"]) and "replaced" in lost["suspect"]
    assert c.ctl_raw("server enable", "server-1").returncode == 1
    assert "no replica server-1" in c.ctl_raw("failover", "shard-1", "--to-replica",
                                              "server-1").stderr
    job = wait_for("its job to be done", lambda: next(
        (j for j in c.ctl("job list")["jobs"] if j["what"] == "replace a primary that is lost"
         and j["state"] == "done"), None))
    assert "server-1" in job["steps"][0]
    c.down()
    c.up()
    assert not testbed.processes_of(c.home / "shard-1")
    load.check()
    c.ctl("replica remove", "server-1")
    c.ctl("replica add", "shard-1")
    wait_for("all to replicate", lambda: all_replicate(c))


def test_without_waiting_commits_it_is_not_replaced(served):
    c = served
    c.ctl("shard set", "shard-2", "--semi-sync", "off")
    before = shard_of(c, "shard-2")
    testbed.stop_process(before["pid"])
    try:
        done = c.ctl_raw("failover", "shard-2")
        assert done.returncode == 1 and "semi-sync" in done.stderr, done.stderr
    finally:
        os.kill(before["pid"], signal.SIGCONT)
    assert c.sql("SELECT COUNT(*) FROM r")
    assert shard_of(c, "shard-2").get("epoch", 0) == before.get("epoch", 0)


def test_what_is_known_of_a_shard(served):
    """Primary, replicas with lag and score, who hears whom, the last change."""
    c = served
    for _ in range(20):
        c.sql("/* shardd: consistency=eventual */ SELECT COUNT(*) FROM t")

    def well():
        shown = c.ctl("shard show", "shard-1")
        watch = shown["watch"]
        return (watch.get("answers") and watch["silent_ms"] == 0
                and watch["workers_that_hold_it_for_down"] == 0
                and all(r["lag_s"] == 0 and r["breaker"] == "closed"
                        for r in shown["replicas"]) and shown)

    shown = wait_for("all to be well", well)
    assert shown["primary"] == shard_of(c).get("server_name", "server-1")
    assert shown["last_failover"] == shown["failovers"][0]
    for replica in shown["replicas"]:
        assert 0 <= replica["score"] <= 100
        assert "score_errors" in replica and "score_latency" in replica
    listed = c.ctl("failovers")["failovers"]
    assert listed[0]["at_ms"] >= listed[-1]["at_ms"]
    kinds = {(f["shard"], f["kind"]) for f in listed}
    assert ("shard-1", "planned") in kinds and ("shard-1", "lost") in kinds
    assert all(not f["may_be_lost"] and f["who"] and f["why"] and f.get("pause_ms", 1) > 0
               for f in listed)
    text = c.ctl_raw("shard show", "shard-1").stdout
    assert "last_failover" in text and "verdict" in text, text


def test_a_rolling_restart_fails_nothing(served, load):
    """All three processes are others, and the primary another one."""
    c = served
    before = {s["pid"] for s in [shard_of(c), *replicas_of(c).values()]}
    planned = c.ctl("shard restart", "shard-1", "--dry-run")
    assert not planned["done"] and len(planned["steps"]) == 4
    assert {s["pid"] for s in [shard_of(c), *replicas_of(c).values()]} == before
    with load:
        done = c.ctl("shard restart", "shard-1")
        load.goes_on()
    assert not load.failed, load.failed[:3]
    load.check()
    assert [s.split()[0] for s in done["steps"]] == ["restart", "restart", "switch", "restart"]
    assert not before & {s["pid"] for s in [shard_of(c), *replicas_of(c).values()]}
    assert all(r["state"] == "serving" for r in replicas_of(c).values())
    wait_for("the others", lambda: all_replicate(c))


def test_somebody_insists(served):
    """Without waiting commits what no replica has is lost, and that is said."""
    c = served
    c.ctl("shard set", "shard-2", "--semi-sync", "off")
    before = shard_of(c, "shard-2")
    name = before.get("server_name", "server-2")
    testbed.stop_process(before["pid"])
    done = c.ctl("failover", "shard-2", "--force")
    assert done["done"] and done["may_be_lost"] and done["from"] == name
    assert not testbed.alive(before["pid"])
    assert c.sql("SELECT COUNT(*) FROM r")
    last = c.ctl("shard show", "shard-2")["last_failover"]
    assert (last["kind"], last["may_be_lost"], last["from"]) == ("forced", True, name)
    # Another server comes in its place, by one verb; and by itself.
    c.ctl("server reseed", name)
    now = replicas_of(c, "shard-2")
    assert name not in now and len(now) == 2 and not any("suspect" in r for r in now.values())
    c.ctl("shard set", "shard-2", "--semi-sync", "on", "--reseed", "auto")
    dead = shard_of(c, "shard-2")
    os.kill(dead["pid"], signal.SIGSTOP)
    wait_for("another primary",
             lambda: shard_of(c, "shard-2")["server_name"] != dead["server_name"], 60)
    wait_for("three servers", lambda: len(replicas_of(c, "shard-2")) == 2 and
             all(r.get("replicates") for r in replicas_of(c, "shard-2").values()), 60)
    wait_for("its folder to be gone",
             lambda: not (c.home / f"replica-{dead['server_id']}").exists())


def test_a_replica_that_hangs_keeps_nothing_from_the_others(served):
    """Another one that gets nothing from its primary is started; and what is wrong for long is
    told."""
    c = served
    hangs, other = sorted((r for r in replicas_of(c).values() if r["shard"] == "shard-1"),
                          key=lambda r: r["id"])

    def told(what):
        lines = map(json.loads, (c.home / "shardctl.log").read_text().splitlines()[before:])
        return [e for e in lines if e["message"].startswith(what)]

    before = len((c.home / "shardctl.log").read_text().splitlines())
    c.ctl("shard set", "shard-1", "--semi-sync", "on")
    testbed.stop_process(hangs["pid"])
    try:
        with c.server_connect(other) as root, root.cursor() as cursor:
            cursor.execute("STOP SLAVE IO_THREAD")
        wait_for("the other to go on", lambda: replicas_of(c)[other["replica"]].get("replicates"))
        wait_for("a word about it", lambda: told(f"replica {hangs['replica']}: it does not answer"),
                 60)
        wait_for("a word about the shard",
                 lambda: told("shard shard-1: its servers are not all"), 60)
    finally:
        os.kill(hangs["pid"], signal.SIGCONT)
    wait_for("its end", lambda: told(f"replica {hangs['replica']}: it replicates as it should"))
    c.ctl("shard set", "shard-1", "--semi-sync", "off")
