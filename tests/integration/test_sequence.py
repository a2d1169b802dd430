"""AUTO_INCREMENT of sharded tables, where clients of several workers bring numbers along."""
import os

import pytest

import testbed


def worker_of(c):
    return c.thread_id() & 0xff


def test_numbers_that_others_brought_along(new_cluster):
    cluster = new_cluster(workers=2)
    cluster.sql("CREATE TABLE t (id BIGINT AUTO_INCREMENT PRIMARY KEY, n INT)")
    cpus = sorted(os.sched_getaffinity(0))
    clients = {}
    for cpu in cpus * 8:  # a worker may take what comes from its own CPU
        os.sched_setaffinity(0, [cpu])
        c = cluster.connect()
        clients.setdefault(worker_of(c), c)
    os.sched_setaffinity(0, cpus)
    if len(clients) < 2:
        pytest.skip("one CPU: all connections go to one worker")
    a, b = list(clients.values())[:2]

    def run(c, sql):
        answer = testbed.Answer(c, sql)
        assert answer.error is None, (sql, answer.error)
        return answer

    run(a, "INSERT INTO t (n) VALUES (1)")
    run(b, "INSERT INTO t (n) VALUES (2)")
    ((taken,),) = run(b, "SELECT MAX(id) FROM t").rows
    statements = ("INSERT INTO t (n) VALUES (3)", "REPLACE INTO t (n) VALUES (4)",
                  "INSERT IGNORE INTO t (n) VALUES (5)", "INSERT INTO t (n) VALUES (6), (7)",
                  "INSERT INTO t (n) VALUES (8) ON DUPLICATE KEY UPDATE n = -1")
    rows = 2
    for i, sql in enumerate(statements):
        # What b would hand out next, from its block; a does not know of that block.
        run(a, f"INSERT INTO t VALUES ({taken + 1 + i}, 100)")
        answer = run(b, sql)
        rows += 1 + (2 if "(7)" in sql else 1)
        assert answer.affected == (2 if "(7)" in sql else 1), sql
        assert run(a, "SELECT COUNT(*) FROM t").rows == [(rows,)], sql
    assert run(a, "SELECT COUNT(*) FROM t WHERE n = 100").rows == [(len(statements),)]
    assert run(a, "SELECT COUNT(*) FROM t WHERE n = -1").rows == [(0,)]
    a.close()
    b.close()
