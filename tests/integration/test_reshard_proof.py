"""test_reshard_proof.py - all ways to move rows, in turn, while sysbench and a bank work.

Nothing fails, nothing is lost, doubled or changed: afterwards the shards have together what a plain
server has that got the same writes.
"""
import json
import pathlib
import subprocess

import pytest

import bank
from testbed import Cluster, wait_for

THREADS, ROWS, TABLES = 32, 9600, 2
BEGIN = ("split", "rebalance", "merge", "drain")
LUA = pathlib.Path(__file__).parent / "mirrored.lua"


def sysbench_words(server, script, *more):
    return ["sysbench", str(script), "--db-driver=mysql", "--mysql-host=127.0.0.1",
            f"--mysql-port={server.port}", "--mysql-user=app", "--mysql-password=app",
            "--mysql-db=app", f"--table-size={ROWS}", f"--tables={TABLES}", "--rand-seed=1",
            "--mysql-ignore-errors=none", *more]


def prepare(c, mirror):
    """Its rows are random."""
    done = subprocess.run(sysbench_words(c, "oltp_read_write", "--threads=1", "prepare"),
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    with mirror.connect(db="app") as connection, connection.cursor() as cursor:
        for t in range(1, TABLES + 1):
            cursor.execute(c.sql(f"SHOW CREATE TABLE sbtest{t}")[0][1])
            cursor.executemany(f"INSERT INTO sbtest{t} VALUES (%s, %s, %s, %s)",
                               c.sql(f"SELECT id, k, c, pad FROM sbtest{t}"))


def checksums(read):
    """Of rows that may lie anywhere, in any order."""
    return [[int(n) for n in read(
        f"SELECT COUNT(*), COALESCE(SUM(CRC32(CONCAT_WS('#', id, k, c, pad))), 0),"
        f" COALESCE(SUM(CRC32(CONCAT_WS('#', pad, c, k, id))), 0) FROM app.sbtest{t + 1}")[0]]
        for t in range(TABLES)]


def checksums_of_shards(c):
    each = [checksums(lambda sql, shard=shard: c.on_shard(shard, sql))
            for shard in c.shard_list()]
    return [[sum(shard[t][i] for shard in each) for i in range(3)] for t in range(TABLES)]


class Sysbench:
    """At work until stop()."""

    def __init__(self, server, folder, rate):
        self.folder = folder
        folder.mkdir()
        self.process = subprocess.Popen(
            sysbench_words(server, LUA, f"--threads={THREADS}", f"--folder={folder}", "--time=0",
                           "--events=0", f"--rate={rate}", "run"),
            stdout=open(folder / "out", "w"), stderr=subprocess.STDOUT)

    def failure(self):
        return self.process.poll() is not None and (self.folder / "out").read_text()[-2000:]

    def counts(self):
        return [(self.folder / str(t)).read_text() for t in range(THREADS)
                if (self.folder / str(t)).exists()]

    def stop(self):
        """How many transactions it has done."""
        (self.folder / "stop").touch()
        wait_for("its transactions to end",
                 lambda: self.failure() or all(n.isdigit() for n in self.counts()), 60)
        wrong = self.failure()
        self.process.kill()
        self.process.wait()
        assert not wrong, wrong
        return sum(map(int, self.counts()))

    def again(self, server):
        done = subprocess.run(
            sysbench_words(server, LUA, f"--threads={THREADS}", f"--folder={self.folder}",
                           "--events=1", "--again=on", "run"),
            capture_output=True, text=True, timeout=300)
        assert done.returncode == 0 and "FATAL" not in done.stdout + done.stderr, done


@pytest.fixture(scope="module")
def c(scratch):
    cluster = Cluster(scratch / "proof", shards=2)
    yield cluster
    cluster.finish()


def reshard(c, sysbench, verb, *args):
    begins = ["--max-pause", 3000] if verb.split()[1] in BEGIN else []  # machines may be slow
    done = c.ctl_raw(verb, *args, *begins, "--wait", "--json", timeout=300)
    assert done.returncode == 0, f"{verb} {args}: {done.stdout[-1500:]} {done.stderr}"
    assert not sysbench.failure(), sysbench.failure()
    return json.loads(done.stdout)


def shares(c):
    return {s["name"]: round(s["percent"]) for s in c.shard_list()}


def every_way(c, sysbench):
    """2 -> 4, evened out, 4 -> 3, one removed, and one way back."""
    first = reshard(c, sysbench, "reshard split", "shard-1", "--into", 3)
    assert first["verified"]["rows"] > 0, first
    reshard(c, sysbench, "reshard complete")
    assert len(c.shard_list()) == 4
    reshard(c, sysbench, "reshard rebalance", "--no-reverse")
    assert shares(c) == {f"shard-{i}": 25 for i in range(1, 5)}
    reshard(c, sysbench, "reshard merge", "shard-1", "shard-4", "--no-reverse")
    assert shares(c) == {"shard-1": 50, "shard-2": 25, "shard-3": 25, "shard-4": 0}
    assert c.ctl_raw("shard remove", "shard-4").returncode == 0
    reshard(c, sysbench, "shard drain", "shard-3", "--no-reverse")
    wait_for("the shard to be gone", lambda: len(c.shard_list()) == 2, 30)
    before = shares(c)
    reshard(c, sysbench, "reshard split", "shard-1", "--to", "shard-2")
    assert shares(c) != before
    assert reshard(c, sysbench, "reshard reverse")["end"] == "reversed"
    assert shares(c) == before


def run(c, mirror, folder, rate, clients):
    prepare(c, mirror)
    assert checksums_of_shards(c) == checksums(mirror.sql)
    sysbench = Sysbench(c, folder, rate)
    money = bank.Bank(c, n_clients=clients)
    try:
        wait_for("both to work", lambda: len(sysbench.counts()) == THREADS and
                 money.count(bank.COMMITTED) > 100, 30)
        every_way(c, sysbench)
    finally:
        money.end()
        n = sysbench.stop()
    assert n > 100
    sysbench.again(mirror)
    assert checksums_of_shards(c) == checksums(mirror.sql)
    assert money.problems(c.sql) == []
    errors = {code for client in money.clients for code in client.errors}
    assert errors <= set(bank.ROLLED_BACK), errors  # they wait for one another, moves or not
    c.fsck()


def test_everything_in_one_run(c, mirror, scratch):
    run(c, mirror, scratch / "sysbench", rate=40, clients=8)
