"""Logging in, and real clients doing the same work on shardd and on a plain server."""
import pathlib
import re
import shutil
import subprocess

import pymysql
import pytest

import rawclient
import testbed
from rawclient import RawClient, ServerError

CLIENTS = pathlib.Path(__file__).parent / "clients"


def node_path():
    """Where mysql2 is, installed once under build/; None when it cannot be had."""
    folder = testbed.ROOT / "build" / "testbed" / "node"
    if not (folder / "node_modules" / "mysql2").is_dir():
        if shutil.which("npm") is None:
            return None
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent",
                               "--ignore-scripts", "--prefix", folder, "mysql2@3"],
                              capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            return None
    return str(folder / "node_modules")


def command(client, port, db, how=None):
    at = ["127.0.0.1", str(port), db]
    return {
        "mysqlclient": ["/usr/bin/python3", CLIENTS / "work.py", *at],
        "perl": ["perl", CLIENTS / "work.pl", *at],
        "php": ["php", CLIENTS / "work.php", *at],
        "node": ["node", CLIENTS / "work.js", *at],
        "cli": ["mariadb", "-h127.0.0.1", f"-P{port}", "-uapp", "-papp", "--force", "--comments",
                "-vvv", "--table", "--default-character-set=utf8mb4", *cli_options(how or {}), db],
    }[client]


def cli_options(how):
    options = []
    if "WORK_TLS" in how:
        options += [f"--ssl-ca={how['WORK_TLS']}", "--ssl-verify-server-cert"]
    if "WORK_COMPRESS" in how:
        options += ["--compress"]
    if "WORK_USER" in how:
        options += [f"-u{how['WORK_USER']}"]
    return options


def run_client(client, port, db, **how):
    """What `client` prints after the work; `how` is the environment of clients/work.*."""
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **how}
    if client == "node":
        path = node_path()
        if path is None:
            pytest.skip("mysql2 cannot be installed here")
        environment["NODE_PATH"] = path
        environment["PATH"] = f"{pathlib.Path(shutil.which('node')).parent}:/usr/bin:/bin"
    work = open(CLIENTS / "work.sql") if client == "cli" else subprocess.DEVNULL
    done = subprocess.run(command(client, port, db, how), stdin=work, capture_output=True,
                          text=True, timeout=120, env=environment)
    return done.returncode, without_times(done.stdout), done.stderr


@pytest.mark.parametrize("client", ["cli", "mysqlclient", "perl", "php", "node"])
def test_a_client_sees_what_a_server_shows(client, checked, plain, db):
    plain.sql(f"CREATE DATABASE {db}")
    seen = [run_client(client, port, db) for port in (plain.port, checked.port)]
    plain.sql(f"DROP DATABASE {db}")
    assert client == "cli" or seen[0][0] == 0, seen[0]
    assert seen[0] == seen[1]


def without_times(text):
    """The command line client tells how long statements took."""
    return re.sub(r" \(\d+[.:].*sec\)", "", text)


def test_the_greeting_is_a_servers(checked):
    with RawClient(checked.port) as c:
        c.greeting()
        assert c.version[0] in "51" and "MariaDB" in c.version
        assert c.plugin == "mysql_native_password"
        assert len(c.scramble) == 20 and 0 not in c.scramble
        needed = rawclient.USUAL & ~1  # MariaDB uses the lowest bit for its own extensions
        assert c.server_capabilities & needed == needed


@pytest.mark.parametrize("plugin", ["caching_sha2_password", "client_ed25519", "sha256_password",
                                    "mysql_clear_password", "nonsense", ""])
def test_another_plugin_is_switched(checked, plugin):
    with RawClient(checked.port) as c:
        c.login(plugin=plugin)
        assert c.switched_to == "mysql_native_password"
        assert rawclient.text_row(c.query("SELECT 42")[1][0]) == [b"42"]


@pytest.mark.parametrize("more,less", [
    (rawclient.DEPRECATE_EOF, 0),
    (rawclient.SESSION_TRACK, 0),
    (rawclient.DEPRECATE_EOF | rawclient.SESSION_TRACK | rawclient.FOUND_ROWS, 0),
    (rawclient.MULTI_STATEMENTS, 0),
    (0, rawclient.PLUGIN_AUTH),
    (0, rawclient.TRANSACTIONS),
])
def test_capabilities_are_negotiated(checked, db, more, less):
    with RawClient(checked.port) as c:
        c.login(db=db, more=more, less=less)
        definitions, rows = c.query("SELECT 1 AS a, NULL AS b, 'xyz' AS c")
        assert [rawclient.column(d)["name"] for d in definitions] == ["a", "b", "c"]
        assert rawclient.text_row(rows[0]) == [b"1", None, b"xyz"]
        statement, params, columns = c.prepare("SELECT ? + 1 AS n")
        assert len(params) == 1 and len(columns) == 1
        assert len(c.execute(statement, [41])[1]) == 1


@pytest.mark.parametrize("user,password,db,code", [
    ("app", "wrong", "app", 1045), ("app", "", "app", 1045), ("nobody", "app", "app", 1045),
    ("", "", None, 1045), ("app", "app", "no_such_db", 1049), ("root", "", None, 1045),
])
def test_refusals(checked, user, password, db, code):
    with pytest.raises(pymysql.err.OperationalError) as refused:
        checked.connect(user=user, password=password, db=db)
    assert refused.value.args[0] == code


def test_a_name_no_user_can_have(checked):
    with pytest.raises(pymysql.err.OperationalError) as refused:
        checked.connect(user="a" * 200, db=None)
    assert refused.value.args[0] in (1043, 1045)


def test_without_a_database(checked, db):
    with checked.connect(db=None) as c, c.cursor() as cursor:
        with pytest.raises(pymysql.err.OperationalError) as refused:
            cursor.execute("CREATE TABLE x (a INT PRIMARY KEY)")
        assert refused.value.args[0] == 1046
        c.select_db(db)
        cursor.execute("SELECT DATABASE()")
        assert cursor.fetchone() == (db,)
        cursor.execute("USE app")
        cursor.execute("SELECT DATABASE()")
        assert cursor.fetchone() == ("app",)
        with pytest.raises(pymysql.err.OperationalError) as refused:
            c.select_db("no_such_db")
        assert refused.value.args[0] == 1049
        cursor.execute("SELECT DATABASE()")
        assert cursor.fetchone() == ("app",)


def test_small_commands(checked, plain, db):
    checked.sql("CREATE TABLE f (a INT PRIMARY KEY, b TEXT)", db=db)
    with RawClient(checked.port) as c:
        c.login(db=db)
        c.command(rawclient.PING)
        assert c.ok()[:1] == b"\0"
        c.command(rawclient.STATISTICS)
        assert b"Uptime:" in c.read()
        c.command(rawclient.SET_OPTION, b"\0\0")
        assert c.read()[:1] in (b"\xfe", b"\0")
        c.command(rawclient.SET_OPTION, b"\1\0")
        assert c.read()[:1] in (b"\xfe", b"\0")
        c.command(rawclient.FIELD_LIST, b"f\0")
        assert len(c._until_eof()) == 2
        c.command(rawclient.INIT_DB, b"app")
        c.ok()
        c.command(rawclient.QUIT)
        assert c.closed()


@pytest.mark.parametrize("code", [0, 5, 6, 15, 16, 29, 99, 200, 255])
def test_unknown_commands(checked, plain, code):
    answers = []
    for server in plain, checked:
        with RawClient(server.port) as c:
            c.login()
            c.command(code, b"junk")
            try:
                c.ok()
                answers.append(0)
            except ServerError as error:
                answers.append(error.code)
            except EOFError:
                answers.append("closed")
            if answers[-1] == 1047:
                c.command(rawclient.PING)
                c.ok()
    assert answers[0] == answers[1]


@pytest.mark.parametrize("code", [18, 21, 30])
def test_replicas_are_not_served(checked, code):
    with RawClient(checked.port) as c:
        c.login()
        c.command(code, bytes(30))
        with pytest.raises((ServerError, EOFError)):
            c.ok()


def test_multi_statements(both):
    for server in both.plain, both.cluster:
        with server.connect(db=both.db, client_flag=testbed.MULTI_STATEMENTS) as c:
            with c.cursor() as cursor:
                cursor.execute("CREATE TABLE m (a INT PRIMARY KEY); INSERT INTO m VALUES (1), (2);"
                               "SELECT * FROM m ORDER BY a; SELECT nothing FROM m; SELECT 3")
                seen = [cursor.rowcount]
                with pytest.raises(pymysql.err.OperationalError) as refused:
                    while cursor.nextset():
                        seen.append(cursor.fetchall() or cursor.rowcount)
                assert refused.value.args[0] == 1054
                assert seen == [0, 2, ((1,), (2,))]
                cursor.execute("SELECT 4")
                assert cursor.fetchall() == ((4,),)


def test_a_user_lives_in_the_catalog(checked):
    checked.ctl("user add", "anna", "--password", "one")
    try:
        checked.connect(user="anna", password="one", db=None).close()
        checked.ctl("user passwd", "anna", "--password", "two")
        with pytest.raises(pymysql.err.OperationalError):
            checked.connect(user="anna", password="one", db=None)
        with checked.connect(user="anna", password="two", db=None) as c, c.cursor() as cursor:
            cursor.execute("SELECT CURRENT_USER()")
            assert cursor.fetchone()[0].startswith("anna@")
    finally:
        checked.ctl("user remove", "anna")
    with pytest.raises(pymysql.err.OperationalError) as refused:
        checked.connect(user="anna", password="two", db=None)
    assert refused.value.args[0] == 1045
