"""test_way.py - the way in and the way out: a server with an application on it is adopted, its
table sharded, servers join, all is brought back to it, and it works without shardd. The
application notices nothing but two other addresses."""
import pymysql
import pytest

import movebed
from test_table_move import ITEMS, Bed, Worker, kind
from testbed import Cluster, Server, wait_for

BINLOG = "log_bin=binlog\nbinlog_format=ROW\nserver_id=77\n"


class Traveller(Worker):
    """Goes to another address when it is told so, between two statements."""

    def begin(self, cursor):
        super().begin(cursor)
        self.at = self.own = None

    def step(self, cursor):
        if self.at is not self.bed.address(self.number):
            self.at = self.bed.address(self.number)
            self.own = self.at.connect(db="app").cursor()
        super().step(self.own)


class Journey(Bed):
    def __init__(self, start, plain):
        self.cluster, self.plain, self.pause, self.numbers = start, plain, 0.005, True
        self.stop, self.hold = movebed.threading.Event(), movebed.threading.Event()
        self.last = None  # where the second one stays for longer
        for server in start, plain:
            server.sql(ITEMS.replace(" COMMENT 'shardd: global'", ""), db="app")
        self.threads = [Traveller(self, i + 1) for i in range(3)]

    def address(self, number):
        return self.last if self.last and number == 2 else self.cluster

    def compare(self):
        sql = "SELECT * FROM items ORDER BY id"
        ours, theirs = self.cluster.sql(sql, db="app"), self.plain.sql(sql, db="app")
        assert len({row[0] for row in ours}) == len(ours)
        return [] if ours == theirs else [f"{len(ours)} rows, not {len(theirs)}"]

    def goes_on(self):
        seen = [t.done for t in self.threads]
        wait_for("the application", lambda: self.check() or all(
            t.done > s + 5 for t, s in zip(self.threads, seen)), 60)
        assert self.check() == []


def wait_ctl(c, *words):
    done = c.ctl_raw(*words, "--no-reverse", "--wait", timeout=120)
    assert done.returncode == 0, done
    wait_for("the end of the job", lambda: c.ctl("job list")["jobs"][0]["state"] == "done", 60)


def all_of(server):
    """Schemas and accounts."""
    names = [name for (name,) in server.sql("SHOW DATABASES")]
    return names, server.sql("SELECT User, Host FROM mysql.global_priv ORDER BY 1, 2")


@pytest.fixture
def theirs(scratch):
    server = Server(scratch / "theirs", settings=BINLOG)
    server.sql("CREATE DATABASE app")
    yield server
    server.stop()


def test_in_and_out(theirs, mirror, scratch):
    theirs.sql("CREATE TABLE parent (id INT PRIMARY KEY)", db="app")
    theirs.sql("CREATE TABLE child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent"
               " (id) ON DELETE CASCADE)", db="app")
    theirs.sql("CREATE VIEW parents AS SELECT COUNT(*) AS n FROM parent", db="app")
    theirs.sql("CREATE PROCEDURE count_them() SELECT n FROM parents", db="app")
    theirs.sql("INSERT INTO parent VALUES (1), (2)", db="app")
    before = all_of(theirs)
    bed = Journey(theirs, mirror)
    bed.start()
    cluster = Cluster(scratch / "way", shards=1)
    try:
        bed.goes_on()
        cluster.ctl("shard add", "--adopt", f"127.0.0.1:{theirs.port}", "--user", "app",
                    "--password", "app", "--name", "mine")
        bed.cluster = cluster
        bed.goes_on()
        refused = cluster.ctl_raw("shard release", "mine")
        assert refused.returncode == 1 and "shard drain shard-1 --to mine" in refused.stderr
        wait_ctl(cluster, "shard drain", "shard-1", "--to", "mine")
        wait_for("the shard to be gone", lambda: len(cluster.shard_list()) == 1, 30)
        plan = cluster.ctl_raw("table set", "app.items", "--key", "id", "--dry-run")
        assert "CALL" in plan.stdout, plan  # a procedure that nobody could call meanwhile
        wait_ctl(cluster, "table set", "app.items", "--key", "id")
        bed.goes_on()
        for _ in range(2):
            cluster.ctl("shard add")
        wait_ctl(cluster, "reshard rebalance")
        bed.goes_on()
        assert kind(cluster, "items") == "sharded id"
        assert all(cluster.on_shard(s, "SELECT COUNT(*) FROM items", "app")[0][0] > 0
                   for s in cluster.shard_list() if s["name"] != "mine")
        assert cluster.sql("SELECT n FROM parents") == ((2,),)
        cluster.fsck()
        for name in [s["name"] for s in cluster.shard_list() if s["name"] != "mine"]:
            wait_ctl(cluster, "shard drain", name, "--to", "mine")
        wait_for("one shard", lambda: len(cluster.shard_list()) == 1, 30)
        assert cluster.ctl_raw("shard release", "mine", "--forget").returncode == 1
        done = cluster.ctl_raw("shard release", "mine")
        assert done.returncode == 0 and f"127.0.0.1:{theirs.port}" in done.stdout, done
        assert kind(cluster, "items") == "global"
        bed.last, bed.cluster = cluster, theirs  # one by shardd for a while yet
        bed.goes_on()
        cluster.fsck()
        bed.last = None
        bed.goes_on()
        done = cluster.ctl_raw("shard release", "mine", "--forget")
        assert done.returncode == 0, done
        assert cluster.shard_list() == []
        bed.goes_on()
    finally:
        wrong = bed.end()
        cluster.check = False  # it has nothing
        cluster.finish()
    assert wrong == []
    assert all_of(theirs) == before
    assert theirs.sql("CALL count_them()", db="app") == ((2,),)
    theirs.sql("INSERT INTO child VALUES (1, 1)", db="app")
    theirs.sql("DELETE FROM parent", db="app")
    assert theirs.sql("SELECT COUNT(*) FROM child", db="app") == ((0,),)
    with pytest.raises(pymysql.err.MySQLError):
        theirs.connect(user="shardd_admin", password="")
