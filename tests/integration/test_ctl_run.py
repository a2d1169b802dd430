"""test_ctl_run.py - shardctl as a program: start, stop, takeover, exit status, help."""
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess

import pytest

from controlbed import Controller
from testbed import ROOT, SHARDCTL, alive, free_port, wait_for


def run(*args):
    return subprocess.run([SHARDCTL, *map(str, args)], capture_output=True, text=True, timeout=60)


VERBS = [line.split()[0:2] for line in run("--help").stdout.splitlines()
         if line.startswith("  ") and not line.startswith("  -") and "--" not in line.split()[0]]


@pytest.mark.parametrize("line", [
    line for line in run("--help").stdout.split("\n\n")[2].splitlines()], ids=str.split)
def test_every_verb_has_help(line):
    words = [w for w in line[2:19].split() if w.islower()]
    done = run(*words, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: shardctl " + " ".join(words))
    assert "--home DIR" in done.stdout


def manual():
    """The page as it is read, every verb and option on a line with its beginning."""
    text = subprocess.run(["mandoc", "-T", "ascii", "-O", "width=500",
                           ROOT / "systemd" / "man" / "shardctl.8"], capture_output=True,
                          text=True, check=True).stdout
    return re.sub(".\b", "", text)


@pytest.mark.skipif(not shutil.which("mandoc"), reason="mandoc is not there")
def test_the_manual_names_every_verb_and_option():
    """And nothing that there is not."""
    page, missing, known = manual(), [], {"--home", "--json", "--help"}
    verbs = re.findall(r'^    \{ "([a-z ]+)", "[^"]*", *(?:"|[A-Z]|$)',
                       (ROOT / "ctl" / "cli_verbs.c").read_text().split("cli_options[]")[0], re.M)
    assert len(verbs) > 80
    for verb in verbs:
        words = r"\b.*\b".join(verb.split())  # "job pause, resume", "reshard verify | cutover"
        missing += [] if re.search(rf"^ +(?:.*, )?{words}\b", page, re.M) else [verb]
        options = set(re.findall("^  (--[a-z-]+)", run(*verb.split(), "--help").stdout, re.M))
        missing += [f"{verb} {o}" for o in sorted(options - known)
                    if not re.search(rf"{o}(?![a-z-])", page)]
        known |= options
    assert missing == []
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*[a-z]", page)) - known == set()


@pytest.mark.parametrize("args, status, words", [
    ([], 2, "--help"),
    (["nonsense"], 2, "no verb 'nonsense'"),
    (["user"], 2, "user what?"),
    (["user", "add"], 2, "needs NAME"),
    (["user", "list", "x"], 2, "does not take 'x'"),
    (["user", "passwd", "x", "--home", "/nonexistent/x"], 2, "say --password"),
    (["shard", "set", "x", "--state", "off"], 2, "one of up|draining"),
    (["shard", "set", "x", "--state", "u"], 2, "one of up|draining"),
    (["database", "create", "x", "--policy", ""], 2, "one of auto|global"),
    (["status", "--detach"], 2, "no option --detach"),
    (["status", "--bogus"], 2, "no option --bogus"),
    (["up", "--shards"], 2, "needs a value"),
    (["up", "--shards", "0"], 2, "number from 1"),
    (["up", "--port", "http"], 2, "number from 1"),
    (["table", "show", "t", "--home", "/nonexistent/x"], 2, "DATABASE.TABLE"),
    (["table", "set", "a.t", "--home", "/nonexistent/x"], 2, "one of --key"),
    (["status", "--home", "/nonexistent/x"], 1, "shardctl up --home /nonexistent/x"),
    (["scaler", "simulate", "--generate", "daily", "--hours", "0"], 2, "number from 1 to 8784"),
    (["scaler", "simulate", "--generate", "daily", "--speed", "x"], 2, "number from 1 to 100000"),
    (["version"], 0, ""),
    (["--help"], 0, ""),
])
def test_exit_status_and_what_to_do(args, status, words):
    done = run(*args)
    assert done.returncode == status, done.stderr
    assert words in done.stderr


def test_a_taken_port_is_named(scratch):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        done = run("up", "--home", scratch / "busy", "--port", port)
    assert done.returncode == 1
    assert f"port {port}" in done.stderr and "--port" in done.stderr
    assert run("down", "--home", scratch / "busy").returncode == 0


def test_a_wrong_setting_is_named(scratch):
    done = run("up", "--home", scratch / "setting", "--set", "nonsense = 5")
    assert done.returncode == 1
    assert "nonsense" in done.stderr


def test_only_what_worked_is_remembered(scratch):
    home, port, http_port = scratch / "memory", free_port(), free_port()
    assert run("up", "--home", home, "--port", port, "--http-port", http_port, "--shards", 1,
               "--set", "recv_buffer_bytes = 1").returncode == 1
    done = run("up", "--home", home, "--port", port, "--http-port", http_port, "--shards", 1,
               "--detach", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["listen"] == f"127.0.0.1:{port}"
    done = run("up", "--home", home)
    assert done.returncode == 1 and "already runs" in done.stderr
    assert json.loads(run("down", "--home", home, "--json").stdout) == {"stopped": True}
    assert json.loads(run("down", "--home", home, "--json").stdout) == {"stopped": False}


def test_one_that_was_killed_is_waited_for(scratch):
    """Its memory goes first, and its lock when the last of its threads has ended."""
    home = scratch / "ends"
    home.mkdir(mode=0o700)
    dead = subprocess.Popen(["true"])
    dead.wait()
    with open(home / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        print(dead.pid, file=lock, flush=True)
        up = subprocess.Popen([SHARDCTL, "up", "--home", home, "--shards", "1", "--port",
                               str(free_port()), "--http-port", str(free_port()), "--detach"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        with pytest.raises(subprocess.TimeoutExpired):
            up.wait(1)
    assert up.wait(60) == 0, up.stdout.read()
    assert run("down", "--home", home).returncode == 0


def server_pids(c):
    return [s["pid"] for s in c.shard_list()]


def test_data_stays_servers_come_back_and_are_taken_over(scratch):
    c = Controller(scratch / "life")
    c.ddl("CREATE TABLE t (id INT PRIMARY KEY)")
    before = server_pids(c)
    ports = [s["port"] for s in c.shard_list()]

    second = run("serve", "--home", c.home)
    assert second.returncode == 1 and "already runs" in second.stderr

    c.kill()
    assert all(alive(pid) for pid in before)  # they outlive the controller
    c.start()
    assert server_pids(c) == before

    os.kill(before[0], signal.SIGKILL)  # taken over, not a child
    wait_for("the server to come back", lambda: server_pids(c)[0] not in (0, before[0])
             and c.shard_list()[0]["answers"])
    again = server_pids(c)[0]
    os.kill(again, signal.SIGKILL)  # a child this time
    wait_for("the server to come back", lambda: server_pids(c)[0] not in (0, again)
             and c.shard_list()[0]["answers"])

    c.stop()
    assert not any(alive(pid) for pid in before)
    c.start()
    assert [s["port"] for s in c.shard_list()] == ports
    assert c.kind("t") == "sharded by id"
    assert c.fsck() == []

    c.kill()
    left = server_pids_of(c, ports)
    assert run("down", "--home", c.home).returncode == 0  # what the killed one left
    assert left and not any(alive(pid) for pid in left)
    assert "nothing runs" in run("down", "--home", c.home).stdout


def test_servers_are_found_without_their_pid_files(scratch):
    """While a server starts it has none yet, while it stops none any more."""
    c = Controller(scratch / "nopid")
    before = server_pids(c)
    c.kill()
    for pid, number in zip(before, (1, 2)):
        os.kill(pid, signal.SIGSTOP)  # it must not end before `down` says so
        os.unlink(os.path.join(c.home, f"shard-{number}", "mariadbd.pid"))
    down = subprocess.Popen([SHARDCTL, "down", "--home", c.home], stdout=subprocess.DEVNULL)
    with pytest.raises(subprocess.TimeoutExpired):
        down.wait(0.5)
    for pid in before:
        os.kill(pid, signal.SIGCONT)
    assert down.wait(60) == 0
    assert not any(alive(pid) for pid in before)

    c.start()
    before = server_pids(c)
    c.kill()
    for number in (1, 2):
        os.unlink(os.path.join(c.home, f"shard-{number}", "mariadbd.pid"))
    c.start()
    assert server_pids(c) == before
    c.stop()
    assert not any(alive(pid) for pid in before)


def server_pids_of(c, ports):
    pids = []
    for number in range(1, len(ports) + 1):
        pid_file = os.path.join(c.home, f"shard-{number}", "mariadbd.pid")
        with open(pid_file, encoding="utf-8") as file:
            pids.append(int(file.read()))
    return pids


def test_a_long_home_has_its_sockets_elsewhere(scratch):
    home = scratch / ("long" * 25) / "h"
    home.parent.mkdir()
    c = Controller(home, shards=1)
    sock = c.shard_list()[0]["socket"]
    assert not sock.startswith(str(home)) and len(sock) < 108
    c.stop()
    os.rmdir(os.path.dirname(sock))
