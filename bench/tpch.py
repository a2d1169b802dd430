#!/usr/bin/python3
"""tpch.py - TPC-H's 22 queries on four shards against one server with all the rows.

    bench/tpch.py [--orders N] [--rounds N]

Both on this machine, in turn within a round; medians. Every answer is compared as well. The plan
beside each ratio says what was done: `one`, `scatter` or `gather`; a gather copies rows to the
engine first, which one server need not.
"""
import argparse
import json
import pathlib
import statistics
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

import testbed  # noqa: E402
import tpch  # noqa: E402


def timed(connection, sql):
    with connection.cursor() as c:
        before = time.perf_counter()
        c.execute(sql)
        rows = c.fetchall()
        return time.perf_counter() - before, sorted(map(repr, rows))


def compare(cluster, plain, rounds):
    ratios = []
    with cluster.connect(db="app") as ours, plain.connect(db="app") as theirs:
        for number, sql in tpch.QUERIES.items():
            plan  = cluster.sql(f"EXPLAIN SHARDD {sql}")[0][0]
            times = []
            for _ in range(rounds):
                mine, other = timed(ours, sql), timed(theirs, sql)
                if mine[1] != other[1]:
                    sys.exit(f"query {number}: another answer")
                times.append((mine[0], other[0]))
            mine, other = (statistics.median(t) for t in zip(*times))
            ratios.append(mine / other)
            print(f"query {number:2}  {plan:8} {mine * 1000:8.1f} ms  one server "
                  f"{other * 1000:8.1f} ms  ratio {mine / other:.2f}", flush=True)
    return ratios


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--orders", type=int, default=15_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rows = tpch.Rows(options.orders)
    with tempfile.TemporaryDirectory(prefix="shardd-bench-") as folder:
        plain   = testbed.Server(pathlib.Path(folder) / "plain")
        cluster = testbed.Cluster(f"{folder}/c", shards=4)
        try:
            plain.sql("CREATE DATABASE IF NOT EXISTS app")
            for server, sharded in ((cluster, True), (plain, False)):
                with server.connect(db="app") as connection:
                    rows.fill(connection, sharded)
            ratios = compare(cluster, plain, options.rounds)
            print(json.dumps({"orders": options.orders,
                              "lines": len(rows.tables["lineitem"]),
                              "ratio_median": round(statistics.median(ratios), 2),
                              "ratio_worst": round(max(ratios), 2)}))
        finally:
            cluster.down()
            cluster.forget()
            plain.stop()


if __name__ == "__main__":
    main()
