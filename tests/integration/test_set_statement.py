"""SET STATEMENT name = value, ... FOR statement: the session's state for one statement, as on one
server; nothing of it is there afterwards, for the client or for anybody else."""
import pytest

import rawclient
import testbed

STATE = ("SELECT @@sql_mode, @@time_zone, @@div_precision_increment, @@group_concat_max_len, "
         "@@sql_select_limit, @@foreign_key_checks, @@max_sort_length, @@lc_time_names, "
         "@@default_week_format, @@timestamp > 1e9, @@insert_id, @@sort_buffer_size, "
         "@@max_statement_time, @@auto_increment_increment, @@unique_checks")


@pytest.fixture
def filled(both):
    both.run("CREATE TABLE a (id BIGINT PRIMARY KEY, n INT, s VARCHAR(20), at TIMESTAMP(3) NULL)")
    both.run("CREATE TABLE g (id BIGINT PRIMARY KEY, n INT) COMMENT 'shardd: global'")
    both.run("SET time_zone = '+00:00'")
    both.run("INSERT INTO a VALUES " + ",".join(
        f"({i}, {i % 7}, 'name {i}', '2026-01-{i + 1:02d} 10:20:30.5')" for i in range(24)))
    both.run("INSERT INTO g SELECT id, n FROM a")
    return both


SAME = [
    # of one row, of one shard
    "time_zone = '+05:30' FOR SELECT at FROM a WHERE id = 3",
    "time_zone = '+05:30' FOR SELECT at, @@time_zone FROM a ORDER BY id",
    "time_zone = '+05:30' FOR SELECT DATE(at) d, COUNT(*) FROM a GROUP BY d ORDER BY d",
    "time_zone = '+05:30' FOR SELECT x.at FROM a x JOIN a y ON x.n = y.id ORDER BY x.id",
    "time_zone = '-03:00' FOR INSERT INTO a VALUES (100, 1, 'x', '2026-05-05 00:00:00'), "
    "(101, 2, 'y', '2026-05-06 00:00:00')",
    "time_zone = '-03:00' FOR UPDATE a SET at = '2026-07-07 12:00:00' WHERE id IN (1, 2, 3)",
    "time_zone = '-03:00' FOR UPDATE a JOIN g USING (id) SET a.at = '2026-07-08 12:00:00' "
    "WHERE g.n = 3",
    "time_zone = '-03:00', div_precision_increment = 9 FOR DELETE FROM a WHERE id > 99 AND "
    "at < '2026-05-05 12:00:00'",
    "div_precision_increment = 2 FOR SELECT AVG(n), SUM(n) / 7 FROM a",
    "div_precision_increment = 1 + 1 FOR SELECT 1 / 7",
    "div_precision_increment = (@@div_precision_increment + 3) FOR SELECT 1 / 7 FROM a WHERE id=5",
    "group_concat_max_len = 20 FOR SELECT GROUP_CONCAT(s ORDER BY id) FROM a",
    "timestamp = 1000000000 FOR SELECT NOW(), UNIX_TIMESTAMP() FROM a",
    "timestamp = 1000000000 FOR SELECT NOW()",
    "timestamp = 1000000000, time_zone = '+01:00' FOR UPDATE a SET at = NOW() WHERE id < 9",
    "lc_time_names = 'de_DE' FOR SELECT MONTHNAME(at), DAYNAME(at) FROM a WHERE id = 4",
    "default_week_format = 3 FOR SELECT WEEK(at) FROM a ORDER BY id",
    "sql_select_limit = 2 FOR SELECT id FROM a WHERE id = 7",
    "sql_select_limit = 2 FOR SELECT id FROM g ORDER BY id",
    "foreign_key_checks = OFF FOR SELECT @@foreign_key_checks",
    # sql_mode
    "sql_mode = '' FOR INSERT INTO a VALUES (200, 99999999999, REPEAT('z', 40), NULL)",
    "sql_mode = 'STRICT_ALL_TABLES' FOR INSERT INTO a VALUES (201, 99999999999, 'a', NULL)",
    "sql_mode = '' FOR INSERT INTO a (id, n) VALUES (202, 'seven'), (203, '8x')",
    "sql_mode = '' FOR UPDATE a SET n = 'none' WHERE id = 5",
    "sql_mode = 'STRICT_TRANS_TABLES' FOR UPDATE a SET n = 'none' WHERE id IN (5, 6, 7)",
    "sql_mode = 'ONLY_FULL_GROUP_BY' FOR SELECT n, s FROM a GROUP BY n",
    "sql_mode = 'PAD_CHAR_TO_FULL_LENGTH' FOR SELECT CAST('a' AS CHAR(3)) FROM g WHERE id = 1",
    "sql_mode = 'NO_UNSIGNED_SUBTRACTION' FOR SELECT CAST(1 AS UNSIGNED) - 2",
    "sql_mode = 'ERROR_FOR_DIVISION_BY_ZERO' FOR SELECT 1 / 0",
    "sql_mode = 'NO_ZERO_DATE,TRADITIONAL' FOR INSERT INTO a VALUES (204, 1, '', '0000-00-00')",
    "sql_mode = '' FOR SELECT @@sql_mode",
    "sql_mode = CONCAT(@@sql_mode, ',NO_ENGINE_SUBSTITUTION') FOR SELECT @@sql_mode",
    "sql_mode = DEFAULT FOR SELECT COUNT(*) FROM a",
    # how a text reads is decided before
    "sql_mode = 'ANSI_QUOTES' FOR SELECT \"text\" FROM a WHERE id = 1",
    "sql_mode = 'ANSI_QUOTES' FOR SELECT COUNT(*), \"text\" FROM a",
    "sql_mode = 'ANSI' FOR SELECT s || 'x' FROM a WHERE id = 1",
    "sql_mode = 'PIPES_AS_CONCAT' FOR SELECT '1' || '0', n FROM a ORDER BY id",
    "sql_mode = 'NO_BACKSLASH_ESCAPES' FOR SELECT 'a\\nb', s FROM a WHERE s LIKE 'name\\_1'",
    "sql_mode = 'NO_BACKSLASH_ESCAPES' FOR UPDATE a SET s = 'q\\'q' WHERE n = 2",
    "sql_mode = 'IGNORE_SPACE' FOR SELECT count (*) FROM a",
    "sql_mode = 'HIGH_NOT_PRECEDENCE' FOR SELECT NOT 1 BETWEEN -5 AND 5 FROM a WHERE id = 3",
    "sql_mode = 'EMPTY_STRING_IS_NULL' FOR SELECT '' IS NULL FROM a WHERE id = 3",
    # what is behind FOR
    "time_zone = '+02:00' FOR SELEC 1",
    "time_zone = '+02:00' FOR",
    "time_zone = '+02:00' FOR SELECT nosuch FROM a",
    "time_zone = '+02:00' FOR SELECT * FROM nosuch",
    "time_zone = '+02:00' FOR DO SLEEP(0)",
    "time_zone = '+02:00' FOR SHOW VARIABLES LIKE 'time_zone'",
    "time_zone = '+02:00' FOR CREATE TABLE made (id BIGINT PRIMARY KEY, at TIMESTAMP NULL)",
    "sql_mode = '' FOR CREATE TABLE zero (id INT PRIMARY KEY, at DATE DEFAULT '0000-00-00')",
    "sql_mode = 'TRADITIONAL' FOR CREATE TABLE zero2 (id INT PRIMARY KEY, d DATE DEFAULT "
    "'0000-00-00')",
    "time_zone = '+02:00' FOR SET @v = 5",
    "max_statement_time = 0.05, sql_mode = '' FOR SELECT SLEEP(20) FROM a",
    # what is before it
    "nosuch = 5 FOR SELECT 1",
    "autocommit = 0 FOR SELECT 1",
    "tx_isolation = 'SERIALIZABLE' FOR SELECT 1",
    "character_set_client = 'latin1' FOR SELECT 1",
    "collation_connection = 'latin1_bin' FOR SELECT 1",
    "max_connections = 5 FOR SELECT 1",
    "version = 'x' FOR SELECT 1",
    "time_zone = 'Nowhere/At_All' FOR SELECT 1",
    "sql_mode = 'NO_SUCH_MODE' FOR SELECT 1",
    "sql_mode = 32 FOR SELECT @@sql_mode",
    "time_zone FOR SELECT 1",
    "time_zone = FOR SELECT 1",
    "time_zone = '+01:00', FOR SELECT 1",
    "time_zone = @unset FOR SELECT 1",
    "time_zone = '+01:00', time_zone = '+02:00' FOR SELECT @@time_zone",
]


@pytest.mark.parametrize("outer", ["alone", "transaction", "temporary table"])
def test_as_on_one_server(filled, outer):
    both = filled
    if outer == "temporary table":
        both.run("CREATE TEMPORARY TABLE tt (n INT)")
    for words in SAME:
        if outer == "transaction" and "CREATE" not in words:
            both.run("BEGIN")
            both.run("UPDATE a SET n = n + 1 WHERE id < 4")
        both.compare("SET STATEMENT " + words)
        both.compare(STATE)
        both.compare("SELECT at, @@time_zone, 1 / 7, @@sql_mode FROM a ORDER BY id")
        both.compare("SELECT * FROM g ORDER BY id")
        both.compare("SELECT n, s FROM a ORDER BY id")
        if outer == "transaction":
            both.run("COMMIT")


def test_settings_of_the_session_come_back(filled):
    both = filled
    both.run("SET time_zone = '+04:00', sql_mode = 'ANSI_QUOTES,STRICT_ALL_TABLES'")
    both.run("SET div_precision_increment = 7, @zone = '+11:00'")
    for begin in "BEGIN", "SELECT 1":
        for sql in (begin, "UPDATE a SET n = n + 1",
                    "SET STATEMENT time_zone = @zone FOR SELECT at FROM a ORDER BY id",
                    "SELECT at, 1 / 7 FROM a ORDER BY id", STATE,
                    "SET STATEMENT sql_mode = '' FOR SELECT \"s\" FROM a ORDER BY \"id\"",
                    "SELECT \"s\" FROM a ORDER BY id", STATE,
                    "SET STATEMENT time_zone = '+01:00' FOR SELECT at FROM a WHERE id = 1",
                    "SET STATEMENT time_zone = '+02:00' FOR SELECT at FROM a WHERE id = 2",
                    "SET time_zone = '+03:00'",
                    "SELECT at FROM a ORDER BY id", "SET time_zone = '+04:00'", "ROLLBACK", STATE):
            both.compare(sql)


REFUSED = [
    "sql_mode = 'ORACLE' FOR SELECT 1",
    "sql_mode = 'ANSI_QUOTES' FOR SHOW CREATE TABLE a",
    "sql_mode = 'ANSI_QUOTES' FOR SELECT @@sql_mode",
    "sql_mode = 'ANSI_QUOTES' FOR CREATE TABLE b (id INT PRIMARY KEY)",
    "rand_seed1 = 5 FOR SELECT RAND()",
    "time_zone = '+02:00' FOR SET sql_mode = ''",
    "time_zone = (@a := '+02:00') FOR SELECT 1",
    "time_zone = '+02:00' FOR SET STATEMENT sql_mode = '' FOR SELECT 1",
    "sql_select_limit = 2 FOR SELECT id FROM a",
]


def test_what_is_refused(filled):
    connection = filled.connections[0]
    for words in REFUSED:
        answer = testbed.Answer(connection, "SET STATEMENT " + words)
        assert answer.error and answer.error[1].startswith("shardd: "), (words, answer)
        filled.compare(STATE)


def test_settings_of_shardd(filled):
    connection = filled.connections[0]
    read = "SELECT @@shardd_commit, @@shardd_consistency, @@shardd_snapshot_reads"
    before = testbed.Answer(connection, read).rows
    answer = testbed.Answer(connection, "SET STATEMENT shardd_commit = 'single', "
                            f"shardd_snapshot_reads = 1 FOR {read}")
    assert answer.rows == ((("single", before[0][1], 1)),) or \
        list(answer.rows[0]) == ["single", before[0][1], 1], answer
    assert testbed.Answer(connection, read).rows == before
    assert testbed.Answer(connection, "SET STATEMENT shardd_commit = 'x' FOR SELECT 1"
                          ).error[0] == 1231
    assert testbed.Answer(connection, read).rows == before


def test_several_statements_in_one(filled):
    sql = ("SET STATEMENT time_zone = '+02:00' FOR SELECT at FROM a WHERE id = 1; SELECT "
           "@@time_zone; SET STATEMENT time_zone = '+03:00' FOR SELECT at FROM a WHERE id = 2")

    def seen(server):
        out = []
        with server.connect(db=filled.db, client_flag=testbed.MULTI_STATEMENTS) as conn, \
                conn.cursor() as cursor:
            cursor.execute("SET time_zone = '+00:00'")
            cursor.execute(sql)
            while True:
                out.append(cursor.fetchall())
                if not cursor.nextset():
                    return out

    assert seen(filled.cluster) == seen(filled.plain)


def test_prepared(filled):
    """By the binary protocol, as drivers do that set a time limit so."""
    def seen(server):
        with rawclient.RawClient(server.port).login(db=filled.db) as raw:
            out = [raw.query("SET time_zone = '+00:00'")[0]]
            for sql in ("SET STATEMENT time_zone='+05:00' FOR SELECT CAST(at AS CHAR) FROM a "
                        "WHERE id = ?",
                        "SET STATEMENT max_statement_time=5 FOR SELECT s FROM a WHERE id = ?",
                        "SET STATEMENT sql_mode='' FOR UPDATE a SET n = 'x' WHERE id = ?",
                        "SET STATEMENT nosuch=5 FOR SELECT s FROM a WHERE id = ?"):
                try:
                    statement, params, _ = raw.prepare(sql)
                    for value in 3, 4:
                        out.append((len(params), raw.execute(
                            statement, [value])[1]))
                except rawclient.ServerError as error:
                    out.append(error.code)
                out.append(raw.query("SELECT @@time_zone, @@sql_mode, @@max_statement_time")[1])
            return out

    ours, theirs = seen(filled.cluster), seen(filled.plain)
    assert [str(x) for x in ours] == [str(x) for x in theirs]
