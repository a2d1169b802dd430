"""storm.py - thousands of logins at once, and how long they stall a worker of shardd."""
import asyncio
import tempfile
import time

import testbed
from test_storm import STORM, longest_turn, storm, trusting


def storms(setup, options):
    """The longest turn of a worker's loop while they come, and how many of them come in a second;
    the client shares the CPUs. The worst of a few, on a fresh shardd each."""
    if not setup.cluster:
        return {}
    return {f"{STORM:,} logins at once{over}": {"shardd": worst(setup, options, tls)}
            for over, tls in (("", None), (" over TLS", trusting()))}


def worst(setup, options, tls):
    settings = [f'tls_cert = "{setup.certs.cert}"', f'tls_key = "{setup.certs.key}"',
                "login_timeout_s = 60", "max_clients = 10000"]
    seen = []
    for _ in range(min(options.rounds, 3)):
        with tempfile.TemporaryDirectory(prefix="shardd-bench-") as folder:
            cluster = testbed.Cluster(f"{folder}/storm", shards=1,
                                      settings=[w for s in settings for w in ("--set", s)])
            try:
                seen.append(one(cluster, tls))
            finally:
                cluster.down()
                cluster.forget()
    return {what: (min if what == "rate" else max)(s[what] for s in seen) for what in seen[0]}


def one(cluster, tls):
    start = time.monotonic()
    outcomes = asyncio.run(storm(cluster.port, "app", STORM, tls))
    took = time.monotonic() - start
    return {"turn_ms": longest_turn(cluster) * 1000, "rate": outcomes.get("in", 0) / took,
            "lost": STORM - outcomes.get("in", 0),
            "stalls": cluster.metric("shardd_loop_stalls_total")}
