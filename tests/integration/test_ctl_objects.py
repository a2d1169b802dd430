"""test_ctl_objects.py - databases and users, on the shards and in the catalog."""
import hashlib
import json

import pymysql
import pytest

from controlbed import Controller
from testbed import Answer


@pytest.fixture(scope="module")
def c(scratch):
    controller = Controller(scratch / "objects")
    yield controller
    try:
        assert controller.fsck() == []
    finally:
        controller.stop()


def database_names(c, number):
    return {row[0] for row in c.on(number, "SHOW DATABASES")}


def test_databases_are_on_every_shard(c):
    c.ctl("database", "create", "one", "--collation", "latin1_swedish_ci", "--policy", "global")
    shown = c.json("database", "show", "one")
    assert (shown["policy"], shown["collation"]) == ("global", "latin1_swedish_ci")
    assert shown["tables"] == []
    assert all("one" in database_names(c, n) for n in (0, 1))
    c.ddl("CREATE TABLE t (id INT PRIMARY KEY)", database="one")
    assert c.json("table", "show", "one.t")["kind"] == "global"
    again = c.ctl_raw("database", "create", "one")
    assert again.returncode == 1 and "exists" in again.stderr
    c.ctl("database", "drop", "one")
    assert not any("one" in database_names(c, n) for n in (0, 1))
    assert all(t["database"] != "one" for t in c.json("table", "list")["tables"])
    assert c.ctl_raw("database", "drop", "one").returncode == 1


def test_a_name_is_decoded_once(c):
    for name in ("a/../b", "a%41b", "ä b?c=d&e"):
        c.ctl("database", "create", name)
        assert c.json("database", "show", name)["name"] == name
        assert c.json("table", "list", name)["tables"] == []
        c.ctl("database", "drop", name)


@pytest.mark.parametrize("args", [
    ["fsck", "nowhere"], ["explain", "SELECT 1", "--database", "nowhere"],
    ["table", "list", "nowhere"], ["database", "show", "nowhere"],
])
def test_a_database_that_is_not_there_is_named(c, args):
    done = c.ctl_raw(*args)
    assert done.returncode == 1 and "no database 'nowhere'" in done.stderr


def test_homes_spread_over_the_shards(c):
    c.ctl("database", "create", "second")
    homes = {d["name"]: d["home"] for d in c.json("database", "list")["databases"]}
    assert homes["app"] != homes["second"]
    c.ctl("database", "create", "third", "--home-shard", homes["second"])
    assert c.json("database", "show", "third")["home"] == homes["second"]
    assert c.ctl_raw("database", "create", "x", "--home-shard", "nowhere").returncode == 1
    c.ctl("database", "drop", "second")
    c.ctl("database", "drop", "third")


@pytest.mark.parametrize("name", ["mysql", "shardd", "information_schema", ""])
def test_names_of_the_servers_are_refused(c, name):
    assert c.ctl_raw("database", "create", name).returncode == 1


def secret_of(c, user):
    """What the workers get."""
    c.kill()
    rows = dict(c.catalog("SELECT name, body FROM object WHERE kind = 'user'"))
    c.start()
    return json.loads(rows[user])


def test_a_user_has_an_account_on_every_shard_and_rights(c):
    c.ctl("user", "add", "o'neil", "--password-stdin", "--max-connections", "7", stdin="pa'ss\n")
    c.ctl("database", "create", "my_db")
    user = secret_of(c, "o'neil")
    once = hashlib.sha1(b"pa'ss").digest()
    assert user["verifier"] == hashlib.sha1(once).hexdigest()
    assert user["max_connections"] == 7
    for shard in c.shard_list():
        with pymysql.connect(host=shard["host"], port=shard["port"], user="o'neil",
                             password=user["secret"], database="my_db") as db:
            cursor = db.cursor()
            cursor.execute("CREATE TABLE x (a INT)")
            cursor.execute("DROP TABLE x")
            cursor.execute("SHOW DATABASES")
            assert ("shardd",) not in cursor.fetchall()
            cursor.execute("SET ROLE shardd_committer")
            cursor.execute("CALL shardd.decide('xyz')")
            cursor.execute("ROLLBACK")
            cursor.execute("CALL shardd.decide('committed')")
            cursor.execute("COMMIT")
            cursor.execute("SET autocommit = 1")
            for sql, code in [("CALL shardd.abort('xyz')", 0), ("CALL shardd.abort('xyz')", 0),
                              ("CALL shardd.abort('committed')", 1062),
                              ("CALL shardd.decide('not in a transaction')", 1213)]:
                error = Answer(db, sql).error
                assert (error[0] if error else 0) == code, (sql, error)
            with pytest.raises(pymysql.err.MySQLError):
                cursor.execute("SELECT * FROM shardd.decision")
            with pytest.raises(pymysql.err.MySQLError):
                cursor.execute("CREATE DATABASE myXdb")  # _ is no wildcard
    shown = c.ctl("user", "list", "--json")
    assert user["secret"] not in shown and user["verifier"] not in shown
    c.ctl("user", "passwd", "o'neil", "--password", "new")
    assert secret_of(c, "o'neil")["verifier"] != user["verifier"]
    assert secret_of(c, "o'neil")["secret"] == user["secret"]
    c.ctl("user", "remove", "o'neil")
    for number in (0, 1):
        assert c.on(number, "SELECT 1 FROM mysql.global_priv WHERE User = %s", ("o'neil",)) == ()
    assert c.ctl_raw("user", "remove", "o'neil").returncode == 1
    c.ctl("database", "drop", "my_db")


@pytest.mark.parametrize("name", ["root", "shardd_service", "", "app"])
def test_these_users_cannot_be_added(c, name):
    done = c.ctl_raw("user", "add", name, "--password", "x")
    assert done.returncode == 1 and done.stderr


def test_accounts_that_lag_are_repaired(c):
    c.on(1, "DROP USER app@'%'")
    c.on(0, "REVOKE ALL ON app.* FROM app@'%'")
    c.kill()
    c.start()
    for number in (0, 1):
        granted = str(c.on(number, "SHOW GRANTS FOR app@'%'"))
        assert "ALL PRIVILEGES ON `app`.*" in granted and "shardd" in granted


def test_changes_leave_an_audit_row_without_secrets(c):
    c.ctl("user", "add", "seen", "--password", "x")
    status, _, body = c.call("GET", "/v1/audit")
    rows = [r for r in body["audit"] if r["kind"] == "user" and r["name"] == "seen"]
    assert status == 200 and rows[0]["action"] == "create" and rows[0]["who"].startswith("unix:")
    assert '"secret":' not in json.dumps(rows) and '"verifier":' not in json.dumps(rows)
    c.ctl("user", "remove", "seen")


@pytest.mark.parametrize("method, path, status", [
    ("GET", "/v1/nothing", 404), ("DELETE", "/v1/status", 405),
    ("GET", "/v1/tables/app/nope", 404), ("POST", "/v1/databases", 400),
    ("PUT", "/v1/tables/app/nope", 400), ("GET", "/v1/a/b/c/d/e/f", 404),
])
def test_what_the_api_does_not_know(c, method, path, status):
    got, _, body = c.call(method, path)
    assert got == status and body["error"]["message"]
