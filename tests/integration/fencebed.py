"""fencebed.py - fences by hand, and statements that run meanwhile."""
import json
import os
import subprocess
import threading

import testbed
from controlbed import UnixConnection
from test_keyhash import KINDS, TOP, TYPES

BIGINT, INT = TYPES.index("BIGINT"), KINDS.index("INT")


class Late(Exception):
    """The fence did not come up in time."""


class Later(threading.Thread):
    """A call on a thread of its own: its value, or what it raised."""

    def __init__(self, call, *args):
        super().__init__(daemon=True)
        self.call, self.args = call, args
        self.value = self.error = None
        self.start()

    def run(self):
        try:
            self.value = self.call(*self.args)
        except Exception as error:  # whatever: the test looks at it
            self.error = error

    def result(self, seconds=testbed.PATIENCE_S):
        self.join(seconds * testbed.slowness())
        assert not self.is_alive(), f"still at it: {self.args}"
        if self.error is not None:
            raise self.error
        return self.value


def hashes(keys):
    """Where keys of a BIGINT column lie."""
    program = TOP / "build" / os.environ.get("MODE", "release") / "keyhash_cli"
    if not keys:
        return []
    lines = [f"stored {BIGINT} 0 0 0 0 0 {INT} 0 {str(k).encode().hex()}" for k in keys]
    done = subprocess.run([program], input="\n".join(lines) + "\n", capture_output=True, text=True,
                          check=True)
    return [int(line.split()[1]) for line in done.stdout.splitlines()]


class Fencing:
    """The fences of a cluster of three shards with a table t (id BIGINT, ...), of which `key` is
    on shard 0 and is fenced in a range of its own, to go to shard 1; `near` is another key on
    shard 0, `far` one on shard 2, which has no part in it; `target` is on shard 1."""

    def __init__(self, cluster, count):
        self.cluster = cluster
        self.workers = cluster.workers
        self.ids = [s["id"] for s in cluster.shard_list()]
        here = [{row[0] for row in cluster.on_shard(s, "SELECT id FROM t", "app")}
                for s in cluster.shard_list()]
        assert sum(map(len, here)) == count
        self.here = here
        self.key, self.near = sorted(here[0])[:2]
        self.target, self.far = min(here[1]), min(here[2])

    def call(self, method, body=None):
        connection = UnixConnection(os.path.join(self.cluster.home, "controller.sock"))
        connection.request(method, "/v1/fence", json.dumps(body) if body else None)
        answer = connection.getresponse()
        parsed = json.loads(answer.read())
        connection.close()
        return answer.status, parsed

    def ranges(self, keys):
        """Where ranges must begin so that each key has one of its own, and these ranges."""
        at = hashes(keys)
        return ([f"{x:016x}" for h in at for x in (h, h + 1)], [f"{h:016x}" for h in at])

    def up(self, keys=None, shards=(0, 1), wait_ms=None, **more):
        """Raise it; how long that took, in us."""
        wait_ms = wait_ms or int(min(50000, 30000 * testbed.slowness()))
        split, ranges = self.ranges([self.key] if keys is None else keys)
        status, answer = self.call("POST", {
            "split": split, "ranges": ranges, "wait_ms": wait_ms,
            "shards": [self.ids[i] for i in shards], **more})
        if status == 409:
            raise Late(answer["error"]["message"])
        assert status == 200, answer
        return answer

    def rise(self, **more):
        """The call that raises it, under way: all workers have it, and wait for what is left."""
        up = Later(lambda: self.up(**more))

        def there():
            if up.error is not None:  # else nobody would hear of it
                raise up.error
            answer = self.call("GET")[1]
            used = self.cluster.metric("shardd_worker_routes_generation")
            return "fenced" in answer["move"] and used == answer["generation"] * self.workers

        testbed.wait_for("the fence", there)
        return up

    def ease(self, most, shards=(0, 1)):
        status, answer = self.call("POST", {"ease": most, "shards": [self.ids[i] for i in shards]})
        assert status == 200, answer

    def down(self):
        status, answer = self.call("POST", {"lower": True})
        assert status == 200, answer

    def switch(self, keys, shard):
        """Down, and these keys' ranges belong to another shard."""
        owners = [[start, self.ids[shard]] for start in self.ranges(keys)[1]]
        status, answer = self.call("POST", {"lower": True, "owners": owners})
        assert status == 200, answer

    def parked(self):
        return self.cluster.metric("shardd_parked_statements")

    def wait_parked(self, n):
        testbed.wait_for(f"{n} parked statements", lambda: self.parked() == n)

    def move(self, key, source, target, table="t"):
        """A row from one shard to another, past shardd."""
        shards = self.cluster.shard_list()
        rows = self.cluster.on_shard(shards[source], f"SELECT * FROM {table} WHERE id = {key}",
                                     "app")
        with self.cluster.shard_connect(shards[target], "app") as c, c.cursor() as cursor:
            for row in rows:
                marks = ", ".join(["%s"] * len(row))
                cursor.execute(f"INSERT INTO {table} VALUES ({marks})", row)
        self.cluster.on_shard(shards[source], f"DELETE FROM {table} WHERE id = {key}", "app")
