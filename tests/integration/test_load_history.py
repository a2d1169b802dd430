"""test_load_history.py - what was measured survives the controller; servers elsewhere are
measured by node-exporter."""
import http.server
import os
import shutil
import socket
import sqlite3
import threading

import pytest

from controlbed import Controller
from testbed import wait_for


@pytest.fixture(scope="module")
def c(scratch):
    controller = Controller(scratch / "history", shards=1)
    controller.ctl("load", "set", "--interval", "1")
    yield controller
    try:
        assert controller.fsck() == []
    finally:
        controller.stop()


def points(c):
    return c.json("load", "history", "shard-1")["points"]


def at_least(c, n):
    return wait_for("points", lambda: len(p := points(c)) >= n and p)


def test_a_killed_controller_loses_nothing(c):
    before = at_least(c, 4)
    c.kill()
    c.start()
    after = at_least(c, len(before) + 2)
    times = [p["at_ms"] for p in after]
    assert times == sorted(set(times))
    known = {p["at_ms"]: p for p in after}
    for p in before[:-1]:
        again = known[p["at_ms"]]
        assert again["disk_free"] == pytest.approx(p["disk_free"], rel=1e-6)
        assert (again["lag_s"], again["statements_per_s"]) == (None, p["statements_per_s"])
    assert c.json("load")["interval_s"] == 1


def test_a_damaged_file_makes_way_for_a_new_one(c):
    c.kill()
    path = c.home / "load.db"
    for left in c.home.glob("load.db-*"):
        left.unlink()
    path.write_bytes(b"this is no database" * 1000)
    c.start()
    at_least(c, 2)
    assert (c.home / "load.db.bad").read_bytes().startswith(b"this is no")
    assert "damaged" in open(c.log.name).read()


def test_fields_of_another_build(c):
    """Its points are read as far as they are known, and its own are kept."""
    at_least(c, 3)
    c.kill()
    with sqlite3.connect(c.home / "load.db") as db:
        db.execute("UPDATE field SET name = 'unknown' WHERE name = 'disk_free'")
        n = db.execute("SELECT COUNT(*) FROM point").fetchone()[0]
    db.close()
    assert n >= 3
    c.start()
    first = at_least(c, 3)[0]
    assert first["disk_free"] is None and first["disk_used"] > 0
    wait_for("new ones", lambda: points(c)[-1]["disk_free"])


def test_what_cannot_be_written_stops_nothing(c):
    c.kill()
    path = c.home / "load.db"
    for left in c.home.glob("load.db*"):
        left.unlink()
    path.mkdir()
    (path / "x").touch()
    c.start()
    at_least(c, 2)
    assert "cannot be written" in open(c.log.name).read()
    for left in c.home.glob("load.db*"):
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    wait_for("the file", lambda: path.is_file() and path.stat().st_size > 0)
    at_least(c, 3)


NODE = """# TYPE node_cpu_seconds_total counter
node_cpu_seconds_total{cpu="0",mode="idle"} IDLE
node_cpu_seconds_total{cpu="0",mode="user"} USER
node_memory_MemTotal_bytes 1e+10
node_memory_MemAvailable_bytes 7.5e+09
node_filesystem_size_bytes{mountpoint="/"} 1e+12
node_filesystem_avail_bytes{mountpoint="/"} 4e+11
"""


class Node(http.server.BaseHTTPRequestHandler):
    page, asked = NODE, 0

    def do_GET(self):
        Node.asked += 1
        page = self.page.replace("IDLE", str(75 * Node.asked))
        page = page.replace("USER", str(25 * Node.asked))
        self.send_response(200 if self.path == "/metrics" else 404)
        self.end_headers()
        self.wfile.write(page.encode())

    def log_message(self, *_):
        pass


def shard(c):
    return c.json("load")["shards"][0]


def problem(c):
    return next((k["problem"] for k in shard(c)["collectors"] if k["collector"] == "agent"), "")


def test_an_agent_on_the_server_s_machine(c):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Node)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        c.ctl("shard", "set", "shard-1", "--agent",
              f"http://127.0.0.1:{server.server_port}/metrics")
        one = wait_for("its numbers", lambda: (s := shard(c))["memory_limit"] == 1e10 and
                       s["cpu"] == pytest.approx(0.25) and s)
        assert one["memory"] == pytest.approx(0.25)
        assert one["disk"] == pytest.approx(0.6) and one["cpu_limit"] == 1
        c.ctl("shard", "set", "shard-1", "--agent", f"http://127.0.0.1:{server.server_port}/x")
        wait_for("the problem", lambda: "404" in problem(c))
    finally:
        server.shutdown()
        server.server_close()
    assert c.ctl_raw("shard", "set", "shard-1", "--agent", "ftp://x").returncode == 1
    assert c.ctl_raw("shard", "set", "nobody", "--agent", "http://x/").returncode == 1


def test_an_agent_that_hangs(c):
    """It takes connections and says nothing: the others go on."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        c.ctl("shard", "set", "shard-1", "--agent",
              f"http://127.0.0.1:{deaf.getsockname()[1]}/metrics")
        wait_for("the problem", lambda: "ime" in problem(c))
        assert shard(c)["threads_connected"] >= 1
        n = len(points(c))
        at_least(c, min(n + 2, 64))
    c.ctl("shard", "set", "shard-1", "--agent", "")
    wait_for("no problem", lambda: problem(c) == "")
    wait_for("the process", lambda: 0 < shard(c)["cpu_limit"] <= os.cpu_count())
