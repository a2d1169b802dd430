"""test_engine.py - the server that runs what shards cannot: made, kept up to date, replaced."""
import json
import os
import re
import signal
import sqlite3

import pymysql
import pytest

from controlbed import Controller
from testbed import Cluster, Server, alive, stop_process, wait_for


@pytest.fixture(scope="module")
def c(scratch):
    cluster = Cluster(scratch / "engine")
    yield cluster
    cluster.finish()


def engines(c):
    return c.ctl("engine list")["engines"]


def connect(c, number=1):
    """As root on our own engine."""
    folder = c.home / f"engine-{number}"
    secret = re.search(r"PASSWORD\('(\w+)'\)", (folder / "init.sql").read_text())[1]
    path = re.search(r"^socket=(.*)$", (folder / "my.cnf").read_text(), re.M)[1]
    return pymysql.connect(unix_socket=path, user="root", password=secret, autocommit=True)


def on(c, sql, number=1):
    with connect(c, number) as db, db.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def databases(c):
    return {row[0]: row[1] for row in on(c, "SELECT SCHEMA_NAME, DEFAULT_COLLATION_NAME"
                                            " FROM information_schema.SCHEMATA")}


def accounts(c):
    return {row[0] for row in on(c, "SELECT User FROM mysql.global_priv WHERE Host = '%'")}


def in_routes(c):
    return [row[0] for row in c.sql("SHOW SHARDD ENGINES", db=None)]


def test_one_is_there_from_the_start(c):
    (one,) = engines(c)
    assert (one["engine"], one["answers"], one["provisioner"]) == ("engine-1", True, "local")
    assert [s["name"] for s in c.status()["engines"]] == ["engine-1"]
    assert [s["name"] for s in c.shard_list()] == ["shard-1", "shard-2"]
    assert in_routes(c) == ["engine-1"]
    assert [row[0] for row in c.sql("SHOW SHARDD SHARDS", db=None)] == ["shard-1", "shard-2"]
    settings = {row[0]: row[1] for row in on(c, "SHOW GLOBAL VARIABLES")}
    assert settings["log_bin"] == "OFF" and settings["performance_schema"] == "OFF"
    assert settings["local_infile"] == "ON" and settings["skip_networking"] == "ON"
    assert settings["tmpdir"] == str(c.home / "engine-1" / "tmp")
    page = c.http("/metrics")[1]
    assert re.search(r'^shardd_engines 1$', page, re.M)
    assert 'shardd_engine_statements_total{engine="engine-1"}' in page
    for line in c.ctl_raw("status").stdout, c.ctl_raw("engine list").stdout:
        assert re.search(r"^engine-1 .* yes ", line, re.M), line


def test_databases_and_accounts_follow(c):
    c.ctl_raw("database create", "latin", "--collation", "latin1_german2_ci")
    c.sql("CREATE DATABASE `we%ird.``db`", db=None)
    c.ctl_raw("user add", "guest", "--password", "x")
    c.sql("CREATE USER sqluser IDENTIFIED BY 'y'", db=None)
    have = databases(c)
    assert have["latin"] == "latin1_german2_ci" and "we%ird.`db" in have and "app" in have
    assert "shardd" not in have
    assert {"app", "guest", "sqluser", "shardd_service"} <= accounts(c)
    c.sql("ALTER DATABASE latin COLLATE utf8mb4_bin", db=None)
    assert databases(c)["latin"] == "utf8mb4_bin"
    c.sql("DROP DATABASE latin", db=None)
    c.sql("DROP DATABASE `we%ird.``db`", db=None)
    c.sql("DROP USER sqluser", db=None)
    c.ctl_raw("user remove", "guest")
    assert not {"latin", "we%ird.`db"} & set(databases(c))
    assert not {"guest", "sqluser"} & accounts(c)


def test_accounts_may_use_temporary_tables_and_nothing_else(c):
    on(c, "CREATE DATABASE theirs")
    on(c, "CREATE TABLE theirs.t (id INT)")
    on(c, "CREATE USER probe@'%' IDENTIFIED BY 'p'")
    on(c, "GRANT CREATE TEMPORARY TABLES ON *.* TO probe@'%'")
    assert [row[0].split(" IDENTIFIED")[0] for row in on(c, "SHOW GRANTS FOR app@'%'")] == [
        "GRANT `shardd_engine_user` TO `app`@`%`",
        "GRANT CREATE TEMPORARY TABLES, EXECUTE ON *.* TO `app`@`%`",
        "SET DEFAULT ROLE `shardd_engine_user` FOR `app`@`%`"]
    assert {row[0] for row in on(c, "SHOW GRANTS FOR shardd_engine_user")} <= {
        "GRANT USAGE ON *.* TO `shardd_engine_user`"} | {
        f"GRANT SELECT ON `{d}`.* TO `shardd_engine_user`" for d in ("app", "meanwhile")}
    (path,) = [row[1] for row in on(c, "SHOW VARIABLES LIKE 'socket'")]
    with pymysql.connect(unix_socket=path, user="probe", password="p", local_infile=True,
                         database="app", autocommit=True) as db, db.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE t (id INT KEY, v VARCHAR(20)) ENGINE=MEMORY")
        rows = c.home / "rows"
        rows.write_text("1\ta\n2\tb\n")
        cursor.execute(f"LOAD DATA LOCAL INFILE '{rows}' INTO TABLE t")
        cursor.execute("INSERT INTO t VALUES (3, 'c')")
        cursor.execute("SELECT a.v, b.v FROM t a JOIN app.t b ON a.id = b.id + 1 ORDER BY 1")
        assert cursor.fetchall() == (("b", "a"), ("c", "b"))
        cursor.execute("DROP TEMPORARY TABLE t")
        for sql in ("SELECT * FROM theirs.t", "CREATE TABLE app.t (id INT)",
                    "SELECT * FROM mysql.global_priv", "SELECT 1 INTO OUTFILE '/tmp/x'",
                    "CREATE DATABASE x", "DROP DATABASE theirs", "INSERT INTO theirs.t VALUES (1)"):
            with pytest.raises(pymysql.err.MySQLError) as refused:
                cursor.execute(sql)
            assert refused.value.args[0] in (1044, 1142, 1045, 1227), (sql, refused.value)
    on(c, "DROP USER probe@'%'")
    on(c, "DROP DATABASE theirs")


def test_a_killed_one_comes_back(c):
    pid = engines(c)[0]["pid"]
    c.sql("CREATE TABLE k (id INT PRIMARY KEY)")
    os.kill(pid, signal.SIGKILL)
    c.sql("INSERT INTO k VALUES (1), (2), (3)")
    c.sql("CREATE DATABASE meanwhile", db=None)
    assert c.sql("SELECT COUNT(*) FROM k") == ((3,),)
    wait_for("another engine", lambda: engines(c)[0]["pid"] not in (0, pid)
             and engines(c)[0]["answers"] and not engines(c)[0].get("problem"))
    wait_for("its databases", lambda: {"app", "meanwhile"} <= set(databases(c)))
    wait_for("its accounts", lambda: {"app", "shardd_service"} <= accounts(c))
    c.sql("DROP DATABASE meanwhile", db=None)
    c.sql("DROP TABLE k")


def test_a_silent_one_stops_nobody_for_long(c):
    pid = engines(c)[0]["pid"]
    stop_process(pid)
    try:
        for i in range(5):  # the first one waits for it, and no other
            c.sql(f"CREATE DATABASE silent{i}", db=None)
        for i in range(4):
            c.sql(f"DROP DATABASE silent{i}", db=None)
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for("its databases", lambda: "silent4" in databases(c) and "silent0" not in databases(c))
    c.sql("DROP DATABASE silent4", db=None)


def test_controller_killed_and_started_again(c):
    (one,) = engines(c)
    os.kill(c.status()["pid"], signal.SIGKILL)
    left = c.home / "engine-77" / "data"  # of one that it was making
    left.mkdir(parents=True)
    wait_for("the controller's end", lambda: c.ctl_raw("status").returncode != 0)
    c.down()
    assert not alive(one["pid"])
    c.up()
    assert in_routes(c) == ["engine-1"] and engines(c)[0]["answers"]
    assert not left.exists()


def test_remove_and_add(c):
    pid = engines(c)[0]["pid"]
    assert c.ctl_raw("engine remove", "nobody").returncode == 1
    c.ctl("engine remove", "engine-1")
    assert engines(c) == [] and in_routes(c) == [] and not alive(pid)
    assert not (c.home / "engine-1").exists()
    c.down()
    c.up()  # who removed it does not want it back
    assert engines(c) == []
    c.ctl("engine add", "--name", "mine")
    assert [e["name"] for e in engines(c)] == in_routes(c) == ["mine"]
    assert "app" in {row[0] for row in on(c, "SHOW DATABASES", 2)}
    taken = c.ctl_raw("engine add", "--name", "mine")
    assert taken.returncode == 1 and "already" in taken.stderr


class Theirs(Server):
    """Somebody's server. Its account app, for any host, stands behind the one that workers get,
    which is for their host: an account boss is asked instead."""

    def boss(self, sql):
        with self.connect("boss", "b") as db, db.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def names(self):
        return {row[0] for row in self.boss("SHOW DATABASES")}

    def _answers(self):
        try:
            return super()._answers() or self.names()
        except pymysql.err.OperationalError:
            return False


@pytest.mark.parametrize("by", ["port", "socket"])
def test_a_server_that_exists(c, scratch, by):
    theirs = Theirs(scratch / f"engine-{by}")
    address = f"127.0.0.1:{theirs.port}" if by == "port" else str(theirs.socket)
    login = ["--adopt", address, "--user", "boss", "--password", "b"]
    theirs.sql("CREATE USER boss@'%' IDENTIFIED BY 'b'")
    theirs.sql("GRANT ALL ON *.* TO boss@'%' WITH GRANT OPTION")
    try:
        theirs.sql("CREATE DATABASE own")
        theirs.sql("CREATE TABLE t (id INT)", db="own")
        refused = c.ctl_raw("engine add", *login)
        assert refused.returncode == 1 and "tables or routines of its own" in refused.stderr
        theirs.sql("DROP TABLE t", db="own")
        theirs.sql("SET GLOBAL local_infile = 0")
        refused = c.ctl_raw("engine add", *login)
        assert refused.returncode == 1 and "local_infile" in refused.stderr
        theirs.sql("SET GLOBAL local_infile = 1")
        before = theirs.boss("SELECT User, Host FROM mysql.global_priv ORDER BY 1, 2")
        # An account that is theirs keeps its rights, whatever rights its namesake has here.
        known = f"known@{'127.0.0.1' if by == 'port' else 'localhost'}"
        theirs.boss(f"GRANT EXECUTE ON own.* TO {known} IDENTIFIED BY 'x'")
        rights = theirs.boss(f"SHOW GRANTS FOR {known}")
        c.sql("CREATE USER known IDENTIFIED BY 'k'", db=None)
        refused = c.ctl_raw("engine add", *login)
        assert refused.returncode == 1 and "is somebody else's; remove it" in refused.stderr
        assert theirs.boss(f"SHOW GRANTS FOR {known}") == rights
        c.sql("DROP USER known", db=None)
        theirs.boss(f"DROP USER {known}")
        assert theirs.boss("SELECT User, Host FROM mysql.global_priv ORDER BY 1, 2") == before
        assert theirs.names() & {"own", "app"} == {"own"}
        c.ctl("engine add", *login, "--name", by)
        (one,) = [e for e in engines(c) if e["name"] == by]
        assert (one["port"] or one["socket"]) == (theirs.port if by == "port" else address)
        assert by in in_routes(c) and "secret" not in one
        refused = c.ctl_raw("engine add", *login)
        assert refused.returncode == 1 and "is an engine already" in refused.stderr
        c.sql("CREATE DATABASE both_of_them", db=None)
        have = theirs.names()
        assert {"own", "app", "both_of_them"} <= have
        c.sql("DROP DATABASE both_of_them", db=None)
        theirs.stop(signal.SIGKILL)  # it is not missed
        c.sql("CREATE DATABASE while_away", db=None)
        theirs.start()
        wait_for("its databases", lambda: "while_away" in theirs.names())
        c.sql("DROP DATABASE while_away", db=None)
        c.ctl("engine remove", by)
        assert theirs.names() & {"own", "app"} == {"own"}
        assert theirs.boss("SELECT User, Host FROM mysql.global_priv ORDER BY 1, 2") == before
    finally:
        theirs.stop()
    shard = c.shard_list()[0]
    refused = c.ctl_raw("engine add", "--adopt", shard["socket"])
    if refused.returncode == 1:
        assert "is a shard" in refused.stderr or "denied" in refused.stderr


def test_catalogs_of_before_and_of_later_and_another_home(c, new_cluster):
    other, c = c, new_cluster(shards=1, workers=1)
    c.down()
    with sqlite3.connect(c.home / "catalog.db") as catalog:
        (text,) = catalog.execute("SELECT body FROM object WHERE kind = 'meta'").fetchone()
        meta = json.loads(text)
        assert meta["format"] == 2
        for key in "format", "next_engine", "engine_made":
            del meta[key]
        catalog.execute("UPDATE object SET body = ? WHERE kind = 'meta'", [json.dumps(meta)])
        catalog.execute("DELETE FROM object WHERE kind = 'engine'")
    catalog.close()
    c.up()
    assert in_routes(c) == ["engine-1"]
    assert engines(c)[0]["answers"] and engines(c)[0]["pid"] != engines(other)[0]["pid"]
    c.down()
    with sqlite3.connect(c.home / "catalog.db") as catalog:
        (text,) = catalog.execute("SELECT body FROM object WHERE kind = 'meta'").fetchone()
        meta = json.loads(text)
        catalog.execute("UPDATE object SET body = ? WHERE kind = 'meta'",
                        [json.dumps({**meta, "format": 99})])
    catalog.close()
    done = c.ctl_raw("up", "--detach")
    assert done.returncode == 1 and "newer release" in done.stderr
    with sqlite3.connect(c.home / "catalog.db") as catalog:
        catalog.execute("UPDATE object SET body = ? WHERE kind = 'meta'",
                        [json.dumps(meta)])
    catalog.close()
    c.up()


def test_a_service_has_none_until_one_is_added(scratch):
    controller = Controller(scratch / "engserve", shards=0)
    try:
        assert controller.json("engine", "list")["engines"] == []
        controller.ctl("engine", "add")
        assert [e["answers"] for e in controller.json("engine", "list")["engines"]] == [True]
    finally:
        controller.stop()
