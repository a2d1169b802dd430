"""SELECT ... INTO variables and SQL_CALC_FOUND_ROWS from several shards, and what SET and DO read
there: as on one server."""
import random

import pytest

import rawclient
import testbed

TABLE = ("CREATE TABLE t (id BIGINT PRIMARY KEY, n INT, u BIGINT UNSIGNED, d DECIMAL(12,3), "
         "f DOUBLE, s VARCHAR(30), l VARCHAR(30) CHARACTER SET latin1, b VARBINARY(30), "
         "day DATE, at DATETIME(3), e ENUM('x','y'), j JSON, y YEAR, c VARCHAR(30) COLLATE "
         "utf8mb4_bin)")
COLUMNS = ["id", "n", "u", "d", "f", "s", "l", "b", "day", "at", "e", "y", "c", "id + 1",
           "d * 2", "f / 3", "CONCAT(s, '!')", "UPPER(c)", "n IS NULL", "NULL", "5", "'five'",
           "1.50", "2e0", "s = 'x'", "CAST(id AS CHAR)", "DATE(at)", "IFNULL(n, 'none')"]


@pytest.fixture
def rows(both):
    both.run(TABLE)
    both.run("INSERT INTO t VALUES " + ", ".join(
        f"({i}, {'NULL' if i % 7 == 0 else i * 3 % 11}, {i} + 18446744073709551000, -{i}.125, "
        f"{i} / 7, 'row {i % 5}', 'lat{i}', x'00ff{i:02x}', '2024-02-{i % 28 + 1:02}', "
        f"'2024-02-29 10:11:12.{i:03}', '{'xy'[i % 2]}', '{{\"a\": {i}}}', {2000 + i}, 'C{i}')"
        for i in range(1, 41)))
    return both


def kinds(both, names):
    """The variables and what they are."""
    for name in names:
        both.compare(f"SELECT {name}, CHARSET({name}), COLLATION({name}), "
                     f"COERCIBILITY({name}), {name} + 0, HEX({name})")


@pytest.mark.parametrize("column", COLUMNS)
def test_values_are_kept_as_a_server_keeps_them(rows, column):
    rows.compare(f"SELECT {column} INTO @v FROM t ORDER BY id DESC LIMIT 1")
    rows.compare("SELECT ROW_COUNT(), FOUND_ROWS()")
    kinds(rows, ["@v"])
    rows.compare(f"SELECT {column} INTO @v FROM t ORDER BY id LIMIT 6, 1")
    kinds(rows, ["@v"])


@pytest.mark.parametrize("sql", [
    "SELECT n INTO @v FROM missing", "SELECT nocolumn FROM t WHERE id = 6 INTO @v",
    "SELECT n FROM t WHERE id = 6 INTO @v, @w", "SELECT n FROM t INTO @v",
    "SELECT n FROM t WHERE id = 6 UNION SELECT 12 INTO @v", "SELECT n INTO v FROM t",
])
def test_found_rows_behind_a_failure(rows, sql):
    rows.compare("SELECT SQL_CALC_FOUND_ROWS id FROM t ORDER BY id LIMIT 2")
    rows.compare(sql)
    rows.compare("SELECT FOUND_ROWS()")


@pytest.mark.parametrize("sql", [
    "SELECT COUNT(*), SUM(n), MAX(d), MAX(f), MIN(s) INTO @a, @b, @c, @d, @e FROM t",
    "SELECT COUNT(*), SUM(n) INTO @a, b FROM t",
    "SELECT n INTO a FROM t WHERE n < 0",
    "SELECT COUNT(*), SUM(u), MAX(l), AVG(d), MIN(day) INTO @a, @b, @c, @d, @e FROM t",
    "SELECT COUNT(*), SUM(n), MAX(d), MIN(f), MIN(c) INTO @a, @b, @c, @d, @e FROM t WHERE id < 0",
    "SELECT n, COUNT(*), 1, 2, s FROM t GROUP BY n, s ORDER BY n DESC, s LIMIT 1 "
    "INTO @a, @b, @c, @d, @e",
    "SELECT DISTINCT s, c, 3, n, d INTO @a, @b, @c, @d, @e FROM t ORDER BY c, s, n, d LIMIT 1",
])
def test_of_groups(rows, sql):
    rows.compare(sql)
    kinds(rows, ["@a", "@b", "@c", "@d", "@e"])


def test_none_and_too_many(rows):
    rows.run("SET @a = 'before', @b = 'before'")
    rows.compare("SELECT id INTO @a FROM t WHERE n > 1000")
    rows.compare("SHOW WARNINGS")
    rows.compare("SELECT ROW_COUNT(), FOUND_ROWS()")
    rows.compare("SELECT @a, @b")
    rows.compare("SELECT id, s INTO @a, @b FROM t ORDER BY id", messages=True)
    rows.compare("SHOW WARNINGS")
    rows.compare("SELECT @a, @b")
    rows.compare("SELECT id, s INTO @a FROM t", messages=True)
    rows.compare("SELECT id INTO @a, @b FROM t", messages=True)
    rows.compare("SELECT id INTO @a FROM t LIMIT 0")
    rows.compare("SELECT @a, @b")
    rows.compare("SELECT id, n INTO @a, @b FROM t WHERE id IN (3, 500, 600)")
    rows.compare("SELECT @a, @b")
    rows.run("START TRANSACTION")
    rows.run("INSERT INTO t (id) VALUES (100), (101), (102)")
    rows.compare("SELECT COUNT(*), MAX(id) INTO @a, @b FROM t WHERE id >= 100")
    rows.compare("SELECT @a, @b")
    rows.run("ROLLBACK")
    rows.compare("PREPARE s FROM 'SELECT COUNT(*), ? INTO @a, @b FROM t WHERE id > ?'")
    rows.compare("EXECUTE s USING 'x', 20")
    rows.compare("SELECT @a, @b")


def test_of_a_prepared_statement(rows):
    seen = []
    for port in rows.cluster.port, rows.plain.port:
        with rawclient.RawClient(port) as c:
            c.login(db=rows.db)
            statement = c.prepare("SELECT COUNT(*), MAX(s), ? INTO @a, @b, @c FROM t "
                                  "WHERE id > ?")[0]
            c.execute(statement, ["five", 20])
            seen.append([rawclient.text_row(r)
                         for r in c.query("SELECT @a, @b, @c, COLLATION(@c)")[1]])
    assert seen[0] == seen[1]


@pytest.mark.parametrize("column", COLUMNS)
def test_set_keeps_values_as_a_server_does(rows, column):
    rows.compare(f"SET @v = (SELECT {column} FROM t ORDER BY id DESC LIMIT 1)")
    kinds(rows, ["@v"])
    rows.compare(f"DO @w := (SELECT {column} FROM t ORDER BY id LIMIT 6, 1)")
    kinds(rows, ["@w"])


@pytest.mark.parametrize("sql", [
    "SET @a = (SELECT COUNT(*) FROM t), @b = 'other', @c = @b",
    "SET @b = (SELECT MAX(n) FROM t) + @b, @c = @b, @a = EXISTS (SELECT 1 FROM t WHERE n = 3)",
    "SET @a = 7 IN (SELECT n FROM t), @b = 3 > ALL (SELECT n FROM t), @c = ((SELECT 1))",
    "SET @a = (SELECT s FROM t WHERE id = 5), @b = (SELECT s FROM t WHERE id < 0)",
    "SET @a = (SELECT s FROM t WHERE id = 5) = (SELECT s FROM t WHERE id = 10)",
    "SET @a = @c := (SELECT MIN(d) FROM t)",
    "DO (SELECT COUNT(*) FROM t), @a := (SELECT MAX(id) FROM t), @c := 3",
    "SET sql_select_limit = (SELECT 2 + COUNT(*) FROM t), @a = @@sql_select_limit",
    "SET @a = (SELECT id, n FROM t LIMIT 1)", "SET @a = (SELECT id FROM t)",
    "SET @a = (SELECT nope FROM t)", "SET @a = (SELECT id FROM nope)",
])
def test_set_and_do_read_all_shards(rows, sql):
    rows.run("SET @a = 'before', @b = 5, @c = NULL")
    rows.compare("SELECT SQL_CALC_FOUND_ROWS id FROM t ORDER BY id LIMIT 3")
    rows.compare(sql)
    rows.compare("SELECT ROW_COUNT()")
    rows.compare("SELECT @@sql_select_limit, @a, @b, @c")
    rows.run("SET sql_select_limit = DEFAULT")


def test_variables_that_values_set_on_their_way(rows):
    for sql in ("DO @a := 7, @b := (SELECT MAX(id) FROM t WHERE id < @a)",
                "DO @c := @a, @a := (SELECT MAX(id) FROM t)",
                "DO @a := 1, @a := (SELECT MAX(id) FROM t)",
                "DO @b := (SELECT MAX(id) FROM t WHERE id < @a), @a := 9, "
                "@c := (SELECT MIN(id) FROM t WHERE id > @a), @a := 3",
                "SET @a = 7, @b = (SELECT MAX(id) FROM t WHERE id < @a)",
                "SET @b = (SELECT MAX(id) FROM t WHERE id < @a), @c = (@a := 1.50)",
                "SET @b = (@a := 20) + (SELECT MAX(id) FROM t WHERE id < @a), @c = @a"):
        rows.run("SET @a = 30, @b = 5, @c = NULL")
        rows.compare(sql)
        rows.compare("SELECT @a, @b, @c")
    # There a variable has another type as soon as it is set.
    ours = testbed.Answer(rows.connections[0], "SET @c = (@a := 1.50), @b = @a + "
                          "(SELECT MAX(id) FROM t WHERE id > @a)")
    assert ours.error[0] == 1235 and "one variable at a time" in ours.error[1]


def test_set_sees_what_its_transaction_wrote(rows):
    rows.run("START TRANSACTION")
    rows.run("INSERT INTO t (id) VALUES (100), (101), (102)")
    rows.run("SET sql_select_limit = 0")
    rows.compare("SET @a = (SELECT COUNT(*) FROM t)")
    rows.compare("SET @b = @a + (SELECT MAX(id) FROM t), sql_select_limit = DEFAULT")
    rows.run("ROLLBACK")
    rows.compare("SELECT @a, @b")
    rows.compare("PREPARE s FROM 'SET @a = (SELECT COUNT(*) FROM t WHERE id > 20)'")
    rows.compare("EXECUTE s")
    rows.compare("SELECT @a, @b")


def test_set_as_a_prepared_statement(rows):
    seen = []
    for port in rows.cluster.port, rows.plain.port:
        with rawclient.RawClient(port) as c:
            c.login(db=rows.db)
            statement = c.prepare("SET @a = (SELECT COUNT(*) FROM t), @b = 5")[0]
            c.execute(statement)
            c.execute(statement)
            seen.append([rawclient.text_row(r) for r in c.query("SELECT @a, @b")[1]])
    assert seen[0] == seen[1]


CALC = [
    "SELECT SQL_CALC_FOUND_ROWS id FROM t ORDER BY id LIMIT 3",
    "SELECT SQL_CALC_FOUND_ROWS id FROM t ORDER BY id LIMIT 3, 4",
    "SELECT SQL_CALC_FOUND_ROWS id FROM t ORDER BY id LIMIT 0",
    "SELECT SQL_CALC_FOUND_ROWS id FROM t ORDER BY id LIMIT 1000, 5",
    "SELECT SQL_CALC_FOUND_ROWS id FROM t ORDER BY id",
    "SELECT SQL_CALC_FOUND_ROWS s, COUNT(*) FROM t GROUP BY s ORDER BY s LIMIT 2",
    "SELECT SQL_CALC_FOUND_ROWS n, COUNT(*) c FROM t GROUP BY n HAVING c > 3 ORDER BY n "
    "LIMIT 1, 1",
    "SELECT SQL_CALC_FOUND_ROWS DISTINCT s FROM t ORDER BY s LIMIT 2",
    "SELECT DISTINCT SQL_CALC_FOUND_ROWS n FROM t ORDER BY n LIMIT 1, 2",
    "SELECT SQL_CALC_FOUND_ROWS COUNT(*) FROM t LIMIT 0",
    "SELECT SQL_CALC_FOUND_ROWS id FROM t WHERE id < 0 ORDER BY id LIMIT 5",
    "SELECT SQL_CALC_FOUND_ROWS id FROM t WHERE id IN (1, 2, 3, 4) ORDER BY id LIMIT 2",
    "SELECT SQL_CALC_FOUND_ROWS id FROM t WHERE id = 5 LIMIT 0",
    "SELECT id FROM t ORDER BY id LIMIT 3", "SELECT id FROM t ORDER BY id LIMIT 3, 4",
    "SELECT id FROM t ORDER BY id LIMIT 38, 10", "SELECT id FROM t ORDER BY id LIMIT 99, 10",
    "SELECT s, COUNT(*) FROM t GROUP BY s ORDER BY s LIMIT 1, 2",
    "SELECT DISTINCT s FROM t ORDER BY s LIMIT 1, 2", "SELECT id FROM t WHERE id = 5",
]


@pytest.mark.parametrize("sql", CALC)
def test_found_rows(rows, sql):
    rows.compare(sql)
    rows.compare("SELECT FOUND_ROWS()")


def test_found_rows_by_chance(rows):
    random.seed(11)
    for _ in range(60):
        where = random.choice(["", "WHERE n > 4", "WHERE id < 25", "WHERE s = 'row 2'"])
        head, tail = random.choice([("id", "ORDER BY id"), ("DISTINCT n", "ORDER BY n"),
                                    ("n, COUNT(*)", "GROUP BY n ORDER BY n"),
                                    ("s, MAX(id)", "GROUP BY s HAVING MAX(id) > 20 ORDER BY s")])
        limit = f"LIMIT {random.randrange(12)}, {random.randrange(12)}"
        rows.compare(f"SELECT SQL_CALC_FOUND_ROWS {head} FROM t {where} {tail} {limit}")
        rows.compare("SELECT FOUND_ROWS()")
    assert testbed.Answer(rows.connections[0], "SELECT 1").rows == [(1,)]
