"""shardd's own session variables, and how transactions over several shards commit."""
import pymysql
import pytest

import testbed
from rawclient import RawClient, ServerError


def spread(cluster, db):
    cluster.sql("CREATE TABLE a (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)", db=db)
    cluster.sql("INSERT INTO a VALUES " + ",".join(f"({i},0)" for i in range(24)), db=db)


def code(connection, sql):
    error = testbed.Answer(connection, sql).error
    return error and error[0]


def test_own_variables(checked, db):
    with checked.connect(db=db) as c, c.cursor() as cursor:
        def ask(sql):
            cursor.execute(sql)
            return cursor.fetchall()
        told = dict(ask("SHOW VARIABLES LIKE 'shardd%'"))
        assert told.pop("shardd_causal_token").count("-") == 1
        assert told == {"shardd_commit": "atomic", "shardd_consistency": "strong",
                        "shardd_snapshot_reads": "OFF"}
        assert ask("SHOW SESSION VARIABLES LIKE 'SHARDD\\_c_mmit'") == (
            ("shardd_commit", "atomic"),)
        assert ask("SHOW VARIABLES LIKE 'shardd_nothing'") == ()
        assert ask("SHOW VARIABLES LIKE 'autocommit'") == (("autocommit", "ON"),)
        for value, told in (("'single'", "single"), ("BEST_EFFORT", "best_effort"),
                            ("DEFAULT", "atomic"), ('"Single"', "single")):
            cursor.execute(f"SET shardd_commit = {value}")
            assert ask("SELECT @@shardd_commit") == ((told,),)
        cursor.execute("SET SESSION shardd_snapshot_reads = on, @@shardd_commit = 'best_effort'")
        assert ask("SELECT @@shardd_commit, 1 + @@session.shardd_snapshot_reads AS x, "
                   "@@autocommit") == (("best_effort", 2, 1),)
        assert [d[0] for d in cursor.description] == ["@@shardd_commit", "x", "@@autocommit"]
        for sql, expected in (("SET shardd_commit = 'often'", 1231), ("SET shardd_what = 1", 1193),
                              ("SET GLOBAL shardd_commit = 'single'", 1228),
                              ("SET shardd_commit = 'single', autocommit = 0", 1235),
                              ("SET shardd_snapshot_reads = 2", 1231),
                              ("SELECT @@shardd_what", 1193)):
            assert code(c, sql) == expected, sql
        assert ask("SELECT @@shardd_commit") == (("best_effort",),)
        c._execute_command(0x1f, b"")  # COM_RESET_CONNECTION
        c._read_ok_packet()
        assert ask("SELECT @@shardd_commit, @@shardd_snapshot_reads") == (("atomic", 0),)


def test_modes_of_a_session(checked, db):
    spread(checked, db)
    with checked.connect(db=db) as c:
        assert code(c, "SET shardd_commit = 'single'") is None
        assert code(c, "UPDATE a SET n = 1") == 1235
        assert code(c, "UPDATE a SET n = 1 WHERE id = 1") is None
        assert code(c, "SET shardd_commit = 'best_effort'") is None
        assert code(c, "UPDATE a SET n = 2") is None
        assert code(c, "SET shardd_commit = DEFAULT") is None
        assert code(c, "UPDATE a SET n = n + 1") is None
        assert checked.sql("SELECT SUM(n) FROM a", db=db) == ((72,),)


def test_mode_of_a_user(checked, db):
    spread(checked, db)
    checked.ctl("user add", "careful", "--password", "x")
    try:
        checked.ctl("user set", "careful", "--commit", "single", "--max-connections", "7")
        assert checked.ctl_raw("user set", "careful", "--commit", "never").returncode == 1
        assert checked.ctl_raw("user set", "careful").returncode == 2
        assert checked.ctl_raw("user set", "nobody", "--commit", "single").returncode == 1
        (user,) = [u for u in checked.ctl("user list")["users"] if u["name"] == "careful"]
        assert (user["commit"], user["max_connections"]) == ("single", 7)

        def mode():
            with checked.connect("careful", "x", db=db) as c, c.cursor() as cursor:
                cursor.execute("SELECT @@shardd_commit")
                return cursor.fetchone()[0]
        testbed.wait_for("the workers to know", lambda: mode() == "single")
        with checked.connect("careful", "x", db=db) as c, c.cursor() as cursor:
            with pytest.raises(pymysql.err.MySQLError) as refused:
                cursor.execute("UPDATE a SET n = 1")
            assert refused.value.args[0] == 1235
            cursor.execute("SET shardd_commit = 'atomic'")
            assert cursor.execute("UPDATE a SET n = 1") == 24
            cursor.execute("SET shardd_commit = DEFAULT")
            cursor.execute("SELECT @@shardd_commit")
            assert cursor.fetchone() == ("single",)
        checked.ctl("user set", "careful", "--commit", "default")
        testbed.wait_for("the workers to know", lambda: mode() == "atomic")
    finally:
        checked.ctl("user remove", "careful")


def test_reads_of_one_moment(checked, db):
    """What a scatter read looks like is the same; and it leaves no transaction."""
    spread(checked, db)
    with checked.connect(db=db) as c, c.cursor() as cursor:
        cursor.execute("SET shardd_snapshot_reads = ON")
        before = checked.metric("shardd_snapshots_total", end="opened")
        for sql, rows in (("SELECT COUNT(*) FROM a", ((24,),)),
                          ("SELECT id FROM a WHERE id < 3 ORDER BY id", ((0,), (1,), (2,))),
                          ("SELECT id FROM a ORDER BY id DESC LIMIT 1", ((23,),)),
                          ("SELECT n FROM a WHERE id = 5", ((0,),)),
                          ("SELECT @@in_transaction", ((0,),))):
            cursor.execute(sql)
            assert cursor.fetchall() == rows
        assert checked.metric("shardd_snapshots_total", end="opened") == before + 3
        for sql in ("SET autocommit = 0", "SELECT COUNT(*) FROM a", "COMMIT", "SET autocommit = 1",
                    "SELECT SUM(n) FROM a FOR UPDATE", "BEGIN", "SELECT COUNT(*) FROM a", "COMMIT"):
            cursor.execute(sql)
        assert checked.metric("shardd_snapshots_total", end="opened") == before + 3
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        cursor.execute("SELECT SUM(n) FROM a")
        assert cursor.fetchone() == (0,)
        with pytest.raises(pymysql.err.MySQLError):
            cursor.execute("SELECT nothing FROM a")
        cursor.execute("SELECT COUNT(*) FROM a")
        assert cursor.fetchone() == (24,)


def test_the_session_comes_before_the_next_transaction(both):
    """SET SESSION TRANSACTION takes back what SET TRANSACTION said before it."""
    both.run("CREATE TABLE t (id BIGINT PRIMARY KEY, n INT)")
    both.run("INSERT INTO t VALUES (1, 1)")
    others = [s.connect(db=both.db) for s in (both.cluster, both.plain)]
    for i, (once, session) in enumerate((
            ("ISOLATION LEVEL READ COMMITTED", "ISOLATION LEVEL REPEATABLE READ"),
            ("READ ONLY", "READ WRITE"), ("READ ONLY", "ISOLATION LEVEL REPEATABLE READ"))):
        both.compare(f"SET TRANSACTION {once}")
        both.compare(f"SET SESSION TRANSACTION {session}")
        both.compare("START TRANSACTION")
        both.compare("SELECT n FROM t WHERE id = 1")
        for c in others:
            testbed.Answer(c, f"UPDATE t SET n = {i + 10} WHERE id = 1")
        both.compare("SELECT n FROM t WHERE id = 1")
        both.compare("INSERT INTO t VALUES (5, 5)")
        both.compare("ROLLBACK")
    for c in others:
        c.close()
    for sql in ("START TRANSACTION READ ONLY, READ WRITE",
                "START TRANSACTION READ WRITE, WITH CONSISTENT SNAPSHOT", "COMMIT",
                "START TRANSACTION READ ONLY, WITH CONSISTENT SNAPSHOT, READ WRITE"):
        both.compare(sql)
    states = []
    for server in both.cluster, both.plain:
        with RawClient(server.port).login(db=both.db) as raw:
            raw.query("BEGIN")
            with pytest.raises(ServerError) as error:
                raw.query("SET TRANSACTION READ ONLY")
            states.append((error.value.code, error.value.state))
    assert states[0] == states[1] == (1568, "25001")
