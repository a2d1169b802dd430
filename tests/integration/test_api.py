"""test_api.py - the controller's REST API: its document, what it checks, its pages; and that the
command line asks for nothing else."""
import concurrent.futures
import http.server
import json
import random
import re
import socketserver
import subprocess
import threading
import urllib.parse

import pytest

import openapi_shape
import testbed
from controlbed import Controller, UnixConnection


@pytest.fixture(scope="module")
def c(scratch):
    controller = Controller(scratch / "api")
    yield controller
    try:
        assert controller.fsck() == []
    finally:
        controller.stop()


@pytest.fixture(scope="module")
def document(c):
    return c.call("GET", "/v1/openapi.json")[2]


def ask(c, method, path, body=None, headers=None):
    """The body as bytes, or as what becomes JSON."""
    connection = UnixConnection(c.home / "controller.sock")
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, {k.lower(): v for k, v in answer.getheaders()}, json.loads(text)


def operations(document):
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def good_error(status, body):
    error = body["error"]
    return status >= 400 and error["message"] and error["request_id"] and \
        isinstance(error["code"], int) and len(error["sqlstate"]) == 5


def test_the_document_is_openapi(document):
    openapi_shape.check(document)
    assert len(list(operations(document))) > 40


def test_changes_are_done_once_and_streams_are_said(document):
    """What a viewer may not do takes a key; what is a stream says so."""
    for method, path, operation in operations(document):
        named = {p.get("$ref", "").rpartition("/")[2] for p in operation["parameters"]}
        changes = method != "GET" and operation["x-role"] != "viewer"
        assert ("once" in named) == changes, (method, path)
        streams = "text/event-stream" in operation["responses"]["200"]["content"]
        assert streams == operation.get("x-stream", False) == path.endswith("events")


def test_every_change_takes_its_key_as_one(c, document):
    """No key is good for two requests, whatever they are; what is no key is refused first."""
    for method, path, operation in operations(document):
        if method == "GET" or operation["x-role"] == "viewer":
            continue
        status, _, body = ask(c, method, filled(path), {} if "requestBody" in operation else None,
                              {"Idempotency-Key": "no key"})
        assert status == 400 and good_error(status, body), (method, path, body)


def filled(path):
    """A path that names nothing there is."""
    numbers = {"{job}": "999999", "{decision}": "999999", "{what}": "pause"}
    return "/".join(numbers.get(part, "nowhere") if part.startswith("{") else part
                    for part in path.split("/"))


def test_every_route_of_the_document_is_there(c, document):
    """With members that it does not take each says so; so none of them changes anything."""
    for method, path, operation in operations(document):
        where = filled(path)
        assert "{" not in where, "name the new part in filled()"
        if "requestBody" in operation:
            status, _, body = ask(c, method, where, {"no such member": 1})
        else:
            status, _, body = ask(c, method, where + "?no_such_member=1")
        assert status == 400 and good_error(status, body), (method, path, status, body)
        assert "member" in body["error"]["message"]


def test_every_get_answers(c, document):
    for method, path, operation in operations(document):
        if method != "GET" or operation.get("x-stream"):
            continue
        status, headers, body = ask(c, method, filled(path))
        assert status in (200, 404, 503), (path, status, body)
        assert headers["x-request-id"]
        if status == 200:
            schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
            openapi_shape.jsonschema.Draft202012Validator(schema).validate(body)
        else:
            assert good_error(status, body)


def wrong(schema):
    """Values that a member must not have."""
    if "anyOf" in schema:
        schema = schema["anyOf"][0]
    kind = schema["type"]
    values = [[1], {"a": 1}, 1.5, "x\0y"]
    if kind == "string":
        values = [7, True, ["a"], {"a": 1}]
        values += ["none of these"] if "enum" in schema else []
        values += ["x" * (schema["maxLength"] + 1)] if schema.get("maxLength", 1e9) < 1e5 else []
    elif kind in ("integer", "number"):
        values = ["1", True, [1], schema["maximum"] + 4096 if schema["maximum"] < 1e17 else -1,
                  schema["minimum"] - 1]
    elif kind == "boolean":
        values = [1, "true", []]
    elif kind == "array":
        values = ["a", {"a": 1}, 1] + ([[1], ["x" * 5000]] if "items" in schema else [])
    elif kind == "object":
        values = ["a", [1], 1]
    return values


def right(schema):
    if "anyOf" in schema:
        schema = schema["anyOf"][0]
    return schema["enum"][0] if "enum" in schema else {
        "string": "nowhere", "integer": schema.get("minimum"), "number": schema.get("minimum"),
        "boolean": False, "array": [], "object": {}}[schema["type"]]


def test_wrong_members_are_refused_by_name(c, document):
    """Before anything is done: each is wrong in one member only."""
    for method, path, operation in operations(document):
        if "requestBody" not in operation:
            continue
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        members = schema["properties"]
        needed = {name: right(members[name]) for name in schema.get("required", [])}
        for name, member in members.items():
            for value in wrong(member):
                status, _, body = ask(c, method, filled(path), {**needed, name: value})
                assert status == 400 and good_error(status, body), (path, name, value, body)
                assert f'"{name}"' in body["error"]["message"], (path, name, value, body)
        for name in needed:
            rest = {k: v for k, v in needed.items() if k != name}
            status, _, body = ask(c, method, filled(path), rest)
            assert status == 400 and f'"{name}"' in body["error"]["message"], (path, name, body)


@pytest.mark.parametrize("body", [
    b"{", b"[]", b"1", b"null", b'"x"', b"{\"name\": \"a\", \"name\": \"b\"}", b"\xff\xfe", b"{}{}",
    b"{\"name\": \"\xff\"}", b"[" * 100000, b"{\"a\":" * 5000, b"{\"name\": 1e999}", b"\0",
])
def test_a_body_that_is_no_object_is_refused(c, body):
    status, _, answer = ask(c, "POST", "/v1/databases", body)
    assert status == 400 and good_error(status, answer)


def test_random_bodies_never_do_harm(c, document):
    chance = random.Random(6)
    good = json.dumps({"name": "x", "policy": "auto", "verb": "split", "shards": ["a"]}).encode()
    changes = [(m, p) for m, p, o in operations(document)
               if "requestBody" in o and o["requestBody"]["required"]]
    for _ in range(300):
        text = bytearray(good)
        for _ in range(chance.randint(1, 6)):
            text[chance.randrange(len(text))] = chance.randrange(256)
        method, path = chance.choice(changes)
        status, _, body = ask(c, method, filled(path), bytes(text))
        assert 400 <= status < 500 and good_error(status, body), (path, text, body)
    assert c.call("GET", "/v1/status")[0] == 200


def test_what_is_too_long_is_refused(c):
    status, _, body = ask(c, "POST", "/v1/databases", b" " * (3 << 20))
    assert status == 413 and good_error(status, body)

    def pieces():
        for _ in range(40):
            yield b" " * 65536
    connection = UnixConnection(c.home / "controller.sock")
    connection.request("POST", "/v1/databases", pieces(), {"Transfer-Encoding": "chunked"},
                       encode_chunked=True)
    answer = connection.getresponse()
    assert answer.status == 413 and good_error(413, json.loads(answer.read()))
    connection.close()
    assert c.call("GET", "/v1/status")[0] == 200


@pytest.mark.parametrize("path", [
    "/v1/databases/a%", "/v1/databases/a%4", "/v1/databases/%00", "/v1/databases/%zz",
    "/v1/" + "a/" * 50, "/v1//", "/v2/status", "/v1", "//v1/status",
])
def test_paths_that_are_none(c, path):
    status, _, body = ask(c, "GET", path)
    assert status == 404 and good_error(status, body)


def test_a_request_keeps_the_id_it_came_with(c):
    status, headers, _ = ask(c, "GET", "/v1/ranges", headers={"X-Request-Id": "deploy-42.a"})
    assert status == 200 and headers["x-request-id"] == "deploy-42.a"
    for bad in ("a b", "x" * 65, "a\tb", '"'):
        _, headers, body = ask(c, "GET", "/v1/nothing", headers={"X-Request-Id": bad})
        assert headers["x-request-id"] not in (bad, "")
        assert body["error"]["request_id"] == headers["x-request-id"]


def test_a_change_of_an_older_version_is_refused(c):
    c.ctl("user", "add", "tagged", "--password", "x")
    tag = ask(c, "GET", "/v1/users/tagged")[1]["etag"]
    other = {"max_rows": 5}
    for bad in ('"999"', "1", "W/" + tag, "", '"', tag * 2):
        assert ask(c, "PUT", "/v1/users/tagged", other, {"If-Match": bad})[0] == 412
        assert ask(c, "DELETE", "/v1/users/tagged", None, {"If-Match": bad})[0] == 412
    assert ask(c, "GET", "/v1/users/tagged")[1]["etag"] == tag
    assert ask(c, "PUT", "/v1/users/tagged", other, {"If-Match": tag})[0] == 200
    assert ask(c, "PUT", "/v1/users/tagged", {"max_rows": 6}, {"If-Match": tag})[0] == 412
    shown, headers, body = ask(c, "GET", "/v1/users/tagged")
    assert headers["etag"] != tag and body["max_rows"] == 5
    assert ask(c, "DELETE", "/v1/users/nobody", None, {"If-Match": "*"})[0] == 412
    assert ask(c, "DELETE", "/v1/users/tagged", None, {"If-Match": headers["etag"]})[0] == 200
    assert ask(c, "DELETE", "/v1/users/app", None, {"If-Match": '"0"'})[0] == 412


@pytest.mark.parametrize("path, one, other", [
    ("/v1/scaler", {"max_shards": 7}, {"max_shards": 8}),
    ("/v1/load", {"interval_s": 9}, {"interval_s": 10})])
def test_settings_have_versions(c, path, one, other):
    """From the first on: those that nobody has set yet are a version as well."""
    tag = ask(c, "GET", path)[1]["etag"]
    assert ask(c, "PUT", path, one, {"If-Match": '"99"'})[0] == 412
    assert ask(c, "PUT", path, one, {"If-Match": tag})[0] == 200
    assert ask(c, "PUT", path, other, {"If-Match": tag})[0] == 412
    assert ask(c, "GET", path)[1]["etag"] != tag
    assert ask(c, "PUT", path, other, {"If-Match": "*"})[0] == 200


def test_a_version_that_cannot_be_heeded_is_refused(c, document):
    for method, path, operation in operations(document):
        named = {p.get("$ref", "").rpartition("/")[2] for p in operation["parameters"]}
        if method == "GET" or "if_match" in named:
            continue
        needed = {}
        if "requestBody" in operation:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            needed = {name: right(schema["properties"][name])
                      for name in schema.get("required", [])}
        status, _, body = ask(c, method, filled(path), needed or None, {"If-Match": '"1"'})
        assert status == 400 and "If-Match" in body["error"]["message"], (method, path, body)


def test_methods_that_a_path_does_not_take(c):
    status, headers, body = ask(c, "PATCH", "/v1/users/app", {})
    assert status == 405 and good_error(status, body)
    assert headers["allow"] == "GET, PUT, DELETE"
    assert ask(c, "DELETE", "/v1/status")[1]["allow"] == "GET"


def test_of_many_who_change_the_same_version_one_wins(c):
    c.ctl("user", "add", "raced", "--password", "x")
    tag = ask(c, "GET", "/v1/users/raced")[1]["etag"]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda n: ask(c, "PUT", "/v1/users/raced", {"max_rows": n},
                                          {"If-Match": tag})[0], range(1, 9)))
    assert sorted(got) == [200] + [412] * 7
    c.ctl("user", "remove", "raced")


def pages(c, path, member, limit):
    cursor, found = "", []
    while True:
        status, _, body = c.call("GET", f"{path}?limit={limit}{cursor}")
        assert status == 200 and len(body[member]) <= limit
        found += body[member]
        if "next_cursor" not in body:
            return found
        assert len(body[member]) == limit
        cursor = "&cursor=" + body["next_cursor"]


def test_lists_come_in_pages(c):
    for name in ("p1", "p2", "p3", "p4"):
        c.ctl("user", "add", name, "--password", "x")
    whole = c.call("GET", "/v1/users")[2]["users"]
    for limit in (1, 2, 3, len(whole), 100):
        assert pages(c, "/v1/users", "users", limit) == whole
    jobs = c.call("GET", "/v1/jobs")[2]["jobs"]
    assert [j["number"] for j in pages(c, "/v1/jobs", "jobs", 2)] == [j["number"] for j in jobs]
    for limit in (100, 7):
        assert len(pages(c, "/v1/jobs", "jobs", limit)) >= len(jobs)
    starts = [r["first"] for r in c.call("GET", "/v1/ranges")[2]["ranges"]]
    assert [r["first"] for r in pages(c, "/v1/ranges", "ranges", 5)] == starts

    # What goes away between two pages leaves no hole and brings nothing twice.
    first = c.call("GET", "/v1/users?limit=2")[2]
    for user in first["users"]:
        if user["name"] != "app":
            c.ctl("user", "remove", user["name"])
    rest = c.call("GET", f"/v1/users?cursor={first['next_cursor']}")[2]["users"]
    assert rest == whole[2:]
    for name in ("p1", "p2", "p3", "p4"):
        c.ctl_raw("user", "remove", name)


@pytest.mark.parametrize("query", [
    "limit=0", "limit=1001", "limit=x", "limit=-1", "limit=", "limit=1.5", "limit=1e2",
    "cursor=zz", "cursor=5b", "cursor=5b5d", "cursor=7b7d", "limit=1&limits=2", "%6cimit=0",
])
def test_pages_that_cannot_be(c, query):
    status, _, body = ask(c, "GET", "/v1/users?" + query)
    assert status == 400 and good_error(status, body)


def test_a_connection_stays_good_after_a_refusal(c):
    connection = UnixConnection(c.home / "controller.sock")
    for path, status in (("/v1/nothing", 404), ("/v1/ranges", 200), ("/v1/users?x=1", 400),
                         ("/v1/ranges", 200)):
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.status == status and json.loads(answer.read())
    connection.close()


def test_half_a_request_holds_nobody_up(c):
    half = [UnixConnection(c.home / "controller.sock") for _ in range(20)]
    for connection in half:
        connection.connect()
        connection.sock.sendall(b"POST /v1/databases HTTP/1.1\r\nHost: x\r\nContent-Len")
    assert c.call("GET", "/v1/ranges")[0] == 200
    for connection in half:
        connection.close()
    noise = UnixConnection(c.home / "controller.sock")
    noise.connect()
    noise.sock.sendall(b"\0\1\2\3\r\n\r\n")
    assert c.call("GET", "/v1/ranges")[0] == 200
    noise.close()


# --- everything the command line does ------------------------------------------------------

# Need no controller, or are one. (down asks by POST /v1/shutdown where there is one.)
ALONE = {"up", "down", "serve", "version", "scaler simulate"}
WORDS = {"DB.TABLE": "d.t", "JOB": "7", "ID": "7", "LIMITS": "off", "SQL": "SELECT 1",
         "off|advise|auto": "off", "NAME=VALUE...": "max_cpu=5", "RANGE...": "0" * 16}
MORE = {"database set": ["--consistency", "strong"], "table set": ["--global"],
        "table reshard": ["--key", "id"], "shard set": ["--name", "n"],
        "replica set": ["--weight", "2"], "user add": ["--password", "x"],
        "user set": ["--commit", "single"], "user passwd": ["--password", "x"],
        "load set": ["--interval", "5"], "fsck": ["--yes"], "top": ["--once"],
        "shard release": ["--forget"]}


def verbs():
    text = (testbed.ROOT / "ctl" / "cli_verbs.c").read_text()
    return re.findall(r'^    \{ "([a-z ]+)", "([^"]*)",', text, re.M)


class Recorder(http.server.BaseHTTPRequestHandler):
    """A controller that agrees to everything, and remembers what was asked."""
    asked = []

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        Recorder.asked.append((self.command, self.path, self.rfile.read(length)))
        body = b'{"job": 7, "number": 7, "state": "done", "token": "x"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def address_string(self):
        return "shardctl"

    def log_message(self, *_):
        pass


class Recording(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def route_of(document, method, path):
    """The operation that takes this request."""
    parts = path.split("/")
    for how, template, operation in operations(document):
        names = template.split("/")
        if how == method and len(names) == len(parts) and all(
                a == b or a.startswith("{") and b for a, b in zip(names, parts)):
            return operation
    return None


def check_request(document, method, target, body):
    """It is of a route of the document, and has no member that the route does not take."""
    url = urllib.parse.urlsplit(target)
    operation = route_of(document, method, url.path)
    assert operation, f"{method} {target} is no route"
    taken = {p["name"] for p in operation["parameters"] if p.get("in") == "query"}
    assert set(dict(urllib.parse.parse_qsl(url.query))) <= taken, target
    if body and "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        openapi_shape.jsonschema.Draft202012Validator(schema).validate(json.loads(body))


def test_the_command_line_has_no_ways_of_its_own(document, scratch, tmp_path):
    """Each verb asks by a route, with what the route takes; so a program can do the same."""
    home = scratch / "recorder"
    home.mkdir()
    pem = tmp_path / "key.pem"
    pem.write_text("-----BEGIN PUBLIC KEY-----\n")
    asked = {}
    with Recording(str(home / "controller.sock"), Recorder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for verb, usage in verbs():
            if verb in ALONE:
                continue
            words = [str(pem) if w == "FILE" else WORDS.get(w, "x")
                     for w in usage.split() if not w.startswith("[")]
            Recorder.asked = []
            done = subprocess.run(
                [testbed.SHARDCTL, *verb.split(), *words, *MORE.get(verb, []), "--home", home],
                capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
            asked[verb] = list(Recorder.asked)
            # What its own rules refuse is not asked; a verb that is not in MORE may want words.
            assert asked[verb] or (done.returncode == 2 and verb not in MORE), (verb, done)
            for request in asked[verb]:
                check_request(document, *request)
        server.shutdown()
    assert sum(map(bool, asked.values())) > 60, {v for v, a in asked.items() if not a}
    assert asked["failover"][0][:2] == ("POST", "/v1/shards/x/failover")
    assert asked["replica add"][0][:2] == ("POST", "/v1/replicas")
    assert asked["server drain"][0][0] == "PUT" and asked["explain"][0][1] == "/v1/explain"
