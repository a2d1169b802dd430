"""test_reshard_bad.py - what a move cannot live with comes up while it runs, or is there before it
begins: it is refused or stops with a sentence that says what to do, and its rows are taken back."""
import os
import signal
import subprocess

import pytest

from movebed import controller, restart
from testbed import SHARDCTL, Cluster, Server, alive, wait_for

ROWS = 300


@pytest.fixture(scope="module")
def c(scratch):
    cluster = Cluster(scratch / "bad", shards=2)
    cluster.sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20), n INT)")
    cluster.sql("INSERT INTO t VALUES " + ",".join(f"({i}, 'v{i}', 0)" for i in range(ROWS)))
    yield cluster
    cluster.finish()


def shard(c, name):
    return next(s for s in c.shard_list() if s["name"] == name)


def newest(c):
    return c.ctl("job list")["jobs"][0]


def leftovers(c):
    return [row for s in c.shard_list() for row in c.on_shard(
        s, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shardd_move' "
        "AND TABLE_NAME REGEXP '^(in|out)_'")]


def end_controller(c):
    pid = controller(c)
    os.kill(pid, signal.SIGKILL)
    wait_for("the controller's end", lambda: not alive(pid))


def begins(c, *options):
    """Half of shard-1's rows are on shard-2 and kept current there."""
    c.ctl("reshard split", "shard-1", "--to", "shard-2", "--cutover", "manual", *options)
    wait_for("the copy", lambda: newest(c)["phase"] == "follow", 30)


def on(c, name, *statements):
    with c.shard_connect(shard(c, name), "app") as s, s.cursor() as cursor:
        for sql in statements:
            cursor.execute(sql)


def own_key(c, name):
    """The lowest of the rows that are there before anything moves."""
    return c.on_shard(shard(c, name), "SELECT MIN(id) FROM t", "app")[0][0]


STOPPED = [
    # name, what is done to the source (or else to the target), what is said, what is to be done
    ("DDL", "source", ["ALTER TABLE t ADD x INT", "ALTER TABLE t DROP x"], "ALTER TABLE t",
     "cancel the move"),
    ("a statement in the log", "source",
     ["SET SESSION binlog_format = STATEMENT", "UPDATE t SET v = 's' WHERE id = {source}"],
     "UPDATE t", "cancel the move"),
    ("parts of rows in the log", "source",
     ["SET SESSION binlog_row_image = MINIMAL", "UPDATE t SET v = 'm'"],
     "binlog_row_image=FULL", "cancel the move"),
    ("GTIDs that do not rise", "source",
     ["SET GLOBAL gtid_strict_mode = OFF", "SET SESSION gtid_seq_no = 1", "UPDATE t SET n = 0",
      "INSERT INTO t VALUES (100000, 'g', 0)", "DELETE FROM t WHERE id = 100000"],
     "GTIDs do not rise", "gtid_strict_mode"),
    ("a row of the target's is gone", "target", ["DELETE FROM t WHERE id IN ({moved})"],
     "missing", "cancel"),
]


def moved(c):
    number = newest(c)["number"]
    return ", ".join(str(k) for (k,) in c.on_shard(
        shard(c, "shard-2"), f"SELECT k FROM shardd_move.in_{number}_0"))


def rests(c):
    return newest(c)["state"] not in ("running", "paused")


def check(c):
    assert c.sql("SELECT COUNT(*), COUNT(DISTINCT id) FROM t") == ((ROWS, ROWS),)
    assert leftovers(c) == []
    c.fsck()


@pytest.mark.parametrize("who, statements, says, remedy", [s[1:] for s in STOPPED],
                         ids=[s[0] for s in STOPPED])
def test_what_stops_a_move(c, who, statements, says, remedy):
    begins(c)
    keys = {"source": own_key(c, "shard-1"), "moved": moved(c)}
    on(c, {"source": "shard-1", "target": "shard-2"}[who],
       *(sql.format(**keys) for sql in statements))
    if who == "target":
        c.sql("UPDATE t SET n = n + 1")
    wait_for("the move to stop", lambda: rests(c), 60)
    job = newest(c)
    assert job["state"] == "failed", job
    assert says in job["error"] and remedy in job["error"], job["error"]
    check(c)


def test_the_log_is_purged_while_it_is_paused(c):
    """And nobody reads it meanwhile."""
    begins(c)
    c.ctl("job pause")
    source = shard(c, "shard-1")
    end_controller(c)
    with c.shard_connect(source, "app") as s, s.cursor() as cursor:
        cursor.execute("UPDATE t SET v = CONCAT(v, '.')")
        cursor.execute("FLUSH BINARY LOGS")
    ((last, *_),) = c.on_shard(source, "SHOW MASTER STATUS")
    wait_for("the log to be purged", lambda: c.on_shard(source, f"PURGE BINARY LOGS TO '{last}'")
             or len(c.on_shard(source, "SHOW BINARY LOGS")) == 1)
    restart(c)
    c.ctl_raw("job resume")
    wait_for("the move to stop", lambda: rests(c), 60)
    job = newest(c)
    assert job["state"] == "failed" and "no longer has the binary log" in job["error"], job
    check(c)


def test_rows_are_there_already(c):
    """Somebody has written to the target directly, where rows are to come."""
    keys = [k for (k,) in c.on_shard(shard(c, "shard-1"), "SELECT id FROM t", "app")]
    on(c, "shard-2", *(f"INSERT INTO t VALUES ({k}, 'theirs', 0)" for k in keys))
    try:
        c.ctl_raw("reshard split", "shard-1", "--to", "shard-2")
        wait_for("the move to stop", lambda: rests(c), 60)
        job = newest(c)
        assert job["state"] == "failed", job
        for says in "app.t", "shard-2", "has the others already", "shardctl fsck":
            assert says in job["error"], job["error"]
        # What was theirs is on two shards now, and nobody has taken it for a copy of ours.
        assert c.on_shard(shard(c, "shard-2"), "SELECT COUNT(*) FROM t WHERE v = 'theirs'",
                          "app") == ((len(keys),),)
    finally:
        on(c, "shard-2", "DELETE FROM t WHERE v = 'theirs'")
    check(c)


def test_a_server_without_a_log(c, scratch):
    """It can be a shard, and no rows can come to it or leave it."""
    theirs = Server(scratch / "logless")
    try:
        c.ctl("shard add", "--adopt", f"127.0.0.1:{theirs.port}", "--user", "app", "--password",
              "app", "--name", "logless")
        done = c.ctl_raw("reshard split", "shard-1", "--to", "logless")
        assert done.returncode == 1, done
        assert "log_bin" in done.stderr and "start it with --log-bin" in done.stderr, done.stderr
        c.ctl("shard remove", "logless")
    finally:
        theirs.stop()
    check(c)


@pytest.mark.parametrize("kind, make, drop", [
    ("PROCEDURE", "CREATE PROCEDURE lone() DO GET_LOCK('a', 0)", "DROP PROCEDURE lone"),
    ("EVENT", "CREATE EVENT lone ON SCHEDULE EVERY 1 DAY DO SELECT 1", "DROP EVENT lone")])
def test_what_lives_at_home_and_does_not_move(c, kind, make, drop):
    """The home of its database goes nowhere as long as it is there."""
    home = c.ctl("database show", "app")["home"]
    c.sql(make)
    done = c.ctl_raw("shard drain", home, "--dry-run")
    assert done.returncode == 1, done
    assert f"the {kind} app.lone lives on shard {home}" in done.stderr, done.stderr
    assert "drop it first" in done.stderr, done.stderr
    c.sql(drop)
    done = c.ctl_raw("shard drain", home, "--dry-run")
    assert done.returncode == 0, done


# --- one controller ------------------------------------------------------------------------------

def refuses(home, first):
    done = subprocess.run([SHARDCTL, "serve", "--home", home], capture_output=True, text=True,
                          timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode != 0 and f"pid {first}" in done.stderr, done


def test_a_second_controller_runs_nothing(c, scratch):
    """Whatever it calls the folder; and not while the first one stands still."""
    begins(c)
    number = newest(c)["number"]
    first = controller(c)
    link = scratch / "bad-link"
    link.symlink_to(c.home)
    try:
        for home in c.home, link:
            refuses(home, first)
        with c.controller_stopped():
            refuses(c.home, first)
    finally:
        link.unlink()
    assert controller(c) == first and newest(c)["number"] == number
    # A server notices late that one of before has gone.
    wait_for("one flow", lambda: 1 == sum(len(c.on_shard(
        s, "SELECT ID FROM information_schema.PROCESSLIST WHERE COMMAND = 'Binlog Dump'"))
        for s in c.shard_list()))
    c.ctl("job cancel", "--wait")
    check(c)
