"""answers_meet.py - for answers.py: INSERTs that meet rows, and what is written through views."""
import re


def same_type(table, column):
    """Columns whose values the column takes as they are."""
    return [c for c in table.columns
            if c.definition == column.definition and (column.null or not c.null)]


class Meet:
    """Parts of the generator, where its share `meets` is not 0."""

    def meeting_dml(self, tables):
        statement = self.write_meeting(tables) if self.chance(0.7) else self.dml(tables)
        for table in tables:
            view = getattr(table, "view", None)
            if view and self.chance(0.7):
                statement.clauses = [(name, re.sub(rf"\b{table.name}\b(?! q\b)", view, text))
                                     for name, text in statement.clauses]
        return statement

    def write_meeting(self, tables):
        rng = self.rng
        table, other = rng.choice(tables), rng.choice(tables)
        column = rng.choice(self.payload(table))
        if self.chance(0.3) and not other.two and not table.unique:
            return self.select_meeting(table, other, column)
        rows = ", ".join(table.row(rng) for _ in range(rng.randrange(1, 5)))
        value = f"VALUES({column.name})"
        same = same_type(other, column)
        name = table.name
        if same:
            best, test = rng.choice(["MIN", "MAX"]), rng.choice(["=", "<=", "<>"])
            value = (f"IFNULL((SELECT {best}(q.{rng.choice(same).name}) FROM {other.name} q "
                     f"WHERE q.k {test} {name}.k), {value})")
        elif column.definition in ("INT", "BIGINT", "DOUBLE"):
            value = f"(SELECT COUNT(*) FROM {other.name} q WHERE q.k = {name}.k)"
        if self.chance(0.15):
            column, value = table.columns[0], table.columns[0].literal(rng)
        return self.write(("verb", f"INSERT INTO {table.into} VALUES"), ("rows", rows),
                          ("upsert", f"ON DUPLICATE KEY UPDATE {column.name} = {value}"))

    def select_meeting(self, table, other, column):
        """Each key once, so that the order of rows does not matter."""
        rng = self.rng
        extra = [c for c in self.payload(table) if not c.null]
        names = ["k"] + (["k2"] if table.two else []) + [c.name for c in extra]
        items = ["q.k"] + (["7"] if table.two else []) + [c.literal(rng) for c in extra]
        same = [c for c in same_type(other, column) if c in self.payload(other)]
        value = f"q.{rng.choice(same).name}" if same else column.literal(rng)
        return self.write(("verb", f"INSERT INTO {table.name} ({', '.join(names)}) SELECT "
                                   f"{', '.join(items)} FROM {other.name} q"),
                          ("upsert", f"ON DUPLICATE KEY UPDATE {column.name} = {value}"))
