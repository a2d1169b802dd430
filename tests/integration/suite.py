"""suite.py - the statements of MariaDB's own tests, replayed where their tables are sharded.

    recorded(test, server, folder)        mariadb-test ──► Recorder ──► a plain server
    Replay(cluster, plain, other).run()   the same statements on a cluster, whose tables get a
                                          key, and on two plain servers; what differs

What the two plain servers answer differently (clocks, random numbers, connection ids) is not
compared. What the cluster refuses is not run on the servers, so that both sides go on from the
same state.
"""
import collections
import dataclasses
import math
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import threading

import pymysql

SUITE = pathlib.Path("/usr/share/mysql/mysql-test")
PATIENCE_S = 20
MOST = 4000  # statements of one test

# What a server answers from its own state, or what changes more than its databases.
NOT_REPLAYED = re.compile(rb"""(?isx) ^ \s* (
    show\s+(?!create|columns|fields|full\s+(?:columns|fields|tables)|index|keys|tables|triggers) |
    explain | analyze | describe\s+(?:select|format|extended|update|delete|insert) |
    desc\s+(?:select|format|extended|update|delete|insert) | flush | reset | kill | shutdown |
    (?:un)?install | change\s+master | (?:start|stop)\s+slave | purge | binlog | checksum |
    create\s+(?:or\s+replace\s+)?(?:user|role|server|event) | drop\s+(?:user|role|server|event) |
    grant | revoke | rename\s+user | set\s+(?:password|default\s+role|role) | load | handler |
    alter\s+(?:event|user|server) | backup | cache | optimize | repair | check | call\s+mtr |
    create\s+(?:or\s+replace\s+)?(?:aggregate\s+)?function\s+\S+\s+returns\s+\w+\s+soname )
    | information_schema | performance_schema | \bmysql\s*\. | \bsys\s*\. | @@?\s*global
    | \bset\s+global | ,\s*global\s | into\s+(?:outfile|dumpfile) | load_file | sleep\s*\(
    | get_lock | optimizer_trace | debug | benchmark\s*\( | ^\s*prepare\b.*\bexplain\b
    | \bset\b.*(?:character_set|collation|sql_log_bin|gtid|server_id|pseudo|default_storage)
    """)


@dataclasses.dataclass
class Step:
    """One command of one connection of a test."""
    connection: int
    kind: str  # connect, query, db, quit
    text: bytes
    more: bytes = b""  # connect: the database


class Recorder:
    """Between clients and a server: notes the commands, of all connections in their order."""

    def __init__(self, server):
        self.server = server
        self.steps = []
        self.count = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            backend = socket.create_connection(("127.0.0.1", self.server.port))
            self.count += 1
            threading.Thread(target=self._back, args=(backend, client), daemon=True).start()
            threading.Thread(target=self._forth, args=(client, backend, self.count),
                             daemon=True).start()

    @staticmethod
    def _back(backend, client):
        try:
            while part := backend.recv(65536):
                client.sendall(part)
        except OSError:
            pass
        client.close()

    def _forth(self, client, backend, number):
        held, first = b"", True
        try:
            while part := client.recv(65536):
                held += part
                while len(held) >= 4 and len(held) >= 4 + int.from_bytes(held[:3], "little"):
                    end = 4 + int.from_bytes(held[:3], "little")
                    sequence, payload, held = held[3], held[4:end], held[end:]
                    if first:
                        self._login(number, payload)
                    elif sequence == 0:
                        self._command(number, payload)
                    first = False
                backend.sendall(part)
        except OSError:
            pass
        backend.close()

    def _login(self, number, payload):
        flags = int.from_bytes(payload[:4], "little")
        user, rest = payload[32:].split(b"\0", 1)
        rest = rest[1 + rest[0]:]
        db = rest.split(b"\0", 1)[0] if flags & 8 else b""
        self.steps.append(Step(number, "connect", user, db))

    def _command(self, number, payload):
        kind = {1: "quit", 2: "db", 3: "query"}.get(payload[0])
        if kind:
            self.steps.append(Step(number, kind, payload[1:]))


def test_file(test):
    """Of "name" in the main suite, "json/name", or "compat/oracle/name" in another."""
    folder, _, name = test.rpartition("/")
    if not folder:
        return SUITE / "main" / f"{name}.test"
    inner = SUITE / "suite" / folder / "t" / f"{name}.test"
    return inner if inner.exists() else SUITE / "suite" / folder / f"{name}.test"


def recorded(test, server, folder):
    """The steps of a test on a plain server, as far as it comes there; none: it does not suit."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in "tmp", "log", "run", "std_data":
        (folder / name).mkdir(parents=True)
    for (name,) in server.sql("SHOW DATABASES"):
        if name not in {"information_schema", "mysql", "performance_schema", "sys"}:
            server.sql(f"DROP DATABASE `{name}`")
    server.sql("CREATE DATABASE test CHARACTER SET latin1")
    server.sql("CREATE DATABASE mtr")
    server.sql("CREATE PROCEDURE mtr.add_suppression(p TEXT) BEGIN END")
    recorder = Recorder(server)
    try:
        subprocess.run(
            ["mariadb-test", "--no-defaults", "--silent", "--host=127.0.0.1",
             f"--port={recorder.port}", "--user=root", "--database=test",
             f"--tmpdir={folder}/tmp", f"--logdir={folder}/log", f"--basedir={SUITE}/",
             "--protocol=tcp", f"--timer-file={folder}/log/timer",
             f"--test-file={test_file(test)}"],
            cwd=SUITE, capture_output=True, timeout=60,
            env={**os.environ, "MYSQL_TEST_DIR": str(SUITE), "MYSQLTEST_VARDIR": str(folder),
                 "MYSQL_TMP_DIR": f"{folder}/tmp", "MASTER_MYPORT": str(recorder.port),
                 "LC_ALL": "C", "MASTER_MYSOCK": "/nonexistent", "TZ": "GMT-3"})
    except subprocess.TimeoutExpired:
        pass
    recorder.close()
    return recorder.steps


# --- a key for a table ----------------------------------------------------------------------

CREATE = re.compile(rb"(?is)^\s*create\s+(?:or\s+replace\s+)?table\s+(?:if\s+not\s+exists\s+)?"
                    rb"[`\w.\"$-]+\s*\(")
SUITABLE = re.compile(rb"(?is)^(?:tiny|small|medium|big)?int(?:eger)?\b|^(?:var)?char\b|"
                      rb"^(?:var)?binary\b|^serial\b|^date\b|^datetime\b")
QUOTED = rb"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`|/\*.*?\*/|--\s[^\n]*|\#[^\n]*"
TOKEN = re.compile(rb"(?s)" + QUOTED + rb"|.")
NAME = re.compile(rb"\s*(`[^`]+`|\"[^\"]+\"|[\w$]+)")


def parts_of(text, start):
    """The parts between commas of what is in parentheses from `start`, and where it ends."""
    parts, depth, part = [], 0, b""
    for match in TOKEN.finditer(text, start):
        token = match.group()
        depth += (token == b"(") - (token == b")")
        if depth == 0:
            return [*parts, part], match.end()
        if depth == 1 and token == b",":
            parts.append(part)
            part = b""
        elif not (depth == 1 and token == b"(") and not token.startswith((b"/*", b"--", b"#")):
            part += token
    return None, len(text)


def key_of(parts):
    """The column for `shardd: key(...)`: the first of the primary key, of another key, of all."""
    columns, keys, primary = {}, [], None
    for part in parts:
        words = part.strip()
        listed = re.match(rb"(?is)(?:constraint\s+\S*\s*)?(primary\s+key|unique|key|index)\b"
                          rb"[^(]*\(\s*(`[^`]+`|[\w$]+)", words)
        if listed:
            name = listed.group(2).strip(b"`").lower()
            if listed.group(1).lower().startswith(b"primary"):
                primary = name
            keys.append(name)
            continue
        name = NAME.match(words)
        kind = words[name.end():].strip() if name else b""
        if not SUITABLE.match(kind) or re.search(rb"(?i)generated|\bas\s*\(", kind):
            continue
        name = name.group(1).strip(b"`\"").lower()
        columns[name] = name
        if re.search(rb"(?i)primary\s+key|\bkey\b|\bunique\b", kind):
            keys.append(name)
            if re.search(rb"(?i)primary|\bkey\b", kind):
                primary = primary or name
    if primary:
        return primary if primary in columns else None
    return next((k for k in [*keys, *columns] if k in columns), None)


def with_key(text):
    """CREATE TABLE with a comment that gives the table a key; None where there is none for it."""
    head = CREATE.match(text)
    if not head or re.search(rb"(?i)\bcomment\s*=?\s*'shardd|with\s+system\s+versioning", text):
        return None
    parts, end = parts_of(text, head.end() - 1)
    if not parts or re.match(rb"(?is)\s*(?:like|select)\b", parts[0]):
        return None
    tail = text[end:]
    if re.search(rb"(?i)\bcomment\s*=?\s*['\"]", tail):
        return None
    body = text[:end - 1]
    if re.search(rb"(?i)primary\s+key", body):
        key = key_of(parts)
    elif re.search(rb"(?i)auto_increment|\bserial\b", body):
        return None
    else:
        key = b"_pk"
        body += b", _pk bigint unsigned not null auto_increment invisible primary key"
    return key and body + b") COMMENT 'shardd: key(`" + key + b"`)'" + tail


# --- answers --------------------------------------------------------------------------------

class Answer:
    """All results of one statement, as bytes."""

    def __init__(self, connection, text):
        self.error, self.results, self.warnings = None, [], []
        try:
            connection.query(text)
            self._take(connection)
            while connection._result.has_next:
                connection.next_result()
                self._take(connection)
            if connection._result.warning_count:
                self.warnings = sorted({code for _, code, _ in self.shown(connection)})
        except pymysql.err.MySQLError as error:
            self.error = error.args
        except (TypeError, AttributeError, struct.error) as error:  # of a broken connection
            self.error = (2013, repr(error))

    @staticmethod
    def shown(connection):
        connection.query(b"SHOW WARNINGS")
        return connection._result.rows or ()

    def _take(self, connection):
        r = connection._result
        names = [f.name for f in r.fields] if r.description else None
        self.results.append((names, list(r.rows or ()), r.affected_rows, r.insert_id))

    def lost(self):
        return self.error is not None and self.error[0] in (2006, 2013, 2014, 0)

    def late(self):
        return self.lost() and "timed out" in str(self.error)

    def refused(self):
        return self.error is not None and "shardd:" in str(self.error[1])

    def told(self):
        if self.error:
            return f"error {self.error}"
        return "; ".join(f"rows {len(rows)} affected {affected} id {number} {rows[:12]}"
                         for _, rows, affected, number in self.results) + \
            f" warnings {self.warnings}"


def near(a, b):
    """The same, or numbers that differ in the last digits that a sum's order decides."""
    if a == b:
        return True
    try:
        x, y = float(a), float(b)
    except (TypeError, ValueError):
        return False
    exact = re.compile(rb"-?\d+(\.\d+)?$")
    if exact.match(a) and exact.match(b) and len(a) < 14 and len(b) < 14:
        return False
    return math.isclose(x, y, rel_tol=1e-12)


def same_rows(a, b):
    return a == b or (len(a) == len(b) and all(
        len(r) == len(s) and all(map(near, r, s)) for r, s in zip(a, b)))


def ordering(text, names):
    """The columns that the last ORDER BY names, None: it has something else."""
    last = re.split(rb"(?i)\border\s+by\b", text)[-1]
    if re.search(rb"\)(?!.*\()", last.split(b"limit")[0]) and last.count(b")") > last.count(b"("):
        return None  # of a subquery or a window
    last = re.split(rb"(?i)\blimit\b|\bfor\s+update\b|\bprocedure\b|;|\block\s+in\b|\boffset\b",
                    last)[0]
    found = []
    lower = [n.lower().encode() if isinstance(n, str) else n.lower() for n in names]
    for part in last.split(b","):
        word = re.match(rb"(?is)^\s*(?:[\w`]+\.)*`?([\w$]+)`?\s*(?:asc|desc)?\s*$", part)
        if not word:
            break
        word = word.group(1).lower()
        if word.isdigit() and 0 < int(word) <= len(names):
            found.append(int(word) - 1)
        elif lower.count(word) == 1:
            found.append(lower.index(word))
        else:
            break
    return found


def differs(text, ours, theirs):
    """What kind of difference there is, or None."""
    if ours.error or theirs.error:
        if not (ours.error and theirs.error):
            return "error"
        return None if ours.error[0] == theirs.error[0] else "code"
    if len(ours.results) != len(theirs.results):
        return "results"
    for (names, rows, count, number), (others, lines, amount, last) in zip(ours.results,
                                                                        theirs.results):
        if names != others:
            return "names"
        left, right = sorted(rows, key=repr), sorted(lines, key=repr)
        if not same_rows(left, right):
            return "rows"
        if names is None and count != amount:
            return "affected"
        if bool(number) != bool(last):
            return "id"
        if names and rows != lines and re.search(rb"(?i)\border\s+by\b", text):
            by = ordering(text, names)
            if by and [[r[i] for i in by] for r in rows] != [[r[i] for i in by] for r in lines]:
                return "order"
    return None if ours.warnings == theirs.warnings else "warnings"


# --- replaying ------------------------------------------------------------------------------

@dataclasses.dataclass
class Difference:
    at: int
    kind: str
    text: bytes
    ours: str
    theirs: str


class Stop(Exception):
    """The rest of the test cannot be replayed, and why."""


class Replay:
    """One test's statements on a cluster and two plain servers."""

    def __init__(self, cluster, plain, other):
        self.places = [cluster, plain, other]
        self.open = {}
        self.found, self.refusals, self.keyless = [], [], []
        self.compared = self.sharded = 0

    def fresh(self):
        for place in self.places:
            for (name,) in place.sql("SHOW DATABASES", db=None):
                if name not in {"information_schema", "mysql", "performance_schema", "sys", "app",
                                "shardd"}:
                    place.sql(f"DROP DATABASE `{name}`", db=None)
            place.sql("CREATE DATABASE test CHARACTER SET latin1", db=None)

    def connection(self, i, number):
        if number not in self.open:
            return None
        return self.open[number][i]

    def login(self, step):
        if step.text not in (b"root", b""):
            return
        self.open[step.connection] = [self.connect(p, step.more) for p in self.places]

    @staticmethod
    def connect(place, db):
        return place.connect(db=db.decode() or None, charset="latin1", use_unicode=False, conv={},
                             read_timeout=PATIENCE_S, autocommit=None)

    def run(self, steps):
        """Returns what ended it early, or None."""
        self.fresh()
        try:
            for at, step in enumerate(steps[:MOST]):
                self.step(at, step)
        except Stop as why:
            return str(why)
        except pymysql.err.MySQLError as error:
            return f"connection: {error}"
        finally:
            for trio in self.open.values():
                for connection in trio:
                    connection._force_close()
        return None

    def step(self, at, step):
        if step.kind == "connect":
            self.login(step)
        elif step.connection not in self.open:
            return
        elif step.kind == "quit":
            for connection in self.open.pop(step.connection):
                connection._force_close()
        else:
            text = b"USE `" + step.text + b"`" if step.kind == "db" else step.text
            if not NOT_REPLAYED.search(text):
                self.statement(at, step.connection, text)

    def statement(self, at, number, text):
        trio = self.open[number]
        keyed = with_key(text)
        ours = Answer(trio[0], keyed or text)
        if keyed and ours.error:
            self.keyless.append((at, keyed, ours.error))
            ours = Answer(trio[0], text)
        elif keyed:
            text = keyed
            self.sharded += 1
        if ours.refused():
            self.refusals.append((at, text, ours.error))
            return
        theirs, others = (Answer(c, text) for c in trio[1:])
        if theirs.lost():
            raise Stop(f"a server is lost at {at}: {text[:200]!r} {theirs.error}")
        if differs(text, theirs, others):
            if ours.lost():
                raise Stop(f"shardd is lost at {at}: {text[:200]!r} {ours.error}")
            return
        self.compared += 1
        kind = "lost" if ours.lost() else differs(text, ours, theirs)
        if kind:
            self.found.append(Difference(at, kind, text, ours.told(), theirs.told()))
        if ours.lost():
            raise Stop("shardd is lost")


def counted(replay):
    return collections.Counter(d.kind for d in replay.found)
