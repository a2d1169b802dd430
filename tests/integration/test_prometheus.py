"""test_prometheus.py - a real Prometheus scrapes shardd and the controller; rules and dashboards
ask for what there is."""
import json
import re
import subprocess
import time
import urllib.parse
import urllib.request

import pytest

import testbed
from controlbed import UnixConnection
from testbed import wait_for

MONITORING = testbed.ROOT / "systemd" / "monitoring"
DASHBOARDS = sorted((MONITORING / "dashboards").glob("*.json"))


def get(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read().decode()


@pytest.fixture(scope="module")
def c(checked):
    port = testbed.free_port()
    checked.ctl_raw("load set", "--interval", "1", "--metrics", f"127.0.0.1:{port}")
    checked.metrics = f"127.0.0.1:{port}"
    checked.sql("CREATE TABLE scraped (id INT PRIMARY KEY)")
    with checked.connect(autocommit=True) as db, db.cursor() as cursor:
        for i in range(300):
            cursor.execute("INSERT INTO scraped VALUES (%s)", (i,))
    yield checked
    checked.sql("DROP TABLE scraped")
    assert checked.ctl_raw("load set", "--interval", "10", "--metrics", "").returncode == 0


@pytest.fixture(scope="module")
def prometheus(c, scratch):
    folder = scratch / "prometheus"
    folder.mkdir()
    text = (MONITORING / "prometheus.yml").read_text()
    text = text.replace("127.0.0.1:7380", f"127.0.0.1:{c.http_port}")
    text = text.replace("127.0.0.1:7381", c.metrics)
    text = text.replace("  - recording.yml", f"  - {MONITORING}/recording.yml")
    text = text.replace("  - alerts.yml", f"  - {MONITORING}/alerts.yml")
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s, evaluation_interval: 1s}\n" + text)
    port = testbed.free_port()
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(
            ["prometheus", f"--config.file={folder}/prometheus.yml",
             f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}"],
            stdout=log, stderr=log)

    def ask(expression):
        query = urllib.parse.urlencode({"query": expression})
        answer = json.loads(get(f"http://127.0.0.1:{port}/api/v1/query?{query}"))
        assert answer["status"] == "success", answer
        return answer["data"]["result"]

    def up():
        assert process.poll() is None, (folder / "log").read_text()[-2000:]
        try:
            return len(ask("up == 1")) == 2
        except OSError:
            return False

    try:
        wait_for("both to be scraped", up)
        yield ask
    finally:
        process.terminate()
        process.wait(20)


def pages(c):
    return {"shardd": c.http("/metrics")[1], "shardctl": get(f"http://{c.metrics}/metrics")}


def test_pages_are_clean(c):
    wait_for("a measurement", lambda: "shardctl_shard_cpu_ratio{" in pages(c)["shardctl"])
    for name, text in pages(c).items():
        done = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                              capture_output=True)
        assert done.returncode == 0, f"{name}: {done.stdout} {done.stderr}"
        samples = [line.rpartition(" ")[0] for line in text.splitlines() if line[:1] != "#"]
        assert len(samples) == len(set(samples))
    connection = UnixConnection(c.home / "controller.sock")
    connection.request("GET", "/metrics")
    answer = connection.getresponse()
    assert answer.status == 200 and b"shardctl_ready 1" in answer.read()
    connection.close()


def test_addresses(c):
    """A bad one changes nothing."""
    for bad in ("7381", "nowhere:1", "127.0.0.1:", "127.0.0.1:99999999", c.metrics.replace(
            c.metrics.split(":")[1], str(c.http_port))):
        done = c.ctl_raw("load set", "--metrics", bad)
        assert done.returncode == 1 and bad.split(":")[0] in done.stderr, bad
        assert "shardctl_ready" in get(f"http://{c.metrics}/metrics")
    with pytest.raises(urllib.error.HTTPError):
        get(f"http://{c.metrics}/v1/status")


def expressions():
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                yield path.stem, panel["title"], target["expr"]


def rules():
    for name in ("recording", "alerts"):
        for line in (MONITORING / f"{name}.yml").read_text().splitlines():
            if line.strip().startswith("expr: "):
                yield name, "expr", line.strip()[6:]


def test_dashboards_and_rules(prometheus, c):
    """Prometheus takes every expression, and every metric in one is on a page."""
    assert len(DASHBOARDS) == 5
    known = set()
    for text in pages(c).values():
        known |= set(re.findall(r"^# TYPE (\S+)", text, re.M))
    asked = [*expressions(), *rules()]
    assert len(asked) > 80
    for board, panel, expression in asked:
        prometheus(expression.replace("$__rate_interval", "10s").replace('"$shard"', '".*"'))
        for metric in re.findall(r"(?<![:\w])(?:shardd|shardctl|process)_\w+", expression):
            assert re.sub("_bucket$", "", metric) in known, f"{board}, {panel}: {metric}"
    for board in DASHBOARDS:
        panels = json.loads(board.read_text())["panels"]
        assert len({p["id"] for p in panels}) == len(panels)


def test_what_was_scraped(prometheus, c):
    wait_for("statements", lambda: prometheus("sum(shardd_statements_total) > 300"))
    # What is late for a scrape is not there until the next one.
    names = {s["name"] for s in c.shard_list()}
    wait_for("all shards", lambda: names == {
        r["metric"]["shard"] for r in prometheus("shardctl_shard_cpu_ratio")})
    (age,) = wait_for("an age", lambda: prometheus(
        "time() - min(shardctl_shard_measured_timestamp_seconds)"))
    assert -5 < float(age["value"][1]) < 60
    # They are recorded every 30 s, and the first time may have come before there was a rate.
    wait_for("recorded rules", lambda: prometheus("shard:shardd_statements:rate1m"), 100)
    end = time.monotonic() + 2
    while time.monotonic() < end:
        firing = {a["metric"]["alertname"] for a in prometheus('ALERTS{alertstate="firing"}')}
        assert not firing & {"SharddAbsent", "SharddControllerAbsent"}
        time.sleep(0.5)


def test_rules():
    for command in (["check", "rules", "recording.yml", "alerts.yml"],
                    ["test", "rules", "alerts_test.yml"]):
        done = subprocess.run(["promtool", *command], cwd=MONITORING, text=True,
                              capture_output=True)
        assert done.returncode == 0, done.stdout + done.stderr
