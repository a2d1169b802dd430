"""A primary that is cut off and lives on, with a client that stays with it: two halves, and only
what the half with the replica has was ever answered. The servers are somebody else's."""
import contextlib
import threading
import time

import pymysql
import pytest

import testbed
from outagebed import Wire
from testbed import wait_for

SETTINGS = """log_bin=b
binlog_format=ROW
log_slave_updates=1
gtid_strict_mode=1
server_id={id}
gtid_domain_id=77
rpl_semi_sync_slave_enabled=ON
"""
WAITS = """rpl_semi_sync_master_enabled=ON
rpl_semi_sync_master_wait_point=AFTER_SYNC
rpl_semi_sync_master_timeout=604800000
"""


class Writer(threading.Thread):
    """Inserts one row after the other; `told` are those that it was told are there."""

    def __init__(self, connect, first):
        super().__init__(daemon=True)
        self.open, self.next, self.told, self.errors = connect, first, [], []
        self.over = threading.Event()
        self.start()

    def run(self):
        while not self.over.is_set():
            with contextlib.suppress(pymysql.err.MySQLError, OSError), self.open() as app, \
                    app.cursor() as cursor:
                while not self.over.is_set():
                    self.next += 1
                    try:
                        cursor.execute("INSERT INTO t VALUES (%s)", (self.next,))
                    except pymysql.err.MySQLError as error:
                        self.errors.append(error.args)
                        raise
                    self.told.append(self.next)
                    time.sleep(0.005)
            time.sleep(0.05)

    def goes_on(self):
        before = len(self.told)
        wait_for("the writer", lambda: len(self.told) > before, 60)

    def stop(self):
        self.over.set()
        self.join(60)
        assert not self.is_alive()


@pytest.fixture
def halves(scratch):
    """A cluster with a shard `far` behind a wire, and its replica beside shardd."""
    primary = testbed.Server(scratch / "p", settings=SETTINGS.format(id=901) + WAITS)
    replica = testbed.Server(scratch / "r", settings=SETTINGS.format(id=902) + "read_only=1\n")
    wire = Wire(primary.port)
    for server in primary, replica:  # the cluster's own app takes the place of theirs
        with server.connect() as app, app.cursor() as cursor:
            cursor.execute("SET sql_log_bin = 0")
            cursor.execute("GRANT ALL ON *.* TO boss@'%' IDENTIFIED BY 'x' WITH GRANT OPTION")
    replica.sql("CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = %s,"
                " MASTER_USER = 'boss', MASTER_PASSWORD = 'x', MASTER_USE_GTID = slave_pos,"
                " MASTER_CONNECT_RETRY = 1,"
                " MASTER_HEARTBEAT_PERIOD = 1", (wire.port,))
    replica.sql("SET GLOBAL slave_net_timeout = 3")
    replica.sql("START SLAVE")
    c = testbed.Cluster(scratch / "c", shards=1, workers=1, settings=["--no-engine"])
    login = "--user", "boss", "--password", "x"
    c.ctl("shard add", "--static", f"127.0.0.1:{wire.port}", "--name", "far", *login)
    c.ctl("replica add", "far", "--name", "near", "--provisioner", "static", "--address",
          f"127.0.0.1:{replica.port}", *login)
    c.ctl("database create", "away", "--home-shard", "far", "--policy", "global")
    try:
        yield c, primary, replica, wire
    finally:
        wire.mend()
        try:
            c.finish()
        finally:
            wire.close()
            primary.stop(9)
            replica.stop(9)


def ask(server, sql):
    with server.connect("boss", "x") as boss, boss.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def start_with(c, server, settings):
    server.stop()
    text = server.defaults.read_text()
    server.defaults.write_text(text[:text.index(WAITS.split("=")[0])] + settings)
    server.start()
    wait_for("the replica", lambda: c.replica_list()[0].get("replicates"))


@pytest.mark.long
def test_a_primary_that_is_cut_off(halves):
    c, primary, replica, wire = halves
    start_with(c, primary, WAITS.replace("rpl_semi_sync_master_timeout=604800000\n", ""))
    done = c.ctl_raw("shard set", "far", "--semi-sync", "on")
    assert done.returncode == 1 and "rpl_semi_sync_master_timeout" in done.stderr, done.stderr
    start_with(c, primary, WAITS)
    c.ctl("shard set", "far", "--semi-sync", "on")
    c.sql("CREATE TABLE t (id BIGINT PRIMARY KEY)", db="away")
    ask(primary, "GRANT SELECT, INSERT ON away.* TO plain@'%' IDENTIFIED BY 'x'")
    ours = Writer(lambda: c.connect(db="away", read_timeout=60), 0)
    stubborn = Writer(lambda: primary.connect("plain", "x", "away", read_timeout=120), 1 << 40)
    try:
        ours.goes_on()
        stubborn.goes_on()
        wire.cut()
        wait_for("another primary", lambda: c.ctl("shard show", "far")["primary"] == "near", 60)
        ours.goes_on()
        held = len(stubborn.told)
        ours.goes_on()
        assert len(stubborn.told) == held  # its commit waits for a replica that does not listen
        # The wire is mended: the server is closed, and whoever was there is cut off.
        wire.mend()
        wait_for("its end", lambda: ask(primary, "SELECT @@read_only") == ((1,),), 60)
        wait_for("its refusal", lambda: any(e[0] == 1290 for e in stubborn.errors), 60)
        ours.goes_on()
    finally:
        ours.stop()
        stubborn.stop()
    rows = {r[0] for r in c.sql("SELECT id FROM t", db="away")}
    assert set(ours.told) <= rows and set(stubborn.told) <= rows
    assert rows == {r[0] for r in ask(replica, "SELECT id FROM away.t")}
    (lost,) = c.replica_list()
    assert "replaced" in lost["suspect"]
    assert "seed it anew yourself" in c.ctl_raw("server reseed", lost["replica"]).stderr
    c.ctl("replica remove", lost["replica"])
