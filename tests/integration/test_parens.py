"""test_parens.py - the parser takes together what a server takes together. A statement is written
anew with parentheses around every operator's expression, as its tree says: read again it is the
same tree, and a plain server gives the same answer."""
import json
import pathlib
import random
import subprocess

import pymysql
import pytest

import testbed

CORPUS = testbed.ROOT.parent.parent / "shared" / "corpus" / "queries.json"
MODES = {"PIPES_AS_CONCAT": 1, "HIGH_NOT_PRECEDENCE": 2}
BINARY = ["=", "<=>", "<>", "<", "<=", ">", ">=", "+", "-", "*", "/", "DIV", "MOD", "%", "|", "&",
          "^", "<<", ">>", "AND", "OR", "XOR", "&&", "||", "LIKE", "NOT LIKE", "REGEXP",
          "NOT REGEXP", "SOUNDS LIKE", "IS NOT DISTINCT FROM"]
BEFORE = ["-", "~", "NOT ", "!", "BINARY ", "+"]
BEHIND = [" IS NULL", " IS NOT NULL", " IS TRUE", " IS NOT FALSE", " IS UNKNOWN",
          " COLLATE utf8mb4_bin", " IN (1, 2)", " NOT IN (3, NULL)", " BETWEEN 1 AND 2",
          " BETWEEN 1 LIKE 1 AND 3", " NOT BETWEEN 0 AND 1", " LIKE '1%'",
          " NOT LIKE 'a' ESCAPE 'x'", " LIKE '1' ESCAPE 'y'", " LIKE 'b' ESCAPE 'x' || 'y'",
          " > ANY (SELECT 1)"]
VALUES = ["0", "1", "2", "3", "7", "NULL", "'1'", "'2a'", "0.5", "TRUE"]


class Tool:
    """parens_cli; made when nobody has."""

    def __init__(self):
        program = testbed.BUILD / "parens_cli"
        if not program.exists():
            subprocess.run(["make", "-C", testbed.ROOT, f"MODE={testbed.MODE}",
                            f"build/{testbed.MODE}/parens_cli"], check=True)
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)

    def __call__(self, sql, modes=0):
        """None: it is not in our grammar."""
        self.process.stdin.write(f"{modes:02x} {sql.encode().hex()}\n")
        self.process.stdin.flush()
        said = self.process.stdout.readline().strip()
        assert said != "other", f"with parentheses it is another tree: {sql}"
        return None if said == "unknown" else bytes.fromhex(said).decode()


@pytest.fixture(scope="module")
def tool():
    made = Tool()
    yield made
    made.process.stdin.close()
    made.process.wait()


def answer(cursor, sql):
    """Rows, or the error's number."""
    try:
        cursor.execute(sql)
        return sorted(map(repr, cursor.fetchall()))
    except pymysql.err.MySQLError as e:
        return e.args[0]


def soup(rng, depth):
    """Operators in any order, without parentheses, between values."""
    words = rng.choice(VALUES)
    for _ in range(rng.randint(1, depth)):
        words += f" {rng.choice(BINARY)} "
        words += "".join(rng.choice(BEFORE) for _ in range(rng.choice([0, 0, 0, 1, 2])))
        words += rng.choice(VALUES)
        words += "".join(rng.choice(BEHIND) for _ in range(rng.choice([0, 0, 0, 1, 1, 2, 3])))
    return words


def compare(cursor, tool, sql, modes=0):
    """1 when both were answered alike."""
    written = tool(sql, modes)
    before = answer(cursor, sql)
    if written is None:
        return 0
    if before == 1064:  # no server takes it, and what it means is open
        return 0
    after = answer(cursor, written)
    assert before == after, f"{sql}\n{written}"
    return int(isinstance(before, list))


def soups(plain, tool, count, seed):
    rng, answered = random.Random(seed), 0
    with plain.connect() as c, c.cursor() as cursor:
        for words, modes in [("", 0), *MODES.items(), (",".join(MODES), 3)]:
            cursor.execute(f"SET sql_mode = '{words}'")
            for _ in range(count):
                answered += compare(cursor, tool, "SELECT " + soup(rng, 6), modes)
    return answered


def test_operators(plain, tool):
    assert soups(plain, tool, 1500, seed=1) > 2000


@pytest.mark.long
def test_operators_at_length(plain, tool):
    assert soups(plain, tool, 100000, seed=2) > 150000


def test_statements_of_the_traps(plain, tool):
    """They are read, and read again they are the same."""
    for line in (pathlib.Path(__file__).parent / "cases" / "traps.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            sql = line.split(" | ", 1)[1]
            assert tool(sql) is not None, sql


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus is not here")
def test_corpus(plain, tool):
    queries, known = json.loads(CORPUS.read_text()), 0
    schema = (CORPUS.parent / "schema.sql").read_text()
    plain.sql("CREATE DATABASE parens")
    try:
        with plain.connect(db="parens", client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS) as c:
            with c.cursor() as cursor:
                cursor.execute(schema)
                while cursor.nextset():
                    pass
                for sql in queries:
                    cursor.execute("BEGIN")
                    known += tool(sql) is not None
                    compare(cursor, tool, sql)
                    cursor.execute("ROLLBACK")
    finally:
        plain.sql("DROP DATABASE parens")
    assert known >= len(queries) * 0.95
