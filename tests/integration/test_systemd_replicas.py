"""test_systemd_replicas.py - replicas as units of a systemd that was really booted: copied by a
controller that is an ordinary user and sandboxed, into folders of their own; they take over, are
made anew, restarted, and go."""
import pytest

from systemdbed import Machine
from test_systemd import folders, restart
from testbed import wait_for

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def machine(scratch):
    if Machine.reason():
        pytest.skip(Machine.reason())
    booted = Machine(scratch / "vm", by="systemd")
    try:
        wait_for("the controller", lambda: booted.ctl_raw("status").returncode == 0)
        booted.ctl("user", "passwd", "app", "--password", "app")
        booted.run("systemctl", "start", "shardd")
        wait_for("shardd", lambda: sql_raw(booted, "SELECT 1", "").returncode == 0)
        sql(booted, "CREATE TABLE t (id BIGINT AUTO_INCREMENT PRIMARY KEY, n INT)")
        yield booted
        booted.ctl("fsck")
    finally:
        booted.stop()


def sql_raw(machine, text, db="app"):
    return machine.run_raw("mariadb", "--no-defaults", "-h127.0.0.1", "-P7306", "-uapp", "-papp",
                           "-N", "-B", "-e", text, db)


def sql(machine, text):
    done = sql_raw(machine, text)
    assert done.returncode == 0, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


def put(machine, n):
    """`n` more rows; how many there are then."""
    before = int(sql(machine, "SELECT COUNT(*) FROM t")[0][0])
    sql(machine, "INSERT INTO t (n) VALUES " + ", ".join(["(1)"] * n))
    assert sql(machine, "SELECT COUNT(*), SUM(n) FROM t") == [[str(before + n)] * 2]


def replicas(machine):
    return {r["replica"]: r for r in machine.json("replica", "list")["replicas"]}


def follow(machine, *names):
    def they_do():
        mine = replicas(machine)
        return all(n in mine and mine[n].get("replicates") and not mine[n].get("lag_s")
                   for n in names)

    wait_for("replicas to follow", they_do, 60)


def primary(machine):
    return machine.json("shard", "show", "shard-1")


def pid_of(machine, unit):
    return machine.run("systemctl", "show", "--property=MainPID", "--value", unit).strip()


def test_a_unit_copies_a_unit(machine):
    """Its folder is the account's own, its process sees no other's; systemd starts it again."""
    put(machine, 100)
    machine.ctl("replica", "add", "shard-1", "--name", "a", "--memory", "512M", "--cpus", "1.5")
    follow(machine, "a")
    one = replicas(machine)["a"]
    assert one["provisioner"] == "systemd" and {one["unit"]} < machine.units()
    assert len(folders(machine)) == len(machine.units()) == 2
    pid = pid_of(machine, one["unit"])
    seen = machine.run("nsenter", "-t", pid, "-m", "--", "find", "/var/lib/shardd", "-maxdepth",
                       "2")
    assert "catalog.db" not in seen and len(seen.split()) == 3, seen
    assert "Uid:\t990" in machine.run("cat", f"/proc/{pid}/status")
    owners = machine.run("find", one["directory"], "!", "-user", "shardd")
    assert owners == "", owners
    assert machine.run("systemctl", "show", "--property=MemoryMax", "--value",
                       one["unit"]).strip() == str(512 << 20)
    assert not [f for f in machine.run("ls", "/var/lib/shardd").split() if f.startswith("seed")]
    machine.run("kill", "-9", pid)
    put(machine, 10)
    wait_for("it to be started again", lambda: pid_of(machine, one["unit"]) not in ("0", pid))
    follow(machine, "a")


def test_it_takes_over_and_back(machine):
    machine.ctl("failover", "shard-1", "--to", "a")
    assert (primary(machine)["primary"], primary(machine)["provisioner"]) == ("a", "systemd")
    follow(machine, "server-1")
    put(machine, 10)
    # Both have their parts after a restart of theirs, which systemd makes and not the controller.
    machine.run("systemctl", "stop", "shardctl")
    for unit in machine.units():
        machine.run("systemctl", "restart", unit)
    machine.run("systemctl", "start", "shardctl")
    wait_for("the controller", lambda: machine.ctl_raw("status").returncode == 0)
    follow(machine, "server-1")
    put(machine, 10)
    machine.ctl("shard", "restart", "shard-1")
    follow(machine, *replicas(machine))
    put(machine, 10)
    if primary(machine)["primary"] != "server-1":
        machine.ctl("failover", "shard-1", "--to", "server-1")
    follow(machine, "a")
    sql(machine, "ALTER TABLE t ADD COLUMN m INT")
    follow(machine, "a")


def test_a_primary_that_hangs_is_replaced_and_made_anew(machine):
    machine.ctl("replica", "add", "shard-1", "--name", "b")
    machine.ctl("shard", "set", "shard-1", "--semi-sync", "on", "--reseed", "auto")
    follow(machine, "a", "b")
    put(machine, 10)
    before = primary(machine)
    pid = pid_of(machine, before["unit"])
    machine.run("kill", "-STOP", pid)
    wait_for("another primary", lambda: primary(machine)["primary"] != "server-1", 60)
    put(machine, 10)

    def whole():
        mine = replicas(machine)
        return len(mine) == 2 and "server-1" not in mine and all(
            r.get("replicates") and "suspect" not in r for r in mine.values())

    wait_for("three servers", whole, 120)
    wait_for("the fourth to be gone", lambda: before["unit"] not in machine.units() and
             len(machine.units()) == len(folders(machine)) == 3)
    put(machine, 10)
    machine.ctl("fsck")
    # A unit that dies as a primary is there again before anybody would replace it.
    now = primary(machine)
    machine.run("kill", "-9", pid_of(machine, now["unit"]))
    wait_for("a primary", lambda: sql_raw(machine, "INSERT INTO t (n) VALUES (1)").returncode == 0,
             60)
    wait_for("three servers", whole, 120)


def test_a_unit_that_is_stopped_is_replaced(machine):
    """systemd does not start it again then, and the shard is whole without it."""
    before = primary(machine)
    put(machine, 10)
    machine.run("systemctl", "stop", before["unit"])
    wait_for("another primary", lambda: primary(machine)["unit"] != before["unit"], 60)
    put(machine, 10)
    wait_for("three servers", lambda: len(machine.units()) == 3 and
             before["unit"] not in machine.units(), 120)
    follow(machine, *replicas(machine))
    machine.ctl("shard", "set", "shard-1", "--semi-sync", "off", "--reseed", "manual")


@pytest.mark.parametrize("step", ["replica-created", "replica-copied", "replica-started"])
def test_a_controller_killed_while_it_makes_one(machine, step):
    have, there = machine.units(), replicas(machine).keys()
    restart(machine, step)
    wait_for("the controller", lambda: machine.ctl_raw("status").returncode == 0)
    machine.ctl_raw("replica", "add", "shard-1", "--name", "k")
    wait_for("its end", lambda: "status=66" in machine.run("journalctl", "-u", "shardctl", "-n",
                                                           "50", "--no-pager"))
    restart(machine)
    wait_for("the controller", lambda: machine.ctl_raw("status").returncode == 0)
    assert replicas(machine).keys() == there and machine.units() == have
    assert len(folders(machine)) == len(have)


def test_a_shard_of_units_goes(machine):
    """Rows go to another shard; its three units go, with their folders."""
    machine.ctl("shard", "add", "--name", "u", "--provisioner", "systemd")
    machine.ctl("replica", "add", "u", "--name", "u1")
    machine.ctl("reshard", "rebalance", "--wait", "--no-reverse")
    for name in replicas(machine).keys() - {"u1"}:
        machine.ctl("replica", "remove", name)
    assert len(machine.units()) == 3
    put(machine, 10)
    told = machine.ctl("shard", "drain", "u", "--no-reverse", "--dry-run")
    assert "replica u1 (systemd, removed)" in told
    machine.ctl("shard", "drain", "u", "--wait", "--no-reverse")
    assert len(machine.units()) == len(folders(machine)) == 1 and not replicas(machine)
    put(machine, 10)
