"""test_outages.py - the target's disk gets full, or the network to a server falls silent for longer
than anybody waits, while rows move: the move goes on or is taken back, and no row is lost."""
import os
import signal
import subprocess
import time

import pytest

import matrix
from movebed import controller, restart
from outagebed import SmallDisk, Wire
from test_kill_matrix import stands
from test_reshard_kill import rests, the_move
from testbed import Cluster, Server, wait_for

TEXT = "x" * 2000
ROWS = 6000
SETTINGS = "log_bin=b\nbinlog_format=ROW\nserver_id={}\n"
pytestmark = pytest.mark.long


def fill(c):
    c.sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(3000), n INT)")
    for start in range(0, ROWS, 1000):
        c.sql("INSERT INTO t VALUES " +
              ",".join(f"({i}, '{TEXT}', 0)" for i in range(start, start + 1000)))


def check(c, updates=0):
    assert c.sql("SELECT COUNT(*), COUNT(DISTINCT id), SUM(LENGTH(v)), SUM(n) FROM t") == (
        (ROWS, ROWS, ROWS * len(TEXT), updates),)
    c.fsck()


def show(c):
    """All that is known of the newest move."""
    return c.ctl("job show", the_move(c)["number"])


def problem(c):
    """What it complains about."""
    job = show(c)
    return job.get("problem") or job.get("error") or ""


# --- a full disk --------------------------------------------------------------------------------

@pytest.fixture
def disk(scratch):
    folder = scratch / "small"
    try:
        made = SmallDisk(folder, 400)
    except (subprocess.CalledProcessError, OSError) as error:
        pytest.skip(f"no file system can be mounted here: {error}")
    yield made
    made.close()
    folder.rmdir()


def full(c, disk, phase, leave):
    """Begins a move, and takes the room away in this phase."""
    options = ["--throttle", "rows=2000"] if phase == "copy" else ["--cutover", "manual"]
    c.ctl("reshard split", "shard-1", "--to", "small", *options)
    if phase == "copy":
        disk.fill(leave)
        return
    wait_for("the copy", lambda: show(c)["phase"] == "follow" and "verified" in show(c), 60)
    disk.fill(leave)
    c.sql("UPDATE t SET v = REVERSE(v), n = n + 1")


@pytest.mark.parametrize("phase", ["copy", "follow"])
def test_a_target_gets_full(scratch, disk, phase):
    c = Cluster(scratch / f"full-{phase}", shards=1)
    small = Server(disk.folder / "server", durable=True, settings=SETTINGS.format(81))
    try:
        c.ctl("shard add", "--adopt", f"127.0.0.1:{small.port}", "--user", "app", "--password",
              "app", "--name", "small")
        fill(c)
        full(c, disk, phase, 2 << 20)
        said = wait_for("somebody to complain", lambda: problem(c), 200)
        died = small.process.poll() is not None  # InnoDB ends itself where it cannot write
        assert "small" in said and (died or "room" in said), said
        disk.make_room()
        if died:
            small.start()
        wait_for("the move to rest", lambda: rests(c) or
                 (phase == "follow" and the_move(c)["phase"] == "follow"), 200)
        if phase == "follow" and the_move(c)["phase"] == "follow":
            assert c.ctl_raw("reshard cutover", "--wait", timeout=200).returncode == 0
        how = matrix.ended(the_move(c))
        if the_move(c)["state"] == "running":
            assert c.ctl_raw("reshard complete", "--wait", timeout=120).returncode == 0
        check(c, ROWS * (phase == "follow"))
        matrix.note("disk of the target", "reshard split", phase, how)
        if c.shard_list()[1]["ranges"] == 0:  # taken back: again, now that there is room
            done = c.ctl_raw("reshard split", "shard-1", "--to", "small", "--no-reverse", "--wait",
                             timeout=120)
            assert done.returncode == 0, done
            check(c, ROWS * (phase == "follow"))
    finally:
        c.down()
        c.forget()
        small.stop()


def test_a_disk_without_room_is_refused(scratch, disk):
    """Servers of our own: it is known before anything is copied."""
    c = Cluster(disk.folder / "c", shards=1)
    try:
        fill(c)
        c.ctl("shard add", "--name", "second")
        c.sql("ANALYZE TABLE t")
        disk.fill(8 << 20)
        done = c.ctl_raw("reshard split", "shard-1", "--to", "second", "--dry-run")
        assert done.returncode == 1 and "has room for" in done.stderr, done
        disk.make_room()
        check(c)
    finally:
        c.down()
        c.forget()


# --- a network that is cut ----------------------------------------------------------------------

@pytest.fixture(scope="module")
def wired(scratch):
    """Two servers, each at the end of a wire; the first has all rows."""
    servers = [Server(scratch / f"wired{i}", durable=True, settings=SETTINGS.format(90 + i))
               for i in (1, 2)]
    wires = [Wire(s.port) for s in servers]
    c = Cluster(scratch / "wired", shards=1)
    try:
        for name, wire in zip(("left", "right"), wires):
            c.ctl("shard add", "--static", f"127.0.0.1:{wire.port}", "--user", "app", "--password",
                  "app", "--name", name)
        fill(c)
        done = c.ctl_raw("reshard merge", "left", "shard-1", "--no-reverse", "--wait", timeout=120)
        assert done.returncode == 0, done
        yield c, dict(zip(("left", "right"), zip(servers, wires)))
        c.fsck()
    finally:
        c.down()
        c.forget()
        for wire in wires:
            wire.close()
        for server in servers:
            server.stop()


def begin(c, source, target, point):
    if point in ("copy", "follow"):
        how = ["--throttle", "rows=1500"] if point == "copy" else ["--cutover", "manual"]
        c.ctl("reshard merge", target, source, *how)
        wait_for("the rows to be on their way", lambda: show(c)["phase"] == point and
                 (show(c).get("progress") or {}).get("rows", 0) > 0, 60)
        return
    restart(c, SHARDD_STOP_AT=point)
    c.ctl_raw("reshard merge", target, source)
    wait_for("the controller to stand", lambda: stands(controller(c)), 60)


@pytest.mark.parametrize("who", ["source", "target"])
@pytest.mark.parametrize("point", ["copy", "follow", "cutover-fenced", "cutover-held",
                                   "cutover-journal", "cutover-catalog"])
def test_a_wire_is_cut(wired, who, point):
    c, ends = wired
    owner = next(s["name"] for s in c.shard_list() if s["ranges"])
    source, target = owner, "right" if owner == "left" else "left"
    ((before,),) = c.sql("SELECT SUM(n) FROM t")
    begin(c, source, target, point)
    server, wire = ends[source if who == "source" else target]
    wire.cut()
    try:
        if point == "follow":  # past the wire
            ends[source][0].sql("UPDATE t SET n = n + 1", db="app")
        if point.startswith("cutover"):
            os.kill(controller(c), signal.SIGCONT)
        said = wait_for("somebody to complain", lambda: problem(c), 240)
        time.sleep(5)  # and to try again in vain
        assert the_move(c)["state"] == "running", (said, show(c))
    finally:
        wire.mend()
    if point == "follow":
        wait_for("the rows to follow", lambda: not problem(c), 120)
        assert c.ctl_raw("reshard cutover", "--wait", timeout=200).returncode == 0
    wait_for("the move to rest", lambda: rests(c), 200)
    how = matrix.ended(the_move(c))
    assert the_move(c)["phase"] == "reverse", the_move(c)
    assert c.ctl_raw("reshard complete", "--wait", timeout=120).returncode == 0
    check(c, before + ROWS * (point == "follow"))
    matrix.note(f"network to the {who}", "reshard merge", point, how)
