"""Limits of users and sessions: how long a statement, a transaction and idling may take, how many
rows an answer and how many connections a user may have, on all workers together."""
import contextlib
import itertools
import os
import signal
import threading
import time

import pymysql
import pytest

import testbed
from rawclient import RawClient, ServerError
from test_http_query import Connection


@pytest.fixture(scope="module")
def c(scratch):
    cluster = testbed.Cluster(scratch / "limits", settings=("--set", "http_query = true"))
    cluster.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, n INT)")
    cluster.sql("INSERT INTO t VALUES " + ",".join(f"({i}, 0)" for i in range(40)))
    yield cluster
    cluster.finish()


@contextlib.contextmanager
def user(cluster, name, *limits):
    cluster.ctl("user add", name, "--password", "x", *limits)
    try:
        testbed.wait_for("the workers to know", lambda: known(cluster, name))
        yield name
    finally:
        cluster.ctl("user remove", name)


def known(cluster, name):
    """Every worker has the users that the catalog has."""
    try:
        for _ in on_each_cpu():
            cluster.connect(name, "x").close()
        return True
    except pymysql.err.OperationalError as error:
        return error.args[0] != 1045


def on_each_cpu():
    """A connection's worker is that of the CPU it comes from."""
    cpus = os.sched_getaffinity(0)
    try:
        for cpu in sorted(cpus):
            os.sched_setaffinity(0, {cpu})
            yield cpu
    finally:
        os.sched_setaffinity(0, cpus)


def code(connection, sql, args=None):
    error = testbed.Answer(connection, sql, args).error
    return error and error[0]


def runs_nowhere(cluster, words):
    def gone():
        return not any(cluster.on_shard(s, "SELECT ID FROM information_schema.PROCESSLIST WHERE "
                                        f"INFO LIKE '%{words}%' AND ID <> CONNECTION_ID()")
                       for s in cluster.shard_list())
    testbed.wait_for("the servers to end it", gone)


# --- statements ---------------------------------------------------------------

SLEEPS = ["SELECT SLEEP(20)", "SELECT SLEEP(20) FROM t WHERE id = 1",
          "SELECT SUM(SLEEP(20)) FROM t", "UPDATE t SET n = SLEEP(20) WHERE id = 2",
          "UPDATE t SET n = SLEEP(20)"]


@pytest.mark.parametrize("sql", SLEEPS)
def test_a_statement_that_takes_too_long(c, sql):
    with user(c, "slow", "--statement-timeout", "1"), c.connect("slow", "x") as conn:
        assert testbed.Answer(conn, "SELECT @@max_statement_time").rows == [(1,)]
        assert code(conn, sql) == 1969
        runs_nowhere(c, "SLEEP(20)")
        assert code(conn, "BEGIN") is None
        assert code(conn, "UPDATE t SET n = 7 WHERE id = 3") is None
        assert code(conn, sql) == 1969  # the statement is undone, the transaction goes on
        assert code(conn, "UPDATE t SET n = n + 1 WHERE id = 4") is None
        assert code(conn, "COMMIT") is None
    assert c.sql("SELECT n FROM t WHERE id IN (3, 4) ORDER BY id") == ((7,), (1,))
    c.sql("UPDATE t SET n = 0")


def test_a_session_has_less_and_not_more(c):
    with user(c, "slow", "--statement-timeout", "0.4"), c.connect("slow", "x") as conn:
        start = time.monotonic()
        assert code(conn, "SET max_statement_time = 0.05") is None
        assert code(conn, "SELECT SLEEP(20)") == 1969
        assert code(conn, "SET max_statement_time = 0") is None  # the server would let it run
        assert code(conn, "SELECT SLEEP(20)") == 1969
        assert code(conn, "SET STATEMENT max_statement_time = 0 FOR SELECT SLEEP(20)") == 1969
        assert time.monotonic() - start < 20
        runs_nowhere(c, "SLEEP(20)")
        conn.ping(reconnect=False)


def test_set_statement(both):
    both.run("CREATE TABLE a (id BIGINT PRIMARY KEY, n INT)")
    both.run("INSERT INTO a VALUES (1, 1), (2, 2), (3, 3), (4, 4)")
    for sql in ("SET STATEMENT max_statement_time = 40 FOR SELECT n FROM a WHERE id = 2",
                "set statement max_statement_time=30.5 for SELECT SUM(n) FROM a",
                "SET STATEMENT MAX_STATEMENT_TIME=0.1 FOR SELECT SLEEP(20) FROM a",
                "SET STATEMENT max_statement_time=0.1 FOR SELECT SLEEP(20)",
                "SET STATEMENT max_statement_time=30 FOR INSERT INTO a VALUES (5, 5), (6, 6)",
                "SET STATEMENT max_statement_time=30 FOR UPDATE a SET n = n + 1",
                "SET STATEMENT max_statement_time=1 FOR SELEC 1",
                "SET STATEMENT max_statement_time=1 FOR",
                "SET STATEMENT optimizer_switch='materialization=off,semijoin=off' FOR "
                "SELECT id FROM a WHERE n IN (SELECT n FROM a) ORDER BY id",
                "SET STATEMENT sort_buffer_size = DEFAULT, max_statement_time = 20 FOR "
                "SELECT id, n FROM a ORDER BY n DESC, id",
                "set statement lock_wait_timeout=3,innodb_lock_wait_timeout=2 for "
                "UPDATE a SET n = n - 1 WHERE id IN (1, 2)",
                "SET STATEMENT optimizer_switch='no_such=off' FOR SELECT SUM(n) FROM a",
                "SET STATEMENT sort_buffer_size=-1 FOR SELECT n FROM a WHERE id = 1",
                "SET STATEMENT join_cache_level FOR SELECT 1",
                "SELECT id, n FROM a ORDER BY id", "SELECT @@max_statement_time",
                "SELECT @@sort_buffer_size, @@lock_wait_timeout, @@optimizer_switch"):
        both.compare(sql)


def test_who_waits_for_a_connection_is_ended_as_well(new_cluster):
    c = new_cluster(shards=1, workers=1, settings=(
        "--set", "pool_max = 1", "--set", "query_timeout_s = 3", "--set", "pipeline = 1"))
    c.sql("CREATE TABLE t (id BIGINT PRIMARY KEY)")
    with c.connect() as first, c.connect() as second:
        assert code(first, "BEGIN") is None
        assert code(first, "INSERT INTO t VALUES (1)") is None
        assert code(second, "SELECT * FROM t") == 1969
        assert code(first, "COMMIT") is None
        assert code(second, "SELECT * FROM t") is None
        assert c.metric("shardd_errors_sent_total", source="timeout") == 1


# --- idle clients and transactions ------------------------------------------------

def read_error(client):
    packet = client.read()
    assert packet[:1] == b"\xff" and client.closed()
    return ServerError(packet).code


def test_idle_clients(c):
    with user(c, "idler", "--idle-timeout", "1"), RawClient(c.port) as idler, \
            RawClient(c.port) as other, RawClient(c.port) as stays:
        before = c.metric("shardd_clients_closed_total", reason="timeout")
        stays.login()
        other.login()
        other.query("SET wait_timeout = 1")
        idler.login("idler", "x")
        idler.query("SELECT SLEEP(2)")  # is not idling
        assert read_error(idler) == 4031
        assert read_error(other) == 4031
        stays.query("SELECT 1")
        testbed.wait_for("both to be counted", lambda: c.metric(
            "shardd_clients_closed_total", reason="timeout") == before + 2)


@pytest.mark.parametrize("how", ["idle", "busy"])
def test_a_transaction_that_is_open_for_too_long(c, how):
    with user(c, "holder", "--transaction-timeout", "3"), c.connect() as other, \
            RawClient(c.port) as holder:
        holder.login("holder", "x", "app")
        holder.query("BEGIN")
        holder.query("UPDATE t SET n = 100 WHERE id = 5")
        holder.query("UPDATE t SET n = 100")
        if how == "busy":
            holder.command(3, b"SELECT SLEEP(30) FROM t WHERE id = 5")
        assert code(other, "UPDATE t SET n = n + 1 WHERE id = 5") is None  # waits for the lock
        assert read_error(holder) == 1927
        runs_nowhere(c, "SLEEP(30)")
    assert c.sql("SELECT SUM(n) FROM t") == ((1,),)
    c.sql("UPDATE t SET n = 0")


@pytest.mark.alone
def test_short_transactions_are_left_alone(c):
    with user(c, "holder", "--transaction-timeout", "2"), c.connect("holder", "x") as conn:
        end = time.monotonic() + 2.6
        while time.monotonic() < end:
            for sql in ("BEGIN", "UPDATE t SET n = n + 1 WHERE id = 6", "SELECT SLEEP(0.2)",
                        "COMMIT"):
                assert code(conn, sql) is None


# --- answers ------------------------------------------------------------------------

@pytest.mark.parametrize("in_transaction", [False, True])
@pytest.mark.parametrize("sql", ["SELECT id FROM t WHERE id IN (1, {})", "SELECT id FROM t "
                                 "WHERE id < {0} ORDER BY id", "SELECT seq FROM seq_1_to_{}"])
def test_answers_with_too_many_rows(c, sql, in_transaction):
    with user(c, "few", "--max-rows", "6"), c.connect("few", "x") as conn, \
            RawClient(c.port) as raw:
        raw.login("few", "x", "app")
        if in_transaction:
            assert code(conn, "BEGIN") is None
            raw.query("BEGIN")
            raw.query("UPDATE t SET n = 1 WHERE id = 1")
        good = sql.format(6 if "IN" not in sql else "2, 3")
        for _ in range(4):  # quick ones may share connections
            assert len(testbed.Answer(conn, good).rows) <= 6
        if "IN" in sql:
            return
        many = sql.format(40)
        error = testbed.Answer(conn, many).error
        assert error[0] == 1226 and "max_rows" in error[1] and "6" in error[1]
        assert testbed.Answer(conn, good).error is None
        statement, _, _ = raw.prepare(many)
        with pytest.raises(ServerError) as refused:
            raw.execute(statement)
        assert refused.value.code == 1226
        assert len(raw.query(good)[1]) <= 6
        if in_transaction:
            raw.query("ROLLBACK")
        assert code(conn, "UPDATE t SET n = 0") is None  # is no answer of rows


def test_answers_with_too_many_bytes(c):
    with user(c, "few", "--max-bytes", "64K"), c.connect("few", "x") as conn:
        assert len(testbed.Answer(conn, "SELECT REPEAT('x', 60000)").rows) == 1
        for sql in "SELECT REPEAT('x', 70000)", "SELECT REPEAT('x', 7000) FROM t":
            error = testbed.Answer(conn, sql).error
            assert error[0] == 1226 and "max_bytes" in error[1]
        assert code(conn, "DO 0") is None


def test_limits_hold_for_http(c):
    with user(c, "web", "--max-rows", "6", "--statement-timeout", "2"):
        token = c.ctl("user token", "web")["token"]
        with Connection(c, f"Bearer {token}") as http:
            testbed.wait_for("the token", lambda: http.ask("SELECT 1")[0] == 200)
            status, document = http.ask("SELECT id FROM t")
            assert document["error"]["code"] == 1226 and status in (200, 429)
            assert len(document.get("rows", ())) <= 6
            status, document = http.ask("SELECT SLEEP(20)")
            assert (status, document["error"]["code"]) == (504, 1969)
            assert http.rows("SELECT id FROM t WHERE id = 3") == [[3]]
            c.ctl("user set", "web", "--max-connections", "1")

            def refused():
                with Connection(c, f"Bearer {token}") as other:
                    status, document = other.ask("SELECT 1")
                    return status == 429 and document["error"]["code"] == 1203
            testbed.wait_for("the limit of connections", refused)


# --- connections ----------------------------------------------------------------------

def try_login(cluster, name):
    try:
        return cluster.connect(name, "x")
    except pymysql.err.OperationalError as error:
        return error.args[0]


def login(cluster, name):
    """As soon as there is a place: who has left is counted until its worker sees that."""
    def there():
        one = try_login(cluster, name)
        return None if one == 1203 else [one]
    (one,) = testbed.wait_for("a place", there)
    assert not isinstance(one, int), one
    return one


def test_connections_are_counted_over_all_workers(c):
    with user(c, "three", "--max-connections", "3"):
        clients = []
        while len(clients) < 3:
            for _ in on_each_cpu():
                if len(clients) < 3:
                    clients.append(login(c, "three"))
        assert len({one.thread_id() & 255 for one in clients}) == 2
        for _ in on_each_cpu():
            assert try_login(c, "three") == 1203
        clients.pop().close()
        clients.append(login(c, "three"))
        for one in clients:
            one.close()


def test_a_dead_workers_connections_do_not_count(c):
    with user(c, "two", "--max-connections", "2"):
        clients = [login(c, "two") for _ in itertools.islice(on_each_cpu(), 2)]
        assert len(clients) == 2 or os.cpu_count() == 1
        for pid in c.worker_pids():
            os.kill(pid, signal.SIGKILL)

        def both_again():
            again = [try_login(c, "two") for _ in range(2)]
            for one in again:
                if not isinstance(one, int):
                    one.close()
            return all(not isinstance(one, int) for one in again)
        testbed.wait_for("the places of the dead", both_again)


def test_a_storm_never_gets_more_than_the_limit(c):
    with user(c, "ten", "--max-connections", "10"):
        got, lock = [], threading.Lock()

        def log_in():
            one = try_login(c, "ten")
            with lock:
                got.append(one)
        threads = [threading.Thread(target=log_in) for _ in range(60)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        inside = [one for one in got if not isinstance(one, int)]
        assert 0 < len(inside) <= 10 and {o for o in got if isinstance(o, int)} == {1203}
        for one in inside:
            one.close()


def test_new_connections_per_second(c):
    with user(c, "often", "--connection-rate", "5"):
        outcomes = []
        start = time.monotonic()
        for _ in range(40):
            one = try_login(c, "often")
            outcomes.append("in" if not isinstance(one, int) else one)
            if not isinstance(one, int):
                one.close()
        took = time.monotonic() - start
        assert set(outcomes) <= {"in", 1226}
        assert 1 <= outcomes.count("in") <= 5 * (took + 1) + 1
        assert 1226 in outcomes or took > 4
        testbed.wait_for("the next second", lambda: not isinstance(try_login(c, "often"), int))
        testbed.wait_for("the refused to be counted", lambda: c.metric(
            "shardd_clients_refused_total", reason="user_rate") >= outcomes.count(1226))


# --- the command line -------------------------------------------------------------------

def test_limits_are_shown_and_checked(c):
    with user(c, "limited", "--max-connections", "7", "--statement-timeout", "1.5"):
        c.ctl("user set", "limited", "--max-bytes", "10M", "--idle-timeout", "60")
        shown = c.ctl("user show", "limited")
        assert {k: v for k, v in shown.items() if v and isinstance(v, int)
                and not isinstance(v, bool)} == {
            "max_connections": 7, "statement_timeout_ms": 1500, "max_bytes": 10 << 20,
            "idle_timeout_s": 60}
        assert "verifier" not in shown and "secret" not in shown
        (listed,) = [u for u in c.ctl("user list")["users"] if u["name"] == "limited"]
        assert "max_connections 7" in listed["limits"]
        assert "1500" in c.ctl_raw("user show", "limited").stdout
        for wrong in (("--max-rows", "x"), ("--max-rows", "-1"), ("--max-rows", ""),
                      ("--statement-timeout", "1.2345"), ("--idle-timeout", "1.5"),
                      ("--max-bytes", "99999999999G"), ("--connection-rate", "4294967296")):
            done = c.ctl_raw("user set", "limited", *wrong)
            assert done.returncode == 2 and wrong[0] in done.stderr, wrong
        c.ctl("user set", "limited", "--max-connections", "0")
        assert c.ctl("user show", "limited")["max_connections"] == 0
    assert c.ctl_raw("user show", "limited").returncode == 1
