"""Shards with replicas that go: drained, removed, merged by the scaler, and with a controller that
is killed meanwhile. Neither servers nor folders stay behind, and no row is lost."""
import json
import os
import pathlib

import pytest

import movebed
import testbed
from test_replicas import caught_up, rows_of, wrong
from test_scaler import BUSY, IDLE, QUICK, ended, last, names
from testbed import wait_for


def left(c):
    """What there still is of servers that the catalog does not have."""
    known = {s["pid"] for s in [*c.shard_list(), *c.replica_list()]}
    folders = {p.name for p in c.home.iterdir()
               if p.name.startswith(("shard-", "replica-", "seed-")) and p.is_dir()}
    runs = [p for p in testbed.programs(c.home, "mariadbd") if p not in known]
    have = {pathlib.Path(s["directory"]).name for s in [*c.shard_list(), *c.replica_list()]}
    return sorted(folders - have), runs


def filled(c):
    c.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, n INT)")
    c.sql("INSERT INTO t VALUES " + ",".join(f"({i}, {i})" for i in range(300)))


def test_a_shard_is_drained(new_cluster):
    c = new_cluster(shards=2, settings=["--no-engine"])
    for name in "one", "two":
        c.ctl("replica add", "shard-2", "--name", name)
    c.ctl("shard set", "shard-2", "--semi-sync", "on")
    filled(c)
    c.ctl("failover", "shard-2", "--to", "two")
    wrong(c, "shard remove", "shard-2", says="owns ranges")
    wrong(c, "shard remove", "shard-2", "--dry-run", says="owns ranges")
    wrong(c, "shard remove", "nowhere", "--dry-run", says="there is no shard")
    told = c.ctl_raw("shard drain", "shard-2", "--no-reverse", "--dry-run")
    assert told.returncode == 0, told.stderr
    assert ("then shard shard-2 goes, with its servers: replica one (local, removed), replica "
            "server-2 (local, removed), primary two (local, removed)") in told.stdout
    caught_up(c, c.shard_list()[1], c.replica_list()[0])
    c.ctl("shard drain", "shard-2", "--no-reverse", "--wait", timeout=120)
    wait_for("the shard to be gone", lambda: len(c.shard_list()) == 1)
    wait_for("its servers to be gone", lambda: left(c) == ([], []))
    assert not c.replica_list()
    job = wait_for("its job to be done", lambda: next(
        (j for j in c.ctl("job list")["jobs"] if j["what"] == "remove a shard"
         and j["state"] == "done"), None))
    assert "2 replicas of shard-2 go too" in str(job["steps"])
    assert c.sql("SELECT COUNT(*), SUM(n) FROM t") == ((300, sum(range(300))),)
    # A copy has what the move wrote there, and gets none of it once more.
    c.ctl("replica add", "shard-1")
    (shard,), (replica,) = c.shard_list(), c.replica_list()
    caught_up(c, shard, replica)
    assert rows_of(c, replica) == rows_of(c, shard)
    wait_for("it to replicate", lambda: c.replica_list()[0].get("replicates"))


@pytest.mark.long
@pytest.mark.parametrize("at, stays", [
    ("shard-going", True), ("shard-gone", False), ("shard-leaving", False),
    ("shard-replica-gone", False)])
def test_a_controller_dies_meanwhile(new_cluster, at, stays):
    c = new_cluster(shards=1, settings=["--no-engine"])
    filled(c)
    c.ctl("shard add")
    for _ in range(2):
        c.ctl("replica add", "shard-2")
    c.ctl("shard set", "shard-2", "--semi-sync", "on")
    c.down()
    c.up(SHARDD_FAIL_AT=at)
    told = c.ctl_raw("shard remove", "shard-2", "--dry-run")
    assert [line.split() for line in told.stdout.splitlines()[1:]] == [
        ["server", "role", "provisioner", "then"],
        *([f"replica-{i}", "replica", "local", "removed"] for i in (1, 2)),
        ["server-2", "primary", "local", "removed"]], told.stdout + told.stderr
    assert len(c.shard_list()) == 2 and len(c.replica_list()) == 2
    assert c.ctl_raw("shard remove", "shard-2").returncode != 0
    c.up()
    assert len(c.shard_list()) == 1 + stays and len(c.replica_list()) == 2 * stays
    wait_for("what is not there to be gone", lambda: left(c) == ([], []))
    if stays:
        c.ctl("shard remove", "shard-2")
        assert left(c) == ([], []) and not c.replica_list()
    assert c.sql("SELECT COUNT(*) FROM t") == ((300,),)


@pytest.mark.long
def test_the_scaler_merges_shards_with_replicas(scratch, plain):
    """It grows, each shard with a replica and commits that wait for it, and shrinks again."""
    c = testbed.Cluster(scratch / "scale", shards=1, settings=["--no-engine"])
    try:
        c.ctl("replica add", "shard-1")
        c.ctl("shard set", "shard-1", "--semi-sync", "on")
        c.ctl("load set", "--interval", 1)
        c.ctl("scaler set", *QUICK)
        with movebed.running(c, plain, writers=3, movers=1, watchers=1, pause=BUSY) as bed:
            before = last(c)
            c.ctl("scaler mode", "auto")
            split = wait_for("the end of a split", lambda: ended(c, "split", before), 90)
            assert split["state"] == "done", split
            assert len(names(c)) == 2
            wait_for("two replicas", lambda: [r["shard"] for r in c.replica_list()] ==
                     ["shard-1", "shard-2"], 60)
            assert bed.check() == []
            bed.pause = IDLE
            merge = wait_for("the end of a merge", lambda: ended(c, "merge", before), 90)
            assert merge["state"] == "done" and not merge.get("error"), merge
            c.ctl("scaler mode", "off")
            assert names(c) == ["shard-1"] and bed.check() == []
            wait_for("its servers to be gone", lambda: left(c) == ([], []))
            assert [r["shard"] for r in c.replica_list()] == ["shard-1"]
        assert json.loads(c.ctl_raw("shard show", "shard-1", "--json").stdout)["semi_sync"]
    finally:
        c.finish()
