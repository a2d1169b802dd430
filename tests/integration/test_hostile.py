"""Clients, servers and processes that do what they should not, at the worst moment: nothing
leaks from one client to another, nothing grows without bound, nobody hangs."""
import contextlib
import os
import signal
import socket
import struct
import threading
import time

import pymysql
import pytest

import rawclient
import testbed
from rawclient import RawClient, ServerError


@pytest.fixture(scope="module")
def one_worker(scratch):
    cluster = testbed.Cluster(scratch / "hostile", workers=1,
                              settings=["--set", "client_idle_s=8"])
    yield cluster
    cluster.finish()


@pytest.fixture
def small(one_worker):
    """One worker, so that it is known who serves; behind the test it is the same one."""
    before = one_worker.worker_pids()
    yield one_worker
    assert one_worker.worker_pids() == before
    for (name,) in one_worker.sql("SHOW TABLES"):
        one_worker.sql(f"DROP TABLE {name}")


def all_gone(cluster):
    """No client but the one that asks is open, in the gauge and in the list."""
    def look():
        return (cluster.metric("shardd_clients_open") == 0
                and len(cluster.sql("SHOW SHARDD CLIENTS")) == 1)
    testbed.wait_for("the clients to be gone", look, 10)


def kill_backends(cluster, like, skip=()):
    """KILLs the connections of application users on the servers that run `like`."""
    n = 0
    for shard in cluster.shard_list():
        for row in cluster.on_shard(shard, "SELECT ID FROM information_schema.PROCESSLIST"
                                    f" WHERE USER = 'app' AND {like}"):
            with contextlib.suppress(pymysql.err.OperationalError):  # it has gone by itself
                if row[0] not in skip:
                    cluster.on_shard(shard, f"KILL {row[0]}")
                    n += 1
    return n


def kill_held_backends(cluster, n):
    """And the worker has seen that those are gone which the only client holds."""
    before = cluster.metric("shardd_backends_lost_total")
    assert kill_backends(cluster, "COMMAND = 'Sleep'") >= n
    testbed.wait_for("their end to be noticed", lambda: cluster.metric(
        "shardd_backends_lost_total") >= before + n)


# --- the end of a client ------------------------------------------------------


def test_release_and_half_answers_leave_nothing(small):
    """A connection that shardd itself ends takes its timers, backends and rows with it."""
    small.sql("CREATE TABLE big (id BIGINT PRIMARY KEY, s LONGTEXT)")
    for i in range(8):
        small.sql("INSERT INTO big VALUES (%s, REPEAT('x', 4000000))", (i,))
    for i, verb in enumerate(("COMMIT RELEASE", "ROLLBACK RELEASE")):
        with RawClient(small.port) as c:
            c.login(db="app")
            c.query("BEGIN")
            c.query(f"INSERT INTO big VALUES ({100 + i}, 'x')")
            c.query(verb)
            assert c.closed()
    assert small.sql("SELECT COUNT(*) FROM big") == ((9,),)
    for sql in "SELECT REPEAT(s, 5), REPEAT(s, 5) FROM big WHERE id = 3", "SELECT * FROM big":
        with RawClient(small.port) as c:
            c.login(db="app")
            c.command(rawclient.QUERY, sql.encode())
            testbed.wait_for("the shard to send", lambda: kill_backends(
                small, "COMMAND = 'Query' AND TIME_MS > 300"))
            try:
                c.result()
            except (EOFError, ConnectionError, ServerError):
                pass
    all_gone(small)
    time.sleep(8.5)  # the idle timers of those who left would fire now


def test_idle_clients_are_closed_or_never(small, new_cluster):
    c = small.connect()
    testbed.wait_for("the idle limit", lambda: testbed.Answer(c, "DO 0").error
                     if time.sleep(8.3) is None else None)
    forever = new_cluster(workers=1, settings=["--set", "client_idle_s=0"])
    with forever.connect() as c:
        time.sleep(0.5)
        assert testbed.Answer(c, "SELECT 1").rows == [(1,)]


def test_what_comes_behind_quit(small):
    for junk in b"", b"\1\0\0\0\x0e", os.urandom(100000):
        with RawClient(small.port) as c:
            c.login()
            c.socket.sendall(b"\1\0\0\0\1" + junk)
            assert c.closed()
    all_gone(small)


def test_garbage_while_a_statement_runs(small):
    for junk in b"\xff" * 100, b"\0\0\0\0", b"\1\0\0\5\x0e":
        with RawClient(small.port) as c:
            c.login()
            c.command(rawclient.QUERY, b"SELECT SLEEP(0.3)")
            c.socket.sendall(junk)
            assert c.result()[1]
            try:
                with pytest.raises((ServerError, EOFError)):
                    c.ok()
            except ConnectionError:
                pass
    all_gone(small)


# --- memory ---------------------------------------------------------------------


def test_before_the_login_packets_are_small(small):
    for size in 1 << 20, 0xfffffe:
        with RawClient(small.port) as c:
            c.greeting()
            c.socket.sendall(struct.pack("<I", size)[:3] + b"\1")
            with pytest.raises(ServerError) as refused:
                c.ok()
            assert refused.value.code == 1043


def grown(cluster, work, limit_mib):
    worker = cluster.worker_pids()[0]
    before = testbed.memory_kib(worker)
    work()
    after = testbed.memory_kib(worker)
    allowed = limit_mib << 10 if testbed.MODE == "release" else 1 << 30
    assert after - before < allowed, f"{(after - before) >> 10} MiB more"


def flood(c, data, most):
    """Sends until nothing has been taken for a while; how much was."""
    sent = 0
    c.socket.settimeout(1.5)
    try:
        while sent < most:
            sent += c.socket.send(data)
    except socket.timeout:
        pass
    c.socket.settimeout(20)
    return sent


@pytest.mark.parametrize("payload", [b"\x0e", b"\3SHOW SHARDD STATUS", b"\x7f", b"\3SET @a = 1",
                                     b"\3SELECT REPEAT('x', 5000)"])
def test_a_client_that_asks_on_and_on_and_never_reads(small, payload):
    packet = struct.pack("<I", len(payload))[:3] + b"\0" + payload
    with RawClient(small.port) as c:
        c.login()
        most = 64 << 20
        chunk = packet * (65536 // len(packet) + 1)
        sent = []
        grown(small, lambda: sent.append(flood(c, chunk, most)), 24)
        assert sent[0] < most
        assert small.sql("SELECT 2") == ((2,),)
        for _ in range(1000):
            head = c.read()  # and all is answered when it reads after all
            if payload == b"\x7f":
                assert head[:1] == b"\xff"


def test_several_statements_in_one_text_wait_for_a_reader(small):
    with RawClient(small.port) as c:
        c.login(more=rawclient.MULTI_STATEMENTS)
        text = b"SHOW SHARDD STATUS;" * 20000
        grown(small, lambda: (c.command(rawclient.QUERY, text), time.sleep(1)), 24)
        assert small.sql("SELECT 2") == ((2,),)


def test_prepared_statements_have_a_limit(small):
    with RawClient(small.port, timeout=60) as c:
        c.login()

        def prepare():
            with pytest.raises(ServerError) as refused:
                for i in range(200):
                    c.prepare(f"SELECT ?, '{i}{'x' * 1000000}'")
            assert refused.value.code == 1461

        def send_long():
            ids = [c.prepare("SELECT LENGTH(?)")[0] for _ in range(20)]
            for one in ids:
                for _ in range(10):
                    c.long_data(one, 0, b"x" * 1000000)
            codes = []
            for one in ids:
                try:
                    c.execute(one, [...])
                    codes.append(0)
                except ServerError as error:
                    codes.append(error.code)
            assert set(codes) == {0, 1153}
        grown(small, prepare, 200)
        c.close()
    with RawClient(small.port, timeout=60) as c:
        c.login()
        grown(small, send_long, 200)


def test_variables_have_a_limit(small):
    with small.connect() as c:
        codes = set()
        for i in range(1200):
            codes.add((testbed.Answer(c, f"SET @v{i} = {i}").error or (0,))[0])
        assert codes == {0, 1105}


# --- LOAD DATA LOCAL --------------------------------------------------------------


def load(cluster):
    cluster.sql("CREATE TABLE IF NOT EXISTS g (id BIGINT PRIMARY KEY, s TEXT)"
                " COMMENT 'shardd: global'")
    c = RawClient(cluster.port, timeout=60)
    c.login(db="app", more=rawclient.LOCAL_FILES)
    c.command(rawclient.QUERY, b"LOAD DATA LOCAL INFILE 'x' INTO TABLE g"
              b" FIELDS TERMINATED BY ','")
    assert c.read()[:1] == b"\xfb"
    return c


def test_a_file_waits_for_a_slow_server(small):
    c = load(small)
    line = b",".join([b"%d", b"y" * 990]) + b"\n"
    servers = testbed.programs(small.home, "mariadbd")
    sequence, n = c.sequence, 0

    def packet():
        nonlocal sequence, n
        body = b"".join(line % (n + i) for i in range(16))
        n += 16
        sequence = (sequence + 1) & 255
        return struct.pack("<I", len(body))[:3] + bytes([(sequence - 1) & 255]) + body

    for p in servers:
        os.kill(p, signal.SIGSTOP)
    try:
        def push():
            c.socket.settimeout(1.5)
            try:
                while n < 60000:
                    data, at = packet(), 0
                    while at < len(data):
                        left.append(data[at:])
                        at += c.socket.send(data[at:])
                        left.pop()
            except socket.timeout:
                pass
        left = []
        grown(small, push, 24)
        assert n < 60000 and left
    finally:
        for p in servers:
            os.kill(p, signal.SIGCONT)
    c.socket.settimeout(60)
    c.socket.sendall(left[-1])
    for _ in range(100):
        c.socket.sendall(packet())
    c.send(b"", sequence=sequence)
    c.ok()
    assert small.sql("SELECT COUNT(*), MAX(id) FROM g") == ((n, n - 1),)
    c.close()


def test_the_server_is_lost_inside_of_a_file(small):
    c = load(small)
    c.send(b"1,one\n", sequence=c.sequence)
    testbed.wait_for("a server to load", lambda: kill_backends(
        small, "INFO LIKE 'LOAD DATA%'") == 1)
    time.sleep(0.2)
    for i in range(100):
        c.send(b"%d,more\n" % i)
    c.send(b"")
    with pytest.raises(ServerError) as lost:
        c.ok()
    assert lost.value.code == 1430
    assert c.query("SELECT 7")[1]  # and the connection goes on
    c.close()


def test_garbage_and_silence_inside_of_a_file(small):
    for junk in b"\xff\xff\xff\x63junk", b"\3SELECT 1", b"\5\0\0\7hello", os.urandom(5000):
        c = load(small)
        c.socket.sendall(junk)
        c.close()
    c = load(small)  # two at once, one leaves
    other = load(small)
    c.close()
    other.send(b"1,one\n", sequence=other.sequence)
    other.send(b"")
    other.ok()
    other.close()
    all_gone(small)
    for shard in small.shard_list():
        testbed.wait_for("its threads to end", lambda: not small.on_shard(
            shard, "SELECT 1 FROM information_schema.PROCESSLIST WHERE INFO LIKE 'LOAD DATA%'"))


# --- KILL --------------------------------------------------------------------------


def test_kill_by_command_obeys_the_same_rules(small):
    small.ctl_raw("user add", "eve", "--password", "eve")
    with small.connect() as victim, RawClient(small.port) as eve:
        try:
            eve.login("eve", "eve")
        except ServerError:
            pytest.skip("no second user")
        kill = bytes([12]) + struct.pack("<I", victim.thread_id())
        eve.send(kill, sequence=0)
        with pytest.raises(ServerError) as refused:
            eve.ok()
        assert refused.value.code == 1095
        assert testbed.Answer(victim, "SELECT 1").rows == [(1,)]
    with RawClient(small.port) as c:
        c.login()
        c.send(bytes([12]) + struct.pack("<I", c.connection_id), sequence=0)
        with pytest.raises(ServerError) as killed:
            c.ok()
        assert killed.value.code == 1927
        assert c.closed()


def test_a_killed_write_on_several_shards_is_undone(small):
    small.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, n INT)")
    small.sql("INSERT INTO t VALUES " + ",".join(f"({i}, 0)" for i in range(20)))
    for inside in False, True:
        with small.connect() as victim, small.connect() as other:
            if inside:
                assert testbed.Answer(victim, "BEGIN").error is None
            answers = []
            t = threading.Thread(target=lambda: answers.append(testbed.Answer(
                victim, "UPDATE t SET n = n + 1 WHERE SLEEP(1) = 0")))
            t.start()
            testbed.wait_for("it to run", lambda: any(small.on_shard(
                s, "SELECT ID FROM information_schema.PROCESSLIST WHERE STATE = 'User sleep'")
                for s in small.shard_list()))
            assert testbed.Answer(other, f"KILL QUERY {victim.thread_id()}").error is None
            t.join()
            assert answers[0].error[0] == 1317
            if inside:
                assert testbed.Answer(victim, "ROLLBACK").error is None
            assert testbed.Answer(victim, "SELECT MAX(n) FROM t").rows == [(0,)]
            assert testbed.Answer(victim, "UPDATE t SET n = 0").error is None


def test_kill_reaches_the_clients_of_every_worker(new_cluster):
    cluster = new_cluster(workers=2, settings=["--set", 'steer="random"'])
    clients = [cluster.connect() for _ in range(16)]
    assert len({c.thread_id() & 255 for c in clients}) == 2  # whose lowest bits say the worker
    answers = {}

    def sleep(c):
        answers[c] = testbed.Answer(c, "SELECT SLEEP(30)")

    threads = [threading.Thread(target=sleep, args=(c,)) for c in clients[1:]]
    for t in threads:
        t.start()
    testbed.wait_for("them to sleep", lambda: sum(
        "SLEEP(30)" in str(row[7]) for row in cluster.sql("SHOW FULL PROCESSLIST")) == 15)
    start = time.monotonic()
    for i, c in enumerate(clients[1:]):
        verb = "KILL QUERY" if i % 2 else "KILL"
        assert testbed.Answer(clients[0], f"{verb} {c.thread_id()}").error is None
    for t in threads:
        t.join()
    assert time.monotonic() - start < 5 * testbed.slowness()
    for i, c in enumerate(clients[1:]):
        assert answers[c].error[0] in ((1317,) if i % 2 else (1927, 2013)), answers[c]
        assert (testbed.Answer(c, "SELECT 1").rows == [(1,)]) == bool(i % 2)


# --- transactions ------------------------------------------------------------------


def test_a_backend_that_dies_while_it_is_held(small):
    small.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, n INT)")
    small.sql("INSERT INTO t VALUES " + ",".join(f"({i}, 0)" for i in range(20)))
    for n, statements in (1, ["UPDATE t SET n = 1 WHERE id = 1"]), (2, ["UPDATE t SET n = 1"]):
        for then in "COMMIT", "SELECT COUNT(*) FROM t", "UPDATE t SET n = 2 WHERE id = 1":
            with small.connect() as c:
                for sql in ["BEGIN", *statements]:
                    assert testbed.Answer(c, sql).error is None
                kill_held_backends(small, n)
                assert testbed.Answer(c, then).error[0] == 1927, then
                assert testbed.Answer(c, "ROLLBACK").error is None
                assert testbed.Answer(c, "SELECT MAX(n) FROM t").rows == [(0,)]
                assert testbed.Answer(c, "UPDATE t SET n = 0").error is None
    with small.connect() as c:  # idle ones in the pool are simply replaced
        kill_backends(small, "COMMAND = 'Sleep'")
        assert testbed.Answer(c, "SELECT COUNT(*) FROM t").rows == [(20,)]


def test_clients_that_vanish_in_commits(small):
    small.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, n INT)")
    small.sql("INSERT INTO t VALUES " + ",".join(f"({i}, 100)" for i in range(40)))
    for i in range(60):
        with RawClient(small.port) as c:
            c.login(db="app", more=rawclient.MULTI_STATEMENTS)
            a, b = i % 40, (i * 7 + 1) % 40
            c.command(rawclient.QUERY, (
                f"BEGIN; UPDATE t SET n = n - 1 WHERE id = {a};"
                f"UPDATE t SET n = n + 1 WHERE id = {b}; COMMIT").encode())
            time.sleep(i % 12 / 1000)

    def settled():
        return not any(small.on_shard(s, "XA RECOVER") for s in small.shard_list())
    testbed.wait_for("the resolver", settled)
    with small.connect() as c:
        assert testbed.Answer(c, "SET innodb_lock_wait_timeout = 3").error is None
        assert testbed.Answer(c, "SELECT SUM(n) FROM t FOR UPDATE").error is None or True
        assert testbed.Answer(c, "UPDATE t SET n = n + 1").affected == 40
        assert testbed.Answer(c, "SELECT SUM(n) FROM t").rows == [(4040,)]


# --- what one client leaves for the next ---------------------------------------------


LEFT_BEHIND = [
    ("routine with a transaction", "CALL begins()", "SELECT @@in_transaction"),
    ("routine with variables", "CALL sets()", "SELECT @routine"),
    ("routine with sql_mode", "CALL modes()", "SELECT @@sql_mode"),
    ("routine with a temporary table", "CALL temps()", "SELECT COUNT(*) FROM tmp"),
    ("a failing routine", "CALL fails()", "SELECT @@in_transaction, @routine"),
    ("compound", "BEGIN NOT ATOMIC SET @routine = 5; START TRANSACTION; END",
     "SELECT @routine, @@in_transaction"),
    ("immediate", "EXECUTE IMMEDIATE 'SET @routine = 1'", "SELECT @routine"),
    ("prepare", "PREPARE p FROM 'SELECT 1'", "EXECUTE p"),
    ("lock tables", "LOCK TABLES g WRITE", "SELECT COUNT(*) FROM g"),
    ("flush with lock", "FLUSH TABLES g WITH READ LOCK", "DELETE FROM g"),
    ("handler", "HANDLER g OPEN", "HANDLER g READ FIRST"),
    ("temporary table", "CREATE TEMPORARY TABLE tmp (a INT)", "SELECT COUNT(*) FROM tmp"),
    ("lock", "SELECT GET_LOCK('left', 0)", "SELECT IS_FREE_LOCK('left')"),
    ("into variable", "SELECT 5 INTO @routine", "SELECT @routine"),
    ("transaction", "START TRANSACTION", "SELECT @@in_transaction"),
    ("last insert id", "SELECT LAST_INSERT_ID(7)", "SELECT LAST_INSERT_ID()"),
    ("schema", "USE other", "SELECT DATABASE()"),
    ("next transaction", "SET TRANSACTION READ ONLY", "DELETE FROM g"),
]


@pytest.fixture(scope="module")
def narrow(scratch):
    """One backend per server: whoever comes next gets the one that was left."""
    cluster = testbed.Cluster(scratch / "narrow", workers=1,
                              settings=["--set", "pool_max=1", "--set", "pool_wait_ms=1000"])
    cluster.sql("CREATE DATABASE other")
    cluster.sql("CREATE TABLE g (id BIGINT PRIMARY KEY) COMMENT 'shardd: global'")
    for name, body in (("begins", "START TRANSACTION; SELECT 1;"), ("sets", "SET @routine = 3;"),
                       ("modes", "SET SESSION sql_mode = 'ANSI';"),
                       ("temps", "CREATE TEMPORARY TABLE tmp (a INT); INSERT INTO tmp VALUES (1);"),
                       ("fails", "START TRANSACTION; SET @routine = 9; SIGNAL SQLSTATE '45000';")):
        for shard in cluster.shard_list():
            cluster.on_shard(shard, f"CREATE PROCEDURE {name}() BEGIN {body} END", "app")
    yield cluster
    cluster.down()


@pytest.mark.parametrize("name,change,ask", LEFT_BEHIND, ids=[s[0] for s in LEFT_BEHIND])
def test_nothing_is_left_for_the_next_client(narrow, name, change, ask):
    with narrow.connect() as fresh:
        expected = patiently(fresh, ask)
    first = narrow.connect()
    changed = testbed.Answer(first, change)
    with narrow.connect() as second:
        seen = testbed.Answer(second, ask)
        if seen.error and seen.error[0] in (1040, 1205):  # the only backend is pinned
            leave(narrow, first)
            seen = patiently(second, ask)
    assert (seen.rows, seen.error) == (expected.rows, expected.error), changed
    if first.open:
        leave(narrow, first)
    with narrow.connect() as third:
        seen = patiently(third, ask)
        assert (seen.rows, seen.error) == (expected.rows, expected.error), changed


def patiently(client, sql):
    """Who waits for the only connection waits for a second at most, and asks again."""
    def there():
        answer = testbed.Answer(client, sql)
        return None if answer.error and answer.error[0] == 1040 else answer
    return testbed.wait_for("the connection", there)


def leave(cluster, client):
    """Closing does not wait: a server gives the locks of who left back a little later."""
    client.close()
    testbed.wait_for("the lock to be free again", lambda: all(
        cluster.on_shard(shard, "SELECT IS_FREE_LOCK('left')")[0][0] == 1
        for shard in cluster.shard_list()))


def test_a_transaction_that_a_routine_began_is_the_clients(narrow):
    with narrow.connect() as c, narrow.connect() as other:
        assert testbed.Answer(c, "CALL begins()").error is None
        assert testbed.Answer(c, "INSERT INTO g VALUES (77)").error is None
        assert testbed.Answer(c, "SELECT @@in_transaction").rows == [(1,)]
        assert testbed.Answer(c, "ROLLBACK").error is None
        assert testbed.Answer(other, "SELECT COUNT(*) FROM g").rows == [(0,)]


# --- pools -------------------------------------------------------------------------


def test_a_server_with_too_few_connections_is_waited_for(new_cluster):
    cluster = new_cluster(workers=1)
    cluster.sql("CREATE TABLE t (id BIGINT PRIMARY KEY)")
    cluster.sql("INSERT INTO t VALUES (1), (2), (3), (4), (5), (6)")
    roots = [cluster.shard_connect(shard) for shard in cluster.shard_list()]
    for root in roots:
        n = int(testbed.Answer(root, "SHOW STATUS LIKE 'Threads_connected'").rows[0][1])
        testbed.Answer(root, f"SET GLOBAL max_connections = {max(10, n + 4)}")
    errors = []

    def work():
        with cluster.connect() as c:
            for _ in range(5):
                answer = testbed.Answer(c, "SELECT id, SLEEP(0.02) FROM t")
                if answer.error:
                    errors.append(answer.error)

    assert testbed.Answer(cluster.connect(), "SELECT COUNT(*) FROM t").rows == [(6,)]
    threads = [threading.Thread(target=work) for _ in range(30)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for root in roots:
        testbed.Answer(root, "SET GLOBAL max_connections = 400")
        root.close()
    assert errors == []


def test_waiting_has_a_deadline(narrow):
    with narrow.connect() as holder, narrow.connect() as waiter:
        assert testbed.Answer(holder, "BEGIN").error is None
        assert testbed.Answer(holder, "SELECT * FROM g").error is None
        start = time.monotonic()
        assert testbed.Answer(waiter, "SELECT * FROM g").error[0] == 1040
        assert 0.9 < time.monotonic() - start < 5 * testbed.slowness()
        assert testbed.Answer(holder, "ROLLBACK").error is None
        assert testbed.Answer(waiter, "SELECT * FROM g").error is None


def test_kinds_of_clients_share_the_limit(new_cluster):
    """Collations of logins are pools of their own, and pool_max is for all of them."""
    cluster = new_cluster(workers=1, settings=["--set", "pool_max=1", "--set",
                                               "pool_wait_ms=60000"])
    cluster.sql("CREATE TABLE g (id BIGINT PRIMARY KEY) COMMENT 'shardd: global'")
    errors, most = [], []
    kinds = [{"db": "app"}, {"db": None}, {"charset": "latin1"}, {"charset": "utf8"}]
    roots = [cluster.shard_connect(shard) for shard in cluster.shard_list()]

    def work(kind):
        with cluster.connect(**kind) as c:
            for i in range(12):
                sql = "SELECT COUNT(*) FROM app.g" if i % 3 else "SELECT SLEEP(0.02) FROM app.g"
                error = testbed.Answer(c, sql).error
                if error:
                    errors.append(error)

    threads = [threading.Thread(target=work, args=(kinds[i % 4],)) for i in range(8)]
    for t in threads:
        t.start()
    while any(t.is_alive() for t in threads):
        for root in roots:
            most.append(testbed.Answer(root, "SELECT COUNT(*) FROM information_schema.PROCESSLIST"
                                       " WHERE USER = 'app' AND COMMAND <> 'Killed'").rows[0][0])
    for root in roots:
        root.close()
    assert errors == []
    assert max(most) <= 3  # one, one that opens, one that still closes


def test_many_kinds_of_clients(small):
    """Every collation of a login is a pool of its own; they do not stay."""
    for charset in range(1, 256):
        with RawClient(small.port) as c:
            c.greeting()
            body = struct.pack("<IIB23x", rawclient.USUAL & ~rawclient.CONNECT_WITH_DB, 1 << 30,
                               charset) + b"app\0"
            body += bytes([20]) + rawclient.native_password("app", c.scramble)
            c.send(body + b"mysql_native_password\0")
            c.ok()
            try:
                c.query("SELECT 1")
            except ServerError:
                pass
    assert small.sql("SELECT 3") == ((3,),)
