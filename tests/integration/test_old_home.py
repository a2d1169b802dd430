"""test_old_home.py - a copy of a home of before a failover is started where no other controller
runs. The servers know better than it does: it stands by, publishes nothing and touches no server,
says why, and learns from them what it missed when it is told to."""
import contextlib
import glob
import json
import os
import shutil

import pymysql
import pytest

from controlbed import Controller, Refused
from testbed import Server, wait_for

SETTINGS = ("log_bin=b\nbinlog_format=ROW\nserver_id={id}\ngtid_strict_mode=1\n"
            "log_slave_updates=1\ngtid_domain_id=7\n")
LOGIN = "--user", "boss", "--password", "x"


def ask(server, sql, db=None):
    with server.connect("boss", "x", db) as boss, boss.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


@pytest.fixture
def pair(scratch, request):
    """A primary and its replica, servers of the user's own, and a controller."""
    folder = scratch / f"old-{request.node.name[-12:]}"
    servers = [Server(folder / f"s{i}", settings=SETTINGS.format(id=80 + i) +
                      ("read_only=1\n" if i == 2 else "")) for i in (1, 2)]
    for server in servers:
        with server.connect() as app, app.cursor() as cursor:
            cursor.execute("SET sql_log_bin = 0")
            cursor.execute("GRANT ALL ON *.* TO boss@'%' IDENTIFIED BY 'x' WITH GRANT OPTION")
    first, second = servers
    ask(second, "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = "
        f"{first.port}, MASTER_USER = 'boss', MASTER_PASSWORD = 'x', MASTER_USE_GTID = slave_pos,"
        " MASTER_CONNECT_RETRY = 1")
    ask(second, "START SLAVE")
    c = Controller(folder / "home", shards=0)
    try:
        c.ctl("shard", "add", "--static", f"127.0.0.1:{first.port}", "--name", "only", *LOGIN)
        c.ctl("replica", "add", "only", "--name", "near", "--provisioner", "static", "--address",
              f"127.0.0.1:{second.port}", *LOGIN)
        c.ctl("user", "add", "someone", "--password", "x", "--admin")
        c.ctl("database", "create", "app")
        c.ddl("CREATE TABLE t (id INT PRIMARY KEY)", user="someone")
        yield folder, first, second, c
    finally:
        with contextlib.suppress(ProcessLookupError, AssertionError):
            c.stop()
        for server in servers:
            server.stop(9)


def copied(folder, c, name):
    """The home as it is, of a controller that has ended; it is not started."""
    shutil.copytree(c.home, folder / name,
                    ignore=lambda _, names: [n for n in names if n.endswith(".sock")])


def ends(c):
    c.stop()
    for segment in glob.glob(f"/dev/shm/shardd-{c.instance}-*"):
        os.unlink(segment)


def old_one(folder, c, name="old"):
    old = Controller.__new__(Controller)
    old.home, old.instance, old.shards, old.options = folder / name, c.instance, 0, ()
    old.start()
    return old


def duty(c):
    """Why it stands by; "": it is on duty."""
    return c.json("status").get("standby", "")


def routes(c):
    """How many bytes of routes were ever published to workers of this machine."""
    files = glob.glob(f"/dev/shm/shardd-{c.instance}-routes*")
    return sum(len(open(f, "rb").read().strip(b"\0")) for f in files)


def is_replaced(c, first, second):
    """`second` is the primary now, `first` follows it; both have a row that only a primary of then
    could get."""
    c.ctl("failover", "only")
    assert c.ctl_raw("shard", "show", "only", "--json").stdout.count('"near"')
    ask(second, "INSERT INTO t VALUES (2)", "app")
    wait_for("the other one", lambda: ask(first, "SELECT * FROM t", "app") == ((1,), (2,)))


def roles(*servers):
    """read_only, and whom each replicates."""
    found = []
    for server in servers:
        with server.connect("boss", "x", cursorclass=pymysql.cursors.DictCursor) as boss, \
                boss.cursor() as cursor:
            cursor.execute("SELECT @@read_only AS r")
            closed = cursor.fetchone()["r"]
            cursor.execute("SHOW SLAVE STATUS")
            status = cursor.fetchone()
            found.append((closed, status and status["Master_Port"]))
    return found


def test_what_the_servers_know_is_learned(pair):
    folder, first, second, c = pair
    ask(first, "INSERT INTO t VALUES (1)", "app")
    ends(c)
    copied(folder, c, "old")
    c.start()
    is_replaced(c, first, second)
    ends(c)
    before = roles(first, second)
    assert before == [(1, second.port), (0, None)]
    old = old_one(folder, c)
    try:
        assert "an old copy" in duty(old) and "shardctl recover" in duty(old)
        with pytest.raises(Refused, match="an old copy"):
            old.ddl("CREATE TABLE u (id INT PRIMARY KEY)", user="someone")
        assert old.ctl_raw("failover", "only").returncode == 1
        assert roles(first, second) == before
        published = routes(old)
        shown = old.ctl_raw("recover")
        assert shown.returncode == 1 and "say --yes" in shown.stderr
        assert "near" in shown.stdout and "term 0, generation" in shown.stdout
        assert "an old copy" in duty(old) and roles(first, second) == before
        plan = {s["server"]: (s["is"], s["becomes"]) for s in old.json("recover")["servers"]}
        assert plan == {"server-1": ("primary", "replica"), "near": ("replica", "primary")}
        old.ctl("recover", "--yes")
        wait_for("its duty", lambda: not duty(old))
        assert routes(old) > published
        wait_for("the roles", lambda: roles(first, second) == before)
        ask(second, "INSERT INTO t VALUES (3)", "app")
        wait_for("the replica", lambda: ask(first, "SELECT * FROM t", "app") ==
                 ((1,), (2,), (3,)))
        old.ddl("CREATE TABLE u (id INT PRIMARY KEY)", user="someone")
        assert old.fsck() == []
        assert old.ctl_raw("recover").returncode == 1  # on duty: there is nothing to recover
        wait_for("the servers to be told", lambda: ask(
            second, "SELECT term FROM shardd_move.holder") == ((1,),))
    finally:
        ends(old)
    c.start()  # the home that was given up
    assert "an old copy" in duty(c)


def test_tables_that_came_later_are_not_learned(pair):
    folder, first, second, c = pair
    ask(first, "INSERT INTO t VALUES (1)", "app")
    ends(c)
    copied(folder, c, "old")
    c.start()
    c.ddl("CREATE TABLE later (id INT PRIMARY KEY)", user="someone")
    is_replaced(c, first, second)
    ends(c)
    before = roles(first, second)
    old = old_one(folder, c)
    try:
        assert "an old copy" in duty(old)
        done = old.ctl_raw("recover", "--yes", "--json")
        assert done.returncode == 1
        (problem,) = json.loads(done.stdout)["problems"]
        assert "changed after this copy was made" in problem["problem"]
        assert roles(first, second) == before and "an old copy" in duty(old)
    finally:
        ends(old)
    c.start()  # the right one goes on
    assert duty(c) == ""


def test_the_one_that_knows_is_away_at_first(pair):
    """The former primary alone cannot say it. When the other one comes back it is not touched."""
    folder, first, second, c = pair
    ask(first, "INSERT INTO t VALUES (1)", "app")
    ends(c)
    copied(folder, c, "old")
    c.start()
    second.stop()  # so that the first is not told
    first_row = ask(first, "SELECT generation FROM shardd_move.holder")
    ends(c)
    first.stop()
    second.start()
    c.start()
    c.ctl("failover", "only", "--force")
    ask(second, "INSERT INTO t VALUES (2)", "app")
    ends(c)
    assert roles(second) == [(0, None)]
    second.stop()
    first.start()
    assert ask(first, "SELECT generation FROM shardd_move.holder") >= first_row
    old = old_one(folder, c)
    try:
        second.start()
        wait_for("it to be seen", lambda: "an old copy" in duty(old), 60)
        # Started again it is as its settings say; what it has is there, and it follows nobody.
        assert roles(second)[0][1] is None
        assert ask(second, "SELECT * FROM t", "app") == ((1,), (2,))
        before = roles(first, second)
        shown = old.ctl_raw("recover", "--yes")
        assert shown.returncode == 1 and "two controllers" in shown.stdout, shown.stdout
        assert roles(first, second) == before
        first.stop()
        assert "does not answer" in old.ctl_raw("recover", "--yes").stdout
        old.ctl("recover", "--force", "--yes")
        wait_for("its duty", lambda: not duty(old), 60)
        wait_for("the roles", lambda: roles(second) == [(0, None)])
        assert ask(second, "SELECT * FROM t", "app") == ((1,), (2,))
        (replica,) = old.json("replica", "list")["replicas"]
        assert "did not follow" in replica["suspect"]
        first.start()
        wait_for("it to be left alone", lambda: duty(old) == "")
        assert ask(first, "SELECT * FROM t", "app") == ((1,),)
    finally:
        ends(old)


@pytest.mark.parametrize("at, told", [("failover-recorded", False), ("failover-opened", True)])
def test_a_controller_ends_amid_a_switch(pair, at, told):
    """Of the home and a copy of before, one goes on and the other one stands by."""
    folder, first, second, c = pair
    ends(c)
    copied(folder, c, "old")
    c.start(SHARDD_FAIL_AT=at)
    c.ctl_raw("failover", "only")
    c.process.wait(60)
    c.log.close()
    old = old_one(folder, c)
    try:
        assert ("an old copy" in duty(old)) == told
        if not told:
            wait_for("its primary", lambda: roles(first) == [(0, None)])
            ask(first, "INSERT INTO t VALUES (1)", "app")
    finally:
        ends(old)
    c.start()
    assert ("an old copy" in duty(c)) == (not told)
    if told:
        wait_for("its primary", lambda: roles(first, second) == [(1, second.port), (0, None)])
    else:
        assert roles(first) == [(0, None)] and "shardctl recover" in duty(c)


def test_what_cannot_begin_is_tried_again_and_told_once(scratch):
    c = Controller(scratch / "late", shards=1)
    try:
        wait_for("its row", lambda: holder(c))
        c.kill()
        with pymysql.connect(**c_socket(c)) as root, root.cursor() as cursor:
            cursor.execute("UPDATE shardd_move.holder SET generation = generation + 1000")
            c.start()
            assert "an old copy" in duty(c)
            cursor.execute("DROP DATABASE shardd")
            cursor.execute("DELETE FROM mysql.procs_priv WHERE Db = 'shardd'")
            (c.home / "shard-1" / "data" / "shardd").write_text("in the way")
            cursor.execute("DELETE FROM shardd_move.holder")
            log = c.home.parent / (c.home.name + ".log")
            wait_for("its words", lambda: "cannot begin yet" in log.read_text())
            since = c.json("status")["uptime_s"]
            wait_for("some time", lambda: c.json("status")["uptime_s"] > since + 2)
            assert log.read_text().count("cannot begin yet") == 1
            (c.home / "shard-1" / "data" / "shardd").unlink()
            wait_for("its duty", lambda: not duty(c))
            assert c.fsck() == []
    finally:
        c.stop()


def holder(c):
    """None: there is no such table yet."""
    with contextlib.suppress(pymysql.err.ProgrammingError):
        return c.on(0, "SELECT holder FROM holder", db="shardd_move")


def c_socket(c):
    """As root, while no controller answers."""
    folder = c.home / "shard-1"
    password = (folder / "init.sql").read_text().rsplit("PASSWORD('", 1)[1].split("'")[0]
    return {"unix_socket": str(c.home / "shard-1.sock"), "user": "root", "password": password,
            "autocommit": True}
