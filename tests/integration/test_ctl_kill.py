"""test_ctl_kill.py - a controller killed in the middle of `table set`, `shard add` and adoption:
the next one finishes the work or undoes it."""
import itertools
import json
import random
import subprocess
import threading

import pytest

import matrix
from controlbed import Controller
from testbed import SHARDCTL, Server, wait_for

numbers = itertools.count(7000)


@pytest.fixture(scope="module")
def c(scratch):
    controller = Controller(scratch / "kill")
    yield controller
    try:
        assert controller.fsck() == []
    finally:
        controller.stop()


def add_job(c, kind, **more):
    """A record as a killed controller leaves it; none runs now."""
    number = next(numbers)
    c.catalog("INSERT INTO object VALUES ('job', ?, 1, ?)", (f"{number:010}", json.dumps(
        {"number": number, "kind": kind, "who": "shardctl", "what": "change a table's kind",
         "database": "", "table": "", "state": "running", "steps": [], **more})))
    return number


def change(c, kind, name, change_it):
    ((text,),) = c.catalog("SELECT body FROM object WHERE kind = ? AND name = ?", (kind, name))
    body = json.loads(text)
    change_it(body)
    c.catalog("UPDATE object SET body = ? WHERE kind = ? AND name = ?",
              (json.dumps(body), kind, name))


def states(c):
    return {j["number"]: j["state"] for j in c.call("GET", "/v1/jobs")[2]["jobs"]}


COMMENTS = {"sharded": "", "global": " COMMENT 'shardd: global'",
            "reference": " COMMENT 'shardd: reference'"}

# What it was, what it becomes, where it was dropped, is that in the catalog, where it was made.
STEPS = [
    ("sharded", "global", [], False, []),
    ("sharded", "global", [0], False, []),
    ("sharded", "reference", [1], False, []),
    ("sharded", "global", [0, 1], False, []),
    ("sharded", "global", [0, 1], True, []),
    ("sharded", "global", [0, 1], True, [0]),
    ("sharded", "global", [0], True, []),
    ("global", "reference", [0], False, []),
    ("global", "reference", [0], True, []),
    ("global", "sharded", [0], True, [0]),
    ("reference", "sharded", [0, 1], True, [1]),
    ("reference", "sharded", [0], False, []),
]


def test_table_set_at_every_step(c):
    expected = {}
    texts = {}
    for i, (before, _, dropped, _, made) in enumerate(STEPS):
        c.ddl(f"CREATE TABLE t{i} (id INT PRIMARY KEY, v INT){COMMENTS[before]}")
        texts[i] = c.on(0, f"SHOW CREATE TABLE t{i}")[0][1]
        for shard in dropped:
            c.on(shard, f"DROP TABLE t{i}")
        for shard in made:
            c.on(shard, texts[i])
    c.kill()
    for i, (before, after, _, recorded, _) in enumerate(STEPS):
        key = "id" if after == "sharded" else ""
        if recorded:
            change(c, "table", f"app.t{i}", lambda t: t.update(kind=after, key=key or None))
        number = add_job(c, "table", database="app", table=f"t{i}",
                         session={"kind": after, "key": key},
                         definitions={f"app.t{i}": texts[i]})
        expected[number] = "done" if recorded else "failed"
    c.start()
    assert {n: s for n, s in states(c).items() if n in expected} == expected
    assert c.fsck() == []
    for i, (before, after, _, recorded, _) in enumerate(STEPS):
        kind = after if recorded else before
        assert c.kind(f"t{i}").split()[0] == kind
        assert [f"t{i}" in c.tables_on(s) for s in (0, 1)] == [True, kind != "global"], i
        c.ctl("table", "set", f"app.t{i}", "--key=id")
        assert c.kind(f"t{i}") == "sharded by id"
        c.ddl(f"DROP TABLE t{i}")


def test_rows_that_came_meanwhile_stay(c):
    """Workers go on by the routes of before, as long as a copy is there."""
    c.ddl("CREATE TABLE m (id INT PRIMARY KEY, v INT)")
    text = c.on(0, "SHOW CREATE TABLE m")[0][1]
    c.on(0, "DROP TABLE m")
    c.on(1, f"INSERT INTO m VALUES ({key_of(c, 'm', 1)}, 1)")
    c.kill()
    number = add_job(c, "table", database="app", table="m", definitions={"app.m": text},
                     session={"kind": "global", "key": ""})
    c.start()
    assert states(c)[number] == "failed"
    assert c.on(1, "SELECT v FROM m") == ((1,),) and c.on(0, "SELECT v FROM m") == ()
    assert c.fsck() == []
    c.ddl("DROP TABLE m")


def key_of(c, table, shard):
    names = [s["name"] for s in c.shard_list()]
    return next(i for i in range(1000) if names[shard] in c.ctl(
        "explain", f"SELECT * FROM {table} WHERE id = {i}"))


def test_it_really_is_killed(c):
    """The first shard is locked by the job, which waits for the second."""
    c.ddl("CREATE TABLE w (id INT PRIMARY KEY)")
    with c.connect(1, "app") as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLES w READ")
        job = subprocess.Popen([SHARDCTL, "table", "set", "app.w", "--global", "--home", c.home],
                               stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        wait_for("the job to wait", lambda: "Waiting for table metadata lock" in str(
            c.on(1, "SELECT STATE FROM information_schema.PROCESSLIST")))
        c.kill()
        job.wait()
    c.start()
    assert latest(c)["state"] == "failed"
    assert c.fsck() == [] and c.kind("w") == "sharded by id"
    c.ctl("table", "set", "app.w", "--global")
    assert c.fsck() == [] and "w" not in c.tables_on(1)
    c.ddl("DROP TABLE w")


def triggers_on(c, shard):
    return c.on(shard, "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS"
                " WHERE EVENT_OBJECT_TABLE = 'trg' ORDER BY 1")


@pytest.mark.parametrize("shard", [0, 1])
def test_triggers_are_the_same_everywhere(c, shard):
    """Its table is locked on one of the shards, and the controller waits for that."""
    c.ddl("CREATE TABLE trg (id INT PRIMARY KEY, v INT)")
    for sql in ("CREATE TRIGGER tr1 BEFORE INSERT ON trg FOR EACH ROW SET NEW.v = 1",
                "CREATE OR REPLACE TRIGGER tr1 BEFORE INSERT ON trg FOR EACH ROW SET NEW.v = 2",
                "DROP TRIGGER tr1"):
        def run():
            with pytest.raises(OSError):
                c.ddl(sql)

        with c.connect(shard, "app") as other, other.cursor() as cursor:
            cursor.execute("LOCK TABLES trg READ")
            thread = threading.Thread(target=run)
            thread.start()
            wait_for("the job to wait", lambda: "Waiting for table metadata lock" in str(
                c.on(shard, "SELECT STATE FROM information_schema.PROCESSLIST")))
            c.kill()
            thread.join()
        c.start()
        assert latest(c)["state"] == "done" and c.fsck() == [], sql
        assert triggers_on(c, 0) == triggers_on(c, 1), sql
        if shard == 1:  # the home had it
            assert triggers_on(c, 0) == (() if "DROP" in sql else (("tr1",),)), sql
        c.ddl("CREATE TRIGGER IF NOT EXISTS tr1 BEFORE INSERT ON trg FOR EACH ROW SET NEW.v = 1"
              if "DROP" not in sql else "DROP TRIGGER IF EXISTS tr1")
        assert triggers_on(c, 1) == (() if "DROP" in sql else (("tr1",),)), sql
    c.ddl("DROP TABLE trg")


# --- shards -------------------------------------------------------------------


def start_and_wait(c, *words):
    """A `shardctl` that waits for the table `ref` at home, which is locked."""
    job = subprocess.Popen([SHARDCTL, *map(str, words), "--home", c.home],
                           stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    wait_for("the job to wait", lambda: "Waiting for table metadata lock" in str(
        c.on(0, "SELECT STATE FROM information_schema.PROCESSLIST")), 60)
    c.kill()
    job.wait()
    c.start()


@pytest.fixture
def ref(c):
    c.ddl("CREATE TABLE ref (id INT PRIMARY KEY, v INT) COMMENT 'shardd: reference'")
    c.ddl("CREATE TABLE s (id INT PRIMARY KEY)")
    for shard in (0, 1):
        c.on(shard, "INSERT INTO ref VALUES (1, 1)")
    yield
    c.ddl("DROP TABLE ref, s")


def folders(c):
    return {p.name for p in c.home.glob("shard-*") if p.is_dir()}


def latest(c):
    """The newest that was not put there by add_job()."""
    return next(j for j in c.call("GET", "/v1/jobs")[2]["jobs"] if j["number"] < 7000)


def test_shard_add_is_taken_back_or_completed(c, ref):
    with c.connect(0, "app") as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLES ref WRITE")
        start_and_wait(c, "shard", "add")
    assert latest(c)["state"] == "failed" and folders(c) == {"shard-1", "shard-2"}
    assert len(c.shard_list()) == 2 and c.fsck() == []
    c.ctl("shard", "add", "--name", "late")
    late = c.shard_list()[2]
    for shard in (0, 1):  # by workers that did not hear of it
        c.on(shard, "INSERT INTO ref VALUES (2, 2)")
        c.on(shard, "UPDATE ref SET v = 9 WHERE id = 1")
    c.kill()
    number = add_job(c, "shard", what="add a shard",
                     undo={"id": late["id"], "directory": late["directory"]})
    c.start()
    assert states(c)[number] == "done" and c.fsck() == []
    assert c.on(2, "SELECT * FROM ref ORDER BY id") == ((1, 9), (2, 2))
    c.ctl("shard", "remove", "late")
    c.kill()
    left = c.home / f"shard-{late['id']}"
    left.mkdir()
    number = add_job(c, "shard", what="remove a shard",
                     undo={"id": late["id"], "directory": str(left)})
    c.start()
    assert states(c)[number] == "done" and not left.exists()
    assert '"undo"' not in json.dumps(c.call("GET", "/v1/jobs")[2])


def everything(server):
    return (server.sql("SHOW DATABASES"), server.sql(
        "SELECT User, Host FROM mysql.global_priv ORDER BY 1, 2"))


def test_an_adoption_is_taken_back_or_completed(c, ref, scratch):
    theirs = Server(scratch / "killadopt")
    try:
        theirs.sql("CREATE DATABASE shop")
        theirs.sql("CREATE TABLE t (id INT PRIMARY KEY)", db="shop")
        theirs.sql("CREATE USER reader@'%' IDENTIFIED BY 'x'")
        before = everything(theirs)
        words = ["shard", "add", "--adopt", f"127.0.0.1:{theirs.port}", "--user", "app",
                 "--password", "app", "--name", "theirs"]
        with c.connect(0, "app") as other, other.cursor() as cursor:
            cursor.execute("LOCK TABLES ref WRITE")
            start_and_wait(c, *words)
        assert latest(c)["state"] == "failed" and len(c.shard_list()) == 2
        assert everything(theirs) == before
        assert "shop" not in str(c.on(1, "SHOW DATABASES"))
        assert "reader" not in str(c.on(1, "SELECT User FROM mysql.user"))
        c.ctl(*words)
        adopted = c.shard_list()[2]
        for shard in (0, 1):
            c.on(shard, "INSERT INTO ref VALUES (3, 3)")
        c.kill()
        number = add_job(c, "shard", what="adopt a server", undo={"id": adopted["id"]})
        c.start()
        assert states(c)[number] == "done" and c.fsck() == []
        assert "reader" in str(c.json("user", "list"))
        c.ddl("DROP DATABASE shop")
        c.ctl("shard", "remove", "theirs")
    finally:
        theirs.stop()


def test_a_failed_adoption_leaves_nothing(c, ref, scratch):
    theirs = Server(scratch / "failadopt")
    try:
        before = everything(theirs)
        c.on(1, "CREATE DATABASE shop COLLATE utf8mb4_bin")  # no rows of ours are lost
        c.on(1, "CREATE TABLE mine (id INT)", db="shop")
        theirs.sql("CREATE DATABASE shop")
        with c.connect(0, "app") as other, other.cursor() as cursor:
            cursor.execute("LOCK TABLES ref WRITE")
            job = subprocess.Popen(
                [SHARDCTL, "shard", "add", "--adopt", f"127.0.0.1:{theirs.port}", "--user", "app",
                 "--password", "app", "--home", c.home], stderr=subprocess.PIPE, text=True)
            waiting = wait_for("the job to wait", lambda: [row[0] for row in c.on(
                0, "SELECT ID FROM information_schema.PROCESSLIST"
                   " WHERE STATE LIKE 'Waiting for table%'")])
            c.on(0, f"KILL {waiting[0]}")
            assert job.wait() == 1, job.stderr.read()
        theirs.sql("DROP DATABASE shop")
        assert everything(theirs) == before and len(c.shard_list()) == 2
        assert c.on(1, "SHOW TABLES", db="shop") == (("mine",),)
    finally:
        c.on(1, "DROP DATABASE shop")
        theirs.stop()


@pytest.mark.long
def test_shard_add_killed_at_any_moment(c, ref):
    seed = random.randrange(10**9)
    rng = random.Random(seed)
    for turn in range(25):
        job = subprocess.Popen([SHARDCTL, "shard", "add", "--name", "any", "--home", c.home],
                               stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            job.wait(rng.random() * 1.5)
        except subprocess.TimeoutExpired:
            pass
        c.kill()
        job.wait()
        c.start()
        assert c.fsck() == [], (seed, turn)
        assert set(states(c).values()) <= {"done", "failed"}, (seed, turn)
        matrix.note("controller", "shard add", f"some moment {turn}", matrix.ended(
            dict(latest(c), phase="")))
        if len(c.shard_list()) == 3:
            c.ctl("shard", "remove", "any")
        assert folders(c) == {"shard-1", "shard-2"}, (seed, turn)


@pytest.mark.long
def test_table_set_killed_at_any_moment(c):
    seed = random.randrange(10**9)
    rng = random.Random(seed)
    c.ddl("CREATE TABLE a (id INT PRIMARY KEY)")
    for turn in range(40):
        wish = rng.choice(["--global", "--reference", "--key=id"])
        job = subprocess.Popen([SHARDCTL, "table", "set", "app.a", wish, "--home", c.home],
                               stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            job.wait(rng.random() * 0.2)
        except subprocess.TimeoutExpired:
            pass
        c.kill()
        job.wait()
        c.start()
        assert c.fsck() == [], (seed, turn)
        assert set(states(c).values()) <= {"done", "failed"}, (seed, turn)
        matrix.note("controller", "table set", f"some moment {turn}", matrix.ended(
            dict(latest(c), phase="")))
    c.ddl("DROP TABLE a")
