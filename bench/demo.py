#!/usr/bin/python3
"""demo.py - the movie: a cluster of one shard grows under load, and shrinks again, by itself.

    bench/demo.py [--seconds N] [--peak N] [--keep]

Applications read, write and carry money while their rate rises, stays and falls. The scaler is the
one of every cluster, with limits made small by its settings. The terminal shows one live picture,
and the controller's web page, whose address stands above it, the same.
In the end every row is compared with what the applications know, and build/bench/demo.svg shows
what happened. Exit status 1: a statement failed, a row is wrong, or it did not grow and shrink.
"""
import argparse
import contextlib
import http.client
import json
import multiprocessing
import os
import pathlib
import queue
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import pymysql

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

import testbed  # noqa: E402

OUT = ROOT / "build" / "bench"
CLIENTS, ROWS, ACCOUNTS, START = 6, 4000, 500, 1000
LIMIT = 250  # statements per second on a shard, above which it is hot
SETTINGS = {
    "check_s": 1, "max_statements": LIMIT, "hot_n": 4, "hot_of": 5, "clear": 80, "cold": 35,
    "cold_n": 6, "cold_of": 7, "merge_to": 60, "cooldown_s": 6, "max_shards": 4,
    "moves_per_day": 1000, "max_latency_ms": 0, "max_cpu": 0, "max_memory": 0, "max_storage": 0,
    "max_connections": 0, "free_disk": 0, "forecast_error": 0, "max_pause_ms": 1000,
}
TABLES = """CREATE TABLE orders (id BIGINT PRIMARY KEY, version INT NOT NULL, note VARCHAR(200))
CREATE TABLE accounts (id BIGINT PRIMARY KEY, cents BIGINT NOT NULL)"""


# --- applications -----------------------------------------------------------------------------

class Client:
    """One application: rows of its own, of which it knows everything, and money of all."""

    def __init__(self, number, port, rate, stop, news):
        self.number, self.port, self.rate, self.stop, self.news = number, port, rate, stop, news
        self.random = random.Random(number)
        self.known = {}
        self.failed, self.took = [], []

    def run(self):
        with pymysql.connect(host="127.0.0.1", port=self.port, user="app", password="app",
                             database="app", autocommit=True, read_timeout=60) as c:
            self.cursor = c.cursor()
            self.fill()
            self.news.put(("ready", self.number))
            due = told = time.monotonic()
            while not self.stop.value:
                due = max(due + self.wait(), time.monotonic() - 1)
                time.sleep(max(0, due - time.monotonic()))
                self.step()
                if time.monotonic() >= told + 1:
                    told = time.monotonic()
                    self.tell()
        self.tell()
        self.news.put(("end", self.number, self.known))

    def wait(self):
        return self.random.expovariate(max(self.rate.value, 1) / CLIENTS)

    def tell(self):
        self.news.put(("second", self.number, self.took, self.failed))
        self.took, self.failed = [], []

    def fill(self):
        first = self.number * 1_000_000
        for at in range(0, ROWS, 500):
            keys = range(first + at, first + at + 500)
            self.cursor.execute("INSERT INTO orders VALUES " + ",".join(
                f"({k}, 0, REPEAT('{k} ', 10))" for k in keys))
            self.known.update(dict.fromkeys(keys, 0))

    def execute(self, sql, args=()):
        began = time.monotonic()
        self.cursor.execute(sql, args)
        self.took.append(time.monotonic() - began)

    def step(self):
        try:
            self.some()
        except (pymysql.err.MySQLError, AssertionError) as error:
            self.failed.append(f"{time.strftime('%H:%M:%S')} client {self.number}: {error!r}")

    def some(self):
        what, key = self.random.random(), self.random.choice(range(ROWS))
        key += self.number * 1_000_000
        if what < 0.70:
            self.execute("SELECT version FROM orders WHERE id = %s", (key,))
            found = self.cursor.fetchall()
            assert found == ((self.known[key],),), f"order {key}: {found}"
        elif what < 0.90:
            self.execute("UPDATE orders SET version = version + 1 WHERE id = %s", (key,))
            assert self.cursor.rowcount == 1, f"order {key}: {self.cursor.rowcount} rows changed"
            self.known[key] += 1
        elif what < 0.99:
            self.insert()
        else:
            self.carry()

    def insert(self):
        key = self.number * 1_000_000 + len(self.known)
        self.execute("INSERT INTO orders VALUES (%s, 1, 'new')", (key,))
        self.known[key] = 1

    def carry(self):
        a, b = sorted(self.random.sample(range(ACCOUNTS), 2))
        self.execute("BEGIN")
        self.execute("UPDATE accounts SET cents = cents - 7 WHERE id = %s", (a,))
        self.execute("UPDATE accounts SET cents = cents + 7 WHERE id = %s", (b,))
        self.execute("COMMIT")


class Crowd:
    """All clients, and what they tell."""

    def __init__(self, port):
        self.rate = multiprocessing.Value("d", 20)
        self.stop = multiprocessing.Value("b", 0)
        self.news = multiprocessing.Queue()
        self.took, self.failed, self.known, self.ready, self.done = [], [], {}, 0, 0
        self.processes = [multiprocessing.Process(
            target=Client(i, port, self.rate, self.stop, self.news).run, daemon=True)
            for i in range(CLIENTS)]
        for process in self.processes:
            process.start()

    def hear(self):
        with contextlib.suppress(queue.Empty):
            while True:
                kind, _, *rest = self.news.get_nowait()
                if kind == "second":
                    self.took += rest[0]
                    self.failed += rest[1]
                    self.done += len(rest[0])
                elif kind == "end":
                    self.known.update(rest[0])
                self.ready += kind == "ready"

    def second(self):
        """Statements and their 99th percentile, in ms, since the last call."""
        took, self.took = sorted(self.took), []
        return len(took), 1000 * took[int(0.99 * len(took))] if took else 0.0

    def end(self):
        self.stop.value = 1
        deadline = time.monotonic() + 60
        while any(p.is_alive() for p in self.processes) and time.monotonic() < deadline:
            self.hear()
            time.sleep(0.05)
        self.hear()
        for process in self.processes:
            if process.is_alive() or process.exitcode != 0:
                self.failed.append(f"client ended with {process.exitcode}")
                process.kill()


# --- the cluster --------------------------------------------------------------------------------

class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("controller", timeout=30)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self.path)


class Watcher:
    """What the controller says, once a second."""

    def __init__(self, cluster):
        self.path = cluster.home / "controller.sock"
        self.moved, self.jobs = {}, {}

    def get(self, path):
        connection = Unix(self.path)
        try:
            connection.request("GET", "/v1/" + path)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def look(self):
        loads = {s["shard"]: s.get("statements_per_s") or 0 for s in self.get("load")["shards"]}
        scaler = self.get("scaler")
        shards = {s["name"]: (loads.get(s["name"], 0), s) for s in scaler["shards"] or []}
        decisions = self.get("scaler/decisions?limit=100")["decisions"]
        for d in decisions:
            number = d.get("job", 0)
            if number and self.jobs.get(number) != "done":
                self.look_at_job(number)
        return shards, scaler, decisions

    def look_at_job(self, number):
        job = self.get(f"jobs/{number}")
        rows = (job.get("progress") or {}).get("sent", 0) or (job.get("verified") or {}).get(
            "rows", 0)
        self.moved[number] = max(self.moved.get(number, 0), rows)
        self.jobs[number] = job["state"]


# --- the picture --------------------------------------------------------------------------------

BLOCKS = " ▁▂▃▄▅▆▇█"


def spark(values, width, most=None):
    values = values[-width:]
    most = most or max(values, default=0) or 1
    return "".join(BLOCKS[min(8, round(8 * v / most))] for v in values)


def bar(value, limit, width=36):
    """Full at 1.5 times the limit, which is marked."""
    n, mark = min(width, round(width * value / limit / 1.5)), round(width / 1.5)
    return "".join("|" if i == mark else "█" if i < n else "·" for i in range(width))


def decision_lines(decisions, room):
    marks = {"done": "✓", "moving": "…", "beginning": "…", "failed": "✗", "held": "·", "hint": "i"}
    shown = [d for d in decisions if d["state"] != "held"][:room]
    return [f" {marks.get(d['state'], '?')} {time.strftime('%H:%M:%S', time.localtime(d['at_s']))} "
            f"{d['action']}: {d['text']}" for d in shown]


def open_page(cluster):
    """Where the page is, and the file that has a token for it."""
    file = OUT / "demo.token"
    OUT.mkdir(parents=True, exist_ok=True)
    file.touch(0o600)
    file.write_text(cluster.ctl_raw("token", "issue", "demo", "--role", "viewer").stdout)
    return f"http://{cluster.page}/  (its token is in {file.relative_to(ROOT)})"


def picture(page, at, seconds, target, history, shards, scaler, decisions, moved, failed):
    qps, p99 = history[-1][1], history[-1][2]
    words = shutil.get_terminal_size((110, 30))
    lines = [f"shardd demo   {at:4.0f} of {seconds} s    applications want {target:5.0f}/s",
             f" page  {page}", "",
             f" statements/s {qps:6.0f}  {spark([h[1] for h in history], 60)}",
             f" p99, ms      {p99:6.1f}  {spark([h[2] for h in history], 60)}",
             f" shards       {len(shards):6}  {spark([h[3] for h in history], 60, 4)}",
             f" rows moved   {moved:6}    failed statements {failed}", "",
             f" {'shard':10} {'statements/s':>12}   (| hot above {LIMIT})"]
    for name, (load, shard) in sorted(shards.items()):
        state = ("moving" if shard["moving"] else "hot" if shard["hot"] else
                 "cold" if shard["cold"] else "")
        lines.append(f" {name:10} {load:12.0f}   {bar(load, LIMIT)} {state}")
    lines += ["", " " + (scaler["moving"] or "no rows move"), "", " decisions"]
    lines += decision_lines(decisions, 5)
    return [line[:words.columns - 1] for line in lines[:words.lines - 1]]


def show(lines, live):
    if live:
        sys.stdout.write("\x1b[H" + "".join(f"{line}\x1b[K\n" for line in lines) + "\x1b[J")
        sys.stdout.flush()


def one_line(at, history, shards, scaler):
    _, qps, p99, n, _ = history[-1]
    print(f"{at:5.0f} s  {qps:5.0f}/s  p99 {p99:6.1f} ms  {n} shard{'s' if n != 1 else ''} "
          f"{[round(load) for load, _ in shards.values()]}  {scaler['moving']}", flush=True)


# --- the movie ----------------------------------------------------------------------------------

def target_at(part, peak):
    """Statements per second: up for two fifths, on top for a fifth, down, and low."""
    low = peak / 20
    if part < 0.40:
        return low + (peak - low) * part / 0.40
    if part < 0.55:
        return peak
    return max(low, peak - (peak - low) * (part - 0.55) / 0.08)


def play(options, cluster, crowd, history):
    watcher, page = Watcher(cluster), open_page(cluster)
    began, spoken = time.monotonic(), 0
    live = sys.stdout.isatty()
    decisions = []
    if live:
        sys.stdout.write("\x1b[2J")
    else:
        print(f"page: {page}", flush=True)
    while (at := time.monotonic() - began) < options.seconds or (
            at < 2 * options.seconds and len(shards) > 1):
        crowd.rate.value = target_at(at / options.seconds, options.peak)
        time.sleep(max(0, 1 - (time.monotonic() - began) % 1))
        crowd.hear()
        shards, scaler, decisions = watcher.look()
        qps, p99 = crowd.second()
        moved = sum(watcher.moved.values())
        history.append((at, qps, p99, len(shards), moved))
        show(picture(page, at, options.seconds, crowd.rate.value, history, shards, scaler,
                     decisions, moved, len(crowd.failed)), live)
        if not live and at >= spoken:
            one_line(at, history, shards, scaler)
            spoken += 5
    return decisions


def draw(history):
    OUT.mkdir(parents=True, exist_ok=True)
    data, out = OUT / "demo.data", OUT / "demo.svg"
    data.write_text("".join(" ".join(f"{v:.3f}" for v in row) + "\n" for row in history))
    done = subprocess.run(["gnuplot", "-e", f"data='{data}'; out='{out}'; hot={LIMIT}",
                           ROOT / "bench" / "demo.gp"], capture_output=True, text=True)
    if done.returncode:
        print(f"no picture: {done.stderr}")
    return out if done.returncode == 0 else None


def compare(cluster, crowd):
    """What is wrong with the rows."""
    rows = dict(cluster.sql("SELECT id, version FROM orders"))
    wrong = []
    if rows != crowd.known:
        differ = sorted(set(rows.items()) ^ set(crowd.known.items()))
        wrong.append(f"orders: {len(rows)} rows, not {len(crowd.known)}: {differ[:5]}")
    (found,) = cluster.sql("SELECT COUNT(*), SUM(cents) FROM accounts")
    if found != (ACCOUNTS, ACCOUNTS * START):
        wrong.append(f"accounts: {found}, not {(ACCOUNTS, ACCOUNTS * START)}")
    fsck = cluster.ctl_raw("fsck", timeout=300)
    if fsck.returncode:
        wrong.append(fsck.stdout)
    return wrong, len(rows)


def judge(history, decisions, crowd, wrong):
    done = [d for d in decisions if d["state"] == "done"]
    if not any(d["action"] == "split" and d["why"] == "hot" for d in done):
        wrong.append("no hot shard was split")
    if not any(d["action"] == "merge" and d["why"] == "cold" for d in done):
        wrong.append("no cold shards were merged")
    if max(h[3] for h in history) < 2 or history[-1][3] != 1:
        wrong.append(f"from 1 shard to {max(h[3] for h in history)} to {history[-1][3]}")
    return wrong + [f"failed: {f}" for f in crowd.failed[:5]]


def summary(history, decisions, crowd, rows, wrong):
    done = [d for d in decisions if d["state"] == "done"]
    splits = sum(d["action"] == "split" for d in done)
    print(f"\n{history[-1][0]:.0f} s: {crowd.done} statements, {len(crowd.failed)} failed; "
          f"1 shard, then {max(h[3] for h in history)}, then {history[-1][3]}; {splits} splits, "
          f"{len(done) - splits} merges, {history[-1][4]:.0f} rows moved")
    p99 = sorted(h[2] for h in history if h[1] > 0)
    print(f"p99 of a second: median {p99[len(p99) // 2]:.1f} ms, worst {p99[-1]:.1f} ms; "
          f"{rows} rows compared: "
          f"{'WRONG' if wrong else 'all as the applications know them'}")
    for d in reversed(done):
        print(f"  {d['action']:5} {d['text']}")
    for problem in wrong:
        print(f"WRONG: {problem}")
    picture_file = draw(history)
    if picture_file:
        print(f"picture: {picture_file.relative_to(ROOT)}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=170)
    parser.add_argument("--peak", type=int, default=700, help="statements per second")
    parser.add_argument("--keep", action="store_true", help="leave the cluster running")
    options = parser.parse_args()
    home = pathlib.Path(tempfile.mkdtemp(prefix="shardd-demo-"))
    os.chmod(home, 0o755)
    history = []
    print("starting a cluster of one shard ...", flush=True)
    page = f"127.0.0.1:{testbed.free_port()}"
    cluster = testbed.Cluster(home / "c", shards=1, settings=["--api-listen", page, "--api-plain"])
    cluster.page = page
    try:
        for sql in TABLES.split("\n"):
            cluster.sql(sql)
        cluster.sql("INSERT INTO accounts VALUES " + ",".join(
            f"({i}, {START})" for i in range(ACCOUNTS)))
        cluster.ctl("load set", "--interval", 1)
        cluster.ctl("scaler set", "mode=auto", *(f"{k}={v}" for k, v in SETTINGS.items()))
        crowd = Crowd(cluster.port)
        testbed.wait_for("the applications", lambda: crowd.hear() or crowd.ready == CLIENTS, 60)
        decisions = play(options, cluster, crowd, history)
        crowd.end()
        wrong, rows = compare(cluster, crowd)
        wrong = judge(history, decisions, crowd, wrong)
        summary(history, decisions, crowd, rows, wrong)
        return 1 if wrong else 0
    finally:
        if options.keep:
            print(f"the cluster is left in {cluster.home}")
        else:
            cluster.down()
            cluster.forget()
            shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
