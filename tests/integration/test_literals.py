"""Values of keys in every way to write them: a row lies where its key belongs, and is found by
every literal that a plain server finds it by."""
import struct

import pytest

import rawclient
import testbed

COLUMNS = {
    "latin1_bin": "VARCHAR(12) CHARACTER SET latin1 COLLATE latin1_bin",
    "latin1_swedish": "VARCHAR(12) CHARACTER SET latin1",
    "latin1_char": "CHAR(12) CHARACTER SET latin1",
    "ascii": "VARCHAR(12) CHARACTER SET ascii",
    "utf8mb4_bin": "VARCHAR(12) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    "utf8mb4_general": "VARCHAR(12) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
    "utf8mb3_unicode": "VARCHAR(12) CHARACTER SET utf8mb3 COLLATE utf8mb3_unicode_ci",
    "utf8mb4_nopad": "VARCHAR(12) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
    "varbinary": "VARBINARY(12)",
    "binary": "BINARY(6)",
    "int": "INT",
    "bigint_unsigned": "BIGINT UNSIGNED",
    "decimal": "DECIMAL(12,3)",
    "bit": "BIT(20)",
    "year": "YEAR",
    "date": "DATE",
    "datetime": "DATETIME(3)",
    "time": "TIME(2)",
    "inet6": "INET6",
    "uuid": "UUID",
}
TEXTS = [
    "'á'", "N'á'", "_utf8mb4'á'", "_utf8'á'", "_latin1 x'e1'", "_latin1 0xE1", "_utf8mb4 x'c3a1'",
    "_utf8mb3 0xc3a1", "x'c3a1'", "x'e1'", "0xC3A1", "_binary x'c3a1'", "_binary'á'",
    "_latin1 b'11100001'", "_utf8mb4 b'1100001110100001'", "b'1100001'", "_binary b'11100001'",
    "_latin1 x'e1' COLLATE latin1_bin", "'á' COLLATE utf8mb4_bin", "'á' 'b'", "'Á'",
    "'a '", "'a'", "N'a'", "_ascii'a'", "_ascii x'61'", "x'6120'", "'A'", "\"a\"", "'a\\0'",
    "'ß'", "_latin1 x'df'", "'ss'", "'€'", "_latin1 x'80'", "_utf8mb4 x'e282ac'", "'\U0001f600'",
    "_utf8mb4 x'f09f9880'", "_ucs2 x'00e1'", "_utf16 x'00e1'", "_ucs2'\\0a'", "''", "' '", "x''",
]
NUMBERS = [
    "5", "-5", "+5", "- 5", "5.0", "5.5", "5e0", "0.5e1", "'5'", "' 5'", "'5 '", "'05'", "'5.0'",
    "'+5'", "'5e0'", "0x35", "x'35'", "x'05'", "b'101'", "0b101", "_latin1 x'35'",
    "_utf8mb4 x'35'", "_binary x'35'", "_latin1 0x3035", "N'5'", "_utf8mb4'5'", "TRUE", "FALSE",
    "-0", "0", "''", "'x'", "1.0005", "'1.0005'", "18446744073709551615", "'18446744073709551615'",
    "-'5'", "- -5", "1e20", "9223372036854775808",
]
TIMES = [
    "'2024-02-29'", "20240229", "'20240229'", "'2024-2-29'", "DATE'2024-02-29'", "'24-02-29'",
    "x'323032342d30322d3239'", "_latin1 x'323032342d30322d3239'", "N'2024-02-29'",
    "TIMESTAMP'2024-02-29 00:00:00'", "'2024-02-29 00:00:00.000'", "'2024-02-29T00:00:00'",
    "20240229000000", "'2024-02-29 12:30:00.1239'", "TIMESTAMP'2024-02-29 12:30:00.123'",
    "'12:30'", "123000", "'12:30:00.00'", "TIME'12:30:00'", "_utf8mb4 x'31323a3330'", "'1 12:30'",
    "2024", "'2024'", "24", "'24'", "0", "'0'", "'0000-00-00'", "'2024-00-00'", "'2024-02-31'",
    "DATE'0000-00-00'", "'0000-00-00 10:00:00'", "1900", "'0000'", "x'32303234'",
    "_latin1 x'32303234'",
]
ADDRESSES = [
    "'::1'", "'0:0::1'", "_latin1 x'3a3a31'", "N'::1'", "x'00000000000000000000000000000001'",
    "_binary x'00000000000000000000000000000001'", "0x3a3a31", "'::ffff:1.2.3.4'",
    "'123e4567-e89b-12d3-a456-426655440000'", "'123E4567E89B12D3A456426655440000'",
    "x'123e4567e89b12d3a456426655440000'", "_binary x'123e4567e89b12d3a456426655440000'",
    "_latin1 x'31323365343536372d653839622d313264332d613435362d343236363535343430303030'",
]
LITERALS = {"int": NUMBERS, "bigint_unsigned": NUMBERS, "decimal": NUMBERS, "bit": NUMBERS,
            "year": TIMES, "date": TIMES, "datetime": TIMES, "time": TIMES,
            "inet6": ADDRESSES, "uuid": ADDRESSES}

# No key is routed by bytes that a column of ascii takes without being letters.
BYTES   = {"x'c3a1'", "x'e1'", "0xC3A1", "_binary x'c3a1'", "_binary'á'", "_binary b'11100001'"}
REFUSED = {"ascii": BYTES}


@pytest.fixture(scope="module")
def three(scratch):
    cluster = testbed.Cluster(scratch / "three", shards=3)
    yield cluster
    cluster.finish()


@pytest.fixture(scope="module")
def both(three, plain):
    plain.sql("CREATE OR REPLACE DATABASE app")
    pair = testbed.Both(three, plain, "app")
    yield pair
    pair.close()


class Pair:
    """Statements on both: what is found and whether it works is the same. Warnings differ where
    several shards warn. What shardd refuses is not done on the plain server."""

    def __init__(self, both):
        self.both, self.refused = both, []

    def write(self, sql):
        ours, theirs = self.both.connections
        answer = testbed.Answer(ours, sql)
        if answer.error and answer.error[0] == 1235:
            self.refused.append(sql)
            return
        plain = testbed.Answer(theirs, sql)
        assert (answer.error or [0])[0] == (plain.error or [0])[0], (sql, answer, plain)
        assert answer.affected == plain.affected, (sql, answer, plain)

    def read(self, sql):
        answer, plain = self.both.answers(sql)
        assert (answer.error or [0])[0] == (plain.error or [0])[0], (sql, answer, plain)
        assert answer.rows == plain.rows, (sql, answer.rows, plain.rows)


def fill(pair, table, column, literals):
    """Rows whose ids say which literal gave the key, and in which way."""
    pair.write(f"CREATE TABLE {table} (k {column}, id INT, PRIMARY KEY (k, id))"
               " COMMENT 'shardd: key(k)'")
    for at, mode in (1000, "STRICT_ALL_TABLES"), (2000, ""):
        pair.write(f"SET sql_mode = '{mode}'")
        for i, literal in enumerate(literals, at):
            pair.write(f"INSERT INTO {table} VALUES ({literal}, {i})")
            if not mode:
                pair.write(f"INSERT INTO {table} VALUES ({literal}, {i + 200}),"
                           f" ({literal}, {i + 400})")
                pair.write(f"INSERT INTO {table} SELECT {literal}, {i + 600}")


@pytest.mark.parametrize("name", COLUMNS)
def test_every_literal(three, both, name):
    table, literals, pair = f"k_{name}", LITERALS.get(name, TEXTS), Pair(both)
    fill(pair, table, COLUMNS[name], literals)
    pair.read(f"SELECT id, HEX(k) FROM {table} ORDER BY id")
    for literal in literals:
        for where in f"k = {literal}", f"k IN ({literal}, {literals[0]})":
            pair.read(f"SELECT id FROM {table} WHERE {where} ORDER BY id")
    pair.write("SET sql_mode = ''")
    for i, literal in enumerate(literals):
        pair.write(f"UPDATE {table} SET id = id + 10000 WHERE k = {literal} AND id = {2000 + i}")
    pair.read(f"SELECT id, HEX(k) FROM {table} ORDER BY id")
    three.fsck()
    assert {sql.replace("SELECT ", "VALUES (").split("VALUES (")[1].rsplit(", ", 1)[0]
            for sql in pair.refused if "), (" not in sql} <= REFUSED.get(name, set()), name


@pytest.mark.parametrize("charset", ["latin1", "utf8mb4"])
def test_texts_of_other_connections(three, both, charset):
    """What a literal without an introducer is depends on the connection."""
    pair = Pair(both)
    pair.write(f"SET NAMES {charset}")
    for name in ("latin1_bin", "utf8mb4_general", "varbinary"):
        table = f"c_{charset}_{name}"
        fill(pair, table, COLUMNS[name], TEXTS)
        for literal in TEXTS:
            pair.read(f"SELECT id FROM {table} WHERE k = {literal} ORDER BY id")
        pair.read(f"SELECT id, HEX(k) FROM {table} ORDER BY id")
    pair.write("SET NAMES utf8mb4")
    three.fsck()


def test_zero_dates_are_null_too(three, both):
    pair = Pair(both)
    pair.write("CREATE TABLE zeroes (k DATE, v INT, PRIMARY KEY (k, v)) COMMENT 'shardd: key(k)'")
    pair.write("INSERT INTO zeroes VALUES ('0000-00-00', 1), ('2024-02-29', 2)")
    pair.write("SET sql_mode = ''")
    pair.write("INSERT INTO zeroes VALUES ('2024-00-00', 3)")
    pair.write("SET sql_mode = 'NO_ZERO_IN_DATE'")
    pair.write("INSERT INTO zeroes VALUES ('2024-00-00', 4)")
    for where in "k IS NULL", "k = 0", "k = '0000-00-00'", "k <=> NULL", "v > 0":
        pair.read(f"SELECT CAST(k AS CHAR), v FROM zeroes WHERE {where} ORDER BY v")
    pair.write("UPDATE zeroes SET k = '0000-00-00' WHERE k = '2024-02-29'")
    pair.write("DELETE FROM zeroes WHERE k IS NULL AND v = 1")
    pair.read("SELECT CAST(k AS CHAR), v FROM zeroes ORDER BY v")
    pair.write("CREATE TABLE dated (k INT PRIMARY KEY, d DATE) COMMENT 'shardd: key(k)'")
    pair.write("INSERT INTO dated VALUES (1, '2024-02-29'), (2, '2024-03-01'), (3, NULL)")
    pair.write("SET sql_mode = 'NO_ZERO_DATE'")
    pair.write("UPDATE dated SET d = 0 ORDER BY k LIMIT 2")  # a warning about each row
    pair.read("SELECT CAST(d AS CHAR), k FROM dated ORDER BY k")
    assert not pair.refused
    pair.write("SET sql_mode = DEFAULT")
    three.fsck()


def test_null_in_one_row_of_several(three, both):
    """In one row alone it is an error in every sql_mode, and a shard may get one row alone."""
    both.run("CREATE TABLE nulls (k INT PRIMARY KEY, v INT NOT NULL, s VARCHAR(9) NOT NULL DEFAULT"
             " 'x', d DATE NOT NULL) COMMENT 'shardd: key(k)'")
    both.run("CREATE TABLE numbers (k INT AUTO_INCREMENT PRIMARY KEY, v INT NOT NULL)"
             " COMMENT 'shardd: key(k)'")
    both.compare("INSERT INTO nulls VALUES (1, 1, 'a', 0), (2, NULL, 'b', 0), (3, 1, 'c', 0)")
    both.run("SET sql_mode = ''")
    both.run("SET @none = NULL, sql_select_limit = 0")
    rows = [f"({k}, NULL, x'61', DATE'2024-02-29')" for k in range(1, 4)]
    for verb, tail in [("INSERT", ""), ("REPLACE", ""), ("INSERT", "ON DUPLICATE KEY UPDATE v = 7"),
                       ("INSERT /* why */", "RETURNING *"), ("INSERT IGNORE", "")]:
        values = ", ".join(rows[:3 if verb == "INSERT" else 2])
        both.compare(f"{verb} INTO nulls VALUES {values}{tail}")
        rows = [row.replace("(", "(1", 1) for row in rows] if tail == "" else rows
    both.compare("INSERT nulls VALUE (21, 1, 'a', 1), (22, 1, 'b', 1), (23, 1, 'c', 1)")
    for value in "NULL", "@none", "VALUES(v) + NULL":
        both.compare("INSERT nulls VALUE (21, 1, 'a', 1), (22, 2, 'b', 1), (23, 3, 'c', 1)"
                     f"ON DUPLICATE KEY UPDATE v = {value}, s = CONCAT(s, VALUES(s))")
    both.compare("INSERT INTO nulls (s, d, v, k) VALUES (DEFAULT, -0, -'1', 31), ('b', (1), 1, 32),"
                 " (NULL, @none, @none, 33), (NULL, NULL, 5, 34), (_latin1 x'e1', 0, NULL, 36)")
    both.run("PREPARE p FROM 'INSERT INTO nulls (k, v, d) VALUES (?, ?, 0), (?, ?, ?)'")
    both.run("SET @a = 41, @b = 42")
    both.compare("EXECUTE p USING @a, @none, @b, @none, @none")
    both.run("INSERT INTO numbers VALUES (NULL, NULL), (0, NULL), (DEFAULT, NULL), (-8, NULL)")
    both.run("INSERT INTO numbers (v) VALUES (NULL), (NULL), (NULL)")
    both.run("SET sql_mode = DEFAULT, sql_select_limit = DEFAULT")
    both.compare("SELECT k, v, s, CAST(d AS CHAR) FROM nulls ORDER BY k")
    both.compare("SELECT COUNT(*), SUM(v) FROM numbers")
    three.fsck()


def test_numbers_of_too_many_digits(three, both):
    """A server cuts what has more digits than a DECIMAL; a variable keeps them on every shard."""
    pair = Pair(both)
    pair.write("CREATE TABLE digits (k DECIMAL(65,5) PRIMARY KEY, v VARCHAR(90))"
               " COMMENT 'shardd: key(k)'")
    pair.write("CREATE TABLE copies (k INT PRIMARY KEY, v VARCHAR(90)) COMMENT 'shardd: reference'")
    whole = "1234567890" * 6
    pair.write(f"INSERT INTO digits VALUES ({whole}, 'a')")
    pair.read(f"SELECT v FROM digits WHERE k = {whole}.{'0' * 29}1")
    pair.write(f"SET @v = {whole}.0000000001")
    for i in range(6):
        pair.write(f"INSERT INTO digits VALUES ({i}, @v)")
        pair.write(f"INSERT INTO copies VALUES ({i}, @v)")
    pair.read("SELECT * FROM digits ORDER BY k")
    pair.read("SELECT * FROM copies ORDER BY k")
    three.fsck()


def test_variables_of_wide_sets(both):
    pair = Pair(both)
    pair.write("CREATE TABLE wide (k VARCHAR(12) PRIMARY KEY, v INT) COMMENT 'shardd: key(k)'")
    for i, text in enumerate(["_ucs2 x'0061'", "_utf16 x'd83dde01'", "_utf16le x'6200'",
                              "_utf32 x'00000063'"]):
        pair.write(f"SET @v = {text}")
        pair.write(f"INSERT INTO wide VALUES (@v, {i})")
        pair.read("SELECT HEX(@v), COLLATION(@v), v FROM wide WHERE k = @v")
    pair.read("SELECT * FROM wide ORDER BY v")
    assert not pair.refused


def test_a_date_with_a_time_as_parameter(three, plain, both):
    """Servers leave the time of a parameter of type DATE out, also for a DATETIME column."""
    both.run("CREATE TABLE days (k DATETIME PRIMARY KEY, v INT) COMMENT 'shardd: key(k)'")
    for day in range(1, 9):
        payload = b"\x07" + struct.pack("<HBB", 2024, 2, day) + b"\x0a\x0b\x0c"
        for server in three, plain:
            raw = rawclient.RawClient(server.port).login(db="app")
            statement, _, _ = raw.prepare("INSERT INTO days VALUES (?, 1)")
            raw.execute(statement, [(10, payload)])
            raw.close()
    Pair(both).read("SELECT * FROM days ORDER BY k")
    Pair(both).read("SELECT * FROM days WHERE k = '2024-02-03'")
    three.fsck()


@pytest.mark.parametrize("sql, why", [
    ("SET character_set_connection = ucs2", "ASCII has other bytes (ucs2_general_ci)"),
    ("SET collation_connection = utf16_bin", "ASCII has other bytes (utf16_bin)"),
    ("SET @@session.character_set_connection = 'swe7'", "ASCII has other bytes"),
    ("SET sql_auto_is_null = 1", "LAST_INSERT_ID()"),
    ("SET STATEMENT sql_auto_is_null = 1 FOR SELECT 1", "LAST_INSERT_ID()"),
    ("CREATE TABLE y (k YEAR(2) PRIMARY KEY) COMMENT 'shardd: key(k)'", "two digits"),
])
def test_what_texts_and_keys_cannot_be(three, sql, why):
    """Rows went to wrong shards by them, or were not found."""
    with three.connect() as connection:
        answer = testbed.Answer(connection, sql)
        assert answer.error[0] == 1235 and why in answer.error[1], answer
        assert testbed.Answer(connection, "SELECT @@character_set_connection, @@sql_auto_is_null"
                              ).rows == [("utf8mb4", 0)]
