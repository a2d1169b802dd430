"""A transaction in the way of a move is cut in the middle of a statement that has several parts:
the statement says so, and the connection stays."""
import pymysql
import pytest

import testbed
from fencebed import Later
from test_fence import DEADLOCK, f, fencing, open_all, run  # noqa: F401: fixtures


@pytest.fixture(scope="module")
def mail(fencing):
    """A table with a lookup: most of its statements have several parts. Of each shard's rows the
    first three: [[(id, email)]]."""
    fencing.cluster.sql("CREATE TABLE mail (id BIGINT PRIMARY KEY, email VARCHAR(20), n INT)"
                        " COMMENT 'shardd: lookup(email)'")
    fencing.cluster.sql("INSERT INTO mail VALUES "
                        + ",".join(f"({i}, 'm{i}@x', 0)" for i in range(1, 61)))
    return [fencing.cluster.on_shard(s, "SELECT id, email FROM mail ORDER BY id LIMIT 3", "app")
            for s in fencing.cluster.shard_list()]


def cut_while_at(f, sql, state):
    """A transaction that holds a row of what is moved is at `sql`, which has no end of its own;
    `state` is what a server says of it then."""
    before = run_alone(f.cluster, f"SELECT n FROM t WHERE id = {f.near}")
    with open_all(f.cluster, 1) as (c,):
        run(c, "BEGIN", f"UPDATE t SET n = n + 100 WHERE id = {f.near}")
        under_way = Later(run, c, sql)
        testbed.wait_for("it to be there", lambda: any(
            f.cluster.on_shard(s, "SELECT 1 FROM information_schema.PROCESSLIST WHERE STATE LIKE "
                               f"'{state}'") for s in f.cluster.shard_list()))
        f.up(cut=True)
        f.down()
        with pytest.raises(pymysql.err.OperationalError) as told:
            under_way.result()
        assert told.value.args[0] == DEADLOCK, told.value
        assert run(c, "SELECT @@in_transaction") == ((0,),)  # and it is the same connection
    assert run_alone(f.cluster, f"SELECT n FROM t WHERE id = {f.near}") == before


def run_alone(cluster, sql):
    with cluster.connect() as c:
        return run(c, sql)


def lookup_of(cluster):
    ((name,),) = cluster.on_shard(
        cluster.shard_list()[0],
        "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shardd_lookup'")
    return name


def test_a_part_that_has_begun_to_answer_is_cut(f, mail):
    """Rows of what RETURNING asks for have come, and the rest does not."""
    first, _, last = sorted(i for i, _ in mail[0])
    cut_while_at(f, f"DELETE FROM mail WHERE id IN ({first}, {last}) RETURNING id,"
                 f" IF(id = {last}, SLEEP(1000), REPEAT('x', 200000))", "User sleep")
    assert len(run_alone(f.cluster, f"SELECT id FROM mail WHERE id IN ({first}, {last})")) == 2


def test_a_part_before_the_statement_itself_is_cut(f, mail):
    """The lookup is asked which shards have the rows, and one does not say."""
    name = lookup_of(f.cluster)
    for shard in f.cluster.shard_list():
        with f.cluster.shard_connect(shard) as locker:
            run(locker, f"LOCK TABLES shardd_lookup.`{name}` WRITE")
            emails = ", ".join(repr(email) for rows in mail for _, email in rows)
            cut_while_at(f, f"SELECT id, n FROM mail WHERE email IN ({emails})", "Waiting for%lock")
