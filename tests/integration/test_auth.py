"""Plugins, verifiers and rotation of passwords, with the clients that people use."""
import contextlib
import hashlib
import re
import shutil
import sqlite3
import struct
import subprocess
import tempfile

import pymysql
import pytest

import rawclient
import testbed
from certs import Certs
from rawclient import RawClient, ServerError
from test_login import run_client

SHA2, ED25519, NATIVE = "caching_sha2_password", "client_ed25519", "mysql_native_password"


@pytest.fixture(scope="module")
def certs(scratch):
    made = Certs(scratch / "auth-certs")
    subprocess.run(["openssl", "genrsa", "-out", made.path("rsa.pem"), "2048"], check=True,
                   capture_output=True)
    return made


@pytest.fixture(scope="module")
def c(scratch, certs):
    settings = [f'tls_cert = "{certs.cert}"', f'tls_key = "{certs.key}"',
                f'rsa_key = "{certs.path("rsa.pem")}"']
    cluster = testbed.Cluster(scratch / "auth", workers=1,
                              settings=[w for s in settings for w in ("--set", s)])
    for plugin in SHA2, ED25519, NATIVE:
        cluster.ctl("user add", f"u_{plugin}", "--password", "app", "--plugin", plugin)
    yield cluster
    cluster.finish()


@contextlib.contextmanager
def catalog(cluster):
    """A copy of the file, which a running controller keeps to itself."""
    with tempfile.TemporaryDirectory() as folder:
        for file in cluster.home.glob("catalog.db*"):
            shutil.copy(file, folder)
        with contextlib.closing(sqlite3.connect(f"{folder}/catalog.db")) as db:
            yield db


def quick_proof(password, nonce):
    one = hashlib.sha256(password.encode()).digest()
    two = hashlib.sha256(hashlib.sha256(one).digest() + nonce).digest()
    return bytes(a ^ b for a, b in zip(one, two))


def ask_quickly(cluster, user, password):
    """What shardd says to a scramble of caching_sha2_password: "quick", "full" or "no"."""
    with RawClient(cluster.port) as c:
        c.greeting()
        try:
            c.send(head(user, quick_proof(password, c.scramble)))
            said = c.read()
        except ServerError:
            return "no"
        if said == b"\x01\x03":
            assert c.read()[:1] == b"\0"
        return {b"\x01\x03": "quick", b"\x01\x04": "full"}.get(said, "no")


def head(user, proof, plugin=SHA2):
    caps = rawclient.USUAL & ~rawclient.CONNECT_WITH_DB
    return (struct.pack("<IIB23x", caps, 1 << 30, 45) + user.encode() + b"\0"
            + bytes([len(proof)]) + proof + plugin.encode() + b"\0")


CLIENTS = [("cli", SHA2), ("cli", ED25519), ("mysqlclient", SHA2), ("mysqlclient", ED25519),
           ("perl", SHA2), ("perl", ED25519), ("php", SHA2), ("node", SHA2)]


@pytest.mark.parametrize("how", ["clear", "tls"])
@pytest.mark.parametrize("client,plugin", CLIENTS)
def test_clients(client, plugin, how, c, plain, certs):
    db = f"auth_{client}_{plugin}_{how}"
    for place in plain, c:
        place.sql(f"CREATE DATABASE {db}", db=None)
    # A new password, so that the first login is a full one.
    c.ctl("user passwd", f"u_{plugin}", "--password", "app")
    more = {"WORK_TLS": str(certs.ca)} if how == "tls" else {}
    here = run_client(client, c.port, db, WORK_USER=f"u_{plugin}", **more)
    assert here == run_client(client, plain.port, db)
    if plugin == SHA2:
        assert ask_quickly(c, f"u_{plugin}", "app") == "quick"
    for place in plain, c:
        place.sql(f"DROP DATABASE {db}", db=None)


@pytest.mark.parametrize("plugin", [SHA2, ED25519, NATIVE])
def test_wrong_passwords(c, certs, plugin):
    for options in [], [f"--ssl-ca={certs.ca}"]:
        for password in "wrong", "", "app\0", "App", "x" * 300:
            words = ["mariadb", "-h127.0.0.1", f"-P{c.port}", f"-uu_{plugin}",
                     f"-p{password}".rstrip("\0"), *options, "-e", "SELECT 1"]
            if password.rstrip("\0") == "app":
                continue
            done = subprocess.run(words, capture_output=True, text=True)
            assert done.returncode == 1 and "1045" in done.stderr, (password, done.stderr)


def test_the_quick_way_is_only_for_who_was_there(c):
    c.ctl("user add", "late", "--password", "one", "--plugin", SHA2)
    assert ask_quickly(c, "late", "one") == "full"
    with pytest.raises(pymysql.err.OperationalError):
        c.connect(user="late", password="two")
    assert ask_quickly(c, "late", "one") == "full"
    c.connect(user="late", password="one").close()
    assert ask_quickly(c, "late", "one") == "quick"
    assert ask_quickly(c, "late", "two") == "no"
    c.ctl("user passwd", "late", "--password", "two")
    assert ask_quickly(c, "late", "one") == "full"  # and the full way refuses it
    with pytest.raises(pymysql.err.OperationalError):
        c.connect(user="late", password="one")
    c.connect(user="late", password="two").close()


@pytest.mark.parametrize("plugin", [SHA2, NATIVE, ED25519])
def test_two_passwords_are_good_until_the_old_one_is_discarded(c, plugin):
    user = f"rotates_{plugin}"

    def can(password):
        done = subprocess.run(["mariadb", "-h127.0.0.1", f"-P{c.port}", f"-u{user}",
                               f"-p{password}", "-e", "SELECT 1"], capture_output=True)
        return done.returncode == 0

    c.ctl("user add", user, "--password", "old", "--plugin", plugin)
    assert can("old") and not can("new")
    c.ctl("user passwd", user, "--password", "new", "--retain")
    listed = {u["name"]: u for u in c.ctl("user list")["users"]}[user]
    assert listed["old_password"] is True and listed["plugin"] == plugin
    assert "verifier" not in listed and "old_verifier" not in listed
    assert can("old") and can("new") and can("old") and not can("other")
    c.ctl("user passwd", user, "--password", "third", "--retain")
    assert can("new") and can("third") and not can("old")
    c.ctl("user passwd", user, "--discard-old")
    assert can("third") and not can("new")
    # Without --retain the one before is gone at once; another plugin cannot keep it.
    c.ctl("user passwd", user, "--password", "fourth")
    assert can("fourth") and not can("third")
    other = NATIVE if plugin != NATIVE else SHA2
    done = c.ctl_raw("user passwd", user, "--password", "x", "--retain", "--plugin", other)
    assert done.returncode == 1 and "same plugin" in done.stderr
    c.ctl("user passwd", user, "--password", "x", "--plugin", other)
    assert can("x") and not can("fourth")


def test_only_verifiers_are_stored(c):
    """No password is in the catalog or in shared memory; the salted ones differ."""
    for user in "one", "two":
        c.ctl("user add", user, "--password", "qwertz-plain-text", "--plugin", SHA2)
    with catalog(c) as db:
        rows = dict(db.execute("SELECT name, body FROM object WHERE kind = 'user'"))
        tables = [name for name, in db.execute("SELECT name FROM sqlite_master"
                                               " WHERE type = 'table'")]
        assert "object" in tables and not any(
            "qwertz" in str(r) for t in tables for r in db.execute(f"SELECT * FROM {t}"))
    audit = [p.read_text() for p in (c.home / "audit").iterdir() if p.is_file()]
    assert '"one"' in "".join(audit) and not any("qwertz" in text for text in audit)
    verifiers = [re.search(r'"verifier": ?"([0-9a-f]*)"', rows[u]).group(1)
                 for u in ("one", "two")]
    assert len(verifiers[0]) == 104 and verifiers[0] != verifiers[1]
    quick = hashlib.sha256(hashlib.sha256(b"qwertz-plain-text").digest()).hexdigest()
    assert not any(quick in row for row in rows.values())


def test_a_first_login_in_the_clear_without_a_key(new_cluster):
    cluster = new_cluster(shards=1, workers=1)
    cluster.ctl("user add", "sha", "--password", "app", "--plugin", SHA2)
    with pytest.raises(pymysql.err.OperationalError) as refused:
        cluster.connect(user="sha")
    assert refused.value.args[0] == 1045 and "TLS" in refused.value.args[1]


def test_an_unknown_plugin_is_refused(c):
    done = c.ctl_raw("user add", "nobody", "--password", "x", "--plugin", "sha256_password")
    assert done.returncode == 1 and "caching_sha2_password" in done.stderr


def test_a_server_that_wants_ed25519(new_cluster):
    """Somebody has given the account on a shard another plugin: workers log in all the same."""
    cluster = new_cluster(shards=1, workers=1)
    shard = cluster.shard_list()[0]
    with catalog(cluster) as db:
        body = db.execute("SELECT body FROM object WHERE kind = 'user' AND name = 'app'")
        secret = re.search(r'"secret": ?"(\w+)"', body.fetchone()[0]).group(1)
    cluster.on_shard(shard, "INSTALL SONAME 'auth_ed25519'")
    cluster.on_shard(shard, "ALTER USER app IDENTIFIED VIA ed25519 USING "
                            f"PASSWORD('{secret}')")
    old = {row[0] for row in cluster.on_shard(shard, "SHOW PROCESSLIST") if row[1] == "app"}
    for connection in old:
        with contextlib.suppress(pymysql.err.OperationalError):  # it has gone by itself
            cluster.on_shard(shard, f"KILL {connection}")
    cluster.sql("CREATE TABLE t (id INT PRIMARY KEY)")
    assert cluster.sql("SELECT COUNT(*) FROM t") == ((0,),)
    cluster.on_shard(shard, f"ALTER USER app IDENTIFIED BY '{secret}'")
