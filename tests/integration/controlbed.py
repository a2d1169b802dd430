"""controlbed.py - a controller with its servers and without shardd: `shardctl serve`."""
import contextlib
import glob
import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess

import pymysql

from testbed import PATIENCE_S, SHARDCTL, processes_of, wait_for


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("controller", timeout=60)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.path)


class Refused(Exception):
    """Code, SQLSTATE and message of a refusal."""


class Controller:
    def __init__(self, home, shards=2, options=()):
        self.home = home
        self.instance = f"test-{os.getpid()}-{home.name[:8]}"
        self.shards = shards
        self.options = options  # of `serve`
        self.start()

    def start(self, **environment):
        self.log = open(str(self.home) + ".log", "ab")
        self.process = subprocess.Popen(
            [SHARDCTL, "serve", "--home", self.home, "--shards", str(self.shards),
             "--instance", self.instance, *map(str, self.options)],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env={**os.environ, **environment})
        wait_for("the controller", self._ready)

    def _ready(self):
        assert self.process.poll() is None, open(self.log.name).read()[-2000:]
        done = self.ctl_raw("status", "--json")
        return done.returncode == 0 and json.loads(done.stdout)["ready"]

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.log.close()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE_S)
        self.log.close()
        self.ctl_raw("down")
        assert processes_of(self.home) == []
        for segment in glob.glob(f"/dev/shm/shardd-{self.instance}-*"):
            os.unlink(segment)

    def catalog(self, sql, args=()):
        """Straight into the file of a controller that does not run."""
        with contextlib.closing(sqlite3.connect(self.home / "catalog.db")) as db, db:
            return db.execute(sql, args).fetchall()

    # --- the command line ---------------------------------------------------

    def ctl_raw(self, *args, stdin=None):
        return subprocess.run([SHARDCTL, *map(str, args), "--home", self.home], text=True,
                              capture_output=True, input=stdin, timeout=120)

    def ctl(self, *args, **more):
        done = self.ctl_raw(*args, **more)
        assert done.returncode == 0, f"{args}: {done.stdout} {done.stderr}"
        return done.stdout

    def json(self, *args):
        return json.loads(self.ctl(*args, "--json"))

    def fsck(self):
        done = self.ctl_raw("fsck", "--json")
        report = json.loads(done.stdout)
        assert done.returncode == (0 if report["ok"] else 1)
        return [f"{p['table']}: {p['problem']}" for p in report["problems"]]

    # --- the workers' part --------------------------------------------------

    def call(self, method, path, body=None):
        connection = UnixConnection(os.path.join(self.home, "controller.sock"))
        connection.request(method, path, json.dumps(body) if body is not None else None)
        answer = connection.getresponse()
        headers = {k.lower(): v for k, v in answer.getheaders()}
        parsed = json.loads(answer.read())
        connection.close()
        return answer.status, headers, parsed

    def ddl(self, sql, database="app", user="app", **more):
        """What the controller answers a worker; raises Refused."""
        status, _, body = self.call("POST", "/v1/ddl", {
            "user": user, "database": database, "sql": sql, **more})
        if status != 200:
            error = body["error"]
            raise Refused(error["code"], error["sqlstate"], error["message"])
        return body

    # --- the servers ----------------------------------------------------------

    def shard_list(self):
        return self.json("shard", "list")["shards"]

    def connect(self, number, db=None, **more):
        """As root to the number-th shard, from 0."""
        shard = self.shard_list()[number]
        with open(os.path.join(shard["directory"], "init.sql"), encoding="utf-8") as init:
            password = init.read().rsplit("PASSWORD('", 1)[1].split("'")[0]
        return pymysql.connect(unix_socket=shard["socket"], user="root", password=password,
                               database=db, autocommit=True, charset="utf8mb4", **more)

    def on(self, number, sql, args=None, db="app"):
        with self.connect(number, db) as c, c.cursor() as cursor:
            cursor.execute(sql, args)
            return cursor.fetchall()

    def tables_on(self, number, db="app"):
        return {row[0] for row in self.on(number, "SHOW TABLES", db=db)}

    def kind(self, table):
        shown = self.json("table", "show", f"app.{table}")
        return shown["kind"] + (f" by {shown['key']}" if shown["key"] else "")
