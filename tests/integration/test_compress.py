"""The compressed protocol with clients and with servers; TLS with servers."""
import io
import struct
import zlib

import pymysql
import pytest
import zstd

import rawclient
import testbed
from certs import Certs
from rawclient import RawClient
from test_login import run_client

COMPRESS, ZSTD = 1 << 5, 1 << 26


@pytest.mark.parametrize("client", ["cli", "mysqlclient", "perl", "php", "node"])
def test_clients(client, checked, plain, db):
    plain.sql(f"CREATE DATABASE {db}")
    here = run_client(client, checked.port, db, WORK_COMPRESS="1")
    assert here == run_client(client, plain.port, db)
    plain.sql(f"DROP DATABASE {db}")


class Compressed(RawClient):
    """A client that compresses, and keeps what it has received as it came."""

    def log_in(self, how, level=None):
        self.greeting()
        caps = (rawclient.USUAL | how) & ~rawclient.CONNECT_WITH_DB
        self.capabilities = caps
        proof = rawclient.native_password("app", self.scramble)
        body = struct.pack("<IIB23x", caps, 1 << 30, 45) + b"app\0"
        body += bytes([len(proof)]) + proof + b"mysql_native_password\0"
        body += bytes([level]) if how == ZSTD else b""
        self.send(body)
        assert self.read()[:1] == b"\0"
        self.how, self.wire, self.sizes = how, self.input, []
        self.input = self
        self.plain = io.BytesIO()
        return self

    def close(self):
        self.input = self.wire
        super().close()

    def read_n(self, n):
        data = self.wire.read(n)
        if len(data) < n:
            raise EOFError
        return data

    def send(self, payload, sequence=None):
        if not hasattr(self, "how"):
            return super().send(payload, sequence)
        self.sequence = 0
        packet = struct.pack("<I", len(payload))[:3] + b"\0" + payload
        self._pack(packet[:7], 0, False)
        self._pack(packet[7:], 1, True)
        self.expect = 2

    def _pack(self, part, number, small):
        data = part
        if small and len(part) > 50:
            data = zlib.compress(part) if self.how == COMPRESS else zstd.compress(part)
        head = struct.pack("<I", len(data))[:3] + bytes([number])
        head += struct.pack("<I", len(part) if data is not part else 0)[:3]
        self.socket.sendall(head + data)

    def _fill(self):
        head = self.read_n(7)
        size, before = int.from_bytes(head[:3], "little"), int.from_bytes(head[4:], "little")
        assert head[3] == self.expect & 255
        self.expect += 1
        data = self.read_n(size)
        self.sizes.append((size, before))
        if before:
            data = zlib.decompress(data) if self.how == COMPRESS else zstd.decompress(data)
            assert len(data) == before
        left = self.plain.read()
        self.plain = io.BytesIO(left + data)

    def read(self, n=None):
        if n is None:
            return super().read()
        while len(self.plain.getvalue()) - self.plain.tell() < n:
            self._fill()
        return self.plain.read(n)


@pytest.mark.parametrize("how,level", [(COMPRESS, None), (ZSTD, 0), (ZSTD, 1), (ZSTD, 3),
                                       (ZSTD, 22), (ZSTD, 255)])
def test_bytes_are_equal(checked, how, level):
    statements = ["USE app", "SELECT 1", "SELECT REPEAT('abc ', 100000), 'x'", "SELEC",
                  "SELECT seq, REPEAT(CHAR(65 + seq % 26), seq % 500) FROM seq_1_to_3000",
                  "SELECT '" + "long " * 40000 + "'", "SELECT SHA2(seq, 512) FROM seq_1_to_2000"]
    with RawClient(checked.port) as other, Compressed(checked.port) as c:
        other.login()
        c.log_in(how, level)
        for statement in statements:
            answers = []
            for client in other, c:
                try:
                    answers.append(client.query(statement))
                except rawclient.ServerError as error:
                    answers.append(error.args)
            assert answers[0] == answers[1]
        sizes = [sum(part) for part in zip(*c.sizes)]
        assert sizes[0] < sizes[1] / 2


@pytest.mark.parametrize("level", [1, 9])
def test_levels(new_cluster, level):
    cluster = new_cluster(shards=1, workers=1, settings=["--set", f"compression_level = {level}"])
    with Compressed(cluster.port) as c:
        c.log_in(COMPRESS)
        c.query("USE app")
        rows = c.query("SELECT REPEAT(SHA1(seq DIV 3), 3) FROM seq_1_to_3000")[1]
        assert len(rows) == 3000


@pytest.mark.parametrize("bad", [
    b"\x05\x00\x00\x00\x10\x00\x00abcde", b"\x00\x00\x00\x00\x10\x00\x00",
    b"\x05\x00\x00\x00\xff\xff\xff" + zlib.compress(b"x")[:5]])
def test_bad_packets_end_the_connection(checked, bad):
    with Compressed(checked.port) as c:
        c.log_in(COMPRESS)
        c.socket.sendall(bad)
        c.input = c.wire
        assert c.closed()
    assert checked.sql("SELECT 1") == ((1,),)


@pytest.mark.long
def test_small_packets_that_grow(checked):
    """100 MB of zeroes in 100 KB: a message that is too long, refused while it is unpacked."""
    before = sum(testbed.memory_kib(p) for p in checked.worker_pids())
    part = b"\xff\xff\xff\x00" + b"\x03" + b" " * (0xffffff - 1)
    rest = [b"\xff\xff\xff" + bytes([i]) + b" " * 0xffffff for i in range(1, 7)]
    stream = b"".join([part, *rest])
    with Compressed(checked.port) as c:
        c.log_in(COMPRESS)
        try:
            for i, at in enumerate(range(0, len(stream), 16000000)):
                piece = stream[at:at + 16000000]
                data = zlib.compress(piece)
                c.socket.sendall(struct.pack("<I", len(data))[:3] + bytes([i])
                                 + struct.pack("<I", len(piece))[:3] + data)
        except OSError:
            pass
        c.input = c.wire
        assert c.closed()
    after = sum(testbed.memory_kib(p) for p in checked.worker_pids())
    assert after - before < 200_000
    assert checked.sql("SELECT 1") == ((1,),)


# --- servers ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certs(scratch):
    return Certs(scratch / "server-certs")


@pytest.fixture
def remote(scratch, certs, request):
    """A server that must be reached by TLS; of one test, as an adopted one has new accounts."""
    server = testbed.Server(scratch / f"r{abs(hash(request.node.name))}", settings=(
        f"ssl_cert={certs.cert}\nssl_key={certs.key}\nssl_ca={certs.ca}\n"))
    server.sql("CREATE DATABASE far")
    server.sql("CREATE TABLE t (id INT PRIMARY KEY, s LONGTEXT)", db="far")
    server.sql("CREATE PROCEDURE seen() SHOW SESSION STATUS WHERE Variable_name IN "
               "('Compression', 'Ssl_cipher')", db="far")
    server.sql("CREATE PROCEDURE many() FOR n IN 0..299 DO SELECT n, REPEAT('x', n); END FOR",
               db="far")
    server.sql("SET GLOBAL require_secure_transport = ON")
    yield server
    server.stop()


def adopted(new_cluster, remote, certs, *settings):
    words = [w for s in settings for w in ("--set", s)]
    cluster = new_cluster(shards=1, workers=1, settings=words)
    refused = cluster.ctl_raw("shard add", "--adopt", f"127.0.0.1:{remote.port}", "--user", "app",
                              "--password", "app", "--tls-ca", certs.path("stranger.pem"))
    assert refused.returncode == 1
    cluster.ctl("shard add", "--adopt", f"127.0.0.1:{remote.port}", "--user", "app",
                "--password", "app", "--tls-ca", certs.ca)
    return cluster


def test_a_server_by_tls_and_compressed(remote, new_cluster, certs):
    cluster = adopted(new_cluster, remote, certs, 'server_tls = "verify_host"',
                      f'server_tls_ca = "{certs.ca}"', 'server_compression = "zlib"')
    big = "0123456789abcdef" * 200000
    with cluster.connect(db="far", local_infile=True) as c, c.cursor() as cursor:
        for i in range(30):
            cursor.execute("REPLACE INTO t VALUES (%s, %s)", (i, big[:i * 50000]))
        cursor.execute("SELECT id, s FROM t ORDER BY id")
        assert cursor.fetchall() == tuple((i, big[:i * 50000]) for i in range(30))
        path = cluster.home / "rows"
        path.write_text("".join(f"{i}\trow {i}\n" for i in range(100, 60000)))
        cursor.execute(f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE t")
        cursor.execute("SELECT COUNT(*), MAX(s) FROM t WHERE id >= 100")
        assert cursor.fetchone() == (59900, "row 9999")
        for n in range(300):  # answers of several results, each flushed
            cursor.execute("CALL seen()")
            seen = dict(cursor.fetchall())
        cursor.execute("CALL many()")
        for n in range(300):
            assert cursor.fetchall() == ((n, "x" * n),) and cursor.nextset()
        assert seen["Compression"] == "ON" and seen["Ssl_cipher"]
        cursor.execute("DELETE FROM t")


@pytest.mark.parametrize("settings,says", [
    ([], "Access denied"),
    (['server_tls = "verify_ca"', 'server_tls_ca = "{stranger}"'], "certificate"),
])
def test_a_server_that_cannot_be_trusted(remote, new_cluster, certs, settings, says):
    words = [s.replace("{stranger}", certs.path("stranger.pem")) for s in settings]
    cluster = adopted(new_cluster, remote, certs, *words)
    with cluster.connect(db="far") as c, c.cursor() as cursor:
        with pytest.raises(pymysql.err.MySQLError) as refused:
            cursor.execute("SELECT COUNT(*) FROM t")
        assert says in refused.value.args[1]


def test_a_server_without_tls(new_cluster, scratch):
    server = testbed.Server(scratch / "clear")
    server.sql("CREATE DATABASE far")
    server.sql("CREATE TABLE t (id INT PRIMARY KEY)", db="far")
    cluster = new_cluster(shards=1, workers=1, settings=["--set", 'server_tls = "required"'])
    try:
        cluster.ctl("shard add", "--adopt", f"127.0.0.1:{server.port}", "--user", "app",
                    "--password", "app")
        with pytest.raises(pymysql.err.MySQLError) as refused:
            cluster.sql("SELECT COUNT(*) FROM t", db="far")
        assert "does not offer TLS" in refused.value.args[1]
    finally:
        cluster.check = False
        cluster.down()
        server.stop()
