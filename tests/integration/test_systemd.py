"""test_systemd.py - shards as units of a systemd that was really booted, made by a controller that
runs as its own unit says: an ordinary user, sandboxed, whom polkit lets start these units only."""
import json

import pytest

from systemdbed import Machine
from testbed import wait_for

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def machine(scratch):
    if Machine.reason():
        pytest.skip(Machine.reason())
    booted = Machine(scratch / "vm")
    try:
        wait_for("the controller", lambda: booted.ctl_raw("status").returncode == 0)
        yield booted
        booted.ctl("fsck")
    finally:
        booted.stop()


def restart(machine, step=None):
    """The controller anew, to be killed at `step`."""
    verb = [f"SHARDD_FAIL_AT={step}"] if step else ["SHARDD_FAIL_AT"]
    machine.run("systemctl", "set-environment" if step else "unset-environment", *verb)
    machine.run("systemctl", "restart", "shardctl")


def shards(machine):
    return [s["name"] for s in machine.json("shard", "list")["shards"]]


def folders(machine):
    return machine.run_raw("ls", "/var/lib/shardd/mariadb").stdout.split()


def add(machine, *more, name="u"):
    machine.ctl("shard", "add", "--name", name, "--provisioner", "systemd", *more)
    return machine.json("shard", "show", name)


def test_a_unit_becomes_a_shard_within_its_limits(machine):
    shown = add(machine, "--cpus", "1.5", "--memory", "512M")
    try:
        assert machine.units() == {shown["unit"]}
        assert (shown["answers"], shown["ranges"]) == (True, 0)
        server = shown["server"]
        assert (server["runs"], server["cpus"], server["memory"]) == ("running", 1.5, 512 << 20)
        assert server["directory"].startswith("/var/lib/shardd/mariadb/")
        words = machine.run("cat", f"/proc/{server['pid']}/cmdline").split("\0")
        assert words[0] == "/usr/sbin/mariadbd"
        status = machine.run("cat", f"/proc/{server['pid']}/status")
        assert "NoNewPrivs:\t1" in status and "CapEff:\t0000000000000000" in status
        assert "Uid:\t990" in status
        # Of the cluster's folder it sees its own part only.
        seen = machine.run("nsenter", "-t", server["pid"], "-m", "--", "find", "/var/lib/shardd",
                           "-maxdepth", "2")
        assert "catalog.db" not in seen and shown["unit"].split("@")[1][:8] in seen
        settings = machine.run("cat", server["directory"].replace("/data", "/my.cnf"))
        assert "innodb_buffer_pool_size=256M" in settings and "user=" not in settings
        machine.ctl("fsck")
        machine.ctl("load", "set", "--interval", "1")
        load = wait_for("its load", lambda: next(
            (s for s in machine.json("load")["shards"]
             if s["shard"] == "u" and s["cpu"] is not None), None))
        assert (load["cpu_limit"], load["memory_limit"]) == (1.5, 512 << 20)
        assert 0 <= load["cpu"] <= 1.2 and 0.05 < load["memory"] < 1 and load["disk_free"] > 0
    finally:
        machine.ctl("shard", "remove", "u")
    assert machine.units() == set() and folders(machine) == []


def test_systemd_starts_a_killed_server_again(machine):
    shown = add(machine)
    try:
        before = shown["server"]["pid"]
        machine.run("kill", "-9", before)

        def again():
            now = machine.json("shard", "show", "u")
            return now["answers"] and now["server"].get("pid", before) != before

        wait_for("the unit to be started again", again)
        machine.run("systemctl", "stop", "shardctl")
        assert machine.units() == {shown["unit"]}  # shards go on without a controller
        machine.run("systemctl", "stop", shown["unit"])
        machine.run("systemctl", "start", "shardctl")
        assert machine.json("shard", "show", "u")["answers"]
        machine.ctl("fsck")
    finally:
        machine.ctl("shard", "remove", "u")


@pytest.mark.parametrize("step, stays", [
    ("shard-planned", False), ("shard-created", False), ("shard-started", False),
    ("shard-ready", False), ("shard-filled", False), ("shard-recorded", True)])
def test_a_controller_killed_while_it_makes_one(machine, step, stays):
    restart(machine, step)
    machine.ctl_raw("shard", "add", "--name", "k", "--provisioner", "systemd")
    assert "status=66" in machine.run("journalctl", "-u", "shardctl", "-n", "50", "--no-pager")
    wait_for("the controller", lambda: machine.ctl_raw("status").returncode == 0)
    restart(machine)
    assert shards(machine)[1:] == (["k"] if stays else [])
    assert len(machine.units()) == len(folders(machine)) == stays
    machine.ctl("fsck")
    if stays:
        machine.ctl("shard", "remove", "k")


def test_a_controller_killed_while_it_removes_one(machine):
    add(machine)
    restart(machine, "shard-leaving")
    machine.ctl_raw("shard", "remove", "u")  # each controller that goes on with it is killed, too
    restart(machine)
    assert len(shards(machine)) == 1 and machine.units() == set() and folders(machine) == []


def test_what_cannot_be_made_is_told_and_leaves_nothing(machine):
    drop_in = "etc/systemd/system/shardd-mariadb@.service.d/unlucky.conf"
    (machine.root / drop_in).parent.mkdir()
    (machine.root / drop_in).write_text("""[Service]
ExecStart=
ExecStart=/bin/sh -c 'echo "[ERROR] no luck today"; exit 3'
RestartSec=100ms
""")
    machine.run("systemctl", "daemon-reload")
    done = machine.ctl_raw("shard", "add", "--provisioner", "systemd")
    (machine.root / drop_in).unlink()
    machine.run("systemctl", "daemon-reload")
    assert done.returncode == 1 and "has failed" in done.stderr, done.stderr
    assert machine.units() == set() and folders(machine) == [] and len(shards(machine)) == 1
    # Only these units are its to start.
    refused = machine.run_raw("systemctl", "--no-ask-password", "stop", "dbus.socket",
                              user="shardd")
    assert refused.returncode != 0 and "uthentication" in refused.stderr


def journal(machine, *match):
    """Lines with these fields, oldest first."""
    told = machine.run_raw("journalctl", "-o", "json", "--no-pager", *match)
    return [json.loads(line) for line in told.stdout.splitlines()]


def by(lines, **want):
    return [line for line in lines if all(line.get(k) == v for k, v in want.items())]


def test_the_journal_has_the_controllers_fields(machine):
    """Not text to be searched, but fields of the lines: request, job, shard, urgency."""
    add(machine, name="f")
    try:
        machine.ctl("reshard", "rebalance", "--wait", "--no-reverse")
        job = next(j["number"] for j in machine.json("job", "list")["jobs"] if j["kind"] == "move")
        phases = wait_for("its lines", lambda: by(journal(machine, f"JOB={job}"),
                                                  PROCESS="shardctl"))
        assert all(line["SYSLOG_IDENTIFIER"] == "shardctl" and line["PRIORITY"] in "346"
                   and line["_SYSTEMD_UNIT"] == "shardctl.service"
                   and not line["MESSAGE"].startswith("<") for line in phases), phases
        assert any(line["MESSAGE"] == f"job {job}: copy" for line in phases)
    finally:
        machine.ctl("shard", "drain", "f", "--wait", "--no-reverse")
    first = machine.json("shard", "list")["shards"][0]
    machine.run("kill", "-9", first["pid"])
    lines = wait_for("word of its end", lambda: journal(machine, f"SHARD={first['name']}"))
    assert by(lines, PRIORITY="4", PROCESS="shardctl"), lines
    wait_for("its server", lambda: machine.json("shard", "show", first["name"])["answers"])


def test_the_journal_has_the_requests(machine):
    """With --log-level debug each request has a line; it is remembered."""
    machine.run("systemctl", "stop", "shardctl")
    drop_in = "etc/systemd/system/shardctl.service.d/test.conf"
    before = (machine.root / drop_in).read_text()
    (machine.root / drop_in).write_text(before.replace("serve ", "serve --log-level debug ", 1))
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "shardctl")
    machine.run("curl", "--silent", "--unix-socket", "/var/lib/shardd/controller.sock", "-H",
                "X-Request-Id: of-mine.1", "http://localhost/v1/ranges")
    (line,) = wait_for("its line", lambda: journal(machine, "REQUEST_ID=of-mine.1"))
    assert line["PRIORITY"] == "7" and line["MESSAGE"].startswith("GET /v1/ranges by "), line
    assert "request=" not in line["MESSAGE"]
    (machine.root / drop_in).write_text(before.replace("serve ", "serve --log-level info ", 1))
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "shardctl")


def test_the_journal_has_the_workers_fields(machine):
    machine.run("systemctl", "start", "shardd")
    try:
        serving = wait_for("both to serve", lambda: (
            found := [line for line in journal(machine, "-u", "shardd")
                      if line["MESSAGE"].startswith("worker ") and " serving: " in
                      line["MESSAGE"]]) and len(found) == 2 and found)
        assert {line["PROCESS"] for line in serving} == {"worker 0", "worker 1"}
        assert {line["SYSLOG_IDENTIFIER"] for line in serving} == {"shardd"}
        assert {line["PRIORITY"] for line in serving} == {"6"}
        victim = by(serving, PROCESS="worker 1")[0]["_PID"]
        machine.run("kill", "-9", victim)
        (line,) = wait_for("word of it", lambda: by(journal(machine, "WORKER=1"), PRIORITY="3"))
        assert line["PROCESS"] == "master" and f"process {victim}" in line["MESSAGE"], line
    finally:
        machine.run("systemctl", "stop", "shardd")


GUEST = """#!/bin/sh
set -e
mariadb-install-db --no-defaults --datadir=/tmp/guest --user=root >/dev/null
echo "CREATE USER keeper@'%' IDENTIFIED BY 'of the unit';
GRANT ALL ON *.* TO keeper@'%' WITH GRANT OPTION;" >/tmp/guest.sql
echo "of the unit" >/etc/guest.password
"""


def test_a_unit_that_says_so_becomes_a_shard_and_leaves(machine):
    machine.run("sh", "-c", GUEST)
    machine.run("systemd-run", "--unit=shardd-guest", "--service-type=notify",
                "-pEnvironment=SHARDD_CLUSTER=default SHARDD_PORT=13306 SHARDD_USER=keeper"
                " SHARDD_PASSWORD_FILE=/etc/guest.password SHARDD_NAME=visitor",
                "/usr/sbin/mariadbd", "--no-defaults", "--datadir=/tmp/guest", "--user=root",
                "--port=13306", "--bind-address=127.0.0.1", "--socket=/tmp/guest.sock",
                "--init-file=/tmp/guest.sql", "--log-bin", "--skip-name-resolve")
    wait_for("the unit to join", lambda: "visitor" in shards(machine))
    shown = machine.json("shard", "show", "visitor")
    assert (shown["unit"], shown["port"]) == ("shardd-guest.service", 13306)
    assert shown["server"]["runs"] == "running" and shown["answers"]
    machine.ctl("fsck")
    machine.run("systemctl", "stop", "shardd-guest")
    wait_for("the unit to leave", lambda: "visitor" not in shards(machine))
