"""join_reads: equal reads that come together are answered by one, and nobody sees that."""
import contextlib
import threading
import time

import pymysql
import pytest

import testbed

SLOW = "SELECT COUNT(*), SUM(a.n * b.n) FROM g a, g b WHERE a.n <= b.n"


@pytest.fixture(scope="module")
def joining(scratch):
    settings = ["join_reads = true", "pool_max = 4"]
    cluster = testbed.Cluster(scratch / "join", settings=[w for s in settings
                                                         for w in ("--set", s)])
    cluster.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, n INT, at TIMESTAMP NOT NULL)")
    cluster.sql("INSERT INTO t VALUES " + ",".join(f"({i}, {i}, '2020-01-01 12:00:00')"
                                                   for i in range(100)))
    cluster.sql("CREATE TABLE g (id BIGINT PRIMARY KEY, n INT, UNIQUE (n))")
    cluster.sql("INSERT INTO g VALUES " + ",".join(f"({i}, {i})" for i in range(600)))
    yield cluster
    cluster.fsck()
    cluster.down()
    cluster.forget()


def together(connections, work):
    """work(connection, its number) of all at once; what they return."""
    results, gate = [None] * len(connections), threading.Barrier(len(connections))

    def run(n):
        gate.wait()
        try:
            results[n] = work(connections[n], n)
        except Exception as error:  # is the result
            results[n] = error
    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(connections))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return results


@contextlib.contextmanager
def clients(cluster, n, **more):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(cluster.connect(**more)) for _ in range(n)]


def ask(connection, sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        rows = cursor.fetchall()
        cursor.execute("SELECT FOUND_ROWS(), ROW_COUNT()")
        return rows, cursor.fetchall()


@pytest.mark.parametrize("sql", [SLOW, "SELECT n, COUNT(*) FROM t GROUP BY n ORDER BY n",
                                 "SELECT * FROM t WHERE id = 7"])
def test_one_answer_for_all(joining, sql):
    with clients(joining, 40) as many:
        right = ask(many[0], sql)
        before = joining.metric("shardd_joined_reads_total")
        for _ in range(5):
            assert set(together(many, lambda c, n: ask(c, sql))) == {right}
    if sql == SLOW:
        assert joining.metric("shardd_joined_reads_total") > before + 100


def test_an_answer_is_never_older_than_the_question(joining):
    """Whatever was written and acknowledged before a read began is in its answer."""
    stop, known = threading.Event(), [0]
    reads = ["SELECT n FROM t WHERE id = 1", "SELECT MAX(n) FROM t WHERE id < 3"]
    joining.sql("UPDATE t SET n = 0 WHERE id < 3")

    def work(connection, n):
        seen = 0
        with connection.cursor() as cursor:
            while not stop.is_set():
                if n == 0:
                    cursor.execute("UPDATE t SET n = n + 1 WHERE id = 1")
                    known[0] += 1
                    stop.wait(0.0005)
                    if known[0] >= 1500:
                        stop.set()
                else:
                    least = known[0]
                    cursor.execute(reads[n % 2])
                    ((value,),) = cursor.fetchall()
                    assert value >= least, f"{value}, and {least} was written before"
                    seen += 1
        return seen
    before = joining.metric("shardd_joined_reads_total")
    with clients(joining, 17) as many:
        results = together(many, work)
    assert all(isinstance(r, int) for r in results), results
    assert joining.metric("shardd_joined_reads_total") > before
    joining.sql("UPDATE t SET n = id")


def test_who_differs_does_not_join(joining):
    """Settings, schema, user variables, transactions, other users: everybody gets his own."""
    joining.sql("CREATE TABLE other (id BIGINT PRIMARY KEY)")
    added = joining.ctl_raw("user add", "other", "--password", "pw", "--grant",
                            "SELECT ON app.other")
    assert added.returncode == 0, added.stderr
    zones = [f"+{n:02}:00" for n in range(8)]
    sql = "SELECT id, at, NOW() > at FROM t WHERE id IN (1, 2, 3) ORDER BY id"
    with clients(joining, 16) as many:
        for n, c in enumerate(many):
            with c.cursor() as cursor:
                cursor.execute(f"SET time_zone = '{zones[n % 8]}'")
        right = [ask(c, sql) for c in many[:8]]
        assert len({str(r) for r in right}) == 8
        for _ in range(20):
            assert together(many, lambda c, n: ask(c, sql)) == right * 2
        with many[0].cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("UPDATE t SET n = -1 WHERE id = 5")
        for _ in range(5):
            seen = together(many, lambda c, n: ask(c, "SELECT n FROM t WHERE id = 5")[0])
            assert seen == [((-1,),)] + [((5,),)] * 15
        many[0].rollback()
    with clients(joining, 8) as ours, clients(joining, 8, user="other", password="pw") as others:
        for _ in range(5):
            seen = together(ours + others, lambda c, n: ask(c, "SELECT n FROM t WHERE id = 5")[0])
            assert seen[:8] == [((5,),)] * 8
            assert all(isinstance(s, pymysql.err.OperationalError) and s.args[0] == 1142
                       for s in seen[8:]), seen


def test_errors_warnings_and_large_answers_are_everybodys_own(joining):
    joining.sql("CREATE TABLE big (id BIGINT PRIMARY KEY, s LONGTEXT)")
    joining.sql("INSERT INTO big VALUES (1, REPEAT('x', 700000)), (2, REPEAT('y', 700000))")
    cases = ["SELECT nothing FROM t", "SELECT n / 0 FROM t WHERE id = 3",
             "SELECT CAST('1x' AS SIGNED) FROM t WHERE id = 3", "SELECT id, s FROM big ORDER BY id"]
    with clients(joining, 12) as many:
        for sql in cases:
            right = repr(testbed.Answer(many[0], sql))
            for _ in range(4):
                seen = together(many, lambda c, n: repr(testbed.Answer(c, sql)))
                assert set(seen) == {right}, sql
    joining.sql("DROP TABLE big")


def test_who_goes_takes_nobody_along(joining):
    """The one that runs, or some that wait, are killed, or close, at any moment."""
    with joining.connect() as killer:
        for round_ in range(6):
            with clients(joining, 12) as many:
                right = ask(many[0], SLOW)[0]
                ids = [c.thread_id() for c in many]

                def work(c, n, round_=round_, ids=ids):
                    if n == 0:
                        time.sleep(0.01 * round_)
                        for victim in ids[1:4]:
                            with contextlib.suppress(pymysql.err.MySQLError), \
                                    killer.cursor() as cursor:
                                cursor.execute(f"KILL {'QUERY' if round_ % 2 else ''} {victim}")
                        return None
                    return ask(c, SLOW)[0]
                results = together(many, work)
                for n, r in enumerate(results[1:], 1):
                    assert r == right or (n < 4 and isinstance(r, pymysql.err.MySQLError)), (n, r)
    assert joining.sql("SELECT 1") == ((1,),)
    testbed.wait_for("all clients to be gone",
                     lambda: joining.metric("shardd_clients_open") == 0)


def test_a_server_that_dies_is_told_to_all(new_cluster):
    cluster = new_cluster(shards=1, settings=["--set", "join_reads = true"])
    cluster.sql("CREATE TABLE g (id BIGINT PRIMARY KEY, n INT, UNIQUE (n))")
    cluster.sql("INSERT INTO g VALUES " + ",".join(f"({i}, {i})" for i in range(600)))
    with clients(cluster, 12) as many:
        right = ask(many[0], SLOW)

        def work(c, n):
            if n > 0:
                return ask(c, SLOW)
            for backend in cluster.on_shard(cluster.shard_list()[0], "SELECT id FROM information_"
                                            "schema.processlist WHERE user = 'app'"):
                with contextlib.suppress(pymysql.err.MySQLError):
                    cluster.on_shard(cluster.shard_list()[0], f"KILL {backend[0]}")
            return right
        for _ in range(4):
            for r in together(many, work):
                assert r == right or isinstance(r, pymysql.err.MySQLError), r
        assert ask(many[1], SLOW) == right
