"""test_functions.py - stored functions beside sharded tables: one of its arguments alone is on all
servers, and gives what it gives on one; every other one is refused with the reason."""
import os
import signal
import threading
import time

import pymysql
import pytest

import testbed

DB = "fun"
SETUP = [
    "CREATE TABLE t (id INT PRIMARY KEY, n INT, w VARCHAR(20), d DECIMAL(9,2), day DATE)"
    " COMMENT 'shardd: key(id)'",
    "CREATE TABLE u (a INT, b INT, w VARCHAR(20), PRIMARY KEY (a, b)) COMMENT 'shardd: key(a)'",
    "CREATE TABLE ref (id INT PRIMARY KEY, n INT) COMMENT 'shardd: reference'",
    "CREATE TABLE glo (id INT PRIMARY KEY, n INT) COMMENT 'shardd: global'",
    "INSERT INTO t VALUES " + ",".join(
        f"({i}, {'NULL' if i % 7 == 0 else i % 5}, 'w{i % 4}', {i}.25, '2024-0{i % 9 + 1}-01')"
        for i in range(1, 41)),
    "INSERT INTO u VALUES " + ",".join(f"({i % 13}, {i}, 'W{i % 3}')" for i in range(40)),
    "INSERT INTO ref VALUES (1, 10), (2, 20), (3, NULL)",
    "INSERT INTO glo VALUES (1, 1), (2, 4)",
]
FUNCTIONS = [
    "CREATE FUNCTION twice(x INT) RETURNS INT DETERMINISTIC RETURN x * 2",
    "CREATE FUNCTION label(w VARCHAR(20), n INT) RETURNS VARCHAR(40) NO SQL"
    " RETURN CONCAT(UPPER(w), '-', COALESCE(n, 'none'))",
    "CREATE FUNCTION `Gcd`(a INT, b INT) RETURNS INT BEGIN DECLARE c INT;"
    " WHILE b <> 0 DO SET c = b, b = a MOD b, a = c; END WHILE; RETURN a; END",
    "CREATE FUNCTION tax(x DECIMAL(9,2)) RETURNS DECIMAL(10,3)"
    " BEGIN IF x > 20 THEN RETURN x * 0.19; ELSEIF x IS NULL THEN RETURN 0; END IF;"
    " RETURN x * 0.07; END",
    "CREATE FUNCTION fails(x INT) RETURNS INT BEGIN IF x = 3 THEN SIGNAL SQLSTATE '45000'"
    " SET MESSAGE_TEXT = 'not three'; END IF; RETURN x; END",
    "CREATE FUNCTION quarter_of(d DATE) RETURNS INT RETURN (MONTH(d) + 2) DIV 3",
]
READS = [
    "SELECT twice(3), label('a', NULL), fun.gcd(12, 18)",
    "SELECT id, twice(n) FROM t WHERE id = 5",
    "SELECT id, label(w, n) FROM t ORDER BY id",
    "SELECT id FROM t WHERE twice(n) > 4 ORDER BY id",
    "SELECT id FROM t WHERE id = twice(4)",
    "SELECT id FROM t WHERE id IN (twice(4), twice(5)) ORDER BY id",
    "SELECT label(w, n) AS l, COUNT(*), SUM(tax(d)) FROM t GROUP BY l ORDER BY l",
    "SELECT label(w, n), COUNT(*) FROM t GROUP BY label(w, n) ORDER BY 2 DESC, 1",
    "SELECT DISTINCT label(w, n) FROM t ORDER BY 1",
    "SELECT quarter_of(day) AS q, AVG(d), MIN(twice(n)), MAX(label(w, n)) FROM t GROUP BY q"
    " ORDER BY q",
    "SELECT COUNT(DISTINCT gcd(id, 12)) FROM t",
    "SELECT w, SUM(n) FROM t GROUP BY w HAVING twice(SUM(n)) > 30 ORDER BY w",
    "SELECT t.id, u.b, gcd(t.id, u.b) FROM t JOIN u ON t.id = u.a WHERE gcd(t.id, u.b) > 1"
    " ORDER BY 1, 2",
    "SELECT t.id, u.b FROM t JOIN u ON twice(t.n) = u.b ORDER BY 1, 2",
    "SELECT id, ROW_NUMBER() OVER (PARTITION BY label(w, n) ORDER BY id) FROM t ORDER BY id",
    "SELECT gcd(id, 6), COUNT(*) FROM t GROUP BY gcd(id, 6) WITH ROLLUP",
    "SELECT id FROM t WHERE n = (SELECT MAX(twice(b)) FROM u WHERE u.a = t.id) ORDER BY id",
    "SELECT twice(n) FROM t UNION SELECT twice(b) FROM u ORDER BY 1",
    "SELECT t.id, twice(ref.n) FROM t JOIN ref ON ref.id = twice(t.n) ORDER BY 1",
    "SELECT t.id, twice(glo.n) FROM t JOIN glo ON glo.id = t.n ORDER BY 1",
    "WITH x AS (SELECT twice(n) AS y FROM t) SELECT y, COUNT(*) FROM x GROUP BY y ORDER BY y",
    "SELECT l, c FROM (SELECT label(w, n) AS l, COUNT(*) AS c FROM t GROUP BY 1) x"
    " WHERE c > 2 ORDER BY l",
    "SELECT fails(n) FROM t ORDER BY id",
    "SELECT twice(n, 1) FROM t",
    "SELECT MAX(fails(b)) FROM u JOIN t ON t.n = u.b",
]
WRITES = [
    "INSERT INTO t VALUES (100, twice(4), label('x', 1), tax(40), '2024-01-01')",
    "INSERT INTO t (id, n) VALUES (twice(101), 1), (twice(102), 2)",
    "INSERT INTO ref VALUES (7, twice(7))",
    "UPDATE t SET n = twice(n), w = label(w, n) WHERE gcd(id, 10) = 5",
    "UPDATE t SET id = id + 1000 WHERE twice(n) = 8 AND id < 20",
    "UPDATE t JOIN u ON t.n = u.b SET t.w = label(u.w, u.b) WHERE t.id < 30",
    "DELETE FROM t WHERE twice(n) = 2",
    "INSERT INTO u SELECT twice(id), id + 200, label(w, n) FROM t WHERE id < 100",
    "UPDATE ref SET n = twice(n)",
]
# What is used, and a word of the reason. Those that only read can be used in reads.
REFUSED_IN_WRITES = [
    ("CREATE FUNCTION r1() RETURNS INT RETURN (SELECT COUNT(*) FROM glo)", "reads tables"),
    ("CREATE FUNCTION r1(x INT) RETURNS INT RETURN twice(x)", "calls other routines"),
    ("CREATE FUNCTION r1(x INT) RETURNS INT RETURN fun.twice(x)", "calls other routines"),
    ("CREATE FUNCTION r1() RETURNS DOUBLE RETURN RAND()", "more than its arguments"),
    ("CREATE FUNCTION r1() RETURNS DATETIME RETURN CURRENT_TIMESTAMP", "more than its arguments"),
    ("CREATE FUNCTION r1(at TIME) RETURNS DATETIME RETURN at", "more than its arguments"),
    ("CREATE FUNCTION r1() RETURNS INT BEGIN SET @a = 1; RETURN 1; END", "variables"),
]
REFUSED = REFUSED_IN_WRITES + [
    ("CREATE FUNCTION r1() RETURNS INT RETURN @@div_precision_increment", "variables"),
    ("CREATE FUNCTION r1() RETURNS INT BEGIN SET div_precision_increment = 1; RETURN 1; END",
     "variables"),
    ("CREATE FUNCTION r1() RETURNS INT BEGIN DECLARE a INT; SET a = 1, sql_mode = ''; RETURN a;"
     " END", "variables"),
    ("CREATE FUNCTION r1() RETURNS INT RETURN LAST_INSERT_ID()", "variables"),
    ("CREATE FUNCTION r1() RETURNS INT BEGIN INSERT INTO glo VALUES (9, 9); RETURN 1; END",
     "reads tables"),
    ("CREATE AGGREGATE FUNCTION r1(x INT) RETURNS INT BEGIN DECLARE s INT DEFAULT 0;"
     " DECLARE CONTINUE HANDLER FOR NOT FOUND RETURN s;"
     " LOOP FETCH GROUP NEXT ROW; SET s = s + x; END LOOP; END", "not known"),
]


@pytest.fixture(scope="module")
def pair(gathering, plain):
    gathering.sql(f"CREATE DATABASE {DB}", db=None)
    plain.sql(f"CREATE DATABASE {DB}")
    both = testbed.Both(gathering, plain, DB)
    for sql in SETUP + FUNCTIONS:
        both.run(sql)
    yield both
    both.close()
    plain.sql(f"DROP DATABASE {DB}")
    gathering.sql(f"DROP DATABASE {DB}", db=None)


def answer(connection, sql):
    with connection.cursor() as c:
        try:
            c.execute(sql)
            return (c.description and [d[:2] for d in c.description], list(c.fetchall()),
                    c.rowcount)
        except pymysql.err.MySQLError as e:
            return e.args


@pytest.mark.parametrize("sql", READS)
def test_read(pair, sql):
    one, other = (answer(c, sql) for c in pair.connections)
    assert one == other


@pytest.mark.parametrize("sql", READS[:14])
def test_read_gathered(pair, sql):
    hinted = "/* shardd: gather=on */ " + sql if " FROM t" in sql else sql
    assert answer(pair.connections[0], hinted) == answer(pair.connections[1], sql)


@pytest.mark.parametrize("sql", WRITES)
def test_write(pair, sql):
    for c in pair.connections:
        c.begin()
    one, other = (answer(c, sql) for c in pair.connections)
    tables = [[answer(c, f"SELECT * FROM {t} ORDER BY 1, 2") for t in ("t", "u", "ref")]
              for c in pair.connections]
    for c in pair.connections:
        c.rollback()
    assert one == other and tables[0] == tables[1]


@pytest.mark.parametrize("create, why", REFUSED)
def test_what_is_not_of_its_arguments_alone_is_refused(pair, create, why):
    shardd = pair.connections[0]
    arguments = "n" if "(x INT)" in create else "'10:00:00'" if "at TIME" in create else ""
    with shardd.cursor() as c:
        c.execute(create)
        try:
            reads = (create, why) in REFUSED_IN_WRITES
            for sql in (f"SELECT r1({arguments}) FROM t", f"SELECT id, n FROM t HAVING"
                        f" r1({arguments}) > 1", f"UPDATE t SET n = r1({arguments})")[
                            2 if reads else 0:1 if "AGGREGATE" in create else 3]:
                with pytest.raises(pymysql.err.MySQLError, match=why) as e:
                    c.execute(sql)
                assert e.value.args[0] == 1235
        finally:
            c.execute("DROP FUNCTION r1")

# What only uses tables of its database's home, beside sharded ones.
AT_HOME = [
    "CREATE PROCEDURE h1(IN a INT, OUT b INT) BEGIN SELECT n INTO b FROM glo WHERE id = a;"
    " UPDATE glo SET n = n + 1 WHERE id = a; SELECT * FROM glo ORDER BY id; END",
    "CREATE PROCEDURE h2(v DECIMAL(9,2)) BEGIN DECLARE m DATETIME(6) DEFAULT NOW(6);"
    " IF v > 2 THEN INSERT INTO glo (id, n) VALUES (twice(50 + v), v); ELSE CALL h1(1, @b);"
    " END IF; SELECT tax(v), r4(), m > '2000-01-01'; END",
    "CREATE PROCEDURE h3() BEGIN DECLARE done INT DEFAULT 0; DECLARE x, s INT DEFAULT 0;"
    " DECLARE c CURSOR FOR SELECT n FROM fun.glo; DECLARE CONTINUE HANDLER FOR NOT FOUND"
    " SET done = 1; OPEN c; l: LOOP FETCH c INTO x; IF done THEN LEAVE l; END IF; SET s = s + x;"
    " END LOOP; CLOSE c; CREATE TEMPORARY TABLE own AS SELECT s AS y; SELECT y FROM own;"
    " DROP TEMPORARY TABLE own; END",
    "CREATE PROCEDURE fun.h4(n INT) BEGIN IF n > 0 THEN SET @h = n; CALL h4(n - 1); END IF; END",
    "CREATE FUNCTION r4() RETURNS INT READS SQL DATA RETURN (SELECT SUM(n) FROM glo)",
    "CREATE FUNCTION r5(x INT) RETURNS INT BEGIN INSERT INTO glo VALUES (x, x);"
    " RETURN r4(); END",
    "CREATE PROCEDURE h5() SELECT id INTO @later FROM later",
]
USED_AT_HOME = [
    "CALL h1(2, @b)", "SELECT @b", "CALL h2(1)", "CALL h2(3)", "CALL h3()", "CALL fun.h4(3)",
    "SELECT @h", "SELECT r4(), n FROM glo ORDER BY id", "SELECT r5(70)", "CALL h1(twice(1), @b)",
    "CALL h1((SELECT MAX(id) FROM glo WHERE id < 3), @b)", "CALL h5()",
    "SET @x = r4()", "SELECT @x", "CALL h1(1)", "CALL h4((SELECT COUNT(*) - 3 FROM ref))",
    "BEGIN NOT ATOMIC SELECT r4(), twice(3), abs(-1); INSERT INTO glo (id, n) VALUES (81, 1); END",
]
NOT_AT_HOME = [
    ("EXECUTE IMMEDIATE 'DELETE FROM t'", "executes text"),
    ("BEGIN PREPARE s FROM 'DELETE FROM t'; END", "executes text"),
    ("BEGIN START TRANSACTION; DELETE FROM glo; COMMIT; END", "a transaction"),
    ("SET autocommit = 1", "a transaction"), ("SET @@session.`autocommit` = 1", "a transaction"),
    ("SET SESSION autocommit = 1", "a transaction"), ("TRUNCATE glo", "defines"),
    ("CREATE TABLE made (a INT)", "defines"), ("SHOW TABLES", "defines"),
    ("SELECT COUNT(*) FROM information_schema.TABLES", "defines"),
    ("SELECT COUNT(*) FROM mysql.user", "defines"), ("SELECT GET_LOCK('a', 0)", "by name"),
    ("CALL l1()", "names, or may reach"),
    ("BEGIN SELECT x FROM sees; DELETE FROM glo; END", "names, or may reach"),
    ("SELECT x FROM sees", "the view 'sees'"),
    ("BEGIN CALL h5(); DELETE FROM glo; END", "names, or may reach"),
    ("SELECT r6()", "names, or may reach"), ("SELECT fun . r6()", "names, or may reach"),
    ("SELECT `r6`()", "names, or may reach"), ("CALL unknown()", "names, or may reach"),
    ("SELECT * FROM `l``ter`", "not known"), ("/*!50000 SELECT 1 */", "not known"),
]


def results(connection, sql):
    out = []
    with connection.cursor() as c:
        try:
            c.execute(sql)
            out.append((c.fetchall(), c.rowcount))
            while c.nextset():
                out.append((c.fetchall(), c.rowcount))
        except pymysql.err.MySQLError as e:
            out.append(e.args)
    return out


def test_a_routine_of_its_home_alone(pair):
    both = pair
    for sql in AT_HOME:
        both.run(sql)
    for sql in USED_AT_HOME:
        for begins in ("SET @y = 1", "BEGIN"):
            one, other = (results(c, sql) for c in both.connections)
            assert one == other, sql
            both.run("COMMIT" if begins == "BEGIN" else begins)
    one, other = (answer(c, "SELECT * FROM glo ORDER BY id") for c in both.connections)
    assert one == other


@pytest.mark.parametrize("body, why", NOT_AT_HOME)
def test_a_routine_that_reaches_more_is_refused(reaching, body, why):
    with reaching.cursor() as c:
        c.execute(f"CREATE OR REPLACE PROCEDURE n1() {body}")
        for sql in ("CALL n1()", "CALL fun.n1", "PREPARE s FROM 'CALL n1()'"):
            with pytest.raises(pymysql.err.MySQLError, match=why) as e:
                c.execute(sql)
                c.execute("EXECUTE s")
            assert e.value.args[0] == 1235


@pytest.mark.parametrize("sql", [
    "CALL h1((SELECT MAX(id) FROM t), @b)",
    "CALL h4(r6())", "SELECT r6()", "CALL no_such()",
    "BEGIN NOT ATOMIC SET @a = r6(); END", "BEGIN NOT ATOMIC SELECT fun.`r6` (); END",
    "IF r6() THEN SELECT 1; END IF"])
def test_what_a_call_is_given_is_seen(reaching, sql):
    assert answer(reaching, sql)[0] == 1235


def test_a_body_is_of_the_database_of_its_routine(reaching):
    """Not of the session's: it would write rows of a sharded table to the home."""
    reaching.select_db("elsewhere")
    assert answer(reaching, "CREATE PROCEDURE fun.n2() INSERT INTO t VALUES (1, 1, '', 1, NULL)")
    for sql in ("CALL fun.n2()",
                "CREATE TRIGGER fun.n2 BEFORE INSERT ON fun.glo FOR EACH ROW DELETE FROM u",
                "CREATE FUNCTION fun.n2() RETURNS INT BEGIN DELETE FROM t; RETURN 1; END"):
        assert answer(reaching, sql)[0] == 1235, sql
    answer(reaching, "DROP PROCEDURE fun.n2")
    reaching.select_db(DB)


@pytest.fixture(scope="module")
def reaching(pair):
    shardd = pair.cluster.connect(db=DB)
    assert "shardd" not in str(answer(shardd, "CREATE DATABASE elsewhere"))
    for sql in ("CREATE FUNCTION r6() RETURNS INT BEGIN DELETE FROM later; RETURN 1; END",
                "CREATE PROCEDURE l1() DELETE FROM fun.later",
                "CREATE PROCEDURE unknown() CALL no_such()",
                "CREATE TABLE later (id INT PRIMARY KEY) COMMENT 'shardd: key(id)'",
                "CREATE VIEW sees AS SELECT n AS x FROM glo"):
        assert "shardd" not in str(answer(shardd, sql)), sql
    yield shardd
    answer(shardd, "DROP DATABASE elsewhere")
    shardd.close()


# What only reads, of tables on several shards as well.
READING = [
    "CREATE PROCEDURE g1(IN a INT, OUT b INT) BEGIN SELECT COUNT(*) INTO b FROM t WHERE n > a;"
    " SELECT t.id, u.b, ref.n FROM t JOIN u ON t.n = u.b JOIN ref ON ref.id = u.b ORDER BY 1, 2;"
    " SELECT * FROM glo ORDER BY id; SET @seen = b; END",
    "CREATE PROCEDURE g2(INOUT s INT) BEGIN DECLARE done INT DEFAULT 0; DECLARE x INT;"
    " DECLARE c CURSOR FOR SELECT n FROM t WHERE id > s ORDER BY id DESC; DECLARE CONTINUE HANDLER"
    " FOR NOT FOUND SET done = 1; OPEN c; l: LOOP FETCH c INTO x; IF done THEN LEAVE l; END IF;"
    " SET s = s + COALESCE(x, 0); END LOOP; CLOSE c; END",
    "CREATE PROCEDURE g3(x INT) BEGIN IF x > 0 THEN CALL g3(x - 1); SELECT x, COUNT(*) FROM t a"
    " JOIN t b ON a.n = b.n WHERE a.id > (SELECT MIN(id) + x FROM t); END IF; CALL g1(x, @b); END",
    "CREATE PROCEDURE g4() BEGIN SELECT id FROM t WHERE id = -1; SELECT id INTO @none FROM t WHERE"
    " id = -1; SELECT w, GROUP_CONCAT(id) FROM t GROUP BY w ORDER BY w; SIGNAL SQLSTATE '45000' SET"
    " MESSAGE_TEXT = 'enough'; END",
    "CREATE PROCEDURE g5() SELECT * FROM t ORDER BY id LIMIT 3",
    "CREATE PROCEDURE g6() SELECT g7(3), g7(id), g8(id) FROM glo ORDER BY id",
    "CREATE FUNCTION g7(x INT) RETURNS INT RETURN (SELECT COUNT(*) FROM u WHERE a = x)",
    "CREATE FUNCTION g8(x INT) RETURNS INT BEGIN DECLARE y INT; SELECT MAX(t.id) INTO y FROM t"
    " JOIN u ON t.id = u.b WHERE t.n = twice(x) AND g7(x) > 0; RETURN y; END",
    "CREATE PROCEDURE g9() BEGIN SELECT 1 UNION SELECT n FROM ref ORDER BY 1; SELECT @a := 5,"
    " NOW() > '2000-01-01', w || 'x' FROM t WHERE id = 1; SELECT 1/0, DATABASE(); END",
]
CALLED = [
    "CALL g1(2, @b)", "SELECT @b, @seen", "CALL fun.G1(-1, @c)", "SELECT @c, @seen",
    "CALL g1(2, 3)", "CALL g1(1)", "SET @s = 10", "CALL g2(@s)", "SELECT @s", "CALL g3(2)",
    "CALL g4()",
    "SELECT @none", "CALL g5", "CALL g6", "CALL g9()", "SELECT @a", "CALL g1('2', @b)", "SELECT @b",
]


def test_a_procedure_that_only_reads(pair):
    """Its tables are brought together on the engine, and it runs there."""
    both = pair
    both.run("SET max_sp_recursion_depth = 5")
    for sql in READING:
        both.run(sql)
    for begins in ("SET @y = 1", "BEGIN"):
        both.run(begins)
        if begins == "BEGIN": # its own rows, and not yet those of others
            both.run("UPDATE t SET n = n + 1, id = id + 100 WHERE id > 30")
            both.run("DELETE FROM glo WHERE id = 2")
        for sql in CALLED:
            one, other = (results(c, sql) for c in both.connections)
            assert one == other, sql
        both.run("ROLLBACK")
    # By the binary protocol, with parameters of both directions.
    for c in both.connections:
        answer(c, "PREPARE p FROM 'CALL g1(?, ?)'")
        answer(c, "SET @i = 3, @o = 7")
    one, other = (results(c, "EXECUTE p USING @i, @o") + results(c, "SELECT @o")
                  for c in both.connections)
    assert one == other
    # A connection of the engine knows nothing of the tables of before. (A server's own keeps what
    # it knew of them, and has to be a new one.)
    for change in ("ADD COLUMN more INT DEFAULT 8 FIRST", "DROP COLUMN day", "DROP COLUMN more",
                   "ADD COLUMN day DATE"):
        both.run(f"ALTER TABLE t {change}")
        with both.plain.connect(db=DB) as fresh:
            results(fresh, "SET max_sp_recursion_depth = 5")
            for sql in ("CALL g5()", "CALL g3(1)"):
                one, other = (results(c, sql) for c in (both.connections[0], fresh))
                assert one == other, sql
    both.run("UPDATE t SET day = '2024-01-01'")
    both.run("CREATE OR REPLACE PROCEDURE g5() SELECT COUNT(*), SUM(id) FROM t")
    one, other = (results(c, "CALL g5()") for c in both.connections)
    assert one == other
    both.run("SET max_sp_recursion_depth = DEFAULT")
    shardd = both.connections[0]
    told = str(results(shardd, "EXPLAIN SHARDD CALL g1(1, @b)"))
    assert "with the caller's rights" in told and "table: fun.glo" in told


def test_a_comment_sends_a_call_to_a_shard(pair):
    both, cluster = pair, pair.cluster
    shardd = both.connections[0]
    total = 0
    for shard in cluster.shard_list():
        rows = cluster.on_shard(shard, "SELECT COUNT(*), SUM(id) FROM fun.t")
        said = results(shardd, f"/* shardd: shard={shard['name']} */ CALL g5()")
        assert said[0][0] == rows
        total += rows[0][0]
    assert total == results(shardd, "SELECT COUNT(*) FROM t")[0][0][0][0]
    answer(shardd, "CREATE PROCEDURE n9() BEGIN SELECT 1 FROM t; DELETE FROM glo; END")
    for sql in ("CALL n9()", # it names a sharded table, and writes
                "CALL g1((SELECT 1), @b)", "CALL h1(1, @b)"):
        assert answer(shardd, "/* shardd: shard=shard-1 */ " + sql)[0] == 1235, sql
    for sql in ("CREATE TEMPORARY TABLE own (a INT)", "LOCK TABLES glo READ"):
        answer(shardd, sql)
        assert results(shardd, "CALL g1(1, @b)")[0][0] in (1235, 1100), sql
        answer(shardd, "UNLOCK TABLES" if "LOCK" in sql else "DROP TEMPORARY TABLE own")


def test_whose_rights_a_call_has(pair):
    """Those of the caller, who must have them on the tables too."""
    both, cluster = pair, pair.cluster
    for sql in ("CREATE USER reads IDENTIFIED BY 'reads'", "GRANT EXECUTE ON fun.* TO reads"):
        cluster.sql(sql, db=None)
    codes = []
    for grant in (None, "GRANT SELECT ON fun.* TO reads", "REVOKE EXECUTE ON fun.* FROM reads"):
        if grant:
            cluster.sql(grant, db=None)
        with cluster.connect(db=DB, user="reads", password="reads") as c:
            said = results(c, "CALL g5()")
            codes.append(said[0][0] if isinstance(said[0][0], int) else "rows")
    assert codes == [1142, "rows", 1370]
    cluster.sql("DROP USER reads", db=None)


FUNCTIONS_READING = [
    "SELECT g7(3)", "SELECT id, g7(id) FROM t ORDER BY id", "SELECT id, g7(id) FROM t WHERE id = 5",
    "SELECT id FROM t WHERE g7(n) > 2 AND id < 30 ORDER BY id", "SELECT MAX(g8(n)) FROM t",
    "SELECT id, n, r4() FROM t WHERE id IN (3, 4, 5) ORDER BY id",
    "SELECT n FROM t WHERE id = r4()", "SELECT id, r4() FROM t WHERE id = 7",
    "SELECT n, g7(n) FROM glo ORDER BY id",
    "SELECT t.id, u.b FROM t JOIN u ON t.id = u.a WHERE u.b = g8(u.a) OR g7(t.id) = u.b ORDER BY 1",
    "WITH x AS (SELECT a, g7(a) AS c FROM u WHERE a < 5) SELECT a, MAX(c) FROM x GROUP BY a",
    "SELECT id FROM t WHERE id = 3 AND n > (SELECT g7(2)) - 3", "SELECT g7(ref.id), n FROM ref",
    "SELECT g7(3) + g8(1) INTO @x", "SELECT @x", "SELECT g7(a, 1) FROM u", "SELECT g7('x')",
]


def test_a_function_that_only_reads(pair):
    both = pair
    for begins in ("SET @y = 1", "BEGIN"):
        both.run(begins)
        if begins == "BEGIN":
            both.run("UPDATE u SET a = a + 1, b = b + 1000 WHERE b > 20")
            both.run("UPDATE glo SET n = n + 3")
        for sql in FUNCTIONS_READING:
            one, other = (answer(c, sql) for c in both.connections)
            assert one == other, sql
        both.run("ROLLBACK")
    shardd = both.connections[0]
    for sql in ("UPDATE t SET n = g7(id)", "DELETE FROM u WHERE g7(a) > 1",
                "UPDATE glo SET n = g7(1)", "INSERT INTO u SELECT id, g7(id), w FROM t",
                "CREATE VIEW v7 AS SELECT g7(id) FROM glo",
                "SELECT g7(a) FROM u FOR UPDATE", "SET @x = g7(3)", "DO g7(3)",
                "BEGIN NOT ATOMIC SELECT g7(1); END", "SHOW TABLES WHERE g7(3) > 1",
                "INSERT INTO t (id) VALUES (900) RETURNING fun . `g7` (3)",
                "INSERT INTO t (id) VALUES (900) RETURNING r4()",
                "DELETE FROM ref WHERE id = 900 RETURNING g7(3)"):
        assert answer(shardd, sql)[0] == 1235, sql


def test_a_database_of_global_tables_reaches_another_ones(pair):
    """Its routines run on its home, but those that name, or call what names, sharded tables."""
    shardd = pair.connections[0]
    for sql in ("CREATE DATABASE near", "USE near",
                "CREATE TABLE glo (id INT PRIMARY KEY, n INT) COMMENT 'shardd: global'",
                "CREATE PROCEDURE z1() SELECT COUNT(*) FROM fun.t",
                "CREATE FUNCTION z2() RETURNS INT RETURN (SELECT COUNT(*) FROM fun.t)",
                "CREATE PROCEDURE z3() BEGIN INSERT INTO glo VALUES (1, 1); CALL fun.g5(); END",
                "CREATE PROCEDURE z4() BEGIN COMMIT; CALL z1(); END",
                "CREATE FUNCTION z5() RETURNS INT BEGIN DELETE FROM glo; RETURN z2(); END",
                "INSERT INTO glo VALUES (9, 9)"):
        assert "shardd" not in str(answer(shardd, sql)), sql
    all_rows = answer(shardd, "SELECT COUNT(*) FROM fun.t")[1]
    assert results(shardd, "CALL z1()")[0][0] == tuple(all_rows)
    assert answer(shardd, "SELECT z2() FROM glo")[1] == all_rows
    for sql in ("CALL z3()", "CALL z4()", "SELECT z5()", "UPDATE glo SET n = z2()",
                "BEGIN NOT ATOMIC CALL z1(); END", "BEGIN NOT ATOMIC SELECT z2(); END",
                "DELETE FROM glo RETURNING z2()"):
        assert answer(shardd, sql)[0] == 1235, sql
    answer(shardd, "DROP DATABASE near")
    shardd.select_db(DB)


def test_no_trigger_or_view_reads_a_part_of_the_rows(pair):
    """They run on one shard, and so would a routine that they call."""
    shardd = pair.connections[0]
    for sql in ("CREATE TABLE seen_by (id INT PRIMARY KEY, n INT) COMMENT 'shardd: global'",
                "CREATE FUNCTION k1(x INT) RETURNS INT RETURN x + (SELECT 0)",
                "CREATE FUNCTION k2(x INT) RETURNS INT RETURN k1(x)",
                "CREATE FUNCTION k3(x INT) RETURNS INT RETURN x",
                "CREATE PROCEDURE k4() SELECT COUNT(*) INTO @k FROM seen_by",
                "CREATE TRIGGER k5 BEFORE INSERT ON seen_by FOR EACH ROW SET NEW.n = k2(NEW.id)",
                "CREATE TRIGGER k6 AFTER DELETE ON seen_by FOR EACH ROW CALL k4()",
                "CREATE VIEW k7 AS SELECT fun.K3(id) AS x FROM seen_by"):
        assert "shardd" not in str(answer(shardd, sql)), sql
    for sql, who in (("FUNCTION k1(x INT) RETURNS INT RETURN (SELECT COUNT(*) FROM t)",
                      "trigger fun.k5"),
                     ("FUNCTION k2(x INT) RETURNS INT RETURN g7(x)", "trigger fun.k5"),
                     ("FUNCTION k3(x INT) RETURNS INT RETURN (SELECT MAX(n) FROM ref)",
                      "view fun.k7"),
                     ("PROCEDURE k4() BEGIN DELETE FROM seen_by; CALL g5(); END",
                      "trigger fun.k6")):
        said = answer(shardd, "CREATE OR REPLACE " + sql)
        assert said[0] == 1235 and who in said[1], (sql, said)
    for what in ("TABLE seen_by", "VIEW k7", "FUNCTION k1", "FUNCTION k2", "FUNCTION k3",
                 "PROCEDURE k4"):
        assert "shardd" not in str(answer(shardd, "DROP " + what)), what


def test_no_trigger_writes_to_what_is_spread_later(pair):
    """It runs on its database's home, and rows there would be lost to everybody."""
    both, key = pair, "COMMENT 'shardd: key(id)'"
    shardd = both.connections[0]
    for sql in ("CREATE TABLE origin (id INT PRIMARY KEY, tomorrow INT)",
                "CREATE PROCEDURE c1(i INT) INSERT INTO soon VALUES (i)",
                "CREATE PROCEDURE c2(i INT) CALL c1(i)"):
        both.run(sql + (" COMMENT 'shardd: global'" if "TABLE" in sql else ""))
    for sql in ("CREATE TRIGGER o1 BEFORE INSERT ON origin FOR EACH ROW CALL c2(NEW.id)",
                "CREATE TRIGGER o2 AFTER INSERT ON origin FOR EACH ROW INSERT INTO `next` "
                "VALUES (NEW.id, NEW.tomorrow)"):
        both.run(sql)
    for name in ("soon", "Next"):
        assert answer(shardd, f"CREATE TABLE {name} (id INT PRIMARY KEY, n INT) {key}")[0] == 1235
        assert "trigger fun.o" in str(answer(
            shardd, f"CREATE TABLE {name} (id INT PRIMARY KEY) COMMENT 'shardd: reference'"))
        assert answer(shardd, f"CREATE TABLE {name} LIKE t")[0] == 1235
    both.run(f"CREATE TABLE tomorrow (id INT PRIMARY KEY) {key}")  # a column's name there
    both.run("INSERT INTO tomorrow VALUES (9)")
    for sql in ("RENAME TABLE tomorrow TO `next`", "ALTER TABLE tomorrow RENAME `next`",
                "CREATE VIEW soon AS SELECT id FROM tomorrow"):
        assert answer(shardd, sql)[0] == 1235, sql
    # Who asks for no key gets a global one, and the rows are where they are looked for.
    assert answer(shardd, "CREATE TABLE soon (PRIMARY KEY (id)) SELECT id FROM tomorrow")[0] == 1235
    both.run("CREATE TABLE soon (id INT PRIMARY KEY)")
    both.run("CREATE TABLE `next` (id INT PRIMARY KEY, n INT)")
    assert answer(shardd, f"ALTER TABLE soon {key}")[0] == 1235
    both.run("INSERT INTO origin VALUES (1, 2), (2, 3)")
    for sql in ("SELECT * FROM soon WHERE id = 2", "SELECT * FROM `next` WHERE id = 1",
                "SELECT * FROM soon JOIN `next` USING (id) ORDER BY 1"):
        one, other = (answer(c, sql) for c in both.connections)
        assert one == other and len(one[1]) > 0
    # A routine that may reach more is not for triggers.
    answer(shardd, "CREATE PROCEDURE c3() SELECT COUNT(*) FROM tomorrow2")
    answer(shardd, f"CREATE TABLE tomorrow2 (id INT PRIMARY KEY) {key}")
    assert answer(shardd, "CREATE TRIGGER o3 AFTER UPDATE ON origin FOR EACH ROW CALL c3()")[0] \
        == 1235
    for sql in ("DROP TABLE origin, soon, `next`, tomorrow", "DROP PROCEDURE c1",
                "DROP PROCEDURE c2"):
        both.run(sql)
    assert "Error" not in str(answer(shardd, f"CREATE TABLE soon (id INT PRIMARY KEY) {key}"))
    answer(shardd, "DROP TABLE soon, tomorrow2")


def test_replaced_and_dropped(pair):
    both = pair
    use = "SELECT id, r2(n) FROM t ORDER BY id"
    spread = "SELECT t.id, r2(u.b) FROM t JOIN u ON r2(t.n) = u.b ORDER BY 1, 2"
    for body in ("x + 1", "x + 2", "x * x"):
        both.run(f"CREATE OR REPLACE FUNCTION r2(x INT) RETURNS INT RETURN {body}")
        for sql in (use, spread):
            one, other = (answer(c, sql) for c in both.connections)
            assert one == other and len(one[1]) > 0
    # Refused by all: it is as it was.
    for c in both.connections:
        assert answer(c, "CREATE FUNCTION r2() RETURNS INT RETURN 1")[0] == 1304
        for bad in ("unknown(", "1 +"):
            assert answer(c, f"CREATE OR REPLACE FUNCTION r2() RETURNS INT RETURN {bad}")[0] == 1064
        answer(c, "CREATE FUNCTION IF NOT EXISTS r2() RETURNS INT RETURN 1")
        answer(c, "ALTER FUNCTION r2 COMMENT 'squares'")
    one, other = (answer(c, use) for c in both.connections)
    assert one == other
    # No longer of its arguments alone, and again.
    shardd = both.connections[0]
    answer(shardd, "CREATE OR REPLACE FUNCTION r2(x INT) RETURNS INT RETURN x + @@port * 0")
    assert answer(shardd, use)[0] == 1235
    both.run("CREATE OR REPLACE FUNCTION r2(x INT) RETURNS INT RETURN x - 1")
    one, other = (answer(c, use) for c in both.connections)
    assert one == other
    both.run("DROP FUNCTION r2")
    assert answer(shardd, "SELECT r2(1)")[0] == answer(both.connections[1], "SELECT r2(1)")[0]
    assert answer(shardd, use)[0] == answer(both.connections[1], use)[0]
    for c in both.connections:
        assert answer(c, "DROP FUNCTION r2")[0] == 1305
        answer(c, "DROP FUNCTION IF EXISTS r2")


def test_it_keeps_the_sql_mode_and_the_character_set_it_was_made_with(pair):
    both = pair
    both.run("SET sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT', NAMES latin1")
    both.run("CREATE FUNCTION r3(\"x\" VARCHAR(20)) RETURNS VARCHAR(40) RETURN \"x\" || '!'")
    both.run("SET sql_mode = DEFAULT, NAMES utf8mb4")
    for sql in ("SELECT r3(w) FROM t ORDER BY id", "SELECT DISTINCT r3(t.w) FROM t JOIN u"
                " ON r3(t.w) = r3(LOWER(u.w)) ORDER BY 1",
                "SELECT COLLATION(r3(w)), r3(w) = 'W1!' FROM t ORDER BY id"):
        one, other = (answer(c, sql) for c in both.connections)
        assert one == other
    both.run("DROP FUNCTION r3")


def test_in_a_view_and_prepared(pair):
    both = pair
    both.run("CREATE VIEW seen AS SELECT id, twice(n) AS m FROM t")
    both.run("CREATE VIEW counted AS SELECT label(w, n) AS l, COUNT(*) AS c FROM t GROUP BY 1")
    for sql in ("SELECT * FROM seen ORDER BY id", "SELECT * FROM counted ORDER BY l",
                "SELECT c.l, s.id FROM counted c JOIN seen s ON s.m = c.c ORDER BY 1, 2"):
        one, other = (answer(c, sql) for c in both.connections)
        assert one == other
    for c in both.connections:
        answer(c, "PREPARE p FROM 'SELECT id, gcd(id, ?) FROM t WHERE gcd(id, ?) > 1 ORDER BY id'")
        answer(c, "SET @a = 6")
    one, other = (answer(c, "EXECUTE p USING @a, @a") for c in both.connections)
    assert one == other and len(one[1]) > 0
    both.run("DROP VIEW seen, counted")


def test_connections_of_before_may_run_it(new_cluster):
    """An engine's connection is as old as its user's first function."""
    c = new_cluster()
    c.sql("CREATE TABLE t (id INT PRIMARY KEY)")
    c.sql("INSERT INTO t VALUES (1), (2), (3), (4)")
    connection = c.connect()
    assert answer(connection, "SELECT a.id FROM t a JOIN t b ON a.id * 2 = b.id")[1]
    assert answer(connection, "CREATE FUNCTION f(x INT) RETURNS INT RETURN x * 2")
    one = answer(connection, "SELECT a.id FROM t a JOIN t b ON f(a.id) = b.id ORDER BY 1")
    assert one[1] == [(1,), (2,)]
    connection.close()


LIFE = ["CALL counts(3)", "SELECT many(id) FROM t WHERE id = 4", "SELECT cube(2)",
        "SELECT id, cube(id) FROM t ORDER BY id",
        "SELECT a.id FROM t a JOIN t b ON cube(a.id) = b.id ORDER BY 1"]
LIFE_ANSWERS = [((26, 429),), ((28,),), ((8,),), tuple((i, i ** 3) for i in range(1, 30)),
                ((1,), (2,), (3,))]


def test_new_servers_and_new_homes_have_it(new_cluster):
    c = new_cluster(shards=1)
    c.sql("CREATE TABLE t (id INT PRIMARY KEY)")
    c.sql("INSERT INTO t VALUES " + ",".join(f"({i})" for i in range(1, 30)))
    c.sql("SET sql_mode = 'ANSI_QUOTES'")
    c.sql("CREATE FUNCTION Cube(x INT) RETURNS INT RETURN x * x * x")
    c.sql("CREATE PROCEDURE counts(x INT) SELECT COUNT(*), SUM(id) FROM t WHERE id > x")
    c.sql("CREATE FUNCTION many(x INT) RETURNS INT RETURN (SELECT COUNT(*) FROM t WHERE id <> x)")
    home = c.shard_list()[0]["name"]
    c.sql("CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW IF NEW.id = 5 THEN SIGNAL SQLSTATE"
          " '45000'; END IF")
    c.ctl("shard add")
    there = [c.on_shard(s, "SHOW CREATE TRIGGER tr", "app")[0][:6] for s in c.shard_list()]
    assert len(there) == 2 and there[0] == there[1]
    c.ctl("reshard rebalance", "--no-reverse", "--wait")
    c.sql("DROP TRIGGER tr")
    assert c.on_shard(c.shard_list()[1], "SHOW TRIGGERS", "app") == ()
    answers = lambda: [c.sql(sql) for sql in LIFE]
    assert answers() == LIFE_ANSWERS
    # An engine that is started anew has it again.
    pid = c.ctl("engine list")["engines"][0]["pid"]
    os.kill(pid, signal.SIGKILL)
    testbed.wait_for("another engine", lambda: c.ctl("engine list")["engines"][0]["pid"]
                     not in (0, pid))
    testbed.wait_for("the function there", lambda: answer_of(c, LIFE[4]) == LIFE_ANSWERS[4])
    c.ctl("engine add", "--name", "second")
    assert answers() == LIFE_ANSWERS
    # What a shard lacks, or has otherwise, is found and mended.
    one, other = c.shard_list()
    away = other if one["name"] == home else one
    c.on_shard(away, "DROP PROCEDURE app.counts")
    c.on_shard(away, "CREATE OR REPLACE FUNCTION app.many(x INT) RETURNS INT RETURN 1")
    said = c.ctl_raw("fsck").stdout
    assert "app.many is another one than on its database's home" in said, said
    assert "app.counts is not there" in said, said
    c.ctl_raw("fsck", "--repair", "--yes")
    c.fsck()
    assert c.sql(f"/* shardd: shard={away['name']} */ CALL counts(0)") == c.on_shard(
        away, "SELECT COUNT(*), SUM(id) FROM app.t")
    # Its database's home may go.
    c.ctl("shard drain", home, "--no-reverse", "--wait")
    assert len(c.shard_list()) == 1 and answers() == LIFE_ANSWERS
    c.ctl("shard add")
    assert all(c.on_shard(shard, "SELECT app.cube(3)") == ((27,),) for shard in c.shard_list())
    # With another collation it would be another one on the engines.
    c.sql("ALTER DATABASE app COLLATE utf8mb4_bin")
    with pytest.raises(pymysql.err.MySQLError, match="CREATE OR REPLACE FUNCTION"):
        c.sql(LIFE[3])
    assert answer_of(c, LIFE[0])[0] == 1235
    c.sql("CREATE OR REPLACE FUNCTION cube(x INT) RETURNS INT RETURN x * x * x")
    c.sql("CREATE OR REPLACE FUNCTION many(x INT) RETURNS INT RETURN (SELECT COUNT(*) FROM t"
          " WHERE id <> x)")
    c.sql("CREATE OR REPLACE PROCEDURE counts(x INT) SELECT COUNT(*), SUM(id) FROM t WHERE id > x")
    assert answers() == LIFE_ANSWERS
    # Rights count, wherever it would run.
    c.sql("CREATE USER some IDENTIFIED BY 'some'")
    c.sql("GRANT SELECT ON app.* TO some")
    c.sql("GRANT EXECUTE ON app.* TO some")
    c.sql("CREATE DATABASE `we``ird`")
    c.sql("CREATE FUNCTION `we``ird`.twice(x INT) RETURNS INT RETURN x * 2")
    c.sql("GRANT EXECUTE ON `we``ird`.* TO some")
    with c.connect(user="some", password="some") as connection:
        assert answer(connection, "SELECT a.id FROM t a JOIN t b ON `we``ird`.twice(a.id) = b.id"
                                  " WHERE b.id < 6 ORDER BY 1")[1] == [(1,), (2,)]
    for said in (None, "REVOKE EXECUTE ON app.* FROM some"):
        if said:
            c.sql(said)
        connection = c.connect(user="some", password="some")
        for sql, expected in zip(LIFE, LIFE_ANSWERS):
            one = answer(connection, sql)
            assert one[0] == 1370 if said else one[1] == list(expected)
        connection.close()


def answer_of(c, sql):
    try:
        return c.sql(sql)
    except pymysql.err.MySQLError as e:
        return e.args


@pytest.mark.long
def test_no_engine_runs_what_was_replaced_while_it_was_away(new_cluster):
    c = new_cluster(shards=2)
    c.sql("CREATE TABLE t (id INT PRIMARY KEY)")
    c.sql("INSERT INTO t VALUES (1), (2), (3), (4)")
    make = "CREATE OR REPLACE PROCEDURE p() SELECT '{}', COUNT(*) FROM t"
    c.sql(make.format("old"))
    assert c.sql("CALL p()") == (("old", 4),)
    pid = c.ctl("engine list")["engines"][0]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        assert "does not answer" in answer_of(c, make.format("new"))[1]
    finally:
        os.kill(pid, signal.SIGCONT)
    end = time.monotonic() + 7  # it is up to date again by then
    while time.monotonic() < end:
        assert answer_of(c, "CALL p()")[0] == 1235
    c.sql(make.format("new"))
    assert c.sql("CALL p()") == (("new", 4),)


@pytest.mark.long
def test_while_rows_move(new_cluster):
    """Every call sees each row once."""
    c = new_cluster(shards=2)
    c.sql("CREATE TABLE t (id INT PRIMARY KEY, n INT) COMMENT 'shardd: key(id)'")
    for k in range(0, 20000, 2000):
        c.sql("INSERT INTO t VALUES " + ",".join(f"({i}, {i % 7})" for i in range(k, k + 2000)))
    c.sql("CREATE PROCEDURE total() SELECT COUNT(*), SUM(id), SUM(n) FROM t")
    c.sql("CREATE PROCEDURE twice() BEGIN CALL total(); SELECT SUM(id) FROM t; END")
    c.sql("CREATE FUNCTION sums() RETURNS BIGINT RETURN (SELECT SUM(id) FROM t)")
    statements = ["CALL total()", "CALL twice()", "SELECT sums()"]
    with c.connect() as connection:
        before = [results(connection, sql) for sql in statements]
    stop, told = threading.Event(), []

    def run(at):
        with c.connect() as connection:
            while not stop.is_set():
                told.append((at, results(connection, statements[at])))

    threads = [threading.Thread(target=run, args=[at]) for at in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(2):
        c.ctl("shard add")
        c.ctl("reshard rebalance", "--no-reverse", "--wait", timeout=300)
    stop.set()
    for thread in threads:
        thread.join()
    assert {at for at, _ in told} == {0, 1, 2}
    assert [one for at, one in told if one != before[at]] == []
    c.fsck()
