"""SHOW PROCESSLIST and information_schema.PROCESSLIST are about the clients of shardd, of all
workers; what pins a client is told and counted, and ends."""
import os
import threading

import pytest

import testbed

QUERIES = [
    "SELECT ID FROM information_schema.PROCESSLIST ORDER BY ID",
    "SELECT p.ID FROM information_schema.processlist AS p WHERE p.USER = 'app' ORDER BY 1",
    "SELECT x.ID FROM `information_schema`.`PROCESSLIST` x JOIN information_schema.PROCESSLIST y"
    " ON x.ID = y.ID ORDER BY 1",
    "SELECT ID FROM (SELECT * FROM information_schema.PROCESSLIST) d ORDER BY ID",
    "SHOW PROCESSLIST", "SHOW FULL PROCESSLIST",
]


@pytest.mark.parametrize("sql", QUERIES)
def test_clients_of_all_workers(checked, db, sql):
    cpus, clients = os.sched_getaffinity(0), []
    try:
        for i in range(8):  # a CPU's connections may all be one worker's
            os.sched_setaffinity(0, {sorted(cpus)[i % len(cpus)]})
            clients.append(checked.connect(db=db))
        ids = {c.thread_id() for c in clients}
        assert len({i & 255 for i in ids}) == 2  # both workers
        for c in clients[:3]:
            testbed.wait_for("all to be seen", lambda c=c: ids <= {
                row[0] for row in testbed.Answer(c, sql).rows})
            assert testbed.Answer(c, "SELECT CONNECTION_ID()").rows == [(c.thread_id(),)]
    finally:
        os.sched_setaffinity(0, cpus)
        for c in clients:
            c.close()


def test_columns_are_a_servers(both):
    for sql in ("SHOW PROCESSLIST", "SHOW FULL PROCESSLIST",
                "SELECT * FROM information_schema.PROCESSLIST"):
        ours, theirs = (testbed.Answer(c, sql) for c in both.connections)
        assert [c[0] for c in ours.columns] == [c[0] for c in theirs.columns]
        mine = {row[0]: row for row in ours.rows}[both.connections[0].thread_id()]
        other = {row[0]: row for row in theirs.rows}[both.connections[1].thread_id()]
        assert (mine[1], mine[3], mine[4]) == (other[1], other[3], other[4])
        assert mine[7] == sql and other[7] == sql


def test_others_are_for_administrators(checked, db):
    checked.ctl("user add", "plainuser", "--password", "secret")
    try:
        with checked.connect(db=db), checked.connect("plainuser", "secret", db=None) as other:
            for sql in ("SHOW PROCESSLIST", "SELECT * FROM information_schema.PROCESSLIST"):
                assert {row[1] for row in testbed.Answer(other, sql).rows} == {"plainuser"}
    finally:
        checked.ctl("user remove", "plainuser")


def test_a_statement_that_runs_is_seen_and_killed(checked, db):
    with checked.connect(db=db) as a, checked.connect(db=db) as b:
        me = a.thread_id()
        running = threading.Thread(target=lambda: testbed.Answer(a, "SELECT SLEEP(46)"),
                                   daemon=True)
        running.start()
        row = testbed.wait_for("the statement in the list", lambda: testbed.Answer(
            b, "SELECT ID, COMMAND, DB FROM information_schema.PROCESSLIST"
               " WHERE INFO LIKE 'SELECT SLEEP(46)%'").rows)
        assert row == [(me, "Query", db)]
        assert testbed.Answer(b, f"KILL QUERY {me}").error is None
        running.join(20)
        assert not running.is_alive()


PINS = [
    ("temporary_table", "CREATE TEMPORARY TABLE one (n INT)", "DROP TEMPORARY TABLE one"),
    ("temporary_table", "CREATE TEMPORARY TABLE two (n INT)", "DROP TABLE two"),
    ("user_lock", "SELECT GET_LOCK('pin', 1)", "SELECT RELEASE_LOCK('pin')"),
    ("user_lock", "DO GET_LOCK('pin', 1)", "DO RELEASE_ALL_LOCKS()"),
    ("lock_tables", "LOCK TABLES g WRITE", "UNLOCK TABLES"),
]


@pytest.mark.parametrize("reason,begin,end", PINS, ids=[p[1] for p in PINS])
def test_pins_begin_and_end(checked, db, reason, begin, end):
    checked.sql("CREATE TABLE g (n INT) COMMENT 'shardd: global'", db=db)
    with checked.connect(db=db) as c, checked.connect(db=db) as other:
        def pinned():
            return {row[0]: row[7] for row in
                    testbed.Answer(other, "SHOW SHARDD CLIENTS").rows}[c.thread_id()]

        def becomes(what, n):
            """An answer is with its client before the process list says so; so is a client's
            end of the test before."""
            testbed.wait_for(f"pins to be '{what}'", lambda: pinned() == what and checked.metric(
                "shardd_pinned_sessions", reason=reason) == n)

        becomes("", 0)
        assert testbed.Answer(c, begin).error is None
        becomes(reason, 1)
        assert testbed.Answer(c, "SELECT 1").rows == [(1,)]
        assert testbed.Answer(c, end).error is None
        becomes("", 0)
        assert testbed.Answer(c, "SELECT 1").rows == [(1,)]
