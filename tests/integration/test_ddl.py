"""DDL through shardd: on every shard, in the catalog, and looking as on one server."""
import os
import signal

import pymysql
import pytest

import testbed


def kind(cluster, db, table):
    rows = cluster.ctl("table list", db)
    rows = rows["tables"] if isinstance(rows, dict) else rows
    return next((r["kind"] for r in rows if r["name"] == table), None)


def on_all_shards(cluster, db):
    """The tables each shard has."""
    return [sorted(r[0] for r in cluster.on_shard(s, "SHOW TABLES", db))
            for s in cluster.shard_list()]


STATEMENTS = [
    "CREATE TABLE t (id BIGINT PRIMARY KEY, a INT, b VARCHAR(30) DEFAULT 'x' NOT NULL)",
    "CREATE TABLE t (id BIGINT PRIMARY KEY)",
    "CREATE TABLE IF NOT EXISTS t (id BIGINT PRIMARY KEY)",
    "INSERT INTO t (id, a) VALUES (1, 10), (2, 20), (3, 30), (4, 40), (5, 50)",
    "ALTER TABLE t ADD COLUMN c DECIMAL(10,2) DEFAULT 1.5 AFTER a, ADD INDEX (a)",
    "SELECT * FROM t ORDER BY id",
    "CREATE INDEX ib ON t (b)",
    "CREATE INDEX ib ON t (b)",
    "DROP INDEX ib ON t",
    "DROP INDEX ib ON t",
    "ALTER TABLE t MODIFY b VARCHAR(60) CHARACTER SET latin1",
    "ALTER TABLE t RENAME COLUMN c TO d, DROP COLUMN a",
    "SHOW CREATE TABLE t",
    "RENAME TABLE t TO t2",
    "SELECT * FROM t",
    "SELECT * FROM t2 ORDER BY id",
    "ALTER TABLE t2 RENAME t3",
    "SHOW TABLES",
    "SHOW FULL TABLES",
    "DESCRIBE t3",
    "SHOW COLUMNS FROM t3",
    "SHOW INDEX FROM t3 WHERE Key_name = 'nothing'",
    "CREATE TABLE l LIKE t3",
    "SHOW CREATE TABLE l",
    "TRUNCATE TABLE t3",
    "SELECT COUNT(*) FROM t3",
    "CREATE VIEW w AS SELECT id, b FROM t3 WHERE id = 1",
    "CREATE OR REPLACE VIEW IF NOT EXISTS w AS SELECT id FROM t3",
    "CREATE VIEW IF NOT EXISTS w AS SELECT id FROM t3",
    "DROP VIEW IF EXISTS nosuch",
    "SHOW WARNINGS",
    "SELECT * FROM w",
    "DROP VIEW w",
    "SELECT table_name, engine, table_collation FROM information_schema.tables"
    " WHERE table_schema = DATABASE() ORDER BY table_name",
    "SELECT table_name, column_name, column_type, is_nullable, column_default, collation_name"
    " FROM information_schema.columns WHERE table_schema = DATABASE()"
    " ORDER BY table_name, ordinal_position",
    "DROP TABLE t3, l",
    "DROP TABLE t3",
    "DROP TABLE IF EXISTS t3",
    "SHOW TABLES",
]


REPLACED = [
    "CREATE OR REPLACE TABLE t (id BIGINT PRIMARY KEY, a INT)",
    "INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)",
    "CREATE OR REPLACE TABLE t (id BIGINT PRIMARY KEY, b VARCHAR(9) DEFAULT 'x', KEY (b))",
    "SELECT * FROM t",
    "SHOW CREATE TABLE t",
    "INSERT INTO t (id) VALUES (1), (2), (3)",
    "CREATE OR REPLACE TABLE IF NOT EXISTS t (id INT)",
    "CREATE OR REPLACE TABLE nosuch.t (id INT)",
    "SELECT * FROM t ORDER BY id",
    "CREATE OR REPLACE TABLE `t` (a INT, b INT, UNIQUE (b))",  # global by policy
    "SHOW CREATE TABLE t",
    "CREATE VIEW w AS SELECT a FROM t",
    "CREATE OR REPLACE TABLE w (id INT)",
    "DROP VIEW w",
    "DROP TABLE t",
]


def test_replaced(both):
    for sql in REPLACED:
        both.compare(sql)
    assert on_all_shards(both.cluster, both.db) == [[]] * both.cluster.shards
    both.run("CREATE TABLE t (id BIGINT PRIMARY KEY, a INT)")
    both.run("INSERT INTO t VALUES (1, 1), (2, 2)")
    answer = testbed.Answer(both.connections[0], "CREATE OR REPLACE TABLE t (id INT PRIMARY KEY, "
                            "u INT UNIQUE) COMMENT 'shardd: key(id)'")
    assert answer.error[1].startswith("shardd: "), answer
    both.compare("SELECT * FROM t ORDER BY id")  # it was refused before anything was dropped


SETTINGS = [
    "SET time_zone = '+05:30'",
    "CREATE TABLE t (id BIGINT PRIMARY KEY, at TIMESTAMP DEFAULT '2020-01-01 00:00:00')",
    "INSERT INTO t (id) VALUES (1), (2), (3)",
    "SET time_zone = '-02:00'",
    "SELECT * FROM t ORDER BY id",
    "ALTER TABLE t ADD COLUMN b TIMESTAMP DEFAULT '2021-01-01 00:00:00', ADD COLUMN d DATETIME",
    "UPDATE t SET d = '2022-02-02 22:22:22'",
    "ALTER TABLE t MODIFY d TIMESTAMP NULL",
    "SET time_zone = '+00:00'",
    "SELECT * FROM t ORDER BY id",
    "SET timestamp = 1000000000",
    "ALTER TABLE t ADD COLUMN e TIMESTAMP DEFAULT CURRENT_TIMESTAMP, ADD COLUMN f TIME "
    "DEFAULT '11:12:13'",
    "ALTER TABLE t MODIFY f DATETIME",
    "SET timestamp = DEFAULT",
    "SELECT * FROM t ORDER BY id",
    "SHOW CREATE TABLE t",
    "SET check_constraint_checks = 0",
    "ALTER TABLE t ADD CONSTRAINT c CHECK (id > 2)",
    "SET check_constraint_checks = 1",
    "INSERT INTO t (id) VALUES (0)",
    "SET STATEMENT time_zone = '+09:00' FOR ALTER TABLE t ADD COLUMN g TIMESTAMP "
    "DEFAULT '2023-01-01 00:00:00'",
    "SELECT * FROM t ORDER BY id",
    "SET explicit_defaults_for_timestamp = 0",
    "CREATE TABLE u (id BIGINT PRIMARY KEY, at TIMESTAMP)",
    "SHOW CREATE TABLE u",
    "SET group_concat_max_len = 77, div_precision_increment = 2",
    "CREATE TABLE v (id BIGINT PRIMARY KEY) SELECT id, id / 7 AS q, GROUP_CONCAT(at) AS g FROM t "
    "GROUP BY id",
    "SHOW CREATE TABLE v",
    "SELECT * FROM v ORDER BY id",
    "SET collation_connection = latin2_general_ci",
    "CREATE TABLE w (id INT PRIMARY KEY, s VARCHAR(10) DEFAULT 'x')",
    "SHOW CREATE TABLE w",
    "CREATE TABLE x (id INT PRIMARY KEY) SELECT 1 AS id, 'x' AS s",
    "SHOW CREATE TABLE x",
    "SET default_storage_engine = MyISAM",
    "CREATE TABLE y (id INT PRIMARY KEY)",
    "SHOW CREATE TABLE y",
    "SET collation_connection = cp1251_general_ci",
    "CREATE TABLE y2 (id INT PRIMARY KEY)",
    "SHOW CREATE TABLE y2",
    "SET default_storage_engine = DEFAULT, old_mode = ''",
    "CREATE TABLE z (id INT PRIMARY KEY, s VARCHAR(9) CHARACTER SET utf8)",
    "SHOW CREATE TABLE z",
    "SET sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT'", "ALTER TABLE \"t\" ADD COLUMN \"h i\" INT",
    "ALTER TABLE t MODIFY \"h i\" VARCHAR(9) DEFAULT ('a' || 'b')",
    "INSERT INTO t (id) VALUES (90)",
    "SELECT \"h i\" FROM t ORDER BY id", "ALTER TABLE t DROP COLUMN \"h i\"", "SHOW CREATE TABLE t",
]


def test_databases_are_in_the_sessions_character_set(both):
    name = both.db + "_set"
    for sql in ("SET collation_server = latin5_turkish_ci", "SET character_set_server = latin2",
                "SET character_set_server = DEFAULT"):
        both.run(sql)
        for more in ("", " CHARACTER SET latin1", " COLLATE utf8mb3_bin"):
            both.run(f"CREATE DATABASE {name}{more}")
            both.compare(f"SHOW CREATE DATABASE {name}")
            both.run(f"DROP DATABASE {name}")


def test_what_goes_with_a_database_is_counted(both):
    name = both.db + "_full"
    both.run(f"CREATE DATABASE {name}")
    both.run(f"CREATE TABLE {name}.a (id INT PRIMARY KEY)")
    both.run(f"CREATE TABLE {name}.b (id INT PRIMARY KEY) COMMENT 'shardd: reference'")
    both.run(f"CREATE TABLE {name}.c (n INT)")
    both.run(f"CREATE VIEW {name}.v AS SELECT * FROM {name}.a")
    assert both.compare(f"DROP DATABASE {name}").affected == 4
    assert both.compare(f"DROP DATABASE IF EXISTS {name}").affected == 0


def test_a_session_that_only_reads(both):
    both.run("CREATE TABLE t (id BIGINT PRIMARY KEY, a INT)")
    for sql in ("SET SESSION TRANSACTION READ ONLY", "CREATE TABLE u (id INT PRIMARY KEY)",
                "DROP TABLE t", "ALTER TABLE t ADD b INT", "TRUNCATE TABLE t",
                "RENAME TABLE t TO u", "CREATE VIEW v AS SELECT 1", "CREATE INDEX a ON t (a)",
                "CREATE TABLE u SELECT 1 AS one", "DROP DATABASE nosuch", "DROP USER nobody",
                "CREATE FUNCTION f() RETURNS INT RETURN 1", "BEGIN", "DROP TABLE t",
                "SELECT @@in_transaction", "SELECT * FROM t",
                "SET SESSION TRANSACTION READ WRITE", "START TRANSACTION READ ONLY",
                "CREATE TABLE u (id INT PRIMARY KEY)", "SHOW TABLES"):
        both.compare(sql)


def test_the_settings_of_the_session(both):
    for sql in SETTINGS:
        both.compare(sql)


def test_as_on_one_server(both):
    for sql in STATEMENTS:
        ours, theirs = both.answers(sql)
        both.check(sql, ours, theirs)
        assert ours.info == theirs.info, sql
    assert on_all_shards(both.cluster, both.db) == [[]] * both.cluster.shards


AUTO = [
    ("primary", "CREATE TABLE x (id BIGINT PRIMARY KEY, n INT)", "sharded"),
    ("first of two", "CREATE TABLE x (a INT, b INT, PRIMARY KEY (a, b))", "sharded"),
    ("text", "CREATE TABLE x (k VARCHAR(20) PRIMARY KEY)", "sharded"),
    ("unique with key", "CREATE TABLE x (id INT PRIMARY KEY, n INT, UNIQUE (n, id))", "sharded"),
    ("unique without", "CREATE TABLE x (id INT PRIMARY KEY, n INT, UNIQUE (n))", "global"),
    ("no primary key", "CREATE TABLE x (n INT)", "global"),
    ("float", "CREATE TABLE x (f DOUBLE PRIMARY KEY)", "global"),
    ("comment: global", "CREATE TABLE x (id INT PRIMARY KEY) COMMENT 'shardd: global'", "global"),
    ("comment: reference", "CREATE TABLE x (id INT PRIMARY KEY) COMMENT 'shardd: reference'",
     "reference"),
    ("comment: key", "CREATE TABLE x (id INT, u INT, PRIMARY KEY (id, u))"
                     " COMMENT 'shardd: key(u)'", "sharded"),
]


@pytest.mark.parametrize("name,sql,expected", AUTO, ids=[a[0] for a in AUTO])
def test_kinds(checked, db, name, sql, expected):
    checked.sql(sql, db=db)
    assert kind(checked, db, "x") == expected
    homes = on_all_shards(checked, db).count(["x"])
    assert homes == (1 if expected == "global" else checked.shards)
    checked.sql("DROP TABLE x", db=db)
    assert kind(checked, db, "x") is None


def test_an_obstacle_is_explained(checked, db):
    with pytest.raises(pymysql.err.MySQLError) as refused:
        checked.sql("CREATE TABLE x (id INT PRIMARY KEY, n INT, UNIQUE (n))"
                    " COMMENT 'shardd: key(id)'", db=db)
    assert refused.value.args[1].startswith("shardd: ")
    assert on_all_shards(checked, db) == [[]] * checked.shards


def test_a_foreign_key_keeps_its_meaning(both):
    both.run("CREATE TABLE p (id BIGINT PRIMARY KEY, n INT)")
    both.run("CREATE TABLE k (id BIGINT PRIMARY KEY, p_id BIGINT,"
             " FOREIGN KEY (p_id) REFERENCES p (id) ON DELETE CASCADE)")
    both.run("INSERT INTO p VALUES (1, 1), (2, 2), (3, 3)")
    both.run("INSERT INTO k VALUES (10, 1), (11, 1), (12, 2), (13, 3)")
    both.compare("INSERT INTO k VALUES (14, 9)")
    both.compare("DELETE FROM p WHERE id = 1")
    both.compare("SELECT * FROM k ORDER BY id")
    both.compare("DROP TABLE p")
    both.run("DROP TABLE k, p")


def test_databases(checked, plain):
    for server in checked, plain:
        server.sql("CREATE DATABASE made CHARACTER SET latin1")
    try:
        both = [s.sql("SHOW CREATE DATABASE made", db="made") for s in (checked, plain)]
        assert both[0] == both[1]
        with pytest.raises(pymysql.err.MySQLError) as refused:
            checked.sql("CREATE DATABASE made")
        assert refused.value.args[0] == 1007
        checked.sql("CREATE TABLE made.t (id INT PRIMARY KEY)")
        checked.sql("INSERT INTO made.t VALUES (1), (2), (3)")
        names = [r[0] for r in checked.sql("SHOW DATABASES")]
        assert "made" in names and "app" in names
        assert not [n for n in names if n.startswith("shardd")]
    finally:
        for server in checked, plain:
            server.sql("DROP DATABASE made", db=None)
    with pytest.raises(pymysql.err.MySQLError) as refused:
        checked.sql("DROP DATABASE made", db=None)
    assert refused.value.args[0] == 1008
    assert "made" not in [r[0] for r in checked.sql("SHOW DATABASES")]
    for shard in checked.shard_list():
        assert "made" not in [r[0] for r in checked.on_shard(shard, "SHOW DATABASES")]


def test_other_connections_see_it_at_once(checked, db):
    """Whichever worker they are on."""
    others = [checked.connect(db=db) for _ in range(8)]
    for i in range(5):
        checked.sql(f"CREATE TABLE n{i} (id BIGINT PRIMARY KEY, a INT)", db=db)
        for c in others:
            with c.cursor() as cursor:
                cursor.execute(f"INSERT INTO n{i} VALUES (%s, 1)", (c.thread_id(),))
        checked.sql(f"ALTER TABLE n{i} ADD b INT DEFAULT 3", db=db)
        for c in others:
            with c.cursor() as cursor:
                cursor.execute(f"SELECT * FROM n{i} WHERE id = %s", (c.thread_id(),))
                assert cursor.fetchone() == (c.thread_id(), 1, 3)
    for c in others:
        c.close()


def test_show_shardd(checked):
    for what in "STATUS", "SHARDS", "POOLS", "CLIENTS", "DIGESTS":
        with checked.connect() as c, c.cursor() as cursor:
            cursor.execute(f"SHOW SHARDD {what}")
            assert cursor.description
            rows = cursor.fetchall()
        if what == "SHARDS":
            assert len(rows) == checked.shards
        if what == "CLIENTS":
            assert len(rows) >= 1


def everywhere(cluster, **more):
    """Connections to all workers: a new one may go to the worker of the CPU it comes from."""
    cpus, found = os.sched_getaffinity(0), []
    try:
        while len({c.thread_id() & 0xff for c in found}) < cluster.workers and len(found) < 200:
            os.sched_setaffinity(0, {sorted(cpus)[len(found) % len(cpus)]})
            found.append(cluster.connect(**more))
    finally:
        os.sched_setaffinity(0, cpus)
    return found


def test_all_workers_tell(checked, db):
    """Whichever worker is asked: of the connections and plans that each of them has."""
    checked.sql("CREATE TABLE told (id BIGINT PRIMARY KEY)", db=db)
    many = everywhere(checked, db=db)
    for n, c in enumerate(many):
        with c.cursor() as cursor:
            cursor.execute("SELECT id AS told_by_all FROM told WHERE id = %s", (n,))
    ours = {c.thread_id() & 0xff for c in many}
    assert ours == set(range(checked.workers)), "all have clients"

    def told(c, what):
        """A worker that has no time for a second is left out, with a warning."""
        answer = testbed.Answer(c, what)
        return None if answer.warnings else [answer.rows]

    for c in many:
        rows, = testbed.wait_for("the plans of all", lambda c=c: told(c, "SHOW SHARDD DIGESTS"))
        seen = [row for row in rows if "told_by_all" in row[-1]]
        assert {row[0] for row in seen} == ours and sum(row[3] for row in seen) <= len(many)
        rows, = testbed.wait_for("the pools of all", lambda c=c: told(c, "SHOW SHARDD POOLS"))
        assert {row[0] for row in rows if row[2] == "app"} == ours
    for c in many:
        c.close()


def test_a_worker_that_does_not_answer(new_cluster):
    cluster = new_cluster(shards=1)
    ours = {c.thread_id() & 0xff: c for c in everywhere(cluster)}[0]
    other = cluster.worker_pids()[1]
    testbed.stop_process(other)
    try:
        with ours.cursor() as cursor:
            cursor.execute("SHOW SHARDD DIGESTS")
            assert {row[0] for row in cursor.fetchall()} <= {0}
            assert "worker 1" in ours.show_warnings()[0][2]
    finally:
        os.kill(other, signal.SIGCONT)
    ours.close()


def test_alter_that_ends_sharding(checked, db):
    """A migration creates tables first and their keys afterwards: empty tables go home."""
    with checked.connect(db=db) as c, c.cursor() as cursor:
        cursor.execute("CREATE TABLE kinds (id BIGINT AUTO_INCREMENT PRIMARY KEY, "
                       "name VARCHAR(20))")
        cursor.execute("CREATE TABLE things (id BIGINT AUTO_INCREMENT PRIMARY KEY, kind BIGINT)")
        cursor.execute("ALTER TABLE kinds ADD CONSTRAINT kinds_name UNIQUE (name)")
        cursor.execute("ALTER TABLE things ADD CONSTRAINT things_kind FOREIGN KEY (kind) "
                       "REFERENCES kinds (id)")
        cursor.execute("INSERT INTO kinds (name) VALUES ('a')")
        cursor.execute("INSERT INTO things (kind) SELECT id FROM kinds")
        with pytest.raises(pymysql.err.IntegrityError):
            cursor.execute("INSERT INTO things (kind) VALUES (-1)")
    kinds = {t["name"]: t for t in checked.ctl("table list", db)["tables"]}
    assert {n: t["kind"] for n, t in kinds.items()} == {"kinds": "global", "things": "global"}
    assert "kinds_name" in kinds["kinds"]["reason"] and "things_kind" in kinds["things"]["reason"]


def test_comment_changes_the_kind_at_once(checked, db):
    with checked.connect(db=db) as c, c.cursor() as cursor:
        cursor.execute("CREATE TABLE t (a BIGINT, b BIGINT, PRIMARY KEY (a, b))")
        cursor.execute("ALTER TABLE t COMMENT 'shardd: key(b)'")
        cursor.execute("INSERT INTO t VALUES (1, 1), (1, 2), (2, 1)")
        cursor.execute("SELECT COUNT(*) FROM t WHERE b = 1")
        assert cursor.fetchone() == (2,)
    log = (checked.home / "shardctl.log").read_text()
    assert "statements of before" not in log, "it waited for its own client"


def test_all_warnings_of_ddl_are_told(both):
    """Those of the server, once, however many shards gave them."""
    both.compare("CREATE TABLE w (id INT PRIMARY KEY, d DATETIME(6), t TINYTEXT)")
    both.compare("INSERT INTO w VALUES (1, '2000-12-31 23:59:59.999999', 'a')")
    for sql in ("CREATE TABLE IF NOT EXISTS w (id INT PRIMARY KEY)",
                "ALTER TABLE w ADD KEY a (d), ADD KEY b (d)",
                "ALTER TABLE w ADD COLUMN IF NOT EXISTS d INT, DROP COLUMN IF EXISTS zz,"
                " DROP INDEX IF EXISTS yy",
                "DROP INDEX IF EXISTS xx ON w",
                "CREATE INDEX IF NOT EXISTS a ON w (d)",
                "CREATE TABLE y (id INT(3) ZEROFILL PRIMARY KEY, f FLOAT(70, 30))",
                "CREATE TABLE v (id INT PRIMARY KEY, c VARCHAR(70000))",
                "DROP TABLE IF EXISTS no1, no2, v",
                "DROP DATABASE IF EXISTS nowhere_at_all"):
        both.compare(sql)
        both.compare("SHOW WARNINGS")


@pytest.mark.parametrize("sql", [
    "CREATE VIEW v AS SELECT CONNECTION_ID() AS c", "ALTER VIEW v AS SELECT Connection_Id ()",
    "CREATE TABLE n (id INT PRIMARY KEY, c BIGINT DEFAULT CONNECTION_ID())",
    "ALTER TABLE t ADD c BIGINT DEFAULT (`connection_id`() + 1)",
    "CREATE PROCEDURE p() SELECT CONNECTION_ID()"])
def test_the_clients_number_is_not_kept_in_texts(checked, db, sql):
    """It would be that of a connection between shardd and a server."""
    with checked.connect(db=db) as conn:
        for before in "CREATE VIEW v AS SELECT 1", "CREATE TABLE t (id INT PRIMARY KEY)":
            assert testbed.Answer(conn, before).error is None
        error = testbed.Answer(conn, sql).error
        assert error[0] == 1235 and "CONNECTION_ID()" in error[1]
        assert testbed.Answer(conn, "CREATE TABLE o (id INT PRIMARY KEY, connection_id INT)"
                              ).error is None


CLOCKS = [
    "CREATE TABLE many (a INT PRIMARY KEY)", "INSERT INTO many VALUES (1), (2), (3), (4), (5)",
    "CREATE TABLE copied (a INT PRIMARY KEY) COMMENT 'shardd: reference'",
    "INSERT INTO copied VALUES (1), (2)",
    "ALTER TABLE many ADD t DATETIME(6) DEFAULT NOW(6), ADD d TIME(6) DEFAULT (CURTIME(6))",
    "ALTER TABLE copied ADD t TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)",
    "SELECT COUNT(DISTINCT t), COUNT(DISTINCT d) FROM many",
    "SELECT COUNT(DISTINCT copied.t) FROM copied, many", "ALTER TABLE many ADD SYSTEM VERSIONING",
    "ALTER TABLE copied ADD SYSTEM VERSIONING", "SELECT COUNT(DISTINCT row_start) FROM many",
    "SELECT COUNT(DISTINCT copied.row_start) FROM copied, many",
    "SET timestamp = 1500000000", "ALTER TABLE many ADD t2 DATETIME DEFAULT NOW()",
    "SELECT DISTINCT t2 FROM many", "SET timestamp = DEFAULT", "DROP TABLE many, copied",
]


def test_new_columns_have_one_time_on_all_shards(both):
    for sql in CLOCKS:
        both.compare(sql)


def test_ddl_waits_for_locks_as_long_as_the_session_does(both):
    both.run("CREATE TABLE held (a INT PRIMARY KEY)")
    both.run("INSERT INTO held VALUES (1), (2), (3), (4), (5)")
    both.run("SET lock_wait_timeout = 1")
    others = [place.connect(db=both.db) for place in (both.cluster, both.plain)]
    try:
        for other in others:
            with other.cursor() as cursor:
                cursor.execute("BEGIN")
                cursor.execute("SELECT COUNT(*) FROM held")
        for sql in "ALTER TABLE held ADD b INT", "DROP TABLE held":
            ours, theirs = both.answers(sql)
            assert ours.error[0] == theirs.error[0] == 1205, (ours, theirs)
    finally:
        for other in others:
            other.close()
        both.run("SET lock_wait_timeout = DEFAULT")
    both.compare("SELECT * FROM held ORDER BY a")
    both.run("DROP TABLE held")
