"""Statements about servers rather than rows: maintenance of tables, FLUSH, SET GLOBAL, and
information_schema and SHOW adding up what lies on several shards. The answers are a plain
server's wherever that has one."""
import datetime
import os
import signal

import pytest

import testbed

TABLES = [
    ("CREATE TABLE t (k INT AUTO_INCREMENT PRIMARY KEY, city VARCHAR(20), v DECIMAL(10,2), d DATE,"
     " b BLOB, n BIT(3), f DOUBLE, KEY (city), UNIQUE (k, v))", "t"),
    ("CREATE TABLE r (k INT PRIMARY KEY, s TEXT) COMMENT 'shardd: reference'", "r"),
    ("CREATE TABLE g (k INT PRIMARY KEY, s CHAR(9) DEFAULT 'x') COMMENT 'shardd: global'", "g"),
    ("CREATE TABLE p (k INT PRIMARY KEY) PARTITION BY HASH (k) PARTITIONS 3", "p"),
]


@pytest.fixture(scope="module")
def filled(cluster, plain):
    """The same tables on both; one database for all tests of the module."""
    name = "servers"
    for where in cluster, plain:
        where.sql(f"CREATE DATABASE {name}", db=None)
    both = testbed.Both(cluster, plain, name)
    for sql, _ in TABLES:
        both.run(sql)
    rows = [(i, f"city {i % 7}" if i % 11 else None, i / 4, datetime.date(2020, 1, 1 + i % 28),
             bytes(range(i)), i % 8, i / 3) for i in range(1, 61)]
    for c in both.connections:
        with c.cursor() as cursor:
            cursor.executemany("INSERT INTO t (k, city, v, d, b, n, f) VALUES"
                               " (%s, %s, %s, %s, %s, %s, %s)", rows)
    for table in "r", "g":
        both.run(f"INSERT INTO {table} VALUES (1, 'a'), (2, 'bcd'), (3, NULL)")
    both.run("INSERT INTO p VALUES " + ",".join(f"({i})" for i in range(30)))
    both.run("CREATE VIEW w AS SELECT k FROM g")
    both.run("ANALYZE TABLE t, r, g, p")
    assert sum(bool(n) for n in both.cluster.spread("t", both.db)) == 2
    yield both
    both.close()
    for where in cluster, plain:
        where.sql(f"DROP DATABASE {name}", db=None)
    cluster.fsck()


@pytest.mark.parametrize("sql", [
    "CHECKSUM TABLE t", "CHECKSUM TABLE t, r, g, p, nosuch", "CHECKSUM TABLE {db}.t EXTENDED",
    "CHECKSUM TABLE t QUICK", "ANALYZE TABLE t", "ANALYZE LOCAL TABLE p, t PERSISTENT FOR ALL",
    "CHECK TABLE t, r EXTENDED", "CHECK TABLE t, nosuch, g", "CHECK TABLE w", "OPTIMIZE TABLE t, r",
    "REPAIR TABLE t", "FLUSH TABLES", "FLUSH TABLES t, g", "FLUSH STATUS", "FLUSH PRIVILEGES",
    "FLUSH HOSTS", "FLUSH BINARY LOGS", "FLUSH NO_WRITE_TO_BINLOG LOGS", "FLUSH QUERY CACHE",
    "FLUSH USER_RESOURCES", "RESET QUERY CACHE", "FLUSH TABLES nosuch", "FLUSH nosuch",
])
def test_maintenance(filled, sql):
    sql = sql.format(db=filled.db)
    ours = testbed.Answer(filled.connections[0], sql)
    theirs = testbed.Answer(filled.connections[1], sql)
    where = f"{sql}\n shardd: {ours}\n server: {theirs}"
    assert bool(ours.error) == bool(theirs.error), where
    if theirs.error:
        assert ours.error[0] == theirs.error[0], where
        return
    assert ours.rows == theirs.rows, where
    assert [c[0] for c in ours.columns or ()] == [c[0] for c in theirs.columns or ()], where
    # Those of shards have a binary log, and the note about innodb_autoinc_lock_mode=2 there.
    assert [w for w in ours.warnings or () if w[1] != 1592] == [*(theirs.warnings or ())], where


# What differs only in the sizes of files and in times stays out.
LOOKS = [
    "SELECT TABLE_NAME, TABLE_ROWS, ENGINE, AUTO_INCREMENT, TABLE_COLLATION FROM"
    " information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()",
    "SELECT TABLE_ROWS FROM information_schema.tables WHERE table_schema = '{db}' AND"
    " table_name = 't'",
    "SELECT SUM(TABLE_ROWS), COUNT(*) FROM INFORMATION_SCHEMA.`TABLES` x WHERE x.TABLE_SCHEMA ="
    " '{db}'",
    "SELECT t.TABLE_NAME, t.TABLE_ROWS, c.COLUMN_NAME FROM information_schema.TABLES t JOIN"
    " information_schema.COLUMNS c USING (TABLE_SCHEMA, TABLE_NAME)"
    " WHERE t.TABLE_SCHEMA = '{db}' ORDER BY 1, 3",
    "SELECT TABLES.TABLE_NAME, information_schema.TABLES.TABLE_ROWS FROM information_schema.TABLES"
    " WHERE TABLE_SCHEMA = '{db}' AND TABLE_ROWS > 5",
    "SELECT (SELECT MAX(TABLE_ROWS) FROM information_schema.TABLES WHERE TABLE_SCHEMA = '{db}') m",
    "SELECT TABLE_NAME, AVG_ROW_LENGTH > 0, DATA_LENGTH >= 16384, DATA_FREE, CHECKSUM, TABLE_TYPE"
    " FROM information_schema.TABLES WHERE TABLE_SCHEMA = '{db}' AND TABLE_NAME <> 'p'",
    "SELECT * FROM information_schema.TABLES WHERE 1 = 0",
    "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = '{db}'",
    "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_ROWS = 60 AND"
    " TABLE_SCHEMA = '{db}' GROUP BY TABLE_NAME HAVING COUNT(*) = 1",
    "SELECT PARTITION_NAME, TABLE_ROWS, PARTITION_METHOD FROM information_schema.PARTITIONS WHERE"
    " TABLE_SCHEMA = '{db}' AND TABLE_NAME IN ('t', 'p', 'g') ORDER BY TABLE_NAME, 1",
    "SELECT INDEX_NAME, SEQ_IN_INDEX, COLUMN_NAME, CARDINALITY, NULLABLE, NON_UNIQUE FROM"
    " information_schema.STATISTICS WHERE TABLE_SCHEMA = '{db}' AND TABLE_NAME = 't' AND"
    " INDEX_NAME <> 'city' ORDER BY 1, 2",
    "SELECT TABLE_NAME, MAX(CARDINALITY) FROM information_schema.STATISTICS WHERE TABLE_SCHEMA ="
    " '{db}' GROUP BY TABLE_NAME",
    "SHOW INDEX FROM t WHERE Key_name = 'PRIMARY'", "SHOW KEYS FROM g", "SHOW INDEX FROM nosuch",
    "SHOW INDEX FROM r FROM {db}", "SHOW INDEXES IN {db}.t WHERE Column_name = 'v'",
    "SHOW TABLE STATUS LIKE 'nosuch'", "SHOW TABLE STATUS FROM nosuch",
    "SHOW TABLE STATUS WHERE Rows > 2",
    "SHOW GLOBAL STATUS LIKE 'nosuch'", "SHOW STATUS LIKE 'nosuch%'",
    "SELECT VARIABLE_NAME FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME LIKE"
    " 'THREADS%'",
    "SELECT COUNT(*) > 100 FROM information_schema.SESSION_STATUS",
]


@pytest.mark.parametrize("sql", LOOKS)
def test_information_schema(filled, sql):
    ours, theirs = (testbed.Answer(c, sql.format(db=filled.db)) for c in filled.connections)
    where = f"{sql}\n shardd: {ours}\n server: {theirs}"
    if theirs.error or ours.error:
        assert ours.error and theirs.error and ours.error[0] == theirs.error[0], where
        return
    assert sorted(ours.rows, key=repr) == sorted(theirs.rows, key=repr), where
    assert [c[:2] for c in ours.columns] == [c[:2] for c in theirs.columns], where


def test_table_status(filled):
    """Everything but sizes, which are those of more files, and times."""
    one, two = (testbed.Answer(c, "SHOW TABLE STATUS") for c in filled.connections)
    assert [c[:2] for c in one.columns] == [c[:2] for c in two.columns]
    for ours, theirs in zip(one.rows, two.rows, strict=True):
        assert ours[:5] == theirs[:5]
        assert ours[10] == theirs[10] and ours[14:18] == theirs[14:18], (ours, theirs)
        if ours[4]:
            assert ours[5] == ours[6] // ours[4] and ours[6] >= theirs[6]


def test_in_a_transaction_and_prepared(filled):
    ours = filled.connections[0]
    ours.begin()
    ours.query("UPDATE t SET v = 0 WHERE k = 1")
    ours.query("UPDATE t SET v = 0")
    rows = testbed.Answer(ours, "SELECT TABLE_ROWS FROM information_schema.TABLES WHERE"
                                f" TABLE_NAME = 't' AND TABLE_SCHEMA = '{filled.db}'").rows
    assert rows == [(60,)]
    ours.rollback()
    assert testbed.Answer(ours, "SELECT COUNT(*) FROM t WHERE v > 0").rows == [(60,)]


def status(connection, name, scope="GLOBAL"):
    rows = testbed.Answer(connection, f"SHOW {scope} STATUS LIKE '{name}'").rows
    return rows[0][1] if rows else None


def test_status(checked, db):
    with checked.connect(db=db) as a, checked.connect(db=db) as b:
        before = int(status(a, "Threads_connected"))
        assert before >= 2
        with checked.connect(db=db):
            testbed.wait_for("a client more",
                             lambda: int(status(a, "Threads_connected")) == before + 1)
        questions, selects = int(status(a, "Questions")), int(status(a, "Com_select"))
        for _ in range(20):
            b.query("SELECT 1")
        testbed.wait_for("the statements", lambda: int(status(a, "Questions")) >= questions + 20)
        assert int(status(a, "Com_select")) >= selects + 20
        assert int(status(a, "Uptime")) >= 0 and status(a, "Innodb_page_size") == "16384"
        assert int(status(b, "Questions", "")) >= 20
        assert int(status(b, "Threads_connected", "SESSION")) >= 2
        # Counted by a server for each of its connections, which are many clients'.
        assert status(b, "Handler_read_first", "SESSION") is None
        assert status(b, "Ssl_cipher", "") == "" and status(b, "Compression", "") == "OFF"


@pytest.mark.parametrize("sql,code", [
    ("FLUSH TABLES WITH READ LOCK", 1235), ("FLUSH TABLES t FOR EXPORT", 1235),
    ("SHUTDOWN", 1235), ("RESET MASTER", 1235), ("RESET SLAVE", 1235),
    ("PURGE BINARY LOGS BEFORE NOW()", 1235), ("CHANGE MASTER TO MASTER_HOST = 'x'", 1235),
    ("START SLAVE", 1235), ("STOP SLAVE", 1235), ("INSTALL SONAME 'x'", 1235),
    ("INSTALL PLUGIN x SONAME 'x'", 1235), ("UNINSTALL PLUGIN x", 1235),
    ("BACKUP STAGE START", 1235), ("BINLOG 'x'", 1235), ("SHOW MASTER STATUS", 1235),
    ("SHOW BINARY LOGS", 1235), ("SHOW EXPLAIN FOR 5", 1235),
    ("SHOW ANALYZE FOR 5", 1235), ("SHOW SLAVE STATUS", 1235), ("SHOW BINLOG EVENTS", 1235),
    ("SELECT * FROM information_schema.INNODB_TRX", 1235),
    ("SET GLOBAL sql_mode = ''", 1235), ("SET GLOBAL read_only = 1", 1235),
    ("SET @@GLOBAL.wait_timeout = 5", 1235), ("SET GLOBAL server_id = 9", 1235),
    ("SET GLOBAL sync_binlog = 0", 1235), ("SET GLOBAL TRANSACTION READ ONLY", 1235),
    ("SET GLOBAL binlog_format = 'STATEMENT'", 1235), ("SET GLOBAL wsrep_on = 0", 1235),
    ("SET GLOBAL sql_mode = @@sql_mode", 1235), ("SET GLOBAL max_connections = @nosuch", 1232),
    ("SET GLOBAL max_connections = (SELECT nosuch)", 1054),
    ("SET GLOBAL max_connections = 99, SESSION sql_mode = ''", 1235),
    ("SET GLOBAL nosuch = 5", 1193), ("SET GLOBAL innodb_lock_wait_timeout = 'a'", 1232),
    ("SET GLOBAL version = 'x'", 1238), ("SET GLOBAL shardd_commit = 'atomic'", 1228),
])
def test_refused(checked, db, sql, code):
    with checked.connect(db=db) as c:
        answer = testbed.Answer(c, sql)
        assert answer.error and answer.error[0] == code, answer
        if code == 1235:
            assert answer.error[1].startswith("shardd: ") and len(answer.error[1]) > 50, answer


def test_set_global(new_cluster):
    """On all shards; again on one that was restarted, by itself; for new sessions, and nobody
    but administrators."""
    cluster = new_cluster(shards=2)
    cluster.ctl_raw("user add", "max", "--password", "m")

    def values(sql="SELECT @@GLOBAL.innodb_lock_wait_timeout, @@GLOBAL.long_query_time"):
        return [cluster.on_shard(s, sql)[0] for s in cluster.shard_list()]

    with cluster.connect() as c, cluster.connect(user="max", password="m") as other:
        assert testbed.Answer(other, "SET GLOBAL long_query_time = 3").error[0] == 1227
        assert testbed.Answer(c, "SET GLOBAL innodb_lock_wait_timeout = 30 + 3,"
                                 " @@global.long_query_time = 2.5").error is None
        assert values() == [(33, 2.5)] * 2
        assert testbed.Answer(c, "SELECT @@GLOBAL.long_query_time").rows == [(2.5,)]
        with cluster.connect() as new:
            assert testbed.Answer(new, "SELECT @@innodb_lock_wait_timeout").rows == [(33,)]
        shard = cluster.shard_list()[1]
        pid = int(cluster.on_shard(shard, "SELECT @@pid_file")[0][0] and
                  open(cluster.on_shard(shard, "SELECT @@pid_file")[0][0]).read())
        os.kill(pid, signal.SIGKILL)
        testbed.wait_for("the shard to end", lambda: not testbed.alive(pid))

        def back():
            try:
                return values() == [(33, 2.5)] * 2
            except Exception:
                return False
        testbed.wait_for("the restarted shard's variables", back)
        testbed.wait_for("shardd to reach it", lambda: testbed.Answer(
            c, "SHOW ENGINE INNODB STATUS").error is None)
        computed(c, values)
        assert testbed.Answer(c, "SET GLOBAL long_query_time = DEFAULT").error is None
        assert values("SELECT @@GLOBAL.long_query_time") == [(10.0,)] * 2


def computed(c, values):
    """Values that a server computes first, in the client's session."""
    for sql in ("SET @t = @@GLOBAL.long_query_time, @n = 40, @f = 'ROW', @u = UPPER('on')",
                "SET GLOBAL long_query_time = 7.25",
                "SET GLOBAL innodb_lock_wait_timeout = @n + 2, @@GLOBAL.long_query_time = @t * 2",
                "SET GLOBAL log_queries_not_using_indexes = @u",
                "SET GLOBAL max_error_count = (SELECT 60 + 5), GLOBAL slow_launch_time = 3"):
        assert testbed.Answer(c, sql).error is None, sql
    assert values("SELECT @@GLOBAL.innodb_lock_wait_timeout, @@GLOBAL.long_query_time, "
                  "@@GLOBAL.log_queries_not_using_indexes, @@GLOBAL.max_error_count, "
                  "@@GLOBAL.slow_launch_time") == [(42, 5.0, 1, 65, 3)] * 2
    assert testbed.Answer(c, "SET @saved = @@GLOBAL.character_sets_dir").error is None
    assert testbed.Answer(c, "SET GLOBAL log_queries_not_using_indexes = @saved").error[0] == 1231


def test_only_with_rights(checked, db):
    """RELOAD and PROCESS are administrators'; table maintenance needs rights on the table."""
    checked.ctl_raw("user add", "max", "--password", "m", "--grant", f"CREATE ON {db}.*")
    checked.sql("CREATE TABLE t (k INT PRIMARY KEY)", db=db)
    try:
        with checked.connect(user="max", password="m", db=db) as c:
            for sql, code in (("FLUSH TABLES", 1227), ("FLUSH STATUS", 1227),
                              ("SHOW ENGINE INNODB STATUS", 1227), ("ANALYZE TABLE t", 1142),
                              ("CHECKSUM TABLE t", 1142), ("OPTIMIZE TABLE t", 1142)):
                answer = testbed.Answer(c, sql)
                assert answer.error and answer.error[0] == code, (sql, answer)
    finally:
        checked.ctl_raw("user remove", "max")
    with checked.connect(db=db) as c:
        rows = testbed.Answer(c, "SHOW ENGINE INNODB STATUS").rows
        assert [r[0] for r in rows] == ["InnoDB"] * 2 and "shard-2" in rows[1][1]
