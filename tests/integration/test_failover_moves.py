"""A primary is lost while rows move: it is replaced, and the move goes on with the server that took
its place, forward and back. What was copied and never became true is taken back."""
import threading

import pymysql
import pytest

import testbed
from movebed import controller
from test_failover import Load, replicas_of, shard_of
from test_failover_kill import restart
from testbed import wait_for


@pytest.fixture(autouse=True)
def ends(c):
    """Whatever a test has left of its move ends."""
    yield
    if job(c)["state"] in ("running", "paused"):
        c.ctl_raw("job throttle", "off")
        c.ctl_raw("job cancel")
        c.ctl_raw("reshard complete")
        ended(c)


@pytest.fixture(scope="module")
def c(scratch):
    """Two shards, each with a replica that its commits wait for."""
    cluster = testbed.Cluster(scratch / "m", shards=2, settings=["--no-engine", "--replicas", 1])
    for shard in cluster.shard_list():
        cluster.ctl("shard set", shard["name"], "--semi-sync", "on", "--reseed", "auto")
    cluster.sql("CREATE TABLE t (id BIGINT AUTO_INCREMENT PRIMARY KEY, n INT)")
    cluster.sql("CREATE TABLE g (id INT PRIMARY KEY, n INT) COMMENT 'shardd: global'")
    cluster.sql("CREATE TABLE r (id INT PRIMARY KEY, n INT) COMMENT 'shardd: reference'")
    cluster.sql("INSERT INTO g VALUES (1, 0)")
    cluster.sql("INSERT INTO r VALUES (1, 0)")
    yield cluster
    cluster.finish()


def whole(c):
    """Each shard has a replica again that follows."""
    def is_whole():
        return all(len(mine) == 1 and all("suspect" not in r and r.get("replicates")
                                          for r in mine.values())
                   for mine in (replicas_of(c, s["name"]) for s in c.shard_list()))

    try:
        wait_for("two servers for each shard", is_whole, 90)
    except testbed.Timeout as late:
        raise AssertionError([c.replica_list(), c.ctl("job list")["jobs"][:3]]) from late


def job(c):
    return next(j for j in c.ctl("job list")["jobs"] if j["kind"] == "move")


def in_phase(c, phase):
    wait_for(f"the phase {phase}", lambda: job(c).get("phase") == phase, 60)


def ended(c):
    wait_for("the end of the move", lambda: job(c)["state"] not in ("running", "paused"), 90)
    return job(c)


def lose(c, name):
    """Its primary hangs, and another server takes its place."""
    before = shard_of(c, name)
    testbed.stop_process(before["pid"])
    wait_for("another primary", lambda: shard_of(c, name).get("server_id") !=
             before.get("server_id"), 120)  # the shard may rest before
    return before


def even(c):
    """Both shards have their part again."""
    if {r["shard"] for r in c.ctl("range list")["ranges"]} != {"shard-1", "shard-2"}:
        c.ctl("reshard rebalance", "--no-reverse", "--wait", timeout=120)


def begun(c, *more):
    even(c)
    whole(c)
    c.sql("DELETE FROM t")
    c.sql("UPDATE g SET n = 0")
    for _ in range(3):
        c.sql("INSERT INTO t (n) VALUES " + ", ".join(["(0)"] * 500))
    c.ctl("reshard merge", "shard-1", "shard-2", "--cutover", "manual", *more)


def is_done(c, load):
    """And every row of before is there, once."""
    assert ended(c)["state"] == "done"
    load.check()
    assert c.sql("SELECT COUNT(*) FROM t WHERE n = 0")[0][0] == 1500


@pytest.mark.parametrize("lost", [
    "shard-2", pytest.param("shard-1", marks=pytest.mark.long)])
def test_before_the_switch(c, lost):
    """The source or the target: streams go on where they were, and what they have is compared."""
    begun(c)
    with Load(c) as load:
        in_phase(c, "follow")
        lose(c, lost)
        load.goes_on()
        c.ctl("reshard cutover", "--wait", timeout=120)
        load.goes_on()
        assert {r["shard"] for r in c.ctl("range list")["ranges"]} == {"shard-1"}
        c.ctl("reshard complete", "--wait", timeout=120)
        load.goes_on()
    is_done(c, load)


def change_primaries(c, load):
    """As somebody plans it; the move waits, and nothing else."""
    for shard in ("shard-1", "shard-2"):
        before = shard_of(c, shard).get("server_id")
        assert c.ctl("failover", shard)["done"]
        assert shard_of(c, shard).get("server_id") != before
        load.goes_on()
    whole(c)


def claims_of(c, name):
    """What the servers of a shard say about who may move its rows."""
    found = []
    for server in [shard_of(c, name), *replicas_of(c, name).values()]:
        with c.server_connect(server) as root, root.cursor() as cursor:
            cursor.execute("SELECT * FROM shardd_move.holder")
            found.append(cursor.fetchall())
    return found


def one_claim(c, name):
    first, *others = claims_of(c, name)
    return len(first) == 1 and all(o == first for o in others)


def test_primaries_change_as_planned(c):
    """Before the switch and behind it, there and back, and no statement fails. Who was the primary
    before knows of the move what the one has that is it now."""
    begun(c)
    with Load(c) as load:
        in_phase(c, "follow")
        change_primaries(c, load)
        c.ctl("reshard cutover", "--wait", timeout=120)
        in_phase(c, "reverse")
        change_primaries(c, load)
        for shard in ("shard-1", "shard-2"):
            wait_for("one claim", lambda shard=shard: one_claim(c, shard))
        c.ctl("reshard reverse", "--wait", timeout=120)
        load.goes_on()
    assert not load.failed, load.failed[:3]
    assert ended(c)["state"] == "done"
    assert {r["shard"] for r in c.ctl("range list")["ranges"]} == {"shard-1", "shard-2"}
    load.check()
    assert c.sql("SELECT COUNT(*) FROM t WHERE n = 0")[0][0] == 1500


@pytest.mark.long
def test_while_rows_are_to_be_compared(c):
    """Comparing waits for a source that hangs, and makes way to who replaces it."""
    def said():
        return (c.home / "shardctl.log").read_text()[before:]

    begun(c)
    in_phase(c, "follow")
    c.ctl("shard set", "shard-2", "--failover", "manual")
    before = len((c.home / "shardctl.log").read_text())
    try:
        testbed.stop_process(shard_of(c, "shard-2")["pid"])
        wait_for("a word about it", lambda: "without being asked" in said(), 30)
        c.ctl_raw("reshard verify")
        in_phase(c, "verify")
        done = c.ctl_raw("failover", "shard-2")
        assert done.returncode == 0, done.stderr
        assert said().count("without being asked") == 1 and "it answers" not in said(), said()
    finally:
        c.ctl("shard set", "shard-2", "--failover", "auto")
    c.ctl("reshard cutover", "--wait", timeout=120)
    c.ctl("reshard complete", "--wait", timeout=120)
    assert ended(c)["state"] == "done"
    assert c.sql("SELECT COUNT(*) FROM t WHERE n = 0")[0][0] == 1500


@pytest.mark.long
def test_servers_are_restarted_while_rows_are_copied(c):
    begun(c, "--throttle", "rows=100")
    with Load(c) as load:
        in_phase(c, "copy")
        for shard in ("shard-1", "shard-2"):
            assert c.ctl("shard restart", shard, timeout=120)["done"]
            load.goes_on()
        whole(c)
        assert job(c)["phase"] == "copy"
        c.ctl("job throttle", "off")
        c.ctl("reshard cutover", "--wait", timeout=120)
        c.ctl("reshard complete", "--wait", timeout=120)
        load.goes_on()
    assert not load.failed, load.failed[:3]
    is_done(c, load)


@pytest.mark.long
@pytest.mark.parametrize("lost", ["shard-1", "shard-2"])
def test_while_rows_are_copied(c, lost):
    begun(c, "--throttle", "rows=100")
    with Load(c) as load:
        in_phase(c, "copy")
        lose(c, lost)
        load.goes_on()
        assert job(c)["phase"] == "copy"
        c.ctl("job throttle", "off")
        c.ctl("reshard cutover", "--wait", timeout=120)
        c.ctl("reshard complete", "--wait", timeout=120)
        load.goes_on()
    is_done(c, load)


@pytest.mark.long
@pytest.mark.parametrize("lost", ["shard-1", "shard-2"])
def test_after_the_switch(c, lost):
    """The old copies are kept current by way of the new server, and it is switched back."""
    begun(c)
    with Load(c) as load:
        c.ctl("reshard cutover", "--wait", timeout=120)
        in_phase(c, "reverse")
        lose(c, lost)
        load.goes_on()
        c.ctl("reshard reverse", "--wait", timeout=120)
        load.goes_on()
    assert ended(c)["state"] == "done"
    assert {r["shard"] for r in c.ctl("range list")["ranges"]} == {"shard-1", "shard-2"}
    load.check()
    assert c.sql("SELECT COUNT(*) FROM t WHERE n = 0")[0][0] == 1500


@pytest.mark.long
@pytest.mark.parametrize("at", ["failover-let-go", "failover-taken", "failover-taken-open"])
def test_the_controller_dies_too(c, at):
    """Whoever comes next finds a move, a change of roles, and a fence around the shard."""
    begun(c)
    in_phase(c, "follow")
    restart(c, at)
    before = shard_of(c, "shard-2")
    with Load(c) as load:
        testbed.stop_process(before["pid"])
        wait_for("the controller's end", lambda: controller(c) is None, 120)  # it may rest before
        restart(c)
        load.goes_on()
        c.ctl("reshard cutover", "--wait", timeout=120)
        c.ctl("reshard complete", "--wait", timeout=120)
        load.goes_on()
    assert ended(c)["state"] == "done"
    load.check()


@pytest.mark.long
@pytest.mark.parametrize("lost", ["shard-2", "shard-1"])
@pytest.mark.parametrize("at", ["cutover-fenced", "cutover-locked", "cutover-journal",
                                "cutover-catalog", "cutover-published"])
def test_both_die_amid_the_switch(c, at, lost):
    """The fence stands, and whether the switch is decided is known by a server that is gone."""
    begun(c)
    in_phase(c, "follow")
    restart(c, at)
    before = shard_of(c, lost)
    with Load(c) as load:
        load.goes_on()
        c.ctl_raw("reshard cutover")
        wait_for("the controller's end", lambda: controller(c) is None, 60)
        testbed.stop_process(before["pid"])
        restart(c)
        load.goes_on()
        c.ctl_raw("reshard cutover")  # unless it remembers that it was told to
        in_phase(c, "reverse")
        c.ctl("reshard complete", "--wait", timeout=120)
        load.goes_on()
    is_done(c, load)


def on_source(c, shard):
    """A key whose row lies on this shard."""
    with c.shard_connect(shard, "app") as root, root.cursor() as cursor:
        cursor.execute("SELECT MAX(id) FROM t")
        return cursor.fetchone()[0]


@pytest.mark.long
def test_what_never_became_true_is_taken_back(c):
    """The stream gets a change from the primary that no replica has got, and that nobody was told
    is done: with the primary it is gone, and so is what was copied."""
    begun(c)
    in_phase(c, "follow")
    source, target = shard_of(c, "shard-2"), shard_of(c)
    (replica,) = replicas_of(c, "shard-2").values()
    key, told = on_source(c, source), []
    with c.server_connect(replica) as root, root.cursor() as cursor:
        cursor.execute("STOP SLAVE IO_THREAD")

    def write():
        try:
            c.sql(f"UPDATE t SET n = 77 WHERE id = {key}")
            told.append(True)
        except pymysql.err.MySQLError:
            pass

    writer = threading.Thread(target=write)
    writer.start()
    wait_for("the copy of what is not true", lambda: c.on_shard(
        target, f"SELECT n FROM t WHERE id = {key}", "app") in (((77,),), [(77,)]))
    lose(c, "shard-2")
    writer.join()
    assert not told
    end = ended(c)
    # The second is the server's own word, when the new primary has written in the meantime.
    assert end["state"] == "failed" and any(words in end["error"] for words in (
        "lacks changes that were copied", "has not written what was read from it before")), end
    assert c.sql(f"SELECT n FROM t WHERE id = {key}") == ((0,),)
    assert c.sql("SELECT COUNT(*) FROM t")[0][0] == 1500
    whole(c)
