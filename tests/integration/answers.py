"""answers.py - random statements on shardd and on a plain server must have the same answers.

    answers.py [--seed N] [--count N] [--shards N] [--wide SHARE] [--odd SHARE] [--meets SHARE]

A case is some tables with random rows, and statements on them: SELECTs of every clause, joins,
all DML, transactions with savepoints; views stand for some of the tables; every other case is on
connections with CLIENT_FOUND_ROWS. Rows compare in order where ORDER BY decides it, else as a bag;
floats to 1e-12; errors by code; of an INSERT also the id and the warnings. Every fourth SELECT
runs prepared as well, its literals as parameters, and the rows compare byte by byte; in some cases
all DML is prepared. What shardd refuses (error 1235) is counted. A difference is shrunk to few
rows and clauses and printed as statements to try by hand.
"""
import argparse
import math
import random
import re
import unicodedata
import zlib

import pymysql
from pymysql.constants import CLIENT

import rawclient
import testbed
import answers_odd
from answers_meet import Meet
from answers_more import More
from answers_odd import Odd
from answers_wide import Wide

REFUSED = 1235
TIMEOUT = 1969
PATIENCE_S = testbed.PATIENCE_S / 3
IN_TRANSACTION = 1  # SERVER_STATUS_IN_TRANS

STRINGS = ["''", "'a'", "'A'", "'b'", "'á'", "'Ab'", "'ab '", "'ab'", "'z'", "'Zebra'", "'10'",
           "'2'", "'é'", "'a b'", "'%'", "'_x'", "'it''s'", "'😀'", "'zz\\tq'"]
# kind, definition, literals of its values
TYPES = [
    ("int", "INT", ["0", "1", "-1", "2", "3", "7", "10", "100", "2147483647", "-2147483648"]),
    ("int", "TINYINT", ["0", "1", "5", "-128", "127"]),
    ("int", "SMALLINT UNSIGNED", ["0", "1", "65535", "300"]),
    ("int", "BIGINT", ["0", "1", "2", "9000000000", "-9223372036854775808"]),
    ("int", "BIGINT UNSIGNED", ["0", "1", "18446744073709551615", "42"]),
    ("int", "MEDIUMINT UNSIGNED ZEROFILL", ["0", "7", "16777215", "42"]),
    ("bit", "BIT(9)", ["b'0'", "b'101'", "b'111111111'"]),
    ("dec", "DECIMAL(12,3)", ["0", "1.5", "-1.5", "0.001", "123456789.123", "1.500", "99.999"]),
    ("dec", "DECIMAL(30,10)", ["0", "3.1415926535", "-0.0000000001", "12345678901234567890"]),
    # Not 1e-5: with an index (k, k2) and k a DECIMAL(12,3) a server looks 0.000 up for it.
    ("float", "DOUBLE", ["0", "1.5", "-2.25", "1e10", "0.1", "1e-3"]),
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
LATIN = [s for s in STRINGS if "😀" not in s]
ASCII = [s for s in STRINGS if s.isascii()]
KEYS = [t for t in TYPES if t[1] not in ("TEXT", "BLOB", "JSON", "BIT(9)", "FLOAT", "DOUBLE",
                                         "ENUM('x','b','a')",
                                         "SET('x','b','a')", "TIMESTAMP")]
KEYS += [("str" if "_bin" in how else "ci", f"VARCHAR(30) {how}", values) for how, values in [
    ("COLLATE utf8mb4_general_nopad_ci", STRINGS), ("COLLATE utf8mb4_nopad_bin", STRINGS),
    ("COLLATE utf8mb4_unicode_520_ci", STRINGS), ("COLLATE utf8mb4_unicode_nopad_ci", STRINGS),
    ("CHARACTER SET utf8mb3", LATIN), ("CHARACTER SET utf8mb3 COLLATE utf8mb3_unicode_ci", LATIN),
    ("CHARACTER SET utf8mb3 COLLATE utf8mb3_bin", LATIN),
    ("CHARACTER SET latin1 COLLATE latin1_bin", LATIN),
    ("CHARACTER SET ascii", ASCII), ("CHARACTER SET ascii COLLATE ascii_bin", ASCII)]]
NUMBERS = ("int", "dec", "float")


class Column:
    odd = 0         # how often a literal of it is one from answers_odd
    default = None  # a literal
    invisible = ""

    def __init__(self, name, type_, null):
        self.name, self.null = name, null
        self.kind, self.definition, self.values = type_

    def literal(self, rng):
        if self.odd and rng.random() < self.odd:
            return answers_odd.odd_literal(rng, self)
        if self.null and rng.random() < 0.15:
            return "NULL"
        if self.kind == "int" and self.definition in ("INT", "BIGINT") and rng.random() < 0.6:
            return str(rng.randrange(0, 40))
        return rng.choice(self.values)

    def sql(self):
        default = "" if self.default is None else f" DEFAULT {self.default}"
        return (f"{self.name} {self.definition} {'NULL' if self.null else 'NOT NULL'}{default}"
                f"{self.invisible}")

    def hide(self, rng):
        """`*` does not mean it; it wants a value for rows that have none. A server tells '?' for
        letters beyond U+FFFF in a default, and so would a copy of the table have it."""
        plain = [v for v in self.values if all(ord(letter) < 0x10000 for letter in str(v))]
        if self.definition not in ("TEXT", "BLOB", "JSON") and plain:
            self.default, self.invisible = rng.choice(plain), " INVISIBLE"


class Table:
    """Its first column is the sharding key."""

    def __init__(self, rng, name, key_type, kind, types=TYPES):
        self.name, self.kind = name, kind
        self.columns = [Column("k", key_type, False)]
        self.columns[0].kind_of_table = kind
        self.two = rng.random() < 0.4
        if self.two:
            self.columns.append(Column("k2", TYPES[0], False))
        for i in range(rng.randrange(2, 7)):
            self.columns.append(Column(f"c{i}", rng.choice(types), rng.random() < 0.7))
        self.primary = ["k", "k2"] if self.two else ["k"]
        self.unique = None
        if rng.random() < 0.3:
            ok = [c for c in self.columns[len(self.primary):]
                  if c.definition not in ("TEXT", "BLOB", "JSON")]
            if ok:
                self.unique = rng.choice(ok).name

    @property
    def names(self):
        return ", ".join(c.name for c in self.columns)

    @property
    def into(self):
        """As the target of rows that have all columns."""
        hidden = any(c.invisible for c in self.columns)
        return f"{self.name} ({self.names})" if hidden else self.name

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
    rows. `folded`: which of several equal texts is shown is the server's choice. `counted`: so
    is which rows are."""

    def __init__(self, clauses, *, ordered=False, folded=False, is_read=True, counted=False):
        self.clauses, self.is_read = clauses, is_read
        self.ordered, self.folded = ordered, folded
        self.counted = counted

    def sql(self):
        return " ".join(text for _, text in self.clauses)

    def simpler(self):
        """The same with one clause less, or with a part of a list or condition less."""
        for i, (name, text) in enumerate(self.clauses):
            less = None
            if name in ("where", "having", "distinct", "limit", "order", "upsert", "lock"):
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
                                is_read=self.is_read, counted=self.counted)


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


class Generator(Wide, More, Odd, Meet):
    """`wide`: the share of the SELECTs that one shard cannot do. `oddness`: that of the cases
    whose values are odd. `meets`: of the statements that are of answers_meet.py. `unseen`: of the
    tables with an invisible column; where it is not 0 there is also what `*` may hide, and
    aggregate functions of a subquery that are of the rows around it."""

    def __init__(self, rng, wide=0.0, oddness=0.0, meets=0.0, unseen=0.0):
        self.rng, self.share, self.oddness, self.meets = rng, wide, oddness, meets
        self.unseen = unseen

    statement = staticmethod(Statement)

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
        other = rng.choice(columns)[1] if not self.strict and self.chance(0.12) else column
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
            return f"{name} + {step(column)} > {value}"
        if form == 6 and not self.strict and self.chance(0.5):
            return self.function_test(columns)
        op = rng.choice(["=", "=", "=", "<", ">", "<=", ">=", "<>"])
        return f"{name} {op} {value}"

    def expression(self, columns):
        rng = self.rng
        name, column = rng.choice(columns)
        if self.chance(0.5):
            return name
        if self.chance(0.5):
            return self.function(name, column)
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
            forms += [f"SUM({name})", f"AVG({name})", f"SUM({name} + {step(column)})"] * 2
        if self.unseen and self.chance(0.1):  # of no rows COUNT is NULL where tables are of Aria
            return f"(SELECT {rng.choice([f for f in forms if not f.startswith('COUNT')])})"
        return rng.choice(forms)

    # --- statements -------------------------------------------------------------

    def select(self, tables):
        rng = self.rng
        if self.chance(self.share):
            return self.wide(tables)
        source, columns, keys, aliased = self.source(tables)
        clauses, ordered, folded = [("select", "SELECT")], False, False
        where = ("where", "WHERE " + self.predicate(columns)) if self.chance(0.7) else None
        form = rng.random()
        if form < 0.45:  # rows
            items = "*" if self.chance(0.15) and not aliased else ", ".join(
                self.expression(columns) for _ in range(rng.randrange(1, 5)))
            if self.chance(0.04) and not aliased and columns[0][1].kind_of_table != "global":
                where = ("where", "WHERE " + self.subquery(tables, columns))
            clauses += [("items", items), ("from", source)] + ([where] if where else [])
            if self.chance(0.08):
                clauses.append(("limit", self.limit()))
                return Statement(clauses, counted=True)
            if self.chance(0.08) and items != "*":
                name = rng.choice(["x", "c0", "k"])
                clauses[1] = ("select_as", self.expression(columns) + f" AS {name}, {keys[0]} AS y")
                clauses.append(("order", f"ORDER BY {rng.choice(['1', name])}, "
                                + ", ".join(keys)))
                return Statement(clauses, ordered=name != "k")
            if self.chance(0.6):
                order = [self.expression(columns) + rng.choice(["", " DESC"])
                         for _ in range(rng.randrange(0, 3))]
                clauses.append(("order", "ORDER BY " + ", ".join(order + keys)))
                ordered = True
                if self.chance(0.5):
                    clauses.append(("limit", self.limit()))
        elif form < 0.55:  # distinct
            items = [n for n, _ in rng.sample(columns, min(len(columns), rng.randrange(1, 3)))]
            if self.unseen and not aliased and self.chance(0.4):
                items = ["*"]
            clauses += [("distinct", "DISTINCT"), ("items", ", ".join(items)), ("from", source)]
            clauses += [where] if where else []
            folded = True
            if items != ["*"] and self.chance(0.5):
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
                    # Whether MIN() of an ENUM is its text or its number for a comparison depends on
                    # how the server groups.
                    numbers = [c for c in columns if c[1].kind in NUMBERS]
                    others = [c for c in columns if c[1].kind != "enum"]
                    what = self.aggregate(numbers if numbers and self.chance(0.9) else others)
                    clauses.append(("having", f"HAVING {what} {rng.choice(['>', '<=', '<>'])} 1"))
                if self.chance(0.5):
                    clauses.append(("order", "ORDER BY " + ", ".join(groups)))
                    ordered = True
                    if self.chance(0.5):
                        clauses.append(("limit", self.limit()))
                elif self.chance(0.3):
                    clauses.append(("order", "ORDER BY COUNT(*) DESC, " + ", ".join(groups)))
                    ordered = True
        if self.chance(0.04):
            clauses.append(("lock", rng.choice(["FOR UPDATE", "LOCK IN SHARE MODE"])))
        return Statement(clauses, ordered=ordered, folded=folded)

    def subquery(self, tables, columns):
        """A condition by another table's rows of the same key, or by the same table's."""
        rng = self.rng
        other = rng.choice([t for t in tables if t.kind != "global"])
        inner = self.predicate([(f"q.{c.name}", c) for c in other.columns])
        no = rng.choice(["", "NOT "])
        key = columns[0][0]
        return rng.choice([f"{key} {no}IN (SELECT q.k FROM {other.name} q WHERE {inner})",
                           f"{key} = (SELECT MAX(q.k) FROM {other.name} q WHERE q.k = "
                           f"{columns[0][1].literal(rng)})"])

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
        more = ""
        third = [t for t in others if t is not other and t.kind != "global"]
        if third and self.chance(0.2):
            more = f" {'JOIN' if join == 'JOIN' else 'LEFT JOIN'} {third[0].name} c ON b.k = c.k"
            columns += [(f"c.{c.name}", c) for c in third[0].columns]
            keys += [f"c.{c}" for c in third[0].primary]
        return f"FROM {table.name} a {join} {other.name} b ON a.k = b.k{more}", columns, keys, True

    def dml(self, tables):
        rng = self.rng
        if self.chance(self.share / 2):
            return self.wide_dml(tables)
        table = rng.choice(tables)
        columns = [(c.name, c) for c in table.columns]
        payload = table.columns[len(table.primary):]
        where = ("where", "WHERE " + self.predicate(columns))
        form = rng.random()
        if form < 0.45:
            rows = ", ".join(table.row(rng) for _ in range(rng.randrange(1, 5)))
            verb = rng.choice(["INSERT INTO", "INSERT INTO", "INSERT IGNORE INTO", "REPLACE INTO"])
            clauses = [("verb", f"{verb} {table.into} VALUES"), ("rows", rows)]
            if verb == "INSERT INTO" and self.chance(0.4):
                c = rng.choice(payload)
                clauses.append(("upsert", f"ON DUPLICATE KEY UPDATE {c.name} = "
                                + rng.choice([f"VALUES({c.name})", c.literal(rng)])))
        elif form < 0.8:
            sets = [self.assignment(c, payload) for c in rng.sample(payload, 1)]
            if self.chance(0.1) and table.two:
                sets = [f"k2 = {rng.choice(['k2 + 100', '5', 'k2'])}"]
            clauses = [("verb", f"UPDATE {table.name} SET"), ("items", ", ".join(sets)), where]
        else:
            clauses = [("verb", f"DELETE FROM {table.name}"), where]
        if form >= 0.45 and table.kind != "reference" and self.chance(0.1):
            clauses[-1] = ("where", f"WHERE k = {table.columns[0].literal(rng)}")
            clauses += [("order", "ORDER BY " + ", ".join(table.primary)), ("limit", "LIMIT 1")]
        return Statement(clauses, is_read=False)

    def assignment(self, column, payload):
        same = [c for c in payload if c.definition == column.definition and
                (column.null or not c.null)]
        if column.kind in ("dec", "float") and self.chance(0.3):
            return f"{column.name} = {column.name} * 0.5"
        if self.chance(0.2):
            return f"{column.name} = {self.rng.choice(same).name}"
        return f"{column.name} = {column.literal(self.rng)}"

    def transaction(self):
        """What begins, marks or ends one."""
        sql = self.rng.choice(["BEGIN", "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT s",
                               "ROLLBACK TO s", "SAVEPOINT s", "START TRANSACTION READ ONLY"])
        return Statement([("verb", sql)], is_read=False)

    def case(self, statements):
        rng = self.rng
        odd = self.oddness > 0 and self.chance(self.oddness)
        types = TYPES + answers_odd.TYPES if odd else TYPES
        key_type = rng.choice(KEYS + answers_odd.KEYS if odd else KEYS)
        tables = [Table(rng, f"t{i}", key_type, "sharded", types) for i in range(2)]
        tables.append(Table(rng, "r", key_type, rng.choice(["reference", "global"]), types))
        for table in tables if self.unseen else []:
            if self.chance(self.unseen):
                rng.choice(table.columns).hide(rng)
        if odd:
            self.odd_case(tables)
        rows = [(t, [t.row(rng) for _ in range(rng.choice([0, 1, 3, 10, 25]))]) for t in tables]
        views = [self.view(t) for t in tables if self.chance(self.share / 2)]
        body = []
        style = rng.choice(["autocommit", "transactions", "prepared"])
        for _ in range(statements):
            if style == "transactions" and self.chance(0.15):
                body.append(self.transaction())
            elif self.odd and self.chance(0.6):
                body.append(self.odd_statement(tables))
            elif self.meets > 0 and self.chance(self.meets):
                body.append(self.meeting_dml(tables))
            else:
                body.append(self.dml(tables) if self.chance(0.3) else self.select(tables))
        return Case(tables, rows, body, found_rows=self.chance(0.5),
                    prepared=style == "prepared", views=views, mode=self.mode)


def step(column):
    """Whether a sum that is out of range is computed at all is the server's choice."""
    return 0.5 if "BIGINT" in column.definition else 1


def like(rng):
    return rng.choice(["'a%'", "'%b'", "'_'", "'%'", "'A_'", "'\\\\%'"])


class Case:
    """`found_rows`: on connections with CLIENT_FOUND_ROWS. `prepared`: its DML is."""

    def __init__(self, tables, rows, body, found_rows=False, prepared=False, views=(),
                 mode=answers_odd.USUAL):
        self.tables, self.rows, self.body, self.mode = tables, rows, body, mode
        self.found_rows, self.prepared, self.views = found_rows, prepared, views

    def setup(self):
        for view in self.views:  # the case before may have left one that cannot be made now
            yield f"DROP VIEW IF EXISTS {view.split()[4]}"
        for table, rows in self.rows:
            yield f"DROP TABLE IF EXISTS {table.name}"
            yield table.create()
            if rows:
                yield f"INSERT IGNORE INTO {table.into} VALUES {', '.join(rows)}"
        yield from self.views

    def without(self, *, rows=None, body=None):
        return Case(self.tables, self.rows if rows is None else rows,
                    self.body if body is None else body, self.found_rows, self.prepared,
                    self.views, self.mode)


# --- comparing --------------------------------------------------------------


def fold(value):
    """Equal for texts that a collation without case, accents and NULs calls equal."""
    if isinstance(value, str):
        text = unicodedata.normalize("NFD", value.replace("\0", "").rstrip(" "))
        return "".join(c for c in text if not unicodedata.combining(c)).casefold()
    return value


def same_value(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-300)
    return type(a) is type(b) and a == b


def bits(value):
    """Of BIT(9). MIN() of it is bytes where the server groups in a table, else text."""
    if isinstance(value, bytes) and value.isdigit():
        return int(value)
    return int.from_bytes(value, "big") if isinstance(value, bytes) else value


def rounded(row):
    return [f"{v:.9g}" if isinstance(v, float) else repr(v) for v in row]


def described(answer):
    """Names, types and character sets. Which length of BLOB an expression has, and whether an
    aggregate of an ENUM is CHAR or VARCHAR, depends on how the server happens to run it."""
    same = {249: 252, 250: 252, 251: 252, 254: 253}
    return answer.columns and [(name, same.get(kind, kind), charset)
                               for name, kind, charset in answer.columns]


# Of several rows whose values cannot be read, which one a write meets first is left open.
VALUE_ERRORS = {1264, 1292, 1300, 1366, 1406}
ODD_ERRORS = {1690, 1048, 1062, 1253, 1267, 1265, 4025, 4078}


def same_error(ours, theirs, is_read, odd=False):
    either = VALUE_ERRORS | ODD_ERRORS if odd else VALUE_ERRORS
    return ours == theirs or (not is_read and {ours, theirs} <= either)


def difference(statement, ours, theirs, odd=False):
    """None when they mean the same, else what differs. `odd`: warnings are not looked at, which
    both the engine and a shard may give."""
    if ours.error or theirs.error:
        if ours.error and theirs.error and same_error(ours.error[0], theirs.error[0],
                                                      statement.is_read, odd):
            return None
        return f"error {ours.error} instead of {theirs.error}"
    if described(ours) != described(theirs):
        return f"columns {ours.columns} instead of {theirs.columns}"
    if statement.is_read is False and ours.affected != theirs.affected:
        return f"{ours.affected} rows affected instead of {theirs.affected}"
    inserts = statement.clauses[0][1].startswith("INSERT")
    if inserts and not odd and (ours.insert_id, ours.warnings) != (
            theirs.insert_id, theirs.warnings):
        return (f"id {ours.insert_id}, warnings {ours.warnings} instead of "
                f"{theirs.insert_id}, {theirs.warnings}")
    if statement.counted:
        return None if len(ours.rows) == len(theirs.rows) else (
            f"{len(ours.rows)} rows instead of {len(theirs.rows)}")
    left, right = ours.rows, theirs.rows
    if statement.folded:
        left, right = ([[bits(v) if c[1] == BIT else fold(v) for v, c in zip(r, ours.columns)]
                        for r in rows] for rows in (left, right))
    if not statement.ordered:
        left, right = sorted(left, key=rounded), sorted(right, key=rounded)
    if len(left) != len(right):
        return f"{len(left)} rows instead of {len(right)}:\n  {ours.rows}\n  {theirs.rows}"
    for a, b in zip(left, right):
        if not all(map(same_value, a, b)):
            return f"row {a} instead of {b}"
    return None


LITERAL = re.compile(r"(\w+'(?:[^']|'')*')|(?<![\w'.])('(?:[^']|'')*'|-?\d+(?![\w.]))")
FLOATING = (4, 5)
BIT = 16


def with_parameters(statement, odd=None, strict=False):
    """The statement with ? for what literals its WHERE and its rows have, and their values. `odd`:
    chooses other types for them, but not for those in the conditions of `strict` writes."""
    values = []
    usual = strict and not statement.is_read and all(n != "rows" for n, _ in statement.clauses)

    def take(match):
        text = match.group(2)
        if text is None:  # behind an introducer
            return match.group(1)
        values.append(text[1:-1].replace("''", "'") if text[0] == "'" else int(text))
        if isinstance(values[-1], int) and not -(1 << 63) <= values[-1] < 1 << 63:
            values.pop()
            return text
        if odd is not None and not usual:
            values[-1] = answers_odd.odd_parameter(odd, values[-1])
        return "?"

    parts = [LITERAL.sub(take, text) if name in ("where", "rows") and "\\" not in text else text
             for name, text in statement.clauses]
    return " ".join(parts), values


def prepared_answer(client, sql, values):
    """(names of the columns, rows), the number of rows affected, or the error as the exception
    that tells it."""
    try:
        statement, _, _ = client.prepare(sql)
        definitions, rows = client.execute(statement, values)
        client.close_statement(statement)
    except rawclient.ServerError as error:
        return error
    if definitions is None:
        return rawclient.read_lenenc(rows, 1)[0]
    return [rawclient.column(d)["name"] for d in definitions], rows


def prepared_difference(mine, other, ordered, is_read=True, odd=False):
    if isinstance(mine, Exception) and isinstance(other, Exception):
        return not same_error(mine.code, other.code, is_read, odd)
    if not ordered and isinstance(mine, tuple) and isinstance(other, tuple):
        mine, other = ((a[0], sorted(a[1])) for a in (mine, other))
    return mine != other


class Campaign:
    def __init__(self, cluster, plain, db, seed, wide=0.0, oddness=0.0, meets=0.0, unseen=0.0):
        self.servers, self.wide, self.oddness = (cluster, plain), wide, oddness
        self.meets, self.unseen = meets, unseen
        self.mode = None
        self.db, self.seed = db, seed
        self.pairs = {found: ([s.connect(db=db, client_flag=CLIENT.FOUND_ROWS if found else 0)
                               for s in self.servers],
                              [rawclient.RawClient(s.port).login(
                                  db=db, more=rawclient.FOUND_ROWS if found else 0)
                               for s in self.servers]) for found in (False, True)}
        for connections, _ in self.pairs.values():  # INTERSECT ALL ... EXCEPT ALL may loop,
            for connection in connections:          # also on the engine
                testbed.Answer(connection, f"SET max_statement_time = {PATIENCE_S}")
        self.connections, self.raw = self.pairs[False]
        self.ran = self.refused = 0
        self.indexed = 0  # answers of a plain server that depend on its indexes
        self.why = {}

    def close(self):
        for connections, raw in self.pairs.values():
            for c in connections + raw:
                c.close()

    def ask(self, sql):
        return [testbed.Answer(c, sql) for c in self.connections]

    def run_case(self, case, count=True):
        """(index of the statement that differs, how), or None. What shardd refuses is undone
        on the plain server by asking shardd first."""
        for one in self.ask("ROLLBACK"):  # the case before may have left a transaction open
            assert one.error is None, one.error
        self.connections, self.raw = self.pairs[case.found_rows]
        self.ask("ROLLBACK")
        self.set_mode(case.mode)
        for sql in case.setup():
            ours, theirs = self.ask(sql)
            if bool(ours.error) != bool(theirs.error):
                return -1, f"{sql}: {ours.error} instead of {theirs.error}"
        for i, statement in enumerate(case.body):
            if count:
                self.ran += 1
            by_index = self.indexed
            if case.prepared and not statement.is_read:
                refused, how = self.run_prepared(statement)
            else:
                refused, how, ours = self.run_text(statement)
            if refused:
                if count:
                    self.refused += 1
                    self.why[refused] = self.why.get(refused, 0) + 1
                continue
            sql = statement.sql()
            if self.indexed != by_index:
                continue
            if how is None and not statement.is_read:
                how = self.compare_tables(case)
            elif how is None and ours.rows is not None and zlib.crc32(sql.encode()) % 4 == 0:
                how = self.compare_prepared(statement, ours)
            if how:
                return i, how
        return None

    def set_mode(self, mode):
        """The sql_mode, and two user variables."""
        self.mode = mode
        if self.oddness == 0:
            return
        sql = f"SET sql_mode = '{mode}', @v = 1, @w = 'a'"
        for one in self.ask(sql):
            assert one.error is None, one.error
        for raw in self.raw:
            raw.query(sql)

    def run_text(self, statement):
        """Why it is refused, how it differs, the answer."""
        sql = statement.sql()
        ours = testbed.Answer(self.connections[0], sql)
        if ours.error and ours.error[0] == REFUSED:
            return ours.error[1], None, ours
        theirs = testbed.Answer(self.connections[1], sql)
        if statement.is_read and theirs.error and theirs.error[0] == TIMEOUT:
            return "the plain server does not come to an end", None, ours
        how = difference(statement, ours, theirs, self.oddness > 0)
        if how and statement.is_read and self.oddness > 0:
            without = self.without_indexes(sql)
            if not difference(statement, ours, without, True):
                self.indexed += 1
                how = None
        return None, how, ours

    def without_indexes(self, sql):
        """The plain server's answer to a SELECT where tables have no index; ends transactions."""
        self.ask("COMMIT")
        copy, run = f"{self.db}_copy", self.servers[1].sql
        run(f"CREATE OR REPLACE DATABASE {copy}")
        for function in answers_odd.FUNCTIONS:
            run(function.replace("FUNCTION ", f"FUNCTION {copy}.", 1))
        kinds = run(f"SHOW FULL TABLES FROM {self.db}")
        for name in [name for name, kind in kinds if kind == "BASE TABLE"]:
            unique = any(row[2] == "u" for row in run(f"SHOW INDEX FROM {name}", db=self.db))
            run(f"CREATE TABLE {copy}.{name} LIKE {self.db}.{name}")
            run(f"ALTER TABLE {copy}.{name} DROP PRIMARY KEY" + (", DROP KEY u" if unique else ""))
            run(f"SET STATEMENT sql_mode = 'NO_AUTO_VALUE_ON_ZERO' FOR "
                f"INSERT INTO {copy}.{name} SELECT * FROM {self.db}.{name}")
        for name in [name for name, kind in kinds if kind == "VIEW"]:
            text = run(f"SHOW CREATE VIEW {name}", db=self.db)[0][1]
            try:
                run(text.replace(f"`{self.db}`.", f"`{copy}`."), db=copy)
            except pymysql.err.OperationalError:
                pass  # another case's, of a table that is another one now
        plain = self.connections[1]
        plain.select_db(copy)
        try:
            return testbed.Answer(plain, sql)
        finally:
            plain.select_db(self.db)

    def run_prepared(self, statement):
        sql, values = with_parameters(statement, self.odd(statement),
                                      answers_odd.is_strict(self.mode))
        mine = prepared_answer(self.raw[0], sql, values)
        if isinstance(mine, Exception) and mine.code == REFUSED:
            return mine.text, None
        other = prepared_answer(self.raw[1], sql, values)
        if prepared_difference(mine, other, True, is_read=False, odd=self.oddness > 0):
            return None, f"prepared, {sql} {values}: {mine!r} instead of {other!r}"
        return None, None

    def odd(self, statement):
        return random.Random(statement.sql()) if self.oddness > 0 else None

    def compare_prepared(self, statement, ours):
        # Another connection's rows are locked, or not to be seen yet, in a transaction.
        server_status = self.connections[1].server_status
        if statement.folded or statement.counted or server_status & IN_TRANSACTION or any(
                c[1] in FLOATING for c in ours.columns):
            return None
        sql, values = with_parameters(statement, self.odd(statement),
                                      answers_odd.is_strict(self.mode))
        mine = prepared_answer(self.raw[0], sql, values)
        if isinstance(mine, Exception) and mine.code == REFUSED:
            return None
        other = prepared_answer(self.raw[1], sql, values)
        if prepared_difference(mine, other, statement.ordered):
            return f"prepared, {sql} {values}: {mine!r} instead of {other!r}"
        return None

    def compare_tables(self, case):
        for table in case.tables:
            whole = Statement([("all", f"SELECT {table.names} FROM {table.name} ORDER BY "
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
        for sql in answers_odd.FUNCTIONS if self.oddness > 0 else ():
            ours, theirs = self.ask(sql.replace("CREATE", "CREATE OR REPLACE", 1))
            assert ours.error is None and theirs.error is None, (sql, ours, theirs)
        while self.ran < count:
            rng = random.Random(f"{self.seed}/{number}")
            case = Generator(rng, self.wide, self.oddness, self.meets, self.unseen).case(
                min(per_case, count - self.ran))
            found = self.run_case(case)
            if found:
                small = self.shrink(case, found[0])
                how = self.run_case(small, count=False) or found
                script = [*small.setup(), *(s.sql() for s in small.body)]
                return (f"seed {self.seed}, case {number}, statement {found[0]}, sql_mode "
                        f"'{case.mode}':\n"
                        + "\n".join(s + ";" for s in script) + f"\n-> {how[1]}")
            number += 1
        return None

    def summary(self):
        share = 100 * self.refused / max(1, self.ran)
        return (f"answers: {self.ran} statements, {self.refused} refused ({share:.1f} %),"
                f" {self.indexed} by index, seed {self.seed}")


def main():
    import pathlib
    import sys
    import tempfile
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--shards", type=int, default=3)
    parser.add_argument("--wide", type=float, default=0.5)
    parser.add_argument("--odd", type=float, default=0.5)
    parser.add_argument("--meets", type=float, default=0.2)
    parser.add_argument("--unseen", type=float, default=0.2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="shardd-answers-") as folder:
        plain = testbed.Server(pathlib.Path(folder) / "plain")
        cluster = testbed.Cluster(pathlib.Path(folder) / "c", shards=options.shards)
        try:
            plain.sql("CREATE DATABASE app")
            campaign = Campaign(cluster, plain, "app", options.seed, options.wide, options.odd,
                                options.meets, options.unseen)
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
