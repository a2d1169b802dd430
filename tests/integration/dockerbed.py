"""dockerbed.py - a dockerd of our own, and an image of this machine's mariadbd.

The daemon has a folder, a socket and a cgroup of its own and no network; containers use the
host's. The image keeps the contract of the official mariadb image as far as shardd relies on
it (see ctl/provision/provision_docker.c). Needs root and the package docker.io.
"""
import io
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tarfile
import urllib.parse

from controlbed import UnixConnection
from testbed import wait_for

IMAGE = "shardd-test-mariadb:1"
DOCKERD = shutil.which("dockerd", path="/usr/sbin:/usr/bin:/usr/local/bin")

# What the official image does at a container's start: an empty folder gets a fresh datadir with
# the wanted account, then the server is started in place of the script.
ENTRYPOINT = r"""#!/bin/sh
set -e
data=/var/lib/mysql
if ! test -d $data/mysql; then
    shift_first=$1; shift
    mariadb-install-db --no-defaults --datadir=$data --user=root --skip-test-db \
        --auth-root-authentication-method=normal --skip-log-bin "$@" >/tmp/install.log 2>&1 ||
        { cat /tmp/install.log >&2; exit 1; }
    host=${MARIADB_ROOT_HOST:-%}
    {
        echo "DELETE FROM mysql.global_priv WHERE User = '' OR User = 'root';"
        echo "FLUSH PRIVILEGES;"
        as="PASSWORD '$MARIADB_ROOT_PASSWORD_HASH'"
        test -z "$MARIADB_ROOT_PASSWORD" || as="'$MARIADB_ROOT_PASSWORD'"
        echo "CREATE USER root@localhost IDENTIFIED BY $as;"
        echo "GRANT ALL ON *.* TO root@localhost WITH GRANT OPTION;"
        echo "CREATE USER root@'$host' IDENTIFIED BY $as;"
        echo "GRANT ALL ON *.* TO root@'$host' WITH GRANT OPTION;"
    } >/tmp/init.sql
    exec "$shift_first" --no-defaults --datadir=$data --user=root --init-file=/tmp/init.sql "$@"
fi
first=$1; shift
exec "$first" --no-defaults --datadir=$data --user=root "$@"
"""

PROGRAMS = ["mariadbd", "mariadb-install-db", "mariadb-admin", "my_print_defaults", "resolveip",
            "sh", "sed", "cat", "dirname", "basename", "mkdir", "chmod", "chown", "rm", "ls",
            "grep", "awk", "hostname", "sleep", "id", "tr", "head", "uname", "test", "expr",
            "cut", "echo", "date", "touch", "env"]


def _libraries(program):
    done = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    return set(re.findall(r"(/\S+)", done.stdout)) if done.returncode == 0 else set()


def image_tar():
    """The root file system, as `docker import` takes it."""
    out = io.BytesIO()
    where = "/usr/sbin:/usr/bin:/sbin:/bin"
    with tarfile.open(fileobj=out, mode="w") as tar:
        def directory(name, mode=0o755):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            tar.addfile(entry)

        def text(name, content, mode=0o644):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content.encode()))

        for name in ["usr", "usr/bin", "usr/sbin", "usr/share", "usr/lib", "etc", "var", "var/lib",
                     "run", "run/mysqld", "dev", "proc", "sys", "var/lib/mysql"]:
            directory(name)
        directory("tmp", 0o1777)
        for link in ["bin", "sbin", "lib", "lib64"]:
            entry = tarfile.TarInfo(link)
            entry.type, entry.linkname = tarfile.SYMTYPE, f"usr/{link}"
            tar.addfile(entry)
        libraries = set()
        for program in PROGRAMS:
            path = shutil.which(program, path=where)
            if not path:
                continue
            real = os.path.realpath(path)
            libraries |= _libraries(real)
            tar.add(real, arcname=("usr/sbin/" if program == "mariadbd" else "usr/bin/") + program)
        for name in sorted({re.sub("^(usr/)?", "usr/", path.lstrip("/")) for path in libraries}):
            tar.add(os.path.realpath("/" + name), arcname=name)
        tar.add("/usr/share/mysql", arcname="usr/share/mysql",
                filter=lambda e: None if "mysql-test" in e.name else e)
        text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
        text("etc/group", "root:x:0:\n")
        text("usr/bin/docker-entrypoint.sh", ENTRYPOINT, 0o755)
    return out.getvalue()


class Docker:
    """The daemon; `reason` says why this machine cannot run one."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.socket = self.folder / "d.sock"
        self.process = None
        self.start()
        self.make_image()

    @staticmethod
    def reason():
        if os.geteuid() != 0:
            return "dockerd wants root"
        if not DOCKERD:
            return "the package docker.io is not installed (make deps-long)"
        return None

    def start(self):
        script = """
mount --make-rprivate / 2>/dev/null
for h in /sys/fs/cgroup/*; do mountpoint -q $h && umount $h; done
mount -t tmpfs cgroup /sys/fs/cgroup
cd /sys/fs/cgroup
for h in cpu cpuacct cpuset memory devices freezer blkio pids; do
    mkdir $h && mount -t cgroup -o $h cgroup $h || rmdir $h
done
mkdir systemd && mount -t cgroup -o none,name=systemd cgroup systemd
cd /
exec "$0" "$@"
"""
        self.log = open(self.folder / "dockerd.log", "ab")
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--cgroup", "sh", "-c", script, DOCKERD,
             "--data-root", self.folder / "data", "--exec-root", self.folder / "exec",
             "--pidfile", self.folder / "pid", "-H", f"unix://{self.socket}",
             "--exec-opt", "native.cgroupdriver=cgroupfs", "--storage-driver=overlay2",
             "--iptables=false", "--ip6tables=false", "--bridge=none", "--ip-forward=false"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        wait_for("dockerd", self._answers)

    def _answers(self):
        assert self.process.poll() is None, open(self.log.name).read()[-3000:]
        try:
            return self.call("GET", "/_ping")[0] == 200
        except OSError:
            return False

    def call(self, method, path, body=None, kind="application/json"):
        connection = UnixConnection(self.socket)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body)
        connection.request(method, path, body, {"Content-Type": kind} if body else {})
        answer = connection.getresponse()
        raw = answer.read()
        connection.close()
        try:
            return answer.status, json.loads(raw)
        except ValueError:
            return answer.status, raw

    def make_image(self):
        changes = urllib.parse.urlencode([
            ("fromSrc", "-"), ("repo", IMAGE.split(":")[0]), ("tag", IMAGE.split(":")[1]),
            ("changes", 'ENTRYPOINT ["docker-entrypoint.sh"]'), ("changes", 'CMD ["mariadbd"]'),
            ("changes", "ENV PATH=/usr/sbin:/usr/bin")])
        status, answer = self.call("POST", f"/images/create?{changes}", image_tar(),
                                   "application/x-tar")
        assert status == 200 and "error" not in str(answer), answer

    def containers(self, **labels):
        wanted = json.dumps({"label": [f"{k}={v}" for k, v in labels.items()]})
        return self.call("GET", "/containers/json?all=1&filters=" + urllib.parse.quote(wanted))[1]

    def volumes(self):
        return {v["Name"] for v in self.call("GET", "/volumes")[1]["Volumes"] or []}

    def freeze(self):
        """As if there were no daemon: nobody is at its address."""
        os.rename(self.socket, self.folder / "away")

    def thaw(self):
        os.rename(self.folder / "away", self.socket)

    def stop(self):
        if self.process.poll() is None:
            for c in self.call("GET", "/containers/json?all=1")[1]:
                self.call("DELETE", f"/containers/{c['Id']}?force=1&v=1")
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
        self.log.close()
