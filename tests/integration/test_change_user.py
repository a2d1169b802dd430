"""COM_CHANGE_USER and COM_RESET_CONNECTION: a client starts over on its connection, perhaps as
somebody else, and sees what it would see on a plain server."""
import contextlib
import struct
import subprocess
import sys

import pytest

import rawclient
import testbed
from certs import Certs
from rawclient import RawClient, ServerError
from test_auth import ED25519, NATIVE, SHA2, quick_proof
from test_login import node_path

CHANGE_USER, RESET_CONNECTION = 17, 31
PLUGINS = [NATIVE, SHA2, ED25519]


@pytest.fixture(scope="module")
def c(scratch):
    certs = Certs(scratch / "change-certs")
    subprocess.run(["openssl", "genrsa", "-out", certs.path("rsa.pem"), "2048"], check=True,
                   capture_output=True)
    settings = [f'tls_cert = "{certs.cert}"', f'tls_key = "{certs.key}"',
                f'rsa_key = "{certs.path("rsa.pem")}"']
    cluster = testbed.Cluster(scratch / "change", workers=2,
                              settings=[w for s in settings for w in ("--set", s)])
    for plugin in PLUGINS:
        cluster.ctl("user add", f"u_{plugin}", "--password", "app", "--plugin", plugin)
    cluster.ctl("user add", "nothing", "--password", "")
    yield cluster
    cluster.finish()


@pytest.fixture(scope="module")
def p(plain):
    """The plain server with the same users, but all of the plugin that it has built in."""
    for plugin in PLUGINS:
        plain.sql(f"CREATE USER u_{plugin} IDENTIFIED BY 'app'")
        plain.sql(f"GRANT ALL ON *.* TO u_{plugin}")
    plain.sql("CREATE USER nothing")
    plain.sql("CREATE DATABASE IF NOT EXISTS app")
    yield plain
    for user in [f"u_{plugin}" for plugin in PLUGINS] + ["nothing"]:
        plain.sql(f"DROP USER {user}")


@pytest.fixture(params=["plain", "shardd"])
def server(request, c, p):
    return p if request.param == "plain" else c


def body(user, proof, db="", collation=45, plugin=NATIVE):
    return (user.encode() + b"\0" + bytes([len(proof)]) + proof + db.encode() + b"\0"
            + struct.pack("<H", collation) + plugin.encode() + b"\0")


def answer(client, password):
    """Answers whatever the server asks, up to its OK; an ERR becomes an exception."""
    said = []
    while True:
        packet = client.read()
        said.append(packet)
        if packet[:1] == b"\xff":
            raise ServerError(packet)
        if packet[:1] == b"\0":
            return said
        if packet[:1] == b"\xfe":
            plugin, _, nonce = packet[1:].partition(b"\0")
            proof = {NATIVE: rawclient.native_password,
                     SHA2: lambda w, n: quick_proof(w, n) if w else b""}[plugin.decode()]
            client.send(proof(password, nonce[:20]))
        else:
            assert packet[:1] == b"\1" and packet[1:] == b"\3", packet


def change(client, user, password="app", db="", plugin=NATIVE, **more):
    proof = rawclient.native_password(password, client.scramble)
    client.command(CHANGE_USER, body(user, proof, db, plugin=plugin, **more))
    return answer(client, password)


def ask(client, sql):
    return [rawclient.text_row(r) for r in client.query(sql)[1]]


def who(client):
    return ask(client, "SELECT SUBSTRING_INDEX(USER(), '@', 1), DATABASE()")[0]


def test_as_somebody_else(server):
    with RawClient(server.port) as client:
        client.login(db="app")
        change(client, f"u_{NATIVE}", db="app")
        assert who(client) == [f"u_{NATIVE}".encode(), b"app"]
        change(client, f"u_{NATIVE}")
        assert who(client) == [f"u_{NATIVE}".encode(), None]
        change(client, "nothing", password="")
        assert who(client) == [b"nothing", None]
        change(client, "app", db="app", collation=8)
        assert who(client) == [b"app", b"app"]
        assert ask(client, "SELECT @@character_set_client, @@collation_connection") == [
            [b"latin1", b"latin1_swedish_ci"]]


STATE = [
    "SELECT @a, @@sql_mode = '', @@autocommit", "SELECT LAST_INSERT_ID(), FOUND_ROWS()",
    "SELECT @@warning_count, @@in_transaction", "SHOW WARNINGS", "SELECT COUNT(*) FROM s",
    "SELECT @@character_set_client, @@collation_connection, @@character_set_results",
    "SELECT @@tx_isolation, @@sql_select_limit, @@time_zone",
    "SELECT IS_FREE_LOCK('change')", "SELECT * FROM tmp",
]


def start_over(client, how):
    if how == "change":
        change(client, "app", db="app")
    else:
        client.command(RESET_CONNECTION)
        client.ok()


def told(client, sql):
    try:
        return ask(client, sql)
    except ServerError as error:
        return error.code


@pytest.mark.parametrize("how", ["change", "reset"])
def test_nothing_is_left(c, p, how):
    """Transaction, temporary table, variables, locks, statements: on both alike."""
    seen = []
    for server in p, c:
        server.sql("CREATE TABLE s (id BIGINT AUTO_INCREMENT PRIMARY KEY, n INT)", db="app")
        server.sql("INSERT INTO s VALUES (1, 1), (2, 2), (3, 3), (4, 4)", db="app")
        with RawClient(server.port) as client, server.connect(db="app") as other:
            client.login(db="app")
            statement = client.prepare("SELECT ?")[0]
            for sql in ("SET @a = 5, sql_mode = '', time_zone = '+03:00', sql_select_limit = 9",
                        "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE",
                        "SET NAMES latin1", "SELECT GET_LOCK('change', 0)",
                        "CREATE TEMPORARY TABLE tmp (a INT)", "SELECT CAST('x' AS INT)"):
                client.query(sql)
            client.query("SET autocommit = 0")
            client.query("INSERT INTO s (n) VALUES (5), (6), (7), (8)")
            client.query("UPDATE s SET n = 9 WHERE id < 4")
            start_over(client, how)
            status = struct.unpack_from("<H", client.query("DO 1")[1], 3)[0]
            answers = [status] + [told(client, sql) for sql in STATE]
            with pytest.raises(ServerError) as gone:
                client.execute(statement, [1])
            answers.append(gone.value.code)
            # Locks are free as soon as the answer is there, on all shards.
            start_over(client, how)
            client.query("SELECT GET_LOCK('change', 0)")
            client.query("BEGIN")
            client.query("UPDATE s SET n = n + 1")
            start_over(client, how)
            with other.cursor() as cursor:
                cursor.execute("SET innodb_lock_wait_timeout = 0")
                cursor.execute("SELECT GET_LOCK('change', 0)")
                answers.append(cursor.fetchall())
                cursor.execute("UPDATE s SET n = 1")
            seen.append(answers)
        server.sql("DROP TABLE s", db="app")
    assert seen[1] == seen[0]


def refusals():
    return [
        ("wrong password", "app", "wrong", ""), ("unknown user", "who", "app", ""),
        ("no password", "app", "", ""), ("unknown database", "app", "app", "nosuch"),
        ("too many", "app", "app", "app"),
    ]


def test_a_failed_change(c, p):
    """The error, what the client is afterwards, and how often it may try: as on a server."""
    seen = []
    for server in p, c:
        with RawClient(server.port, timeout=30) as client:
            client.login(db="app")
            answers = []
            for what, user, password, db in refusals():
                client.query("SET @a = 1")
                try:
                    change(client, user, password, db)
                    answers.append((what, "changed"))
                except ServerError as error:
                    answers.append((what, error.code, error.state))
                try:
                    answers.append([who(client), ask(client, "SELECT @a")])
                except (EOFError, ConnectionError):
                    answers.append("closed")
                    break
        seen.append(answers)
    assert seen[1] == seen[0]


@pytest.mark.parametrize("junk", [b"", b"app", b"app\0", b"app\0\x14short", b"\0" * 8,
                                  b"x" * 300 + b"\0\0\0", b"app\0\0nosuch",
                                  b"app\0\0\0\x2d"])
def test_what_is_no_change(c, junk):
    with RawClient(c.port) as client:
        client.login(db="app")
        client.command(CHANGE_USER, junk)
        with pytest.raises((ServerError, EOFError)):
            answer(client, "")


@pytest.mark.parametrize("plugin", PLUGINS)
def test_a_half_change(c, plugin):
    """Silent, gone, or talking out of turn in the middle of the proof."""
    for sent in b"", b"\5\0\0\3abc", bytes([3, 0, 0, 3]) + b"abc", b"\xff" * 40:
        with RawClient(c.port) as client:
            client.login(db="app")
            client.command(CHANGE_USER, body(f"u_{plugin}", b"", plugin="dialog"))
            assert client.read()[:1] == b"\xfe"
            client.socket.sendall(sent)
    with RawClient(c.port) as client:  # all at once: the answer and the next command behind it
        client.login(db="app")
        ask_first = body(f"u_{NATIVE}", b"", plugin="dialog")
        proof = rawclient.native_password("app", client.scramble)
        client.socket.sendall(
            (len(ask_first) + 1).to_bytes(3, "little") + b"\0" + bytes([CHANGE_USER]) + ask_first
            + len(proof).to_bytes(3, "little") + b"\2" + proof + b"\1\0\0\0\x0e")
        assert client.read()[:1] == b"\xfe"
        assert client.read()[:1] == b"\0"
        assert client.read()[:1] == b"\0"


MYSQLCLIENT = """
import sys, MySQLdb
port, user = int(sys.argv[1]), sys.argv[2]
c = MySQLdb.connect(host="127.0.0.1", port=port, user="app", password="app", database="app",
                    ssl={"ca": sys.argv[3]} if len(sys.argv) > 3 else None)
for user in user, "app", user:
    c.query("SET @a = 1")
    c.change_user(user, "app", "app")
    c.query("SELECT SUBSTRING_INDEX(USER(), '@', 1), DATABASE(), @a")
    print(c.store_result().fetch_row())
try:
    c.change_user(user, "wrong", "app")
except MySQLdb.OperationalError as error:
    print(error.args[0])
"""

MYSQL2 = """
const mysql = require('mysql2/promise');
const [port, user] = process.argv.slice(1);
(async () => {
    const c = await mysql.createConnection({ host: '127.0.0.1', port: Number(port), user: 'app',
        password: 'app', database: 'app', rowsAsArray: true });
    for (const who of [user, 'app', user]) {
        await c.query('SET @a = 1');
        await c.changeUser({ user: who, password: 'app', database: 'app' });
        console.log((await c.query(
            "SELECT SUBSTRING_INDEX(USER(), '@', 1), DATABASE(), @a"))[0][0].join());
    }
    await c.end();
})();
"""


def run(words):
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=60,
                          env={"PATH": "/usr/bin:/bin", "NODE_PATH": node_path() or ""})
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("plugin", PLUGINS)
def test_mysql_change_user(c, p, plugin):
    """Connector/C, by mysqlclient."""
    c.ctl("user passwd", f"u_{plugin}", "--password", "app")  # the first proof is a full one
    words = [sys.executable, "-c", MYSQLCLIENT]
    assert run([*words, c.port, f"u_{plugin}"]) == run([*words, p.port, f"u_{plugin}"])


@pytest.mark.parametrize("plugin", [NATIVE, SHA2])
def test_mysql2_change_user(c, p, plugin):
    if node_path() is None:
        pytest.skip("there is no npm")
    words = ["node", "-e", MYSQL2, "--"]
    assert run([*words, c.port, f"u_{plugin}"]) == run([*words, p.port, f"u_{plugin}"])


def test_the_user_limit_and_the_process_list(c):
    c.ctl("user add", "few", "--password", "app", "--max-connections", "1")
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(RawClient(c.port)) for _ in range(8)]
        refused = 0
        for client in clients:
            client.login(db="app")
            try:
                change(client, "few")
            except ServerError as error:
                assert error.code == 1203
                refused += 1
        assert 8 - refused <= 2  # one for each worker
        testbed.wait_for("the list to tell", lambda: 8 - refused == sum(
            row == ("few",) for row in c.sql("SELECT USER FROM information_schema.PROCESSLIST")))
