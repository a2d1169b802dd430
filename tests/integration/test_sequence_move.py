"""test_sequence_move.py - SEQUENCEs go with their database to another home and back: no number is
given twice, wherever the controller dies meanwhile."""
import pymysql
import pytest

import movebed
from testbed import Cluster, wait_for


class Counter(movebed.Load):
    """An application that numbers things, by itself and by the default of a column."""

    def begin(self, cursor):
        self.up, self.down, self.ids = [], [], []

    def step(self, cursor):
        for name, seen in ("up", self.up), ("down", self.down):
            cursor.execute(f"SELECT NEXTVAL({name})")
            seen.append(cursor.fetchone()[0])
        cursor.execute("INSERT INTO g (v) VALUES (%s)", (self.done,))
        cursor.execute("SELECT NEXT VALUE FOR up")
        self.up.append(cursor.fetchone()[0])


@pytest.fixture
def homed(scratch, request):
    c = Cluster(scratch / f"q-{request.node.name[-10:]}", shards=2, settings=["--no-engine"])
    try:
        for sql in (
                "CREATE SEQUENCE up START WITH 10 INCREMENT BY 3",
                "CREATE SEQUENCE down START WITH -1 INCREMENT BY -1 CACHE 5 MINVALUE -9000000",
                "CREATE SEQUENCE few START WITH 1 MAXVALUE 2 NOCACHE",
                "CREATE SEQUENCE ids",
                "CREATE TABLE g (id BIGINT PRIMARY KEY DEFAULT NEXTVAL(ids), v INT)"
                " COMMENT 'shardd: global'"):
            c.sql(sql)
        yield c
    finally:
        c.finish()


def counting(c):
    bed = movebed.Bed.__new__(movebed.Bed)
    bed.cluster, bed.pause = c, 0.002
    bed.stop, bed.hold = movebed.threading.Event(), movebed.threading.Event()
    counter = Counter(bed, 1)
    counter.start()
    wait_for("some numbers", lambda: counter.done > 20 or counter.wrong, 30)
    return bed, counter


def goes_on(counter):
    seen = counter.done
    wait_for("more numbers", lambda: counter.done > seen + 20 or counter.wrong, 60)


def check(c, bed, counter):
    bed.stop.set()
    counter.join(60)
    assert counter.wrong == []
    for seen in counter.up, counter.down:
        assert len(set(seen)) == len(seen)
    assert counter.up == sorted(counter.up)
    assert counter.down == sorted(counter.down, reverse=True)
    assert c.sql("SELECT COUNT(*), COUNT(DISTINCT id) FROM g")[0][0] >= counter.done


def there(c, shard):
    """The SEQUENCEs on this shard's server."""
    return {name for (name,) in c.on_shard(shard, "SELECT TABLE_NAME FROM information_schema.TABLES"
                                           " WHERE TABLE_SCHEMA = 'app' AND"
                                           " TABLE_TYPE = 'SEQUENCE'")}


def one(c, sql):
    return c.sql(sql)[0][0]


def test_they_go_there_and_back(homed):
    c = homed
    assert [one(c, "SELECT NEXTVAL(few)") for _ in range(2)] == [1, 2]
    home, other = c.shard_list()
    bed, counter = counting(c)
    done = c.ctl_raw("shard drain", home["name"], "--wait", timeout=120)
    assert done.returncode == 0, done
    goes_on(counter)
    assert there(c, other) == {"up", "down", "few", "ids"}
    with pytest.raises(pymysql.err.MySQLError, match="(?i)run out"):
        c.sql("SELECT NEXTVAL(few)")
    # What is changed there is there when all goes back, though the old home has those of before.
    c.on_shard(other, "ALTER SEQUENCE few MAXVALUE 9 INCREMENT BY 2 RESTART WITH 5", "app")
    assert one(c, "SELECT NEXTVAL(few)") == 5
    done = c.ctl_raw("reshard reverse", "--wait", timeout=120)
    assert done.returncode == 0, done
    goes_on(counter)
    assert [one(c, "SELECT NEXTVAL(few)") for _ in range(2)] == [7, 9]
    assert there(c, home) == {"up", "down", "few", "ids"} and there(c, other) == set()
    # At most what the server has in its cache is left out: it forgets that for a snapshot.
    check(c, bed, counter)
    last = one(c, "SELECT NEXTVAL(up)")
    done = c.ctl_raw("shard drain", home["name"], "--no-reverse", "--wait", timeout=120)
    assert done.returncode == 0, done
    assert one(c, "SELECT NEXTVAL(up)") in range(last + 3, last + 3004, 3)
    assert [s["name"] for s in c.shard_list()] == [other["name"]]
    assert c.ctl_raw("fsck").returncode == 0


def test_a_home_without_rows(scratch):
    """Nothing moves but the home itself."""
    c = Cluster(scratch / "bare", shards=2, settings=["--no-engine"])
    try:
        c.sql("CREATE SEQUENCE s")
        assert one(c, "SELECT NEXTVAL(s)") == 1
        home, other = c.shard_list()
        done = c.ctl_raw("shard drain", home["name"], "--no-reverse", "--wait", timeout=120)
        assert done.returncode == 0, done
        assert one(c, "SELECT NEXTVAL(s)") == 2 and there(c, other) == {"s"}
    finally:
        c.finish()


@pytest.mark.parametrize("at", ["sequence-taken", "sequence-put", pytest.param(
    "cutover-sequences", marks=pytest.mark.long), "cutover-catalog", pytest.param(
    "cutover-published", marks=pytest.mark.long)])
def test_the_controller_dies_amid_it(homed, at):
    c = homed
    home, other = c.shard_list()
    movebed.restart(c, SHARDD_FAIL_AT=at)
    bed, counter = counting(c)
    c.ctl_raw("shard drain", home["name"])
    wait_for("the controller's end", lambda: movebed.controller(c) is None, 60)
    movebed.restart(c)
    wait_for("the switch", lambda: c.ctl("database show", "app")["home"] == other["name"], 60)
    goes_on(counter)
    check(c, bed, counter)
    assert there(c, other) == {"up", "down", "few", "ids"}
