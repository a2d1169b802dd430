"""systemdbed.py - a machine that is really booted: systemd, D-Bus and polkit in a container over
this machine's root file system, with our units installed. Needs root and systemd-container."""
import contextlib
import ctypes
import json
import os
import pathlib
import secrets
import shutil
import signal
import subprocess

from testbed import BUILD, ROOT, wait_for

libc = ctypes.CDLL(None, use_errno=True)
HIERARCHIES = ["systemd", "unified"]
TARGET = """[Unit]
Description=what the test wants
Wants=basic.target dbus.socket shardctl.service
After=basic.target dbus.socket
AllowIsolate=yes
"""
# The controller as its unit has it, with a shard of its own.
SERVE = """[Unit]
StartLimitIntervalSec=0
[Service]
ExecStart=
ExecStart=/usr/local/sbin/shardctl serve --home /var/lib/shardd --shards 1 --provisioner {by}
"""


def opaque(folder):
    folder.mkdir(parents=True, exist_ok=True)
    if libc.setxattr(str(folder).encode(), b"trusted.overlay.opaque", b"y", 1, 0) != 0:
        raise OSError(ctypes.get_errno(), "setxattr")


class Machine:
    def __init__(self, folder, by="local"):
        self.folder = pathlib.Path(folder)
        self.name = f"shardd-{os.getpid()}-{self.folder.name}"
        self.disk, self.root = self.folder / "disk", self.folder / "root"
        for path in (self.disk, self.root):
            path.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4G,mode=755", "tmpfs", self.disk],
                       check=True)
        self.upper = self.disk / "upper"
        self.furnish(by)
        (self.disk / "work").mkdir()
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o",
                        f"lowerdir=/,upperdir={self.upper},workdir={self.disk / 'work'}",
                        self.root], check=True)
        self.boot()

    @staticmethod
    def reason():
        if os.geteuid() != 0:
            return "a booted container wants root"
        for program in ["systemd-nspawn", "dbus-daemon", "nsenter"]:
            if not shutil.which(program):
                return f"there is no {program} (make deps-long)"
        if not pathlib.Path("/usr/lib/polkit-1/polkitd").exists():
            return "the package polkitd is not installed (make deps-long)"
        for name in HIERARCHIES:
            if not os.access(f"/sys/fs/cgroup/{name}/cgroup.procs", os.W_OK):
                return "the hierarchies of cgroups are not as TESTBED has them"
        return None

    def put(self, path, text, mode=0o644):
        path = self.upper / path.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)

    def furnish(self, by):
        for folder in ["etc/systemd/system", "var/lib/shardd", "tmp", "var/tmp"]:
            opaque(self.upper / folder)
        for folder in ["tmp", "var/tmp"]:
            (self.upper / folder).chmod(0o1777)
        for unit in (ROOT / "systemd").glob("*.service"):
            self.put(f"etc/systemd/system/{unit.name}", unit.read_text())
        self.put("etc/machine-id", secrets.token_hex(16) + "\n")
        self.put("etc/systemd/system/test.target", TARGET)
        self.put("etc/systemd/system/shardctl.service.d/test.conf", SERVE.format(by=by))
        self.put("usr/share/polkit-1/rules.d/shardd.rules",
                 (ROOT / "systemd/shardd.rules").read_text())
        for file, line in [("passwd", "shardd:x:990:990::/var/lib/shardd:/usr/sbin/nologin\n"),
                           ("group", "shardd:x:990:\n")]:
            self.put(f"etc/{file}", pathlib.Path(f"/etc/{file}").read_text() + line)
        os.chown(self.upper / "var/lib/shardd", 990, 990)
        (self.upper / "usr/local/sbin").mkdir(parents=True)
        for program in "shardctl", "shardd":
            shutil.copy(BUILD / program, self.upper / "usr/local/sbin" / program)
        self.put("etc/shardd/shardd.conf", 'listen = "127.0.0.1:7306"\nworkers = 2\n')

    def enter_cgroup(self):
        for name in HIERARCHIES:
            folder = f"/sys/fs/cgroup/{name}/{self.name}"
            os.makedirs(folder, exist_ok=True)
            with open(f"{folder}/cgroup.procs", "w", encoding="ascii") as f:
                f.write(str(os.getpid()))

    def boot(self):
        self.log = open(self.folder / "console.log", "ab")
        self.process = subprocess.Popen(
            ["systemd-nspawn", "--boot", "--register=no", "--keep-unit", "--private-network",
             "--capability=all", "--console=pipe", "-D", self.root, "systemd.unit=test.target"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            preexec_fn=self.enter_cgroup)
        self.leader = wait_for("the container's init", self._leader)
        wait_for("systemd", lambda: self.run_raw("systemctl", "is-active", "test.target",
                                                 ).stdout.strip() == "active", 60)

    def _leader(self):
        assert self.process.poll() is None, open(self.log.name).read()[-3000:]
        folder = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}")
        for child in (folder / "children").read_text().split():
            with contextlib.suppress(OSError):  # others of its children end before it boots
                if pathlib.Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                    return int(child)
        return None

    def run_raw(self, *args, user=None):
        command = ["nsenter", "-t", self.leader, "-a", "--"]
        if user:
            command += ["setpriv", "--reuid", user, "--regid", user, "--clear-groups"]
        return subprocess.run([*map(str, command), *map(str, args)], text=True,
                              capture_output=True, timeout=120)

    def run(self, *args, **more):
        done = self.run_raw(*args, **more)
        assert done.returncode == 0, f"{args}: {done.stdout} {done.stderr}"
        return done.stdout

    # --- shardctl, as the controller's user ------------------------------------------------

    def ctl_raw(self, *args):
        return self.run_raw("/usr/local/sbin/shardctl", *args, "--home", "/var/lib/shardd",
                            user="shardd")

    def ctl(self, *args):
        done = self.ctl_raw(*args)
        assert done.returncode == 0, f"{args}: {done.stdout} {done.stderr}"
        return done.stdout

    def json(self, *args):
        return json.loads(self.ctl(*args, "--json"))

    def units(self):
        """The servers that run, by their units' names."""
        listed = self.run("systemctl", "list-units", "--plain", "--no-legend",
                          "shardd-mariadb@*")
        return {line.split()[0] for line in listed.splitlines()}

    def stop(self):
        if self.process.poll() is None:
            os.kill(self.leader, signal.SIGRTMIN + 4)  # power off
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        for path in (self.root, self.disk):
            subprocess.run(["umount", "-l", path], check=False)
        for name in HIERARCHIES:
            for folder, _, _ in os.walk(f"/sys/fs/cgroup/{name}/{self.name}", topdown=False):
                os.rmdir(folder)
