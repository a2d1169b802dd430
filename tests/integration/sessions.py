"""sessions.py - random sessions on shardd and on a plain server look the same to their clients.

    sessions.py [--seed N] [--count N] [--clients N] [--steps N] [--keep-going]

A case is a few clients that take turns, each a connection to a cluster and one to a plain server.
What they do is written down as steps (sessions_steps.py), so that a case can be run again: a
difference is shrunk to few steps and printed. Compared are all packets of an answer: rows,
definitions of columns, affected rows, ids, counts of warnings, flags of the status, codes of
errors. What shardd refuses is counted, by its words; behind it the client
begins anew, for the two servers' states differ.
"""
import argparse
import collections
import contextlib
import random
import re
import struct

import rawclient
import sessions_steps
import testbed
from test_track import change_user, entries

# In a transaction, autocommit, more results, cursor, last row, no backslash escapes, OUT
# parameters, read only, ANSI_QUOTES. What is told of a changed session is test_track.py's.
STATUS = 0x1 | 0x2 | 0x8 | 0x40 | 0x80 | 0x200 | 0x1000 | 0x2000 | 0x8000
KILLED, IN_XA, NO_LOCK, READ_ONLY = 1927, 1399, 1100, 1792
REFUSED = (IN_XA,)  # a procedure that begins a transaction inside of one
RESET_CONNECTION, STMT_FETCH = 31, 28

def shown(status):
    """Without autocommit a server is in a transaction when it has opened a table, which a
    statement that fails may have done or not."""
    return hex(status & STATUS & (-1 if status & 2 else ~0x2001))


class Side:
    """One client's connection to one of the servers, and its prepared statements."""

    def __init__(self, port, db):
        self.port, self.db = port, db
        self.raw, self.statements = None, {}
        self.open()

    def open(self):
        self.close()
        self.raw, self.statements = rawclient.RawClient(self.port, 60), {}
        self.raw.login(db=self.db, more=rawclient.MULTI_STATEMENTS)
        self.raw.query("SELECT 1")  # a server's thread tells the FOUND_ROWS() of its last client

    def close(self):
        if self.raw:
            self.raw.close()
        self.raw = None

    def do(self, step, others):
        """What the client sees: a list of answers."""
        try:
            return list(self._do(step, others))
        except rawclient.ServerError as e:
            if e.code == KILLED:
                self.open()
                return [("lost",)]
            return [("error", e.code, e.state, e.text)]
        except (EOFError, ConnectionError):
            gone = self.raw.connection_id
            self.open()
            testbed.wait_for("its lock to go", lambda: self.raw.query(
                f"SELECT 1 FROM DUAL WHERE NOT IS_USED_LOCK('common') <=> {gone}")[1])
            return [("lost",)]

    def _do(self, step, others):
        kind, *what = step
        raw = self.raw
        if kind == "query":
            raw.command(rawclient.QUERY, what[0].encode())
            yield from self._results(what[0])
        elif kind == "kill":
            how, who = what
            sql = f"KILL {how} {others[who].raw.connection_id}"
            raw.command(rawclient.QUERY, sql.encode())
            yield from self._results(sql)
        elif kind == "prepare":
            slot, sql = what
            self.statements.pop(slot, None)
            number, params, columns = raw.prepare(sql)
            self.statements[slot] = number, len(params), sql
            yield "prepared", len(params), [self._column(c) for c in columns]
        elif kind == "reset":
            self.statements = {}
            raw.command(RESET_CONNECTION)
            yield self._ok(raw.ok())
        elif kind == "user":
            self.statements = {}
            answer = change_user(raw, what[0])
            if answer[:1] == b"\xff":
                raise rawclient.ServerError(answer)
            yield self._ok(answer)
        elif kind == "init":
            raw.command(rawclient.INIT_DB, what[0].encode())
            yield self._ok(raw.ok())
        elif kind == "ping":
            raw.command(rawclient.PING)
            yield self._ok(raw.ok())
        elif kind in ("execute", "cursor", "fetch", "close", "restart", "long"):
            yield from self._statement(kind, *what)

    def _statement(self, kind, slot, *what):
        if slot not in self.statements:
            return
        raw = self.raw
        number, params, sql = self.statements[slot]
        if kind == "execute":
            self._send(number, what[0][:params], 0)
            yield from self._results(sql)
        elif kind == "cursor":
            self._send(number, what[0][:params], 1)
            yield from self._results(sql, cursor=True)
        elif kind == "fetch":
            raw.command(STMT_FETCH, struct.pack("<II", number, what[0]))
            yield "fetched", raw._until_eof(), self._eof(raw.last)
        elif kind == "close":
            raw.close_statement(number)
            del self.statements[slot]
        elif kind == "restart":
            raw.command(rawclient.STMT_RESET, struct.pack("<I", number))
            yield self._ok(raw.ok())
        elif params:
            raw.long_data(number, 0, what[0])

    def _send(self, number, values, flags):
        body = struct.pack("<IBI", number, flags, 1)
        if values:
            nulls, types, data = bytearray((len(values) + 7) // 8), b"", b""
            for i, v in enumerate(values):
                if v is None:
                    nulls[i // 8] |= 1 << i % 8
                    types += struct.pack("<H", 6)
                elif isinstance(v, int):
                    types += struct.pack("<H", rawclient.LONGLONG)
                    data += struct.pack("<q", v)
                else:
                    types += struct.pack("<H", rawclient.VAR_STRING)
                    data += rawclient.lenenc(len(v.encode())) + v.encode()
            body += bytes(nulls) + b"\1" + types + data
        self.raw.command(rawclient.STMT_EXECUTE, body)

    def _results(self, sql, cursor=False):
        raw, ordered = self.raw, "order by" in sql.lower()
        while True:
            head = raw.read()
            if head[:1] == b"\xff":
                raise rawclient.ServerError(head)
            if head[:1] == b"\0":
                yield self._ok(head, sql)
                status = entries(head)[2]
            else:
                count, _ = rawclient.read_lenenc(head, 0)
                columns = raw._until_eof(None)
                status = struct.unpack_from("<H", raw.last, 3)[0]
                rows = []
                if not (cursor and status & 0x40):
                    rows = raw._until_eof()
                    status = struct.unpack_from("<H", raw.last, 3)[0]
                columns = [self._column(c) for c in columns]
                if "SHOW" in sql:
                    columns = [c[3] for c in columns]
                if sql == "SHOW ERRORS":  # a server adds "Unknown error" to EXECUTE's
                    rows = [row for row in rows if b"\x041105" not in row]
                yield "rows", rows if ordered else sorted(rows), columns, self._eof(raw.last, sql)
            if not status & 8:
                return

    @staticmethod
    def _column(definition):
        """Of expressions not their lengths; of the flags only whether it is signed, for what is
        NOT NULL, and a key, in a join is the optimizer's."""
        c = rawclient.column(definition)
        c["length"], c["flags"] = c["length"] if c["table"] else 0, c["flags"] & 32
        return tuple(c.values())

    @staticmethod
    def _ok(packet, sql=""):
        affected, number, status, warnings, info, _ = entries(packet)
        if "SET STATEMENT" in sql:
            status &= ~0x8200
        if sql.startswith("LOCK"):  # of what the backend was told for it
            warnings = 0
        return "ok", affected, number, shown(status), warnings, info

    @staticmethod
    def _eof(packet, sql=""):
        """Under SET STATEMENT the flags are those of the settings while it runs. How many
        warnings an expression gives that is no row's is the optimizer's, on each shard."""
        warnings, status = struct.unpack_from("<HH", packet, 1)
        return shown(status & ~(0x8200 if "SET STATEMENT" in sql else 0)), warnings != 0


def refused(seen):
    """Why, where shardd has not done what it was asked for."""
    for answer in seen:
        if answer[0] == "error" and ("shardd:" in answer[3] or answer[1] in REFUSED):
            return f"{answer[1]} {answer[3]}"
    return None


def known(step, ours, theirs):
    """A difference that is meant to be: it has its reason here, and the two go different ways."""
    codes = [s[-1][1] if s and s[-1][0] == "error" else 0 for s in (ours, theirs)]
    if codes[1] == NO_LOCK:
        return codes[0] != NO_LOCK  # a table on another shard than those that LOCK TABLES named
    return codes[1] == READ_ONLY and codes[0] not in (0, READ_ONLY)  # wrong in two ways


def bare(seen):
    """Without the words of errors."""
    return [answer[:3] if answer[0] == "error" else answer for answer in seen]


def difference(ours, theirs):
    """The first of their answers that differ."""
    for a, b in zip(ours, theirs):
        if bare([a]) != bare([b]):
            if a[0] == b[0] == "rows":
                a, b = zip(*((x, y) for x, y in zip(a, b) if x != y))
            return f"  shardd: {a}\n  server: {b}"
    return f"  shardd: {len(ours)} answers, {ours[-1]}\n  server: {len(theirs)}, {theirs[-1]}"


class Client:
    def __init__(self, ports, number):
        self.number = number
        self.sides = [Side(port, f"c{number}") for port in ports]

    def close(self):
        for side in self.sides:
            side.close()


class Campaign:
    def __init__(self, cluster, plain, seed, clients=3):
        self.servers, self.seed, self.clients = (cluster, plain), seed, clients
        self.ports = [cluster.port, plain.port]
        self.ran, self.why = 0, collections.Counter()
        self.dirty = set()
        for number in range(clients):
            self.make(number, first=True)

    def make(self, number, first=False):
        for server in self.servers:
            with server.connect(db=None) as c, c.cursor() as cursor:
                for sql in sessions_steps.setup(number, first):
                    cursor.execute(sql)

    def close(self):
        for server in self.servers:
            with server.connect(db=None) as c, c.cursor() as cursor:
                for number in range(self.clients):
                    for sql in sessions_steps.teardown(number):
                        cursor.execute(sql)

    def clean(self):
        """The tables as a case finds them."""
        for number in sorted(self.dirty):
            self.make(number)
        self.dirty.clear()

    def begin_again(self, client):
        """Two sessions as new, and the tables as they were."""
        for side in client.sides:
            side.do(("user", side.db), {})
            side.raw.query("SELECT 1")
        if client.number in self.dirty:
            self.make(client.number)
            self.dirty.remove(client.number)

    def run_steps(self, steps, count=True):
        """(index, how) of the first difference in `steps`: [(client, step)]; None."""
        self.clean()
        crowd = [Client(self.ports, n) for n in range(self.clients)]
        others = [{c.number: c.sides[i] for c in crowd} for i in (0, 1)]
        try:
            for index, (number, step) in enumerate(steps):
                client = crowd[number]
                if sessions_steps.writes(step):
                    self.dirty.add(number)
                theirs = client.sides[1].do(step, others[1])
                ours = client.sides[0].do(step, others[0])
                self.ran += count
                why = refused(ours)
                if why:
                    if count:
                        self.why[re.sub(r"`[^`]*`|'[^']*'|[0-9]+ ", "*", why)[:150]] += 1
                    self.begin_again(client)
                elif known(step, ours, theirs):
                    self.begin_again(client)
                elif bare(ours) != bare(theirs):
                    return index, difference(ours, theirs)
        finally:
            for client in crowd:
                client.close()
        return None

    def steps(self, number, length):
        rng = random.Random(f"{self.seed}/{number}")
        makers = [sessions_steps.Maker(rng, n, self.clients) for n in range(self.clients)]
        found = []
        for _ in range(length):
            maker = rng.choice(makers)
            found.append((maker.me, maker.step()))
        return found

    def shrink(self, steps, budget=150):
        """Fewer steps of which the last one still differs."""
        def fails(candidate):
            nonlocal budget
            budget -= 1
            found = budget > 0 and self.run_steps(candidate, count=False)
            return bool(found) and found[0] == len(candidate) - 1

        alone = [s for s in steps if s[0] == steps[-1][0]]
        if len(alone) < len(steps) and fails(alone):
            steps = alone
        size = max(1, len(steps) // 2)
        while True:
            at = 0
            while at < len(steps) - 1:
                fewer = steps[:at] + steps[min(at + size, len(steps) - 1):]
                if fails(fewer):
                    steps = fewer
                else:
                    at += size
            if size == 1:
                return steps
            size //= 2

    def case(self, number, length):
        """A text that tells of a difference in the case, or None."""
        steps = self.steps(number, length)
        found = self.run_steps(steps)
        if not found:
            return None
        small = self.shrink(steps[:found[0] + 1])
        again = self.run_steps(small, count=False)
        script = "\n".join(f"  {who}: {step}" for who, step in small)
        return (f"seed {self.seed}, case {number}, step {found[0]}:\n{script}\n"
                f"{(again or found)[1]}" + ("" if again else "\n (not again)"))

    def summary(self):
        refused = sum(self.why.values())
        return f"sessions: {self.ran} steps, {refused} refused, seed {self.seed}"


@contextlib.contextmanager
def stage(folder):
    """A cluster of three shards with few connections, and a plain server."""
    import pathlib
    plain = testbed.Server(pathlib.Path(folder) / "alone")
    cluster = None
    try:
        cluster = testbed.Cluster(pathlib.Path(folder) / "s", shards=3, workers=1,
                                  settings=["--set", "pool_max=6"])
        yield cluster, plain
    finally:
        plain.stop()
        if cluster:
            cluster.finish()


def main():
    import sys
    import tempfile
    import time
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--clients", type=int, default=3)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--keep-going", type=int, default=1)
    options = parser.parse_args()
    bad = 0
    with tempfile.TemporaryDirectory(prefix="shardd-sessions-") as folder, stage(folder) as two:
        campaign = Campaign(*two, options.seed, options.clients)
        for number in range(options.first, options.first + options.count):
            began = time.monotonic()
            found = campaign.case(number, options.steps)
            if found:
                bad += 1
                print(found, f"\n ({time.monotonic() - began:.1f} s)\n", flush=True)
                if bad >= options.keep_going:
                    break
        print(campaign.summary())
        for why, n in campaign.why.most_common(40):
            print(f"{n:6} {why}")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
