"""test_read_ddl.py - who was told that a table is there uses it, on whichever worker."""
import os
import signal

import pytest
from pymysql.constants import COMMAND

import testbed


@pytest.fixture(scope="module")
def three(scratch):
    cluster = testbed.Cluster(scratch / "three", shards=3)
    yield cluster
    cluster.finish()


def worker_of(connection):
    (number,) = [r[1] for r in rows(connection, "SHOW SHARDD CLIENTS")
                 if r[0] == connection.thread_id()]
    return number


def on_both(cluster):
    """A connection to each of the two workers."""
    found = {}
    while len(found) < 2:
        connection = cluster.connect()
        if found.setdefault(worker_of(connection), connection) is not connection:
            connection.close()
    return found[0], found[1]


def rows(connection, sql):
    answer = testbed.Answer(connection, sql)
    assert answer.error is None, (sql, answer.error)
    return answer.rows


def test_at_once(three):
    a, b = on_both(three)
    for n in range(4):
        a, b = b, a
        for sql in (f"CREATE TABLE t{n} (id INT PRIMARY KEY, v INT)",
                    f"INSERT INTO t{n} VALUES (1,1),(2,2),(3,3),(4,4),(5,5),(6,6),(7,7),(8,8)",
                    f"CREATE VIEW v{n} AS SELECT id FROM t{n} WHERE v > 4"):
            rows(a, sql)
        assert len(rows(b, f"SELECT * FROM t{n}")) == 8
        assert len(rows(b, f"SELECT x.id FROM t{n} x JOIN t{n} y ON x.id = y.v")) == 8
        assert len(rows(b, f"SELECT * FROM v{n} ORDER BY id DESC LIMIT 9")) == 4
        rows(b, f"DROP VIEW v{n}")
        rows(b, f"DROP TABLE t{n}")
        assert testbed.Answer(a, f"SELECT * FROM t{n}").error[0] == 1146


@pytest.mark.long
def test_a_worker_that_did_not_hear_of_it(three):
    """It stands still while the routes change, for as long as the controller waits for it; the
    first that it does then is the statement of somebody who knows of the table."""
    a, b = on_both(three)
    pid = three.worker_pids()[worker_of(b)]  # the first one was forked first
    testbed.stop_process(pid)
    try:
        rows(a, "CREATE TABLE late (id INT PRIMARY KEY, v INT)")
        rows(a, "INSERT INTO late VALUES (1,1),(2,2),(3,3),(4,4),(5,5),(6,6),(7,7),(8,8)")
        b._execute_command(COMMAND.COM_QUERY, "SELECT * FROM late")  # and nobody waits for it yet
    finally:
        os.kill(pid, signal.SIGCONT)
    b._read_query_result()
    assert len(b._result.rows) == 8
