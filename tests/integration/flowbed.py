"""flowbed.py - plain servers and flow_cli: rows that move, without a controller or shardd.

    Bed       servers 1, 2, 3 with the same tables; rows of server 1 move to 2 and 3
    Driver    one flow_cli process of a bed; may be killed and started again
"""
import collections
import json
import pathlib
import subprocess
import threading

import testbed

CLI = testbed.BUILD / "flow_cli"
SETTINGS = ("log_bin=binlog\nbinlog_format=ROW\ngtid_strict_mode=ON\nmax_allowed_packet=512M\n"
            "gtid_domain_id=0\n")
HALF = "8000000000000000"
QUARTER = "4000000000000000"


def servers(scratch, n=3, settings=""):
    return [testbed.Server(scratch / f"flow{i}", settings=SETTINGS + f"server_id={i}\n" + settings)
            for i in range(1, n + 1)]


def branches(server):
    """Names of prepared branches of XA, as XA COMMIT takes them."""
    return [f"x'{data[:n].hex()}',x'{data[n:n + m].hex()}',{form}"
            for form, n, m, data in server.sql("XA RECOVER")]


class Driver:
    def __init__(self, folder, bed, wrapper=()):
        self.process = subprocess.Popen([*wrapper, str(CLI), str(folder), str(bed)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lock = threading.Lock()
        first = self.read()
        assert first["ok"], first

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise EOFError(f"flow_cli ended with {self.process.wait()}")
        return json.loads(line)

    def ask(self, *words):
        with self.lock:
            self.process.stdin.write(" ".join(map(str, words)) + "\n")
            self.process.stdin.flush()
            return self.read()

    def do(self, *words):
        answer = self.ask(*words)
        assert answer["ok"], answer
        return answer

    def kill(self):
        self.process.kill()
        self.process.wait()

    def quit(self):
        if self.process.poll() is None:
            self.process.stdin.write("quit\n")
            self.process.stdin.close()
            assert self.process.wait(testbed.PATIENCE_S) == 0


class Bed:
    """Tables are (name, definition, key); by default the upper half of the hashes goes from 1 to
    2, or the upper half to 2 and the second quarter to 3."""

    job = 0

    def __init__(self, all_servers, folder, tables, before=None, after=None, db="m", homes=None):
        Bed.job += 1
        self.servers = all_servers
        self.db = db
        self.number = Bed.job
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.names = [t[0] for t in tables]
        self.keys = {t[0]: t[2] for t in tables}
        self.driver = None
        for s in all_servers:
            for branch in branches(s):
                s.sql(f"XA ROLLBACK {branch}")
            s.sql(f"DROP DATABASE IF EXISTS {db}")
            s.sql(f"CREATE DATABASE {db} CHARACTER SET utf8mb4")
            for name, definition, *_ in tables:
                s.sql(f"CREATE TABLE {name} ({definition})", db=db)
        after = after or ([["0" * 16, 1], [QUARTER, 3], [HALF, 2]] if len(all_servers) > 2
                          else [["0" * 16, 1], [HALF, 2]])
        bed = {
            "job": self.number,
            "shards": [{"id": i, "name": f"shard-{i}", "host": "127.0.0.1", "port": s.port,
                        "user": "app", "secret": "app", "state": "up", "provisioner": "static"}
                       for i, s in enumerate(all_servers, 1)],
            "ranges_before": before or [["0" * 16, 1]], "ranges": after,
            "databases": {db: 1},
            "tables": [{"database": db, "name": t[0], "kind": t[3] if len(t) > 3 else "sharded",
                        "key": t[2], **({"after": t[4]} if len(t) > 4 else {})} for t in tables],
        }
        if homes:
            bed["homes"] = homes
        (self.folder / "bed.json").write_text(json.dumps(bed))
        self.start_driver()
        self.driver.do("schema")

    def start_driver(self, wrapper=()):
        (self.folder / "catalog.db").unlink(missing_ok=True)
        self.driver = Driver(self.folder, self.folder / "bed.json", wrapper)

    def close(self):
        if self.driver:
            self.driver.quit()

    def position(self, source=1):
        return self.servers[source - 1].sql("SELECT @@gtid_binlog_pos")[0][0]

    def put_position(self, targets, source=1, position=None):
        """As the copy would leave it: what follows is to be applied."""
        position = self.position(source) if position is None else position
        for t in targets:
            self.servers[t - 1].sql(
                f"REPLACE INTO shardd_move.stream VALUES ({self.number}, {source}, {t}, %s)",
                (position,))
            self.servers[t - 1].sql(
                f"REPLACE INTO shardd_move.copied VALUES ({self.number}, {source}, {t}, 0, NULL, "
                "1, 0)")

    def status(self, name="f"):
        return self.driver.do("status", name)

    def follow(self, targets=(2, 3), source=1, name="f"):
        self.put_position(targets, source)
        self.driver.do("start", name, source, "follow")

    def hold(self, name="f", source=1, ms=None):
        self.driver.do("hold", name, self.position(source), ms or testbed.PATIENCE_S * 1000)

    def catch_up(self, name="f", source=1):
        self.hold(name, source)
        self.driver.do("release", name)

    def wait_failed(self, name="f"):
        def failed():
            s = self.status(name)
            return s if s["state"] == "failed" else None
        return testbed.wait_for("the flow to fail", failed)["error"]

    def rows(self, server, table):
        with self.servers[server - 1].connect(db=self.db) as c, c.cursor() as cursor:
            cursor.execute("SET time_zone = '+00:00'")
            cursor.execute(f"SELECT * FROM {table}")
            return collections.Counter(cursor.fetchall())

    def columns(self, table):
        return [r[0] for r in self.servers[0].sql(
            "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = %s AND "
            "TABLE_NAME = %s ORDER BY ORDINAL_POSITION", (self.db, table))]

    def owners(self, table, keys):
        """{key: shard afterwards}"""
        keys, found = list(keys), {}
        for i in range(0, len(keys), 5000):
            part = keys[i:i + 5000]
            text = ",".join("NULL" if k is None else str(k).encode().hex() or "," for k in part)
            answer = self.driver.do("owners", self.names.index(table), text)["owners"]
            assert len(answer) == len(part)
            found.update(zip(part, answer))
        return found

    def moving(self, table, target, source=1):
        """The rows of `source` that belong on `target` afterwards."""
        rows = self.rows(source, table)
        at = self.columns(table).index(self.keys[table])
        owners = self.owners(table, {r[at] for r in rows})
        return collections.Counter({r: n for r, n in rows.items() if owners[r[at]] == target})

    def check(self, targets=(2, 3), source=1, sets=True):
        """Source and targets have come to rest: exactly the rows that move are on the targets,
        and their keys in the sets."""
        for number, table in enumerate(self.names):
            for t in targets:
                want, have = self.moving(table, t, source), self.rows(t, table)
                assert want == have, (table, t, "missing", list((want - have).items())[:5],
                                      "too many", list((have - want).items())[:5])
                if not sets:
                    continue
                at = self.columns(table).index(self.keys[table])
                keys = {r[at] for r in have}
                for server, name in ((t, "in"), (source, "out")):
                    hidden = {r[0] for r in self.servers[server - 1].sql(
                        f"SELECT k FROM shardd_move.{name}_{self.number}_{number}")}
                    assert keys <= hidden, (table, t, name, keys - hidden)

    def stashed(self, target, source=1):
        return self.servers[target - 1].sql(
            "SELECT COUNT(DISTINCT xid) FROM shardd_move.stash WHERE job = %s AND source = %s AND "
            "target = %s AND NOT EXISTS (SELECT 1 FROM shardd_move.stash d WHERE d.xid = stash.xid "
            "AND d.seq = 1000000000 AND d.job = stash.job AND d.target = stash.target)",
            (self.number, source, target))[0][0]
