"""test_gather_faults.py - gathering that does not go well: limits, slow and lost clients, shards
and engines. Each is one clear error (or a wait), and afterwards all is as before."""
import concurrent.futures
import os
import re
import signal
import threading
import time

import pymysql
import pytest

import rawclient
import testbed
from testbed import memory_kib, stop_process, wait_for

ROWS, FEW = 60000, 2000
ALL = "SELECT COUNT(*), SUM(a.n) FROM r a JOIN few b ON a.n = b.n"
ENDLESS = "SELECT COUNT(*) FROM few a JOIN few b JOIN few c JOIN few d ON a.n <> b.n + c.n * d.n"
MANY = "SELECT a.id, b.id, a.n, b.n FROM r a JOIN few b ON a.n <> b.id"
WIDE = "SELECT id, LENGTH(v), ROW_NUMBER() OVER (ORDER BY id) FROM wide ORDER BY id"


@pytest.fixture(scope="module")
def c(gathering):
    gathering.sql("CREATE TABLE r (id INT PRIMARY KEY, n INT)")
    gathering.sql("CREATE TABLE few (id INT PRIMARY KEY, n INT)")
    gathering.sql("CREATE TABLE more (id INT PRIMARY KEY, n INT)")
    gathering.sql("CREATE TABLE wide (id INT PRIMARY KEY, v LONGBLOB)")
    gathering.sql("CREATE TABLE wide2 LIKE wide")
    for table, n in ("r", ROWS), ("few", FEW), ("more", ROWS):
        for at in range(0, n, 30000):
            rows = ",".join(f"({i},{i % 1000})" for i in range(at, min(at + 30000, n)))
            gathering.sql(f"INSERT INTO {table} VALUES {rows}")
    for table in "wide", "wide2":
        for at in range(0, 32, 8):
            rows = ",".join(f"({i}, REPEAT('x', 1100000))" for i in range(at, at + 8))
            gathering.sql(f"INSERT INTO {table} VALUES {rows}")
    return gathering


def timed_out(c, sql, n=1):
    """The setting arrives when it arrives: until then the statement is killed by us."""
    def run():
        db = c.connect(read_timeout=testbed.PATIENCE_S)
        timer = threading.Timer(2 * n + 1, lambda: c.sql(f"KILL QUERY {db.thread_id()}"))
        timer.start()
        try:
            with db.cursor() as cursor:
                cursor.execute(sql)
        except pymysql.err.MySQLError as e:
            return e.args[0] == 1969 and e
        finally:
            timer.cancel()
            db.close()
        return None
    with c.reloaded(gather_max_seconds=n):
        error = wait_for("the time to be up", run)
    assert "gather_max_seconds" in error.args[1]


def engine_pid(c):
    return next(iter(testbed.programs(c.home / "engine-1", "mariadbd")), None)


def left_over(c):
    return [p.name for p in (c.home / "engine-1" / "tmp").iterdir() if "temptable" in p.name]


@pytest.fixture(autouse=True)
def as_before(c):
    worker = c.worker_pids()
    right = c.sql(ALL)
    yield
    assert c.worker_pids() == worker
    wait_for("the same answer", lambda: answers(c, right))
    wait_for("no tables on the engine", lambda: not left_over(c))


def answers(c, right):
    try:
        return c.sql(ALL) == right
    except pymysql.err.MySQLError:
        return False


def fails(cursor, sql, code, text=""):
    with pytest.raises(pymysql.err.MySQLError) as e:
        cursor.execute(sql)
    assert e.value.args[0] == code and text in e.value.args[1], e.value
    return e.value


LIMITS = [
    ("SELECT COUNT(*) FROM r a JOIN more b ON a.n = b.n", 1104, "gather_max_rows", "rows"),
    ("SELECT COUNT(*) FROM wide a JOIN wide2 b ON a.v = b.v", 1104, "gather_max_bytes", "bytes"),
]


@pytest.mark.parametrize("sql, code, text, limit", LIMITS, ids=["rows", "bytes"])
def test_limits(c, sql, code, text, limit):
    before = c.metric("shardd_gather_refused_total", limit=limit)
    with c.connect() as db, db.cursor() as cursor:
        fails(cursor, sql, code, text)
        cursor.execute("SELECT 1")
    assert c.metric("shardd_gather_refused_total", limit=limit) == before + 1


# What is fetched for a statement is no answer: it counts for gather_max_* only.
USERS = [
    ("--max-rows", "100", "SELECT a.id FROM few a JOIN few b ON a.n = b.id LIMIT {}", 100, 1226),
    ("--max-bytes", "64K", "SELECT id, LEFT(v, 20000), ROW_NUMBER() OVER (ORDER BY id) FROM wide "
     "ORDER BY id LIMIT {}", 3, 1226),
    ("--statement-timeout", "3", ENDLESS + " AND {} > 1", None, 1969),
]


@pytest.mark.parametrize("limit, value, sql, allowed, code", USERS, ids=["rows", "bytes", "time"])
def test_limits_of_users(c, limit, value, sql, allowed, code):
    """Reached while the engine answers, in a transaction and outside; the session goes on."""
    c.ctl("user add", "bounded", "--password", "x", limit, value)
    try:
        wait_for("the worker to know", lambda: knows(c, "bounded"))
        with c.connect("bounded", "x") as db, db.cursor() as cursor:
            for begin in "SELECT 1", "BEGIN":
                cursor.execute(begin)
                if allowed is not None:
                    assert cursor.execute(sql.format(allowed)) == allowed
                fails(cursor, sql.format(2000), code)
                cursor.execute("SELECT COUNT(*) FROM few a JOIN few b ON a.n = b.id")
                assert cursor.fetchall() == ((FEW,),)
            cursor.execute("SELECT @@in_transaction")
            assert cursor.fetchall() == ((1,),)
    finally:
        c.ctl("user remove", "bounded")


def knows(c, name):
    try:
        c.connect(name, "x").close()
        return True
    except pymysql.err.MySQLError:
        return False


def test_a_limit_leaves_the_transaction_alone(c):
    with c.connect() as db, db.cursor() as cursor:
        cursor.execute("BEGIN")
        for i in range(-1, -6, -1):
            cursor.execute(f"INSERT INTO few VALUES ({i}, {i})")
        fails(cursor, LIMITS[0][0], 1104)
        cursor.execute("SELECT COUNT(*) FROM few a JOIN few b ON a.n = b.id WHERE a.id < 0")
        assert cursor.fetchone() == (5,)
        cursor.execute("COMMIT")
        cursor.execute("DELETE FROM few WHERE id < 0")
        assert cursor.rowcount == 5


def test_what_is_too_large_for_memory_goes_to_disk(c):
    before = c.metric("shardd_gather_spilled_total")
    assert c.sql("SELECT COUNT(*), COUNT(DISTINCT a.n), SUM(a.id) FROM r a JOIN few b ON a.n = b.id"
                 ) == ((ROWS, 1000, ROWS * (ROWS - 1) // 2),)
    assert c.metric("shardd_gather_spilled_total") > before


class Running:
    """A statement on a connection of its own; its outcome is asked for later."""

    def __init__(self, c, sql):
        self.db = c.connect()
        self.id = self.db.thread_id()
        self.outcome = None
        self.thread = threading.Thread(target=self.run, args=(sql,))
        self.thread.start()

    def run(self, sql):
        try:
            with self.db.cursor() as cursor:
                cursor.execute(sql)
                self.outcome = cursor.fetchall()
        except (pymysql.err.MySQLError, OSError) as e:
            self.outcome = e

    def wait(self):
        self.thread.join(testbed.PATIENCE_S)
        assert not self.thread.is_alive()
        return self.outcome


@pytest.fixture
def stopped_engine(c):
    """The engine takes no rows: what is on its way waits."""
    pid = engine_pid(c)
    stop_process(pid)
    yield pid
    try:
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        pass


def fetching(c, shard):
    return [row[0] for row in c.on_shard(shard, "SHOW FULL PROCESSLIST")
            if row[7] and " FROM `app`.`wide`" in row[7]]


def wait_until_it_waits(c):
    """The shards have begun to send, and are held back."""
    wait_for("fetches", lambda: any(fetching(c, s) for s in c.shard_list()))


def test_shards_are_held_back_and_memory_is_bounded(c, stopped_engine):
    worker, = c.worker_pids()
    before = memory_kib(worker)
    run = Running(c, WIDE)
    wait_until_it_waits(c)
    assert memory_kib(worker) - before < 32 << 10
    os.kill(stopped_engine, signal.SIGCONT)
    assert len(run.wait()) == 32


def test_kill_query_while_rows_come(c, stopped_engine):
    run = Running(c, WIDE)
    wait_until_it_waits(c)
    c.sql(f"KILL QUERY {run.id}")
    assert run.wait().args[0] == 1317
    with run.db.cursor() as cursor:
        cursor.execute("SELECT 1")
    for shard in c.shard_list():
        wait_for("the fetch to end", lambda shard=shard: not fetching(c, shard))


def test_a_client_goes_while_rows_come(c, stopped_engine):
    run = Running(c, WIDE)
    wait_until_it_waits(c)
    run.db._sock.shutdown(2)
    run.wait()
    for shard in c.shard_list():
        wait_for("the fetch to end", lambda shard=shard: not fetching(c, shard))


def test_a_shard_is_lost_while_rows_come(c, stopped_engine):
    run = Running(c, WIDE)
    wait_until_it_waits(c)
    for shard in c.shard_list():
        for number in fetching(c, shard):
            c.on_shard(shard, f"KILL {number}")
    os.kill(stopped_engine, signal.SIGCONT)
    outcome = run.wait()
    # A part that had been sent as a whole is not lost.
    assert "lost the connection to shard" in str(outcome) or len(outcome) == 32


def test_the_engine_is_killed_while_rows_come(c, stopped_engine):
    run = Running(c, WIDE)
    wait_until_it_waits(c)
    os.kill(stopped_engine, signal.SIGKILL)
    assert "engine" in str(run.wait())
    wait_for("another engine process", lambda: engine_pid(c) not in (None, stopped_engine))


def test_the_time_is_up_while_rows_come(c, stopped_engine):
    before = c.metric("shardd_gather_refused_total", limit="seconds")
    timed_out(c, WIDE)
    assert c.metric("shardd_gather_refused_total", limit="seconds") > before


def test_the_time_is_up_while_the_engine_works(c):
    timed_out(c, ENDLESS)
    idle(c)


def on_engine(c, sql):
    folder = c.home / "engine-1"
    secret = re.search(r"PASSWORD\('(\w+)'\)", (folder / "init.sql").read_text())[1]
    path = re.search(r"^socket=(.*)$", (folder / "my.cnf").read_text(), re.M)[1]
    with pymysql.connect(unix_socket=path, user="root", password=secret) as db, \
            db.cursor() as cursor:
        cursor.execute(sql)


def test_the_engine_does_not_prepare_the_statement(c):
    with rawclient.RawClient(c.port).login(db="app") as client:
        sql = "SELECT COUNT(*) FROM few a JOIN few b ON a.n = b.id WHERE a.id < ?"
        expected = client.execute(client.prepare(sql)[0], (9,))[1]
        other = client.prepare(sql + " + 1")[0]
        on_engine(c, "SET GLOBAL max_prepared_stmt_count = 0")
        try:
            for _ in range(3):
                with pytest.raises(rawclient.ServerError) as e:
                    client.execute(other, (8,))
                assert e.value.code == 1461
        finally:
            on_engine(c, "SET GLOBAL max_prepared_stmt_count = 16382")
        assert client.execute(other, (8,))[1] == expected


def test_a_shard_does_not_prepare_a_fetch(c):
    with rawclient.RawClient(c.port).login(db="app") as client:
        sql = "SELECT COUNT(*), ? FROM few a JOIN r b ON a.n = b.n WHERE a.id < ? AND b.id < ?"
        statement = client.prepare(sql)[0]
        expected = client.execute(statement, (1, 9, 9000))
        shard = c.shard_list()[1]
        c.on_shard(shard, "SET GLOBAL max_prepared_stmt_count = 0")
        client.query("BEGIN")
        client.query("INSERT INTO few VALUES (-1, 1)")
        try:
            for _ in range(3):
                with pytest.raises(rawclient.ServerError) as e:
                    client.execute(statement, (1, 9, 9000))
                assert e.value.code == 1461
        finally:
            c.on_shard(shard, "SET GLOBAL max_prepared_stmt_count = 16382")
        assert client.execute(statement, (1, 9, 9000)) != expected
        client.query("ROLLBACK")
        assert client.execute(statement, (1, 9, 9000)) == expected


def test_kill_query_while_the_engine_answers(c):
    engine = engine_pid(c)
    before = testbed.cpu_seconds(engine)
    run = Running(c, ENDLESS)
    wait_for("the engine to work", lambda: testbed.cpu_seconds(engine) > before + 0.2)
    c.sql(f"KILL QUERY {run.id}")
    assert run.wait().args[0] == 1317
    idle(c)


def idle(c):
    """The engine works on nothing any more."""
    def rests():
        before = testbed.cpu_seconds(engine_pid(c))
        threading.Event().wait(0.3)
        return testbed.cpu_seconds(engine_pid(c)) - before < 0.05
    wait_for("the engine to rest", rests)


def drop(db, cursor):
    """The connection with what it still has to say."""
    cursor._result.unbuffered_active = False
    db._force_close()


def test_a_slow_client_and_one_that_goes(c):
    worker, = c.worker_pids()
    before = memory_kib(worker)
    db = c.connect(cursorclass=pymysql.cursors.SSCursor)
    cursor = db.cursor()
    cursor.execute(MANY)
    for _ in range(1000):
        assert cursor.fetchone()
    idle(c)  # held back: it has far more to say
    assert memory_kib(worker) - before < 16 << 10
    for _ in range(100000):
        assert cursor.fetchone()
    drop(db, cursor)
    idle(c)


def test_the_engine_is_killed_while_it_answers(c):
    db = c.connect(cursorclass=pymysql.cursors.SSCursor)
    cursor = db.cursor()
    cursor.execute(MANY)
    assert cursor.fetchone()
    pid = engine_pid(c)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(pymysql.err.MySQLError):
        while cursor.fetchone():
            pass
    drop(db, cursor)
    wait_for("another engine process", lambda: engine_pid(c) not in (None, pid))


# Each waits for one shard, whose row 5 (or 2) is locked, while others wait to go on.
PATIENT = [
    "SELECT id, v FROM wide", "SELECT id, v FROM wide ORDER BY LENGTH(v), id",
    "SELECT COUNT(DISTINCT a.n, LENGTH(b.v)) FROM few a JOIN wide b ON a.n = b.id",
    "SELECT COUNT(*), SUM(LENGTH(b.v)) FROM few a JOIN wide b ON a.n <> b.id WHERE a.id < 4",
    "LOAD DATA LOCAL INFILE '{file}' INTO TABLE loaded",
]


def test_who_waits_for_another_shard_is_not_taken_for_dead(c, tmp_path):
    """A server that cannot send its rows, or gets none of a file, ends the connection after
    net_write_timeout and net_read_timeout."""
    path = tmp_path / "rows"
    path.write_text("".join(f"{i}\t{'y' * 2000}\n" for i in range(20000)))
    c.sql("CREATE TABLE loaded (id INT PRIMARY KEY, v TEXT)")
    c.sql("CREATE USER patient IDENTIFIED BY 'app'")  # whose connections are new
    c.sql("GRANT ALL ON app.* TO patient")

    def run(sql):
        with c.connect(user="patient", local_infile=True) as db, db.cursor() as cursor:
            assert cursor.execute("SET SESSION tx_isolation = 'SERIALIZABLE', autocommit = 0") == 0
            cursor.execute(sql.format(file=path))
            cursor.fetchall()
            cursor.execute("COMMIT")
            cursor.execute("SELECT @@net_read_timeout, @@net_write_timeout")
            return cursor.fetchall()

    everywhere = [lambda sql, s=s: c.on_shard(s, sql) for s in c.shard_list()]
    everywhere.append(lambda sql: on_engine(c, sql))
    try:
        for said in everywhere:
            said("SET GLOBAL net_read_timeout = 1, net_write_timeout = 1")
        with c.connect(autocommit=False) as db, db.cursor() as cursor, \
                concurrent.futures.ThreadPoolExecutor() as pool:
            for sql in ("UPDATE wide SET v = v WHERE id = 5", "UPDATE few SET n = n WHERE id = 2",
                        "INSERT INTO loaded VALUES (7, '')"):
                cursor.execute(sql)
            runs = [pool.submit(run, sql) for sql in PATIENT]
            # Others cannot send what is before the locked row.
            wait_for("most to wait", lambda: c.lock_waits() >= len(PATIENT) // 2)
            time.sleep(3)
            db.rollback()
            for sql, one in zip(PATIENT, runs):
                assert one.result() == ((1, 1),), sql
    finally:
        for said in everywhere:
            said("SET GLOBAL net_read_timeout = DEFAULT, net_write_timeout = DEFAULT")
    c.sql("DROP TABLE loaded")
    c.sql("DROP USER patient")
