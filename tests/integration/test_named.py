"""PREPARE, EXECUTE and DEALLOCATE as SQL: on sharded tables as on one server, and without
holding a connection."""
import random

import pymysql
import pytest

import testbed

TABLES = (
    "CREATE TABLE t (id BIGINT PRIMARY KEY, n INT, s VARCHAR(30), d DECIMAL(12,3), f DOUBLE)",
    "CREATE TABLE a (id BIGINT AUTO_INCREMENT PRIMARY KEY, n INT)",
    "CREATE TABLE g (id INT PRIMARY KEY, v VARCHAR(20)) COMMENT 'shardd: global'",
    "CREATE TABLE r (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(20)) "
    "COMMENT 'shardd: reference'",
    "CREATE TABLE w (k VARCHAR(20) COLLATE utf8mb4_general_ci PRIMARY KEY, n INT)",
)
ROWS = ("INSERT INTO t VALUES " + ", ".join(
            f"({i}, {i * 7 % 5}, 'row {i % 6}', {i}.25, {i}.5e0)" for i in range(1, 31)),
        "INSERT INTO g VALUES (1, 'one'), (2, 'two')",
        "INSERT INTO r (v) VALUES ('x'), ('y')",
        "INSERT INTO w VALUES ('Ada', 1), ('blaise', 2), ('7', 3)")

# Each a session of its own; every answer is compared.
SCRIPTS = {
    "read by key": (
        "PREPARE s FROM 'SELECT * FROM t WHERE id = ?'", "SET @a = 7", "EXECUTE s USING @a",
        "SET @a = '8'", "EXECUTE s USING @a", "SET @a = 9.0", "EXECUTE s USING @a",
        "SET @a = 1e1", "EXECUTE s USING @a", "SET @a = NULL", "EXECUTE s USING @a",
        "EXECUTE s USING @never", "EXECUTE s USING 5", "EXECUTE s USING '6'",
        "EXECUTE s USING NULL", "EXECUTE s USING 2 + 3", "EXECUTE s USING -1",
        "DEALLOCATE PREPARE s", "EXECUTE s USING @a"),
    "read all": (
        "PREPARE s FROM 'SELECT COUNT(*), SUM(n), MAX(d), AVG(f) FROM t WHERE n > ?'",
        "SET @a = 2", "EXECUTE s USING @a", "EXECUTE s USING 0",
        "PREPARE s FROM 'SELECT id, s FROM t WHERE s >= ? ORDER BY id DESC'",
        "SET @a = 'row 3'", "EXECUTE s USING @a"),
    "limits": (
        "PREPARE s FROM 'SELECT id FROM t ORDER BY id LIMIT ?'", "SET @a = 3",
        "EXECUTE s USING @a", "SET @a = 0", "EXECUTE s USING @a", "EXECUTE s USING 4",
        "PREPARE s FROM 'SELECT id FROM t ORDER BY id LIMIT ?, ?'", "SET @a = 5, @b = 2",
        "EXECUTE s USING @a, @b", "SET @b = '3'", "EXECUTE s USING @a, @b",
        "PREPARE s FROM 'SELECT id FROM t ORDER BY id LIMIT 2 OFFSET ?'", "EXECUTE s USING @a",
        "SET @a = 2.0", "EXECUTE s USING @a"),
    "columns": (
        "PREPARE s FROM 'SELECT ?, ? + 1 AS x, CONCAT(?, 1), id FROM t WHERE id < 4 ORDER BY id'",
        "SET @i = 5, @d = 1.50, @f = 2e0, @s = 'text', @n = NULL",
        "EXECUTE s USING @i, @i, @i", "EXECUTE s USING @d, @d, @d", "EXECUTE s USING @f, @f, @f",
        "EXECUTE s USING @s, @i, @s", "EXECUTE s USING @n, @n, @n",
        "EXECUTE s USING 5, 1.50, 'a'"),
    "writes": (
        "PREPARE s FROM 'INSERT INTO t VALUES (?, ?, ?, ?, ?)'",
        "SET @id = 100, @n = 1, @s = 'it''s', @d = 12.125, @f = 0.1e0",
        "EXECUTE s USING @id, @n, @s, @d, @f", "SELECT ROW_COUNT()",
        "EXECUTE s USING @id, @n, @s, @d, @f", "SELECT ROW_COUNT()",
        "EXECUTE s USING 101, NULL, 'x', -5, 1",
        "PREPARE s FROM 'INSERT INTO t (id, n) VALUES (?, 1), (?, 2), (?, 3), (205, ?)'",
        "SET @x = 201, @y = 202, @z = 203", "EXECUTE s USING @x, @y, @z, @n",
        "PREPARE s FROM 'UPDATE t SET n = n + ? WHERE id >= ?'", "EXECUTE s USING @n, @id",
        "SELECT ROW_COUNT()", "SELECT * FROM t WHERE id >= 100 ORDER BY id",
        "PREPARE s FROM 'DELETE FROM t WHERE n = ? OR id = ?'", "EXECUTE s USING @n, @x",
        "SELECT * FROM t ORDER BY id",
        "PREPARE s FROM 'REPLACE INTO t (id, s) VALUES (?, ?)'", "EXECUTE s USING @id, @s",
        "EXECUTE s USING @id, 'again'", "SELECT * FROM t WHERE id = 100"),
    "numbers": (
        "PREPARE s FROM 'INSERT INTO a (n) VALUES (?)'", "SET @n = 5", "EXECUTE s USING @n",
        "SELECT COUNT(*), SUM(n) FROM a", "SELECT n FROM a WHERE id = LAST_INSERT_ID()",
        "PREPARE s FROM 'INSERT INTO a VALUES (?, ?)'", "EXECUTE s USING 1000, 6",
        "SELECT n FROM a WHERE id = 1000"),
    "reference": (
        "PREPARE s FROM 'INSERT INTO r (v) VALUES (?)'", "SET @v = 'z'", "EXECUTE s USING @v",
        "SELECT LAST_INSERT_ID()", "SELECT * FROM r ORDER BY id",
        "PREPARE s FROM 'UPDATE r SET v = ? WHERE id = ?'", "SET @i = 1",
        "EXECUTE s USING @v, @i", "SELECT * FROM r ORDER BY id",
        "PREPARE s FROM 'SELECT t.id, r.v FROM t JOIN r ON r.id = t.id WHERE t.id = ?'",
        "EXECUTE s USING @i"),
    "global": (
        "PREPARE s FROM 'SELECT * FROM g WHERE id = ?'", "SET @i = 2", "EXECUTE s USING @i",
        "PREPARE s FROM 'INSERT INTO g VALUES (?, ?)'", "EXECUTE s USING 3, 'three'",
        "SELECT * FROM g ORDER BY id"),
    "collations": (
        "PREPARE s FROM 'SELECT k, n FROM w WHERE k = ?'", "SET @k = 'ADA'", "EXECUTE s USING @k",
        "SET @k = _latin1'BLAISE' COLLATE latin1_swedish_ci", "EXECUTE s USING @k",
        "SET @k = _utf8mb4'ada' COLLATE utf8mb4_bin", "EXECUTE s USING @k",
        "SET @k = 7", "EXECUTE s USING @k", "SET @k = 7.0", "EXECUTE s USING @k",
        "PREPARE s FROM 'INSERT INTO w VALUES (?, 5)'", "SET @k = _latin1 x'e4'",
        "EXECUTE s USING @k", "SELECT k, n FROM w WHERE k = 'ä'", "SET @k = 12",
        "EXECUTE s USING @k", "SELECT k, n FROM w WHERE k = '12'",
        "SET @k = 'ada'", "EXECUTE s USING @k"),
    "names": (
        "PREPARE Stmt FROM 'SELECT 1'", "EXECUTE sTMT", "PREPARE `stmt` FROM 'SELECT 2'",
        "EXECUTE STMT", "DROP PREPARE stMT", "EXECUTE stmt", "DEALLOCATE PREPARE stmt",
        "PREPARE `a b` FROM 'SELECT 3'", "EXECUTE `A B`", "PREPARE s FROM 'SELECT 4'",
        "PREPARE s FROM 'SELEC 4'", "EXECUTE s", "PREPARE s2 FROM 'SELECT * FROM nowhere'",
        "PREPARE s2 FROM 'SELECT nothing FROM t'"),
    "texts": (
        "SET @q = 'SELECT id FROM t WHERE id IN (?, ?) ORDER BY id'", "PREPARE s FROM @q",
        "SET @q = 'changed'", "EXECUTE s USING 3, 4", "PREPARE s FROM @undefined",
        "SET @q = NULL", "PREPARE s FROM @q", "SET @q = 5", "PREPARE s FROM @q",
        "SET @q = ''", "PREPARE s FROM @q", "PREPARE s FROM ''", "PREPARE s FROM '-- nothing'",
        "EXECUTE s", "PREPARE s FROM '; '", "EXECUTE s",
        "PREPARE s FROM CONCAT('SELECT ', 1 + 1)", "EXECUTE s",
        "PREPARE s FROM 'SELECT ''it''''s'', \"b\", _utf8mb4\\'c\\''", "EXECUTE s",
        "PREPARE s FROM _utf8mb4'SELECT 9'", "EXECUTE s",
        "PREPARE s FROM 'SELECT ''äöü€''  AS ü'", "EXECUTE s",
        "SET @q = 'SELECT ''äöü€'', ?'", "PREPARE s FROM @q", "EXECUTE s USING 'ß'"),
    "refused": (
        "PREPARE s FROM 'SELECT 1; SELECT 2'", "PREPARE s FROM 'SELECT 1;'", "EXECUTE s",
        "PREPARE s FROM 'PREPARE x FROM ''SELECT 1'''", "PREPARE s FROM 'EXECUTE x'",
        "PREPARE s FROM 'DEALLOCATE PREPARE x'",
        "PREPARE s FROM 'EXECUTE IMMEDIATE ''SELECT 1'''",
        "PREPARE s FROM 'SELECT ? FROM'", "PREPARE s FROM 'SELECT ?'", "EXECUTE s",
        "EXECUTE s USING 1, 2", "EXECUTE none USING 1", "EXECUTE s USING (SELECT 1)",
        "PREPARE s FROM (SELECT 'SELECT 1')", "EXECUTE IMMEDIATE (SELECT 'SELECT 1')",
        "PREPARE s FROM 'LOAD DATA LOCAL INFILE ''x'' INTO TABLE g'",
        "EXECUTE IMMEDIATE 'SELECT ?'", "EXECUTE IMMEDIATE 'SELECT 1; SELECT 2'",
        "EXECUTE IMMEDIATE 'EXECUTE s'", "EXECUTE IMMEDIATE ''", "EXECUTE IMMEDIATE NULL",
        "EXECUTE IMMEDIATE @undefined"),
    "immediate": (
        "EXECUTE IMMEDIATE 'SELECT id FROM t WHERE id = ?' USING 5", "SET @a = 6",
        "EXECUTE IMMEDIATE 'SELECT id FROM t WHERE id = ?' USING @a",
        "EXECUTE IMMEDIATE 'SELECT COUNT(*) FROM t'",
        "EXECUTE IMMEDIATE CONCAT('SELECT id FROM ', 't WHERE id = ', '?') USING @a + 1",
        "SET @q = 'SELECT MAX(id) FROM t WHERE id < ?'", "EXECUTE IMMEDIATE @q USING @a",
        "EXECUTE IMMEDIATE 'INSERT INTO t (id) VALUES (?), (?)' USING 301, 302",
        "SELECT ROW_COUNT()", "EXECUTE IMMEDIATE 'SET @z = ?' USING 'set'", "SELECT @z"),
    "counts": (
        "INSERT INTO t (id) VALUES (401), (402), (403)", "PREPARE s FROM 'SELECT ROW_COUNT()'",
        "SELECT ROW_COUNT()", "INSERT INTO t (id) VALUES (404), (405)",
        "SELECT id FROM t ORDER BY id LIMIT 3",
        "PREPARE s FROM 'SELECT FOUND_ROWS()'", "EXECUTE s",
        "INSERT INTO t (id) VALUES (406), (407)", "PREPARE s FROM 'SELECT 1'", "EXECUTE s",
        "SELECT FOUND_ROWS(), ROW_COUNT()", "DEALLOCATE PREPARE s", "SELECT ROW_COUNT()"),
    "warnings": (
        "SELECT CAST('x' AS INT)", "PREPARE s FROM 'SELECT 1'", "SHOW WARNINGS",
        "PREPARE s FROM 'SELECT CAST(? AS INT)'", "EXECUTE s USING 'abc'", "SHOW WARNINGS",
        "PREPARE s FROM 'SELECT id FROM t WHERE n = ? ORDER BY id LIMIT 1'",
        "EXECUTE s USING '1x'", "SHOW WARNINGS", "PREPARE s FROM 'oops'", "SHOW WARNINGS",
        "EXECUTE s", "SHOW WARNINGS", "SHOW COUNT(*) ERRORS"),
    "settings": (
        "PREPARE s FROM 'SET @x = ?, @y = ? + 1'", "EXECUTE s USING 5, 6", "SELECT @x, @y",
        "PREPARE s FROM 'SET sql_mode = ?'", "EXECUTE s USING 'NO_ENGINE_SUBSTITUTION'",
        "SELECT @@sql_mode", "PREPARE s FROM 'SET @@group_concat_max_len = 77'", "EXECUTE s",
        "SELECT @@group_concat_max_len", "PREPARE s FROM 'SET no_such = 1'",
        "PREPARE s FROM 'SET NAMES latin1'", "EXECUTE s", "SELECT @@character_set_client"),
    "transactions": (
        "PREPARE b FROM 'START TRANSACTION'", "PREPARE r FROM 'ROLLBACK'",
        "PREPARE c FROM 'COMMIT'", "PREPARE i FROM 'INSERT INTO t (id) VALUES (?)'", "EXECUTE b",
        "EXECUTE i USING 501", "EXECUTE i USING 502", "EXECUTE i USING 503", "EXECUTE r",
        "SELECT COUNT(*) FROM t", "EXECUTE b", "EXECUTE i USING 504",
        "PREPARE p FROM 'SELECT COUNT(*) FROM t WHERE id > ?'", "EXECUTE i USING 505",
        "EXECUTE p USING 500", "EXECUTE c", "EXECUTE p USING 500", "SAVEPOINT a",
        "PREPARE s FROM 'ROLLBACK TO a'", "EXECUTE b", "SAVEPOINT a", "EXECUTE i USING 506",
        "EXECUTE s", "EXECUTE i USING 507", "EXECUTE c", "EXECUTE p USING 500"),
    "ddl": (
        "PREPARE s FROM 'CREATE TABLE made (id BIGINT PRIMARY KEY)'", "EXECUTE s", "EXECUTE s",
        "INSERT INTO made VALUES (1), (2)", "PREPARE d FROM 'DROP TABLE made'",
        "PREPARE q FROM 'SELECT * FROM made ORDER BY id'", "EXECUTE q", "EXECUTE d", "EXECUTE q",
        "EXECUTE s", "EXECUTE q", "EXECUTE d", "PREPARE s FROM 'CREATE TABEL x'",
        "PREPARE u FROM 'TRUNCATE TABLE a'", "EXECUTE u", "EXECUTE IMMEDIATE 'ANALYZE TABLE g'"),
    "into": (
        "PREPARE s FROM 'SELECT n, s INTO @n, @s FROM t WHERE id = ?'", "EXECUTE s USING 7",
        "SELECT @n, @s", "EXECUTE s USING 99999", "SELECT @n, @s",
        "PREPARE s FROM 'SELECT @v := ? + 1'", "EXECUTE s USING 5", "SELECT @v"),
    "session": (
        "PREPARE s FROM 'SELECT CONNECTION_ID() > 0, DATABASE() IS NULL, LAST_INSERT_ID(?)'",
        "EXECUTE s USING 77", "SELECT LAST_INSERT_ID()", "PREPARE s FROM 'SHOW TABLES'",
        "EXECUTE s", "PREPARE s FROM 'SHOW TABLES LIKE ?'"),
    "one after the other": (
        "PREPARE a FROM 'SELECT ?'", "PREPARE b FROM 'SELECT ?, ?'", "EXECUTE b USING 1, 2",
        "EXECUTE a USING 1", "EXECUTE a USING 'x'", "EXECUTE a USING 1.5", "EXECUTE a USING NULL"),
    "gathered": (
        "SET @i = 2, @d = 2.50, @e = 0.25e1, @s = '2', @n = NULL, @h = x'32', @x = 'ROW 3'",
        "PREPARE s FROM 'SELECT t.id, ?, ? + 1, x.id FROM t JOIN t x ON x.n = t.n + 1 AND x.id < ? "
        "WHERE t.id <> ? ORDER BY 1, 4'", "EXECUTE s USING @i, @d, 9, @i",
        "EXECUTE s USING @d, @e, @d, @s", "EXECUTE s USING @s, @n, @e, @h",
        "EXECUTE s USING @n, @h, 5.5, @n", "EXECUTE s USING 'a', @i * 2, @i + @d, DATE'2020-01-01'",
        "PREPARE s FROM 'SELECT ? UNION SELECT n FROM t ORDER BY 1'", "EXECUTE s USING @i",
        "EXECUTE s USING @d", "EXECUTE s USING @s", "EXECUTE s USING @n",
        "PREPARE s FROM 'SELECT GROUP_CONCAT(?, s ORDER BY id), COUNT(DISTINCT n, s) FROM t'",
        "EXECUTE s USING @d", "EXECUTE s USING @x",
        "PREPARE s FROM 'SELECT t.s, COUNT(DISTINCT x.n, x.s) FROM t JOIN t x ON t.s = x.s "
        "WHERE x.s = ? GROUP BY t.s'", "EXECUTE s USING @x",
        "SET @x = _utf8mb4'ROW 3' COLLATE utf8mb4_bin", "EXECUTE s USING @x",
        "SET @x = _latin1'ROW 3' COLLATE latin1_german1_ci", "EXECUTE s USING @x",
        "SET @x = _utf8mb4'ROW 3' COLLATE utf8mb4_unicode_ci", "EXECUTE s USING @x",
        "PREPARE s FROM 'SELECT t.id, x.id FROM t JOIN t x ON x.n = t.n + 1 ORDER BY 1, 2 "
        "LIMIT ? OFFSET ?'", "EXECUTE s USING 3, 4", "EXECUTE s USING @i, @i",
        "PREPARE s FROM 'SELECT SUM(x.d * ?), AVG(x.n / ?) INTO @p, @q FROM t JOIN t x ON "
        "x.n = t.n + 1'", "EXECUTE s USING @d, @i", "SELECT @p, @q",
        "PREPARE s FROM 'UPDATE t JOIN t x ON x.id = t.n + 1 SET t.n = x.n + ? WHERE t.s = ?'",
        "BEGIN", "EXECUTE s USING @i, @x", "SELECT id, n FROM t ORDER BY id", "ROLLBACK"),
    "defaults": (
        "PREPARE s FROM 'INSERT INTO t (id, n) VALUES (?, ?)'", "EXECUTE s USING 601, DEFAULT",
        "SELECT id, n FROM t WHERE id = 601"),
}


@pytest.fixture
def tables(both):
    for sql in TABLES + ROWS:
        both.run(sql)
    return both


@pytest.mark.parametrize("name", SCRIPTS)
def test_as_on_one_server(tables, name):
    for sql in SCRIPTS[name]:
        tables.compare(sql, messages="shardd" not in sql)
    testbed.wait_for("nobody to be pinned",  # who left before may still be counted
                     lambda: tables.cluster.metric("shardd_pinned_sessions") == 0)


def test_schema_of_the_preparation(both):
    """A statement means the tables of the schema that was current when it was prepared, by
    name as by number."""
    both.run("CREATE TABLE t (id BIGINT PRIMARY KEY, v VARCHAR(9))")
    both.run("INSERT INTO t VALUES (1, 'first'), (2, 'first')")
    both.run(f"CREATE DATABASE {both.db}b")
    try:
        both.run("PREPARE s FROM 'SELECT v, DATABASE() = ? FROM t ORDER BY id'")
        both.run("PREPARE n FROM 'SELECT v, DATABASE() FROM t WHERE id = 1'")
        both.run(f"USE {both.db}b")
        both.compare("EXECUTE n")
        both.run("CREATE TABLE t (id BIGINT PRIMARY KEY, v VARCHAR(9))")
        both.run("INSERT INTO t VALUES (1, 'second'), (2, 'second')")
        both.compare("EXECUTE s USING DATABASE()")
        both.compare("EXECUTE n")
        both.compare("SELECT v, DATABASE() FROM t ORDER BY id")
        both.compare("EXECUTE missing")
        both.compare("SELECT DATABASE()")
    finally:
        both.run(f"DROP DATABASE {both.db}b")


def test_reset_drops_them(tables):
    for c in tables.connections:
        assert testbed.Answer(c, "PREPARE s FROM 'SELECT 1'").error is None
        c._execute_command(0x1F, b"")  # COM_RESET_CONNECTION
        c._read_ok_packet()
    tables.compare("EXECUTE s", messages=True)


def test_in_several_statements(tables):
    def seen(server):
        with server.connect(db=tables.db, client_flag=testbed.MULTI_STATEMENTS) as c, \
                c.cursor() as cursor:
            out = []
            cursor.execute("PREPARE s FROM 'SELECT id FROM t WHERE id > ? ORDER BY id'; "
                           "SET @a = 27; EXECUTE s USING @a; DEALLOCATE PREPARE s; SELECT 5")
            while True:
                out.append((cursor.rowcount, cursor.fetchall()))
                if not cursor.nextset():
                    break
            for sql in ("EXECUTE s; SELECT 6", "SELECT 7; EXECUTE s; SELECT 8"):
                try:
                    cursor.execute(sql)
                    while cursor.nextset():
                        out.append(cursor.fetchall())
                except pymysql.err.MySQLError as error:
                    out.append(error.args)
            return out

    assert seen(tables.cluster) == seen(tables.plain)


def test_not_in_the_binary_protocol(checked, db):
    import rawclient
    with rawclient.RawClient(checked.port) as c:
        c.login(db=db)
        for sql in ("PREPARE s FROM 'SELECT 1'", "EXECUTE s", "DEALLOCATE PREPARE s",
                    "EXECUTE IMMEDIATE 'SELECT 1'"):
            with pytest.raises(rawclient.ServerError) as error:
                c.prepare(sql)
            assert error.value.code == 1295


def test_many(tables):
    """Random values of all kinds, through both ways of sending them."""
    random.seed(5)
    values = ["NULL", "0", "-1", "7", "18446744073709551615", "-9223372036854775808", "1.5",
              "007.50", "-0.001", "1e3", "-2.5e-3", "'7'", "' 7'", "'7 '", "'abc'", "''",
              "'ROW 3'", "'row 3 '", "x'372e30'", "_latin1'row 4'", "TRUE", "CURRENT_DATE()",
              "CAST(3 AS UNSIGNED)", "CAST('2020-01-02' AS DATE)", "'äé'", "0x37", "b'111'"]
    texts = ["SELECT id FROM t WHERE id = ? OR n = ? ORDER BY id",
             "SELECT id, s FROM t WHERE s = ? OR id <=> ? ORDER BY id",
             "SELECT COUNT(*), ? FROM t WHERE d > ?",
             "SELECT id FROM t WHERE id IN (?, ?, 3) ORDER BY id",
             "SELECT k FROM w WHERE k = ? OR k = CONCAT(?, '') ORDER BY k",
             "SELECT id FROM t WHERE id BETWEEN ? AND ? ORDER BY id",
             "SELECT n, COUNT(*) FROM t WHERE f < ? GROUP BY n HAVING COUNT(*) > ? ORDER BY n"]
    for i, text in enumerate(texts):
        tables.run("PREPARE q%d FROM '%s'" % (i, text.replace("'", "''")))
    for _ in range(250):
        i = random.randrange(len(texts))
        a, b = random.choice(values), random.choice(values)
        if random.random() < 0.6 or "DATE" in a + b:  # computed ones have a variable's type
            tables.run(f"SET @a = {a}, @b = {b}")
            a, b = "@a", "@b"
        # How often a warning about a value is given depends on where the rows are.
        ours, theirs = (testbed.Answer(c, f"EXECUTE q{i} USING {a}, {b}")
                        for c in tables.connections)
        if ours.error and ours.error[0] == 1235:
            assert "HAVING" in texts[i], ours  # of values that are no numbers
            continue
        assert (ours.rows, ours.columns, ours.error) == (theirs.rows, theirs.columns,
                                                         theirs.error), (texts[i], a, b)
