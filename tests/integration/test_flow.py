"""test_flow.py - rows follow their source's binary log, by flow_cli and real servers."""
import random
import threading
import time

import pymysql
import pytest

import flowbed
import testbed

PLAIN = ("t", "id INT PRIMARY KEY, k INT NOT NULL, v VARCHAR(100), u INT, UNIQUE (u)", "k")


@pytest.fixture(scope="module")
def servers(scratch):
    all_servers = flowbed.servers(scratch)
    yield all_servers
    for s in all_servers:
        s.stop()


@pytest.fixture
def new_bed(servers, scratch):
    made = []

    def make(tables=(PLAIN,), **more):
        made.append(flowbed.Bed(servers, scratch / f"flowbed{flowbed.Bed.job}", tables, **more))
        return made[-1]
    yield make
    for one in made:
        one.close()


def run(server, *statements, db="m"):
    with server.connect(db=db) as c, c.cursor() as cursor:
        for sql in statements:
            cursor.execute(sql)


CHANGES = {
    "insert": ["INSERT INTO t SELECT seq + 1000, seq, 'n', seq + 1000 FROM seq_1_to_50"],
    "update": ["UPDATE t SET v = CONCAT(v, 'x'), u = u + 100000"],
    "update of the primary key": ["UPDATE t SET id = id + 5000 ORDER BY id DESC"],
    "update of the key": ["UPDATE t SET k = k * 7 + 1"],
    "unique values change places": ["UPDATE t SET u = -u", "UPDATE t SET u = 101 + u"],
    "delete": ["DELETE FROM t WHERE id % 3 = 0"],
    "replace": ["REPLACE INTO t SELECT seq, seq + 3, 'r', seq + 40 FROM seq_1_to_60"],
    "on duplicate key": ["INSERT INTO t SELECT seq, seq + 1, 'd', seq + 900 FROM seq_90_to_120 "
                         "ON DUPLICATE KEY UPDATE k = k + 11, v = 'dup'"],
    "several in one transaction": ["BEGIN", "DELETE FROM t WHERE id = 5",
                                   "INSERT INTO t VALUES (5, 99, 'again', 5)",
                                   "UPDATE t SET k = 12345 WHERE id = 5", "COMMIT"],
    "rolled back": ["BEGIN", "DELETE FROM t", "ROLLBACK"],
    "savepoint": ["BEGIN", "UPDATE t SET v = 'kept' WHERE id < 10", "SAVEPOINT a",
                  "UPDATE t SET v = 'lost'", "DELETE FROM t WHERE id > 50",
                  "ROLLBACK TO a", "UPDATE t SET v = CONCAT(v, '!') WHERE id < 20", "COMMIT"],
    # What a temporary table was made in is logged although it is rolled back.
    "savepoint, logged":
        ["BEGIN", "UPDATE t SET v = 'kept' WHERE id < 10", "SAVEPOINT `a b`",
         "UPDATE t SET v = 'lost', k = k + 3", "CREATE TEMPORARY TABLE x1 (a INT)",
         "ROLLBACK TO `a b`", "UPDATE t SET u = u + 5000", "COMMIT"],
    "rolled back, logged":
        ["BEGIN", "UPDATE t SET v = 'lost'", "CREATE TEMPORARY TABLE x2 (a INT)", "ROLLBACK"],
    "xa": ["XA START 'a','b'", "UPDATE t SET v = 'xa', k = k + 17", "XA END 'a','b'",
           "XA PREPARE 'a','b'", "XA COMMIT 'a','b'"],
    "xa in one phase": ["XA START 'c'", "UPDATE t SET v = 'one'", "XA END 'c'",
                        "XA COMMIT 'c' ONE PHASE"],
    "xa rolled back": ["XA START 'd'", "UPDATE t SET v = 'lost'", "XA END 'd'", "XA PREPARE 'd'",
                       "XA ROLLBACK 'd'"],
    "xa rolled back before it was prepared": ["XA START 'e'", "DELETE FROM t", "XA END 'e'",
                                              "XA ROLLBACK 'e'"],
    "other DDL": ["CREATE TABLE other (id INT PRIMARY KEY)", "INSERT INTO other VALUES (1)",
                  "ALTER TABLE other ADD COLUMN c INT", "DROP TABLE other", "ANALYZE TABLE t",
                  "CREATE VIEW w AS SELECT * FROM t", "DROP VIEW w",
                  "CREATE TABLE other AS SELECT id FROM t", "DROP TABLE other",
                  "UPDATE t SET v = 'after'"],
}


def fill(server, db="m"):
    run(server, "INSERT INTO t SELECT seq, seq, 'v', seq FROM seq_1_to_100", db=db)


@pytest.fixture(scope="module")
def following(servers, scratch):
    bed = flowbed.Bed(servers, scratch / "following", (PLAIN,), db="n")
    bed.follow()
    yield bed
    bed.close()


@pytest.mark.parametrize("what", CHANGES)
def test_changes(following, what):
    run(following.servers[0], "DELETE FROM t", db="n")
    fill(following.servers[0], db="n")
    following.catch_up()
    following.check()
    run(following.servers[0], *CHANGES[what], db="n")
    following.catch_up()
    following.check()
    assert following.rows(2, "t") and following.rows(3, "t")


def test_hidden_columns(new_bed):
    """UNIQUE over what is too long for an index adds columns that only the log shows."""
    bed = new_bed([("t", "id INT PRIMARY KEY, k INT NOT NULL, v TEXT, w VARCHAR(4000), UNIQUE (v),"
                    " UNIQUE (w, k)", "k")])
    bed.follow()
    run(bed.servers[0], "INSERT INTO t SELECT seq, seq, REPEAT('v', seq), seq FROM seq_1_to_50",
        "UPDATE t SET v = CONCAT(v, 'x'), k = k + 7 WHERE id > 5", "DELETE FROM t WHERE id < 9")
    bed.catch_up()
    bed.check()


def test_several_tables(new_bed):
    """Their rows are put together by table; each table's keep their order."""
    bed = new_bed([(name, *PLAIN[1:]) for name in ("t", "a", "z")])
    bed.follow()
    for name in bed.names:
        run(bed.servers[0], f"INSERT INTO {name} SELECT seq, seq, 'v', seq FROM seq_1_to_60")
    mixed = [sql for i in range(1, 40) for sql in (
        "BEGIN", f"UPDATE t SET u = u + 1000 WHERE id = {i}", f"DELETE FROM a WHERE id = {i}",
        f"INSERT INTO t VALUES ({i + 100}, {i}, 'new', {i})",
        f"INSERT INTO a VALUES ({i}, {i + 7}, 'again', {i})",
        f"UPDATE z SET k = k + {i}, id = id + 1000 WHERE id = {i}", "COMMIT")]
    run(bed.servers[0], *mixed)
    bed.catch_up()
    bed.check()


class Load(threading.Thread):
    """Random changes of all kinds on the source until it is told to stop."""

    def __init__(self, server, seed, keys=3000, xa=True):
        super().__init__(daemon=True)
        self.server, self.random, self.keys, self.xa = server, random.Random(seed), keys, xa
        self.seed = seed
        self.over = threading.Event()
        self.error = None
        self.done = 0

    def run(self):
        try:
            with self.server.connect(db="m") as c, c.cursor() as cursor:
                while not self.over.is_set():
                    self.transaction(cursor)
                    self.done += 1
        except Exception as error:
            self.error = error

    def transaction(self, cursor):
        kind = self.random.randrange(10)
        name = f"'l{self.seed}','{self.done}'"
        xa = self.xa and kind < 3
        cursor.execute(f"XA START {name}" if xa else "BEGIN")
        try:
            for i in range(self.random.randrange(1, 6)):
                if i == 2 and not xa and kind == 4:
                    cursor.execute("SAVEPOINT s")
                self.change(cursor)
            if not xa and kind == 4 and i >= 2:
                cursor.execute("ROLLBACK TO s")
            good = True
        except (pymysql.err.IntegrityError, pymysql.err.OperationalError):
            good = False
        if not xa:
            cursor.execute("ROLLBACK" if kind == 5 or not good else "COMMIT")
            return
        cursor.execute(f"XA END {name}")
        if good:
            cursor.execute(f"XA PREPARE {name}")
            if kind == 2:
                time.sleep(0.01)
        cursor.execute(f"XA ROLLBACK {name}" if kind == 1 or not good else f"XA COMMIT {name}")

    def change(self, cursor):
        n, r = self.random.randrange(1, self.keys), self.random.randrange(1, 1 << 30)
        cursor.execute(self.random.choice([
            f"INSERT INTO t VALUES ({n}, {r % 1000}, 'i{r}', {r})",
            f"UPDATE t SET v = 'u{r}' WHERE id = {n}",
            f"UPDATE t SET k = {r % 1000} WHERE id BETWEEN {n} AND {n + 3}",
            f"UPDATE t SET id = {n + self.keys} WHERE id = {n}",
            f"UPDATE t SET id = {n} WHERE id = {n + self.keys}",
            f"DELETE FROM t WHERE id = {n}",
            f"REPLACE INTO t VALUES ({n}, {r % 1000}, 'r{r}', {r % 5000})"]))

    def end(self):
        self.over.set()
        self.join(testbed.PATIENCE_S)
        assert self.error is None, self.error
        return self.done


def loaded(bed, seeds=(1, 2, 3)):
    loads = [Load(bed.servers[0], seed) for seed in seeds]
    for one in loads:
        one.start()
    return loads


def test_copy_and_follow_under_load(new_bed):
    bed = new_bed()
    run(bed.servers[0], "INSERT INTO t SELECT seq * 2, seq % 1000, 'first', -seq "
                        "FROM seq_1_to_1500")
    loads = loaded(bed)
    bed.driver.do("start", "f", 1, "copy")
    bed.driver.do("throttle", "f", 700, 0)

    def followed():
        s = bed.status()
        assert s["state"] != "failed", s
        return s["state"] == "following"
    testbed.wait_for("the copy to end", followed, 60)
    for _ in range(3):
        bed.driver.do("hold", "f", "here", 60000)
        time.sleep(0.1)
        bed.hold()
        bed.driver.do("release", "f")
    assert sum(one.end() for one in loads) > 50
    bed.catch_up()
    bed.check()
    assert bed.stashed(2) == bed.stashed(3) == 0
