"""The programs: settings, signals, stopping and starting again, installing."""
import os
import signal
import subprocess
import time

import pymysql
import pytest

import testbed


def shardd(*args):
    return subprocess.run([testbed.SHARDD, *args], capture_output=True, text=True, timeout=60)


def test_settings_are_checked(tmp_path):
    path = tmp_path / "shardd.conf"
    path.write_text("workers = 2;\nlisten = \"127.0.0.1:7999\";\n")
    assert shardd("-t", "-c", path).returncode == 0
    path.write_text("workers = 2;\nlisen = \"x\";\npool_max = 0;\n")
    done = shardd("-t", "-c", path)
    assert done.returncode == 1
    assert f"{path}:2: lisen: there is no such setting; did you mean listen?" in done.stderr
    assert f"{path}:3: pool_max:" in done.stderr
    assert shardd("-t", "-c", tmp_path / "nothing").returncode == 1


def test_the_example_file_is_right():
    assert shardd("-t", "-c", testbed.ROOT / "systemd" / "shardd.conf").returncode == 0


def test_help_and_usage():
    done = shardd("--help")
    assert done.returncode == 0 and "max_clients" in done.stdout
    assert shardd("--nonsense").returncode == 2
    assert shardd("--version").returncode == 0


def test_sighup_reloads(new_cluster):
    cluster = new_cluster(workers=1)
    held = [cluster.connect(db=None) for _ in range(5)]
    workers = cluster.worker_pids()

    def refused():
        try:
            cluster.connect(db=None).close()
            return False
        except pymysql.err.OperationalError as error:
            return error.args[0] == 1040

    with cluster.reloaded(max_clients=5):
        testbed.wait_for("the new limit", refused)
        (cluster.home / "shardd.conf").write_text('max_clients = "nonsense";\n')
        os.kill(cluster.master(), signal.SIGHUP)  # a mistake changes nothing
        time.sleep(0.3)
        assert refused()
        assert [testbed.Answer(c, "SELECT 1").rows for c in held] == [[(1,)]] * 5
        assert cluster.worker_pids() == workers
    testbed.wait_for("the old limit", lambda: not refused())
    for c in held:
        c.close()


def test_sigterm_drains(new_cluster):
    cluster = new_cluster(workers=2)
    cluster.sql("CREATE TABLE t (id BIGINT PRIMARY KEY)")
    with cluster.connect() as c, c.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("INSERT INTO t VALUES (1)")
        master = cluster.master()
        os.kill(master, signal.SIGTERM)
        time.sleep(0.3)
        cursor.execute("INSERT INTO t VALUES (2), (3), (4), (5)")
        c.commit()
    testbed.wait_for("shardd to end or be replaced", lambda: cluster.master() != master)
    testbed.wait_for("shardd to be back", cluster.ready, 60)
    assert len(cluster.sql("SELECT * FROM t")) == 5


def test_sigquit_stops_now(new_cluster):
    cluster = new_cluster(workers=2, settings=("--set", "drain_s = 3600"))
    c = cluster.connect()
    testbed.Answer(c, "BEGIN")
    master = cluster.master()
    os.kill(master, signal.SIGQUIT)  # drain_s, an hour, does not count
    testbed.wait_for("the end", lambda: not testbed.alive(master))
    testbed.wait_for("shardd to be back", cluster.ready, 60)
    assert cluster.sql("SELECT 1") == ((1,),)


def test_a_killed_master_leaves_its_workers_serving(new_cluster):
    cluster = new_cluster(workers=2)
    clients = [cluster.connect() for _ in range(10)]
    master = cluster.master()
    os.kill(master, signal.SIGKILL)
    for _ in range(5):
        assert [testbed.Answer(c, "SELECT 1").rows for c in clients] == [[(1,)]] * 10
        time.sleep(0.05)
    testbed.wait_for("a new master", lambda: cluster.master() not in (None, master), 60)
    testbed.wait_for("shardd to be back", cluster.ready, 60)
    assert [testbed.Answer(c, "SELECT 1").rows for c in clients] == [[(1,)]] * 10
    for _ in range(10):
        assert cluster.sql("SELECT 1") == ((1,),)
    for c in clients:
        c.close()


def test_down_and_up_loses_nothing(new_cluster):
    cluster = new_cluster()
    cluster.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, s VARCHAR(20))")
    cluster.sql("INSERT INTO t VALUES " + ",".join(f"({i}, 'row {i}')" for i in range(500)))
    before = cluster.sql("SELECT * FROM t ORDER BY id")
    spread = cluster.spread("t")
    cluster.down()
    cluster.up()
    assert cluster.sql("SELECT * FROM t ORDER BY id") == before
    assert cluster.spread("t") == spread


def test_killed_all_at_once(new_cluster):
    """As a power cut would: what was committed is there afterwards."""
    cluster = new_cluster()
    cluster.sql("CREATE TABLE t (id BIGINT PRIMARY KEY)")
    for start in range(0, 200, 20):
        cluster.sql("INSERT INTO t VALUES " + ",".join(
            f"({i})" for i in range(start, start + 20)))
    for pid in testbed.processes_of(cluster.home):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    testbed.wait_for("the end", lambda: not testbed.processes_of(cluster.home))
    cluster.up()
    assert len(cluster.sql("SELECT id FROM t")) == 200


def test_a_port_that_is_taken_is_said(scratch, plain):
    cluster = testbed.Cluster.__new__(testbed.Cluster)
    cluster.home = scratch / "taken"
    done = cluster.ctl_raw("up", "--shards", 1, "--port", plain.port, "--http-port",
                           testbed.free_port(), "--detach", timeout=120)
    try:
        assert done.returncode == 1
        assert str(plain.port) in done.stderr + done.stdout
    finally:
        cluster.ctl_raw("down")
    testbed.wait_for("the end", lambda: not testbed.processes_of(cluster.home))


def test_two_clusters_side_by_side(new_cluster):
    clusters = [new_cluster(shards=1, workers=1), new_cluster(shards=1, workers=1)]
    for i, cluster in enumerate(clusters):
        cluster.sql("CREATE TABLE t (id BIGINT PRIMARY KEY)")
        cluster.sql("INSERT INTO t VALUES (%s)", (i,))
    for i, cluster in enumerate(clusters):
        assert cluster.sql("SELECT id FROM t") == ((i,),)


@pytest.mark.skipif(testbed.MODE != "release", reason="installs the release build")
def test_install_and_uninstall(tmp_path):
    make = ["make", "-C", testbed.ROOT, f"DESTDIR={tmp_path}", "PREFIX=/usr"]
    subprocess.run([*make, "install"], check=True, capture_output=True)
    files = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert files == {
        "usr/sbin/shardd", "usr/sbin/shardctl", "usr/share/man/man8/shardd.8",
        "usr/share/man/man8/shardctl.8", "usr/share/man/man5/shardd.conf.5",
        "usr/share/man/man7/shardd-operations.7", "usr/share/man/man7/shardd-sql.7",
        "usr/lib/systemd/system/shardd.service", "usr/lib/systemd/system/shardctl.service",
        "usr/lib/systemd/system/shardd-mariadb@.service",
        "usr/share/polkit-1/rules.d/shardd.rules",
        "usr/lib/sysusers.d/shardd.conf", "usr/lib/tmpfiles.d/shardd.conf",
        "etc/shardd/shardd.conf"} | {
        f"usr/share/shardd/monitoring/{p.relative_to(testbed.ROOT / 'systemd/monitoring')}"
        for p in (testbed.ROOT / "systemd/monitoring").rglob("*") if p.is_file()}
    assert "/usr/sbin/shardd -c" in (
        tmp_path / "usr/lib/systemd/system/shardd.service").read_text()
    done = subprocess.run([tmp_path / "usr/sbin/shardd", "--version"], capture_output=True)
    assert done.returncode == 0
    subprocess.run([*make, "uninstall"], check=True, capture_output=True)
    left = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert left == {"etc/shardd/shardd.conf"}  # settings are the user's
