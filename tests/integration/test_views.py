"""test_views.py - views over rows of several shards: created, read, joined, prepared, and changed,
as on one server."""
import pymysql
import pytest

import testbed
from rawclient import RawClient

TABLES = [
    "CREATE TABLE users (id INT PRIMARY KEY, city VARCHAR(20), age INT)",
    "CREATE TABLE orders (id INT PRIMARY KEY, user_id INT, cents INT, note TEXT)",
    "CREATE TABLE parts (user_id INT, n INT, cents DECIMAL(9,2), PRIMARY KEY (user_id, n))",
    "CREATE TABLE cities (name VARCHAR(20) PRIMARY KEY, land VARCHAR(20)) "
    "COMMENT 'shardd: reference'",
    "CREATE TABLE settings (id INT, word VARCHAR(20), UNIQUE (word))",
    "INSERT INTO users VALUES (1,'Rom',20),(2,'Ulm',30),(3,'Rom',NULL),(4,NULL,40),(5,'Bern',20),"
    "(6,'Ulm',20),(7,'Linz',50),(8,'Oslo',30)",
    "INSERT INTO orders VALUES (1,1,100,'a'),(2,1,200,'b'),(3,2,50,NULL),(4,9,70,'it''s'),"
    "(5,5,10,'a'),(6,6,NULL,'c'),(7,7,100,'a'),(8,3,1,'x')",
    "INSERT INTO parts VALUES (1,1,1.5),(1,2,2.25),(2,1,9),(5,1,3),(8,1,7),(8,2,7)",
    "INSERT INTO cities VALUES ('Rom','I'),('Ulm','D'),('Bern','CH')",
    "INSERT INTO settings VALUES (1,'Rom'),(20,'x'),(30,'y')",
]
VIEWS = {
    "adults": "SELECT id, city FROM users WHERE age >= 30",
    "renamed (who, place)": "SELECT id, city FROM users",
    "counts": "SELECT city, COUNT(*) AS n, AVG(age) AS a FROM users GROUP BY city",
    "spenders": "SELECT u.id, u.city, SUM(o.cents) AS total FROM users u LEFT JOIN orders o "
                "ON o.user_id = u.id GROUP BY u.id, u.city",
    "both_kinds": "SELECT id AS k, 'user' AS kind FROM users UNION ALL SELECT id, 'order' "
                  "FROM orders",
    "lands": "SELECT u.id, c.land FROM users u JOIN cities c ON c.name = u.city",
    "words": "SELECT u.id, s.word FROM users u JOIN settings s ON s.id = u.age",
    "older": "SELECT * FROM users u WHERE age > (SELECT AVG(age) FROM users)",
    "ranked": "SELECT id, age, RANK() OVER (ORDER BY age DESC) AS r FROM users",
    "first_three": "SELECT id, cents FROM orders ORDER BY cents DESC, id LIMIT 3",
    "distinct_cities": "SELECT DISTINCT city FROM users",
    "of_views": "SELECT a.id, s.total FROM adults a JOIN spenders s ON s.id = a.id",
    "of_words": "SELECT * FROM words WHERE word <> 'y'",
    "recursive_one": "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n "
                     "WHERE i < 5) SELECT n.i, u.city FROM n LEFT JOIN users u ON u.id = n.i",
    "quoted": r"SELECT id, CONCAT(note, ' \\ ', 'a''b') AS t FROM orders WHERE note IS NOT NULL",
    "only_global": "SELECT word FROM settings WHERE id > 1",
}
READS = [
    "SELECT * FROM {v} ORDER BY 1, 2",
    "SELECT COUNT(*) FROM {v}",
    "SELECT v.* FROM {v} AS v JOIN users ON users.id = v.{k} ORDER BY 1, 2",
    "SELECT x.id, v.{k} FROM orders x LEFT JOIN {v} v ON v.{k} = x.user_id ORDER BY 1, 2",
    "SELECT {v}.{k} FROM {v} WHERE {v}.{k} IN (SELECT user_id FROM orders) ORDER BY 1",
    "SELECT `viewed`.`{v}`.{k} FROM viewed.{v} WHERE viewed.{v}.{k} > 1 ORDER BY 1",
    "SELECT a.{k} FROM {v} a JOIN {v} b ON a.{k} = b.{k} ORDER BY 1",
    "SELECT EXISTS (SELECT 1 FROM {v})",
    "SELECT {k} FROM {v} UNION SELECT id FROM users ORDER BY 1",
    "WITH w AS (SELECT {k} AS q FROM {v}) SELECT q FROM w ORDER BY 1",
    "SELECT MAX({k}), MIN({k}) FROM {v}",
    "SELECT {k} FROM {v} WHERE {k} = 5",
    "SELECT /* why */ {k} FROM {v} WHERE {k} IN (1, 5, 7) ORDER BY {k} DESC LIMIT 2",
]
KEYS = {"renamed": "who", "counts": "n", "both_kinds": "k", "ranked": "id", "recursive_one": "i",
        "distinct_cities": "city", "only_global": "word"}


def name_of(view):
    return view.split()[0]


@pytest.fixture(scope="module")
def both(cluster, plain):
    for sql in (cluster.sql, plain.sql):
        sql("CREATE DATABASE IF NOT EXISTS viewed")
    pair = testbed.Both(cluster, plain, "viewed")
    for connection in pair.connections:
        with connection.cursor() as c:
            for sql in TABLES + [f"CREATE VIEW {v} AS {q}" for v, q in VIEWS.items()]:
                c.execute(sql)
    yield pair
    for connection in pair.connections:
        with connection.cursor() as c:
            c.execute("DROP VIEW " + ", ".join(map(name_of, VIEWS)))
            c.execute("DROP TABLE users, orders, parts, cities, settings")
    pair.close()
    for sql in (cluster.sql, plain.sql):
        sql("DROP DATABASE viewed")
    assert cluster.ctl("fsck")


@pytest.mark.parametrize("view", map(name_of, VIEWS))
def test_reads(both, view):
    text = view in ("distinct_cities", "only_global")  # warnings would be about each comparison
    for sql in READS:
        if text and ("users" in sql or "orders" in sql or "> 1" in sql or "5" in sql):
            continue
        both.compare(sql.format(v=view, k=KEYS.get(view, "id")))


def test_the_key_is_seen_through_a_view(both):
    """A view's SELECT is planned like any other: with the key one shard answers."""
    said = both.cluster.sql("EXPLAIN SHARDD SELECT * FROM viewed.lands WHERE id = 5")
    assert said[0][0] == "one"
    said = both.cluster.sql("EXPLAIN SHARDD SELECT * FROM viewed.spenders")
    assert said[0][0] == "gather"
    shown = both.cluster.ctl_raw("explain", "SELECT * FROM viewed.spenders").stdout
    assert "gather" in shown and "engine" in shown


@pytest.mark.parametrize("sql, values", [
    ("SELECT id FROM spenders WHERE total > ? ORDER BY id", [("90",)]),
    ("SELECT ? AS a, id, total FROM spenders WHERE city = ? AND id < ? ORDER BY id",
     [("x", "Rom", "9"), ("y", "Ulm", "3")]),
    ("SELECT n FROM counts WHERE city = ?", [("Rom",), ("Ulm",)]),
    ("SELECT city FROM adults WHERE id = ?", [("2",), ("4",), ("1",)]),
    ("SELECT id FROM lands WHERE land = ? ORDER BY id LIMIT ?", [("D", 10)]),
])
def test_prepared(both, sql, values):
    answers = []
    for server in (both.cluster, both.plain):
        with RawClient(server.port) as client:
            client.login(db="viewed")
            number = client.prepare(sql)[0]
            answers.append([client.execute(number, list(v))[1] for v in values])
    assert repr(answers[0]) == repr(answers[1])


def test_named(both):
    for connection in both.connections:
        with connection.cursor() as c:
            c.execute("PREPARE p FROM 'SELECT id FROM spenders WHERE total > ? ORDER BY id'")
            c.execute("SET @least = 90")
    assert both.compare("EXECUTE p USING @least").rows


@pytest.mark.parametrize("sql", [
    "INSERT INTO orders SELECT id + 100, id, total, city FROM spenders",
    "INSERT INTO users SELECT who + 50, place, 1 FROM renamed WHERE who < 4",
    "UPDATE users SET age = (SELECT MAX(total) FROM spenders) WHERE id < 3",
    "DELETE FROM orders WHERE user_id IN (SELECT id FROM older)",
])
def test_writes_that_read_views(both, sql):
    for connection in both.connections:
        connection.begin()
    try:
        both.compare(sql)
        for table in ("users", "orders", "settings"):
            both.compare(f"SELECT * FROM {table}")
    finally:
        for connection in both.connections:
            connection.rollback()


WRITES = [
    "UPDATE places SET town = 'x' WHERE town = 'Rom'",
    "UPDATE places SET years = years + 1, who = who + 100 WHERE who > 2",
    "UPDATE places p SET p.years = (SELECT MAX(cents) FROM orders) WHERE p.town = 'Ulm'",
    "UPDATE places JOIN orders ON orders.cents = years * 10 SET town = note",
    "UPDATE places LEFT JOIN orders ON who = orders.id + 3 SET town = note",
    "UPDATE places SET town = 'y' ORDER BY who DESC LIMIT 2",
    "UPDATE places SET double_years = 5",
    "UPDATE places SET age = 5",
    "UPDATE some_places SET years = 7",
    "UPDATE checked_places SET years = 35 WHERE town = 'Ulm'",
    "UPDATE checked_places SET years = 5",
    "UPDATE joined SET cents = age WHERE city = 'Rom'",
    "UPDATE joined SET cents = 5, age = 5",
    "DELETE FROM places WHERE double_years > 50 RETURNING *",
    "DELETE FROM places WHERE town = 'Rom' ORDER BY who LIMIT 1",
    "DELETE FROM places WHERE EXISTS (SELECT 1 FROM users WHERE users.id = who AND age > 25)",
    "DELETE places FROM places JOIN orders ON orders.cents = years * 10",
    "DELETE FROM some_places WHERE who > 3 RETURNING who, years + 1",
    "INSERT INTO places (town, who) VALUES ('Prag', 50), ('Brno', 51)",
    "INSERT INTO places (town, who) VALUES ('Prag', 50), ('Brno', 1) ON DUPLICATE KEY UPDATE "
    "town = CONCAT(town, VALUES(town)), years = who",
    "INSERT INTO places (town, who) SELECT note, id + 60 FROM orders",
    "INSERT INTO places VALUES (70, 'x', 1, 2)",
    "INSERT INTO some_places SET who = 70, years = 1",
    "REPLACE INTO some_places VALUES (2, 'x', 1), (71, 'y', 2) RETURNING who, town",
    "INSERT INTO some_places SELECT id + 80, note, cents FROM orders",
    "INSERT INTO keyless VALUES ('x')",
    "INSERT INTO some_words VALUES ('z', 26)",
    "INSERT INTO some_words VALUES (NULL, 26)",
    "REPLACE INTO some_words VALUES ('á', 1), ('b', 2), ('c', 3)",
    "UPDATE keyless SET city = 'x' WHERE city = 'Rom'",
    "UPDATE old_cities SET name = CONCAT(name, '!')",
    "INSERT INTO old_cities VALUES ('Genf')",
    "DELETE FROM old_cities WHERE name > 'R'",
    "UPDATE temporaries SET id = id + 100",
    "UPDATE temporaries SET age = 5 WHERE id = 1",
    "UPDATE temporaries t, orders o SET t.age = 5 WHERE o.user_id = t.id",
    "UPDATE temporaries t, orders o SET o.cents = 5 WHERE o.user_id = t.id",
    "INSERT INTO temporaries VALUES (90, 5)",
    "REPLACE INTO temporaries VALUES (90, 5), (91, 6)",
    "INSERT INTO temporaries SELECT id + 90, age FROM users",
    "INSERT INTO above_temporaries (id) VALUES (90)",
    "DELETE FROM temporaries",
    "DELETE t FROM temporaries t, orders o WHERE o.user_id = t.id",
    "DELETE o FROM temporaries t, orders o WHERE o.user_id = t.id",
    "UPDATE temporary_cities SET name = 'x'",
    "INSERT INTO temporary_cities VALUES ('Genf')",
]
WRITTEN = [
    "CREATE VIEW places (who, town, years, double_years) AS SELECT id, city, age, age * 2 FROM "
    "users AS u WHERE u.id > 0",
    "CREATE VIEW some_places AS SELECT who, town, years FROM places WHERE years > 20",
    "CREATE VIEW checked_places AS SELECT id, city AS town, age AS years FROM users WHERE age > 20 "
    "WITH CHECK OPTION",
    "CREATE VIEW joined AS SELECT u.id, u.city, u.age, o.cents FROM users u JOIN orders o ON "
    "o.user_id = u.id",
    "CREATE VIEW keyless AS SELECT city FROM users",
    "CREATE VIEW some_words AS SELECT * FROM words_of",
    "CREATE VIEW old_cities AS SELECT name FROM cities WHERE name <> 'Bern'",
    "CREATE ALGORITHM=TEMPTABLE VIEW temporaries AS SELECT id, age FROM users",
    "CREATE VIEW above_temporaries AS SELECT id, age FROM temporaries",
    "CREATE ALGORITHM=TEMPTABLE VIEW temporary_cities AS SELECT name FROM cities",
]


def test_writes(both):
    """Through a view of one table, or of a join: also reference tables, in all their copies."""
    both.run("CREATE TABLE words_of (w VARCHAR(30) COLLATE utf8mb4_bin PRIMARY KEY, n INT)")
    for sql in WRITTEN:
        both.run(sql)
    for sql in WRITES:
        for connection in both.connections:
            connection.begin()
        try:
            both.compare(sql, ordered=False)
            for table in ("users", "orders", "cities", "words_of"):
                both.compare(f"SELECT * FROM {table}", ordered=False)
        finally:
            for connection in both.connections:
                connection.rollback()
    for sql in ("UPDATE old_cities SET name = CONCAT(name, '!')",
                "INSERT INTO old_cities VALUES ('Genf')"):
        both.cluster.sql(sql, db="viewed")
        both.cluster.fsck()
    both.cluster.sql("DELETE FROM old_cities WHERE name = 'Genf'", db="viewed")
    both.cluster.sql("UPDATE old_cities SET name = TRIM(TRAILING '!' FROM name)", db="viewed")
    for sql in ("INSERT INTO checked_places VALUES (90, 'x', 1)", "INSERT INTO joined (id) "
                "VALUES (5)"):
        with pytest.raises(pymysql.err.MySQLError, match="shardd"):
            both.cluster.sql(sql, db="viewed")
    both.run("DROP VIEW " + ", ".join(
        sql[:sql.index(" AS ")].split("VIEW ")[1].split()[0] for sql in WRITTEN))
    both.run("DROP TABLE words_of")


def test_own_changes_are_seen(both):
    for connection in both.connections:
        connection.begin()
    both.run("INSERT INTO orders VALUES (50, 4, 5000, NULL)")
    both.compare("SELECT * FROM spenders WHERE id = 4")
    both.compare("SELECT * FROM first_three")
    for connection in both.connections:
        connection.rollback()
    both.compare("SELECT * FROM first_three")


def test_a_view_is_changed(both):
    for sql in ("CREATE VIEW changing AS SELECT id FROM users",
                "CREATE OR REPLACE VIEW changing AS SELECT MAX(cents) AS id FROM orders",
                "ALTER VIEW changing AS SELECT id FROM orders",
                "CREATE OR REPLACE VIEW changing AS SELECT id FROM settings",
                "CREATE OR REPLACE VIEW changing AS SELECT id FROM users WHERE id < 4"):
        both.run(sql)
        both.compare("SELECT * FROM changing ORDER BY id")
        both.compare("SELECT COUNT(*) FROM changing JOIN orders ON orders.id = changing.id")
    both.run("DROP VIEW changing")
    both.compare("SELECT * FROM changing")


def test_dropped_as_a_table(both):
    for sql in ("DROP TABLE counts", "DROP TABLE IF EXISTS counts", "DROP TABLE nix, counts",
                "DROP TABLE IF EXISTS counts, nix, nichts", "DROP TABLE counts, adults"):
        both.compare(sql)
        both.compare("SHOW COUNT(*) WARNINGS" if "IF" in sql else "SELECT 1")
    both.compare("SHOW FULL TABLES LIKE 'counts'")


def test_strings_under_another_collation_are_refused(both):
    """'a' = 'A' is the maker's affair: what cannot be kept is not guessed."""
    with both.cluster.connect(db="viewed") as c, c.cursor() as cursor:
        cursor.execute("SET NAMES utf8mb4 COLLATE utf8mb4_bin")
        with pytest.raises(pymysql.err.MySQLError, match="collation_connection"):
            cursor.execute("SELECT COUNT(*) FROM both_kinds")
        cursor.execute("SELECT COUNT(*) FROM counts")
        assert cursor.fetchone()[0] == len(set("Rom Ulm Bern Linz Oslo -".lower().split()))


def test_bytes_behind_introducers(both):
    """VIEW_DEFINITION lacks introducers, and has a '?' for what is no letter."""
    both.run("CREATE TABLE bytes (id INT PRIMARY KEY, b VARBINARY(9), l VARCHAR(9) CHARACTER SET "
             "latin1)")
    both.run("INSERT INTO bytes VALUES (1, x'00ff27e8', 'á'), (2, 'abc', 'ABC'), (3, '?', '?')")
    conditions = ["b = _binary x'00ff27e8'", "b > _binary x'5cff'", "l = _latin1 x'e1'",
                  "l < _utf16 x'00610062'", "l <> _latin1 'abc' COLLATE latin1_bin AND l < '😀'",
                  "b <> _binary 'it''s ?' AND `l` <> '_binary' AND b <> 'introducer _binary'"]
    try:
        for names in ("utf8mb4", "latin1"):
            both.run(f"SET NAMES {names}")
            for condition in conditions:
                if names == "latin1" and not condition.isascii():
                    continue
                both.run(f"CREATE OR REPLACE VIEW behind AS SELECT id, l, _utf8mb4 'b' AS u "
                         f"FROM bytes WHERE {condition}")
                # To a client of another set a server does not tell such bytes as they are.
                known = names == "utf8mb4" or "utf16" in condition or not (
                    "x'" in condition or "?" in condition)
                both.compare("SELECT id FROM behind ORDER BY id")
                if known:
                    both.compare("SELECT o.id, v.id, CHARSET(u) FROM behind v RIGHT JOIN orders o "
                                 "ON o.user_id = v.id ORDER BY o.id")
    finally:
        both.run("SET NAMES utf8mb4")
        both.run("DROP VIEW behind")
        both.run("DROP TABLE bytes")


def test_a_name_of_another_thing(both):
    """A CTE hides a view of its name."""
    both.compare("WITH counts AS (SELECT 1 AS one) SELECT * FROM counts")
    both.compare("SELECT * FROM (SELECT id FROM users) spenders ORDER BY 1")
    both.compare("SELECT * FROM nothing_there")


def test_modes(both):
    for mode in ("ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "PIPES_AS_CONCAT"):
        for connection in both.connections:
            with connection.cursor() as c:
                c.execute(f"SET sql_mode = '{mode}'")
        both.compare("SELECT * FROM spenders ORDER BY id")
        if mode != "NO_BACKSLASH_ESCAPES":
            both.compare("SELECT COUNT(*), MAX(t) FROM quoted JOIN users USING (id)")
    for connection in both.connections:
        with connection.cursor() as c:
            c.execute("SET sql_mode = DEFAULT")


@pytest.mark.parametrize("what", ["LAST_INSERT_ID()", "FOUND_ROWS() + 1", "ABS(ROW_COUNT())",
                                  "(SELECT MAX(age) FROM users WHERE id > LAST_INSERT_ID())"])
def test_what_is_the_sessions_is_in_no_view(both, what):
    """It would be that of a connection to a server."""
    shardd = both.connections[0]
    for table in "users", "settings":
        error = testbed.Answer(shardd, f"CREATE VIEW last_of AS SELECT id, {what} w FROM {table}"
                               ).error
        assert error[0] == 1235 and "in a view" in error[1], error
    for sql in "SELECT LAST_INSERT_ID(77)", "SELECT DISTINCT LAST_INSERT_ID() FROM adults":
        both.compare(sql)
