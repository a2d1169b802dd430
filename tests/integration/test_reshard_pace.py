"""test_reshard_pace.py - how fast rows move, when they are switched, and what people see of it."""
import os
import pty
import re
import subprocess
import threading
import time

import pytest

from testbed import Cluster, Server, SHARDCTL, wait_for

ROWS = 8000
TEXT = "x" * 500


@pytest.fixture(scope="module")
def remote(scratch):
    server = Server(scratch / "far", settings="log_bin=b\nbinlog_format=ROW\nserver_id=77\n")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def c(scratch, remote):
    """shard-1 has all rows; `far` is reached by TCP."""
    cluster = Cluster(scratch / "pace", shards=1)
    cluster.ctl("shard add", "--adopt", f"127.0.0.1:{remote.port}", "--user", "app", "--password",
                "app", "--name", "far")
    cluster.sql(f"CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR({len(TEXT)}))")
    for start in range(0, ROWS, 2000):
        cluster.sql("INSERT INTO t VALUES " +
                    ",".join(f"({i}, '{TEXT}')" for i in range(start, start + 2000)))
    yield cluster
    try:
        assert cluster.sql("SELECT COUNT(*), SUM(id) FROM t") == ((ROWS, ROWS * (ROWS - 1) // 2),)
        cluster.fsck()
    finally:
        cluster.down()
        cluster.forget()


@pytest.fixture
def begin(c):
    """Begins a move of half the rows to `far`; it is cancelled at the end."""
    def split(*options):
        return c.ctl("reshard split", "shard-1", "--to", "far", *options)["job"]
    yield split
    if any(j["state"] in ("running", "paused") for j in c.ctl("job list")["jobs"]):
        asked = c.ctl_raw("job cancel", "--wait", timeout=120)
        if asked.returncode != 0:
            assert c.ctl_raw("reshard reverse", "--wait", timeout=120).returncode == 0, asked


def job(c, number):
    return c.ctl("job show", number)


def progress(c, number):
    return job(c, number).get("progress") or {}


def copying(c, number):
    return job(c, number)["phase"] == "copy" and progress(c, number).get("rows", 0) > 0


def test_a_busy_source_slows_the_copy_down(c, begin):
    """Eight statements run there at any time: more than the four that are nothing."""
    stop = threading.Event()

    def wait(i):
        with c.connect() as connection, connection.cursor() as cursor:
            while not stop.is_set():
                cursor.execute("SELECT SLEEP(0.5) FROM t WHERE id = %s", (i,))
    threads = [threading.Thread(target=wait, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    try:
        number = begin("--throttle", "rows=2000,floor=10", "--cutover", "manual")
        wait_for("the copy to be slowed down", lambda: re.search(
            r"shard-1 runs \d+ statements of applications at once \(running=4\)",
            progress(c, number).get("slowed") or ""), 30)
        assert "slowed" in c.ctl_raw("job show", number).stdout
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    c.ctl("job throttle", "off")
    wait_for("the copy", lambda: job(c, number)["phase"] == "follow", 30)


def on_terminal(words, seconds):
    """What shardctl draws on a terminal until the job is cancelled."""
    master, slave = pty.openpty()
    process = subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    out, until = b"", time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            out += os.read(master, 4096)
        except OSError:
            break
    os.close(master)
    assert process.wait(60) == 1  # it was cancelled
    return out.decode()


def test_watching(c, begin):
    number = begin("--throttle", "500", "--cutover", "manual")
    wait_for("the copy", lambda: copying(c, number), 30)
    shown = c.ctl_raw("job show", number).stdout
    assert "at most 500 rows per second are asked for" in shown, shown
    assert re.search(r"throttle +auto,running=4,slower=125,floor=29,rows=500", shown), shown
    watch = threading.Timer(1, lambda: c.ctl("job cancel", number))
    watch.start()
    drawn = on_terminal([str(SHARDCTL), "job", "watch", str(number), "--home", str(c.home)], 60)
    watch.join()
    assert re.search(r"\x1b\[\dA\r\x1b\[J", drawn), drawn[-2000:]  # drawn over
    assert re.search(r"tables   0/1, app.t\r\n", drawn), drawn[-2000:]
    assert re.search(r"rows     \d+ of ~\d+  \[#*-*\]  \d+ %  \d+ rows/s", drawn), drawn[-2000:]
    assert "slowed   at most 500 rows" in drawn, drawn[-2000:]
    assert drawn.endswith("to far  cancelled\r\n\x1b[?7h"), drawn[-500:]
    plain = c.ctl_raw("job watch", number).stdout
    assert plain.strip() == f"job {number}  cancelled", plain


def test_copies_are_removed_beside_an_old_snapshot(c, begin, remote):
    """Removing waits for the server to forget what is gone, but not for one that cannot."""
    number = begin("--cutover", "manual")
    wait_for("the copy", lambda: job(c, number)["phase"] == "follow", 60)
    with remote.connect() as old, old.cursor() as cursor:
        cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        cursor.execute("SELECT COUNT(*) FROM app.t")
        copied = cursor.fetchone()
        c.ctl_raw("job cancel")
        wait_for("the copies to be gone",
                 lambda: remote.sql("SELECT COUNT(*) FROM app.t") == ((0,),), 60)
        cursor.execute("SELECT COUNT(*) FROM app.t")
        assert cursor.fetchone() == copied != (0,)
    wait_for("the end", lambda: job(c, number)["state"] == "cancelled", 60)


def test_bytes_per_second(c, begin):
    rate = 1_200_000
    start = time.monotonic()
    number = begin("--throttle", "floor=100,slower=10000", "--max-rate", f"{rate // 1000}KB/s",
                   "--cutover", "manual")
    wait_for("the copy", lambda: job(c, number)["phase"] == "follow", 60)
    seconds = time.monotonic() - start
    sent = progress(c, number)["bytes"]
    assert sent > ROWS * len(TEXT) / 3, sent
    assert sent / seconds < rate * 1.2, (sent, seconds)


def test_compressed(c, begin, remote):
    def received():
        return int(remote.sql("SHOW GLOBAL STATUS LIKE 'Bytes_received'")[0][1])
    before = received()
    number = begin("--compress", "--cutover", "manual")
    wait_for("the copy", lambda: job(c, number)["phase"] == "follow", 60)
    assert progress(c, number)["bytes"] > ROWS * len(TEXT) / 3
    assert received() - before < progress(c, number)["bytes"] / 3
    wait_for("the comparison", lambda: "verified" in job(c, number), 60)
    c.sql(f"UPDATE t SET v = REPEAT('y', {len(TEXT)}) WHERE id < 500")  # what is followed, too
    assert c.ctl_raw("reshard cutover", "--wait", timeout=120).returncode == 0
    assert c.sql("SELECT COUNT(*) FROM t WHERE v LIKE 'yyy%'") == ((500,),)
    c.sql(f"UPDATE t SET v = '{TEXT}'")
    assert c.ctl_raw("reshard reverse", "--wait", timeout=120).returncode == 0


def test_windows(c, begin):
    done = c.ctl_raw("reshard split", "shard-1", "--to", "far", "--window", "1-5")
    assert done.returncode == 1 and "'1-5' is no window" in done.stderr, done
    hour = time.gmtime().tm_hour
    closed = f"{(hour + 12) % 24:02}:00-{(hour + 13) % 24:02}:00"
    number = begin("--window", closed)
    wait_for("the comparison", lambda: "verified" in job(c, number), 60)
    wait_for("the window to be waited for", lambda: progress(c, number).get("window_s", 0) >
             10 * 3600, 10)
    assert job(c, number)["phase"] in ("follow", "verify")
    assert "until its window opens" in line_of(c, number)
    assert c.ctl_raw("reshard cutover", "--wait", timeout=120).returncode == 0  # people may
    assert job(c, number)["phase"] == "reverse"
    assert c.ctl_raw("reshard reverse", "--wait", timeout=120).returncode == 0
    number = begin("--window", closed, "--window", f"{hour:02}:00-{(hour + 2) % 24:02}:00")
    wait_for("the switch", lambda: job(c, number)["phase"] == "reverse", 60)
    assert c.ctl_raw("reshard reverse", "--wait", timeout=120).returncode == 0


def test_a_switch_that_is_asked_for_is_tried_again(c, begin):
    """A transaction is in its way at first: who waits for it waits no longer than that."""
    number = begin("--cutover", "manual")
    wait_for("the comparison", lambda: "verified" in job(c, number), 60)
    with c.connect() as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT COUNT(*) FROM t FOR UPDATE")
        asked = subprocess.Popen([str(SHARDCTL), "reshard", "cutover", "--wait", "--home",
                                  str(c.home)], stdout=subprocess.DEVNULL)
        wait_for("a try in vain", lambda: "error" in (job(c, number).get("last_cutover") or {}))
        cursor.execute("ROLLBACK")
    assert asked.wait(60) == 0
    assert job(c, number)["phase"] == "reverse"
    assert c.ctl_raw("reshard reverse", "--wait", timeout=120).returncode == 0


def line_of(c, number):
    watch = subprocess.Popen([str(SHARDCTL), "job", "watch", str(number), "--home", str(c.home)],
                             stdout=subprocess.PIPE, text=True)
    line = watch.stdout.readline()
    watch.terminate()
    watch.wait()
    return line


@pytest.mark.long
def test_even_by_load(c):
    """All statements go to the shard that has all keys: half of the load is to go."""
    stop = threading.Event()

    def read(i):
        with c.connect() as connection, connection.cursor() as cursor:
            while not stop.is_set():
                i = (i + 7) % ROWS
                cursor.execute("SELECT v FROM t WHERE id = %s", (i,))
    threads = [threading.Thread(target=read, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    try:
        plan = wait_for("a plan", lambda: c.ctl_raw("reshard rebalance", "--by", "load",
                                                    "--dry-run").stdout, 90)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert re.search(r"shard-1 +far +\d+ +\d+", plan), plan
