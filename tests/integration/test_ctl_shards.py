"""test_ctl_shards.py - shards that come and go, branches in doubt, and what fsck finds."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess

import pymysql
import pytest

from controlbed import Controller
from test_kill_matrix import stands
from testbed import SHARDCTL, Server, wait_for


@pytest.fixture(scope="module")
def c(scratch):
    controller = Controller(scratch / "shards", options=["--docker-socket", scratch / "no.sock"])
    yield controller
    try:
        assert controller.fsck() == []
    finally:
        controller.stop()


REFERENCE = """CREATE TABLE ref (id INT AUTO_INCREMENT PRIMARY KEY, f FLOAT, d DOUBLE,
  e ENUM('a','b'),
  b VARBINARY(20), t TEXT CHARACTER SET latin1, n DECIMAL(20,5), ts TIMESTAMP(6) NULL,
  j JSON, bits BIT(9), g DOUBLE AS (d * 2) STORED, p POINT) COMMENT 'shardd: reference'"""


def test_a_new_shard_gets_definitions_and_copies(c):
    c.ddl(REFERENCE)
    c.ddl("CREATE TABLE s (id INT PRIMARY KEY)")
    c.ddl("CREATE TABLE g (id INT)")
    c.ddl("CREATE VIEW v AS SELECT id FROM s")
    for number in (0, 1):
        c.on(number, "INSERT INTO ref (id, f, d, e, b, t, n, ts, j, bits, p) VALUES"
                     " (1, 16777217, 0.1, 'b', x'00ff275c', 'äöü', -12.5, '2020-02-02 02:02:02.5',"
                     "  '{\"a\": 1}', b'101010101', POINT(1, 2)), (2, 0.3, 1e300, 'a', NULL, NULL,"
                     "  0, NULL, NULL, NULL, NULL)")
    c.ctl("shard", "add", "--name", "third")
    assert [s["ranges"] for s in c.shard_list()] == [16, 16, 0]
    assert c.tables_on(2) == {"ref", "s", "v"}
    assert c.on(2, "CHECKSUM TABLE ref") == c.on(0, "CHECKSUM TABLE ref")
    assert "ALL PRIVILEGES ON `app`" in str(c.on(2, "SHOW GRANTS FOR app@'%'"))
    c.ddl("CREATE TABLE after_it (id INT PRIMARY KEY)")
    assert "after_it" in c.tables_on(2)
    assert c.fsck() == []


def test_set_and_remove(c):
    c.ctl("shard", "set", "third", "--name", "extra", "--state", "draining")
    assert c.shard_list()[2]["state"] == "draining"
    taken = c.ctl_raw("shard", "set", "extra", "--name", "shard-1")
    assert taken.returncode == 1 and "already" in taken.stderr
    assert c.ctl_raw("shard", "set", "extra").returncode == 2
    c.ctl("database", "create", "there", "--home-shard", "extra")
    for name, why in [("extra", "home of the database there"), ("shard-1", "owns ranges"),
                      ("nobody", "no shard nobody")]:
        done = c.ctl_raw("shard", "remove", name)
        assert done.returncode == 1 and why in done.stderr
    c.ctl("database", "drop", "there")
    folder = c.home / "shard-3"
    assert folder.is_dir()
    c.ctl("shard", "remove", "extra")
    assert len(c.shard_list()) == 2 and not folder.exists()


def test_adopt_a_server_with_its_data(c, scratch):
    theirs = Server(scratch / "theirs")
    theirs.sql("CREATE DATABASE shop COLLATE latin1_swedish_ci")
    theirs.sql("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v INT)", db="shop")
    theirs.sql("INSERT INTO t (v) VALUES (1), (2)", db="shop")
    theirs.sql("CREATE VIEW w AS SELECT v FROM t", db="shop")
    theirs.sql("CREATE USER reader@'%' IDENTIFIED BY 'their own'")
    theirs.sql("GRANT SELECT ON shop.* TO reader@'%'")
    theirs.sql("CREATE USER reader@'10.%' IDENTIFIED BY 'another'")
    before = theirs.sql("SHOW CREATE TABLE t", db="shop")
    c.ctl("user", "add", "mine", "--password", "x")
    try:
        address = f"127.0.0.1:{theirs.port}"
        wrong = c.ctl_raw("shard", "add", "--adopt", address, "--user", "app", "--password", "no")
        assert wrong.returncode == 1 and "denied" in wrong.stderr
        assert c.ctl_raw("shard", "add", "--user", "x").returncode == 2
        done = c.json("shard", "add", "--adopt", address, "--user", "app", "--password", "app",
                      "--name", "adopted")
        assert (done["databases"], done["tables"]) == (1, 2)
        assert any("reader@10.%" in note for note in done["notes"]), done["notes"]
        shard = c.shard_list()[2]
        assert (shard["host"], shard["port"], shard["ranges"]) == ("127.0.0.1", theirs.port, 0)
        assert c.json("database", "show", "shop")["home"] == "adopted"
        assert {t["name"]: t["kind"] for t in c.json("table", "list", "shop")["tables"]} == {
            "t": "global", "w": "view"}
        assert theirs.sql("SHOW CREATE TABLE t", db="shop") == before
        assert theirs.sql("SELECT COUNT(*) FROM ref", db="app") == ((2,),)
        assert "reader" in str(c.json("user", "list"))
        # Directly as before, and with the rights of before.
        for port, password in [(theirs.port, "their own")]:
            with pymysql.connect(host="127.0.0.1", port=port, user="reader", password=password,
                                 database="shop") as db, db.cursor() as cursor:
                cursor.execute("SELECT SUM(v) FROM t")
                assert cursor.fetchall() == ((3,),)
                with pytest.raises(pymysql.err.MySQLError):
                    cursor.execute("DELETE FROM t")
        assert "SELECT" in str(c.on(0, "SHOW GRANTS FOR reader@'%'"))
        assert "DELETE" not in str(c.on(0, "SHOW GRANTS FOR reader@'%'"))
        c.ddl("ALTER TABLE t ADD COLUMN x INT", database="shop")
        c.ddl("CREATE TABLE fresh (id INT PRIMARY KEY)", database="shop")
        assert c.fsck() == []
        c.kill()
        c.start()
        assert c.fsck() == []
        c.ddl("DROP DATABASE shop")
        c.ctl("shard", "remove", "adopted")
        assert theirs.sql("SELECT 1") == ((1,),)
    finally:
        theirs.stop()


def prepare(c, number, gtrid, sql):
    for text in (f"XA START '{gtrid}','{number}'", sql, f"XA END '{gtrid}','{number}'",
                 f"XA PREPARE '{gtrid}','{number}'"):
        yield text


@pytest.mark.parametrize("decision, rows", [(None, 0), ("commit", 1), ("abort", 0)])
def test_branches_in_doubt_are_ended(c, decision, rows):
    instance = c.json("status")["instance"]
    gtrid = f"shardd-{instance}-0-{rows}-{len(decision or '')}-1"
    c.ddl("CREATE TABLE IF NOT EXISTS x (id INT PRIMARY KEY)")
    key = 1  # lies on the second shard
    with c.connect(1, "app") as owner, owner.cursor() as cursor:
        for text in prepare(c, 1, gtrid, f"INSERT INTO x VALUES ({key})"):
            cursor.execute(text)
    if decision:
        c.on(0, "INSERT INTO shardd.decision (xid, state) VALUES (%s, %s)", (gtrid, decision))
    wait_for("the resolver", lambda: c.on(1, "XA RECOVER") == ())
    assert c.on(1, "SELECT COUNT(*) FROM x") == ((rows,),)
    assert c.on(0, "SELECT state FROM shardd.decision WHERE xid = %s", (gtrid,)) == (
        (decision or "abort",),)
    c.ddl("DROP TABLE x")


def test_branches_of_others_are_left_alone(c):
    with c.connect(1, "app") as owner, owner.cursor() as cursor:
        cursor.execute("XA START 'somebody else'")
        cursor.execute("CREATE TEMPORARY TABLE tmp (a INT)")
        cursor.execute("XA END 'somebody else'")
        cursor.execute("XA ROLLBACK 'somebody else'")
    instance = "another"
    gtrid = f"shardd-{instance}-0-1-1-1"
    c.ddl("CREATE TABLE y (id INT PRIMARY KEY)")
    with c.connect(1, "app") as owner, owner.cursor() as cursor:
        for text in prepare(c, 1, gtrid, "INSERT INTO y VALUES (1)"):
            cursor.execute(text)
    wait_for("some turns of the resolver", lambda: c.json("status")["uptime_s"] >= 0 and
             len(c.on(1, "XA RECOVER")) == 1)
    assert c.on(0, "SELECT COUNT(*) FROM shardd.decision WHERE xid = %s", (gtrid,)) == ((0,),)
    c.on(1, f"XA ROLLBACK '{gtrid}','1'")
    c.ddl("DROP TABLE y")


@pytest.mark.parametrize("shard, wrong, right, found", [
    (0, "INSERT INTO s VALUES (1)", "DELETE FROM s", "1 rows lie on the wrong shard"),
    (1, "UPDATE ref SET d = 0.2 WHERE id = 1", "UPDATE ref SET d = 0.1 WHERE id = 1",
     "not like the first"),
    (1, "CREATE TABLE g (id INT)", "DROP TABLE g", "home shard only"),
    (1, "CREATE TABLE stray (id INT)", "DROP TABLE stray", "not in the catalog"),
    (1, "RENAME TABLE s TO hidden", "RENAME TABLE hidden TO s", "missing"),
    (1, "ALTER TABLE s ADD x INT", "ALTER TABLE s DROP x", "another definition"),
    (0, "RENAME TABLE g TO hidden", "RENAME TABLE hidden TO g", "missing"),
])
def test_fsck_finds(c, shard, wrong, right, found):
    assert c.fsck() == []
    c.on(shard, wrong)
    problems = c.fsck()
    c.on(shard, right)
    assert any(found in problem for problem in problems), problems
    assert c.fsck() == []


def test_fsck_repairs_what_ended_moves_left(c):
    """Sets and rows of a job that is recorded as ended go when somebody agrees; those of a job
    that nobody knows are only told."""
    ended = next(j["number"] for j in c.call("GET", "/v1/jobs")[2]["jobs"]
                 if j["state"] == "done")
    c.on(1, "CREATE DATABASE IF NOT EXISTS shardd_move")
    c.on(1, "CREATE TABLE IF NOT EXISTS shardd_move.stream (job BIGINT, source INT UNSIGNED,"
            " target INT UNSIGNED, position VARBINARY(4096), PRIMARY KEY (job, source, target))")
    c.on(1, f"CREATE TABLE shardd_move.in_{ended}_0 (k INT)")
    c.on(1, "CREATE TABLE shardd_move.out_9999999_0 (k INT)")
    c.on(1, f"INSERT INTO shardd_move.stream VALUES ({ended}, 1, 2, ''),"
            " (9999999, 1, 2, '')")
    problems = c.fsck()
    assert len(problems) == 4 and all("left over" in p for p in problems), problems

    done = c.ctl_raw("fsck", "--repair")
    assert done.returncode == 1 and "DROP TABLE" in done.stdout and "--yes" in done.stderr
    assert len(c.fsck()) == 4
    done = c.ctl_raw("fsck", "--repair", "--yes")
    assert done.returncode == 1 and "2 repairs made" in done.stdout
    problems = c.fsck()
    assert len(problems) == 2 and all("9999999 (not recorded)" in p for p in problems), problems
    assert c.ctl_raw("fsck", "--repair", "--yes").returncode == 1 and len(c.fsck()) == 2
    c.on(1, "DROP TABLE shardd_move.out_9999999_0")
    c.on(1, "DELETE FROM shardd_move.stream")
    assert c.fsck() == []


DOUBLES = [
    # key's type, what else the row has, two of its values, how the second copy differs
    ("INT", "v VARCHAR(20), f FLOAT", "1, 'a', 0.1", None),
    ("INT", "v VARCHAR(20), f FLOAT", "1, 'a', 0.1", "v = 'b'"),
    ("INT", "v VARCHAR(20), f FLOAT", "1, 'a', 0.1", "f = 0.1000001"),
    ("VARCHAR(30)", "b VARBINARY(9)", "'k''\\\\ü', x'00ff27'", None),
    ("VARBINARY(30)", "b BIT(9)", "x'00ff27', 3", None),
    ("BIGINT UNSIGNED", "d DATETIME(6)", "18446744073709551615, '2026-01-02 03:04:05.000006'",
     None),
    ("DATE", "d DECIMAL(30, 10)", "'2026-01-02', 1.0000000001", None),
]


def wrong_shard(c):
    """The one that a problem about rows was found on, from 0."""
    report = json.loads(c.ctl_raw("fsck", "--json").stdout)
    (name,) = {p["shard"] for p in report["problems"]}
    return [s["name"] for s in c.shard_list()].index(name)


@pytest.mark.parametrize("kind, columns, row, differs", DOUBLES)
def test_fsck_finds_rows_on_two_shards(c, kind, columns, row, differs):
    c.ddl(f"CREATE TABLE twice (k {kind}, n INT, {columns}, PRIMARY KEY (k, n))")
    for n in range(3):
        key, rest = row.split(", ", 1)
        c.on(0, f"INSERT INTO twice VALUES ({key}, {n}, {rest})")
        c.on(1, f"INSERT INTO twice VALUES ({key}, {n}, {rest})")
    wrong = wrong_shard(c)
    assert c.kind("twice") == "sharded by k"
    if differs:
        c.on(wrong, f"UPDATE twice SET {differs} WHERE n = 1")
    problems = c.fsck()
    assert any("3 rows lie on the wrong shard" in p for p in problems), problems
    same = 2 if differs else 3
    assert any(f"{same} rows are on two shards, the same" in p for p in problems), problems
    assert any("1 rows are on two shards and differ" in p for p in problems) == bool(differs)
    done = c.ctl_raw("fsck", "--repair")
    assert done.returncode == 1 and "DELETE FROM" in done.stdout and "--yes" in done.stderr, done
    assert c.on(wrong, "SELECT COUNT(*) FROM twice") == ((3,),)
    done = c.ctl_raw("fsck", "--repair", "--yes")
    assert f"{same} repairs made" in done.stdout, done
    assert c.on(wrong, "SELECT COUNT(*) FROM twice") == ((3 - same,),)
    assert c.on(1 - wrong, "SELECT COUNT(*) FROM twice") == ((3,),)
    assert (c.fsck() == []) == (not differs)
    c.ddl("DROP TABLE twice")
    assert c.fsck() == []


def test_rows_that_are_nowhere_else_stay(c):
    c.ddl("CREATE TABLE once (k INT PRIMARY KEY)")
    c.on(0, "INSERT INTO once VALUES " + ", ".join(f"({k})" for k in range(40)))
    problems = c.fsck()
    assert len(problems) == 1 and "on the wrong shard" in problems[0], problems
    done = c.ctl_raw("fsck", "--repair", "--yes")
    assert done.returncode == 1 and "without a decision of yours" in done.stderr, done
    assert c.on(0, "SELECT COUNT(*) FROM once") == ((40,),)
    c.on(0, "DELETE FROM once")
    c.ddl("DROP TABLE once")


def test_triggers_are_not_fired_by_repairs(c):
    c.ddl("CREATE TABLE fired (k INT PRIMARY KEY)")
    for shard in 0, 1:
        c.on(shard, "INSERT INTO fired VALUES (1)")
        c.on(shard, "CREATE TRIGGER f BEFORE DELETE ON fired FOR EACH ROW SET @x = 1")
    problems = c.fsck()
    assert any("while the table has triggers" in p for p in problems), problems
    done = c.ctl_raw("fsck", "--repair", "--yes")
    assert done.returncode == 1 and "without a decision of yours" in done.stderr, done
    for shard in 0, 1:
        c.on(shard, "DROP TRIGGER f")
    assert c.ctl_raw("fsck", "--repair", "--yes").returncode == 0
    c.ddl("DROP TABLE fired")


def test_fsck_finds_half_made_servers(c):
    """A folder of a server that no catalog knows: one whose making failed goes when somebody
    agrees, of the other nobody knows what it was."""
    lost, failed = c.home / "shard-777", c.home / "shard-778"
    for folder in lost, failed:
        (folder / "data").mkdir(parents=True)
    c.kill()
    record = {"number": 6999, "kind": "shard", "what": "add a shard", "state": "failed",
              "made": {"id": 778, "name": "shard-778", "provisioner": "local",
                       "directory": str(failed)}}
    c.catalog("INSERT INTO object (kind, name, body, version) VALUES ('job', ?, ?, 1)",
              (f"{6999:010}", json.dumps(record)))
    c.start()
    try:
        problems = c.fsck()
        assert len(problems) == 2, problems
        assert any("shard number 777" in p and "no record says why" in p for p in problems)
        assert any("could not be made" in p for p in problems), problems
        done = c.ctl_raw("fsck", "--repair", "--yes")
        assert "remove the server of shard 778" in done.stdout, done
        assert lost.exists() and not failed.exists()
    finally:
        shutil.rmtree(lost)
        shutil.rmtree(failed, ignore_errors=True)
    assert c.fsck() == []


@pytest.mark.parametrize("sql, words", [
    ("SELECT * FROM s WHERE id = 1", ["one", "shard-2"]),
    ("SELECT COUNT(*) FROM s", ["scatter", "shard-1, shard-2"]),
    ("INSERT INTO s VALUES (1), (2)", ["insert", "shard-1"]),
    ("SELECT * FROM g", ["one", "shard-1"]),
    ("UPDATE s SET id = 5", ["refuse", "1235"]),
])
def test_explain(c, sql, words):
    said = c.ctl("explain", sql)
    assert all(word in said for word in words), said


def test_an_empty_server_joins(c, scratch):
    theirs = Server(scratch / "empty")
    theirs.sql("CREATE DATABASE app")
    address = f"127.0.0.1:{theirs.port}"
    words = ["shard", "add", "--static", address, "--user", "app", "--password", "app"]
    try:
        theirs.sql("CREATE TABLE t (id INT)", db="app")
        done = c.ctl_raw(*words)
        assert done.returncode == 1 and "--adopt" in done.stderr
        theirs.sql("DROP TABLE t", db="app")
        theirs.sql("CREATE USER joins@'%' IDENTIFIED BY 'x'")
        c.ctl(*words, "--name", "empty")
        shown = c.json("shard", "show", "empty")
        assert (shown["provisioner"], shown["ranges"], shown["answers"]) == ("static", 0, True)
        assert "joins" not in str(c.json("user", "list"))
        assert theirs.sql("SELECT COUNT(*) FROM ref", db="app") == ((2,),)
        for again in (["--name", "twin"], ["--name", "shard-1"]):
            done = c.ctl_raw(*words, *again)
            assert done.returncode == 1 and "already" in done.stderr
        assert c.fsck() == []
        c.ctl("shard", "remove", "empty")
        assert theirs.sql("SELECT 1") == ((1,),)
    finally:
        theirs.stop()


def test_servers_are_described_and_wishes_checked(c):
    shown = c.json("shard", "show", "shard-1")["server"]
    assert shown["runs"] == "running" and shown["pid"] > 0 and shown["disk_free"] > 0
    assert shown["directory"].endswith("shard-1/data")
    for words, status, why in [
            (["--provisioner", "local", "--memory", "1G"], 1, "no limits"),
            (["--provisioner", "docker", "--memory", "1M"], 1, "from 256M"),
            (["--provisioner", "docker", "--cpus", "none"], 1, "from 0.01"),
            (["--provisioner", "docker"], 1, "no Docker daemon"),
            (["--provisioner", "static"], 2, "--static HOST:PORT"),
            (["--static", "127.0.0.1:1", "--memory", "1G"], 2, "made"),
            (["--static", "127.0.0.1:1", "--adopt", "127.0.0.1:1"], 2, "--adopt is for"),
            (["--provisioner", "magic"], 2, "it is one of")]:
        done = c.ctl_raw("shard", "add", *words)
        assert (done.returncode, why in done.stderr) == (status, True), (words, done.stderr)
    assert len(c.shard_list()) == 2 and c.fsck() == []


def test_a_port_that_is_taken_meanwhile(c):
    """Between the choice and the start of a server, which is a copy's time for a replica."""
    c.kill()
    c.start(SHARDD_STOP_AT="shard-created")
    with socket.socket() as other:
        add = subprocess.Popen([SHARDCTL, "shard", "add", "--name", "late", "--home", c.home],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        wait_for("the controller to stand", lambda: stands(c.process.pid))
        text = max(c.home.glob("shard-*/my.cnf"), key=lambda p: p.stat().st_mtime).read_text()
        port = int(re.search(r"^port=(\d+)$", text, re.M)[1])
        other.bind(("127.0.0.1", port))
        other.listen()
        os.kill(c.process.pid, signal.SIGCONT)
        said, _ = add.communicate(timeout=120)
        assert add.returncode == 0, said
    late = next(s for s in c.shard_list() if s["name"] == "late")
    assert late["answers"] and late["port"] not in (0, port)
    c.ctl("shard", "remove", "late")
    c.kill()
    c.start()
