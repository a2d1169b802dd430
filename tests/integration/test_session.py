"""A session's state belongs to its client: many clients share few connections, and nothing
of one shows at another."""
import socket
import threading

import pymysql
import pytest

import rawclient
import testbed

# What one client sets, what to ask for, and what a client that set nothing must see is
# whatever a fresh one sees.
STATE = [
    ("user variable", "SET @a = 41", "SELECT @a + 1"),
    ("assigned in a select", "SELECT @b := 5", "SELECT @b"),
    ("sql_mode", "SET SESSION sql_mode = 'ANSI_QUOTES'", "SELECT @@sql_mode"),
    ("time zone", "SET time_zone = '+05:30'", "SELECT @@time_zone"),
    ("several", "SET @x = 1, sql_safe_updates = 1, @y = 'two'",
     "SELECT @x, @@sql_safe_updates, @y"),
    ("names", "SET NAMES latin1", "SELECT @@character_set_client, @@collation_connection"),
    ("names collate", "SET NAMES utf8mb4 COLLATE utf8mb4_bin", "SELECT @@collation_connection"),
    ("character set", "SET CHARACTER SET latin1", "SELECT @@character_set_results"),
    ("isolation", "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE", "SELECT @@tx_isolation"),
    ("autocommit", "SET autocommit = 0", "SELECT @@autocommit"),
    ("limit", "SET SESSION sql_select_limit = 7", "SELECT @@sql_select_limit"),
    ("foreign keys", "SET foreign_key_checks = 0", "SELECT @@foreign_key_checks"),
    ("insert id", "SET insert_id = 77", "SELECT @@insert_id"),
    ("timestamp", "SET timestamp = 1000000000", "SELECT NOW()"),
    ("group_concat", "SET SESSION group_concat_max_len = 9", "SELECT @@group_concat_max_len"),
    ("default", "SET SESSION wait_timeout = 5", "SELECT @@wait_timeout"),
]


@pytest.mark.parametrize("name,change,ask", STATE, ids=[s[0] for s in STATE])
def test_state_stays_with_its_client(both, name, change, ask):
    def seen(server):
        clients = [server.connect(db=both.db) for _ in range(6)]
        answers = []
        for i, c in enumerate(clients):
            if i % 2:
                testbed.Answer(c, change)
        for _ in range(3):  # interleaved, so that connections change hands
            for c in clients:
                answers.append(testbed.Answer(c, ask).rows)
        for c in clients:
            c.close()
        fresh = server.connect(db=both.db)
        answers.append(testbed.Answer(fresh, ask).rows)
        fresh.close()
        return answers if name != "timestamp" else [str(a) for a in answers[1::2]]

    assert seen(both.cluster) == seen(both.plain)


def test_temporary_tables_stay_with_their_client(both):
    def seen(server):
        out = []
        with server.connect(db=both.db) as a, server.connect(db=both.db) as b:
            for c, value in (a, 1), (b, 2):
                out.append(testbed.Answer(c, "CREATE TEMPORARY TABLE tt (n INT)").error)
                out.append(testbed.Answer(c, f"INSERT INTO tt VALUES ({value})").error)
            for c in a, b:
                out.append(testbed.Answer(c, "SELECT * FROM tt").rows)
        with server.connect(db=both.db) as c:
            out.append(testbed.Answer(c, "SELECT * FROM tt").error[0])
            out.append(testbed.Answer(c, "SHOW TABLES").rows)
        return out

    assert seen(both.cluster) == seen(both.plain)


def test_locks_of_a_session(checked, db):
    with checked.connect(db=db) as a, checked.connect(db=db) as b:
        assert testbed.Answer(a, f"SELECT GET_LOCK('{db}', 1)").rows == [(1,)]
        assert testbed.Answer(b, f"SELECT GET_LOCK('{db}', 0)").rows == [(0,)]
        assert testbed.Answer(a, f"SELECT RELEASE_LOCK('{db}')").rows == [(1,)]
        assert testbed.Answer(b, f"SELECT GET_LOCK('{db}', 1)").rows == [(1,)]
    with checked.connect(db=db) as c:  # gone with its client
        assert testbed.wait_for("the lock", lambda: testbed.Answer(
            c, f"SELECT GET_LOCK('{db}', 0)").rows == [(1,)])


def test_schemas_do_not_mix(checked, db):
    checked.sql(f"CREATE DATABASE {db}b")
    try:
        for name, value in (db, 1), (db + "b", 2):
            checked.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, n INT)", db=name)
            checked.sql(f"INSERT INTO t VALUES (5, {value})", db=name)
        clients = [checked.connect(db=db if i % 2 else db + "b") for i in range(8)]
        for _ in range(5):
            for i, c in enumerate(clients):
                assert testbed.Answer(c, "SELECT n FROM t WHERE id = 5").rows == [
                    (1,) if i % 2 else (2,)]
        for c in clients:
            c.close()
    finally:
        checked.sql(f"DROP DATABASE {db}b")


def test_ids_and_counts(both):
    both.run("CREATE TABLE t (id BIGINT AUTO_INCREMENT PRIMARY KEY, n INT)"
             " COMMENT 'shardd: global'")
    for sql in ("INSERT INTO t (n) VALUES (1), (2), (3)", "SELECT ROW_COUNT()",
                "SELECT LAST_INSERT_ID()", "UPDATE t SET n = 5 WHERE id = 1",
                "SELECT ROW_COUNT()", "SELECT SQL_CALC_FOUND_ROWS n FROM t ORDER BY id LIMIT 1",
                "SELECT FOUND_ROWS()", "SELECT LAST_INSERT_ID(9)", "SELECT LAST_INSERT_ID()",
                "SELECT CAST('x' AS INT)", "SHOW WARNINGS", "SHOW COUNT(*) WARNINGS",
                "INSERT INTO t SELECT id + 10, n FROM t", "SELECT LAST_INSERT_ID()",
                "INSERT INTO t (id, n) SELECT 50, n FROM t LIMIT 1", "SELECT LAST_INSERT_ID()",
                "INSERT INTO t (id, n) SELECT NULL, n FROM t", "SELECT LAST_INSERT_ID()",
                "INSERT INTO t (n) SELECT n FROM t", "SELECT LAST_INSERT_ID()"):
        both.compare(sql)


def test_many_clients_share_few_connections(new_cluster):
    cluster = new_cluster(workers=1)
    cluster.sql("CREATE TABLE t (id BIGINT PRIMARY KEY)")
    cluster.sql("INSERT INTO t VALUES (1), (2), (3), (4)")
    clients = [cluster.connect() for _ in range(300)]
    for c in clients:
        assert testbed.Answer(c, "SELECT COUNT(*) FROM t").rows == [(4,)]
    for shard in cluster.shard_list():
        connected = cluster.on_shard(shard, "SHOW STATUS LIKE 'Threads_connected'")[0][1]
        assert int(connected) < 40
    for c in clients:
        c.close()


@pytest.mark.parametrize("how", ["kill query", "kill", "disconnect"])
def test_what_nobody_waits_for_ends_on_the_server(checked, db, how):
    def sleeping():
        return [row for shard in checked.shard_list()
                for row in checked.on_shard(shard, "SELECT id FROM information_schema.processlist"
                                            " WHERE info LIKE 'SELECT SLEEP(47)%'")]

    a, b = checked.connect(db=db), checked.connect(db=db)
    me = a.thread_id()
    running = threading.Thread(target=lambda: testbed.Answer(a, "SELECT SLEEP(47)"), daemon=True)
    running.start()
    testbed.wait_for("the statement to run", sleeping)
    if how == "disconnect":
        a._sock.shutdown(socket.SHUT_RDWR)
    else:
        testbed.Answer(b, f"{how} {me}")
    testbed.wait_for("the statement to end on the server", lambda: not sleeping())
    running.join(40)
    assert not running.is_alive()
    b.close()


def test_names_among_computed_settings(both):
    """As Active Record begins a connection."""
    both.run("SET NAMES latin1 COLLATE latin1_german1_ci, @@SESSION.sql_mode = "
             "CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'), @@SESSION.wait_timeout = 2147483")
    both.compare("SELECT @@sql_mode, @@wait_timeout, @@character_set_client, "
                 "@@character_set_results, @@collation_connection")
    both.run("SET CHARACTER SET utf8mb4, @@SESSION.sql_mode = REPLACE(@@sql_mode, 'STRICT_ALL', "
             "'STRICT_TRANS')")
    both.run("CREATE TABLE t (id INT PRIMARY KEY)")
    for i in range(8):  # on backends of all shards
        both.compare(f"SELECT @@sql_mode, @@character_set_results, @@collation_connection, id "
                     f"FROM t WHERE id = {i}")
    both.compare("SELECT @@sql_mode, @@character_set_client, @@collation_connection")


def test_what_waits_behind_a_set(checked, db):
    """Connector/J sends what it wants to know right behind its first SET."""
    before = set(checked.worker_pids())
    for _ in range(4):
        with rawclient.RawClient(checked.port) as c:
            c.login(db=db)
            c.command(rawclient.QUERY, b"SET autocommit = 1, session_track_schema = 1, sql_mode = "
                                       b"CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES')")
            c.command(rawclient.QUERY, b"SELECT 1, @@autocommit")
            c.result()
            assert [rawclient.text_row(r) for r in c.result()[1]] == [[b"1", b"1"]]
    assert set(checked.worker_pids()) == before


def test_a_number_to_kill_is_computed(both):
    """An expression, as a server takes it; and who kills itself hears that it is gone."""
    def seen(server):
        out = []
        with server.connect(db=both.db) as killer:
            victim = server.connect(db=both.db)
            number = testbed.Answer(victim, "SELECT CONNECTION_ID()").rows[0][0]
            testbed.Answer(killer, f"SET @id = {number - 5}")
            out.append(testbed.Answer(killer, "KILL @id + 5").error)
            out.append(testbed.Answer(victim, "SELECT 1").error[0] in (1927, 2006, 2013))
            out.append(testbed.Answer(killer, "KILL QUERY 2000000000 + 1").error[0])
            out.append(testbed.Answer(killer, "KILL CONNECTION_ID()").error[0])
        return out

    assert seen(both.cluster) == seen(both.plain) == [None, True, 1094, 1927]


def test_set_behind_few_rows_to_join(both):
    """What SET did is read back, though max_join_size allows nothing."""
    both.run("CREATE TABLE t (id INT PRIMARY KEY) COMMENT 'shardd: global'")
    both.run("INSERT INTO t VALUES (1), (2), (3), (4), (5), (6), (7), (8)")
    for sql in ("SET max_join_size = 10", "SELECT @@max_join_size, @@sql_big_selects",
                "SELECT COUNT(*) FROM t a, t b", "SET time_zone = '+01:00', @x = @@sql_big_selects",
                "SELECT @@time_zone, @x", "SET sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')",
                "SELECT @@sql_mode", "SET STATEMENT time_zone = '+02:00' FOR SELECT @@time_zone",
                "SET sql_big_selects = 1 + 0", "SELECT @@sql_big_selects",
                "SELECT a.id FROM t a, t b WHERE b.id = 3 ORDER BY a.id",
                "SET sql_big_selects = @x", "SELECT @@sql_big_selects, @@max_join_size",
                "SELECT COUNT(*) FROM t a, t b"):
        both.compare(sql)


NUMBERS = [
    "SET last_insert_id = 7", "SELECT @@last_insert_id, LAST_INSERT_ID(), @@identity",
    "SET @@session.identity = 9", "SELECT LAST_INSERT_ID()",
    "SET identity = 11, @x = 1, div_precision_increment = 7",
    "SELECT @@identity, @x, @@div_precision_increment",
    "SET @y = 2, SESSION last_insert_id = 12 + 1", "SELECT LAST_INSERT_ID() + 1, @y",
    "SET NAMES utf8mb4, identity = DEFAULT", "SET last_insert_id = 'x'", "SELECT @@identity",
    "SET identity = 18446744073709551615", "SELECT LAST_INSERT_ID()", "BEGIN",
    "SET last_insert_id = 70", "SELECT LAST_INSERT_ID()", "COMMIT", "DO LAST_INSERT_ID(42)",
    "SELECT LAST_INSERT_ID()", "SET @x = LAST_INSERT_ID(43)", "SELECT @x, LAST_INSERT_ID()",
    "SET @x = (SELECT LAST_INSERT_ID(44))", "SELECT @x, LAST_INSERT_ID()", "DO LAST_INSERT_ID()",
    "SELECT LAST_INSERT_ID(45) FOR UPDATE", "SELECT LAST_INSERT_ID()",
    "SET @@session.error_count = 1", "SET @@warning_count = 0, @x = 3",
    "SET @x = 4, @@error_count = 1", "SELECT @x", "SET @x = @@error_count = 0", "SELECT @x",
]


def test_a_number_that_would_be_ignored(both):
    """Numbers of a sharded table are its sequence's, and not those of one server."""
    sql = both.cluster.sql
    sql("CREATE TABLE numbered (id INT AUTO_INCREMENT PRIMARY KEY, v INT)"
        " COMMENT 'shardd: key(id)'", db=both.db)
    with both.cluster.connect(db=both.db) as app, app.cursor() as cursor:
        cursor.execute("SET insert_id = 77")
        with pytest.raises(pymysql.err.NotSupportedError, match="insert_id is set"):
            cursor.execute("INSERT INTO numbered (v) VALUES (1)")
        cursor.execute("INSERT INTO numbered VALUES (9, 1)")
        cursor.execute("SET insert_id = 0")
        cursor.execute("INSERT INTO numbered (v) VALUES (1)")
        cursor.execute("SELECT COUNT(*), MAX(id) > 9 FROM numbered")
        assert cursor.fetchall() == ((2, 1),)
    sql("DROP TABLE numbered", db=both.db)


def test_the_last_number_is_set(both):
    """And numbers that nobody can set are refused as a server refuses them."""
    for sql in NUMBERS:
        both.compare(sql)


def test_settings_that_depend_on_others(both):
    """The schema's collation when SET CHARACTER SET was said, and switches that were not named; on
    connections that were somebody else's before, which forget the schema's character set."""
    other = both.db + "_latin"
    both.run(f"CREATE DATABASE {other} COLLATE latin1_german1_ci")
    both.run(f"CREATE TABLE {other}.t (id INT PRIMARY KEY)")
    both.run(f"INSERT INTO {other}.t VALUES " + ", ".join(f"({i})" for i in range(8)))
    asked = ("@@collation_connection, @@character_set_client, @@character_set_results, "
             "@@character_set_database, @@optimizer_switch")

    def everywhere():
        for i in range(8):
            for sql in "SET time_zone = '+01:00'", f"SELECT id FROM {other}.t WHERE id = {i}":
                with both.cluster.connect(db=other) as c:
                    testbed.Answer(c, sql)
            both.compare(f"SELECT {asked} FROM {other}.t WHERE id = {i}")
            both.compare("SHOW VARIABLES LIKE 'c%\\_database'")

    for sql in (f"USE {other}", "SET CHARACTER SET utf8mb4", f"USE {both.db}",
                "SET CHARACTER SET latin1", f"USE {other}", "SET NAMES utf8mb4",
                "SET optimizer_switch = 'mrr=on'", "SET optimizer_switch = 'mrr_cost_based=on'",
                "SET optimizer_switch = 'default,mrr=on'", "SET optimizer_switch = DEFAULT"):
        both.run(sql)
        everywhere()
    both.run(f"DROP DATABASE {other}")


# What begins no transaction; the first few were left to whoever got the connection next.
NOTHING = ["SELECT SLEEP(0)", "SELECT NOW()", "DO 1", "SELECT nosuch()", "SELEC", "SHOW TABLES",
           "SELECT * FROM nosuch", "SELECT @a := 5", "SELECT 1 UNION SELECT 2", "SHOW WARNINGS",
           "SET @a = 3", "SET time_zone = '+01:00'", "SHOW COLUMNS FROM t", "HELP 'select'",
           "BEGIN NOT ATOMIC SELECT 1; END", "DO (SELECT 1)"]


def test_what_was_said_for_the_next_transaction(both):
    """It waits for it behind all that begins none, and is nobody else's."""
    both.run("CREATE TABLE t (id INT PRIMARY KEY, v INT)")
    both.run("INSERT INTO t VALUES (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6)")
    other = testbed.Both(both.cluster, both.plain, both.db)
    for sql in NOTHING:
        both.compare("SET TRANSACTION READ ONLY")
        both.answers(sql)
        for write in ("UPDATE t SET v = v + 1", "UPDATE t SET v = v + 1 WHERE id = 1",
                      "UPDATE t SET v = v + 1 WHERE id = 2"):
            assert other.compare(write).error is None, sql
        assert both.compare("UPDATE t SET v = v + 1").error[0] == 1792, sql
        both.compare("BEGIN")
        both.compare("COMMIT")
        both.compare("UPDATE t SET v = v + 1")
    other.close()


# What routines do to the transactions of their caller; e.g lies whole on its database's home.
ROUTINES = [
    "PROCEDURE next() SET TRANSACTION READ ONLY",
    "PROCEDURE again() BEGIN COMMIT; SET TRANSACTION READ ONLY, ISOLATION LEVEL SERIALIZABLE; END",
    "PROCEDURE next_and_fail() BEGIN SET TRANSACTION READ ONLY; SIGNAL SQLSTATE '45000'; END",
    "PROCEDURE open_and_fail() BEGIN START TRANSACTION; INSERT INTO g VALUES (7); "
    "SIGNAL SQLSTATE '45000'; END",
    "PROCEDURE end_and_fail() BEGIN INSERT INTO g VALUES (8); COMMIT; SIGNAL SQLSTATE '45000'; END",
    "PROCEDURE look() BEGIN START TRANSACTION READ ONLY; SELECT COUNT(*) FROM g; END",
    "PROCEDURE all_in_one() BEGIN START TRANSACTION; INSERT INTO g VALUES (9); COMMIT; END",
    "PROCEDURE one_more() INSERT INTO g VALUES (6)",
    "PROCEDURE one_open() BEGIN START TRANSACTION; INSERT INTO g VALUES (4); END",
]
# What is between two of these is a session's; behind each READ ONLY may be in force.
ENDS = [
    ["CALL next()"], ["CALL next()", "SELECT 1"], ["CALL next_and_fail()"], ["CALL again()"],
    ["BEGIN", "INSERT INTO g VALUES (1)", "CALL again()"],
    ["CALL look()", "SELECT COUNT(*) FROM {db}.t"],
    ["BEGIN NOT ATOMIC SET TRANSACTION READ ONLY; END"], ["CALL open_and_fail()"],
    ["SET TRANSACTION READ ONLY", "CALL look()"], ["SET TRANSACTION READ ONLY", "CALL one_more()"],
    ["SET TRANSACTION READ ONLY", "BEGIN NOT ATOMIC SELECT COUNT(*) FROM g; END"],
    ["SET TRANSACTION READ ONLY", "HANDLER g OPEN"], ["BEGIN", "CALL end_and_fail()"],
    ["BEGIN", "CALL one_more()", "SELECT COUNT(*) FROM {db}.t", "CALL all_in_one()"],
    ["BEGIN", "CALL one_more()", "SELECT COUNT(*) FROM {db}.t", "CALL end_and_fail()"],
    ["BEGIN", "CALL one_more()", "{write}", "CALL one_more()"],
    ["START TRANSACTION READ ONLY", "CALL one_open()"], ["CALL one_open()", "CALL look()"],
]


def test_routines_and_transactions(both):
    """What a routine leaves open, ends, or says of the next transaction is its caller's."""
    other = both.db + "_e"
    both.run("CREATE TABLE t (id INT PRIMARY KEY, v INT)")
    both.run("INSERT INTO t VALUES (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6)")
    both.run(f"CREATE DATABASE {other}")
    both.run(f"CREATE TABLE {other}.g (id INT)")
    both.run(f"USE {other}")
    for sql in ROUTINES:
        both.run("CREATE " + sql)
    write = f"UPDATE {both.db}.t SET v = v + 1"
    for steps in ENDS:
        for end in "ROLLBACK", "COMMIT":
            for sql in steps:
                both.compare(sql.format(db=both.db, write=write))
            both.compare(write)
            both.compare(end)
            for sql in (write, "HANDLER g CLOSE", f"SELECT * FROM {both.db}.t",
                        "SELECT * FROM g"):
                both.compare(sql)
    for sql in ("ALTER TABLE nosuch ADD z INT", "DROP TABLE nosuch", "TRUNCATE nosuch",
                "SET @a = (SELECT COUNT(*) FROM g)"):
        both.run("SET TRANSACTION READ ONLY")
        both.compare(sql)  # it commits before it fails
        both.compare(write)
    # What would commit one part of it, and leave the others, is refused.
    for sql in "CALL all_in_one()", "CALL look()", "BEGIN NOT ATOMIC COMMIT; END":
        for end in "COMMIT", "ROLLBACK":
            with both.cluster.connect(db=other) as c, c.cursor() as cursor:
                cursor.execute("BEGIN")
                cursor.execute("INSERT INTO g VALUES (10)")
                cursor.execute(write)
                assert testbed.Answer(c, sql).error[0] == 1235
                cursor.execute(end)
            if end == "COMMIT":
                both.plain.sql("INSERT INTO g VALUES (10)", db=other)
                both.plain.sql(write, db=other)
            for seen in f"SELECT * FROM {both.db}.t", "SELECT * FROM g":
                both.compare(seen)
    for sql in (f"CREATE TEMPORARY TABLE {both.db}.tmp (id INT)",
                f"INSERT INTO {both.db}.tmp VALUES (1)", f"USE {both.db}",
                "SELECT tmp.id FROM tmp JOIN t USING (id)"):
        both.compare(sql)
    both.run(f"DROP DATABASE {other}")


def test_views_of_global_tables_with_a_check(both):
    for sql in ("CREATE TABLE g (id INT)", "CREATE VIEW w AS SELECT id FROM g WHERE id < 5 "
                "WITH CHECK OPTION"):
        both.run(sql)
    for sql in ("REPLACE INTO w VALUES (7)", "INSERT INTO w VALUES (1)", "INSERT INTO w VALUES (9)",
                "UPDATE w SET id = 8", "INSERT INTO w SELECT id + 1 FROM g", "SELECT * FROM g"):
        both.compare(sql)


def test_commands_that_run_nothing_end_nothing(both):
    """Not every answer says whether a transaction is open: that of a PREPARE without parameters
    and columns does not."""
    both.run("CREATE TABLE t (id INT PRIMARY KEY, v INT)")
    both.run("INSERT INTO t VALUES (1, 0)")
    for command in (lambda c: c.prepare("DELETE FROM t WHERE id = 7"),
                    lambda c: c.prepare("SET @a = 1"), lambda c: c.prepare("SELECT 1"),
                    lambda c: (c.command(rawclient.STATISTICS), c.read()),
                    lambda c: (c.command(rawclient.FIELD_LIST, b"t\0"), c._until_eof()),
                    lambda c: (c.command(rawclient.PING), c.ok())):
        for end in "COMMIT", "ROLLBACK":
            for port in both.cluster.port, both.plain.port:
                with rawclient.RawClient(port) as c:
                    c.login(db=both.db)
                    c.query("BEGIN")
                    c.query("UPDATE t SET v = v + 1 WHERE id = 1")
                    command(c)
                    c.query(end)
            both.compare("SELECT v FROM t")
            both.compare("UPDATE t SET v = v + 100 WHERE id = 1")


SETS = [
    ("SET @a = ?", (5,)), ("SET @a = ?", ("x'y\"z\\",)), ("SET @a = ?", (None,)),
    ("SET @a = ?, time_zone = ?, @b = ? + 1", (5, "+03:00", 1.5)), ("SET sql_mode = ?", ("ANSI",)),
    ("SET sql_mode = ?", ("nonsense",)), ("SET autocommit = ?", (0,)), ("SET NAMES ?", ()),
    ("SET autocommit = ?", (1,)), ("SET @a = (SELECT v FROM g WHERE id = ?)", (2,)),
    ("SET @a = (SELECT v FROM t WHERE id = ?)", (3,)), ("SET nosuch = ?", ()),
    ("SET sql_mode = 'nonsense'", ()), ("SET max_connections = ?", (7,)),
    ("SET sql_select_limit = ?", ("x",)), ("SET TRANSACTION READ WRITE", ()),
    ("SET SESSION transaction_isolation = ?", ("SERIALIZABLE",)),
]


def test_prepared_settings(both):
    """Go's driver prepares whatever has arguments."""
    for sql in ("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "CREATE TABLE g (id INT, v INT)",
                "INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)", "INSERT INTO g VALUES (2, 2)"):
        both.run(sql)
    asked = ("SELECT @a, COLLATION(@a), @b, @@time_zone, @@sql_mode, @@autocommit, @@tx_isolation, "
             "COUNT(*) FROM g")

    def seen(server):
        with rawclient.RawClient(server.port) as c:
            c.login(db=both.db)
            for sql, values in SETS:
                try:
                    number, params, columns = c.prepare(sql)
                    yield sql, params, columns
                    ok = c.execute(number, values)[1]
                    yield ok[:3], ok[5:]  # its status tells of indexes too
                except rawclient.ServerError as e:
                    yield sql, e.code, e.state
                yield c.query(asked)[1]

    for ours, theirs in zip(seen(both.cluster), seen(both.plain)):
        assert ours == theirs


def test_a_kill_that_comes_when_all_is_told(both):
    """The transaction that a procedure has begun goes on: nothing ran any more."""
    code = both.db + "_code"
    both.run(f"CREATE DATABASE {code}")
    both.run(f"CREATE TABLE {code}.t (id INT PRIMARY KEY, v INT) COMMENT 'shardd: global'")
    both.run(f"INSERT INTO {code}.t VALUES (1, 0)")
    both.run(f"CREATE PROCEDURE {code}.begins() BEGIN START TRANSACTION; "
             f"UPDATE {code}.t SET v = v + 1; END")
    for server in both.cluster, both.plain:
        with server.connect(db=both.db) as victim, server.connect(db=both.db) as killer:
            for i in range(20):
                assert testbed.Answer(victim, f"CALL {code}.begins()").error is None
                testbed.Answer(killer, f"KILL QUERY {victim.thread_id()}")
                assert testbed.Answer(victim, f"SELECT v FROM {code}.t").rows == [(i + 1,)]
                assert testbed.Answer(victim, "COMMIT").error is None
    both.run(f"DROP DATABASE {code}")


FOUND = [
    "SHOW CREATE TABLE t", "SHOW CREATE TABLE g", "SHOW CREATE VIEW w", "SHOW CREATE DATABASE {db}",
    "EXPLAIN SELECT * FROM t WHERE id = 1", "EXPLAIN SELECT * FROM g", "EXPLAIN FORMAT=JSON "
    "SELECT * FROM g", "EXPLAIN SELECT * FROM g a JOIN g b", "EXPLAIN UPDATE g SET v = 1",
    "DESCRIBE g", "ANALYZE SELECT * FROM g", "ANALYZE FORMAT=JSON SELECT * FROM g",
    "ANALYZE UPDATE g SET v = v", "SELECT v INTO @a FROM g WHERE id = 1",
    "SELECT v INTO @a FROM t WHERE id = 1", "SELECT v INTO @a FROM t WHERE id = 77",
    "SELECT v INTO @a FROM g", "SELECT MAX(v) INTO @a FROM t", "SELECT 5 INTO @a",
    "SELECT SQL_CALC_FOUND_ROWS v FROM g ORDER BY id LIMIT 1 INTO @a",
    "CREATE TABLE n1 SELECT * FROM g", "CREATE TABLE n2 (PRIMARY KEY (id)) SELECT * FROM t",
    "CREATE TABLE IF NOT EXISTS n2 SELECT * FROM g", "CREATE TEMPORARY TABLE n3 SELECT * FROM g",
    "INSERT INTO t SELECT id + 100, v FROM t", "INSERT INTO g SELECT * FROM g",
    "INSERT INTO n2 SELECT DISTINCT id + 50, v FROM g WHERE id = 1",
    "INSERT INTO t VALUES (50, 1), (550, 1)",
    "INSERT INTO t VALUES (60, 1) RETURNING id", "DELETE FROM g WHERE id = 2 RETURNING id",
    "REPLACE INTO t VALUES (60, 2), (61, 3) RETURNING v", "ANALYZE TABLE g", "CHECK TABLE t",
    "CHECKSUM TABLE g", "VALUES (1), (2), (3), (4)", "HELP 'select'", "SHOW PROFILES",
    "DO (SELECT COUNT(*) FROM g)", "DO @b := (SELECT v FROM t WHERE id = 1)",
]


@pytest.mark.parametrize("before", ["SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION "
                                    "SELECT 5 UNION SELECT 6", "SELECT 7"])
def test_rows_that_were_found(both, before):
    """FOUND_ROWS() counts what SELECT selects, and not what other statements answer."""
    for sql in ("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "CREATE TABLE g (id INT, v INT)",
                "INSERT INTO t VALUES (1, 1), (2, 2), (3, 3), (4, 4), (5, 5)",
                "INSERT INTO g VALUES (1, 1), (2, 2), (3, 3)", "CREATE VIEW w AS SELECT * FROM t"):
        both.run(sql)
    for sql in FOUND:
        both.run(before)
        for answer in both.answers(sql.format(db=both.db)):
            assert answer.error is None or answer.error[0] == 1172, (sql, answer)
        both.compare(f"SELECT FOUND_ROWS(), {sql!r}")
    both.run("SET sql_select_limit = 1")  # each shard would count its part to there
    for count, counts in ("SQL_CALC_FOUND_ROWS", 1235), ("", None):
        ours, theirs = both.answers(f"SELECT {count} id FROM t ORDER BY id LIMIT 2")
        assert counts == (ours.error and ours.error[0]) and (counts or ours.rows == theirs.rows)
