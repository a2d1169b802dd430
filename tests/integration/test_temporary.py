"""test_temporary.py - a session's temporary tables beside sharded tables: read together, written
from one another, made from rows of several shards; as on one server."""
import struct

import pytest

import testbed
from rawclient import RawClient, read_lenenc

DB = "temporary"
TABLES = [
    "CREATE TABLE s (id INT PRIMARY KEY, n INT, v VARCHAR(20) CHARACTER SET latin1,"
    " d DECIMAL(10,3), ts TIMESTAMP(3) NULL, e ENUM('a','b'), b VARBINARY(9), f FLOAT, bi BIT(9),"
    " t TEXT, u BIGINT UNSIGNED, y YEAR)",
    "CREATE TABLE a (id INT AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL)",
    "CREATE TABLE g (n INT, v VARCHAR(20))",
    "CREATE TABLE r (id INT PRIMARY KEY, n INT) COMMENT 'shardd: reference'",
]
ROWS = [
    "INSERT INTO s VALUES " + ",".join(
        f"({i},{i * 10},'v{i}',{i}.5,'2020-01-0{i} 10:00:00.123','a',x'0{i}ff',{i}.1,{i},'té{i}',"
        f"18446744073709551615,{2000 + i})" for i in range(1, 9)),
    "INSERT INTO s (id) VALUES (50)", "INSERT INTO a VALUES (1,1),(2,2)",
    "INSERT INTO g VALUES (1,'x'),(20,'z')", "INSERT INTO r VALUES (1,1),(2,2)",
]
SESSION = [
    "CREATE TEMPORARY TABLE tmp (id INT PRIMARY KEY, m INT)",
    "INSERT INTO tmp VALUES (2,200),(5,500),(7,700),(20,2000)",
    "CREATE TEMPORARY TABLE plain (k VARCHAR(20), m INT)",
    "INSERT INTO plain VALUES ('V2',2),('v3 ',3),(NULL,NULL)",
]
LOOK = ["SELECT * FROM s ORDER BY id", "SELECT n FROM a ORDER BY id",
        "SELECT * FROM g ORDER BY n, v", "SELECT * FROM r ORDER BY id",
        "SELECT * FROM tmp ORDER BY id", "SELECT * FROM plain ORDER BY k, m",
        "SELECT * FROM x ORDER BY 1", "SHOW CREATE TABLE x"]

READS = [
    "SELECT s.id, s.n, tmp.m FROM s JOIN tmp ON s.id = tmp.id ORDER BY 1",
    "SELECT tmp.id, s.n FROM tmp LEFT JOIN s USING (id) ORDER BY 1",
    "SELECT s.id, tmp.m FROM s JOIN tmp ON s.id = tmp.id WHERE s.id = 7",
    "SELECT id FROM s WHERE id NOT IN (SELECT id FROM tmp) ORDER BY id",
    "SELECT id FROM s WHERE v IN (SELECT k FROM plain) ORDER BY id",
    "SELECT s.id, k FROM s JOIN plain ON s.v = k ORDER BY 1",
    "SELECT id FROM s WHERE id > 6 UNION SELECT id FROM tmp ORDER BY id",
    "SELECT (SELECT MAX(m) FROM tmp), COUNT(*) FROM s",
    "SELECT a.id, b.id FROM tmp a JOIN s USING (id) JOIN tmp b ON b.m = s.n * 20 ORDER BY 1, 2",
    "WITH c AS (SELECT id FROM tmp) SELECT COUNT(*) FROM c JOIN s USING (id)",
    "SELECT id FROM s WHERE EXISTS (SELECT 1 FROM tmp WHERE tmp.id = s.id) ORDER BY 1 FOR UPDATE",
    "SELECT missing FROM s JOIN tmp USING (id)",
    "SELECT id FROM s JOIN tmp ON s.id = tmp.id",
]
WRITES = [
    "INSERT INTO s (id, n) SELECT id, m FROM tmp WHERE id >= 20",
    "INSERT INTO s (id, n) SELECT id, m FROM tmp",
    "INSERT IGNORE INTO s (id, n) SELECT id, m FROM tmp ORDER BY id",
    "REPLACE INTO s (id, n) SELECT id, m FROM tmp",
    "INSERT INTO s (id, n) SELECT id, m FROM tmp ON DUPLICATE KEY UPDATE n = VALUES(n)",
    "INSERT INTO s (id, n) VALUES (60, (SELECT MAX(m) FROM tmp))",
    "INSERT INTO a (n) SELECT m FROM tmp ORDER BY id",
    "INSERT INTO a (n) SELECT m FROM plain ORDER BY m DESC",
    "INSERT INTO r SELECT id, m FROM tmp WHERE id > 2",
    "UPDATE s JOIN tmp USING (id) SET s.n = tmp.m, s.v = CONCAT(s.v, tmp.m)",
    "UPDATE s SET n = (SELECT m FROM tmp WHERE tmp.id = s.id) WHERE id < 8",
    "DELETE FROM s WHERE id IN (SELECT id FROM tmp)",
    "DELETE s FROM s JOIN plain ON s.v = plain.k",
    "INSERT INTO tmp SELECT id + 50, n FROM s",
    "INSERT INTO tmp SELECT id, n FROM s ORDER BY id",
    "REPLACE INTO tmp SELECT id, n FROM s ORDER BY id",
    "INSERT INTO plain SELECT v, n FROM s JOIN g USING (n)",
    "UPDATE tmp JOIN s USING (id) SET tmp.m = s.n",
    "UPDATE s JOIN tmp USING (id) SET s.n = 1, tmp.m = 2",
    "DELETE tmp FROM tmp JOIN s USING (id)",
    "DELETE s, tmp FROM s JOIN tmp USING (id)",
]
MAKES = [
    "CREATE TEMPORARY TABLE x SELECT * FROM s",
    "CREATE TEMPORARY TABLE x (PRIMARY KEY (id)) ENGINE=MEMORY AS SELECT id, n FROM s WHERE n > 30",
    "CREATE TEMPORARY TABLE x (id BIGINT PRIMARY KEY, z INT DEFAULT 4) SELECT id, v FROM s",
    "CREATE TEMPORARY TABLE x SELECT v, COUNT(*) c, SUM(d) FROM s GROUP BY v",
    "CREATE TEMPORARY TABLE x SELECT s.*, tmp.m FROM s JOIN tmp USING (id)",
    "CREATE TEMPORARY TABLE x WITH c AS (SELECT id FROM s WHERE id < 4) SELECT * FROM c",
    "CREATE TEMPORARY TABLE x SELECT id FROM s UNION ALL SELECT n FROM a ORDER BY 1 LIMIT 5",
    "CREATE TEMPORARY TABLE x (SELECT id FROM s WHERE id < 3)",
    "CREATE OR REPLACE TEMPORARY TABLE x SELECT id FROM s",
    "CREATE TEMPORARY TABLE x (UNIQUE (h)) IGNORE SELECT id DIV 2 AS h FROM s",
    "CREATE TEMPORARY TABLE x (UNIQUE (h)) SELECT 1 AS h FROM s",
    "CREATE TEMPORARY TABLE x SELECT id, 1/0 FROM s",
    "CREATE TEMPORARY TABLE IF NOT EXISTS plain SELECT id FROM s",
    "CREATE TEMPORARY TABLE plain SELECT id FROM s",
]


@pytest.fixture(scope="module")
def pair(cluster, plain):
    with testbed.both(cluster, plain, DB, TABLES) as made:
        yield made


@pytest.fixture
def both(pair):
    """New sessions, with rows as they were and temporary tables."""
    for table in ("s", "a", "g", "r"):
        pair.run(f"DELETE FROM {table}")
    for sql in ROWS:
        pair.run(sql)
    two = testbed.Both(pair.cluster, pair.plain, DB)
    for sql in SESSION:
        two.run(sql)
    yield two
    two.close()


def look(both):
    for sql in LOOK:
        both.compare(sql)


def test_reads(both):
    for begin in ("DO 0", "BEGIN", "ROLLBACK; SET autocommit = 0"):
        for sql in begin.split(";"):
            both.run(sql)
        for sql in READS:
            both.compare(sql)
    both.run("COMMIT")


@pytest.mark.parametrize("sql", WRITES + MAKES)
def test_writes(both, sql):
    """Alone and in a transaction that is rolled back: also what a statement leaves that fails."""
    both.run("BEGIN")
    both.run("UPDATE s SET n = n + 1 WHERE id IN (2, 3, 5)")
    both.compare(sql)
    look(both)
    both.run("ROLLBACK")
    look(both)
    if sql in MAKES:
        both.run("DROP TEMPORARY TABLE IF EXISTS x")
    both.compare(sql)
    both.compare("SELECT ROW_COUNT()")
    look(both)


def test_savepoints_and_read_only_transactions(both):
    for sql in ("BEGIN", "SAVEPOINT one", WRITES[9], WRITES[13], "ROLLBACK TO one", *LOOK,
                "COMMIT", *LOOK, "START TRANSACTION READ ONLY", WRITES[13], WRITES[9],
                READS[0], "COMMIT", *LOOK, "START TRANSACTION WITH CONSISTENT SNAPSHOT", READS[0],
                WRITES[15], "ROLLBACK", *LOOK):
        both.compare(sql)


def flags(client, *statements):
    """The status behind each."""
    for sql in statements:
        client.query(sql)
        _, at = read_lenenc(client.last, 1)
        _, at = read_lenenc(client.last, at)
        yield sql, struct.unpack_from("<H", client.last, at)[0]


def test_what_is_held_for_them_alone_has_no_part_in_a_transaction(both):
    """Behind one on several shards all of these are held; a routine ends the next one, of one."""
    for sql in ("DROP DATABASE IF EXISTS ends", "CREATE DATABASE ends",
                "CREATE TABLE ends.log (n INT)",
                "CREATE PROCEDURE ends.now() BEGIN INSERT INTO ends.log VALUES (1); COMMIT; END",
                "CREATE PROCEDURE ends.all() BEGIN COMMIT; SET autocommit = 1; END"):
        both.run(sql)
    seen = []
    for port in (both.cluster.port, both.plain.port):
        with RawClient(port) as client:
            client.login(db=DB)
            for sql in SESSION:
                client.query(sql)
            seen.append(list(flags(
                client, "BEGIN", "UPDATE s SET n = n + 1", "COMMIT", "BEGIN",
                "INSERT INTO ends.log VALUES (2)", "CALL ends.now()", f"USE {DB}", "ROLLBACK",
                "SET autocommit = 0", "INSERT INTO ends.log VALUES (3)", "CALL ends.all()",
                f"USE {DB}", "BEGIN", "UPDATE s SET n = n + 1", "SET autocommit = 0",
                *(f"UPDATE s SET n = 5 WHERE id = {i}" for i in range(5)), "ROLLBACK")))
    assert seen[0] == seen[1]
    both.compare("SELECT * FROM ends.log ORDER BY n")
    both.run("DROP DATABASE ends")


def test_a_session_becomes_read_only_behind_a_beginning(both):
    """On shards too that the transaction comes to later."""
    for sql in ("BEGIN", "UPDATE s SET n = 1 WHERE id = 1",
                "SET SESSION TRANSACTION READ ONLY", "UPDATE s SET n = n + 1",
                "UPDATE s JOIN tmp USING (id) SET n = m", "COMMIT",
                "UPDATE s SET n = 3", "SET SESSION TRANSACTION READ WRITE",
                "SELECT id, n FROM s ORDER BY id", "SET SESSION TRANSACTION READ ONLY", "BEGIN",
                "SET SESSION TRANSACTION READ WRITE", "SELECT COUNT(*) FROM s",
                "UPDATE s SET n = 4", "ROLLBACK", "UPDATE s SET n = 5"):
        both.compare(sql)


def test_a_table_changes_and_goes(both):
    for sql in ("ALTER TABLE tmp ADD COLUMN more INT DEFAULT 5",
                "SELECT s.id, tmp.more FROM s JOIN tmp USING (id) ORDER BY 1",
                "DROP TEMPORARY TABLE tmp", READS[0]):
        both.compare(sql)


def test_prepared(both):
    """By the binary protocol, each twice."""
    answers = []
    for port in (both.cluster.port, both.plain.port):
        with RawClient(port) as client:
            client.login(db=DB)
            for sql in SESSION:
                client.query(sql)
            answers.append([])
            for sql, values in (
                    ("SELECT s.id, m FROM s JOIN tmp USING (id) WHERE m > ? ORDER BY 1", (300,)),
                    ("UPDATE s JOIN tmp USING (id) SET s.n = tmp.m + ?", (1,)),
                    ("INSERT IGNORE INTO tmp SELECT id + ?, n FROM s ORDER BY id", (100,)),
                    ("CREATE OR REPLACE TEMPORARY TABLE y SELECT id, ? c FROM s WHERE id < ?",
                     ("x", 5)),
                    ("SELECT COUNT(*) FROM y JOIN s USING (id)", ()),
                    ("DELETE FROM s WHERE id IN (SELECT id FROM y WHERE id > ?)", (2,)),
                    ("SELECT id, n FROM s ORDER BY id", ())):
                statement, params, _ = client.prepare(sql)
                for _ in range(2):
                    columns, rows = client.execute(statement, values)
                    answers[-1].append((sql, len(params), rows if columns else rows[:3]))
    assert answers[0] == answers[1]
