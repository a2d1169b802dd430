"""Where statements go: seen in the general logs of the shards."""
import contextlib

import pytest

import rawclient
import testbed


@contextlib.contextmanager
def watching(cluster):
    """seen(marker): on how many shards, and in how many statements in all, `marker` occurs."""
    shards = cluster.shard_list()
    for shard in shards:
        cluster.on_shard(shard, "SET GLOBAL log_output = 'TABLE'")
        cluster.on_shard(shard, "SET GLOBAL general_log = 1")

    def seen(marker):
        counts = [cluster.on_shard(
            s, "SELECT COUNT(*) FROM mysql.general_log WHERE command_type IN ('Query', 'Execute')"
               f" AND argument LIKE '%{marker}%' AND argument NOT LIKE '%general_log%'")[0][0]
            for s in shards]
        return sum(1 for c in counts if c), sum(counts)

    try:
        yield seen
    finally:
        for shard in shards:
            cluster.on_shard(shard, "SET GLOBAL general_log = 0")
            cluster.on_shard(shard, "TRUNCATE mysql.general_log")


@pytest.fixture
def filled(checked, db):
    """Tables u (by number), v (by text), both co-located with 1,000 rows; g global; r
    reference."""
    with checked.connect(db=db) as c, c.cursor() as cursor:
        cursor.execute("CREATE TABLE u (id BIGINT PRIMARY KEY, name VARCHAR(40), n INT)")
        cursor.execute("CREATE TABLE o (u_id BIGINT, line INT, what VARCHAR(20),"
                       " PRIMARY KEY (u_id, line))")
        cursor.execute("CREATE TABLE v (k VARCHAR(40) PRIMARY KEY, n INT)")
        cursor.execute("CREATE TABLE g (id INT, n INT) COMMENT 'shardd: global'")
        cursor.execute("CREATE TABLE r (id INT PRIMARY KEY, name VARCHAR(20))"
                       " COMMENT 'shardd: reference'")
        cursor.execute("INSERT INTO u VALUES " + ",".join(
            f"({i}, 'name {i}', {i % 10})" for i in range(1000)))
        cursor.execute("INSERT INTO o VALUES " + ",".join(
            f"({i}, {j}, 'what {j}')" for i in range(200) for j in range(3)))
        cursor.execute("INSERT INTO v VALUES " + ",".join(
            f"('key {i}', {i})" for i in range(1000)))
        cursor.execute("INSERT INTO g VALUES (1, 10), (2, 20), (2, 30)")
        cursor.execute("INSERT INTO r VALUES (1, 'one'), (2, 'two')")
    return db


def test_rows_lie_spread(checked, filled):
    for table in "u", "v":
        spread = checked.spread(table, filled)
        assert sum(spread) == 1000
        assert all(400 < n < 600 for n in spread), spread
    assert [n for n in checked.spread("g", filled) if n] == [3]
    assert checked.spread("r", filled) == [2] * checked.shards


ONE_SHARD = [
    ("equal", "SELECT name FROM u WHERE id = 77771", []),
    ("equal, turned", "SELECT name FROM u WHERE 77772 = id", []),
    ("and", "SELECT name FROM u WHERE n > 1 AND id = 77773 AND name <> 'x'", []),
    ("in of one", "SELECT name FROM u WHERE id IN (77774)", []),
    ("alias", "SELECT x.name FROM u AS x WHERE x.id = 77775", []),
    ("row", "SELECT name FROM u WHERE (id, n) = (77776, 3)", []),
    ("or of the same", "SELECT name FROM u WHERE id = 77777 OR (id = 77777 AND n = 1)", []),
    ("join on the key", "SELECT * FROM u JOIN o ON o.u_id = u.id WHERE u.id = 77778", []),
    ("key of the other", "SELECT * FROM u, o WHERE o.u_id = u.id AND o.u_id = 77779", []),
    ("left join", "SELECT * FROM u LEFT JOIN o ON o.u_id = u.id WHERE u.id = 77780", []),
    ("with reference", "SELECT * FROM u JOIN r ON r.id = u.n WHERE u.id = 77781", []),
    ("text key", "SELECT n FROM v WHERE k = 'key 77782'", []),
    ("text key folded", "SELECT n FROM v WHERE k = 'KEY 77783'", []),
    ("aggregate", "SELECT COUNT(*), MAX(n) FROM u WHERE id = 77784 GROUP BY n", []),
    ("update", "UPDATE u SET n = n + 1 WHERE id = 77785", []),
    ("delete", "DELETE FROM u WHERE id = 77786", []),
    ("insert", "INSERT INTO u VALUES (77787, 'x', 1)", []),
    ("replace", "REPLACE INTO u VALUES (77788, 'x', 1)", []),
    ("upsert", "INSERT INTO u VALUES (77789, 'x', 1) ON DUPLICATE KEY UPDATE n = n + 1", []),
    ("for update", "SELECT n FROM u WHERE id = 77790 FOR UPDATE", []),
    ("global", "SELECT SUM(n) FROM g WHERE n <> 77791", []),
    ("global with odd grammar", "SELECT n, SUM(n) OVER (ORDER BY id) FROM g WHERE n <> 77792", []),
    ("reference", "SELECT name FROM r WHERE id <> 77793", []),
    ("unsigned text number", "SELECT name FROM u WHERE id = '77794'", []),
    ("comment", "SELECT /* a comment */ name FROM u WHERE id = /*!77795 */ 77795", []),
    ("in subquery on the key", "SELECT * FROM o WHERE u_id = 77796 AND line IN (1, 2)", []),
]


@pytest.mark.parametrize("name,sql,args", ONE_SHARD, ids=[r[0] for r in ONE_SHARD])
def test_one_shard(checked, filled, name, sql, args):
    marker = "777" + sql.split("777")[1][:2]
    with watching(checked) as seen:
        checked.sql(sql, args or None, db=filled)
        assert seen(marker)[0] == 1


ALL_SHARDS = [
    ("no key", "SELECT COUNT(*) FROM u WHERE n <> 88801"),
    ("range", "SELECT COUNT(*) FROM u WHERE id < 88802"),
    ("or", "SELECT COUNT(*) FROM u WHERE id = 5 OR n = 88803"),
    ("coarser type", "SELECT COUNT(*) FROM v WHERE k = 88804"),
    ("pattern", "SELECT COUNT(*) FROM v WHERE k LIKE 'x88805%'"),
    ("function", "SELECT COUNT(*) FROM u WHERE id + 0 = 88806"),
    ("not equal", "SELECT COUNT(*) FROM u WHERE id <> 88807"),
    ("update", "UPDATE u SET n = 0 WHERE n = 88808"),
    ("delete", "DELETE FROM u WHERE n = 88809"),
]


@pytest.mark.parametrize("name,sql", ALL_SHARDS, ids=[r[0] for r in ALL_SHARDS])
def test_all_shards(checked, filled, name, sql):
    marker = "888" + sql.split("888")[1][:2]
    with watching(checked) as seen:
        checked.sql(sql, db=filled)
        assert seen(marker)[0] == checked.shards


def test_a_point_select_is_one_statement(checked, filled):
    """However often it is repeated, and prepared: nothing else runs on the way."""
    with watching(checked) as seen:
        with checked.connect(db=filled) as c, c.cursor() as cursor:
            for i in range(50):
                cursor.execute(f"SELECT name FROM u WHERE id = {i} AND n <> 99901")
        assert seen("99901")[1] == 50


def test_keys_of_one_shard_stay_there(checked, filled):
    """IN lists, and inserts of many rows: split by owner, each row once."""
    with checked.connect(db=filled) as c, c.cursor() as cursor:
        ids = list(range(3, 900, 17))
        cursor.execute(f"SELECT id FROM u WHERE id IN ({','.join(map(str, ids))}) ORDER BY id")
        assert [r[0] for r in cursor.fetchall()] == ids
        assert cursor.execute("INSERT INTO u (id, n) VALUES " + ",".join(
            f"({i}, 1)" for i in range(5000, 5100))) == 100
        assert cursor.execute("UPDATE u SET n = 2 WHERE id BETWEEN 5000 AND 5099") == 100
        assert cursor.execute("DELETE FROM u WHERE id IN (5000, 5001, 5002, 5003)") == 4
        cursor.execute("SELECT COUNT(*) FROM u WHERE id >= 5000")
        assert cursor.fetchone() == (96,)
    assert sum(checked.spread("u", filled)) == 1096


def test_explain_tells_the_same(checked, filled):
    one = checked.ctl("explain", f"SELECT * FROM {filled}.u WHERE id = 5")
    every = checked.ctl("explain", f"SELECT * FROM {filled}.u")
    assert one != every
    text = checked.ctl_raw("explain", f"SELECT * FROM {filled}.u WHERE id = 5")
    assert text.returncode == 0 and len(text.stdout) > 20


def test_what_is_refused_says_why(checked, filled):
    """A clear error, never a wrong answer, and the connection lives."""
    import pymysql
    with checked.connect(db=filled) as c, c.cursor() as cursor:
        for sql in ("SELECT a.id FROM u a JOIN u b ON a.n = b.n LIMIT 5",
                    "SELECT n, COUNT(*) FROM u GROUP BY n WITH ROLLUP",
                    "SELECT id, ROW_NUMBER() OVER (ORDER BY n) FROM u"):
            try:
                cursor.execute(sql)
            except pymysql.err.MySQLError as error:
                assert error.args[0] == 1235 and error.args[1].startswith("shardd: ")
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)


def test_equal_texts_are_one_distinct_value(both):
    """'a' and 'a ' are equal and have unlike weights."""
    both.run("CREATE TABLE pad (k VARCHAR(10), n INT, PRIMARY KEY (k, n))"
             " COMMENT 'shardd: key(k)'")
    both.run("INSERT INTO pad VALUES ('a', 1), ('a ', 2), ('b', 1), ('b  ', 2), ('c', 1)")
    for sql in ("SELECT COUNT(*) FROM (SELECT DISTINCT k FROM pad) x",
                "SELECT DISTINCT n FROM pad ORDER BY n"):
        both.compare(sql)
    for sql in ("SELECT DISTINCT k FROM pad ORDER BY k", "SELECT DISTINCT k FROM pad",
                "SELECT DISTINCT k FROM pad ORDER BY k LIMIT 2"):
        ours, theirs = ([r[0].rstrip() for r in testbed.Answer(c, sql).rows]
                        for c in both.connections)
        assert sorted(ours) == sorted(theirs), sql


def test_prepared_statement_of_a_global_table_and_a_key(both):
    both.run("CREATE TABLE t (k INT PRIMARY KEY, n INT) COMMENT 'shardd: key(k)'")
    both.run("CREATE TABLE g (k INT PRIMARY KEY, n INT) COMMENT 'shardd: global'")
    for _ in range(3):  # whichever shard is asked first
        with rawclient.RawClient(both.cluster.port).login(db=both.db) as raw:
            raw.prepare("SELECT n FROM g WHERE k = (SELECT MAX(k) FROM t WHERE k = 5)")


def test_own_servers_are_reached_by_their_sockets(cluster):
    shards = {s["name"]: s["socket"] for s in cluster.shard_list()}
    with cluster.connect() as c, c.cursor() as cursor:
        cursor.execute("SHOW SHARDD SHARDS")
        assert {row[0]: row[1:3] for row in cursor.fetchall()} == \
            {name: (socket, 0) for name, socket in shards.items()}
        cursor.execute("SELECT 1")
    for shard in cluster.shard_list():
        for host, in cluster.on_shard(shard, "SELECT host FROM information_schema.processlist"
                                             " WHERE user = 'app'"):
            assert host == "localhost"


def test_one_shard_has_all_rows(new_cluster, plain):
    """What has to be gathered from several shards is one server's own work on one."""
    cluster = new_cluster(shards=1, workers=1)
    for server in cluster, plain:
        server.sql("CREATE DATABASE alone", db=None)
    both = testbed.Both(cluster, plain, "alone")
    both.run("CREATE TABLE t (id INT PRIMARY KEY, v INT, w VARCHAR(9))")
    both.run("CREATE TABLE u (id INT PRIMARY KEY, v INT) COMMENT 'shardd: global'")
    both.run("INSERT INTO t VALUES " + ", ".join(f"({i}, {i % 7}, 'w{i % 3}')" for i in range(40)))
    both.run("INSERT INTO u VALUES " + ", ".join(f"({i}, {i % 5})" for i in range(20)))
    for sql in ("SELECT a.id, b.id FROM t a JOIN t b ON a.v = b.id ORDER BY 1, 2",
                "SELECT v, RANK() OVER (ORDER BY v, id) FROM t ORDER BY id",
                "SELECT id FROM t UNION SELECT v FROM u ORDER BY 1",
                "SELECT w, GROUP_CONCAT(id ORDER BY id) FROM t GROUP BY w WITH ROLLUP",
                "SELECT u.v, t.w FROM u LEFT JOIN t ON t.v = u.id ORDER BY 1, 2",
                "SELECT (SELECT MAX(v) FROM u) + id FROM t WHERE v IN (SELECT v FROM u) ORDER BY 1",
                "SELECT STDDEV(v) FROM t", "SELECT nothing FROM t"):
        both.compare(sql)
    both.close()
    plain.sql("DROP DATABASE alone", db=None)
