"""test_natural.py - rows that no order is asked of come as one server sends them: by primary key,
as far as each shard finds them so. Pages by LIMIT and OFFSET hold every row once."""
import random
from datetime import datetime, timedelta

import pytest

import rawclient
import testbed

N = 600
DB = "inorder"


def setup():
    rng = random.Random(1)
    ids = rng.sample(range(-5000, 5000), N)
    lines = [(rng.randrange(60), i) for i in range(N)]
    days = rng.sample(range(1, 20000), N)

    def insert(table, rows):
        return f"INSERT INTO {table} VALUES " + ", ".join(f"({', '.join(map(str, r))})"
                                                          for r in rows)
    rng.shuffle(lines)
    return [
        "CREATE TABLE people (id INT PRIMARY KEY, city INT, age INT, KEY (city))"
        " COMMENT 'shardd: key(id)'",
        "CREATE TABLE bills (word VARCHAR(9), n INT, person INT, PRIMARY KEY (person, n))"
        " COMMENT 'shardd: key(person)'",
        "CREATE TABLE days (d DATETIME(3) PRIMARY KEY, n BIGINT UNSIGNED)"
        " COMMENT 'shardd: key(d)'",
        "CREATE TABLE later (b INT, a BIGINT UNSIGNED PRIMARY KEY) COMMENT 'shardd: key(a)'",
        insert("people", ((i, i % 7, i % 9) for i in ids)),
        insert("bills", (("'w'", n, p) for p, n in lines)),
        insert("days", ((f"'{datetime(2000, 1, 1) + timedelta(hours=d)}'", d) for d in days)),
        insert("later", ((i % 5, i + 18446744073709541616) for i in ids)),
    ]


@pytest.fixture(scope="module")
def pair(cluster, plain):
    with testbed.both(cluster, plain, DB, setup()) as both:
        yield both


READS = [
    "SELECT * FROM people",
    "SELECT age FROM people",
    "SELECT id, age FROM people LIMIT 10",
    "SELECT city, id FROM people WHERE id > 100",
    "SELECT id FROM people WHERE id IN (4, -4999, 12, 77, 3001, -12, 9, 1, 2, 3, 5)",
    "SELECT id FROM people WHERE city = 3",
    "SELECT city x, p.* FROM people p WHERE age <> 2 LIMIT 7, 9",
    "SELECT * FROM bills",
    "SELECT n FROM bills WHERE n > 50",
    "SELECT person, COUNT(*), MAX(n) FROM bills GROUP BY person",
    "SELECT * FROM days",
    "SELECT n FROM days LIMIT 3",
    "SELECT * FROM later",
    "SELECT b FROM later LIMIT 100, 20",
    "SELECT p.id, b.n FROM bills b STRAIGHT_JOIN people p ON p.id = b.person",
    "SELECT DISTINCT id FROM people FORCE INDEX (PRIMARY)",
]


@pytest.mark.parametrize("sql", READS)
def test_rows_come_as_from_one_server(pair, sql):
    pair.compare(sql, ordered=True)
    prepared = []
    for server in (pair.cluster, pair.plain):
        with rawclient.RawClient(server.port) as c:
            c.login(db=DB)
            prepared.append(c.execute(c.prepare(sql)[0]))
    assert prepared[0] == prepared[1]


@pytest.mark.parametrize("sql", ["SELECT id FROM people", "SELECT word, n, person FROM bills",
                                 "SELECT d FROM days"])
def test_pages_hold_each_row_once(pair, sql):
    ours, pages = pair.connections[0], []
    for at in range(0, N + 70, 70):
        pages += testbed.Answer(ours, f"{sql} LIMIT {at}, 70").rows
    assert pages == list(testbed.Answer(ours, sql).rows) and len(set(pages)) == N


def test_a_changed_primary_key_is_known(pair):
    pair.run("CREATE TABLE moved (a INT, b INT, PRIMARY KEY (a, b)) COMMENT 'shardd: key(a)'")
    pair.run("INSERT INTO moved VALUES (1, 9), (2, 8), (3, 7), (4, 6), (5, 5), (6, 4), (7, 3)")
    pair.compare("SELECT * FROM moved", ordered=True)
    pair.run("ALTER TABLE moved DROP PRIMARY KEY, ADD PRIMARY KEY (b, a)")
    pair.compare("SELECT * FROM moved", ordered=True)
