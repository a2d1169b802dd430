"""The controller dies at each step of a change of roles, and whoever comes next finishes it or
takes it back: what applications were told is done is there, and never are two servers of a shard
open."""
import contextlib
import os
import signal
import threading
import time

import pymysql
import pytest

import movebed
import testbed
from movebed import controller
from test_failover import Load, all_replicate, replicas_of, shard_of
from testbed import wait_for


@pytest.fixture(scope="module")
def c(scratch):
    """One shard with two replicas, and one without, so that commits have branches."""
    cluster = testbed.Cluster(scratch / "k", shards=2, settings=["--no-engine"])
    for _ in range(2):
        cluster.ctl("replica add", "shard-1")
    cluster.ctl("shard set", "shard-1", "--semi-sync", "on", "--reseed", "auto")
    cluster.sql("CREATE TABLE t (id BIGINT AUTO_INCREMENT PRIMARY KEY, n INT)")
    cluster.sql("CREATE TABLE g (id INT PRIMARY KEY, n INT) COMMENT 'shardd: global'")
    cluster.sql("CREATE TABLE r (id INT PRIMARY KEY, n INT) COMMENT 'shardd: reference'")
    cluster.sql("INSERT INTO g VALUES (1, 0)")
    cluster.sql("INSERT INTO r VALUES (1, 0)")
    yield cluster
    cluster.finish()


class Watcher:
    """Looks all the time which servers of the shard can be written to."""

    def __init__(self, c, servers):
        self.c, self.servers = c, servers
        self.stop, self.worst = threading.Event(), []

    def is_open(self, server):
        with contextlib.suppress(pymysql.err.MySQLError, OSError):
            with self.c.server_connect(server, connect_timeout=1, read_timeout=1) as root, \
                    root.cursor() as cursor:
                cursor.execute("SELECT @@read_only")
                return cursor.fetchone()[0] == 0
        return False

    def run(self):
        while not self.stop.is_set():
            # Looked at twice: one may close between the looks at two of them.
            first = [s["port"] for s in self.servers if self.is_open(s)]
            again = [s["port"] for s in self.servers if s["port"] in first and self.is_open(s)]
            if len(again) > len(self.worst):
                self.worst = again
            time.sleep(0.05)

    def __enter__(self):
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.stop.set()
        self.thread.join()
        assert exc[0] or len(self.worst) <= 1, self.worst


def restart(c, at=None):
    """A new controller in the place of the one that was killed; servers and shardd go on."""
    movebed.restart(c, **({"SHARDD_FAIL_AT": at} if at else {}))


def whole(c):
    """One primary and two replicas that follow it."""
    mine = replicas_of(c)
    return len(mine) == 2 and not any("suspect" in r for r in mine.values()) and all_replicate(c)


def started(c):
    c.sql("DELETE FROM t")
    c.sql("UPDATE g SET n = 0")
    return Load(c)


def long(*names):
    return [pytest.param(n, marks=pytest.mark.long) for n in names]


@pytest.mark.parametrize("at", [
    "failover-taken",
    *long("failover-held", "failover-let-go", "failover-chosen", "failover-applied",
          "failover-taken-open", "failover-taken-published")])
def test_while_a_dead_primary_is_replaced(c, at):
    wait_for("three servers", lambda: whole(c), 60)
    restart(c, at)
    before = shard_of(c)
    with started(c) as load, Watcher(c, [before, *replicas_of(c).values()]):
        testbed.stop_process(before["pid"])
        wait_for("the controller's end", lambda: controller(c) is None, 60)
        restart(c)
        load.goes_on()
    after = shard_of(c)
    assert (after.get("server_id", 1) != before.get("server_id", 1)) == ("taken" in at)
    load.check()
    wait_for("three servers", lambda: whole(c), 60)


@pytest.mark.parametrize("at", long(
    "failover-fenced", "failover-frozen", "failover-recorded", "failover-opened",
    "failover-published", "failover-cut-off"))
def test_while_a_primary_is_changed(c, at):
    wait_for("three servers", lambda: whole(c), 60)
    restart(c, at)
    before = shard_of(c)
    with started(c) as load, Watcher(c, [before, *replicas_of(c).values()]):
        assert c.ctl_raw("failover", "shard-1").returncode != 0
        assert controller(c) is None
        restart(c)
        load.goes_on()
    after = shard_of(c)
    assert (after.get("server_id", 1) != before.get("server_id", 1)) == (
        at not in ("failover-fenced", "failover-frozen"))
    load.check()
    wait_for("three servers", lambda: whole(c), 60)


@contextlib.contextmanager
def appliers_held(c, servers):
    """They have all, and apply none of it: somebody has a lock on the row."""
    with contextlib.ExitStack() as inside:
        for server in servers:
            root = inside.enter_context(c.server_connect(server, "app"))
            cursor = inside.enter_context(root.cursor())
            cursor.execute("BEGIN")
            cursor.execute("SELECT * FROM g WHERE id = 1 FOR UPDATE")
            assert cursor.rowcount == 1
        yield


def behind_s(c):
    return c.ctl("shard show", "shard-1")["watch"].get("behind_s", 0)


def test_who_has_applied_more_takes_the_place(c):
    """Both replicas have got all. What it would take is told before; statements wait for that only
    which the better one has not applied."""
    wait_for("three servers", lambda: whole(c), 60)
    first, other = sorted(replicas_of(c).values(), key=lambda r: r["id"])
    before = shard_of(c)
    with appliers_held(c, [first]):
        with appliers_held(c, [other]):
            c.sql("UPDATE g SET n = n + 1")
            wait_for("both to be behind", lambda: behind_s(c) >= 2, 30)
            said = c.ctl_raw("failover", "shard-1", "--dry-run").stdout
            assert "s behind" in said and "lost now" in said, said
        wait_for("one to be well", lambda: behind_s(c) == 0, 30)
        testbed.stop_process(before["pid"])
        wait_for("another primary", lambda: shard_of(c).get("server_id", 1) !=
                 before.get("server_id", 1), 60)
        assert shard_of(c)["server_id"] == other["id"]
    c.sql("UPDATE g SET n = n + 1")
    wait_for("three servers", lambda: whole(c), 60)


def disk_of(c, server):
    with c.server_connect(server) as root, root.cursor() as cursor:
        cursor.execute("SELECT @@sync_binlog, @@innodb_flush_log_at_trx_commit")
        return cursor.fetchone()


@pytest.mark.long
def test_while_a_replica_hurries(c):
    """It has much to apply, and need not have each transaction on its disk meanwhile: it must
    again with the next controller."""
    wait_for("three servers", lambda: whole(c), 60)
    restart(c, "relaxed-disk")
    before, replicas = shard_of(c), replicas_of(c).values()
    with appliers_held(c, replicas):
        c.sql("UPDATE g SET n = n + 1")
        testbed.stop_process(before["pid"])
        wait_for("the controller's end", lambda: controller(c) is None, 60)
        assert (0, 2) in [disk_of(c, r) for r in replicas]
    restart(c)
    wait_for("three servers", lambda: whole(c), 60)
    assert {disk_of(c, r) for r in [shard_of(c), *replicas_of(c).values()]} == {(1, 1)}


@pytest.mark.parametrize("at", long("restart-drained", "restart-restarted", "restart-switched"))
def test_while_servers_are_restarted(c, at):
    wait_for("three servers", lambda: whole(c), 60)
    restart(c, at)
    with started(c) as load:
        assert c.ctl_raw("shard restart", "shard-1").returncode != 0
        restart(c)
        load.goes_on()
    load.check()
    assert all(r["state"] == "serving" for r in replicas_of(c).values())
    wait_for("three servers", lambda: whole(c), 60)


@pytest.mark.long
def test_a_primary_hangs_and_the_controller_is_away(c):
    """Who starts then does not wait for it: it replaces it."""
    wait_for("three servers", lambda: whole(c), 60)
    before = shard_of(c)
    with started(c) as load:
        os.kill(controller(c), signal.SIGKILL)
        testbed.stop_process(before["pid"])
        restart(c)
        wait_for("another primary", lambda: shard_of(c).get("server_id", 1) !=
                 before.get("server_id", 1), 60)
        load.goes_on()
    load.check()
    assert not testbed.alive(before["pid"])
    wait_for("three servers", lambda: whole(c), 60)
