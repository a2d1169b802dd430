"""answers.py - random statements on shardd and on a plain server must have the same answers.

    answers.py [--seed N] [--count N] [--shards N]

A case is some tables with random rows, and statements on them: SELECTs of every clause,
co-located joins, all DML. Rows compare in order where ORDER BY decides it, else as a bag;
floats to 1e-12; errors by code. Every fourth SELECT runs prepared as well, its literals as
parameters, and the rows compare byte by byte. What shardd refuses (error 1235) is counted. A
difference is shrunk to few rows and clauses and printed as statements to try by hand.
"""
import argparse
import math
import random
import re
import unicodedata
import zlib

import rawclient
import testbed

REFUSED = 1235

STRINGS = ["''", "'a'", "'A'", "'b'", "'á'", "'Ab'", "'ab '", "'ab'", "'z'", "'Zebra'", "'10'",
           "'2'", "'é'", "'a b'", "'%'", "'_x'", "'it''s'", "'😀'", "'zz\\tq'"]
# kind, definition, literals of its values
TYPES = [
    ("int", "INT", ["0", "1", "-1", "2", "3", "7", "10", "100", "2147483647", "-2147483648"]),
    ("int", "TINYINT", ["0", "1", "5", "-128", "127"]),
    ("int", "SMALLINT UNSIGNED", ["0", "1", "65535", "300"]),
    ("int", "BIGINT", ["0", "1", "2", "9000000000", "-9223372036854775808"]),
    ("int", "BIGINT UNSIGNED", ["0", "1", "18446744073709551615", "42"]),
    ("dec", "DECIMAL(12,3)", ["0", "1.5", "-1.5", "0.001", "123456789.123", "1.500", "99.999"]),
    ("dec", "DECIMAL(30,10)", ["0", "3.1415926535", "-0.0000000001", "12345678901234567890"]),
    ("float", "DOUBLE", ["0", "1.5", "-2.25", "1e10", "0.1", "1e-5"]),
    ("float", "FLOAT", ["0", "1.5", "-2.25", "0.25", "1024"]),
    ("ci", "VARCHAR(30)", STRINGS),
    ("ci", "CHAR(20)", STRINGS),
    ("ci", "VARCHAR(30) COLLATE utf8mb4_unicode_ci", STRINGS),
    ("str", "VARCHAR(30) COLLATE utf8mb4_bin", STRINGS),
    ("ci", "VARCHAR(30) CHARACTER SET latin1", [s for s in STRINGS if "😀" not in s]),
    ("ci", "TEXT", STRINGS),
    ("bin", "VARBINARY(20)", ["''", "'a'", "'A'", "x'00ff'", "x'00'", "'b'"]),
    ("bin", "BLOB", ["''", "'blob'", "x'ff00'", "'Blob'"]),
    ("date", "DATE", ["'2024-02-29'", "'1999-12-31'", "'2000-01-01'", "'2024-03-01'"]),
    ("datetime", "DATETIME(3)", ["'2024-02-29 12:30:00.5'", "'1999-12-31 23:59:59.999'",
                                 "'2000-01-01'"]),
    ("time", "TIME(2)", ["'00:00:00'", "'-10:00:00'", "'100:00:00.25'", "'23:59:59.99'"]),
    ("timestamp", "TIMESTAMP", ["'2024-02-29 12:30:00'", "'2001-09-09 01:46:40'"]),
    ("int", "YEAR", ["1970", "2024", "1999"]),
    ("enum", "ENUM('x','b','a')", ["'x'", "'b'", "'a'"]),
    ("enum", "SET('x','b','a')", ["'x'", "'b,a'", "''", "'x,b,a'"]),
    ("json", "JSON", ["'{}'", "'[1, 2]'", "'\"s\"'"]),
    ("uuid", "UUID", ["'123e4567-e89b-12d3-a456-426655440000'",
                      "'00000000-0000-0000-0000-000000000001'"]),
    ("inet6", "INET6", ["'::1'", "'ff::'", "'1::2'"]),
]
KEYS = [t for t in TYPES if t[1] in (
    "INT", "BIGINT", "BIGINT UNSIGNED", "VARCHAR(30)", "VARCHAR(30) COLLATE utf8mb4_bin",
    "VARCHAR(30) COLLATE utf8mb4_unicode_ci", "DATE", "DECIMAL(12,3)", "SMALLINT UNSIGNED",
    "VARBINARY(20)", "DATETIME(3)")]
NUMBERS = ("int", "dec", "float")


class Column:
    def __init__(self, name, type_, null):
        self.name, self.null = name, null
        self.kind, self.definition, self.values = type_

    def literal(self, rng):
        if self.null and rng.random() < 0.15:
            return "NULL"
        if self.kind == "int" and self.definition in ("INT", "BIGINT") and rng.random() < 0.6:
            return str(rng.randrange(0, 40))
        return rng.choice(self.values)

    def sql(self):
        return f"{self.name} {self.definition} {'NULL' if self.null else 'NOT NULL'}"


class Table:
    """Its first column is the sharding key."""

    def __init__(self, rng, name, key_type, kind):
        self.name, self.kind = name, kind
        self.columns = [Column("k", key_type, False)]
        self.two = rng.random() < 0.4
        if self.two:
            self.columns.append(Column("k2", TYPES[0], False))
        for i in range(rng.randrange(2, 7)):
            self.columns.append(Column(f"c{i}", rng.choice(TYPES), rng.random() < 0.7))
        self.primary = ["k", "k2"] if self.two else ["k"]
        self.unique = None
        if rng.random() < 0.3:
            ok = [c for c in self.columns[len(self.primary):]
                  if c.definition not in ("TEXT", "BLOB", "JSON")]
            if ok:
                self.unique = rng.choice(ok).name

    def create(self):
        parts = [c.sql() for c in self.columns]
        parts.append(f"PRIMARY KEY ({', '.join(self.primary)})")
        if self.unique:
            parts.append(f"UNIQUE KEY u (k, {self.unique})")
        comment = {"sharded": "key(k)", "reference": "reference", "global": "global"}[self.kind]
        return f"CREATE TABLE {self.name} ({', '.join(parts)}) COMMENT 'shardd: {comment}'"

    def row(self, rng):
        return "(" + ", ".join(c.literal(rng) for c in self.columns) + ")"


class Statement:
    """Clauses that can be taken out one by one. `ordered`: ORDER BY decides the order of all
    rows. `folded`: which of several equal texts is shown is the server's choice."""

    def __init__(self, clauses, *, ordered=False, folded=False, is_read=True):
        self.clauses, self.is_read = clauses, is_read
        self.ordered, self.folded = ordered, folded

    def sql(self):
        return " ".join(text for _, text in self.clauses)

    def simpler(self):
        """The same with one clause less, or with a part of a list or condition less."""
        for i, (name, text) in enumerate(self.clauses):
            less = None
            if name in ("where", "having", "distinct", "limit", "order", "upsert"):
                less = [self.clauses[:i] + self.clauses[i + 1:]]
                if name == "order":
                    less = [[c for c in self.clauses if c[0] not in ("order", "limit")]]
            elif name in ("items", "rows") and text.count(" ,, ") == 0:
                parts = split_list(text)
                less = [self.clauses[:i] + [(name, ", ".join(parts[:j] + parts[j + 1:]))]
                        + self.clauses[i + 1:] for j in range(len(parts)) if len(parts) > 1]
            for clauses in less or []:
                ordered = self.ordered and any(n == "order" for n, _ in clauses)
                yield Statement(clauses, ordered=ordered, folded=self.folded,
                                is_read=self.is_read)


def split_list(text):
    """At the commas outside of parentheses and quotes."""
    parts, depth, quote, start = [], 0, False, 0
    for i, ch in enumerate(text):
        if ch == "'":
            quote = not quote
        elif not quote and ch in "()":
            depth += 1 if ch == "(" else -1
        elif not quote and depth == 0 and ch == ",":
            parts.append(text[start:i].strip())
            start = i + 1
    return parts + [text[start:].strip()]


class Generator:
    def __init__(self, rng):
        self.rng = rng

    def chance(self, p):
        return self.rng.random() < p

    # --- expressions ----------------------------------------------------------

    def predicate(self, columns, depth=0):
        """`columns`: pairs of (qualified name, Column)."""
        rng = self.rng
        if depth < 2 and self.chance(0.35):
            left, right = (self.predicate(columns, depth + 1) for _ in "ab")
            return rng.choice([f"({left} AND {right})", f"({left} OR {right})", f"NOT {left}"])
        name, column = columns[0] if self.chance(0.3) else rng.choice(columns)
        other = rng.choice(columns)[1] if self.chance(0.12) else column
        value = other.literal(rng)
        form = rng.randrange(9)
        if form == 0:
            return f"{name} IS {rng.choice(['', 'NOT '])}NULL"
        if form == 1:
            return (f"{name} {rng.choice(['', 'NOT '])}IN ("
                    + ", ".join(column.literal(rng) for _ in range(rng.randrange(1, 4))) + ")")
        if form == 2:
            return f"{name} BETWEEN {value} AND {column.literal(rng)}"
        if form == 3 and column.kind in ("ci", "str"):
            return f"{name} LIKE {rng.choice(['%s', '%s', '%s']) % like(rng)}"
        if form == 4:
            return f"{name} <=> {value}"
        if form == 5 and column.kind in NUMBERS:
            return f"{name} + 1 > {value}"
        op = rng.choice(["=", "=", "=", "<", ">", "<=", ">=", "<>"])
        return f"{name} {op} {value}"

    def expression(self, columns):
        rng = self.rng
        name, column = rng.choice(columns)
        if self.chance(0.6):
            return name
        if column.kind in NUMBERS:
            return rng.choice([f"{name} % 7", f"ABS({name} / 2)", f"IFNULL({name}, -1)",
                               f"{name} IS NULL", f"COALESCE({name}, 0)", f"{name} > 1"])
        if column.kind in ("ci", "str"):
            return rng.choice([f"CONCAT({name}, '-')", f"UPPER({name})", f"LENGTH({name})",
                               f"SUBSTRING({name}, 1, 1)", f"IFNULL({name}, 'none')",
                               f"CASE WHEN {name} = 'a' THEN 1 ELSE 2 END"])
        if column.kind in ("date", "datetime", "timestamp"):
            return rng.choice([f"YEAR({name})", f"DATE_ADD({name}, INTERVAL 1 DAY)",
                               f"DATE_FORMAT({name}, '%Y %m')"])
        return rng.choice([f"HEX({name})", f"{name} IS NOT NULL", name])

    def aggregate(self, columns):
        rng = self.rng
        name, column = rng.choice(columns)
        if self.chance(0.04):
            return f"COUNT(DISTINCT {name})"
        forms = ["COUNT(*)", f"COUNT({name})", f"MIN({name})", f"MAX({name})"]
        if column.kind in NUMBERS:
            forms += [f"SUM({name})", f"AVG({name})", f"SUM({name} + 1)"] * 2
        return rng.choice(forms)

    # --- statements -------------------------------------------------------------

    def select(self, tables):
        rng = self.rng
        source, columns, keys, aliased = self.source(tables)
        clauses, ordered, folded = [("select", "SELECT")], False, False
        where = ("where", "WHERE " + self.predicate(columns)) if self.chance(0.7) else None
        form = rng.random()
        if form < 0.45:  # rows
            items = "*" if self.chance(0.15) and not aliased else ", ".join(
                self.expression(columns) for _ in range(rng.randrange(1, 5)))
            clauses += [("items", items), ("from", source)] + ([where] if where else [])
            if self.chance(0.6):
                order = [self.expression(columns) + rng.choice(["", " DESC"])
                         for _ in range(rng.randrange(0, 3))]
                clauses.append(("order", "ORDER BY " + ", ".join(order + keys)))
                ordered = True
                if self.chance(0.5):
                    clauses.append(("limit", self.limit()))
        elif form < 0.55:  # distinct
            items = [n for n, _ in rng.sample(columns, min(len(columns), rng.randrange(1, 3)))]
            clauses += [("distinct", "DISTINCT"), ("items", ", ".join(items)), ("from", source)]
            clauses += [where] if where else []
            folded = True
            if self.chance(0.5):
                clauses.append(("order", "ORDER BY " + ", ".join(items)))
                ordered = True
        else:  # aggregates
            groups = [n for n, _ in rng.sample(columns, min(len(columns), rng.randrange(0, 3)))]
            items = groups + [self.aggregate(columns) for _ in range(rng.randrange(1, 4))]
            clauses += [("items", ", ".join(items)), ("from", source)]
            clauses += [where] if where else []
            folded = True
            if groups:
                clauses.append(("group", "GROUP BY " + ", ".join(groups)))
                if self.chance(0.3):
                    clauses.append(("having", f"HAVING {self.aggregate(columns)} "
                                              f"{rng.choice(['>', '<=', '<>'])} 1"))
                if self.chance(0.5):
                    clauses.append(("order", "ORDER BY " + ", ".join(groups)))
                    ordered = True
                    if self.chance(0.5):
                        clauses.append(("limit", self.limit()))
        return Statement(clauses, ordered=ordered, folded=folded)

    def limit(self):
        n = self.rng.choice([0, 1, 2, 5, 100])
        return f"LIMIT {n}" + (f" OFFSET {self.rng.randrange(4)}" if self.chance(0.3) else "")

    def source(self, tables):
        """FROM ..., its columns, and what orders its rows for certain."""
        rng = self.rng
        table = rng.choice(tables)
        others = [t for t in tables if t is not table and t.kind != "global"]
        if table.kind == "global" or not others or self.chance(0.7):
            return (f"FROM {table.name}", [(c.name, c) for c in table.columns],
                    list(table.primary), False)
        other = rng.choice(others)
        join = rng.choice(["JOIN", "LEFT JOIN", "INNER JOIN"])
        if table.kind == "reference" and other.kind == "sharded":
            join = "JOIN"  # each shard alone cannot know that no shard has a match
        columns = [(f"a.{c.name}", c) for c in table.columns] + [
            (f"b.{c.name}", c) for c in other.columns]
        keys = [f"a.{c}" for c in table.primary] + [f"b.{c}" for c in other.primary]
        return f"FROM {table.name} a {join} {other.name} b ON a.k = b.k", columns, keys, True

    def dml(self, tables):
        rng = self.rng
        table = rng.choice(tables)
        columns = [(c.name, c) for c in table.columns]
        payload = table.columns[len(table.primary):]
        where = ("where", "WHERE " + self.predicate(columns))
        form = rng.random()
        if form < 0.45:
            rows = ", ".join(table.row(rng) for _ in range(rng.randrange(1, 5)))
            verb = rng.choice(["INSERT INTO", "INSERT INTO", "INSERT IGNORE INTO", "REPLACE INTO"])
            clauses = [("verb", f"{verb} {table.name} VALUES"), ("rows", rows)]
            if verb == "INSERT INTO" and self.chance(0.4):
                c = rng.choice(payload)
                clauses.append(("upsert", f"ON DUPLICATE KEY UPDATE {c.name} = "
                                + rng.choice([f"VALUES({c.name})", c.literal(rng)])))
        elif form < 0.8:
            sets = [f"{c.name} = {c.literal(rng)}" for c in rng.sample(payload, 1)]
            clauses = [("verb", f"UPDATE {table.name} SET"), ("items", ", ".join(sets)), where]
        else:
            clauses = [("verb", f"DELETE FROM {table.name}"), where]
        return Statement(clauses, is_read=False)

    def case(self, statements):
        rng = self.rng
        key_type = rng.choice(KEYS)
        tables = [Table(rng, f"t{i}", key_type, "sharded") for i in range(2)]
        tables.append(Table(rng, "r", key_type, rng.choice(["reference", "global"])))
        rows = [(t, [t.row(rng) for _ in range(rng.choice([0, 1, 3, 10, 25]))]) for t in tables]
        body = []
        for _ in range(statements):
            body.append(self.dml(tables) if self.chance(0.3) else self.select(tables))
        return Case(tables, rows, body)


def like(rng):
    return rng.choice(["'a%'", "'%b'", "'_'", "'%'", "'A_'", "'\\\\%'"])


class Case:
    def __init__(self, tables, rows, body):
        self.tables, self.rows, self.body = tables, rows, body

    def setup(self):
        for table, rows in self.rows:
            yield f"DROP TABLE IF EXISTS {table.name}"
            yield table.create()
            if rows:
                yield f"INSERT IGNORE INTO {table.name} VALUES {', '.join(rows)}"

    def without(self, *, rows=None, body=None):
        return Case(self.tables, self.rows if rows is None else rows,
                    self.body if body is None else body)


# --- comparing --------------------------------------------------------------


def fold(value):
    """Equal for texts that a collation without case and accents calls equal."""
    if isinstance(value, str):
        text = unicodedata.normalize("NFD", value.rstrip(" "))
        return "".join(c for c in text if not unicodedata.combining(c)).casefold()
    return value


def same_value(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-300)
    return type(a) is type(b) and a == b


def rounded(row):
    return [f"{v:.9g}" if isinstance(v, float) else repr(v) for v in row]


def described(answer):
    """Names, types and character sets. Which length of BLOB an expression has depends on how
    the server happens to run it."""
    blobs = (249, 250, 251, 252)
    return answer.columns and [(name, 252 if kind in blobs else kind, charset)
                               for name, kind, charset in answer.columns]


def difference(statement, ours, theirs):
    """None when they mean the same, else what differs."""
    if ours.error or theirs.error:
        if ours.error and theirs.error and ours.error[0] == theirs.error[0]:
            return None
        return f"error {ours.error} instead of {theirs.error}"
    if described(ours) != described(theirs):
        return f"columns {ours.columns} instead of {theirs.columns}"
    if statement.is_read is False and ours.affected != theirs.affected:
        return f"{ours.affected} rows affected instead of {theirs.affected}"
    left, right = ours.rows, theirs.rows
    if statement.folded:
        left, right = ([[fold(v) for v in r] for r in rows] for rows in (left, right))
    if not statement.ordered:
        left, right = sorted(left, key=rounded), sorted(right, key=rounded)
    if len(left) != len(right):
        return f"{len(left)} rows instead of {len(right)}:\n  {ours.rows}\n  {theirs.rows}"
    for a, b in zip(left, right):
        if not all(map(same_value, a, b)):
            return f"row {a} instead of {b}"
    return None


LITERAL = re.compile(r"(?<![\w'.])('(?:[^']|'')*'|-?\d+(?![\w.]))")
FLOATING = (4, 5)


def with_parameters(statement):
    """The statement with ? for what literals its WHERE has, and their values."""
    values = []

    def take(match):
        text = match.group(1)
        values.append(text[1:-1].replace("''", "'") if text[0] == "'" else int(text))
        if isinstance(values[-1], int) and not -(1 << 63) <= values[-1] < 1 << 63:
            values.pop()
            return text
        return "?"

    parts = [LITERAL.sub(take, text) if name == "where" and "\\" not in text else text
             for name, text in statement.clauses]
    return " ".join(parts), values


def prepared_answer(client, sql, values):
    """(names and types of the columns, rows) or the error's code."""
    try:
        statement, _, _ = client.prepare(sql)
        definitions, rows = client.execute(statement, values)
        client.close_statement(statement)
    except rawclient.ServerError as error:
        return error.code
    return [rawclient.column(d)["name"] for d in definitions], rows


class Campaign:
    def __init__(self, cluster, plain, db, seed):
        self.servers = cluster, plain
        self.db, self.seed = db, seed
        self.connections = [s.connect(db=db) for s in self.servers]
        self.raw = [rawclient.RawClient(s.port).login(db=db) for s in self.servers]
        self.ran = self.refused = 0
        self.why = {}

    def close(self):
        for c in self.connections + self.raw:
            c.close()

    def ask(self, sql):
        return [testbed.Answer(c, sql) for c in self.connections]

    def run_case(self, case, count=True):
        """(index of the statement that differs, how), or None. What shardd refuses is undone
        on the plain server by asking shardd first."""
        for sql in case.setup():
            ours, theirs = self.ask(sql)
            if bool(ours.error) != bool(theirs.error):
                return -1, f"{sql}: {ours.error} instead of {theirs.error}"
        for i, statement in enumerate(case.body):
            sql = statement.sql()
            ours = testbed.Answer(self.connections[0], sql)
            if count:
                self.ran += 1
            if ours.error and ours.error[0] == REFUSED:
                if count:
                    self.refused += 1
                    self.why[ours.error[1]] = self.why.get(ours.error[1], 0) + 1
                continue
            how = difference(statement, ours, testbed.Answer(self.connections[1], sql))
            if how is None and not statement.is_read:
                how = self.compare_tables(case)
            elif how is None and ours.rows is not None and zlib.crc32(sql.encode()) % 4 == 0:
                how = self.compare_prepared(statement, ours)
            if how:
                return i, how
        return None

    def compare_prepared(self, statement, ours):
        if statement.folded or any(c[1] in FLOATING for c in ours.columns):
            return None
        sql, values = with_parameters(statement)
        mine, other = (prepared_answer(c, sql, values) for c in self.raw)
        if mine == REFUSED:
            return None
        if not statement.ordered and not isinstance(mine, int) and not isinstance(other, int):
            mine, other = ((a[0], sorted(a[1])) for a in (mine, other))
        return None if mine == other else f"prepared, {sql} {values}: {mine} instead of {other}"

    def compare_tables(self, case):
        for table in case.tables:
            whole = Statement([("all", f"SELECT * FROM {table.name} ORDER BY "
                                + ", ".join(table.primary))], ordered=True)
            how = difference(whole, *self.ask(whole.sql()))
            if how:
                return f"afterwards {table.name}: {how}"
        return None

    def shrink(self, case, index, budget=200):
        """A smaller case that still differs in its last statement."""
        last = case.body[index] if index >= 0 else None
        case = case.without(body=case.body[:index + 1])

        def fails(candidate):
            nonlocal budget
            budget -= 1
            found = budget > 0 and self.run_case(candidate, count=False)
            return bool(found) and found[0] == len(candidate.body) - 1

        for i in range(len(case.body) - 2, -1, -1):
            smaller = case.without(body=case.body[:i] + case.body[i + 1:])
            case = smaller if fails(smaller) else case
        for t, (table, rows) in enumerate(case.rows):
            step = max(1, len(rows) // 2)
            while step and rows:
                for start in range(0, len(rows), step):
                    fewer = rows[:start] + rows[start + step:]
                    smaller = case.without(
                        rows=case.rows[:t] + [(table, fewer)] + case.rows[t + 1:])
                    if fails(smaller):
                        case, rows = smaller, fewer
                        break
                else:
                    step //= 2
        progress = last is not None
        while progress:
            progress = False
            for simpler in case.body[-1].simpler():
                smaller = case.without(body=case.body[:-1] + [simpler])
                if fails(smaller):
                    case, progress = smaller, True
                    break
        return case

    def run(self, count, per_case=40):
        """Runs `count` statements; a text that describes the first difference, or None."""
        number = 0
        while self.ran < count:
            rng = random.Random(f"{self.seed}/{number}")
            case = Generator(rng).case(min(per_case, count - self.ran))
            found = self.run_case(case)
            if found:
                small = self.shrink(case, found[0])
                how = self.run_case(small, count=False) or found
                script = [*small.setup(), *(s.sql() for s in small.body)]
                return (f"seed {self.seed}, case {number}, statement {found[0]}:\n"
                        + "\n".join(s + ";" for s in script) + f"\n-> {how[1]}")
            number += 1
        return None

    def summary(self):
        share = 100 * self.refused / max(1, self.ran)
        return (f"answers: {self.ran} statements, {self.refused} refused ({share:.1f} %),"
                f" seed {self.seed}")


def main():
    import pathlib
    import sys
    import tempfile
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--shards", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="shardd-answers-") as folder:
        plain = testbed.Server(pathlib.Path(folder) / "plain")
        cluster = testbed.Cluster(pathlib.Path(folder) / "c", shards=options.shards)
        try:
            plain.sql("CREATE DATABASE app")
            campaign = Campaign(cluster, plain, "app", options.seed)
            failure = campaign.run(options.count)
            print(campaign.summary())
            for why, n in sorted(campaign.why.items(), key=lambda w: -w[1])[:20]:
                print(f"{n:6} {why}")
            campaign.close()
            if failure:
                print(failure)
                sys.exit(1)
            cluster.fsck()
        finally:
            cluster.down()
            plain.stop()


if __name__ == "__main__":
    main()
