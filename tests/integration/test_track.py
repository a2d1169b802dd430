"""What answers tell of the session (CLIENT_SESSION_TRACK), byte by byte as from a plain server."""
import struct

import rawclient

RESET_CONNECTION, CHANGE_USER = 31, 17

# Every SET twice: asked of a server, then known. An entry of several words is a chain.
STEPS = [
    *["SET autocommit = 0", "SET autocommit = 1"] * 2, "SET autocommit = 1", "SET NAMES latin1",
    "SET NAMES utf8mb4", "SET NAMES latin1", "SET character_set_results = NULL",
    "SET NAMES utf8mb4", "SET time_zone = '+03:00'", "SET time_zone = @@time_zone", "SET @a = 1",
    "SET sql_mode = 'ANSI'", "SET sql_mode = ''",
    "SET autocommit = 0, time_zone = '+01:00', @x = 1",
    "SET autocommit = 1", "SET nonsense = 1", "SET sql_mode = 'nonsense'",
    "USE {db}", "USE information_schema", "USE {db}", "INIT_DB", "USE nowhere",
    "SET session_track_state_change = 1", "SET @a = 2", "SET sql_mode = 'ANSI'",
    "SET sql_mode = ''", "SET autocommit = 1", "SET NAMES latin1", "USE {db}", "INIT_DB",
    "PREPARE s FROM 'SELECT 1'", "EXECUTE s", "DEALLOCATE PREPARE s", "DEALLOCATE PREPARE s",
    "PREPARE s FROM 'SET @a = 1'", "EXECUTE s", "EXECUTE s", "SELECT @b := 3", "DO 1",
    "SET TRANSACTION READ ONLY", "BEGIN", "COMMIT", "RESET_CONNECTION", "USE {db}",
    "SET session_track_state_change = 1, session_track_schema = 0", "USE {db}", "INIT_DB",
    "CHANGE_USER", "CHANGE_USER {db}", "USE {db}",
    "SET session_track_schema = 0", "USE {db}", "SET session_track_schema = 1", "USE {db}",
    "SET session_track_system_variables = '*'", "SET sql_mode = 'ANSI'", "SET sql_mode = ''",
    "SET sql_mode = CONCAT(@@sql_mode, 'ANSI')", "SET last_insert_id = 3", "SET NAMES utf8",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET TRANSACTION ISOLATION LEVEL READ COMMITTED", "SET SESSION TRANSACTION READ ONLY",
    "SET SESSION TRANSACTION READ WRITE", "SET sql_mode = DEFAULT, time_zone = '+02:00', @x = 1",
    "SET optimizer_switch = DEFAULT", "SET optimizer_switch = 'mrr=on'",
    "SET session_track_system_variables = 'sql_mode,time_zone'", "SET sql_mode = ''",
    "SET NAMES utf8mb4", "SET time_zone = '+00:00', NAMES latin1",
    "SET session_track_transaction_info = 'OFF'", "SET session_track_transaction_info = DEFAULT",
    "SET sql_mode = 'ANSI'; SET time_zone = 'SYSTEM'; SELECT 1; USE {db}; SET sql_mode = ''",
    "SET session_track_system_variables = ''", "SET time_zone = '+00:00'",
    "CREATE DATABASE {db}_b", "USE {db}_b", "DROP DATABASE {db}_b", "SELECT DATABASE()",
    "CREATE TABLE t (id INT)", "USE {db}", "CREATE DATABASE {db}_b", "DROP DATABASE {db}_b",
    "DROP DATABASE IF EXISTS {db}_b", "DROP SCHEMA {db}_b", "SELECT DATABASE()",
]


def entries(ok):
    """(affected, id, status, warnings, info, [entry]) of an OK packet: variables come in the order
    of the server's hash, which differs from server to server."""
    affected, at = rawclient.read_lenenc(ok, 1)
    number, at = rawclient.read_lenenc(ok, at)
    status, warnings = struct.unpack_from("<HH", ok, at)
    rest, parts = ok[at + 4:], []
    while rest:
        n, at = rawclient.read_lenenc(rest, 0)
        parts.append(rest[at:at + n])
        rest = rest[at + n:]
    assert len(parts) <= 2
    told, track = [], parts[1] if len(parts) == 2 else b""
    while track:
        n, at = rawclient.read_lenenc(track, 1)
        told.append(track[:at + n])
        track = track[at + n:]
    return affected, number, status, warnings, parts[:1], sorted(told)


def change_user(c, db):
    c.command(CHANGE_USER, b"app\0\x14" + rawclient.native_password("app", c.scramble)
              + db.encode() + b"\0" + struct.pack("<H", 45) + b"mysql_native_password\0")
    answer = c.read()
    if answer[:1] == b"\xfe":
        c.send(rawclient.native_password("app", answer[1:].partition(b"\0")[2][:20]))
        answer = c.read()
    return answer


def status_of(ok):
    return entries(ok)[2] if ok[:1] == b"\0" else struct.unpack_from("<H", ok, 3)[0]


def answers(c, step, db):
    """Every OK and EOF of it, or the error."""
    word, _, rest = step.partition(" ")
    if word == "CHANGE_USER":
        return [entries(change_user(c, rest))]
    if word in ("RESET_CONNECTION", "INIT_DB"):
        c.command(RESET_CONNECTION if word == "RESET_CONNECTION" else rawclient.INIT_DB,
                  b"" if word == "RESET_CONNECTION" else db.encode())
        return [entries(c.read())]
    c.command(rawclient.QUERY, step.encode())
    seen = []
    try:
        while not seen or status_of(c.last) & 8:
            rows = c.result()[1]
            seen.append(entries(c.last) if c.last[:1] == b"\0" else (rows, c.last))
    except rawclient.ServerError as e:
        seen.append((e.code, e.state))
    return seen


def test_what_is_told(both):
    with rawclient.RawClient(both.plain.port) as a, rawclient.RawClient(both.cluster.port) as b:
        for c in a, b:
            c.login(db=both.db, more=rawclient.SESSION_TRACK | rawclient.MULTI_STATEMENTS)
        assert entries(a.welcome) == entries(b.welcome) and len(entries(a.welcome)[5]) == 1
        for step in STEPS:
            step = step.format(db=both.db)
            theirs, ours = answers(a, step, both.db), answers(b, step, both.db)
            assert ours == theirs, step


def test_a_transaction_is_not_told(checked, db):
    with rawclient.RawClient(checked.port) as c:
        c.login(db=db, more=rawclient.SESSION_TRACK)
        for value in "'STATE'", "CHARACTERISTICS", "1", "CONCAT('STA', 'TE')":
            assert answers(c, f"SET session_track_transaction_info = {value}", db) == \
                [(1235, "42000")]
        assert answers(c, "SET sql_mode = 'ANSI'", db)[0][5] == []


def test_whether_an_index_was_used(both):
    """As mysqli's report of statements without one has it; of several shards' answers too."""
    both.run("CREATE TABLE t (id INT PRIMARY KEY, v INT)")
    both.run("INSERT INTO t VALUES " + ",".join(f"({i}, 1)" for i in range(40)))

    def seen(port, sql):
        with rawclient.RawClient(port) as c:
            c.login(db=both.db)
            c.command(rawclient.QUERY, sql.encode())
            c.result()
            return status_of(c.last)

    for sql in ("SELECT id FROM t WHERE id > 3", "SELECT * FROM t", "SELECT SUM(v) FROM t",
                "SELECT * FROM t WHERE v = 1 ORDER BY id LIMIT 3", "UPDATE t SET v = v + 1",
                "UPDATE t SET v = v + 1 WHERE id IN (1, 2, 3)", "DELETE FROM t WHERE v = 7",
                "SELECT * FROM t WHERE id = 4"):
        ours, theirs = seen(both.cluster.port, sql), seen(both.plain.port, sql)
        assert ours == theirs, sql
