"""test_change_types.py - values that a write takes to another shard, or from one table to another:
of every type, they are what one server stores."""
import pymysql
import pytest

import test_gather
import testbed

NAMES = [d.split()[0] for d in test_gather.COLUMNS]
STORED = [n for n in NAMES if n not in ("gv", "gs")]
# As bytes, and in one order: rows have no place of their own.
SHOWN = "id, " + ", ".join(f"HEX({n})" if n not in ("f", "d", "fd", "dd") else f"{n} * 1e0"
                           for n in NAMES if n not in ("u", "i6", "i4")) + ", u, i6, i4"


@pytest.fixture(scope="module")
def pair(gathering, plain):
    gathering.sql("DROP DATABASE IF EXISTS ct", db=None)
    plain.sql("DROP DATABASE IF EXISTS ct")
    gathering.sql("CREATE DATABASE ct", db=None)
    plain.sql("CREATE DATABASE ct")
    both = testbed.Both(gathering, plain, "ct")
    test_gather.fill(both)
    both.run("SET sql_mode='ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO'")
    both.run("SET timestamp=1700000000.25")
    # A server that logs rows computes what is generated, and remarks upon it.
    columns = ", ".join(d for d in test_gather.COLUMNS if not d.startswith("gv"))
    both.run(f"CREATE TABLE copy (id INT PRIMARY KEY, {columns}) DEFAULT CHARSET=utf8mb4")
    yield both
    both.close()
    plain.sql("DROP DATABASE ct")
    gathering.sql("DROP DATABASE ct", db=None)


def begin(both):
    for c in both.connections:
        c.begin()


def rollback(both):
    for c in both.connections:
        c.rollback()


def written(both, sql):
    begin(both)
    try:
        both.compare(sql)
        both.compare(f"SELECT {SHOWN} FROM t ORDER BY id")
    finally:
        rollback(both)


def test_rows_that_move(pair):
    written(pair, "UPDATE t SET id = id + 1000")


def test_rows_that_move_back(pair):
    written(pair, "UPDATE t SET id = -id ORDER BY id")


def test_rows_of_another_table(pair):
    names = ", ".join(STORED)
    shown = SHOWN.replace("HEX(gv), ", "")
    begin(pair)
    pair.compare(f"INSERT INTO copy (id, {names}) SELECT id + 50, {names} FROM t")
    pair.compare(f"SELECT {shown} FROM copy ORDER BY id")
    rollback(pair)


@pytest.mark.parametrize("name", [n for n in STORED if n != "t3"])
def test_values_of_another_row(pair, name):
    """Each column gets what another row has, by a join on another column than the key."""
    written(pair, f"UPDATE t JOIN t x ON t.id + 1 = x.id SET t.{name} = x.{name}")


def test_columns_by_default(pair):
    written(pair, "UPDATE t JOIN t x ON t.id + 1 = x.id SET t.tu = DEFAULT, t.i = DEFAULT, "
                  "t.t3 = '2020-01-01'")


UNTOLD = [
    "UPDATE untold SET w = DEFAULT, id = id + 1000",
    "INSERT INTO untold VALUES (50, DEFAULT), (51, (SELECT MAX(id) FROM t))",
    "INSERT INTO untold SELECT id + 50, DEFAULT(w) FROM untold",
    "INSERT INTO untold (id) VALUES (3), (9) ON DUPLICATE KEY UPDATE w = (SELECT 'x' FROM t "
    "LIMIT 1)",
    "REPLACE INTO untold VALUES (1, DEFAULT(w)), (2, (SELECT MAX(id) FROM t))",
    "UPDATE untold SET w = DEFAULT(w) ORDER BY id LIMIT 1",
]


@pytest.mark.parametrize("sql", UNTOLD)
def test_defaults_that_servers_do_not_tell(pair, sql):
    """The engine would have '?' for it."""
    pair.run("CREATE TABLE untold (id INT PRIMARY KEY, w VARCHAR(9) DEFAULT '\U0001f600')"
             " CHARSET=utf8mb4")
    try:
        pair.compare("INSERT INTO untold (id) VALUES (1), (2), (3)")
        pair.compare("UPDATE untold SET w = DEFAULT WHERE id = 2")
        with pytest.raises(pymysql.err.MySQLError, match="default of column w has a '\\?'"):
            pair.cluster.sql(sql, db="ct")
        pair.compare("UPDATE untold SET id = id + 1000 ORDER BY id LIMIT 1")
        pair.compare("INSERT INTO untold (id) SELECT id + 50 FROM t")
        pair.compare("INSERT INTO untold SELECT id + 500, 'x' FROM t")
        pair.compare("INSERT INTO untold VALUES (3, 'y'), (900, 'z') ON DUPLICATE KEY UPDATE "
                     "w = (SELECT MAX(id) FROM t)")
        pair.compare("SELECT id, HEX(w) FROM untold ORDER BY id")
    finally:
        pair.run("DROP TABLE untold")
