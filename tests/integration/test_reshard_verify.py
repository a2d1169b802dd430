"""test_reshard_verify.py - copies are compared before a switch: on replicas where there are some,
in parts that a controller goes on with, and no faster than asked; and moves of shards that have
replicas."""
import pytest

from movebed import controller, restart
from testbed import Cluster, wait_for

ROWS = 24000  # half of them lie on shard-1, and a quarter moves


@pytest.fixture(scope="module")
def c(scratch):
    cluster = Cluster(scratch / "mverify", shards=2)
    for shard in "shard-1", "shard-2":
        cluster.ctl("replica add", shard, timeout=120)
    cluster.sql("CREATE TABLE t (a INT, b VARCHAR(20), v INT, PRIMARY KEY (a, b))")
    for start in range(0, ROWS, 4000):
        cluster.sql("INSERT INTO t VALUES " + ",".join(
            f"({i // 3}, 'k{i % 3}''\\\\', {i})" for i in range(start, start + 4000)))
    yield cluster
    cluster.finish()


@pytest.fixture(autouse=True)
def checked(c):
    yield
    if newest(c)["state"] in ("running", "paused"):
        assert c.ctl_raw("job cancel", "--wait", timeout=120).returncode == 0
    assert c.sql("SELECT COUNT(*), SUM(v) FROM t") == ((ROWS, ROWS * (ROWS - 1) // 2),)


def newest(c):
    return c.ctl("job list")["jobs"][0]


def job(c, number):
    return c.ctl("job show", number)


def split(c, *options):
    return c.ctl("reshard split", "shard-1", "--to", "shard-2", "--cutover", "manual", "--throttle",
                 "off", *options)["job"]


def compared(c, number):
    wait_for("the comparison", lambda: "verified" in job(c, number) and
             job(c, number)["phase"] == "follow", 60)
    return job(c, number)["verified"]


def replica_of(c, shard):
    return next(r for r in c.replica_list() if r["shard"] == shard)


def on(c, server, *statements):
    with c.server_connect(server, "app") as root, root.cursor() as cursor:
        for sql in statements:
            cursor.execute(sql)
        return cursor.fetchall()


def test_replicas_are_read(c):
    verified = compared(c, split(c))
    assert verified["replicas"] == 2 and verified["missing"] == 0, verified
    assert verified["rows"] > ROWS / 3, verified


def test_primaries_are_read_when_that_is_asked_for(c):
    assert compared(c, split(c, "--verify-on", "primary"))["replicas"] == 0
    done = c.ctl_raw("reshard split", "shard-1", "--to", "shard-2", "--verify-on", "moon")
    assert done.returncode != 0, done


def test_a_replica_that_is_behind_is_not_read(c):
    behind = replica_of(c, "shard-1")
    on(c, behind, "STOP SLAVE SQL_THREAD")
    try:
        c.sql("UPDATE t SET v = v + 1 WHERE a < 500")
        number = split(c)
        c.sql("UPDATE t SET v = v - 1 WHERE a < 500")
        verified = compared(c, number)
        assert verified["replicas"] == 1 and verified["different"] == 0, verified
    finally:
        on(c, behind, "START SLAVE SQL_THREAD")


def test_what_only_a_replica_lacks_is_no_difference(c):
    """And what a copy lacks is one."""
    wrong = replica_of(c, "shard-1")
    gone = on(c, wrong, "SELECT a, b, v FROM t ORDER BY a LIMIT 50")
    on(c, wrong, "SET sql_log_bin = 0", "SET GLOBAL read_only = 0",
       "DELETE FROM t ORDER BY a LIMIT 50")
    number = split(c)
    verified = compared(c, number)
    assert verified["replicas"] == 0 and verified["missing"] + verified["extra"] == 0, verified
    (target,) = [s for s in c.shard_list() if s["name"] == "shard-2"]
    (n,) = [i for i, name in enumerate(job(c, number)["move"]["tables"]) if name == "app.t"]
    ((key,),) = c.on_shard(target, f"SELECT k FROM shardd_move.in_{number}_{n} LIMIT 1")
    on(c, target, f"UPDATE t SET v = -1 WHERE a = {key} LIMIT 1")
    c.ctl("reshard verify")
    wait_for("the move to stop", lambda: job(c, number)["state"] == "failed", 60)
    assert "1 different" in job(c, number)["error"], job(c, number)
    on(c, wrong, "SET sql_log_bin = 0",
       "INSERT INTO t VALUES " + ",".join(f"({a}, '{b[:2]}''\\\\', {v})" for a, b, v in gone))
    on(c, wrong, "SET GLOBAL read_only = 1")


def test_a_controller_goes_on_with_it(c):
    """Two thousand rows per second, in parts of four thousand."""
    number = split(c, "--no-verify")
    wait_for("the copy", lambda: job(c, number)["phase"] == "follow", 60)
    c.ctl("job throttle", "rows=2000")
    c.ctl("reshard verify")
    wait_for("a part", lambda: job(c, number).get("compared"), 60)
    first = controller(c)
    restart(c)
    goes_on = job(c, number)  # or is through with the rest already
    assert controller(c) != first and (goes_on["phase"] == "verify" or "verified" in goes_on), \
        goes_on
    verified = compared(c, number)
    ((rows,),) = on(c, c.shard_list()[0], "SELECT COUNT(*) FROM t")
    assert 0 < verified["rows"] <= rows - 4000, verified  # one part at least was known
    assert verified["missing"] + verified["extra"] + verified["different"] == 0, verified


def test_targets_whose_commits_wait_for_a_replica(c):
    """And a primary is changed while its rows move."""
    c.ctl("shard set", "shard-2", "--semi-sync", "on")
    number = split(c)
    compared(c, number)
    done = c.ctl_raw("failover", "shard-2")
    assert done.returncode == 0, done
    switched = c.ctl_raw("reshard cutover", "--wait", timeout=120)  # held until a moment ago
    assert switched.returncode == 0, (switched, job(c, number))
    c.sql("UPDATE t SET v = v + 1")
    c.sql("UPDATE t SET v = v - 1")
    assert c.ctl_raw("reshard complete", "--wait", timeout=120).returncode == 0
    for shard in c.shard_list():
        replica = replica_of(c, shard["name"])
        ((position,),) = on(c, shard, "SELECT @@gtid_binlog_pos")
        assert on(c, replica, f"SELECT MASTER_GTID_WAIT('{position}', 60)") == ((0,),)
        sql = "SELECT * FROM t ORDER BY a, b"
        assert on(c, replica, sql) == on(c, shard, sql)
