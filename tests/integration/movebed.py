"""movebed.py - applications that go on while rows move, and what must hold at any moment.

    Writer    keyed reads and writes of rows that are its own, and inserts of several rows; each
              statement is sent to a plain server as well, once it has worked
    Mover     carries money between accounts of several shards, two to a transaction
    Watcher   reads sums and counts over all shards: they never change

With TRIGGERS each INSERT and UPDATE leaves another number than it would if one of them fired once
more or not at all, and rows of accounts, which applications neither insert nor delete, fail where
anybody fires theirs.

Any error that an application sees is a failure, but those that it asks for itself.
"""
import contextlib
import os
import random
import signal
import threading
import time

import pymysql
import pytest

from testbed import alive, programs, wait_for

ACCOUNTS, START = 300, 1000
ROWS = 400  # of each writer
TRIGGERS = (
    "CREATE TRIGGER kv_i BEFORE INSERT ON kv FOR EACH ROW SET NEW.n = NEW.n + 1000",
    "CREATE TRIGGER kv_u1 BEFORE UPDATE ON kv FOR EACH ROW SET NEW.n = NEW.n + 100",
    "CREATE TRIGGER kv_u2 BEFORE UPDATE ON kv FOR EACH ROW FOLLOWS kv_u1"
    " SET NEW.n = NEW.n % 9973 * 3",
    "CREATE TRIGGER kv_u3 AFTER UPDATE ON kv FOR EACH ROW IF NEW.n % 3 <> 0 THEN"
    " SIGNAL SQLSTATE '45000'; END IF",
)
NEW_SHARD = 1412  # a shard came after the snapshot was opened: to be opened again


class Load(threading.Thread):
    def __init__(self, bed, number):
        super().__init__(daemon=True)
        self.bed, self.number = bed, number
        self.random = random.Random(number)
        self.done = 0
        self.wrong = []
        self.slowest = 0.0
        self.rests = False

    def run(self):
        try:
            with self.bed.cluster.connect(connect_timeout=30, read_timeout=60) as c:
                with c.cursor() as cursor:
                    self.begin(cursor)
                    while not self.bed.stop.is_set():
                        self.rests = self.bed.hold.is_set()
                        if self.rests:
                            time.sleep(0.01)
                            continue
                        began = time.monotonic()
                        self.step(cursor)
                        self.slowest = max(self.slowest, time.monotonic() - began)
                        self.done += 1
                        time.sleep(self.bed.pause)
        except (pymysql.err.MySQLError, OSError, AssertionError) as error:
            now = time.time()
            self.wrong.append(f"{time.strftime('%H:%M:%S')}.{int(now % 1 * 1000):03} "
                              f"{type(self).__name__} {self.number}: {error!r}")

    def both(self, cursor, sql, args):
        """On self.mirror too, a plain server's connection."""
        cursor.execute(sql, args)
        count = cursor.rowcount
        with self.mirror.cursor() as other:
            other.execute(sql, args)
            assert other.rowcount == count, f"{sql} {args}: {count} rows, not {other.rowcount}"

    def begin(self, cursor):
        pass


class Writer(Load):
    def begin(self, cursor):
        self.mirror = self.bed.plain.connect(db="app")
        self.known = {}
        self.next = 0

    def id(self):
        return self.number * 1_000_000 + self.random.randrange(ROWS)

    def step(self, cursor):
        what = self.random.random()
        if what < 0.3:
            key = self.id()
            cursor.execute("SELECT v FROM kv WHERE id = %s", (key,))
            found = cursor.fetchone()
            want = self.known.get(key)
            assert (found and found[0]) == want, f"row {key}: {found}, not {want}"
        elif what < 0.6:
            key, text = self.id(), str(self.random.random()) * self.random.randrange(1, 8)
            self.both(cursor, "REPLACE INTO kv VALUES (%s, %s, %s)",
                      (key, text, self.random.randrange(100)))
            self.known[key] = text
        elif what < 0.75:
            key = self.id()
            self.both(cursor, "UPDATE kv SET n = n + 1 WHERE id = %s", (key,))
        elif what < 0.85:
            key = self.id()
            self.both(cursor, "DELETE FROM kv WHERE id = %s", (key,))
            self.known.pop(key, None)
        else:
            rows = [(self.number * 1_000_000 + self.next + i, f"line {i}") for i in range(5)]
            self.next += 5
            self.both(cursor, "INSERT INTO `lines` VALUES " + ", ".join(["(%s, %s)"] * 5),
                      [value for row in rows for value in row])


class Mover(Load):
    def step(self, cursor):
        a, b = sorted(self.random.sample(range(ACCOUNTS), 2))  # nobody waits in a circle
        amount = self.random.randint(-9, 9)
        cursor.execute("BEGIN")
        cursor.execute("UPDATE accounts SET n = n - %s WHERE id = %s", (amount, a))
        assert cursor.rowcount == (amount != 0), f"account {a} is not there"
        cursor.execute("UPDATE accounts SET n = n + %s WHERE id = %s", (amount, b))
        assert cursor.rowcount == (amount != 0), f"account {b} is not there"
        cursor.execute("COMMIT")


class Watcher(Load):
    def snapshot(self, cursor):
        try:
            cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
            cursor.execute("SELECT COUNT(*), SUM(n) FROM accounts")
            return cursor.fetchone()
        except pymysql.err.OperationalError as error:
            assert error.args[0] == NEW_SHARD, error
            return None
        finally:
            cursor.execute("ROLLBACK")

    def step(self, cursor):
        found = self.snapshot(cursor) or self.snapshot(cursor)
        assert found == (ACCOUNTS, ACCOUNTS * START), f"in a snapshot: {found}"
        cursor.execute("SELECT COUNT(*) FROM accounts")
        (found,) = cursor.fetchone()
        assert found == ACCOUNTS, f"{found} accounts"


class Bed:
    def __init__(self, cluster, plain, writers=3, movers=2, watchers=1, pause=0.002, triggers=()):
        self.cluster, self.plain, self.pause = cluster, plain, pause
        self.stop, self.hold = threading.Event(), threading.Event()
        for server in cluster, plain:
            for sql in ("CREATE TABLE kv (id BIGINT PRIMARY KEY, v VARCHAR(200), n INT)",
                        "CREATE TABLE `lines` (id BIGINT PRIMARY KEY, v VARCHAR(50))"):
                server.sql(sql, db="app")
            for sql in triggers:
                server.sql(sql, db="app")
        cluster.sql("CREATE TABLE accounts (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)")
        cluster.sql("INSERT INTO accounts VALUES " +
                    ",".join(f"({i}, {START})" for i in range(ACCOUNTS)))
        for event in ("INSERT", "DELETE") if triggers else ():
            cluster.sql(f"CREATE TRIGGER accounts_{event} AFTER {event} ON accounts FOR EACH ROW"
                        " SIGNAL SQLSTATE '45000'")
        self.threads = [kind(self, i + 1) for kind, n in
                        ((Writer, writers), (Mover, movers), (Watcher, watchers))
                        for i in range(n)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def end(self):
        """Everything that is wrong."""
        self.stop.set()
        for thread in self.threads:
            thread.join(90)
        wrong = [w for thread in self.threads for w in thread.wrong]
        wrong += [f"{t} does not end" for t in self.threads if t.is_alive()]
        return wrong + self.compare()

    def compare(self):
        wrong = []
        for table in "kv", "`lines`":
            sql = f"SELECT * FROM {table} ORDER BY id"
            ours, theirs = self.cluster.sql(sql), self.plain.sql(sql, db="app")
            if ours != theirs:
                wrong.append(f"{table}: {len(ours)} rows, not {len(theirs)}; "
                             f"{sorted(set(ours) ^ set(theirs))[:10]}")
        (found,) = self.cluster.sql("SELECT COUNT(*), SUM(n) FROM accounts")
        if found != (ACCOUNTS, ACCOUNTS * START):
            wrong.append(f"accounts: {found}")
        return wrong

    @contextlib.contextmanager
    def resting(self):
        """All applications stand still between two statements."""
        self.hold.set()
        try:
            wait_for("the applications to rest",
                     lambda: all(t.rests or not t.is_alive() for t in self.threads))
            yield
        finally:
            self.hold.clear()
            wait_for("the applications to go on",
                     lambda: not any(t.rests and t.is_alive() for t in self.threads))

    def check(self):
        """Right now, while all goes on."""
        return [w for thread in self.threads for w in thread.wrong]


@contextlib.contextmanager
def running(cluster, plain, **more):
    """A bed at work, and a mirror of its own; nothing may be wrong at the end."""
    plain.sql("DROP DATABASE IF EXISTS app")
    plain.sql("CREATE DATABASE app")
    bed = Bed(cluster, plain, **more)
    bed.start()
    try:
        yield bed
    finally:
        bed.stop.set()
    wrong = bed.end()
    plain.sql("DROP DATABASE app")
    assert wrong == []


def controller(cluster):
    """Its pid; None: there is none now."""
    return next(iter(programs(cluster.home, "shardctl")), None)


def restart(cluster, **environment):
    """The controller anew, perhaps with SHARDD_FAIL_AT or SHARDD_STOP_AT in its environment."""
    while (pid := controller(cluster)) is not None:
        os.kill(pid, signal.SIGKILL)
        wait_for("the controller's end", lambda pid=pid: not alive(pid))
    cluster.up(**environment)
