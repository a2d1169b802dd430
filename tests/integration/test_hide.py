"""Rows that are on a shard but not of it: statements without a key must not see them.

A move of rows puts copies on other shards and their keys into a table of schema shardd_move
there. Here both are put by hand, and every answer is compared with that of one plain server,
which has none of the copies.
"""
import http.client
import json
import random
import socket
import threading

import pymysql
import pytest

import answers
import testbed

REFUSED_MAX = 0.01


class Socket(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("controller")
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self.path)


def hide(cluster, sets):
    """{"app.t": "set"}"""
    c = Socket(cluster.home / "controller.sock")
    c.request("POST", "/v1/move/hide", json.dumps({"hide": sets}),
              {"Content-Type": "application/json"})
    answer = c.getresponse()
    body = answer.read()
    c.close()
    assert answer.status == 200, body


def make_set(cursor, table, key="k", keys="LIMIT 0"):
    cursor.execute(f"DROP TABLE IF EXISTS shardd_move.h_{table}")
    cursor.execute(f"CREATE TABLE shardd_move.h_{table} (UNIQUE KEY (k)) AS"
                   f" SELECT {key} AS k FROM app.{table} {keys}")


def plant(cluster, table, insert, key="k"):
    """Each shard gets `insert`, and into its set the keys that it did not have."""
    for shard in cluster.shard_list():
        with cluster.shard_connect(shard, "app") as c, c.cursor() as cursor:
            make_set(cursor, table, key)
            cursor.execute(f"CREATE TEMPORARY TABLE own (UNIQUE KEY (k)) AS SELECT DISTINCT {key}"
                           f" AS k FROM {table}")
            if insert:
                cursor.execute(insert)
            cursor.execute(f"INSERT INTO shardd_move.h_{table} SELECT DISTINCT {key} FROM {table}"
                           f" AS t WHERE NOT EXISTS (SELECT 1 FROM own WHERE own.k <=> t.{key})")
            cursor.execute("DROP TEMPORARY TABLE own")


def planted(cluster, table, key="k"):
    """What lies on the shards and must not be seen."""
    return [sorted(cluster.on_shard(s, f"SELECT * FROM {table} AS t WHERE EXISTS (SELECT 1 FROM"
                                    f" shardd_move.h_{table} AS h WHERE h.k <=> t.{key})",
                                    "app"), key=repr) for s in cluster.shard_list()]


@pytest.fixture(scope="module")
def three(scratch):
    cluster = testbed.Cluster(scratch / "hide", shards=3)
    yield cluster
    try:
        hide(cluster, {})
        for shard in cluster.shard_list():
            for (table,) in cluster.on_shard(shard, "SELECT TABLE_NAME FROM"
                                             " information_schema.TABLES WHERE TABLE_SCHEMA ="
                                             " 'shardd_move' AND TABLE_NAME LIKE 'h\\_%'"):
                cluster.on_shard(shard, f"DROP TABLE shardd_move.{table}")
        for (table,) in cluster.sql("SHOW TABLES"):
            cluster.sql(f"DROP TABLE {table}")
        cluster.fsck()
    finally:
        cluster.down()


class Hidden(answers.Campaign):
    """The random statements, with copies of rows on shards that do not own them."""

    def prepare(self, case):
        self.before = {}
        sets = {}
        for table, rows in case.rows:
            if table.kind != "sharded":
                continue
            insert = rows and f"INSERT IGNORE INTO {table.name} VALUES {', '.join(rows)}"
            plant(self.servers[0], table.name, insert)
            sets[f"app.{table.name}"] = f"h_{table.name}"
            self.before[table.name] = planted(self.servers[0], table.name)
        self.n_planted += sum(len(rows) for shards in self.before.values() for rows in shards)
        hide(self.servers[0], sets)

    n_planted = 0

    def run_case(self, case, count=True):
        hide(self.servers[0], {})
        found = super().run_case(Prepared(case, self), count)
        if found:
            return found
        for table, before in self.before.items():
            if planted(self.servers[0], table) != before:
                return len(case.body) - 1, f"rows of {table} were touched that are not to be seen"
        return None


class Prepared(answers.Case):
    def __init__(self, case, campaign):
        super().__init__(case.tables, case.rows, case.body, case.found_rows, case.prepared)
        self.campaign = campaign

    def setup(self):
        yield from super().setup()
        self.campaign.prepare(self)


def campaign(cluster, plain, seed, count, capsys, wide):
    plain.sql("CREATE DATABASE IF NOT EXISTS app")
    one = Hidden(cluster, plain, "app", seed, wide)
    try:
        failure = one.run(count)
        with capsys.disabled():
            print("\n" + one.summary() + f", {one.n_planted} rows hidden")
        assert failure is None, failure
        assert one.refused <= REFUSED_MAX * one.ran, one.why
        assert one.n_planted > count / 4
    finally:
        one.close()


@pytest.mark.parametrize("seed, wide", [(11, 0.0), (12, 0.7)])
def test_small(three, plain, capsys, seed, wide):
    campaign(three, plain, seed, 120, capsys, wide)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(200, 203))
@pytest.mark.parametrize("wide", [0.0, 0.7])
def test_long(three, plain, capsys, seed, wide):
    campaign(three, plain, seed, 1000, capsys, wide)
