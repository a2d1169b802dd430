"""test_switch_servers.py - a server is killed at each step of a switch: it is finished, and no row
is lost. Not beside the applications of test_switch.py, whose statements would fail meanwhile."""
import os
import signal

import pytest

import matrix
from test_switch import (RANGE, c, finish, job, other, owner_is, reaches, rows,  # noqa: F401
                         shard_named, still, stopped_at)
from testbed import alive, programs, wait_for


def kill_server(shard):
    for pid in programs(shard["directory"], "mariadbd"):
        os.kill(pid, signal.SIGKILL)
        wait_for("the server's end", lambda pid=pid: not alive(pid))


@pytest.mark.long
@pytest.mark.parametrize("who", ["source", "target"])
@pytest.mark.parametrize("step", ["fenced", "locked", "held", "reverse", "journal", "catalog"])
def test_server_dies_in_the_switch(c, still, who, step):  # noqa: F811
    target = other(c)
    shards = c.shard_list()
    source = "shard-1" if target == "shard-2" else "shard-2"
    pid = stopped_at(c, f"cutover-{step}", "reshard move", RANGE, "--to", target, "--max-pause",
                     "20000")
    kill_server(shard_named(shards, source if who == "source" else target))
    os.kill(pid, signal.SIGCONT)
    reaches(c, "reverse")
    assert owner_is(c, target)
    wait_for("the servers to answer", lambda: all(s["answers"] for s in c.shard_list()))
    assert rows(c) == still
    finish(c)
    assert rows(c) == still
    c.fsck()
    matrix.note(who, "reshard move", f"cutover-{step}", matrix.ended(job(c)))
