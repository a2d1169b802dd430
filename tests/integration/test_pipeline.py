"""Quick reads of many clients share few connections to a server: every client gets its own
answer, and none waits for a slow statement of another."""
import random
import re
import struct
import time

import pymysql
import pytest

import rawclient
import testbed

SHARED_ROWS = 1000  # and behind them a row for each client to write


def counter(cluster, name):
    text = cluster.http("/metrics")[1]
    return int(float(re.search(rf"^shardd_{name} (\S+)$", text, re.M).group(1)))


@pytest.fixture(scope="module")
def few(scratch):
    """Four connections per worker and shard."""
    cluster = testbed.Cluster(scratch / "few", shards=2,
                              settings=["--set", "pool_max=4", "--set", "pipeline=8"])
    cluster.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, v VARCHAR(40))")
    cluster.sql("INSERT INTO t VALUES " + ",".join(
        f"({i}, 'v{i}')" for i in range(2 * SHARED_ROWS)))
    # Every 50th row brings a warning, an error, a large answer.
    cluster.sql("CREATE TABLE odd (id BIGINT PRIMARY KEY, w VARCHAR(9), e BIGINT, n INT)")
    cluster.sql("INSERT INTO odd VALUES " + ",".join(
        f"({i}, {repr('1x' if i % 50 == 0 else '1')}, {int(i % 50 == 0)}, "
        f"{30000 if i % 50 == 0 else 1})" for i in range(SHARED_ROWS)))
    yield cluster
    cluster.finish()


class Client:
    """Sends a random statement; later reads its answer and compares."""

    def __init__(self, cluster, number, rng):
        self.rng, self.number = rng, number
        self.row = SHARED_ROWS + number
        self.ansi = number % 20 == 1
        self.raw = rawclient.RawClient(cluster.port).login(db="app")
        if self.ansi:
            self.raw.query("SET sql_mode = 'ANSI_QUOTES'")
        if number % 20 == 2:
            self.raw.query("SET NAMES latin1")
        self.value = self._read_own()
        self.prepared = self.raw.prepare("SELECT v FROM t WHERE id = ?")[0]

    def _read_own(self):
        _, rows = self.raw.query(f"SELECT v FROM t WHERE id = {self.row}")
        return rawclient.text_row(rows[0])[0]

    def expected(self, n):
        return self.value if n == self.row else b"v%d" % n

    def send(self):
        self.kind = self.rng.choices(
            ("point", "own", "quotes", "prepared", "none", "warning", "error", "large", "write"),
            (40, 10, 10, 20, 5, 8, 8, 8, 6))[0]
        self.n = self.row if self.kind == "own" else self.rng.randrange(SHARED_ROWS)
        n = self.n
        if self.kind == "prepared":
            self.raw.command(rawclient.STMT_EXECUTE, struct.pack(
                "<IBI", self.prepared, 0, 1) + b"\0\1" + struct.pack("<Hq", 8, n))
            return
        if self.kind == "write":
            self.value = b"%d-%d" % (self.number, self.rng.randrange(10**9))
        self.raw.command(rawclient.QUERY, {
            "point": f"SELECT id, v FROM t WHERE id = {n}",
            "own": f"SELECT id, v FROM t WHERE id = {n}",
            "quotes": f'SELECT id, "v" FROM t WHERE id = {n}',
            "none": f"SELECT id, v FROM t WHERE id = {n + 10**6}",
            "warning": f"SELECT w + 0 FROM odd WHERE id = {n}",
            "error": f"SELECT 9223372036854775807 + e FROM odd WHERE id = {n}",
            "large": f"SELECT REPEAT('v', n) FROM odd WHERE id = {n}",
            "write": f"UPDATE t SET v = '{self.value.decode()}' WHERE id = {self.row}",
        }[self.kind].encode())

    def check(self):
        where = f"client {self.number}, {self.kind} {self.n}"
        is_odd = self.n % 50 == 0
        try:
            _, rows = self.raw.result()
        except rawclient.ServerError as error:
            assert self.kind == "error" and is_odd and error.code == 1690, f"{where}: {error}"
            return
        if self.kind == "write":
            return
        n, v = b"%d" % self.n, self.expected(self.n)
        if self.kind == "prepared":
            v, rows = [v], [r[2:] for r in rows]  # behind the header and the bits for NULLs
        else:
            v = {"point": [n, v], "own": [n, v], "quotes": [n, v if self.ansi else b"v"],
                 "none": None, "warning": [b"1"], "error": [b"9223372036854775807"],
                 "large": [b"v" * (30000 if is_odd else 1)]}[self.kind]
        assert self.kind != "error" or not is_odd, where
        assert [rawclient.text_row(r) for r in rows] == ([v] if v else []), where
        warnings = struct.unpack_from("<H", self.raw.last, 1)[0]
        assert warnings == (self.kind == "warning" and is_odd), where
        if warnings:
            _, rows = self.raw.query("SHOW WARNINGS")
            assert [rawclient.text_row(r)[1] for r in rows] == [b"1292"], where


def test_everybody_gets_his_own_answer(few):
    rng = random.Random(4711)
    before = counter(few, "pipelined_total")
    clients = [Client(few, i, rng) for i in range(200)]
    for _ in range(25):
        for c in clients:
            c.send()
        for i, c in enumerate(clients):
            if c.kind != "write" and rng.random() < 0.01:  # gone before its answer has come
                c.raw.close()
                clients[i] = Client(few, c.number, rng)
            else:
                c.check()
    for c in clients:
        assert c._read_own() == c.value
        c.raw.close()
    assert counter(few, "pipelined_total") - before > 500
    assert counter(few, "pipeline_repeated_total") > 0
    assert counter(few, "backends_open") <= 2 * 2 * (4 + 1)  # of the service account as well


# --- one of them is slow ------------------------------------------------------------------


def test_errors_on_shared_connections_are_counted_once(few):
    """A read that fails among others' is asked again alone: for those who look at statements that
    is one call and one error."""
    sql = "SELECT n + 9223372036854775806 + e AS shared_fate FROM odd WHERE id = %d"
    before = counter(few, "pipelined_total"), counter(few, "pipeline_repeated_total")
    clients = [rawclient.RawClient(few.port).login(db="app") for _ in range(100)]
    failed = 0
    for turn in range(20):
        for i, c in enumerate(clients):
            key = 50 * (i % 20) + (i % 20 or turn % 2)  # every 20th: 0, which fails, or 1
            c.command(rawclient.QUERY, (sql % key).encode())
        for c in clients:
            try:
                _, rows = c.result()
                assert rawclient.text_row(rows[0]) == [b"9223372036854775807"]
            except rawclient.ServerError as error:
                assert error.code == 1690, error
                failed += 1
    for c in clients:
        c.query("DO 1")  # who leaves amid the end of a statement is not counted
        c.close()
    assert failed == 50
    assert counter(few, "pipelined_total") > before[0]
    assert counter(few, "pipeline_repeated_total") > before[1]

    def told():
        rows = [r for r in few.ctl("statements", "--limit", "1000")["statements"]
                if "shared_fate" in r["statement"]]
        return sum(r["calls"] for r in rows) >= 2000 and rows

    rows = testbed.wait_for("the statements", told)
    assert (sum(r["calls"] for r in rows), sum(r["errors"] for r in rows)) == (2000, failed)


@pytest.fixture(scope="module")
def one(scratch):
    """One worker, one server; `held` can be locked there, which makes reading it slow."""
    cluster = testbed.Cluster(scratch / "one", shards=1, workers=1, settings=[
        "--set", "pool_max=4", "--set", "pipeline_wait_ms=20"])
    for name in "held", "free":
        cluster.sql(f"CREATE TABLE {name} (id BIGINT PRIMARY KEY, v VARCHAR(40))")
        cluster.sql(f"INSERT INTO {name} VALUES " + ",".join(f"({i}, 'v{i}')"
                                                             for i in range(100)))
    yield cluster
    cluster.finish()


@pytest.fixture
def slow(one):
    clients = [rawclient.RawClient(one.port).login(db="app") for _ in range(64)]
    for name in "held", "free":  # they are known to be quick
        for _ in range(200):
            clients[0].query(f"SELECT v FROM {name} WHERE id = 1")
    yield one, clients
    for c in clients:
        c.close()


def ask(clients, name):
    for i, c in enumerate(clients):
        c.command(rawclient.QUERY, b"SELECT v FROM %s WHERE id = %d" % (name, i))


def answered(clients):
    for i, c in enumerate(clients):
        _, rows = c.result()
        assert [rawclient.text_row(r) for r in rows] == [[b"v%d" % i]], i


def blocked(cluster):
    """Ids of the server's connections that wait for the lock."""
    rows = cluster.on_shard(cluster.shard_list()[0],
                            "SELECT id FROM information_schema.processlist "
                            "WHERE state LIKE 'Waiting for table metadata lock%'")
    return [r[0] for r in rows]


def stand_behind_a_slow_one(cluster, clients, lock):
    """Until somebody does: a statement that waits, others behind it, which are answered."""
    moved = counter(cluster, "pipeline_moved_total")
    end = time.monotonic() + testbed.PATIENCE_S
    with lock.cursor() as cursor:
        cursor.execute("LOCK TABLES app.held WRITE")
    ask(clients[:1], b"held")
    testbed.wait_for("the read to wait", lambda: blocked(cluster))
    while counter(cluster, "pipeline_moved_total") == moved:
        assert time.monotonic() < end
        ask(clients[1:], b"free")
        answered(clients[1:])


def test_a_slow_one_holds_nobody_up(slow):
    cluster, clients = slow
    with cluster.shard_connect(cluster.shard_list()[0]) as lock:
        stand_behind_a_slow_one(cluster, clients, lock)
        assert len(blocked(cluster)) == 1
        with lock.cursor() as cursor:
            cursor.execute("UNLOCK TABLES")
    answered(clients[:1])


def test_whoever_leaves_is_not_worked_for(slow):
    cluster, clients = slow
    with cluster.shard_connect(cluster.shard_list()[0]) as lock:
        stand_behind_a_slow_one(cluster, clients, lock)
        clients[0].close()
        testbed.wait_for("the server to be told", lambda: not blocked(cluster))


def test_a_lost_connection_is_noticed_by_nobody(slow):
    cluster, clients = slow
    shard = cluster.shard_list()[0]
    with cluster.shard_connect(shard) as lock:
        with lock.cursor() as cursor:
            cursor.execute("LOCK TABLES app.held WRITE")
        ask(clients[:8], b"held")
        for pid in testbed.wait_for("reads to wait", lambda: blocked(cluster)):
            try:
                cluster.on_shard(shard, f"KILL {pid}")
            except pymysql.Error:
                pass  # it has ended
        testbed.wait_for("them to wait again", lambda: blocked(cluster))
        with lock.cursor() as cursor:
            cursor.execute("UNLOCK TABLES")
    answered(clients[:8])
    assert counter(cluster, "retries_total") > 0
