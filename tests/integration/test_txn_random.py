"""Random scripts of transaction statements, on shardd and on one plain server: answers, warnings,
status flags and error codes are the same."""
import random

import pytest

import testbed

ROWS = 12
STATUS = 0x1 | 0x2 | 0x2000  # in a transaction, autocommit, read only
LEVELS = ["READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]


def pick(r, choices):
    """`choices`: (weight, function or text)."""
    what = r.choices([c for _, c in choices], [w for w, _ in choices])[0]
    return what(r) if callable(what) else what


def key(r):
    return r.randrange(ROWS + 3)


def write(r):
    return pick(r, [
        (4, lambda r: f"UPDATE t SET n = n + {r.randrange(3)} WHERE id = {key(r)}"),
        (2, lambda r: f"UPDATE t SET n = {r.randrange(5)} WHERE id IN ({key(r)}, {key(r)})"),
        (1, "UPDATE t SET n = n + 1"),
        (2, lambda r: f"INSERT INTO t VALUES ({key(r)}, {r.randrange(9)})"),
        (1, lambda r: f"INSERT INTO t VALUES ({key(r)}, 1), ({ROWS + r.randrange(9)}, 2)"),
        (1, lambda r: f"INSERT IGNORE INTO t VALUES ({key(r)}, 1), ({key(r)}, 2)"),
        (2, lambda r: f"REPLACE INTO t VALUES ({key(r)}, {r.randrange(9)})"),
        (2, lambda r: f"DELETE FROM t WHERE id = {key(r)}"),
        (1, lambda r: f"DELETE FROM t WHERE n > {2 + r.randrange(9)}"),
        (1, lambda r: f"INSERT INTO g VALUES ({key(r)}, 1)"),
        (1, lambda r: f"UPDATE g SET n = n + 1 WHERE id <= {key(r)}"),
    ])


def read(r):
    return pick(r, [
        (3, lambda r: f"SELECT id, n FROM t WHERE id = {key(r)}"),
        (3, "SELECT id, n FROM t ORDER BY id"),
        (1, "SELECT COUNT(*), SUM(n) FROM t"),
        (1, lambda r: f"SELECT n FROM t WHERE id = {key(r)} FOR UPDATE"),
        (1, "SELECT id, n FROM g ORDER BY id"),
        (2, "SELECT @@in_transaction, @@autocommit"),
        (1, "SELECT @@tx_isolation, @@tx_read_only, @@completion_type"),
        (1, "SELECT ROW_COUNT()"),
    ])


def begin(r):
    return pick(r, [
        (4, "BEGIN"), (2, "START TRANSACTION"), (2, "START TRANSACTION READ ONLY"),
        (1, "START TRANSACTION READ WRITE"), (1, "BEGIN WORK"),
        (1, "START TRANSACTION WITH CONSISTENT SNAPSHOT"),
        (1, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"),
    ])


def end(r):
    return pick(r, [
        (5, "COMMIT"), (4, "ROLLBACK"), (1, "COMMIT AND NO CHAIN"), (1, "ROLLBACK WORK"),
        (1, "COMMIT WORK AND NO CHAIN NO RELEASE"),
    ])


def savepoint(r):
    name = r.choice(["a", "b", "`c d`", "A"])
    return pick(r, [
        (4, f"SAVEPOINT {name}"), (3, f"ROLLBACK TO {name}"), (1, f"ROLLBACK TO SAVEPOINT {name}"),
        (1, f"ROLLBACK WORK TO {name}"), (2, f"RELEASE SAVEPOINT {name}"),
    ])


def setting(r):
    level = r.choice(LEVELS)
    return pick(r, [
        (2, "SET autocommit = 0"), (3, "SET autocommit = 1"),
        (1, f"SET TRANSACTION ISOLATION LEVEL {level}"),
        (1, "SET TRANSACTION READ WRITE"), (1, f"SET SESSION TRANSACTION ISOLATION LEVEL {level}"),
        (1, "SET SESSION TRANSACTION READ WRITE"),
        (1, "SET completion_type = DEFAULT"),
        (1, f"SET tx_isolation = '{level.replace(' ', '-')}'"),
    ])


def implicit(r):
    return pick(r, [
        (1, "CREATE TABLE IF NOT EXISTS x (id INT PRIMARY KEY)"), (1, "DROP TABLE IF EXISTS x"),
        (1, "CREATE TABLE IF NOT EXISTS t (id INT PRIMARY KEY)"), (1, "TRUNCATE TABLE g"),
        (1, "CREATE OR REPLACE VIEW v AS SELECT 1"), (1, "DROP VIEW IF EXISTS v"),
    ])


def script(seed, length=40):
    r = random.Random(seed)
    texts = [pick(r, [(30, write), (25, read), (12, begin), (12, end), (10, savepoint),
                      (7, setting), (1, implicit)]) for _ in range(length)]
    return texts + ["ROLLBACK", "SET completion_type = DEFAULT"]


class Pair:
    def __init__(self, cluster, plain, db):
        self.sides = [cluster.connect(db=db), plain.connect(db=db)]

    def close(self):
        for side in self.sides:
            side.close()

    def run(self, sql):
        """Both answers as what must be equal."""
        return [self.seen(side, testbed.Answer(side, sql), sql) for side in self.sides]

    @staticmethod
    def seen(side, answer, sql):
        rows = answer.rows if "ORDER BY" in sql or not answer.rows else sorted(answer.rows)
        status = side._result and side._result.server_status  # of an OK; rows' end is not kept
        if answer.error or answer.warnings is not None or status is None:
            status = 0
        if "SNAPSHOT" in sql and answer.warnings is not None:
            answer.warnings = "some"  # which level has none is told by number only
        return (answer.error and answer.error[0], rows, answer.affected, answer.warnings,
                status & STATUS)


def run_script(cluster, plain, db, seed):
    """The first difference as text; None: there is none. And how many were refused."""
    for side in cluster, plain:
        for sql in ("DROP TABLE IF EXISTS t, g, x", "DROP VIEW IF EXISTS v",
                    "CREATE TABLE t (id BIGINT PRIMARY KEY, n INT NOT NULL)",
                    "CREATE TABLE g (id BIGINT PRIMARY KEY, n INT NOT NULL) "
                    "COMMENT 'shardd: reference'",
                    "INSERT INTO t VALUES " + ",".join(f"({i},{i})" for i in range(ROWS)),
                    "INSERT INTO g VALUES (1,1),(2,2)"):
            side.sql(sql, db=db)
    pair, said = Pair(cluster, plain, db), []
    try:
        for sql in script(seed):
            said.append(sql)
            ours, theirs = pair.run(sql)
            if ours != theirs:
                return (f"seed {seed}: " + ";\n ".join(said) +
                        f"\n shardd: {ours}\n server: {theirs}")
    finally:
        pair.close()
    return None


def campaign(cluster, plain, db, seeds):
    plain.sql(f"CREATE DATABASE IF NOT EXISTS {db}")
    found = [d for d in (run_script(cluster, plain, db, seed) for seed in seeds) if d]
    plain.sql(f"DROP DATABASE {db}")
    assert not found, f"{len(found)} of {len(seeds)} scripts differ\n" + "\n\n".join(found[:3])


def test_scripts(checked, plain, db):
    campaign(checked, plain, db, range(8))


@pytest.mark.long
def test_more_scripts(checked, plain, db):
    campaign(checked, plain, db, range(8, 30))


def test_what_follows_a_transaction(both):
    """AND CHAIN, completion_type and the ways to say SET TRANSACTION."""
    both.run("CREATE TABLE t (id BIGINT PRIMARY KEY, n INT NOT NULL)")
    both.run("INSERT INTO t VALUES (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6)")
    for sql in ("BEGIN", "UPDATE t SET n = n + 1", "COMMIT AND CHAIN", "SELECT @@in_transaction",
                "UPDATE t SET n = n + 1", "ROLLBACK AND CHAIN", "SELECT @@in_transaction",
                "ROLLBACK", "SELECT SUM(n) FROM t", "SELECT @@in_transaction",
                "SET completion_type = 'CHAIN'", "BEGIN", "UPDATE t SET n = n + 1 WHERE id = 1",
                "COMMIT", "SELECT @@in_transaction", "UPDATE t SET n = n + 1", "ROLLBACK",
                "SELECT @@in_transaction", "COMMIT AND NO CHAIN", "SELECT @@in_transaction",
                "COMMIT", "SELECT @@in_transaction", "ROLLBACK AND NO CHAIN",
                "SET completion_type = DEFAULT", "SELECT SUM(n) FROM t",
                "UPDATE t SET n = n + 1 WHERE id = 2", "SELECT SUM(n) FROM t",
                "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "SET TRANSACTION READ ONLY",
                "BEGIN", "UPDATE t SET n = 1 WHERE id = 1", "UPDATE t SET n = 1", "COMMIT",
                "UPDATE t SET n = n + 1", "SET SESSION TRANSACTION READ ONLY", "BEGIN",
                "SELECT SUM(n) FROM t", "DELETE FROM t", "COMMIT",
                "SET SESSION TRANSACTION READ WRITE", "DELETE FROM t WHERE id = 1"):
        both.compare(sql)
