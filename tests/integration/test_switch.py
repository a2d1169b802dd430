"""test_switch.py - the controller is killed at each step of a switch and of what follows it (a
server: test_switch_servers.py): it is finished or undone, applications do not notice, and
no row is lost. Copies that are not like their rows are found; a branch that is prepared is waited
for."""
import contextlib
import os
import pathlib
import signal
import time

import pytest

import matrix
import movebed
from fencebed import Later
from movebed import controller, restart
from testbed import Cluster, Timeout, alive, half_commit, wait_for

RANGE = "0000000000000000-07ffffffffffffff"


@pytest.fixture(scope="module")
def c(scratch):
    cluster = Cluster(scratch / "switch", shards=2)
    yield cluster
    cluster.finish()


@pytest.fixture(scope="module")
def bed(c, plain):
    with movebed.running(c, plain, writers=2, movers=1, watchers=1, pause=0.005) as load:
        yield load


def killed_at(c, point, *args):
    """Runs shardctl against a controller that ends at this point, and starts another."""
    restart(c, SHARDD_FAIL_AT=point)
    pid = controller(c)
    # It goes on with what it finds a moment after it answers, and may end before it does.
    wait_for("the order", lambda: c.ctl_raw(*args).returncode == 0 or not alive(pid), 30)
    wait_for(f"the end at {point}", lambda: not alive(pid), 60)
    restart(c)


def job(c):
    """The newest one."""
    return c.ctl("job show", c.ctl("job list")["jobs"][0]["number"])


def reaches(c, *phases):
    def is_there():
        record = job(c)
        if record["state"] in ("failed", "stuck"):
            raise Timeout(f"the job ended: {record}")
        return record if record["phase"] in phases or record["state"] in phases else None
    return wait_for(f"the job to reach {phases}", is_there, 60)


def other(c):
    """The shard that does not own the first range now."""
    owner = next(r["shard"] for r in c.ctl("range list")["ranges"] if r["first"] == RANGE[:16])
    return "shard-2" if owner == "shard-1" else "shard-1"


def owner_is(c, shard):
    return other(c) != shard


def finish(c):
    """Completes the newest job; nothing of it is left."""
    if job(c)["state"] != "done":
        c.ctl("reshard complete", "--wait")
    assert job(c)["state"] == "done"
    for shard in c.shard_list():
        assert c.on_shard(shard, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE"
                          " TABLE_SCHEMA = 'shardd_move' AND TABLE_NAME REGEXP '^(in|out)_'") == ()


# --- without a load: statements would fail while a server is away -------------------------------

@pytest.fixture(scope="module")
def still(c):
    """A table that nobody writes."""
    c.sql("CREATE TABLE still (id INT PRIMARY KEY, v VARCHAR(30), f FLOAT, d DOUBLE)")
    c.sql("INSERT INTO still VALUES " + ",".join(
        f"({i}, 'row {i}', {i} / 7, {i} / 3)" for i in range(600)))
    return c.sql("SELECT * FROM still ORDER BY id")


def rows(c):
    return c.sql("SELECT * FROM still ORDER BY id")


def stopped_at(c, point, *args):
    """The controller's pid, which stands still at this point until SIGCONT."""
    restart(c, SHARDD_STOP_AT=point)
    pid = controller(c)
    c.ctl(*args)

    def is_stopped():
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
        return text.rsplit(")", 1)[1].split()[0] == "T"
    wait_for(f"the stop at {point}", is_stopped, 60)
    return pid


def shard_named(shards, name):
    return next(s for s in shards if s["name"] == name)


def test_a_prepared_branch_is_waited_for(c, still):
    """A worker has died behind its commit point: what it has prepared on the source is in no
    table that LOCK TABLES shows, and is committed later."""
    c.sql("CREATE TABLE a (id INT PRIMARY KEY, n INT)")
    c.sql("INSERT INTO a VALUES " + ",".join(f"({i}, 100)" for i in range(200)))
    target = other(c)
    source = "shard-1" if target == "shard-2" else "shard-2"
    shards = c.shard_list()
    # The first row on the target stays its first one when the source's are copied there.
    ((first,),) = c.on_shard(shard_named(shards, target), "SELECT MIN(id) FROM a", "app")
    c.sql(f"DELETE FROM a WHERE id < {first}")
    ((n,),) = c.sql("SELECT COUNT(*) FROM a")
    # All that the source has moves: the branch's row is among it.
    pid = stopped_at(c, "cutover-fenced", "reshard merge", source, "--to", target, "--max-pause",
                     "20000")
    half_commit(c, shards=[shard_named(shards, target), shard_named(shards, source)], epoch=1)
    os.kill(pid, signal.SIGCONT)
    reaches(c, "reverse")
    assert c.sql("SELECT COUNT(*), SUM(n), MIN(n), MAX(n) FROM a") == ((n, 100 * n, 99, 101),)
    report = c.ctl("fsck")
    assert report["ok"] and report["moving"] > 100, report
    c.ctl("reshard reverse", "--wait")
    reaches(c, "done")
    assert c.sql("SELECT COUNT(*), SUM(n), MIN(n), MAX(n) FROM a") == ((n, 100 * n, 99, 101),)
    assert rows(c) == still
    c.sql("DROP TABLE a")
    c.fsck()


def test_somebody_elses_branch_is_waited_for(c, still):
    """No table that is locked shows it, its session has gone, and only people end it: what it
    changes is in the log before the position that the switch counts by."""
    target = other(c)
    source = "shard-1" if target == "shard-2" else "shard-2"
    shard = shard_named(c.shard_list(), source)
    pid = stopped_at(c, "cutover-fenced", "reshard merge", source, "--to", target, "--max-pause",
                     "20000")
    ((key, before),) = c.on_shard(shard, "SELECT id, v FROM still ORDER BY id LIMIT 1", "app")
    with c.shard_connect(shard, "app") as owner, owner.cursor() as cursor:
        number = owner.thread_id()
        for sql in ("XA START 'else'", f"UPDATE still SET v = 'branch' WHERE id = {key}",
                    "XA END 'else'", "XA PREPARE 'else'"):
            cursor.execute(sql)
    wait_for("its session to go", lambda: number not in [row[0] for row in c.on_shard(
        shard, "SHOW PROCESSLIST")])
    os.kill(pid, signal.SIGCONT)
    time.sleep(1)  # what does not wait for it is over by then
    assert job(c)["phase"] == "cutover" and not owner_is(c, target)
    c.on_shard(shard, "XA COMMIT 'else'")
    reaches(c, "reverse")
    assert c.sql(f"SELECT v FROM still WHERE id = {key}") == (("branch",),)
    c.sql("UPDATE still SET v = %s WHERE id = %s", (before, key))
    c.ctl("reshard reverse", "--wait")
    reaches(c, "done")
    assert rows(c) == still
    c.fsck()


def test_a_branch_that_the_source_has_lost_is_not_waited_for(c, still):
    """As after a kill between the log's XA PREPARE and the storage engine's: nothing ends it."""
    target = other(c)
    source = "shard-1" if target == "shard-2" else "shard-2"
    shard = shard_named(c.shard_list(), source)
    c.ctl("reshard merge", source, "--to", target, "--cutover", "manual")
    reaches(c, "follow")
    (key,) = c.on_shard(shard, "SELECT MIN(id) FROM still", "app")[0]
    with c.shard_connect(shard, "app") as owner, owner.cursor() as cursor:
        number = owner.thread_id()
        for sql in ("XA START 'lost'", f"UPDATE still SET v = 'lost' WHERE id = {key}",
                    "XA END 'lost'", "XA PREPARE 'lost'"):
            cursor.execute(sql)
    wait_for("its session to go", lambda: number not in [row[0] for row in c.on_shard(
        shard, "SHOW PROCESSLIST")])
    wait_for("it to be seen", lambda: job(c)["progress"]["stashed"] == 1)
    with c.shard_connect(shard) as end, end.cursor() as cursor:
        cursor.execute("SET sql_log_bin = OFF")
        cursor.execute("XA ROLLBACK 'lost'")
    c.ctl("reshard cutover", "--wait", timeout=60)
    reaches(c, "reverse")
    assert rows(c) == still
    c.ctl("reshard reverse", "--wait")
    reaches(c, "done")
    assert rows(c) == still
    c.fsck()


@pytest.mark.parametrize("what, change", [
    ("different", "UPDATE still SET f = f + 0.0000002 WHERE id = {id}"),
    pytest.param("missing", "DELETE FROM still WHERE id = {id}", marks=pytest.mark.long),
])
def test_copies_that_differ_are_not_switched_to(c, still, what, change):
    target = other(c)
    shard = shard_named(c.shard_list(), target)
    before = {i for (i,) in c.on_shard(shard, "SELECT id FROM still", "app")}
    c.ctl("reshard move", RANGE, "--to", target, "--cutover", "manual")
    reaches(c, "follow")
    copied = {i for (i,) in c.on_shard(shard, "SELECT id FROM still", "app")} - before
    assert copied
    c.on_shard(shard, change.format(id=min(copied)), "app")
    c.ctl_raw("reshard verify")
    wait_for("the end", lambda: job(c)["state"] == "failed", 60)
    found = job(c)["verified"]
    assert found[what] == 1 and found["missing"] + found["extra"] + found["different"] == 1, found
    assert found["examples"][0]["key"] == [str(min(copied))], found
    assert not owner_is(c, target) and rows(c) == still
    c.fsck()


def test_a_snapshot_does_not_see_old_rows_again(c, still):
    """What hides them stays until the transactions are over that still have them."""
    c.ctl("reshard move", RANGE, "--to", other(c), "--wait")
    with c.connect(autocommit=False) as reader, reader.cursor() as cursor:
        def count():
            cursor.execute("SELECT COUNT(*) FROM still")
            return cursor.fetchone()[0]
        cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        assert count() == len(still)
        c.ctl("reshard complete")
        wait_for("the old rows to be gone", lambda: sum(c.spread("still")) == len(still))
        assert [count() for _ in range(20)] == [len(still)] * 20
        assert job(c)["state"] == "running"
        reader.commit()
    reaches(c, "done")
    finish(c)


def test_killed_while_transactions_begin_a_few_at_a_time(c, still):
    """There were many before it; the next controller lets them begin as ever."""
    target = other(c)
    source = next(s for s in c.shard_list() if s["name"] != target)
    here = min(i for (i,) in c.on_shard(source, "SELECT id FROM still", "app"))
    with contextlib.ExitStack() as stack:
        *many, last = [stack.enter_context(c.connect(autocommit=False)) for _ in range(21)]

        def begin(one):
            with one.cursor() as cursor:
                return cursor.execute("SELECT v FROM still WHERE id = %s", (here,))
        c.ctl("reshard move", RANGE, "--to", target, "--cutover", "manual")
        wait_for("the comparison", lambda: reaches(c, "follow").get("verified"))
        assert [begin(one) for one in many] == [1] * 20
        pid = stopped_at(c, "cutover-eased", "reshard cutover")
        later = Later(begin, last)
        wait_for("the wait for its turn", lambda: c.metric("shardd_parked_statements") == 1)
        os.kill(pid, signal.SIGKILL)
        wait_for("the end", lambda: not alive(pid))
        restart(c)
        assert later.result() == 1
        for one in (*many, last):
            one.commit()
        reaches(c, "reverse")
    assert owner_is(c, target) and rows(c) == still
    finish(c)
    c.fsck()


# --- under load ---------------------------------------------------------------------------------

STEPS = ["checked", "ready", "fenced", "locked", "position", "held", "reverse", "journal",
         "sequences", "catalog", "published", "told"]


@pytest.mark.parametrize("step", [
    pytest.param(step, marks=[] if step == "journal" else pytest.mark.long)
    for step in STEPS])
def test_killed_in_the_switch(c, bed, step):
    target = other(c)
    killed_at(c, f"cutover-{step}", "reshard move", RANGE, "--to", target)
    reaches(c, "reverse")
    assert owner_is(c, target) and bed.check() == []
    finish(c)
    assert bed.check() == []


@pytest.mark.long
@pytest.mark.parametrize("step", ["ready", "fenced", "held", "journal", "catalog", "published"])
def test_killed_in_the_switch_back(c, bed, step):
    target = other(c)
    c.ctl("reshard move", RANGE, "--to", target, "--wait")
    assert owner_is(c, target)
    killed_at(c, f"cutover-{step}", "reshard reverse")
    reaches(c, "done")
    assert not owner_is(c, target) and bed.check() == []
    matrix.note("controller", "reshard reverse", f"cutover-{step}", matrix.ended(job(c)))
    finish(c)


@pytest.mark.long
@pytest.mark.parametrize("point", ["complete", "cleanup-batch", "clean-unhide", "clean-drop"])
def test_killed_after_the_switch(c, bed, point):
    target = other(c)
    killed_at(c, point, "reshard move", RANGE, "--to", target, "--no-reverse")
    reaches(c, "done")
    assert owner_is(c, target) and bed.check() == []
    finish(c)


@pytest.mark.long
@pytest.mark.parametrize("point", ["cancel", "cleanup-batch", "clean-unhide", "clean-drop"])
def test_killed_in_a_cancel(c, bed, point):
    target = other(c)
    c.ctl("reshard move", RANGE, "--to", target, "--cutover", "manual")
    reaches(c, "follow")
    killed_at(c, point, "job cancel")
    reaches(c, "cancelled")
    assert not owner_is(c, target) and bed.check() == []
    matrix.note("controller", "job cancel", point, matrix.ended(job(c)))
