"""test_lookup.py - lookups: a column that is unique over all shards, kept by every kind of write in
its own transaction. Answers, errors and contents are those of one server with a UNIQUE key."""
import random
import threading
import time

import pymysql
import pytest

import testbed

USERS = ("CREATE TABLE users (id BIGINT AUTO_INCREMENT PRIMARY KEY, email VARCHAR(60), n INT, "
         "s VARCHAR(20) NOT NULL DEFAULT 'x', UNIQUE KEY email (email)) "
         "COMMENT 'shardd: lookup(email)'")
LINES = ("CREATE TABLE parts (o INT, l INT, code INT NOT NULL, PRIMARY KEY (o, l), "
         "UNIQUE KEY by_code (code)) COMMENT 'shardd: key(o) lookup(code)'")
OTHER = "CREATE TABLE other (id INT PRIMARY KEY, email VARCHAR(60), v INT)"
ROWS = [
    "INSERT INTO users (id, email, n) VALUES " + ",".join(
        f"({i}, {repr(f'u{i}@x') if i % 5 else 'NULL'}, {i % 7})" for i in range(1, 41)),
    "INSERT INTO parts VALUES " + ",".join(f"({i // 3}, {i % 3}, {i * 10})" for i in range(30)),
    "INSERT INTO other VALUES " + ",".join(f"({i}, 'u{i * 2}@x', {i})" for i in range(1, 30)),
]


@pytest.fixture(scope="module")
def pair(gathering, plain):
    for sql in (lambda s: gathering.sql(s, db=None), plain.sql):
        sql("DROP DATABASE IF EXISTS lk")
        sql("CREATE DATABASE lk CHARACTER SET utf8mb4")
    both = testbed.Both(gathering, plain, "lk")
    for sql in [USERS, LINES, OTHER] + ROWS:
        both.run(sql)
    yield both
    both.close()
    plain.sql("DROP DATABASE lk")
    gathering.fsck()
    gathering.sql("DROP DATABASE lk", db=None)
    assert not lookups(gathering)


def lookups(cluster):
    return cluster.on_shard(cluster.shard_list()[0], "SELECT TABLE_NAME FROM "
                            "information_schema.TABLES WHERE TABLE_SCHEMA = 'shardd_lookup'")


def same_content(both):
    """But for numbers that were given out."""
    both.compare("SELECT IF(email LIKE 'u%@x%', id, 0), email, n, s FROM users", ordered=False)
    both.compare("SELECT * FROM parts", ordered=False)


def fsck(both, cluster):
    same_content(both)
    cluster.fsck()


def check(both, sql):
    """Of several rows that are there already, each may be the one that is told."""
    ours, theirs = both.answers(sql)
    if ours.error and theirs.error and ours.error[0] == theirs.error[0] == 1062:
        assert ours.error[1].split("key")[1] == theirs.error[1].split("key")[1], sql
    else:
        ours.insert_id = theirs.insert_id = 0 if ours.insert_id and theirs.insert_id else None
        both.check(sql, ours, theirs, messages=True)


WRITES = [
    "INSERT INTO users (email, n) VALUES ('new@x', 1)",
    "INSERT INTO users (email, n) VALUES ('a@x', 1), ('b@x', 2), (NULL, 3), (NULL, 4), ('c@x', 5)",
    "INSERT INTO users (email, n) VALUES ('d@x', 1), ('u7@x', 2)",
    "INSERT INTO users (email, n) VALUES ('U7@X ', 2)",
    "INSERT INTO users (email, n) VALUES (CONCAT('e', '@x'), 1 + 1)",
    "INSERT INTO users SET email = 's@x', n = 3",
    "INSERT INTO users (id, email) VALUES (900, 'f@x'), (901, 'g@x')",
    "INSERT INTO users (id, email) VALUES (7, 'zz@x')",
    "INSERT INTO users (email, n) SELECT CONCAT('o', email), v FROM other WHERE v < 9",
    "INSERT INTO users (email, n) SELECT email, v FROM other WHERE v < 9",
    "INSERT INTO users (id, email) VALUES (3, 'p@x') ON DUPLICATE KEY UPDATE email = 'q@x'",
    "INSERT INTO users (id, email) VALUES (3, 'p@x') ON DUPLICATE KEY UPDATE email = 'u4@x'",
    "INSERT INTO users (id, email) VALUES (3, 'u3@x'), (800, 'r@x') "
    "ON DUPLICATE KEY UPDATE n = n + 1",
    "REPLACE INTO users (id, email) VALUES (3, 'u3@x')",
    "REPLACE INTO users (id, email) VALUES (3, 'fresh@x'), (4, NULL), (802, 'v@x')",
    "INSERT IGNORE INTO users (id, email) VALUES (3, 'i@x'), (803, 'j@x')",
    "UPDATE users SET email = 'moved@x' WHERE id = 8",
    "UPDATE users SET email = 'u9@x' WHERE id = 8",
    "UPDATE users SET email = NULL WHERE id < 20",
    "UPDATE users SET email = UPPER(email)",
    "UPDATE users SET email = CONCAT(email, '.org') WHERE n = 3",
    "UPDATE users SET n = n + 1",
    "UPDATE users SET id = id + 1000 WHERE n = 2",
    "UPDATE users SET id = 2000, email = 'both@x' WHERE id = 6",
    "UPDATE users SET email = 'w@x' ORDER BY id LIMIT 1",
    "UPDATE users JOIN other ON users.n = other.v SET users.email = CONCAT(users.id, '@', v)",
    "DELETE FROM users WHERE id = 5",
    "DELETE FROM users WHERE id = 6 RETURNING id, email",
    "DELETE FROM users WHERE email = 'u11@x'",
    "DELETE FROM users WHERE n > 3",
    "DELETE FROM users ORDER BY n, id LIMIT 3",
    "DELETE users FROM users JOIN other ON users.email = other.email WHERE other.v < 12",
    "DELETE FROM users",
    "INSERT INTO users (email) VALUES ('ret@x'), ('ret2@x') RETURNING email",
    "INSERT INTO parts VALUES (50, 1, 5000), (51, 1, 5001), (50, 2, 5002)",
    "INSERT INTO parts VALUES (50, 1, 5000), (51, 1, 5000)",
    "INSERT INTO parts VALUES (50, 1, 100)",
    "UPDATE parts SET code = code + 1 WHERE o = 3 AND l = 1",
    "UPDATE parts SET code = code + 1000",
    "UPDATE parts SET code = 110 WHERE code = 100",
    "UPDATE parts SET o = o + 100 WHERE code < 90",
    "REPLACE INTO parts VALUES (1, 1, 41)",
    "DELETE FROM parts WHERE o = 4",
]


@pytest.mark.parametrize("sql", WRITES)
def test_every_kind_of_write(pair, sql):
    """In a transaction that is undone."""
    for c in pair.connections:
        c.begin()
    try:
        check(pair, sql)
        same_content(pair)
        dup = "INSERT INTO users (id, email) VALUES (700, 'u31@x')"
        pair.compare(dup)
        same_content(pair)
    finally:
        for c in pair.connections:
            c.rollback()


def test_by_themselves(pair, gathering):
    for sql in WRITES:
        check(pair, sql)
    fsck(pair, gathering)
    for sql in ["DELETE FROM users", "DELETE FROM parts"] + ROWS[:2]:
        pair.run(sql)
    fsck(pair, gathering)


def test_prepared(pair, gathering):
    ours = gathering.connect(db="lk")
    with ours.cursor() as c:
        c.execute("PREPARE p FROM 'INSERT INTO users (email, n) VALUES (?, ?)'")
        c.execute("SET @a = 'prep@x', @b = 5")
        c.execute("EXECUTE p USING @a, @b")
        with pytest.raises(pymysql.err.IntegrityError):
            c.execute("EXECUTE p USING @a, @b")
        c.execute("SELECT COUNT(*) FROM users WHERE email = 'prep@x'")
        assert c.fetchone() == (1,)
        assert c.execute("DELETE FROM users WHERE email = 'prep@x'") == 1
    ours.close()
    fsck(pair, gathering)


REFUSED = [
    ("TRUNCATE users", "lookup"),
    ("ALTER TABLE users MODIFY email VARCHAR(200)", "lookup"),
    ("ALTER TABLE users DROP COLUMN email", "lookup"),
    ("ALTER TABLE users ADD UNIQUE KEY e2 (email)", "lookup"),
    ("ALTER TABLE users COMMENT 'shardd: reference'", "lookup"),
    ("ALTER TABLE users COMMENT 'shardd: lookup(email) lookup(n)'", "table lookup add lk.users n"),
    ("ALTER TABLE other COMMENT 'shardd: lookup(email)'", "table lookup add lk.other email"),
    ("CREATE TABLE bad (id INT PRIMARY KEY, f FLOAT, KEY (f)) COMMENT 'shardd: lookup(f)'", "type"),
    ("CREATE TABLE bad (id INT PRIMARY KEY) COMMENT 'shardd: lookup(nix)'", "no column"),
    ("CREATE TABLE bad (id INT PRIMARY KEY) COMMENT 'shardd: lookup(id)'", "is its key"),
    ("CREATE TABLE bad (id INT PRIMARY KEY, v INT) COMMENT 'shardd: reference lookup(v)'",
     "is reference"),
    ("CREATE TABLE bad (id INT PRIMARY KEY, v INT) COMMENT 'shardd: lookup v'", "understood"),
    ("CREATE TABLE bad (id INT PRIMARY KEY, v INT, p INT, FOREIGN KEY (id) REFERENCES other (id) "
     "ON DELETE CASCADE) COMMENT 'shardd: lookup(v)'", "RESTRICT"),
    ("CREATE TABLE bad (id INT PRIMARY KEY, v INT, UNIQUE KEY (v)) COMMENT 'shardd: key(id)'",
     "lookup"),
    ("LOAD DATA LOCAL INFILE '/x' INTO TABLE users", "lookup"),
    ("SELECT * FROM shardd_lookup.x", "denied"),
    ("CREATE DATABASE shardd_lookup", "exists"),
]


@pytest.mark.parametrize("sql,words", REFUSED)
def test_refused(pair, gathering, sql, words):
    before = lookups(gathering)
    with pytest.raises(pymysql.err.MySQLError, match=words):
        gathering.sql(sql, db="lk")
    assert lookups(gathering) == before
    assert all("bad" not in t for t, in gathering.sql("SHOW TABLES", db="lk"))


def test_changes_of_the_table(pair, gathering):
    """What its lookups do not hinder; names, and a table like it."""
    run = lambda s: gathering.sql(s, db="lk")
    run("CREATE TABLE c (id INT PRIMARY KEY, a INT, b VARCHAR(20), UNIQUE (a), UNIQUE KEY bb (b)) "
        "COMMENT 'shardd: lookup(a) lookup(b)'")
    run("INSERT INTO c VALUES (1, 1, 'x'), (2, 2, 'y'), (3, NULL, NULL)")
    run("ALTER TABLE c ADD COLUMN d INT DEFAULT 5")
    run("CREATE INDEX more ON c (d)")
    run("RENAME TABLE c TO c2")
    run("CREATE TABLE c3 LIKE c2")
    run("INSERT INTO c3 (id, a, b) SELECT id, a, b FROM c2")
    for table in ("c2", "c3"):
        with pytest.raises(pymysql.err.IntegrityError, match="'Y' for key 'bb'"):
            run(f"INSERT INTO {table} (id, a, b) VALUES (9, 9, 'Y')")
        with pytest.raises(pymysql.err.IntegrityError, match="'2' for key 'a'"):
            run(f"UPDATE {table} SET a = 2 WHERE id = 1")
    assert len(lookups(gathering)) == 6
    gathering.fsck()
    run("DROP TABLE c2, c3")
    assert len(lookups(gathering)) == 2


def writers(cluster, n, work):
    stop, failed = threading.Event(), []

    def run(number):
        try:
            with cluster.connect(db="lk") as c:
                work(c, random.Random(number), stop)
        except Exception as e:  # told below
            failed.append(e)
    threads = [threading.Thread(target=run, args=(i,)) for i in range(n)]
    for t in threads:
        t.start()
    return threads, stop, failed


def write_once(c, rng):
    """One statement, or a transaction of some; two of them may want one value."""
    def one():
        i, value = rng.randrange(60), f"v{rng.randrange(40)}"
        return rng.choice([
            f"INSERT INTO t VALUES ({i}, '{value}', 0)",
            f"INSERT INTO t VALUES ({i}, '{value}', 0), ({i + 100}, NULL, 1)",
            f"REPLACE INTO t VALUES ({i}, '{value}', 0)",
            f"INSERT INTO t VALUES ({i}, '{value}', 0) ON DUPLICATE KEY UPDATE v = VALUES(v)",
            f"UPDATE t SET v = '{value}' WHERE id = {i}",
            f"UPDATE t SET v = NULL WHERE v = '{value}'",
            f"UPDATE t SET id = {rng.randrange(60)} WHERE id = {i}",
            f"DELETE FROM t WHERE id = {i}",
            f"DELETE FROM t WHERE v = '{value}'",
        ])
    def ran(do, *args):
        try:
            do(*args)
        except pymysql.err.MySQLError as e:
            if e.args[0] not in (1062, 1205, 1213):
                raise
            return e.args[0] == 1062
        return True

    with c.cursor() as cursor:
        for _ in range(rng.choice([1, 1, 1, 3])):
            if not ran(cursor.execute, one()):
                c.rollback()
                return
    # COMMIT too can be told that a move has cut its transaction.
    ran(c.rollback if rng.random() < 0.2 else c.commit)


def write_all(c, rng, stop):
    c.autocommit(False)
    with c.cursor() as cursor:
        cursor.execute("SET innodb_lock_wait_timeout = 3")
    while not stop.is_set():
        write_once(c, rng)


def values(cluster):
    return [v for v, in cluster.sql("SELECT v FROM t WHERE v IS NOT NULL", db="lk")]


def test_many_writers(pair, gathering):
    gathering.sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(10), n INT, UNIQUE KEY (v)) "
                  "COMMENT 'shardd: lookup(v)'", db="lk")
    threads, stop, failed = writers(gathering, 4, write_all)
    time.sleep(2)
    stop.set()
    for t in threads:
        t.join()
    assert not failed
    found = values(gathering)
    assert found and len(found) == len(set(found))
    gathering.fsck()
    gathering.sql("DROP TABLE t", db="lk")


def test_added_and_dropped_under_writers(pair, gathering):
    """Writers that keep to values of their own, and rows of before."""
    gathering.sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20), n INT)", db="lk")
    gathering.sql("INSERT INTO t VALUES " + ",".join(f"({i}, 'a{i}', 0)" for i in range(3000)),
                  db="lk")

    def work(c, rng, stop):
        c.autocommit(True)
        me, k = rng.randrange(10 ** 9), 0
        with c.cursor() as cursor:
            while not stop.is_set():
                k += 1
                i = rng.randrange(3000)
                try:
                    cursor.execute(rng.choice([
                        f"UPDATE t SET v = 'w{me}-{k}' WHERE id = {i}",
                        f"DELETE FROM t WHERE id = {i}",
                        f"REPLACE INTO t VALUES ({i}, 'w{me}-{k}', 1)"]))
                except pymysql.err.MySQLError as e:
                    if e.args[0] not in (1205, 1213):
                        raise
    threads, stop, failed = writers(gathering, 2, work)
    try:
        gathering.ctl("table", "lookup", "add", "lk.t", "v")
        with pytest.raises(pymysql.err.IntegrityError, match="for key 'v'"):
            some = values(gathering)[-1]
            for _ in range(50):
                gathering.sql(f"INSERT INTO t VALUES (100000, '{some}', 0)", db="lk")
                gathering.sql("DELETE FROM t WHERE id = 100000", db="lk")
                some = values(gathering)[-1]
        gathering.ctl("table", "lookup", "drop", "lk.t", "v")
        gathering.ctl("table", "lookup", "add", "lk.t", "v")
    finally:
        stop.set()
        for t in threads:
            t.join()
    assert not failed
    gathering.fsck()
    gathering.ctl("table", "lookup", "drop", "lk.t", "v")
    gathering.sql("UPDATE t SET v = 'same' WHERE id < 5000", db="lk")
    done = gathering.ctl_raw("table", "lookup", "add", "lk.t", "v")
    assert done.returncode != 0 and "Duplicate entry 'same' for key 'v'" in done.stderr
    gathering.sql("UPDATE t SET v = 'same' WHERE id < 5000", db="lk")
    gathering.fsck()
    gathering.sql("DROP TABLE t", db="lk")


def test_found_and_repaired(pair, gathering):
    gathering.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT, UNIQUE (v)) "
                  "COMMENT 'shardd: lookup(v)'", db="lk")
    gathering.sql("INSERT INTO t VALUES " + ",".join(f"({i}, {i})" for i in range(50)), db="lk")
    name = [n for n, in lookups(gathering) if n.startswith("t_v")][0]
    for shard in gathering.shard_list():
        gathering.on_shard(shard, f"DELETE FROM shardd_lookup.{name} ORDER BY v LIMIT 2")
        gathering.on_shard(shard, f"UPDATE shardd_lookup.{name} SET k = k + 1 ORDER BY v LIMIT 1")
    report = gathering.ctl_raw("fsck")
    assert "not in the lookup" in report.stdout and "in no row" in report.stdout
    with pytest.raises(pymysql.err.MySQLError, match="fsck --repair"):
        gathering.sql("DELETE FROM t", db="lk")
    gathering.ctl("fsck", "--repair", "--yes")
    gathering.fsck()
    assert gathering.sql("DELETE FROM t WHERE v < 20", db="lk") is not None
    gathering.fsck()
    gathering.sql("DROP TABLE t", db="lk")


READS = [
    "SELECT * FROM users WHERE email = 'u7@x'",
    "SELECT * FROM users WHERE email = 'U7@X '",
    "SELECT * FROM users WHERE email = 'nobody'",
    "SELECT * FROM users WHERE email = ''",
    "SELECT COUNT(*), SUM(n) FROM users WHERE email = 'nobody'",
    "SELECT COUNT(*), MIN(id) FROM users WHERE email IN ('u7@x', 'u8@x', 'u9@x', 'no')",
    "SELECT * FROM users WHERE email IN ('u7@x', 'u8@x', 'u9@x') ORDER BY id DESC LIMIT 2",
    "SELECT u.id, p.code FROM users u JOIN parts p ON p.o = u.n WHERE u.email = 'u8@x'",
    "SELECT o, l FROM parts WHERE code = 110",
    "SELECT o, l FROM parts WHERE code = 111",
    "SELECT p.code, q.code FROM parts p JOIN parts q ON p.o = q.o WHERE p.code = 120 ORDER BY 2",
    "SELECT a.code, b.code FROM parts a LEFT JOIN parts b ON a.o = b.o AND b.code = 120 "
    "WHERE a.l = 0 ORDER BY 1, 2",
    "SELECT id FROM users WHERE email = 'u7@x' OR n = 3 ORDER BY id",
    "SELECT id FROM users WHERE email = 'u7@x' AND n = 3",
    "SELECT id FROM users WHERE email = 0 ORDER BY id",
    "SELECT code FROM parts WHERE code = '120'",
    "SELECT code FROM parts WHERE code = 120.5",
    "SELECT id FROM users WHERE email = _latin1'u7@x'",
    "SELECT id FROM users WHERE email <=> NULL ORDER BY id",
    "SELECT id FROM users WHERE (email, n) = ('u7@x', 0)",
    "SELECT o, l, code FROM parts WHERE code IN (10, 20, NULL) ORDER BY code",
]


@pytest.mark.parametrize("sql", READS)
def test_reads(pair, sql):
    pair.compare(sql)
    for c in pair.connections:
        c.begin()
    try:
        pair.run("UPDATE users SET email = 'gone@x' WHERE email = 'u7@x'")
        pair.run("UPDATE users SET email = 'u7@x', n = 77 WHERE id = 12")
        pair.run("UPDATE parts SET code = code + 1 WHERE o = 4")
        pair.compare(sql)
    finally:
        for c in pair.connections:
            c.rollback()


def test_reads_go_to_one_shard(pair, gathering):
    told = gathering.sql("EXPLAIN SHARDD SELECT * FROM users WHERE email = 'u7@x'", db="lk")
    assert any("lookup" in str(row) for row in told)
    told = gathering.sql("EXPLAIN SHARDD SELECT * FROM users WHERE email = 'u7@x' FOR UPDATE",
                         db="lk")
    assert not any("lookup" in str(row) for row in told)

    def scattered():
        return gathering.metric("shardd_statements_routed_total", route="scatter")
    connection = gathering.connect(db="lk")
    with connection.cursor() as c:
        c.execute("SELECT id FROM users WHERE email LIKE 'u%' LIMIT 1")
        before = scattered()
        for i in range(20):
            c.execute("SELECT id FROM users WHERE email = %s", (f"u{i}@x",))
            assert c.fetchall() == (((i,),) if i % 5 else ())
            assert scattered() == before, i
        c.execute("PREPARE p FROM 'SELECT id FROM users WHERE email = ?'")
        c.execute("SET @a = 'u7@x'")
        c.execute("SELECT id FROM users WHERE email IN ('u8@x')")
        assert c.fetchall() == ((8,),)
        assert scattered() == before
    connection.close()


@pytest.mark.long
def test_rows_and_lookups_move(pair, gathering):
    """Writers go on; what was given away and taken, and its lookup, are as they should be."""
    gathering.sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(10), n INT, UNIQUE KEY (v)) "
                  "COMMENT 'shardd: lookup(v)'", db="lk")
    threads, stop, failed = writers(gathering, 2, write_all)
    ranges = [r for r in gathering.ctl("range", "list")["ranges"] if r["shard"] == "shard-1"][:3]
    try:
        gathering.ctl("reshard", "move", *[r["first"] for r in ranges], "--to", "shard-2",
                      "--cut-transactions", "--wait", timeout=120)
        time.sleep(1)
        gathering.ctl("reshard", "reverse", "--wait", timeout=120)
    finally:
        stop.set()
        for t in threads:
            t.join()
    assert not failed
    found = values(gathering)
    assert found and len(found) == len(set(found))
    gathering.fsck()
    gathering.sql("DROP TABLE t", db="lk")


def test_a_worker_dies(pair, gathering):
    """The last one: the connections of the pair do not survive it."""
    gathering.sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(10), n INT, UNIQUE KEY (v)) "
                  "COMMENT 'shardd: lookup(v)'", db="lk")

    def work(c, rng, stop):
        while not stop.is_set():
            try:
                c.ping(reconnect=True)
                c.select_db("lk")
                c.autocommit(False)
                write_once(c, rng)
            except (pymysql.err.OperationalError, pymysql.err.InterfaceError):
                time.sleep(0.05)
    threads, stop, failed = writers(gathering, 3, work)
    for _ in range(3):
        time.sleep(0.7)
        gathering.kill_worker()
    stop.set()
    for t in threads:
        t.join()
    assert not failed
    gathering.fsck()
    found = values(gathering)
    assert len(found) == len(set(found))
    gathering.sql("DROP TABLE t", db="lk")
