"""test_every_kind.py - statements of kinds that sharding systems are known to refuse, over several
shards: each has the answer, or the error, of one server."""
import pytest

import testbed

DB = "kinds"
SETUP = [
    "CREATE TABLE t (id INT PRIMARY KEY, n INT DEFAULT 7, w VARCHAR(20) DEFAULT 'd', j JSON)"
    " COMMENT 'shardd: key(id)'",
    "CREATE TABLE u (a INT, b INT, c INT DEFAULT (b * 10), PRIMARY KEY (a, b))"
    " COMMENT 'shardd: key(a)'",
    "CREATE TABLE auto (id INT AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL,"
    " e ENUM('x','y') DEFAULT 'y', b BIT(9) DEFAULT b'101', at DATETIME DEFAULT '2020-01-01')"
    " COMMENT 'shardd: key(id)'",
    "CREATE TABLE ref (id INT PRIMARY KEY, n INT DEFAULT 3) COMMENT 'shardd: reference'",
    "CREATE TABLE glo (id INT PRIMARY KEY, n INT) COMMENT 'shardd: global'",
    "INSERT INTO t VALUES " + ",".join(
        f"""({i}, {i % 6}, 'w{i % 4}', '{{"a": [{i}, {i % 3}]}}')""" for i in range(1, 25)),
    "INSERT INTO u (a, b) VALUES " + ",".join(f"({i % 9}, {i})" for i in range(30)),
    "INSERT INTO auto (id, n) VALUES (1, 1), (2, 2), (3, 3), (4, 4)",
    "INSERT INTO ref VALUES (1, 1), (2, 2), (3, NULL)",
    "INSERT INTO glo VALUES (1, 1), (2, 4), (9, 9)",
]
STATEMENTS = [
    # Tables that every server makes up.
    "SELECT t.id, s.seq FROM t JOIN seq_1_to_9_step_2 s ON s.seq = t.id ORDER BY 1",
    "SELECT seq, COUNT(t.id) FROM seq_1_to_5 LEFT JOIN t ON t.n >= seq GROUP BY seq ORDER BY seq",
    "SELECT seq, (SELECT COUNT(*) FROM t WHERE id < seq) FROM seq_1_to_4 ORDER BY 1",
    "SELECT SUM(seq) FROM seq_1_to_5 WHERE seq IN (SELECT n FROM t)",
    "SELECT s.seq, t.id FROM seq_1_to_3 s LEFT JOIN t ON t.id = s.seq AND t.n > 2"
    " WHERE s.seq < 3 OR t.id IS NULL ORDER BY 1",
    "SELECT id FROM t WHERE EXISTS (SELECT 1 FROM seq_2_to_3 WHERE seq = t.id) ORDER BY id",
    "SELECT seq FROM seq_9_to_1 WHERE seq NOT IN (SELECT a FROM u) ORDER BY seq",
    "SELECT glo.id, seq, t.id FROM glo JOIN seq_1_to_3 ON seq = glo.id JOIN t ON t.n = seq"
    " ORDER BY 1, 2, 3",
    "SELECT x.seq FROM kinds.seq_1_to_2 x UNION SELECT id FROM t ORDER BY 1",
    "SELECT nosuch FROM seq_1_to_3, t", "SELECT 1 FROM t, SEQ_1_TO_3", "SELECT 1 FROM t, seq_1_to_",
    "INSERT INTO t (id) SELECT seq + 100 FROM seq_1_to_5", "INSERT INTO seq_1_to_3 VALUES (1)",
    "UPDATE t JOIN seq_1_to_3 ON id = seq SET n = 40", "UPDATE seq_1_to_3 SET seq = 1",
    "DELETE FROM t WHERE id IN (SELECT seq + 10 FROM seq_1_to_3)", "DELETE FROM seq_1_to_3",
    "REPLACE INTO t (id, n) SELECT seq, seq * 2 FROM seq_1_to_3",
    # DEFAULT(column)
    "SELECT t.id, DEFAULT(t.n), DEFAULT(w) FROM t JOIN u ON t.n = u.b ORDER BY 1",
    "SELECT u.a, u.b, DEFAULT(u.c) FROM u JOIN t ON t.n = u.b ORDER BY 1, 2",
    "SELECT a.id, DEFAULT(a.id), DEFAULT(a.e), DEFAULT(a.b), DEFAULT(at) FROM auto a JOIN t"
    " ON t.n = a.n ORDER BY 1",
    "SELECT a.id, DEFAULT(a.n) FROM auto a JOIN t ON t.n = a.n",
    "SELECT u.a, (SELECT DEFAULT(u.c) + MAX(t.n) FROM t WHERE t.n > u.b) FROM u ORDER BY 1, 2",
    "SELECT t.id FROM t JOIN u ON t.n = u.b WHERE t.n < DEFAULT(t.n) GROUP BY DEFAULT(t.n), t.id"
    " ORDER BY DEFAULT(u.c) IS NULL, t.id",
    "SELECT t.id, DEFAULT(x.n) FROM t LEFT JOIN t x ON x.id = t.n + 1 ORDER BY 1",
    "INSERT INTO t VALUES (100, DEFAULT(n) + 1, DEFAULT, NULL), (101, 2 * DEFAULT(n), w, DEFAULT)",
    "UPDATE t JOIN u ON t.n = u.b + 2 SET t.n = DEFAULT(t.n) + u.a, t.w = DEFAULT(w)",
    "DELETE t FROM t JOIN u ON t.n = u.b WHERE DEFAULT(t.n) = 7",
    # FOR UPDATE behind a UNION is about its last SELECT.
    "SELECT id FROM t UNION SELECT b FROM u FOR UPDATE",
    "SELECT id FROM t UNION ALL SELECT a FROM u ORDER BY 1 LIMIT 7 LOCK IN SHARE MODE",
    "(SELECT id FROM t FOR UPDATE) UNION (SELECT a FROM u LOCK IN SHARE MODE)",
    "(SELECT id FROM t) UNION (SELECT a FROM u) FOR UPDATE",
    "SELECT id FROM t UNION (SELECT a FROM u) FOR UPDATE",
    # What MariaDB has not, or only some of.
    "SELECT t.id, x.m FROM t, LATERAL (SELECT MAX(b) AS m FROM u WHERE u.a = t.n) x",
    "TABLE t", "SELECT * FROM t ORDER BY id LIMIT 3 OFFSET 2 ROWS",
    "SELECT id FROM t ORDER BY n, id FETCH FIRST 3 ROWS ONLY",
    "SELECT id FROM t ORDER BY id DESC FETCH FIRST ROW ONLY",
    "SELECT id FROM t ORDER BY id OFFSET 4 ROWS", "SELECT COUNT(*) FROM t OFFSET 1 ROW",
    "SELECT n, COUNT(*) FROM t GROUP BY n ORDER BY n OFFSET 2 ROWS",
    "SELECT DISTINCT w FROM t ORDER BY w OFFSET 1 ROW FETCH NEXT ROW ONLY",
    "SELECT SQL_CALC_FOUND_ROWS id FROM t ORDER BY id OFFSET 21 ROWS", "SELECT FOUND_ROWS()",
    "SELECT id, n FROM t ORDER BY n FETCH FIRST 3 ROWS WITH TIES",
    "SELECT t.id FROM t INTERSECT ALL SELECT a FROM u ORDER BY 1",
    "SELECT n FROM t EXCEPT ALL SELECT a FROM u ORDER BY 1",
    "VALUES (1, 2), (3, 4) UNION SELECT a, b FROM u ORDER BY 1, 2",
    "WITH x AS (SELECT id FROM t WHERE n = 2) UPDATE t SET n = 9 WHERE id IN (SELECT id FROM x)",
    "WITH x AS (SELECT id FROM t WHERE n = 2) DELETE FROM t WHERE id IN (SELECT id FROM x)",
    # Conditions with whole queries.
    "SELECT id FROM t WHERE n > ALL (SELECT b FROM u WHERE u.b < 4) ORDER BY id",
    "SELECT id FROM t WHERE n = ANY (SELECT b FROM u) ORDER BY id",
    "SELECT id FROM t WHERE n <> SOME (SELECT b FROM u WHERE u.a = t.id) ORDER BY id",
    "SELECT id FROM t WHERE n <= ALL (SELECT b FROM u WHERE u.a = t.id) ORDER BY id",
    "SELECT id FROM t WHERE (id, n) IN (SELECT a, b FROM u) ORDER BY id",
    "SELECT id FROM t WHERE (id, n) NOT IN (SELECT a, b FROM u WHERE b < 9) ORDER BY id",
    "SELECT id, (SELECT b FROM u WHERE u.a = t.n) FROM t",
    "SELECT id FROM t WHERE ROW(id, n) = (SELECT a, b FROM u WHERE b = 5)",
    # Tables out of values.
    "SELECT t.id, x.v FROM t, JSON_TABLE(t.j, '$.a[*]' COLUMNS (v INT PATH '$')) x ORDER BY 1, 2",
    "SELECT x.v, COUNT(*) FROM t, JSON_TABLE(t.j, '$.a[*]' COLUMNS (o FOR ORDINALITY, v INT PATH"
    " '$' DEFAULT '0' ON EMPTY)) x WHERE x.o = 2 GROUP BY x.v ORDER BY 1",
    "SELECT t.id FROM t JOIN (VALUES (1), (5), (30)) AS x ON x.`1` = t.id ORDER BY 1",
    "WITH RECURSIVE x AS (SELECT id, n FROM t WHERE id = 1 UNION SELECT t.id, t.n FROM t JOIN x"
    " ON t.id = x.n + x.id) SELECT * FROM x ORDER BY id",
    # Groups and windows.
    "SELECT COUNT(DISTINCT n), COUNT(DISTINCT w), SUM(DISTINCT n), AVG(DISTINCT id) FROM t",
    "SELECT n, w, COUNT(*) FROM t GROUP BY n, w WITH ROLLUP",
    "SELECT n, GROUP_CONCAT(DISTINCT w ORDER BY w DESC SEPARATOR '/') FROM t GROUP BY n ORDER BY n",
    "SELECT id, SUM(n) OVER w, RANK() OVER (w ORDER BY n DESC) FROM t WINDOW w AS (PARTITION BY w)"
    " ORDER BY id",
    "SELECT id, LAG(n, 2, -1) OVER (ORDER BY id), NTILE(4) OVER (ORDER BY id) FROM t ORDER BY id",
    "SELECT id, SUM(n) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 2 FOLLOWING) FROM t"
    " ORDER BY id",
    "SELECT n, MEDIAN(id) OVER (PARTITION BY n) FROM t ORDER BY 1, 2",
    # Joins.
    "SELECT * FROM ref NATURAL JOIN glo", "SELECT COUNT(*) FROM t NATURAL JOIN ref",
    "SELECT t.id, u.a, u.b FROM t RIGHT JOIN u ON t.n = u.b ORDER BY 2, 3, 1",
    "SELECT COUNT(*) FROM t STRAIGHT_JOIN u ON t.n < u.a",
    "SELECT COUNT(*) FROM t JOIN u USING (id)",
    "SELECT t.id FROM t USE INDEX (PRIMARY) IGNORE INDEX FOR ORDER BY (PRIMARY) ORDER BY id",
    "SELECT t.id FROM t FORCE INDEX (nosuch)",
    # The columns' names are what was written, whatever an engine is told.
    "SELECT id, (SELECT MAX(b) + 1 FROM u USE INDEX (PRIMARY) WHERE a = t.n) FROM t ORDER BY id",
    "SELECT id, (SELECT MAX(b) + 2 FROM u USE INDEX (PRIMARY) WHERE a = t.n) FROM t ORDER BY id",
    "SELECT * FROM (SELECT EXISTS (SELECT 1 FROM u WHERE b = t.n FOR UPDATE) FROM t) x",
    # Values with names.
    "SELECT COLUMN_GET(COLUMN_CREATE('a', n AS INT, 'b', w), 'b' AS CHAR(9)) FROM t ORDER BY id",
    "SELECT COLUMN_JSON(COLUMN_ADD(COLUMN_CREATE('a', id), 'b', n AS DECIMAL(5, 2))), COUNT(*)"
    " FROM t GROUP BY 1 ORDER BY 1",
    # Writes.
    "REPLACE INTO t (id, n) VALUES (1, 9), (2, 8), (200, 7)",
    "REPLACE INTO t (id, n) SELECT b, a FROM u WHERE b < 5",
    "REPLACE INTO u () VALUES (1, 9, 3), (2, 9, 3)", "INSERT INTO t () VALUES (900, 1, 'x', NULL)",
    "INSERT INTO t () SELECT id + 900, n, w, j FROM t WHERE n < 3", "INSERT INTO t () VALUES (1)",
    "UPDATE t SET id = id + 1000 WHERE n = 2", "UPDATE t SET id = id + 1 ORDER BY id DESC",
    "UPDATE t SET n = (SELECT MAX(b) FROM u WHERE u.a = t.n)",
    "UPDATE t SET n = 50 ORDER BY n DESC, id LIMIT 3", "DELETE FROM t ORDER BY n, id LIMIT 4",
    "DELETE t, u FROM t JOIN u ON t.n = u.b WHERE u.a > 2",
    "INSERT INTO t (id, n) SELECT id + 3, n FROM t AS s WHERE id > 20"
    " ON DUPLICATE KEY UPDATE n = VALUES(n) + 100",
    "INSERT IGNORE INTO t (id, n) VALUES (1, 1), (300, 1)",
    "INSERT INTO t (id, n) VALUES (1, 1), (300, 1)",
    "INSERT INTO t (id, n) VALUES (400, (SELECT MAX(b) FROM u))",
    "DELETE FROM t WHERE n = 3 RETURNING id, w", "INSERT INTO t (id) VALUES (7000) RETURNING id, n",
    "REPLACE INTO t (id, n) VALUES (3, 1) RETURNING id", "UPDATE t SET n = 1 RETURNING id",
    # Files are the servers'.
    "SELECT LOAD_FILE('/nosuch') IS NULL FROM t WHERE id = 1",
    # Odds and ends.
    "DO 1 + 1", "SELECT SQL_CALC_FOUND_ROWS id FROM t ORDER BY id LIMIT 2",
    "SELECT FOUND_ROWS()", "SELECT ROWNUM() < 100 FROM t WHERE id = 3",
    "SELECT id FROM t PARTITION (p0)", "SELECT id FROM t FOR SYSTEM_TIME AS OF NOW()",
    "SELECT id INTO @a FROM t WHERE id = 5", "SELECT @a",
    "SELECT t.*, u.* FROM t, u WHERE t.id = u.a AND u.b = 5", "SELECT *, 1 FROM t WHERE id = 2",
    "SELECT kinds.t.id FROM kinds.t WHERE kinds.t.n = 1 ORDER BY 1",
    "EXPLAIN SELECT * FROM nosuch",
]


@pytest.fixture(scope="module")
def both(gathering, plain):
    with testbed.both(gathering, plain, DB, SETUP) as pair:
        yield pair


@pytest.mark.parametrize("sql", STATEMENTS)
def test_statement(both, sql):
    both.run("BEGIN")
    try:
        both.compare(sql)
        for table in ("t", "u", "auto"):
            both.compare(f"SELECT * FROM {table}")
    finally:
        both.run("ROLLBACK")


HISTORY = [
    "UPDATE hist SET v = v + 10 WHERE id < 7", "UPDATE hist SET id = id + 100 WHERE id > 8",
    "UPDATE hist SET v = 50 ORDER BY id LIMIT 3",
    "UPDATE hist JOIN t ON t.n = hist.v SET hist.v = t.id + 1000 WHERE t.id < 7",
    "DELETE FROM hist ORDER BY id DESC LIMIT 2", "REPLACE INTO hist VALUES (1, 1), (70, 7)",
    "INSERT INTO hist VALUES (2, 9), (3, 9) ON DUPLICATE KEY UPDATE v = v",
    "DELETE HISTORY FROM hist BEFORE SYSTEM_TIME '2001-01-01'",
    "DELETE HISTORY FROM hist BEFORE SYSTEM_TIME NOW() - INTERVAL 5 YEAR",
    "DELETE HISTORY FROM hist WHERE id = 1", "DELETE HISTORY FROM t", "DELETE HISTORY FROM nosuch",
    "DELETE HISTORY FROM hist, t", "DELETE HISTORY FROM hist BEFORE SYSTEM_TIME '2037-01-01'",
    "UPDATE hist SET v = 1", "DELETE HISTORY FROM kinds.hist",
]
KEEPS_VALUES = ["UPDATE hist SET v = 2 ORDER BY id LIMIT 3", "UPDATE hist SET id = 5 WHERE id = 5",
                "UPDATE hist JOIN t ON t.n = hist.v SET hist.v = t.n",
                "INSERT INTO hist VALUES (2, 9) ON DUPLICATE KEY UPDATE v = (SELECT MAX(n) FROM t)"]


def test_history(both):
    """Each row that is written leaves its former version, and nobody writes that."""
    both.run("CREATE TABLE hist (id INT PRIMARY KEY, v INT) WITH SYSTEM VERSIONING"
             " COMMENT 'shardd: key(id)'")
    both.run("INSERT INTO hist VALUES " + ",".join(f"({i}, {i % 5})" for i in range(1, 13)))
    try:
        for sql in HISTORY:
            ours, theirs = both.answers(sql)
            both.check(sql, ours, theirs, messages=True)
            both.compare("SELECT id, v FROM hist FOR SYSTEM_TIME ALL")
            both.compare("SELECT * FROM hist")
        both.run("UPDATE hist SET v = v + 1")
        for sql in KEEPS_VALUES:
            error = testbed.Answer(both.connections[0], sql).error
            assert error is not None and error[0] == 1235 and "versioning" in error[1], sql
        both.compare("SELECT id, v FROM hist FOR SYSTEM_TIME ALL")
    finally:
        both.run("DROP TABLE hist")


PAST = ["SELECT id, v FROM hist ORDER BY id", "SELECT COUNT(*), MAX(v) FROM hist",
        "SELECT hist.id, t.n FROM hist JOIN t ON t.n = hist.v WHERE t.id < 9",
        "SELECT id, RANK() OVER (ORDER BY v, id) FROM hist", "SELECT v FROM hist WHERE id = 3",
        "INSERT INTO t (id, n) VALUES (100, 1)", "UPDATE t SET n = n + 1 WHERE id = 100",
        "DELETE FROM t WHERE id = 100"]
NOT_OF_THE_PAST = ["INSERT INTO t (id, n) SELECT id + 200, v FROM hist",
                   "REPLACE INTO t (id, n) SELECT id + 200, v FROM hist",
                   "UPDATE t JOIN hist ON t.n = hist.v SET t.n = 77",
                   "INSERT INTO t (id) VALUES ((SELECT MAX(v) + 300 FROM hist))",
                   "CREATE TABLE past AS SELECT * FROM hist", "SET @x = (SELECT MAX(v) FROM hist)"]


def test_reading_the_past(both):
    """system_versioning_asof is for SELECT; what a write reads is as it is."""
    both.run("CREATE TABLE hist (id INT PRIMARY KEY, v INT) WITH SYSTEM VERSIONING"
             " COMMENT 'shardd: key(id)'")
    both.run("SET timestamp = UNIX_TIMESTAMP('2020-01-01 00:00:00')")
    both.run("INSERT INTO hist VALUES " + ",".join(f"({i}, {i % 5})" for i in range(1, 13)))
    both.run("SET timestamp = UNIX_TIMESTAMP('2021-01-01 00:00:00')")
    both.run("UPDATE hist SET v = v + 10")
    both.run("SET timestamp = DEFAULT")
    try:
        for past in "'2019-06-01'", "'2020-06-01'", "NOW()", "DEFAULT":
            both.run(f"SET system_versioning_asof = {past}")
            for sql in PAST:
                both.compare(sql)
            for sql in NOT_OF_THE_PAST if past != "DEFAULT" else ():
                error = testbed.Answer(both.connections[0], sql).error
                assert error is not None and "_asof is set" in error[1], (sql, error)
        for table in "t", "hist":
            both.compare(f"SELECT * FROM {table} ORDER BY id")
    finally:
        both.run("SET system_versioning_asof = DEFAULT")
        both.run("DROP TABLE hist")


def test_a_lock_behind_a_union_is_the_last_tables(both):
    """As on one server, others may lock what its first SELECT reads."""
    for pair in ((both.cluster, "SELECT id FROM t WHERE id = 3 FOR UPDATE"),
                 (both.plain, "SELECT id FROM t WHERE id = 3 FOR UPDATE")):
        one, other = pair[0].connect(db=DB), pair[0].connect(db=DB)
        with one.cursor() as a, other.cursor() as b:
            b.execute("SET innodb_lock_wait_timeout = 1")
            a.execute("BEGIN")
            a.execute("SELECT n FROM t UNION SELECT b FROM u FOR UPDATE")
            b.execute(pair[1])
            assert b.fetchall() == ((3,),)
            with pytest.raises(Exception, match="1205"):
                b.execute("SELECT * FROM u WHERE a = 3 FOR UPDATE")
            a.execute("ROLLBACK")
        one.close()
        other.close()


def test_create_or_replace_database(both):
    for sql in ("CREATE OR REPLACE DATABASE replaced",
                "CREATE TABLE replaced.x (id INT PRIMARY KEY)",
                "CREATE OR REPLACE DATABASE replaced CHARACTER SET nosuch",
                "CREATE OR REPLACE DATABASE IF NOT EXISTS replaced", "SELECT * FROM replaced.x",
                "CREATE OR REPLACE DATABASE replaced COLLATE latin1_bin",
                "SELECT * FROM replaced.x",
                "SHOW CREATE DATABASE replaced", "DROP DATABASE replaced"):
        both.compare(sql)


def test_rows_that_a_check_forbids(both):
    """INSERT IGNORE of several rows leaves them out, though one may be alone on its shard."""
    both.run("CREATE TABLE checked (a INT PRIMARY KEY, b INT CHECK (b > 3))"
             " COMMENT 'shardd: key(a)'")
    for sql in ("INSERT IGNORE INTO checked VALUES (1, 4), (2, 2), (3, 5)", "SHOW WARNINGS",
                "INSERT IGNORE INTO checked (b, a) VALUES (1, 10), (-5, 11), (7, 12), (2, 13)",
                "INSERT IGNORE INTO checked VALUES (61, 2)", "SELECT * FROM checked ORDER BY a",
                "INSERT IGNORE INTO checked VALUES (1, 9), (70, 1) ON DUPLICATE KEY UPDATE b = 8",
                "INSERT INTO checked VALUES (80, 9), (81, 3), (82, 10)",
                "SELECT * FROM checked ORDER BY a", "DROP TABLE checked"):
        both.compare(sql)
