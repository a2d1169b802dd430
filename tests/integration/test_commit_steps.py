"""Something is killed between two steps of a commit over two shards; afterwards the
transaction is whole on both or on neither, and what a client was told is so.

    prepare   XA PREPARE is under way on the second shard (its server is stopped); the
              decision row is in the first's transaction
    decide    the second is prepared, the decision row is under way to the first
    commit    all is prepared, COMMIT is under way on the first
    finish    the first has committed, XA COMMIT is under way on the second
"""
import os
import signal
import socket
import threading
import time

import pymysql
import pytest

import testbed

STEPS = ["prepare", "decide", "commit", "finish"]
# The first shard has not been asked to commit, and who would ask is gone; or what it was
# to commit is.
NEVER_COMMITTED = {("prepare", "worker"), ("decide", "worker"), ("prepare", "controller"),
                   ("decide", "controller"), ("prepare", "first"), ("decide", "first"),
                   ("prepare", "second")}


class Shard:
    """A shard's server, stopped, killed and looked into."""

    def __init__(self, cluster, row):
        self.cluster, self.row = cluster, row
        self.root = cluster.shard_connect(row)
        (self.pid,) = [p for p in testbed.programs(cluster.home, "mariadbd")
                       if f"/{row['name']}/" in self.words(p)]

    @staticmethod
    def words(pid):
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read().decode()

    def ask(self, sql):
        return testbed.Answer(self.root, sql)

    def signal(self, how):
        if testbed.alive(self.pid):
            os.kill(self.pid, how)

    def stop(self):
        testbed.stop_process(self.pid)

    def hold_commits(self):
        assert self.ask("BACKUP STAGE START").error is None
        assert self.ask("BACKUP STAGE BLOCK_COMMIT").error is None

    def let_commits(self):
        if testbed.alive(self.pid):
            self.ask("BACKUP STAGE END")

    def runs(self, text):
        return self.ask("SELECT 1 FROM information_schema.PROCESSLIST WHERE USER = 'app' AND"
                        f" INFO LIKE '{text}%'").rows


@pytest.fixture(scope="module")
def bank(scratch):
    cluster = testbed.Cluster(scratch / "steps", workers=1)
    cluster.sql("CREATE TABLE a (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)")
    cluster.sql("INSERT INTO a VALUES " + ",".join(f"({i}, 100)" for i in range(40)))
    yield cluster
    cluster.finish()


def answers(cluster):
    try:
        return all(cluster.on_shard(s, "SELECT 1") for s in cluster.shard_list())
    except (pymysql.err.MySQLError, AssertionError):
        return False


def two_shards(cluster):
    """The shards, each with an id of table a on it."""
    found = []
    for row in cluster.shard_list():
        ((i,),) = cluster.on_shard(row, "SELECT MIN(id) FROM a", "app")
        found.append((Shard(cluster, row), i))
    return found


def go_to(cluster, step, first, second, commit):
    """Starts the commit and stays where the step is under way."""
    if step == "prepare":
        second.stop()
        commit.start()
        wait_for_commit(cluster)
        return
    if step == "decide":
        first.stop()
        commit.start()
        testbed.wait_for("the prepared branch", lambda: second.ask("XA RECOVER").rows)
        time.sleep(0.1)  # more often than not the decision is on its way by then
        return
    first.hold_commits()
    commit.start()
    testbed.wait_for("COMMIT", lambda: first.runs("COMMIT"))
    if step == "finish":
        second.stop()
        first.let_commits()
        time.sleep(0.1)  # XA COMMIT likewise


def wait_for_commit(cluster):
    """Until the only worker has begun a COMMIT: what it says first is said by then."""
    testbed.wait_for("COMMIT in the worker", lambda: any(
        row[-1] == "COMMIT" for row in cluster.sql("SHOW SHARDD CLIENTS", db=None)))


def kill_and_notice(cluster, shard):
    """kill -9 of a server nobody talks to, and its end has reached the worker."""
    before = cluster.metric("shardd_backends_lost_total")
    shard.signal(signal.SIGKILL)
    testbed.wait_for("its end to be noticed", lambda: cluster.metric(
        "shardd_backends_lost_total") > before)


def kill(cluster, victim, first, second):
    if victim == "controller":
        for pid in testbed.programs(cluster.home, "shardctl"):
            os.kill(pid, signal.SIGKILL)
    if victim in ("worker", "controller"):
        cluster.kill_worker()
    if victim == "first":
        first.signal(signal.SIGKILL)
    if victim == "second":
        second.signal(signal.SIGKILL)


def run_step(cluster, step, victim):
    testbed.wait_for("the shards", lambda: answers(cluster), 60)
    (first, a), (second, b) = two_shards(cluster)
    before = dict(cluster.sql(f"SELECT id, n FROM a WHERE id IN ({a}, {b})"))
    told = []
    c = cluster.connect(read_timeout=60)
    for sql in ("BEGIN", f"UPDATE a SET n = n - 1 WHERE id = {a}",
                f"UPDATE a SET n = n + 1 WHERE id = {b}"):
        assert testbed.Answer(c, sql).error is None
    commit = threading.Thread(target=lambda: told.append(testbed.Answer(c, "COMMIT").error))
    try:
        go_to(cluster, step, first, second, commit)
        if (step, victim) == ("prepare", "first"):
            kill_and_notice(cluster, first)
        else:
            kill(cluster, victim, first, second)
    finally:
        for shard in first, second:
            shard.signal(signal.SIGCONT)
        if step == "commit":
            first.let_commits()
    commit.join(60)
    assert not commit.is_alive()
    if victim == "controller":
        cluster.up()
    testbed.wait_for("the shards to be back", lambda: answers(cluster), 60)
    testbed.wait_for("the resolver", lambda: not any(
        cluster.on_shard(s, "XA RECOVER") for s in cluster.shard_list()), 60)
    after = testbed.wait_for("an answer", lambda: look(cluster, a, b))
    moved = (before[a] - after[a], after[b] - before[b])
    assert moved in ((0, 0), (1, 1)), (step, victim, told, moved)
    if told[0] is None or step == "finish":
        assert moved == (1, 1), (step, victim, told)
    if (step, victim) in NEVER_COMMITTED:
        assert moved == (0, 0), (step, victim, told)
    assert cluster.sql("SELECT SUM(n), COUNT(*) FROM a") == ((4000, 40),)
    assert cluster.sql("UPDATE a SET n = n + 0") == ()


def look(cluster, a, b):
    try:
        return dict(cluster.sql(f"SELECT id, n FROM a WHERE id IN ({a}, {b})"))
    except pymysql.err.MySQLError:
        return None


@pytest.mark.parametrize("how", ["KILL QUERY {id}", "KILL {id}"])
def test_a_refused_commit_rolls_back_everywhere(bank, how):
    """COMMIT ends with an error at the commit point: that says not whether it committed, the
    place of the decision row does. (KILL: the connection is lost with it.)"""
    testbed.wait_for("the shards", lambda: answers(bank), 60)
    (first, a), (second, b) = two_shards(bank)
    before = dict(bank.sql(f"SELECT id, n FROM a WHERE id IN ({a}, {b})"))
    told = []
    with bank.connect(read_timeout=60) as c:
        for sql in ("BEGIN", f"UPDATE a SET n = n - 1 WHERE id = {a}",
                    f"UPDATE a SET n = n + 1 WHERE id = {b}"):
            assert testbed.Answer(c, sql).error is None
        commit = threading.Thread(target=lambda: told.append(testbed.Answer(c, "COMMIT").error))
        first.hold_commits()
        try:
            commit.start()
            testbed.wait_for("COMMIT", lambda: first.runs("COMMIT"))
            ((thread,),) = first.ask("SELECT ID FROM information_schema.PROCESSLIST WHERE"
                                     " USER = 'app' AND INFO LIKE 'COMMIT%'").rows
            assert first.ask(how.format(id=thread)).error is None
            testbed.wait_for("its end", lambda: not first.runs("COMMIT"))
        finally:
            first.let_commits()
        commit.join(60)
        # Nobody waits for the resolver where the answer could be had.
        assert told[0][0] == (1213 if how == "KILL QUERY {id}" else 1105), told
        if told[0][0] == 1213:
            assert not second.ask("XA RECOVER").rows
        testbed.wait_for("the resolver", lambda: not second.ask("XA RECOVER").rows)
        assert dict(bank.sql(f"SELECT id, n FROM a WHERE id IN ({a}, {b})")) == before
        assert testbed.Answer(c, f"UPDATE a SET n = n + 0 WHERE id IN ({a}, {b})").error is None


def test_the_only_writer_is_lost_while_readers_end(bank):
    """An OK without the change would be a lost row."""
    testbed.wait_for("the shards", lambda: answers(bank), 60)
    (first, a), (second, b) = two_shards(bank)
    ((before,),) = bank.sql(f"SELECT n FROM a WHERE id = {b}")
    told = []
    c = bank.connect(read_timeout=60)
    for sql in ("BEGIN", f"SELECT n FROM a WHERE id = {a} FOR UPDATE",
                f"UPDATE a SET n = n + 0.5 + 0.5 WHERE id = {b}"):
        assert testbed.Answer(c, sql).error is None
    commit = threading.Thread(target=lambda: told.append(testbed.Answer(c, "COMMIT").error))
    first.stop()
    try:
        commit.start()
        wait_for_commit(bank)
        kill_and_notice(bank, second)
    finally:
        first.signal(signal.SIGCONT)
    commit.join(60)
    testbed.wait_for("the shards to be back", lambda: answers(bank), 60)
    after = testbed.wait_for("an answer", lambda: look(bank, a, b))[b]
    assert after in (before, before + 1)
    if told[0] is None:
        assert after == before + 1
    bank.sql(f"UPDATE a SET n = {before} WHERE id = {b}")


@pytest.mark.parametrize("sql,code", [("UPDATE a SET n = n + 1 WHERE id = {b}", None),
                                      ("INSERT INTO a VALUES ({b}, 1)", 1062)])
def test_a_shard_is_lost_behind_a_statement_elsewhere(bank, sql, code):
    """The statement's answer does not say that the transaction is gone: the next one's must,
    instead of running by itself."""
    testbed.wait_for("the shards", lambda: answers(bank), 60)
    (first, a), (second, b) = two_shards(bank)
    before = dict(bank.sql(f"SELECT id, n FROM a WHERE id IN ({a}, {b})"))
    said = []
    with bank.connect(read_timeout=60) as c:
        for step in "BEGIN", f"UPDATE a SET n = n - 1 WHERE id = {a}":
            assert testbed.Answer(c, step).error is None
        assert second.ask("BEGIN").error is None
        assert second.ask(f"UPDATE app.a SET n = n WHERE id = {b}").error is None
        waiting = threading.Thread(target=lambda: said.append(
            testbed.Answer(c, sql.format(b=b)).error))
        waiting.start()
        try:
            testbed.wait_for("the lock", lambda: second.runs(sql[:11]))
            kill_and_notice(bank, first)
        finally:
            second.ask("ROLLBACK")
        waiting.join(60)
        assert (said[0] and said[0][0]) == code, said
        lost = testbed.Answer(c, f"UPDATE a SET n = n + 1 WHERE id = {b}").error
        assert lost and lost[0] == 1927, lost
        assert testbed.Answer(c, "COMMIT").error is None
        testbed.wait_for("the shards to be back", lambda: answers(bank), 60)
        after = testbed.wait_for("an answer", lambda: look(bank, a, b))
        assert after == before


def test_what_the_only_writer_committed_outlives_its_server(bank):
    """XA COMMIT ... ONE PHASE does not: the branch is prepared again after a crash."""
    testbed.wait_for("the shards", lambda: answers(bank), 60)
    (_, a), (second, b) = two_shards(bank)
    ((before,),) = bank.sql(f"SELECT n FROM a WHERE id = {b}")
    with bank.connect(read_timeout=60) as c:
        for sql in ("BEGIN", f"SELECT n FROM a WHERE id = {a} FOR UPDATE",
                    f"UPDATE a SET n = n + 1 WHERE id = {b}", "COMMIT"):
            assert testbed.Answer(c, sql).error is None
        second.signal(signal.SIGKILL)
    testbed.wait_for("the shards to be back", lambda: answers(bank), 60)
    testbed.wait_for("the resolver", lambda: not any(
        bank.on_shard(s, "XA RECOVER") for s in bank.shard_list()))
    assert testbed.wait_for("an answer", lambda: look(bank, a, b))[b] == before + 1
    bank.sql(f"UPDATE a SET n = {before} WHERE id = {b}")


@pytest.mark.parametrize("step", STEPS)
def test_a_worker_is_killed(bank, step):
    run_step(bank, step, "worker")


@pytest.mark.parametrize("step,victim", [
    ("prepare", "first"), ("prepare", "second"), ("commit", "first"), ("finish", "second")])
def test_a_shard_is_killed(bank, step, victim):
    run_step(bank, step, victim)


@pytest.mark.parametrize("step", STEPS)
def test_a_client_leaves(bank, step):
    """Its worker ends what it has begun: nothing stays locked until the resolver looks, of
    which there is none here."""
    testbed.wait_for("the shards", lambda: answers(bank), 60)
    (first, a), (second, b) = two_shards(bank)
    before = dict(bank.sql(f"SELECT id, n FROM a WHERE id IN ({a}, {b})"))
    c = bank.connect(read_timeout=60)
    for sql in ("BEGIN", f"UPDATE a SET n = n - 1 WHERE id = {a}",
                f"UPDATE a SET n = n + 1 WHERE id = {b}"):
        assert testbed.Answer(c, sql).error is None
    commit = threading.Thread(target=lambda: testbed.Answer(c, "COMMIT"))
    with bank.controller_stopped():
        try:
            go_to(bank, step, first, second, commit)
            gone = bank.metric("shardd_clients_closed_total", reason="lost")
            c._sock.shutdown(socket.SHUT_RDWR)
            testbed.wait_for("its end to be noticed", lambda: bank.metric(
                "shardd_clients_closed_total", reason="lost") > gone)
        finally:
            for shard in first, second:
                shard.signal(signal.SIGCONT)
            if step == "commit":
                first.let_commits()
        commit.join(60)
        whole = {a: before[a] - 1, b: before[b] + 1}
        testbed.wait_for("its commit", lambda: look(bank, a, b) == whole)
        # A server shows the change a moment before it forgets the branch.
        testbed.wait_for("no branch", lambda: not second.ask("XA RECOVER").rows)
        bank.sql(f"UPDATE a SET n = n + 0 WHERE id IN ({a}, {b})")


@pytest.mark.long
@pytest.mark.parametrize("victim", ["first", "second", "controller"])
@pytest.mark.parametrize("step", STEPS)
def test_anything_is_killed(bank, step, victim):
    run_step(bank, step, victim)
