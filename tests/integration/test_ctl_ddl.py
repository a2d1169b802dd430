"""test_ctl_ddl.py - DDL as the workers ask for it: where tables go, and what the shards have."""
import base64
import itertools
import json
import os
import signal

import pytest

from controlbed import Controller, Refused
from testbed import wait_for

interruptions = itertools.count()


@pytest.fixture(scope="module")
def c(scratch):
    controller = Controller(scratch / "ddl")
    yield controller
    try:
        assert controller.fsck() == []
    finally:
        controller.stop()


@pytest.fixture(autouse=True)
def clean(c):
    yield
    tables = c.json("table", "list", "app")["tables"]
    views = ", ".join(t["name"] for t in tables if t["kind"] == "view")
    others = ", ".join(f"`{t['name']}`" for t in tables if t["kind"] != "view")
    if views:
        c.ddl(f"DROP VIEW {views}")
    if others:
        c.ddl(f"DROP TABLE {others}", foreign_key_checks=False)


def where(c, table):
    return [table in c.tables_on(number) for number in (0, 1)]


@pytest.mark.parametrize("definition, kind, reason", [
    ("id INT PRIMARY KEY", "sharded by id", None),
    ("id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, n INT, KEY (n)", "sharded by id", None),
    ("a INT, b INT, PRIMARY KEY (b, a)", "sharded by b", None),
    ("s VARCHAR(20) PRIMARY KEY", "sharded by s", None),
    ("s VARCHAR(20) COLLATE utf8mb4_bin PRIMARY KEY", "sharded by s", None),
    ("a INT, b INT, PRIMARY KEY (a), UNIQUE KEY u (b, a)", "sharded by a", None),
    ("a INT", "global", "no primary key"),
    ("a INT PRIMARY KEY, b INT UNIQUE", "global", "UNIQUE key b lacks"),
    ("a VARCHAR(9), b INT, PRIMARY KEY (a), UNIQUE KEY u (a(3))", "global", "UNIQUE key u lacks"),
    ("a FLOAT PRIMARY KEY", "global", "a"),
    ("a INT PRIMARY KEY, up INT, FOREIGN KEY (up) REFERENCES t (a)", "global", "same table"),
    ("a INT PRIMARY KEY) COMMENT='notes; shardd: reference' ENGINE=(InnoDB", "reference", None),
    ("a INT PRIMARY KEY) COMMENT='shardd: global' ENGINE=(InnoDB", "global", None),
    ("a INT, b INT, PRIMARY KEY (a, b)) COMMENT='shardd: key(b)' ENGINE=(InnoDB",
     "sharded by b", None),
])
def test_where_a_new_table_goes(c, definition, kind, reason):
    c.ddl(f"CREATE TABLE t ({definition})".replace("=(InnoDB)", "=InnoDB"))
    assert c.kind("t") == kind
    assert (reason or "") in (c.json("table", "show", "app.t")["reason"] or "")
    assert where(c, "t") == ([True, False] if kind == "global" else [True, True])


@pytest.mark.parametrize("sql, code", [
    ("CREATE TABLE t (id INT PRIMARY KEY, oops", 1064),
    ("CREATE TABLE t (id NOTYPE)", 4161),
    ("CREATE TABLE there (id INT)", 1050),
    ("CREATE TABLE nodb.t (id INT)", 1049),
    ("CREATE TABLE t (id INT PRIMARY KEY, up INT, FOREIGN KEY (up) REFERENCES gone (id))", 1005),
    ("CREATE TABLE t (id INT PRIMARY KEY, u INT) COMMENT 'shardd: key(u)'", 1235),
    ("CREATE TABLE t (id INT PRIMARY KEY) COMMENT 'shardd: nonsense'", 1235),
    ("CREATE TABLE t LIKE gone", 1146),
    ("CREATE TABLE t SELECT * FROM there", 1235),
    ("CREATE TABLE t (id INT PRIMARY KEY, id INT)", 1060),
    ("ALTER TABLE gone ADD a INT", 1146),
    ("ALTER TABLE there ADD id INT", 1060),
    ("ALTER TABLE there DROP COLUMN id, ADD COLUMN x INT PRIMARY KEY", 1235),
    ("ALTER TABLE there MODIFY id VARCHAR(20)", 1235),
    ("ALTER TABLE there ADD UNIQUE KEY (v)", 1235),
    ("ALTER TABLE there MODIFY id INT AFTER v", 1235),
    ("DROP TABLE gone", 1051),
    ("DROP INDEX gone ON there", 1091),
    ("TRUNCATE TABLE gone", 1146),
    ("RENAME TABLE gone TO x", 1146),
    ("RENAME TABLE there TO there", 1050),
    ("CREATE VIEW there AS SELECT 1", 1050),
    ("CREATE ROLE x", 1235),
    ("CREATE DATABASE app", 1007),
    ("DROP DATABASE gone", 1008),
    ("SELECT 1", 1235),
])
def test_refusals_change_nothing(c, sql, code):
    c.ddl("CREATE TABLE there (id INT PRIMARY KEY, v INT)")
    c.on(0, "INSERT INTO there VALUES (2, 2)")  # 2 lies on the first shard
    tables = [c.tables_on(0), c.tables_on(1)]
    shown = c.json("table", "show", "app.there")
    with pytest.raises(Refused) as refusal:
        c.ddl(sql)
    assert refusal.value.args[0] == code, refusal.value
    assert [c.tables_on(0), c.tables_on(1)] == tables
    assert c.json("table", "show", "app.there") == shown
    assert c.json("status")["jobs"] == []


def test_no_database_is_selected(c):
    with pytest.raises(Refused) as refusal:
        c.ddl("CREATE TABLE t (id INT)", database="")
    assert refusal.value.args[0] == 1046


def test_if_exists_warns(c):
    assert c.ddl("CREATE TABLE IF NOT EXISTS t (id INT PRIMARY KEY)")["warnings"] == 0
    assert c.ddl("CREATE TABLE IF NOT EXISTS t (id INT PRIMARY KEY)")["warnings"] == 1
    assert c.ddl("DROP TABLE IF EXISTS t, gone")["warnings"] == 1
    assert c.ddl("CREATE DATABASE IF NOT EXISTS app")["warnings"] == 1
    assert c.ddl("DROP DATABASE IF EXISTS gone")["warnings"] == 1


def test_drop_of_several_drops_what_there_is(c):
    c.ddl("CREATE TABLE a (id INT PRIMARY KEY)")
    c.ddl("CREATE TABLE b (id INT)")
    with pytest.raises(Refused) as refusal:
        c.ddl("DROP TABLE a, gone, b")
    assert refusal.value.args[:2] == (1051, "42S02")
    assert c.tables_on(0) == c.tables_on(1) == set()


def test_the_clients_session_counts(c):
    c.ddl('CREATE TABLE "t" ("id" INT PRIMARY KEY)', sql_mode="ANSI_QUOTES")
    assert c.kind("t") == "sharded by id"
    text = "CREATE TABLE l (`id` INT PRIMARY KEY COMMENT '\u00e4')".encode("latin1")
    body = {"user": "app", "database": "app", "charset": "latin1",
            "sql_base64": base64.b64encode(text).decode()}
    assert c.call("POST", "/v1/ddl", body)[0] == 200
    assert "\u00e4" in c.on(1, "SHOW CREATE TABLE l")[0][1]


def test_colocated_foreign_keys_stay_sharded(c):
    c.ddl("CREATE TABLE parent (id INT PRIMARY KEY)")
    c.ddl("CREATE TABLE child (pid INT, n INT, PRIMARY KEY (pid, n),"
          " FOREIGN KEY (pid) REFERENCES parent (id))")
    assert (c.kind("parent"), c.kind("child")) == ("sharded by id", "sharded by pid")


def test_an_empty_parent_becomes_global_with_its_family(c):
    c.ddl("CREATE TABLE parent (id INT PRIMARY KEY)")
    c.ddl("CREATE TABLE child (pid INT, n INT, PRIMARY KEY (pid, n),"
          " FOREIGN KEY (pid) REFERENCES parent (id))")
    c.ddl("CREATE TABLE other (id INT PRIMARY KEY, pid INT,"
          " FOREIGN KEY (pid) REFERENCES parent (id))")
    assert {c.kind(t) for t in ("parent", "child", "other")} == {"global"}
    assert c.tables_on(1) == set()


def test_a_parent_with_rows_stays_and_the_child_is_refused(c):
    c.ddl("CREATE TABLE parent (id INT PRIMARY KEY)")
    c.on(0, "INSERT INTO parent VALUES (2)")
    with pytest.raises(Refused) as refusal:
        c.ddl("CREATE TABLE other (id INT PRIMARY KEY, pid INT,"
              " FOREIGN KEY (pid) REFERENCES parent (id))")
    assert refusal.value.args[0] == 1235 and "parent" in refusal.value.args[2]
    assert c.kind("parent") == "sharded by id"


def test_a_dump_makes_children_before_parents(c):
    off = {"foreign_key_checks": False}
    c.ddl("CREATE TABLE a_child (id INT PRIMARY KEY, pid INT,"
          " FOREIGN KEY (pid) REFERENCES b_parent (id))", **off)
    c.ddl("CREATE TABLE b_parent (id INT PRIMARY KEY)", **off)
    assert (c.kind("a_child"), c.kind("b_parent")) == ("global", "global")


def test_alter_reaches_all_shards_and_the_catalog(c):
    c.ddl("CREATE TABLE t (id INT PRIMARY KEY, v INT)")
    c.on(0, "INSERT INTO t VALUES (2, 2)")
    c.ddl("ALTER TABLE t ADD COLUMN w VARCHAR(10) DEFAULT 'x', ADD KEY (w)")
    c.ddl("ALTER TABLE t CHANGE id ident BIGINT NOT NULL")
    c.ddl("CREATE UNIQUE INDEX u ON t (w, ident)")
    c.ddl("ALTER TABLE t RENAME TO t2")
    c.ddl("DROP INDEX w ON t2")
    shown = c.json("table", "show", "app.t2")
    assert shown["key"] == "ident" and [k["name"] for k in shown["columns"]] == ["ident", "v", "w"]
    assert c.on(0, "SHOW CREATE TABLE t2") == c.on(1, "SHOW CREATE TABLE t2")


def test_an_empty_table_may_lose_its_key(c):
    c.ddl("CREATE TABLE t (id INT PRIMARY KEY, v INT)")
    c.ddl("ALTER TABLE t ADD UNIQUE KEY (v)")
    assert c.kind("t") == "global" and where(c, "t") == [True, False]


def test_an_addition_that_fails_on_one_shard_is_taken_back(c):
    c.ddl("CREATE TABLE t (id INT PRIMARY KEY, v INT)")
    c.on(1, "ALTER TABLE t ADD COLUMN clash INT")  # behind the controller's back
    with pytest.raises(Refused) as refusal:
        c.ddl("ALTER TABLE t ADD COLUMN clash INT")
    assert refusal.value.args[0] == 1060
    assert "clash" not in c.on(0, "SHOW CREATE TABLE t")[0][1]
    c.ddl("ALTER TABLE t ADD COLUMN fine INT")


def test_a_change_that_is_half_done_is_visible_until_it_is_repaired(c):
    c.ddl("CREATE TABLE t (id INT PRIMARY KEY, v INT)")
    c.on(1, "ALTER TABLE t DROP COLUMN v")
    with pytest.raises(Refused):
        c.ddl("ALTER TABLE t DROP COLUMN v")
    assert c.json("table", "show", "app.t")["state"] == "stuck"
    assert c.json("status")["jobs"][0]["state"] == "stuck"
    assert any("stuck" in problem for problem in c.fsck())
    c.ddl("ALTER TABLE t DROP COLUMN IF EXISTS v")
    assert c.json("status")["jobs"] == [] and c.fsck() == []


def test_numbers_of_sharded_tables(c):
    c.ddl("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY) AUTO_INCREMENT=100")
    sequence = c.json("table", "show", "app.t")["sequence"]
    read = "SELECT next_value FROM shardd.sequence WHERE id = %s"
    assert c.on(0, read, (sequence,)) == ((100,),)
    for sql, first in ("ALTER TABLE t AUTO_INCREMENT=500", 500), ("TRUNCATE TABLE t", 1):
        c.ddl(sql)  # a new one, so that cached blocks are not used any more
        before, sequence = sequence, c.json("table", "show", "app.t")["sequence"]
        assert before != sequence and c.on(0, read, (sequence,)) == ((first,),)
        assert c.on(0, read, (before,)) == ()
    after = sequence
    c.ddl("DROP TABLE t")
    assert c.on(0, read, (after,)) == ()


def test_views(c):
    c.ddl("CREATE TABLE s (id INT PRIMARY KEY, r INT)")
    c.ddl("CREATE TABLE r (id INT PRIMARY KEY) COMMENT 'shardd: reference'")
    c.ddl("CREATE TABLE g (id INT)")
    c.ddl("CREATE VIEW vs AS SELECT s.id FROM s JOIN r ON s.r = r.id WHERE s.id > 1")
    c.ddl("CREATE VIEW vg AS SELECT COUNT(*) n FROM g JOIN r USING (id)")
    kinds = {t["name"]: t.get("view_kind") for t in c.json("table", "list", "app")["tables"]}
    assert (kinds["vs"], kinds["vg"]) == ("sharded", "global")
    assert "vs" in c.tables_on(1) and "vg" not in c.tables_on(1)
    c.ddl("CREATE OR REPLACE VIEW vs AS SELECT id FROM g")
    assert "vs" not in c.tables_on(1)
    for text in ("SELECT COUNT(*) n FROM s", "SELECT s.id FROM s JOIN g USING (id)",
                 "SELECT id FROM s WHERE r = (SELECT MAX(r) FROM s)"):
        c.ddl(f"CREATE OR REPLACE VIEW vs AS {text}")
        kind = {t["name"]: t for t in c.json("table", "list", "app")["tables"]}["vs"]
        assert "vs" not in c.tables_on(1) and "vs" in c.tables_on(0) and kind["kind"] == "view"
    c.ddl("CREATE VIEW again AS SELECT * FROM vs")  # text as well
    assert "again" not in c.tables_on(1)
    c.ddl("CREATE OR REPLACE VIEW vs AS SELECT id FROM s")
    assert "vs" in c.tables_on(1)
    c.ddl("DROP VIEW again, vs")
    assert c.fsck() == []


def test_table_set(c):
    c.ddl("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v INT)")
    for option, kind in [("--global", "global"), ("--reference", "reference"),
                         ("--key=id", "sharded by id")]:
        c.ctl("table", "set", "app.t", option)
        assert c.kind("t") == kind
        assert where(c, "t") == [True, kind != "global"]
    assert c.ctl_raw("table", "set", "app.t", "--key", "v").returncode == 1
    c.on(0, "INSERT INTO t (id) VALUES (2)")
    full = c.ctl_raw("table", "set", "app.t", "--global", "--dry-run")
    assert full.returncode == 0 and "1 table; rows" in full.stdout  # test_table_move.py does it
    c.on(0, "DELETE FROM t")


def test_a_controller_killed_in_a_create_leaves_nothing(c):
    c.on(1, "CREATE TABLE half (a INT PRIMARY KEY)")
    c.kill()
    c.catalog("INSERT INTO object VALUES ('job', '0000009999', 1, ?)", (
        '{"number": 9999, "kind": "ddl", "who": "app", "what": "CREATE TABLE half (a INT)",'
        ' "database": "app", "table": "half", "state": "running", "steps": []}',))
    c.start()
    assert c.json("status")["jobs"] == []
    assert "half" not in c.tables_on(1)


UTF8 = {"database": "app", "charset": "utf8mb4"}


def interrupted(c, what, table, on=(), kind="ddl", session=UTF8):
    """As if the controller had been killed when the statement had run on some shards."""
    number = 5000 + next(interruptions)
    for shard in on:
        c.on(shard, what)
    c.kill()
    c.catalog("INSERT INTO object VALUES ('job', ?, 1, ?)", (f"{number:010}", json.dumps(
        {"number": number, "kind": kind, "who": "app", "what": what, "database": "app",
         "table": table, "state": "running", "steps": [], "session": session})))
    c.start()
    return next(j for j in c.call("GET", "/v1/jobs")[2]["jobs"]
                if j["number"] == number)["state"]


@pytest.mark.parametrize("what, table, on, state, column", [
    ("ALTER TABLE half ADD COLUMN x INT DEFAULT 7", "half", [0], "done", True),
    ("ALTER TABLE half ADD COLUMN x INT DEFAULT 7", "half", [], "failed", False),
    ("ALTER TABLE half ADD COLUMN x INT DEFAULT 7", "half", [0, 1], "failed", True),
    ("CREATE INDEX v ON half (v)", "half", [0], "done", False),
    ("TRUNCATE TABLE half", "half", [0], "failed", False),
    ("DROP TABLE half", "half", [], "failed", False),
])
def test_a_statement_of_a_killed_controller_is_finished(c, what, table, on, state, column):
    c.ddl("CREATE TABLE half (id INT PRIMARY KEY, v INT)")
    c.on(0, f"INSERT INTO half VALUES ({key_of(c, 0)}, 1)")
    c.on(1, f"INSERT INTO half VALUES ({key_of(c, 1)}, 1)")
    assert interrupted(c, what, table, on) == state
    assert ("x" in str(c.json("table", "show", "app.half")["columns"])) == column
    assert c.json("status")["jobs"] == [] and c.fsck() == []
    c.ddl("DROP TABLE half")


def key_of(c, shard):
    """A key that belongs there."""
    names = [s["name"] for s in c.shard_list()]
    return next(i for i in range(1000) if names[shard] in c.ctl(
        "explain", f"SELECT * FROM half WHERE id = {i}"))


def test_a_drop_and_a_rename_of_a_killed_controller_are_finished(c):
    c.ddl("CREATE TABLE half (id INT PRIMARY KEY, v INT)")
    assert interrupted(c, "RENAME TABLE half TO whole", "half", [0]) == "done"
    assert c.fsck() == [] and c.kind("whole") == "sharded by id"
    assert interrupted(c, "DROP TABLE whole", "whole", [0]) == "done"
    assert c.fsck() == [] and "whole" not in c.tables_on(1)


@pytest.mark.parametrize("on, state", [([0], "done"), ([], "failed"), ([0, 1], "done")])
def test_a_chain_of_renames_of_a_killed_controller_is_finished(c, on, state):
    """One of the names tells whether a server has done it: the others are there in any case."""
    c.ddl("CREATE TABLE half (id INT PRIMARY KEY, v INT)")
    c.ddl("CREATE TABLE new (id INT PRIMARY KEY, weight INT)")
    chain = "RENAME TABLE half TO old, new TO half"
    assert interrupted(c, chain, "half", on) == state
    columns = {name: "weight" in str(c.json("table", "show", f"app.{name}")["columns"])
               for name in ("half", "old" if state == "done" else "new")}
    assert columns == ({"half": True, "old": False} if state == "done" else
                       {"half": False, "new": True})
    assert c.json("status")["jobs"] == [] and c.fsck() == []
    for name in columns:
        c.ddl(f"DROP TABLE {name}")


def test_a_table_of_a_killed_controller_is_completed_with_its_rows(c):
    c.ddl("CREATE TABLE half (id INT PRIMARY KEY, v INT)")
    c.on(1, f"INSERT INTO half VALUES ({key_of(c, 1)}, 1)")
    c.on(0, "DROP TABLE half")
    assert interrupted(c, "CREATE TABLE half (id INT PRIMARY KEY, v INT)", "half") == "done"
    assert c.fsck() == [] and c.on(1, "SELECT v FROM half") == ((1,),)
    c.ddl("DROP TABLE half")
    c.ddl("CREATE TABLE half (v INT)")
    c.on(0, "DROP TABLE half")
    assert interrupted(c, "CREATE TABLE half (v INT)", "half") == "failed"
    assert c.fsck() == [] and c.json("table", "list", "app")["tables"] == []


def test_a_statement_that_cannot_be_finished_is_stuck_until_it_is_repeated(c):
    c.ddl("CREATE TABLE half (id INT PRIMARY KEY, v INT)")
    c.on(1, "ALTER TABLE half DROP COLUMN v")
    assert interrupted(c, "ALTER TABLE half MODIFY v BIGINT", "half", [0]) == "stuck"
    assert c.json("table", "show", "app.half")["state"] == "stuck"
    c.on(1, "ALTER TABLE half ADD COLUMN v BIGINT")
    c.ddl("ALTER TABLE half MODIFY v BIGINT")
    assert c.json("status")["jobs"] == [] and c.fsck() == []
    c.ddl("DROP TABLE half")


def test_databases_of_a_killed_controller(c):
    c.ctl("database", "create", "gone")
    c.on(0, "DROP DATABASE gone")
    c.on(1, "CREATE DATABASE never")
    c.kill()
    for number, what, name in [(4001, "DROP DATABASE", "gone"),
                               (4002, "CREATE DATABASE", "never")]:
        c.catalog("INSERT INTO object VALUES ('job', ?, 1, ?)", (f"{number:010}", json.dumps(
            {"number": number, "kind": "database", "who": "app", "what": what,
             "database": name, "table": "", "state": "running", "steps": []})))
    c.start()
    assert c.json("status")["jobs"] == [] and c.fsck() == []
    names = [d["name"] for d in c.json("database", "list")["databases"]]
    for name in ("gone", "never"):
        assert name not in names and not c.on(1, f"SHOW DATABASES LIKE '{name}'")
    c.ctl("database", "create", "never")
    c.ctl("database", "drop", "never")


def test_ddl_while_a_shard_is_down_fails_whole(c):
    pid = c.shard_list()[1]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(Refused) as refusal:
            c.ddl("CREATE TABLE t (id INT PRIMARY KEY)")
        assert "shard-2" in refusal.value.args[2]
    finally:
        os.kill(pid, signal.SIGKILL)
        wait_for("the shard", lambda: (s := c.shard_list()[1])["pid"] not in (0, pid)
                 and s["answers"])
    assert "t" not in c.tables_on(0)
