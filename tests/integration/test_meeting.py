"""Transactions, locks by name and locked tables of several clients meet as on one server: who
waits, for how long, and what everybody is answered."""
import itertools
import random

import pytest

import testbed
from meeting import Meeting

ROWS = 12
LEVELS = ["READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ"]
ALL = "SELECT id, n FROM t ORDER BY id"


# --- transactions -------------------------------------------------------------------

class Script:
    """Random statements of three clients. Left out is what is another thing where rows lie on
    several servers: locks on gaps between rows, the order in which one statement locks several
    rows while others hold some, and reads of a transaction that were no snapshot's."""

    def __init__(self, seed, meeting):
        self.r, self.m = random.Random(seed), meeting
        self.fresh = 1000 + seed * 1000
        self.level = ["REPEATABLE READ"] * 3
        self.looked = [False] * 3  # has read everything in this transaction

    def choose(self, who):
        m, r = self.m, self.r
        others_idle = all(not m.is_open(w) for w in range(3) if w != who) and not m.pending
        key, kind = r.randrange(ROWS), r.randrange(100)
        if m.is_open(who) and not self.looked[who] and self.level[who] == "REPEATABLE READ":
            return ALL
        if kind < 40:
            return r.choice([f"UPDATE t SET n = n + {r.randrange(1, 4)} WHERE id = {key}",
                             f"UPDATE g SET n = n + 1 WHERE id = {key % 3}",
                             f"SELECT n FROM t WHERE id = {key} FOR UPDATE",
                             f"SELECT n FROM t WHERE id = {key} LOCK IN SHARE MODE",
                             f"REPLACE INTO t VALUES ({key}, {r.randrange(50)})",
                             f"INSERT IGNORE INTO t VALUES ({key}, 1)",
                             f"INSERT INTO t VALUES ({key}, 1)"])
        if kind < 48:
            self.fresh += 1
            return f"INSERT INTO t VALUES ({self.fresh}, {r.randrange(9)})"
        if kind < 52 and others_idle:
            return r.choice(["UPDATE t SET n = n + 1", "UPDATE t SET n = n - 1 WHERE n > 5",
                             "DELETE FROM t WHERE id >= 1000"])
        if kind < 62:
            return r.choice([ALL, "SELECT COUNT(*), SUM(n) FROM t", "SELECT * FROM g ORDER BY id",
                             f"SELECT n FROM t WHERE id = {key}", "SELECT @@in_transaction"])
        if kind < 74:
            return r.choice(["BEGIN", "START TRANSACTION", "SET autocommit = 0"])
        if kind < 86:
            return r.choice(["COMMIT", "COMMIT", "ROLLBACK", "COMMIT AND CHAIN",
                             "ROLLBACK AND CHAIN", "SET autocommit = 1",
                             r.choice([f"CREATE TABLE IF NOT EXISTS x{who} (id INT PRIMARY KEY)",
                                       f"DROP TABLE IF EXISTS x{who}"])])
        if kind < 95:
            name = r.choice("ab")
            return r.choice([f"SAVEPOINT {name}", f"ROLLBACK TO {name}",
                             f"RELEASE SAVEPOINT {name}"])
        return "SET SESSION TRANSACTION ISOLATION LEVEL " + r.choice(LEVELS)

    def follow(self, who, sql):
        """What the next choice has to know."""
        if sql == ALL:
            self.looked[who] = True
        elif sql.split()[0] not in ("UPDATE", "SELECT", "REPLACE", "INSERT", "DELETE",
                                    "SAVEPOINT", "RELEASE") and " TO " not in sql:
            self.looked[who] = False
        if sql.startswith("SET SESSION"):
            self.level[who] = sql.split("LEVEL ")[1]

    def step(self):
        """False: a deadlock."""
        who = self.r.choice(self.m.free())
        sql = self.choose(who)
        if sql.startswith("SET SESSION") and self.m.is_open(who):
            sql = "COMMIT"
        heard = self.m.say(who, sql)
        self.follow(who, sql)
        return self.m.compare(heard)

    def run(self, steps):
        for _ in range(steps):
            if not self.step():
                return
        while self.m.pending or any(self.m.is_open(w) for w in self.m.free()):
            for who in self.m.free():
                if not self.m.compare(self.m.say(who, "ROLLBACK")):
                    return
                if not self.m.compare(self.m.say(who, "SET autocommit = 1")):
                    return


def fill(server, db):
    for sql in ("DROP TABLE IF EXISTS t, g, x0, x1, x2",
                "CREATE TABLE t (id BIGINT PRIMARY KEY, n INT NOT NULL)",
                "CREATE TABLE g (id BIGINT PRIMARY KEY, n INT NOT NULL) COMMENT "
                "'shardd: reference'", "INSERT INTO g VALUES (0, 0), (1, 0), (2, 0)",
                "INSERT INTO t VALUES " + ",".join(f"({i}, {i})" for i in range(ROWS))):
        server.sql(sql, db=db)


def transactions(cluster, plain, db, seeds, steps=40):
    waits = 0
    for seed in seeds:
        for server in cluster, plain:
            fill(server, db)
        with Meeting(cluster, plain, [db] * 3) as meeting:
            Script(seed, meeting).run(steps)
            waits += meeting.waits
        left = [sorted(server.sql("SELECT * FROM t", db=db)) for server in (cluster, plain)]
        assert left[0] == left[1] or meeting.ended, meeting.story(str(left))
    assert waits > len(seeds), "they hardly meet"


def test_transactions(both):
    transactions(both.cluster, both.plain, both.db, range(4))


@pytest.mark.long
def test_more_transactions(both):
    transactions(both.cluster, both.plain, both.db, range(4, 200), steps=60)


def test_who_has_a_lock_is_told_beside_rows(both):
    asks = "SELECT DISTINCT IS_FREE_LOCK('w') f, IS_USED_LOCK('w') u FROM t"
    names = "SELECT id, IS_FREE_LOCK('w'), Is_used_Lock( 'v' ) FROM t WHERE id < 3 ORDER BY id"
    for server in both.cluster, both.plain:
        fill(server, both.db)
        with server.connect(db=both.db) as one, server.connect(db=both.db) as other, \
                one.cursor() as has, other.cursor() as cursor:
            has.execute("SELECT GET_LOCK('w', 0), CONNECTION_ID()")
            owner = has.fetchone()[1]
            for who in has, cursor:
                who.execute(asks)
                assert who.fetchall() == ((0, owner),)
            cursor.execute("SET @u = IS_USED_LOCK('w')")
            cursor.execute("SELECT @u")
            assert cursor.fetchall() == ((owner,),)
            cursor.execute(names)
            assert [d[0] for d in cursor.description] == ["id", "IS_FREE_LOCK('w')",
                                                          "Is_used_Lock( 'v' )"]
            assert cursor.fetchall() == tuple((i, 0, None) for i in range(3))
            has.execute("DO RELEASE_LOCK('w')")
            cursor.execute(asks)
            assert cursor.fetchall() == ((1, None),)
    for sql in ("SELECT GET_LOCK('w', 0) FROM t", "SELECT id FROM t ORDER BY IS_FREE_LOCK('w')",
                "SELECT IS_FREE_LOCK(CONCAT(id)) FROM t", "SELECT IS_FREE_LOCK('w') + 1 FROM t"):
        with pytest.raises(Exception, match="shardd: locks"):
            both.cluster.sql(sql, db=both.db)


# --- locks by name, and of tables -------------------------------------------------------

@pytest.fixture
def elsewhere(both):
    """A second database, which lives on the other shard."""
    home, = [d["home"] for d in both.cluster.ctl("database list")["databases"]
             if d["name"] == both.db]
    other = [s["name"] for s in both.cluster.shard_list() if s["name"] != home][0]
    name = both.db + "_b"
    both.cluster.ctl("database create", name, "--home-shard", other)
    both.plain.sql(f"CREATE DATABASE {name}")
    for server in both.cluster, both.plain:
        for db in both.db, name:
            server.sql("CREATE TABLE g (id INT PRIMARY KEY, n INT) COMMENT 'shardd: global'",
                       db=db)
            server.sql("INSERT INTO g VALUES (0, 0), (1, 1), (2, 2)", db=db)
            server.sql("CREATE TABLE h (id INT PRIMARY KEY, n INT) COMMENT 'shardd: global'",
                       db=db)
            server.sql("INSERT INTO h VALUES (-1, 0)", db=db)
    yield name
    for server in both.cluster, both.plain:
        server.sql(f"DROP DATABASE {name}")


def by_name(r, *_):
    name = r.choice(["a", "b", "B", "c d"])
    return r.choice([f"SELECT GET_LOCK('{name}', {r.choice([0, 100, 100])})"] * 3 +
                    [f"SELECT RELEASE_LOCK('{name}')"] * 2 +
                    [f"SELECT IS_FREE_LOCK('{name}')", f"SELECT IS_USED_LOCK('{name}')",
                     f"DO GET_LOCK('{name}', 100)", "SELECT RELEASE_ALL_LOCKS()", "BEGIN", "COMMIT",
                     f"SELECT GET_LOCK('{name}', 0), GET_LOCK('e', 0)"])


def of_tables(r, meeting, who):
    """Who has locked a table names those of the same database, and locks again only while nobody
    waits: who then comes first is a draw."""
    locked = meeting.__dict__.setdefault("locked", {})
    if who in locked and r.random() < 0.3:
        del locked[who]
        return "UNLOCK TABLES"
    fresh = who not in locked
    table = locked.get(who) or r.choice(meeting.places) + r.choice([".g", ".h"])
    if r.random() < 0.25 and (fresh or not meeting.pending):
        locked[who] = table
        return f"LOCK TABLES {table} {r.choice(['READ', 'WRITE', 'READ LOCAL'])}"
    # Those who get a lock at the same moment are in no order: each has a row of its own.
    return r.choice([f"SELECT n FROM {table} WHERE id = {who}", f"SELECT MIN(id) FROM {table}",
                     f"UPDATE {table} SET n = n + 1 WHERE id = {who}",
                     f"SELECT n FROM {table} x WHERE id = {who}",
                     f"INSERT INTO {table} VALUES ({who}, 1)",
                     f"INSERT IGNORE INTO {table[:-1]}h VALUES ({who}, 1)",
                     f"SET autocommit = {r.randrange(2)}", "COMMIT",
                     "BEGIN" if fresh else "SAVEPOINT s", "ROLLBACK"])


def chatter(cluster, plain, places, seeds, statement, last, steps=40):
    waits = 0
    for seed in seeds:
        r = random.Random(seed)
        with Meeting(cluster, plain, places) as meeting:
            for _ in range(steps):
                who = r.choice(meeting.free())
                if not meeting.compare(meeting.say(who, statement(r, meeting, who))):
                    break
            while meeting.pending and not meeting.ended:
                for who, sql in itertools.product(meeting.free(), (last, "ROLLBACK")):
                    if not meeting.compare(meeting.say(who, sql)):
                        break
            waits += meeting.waits
    assert waits > len(seeds), "they hardly meet"


def test_locks_by_name(both, elsewhere):
    """Whoever asks, at whichever worker and in whichever database."""
    chatter(both.cluster, both.plain, [both.db, elsewhere, both.db, elsewhere], range(5), by_name,
            "SELECT RELEASE_ALL_LOCKS()")


def test_locked_tables(both, elsewhere):
    chatter(both.cluster, both.plain, [both.db, elsewhere, both.db], range(5), of_tables,
            "UNLOCK TABLES")


UNDER_LOCKS = [
    ["SELECT * FROM t", "SELECT n FROM t WHERE id = 3", "INSERT INTO t VALUES (9, 1), (10, 2)",
     "UPDATE t SET n = 2", "DELETE FROM t WHERE id = 1", "SELECT 1", "INSERT INTO g VALUES (9, 9)",
     "REPLACE INTO t VALUES (1, 1)", "SELECT LAST_INSERT_ID()", "EXPLAIN SELECT * FROM t"],
    ["SET autocommit = 0", "SELECT 1", "UPDATE g SET n = n + 1", "INSERT INTO t VALUES (9, 1)",
     "COMMIT", "INSERT INTO g VALUES (9, 9)", "SELECT FOUND_ROWS()",
     "SAVEPOINT s", "DELETE FROM g", "ROLLBACK TO s", "SELECT * FROM g", "SELECT * FROM t",
     "ROLLBACK", "SAVEPOINT s", "SELECT 1", "SELECT * FROM g", "COMMIT", "SELECT * FROM g"],
]


@pytest.mark.parametrize("statements", UNDER_LOCKS)
def test_under_locks(both, elsewhere, statements):
    both.run("CREATE TABLE t (id INT PRIMARY KEY, n INT) COMMENT 'shardd: key(id)'")
    both.run("INSERT INTO t VALUES (1, 1), (2, 2), (3, 3), (4, 4)")
    both.run("LOCK TABLES g WRITE")
    for sql in statements:
        both.compare(sql)
    both.run("UNLOCK TABLES")
    both.compare("SELECT * FROM t")


def test_reads_elsewhere_under_locks(both, elsewhere):
    """Whatever was not locked is refused, on other shards too, and with a temporary table alone."""
    ours = both.connections[0]
    reads = [f"SELECT * FROM {elsewhere}.g", f"SELECT g.n FROM g JOIN {elsewhere}.g x",
             f"SET @a = (SELECT COUNT(*) FROM {elsewhere}.g)",
             f"EXPLAIN SELECT * FROM {elsewhere}.g", f"INSERT INTO g SELECT * FROM {elsewhere}.g",
             "SELECT 1", "SHOW TABLES"]
    for begin in "SELECT 1", "SAVEPOINT s", "COMMIT", "ROLLBACK":
        for sql in ("SET autocommit = 0", "LOCK TABLES g WRITE", begin, *reads,
                    "UPDATE g SET n = n + 1", "SELECT * FROM g", "COMMIT", "UNLOCK TABLES"):
            both.compare(sql)
    assert testbed.Answer(ours, "SELECT SUM(n) FROM g").rows == [(3 + 4 * 3,)]
    both.run("CREATE TEMPORARY TABLE only (id INT)")
    both.run("LOCK TABLES only WRITE")
    for sql in "SELECT * FROM g", "SELECT * FROM only", f"SELECT * FROM {elsewhere}.g":
        both.compare(sql)
    both.run("UNLOCK TABLES")
    both.run("LOCK TABLES g WRITE")
    for sql in "COMMIT AND CHAIN", "ROLLBACK AND CHAIN", "BEGIN":
        assert "UNLOCK TABLES first" in testbed.Answer(ours, sql).error[1]


@pytest.mark.long
@pytest.mark.parametrize("statement, last", [(by_name, "SELECT RELEASE_ALL_LOCKS()"),
                                             (of_tables, "UNLOCK TABLES")])
def test_more_locks(both, elsewhere, statement, last):
    chatter(both.cluster, both.plain, [both.db, elsewhere, both.db], range(5, 100), statement,
            last, steps=80)


def test_a_lock_by_name_is_waited_for_that_long(both):
    with both.cluster.connect() as holder, both.cluster.connect() as waiter:
        assert testbed.Answer(holder, "SELECT GET_LOCK('long', 0)").rows == [(1,)]
        for seconds in 0, 0.2, 1:
            before = testbed.time.monotonic()
            assert testbed.Answer(waiter, f"SELECT GET_LOCK('long', {seconds})").rows == [(0,)]
            assert testbed.time.monotonic() - before >= int(seconds)
        assert testbed.Answer(waiter, "SELECT IS_USED_LOCK('long')").rows == [
            (holder.thread_id(),)]


def test_names_of_locks_differ_in_case(both):
    """Who gives one back keeps the other, and the connection that has it."""
    answers = []
    for server in both.cluster, both.plain:
        with server.connect() as one, server.connect() as other:
            answers.append([testbed.Answer(who, sql).rows for who, sql in [
                (one, "SELECT GET_LOCK('b', 0)"), (one, "SELECT GET_LOCK('B', 0)"),
                (one, "SELECT RELEASE_LOCK('b')"), (other, "SELECT GET_LOCK('B', 0)"),
                (other, "SELECT GET_LOCK('b', 0)"), (one, "SELECT RELEASE_LOCK('B')"),
                (other, "SELECT GET_LOCK('B', 0)"), (other, "SELECT RELEASE_ALL_LOCKS()")]])
    assert answers[0] == answers[1] and answers[0][3] == [(0,)]
