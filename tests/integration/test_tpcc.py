"""test_tpcc.py - transactions in the style of TPC-C, see tpcc.py: one after the other they leave
what one server has, and many at a time keep what must hold."""
import threading
import time

import pymysql
import pytest

import testbed
import tpcc

SCALE = tpcc.Scale()


@pytest.fixture(scope="module")
def pair(gathering, plain):
    for sql in (lambda s: gathering.sql(s, db=None), plain.sql):
        sql("DROP DATABASE IF EXISTS tpcc")
        sql("CREATE DATABASE tpcc")
    both = testbed.Both(gathering, plain, "tpcc")
    for connection in both.connections:
        with connection.cursor() as cursor:
            tpcc.load(cursor, SCALE)
    yield both
    both.close()
    plain.sql("DROP DATABASE tpcc")
    gathering.fsck()
    gathering.sql("DROP DATABASE tpcc", db=None)


def test_one_after_the_other(pair, gathering):
    terminal = tpcc.Terminal(SCALE, 1)
    for _ in range(120):
        transaction = terminal.next()
        for connection in pair.connections:
            tpcc.run_one(connection, transaction)
    for name in tpcc.NAMES:
        pair.compare(f"SELECT {tpcc.CONTENT.get(name, '*')} FROM {name}", ordered=False)
    for condition in tpcc.CONDITIONS:
        pair.compare(condition, ordered=False)
    assert not tpcc.wrong(lambda s: gathering.sql(s, db="tpcc"))


def test_many_at_a_time(pair, gathering):
    """Deadlocks happen, and are given up."""
    until, done, failed = time.monotonic() + 4, [], []

    def work(seed):
        terminal = tpcc.Terminal(SCALE, seed, remote=0.3)
        with gathering.connect(db="tpcc") as connection:
            while time.monotonic() < until:
                try:
                    tpcc.run_one(connection, terminal.next())
                    done.append(seed)
                except pymysql.err.MySQLError as e:
                    if e.args[0] not in (1205, 1213):
                        failed.append(e)
                        return
                    connection.rollback()
    threads = [threading.Thread(target=work, args=(100 + i,)) for i in range(5)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed and len(set(done)) == 5
    assert not tpcc.wrong(lambda s: gathering.sql(s, db="tpcc"))
