"""test_tpch.py - TPC-H's 22 queries on three shards answer what one server does."""
import pytest

import testbed
import tpch


FEW = (5, 7, 18, 20, 22)  # too rare among so few rows; test_more_rows() has some for each


def fill(cluster, plain, name, orders):
    rows = tpch.Rows(orders)
    for server, sharded in ((cluster, True), (plain, False)):
        server.sql(f"CREATE DATABASE {name}")
        with server.connect(db=name) as connection:
            rows.fill(connection, sharded)
    return testbed.Both(cluster, plain, name)


@pytest.fixture(scope="module")
def small(gathering, plain):
    both = fill(gathering, plain, "tpch", 300)
    yield both
    both.close()
    for server in (gathering, plain):
        server.sql("DROP DATABASE tpch")
    assert gathering.ctl("fsck")


@pytest.mark.parametrize("number", tpch.QUERIES)
def test_small(small, number):
    answer = small.compare(tpch.QUERIES[number])
    assert answer.rows or number in FEW


@pytest.mark.long
def test_more_rows(new_cluster, plain):
    cluster = new_cluster(shards=3)
    both    = fill(cluster, plain, "tpch_more", 15000)
    try:
        for number in tpch.QUERIES:
            assert both.compare(tpch.QUERIES[number]).rows, number
    finally:
        both.close()
        plain.sql("DROP DATABASE tpch_more")
