"""START TRANSACTION WITH CONSISTENT SNAPSHOT is one moment of all shards."""
import multiprocessing
import os
import re
import signal
import threading
import time

import pymysql
import pytest

import testbed

SNAPSHOT = "START TRANSACTION WITH CONSISTENT SNAPSHOT"
START, ACCOUNTS = 1000, 64


@pytest.fixture(scope="module")
def bank(scratch):
    """Three shards; accounts whose sum never changes."""
    cluster = testbed.Cluster(scratch / "snap", shards=3, workers=2)
    cluster.sql("CREATE TABLE a (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)")
    cluster.sql("INSERT INTO a VALUES " + ",".join(f"({i},{START})" for i in range(ACCOUNTS)))
    yield cluster
    cluster.finish()


def owners(cluster):
    """The ids on each shard."""
    return [[i for (i,) in cluster.on_shard(s, "SELECT id FROM a", "app")]
            for s in cluster.shard_list()]


def one_sum(cursor):
    cursor.execute("SELECT SUM(n) FROM a")
    return int(cursor.fetchone()[0])


def snapshot_sum(cursor, begin=SNAPSHOT):
    cursor.execute(begin)
    total = one_sum(cursor)
    cursor.execute("COMMIT")
    return total


def move(cluster, pairs, stop, done):
    """Moves money between shards as fast as it can."""
    with cluster.connect(autocommit=False) as c, c.cursor() as cursor:
        n = 0
        while not stop.is_set():
            a, b = pairs[n % len(pairs)]
            cursor.execute("UPDATE a SET n = n - 1 WHERE id = %s", (a,))
            cursor.execute("UPDATE a SET n = n + 1 WHERE id = %s", (b,))
            c.commit()
            n += 1
        done.value = n


def read(cluster, how, count, wrong):
    """`count` sums; how many of them were wrong."""
    with cluster.connect() as c, c.cursor() as cursor:
        if how == "setting":
            cursor.execute("SET shardd_snapshot_reads = ON")
        for _ in range(count):
            total = snapshot_sum(cursor) if how == "snapshot" else one_sum(cursor)
            wrong.value += total != START * ACCOUNTS


def wrong_sums(cluster, how, count, readers=2, writers=2):
    """Reads while money moves: the wrong sums and the number of moves."""
    there = owners(cluster)
    pairs = [(a, b) for left, right in ((0, 1), (1, 2), (2, 0))
             for a, b in zip(there[left], there[right])]
    stop = multiprocessing.Event()
    moved = [multiprocessing.Value("q", 0) for _ in range(writers)]
    wrong = [multiprocessing.Value("q", 0) for _ in range(readers)]
    writing = [multiprocessing.Process(target=move, args=(cluster, pairs[i::writers], stop, n),
                                       daemon=True) for i, n in enumerate(moved)]
    reading = [multiprocessing.Process(target=read, args=(cluster, how, count // readers, n),
                                       daemon=True) for n in wrong]
    for p in writing + reading:
        p.start()
    for p in reading:
        p.join()
    stop.set()
    for p in writing:
        p.join()
    assert all(p.exitcode == 0 for p in writing + reading)
    return sum(n.value for n in wrong), sum(n.value for n in moved)


def quantile(cluster, name, q=0.5):
    """Of a histogram at /metrics, in seconds; inside of a bucket by interpolation."""
    buckets = {0.0: 0}
    for line in cluster.http("/metrics")[1].splitlines():
        found = re.match(rf'{name}_bucket{{.*le="(.*)"}} (.*)', line)
        if found and found[1] != "+Inf":
            edge = float(found[1])
            buckets[edge] = buckets.get(edge, 0) + float(found[2])
    edges = sorted(buckets)
    wanted = q * buckets[edges[-1]]
    for low, high in zip(edges, edges[1:]):
        if buckets[high] >= wanted > 0:
            share = (wanted - buckets[low]) / (buckets[high] - buckets[low])
            return low + share * (high - low)
    return 0


def compare_with_scatter(cluster, count):
    plain, moved = wrong_sums(cluster, "scatter", count // 5)
    wrong, moved_too = wrong_sums(cluster, "snapshot", count)
    print(f"\nwrong sums: {wrong} of {count} in snapshots ({moved_too} moves), {plain} of "
          f"{count // 5} by plain scatter ({moved} moves)")
    assert wrong == 0 and moved_too > 0
    assert cluster.metric("shardd_commits_held_total") > 0
    commit, held = (quantile(cluster, f"shardd_{n}_seconds") for n in ("commit", "commit_held"))
    print(f"medians: commit {commit * 1000:.2f} ms, held {held * 1000:.2f} ms")
    return commit, held


def test_no_sum_is_wrong(bank):
    compare_with_scatter(bank, 300)
    wrong, moved = wrong_sums(bank, "setting", 200)
    assert wrong == 0 and moved > 0


@pytest.mark.long
def test_ten_thousand_sums_are_right(bank):
    commit, held = compare_with_scatter(bank, 10000)
    assert held <= 2 * commit


class HeldUp:
    """No snapshot can open on the shards meanwhile: what a branch's view is opened by is
    locked."""

    def __init__(self, cluster):
        self.cluster = cluster

    def __enter__(self):
        self.roots = [self.cluster.shard_connect(s) for s in self.cluster.shard_list()]
        for root in self.roots:
            assert testbed.Answer(root, "LOCK TABLES shardd.nothing WRITE").error is None
        return self

    def waits(self):
        return any(testbed.Answer(r, "SELECT 1 FROM information_schema.PROCESSLIST WHERE STATE LIKE"
                                     " 'Waiting for table%'").rows
                   for r in self.roots)

    def __exit__(self, *error):
        for root in self.roots:
            root.close()


def begin_snapshot(c, told):
    thread = threading.Thread(target=lambda: told.append(testbed.Answer(c, SNAPSHOT).error))
    thread.start()
    return thread


def accounts(cluster, n=24):
    cluster.sql("CREATE TABLE a (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)")
    cluster.sql("INSERT INTO a VALUES " + ",".join(f"({i},{START})" for i in range(n)))
    return START * n


def worker_of(cluster, c):
    """The pid of the worker that serves a client, as long as none has died."""
    return sorted(cluster.worker_pids())[c.thread_id() & 0xff]


def clients_of_two_workers(cluster):
    first = cluster.connect()
    for _ in range(200):
        second = cluster.connect()
        if worker_of(cluster, first) != worker_of(cluster, second):
            return first, second
        second.close()
    raise AssertionError("all clients came to one worker")


SPREAD = "UPDATE a SET n = n + 0, n = n + 1"


def prepared(cluster):
    return any(cluster.on_shard(s, "XA RECOVER") for s in cluster.shard_list())


def test_a_slow_shard_fails_snapshots_and_holds_commits_for_a_bounded_time(new_cluster):
    cluster = new_cluster(workers=2, settings=["--set", "snapshot_wait_ms=2000",
                                               "--set", 'steer="random"'])
    accounts(cluster)
    asker, writer = clients_of_two_workers(cluster)
    told = []
    with HeldUp(cluster) as shards:
        waiting = begin_snapshot(asker, told)
        testbed.wait_for("the snapshot to wait", shards.waits)
        assert testbed.Answer(writer, SPREAD).error is None  # held, and then not
        waiting.join(40)
        assert told and told[0][0] == 1205 and "snapshot_wait_ms" in told[0][1]
        assert testbed.Answer(writer, SPREAD).error is None
    assert cluster.metric("shardd_commits_held_total") >= 1
    assert testbed.Answer(asker, SNAPSHOT).error is None
    assert testbed.Answer(asker, "COMMIT").error is None
    assert cluster.metric("shardd_snapshots_total", end="failed") == 1


@pytest.fixture(scope="module")
def patient(scratch):
    """A snapshot may hold commits for a minute."""
    cluster = testbed.Cluster(scratch / "patient", workers=2, settings=[
        "--set", "snapshot_wait_ms=60000", "--set", 'steer="random"'])
    accounts(cluster)
    yield cluster
    cluster.finish()


def test_a_gate_does_not_stay_closed_when_its_worker_is_killed(patient):
    cluster = patient
    asker, writer = clients_of_two_workers(cluster)
    told, wrote = [], []
    with HeldUp(cluster) as shards:
        waiting = begin_snapshot(asker, told)
        testbed.wait_for("the snapshot to wait", shards.waits)
        commit = threading.Thread(
            target=lambda: wrote.append(testbed.Answer(writer, SPREAD).error))
        commit.start()
        testbed.wait_for("the commit to be held", lambda: prepared(cluster))
        assert commit.is_alive()
        os.kill(worker_of(cluster, asker), signal.SIGKILL)
        commit.join(40)  # long before the shards let the snapshot go on
        assert wrote == [None]
        waiting.join(40)
        assert told[0][0] in (2006, 2013)
    with cluster.connect() as c:
        assert testbed.Answer(c, SNAPSHOT).error is None


def test_a_client_that_goes_away_leaves_the_gate_open(patient):
    cluster = patient
    with HeldUp(cluster) as shards, cluster.connect() as c:
        for how in "close", "kill":
            asker, told = cluster.connect(), []
            waiting = begin_snapshot(asker, told)
            testbed.wait_for("the snapshot to wait", shards.waits)
            if how == "close":
                asker._sock.shutdown(2)
            else:
                assert testbed.Answer(c, f"KILL QUERY {asker.thread_id()}").error is None
            assert testbed.Answer(c, SPREAD).error is None
            waiting.join(40)
            assert told[0][0] == (2013 if how == "close" else 1317)
            testbed.wait_for("nobody to wait", lambda: not shards.waits())


def test_half_a_commit_of_a_dead_worker_is_never_seen(new_cluster):
    cluster = new_cluster(workers=2, settings=["--set", "snapshot_wait_ms=1000"])
    total = accounts(cluster)
    shards = cluster.shard_list()
    with cluster.controller_stopped():  # its resolver is quick with what dead workers leave
        testbed.half_commit(cluster, shards=shards, epoch=1)
        with cluster.connect() as c, c.cursor() as cursor:
            refused = testbed.Answer(c, SNAPSHOT).error
            assert refused[0] == 1205 and "in doubt" in refused[1]
            assert one_sum(cursor) == total + 1  # that it really is half

    def good():
        with cluster.connect() as c, c.cursor() as cursor:
            try:
                return snapshot_sum(cursor) == total
            except pymysql.err.OperationalError as error:
                assert error.args[0] == 1205
                return False
    testbed.wait_for("the resolver", good, 30)
    assert cluster.metric("shardd_snapshots_repeated_total") > 0


def test_a_snapshot_is_what_a_server_has(both):
    both.run("CREATE TABLE t (id BIGINT PRIMARY KEY, n INT)")
    both.run("INSERT INTO t VALUES (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6)")
    for sql in (SNAPSHOT, "UPDATE t SET n = 7 WHERE id < 4", "SELECT * FROM t ORDER BY id",
                "SAVEPOINT s", "DELETE FROM t", "ROLLBACK TO s", "SELECT COUNT(*) FROM t",
                SNAPSHOT, "ROLLBACK", "SELECT * FROM t ORDER BY id",
                SNAPSHOT + ", READ ONLY", "DELETE FROM t", "SELECT SUM(n) FROM t", "COMMIT",
                SNAPSHOT + ", READ WRITE", "COMMIT AND CHAIN", "SELECT @@in_transaction", "COMMIT",
                "SET TRANSACTION ISOLATION LEVEL READ COMMITTED", SNAPSHOT, "COMMIT",
                "SET TRANSACTION READ ONLY", SNAPSHOT, "DELETE FROM t", "COMMIT",
                "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE", SNAPSHOT,
                "SELECT COUNT(*) FROM t", "COMMIT"):
        both.compare(sql)
