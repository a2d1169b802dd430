"""test_dialects.py - every kind of plan under every sql_mode: what shardd says to servers beside
the client's own words means the same to them in each."""
import pytest

import testbed

DB = "dialects"
MODES = ["ORACLE", "MSSQL", "DB2", "MAXDB", "POSTGRESQL", "ANSI", "TRADITIONAL", "MYSQL40",
         "NO_BACKSLASH_ESCAPES", "ANSI_QUOTES,PAD_CHAR_TO_FULL_LENGTH,NO_BACKSLASH_ESCAPES",
         "EMPTY_STRING_IS_NULL", "SIMULTANEOUS_ASSIGNMENT,NO_AUTO_VALUE_ON_ZERO",
         "PIPES_AS_CONCAT,HIGH_NOT_PRECEDENCE,IGNORE_SPACE", "NO_ZERO_IN_DATE,NO_ZERO_DATE",
         "ONLY_FULL_GROUP_BY,STRICT_ALL_TABLES", "NO_UNSIGNED_SUBTRACTION,TIME_ROUND_FRACTIONAL",
         "ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO", ""]
SETUP = [
    "CREATE TABLE t (id INT PRIMARY KEY, n INT, w VARCHAR(20), c CHAR(5), d DATETIME)",
    "CREATE TABLE u (id INT PRIMARY KEY, n INT) COMMENT 'shardd: reference'",
    "CREATE TABLE g (id INT PRIMARY KEY, n INT) COMMENT 'shardd: global'",
    "CREATE TABLE l (id INT PRIMARY KEY, mail VARCHAR(20), UNIQUE (mail))"
    " COMMENT 'shardd: key(id) lookup(mail)'",
    "CREATE TABLE num (id INT AUTO_INCREMENT PRIMARY KEY, w VARCHAR(20))",
    "INSERT INTO u VALUES (1, 1), (2, 2)",
    "INSERT INTO g VALUES (1, 10), (2, 20)",
]
T = "INSERT INTO t VALUES "
STATEMENTS = [
    T + "(1, 1, 'a', 'x', '2020-01-01'), (2, 2, 'b', 'y', '2020-02-02'), (3, 3, 'c', 'z', NULL),"
    " (4, 4, 'd', '', '2020-04-04'), (5, 5, 'it''s', NULL, '2020-05-05 05:05:05')",
    T + "(6, 1, 'f', 'f', NULL), (1, 1, 'again', 'x', NULL), (7, 1, 'f', 'f', NULL)",
    T + "(8, 8, 'h', 'h', NULL)",
    "REPLACE INTO t VALUES (8, 9, 'i', 'i', NULL), (9, 9, '', 'j', NULL)",
    T + "(1, 0, 'o', 'o', NULL), (10, 0, 'o', 'o', NULL) ON DUPLICATE KEY UPDATE n = n + 100",
    "INSERT INTO num (w) VALUES ('a'), ('b'), ('c'), ('d')", "SELECT COUNT(*) FROM num",
    "SELECT id, n, w, c, d FROM t ORDER BY id",
    "SELECT w, c FROM t WHERE id IN (1, 4, 5) ORDER BY w",
    "SELECT COUNT(*), SUM(n), MIN(w), MAX(d), AVG(n) FROM t",
    "SELECT n, COUNT(*), GROUP_CONCAT(w ORDER BY w) FROM t GROUP BY n ORDER BY n",
    "SELECT DISTINCT n FROM t ORDER BY n",
    "SELECT t.id, u.n FROM t JOIN u ON u.id = t.n ORDER BY 1",
    "SELECT a.id, b.id FROM t a JOIN t b ON a.n = b.n AND a.id <> b.id ORDER BY a.id, b.id",
    "SELECT id, n, ROW_NUMBER() OVER (ORDER BY n, id) AS r FROM t ORDER BY id",
    "SELECT g.id, t.w FROM g JOIN t ON t.n = g.id ORDER BY g.id, t.id",
    "SELECT id FROM t WHERE n > (SELECT AVG(n) FROM t) ORDER BY id",
    "SELECT id, '1' || '0' FROM t ORDER BY id",
    "SELECT id, NOT n BETWEEN 1 AND 3 FROM t ORDER BY id",
    "SELECT id FROM t UNION SELECT n FROM g ORDER BY 1", "SELECT id, n - 5 FROM t ORDER BY 2, 1",
    "UPDATE t SET n = n + 1 WHERE n < 5", "UPDATE t SET n = id, id = id + 100 WHERE id = 9",
    "UPDATE t SET n = (SELECT MAX(n) FROM g) WHERE w = 'b'",
    "UPDATE t SET w = 'q' ORDER BY id LIMIT 2",
    "UPDATE t JOIN g ON g.id = t.id SET t.n = g.n, t.c = 'joi'", "UPDATE u SET n = n * 2",
    "INSERT INTO u VALUES (3, 3), (4, 4)", "DELETE FROM u WHERE n > 5",
    "INSERT INTO t (id, n, w) SELECT id + 50, n, w FROM t WHERE id < 4",
    "INSERT INTO g SELECT id + 60, n FROM t WHERE id < 4",
    "DELETE FROM t WHERE id IN (SELECT id FROM g)",
    "INSERT INTO l VALUES (1, 'a@x'), (2, 'b@x'), (3, 'c@x')", "INSERT INTO l VALUES (4, 'a@x')",
    "SELECT id FROM l WHERE mail = 'b@x'", "UPDATE l SET mail = 'z@x' WHERE id = 2",
    "START TRANSACTION", "UPDATE t SET n = 7 WHERE id IN (3, 4, 5)", "SAVEPOINT a", "DELETE FROM t",
    "ROLLBACK TO SAVEPOINT a", "COMMIT", "SELECT id, n, w, c FROM t ORDER BY id",
    "SET @v = 'x', @w = 3", "SELECT id, @v FROM t WHERE n > @w ORDER BY id",
    "PREPARE s FROM 'SELECT id, w FROM t WHERE n > ? ORDER BY id'", "EXECUTE s USING @w",
    "PREPARE s FROM 'UPDATE t SET n = n + ?'", "EXECUTE s USING @w",
    "CREATE TEMPORARY TABLE tmp (a INT PRIMARY KEY, b VARCHAR(9))",
    "INSERT INTO tmp VALUES (3, 'x')",
    "SELECT t.id, tmp.b FROM t JOIN tmp ON tmp.a = t.n ORDER BY t.id", "DROP TEMPORARY TABLE tmp",
    "SELECT id, n, w, c FROM t ORDER BY id", "SELECT id, mail FROM l ORDER BY id",
    "SELECT id, n FROM u ORDER BY id", "SELECT id, n FROM g ORDER BY id",
]


@pytest.fixture(scope="module")
def c(scratch):
    cluster = testbed.Cluster(scratch / "dialects", shards=3)
    yield cluster
    cluster.finish()


@pytest.mark.parametrize("mode", MODES)
def test_all_kinds_of_plans(c, plain, mode):
    for server in c, plain:
        server.sql(f"CREATE DATABASE {DB}", db=None)
    both = testbed.Both(c, plain, DB)
    try:
        for sql in SETUP + [f"SET sql_mode = '{mode}'"]:
            both.run(sql)
        for sql in STATEMENTS:
            both.compare(sql)
    finally:
        both.close()
        for server in c, plain:
            server.sql(f"DROP DATABASE {DB}", db=None)


ORACLE = [
    "INSERT INTO t (id, n, w) VALUES " + ",".join(f"({i}, {i % 4}, 'w{i % 3}')" for i in range(30)),
    "INSERT INTO g VALUES (5, 0), (6, 0)", "CREATE SEQUENCE s",
    "CREATE TABLE r (id INT PRIMARY KEY, ROWNUM INT, nextval INT)",
    "INSERT INTO r VALUES (1, 5, 1), (2, 1, 2), (3, 1, 3), (4, 2, 4)", "SET sql_mode = 'ORACLE'",
    "SELECT COUNT(*) FROM t WHERE ROWNUM < 4", "SELECT MAX(rownum) FROM t",
    "SELECT COUNT(*) FROM (SELECT id FROM t WHERE RowNum <= 7) x",
    "SELECT id FROM (SELECT id FROM t ORDER BY id DESC) x WHERE ROWNUM <= 3 ORDER BY id",
    "SELECT n, COUNT(*) FROM t WHERE ROWNUM > 0 GROUP BY n ORDER BY n", "SELECT t.ROWNUM FROM t",
    "PREPARE p FROM 'SELECT COUNT(*) FROM t WHERE ROWNUM < ?'", "EXECUTE p USING 6",
    "SELECT id FROM r WHERE r.rownum < 2 ORDER BY id", "SELECT COUNT(*) FROM r WHERE rownum < 2",
    'SELECT id FROM r WHERE "ROWNUM" < 2 ORDER BY id', "SELECT r.nextval FROM r",
    "SELECT id FROM t MINUS SELECT n FROM t ORDER BY id LIMIT 3",
    "SELECT n FROM t MINUS ALL SELECT id FROM g ORDER BY n",
    "SELECT COUNT(*) FROM t WHERE n IN (SELECT n FROM t MINUS SELECT n FROM g)",
    "CREATE VIEW two AS SELECT id FROM t WHERE ROWNUM <= 2", "SELECT COUNT(*) FROM two",
    "CREATE VIEW rest AS SELECT id FROM t MINUS SELECT n FROM t", "SELECT COUNT(*) FROM rest",
    "UPDATE t SET c = 'x' WHERE ROWNUM < 6", "SELECT COUNT(*) FROM t WHERE c = 'x'",
    "DELETE FROM t WHERE ROWNUM < 3", "SELECT COUNT(*) FROM t",
    "SELECT s.NEXTVAL FROM DUAL", "SELECT s.nextval, s.CURRVAL", "SELECT dialects.s.currval",
    "INSERT INTO r (id, nextval) VALUES (9, s.NEXTVAL)", "SELECT id, nextval FROM r",
    "SELECT UNIQUE n FROM t ORDER BY n", "SELECT UNIQUE w, n FROM t ORDER BY 1, 2",
    "SELECT COUNT(*) FROM t WHERE oracle_schema.CONCAT(w, NULL) = w",
    "SELECT n, MAX(mariadb_schema.CONCAT(w, NULL)) m FROM t GROUP BY n ORDER BY n",
    "SELECT oracle_schema.RPAD('a', 3)", "SELECT COUNT(*) FROM t WHERE w || NULL = w",
    "CREATE VIEW padded AS SELECT id, RPAD(w, 4) w, n || NULL n FROM t",
    "SELECT * FROM padded ORDER BY id LIMIT 3",
    "BEGIN SELECT 1 AS a; END", "BEGIN", "BEGIN WORK", "DECLARE x INT := 3; BEGIN SELECT x; END;",
    "BEGIN INSERT INTO g VALUES (20, 1); INSERT INTO g VALUES (20, 1);"
    " EXCEPTION WHEN DUP_VAL_ON_INDEX THEN NULL; END", "SELECT * FROM g ORDER BY 1",
    "START TRANSACTION", "BEGIN INSERT INTO g VALUES (21, 1); ROLLBACK; END",
    "SELECT * FROM g ORDER BY 1",
    "CREATE PROCEDURE p AS x INT := 7; BEGIN SELECT x, COUNT(*) FROM g; END;",
    "SET sql_mode = ''", "SELECT COUNT(*) FROM two", "SELECT COUNT(*) FROM rest",
    "SELECT * FROM padded ORDER BY id LIMIT 3", "SELECT UNIQUE n FROM t ORDER BY n",
    "SELECT COUNT(*) FROM r WHERE ROWNUM < 2", "SELECT nextval FROM r rownum ORDER BY 1",
    "SELECT COUNT(*) FROM r minus", "SELECT ROWNUM FROM t",
]


def test_words_of_oracle(c, plain):
    """ROWNUM without parentheses counted the rows of each shard."""
    for server in c, plain:
        server.sql(f"CREATE DATABASE {DB}", db=None)
    both = testbed.Both(c, plain, DB)
    try:
        for sql in SETUP + ORACLE:
            both.compare(sql)
        both.run("SET sql_mode = 'ORACLE'")
        for sql in ("SELECT s.NEXTVAL, id FROM t", "UPDATE t SET n = s.NEXTVAL",
                    "BEGIN INSERT INTO t (id) VALUES (1); END", "CALL p",
                    "CREATE PACKAGE q AS FUNCTION f RETURN INT; END"):
            assert testbed.Answer(both.connections[0], sql).error[0] == 1235, sql
    finally:
        both.close()
        for server in c, plain:
            server.sql(f"DROP DATABASE {DB}", db=None)
