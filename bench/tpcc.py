#!/usr/bin/python3
"""tpcc.py - TPC-C's five kinds of transactions on four shards and on one server.

    bench/tpcc.py [--warehouses N] [--clients N] [--seconds N] [--remote PART]

Both on this machine, one after the other: new orders per minute, retries after deadlocks, and
what must hold between the tables afterwards. Clients are threads of one process, so that this
compares the two, and says little of what either could do.
"""
import argparse
import json
import pathlib
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

import pymysql  # noqa: E402

import testbed  # noqa: E402
import tpcc  # noqa: E402


def work(server, scale, seed, options, until, counts):
    terminal = tpcc.Terminal(scale, seed, options.remote)
    with server.connect(db="app") as connection:
        while time.monotonic() < until:
            transaction = terminal.next()
            try:
                tpcc.run_one(connection, transaction)
                counts.append(transaction[0].__name__)
            except pymysql.err.MySQLError as e:
                if e.args[0] not in (1205, 1213):
                    raise
                connection.rollback()
                counts.append("again")


def run(name, server, scale, options):
    with server.connect(db="app") as connection, connection.cursor() as cursor:
        tpcc.load(cursor, scale)
    until  = time.monotonic() + options.seconds
    counts = []
    threads = [threading.Thread(target=work, args=(server, scale, n, options, until, counts))
               for n in range(options.clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    broken = tpcc.wrong(lambda sql: server.sql(sql, db="app"))
    return {"what": name, "new_orders_per_minute":
            round(counts.count("new_order") * 60 / options.seconds),
            "transactions": len(counts) - counts.count("again"),
            "deadlocks": counts.count("again"), "conditions_broken": len(broken)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--warehouses", type=int, default=8)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--remote", type=float, default=0.15)
    options = parser.parse_args()
    scale   = tpcc.Scale(options.warehouses, districts=10, customers=100, items=1000)
    with tempfile.TemporaryDirectory(prefix="shardd-bench-") as folder:
        plain   = testbed.Server(pathlib.Path(folder) / "plain")
        cluster = testbed.Cluster(f"{folder}/c", shards=4)
        try:
            plain.sql("CREATE DATABASE IF NOT EXISTS app")
            for name, server in (("one server", plain), ("four shards", cluster)):
                print(json.dumps(run(name, server, scale, options)), flush=True)
        finally:
            cluster.down()
            cluster.forget()
            plain.stop()


if __name__ == "__main__":
    main()
