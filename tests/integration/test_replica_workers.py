"""What workers know of servers: how far each is and whether it answers, whom they leave alone and
how they tell one another, and that this outlives routes, workers and controllers."""
import contextlib
import os
import signal
import threading
import time

import pymysql
import pytest

import movebed
from test_http_query import Connection
from test_replica_reads import add_replicas, ask, make_who, reached, replication, weak, who
from testbed import wait_for

SETTINGS = [w for s in ["replica_probe_ms=50", "replica_probe_timeout_ms=300", "replica_ramp_ms=0",
                        "replica_lag_ms=5000", "replica_login_ms=500", "replica_cooldown_ms=1500",
                        "breaker_open_ms=20000", "breaker_open_max_ms=20000", "retry_percent=100",
                        "hedge_percent=50", 'zone="east"', "http_query=true"]
            for w in ("--set", s)]


@pytest.fixture(scope="module")
def c(scratch):
    import testbed
    shared = testbed.Cluster(scratch / "workers", shards=1, workers=2, settings=SETTINGS)
    add_replicas(shared, 2)
    make_who(shared)
    yield shared
    for replica in shared.replica_list():
        with shared.server_connect(replica, "app") as root, root.cursor() as cursor:
            cursor.execute("SET sql_log_bin = 0")
            cursor.execute("UPDATE who SET name = 'primary'")
    shared.finish()


def shown(c, replica):
    with c.connect() as app, app.cursor(pymysql.cursors.DictCursor) as cursor:
        cursor.execute("SHOW SHARDD SERVERS")
        return {row["Server"]: row for row in cursor.fetchall()}[replica["replica"]]


def opened(c, replica):
    return c.metric("shardd_replica_breakers_open", replica=replica["replica"])


def test_lag_is_told_by_transactions_and_time(c):
    victim = c.replica_list()[0]
    wait_for("nothing behind", lambda: shown(c, victim)["Behind"] == 0)
    replication(c, "STOP")
    try:
        for n in range(5):
            c.sql(f"UPDATE who SET name = '{n}' WHERE id = 2 OR id = 1")
        # Five, or more: the controller tells the servers what it has published.
        with c.server_connect(victim) as root, root.cursor() as cursor:
            cursor.execute("SELECT @@gtid_slave_pos")
            first = int(cursor.fetchone()[0].split("-")[2])

        def as_many():
            ((there,),) = c.on_shard(c.shard_list()[0], "SELECT @@gtid_binlog_pos")
            behind = int(there.split("-")[2]) - first
            return behind >= 5 and shown(c, victim)["Behind"] == behind
        wait_for("as many behind", as_many)
        before = shown(c, victim)["Lag_ms"]
        wait_for("more lag", lambda: shown(c, victim)["Lag_ms"] > before + 200)
        row = shown(c, victim)
        assert row["Fresh_ms"] >= row["Lag_ms"] > 0 and row["Probe"] == "well"
    finally:
        replication(c, "START")
    wait_for("nothing behind", lambda: shown(c, victim)["Behind"] == 0)
    # A primary that does nothing is no reason for lag.
    def rests():
        row = shown(c, victim)
        time.sleep(0.05)
        return row["Lag_ms"] == 0 and row["Behind"] == 0
    wait_for("no lag for a second", lambda: all(rests() for _ in range(20)))
    c.sql("UPDATE who SET name = 'primary' WHERE id = 1")
    for replica in c.replica_list():
        with c.server_connect(replica, "app") as root, root.cursor() as cursor:
            def there():
                cursor.execute("SELECT name FROM who")
                return cursor.fetchall() == (("primary",),)
            wait_for("the row", there)
            cursor.execute("SET sql_log_bin = 0")
            cursor.execute("UPDATE who SET name = %s", replica["replica"])


def test_a_silent_server_is_told(c):
    victim = c.replica_list()[0]
    os.kill(victim["pid"], signal.SIGSTOP)
    try:
        wait_for("no answer", lambda: shown(c, victim)["Probe"] in ("no answer", "no login"))
        wait_for("both workers leave it alone", lambda: opened(c, victim) == 2)
        assert shown(c, victim)["Heard_ms"] > 0 and shown(c, victim)["Score"] == 0
    finally:
        os.kill(victim["pid"], signal.SIGCONT)
    wait_for("an answer", lambda: shown(c, victim)["Probe"] == "well")
    c.ctl("server disable", victim["replica"])
    c.ctl("server enable", victim["replica"])  # it need not wait twenty seconds
    wait_for("both use it again", lambda: opened(c, victim) == 0 and
             shown(c, victim)["Breaker"] == "closed", 30)


def test_the_connections_for_probes_are_made_anew(c):
    """So that a server that lets nobody in any more is found out."""
    victim = c.replica_list()[0]
    with c.server_connect(victim) as root, root.cursor() as cursor:
        def logins():
            cursor.execute("SHOW GLOBAL STATUS LIKE 'Connections'")
            return int(cursor.fetchone()[1])
        first = logins()
        wait_for("new connections", lambda: logins() > first + 6)


@contextlib.contextmanager
def locked(c, server):
    """Whoever reads there waits, for a moment at most."""
    held, over = threading.Event(), threading.Event()

    def hold():
        with c.server_connect(server, "app") as root, root.cursor() as cursor:
            cursor.execute("LOCK TABLES who WRITE")
            held.set()
            over.wait(0.5)
            cursor.execute("UNLOCK TABLES")
    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_slow_reads_are_asked_twice(c):
    victim, other = c.replica_list()
    with weak(c, "eventual") as app:
        reached(app, {victim["replica"], other["replica"]})
        for _ in range(100):  # how long they take is known now
            ask(app, "SELECT name FROM who WHERE id = 1")
        first = c.metric("shardd_hedges_total", answer="first")
        lost  = c.metric("shardd_backends_lost_total")
        def look():
            """The one that has just answered is the best one, and is asked again."""
            best = ask(app, "SELECT name FROM who WHERE id = 1")[0][0]
            with locked(c, next(r for r in (victim, other) if r["replica"] == best)):
                for _ in range(20):
                    ask(app, "SELECT name FROM who WHERE id = 1")
            return c.metric("shardd_hedges_total", answer="first") > first
        wait_for("a second server's answer", look)
        reached(app, {victim["replica"], other["replica"]})
        assert c.metric("shardd_backends_lost_total") == lost
        assert c.metric("shardd_hedges_total", answer="asked") >= 1


def of_one_worker(c, n):
    """Connections for eventual reads that one worker has: its number is in their ids."""
    found = {}
    for _ in range(200):
        app = weak(c, "eventual")
        group = found.setdefault(ask(app, "SELECT CONNECTION_ID()")[0][0] & 0xff, [])
        group.append(app)
        if len(group) == n:
            break
    for other in found.values():
        if other is not group:
            for app in other:
                app.close()
    return group


def break_it(c, victim):
    """Its reads fail, while it answers whoever asks how far it is."""
    apps, failures = of_one_worker(c, 4), []
    with c.server_connect(victim, "app") as root, root.cursor() as cursor:
        cursor.execute("SET sql_log_bin = 0")
        cursor.execute("RENAME TABLE who TO hidden")
        try:
            stop = threading.Event()
            threads = [threading.Thread(target=read, args=(app, stop, failures)) for app in apps]
            for t in threads:
                t.start()
            wait_for("its breaker", lambda: opened(c, victim) >= 1)
        finally:
            stop.set()
            for t in threads:
                t.join()
            cursor.execute("RENAME TABLE hidden TO who")
    for app in apps:
        app.close()
    assert not failures, failures


def read(app, stop, failures):
    while not stop.is_set():
        try:
            ask(app, "SELECT name FROM who WHERE id = 1")
        except pymysql.err.Error as error:
            failures.append(error)
            return


def decisions(c, victim):
    return c.metric("shardd_replica_breakers_opened_total", replica=victim["replica"])


def test_workers_tell_one_another(c):
    victim = c.replica_list()[1]
    names = {r["replica"] for r in c.replica_list()}
    with weak(c, "eventual") as app:
        reached(app, names)
        before = decisions(c, victim)
        break_it(c, victim)
        wait_for("both workers leave it alone", lambda: opened(c, victim) == 2)
        assert decisions(c, victim) == before + 1, "one has found out"
        # It stays so, whatever else happens.
        c.sql("CREATE TABLE another (id INT PRIMARY KEY)")
        assert opened(c, victim) == 2
        with c.controller_stopped():
            assert opened(c, victim) == 2
        reads = shown(c, victim)["Reads"]
        for worker in (0, 1):
            c.kill_worker(worker)
            wait_for("two workers", lambda: len(c.worker_pids()) == 2 and c.ready())
            wait_for("what it knew", lambda: opened(c, victim) == 2)
        with weak(c, "eventual") as fresh:
            assert victim["replica"] not in {
                ask(fresh, "SELECT name FROM who WHERE id = 1")[0][0] for _ in range(50)}
        assert shown(c, victim)["Reads"] >= reads > 0, "counts go on"
    c.sql("DROP TABLE another")


def test_those_of_the_own_zone_come_first(c):
    near, far = (r["replica"] for r in c.replica_list())
    c.ctl("replica set", near, "--zone", "east")
    with weak(c, "eventual") as app:
        wait_for("the near one alone", lambda: {who(app) for _ in range(20)} == {near}, 60)
        c.ctl("server disable", near)
        wait_for("the far one", lambda: {who(app) for _ in range(20)} == {far}, 60)
        c.ctl("server enable", near)
        c.ctl("replica set", near, "--zone", "")
        reached(app, {near, far})


def test_requests_by_http_say_it_too(c):
    names = {r["replica"] for r in c.replica_list()}
    with Connection(c) as http:
        def name(how):
            return http.rows("SELECT name FROM who WHERE id = 1", consistency=how)[0][0]

        wait_for("answers of replicas", lambda: {name("eventual") for _ in range(20)} <= names)
        wait_for("an answer that has all", lambda: name("causal") in names)
        assert name("strong") == "primary"


def test_who_is_enabled_rests_first(c):
    victim = c.replica_list()[1]
    c.ctl("server disable", victim["replica"])
    c.ctl("server enable", victim["replica"])
    began = time.monotonic()
    with weak(c, "eventual") as app:
        reached(app, {victim["replica"]}, 30)
    assert time.monotonic() - began > 1, "it rests before it gets reads"
    wait_for("both use it again", lambda: shown(c, victim)["Breaker"] == "closed", 30)


def test_a_new_controller_changes_nothing(c):
    victim = c.replica_list()[0]
    with weak(c, "eventual") as app:
        reached(app, {r["replica"] for r in c.replica_list()})
        break_it(c, victim)
        wait_for("both workers leave it alone", lambda: opened(c, victim) == 2)
        movebed.restart(c)
        assert opened(c, victim) == 2
        other = c.replica_list()[1]["replica"]
        found = set()
        wait_for("the other one alone", lambda: found.update(
            now := {who(app) for _ in range(30)}) or now == {other})
        assert victim["replica"] not in found
