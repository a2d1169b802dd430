"""test_traps.py - for each rule that lets shards do a part, statements that just miss it.

cases/traps.txt has, for each rule, statements for which it holds (+) and statements for which it
does not (-), each with what EXPLAIN SHARDD says: the step; of a scatter what the merge does,
whether the shards stop at the LIMIT, whether keys fix fewer shards than there are; of what is
gathered the tables, and of which of them keys, conditions or the values of other tables' rows leave
rows out. And every answer is that of one server. Rows that a write leaves behind are found by their
keys as well.
"""
import itertools
import json
import pathlib

import pytest

import testbed

DB = "traps"
KEYED = [  # the first column is the key
    ("users", "id INT PRIMARY KEY, city VARCHAR(20), age INT, boss INT"),
    ("orders", "user_id INT, n INT, cents INT, word VARCHAR(20), PRIMARY KEY (user_id, n)"),
    ("parts", "user_id BIGINT UNSIGNED, n INT, cents DECIMAL(9,2), PRIMARY KEY (user_id, n)"),
    ("prices", "k DECIMAL(9,2) PRIMARY KEY, v INT"),
    ("words", "w VARCHAR(20) PRIMARY KEY, v INT"),
    ("binwords", "w VARCHAR(20) COLLATE utf8mb4_bin PRIMARY KEY, v INT"),
    ("shorter", "w VARCHAR(2) PRIMARY KEY, v INT"),
    ("longer", "w VARCHAR(40) PRIMARY KEY, v INT"),
    ("tiny", "id TINYINT PRIMARY KEY, v INT"),
    ("days", "d DATE PRIMARY KEY, v INT"),
    ("moments", "d DATETIME PRIMARY KEY, v INT"),
    ("numbered", "id INT AUTO_INCREMENT PRIMARY KEY, v INT"),
    ("nobody", "id INT PRIMARY KEY, v INT"),
]
SETUP = [f"CREATE TABLE {name} ({columns}) COMMENT 'shardd: key({columns.split()[0]})'"
         for name, columns in KEYED] + [
    "CREATE TABLE cities (name VARCHAR(20) PRIMARY KEY, land VARCHAR(20), head INT)"
    " COMMENT 'shardd: reference'",
    "CREATE TABLE marks (user_id INT PRIMARY KEY, v INT) COMMENT 'shardd: reference'",
    "CREATE TABLE settings (id INT PRIMARY KEY, v INT) COMMENT 'shardd: global'",
    "INSERT INTO users VALUES (1,'Rom',20,NULL),(2,'Ulm',30,1),(3,'Rom',NULL,1),(4,NULL,40,2),"
    "(5,'Bern',20,9),(6,'Ulm',20,7),(7,'Linz',50,7),(8,'Oslo',30,6),(9,'Ulm',41,5)",
    "INSERT INTO orders VALUES (1,1,100,'a'),(1,2,200,'b'),(2,1,50,NULL),(3,1,70,'it'),"
    "(5,1,10,'a'),(5,2,100,'a'),(6,1,NULL,'c'),(7,1,100,'a'),(11,1,1,'x'),(12,1,1,'y'),"
    "(13,1,5,'z'),(8,3,60,'q')",
    "INSERT INTO parts VALUES (1,1,1.5),(1,2,2.25),(2,1,9),(5,1,3),(8,1,7),(8,2,7),(12,1,1)",
    "INSERT INTO prices VALUES (1,1),(1.5,2),(2,3),(5,4),(7.25,5),(8,6)",
    "INSERT INTO words VALUES ('a',1),('b',2),('ulm',3),('rom',4),('5',5),('05',6),('1',7),"
    "('1.0',8),('öl',9)",
    "INSERT INTO binwords VALUES ('a',1),('A',2),('b',3),('ulm',4),('Ulm',5),('5',6),('a b',7)",
    "INSERT INTO moments VALUES ('2024-01-01 10:00:00',1),('2024-01-02 00:00:00',2),"
    "('2024-01-02 23:59:59',3),('2024-05-03 23:59:59',4)",
    "INSERT INTO cities VALUES ('Rom','I',1),('Ulm','D',2),('Bern','CH',4),('Wien','A',3),"
    "('Oslo','N',NULL)",
    "INSERT INTO marks VALUES (1,1),(2,1),(5,3),(8,1),(12,7),(13,1)",
    "INSERT INTO settings VALUES (1,10),(5,50),(20,200)",
    "CREATE FUNCTION doubled(x INT) RETURNS INT RETURN x * 2",
    "CREATE VIEW adults AS SELECT id, city, age FROM users WHERE age >= 30",
    "CREATE VIEW per_city AS SELECT city, COUNT(*) AS n, MAX(age) AS oldest FROM users"
    " GROUP BY city",
    "CREATE VIEW per_user AS SELECT user_id, COUNT(*) AS n, SUM(cents) AS s FROM orders"
    " GROUP BY user_id",
    "CREATE VIEW first_three AS SELECT id, age FROM users ORDER BY age DESC, id LIMIT 3",
]
FIRST = {name: columns.split()[0] for name, columns in KEYED} | {"cities": "name",
                                                                "settings": "id"}


def rules():
    """(rule, [(holds, plan, statement)])"""
    text = (pathlib.Path(__file__).parent / "cases" / "traps.txt").read_text()
    found = []
    for line in text.splitlines():
        if line.startswith("# "):
            found.append((line[2:], []))
        elif line:
            plan, sql = line[2:].split(" | ", 1)
            found[-1][1].append((line[0] == "+", plan, sql))
    return found


RULES = rules()


@pytest.fixture(scope="module")
def both(gathering, plain):
    with testbed.both(gathering, plain, DB, SETUP) as pair:
        yield pair


def steps(node):
    yield node
    for step in node.get("steps", ()):
        yield from steps(step)


def plan(connection, sql):
    """What traps.txt says of a plan."""
    said = testbed.Answer(connection, "EXPLAIN SHARDD FORMAT=JSON " + sql)
    assert said.error is None, (sql, said.error)
    top = json.loads(said.rows[0][0])
    words = []
    for step in itertools.takewhile(lambda s: not s["step"].startswith("or "), steps(top)):
        if step["step"] == "merge" and ("aggregates" in step or "group" in step):
            words.append("grouped")
        elif step["step"] == "merge" and "order" in step:
            words.append("sorted")
        elif step["step"] in ("having", "distinct"):
            words.append(step["step"])
        elif step["step"] == "fetch":
            words.append(step["table"].split(".")[1] + ("/key" if "key" in step else "")
                         + ("/where" if "WHERE" in step["text"] else "")
                         + ("/by" if "steps" in step else ""))
    if top["step"] == "scatter" and "key" in top:
        words.append("keys" if len(top["shards"]) < 3 else "all")
    if top["step"] == "scatter" and "LIMIT" in top["text"]:
        words.append("limited")
    return " ".join([top["step"], *sorted(words)])


def found_by_key(both, table):
    """The rows are those of the server, and each is on the shard of its key."""
    key = FIRST[table]
    for row in both.compare(f"SELECT * FROM {table}").rows:
        one = testbed.Answer(both.connections[0], f"SELECT * FROM {table} WHERE {key} = %s",
                             (row[0],))
        assert row in one.rows, f"{table}: {row} is not found by its key"


@pytest.mark.parametrize("rule, statements", RULES, ids=[r.split(":")[0] for r, _ in RULES])
def test_rule(both, rule, statements):
    assert any(holds for holds, _, _ in statements) and not all(h for h, _, _ in statements)
    wrong = []
    for _, wanted, sql in statements:
        got = plan(both.connections[0], sql)
        if got != wanted:
            wrong.append(f"{sql}\n  is {got}, not {wanted}")
        both.run("BEGIN")
        try:
            assert both.compare(sql).error is None, sql
            if not sql.startswith(("SELECT", "WITH", "(")):
                for table in FIRST:
                    if f" {table} " in sql:
                        found_by_key(both, table)
        finally:
            both.run("ROLLBACK")
    assert not wrong, f"{rule}:\n" + "\n".join(wrong)


@pytest.mark.parametrize("kind", ["TINYINT", "SMALLINT UNSIGNED", "INT", "BIGINT"])
def test_not_in_of_values_of_another_type(both, kind):
    """Copies have no key by which a server would look for what the column cannot have: it forgets
    the NULLs of the column then."""
    both.run("CREATE OR REPLACE TABLE few (id INT PRIMARY KEY, v BIGINT UNSIGNED NOT NULL)"
             " COMMENT 'shardd: key(id)'")
    both.run(f"CREATE OR REPLACE TABLE other (id INT PRIMARY KEY, v {kind} NULL)"
             " COMMENT 'shardd: key(id)'")
    both.run("INSERT INTO few VALUES (1, 18446744073709551615), (2, 70000), (3, 1), (4, 2)")
    both.run("INSERT INTO other VALUES (1, 1), (2, NULL), (3, 5)")
    for test in ("f.v NOT IN (SELECT o.v FROM other o)", "f.v <> ALL (SELECT o.v FROM other o)",
                 "(f.v IN (SELECT o.v FROM other o)) IS NULL",
                 "70000 NOT IN (SELECT o.v FROM other o WHERE o.id > f.id)",
                 "f.v + 1 NOT IN (SELECT o.v FROM other o WHERE o.v <> f.id)",
                 "f.v NOT IN (SELECT o.v FROM other o JOIN other q ON q.v = o.v)"):
        both.compare(f"SELECT f.id, f.v FROM few f WHERE {test} ORDER BY f.id")


ROWNUM = [
    "INSERT INTO counted VALUES (11, ROWNUM()), (12, ROWNUM()), (13, ROWNUM())",
    "SELECT * FROM counted ORDER BY id",
    "INSERT INTO counted SELECT id + 100, ROWNUM() FROM counted",
    "SELECT n FROM counted WHERE id > 100 ORDER BY n",
    "SELECT COUNT(*) FROM counted WHERE ROWNUM() < 3", "SELECT ROWNUM() FROM counted ORDER BY 1",
    "SELECT COUNT(*) FROM (SELECT id, ROWNUM() r FROM counted) x WHERE r < 3",
    "CREATE VIEW two AS SELECT id FROM counted WHERE ROWNUM() <= 2", "SELECT COUNT(*) FROM two",
    "SELECT id, ROWNUM() FROM counted WHERE id = 12", "UPDATE counted SET n = 50 + ROWNUM()",
    "SELECT n FROM counted ORDER BY n", "DELETE FROM counted WHERE ROWNUM() < 3",
    "SELECT COUNT(*) FROM counted", "DROP VIEW two",
]


def test_rownum_counts_the_rows_of_all_shards(both):
    both.run("CREATE TABLE counted (id INT PRIMARY KEY, n INT) COMMENT 'shardd: key(id)'")
    for sql in ROWNUM:
        assert both.compare(sql).error is None, sql
    both.run("DROP TABLE counted")


HIDDEN = [
    "INSERT INTO hidden VALUES (1)", "INSERT INTO hidden VALUES (2), (3)",
    "INSERT INTO hidden SELECT n + 5 FROM hidden", "REPLACE INTO hidden VALUES (9)",
    "INSERT INTO hidden VALUES (77) ON DUPLICATE KEY UPDATE n = 8",
    "INSERT INTO hidden VALUES (78), (79) RETURNING n", "INSERT INTO hidden () VALUES ()",
    "SELECT * FROM hidden ORDER BY n", "SELECT COUNT(*), COUNT(DISTINCT id) FROM hidden",
]


def test_numbers_of_an_invisible_column(both):
    """A worker died of the first."""
    both.run("CREATE TABLE hidden (`i``d` INT INVISIBLE PRIMARY KEY AUTO_INCREMENT, n INT)")
    for sql in HIDDEN:
        assert both.compare(sql.replace("DISTINCT id", "DISTINCT `i``d`")).error is None, sql
    both.run("DROP TABLE hidden")


UNSEEN = [
    "SELECT DISTINCT * FROM unseen", "SELECT DISTINCT u.* FROM unseen u",
    "SELECT DISTINCT * FROM unseen LIMIT 5", "SELECT DISTINCT *, n + 1 FROM unseen",
    "SELECT DISTINCT a.* FROM unseen a JOIN unseen b ON a.id = b.id",
    "SELECT DISTINCT a.*, b.n FROM unseen a JOIN unseen b USING (id)",
    "SELECT DISTINCT * FROM (SELECT * FROM unseen) d",
    "SELECT * FROM unseen UNION SELECT * FROM unseen",
    "SELECT DISTINCT *, id FROM unseen", "SELECT COUNT(*) FROM (SELECT DISTINCT * FROM unseen) d",
]


def test_a_star_leaves_an_invisible_key_out(both):
    """Rows that are alike but for the key were not made one."""
    both.run("CREATE TABLE unseen (id INT INVISIBLE PRIMARY KEY AUTO_INCREMENT, n INT)")
    both.run("INSERT INTO unseen (n) VALUES (1), (2), (1), (2), (1), (NULL), (NULL), (NULL)")
    for sql in UNSEEN:
        got = both.compare(sql)
        assert got.error is None, (sql, got.error)
    both.run("DROP TABLE unseen")
