"""Where clients come in: through a Unix socket besides the port, and behind load balancers that
tell by the PROXY protocol for whom they connect."""
import contextlib
import ipaddress
import os
import signal
import socket
import stat
import struct
import subprocess
import threading

import pymysql
import pytest

import rawclient
import testbed
from certs import Certs
from rawclient import RawClient, ServerError

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
TRUSTED = "127.0.0.2"  # any address of the loopback network can be ours


@pytest.fixture(scope="module")
def c(scratch):
    certs = Certs(scratch / "doors-certs")
    settings = ["proxy_protocol = true", f'proxy_networks = "{TRUSTED}/32, localhost"',
                f'tls_cert = "{certs.cert}"', f'tls_key = "{certs.key}"', "drain_s = 60"]
    cluster = testbed.Cluster(scratch / "doors",
                              settings=[w for s in settings for w in ("--set", s)])
    cluster.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, n INT)")
    yield cluster
    cluster.finish()


def path_of(cluster):
    return str(cluster.home / "mysql.sock")


def by_socket(cluster, **more):
    return pymysql.connect(unix_socket=path_of(cluster), user="app", password="app",
                           database="app", autocommit=True, **more)


class Door(RawClient):
    """A raw client from an address, or through the Unix socket, that says `first` first."""

    def __init__(self, cluster, source=TRUSTED, first=b"", unix=False):
        if unix:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(20)
            self.socket.connect(path_of(cluster))
        else:
            self.socket = socket.create_connection(("127.0.0.1", cluster.port), 20, (source, 0))
        self.input = self.socket.makefile("rb", buffering=1 << 16)
        self.sequence = self.capabilities = 0
        self.socket.sendall(first)

    def host(self):
        _, rows = self.query("SELECT HOST FROM information_schema.PROCESSLIST "
                             "WHERE ID = CONNECTION_ID()")
        return rawclient.text_row(rows[0])[0].decode()

    def own(self):
        return "{}:{}".format(*self.socket.getsockname())


def v2(client, port, command=0x21, fields=b""):
    client = ipaddress.ip_address(client).packed
    family = 0x11 if len(client) == 4 else 0x21
    body = client + client + struct.pack(">HH", port, 3306) + fields
    return SIGNATURE + bytes([command, family]) + struct.pack(">H", len(body)) + body


V1 = b"PROXY TCP4 10.9.8.7 10.0.0.1 4711 3306\r\n"
HEADERS = [
    ("v1", V1, "10.9.8.7:4711"),
    ("v1 ipv6", b"PROXY TCP6 fd00::7 ::1 4711 3306\r\n", "[fd00::7]:4711"),
    ("v1 unknown", b"PROXY UNKNOWN\r\n", None),
    ("v2", v2("10.9.8.7", 4711), "10.9.8.7:4711"),
    ("v2 ipv6", v2("fd00::7", 4711), "[fd00::7]:4711"),
    ("v2 with fields", v2("10.9.8.7", 4711, fields=b"\x20" + b"\0\x05hello" * 9000),
     "10.9.8.7:4711"),
    ("v2 local", v2("10.9.8.7", 4711, command=0x20), None),
    ("none", b"", None),
]


@pytest.mark.parametrize("header,host", [h[1:] for h in HEADERS], ids=[h[0] for h in HEADERS])
def test_the_client_behind_a_balancer(c, header, host):
    with Door(c, first=header) as one:
        one.login()
        assert one.host() == (host or one.own())
    with Door(c, first=header) as one, pytest.raises(ServerError) as refused:
        one.login(password="wrong")
    assert refused.value.code == 1045
    assert f"'app'@'{host.rpartition(':')[0].strip('[]') if host else TRUSTED}'" in \
        refused.value.text


def test_a_header_in_pieces(c):
    for header in V1, v2("10.9.8.7", 4711):
        with Door(c) as one:
            for byte in header:
                one.socket.sendall(bytes([byte]))
            one.login()
            assert one.host() == "10.9.8.7:4711"


def test_a_header_is_not_believed_from_everywhere(c):
    before = c.metric("shardd_logins_failed_total", reason="proxy")
    for header in V1, v2("10.9.8.7", 4711), V1[:10]:
        with Door(c, "127.0.0.1", header) as one:
            one.read()  # the greeting
            answer = one.read()
            assert answer[:1] == b"\xff" and one.closed()
            error = ServerError(answer)
            assert error.code == 1130 and "127.0.0.1" in error.text
    testbed.wait_for("the count", lambda: c.metric(
        "shardd_logins_failed_total", reason="proxy") == before + 3)
    with Door(c, "127.0.0.1") as one:
        one.login()
        assert one.host() == one.own()


@pytest.mark.parametrize("header", [
    b"PROXY TCP4 10.9.8.7 10.0.0.1 4711\r\n", b"PROXY " + b"x" * 200,
    SIGNATURE + b"\x31\x11\0\0", SIGNATURE + b"\x21\x11\0\x02xx", V1 + V1,
    b"\r\n\r\n\0\r\nQUITx" + b"x" * 100])
def test_malformed_headers(c, header):
    with Door(c, first=header) as one:
        one.read()
        answer = one.read()
        assert answer[:1] == b"\xff" and ServerError(answer).code == 1043 and one.closed()
    assert c.sql("SELECT 1") == ((1,),)


# --- HAProxy ------------------------------------------------------------------

@contextlib.contextmanager
def haproxy(cluster, how):
    port = testbed.free_port()
    conf = cluster.home / "haproxy.cfg"
    conf.write_text(
        "global\n  maxconn 200\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1m\n"
        f"  timeout server 1m\nlisten mysql\n  bind 127.0.0.1:{port}\n  source {TRUSTED}\n"
        f"  server s 127.0.0.1:{cluster.port} {how} check inter 50ms fall 1000 check-send-proxy\n")
    process = subprocess.Popen(["haproxy", "-db", "-f", conf], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def serves():
        try:
            RawClient(port).greeting().close()
            return True
        except (OSError, EOFError):
            return False
    try:
        testbed.wait_for("haproxy", serves)
        yield port
    finally:
        process.terminate()
        process.wait()


@pytest.mark.parametrize("how", ["send-proxy", "send-proxy-v2"])
def test_haproxy_tells_who_it_is(c, how):
    with haproxy(c, how) as port:
        for tls in None, {"ssl": {}}:
            with pymysql.connect(host="127.0.0.1", port=port, user="app", password="app",
                                 database="app", **(tls or {})) as conn:
                mine = "{}:{}".format(*conn._sock.getsockname())
                assert testbed.Answer(conn, "SELECT HOST FROM information_schema.PROCESSLIST "
                                      "WHERE ID = CONNECTION_ID()").rows == [(mine,)]
        done = subprocess.run(["mariadb", "-h127.0.0.1", f"-P{port}", "-uapp", "-pwrong"],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and "'app'@'127.0.0.1'" in done.stderr


# --- the Unix socket ------------------------------------------------------------

def test_clients_through_the_socket(c):
    assert stat.S_IMODE(os.stat(path_of(c)).st_mode) == 0o777
    done = subprocess.run(["mariadb", "-S", path_of(c), "-uapp", "-papp", "app", "-BNe",
                           "SELECT HOST FROM information_schema.PROCESSLIST "
                           "WHERE ID = CONNECTION_ID()"],
                          capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("localhost\n", 0), done.stderr
    seen, open_ones = set(), []
    while len(seen) < 2 and len(open_ones) < 200:  # both workers take from the one queue
        open_ones.append(by_socket(c))
        seen.add(open_ones[-1].thread_id() & 255)
    for one in open_ones:
        assert testbed.Answer(one, "SELECT 1").rows == [(1,)]
        one.close()
    assert len(seen) == 2
    with pytest.raises(pymysql.err.OperationalError, match="'app'@'localhost'"):
        pymysql.connect(unix_socket=path_of(c), user="app", password="wrong")
    assert c.status()["shardd"]["socket"] == path_of(c)


def test_a_balancer_through_the_socket(c):
    with Door(c, first=V1, unix=True) as one:
        one.login()
        assert one.host() == "10.9.8.7:4711"


def keep_connecting(cluster, over, outcomes):
    while not over.is_set():
        for connect in lambda: by_socket(cluster), cluster.connect:
            try:
                connect().close()
                outcomes.append(None)
            except pymysql.err.OperationalError as error:
                outcomes.append(error.args)


def test_nobody_is_turned_away_when_the_master_dies(c):
    """Its workers serve on, and a new master takes the name over in one step."""
    over, outcomes = threading.Event(), []
    held = by_socket(c)
    thread = threading.Thread(target=keep_connecting, args=(c, over, outcomes))
    thread.start()
    try:
        first = c.master()
        os.kill(first, signal.SIGKILL)
        testbed.wait_for("the next master", lambda: c.status()["shardd"]["pid"] not in (0, first))
        testbed.wait_for("its workers", lambda: len(
            [w for w in c.status()["workers"] if w["state"] == "ready"]) == 2)
        enough = len(outcomes) + 200
        testbed.wait_for("more connections", lambda: len(outcomes) > enough)
        with by_socket(c) as conn:
            assert testbed.Answer(conn, "SELECT 1").rows == [(1,)]
        assert testbed.Answer(held, "SELECT 2").rows == [(2,)]
    finally:
        over.set()
        thread.join()
        held.close()
    assert set(outcomes) == {None}


def test_the_socket_survives_workers(c):
    for pid in c.worker_pids():
        os.kill(pid, signal.SIGKILL)
        testbed.wait_for("its end", lambda p=pid: p not in c.worker_pids())
        with by_socket(c) as conn:  # by the other one, or by the successor
            assert testbed.Answer(conn, "SELECT 1").rows == [(1,)]


def test_clients_of_the_socket_may_finish(c):
    with by_socket(c) as conn:
        assert testbed.Answer(conn, "BEGIN").error is None
        assert testbed.Answer(conn, "INSERT INTO t VALUES (1, 1)").error is None
        os.kill(c.master(), signal.SIGTERM)

        def closed():
            try:
                by_socket(c).close()
                return False
            except pymysql.err.OperationalError:
                return True
        testbed.wait_for("the door to be closed", closed)
        assert testbed.Answer(conn, "INSERT INTO t VALUES (2, 2)").error is None
        assert testbed.Answer(conn, "COMMIT").error is None
    testbed.wait_for("shardd to come back", c.ready)
    assert c.sql("SELECT COUNT(*) FROM t") == ((2,),)


def test_whom_the_socket_is_for_and_half_a_header(new_cluster, scratch):
    path = scratch / "own.sock"
    c = new_cluster(shards=1, workers=1, settings=(
        "--set", f'socket = "{path}"', "--set", 'socket_access = "group"',
        "--set", "proxy_protocol = true", "--set", "login_timeout_s = 3"))
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o770
    with pymysql.connect(unix_socket=str(path), user="app", password="app") as conn:
        assert testbed.Answer(conn, "SELECT 1").rows == [(1,)]
    assert not (c.home / "mysql.sock").exists()
    with Door(c, "127.0.0.1", V1[:-1]) as one:
        one.read()
        assert one.closed()
    testbed.wait_for("the count", lambda: c.metric(
        "shardd_logins_failed_total", reason="timeout") == 1)
