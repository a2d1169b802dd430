"""test_create_select.py - CREATE TABLE ... SELECT from and into every kind of table: what the
table looks like and holds is one server's; a statement that fails, or is cut off, leaves none."""
import os
import re
import signal
import threading

import pymysql
import pytest

import rawclient
import testbed

SETUP = [
    "CREATE TABLE a (id INT PRIMARY KEY, k INT, v INT NOT NULL DEFAULT 7, s VARCHAR(40), "
    "d DECIMAL(10,3), t TIMESTAMP NULL, e ENUM('x','y') NOT NULL DEFAULT 'y', KEY (k))",
    "CREATE TABLE b (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, k INT, s TEXT)",
    "CREATE TABLE r (id INT PRIMARY KEY, v INT) COMMENT 'shardd: reference'",
    "CREATE TABLE h (id INT PRIMARY KEY, v INT, UNIQUE KEY (v)) COMMENT 'shardd: global'",
    "INSERT INTO a (id, k, v, s, d, t) VALUES " + ",".join(
        f"({i}, {i % 7}, {i * 3 % 11}, 's{i % 5}', {i}.125, '2020-01-{i % 28 + 1:02}')"
        for i in range(60)),
    "INSERT INTO b (k, s) VALUES " + ",".join(f"({i % 9}, 'ü{i}')" for i in range(40)),
    "INSERT INTO r VALUES " + ",".join(f"({i}, {i})" for i in range(20)),
    "INSERT INTO h VALUES " + ",".join(f"({i}, {i * 2})" for i in range(20)),
]


@pytest.fixture(scope="module")
def pair(gathering, plain):
    with testbed.both(gathering, plain, "mk", SETUP, "CHARACTER SET utf8mb4") as both:
        yield both


def info(answer):
    return answer.info[answer.info.find(b"R"):] if answer.info else b""


def names(connection):
    with connection.cursor() as c:
        c.execute("SHOW TABLES")
        return {r[0] for r in c.fetchall()}


def definition(connection, table):
    with connection.cursor() as c:
        c.execute(f"SHOW CREATE TABLE {table}")
        return re.sub(r" AUTO_INCREMENT=\d+", "", c.fetchall()[0][1])


def create(both, sql, messages=True):
    """The statement, what it answers and warns of, and the table `n` that it makes, if it does."""
    try:
        return compare(both, sql, messages)
    finally:
        both.answers("DROP TABLE IF EXISTS n")


def compare(both, sql, messages):
    ours, theirs = both.answers(sql)
    both.check(sql, ours, theirs, messages=messages)
    assert info(ours) == info(theirs), sql
    if ours.error is None:
        both.compare("SHOW WARNINGS", ordered=True)
    tables = [names(c) for c in both.connections]
    assert tables[0] == tables[1], sql
    if "n" in tables[0]:
        assert definition(both.connections[0], "n") == definition(both.connections[1], "n")
        both.compare("SELECT * FROM n", ordered=False)
    return ours


STATEMENTS = [
    "CREATE TABLE n SELECT * FROM a",
    "CREATE TABLE n AS (WITH x AS (SELECT id FROM a WHERE id < 9) SELECT * FROM x)",
    "CREATE TABLE n AS (WITH x AS (SELECT id FROM a) SELECT * FROM x ORDER BY id LIMIT 3)",
    "CREATE TABLE n WITH RECURSIVE x AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM x WHERE i < 5) "
    "SELECT i FROM x",
    "CREATE TABLE n (PRIMARY KEY (id)) SELECT * FROM a",
    "CREATE TABLE n (id INT PRIMARY KEY, extra INT DEFAULT 5) SELECT id, s FROM a",
    "CREATE TABLE n (x INT DEFAULT 3, id BIGINT NOT NULL, y INT, PRIMARY KEY (id)) "
    "SELECT v, id, s FROM a",
    "CREATE TABLE n (PRIMARY KEY (k)) SELECT k, COUNT(*) AS n, SUM(d) AS d, MAX(t) t FROM a "
    "GROUP BY k",
    "CREATE TABLE n (PRIMARY KEY (id)) COMMENT='shardd: reference' SELECT id, s FROM a",
    "CREATE TABLE n (PRIMARY KEY (id)) COMMENT='shardd: global' SELECT id, s FROM a",
    "CREATE TABLE n (PRIMARY KEY (id, k)) COMMENT='shardd: key(k)' SELECT id, k, s FROM a",
    "CREATE TABLE n SELECT a.id, b.s, b.k FROM a JOIN b ON a.k = b.k",
    "CREATE TABLE n (PRIMARY KEY (id)) SELECT * FROM r",
    "CREATE TABLE n SELECT * FROM h WHERE v > 4",
    "CREATE TABLE n (PRIMARY KEY (id)) SELECT h.id, a.s FROM h LEFT JOIN a ON a.id = h.v",
    "CREATE TABLE n SELECT 1 AS one, 'x' AS two, NOW() < '2000-01-01' AS three",
    "CREATE TABLE n (i INT AUTO_INCREMENT PRIMARY KEY) SELECT s, v FROM a WHERE id = 5",
    "CREATE TABLE n (id BIGINT PRIMARY KEY, g INT AS (v + 1)) SELECT id, v FROM a",
    "CREATE TABLE n SELECT * FROM b",
    "CREATE TABLE n LIKE a",
    "CREATE TABLE n (SELECT id, s FROM a UNION ALL SELECT id + 100, s FROM a)",
    "CREATE TABLE n AS WITH c AS (SELECT k, COUNT(*) x FROM a GROUP BY k) SELECT * FROM c",
    "CREATE TABLE n SELECT id, s FROM a ORDER BY id DESC LIMIT 7",
    "CREATE TABLE n SELECT id, s FROM a WHERE id = 3 FOR UPDATE",
    "CREATE TABLE n VALUES (1, 'x'), (2, 'y')",
    "CREATE TABLE n SELECT DISTINCT k, (SELECT MAX(id) FROM b) AS m FROM a",
    "CREATE TABLE n SELECT ROW_NUMBER() OVER (ORDER BY id) AS w FROM a",
    "CREATE TABLE n SELECT id, 'ü\\'x' AS q FROM a WHERE id < 4",
    # duplicates
    "CREATE TABLE n (PRIMARY KEY (k)) SELECT k, 1 AS x FROM a WHERE id IN (3, 10)",
    "CREATE TABLE n (PRIMARY KEY (k)) REPLACE SELECT k, 1 AS x FROM a ORDER BY id",
    "CREATE TABLE n (PRIMARY KEY (x)) SELECT 1 AS x, s FROM a WHERE id < 2",
    # there is one
    "CREATE TABLE a SELECT 1",
    "CREATE TABLE IF NOT EXISTS a SELECT 1",
    # errors
    "CREATE TABLE n SELECT * FROM nowhere",
    "CREATE TABLE n (k INT CHECK (k > 1000)) SELECT k FROM a",
    "CREATE TABLE n SELECT nothing FROM a",
    "CREATE TABLE n SELECT id, id FROM a",
    "CREATE TABLE n (PRIMARY KEY (zz)) SELECT id FROM a",
    "CREATE TABLE n (v TINYINT) SELECT id * 1000 AS v FROM a ORDER BY id",
    "CREATE TABLE n (CHECK (id < 30)) SELECT id FROM a",
    "CREATE TABLE nodb.n SELECT 1",
]


@pytest.mark.parametrize("sql", STATEMENTS)
def test_create(pair, sql):
    create(pair, sql, messages="nodb" not in sql and "nowhere" not in sql)


def kind(cluster, table):
    tables = cluster.ctl("table list", "mk")["tables"]
    return {t["name"]: (t["kind"], t.get("key")) for t in tables}[table]


@pytest.mark.parametrize("sql,expected", [
    ("CREATE TABLE n (PRIMARY KEY (id)) SELECT * FROM a", ("sharded", "id")),
    ("CREATE TABLE n SELECT * FROM a", ("global", None)),
    ("CREATE TABLE n (PRIMARY KEY (id)) COMMENT='shardd: reference' SELECT * FROM r",
     ("reference", None)),
    ("CREATE TABLE n (PRIMARY KEY (id, k)) COMMENT='shardd: key(k)' SELECT id, k FROM a",
     ("sharded", "k")),
])
def test_kinds(pair, sql, expected):
    try:
        ours, _ = pair.answers(sql)
        assert ours.error is None, ours.error
        assert kind(pair.cluster, "n") == expected
    finally:
        pair.answers("DROP TABLE IF EXISTS n")


def test_ignore(pair):
    """A plain server of this version loses rows here."""
    ours = testbed.Answer(pair.connections[0],
                          "CREATE TABLE n (PRIMARY KEY (k)) IGNORE SELECT k, 1 AS x FROM a")
    assert ours.affected == 7 and info(ours) == b"Records: 60  Duplicates: 53  Warnings: 53"
    rows = testbed.Answer(pair.connections[0], "SELECT k FROM n ORDER BY k").rows
    assert rows == [(i,) for i in range(7)]
    pair.cluster.sql("DROP TABLE n", db="mk")


def test_refusals(pair):
    for sql, words in (
            ("CREATE TABLE n (c BIGINT DEFAULT (CONNECTION_ID())) SELECT k FROM a",
             "CONNECTION_ID()"),
            ("CREATE TABLE n (UNIQUE (s(10))) COMMENT='shardd: key(k)' SELECT k, s FROM a",
             "shardd: ")):
        answer = testbed.Answer(pair.connections[0], sql)
        assert answer.error and words in answer.error[1], answer.error
        assert "n" not in names(pair.connections[0])


def test_session(pair):
    """The rows are read as the client reads them: its transaction is over, its settings hold."""
    for sql in ("SET time_zone = '+05:00'", "BEGIN", "UPDATE a SET v = 99 WHERE id = 1"):
        pair.run(sql)
    create(pair, "CREATE TABLE n SELECT id, v, t, UNIX_TIMESTAMP(t) u FROM a WHERE id < 9")
    for c in pair.connections:
        c.rollback()
    pair.compare("SELECT v FROM a WHERE id = 1")
    for sql in ("SET time_zone = DEFAULT", "SET sql_mode = 'ANSI_QUOTES'"):
        pair.run(sql)
    create(pair, 'CREATE TABLE "n" (PRIMARY KEY (id)) SELECT id, "a"."s" FROM "a"')
    pair.run("SET sql_mode = ''")
    create(pair, "CREATE TABLE n (v TINYINT) SELECT id * 1000 AS v FROM a WHERE id = 1")
    pair.run("SET sql_mode = DEFAULT")
    pair.run("SET autocommit = 0")
    create(pair, "CREATE TABLE n (PRIMARY KEY (id)) SELECT id FROM a")
    pair.run("SET autocommit = 1")


def test_user_variables(pair):
    """Columns have the types that the variables have, rows their values."""
    for sql in ("SET @i = 5, @u = CAST(7 AS UNSIGNED), @d = 1.50, @f = 2e0, @n = NULL",
                "SET @s = 'x''\\\\ü'", "SET @l = _latin1 X'E4', @b = X'00FF27'",
                "SET @e = CAST(NULL AS DECIMAL(9, 3))"):
        pair.run(sql)
    for sql in ("CREATE TABLE n SELECT @i, @u, @d, @f, @s, @n, @l, @b, @e, @nobody",
                "CREATE TABLE n (PRIMARY KEY (id)) SELECT id, @i + id AS x, CONCAT(@s, s) AS y "
                "FROM a WHERE id < @u",
                "CREATE TABLE n (@i INT)", "CREATE TABLE n SELECT @i := 6 AS x, @x := 'abc' AS y",
                "CREATE TABLE n SELECT @i, @x", "CREATE TABLE n SELECT USER() AS u, @s AS s"):
        create(pair, sql)
    pair.run("PREPARE p FROM 'CREATE TABLE n (PRIMARY KEY (id)) SELECT id, @d AS y FROM a'")
    create(pair, "EXECUTE p")
    pair.compare("SELECT @i, @x, @u")


def test_the_number_of_the_connection(pair):
    for c in pair.connections:
        with c.cursor() as cursor:
            cursor.execute("CREATE TABLE n SELECT CONNECTION_ID() AS me, 1 AS k")
            cursor.execute("SELECT me FROM n")
            assert cursor.fetchall() == ((c.thread_id(),),)
    definitions = [a.rows for a in pair.answers("SHOW COLUMNS FROM n")]
    assert definitions[0] == definitions[1]
    pair.run("DROP TABLE n")


def test_prepared(pair):
    clients = [rawclient.RawClient(c.port).login(db="mk") for c in pair.connections]
    for client in clients:
        client.execute(client.prepare(
            "CREATE TABLE n (PRIMARY KEY (id)) SELECT id, ? AS x FROM a WHERE k > ?")[0],
            ("q'ü", 3))
        client.query("PREPARE p FROM 'CREATE TABLE n2 SELECT id FROM a WHERE id < ?'")
        client.query("SET @x = 7")
        client.query("EXECUTE p USING @x")
    for table in ("n", "n2"):
        pair.compare(f"SELECT * FROM {table}", ordered=False)
        pair.run(f"DROP TABLE {table}")
    for client in clients:
        client.close()


def nothing_made(cluster):
    left = cluster.sql("SHOW TABLES LIKE 'shardd making%'", db="mk")
    return not left and not [t for t in cluster.ctl("table list", "mk")["tables"]
                             if t["name"].startswith("shardd making")]


def test_client_goes(pair):
    """In the middle of the rows, which wait for a lock."""
    cluster = pair.cluster
    with cluster.connect(db="mk") as holder, cluster.connect(db="mk") as maker:
        holder.begin()
        testbed.Answer(holder, "UPDATE a SET v = v WHERE id >= 0")
        thread = threading.Thread(target=testbed.Answer, args=(
            maker, "CREATE TABLE n (PRIMARY KEY (id)) SELECT a.id, b.s FROM a JOIN b ON "
            "a.k = b.k AND b.id = a.id FOR UPDATE"))
        thread.start()
        testbed.wait_for("the table to be made", lambda: not nothing_made(cluster))
        maker._sock.shutdown(2)
        thread.join()
        holder.rollback()
    testbed.wait_for("the table to be gone", lambda: nothing_made(cluster))
    assert "n" not in names(pair.connections[0])


def test_kill_query(pair):
    cluster = pair.cluster
    with cluster.connect(db="mk") as holder, cluster.connect(db="mk") as maker:
        holder.begin()
        testbed.Answer(holder, "UPDATE a SET v = v WHERE id >= 0")
        found = []
        thread = threading.Thread(target=lambda: found.append(testbed.Answer(
            maker, "CREATE TABLE n (PRIMARY KEY (id)) SELECT id FROM a FOR UPDATE")))
        thread.start()
        testbed.wait_for("the table to be made", lambda: not nothing_made(cluster))
        cluster.sql(f"KILL QUERY {maker.thread_id()}")
        thread.join()
        holder.rollback()
    assert found[0].error[0] == 1317, found[0].error
    testbed.wait_for("the table to be gone", lambda: nothing_made(cluster))
    assert "n" not in names(pair.connections[0])
    create(pair, "CREATE TABLE n SELECT 1 AS x")


def test_worker_dies(pair):
    """What it left goes with the next statement of the kind."""
    cluster = pair.cluster
    with cluster.connect(db="mk") as holder, cluster.connect(db="mk") as maker:
        holder.begin()
        testbed.Answer(holder, "UPDATE a SET v = v WHERE id >= 0")
        thread = threading.Thread(target=lambda: contextless(
            maker, "CREATE TABLE n (PRIMARY KEY (id)) SELECT id FROM a FOR UPDATE"))
        thread.start()
        testbed.wait_for("the table to be made", lambda: not nothing_made(cluster))
        for pid in cluster.worker_pids():
            os.kill(pid, signal.SIGKILL)
        thread.join()
    testbed.wait_for("shardd to be ready", cluster.ready)
    pair.connections[0].ping(reconnect=True)

    def again():
        testbed.Answer(pair.connections[0], "DROP TABLE IF EXISTS n")
        testbed.Answer(pair.connections[0], "CREATE TABLE n SELECT 1 AS x")
        return nothing_made(cluster)
    testbed.wait_for("the table to be gone", again)
    testbed.Answer(pair.connections[0], "DROP TABLE IF EXISTS n")


def test_controller_dies(new_cluster):
    """While the rows are written: the statement fails, and its table goes when there is a
    controller again."""
    cluster = new_cluster(workers=1)
    cluster.sql("CREATE TABLE a (id INT PRIMARY KEY, v INT)")
    cluster.sql("INSERT INTO a VALUES (1, 1), (2, 2), (3, 3)")
    with cluster.connect() as holder, cluster.connect() as maker:
        holder.begin()
        testbed.Answer(holder, "UPDATE a SET v = v + 1")
        found = []
        thread = threading.Thread(target=lambda: found.append(testbed.Answer(
            maker, "CREATE TABLE n (PRIMARY KEY (id)) SELECT id FROM a FOR UPDATE")))
        thread.start()
        testbed.wait_for("the table to be made",
                         lambda: cluster.sql("SHOW TABLES LIKE 'shardd making%'"))
        for pid in testbed.programs(cluster.home, "shardctl"):
            os.kill(pid, signal.SIGKILL)
        holder.rollback()
        thread.join()
    assert found[0].error[0] == 1105, found[0].error
    cluster.up()
    testbed.wait_for("the table to be gone", lambda: cluster.sql("SHOW TABLES") == (("a",),))
    cluster.sql("CREATE TABLE n (PRIMARY KEY (id)) SELECT id FROM a")
    assert sorted(cluster.sql("SELECT * FROM n")) == [(1,), (2,), (3,)]
    worker_dies(cluster)


def worker_dies(cluster):
    """Nobody has to make another one for what is left to go."""
    with cluster.connect() as maker:
        with cluster.shard_connect(cluster.shard_list()[0], "app") as holder, \
                holder.cursor() as c:
            c.execute("BEGIN")
            c.execute("SELECT * FROM a FOR UPDATE")
            thread = threading.Thread(target=lambda: contextless(
                maker, "CREATE TABLE m (PRIMARY KEY (id)) SELECT id FROM a FOR UPDATE"))
            thread.start()
            testbed.wait_for("the table to be made", lambda: "shardd making" in str(
                cluster.ctl("table list", "app")))
            cluster.kill_worker()
            thread.join()
    testbed.wait_for("the table to be gone", lambda: cluster.sql("SHOW TABLES") ==
                     (("a",), ("n",)))
    cluster.fsck()


def contextless(connection, sql):
    """The connection is lost, and that is what is wanted."""
    try:
        with connection.cursor() as c:
            c.execute(sql)
    except pymysql.err.MySQLError:
        pass


REPLACING = [
    "CREATE OR REPLACE TABLE {t} SELECT id, k FROM a WHERE id < 30",
    "CREATE OR REPLACE TABLE {t} (PRIMARY KEY (id)) SELECT * FROM a",
    "CREATE OR REPLACE TABLE {t} LIKE b",
    "CREATE OR REPLACE TABLE {t} SELECT id FROM {t}",
    "CREATE OR REPLACE TABLE {t} SELECT id FROM a WHERE k IN (SELECT MAX(id) FROM {t})",
    "CREATE OR REPLACE TABLE {t} LIKE {t}",
    "CREATE OR REPLACE TABLE {t} SELECT id FROM nosuch",
    "CREATE OR REPLACE TABLE {t} LIKE nosuch",
    "CREATE OR REPLACE TABLE IF NOT EXISTS {t} SELECT 1",
    "CREATE OR REPLACE TABLE seen SELECT id FROM a",
    "CREATE OR REPLACE TABLE seen LIKE a",
    "CREATE OR REPLACE TABLE parent SELECT id FROM a",
    "CREATE OR REPLACE TABLE parent LIKE a",
]


def test_one_takes_the_place_of_another(pair):
    """What was there is seen until all rows are in the new one, and stays where that fails."""
    pair.run("CREATE VIEW seen AS SELECT id FROM a")
    pair.run("CREATE TABLE parent (id INT PRIMARY KEY)")
    pair.run("CREATE TABLE child (id INT PRIMARY KEY, FOREIGN KEY (id) REFERENCES parent (id))")
    for old in ("(id INT PRIMARY KEY, x INT)", "(id INT) COMMENT 'shardd: global'",
                "(id INT PRIMARY KEY) COMMENT 'shardd: reference'"):
        pair.run(f"CREATE TABLE n {old}")
        for sql in REPLACING:
            compare(pair, sql.format(t="n"), messages=True)
        pair.run("DROP TABLE n")
    pair.run("CREATE TABLE n SELECT 5 AS id")
    twice = "CREATE OR REPLACE TABLE n (PRIMARY KEY (k)) SELECT k FROM a"
    assert [a.error[0] for a in pair.answers(twice)] == [1062, 1062]
    with pair.connections[0].cursor() as c:
        c.execute("SELECT * FROM n")
        assert c.fetchall() == ((5,),)
    pair.answers("DROP TABLE IF EXISTS n")
    for table in "child", "parent":
        pair.run(f"DROP TABLE {table}")
    pair.run("DROP VIEW seen")
