"""testbed.py - private MariaDB servers, shardd clusters, and comparing the two.

    Server    one plain mariadbd in a folder of its own
    Cluster   `shardctl up` in a folder of its own: shards, controller, shardd
    Both      the same statements on a cluster and on a plain server, answers compared

Everything listens on loopback, on ports free at that moment, and is stopped by pid.
"""
import collections
import contextlib
import fcntl
import glob
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import urllib.request

import pymysql
from pymysql.constants import CLIENT

import whatnow

def _interrupted(*_):
    raise KeyboardInterrupt


if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGTERM, _interrupted)  # whoever is told to end stops its servers first

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODE = os.environ.get("MODE", "release")
BUILD = ROOT / "build" / MODE
SHARDD = BUILD / "shardd"
SHARDCTL = BUILD / "shardctl"
PATIENCE_S = 60 if MODE == "release" else 120

MARIADBD = shutil.which("mariadbd", path="/usr/sbin:/usr/bin:/usr/local/sbin")
INSTALL_DB = shutil.which("mariadb-install-db", path="/usr/bin:/usr/sbin")
AS_ROOT = ["--user=root"] if os.geteuid() == 0 else []

SMALL = """[mariadbd]
performance_schema=OFF
innodb_buffer_pool_size=32M
innodb_log_file_size=16M
innodb_data_file_path=ibdata1:3M:autoextend
innodb_autoextend_increment=1
innodb_use_native_aio=0
innodb_fast_shutdown=1
aria_pagecache_buffer_size=1M
key_buffer_size=64K
max_connections=400
max_allowed_packet=128M
character_set_server=utf8mb4
collation_server=utf8mb4_general_ci
skip_name_resolve=1
local_infile=1
"""
RELAXED = "innodb_flush_log_at_trx_commit=0\nsync_binlog=0\n"
DURABLE = "innodb_flush_log_at_trx_commit=1\nsync_binlog=1\nlog_bin=binlog\nbinlog_format=ROW\n"


class Timeout(Exception):
    pass


def slowness():
    """How many times longer things may take because others want the CPUs as well."""
    return min(10, max(1, os.getloadavg()[0] / os.cpu_count()))


def wait_for(what, condition, seconds=PATIENCE_S):
    """The first true value of condition(), asked until then; never just a sleep. The seconds are
    those of a machine that does nothing else. Who has waited in vain is shown what the servers of
    all clusters say."""
    began = time.monotonic()
    while True:
        value = condition()
        if value:
            return value
        waited = time.monotonic() - began
        if waited > seconds * slowness():
            print(*map(whatnow.report, Cluster.living), sep="\n")
            raise Timeout(f"waited {waited:.0f} s for {what}")
        time.sleep(0.01)


def own_ports(first=10000, end=16384):
    """Below those of shards and of outgoing connections; a part for each process of
    pytest-xdist, so that none takes what another has chosen and not opened yet."""
    n = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    i = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % n
    return first + (end - first) * i // n, first + (end - first) * (i + 1) // n - 1


def reserved(port):
    """A file that is locked until it is closed, so that no other process of tests on this machine
    takes the port meanwhile; None: one has it."""
    folder = pathlib.Path(tempfile.gettempdir(), f"shardd-it-ports-{os.geteuid()}")
    folder.mkdir(exist_ok=True)
    file = open(folder / str(port), "w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return file
    except BlockingIOError:
        file.close()
        return None


def free_port(given=collections.deque(maxlen=1000)):
    """One that nobody listens on, and that was not given out a while ago: who got it may not
    listen yet."""
    while True:
        port = random.SystemRandom().randint(*own_ports())
        if (file := reserved(port)) is None:  # also where it was given out in this process
            continue
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                file.close()
                continue
        given.append(file)
        return port


def alive(pid):
    """Running, and not just waiting to be reaped. Of a process that is killed the first thread may
    be a zombie while others still end, and hold its files and their locks."""
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/stat"):
        with contextlib.suppress(OSError):  # it went just now
            if task.read_text().rsplit(")", 1)[1].split()[0] not in "ZX":
                return True
    return False


def stop_process(pid):
    """SIGSTOP, and only back when no thread runs any more: the kernel tells one thread of
    several, and until that one gets a CPU the others go on."""
    os.kill(pid, signal.SIGSTOP)

    def stopped():
        try:
            states = [pathlib.Path(f"/proc/{pid}/task/{t}/stat").read_text().rsplit(")", 1)[1]
                      for t in os.listdir(f"/proc/{pid}/task")]
        except OSError:
            return False  # a thread ended just now
        return all(s.split()[0] == "T" for s in states)
    wait_for("the process to stop", stopped)


def children(pid):
    try:
        return [int(p) for p in
                pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def processes_of(home):
    """The pids of whatever has `home` in its command line, and not only a name that begins so."""
    found = []
    named = re.compile(re.escape(str(home).encode()) + rb"(?![\w-])")
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            if named.search(pathlib.Path(path).read_bytes()):
                found.append(int(path.split("/")[2]))
        except OSError:
            pass
    return [pid for pid in found if alive(pid) and pid != os.getpid()]


def programs(home, name):
    """The pids of those of processes_of() that run `name`. What ends just now is left out."""
    found = []
    for pid in processes_of(home):
        with contextlib.suppress(OSError):
            if os.path.basename(os.readlink(f"/proc/{pid}/exe")) == name:
                found.append(pid)
    return found


def memory_kib(pid, field="Rss"):
    """Rss, Pss, ... of a process, from smaps_rollup."""
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise KeyError(field)


def cpu_seconds(pid):
    """User and system time of a process and its threads so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def template():
    """A data folder with system tables, an account app/app, and the server stopped: made
    once, copied for every server."""
    folder = ROOT / "build" / "testbed" / "template"
    if (folder / "mysql").is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = folder.with_name(f"template.{os.getpid()}")
    defaults = folder.parent / f"template.{os.getpid()}.cnf"
    defaults.write_text(SMALL)
    subprocess.run([INSTALL_DB, f"--defaults-file={defaults}", f"--datadir={fresh}",
                    "--auth-root-authentication-method=normal", "--skip-test-db",
                    f"--tmpdir={folder.parent}", *AS_ROOT],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    accounts = ("CREATE USER app@'%' IDENTIFIED BY 'app';"
                "GRANT ALL ON *.* TO app@'%' WITH GRANT OPTION;\n")
    subprocess.run([MARIADBD, f"--defaults-file={defaults}", f"--datadir={fresh}", *AS_ROOT,
                    "--bootstrap", f"--tmpdir={folder.parent}"], text=True, check=True,
                   input="FLUSH PRIVILEGES;\n" + accounts.replace(";", ";\n"),
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    defaults.unlink()
    try:
        fresh.rename(folder)
    except OSError:  # somebody else was faster
        shutil.rmtree(fresh)
    return folder


class Server:
    """A plain mariadbd."""

    def __init__(self, folder, durable=False, settings=""):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data = self.folder / "data"
        self.socket = self.folder / "s"
        self.port = free_port()
        self.process = None
        if not self.data.exists():
            subprocess.run(["cp", "-a", template(), self.data], check=True)
        self.defaults = self.folder / "my.cnf"
        self.defaults.write_text(SMALL + (DURABLE if durable else RELAXED) + settings)
        self.start()

    def start(self):
        self.log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen(
            [MARIADBD, f"--defaults-file={self.defaults}", f"--datadir={self.data}", *AS_ROOT,
             f"--socket={self.socket}", f"--port={self.port}", "--bind-address=127.0.0.1",
             f"--pid-file={self.folder}/pid", f"--tmpdir={self.folder}"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, cwd=self.folder)
        wait_for("the server", self._answers)

    def _answers(self):
        if self.process.poll() is not None:
            raise Timeout("the server ended: " + (self.folder / "log").read_text()[-2000:])
        try:
            with self.connect(db=None) as c:
                (name,), = Answer(c, "SELECT @@socket").rows
                return name == str(self.socket)
        except (pymysql.err.OperationalError, TypeError):
            return False

    def connect(self, user="app", password="app", db=None, **more):
        more.setdefault("charset", "utf8mb4")
        return pymysql.connect(host="127.0.0.1", port=self.port, user=user, password=password,
                               database=db, autocommit=more.pop("autocommit", True), **more)

    def sql(self, text, args=None, db=None):
        with self.connect(db=db) as c, c.cursor() as cursor:
            cursor.execute(text, args)
            return cursor.fetchall()

    def stop(self, how=signal.SIGTERM):
        if self.process is None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
        self.log.close()


class Cluster:
    """`shardctl up`: shards, a controller and shardd, in `home`."""

    check = True  # whether finish() asks fsck
    living = []   # all between up() and down()
    shardctl = SHARDCTL

    def __init__(self, home, shards=2, workers=2, settings=()):
        self.home = pathlib.Path(home)
        self.shards = shards
        self.workers = workers
        self.port = free_port()
        self.http_port = free_port()
        self.settings = list(settings)
        self.up()

    def up(self, **environment):
        """The programs that are not there, perhaps with SHARDD_FAIL_AT or SHARDD_STOP_AT in their
        environment."""
        done = self.ctl_raw("up", "--shards", self.shards, "--port", self.port, "--http-port",
                            self.http_port, "--workers", self.workers, "--detach",
                            *self.settings, timeout=120, env=os.environ | environment)
        assert done.returncode == 0, f"up failed:\n{done.stdout}\n{done.stderr}"
        if self not in self.living:
            self.living.append(self)
        wait_for("shardd to be ready", self.ready)

    def down(self):
        """Stops everything; fails when something stays."""
        pids = set(processes_of(self.home)) | set(self.pids())
        if self in self.living:
            self.living.remove(self)
        done = self.ctl_raw("down", timeout=120)
        try:
            wait_for("all processes to end", lambda: not any(alive(p) for p in pids))
        except Timeout:
            left = {}
            for pid in filter(alive, pids):
                with contextlib.suppress(OSError):
                    left[pid] = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
                    os.kill(pid, signal.SIGKILL)
            raise AssertionError(f"down left processes: {left}")
        assert done.returncode == 0, f"down failed:\n{done.stdout}\n{done.stderr}"

    def forget(self):
        """After the last down(): the segments go as well. The settings name the instance."""
        try:
            text = (self.home / "shardd.conf").read_text()
        except OSError:
            return
        instance = re.search(r'^instance = "(.*)"', text, re.M).group(1)
        for path in glob.glob(f"/dev/shm/shardd-{instance}-*"):
            os.unlink(path)

    def finish(self):
        """Behind the last test: everything is where it belongs, and nothing is left."""
        try:
            if self.check:
                self.fsck()
        finally:
            self.down()
            self.forget()

    # --- shardctl ---------------------------------------------------------

    def ctl_raw(self, verb, *args, timeout=120, env=None):
        words = [str(SHARDCTL), *verb.split(), "--home", str(self.home), *map(str, args)]
        try:
            return subprocess.run(words, capture_output=True, text=True, timeout=timeout,
                                  stdin=subprocess.DEVNULL, env=env)
        except subprocess.TimeoutExpired as late:
            print(f"{late}\n{late.stdout}\n{late.stderr}\n{whatnow.report(self)}")
            raise

    def ctl(self, verb, *args, **more):
        """What `shardctl VERB ... --json` prints."""
        done = self.ctl_raw(verb, *args, "--json", **more)
        assert done.returncode == 0, f"shardctl {verb} {args}: {done.stdout} {done.stderr}"
        return json.loads(done.stdout)

    def fsck(self):
        done = self.ctl_raw("fsck", timeout=300)
        assert done.returncode == 0, f"fsck:\n{done.stdout}\n{done.stderr}"

    def status(self):
        return self.ctl("status")

    def pids(self):
        return [self.master(), *self.worker_pids()] if self.master() else []

    def master(self):
        """shardd's first process: of those with our home in the command line, the one whose
        parent is not shardd. So is a worker's that outlives its master; it has no children."""
        ours = [p for p in processes_of(self.home) if self._is_shardd(p)]
        inner = {c for p in ours for c in children(p)}
        first = [p for p in ours if p not in inner]
        return next((p for p in first if children(p)), first[0] if first else None)

    @staticmethod
    def _is_shardd(pid):
        try:
            return os.readlink(f"/proc/{pid}/exe").split(" ")[0] == str(SHARDD)
        except OSError:
            return False

    def worker_pids(self):
        return [p for p in children(self.master() or 0) if alive(p)]

    @contextlib.contextmanager
    def reloaded(self, **settings):
        """With these for a while, and then with those of before. shardd has read them: its workers
        have them a moment later."""
        path, log = self.home / "shardd.conf", self.home / "shardd.log"
        before = path.read_text()

        def read(text):
            told = log.read_text().count("settings read: ")
            path.write_text(text)
            os.kill(self.master(), signal.SIGHUP)
            wait_for("the settings", lambda: log.read_text().count("settings read: ") > told)

        read(re.sub(rf"^({'|'.join(settings)}) *=.*\n", "", before, flags=re.M) +
             "".join(f"{name} = {value};\n" for name, value in settings.items()))
        try:
            yield
        finally:
            read(before)

    @contextlib.contextmanager
    def controller_stopped(self):
        pids = programs(self.home, "shardctl")
        try:
            for pid in pids:
                stop_process(pid)
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def kill_worker(self, index=0, how=signal.SIGKILL):
        pid = self.worker_pids()[index]
        os.kill(pid, how)
        return pid

    # --- SQL ------------------------------------------------------------------

    def connect(self, user="app", password="app", db="app", **more):
        more.setdefault("charset", "utf8mb4")
        return pymysql.connect(host="127.0.0.1", port=self.port, user=user, password=password,
                               database=db, autocommit=more.pop("autocommit", True), **more)

    def sql(self, text, args=None, db="app"):
        with self.connect(db=db) as c, c.cursor() as cursor:
            cursor.execute(text, args)
            return cursor.fetchall()

    def shard_list(self):
        answer = self.ctl("shard list")
        return answer["shards"] if isinstance(answer, dict) else answer

    def on_shard(self, shard, text, db=None):
        """Straight to a shard's server, past shardd; `shard` is a row of shard_list()."""
        with self.shard_connect(shard, db) as c, c.cursor() as cursor:
            cursor.execute(text)
            return cursor.fetchall()

    def lock_waits(self):
        """So many transactions wait for locks, on all shards together. (INNODB_TRX shows an old
        list while it is read often.)"""
        asked = "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'"
        return sum(int(self.on_shard(s, asked)[0][1]) for s in self.shard_list())

    def shard_connect(self, shard, db=None, **more):
        """As root: known by its user id, or by the password in the file that sets it."""
        init = pathlib.Path(shard.get("directory", "/nowhere"), "init.sql")
        secret = re.search(r"PASSWORD\('(.*)'\)", init.read_text()) if init.exists() else None
        return pymysql.connect(unix_socket=shard["socket"], user="root", database=db,
                               password=secret.group(1) if secret else "", autocommit=True, **more)

    def spread(self, table, db="app"):
        """How many rows of `table` lie on each shard; None where there is no such table."""
        def count(shard):
            try:
                return self.on_shard(shard, f"SELECT COUNT(*) FROM {table}", db)[0][0]
            except pymysql.err.ProgrammingError:
                return None
        return [count(s) for s in self.shard_list()]

    def replica_list(self):
        return self.ctl("replica list")["replicas"]

    def server_connect(self, server, db=None, **more):
        """To the server of a row of replica_list() or shard_list()."""
        return self.shard_connect(server, db, **more)

    # --- HTTP -----------------------------------------------------------------

    def http(self, path):
        """Status and body of GET `path`."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}",
                                        timeout=PATIENCE_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def ready(self):
        try:
            return self.http("/readyz")[0] == 200
        except OSError:
            return False

    def metric(self, name, **labels):
        """The sum of all samples of `name` that carry the labels."""
        total = 0.0
        for line in self.http("/metrics")[1].splitlines():
            head, _, value = line.rpartition(" ")
            if head.split("{")[0] == name and all(f'{k}="{v}"' in head
                                                  for k, v in labels.items()):
                total += float(value)
        return total


class Answer:
    """All that a client can see of one statement."""

    def __init__(self, connection, sql, args=None):
        self.error = self.rows = self.columns = self.warnings = None
        self.affected = self.insert_id = 0
        self.info = b""
        with connection.cursor() as cursor:
            try:
                cursor.execute(sql, args)
                result = cursor._result
                self.rows = list(cursor.fetchall())
                self.columns = [(f.name, f.type_code, f.charsetnr) for f in result.fields] \
                    if cursor.description else None
                self.affected = cursor.rowcount
                self.insert_id = cursor.lastrowid
                self.info = result.message or b""
            except pymysql.err.MySQLError as error:
                self.error = error.args
        if self.error is None and result.warning_count:
            self.warnings = sorted((level, code) for level, code, _
                                   in connection.show_warnings() or ())

    def __repr__(self):
        return repr(self.__dict__)


class Both:
    """One database on a cluster and on a plain server; a connection to each."""

    def __init__(self, cluster, plain, db):
        self.cluster, self.plain, self.db = cluster, plain, db
        self.connections = [cluster.connect(db=db), plain.connect(db=db)]

    def close(self):
        for connection in self.connections:
            connection.close()

    def run(self, sql, args=None):
        """On both; both must succeed. Returns the cluster's answer."""
        ours, theirs = (Answer(c, sql, args) for c in self.connections)
        assert theirs.error is None, f"{sql}: the server: {theirs.error}"
        assert ours.error is None, f"{sql}: shardd: {ours.error}"
        return ours

    def compare(self, sql, args=None, ordered=None, messages=False):
        """On both; everything visible must be the same. Rows compare in order when the
        statement has an ORDER BY, or when `ordered` says so. Errors compare by code, with
        `messages` by text too."""
        ours, theirs = self.answers(sql, args)
        self.check(sql, ours, theirs, ordered, messages)
        return ours

    def answers(self, sql, args=None):
        return [Answer(c, sql, args) for c in self.connections]

    def check(self, sql, ours, theirs, ordered=None, messages=False):
        """That they are the same, but for the info."""
        where = f"{sql}\n shardd: {ours}\n server: {theirs}"
        if theirs.error or ours.error:
            assert ours.error and theirs.error and ours.error[0] == theirs.error[0], where
            assert not messages or ours.error == theirs.error, where
            return
        if ordered is None:
            ordered = "order by" in sql.lower()
        left, right = ours.rows, theirs.rows
        if not ordered:
            left, right = sorted(left, key=repr), sorted(right, key=repr)
        assert left == right, where
        assert ours.columns == theirs.columns, where
        assert ours.warnings == theirs.warnings, where
        assert ours.affected == theirs.affected, where


MULTI_STATEMENTS = CLIENT.MULTI_STATEMENTS


@contextlib.contextmanager
def both(cluster, plain, db, setup, options=""):
    """A Both with a new database in which these statements have run; it goes with the block."""
    for sql in (cluster.sql, plain.sql):
        sql(f"DROP DATABASE IF EXISTS {db}", db=None)
        sql(f"CREATE DATABASE {db} {options}", db=None)
    pair = Both(cluster, plain, db)
    for sql in setup:
        pair.run(sql)
    yield pair
    pair.close()
    cluster.fsck()
    for sql in (cluster.sql, plain.sql):
        sql(f"DROP DATABASE {db}", db=None)


def worker_epoch(instance, pids):
    """What the first worker calls its process in the names of transactions, from its slot:
    pid, state, ... (shm/slots.h)."""
    with open(f"/dev/shm/shardd-{instance}-slots", "rb") as f:
        words = f.read()
    for at in range(0, len(words) - 128, 64):
        life = struct.unpack_from("<10Q", words, at)
        if life[0] in pids and 0 < life[1] < 5:
            return life[9]
    raise KeyError(pids)


def transaction_name(cluster, home, counter=1, epoch=None):
    """As a worker makes them, of a transaction that is decided on the shard `home`: a living
    worker's, which the resolver gives some time, or that of `epoch`."""
    instance = re.search(r'^instance = "(.*)"', (cluster.home / "shardd.conf").read_text(),
                         re.M)[1]
    epoch = epoch or worker_epoch(instance, cluster.worker_pids())
    return f"shardd-{instance}-0-{epoch:x}-{counter + 2 ** 32:x}-{home}"


def half_commit(cluster, counter=1, decided=True, home=None, shards=None, epoch=None):
    """As a worker leaves it that dies behind its commit point, or (not `decided`) before it: the
    first shard has committed +1 on its first row of app.a and knows so, the second is
    prepared with -1. Returns the name of the transaction."""
    first, second = (shards or cluster.shard_list())[:2]
    gtrid = transaction_name(cluster, home or first["id"], counter, epoch)
    branch = f"'{gtrid}','{second['id']}'"
    steps = [(second, "- 1", (f"XA START {branch}", "", f"XA END {branch}",
                              f"XA PREPARE {branch}"))]
    if decided:
        steps.append((first, "+ 1", ("BEGIN", "", "INSERT INTO shardd.decision (xid, state) VALUES "
                                     f"('{gtrid}', 'commit')", "COMMIT")))
    for shard, change, statements in steps:
        ((i,),) = cluster.on_shard(shard, "SELECT MIN(id) FROM a", "app")
        with cluster.shard_connect(shard, "app") as root:
            for sql in statements:
                sql = sql or f"UPDATE a SET n = n {change} WHERE id = {i}"
                assert Answer(root, sql).error is None, sql
    return gtrid
