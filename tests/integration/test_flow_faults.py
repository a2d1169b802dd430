"""test_flow_faults.py - flows that are killed, servers that go away, logs that are no good."""
import contextlib
import os
import random
import re
import signal
import threading
import time

import pymysql
import pytest

import flowbed
import testbed
from outagebed import Wire
from test_flow import PLAIN, fill, loaded, new_bed, run, servers  # noqa: F401

SEED = int(os.environ.get("SEED", "1"))


def followed(bed, seconds=60):
    def look():
        s = bed.status()
        assert s["state"] != "failed", s
        return s["state"] == "following"
    testbed.wait_for("the copy to end", look, seconds)


def killed(bed, times):
    """The driver dies at random moments while the source is written to; at the end the targets
    have exactly the rows that move."""
    chance = random.Random(SEED)
    run(bed.servers[0], "INSERT INTO t SELECT seq * 2, seq % 1000, 'first', -seq "
                        "FROM seq_1_to_1500")
    loads = loaded(bed)
    for n in range(times):
        bed.driver.do("start", "f", 1, "copy")
        bed.driver.do("throttle", "f", 400 + 100 * n, 0)
        time.sleep(chance.random() * 0.6)
        assert bed.status()["state"] != "failed", bed.status()
        bed.driver.kill()
        bed.start_driver()
    bed.driver.do("start", "f", 1, "copy")
    followed(bed)
    assert sum(one.end() for one in loads) > 20
    bed.catch_up()
    bed.check()
    assert bed.stashed(2) == bed.stashed(3) == 0


def test_killed(new_bed):
    killed(new_bed(), 5)


@pytest.mark.long
def test_killed_often(new_bed):
    killed(new_bed(), 50)


@pytest.fixture
def own_servers(scratch):
    made = flowbed.servers(scratch / f"own{flowbed.Bed.job}",
                           settings="sync_binlog=1\ninnodb_flush_log_at_trx_commit=1\n")
    yield made
    for s in made:
        s.stop()


def servers_killed(servers, folder, times):
    chance = random.Random(SEED)
    bed = flowbed.Bed(servers, folder, (PLAIN,))
    run(servers[0], "INSERT INTO t SELECT seq * 2, seq % 1000, 'first', -seq FROM seq_1_to_1500")
    bed.driver.do("start", "f", 1, "copy")
    bed.driver.do("throttle", "f", 500, 0)
    for n in range(times):
        loads = loaded(bed, seeds=(10 * n + 1, 10 * n + 2))
        time.sleep(chance.random() * 0.5)
        which = servers[n % 3]
        for one in loads:
            one.over.set()
            if which is not servers[0]:
                one.end()
        which.process.kill()
        which.process.wait()
        for one in loads:
            one.join()
        which.start()
        for branch in flowbed.branches(servers[0]):
            servers[0].sql(f"XA {chance.choice(['COMMIT', 'ROLLBACK'])} {branch}")
        assert bed.status()["state"] != "failed", bed.status()
    followed(bed)
    bed.catch_up()
    bed.check()
    bed.close()


@pytest.mark.long
def test_servers_killed(own_servers, scratch):
    servers_killed(own_servers, scratch / "killed", 3)


@pytest.mark.long
def test_servers_killed_often(own_servers, scratch):
    servers_killed(own_servers, scratch / "killed2", 30)


# --- branches of XA: the holes ---

def prepare(server, name, *statements):
    """A prepared branch whose session is gone."""
    with server.connect(db="m") as c, c.cursor() as cursor:
        for sql in (f"XA START {name}", *statements, f"XA END {name}", f"XA PREPARE {name}"):
            cursor.execute(sql)
    name = name.replace("'", "").replace(",", "")
    testbed.wait_for("the session to end", lambda: not server.sql(
        "SELECT 1 FROM information_schema.PROCESSLIST WHERE DB = 'm'"))
    assert any(row[3] == name.encode() for row in server.sql("XA RECOVER"))


def looks(server):
    return int(server.sql("SHOW GLOBAL STATUS LIKE 'Com_xa_recover'")[0][1])


def test_branch_prepared_before_the_snapshot(new_bed):
    """Its rows are neither in the snapshot nor behind it in the log."""
    bed = new_bed()
    fill(bed.servers[0])
    prepare(bed.servers[0], "'p'", "INSERT INTO t SELECT seq, seq, 'xa', seq FROM seq_500_to_540",
            "UPDATE t SET v = 'xa' WHERE id < 20")
    before = looks(bed.servers[0])
    bed.driver.do("start", "f", 1, "copy")
    # The snapshot waits for the branches of its first look, and takes up those that came since.
    testbed.wait_for("the second look", lambda: looks(bed.servers[0]) > before + 1)
    prepare(bed.servers[0], "'q'", "INSERT INTO t SELECT seq, seq, 'xb', seq FROM seq_600_to_640",
            "DELETE FROM t WHERE id IN (91, 95, 100)")
    bed.servers[0].sql("XA COMMIT 'p'")
    followed(bed)
    assert bed.stashed(2) == 1
    bed.driver.do("stop", "f")
    bed.servers[0].sql("XA COMMIT 'q'")
    bed.driver.do("start", "f", 1, "copy")
    followed(bed)
    bed.catch_up()
    bed.check()
    assert bed.stashed(2) == 0


class Committing(threading.Thread):
    """XA COMMIT that is in the log and not in the engine: it waits for a replica's word, which
    does not come until the server is told to wait for none."""

    def __init__(self, server, name):
        super().__init__(daemon=True)
        self.server, self.name = server, name
        server.sql("SET GLOBAL rpl_semi_sync_master_wait_point = AFTER_SYNC, "
                   "GLOBAL rpl_semi_sync_master_timeout = 600000, "
                   "GLOBAL rpl_semi_sync_master_wait_no_slave = ON, "
                   "GLOBAL rpl_semi_sync_master_enabled = ON")
        before = self.position()
        self.start()
        testbed.wait_for("the commit in the log", lambda: self.position() != before)

    def position(self):
        return self.server.sql("SELECT @@gtid_binlog_pos")[0][0]

    def run(self):
        self.server.sql(f"XA COMMIT {self.name}")

    def end(self):
        self.server.sql("SET GLOBAL rpl_semi_sync_master_enabled = OFF")
        self.join(30)
        assert not self.is_alive()


def prepare_unlogged(server, name):
    with server.connect(db="m") as c, c.cursor() as cursor:
        for sql in ("SET SESSION sql_log_bin = OFF", f"XA START {name}",
                    "INSERT INTO unlogged VALUES (1)", f"XA END {name}", f"XA PREPARE {name}"):
            cursor.execute(sql)


class Behind:
    """A server at the end of a wire."""

    def __init__(self, server, wire):
        self.server, self.port = server, wire.port

    def __getattr__(self, name):
        return getattr(self.server, name)


def half_committed(source, start):
    """While `start` copies: at its second look the log shows XA COMMIT of rows that the engine has
    not committed. Returns what goes on with it."""
    prepare_unlogged(source, "'waited for'")  # so that there is a second look
    before = looks(source)
    start()
    testbed.wait_for("the first look", lambda: looks(source) > before)
    prepare(source, "'d'", "INSERT INTO t SELECT seq, seq, 'late', seq FROM seq_500_to_540",
            "UPDATE t SET v = 'late', k = k + 7 WHERE id < 20", "DELETE FROM t WHERE id > 90")
    committing = Committing(source, "'d'")
    with source.connect() as c, c.cursor() as cursor:
        cursor.execute("SET SESSION sql_log_bin = OFF")
        cursor.execute("XA ROLLBACK 'waited for'")
    assert source.sql("XA RECOVER")[0][3] == b"d"
    return committing


def waiting(server):
    return [row for row in server.sql("SHOW PROCESSLIST")
            if row[6] in ("Waiting for semi-sync ACK from slave", "Commit")]


def ready_for_half(bed):
    run(bed.servers[0], "SET SESSION sql_log_bin = OFF",
        "CREATE TABLE unlogged (id INT PRIMARY KEY)")
    fill(bed.servers[0])


def test_branch_that_is_being_committed_holds_up_the_snapshot(new_bed):
    """Its XA COMMIT is in the log and its rows are not in the engine: no snapshot is taken there,
    so none has a position that its rows do not have."""
    bed = new_bed()
    ready_for_half(bed)
    committing = half_committed(bed.servers[0], lambda: bed.driver.do("start", "f", 1, "copy"))
    try:
        testbed.wait_for("the snapshot to give up", lambda: bed.status().get("error"))
        assert all(s.sql("SELECT COUNT(*) FROM m.t") == ((0,),) for s in bed.servers[1:])
    finally:
        committing.end()
    followed(bed)
    bed.catch_up()
    bed.check()


def test_branch_committed_before_a_snapshot_that_does_not_see_it(servers, scratch):  # noqa: F811
    """As above, on a server whose BLOCK_COMMIT does not wait for a commit under way: the rows come
    when the copy is over."""
    wire = Wire(servers[0].port, lambda data: data.replace(
        b"BACKUP STAGE BLOCK_COMMIT", b"BACKUP STAGE BLOCK_DDL   "))
    bed = flowbed.Bed([Behind(servers[0], wire), *servers[1:]],
                      scratch / f"flowbed{flowbed.Bed.job}", (PLAIN,))
    ready_for_half(bed)
    committing = half_committed(bed.servers[0], lambda: bed.driver.do("start", "f", 1, "copy"))
    try:
        # What the copy notes on the source waits as well, with the rows behind it.
        testbed.wait_for("the copy of rows as they were", lambda: bed.status()["state"] == "copying"
                         and len(waiting(bed.servers[0])) > 1)
        assert bed.status()["stashed"] == 2, bed.status()  # on two targets
    finally:
        committing.end()
    followed(bed)
    bed.catch_up()
    bed.check()
    assert bed.stashed(2) == bed.stashed(3) == 0
    bed.close()
    wire.close()


def test_branch_survives_a_kill(new_bed):
    bed = new_bed()
    run(bed.servers[0], "CREATE TABLE other (id INT PRIMARY KEY)")
    fill(bed.servers[0])
    bed.driver.do("start", "f", 1, "copy")
    followed(bed)
    prepare(bed.servers[0], "'s','1'", "UPDATE t SET v = 'xa', k = k + 7 WHERE id < 60",
            "DELETE FROM t WHERE id > 80")
    prepare(bed.servers[0], "'s','2'", "INSERT INTO t VALUES (7000, 7, 'never', 7000)")
    prepare(bed.servers[0], "'empty'", "INSERT INTO other VALUES (1)")
    bed.catch_up()
    assert bed.stashed(2) >= 2
    bed.driver.kill()
    bed.start_driver()
    bed.servers[0].sql("XA COMMIT 's','1'")
    bed.servers[0].sql("XA ROLLBACK 's','2'")
    bed.servers[0].sql("XA COMMIT 'empty'")
    bed.driver.do("start", "f", 1, "copy")
    followed(bed)
    bed.catch_up()
    bed.check()
    assert bed.stashed(2) == bed.stashed(3) == 0


@pytest.mark.long
def test_large_branch(new_bed):
    bed = new_bed()
    bed.follow()
    prepare(bed.servers[0], "'large'",
            "INSERT INTO t SELECT seq, seq, REPEAT('x', 100), seq FROM seq_1_to_30000")
    bed.catch_up()
    bed.driver.kill()
    bed.start_driver()
    bed.driver.do("start", "f", 1, "follow")
    bed.servers[0].sql("XA COMMIT 'large'")
    bed.catch_up()
    bed.check()


def forge(bed, target, sql):
    """Changes what the applier knows of a branch, as another history would have left it."""
    bed.driver.do("stop", "f")
    bed.servers[target - 1].sql(sql)
    bed.driver.do("start", "f", 1, "follow")


def test_repeated_commit_of_a_branch(new_bed):
    """A source that is killed between log and engine logs the same XA COMMIT again. The second
    one is forged: the log is read again from in front of it, behind the first one."""
    bed = new_bed()
    fill(bed.servers[0])
    bed.driver.do("start", "f", 1, "copy")
    followed(bed)
    prepare(bed.servers[0], "'r'", "UPDATE t SET v = 'xa', k = k + 7 WHERE id < 60")
    bed.catch_up()
    before = bed.position()
    bed.servers[0].sql("XA COMMIT 'r'")
    bed.catch_up()
    bed.check()
    for t in (2, 3):
        forge(bed, t, f"UPDATE shardd_move.stream SET position = '{before}' "
                      f"WHERE job = {bed.number}")
    bed.catch_up()
    bed.check()


def test_unknown_branch(new_bed):
    """The log shows a commit and did not show what is committed."""
    bed = new_bed()
    fill(bed.servers[0])
    prepare(bed.servers[0], "'u'", "UPDATE t SET v = 'xa' WHERE id < 60")
    bed.put_position((2, 3))
    bed.driver.do("start", "f", 1, "follow")
    bed.servers[0].sql("XA COMMIT 'u'")
    assert "did not show" in bed.wait_failed()


def test_branch_over_before_the_copy(new_bed):
    """As above, but nothing was copied at that time: the snapshot has the rows."""
    bed = new_bed()
    fill(bed.servers[0])
    prepare(bed.servers[0], "'o'", "UPDATE t SET v = 'xa' WHERE id < 60")
    bed.driver.do("start", "f", 1, "copy")
    time.sleep(0.2)
    prepare(bed.servers[0], "'o2'", "UPDATE t SET v = 'xb' WHERE id > 60")
    bed.servers[0].sql("XA COMMIT 'o'")
    bed.servers[0].sql("XA ROLLBACK 'o2'")
    followed(bed)
    bed.catch_up()
    bed.check()


# --- what stops a flow ---

STOPS = { # see test_follow_text.c for more
    "ALTER TABLE t ADD COLUMN c INT": "ALTER TABLE t",
    "SET STATEMENT binlog_format = STATEMENT FOR UPDATE t SET v = 's' WHERE id = 1": "UPDATE t",
    "SET STATEMENT binlog_row_image = MINIMAL FOR UPDATE t SET v = 's' WHERE id = 1":
        "binlog_row_image=FULL",
}


@pytest.mark.parametrize("sql", STOPS)
def test_stops(new_bed, sql):
    bed = new_bed()
    fill(bed.servers[0])
    bed.follow()
    run(bed.servers[0], sql)
    error = bed.wait_failed()
    assert STOPS[sql] in error and "cancel the move" in error, error
    assert not bed.driver.ask("hold", "f", "here", 5000)["ok"]


def test_diverged(new_bed):
    bed = new_bed()
    fill(bed.servers[0])
    bed.driver.do("start", "f", 1, "copy")
    followed(bed)
    ((some,),) = bed.servers[1].sql("SELECT MIN(id) FROM m.t")
    run(bed.servers[1], f"DELETE FROM t WHERE id = {some}")
    run(bed.servers[0], "UPDATE t SET v = 'x'")
    error = bed.wait_failed()
    assert f"key ({some})" in error and "m.t" in error and "missing" in error, error


def test_diverged_by_a_double(new_bed):
    bed = new_bed()
    bed.follow()
    run(bed.servers[1], "INSERT INTO t SELECT seq, seq, 'theirs', NULL FROM seq_1_to_100")
    fill(bed.servers[0])
    error = bed.wait_failed()
    assert "there already" in error and "m.t" in error, error


def test_purged(new_bed):
    bed = new_bed()
    fill(bed.servers[0])
    bed.put_position((2, 3))
    for _ in range(3):
        run(bed.servers[0], "UPDATE t SET v = CONCAT(v, '.')", "FLUSH BINARY LOGS")
    ((last, *_),) = bed.servers[0].sql("SHOW MASTER STATUS")
    testbed.wait_for("the log to be purged", lambda: bed.servers[0].sql(
        f"PURGE BINARY LOGS TO '{last}'") or len(bed.servers[0].sql("SHOW BINARY LOGS")) == 1)
    bed.driver.do("start", "f", 1, "follow")
    assert "no longer has the binary log" in bed.wait_failed()


# --- being held ---

def test_hold(new_bed):
    bed = new_bed()
    bed.follow()
    fill(bed.servers[0])
    bed.hold()
    at = bed.position()
    bed.check()
    before = bed.rows(2, "t")
    run(bed.servers[0], "UPDATE t SET v = 'later'")
    time.sleep(0.1)
    assert bed.rows(2, "t") == before and bed.status()["state"] == "held"
    bed.driver.do("hold", "f", bed.position(), 60000)  # from there to a later one
    bed.check()
    answer = bed.driver.ask("hold", "f", at, 20000)
    assert not answer["ok"] and "past" in answer["error"], answer
    bed.driver.do("hold", "f", "here", 60000)
    bed.driver.do("release", "f")
    later = bed.position().split("-")
    later[-1] = str(int(later[-1]) + 100000)
    # Who is to stop waits for nothing.
    assert not bed.driver.ask("hold", "f", "-".join(later), 600000, "stopped")["ok"]
    answer = bed.driver.ask("hold", "f", "-".join(later), 200)
    assert not answer["ok"] and answer["code"] == 1205, answer
    run(bed.servers[0], "UPDATE t SET v = 'last'")
    bed.catch_up()
    bed.check()
    assert not bed.driver.ask("hold", "f", "nonsense", 200)["ok"]


def test_hold_counts_only_what_has_an_effect(new_bed):
    """Other tables of the source may go on: the position is not passed by them."""
    bed = new_bed()
    bed.follow()
    run(bed.servers[0], "CREATE TABLE other (id INT PRIMARY KEY)")
    fill(bed.servers[0])
    at = bed.position()
    run(bed.servers[0], "INSERT INTO other VALUES (1), (2)")
    later = bed.position()
    testbed.wait_for("the flow to be past it", lambda: bed.status()["position"] != at)
    bed.driver.do("hold", "f", at, 60000)
    bed.driver.do("hold", "f", later, 60000)
    bed.check()


# --- both ways, large, stopped ---

def test_forward_and_reverse_do_not_loop(new_bed):
    """The way back keeps the old rows as the new ones are, and its own writes come to an end."""
    bed = new_bed()
    fill(bed.servers[0])
    bed.driver.do("start", "f", 1, "copy")
    followed(bed)
    bed.hold()
    for t in (2, 3):
        bed.put_position((1,), source=t)
        bed.driver.do("start", f"r{t}", t, "follow", "reverse")
    ((low, high),) = bed.servers[1].sql("SELECT MIN(id), MAX(id) FROM m.t")
    run(bed.servers[1], f"UPDATE t SET v = 'back' WHERE id = {low}",
        f"DELETE FROM t WHERE id = {high}")
    own = bed.moving("t", 2)
    key = next(r[1] for r in own if r[0] == low)
    run(bed.servers[1], f"INSERT INTO t VALUES (9000, {key}, 'new', 9000)")
    for t in (2, 3):
        bed.catch_up(f"r{t}", source=t)
    assert bed.moving("t", 2) == bed.rows(2, "t")
    assert bed.moving("t", 3) == bed.rows(3, "t")
    out = {r[0] for r in bed.servers[0].sql(f"SELECT k FROM shardd_move.out_{bed.number}_0")}
    assert {r[1] for r in bed.rows(2, "t")} <= out
    bed.driver.do("release", "f")
    bed.catch_up()

    def positions():
        return [bed.position(i) for i in (1, 2, 3)]
    def rest():
        before = positions()
        time.sleep(2.5)  # longer than positions are kept back
        return positions() == before
    testbed.wait_for("the writes to come to an end", rest, 30)


@pytest.mark.long
def test_large_transaction(new_bed):
    bed = new_bed(((PLAIN[0], "id INT PRIMARY KEY, k INT NOT NULL, v MEDIUMTEXT, u INT", "k"),))
    bed.follow()
    pid = bed.driver.process.pid
    start = testbed.memory_kib(pid)
    run(bed.servers[0], "INSERT INTO t SELECT seq, seq, REPEAT(CHAR(65 + seq % 26), 10000), seq "
        "FROM seq_1_to_16000")
    bed.catch_up()
    grown = testbed.memory_kib(pid) - start
    assert grown < 80 * 1024, f"{grown} KiB more for a transaction of 160 MB"
    for t in (2, 3):
        have = bed.servers[t - 1].sql("SELECT COUNT(*), SUM(CRC32(v)), SUM(id) FROM m.t")[0]
        ids = ",".join(str(r[0]) for r in bed.servers[t - 1].sql("SELECT id FROM m.t"))
        want = bed.servers[0].sql("SELECT COUNT(*), SUM(CRC32(v)), SUM(id) FROM m.t "
                                  f"WHERE id IN ({ids})")[0]
        assert have == want and have[0] > 1000


def test_stops_at_once(new_bed):
    """Also when servers do not answer."""
    bed = new_bed()
    bed.follow()
    fill(bed.servers[0])
    bed.catch_up()
    for s in bed.servers[1:]:
        testbed.stop_process(s.process.pid)
    try:
        run(bed.servers[0], "UPDATE t SET v = 'x'")
        time.sleep(0.3)
        begin = time.monotonic()
        bed.driver.do("stop", "f")
        assert time.monotonic() - begin < 5 * testbed.slowness()
    finally:
        for s in bed.servers[1:]:
            os.kill(s.process.pid, signal.SIGCONT)
    bed.driver.do("start", "f", 1, "follow")
    bed.catch_up()
    bed.check()


@pytest.mark.long
def test_target_locked(new_bed):
    """Somebody holds a row on the target for longer than a lock wait."""
    bed = new_bed()
    fill(bed.servers[0])
    bed.driver.do("start", "f", 1, "copy")
    followed(bed)
    with bed.servers[1].connect(db="m", autocommit=False) as c, c.cursor() as cursor:
        cursor.execute("SELECT * FROM t FOR UPDATE")
        run(bed.servers[0], "UPDATE t SET v = 'x'")
        time.sleep(6)
        assert bed.status()["state"] == "following"
        c.rollback()
    bed.catch_up()
    bed.check()


def files_of(pid):
    """Those without a name: how large, and which."""
    found = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):  # it is closed just now
            path = f"/proc/{pid}/fd/{fd}"
            if re.search("flowbed.*/#", os.readlink(path)):
                found.append((os.stat(path).st_size, os.readlink(path)))
    return found


def test_a_target_that_is_away_is_behind_alone(new_bed):
    """By more than the queue has room for, which is 16 MB."""
    bed = new_bed(((PLAIN[0], "id INT PRIMARY KEY, k INT NOT NULL, v MEDIUMTEXT, u INT", "k"),))
    n = 10000
    bed.follow()
    bed.catch_up()
    testbed.stop_process(bed.servers[2].process.pid)
    try:
        for start in range(0, n, 200):  # and one large transaction
            run(bed.servers[0], "INSERT INTO t SELECT seq, seq, REPEAT(CHAR(65 + seq % 26), 10000),"
                f" seq FROM seq_{start + 1}_to_{start + 200}")
            if start == n // 2:
                run(bed.servers[0], f"UPDATE t SET u = -u WHERE id < {n // 3}")
        wanted = sum(owner == 2 for owner in bed.owners("t", range(1, n + 1)).values())
        testbed.wait_for("the other target's rows", lambda: bed.servers[1].sql(
            "SELECT COUNT(*) FROM m.t")[0][0] == wanted, 60)
        assert bed.status()["state"] == "following", bed.status()
        pid = bed.driver.process.pid
        assert sum(size for size, _ in files_of(pid)) > 1 << 20, files_of(pid)
    finally:
        os.kill(bed.servers[2].process.pid, signal.SIGCONT)
    bed.catch_up()
    bed.check()
    testbed.wait_for("the file to go", lambda: not files_of(pid))
