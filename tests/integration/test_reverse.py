"""test_reverse.py - the way back of a move: it is taken when it is asked for, whatever the clocks
of applications say, also after a switch that did not come about; and who asked is told what it
waits for, and when there is no way back."""
import itertools
import os
import pathlib
import signal
import threading
import time

import pymysql
import pytest

import whatnow
from movebed import controller, restart
from test_table_move import Bed, kind, loaded
from testbed import Cluster, alive, wait_for

ROWS = 120
LONG_AGO = 1_000_000_000


@pytest.fixture(scope="module")
def c(scratch):
    cluster = Cluster(scratch / "reverse", shards=3)
    yield cluster
    cluster.finish()


def the_job(c):
    return c.ctl("job show", c.ctl("job list")["jobs"][0]["number"])


def problem(c):
    return the_job(c).get("problem", "")


@pytest.fixture
def things(c):
    """A table without a load, sharded by `owner`."""
    c.sql("CREATE TABLE things (id INT NOT NULL, owner INT NOT NULL, n INT NOT NULL,"
          " PRIMARY KEY (id, owner)) COMMENT 'shardd: key(owner)'")
    c.sql("INSERT INTO things VALUES " + ",".join(f"({i}, {i + 1000}, 0)" for i in range(ROWS)))
    yield "things"
    c.sql("DROP TABLE things")


def switch(c):
    done = c.ctl_raw("table set", "app.things", "--key", "id", "--wait", timeout=120)
    assert done.returncode == 0 and kind(c, "things") == "sharded id", done


def end(c):
    assert c.ctl_raw("reshard complete", "--wait", timeout=120).returncode == 0
    assert kind(c, "things") == "sharded id"
    c.fsck()


def copies(c):
    """{id: the shards that have the row}, old copies as well."""
    found = {}
    for shard in c.shard_list():
        for (i,) in c.on_shard(shard, "SELECT id FROM things", "app"):
            found.setdefault(i, []).append(shard)
    return found


def old_copy(c, i):
    """Of a row that has moved: (where it was, its id)."""
    moved = sorted(i for i, shards in copies(c).items() if len(shards) == 2)[i]
    explained = c.ctl_raw("explain", f"SELECT * FROM things WHERE id = {moved}").stdout
    return next(s for s in copies(c)[moved] if s["name"] not in explained.split("\n\n")[0]), moved


# --- a switch that does not come about ------------------------------------------------------------

def stopped_at(c, point, verb, *args):
    """What is asked for stands still at this point, longer than statements may wait."""
    restart(c, SHARDD_STOP_AT=point)
    pid = controller(c)
    done = c.ctl_raw(verb, *args)
    assert done.returncode == 0, done

    def stands():
        assert alive(pid)
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
        return text.rsplit(")", 1)[1].split()[0] == "T"
    wait_for(f"the stop at {point}", stands, 60)
    time.sleep(0.5)
    os.kill(pid, signal.SIGCONT)
    text = "did not take place, at the step 'journal'"
    wait_for("the switch to be undone",
             lambda: any(text in line for line in whatnow.log_of(c, "shardctl.log")))


def rests(c, want):
    def is_there():
        job = the_job(c)
        assert job["state"] in ("running", "done"), job
        return kind(c, "items") == want and (job["state"] == "done" or job["phase"] == "reverse")
    wait_for(f"the table to be {want}", is_there, 60)


def test_a_switch_comes_too_late(c, mirror):
    """Positions of streams are written already, on shards that are sources and targets: where
    appliers have their own."""
    def there():
        stopped_at(c, "cutover-reverse", "table set", "app.items", "--key", "id")
        rests(c, "sharded id")

    def back():
        stopped_at(c, "cutover-reverse", "reshard reverse")
        rests(c, "sharded owner")
        assert the_job(c)["end"] == "reversed"

    bed = Bed(c, mirror, workers=3)
    done = c.ctl_raw("table set", "app.items", "--key", "owner", "--no-reverse", "--wait")
    assert done.returncode == 0, done
    loaded(c, bed, there, back)


# --- what the clocks say --------------------------------------------------------------------------

class Writer(threading.Thread):
    """Never pauses, and says to its servers that it is long ago."""

    def __init__(self, c, first, step):
        super().__init__(daemon=True)
        self.c, self.ids = c, itertools.cycle(range(first, ROWS, step))
        self.stop, self.done, self.wrong = threading.Event(), 0, None

    def run(self):
        try:
            with self.c.connect(read_timeout=60) as connection, connection.cursor() as cursor:
                cursor.execute(f"SET timestamp = {LONG_AGO}")
                while not self.stop.is_set():
                    i = next(self.ids)
                    cursor.execute("UPDATE things SET n = n + 1 WHERE id = %s AND owner = %s",
                                   (i, i + 1000))
                    self.done += 1
        except (pymysql.err.MySQLError, OSError) as error:
            self.wrong = error


def test_it_is_long_ago_for_applications(c, things):
    """So the log's timestamps are old for ever, and it never pauses long enough for a heartbeat."""
    writers = [Writer(c, i, 4) for i in range(4)]
    before = c.spread(things)
    for writer in writers:
        writer.start()
    try:
        wait_for("some writes", lambda: sum(w.done for w in writers) > 200)
        done = c.ctl_raw("reshard merge", "shard-1", "--to", "shard-2", "--wait", timeout=120)
        assert done.returncode == 0, done
        count = sum(w.done for w in writers)
        done = c.ctl_raw("reshard reverse", "--wait", timeout=120)
        assert done.returncode == 0 and c.spread(things) == before, done
        assert sum(w.done for w in writers) > count
    finally:
        for writer in writers:
            writer.stop.set()
            writer.join(60)
    assert [w.wrong for w in writers] == [None] * 4
    assert c.sql("SELECT SUM(n) FROM things") == ((sum(w.done for w in writers),),)
    c.fsck()


# --- waiting, and not being able to ---------------------------------------------------------------

def test_it_says_what_it_waits_for(c, things):
    switch(c)
    shard, i = old_copy(c, 0)
    with c.shard_connect(shard, "app") as holder, holder.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(f"SELECT * FROM things WHERE id = {i} FOR UPDATE")
        c.sql(f"UPDATE things SET n = 7 WHERE id = {i}")
        wait_for("the stream to be behind", lambda: the_job(c)["progress"]["lag_s"] > 3)
        assert problem(c) == ""
        assert c.ctl_raw("reshard reverse").returncode == 0
        said = wait_for("it to say so", lambda: problem(c))
        assert "when the old copies are current" in said and "s behind" in said, said
        assert the_job(c)["phase"] == "reverse" and kind(c, things) == "sharded id"
        cursor.execute("ROLLBACK")
    wait_for("the end", lambda: the_job(c)["state"] == "done")
    assert the_job(c)["end"] == "reversed" and kind(c, things) == "sharded owner"
    assert c.sql(f"SELECT n FROM things WHERE id = {i}") == ((7,),)
    c.fsck()


@pytest.mark.parametrize("sql, says", [
    ("DELETE FROM things WHERE id = {id}", "is missing"),
    ("UPDATE things SET n = 9 WHERE id = {id}", "the copies are not"),
], ids=["the stream has ended", "the copies differ"])
def test_there_is_no_way_back(c, things, sql, says):
    """Who waits for it is told so, and the move can be completed."""
    switch(c)
    shard, i = old_copy(c, 0)
    c.on_shard(shard, sql.format(id=i), "app")
    if says == "is missing":
        c.sql(f"UPDATE things SET n = 1 WHERE id = {i}")
        wait_for("the stream's end", lambda: the_job(c)["reversible"] is False)
    done = c.ctl_raw("reshard reverse", "--wait")
    assert done.returncode == 1 and "cannot be reversed" in done.stderr, done
    assert says in done.stderr, done
    assert kind(c, things) == "sharded id" and the_job(c)["phase"] == "reverse"
    end(c)


# --- transactions that are older ------------------------------------------------------------------

class Onlooker(threading.Thread):
    """While it reads them, InnoDB shows the transactions of before."""

    def __init__(self, c, shard):
        super().__init__(daemon=True)
        self.connection, self.stop, self.looks = c.shard_connect(shard), threading.Event(), 0

    def run(self):
        with self.connection as connection, connection.cursor() as cursor:
            while not self.stop.wait(0.001):
                cursor.execute("SELECT COUNT(*) FROM information_schema.INNODB_TRX")
                self.looks += 1


def test_older_transactions_are_seen(c, things):
    """Also when their server shows an old list of them."""
    onlookers = [Onlooker(c, shard) for shard in c.shard_list() * 3]
    for onlooker in onlookers:
        onlooker.start()
    try:
        wait_for("the onlookers", lambda: all(o.looks > 5 for o in onlookers))
        with c.connect(autocommit=False) as reader, reader.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM things")
            c.ctl("table set", "app.things", "--key", "id")
            wait_for("it to wait", lambda: problem(c))
            for onlooker in onlookers:
                onlooker.stop.set()
            wait_for("it to see them", lambda: "older than the move" in problem(c))
            assert the_job(c)["phase"] == "prepare"
            cursor.execute("SELECT COUNT(*) FROM things")
            assert cursor.fetchone() == (ROWS,)
            reader.commit()
        wait_for("the switch", lambda: the_job(c)["phase"] == "reverse")
    finally:
        for onlooker in onlookers:
            onlooker.stop.set()
            onlooker.join(10)
    end(c)
