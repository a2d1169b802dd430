"""Three replicas, one slow, one failing a tenth of its statements, one well: what reads through
shardd get of that, beside reads that go to each in turn."""
import time

import pytest

import testbed
from faultybed import Load, Three
from test_replica_reads import weak
from test_replicas import Static
from testbed import wait_for

SLOW_MS, FAIL_PERCENT = 200, 10


@pytest.fixture(scope="module")
def three(scratch):
    c = testbed.Cluster(scratch / "three", shards=1, workers=2,
                        settings=["--set", "replica_ramp_ms=1000", "--set", "breaker_open_ms=300"])
    made = Three(c, scratch / "copies", Static)
    yield made
    made.trouble(0, 0)
    for replica in c.replica_list():
        c.ctl("replica remove", replica["replica"], timeout=120)
    made.stop()
    c.finish()


def in_turn(three):
    """A loop's i-th statement goes to the i-th server."""
    import threading
    mine = threading.local()

    def connect(i):
        if not hasattr(mine, "all"):
            mine.all = [testbed.pymysql.connect(host="127.0.0.1", port=p.port, user="boss",
                                                password="x", database="app", autocommit=True)
                        for p in three.proxies]
        return mine.all[i % len(mine.all)]
    return connect


def through_shardd(three):
    import threading
    mine = threading.local()

    def connect(_):
        if not hasattr(mine, "app"):
            mine.app = weak(three.c, "eventual")
        return mine.app
    return connect


def test_slow_and_failing_servers_are_avoided(three):
    c = three.c
    wait_for("all three", lambda: c.metric("shardd_weak_reads_total", server="replica") >= 0 and
             all(row[9] is not None for row in c.sql("SHOW SHARDD SERVERS")))
    three.trouble(SLOW_MS, FAIL_PERCENT)
    three.counts()
    turns = Load(8, in_turn(three)).run(3)
    counts = three.counts()
    assert turns.errors > 0 and turns.quantile(0.9) > SLOW_MS / 1000, "the trouble is real"
    ours = Load(8, through_shardd(three)).run(3)
    counts = three.counts()
    assert ours.errors == 0
    assert ours.quantile(0.9) <= 0.5 * turns.quantile(0.9)
    assert counts[0] < 0.2 * sum(counts), counts
    assert len(ours.took) > 2 * len(turns.took)
    # When they are well all get their part again, and nobody all of it.
    three.trouble(0, 0)
    again = Load(4, through_shardd(three))
    again.start()
    try:
        seen = []

        def shared():
            while sum(map(sum, seen[:1])) <= 100:  # of some hundred reads, whatever time they take
                seen[:1] = [[a + b for a, b in zip(seen[0] if seen else [0] * 3, three.counts())]]
                time.sleep(0.01)
            now = seen.pop()
            return min(now) > 0.05 * sum(now)
        wait_for("reads on all three", shared, 60)
    finally:
        again.stop()
    assert again.errors == 0


def read(app, n=30):
    for i in range(n):
        with app.cursor() as cursor:
            cursor.execute(f"SELECT n FROM bal WHERE id = {i}")
            assert cursor.fetchall() == ((i,),)


def test_when_most_look_ill_all_are_used(three):
    """Two of three fail, and then it was not their fault: their breakers stay open for minutes,
    and still nobody relies on the third alone."""
    c, ill = three.c, three.proxies[:2]
    names  = [r["replica"] for r in c.replica_list()][:2]

    def are_open():
        return all(c.metric("shardd_replica_breakers_open", replica=name) for name in names)

    def break_them():
        for proxy in ill:
            proxy.say("fail", 100)
        load = Load(2, through_shardd(three))
        load.start()
        try:
            wait_for("both breakers", are_open, 60)
        finally:
            load.stop()
            for proxy in ill:
                proxy.say("fail", 0)

    def all_are_used():
        three.counts()
        read(app, 90)
        return all(n > 0 for n in three.counts())

    def only_the_third():
        three.counts()
        read(app)
        return three.counts() == [0, 0, 30]

    with weak(c, "eventual") as app:
        wait_for("all three well", lambda: not any(
            c.metric("shardd_replica_breakers_open", replica=r["replica"])
            for r in c.replica_list()))
        with c.reloaded(breaker_open_ms=600000, breaker_open_max_ms=600000):
            # They close soon again where the setting has not arrived yet.
            wait_for("all used", lambda: break_them() or (
                all_are_used() and are_open() and not time.sleep(1) and are_open()), 60)
        with c.reloaded(replica_panic_percent=0):
            wait_for("the other rule", only_the_third)
            assert are_open()
        wait_for("the first rule", all_are_used)
