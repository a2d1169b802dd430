"""test_table_kill.py - the controller is killed at every step of a table's change: it goes on or is
taken back, and no row is lost."""
import pytest

import matrix
from movebed import controller, restart
from test_reshard_kill import rests, the_move
from test_table_move import Bed, kind
from testbed import Cluster, wait_for

POINTS = ["prepare-hide", "copy", "verify", "cutover-locked", "cutover-held", "cutover-reverse",
          "cutover-journal", "cutover-sequences", "cutover-catalog", "cutover-published", "reverse",
          "back", "complete", "cancel", "cleanup-batch", "clean-unhide", "clean-drop"]
CHANGES = [("sharded owner", ["--key", "owner"]), ("sharded id", ["--key", "id"]),
           ("global", ["--global"])]


@pytest.fixture(scope="module")
def c(scratch):
    cluster = Cluster(scratch / "tkill", shards=3)
    yield cluster
    cluster.finish()


def finish(c):
    if the_move(c)["state"] == "running":
        done = c.ctl_raw("reshard complete", "--wait")
        assert done.returncode == 0, done


def run(c, point, want, args):
    def gone():
        return controller(c) is None or rests(c)

    restart(c, SHARDD_FAIL_AT=point)
    c.ctl_raw("table set", "app.items", *args)
    if point == "cancel":
        c.ctl_raw("job cancel")
    wait_for("the switch, or the controller's end", gone, 40)
    if controller(c):
        c.ctl_raw("reshard reverse" if point == "back" else "reshard complete")
        wait_for("the controller's end", lambda: (the_move(c) or {}).get("state") not in
                 ("running", "paused"), 40)
    restart(c)
    wait_for("the move to rest", lambda: rests(c), 60)
    how = the_move(c)
    finish(c)
    c.fsck()
    matrix.note("controller", how["what"], point, matrix.ended(how))
    if kind(c, "items") != want:
        done = c.ctl_raw("table set", "app.items", *args, "--no-reverse", "--wait")
        assert done.returncode == 0 and kind(c, "items") == want, done
        wait_for("the end", lambda: the_move(c)["state"] == "done", 40)


@pytest.mark.long
@pytest.mark.parametrize("point", POINTS)
def test_the_controller_is_killed(c, mirror, point):
    bed = Bed(c, mirror, workers=2, pause=0.01)
    bed.start()
    try:
        for want, args in CHANGES:
            run(c, point, want, args)
            assert bed.check() == []
    finally:
        wrong = bed.end()
    assert wrong == []
    c.fsck()
    c.sql("DROP TABLE items")


def test_killed_behind_the_journal(c, mirror):
    bed = Bed(c, mirror, workers=2, pause=0.01)
    bed.start()
    try:
        run(c, "cutover-journal", *CHANGES[0])
        assert bed.check() == []
    finally:
        wrong = bed.end()
    assert wrong == []
    c.sql("DROP TABLE items")
