"""Pools: many clients on few connections, served in the order in which they came; connections that
are open before they are needed, replaced when they are old, and asked whether they work."""
import asyncio
import os
import random
import re
import signal
import statistics
import struct
import threading
import time

import pytest

import rawclient
import testbed


@pytest.fixture(scope="module")
def few(scratch):
    cluster = testbed.Cluster(scratch / "pools", workers=1, settings=(
        "--set", "pool_max = 4", "--set", "pool_wait_ms = 60000", "--set", "pool_check_s = 1"))
    cluster.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, n INT)")
    cluster.sql("INSERT INTO t VALUES " + ",".join(f"({i}, 0)" for i in range(100)))
    yield cluster
    cluster.finish()


# --- in order -----------------------------------------------------------------

def test_who_comes_first_is_served_first(few):
    few.sql("CREATE TABLE log (id BIGINT AUTO_INCREMENT PRIMARY KEY, who INT) "
            "COMMENT 'shardd: global'")
    holders = [few.connect(autocommit=False) for _ in range(4)]
    for one in holders:
        assert testbed.Answer(one, "INSERT INTO log (who) VALUES (-1)").error is None
    threads = []
    for who in range(20):
        def ask(who=who):
            with few.connect() as conn:
                assert testbed.Answer(conn, "INSERT INTO log (who) VALUES (%s)",
                                      (who,)).error is None
        threads.append(threading.Thread(target=ask))
        threads[-1].start()
        testbed.wait_for("it to wait", lambda n=who + 1: few.metric("shardd_pool_waiting") == n)
    holders[0].rollback()
    for one in threads:
        one.join()
    for one in holders:
        one.rollback()
        one.close()
    served = [who for (who,) in few.sql("SELECT who FROM log ORDER BY id")]
    assert served == list(range(20))


class AsyncClient:
    """As much of the protocol as a crowd needs."""

    def __init__(self, port):
        self.port, self.count, self.longest = port, 0, 0.0

    async def packet(self):
        head = await self.reader.readexactly(4)
        return await self.reader.readexactly(int.from_bytes(head[:3], "little"))

    async def login(self):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        greeting = await self.packet()
        end = greeting.index(b"\0", 1)
        nonce = greeting[end + 5:end + 13] + greeting[end + 32:end + 44]
        proof = rawclient.native_password("app", nonce)
        body = struct.pack("<IIB23x", rawclient.USUAL, 1 << 30, 45) + b"app\0"
        body += bytes([len(proof)]) + proof + b"app\0mysql_native_password\0"
        self.writer.write(struct.pack("<I", len(body))[:3] + b"\1" + body)
        assert (await self.packet())[:1] == b"\0"

    async def ask(self, sql):
        """The first value of the only row, or None for an OK."""
        body = b"\3" + sql.encode()
        self.writer.write(struct.pack("<I", len(body))[:3] + b"\0" + body)
        first = await self.packet()
        assert first[:1] != b"\xff", first
        if first[:1] == b"\0":
            return None
        row, eofs = None, 0
        while eofs < 2:
            p = await self.packet()
            assert p[:1] != b"\xff", p
            eofs += p[:1] == b"\xfe" and len(p) < 9
            if eofs == 1 and p[:1] != b"\xfe":
                row = rawclient.text_row(p)[0].decode()
        return row

    async def work(self, number, seconds):
        dice = random.Random(number)
        end  = time.monotonic() + seconds
        while time.monotonic() < end:
            i, start = dice.randrange(100), time.monotonic()
            if dice.random() < 0.2:
                await self.ask(f"UPDATE t SET n = n + 1 WHERE id = {i}")
            elif dice.random() < 0.1:
                assert await self.ask("SELECT COUNT(*) FROM t") == "100"
            else:
                assert await self.ask(f"SELECT id FROM t WHERE id = {i} FOR UPDATE") == str(i)
            self.longest = max(self.longest, time.monotonic() - start)
            self.count += 1


async def crowd(port, n, seconds):
    clients = [AsyncClient(port) for _ in range(n)]
    for at in range(0, n, 100):
        await asyncio.gather(*(c.login() for c in clients[at:at + 100]))
    await asyncio.gather(*(c.work(i, seconds) for i, c in enumerate(clients)))
    for c in clients:
        c.writer.close()
    return clients


def check_crowd(cluster, n, seconds, backends):
    """Nobody fails, nobody is forgotten, and there never are more connections than allowed."""
    most, over = [0.0], threading.Event()

    def watch():
        while not over.is_set():
            busy = max(float(v) for v in re.findall(r"^shardd_shard_backends_open\{.*\} (\d+)",
                                                    cluster.http("/metrics")[1], re.M))
            most[0] = max(most[0], busy)
            time.sleep(0.05)
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        clients = asyncio.run(crowd(cluster.port, n, seconds))
    finally:
        over.set()
        watcher.join()
    counts  = [c.count for c in clients]
    longest = max(c.longest for c in clients)
    print(f"{n} clients on {backends} connections per shard: {sum(counts) / seconds:.0f} "
          f"statements/s, {min(counts)} to {max(counts)} each, longest {longest * 1000:.0f} ms")
    assert min(counts) >= 1 and min(counts) >= statistics.median(counts) / 4, counts
    assert most[0] <= backends + 1, most  # and one of shardd's own account
    assert cluster.metric("shardd_pool_timeouts_total") == 0


@pytest.mark.alone
def test_many_clients_on_few_connections(few):
    check_crowd(few, 300, 2, 4)


@pytest.mark.long
def test_2000_clients_on_16_connections(new_cluster):
    c = new_cluster(workers=2, settings=("--set", "pool_max = 8", "--set",
                                         "pool_wait_ms = 60000"))
    c.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, n INT)")
    c.sql("INSERT INTO t VALUES " + ",".join(f"({i}, 0)" for i in range(100)))
    check_crowd(c, 2000, 20, 16)


# --- warm, young and alive --------------------------------------------------------

@pytest.fixture(scope="module")
def cared(scratch):
    cluster = testbed.Cluster(scratch / "cared", workers=1, settings=[
        w for s in ("pool_min_idle = 2", "pool_idle_s = 1", "pool_max_age_s = 3")
        for w in ("--set", s)])
    yield cluster
    cluster.finish()


def test_connections_are_warm_and_young(cared):
    cared.sql("CREATE TABLE everywhere (id BIGINT PRIMARY KEY)")

    def backends():
        """The connections of app at each server, by id; somebody wants them all the time."""
        assert testbed.Answer(conn, "SELECT COUNT(*) FROM everywhere").error is None
        return [{row[0] for row in cared.on_shard(s, "SELECT ID FROM information_schema."
                                                  "PROCESSLIST WHERE USER = 'app'")}
                for s in cared.shard_list()]
    with cared.connect() as conn:
        testbed.wait_for("two at each server", lambda: all(len(b) >= 2 for b in backends()))
        testbed.wait_for("warm ones", lambda: cared.metric("shardd_backends_warmed_total") >= 3)
        first = backends()
        testbed.wait_for("others in their place", lambda: all(
            len(new) >= 2 and not new & old for new, old in zip(backends(), first)))
        testbed.wait_for("aged ones", lambda: cared.metric("shardd_backends_aged_total") >= 1)


def test_idle_connections_are_asked(few):
    before = few.metric("shardd_backend_checks_total", result="good")
    with few.connect() as conn:
        def asked():
            time.sleep(1.1)
            assert testbed.Answer(conn, "SELECT 1").rows == [(1,)]
            return few.metric("shardd_backend_checks_total", result="good") > before
        testbed.wait_for("a check", asked)


def test_a_connection_that_does_not_answer_is_not_used(few):
    """A stopped server keeps its connections open, and says nothing."""
    pids = testbed.programs(few.home, "mariadbd")
    failed = few.metric("shardd_backend_checks_total", result="failed")
    with few.connect() as conn:
        assert testbed.Answer(conn, "SELECT 1").error is None
        time.sleep(1.2)
        for pid in pids:
            testbed.stop_process(pid)
        answers = []
        asker = threading.Thread(target=lambda: answers.append(testbed.Answer(conn, "SELECT 7")))
        try:
            asker.start()
            testbed.wait_for("the check to fail", lambda: few.metric(
                "shardd_backend_checks_total", result="failed") > failed)
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        asker.join()
    assert answers[0].rows == [(7,)], answers
