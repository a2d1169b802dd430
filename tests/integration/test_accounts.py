"""CREATE USER, GRANT and the like through shardd: on the catalog and all shards, by its
administrators; nobody gets more than an administrator has."""
import pymysql
import pytest

import testbed


def code(connection, sql):
    answer = testbed.Answer(connection, sql)
    return answer.error[0] if answer.error else 0


@pytest.fixture
def admin(checked, db):
    """An administrator's connection (app is one) in an empty database; users go afterwards."""
    before = {u["name"] for u in checked.ctl("user list")["users"]}
    with checked.connect(db=db) as c:
        yield c
        for user in checked.ctl("user list")["users"]:
            if user["name"] not in before:
                assert code(c, f"DROP USER `{user['name']}`") == 0


def login(cluster, user, password, db=None):
    return cluster.connect(user=user, password=password, db=db)


def grants(cluster, user):
    return [sorted(str(r[0]) for r in cluster.on_shard(s, f"SHOW GRANTS FOR '{user}'@'%'")
                   if " ON `" in r[0]) for s in cluster.shard_list()]


def test_a_user_begins_without_rights_and_gets_them(checked, admin, db):
    admin.query("CREATE TABLE t (k INT PRIMARY KEY, v INT) COMMENT 'shardd: key(k)'")
    admin.query("INSERT INTO t VALUES (1,1),(2,2),(3,3),(4,4)")
    assert code(admin, "CREATE USER joe@'%' IDENTIFIED BY 'a \\' b'") == 0
    assert code(admin, "CREATE USER joe") == 1396
    assert code(admin, "CREATE USER IF NOT EXISTS joe, ann IDENTIFIED BY 'x'") == 0
    with login(checked, "joe", "a ' b") as joe:
        assert code(joe, f"SELECT * FROM {db}.t") == 1142
        assert code(admin, f"GRANT SELECT, INSERT (k, v) ON {db}.t TO joe, ann") == 0
        assert code(joe, f"SELECT * FROM {db}.t") == 0
        assert code(joe, f"INSERT INTO {db}.t (k, v) VALUES (9, 9), (10, 10), (11, 11)") == 0
        assert code(joe, f"DELETE FROM {db}.t") == 1142
        assert code(joe, f"CREATE TABLE {db}.x (k INT PRIMARY KEY)") == 1142
    seen = grants(checked, "joe")
    assert seen[0] and all(s == seen[0] for s in seen)
    assert code(admin, f"GRANT ALL ON {db}.* TO joe") == 0
    with login(checked, "joe", "a ' b", db) as joe:
        assert code(joe, "DELETE FROM t WHERE k = 9") == 0
        assert code(joe, "CREATE TABLE x (k INT PRIMARY KEY)") == 0
    assert code(admin, f"REVOKE DELETE, DROP ON {db}.* FROM joe") == 0
    with login(checked, "joe", "a ' b", db) as joe:
        assert code(joe, "DELETE FROM t WHERE k = 10") == 1142
        assert code(joe, "DROP TABLE x") == 1142
        assert code(joe, "SELECT COUNT(*) FROM t") == 0


def test_a_user_with_all_rights_loses_some(checked, admin, db):
    checked.ctl_raw("user add", "max", "--password", "m")
    with login(checked, "max", "m", db) as c:
        assert code(c, "CREATE TABLE x (k INT PRIMARY KEY)") == 0
    assert code(admin, f"GRANT SELECT ON {db}.* TO max") == 0  # it has that
    assert code(admin, f"REVOKE ALL ON {db}.* FROM max") == 0
    with pytest.raises(pymysql.err.OperationalError) as denied:
        with login(checked, "max", "m", db) as c:
            c.query("SELECT * FROM x")
    assert denied.value.args[0] in (1044, 1142)
    with login(checked, "max", "m") as c:
        assert code(c, f"DROP DATABASE {db}") == 1044
        assert code(c, "CREATE DATABASE more") == 1044


def test_passwords(checked, admin):
    assert code(admin, "CREATE USER joe IDENTIFIED BY 'one'") == 0
    with login(checked, "joe", "one") as joe:
        assert code(joe, "SET PASSWORD = PASSWORD('two')") == 0
        assert code(joe, "SET PASSWORD FOR app = PASSWORD('mine')") == 1227
        assert code(joe, "ALTER USER CURRENT_USER() IDENTIFIED BY 'three'") == 0
        assert code(joe, "ALTER USER app IDENTIFIED BY 'mine'") == 1227
    login(checked, "joe", "three").close()
    with pytest.raises(pymysql.err.OperationalError):
        login(checked, "joe", "one")
    assert code(admin, "SET PASSWORD FOR joe@'%' = PASSWORD('four')") == 0
    login(checked, "joe", "four").close()
    assert code(admin, "DROP USER joe, nosuch") == 1396
    assert code(admin, "DROP USER IF EXISTS joe, nosuch") == 0
    with pytest.raises(pymysql.err.OperationalError):
        login(checked, "joe", "four")


@pytest.mark.parametrize("sql,expected", [
    ("GRANT ALL ON *.* TO joe", 1235),
    ("GRANT SUPER ON {db}.* TO joe", 1235),
    ("GRANT SELECT ON mysql.* TO joe", 1049),
    ("GRANT SELECT ON shardd.* TO joe", 1049),
    ("GRANT SELECT ON `%`.* TO joe", 1049),
    ("GRANT SELECT ON mysql.user TO joe", 1049),
    ("GRANT SELECT ON {db}.* TO joe WITH GRANT OPTION", 1235),
    ("GRANT SELECT ON {db}.* TO joe@localhost", 1235),
    ("GRANT SELECT ON {db}.* TO shardd_service", 1396),
    ("GRANT SELECT ON {db}.* TO root", 1396),
    ("GRANT shardd_committer TO joe", 1235),
    ("GRANT PROXY ON app TO joe", 1235),
    ("REVOKE ALL PRIVILEGES, GRANT OPTION FROM joe", 1235),
    ("CREATE USER root IDENTIFIED BY 'x'", 1105),
    ("CREATE USER shardd_x IDENTIFIED BY 'x'", 1105),
    ("CREATE USER x REQUIRE SSL", 1235),
    ("ALTER USER shardd_service IDENTIFIED BY 'x'", 1396),
    ("SET PASSWORD FOR root = PASSWORD('x')", 1396),
    ("DROP USER root", 1396),
    ("CREATE ROLE r", 1235),
    ("SET ROLE shardd_committer", 1235),
    ("RENAME USER joe TO jim", 1235),
])
def test_what_nobody_may(checked, admin, db, sql, expected):
    assert code(admin, "CREATE USER joe") == 0
    before = [checked.on_shard(s, "SELECT * FROM mysql.global_priv ORDER BY 1, 2")
              for s in checked.shard_list()]
    assert code(admin, sql.format(db=db)) == expected, testbed.Answer(admin, sql.format(db=db))
    assert before == [checked.on_shard(s, "SELECT * FROM mysql.global_priv ORDER BY 1, 2")
                      for s in checked.shard_list()]


@pytest.mark.parametrize("sql", [
    "CREATE USER x", "DROP USER app", "GRANT SELECT ON {db}.* TO joe",
    "REVOKE SELECT ON {db}.* FROM app", "GRANT ALL ON {db}.* TO CURRENT_USER()",
])
def test_only_administrators_may(checked, admin, db, sql):
    assert code(admin, "CREATE USER joe IDENTIFIED BY 'x'") == 0
    with login(checked, "joe", "x") as joe:
        assert code(joe, sql.format(db=db)) == 1227
    assert not any(grants(checked, "joe"))
