"""test_audit.py - what was changed stays known: the chained audit log, requests that are done once,
events as they happen, and a log whose lines name their requests."""
import concurrent.futures
import contextlib
import hashlib
import json
import re
import socket
import subprocess
import threading
import time

import pytest

from controlbed import Controller, UnixConnection
from test_api import ask, good_error
from testbed import SHARDCTL, free_port, wait_for


@pytest.fixture(scope="module")
def c(scratch):
    controller = Controller(scratch / "audited", 1,
                            ["--log-format", "json", "--log-level", "debug"])
    yield controller
    try:
        assert controller.json("audit", "verify")["ok"]
        assert controller.fsck() == []
    finally:
        controller.stop()


def rows(c, **more):
    query = "&".join(f"{k}={v}" for k, v in more.items())
    return c.call("GET", f"/v1/audit?{query}")[2]["audit"]


def files(c):
    return sorted((c.home / "audit").iterdir())


# --- the log -----------------------------------------------------------------------------------

def test_who_what_before_after_result(c):
    c.ctl("user", "add", "seen", "--password", "hush-hush")
    ask(c, "PUT", "/v1/users/seen", {"password": "hush-too"}, {"X-Request-Id": "change-7"})
    ask(c, "PUT", "/v1/users/seen", {"max_rows": 7}, {"X-Request-Id": "change-8"})
    mine = [r for r in rows(c, limit=50) if r.get("request") == "change-8"]
    change = next(r for r in mine if r["kind"] == "user")
    assert change["who"] == "unix:root" and change["action"] == "change"
    assert change["name"] == "seen" and '"max_rows": 7' in json.dumps(change["after"])
    assert '"max_rows": 7' not in json.dumps(change["before"])
    secret = next(r for r in rows(c, limit=50) if r.get("request") == "change-7" and
                  r["kind"] == "user")
    assert "verifier" in secret["after"]["hidden"] and "verifier" not in secret["after"]
    asked = next(r for r in mine if r["kind"] == "request")
    assert asked["name"] == "PUT /v1/users/seen" and asked["result"] == "200"
    c.ctl_raw("user", "remove", "nobody")
    refused = next(r for r in rows(c, limit=5) if r["kind"] == "request")
    assert refused["name"] == "DELETE /v1/users/nobody"
    assert refused["result"].startswith("40") and refused["who"] == "unix:root"
    everything = "".join(f.read_text() for f in files(c))
    assert "hush" not in everything and "caching_sha2" not in everything
    text = c.ctl("audit", "show", "--limit", "30")
    assert "DELETE /v1/users/nobody" in text and "-> 40" in text


def test_anybody_can_check_the_chain(c):
    """As the manual says: with sha256sum, without any of our code."""
    prev, n = "0" * 64, 0
    for line in "".join(f.read_text() for f in files(c)).splitlines():
        own, _, rest = line.rpartition(',"hash":"')
        assert hashlib.sha256(own.encode()).hexdigest() == rest[:-2]
        said = json.loads(line)
        n += 1
        assert said["prev"] == prev and said["seq"] == n
        prev = said["hash"]
    report = c.json("audit", "verify")
    assert report["ok"] and report["lines"] >= n and report["first"] == 1


def test_pages_go_back_to_the_first_line(c):
    got, before = [], 1 << 31
    while before > 1:
        page = rows(c, limit=7, before=before)
        assert page
        got += [r["seq"] for r in page]
        before = got[-1]
    assert got == list(range(got[0], 0, -1))


def test_tampering_while_it_runs(c):
    head = c.json("audit", "verify")["head"]
    noted = f"{head['seq']}:{head['hash']}"
    path = files(c)[0]
    wait_for("its lines to be safe", lambda: c.ctl("audit", "verify"))
    good = path.read_bytes()
    for bad, says in [(good.replace(b'"seen"', b'"sean"', 1), "was changed"),
                      (b"".join(good.splitlines(True)[:2] + good.splitlines(True)[3:]), "missing"),
                      (good[:len(good) // 2], "missing at the end"), (b"", "missing at the end")]:
        path.write_bytes(bad)
        done = c.ctl_raw("audit", "verify")
        assert done.returncode == 1 and says in done.stdout and "NOT whole" in done.stdout
        path.write_bytes(good)
    assert c.ctl_raw("audit", "verify", "--expect", noted).returncode == 0
    assert c.ctl_raw("audit", "verify", "--expect", f"{head['seq']}:{'0' * 64}").returncode == 1
    assert c.ctl_raw("audit", "verify", "--expect", "x").returncode == 2
    copy = c.home.parent / "copy.jsonl"
    copy.write_bytes(good)
    done = subprocess.run([SHARDCTL, "audit", "verify", copy], capture_output=True, text=True)
    assert done.returncode == 0 and "whole" in done.stdout
    copy.write_bytes(good.replace(b'"seq":4,', b'"seq":5,', 1))
    assert subprocess.run([SHARDCTL, "audit", "verify", copy], capture_output=True).returncode == 1


def test_kill_at_any_moment_loses_no_line(c):
    for i in range(2):
        stop = threading.Event()

        def write():
            while not stop.is_set():
                try:
                    c.call("PUT", "/v1/load", {"interval_s": 10 + i})
                except (OSError, json.JSONDecodeError, Exception):
                    return
        writer = threading.Thread(target=write)
        writer.start()
        time.sleep(0.15 + i / 10)
        c.kill()
        stop.set()
        writer.join()
        c.start()
        report = c.json("audit", "verify")
        assert report["ok"], report


def test_the_outbox_is_bounded(c):
    for _ in range(30):
        c.call("PUT", "/v1/load", {"interval_s": 10})
    c.kill()
    left = c.catalog("SELECT COUNT(*) FROM outbox")[0][0]
    tables = {r[0] for r in c.catalog("SELECT name FROM sqlite_master WHERE type='table'")}
    c.start()
    assert left < 300 and "audit" not in tables
    wait_for("the outbox to be empty", lambda: c.json("audit", "verify")["ok"])


def test_what_an_older_release_recorded_is_taken_over(c):
    c.kill()
    c.catalog("CREATE TABLE audit (id INTEGER PRIMARY KEY AUTOINCREMENT, time REAL, who TEXT,"
              " kind TEXT, name TEXT, version INTEGER, action TEXT, body TEXT)")
    c.catalog("INSERT INTO audit (time, who, kind, name, version, action, body)"
              " VALUES (5.5, 'old', 'table', 'app.old', 3, 'change', '{\"a\": 1}')")
    c.start()
    old = next(r for r in rows(c, limit=100) if r["who"] == "old")
    assert (old["time"], old["name"], old["after"]) == (5.5, "app.old", {"a": 1})
    assert c.json("audit", "verify")["ok"]


# --- once --------------------------------------------------------------------------------------

def once(c, key, method="POST", path="/v1/databases", body=None):
    return ask(c, method, path, body, {"Idempotency-Key": key})


def test_the_same_request_is_done_once(c):
    first = once(c, "a-1", body={"name": "once"})
    assert first[0] == 200
    for _ in range(2):
        status, headers, body = once(c, "a-1", body={"name": "once"})
        assert (status, body) == (200, first[2]) and headers["idempotent-replayed"] == "true"
    status, _, body = once(c, "a-1", body={"name": "other"})
    assert status == 422 and good_error(status, body)
    assert once(c, "a-1", "DELETE", "/v1/databases/once")[0] == 422
    # Also what was refused by the handler, and after another controller has taken over.
    refused = once(c, "a-2", body={"name": "once"})
    assert 400 <= refused[0] < 500
    c.kill()
    c.start()
    assert once(c, "a-1", body={"name": "once"})[0] == 200
    again = once(c, "a-2", body={"name": "once"})
    assert (again[0], again[2]["error"]["message"]) == (refused[0], refused[2]["error"]["message"])
    assert once(c, "a-3", "DELETE", "/v1/databases/once")[0] == 200
    assert once(c, "a-3", "DELETE", "/v1/databases/once")[0] == 200  # not 404
    assert ask(c, "DELETE", "/v1/databases/once")[0] in (400, 404)


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 201, "\u00fc", "a\tb"])
def test_keys_that_are_none(c, key):
    status, _, body = once(c, key.encode(), body={"name": "never"})
    assert status == 400 and good_error(status, body)


def test_a_key_does_not_outlive_a_refusal_before_the_work(c):
    assert once(c, "b-1", body={"nme": "x"})[0] == 400
    assert once(c, "b-1", body={"name": "fine"})[0] == 200
    ask(c, "DELETE", "/v1/databases/fine")
    assert ask(c, "GET", "/v1/databases", None, {"Idempotency-Key": "b-1"})[0] == 200  # not heeded


def test_of_many_at_once_one_is_done(c):
    def go(_):
        return once(c, "c-1", "POST", "/v1/users", {"name": "many", "password": "x"})
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        got = list(pool.map(go, range(8)))
    assert {s for s, _, _ in got} <= {200, 409} and any(s == 200 for s, _, _ in got)
    for status, headers, body in got:
        assert status == 200 or (good_error(status, body) and headers["retry-after"] == "1")
    assert go(0)[0] == 200
    c.ctl("user", "remove", "many")


def test_what_a_dead_controller_had_in_work_is_not_done_again(c):
    c.kill()
    body = {"name": "halfway"}
    words = json.dumps(["POST", "/v1/databases", body, {}, ""], separators=(",", ":"))
    print_ = hashlib.sha256(words.encode()).hexdigest()
    c.catalog("INSERT INTO answer (who, key, print, boot, time) VALUES ('unix:root', 'd-1', ?,"
              " 'another', ?)", (print_, time.time()))
    c.catalog("INSERT INTO answer (who, key, print, boot, time) VALUES ('unix:root', 'd-2', ?,"
              " 'another', ?)", (print_, time.time() - 86500))
    c.start()
    status, _, answer = once(c, "d-1", body=body)
    assert status == 409 and "ended while" in answer["error"]["message"]
    assert once(c, "d-2", body=body)[0] == 200  # too old to be remembered
    ask(c, "DELETE", "/v1/databases/halfway")


# --- events --------------------------------------------------------------------------------------

class Events:
    """A client of a stream, with what it has heard so far."""

    def __init__(self, c, path="/v1/events", after=None):
        self.connection = UnixConnection(c.home / "controller.sock")
        headers = {} if after is None else {"Last-Event-ID": str(after)}
        self.connection.request("GET", path, headers=headers)
        self.answer = self.connection.getresponse()
        self.heard, self.over = [], False
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        event = {}
        try:
            while line := self.answer.readline():
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    event[name] = value
                elif event:
                    if "data" in event:
                        self.heard.append((event.get("event"), int(event.get("id", 0)),
                                           json.loads(event["data"])))
                    event = {}
        except (OSError, ValueError, AttributeError):
            pass
        self.over = True

    def wait(self, what, good):
        return wait_for(what, lambda: next((e for e in self.heard if good(e)), None))

    def close(self):
        with contextlib.suppress(OSError):
            self.connection.sock.shutdown(socket.SHUT_RDWR)  # the reader holds the file's lock
        self.connection.close()


def test_events_of_all(c):
    listener = Events(c)
    assert listener.answer.getheader("Content-Type") == "text/event-stream"
    c.ctl("database", "create", "eventful")
    change = listener.wait("the change", lambda e: e[0] == "change" and e[2]["name"] == "eventful")
    assert change[2]["kind"] == "database" and change[2]["who"] == "unix:root"
    job = listener.wait("its job", lambda e: e[0] == "job" and e[2]["state"] == "done")
    assert job[2]["kind"] == "database" and "undo" not in job[2]
    ids = [e[1] for e in listener.heard if e[1]]
    assert ids == sorted(ids)
    c.ctl("scaler", "mode", "off")
    listener.wait("the scaler", lambda e: e[0] == "scaler")
    listener.close()

    # What came meanwhile is told to who comes back, by another controller too.
    c.kill()
    c.start()
    again = Events(c, after=change[1])
    later = again.wait("the rest", lambda e: e[1] > change[1])
    assert later[1] == job[1]
    again.close()
    lost = Events(c, after=10 ** 12)
    lost.wait("that it is lost", lambda e: e[0] == "reset")
    lost.close()
    c.ctl("database", "drop", "eventful")


def test_events_of_a_job_that_is_over(c):
    number = c.json("job", "list")["jobs"][0]["number"]
    listener = Events(c, f"/v1/jobs/{number}/events")
    wait_for("its end", lambda: listener.over)
    assert [(e[0], e[2]["number"], e[2]["state"]) for e in listener.heard] == \
        [("job", number, "done")]
    status, _, _ = UnixRaw(c, f"/v1/jobs/{number}/events", listener.heard[0][1])
    assert status == 204
    status, _, body = ask(c, "GET", "/v1/jobs/999999/events")
    assert status == 404 and good_error(status, body)
    assert f"job {number}  done" in c.ctl("job", "watch", number)
    assert c.json("job", "watch", number)["state"] == "done"


def UnixRaw(c, path, after):
    connection = UnixConnection(c.home / "controller.sock")
    connection.request("GET", path, headers={"Last-Event-ID": str(after)})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, answer.headers, text


def test_so_many_may_listen(c):
    listeners = [Events(c) for _ in range(64)]
    assert all(one.answer.status == 200 for one in listeners)
    status, headers, body = ask(c, "GET", "/v1/events")
    assert status == 503 and good_error(status, body) and headers["retry-after"]
    for one in listeners:
        one.close()
    c.ctl("database", "create", "freed")  # those that are gone are noticed when there is news
    c.ctl("database", "drop", "freed")

    def free():
        one = Events(c)
        one.close()
        return one.answer.status == 200
    wait_for("room for another", free)


# --- the log --------------------------------------------------------------------------------------

def test_log_lines_name_their_requests(c):
    ask(c, "GET", "/v1/ranges", headers={"X-Request-Id": "look-9"})
    ask(c, "POST", "/v1/databases", {"name": "bad name \u0000"}, {"X-Request-Id": "look-10"})

    def logged():
        """An answer is with its client before its line is in the log."""
        with open(c.log.name, encoding="utf-8") as f:
            lines = [json.loads(line) for line in f if line[:1] == "{" and line[-1] == "\n"]
        return lines if {"look-9", "look-10"} <= {line.get("request") for line in lines} else None
    lines = wait_for("the lines", logged)
    assert all({"time", "process", "level", "message"} <= line.keys() for line in lines)
    mine = next(line for line in lines if line.get("request") == "look-9")
    assert mine["level"] == "debug" and mine["message"] == "GET /v1/ranges by unix:root: 200"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z", mine["time"])


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def looks(one):
    """How many lines of its journal are of GET /v1/ranges."""
    with open(one.log.name, encoding="utf-8") as f:
        return len(re.findall(r"^<7>shardctl: GET /v1/ranges by \S+: 200 request=\w+$", f.read(),
                              re.M))


def test_formats_and_what_is_remembered(scratch):
    """As the journal wants it; and once more without options, it is the same. So is the API."""
    port = free_port()
    one = Controller(scratch / "journal", 0, [
        "--log-format", "journal", "--log-level", "debug", "--api-listen", f"127.0.0.1:{port}",
        "--api-plain"])
    try:
        one.call("GET", "/v1/ranges")
        assert listens(port)
        wait_for("its line", lambda: looks(one) == 1)
        one.kill()
        one.options = []
        one.start()
        one.call("GET", "/v1/ranges")
        assert listens(port)
        wait_for("its line", lambda: looks(one) == 2)
        one.kill()
        one.options = ["--api-listen", ""]
        one.start()
        assert not listens(port)
    finally:
        one.stop()
