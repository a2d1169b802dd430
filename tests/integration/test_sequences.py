"""test_sequences.py - CREATE SEQUENCE and what counts with it, as on one server."""
import pymysql
import pytest

import testbed

DB = "counting"
SETUP = [
    "CREATE TABLE users (id INT PRIMARY KEY, v INT) COMMENT 'shardd: key(id)'",
    "CREATE TABLE settings (id INT PRIMARY KEY, v INT) COMMENT 'shardd: global'",
    "INSERT INTO users VALUES (1, 10), (2, 20), (3, 30), (4, 40), (5, 50), (6, 60)",
    "INSERT INTO settings VALUES (1, 1), (2, 2)",
    "CREATE SEQUENCE s START WITH 100 INCREMENT BY 10 NOCACHE",
]
STATEMENTS = [
    "SELECT NEXTVAL(s)", "SELECT NEXT VALUE FOR s", "SELECT PREVIOUS VALUE FOR s, LASTVAL(s)",
    "SELECT NEXTVAL(counting.s), NEXTVAL(s)", "SELECT SETVAL(s, 500)", "SELECT NEXTVAL(s)",
    "SELECT SETVAL(s, 10)", "SELECT NEXTVAL(s)", "SHOW CREATE SEQUENCE s",
    "SELECT next_not_cached_value, minimum_value, increment FROM s",
    "INSERT INTO settings VALUES (NEXTVAL(s), 3)", "SELECT * FROM settings ORDER BY id",
    "UPDATE settings SET v = NEXTVAL(s) WHERE id = 1", "SELECT v FROM settings WHERE id = 1",
    "SELECT COUNT(*) FROM settings WHERE v < NEXTVAL(s)",
    "CREATE SEQUENCE s", "CREATE SEQUENCE IF NOT EXISTS s", "SELECT NEXTVAL(nosuch)",
    "ALTER SEQUENCE s RESTART WITH 7 INCREMENT BY 1", "SELECT NEXTVAL(s)", "SELECT NEXTVAL(s)",
    "CREATE OR REPLACE SEQUENCE t START WITH 5 MINVALUE 5 MAXVALUE 6 NOCACHE NOCYCLE",
    "SELECT NEXTVAL(t)", "SELECT NEXTVAL(t)", "SELECT NEXTVAL(t)", "DROP SEQUENCE t",
    "SELECT NEXTVAL(t)", "DROP SEQUENCE t", "DROP SEQUENCE IF EXISTS t",
    "CREATE TABLE made (id INT PRIMARY KEY DEFAULT NEXTVAL(s), v INT)",
    "INSERT INTO made (v) VALUES (1), (2), (3)", "INSERT INTO made VALUES (DEFAULT, 4)",
    "SELECT * FROM made ORDER BY id", "SELECT LASTVAL(s)",
    "ALTER TABLE made ADD COLUMN w BIGINT DEFAULT (NEXT VALUE FOR counting.s)",
    "SELECT * FROM made ORDER BY id", "INSERT INTO made (v) VALUES (9)",
    "SELECT id, v, w FROM made ORDER BY id", "ALTER TABLE made ADD COLUMN x INT DEFAULT NEXTVAL(s)",
    "INSERT INTO made (v) VALUES (10)", "SELECT * FROM made ORDER BY id",
    "CREATE TABLE bad (id INT PRIMARY KEY DEFAULT NEXTVAL(nosuch))", "SELECT COUNT(*) FROM bad",
    "DROP TABLE made",
    # by the words of tables
    "CREATE SEQUENCE u START WITH 3 NOCACHE", "CREATE TABLE plain (id INT PRIMARY KEY)",
    "RENAME TABLE u TO v", "SELECT NEXTVAL(u)", "SELECT NEXTVAL(v)", "RENAME TABLE v TO plain",
    "RENAME TABLE v TO u, nosuch TO v", "RENAME TABLE v TO w, w TO u",
    "ALTER TABLE u COMMENT = 'x'", "SHOW CREATE SEQUENCE u", "ALTER TABLE u RENAME v",
    "CREATE TABLE w LIKE v",
    "SHOW CREATE SEQUENCE w", "SELECT NEXTVAL(w), NEXTVAL(v)", "CREATE TABLE plain LIKE v",
    "CREATE TABLE more LIKE nosuch", "DROP TABLE plain, nosuch, w", "SHOW TABLES",
    "SELECT NEXTVAL(w)", "CREATE TABLE plain (id INT PRIMARY KEY)",
    "DROP TABLE IF EXISTS nosuch, v, plain", "SHOW WARNINGS", "SHOW TABLES",
]


@pytest.fixture(scope="module")
def both(gathering, plain):
    with testbed.both(gathering, plain, DB, SETUP) as pair:
        yield pair


def test_as_on_one_server(both):
    for sql in STATEMENTS:
        both.compare(sql)


ROWS = [
    "INSERT INTO users VALUES (NEXTVAL(s), 1), (NEXTVAL(s), 2), (NEXTVAL(s) + 1000, 3)",
    "INSERT INTO users VALUES (70, NEXTVAL(s)), (71, NEXTVAL(s)), (72, LASTVAL(s))",
    "INSERT INTO users SET id = NEXT VALUE FOR s, v = 9",
    "REPLACE INTO users VALUES (NEXTVAL(s), 1)",
    "INSERT INTO users VALUES (70, NEXTVAL(s)) ON DUPLICATE KEY UPDATE v = v + 1",
    "INSERT IGNORE INTO users VALUES (71, NEXTVAL(s))",
]


def test_numbers_in_sharded_rows(both):
    for sql in ROWS:
        both.compare(sql)
        both.compare("SELECT * FROM users ORDER BY id")
    for server in both.connections:
        with server.cursor() as cursor:
            cursor.executemany("INSERT INTO users VALUES (NEXTVAL(s), %s)", [(5,), (6,)])
    both.compare("SELECT * FROM users ORDER BY id")


@pytest.mark.parametrize("sql", [
    "SELECT NEXTVAL(s), id FROM users", "UPDATE users SET v = NEXTVAL(s)",
    *(f"SELECT NEXTVAL(s) FROM users WHERE id = {i}" for i in range(1, 5)),
    "INSERT INTO users SELECT NEXTVAL(s) + 1, 1 FROM settings",
    "INSERT INTO users SELECT id, NEXTVAL(s) FROM settings ON DUPLICATE KEY UPDATE v = "
    "settings.v",
    "INSERT INTO users VALUES (1, 2) ON DUPLICATE KEY UPDATE v = NEXTVAL(s)"])
def test_what_runs_where_the_rows_are(both, sql):
    with pytest.raises(pymysql.err.NotSupportedError, match="sequence"):
        both.cluster.sql(sql, db=DB)


SELECTED = [
    "INSERT INTO users SELECT NEXTVAL(s), id FROM settings",
    "INSERT INTO users (v, id) SELECT id, NEXT VALUE FOR s FROM users WHERE v < 60 ORDER BY id "
    "DESC",
    "INSERT INTO settings SELECT NEXTVAL(s), NEXTVAL(counting.s) FROM users WHERE v < 50",
    "INSERT INTO users SELECT NEXTVAL(s), v FROM users WHERE id < 0",
    "INSERT INTO users SELECT NEXTVAL(s), 5 FROM users WHERE id < 100 RETURNING id",
    "REPLACE INTO users SELECT id, NEXTVAL(s) FROM users WHERE id < 4 ORDER BY id",
    "INSERT IGNORE INTO users SELECT id, NEXTVAL(s) FROM users WHERE id < 4 ORDER BY id",
    "INSERT INTO users SELECT id, NEXTVAL(s) FROM users WHERE id < 6 ORDER BY id ON DUPLICATE KEY "
    "UPDATE v = -VALUES(v)",
    "INSERT INTO copied SELECT id, NEXTVAL(s) FROM users",
    "DELETE FROM copied",
    "INSERT INTO copied SELECT NEXTVAL(s), seq FROM seq_1_to_1100",
    "SELECT COUNT(*), MIN(id), MAX(id), SUM(id), SUM(v) FROM copied",
]


def test_numbers_of_selected_rows(both):
    """As many as rows are written, in their order, by one statement or several."""
    both.run("CREATE TABLE copied (id BIGINT PRIMARY KEY, v INT)")
    for sql in SELECTED:
        both.compare(sql)
        both.compare("SELECT * FROM users ORDER BY id")
        both.compare("SELECT * FROM settings ORDER BY id")
    both.compare("SELECT NEXTVAL(s)")
    both.run("DROP TABLE copied")


def test_numbers_for_sharded_rows(both):
    """Each number once, and the rows lie where their numbers say."""
    sql = both.cluster.sql
    with both.cluster.connect(db=DB) as app, app.cursor() as cursor:
        for _ in range(5):
            cursor.execute("SELECT NEXTVAL(s)")
            (number,) = cursor.fetchone()
            cursor.execute("INSERT INTO users VALUES (%s, -1)", (number + 2000,))
            cursor.execute("SELECT v FROM users WHERE id = %s", (number + 2000,))
            assert cursor.fetchall() == ((-1,),)
    assert sql("SELECT COUNT(*) FROM users WHERE v = -1", db=DB) == ((5,),)


@pytest.mark.parametrize("comment", ["key(id)", "reference"])
def test_what_cannot_count_on_every_shard(both, comment):
    with pytest.raises(pymysql.err.NotSupportedError, match="default"):
        both.cluster.sql("CREATE TABLE other (id INT PRIMARY KEY, n BIGINT DEFAULT NEXTVAL(s))"
                         f" COMMENT 'shardd: {comment}'", db=DB)
    assert both.cluster.sql("SHOW TABLES LIKE 'other'", db=DB) == ()
