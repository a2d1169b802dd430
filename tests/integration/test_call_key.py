"""test_call_key.py - CALL of procedures that keep to the key that a parameter gives: they run on
the shard of that key, write there, and answer as on one server; what keeps to none is refused."""
import random
import threading

import pymysql
import pytest

import testbed

DB = "calls"
SETUP = [
    "CREATE TABLE users (id INT PRIMARY KEY, name VARCHAR(20), n INT NOT NULL DEFAULT 0)",
    "CREATE TABLE orders (user_id BIGINT, no INT, what VARCHAR(40), amount DECIMAL(9,2),"
    " at DATETIME DEFAULT '2020-01-01', PRIMARY KEY (user_id, no))",
    "CREATE TABLE tags (who VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci, tag INT,"
    " PRIMARY KEY (who, tag))",
    "CREATE TABLE kinds (id INT PRIMARY KEY, name VARCHAR(10)) COMMENT 'shardd: reference'",
    "CREATE TABLE counted (id INT AUTO_INCREMENT PRIMARY KEY, n INT)",
    "CREATE TABLE found (id INT PRIMARY KEY, mail VARCHAR(20), UNIQUE (mail))"
    " COMMENT 'shardd: key(id) lookup(mail)'",
    "CREATE TABLE whole (id INT PRIMARY KEY, n INT) COMMENT 'shardd: global'",
    "CREATE VIEW seen AS SELECT name AS label, id AS who, n FROM users",
    "INSERT INTO users (id, name) VALUES " + ",".join(f"({i}, 'u{i}')" for i in range(1, 31)),
    "INSERT INTO kinds VALUES (1, 'one'), (2, 'two'), (3, 'three')",
]
PROCEDURES = [
    """PROCEDURE place(u INT, w VARCHAR(20), a DECIMAL(9,2), OUT total DECIMAL(12,2))
    BEGIN
      DECLARE next INT DEFAULT 1;
      DECLARE EXIT HANDLER FOR SQLSTATE '45001' SET total = -1;
      SELECT COALESCE(MAX(no), 0) + 1 INTO next FROM orders WHERE user_id = u FOR UPDATE;
      INSERT INTO orders (user_id, no, what, amount) VALUES (u, next, w, a), (u, next + 100, w, a);
      UPDATE users SET n = n + 1 WHERE id = u;
      IF (SELECT n FROM users WHERE id = u) > 3 THEN
        SIGNAL SQLSTATE '45001' SET MESSAGE_TEXT = 'too many';
      END IF;
      SELECT SUM(amount) INTO total FROM orders o WHERE o.user_id = u;
    END""",
    """PROCEDURE listed(u INT, least INT) READS SQL DATA
      SELECT users.id, name, no, what, amount FROM users JOIN orders ON user_id = users.id
        WHERE users.id = u AND no >= least ORDER BY no""",
    """PROCEDURE summed(IN u INT, INOUT s DECIMAL(12,2))
    BEGIN
      DECLARE done, i INT DEFAULT 0;
      DECLARE x DECIMAL(9,2);
      DECLARE c CURSOR FOR SELECT amount FROM orders WHERE user_id = u ORDER BY no;
      DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = 1;
      OPEN c;
      l: LOOP FETCH c INTO x; IF done THEN LEAVE l; END IF; SET s = s + x, i = i + 1; END LOOP l;
      CLOSE c;
      WHILE i > 0 DO SET i = i - 2; END WHILE;
      CASE i WHEN 0 THEN SELECT 'even', s; ELSE BEGIN SELECT 'odd'; SELECT s; END; END CASE;
    END""",
    """PROCEDURE copied(IN u INT, IN more INT) MODIFIES SQL DATA
    BEGIN
      INSERT INTO orders (user_id, no, what) SELECT user_id, no + more, k.name FROM orders o
        JOIN kinds k ON k.id = no WHERE o.user_id = u ON DUPLICATE KEY UPDATE what = 'again';
      SELECT ROW_COUNT(), COUNT(*) FROM orders WHERE user_id = u;
      REPLACE INTO orders (user_id, no, what) VALUES (u, 1, CONCAT('r', more));
      DELETE FROM orders WHERE user_id = u AND no > 200 LIMIT 2;
      DELETE o FROM orders o JOIN users ON id = user_id WHERE id = u AND o.no = 102;
    END""",
    """PROCEDURE tagged(w VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci, t INT)
    BEGIN
      INSERT IGNORE INTO tags VALUES (w, t);
      SELECT who, COUNT(*) FROM tags WHERE who = w GROUP BY who;
    END""",
    """PROCEDURE safe(u INT, fails INT)
    BEGIN
      DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; SELECT 'rolled back'; END;
      START TRANSACTION;
      UPDATE users SET n = 0, name = CONCAT('s', name) WHERE id = u;
      IF fails THEN INSERT INTO users (id) VALUES (u); END IF;
      COMMIT;
    END""",
    """PROCEDURE bonus(w SMALLINT, OUT many INT)
    BEGIN
      DECLARE next INT;
      SELECT COALESCE(MAX(no), 0) + 1 INTO next FROM orders WHERE user_id = w;
      INSERT INTO orders (user_id, no, what) VALUES (w, next, 'bonus');
      SELECT COUNT(*) INTO many FROM orders WHERE user_id = w;
    END""",
    """PROCEDURE outer_one(u INT)
    BEGIN
      DECLARE many INT DEFAULT 0;
      WHILE many < 3 DO CALL bonus(u, many); CALL bonus((u), @many); END WHILE;
      CALL safe(u, many > 5);
      SELECT many, @many;
    END""",
    """PROCEDURE viewed(u INT)
    BEGIN
      UPDATE users SET n = n + 1 WHERE id = u;
      SELECT seen.*, k.name FROM seen LEFT JOIN kinds k ON k.id = n WHERE who = u;
    END""",
]


@pytest.fixture(scope="module")
def c(scratch):
    cluster = testbed.Cluster(scratch / "calls", shards=3)
    yield cluster
    cluster.finish()


@pytest.fixture(scope="module")
def both(c, plain):
    for server in c, plain:
        server.sql(f"CREATE DATABASE {DB} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
                   db=None)
    pair = testbed.Both(c, plain, DB)
    for sql in SETUP + ["CREATE " + p for p in PROCEDURES]:
        pair.run(sql)
    yield pair
    pair.close()
    c.fsck()
    plain.sql(f"DROP DATABASE {DB}", db=None)


def results(connection, sql, args=None):
    """All answers, the last one's count, or the error's number. What a variable that is NULL was
    before nobody knows."""
    types = 1 if sql.startswith("SELECT @") else 2
    out = []
    with connection.cursor() as cursor:
        try:
            cursor.execute(sql, args)
            while True:
                out.append((cursor.fetchall(), cursor.description and
                            [d[:types] for d in cursor.description], cursor.rowcount))
                if not cursor.nextset():
                    return out
        except pymysql.err.MySQLError as e:
            return out + [e.args[0]]


def alike(both, sql, args=None):
    one, other = (results(connection, sql, args) for connection in both.connections)
    assert one == other, sql
    return one


def tables(both):
    for table in "users", "orders", "tags":
        alike(both, f"SELECT * FROM {table} ORDER BY 1, 2")


def call(r):
    user = r.randrange(1, 12)
    return r.choice([
        f"CALL place({user}, 'w{user}', {r.randrange(50)}.25, @t)",
        f"CALL {DB}.place({user}, NOW() > '2000-01-01', 1, @t)", "SELECT @t",
        f"CALL listed({user}, {r.randrange(3)})", f"CALL listed('{user}', 0)",
        f"SET @u = {user}, @s = {r.randrange(5)}", "CALL listed(@u, 0)", "CALL summed(@u, @s)",
        "SELECT @u, @s", f"CALL copied({user}, {r.randrange(300)})",
        f"CALL tagged('T{user}', {r.randrange(4)})", f"CALL tagged('t{user}', {r.randrange(4)})",
        f"CALL viewed({user})", f"CALL outer_one({user})", f"CALL safe({user}, {r.randrange(2)})",
        f"CALL listed({user + 1000}, 0)", f"CALL listed({user} + 1, 0)",
        f"CALL place((SELECT MIN(id) + {user} FROM users WHERE n < 9), 'asked', 2, @t)",
        f"CALL place({user}, (SELECT COUNT(*) FROM users), (SELECT 1.5), @t)",
        f"SET @u = {user}", "CALL viewed(@u + 2)", f"SELECT LAST_INSERT_ID({user})",
        "CALL listed(LAST_INSERT_ID(), 0)",
        "CALL listed(1)", "CALL place(1, 'much too long for a parameter', 1, @t)",
    ])


@pytest.mark.parametrize("seed", range(3))
def test_answers(both, seed):
    r = random.Random(seed)
    alike(both, "SET @u = 1, @s = 2.5, @t = 0.5")
    for _ in range(120):
        alike(both, call(r))
    tables(both)


def test_transactions(both):
    for end in "ROLLBACK", "COMMIT":
        for sql in ("BEGIN", "CALL place(21, 'a', 1, @t)", "CALL place(22, 'b', 2, @t)",
                    "SELECT @t", "UPDATE users SET name = 'x' WHERE id IN (23, 24)",
                    "CALL listed(21, 0)", end):
            alike(both, sql)
        tables(both)


def test_one_that_ends_transactions_does_not_end_half_of_one(both):
    shardd = both.connections[0]
    for sql in "BEGIN", "UPDATE users SET n = 7":
        results(shardd, sql)
    assert results(shardd, "CALL safe(25, 0)")[-1] in (1235, 1399)
    assert results(shardd, "CALL outer_one(25)")[-1] in (1235, 1399, 1402)
    results(shardd, "ROLLBACK")
    for sql in "BEGIN", "CALL safe(25, 0)", "ROLLBACK", "CALL outer_one(25)":
        alike(both, sql)
    tables(both)


def test_prepared(both):
    for sql in ("PREPARE s FROM 'CALL place(?, ?, 1.5, @t)'", "SET @u = 26, @w = 'p'",
                "EXECUTE s USING @u, @w", "EXECUTE s USING @u, @w", "SELECT @t",
                "DEALLOCATE PREPARE s"):
        alike(both, sql)
    for connection in both.connections:
        with connection.cursor() as cursor:
            cursor.callproc("place", (27, "by name", 3, 0))
    tables(both)


def test_it_runs_on_one_shard(c, both):
    told = str(results(both.connections[0], "EXPLAIN SHARDD CALL place(5, 'a', 1, @t)"))
    assert "keep to the key that a parameter gives" in told and told.count("shard-") == 1
    told = str(results(both.connections[0], "EXPLAIN SHARDD CALL listed(5, 1)"))
    assert "keep to the key" in told, told


REFUSED = [
    ("u INT", "UPDATE users SET n = 1", "does not find all of its rows by the key"),
    ("u INT", "DELETE FROM users WHERE id > u", "does not find"),
    ("u INT", "UPDATE users SET n = 1 WHERE id = u OR n = 3", "does not find"),
    ("u INT, v INT", "UPDATE users SET n = 1 WHERE id IN (u, v)", "does not find"),
    ("u INT, v INT", "BEGIN DELETE FROM users WHERE id = u; DELETE FROM users WHERE id = v; END",
     "does not find"),
    ("u INT", "INSERT INTO users (id) VALUES (u), (u + 1)", "does not find"),
    ("u INT", "DELETE FROM users WHERE id = 5", "does not find"),
    ("u INT", "UPDATE users SET id = 5 WHERE id = u", "does not find"),
    ("u INT", "DELETE users, orders FROM users JOIN orders WHERE users.id = u", "does not find"),
    ("u INT", "INSERT INTO users (id, n) SELECT u, COUNT(*) FROM orders", "does not find"),
    ("u INT", "BEGIN SET u = u + 1; DELETE FROM users WHERE id = u; END", "other values"),
    ("u INT", "BEGIN SELECT 3 INTO u; DELETE FROM users WHERE id = u; END", "other values"),
    ("INOUT u INT", "DELETE FROM users WHERE id = u", "other values"),
    ("u INT", "BEGIN DECLARE u INT DEFAULT 3; DELETE FROM users WHERE id = u; END",
     "other values"),
    ("u INT", "BEGIN DECLARE w INT DEFAULT u; DELETE FROM users WHERE id = w; END",
     "does not find"),
    ("u VARCHAR(20)", "DELETE FROM users WHERE id = u", "another type"),
    ("w VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "DELETE FROM tags WHERE who = w",
     "another type"),
    ("id INT", "DELETE FROM users WHERE id = id", "does not find"),
    ("id INT", "INSERT INTO users (id, n) VALUES (id, 1)", "is not understood"),
    ("u INT", "INSERT INTO counted (n) VALUES (u)", "AUTO_INCREMENT"),
    ("u INT", "INSERT INTO counted VALUES (u, 1)", "AUTO_INCREMENT"),
    ("u INT", "INSERT INTO found VALUES (u, 'a')", "a lookup"),
    ("u INT", "BEGIN DELETE FROM users WHERE id = u; DELETE FROM `whole`; END", "does not find"),
    ("u INT", "BEGIN DELETE FROM users WHERE id = u; UPDATE kinds SET name = 'x'; END",
     "does not find"),
    ("u INT", "BEGIN DELETE FROM users WHERE id = u; SELECT * FROM seen WHERE label = u; END",
     "does not find"),
    ("u INT", "BEGIN DELETE FROM users WHERE id = u; IF EXISTS (SELECT 1 FROM seen) THEN SELECT 1;"
     " END IF; END", "does not find"),
    ("u INT", "BEGIN DELETE FROM users WHERE id = u; DO GET_LOCK('a', 0); END", "by name"),
    ("u INT", "BEGIN DELETE FROM users WHERE id = u; CALL listed(5, 1); END", "does not find"),
    ("u INT, v INT", "BEGIN CALL viewed(u); CALL viewed(v); END", "does not find"),
    ("u INT", "BEGIN CALL bonus(u, u); DELETE FROM users WHERE id = u; END", "other values"),
    ("u INT", "BEGIN CALL none_such(u); DELETE FROM users WHERE id = u; END", "not possible"),
    ("u INT", "BEGIN DELETE FROM users WHERE id = u; CALL bad(u); END", "not possible"),
    ("u INT", "BEGIN DELETE FROM users WHERE id = u; CALL viewed((SELECT u FROM kinds)); END",
     "constant or a user variable"),
    ("u INT", "FOR i IN 1..2 DO DELETE FROM users WHERE id = u; END FOR", "names, or may reach"),
]


@pytest.mark.parametrize("parameters, body, why", REFUSED)
def test_what_keeps_to_no_key_is_refused(both, parameters, body, why):
    shardd = both.connections[0]
    made = results(shardd, f"CREATE OR REPLACE PROCEDURE bad({parameters}) {body}")
    if made[-1] == 1235:  # as procedures of unknown statements were always
        return
    arguments = ", ".join("@five" for _ in parameters.split(","))
    results(shardd, "SET @five = 5")
    with pytest.raises(pymysql.err.MySQLError, match=why) as e:
        with shardd.cursor() as cursor:
            cursor.execute(f"CALL bad({arguments})")
    assert e.value.args[0] == 1235
    tables(both)


@pytest.mark.parametrize("argument", ["NULL", "5.5", "11 / 2", "'5x'", "3000000000", "@none",
                                      "(SELECT id FROM users WHERE id < 0)", "-3000000000"])
def test_keys_that_are_no_values_of_the_column_are_refused(both, argument):
    shardd = both.connections[0]
    assert results(shardd, f"CALL place({argument}, 'a', 1, @t)")[-1] == 1235
    tables(both)


@pytest.mark.parametrize("definition, value, other, table", [
    ("TINYINT", 5, 500, "users WHERE id"), ("INT UNSIGNED", 5, -5, "users WHERE id"),
    ("BIGINT", 5, 5_000_000_000, "users WHERE id"), ("INT", 5, 5_000_000_000,
                                                      "orders WHERE user_id"),
    ("VARCHAR(3) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", "'T5'", "'T5 and more'",
     "tags WHERE who"),
    ("VARCHAR(30) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", "'T5'",
     "'longer than its column is'", "tags WHERE who")])
def test_keys_that_a_parameter_would_change_are_refused(both, definition, value, other, table):
    both.run(f"CREATE OR REPLACE PROCEDURE held(k {definition}) SELECT COUNT(*) FROM {table} = k")
    alike(both, f"CALL held({value})")
    assert results(both.connections[0], "SET sql_mode = ''") == [((), None, 0)]
    assert results(both.connections[0], f"CALL held({other})")[-1] == 1235
    results(both.connections[0], "SET sql_mode = DEFAULT")


def test_the_tables_may_change(both):
    """What a procedure keeps to is looked up for the tables as they are."""
    shardd = both.connections[0]
    for sql in ("CREATE TABLE later (a INT, b INT, PRIMARY KEY (a, b)) COMMENT 'shardd: key({})'",
                "CREATE OR REPLACE PROCEDURE late(x INT) INSERT INTO later VALUES (x, 1)"):
        results(shardd, sql.format("a"))
    assert results(shardd, "CALL late(3)") == [((), None, 1)]
    for key, works in ("b", False), ("a", True):
        results(shardd, "DROP TABLE later")
        assert results(shardd, "CALL late(3)")[-1] == 1146
        results(shardd, "CREATE TABLE later (a INT, b INT, PRIMARY KEY (a, b))"
                        f" COMMENT 'shardd: key({key})'")
        assert (results(shardd, "CALL late(3)") == [((), None, 1)]) == works
    results(shardd, "ALTER TABLE later ADD c INT DEFAULT 5, ADD d INT AUTO_INCREMENT UNIQUE")
    for sql in "DROP TABLE later", "DROP PROCEDURE late":
        results(shardd, sql)


def test_rights(c, both):
    c.ctl("user add", "caller", "--password", "caller", "--grant", f"SELECT ON {DB}.kinds")
    try:
        with c.connect(user="caller", password="caller", db=None) as caller:
            assert results(caller, f"CALL {DB}.listed(5, 0)")[-1] in (1370, 1044, 1142)
            c.sql(f"GRANT EXECUTE ON {DB}.* TO caller", db=None)
        with c.connect(user="caller", password="caller", db=None) as caller:
            assert results(caller, f"CALL {DB}.listed(5, 0)") == \
                results(both.connections[0], "CALL listed(5, 0)")
    finally:
        c.ctl("user remove", "caller")


def test_while_rows_move(c, both):
    """Nobody sees an error, and each call writes once, where the key is. (place() locks gaps
    between others' rows, for which calls end with 1213 now and then, on one server as well.)"""
    stop, wrong, done = threading.Event(), [], [0] * 3
    both.run("CREATE " + PROCEDURES[0].replace("place(", "placed(").replace(" FOR UPDATE", ""))

    def run(at):
        with c.connect(db=DB) as one, both.plain.connect(db=DB) as other:
            r = random.Random(at)
            while not stop.is_set():
                user = 31 + r.randrange(100) * 3 + at
                for sql in (f"REPLACE INTO users (id, name) VALUES ({user}, 'm')",
                            f"CALL placed({user}, 'm', {done[at]}, @t)", "SELECT @t",
                            f"CALL listed({user}, 1)"):
                    ours, theirs = results(one, sql), results(other, sql)
                    if ours != theirs:
                        wrong.append((sql, ours, theirs))
                        return
                done[at] += 1

    threads = [threading.Thread(target=run, args=[at]) for at in range(3)]
    for thread in threads:
        thread.start()
    try:
        c.ctl("shard add", timeout=120)
        for words in (["reshard rebalance", "--no-reverse"], ["reshard split", "shard-1", "--to",
                                                              "shard-2", "--no-reverse"]):
            moved = c.ctl_raw(*words, "--wait", timeout=120)
            assert moved.returncode == 0, moved
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert wrong == [] and min(done) > 3, (wrong, done)
    tables(both)
    assert c.on_shard(c.shard_list()[-1], f"SELECT COUNT(*) FROM {DB}.orders")[0][0] > 0
