"""Who is in which transaction, and the ones that are in doubt."""
import json

import pytest

import testbed


@pytest.fixture(scope="module")
def bank(scratch):
    cluster = testbed.Cluster(scratch / "doubt", workers=2)
    cluster.sql("CREATE TABLE a (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)")
    cluster.sql("INSERT INTO a VALUES " + ",".join(f"({i},100)" for i in range(24)))
    yield cluster
    cluster.finish()


def transactions(connection):
    with connection.cursor() as cursor:
        cursor.execute("SHOW SHARDD TRANSACTIONS")
        names = [d[0] for d in cursor.description]
        return {row[0]: dict(zip(names, row)) for row in cursor.fetchall()}


def test_open_transactions_are_shown(bank):
    with bank.connect() as c, bank.connect() as one, bank.connect() as many, \
            bank.connect() as idle:
        for connection, statements in (
                (one, ("BEGIN", "SELECT n FROM a WHERE id = 3", "SELECT 1")),
                (many, ("BEGIN", "UPDATE a SET n = n")), (idle, ("SELECT COUNT(*) FROM a",))):
            for sql in statements:
                assert testbed.Answer(connection, sql).error is None
        seen = transactions(c)
        assert set(seen) == {one.thread_id(), many.thread_id()}
        first, second = seen[one.thread_id()], seen[many.thread_id()]
        assert (first["Phase"], first["Statements"]) == ("open", 2)
        assert first["Shards"] in [s["name"] for s in bank.shard_list()]
        assert sorted(second["Shards"].split(", ")) == [s["name"] for s in bank.shard_list()]
        assert (second["User"], second["Schema"]) == ("app", "app")
        assert 0 <= second["Age_ms"] < 60000
        one.rollback()
        many.commit()
        assert transactions(c) == {}


def listed(cluster, gtrid):
    return [t for t in cluster.ctl("txn list")["transactions"] if t["transaction"] == gtrid]


def balance(cluster):
    return int(cluster.sql("SELECT SUM(n) FROM a")[0][0])


def test_a_decided_one_is_committed(bank):
    total = balance(bank)
    gtrid = testbed.half_commit(bank, 1)
    (row,) = listed(bank, gtrid)
    assert (row["decision"], row["worker"], row["ours"]) == ("commit", 0, True)
    assert row["branches"] == [bank.shard_list()[1]["name"]]
    assert row["age_s"] is not None and balance(bank) == total + 1
    assert "commit" in bank.ctl_raw("txn show", gtrid).stdout
    refused = bank.ctl_raw("txn resolve", gtrid, "--force", "rollback")
    assert refused.returncode == 1 and "half" in refused.stderr
    done = bank.ctl("txn resolve", gtrid)
    assert (done["outcome"], done["warning"]) == ("committed", "")
    assert balance(bank) == total and listed(bank, gtrid) == []
    assert bank.ctl_raw("txn resolve", gtrid).returncode == 1
    assert bank.ctl_raw("txn show", gtrid).returncode == 1


def test_an_undecided_one_is_rolled_back_for_good(bank):
    total = balance(bank)
    gtrid = testbed.half_commit(bank, 2, decided=False)
    assert listed(bank, gtrid)[0]["decision"] == "none"
    done = bank.ctl_raw("txn resolve", gtrid)
    assert done.returncode == 0 and "rolled back" in done.stdout, done.stderr
    assert balance(bank) == total and listed(bank, gtrid) == []


def test_without_the_decision_it_takes_force(bank):
    total = balance(bank)
    gtrid = testbed.half_commit(bank, 3, decided=False, home=99)
    assert listed(bank, gtrid)[0]["decision"] == "unknown"
    refused = bank.ctl_raw("txn resolve", gtrid)
    assert refused.returncode == 1 and "--force" in refused.stderr
    assert bank.ctl_raw("txn resolve", gtrid, "--force", "maybe").returncode in (1, 2)
    assert bank.ctl_raw("txn resolve", "nonsense").returncode == 1
    done = bank.ctl_raw("txn resolve", gtrid, "--force", "rollback", "--json")
    assert json.loads(done.stdout)["warning"] and balance(bank) == total
    assert listed(bank, gtrid) == []
