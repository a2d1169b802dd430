"""answers_odd.py - random statements whose values are written in ways that nobody expects.

Keys and other values as literals of other types, of other character sets, too long, too exact,
with zero parts; from user variables, DEFAULT(column) and stored functions of their arguments
alone; tables of the sequence engine; parameters of other types than the column's.

What differs by which rows one shard has is left out: where several rows are inserted, a NULL or a
CHECK that fails is forgiven, but not in one row alone; of several errors any may come first.

A case runs in one sql_mode. In a strict one the conditions of writes have ordinary values: what
a server looks at before it meets one that does not convert is its choice.

Which rows are equal to a value that the column does not have exactly (an INT to 1.0005) depends on
whether a server uses an index: then it converts the value first. Any of the two answers will do.
"""
import re
import struct

TEXTS = ["_latin1'a'", "_latin1 x'e1'", "_ucs2 x'00e1'", "_utf16 x'0061'", "_utf32 x'00000062'",
         "_utf16le x'6100'", "_binary'a'", "N'á'", "N'a'", "x'61'", "0x6162", "b'01100001'", "5",
         "1.50", "-0", "TRUE", "1e1", "'  a'", "'a  '", "'2x'", "' 2'", "10", "'\\ta'", "_ascii'b'",
         "_utf8mb4 x'c3a1'", "_utf8mb3'é'", "'a' 'b'", "CONCAT('a', 'b')", "CHAR(97)", "UPPER('b')",
         "'a\\0'", "'ab' COLLATE utf8mb4_bin", "'á' COLLATE utf8mb4_unicode_ci", "\"z\"", "- 5"]
NUMBERS = ["'5'", "' 5'", "'5 '", "'5x'", "'5.0'", "5.4", "5.5", "5e0", "0.5e1", "x'35'", "0x05",
           "b'101'", "TRUE", "FALSE", "-0", "- 5", "+5", "'-0'", "-0.0", "1e20", "''", "N'5'",
           "99999999999999999999", "_latin1'7'", "_utf16 x'0037'", "1.0005", "0x02 + 0", "10 DIV 3",
           "5.000000000000000000000000000000001", "'1e1'", "007", "'007'", ".5e1", "1.", "-'5'",
           "123456789012345678901234567890123456789012345678901234567890.0000000001"]
DAYS = ["'2024-2-29'", "'24-02-29'", "20240229", "'20240229'", "'2024/02/29'", "'2024.02.29'",
        "'2024-02-29 00:00:00'", "'2024-02-29T12:30:00'", "TIMESTAMP'2024-02-29 00:00:00'",
        "DATE'2024-02-29'", "0", "'0000-00-00'", "'0000-00-00 00:00:00'", "'2024-02-30'",
        "'2024-00-00'", "'0000-01-01'", "x'323032342d30322d3239'", "N'2024-02-29'", "'x'",
        "_utf16 x'0032003000320034003000320032 0039'".replace(" ", ""), "20240229123000", "991231",
        "'2024-02-29 12:30:00.5'", "' 2000-01-01'", "'2000-01-01 '", "20240229.0", "'1999-12-31z'",
        "TIMESTAMP'1999-12-31 23:59:59.999'", "'2000-01-01' + INTERVAL 1 DAY"]
TIMES = ["'12:30'", "123000", "'1 12:30'", "'12:30:00.999999'", "'-00:00:01'", "TIME'12:30:00'",
         "'838:59:59'", "'900:00:00'", "1", "'1'", "0", "'0'", "'-10:00'", "-100000", "'x'",
         "'2024-02-29 12:30:00'", "_latin1 x'31323a3330'", "N'10:11:12'", "12.5", "'123'"]
YEARS = ["24", "'24'", "0", "'0'", "'00'", "2024.0", "'2024'", "1901", "2155", "1900", "70", "'x'",
         "2024e0", "N'1999'", "x'32303234'", "TRUE", "20240229", "'2024-02-29'", "' 1999'"]
BITS = ["5", "'5'", "0x05", "x'05'", "600", "TRUE", "-1", "5.5", "''", "0b101", "N'a'", "0x0005"]
BYTES = ["'a'", "x'61'", "5", "_latin1 x'e1'", "_ucs2 x'0061'", "N'á'", "'á'", "b'01100001'", "1.5",
         "'a\\0'", "'a '", "0x0000", "-0", "TRUE", "_utf32 x'00000061'", "1e3", "CHAR(0)",
         "'b' COLLATE utf8mb4_bin", "_binary'á'"]
UUIDS = ["'123E4567E89B12D3A456426655440000'", "x'123e4567e89b12d3a456426655440000'", "'x'", "''",
         "_binary x'123e4567e89b12d3a456426655440000'", "N'00000000-0000-0000-0000-000000000001'",
         "'123e4567-e89b-12d3-a456426655440000'", "5"]
ADDRESSES = ["'0:0::1'", "_latin1 x'3a3a31'", "N'::1'", "x'00000000000000000000000000000001'",
             "'::ffff:1.2.3.4'", "'::FFFF:1.2.3.4'", "'x'", "0x3a3a31", "1", "'FF::'"]
# Not what becomes the empty value of an ENUM: an engine is not given such rows.
ENUMS = ["1", "'1'", "'X'", "'x '", "x'78'", "N'b'", "2.0", "_ucs2 x'0061'"]
ODD = {"int": NUMBERS, "dec": NUMBERS, "float": NUMBERS[:-1], "ci": TEXTS, "str": TEXTS,
       "bin": BYTES, "date": DAYS, "datetime": DAYS, "timestamp": DAYS, "time": TIMES,
       "bit": BITS, "enum": ENUMS, "uuid": UUIDS, "inet6": ADDRESSES}

TYPES = [
    ("ci", "VARCHAR(30) CHARACTER SET ucs2", ["'a'", "'á'", "''", "'ab '"]),
    ("str", "VARCHAR(30) CHARACTER SET utf16 COLLATE utf16_bin", ["'a'", "'😀'", "'b'"]),
    ("bin", "BINARY(6)", ["'a'", "x'00ff'", "''"]),
    ("bit", "BIT(20)", ["b'0'", "b'101'", "b'11111111111111111111'"]),
    ("dec", "DECIMAL(65,30)", ["0", "1.5", "-12345678901234567890.000000000000000000000000000001"]),
    ("dec", "DECIMAL(10,2) UNSIGNED ZEROFILL", ["0", "1.5", "99.99"]),
]
# Not BINARY: whether 'a' is found among 'a\0\0' depends on a server's use of its index.
KEYS = [t for t in TYPES if t[0] in ("bit", "dec")]

FUNCTIONS = [
    "CREATE FUNCTION f_more(a BIGINT) RETURNS BIGINT DETERMINISTIC RETURN a + 1",
    "CREATE FUNCTION f_same(s VARCHAR(80) CHARACTER SET utf8mb4) RETURNS VARCHAR(80) CHARACTER SET"
    " utf8mb4 DETERMINISTIC RETURN s",
    "CREATE FUNCTION f_loud(s VARCHAR(80) CHARACTER SET utf8mb4) RETURNS VARCHAR(80) CHARACTER SET"
    " utf8mb4 RETURN CONCAT(s, '!')",
    "CREATE FUNCTION f_most(a DOUBLE, b DOUBLE) RETURNS DOUBLE BEGIN IF a > b THEN RETURN a; END"
    " IF; RETURN b; END",
    "CREATE FUNCTION f_dec(a DECIMAL(20,3)) RETURNS DECIMAL(20,3) RETURN a * 2",
    "CREATE FUNCTION f_next(d DATE) RETURNS DATE NO SQL RETURN d + INTERVAL 1 DAY",
    "CREATE FUNCTION f_sum(n INT) RETURNS INT BEGIN DECLARE s, i INT DEFAULT 0; SET n = LEAST(n,"
    " 20); WHILE i < n DO SET i = i + 1, s = s + i; END WHILE; RETURN s; END",
]
CALLS = {"int": ["f_more({})", "f_sum({} % 9)", "f_most({}, 3)", "f_dec({} % 1000)"],
         "dec": ["f_most({}, 2)", "f_dec({} % 1000)"], "float": ["f_most({}, 2)"],
         "ci": ["f_same({})", "f_loud({})"], "str": ["f_same({})", "f_loud({})"],
         "date": ["f_next({})"], "datetime": ["f_next(DATE({}))"]}
MODES = ["", "", "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO", "NO_ZERO_DATE",
         "NO_ZERO_IN_DATE", "ALLOW_INVALID_DATES", "NO_BACKSLASH_ESCAPES",
         "PAD_CHAR_TO_FULL_LENGTH"]
USUAL = "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION"


def is_strict(mode):
    return "STRICT" in mode


def is_plain_number(text):
    return re.fullmatch(r"-?\d+(\.\d+)?", text)


def odd_literal(rng, column):
    """One that the column may be given or compared with."""
    if column.definition == "YEAR":
        return rng.choice(YEARS)
    return rng.choice(ODD.get(column.kind, column.values))


class Odd:
    """Of answers.Generator. `oddness`: the share of the cases that are odd."""

    odd = False
    mode = USUAL

    def odd_case(self, tables):
        """Makes a case of these tables odd."""
        rng = self.rng
        self.odd, self.mode = True, rng.choice(MODES)
        for table in tables:
            for column in table.columns:
                column.odd = rng.choice([0.1, 0.3, 0.6])
                big = column.definition in ("TEXT", "BLOB", "JSON")
                if column.name.startswith("c") and not big and self.chance(0.4):
                    column.default = rng.choice(column.values)

    def odd_value(self, column):
        """A value for a column that is not one of its literals."""
        rng = self.rng
        if column.kind in CALLS and self.chance(0.5) and (
                column.null or column.kind not in ("date", "datetime")):
            return rng.choice(CALLS[column.kind]).format(rng.choice(column.values))
        if column.default is not None and self.chance(0.5):
            return f"DEFAULT({column.name})"
        variables = [] if column.kind in ("enum", "json") else ["@v", "@w"]
        return rng.choice([odd_literal(rng, column)] + variables)

    def odd_statement(self, tables):
        rng = self.rng
        forms = [self.odd_variable, self.odd_rows, self.odd_rows, self.odd_set, self.odd_select,
                 self.odd_select, self.odd_select, self.odd_group, self.odd_sequence,
                 self.odd_sequence, self.odd_copy, self.odd_default]
        return rng.choice(forms)(tables)

    def odd_variable(self, tables):
        column = self.rng.choice(self.rng.choice(tables).columns)
        return self.write(("verb", f"SET @{self.rng.choice('vw')} = "
                                   f"{odd_literal(self.rng, column)}"))

    def odd_condition(self, column, name=None):
        rng = self.rng
        name = name or column.name
        value = odd_literal(rng, column) if self.chance(0.6) else column.literal(rng)
        if column.kind in CALLS and self.chance(0.3):
            call = rng.choice(CALLS[column.kind])
            return rng.choice([f"{call.format(name)} = {call.format(rng.choice(column.values))}",
                               f"{name} = {call.format(rng.choice(column.values))}",
                               f"{call.format(name)} IS NOT NULL"])
        form = rng.randrange(6)
        if form == 0:
            return f"{name} IN ({value}, {odd_literal(rng, column)}, {column.literal(rng)})"
        if form == 1:
            return f"{name} = @{rng.choice('vw')}"
        if form == 2:
            return f"{name} <=> {value}"
        if form == 3 and column.kind in ("ci", "str") and "latin1" not in column.definition and \
                "CHARACTER SET" not in column.definition:
            return f"{name} = {rng.choice(column.values)} COLLATE " + rng.choice(
                ["utf8mb4_bin", "utf8mb4_general_ci", "utf8mb4_unicode_ci"])
        return f"{name} = {value}"

    def odd_where(self, table, writes):
        """By the key more often than not."""
        column = table.columns[0] if self.chance(0.7) else self.rng.choice(table.columns)
        if writes and is_strict(self.mode):
            return f"{column.name} = {self.rng.choice(column.values)}"
        return self.odd_condition(column)

    def odd_rows(self, tables):
        rng = self.rng
        table = rng.choice(tables)
        rows = []
        for _ in range(rng.choice([1, 1, 2, 3])):
            rows.append("(" + ", ".join(
                self.odd_value(c) if self.chance(0.25) else c.literal(rng)
                for c in table.columns) + ")")
        verb = rng.choice(["INSERT INTO", "INSERT INTO", "INSERT IGNORE INTO", "REPLACE INTO"])
        return self.write(("verb", f"{verb} {table.into} VALUES"), ("rows", ", ".join(rows)))

    def odd_set(self, tables):
        rng = self.rng
        table = rng.choice(tables)
        c = table.columns[0] if self.chance(0.3) else rng.choice(self.payload(table))
        where = ("where", "WHERE " + self.odd_where(table, True))
        if self.chance(0.2):
            return self.write(("verb", f"DELETE FROM {table.name}"), where)
        value = self.odd_value(c)
        if c.kind in CALLS and self.chance(0.3) and c is not table.columns[0]:
            value = rng.choice(CALLS[c.kind]).format(c.name)
        return self.write(("verb", f"UPDATE {table.name} SET"), ("items", f"{c.name} = {value}"),
                          where)

    def odd_copy(self, tables):
        """INSERT ... SELECT of what is no column."""
        rng = self.rng
        table = rng.choice(tables)
        items = ", ".join(self.odd_value(c) for c in table.columns)
        if "DEFAULT(" in items:
            return self.odd_rows(tables)
        return self.write(("verb", f"{rng.choice(['INSERT INTO', 'REPLACE INTO'])} {table.into} "
                                   f"SELECT {items}"))

    def odd_select(self, tables):
        rng = self.rng
        table = rng.choice(tables)
        items = [c.name for c in table.columns[:2]]
        c = rng.choice(table.columns)
        if c.kind in CALLS:
            items.append(rng.choice(CALLS[c.kind]).format(c.name))
        clauses = [("select", "SELECT"), ("items", ", ".join(items)),
                   ("from", f"FROM {table.name}"),
                   ("where", "WHERE " + self.odd_where(table, False))]
        return self.statement(clauses)

    def odd_group(self, tables):
        rng = self.rng
        table = rng.choice(tables)
        numbers = [c for c in table.columns if c.kind in ("int", "dec", "date")]
        if not numbers:
            return self.odd_select(tables)
        call = rng.choice(CALLS[(c := rng.choice(numbers)).kind]).format(c.name)
        return self.statement([("select", "SELECT"), ("items", f"{call} AS g, COUNT(*)"),
                               ("from", f"FROM {table.name}"),
                               ("where", "WHERE " + self.odd_where(table, False)),
                               ("group", f"GROUP BY {call}")], folded=True)

    def odd_default(self, tables):
        rng = self.rng
        table = rng.choice(tables)
        ours = [c for c in table.columns if c.default is not None]
        if not ours:
            return self.odd_rows(tables)
        c = rng.choice(ours)
        return self.statement([("select", "SELECT"), ("items", f"k, DEFAULT({c.name})"),
                               ("from", f"FROM {table.name}"),
                               ("where", f"WHERE {c.name} = DEFAULT({c.name})")])

    def odd_sequence(self, tables):
        rng = self.rng
        table = rng.choice(tables)
        numbers = [c for c in table.columns if c.kind == "int"]
        seq = rng.choice(["seq_1_to_9", "seq_0_to_40_step_2", "seq_5_to_1"])
        if not numbers:
            return self.statement([("select", "SELECT"), ("items", "COUNT(*), SUM(s.seq)"),
                                   ("from", f"FROM {seq} s JOIN {table.name} a"),
                                   ("where", "WHERE s.seq < 4")])
        c = rng.choice(numbers)
        join = rng.choice(["JOIN", "LEFT JOIN", "RIGHT JOIN"])
        form = rng.randrange(4)
        if form == 0:
            return self.write(("verb", f"UPDATE {table.name} SET {c.name} = {c.name}"),
                              ("where", f"WHERE {c.name} IN (SELECT seq FROM {seq})"))
        if form == 1:
            return self.statement([("select", "SELECT"), ("items", f"k, {c.name}"),
                                   ("from", f"FROM {table.name}"),
                                   ("where", f"WHERE {c.name} IN (SELECT seq FROM {seq})")])
        return self.statement([("select", "SELECT"), ("items", f"s.seq, a.k, a.{c.name}"),
                               ("from", f"FROM {seq} s {join} {table.name} a "
                                        f"ON a.{c.name} = s.seq")])


# --- parameters ---------------------------------------------------------------

BLOB, DATE, TIME, DATETIME, NEWDECIMAL, FLOAT, DOUBLE, SHORT, TINY = (252, 10, 11, 12, 246, 4, 5, 2,
                                                                       1)
DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?: (\d\d):(\d\d):(\d\d))?$")


def counted(data):
    return bytes([len(data)]) + data


def odd_parameter(rng, value):
    """The value as a parameter of another type: (type, payload), or as it is."""
    if isinstance(value, int):
        text = str(value).encode()
        forms = [value, str(value), (NEWDECIMAL, counted(text)), (DOUBLE, struct.pack("<d", value)),
                 (BLOB, counted(text))]
        if -128 <= value < 128:
            forms += [(TINY, struct.pack("<b", value)), (FLOAT, struct.pack("<f", value))]
        return rng.choice(forms)
    day = DAY.match(value)
    if day:
        parts = [int(p or 0) for p in day.groups()]
        short = struct.pack("<HBB", *parts[:3])
        full = short + bytes(parts[3:])
        return rng.choice([value, (DATE, counted(short)), (DATE, counted(full)),
                           (DATETIME, counted(short)), (DATETIME, counted(full)), (BLOB, counted(
                               value.encode()))])
    data = value.encode()
    return rng.choice([value, (BLOB, counted(data))]) if len(data) < 250 else value
