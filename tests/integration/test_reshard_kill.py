"""test_reshard_kill.py - the controller is killed at every step of a move: it goes on or is taken
back, and no row is lost. For workers and servers see test_kill_matrix.py."""
import json
import time

import pytest

import matrix
import movebed
from movebed import controller, restart
from testbed import Cluster, wait_for

PHASES = ["prepare-hide", "copy", "follow", "verify", "cutover", "reverse", "back", "complete",
          "cancel", "cleanup-batch", "clean-unhide", "clean-drop"]
CUTOVER = ["checked", "ready", "fenced", "locked", "position", "held", "reverse", "journal",
           "sequences", "catalog", "published", "told"]
POINTS = PHASES + ["cutover-" + c for c in CUTOVER]
ALWAYS = ["cutover-journal"]  # the others are in make test-long


@pytest.fixture(scope="module")
def c(scratch):
    cluster = Cluster(scratch / "mkill", shards=3)
    yield cluster
    cluster.finish()


@pytest.fixture(scope="module")
def bed(c, plain):
    with movebed.running(c, plain, writers=2, movers=1, watchers=1, pause=0.01,
                         triggers=movebed.TRIGGERS) as bed:
        yield bed


def the_move(c):
    """The newest move's record, None while the controller is away."""
    done = c.ctl_raw("job list", "--json")
    if done.returncode:
        return None
    moves = [j for j in json.loads(done.stdout)["jobs"] if j["kind"] == "move"]
    return moves[0] if moves else None


def rests(c):
    """It waits for people, or has ended."""
    job = the_move(c)
    return job and (job["state"] not in ("running", "paused") or job["phase"] == "reverse")


def bring_back(c):
    """All of shard-3's rows go to shard-1, whatever there was before."""
    if the_move(c)["state"] == "running":
        done = c.ctl_raw("reshard complete", "--wait")
        assert done.returncode == 0, done
    if {s["name"]: s["ranges"] for s in c.shard_list()}["shard-3"]:
        done = c.ctl_raw("reshard merge", "shard-1", "shard-3", "--no-reverse", "--wait",
                         timeout=120)
        assert done.returncode == 0, done


def go_through(c, point):
    """A move through all that has the fail point, until the controller is there no more."""
    def gone():
        return controller(c) is None or rests(c)

    c.ctl_raw("reshard split", "shard-1", "--to", "shard-3")
    if point == "cancel":
        c.ctl_raw("job cancel")
    wait_for("the switch, or the controller's end", gone, 40)
    if controller(c):
        c.ctl_raw("reshard reverse" if point == "back" else "reshard complete")
        wait_for("the controller's end", lambda: controller(c) is None, 40)


def run(c, bed, point):
    restart(c, SHARDD_FAIL_AT=point)
    go_through(c, point)
    restart(c)
    wait_for("the move to rest", lambda: rests(c), 60)
    how = the_move(c)
    assert bed.check() == []
    bring_back(c)
    with bed.resting():
        assert bed.compare() == []
    c.fsck()
    matrix.note("controller", "reshard split", point, matrix.ended(how))


@pytest.mark.parametrize("point", ALWAYS)
def test_a_killed_controller_goes_on(c, bed, point):
    run(c, bed, point)


@pytest.mark.long
@pytest.mark.parametrize("point", [p for p in POINTS if p not in ALWAYS])
def test_a_controller_killed_anywhere_goes_on(c, bed, point):
    run(c, bed, point)


@pytest.mark.long
def test_a_controller_killed_at_any_moment_goes_on(c, bed):
    for i in range(20):
        c.ctl_raw("reshard split", "shard-1", "--to", "shard-3")
        time.sleep(0.1 + i * 0.07)
        restart(c)
        wait_for("the move to rest", lambda: rests(c), 60)
        assert bed.check() == [], i
        matrix.note("controller", "reshard split", f"after {0.1 + i * 0.07:.2f} s",
                    matrix.ended(the_move(c)))
        bring_back(c)
    with bed.resting():
        assert bed.compare() == []
