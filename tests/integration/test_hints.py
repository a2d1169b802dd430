"""test_hints.py - what a comment in a statement asks of shardd."""
import time

import pymysql
import pytest

SCATTER = "SELECT COUNT(*) FROM t"
GATHERED = "SELECT id, ROW_NUMBER() OVER (ORDER BY v, id) FROM t ORDER BY id"


@pytest.fixture(scope="module")
def hinted(gathering):
    sql = lambda s: gathering.sql(s, db="hints")
    gathering.sql("DROP DATABASE IF EXISTS hints", db=None)
    gathering.sql("CREATE DATABASE hints", db=None)
    sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)")
    sql("INSERT INTO t VALUES " + ",".join(f"({i}, {i % 9})" for i in range(60)))
    yield sql
    gathering.fsck()
    gathering.sql("DROP DATABASE hints", db=None)


def kind(sql, statement):
    return sql("EXPLAIN SHARDD " + statement)[0][0]


def test_one_shard_answers(hinted, gathering):
    shards = [s["name"] for s in gathering.shard_list()]
    parts = [hinted(f"/* shardd: shard={s} */ {SCATTER}")[0][0] for s in shards]
    assert sum(parts) == 60 and 0 < max(parts) < 60
    assert parts == [len(gathering.on_shard(s, "SELECT id FROM hints.t"))
                     for s in gathering.shard_list()]
    rows = [hinted(f"/* shardd: shard={s} */ {GATHERED}") for s in shards]
    assert [len(r) for r in rows] == parts
    assert hinted(f"/* shardd: shard={shards[0]} */ SELECT @@server_id") == \
        gathering.on_shard(gathering.shard_list()[0], "SELECT @@server_id")


@pytest.mark.parametrize("sql", [
    "INSERT INTO t VALUES (100, 1)", "UPDATE t SET v = 1 WHERE id = 1", "DELETE FROM t",
    "SELECT * FROM t FOR UPDATE",
])
def test_writes_choose_no_shard(hinted, sql):
    with pytest.raises(pymysql.err.NotSupportedError, match="plain reads"):
        hinted(f"/* shardd: shard=shard-1 */ {sql}")
    assert hinted(SCATTER) == ((60,),)


@pytest.mark.parametrize("sql", [
    SCATTER, GATHERED, "SELECT id FROM t WHERE id IN (1, 2, 3, 4, 5, 6, 7, 8, 9)",
    "UPDATE t SET v = v", "DELETE FROM t WHERE v > 100",
    "UPDATE t SET v = v WHERE id IN (1, 2, 3, 4, 5, 6, 7, 8, 9)",
    "UPDATE t SET v = v ORDER BY v LIMIT 1",
])
def test_several_shards_refused(hinted, sql):
    with pytest.raises(pymysql.err.NotSupportedError, match="shard"):
        hinted(f"/* shardd: scatter=off */ {sql}")


def test_one_shard_is_no_scatter(hinted):
    off = "/* shardd: scatter=off */ "
    assert hinted(off + "SELECT v FROM t WHERE id = 5") == ((5,),)
    assert hinted(off + "SELECT v FROM t WHERE id IN (5)") == ((5,),)
    hinted(off + "UPDATE t SET v = v WHERE id = 5")
    hinted(off + "INSERT INTO t VALUES (500, 0)")
    hinted(off + "DELETE FROM t WHERE id = 500")
    assert hinted(off + "SELECT 1") == ((1,),)


def test_gathering_asked_for_and_refused(hinted):
    assert hinted("/* shardd: gather=on */ " + SCATTER) == ((60,),)
    assert kind(hinted, SCATTER) == "scatter"
    assert kind(hinted, SCATTER.replace(" ", " /* shardd: gather=on */ ", 1)) == "gather"
    assert kind(hinted, "SELECT /* shardd: gather=on */ v FROM t WHERE id = 5") == "one"
    for hint in ("gather=off", "scatter=on"):
        assert hinted(f"/* shardd: {hint} */ {SCATTER}") == ((60,),)
        with pytest.raises(pymysql.err.NotSupportedError, match="gathered"):
            hinted(f"/* shardd: {hint} */ {GATHERED}")
        with pytest.raises(pymysql.err.NotSupportedError, match="gathered"):
            hinted(f"/* shardd: {hint} */ UPDATE t SET v = v ORDER BY v LIMIT 1")


def test_timeout(hinted):
    began = time.monotonic()
    for statement in ("SELECT SLEEP(20)", "SELECT SLEEP(20) FROM t"):
        with pytest.raises(pymysql.err.MySQLError) as e:
            hinted(f"/* shardd: timeout=300 */ {statement}")
        assert e.value.args[0] == 1969
    assert time.monotonic() - began < 35  # 20 for one alone, were it not ended
    assert hinted(f"/* shardd: timeout=20000, consistency=strong */ {SCATTER}") == ((60,),)


@pytest.mark.parametrize("hint", ["shard=nix", "scatter=perhaps", "gather=", "timeout=soon",
                                  "timeout=0", "consistency=some"])
def test_wrong_values(hinted, hint):
    with pytest.raises(pymysql.err.MySQLError) as e:
        hinted(f"/* shardd: {hint} */ {SCATTER}")
    assert e.value.args[0] == 1231 and hint.split("=")[0] in e.value.args[1]


def test_words_of_others(hinted):
    assert hinted("/* shardd: later=1 */ " + SCATTER) == ((60,),)
    assert hinted("/* just a comment: shard=nix */ " + SCATTER) == ((60,),)
