#!/usr/bin/python3
"""record.py - how long point selects take on a real server, well and in trouble, for the simulator.

    bench/record.py [--only NAME,...] [--rate N] >bench/latencies.txt

For each trouble a MariaDB server gets point selects at an even pace by sysbench for four seconds;
the trouble lasts from the end of the first to the end of the third. What is printed is, for each
tenth of a second, the time that the statements of it took: the least, the quartiles, nine of ten,
99 of 100, the most; in us. Where none began, because all were still waiting, what was left to wait
is put down.
"""
import argparse
import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

import testbed  # noqa: E402

ROWS, THREADS, SECONDS, TENTHS, LEAST_US = 100_000, 4, 4, 40, 100
AT = (0, .25, .5, .75, .9, .99, 1)


class Loop(threading.Thread):
    """The statement again and again, until it is told to stop."""

    def __init__(self, server, *texts):
        super().__init__(daemon=True)
        self.server, self.texts, self.over = server, texts, threading.Event()

    def run(self):
        with self.server.connect(db="app") as c, c.cursor() as cursor:
            while not self.over.is_set():
                for text in self.texts:
                    cursor.execute(text)
                    cursor.fetchall()


@contextlib.contextmanager
def loops(server, n, *texts):
    running = [Loop(server, *texts) for _ in range(n)]
    for loop in running:
        loop.start()
    yield
    for loop in running:
        loop.over.set()
    for loop in running:
        loop.join()


def rebuilt(server):
    return loops(server, 1, "ALTER TABLE other ENGINE=InnoDB")


def reported(server):
    """Somebody's reports read whole tables."""
    return loops(server, 3, "SELECT SQL_NO_CACHE COUNT(DISTINCT c), MAX(pad) FROM other")


def loaded(server):
    return loops(server, 2, "INSERT INTO sink SELECT NULL, c, pad FROM other LIMIT 20000")


@contextlib.contextmanager
def copied(server):
    """mariadb-backup."""
    with tempfile.TemporaryDirectory(prefix="shardd-record-") as folder:
        over = threading.Event()

        def run():
            while not over.is_set():
                done = subprocess.run(
                    ["mariadb-backup", f"--defaults-file={server.defaults}", "--backup",
                     "--stream=xbstream", f"--socket={server.socket}", "--user=app",
                     "--password=app", f"--datadir={server.data}", f"--target-dir={folder}"],
                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
                if done.returncode != 0:
                    raise OSError(done.stderr[-500:])
        thread = threading.Thread(target=run)
        thread.start()
        yield
        over.set()
        thread.join()


@contextlib.contextmanager
def throttled(server):
    """As by a quota: it has a processor for 20 of each 100 ms."""
    over = threading.Event()

    def run():
        while not over.is_set():
            server.process.send_signal(signal.SIGSTOP)
            time.sleep(0.08)
            server.process.send_signal(signal.SIGCONT)
            time.sleep(0.02)
    thread = threading.Thread(target=run)
    thread.start()
    yield
    over.set()
    thread.join()


@contextlib.contextmanager
def stalled(server):
    """Nothing moves at all for half of the time: a disk, a hypervisor."""
    server.process.send_signal(signal.SIGSTOP)
    time.sleep(1)
    server.process.send_signal(signal.SIGCONT)
    yield


@contextlib.contextmanager
def crowded(server):
    """Other processes want the processors."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(6)]
    yield
    for process in busy:
        process.kill()
        process.wait()


TROUBLES = {"well": None, "rebuilt": rebuilt, "reported": reported, "loaded": loaded,
            "copied": copied, "throttled": throttled, "stalled": stalled, "crowded": crowded,
            "cold": "its start"}


def sysbench(server, *words, **more):
    return subprocess.Popen(
        ["sysbench", *words, "--db-driver=mysql", "--mysql-host=127.0.0.1",
         f"--mysql-port={server.port}", "--mysql-user=app", "--mysql-password=app",
         "--mysql-db=app", "--tables=1", f"--table-size={ROWS}"],
        stdout=subprocess.DEVNULL, **more)


def prepare(server):
    server.sql("CREATE DATABASE app")
    if sysbench(server, "oltp_point_select", "prepare").wait() != 0:
        raise OSError("sysbench cannot prepare its table")
    server.sql("CREATE TABLE other LIKE sbtest1", db="app")
    server.sql("INSERT INTO other SELECT * FROM sbtest1", db="app")
    server.sql("CREATE TABLE sink (id BIGINT AUTO_INCREMENT PRIMARY KEY, c CHAR(120), "
               "pad CHAR(60))", db="app")


def restart(server):
    server.stop()
    subprocess.run(["sync"], check=True)
    server.start()


def record(server, name, folder, rate):
    """[(when in s, us)], since the recording began."""
    trouble, warm = TROUBLES[name], 2
    if name == "cold":
        warm = 0
        restart(server)
    files = folder / name
    load  = sysbench(server, ROOT / "bench" / "record.lua", "run", f"--threads={THREADS}",
                     f"--rate={rate}", f"--time={warm + SECONDS + 1}", "--events=0",
                     env=os.environ | {"RECORD": str(files)})
    time.sleep(warm)
    began = time.monotonic()
    time.sleep(1)
    if callable(trouble):
        with trouble(server):
            time.sleep(max(0, began + 3 - time.monotonic()))
    load.wait()
    return [(int(at) / 1e6 - began, int(us)) for file in folder.glob(f"{name}.*")
            for at, us in (line.split() for line in file.read_text().splitlines())]


def tenths(statements):
    first = min(at for at, _ in statements) if min(at for at, _ in statements) > 0 else 0
    each, before = [[] for _ in range(TENTHS)], None
    for at, us in statements:
        tenth = int((at - first) * 10)
        if 0 <= tenth < TENTHS:
            each[tenth].append(us)
    for took in map(sorted, each):
        before = [took[round(q * (len(took) - 1))] for q in AT] if took else \
                 [max(us - 100_000, LEAST_US) for us in before]
        yield before


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--only", default=",".join(TROUBLES))
    parser.add_argument("--rate", type=int, default=1500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="shardd-record-") as home:
        folder = pathlib.Path(home)
        server = testbed.Server(folder / "server", settings="innodb_buffer_pool_load_at_startup=0\n"
                                "innodb_buffer_pool_dump_at_shutdown=0\n")
        try:
            prepare(server)
            for name in options.only.split(","):
                print(name)
                for row in tenths(record(server, name, folder, options.rate)):
                    print(*row)
                sys.stdout.flush()
        finally:
            server.stop()


if __name__ == "__main__":
    main()
