"""Deadlocks between shards: one transaction is ended, soon; nothing else ever is."""
import threading
import time

import pymysql
import pytest

import testbed
from test_sysbench import sysbench
from test_txn import make_accounts, on_different_shards

DEADLOCK = (1213, "Deadlock found when trying to get lock; try restarting transaction")
SOON_S = testbed.PATIENCE_S / 3  # without help it is 50


class Client(threading.Thread):
    """One statement on its own thread; its error, or None."""

    def __init__(self, connection, sql, args=None):
        super().__init__(daemon=True)
        self.connection, self.sql, self.args = connection, sql, args
        self.error = self.end = None
        self.start()

    def run(self):
        try:
            with self.connection.cursor() as cursor:
                cursor.execute(self.sql, self.args)
                cursor.fetchall()
        except pymysql.err.MySQLError as error:
            self.error = error.args
        self.end = time.monotonic()

    def result(self, seconds):
        self.join(seconds)
        assert not self.is_alive(), f"{self.sql} did not end within {seconds} s"
        return self.error


def execute(connection, sql, args=None):
    with connection.cursor() as cursor:
        cursor.execute(sql, args)
        return cursor.fetchall()


def ended(cluster):
    return cluster.status()["deadlocks"], cluster.metric("shardd_deadlocks_total")


def wait_ended(cluster, before, n):
    """`n` more have been ended, by the controller and by workers."""
    testbed.wait_for("the counts", lambda: ended(cluster) == tuple(b + n for b in before))


def wait_waiting(cluster, n):
    """So many transactions wait for locks, on all shards together."""
    testbed.wait_for(f"{n} waits", lambda: cluster.lock_waits() == n)


def ids_per_shard(cluster, db, n):
    """The first n ids of table a on each shard."""
    return [[i for (i,) in cluster.on_shard(s, f"SELECT id FROM a ORDER BY id LIMIT {n}", db)]
            for s in cluster.shard_list()]


UPDATE = "UPDATE a SET n = n + 1 WHERE id = %s"
LOCK = "SELECT n FROM a WHERE id = %s FOR UPDATE"
WAITS = {
    "update": (UPDATE, lambda own, other: (other,)),
    "locking read": (LOCK, lambda own, other: (other,)),
    "update on both": ("UPDATE a SET n = n + 1 WHERE id IN (%s, %s)",
                       lambda own, other: (own, other)),
    "locking read on both": ("SELECT n FROM a WHERE id IN (%s, %s) ORDER BY id FOR UPDATE",
                             lambda own, other: (own, other)),
    "update everywhere": ("UPDATE a SET n = n + 1", lambda own, other: None),
    "delete": ("DELETE FROM a WHERE id = %s", lambda own, other: (other,)),
    "insert": ("INSERT INTO a VALUES (%s, 0)", lambda own, other: (other,)),
    # on copies of the rows: see test_change.py
    "update of the first": ("UPDATE a SET n = n + 1 WHERE id IN (%s, %s) ORDER BY n LIMIT 2",
                            lambda own, other: (own, other)),
    "update of the key": ("UPDATE a SET id = id + 100000 WHERE id IN (%s, %s)",
                          lambda own, other: (own, other)),
    "update by a subquery": ("UPDATE a SET n = (SELECT MAX(x.id) FROM a x) WHERE id > 0",
                             lambda own, other: None),
}


@pytest.mark.parametrize("wait", WAITS)
def test_crosswise(checked, db, wait):
    make_accounts(checked, db)
    a, b = on_different_shards(checked, db)
    sql, args = WAITS[wait]
    before = ended(checked)
    with checked.connect(db=db) as old, checked.connect(db=db) as young:
        execute(old, "BEGIN")
        execute(old, UPDATE, (a,))
        execute(young, "BEGIN")
        execute(young, UPDATE, (b,))
        # The older one waits where it has nothing yet, and so comes to its second shard;
        # then the younger does.
        first = Client(old, sql, args(a, b))
        time.sleep(0.05)
        started = time.monotonic()
        second = Client(young, sql, args(b, a))
        errors = [second.result(SOON_S), first.result(SOON_S)]
        assert sorted(errors, key=repr) == [DEADLOCK, None] or \
            (wait == "insert" and sorted(e[0] for e in errors) == [1062, 1213]), errors
        assert first.end - started < SOON_S
        loser, winner = (old, young) if errors[1] == DEADLOCK else (young, old)
        # The loser's transaction is over on all shards, the winner's is whole.
        assert execute(loser, "SELECT @@in_transaction") == ((0,),)
        execute(loser, "SELECT COUNT(*) FROM a")
        execute(winner, "COMMIT")
        execute(loser, "BEGIN")
        execute(loser, UPDATE, (a,))
        execute(loser, UPDATE, (b,))
        execute(loser, "COMMIT")
    wait_ended(checked, before, 1)


def test_the_younger_gives_way(checked, db):
    make_accounts(checked, db)
    (a, c), (b, d) = ids_per_shard(checked, db, 2)
    for turn in range(2):
        with checked.connect(db=db) as one, checked.connect(db=db) as two:
            old, young = (one, two) if turn == 0 else (two, one)
            for connection, here, there in (old, a, b), (young, d, c):
                execute(connection, "BEGIN")
                execute(connection, UPDATE, (here,))
                execute(connection, UPDATE, (there,))
            waiting = Client(young, UPDATE, (a,))
            time.sleep(0.3)
            assert waiting.is_alive()
            assert Client(old, UPDATE, (d,)).result(SOON_S) is None
            assert waiting.result(SOON_S) == DEADLOCK
            execute(old, "COMMIT")


@pytest.mark.parametrize("ps", ["auto", "disable"])
def test_a_crowd_on_few_rows(checked, db, ps):
    """Prepared statements and plain ones; without help each deadlock lasts 50 s."""
    sysbench(checked, db, "oltp_read_write", "prepare", rows=50, threads=2)
    before = ended(checked)
    started = time.monotonic()
    sysbench(checked, db, "oltp_read_write", "run", rows=50, threads=8, events=100, ps=ps)
    assert time.monotonic() - started < 90 * testbed.slowness()
    assert ended(checked)[0] > before[0]
    assert sum(checked.spread("sbtest1", db)) == 50


def test_three_shards_and_a_bystander(new_cluster):
    cluster = new_cluster(shards=3)
    cluster.sql("CREATE DATABASE d")
    make_accounts(cluster, "d")
    ids = [first for (first,) in ids_per_shard(cluster, "d", 1)]
    clients = [cluster.connect(db="d") for _ in range(4)]
    for client, i in zip(clients[:3], ids):
        execute(client, "BEGIN")
        execute(client, UPDATE, (i,))
    waits = []
    for n, client in enumerate(clients[:3]):
        wait_waiting(cluster, n)
        waits.append(Client(client, UPDATE, (ids[(n + 1) % 3],)))
    bystander = Client(clients[3], UPDATE, (ids[0],))  # waits, and is in no circle
    waits[2].result(SOON_S)  # the last to come to a second shard
    assert waits[2].error == DEADLOCK
    for n in 1, 0:  # each gets what the one before gave up
        assert waits[n].result(SOON_S) is None
        execute(clients[n], "COMMIT")
    assert bystander.result(SOON_S) is None
    testbed.wait_for("the count", lambda: cluster.status()["deadlocks"] == 1)
    for client in clients:
        client.close()


def test_two_deadlocks_at_once(checked, db):
    make_accounts(checked, db)
    ids = ids_per_shard(checked, db, 2)
    before = ended(checked)
    clients = [checked.connect(db=db) for _ in range(4)]
    pairs = [(0, 1, ids[0][0], ids[1][0]), (2, 3, ids[0][1], ids[1][1])]
    for x, y, a, b in pairs:
        for c, i in (x, a), (y, b):
            execute(clients[c], "BEGIN")
            execute(clients[c], UPDATE, (i,))
    waits = [w for x, y, a, b in pairs
             for w in (Client(clients[x], UPDATE, (b,)), Client(clients[y], UPDATE, (a,)))]
    errors = [w.result(SOON_S) for w in waits]
    for pair in errors[:2], errors[2:]:
        assert sorted(pair, key=repr) == [DEADLOCK, None], errors
    wait_ended(checked, before, 2)
    for client in clients:
        execute(client, "COMMIT")
        client.close()


def test_a_long_wait_is_left_alone(checked, db):
    """Two seconds in a queue of transactions on both shards; then all commit."""
    make_accounts(checked, db)
    (a, c), (b, d) = ids_per_shard(checked, db, 2)
    before = ended(checked)
    with checked.connect(db=db) as one, checked.connect(db=db) as two, \
            checked.connect(db=db) as three:
        for connection, ids in (one, (a, b)), (two, (c,)), (three, (d,)):
            execute(connection, "BEGIN")
            for i in ids:
                execute(connection, UPDATE, (i,))
        second = Client(two, UPDATE, (b,))   # for one
        third = Client(three, UPDATE, (c,))  # for two
        time.sleep(2)
        assert second.is_alive() and third.is_alive()
        execute(one, "COMMIT")
        assert second.result(SOON_S) is None
        execute(two, "COMMIT")
        assert third.result(SOON_S) is None
        execute(three, "COMMIT")
        assert execute(one, "SELECT SUM(n) FROM a") == ((4006,),)
    assert ended(checked) == before


def test_a_timeout_stays_a_timeout(checked, db):
    """It undoes the statement, not the transaction."""
    make_accounts(checked, db)
    a, b = on_different_shards(checked, db)
    with checked.connect(db=db) as one, checked.connect(db=db) as two:
        execute(two, "SET SESSION innodb_lock_wait_timeout = 1")
        execute(one, "BEGIN")
        execute(one, UPDATE, (b,))
        execute(two, "BEGIN")
        execute(two, UPDATE, (a,))
        assert Client(two, UPDATE, (b,)).result(SOON_S + 1)[0] == 1205
        execute(one, "ROLLBACK")
        execute(two, UPDATE, (b,))
        execute(two, "COMMIT")
        assert execute(two, "SELECT SUM(n) FROM a") == ((4002,),)


def test_a_statement_killed_by_a_client_is_interrupted(checked, db):
    make_accounts(checked, db)
    a, b = on_different_shards(checked, db)
    with checked.connect(db=db) as one, checked.connect(db=db) as two:
        execute(one, "BEGIN")
        execute(one, UPDATE, (b,))
        execute(two, "BEGIN")
        execute(two, UPDATE, (a,))
        waiting = Client(two, UPDATE, (b,))
        wait_waiting(checked, 1)
        execute(one, f"KILL QUERY {two.thread_id()}")
        assert waiting.result(SOON_S)[0] == 1317
        execute(one, "ROLLBACK")


def test_files_and_long_results_in_a_spread_transaction(checked, db, tmp_path):
    """Answers of such a transaction are read message by message."""
    checked.sql("CREATE TABLE g (id BIGINT PRIMARY KEY, t LONGTEXT)"
                " COMMENT 'shardd: global'", db=db)
    make_accounts(checked, db)
    a, b = on_different_shards(checked, db)
    path = tmp_path / "rows"
    path.write_text("".join(f"{i}\t{'x' * 1000}\n" for i in range(20000)))  # waits for room
    with checked.connect(db=db, local_infile=True) as c, c.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(UPDATE, (a,))
        cursor.execute(UPDATE, (b,))
        assert cursor.execute(f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE g") == 20000
        cursor.execute("SELECT t FROM g")
        rows = cursor.fetchall()
        assert len(rows) == 20000 and all(len(t) == 1000 for (t,) in rows)
        cursor.execute("INSERT INTO g VALUES (100000, REPEAT('y', 20000000))")
        cursor.execute("SELECT t FROM g WHERE id = 100000")
        assert len(cursor.fetchone()[0]) == 20_000_000
        with pytest.raises(pymysql.err.IntegrityError):
            cursor.execute("INSERT INTO g VALUES (1, '')")
        cursor.execute("COMMIT")
        cursor.execute("SELECT COUNT(*) FROM g")
        assert cursor.fetchone() == (20001,)
