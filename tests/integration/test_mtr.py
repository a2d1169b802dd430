"""MariaDB's own tests (package mariadb-test) through shardd in front of one server.

`mtr.list` says of each test of the main suite that was tried whether all that its client sees
through shardd is what it sees from the server itself, or why it cannot be. The tests run by
mariadb-test, as mariadb-test-run --extern does it; the two transcripts are compared, so that
settings of the server on which a result file depends do not matter. The database's policy is
global: it is the protocol that is looked at here.
"""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

import testbed

SUITE = pathlib.Path("/usr/share/mysql/mysql-test")
LIST = pathlib.Path(__file__).with_name("mtr.list")
TRIES = 3
OURS = {"information_schema", "mysql", "performance_schema", "sys", "app", "shardd", "mtr"}

pytestmark = [pytest.mark.long,
              pytest.mark.skipif(not (SUITE / "main").is_dir(), reason="no mariadb-test here")]


def listed():
    """[(test, why it cannot pass, or "")]"""
    rows = [line.split(None, 1) for line in LIST.read_text().splitlines()
            if line and not line.startswith("#")]
    return [(name, "" if why == "passes" else why) for name, why in rows]


@pytest.fixture(scope="module")
def one(scratch):
    cluster = testbed.Cluster(scratch / "mtr-one", shards=1)
    yield cluster
    cluster.down()
    cluster.forget()


@pytest.fixture(scope="module")
def server(scratch):
    """A plain one of its own: some tests change more than their database."""
    server = testbed.Server(scratch / "mtr-plain")
    yield server
    server.stop()


def fresh(where):
    for (name,) in where.sql("SHOW DATABASES", db=None):
        if name not in OURS:
            where.sql(f"DROP DATABASE `{name}`", db=None)
    if isinstance(where, testbed.Cluster):
        where.ctl("database create", "test", "--policy", "global", "--collation",
                  "latin1_swedish_ci")
    else:
        where.sql("CREATE DATABASE test CHARACTER SET latin1", db=None)


ROOT = re.compile(rb"(?im)^((?:--\s*)?connect\b[^\n]*?localhost\s*,\s*)root\s*(?:,\s*(?=[,);\n]))?")


def script(test, folder):
    """The test's file; further connections of root without a password, who is no user of a
    cluster, are those of app."""
    text = (SUITE / "main" / f"{test}.test").read_bytes()
    changed = ROOT.sub(rb"\1app,app", text)
    if changed == text:
        return f"main/{test}.test"
    (folder / f"{test}.test").write_bytes(changed)
    return folder / f"{test}.test"


def transcript(where, test, folder):
    """Exit status, and all that the test prints."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in "tmp", "log", "run", "std_data":
        (folder / name).mkdir(parents=True)
    fresh(where)
    done = subprocess.run(
        ["mariadb-test", "--no-defaults", "--silent", "--host=127.0.0.1", f"--port={where.port}",
         "--user=app", "--password=app", "--database=test", f"--tmpdir={folder}/tmp",
         f"--logdir={folder}/log", f"--basedir={SUITE}/", "--protocol=tcp",
         f"--timer-file={folder}/log/timer", f"--test-file={script(test, folder)}"],
        cwd=SUITE, capture_output=True, timeout=120,
        env={**os.environ, "MYSQL_TEST_DIR": str(SUITE), "MYSQLTEST_VARDIR": str(folder),
             "MYSQL_TMP_DIR": f"{folder}/tmp", "MASTER_MYPORT": str(where.port), "LC_ALL": "C",
             "MASTER_MYSOCK": "/nonexistent", "TZ": "GMT-3"})
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("test", [name for name, why in listed() if not why])
def test_transcript(one, server, scratch, test):
    """What EXPLAIN estimates of a fresh table depends on when the server counts it, some time
    behind the writes: two transcripts of one server differ now and then (10 rows or 9)."""
    theirs, ours = set(), set()
    for _ in range(TRIES):
        # The same folder: its name is in what some tests print.
        theirs.add(transcript(server, test, scratch / "mtr-var"))
        assert all(status == 0 for status, _ in theirs), theirs
        ours.add(transcript(one, test, scratch / "mtr-var"))
        if ours & theirs:
            return
    assert ours.pop() == theirs.pop()


def test_nothing_is_left(one):
    fresh(one)
    one.fsck()
