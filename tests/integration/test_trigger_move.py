"""test_trigger_move.py - rows of sharded tables that have triggers move, and fire none: neither
what is copied, nor what follows, nor what is removed where it was. Moves under load:
test_reshard.py and test_reshard_kill.py."""
import contextlib

import pytest

import test_binlog
from movebed import controller, restart
from testbed import Cluster, wait_for

ROWS = 300
TRIGGERS = [
    "CREATE TRIGGER u1 BEFORE UPDATE ON t FOR EACH ROW SET NEW.n = NEW.n * 2 + 1",
    "CREATE TRIGGER u2 AFTER UPDATE ON t FOR EACH ROW IF NEW.n = -1 THEN SIGNAL SQLSTATE '45000'"
    " SET MESSAGE_TEXT = 'never -1'; END IF",
    "CREATE TRIGGER i1 BEFORE INSERT ON t FOR EACH ROW SET NEW.n = NEW.n + 100",
    "CREATE TRIGGER d1 AFTER DELETE ON t FOR EACH ROW IF OLD.id % 7 <> 0 THEN SIGNAL"
    " SQLSTATE '45000' SET MESSAGE_TEXT = 'sevenths only'; END IF",
]
NEVER = "FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'fired'"
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
    with pytest.raises(Exception, match="sevenths only"):
        c.sql("DELETE FROM t WHERE id = 1")
    assert triggers(c) == had and all(len(t) == 4 for t in had.values())


def test_what_moved_is_removed_where_it_was(c, both):
    both("DELETE FROM t WHERE id % 7 = 0")
    for shards in (("shard-1", "--to", "shard-2"), ("shard-2", "--to", "shard-1")):
        both(WRITE)
        assert c.ctl_raw("reshard split", *shards, "--no-reverse", "--wait").returncode == 0
        rows = [c.on_shard(s, "SELECT COUNT(*) FROM t", "app")[0][0] for s in c.shard_list()]
        assert sum(rows) == ROWS - (ROWS + 6) // 7 and min(rows) > 0, rows


def test_what_was_copied_in_vain_is_removed(c, both):
    had = [c.on_shard(s, "SELECT COUNT(*) FROM t", "app") for s in c.shard_list()]
    c.ctl("reshard split", "shard-1", "--to", "shard-2", "--cutover", "manual")
    wait_for("the copy", lambda: newest(c)["phase"] == "follow", 30)
    assert [c.on_shard(s, "SELECT COUNT(*) FROM t", "app") for s in c.shard_list()] != had
    assert c.ctl_raw("job cancel", "--wait").returncode == 0
    assert [c.on_shard(s, "SELECT COUNT(*) FROM t", "app") for s in c.shard_list()] == had


def moved_and_alike(c, mirror, names, columns="*"):
    """With triggers that fail whenever they fire, there and back."""
    for name in names:
        for event in "INSERT", "DELETE":
            c.sql(f"CREATE TRIGGER {name}_{event} AFTER {event} ON {name} {NEVER}")
    for shards in (("shard-1", "--to", "shard-2"), ("shard-2", "--to", "shard-1")):
        done = c.ctl_raw("reshard split", *shards, "--no-reverse", "--wait", timeout=60)
        assert done.returncode == 0, done.stderr
        for name in names:
            sql = f"SELECT {columns} FROM {name}"
            ours, theirs = c.sql(sql), mirror.sql(sql, db="app")
            assert sorted(map(repr, ours)) == sorted(map(repr, theirs)), name
    c.fsck()
    for name in names:
        c.sql(f"DROP TABLE {name}")


def test_rows_of_all_types(c, mirror):
    columns = [t for t in test_binlog.types() if t[3] is not None and t[0] != "varchar_16000"]
    tables = {f"ty{i}": columns[i * 12:i * 12 + 12] for i in range((len(columns) + 11) // 12)}
    for name, of in tables.items():
        for run in c.sql, lambda sql: mirror.sql(sql, db="app"):
            run(f"CREATE TABLE {name} (id INT PRIMARY KEY, " + ", ".join(
                f"v_{c} {definition}" for c, definition, _, _ in of) + ")")
            run(f"SET STATEMENT sql_mode = '' FOR INSERT INTO {name} VALUES " + ", ".join(
                f"({i}, " + ", ".join(literals[i % len(literals)] for _, _, literals, _ in of)
                + ")" for i in range(40)))
    moved_and_alike(c, mirror, tables)


KEYS = [("VARCHAR(20)", "CONCAT('K', {})"), ("VARCHAR(20) CHARACTER SET latin1", "CONCAT('ü', {})"),
        ("DECIMAL(20,3)", "{} - 50.125"), ("DATE", "'2020-01-01' + INTERVAL {} DAY"),
        ("UUID", "CONCAT('00112233-4455-4677-8899-aabbccdd0', LPAD({}, 3, '0'))"),
        ("DATETIME(3)", "'2020-01-01 00:00:00.125' + INTERVAL {} HOUR"),
        ("INET6", "CONCAT('fe80::', {})"), ("BINARY(20)", "CONCAT({}, x'0061')"),
        ("VARBINARY(20)", "CONCAT({}, x'00')"),
        ("BIGINT UNSIGNED", "18446744073709551615 - {}")]


def test_rows_with_keys_of_many_types(c, mirror):
    """Their images have the primary key alone; beside it are generated columns."""
    for i, (definition, value) in enumerate(KEYS):
        for run in c.sql, lambda sql: mirror.sql(sql, db="app"):
            run(f"CREATE TABLE k{i} (g INT AS (n + 1) VIRTUAL, b CHAR(9) CHARACTER SET utf16,"
                f" a {definition}, n INT,"
                " s INT AS (n * 2) STORED, e ENUM('x','y''z') DEFAULT 'y''z', h TEXT,"
                " h2 INT INVISIBLE DEFAULT 3, PRIMARY KEY (a, b), KEY (g), KEY (s), UNIQUE (a, h))"
                " COMMENT 'shardd: key(a)'")
            for n in range(0, 100):
                run(f"INSERT INTO k{i} (a, b, n, h) VALUES ({value.format(n)}, 'ü{n % 3}',"
                    f" {n}, {n})")
    moved_and_alike(c, mirror, [f"k{i}" for i in range(len(KEYS))],
                    "CAST(a AS CHAR), b, n, g, s, e, h, h2")


@pytest.mark.parametrize("definition", ["VARCHAR(50) COMPRESSED", "YEAR(2)"])
def test_types_without_images_are_refused(c, definition):
    c.sql(f"CREATE TABLE odd (id INT PRIMARY KEY, v {definition})")
    c.sql("INSERT INTO odd VALUES " + ",".join(f"({i}, '{i}')" for i in range(60)))
    c.sql(f"CREATE TRIGGER o AFTER INSERT ON odd {NEVER}")
    done = c.ctl_raw("reshard split", "shard-1", "--to", "shard-2", "--wait", timeout=60)
    assert done.returncode != 0 and "SHOW CREATE TRIGGER" in done.stderr + done.stdout, done
    c.sql("DROP TABLE odd")


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
        wait_for("the move to stop", lambda: controller(c) and newest(c)["phase"] == "cancel", 60)
    wait_for("what was copied to be removed", lambda: newest(c)["state"] == "failed", 90)
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
