"""test_functions.py - stored functions beside sharded tables: one of its arguments alone is on all
servers, and gives what it gives on one; every other one is refused with the reason."""
import os
import signal

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
# What is used, and a word of the reason.
REFUSED = [
    ("CREATE FUNCTION r1() RETURNS INT RETURN (SELECT COUNT(*) FROM glo)", "reads tables"),
    ("CREATE FUNCTION r1(x INT) RETURNS INT RETURN twice(x)", "calls other routines"),
    ("CREATE FUNCTION r1(x INT) RETURNS INT RETURN fun.twice(x)", "calls other routines"),
    ("CREATE FUNCTION r1() RETURNS DOUBLE RETURN RAND()", "more than its arguments"),
    ("CREATE FUNCTION r1() RETURNS DATETIME RETURN CURRENT_TIMESTAMP", "more than its arguments"),
    ("CREATE FUNCTION r1(at TIME) RETURNS DATETIME RETURN at", "more than its arguments"),
    ("CREATE FUNCTION r1() RETURNS INT BEGIN SET @a = 1; RETURN 1; END", "variables"),
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
            for sql in (f"SELECT r1({arguments}) FROM t", f"SELECT id, n FROM t HAVING"
                        f" r1({arguments}) > 1", f"UPDATE t SET n = r1({arguments})")[
                            :1 if "AGGREGATE" in create else 3]:
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
    ("SELECT x FROM sees", "names, or may reach"), ("CALL h5()", "names, or may reach"),
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
    "CALL h4(r6())", "SELECT r6()", "CALL h5()", "CALL no_such()",
    "BEGIN NOT ATOMIC SET @a = r6(); END", "BEGIN NOT ATOMIC SELECT fun.`r6` (); END",
    "IF r6() THEN SELECT 1; END IF"])
def test_what_a_call_is_given_is_seen(reaching, sql):
    assert answer(reaching, sql)[0] == 1235


def test_a_body_is_of_the_database_of_its_routine(reaching):
    """Not of the session's: it would write rows of a sharded table to the home."""
    reaching.select_db("elsewhere")
    for sql in ("CREATE PROCEDURE fun.n2() INSERT INTO t VALUES (1, 1, '', 1, NULL)",
                "CREATE TRIGGER fun.n2 BEFORE INSERT ON fun.glo FOR EACH ROW DELETE FROM u",
                "CREATE FUNCTION fun.n2() RETURNS INT RETURN (SELECT COUNT(*) FROM t)"):
        assert answer(reaching, sql)[0] == 1235, sql
    reaching.select_db(DB)


@pytest.fixture(scope="module")
def reaching(pair):
    shardd = pair.cluster.connect(db=DB)
    assert "shardd" not in str(answer(shardd, "CREATE DATABASE elsewhere"))
    for sql in ("CREATE FUNCTION r6() RETURNS INT READS SQL DATA RETURN (SELECT 1 FROM later)",
                "CREATE PROCEDURE l1() SELECT COUNT(*) FROM fun.later",
                "CREATE PROCEDURE unknown() CALL no_such()",
                "CREATE TABLE later (id INT PRIMARY KEY) COMMENT 'shardd: key(id)'",
                "CREATE VIEW sees AS SELECT n AS x FROM glo"):
        assert "shardd" not in str(answer(shardd, sql)), sql
    yield shardd
    answer(shardd, "DROP DATABASE elsewhere")
    shardd.close()


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
        assert answer(c, "CREATE OR REPLACE FUNCTION r2() RETURNS INT RETURN unknown(")[0] == 1064
        answer(c, "CREATE FUNCTION IF NOT EXISTS r2() RETURNS INT RETURN 1")
        answer(c, "ALTER FUNCTION r2 COMMENT 'squares'")
    one, other = (answer(c, use) for c in both.connections)
    assert one == other
    # No longer of its arguments alone, and again.
    shardd = both.connections[0]
    answer(shardd, "CREATE OR REPLACE FUNCTION r2(x INT) RETURNS INT RETURN x + RAND() * 0")
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


LIFE = ["SELECT cube(2)", "SELECT id, cube(id) FROM t ORDER BY id", "SELECT a.id FROM t a JOIN t b"
        " ON cube(a.id) = b.id ORDER BY 1"]
LIFE_ANSWERS = [((8,),), tuple((i, i ** 3) for i in range(1, 30)), ((1,), (2,), (3,))]


def test_new_servers_and_new_homes_have_it(new_cluster):
    c = new_cluster(shards=1)
    c.sql("CREATE TABLE t (id INT PRIMARY KEY)")
    c.sql("INSERT INTO t VALUES " + ",".join(f"({i})" for i in range(1, 30)))
    c.sql("SET sql_mode = 'ANSI_QUOTES'")
    c.sql("CREATE FUNCTION Cube(x INT) RETURNS INT RETURN x * x * x")
    home = c.shard_list()[0]["name"]
    c.ctl("shard add")
    c.ctl("reshard rebalance", "--no-reverse", "--wait")
    answers = lambda: [c.sql(sql) for sql in LIFE]
    assert answers() == LIFE_ANSWERS
    # An engine that is started anew has it again.
    pid = c.ctl("engine list")["engines"][0]["pid"]
    os.kill(pid, signal.SIGKILL)
    testbed.wait_for("another engine", lambda: c.ctl("engine list")["engines"][0]["pid"]
                     not in (0, pid))
    testbed.wait_for("the function there", lambda: answer_of(c, LIFE[2]) == LIFE_ANSWERS[2])
    c.ctl("engine add", "--name", "second")
    assert answers() == LIFE_ANSWERS
    # Its database's home may go.
    c.ctl("shard drain", home, "--no-reverse", "--wait")
    assert len(c.shard_list()) == 1 and answers() == LIFE_ANSWERS
    c.ctl("shard add")
    assert all(c.on_shard(shard, "SELECT app.cube(3)") == ((27,),) for shard in c.shard_list())
    # With another collation it would be another one on the engines.
    c.sql("ALTER DATABASE app COLLATE utf8mb4_bin")
    with pytest.raises(pymysql.err.MySQLError, match="CREATE OR REPLACE FUNCTION"):
        c.sql(LIFE[1])
    c.sql("CREATE OR REPLACE FUNCTION cube(x INT) RETURNS INT RETURN x * x * x")
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
