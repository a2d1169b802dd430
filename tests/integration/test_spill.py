"""test_spill.py - merges that have little memory: what is too much goes to a temporary file, and
the answers are one server's. Memory stays bounded, and a full disk is an error that says so."""
import os
import pathlib
import subprocess

import pytest

import testbed

ROWS = 24000
MEMORY = 1 << 20
READS = [
    "SELECT g, COUNT(*) FROM t GROUP BY g",
    "SELECT g, COUNT(*), SUM(v), AVG(v), MIN(s), MAX(s), SUM(d), BIT_XOR(v) FROM t GROUP BY g",
    "SELECT s, COUNT(*) n, MAX(v) FROM t GROUP BY s ORDER BY n DESC, s",
    "SELECT g, SUM(v) FROM t GROUP BY g HAVING SUM(v) > 100 ORDER BY SUM(v), g LIMIT 100, 3000",
    "SELECT DISTINCT s FROM t",
    "SELECT DISTINCT s, w FROM t ORDER BY s, w",
    "SELECT DISTINCT w, g FROM t ORDER BY w",
    "SELECT COUNT(DISTINCT s), COUNT(*) FROM t",
    "SELECT w, COUNT(DISTINCT s), COUNT(*) FROM t GROUP BY w ORDER BY w",
    "SELECT DISTINCT COUNT(*), g FROM t GROUP BY g",
    "SELECT s FROM t GROUP BY s ORDER BY MAX(v) DESC, s LIMIT 5",
    "SELECT SQL_CALC_FOUND_ROWS DISTINCT s FROM t ORDER BY s LIMIT 3",
    "SELECT FOUND_ROWS()",
    "SELECT COUNT(*) FROM t",
]


@pytest.fixture(scope="module")
def pair(scratch, plain):
    cluster = testbed.Cluster(scratch / "spill", shards=2, workers=1,
                              settings=["--set", f"merge_memory_bytes={MEMORY}",
                                        "--set", "gather_max_rows=1000"])
    for sql in (cluster.sql, plain.sql):
        sql("CREATE DATABASE spill", db=None)
    both = testbed.Both(cluster, plain, "spill")
    both.run("CREATE TABLE t (id INT PRIMARY KEY, g INT, v INT, d DOUBLE, s VARCHAR(40), "
             "w VARCHAR(10) CHARACTER SET latin1)")
    for first in range(0, ROWS, 5000):
        both.run("INSERT INTO t VALUES " + ",".join(
            f"({i}, {i * 7919 % 16001}, {i % 1000}, {i % 64} / 4, 'text {i * 31 % 18007} ä', "
            f"'w{i % 3}')" for i in range(first, first + 5000)))
    yield both
    both.close()
    plain.sql("DROP DATABASE spill", db=None)
    cluster.finish()


def test_answers(pair):
    """Rows in any order where nothing says which."""
    for sql in READS:
        pair.compare(sql, ordered="ORDER BY s" in sql or "n DESC" in sql)
    assert left_over(pair.cluster) == []


def open_files(pid):
    folder = pathlib.Path(f"/proc/{pid}/fd")
    names = []
    for fd in folder.iterdir():
        try:
            names.append(os.readlink(fd))
        except OSError:
            pass
    return names


def left_over(cluster):
    return [name for pid in cluster.worker_pids() for name in open_files(pid)
            if "(deleted)" in name and str(cluster.home) in name]


def peak_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1])
    raise KeyError(pid)


def test_memory_is_bounded(pair):
    """Groups of a megabyte at once; all of them would be many times that."""
    pid, = pair.cluster.worker_pids()
    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")  # VmHWM begins anew
    before = peak_kib(pid)
    for sql in READS[1], READS[2], READS[5]:
        pair.cluster.sql(sql, db="spill")
    assert peak_kib(pid) - before < 16 * 1024


def test_prepared(pair):
    """The binary protocol's rows, and those of a cursor."""
    for sql in READS[1], READS[2], READS[6]:
        prepared = []
        for server in (pair.cluster, pair.plain):
            with server.connect(db="spill") as c, c.cursor() as cursor:
                cursor.execute("PREPARE p FROM %s", (sql,))
                cursor.execute("EXECUTE p")
                prepared.append(sorted(cursor.fetchall(), key=repr))
        assert prepared[0] == prepared[1]


def fails(pair, code, word):
    def so():
        answer = testbed.Answer(pair.connections[0], READS[2])
        return answer.error is not None and answer.error[0] == code and word in answer.error[1]
    testbed.wait_for(f"error {code}, {word}", so)


def works_again(pair):
    testbed.wait_for("the settings of before",
                     lambda: testbed.Answer(pair.connections[0], READS[2]).error is None)
    pair.compare(READS[2], ordered=True)


def test_limit_of_the_file(pair):
    with pair.cluster.reloaded(merge_disk_bytes=0):
        fails(pair, 1114, "merge_memory_bytes")
    with pair.cluster.reloaded(merge_disk_bytes='"1M"'):
        fails(pair, 1114, "merge_disk_bytes")
    works_again(pair)


def test_disk_full(pair, scratch):
    small = scratch / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k,mode=1777", "none", small],
                      check=False).returncode != 0:
        pytest.skip("no file systems can be mounted here")
    try:
        with pair.cluster.reloaded(merge_folder=f'"{small}"'):
            fails(pair, 1021, str(small))
            fails(pair, 1021, str(small))
            assert left_over(pair.cluster) == []
        with pair.cluster.reloaded(merge_folder=f'"{scratch}/nowhere"'):
            fails(pair, 1026, "nowhere")
        works_again(pair)
    finally:
        subprocess.run(["umount", small], check=True)
