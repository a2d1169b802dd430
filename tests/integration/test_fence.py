"""Fences: statements wait while rows change their owner, and what is there already ends first."""
import contextlib
import json
import multiprocessing
import os
import signal
import struct
import threading
import time

import pymysql
import pytest

import rawclient
import testbed
from fencebed import Fencing, Late, Later
from rawclient import RawClient
from test_cursor import Cursor

ROWS = 60
LOCK_WAIT, DEADLOCK, INTERRUPTED, KILLED, TIMEOUT = 1205, 1213, 1317, 1927, 1969


def fill(cluster):
    cluster.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, n INT NOT NULL)")
    cluster.sql("CREATE TABLE u (id BIGINT PRIMARY KEY, t BIGINT)")
    cluster.sql("CREATE TABLE l (id BIGINT PRIMARY KEY, n INT)")
    cluster.sql("CREATE TABLE a (id BIGINT AUTO_INCREMENT PRIMARY KEY, n INT)")
    cluster.sql("CREATE TABLE g (id INT, n INT) COMMENT 'shardd: global'")
    cluster.sql("CREATE TABLE r (id INT PRIMARY KEY, n INT) COMMENT 'shardd: reference'")
    for table in "tu":
        cluster.sql(f"INSERT INTO {table} VALUES "
                    + ",".join(f"({i}, 0)" for i in range(1, ROWS + 1)))
    cluster.sql("INSERT INTO g VALUES (1, 1)")
    cluster.sql("INSERT INTO r VALUES (1, 1)")


@contextlib.contextmanager
def made(scratch, name, *settings):
    cluster = testbed.Cluster(scratch / name, shards=3, workers=2, settings=[
        w for s in ("http_query = true", "fence_wait_ms = 600000", *settings)
        for w in ("--set", s)])
    try:
        fill(cluster)
        yield Fencing(cluster, ROWS)
    finally:
        cluster.finish()


@pytest.fixture(scope="module")
def fencing(scratch):
    with made(scratch, "fence") as f:
        yield f


@pytest.fixture
def hasty(fencing):
    """Nobody waits for long."""
    with fencing.cluster.reloaded(fence_wait_ms=700):
        yield fencing
    fencing.down()


@pytest.fixture
def f(fencing):
    yield fencing
    fencing.down()
    fencing.wait_parked(0)


def run(c, *statements):
    """The last one's rows, or how many it changed."""
    with c.cursor() as cursor:
        for sql in statements:
            count = cursor.execute(sql)
            rows = cursor.fetchall()
            while cursor.nextset():
                rows = cursor.fetchall()
        return rows if cursor.description else count


@contextlib.contextmanager
def open_all(cluster, n, **more):
    connections = [cluster.connect(**more) for _ in range(n)]
    try:
        yield connections
    finally:
        for c in connections:
            c.close()


# --- what waits ---------------------------------------------------------------------

def waiting(f, tmp_path):
    """Statements on connections of their own that meet the fence."""
    k, near, far = f.key, f.near, f.far
    path = tmp_path / "rows.txt"
    path.write_text("2001\t1\n2002\t1\n")
    return [
        [f"SELECT n FROM t WHERE id = {k}"],
        [f"UPDATE t SET n = n WHERE id = {k}"],
        [f"DELETE FROM t WHERE id = {k} AND n = -1"],
        [f"INSERT IGNORE INTO t VALUES ({k}, 1)"],
        [f"INSERT IGNORE INTO t VALUES ({far}, 1), ({k}, 1)"],
        [f"SELECT n FROM t WHERE id IN ({k}, {far})"],
        [f"SELECT t.n FROM t JOIN u ON u.id = t.id WHERE t.id = {k}"],
        ["SELECT COUNT(*) FROM t"],
        ["SELECT id FROM t ORDER BY id LIMIT 3"],
        ["SELECT COUNT(*) FROM t JOIN u ON u.t = t.id"],
        [f"SELECT COUNT(*) FROM t JOIN u ON u.t = t.id WHERE t.id = {k}"],
        ["UPDATE u SET t = t WHERE t = -1"],
        [f"UPDATE t SET n = n WHERE id IN ({near}, {far})"],
        [f"SELECT n INTO @x FROM t WHERE id = {k}"],
        [f"DELETE FROM t WHERE id = {k} AND n = -1 RETURNING id"],
        [f"SELECT 1; SELECT n FROM t WHERE id = {k}"],
        [f"PREPARE s FROM 'SELECT n FROM t WHERE id = ?'", f"SET @k = {k}", "EXECUTE s USING @k"],
        [f"EXECUTE IMMEDIATE 'SELECT n FROM t WHERE id = {k}'"],
        [f"SET @y = (SELECT n FROM t WHERE id = {k})"],
        [f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE l"],
        ["BEGIN", f"SELECT n FROM t WHERE id = {near}"],
        ["SET autocommit = 0", f"SELECT n FROM t WHERE id = {f.target}"],
        ["BEGIN", f"SELECT n FROM t WHERE id = {far}", f"SELECT n FROM t WHERE id = {near}"],
        ["START TRANSACTION WITH CONSISTENT SNAPSHOT"],
        ["UPDATE r SET n = n + 1 WHERE id = 1"],
    ]


def test_what_meets_the_fence_waits(f, tmp_path):
    cluster = f.cluster
    before = cluster.metric("shardd_parked_total")
    statements = waiting(f, tmp_path)
    with open_all(cluster, len(statements), local_infile=True,
                  client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS) as connections:
        f.up()
        later = []
        for i, (c, texts) in enumerate(zip(connections, statements)):
            later.append(Later(run, c, *texts))
            testbed.wait_for(f"{texts} to wait or to end",
                             lambda: f.parked() == i + 1 or not later[-1].is_alive())
            assert later[-1].is_alive(), f"{texts} did not wait: {later[-1].value}"
        # Each of them is told by itself, a moment after the metric.
        for what, count in {
                "the process list": lambda: cluster.sql(
                    "SELECT COUNT(*) FROM information_schema.PROCESSLIST"
                    " WHERE STATE = 'Waiting for rows to move'")[0][0],
                "the clients": lambda: sum("Waiting for rows to move" in row
                                           for row in cluster.sql("SHOW SHARDD CLIENTS")),
                "shardctl top": lambda: cluster.ctl("top")["parked"]}.items():
            testbed.wait_for(f"{what} to tell all", lambda c=count: c() == len(statements))
        f.down()
        for one, texts in zip(later, statements):
            one.result()
        assert run(connections[0], f"SELECT n FROM t WHERE id = {f.key}") == ((0,),)
    assert cluster.metric("shardd_parked_total") - before >= len(statements)
    assert cluster.metric("shardd_parked_seconds_count") >= len(statements)
    assert cluster.sql("SELECT COUNT(*) FROM l") == ((2,),)
    assert cluster.sql("SELECT COUNT(*) FROM t") == ((ROWS,),)


def test_what_does_not_meet_it_passes(f):
    k, near, far = f.key, f.near, f.far
    passing = [
        [f"SELECT n FROM t WHERE id = {near}"],
        [f"UPDATE t SET n = n WHERE id = {near}"],
        [f"SELECT n FROM t WHERE id IN ({near}, {far}, {f.target})"],
        [f"INSERT IGNORE INTO t VALUES ({near}, 7)"],
        ["SELECT n FROM g"], ["UPDATE g SET n = 2"], ["SELECT n FROM r"],
        ["SELECT g.n FROM g JOIN r ON r.id = g.id"],
        ["SELECT 1"], ["BEGIN", "COMMIT"], ["SET @z = 1"], ["SHOW TABLES"],
        ["BEGIN", f"UPDATE t SET n = n WHERE id = {far}", "SELECT n FROM r", "SELECT 1",
         "COMMIT"],
        [f"PREPARE s FROM 'SELECT n FROM t WHERE id = ?'", f"SET @k = {near}",
         "EXECUTE s USING @k"],
        [f"EXPLAIN SHARDD SELECT n FROM t WHERE id = {k}"],
        ["CREATE TEMPORARY TABLE tmp (id INT)", "INSERT INTO tmp VALUES (1)",
         "DROP TEMPORARY TABLE tmp"],
    ]
    f.up()
    for texts in passing:
        with f.cluster.connect() as c:
            later = Later(run, c, *texts)
            testbed.wait_for(f"{texts} to end or to wait",
                             lambda: f.parked() or not later.is_alive())
            assert f.parked() == 0, f"{texts} waits"
            later.result()


def test_a_fenced_table_waits_as_a_whole(f):
    with open_all(f.cluster, 3) as (one, two, three):
        run(three, "SELECT 1")
        f.up(keys=[], shards=(0,), tables=["app.g"])
        later = [Later(run, one, "SELECT n FROM g"), Later(run, two, "UPDATE g SET n = 5")]
        f.wait_parked(2)
        assert run(three, "SELECT COUNT(*) FROM r") == ((1,),)
        f.down()
        for one in later:
            one.result()
    assert f.cluster.sql("SELECT n FROM g") == ((5,),)


def test_prepared_statements_and_http_wait(f):
    def http():
        import base64
        import http.client
        c = http.client.HTTPConnection("127.0.0.1", f.cluster.http_port, timeout=30)
        c.request("POST", "/v1/query",
                  json.dumps({"query": "SELECT n FROM t WHERE id = ?", "database": "app",
                              "params": [f.key]}),
                  {"Authorization": "Basic " + base64.b64encode(b"app:app").decode()})
        return c.getresponse().status

    with RawClient(f.cluster.port) as raw:
        raw.login(db="app")
        statement = raw.prepare("SELECT n FROM t WHERE id = ?")[0]
        insert = raw.prepare("INSERT IGNORE INTO t VALUES (?, ?), (?, ?)")[0]
        f.up()
        later = [Later(raw.execute, statement, (f.key,)), Later(http)]
        f.wait_parked(2)
        f.down()
        assert len(later[0].result()[1]) == 1 and later[1].result() == 200
        f.up()
        assert len(raw.execute(statement, (f.far,))[1]) == 1
        again = Later(raw.execute, insert, (f.far, 1, f.key, 1))
        f.wait_parked(1)
        f.down()
        again.result()


def test_numbers_are_given_while_a_fence_stands(f):
    """AUTO_INCREMENT keys lie anywhere: some wait, none is lost or there twice."""
    before = f.cluster.sql("SELECT COUNT(*) FROM a")[0][0]
    with open_all(f.cluster, 8) as connections:
        f.up(keys=range(1, 200), shards=(0, 1))
        later = [Later(run, c, "INSERT INTO a (n) VALUES (1), (2)") for c in connections]
        testbed.wait_for("all to wait or be done",
                         lambda: f.parked() + sum(not x.is_alive() for x in later) == 8)
        f.down()
        for one in later:
            one.result()
    assert f.cluster.sql("SELECT COUNT(*) FROM a") == ((before + 16,),)


# --- transactions ---------------------------------------------------------------------

def old_sessions(f):
    """Things to do on a shard before a fence, what they may go on with, and how they end."""
    k, near, far = f.key, f.near, f.far
    more = f"UPDATE t SET n = n + 1 WHERE id IN ({k}, {far}, {f.target})"
    return {
        "begin": (["BEGIN", f"SELECT n FROM t WHERE id = {near}"], more, "COMMIT"),
        "autocommit": (["SET autocommit = 0", f"UPDATE t SET n = n WHERE id = {k}"], more,
                       "ROLLBACK"),
        "snapshot": (["START TRANSACTION WITH CONSISTENT SNAPSHOT"],
                     f"SELECT n FROM t WHERE id = {k}", "COMMIT"),
        "spread": (["BEGIN", f"UPDATE t SET n = n WHERE id = {far}",
                    f"UPDATE t SET n = n + 1 WHERE id = {near}"], more, "COMMIT"),
        "locks": (["LOCK TABLES g WRITE"], "UPDATE g SET n = 5", "UNLOCK TABLES"),
    }


@pytest.mark.parametrize("kind", ["begin", "autocommit", "snapshot", "spread", "locks"])
def test_a_fence_waits_for_what_is_there(f, kind):
    first, more, last = old_sessions(f)[kind]
    with open_all(f.cluster, 2) as (old, new):
        run(old, *first)
        up = f.rise()
        later = Later(run, new, f"SELECT n FROM t WHERE id = {f.key}")
        f.wait_parked(1)
        run(old, more)
        assert up.is_alive()
        run(old, last)
        assert up.result()["drained_us"] > 0
        again = Later(run, old, "BEGIN", f"SELECT n FROM t WHERE id = {f.near}")
        f.wait_parked(2)
        f.down()
        later.result()
        again.result()


EASED_S = 5  # then they begin in any case


def begun(f, later):
    """How many transactions have begun, and the others wait for their turn."""
    n = 0

    def seen():
        nonlocal n
        n = sum(not x.is_alive() for x in later)
        return n > 0 and f.parked() == len(later) - n == sum(x.is_alive() for x in later)
    testbed.wait_for("the first to begin", seen)
    return n


def test_transactions_begin_a_few_at_a_time_before_a_fence(f):
    """One of each worker. Who has locks elsewhere waits for nobody."""
    near = f"SELECT n FROM t WHERE id = {f.near}"
    with open_all(f.cluster, 12) as (*many, single, holder):
        run(holder, "BEGIN", f"UPDATE t SET n = n + 1 WHERE id = {f.far}")
        start = time.monotonic()
        f.ease(1)
        later = [Later(run, c, "BEGIN", near) for c in many]
        n = begun(f, later)
        assert run(single, near) and run(single, f"SELECT n FROM t WHERE id = {f.key}")
        assert run(single, "BEGIN", f"SELECT n FROM t WHERE id = {f.far}")
        run(single, "COMMIT")
        run(holder, near, "COMMIT")
        assert n <= f.workers or time.monotonic() > start + EASED_S
        ready = [c for c, x in zip(many, later) if not x.is_alive()]
        for c in ready:
            run(c, "COMMIT")
        if n < len(many):  # else all have, as it took so long
            testbed.wait_for("others", lambda: begun(f, later) > n)
        up = f.rise()  # who waited for a turn waits for the fence, and who began does not
        n = begun(f, later)
        assert up.is_alive()
        for c, x in zip(many, later):
            if not x.is_alive() and c not in ready:
                run(c, "COMMIT")
        assert up.result()["drained_us"] > 0
        assert begun(f, later) == n
        f.down()
        for x in later:
            x.result()


def test_turns_to_begin_come_by_themselves_in_the_end(f):
    """The controller that has asked for it has died."""
    with open_all(f.cluster, 5) as many:
        f.ease(1)
        later = [Later(run, c, "BEGIN", f"SELECT n FROM t WHERE id = {f.near}") for c in many]
        for x in later:
            x.result()


def test_a_transaction_elsewhere_is_not_waited_for(f):
    with open_all(f.cluster, 1) as (c,):
        run(c, "BEGIN", f"UPDATE t SET n = n + 1 WHERE id = {f.far}")
        f.up()
        later = Later(run, c, f"UPDATE t SET n = n + 1 WHERE id = {f.near}", "COMMIT")
        f.wait_parked(1)
        f.down()
        later.result()


@pytest.mark.parametrize("sql", ["SELECT * FROM t WHERE id <> ?", "SELECT * FROM t WHERE id = ?"])
def test_an_open_cursor_is_waited_for(f, sql):
    with RawClient(f.cluster.port) as raw:
        raw.login(db="app")
        cursor = Cursor(raw, sql, (f.near,))
        cursor.fetch(1)
        up = f.rise()
        time.sleep(0.2)
        if not up.is_alive():  # one row: the server has closed it with the last one
            assert "=" in sql and "<>" not in sql
        else:
            cursor.close()
            raw.query("SELECT 1")
        up.result()


def test_a_long_transaction_makes_the_fence_go_down(f):
    with open_all(f.cluster, 2) as (old, new):
        run(old, "BEGIN", f"UPDATE t SET n = n + 1 WHERE id = {f.near}")
        up = f.rise(wait_ms=4000)
        later = Later(run, new, f"SELECT n FROM t WHERE id = {f.key}")
        with pytest.raises(Late):
            up.result()
        assert later.result() is not None
        run(old, "ROLLBACK")


def somebody_waits(cluster):
    """For a lock of a row, on any shard."""
    return any("LOCK WAIT" in str(cluster.on_shard(s, "SHOW ENGINE INNODB STATUS"))
               for s in cluster.shard_list())


def test_a_transaction_in_the_way_is_cut(f):
    k, near, far = f.key, f.near, f.far
    with open_all(f.cluster, 3) as (idle, busy, locker):
        before = run(idle, f"SELECT n FROM t WHERE id = {near}")
        run(idle, "BEGIN", f"UPDATE t SET n = n + 100 WHERE id = {near}")
        run(locker, "BEGIN", f"UPDATE t SET n = n + 1 WHERE id = {f.target}")
        run(busy, "BEGIN", f"SELECT n FROM t WHERE id = {far}")
        waits = Later(run, busy, f"UPDATE t SET n = n + 100 WHERE id = {near}")
        testbed.wait_for("it to wait for the lock", lambda: somebody_waits(f.cluster))
        f.up(cut=True)
        f.down()
        for c, last in (idle, "COMMIT"), (locker, "SELECT 1"):
            with pytest.raises(pymysql.err.OperationalError) as told:
                run(c, last)
            assert told.value.args[0] == DEADLOCK
            assert run(c, "SELECT 1") == ((1,),)
        with pytest.raises(pymysql.err.OperationalError) as told:
            waits.result()
        assert told.value.args[0] == DEADLOCK
        assert run(busy, f"SELECT n FROM t WHERE id = {near}") == before
        run(idle, "BEGIN", f"UPDATE t SET n = n + 1 WHERE id = {near}", "ROLLBACK")
    testbed.wait_for("the count",
                     lambda: f.cluster.metric("shardd_transactions_cut_total") >= 3)


def test_a_statement_under_way_is_waited_for(f):
    """Routed before the fence: it ends under the routes it began with."""
    with open_all(f.cluster, 2) as (holder, c):
        run(holder, "BEGIN", f"SELECT n FROM t WHERE id = {f.far} FOR UPDATE")
        under_way = Later(run, c, "SELECT SUM(n) FROM t WHERE id > 0 FOR UPDATE")
        testbed.wait_for("it to run", lambda: "FOR UPDATE" in str(
            f.cluster.sql("SELECT INFO FROM information_schema.PROCESSLIST"
                          " WHERE INFO LIKE 'SELECT SUM%'")))
        up = f.rise()
        time.sleep(0.2)
        assert up.is_alive() and under_way.is_alive()
        run(holder, "COMMIT")
        under_way.result()
        up.result()


# --- the end of waiting ---------------------------------------------------------------

def waits(h, c, sql, n=1):
    """A statement that is parked, as the n-th. (What waits for a fence is not parked for a moment
    when the next one comes: how many are must not be asked then.)"""
    later = Later(run, c, sql)
    h.wait_parked(n)
    return later


def refused(later, *codes):
    with pytest.raises(pymysql.err.MySQLError) as told:
        later.result()
    assert told.value.args[0] in codes, told.value
    return told.value.args[1]


def test_waiting_ends_by_its_limit(hasty):
    h = hasty
    with open_all(h.cluster, 2) as (one, two):
        h.up()
        run(one, "BEGIN", f"UPDATE t SET n = n + 1 WHERE id = {h.far}")
        text = refused(Later(run, one, f"SELECT n FROM t WHERE id = {h.key}"), LOCK_WAIT)
        names = [s["name"] for s in h.cluster.shard_list()]
        assert names[0] in text and "try it again" in text
        run(one, f"UPDATE t SET n = n + 1 WHERE id = {h.far}", "COMMIT")  # it is still open
        run(two, "SET max_statement_time = 0.1")
        before = h.cluster.metric("shardd_parked_total")
        refused(Later(run, two, f"SELECT n FROM t WHERE id = {h.key}"), TIMEOUT)
        testbed.wait_for("it to be counted",
                         lambda: h.cluster.metric("shardd_parked_total") == before + 1)
        h.down()
        assert len(run(one, f"SELECT n FROM t WHERE id = {h.key}")) == 1
        assert len(run(two, f"SELECT n FROM t WHERE id = {h.key}")) == 1
    assert h.cluster.metric("shardd_parked_timeouts_total") >= 1
    h.wait_parked(0)


def test_kill_and_disconnect_while_parked(f):
    sql = f"SELECT n FROM t WHERE id = {f.key}"
    with open_all(f.cluster, 4) as (one, two, three, other):
        run(one, "BEGIN", f"UPDATE t SET n = n + 1 WHERE id = {f.far}")
        f.up()
        query, connection, gone = (
            waits(f, c, sql, n) for n, c in enumerate((one, two, three), 1))
        run(other, f"KILL QUERY {one.thread_id()}")
        refused(query, INTERRUPTED)
        run(one, f"UPDATE t SET n = n + 1 WHERE id = {f.far}", "COMMIT")
        run(other, f"KILL {two.thread_id()}")
        refused(connection, KILLED, 2013)
        three._sock.shutdown(2)
        f.wait_parked(0)
        gone.join(5)
        f.down()
        assert len(run(one, sql)) == 1


def test_commands_behind_a_parked_one_keep_their_order(f):
    with RawClient(f.cluster.port) as raw:
        raw.login(db="app")
        f.up()
        for n in range(3):
            raw.send(b"\3" + f"SELECT {n}, n FROM t WHERE id = {f.key}".encode(), sequence=0)
        f.wait_parked(1)
        f.down()
        for n in range(3):
            assert raw.result()[1][0][1:2] == str(n).encode()


def test_two_fences_in_a_row(f):
    """What waited for the first waits for the second, and what the second concerns."""
    with open_all(f.cluster, 2) as (one, two):
        f.up()
        first = waits(f, one, f"SELECT n FROM t WHERE id = {f.key}")
        f.up(keys=[f.key, f.far], shards=(0, 1, 2))
        second = waits(f, two, f"SELECT n FROM t WHERE id = {f.far}", 2)
        assert first.is_alive()
        f.up(keys=[f.far], shards=(2, 1))
        first.result()
        assert second.is_alive()
        f.down()
        second.result()


def test_what_waited_arrives_at_the_new_owner(f):
    """Ownership really changes, there and back; the answers are those of the new owner."""
    shards = f.cluster.shard_list()
    k = f.key
    with open_all(f.cluster, 6) as connections, RawClient(f.cluster.port) as raw:
        raw.login(db="app")
        statement = raw.prepare("SELECT n FROM t WHERE id = ?")[0]
        raw.execute(statement, (k,))
        run(connections[4], "PREPARE s FROM 'UPDATE t SET n = n + 1 WHERE id = ?'",
            f"SET @k = {k}", "EXECUTE s USING @k")
        for source, target in (0, 1), (1, 0):
            f.up()
            before = f.cluster.on_shard(shards[source], f"SELECT n FROM t WHERE id = {k}",
                                        "app")[0][0]
            texts = [f"UPDATE t SET n = n + 1 WHERE id = {k}",
                     f"INSERT INTO t VALUES ({k}, 1) ON DUPLICATE KEY UPDATE n = n + 1",
                     "UPDATE t SET n = n + 1 WHERE n >= 0 AND id > 0",
                     "SELECT COUNT(*) FROM t", "EXECUTE s USING @k",
                     f"SELECT COUNT(*) FROM t JOIN u ON u.id = t.id + 0 WHERE t.id = {k}"]
            later = [waits(f, c, sql, n) for n, (c, sql) in
                     enumerate(zip(connections, texts), 1)]
            binary = Later(raw.execute, statement, (k,))
            f.wait_parked(len(texts) + 1)
            f.move(k, source, target)
            f.move(k, source, target, "u")
            f.switch([k], target)
            assert [x.result() for x in later][3] == ((ROWS,),)
            assert len(binary.result()[1]) == 1
            assert f.cluster.on_shard(shards[target], f"SELECT n FROM t WHERE id = {k}",
                                      "app") == ((before + 4,),)
            assert f.cluster.on_shard(shards[source], f"SELECT n FROM t WHERE id = {k}",
                                      "app") == ()


# --- workers that die or stand still -----------------------------------------------------

def test_a_worker_that_dies_or_stops_does_not_hold_the_fence_up(f):
    h = f
    with open_all(h.cluster, 6) as connections:
        for c in connections:
            run(c, "BEGIN", f"SELECT n FROM t WHERE id = {h.near}")
        victims = h.cluster.worker_pids()
        up = h.rise(wait_ms=20000)
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        up.result()
        h.down()
    testbed.wait_for("shardd to be ready", h.cluster.ready)
    pid = h.cluster.worker_pids()[0]
    os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(Late):
            h.up(wait_ms=200)
        assert time.monotonic() - began < 10 * testbed.slowness()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    testbed.wait_for("shardd to be ready", h.cluster.ready)
    h.up(wait_ms=20000)
    h.down()


# --- under load ---------------------------------------------------------------------------

def client(cluster, number, stop, done):
    """Adds to rows by all kinds of statements; puts (statements, errors, slowest)."""
    count, errors, slowest = 0, [], 0.0
    with cluster.connect() as c:
        while not stop.is_set():
            k = 1 + (number * 7 + count) % ROWS
            other = 1 + (k * 13) % ROWS
            began = time.monotonic()
            try:
                match count % 5:
                    case 0: run(c, f"UPDATE t SET n = n + 1 WHERE id = {k}")
                    case 1: run(c, f"SELECT n FROM t WHERE id = {k}")
                    case 2: run(c, "SELECT COUNT(*), SUM(n) FROM t")
                    case 3: run(c, f"SELECT n FROM t WHERE id IN ({k}, {other})")
                    case 4:
                        first, second = sorted((k, other))
                        run(c, "BEGIN", f"UPDATE t SET n = n + 1 WHERE id = {first}",
                            f"UPDATE t SET n = n - 1 WHERE id = {second}", "COMMIT")
            except pymysql.err.MySQLError as error:
                if error.args[0] != DEADLOCK:
                    errors.append(str(error))
                else:
                    run(c, "ROLLBACK")
            slowest = max(slowest, time.monotonic() - began)
            count += 1
    done.put((count, errors, slowest))


def load(f, clients, rounds, processes=2):
    """Fences go up and down while clients work: none of them has an error."""
    cluster = f.cluster
    stop, done = multiprocessing.Event(), multiprocessing.Queue()
    before = cluster.metric("shardd_parked_total")

    def several(numbers):
        threads = [threading.Thread(target=client, args=(cluster, n, stop, done)) for n in numbers]
        for t in threads:
            t.start()
        for t in threads:
            t.join()

    working = [multiprocessing.Process(target=several, args=(range(i, clients, processes),),
                                       daemon=True) for i in range(processes)]
    for p in working:
        p.start()
    late, i, deadline = 0, 0, time.monotonic() + testbed.PATIENCE_S

    def parked():
        return cluster.metric("shardd_parked_total") - before

    try:
        while i < rounds or (parked() == 0 and time.monotonic() < deadline):
            try:
                f.up(keys=[f.key, f.near] if i % 2 else [f.key], shards=((0, 1), (1, 2))[i % 2],
                     wait_ms=2000 * int(testbed.slowness()))
            except Late:
                late += 1
            f.down()
            i += 1
    finally:
        stop.set()
    results = [done.get(timeout=60) for _ in range(clients)]
    for p in working:
        p.join()
    errors = [e for r in results for e in r[1]]
    assert not errors, (len(errors), errors[:3])
    assert late == 0
    assert parked() > 0
    f.wait_parked(0)
    return sum(r[0] for r in results), parked(), max(r[2] for r in results)


def test_nobody_notices_fences_under_load(f):
    load(f, clients=12, rounds=12)
    assert f.cluster.sql("SELECT COUNT(*) FROM t") == ((ROWS,),)


@pytest.mark.long
def test_nobody_notices_200_fences_under_64_clients(f):
    statements, parked, slowest = load(f, clients=64, rounds=200)
    print(f"{statements} statements, {parked:.0f} parked, the slowest took {slowest * 1000:.0f} ms")
