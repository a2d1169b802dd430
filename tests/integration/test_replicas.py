"""Replicas: copies that come while applications write, servers that replicate already, and what
is refused."""
import os
import signal
import subprocess
import threading

import pymysql
import pytest

import testbed
from testbed import wait_for


def rows_of(c, server, table="t"):
    with c.server_connect(server, "app") as root, root.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} ORDER BY 1")
        return cursor.fetchall()


def position(c, shard):
    return c.on_shard(shard, "SELECT @@gtid_binlog_pos")[0][0]


def caught_up(c, shard, replica):
    with c.server_connect(replica) as root, root.cursor() as cursor:
        cursor.execute("SELECT MASTER_GTID_WAIT(%s, 60)", position(c, shard))
        assert cursor.fetchall() == ((0,),)


def names(c):
    return [r["replica"] for r in c.replica_list()]


def wrong(c, verb, *args, says):
    done = c.ctl_raw(verb, *args)
    assert done.returncode != 0 and says in done.stderr, done.stderr


def test_every_shard_has_them(replicated):
    c = replicated
    c.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, n INT)")
    c.sql("INSERT INTO t VALUES " + ",".join(f"({i}, {i})" for i in range(200)))
    for shard in c.shard_list():
        mine = wait_for("two that are well", lambda s=shard: (mine := [
            r for r in c.replica_list() if r["shard"] == s["name"] and r.get("replicates")
            and r["answers"]]) and len(mine) == 2 and mine)
        for replica in mine:
            assert replica["state"] == "serving"
            caught_up(c, shard, replica)
            assert rows_of(c, replica) == rows_of(c, shard)
            with c.server_connect(replica) as root, root.cursor() as cursor:
                cursor.execute("SELECT @@read_only, @@gtid_domain_id, @@server_id")
                assert cursor.fetchall() == ((1, shard["id"], replica["id"]),)
    shown = c.ctl("shard show", "shard-1")
    assert [r["replica"] for r in shown["replicas"]] == ["replica-1", "replica-2"]
    c.sql("DROP TABLE t")


def test_one_comes_while_applications_write(new_cluster):
    c = new_cluster(shards=1)
    c.sql("CREATE TABLE t (id BIGINT AUTO_INCREMENT PRIMARY KEY, n INT)")
    stop, wrote = threading.Event(), []

    def write():
        with c.connect() as app, app.cursor() as cursor:
            while not stop.is_set():
                cursor.execute("INSERT INTO t (n) VALUES (1)")
                wrote.append(cursor.lastrowid)
    writer = threading.Thread(target=write)
    writer.start()
    try:
        c.ctl("replica add", "shard-1", "--name", "r", "--weight", 7, "--zone", "east")
    finally:
        stop.set()
        writer.join()
    (shard,), (replica,) = c.shard_list(), c.replica_list()
    assert (replica["replica"], replica["weight"], replica["zone"]) == ("r", 7, "east")
    caught_up(c, shard, replica)
    assert [r[0] for r in rows_of(c, replica)] == wrote and len(wrote) > 10
    # The schema follows, and so do the accounts.
    c.sql("ALTER TABLE t ADD COLUMN m INT")
    c.ctl("user add", "anna", "--password", "x")
    caught_up(c, shard, replica)
    assert len(rows_of(c, replica)[0]) == 3
    with c.server_connect(replica) as root, root.cursor() as cursor:
        assert cursor.execute("SELECT 1 FROM mysql.global_priv WHERE User = 'anna'") == 1
    # It is started again when it dies, and goes on.
    os.kill(replica["pid"], signal.SIGKILL)
    c.sql("INSERT INTO t (n) VALUES (2)")
    wait_for("the replica", lambda: c.replica_list()[0].get("replicates"))
    caught_up(c, shard, replica)
    assert rows_of(c, replica)[-1][1] == 2
    # And with the cluster.
    c.down()
    c.up()
    wait_for("the replica", lambda: c.replica_list()[0].get("replicates"))
    # States, and the end.
    c.ctl("server drain", "r")
    assert c.replica_list()[0]["state"] == "draining"
    c.ctl("server disable", "r")
    assert c.replica_list()[0]["state"] == "disabled"
    c.ctl("server enable", "r")
    c.ctl("replica set", "r", "--zone", "", "--weight", 1)
    assert (c.replica_list()[0]["zone"], c.replica_list()[0]["state"]) == ("", "serving")
    c.ctl("replica remove", "r")
    assert not c.replica_list() and not (c.home / "replica-1").exists()


def test_what_is_refused(replicated):
    c = replicated
    wrong(c, "replica add", "nowhere", says="there is no shard nowhere")
    wrong(c, "replica add", "shard-1", "--name", "replica-1", says="already")
    wrong(c, "replica add", "shard-1", "--weight", 101, says="from 1 to 100")
    wrong(c, "replica add", "shard-1", "--zone", "z" * 33, says="longer than 32")
    wrong(c, "replica add", "shard-1", "--memory", "1G", says="no limits")
    wrong(c, "replica add", "shard-1", "--provisioner", "static", says="--address")
    wrong(c, "replica remove", "nobody", says="there is no replica nobody")
    wrong(c, "replica set", "replica-1", says="--weight")
    wrong(c, "server disable", "nobody", says="there is no replica nobody")
    wrong(c, "user set", "app", "--consistency", "weak", says="consistency")
    wrong(c, "database set", "app", "--consistency", "weak", says="consistency")
    assert len(names(c)) == 4


def test_consistency_is_kept(replicated):
    c = replicated
    c.ctl("user set", "app", "--consistency", "causal")
    assert c.ctl("user show", "app")["consistency"] == "causal"
    c.ctl("user set", "app", "--consistency", "default")
    assert not c.ctl("user show", "app")["consistency"]
    c.ctl("database set", "app", "--consistency", "eventual")
    assert c.ctl("database show", "app")["consistency"] == "eventual"
    c.ctl("database set", "app", "--consistency", "default")


@pytest.mark.parametrize("at", [
    "replica-copied", *(pytest.param(p, marks=pytest.mark.long) for p in (
        "replica-planned", "replica-created", "replica-started", "replica-caught-up"))])
def test_a_controller_dies_meanwhile(scratch, at):
    c = testbed.Cluster(scratch / f"d{at[-5:]}", shards=1, workers=1, settings=["--no-engine"])
    try:
        c.sql("CREATE TABLE t (id INT PRIMARY KEY)")
        c.down()
        c.up(SHARDD_FAIL_AT=at)
        assert c.ctl_raw("replica add", "shard-1").returncode != 0
        c.up()
        assert not c.replica_list() and not (c.home / "replica-1").exists()
        assert not [p for p in testbed.processes_of(c.home / "replica-1")]
        c.ctl("replica add", "shard-1")
        wait_for("it to replicate", lambda: c.replica_list()[0].get("replicates"))
    finally:
        c.finish()


class Static:
    """A replica that somebody else has set up: from the template that the shard began with, and
    all of the shard's binary log."""

    def __init__(self, c, folder, more=""):
        self.c, (self.shard, *_) = c, c.shard_list()
        folder.mkdir()
        subprocess.run(["cp", "-a", c.home / "template", folder / "data"], check=True)
        c.on_shard(self.shard, "GRANT REPLICATION SLAVE ON *.* TO copy@'%' IDENTIFIED BY 'x'")
        (folder / "init.sql").write_text(
            "SET sql_log_bin = 0;\nDELETE FROM mysql.global_priv WHERE User = '';\n"
            "FLUSH PRIVILEGES;\nGRANT ALL ON *.* TO boss@'%' IDENTIFIED BY 'x' WITH GRANT OPTION;")
        self.server = testbed.Server.__new__(testbed.Server)
        self.server.folder, self.server.data = folder, folder / "data"
        self.server.socket, self.server.port = folder / "s", testbed.free_port()
        self.server.process, self.server.defaults = None, folder / "my.cnf"
        self.server._answers = self.answers
        self.server.defaults.write_text(
            testbed.SMALL + "log_bin=b\nbinlog_format=ROW\nserver_id=77\ngtid_strict_mode=1\n"
            f"log_slave_updates=1\ninit_file={folder}/init.sql\nread_only=1\n" + more)
        self.server.start()

    def answers(self):
        try:
            self.connect().close()
            return True
        except pymysql.err.OperationalError:
            return False

    def connect(self):
        return pymysql.connect(host="127.0.0.1", port=self.server.port, user="boss", password="x")

    def run(self, *statements):
        with self.connect() as boss, boss.cursor() as cursor:
            for sql in statements:
                cursor.execute(sql)

    def follow(self, port=None):
        self.run("STOP SLAVE", "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = "
                 f"{port or self.shard['port']}, MASTER_USER = 'copy', MASTER_PASSWORD = 'x',"
                 " MASTER_USE_GTID = slave_pos", "START SLAVE")

    def replicates(self):
        with self.connect() as boss, boss.cursor(pymysql.cursors.DictCursor) as cursor:
            cursor.execute("SHOW SLAVE STATUS")
            row = cursor.fetchone()
            return row["Slave_IO_Running"] == row["Slave_SQL_Running"] == "Yes"

    def add(self):
        return ("shard-1", "--provisioner", "static", "--address",
                f"127.0.0.1:{self.server.port}", "--user", "boss", "--password", "x")


def test_a_server_that_replicates_already(new_cluster, scratch):
    c = new_cluster(shards=2)
    c.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, n INT)")
    c.sql("INSERT INTO t VALUES " + ",".join(f"({i}, {i})" for i in range(50)))
    static = Static(c, scratch / "static")
    try:
        wrong(c, "replica add", *static.add(), says="replicates nothing")
        static.follow(c.shard_list()[1]["port"])
        wrong(c, "replica add", *static.add(), says="")
        static.follow()
        static.run("SET GLOBAL read_only = OFF")
        wait_for("the copy", lambda: c.ctl_raw("replica add", *static.add()).stderr.count(
            "can be written to"))
        static.run("SET GLOBAL read_only = ON")
        c.ctl("replica add", *static.add())
        wrong(c, "replica add", *static.add(), says="already")
        wait_for("it to replicate", lambda: c.replica_list()[0].get("replicates"))
        (replica,) = c.replica_list()
        assert replica["provisioner"] == "static"
        assert (replica["user"], replica["port"]) == ("shardd_admin", static.server.port)
        c.ctl("replica remove", "replica-1" if "replica-1" in names(c) else names(c)[0])
        static.run("SELECT 1")  # it is left alone
    finally:
        static.server.stop()


@pytest.mark.long
def test_a_new_shard_has_as_many(new_cluster):
    """A split makes it; its rows come, and its replicas have them."""
    c = new_cluster(shards=1)
    c.ctl("replica add", "shard-1")
    c.ctl("shard set", "shard-1", "--semi-sync", "on", "--reseed", "auto")
    c.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, n INT)")
    c.sql("INSERT INTO t VALUES " + ",".join(f"({i}, {i})" for i in range(500)))
    done = c.ctl_raw("reshard split", "shard-1", "--wait", timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    second = next(s for s in c.shard_list() if s["name"] == "shard-2")
    assert second["semi_sync"] and second["reseed"] == "auto"
    (replica,) = [r for r in c.replica_list() if r["shard"] == "shard-2"]
    caught_up(c, second, replica)
    assert 0 < len(rows_of(c, replica)) < 500
    done = c.ctl_raw("reshard complete", "--wait", timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    # A planned change works on the new shard as well.
    c.ctl("failover", "shard-2")
    wait_for("the replica", lambda: all(r.get("replicates") for r in c.replica_list()))
