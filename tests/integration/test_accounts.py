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
    ("RENAME USER joe TO root", 1105),
    ("RENAME USER root TO jim", 1396),
    ("RENAME USER joe TO app", 1396),
    ("ALTER USER joe PASSWORD EXPIRE", 1235),
    ("ALTER USER joe REQUIRE X509", 1235),
    ("ALTER USER joe IDENTIFIED VIA unix_socket", 1235),
    ("CREATE USER x IDENTIFIED BY PASSWORD 'short'", 1372),
    ("CREATE USER x WITH MAX_QUERIES_PER_HOUR 5", 1235),
    ("GRANT r TO joe", 1235),
    ("DROP ROLE r", 1235),
    ("SET DEFAULT ROLE r", 1235),
    ("GRANT SELECT ON {db}.* TO joe IDENTIFIED BY 'x'", 1235),
    ("SHOW GRANTS FOR nobody", 1141),
    ("SHOW GRANTS FOR shardd_service", 1141),
    ("SHOW CREATE USER root", 1133),
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


def test_what_accounts_look_like(checked, plain, admin, db):
    """SHOW GRANTS and the like, as a plain server shows the same user: no random secret, no
    role, no host of the accounts on the shards."""
    plain.sql(f"CREATE DATABASE {db}")
    with plain.connect(db=db) as root:
        for c in admin, root:
            for sql in ("CREATE TABLE t (k INT PRIMARY KEY, v INT)",
                        "CREATE USER joe IDENTIFIED BY 'pw'", "CREATE USER `o'`",
                        f"GRANT SELECT, INSERT (k, v) ON {db}.t TO joe",
                        f"GRANT CREATE, DROP ON {db}.* TO joe, `o'`",
                        "ALTER USER `o'` WITH MAX_USER_CONNECTIONS 7 MAX_STATEMENT_TIME 3"):
                assert code(c, sql) == 0, sql
        try:
            with login(checked, "joe", "pw", db) as ours, \
                    plain.connect(user="joe", password="pw", db=db) as theirs:
                for sql in LOOKS:
                    one, two = testbed.Answer(ours, sql), testbed.Answer(theirs, sql)
                    where = f"{sql}: {one} {two}"
                    assert bool(one.error) == bool(two.error), where
                    if two.error:
                        assert one.error[0] == two.error[0], where
                    else:
                        assert sorted(one.rows) == sorted(two.rows), where
                        assert [c[0] for c in one.columns] == [c[0] for c in two.columns], where
            for sql in "SHOW GRANTS FOR `o'`", "SHOW CREATE USER `o'`", "SHOW CREATE USER joe":
                one, two = testbed.Answer(admin, sql), testbed.Answer(root, sql)
                assert sorted(one.rows) == sorted(two.rows), (sql, one, two)
        finally:
            root.query("DROP USER joe, `o'`")
            root.query(f"DROP DATABASE {db}")


LOOKS = [
    "SHOW GRANTS", "SHOW GRANTS FOR CURRENT_USER()", "SHOW GRANTS FOR joe", "SHOW GRANTS FOR app",
    "SHOW CREATE USER", "SHOW CREATE USER CURRENT_USER()",
    "SELECT CURRENT_USER(), CURRENT_USER, current_user() AS me",
    "SELECT USER() = CONCAT('joe@', SUBSTRING_INDEX(USER(), '@', -1)) a, CHARSET(USER()) b",
    "SELECT CONCAT(SESSION_USER(), '!') a, SYSTEM_USER( ) , session_user()",
    "SELECT user()", "SELECT 1 FROM t WHERE 'joe@%' = CURRENT_USER()",
    "SELECT user FROM (SELECT 5 AS user) x",
    "SELECT CURRENT_ROLE()",
    "SELECT * FROM information_schema.USER_PRIVILEGES",
    "SELECT * FROM information_schema.SCHEMA_PRIVILEGES",
    "SELECT * FROM information_schema.TABLE_PRIVILEGES",
    "SELECT * FROM information_schema.COLUMN_PRIVILEGES",
    "SELECT p.GRANTEE FROM information_schema.schema_privileges p WHERE p.PRIVILEGE_TYPE = 'DROP'",
    "SELECT * FROM information_schema.APPLICABLE_ROLES",
    "SELECT * FROM information_schema.ENABLED_ROLES",
    "SELECT User FROM mysql.user", "SELECT * FROM mysql.db", "SELECT * FROM mysql.global_priv",
    "SHOW DATABASES LIKE 'shardd%'", "SHOW TABLES FROM shardd",
]


def test_another_name(checked, admin, db):
    admin.query("CREATE TABLE t (k INT PRIMARY KEY)")
    assert code(admin, "CREATE USER joe IDENTIFIED BY 'pw'") == 0
    assert code(admin, f"GRANT SELECT ON {db}.t TO joe") == 0
    assert code(admin, "RENAME USER joe TO jim") == 0
    with login(checked, "jim", "pw", db) as jim:
        assert code(jim, "SELECT COUNT(*) FROM t") == 0
        assert code(jim, "INSERT INTO t VALUES (1), (2), (3)") == 1142
    with pytest.raises(pymysql.err.OperationalError):
        login(checked, "joe", "pw")
    for shard in checked.shard_list():
        assert not checked.on_shard(shard, "SELECT 1 FROM mysql.global_priv WHERE User = 'joe'")


def test_replaced_and_locked(checked, admin, db):
    assert code(admin, "CREATE USER joe IDENTIFIED BY 'one'") == 0
    assert code(admin, f"GRANT ALL ON {db}.* TO joe") == 0
    assert code(admin, "CREATE OR REPLACE USER joe IDENTIFIED BY 'two' ACCOUNT LOCK") == 0
    with pytest.raises(pymysql.err.OperationalError) as locked:
        login(checked, "joe", "two")
    assert locked.value.args[0] == 4151
    assert code(admin, "ALTER USER joe ACCOUNT UNLOCK PASSWORD EXPIRE NEVER") == 0
    with login(checked, "joe", "two") as joe:
        assert code(joe, f"CREATE TABLE {db}.x (k INT PRIMARY KEY)") == 1142
        assert code(joe, "ALTER USER joe ACCOUNT LOCK") == 1227
        assert code(admin, "ALTER USER joe ACCOUNT LOCK") == 0
        assert code(joe, "SELECT 1") == 0  # who is in stays
    hashed = "IDENTIFIED BY PASSWORD '*6BB4837EB74329105EE4568DDA7DC67ED2CA2AD9'"  # 123456
    assert code(admin, f"CREATE OR REPLACE USER joe {hashed}") == 0
    login(checked, "joe", "123456").close()
    assert hashed in admin_rows(admin, "SHOW CREATE USER joe")[0][0]


def admin_rows(connection, sql):
    return testbed.Answer(connection, sql).rows


def test_grants_of_the_command_line(checked, admin, db):
    admin.query("CREATE TABLE t (k INT PRIMARY KEY, v INT)")
    done = checked.ctl_raw("user add", "max", "--password", "m", "--grant",
                           f"SELECT, INSERT ON {db}.*", "--grant", f"DELETE ON {db}.t")
    assert done.returncode == 0, done.stderr
    with login(checked, "max", "m", db) as c:
        assert code(c, "INSERT INTO t VALUES (1, 1), (2, 2)") == 0
        assert code(c, "DELETE FROM t WHERE k = 1") == 0
        assert code(c, "UPDATE t SET v = 5 WHERE k = 2") == 1142
    done = checked.ctl_raw("user add", "eve", "--password", "e", "--grant", "ALL ON nosuch.*")
    assert done.returncode != 0 and "nosuch" in done.stderr
    assert "eve" not in {u["name"] for u in checked.ctl("user list")["users"]}


def test_rights_on_a_global_table_alone_are_refused(checked, admin, db):
    """Its shard knows it, the others do not; nothing of the attempt stays."""
    admin.query("CREATE TABLE g (k INT PRIMARY KEY) COMMENT 'shardd: global'")
    admin.query("CREATE USER gus IDENTIFIED BY 'g'")
    assert code(admin, f"GRANT SELECT ON {db}.g TO gus") in (1146, 1235)
    assert not any("uneven" in u for u in checked.ctl("user list")["users"])
    for shard in checked.shard_list():
        assert len(checked.on_shard(shard, "SHOW GRANTS FOR gus@'%'")) <= 2  # USAGE, and a role
    assert code(admin, f"GRANT SELECT ON {db}.* TO gus") == 0
    with login(checked, "gus", "g", db) as c:
        assert code(c, "SELECT * FROM g") == 0
    admin.query("DROP USER gus")


def test_a_grant_that_fails_on_a_later_shard_is_finished(new_cluster):
    """The second shard refuses in the middle of a GRANT, and is made like the first as soon as
    it no longer does."""
    cluster = new_cluster(shards=2)
    first, second = cluster.shard_list()
    cluster.sql("CREATE USER joe IDENTIFIED BY 'pw'")
    cluster.on_shard(second, "DROP USER joe@'%'")
    with cluster.connect() as c:
        failed = testbed.Answer(c, "GRANT SELECT, INSERT ON app.* TO joe")
        assert failed.error and "by itself" in failed.error[1], failed
    secret = cluster.on_shard(first, "SHOW CREATE USER joe@'%'")[0][0]
    cluster.on_shard(second, secret)
    testbed.wait_for("the other shard's rights", lambda: all(
        any("SELECT, INSERT ON `app`" in row[0] for row in
            cluster.on_shard(s, "SHOW GRANTS FOR joe@'%'")) for s in (first, second)))
    testbed.wait_for("the record", lambda: any(
        "SELECT, INSERT ON `app`" in row[0] for row in cluster.sql("SHOW GRANTS FOR joe")))
