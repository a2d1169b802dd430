"""COM_STMT_FETCH: rows that a client fetches as it wants them, from one shard and from several;
packet by packet what a plain server says."""
import contextlib
import pathlib
import shutil
import struct
import subprocess
import sys

import pymysql
import pytest

import rawclient
import testbed
from rawclient import DEPRECATE_EOF, RawClient, ServerError

FETCH = 28
IN_TRANS, CURSOR_EXISTS, LAST_ROW_SENT = 1, 64, 128
ROWS = 1000


@pytest.fixture(scope="module")
def filled(checked, plain):
    """The same table on both, over all shards on one; and a global one."""
    for server in plain, checked:
        server.sql("CREATE DATABASE cur", db=None)
        server.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, n INT, s VARCHAR(200))", db="cur")
        server.sql("CREATE TABLE g (id INT, s VARCHAR(20)) COMMENT 'shardd: global'", db="cur")
        with server.connect(db="cur") as c, c.cursor() as cursor:
            cursor.executemany("INSERT INTO t VALUES (%s, %s, %s)",
                               [(i, i % 7, f"row {i} " + "x" * (i % 90)) for i in range(ROWS)])
            cursor.executemany("INSERT INTO g VALUES (%s, %s)", [(i, str(i)) for i in range(50)])
    yield checked, plain
    for server in plain, checked:
        server.sql("DROP DATABASE cur", db=None)


def end_of(client):
    """Status of the EOF, or OK instead of it, that came last."""
    at = 3 if len(client.last) == 5 else 3
    return struct.unpack_from("<H", client.last, at)[0]


class Cursor:
    def __init__(self, client, sql, values=(), flags=1):
        self.client = client
        self.id, _, self.described = client.prepare(sql)
        self.columns = self.execute(values, flags)

    def execute(self, values=(), flags=1):
        body = struct.pack("<IBI", self.id, flags, 1)
        if values:
            body += bytes((len(values) + 7) // 8) + b"\1"
            body += struct.pack("<H", 8) * len(values)
            body += b"".join(struct.pack("<q", v) for v in values)
        self.client.command(rawclient.STMT_EXECUTE, body)
        head = self.client.read()
        if head[:1] == b"\xff":
            raise ServerError(head)
        if head[:1] == b"\0":
            return head
        n, _ = rawclient.read_lenenc(head, 0)
        columns = [self.client.read() for _ in range(n)]
        self.client.last = self.client.read()
        if self.client.last[:1] == b"\xff":
            raise ServerError(self.client.last)
        assert self.client.last[:1] == b"\xfe"
        self.status = end_of(self.client)
        return columns

    def fetch(self, n):
        self.client.command(FETCH, struct.pack("<II", self.id, n))
        rows = self.client._until_eof()
        self.status = end_of(self.client)
        return rows

    def close(self):
        self.client.close_statement(self.id)


STATEMENTS = [
    ("one row", "SELECT * FROM t WHERE id = ?", [7]),
    ("no row", "SELECT * FROM t WHERE id = ?", [70000]),
    ("one shard", "SELECT * FROM g WHERE id < ? ORDER BY id", [20]),
    ("sorted", "SELECT * FROM t WHERE id < ? ORDER BY id", [300]),
    ("sorted down", "SELECT id, s FROM t WHERE id >= ? ORDER BY n DESC, id", [100]),
    ("aggregate", "SELECT COUNT(*), SUM(n), MAX(s) FROM t WHERE id < ?", [500]),
    ("groups", "SELECT n, COUNT(*), AVG(id) FROM t WHERE id < ? GROUP BY n ORDER BY n", [500]),
    ("distinct", "SELECT DISTINCT n FROM t WHERE id > ? ORDER BY n", [3]),
    ("limit", "SELECT id FROM t WHERE id > ? ORDER BY id LIMIT 25 OFFSET 5", [3]),
    ("nothing at all", "SELECT id FROM t WHERE id > ? ORDER BY id", [100000]),
    ("without a table", "SELECT ? + 1", [5]),
    ("locking", "SELECT id FROM t WHERE id < ? ORDER BY id FOR UPDATE", [20]),
    ("shared", "SELECT id FROM t WHERE id < ? ORDER BY id LOCK IN SHARE MODE", [20]),
    ("show", "SHOW TABLES LIKE 't'", []),
]


@pytest.mark.parametrize("caps", [0, DEPRECATE_EOF], ids=["eof", "ok"])
@pytest.mark.parametrize("sql,values", [s[1:] for s in STATEMENTS],
                         ids=[s[0] for s in STATEMENTS])
def test_as_on_a_server(filled, sql, values, caps):
    """In one go, in pieces of all sizes, exactly to the end and beyond, and once more."""
    seen = []
    for server in filled:
        out = []
        with RawClient(server.port) as client:
            client.login(db="cur", more=caps)
            cursor = Cursor(client, sql, values)
            out.append((len(cursor.columns), cursor.status & ~0x30))
            for n in (1, 2, 0, 5, 10, 100, 2000, 2000):
                try:
                    out.append((cursor.fetch(n), cursor.status & ~0x30))
                except ServerError as error:
                    out.append((error.code, error.state))
            cursor.execute(values)
            out.append((cursor.fetch(3), cursor.status & ~0x30))
            client.command(rawclient.STMT_RESET, struct.pack("<I", cursor.id))
            client.ok()
            with pytest.raises(ServerError) as closed:
                cursor.fetch(1)
            out.append((closed.value.code, closed.value.state))
            cursor.close()
            with pytest.raises(ServerError) as unknown:
                cursor.fetch(1)
            out.append((unknown.value.code, unknown.value.state))
        seen.append(out)
    assert seen[0] == seen[1]


def test_what_gets_no_cursor(filled):
    """A server sends the rows of these at once, whatever was asked for."""
    seen = []
    for server in filled:
        out = []
        with RawClient(server.port) as client:
            client.login(db="cur")
            for sql in ("UPDATE t SET n = n WHERE id < 3", "SET @a = 1", "BEGIN", "COMMIT",
                        "INSERT INTO g VALUES (99, 'x') RETURNING id",
                        "DELETE FROM g WHERE id = 99", "SELECT s INTO @a FROM g WHERE id = 1",
                        "SELECT 1 INTO @a", "SELECT s FROM t WHERE id = 1 INTO @a"):
                statement = client.prepare(sql)[0]
                client.command(rawclient.STMT_EXECUTE, struct.pack("<IBI", statement, 1, 1))
                try:
                    rows, more = client.result()
                    out.append(more if rows is not None else more[:2])
                except ServerError as refused:
                    out.append((refused.code, refused.state, refused.text))
                client.command(FETCH, struct.pack("<II", statement, 1))
                with pytest.raises(ServerError) as refused:
                    client.ok()
                out.append(refused.value.code)
        seen.append(out)
    assert seen[0] == seen[1]


def test_all_rows_in_small_pieces(filled):
    checked, _ = filled
    with RawClient(checked.port) as client:
        client.login(db="cur")
        cursor = Cursor(client, "SELECT id, s FROM t WHERE id >= ? ORDER BY id", [0])
        rows = []
        while cursor.status & CURSOR_EXISTS:
            rows += cursor.fetch(17)
        assert cursor.status & LAST_ROW_SENT
        assert [struct.unpack_from("<q", r, 2)[0] for r in rows] == list(range(ROWS))


def test_what_happens_between_fetches(filled):
    """Other statements, other cursors of the same text, transactions that end: as on a server."""
    seen = []
    for server in filled:
        out = []
        with RawClient(server.port) as client:
            client.login(db="cur")

            def note(cursor, n):
                rows = cursor.fetch(n)
                out.append((rows, cursor.status & ~0x30))

            text = "SELECT id, n FROM t WHERE id >= ? ORDER BY id"
            first = Cursor(client, text, [0])
            note(first, 3)
            second = Cursor(client, text, [500])
            note(second, 3)
            note(first, 3)
            client.query("BEGIN")
            third = Cursor(client, text, [10])
            note(third, 2)
            client.query("UPDATE t SET n = 99 WHERE id IN (7, 8, 13, 14, 504)")
            out.append(client.query("SELECT SUM(n) FROM t")[1])
            for cursor in first, second, third:
                note(cursor, 2)
            client.query("ROLLBACK")
            for cursor in first, second, third:
                note(cursor, 2)
            client.query("START TRANSACTION")
            client.query("UPDATE t SET n = n WHERE id < 5")
            client.query("COMMIT")
            for cursor in third, second, first:
                note(cursor, 3000)
            out.append(client.query("SELECT COUNT(*) FROM t")[1])
        seen.append(out)
    assert seen[0] == seen[1]


def pinned(server):
    return server.metric("shardd_pinned_sessions", reason="cursor")


@pytest.mark.parametrize("end", ["last row", "close", "reset", "execute", "disconnect",
                                 "reset connection"])
@pytest.mark.parametrize("sql", ["SELECT id FROM t WHERE id >= ?",
                                 "SELECT id FROM g WHERE id >= ?"], ids=["several", "one"])
def test_a_cursor_holds_connections_until_it_ends(filled, sql, end):
    checked, _ = filled

    def count():
        return sum(int(checked.on_shard(s, "SHOW STATUS LIKE 'Prepared_stmt_count'")[0][1])
                   for s in checked.shard_list())

    testbed.wait_for("earlier ones to end", lambda: pinned(checked) == 0)
    with RawClient(checked.port) as client:
        client.login(db="cur")
        cursor = Cursor(client, sql, [0])
        cursor.fetch(5)
        testbed.wait_for("the pin", lambda: pinned(checked) == 1)
        open_then = count()
        if end == "last row":
            cursor.fetch(5000)
        elif end == "close":
            cursor.close()
            client.query("DO 1")
        elif end == "reset":
            client.command(rawclient.STMT_RESET, struct.pack("<I", cursor.id))
            client.ok()
        elif end == "execute":
            body = struct.pack("<IBI", cursor.id, 0, 1) + b"\0\1" + struct.pack("<Hq", 8, 99999)
            client.command(rawclient.STMT_EXECUTE, body)
            assert client.result()[1] == []
        elif end == "reset connection":
            client.command(31)
            client.ok()
        if end != "disconnect":
            testbed.wait_for("the pin to end", lambda: pinned(checked) == 0)
            testbed.wait_for("statements to be closed", lambda: count() < open_then
                             or end == "execute")
    testbed.wait_for("the pin to end", lambda: pinned(checked) == 0)


def test_a_lost_connection(filled):
    checked, _ = filled
    with RawClient(checked.port) as client:
        client.login(db="cur")
        cursor = Cursor(client, "SELECT id FROM t WHERE id >= ? ORDER BY id", [0])
        cursor.fetch(5)
        shard = checked.shard_list()[0]
        for (thread,) in checked.on_shard(shard, "SELECT ID FROM information_schema.PROCESSLIST"
                                                 " WHERE USER = 'app' AND COMMAND = 'Sleep'"):
            with contextlib.suppress(pymysql.err.OperationalError):  # it has gone by itself
                checked.on_shard(shard, f"KILL {thread}")
        with pytest.raises(ServerError):
            for _ in range(100):
                cursor.fetch(100)
        cursor.execute([990])
        assert len(cursor.fetch(100)) == 10


def test_large_rows_and_a_slow_reader(filled):
    """100 MB pass with bounded memory; nothing is read that the client did not ask for."""
    checked, _ = filled
    checked.sql("CREATE TABLE big (id BIGINT PRIMARY KEY, b LONGBLOB)", db="cur")
    with checked.connect(db="cur") as c, c.cursor() as sql:
        for i in range(25):
            sql.execute("INSERT INTO big VALUES (%s, REPEAT('x', 4000000))", (i,))
    before = [testbed.memory_kib(p) for p in checked.worker_pids()]
    with RawClient(checked.port, timeout=60) as client:
        client.login(db="cur")
        cursor = Cursor(client, "SELECT id, b FROM big WHERE id >= ? ORDER BY id", [0])
        n = 0
        while cursor.status & CURSOR_EXISTS:
            n += sum(len(r) for r in cursor.fetch(3))
    assert n > 100_000_000
    grown = max(testbed.memory_kib(p) - b for p, b in zip(checked.worker_pids(), before))
    assert grown < 80 * 1024 or testbed.MODE != "release"  # a sanitizer keeps what was freed
    checked.sql("DROP TABLE big", db="cur")


def test_errors(filled):
    checked, _ = filled
    with RawClient(checked.port) as client:
        client.login(db="cur")
        statement = client.prepare("SELECT 1")[0]
        for body in (b"", b"\1", struct.pack("<I", statement), bytes(8)):
            client.command(FETCH, body)
            with pytest.raises(ServerError) as refused:
                client.ok()
            assert refused.value.code in (1243, 1421)
        # A statement that fails on a shard leaves no cursor, and the client goes on.
        with pytest.raises(ServerError):
            Cursor(client, "SELECT id FROM t WHERE id < ? AND 9223372036854775807 + id > 5", [9])
        assert len(Cursor(client, "SELECT id FROM t WHERE id < ?", [9]).fetch(100)) == 9


# --- clients ------------------------------------------------------------------

JAVA = """
import java.sql.*;

public class Cursors {
    public static void main(String[] args) throws Exception {
        String url = "jdbc:mariadb://127.0.0.1:" + args[0] + "/cur?useServerPrepStmts=true"
            + "&useCursorFetch=true&defaultFetchSize=7";
        try (Connection c = DriverManager.getConnection(url, "app", "app")) {
            for (boolean auto : new boolean[] { true, false }) {
                c.setAutoCommit(auto);
                try (PreparedStatement p = c.prepareStatement(
                        "SELECT id, n, s FROM t WHERE id >= ? ORDER BY id");
                     PreparedStatement q = c.prepareStatement(
                        "SELECT COUNT(*) FROM t WHERE n = ?")) {
                    p.setFetchSize(10);
                    p.setInt(1, 5);
                    long sum = 0, rows = 0;
                    try (ResultSet r = p.executeQuery()) {
                        while (r.next()) {
                            sum = sum * 31 + r.getLong(1) + r.getInt(2) + r.getString(3).length();
                            if (rows++ % 100 != 0)
                                continue;
                            q.setInt(1, r.getInt(2));
                            try (ResultSet inner = q.executeQuery()) {
                                inner.next();
                                sum += inner.getLong(1);
                            }
                        }
                    }
                    System.out.println(rows + " " + sum);
                    p.setInt(1, 990);
                    try (ResultSet r = p.executeQuery()) { r.next(); }
                }
                if (!auto)
                    c.commit();
            }
        }
    }
}
"""

PYTHON = """
import sys, pymysql, pymysql.cursors, MySQLdb, MySQLdb.cursors
for module, cursors in (pymysql, pymysql.cursors), (MySQLdb, MySQLdb.cursors):
    c = module.connect(host="127.0.0.1", port=int(sys.argv[1]), user="app", password="app",
                       database="cur")
    with c.cursor(cursors.SSCursor) as cursor:
        cursor.execute("SELECT id, s FROM t WHERE id >= %s ORDER BY id", (3,))
        print(cursor.fetchone(), cursor.fetchmany(5), sum(1 for _ in cursor))
        cursor.execute("SELECT COUNT(*) FROM t")
        print(cursor.fetchall())
    c.close()
"""


def run(words):
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_unbuffered_cursors_of_python(filled):
    outputs = [run([sys.executable, "-c", PYTHON, server.port]) for server in filled]
    assert outputs[0] == outputs[1]


def test_jdbc_use_cursor_fetch(filled, scratch):
    driver = pathlib.Path("/usr/share/java/mariadb-java-client.jar")
    if not driver.exists() or shutil.which("java") is None:
        pytest.skip("there is no JDBC driver")
    (scratch / "Cursors.java").write_text(JAVA)
    outputs = [run(["java", "-XX:TieredStopAtLevel=1", "-cp", driver, scratch / "Cursors.java",
                    server.port]) for server in filled]
    assert outputs[0] == outputs[1]
    assert outputs[0].count("\n") == 2
