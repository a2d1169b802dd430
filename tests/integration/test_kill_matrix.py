"""test_kill_matrix.py - a worker, a source or a target is killed at every step of a move while
applications write: the move goes on or is taken back, and no row is lost.

The controller's own end: test_reshard_kill.py, test_table_kill.py, test_switch.py; full disks and
networks that are cut: test_outages.py. What became of all of them is printed behind the last test
(matrix.py).
"""
import os
import pathlib
import random
import signal
import threading
import time

import pymysql
import pytest

import matrix
from movebed import controller, restart
from test_reshard_kill import CUTOVER, PHASES, bring_back, rests, the_move
from testbed import Cluster, alive, wait_for

ROWS, START = 400, 1000
# Those of a way that ends by itself; the others need somebody who asks for them.
POINTS = [p for p in PHASES if p not in ("back", "cancel")] + ["cutover-" + c for c in CUTOVER]
LATE = ("complete", "cleanup-batch", "clean-unhide", "clean-drop")  # only without a way back


# --- applications that live on ------------------------------------------------------------------

class Survivor(threading.Thread):
    """Counts in rows of its own and carries money between the accounts of all. When it loses its
    connection, or a server is away, it connects anew and looks what became of its last count."""

    def __init__(self, cluster, number):
        super().__init__(daemon=True)
        self.cluster, self.number = cluster, number
        self.random = random.Random(number)
        self.mine = range(number * 1000, number * 1000 + 50)
        self.known = dict(cluster.sql("SELECT id, n FROM counts WHERE id BETWEEN "
                                      f"{self.mine[0]} AND {self.mine[-1]}"))
        self.unsure = None  # its last count is in or not
        self.over = threading.Event()
        self.lost = self.done = 0
        self.wrong = []
        self.c = None

    def run(self):
        while not self.over.is_set():
            try:
                self.step()
                self.done += 1
            except (pymysql.err.OperationalError, pymysql.err.InternalError, OSError) as error:
                self.lost += 1
                self.again(error)
            except (pymysql.err.MySQLError, AssertionError) as error:
                self.wrong.append(f"{self.number}: {error!r}")
                return
            time.sleep(0.01)

    def again(self, error):
        if self.c:
            self.c.close()
        self.c = None
        self.last = error
        time.sleep(0.05)

    def execute(self, sql, *args):
        if not self.c:
            self.c = self.cluster.connect(connect_timeout=5, read_timeout=60)
        with self.c.cursor() as cursor:
            cursor.execute(sql, args)
            return cursor.rowcount, cursor.fetchall()

    def step(self):
        if self.random.random() < 0.5:
            a, b = sorted(self.random.sample(range(ROWS), 2))
            for sql, *args in (("BEGIN",), ("UPDATE accounts SET n = n - 1 WHERE id = %s", a),
                               ("UPDATE accounts SET n = n + 1 WHERE id = %s", b), ("COMMIT",)):
                found, _ = self.execute(sql, *args)
                assert not args or found == 1, f"account {args} is not there"
            return
        if self.unsure is not None:
            self.look(self.unsure)
            self.unsure = None
        key = self.random.choice(self.mine)
        self.look(key)
        self.unsure = key
        found, _ = self.execute("UPDATE counts SET n = n + 1 WHERE id = %s", key)
        assert found == 1, f"row {key} is not there"
        self.unsure = None
        self.known[key] += 1

    def look(self, key):
        _, rows = self.execute("SELECT n FROM counts WHERE id = %s", key)
        want = self.known[key]
        assert rows and rows[0][0] in (want, want + (key == self.unsure)), \
            f"row {key}: {rows}, not {want}"
        self.known[key] = rows[0][0]

    def check(self):
        """All of them; its thread has ended."""
        try:
            for key in self.mine:
                self.look(key)
        except AssertionError as error:
            self.wrong.append(str(error))
        return self.wrong


def make_tables(c, n):
    c.sql("CREATE TABLE counts (id INT PRIMARY KEY, n INT NOT NULL)")
    c.sql("CREATE TABLE accounts (id INT PRIMARY KEY, n INT NOT NULL)")
    c.sql("CREATE TABLE still (id INT PRIMARY KEY, v VARCHAR(100))")
    c.sql("INSERT INTO accounts VALUES " + ",".join(f"({i}, {START})" for i in range(ROWS)))
    c.sql("INSERT INTO still VALUES " + ",".join(f"({i}, 'v{i}')" for i in range(2000)))
    c.sql("INSERT INTO counts VALUES " + ",".join(
        f"({k * 1000 + i}, 0)" for k in range(1, n + 1) for i in range(50)))


def answers(c, sql):
    try:
        return c.sql(sql)
    except (pymysql.err.MySQLError, OSError):
        return None


def applications(c, n=3):
    loads = [Survivor(c, i + 1) for i in range(n)]
    for one in loads:
        one.start()
    return loads


def settle(c, loads):
    """All applications stand still; everything is where it should be."""
    for one in loads:
        one.over.set()
    for one in loads:
        one.join(90)
        assert not one.is_alive()
    wait_for("the money", lambda: answers(c, "SELECT COUNT(*), SUM(n) FROM accounts") ==
             ((ROWS, ROWS * START),), 60)
    assert c.sql("SELECT COUNT(*), COUNT(DISTINCT id) FROM still") == ((2000, 2000),)
    assert [w for one in loads for w in one.check()] == []
    c.fsck()


def stands(pid):
    """Stopped, as SHARDD_STOP_AT does it."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False


def split_until(c, point, *options):
    """Half of shard-1's rows on their way to shard-3; the controller stands at this point."""
    restart(c, SHARDD_STOP_AT=point)
    late = ["--no-reverse"] if point in LATE else []
    c.ctl_raw("reshard split", "shard-1", "--to", "shard-3", *late, *options)
    wait_for(f"the controller to stand at {point}", lambda: stands(controller(c)), 60)


# --- killed -------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def c(scratch):
    cluster = Cluster(scratch / "matrix", shards=3)
    make_tables(cluster, 3)
    # shard-3 has none of its own, as after each of the tests.
    cluster.ctl("reshard merge", "shard-1", "shard-3", "--no-reverse", "--wait", timeout=120)
    yield cluster
    cluster.finish()


@pytest.mark.parametrize("victim, point", [
    pytest.param(v, p, marks=[] if (v, p) == ("worker", "cutover-locked") else pytest.mark.long)
    for v in ("worker", "source", "target") for p in POINTS])
def test_killed(c, victim, point):
    pids = {s["name"]: s["pid"] for s in c.shard_list()}
    loads = applications(c)
    split_until(c, point)
    if victim == "worker":
        pid = c.kill_worker(random.randrange(2))
    else:
        pid = pids["shard-1" if victim == "source" else "shard-3"]
        os.kill(pid, signal.SIGKILL)
    wait_for("the end", lambda: not alive(pid))
    os.kill(controller(c), signal.SIGCONT)
    wait_for("the move to rest", lambda: rests(c), 120)
    how = the_move(c)
    bring_back(c)
    settle(c, loads)
    matrix.note(victim, "reshard split", point, matrix.ended(how))
