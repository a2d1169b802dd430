"""The copy of a move: snapshots, sets, orders of keys, and rows of all types, byte for byte.

copy_cli runs the parts that the controller runs, on the shards of a cluster, with a copy of
its catalog and the record of a job that is not there.
"""
import json
import pathlib
import random
import shutil
import sqlite3
import subprocess
import tempfile
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
  d DECIMAL(30,10), f FLOAT, f2 FLOAT(7,3), r DOUBLE, r2 DOUBLE(12,4), b1 BIT(1), b BIT(17), b64 BIT(64),
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
        copy_catalog(cluster, folder)
        (folder / "record").write_text(json.dumps({"number": job, "move": spec}))
        self.process = subprocess.Popen(
            [BUILD / "copy_cli", folder / "catalog.db", folder / "record"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

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
        cluster.fsck()
    finally:
        cluster.down()
        cluster.forget()


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
        assert one("drop") == {}
        one.close()


def checksums(cluster, table):
    return [int(cluster.on_shard(s, f"CHECKSUM TABLE app.{table} EXTENDED")[0][1])
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
            nasty = bytes(rng.choice(b"\0\t\n\\N'\",\r\x1aa\xc3\xff") for _ in range(rng.randrange(40)))
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


def test_every_type_byte_for_byte(shards, mover):
    shards.sql("DROP TABLE IF EXISTS types")
    shards.sql(TYPES)
    fill_types(shards)
    m = mover("app.types")
    answer = m("copy", source=1, sessions=2)
    assert answer["done"] and answer["sent"] == 400, answer
    check_moved(shards, "types")
    clear_targets(shards, "types")
    shards.sql("DROP TABLE types")
