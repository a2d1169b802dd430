"""What bad things get: a clear MySQL error or a closed connection, a counter, and a worker
that lives within bounded memory."""
import concurrent.futures
import os
import pathlib
import random
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


@pytest.fixture
def unharmed(checked):
    """The same workers before and after, and they answer."""
    before = checked.worker_pids()
    yield checked
    assert checked.worker_pids() == before
    for _ in range(4):
        assert checked.sql("SELECT 1 + 1") == ((2,),)


def closes_or_complains(c):
    """The other side sends an error packet and closes, or just closes."""
    try:
        while True:
            answer = c.read()
            assert answer[:1] == b"\xff", answer[:40]
    except (EOFError, ConnectionError):
        return True


GARBAGE = [
    ("nothing", b""),
    ("http", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("tls hello", bytes.fromhex("16030100a5010000a10303") + bytes(160)),
    ("zeroes", bytes(4096)),
    ("ones", b"\xff" * 4096),
    ("empty packets", b"\0\0\0\1" * 100),
    ("huge length", b"\xff\xff\xff\1" + b"x" * 100),
    ("wrong sequence", b"\5\0\0\x63hello"),
    ("short login", b"\4\0\0\1\0\0\0\0"),
    ("no terminator", struct.pack("<I", 200)[:3] + b"\1" + struct.pack(
        "<IIB23x", rawclient.USUAL, 1 << 30, 45) + b"u" * 168),
    ("bad proof length", struct.pack("<I", 40)[:3] + b"\1" + struct.pack(
        "<IIB23x", rawclient.USUAL, 1 << 30, 45) + b"app\0\xff123"),
]


@pytest.mark.parametrize("name,junk", GARBAGE, ids=[g[0] for g in GARBAGE])
def test_garbage_instead_of_a_login(unharmed, name, junk):
    with RawClient(unharmed.port) as c:
        c.greeting()
        c.socket.sendall(junk)
        c.socket.shutdown(socket.SHUT_WR)
        assert closes_or_complains(c)


def test_random_garbage(unharmed):
    rng = random.Random(7306)
    for round in range(150):
        with RawClient(unharmed.port) as c:
            if round % 2:
                c.login()
            else:
                c.greeting()
            junk = rng.randbytes(rng.randrange(1, 2000))
            if round % 3 == 0:
                junk = struct.pack("<I", len(junk))[:3] + bytes([round % 4 == 0]) + junk
            try:
                c.socket.sendall(junk)
                c.socket.shutdown(socket.SHUT_WR)
                while c.socket.recv(65536):
                    pass
            except ConnectionError:
                pass


def test_every_cut_of_a_login(unharmed):
    """A client that vanishes after each byte of its login packet."""
    with RawClient(unharmed.port) as c:
        c.greeting()
        proof = rawclient.native_password("app", c.scramble)
    body = struct.pack("<IIB23x", rawclient.USUAL, 1 << 30, 45) + b"app\0" + bytes([20]) + proof
    packet = struct.pack("<I", len(body))[:3] + b"\1" + body
    for cut in range(len(packet)):
        with RawClient(unharmed.port) as c:
            c.greeting()
            c.socket.sendall(packet[:cut])


def test_wrong_sequence_and_cut_commands(unharmed):
    for sequence in 1, 7, 255:
        with RawClient(unharmed.port) as c:
            c.login()
            c.send(b"\3SELECT 1", sequence=sequence)
            assert closes_or_complains(c)
    for cut in range(1, 12):
        with RawClient(unharmed.port) as c:
            c.login()
            c.socket.sendall((b"\x09\0\0\0\3SELECT 1")[:cut])


def test_malformed_statements_of_the_binary_protocol(unharmed):
    bad = [struct.pack("<I", 1), struct.pack("<IBI", 0xfffffffe, 0, 1), b"", b"\1",
           struct.pack("<IBI", 1, 0, 1) + b"\0\1\x08\0",  # a value that is not there
           struct.pack("<IBI", 1, 0, 1) + b"\0\1\xfd\0\xfe" + b"\xff" * 8,  # endless string
           struct.pack("<IBI", 1, 0, 1) + b"\0\1\x77\0\1\2\3"]  # no such type
    for body in bad:
        with RawClient(unharmed.port) as c:
            c.login()
            c.prepare("SELECT ?")
            c.command(rawclient.STMT_EXECUTE, body)
            with pytest.raises((ServerError, EOFError)):
                c.result()
                c.ok()


def test_a_statement_that_is_too_long(new_cluster):
    cluster = new_cluster()
    before = [testbed.memory_kib(p) for p in cluster.worker_pids()]
    with RawClient(cluster.port, timeout=60) as c:
        c.login()
        try:
            c.command(rawclient.QUERY, b"SELECT '" + b"x" * (70 << 20) + b"'")
            with pytest.raises(ServerError) as refused:
                c.result()
            assert refused.value.code == 1153
        except (ConnectionError, EOFError):
            pass  # closed before all was sent: the error may be lost on the way
    assert cluster.sql("SELECT 1") == ((1,),)
    after = [testbed.memory_kib(p) for p in cluster.worker_pids()]
    if testbed.MODE == "release":  # a sanitizer keeps what was freed
        assert all(b - a < 200 << 10 for a, b in zip(before, after))


def test_a_flood_of_wrong_passwords(unharmed):
    for _ in range(200):
        with pytest.raises(pymysql.err.OperationalError):
            unharmed.connect(password="no")


def test_too_many_clients(new_cluster):
    cluster = new_cluster(workers=1, settings=["--set", "max_clients=50"])
    held = []
    codes = []
    for _ in range(70):
        try:
            held.append(cluster.connect(db=None))
        except pymysql.err.OperationalError as refused:
            codes.append(refused.args[0])
    assert len(held) == 50 and codes == [1040] * 20
    for c in held:
        assert testbed.Answer(c, "SELECT 1").rows == [(1,)]
    held.pop().close()
    testbed.wait_for("a free place", lambda: can_connect(cluster))
    for c in held:
        c.close()


def can_connect(cluster):
    try:
        cluster.connect(db=None).close()
        return True
    except pymysql.err.OperationalError:
        return False


def test_a_thousand_connections_at_once(unharmed):
    sockets = []
    for _ in range(1000):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex(("127.0.0.1", unharmed.port))
        sockets.append(s)
    assert unharmed.sql("SELECT 1") == ((1,),)
    for s in sockets:
        s.close()


def test_a_client_that_never_reads(new_cluster):
    """A result of 400 MB: the worker holds back instead of holding it."""
    cluster = new_cluster(workers=1)
    cluster.sql("CREATE TABLE big (id BIGINT PRIMARY KEY, s LONGTEXT)")
    for i in range(20):
        cluster.sql("INSERT INTO big VALUES (%s, REPEAT('x', 1000000))", (i,))
    worker = cluster.worker_pids()[0]
    for sql in ("SELECT * FROM big WHERE id < 1000",  # merged
                "SELECT REPEAT(s, 20), REPEAT(s, 20) FROM big WHERE id = 3"):  # relayed
        before = testbed.memory_kib(worker)
        silent = [RawClient(cluster.port) for _ in range(10)]
        for c in silent:
            c.login(db="app")
            c.command(rawclient.QUERY, sql.encode())
        for _ in range(20):
            assert cluster.sql("SELECT 1") == ((1,),)  # others are served
            time.sleep(0.05)
        assert testbed.memory_kib(worker) - before < 128 << 10
        for c in silent[1:]:
            c.close()
        definitions, rows = silent[0].result()  # and it arrives when it reads after all
        assert sum(map(len, rows)) > 10 << 20
        silent[0].close()


def test_a_large_result_passes_in_bounded_memory(new_cluster):
    cluster = new_cluster(workers=1)
    cluster.sql("CREATE TABLE big (id BIGINT PRIMARY KEY, s LONGTEXT)")
    for i in range(30):
        cluster.sql("INSERT INTO big VALUES (%s, REPEAT('x', 1000000))", (i,))
    worker = cluster.worker_pids()[0]
    before = testbed.memory_kib(worker)
    with cluster.connect() as c, c.cursor(pymysql.cursors.SSCursor) as cursor:
        cursor.execute("SELECT a.s FROM big a WHERE a.id >= 0")
        total = peak = 0
        for (text,) in cursor:
            total += len(text)
            peak = max(peak, testbed.memory_kib(worker))
    assert total == 30_000_000
    assert peak - before < 48 << 10


def connect_from_all_cpus(cluster, n):
    """Who connects from a CPU may be steered to its worker: use them in turn."""
    cpus = os.sched_getaffinity(0)
    clients = []
    try:
        for i in range(n):
            os.sched_setaffinity(0, {sorted(cpus)[i % len(cpus)]})
            clients.append(cluster.connect())
    finally:
        os.sched_setaffinity(0, cpus)
    return clients


@pytest.mark.alone
def test_a_killed_worker_is_replaced(new_cluster):
    cluster = new_cluster(workers=2)
    clients = connect_from_all_cpus(cluster, 20)
    old = cluster.worker_pids()
    start = time.monotonic()
    os.kill(old[0], signal.SIGKILL)
    testbed.wait_for("a new worker", lambda: len(set(cluster.worker_pids()) - set(old)) == 1)
    assert time.monotonic() - start < (0.5 if testbed.MODE == "release" else 3) * (
        testbed.slowness())
    alive = sum(testbed.Answer(c, "SELECT 1").rows == [(1,)] for c in clients)
    assert 0 < alive < 20  # the other worker's clients noticed nothing
    for _ in range(20):
        assert cluster.sql("SELECT 1") == ((1,),)
    for c in clients:
        c.close()


def test_a_stopped_worker_is_replaced(new_cluster):
    cluster = new_cluster(workers=2)
    old = cluster.worker_pids()
    os.kill(old[0], signal.SIGSTOP)
    testbed.wait_for("a new worker", lambda: not testbed.alive(old[0])
                     and len(cluster.worker_pids()) == 2)
    for _ in range(20):
        assert cluster.sql("SELECT 1") == ((1,),)


def test_waiting_connections_are_served_by_the_successor(new_cluster):
    cluster = new_cluster(workers=1)
    (worker,) = cluster.worker_pids()
    os.kill(worker, signal.SIGSTOP)
    testbed.wait_for("the worker to stop", lambda: pathlib.Path(
        f"/proc/{worker}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T")
    waiting = [RawClient(cluster.port) for _ in range(20)]  # in the accept queue
    os.kill(worker, signal.SIGKILL)
    for c in waiting:
        c.login()
        assert c.query("SELECT 1")[1]
        c.close()


def test_a_shard_that_is_down(new_cluster):
    cluster = new_cluster()
    cluster.sql("CREATE TABLE t (id BIGINT PRIMARY KEY)")
    cluster.sql("INSERT INTO t VALUES " + ",".join(f"({i})" for i in range(100)))
    shards = cluster.shard_list()
    owner = {i: s["name"] for s in shards
             for (i,) in cluster.on_shard(s, "SELECT id FROM t", "app")}
    down = shards[1]
    (pid,) = [p for p in testbed.programs(cluster.home, "mariadbd") if is_server_of(p, down)]
    os.kill(pid, signal.SIGSTOP)  # does not answer, and is not restarted for a while
    try:
        with cluster.connect() as c:
            for i in range(100):
                if owner[i] != down["name"]:
                    assert testbed.Answer(c, f"SELECT id FROM t WHERE id = {i}").rows == [(i,)]
    finally:
        os.kill(pid, signal.SIGCONT)
    os.kill(pid, signal.SIGKILL)
    lost = next(i for i in owner if owner[i] == down["name"])
    errors = []

    def back():
        with cluster.connect() as c:
            answer = testbed.Answer(c, f"SELECT id FROM t WHERE id = {lost}")
        errors.append(answer.error)
        return answer.rows == [(lost,)]

    testbed.wait_for("the shard to be back", back, 60)
    codes = {e[0] for e in errors if e}
    assert codes <= {1105, 1429, 1430, 1053, 1205, 1203, 1158, 1159}, errors
    assert len(cluster.sql("SELECT id FROM t")) == 100


def test_a_server_too_busy_for_logins(new_cluster):
    """As long as it answers those that are in, the others wait for these."""
    cluster = new_cluster(workers=1, settings=["--set", "connect_timeout_ms=1000"])
    cluster.sql("CREATE TABLE t (id BIGINT PRIMARY KEY) COMMENT 'shardd: global'")
    (shard,) = [s for s in cluster.shard_list()
                if cluster.on_shard(s, "SHOW TABLES LIKE 't'", "app")]
    path = shard["socket"]
    with cluster.connect() as first:
        first.cursor().execute("SELECT SLEEP(0.1) FROM (SELECT COUNT(*) FROM t) x")
        os.rename(path, path + ".real")
        with socket.socket(socket.AF_UNIX) as deaf:  # takes connections, and says nothing
            deaf.bind(path)
            deaf.listen(100)

            def ask(_):
                with cluster.connect() as c:
                    return testbed.Answer(c, "SELECT SLEEP(0.2) FROM (SELECT COUNT(*) FROM t) x")

            with concurrent.futures.ThreadPoolExecutor(8) as threads:
                answers = list(threads.map(ask, range(8)))
        os.rename(path + ".real", path)
    assert [a.rows for a in answers] == [[(0,)]] * 8, [a.error for a in answers]


def is_server_of(pid, shard):
    """Whether this mariadbd listens where the shard is said to be."""
    with open(f"/proc/{pid}/cmdline", "rb") as f:
        words = f.read().decode().split("\0")
    wanted = [str(shard.get("port")), shard.get("socket") or "\1", shard["name"]]
    return any(word.endswith(w) or f"/{shard['name']}/" in word for word in words for w in wanted)


def test_a_client_killed_in_the_middle(unharmed, db):
    """Whose backend is not given to anybody else half read."""
    unharmed.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, s TEXT)", db=db)
    unharmed.sql("INSERT INTO t VALUES " + ",".join(f"({i}, REPEAT('x', 10000))"
                                                    for i in range(500)), db=db)
    for sql in ("SELECT * FROM t", "SELECT s FROM t WHERE id = 1", "SELECT SLEEP(2)",
                "UPDATE t SET s = CONCAT(s, 'y')"):
        for _ in range(10):
            with RawClient(unharmed.port) as c:
                c.login(db=db)
                c.command(rawclient.QUERY, sql.encode())
    for i in range(50):
        assert unharmed.sql(f"SELECT {i}, id FROM t WHERE id = {i}", db=db) == ((i, i),)


def test_kill(checked):
    with checked.connect() as victim, checked.connect() as other:
        result = []
        sleeper = threading.Thread(
            target=lambda: result.append(testbed.Answer(victim, "SELECT SLEEP(20)")))
        sleeper.start()
        testbed.wait_for("it to sleep", lambda: any(checked.on_shard(
            s, "SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT SLEEP(20)%'")
            for s in checked.shard_list()))
        assert testbed.Answer(other, f"KILL QUERY {victim.thread_id()}").error is None
        sleeper.join(60)
        assert not sleeper.is_alive()
        assert result[0].rows == [(1,)] or result[0].error[0] == 1317
        assert testbed.Answer(victim, "SELECT 1").rows == [(1,)]
        assert testbed.Answer(other, "KILL 99999999").error[0] == 1094
        assert testbed.Answer(other, f"KILL {victim.thread_id()}").error is None
        testbed.wait_for("the end", lambda: testbed.Answer(victim, "SELECT 1").error)
