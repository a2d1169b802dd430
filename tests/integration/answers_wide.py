"""answers_wide.py - the SELECTs that one shard cannot do and no merge can put together.

Joins on any columns, NATURAL and USING, subqueries of every kind, windows, ROLLUP, CTEs, set
operations, DISTINCT aggregates, lists of values in order, orders by anything. Every statement
has one right answer: what is shown is decided by keys wherever the server could choose.
"""

NUMBERS = ("int", "dec", "float")
EXACT = ("int", "dec")
STRINGS = ("ci", "str")
TIMES = ("date", "datetime", "timestamp")


def alike(a, b):
    """Columns whose values can be equal, and compare in one way only."""
    if a.kind in NUMBERS and b.kind in NUMBERS:
        return True
    if a.kind in STRINGS and b.kind in STRINGS:
        return a.definition == b.definition
    return a.definition == b.definition


class Source:
    """Something that stands in FROM: its text, its columns, what orders its rows for certain."""

    def __init__(self, text, columns, keys):
        self.text, self.columns, self.keys = text, columns, keys


class Wide:
    """Of answers.Generator, whose predicate(), expression(), limit() and statement() it uses."""

    def wide(self, tables):
        forms = [self.wide_join, self.wide_join, self.wide_common, self.wide_condition,
                 self.wide_condition, self.wide_scalar, self.wide_window, self.wide_rollup,
                 self.wide_cte, self.wide_recursive, self.wide_set, self.wide_set,
                 self.wide_aggregates, self.wide_aggregates, self.wide_derived,
                 self.wide_order]
        return self.rng.choice(forms)(tables)

    # --- parts ----------------------------------------------------------------

    def one(self, table, alias):
        return Source(f"{self.read_name(table)} {alias}",
                      [(f"{alias}.{c.name}", c) for c in table.columns],
                      [f"{alias}.{c}" for c in table.primary])

    def pair(self, left, right):
        """Two columns to compare: of unlike types once in a while."""
        pairs = [(a, b) for a in left for b in right if alike(a[1], b[1])]
        if not pairs and self.strict:
            return left[0], right[0]
        if not pairs or (not self.strict and self.chance(0.03)):
            return self.rng.choice(left), self.rng.choice(right)
        others = [p for p in pairs if not p[0][0].endswith(".k") or not p[1][0].endswith(".k")]
        return self.rng.choice(others if others and self.chance(0.8) else pairs)

    def condition(self, left, right):
        """An ON, or a WHERE that ties a subquery to the row around it."""
        (a, _), (b, _) = self.pair(left, right)
        op = self.rng.choice(["=", "=", "=", "=", "<=>", "<", ">="])
        text = f"{a} {op} {b}"
        if self.chance(0.4):
            text += f" AND {self.predicate(self.rng.choice([left, right, left + right]))}"
        if self.chance(0.1):
            text = f"({text} OR {self.predicate(right)})"
        return text

    def any_source(self, tables, depth=0):
        """One table, or several joined on anything."""
        rng = self.rng
        names = "abcdef"[depth:]
        s = self.one(rng.choice(tables), names[0])
        for alias in names[1:rng.choice([2, 2, 3])]:
            other = self.one(rng.choice(tables), alias)
            join = rng.choice(["JOIN", "LEFT JOIN", "RIGHT JOIN", "INNER JOIN", "STRAIGHT_JOIN"])
            s = Source(f"{s.text} {join} {other.text} ON "
                       f"{self.condition(s.columns, other.columns)}",
                       s.columns + other.columns, s.keys + other.keys)
        return s

    def inner(self, tables, outer, alias="q"):
        """A subquery's table, its columns, and its WHERE, tied to the row around it or not."""
        table = self.rng.choice(tables)
        s = self.one(table, alias)
        parts = []
        if self.chance(0.6):
            parts.append(self.condition(s.columns, outer))
        if self.chance(0.6):
            parts.append(self.predicate(s.columns))
        return s, " WHERE " + " AND ".join(parts) if parts else ""

    def test(self, tables, columns):
        """A condition with a subquery."""
        rng = self.rng
        s, where = self.inner(tables, columns)
        (x, _), (y, column) = self.pair(columns, s.columns)
        no = rng.choice(["", "", "NOT "])
        forms = [f"{x} {no}IN (SELECT {y} FROM {s.text}{where})",
                 f"{no}EXISTS (SELECT * FROM {s.text}{where})",
                 f"{no}EXISTS (SELECT 1 FROM {s.text}{where})",
                 f"{x} {rng.choice(['=', '<>', '<', '>='])} {rng.choice(['ANY', 'ALL', 'SOME'])} "
                 f"(SELECT {y} FROM {s.text}{where})",
                 f"{x} {rng.choice(['=', '<', '>'])} (SELECT {rng.choice(['MAX', 'MIN'])}({y}) "
                 f"FROM {s.text}{where})",
                 f"(SELECT COUNT(*) FROM {s.text}{where}) {rng.choice(['>', '=', '<'])} "
                 f"{rng.randrange(3)}",
                 f"{x} {no}IN (SELECT {y} FROM {s.text}{where} GROUP BY {y} HAVING COUNT(*) > "
                 f"{rng.randrange(2)})"]
        # A folded text that is shown for a group is the server's choice.
        return rng.choice(forms if column.kind not in STRINGS else forms[:6])

    def values(self, columns, n=3):
        return [self.expression(columns) for _ in range(self.rng.randrange(1, n + 1))]

    def rows(self, source, items, where=None, ordered=None):
        """SELECT items FROM source, ordered by its keys or as a bag."""
        clauses = [("select", "SELECT"), ("items", ", ".join(items)),
                   ("from", f"FROM {source.text}")]
        if where:
            clauses.append(("where", f"WHERE {where}"))
        ordered = self.chance(0.5) if ordered is None else ordered
        if ordered:
            clauses.append(("order", "ORDER BY " + ", ".join(source.keys)))
            if self.chance(0.4):
                clauses.append(("limit", self.limit()))
        return self.statement(clauses, ordered=ordered)

    # --- forms ----------------------------------------------------------------

    def wide_join(self, tables):
        s = self.any_source(tables)
        where = self.predicate(s.columns) if self.chance(0.6) else None
        items = [self.rng.choice(["*", "a.*"])] if self.chance(0.2) else self.values(s.columns, 4)
        if self.chance(0.25):
            return self.statement([("select", "SELECT"), ("items", "COUNT(*)"),
                                   ("from", f"FROM {s.text}")]
                                  + ([("where", f"WHERE {where}")] if where else []))
        return self.rows(s, items, where)

    def wide_common(self, tables):
        """NATURAL JOIN, USING."""
        rng = self.rng
        left, right = rng.choice(tables), rng.choice(tables)
        common = [c.name for c in left.columns if any(o.name == c.name and alike(c, o)
                                                      for o in right.columns)]
        unlike = [c.name for c in left.columns if any(o.name == c.name and not alike(c, o)
                                                      for o in right.columns)]
        side = rng.choice(["", "LEFT ", "RIGHT "])
        if self.chance(0.4) and not unlike:
            join, shared = f"{left.name} a NATURAL {side}JOIN {right.name} b", common
        else:
            shared = rng.sample(common, rng.randrange(1, len(common) + 1))
            join = f"{left.name} a {side}JOIN {right.name} b USING ({', '.join(shared)})"
        a, b = self.one(left, "a"), self.one(right, "b")
        s = Source(join, a.columns + b.columns, a.keys + b.keys)
        items = ["*"] if self.chance(0.5) else [rng.choice(shared)] + self.values(s.columns, 2)
        where = self.predicate(s.columns) if self.chance(0.5) else None
        return self.rows(s, items, where)

    def wide_condition(self, tables):
        table = self.rng.choice(tables)
        s = self.one(table, "a")
        where = self.test(tables, s.columns)
        if self.chance(0.4):
            where += self.rng.choice([" AND ", " OR "]) + self.predicate(s.columns)
        items = ["*"] if self.chance(0.2) else self.values(s.columns)
        return self.rows(s, items, where)

    def wide_scalar(self, tables):
        table = self.rng.choice(tables)
        s = self.one(table, "a")
        q, where = self.inner(tables, s.columns)
        name, column = self.rng.choice(q.columns)
        what = self.rng.choice(["COUNT(*)", f"COUNT({name})", f"COUNT(DISTINCT {name})"] + (
            [f"SUM({name})"] if column.kind in EXACT else []) + (
            [f"MAX({name})", f"MIN({name})"] if column.kind not in STRINGS else []))
        items = [f"(SELECT {what} FROM {q.text}{where}) AS v"] + self.values(s.columns, 2)
        if self.chance(0.3):
            items.append(f"{self.test(tables, s.columns)} AS w")
        return self.rows(s, items, self.predicate(s.columns) if self.chance(0.5) else None)

    def wide_window(self, tables):
        rng = self.rng
        s = self.one(rng.choice(tables), "a") if self.chance(0.7) else self.any_source(tables)
        part = f"PARTITION BY {rng.choice(s.columns)[0]} " if self.chance(0.6) else ""
        by = ", ".join([self.expression(s.columns) + rng.choice(["", " DESC"])] + s.keys)
        name, column = rng.choice(s.columns)
        loose = f"{part}ORDER BY {rng.choice(s.columns)[0]}"
        functions = [f"ROW_NUMBER() OVER ({part}ORDER BY {by})", f"RANK() OVER ({loose})",
                     f"DENSE_RANK() OVER ({loose})", f"COUNT({name}) OVER ({part})",
                     f"LAG({name}) OVER ({part}ORDER BY {by})",
                     f"LEAD({name}, 2) OVER ({part}ORDER BY {by})",
                     f"NTILE(3) OVER ({part}ORDER BY {by})",
                     f"FIRST_VALUE({name}) OVER ({part}ORDER BY {by})",
                     f"CUME_DIST() OVER ({loose})"]
        if column.kind in EXACT:
            functions += [f"SUM({name}) OVER ({part}ORDER BY {by} ROWS BETWEEN 1 PRECEDING AND "
                          "1 FOLLOWING)", f"SUM({name}) OVER ({loose})"]
        items = [f"{f} AS w{i}" for i, f in enumerate(rng.sample(functions, rng.randrange(1, 4)))]
        return self.rows(s, items + s.keys, self.predicate(s.columns) if self.chance(0.5) else None)

    def wide_rollup(self, tables):
        rng = self.rng
        s = self.one(rng.choice(tables), "a") if self.chance(0.7) else self.any_source(tables)
        groups = [n for n, _ in rng.sample(s.columns, min(len(s.columns), rng.randrange(1, 3)))]
        # COUNT(DISTINCT g) of a group's own column: what a server says depends on its indexes.
        aggregates = [self.aggregate(s.columns).replace("DISTINCT ", "")
                      for _ in range(rng.randrange(1, 3))]
        clauses = [("select", "SELECT"), ("items", ", ".join(groups + aggregates)),
                   ("from", f"FROM {s.text}")]
        if self.chance(0.5):
            clauses.append(("where", f"WHERE {self.predicate(s.columns)}"))
        clauses.append(("group", f"GROUP BY {', '.join(groups)} WITH ROLLUP"))
        if self.chance(0.2):
            clauses.append(("having", "HAVING COUNT(*) > 1"))
        return self.statement(clauses, folded=True)

    def wide_cte(self, tables):
        rng = self.rng
        table = rng.choice(tables)
        s = self.one(table, "q")
        column = rng.choice(table.columns)
        exact = [c for c in table.columns if c.kind not in STRINGS]
        groups = rng.choice(exact or table.columns[:1])
        where = f" WHERE {self.predicate(s.columns)}" if self.chance(0.6) else ""
        other = self.one(rng.choice(tables), "b")
        form = rng.randrange(3)
        if form == 0:
            body = f"SELECT q.{column.name} AS x, q.k AS y FROM {s.text}{where}"
            columns = [("c.x", column), ("c.y", table.columns[0])]
        elif form == 1 and groups.kind not in STRINGS:
            body = (f"SELECT q.{groups.name} AS x, COUNT(*) AS y FROM {s.text}{where} "
                    f"GROUP BY q.{groups.name}")
            columns = [("c.x", groups)]
        else:
            body = (f"SELECT q.{column.name} AS x, q.k AS y FROM {s.text}{where} "
                    f"ORDER BY {', '.join(s.keys)} LIMIT 3")
            columns = [("c.x", column), ("c.y", table.columns[0])]
        join = rng.choice(["JOIN", "LEFT JOIN", "RIGHT JOIN"])
        source = rng.choice([
            "FROM c", f"FROM c {join} {other.text} ON {self.condition(columns, other.columns)}",
            "FROM c JOIN c d ON c.x <=> d.x"])
        items = [n for n, _ in columns]
        if "b ON" in source:
            items += self.values(other.columns, 2)
        return self.statement([("with", f"WITH c AS ({body}) SELECT"),
                               ("items", ", ".join(items)), ("from", source)])

    def wide_recursive(self, tables):
        rng = self.rng
        s = self.one(rng.choice(tables), "a")
        numbers = [n for n, c in s.columns if c.kind in NUMBERS]
        if not numbers or self.chance(0.3):
            key = s.columns[0][0]
            body = (f"WITH RECURSIVE w(v, n) AS (SELECT {key}, 1 FROM {s.text} WHERE "
                    f"{self.predicate(s.columns)} UNION ALL SELECT v, n + 1 FROM w "
                    "WHERE n < 3)")
            return self.statement([("with", f"{body} SELECT"), ("items", "v, n"),
                                   ("from", "FROM w")])
        body = f"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 12)"
        join = rng.choice(["JOIN", "LEFT JOIN"])
        return self.statement([
            ("with", f"{body} SELECT"), ("items", ", ".join(["n.i"] + self.values(s.columns, 2))),
            ("from", f"FROM n {join} {s.text} ON {rng.choice(numbers)} = n.i")])

    def wide_set(self, tables):
        """UNION, INTERSECT, EXCEPT: of columns of one type, so that no text is folded."""
        rng = self.rng
        first = rng.choice(tables)
        columns = [c for c in first.columns if c.kind not in STRINGS] or first.columns[:1]
        folded = columns[0].kind in STRINGS
        column = rng.choice(columns)

        def block(depth=0):
            table = rng.choice(tables)
            fits = [c for c in table.columns if c.definition == column.definition]
            if not fits:
                table, fits = first, [column]
            s = self.one(table, "a")
            where = f" WHERE {self.predicate(s.columns)}" if self.chance(0.6) else ""
            if depth < 1 and self.chance(0.2):
                return f"({block(depth + 1)} {operator()} {block(depth + 1)})"
            return (f"SELECT a.{rng.choice(fits).name} AS v, {rng.randrange(2)} AS w "
                    f"FROM {s.text}{where}")

        counted = []

        def operator():
            """Not both INTERSECT ALL and EXCEPT ALL: MariaDB 10.11 may loop, and ignore KILL."""
            one = rng.choice(["UNION", "UNION ALL", "UNION DISTINCT", "INTERSECT", "EXCEPT",
                              "INTERSECT ALL", "EXCEPT ALL"])
            if one in ("INTERSECT ALL", "EXCEPT ALL"):
                counted.append(one)
                return one if one == counted[0] else one.removesuffix(" ALL")
            return one

        text = block()
        for _ in range(rng.randrange(1, 3)):
            text += f" {operator()} {block()}"
        if self.chance(0.3):
            return self.statement([("all", f"SELECT COUNT(*), MAX(u.w) FROM ({text}) u")])
        ordered = self.chance(0.4)
        return self.statement([("all", text)] + ([("order", "ORDER BY v, w")] if ordered else []),
                              ordered=ordered, folded=folded)

    def wide_aggregates(self, tables):
        """What has to see all values of a group at once."""
        rng = self.rng
        s = self.one(rng.choice(tables), "a") if self.chance(0.7) else self.any_source(tables)
        items = []
        for _ in range(rng.randrange(1, 4)):
            name, column = rng.choice(s.columns)
            other = rng.choice(s.columns)[0]
            forms = [f"COUNT(DISTINCT {name})", f"COUNT(DISTINCT {name}, {other})",
                     f"GROUP_CONCAT({name} ORDER BY {', '.join(s.keys)})",
                     f"GROUP_CONCAT({name} ORDER BY {', '.join(s.keys)} DESC SEPARATOR '; ')",
                     "COUNT(*) + 1"]
            if column.kind in EXACT:
                forms += [f"SUM(DISTINCT {name})", f"AVG(DISTINCT {name})",
                          f"SUM({name}) / COUNT(*)", f"MAX({name}) - MIN({name})",
                          f"GROUP_CONCAT(DISTINCT {name} ORDER BY {name} DESC)",
                          f"JSON_ARRAYAGG({name} ORDER BY {', '.join(s.keys)})"]
            if column.kind == "int":
                forms += [f"BIT_XOR({name})", f"ROUND(STD({name} % 7), 6)",
                          f"ROUND(VAR_SAMP({name} % 7), 6)"]
            items.append(rng.choice(forms))
        groups = [n for n, _ in rng.sample(s.columns, min(len(s.columns), rng.randrange(0, 3)))]
        clauses = [("select", "SELECT"), ("items", ", ".join(groups + items)),
                   ("from", f"FROM {s.text}")]
        if self.chance(0.5):
            clauses.append(("where", f"WHERE {self.predicate(s.columns)}"))
        if groups:
            clauses.append(("group", "GROUP BY " + ", ".join(groups)))
            if self.chance(0.3):
                clauses.append(("having", f"HAVING {rng.choice(items)} IS NOT NULL"))
        return self.statement(clauses, folded=True)

    def wide_derived(self, tables):
        rng = self.rng
        table = rng.choice(tables)
        s = self.one(table, "q")
        group = rng.choice([c for c in table.columns if c.kind not in STRINGS] or table.columns[:1])
        where = f" WHERE {self.predicate(s.columns)}" if self.chance(0.5) else ""
        if group.kind in STRINGS or self.chance(0.4):
            inner = (f"SELECT q.* FROM {s.text}{where} ORDER BY {', '.join(s.keys)} "
                     f"LIMIT {rng.choice([1, 2, 5])}")
            columns = [(f"d.{c.name}", c) for c in table.columns]
            keys = [f"d.{c}" for c in table.primary]
        else:
            inner = (f"SELECT q.{group.name} AS g, COUNT(*) AS n FROM {s.text}{where} "
                     f"GROUP BY q.{group.name}")
            columns, keys = [("d.g", group)], ["d.g"]
        other = self.one(rng.choice(tables), "b")
        join = rng.choice(["JOIN", "LEFT JOIN", "RIGHT JOIN"])
        text = f"({inner}) d"
        if self.chance(0.7):
            text += f" {join} {other.text} ON {self.condition(columns, other.columns)}"
            columns, keys = columns + other.columns, keys + other.keys
        return self.rows(Source(text, columns, keys), self.values(columns),
                         self.predicate(columns) if self.chance(0.4) else None)

    def wide_order(self, tables):
        """ORDER BY what the shards cannot be asked for."""
        rng = self.rng
        s = self.one(rng.choice(tables), "a")
        name, column = rng.choice(s.columns)
        q, where = self.inner(tables, s.columns)
        order = rng.choice([
            f"(SELECT COUNT(*) FROM {q.text}{where})", f"{name} COLLATE utf8mb4_unicode_ci"
            if column.definition.startswith("VARCHAR(30)") and "latin1" not in column.definition
            and "_bin" not in column.definition else f"HEX({name})",
            f"CASE WHEN {self.predicate(s.columns)} THEN 1 ELSE 0 END DESC",
            f"COALESCE({name}, {rng.choice(s.columns)[0]}) IS NULL",
            f"{name} IS NULL, LENGTH({name})"])
        clauses = [("select", "SELECT"), ("items", "*" if self.chance(0.3) else
                                          ", ".join(self.values(s.columns))),
                   ("from", f"FROM {s.text}")]
        if self.chance(0.5):
            clauses.append(("where", f"WHERE {self.predicate(s.columns)}"))
        clauses.append(("order", f"ORDER BY {order}, " + ", ".join(s.keys)))
        if self.chance(0.4):
            clauses.append(("limit", self.limit()))
        return self.statement(clauses, ordered=True)
