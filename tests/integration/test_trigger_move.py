"""test_trigger_move.py - rows of sharded tables that have triggers move: those of UPDATE fire
neither for what is copied nor for what follows, INSERT and DELETE ones are refused. Moves under
load: test_reshard.py and test_reshard_kill.py."""
import contextlib

import pytest

from movebed import controller, restart
from testbed import Cluster, wait_for

ROWS = 300
TRIGGERS = [
    "CREATE TRIGGER u1 BEFORE UPDATE ON t FOR EACH ROW SET NEW.n = NEW.n * 2 + 1",
    "CREATE TRIGGER u2 AFTER UPDATE ON t FOR EACH ROW IF NEW.n = -1 THEN SIGNAL SQLSTATE '45000'"
    " SET MESSAGE_TEXT = 'never -1'; END IF",
]
WRITE = "UPDATE t SET n = n + 1, v = CONCAT(v, 'x') WHERE id % 3 = 0"


@pytest.fixture(scope="module")
def c(scratch):
    cluster = Cluster(scratch / "trgmove", shards=2)
    yield cluster
    cluster.finish()


@pytest.fixture
def both(c, mirror):
    """A table with triggers, in shardd and on a plain server: a function that writes to both."""
    def run(sql):
        c.sql(sql)
        mirror.sql(sql, db="app")

    run("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(200), n BIGINT)")
    run("INSERT INTO t VALUES " + ",".join(f"({i}, 'v{i}', 0)" for i in range(ROWS)))
    for sql in TRIGGERS:
        run(sql)
    yield run
    sql = "SELECT * FROM t ORDER BY id"
    assert c.sql(sql) == mirror.sql(sql, db="app")
    c.fsck()
    c.sql("DROP TABLE t")


def shard(c, name):
    return next(s for s in c.shard_list() if s["name"] == name)


def newest(c):
    return c.ctl("job list")["jobs"][0]


def triggers(c):
    return {s["name"]: [row[:8] for row in c.on_shard(s, "SHOW TRIGGERS", "app")]
            for s in c.shard_list()}


def refused(c, *words):
    done = c.ctl_raw(*words)
    assert done.returncode == 1, done.stdout
    return done.stderr


def test_there_and_back(c, both):
    had = triggers(c)
    both(WRITE)
    number = c.ctl("reshard split", "shard-1", "--to", "shard-2", "--cutover", "manual")["job"]
    wait_for("the copy", lambda: newest(c)["phase"] == "follow", 30)
    both(WRITE)
    assert c.ctl_raw("reshard cutover", "--wait").returncode == 0
    with pytest.raises(Exception, match="when job .* has ended"):
        c.sql("CREATE TRIGGER late BEFORE INSERT ON t FOR EACH ROW SET NEW.n = 1")
    both(WRITE)
    both("DELETE FROM t WHERE id % 7 = 0")
    both("INSERT INTO t VALUES (1000, 'new', 5), (1001, 'new', 6), (1002, 'new', 7)")
    assert c.ctl_raw("reshard reverse", "--wait").returncode == 0
    assert c.ctl("job show", number)["end"] == "reversed"
    both(WRITE)
    with pytest.raises(Exception, match="never -1"):
        c.sql("UPDATE t SET n = -1")
    assert triggers(c) == had and all(len(t) == 2 for t in had.values())


@pytest.mark.parametrize("event, body", [
    ("BEFORE INSERT", "SET NEW.n = 1"), ("AFTER INSERT", "SIGNAL SQLSTATE '45000'"),
    ("BEFORE DELETE", "SIGNAL SQLSTATE '45000'"), ("AFTER DELETE", "SIGNAL SQLSTATE '45000'")])
def test_others_are_refused(c, both, event, body):
    both(f"CREATE TRIGGER other {event} ON t FOR EACH ROW IF OLD_ROW THEN {body}; END IF".replace(
        "OLD_ROW", "NEW.id = 5000" if "INSERT" in event else "OLD.id = 5000"))
    said = refused(c, "reshard split", "shard-1", "--to", "shard-2", "--dry-run")
    assert f"has the {event.split()[1]} trigger other" in said and "SHOW CREATE TRIGGER" in said
    assert "triggers of UPDATE may stay" in said


def test_another_key_or_kind_is_refused(c, both):
    for words in (["--global"], ["--reference"]):
        said = refused(c, "table set", "app.t", *words, "--dry-run")
        assert "TRIGGER" in said or "trigger" in said, said


@contextlib.contextmanager
def set_on(c, name, value):
    c.on_shard(shard(c, name), f"SET GLOBAL slave_run_triggers_for_rbr = {value}")
    try:
        yield
    finally:
        c.on_shard(shard(c, name), "SET GLOBAL slave_run_triggers_for_rbr = NO")


@pytest.mark.parametrize("value", ["YES", "LOGGING", "ENFORCE"])
@pytest.mark.parametrize("name", ["shard-1", "shard-2"])
def test_servers_that_would_fire_them_are_refused(c, both, name, value):
    with set_on(c, name, value):
        said = refused(c, "reshard split", "shard-1", "--to", "shard-2", "--dry-run")
        assert f"{name} has slave_run_triggers_for_rbr = {value}" in said
        assert "SET GLOBAL slave_run_triggers_for_rbr = 'NO'" in said


def test_a_server_that_would_fire_them_later_stops_it(c, both):
    c.ctl("reshard split", "shard-1", "--to", "shard-2", "--cutover", "manual")
    wait_for("the copy", lambda: newest(c)["phase"] == "follow", 30)
    with set_on(c, "shard-2", "YES"):
        restart(c)
        both(WRITE)
        wait_for("the move to stop", lambda: controller(c) and newest(c)["state"] == "failed", 60)
    assert "slave_run_triggers_for_rbr = YES" in newest(c)["error"], newest(c)


def test_homes_move_beside_them(new_cluster):
    """Triggers and lookups of sharded tables are on every shard, and stay when the home goes."""
    c = new_cluster(shards=2)
    c.sql("CREATE TABLE t (id INT PRIMARY KEY, n INT)")
    c.sql("CREATE TABLE g (id INT PRIMARY KEY) COMMENT 'shardd: global'")
    c.sql("INSERT INTO t VALUES " + ",".join(f"({i}, 0)" for i in range(100)))
    c.sql("INSERT INTO g VALUES (1)")
    c.sql("CREATE TRIGGER u1 BEFORE UPDATE ON t FOR EACH ROW SET NEW.n = NEW.n * 2 + 1")
    c.sql("CREATE TABLE l (id INT PRIMARY KEY, e VARCHAR(20))"
          " COMMENT 'shardd: key(id) lookup(e)'")
    c.sql("INSERT INTO l VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd')")
    c.sql("CREATE TRIGGER at_home BEFORE UPDATE ON g FOR EACH ROW SET NEW.id = OLD.id")
    home = c.ctl("database show", "app")["home"]
    assert "TRIGGER app.at_home lives on" in refused(c, "shard drain", home, "--dry-run")
    c.sql("DROP TRIGGER at_home")
    assert c.ctl_raw("shard drain", home, "--no-reverse", "--wait", timeout=120).returncode == 0
    wait_for("the shard to be gone", lambda: len(c.shard_list()) == 1, 20)
    assert c.sql("SELECT COUNT(*), SUM(n) FROM t") == ((100, 0),)
    c.sql("UPDATE t SET n = 3")
    assert c.sql("SELECT COUNT(*), SUM(n) FROM t") == ((100, 700),)
    assert c.sql("SELECT * FROM g") == ((1,),)
    assert c.sql("SELECT id FROM l WHERE e = 'c'") == ((3,),)
