"""test_triggers.py - triggers of sharded tables that use their own row alone: they are on every
shard, and fire for every row that is written as on one server, once; every other one is refused."""
import contextlib
import os
import signal
import tempfile
import threading

import pymysql
import pytest

import testbed

DB = "trg"
KEY = "COMMENT 'shardd: key(id)'"
SETUP = [
    f"CREATE TABLE t (id INT PRIMARY KEY, n INT, w VARCHAR(20) NOT NULL, fired INT DEFAULT 0,"
    f" at DATETIME(6), twice INT AS (n * 2)) {KEY}",
    f"CREATE TABLE u (id INT AUTO_INCREMENT PRIMARY KEY, n INT, fired INT DEFAULT 0) {KEY}",
    "CREATE TABLE v (a INT, b INT, fired INT DEFAULT 0, PRIMARY KEY (a, b))"
    " COMMENT 'shardd: key(a)'",
    "CREATE TABLE plain (id INT PRIMARY KEY, n INT) COMMENT 'shardd: key(id)'",
    "INSERT INTO plain VALUES " + ",".join(f"({i}, {i % 5})" for i in range(1, 30)),
    "CREATE VIEW seen AS SELECT id, n, w, fired FROM t",
]
TRIGGERS = [
    "CREATE TRIGGER t1 BEFORE INSERT ON t FOR EACH ROW BEGIN DECLARE x INT DEFAULT 1;"
    " IF NEW.n = 13 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not 13'; END IF;"
    " SET x = x + COALESCE(NEW.n, 0), NEW.fired = NEW.fired + 1;"
    " IF NEW.w IS NULL THEN SET NEW.w = CONCAT('w', x, NEW.id); END IF; SET NEW.at = NOW(6); END",
    "CREATE TRIGGER trg.t2 BEFORE UPDATE ON trg.t FOR EACH ROW SET NEW.fired = OLD.fired + 10,"
    " NEW.at = OLD.at",
    "CREATE TRIGGER t3 AFTER UPDATE ON t FOR EACH ROW IF NEW.n = 77 THEN SIGNAL SQLSTATE '45000'"
    " SET MESSAGE_TEXT = 'never 77'; END IF",
    "CREATE TRIGGER t4 BEFORE DELETE ON t FOR EACH ROW IF OLD.n = 5 THEN SIGNAL SQLSTATE '45000'"
    " SET MESSAGE_TEXT = 'five stays'; END IF",
    "/*!50003 CREATE*/ /*!50017 DEFINER=`app`@`%`*/ /*!50003 TRIGGER t5"
    " BEFORE UPDATE ON t FOR EACH ROW PRECEDES t2 SET NEW.w = UPPER(NEW.w) */",
    "CREATE TRIGGER t6 BEFORE UPDATE ON t FOR EACH ROW FOLLOWS t5"
    " SET NEW.w = CONCAT(NEW.w, 'x')",
    "CREATE TRIGGER u1 BEFORE INSERT ON u FOR EACH ROW SET NEW.fired = 1 + IF(NEW.n > 3, 1, 0)",
    "CREATE TRIGGER v1 BEFORE INSERT ON v FOR EACH ROW SET NEW.fired = NEW.fired + 1",
    "CREATE TRIGGER v2 BEFORE UPDATE ON v FOR EACH ROW SET NEW.fired = NEW.fired + 100,"
    " NEW.b = NEW.b",
]
T = "INSERT INTO t (id, n, w) VALUES "
WRITES = [
    T + "(1, 1, 'a'), (2, 2, NULL), (3, NULL, 'c'), (4, 4, 'd'), (5, 5, 'e'), (6, 6, 'f')",
    "SELECT COUNT(DISTINCT at) FROM t", T + "(7, 13, 'x')", T + "(7, 7, 'x'), (8, 13, 'y')",
    T + "(1, 1, 'again')", "INSERT IGNORE INTO t (id, n, w) VALUES (1, 9, 'z'), (9, 9, 'z')",
    "INSERT IGNORE INTO t (id, n, w) VALUES (30, 13, 'z'), (31, 1, 'z')",
    T + "(1, 3, 'o'), (10, 3, 'o') ON DUPLICATE KEY UPDATE n = VALUES(n), w = 'dup'",
    "REPLACE INTO t (id, n, w) VALUES (2, 22, 'r'), (11, 11, 'r')",
    T + "(12, 1, NULL) RETURNING *",
    "REPLACE INTO t (id, n, w) VALUES (5, 1, 'r')",
    "UPDATE t SET n = n + 1 WHERE n < 5", "UPDATE t SET n = n", "UPDATE t SET n = 77 WHERE id = 3",
    "UPDATE t SET n = 77", "UPDATE t SET w = 'q' WHERE id IN (1, 2, 6)",
    "DELETE FROM t WHERE id = 5",
    "DELETE FROM t WHERE id > 9", "DELETE FROM t",
    "INSERT INTO seen (id, n, w) VALUES (20, 1, 'v')",
    "UPDATE seen SET n = n + 1 WHERE id = 20", "UPDATE seen SET n = 3",
    "DELETE FROM seen WHERE n = 99",
    "INSERT INTO t (id, n, w) SELECT id, n, 'sel' FROM plain WHERE id = 26",
    "INSERT INTO t (id, n, w) SELECT id, n, 'sel' FROM plain WHERE id > 26",
    "UPDATE t JOIN plain ON plain.id = t.id SET t.n = plain.n + 20",
    "DELETE t FROM t JOIN plain USING (id) WHERE t.id = 27",
    "UPDATE t SET n = 2 WHERE id = 1 ORDER BY id LIMIT 1", "DELETE FROM t WHERE id = 1 LIMIT 1",
    "INSERT INTO u (n) VALUES (1), (5), (9)", "SELECT LAST_INSERT_ID()",
    "INSERT INTO u VALUES (50, 4, 7)", "INSERT INTO v (a, b) VALUES (1, 1), (2, 1), (3, 1)",
    "INSERT INTO v (a, b) VALUES (1, 1), (9, 1) ON DUPLICATE KEY UPDATE b = b + 1",
    "UPDATE v SET b = b + 1", "DELETE FROM v WHERE b = 2", "TRUNCATE v",
    "PREPARE p FROM 'INSERT INTO t (id, n, w) VALUES (?, ?, NULL)'",
    "SET @a = 101, @b = 13, @c = 1",
    "EXECUTE p USING @a, @b", "EXECUTE p USING @a, @c", "SELECT id, twice FROM t ORDER BY id",
    "SELECT TRIGGER_NAME, EVENT_MANIPULATION, EVENT_OBJECT_TABLE, ACTION_TIMING, ACTION_ORDER,"
    " ACTION_STATEMENT, SQL_MODE FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = 'trg'"
    " ORDER BY 1",
]
FOUND_ELSEWHERE = [
    "UPDATE t SET id = id + 1000", "UPDATE t SET n = 1 ORDER BY n LIMIT 2",
    "DELETE FROM t ORDER BY n LIMIT 1", "UPDATE t SET n = (SELECT MAX(n) FROM plain)",
    "INSERT INTO t (id, n, w) SELECT id + 500, n, 'x' FROM plain",
    "INSERT INTO t (id, n, w) VALUES ((SELECT MAX(id) + 7 FROM plain), 1, 'x')",
    "DELETE t FROM t JOIN plain ON plain.n = t.n", "UPDATE seen SET id = id + 1 WHERE n = 3",
]
HEAD = "CREATE TRIGGER bad BEFORE INSERT ON {} FOR EACH ROW "
REFUSED = [
    ("t", "SET NEW.id = 5", "the key"), ("u", "SET NEW.id = 5", "the key"),
    ("t", "SET NEW.n = 1, NEW.`ID` = 5", "the key"),
    ("u", "SET NEW.n = NEW.id", "one server has 0"),
    ("t", "SET `NEW`.id = 4", "the key"), ("t", "SET @a = NEW.n", "variables"),
    ("t", "SET NEW.n = @a", "variables"), ("t", "SET NEW.n = @@max_heap_table_size", "variables"),
    ("t", "SET NEW.n = LAST_INSERT_ID()", "variables"), ("t", "SET NEW.n = RAND()", "depends on"),
    ("t", "SET sql_mode = ''", "variables"), ("t", "SET NEW.n = CONNECTION_ID()", "CONNECTION_ID"),
    ("t", "INSERT INTO plain VALUES (NEW.id, 1)", "reads tables"),
    ("t", "SET NEW.n = (SELECT MAX(n) FROM plain)", "reads tables"),
    ("t", "BEGIN DECLARE session INT; SET session sql_mode = ''; END", "variables"),
    ("t", "BEGIN SELECT 5 INTO NEW.id; END", "reads tables"),
    ("t", "CALL p(NEW.id)", "reads tables"),
    ("t", "KILL 1", "defines"), ("t", "BEGIN /*!100100 SET NEW.n = 1; */ END", "cannot be read"),
    ("t", "SET NEW.n = own(1)", "calls other"),
]


@pytest.fixture(scope="module")
def pair(gathering, plain):
    gathering.sql(f"CREATE DATABASE {DB}", db=None)
    plain.sql(f"CREATE DATABASE {DB}")
    both = testbed.Both(gathering, plain, DB)
    for sql in SETUP:
        both.run(sql)
    yield both
    both.close()
    plain.sql(f"DROP DATABASE {DB}")
    gathering.sql(f"DROP DATABASE {DB}", db=None)


def answer(connection, sql):
    with connection.cursor() as c:
        try:
            c.execute(sql)
            rows = sorted(c.fetchall(), key=repr)
            if sql == "SHOW WARNINGS":  # "At line 1 in ...": not told of several shards' errors
                rows = [r for r in rows if r[1] != 4094]
                return (rows, len(rows))
            return (rows, c.rowcount)
        except pymysql.err.MySQLError as e:
            return e.args


def same(both, sql):
    one, other = (answer(c, sql) for c in both.connections)
    if "*" not in sql:
        assert one == other, sql
    return one


def compare(both, sql):
    one = same(both, sql)
    same(both, "SHOW WARNINGS")
    for table in ("t", "u", "v"):
        columns = "id, n, w, fired, at IS NULL" if table == "t" else "*"
        one, other = (answer(c, f"SELECT {columns} FROM {table} ORDER BY 1, 2")
                      for c in both.connections)
        assert one == other, sql


def load(both):
    with tempfile.NamedTemporaryFile("w") as file:
        file.write("".join(f"{i}\t{i % 7}\n" for i in range(601, 640)))
        file.flush()
        connections = (both.cluster.connect(db=DB, local_infile=True),
                       both.plain.connect(db=DB, local_infile=True))
        for c in connections:
            assert answer(c, f"LOAD DATA LOCAL INFILE '{file.name}' INTO TABLE t (id, n)"
                          " SET w = 'loaded'")[1] == 39
            c.commit()
            c.close()
    compare(both, "SELECT COUNT(*), SUM(fired), COUNT(DISTINCT at) FROM t WHERE w = 'loaded'")


def test_they_fire_as_on_one_server(pair):
    for sql in TRIGGERS:
        assert same(pair, sql)[0] == [], sql
    for sql in WRITES:
        compare(pair, sql)
    load(pair)
    assert pair.cluster.ctl("fsck")["ok"]
    shardd = pair.connections[0]
    for sql in FOUND_ELSEWHERE:
        assert answer(shardd, sql)[0] == 1235, sql
        assert "trigger" in answer(shardd, sql)[1] or "seen" in sql, sql


def test_others_are_refused(pair):
    shardd = pair.connections[0]
    for table, body, why in REFUSED:
        got = answer(shardd, HEAD.format(table) + body)
        assert got[0] == 1235 and why in got[1], (body, got)
    for name in ("shardd lookup 1", "Sh\u00e4rdd LOOKUP x"):
        got = answer(shardd, HEAD.format("t").replace("bad", f"`{name}`") + "SET NEW.n = 1")
        assert got[0] == 1235 and "own" in got[1], got
    for sql in ("ALTER TABLE t DROP COLUMN n", "ALTER TABLE t CHANGE n m INT",
                "ALTER TABLE t COMMENT 'shardd: global'"):
        assert answer(shardd, sql)[0] == 1235 and "triggers" in answer(shardd, sql)[1], sql
    assert answer(shardd, "CREATE TRIGGER nope BEFORE INSERT ON t FOR EACH ROW SET NEW.none = 1"
                  ) == answer(pair.connections[1], "CREATE TRIGGER nope BEFORE INSERT ON t FOR EACH"
                              " ROW SET NEW.none = 1")


def test_replaced_renamed_and_dropped(pair):
    for sql in ("CREATE TRIGGER t1 AFTER INSERT ON t FOR EACH ROW SET NEW.n = 1",
                "CREATE TRIGGER t1 BEFORE INSERT ON t FOR EACH ROW SET NEW.n = 1",
                "CREATE TRIGGER IF NOT EXISTS t1 BEFORE INSERT ON t FOR EACH ROW SET NEW.n = 1",
                "CREATE OR REPLACE TRIGGER t1 BEFORE INSERT ON t FOR EACH ROW"
                " SET NEW.fired = 5, NEW.w = 'replaced'", T + "(201, 1, NULL), (202, 13, 'x')",
                "ALTER TABLE t ADD COLUMN more INT", "CREATE INDEX n ON t (n)", T + "(203, 1, 'y')",
                "SET sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT', NAMES latin1",
                "CREATE OR REPLACE TRIGGER t1 BEFORE INSERT ON t FOR EACH ROW"
                " SET NEW.\"w\" = 'a' || NEW.n", "SET sql_mode = DEFAULT, NAMES utf8mb4",
                T + "(204, 1, 'y'), (205, 2, 'y')",
                "DROP TRIGGER t4", "DROP TRIGGER t4", "DROP TRIGGER IF EXISTS t4", "DELETE FROM t"
                " WHERE n = 5", "RENAME TABLE t TO t9"):
        same(pair, sql)
    same(pair, "INSERT INTO t9 (id, n, w) VALUES (301, 1, 'y'), (302, 2, 'y'), (303, 3, 'y')")
    same(pair, "SELECT id, n, w, fired FROM t9 ORDER BY id")
    for sql in ("RENAME TABLE t9 TO t", "CREATE TABLE T (id INT) COMMENT 'shardd: global'",
                "CREATE TRIGGER T1 BEFORE INSERT ON T FOR EACH ROW SET NEW.id = 4",
                "INSERT INTO T VALUES (1)", "SELECT * FROM T",
                "DROP TRIGGER t1", "SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE FROM"
                " information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = 'trg'", "DROP TABLE T",
                "DROP TRIGGER t2", "DROP TRIGGER t3",
                "DROP TRIGGER t5", "DROP TRIGGER t6", T + "(401, 13, 'y'), (402, 1, 'z')",
                "UPDATE t SET n = 77", "UPDATE t SET id = id + 5000",
                "SELECT n, w FROM t ORDER BY id",
                "SHOW TRIGGERS LIKE 't'", "DROP TABLE u", "SHOW TRIGGERS LIKE 'u'"):
        same(pair, sql)
    assert pair.cluster.ctl("fsck")["ok"]


def test_every_statement_meets_one_of_them_on_all_shards(pair):
    """While triggers come and go, a statement's rows have all met the same."""
    c = pair.cluster
    c.sql(f"CREATE TABLE w (id INT PRIMARY KEY, s INT, fired INT DEFAULT 0) {KEY}", db=DB)
    stop, failures, n = threading.Event(), [], [0]

    def write():
        connection = c.connect(db=DB)
        while not stop.is_set():
            n[0] += 1
            first = n[0] * 10
            got = answer(connection, "INSERT INTO w (id, s) VALUES " +
                         ",".join(f"({first + i}, {n[0]})" for i in range(8)))
            if got[1] != 8:
                failures.append(got)
        connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for i in range(6):
            c.sql(f"CREATE TRIGGER w1 BEFORE INSERT ON w FOR EACH ROW SET NEW.fired = {i + 1}",
                  db=DB)
            at = n[0]
            testbed.wait_for("some writes", lambda: n[0] > at + 3)
            c.sql("DROP TRIGGER w1", db=DB)
    finally:
        stop.set()
        writer.join()
    assert failures == []
    assert c.sql("SELECT s FROM w GROUP BY s HAVING COUNT(DISTINCT fired) > 1", db=DB) == ()
    assert len(c.sql("SELECT DISTINCT fired FROM w", db=DB)) >= 6
    c.sql("DROP TABLE w", db=DB)


@pytest.mark.long
def test_a_shard_that_dies_meanwhile(new_cluster):
    """Nobody writes while shards may have different ones, and the same statement mends that."""
    c = new_cluster()
    c.sql(f"CREATE TABLE t (id INT PRIMARY KEY, n INT) {KEY}")
    make = "CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.n = 7"
    home, other = c.shard_list()[:2]
    got = []
    with contextlib.closing(c.shard_connect(other)) as lock:
        lock.cursor().execute("LOCK TABLES app.t READ")
        maker = threading.Thread(target=lambda: got.append(answer(c.connect(), make)))
        maker.start()
        testbed.wait_for("it to be at home", lambda: c.on_shard(home, "SHOW TRIGGERS", "app"))
        testbed.wait_for("it to wait", lambda: "Waiting for table metadata lock" in str(
            c.on_shard(other, "SHOW PROCESSLIST")))
        os.kill(other["pid"], signal.SIGKILL)
        maker.join()
    assert len(got[0]) == 2 and isinstance(got[0][0], int) and got[0][0] != 0, got
    testbed.wait_for("the shard", lambda: answer(c.connect(), "SELECT COUNT(*) FROM t")
                     == ([(0,)], 1))
    written = answer(c.connect(), "INSERT INTO t (id, n) VALUES (1, 1), (2, 2), (3, 3), (4, 4)")
    assert written[0] == 1235 and "repeat" in written[1], written
    assert answer(c.connect(), make) == ([], 0)
    c.sql("INSERT INTO t (id, n) VALUES (1, 1), (2, 2), (3, 3), (4, 4)")
    assert c.sql("SELECT DISTINCT n FROM t") == ((7,),)
    c.sql("DROP TRIGGER tr")
