"""A LOAD DATA LOCAL INFILE that does not come to its end: nothing of it stays, and the
connection goes on."""
import os
import signal
import socket
import struct

import pytest

import rawclient
import testbed
from rawclient import RawClient, ServerError

LINE = b"%d\t%d\tsomething\n"


@pytest.fixture(scope="module")
def one(scratch):
    cluster = testbed.Cluster(scratch / "load_faults", workers=1)
    cluster.sql("CREATE TABLE t (k INT PRIMARY KEY, a INT, s VARCHAR(1000))"
                " COMMENT 'shardd: key(k)'")
    cluster.sql("CREATE TABLE ref (k INT PRIMARY KEY, a INT, s VARCHAR(1000))"
                " COMMENT 'shardd: reference'")
    cluster.sql("CREATE TABLE glob (k INT PRIMARY KEY, a INT, s VARCHAR(1000))"
                " COMMENT 'shardd: global'")
    yield cluster
    cluster.finish()


@pytest.fixture(params=["t", "ref", "glob"])
def table(one, request):
    one.sql(f"DELETE FROM {request.param}")
    return request.param


class Load:
    """The statement, up to the server's question for the file."""

    def __init__(self, cluster, table, before=()):
        self.c = RawClient(cluster.port, timeout=60)
        self.c.login(db="app", more=rawclient.LOCAL_FILES)
        for sql in before:
            self.c.query(sql)
        self.c.command(rawclient.QUERY, f"LOAD DATA LOCAL INFILE 'x' INTO TABLE {table}".encode())
        assert self.c.read() == b"\xfbx"
        self.sequence = self.c.sequence

    def send(self, body):
        self.c.socket.sendall(struct.pack("<I", len(body))[:3] + bytes([self.sequence]) + body)
        self.sequence = (self.sequence + 1) & 255

    def lines(self, first, count, line=LINE):
        for at in range(first, first + count, 500):
            self.send(b"".join(line % (i, i) for i in range(at, min(at + 500, first + count))))

    def end(self):
        self.send(b"")
        try:
            self.c.ok()
            return 0
        except ServerError as error:
            return error.code


def busy(cluster):
    return [row for shard in cluster.shard_list() for row in cluster.on_shard(
        shard, "SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE 'LOAD DATA%'")]


def idle(cluster):
    testbed.wait_for("the servers to be done", lambda: not busy(cluster))


def rows(cluster, table):
    return cluster.sql(f"SELECT COUNT(*) FROM {table}")[0][0]


@pytest.mark.parametrize("before", [(), ("BEGIN", "INSERT INTO t VALUES (-1, 0, '')")])
def test_the_client_vanishes(one, table, before):
    one.sql("DELETE FROM t")
    load = Load(one, table, before)
    load.lines(0, 20000)
    testbed.wait_for("the servers to load", lambda: busy(one))
    load.c.close()
    idle(one)
    assert rows(one, table) == 0 and rows(one, "t") == 0


def test_a_bad_row_far_behind(one):
    one.sql("DELETE FROM t")
    for before in (), ("BEGIN", "INSERT INTO t VALUES (-1, 0, '')"):
        load = Load(one, "t", before)
        load.lines(0, 5000)
        load.send(b"abc\t1\tx\n")
        load.lines(5000, 5000)
        assert load.end() == 1235
        count = load.c.query("SELECT COUNT(*) FROM t")[1]
        assert count == [b"\1" + (b"1" if before else b"0")]
        if before:
            load.c.query("COMMIT")
        load.c.close()
    assert rows(one, "t") == 1


@pytest.mark.parametrize("before", [(), ("BEGIN",)])
def test_a_server_is_lost(one, table, before):
    load = Load(one, table, before)
    load.lines(0, 3000)
    look = "SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE 'LOAD DATA%'"
    shard, thread = testbed.wait_for("a server to load", lambda: next(
        ((s, row[0]) for s in reversed(one.shard_list()) for row in one.on_shard(s, look)), None))
    one.on_shard(shard, f"KILL {thread}")
    load.lines(3000, 20000)
    assert load.end() in (1430, 1927)
    assert load.c.query("SELECT 7")[1]
    if before:
        load.c.query("COMMIT")
    load.c.close()
    idle(one)
    assert rows(one, table) == 0


@pytest.mark.parametrize("what,code", [("KILL QUERY", 1317), ("KILL", None)])
def test_it_is_killed(one, table, what, code):
    load = Load(one, table)
    load.lines(0, 3000)
    testbed.wait_for("the servers to load", lambda: busy(one))
    number = [r[0] for r in one.sql("SHOW SHARDD CLIENTS") if "LOAD DATA" in str(r)]
    one.sql(f"{what} {number[0]}")
    if code is not None:
        load.lines(3000, 3000)
        assert load.end() == code
        assert load.c.query("SELECT 7")[1]
    load.c.close()
    idle(one)
    assert rows(one, table) == 0


def test_memory_is_bounded_while_a_server_stands_still(one):
    one.sql("DELETE FROM t")
    load = Load(one, "t")
    servers = testbed.programs(one.home, "mariadbd")
    line, n = b"%d\t%d\t" + b"y" * 990 + b"\n", 0
    load.lines(0, 500, line)
    testbed.wait_for("the servers to load", lambda: len(busy(one)) == 2)
    before = testbed.memory_kib(one.worker_pids()[0])
    for p in servers:
        os.kill(p, signal.SIGSTOP)
    try:
        load.c.socket.settimeout(1)
        n = 500
        with pytest.raises(socket.timeout):
            while n < 200000:
                load.lines(n, 500, line)
                n += 500
        grown = testbed.memory_kib(one.worker_pids()[0]) - before
        assert grown < 32 << 10, grown
    finally:
        for p in servers:
            os.kill(p, signal.SIGCONT)
    load.c.close()
    idle(one)
    assert rows(one, "t") == 0


def test_packets_of_every_size(one):
    """Cut anywhere, also in the middle of a row; rows larger than a packet."""
    one.sql("DELETE FROM t")
    data = b"".join(LINE % (i, i) for i in range(3000))
    for piece in 1, 7, 1000, 70000:
        load = Load(one, "t")
        part = data[:20 * piece] if piece < 1000 else data
        part = part[:part.rindex(b"\n") + 1] if b"\n" in part else b""
        for at in range(0, len(part), piece):
            load.send(part[at:at + piece])
        assert load.end() == 0
        assert rows(one, "t") == part.count(b"\n")
        load.c.close()
        one.sql("DELETE FROM t")
