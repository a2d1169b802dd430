"""Random statements: see answers.py; and what once differed, in cases/answers/."""
import pathlib

import pytest

import answers
import testbed

REFUSED_MAX = 0.01
KEPT = sorted((pathlib.Path(__file__).parent / "cases" / "answers").glob("*.sql"))


@pytest.fixture(scope="module")
def three(scratch):
    cluster = testbed.Cluster(scratch / "three", shards=3)
    yield cluster
    cluster.finish()


def campaign(cluster, plain, seed, count, capsys, wide=0.0, odd=0.0, meets=0.0, unseen=0.0):
    """The share that was refused is told even when all is well. `wide`: that of SELECTs which
    need rows of several shards in one place; `odd`: of cases whose values are odd; `meets`: see
    answers_meet.py; `unseen`: of tables with an invisible column."""
    plain.sql("CREATE OR REPLACE DATABASE app")
    one = answers.Campaign(cluster, plain, "app", seed, wide, odd, meets, unseen)
    try:
        failure = one.run(count)
        with capsys.disabled():
            print("\n" + one.summary())
        assert failure is None, failure
        assert one.refused <= REFUSED_MAX * one.ran, one.why
    finally:
        one.close()


@pytest.mark.parametrize("seed, wide", [(1, 0.0), (2, 0.7)])
def test_small(three, plain, capsys, seed, wide):
    campaign(three, plain, seed, 700, capsys, wide)


def test_meeting(three, plain, capsys):
    """INSERTs that meet rows, and writes through views."""
    campaign(three, plain, 5150, 250, capsys, 0.5, meets=0.8)


def test_unseen(three, plain, capsys):
    """What `*` leaves out, and what a subquery has of the rows around it."""
    campaign(three, plain, 77, 400, capsys, 0.3, unseen=0.5)


@pytest.mark.long
@pytest.mark.parametrize("seed", (78, 79))
def test_unseen_long(three, plain, capsys, seed):
    campaign(three, plain, seed, 4000, capsys, 0.5, 0.3, 0.2, 0.5)


@pytest.mark.long
@pytest.mark.parametrize("seed", (5151, 5152, 5153))
def test_meeting_long(three, plain, capsys, seed):
    campaign(three, plain, seed, 4000, capsys, 0.7, 0.3, 0.8)


def test_odd(three, plain, capsys):
    campaign(three, plain, 307, 400, capsys, 0.4, 1.0)
    three.fsck()


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 104))
@pytest.mark.parametrize("wide", [0.0, 0.7])
def test_long(three, plain, capsys, seed, wide):
    campaign(three, plain, seed, 13000, capsys, wide)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(300, 317))
def test_odd_long(three, plain, capsys, seed):
    campaign(three, plain, seed, 400, capsys, 0.4, 1.0)


@pytest.mark.parametrize("script", KEPT, ids=[p.stem for p in KEPT])
def test_kept(three, plain, script):
    """Shrunk by the campaign: the tables as they have to be for the last statements. A line
    that begins with `--` says why."""
    name = "kept"
    for sql in (three.sql, plain.sql):
        sql(f"DROP DATABASE IF EXISTS {name}", db=None)
        sql(f"CREATE DATABASE {name}", db=None)
    both = testbed.Both(three, plain, name)
    try:
        text = "".join(line for line in script.read_text().splitlines(True)
                       if not line.startswith("--"))
        for sql in filter(None, (part.strip() for part in text.split(";\n"))):
            both.compare(sql)
    finally:
        both.close()
        three.sql(f"DROP DATABASE {name}", db=None)
        plain.sql(f"DROP DATABASE {name}", db=None)


def test_it_would_see_a_difference():
    """The comparison itself: a test that cannot fail is a defect."""
    def answer(rows, columns=(("a", 3, 63),), error=None, affected=0):
        a = testbed.Answer.__new__(testbed.Answer)
        a.rows, a.columns, a.error, a.affected = rows, columns, error, affected
        return a

    read = answers.Statement([("all", "SELECT a")])
    ordered = answers.Statement([("all", "SELECT a ORDER BY a")], ordered=True)
    folded = answers.Statement([("all", "SELECT DISTINCT a")], folded=True)
    write = answers.Statement([("all", "DELETE")], is_read=False)
    assert answers.difference(read, answer([(1,), (2,)]), answer([(2,), (1,)])) is None
    assert answers.difference(ordered, answer([(1,), (2,)]), answer([(2,), (1,)]))
    assert answers.difference(read, answer([(1,)]), answer([(1,), (1,)]))
    assert answers.difference(read, answer([(1,)]), answer([("1",)]))
    assert answers.difference(read, answer([(1.0,)]), answer([(1.0 + 1e-15,)])) is None
    assert answers.difference(read, answer([(1.0,)]), answer([(1.0 + 1e-9,)]))
    assert answers.difference(read, answer([(1,)]), answer([(1,)], (("a", 8, 63),)))
    assert answers.difference(read, answer([("á ",)]), answer([("A",)]))
    assert answers.difference(folded, answer([("á ",)]), answer([("A",)])) is None
    assert answers.difference(write, answer([], affected=1), answer([], affected=2))
    wrong = answer(None, error=(1064,))
    assert answers.difference(read, wrong, answer(None, error=(1064,))) is None
    assert answers.difference(read, wrong, answer([(1,)]))
