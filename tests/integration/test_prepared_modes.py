"""test_prepared_modes.py - a prepared statement is read by the sql_mode of when it was prepared,
and runs under that of now: by name and by the binary protocol, as on one server."""
import pymysql
import pytest

import rawclient
import testbed

TABLE = ("CREATE TABLE m (id INT PRIMARY KEY, a VARCHAR(20), n INT)",
         r"INSERT INTO m VALUES (1, 'a', 5), (2, 'a\\b', -5), (3, 'a%b', 0), (4, 'x', 1), "
         r"(5, 'a\\%b', 7), (6, '', NULL)")

# the mode of PREPARE, that of EXECUTE, the statement
ROWS = [
    ("", "ANSI_QUOTES", 'SELECT "a", n FROM m WHERE a = "a" ORDER BY id'),
    ("", "ANSI_QUOTES", 'SELECT COUNT(*), MAX(a) FROM m WHERE a <> "n"'),
    ("ANSI_QUOTES", "", 'SELECT "a", "n" FROM m ORDER BY "id"'),
    ("ANSI_QUOTES", "STRICT_ALL_TABLES", 'SELECT "m"."a" AS "b c" FROM "m" WHERE "id" = 4'),
    ("", "NO_BACKSLASH_ESCAPES", r"SELECT id, 'a\\b', 'it\'s' FROM m WHERE a = 'a\\b'"),
    ("NO_BACKSLASH_ESCAPES", "", r"SELECT id, 'a\b' FROM m WHERE a = 'a\b' OR a = '\n'"),
    ("", "NO_BACKSLASH_ESCAPES", r"SELECT id FROM m WHERE a LIKE 'a\%b' ORDER BY id"),
    ("NO_BACKSLASH_ESCAPES", "", r"SELECT id FROM m WHERE a LIKE 'a\%b' ORDER BY id"),
    ("", "PIPES_AS_CONCAT", "SELECT id, n || 0 FROM m ORDER BY id"),
    ("PIPES_AS_CONCAT", "", "SELECT id, n || 0 FROM m ORDER BY id"),
    ("PIPES_AS_CONCAT", "ANSI_QUOTES", "SELECT a || n || 'x' FROM m WHERE id = 2"),
    ("HIGH_NOT_PRECEDENCE", "", "SELECT id, NOT n BETWEEN -5 AND 5 FROM m ORDER BY id"),
    ("", "HIGH_NOT_PRECEDENCE", "SELECT id, NOT n BETWEEN -5 AND 5 FROM m ORDER BY id"),
    ("EMPTY_STRING_IS_NULL", "", "SELECT id, '' FROM m WHERE a <=> '' ORDER BY id"),
    ("", "EMPTY_STRING_IS_NULL", "SELECT id, '' FROM m WHERE a <=> '' ORDER BY id"),
    ("IGNORE_SPACE", "", "SELECT COUNT (*) FROM m"),
    ("ANSI", "TRADITIONAL", 'SELECT "id" || "a" FROM m ORDER BY "id"'),
    ("", "ANSI", 'SELECT id || "a" FROM m ORDER BY id'),
    ("", "ANSI_QUOTES", 'SELECT x.id, y.n FROM m x JOIN m y ON x.n = y.id AND x.a <> "q" '
                        'ORDER BY x.id'),
    ("ANSI_QUOTES", "", 'UPDATE "m" SET n = "n" || "id" WHERE "id" > 3'),
    ("", "ANSI_QUOTES", 'UPDATE m SET a = "new" WHERE id > 3'),
    ("", "NO_BACKSLASH_ESCAPES", r"INSERT INTO m VALUES (50, 'q\'q', 1), (51, 'r\\', 2)"),
    ("NO_BACKSLASH_ESCAPES", "", r"INSERT INTO m VALUES (50, 'q\', 1), (51, 'r\\', 2)"),
    ("", "ANSI_QUOTES", 'DELETE FROM m WHERE a = "a" OR a LIKE "x%"'),
    ("", "ANSI_QUOTES", 'INSERT INTO m SELECT id + 100, CONCAT(a, "z"), 1 FROM m WHERE n = 5'),
    ("ANSI_QUOTES", "", "SELECT id, 'plain' FROM m WHERE id = 1"),
]


@pytest.fixture(scope="module")
def both(gathering, plain):
    with testbed.both(gathering, plain, "pm", TABLE, "CHARACTER SET utf8mb4") as pair:
        yield pair


def quoted(sql):
    return "'" + sql.replace("\\", "\\\\").replace("'", "''") + "'"


@pytest.mark.parametrize("then,now,sql", ROWS)
def test_by_name(both, then, now, sql):
    """Also in a transaction, whose connection the session keeps; and the mode is as it was."""
    both.run("SET sql_mode = ''")
    both.run("SET @q = " + quoted(sql))
    both.run(f"SET sql_mode = '{then}'")
    both.run("PREPARE p FROM @q")
    for begin, _ in ((False, 0), (True, 1)):
        both.run(f"SET sql_mode = '{now}'")
        both.run("BEGIN")
        if begin:
            both.run("SELECT COUNT(*) FROM m WHERE id > 0 FOR UPDATE")
        both.compare("EXECUTE p")
        both.compare("SELECT @@sql_mode")
        both.compare("SELECT id, a, n FROM m ORDER BY id")
        both.compare("EXECUTE p")
        both.run("ROLLBACK")
        both.run(f"SET sql_mode = '{then}'")
        both.run("BEGIN")
        both.compare("EXECUTE p")
        both.run("ROLLBACK")
    both.run("DEALLOCATE PREPARE p")


@pytest.mark.parametrize("then,now,sql", ROWS)
def test_binary(both, gathering, plain, then, now, sql):
    """Prepared on both; other sessions have the same text in their own mode meanwhile."""
    def answers(port, user):
        def run(c, statement):
            try:
                definitions, rows = c.execute(statement)
                return rows if definitions else rows[1]  # or how many there were
            except rawclient.ServerError as e:
                return e.code
        with rawclient.RawClient(port) as c, rawclient.RawClient(port) as other:
            for client in (c, other):
                client.login(user=user[0], password=user[1], db="pm")
                client.query("SET sql_mode = ''")
            c.query(f"SET sql_mode = '{then}'")
            statement = c.prepare(sql)[0]
            c.query("BEGIN")
            seen = [run(c, statement)]
            c.query("ROLLBACK")
            c.query(f"SET sql_mode = '{now}'")
            other.query(f"SET sql_mode = '{now}'")
            for _ in range(2):
                c.query("BEGIN")
                seen.append(run(c, statement))
                seen.append(c.query("SELECT id, a, n FROM m ORDER BY id")[1])
                c.query("ROLLBACK")
                seen.append(c.query("SELECT @@sql_mode")[1])
                try:
                    other.query(sql) if sql.startswith("SELECT") else None
                except rawclient.ServerError:
                    pass
            return seen
    ours = answers(gathering.port, ("app", "app"))
    theirs = answers(plain.port, ("app", "app"))
    assert ours == theirs


def test_values(both):
    """Those of USING are read by the mode of now."""
    both.run("SET sql_mode = 'ANSI_QUOTES'")
    both.run("PREPARE p FROM 'SELECT \"id\", ? FROM m WHERE \"a\" = ? ORDER BY \"id\"'")
    both.run("SET sql_mode = ''")
    for sql in ('EXECUTE p USING "v", "a"', r"EXECUTE p USING 'a\\b', 'a\\b'",
                "EXECUTE p USING 5 + 1, 'x'"):
        ours, theirs = both.answers(sql)
        assert ours.rows == theirs.rows and ours.rows, sql  # the types are those of variables
    both.run("SET @v = 'x', @w = 7")
    both.compare("EXECUTE p USING @w, @v")
    both.compare('SELECT "after"')
    both.run("DEALLOCATE PREPARE p")


@pytest.mark.parametrize("mode", ["ANSI", "ANSI,NO_BACKSLASH_ESCAPES", "IGNORE_SPACE", ""])
def test_set_again(both, mode):
    """A SET that has changed how texts read does the same the next time."""
    both.run("SET sql_mode = ''")
    both.run("PREPARE p FROM " + quoted(f"SET sql_mode = '{mode}'"))
    both.run("PREPARE q FROM 'SET SESSION sql_mode = ?, time_zone = ?'")
    both.run(f"SET @m = '{mode}', @z = '+01:00'")
    for sql in ("EXECUTE p", "EXECUTE p", "SET sql_mode = ''", "EXECUTE p",
                "EXECUTE q USING @m, @z", "EXECUTE q USING @m, @z", "SET sql_mode = 'ANSI'",
                "EXECUTE p", "EXECUTE p"):
        both.compare(sql)
        both.compare("SELECT @@sql_mode, @@time_zone")
    both.run("SET sql_mode = '', time_zone = DEFAULT")
    seen = []
    for port in both.cluster.port, both.plain.port:
        with rawclient.RawClient(port) as c:
            c.login(db="pm")
            statement = c.prepare(f"SET sql_mode = '{mode}'")[0]
            for _ in range(3):
                c.execute(statement)
                seen.append(c.query("SELECT @@sql_mode")[1])
    assert seen[:3] == seen[3:]


def test_what_is_refused(both, gathering):
    """What would keep, or tell, another mode than the session's; dialects."""
    connection = gathering.connect(db="pm")
    with connection, connection.cursor() as c:
        c.execute("SET sql_mode = 'ANSI_QUOTES'")
        for name, sql in (("p", 'CREATE TABLE "made" ("id" INT PRIMARY KEY)'),
                          ("q", 'SELECT "id", @@sql_mode FROM m'), ("r", 'SELECT "id" FROM m'),
                          ("s", "SELECT 'é', \"id\" FROM m WHERE \"id\" = 1")):
            c.execute(f"PREPARE {name} FROM {quoted(sql)}")
        c.execute("SET sql_mode = ''")
        for name in ("p", "q"):
            with pytest.raises(pymysql.err.MySQLError, match="prepare again"):
                c.execute(f"EXECUTE {name}")
        assert c.execute("EXECUTE r") == 6
        with pytest.raises(pymysql.err.MySQLError, match="without SET STATEMENT"):
            c.execute("SET STATEMENT time_zone = '+01:00' FOR EXECUTE r")
        c.execute("SET sql_mode = 'ORACLE'")
        with pytest.raises(pymysql.err.MySQLError, match="dialect"):
            c.execute("EXECUTE r")
        c.execute("SET sql_mode = '', NAMES latin1")
        with pytest.raises(pymysql.err.MySQLError, match="character set"):
            c.execute("EXECUTE s")
        assert c.execute("EXECUTE r") == 6
        c.execute("SELECT @@sql_mode")
        assert c.fetchone() == ("",)


@pytest.mark.parametrize("connection", ["gbk", "utf8mb4"])
def test_a_quote_is_no_part_of_a_letter(gathering, both, connection):
    """In gbk a quote, or a backslash, may end the letter before it. A parameter that becomes text
    says what it said, or is refused."""
    lead = b"\xbf' OR 1 = 1 -- ", b"\xbf\\' OR 1 = 1 -- ", b"\xbf\\", b"\xbf'"
    with rawclient.RawClient(gathering.port) as c:
        c.login(db="pm")
        c.query("SET NAMES gbk")
        c.query(f"SET character_set_connection = {connection}")
        statement = c.prepare("SELECT COUNT(*), MAX(n) FROM m WHERE a = ? INTO @found, @n")[0]
        for value in (b"x", *lead):
            c.query("SET @found = NULL, @n = NULL")
            try:
                c.execute(statement, [value])
            except rawclient.ServerError as e:
                mixed = 1267 if connection == "gbk" else 1235  # not a letter, so no utf8mb4
                assert value != b"x" and e.code == mixed, (value, e)
                continue
            found, n = rawclient.text_row(c.query("SELECT @found, @n")[1][0])
            assert int(found) == (value == b"x") and (n is None) == (value != b"x"), (value, found)
