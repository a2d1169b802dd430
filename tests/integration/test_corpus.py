"""test_corpus.py - the statements of ../shared/corpus, where it is there: each must answer on three
shards what one server answers. What does not is listed, and counted: no fewer may pass.

Writes run in a transaction that is rolled back; what the tables hold behind each is compared.
"""
import collections
import json
import os
import pathlib
import zlib

import pymysql
import pytest

import testbed

CORPUS = pathlib.Path(os.environ.get("SHARDD_CORPUS",
                                     testbed.ROOT.parent.parent / "shared" / "corpus"))
FALLBACK = testbed.ROOT.parent / "shared" / "corpus"
PASS_AT_LEAST = 508
# Writes that give one row several values, by the CRC-32 of their text. Of the reads many have
# several right answers (columns beside groups, LIMIT inside, the order of GROUP_CONCAT ...).
AMBIGUOUS = {940699260}


def folder():
    return next((f for f in (CORPUS, FALLBACK) if (f / "queries.json").exists()), None)


pytestmark = pytest.mark.skipif(folder() is None, reason="the corpus is not there")


def schema():
    text = (folder() / "schema.sql").read_text()
    return [s for s in text.split(";\n") if s.strip()]


def with_key(create, keys):
    name = create.split("`")[1]
    kind = f"key({keys[name]})" if name in keys else "global"
    return f"{create} COMMENT 'shardd: {kind}'"


@pytest.fixture(scope="module")
def pair(gathering, plain):
    keys = json.loads((folder() / "keys.json").read_text())
    for sql in (gathering.sql, plain.sql):
        sql("DROP DATABASE IF EXISTS user")
        sql("CREATE DATABASE user CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
    both = testbed.Both(gathering, plain, "user")
    for statement in schema():
        text = statement.strip()
        one, other = (with_key(text, keys), text) if text.lower().startswith("create table") \
            else (text, text)
        for connection, said in zip(both.connections, (one, other)):
            with connection.cursor() as c:
                c.execute(said)
    yield both
    both.close()
    plain.sql("DROP DATABASE user")
    gathering.sql("DROP DATABASE user", db=None)


def answer(connection, sql):
    with connection.cursor() as c:
        try:
            c.execute(sql)
            rows = c.fetchall()
        except pymysql.err.MySQLError as e:
            return ("error", e.args[0], e.args[1])
        if c.description is not None:
            return ("rows", [d[0] for d in c.description], rows)
        return ("ok", c.rowcount, connection._result.message)


def content(connection, tables):
    found = {}
    with connection.cursor() as c:
        for t in tables:
            c.execute(f"SELECT * FROM `{t}`")
            found[t] = collections.Counter(c.fetchall())
    return found


def differs(sql, one, other):
    """What is wrong with `one`, or None."""
    if one[0] != other[0]:
        return f"{other[0]} became {one[0]}"
    if one[0] == "error":
        return None if one[1] == other[1] else "another error"
    if one[0] == "ok":
        return None if one == other else "other counts"
    if one[1] != other[1]:
        return "other columns"
    if "limit" in sql.lower() and len(one[2]) == len(other[2]):
        return None
    return None if collections.Counter(map(repr, one[2])) == \
        collections.Counter(map(repr, other[2])) else "other rows"


def tables_of(pair):
    with pair.connections[1].cursor() as c:
        c.execute("SHOW TABLES")
        return [r[0] for r in c.fetchall()]


def is_write(sql):
    return sql.lstrip("( ").split()[0].lower() not in (
        "select", "with", "values", "show", "desc", "describe", "explain", "do")


def run_one(pair, sql, tables):
    writes = is_write(sql)
    for c in (pair.connections[0], pair.connections[1]):
        c.begin()
    try:
        one, other = answer(pair.connections[0], sql), answer(pair.connections[1], sql)
        why = differs(sql, one, other)
        if why is None and writes and "limit" not in sql.lower() and \
                content(pair.connections[0], tables) != content(pair.connections[1], tables):
            why = "OTHER CONTENT"
        return (why, one, other)
    finally:
        for c in (pair.connections[0], pair.connections[1]):
            c.rollback()


def held_out():
    """Of the same kinds, and more of them: cases/held_out.sql."""
    path = pathlib.Path(__file__).parent / "cases" / "held_out.sql"
    return [line for line in path.read_text().splitlines() if line and not line.startswith("--")]


def test_held_out(pair, capsys):
    queries, failures = held_out(), failures_of(pair, held_out())
    tell(capsys, "held out", queries, failures)
    assert failures == []


def failures_of(pair, queries):
    tables, failures = tables_of(pair), []
    for sql in queries:
        why, one, other = run_one(pair, sql, tables)
        if why is not None:
            failures.append((sql, why, one, other))
    return failures


def tell(capsys, name, queries, failures):
    with capsys.disabled():
        print(f"\n{name}: {len(queries) - len(failures)} of {len(queries)} pass")
        for sql, why, one, other in failures:
            print(f"  {why}: {sql}\n    shardd {str(one)[:230]}\n    plain  {str(other)[:160]}")


def test_corpus(pair, capsys):
    queries  = json.loads((folder() / "queries.json").read_text())
    failures = failures_of(pair, queries)
    tell(capsys, "corpus", queries, failures)
    wrong = [(zlib.crc32(f[0].encode()), f[:2]) for f in failures
             if f[2][0] != "error" and is_write(f[0])]
    assert [w for w in wrong if w[0] not in AMBIGUOUS] == []
    assert len(queries) - len(failures) >= PASS_AT_LEAST
