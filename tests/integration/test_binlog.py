"""test_binlog.py - a server's binary log, read, understood, and applied elsewhere.

binlog_cli follows a real server; what it reads of one database it does again in another by BINLOG
statements of its own making. Both must hold the same afterwards, whatever was changed how.
"""
import json
import os
import random
import subprocess

import pymysql
import pytest

import test_keyhash
import testbed

CLI = testbed.BUILD / "binlog_cli"
PATIENCE_S = 120
SETTINGS = ("log_bin=binlog\nbinlog_format=ROW\nserver_id=7\ngtid_strict_mode=ON\n"
            "max_allowed_packet=512M\nplugin_maturity=unknown\nlog_bin_compress_min_len=10\n"
            "default_time_zone=+05:30\n")
INSERT, UPDATE, DELETE = range(3)


@pytest.fixture(scope="module")
def source(scratch):
    server = testbed.Server(scratch / "binlog", settings=SETTINGS)
    yield server
    server.stop()


class Bed:
    """Databases s and d of one server, with the same tables."""

    def __init__(self, server):
        self.server = server
        self.connection = server.connect()
        self.cursor = self.connection.cursor()
        for name in "sd":
            self.run(f"DROP DATABASE IF EXISTS {name}")
            self.run(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        self.run("USE s")
        self.run("SET sql_mode = ''")
        self.tables = []

    def run(self, sql):
        self.cursor.execute(sql)
        return self.cursor.fetchall()

    def table(self, name, definition):
        for database in "sd":
            self.run(f"CREATE TABLE {database}.{name} ({definition}")
        self.tables.append(name)

    def position(self):
        return self.run("SELECT @@gtid_binlog_pos")[0][0]

    def mark(self):
        self.start = self.position()

    def ours(self):
        """The last transaction of domain 0: what we wrote ourselves has another."""
        return next(g for g in self.position().split(",") if g.startswith("0-"))

    def cli(self, how, *more):
        words = [CLI, how, self.server.port, self.start, self.ours(), *more]
        return subprocess.run(list(map(str, words)), capture_output=True, timeout=PATIENCE_S)

    def follow(self, how, *more):
        done = self.cli(how, *more)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert lines[-1] == {"done": True}, (lines[-1], done.stderr.decode())
        assert done.returncode == 0, done.stderr.decode()
        return lines[:-1]

    def apply(self, limit=0, halves=0, packet=1 << 29):
        self.follow("apply", "s", "d", limit, halves, packet)

    def compare(self, rows=True):
        for name in self.tables:
            left, right = self.run(f"CHECKSUM TABLE s.{name}, d.{name}")
            assert left[1] == right[1] and left[1] is not None, name
            if rows:
                sets = [self.run(f"SELECT * FROM {base}.{name} ORDER BY 1") for base in "sd"]
                assert sets[0] == sets[1], name

    def close(self):
        self.connection.close()


@pytest.fixture
def bed(source):
    made = Bed(source)
    yield made
    made.close()


@pytest.fixture(scope="module")
def keys(source):
    made = Bed(source)
    yield made
    made.close()


# --- every type ----------------------------------------------------------------------------

TEXTS = ["''", "'a'", "'ab  '", "REPEAT('x', 200)", "'äöü€'", "NULL"]
BYTES = ["''", "x'00'", "x'0100'", "x'ff00ff'", "REPEAT(x'e9', 90)", "NULL"]
TIMES = ["'10:11:12.345678'", "'-10:11:12.345678'", "'00:00:00'", "'-00:00:00.1'", "NULL",
         "'-838:59:59'", "'838:59:59'", "'-00:00:01'", "'100:00:00.000001'", "'-100:00:00.01'"]
DATES = ["'2024-02-29 23:59:59.999999'", "'1000-01-01'", "'9999-12-31 23:59:59'",
         "'0000-00-00'", "NULL", "'2020-00-00'", "'1970-01-01 00:00:01.5'"]
STAMPS = ["'2024-02-29 23:59:59.999999'", "'1970-01-02'", "'2038-01-01 01:02:03.4'", "NULL",
          "'0000-00-00'", "'2024-10-27 02:30:00.000001'"]
BITS = ["b'0'", "b'1'", "b'101'", "b'11111111'", "NULL", "b'1111000011110000'"]


def integers(bits):
    return [str(v) for v in (0, 1, -1, 2 ** (bits - 1) - 1, -2 ** (bits - 1), 2 ** bits - 1)
            ] + ["NULL"]


def types():
    """Name, definition, literals, and the value as its text or as hexadecimal bytes."""
    for name, bits in test_keyhash.INTS:
        yield name, name, integers(bits), "text"
        yield name + "_u", name + " UNSIGNED", integers(bits), "text"
    yield "zerofill", "INT(8) ZEROFILL", ["7", "123456789", "NULL"], "number"
    yield "flag", "BOOLEAN", ["0", "1", "NULL"], "text"
    for digits, scale in ((1, 0), (1, 1), (9, 0), (10, 0), (18, 9), (19, 10), (65, 30), (38, 38),
                          (30, 2), (65, 0)):
        whole = "9" * (digits - scale) or "0"
        part = "." + "9" * scale if scale else ""
        small = "0." + "0" * (scale - 1) + "1" if scale else "1"
        yield (f"dec_{digits}_{scale}", f"DECIMAL({digits},{scale})",
               ["0", whole + part, "-" + whole + part, small, "-" + small, "NULL", "-0.5",
                "1000000000", "12345678901234567890.123456789012345678901"], "text")
    yield "dec_u", "DECIMAL(12,3) UNSIGNED", ["0", "1.5", "999999999.999", "NULL"], "text"
    for name in ("FLOAT", "DOUBLE"):
        yield name, name, ["0", "-1.5", "1e30", "1e-30", "3.14159265358979", "NULL", "-0e0"], "text"
    for bits in (1, 5, 8, 9, 16, 17, 63, 64):
        yield f"bit_{bits}", f"BIT({bits})", BITS, "bits"
    yield "year", "YEAR", ["0", "1901", "2024", "2155", "NULL"], "text"
    yield "date", "DATE", DATES, "text"
    for fsp in range(7):
        yield f"time_{fsp}", f"TIME({fsp})", TIMES, "text"
        yield f"datetime_{fsp}", f"DATETIME({fsp})", DATES, "text"
        yield f"timestamp_{fsp}", f"TIMESTAMP({fsp}) NULL", STAMPS, "text"
    for charset in ("latin1", "utf8mb3", "utf8mb4", "ascii", "ucs2", "utf16", "cp1251", "sjis"):
        yield f"char_{charset}", f"CHAR(200) CHARACTER SET {charset}", TEXTS, "chars"
        yield f"varchar_{charset}", f"VARCHAR(300) CHARACTER SET {charset}", TEXTS, "bytes"
    for size in (1, 63, 64, 85, 127, 128, 255):
        yield f"char_{size}", f"CHAR({size})", TEXTS, "chars"
    for size in (1, 255, 256, 1000, 16000):
        yield f"varchar_{size}", f"VARCHAR({size})", TEXTS + ["REPEAT('ü', 15999)"], "bytes"
    for size in (1, 8, 255):
        yield f"binary_{size}", f"BINARY({size})", BYTES, "zeros"
    for size in (1, 255, 256, 60000):
        yield f"varbinary_{size}", f"VARBINARY({size})", BYTES, "bytes"
    for kind in ("TINY", "", "MEDIUM", "LONG"):
        yield f"{kind}text", f"{kind}TEXT", TEXTS + ["REPEAT('y', 70000)"], "bytes"
        yield f"{kind}blob", f"{kind}BLOB", BYTES + ["REPEAT('z', 300)"], "bytes"
    yield "json", "JSON", ["'{}'", "'[1, \"ü\", null]'", "NULL"], "bytes"
    yield "enum_few", "ENUM('a','b','ü')", ["'a'", "'ü'", "''", "NULL"], "index"
    many = ",".join(f"'v{i}'" for i in range(300))
    yield "enum_many", f"ENUM({many})", ["'v0'", "'v255'", "'v299'", "NULL"], "index"
    for n in (1, 8, 9, 16, 17, 32, 33, 64):
        names = ",".join(f"'s{i}'" for i in range(n))
        yield f"set_{n}", f"SET({names})", ["''", "'s0'", f"'s0,s{n - 1}'", f"'s{n // 2}'",
                                            "NULL"], "index"
    yield "uuid", "UUID", [f"'{u}'" for u in (
        "00112233-4455-1677-8899-aabbccddee00", "00112233-4455-6677-8899-aabbccddeeff",
        "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "0018ee57-0000-7000-8000-000000000000", "00112233-4455-4677-a899-aabb00000000")] + \
        ["NULL"], "raw"
    yield "inet4", "INET4", ["'0.0.0.0'", "'10.0.0.0'", "'255.255.255.255'", "NULL"], "raw"
    yield "inet6", "INET6", ["'::'", "'fe80::'", "'::1'", "'::ffff:1.2.3.0'", "NULL"], "raw"
    yield "point", "POINT", ["POINT(1,2)", "ST_GeomFromText('POINT(0 0)', 4326)", "NULL"], "bytes"
    yield "shape", "GEOMETRY", ["ST_GeomFromText('POLYGON((0 0,1 0,1 1,0 0))')", "NULL"], "bytes"
    yield "vc_packed", "VARCHAR(500) COMPRESSED", TEXTS + ["REPEAT('a', 400)"], None
    yield "vb_packed", "VARBINARY(500) COMPRESSED", BYTES + ["REPEAT('a', 400)"], None
    yield "blob_packed", "BLOB COMPRESSED", BYTES + ["REPEAT('a', 4000)"], None
    yield "text_packed", "MEDIUMTEXT COMPRESSED", TEXTS + ["REPEAT('a', 4000)"], None


def expression(kind):
    return {"text": "HEX(CAST({} AS CHAR))", "number": "HEX(CAST({} + 0 AS CHAR))",
            "index": "HEX(CAST(CAST({} AS UNSIGNED) AS CHAR))",
            "raw": "HEX(CAST({} AS BINARY))"}.get(kind, "HEX({})")


def same(kind, want, got):
    """`want`: what the server says of the value."""
    if got is None or want is None or kind is None:
        return want == got or kind is None
    if kind == "bits":
        return int(want, 16) == int(got, 16)
    if kind in ("zeros", "raw"):
        return bytes.fromhex(want).rstrip(b"\0") == bytes.fromhex(got).rstrip(b"\0")
    return want.lower() == got


def groups():
    """Tables of several columns each, because tables take time: {table: [types() ...]}."""
    made, at = {}, 0
    for kind in types():
        wide = kind[0] in ("varchar_16000", "varbinary_60000")
        if not wide and len(made.setdefault(f"t{at}", [])) == 12:
            at += 1
        made.setdefault(kind[0] if wide else f"t{at}", []).append(kind)
    return made


def every_kind_of_change(bed, name, columns):
    """Each change that writes rows; the columns' values go round independently."""
    n = max(len(literals) for _, _, literals, _ in columns)

    def values(i):
        return ", ".join(literals[i % len(literals)] for _, _, literals, _ in columns)

    def sets(i):
        return ", ".join(f"v_{c} = {literals[i % len(literals)]}" for c, _, literals, _ in columns)

    bed.run(f"INSERT INTO {name} VALUES " + ", ".join(f"({i}, {values(i)})" for i in range(n)))
    bed.run(f"INSERT INTO {name} VALUES (100, {values(0)})")
    bed.run(f"UPDATE {name} SET {sets(1)} WHERE id IN (1, 100)")
    bed.run(f"UPDATE {name} SET id = id + 1000 WHERE id <= {n // 2} ORDER BY id")
    bed.run(f"REPLACE INTO {name} VALUES ({n - 1}, {values(2)}), (200, {values(3)})")
    bed.run(f"INSERT INTO {name} VALUES ({n - 1}, {values(4)}), (201, {values(5)})"
            f" ON DUPLICATE KEY UPDATE {sets(0)}")
    bed.run(f"DELETE FROM {name} WHERE id IN (200, 1001)")


@pytest.mark.parametrize("packed", [0, 1], ids=["plain", "compressed"])
def test_every_type(bed, packed):
    made = groups()
    bed.run(f"SET GLOBAL log_bin_compress = {packed}, GLOBAL binlog_row_metadata = "
            f"{'FULL' if packed else 'MINIMAL'}")
    try:
        bed.run("SET time_zone = '+00:00'")
        for name, columns in made.items():
            bed.table(name, "id INT PRIMARY KEY, " + ", ".join(
                f"v_{c} {definition}" for c, definition, _, _ in columns) + ")")
        bed.mark()
        for name, columns in made.items():
            every_kind_of_change(bed, name, columns)
        said = {name: {row[0]: row[1:] for row in bed.run(f"SELECT id, " + ", ".join(
            expression(kind).format(f"v_{c}") for c, _, _, kind in columns) + f" FROM {name}")}
                for name, columns in made.items()}
        lines = bed.follow("print")
        bed.apply()
        bed.compare()
    finally:
        bed.run("SET GLOBAL log_bin_compress = 0, GLOBAL binlog_row_metadata = NO_LOG")
    if packed:
        assert {166, 167, 168} <= {line["type"] for line in lines}
    last = {}
    for line in lines:
        for _, after, _ in line.get("rows", ()):
            assert line["full"] and line["primary"] == packed
            if after is not None:
                last[line["table"], int(bytes.fromhex(after[0]))] = after[1:]
    for name, rows in said.items():
        for id_, wants in rows.items():
            for want, got, column in zip(wants, last[name, id_], made[name], strict=True):
                assert same(column[3], want, got), (column, id_, want, got)


def test_signs_of_mixed_columns(bed):
    """The bits for signs count only some types."""
    bed.run("SET GLOBAL binlog_row_metadata = FULL")
    columns = ["TINYINT UNSIGNED", "VARCHAR(3)", "SMALLINT", "YEAR", "MEDIUMINT UNSIGNED", "BIT(3)",
               "INT", "DECIMAL(5,2) UNSIGNED", "BIGINT UNSIGNED", "FLOAT", "ENUM('a')",
               "DOUBLE UNSIGNED", "TINYINT", "TIMESTAMP NULL", "BIGINT UNSIGNED", "SET('a')", "INT",
               "INT UNSIGNED"]
    try:
        bed.table("mixed", "id INT UNSIGNED, " + ", ".join(
            f"c{i} {c}" for i, c in enumerate(columns)) + ", PRIMARY KEY (c4, id))")
        bed.mark()
        bed.run("INSERT INTO mixed (id, c0, c2, c4, c6, c8, c12, c14, c16, c17) VALUES"
                " (4294967295, 255, -1, 16777215, -1, 18446744073709551615, -1,"
                " 18446744073709551615, -1, 4294967295)")
        (line,) = [line for line in bed.follow("print") if "rows" in line]
    finally:
        bed.run("SET GLOBAL binlog_row_metadata = NO_LOG")
    assert line["primary"] == 2
    got = [v and bytes.fromhex(v).decode() for v in line["rows"][0][1]]
    assert got == ["4294967295", "255", None, "-1", None, "16777215", None, "-1", None,
                   "18446744073709551615", None, None, None, "-1", None, "18446744073709551615",
                   None, "-1", "4294967295"]


def test_old_times(bed):
    """The formats of MariaDB 5.3, whose fractions the log does not tell."""
    bed.run("SET GLOBAL mysql56_temporal_format = 0")
    try:
        for fsp in range(7):
            bed.table(f"old_{fsp}", f"id INT PRIMARY KEY, a TIME({fsp}), b DATETIME({fsp}),"
                      f" c TIMESTAMP({fsp}) NULL)")
    finally:
        bed.run("SET GLOBAL mysql56_temporal_format = 1")
    bed.run("SET time_zone = '+00:00'")
    bed.mark()
    want = {}
    for fsp in range(7):
        rows = [(i, TIMES[i % len(TIMES)], DATES[i % len(DATES)], STAMPS[i % len(STAMPS)])
                for i in range(30)]
        bed.run(f"INSERT INTO old_{fsp} VALUES " + ", ".join(
            f"({i}, {a}, {b}, {c})" for i, a, b, c in rows))
        bed.run(f"UPDATE old_{fsp} SET id = id + 100, a = b, c = b WHERE id < 5")
        want[f"old_{fsp}"] = {str(r[0]): r[1:] for r in bed.run(
            f"SELECT id, CAST(a AS CHAR), CAST(b AS CHAR), CAST(c AS CHAR) FROM old_{fsp}")}
    lines = bed.follow("print")
    got = {name: {} for name in want}
    for line in lines:
        for before, after, _ in line.get("rows", ()):
            text = tuple(v and bytes.fromhex(v).decode() for v in after)
            got[line["table"]][text[0]] = text[1:]
    for name, rows in want.items():
        assert rows.items() <= got[name].items()
    bed.apply()
    bed.compare()


# --- every kind of change ------------------------------------------------------------------

def run_changes(bed, rng, rounds):
    """Transactions of all sorts on five tables."""
    def value():
        return rng.choice(("NULL", "''", f"'{rng.random()}'", "REPEAT('long ', 900)"))

    def change():
        table = rng.choice(("a", "b", "c"))
        key, other = rng.randrange(60), rng.randrange(60)
        bed.run(rng.choice((
            f"INSERT IGNORE INTO {table} (id, v) VALUES ({key}, {value()}), ({other}, {value()})",
            f"REPLACE INTO {table} (id, v) VALUES ({key}, {value()})",
            f"INSERT INTO {table} (id, v) VALUES ({key}, {value()}), ({other}, {value()})"
            f" ON DUPLICATE KEY UPDATE v = {value()}",
            f"UPDATE {table} SET v = {value()} WHERE id BETWEEN {key} AND {key + 9}",
            f"UPDATE IGNORE {table} SET id = {other} WHERE id = {key}",
            f"DELETE FROM {table} WHERE id BETWEEN {key} AND {key + 3}",
            f"UPDATE a JOIN b ON a.id = b.id SET a.v = {value()}, b.v = {value()}"
            f" WHERE a.id < {key}",
            f"INSERT IGNORE INTO {table} (id, v) SELECT id + 20, v FROM a WHERE id > {key}",
        )))

    for i in range(rounds):
        how = rng.randrange(6)
        if how == 0:
            change()
            continue
        if how == 1:
            xid = f"'x{rng.random()}', 'b\\0{i}', 7"
            bed.run(f"XA START {xid}")
            change()
            change()
            bed.run(f"XA END {xid}")
            if rng.randrange(2):
                bed.run(f"XA PREPARE {xid}")
                bed.run(f"XA {rng.choice(('COMMIT', 'ROLLBACK'))} {xid}")
            else:
                bed.run(f"XA COMMIT {xid} ONE PHASE")
            continue
        bed.run("BEGIN")
        for k in range(rng.randrange(1, 5)):
            change()
            if rng.randrange(2):
                bed.run(f"SAVEPOINT p{k}")
                change()
                if rng.randrange(2):
                    bed.run(f"ROLLBACK TO p{k}")
        bed.run("ROLLBACK" if how == 2 else "COMMIT")


@pytest.mark.parametrize("packed, limit, halves", [(0, 0, 0), (1, 2000, 1)],
                         ids=["plain", "compressed, split, halved"])
def test_every_change(bed, packed, limit, halves):
    rng = random.Random(f"binlog {packed}")
    bed.run(f"SET GLOBAL log_bin_compress = {packed}")
    try:
        bed.table("a", "id INT PRIMARY KEY, v TEXT, g VARCHAR(20) AS (LEFT(v, 20)) STORED,"
                  " w VARCHAR(20) AS (RIGHT(v, 5)) VIRTUAL)")
        bed.table("b", "id BIGINT PRIMARY KEY, hidden TIMESTAMP(6) DEFAULT NOW(6) INVISIBLE,"
                  " v TEXT, u UUID DEFAULT UUID(), KEY (v(9)), CHECK (id >= 0))")
        bed.table("c", "v TEXT, id INT UNSIGNED NOT NULL, at DATETIME(3) DEFAULT NOW(3) ON UPDATE"
                  " NOW(3), PRIMARY KEY (id)) PARTITION BY HASH (id) PARTITIONS 3")
        bed.table("log", "n INT AUTO_INCREMENT PRIMARY KEY, id INT, v TEXT)")
        for base in "sd":
            bed.run(f"CREATE TRIGGER {base}.t1 AFTER UPDATE ON {base}.a FOR EACH ROW"
                    f" INSERT INTO {base}.log (id, v) VALUES (new.id, old.v)")
        bed.run("SET SESSION sql_mode = ''")
        bed.mark()
        for _ in range(2):
            bed.run("INSERT INTO a (id, v) VALUES (1, 'x'), (2, NULL) ON DUPLICATE KEY UPDATE"
                    " v = 'y'")
        run_changes(bed, rng, 150)
        bed.apply(limit, halves)
        bed.compare()
    finally:
        bed.run("SET GLOBAL log_bin_compress = 0")


def test_other_engines_and_sequences(bed):
    bed.table("m", "id INT PRIMARY KEY, v TEXT) ENGINE=MyISAM")
    bed.table("r", "id INT PRIMARY KEY, v TEXT) ENGINE=Aria")
    bed.table("nokey", "v TEXT, k INT)")
    for base in "sd":
        bed.run(f"CREATE SEQUENCE {base}.q CACHE 5")
    bed.mark()
    bed.run("INSERT INTO m VALUES (1, 'a'), (2, 'b')")
    bed.run("INSERT INTO r VALUES (1, 'a'), (2, 'b')")
    bed.run("BEGIN")
    bed.run("INSERT INTO nokey VALUES ('a', 1), ('a', 1), (NULL, NULL)")
    bed.run("UPDATE m SET v = NULL WHERE id = 1")
    bed.run("COMMIT")
    bed.run("DELETE FROM nokey LIMIT 1")
    bed.run("SELECT NEXTVAL(s.q)")
    bed.run("DELETE FROM r WHERE id = 2")
    bed.apply()
    bed.compare()
    assert bed.run("SELECT * FROM s.q") == bed.run("SELECT * FROM d.q")


@pytest.mark.parametrize("packed", [0, pytest.param(1, marks=pytest.mark.long)],
                         ids=["plain", "compressed"])
def test_rows_of_many_megabytes(bed, packed):
    bed.run(f"SET GLOBAL log_bin_compress = {packed}")
    try:
        bed.table("big", "id INT PRIMARY KEY, v LONGBLOB)")
        bed.mark()
        bed.run("BEGIN")
        bed.run("INSERT INTO big VALUES (1, REPEAT('0123456789abcdef', 1060000))")
        bed.run("INSERT INTO big SELECT seq + 10, REPEAT(CHAR(65 + seq), 700000) FROM seq_1_to_8")
        bed.run(f"UPDATE big SET v = CONCAT('x', v) WHERE id > {0 if packed else 17}")
        bed.run("COMMIT")
        bed.apply()
        bed.compare(rows=False)
    finally:
        bed.run("SET GLOBAL log_bin_compress = 0")


def test_rows_that_only_two_packets_hold(bed):
    """What an application may write with a max_allowed_packet of 16M, and one row that is more."""
    bed.table("big", "id INT PRIMARY KEY, v LONGBLOB)")
    bed.run("SET GLOBAL max_allowed_packet = 16777216")
    try:
        bed.mark()
        bed.run("INSERT INTO big VALUES (1, REPEAT('0123456789abcdef', 420000)), (2, 'b')")
        bed.run("UPDATE big SET v = CONCAT('x', v)")
        bed.apply(packet=16777216)
        bed.compare(rows=False)
        done = bed.cli("apply", "s", "d", 0, 0, 1 << 20)
        assert b"too long" in done.stderr
    finally:
        bed.run("SET GLOBAL max_allowed_packet = 536870912")


def test_rows_without_all_columns_are_seen(bed):
    for image in ("MINIMAL", "NOBLOB"):
        bed.table(image, "id INT PRIMARY KEY, v TEXT, w INT)")
        bed.run(f"INSERT INTO {image} VALUES (1, 'a', 1)")
        bed.run(f"SET SESSION binlog_row_image = {image}")
        bed.mark()
        bed.run(f"UPDATE {image} SET w = 2")
        (line,) = [line for line in bed.follow("print") if "rows" in line]
        assert not line["full"] and line["rows"] == []


def test_statements_xa_and_annotations_are_told(bed):
    bed.table("t", "id INT PRIMARY KEY)")
    bed.run("SET GLOBAL binlog_annotate_row_events = 1")
    bed.mark()
    bed.run("XA START 'abc', 'de', 9")
    bed.run("INSERT INTO t VALUES (1)")
    bed.run("XA END 'abc', 'de', 9")
    bed.run("XA PREPARE 'abc', 'de', 9")
    bed.run("XA COMMIT 'abc', 'de', 9")
    bed.run("ALTER TABLE t ADD x INT")
    bed.run("SET SESSION binlog_format = STATEMENT")
    bed.run("INSERT INTO t VALUES (RAND() * 1000, 1)")
    lines = bed.follow("print")
    xid = "abc".encode().hex() + "." + "de".encode().hex()
    prepared, completed, ddl, statement = [line for line in lines if "gtid" in line]
    assert prepared["flags"] & 0x40 and completed["flags"] & 0x80 and ddl["flags"] & 0x20
    assert prepared["xid"] == completed["xid"] == xid
    texts = [bytes.fromhex(line["query"]).decode() for line in lines if "query" in line]
    assert any(t.startswith("XA COMMIT X'616263',X'6465',9") for t in texts), texts
    assert any("RAND() * 1000" in t for t in texts)
    assert {13, 38} <= {line["type"] for line in lines}
    assert not any(line["type"] == 160 for line in lines) # asked for without


# --- where rows lie ------------------------------------------------------------------------

@pytest.fixture(scope="module")
def hasher(source):
    made = test_keyhash.Hasher(dict(source.sql(
        "SELECT full_collation_name, id FROM"
        " information_schema.collation_character_set_applicability")))
    yield made
    made.close()


@pytest.mark.parametrize("column", list(test_keyhash.columns()), ids=repr)
def test_rows_lie_where_statements_put_them(keys, hasher, column):
    """The hash of a row image's key is the one of the INSERT that wrote it."""
    bed, rng = keys, random.Random(f"{test_keyhash.SEED} {column} binlog")
    bed.run(f"CREATE OR REPLACE TABLE k (id INT PRIMARY KEY, k {column.sql} NULL)")
    bed.run("SET sql_mode = 'STRICT_ALL_TABLES'")
    bed.mark()
    said, bad = {}, "ascii" in column.sql
    bed.run("BEGIN")
    for i in range(int(os.environ.get("ROUNDS", "80"))):
        sql, kind, data, collation = test_keyhash.literal(column, rng)
        if bad and max(data, default=0) > 127:
            continue
        try:
            bed.run(f"INSERT INTO k VALUES ({i}, {sql})")
        except (pymysql.err.MySQLError, UnicodeError):
            continue
        said[i] = (sql, hasher.about("stored", column, kind, data, collation))
    lie = {id_: test_keyhash.row_hash(hasher, column, text) for id_, text in
           bed.run(f"SELECT id, {test_keyhash.stored_form(column)} FROM k")}
    bed.run("COMMIT")
    lines = bed.follow("print", test_keyhash.TYPES.index(column.type), int(column.unsigned),
                       hasher.ids.get(column.collation, 0), column.length, column.scale)
    logged = {int(bytes.fromhex(after[0])): f"hash {key}" for line in lines
              for before, after, key in line.get("rows", ())}
    assert logged.keys() == lie.keys() and len(lie) > 2
    for i, key in logged.items():
        assert key == lie[i], said[i]
        assert said[i][1] in ("undecided", key), said[i]


# --- the follower --------------------------------------------------------------------------

def test_a_log_that_is_gone_is_told_in_words(bed):
    bed.table("t", "id INT PRIMARY KEY)")
    bed.mark()
    bed.run("INSERT INTO t VALUES (1)")
    bed.run("FLUSH BINARY LOGS")
    bed.run("INSERT INTO t VALUES (2)")
    bed.run("FLUSH BINARY LOGS")
    last = bed.run("SHOW BINARY LOGS")[-1][0]
    testbed.wait_for("the log to be purged", lambda: (
        bed.run(f"PURGE BINARY LOGS TO '{last}'"), len(bed.run("SHOW BINARY LOGS")) == 1)[1])
    done = bed.cli("print")
    assert b"no longer has the binary log" in done.stderr, done.stderr
    assert b"start it again" in done.stderr


def test_a_position_that_the_server_never_had(bed):
    bed.start = "0-7-99999999"
    assert b"has not written what was read from it before" in bed.cli("print").stderr


@pytest.mark.parametrize("sizes", [
    (10, 1000, 8000, 16383, 16384, 65536),
    # 43 bytes of a packet are not the value: 0xffffff bytes are a packet with an empty one behind
    pytest.param((0xffffff - 44, 0xffffff - 43, 0xffffff - 42), marks=pytest.mark.long)],
    ids=["small", "large"])
def test_every_byte_of_the_log_arrives(bed, sizes):
    """Each event of the server's file, with its length and checksum, in its order."""
    bed.run("FLUSH BINARY LOGS")
    bed.run("SET GLOBAL binlog_annotate_row_events = 0")
    file = bed.server.data / bed.run("SHOW MASTER STATUS")[0][0]
    bed.table("t", "id INT PRIMARY KEY, v LONGTEXT)")
    bed.mark()
    bed.run("SET SESSION binlog_annotate_row_events = 0")
    for n in sizes:
        bed.run(f"INSERT INTO t VALUES ({n}, REPEAT('x', {n}))")
        bed.run("XA START 'a', 'b'")
        bed.run(f"DELETE FROM t WHERE id = {n}")
        bed.run("XA END 'a', 'b'")
        bed.run("XA PREPARE 'a', 'b'")
        bed.run("XA COMMIT 'a', 'b'")
    bed.run("CREATE TABLE s.u (a INT)")
    log, at, events = file.read_bytes(), 4, []
    while at < len(log):
        size = int.from_bytes(log[at + 9:at + 13], "little")
        events.append((log[at + 4], size, log[at + size - 4:at + size].hex()))
        at += size
    got = [(line["type"], line["bytes"], line["crc"]) for line in bed.follow("print")]
    n = 10 * len(sizes)
    assert len(got) >= n and got[-n:] == events[-n:]
    assert sizes[0] < 0xffff or 0xffffff - 1 in {size for _, size, _ in events}


def test_a_lost_connection_is_an_error_and_not_an_end(bed):
    bed.table("t", "id INT PRIMARY KEY)")
    bed.mark()
    until = "0-7-999999999"
    process = subprocess.Popen([CLI, "print", str(bed.server.port), bed.start, until],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    found = testbed.wait_for("the follower", lambda: bed.run(
        "SELECT id FROM information_schema.processlist WHERE command = 'Binlog Dump'"))
    bed.run(f"KILL {found[0][0]}")
    out, err = process.communicate(timeout=PATIENCE_S)
    assert b"shard source" in err and process.returncode == 1, err


def test_followers_are_interrupted_at_once(bed):
    """One that waits for events, and one whose reader waits for room."""
    bed.table("t", "id INT PRIMARY KEY, v LONGBLOB)")
    bed.mark()
    bed.run("INSERT INTO t SELECT seq, REPEAT('m', 100000) FROM seq_1_to_30")
    bed.follow("interrupt")


@pytest.mark.long
def test_memory_is_that_of_an_event_not_of_a_transaction(bed):
    """100 and 100 MB in two transactions."""
    bed.table("t", "id INT PRIMARY KEY, v LONGBLOB)")
    bed.mark()
    bed.run("INSERT INTO t SELECT seq, REPEAT('m', 1000000) FROM seq_1_to_100")
    bed.run("UPDATE t SET v = CONCAT('x', v) WHERE id < 50")
    words = [CLI, "apply", bed.server.port, bed.start, bed.ours(), "none", "none", 0, 0, 1 << 29]
    process = subprocess.Popen(["/usr/bin/python3", "-c", """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)""", *map(str, words)],
                               stdout=subprocess.PIPE, text=True)
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0 and int(out) < 80 * 1024
