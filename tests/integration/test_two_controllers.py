"""test_two_controllers.py - a copy of a home runs on "another machine": a mount namespace of its
own, where no segment of shared memory and no lock of a file is in its way. Of two controllers that
know the same job, one works on it, and while one is on duty the other one stands by."""
import contextlib
import os
import re
import shutil
import signal
import subprocess
import threading

import pymysql
import pytest

from controlbed import Controller, Refused
from testbed import SHARDCTL, Server, wait_for

ROWS = 3000
SETTINGS = "log_bin=b\nbinlog_format=ROW\nserver_id={}\n"


class Twin(Controller):
    """A controller of a copied home, where it sees none of what its twin holds."""

    def __init__(self, home, instance):
        self.home, self.instance, self.shards, self.options = home, instance, 0, ()
        self.start()

    def start(self, **environment):
        self.log = open(str(self.home) + ".log", "ab")
        self.process = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /dev/shm && exec "$@"', "sh",
             SHARDCTL, "serve", "--home", self.home],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        wait_for("the second controller", self._ready)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.log.close()


@pytest.fixture
def bed(scratch, request):
    """Two servers, all rows on the first of them, and a controller. shardd is not needed."""
    folder = scratch / f"two-{request.node.name[-12:]}"
    if subprocess.run(["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"],
                      capture_output=True, check=False).returncode:
        pytest.skip("there are no mount namespaces here")
    servers = [Server(folder / f"s{i}", settings=SETTINGS.format(60 + i)) for i in (1, 2)]
    first = Controller(folder / "first", shards=0)
    try:
        for name, server in zip(("left", "right"), servers):
            first.ctl("shard", "add", "--static", f"127.0.0.1:{server.port}", "--user", "app",
                      "--password", "app", "--name", name)
        first.ctl("user", "add", "someone", "--password", "x", "--admin")
        first.ctl("database", "create", "app")
        first.ddl("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(50), n INT)", user="someone")
        servers[0].sql("INSERT INTO t SELECT seq, CONCAT('v', seq), 0 FROM seq_1_to_3000", db="app")
        yield folder, servers, first
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(first.process.pid, signal.SIGCONT)
        first.stop()
        for server in servers:
            server.stop()


def job(c):
    """The newest move."""
    return next(j for j in c.json("job", "list")["jobs"] if j["kind"] == "move")


def shown(c):
    return c.json("job", "show", job(c)["number"])


def problem(c):
    found = shown(c)
    return found.get("problem") or ""


def copied_home(folder, first):
    """As it is right now; its controller goes on afterwards."""
    os.kill(first.process.pid, signal.SIGSTOP)
    try:
        shutil.copytree(first.home, folder / "second",
                        ignore=lambda _, names: [n for n in names if n.endswith(".sock")])
    finally:
        os.kill(first.process.pid, signal.SIGCONT)
    return Twin(folder / "second", first.instance)


def follows(c):
    wait_for("the copy", lambda: shown(c)["phase"] == "follow" and "verified" in shown(c), 60)


def check(servers, n):
    """Each row is on one of the servers, with `n` in it."""
    rows = [row for s in servers for row in s.sql("SELECT id, v, n FROM t", db="app")]
    assert sorted(rows) == [(i, f"v{i}", n) for i in range(1, ROWS + 1)]


def holders(servers):
    return {s.sql("SELECT place FROM shardd_move.holder")[0][0] for s in servers}


def test_the_second_waits_and_then_sees_that_it_is_old(bed):
    folder, servers, first = bed
    first.ctl("reshard", "split", "left", "--to", "right", "--cutover", "manual")
    follows(first)
    second = copied_home(folder, first)
    try:
        wait_for("the second to wait", lambda: "another controller" in problem(second))
        assert re.search(r"works on (left|right) \(.*first .*stop it, or this one", problem(second))
        assert not problem(first)
        servers[0].sql("UPDATE t SET n = n + 1", db="app")
        first.ctl("reshard", "cutover", "--wait")
        first.ctl("reshard", "complete", "--wait")
        assert job(first)["state"] == "done"
        wait_for("the second to see it", lambda: "an old copy" in problem(second), 60)
        assert job(second)["phase"] == "follow" and "shardctl recover" in problem(second)
    finally:
        second.stop()
    check(servers, 1)
    assert 0 < servers[1].sql("SELECT COUNT(*) FROM t", db="app")[0][0] < ROWS
    assert first.fsck() == []


def test_the_first_is_gone_for_good_and_comes_back(bed):
    """Its sessions are ended by hand, as the message says. The second goes on with the job; when
    the first wakes up it can do nothing any more, however much it wants to."""
    folder, servers, first = bed
    first.ctl("reshard", "split", "left", "--to", "right", "--cutover", "manual")
    follows(first)
    second = copied_home(folder, first)
    os.kill(first.process.pid, signal.SIGSTOP)
    try:
        wait_for("the second to wait", lambda: "another controller" in problem(second))
        servers[0].sql("UPDATE t SET n = n + 1", db="app")
        for server in servers:
            end_sessions(server)
        wait_for("the second to take over", lambda: not problem(second) and
                 all("second" in place for place in holders(servers)), 60)
        second.ctl("reshard", "cutover", "--wait")
        os.kill(first.process.pid, signal.SIGCONT)
        wait_for("the first to see it", lambda: "another controller" in problem(first) or
                 "an old copy" in problem(first), 60)
        second.ctl("reshard", "complete", "--wait")
        wait_for("the first to see it", lambda: "an old copy" in problem(first), 60)
        assert job(first)["phase"] == "follow"
        check(servers, 1)
        assert second.fsck() == []
    finally:
        second.stop()


def end_sessions(server):
    """KILL of all that the stopped controller has open. The other one opens its own again."""
    for number in [row[0] for row in server.sql(
            "SELECT id FROM information_schema.PROCESSLIST WHERE id <> CONNECTION_ID()"
            " AND user LIKE 'shardd%'")]:
        with contextlib.suppress(pymysql.err.MySQLError):
            server.sql(f"KILL {number}")


# --- jobs that change tables ----------------------------------------------------------------------

@pytest.fixture
def third(bed):
    """One more shard, so that two are not the home of the database."""
    folder, servers, first = bed
    server = Server(folder / "s3", settings=SETTINGS.format(63))
    servers.append(server)  # bed stops it
    first.ctl("shard", "add", "--static", f"127.0.0.1:{server.port}", "--user", "app",
              "--password", "app", "--name", "third")
    return server


@contextlib.contextmanager
def half_a_table(servers, first):
    """CREATE TABLE u is done on one shard, and waits for the last one. What became of it then."""
    ended = []

    def create():
        try:
            ended.append(first.ddl("CREATE TABLE u (id INT PRIMARY KEY)", user="someone"))
        except (Refused, OSError) as error:
            ended.append(error)
    thread = threading.Thread(target=create)
    with servers[-1].connect() as other, other.cursor() as cursor:
        cursor.execute("FLUSH TABLES WITH READ LOCK")
        thread.start()
        wait_for("the first half", lambda: having_u(servers))
        yield ended
    thread.join(60)
    assert not thread.is_alive()


def having_u(servers):
    return [i for i, s in enumerate(servers) if s.sql("SHOW TABLES LIKE 'u'", db="app")]


def refusal(c):
    """Of a statement that changes nothing when it works; "": it did."""
    try:
        c.ddl("CREATE DATABASE IF NOT EXISTS app", user="someone")
    except Refused as error:
        return str(error)
    return ""


def table_job(c):
    return next(j for j in c.json("job", "list")["jobs"] if j["kind"] == "ddl" and
                "TABLE u" in j["what"])


def told(server):
    """None: nothing was told yet."""
    try:
        return server.sql("SELECT MAX(generation) FROM shardd_move.holder")[0][0]
    except pymysql.err.ProgrammingError:
        return None


def all_is_told(c, servers):
    """Every server knows how much this controller knew, for those who come later."""
    number = c.json("status")["generation"]
    wait_for("the servers to be told", lambda: {told(s) for s in servers} == {number})


def is_killed(first):
    os.kill(first.process.pid, signal.SIGKILL)
    first.process.wait()


def test_the_second_leaves_a_statement_to_the_first(bed, third):
    """What the first one is about to finish looks interrupted in the copy, to be taken back."""
    folder, servers, first = bed
    with half_a_table(servers, first) as ended:
        second = copied_home(folder, first)
        assert "another controller" in refusal(second)
        assert table_job(second)["state"] == "running"
    try:
        assert isinstance(ended[0], dict), ended
        assert having_u(servers) == [0, 1, 2] and first.fsck() == []
        assert second.ctl_raw("fsck", "--repair", "--yes").returncode != 0
        assert refusal(second) and not refusal(first)
        all_is_told(first, servers)
        is_killed(first)
        wait_for("the second to see that it is old", lambda: "an old copy" in refusal(second), 60)
        assert table_job(second)["state"] == "running" and having_u(servers) == [0, 1, 2]
    finally:
        second.stop()


def test_the_second_goes_on_when_the_first_is_gone(bed, third):
    folder, servers, first = bed
    with half_a_table(servers, first):
        second = copied_home(folder, first)
        assert "another controller" in refusal(second)
        is_killed(first)
    try:
        wait_for("the second to be on duty", lambda: refusal(second) == "", 60)
        assert table_job(second)["state"] == "failed"
        assert having_u(servers) == [] and second.fsck() == []
        second.ddl("CREATE TABLE u (id INT PRIMARY KEY)", user="someone")
        assert having_u(servers) == [0, 1, 2] and second.fsck() == []
        all_is_told(second, servers)
        first.start()
        assert "an old copy" in refusal(first)
    finally:
        second.stop()
