"""test_gather_join.py - a gathered table is asked only for rows with the values that were found in
another: the answer is one server's, whatever the values are, and fewer rows come."""
import itertools
import threading

import pytest

import rawclient
import testbed

ROWS = 3000


def rows(table, first, end, form):
    return f"INSERT INTO {table} VALUES " + ",".join(form.format(i=i) for i in range(first, end))


SETUP = [
    "CREATE TABLE few (id INT PRIMARY KEY, k INT, word VARCHAR(40), state INT, KEY (k))",
    "CREATE TABLE many (id INT PRIMARY KEY, k INT, word VARCHAR(40), v INT, KEY (k), KEY (word))",
    rows("few", 0, 300, "({i}, {i} * 7, 'word {i}', {i} % 10)"),
    rows("many", 1, ROWS + 1, "({i}, {i}, 'Word {i}', {i} % 13)"),
]
BY_KEY = "SELECT f.id, m.v FROM few f JOIN many m ON m.id = f.k WHERE f.state = 3 ORDER BY 1, 2"
BY_K = "SELECT f.id, m.v FROM few f JOIN many m ON m.k = f.k WHERE f.state = 3 ORDER BY 1, 2"
BY_WORD = BY_K.replace("m.k = f.k", "m.word = f.word")


@pytest.fixture(scope="module")
def pair(gathering, plain):
    with testbed.both(gathering, plain, "joins", SETUP) as both:
        yield both


def moved(cluster, run):
    before = cluster.metric("shardd_gather_rows_total")
    run()
    return cluster.metric("shardd_gather_rows_total") - before


@pytest.mark.parametrize("sql", [BY_KEY, BY_K, BY_WORD])
def test_only_rows_that_meet_come(gathering, pair, sql):
    assert moved(gathering, lambda: pair.compare(sql)) == 60
    prepared = sql.replace("= 3", "= %s")
    with gathering.connect(db="joins", autocommit=True) as c:
        with c.cursor() as cursor:
            cursor.execute(f"PREPARE p FROM '{prepared.replace('%s', '?')}'")
            cursor.execute("SET @state = 3")
            assert moved(gathering, lambda: cursor.execute("EXECUTE p USING @state")) == 60
            assert cursor.rowcount == 30


def test_binary_protocol(gathering, pair):
    wanted = pair.compare(BY_WORD).rows
    with rawclient.RawClient(gathering.port) as c:
        c.login(db="joins")
        statement = c.prepare(BY_WORD.replace("= 3", "= ?"))[0]
        got = []
        assert moved(gathering, lambda: got.extend(c.execute(statement, [3])[1])) == 60
        assert len(got) == len(wanted)


def test_too_many_values_are_no_list(gathering, pair):
    """gather_join_values is 10,000: all that a table has come when another has more."""
    for both in ("big", "other"):
        pair.run(f"CREATE OR REPLACE TABLE {both} (id INT PRIMARY KEY, k INT, KEY (k))")
        pair.run(rows(both, 1, 12001, "({i}, {i})"))
    sql = "SELECT COUNT(*), SUM(b.k) FROM big b JOIN other o ON o.k = b.k WHERE b.id > {}"
    assert moved(gathering, lambda: pair.compare(sql.format(2000))) == 20000
    assert moved(gathering, lambda: pair.compare(sql.format(1999))) == 22001
    pair.run("DROP TABLE big, other")


def test_nothing_was_found(gathering, pair):
    sql = "SELECT f.id, m.v FROM few f {} JOIN many m ON m.k = f.k WHERE f.state = 77"
    assert moved(gathering, lambda: pair.compare(sql.format(""))) == 0
    assert moved(gathering, lambda: pair.compare(sql.format("LEFT"))) == 0
    sql = "SELECT COUNT(*), SUM(m.v) FROM few f JOIN many m ON m.id = f.k WHERE f.state = 77"
    assert moved(gathering, lambda: pair.compare(sql)) == 0
    pair.compare("SELECT f.id, m.nothing FROM few f JOIN many m ON m.id = f.k WHERE f.state = 77")


def test_in_a_transaction(gathering, pair):
    """It sees what it has written, in tables of both waves."""
    pair.run("BEGIN")
    pair.run("UPDATE few SET state = 3 WHERE id BETWEEN 40 AND 45")
    pair.run("INSERT INTO many VALUES (10000, 280, 'WORD 41', 99)")
    pair.run("DELETE FROM many WHERE id = 21")
    for sql in (BY_KEY, BY_K, BY_WORD):
        pair.compare(sql)
    pair.run("ROLLBACK")
    pair.compare(BY_K)


def test_locks_are_of_rows_that_meet(gathering, pair):
    """Who locks rows of both leaves the others to others."""
    with gathering.connect(db="joins") as one, gathering.connect(db="joins") as two:
        with one.cursor() as a, two.cursor() as b:
            a.execute("BEGIN")
            a.execute("SELECT f.id FROM few f JOIN many m ON m.id = f.k WHERE f.id = 5 FOR UPDATE")
            b.execute("SET innodb_lock_wait_timeout = 1")
            b.execute("UPDATE many SET v = v WHERE id IN (34, 36, 2000)")
            with pytest.raises(testbed.pymysql.err.OperationalError, match="1205"):
                b.execute("UPDATE many SET v = v WHERE id = 35")
            a.execute("ROLLBACK")


WRITES = [
    "UPDATE few f JOIN many m ON m.k = f.k SET m.v = f.id + 100 WHERE f.state = 3",
    "UPDATE few f JOIN many m ON m.word = f.word SET f.state = m.v + 50 WHERE f.state = 4",
    "UPDATE few f JOIN many m ON m.k = f.k SET m.id = m.id + 50000 WHERE f.state = 5",
    "DELETE m FROM few f JOIN many m ON m.k = f.k WHERE f.state = 6",
    "DELETE f, m FROM few f JOIN many m ON m.word = f.word WHERE f.state = 7",
    "INSERT INTO many SELECT f.id + 20000, m.k, m.word, 1 FROM few f JOIN few g ON g.id = f.id"
    " JOIN many m ON m.k = f.k WHERE f.state = 8 AND g.state = 8",
    "REPLACE INTO few SELECT m.id, m.k, m.word, 1 FROM many m WHERE m.k IN"
    " (SELECT k FROM few WHERE state = 9)",
]


@pytest.mark.parametrize("sql", WRITES)
def test_writes(pair, sql):
    pair.run("BEGIN")
    assert pair.compare(sql).error is None
    for table in ("few", "many"):
        pair.compare(f"SELECT * FROM {table} ORDER BY id")
    pair.run("ROLLBACK")


# Pairs of columns, and values for both: what is equal on a server is found, and nothing else.
WORDS = ["''", "' '", "'a'", "'A'", "'a '", "'á'", "'ß'", "'ss'", "'s'", "'\\\\'", "'\\''",
         "'a\\0'", "'\\n'", "'😀'", "'☺'", "'%'", "'NULL'", "NULL", "'0'", "'00'"]
NUMBERS = ["0", "1", "-1", "127", "128", "-128", "255", "256", "32768", "70000", "2147483647",
           "2147483648", "-2147483648", "4294967295", "9223372036854775807", "18446744073709551615",
           "-9223372036854775808", "NULL"]
INTEGERS = ["TINYINT", "SMALLINT UNSIGNED", "INT(9) ZEROFILL", "INT", "BIGINT", "BIGINT UNSIGNED"]
STRINGS = ["VARCHAR(20) COLLATE utf8mb4_general_ci", "VARCHAR(20) COLLATE utf8mb4_bin",
           "CHAR(20) COLLATE utf8mb4_unicode_ci", "VARCHAR(20) COLLATE utf8mb4_unicode_520_ci",
           "VARCHAR(20) COLLATE utf8mb4_nopad_bin", "CHAR(20) COLLATE utf8mb4_general_nopad_ci",
           "VARCHAR(20) CHARACTER SET latin1", "VARCHAR(20) CHARACTER SET utf8mb3",
           "VARCHAR(20) COLLATE utf8mb4_swedish_ci", "VARBINARY(40)", "BINARY(8)", "TEXT"]
PAIRS = (list(itertools.product(INTEGERS, INTEGERS)) + [(s, s) for s in STRINGS] +
         [(STRINGS[0], s) for s in STRINGS[1:]])
QUERIES = ["SELECT x.id, y.id FROM x JOIN y ON y.{b} = x.{a} WHERE x.id >= 0 ORDER BY 1, 2",
           "SELECT x.id FROM x WHERE x.{a} IN (SELECT {b} FROM y WHERE id <> 3) ORDER BY 1",
           "SELECT x.id, (SELECT COUNT(*) FROM y WHERE y.{b} = x.{a}) FROM x WHERE id IN"
           " (1, 2, 4, 6, 8, 15) ORDER BY 1"]


def column(kind):
    return f"c{(INTEGERS + STRINGS).index(kind)}"


def values_of(kind):
    return NUMBERS if kind in INTEGERS else WORDS


@pytest.fixture(scope="module")
def kinds(pair):
    """Two tables with a column of each kind, and all values in each."""
    for table in ("x", "y"):
        pair.run(f"CREATE TABLE {table} (id INT PRIMARY KEY, "
                 + ", ".join(f"{column(kind)} {kind} NULL" for kind in INTEGERS + STRINGS) + ")")
        pair.run(f"INSERT IGNORE INTO {table} VALUES " + ",".join(
            f"({i}, " + ", ".join(values_of(kind)[i % len(values_of(kind))]
                                  for kind in INTEGERS + STRINGS) + ")"
            for i in range(max(len(NUMBERS), len(WORDS)))))
    yield pair


def test_values_of_all_kinds(kinds):
    refused = 0
    for (a, b), sql in itertools.product(PAIRS, QUERIES):
        said = kinds.compare(sql.format(a=column(a), b=column(b)))
        refused += said.error is not None
        assert said.error is None or said.error[0] == 1267, (a, b, sql)
    assert refused <= 6 * len(QUERIES)  # two collations that cannot be compared


def test_values_under_other_modes(kinds):
    kinds.run("SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH'")
    try:
        for kind, sql in itertools.product(STRINGS, QUERIES):
            assert kinds.compare(sql.format(a=column(kind), b=column(kind))).error is None
    finally:
        kinds.run("SET sql_mode = DEFAULT")


@pytest.mark.parametrize("kind", [INTEGERS[1], INTEGERS[5], *STRINGS[:3]])
def test_keys_of_all_kinds(kinds, kind):
    """A list of keys goes to their owners alone."""
    kinds.run(f"CREATE OR REPLACE TABLE keyed (v {kind} PRIMARY KEY, n INT)"
              " COMMENT 'shardd: key(v)'")
    for n, v in enumerate([v for v in values_of(kind) if v != "NULL"] + list(range(30))):
        kinds.run(f"INSERT IGNORE INTO keyed VALUES ({v}, {n})")
    for condition in ("x.id >= 0", "x.id = 2", "x.id = 7", "x.id = 77"):
        sql = f"SELECT x.id, k.n FROM x JOIN keyed k ON k.v = x.{column(kind)} WHERE {condition}"
        assert kinds.compare(sql + " ORDER BY 1, 2").error is None, sql


def test_whoever_may_not_read_is_told(gathering, pair):
    """Also when no row is wanted of the table."""
    with gathering.connect(db=None) as c:
        c.cursor().execute("CREATE USER reader IDENTIFIED BY 'reader'")
        c.cursor().execute("GRANT SELECT ON joins.few TO reader")
    try:
        with gathering.connect(user="reader", password="reader", db=None) as c:
            with pytest.raises(testbed.pymysql.err.OperationalError, match="1142"):
                c.cursor().execute("SELECT 1 FROM joins.few f JOIN joins.many m ON m.k = f.k"
                                   " WHERE f.state = 77")
    finally:
        gathering.sql("DROP USER reader", db=None)


@pytest.mark.parametrize("row, how", [(9, "query"), (10, "connection"), (11, "shards")])
def test_an_end_while_the_second_table_is_fetched(gathering, pair, row, how):
    """A lock holds it up, and whoever waits is ended. InnoDB's list of waits is an old one for as
    long as it is read often, so a fetch that takes long is one that waits."""
    with gathering.connect(db="joins") as holder, gathering.connect(db="joins") as c:
        with holder.cursor() as h:
            h.execute("BEGIN")
            h.execute(f"UPDATE many SET v = v WHERE k = {row * 7}")
            failed = []

            def ask():
                try:
                    c.cursor().execute("SELECT f.id FROM few f JOIN many m ON m.k = f.k"
                                       f" WHERE f.id = {row} FOR UPDATE")
                except testbed.pymysql.err.Error as e:
                    failed.append(e)
            waiter = threading.Thread(target=ask)
            waiter.start()
            waits = testbed.wait_for("a shard to wait for the lock", lambda: [
                (shard, thread) for shard in gathering.shard_list()
                for (thread,) in gathering.on_shard(
                    shard, "SELECT ID FROM information_schema.PROCESSLIST WHERE TIME_MS > 500"
                    f" AND INFO LIKE '%FROM%`many`%IN ({row * 7})%FOR UPDATE'")])
            if how == "shards":
                for shard, thread in waits:
                    gathering.on_shard(shard, f"KILL {thread}")
            else:
                h.execute(f"KILL {how} {c.thread_id()}")
            waiter.join(testbed.PATIENCE_S)
            assert not waiter.is_alive() and failed
            h.execute("ROLLBACK")
    pair.compare(BY_K)
    testbed.wait_for("no copies on the engine", lambda: not list(
        (gathering.home / "engine-1" / "tmp").iterdir()))
