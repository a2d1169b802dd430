"""test_engine_use.py - workers and engines: none, one that comes, one over TLS, and limits."""
import threading

import pytest

from certs import Certs
from testbed import Answer, Cluster, Server

COUNT = "SELECT a.id, (SELECT COUNT(*) FROM t b WHERE b.v < a.v) AS n FROM t a ORDER BY a.id"
RIGHT = [(i, 99 - i) for i in range(100)]


@pytest.fixture(scope="module")
def c(scratch):
    cluster = Cluster(scratch / "use", workers=1, settings=[
        "--set", 'server_tls = "required"', "--set", "pool_max = 1"])
    cluster.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)")
    cluster.sql("INSERT INTO t VALUES " + ",".join(f"({i}, {100 - i})" for i in range(100)))
    yield cluster
    cluster.finish()


def ask(connection, sql=COUNT, args=None):
    answer = Answer(connection, sql, args)
    assert answer.error is None, answer
    return answer.rows


def test_without_one_and_when_one_comes(c):
    with c.connect() as open_before:
        assert ask(open_before) == RIGHT
        c.ctl("engine remove", "engine-1")
        refused = Answer(open_before, COUNT).error
        assert refused and "shardctl engine" in refused[1], refused
        assert ask(open_before, "SELECT COUNT(*) FROM t") == [(100,)]
        c.ctl("engine add")
        assert ask(open_before) == RIGHT


def test_its_pool_is_seen_and_waited_for(c):
    wrong = []

    def work():
        with c.connect() as one:
            for _ in range(5):
                answer = Answer(one, COUNT)
                if answer.rows != RIGHT:
                    wrong.append(answer)
    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[0]
    pools = {row[-1]: row for row in c.sql("SHOW SHARDD POOLS", db=None) if row[2] == "app"}
    assert pools["engine-2"][1] >= 2 ** 31 and pools["engine-2"][3] <= 1
    (row,) = c.sql("SHOW SHARDD ENGINES", db=None)
    assert row[0] == "engine-2" and row[5] > 0
    assert 'shardd_engine_backends_lost_total{engine="engine-2"}' in c.http("/metrics")[1]


@pytest.mark.parametrize("settings", [
    ["SET SESSION TRANSACTION READ ONLY"], ["START TRANSACTION READ ONLY"], ["SET autocommit = 0"],
    ["SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE", "BEGIN"],
    ["START TRANSACTION WITH CONSISTENT SNAPSHOT"], ["SET TRANSACTION READ ONLY"],
    ["SET sql_mode = 'ANSI,STRICT_ALL_TABLES'", "SET sql_safe_updates = 1"],
    ["SET innodb_lock_wait_timeout = 7, lock_wait_timeout = 9, max_statement_time = 20"],
    ["SET completion_type = CHAIN", "BEGIN"],
])
def test_sessions_of_all_kinds(c, settings):
    with c.connect() as one:
        for text in settings:
            ask(one, text)
        assert ask(one) == RIGHT and ask(one) == RIGHT
        Answer(one, "COMMIT")
        assert ask(one) == RIGHT


def test_one_over_tls(c, scratch):
    certs = Certs(scratch / "enginecerts")
    theirs = Server(scratch / "tlsengine", settings=(
        f"ssl_cert={certs.cert}\nssl_key={certs.key}\nssl_ca={certs.ca}\n"))
    try:
        theirs.sql("CREATE USER boss@'%' IDENTIFIED BY 'b'")
        theirs.sql("GRANT ALL ON *.* TO boss@'%' WITH GRANT OPTION")

        def accepted():
            with theirs.connect("boss", "b") as db:
                return int(ask(db, "SHOW GLOBAL STATUS LIKE 'Ssl_accepts'")[0][1])

        c.ctl("engine add", "--adopt", f"127.0.0.1:{theirs.port}", "--user", "boss", "--password",
              "b", "--tls-ca", certs.ca, "--name", "far")
        for other in c.ctl("engine list")["engines"]:
            if other["name"] != "far":
                c.ctl("engine remove", other["name"])
        before = accepted()
        with c.connect() as one:
            assert ask(one) == RIGHT
        assert accepted() > before
        c.ctl("engine remove", "far")
    finally:
        theirs.stop()
