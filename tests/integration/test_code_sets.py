"""What routines, functions and triggers SET is the session's afterwards, as on one server, and
nobody else's; and each client hears of it what it asked for."""
import random

import pytest

import rawclient
import testbed
from test_track import answers

# What a session can see of its settings; each name once.
NAMES = ("sql_mode", "autocommit", "time_zone", "character_set_client", "character_set_results",
         "character_set_connection", "collation_connection", "sql_safe_updates", "tx_isolation",
         "tx_read_only", "group_concat_max_len", "sql_select_limit", "foreign_key_checks",
         "insert_id", "max_join_size", "sql_big_selects", "optimizer_switch", "lc_time_names",
         "div_precision_increment", "session_track_state_change", "max_statement_time",
         "session_track_system_variables", "last_insert_id", "default_week_format",
         "completion_type", "join_cache_level", "collation_database", "wait_timeout")
SEEN = "SELECT " + ", ".join("@@" + name for name in NAMES) + ", @@timestamp < 1e9, @v, @w"

CODE = [
    "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v INT) COMMENT 'shardd: global'",
    "CREATE TABLE u (id INT)",
    "CREATE PROCEDURE one() SET SESSION group_concat_max_len = 77",
    "CREATE PROCEDURE mode() SET SESSION sql_mode = 'ANSI'",
    "CREATE PROCEDURE names() SET NAMES latin1",
    "CREATE PROCEDURE results(x TEXT) SET character_set_results = x",
    "CREATE PROCEDURE zone(z TEXT) BEGIN SELECT 1; SET time_zone = z; SELECT 2; END",
    "CREATE PROCEDURE commits(x INT) SET autocommit = x",
    "CREATE PROCEDURE many() BEGIN SET @v = 5, SESSION default_week_format = 3, "
    "  lc_time_names = 'de_DE'; SET optimizer_switch = 'mrr=on'; SET @w = 'x'; END",
    "CREATE PROCEDURE clock() SET timestamp = 5",
    "CREATE PROCEDURE noclock() SET timestamp = DEFAULT",
    "CREATE PROCEDURE numbers() BEGIN SET insert_id = 70; SET last_insert_id = 9; END",
    "CREATE PROCEDURE level() BEGIN SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; "
    "  SET SESSION TRANSACTION READ ONLY; END",
    "CREATE PROCEDURE unlevel() BEGIN SET tx_isolation = DEFAULT, tx_read_only = 0; END",
    "CREATE PROCEDURE fails() BEGIN SET time_zone = '+07:00', @v = 'failed'; SELECT * FROM no; END",
    "CREATE PROCEDURE joins(n INT) BEGIN SET max_join_size = n; SET sql_big_selects = 1; END",
    "CREATE PROCEDURE few(n INT) SET sql_select_limit = n",
    "CREATE PROCEDURE unset() BEGIN SET time_zone = DEFAULT, group_concat_max_len = DEFAULT; "
    "  SET sql_select_limit = DEFAULT, max_join_size = DEFAULT; END",
    "CREATE PROCEDURE told() SET session_track_system_variables = 'time_zone,sql_select_limit'",
    "CREATE FUNCTION f(n INT) RETURNS INT BEGIN SET time_zone = '+05:00', "
    "  group_concat_max_len = n, @v = n, foreign_key_checks = 0; RETURN n; END",
    "CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW "
    "  SET @w = NEW.v, SESSION join_cache_level = NEW.v",
    "CREATE VIEW w AS SELECT f(200) AS x",
]

STEPS = [
    "CALL one()", "CALL mode()", "CALL names()", "CALL results(NULL)", "CALL results('latin1')",
    "CALL zone('+02:00')", "SET time_zone = '+03:00'", "CALL zone('SYSTEM')", "CALL many()",
    "CALL clock()", "CALL noclock()", "SET timestamp = 7", "CALL one()", "CALL noclock()",
    "CALL numbers()", "INSERT INTO u VALUES (1)", "CALL level()", "CALL unlevel()", "CALL fails()",
    "CALL joins(1000)", "CALL unset()", "CALL few(3)", "CALL many()", "CALL few(100)",
    "CALL unset()",
    "SELECT f(100)", "SELECT f(id) FROM u", "DO f(300)", "SET @v = f(400)", "SELECT x FROM w",
    "SET time_zone = '+09:00', lc_time_names = 'fr_FR'", "SET @v = 1, @w = f(4)",
    "SET group_concat_max_len = f(500)", "INSERT INTO t (v) VALUES (1), (4)",
    "INSERT INTO t VALUES (1, 2)", "REPLACE INTO t VALUES (1, 6)", "SET NAMES utf8mb4",
    "BEGIN NOT ATOMIC SET time_zone = '+08:00'; SET @w = 3; END",
    "EXECUTE IMMEDIATE 'CALL zone(''+06:00'')'", "PREPARE s FROM 'CALL one()'", "EXECUTE s",
    "SET SESSION sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES'", "CALL mode()", "CALL one()",
    "SET sql_mode = DEFAULT", "BEGIN", "CALL zone('+01:00')", "INSERT INTO u VALUES (2)",
    "CALL many()", "ROLLBACK", "CALL commits(0)", "INSERT INTO u VALUES (3)", "CALL commits(1)",
    "CALL commits(0)", "INSERT INTO u VALUES (4)", "ROLLBACK", "SET autocommit = 1",
    "SELECT COUNT(*) FROM u", "SET STATEMENT max_statement_time = 9 FOR CALL zone('+04:00')",
    "CALL one(); CALL zone('+02:00')", "SELECT f(1) UNION ALL SELECT 3",
]


@pytest.fixture
def coded(both):
    for sql in CODE:
        both.run(sql)
    return both


def others(cluster, db):
    """Connections change hands, and whoever gets one sees nothing of what was set."""
    with cluster.connect(db=db) as a, cluster.connect(db=db) as b:
        for c in a, b:
            assert testbed.Answer(c, "SELECT @@group_concat_max_len, @v, @@default_week_format"
                                  ).rows == [(1048576, None, 0)]
        testbed.Answer(a, "SET time_zone = '-01:00', group_concat_max_len = 4")
        testbed.Answer(a, "SELECT * FROM u")


def test_what_code_sets(coded):
    connections = [server.connect(db=coded.db, client_flag=testbed.MULTI_STATEMENTS)
                   for server in (coded.cluster, coded.plain)]
    for sql in STEPS:
        coded.check(sql, *[testbed.Answer(c, sql) for c in connections])
        others(coded.cluster, coded.db)
        coded.check(f"{sql}; then {SEEN}", *[testbed.Answer(c, SEEN) for c in connections])
    for c in connections:
        c.close()


def test_what_code_sets_in_any_order(coded):
    made = random.Random(5)
    for _ in range(4):
        connections = [server.connect(db=coded.db, client_flag=testbed.MULTI_STATEMENTS)
                       for server in (coded.cluster, coded.plain)]
        done = []
        for sql in made.choices(STEPS, k=50):
            if any(word in sql for word in ("FROM u", "timestamp", "clock", "level")):
                continue
            done.append(sql)
            coded.check(str(done), *[testbed.Answer(c, sql) for c in connections])
            coded.check(str(done), *[testbed.Answer(c, SEEN) for c in connections])
        for c in connections:
            c.close()


TOLD = [
    "CALL one()", *STEPS[2:10], "CALL zone('+07:00')", "CALL commits(0)", "CALL commits(1)",
    "SELECT f(3)",
    "INSERT INTO t (v) VALUES (3)", "CALL told()", "CALL zone('+02:00')", "CALL few(9)",
    "CALL one()", "SET session_track_state_change = 1", "CALL one()", "CALL zone('+03:00')",
    "SELECT f(4)", "SELECT 1", "DO f(5)", "USE {db}",
    "CALL zone('+01:00'); CALL one(); SELECT 1",
]


def plain_ends(told):
    """An EOF packet has no room for what has changed, only a flag, which nobody can use."""
    out = []
    for one in told:
        if len(one) == 2 and isinstance(one[1], bytes) and len(one[1]) == 5:
            one = one[0], one[1][:4] + bytes([one[1][4] & ~0x40])
        out.append(one)
    return out


@pytest.mark.parametrize("more", [0, rawclient.DEPRECATE_EOF, rawclient.SESSION_TRACK,
                                  rawclient.SESSION_TRACK | rawclient.DEPRECATE_EOF])
def test_what_is_told(coded, more):
    with rawclient.RawClient(coded.plain.port) as a, rawclient.RawClient(coded.cluster.port) as b:
        for c in a, b:
            c.login(db=coded.db, more=more | rawclient.MULTI_STATEMENTS)
        for step in TOLD:
            step = step.format(db=coded.db)
            theirs, ours = (plain_ends(answers(c, step, coded.db)) for c in (a, b))
            assert ours == theirs, step
