"""Statements with statements in them, several in one packet, and values that are words."""
import pytest

import rawclient
import testbed

PACKETS = [
    "CREATE PROCEDURE p() SELECT 5; SELECT 6", "SHOW CREATE PROCEDURE p",
    "CREATE PROCEDURE p2() BEGIN SELECT 5; SELECT 6; END; SELECT 7; SELECT 8",
    "CALL p2(); SELECT 3", "CREATE FUNCTION f() RETURNS INT RETURN IF(1, 5, 6); SELECT f()",
    "DROP PROCEDURE p; CREATE PROCEDURE p() SELECT 55; CALL p()",
    "CREATE TABLE t (id INT) COMMENT 'shardd: global'; CREATE TRIGGER tr BEFORE INSERT ON t "
    "FOR EACH ROW IF NEW.id THEN SET NEW.id = 5; END IF; INSERT INTO t VALUES (1); SELECT * FROM t",
    "CREATE VIEW w AS SELECT 1 AS x; SELECT * FROM w",
    "BEGIN NOT ATOMIC SELECT 1; SELECT 2; END; SELECT 3",
    "CREATE OR REPLACE PROCEDURE p(a INT) IF a THEN SELECT 1; ELSE SELECT 2; END IF; CALL p(0)",
    "CREATE PROCEDURE q() x: LOOP SELECT 1; LEAVE x; END LOOP; CALL q()",
    "CREATE PROCEDURE r() CASE 1 WHEN 1 THEN SELECT 1; ELSE SELECT 2; END CASE; CALL r()",
    "CREATE EVENT ev ON SCHEDULE EVERY 1 YEAR DO BEGIN SELECT 1; END; SELECT 4",
    "CREATE PROCEDURE s() REPEAT SELECT 1; UNTIL 1 END REPEAT; CALL s()",
    "CREATE PROCEDURE s3() FOR i IN 1..2 DO SELECT i; END FOR; CALL s3()",
    "CREATE PROCEDURE s4() BEGIN DECLARE i INT DEFAULT CASE WHEN 1 THEN 2 END; DECLARE EXIT "
    "HANDLER FOR NOT FOUND BEGIN END; IF i THEN BEGIN SELECT 1; END; END IF; END; CALL s4()",
    "CREATE PROCEDURE bad() BEGIN SELEC 5; END; SELECT 6", "CREATE PROCEDURE bad() BEGIN SELECT 1;",
]


def results(connection, packet):
    out = []
    with connection.cursor() as cursor:
        try:
            cursor.execute(packet)
            out.append((cursor.fetchall(), cursor.rowcount))
            while cursor.nextset():
                out.append((cursor.fetchall(), cursor.rowcount))
        except Exception as e:  # its text tells where the statement ends
            out.append(e.args[0])
    return out


def test_several_in_one_packet(both):
    pair = [server.connect(db=both.db, client_flag=testbed.MULTI_STATEMENTS)
            for server in (both.cluster, both.plain)]
    for packet in PACKETS:
        ours, theirs = (results(c, packet) for c in pair)
        assert ours == theirs, packet
    for c in pair:
        c.close()
    for packet in PACKETS:  # to who may not send several they are one, which does not read
        assert results(both.connections[0], packet) == results(both.connections[1], packet), packet


HIDDEN = [
    "BEGIN NOT ATOMIC EXECUTE IMMEDIATE 'DELETE FROM t'; END",
    "BEGIN NOT ATOMIC SET @s = CONCAT('INSERT INTO ', 't VALUES (2, 13)'); PREPARE x FROM @s; "
    "EXECUTE x; END",
    "IF 1 THEN EXECUTE IMMEDIATE 'DELETE FROM t'; END IF",
    "BEGIN NOT ATOMIC CALL p(); END", "CALL p()",
]


@pytest.mark.parametrize("sql", HIDDEN)
def test_a_text_that_is_made_in_a_block(both, sql):
    """It could write rows to the wrong shard."""
    both.run("CREATE PROCEDURE p() EXECUTE IMMEDIATE 'DELETE FROM t'")
    both.run("CREATE TABLE t (id INT PRIMARY KEY, v INT)")
    both.run("INSERT INTO t VALUES (1, 1), (2, 2), (3, 3), (4, 4)")
    with both.cluster.connect(db=both.db) as c:
        assert testbed.Answer(c, sql).error[0] == 1235
        assert len(testbed.Answer(c, "SELECT * FROM t").rows) == 4


WORDS = [
    "PREPARE s FROM 'INSERT INTO t VALUES (?, ?, ?)'", "EXECUTE s USING 1, DEFAULT, 3",
    "EXECUTE s USING 2, IGNORE, 3", "EXECUTE s USING 3, DEFAULT, DEFAULT",
    "EXECUTE s USING DEFAULT, 1, 2", "EXECUTE s USING IGNORE, 1, 2", "SELECT * FROM t ORDER BY id",
    "PREPARE u FROM 'UPDATE t SET v = ?, w = ? WHERE id = ?'", "EXECUTE u USING IGNORE, 50, 1",
    "EXECUTE u USING DEFAULT, IGNORE, 2", "EXECUTE u USING 9, 9, DEFAULT",
    "EXECUTE u USING 9, 9, IGNORE", "EXECUTE u USING IGNORE, IGNORE, 3",
    "SELECT * FROM t ORDER BY id", "PREPARE h FROM 'INSERT INTO g VALUES (?, ?, ?)'",
    "EXECUTE h USING 1, DEFAULT, 3", "EXECUTE h USING 2, IGNORE, 3",
    "EXECUTE h USING 2, IGNORE, IGNORE", "EXECUTE h USING 2, 1, DEFAULT", "SELECT * FROM g",
    "PREPARE x FROM 'SELECT ?'", "EXECUTE x USING DEFAULT", "EXECUTE x USING IGNORE",
    "EXECUTE IMMEDIATE 'INSERT INTO t VALUES (?, ?, ?)' USING 9, DEFAULT, 5",
    "EXECUTE IMMEDIATE DEFAULT", "EXECUTE IMMEDIATE IGNORE", "PREPARE z FROM DEFAULT",
    "EXECUTE IMMEDIATE 'INSERT INTO t (id, v) VALUES (?, ?) ON DUPLICATE KEY UPDATE v = ?' "
    "USING 9, DEFAULT, IGNORE", "SELECT * FROM t ORDER BY id",
    "EXECUTE IMMEDIATE 'UPDATE g SET v = ? WHERE id = 1' USING DEFAULT", "SELECT * FROM g",
]


def test_values_that_are_words(both):
    both.run("CREATE TABLE t (id INT PRIMARY KEY, v INT DEFAULT 7, w INT)")
    both.run("CREATE TABLE g (id INT, v INT DEFAULT 7, w INT NOT NULL)")
    for sql in WORDS:
        ours, theirs = both.answers(sql)
        assert (ours.error and ours.error[0]) == (theirs.error and theirs.error[0]), sql
        assert (ours.rows, ours.affected) == (theirs.rows, theirs.affected), sql


def test_a_packet_that_ends_in_a_program(both):
    """Byte by byte: what follows hears of results to come, and nothing behind them."""
    seen = []
    for server in both.cluster, both.plain:
        with rawclient.RawClient(server.port) as c:
            c.login(db=both.db, more=rawclient.MULTI_STATEMENTS)
            c.command(rawclient.QUERY, b"SELECT 1; CREATE PROCEDURE p() BEGIN SELECT 2; END;")
            seen.append([c.result()[1], c.read()])
    assert seen[0] == seen[1]


PARTS = [
    ";", "", " ", ";SELECT 1", "SELECT 1;", "SELECT 1;;", "SELECT 1; ; ", "SELECT 1;;SELECT 2",
    "SELECT 1;\n;\nSELECT 2", "SELECT 1; /* x */; SELECT 2", "SELECT 1; /* x */", "/* x */",
    "SELECT 1; -- x\n", "/* x */; SELECT 1", "; /* x */", "SELECT 1;;\n/* y */", "SELECT 1; ;-- x",
    "SELECT 1; # x", "SELECT 1; /*! */", "SELECT 1; /*!50000 SELECT 2 */", "SELECT 1; /* x */;",
]


@pytest.mark.parametrize("several", [rawclient.MULTI_STATEMENTS, 0])
def test_parts_that_are_empty(both, several):
    """Byte by byte; an error's text tells where, or that the connection takes one alone."""
    seen = []
    for server in both.cluster, both.plain:
        with rawclient.RawClient(server.port) as c:
            c.login(db=both.db, more=several)
            answers = []
            for packet in PARTS:
                c.command(rawclient.QUERY, packet.encode())
                try:
                    answers.append((packet, *c.result()))
                    while c.last[-4 if c.last[:1] == b"\0" else 3] & 8:
                        answers.append((packet, *c.result()))
                except rawclient.ServerError as e:
                    answers.append((packet, e.code, several and e.text))
                if several:
                    answers.append(c.query("SHOW WARNINGS")[1])
            seen.append(answers)
    for ours, theirs in zip(*seen):
        assert ours == theirs


CHARSETS = [
    "CHARACTER SET latin1 CHARACTER SET latin1", "CHARACTER SET latin1 CHARSET utf8mb4",
    "COLLATE latin1_bin CHARACTER SET latin1", "COLLATE latin1_bin COLLATE utf8mb4_bin",
    "COLLATE latin1_bin CHARACTER SET latin1 COLLATE latin1_bin", "CHARACTER SET nosuch",
    "CHARACTER SET utf8 DEFAULT CHARACTER SET utf8mb3", "COLLATE latin1_bin CHARACTER SET utf8mb4",
    "CHARACTER SET utf8mb4 COLLATE latin1_bin", "CHARACTER SET LATIN1 CHARSET 'latin1'",
    "CHARACTER SET = DEFAULT", "COLLATE = DEFAULT", "CHARACTER SET DEFAULT COLLATE latin1_bin",
    "/*!40100 DEFAULT CHARACTER SET latin1 COLLATE latin1_german1_ci */", "CHARACTER SET binary",
    "CHARACTER SET /*!40100 latin1 */ /* two */ COLLATE latin1_bin", "COLLATE nosuch", "",
]


def test_databases_with_character_sets(both):
    """Two that are said are a server's to judge."""
    name = both.db + "_cs"
    for words in CHARSETS:
        for sql in (f"CREATE DATABASE {name} {words}", f"SHOW CREATE DATABASE {name}",
                    f"CREATE DATABASE IF NOT EXISTS {name}", f"ALTER DATABASE {name} {words}",
                    f"SHOW CREATE DATABASE {name}", f"DROP DATABASE {name}"):
            if words or not sql.startswith("ALTER"):
                both.compare(sql)


RENAMES = [
    "RENAME TABLE a TO e, c TO a", "RENAME TABLE a TO z, z TO y",
    "RENAME TABLE y TO a, nosuch TO y",
    "RENAME TABLE y TO y", "RENAME TABLE y TO x, b TO y, x TO w", "RENAME TABLE d TO a, a TO c",
    "RENAME TABLE w TO v, v TO w, w TO d2", "RENAME TABLE e TO d, c TO b",
]


@pytest.mark.parametrize("kind", ["", "COMMENT 'shardd: global'", "COMMENT 'shardd: reference'"])
def test_names_that_are_used_again(both, kind):
    """As tools do that change a table by a copy: RENAME TABLE t TO old, new TO t."""
    for n, name in enumerate("abcd"):
        both.run(f"CREATE TABLE {name} (id INT PRIMARY KEY, v INT) {kind}")
        both.run(f"INSERT INTO {name} VALUES ({n}, {n}), ({n + 10}, {n})")
    for sql in RENAMES:
        both.compare(sql)
        for name in [row[0] for row in both.compare("SHOW TABLES").rows]:
            both.compare(f"SELECT * FROM {name} ORDER BY id")
            both.run(f"INSERT INTO {name} SELECT MAX(id) + 1, 5 FROM {name}")
    ours, _ = both.answers("RENAME TABLE b TO tmp, d TO b, tmp TO d")
    assert ours.error[0] == 1235 and "only exchanges names" in ours.error[1]
