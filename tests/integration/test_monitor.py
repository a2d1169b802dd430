"""test_monitor.py - the load of shards, as the controller measures it."""
import os

import pytest

from controlbed import Controller
from testbed import wait_for


@pytest.fixture(scope="module")
def c(scratch):
    controller = Controller(scratch / "monitor")
    controller.ctl("load", "set", "--interval", "1")
    yield controller
    try:
        assert controller.fsck() == []
    finally:
        controller.stop()


def loads(c):
    return {s["shard"]: s for s in c.json("load")["shards"]}


def measured(c, shard, *fields):
    one = loads(c).get(shard, {})
    return one if all(one.get(f) is not None for f in fields) else None


def test_servers_and_their_processes(c):
    one = wait_for("numbers", lambda: measured(c, "shard-1", "threads_connected", "cpu", "memory",
                                               "disk_free", "bytes", "buffer_pool"))
    assert one["threads_connected"] >= 1 and one["max_connections"] > 1
    assert 0 <= one["cpu"] <= 1 and 0 < one["memory"] < 1 and 0 < one["buffer_pool"] <= 1
    assert 0 < one["cpu_limit"] <= os.cpu_count()
    disk = os.statvfs(c.shard_list()[0]["directory"])
    assert abs(one["disk_free"] - disk.f_bavail * disk.f_frsize) < 0.2 * one["disk_free"]
    assert one["statements_per_s"] is None  # no shardd has run: not 0
    assert "shard-1" in c.ctl("load")


def test_history_goes_on(c):
    points = wait_for("points", lambda: (p := c.json("load", "history", "shard-2")["points"])
                      and len(p) >= 3 and p)
    assert [p["at_ms"] for p in points] == sorted({p["at_ms"] for p in points})
    assert c.ctl_raw("load", "history", "nobody").returncode == 1
    assert c.ctl_raw("load", "history", "shard-1", "--since", "x").returncode == 2
    assert c.ctl_raw("load", "set", "--interval", "0").returncode == 2
    assert c.call("PUT", "/v1/load", {"interval_s": 0.01})[0] == 400
    assert c.call("GET", "/v1/load/shard-1?grain=week")[0] == 400


def test_one_that_does_not_answer_costs_only_its_own_numbers(c):
    """Not even another of its own: the disk is there."""
    pid = c.shard_list()[1]["pid"]
    os.kill(pid, 19)
    try:
        one = wait_for("its problem", lambda: next(
            (s for s in loads(c).values() if s["shard"] == "shard-2" and any(
                k["collector"] == "server" and k["problem"] for k in s["collectors"])), None))
        assert one["disk_free"] > 0
        assert "shard-2: server is not measured" in c.ctl("load")
        wait_for("it to be stale", lambda: loads(c)["shard-2"]["threads_connected"] is None)
        assert measured(c, "shard-1", "threads_connected", "cpu")
    finally:
        os.kill(pid, 18)
    wait_for("its numbers", lambda: measured(c, "shard-2", "threads_connected"))
