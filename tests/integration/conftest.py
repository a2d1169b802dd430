"""conftest.py - what the integration tests share, and how they run side by side.

Each process of pytest-xdist has a folder, servers and a cluster of its own, and takes whole
files. A test marked `alone` measures, or wants both CPUs: nobody else has a test running
meanwhile. Two locks do that: who wants to run waits at the door, and leaves it when inside.
"""
import contextlib
import fcntl
import itertools
import os
import pathlib
import shutil
import tempfile

import pytest

import matrix
import testbed

counter = itertools.count()
LOCKS = testbed.ROOT / "build" / "testbed"
collect_ignore = ["frameworks"]  # test_frameworks.py runs them


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="run the long campaigns as well")


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes minutes; only in make test-long")
    config.addinivalue_line("markers", "alone: no other test runs meanwhile")
    LOCKS.mkdir(parents=True, exist_ok=True)
    if is_first(config):
        matrix.forget()


def is_first(config):
    """Not one of the processes of pytest-xdist."""
    return not hasattr(config, "workerinput")


def pytest_terminal_summary(terminalreporter, config):
    lines = matrix.table() if is_first(config) else []
    if lines:
        terminalreporter.section("what became of what was killed")
        for line in lines:
            terminalreporter.write_line(line)


# The files that take longest begin first, so that all processes end at about the same time.
FIRST = ["frameworks", "bank", "faults", "hostile", "master", "compress", "ctl_ddl", "types",
         "engine", "deadlock", "commit_steps", "process", "limits", "txn", "auth"]


def is_alone(item):
    return bool(item.get_closest_marker("alone") or item.get_closest_marker("long"))


def place(item):
    """Those that have to be alone come last of their file: then all others are short."""
    name = item.path.stem.removeprefix("test_")
    return FIRST.index(name) if name in FIRST else len(FIRST), item.path, is_alone(item)


@contextlib.contextmanager
def held(name, how):
    with open(LOCKS / name, "w") as f:
        fcntl.flock(f, how)
        yield


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    """With the making of its fixtures and the end of those that nobody wants any more."""
    inside = contextlib.ExitStack()
    with held("door", fcntl.LOCK_EX):
        inside.enter_context(held("room", fcntl.LOCK_EX if is_alone(item) else fcntl.LOCK_SH))
    with inside:
        yield


def pytest_collection_modifyitems(config, items):
    items.sort(key=place)
    if not config.getoption("--long"):
        chosen = [i for i in items if i.get_closest_marker("long") is None]
        config.hook.pytest_deselected(items=[i for i in items if i not in chosen])
        items[:] = chosen


@pytest.fixture(scope="session")
def root():
    """A folder with a short name: socket paths have 107 bytes."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="shardd-it-"))
    os.chmod(folder, 0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def scratch(root):
    """A module's own, so that names of two modules never meet."""
    folder = root / str(next(counter))
    folder.mkdir()
    os.chmod(folder, 0o755)
    return folder


@pytest.fixture(scope="session")
def plain(root):
    server = testbed.Server(root / "plain")
    yield server
    server.stop()


@pytest.fixture
def mirror(plain):
    """The plain server with an empty database app."""
    plain.sql("DROP DATABASE IF EXISTS app")
    plain.sql("CREATE DATABASE app")
    yield plain
    plain.sql("DROP DATABASE app")


@pytest.fixture(scope="session")
def cluster(root):
    """Shared by all tests that do not break it: two shards, two workers."""
    shared = testbed.Cluster(root / "c", shards=2)
    yield shared
    shared.finish()


@pytest.fixture(scope="session")
def gathering(root):
    """For the tests of what the engine does: low limits, and one worker to look at."""
    settings = ["gather_max_rows=100000", 'gather_max_bytes="64M"', 'gather_memory_bytes="256K"']
    shared = testbed.Cluster(root / "g", shards=3, workers=1,
                             settings=[w for s in settings for w in ("--set", s)])
    yield shared
    shared.finish()


@pytest.fixture(scope="session")
def replicated(root):
    """For tests of replicas, which leave roles and states as they were: two shards, each with a
    primary and two replicas."""
    shared = testbed.Cluster(root / "r", shards=2)
    for shard in shared.shard_list():
        for _ in range(2):
            shared.ctl("replica add", shard["name"], timeout=120)
    yield shared
    shared.finish()


@pytest.fixture
def new_cluster(scratch):
    """A function that makes clusters for one test, which may break them; fsck at the end
    unless the test sets `cluster.check = False`."""
    made = []

    def make(**more):
        made.append(testbed.Cluster(scratch / f"c{next(counter)}", **more))
        return made[-1]

    yield make
    for one in made:
        one.finish()


@pytest.fixture(scope="module")
def checked(cluster):
    """The shared cluster, with an fsck behind the module's last test."""
    yield cluster
    cluster.fsck()


@pytest.fixture
def db(checked):
    """The name of an empty database on the shared cluster, gone after the test."""
    name = f"t{next(counter)}"
    checked.sql(f"CREATE DATABASE {name}")
    yield name
    checked.sql(f"DROP DATABASE {name}")


@pytest.fixture
def both(checked, plain, db):
    plain.sql(f"CREATE DATABASE {db}")
    pair = testbed.Both(checked, plain, db)
    yield pair
    pair.close()
    plain.sql(f"DROP DATABASE {db}")
