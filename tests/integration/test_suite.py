"""MariaDB's own tests (package mariadb-test), replayed where their tables are sharded.

What a test says to a server is recorded once on a plain one, and then said to a cluster of three
shards, on which its tables get a key, and to two plain servers (see suite.py). suite.list has the
tests of the main suite that were found to have the same answers. Others differ by rows that a
LIMIT or a group may choose, or by plans and definitions that they show.
"""
import pathlib

import pytest

import suite
import testbed

LIST = pathlib.Path(__file__).with_name("suite.list")
SETTINGS = "innodb_autoinc_lock_mode=0\n"  # numbers without gaps, as a sequence gives them

pytestmark = [pytest.mark.long, pytest.mark.skipif(not (suite.SUITE / "main").is_dir(),
                                                   reason="no mariadb-test here")]


def listed():
    return [line for line in LIST.read_text().splitlines() if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def servers(scratch):
    """Where tests are recorded, and two to compare with."""
    servers = [testbed.Server(scratch / "suite-recorder"),
               *(testbed.Server(scratch / f"suite-plain-{i}", settings=SETTINGS) for i in "12")]
    yield servers
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def three(scratch):
    cluster = testbed.Cluster(scratch / "suite-three", shards=3)
    yield cluster
    cluster.down()
    cluster.forget()


@pytest.mark.parametrize("name", listed())
def test_answers(three, servers, scratch, name):
    steps = suite.recorded(name, servers[0], scratch / "suite-var")
    replay = suite.Replay(three, *servers[1:])
    end = replay.run(steps)
    assert end is None
    assert replay.compared > 0
    assert not replay.found, "\n".join(
        f"{d.at} {d.kind}: {d.text[:500].decode('latin1')}\n  {d.ours[:300]}\n  {d.theirs[:300]}"
        for d in replay.found[:5])
