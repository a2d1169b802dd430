"""Transactions on one shard and on several; numbers of AUTO_INCREMENT."""
import os
import random
import signal
import threading
import time

import pymysql
import pytest

import testbed

CUT = (2006, 2013, 1053, 1105, 1430, 1927)  # the connection or the statement died


def make_accounts(cluster, db, n=40, start=100):
    cluster.sql("CREATE TABLE a (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)", db=db)
    cluster.sql("INSERT INTO a VALUES " + ",".join(f"({i}, {start})" for i in range(n)), db=db)


def on_different_shards(cluster, db, n=40):
    """Two ids of table a that different shards own."""
    owners = {}
    for shard in cluster.shard_list():
        for (i,) in cluster.on_shard(shard, "SELECT id FROM a ORDER BY id", db):
            owners[i] = shard["name"]
    first = owners[0]
    return 0, next(i for i, owner in owners.items() if owner != first)


def test_one_shard_is_as_on_a_server(both):
    both.run("CREATE TABLE t (id BIGINT PRIMARY KEY, n INT, UNIQUE (id, n))")
    for sql in ("INSERT INTO t VALUES (1, 1)", "START TRANSACTION",
                "UPDATE t SET n = 2 WHERE id = 1",
                "SELECT * FROM t WHERE id = 1", "SAVEPOINT s", "UPDATE t SET n = 3 WHERE id = 1",
                "ROLLBACK TO SAVEPOINT s", "SELECT * FROM t WHERE id = 1", "RELEASE SAVEPOINT s",
                "COMMIT", "SELECT * FROM t WHERE id = 1", "BEGIN", "DELETE FROM t WHERE id = 1",
                "SELECT ROW_COUNT()", "ROLLBACK", "SELECT * FROM t WHERE id = 1",
                "UPDATE t SET n = 2 WHERE id = 1", "SET autocommit = 0",
                "UPDATE t SET n = 9 WHERE id = 1", "ROLLBACK", "SELECT n FROM t WHERE id = 1",
                "UPDATE t SET n = 10 WHERE id = 1", "COMMIT AND CHAIN",
                "UPDATE t SET n = 11 WHERE id = 1", "ROLLBACK", "SET autocommit = 1",
                "SELECT n FROM t WHERE id = 1", "START TRANSACTION READ ONLY",
                "UPDATE t SET n = 12 WHERE id = 1", "COMMIT", "SELECT n FROM t WHERE id = 1",
                "ROLLBACK TO SAVEPOINT nothing", "COMMIT", "ROLLBACK",
                "INSERT INTO t VALUES (1, 1)", "INSERT IGNORE INTO t VALUES (1, 1)",
                "SELECT @@autocommit, @@in_transaction"):
        both.compare(sql)


def test_one_shard_costs_no_more_than_a_server(checked, db):
    """What the server hears of a transaction is what a client without a proxy would say; BEGIN
    waits for nothing, as it goes with the first statement."""
    make_accounts(checked, db)
    shard = next(s for s in checked.shard_list()
                 if checked.on_shard(s, "SELECT 1 FROM a WHERE id = 0", db))
    checked.on_shard(shard, "SET GLOBAL log_output = 'TABLE', GLOBAL general_log = ON")
    try:
        with checked.connect(db=db) as c, c.cursor() as cursor:
            for i in range(5):
                for sql in ("BEGIN", f"UPDATE a SET n = {i} WHERE id = 0",
                            f"SELECT n + {i} FROM a WHERE id = 0", "COMMIT"):
                    cursor.execute(sql)
    finally:
        checked.on_shard(shard, "SET GLOBAL general_log = OFF, GLOBAL log_output = 'FILE'")
    log = checked.on_shard(shard, "SELECT thread_id, CONVERT(argument USING utf8mb4) FROM "
                                  "mysql.general_log ORDER BY event_time")
    thread = next(t for t, text in log if text == "UPDATE a SET n = 4 WHERE id = 0")
    said = [text for t, text in log if t == thread]
    assert said[-4:] == ["START TRANSACTION", "UPDATE a SET n = 4 WHERE id = 0",
                         "SELECT n + 4 FROM a WHERE id = 0",
                         "COMMIT AND NO CHAIN NO RELEASE"], said
    checked.on_shard(shard, "TRUNCATE TABLE mysql.general_log")


def test_isolation_is_chosen_per_transaction(both):
    both.run("CREATE TABLE t (id BIGINT PRIMARY KEY, n INT)")
    both.run("INSERT INTO t VALUES (1, 1), (2, 2)")
    for level in "READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE":
        both.compare(f"SET SESSION TRANSACTION ISOLATION LEVEL {level}")
        both.compare("SELECT @@tx_isolation")
        both.compare("BEGIN")
        both.compare("SELECT n FROM t WHERE id = 1")
        both.compare("COMMIT")


def test_two_shards_commit_together(checked, db):
    make_accounts(checked, db)
    a, b = on_different_shards(checked, db)
    with checked.connect(db=db) as c, checked.connect(db=db) as other:
        with c.cursor() as cursor, other.cursor() as view:
            cursor.execute("BEGIN")
            cursor.execute("UPDATE a SET n = n - 30 WHERE id = %s", (a,))
            cursor.execute("UPDATE a SET n = n + 30 WHERE id = %s", (b,))
            cursor.execute("SELECT n FROM a WHERE id IN (%s, %s) ORDER BY id", (a, b))
            assert cursor.fetchall() == ((70,), (130,))  # its own writes
            view.execute("SELECT n FROM a WHERE id IN (%s, %s) ORDER BY id", (a, b))
            assert view.fetchall() == ((100,), (100,))  # nobody else's
            c.commit()
            view.execute("SELECT n FROM a WHERE id IN (%s, %s) ORDER BY id", (a, b))
            assert view.fetchall() == ((70,), (130,))
            cursor.execute("BEGIN")
            cursor.execute("UPDATE a SET n = 0 WHERE id = %s", (a,))
            cursor.execute("DELETE FROM a WHERE id = %s", (b,))
            cursor.execute("INSERT INTO a VALUES (1000, 1), (1001, 1), (1002, 1), (1003, 1)")
            c.rollback()
            view.execute("SELECT COUNT(*), SUM(n) FROM a")
            assert view.fetchone() == (40, 4000)


def test_savepoints_over_two_shards(checked, db):
    make_accounts(checked, db)
    a, b = on_different_shards(checked, db)
    with checked.connect(db=db) as c, c.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("UPDATE a SET n = 1 WHERE id = %s", (a,))
        try:
            cursor.execute("SAVEPOINT s")
            cursor.execute("UPDATE a SET n = 2 WHERE id IN (%s, %s)", (a, b))
            cursor.execute("ROLLBACK TO SAVEPOINT s")
        except pymysql.err.MySQLError as error:  # refused is right, half done is not
            assert error.args[0] == 1235
            cursor.execute("ROLLBACK")
            return
        cursor.execute("COMMIT")
        cursor.execute("SELECT n FROM a WHERE id IN (%s, %s) ORDER BY id", (a, b))
        assert cursor.fetchall() == ((1,), (100,))


def test_one_statement_on_many_shards_is_atomic(checked, db):
    """A duplicate on one shard leaves nothing on the others."""
    make_accounts(checked, db)
    with checked.connect(db=db) as c, c.cursor() as cursor:
        with pytest.raises(pymysql.err.IntegrityError) as refused:
            cursor.execute("INSERT INTO a VALUES " + ",".join(
                f"({i}, 0)" for i in [*range(100, 140), 7]))
        assert refused.value.args[0] == 1062
        cursor.execute("SELECT COUNT(*) FROM a")
        assert cursor.fetchone() == (40,)
        assert cursor.execute("UPDATE a SET n = n + 1") == 40
        assert cursor.execute("UPDATE a SET n = 101") == 0
        assert cursor.execute("DELETE FROM a WHERE n = 101") == 40


def test_single_refuses_the_second_shard(new_cluster):
    cluster = new_cluster(workers=1, settings=["--set", 'commit="single"'])
    make = "INSERT INTO a VALUES (%s, 100)"
    cluster.sql("CREATE TABLE a (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)")
    for i in range(40):
        cluster.sql(make, (i,))
    a, b = on_different_shards(cluster, "app")
    with cluster.connect() as c, c.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("UPDATE a SET n = 1 WHERE id = %s", (a,))
        cursor.execute("SELECT n FROM a WHERE id = %s", (b,))  # reading is no harm
        for sql in (f"UPDATE a SET n = 2 WHERE id = {b}", "DELETE FROM a",
                    f"REPLACE INTO a VALUES ({b}, 3)"):
            with pytest.raises(pymysql.err.MySQLError) as refused:
                cursor.execute(sql)
            assert refused.value.args[0] == 1235
        cursor.execute("UPDATE a SET n = n + 1 WHERE id = %s", (a,))
        cursor.execute("COMMIT")
        cursor.execute("SELECT n FROM a WHERE id IN (%s, %s) ORDER BY id", (a, b))
        assert cursor.fetchall() == ((2,), (100,))


def test_a_statement_that_fails_leaves_the_transaction_open(checked, db):
    make_accounts(checked, db)
    a, b = on_different_shards(checked, db)
    with checked.connect(db=db) as c, c.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("UPDATE a SET n = 5 WHERE id = %s", (a,))
        cursor.execute("UPDATE a SET n = 6 WHERE id = %s", (b,))
        with pytest.raises(pymysql.err.IntegrityError):
            cursor.execute("INSERT INTO a VALUES (%s, 0)", (a,))
        cursor.execute("COMMIT")
        cursor.execute("SELECT n FROM a WHERE id IN (%s, %s) ORDER BY id", (a, b))
        assert cursor.fetchall() == ((5,), (6,))


def test_lock_waits_and_deadlocks_are_the_servers(checked, db):
    make_accounts(checked, db)
    with checked.connect(db=db) as c, checked.connect(db=db) as other:
        with c.cursor() as one, other.cursor() as two:
            two.execute("SET SESSION innodb_lock_wait_timeout = 1")
            one.execute("BEGIN")
            one.execute("SELECT n FROM a WHERE id = 3 FOR UPDATE")
            with pytest.raises(pymysql.err.OperationalError) as refused:
                two.execute("UPDATE a SET n = 1 WHERE id = 3")
            assert refused.value.args[0] == 1205
            one.execute("ROLLBACK")
            two.execute("UPDATE a SET n = 1 WHERE id = 3")


def test_a_client_that_leaves_rolls_back(checked, db):
    make_accounts(checked, db)
    c = checked.connect(db=db)
    with c.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("UPDATE a SET n = 0")
    c.close()
    with checked.connect(db=db) as c, c.cursor() as cursor:
        cursor.execute("SET SESSION innodb_lock_wait_timeout = 5")
        assert cursor.execute("UPDATE a SET n = n + 1") == 40
        cursor.execute("SELECT SUM(n) FROM a")
        assert cursor.fetchone() == (40 * 101,)


def test_ddl_commits(both):
    both.run("CREATE TABLE t (id BIGINT PRIMARY KEY)")
    both.run("BEGIN")
    both.run("INSERT INTO t VALUES (1), (2), (3), (4), (5)")
    both.run("CREATE TABLE other (id BIGINT PRIMARY KEY)")
    both.run("ROLLBACK")
    both.compare("SELECT * FROM t ORDER BY id")


def test_numbers(checked, db):
    """Unique from many clients, consecutive in one statement, after explicit ones."""
    checked.sql("CREATE TABLE s (id BIGINT AUTO_INCREMENT PRIMARY KEY, who INT, i INT)", db=db)
    failures = []

    def insert(who):
        try:
            with checked.connect(db=db) as c, c.cursor() as cursor:
                for i in range(20):
                    cursor.execute("INSERT INTO s (who, i) VALUES (%s, %s)", (who, i))
                    first = cursor.lastrowid
                    cursor.execute("SELECT LAST_INSERT_ID()")
                    assert cursor.fetchone() == (first,)
                    cursor.execute("SELECT who, i FROM s WHERE id = %s", (first,))
                    assert cursor.fetchone() == (who, i)
                    cursor.execute("INSERT INTO s (who, i) VALUES (%s, 100), (%s, 101),"
                                   " (%s, 102)", (who, who, who))
                    first = cursor.lastrowid
                    cursor.execute("SELECT i FROM s WHERE id BETWEEN %s AND %s ORDER BY id",
                                   (first, first + 2))
                    assert cursor.fetchall() == ((100,), (101,), (102,))
        except Exception as error:  # told in the main thread
            failures.append(error)

    threads = [threading.Thread(target=insert, args=(w,)) for w in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert failures == []
    assert checked.sql("SELECT COUNT(*), COUNT(DISTINCT id) FROM s", db=db) == ((640, 640),)
    with checked.connect(db=db) as c, c.cursor() as cursor:
        cursor.execute("INSERT INTO s VALUES (1000000, 0, 0)")
        cursor.execute("INSERT INTO s VALUES (NULL, 0, 1)")
        assert cursor.lastrowid > 1000000
        cursor.execute("INSERT INTO s VALUES (0, 0, 2)")
        assert cursor.lastrowid > 1000001
        cursor.execute("INSERT INTO s (who) VALUES (DEFAULT)")
        cursor.execute("SELECT COUNT(*), COUNT(DISTINCT id) FROM s")
        assert cursor.fetchone() == (644, 644)


class Transfers(threading.Thread):
    """Moves money between accounts on any shards until stopped; counts what it was told."""

    def __init__(self, cluster, db, seed):
        super().__init__()
        self.cluster, self.db, self.random = cluster, db, random.Random(seed)
        self.stop = threading.Event()
        self.committed = self.unknown = 0
        self.failure = None

    def run(self):
        while not self.stop.is_set():
            try:
                with self.cluster.connect(db=self.db, connect_timeout=5, read_timeout=30) as c:
                    self.transfer(c)
            except (pymysql.err.OperationalError, pymysql.err.InterfaceError,
                    pymysql.err.InternalError, OSError):
                self.unknown += 1
                time.sleep(0.02)
            except Exception as error:
                self.failure = error
                return

    def transfer(self, c):
        with c.cursor() as cursor:
            while not self.stop.is_set():
                a, b = self.random.sample(range(40), 2)
                cursor.execute("BEGIN")
                cursor.execute("UPDATE a SET n = n - 1 WHERE id = %s", (a,))
                cursor.execute("UPDATE a SET n = n + 1 WHERE id = %s", (b,))
                cursor.execute("COMMIT")
                self.committed += 1


def settled(cluster, db):
    """The sum once nothing is in doubt any more."""
    def none_in_doubt():
        return not any(cluster.on_shard(s, "XA RECOVER") for s in cluster.shard_list())
    testbed.wait_for("the resolver", none_in_doubt, 60)

    def counted():  # a shard that was just restarted may still count as down
        try:
            return cluster.sql("SELECT SUM(n), COUNT(*) FROM a", db=db)[0]
        except pymysql.err.OperationalError:
            return None
    return testbed.wait_for("the sum", counted)


def killing(cluster, db, kill, times):
    make_accounts(cluster, db)
    movers = [Transfers(cluster, db, seed) for seed in range(6)]
    for m in movers:
        m.start()
    try:
        for _ in range(times):
            before = sum(m.committed for m in movers)
            testbed.wait_for("commits", lambda: sum(m.committed for m in movers) > before + 20
                             or any(m.failure for m in movers), 60)
            kill()
    finally:
        for m in movers:
            m.stop.set()
        for m in movers:
            m.join()
    assert [m.failure for m in movers] == [None] * len(movers)
    assert settled(cluster, db) == (4000, 40)


def test_workers_killed_in_commits(new_cluster):
    cluster = new_cluster()
    killing(cluster, "app", lambda: cluster.kill_worker(random.randrange(2)), 6)


def all_answer(cluster):
    try:
        return all(cluster.on_shard(s, "SELECT 1") for s in cluster.shard_list())
    except pymysql.err.MySQLError:
        return False


def test_a_shard_killed_in_commits(new_cluster):
    cluster = new_cluster()

    def kill():
        victims = testbed.programs(cluster.home, "mariadbd")
        os.kill(random.choice(victims), signal.SIGKILL)
        testbed.wait_for("the shard to be back", lambda: all_answer(cluster), 60)

    killing(cluster, "app", kill, 2)


def test_the_controller_killed_in_commits(new_cluster):
    cluster = new_cluster()

    def kill():
        for pid in testbed.programs(cluster.home, "shardctl"):
            os.kill(pid, signal.SIGKILL)
        cluster.up()

    killing(cluster, "app", kill, 1)


def test_a_savepoint_opens_a_transaction_without_autocommit(both):
    both.run("CREATE TABLE t (name VARCHAR(30) PRIMARY KEY)")
    both.run("SET autocommit = 0")
    for i in range(8):  # of which some pairs are on different shards
        for step in ("SAVEPOINT a", f"INSERT INTO t VALUES ('gone{i}')", "ROLLBACK TO SAVEPOINT a",
                     "SAVEPOINT b", f"INSERT INTO t VALUES ('kept{i}')", "RELEASE SAVEPOINT b",
                     "RELEASE SAVEPOINT b", "COMMIT"):
            both.compare(step)
    both.compare("SELECT * FROM t ORDER BY name")


def test_settings_change_inside_a_transaction_of_all_shards(both):
    """The backends hear what is new, and not SET autocommit once more: XA refuses that."""
    both.run("CREATE TABLE t (id INT PRIMARY KEY, v INT)")
    both.run("INSERT INTO t VALUES " + ", ".join(f"({i}, 1)" for i in range(30)))
    for step in ("SET autocommit = 1, sql_mode = CONCAT(@@sql_mode, ',ANSI')",
                 "SET sql_mode = 'STRICT_ALL_TABLES'", "SET autocommit = 0",
                 "UPDATE t SET v = 2", "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
                 "SELECT SUM(v) FROM t", "SELECT @@sql_mode", "SET sql_mode = ''",
                 "SELECT SUM(v) FROM t", "SELECT @@sql_mode", "UPDATE t SET v = 3 WHERE id < 9",
                 "ROLLBACK", "SELECT SUM(v) FROM t", "SELECT @@autocommit",
                 "SET autocommit = 1", "UPDATE t SET v = 4", "ROLLBACK",
                 "SELECT SUM(v) FROM t", "SELECT @@autocommit"):
        both.compare(step)


def test_what_cannot_be_rolled_back_is_told(both):
    """Tables without transactions keep what was written: warning 1196, once for all shards."""
    for name, more in (("g", "ENGINE=MyISAM COMMENT 'shardd: global'"), ("s", "ENGINE=MyISAM"),
                       ("i", "ENGINE=InnoDB")):
        both.run(f"CREATE TABLE {name} (id INT PRIMARY KEY, v INT) {more}")
    rows = "VALUES " + ", ".join(f"({i}, 1)" for i in range(20))
    for steps in (["INSERT INTO g VALUES (1, 1)", "INSERT INTO i VALUES (1, 1)", "ROLLBACK"],
                  [f"INSERT INTO i {rows}", "INSERT INTO g VALUES (2, 1)", "ROLLBACK"],
                  [f"INSERT INTO s {rows}", "ROLLBACK", "SHOW COUNT(*) WARNINGS"],
                  [f"INSERT INTO i {rows}", "SAVEPOINT a", "INSERT INTO g VALUES (3, 1)",
                   "ROLLBACK TO SAVEPOINT a", "SHOW WARNINGS", "RELEASE SAVEPOINT a", "COMMIT"],
                  ["DELETE FROM i", "ROLLBACK AND CHAIN", "DELETE FROM s", "ROLLBACK"],
                  ["CREATE TEMPORARY TABLE w (id INT)", "ROLLBACK"]):
        for sql in ["BEGIN", *steps]:
            both.compare(sql)
        both.compare("SHOW WARNINGS")
        both.compare("ROLLBACK")
        both.compare("SHOW WARNINGS")
    for name in "gsi":
        both.compare(f"SELECT * FROM {name} ORDER BY id")
