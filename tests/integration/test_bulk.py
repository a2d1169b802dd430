"""COM_STMT_BULK_EXECUTE: one statement, the values of many executions. What a plain server answers
and what is in its table afterwards is what shardd does."""
import pathlib
import shutil
import struct
import subprocess

import pytest

import rawclient
from rawclient import RawClient, ServerError

BULK_EXECUTE, BULK_OPERATIONS = 0xfa, 1 << 2  # of the upper half
TYPES = 128
DEFAULT, IGNORE = object(), object()


class BulkClient(RawClient):
    """As MariaDB's clients log in: their own capabilities are in the upper half."""

    def login(self, db, extended=BULK_OPERATIONS):
        self.greeting()
        self.capabilities = caps = rawclient.USUAL & ~1
        proof = rawclient.native_password("app", self.scramble)
        self.send(struct.pack("<IIB19xI", caps, 1 << 30, 45, extended) + b"app\0"
                  + bytes([len(proof)]) + proof + db.encode() + b"\0mysql_native_password\0")
        self.ok()
        return self

    def bulk(self, statement, types, rows, send_types=True):
        """`types` as letters: i(nteger), s(tring)."""
        body = struct.pack("<IH", statement, TYPES if send_types else 0)
        if send_types:
            body += b"".join(struct.pack("<H", {"i": 8, "s": 253}[t]) for t in types)
        for row in rows:
            for kind, v in zip(types, row):
                if v is None or v is DEFAULT or v is IGNORE:
                    body += bytes([1 if v is None else 2 if v is DEFAULT else 3])
                elif kind == "i":
                    body += b"\0" + struct.pack("<q", v)
                else:
                    body += b"\0" + rawclient.lenenc(len(v.encode())) + v.encode()
        self.command(BULK_EXECUTE, body)
        return self.result()


TABLE = ("CREATE TABLE b (id BIGINT PRIMARY KEY, n INT DEFAULT 7, s VARCHAR(40) NOT NULL"
         " DEFAULT 'none')")
NUMBERED = "CREATE TABLE a (id BIGINT AUTO_INCREMENT PRIMARY KEY, s VARCHAR(40))"

CASES = [
    ("rows", "INSERT INTO b VALUES (?, ?, ?)", "iis", [(i, i * 2, f"s{i}") for i in range(100)]),
    ("one row", "INSERT INTO b VALUES (?, ?, ?)", "iis", [(1, 2, "x")]),
    ("nulls", "INSERT INTO b VALUES (?, ?, ?)", "iis", [(1, None, "x"), (2, 5, "y")]),
    ("default", "INSERT INTO b VALUES (?, ?, ?)", "iis",
     [(1, DEFAULT, "x"), (2, 5, DEFAULT), (3, DEFAULT, DEFAULT)]),
    ("ignore", "INSERT INTO b VALUES (?, ?, ?)", "iis", [(1, IGNORE, "x"), (2, 5, IGNORE)]),
    ("columns", "INSERT INTO b (s, id) VALUES (?, ?)", "si", [(f"s{i}", i) for i in range(9)]),
    ("constants", "INSERT INTO b VALUES (?, 3 * 4, CONCAT('(', ?, ') ?'))", "is",
     [(i, f"t{i}") for i in range(9)]),
    ("duplicate", "INSERT INTO b VALUES (?, ?, ?)", "iis",
     [(i % 30, i, "d") for i in range(50)]),
    ("too long", "INSERT INTO b VALUES (?, ?, ?)", "iis", [(1, 1, "x"), (2, 2, "y" * 50)]),
    ("replace", "REPLACE INTO b VALUES (?, ?, ?)", "iis", [(i % 5, i, "r") for i in range(20)]),
    ("ignoring", "INSERT IGNORE INTO b VALUES (?, ?, ?)", "iis",
     [(i % 5, i, "r") for i in range(20)]),
    ("upsert", "INSERT INTO b VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE n = n + VALUES(n)", "iis",
     [(i % 5, i, "u") for i in range(20)]),
    ("upsert with a value", "INSERT INTO b VALUES (?, ?, 'x') ON DUPLICATE KEY UPDATE n = ?",
     "iii", [(i % 5, i, 100 + i) for i in range(20)]),
    ("set", "INSERT INTO b SET id = ?, s = ?", "is", [(i, "set") for i in range(20)]),
    ("two tuples", "INSERT INTO b (id, s) VALUES (?, ?), (?, 'second')", "isi",
     [(i, "first", i + 100) for i in range(20)]),
    ("update", "UPDATE b SET n = ?, s = ? WHERE id = ?", "isi",
     [(i, f"u{i}", i % 12) for i in range(30)]),
    ("update many", "UPDATE b SET n = n + ? WHERE id > ?", "ii", [(5, 3), (7, 6), (1, 99)]),
    ("delete", "DELETE FROM b WHERE id = ?", "i", [(i,) for i in range(0, 20, 3)]),
    ("update fails", "UPDATE b SET s = ? WHERE id = ?", "si",
     [("fine", 1), ("y" * 50, 2), ("never", 3)]),
    ("select", "SELECT * FROM b WHERE id = ?", "i", [(1,), (2,)]),
]
FILLED = {"update", "update many", "delete", "update fails", "two tuples"}


@pytest.mark.parametrize("txn", [False, True], ids=["alone", "transaction"])
@pytest.mark.parametrize("name,sql,types,rows", CASES, ids=[c[0] for c in CASES])
def test_as_on_a_server(both, name, sql, types, rows, txn):
    seen = []
    for server in both.plain, both.cluster:
        with BulkClient(server.port) as c:
            c.login(both.db)
            c.query(TABLE)
            if name in FILLED:
                c.query("INSERT INTO b SELECT seq, seq, 'old' FROM seq_0_to_11"
                        if server is both.plain else "INSERT INTO b VALUES "
                        + ", ".join(f"({i}, {i}, 'old')" for i in range(12)))
            statement = c.prepare(sql)[0]
            if txn:
                c.query("BEGIN")
                c.query("INSERT INTO b (id) VALUES (1000)")
            out = []
            for again in range(2):
                try:
                    columns, answer = c.bulk(statement, types, rows, send_types=not again)
                    n, at = rawclient.read_lenenc(answer, 1)
                    out.append(n if columns is None else "rows")
                except ServerError as error:
                    out.append((error.code, error.state))
                out.append(sorted(tuple(rawclient.text_row(r))
                                  for r in c.query("SELECT * FROM b")[1]))
                c.query("DELETE FROM b WHERE id < 500 AND s <> 'old'")
            if txn:
                c.query("ROLLBACK")
                out.append(c.query("SELECT COUNT(*) FROM b")[1])
            seen.append(out)
    assert seen[1] == seen[0]


def test_numbers_of_the_sequence(both):
    """Rows without a number get one each, in order; LAST_INSERT_ID() is the first."""
    for server in both.plain, both.cluster:
        with BulkClient(server.port) as c:
            c.login(both.db)
            c.query(NUMBERED)
            for sql, rows in (("INSERT INTO a (s) VALUES (?)", [(f"r{i}",) for i in range(50)]),
                              ("INSERT INTO a VALUES (?, ?)",
                               [(None, f"r{i}") for i in range(50, 100)])):
                statement = c.prepare(sql)[0]
                answer = c.bulk(statement, "s" if len(rows[0]) == 1 else "is", rows)[1]
                n, at = rawclient.read_lenenc(answer, 1)
                first, _ = rawclient.read_lenenc(answer, at)
                assert n == 50
                assert int(rawclient.text_row(c.query("SELECT LAST_INSERT_ID()")[1][0])[0]) == first
            rows = [rawclient.text_row(r) for r in c.query("SELECT s FROM a ORDER BY id")[1]]
            assert rows == [[f"r{i}".encode()] for i in range(100)]


@pytest.mark.parametrize("fails", [False, True])
def test_more_than_a_statement_can_have(checked, db, fails):
    """Several INSERTs inside, and still all of it or nothing."""
    rows = [(i, i, f"row {i}") for i in range(5000)]
    if fails:
        rows[4400] = (7, 7, "twice")
    with BulkClient(checked.port, timeout=60) as c:
        c.login(db)
        c.query(TABLE)
        statement = c.prepare("INSERT INTO b VALUES (?, ?, ?)")[0]
        for begin in "", "BEGIN", "SET autocommit = 0":
            if begin:
                c.query(begin)
            if fails:
                with pytest.raises(ServerError) as refused:
                    c.bulk(statement, "iis", rows)
                assert refused.value.code == 1062
            else:
                assert rawclient.read_lenenc(c.bulk(statement, "iis", rows)[1], 1)[0] == 5000
            found = rawclient.text_row(c.query("SELECT COUNT(*), SUM(n) FROM b")[1][0])
            assert found == ([b"0", None] if fails
                             else [b"5000", str(sum(range(5000))).encode()])
            c.query("ROLLBACK")
            c.query("SET autocommit = 1")
            c.query("DELETE FROM b")
    spread = checked.spread("b", db)
    assert spread == [0, 0]


def test_rows_lie_where_they_belong(checked, db):
    with BulkClient(checked.port) as c:
        c.login(db)
        c.query(TABLE)
        statement = c.prepare("INSERT INTO b VALUES (?, ?, ?)")[0]
        c.bulk(statement, "iis", [(i, i, "x") for i in range(200)])
    assert min(checked.spread("b", db)) > 50 and sum(checked.spread("b", db)) == 200
    checked.fsck()


def test_what_is_malformed_or_not_agreed(checked, db):
    with BulkClient(checked.port) as c:
        c.login(db)
        c.query(TABLE)
        statement = c.prepare("INSERT INTO b VALUES (?, ?, ?)")[0]
        none = c.prepare("INSERT INTO b (id) VALUES (5)")[0]
        good = struct.pack("<IHHHH", statement, TYPES, 8, 8, 253)
        for body in (b"", b"\1", struct.pack("<IH", statement, 0), good, good + b"\0",
                     good + b"\0" + bytes(8) + b"\0" + bytes(8) + b"\0\5abc",
                     good + b"\x09" * 3, good + b"\1\1\1" + b"\0", struct.pack("<IH", 999, 0),
                     struct.pack("<IH", none, TYPES) + b"\0"):
            c.command(BULK_EXECUTE, body)
            with pytest.raises(ServerError):
                c.ok()
        assert c.query("SELECT COUNT(*) FROM b")[1] == [b"\x010"]
    with BulkClient(checked.port) as c:
        c.login(db, extended=0)
        statement = c.prepare("INSERT INTO b VALUES (?, ?, ?)")[0]
        with pytest.raises(ServerError) as refused:
            c.bulk(statement, "iis", [(1, 1, "x")])
        assert refused.value.code == 1295


JAVA = """
import java.sql.*;

public class Bulk {
    public static void main(String[] args) throws Exception {
        String url = "jdbc:mariadb://127.0.0.1:" + args[0] + "/" + args[1]
            + "?useServerPrepStmts=true&useBulkStmts=true&rewriteBatchedStatements=false";
        try (Connection c = DriverManager.getConnection(url, "app", "app");
             Statement s = c.createStatement()) {
            s.execute("CREATE TABLE j (id BIGINT PRIMARY KEY, n INT, s VARCHAR(40), d DATETIME(3),"
                      + " f DOUBLE, x VARBINARY(20))");
            try (PreparedStatement p = c.prepareStatement(
                    "INSERT INTO j VALUES (?, ?, ?, ?, ?, ?)")) {
                for (int i = 0; i < 500; i++) {
                    p.setLong(1, i);
                    p.setInt(2, i * 3);
                    p.setString(3, "name \\u00e9 " + i);
                    p.setTimestamp(4, Timestamp.valueOf("2024-02-03 04:05:06.125"));
                    p.setDouble(5, i / 8.0);
                    p.setBytes(6, new byte[] { 0, (byte) i, -1 });
                    p.addBatch();
                }
                System.out.println(p.executeBatch().length);
            }
            try (PreparedStatement p = c.prepareStatement("UPDATE j SET n = ? WHERE id = ?")) {
                for (int i = 0; i < 50; i++) {
                    p.setInt(1, -i);
                    p.setLong(2, i * 2);
                    p.addBatch();
                }
                System.out.println(p.executeBatch().length);
            }
            try (PreparedStatement p = c.prepareStatement("INSERT INTO j (id) VALUES (?)")) {
                for (int i = 1000; i < 1100; i++) {
                    p.setLong(1, i == 1050 ? 3 : i);
                    p.addBatch();
                }
                p.executeBatch();
            } catch (BatchUpdateException e) {
                System.out.println(e.getErrorCode());
            }
            try (ResultSet r = s.executeQuery("SELECT COUNT(*), SUM(n), MIN(s), MAX(d), SUM(f),"
                                              + " MAX(HEX(x)) FROM j WHERE id < 1000")) {
                r.next();
                for (int i = 1; i <= 6; i++) System.out.println(r.getString(i));
            }
        }
    }
}
"""


def test_jdbc_use_bulk_stmts(both, scratch):
    driver = pathlib.Path("/usr/share/java/mariadb-java-client.jar")
    if not driver.exists() or shutil.which("java") is None:
        pytest.skip("there is no JDBC driver")
    (scratch / "Bulk.java").write_text(JAVA)
    outputs = []
    for server in both.plain, both.cluster:
        before = both.cluster.metric("shardd_executes_total")
        done = subprocess.run(["java", "-XX:TieredStopAtLevel=1", "-cp", str(driver),
                               str(scratch / "Bulk.java"), str(server.port), both.db],
                              capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1]
    # Really in bulk: three commands, not 650.
    assert both.cluster.metric("shardd_executes_total") - before < 20
