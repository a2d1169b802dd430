"""test_web.py - the page of the controller: its files, and what a browser makes of them."""
import json
import os
import pathlib
import shutil
import subprocess

import pytest

import testbed
from controlbed import UnixConnection

HERE = pathlib.Path(__file__).parent
CHROMIUM = "/usr/bin/chromium"


def ask(cluster, path, method="GET", headers=()):
    connection = UnixConnection(cluster.home / "controller.sock")
    try:
        connection.request(method, path, headers=dict(headers))
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("path, kind", [
    ("/", "text/html; charset=utf-8"), ("/app.js", "text/javascript; charset=utf-8"),
    ("/app.css", "text/css; charset=utf-8"), ("/icon.svg", "image/svg+xml")])
def test_files(cluster, path, kind):
    status, headers, body = ask(cluster, path)
    assert status == 200 and headers["Content-Type"] == kind
    assert "script-src 'self'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    again = ask(cluster, path, headers={"If-None-Match": headers["ETag"]}.items())
    assert (again[0], again[2]) == (304, b"")
    assert ask(cluster, path, headers={"If-None-Match": '"other"'}.items())[2] == body
    head = ask(cluster, path, "HEAD")
    assert (head[0], head[2]) == (200, b"") and int(head[1]["Content-Length"]) == len(body)


@pytest.mark.parametrize("method, path, status", [
    ("GET", "/app.js/", 404), ("GET", "/../etc/passwd", 404), ("GET", "/index.php", 404),
    ("POST", "/", 404), ("DELETE", "/app.js", 404)])
def test_nothing_else_is_a_file(cluster, method, path, status):
    answer = ask(cluster, path, method)
    assert answer[0] == status and "error" in json.loads(answer[2])


@pytest.mark.parametrize("headers", [
    {"Host": "evil.example:8080"}, {"Host": "localhost", "Origin": "http://evil.example"},
    {"Host": "localhost", "Origin": "null"}])
def test_other_pages_cannot_ask(cluster, headers):
    for method, path in ("GET", "/v1/status"), ("POST", "/v1/shutdown"):
        status, _, body = ask(cluster, path, method, headers.items())
        assert status == 403 and "localhost" in json.loads(body)["error"]["message"]
    assert ask(cluster, "/v1/status", headers={"Host": "localhost:80",
                                               "Origin": "http://localhost:80"}.items())[0] == 200


def test_the_page_asks_nobody_else(cluster):
    """No address of another server is in what a browser runs, but for names of namespaces."""
    for path in "/", "/app.js", "/app.css":
        text = ask(cluster, path)[2].decode()
        for there in text.split("http")[1:]:
            if there.startswith(("://", "s://")):
                assert there.startswith("://www.w3.org/"), there[:80]


# --- in a browser ----------------------------------------------------------------------------

@pytest.fixture(scope="module")
def browser_kit(tmp_path_factory):
    """playwright-core beside the script that uses it."""
    if not os.path.exists(CHROMIUM) or not shutil.which("npm"):
        pytest.skip("chromium and npm are not there; see packages_long in GNUmakefile")
    kit = tmp_path_factory.mktemp("browser")
    shutil.copy(HERE / "clients" / "page.mjs", kit)
    for name in "package.json", "package-lock.json":
        shutil.copy(HERE.parents[1] / "ctl" / "web" / name, kit)
    got = subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=kit,
                         capture_output=True, text=True, timeout=300)
    if got.returncode:
        pytest.skip(f"npm has no packages: {got.stderr[-200:]}")
    return kit


@pytest.mark.long
def test_types(tmp_path):
    """The page's types hold, and it can be built from what is committed."""
    if not shutil.which("npm"):
        pytest.skip("npm is not there")
    done = subprocess.run([HERE.parents[1] / "ctl" / "web" / "build", tmp_path, "check"],
                          capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "app.js").stat().st_size > 50_000


@pytest.mark.long
def test_in_a_browser(new_cluster, browser_kit):
    port = testbed.free_port()
    cluster = new_cluster(settings=["--api-listen", f"127.0.0.1:{port}", "--api-plain"])
    cluster.ctl("load set", "--interval", 1)
    cluster.sql("CREATE TABLE web_t (id BIGINT PRIMARY KEY, v INT)")
    cluster.sql("SELECT COUNT(*) AS by_the_page FROM web_t")
    cluster.ctl("replica add", "shard-1", "--name", "twin", timeout=120)
    cluster.ctl("failover", "shard-1", timeout=60)
    with cluster.connect(autocommit=True) as db, db.cursor() as cursor:
        cursor.execute("SET shardd_consistency = 'eventual'")
        for i in range(50):
            cursor.execute("SELECT v FROM web_t WHERE id = %s", (i,))
    cluster.sql("INSERT INTO web_t VALUES " + ",".join(f"({i}, {i})" for i in range(200)))
    token = cluster.ctl_raw("token", "issue", "page", "--role", "operator").stdout.strip()
    shots = [os.environ["SHOTS"]] if "SHOTS" in os.environ else []
    done = subprocess.run(["node", "page.mjs", f"http://127.0.0.1:{port}/", token, *shots],
                          cwd=browser_kit, timeout=180, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["errors"] == []
    assert "token" in seen["refused"]
    assert seen["shards"] == [s["name"] for s in cluster.shard_list()]
    assert seen["owners"] == seen["shards"] and seen["ranges"] == len(
        cluster.ctl("range list")["ranges"])
    assert any(job.startswith("CREATE TABLE web_t") for job in seen["jobs"])
    assert seen["mode"] == "off" == cluster.ctl("scaler status")["mode"]  # as it was chosen
    # The replica is the primary now, and the primary of before its replica.
    assert seen["servers"][:2] == ["twin", "server-1"]
    assert seen["roles"][:2] == ["primary", "replica"]
    assert seen["health"] == ["well"] * 3 and seen["breakers"][1] == "closed"
    assert 0 < int(seen["scores"][1]) <= 100
    assert seen["cpu"] == 3  # of the replica too
    assert seen["failovers"] == ["planned"]
    assert any("by_the_page" in text for text in seen["statements"])
    assert seen["audited"] > 0 and seen["found"] == 0
    assert seen["newest"] > 10 and seen["verdict"].startswith("Whole: lines 1 to ")
    assert seen["details"].startswith("{") and "told" in seen["told"]
    assert seen["dark"] != seen["light"]
    assert seen["overflow"] == 0  # nothing sticks out on a phone
    assert seen["signed_out"]
