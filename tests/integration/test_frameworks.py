"""Applications of real frameworks, unchanged, on three shards: as on one server.

Each program prints a transcript of all it sees. It runs on one plain server, on shardd with
the policy auto, and with sharding forced by table comments; the transcripts must be the same
but for what frameworks/*.known lists, with the reason.
"""
import os
import pathlib
import subprocess
import sys

import pytest

import testbed

HERE = pathlib.Path(__file__).parent / "frameworks"
MANY = ("scatter", "write", "insert_split")


@pytest.fixture(scope="module")
def three(scratch):
    cluster = testbed.Cluster(scratch / "fw", shards=3)
    yield cluster
    cluster.down()
    cluster.forget()


def known(framework):
    """{(mode, step): reason}; what auto refuses, forced refuses too."""
    found = {}
    for line in (HERE / f"{framework}.known").read_text().splitlines():
        if line and not line.startswith("#"):
            mode, step, reason = line.split(None, 2)
            found["forced", step] = reason
            if mode == "auto":
                found[mode, step] = reason
    return found


def blocks(transcript):
    """{step: its lines}: a step's name stands at the line's begin."""
    found, name = {}, None
    for line in transcript.splitlines():
        if line[:1].strip():
            name = line
            found[name] = []
        elif name:
            found[name].append(line)
    return found


def compare(framework, mode, ours, theirs):
    ours, theirs, listed = blocks(ours), blocks(theirs), known(framework)
    assert list(ours) == list(theirs)
    assert all(step in ours for _, step in listed), "a listed step is not there"
    for step, lines in ours.items():
        if (mode, step) in listed:
            assert any("ERROR" in li and "1235" in li for li in lines), \
                f"{step} works now: take it out of {framework}.known"
        else:
            assert lines == theirs[step], f"{framework}, {mode}: {step}"


class Shares:
    """How many tables are sharded, and how many statements ran on several shards."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.before = self.count()

    def count(self):
        return [sum(self.cluster.metric("shardd_statements_routed_total", route=r) for r in MANY),
                self.cluster.metric("shardd_statements_total")]

    def tell(self, what, tables, sharded):
        many, all_ = (b - a for a, b in zip(self.before, self.count()))
        print(f"\n{what}: {sharded} of {tables} tables sharded ({sharded / tables:.0%}), "
              f"{many:.0f} of {all_:.0f} statements on several shards ({many / all_:.0%})")
        return sharded / tables, many / all_


def kinds(cluster, database):
    return [t["kind"] for t in cluster.ctl("table list", database)["tables"]]


def run(words, folder, **environment):
    done = subprocess.run(list(map(str, words)), cwd=folder, capture_output=True, text=True,
                          timeout=300, stdin=subprocess.DEVNULL,
                          env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment})
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


# --- Django ---------------------------------------------------------------------

def django(server, mode, scratch):
    server.sql("CREATE DATABASE shop", db=None)
    return run([sys.executable, "steps.py", scratch], HERE / "django_shop", PYTHONPATH=".",
               DJANGO_SETTINGS_MODULE="settings", SHOP_PORT=str(server.port), SHOP_DB="shop",
               SHOP_FORCED=str(int(mode == "forced")))


@pytest.fixture(scope="module")
def django_on_one(plain, scratch):
    yield django(plain, "auto", scratch)
    plain.sql("DROP DATABASE shop")


@pytest.mark.parametrize("mode", ["auto", "forced"])
def test_django(three, django_on_one, scratch, mode):
    shares = Shares(three)
    transcript = django(three, mode, scratch)
    tables = kinds(three, "shop")
    sharded, many = shares.tell(f"Django, {mode}", len(tables), tables.count("sharded"))
    three.fsck()
    three.sql("DROP DATABASE shop")
    compare("django", mode, transcript, django_on_one)
    if mode == "forced":
        assert sharded >= 0.6 and many >= 0.1
