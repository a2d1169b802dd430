"""Appliers that have stopped at a branch of XA: after a crash of the replica between its log and
its engine, behind its engine but before its position, and after one of the primary's. They go on
by themselves where the replica provably has what stops it, and only there."""
import itertools
import os
import signal

import pymysql
import pytest

import movebed
from testbed import transaction_name, wait_for

ENDS = ["COMMIT", "ROLLBACK"]
WEEK_MS = 604800000
counter = itertools.count(1)


def ask(connection, sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


class Pair:
    """A primary and a replica of its, seen past shardd."""

    def __init__(self, c):
        self.c, self.shard = c, c.shard_list()[0]
        self.name = self.replicas()[0]["replica"]
        self.primary, self.other = (c.shard_connect(self.shard, "mend") for _ in range(2))
        self.server = self.row()

    def row(self):
        return next(r for r in self.c.replica_list() if r["replica"] == self.name)

    def replicas(self):
        return [r for r in self.c.replica_list() if r["shard"] == self.shard["name"]]

    def on(self, server, *statements):
        with self.c.server_connect(server, "mend") as root:
            return [ask(root, sql) for sql in statements][-1]

    def on_replica(self, *statements):
        return self.on(self.server, *statements)

    def run(self, *statements):
        for sql in statements:
            ask(self.primary, sql)

    def insert(self, number):
        ask(self.other, f"INSERT INTO t VALUES ({number})")

    def branch(self, number, end=None):
        self.run(f"XA START 'b{number}'", f"INSERT INTO t VALUES ({number})",
                 f"XA END 'b{number}'", f"XA PREPARE 'b{number}'")
        if end:
            self.run(f"XA {end} 'b{number}'")

    def end_once_more(self, number, end):
        """As a primary's log has it that was killed between log and engine."""
        with self.c.shard_connect(self.shard, "mend") as quiet:
            for sql in ("SET sql_log_bin = 0", f"XA START 'b{number}'",
                        f"INSERT INTO quiet VALUES ({number})", f"XA END 'b{number}'",
                        f"XA PREPARE 'b{number}'"):
                ask(quiet, sql)
        wait_for("its session to be gone", lambda: self.ends(number, end))

    def ends(self, number, how):
        try:
            ask(self.other, f"XA {how} 'b{number}'")
        except pymysql.err.OperationalError as error:
            assert error.args[0] == 1397, error
            return False
        return True

    def position(self):
        return ask(self.other, "SELECT @@gtid_binlog_pos")[0][0]

    def has(self, position):
        return self.on_replica(f"SELECT MASTER_GTID_WAIT('{position}', 0)") == ((0,),)

    def catches_up(self):
        wait_for("the replica", lambda: self.row().get("replicates") and
                 self.has(self.position()), 40)
        rows = ask(self.other, "SELECT id FROM t ORDER BY id")
        assert self.on_replica("SELECT id FROM t ORDER BY id") == rows
        assert self.on_replica("XA RECOVER") == ask(self.other, "XA RECOVER")
        wait_for("order to be strict again",  # a moment after what it was relaxed for
                 lambda: self.on_replica("SELECT @@gtid_strict_mode") == ((1,),))

    def stands(self, what):
        return any(what in str(row) for row in self.on_replica("SHOW PROCESSLIST"))

    def end_all(self):
        for row in ask(self.other, "XA RECOVER"):
            if row[3].startswith(b"b"):
                self.run(f"XA ROLLBACK '{row[3].decode()}'")

    def close(self):
        self.primary.close()
        self.other.close()


@pytest.fixture
def pair(replicated):
    replicated.sql("CREATE DATABASE mend")
    replicated.sql("CREATE TABLE mend.t (id INT PRIMARY KEY)")
    replicated.sql("CREATE TABLE mend.quiet (id INT PRIMARY KEY)")
    pair = Pair(replicated)
    try:
        pair.catches_up()
        yield pair
        pair.end_all()
        pair.catches_up()
    finally:
        pair.close()
        replicated.sql("DROP DATABASE mend")


def killed_between_log_and_engine(pair, act):
    """Its applier waits there: for a replica of its own."""
    with pair.c.controller_stopped():
        pair.on_replica(f"SET GLOBAL rpl_semi_sync_master_timeout = {WEEK_MS}",
                        "SET GLOBAL rpl_semi_sync_master_wait_point = AFTER_SYNC",
                        "SET GLOBAL rpl_semi_sync_master_enabled = 1")
        act()
        wait_for("the applier to wait", lambda: pair.stands("semi-sync ACK"))
        os.kill(pair.server["pid"], signal.SIGKILL)


@pytest.mark.parametrize("at", ["PREPARE", *ENDS])
def test_killed_between_its_log_and_its_engine(pair, at):
    if at != "PREPARE":
        pair.branch(1)
        pair.catches_up()
    killed_between_log_and_engine(pair, lambda: pair.branch(1) if at == "PREPARE" else
                                  pair.run(f"XA {at} 'b1'"))
    wait_for("another process", lambda: pair.row()["pid"] not in (0, None, pair.server["pid"]), 40)
    pair.catches_up()
    pair.insert(2)
    pair.catches_up()


def test_the_controller_is_killed_while_it_mends(pair):
    """What it has relaxed on the replica is strict again with the next one."""
    movebed.restart(pair.c, SHARDD_FAIL_AT="relaxed-order")
    killed_between_log_and_engine(pair, lambda: pair.branch(1))
    wait_for("the controller's end", lambda: movebed.controller(pair.c) is None, 60)
    assert pair.on_replica("SELECT @@gtid_strict_mode") == ((0,),)
    movebed.restart(pair.c)
    wait_for("strict mode", lambda: pair.on_replica("SELECT @@gtid_strict_mode") == ((1,),), 40)
    pair.catches_up()
    pair.insert(2)
    pair.catches_up()


def rewind(pair, position):
    """As a crash between the engine and the position leaves it."""
    pair.on_replica("STOP SLAVE", "SET GLOBAL gtid_strict_mode = OFF",
                    f"SET GLOBAL gtid_slave_pos = '{position}'",
                    "SET GLOBAL gtid_strict_mode = ON", "START SLAVE")


@pytest.mark.parametrize("at", ["PREPARE", *ENDS])
def test_killed_before_it_noted_its_position(pair, at):
    if at != "PREPARE":
        pair.branch(1)
    before = pair.position()
    wait_for("the replica", lambda: pair.has(before))
    if at == "PREPARE":
        pair.branch(1)
    else:
        pair.run(f"XA {at} 'b1'")
    wait_for("the replica", lambda: pair.has(pair.position()))
    rewind(pair, before)
    pair.catches_up()


@pytest.mark.parametrize("end", ENDS)
def test_a_primary_that_was_killed_ends_a_branch_again(pair, end):
    pair.branch(1, end)
    pair.insert(2)
    pair.end_once_more(1, end)
    pair.insert(3)
    pair.catches_up()


def test_a_commit_that_nobody_prepared_is_for_people(pair):
    pair.branch(1, "COMMIT")
    pair.end_once_more(2, "COMMIT")
    pair.insert(3)
    wait_for("its error", lambda: "XAER_NOTA" in pair.row().get("problem", ""), 20)
    for _ in range(2):  # it was looked at, and left as it is
        pair.c.ctl("status")
    assert "XA COMMIT X'6232'" in pair.row()["problem"]
    assert pair.on_replica("SELECT id FROM t ORDER BY id") == ((1,),)
    for replica in pair.replicas():
        pair.on(replica, "SET GLOBAL sql_slave_skip_counter = 1", "START SLAVE SQL_THREAD")
    pair.catches_up()
    wait_for("the other one", lambda: all(r.get("replicates") for r in pair.replicas()))


# --- branches that only a replica has -------------------------------------------------------


def orphan(pair, number):
    """Prepared in the primary's log, and lost by its engine; another shard would decide."""
    home = pair.c.shard_list()[1]["id"]
    gtrid = transaction_name(pair.c, home, next(counter))
    xid = f"'{gtrid}','{pair.shard['id']}'"
    with pair.c.shard_connect(pair.shard, "mend") as first:
        for sql in (f"XA START {xid}", f"INSERT INTO t VALUES ({number})", f"XA END {xid}",
                    f"XA PREPARE {xid}"):
            ask(first, sql)
    with pair.c.shard_connect(pair.shard, "mend") as second:
        ask(second, "SET sql_log_bin = 0")
        wait_for("its session to be gone", lambda: rolled_back(second, xid))
    wait_for("the branch", lambda: gtrid in branches(pair))
    return gtrid


def rolled_back(connection, xid):
    try:
        ask(connection, f"XA ROLLBACK {xid}")
    except pymysql.err.OperationalError as error:
        assert error.args[0] == 1397, error
        return False
    return True


def branches(pair):
    return str(pair.on_replica("XA RECOVER"))


def decide(pair, gtrid):
    pair.c.on_shard(pair.c.shard_list()[1], "INSERT INTO shardd.decision (xid, state) VALUES "
                    f"('{gtrid}', 'commit')")


def test_one_that_nobody_has_is_rolled_back(pair):
    """Once its transaction is aborted: one that may still be committed stays."""
    decided = orphan(pair, 1)
    decide(pair, decided)
    lost = orphan(pair, 2)
    wait_for("it to be rolled back", lambda: lost not in branches(pair), 40)
    assert decided in branches(pair)
    assert pair.c.on_shard(pair.c.shard_list()[1], "SELECT state FROM shardd.decision WHERE "
                           f"xid = '{lost}'") == (("abort",),)
    for replica in pair.replicas():
        wait_for("the branch", lambda r=replica: decided in str(pair.on(r, "XA RECOVER")))
        pair.on(replica, "SET sql_log_bin = 0",
                f"XA ROLLBACK '{decided}','{pair.shard['id']}'")
    pair.catches_up()


def test_one_that_is_in_the_appliers_way(pair):
    orphan(pair, 1)
    pair.insert(1)
    pair.catches_up()
