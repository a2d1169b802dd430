"""Applications of real frameworks, unchanged, on three shards: as on one server.

Each program prints a transcript of all it sees. It runs on one plain server, on shardd with
the policy auto, and with sharding forced by table comments; the transcripts must be the same
but for what frameworks/*.known lists, with the reason.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import xml.etree.ElementTree

import pytest

import testbed

HERE = pathlib.Path(__file__).parent / "frameworks"
MANY = ("scatter", "write", "insert_split")
ROWS = ("select", "insert", "replace", "update", "delete")  # not SET, SHOW, COMMIT, DDL


@pytest.fixture(scope="module")
def three(scratch):
    cluster = testbed.Cluster(scratch / "fw", shards=3)
    yield cluster
    cluster.down()
    cluster.forget()


def known(framework):
    """{(mode, step): reason}"""
    found = {}
    for line in (HERE / f"{framework}.known").read_text().splitlines():
        if line and not line.startswith("#"):
            modes, step, reason = line.split(None, 2)
            for mode in ("auto", "forced") if modes == "both" else (modes,):
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
                sum(self.cluster.metric("shardd_statements_total", kind=k) for k in ROWS),
                self.cluster.metric("shardd_statements_total")]

    def tell(self, what, tables, sharded):
        many, rows, all_ = (b - a for a, b in zip(self.before, self.count()))
        print(f"\n{what}: {sharded} of {tables} tables sharded ({sharded / tables:.0%}), "
              f"{many:.0f} of {rows:.0f} statements on rows ran on several shards "
              f"({many / rows:.0%}), of all {all_:.0f} {many / all_:.0%}")
        return sharded / tables, many / rows


def kinds(cluster, database):
    return [t["kind"] for t in cluster.ctl("table list", database)["tables"]]


def run(words, folder, may_fail=False, **environment):
    done = subprocess.run(list(map(str, words)), cwd=folder, capture_output=True, text=True,
                          timeout=300, stdin=subprocess.DEVNULL,
                          env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment})
    assert may_fail or done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
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


# --- Active Record ----------------------------------------------------------------

def check_transcripts(framework, three, plain, mode, program):
    """Of program(server, mode), which makes and uses the database `framework`."""
    for server in plain, three:
        server.sql(f"CREATE DATABASE {framework}", db=None)
    theirs = program(plain, mode)
    shares = Shares(three)
    ours = program(three, mode)
    tables = kinds(three, framework)
    sharded, many = shares.tell(f"{framework}, {mode}", len(tables), tables.count("sharded"))
    three.fsck()
    for server in plain, three:
        server.sql(f"DROP DATABASE {framework}", db=None)
    compare(framework, mode, ours, theirs)
    assert mode == "auto" or (sharded >= 0.6 and many >= 0.1)


@pytest.mark.parametrize("mode", ["auto", "forced"])
def test_active_record(three, plain, mode):
    check_transcripts("activerecord", three, plain, mode, lambda server, mode: run(
        ["ruby", "steps.rb", mode, server.port, "activerecord"], HERE / "activerecord"))


# --- JDBC: MariaDB Connector/J ----------------------------------------------------

DRIVER = "/usr/share/java/mariadb-java-client.jar"


@pytest.fixture(scope="module")
def java(scratch):
    classes = scratch / "classes"
    run(["javac", "-d", classes, "Steps.java"], HERE / "jdbc")
    return lambda server, mode: run(["java", "-cp", f"{classes}:{DRIVER}", "Steps", mode,
                                     server.port, "jdbc"], scratch)


@pytest.mark.parametrize("mode", ["auto", "forced"])
def test_jdbc(three, plain, java, mode):
    check_transcripts("jdbc", three, plain, mode, java)


# --- Node: Sequelize over mysql2 --------------------------------------------------

@pytest.fixture(scope="module")
def node(scratch):
    """Installed once under build/; npm packages, as Debian has no such thing."""
    folder = testbed.ROOT / "build" / "testbed" / "sequelize"
    if not (folder / "node_modules" / "sequelize").is_dir():
        if shutil.which("npm") is None:
            pytest.skip("there is no npm")
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent",
                               "--ignore-scripts", "--prefix", folder, "mysql2@3",
                               "sequelize@6"], capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            pytest.skip("sequelize cannot be installed here")
    return lambda server, mode: run(["node", HERE / "node" / "steps.js", mode, server.port, "node"],
                                    scratch, NODE_PATH=str(folder / "node_modules"))


@pytest.mark.parametrize("mode", ["auto", "forced"])
def test_node(three, plain, node, mode):
    check_transcripts("node", three, plain, mode, node)


# --- SQLAlchemy -----------------------------------------------------------------

SMALL = ("InsertBehavior or JoinTest or LastrowidTest or HasTable or Quoted or Sequence or "
         "CompoundSelect or RowCount or IsolationLevel or LongNameBlowout")


def sqlalchemy(server, mode, scratch, only):
    """{test: its outcome} of SQLAlchemy's own suite for dialects; databases that refer to
    one another have one home."""
    result, count = scratch / f"sa-{mode}.xml", scratch / f"sa-{mode}.count"
    for name in "sa", "test_schema", "test_schema_2":
        if mode == "plain":
            server.sql(f"CREATE OR REPLACE DATABASE {name}")
        else:
            server.ctl("database create", name, "--home-shard", "shard-1")
    if mode != "plain":
        count.write_text("")
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=line",
             f"--junitxml={result}", "--dburi",
             f"mysql+pymysql://app:app@127.0.0.1:{server.port}/sa?charset=utf8mb4",
             "--confcutdir=.", "test_suite.py", *(["-k", only] if only else [])]
    more = {} if mode == "plain" else {"SHARDD_COUNT": str(count)}
    run(words, HERE / "sqlalchemy_suite", may_fail=True, PYTHONPATH=".", SHARDD_MODE=mode, **more)
    return outcomes(result), count.read_text().split("\n") if more else []


def outcomes(path):
    found = {}
    for case in xml.etree.ElementTree.parse(path).iter("testcase"):
        name = case.get("classname").split(".")[-1].split("_mariadb")[0] + "::" + case.get("name")
        worst = [c.tag for c in case if c.tag in ("failure", "error", "skipped")]
        if found.get(name, "passed") == "passed":
            found[name] = worst[0] if worst else "passed"
    return found


def check_sqlalchemy(three, plain, scratch, mode, only):
    theirs, _ = sqlalchemy(plain, "plain", scratch, only)
    shares = Shares(three)
    ours, tables = sqlalchemy(three, mode, scratch, only)
    sharded, many = shares.tell(f"SQLAlchemy, {mode}, tables with a primary key",
                                tables.count("sharded") + tables.count("other"),
                                tables.count("sharded"))
    print(f"{list(theirs.values()).count('passed')} tests pass on one server, "
          f"{list(ours.values()).count('passed')} through shardd; "
          f"{tables.count('no key')} tables have no primary key")
    three.fsck()
    for name in "sa", "test_schema", "test_schema_2":
        three.ctl("database drop", name)
    listed = {test for m, test in known("sqlalchemy") if m == mode}
    draws = {test for m, test in known("sqlalchemy") if m == "draw"}
    differ = {test for test in theirs if ours.get(test) != theirs[test]} - draws
    assert differ - listed == set()
    assert {t for t in listed if t in theirs} - differ == set(), "take them out of the list"
    return sharded, many


def test_sqlalchemy(three, plain, scratch):
    check_sqlalchemy(three, plain, scratch, "forced", SMALL)


@pytest.mark.long
@pytest.mark.parametrize("mode", ["auto", "forced"])
def test_whole_sqlalchemy(three, plain, scratch, mode):
    sharded, many = check_sqlalchemy(three, plain, scratch, mode, None)
    assert mode == "auto" or (sharded >= 0.6 and many >= 0.1)
