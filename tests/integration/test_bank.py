"""Money moves while everything is killed: worker, master, controller and shards, one of them
every second. Nothing of what a client was told may be wrong (bank.py checks)."""
import os
import random
import signal
import subprocess
import threading
import time

import pymysql
import pytest

import bank
import testbed
from bank import COMMITTED, FAILED, START, UNKNOWN, Transfer

PATIENCE_IN_DOUBT_S = 10 if testbed.MODE == "release" else 20


def transfer(number=1, told=COMMITTED, table="ledger"):
    return Transfer(number, table, 0, 1, 5, 0, 0, told)


WHOLE = [(0, 1, -5), (1, 1, 5)]
MOVED = {0: START - 5, 1: START + 5}
STILL = {0: START, 1: START}


@pytest.mark.parametrize("accounts,ledger,notes,history,wrong", [
    (STILL, [], [], [], 0),
    (MOVED, WHOLE, [], [transfer()], 0),
    (MOVED, WHOLE, [], [transfer(told=UNKNOWN)], 0),
    (STILL, [], [], [transfer(told=UNKNOWN)], 0),
    (STILL, [], [], [transfer(told=FAILED)], 0),
    (STILL, [], WHOLE, [transfer(table="notes")], 0),
    (STILL, [], [], [transfer()], 1),                                 # lost
    (MOVED, WHOLE, [], [transfer(told=FAILED)], 1),                   # there all the same
    (MOVED, WHOLE, [], [], 1),                                        # nobody's
    (STILL, WHOLE, [], [transfer()], 2),                              # the ledger alone
    (MOVED, [], [], [transfer(told=UNKNOWN)], 2),                     # the accounts alone
    ({0: START - 5, 1: START}, WHOLE[:1], [], [transfer(told=UNKNOWN)], 2),  # half
    (STILL, [], WHOLE[1:], [transfer(told=UNKNOWN, table="notes")], 1),      # half a statement
    ({0: START}, [], [], [], 2),                                      # an account is gone
    (MOVED, [(0, 1, -6), (1, 1, 6)], [], [transfer()], 3),            # another amount
    (MOVED, WHOLE, [], [transfer(), transfer()], 1),                  # one number twice
    (STILL, [], WHOLE, [transfer()], 2),                              # in the other table
])
def test_the_checker_sees(accounts, ledger, notes, history, wrong):
    found = bank.check(accounts, {"ledger": ledger, "notes": notes}, history, 2)
    assert len(found) == wrong, found


class Killer:
    """kill -9 of one thing a second; what nobody else restarts is restarted here."""

    def __init__(self, cluster, seed):
        self.cluster = cluster
        self.random = random.Random(seed)
        self.killed = {}
        self.starting = None

    def programs(self):
        """{pid: name of the program} of what runs for the cluster."""
        found = {}
        for pid in testbed.processes_of(self.cluster.home):
            try:
                found[pid] = os.path.basename(os.readlink(f"/proc/{pid}/exe"))
            except OSError:
                pass
        return found

    def candidates(self, what):
        programs = self.programs()
        if what == "shard":
            return [p for p, name in programs.items() if name.startswith("mariadbd")]
        if what == "controller":
            verbs = testbed.children(os.getpid())  # what this test runs itself
            return [p for p, name in programs.items()
                    if name.startswith("shardctl") and p not in verbs]
        ours = {p for p, name in programs.items() if name.startswith("shardd")}
        workers = {c for p in ours for c in testbed.children(p)} & ours
        return list(workers if what == "worker" else ours - workers)

    def kill(self):
        what = self.random.choice(["worker", "worker", "master", "controller", "shard", "shard"])
        victims = self.candidates(what)
        if not victims:
            return
        try:
            os.kill(self.random.choice(victims), signal.SIGKILL)
        except ProcessLookupError:
            return
        self.killed[what] = self.killed.get(what, 0) + 1
        if what == "controller":
            self.start_controller()

    def start_controller(self):
        if self.starting is None or not self.starting.is_alive():
            self.starting = threading.Thread(target=self.up, daemon=True)
            self.starting.start()

    def up(self):
        """Until it works: what is killed meanwhile is in its way."""
        c = self.cluster
        for _ in range(100):
            done = c.ctl_raw("up", "--shards", c.shards, "--port", c.port, "--http-port",
                             c.http_port, "--workers", c.workers, "--detach", timeout=120)
            if done.returncode == 0:
                return
            time.sleep(0.1)

    def settle(self):
        """Nothing is killed any more; everything is up."""
        if not self.candidates("controller"):
            self.start_controller()
        if self.starting is not None:
            self.starting.join(120)
        testbed.wait_for("everything to be up", self.all_up, 120)

    def all_up(self):
        try:
            if not self.cluster.ready():
                return False
            if not all(self.cluster.on_shard(s, "SELECT 1") for s in self.cluster.shard_list()):
                return False
            self.cluster.sql("SELECT COUNT(*) FROM accounts")
            return True
        except (pymysql.err.MySQLError, AssertionError, OSError, subprocess.SubprocessError):
            return False


def in_doubt(cluster):
    return [row for s in cluster.shard_list() for row in cluster.on_shard(s, "XA RECOVER")]


def look(cluster, the_bank, killer):
    """A quiet point."""
    the_bank.quiet(testbed.wait_for)
    killer.settle()
    testbed.wait_for("the resolver", lambda: not in_doubt(cluster), PATIENCE_IN_DOUBT_S)
    problems = the_bank.problems(cluster.sql)
    assert not problems, problems[:20]
    # The same, past shardd: no row is anywhere it would not be looked for.
    shards = cluster.shard_list()
    problems = the_bank.problems(lambda sql: [
        row for s in shards for row in cluster.on_shard(s, sql, "app")])
    assert not problems, problems[:20]
    the_bank.go_on()


def run(new_cluster, seconds, every_s):
    seed = random.SystemRandom().randrange(10 ** 6)
    cluster = new_cluster(shards=4, workers=2)
    for shard in cluster.shard_list():
        assert cluster.on_shard(shard, "SELECT @@innodb_flush_log_at_trx_commit, @@sync_binlog,"
                                       " @@log_bin") == ((1, 1, 1),)
    the_bank = bank.Bank(cluster, seed=seed)
    killer = Killer(cluster, seed)
    print(f"seed {seed}")
    try:
        end = time.monotonic() + seconds
        quiet_at = time.monotonic() + every_s
        while time.monotonic() < end:
            time.sleep(1)  # this is what the test is about, not something it waits for
            killer.kill()
            if time.monotonic() > quiet_at:
                look(cluster, the_bank, killer)
                quiet_at = time.monotonic() + every_s
        look(cluster, the_bank, killer)
    finally:
        the_bank.end()
        print(f"killed {killer.killed}, committed {the_bank.count(COMMITTED)}, failed"
              f" {the_bank.count(FAILED)}, unknown {the_bank.count(UNKNOWN)}, errors"
              f" {sum((c.errors for c in the_bank.clients), bank.collections.Counter())}")
    assert the_bank.count(COMMITTED) > 10 * seconds / testbed.slowness()
    assert sum(killer.killed.values()) > seconds / 4 / testbed.slowness()


def test_half_a_minute(new_cluster):
    run(new_cluster, 30, 10)


@pytest.mark.long
def test_five_minutes(new_cluster):
    run(new_cluster, 300, 25)
