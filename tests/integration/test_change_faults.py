"""test_change_faults.py - a write whose rows an engine finds, and that does not go well: it is
one error, and nothing of it stays; what its transaction did before does."""
import os
import signal
import threading

import pymysql
import pytest

import testbed
from test_gather_faults import engine_pid
from testbed import wait_for

ROWS = ",".join(f"({i}, {i % 7}, {i})" for i in range(100))
ALL = "SELECT COUNT(*), SUM(id), SUM(k), SUM(v) FROM x"
SLOW = "UPDATE x JOIN y ON x.k = y.k AND SLEEP(0.02) = 0 SET x.v = x.v + y.v"


@pytest.fixture(scope="module")
def c(gathering):
    gathering.sql("DROP DATABASE IF EXISTS cf", db=None)
    gathering.sql("CREATE DATABASE cf", db=None)
    for t in "xy":
        gathering.sql(f"CREATE TABLE {t} (id INT PRIMARY KEY, k INT, v INT)", db="cf")
        gathering.sql(f"INSERT INTO {t} VALUES {ROWS}", db="cf")
    yield gathering
    gathering.sql("DROP DATABASE cf", db=None)


@pytest.fixture
def db(c):
    connection = c.connect(db="cf")
    yield connection
    connection.close()


@pytest.fixture(autouse=True)
def as_before(c):
    worker, before = c.worker_pids(), c.sql(ALL, db="cf")
    yield
    assert c.worker_pids() == worker
    assert c.sql(ALL, db="cf") == before
    wait_for("nothing to be open", lambda: not any(
        row for shard in c.shard_list() for row in c.on_shard(shard, "XA RECOVER")))


def error_of(db, sql):
    with db.cursor() as cursor:
        try:
            cursor.execute(sql)
        except pymysql.err.MySQLError as e:
            return e.args
    return None


def one(db, sql):
    with db.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def running(c, words):
    return [r for r in c.sql("SHOW FULL PROCESSLIST", db="cf") if r[7] and words in r[7]]


def in_the_middle(c, db, sql, act):
    """`act` while the statement runs; its error."""
    said = []
    thread = threading.Thread(target=lambda: said.append(error_of(db, sql)))
    thread.start()
    wait_for("the statement to run", lambda: running(c, "SLEEP(0.02) = 0 SET"))
    act()
    thread.join(testbed.PATIENCE_S)
    assert said, "it hangs"
    return said[0]


def test_the_engine_dies(c, db):
    error = in_the_middle(c, db, SLOW, lambda: os.kill(engine_pid(c), signal.SIGKILL))
    assert "engine" in error[1], error
    wait_for("the engine to be back", lambda: error_of(
        db, "UPDATE x JOIN y ON x.k = y.k SET x.v = x.v + 0") is None)


def test_the_engine_dies_in_a_transaction(c, db):
    db.begin()
    one(db, "UPDATE x SET v = v + 1 WHERE id = 3")
    error = in_the_middle(c, db, SLOW, lambda: os.kill(engine_pid(c), signal.SIGKILL))
    assert "engine" in error[1], error
    assert one(db, "SELECT v FROM x WHERE id IN (3, 4) ORDER BY id") == ((4,), (4,))
    db.rollback()
    wait_for("the engine to be back", lambda: error_of(
        db, "UPDATE x JOIN y ON x.k = y.k SET x.v = x.v + 0") is None)


def test_a_killed_statement(c, db):
    number = db.thread_id()
    error = in_the_middle(c, db, SLOW, lambda: c.sql(f"KILL QUERY {number}"))
    assert error[0] in (1317, 1927), error


def test_a_client_that_goes(c):
    db = c.connect(db="cf")
    in_the_middle(c, db, SLOW, lambda: db._sock.shutdown(2))
    wait_for("it to be gone", lambda: not running(c, "SLEEP(0.02) = 0 SET"))
    other = c.connect(db="cf")
    one(other, "SET innodb_lock_wait_timeout = 1")
    wait_for("its locks to be gone", lambda: error_of(
        other, "UPDATE x SET v = v WHERE id >= 0") is None)
    other.close()


def test_a_row_that_is_there(db):
    """The rows have been deleted when the new ones meet another: they are there again."""
    db.begin()
    one(db, "UPDATE x SET v = -5 WHERE id = 90")
    error = error_of(db, "UPDATE x SET id = id + 50 WHERE id < 20 OR id = 49")
    assert error == (1062, "Duplicate entry '50' for key 'PRIMARY'") or error[0] == 1062, error
    assert one(db, "SELECT COUNT(*), MIN(v) FROM x") == ((100, -5),)
    assert one(db, "SELECT v FROM x WHERE id = 90") == ((-5,),)
    db.rollback()


def test_two_sessions(c, db):
    other = c.connect(db="cf")
    one(db, "SET innodb_lock_wait_timeout = 1")
    other.begin()
    one(other, "UPDATE x SET v = v WHERE id = 60")
    one(other, "UPDATE x SET v = v + 1 WHERE id = 60")
    db.begin()
    one(db, "UPDATE x SET v = 1000 WHERE id = 2")
    error = error_of(db, "UPDATE x JOIN y ON x.k = y.k SET x.v = x.v + y.v")
    assert error[0] == 1205, error
    assert one(db, "SELECT v FROM x WHERE id IN (2, 3) ORDER BY id") == ((1000,), (3,))
    db.rollback()
    other.rollback()
    other.close()


def test_it_sees_what_was_committed_meanwhile(c, db):
    """Rows are locked as they are now, not as the transaction's snapshot has them."""
    other = c.connect(db="cf")
    db.begin()
    assert one(db, "SELECT SUM(v) FROM x") == ((4950,),)
    one(other, "UPDATE x SET v = v + 1000 WHERE id = 7")
    one(db, "UPDATE x JOIN y ON x.id = y.v SET x.k = x.v")
    assert one(db, "SELECT k FROM x WHERE id = 7") == ((1007,),)
    db.rollback()
    one(other, "UPDATE x SET v = v - 1000 WHERE id = 7")
    other.close()


def test_autocommit_is_all_or_nothing(c, db):
    error = error_of(db, "INSERT INTO x SELECT id + 150 - IF(id = 99, 200, 0), k, v FROM y "
                         "ORDER BY id")
    assert error[0] == 1062, error
    other = c.connect(db="cf")
    assert one(other, "SELECT COUNT(*) FROM x") == ((100,),)
    other.close()
