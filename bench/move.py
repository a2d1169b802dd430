#!/usr/bin/python3
"""move.py - the copy of a move against mariadb-dump --tab and LOAD DATA of the same rows.

    bench/move.py [--rounds N] [--rows N]

One source and two targets with the servers' own durability. All rows of a sysbench table leave
the source. The peer: `mariadb-dump --tab` once per target with the condition that says which rows
are its own (both at once), then both files loaded at once. What the copy does beside that is in
its time: keys into the sets, progress, commits. Both in turn within a round; medians.
"""
import argparse
import json
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

import test_copy  # noqa: E402
import testbed  # noqa: E402

TABLE = """CREATE TABLE sbtest1 (id INT NOT NULL AUTO_INCREMENT, k INT NOT NULL DEFAULT 0,
c CHAR(120) NOT NULL DEFAULT '', pad CHAR(60) NOT NULL DEFAULT '', PRIMARY KEY (id), KEY k_1 (k))"""


def fill(cluster, rows):
    cluster.sql(TABLE)
    digits = "CONCAT_WS('-', " + ", ".join(
        "LPAD(FLOOR(RAND() * 99999999999), 11, '0')" for _ in range(10)) + ")"
    cluster.on_shard(cluster.shard_list()[0], "INSERT INTO app.sbtest1 SELECT seq, "
                     f"FLOOR(RAND() * {rows}), {digits}, LEFT({digits}, 59) "
                     f"FROM app.seq_1_to_{rows}")


def empty(cluster):
    for shard in cluster.shard_list()[1:]:
        cluster.on_shard(shard, "SET foreign_key_checks = 0")
        cluster.on_shard(shard, "TRUNCATE app.sbtest1")


def copy(cluster, folder, rows, lanes):
    mover = test_copy.Mover(cluster, folder, test_copy.spec_of(cluster, "app.sbtest1"),
                            job=random.randint(1, 1 << 40))
    assert "error" not in mover("schema")
    start = time.monotonic()
    answer = mover("copy", source=1, sessions=lanes)
    seconds = time.monotonic() - start
    assert answer["done"] and answer["sent"] == rows, answer
    test_copy.check_moved(cluster, "sbtest1")
    assert mover("drop") == {}
    mover.close()
    return seconds, answer


def client(shard, *words):
    init = pathlib.Path(shard["directory"], "init.sql").read_text()
    secret = init.split("PASSWORD('")[1].split("'")[0] if "PASSWORD('" in init else ""
    return [words[0], f"--socket={shard['socket']}", "--user=root", f"--password={secret}",
            *words[1:]]


def both(commands):
    processes = [subprocess.Popen(c, stdout=subprocess.DEVNULL) for c in commands]
    assert [p.wait() for p in processes] == [0] * len(processes)


def dump_and_load(cluster, folder, rows):
    source, *targets = cluster.shard_list()
    start = time.monotonic()
    for t in targets:
        (folder / t["name"]).mkdir(parents=True)
        (folder / t["name"]).chmod(0o777)
    both([client(source, "mariadb-dump", f"--tab={folder / t['name']}", "--single-transaction",
                 "--no-create-info", f"--where=id % 2 = {i}", "app", "sbtest1")
          for i, t in enumerate(targets)])
    both([client(t, "mariadb", "--local-infile=1", "app", "-e",
                 f"LOAD DATA LOCAL INFILE '{folder / t['name']}/sbtest1.txt' INTO TABLE sbtest1")
          for t in targets])
    seconds = time.monotonic() - start
    assert sum(cluster.on_shard(t, "SELECT COUNT(*) FROM app.sbtest1")[0][0]
               for t in targets) == rows
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="shardd-bench-") as folder:
        folder = pathlib.Path(folder)
        folder.chmod(0o755)
        cluster = testbed.Cluster(folder / "c", shards=1, workers=1)
        try:
            for _ in range(2):
                cluster.ctl("shard add", timeout=120)
            fill(cluster, options.rows)
            ours, theirs = [], []
            for i in range(options.rounds):
                theirs.append(dump_and_load(cluster, folder / f"dump{i}", options.rows))
                empty(cluster)
                seconds, answer = copy(cluster, folder / f"m{i}", options.rows, 4)
                ours.append(seconds)
                empty(cluster)
                print(f"round {i + 1}: dump and load {theirs[-1]:.1f} s, copy {seconds:.1f} s; "
                      f"commits waited {answer['held_ms']:.1f} ms", flush=True)
            theirs, ours = statistics.median(theirs), statistics.median(ours)
            print(json.dumps({"rows": options.rows, "dump_and_load_s": round(theirs, 2),
                              "copy_s": round(ours, 2), "ratio": round(theirs / ours, 2),
                              "wanted": 0.8}))
        finally:
            cluster.down()
            cluster.forget()


if __name__ == "__main__":
    main()
