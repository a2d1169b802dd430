"""Rows that are on a shard but not of it: statements without a key must not see them.

A move of rows puts copies on other shards and their keys into a table of schema shardd_move
there. Here both are put by hand, and every answer is compared with that of one plain server,
which has none of the copies.
"""
import http.client
import json
import random
import socket
import threading

import pymysql
import pytest

import answers
import testbed

REFUSED_MAX = 0.01
FEW = 2  # in a small campaign


class Socket(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("controller")
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self.path)


def hide(cluster, sets):
    """{"app.t": "set"}"""
    c = Socket(cluster.home / "controller.sock")
    c.request("POST", "/v1/move/hide", json.dumps({"hide": sets}),
              {"Content-Type": "application/json"})
    answer = c.getresponse()
    body = answer.read()
    c.close()
    assert answer.status == 200, body


def make_set(cursor, table, key="k", keys="LIMIT 0"):
    cursor.execute(f"DROP TABLE IF EXISTS shardd_move.h_{table}")
    cursor.execute(f"CREATE TABLE shardd_move.h_{table} (UNIQUE KEY (k)) AS"
                   f" SELECT {key} AS k FROM app.{table} {keys}")


def plant(cluster, table, insert, key="k"):
    """Each shard gets `insert`, and into its set the keys that it did not have."""
    for shard in cluster.shard_list():
        with cluster.shard_connect(shard, "app") as c, c.cursor() as cursor:
            make_set(cursor, table, key)
            cursor.execute(f"CREATE TEMPORARY TABLE own (UNIQUE KEY (k)) AS SELECT DISTINCT {key}"
                           f" AS k FROM {table}")
            if insert:
                cursor.execute(insert)
            cursor.execute(f"INSERT INTO shardd_move.h_{table} SELECT DISTINCT {key} FROM {table}"
                           f" AS t WHERE NOT EXISTS (SELECT 1 FROM own WHERE own.k <=> t.{key})")
            cursor.execute("DROP TEMPORARY TABLE own")


def planted(cluster, table, key="k"):
    """What lies on the shards and must not be seen."""
    return [sorted(cluster.on_shard(s, f"SELECT * FROM {table} AS t WHERE EXISTS (SELECT 1 FROM"
                                    f" shardd_move.h_{table} AS h WHERE h.k <=> t.{key})",
                                    "app"), key=repr) for s in cluster.shard_list()]


@pytest.fixture(scope="module")
def three(scratch):
    cluster = testbed.Cluster(scratch / "hide", shards=3)
    yield cluster
    try:
        hide(cluster, {})
        for shard in cluster.shard_list():
            for (table,) in cluster.on_shard(shard, "SELECT TABLE_NAME FROM"
                                             " information_schema.TABLES WHERE TABLE_SCHEMA ="
                                             " 'shardd_move' AND TABLE_NAME LIKE 'h\\_%'"):
                cluster.on_shard(shard, f"DROP TABLE shardd_move.{table}")
        for table, kind in cluster.sql("SHOW FULL TABLES"):
            cluster.sql(f"DROP {'VIEW' if kind == 'VIEW' else 'TABLE'} {table}")
    finally:
        cluster.finish()


class Hidden(answers.Campaign):
    """The random statements, with copies of rows on shards that do not own them."""

    def prepare(self, case):
        self.before = {}
        sets = {}
        for table, rows in case.rows:
            if table.kind != "sharded":
                continue
            insert = rows and f"INSERT IGNORE INTO {table.name} VALUES {', '.join(rows)}"
            plant(self.servers[0], table.name, insert)
            sets[f"app.{table.name}"] = f"h_{table.name}"
            self.before[table.name] = planted(self.servers[0], table.name)
        self.n_planted += sum(len(rows) for shards in self.before.values() for rows in shards)
        hide(self.servers[0], sets)

    n_planted = 0

    def run_case(self, case, count=True):
        hide(self.servers[0], {})
        found = super().run_case(Prepared(case, self), count)
        if found:
            return found
        for table, before in self.before.items():
            if planted(self.servers[0], table) != before:
                return len(case.body) - 1, f"rows of {table} were touched that are not to be seen"
        return None


class Prepared(answers.Case):
    def __init__(self, case, campaign):
        super().__init__(case.tables, case.rows, case.body, case.found_rows, case.prepared,
                         case.views)
        self.campaign = campaign

    def setup(self):
        yield from super().setup()
        self.campaign.prepare(self)


def campaign(cluster, plain, seed, count, capsys, wide):
    plain.sql("CREATE OR REPLACE DATABASE app")
    one = Hidden(cluster, plain, "app", seed, wide)
    try:
        failure = one.run(count)
        with capsys.disabled():
            print("\n" + one.summary() + f", {one.n_planted} rows hidden")
        assert failure is None, failure
        assert one.refused <= max(REFUSED_MAX * one.ran, FEW), one.why
        assert one.n_planted > count / 8
    finally:
        one.close()


@pytest.mark.parametrize("seed, wide", [(11, 0.0), (12, 0.7)])
def test_small(three, plain, capsys, seed, wide):
    campaign(three, plain, seed, 80, capsys, wide)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(200, 203))
@pytest.mark.parametrize("wide", [0.0, 0.7])
def test_long(three, plain, capsys, seed, wide):
    campaign(three, plain, seed, 1000, capsys, wide)


# --- what is not random ------------------------------------------------------


@pytest.fixture(scope="module")
def shop(three, plain):
    """users and orders with 60 rows each, all of them on every shard; a plain server that
    has each once."""
    hide(three, {})
    plain.sql("CREATE OR REPLACE DATABASE app")
    users = ", ".join(f"({i}, {i % 7}, 'n{i}')" for i in range(1, 61))
    orders = ", ".join(f"({i}, {1 + i * 7 % 60}, {i % 5})" for i in range(1, 61))
    for server in (three, plain):
        for text in (
                "DROP VIEW IF EXISTS young", "DROP TABLE IF EXISTS users, orders, log",
                "CREATE TABLE users (id INT PRIMARY KEY, age INT NOT NULL, name VARCHAR(20))"
                " COMMENT 'shardd: key(id)'",
                "CREATE TABLE orders (id INT, user_id INT, n INT, PRIMARY KEY (user_id, id))"
                " COMMENT 'shardd: key(user_id)'",
                "CREATE TABLE log (user_id INT, id INT, n INT, PRIMARY KEY (user_id, id))"
                " COMMENT 'shardd: key(user_id)'",
                "CREATE VIEW young AS SELECT id, name FROM users WHERE age < 3",
                f"INSERT INTO users VALUES {users}", f"INSERT INTO orders VALUES {orders}"):
            server.sql(text, db="app")
    plant(three, "users", f"INSERT IGNORE INTO users VALUES {users}", "id")
    plant(three, "orders", f"INSERT IGNORE INTO orders VALUES {orders}", "user_id")
    hide(three, {"app.users": "h_users", "app.orders": "h_orders"})
    both = testbed.Both(three, plain, "app")
    yield both
    both.close()
    hide(three, {})
    three.sql("DROP VIEW young")


READS = [
    "SELECT COUNT(*), SUM(age), MIN(name), MAX(id) FROM users",
    "SELECT age, COUNT(*) FROM users GROUP BY age HAVING COUNT(*) > 8 ORDER BY age",
    "SELECT DISTINCT age FROM users ORDER BY age",
    "SELECT id FROM users WHERE age = 1 OR age = 2 ORDER BY id LIMIT 3, 5",
    "SELECT id FROM users WHERE id IN (1, 2, 3, 4, 5, 6, 7, 8) ORDER BY id",
    "SELECT id FROM users WHERE id BETWEEN 5 AND 25 ORDER BY id",
    "SELECT id FROM users WHERE id = '7'", "SELECT name FROM users WHERE id = 7",
    "SELECT u.id, o.n FROM users u JOIN orders o ON o.user_id = u.id ORDER BY u.id, o.id",
    "SELECT u.id, o.n FROM users u LEFT JOIN orders o ON o.user_id = u.id AND o.n > 2"
    " ORDER BY u.id, o.id",
    "SELECT user_id, o.n, l.n FROM orders o LEFT JOIN log l USING (user_id) ORDER BY user_id, o.id",
    "SELECT u.id FROM orders o RIGHT JOIN users u ON o.user_id = u.id WHERE o.n IS NULL"
    " ORDER BY u.id",
    "SELECT id FROM users WHERE EXISTS (SELECT 1 FROM orders WHERE user_id = users.id AND n = 4)"
    " ORDER BY id",
    "SELECT id FROM users WHERE id NOT IN (SELECT user_id FROM orders WHERE n > 1) ORDER BY id",
    "SELECT id, (SELECT SUM(n) FROM orders WHERE user_id = u.id) FROM users u ORDER BY id",
    "SELECT x.age, COUNT(*) FROM (SELECT id, age FROM users WHERE age > 2) x GROUP BY x.age"
    " ORDER BY x.age",
    "WITH x AS (SELECT id, age FROM users) SELECT COUNT(*) FROM x JOIN x AS y ON x.id = y.id",
    "SELECT age FROM users UNION SELECT n FROM orders ORDER BY age",
    "SELECT u.id, o.id FROM users u JOIN orders o ON o.n = u.age WHERE u.id < 9"
    " ORDER BY u.id, o.id",
    "SELECT id, ROW_NUMBER() OVER (ORDER BY id) FROM users ORDER BY id LIMIT 5",
    "SELECT COUNT(*) FROM users WHERE name + 0 > 1", "SELECT COUNT(*) FROM young",
    "SELECT v.id, o.n FROM young v JOIN orders o ON o.user_id = v.id ORDER BY v.id, o.id",
    "SELECT id FROM users WHERE age = 5 ORDER BY id FOR UPDATE",
    "SELECT id FROM users WHERE age = 5 ORDER BY id LOCK IN SHARE MODE",
    "SELECT SQL_CALC_FOUND_ROWS id FROM users ORDER BY id LIMIT 4", "SELECT FOUND_ROWS()",
]

WRITES = [
    "UPDATE users SET age = age + 1", "UPDATE users SET age = 3 WHERE age = 4 OR name = 'n9'",
    "UPDATE users SET age = 2 WHERE id IN (1, 2, 3, 4, 5, 6)",
    "UPDATE users SET age = 9 WHERE id = 8",
    "UPDATE users SET name = 'x' WHERE id BETWEEN 10 AND 20 ORDER BY age",
    "UPDATE users u JOIN orders o ON o.user_id = u.id SET u.age = o.n, o.n = 7 WHERE o.n > 1",
    "UPDATE users u LEFT JOIN orders o ON o.user_id = u.id SET u.age = 0 WHERE o.id IS NULL",
    "UPDATE users SET age = 5 WHERE id IN (SELECT user_id FROM orders WHERE n = 7)",
    "INSERT INTO log SELECT user_id, id, n FROM orders WHERE n = 7",
    "REPLACE INTO log SELECT user_id, id, n + 1 FROM orders",
    "INSERT INTO log SELECT user_id, id, n FROM orders ON DUPLICATE KEY UPDATE n = log.n + 1",
    "INSERT IGNORE INTO log SELECT user_id, id, n FROM orders",
    "INSERT INTO users VALUES (61, 1, 'a'), (62, 2, 'b') ON DUPLICATE KEY UPDATE age = 1",
    "DELETE FROM orders WHERE n = 7", "DELETE FROM users WHERE id IN (1, 2, 3, 4, 5)",
    "DELETE u, o FROM users u JOIN orders o ON o.user_id = u.id WHERE u.age > 2",
    "DELETE FROM users ORDER BY id", "DELETE FROM orders",
]


def same_tables(both):
    for table in ("users", "orders", "log"):
        both.compare(f"SELECT * FROM {table} ORDER BY 1, 2")


def test_sorted_behind_a_join_buffer(three):
    """MariaDB 10.11 loses a NOT IN it has materialized, when it joins so and sorts then."""
    hide(three, {})
    rows = "(0, 'ab'), (300, 'zz')"
    three.sql("CREATE TABLE few (k SMALLINT UNSIGNED PRIMARY KEY, v VARCHAR(30) NOT NULL)"
              " COMMENT 'shardd: key(k)'")
    three.sql(f"INSERT INTO few VALUES {rows}")
    three.sql("CREATE TABLE beside (k SMALLINT UNSIGNED, n INT, b BIT(9), PRIMARY KEY (k, n))"
              " COMMENT 'shardd: reference'")
    three.sql("INSERT INTO beside VALUES (300, 38, b'111111111'), (0, 18, b'0')")
    plant(three, "few", f"INSERT IGNORE INTO few VALUES {rows}")
    hide(three, {"app.few": "h_few"})
    assert three.sql("SELECT a.*, v FROM beside a JOIN few b USING (k) ORDER BY a.k, a.n, b.k") == (
        (0, 18, b"\0\0", "ab"), (300, 38, b"\x01\xff", "zz"))


def test_forms(three, shop):
    before = [planted(three, "users", "id"), planted(three, "orders", "user_id")]
    assert all(sum(map(len, shards)) > 60 for shards in before)
    for sql in READS:
        shop.compare(sql)
    for start in ("ROLLBACK", "BEGIN"):
        shop.run(start)
        for sql in WRITES:
            shop.compare(sql)
            same_tables(shop)
        shop.run("ROLLBACK")
        same_tables(shop)
        if start == "ROLLBACK":
            break_even(shop)
    with shop.connections[0].cursor() as cursor:
        cursor.execute("DELETE FROM users WHERE name IS NOT NULL RETURNING id")
        assert sorted(cursor.fetchall()) == [(i,) for i in range(1, 61)]
    assert [planted(three, "users", "id"), planted(three, "orders", "user_id")] == before
    shop.run("DELETE FROM users")
    break_even(shop)


def break_even(both):
    """The rows as they were at first."""
    for sql in ("DELETE FROM log", "DELETE FROM orders", "DELETE FROM users",
                "INSERT INTO users VALUES "
                + ", ".join(f"({i}, {i % 7}, 'n{i}')" for i in range(1, 61)),
                "INSERT INTO orders VALUES "
                + ", ".join(f"({i}, {1 + i * 7 % 60}, {i % 5})" for i in range(1, 61))):
        both.run(sql)


def test_nothing_shows(three, shop):
    """Clients see neither the schema nor a right to it, nor that a role was on."""
    one = shop.connections[0]
    for sql in ("SELECT COUNT(*) FROM users", "SHOW DATABASES", "SHOW GRANTS",
                "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA",
                "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES",
                "SELECT * FROM information_schema.SCHEMA_PRIVILEGES",
                "SELECT CURRENT_ROLE()", "UPDATE users SET age = age", "SHOW DATABASES"):
        answer = testbed.Answer(one, sql)
        assert answer.error is None and "shardd" not in repr(answer.rows), answer
    for own in ("shardd", "shardd_move"):  # as of any schema without rights
        answer = testbed.Answer(one, f"SHOW TABLES FROM {own}")
        assert answer.error or not answer.rows
    for sql in ("SELECT * FROM shardd_move.h_users",
                "SELECT u.id FROM users u JOIN shardd_move.h_users h ON h.k = u.id",
                "INSERT INTO shardd_move.h_users VALUES (1)", "DESCRIBE shardd_move.h_users",
                "DROP TABLE shardd_move.h_users", "USE shardd_move", "DROP DATABASE shardd_move",
                "CREATE DATABASE shardd_move"):
        assert testbed.Answer(one, sql).error, sql
    assert "shardd_move" in repr(testbed.Answer(one, "EXPLAIN SHARDD SELECT * FROM users").rows)
    tables = {row[2] for row in testbed.Answer(one, "EXPLAIN SELECT * FROM users").rows}
    assert tables == {"users", "shardd_h"}


def test_checksum_waits(shop):
    assert "being moved" in testbed.Answer(shop.connections[0], "CHECKSUM TABLE users").error[1]


# --- a mover at work ---------------------------------------------------------


class Mover(threading.Thread):
    """Copies rows to shards that do not own them, keys first, and removes them again."""

    def __init__(self, cluster, shard, rows):
        super().__init__(daemon=True)
        self.cluster, self.shard, self.rows = cluster, shard, rows
        self.over = threading.Event()
        self.rounds, self.failure = 0, None

    def round(self, c, cursor):
        chosen = random.sample(self.rows, 5)
        keys = ", ".join(f"({r[0]})" for r in chosen)
        copies = ", ".join(str(r) for r in chosen)
        cursor.execute("BEGIN")
        cursor.execute(f"INSERT IGNORE INTO shardd_move.h_moving VALUES {keys}")
        cursor.execute(f"INSERT INTO moving VALUES {copies}")
        cursor.execute("COMMIT")
        ids = ", ".join(str(r[0]) for r in chosen)
        cursor.execute(f"SELECT COUNT(*) FROM moving WHERE id IN ({ids}) AND v = -1")
        if cursor.fetchone()[0] != 5:
            self.failure = "a row was touched that is not to be seen"
        cursor.execute(f"DELETE FROM moving WHERE id IN ({ids})")
        self.rounds += 1

    def run(self):
        with self.cluster.shard_connect(self.shard, "app") as c, c.cursor() as cursor:
            cursor.execute("SET tx_isolation = 'READ-COMMITTED', innodb_lock_wait_timeout = 20")
            while not self.over.is_set() and not self.failure:
                try:
                    self.round(c, cursor)
                except pymysql.err.OperationalError as error:
                    if error.args[0] not in (1205, 1213):
                        self.failure = repr(error)
                    cursor.execute("ROLLBACK")
                    cursor.execute("DELETE FROM moving WHERE v = -1")


def foreign_rows(cluster, shard, n):
    """(id, -1) for ids that this shard does not own."""
    own = {r[0] for r in cluster.on_shard(shard, "SELECT id FROM moving", "app")}
    return [(i, -1) for i in range(1, n + 1) if i not in own]


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ"])
def test_while_rows_come(three, isolation):
    """No statement sees or touches a row that comes while it runs."""
    n = 300
    hide(three, {})
    three.sql("DROP TABLE IF EXISTS moving")
    three.sql("CREATE TABLE moving (id INT PRIMARY KEY, v INT NOT NULL) COMMENT 'shardd: key(id)'")
    three.sql("INSERT INTO moving VALUES " + ", ".join(f"({i}, 0)" for i in range(1, n + 1)))
    plant(three, "moving", "", "id")
    hide(three, {"app.moving": "h_moving"})
    movers = [Mover(three, s, foreign_rows(three, s, n)) for s in three.shard_list()]
    for m in movers:
        m.start()
    with three.connect(autocommit=True) as c, c.cursor() as cursor:
        cursor.execute(f"SET SESSION TRANSACTION ISOLATION LEVEL {isolation}")

        def ask(sql, expect):
            try:
                cursor.execute(sql)
            except pymysql.err.OperationalError as error:
                assert error.args[0] in (1205, 1213), (sql, error)
                return False
            rows = cursor.fetchall()
            assert (rows or ((cursor.rowcount,),))[0][0] == expect, (sql, rows[:3])
            return True

        value = 0
        first = min(m.rounds for m in movers)
        for turn in range(400):
            value += ask("UPDATE moving SET v = v + 1 WHERE v >= -1", n)
            ask("SELECT COUNT(*) FROM moving", n)
            ask(f"SELECT COUNT(*) FROM moving WHERE v = {value}", n)
            cursor.execute("BEGIN")
            if ask("SELECT COUNT(*) FROM moving", n):
                ask("SELECT COUNT(*) FROM moving FOR UPDATE", n)
            cursor.execute("ROLLBACK")
            assert not any(m.failure for m in movers), [m.failure for m in movers]
            if turn >= 15 and min(m.rounds for m in movers) - first >= 15:
                break
    for m in movers:
        m.over.set()
    for m in movers:
        m.join(60)
        assert not m.is_alive() and m.failure is None, m.failure
        assert m.rounds > 0
    hide(three, {})
    three.sql("DROP TABLE moving")


def test_an_old_view(three):
    """A transaction whose view is older than the set gets an error, never a wrong answer: the
    set has to be there first."""
    hide(three, {})
    three.sql("DROP TABLE IF EXISTS moving")
    three.sql("CREATE TABLE moving (id INT PRIMARY KEY, v INT NOT NULL) COMMENT 'shardd: key(id)'")
    three.sql("INSERT INTO moving VALUES " + ", ".join(f"({i}, 0)" for i in range(1, 31)))
    with three.connect(autocommit=False) as c, c.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM moving")
        plant(three, "moving", "", "id")
        hide(three, {"app.moving": "h_moving"})
        with pytest.raises(pymysql.err.MySQLError) as error:
            cursor.execute("SELECT COUNT(*) FROM moving")
        assert error.value.args[0] == 1412
        cursor.execute("ROLLBACK")
        cursor.execute("SELECT COUNT(*) FROM moving")
        assert cursor.fetchone() == (30,)
        cursor.execute("ROLLBACK")
    hide(three, {})
    three.sql("DROP TABLE moving")


@pytest.mark.long
def test_a_cluster_of_before(three):
    """One that was made when there were no moves gets the schema and the right to it."""
    hide(three, {})
    shards = three.shard_list()
    for shard in shards:
        three.on_shard(shard, "DROP DATABASE shardd_move")
        three.on_shard(shard, "REVOKE SELECT ON `shardd\\_move`.* FROM shardd_committer")
    three.down()
    three.up()
    for shard in shards:
        assert three.on_shard(shard, "SHOW DATABASES LIKE 'shardd\\_move'")
        rights = [grant for (grant,) in three.on_shard(shard, "SHOW GRANTS FOR shardd_committer")]
        assert any(grant.startswith("GRANT SELECT ON `shardd") for grant in rights), rights


@pytest.mark.long
def test_a_move_waits_for_old_views(three):
    """Transactions that are older than the sets of a move end before statements look there."""
    hide(three, {})
    for table, _ in three.sql("SHOW FULL TABLES WHERE Table_type = 'BASE TABLE'"):
        three.sql(f"DROP TABLE {table}")  # what others have planted is in the way of a move
    three.sql("CREATE TABLE moving (id INT PRIMARY KEY, v INT NOT NULL) COMMENT 'shardd: key(id)'")
    three.sql("INSERT INTO moving VALUES " + ", ".join(f"({i}, 0)" for i in range(1, 301)))
    source = three.shard_list()[0]
    part = next(r for r in three.ctl("range list")["ranges"] if r["shard"] == source["name"])

    def ended():
        return all(job["state"] == "done" for job in three.ctl("job list")["jobs"])

    with three.connect(autocommit=False) as c, c.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM moving")
        done = three.ctl_raw("reshard move", part["first"], "--to", "shard-2", "--no-reverse")
        assert done.returncode == 0, done.stderr
        testbed.wait_for("the sets", lambda: three.on_shard(
            source, "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shardd_move'"
            " AND TABLE_NAME LIKE 'in\\_%'"))
        for _ in range(20):
            cursor.execute("SELECT COUNT(*) FROM moving")
            assert cursor.fetchone() == (300,)
        assert "shardd_move" not in repr(three.sql("EXPLAIN SHARDD SELECT COUNT(*) FROM moving"))
        cursor.execute("COMMIT")
    testbed.wait_for("the move", ended, 60)
    assert three.sql("SELECT COUNT(*) FROM moving") == ((300,),)
    three.sql("DROP TABLE moving")
