"""test_docker.py - shards and replicas in containers, with a real dockerd: made, limited, killed at
each step of their making, restarted by the daemon, removed with and without it."""
import json
import os
import signal

import pymysql
import pytest

import testbed
from controlbed import Controller
from dockerbed import IMAGE, Docker
from testbed import wait_for

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def docker(scratch):
    if Docker.reason():
        pytest.skip(Docker.reason())
    daemon = Docker(scratch / "dk")
    yield daemon
    daemon.stop()


@pytest.fixture(scope="module")
def c(scratch, docker):
    controller = Controller(scratch / "dc", shards=1, options=[
        "--docker-socket", docker.socket, "--docker-image", IMAGE])
    controller.ddl("CREATE TABLE ref (id INT PRIMARY KEY) COMMENT 'shardd: reference'")
    controller.on(0, "INSERT INTO ref VALUES (1), (2)")
    yield controller
    try:
        assert controller.fsck() == []
    finally:
        controller.stop()


def add(c, *more, name="d"):
    c.ctl("shard", "add", "--name", name, "--provisioner", "docker", *more)
    return c.json("shard", "show", name)


def test_a_container_becomes_a_shard_within_its_limits(c, docker):
    shown = add(c, "--cpus", "0.5", "--memory", "512M")
    try:
        assert (shown["provisioner"], shown["answers"], shown["ranges"]) == ("docker", True, 0)
        server = shown["server"]
        assert (server["runs"], server["cpus"], server["memory"]) == ("running", 0.5, 512 << 20)
        with open(f"/proc/{server['pid']}/cmdline", encoding="utf-8") as f:
            words = f.read().split("\0")
        assert words[0] == "mariadbd" and "--innodb_buffer_pool_size=256M" in words
        assert "--binlog_format=ROW" in words and "--gtid_strict_mode=ON" in words
        assert os.path.isdir(server["directory"]) and server["disk_free"] > 0
        one = docker.call("GET", f"/containers/{shown['container']}/json")[1]
        assert one["HostConfig"]["Memory"] == 512 << 20
        assert one["HostConfig"]["NanoCpus"] == 500_000_000
        assert not any("ROOT_PASSWORD=" in line for line in one["Config"]["Env"])
        assert one["Config"]["Labels"]["shardd.name"] == "d"
        wait_for("a healthy container", lambda: c.json("shard", "show", "d")["server"]["health"]
                 == "healthy")
        assert c.fsck() == []  # its copy of the reference table is compared
        c.ctl("load", "set", "--interval", "1")
        load = wait_for("its load", lambda: next(
            (s for s in c.json("load")["shards"]
             if s["shard"] == "d" and s["cpu"] is not None), None))
        assert (load["cpu_limit"], load["memory_limit"]) == (0.5, 512 << 20)
        assert 0 <= load["cpu"] <= 1.2 and 0.05 < load["memory"] < 1 and load["disk_free"] > 0
    finally:
        c.ctl("shard", "remove", "d")
    assert docker.containers() == [] and docker.volumes() == {shown["container"]}  # it is kept
    docker.call("DELETE", f"/volumes/{shown['container']}")


def test_the_daemon_starts_a_killed_server_again(c, docker):
    shown = add(c)
    try:
        before = shown["server"]["pid"]
        os.kill(before, signal.SIGKILL)

        def again():
            now = c.json("shard", "show", "d")
            return now["answers"] and now["server"]["pid"] not in (0, before)

        wait_for("the container to be started again", again)
        assert c.fsck() == []
        c.kill()
        docker.call("POST", f"/containers/{shown['container']}/stop?t=60")
        c.start()  # a controller that starts wants its servers to run
        assert c.json("shard", "show", "d")["answers"] and c.fsck() == []
    finally:
        c.ctl("shard", "remove", "d")
        docker.call("DELETE", f"/volumes/{shown['container']}")


@pytest.mark.parametrize("step, stays", [
    ("shard-planned", False), ("shard-created", False), ("shard-started", False),
    ("shard-ready", False), ("shard-filled", False), ("shard-recorded", True)])
def test_a_controller_killed_while_it_makes_one(c, docker, step, stays):
    c.kill()
    c.start(SHARDD_FAIL_AT=step)
    c.ctl_raw("shard", "add", "--name", "k", "--provisioner", "docker")
    assert c.process.wait(30) == 66
    c.log.close()
    c.start()
    assert [s["name"] for s in c.shard_list()][1:] == (["k"] if stays else [])
    assert len(docker.containers()) == len(docker.volumes()) == stays
    assert c.fsck() == []
    if stays:
        c.ctl("shard", "remove", "k")
        docker.call("DELETE", f"/volumes/{docker.volumes().pop()}")


def test_a_controller_killed_while_it_removes_one(c, docker):
    shown = add(c)
    c.kill()
    c.start(SHARDD_FAIL_AT="shard-leaving")
    c.ctl_raw("shard", "remove", "d")
    assert c.process.wait(30) == 66
    c.log.close()
    assert len(docker.containers()) == 1
    c.start()
    assert len(c.shard_list()) == 1 and docker.containers() == []
    docker.call("DELETE", f"/volumes/{shown['container']}")


def test_what_cannot_be_made_is_told_and_leaves_nothing(c, docker):
    """An image that is nowhere; one whose server ends at once."""
    options, c.options = c.options, [*c.options[:3], "127.0.0.1:1/nobody/has:it"]
    try:
        c.kill()
        c.start()
        done = c.ctl_raw("shard", "add", "--provisioner", "docker")
        assert done.returncode == 1 and "pull the image" in done.stderr, done.stderr
        container = docker.call("POST", "/containers/create", {
            "Image": IMAGE, "Entrypoint": ["sh", "-c", "echo '[ERROR] no luck today' >&2; exit 3"]})
        docker.call("POST", f"/commit?container={container[1]['Id']}&repo=unlucky&tag=1", {
            "Entrypoint": ["sh", "-c", "echo '[ERROR] no luck today' >&2; exit 3"]})
        docker.call("DELETE", f"/containers/{container[1]['Id']}?v=1")
        c.options = [*c.options[:3], "unlucky:1"]
        c.kill()
        c.start()
        done = c.ctl_raw("shard", "add", "--provisioner", "docker")
        assert done.returncode == 1 and "no luck today" in done.stderr, done.stderr
        assert docker.containers() == [] and docker.volumes() == set()
    finally:
        c.options = options
        c.kill()
        c.start()


def test_without_its_daemon(c, docker):
    """Shards in containers go on; what needs the daemon is told so, and finished later."""
    shown = add(c)
    docker.freeze()
    try:
        done = c.ctl_raw("shard", "add", "--provisioner", "docker")
        assert done.returncode == 1 and "docker-socket" in done.stderr, done.stderr
        seen = c.json("shard", "show", "d")
        assert seen["answers"] and "no Docker daemon" in seen["server"]["unknown"]
        done = c.ctl_raw("shard", "remove", "d")
        assert done.returncode == 1 and "no Docker daemon" in done.stderr, done.stderr
        assert len(c.shard_list()) == 1
        c.kill()
        c.start()  # neither its absence nor the rest of a job holds the controller up
    finally:
        docker.thaw()
    assert len(docker.containers()) == 1
    c.kill()
    c.start()
    assert docker.containers() == []
    assert docker.volumes() == {shown["container"]}
    docker.call("DELETE", f"/volumes/{shown['container']}")


def run_guest(c, docker, name, database=None, **labels):
    """A container that somebody else runs, as `docker run --label ...` would make it."""
    port = testbed.free_port()
    body = {"Image": IMAGE, "Cmd": ["mariadbd", "--bind-address=127.0.0.1", f"--port={port}",
                                    "--log-bin", "--binlog-format=ROW", "--local-infile=1"],
            "Env": ["MARIADB_ROOT_PASSWORD=guest"],
            "Labels": {"shardd.cluster": c.instance, "shardd.port": str(port), **labels},
            "HostConfig": {"NetworkMode": "host"}}
    assert docker.call("POST", f"/containers/create?name={name}", body)[0] == 201
    docker.call("POST", f"/containers/{name}/start")
    if database:
        def made():
            try:
                with pymysql.connect(host="127.0.0.1", port=port, user="root", password="guest",
                                     autocommit=True) as db, db.cursor() as cursor:
                    cursor.execute(f"CREATE DATABASE {database}")
                    cursor.execute(f"CREATE TABLE {database}.t (id INT)")
                    return True
            except pymysql.err.OperationalError:
                return False
        wait_for("the guest", made)
    return port


def names(c):
    return [s["name"] for s in c.shard_list()]


def log_of(c):
    with open(c.log.name, encoding="utf-8") as f:
        return f.read()


def test_a_labelled_container_becomes_a_shard_and_leaves(c, docker):
    port = run_guest(c, docker, "guest", **{"shardd.name": "visitor"})
    wait_for("the guest to join", lambda: "visitor" in names(c))
    shown = c.json("shard", "show", "visitor")
    assert (shown["port"], shown["container"], shown["found"]) == (port, "guest", True)
    assert shown["server"]["runs"] == "running" and shown["answers"] and c.fsck() == []
    c.kill()
    c.start()
    assert "visitor" in names(c)
    docker.call("DELETE", "/containers/guest?force=1&v=1")
    wait_for("the guest to leave", lambda: "visitor" not in names(c))
    assert c.fsck() == []


def test_who_owns_something_stays_when_its_container_goes(c, docker):
    run_guest(c, docker, "owner")
    wait_for("the owner to join", lambda: "owner" in names(c))
    c.ctl("database", "create", "theirs", "--home-shard", "owner")
    docker.call("POST", "/containers/owner/rename?name=hidden")
    wait_for("its absence to be told", lambda: "owner, has gone" in log_of(c))
    assert "owner" in names(c)
    docker.call("POST", "/containers/hidden/rename?name=owner")
    c.ctl("database", "drop", "theirs")
    c.ctl("shard", "remove", "owner")
    assert docker.containers() != []  # it is not ours to remove
    docker.call("DELETE", "/containers/owner?force=1&v=1")


def test_a_guest_with_tables_is_refused_once(c, docker):
    c.kill()  # who looks before the tables are there takes an empty server
    run_guest(c, docker, "full", database="shop")
    c.start()
    wait_for("the refusal", lambda: "full wants to be a shard, and cannot" in log_of(c))
    jobs = len(c.call("GET", "/v1/jobs")[2]["jobs"])
    docker.call("POST", "/containers/full/stop?t=30")
    docker.call("POST", "/containers/full/start")
    wait_for("another look", lambda: docker.containers(**{"shardd.cluster": c.instance})[0][
        "State"] == "running")
    assert len(c.call("GET", "/v1/jobs")[2]["jobs"]) == jobs and "full" not in names(c)
    docker.call("DELETE", "/containers/full?force=1&v=1")


def objects(c, kind, name="%"):
    return [json.loads(body) for (body,) in c.catalog(
        "SELECT body FROM object WHERE kind = ? AND name LIKE ?", (kind, name))]


def test_what_a_failed_job_left_is_found(c, docker):
    """A container that the daemon finished making when its controller was gone."""
    c.kill()
    meta, = objects(c, "meta", "cluster")
    failed = [j["made"] for j in objects(c, "job") if j["state"] == "failed" and "made" in j]
    c.start()
    body = {"Image": IMAGE, "Labels": {"shardd.cluster": meta["uuid"], "shardd.shard": "1234"},
            "HostConfig": {"NetworkMode": "host"}}
    docker.call("POST", "/containers/create?name=unknown", body)
    wait_for("it to be told", lambda: "unknown was made for shard number 1234" in log_of(c))
    body["Labels"]["shardd.shard"] = str(failed[0]["id"])
    name = failed[0]["container"]
    docker.call("POST", f"/containers/create?name={name}", body)
    wait_for("it to be removed", lambda: docker.call("GET", f"/containers/{name}/json")[0] == 404)
    assert docker.call("GET", "/containers/unknown/json")[0] == 200  # that may have rows in it
    docker.call("DELETE", "/containers/unknown?force=1&v=1")


def replica_of(c, name):
    return next(r for r in c.json("replica", "list")["replicas"] if r["replica"] == name)


def test_containers_are_replicas_and_primaries(c, docker):
    """A container copies a process and a container; it becomes the primary, and a process again."""
    home = c.shard_list()[0]["name"]
    c.ctl("replica", "add", home, "--name", "box", "--provisioner", "docker", "--memory", "512M")
    box = replica_of(c, "box")
    assert box["provisioner"] == "docker" and box["replicates"], box
    one = docker.call("GET", f"/containers/{box['container']}/json")[1]
    assert one["HostConfig"]["Memory"] == 512 << 20
    c.on(0, "INSERT INTO ref VALUES (3)")
    # The daemon starts it again, and it follows.
    os.kill(one["State"]["Pid"], signal.SIGKILL)
    wait_for("the replica", lambda: replica_of(c, "box").get("replicates"))
    c.ctl("failover", home, "--to", "box")
    shown = c.json("shard", "show", home)
    assert (shown["primary"], shown["provisioner"]) == ("box", "docker")
    c.ddl("CREATE TABLE more (id INT PRIMARY KEY) COMMENT 'shardd: reference'")
    # A container is copied as well; all are restarted.
    c.ctl("replica", "add", home, "--name", "second")
    assert replica_of(c, "second")["provisioner"] == "docker"
    c.ctl("shard", "restart", home)
    wait_for("replicas", lambda: all(r.get("replicates")
                                     for r in c.json("replica", "list")["replicas"]))
    assert c.fsck() == []
    if c.json("shard", "show", home)["primary"] != "server-1":
        c.ctl("failover", home, "--to", "server-1")
    for name in "box", "second":
        c.ctl("replica", "remove", name)
    assert docker.containers() == []
    c.ddl("DROP TABLE more")
    c.on(0, "DELETE FROM ref WHERE id > 2")
    for volume in docker.volumes():
        docker.call("DELETE", f"/volumes/{volume}")


@pytest.mark.parametrize("step", ["replica-created", "replica-copied", "replica-started"])
def test_a_controller_killed_while_it_makes_a_replica(c, docker, step):
    home = c.shard_list()[0]["name"]
    c.kill()
    c.start(SHARDD_FAIL_AT=step)
    c.ctl_raw("replica", "add", home, "--provisioner", "docker")
    assert c.process.wait(30) == 66
    c.log.close()
    c.start()
    assert not c.json("replica", "list")["replicas"]
    assert docker.containers() == [] and docker.volumes() == set()
