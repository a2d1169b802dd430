"""answers_more.py - what random statements are made of besides columns: functions of every kind of
value, views that stand for their tables, and writes whose rows no shard can find alone.

A write here has one right outcome: a row is never given two values, and what a LIMIT takes is
decided by a key.
"""

NUMBERS = ("int", "dec", "float")
TIMES = ("date", "datetime", "timestamp")

FUNCTIONS = {
    "number": ["ROUND({x}, 1)", "FLOOR({x} / 3)", "CEIL({x} / 3)", "SIGN({x})", "{x} DIV 3",
               "GREATEST({x}, 2)", "LEAST({x}, 2)", "NULLIF({x}, 1)", "IF({x} > 2, {x}, NULL)",
               "CAST({x} AS CHAR)", "CONCAT({x}, '')", "{x} BETWEEN 0 AND 9", "{x} / 7",
               "CASE WHEN {x} < 0 THEN 'neg' WHEN {x} = 0 THEN 'zero' ELSE 'pos' END",
               "CAST({x} AS DECIMAL(30, 2))", "{x} IN (1, 2, NULL)", "NOT {x}", "{x} <=> NULL",
               "TRUNCATE({x}, -1)", "INTERVAL({x}, 1, 5, 10)", "LENGTH({x})", "{x} IS TRUE",
               "LPAD({x}, 6, '0')", "FORMAT({x}, 2)", "{x} LIKE '1%'", "ELT({x}, 'a', 'b')"],
    "string": ["LOWER({x})", "REVERSE({x})", "CHAR_LENGTH({x})", "LEFT({x}, 2)", "RIGHT({x}, 1)",
               "LPAD({x}, 5, '*')", "REPLACE({x}, 'a', 'b')", "LOCATE('a', {x})", "HEX({x})",
               "{x} LIKE '%a%'", "TRIM({x})", "CONCAT_WS(',', {x}, 'q')", "ORD({x})",
               "STRCMP({x}, 'b')", "FIELD({x}, 'a', 'b', 'ab')", "REPEAT({x}, 2)", "MD5({x})",
               "{x} REGEXP '^a'", "GREATEST({x}, 'b')", "SUBSTRING_INDEX({x}, ' ', 1)",
               "COALESCE(NULLIF({x}, ''), 'e')", "QUOTE({x})", "{x} + 0", "{x} IN ('a', 'b', NULL)",
               "{x} BETWEEN 'a' AND 'b'", "FIND_IN_SET({x}, 'a,b')", "INSERT({x}, 1, 1, 'W')",
               "REGEXP_REPLACE({x}, '[ab]', '#')", "TO_BASE64({x})", "CRC32({x})", "CHARSET({x})",
               "COLLATION({x})", "COERCIBILITY({x})", "LOWER({x}) = UPPER({x})"],
    "day": ["MONTH({x})", "DAYOFWEEK({x})", "DATEDIFF({x}, '2000-01-01')", "LAST_DAY({x})",
            "DATE({x})", "QUARTER({x})", "WEEK({x}, 1)", "TO_DAYS({x})", "DAYNAME({x})",
            "EXTRACT(YEAR_MONTH FROM {x})", "TIMESTAMPDIFF(DAY, '2000-01-01', {x})",
            "CAST({x} AS CHAR)", "{x} - INTERVAL 1 MONTH", "{x} > '2000-01-01'", "{x} + 0",
            "DATE_FORMAT({x}, '%d.%m.%y %H')", "GREATEST({x}, '2001-01-01')"],
    "time": ["TIME_TO_SEC({x})", "HOUR({x})", "ADDTIME({x}, '00:00:01')", "CAST({x} AS CHAR)",
             "{x} > '01:00:00'", "{x} + 0"],
    "json": ["JSON_TYPE({x})", "JSON_VALID({x})", "JSON_LENGTH({x})", "JSON_EXTRACT({x}, '$[0]')",
             "JSON_CONTAINS({x}, '1')", "JSON_QUOTE({x})"],
    "other": ["HEX({x})", "CAST({x} AS CHAR)", "LENGTH({x})", "CONCAT({x}, '-')", "{x} IS NULL",
              "COALESCE({x}, 'none')"],
}


def kind_of(column):
    if column.kind in NUMBERS:
        return "number"
    if column.kind in ("ci", "str"):
        return "string"
    if column.kind in TIMES:
        return "day"
    return column.kind if column.kind in FUNCTIONS else "other"


class More:
    """Of answers.Generator, whose predicate(), literal values and statement() it uses.

    `strict`: what is compared has one type. A write makes errors of values that do not convert,
    and which ones are looked at depends on the order in which a server joins.
    """

    strict = False

    def function(self, name, column):
        return self.rng.choice(FUNCTIONS[kind_of(column)]).format(x=name)

    def function_test(self, columns):
        """A condition on what functions give."""
        rng = self.rng
        name, column = rng.choice(columns)
        f = self.function(name, column)
        return rng.choice([f"{f} IS NOT NULL", f"{f} = {self.function(name, column)}",
                           f"{f} IN ({self.function(name, column)}, 0)", f"NOT ({f})",
                           f"{f} <=> {self.function(*rng.choice(columns))}"])

    # --- views ------------------------------------------------------------------

    def view(self, table):
        """A view of some rows of a table, with all its columns: also for writes to read."""
        name = f"v_{table.name}"
        self.strict = True
        where = f" WHERE {self.predicate([(c.name, c) for c in table.columns])}" \
            if self.chance(0.7) else ""
        self.strict = False
        table.view = name
        return f"CREATE OR REPLACE VIEW {name} AS SELECT {table.names} FROM {table.name}{where}"

    def read_name(self, table):
        """Of the table, or of its view."""
        view = getattr(table, "view", None)
        return view if view and self.chance(0.4) else table.name

    # --- writes -----------------------------------------------------------------

    def wide_dml(self, tables):
        forms = [self.write_by_subquery, self.write_by_subquery, self.write_by_join,
                 self.write_select, self.write_key, self.write_aggregate, self.write_first]
        self.strict = True
        try:
            return self.rng.choice(forms)(tables)
        finally:
            self.strict = False

    def plain_columns(self, table):
        return [(c.name, c) for c in table.columns]

    def payload(self, table):
        return table.columns[len(table.primary):]

    def assign(self, table, prefix=""):
        c = self.rng.choice(self.payload(table))
        return f"{prefix}{c.name} = {c.literal(self.rng)}"

    def write(self, *clauses):
        return self.statement(list(clauses), is_read=False)

    def write_by_subquery(self, tables):
        rng = self.rng
        table = rng.choice(tables)
        others = [t for t in tables if t is not table]
        where = ("where", "WHERE " + self.test(others, [(f"{table.name}.{c.name}", c)
                                                        for c in table.columns]))
        if self.chance(0.5):
            return self.write(("verb", f"UPDATE {table.name} SET"), ("items", self.assign(table)),
                              where)
        return self.write(("verb", f"DELETE FROM {table.name}"), where)

    def write_by_join(self, tables):
        rng = self.rng
        table, other = rng.sample(tables, 2)
        a, b = self.one(table, "a"), self.one(other, "b")
        on = self.condition(a.columns, b.columns)
        join = rng.choice(["JOIN", "LEFT JOIN", "INNER JOIN"])
        where = [("where", f"WHERE {self.predicate(a.columns + b.columns)}")] \
            if self.chance(0.6) else []
        if self.chance(0.5):
            return self.write(("verb", f"UPDATE {table.name} a {join} {other.name} b ON {on} SET"),
                              ("items", self.assign(table, "a.")), *where)
        what = rng.choice(["a", "a", "a, b"]) if join != "LEFT JOIN" else "a"
        return self.write(("verb", f"DELETE {what} FROM {table.name} a {join} {other.name} b "
                                   f"ON {on}"), *where)

    def write_select(self, tables):
        """INSERT and REPLACE of rows that other rows are made of, each key once."""
        rng = self.rng
        table, other = rng.choice(tables), rng.choice(tables)
        must = [c for c in self.payload(table) if not c.null]
        extra = must + [c for c in self.payload(table) if c.null and self.chance(0.3)]
        columns = ["k"] + (["k2"] if table.two else []) + [c.name for c in extra]
        key = "q.k" if rng.random() < 0.7 or table.columns[0].kind != "int" else "q.k + 50"
        if other.two and other.columns[0].kind in ("ci", "str"):
            key = "MAX(BINARY q.k)"  # of several that are equal any server takes any
        items = [key] + (["MAX(q.k2)" if other.two else "7"] if table.two else [])
        items += [c.literal(rng) for c in extra]
        verb = rng.choice(["INSERT INTO", "REPLACE INTO", "INSERT INTO"])
        where = f" WHERE {self.predicate(self.one(other, 'q').columns)}" if self.chance(0.6) else ""
        clauses = [("verb", f"{verb} {table.name} ({', '.join(columns)}) SELECT "
                            f"{', '.join(items)} FROM {other.name} q{where} GROUP BY q.k")]
        if verb == "INSERT INTO" and extra and not table.unique and self.chance(0.6):
            c = rng.choice(extra)
            clauses.append(("upsert", f"ON DUPLICATE KEY UPDATE {c.name} = VALUES({c.name})"))
        return self.write(*clauses)

    def write_key(self, tables):
        """Rows that move."""
        rng = self.rng
        table = rng.choice(tables)
        key = table.columns[0]
        one = f"WHERE k = {key.literal(rng)}" + (f" AND k2 = {rng.randrange(40)}"
                                                 if table.two else "")
        return self.write(("verb", f"UPDATE {table.name} SET k = {key.literal(rng)}"),
                          ("where", one))

    def write_aggregate(self, tables):
        rng = self.rng
        table, other = rng.sample(tables, 2)
        numbers = [c for c in self.payload(table) if c.definition in ("INT", "BIGINT")]
        if not numbers:
            return self.write_by_subquery(tables)
        q, where = self.inner([other], [(f"{table.name}.{c.name}", c) for c in table.columns])
        return self.write(
            ("verb", f"UPDATE {table.name} SET {rng.choice(numbers).name} = (SELECT COUNT(*) "
                     f"FROM {q.text}{where})"),
            ("where", f"WHERE {self.predicate(self.plain_columns(table))}"))

    def write_first(self, tables):
        rng = self.rng
        table = rng.choice(tables)
        order = ("order", "ORDER BY " + ", ".join(f"{k}{rng.choice(['', ' DESC'])}"
                                                  for k in table.primary))
        limit = ("limit", f"LIMIT {rng.choice([1, 2, 5])}")
        if self.chance(0.5):
            return self.write(("verb", f"DELETE FROM {table.name}"), order, limit)
        return self.write(("verb", f"UPDATE {table.name} SET"), ("items", self.assign(table)),
                          order, limit)
