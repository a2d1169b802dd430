#!/usr/bin/python3
"""load.py - LOAD DATA LOCAL INFILE through shardd against the same into one of its servers.

    bench/load.py [--rounds N] [--rows N] [--shards N]

Both in turn within a round, on the same cores and with the servers' own durability; the
medians' ratio is printed for each kind of file. 1.0 is as fast as one server.
"""
import argparse
import pathlib
import random
import statistics
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

import testbed  # noqa: E402

TABLE = "(id BIGINT PRIMARY KEY, name VARCHAR(60), city VARCHAR(40), amount DECIMAL(10,2))"
WIDE = "(id BIGINT PRIMARY KEY, body TEXT)"
NUMBERED = "(id BIGINT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(60), city VARCHAR(40))"


def narrow(n):
    for i in range(n):
        yield f"{i}\tname of number {i}\tcity {i % 977}\t{i % 10000}.25\n"


def quoted(n):
    for i in random.Random(1).sample(range(n), n):
        yield f'"{i}","a ""name"" {i}","city, {i % 977}","{i % 10000}.25"\n'


def wide(n):
    for i in range(n // 20):
        yield f"{i}\t{'text ' * 400}\n"


def numbered(n):
    for i in range(n):
        yield f"name of number {i}\tcity {i % 977}\n"


FILES = [
    ("narrow rows", TABLE, narrow, ""),
    ("quoted, in any order", TABLE, quoted, "FIELDS TERMINATED BY ',' ENCLOSED BY '\"'"),
    ("wide rows", WIDE, wide, ""),
    ("AUTO_INCREMENT", NUMBERED, numbered, "(name, city)"),
]


def load(connection, path, clauses):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM t")
        start = time.monotonic()
        n = cursor.execute(f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE t {clauses}")
        return n, time.monotonic() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--shards", type=int, default=2)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="shardd-load-") as home:
        cluster = testbed.Cluster(pathlib.Path(home) / "c", shards=args.shards)
        path = pathlib.Path(home) / "file"
        try:
            server = cluster.shard_connect(cluster.shard_list()[0])
            with server.cursor() as cursor:
                cursor.execute("CREATE DATABASE direct")
            server.close()
            for name, columns, rows, clauses in FILES:
                path.write_text("".join(rows(args.rows)))
                shared = cluster.connect(local_infile=True)
                server = cluster.shard_connect(cluster.shard_list()[0], db="direct",
                                               local_infile=True)
                for c, comment in (shared, " COMMENT 'shardd: key(id)'"), (server, ""):
                    with c.cursor() as cursor:
                        cursor.execute("DROP TABLE IF EXISTS t")
                        cursor.execute(f"CREATE TABLE t {columns}{comment}")
                took = {"shardd": [], "server": []}
                for i in range(args.rounds):
                    order = [("shardd", shared), ("server", server)]
                    for who, c in order if i % 2 else reversed(order):
                        n, seconds = load(c, path, clauses)
                        took[who].append(seconds)
                shardd, direct = (statistics.median(took[w]) for w in ("shardd", "server"))
                print(f"{name:22} {n:7} rows  {path.stat().st_size >> 20:3} MiB  "
                      f"server {direct:6.2f} s  shardd {shardd:6.2f} s  "
                      f"ratio {direct / shardd:5.2f}", flush=True)
                shared.close()
                server.close()
            cluster.fsck()
        finally:
            cluster.down()


if __name__ == "__main__":
    main()
