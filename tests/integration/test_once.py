"""One moment, one value: NOW() is the same on all shards, UUID() in all copies, and keys may
be computed."""
import threading

import pytest

import testbed


@pytest.fixture
def tables(both):
    both.run("CREATE TABLE t (id BIGINT PRIMARY KEY, at DATETIME(6), made TIMESTAMP(6) DEFAULT "
             "CURRENT_TIMESTAMP(6), touched DATETIME(6) ON UPDATE CURRENT_TIMESTAMP(6), n INT)")
    both.run("CREATE TABLE k (k VARCHAR(60) PRIMARY KEY, n INT)")
    both.run("CREATE TABLE a (id BIGINT AUTO_INCREMENT PRIMARY KEY, n INT)")
    both.run("CREATE TABLE r (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(60), f DOUBLE, "
             "at DATETIME(6)) COMMENT 'shardd: reference'")
    both.run("CREATE TABLE rk (id VARCHAR(60) PRIMARY KEY, n INT) COMMENT 'shardd: reference'")
    return both


def one(both, sql):
    rows = testbed.Answer(both.connections[0], sql).rows
    assert rows is not None and len(rows) == 1, (sql, rows)
    return rows[0]


def copies(both, sql):
    seen = [both.cluster.on_shard(s, sql, db=both.db) for s in both.cluster.shard_list()]
    assert len(seen) > 1 and all(s == seen[0] for s in seen), seen
    return seen[0]


def test_writes_have_one_moment(tables):
    tables.run("INSERT INTO t (id, at) VALUES " + ", ".join(f"({i}, NOW(6))" for i in range(40)))
    for column in "at", "made":
        assert one(tables, f"SELECT COUNT(DISTINCT {column}) FROM t") == (1,)
    assert one(tables, "SELECT COUNT(*) FROM t WHERE at <> made") == (0,)
    assert min(tables.cluster.spread("t", db=tables.db)) > 0
    tables.run("UPDATE t SET n = 5")
    assert one(tables, "SELECT COUNT(DISTINCT touched) FROM t WHERE touched > 0") == (1,)
    tables.run("UPDATE t SET n = UNIX_TIMESTAMP(), at = CURRENT_TIMESTAMP(6) WHERE id > 3")
    for column in "n", "at":
        assert one(tables, f"SELECT COUNT(DISTINCT {column}) FROM t WHERE id > 3") == (1,)
    # It goes on behind that.
    assert one(tables, "SELECT COUNT(DISTINCT id) FROM t WHERE at < NOW(6)") == (40,)
    first = one(tables, "SELECT NOW(6) FROM t WHERE id = 1")
    testbed.wait_for("time to pass", lambda: one(
        tables, "SELECT NOW(6) FROM t WHERE id = 1") > first)


def test_many_keys_are_computed(tables):
    """Each row keeps its own, however many there are."""
    for n in 40, 1050:
        tables.run("INSERT INTO t (id, n) VALUES " +
                   ", ".join(f"({n} * 1000 + {i}, {i})" for i in range(n)))
        tables.compare(f"SELECT COUNT(*), SUM(id = {n} * 1000 + n) FROM t WHERE id >= {n} * 1000")


def test_reads_have_one_moment(tables):
    tables.run("INSERT INTO t (id) VALUES " + ", ".join(f"({i})" for i in range(20)))
    c = tables.connections[0]
    for sql in ("SELECT NOW(6) FROM t", "SELECT UNIX_TIMESTAMP(NOW(6)), CURRENT_TIME(6) FROM t",
                "SELECT UTC_TIMESTAMP(6) FROM t WHERE id IN (1, 2, 3, 4, 5, 6)"):
        rows = testbed.Answer(c, sql).rows
        assert len(rows) > 1 and len(set(rows)) == 1, (sql, rows)
    tables.run("CREATE VIEW v AS SELECT id, NOW(6) AS at FROM t")
    assert len(set(testbed.Answer(c, "SELECT at FROM v").rows)) == 1


def test_a_clock_of_the_client(tables):
    tables.run("SET timestamp = 1000000000.5")
    tables.run("INSERT INTO t (id, at) VALUES (1, NOW(6)), (2, NOW(6)), (3, NOW(6))")
    for _ in range(3):
        tables.compare("SELECT id, at, made, NOW(6) FROM t ORDER BY id")
        tables.run("UPDATE t SET n = 1")
        tables.compare("SELECT id, touched FROM t ORDER BY id")
    tables.run("SET timestamp = DEFAULT")
    assert one(tables, "SELECT NOW() > '2020-01-01'") == (1,)
    assert testbed.Answer(tables.connections[0], "SELECT NOW() > '2020-01-01' FROM t").rows == [
        (1,)] * 3


def test_clocks_do_not_mix(tables):
    """Clients with and without a clock of their own, over few connections."""
    tables.run("INSERT INTO t (id) VALUES (1), (2), (3), (4)")
    wrong = []

    def run(own):
        with tables.cluster.connect(db=tables.db) as c:
            if own:
                testbed.Answer(c, "SET timestamp = 1000000000")
            for _ in range(40):
                for sql in ("SELECT NOW() < '2010-01-01' FROM t", "UPDATE t SET n = n + 1",
                            "SELECT NOW() < '2010-01-01' FROM t WHERE id = 2",
                            "SELECT NOW() < '2010-01-01'"):
                    rows = testbed.Answer(c, sql).rows
                    if rows and set(rows) != {(int(own),)}:
                        wrong.append((own, sql, rows))

    threads = [threading.Thread(target=run, args=(i % 2 == 0,)) for i in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


@pytest.mark.parametrize("value", ["UUID()", "CONCAT('x', UUID_SHORT())", "SYS_GUID()",
                                   "MD5(RAND())", "USER()", "CONNECTION_ID()", "SYSDATE(6)",
                                   "@@hostname", "LAST_INSERT_ID()", "NOW(6)", "VERSION()",
                                   "ROW_COUNT()", "FOUND_ROWS()"])
def test_copies_have_one_value(tables, value):
    tables.run(f"INSERT INTO r (v, f) VALUES ({value}, RAND())")
    tables.run(f"INSERT INTO r (v, f) VALUES ({value}, RAND()), ({value}, 0.5), ('plain', RAND())")
    tables.run(f"INSERT INTO r SET v = {value}, f = RAND() * 5, at = NOW(6)")
    tables.run(f"REPLACE INTO rk (id, n) VALUES ({value}, 5)")
    tables.run(f"INSERT IGNORE INTO rk SET id = CONCAT({value}, '-'), n = 1")
    rows = copies(tables, "SELECT * FROM r ORDER BY id")
    assert len(rows) == 5 and rows[0][2] != rows[1][2]
    assert len(copies(tables, "SELECT * FROM rk ORDER BY id")) == 2
    tables.compare("SELECT COUNT(*), MAX(id) FROM r")
    # What differs by nature differs in both.
    if value in ("LAST_INSERT_ID()", "ROW_COUNT()"):
        tables.compare("SELECT id, v FROM r ORDER BY id")
    if value == "CONNECTION_ID()":
        assert rows[0][1] == str(one(tables, "SELECT CONNECTION_ID()")[0])


def test_values_of_their_types(tables):
    tables.run("INSERT INTO r (v, f) VALUES (LEFT(UUID(), 0), 0), (NULLIF(RAND(), 5) IS NULL, "
               "LENGTH(UUID())), (IF(RAND() < 2, 'ä', ''), ROUND(RAND() / 10))")
    assert [r[1:3] for r in copies(tables, "SELECT * FROM r ORDER BY id")] == [
        ("", 0.0), ("0", 36.0), ("ä", 0.0)]
    tables.compare("SELECT id, v, f FROM r ORDER BY id")


@pytest.mark.parametrize("sql", [
    "UPDATE r SET v = UUID()", "UPDATE r SET v = SYS_GUID(), f = RAND()",
    "DELETE FROM r WHERE f < RAND()", "INSERT INTO r (v, f) SELECT UUID(), RAND() FROM rk",
    "INSERT INTO r (v) VALUES (CONCAT(f, UUID()))"])
def test_copies_have_what_the_engine_computed(tables, sql):
    tables.run("INSERT INTO rk VALUES ('a', 1), ('b', 2)")
    tables.run("INSERT INTO r (v, f) VALUES ('x', 0.3), ('y', 0.6), ('z', 0.9)")
    tables.run(sql)
    rows = copies(tables, "SELECT * FROM r ORDER BY id")
    assert sql.startswith("DELETE") or len({r[1] for r in rows}) == len(rows)


@pytest.mark.parametrize("sql", [
    "INSERT INTO r (v) VALUES (1) ON DUPLICATE KEY UPDATE v = UUID()"])
def test_what_cannot_be_computed_once(tables, sql):
    answer = testbed.Answer(tables.connections[0], sql)
    assert answer.error[0] == 1235 and "reference" in answer.error[1], answer
    assert copies(tables, "SELECT COUNT(*) FROM r") == ((0,),)


def test_errors_of_the_values(tables):
    for sql in ("INSERT INTO rk VALUES (CONCAT(UUID(), NO_SUCH()), 1)",
                "INSERT INTO rk VALUES (RAND() + (SELECT 1 FROM nowhere), 1)",
                "INSERT INTO rk VALUES (RAND(), 'no number')",
                "INSERT INTO k VALUES (REPEAT('x', 30 + 31), 1)"):
        ours, theirs = (testbed.Answer(c, sql) for c in tables.connections)
        assert ours.error and theirs.error, (sql, ours, theirs)
    assert copies(tables, "SELECT COUNT(*) FROM rk") == ((0,),)


def test_computed_keys(tables):
    tables.run("INSERT INTO t (id, n) VALUES (1 + 1, 2), (10 * 10, 3), (-(-7), 4), (ABS(-9), 5)")
    tables.run("INSERT INTO k VALUES (CONCAT('a', 'b'), 1), (UPPER('x'), 2), (LEFT('word', 2), 3)")
    tables.run("INSERT INTO a VALUES (1000 + 1, 5)")
    tables.compare("SELECT id, n FROM t ORDER BY id")
    tables.compare("SELECT * FROM k ORDER BY k")
    for key in 2, 100, 7, 9:
        tables.compare(f"SELECT n FROM t WHERE id = {key}")
    for key in "ab", "X", "wo":
        tables.compare(f"SELECT n FROM k WHERE k = '{key}'")
    tables.run("INSERT INTO a (n) VALUES (7)")
    for c in tables.connections:
        assert testbed.Answer(c, "INSERT INTO t (id, n) VALUES (LAST_INSERT_ID(), 8)").error is None
        assert testbed.Answer(c, "SELECT n FROM t WHERE id = LAST_INSERT_ID()").rows == [(8,)]
        assert testbed.Answer(c, "INSERT INTO k VALUES (UUID(), 9)").error is None
        key = testbed.Answer(c, "SELECT k FROM k WHERE n = 9").rows[0][0]
        assert testbed.Answer(c, f"SELECT n FROM k WHERE k = '{key}'").rows == [(9,)]
    tables.compare("INSERT INTO t (id) VALUES (1 + 1)")
    tables.compare("INSERT INTO t (id) VALUES (NULLIF(1, 1))")
    tables.compare("INSERT IGNORE INTO t (id, n) VALUES (1 + 1, 3), (2 + 1, 3)")
    tables.compare("REPLACE INTO t (id, n) VALUES (1 + 1, 3)")
    tables.compare("SELECT COUNT(*), SUM(n) FROM t")
    tables.compare("SELECT ROW_COUNT()")


def test_moment_of_a_computed_key(tables):
    tables.run("INSERT INTO k VALUES (NOW(6), 1)")
    tables.run("INSERT INTO t (id, at) VALUES (UNIX_TIMESTAMP() * 1000, NOW(6))")
    assert one(tables, "SELECT id DIV 1000 = FLOOR(UNIX_TIMESTAMP(at)) FROM t") == (1,)


def test_by_name_and_by_number(tables):
    tables.run("PREPARE s FROM 'INSERT INTO r (v, f, at) VALUES (?, RAND(), ?)'")
    tables.run("EXECUTE s USING 'named', '2024-01-01'")
    tables.run("PREPARE s FROM 'INSERT INTO t (id, n) VALUES (5 + 5, ?)'")
    tables.run("EXECUTE s USING 3")
    tables.compare("SELECT id, n FROM t")
    with tables.cluster.connect(db=tables.db) as c, c.cursor() as cursor:
        cursor.execute("SELECT 1")
    import rawclient
    with rawclient.RawClient(tables.cluster.port) as c:
        c.login(db=tables.db)
        statement = c.prepare("INSERT INTO r (v, f) VALUES (?, RAND())")[0]
        for i in range(3):
            c.execute(statement, [f"number {i}"])
        statement = c.prepare("INSERT INTO t (id, n) VALUES (20 + 1, ?), (22, ?)")[0]
        c.execute(statement, [7, 8])
    rows = copies(tables, "SELECT v, f FROM r ORDER BY id")
    assert [r[0] for r in rows] == ["named", "number 0", "number 1", "number 2"]
    assert len({r[1] for r in rows}) == 4
    assert testbed.Answer(tables.connections[0], "SELECT id, n FROM t ORDER BY id").rows == [
        (10, 3), (21, 7), (22, 8)]


def test_in_a_transaction(tables):
    tables.run("START TRANSACTION")
    tables.run("INSERT INTO r (v) VALUES (UUID())")
    tables.run("INSERT INTO t (id, n) VALUES (3 * 3, 1), (4 * 4, 1)")
    tables.run("ROLLBACK")
    tables.compare("SELECT COUNT(*) FROM t")
    assert copies(tables, "SELECT COUNT(*) FROM r") == ((0,),)


@pytest.mark.parametrize("sql", [
    "CREATE TABLE rd (id INT PRIMARY KEY, u CHAR(36) DEFAULT (UUID())) COMMENT "
    "'shardd: reference'",
    "ALTER TABLE r ADD COLUMN u CHAR(36) DEFAULT (CONCAT('a', UUID()))",
    "ALTER TABLE r ALTER f SET DEFAULT (RAND())"])
def test_defaults_that_vary_are_not_for_copies(tables, sql):
    answer = testbed.Answer(tables.connections[0], sql)
    assert answer.error[0] == 1235 and "default for the column" in answer.error[1], answer
    tables.run("INSERT INTO r (v) VALUES ('x')")
    copies(tables, "SELECT * FROM r")
