"""shardd's processes alone: no shards, no controller, so no routes."""
import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.request

import pymysql
import pytest

import testbed

NO_ROUTES = 1105


class Shardd:
    """One shardd with settings of its own, in `folder`."""

    def __init__(self, folder, workers=2, **settings):
        self.folder = pathlib.Path(folder)
        self.instance = f"it{os.getpid()}x{testbed.free_port()}"
        self.port, self.http_port = testbed.free_port(), testbed.free_port()
        self.control = self.folder / "control"
        self.settings = {"instance": f'"{self.instance}"', "workers": workers,
                         "listen": f'"127.0.0.1:{self.port}"',
                         "http": f'"127.0.0.1:{self.http_port}"', "control": f'"{self.control}"',
                         "controller": f'"{self.folder}/none"', "log_format": '"human"',
                         "max_clients": 200, **settings}
        self.command = []  # by which it is started
        self.masters = []
        self.seen = set()

    def start(self, wait=True, environment=None):
        path = self.folder / "conf"
        path.write_text("".join(f"{k} = {v};\n" for k, v in self.settings.items()))
        self.log = self.folder / f"log{len(self.masters)}"
        with open(self.log, "w") as out:
            self.masters.append(subprocess.Popen(
                [*self.command, testbed.SHARDD, "-c", path], stdin=subprocess.DEVNULL,
                stdout=out, stderr=out, env={**os.environ, **(environment or {})}))
        if wait:
            testbed.wait_for("shardd to listen or to end", lambda: self.master.poll() is not None
                             or self.said("workers listen on"))
            assert self.said("workers listen on"), self.log.read_text()
        return self

    @property
    def master(self):
        return self.masters[-1]

    def said(self, text):
        return text in self.log.read_text()

    def workers(self):
        pids = [p for p in testbed.children(self.master.pid) if testbed.alive(p)]
        self.seen.update(pids)
        return pids

    def signal(self, number):
        self.workers()
        os.kill(self.master.pid, number)

    def ended(self, seconds=testbed.PATIENCE_S):
        return self.master.wait(seconds)

    def http(self, path):
        url = f"http://127.0.0.1:{self.http_port}{path}"
        try:
            with urllib.request.urlopen(url, timeout=testbed.PATIENCE_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def greeting(self):
        """The code of the error that a client gets."""
        with pytest.raises(pymysql.err.OperationalError) as caught:
            pymysql.connect(host="127.0.0.1", port=self.port, user="x", password="x")
        return caught.value.args[0]

    def clean(self):
        for master in self.masters:
            if master.poll() is None:
                self.workers()
                master.kill()
                master.wait()
        for pid in self.seen:
            with contextlib.suppress(OSError):
                if str(self.folder).encode() in pathlib.Path(
                        f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)
            testbed.wait_for("a worker's end", lambda pid=pid: not testbed.alive(pid))
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"/dev/shm/shardd-{self.instance}-slots")


@pytest.fixture
def shardd(tmp_path_factory, scratch):
    made = []

    def make(**settings):
        folder = scratch / f"m{testbed.free_port()}"
        folder.mkdir()
        made.append(Shardd(folder, **settings))
        return made[-1]

    yield make
    for one in made:
        one.clean()


# --- what it says without routes -----------------------------------------------


def test_without_routes_it_serves_and_is_not_ready(shardd):
    one = shardd().start()
    assert one.http("/healthz") == (200, "ok\n")
    status, why = one.http("/readyz")
    assert status == 503 and "no routes" in why
    assert one.greeting() == NO_ROUTES
    assert 'shardd_workers{state="unready"} 2' in one.http("/metrics")[1]


@pytest.mark.parametrize("settings, started, policy", [
    ({}, "other", os.SCHED_BATCH), ({"scheduling": '"normal"'}, "other", os.SCHED_OTHER),
    ({}, "idle", os.SCHED_IDLE)])
def test_how_workers_are_scheduled(shardd, settings, started, policy):
    """A class that was chosen for the program stays."""
    one = shardd(**settings)
    one.command = ["chrt", f"--{started}", "0"]
    one.start()
    testbed.wait_for("its workers", lambda: len(one.workers()) == 2)
    for pid in one.workers():
        testbed.wait_for("a worker's class", lambda pid=pid: os.sched_getscheduler(pid) == policy)


def test_a_unix_socket(shardd):
    one = shardd()
    path = one.folder / "s"
    one.settings["listen"] = f'"{path}"'
    one.start()
    for _ in range(10):
        with pytest.raises(pymysql.err.OperationalError) as caught:
            pymysql.connect(unix_socket=str(path), user="x", password="x")
        assert caught.value.args[0] == NO_ROUTES
    one.signal(signal.SIGTERM)
    assert one.ended() == 0


def test_http_nowhere(shardd):
    one = shardd(http='""').start()
    assert one.greeting() == NO_ROUTES
    assert not one.said("HTTP")


# --- ports and instances -------------------------------------------------------


@pytest.mark.parametrize("setting", ["listen", "http"])
def test_a_taken_port_is_named(shardd, setting):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        port = other.getsockname()[1]
        one = shardd(**{setting: f'"127.0.0.1:{port}"'}).start(wait=False)
        assert one.ended() == 1
        assert one.said(f"cannot listen on 127.0.0.1:{port}")


def test_another_instances_port_is_taken(shardd):
    """SO_REUSEPORT alone would let two shardd share it."""
    first = shardd().start()
    second = shardd(listen=f'"127.0.0.1:{first.port}"').start(wait=False)
    assert second.ended() == 1
    assert second.said(f"cannot listen on 127.0.0.1:{first.port}")


def test_an_instance_runs_once(shardd):
    first = shardd().start()
    second = shardd(instance=f'"{first.instance}"').start(wait=False)
    assert second.ended() == 1
    assert second.said(f"already runs for instance '{first.instance}': "
                       f"process {first.master.pid}")
    assert first.greeting() == NO_ROUTES


# --- workers --------------------------------------------------------------------


def replaced_within(one, pid):
    """Kills `pid`; seconds until another process has its place."""
    before = set(one.workers())
    start = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    testbed.wait_for("a successor", lambda: set(one.workers()) - before)
    return time.monotonic() - start


@pytest.mark.alone
def test_a_killed_worker_is_replaced_at_once(shardd):
    one = shardd().start()
    times = []
    for _ in range(3):
        times.append(replaced_within(one, one.workers()[0]))
        testbed.wait_for("all to serve", lambda: 'state="unready"} 2' in one.http("/metrics")[1])
    assert min(times) < (0.1 if testbed.MODE == "release" else 1)  # no pause is built in


def test_crash_loops_back_off(shardd):
    one = shardd(workers=1).start()
    start = time.monotonic()
    while not one.said("crashes again and again"):
        for pid in one.workers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
        assert time.monotonic() - start < 30
    testbed.wait_for("a worker", one.workers)
    testbed.wait_for("it to serve", lambda: one.greeting() == NO_ROUTES)


def test_totals_survive_a_worker(shardd):
    one = shardd(workers=1).start()
    for _ in range(5):
        one.greeting()
    accepted = "shardd_clients_accepted_total 5"
    assert accepted in one.http("/metrics")[1]
    replaced_within(one, one.workers()[0])
    text = one.http("/metrics")[1]
    assert accepted in text and "shardd_clients_open 0" in text


def test_a_stopped_worker_is_killed_and_replaced(shardd):
    one = shardd().start()
    (first, second) = one.workers()
    os.kill(first, signal.SIGSTOP)
    testbed.wait_for("its end", lambda: not testbed.alive(first))
    testbed.wait_for("a successor", lambda: len(one.workers()) == 2)
    assert second in one.workers()
    assert one.said("has not moved for 5 s")


def test_a_stopped_master_does_not_kill(shardd):
    """What it missed while it was stopped itself is not the workers' fault."""
    one = shardd().start()
    workers = one.workers()
    for pid in (one.master.pid, *workers):
        os.kill(pid, signal.SIGSTOP)
    time.sleep(6)
    os.kill(one.master.pid, signal.SIGCONT)
    time.sleep(0.3)
    for pid in workers:
        os.kill(pid, signal.SIGCONT)
    time.sleep(0.3)
    assert one.workers() == workers


def test_a_worker_that_cannot_start_ends_the_master(shardd):
    one = shardd()
    one.settings["recv_buffer_bytes"] = '"1M"'
    one.settings["recv_buffers"] = 32768
    one.start(wait=False, environment=None)
    # 32 GiB of buffers: where that can be had the start just succeeds
    testbed.wait_for("an outcome", lambda: one.master.poll() is not None
                     or one.said("workers listen on"))
    if one.master.poll() is not None:
        assert one.ended() == 1 and one.said("cannot start")


# --- the master dies ---------------------------------------------------------------


def test_orphans_accept_until_a_new_master_comes(shardd):
    one = shardd().start()
    orphans = one.workers()
    one.master.kill()
    one.master.wait()
    testbed.wait_for("them to notice", lambda: one.said("the master is gone"))
    for _ in range(10):
        assert one.greeting() == NO_ROUTES
    one.start()
    assert one.said("2 workers of a former master")
    failures = 0
    end = time.monotonic() + 2
    while any(testbed.alive(p) for p in orphans):
        failures += one.greeting() != NO_ROUTES
        assert time.monotonic() < end + testbed.PATIENCE_S
    assert failures == 0
    testbed.wait_for("the funeral", lambda: one.log.read_text().count("has ended") == 2)
    assert 'state="unready"} 2' in one.http("/metrics")[1]


def test_orphans_of_many_masters(shardd):
    """Every other worker is stopped, so that it cannot leave by itself."""
    one = shardd(workers=1).start()
    orphans, began = [], time.monotonic()
    for _ in range(3):
        orphans += one.workers()
        one.master.kill()
        one.master.wait()
        os.kill(orphans[-1], signal.SIGSTOP)
        one.start()  # the last one finds no row free, until it has killed an orphan
    quick = time.monotonic() - began < 5  # or the first has been killed already, for not moving
    assert one.said("no room for another worker") or not quick
    testbed.wait_for("all orphans to be ended",
                     lambda: not any(map(testbed.alive, orphans)), 40)
    # The kernel closes the sockets of the killed a moment after their end.
    testbed.wait_for("clients to be answered", lambda: one.greeting() == NO_ROUTES)


def test_a_pid_that_is_another_programs_is_left_alone(shardd):
    """The master and its worker are dead, and the worker's pid has gone to somebody else."""
    one = shardd(workers=1).start()
    (worker,) = one.workers()
    for pid in (one.master.pid, worker):
        os.kill(pid, signal.SIGKILL)
    one.master.wait()
    testbed.wait_for("the end", lambda: not testbed.alive(worker))
    with subprocess.Popen(["sleep", "60"]) as stranger:
        path = f"/dev/shm/shardd-{one.instance}-slots"
        with open(path, "r+b") as segment:
            segment.seek(4096)  # slot 0 begins with its pid
            assert int.from_bytes(segment.read(8), "little") == worker
            segment.seek(4096)
            segment.write(stranger.pid.to_bytes(8, "little"))
        one.start()
        one.signal(signal.SIGTERM)
        assert one.ended() == 0
        assert stranger.poll() is None
        stranger.kill()


# --- signals and systemd -------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT, signal.SIGINT])
def test_it_stops_when_asked(shardd, number):
    one = shardd().start()
    workers = one.workers()
    one.signal(number)
    assert one.ended() == 0
    assert not any(testbed.alive(p) for p in workers)
    assert not one.control.exists()

    def refused():
        """io_uring lets go of a socket a little after its process."""
        try:
            socket.create_connection(("127.0.0.1", one.port)).close()
            return False
        except ConnectionError as error:
            return isinstance(error, ConnectionRefusedError)
    testbed.wait_for("nobody to listen", refused)


def test_the_port_is_free_after_a_murder(shardd):
    """io_uring lets go of a killed worker's socket a little after its end."""
    one = shardd().start()
    for _ in range(5):
        for pid in (one.master.pid, *one.workers()):
            os.kill(pid, signal.SIGKILL)
        one.master.wait()
        testbed.wait_for("the end", lambda: not any(map(testbed.alive, one.seen)))
        one.start()
    assert one.greeting() == NO_ROUTES


def test_orphans_stop_with_the_new_master(shardd):
    one = shardd(workers=1).start()
    (orphan,) = one.workers()
    with socket.create_connection(("127.0.0.1", one.port)):
        one.master.kill()
        one.master.wait()
        one.start()
        one.signal(signal.SIGTERM)
        assert one.ended() == 0
    assert not testbed.alive(orphan)


class Notify:
    """What sd_notify() says."""

    def __init__(self, folder):
        self.path = folder / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.settimeout(testbed.PATIENCE_S)

    def until(self, word):
        """All messages up to the one with `word`."""
        said = []
        while not said or word not in said[-1]:
            said.append(self.socket.recv(4096).decode())
        return said


@pytest.mark.alone
def test_systemd_is_told(shardd):
    one = shardd()
    notify = Notify(one.folder)
    one.start(environment={"NOTIFY_SOCKET": str(notify.path), "WATCHDOG_USEC": "400000"})
    assert notify.until("READY=1")
    assert "waiting for routes" in notify.until("STATUS=")[-1]
    gaps = []
    for _ in range(5):
        start = time.monotonic()
        notify.until("WATCHDOG=1")
        gaps.append(time.monotonic() - start)
    assert sorted(gaps)[2] < 0.4, gaps
    one.signal(signal.SIGHUP)
    assert "MONOTONIC_USEC=" in notify.until("RELOADING=1")[-1]
    notify.until("READY=1")
    one.signal(signal.SIGTERM)
    notify.until("STOPPING=1")
    assert one.ended() == 0
    notify.socket.close()


def test_mistakes_are_logged_and_change_nothing(shardd):
    one = shardd().start()
    path = one.folder / "conf"
    before = path.read_text()
    path.write_text(before + "pool_max = 5;\n")
    one.signal(signal.SIGHUP)
    testbed.wait_for("the reload", lambda: one.said("pool_max 64 -> 5"))
    path.write_text(before.replace("workers = 2", "workers = 300") + "lisen = 1;\n")
    one.signal(signal.SIGHUP)
    testbed.wait_for("the mistakes", lambda: one.said("the settings stay as they were"))
    assert one.said("lisen: there is no such setting")
    assert one.said("workers:")
    path.write_text(before.replace("workers = 2", "workers = 1"))
    one.signal(signal.SIGHUP)
    testbed.wait_for("the reload", lambda: one.said("only after a restart: workers"))
    assert len(one.workers()) == 2


def test_the_control_socket_takes_anything(shardd):
    one = shardd().start()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        for message in (b"R", b"", b"x" * 1000, *[b"R"] * 100):
            s.sendto(message, str(one.control))
    assert one.greeting() == NO_ROUTES
    assert len(one.workers()) == 2


# --- HTTP ---------------------------------------------------------------------------


def test_a_scraper_that_does_not_read(shardd):
    """Its requests wait, bounded; others are served."""
    one = shardd(workers=1).start()
    (worker,) = one.workers()
    before = testbed.memory_kib(worker)
    get = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", one.http_port)) as s:
        s.settimeout(0.2)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 100_000:
                s.sendall(get * 100)
                sent += 100
        assert one.http("/healthz")[0] == 200
        assert testbed.memory_kib(worker) - before < 20_000
        s.settimeout(testbed.PATIENCE_S)
        for _ in range(20):
            assert s.recv(65536)


def test_an_idle_connection_is_closed(shardd):
    one = shardd(workers=1).start()
    with socket.create_connection(("127.0.0.1", one.http_port)) as s:
        s.settimeout(testbed.PATIENCE_S)
        s.sendall(b"GET /healthz HTTP/1.1\r\n")
        assert s.recv(1) == b""
    testbed.wait_for("only ours",
                     lambda: "shardd_http_connections_open 1" in one.http("/metrics")[1])


def test_many_connections(shardd):
    one = shardd(workers=1).start()
    held = []
    for _ in range(600):
        held.append(socket.create_connection(("127.0.0.1", one.http_port)))
    for s in held:
        s.close()
    testbed.wait_for("them to be gone",
                     lambda: "shardd_http_connections_open 1" in one.http("/metrics")[1])
