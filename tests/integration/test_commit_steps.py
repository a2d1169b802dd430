"""Something is killed between two steps of a commit over two shards; afterwards the
transaction is whole on both or on neither, and what a client was told is so.

    prepare   XA PREPARE is under way on the second shard (its server is stopped)
    decide    the second is prepared, the decision is under way on the first
    commit    the decision row is there, COMMIT is under way on the first
    finish    the first has committed, XA COMMIT is under way on the second
"""
import os
import signal
import threading
import time

import pymysql
import pytest

import testbed

STEPS = ["prepare", "decide", "commit", "finish"]


class Shard:
    """A shard's server, stopped, killed and looked into."""

    def __init__(self, cluster, row):
        self.cluster, self.row = cluster, row
        self.root = cluster.shard_connect(row)
        (self.pid,) = [p for p in testbed.processes_of(cluster.home)
                       if os.readlink(f"/proc/{p}/exe").endswith("mariadbd")
                       and f"/{row['name']}/" in self.words(p)]

    @staticmethod
    def words(pid):
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read().decode()

    def ask(self, sql):
        return testbed.Answer(self.root, sql)

    def signal(self, how):
        if testbed.alive(self.pid):
            os.kill(self.pid, how)

    def hold_commits(self):
        assert self.ask("BACKUP STAGE START").error is None
        assert self.ask("BACKUP STAGE BLOCK_COMMIT").error is None

    def let_commits(self):
        if testbed.alive(self.pid):
            self.ask("BACKUP STAGE END")

    def runs(self, text):
        return self.ask("SELECT 1 FROM information_schema.PROCESSLIST WHERE USER = 'app' AND"
                        f" INFO LIKE '{text}%'").rows


@pytest.fixture(scope="module")
def bank(scratch):
    cluster = testbed.Cluster(scratch / "steps", workers=1)
    cluster.sql("CREATE TABLE a (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)")
    cluster.sql("INSERT INTO a VALUES " + ",".join(f"({i}, 100)" for i in range(40)))
    yield cluster
    cluster.fsck()
    cluster.down()


def answers(cluster):
    try:
        return all(cluster.on_shard(s, "SELECT 1") for s in cluster.shard_list())
    except (pymysql.err.MySQLError, AssertionError):
        return False


def two_shards(cluster):
    """The shards, each with an id of table a on it."""
    found = []
    for row in cluster.shard_list():
        ((i,),) = cluster.on_shard(row, "SELECT MIN(id) FROM a", "app")
        found.append((Shard(cluster, row), i))
    return found


def go_to(step, first, second, commit):
    """Starts the commit and stays where the step is under way."""
    if step == "prepare":
        second.signal(signal.SIGSTOP)
        commit.start()
        time.sleep(0.3)
        return
    if step == "decide":
        first.signal(signal.SIGSTOP)
        commit.start()
        testbed.wait_for("the prepared branch", lambda: second.ask("XA RECOVER").rows)
        time.sleep(0.1)
        return
    first.hold_commits()
    commit.start()
    testbed.wait_for("COMMIT", lambda: first.runs("COMMIT"))
    if step == "finish":
        second.signal(signal.SIGSTOP)
        first.let_commits()
        time.sleep(0.3)


def kill(cluster, victim, first, second):
    if victim == "controller":
        for pid in testbed.processes_of(cluster.home):
            if os.readlink(f"/proc/{pid}/exe").endswith("shardctl"):
                os.kill(pid, signal.SIGKILL)
    if victim in ("worker", "controller"):
        cluster.kill_worker()
    if victim == "first":
        first.signal(signal.SIGKILL)
    if victim == "second":
        second.signal(signal.SIGKILL)


def run_step(cluster, step, victim):
    testbed.wait_for("the shards", lambda: answers(cluster), 60)
    (first, a), (second, b) = two_shards(cluster)
    before = dict(cluster.sql(f"SELECT id, n FROM a WHERE id IN ({a}, {b})"))
    told = []
    c = cluster.connect(read_timeout=60)
    for sql in ("BEGIN", f"UPDATE a SET n = n - 1 WHERE id = {a}",
                f"UPDATE a SET n = n + 1 WHERE id = {b}"):
        assert testbed.Answer(c, sql).error is None
    commit = threading.Thread(target=lambda: told.append(testbed.Answer(c, "COMMIT").error))
    try:
        go_to(step, first, second, commit)
        kill(cluster, victim, first, second)
        if (step, victim) == ("prepare", "first"):
            time.sleep(0.3)  # its end is noticed while nobody talks to it
    finally:
        for shard in first, second:
            shard.signal(signal.SIGCONT)
        if step == "commit":
            first.let_commits()
    commit.join(60)
    assert not commit.is_alive()
    if victim == "controller":
        cluster.up()
    testbed.wait_for("the shards to be back", lambda: answers(cluster), 60)
    testbed.wait_for("the resolver", lambda: not any(
        cluster.on_shard(s, "XA RECOVER") for s in cluster.shard_list()), 60)
    after = testbed.wait_for("an answer", lambda: look(cluster, a, b))
    moved = (before[a] - after[a], after[b] - before[b])
    assert moved in ((0, 0), (1, 1)), (step, victim, told, moved)
    if told[0] is None or step == "finish":
        assert moved == (1, 1), (step, victim, told)
    assert cluster.sql("SELECT SUM(n), COUNT(*) FROM a") == ((4000, 40),)
    assert cluster.sql("UPDATE a SET n = n + 0") == ()


def look(cluster, a, b):
    try:
        return dict(cluster.sql(f"SELECT id, n FROM a WHERE id IN ({a}, {b})"))
    except pymysql.err.MySQLError:
        return None


@pytest.mark.parametrize("step", STEPS)
def test_a_worker_is_killed(bank, step):
    run_step(bank, step, "worker")


@pytest.mark.parametrize("step,victim", [
    ("prepare", "first"), ("prepare", "second"), ("commit", "first"), ("finish", "second")])
def test_a_shard_is_killed(bank, step, victim):
    run_step(bank, step, victim)


@pytest.mark.long
@pytest.mark.parametrize("victim", ["first", "second", "controller"])
@pytest.mark.parametrize("step", STEPS)
def test_anything_is_killed(bank, step, victim):
    run_step(bank, step, victim)
