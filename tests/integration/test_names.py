"""Names beyond ASCII: their letters' case does not count in columns, as on a server; and where a
client says them in another character set than UTF-8 nothing is answered that is not so."""
import pymysql
import pytest

import testbed

ROWS = 40
REFUSED = 1235


@pytest.fixture(scope="module")
def names(gathering, plain):
    for server in gathering, plain:
        server.sql("CREATE DATABASE names CHARACTER SET utf8mb4", db=None)
    both = testbed.Both(gathering, plain, "names")
    rows = ",".join(f"({i},{i})" for i in range(1, ROWS + 1))
    for table, key in ("ascii", "id"), ("größe", "id"), ("keyed", "ключ"):
        both.run(f"CREATE TABLE `{table}` (`{key}` INT PRIMARY KEY, n INT)")
        both.run(f"INSERT INTO `{table}` VALUES {rows}")
    yield both
    both.close()
    plain.sql("DROP DATABASE names", db=None)
    gathering.fsck()
    gathering.sql("DROP DATABASE names", db=None)


STATEMENTS = [
    "UPDATE keyed SET `КЛЮЧ` = Ключ + 1000 WHERE n < 5",
    "INSERT INTO keyed (Ключ, N) VALUES (77, 1), (78, 2), (79, 3)",
    "SELECT * FROM keyed WHERE КЛЮЧ IN (77, 78, 1001)",
    "SELECT COUNT(*), SUM(КлюЧ) FROM keyed",
    "SELECT a.Ключ, b.n FROM keyed a JOIN keyed b ON a.КЛЮЧ = b.ключ WHERE a.n < 8",
    "SELECT n AS Ключ FROM keyed WHERE ключ = 9",
    "REPLACE INTO keyed SET Ключ = 9, n = 900",
    "UPDATE keyed JOIN (SELECT 9 AS x) q ON q.x = keyed.Ключ SET keyed.n = 901",
    "DELETE FROM keyed WHERE КЛЮЧ = 79",
    "SELECT Ключ, RANK() OVER (ORDER BY Ключ) FROM keyed",
    "SELECT * FROM keyed",
]


def test_case_does_not_count(names):
    for sql in STATEMENTS:
        names.compare(sql, ordered=False)


def run(connection, sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


UNCLEAR = [
    ("latin1", "SELECT COUNT(*) FROM `größe`"),
    ("latin1", "SELECT COUNT(*) FROM größe"),
    ("latin2", "SELECT COUNT(*) FROM `größe`"),
    ("latin1", "INSERT INTO `größe` VALUES (1000, 1), (1001, 1), (1002, 1), (1003, 1)"),
    ("latin1", "UPDATE `größe` SET n = 0"),
    ("latin1", "ALTER TABLE `größe` ADD x INT"),
    ("latin1", "DROP TABLE `größe`"),
    ("latin1", "CREATE TABLE `weiß` (id INT PRIMARY KEY)"),
    ("latin1", "CREATE DATABASE `weiß`"),
    ("cp1251", "UPDATE keyed SET `ключ` = `ключ` + 5000"),
    ("cp1251", "SELECT COUNT(*) AS имя FROM ascii"),
    ("euckr", "SELECT COUNT(*) AS 이름 FROM ascii"),
    ("gbk", "SELECT COUNT(*) AS '名' FROM ascii"),
]


@pytest.mark.parametrize("charset, sql", UNCLEAR)
def test_another_character_set(gathering, names, charset, sql):
    """Half of the rows were told, and rows went to a shard that was not theirs."""
    before = sorted(gathering.sql("SHOW TABLES", db="names"))
    with gathering.connect(db="names", charset=charset) as c:
        with pytest.raises(pymysql.err.MySQLError) as told:
            run(c, sql)
        assert told.value.args[0] == REFUSED and "utf8mb4" in told.value.args[1]
    assert sorted(gathering.sql("SHOW TABLES", db="names")) == before
    gathering.fsck()


def test_letters_that_are_no_names(gathering, names):
    for charset, word in ("latin1", "größe"), ("cp1251", "ключ"), ("euckr", "이름"):
        with gathering.connect(db="names", charset=charset) as c:
            assert run(c, f"SELECT '{word}', COUNT(*) FROM ascii") == ((word, ROWS),)
            assert run(c, f"SELECT COUNT(*) /* {word} */ FROM ascii") == ((ROWS,),)


def test_a_definition_in_another_character_set(cluster, db):
    """Where all names are in ASCII so far."""
    with cluster.connect(db=db, charset="latin1") as c:
        run(c, "CREATE TABLE plain (id INT PRIMARY KEY, n INT)")
        run(c, "INSERT INTO plain VALUES (1, 2), (2, 3), (3, 4), (4, 5)")
        assert run(c, "SELECT SUM(n) AS größe FROM plain") == ((14,),)
        for sql in ("CREATE TABLE `weiß` (id INT PRIMARY KEY)", "CREATE DATABASE `weiß`",
                    "RENAME TABLE plain TO `weiß`", "CREATE VIEW `weiß` AS SELECT 1"):
            with pytest.raises(pymysql.err.MySQLError) as told:
                run(c, sql)
            assert told.value.args[0] == REFUSED, sql
        assert run(c, "SHOW TABLES") == (("plain",),)
