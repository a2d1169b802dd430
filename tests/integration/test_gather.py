"""test_gather.py - reads that need rows of several shards in one place: the answer is one
server's, byte by byte, whatever is in the rows and whatever the session has set."""
import itertools
import struct
import subprocess

import pytest

import rawclient
import testbed
from rawclient import RawClient, ServerError

# Keys and AUTO_INCREMENT: the engine's tables have none. ON UPDATE and "no default": a server
# forgets them on the way through a table of its own, which depends on its plan.
FLAGS = 2 | 4 | 8 | 512 | 0x4000 | 0x400 | 0x1000 | 0x2000
STATUS = ~0x30  # "no index used", "no good index used"

# Every column with a value of each kind; NULL comes by itself.
NASTY = [b"", b"NULL", b"\\N", b"\\", b"a\tb", b"a\nb\r\n", b"'\"`", b"\x00\x1a\x08", b"end\\",
         b"\\\\\\", b"  spaces  ", b"N", b"0", b"\t", b"\n", bytes(range(1, 128))]
TEXTS = [n.replace(b"\x00", b"0") for n in NASTY] + ["äöü€😀".encode()]
BYTES = NASTY + [bytes(range(256)), b"\xff\xfe\x00\x80", b"\xc3\x28"]


def hexed(values, prefix=""):
    return [f"{prefix}x'{v.hex()}'" for v in values]


COLUMNS = {
    "ti TINYINT": ["-128", "127", "0"],
    "tu TINYINT UNSIGNED NOT NULL DEFAULT 7": ["255", "0"],
    "si SMALLINT(5) ZEROFILL": ["42", "65535"],
    "mi MEDIUMINT": ["-8388608"],
    "i INT": ["-2147483648", "2147483647"],
    "bu BIGINT UNSIGNED": ["18446744073709551615", "0"],
    "bi BIGINT": ["-9223372036854775808"],
    "dc DECIMAL(65,30)": ["-12345678901234567890123456789012345.123456789012345678901234567891",
                          "0", "-0.000000000000000000000000000001"],
    "dz DECIMAL(6,2) ZEROFILL": ["1.5"],
    "f FLOAT": ["1.1", "'-0'", "3.4028234e38", "1.17549e-38", "1/3", "16777217", "-1e-45"],
    "fd FLOAT(7,3)": ["1.2345", "-1.0005", "9999.999"],
    "d DOUBLE": ["0.1", "'-0'", "1.7976931348623157e308", "5e-324", "1/3", "-2.5e-10", "1e22"],
    "dd DOUBLE(20,5)": ["1.234567", "123456789012345.12345"],
    "b1 BIT(1)": ["0", "1"],
    "b64 BIT(64)": ["0", "b'101'", "0x5c0a095c5c0a095c", "0xffffffffffffffff", "0x0a"],
    "b10 BIT(10)": ["0", "92", "521"],
    "da DATE": ["'2024-02-29'", "'0000-00-00'", "'2024-00-05'", "'9999-12-31'", "'1000-01-01'"],
    "t TIME(6)": ["'-838:59:59.999999'", "'838:59:59'", "'00:00:00'", "'12:34:56.000001'"],
    "t0 TIME": ["'-00:00:01'"],
    "dt DATETIME(6)": ["'2024-02-29 23:59:59.999999'", "'0000-00-00'", "'2024-10-27 02:30:00'"],
    "dt0 DATETIME": ["'1000-01-01 00:00:00'", "'2023-02-30 00:00:00'"],
    "ts TIMESTAMP(6) NULL": ["'1970-01-01 00:00:01'", "'2038-01-19 03:14:07.999999'",
                             "'0000-00-00'", "'2024-10-27 02:30:00.5'"],
    "t3 TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3)":
        ["'2001-09-09 01:46:40.25'", "'2024-06-01 00:00:00'"],
    "y YEAR": ["1901", "2155", "0"],
    "e ENUM('a,b','c''d','e\\\\f','NULL','2','ä') CHARACTER SET utf8mb4":
        ["'a,b'", "'c''d'", "3", "'NULL'", "'2'", "'ä'"],
    "el ENUM('é','x') CHARACTER SET latin1": ["'é'", "'x'"],
    "s SET('a','b c','NULL') NOT NULL DEFAULT ''": ["'a,NULL'", "''", "'b c'", "7"],
    "c CHAR(130) CHARACTER SET utf8mb4": hexed(TEXTS, "_utf8mb4 "),
    "v VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci": hexed(TEXTS, "_utf8mb4 "),
    "vl VARCHAR(200) CHARACTER SET latin1": ["'é'", "_latin1 x'80ff5c0a'"],
    "vu VARCHAR(40) CHARACTER SET ucs2": ["_ucs2 x'005c000a0009d83d'", "'\\\\'"],
    "v16 VARCHAR(40) CHARACTER SET utf16 COLLATE utf16_bin": ["'a\\\\\\n😀'"],
    "vj VARCHAR(40) CHARACTER SET sjis": ["_sjis x'835c8e5c'", "'\\\\'"],
    "vg VARCHAR(40) CHARACTER SET gbk": ["_gbk x'815c'", "'a\\nb'"],
    "bn BINARY(5)": ["''", "x'00'", "x'5c0a095c5c'", "'abcde'"],
    "vb VARBINARY(300)": hexed(BYTES),
    "tt TINYTEXT": hexed(TEXTS, "_utf8mb4 "),
    "tx TEXT CHARACTER SET latin1": ["_latin1 x'5c80ff0a'"],
    "bl BLOB": hexed(BYTES),
    "lb LONGBLOB": hexed(BYTES),
    "j JSON": ["'{\"a\": \"\\\\\\\\n\\\\t\"}'", "'[1, null]'", "'\"ä\"'"],
    "p POINT": ["POINT(1,2)", "POINT(-0e0, 9.5e9)"],
    "g GEOMETRY": ["ST_GeomFromText('LINESTRING(1 1,2 2)', 4326)",
                   "ST_GeomFromText('POLYGON((0 0,9 0,9 9,0 0))')"],
    "u UUID": ["'123e4567-e89b-12d3-a456-426655440000'",
               "'ffffffff-ffff-ffff-ffff-ffffffffffff'"],
    "i6 INET6": ["'::'", "'2001:db8::ff00:42:8329'", "'::ffff:192.0.2.1'"],
    "i4 INET4": ["'0.0.0.0'", "'92.10.9.92'"],
    "h VARCHAR(10) INVISIBLE": ["'hidden'"],
    "gv INT AS (i + 1) VIRTUAL": [],
    "gs BIGINT AS (si * 2) STORED": [],
    "z VARCHAR(300) COMPRESSED": ["REPEAT('ab', 150)"],
}
N_ROWS = 24


def fill(both):
    """One table sharded by id with all types; some rows full of NULLs; and a small one."""
    both.run("SET sql_mode='ALLOW_INVALID_DATES'")
    both.run("CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, " + ", ".join(COLUMNS) +
             ", KEY (v), UNIQUE KEY un (vb, id)) DEFAULT CHARSET=utf8mb4")
    both.run("CREATE TABLE small (k INT PRIMARY KEY, n INT NOT NULL, w VARCHAR(20), KEY (n))")
    both.run("INSERT INTO small VALUES " +
             ",".join(f"({k}, {k % 5}, 'w{k % 7}')" for k in range(40)))
    names, values = [], []
    for definition, given in COLUMNS.items():
        if given:
            names.append(definition.split()[0])
            must = "NOT NULL" in definition
            values.append(given if must else given + ["NULL"])
    rows = ["(" + ", ".join([str(i + 1)] + [v[i % len(v)] for v in values]) + ")"
            for i in range(N_ROWS)]
    both.run(f"INSERT INTO t (id, {', '.join(names)}) VALUES {', '.join(rows)}")


@pytest.fixture(scope="module")
def pair(gathering, plain):
    gathering.sql("CREATE DATABASE g", db=None)
    plain.sql("CREATE DATABASE g")
    both = testbed.Both(gathering, plain, "g")
    fill(both)
    yield both
    both.close()
    plain.sql("DROP DATABASE g")
    gathering.sql("DROP DATABASE g", db=None)


@pytest.fixture
def both(pair):
    fresh = testbed.Both(pair.cluster, pair.plain, "g")
    yield fresh
    fresh.close()


@pytest.fixture(params=[0, rawclient.DEPRECATE_EOF], ids=["eof", "no-eof"])
def raw(request, pair):
    clients = [RawClient(s.port).login(db="g", more=request.param | rawclient.MULTI_STATEMENTS)
               for s in (pair.cluster, pair.plain)]
    for c in clients:
        c.query("SET sql_mode='ALLOW_INVALID_DATES'")
    yield clients
    for c in clients:
        c.close()


@pytest.fixture
def used(pair):
    """What the test does is gathered, and leaves nothing behind on the engine."""
    before = gathered(pair.cluster)
    yield
    assert gathered(pair.cluster) > before
    testbed.wait_for("no tables on the engine", lambda: not left_over(pair.cluster))


def left_over(cluster):
    """Files of temporary tables of clients."""
    return [p.name for p in (cluster.home / "engine-1" / "tmp").iterdir()
            if "temptable" in p.name]


def gathered(cluster):
    return cluster.metric("shardd_statements_routed_total", route="gather")


def comparable(definition):
    """A column definition without what is not one server's here."""
    flags = len(definition) - 5
    n, = struct.unpack_from("<H", definition, flags)
    return definition[:flags] + struct.pack("<H", n & ~FLAGS) + definition[flags + 2:]


def status(end):
    """Warnings and status of the packet behind the rows."""
    if len(end) == 5:
        warnings, flags = struct.unpack_from("<HH", end, 1)
        return warnings, flags & STATUS
    flags, warnings = struct.unpack_from("<HH", end, 3)
    return warnings, flags & STATUS


def outcome(client, run):
    try:
        definitions, rows = run(client)
    except ServerError as e:
        print(e)
        return e.code, e.state
    if definitions is None:
        return rows
    return [comparable(d) for d in definitions], rows, status(client.last)


def same(raw, run, what):
    ours, theirs = (outcome(c, run) for c in raw)
    if ours == theirs:
        return
    if isinstance(ours[0], list) and isinstance(theirs[0], list):
        assert len(ours[0]) == len(theirs[0]) and len(ours[1]) == len(theirs[1]), what
        for a, b in zip(ours[0], theirs[0]):
            assert a == b, what
        for a, b in zip(ours[1], theirs[1]):
            assert a == b, what
    assert ours == theirs, what


# Statements about all rows of `t`; gathered because of the window or the join.
TYPES = [
    "SELECT t.*, ROW_NUMBER() OVER (ORDER BY id) FROM t ORDER BY id",
    "SELECT t.*, h, small.* FROM t JOIN small ON small.n = t.id ORDER BY t.id, k",
    "SELECT DISTINCT t.id, v, vb, f, ts, u FROM t JOIN small ON small.n < t.id ORDER BY t.id",
    "SELECT COUNT(DISTINCT c), COUNT(DISTINCT vb), MAX(dc), SUM(f), SUM(d), MIN(ts), MAX(u),"
    " GROUP_CONCAT(DISTINCT e ORDER BY e), BIT_XOR(b64), COUNT(DISTINCT g) FROM t",
    "SELECT e, s, COUNT(*), MAX(t3) FROM t GROUP BY e, s WITH ROLLUP",
    "SELECT id FROM t a WHERE f = (SELECT MAX(f) FROM t b WHERE b.f <= a.f) ORDER BY id",
]


@pytest.mark.parametrize("sql", TYPES, ids=range(len(TYPES)))
def test_all_types_are_the_same_to_the_last_byte(raw, used, sql):
    same(raw, lambda c: c.query(sql), sql)
    prepared = [c.prepare(sql) for c in raw]
    assert [comparable(d) for d in prepared[0][2]] == [comparable(d) for d in prepared[1][2]]
    statements = itertools.cycle(p[0] for p in prepared)
    same(raw, lambda c: c.execute(next(statements)), sql)
    same(raw, lambda c: c.execute(next(statements)), sql)


JOIN = "SELECT t.id, t.v, t.vl, t.c, t.ts, small.w FROM t JOIN small ON small.n = t.id - 3"
SESSIONS = [
    "SET NAMES latin1", "SET NAMES utf8mb4 COLLATE utf8mb4_bin", "SET NAMES binary",
    "SET character_set_results = NULL", "SET character_set_client = latin1",
    "SET time_zone = '+05:30'", "SET time_zone = 'SYSTEM'", "SET sql_mode = ''",
    "SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT'",
    "SET sql_mode = 'PAD_CHAR_TO_FULL_LENGTH'",
    "SET sql_mode = 'TRADITIONAL'", "SET sql_mode = 'ONLY_FULL_GROUP_BY'",
    "SET sql_select_limit = 7", "SET autocommit = 0", "SET max_heap_table_size = 16384",
    "SET group_concat_max_len = 5", "SET lc_time_names = 'de_DE'", "SET timestamp = 1000000000.5",
    "SET div_precision_increment = 1", "SET collation_connection = utf8mb4_unicode_ci",
    "SET tmp_memory_table_size = 0", "SET max_length_for_sort_data = 4", "USE information_schema",
    "SET @a = 'x', @b = 5", "SET insert_id = 5",
]
IN_SESSIONS = [
    JOIN + " ORDER BY t.id, k",
    "SELECT GROUP_CONCAT(v ORDER BY t.id), SUM(n) / 3, NOW(6) > 0, @a, @b, DATE_FORMAT(ts, '%W')"
    " FROM g.t JOIN g.small ON small.n = t.id GROUP BY t.id ORDER BY t.id",
    'SELECT "id", \'a\\nb\' || id, @@sql_mode, @@time_zone, DATABASE(), @@character_set_results,'
    " @@sql_select_limit FROM g.t JOIN g.small ON small.n = t.id"
    " ORDER BY t.id",
    "SELECT t.id, '\xe9' = vl, vl FROM g.t JOIN g.small ON small.n = t.id AND vl <> '\xe9'"
    " ORDER BY t.id",
    "SELECT id FROM g.t WHERE ts > '2001-09-09 01:46:40' AND id IN (SELECT n FROM g.small)"
    " ORDER BY id",
]


@pytest.mark.parametrize("raw", [rawclient.DEPRECATE_EOF], indirect=True, ids=[""])
@pytest.mark.parametrize("setting", SESSIONS)
def test_sessions_settings_are_in_force(raw, used, setting):
    same(raw, lambda c: c.query(setting), setting)
    for sql in IN_SESSIONS:
        same(raw, lambda c: c.query(sql.encode("latin1")), (setting, sql))
    same(raw, lambda c: c.query("SELECT @@sql_mode, @@time_zone, @@character_set_client"), setting)


@pytest.mark.parametrize("collation", [224, 192, 47, 8, 7, 36, 63])
def test_the_character_set_of_the_login_is_in_force(pair, used, collation):
    clients = [RawClient(s.port).login(db="g", collation=collation)
               for s in (pair.cluster, pair.plain)]
    for sql in IN_SESSIONS[:1] * 2 + ["SELECT @@character_set_client, @@collation_connection,"
                                      " 'a' = 'A' FROM t JOIN small ON small.n = t.id"]:
        same(clients, lambda c: c.query(sql), sql)
    for c in clients:
        c.close()


def test_own_uncommitted_rows_are_seen(both, used):
    count = "SELECT COUNT(*), SUM(a.n), MAX(b.w) FROM small a JOIN small b ON a.n = b.k"
    both.run("BEGIN")
    both.run("INSERT INTO small VALUES (100, 3, 'new'), (101, 4, 'newer'), (102, 4, 'newest')")
    both.run("UPDATE small SET n = 1 WHERE k < 10")
    both.run("DELETE FROM small WHERE k = 20")
    both.compare(count)
    both.compare("SELECT k, ROW_NUMBER() OVER (ORDER BY k DESC) FROM small ORDER BY k")
    both.compare("SELECT a.k FROM small a JOIN small b ON a.n = b.k ORDER BY 1 LIMIT 5 FOR UPDATE")
    both.compare("SELECT nothing FROM small a JOIN small b ON a.n = b.k")
    both.compare(count)
    assert both.cluster.sql("SELECT COUNT(*) FROM small", db="g") == ((40,),)
    both.run("ROLLBACK")
    both.compare(count)


def test_repeatable_reads_repeat(both, used):
    count = "SELECT COUNT(*), SUM(a.n) FROM small a JOIN small b ON a.n = b.n"
    both.run("START TRANSACTION WITH CONSISTENT SNAPSHOT")
    both.compare(count)
    for server in both.cluster, both.plain:
        server.sql("INSERT INTO small VALUES (200, 3, 'x'), (201, 3, 'x'), (202, 3, 'x')", db="g")
    before = both.compare(count).rows
    both.run("COMMIT")
    assert both.compare(count).rows != before
    for server in both.cluster, both.plain:
        server.sql("DELETE FROM small WHERE k >= 200", db="g")
    both.run("SET TRANSACTION READ ONLY")
    both.run("START TRANSACTION READ ONLY")
    both.compare(count)
    both.run("COMMIT")


PREPARED = [
    ("SELECT a.k, b.w, ? FROM small a JOIN small b ON a.n = b.k AND a.k < ? ORDER BY a.k LIMIT ?",
     [("x", 10, 3), (None, 30, 100), (b"\\\n", 0, 1)]),
    ("SELECT k, SUM(k + ?) OVER (PARTITION BY n ORDER BY k) FROM small WHERE w = ? ORDER BY k",
     [(1, "w3"), (2.5, "w3"), (0, "none")]),
    ("SELECT COUNT(DISTINCT w), COUNT(DISTINCT n) FROM small WHERE k IN (?, ?, ?)",
     [(1, 2, 3), (1, 8, 15)]),
]


@pytest.mark.parametrize("raw", [0], indirect=True, ids=[""])
@pytest.mark.parametrize("sql, values", PREPARED, ids=range(len(PREPARED)))
def test_prepared_with_values(raw, used, sql, values):
    prepared = [c.prepare(sql) for c in raw]
    assert prepared[0][1:] == prepared[1][1:] or [comparable(d) for d in prepared[0][2]] == \
        [comparable(d) for d in prepared[1][2]]
    for v in values * 2:
        statements = itertools.cycle(p[0] for p in prepared)
        same(raw, lambda c: c.execute(next(statements), v), (sql, v))


@pytest.fixture(scope="module")
def homes(pair):
    """A global table in each of two databases that live on different shards."""
    shards = [s["name"] for s in pair.cluster.shard_list()]
    for i, home in enumerate(shards[:2]):
        pair.cluster.ctl("database create", f"home{i}", "--home-shard", home)
        pair.plain.sql(f"CREATE DATABASE home{i}")
        for server in pair.cluster, pair.plain:
            server.sql(f"CREATE TABLE home{i}.t (id INT, v VARCHAR(9)) COMMENT 'shardd: global'")
            server.sql(f"INSERT INTO home{i}.t VALUES (1, 'a'), (2, 'b'), ({3 + i}, 'c')")


HOMES = "SELECT a.id, b.v FROM home0.t a JOIN home1.t b ON a.id = b.id WHERE a.id >= ? ORDER BY 1"
BY_PHP = """$c = new mysqli('127.0.0.1', 'app', 'app', 'g', %d);
$s = $c->prepare('%s'); $n = 1; $s->bind_param('i', $n);
foreach ([1, 2, 5] as $n) { $s->execute(); echo json_encode($s->get_result()->fetch_all()); }"""


def test_prepared_where_no_shard_has_all_tables(raw, pair, both, homes, used):
    """Nobody knows the columns before the execution: they come with the rows."""
    (ours, params, columns), (theirs, others, _) = [c.prepare(HOMES) for c in raw]
    assert (params, columns) == (others, [])
    for value in 1, 2, 5:
        statements = itertools.cycle((ours, theirs))
        same(raw, lambda c: c.execute(next(statements), [value]), value)
    for sql in (f"PREPARE s FROM '{HOMES}'", "EXECUTE s USING 2", "EXECUTE s USING 1",
                "PREPARE s FROM 'SELECT nothing FROM home0.t JOIN home1.t USING (id)'"):
        ours, theirs = (testbed.Answer(c, sql) for c in both.connections)
        assert ours.rows == theirs.rows or "nothing" in sql
    assert testbed.Answer(both.connections[0], "EXECUTE s").error[0] == 1054
    told = [subprocess.run(["php", "-r", BY_PHP % (server.port, HOMES)], text=True, check=True,
                           capture_output=True, timeout=60).stdout
            for server in (pair.cluster, pair.plain)]
    assert told[0] == told[1] == '[[1,"a"],[2,"b"]][[2,"b"]][]'


def test_what_a_statement_leaves_behind(both, used):
    both.compare("SELECT a.k + 'x1' FROM small a JOIN small b ON a.n = b.k ORDER BY a.k LIMIT 2")
    both.compare("SHOW WARNINGS")
    both.compare("SELECT a.k FROM small a JOIN small b ON a.n = b.k ORDER BY a.k LIMIT 2")
    both.compare("SELECT FOUND_ROWS(), ROW_COUNT()")
    both.run("CREATE TABLE IF NOT EXISTS numbered (id INT AUTO_INCREMENT PRIMARY KEY)")
    both.run("INSERT INTO numbered VALUES (77)")
    both.run("SELECT LAST_INSERT_ID(55)")
    both.compare("SELECT a.k FROM small a JOIN small b ON a.n = b.k ORDER BY a.k LIMIT 2")
    both.compare("SELECT LAST_INSERT_ID()")
    both.run("DROP TABLE numbered")


def test_several_results(raw, used):
    sql = ("SELECT 1; SELECT COUNT(*) FROM small a JOIN small b ON a.n = b.k; SELECT 2;"
           "SELECT k, ROW_NUMBER() OVER (ORDER BY k) FROM small ORDER BY k LIMIT 3")
    for c in raw:
        c.query(sql)
    for number in range(3):
        same(raw, lambda c: c.result(), number)


@pytest.mark.parametrize("raw", [0], indirect=True, ids=[""])
def test_values_over_16_mib(raw, used):
    same(raw, lambda c: c.query("CREATE TABLE big (id INT PRIMARY KEY, b LONGBLOB, KEY (b(10)))"),
         "big")
    same(raw, lambda c: c.query("INSERT INTO big VALUES (1, REPEAT(x'5c0a0900', 300000)), (2, ''),"
                                " (3, NULL), (4, REPEAT('x', 16777215))"), "rows")
    sql = "SELECT id, b, ROW_NUMBER() OVER (ORDER BY id) FROM big ORDER BY id"
    same(raw, lambda c: c.query(sql), "text")
    prepared = itertools.cycle([c.prepare(sql)[0] for c in raw])
    same(raw, lambda c: c.execute(next(prepared)), "binary")
    same(raw, lambda c: c.query("DROP TABLE big"), "big")


def test_zero_rows_and_no_columns_but_one(both, used):
    both.run("CREATE TABLE empty (id INT PRIMARY KEY, v VARCHAR(10))")
    both.compare("SELECT a.id, b.k FROM empty a RIGHT JOIN small b ON a.v = b.w ORDER BY k")
    both.run("INSERT INTO empty VALUES (1, ''), (2, NULL), (3, ''), (4, '\n')")
    both.compare("SELECT v, COUNT(*), COUNT(DISTINCT v) FROM empty GROUP BY v WITH ROLLUP")
    both.compare("SELECT COUNT(*) FROM empty a JOIN empty b ON a.v = b.v")
    both.run("DROP TABLE empty")


def test_odd_bits_stay_with_their_rows(both, used):
    """An Aria table would mix them up in a ROLLUP: of a table that is never in memory, and of one
    that has become too large for it."""
    for name, other in (("odd", "BLOB"), ("many_odd", "VARBINARY(60)")):
        both.run(f"CREATE TABLE {name} (k INT PRIMARY KEY, o {other} NULL, b BIT(9) NULL)")
        n = 8000 if name == "many_odd" else 3
        both.run(f"INSERT INTO {name} VALUES " + ",".join(
            f"({i}, {(chr(39) + chr(97 + i % 3) + chr(39)) if i % 4 else 'NULL'}, "
            f"{(5, 511, 256)[i % 3]})" for i in range(n)))
        both.compare(f"SELECT b + 0, o, COUNT(*) FROM {name} GROUP BY b, o WITH ROLLUP")
        both.run(f"DROP TABLE {name}")


def test_having_of_every_type(both, used):
    """MIN() of a BIT is bytes or a number, the text of a FLOAT lacks digits, and a YEAR is equal to
    20 as to 2020."""
    both.run("CREATE TABLE typed (k INT PRIMARY KEY, g INT, b BIT(9), f FLOAT, y YEAR, n INT,"
             " c DECIMAL(9,3), x DOUBLE, e ENUM('z','b','a'), d DATE)"
             " COMMENT 'shardd: key(k)'")
    both.run("INSERT INTO typed VALUES (1,1,0,0.1,2020,2,0.1,0.1,'z','2020-01-01'),"
             "(2,1,1,0.3,2020,3,0.1,0.1,'b','2020-01-01'),"
             "(3,2,3,0.7,2021,1,0.2,0.2,'a','2020-01-02'),"
             "(4,2,300,16777217,2021,1,0.2,0.2,'a',NULL)")
    for of, literals in [("b", "0 1 1.5 255 300 '3'"), ("f", "0.1 0.3 0.7 16777216 0.1e0 '0.1'"),
                         ("y", "20 2020 '21' 2021.0"), ("c", "0.1 0.10 '0.2'"),
                         ("x", "0.1 0.1e0 '0.2' 0.3"), ("e", "1 2 'b'"), ("d", "20200101 0")]:
        for literal in literals.split():
            for op in "=", ">", "<=":
                for function in "MIN", "MAX":
                    both.compare(f"SELECT g, COUNT(DISTINCT n) FROM typed GROUP BY g HAVING "
                                 f"{function}({of}) {op} {literal}")
                both.compare(f"SELECT {of}, COUNT(*) FROM typed GROUP BY {of} HAVING {of} {op} "
                             f"{literal}")
    both.compare("SELECT COUNT(n) FROM typed HAVING MIN(b) = 0")
    both.compare("SELECT g, MAX(b) + 0 AS m FROM typed GROUP BY g HAVING NOT m < 2")
    both.compare("SELECT f AS g, COUNT(*) FROM typed GROUP BY f HAVING g > 0.1 OR f IN (0.1, 0.3)")
    both.run("DROP TABLE typed")


def test_what_is_computed_is_sorted_otherwise(both, used):
    """Of latin1_bin a server sorts 'a' before 'a ' where it is computed, and as equal else."""
    both.run("CREATE TABLE padded (id INT PRIMARY KEY, a VARCHAR(9) CHARACTER SET ascii COLLATE "
             "ascii_bin, l VARCHAR(9) CHARACTER SET latin1 COLLATE "
             "latin1_bin, u VARCHAR(9) COLLATE utf8mb4_bin, w "
             "VARCHAR(9) CHARACTER SET latin1) COMMENT 'shardd: key(id)'")
    both.run("INSERT INTO padded VALUES " + ",".join(
        f"({i}, 'a{s}', 'a{s}', 'a{s}', 'a{s}')" for i, s in enumerate(["  ", "", " ", ""])))
    for name in "aluw":
        for by in (name, f"LEFT({name}, 2)", f"CONCAT({name})", f"COALESCE({name}, 'x')",
                   f"REVERSE({name}) DESC", f"CASE WHEN id > 0 THEN {name} END"):
            both.compare(f"SELECT id FROM padded ORDER BY {by}, id")
            both.compare(f"SELECT {name} FROM padded ORDER BY {by}, id LIMIT 2")
        both.compare(f"SELECT COUNT(*) FROM padded GROUP BY LEFT({name}, 2)")
    both.run("DROP TABLE padded")


def test_rights_are_the_shards(pair, used):
    cluster = pair.cluster
    cluster.ctl_raw("user add", "poor", "--password", "p", "--no-rights")
    cluster.sql("GRANT SELECT ON g.small TO poor", db=None)
    cluster.sql("SELECT COUNT(*) FROM small a JOIN small b ON a.n = b.k", db="g")
    with cluster.connect("poor", "p", db="g") as c, c.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM small a JOIN small b ON a.n = b.k")
        assert cursor.fetchone()[0] > 0
        with pytest.raises(testbed.pymysql.err.OperationalError) as e:
            cursor.execute("SELECT COUNT(*) FROM t a JOIN small b ON a.v = b.w")
        assert e.value.args[0] in (1142, 1143)
        cursor.execute("SELECT COUNT(*) FROM small a JOIN small b ON a.n = b.k")
    cluster.ctl_raw("user delete", "poor")


def test_tables_change(both, used):
    both.run("CREATE TABLE moving (id INT PRIMARY KEY, v INT)")
    both.run("INSERT INTO moving VALUES (1, 2), (2, 3), (3, 4)")
    count = "SELECT a.id, b.* FROM moving a JOIN moving b ON a.v = b.id ORDER BY 1"
    for change in (None, "ADD COLUMN w VARCHAR(5) DEFAULT 'x' FIRST", "MODIFY v BIGINT NOT NULL",
                   "DROP COLUMN w", "ADD COLUMN e ENUM('b', 'a') DEFAULT 'a'"):
        if change:
            both.run("ALTER TABLE moving " + change)
        both.compare(count)
        both.compare(count)
    both.run("DROP TABLE moving")
