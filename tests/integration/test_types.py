"""Every column type, as text and prepared, byte for byte what a plain server answers."""
import hashlib

import pytest

import rawclient
from rawclient import RawClient

# name, definition, values as SQL
COLUMNS = [
    ("tinyint", "TINYINT", ["-128", "0", "127"]),
    ("tinyint unsigned", "TINYINT UNSIGNED", ["0", "255"]),
    ("smallint", "SMALLINT", ["-32768", "32767"]),
    ("mediumint", "MEDIUMINT", ["-8388608", "8388607"]),
    ("int", "INT", ["-2147483648", "2147483647"]),
    ("int zerofill", "INT(8) UNSIGNED ZEROFILL", ["1", "4294967295"]),
    ("bigint", "BIGINT", ["-9223372036854775808", "9223372036854775807"]),
    ("bigint unsigned", "BIGINT UNSIGNED", ["0", "18446744073709551615"]),
    ("bool", "BOOL", ["TRUE", "FALSE"]),
    ("decimal", "DECIMAL(65,30)", ["0", "-1.000000000000000000000000000001",
                                   "99999999999999999999999999999999999.9"]),
    ("decimal 10,0", "DECIMAL(10)", ["-1234567890", "0"]),
    ("float", "FLOAT", ["1.5", "-3.4e38", "1e-30", "0.1"]),
    ("double", "DOUBLE", ["1.5", "-1.7e308", "5e-324", "0.1"]),
    ("bit", "BIT(1)", ["b'0'", "b'1'"]),
    ("bit 64", "BIT(64)", ["b'1010'", "0xffffffffffffffff"]),
    ("date", "DATE", ["'0000-00-00'", "'1000-01-01'", "'9999-12-31'", "'2024-02-29'"]),
    ("time", "TIME(6)", ["'-838:59:59.999999'", "'00:00:00'", "'12:34:56.789'"]),
    ("time 0", "TIME", ["'25:00:01'"]),
    ("datetime", "DATETIME", ["'0000-00-00 00:00:00'", "'2024-02-29 23:59:59'"]),
    ("datetime 6", "DATETIME(6)", ["'2024-02-29 23:59:59.123456'", "'2024-01-01'"]),
    ("timestamp", "TIMESTAMP(3) NULL", ["'2024-02-29 12:00:00.125'", "'1970-01-02 00:00:00'"]),
    ("year", "YEAR", ["1901", "2155", "0"]),
    ("char", "CHAR(20)", ["''", "'a  '", "'é漢😀'"]),
    ("char latin1", "CHAR(20) CHARACTER SET latin1", ["'é'", "'x'"]),
    ("varchar", "VARCHAR(200)", ["''", "' a '", "'😀''\"\\\\\\n'"]),
    ("varchar bin", "VARCHAR(200) COLLATE utf8mb4_bin", ["'A'", "'a'"]),
    ("varchar ucs2", "VARCHAR(20) CHARACTER SET ucs2", ["'é漢'"]),
    ("binary", "BINARY(5)", ["0x00ff", "'abc'"]),
    ("varbinary", "VARBINARY(300)", ["0x00ff0a0d1a27225c", "''", "REPEAT('x', 251)"]),
    ("tinytext", "TINYTEXT", ["'t'"]),
    ("text", "TEXT", ["REPEAT('é', 300)", "''"]),
    ("mediumtext", "MEDIUMTEXT", ["REPEAT('m', 70000)"]),
    ("longtext", "LONGTEXT", ["REPEAT('l', 100000)"]),
    ("blob", "BLOB", ["0x00", "REPEAT(0x00ff, 300)"]),
    ("enum", "ENUM('a','b','it''s')", ["'b'", "'it''s'"]),
    ("set", "SET('a','b','c')", ["''", "'a,c'"]),
    ("json", "JSON", ["'{\"a\": [1, null, \"x\"]}'", "'[]'"]),
    ("uuid", "UUID", ["'123e4567-e89b-12d3-a456-426655440000'"]),
    ("inet4", "INET4", ["'192.168.0.1'"]),
    ("inet6", "INET6", ["'::1'", "'2001:db8::ff00:42:8329'"]),
    ("point", "POINT", ["POINT(1, 2)"]),
    ("generated", "INT AS (id * 2)", ["DEFAULT"]),
    ("default now", "INT DEFAULT 7", ["DEFAULT"]),
]


def raw_answers(server, db, sql, *, prepared, more=0):
    """What the server sends, without the parts that name the connection."""
    with RawClient(server.port) as c:
        c.login(db=db, more=more)
        if prepared:
            statement, params, columns = c.prepare(sql)
            return params, columns, c.execute(statement)
        return c.query(sql)


@pytest.mark.parametrize("name,definition,values", COLUMNS, ids=[c[0] for c in COLUMNS])
def test_a_column(both, name, definition, values):
    both.run("SET sql_mode = 'NO_ENGINE_SUBSTITUTION'")
    both.run(f"CREATE TABLE t (id BIGINT PRIMARY KEY, c {definition})")
    for i, value in enumerate(values):
        both.compare(f"INSERT INTO t VALUES ({i}, {value})")
    if "AS (" not in definition and "DEFAULT" not in definition:
        both.compare(f"INSERT INTO t VALUES ({len(values)}, NULL)")
    for sql in ("SELECT * FROM t ORDER BY id", "SELECT c, id FROM t WHERE id = 0",
                "SELECT t.c AS other FROM t WHERE t.id = 1"):
        for prepared in False, True:
            for more in 0, rawclient.DEPRECATE_EOF:
                answers = [raw_answers(s, both.db, sql, prepared=prepared, more=more)
                           for s in (both.cluster, both.plain)]
                assert answers[0] == answers[1], (sql, prepared, more)
    both.compare("DESCRIBE t")
    both.compare("SHOW CREATE TABLE t")


PARAMETERS = [None, 0, -1, 1 << 62, 1.5, "", "text é😀", "'; DROP TABLE t; --", b"\0\xff\\'",
              "x" * 251, "y" * 70000]


def test_parameters(both):
    both.run("CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT, f DOUBLE, s LONGTEXT, b LONGBLOB)")
    both.run("CREATE TABLE log (id BIGINT PRIMARY KEY)")
    answers = []
    for server in both.cluster, both.plain:
        seen = []
        with RawClient(server.port) as c:
            c.login(db=both.db)
            insert, params, columns = c.prepare("INSERT INTO t VALUES (?, ?, ?, ?, ?)")
            assert len(params) == 5 and columns == []
            for i, value in enumerate(PARAMETERS):
                n = value if isinstance(value, int) else None
                f = value if isinstance(value, float) else None
                s = value if isinstance(value, str) else None
                c.execute(insert, [i, n, f, s, value if isinstance(value, bytes) else s])
            pick, _, _ = c.prepare("SELECT * FROM t WHERE id = ?")
            for i in range(len(PARAMETERS) + 1):
                seen.append(c.execute(pick, [i]))
            seen.append(c.execute(pick, ["3"]))
            both_ids, _, _ = c.prepare("SELECT id, s FROM t WHERE id IN (?, ?, ?) ORDER BY id")
            seen.append(c.execute(both_ids, [2, 3, 6]))
            echo, _, _ = c.prepare("SELECT ?, ? + 1, CONCAT(?, 'x')")
            seen.append(c.execute(echo, [1, 2, "y"])[1])
            seen.append(c.execute(echo, [7, 8, "z"], send_types=True)[1])
            c.close_statement(echo)
            c.command(rawclient.STMT_RESET, pick.to_bytes(4, "little"))
            c.ok()
            c.close_statement(pick)
            with pytest.raises(rawclient.ServerError) as refused:
                c.execute(pick, [1])
            seen.append(refused.value.code)
        answers.append(seen)
    assert answers[0] == answers[1]


def test_long_data(both):
    both.run("CREATE TABLE t (id BIGINT PRIMARY KEY, b LONGBLOB)")
    for server in both.cluster, both.plain:
        with RawClient(server.port) as c:
            c.login(db=both.db)
            insert, _, _ = c.prepare("INSERT INTO t VALUES (?, ?)")
            for i in range(10):
                c.long_data(insert, 1, bytes([i]) * 100_000)
            c.execute(insert, [1, ...])
            c.execute(insert, [2, "after"])
    both.compare("SELECT id, LENGTH(b), MD5(b) FROM t ORDER BY id")


@pytest.mark.parametrize("size", [(1 << 24) - 100, (1 << 24) - 1, 1 << 24, (1 << 24) + 1,
                                  40 << 20])
def test_messages_of_many_packets(both, size):
    """Statements and rows longer than 16 MiB, in both directions."""
    both.run("CREATE TABLE t (id BIGINT PRIMARY KEY, b LONGBLOB)")
    blob = (hashlib.sha256(b"seed").digest() * (size // 32 + 1)).hex().encode()[:size]
    for server in both.cluster, both.plain:
        with RawClient(server.port, timeout=60) as c:
            c.login(db=both.db)
            c.query(b"INSERT INTO t VALUES (1, '" + blob + b"')")
            insert, _, _ = c.prepare("INSERT INTO t VALUES (?, ?)")
            c.execute(insert, [2, blob])
            for i in 1, 2:
                _, rows = c.query(f"SELECT b FROM t WHERE id = {i}")
                assert rawclient.text_row(rows[0]) == [blob]
            pick, _, _ = c.prepare("SELECT id, b FROM t WHERE id = ?")
            _, rows = c.execute(pick, [2])
            assert rows[0].endswith(blob)
    both.compare("SELECT id, LENGTH(b), MD5(b) FROM t ORDER BY id")


def test_wide_and_long_results(both):
    both.run("CREATE TABLE t (id BIGINT PRIMARY KEY, s VARCHAR(50))")
    for start in range(0, 5000, 1000):
        both.run("INSERT INTO t VALUES " + ",".join(
            f"({i}, 'row {i}')" for i in range(start, start + 1000)))
    both.compare("SELECT * FROM t ORDER BY id")
    both.compare("SELECT * FROM t")
    both.compare("SELECT " + ", ".join(f"id + {i} AS c{i}" for i in range(300))
                 + " FROM t WHERE id = 77")
    both.compare("SELECT * FROM t WHERE id = -1")


def test_spatial_functions_are_the_servers_own(both):
    both.compare("CREATE TABLE g (id INT PRIMARY KEY, p POINT NOT NULL)")
    both.compare("INSERT INTO g VALUES " + ",".join(
        f"({i}, ST_PointFromText('POINT({i} {i * 2})'))" for i in range(20)))
    both.compare("SELECT id, ST_X(p), Y(p), ST_AsText(p), AsText(p) FROM g ORDER BY id")
    both.compare("SELECT COUNT(*) FROM g WHERE MBRContains(ST_GeomFromText("
                 "'POLYGON((0 0, 0 11, 11 11, 11 0, 0 0))'), p)")
    both.compare("SELECT id FROM g WHERE ST_Distance(p, POINT(5, 5)) < 4 ORDER BY id")
