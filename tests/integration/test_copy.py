"""The copy of a move: snapshots, sets, orders of keys, and rows of all types, byte for byte.

copy_cli runs the parts that the controller runs, on the shards of a cluster, with a copy of
its catalog and the record of a job that is not there.
"""
import itertools
import json
import pathlib
import random
import re
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import threading


import pytest

from testbed import BUILD, wait_for

EDGES = ("a", "A", "b", "", "ab", "a b", "a\tb", "é", "É", "z", "ß", "ss", "Ω", "中", "😀", "0",
         "10", "9", "Z", "_", "~")

# One column type each, as the second part of a key behind the sharding key, with values.
KEYS = {
    "INT": ["-2147483648", "2147483647", "0", "-1", "10", "9", "100"],
    "BIGINT UNSIGNED": ["0", "18446744073709551615", "9", "10"],
    "INT(6) UNSIGNED ZEROFILL": ["0", "9", "10", "999999", "1000000"],
    "DECIMAL(12,3)": ["-10.5", "-9.5", "0", "0.001", "-0.001", "10", "9", "999999999.999"],
    "DATE": ["0000-00-00", "2001-00-00", "2001-02-31", "9999-12-31", "1000-01-01"],
    "DATETIME(3)": ["0000-00-00", "2001-01-01 10:00:00.123", "2001-01-01 10:00:00.122"],
    "TIMESTAMP(6)": ["1970-01-01 00:00:01.000001", "2038-01-19 03:14:07.999999",
                     "2001-01-01 00:00:00"],
    "TIME(2)": ["-838:59:59.99", "838:59:59.99", "00:00:00", "-00:00:00.01", "99:00:00",
                "100:00:00", "-99:00:00", "-100:00:00"],
    "YEAR": ["0000", "1901", "2155", "2000"],
    "BIT(12)": [b"\x00\x00", b"\x0f\xff", b"\x00\x01", b"\x01\x00"],
    "BINARY(4)": [b"\0\0\0\0", b"a", b"a\0b", b"\xff\xff", b"a\0\0a"],
    "VARBINARY(8)": [b"", b"\0", b"\0\0", b"a", b"a\0", b"\xff", b"\\\t\n"],
    "VARCHAR(20) COLLATE utf8mb4_bin": EDGES,
    "VARCHAR(20) COLLATE utf8mb4_general_ci": EDGES,
    "VARCHAR(20) COLLATE utf8mb4_unicode_ci": EDGES,
    "CHAR(20) COLLATE utf8mb4_general_ci": EDGES,
    "VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_swedish_ci": EDGES,
    "VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_bin": EDGES,
    "VARCHAR(20) CHARACTER SET ascii": ["a", "B", "", "~", "_"],
}
UNKNOWN_ORDER = {
    "VARCHAR(20) CHARACTER SET utf16": EDGES[:6],
    "VARCHAR(20) COLLATE utf8mb4_nopad_bin": EDGES[:6],
    "ENUM('b','a','')": ["a", "b", ""],
    "DOUBLE": ["1.5", "-1e300", "0"],
    "UUID": ["00000000-0000-0000-0000-00000000000a"],
}

TYPES = """CREATE TABLE types (id INT PRIMARY KEY,
  i1 TINYINT, i2 SMALLINT UNSIGNED, i3 MEDIUMINT, i8 BIGINT UNSIGNED, z INT(8) ZEROFILL,
  d DECIMAL(30,10), f FLOAT, f2 FLOAT(7,3), r DOUBLE, r2 DOUBLE(12,4), b1 BIT(1), b BIT(17),
  b64 BIT(64),
  dt DATE, tm TIME(6), dtm DATETIME(6), ts TIMESTAMP(6) NULL, ts0 TIMESTAMP NOT NULL
  DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, y YEAR,
  c CHAR(10), cl CHAR(10) CHARACTER SET latin1, cb BINARY(6), v VARCHAR(100), v16 VARCHAR(50)
  CHARACTER SET utf16, v2 VARCHAR(50) CHARACTER SET ucs2, vs VARCHAR(50) CHARACTER SET sjis,
  vb VARBINARY(100), tt TINYTEXT, t TEXT, lt LONGTEXT CHARACTER SET latin1, bl BLOB, lb LONGBLOB,
  e ENUM('1','0','','x','2'), e8 ENUM('ä','ß') CHARACTER SET latin1,
  s SET('a','b','1','4'), js JSON, g GEOMETRY, p POINT, u UUID, i4 INET4, i6 INET6,
  vc VARCHAR(2000) COMPRESSED, bc LONGBLOB COMPRESSED,
  hidden INT INVISIBLE DEFAULT 7, gen INT AS (id + 1) STORED, virt INT AS (id + 2) VIRTUAL,
  `od``d` INT DEFAULT 3, `select` INT CHECK (`select` < 100),
  KEY (gen), KEY (v(10)))"""


class Mover:
    """copy_cli with a copy of the cluster's catalog as it is now."""

    def __init__(self, cluster, folder, spec, job=1):
        folder.mkdir()
        self.folder = folder
        copy_catalog(cluster, folder)
        (folder / "record").write_text(json.dumps({"number": job, "move": spec}))
        self.process = None
        self.again()

    def again(self):
        """As a controller that starts after one that was killed."""
        if self.process:
            self.process.wait(30)
        self.process = subprocess.Popen(
            [BUILD / "copy_cli", self.folder / "catalog.db", self.folder / "record"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __call__(self, do, **more):
        self.process.stdin.write(json.dumps({"do": do, **more}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(30) == 0


def copy_catalog(cluster, folder):
    """The controller keeps its file locked; it changes nothing meanwhile."""
    for path in cluster.home.glob("catalog.db*"):
        shutil.copy(path, folder)
    return folder / "catalog.db"


def catalog(cluster, kind, name=None):
    with tempfile.TemporaryDirectory() as folder, \
            sqlite3.connect(copy_catalog(cluster, pathlib.Path(folder))) as db:
        found = {n: json.loads(text) for n, text in
                 db.execute("SELECT name, body FROM object WHERE kind = ?", (kind,))}
    return found[name] if name else found


def spec_of(cluster, *tables, share=2):
    """All of these tables' rows leave shard 1: for shard 2, or for 2 and 3 in turn."""
    ids = [s["id"] for s in cluster.shard_list()]
    before = catalog(cluster, "ranges", "map")
    assert {owner for _, owner in before["ranges"]} == {ids[0]}
    after = {"ranges": [[start, ids[1 + i % share]] for i, (start, _) in
                        enumerate(before["ranges"])]}
    objects = catalog(cluster, "table")
    return {"verb": "split", "ranges_before": before, "ranges": after,
            "tables": [{"name": t, "before": objects[t]} for t in tables]}


@pytest.fixture(scope="module")
def shards(scratch):
    from testbed import Cluster
    cluster = Cluster(scratch / "copy", shards=1, workers=1)
    try:
        for _ in range(2):
            cluster.ctl("shard add", timeout=120)
        yield cluster
    finally:
        cluster.finish()


@pytest.fixture
def mover(shards, tmp_path):
    made = []

    def make(*tables, **more):
        one = Mover(shards, tmp_path / f"m{len(made)}", spec_of(shards, *tables, **more),
                    job=random.randint(1, 1 << 40))
        made.append(one)
        assert "error" not in one("schema")
        return one
    yield make
    for one in made:
        answer = one("drop")
        assert answer == {}, answer
        one.close()


def checksums(cluster, table):
    return [int(cluster.on_shard(s, f"CHECKSUM TABLE app.{table} EXTENDED")[0][1] or 0)
            for s in cluster.shard_list()]


def clear_targets(cluster, *tables):
    for shard in cluster.shard_list()[1:]:
        for table in tables:
            cluster.on_shard(shard, f"DELETE FROM app.{table}")


def check_moved(cluster, table):
    """Both targets together have exactly the source's rows, by the bytes."""
    source, *targets = checksums(cluster, table)
    assert sum(targets) % 2 ** 32 == source, table
    counts = [cluster.on_shard(s, f"SELECT COUNT(*) FROM app.{table}")[0][0]
              for s in cluster.shard_list()]
    assert sum(counts[1:]) == counts[0] > 0 and min(counts[1:]) > 0, (table, counts)


def fill_types(cluster, rows=400):
    source = cluster.shard_list()[0]
    rng = random.Random(5)

    def maybe(value):
        return value if rng.random() > 0.1 else None
    with cluster.shard_connect(source, "app") as c, c.cursor() as cursor:
        cursor.execute("SET sql_mode = 'ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO', "
                       "check_constraint_checks = 0")
        for i in range(rows):
            nasty = bytes(rng.choice(b"\0\t\n\\N'\",\r\x1aa\xc3\xff")
                          for _ in range(rng.randrange(40)))
            text = "".join(rng.choice(EDGES) for _ in range(rng.randrange(8)))
            values = {
                "id": i * 7 - 100, "i1": maybe(rng.randint(-128, 127)), "i2": maybe(65535),
                "i3": maybe(-8388608), "i8": maybe(2 ** 64 - 1), "z": maybe(rng.randrange(10 ** 6)),
                "d": maybe(str(rng.randint(-10 ** 19, 10 ** 19)) + ".0000000001"),
                "f": maybe(rng.uniform(-1, 1) * 10 ** rng.randint(-37, 37)),
                "f2": maybe(rng.uniform(-999, 999)), "r2": maybe(rng.uniform(-1e7, 1e7)),
                "r": maybe(rng.uniform(-1, 1) * 10.0 ** rng.randint(-307, 307)),
                "b1": maybe(rng.randrange(2)), "b": maybe(rng.randrange(2 ** 17)),
                "b64": maybe(rng.getrandbits(64)),
                "dt": maybe(rng.choice(["0000-00-00", "2001-00-31", "9999-12-31", "2001-02-31"])),
                "tm": maybe(rng.choice(["-838:59:59.999999", "00:00:00", "11:12:13.000001"])),
                "dtm": maybe(rng.choice(["0000-00-00", "2020-01-01 00:00:00.999999"])),
                "ts": maybe(rng.choice(["1970-01-01 00:00:01", "2038-01-19 03:14:07.999999"])),
                "y": maybe(rng.choice([0, 1901, 2155])), "c": maybe(text), "cl": maybe("äß\t"),
                "cb": maybe(nasty[:6]), "v": maybe(text), "v16": maybe(text), "v2": maybe("aé\t\n"),
                "vs": maybe("表\\"), "vb": maybe(nasty), "tt": maybe(text), "t": maybe(text * 20),
                "lt": maybe("ÿ\t\\"), "bl": maybe(nasty), "lb": maybe(nasty * rng.randrange(200)),
                "e": maybe(rng.choice([1, 2, 3, 4, 5, 0])), "e8": maybe("ß"),
                "s": maybe(rng.randrange(16)), "js": maybe(rng.choice(['{"a": "\\t"}', "no json"])),
                "u": maybe("123e4567-e89b-12d3-a456-426655440000"), "i4": maybe("1.2.3.4"),
                "i6": maybe("::ffff:1.2.3.4"), "vc": maybe(text * 30), "bc": maybe(nasty * 50),
                "hidden": maybe(i), "od`d": maybe(0), "select": maybe(i),
            }
            names = ",".join("`" + n.replace("`", "``") + "`" for n in values)
            cursor.execute(f"INSERT INTO types ({names}, g, p) VALUES "
                           f"({','.join(['%s'] * len(values))}, "
                           "ST_GeomFromText('LINESTRING(0 0,1.5 -2)', 4326), POINT(1,2))",
                           list(values.values()))


@pytest.fixture(scope="module")
def types(shards):
    shards.sql(TYPES)
    fill_types(shards)


@pytest.fixture(scope="module")
def pairs(shards):
    """5,000 rows whose primary key is not the sharding key alone."""
    shards.sql("CREATE TABLE pairs (k INT, w VARCHAR(20) COLLATE utf8mb4_general_ci, v INT, "
               "PRIMARY KEY (k, w)) COMMENT 'shardd: key(k)'")
    source = shards.shard_list()[0]
    shards.on_shard(source, "INSERT INTO app.pairs SELECT seq DIV 10, CONCAT('W', seq MOD 10), "
                            "seq FROM app.seq_1_to_5000")


def test_every_type_byte_for_byte(shards, types, mover):
    m = mover("app.types")
    answer = m("copy", source=1, sessions=2)
    assert answer["done"] and answer["sent"] == 400, answer
    check_moved(shards, "types")
    clear_targets(shards, "types")


def sets_of(cluster, kind):
    """All keys in the sets of a kind, per shard."""
    def keys(shard):
        names = cluster.on_shard(shard, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE "
                                 f"TABLE_SCHEMA='shardd_move' AND TABLE_NAME LIKE '{kind}\\_%'")
        return [k for (n,) in names for (k,) in
                cluster.on_shard(shard, f"SELECT k FROM shardd_move.{n}")]
    return [keys(s) for s in cluster.shard_list()]


def test_cycles_that_are_stopped_and_killed_go_on(shards, pairs, mover):
    m = mover("app.pairs")
    sent = 0
    for _ in range(20):  # a cycle without time ends with its first SELECT
        answer = m("copy", source=1, sessions=3, seconds=0, cycles=1)
        sent += answer["sent"]
        if answer["done"]:
            break
    assert answer["cycles"] > 0 and sent == 5000, answer
    check_moved(shards, "pairs")

    source = {k for (k,) in shards.on_shard(shards.shard_list()[0], "SELECT k FROM app.pairs")}
    ins, outs = sets_of(shards, "in"), sets_of(shards, "out")
    assert set(outs[0]) == source and outs[1:] == [[], []]
    assert set(ins[1]) | set(ins[2]) == source and ins[0] == [] and not set(ins[1]) & set(ins[2])
    for shard, keys in list(zip(shards.shard_list(), ins))[1:]:
        assert {k for (k,) in shards.on_shard(shard, "SELECT k FROM app.pairs")} == set(keys)
    clear_targets(shards, "pairs")


def test_a_copy_that_was_killed_goes_on(shards, pairs, mover):
    first = mover("app.pairs")
    first.process.stdin.write(json.dumps({"do": "copy", "source": 1, "rate": 2000}) + "\n")
    first.process.stdin.flush()
    wait_for("the first rows", lambda: sum(
        shards.on_shard(s, "SELECT COUNT(*) FROM shardd_move.stream")[0][0]
        for s in shards.shard_list()) == 2)
    first.process.kill()
    again = first.again()
    stopped = again("copy", source=1, stop_ms=0)
    assert not stopped["done"] and "told to stop" in stopped["error"], stopped
    answer = again("copy", source=1, rate=2000, cycles=1, seconds=1)
    assert answer["rows"] <= 4000 and not answer["done"], answer  # of 5000: throttled
    answer = again("copy", source=1)
    assert answer["done"], answer
    check_moved(shards, "pairs")
    clear_targets(shards, "pairs")


def test_targets_that_are_not_alike(shards, pairs, mover):
    """One of two lost its connection between two commits: it gets what it lacks."""
    m = mover("app.pairs")
    behind = shards.shard_list()[2]
    assert m("copy", source=1, seconds=0, cycles=1)["rows"] == 2048
    shards.on_shard(behind, "DELETE FROM app.pairs")
    shards.on_shard(behind, "DELETE FROM shardd_move.copied")
    again = m("copy", source=1)
    assert again["done"] and again["rows"] == 5000, again
    check_moved(shards, "pairs")
    clear_targets(shards, "pairs")


def test_a_table_without_a_known_order_is_begun_anew(shards, mover):
    """In transactions of 4 MB: none of the rows of the copy that was stopped is left or doubled."""
    shards.sql("CREATE TABLE whole (u UUID PRIMARY KEY, v INT, t TEXT)")
    shards.on_shard(shards.shard_list()[0], "INSERT INTO app.whole SELECT UUID(), seq, REPEAT('x', "
                                            "5000) FROM app.seq_1_to_6000")
    targets = shards.shard_list()[1:]
    m = mover("app.whole")
    answer = m("copy", source=1, rate=1000, stop_ms=3000)
    assert not answer["done"] and "told to stop" in answer["error"], answer
    parts = [shards.on_shard(t, "SELECT COUNT(*) FROM app.whole")[0][0] for t in targets]
    assert sum(parts) > 0, parts
    shards.on_shard(shards.shard_list()[0], "DELETE FROM app.whole WHERE v % 3 = 0")
    assert m("copy", source=1, seconds=0, cycles=1)["done"]
    check_moved(shards, "whole")
    clear_targets(shards, "whole")


def test_what_cannot_be_copied_is_refused(shards, pairs, mover):
    m = mover("app.pairs")
    target = shards.shard_list()[1]
    assert m("copy", source=1)["done"]
    shards.on_shard(target, "DELETE FROM shardd_move.copied")
    answer = m("copy", source=1)
    assert "has the others already" in answer["error"], answer
    clear_targets(shards, "pairs")
    shards.on_shard(target, "CREATE TRIGGER app.tr BEFORE INSERT ON app.pairs FOR EACH ROW "
                            "SET NEW.v = 1")
    answer = m("copy", source=1)
    assert "would run its trigger tr" in answer["error"], answer
    shards.on_shard(target, "DROP TRIGGER app.tr")
    shards.on_shard(target, "SET GLOBAL local_infile = OFF")
    answer = m("copy", source=1)
    assert "SET GLOBAL local_infile = ON" in answer["error"], answer
    shards.on_shard(target, "SET GLOBAL local_infile = ON")


def test_commits_wait_for_no_snapshot_for_long(shards, pairs, mover):
    """Somebody else's backup: the snapshot gives up, and holds nothing."""
    m = mover("app.pairs")
    source = shards.shard_list()[0]
    with shards.shard_connect(source) as other, other.cursor() as cursor:
        cursor.execute("BACKUP STAGE START")
        answer = m("snapshot", source=1, hold_ms=200, query="SELECT 1")
        assert answer["code"] in (1205, 1969), answer
        cursor.execute("BACKUP STAGE END")
    answer = m("snapshot", source=1, n=3, query="SELECT COUNT(*) FROM app.pairs")
    assert answer["seen"] == [[["5000"]]] * 3 and answer["from"] == answer["position"], answer
    shards.on_shard(source, "UPDATE app.pairs SET v = v WHERE k = 1")  # commits go on


def test_a_position_is_read_by_who_holds_commits(shards, pairs, mover):
    """While it does, and while all others open: status variables (binlog_snapshot_...) may tell of
    any session's snapshot."""
    source = shards.shard_list()[0]
    shards.on_shard(source, "SET GLOBAL log_output = 'TABLE', GLOBAL general_log = ON")
    try:
        answer = mover("app.pairs")("snapshot", source=1, n=3, query="SELECT 1")
    finally:
        shards.on_shard(source, "SET GLOBAL general_log = OFF, GLOBAL log_output = 'FILE'")
    log = shards.on_shard(source, "SELECT thread_id, CONVERT(argument USING latin1) FROM "
                                  "mysql.general_log")
    assert len(answer["seen"]) == 3
    texts = [text for _, text in log]
    begin, end = (texts.index("BACKUP STAGE " + s) for s in ("BLOCK_COMMIT", "END"))
    holder = log[begin][0]
    inside = log[begin + 1:end]
    opened = [thread for thread, text in inside if "CONSISTENT SNAPSHOT" in text]
    assert len(opened) == 3 and holder not in opened, inside
    assert [text for thread, text in inside if thread == holder] == [
        "SELECT @@global.gtid_binlog_pos", "XA RECOVER"], inside
    assert not [text for text in texts if "binlog_snapshot" in text.lower()]
    assert texts.count("SELECT @@global.gtid_binlog_pos") == 1, texts


# --- snapshots while branches come and go ---

def branches_of_log(cluster, shard):
    """Of each branch: the numbers of its XA PREPARE and of its XA COMMIT in the log."""
    prepared, committed = {}, {}
    with cluster.shard_connect(shard, charset="latin1") as c, c.cursor() as cursor:
        cursor.execute("SHOW BINARY LOGS")
        events = []
        for (name, *_) in cursor.fetchall():
            cursor.execute(f"SHOW BINLOG EVENTS IN '{name}'")
            events.append(cursor.fetchall())
    for log in events:
        number = None
        for (_, _, what, _, _, info) in log:
            if what == "Gtid":
                number = int(re.search(r"GTID \d+-\d+-(\d+)", info).group(1))
            xid = re.search(r"XA (PREPARE|COMMIT) X'([0-9a-f]+)'", info)
            if xid:
                found = prepared if xid.group(1) == "PREPARE" else committed
                found[xid.group(2).upper()] = number
    return prepared, committed


numbers = itertools.count(1)


def write_branches(cluster, shard, stop):
    """Inserts a row per branch, whose name is its id."""
    with cluster.shard_connect(shard, "app") as c, c.cursor() as cursor:
        while not stop.is_set():
            i = next(numbers)
            for sql in (f"XA START 'b{i}'", f"INSERT INTO branches VALUES ({i})", f"XA END 'b{i}'",
                        f"XA PREPARE 'b{i}'", f"XA COMMIT 'b{i}'"):
                cursor.execute(sql)


def watch_snapshots(shards, mover, n):
    """Each snapshot has exactly the branches committed up to its position, and knows those
    that are prepared there, whose rows are behind `from`."""
    m = mover("app.branches")
    source = shards.shard_list()[0]
    stop = threading.Event()
    threads = [threading.Thread(target=write_branches, args=(shards, source, stop))
               for _ in range(4)]
    for t in threads:
        t.start()
    try:
        taken = [m("snapshot", source=1, query="SELECT id FROM app.branches") for _ in range(n)]
    finally:
        stop.set()
        for t in threads:
            t.join()
    prepared, committed = branches_of_log(shards, source)
    domain = shards.on_shard(source, "SELECT @@gtid_domain_id")[0][0]

    def last(position):
        return max((int(g.split("-")[2]) for g in position.split(",")
                    if g.split("-")[0] == str(domain)), default=0)
    open_ones = 0
    for s in taken:
        assert "error" not in s, s
        at, begin = last(s["position"]), last(s["from"])
        there = {f"b{i}".encode().hex().upper() for ((i,),) in zip(s["seen"][0])}
        assert there == {x for x, c in committed.items() if c <= at}
        between = {x for x, p in prepared.items() if p <= at < committed.get(x, 1 << 62)}
        assert set(s["prepared"]) == between
        assert all(prepared[x] > begin for x in between)
        open_ones += len(between)
    assert open_ones > 0 and len(committed) > n


@pytest.fixture(scope="module")
def branches(shards):
    shards.sql("CREATE TABLE branches (id INT PRIMARY KEY)")


def test_snapshots_among_branches(shards, branches, mover):
    watch_snapshots(shards, mover, 25)


@pytest.mark.long
def test_a_thousand_snapshots_among_branches(shards, branches, mover):
    for _ in range(10):
        watch_snapshots(shards, mover, 100)


# --- keys of all types ---

def some_texts(kind):
    """Characters from everywhere that the character set has, in short strings."""
    rng = random.Random(11)
    parts = [range(0x20, 0x7f), range(0xa0, 0x100)]
    if "latin1" not in kind:
        parts += [range(0x100, 0x3000), range(0x3000, 0xd800), range(0xe000, 0xfffe),
                  range(0x10000, 0x1f700), range(0x300, 0x370)]

    def text(of):
        return "".join(chr(rng.choice(rng.choice(of))) for _ in range(rng.randrange(1, 6)))
    return [text(parts) for _ in range(300)] + [text(parts[:1]) for _ in range(60)]

@pytest.mark.long
def test_orders_and_sets(shards, mover):
    """Keys in the server's order are so in ours; SELECTs go on behind each of them; and each is
    in its set as it is in the table."""
    source = shards.shard_list()[0]
    all_types = list(KEYS.items()) + list(UNKNOWN_ORDER.items())
    for i, (kind, values) in enumerate(all_types):
        shards.sql(f"CREATE TABLE k{i} (x {kind}, n INT, v INT, PRIMARY KEY (x, n))")
        with shards.shard_connect(source, "app") as c, c.cursor() as cursor:
            cursor.execute("SET sql_mode = 'ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO'")
            for n in range(2):
                for v in (*values, *(some_texts(kind) if values is EDGES else ())):
                    cursor.execute(f"INSERT IGNORE INTO k{i} VALUES (%s, {n}, 0)", (v,))
    kinds = {t: o["kind"] for t, o in catalog(shards, "table").items()}
    m = mover(*[f"app.k{i}" for i in range(len(all_types))])
    sharded = 0
    for i, (kind, values) in enumerate(all_types):
        answer = m("order", source=1, table=i)
        assert answer["rows"] > 0 and answer["ordered"] == (kind in KEYS), (kind, answer)
        assert answer["wrong"] == 0 or kind not in KEYS, (kind, answer)
        if kinds[f"app.k{i}"] != "sharded":
            continue
        sharded += 1
        answer = m("sets", source=1, table=i)
        assert answer["wrong"] == 0, (kind, answer)
        keys = set_of(shards, i)
        found = shards.on_shard(source, "SELECT COUNT(DISTINCT t.x), COUNT(DISTINCT h.k), "
                                f"COUNT(DISTINCT HEX(t.x)), (SELECT COUNT(*) FROM {keys}) "
                                f"FROM app.k{i} t LEFT JOIN {keys} h ON h.k = t.x")[0]
        assert found[0] == found[1] == found[3] > 0, (kind, found)
    assert sharded >= 15
    answer = m("copy", source=1, sessions=4)
    assert answer["done"], answer
    for i in range(len(all_types)):
        source_sum, *targets = checksums(shards, f"k{i}")
        if kinds[f"app.k{i}"] == "sharded":
            assert sum(targets) % 2 ** 32 == source_sum, all_types[i][0]
        shards.sql(f"DROP TABLE k{i}")


def set_of(cluster, i):
    ((name,),) = cluster.on_shard(cluster.shard_list()[0], "SELECT TABLE_NAME FROM "
                                  "information_schema.TABLES WHERE TABLE_SCHEMA = 'shardd_move' "
                                  f"AND TABLE_NAME REGEXP '^in_[0-9]+_{i}$'")
    return f"shardd_move.{name}"
