"""TLS between real clients and shardd."""
import os
import re
import signal
import ssl
import subprocess

import pymysql
import pytest

import rawclient
import testbed
from certs import Certs
from rawclient import RawClient
from test_login import run_client


@pytest.fixture(scope="module")
def certs(scratch):
    return Certs(scratch / "certs")


@pytest.fixture(scope="module")
def secure(scratch, certs):
    """TLS is a must, a client's certificate is not."""
    settings = [f'tls_cert = "{certs.cert}"', f'tls_key = "{certs.key}"', f'tls_ca = "{certs.ca}"',
                "require_secure_transport = true", "login_timeout_s = 3"]
    cluster = Secure(scratch / "tls", settings=[w for s in settings for w in ("--set", s)],
                     tls=context(certs))
    yield cluster
    cluster.finish()


class Secure(testbed.Cluster):
    def __init__(self, *args, tls, **more):
        self.tls = tls
        super().__init__(*args, **more)

    def connect(self, *args, **more):
        more.setdefault("ssl", self.tls)
        return super().connect(*args, **more)


def context(certs, cert=None, newest=None):
    tls = ssl.create_default_context(cafile=certs.ca)
    if cert:
        tls.load_cert_chain(certs.path(cert + ".pem"), certs.path(cert + ".key"))
    if newest:
        tls.maximum_version = newest
    return tls


def s_client(port, *options, **more):
    done = subprocess.run(["openssl", "s_client", "-starttls", "mysql", "-connect",
                           f"127.0.0.1:{port}", *options], input=b"", capture_output=True,
                          timeout=60, **more)
    return (done.stdout + done.stderr).decode("utf-8", "replace")


@pytest.mark.parametrize("client", ["cli", "mysqlclient", "perl", "php", "node"])
def test_a_client_sees_what_it_sees_without_tls(client, secure, plain, certs):
    db = f"tls_{client}"
    plain.sql(f"CREATE DATABASE {db}")
    secure.sql(f"CREATE DATABASE {db}")
    before = secure.metric("shardd_tls_handshakes_total")
    there, here = run_client(client, plain.port, db), run_client(client, secure.port, db,
                                                                 WORK_TLS=str(certs.ca))
    assert here == there
    assert secure.metric("shardd_tls_handshakes_total") > before
    secure.sql(f"DROP DATABASE {db}")
    plain.sql(f"DROP DATABASE {db}")


def test_a_login_in_the_clear_is_refused(secure):
    with pytest.raises(pymysql.err.OperationalError) as refused:
        secure.connect(ssl=None)
    assert refused.value.args[0] == 3159
    assert "TLS" in refused.value.args[1]


@pytest.mark.parametrize("newest,name", [(ssl.TLSVersion.TLSv1_2, "TLSv1.2"),
                                         (ssl.TLSVersion.TLSv1_3, "TLSv1.3")])
def test_versions_and_large_packets(secure, certs, newest, name):
    with secure.connect(ssl=context(certs, newest=newest), max_allowed_packet=1 << 26) as c, \
            c.cursor() as cursor:
        assert c._sock.version() == name
        big = os.urandom(9 << 20).hex()
        cursor.execute("SELECT LENGTH(%s), %s", (big, big))
        assert cursor.fetchone() == (len(big), big)


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_sessions_are_resumed_at_any_worker(secure, scratch, certs, version):
    file = scratch / f"session{version}"
    assert "Verification: OK" in s_client(secure.port, version, "-CAfile", certs.ca, "-sess_out",
                                          file, "-ign_eof")
    for _ in range(4):
        assert re.search(r"^Reused", s_client(secure.port, version, "-sess_in", file), re.M)


@pytest.mark.parametrize("cert,accepted", [("client", True), ("bad", False)])
def test_clients_certificates_are_verified(secure, certs, cert, accepted):
    try:
        with secure.connect(ssl=context(certs, cert)) as c, c.cursor() as cursor:
            cursor.execute("SELECT 1")
        assert accepted
    except (pymysql.err.OperationalError, OSError):
        assert not accepted


def test_bytes_behind_the_request_are_not_taken_for_the_login(secure):
    """A login in the clear behind the request for TLS is no ClientHello."""
    with RawClient(secure.port) as c:
        c.greeting()
        head = rawclient.struct.pack("<IIB23x", rawclient.USUAL | 1 << 11, 1 << 24, 45)
        c.socket.sendall(b"\x20\0\0\1" + head)
        c.socket.sendall(b"\x30\0\0\2" + head + b"app\0" + b"\x00" * 12)
        assert c.closed()
    testbed.wait_for("the count", lambda: secure.metric(
        "shardd_logins_failed_total", reason="tls") >= 1)


def test_a_new_certificate_is_used_after_a_reload(secure, certs):
    assert "first" in s_client(secure.port)
    with secure.connect() as old, old.cursor() as cursor:
        certs.server("second")
        os.kill(secure.master(), signal.SIGHUP)
        testbed.wait_for("the new certificate", lambda: all("second" in s_client(secure.port)
                                                            for _ in range(8)))
        cursor.execute("SELECT 'still here'")
        assert cursor.fetchone() == ("still here",)
    # A file that is broken changes nothing, not even for workers that start later.
    certs.cert.write_text("no certificate")
    os.kill(secure.master(), signal.SIGHUP)
    victim = secure.kill_worker()
    testbed.wait_for("its successor", lambda: victim not in secure.worker_pids()
                     and len(secure.worker_pids()) == 2)
    secure.sql("SELECT 1")
    assert "second" in s_client(secure.port)
    certs.server("third")
    os.kill(secure.master(), signal.SIGHUP)
    testbed.wait_for("the new certificate", lambda: all("third" in s_client(secure.port)
                                                        for _ in range(8)))


def test_a_client_that_stops_reading(secure):
    """1000 rows of 100 KB over TLS, read late: nothing piles up in the worker."""
    with secure.connect(cursorclass=pymysql.cursors.SSCursor) as c, c.cursor() as cursor:
        before = sum(testbed.memory_kib(p) for p in secure.worker_pids())
        cursor.execute("SELECT REPEAT('x', 100000) FROM seq_1_to_1000")
        cursor.fetchone()
        after = sum(testbed.memory_kib(p) for p in secure.worker_pids())
        assert after - before < 20000
        assert len(cursor.fetchall()) == 999


@pytest.mark.parametrize("settings,says", [
    ({"tls_cert": "/nowhere.pem"}, "tls_cert: it needs tls_key"),
    ({"tls_cert": "/nowhere.pem", "tls_key": "/nowhere.key"}, "cannot use the certificate"),
    ({"tls_require_client_cert": True}, "it needs tls_ca"),
])
def test_mistakes_are_named(scratch, settings, says):
    path = scratch / "mistake.conf"
    path.write_text("".join(f"{k} = {'true' if v is True else chr(34) + v + chr(34)};\n"
                            for k, v in settings.items()))
    done = subprocess.run([testbed.SHARDD, "-t", "-c", path], capture_output=True, text=True)
    assert done.returncode == 1 and says in done.stderr
