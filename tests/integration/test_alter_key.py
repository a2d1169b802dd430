"""test_alter_key.py - ALTER TABLE that could give rows another key, or numbers: every row stays
where its key belongs, and no number is given twice."""
import pytest

import testbed

DB = "altered"


@pytest.fixture(scope="module")
def both(gathering, plain):
    with testbed.both(gathering, plain, DB, []) as pair:
        yield pair


NARROWER = [  # the key before, its values, the key behind, does it fit
    ("BIGINT", [50_000_000_001, 7, -3], "INT", False),
    ("BIGINT", [2_147_483_647, -2_147_483_648, 0], "INT", True),
    ("BIGINT UNSIGNED", [2**64 - 1, 5], "BIGINT", False),
    ("BIGINT UNSIGNED", [2**63 - 1, 5], "BIGINT", True),
    ("INT", [-1, -7, 3], "INT UNSIGNED", False),
    ("INT", [0, 255], "TINYINT UNSIGNED", True),
    ("INT", [0, 256], "TINYINT UNSIGNED", False),
    ("INT", [5, -6, 8_388_607], "MEDIUMINT", True),
    ("VARCHAR(20)", ["'abcdef'", "'xyz'", "'longer than'"], "VARCHAR(3)", False),
    ("VARCHAR(20)", ["'abc'", "'xyz '", "'é€a'"], "VARCHAR(4)", True),
    ("VARBINARY(9)", ["'abcdef'", "'x'"], "VARBINARY(5)", False),
    ("VARBINARY(9)", ["'abcde'", "'x'"], "VARBINARY(5)", True),
    ("BINARY(4)", ["'abcd'", "'x'"], "BINARY(8)", False),
    ("DECIMAL(9,3)", ["1.125", "7"], "DECIMAL(9,1)", False),
    ("DATETIME(6)", ["'2020-01-01 00:00:00.9'", "'2021-01-01'"], "DATETIME", False),
]


@pytest.mark.parametrize("mode", ["", "STRICT_TRANS_TABLES"])
@pytest.mark.parametrize("before, values, behind, fits", NARROWER)
def test_a_narrower_key(both, mode, before, values, behind, fits):
    both.run(f"SET sql_mode = '{mode}'")
    both.run(f"CREATE TABLE t (k {before} PRIMARY KEY, v INT) COMMENT 'shardd: key(k)'")
    try:
        both.run("INSERT INTO t VALUES " + ",".join(f"({v}, {i})" for i, v in enumerate(values)))
        sql = f"ALTER TABLE t MODIFY k {behind}"
        if fits:
            both.compare(sql)
        else:
            error = testbed.Answer(both.connections[0], sql).error
            assert error[0] == 1235 and "other values" in error[1], error
        error = testbed.Answer(both.connections[0], f"ALTER IGNORE TABLE t MODIFY k {behind}").error
        assert fits or error[0] == 1235
        both.compare("SELECT * FROM t ORDER BY v")
        for value in values:
            both.compare(f"SELECT v FROM t WHERE k = {value}")
            both.compare(f"REPLACE INTO t VALUES ({value}, 100)")
        both.compare("SELECT COUNT(*) FROM t")
        both.cluster.fsck()
    finally:
        both.run("DROP TABLE t")
        both.run("SET sql_mode = DEFAULT")


def test_an_empty_table_may_become_anything(both):
    for sql in ("CREATE TABLE t (k DATETIME(6) PRIMARY KEY) COMMENT 'shardd: key(k)'",
                "ALTER TABLE t MODIFY k DATETIME", "ALTER TABLE t MODIFY k DATE",
                "INSERT INTO t VALUES ('2020-01-01')", "SELECT * FROM t", "DROP TABLE t"):
        both.compare(sql)


def test_another_character_set(both):
    both.run("SET sql_mode = ''")
    both.run("CREATE TABLE t (k VARCHAR(9) CHARACTER SET utf8mb3 PRIMARY KEY)"
             " COMMENT 'shardd: key(k)'")
    both.run("INSERT INTO t VALUES ('a'), ('é'), ('€')")
    for sql in ("ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4", "SELECT * FROM t ORDER BY 1",
                "INSERT INTO t VALUES ('𝄞')", "SELECT * FROM t WHERE k = 'é'"):
        both.compare(sql)
    assert testbed.Answer(both.connections[0],
                          "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb3").error is not None
    both.compare("SELECT * FROM t WHERE k = '𝄞'")
    both.run("DROP TABLE t")
    both.run("SET sql_mode = DEFAULT")


NUMBERS = [
    "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY) AUTO_INCREMENT = 10",
    "INSERT INTO t VALUES (NULL), (NULL)", "TRUNCATE t", "INSERT INTO t VALUES (NULL)",
    "ALTER TABLE t AUTO_INCREMENT = 1000", "INSERT INTO t VALUES (NULL), (NULL)",
    "ALTER TABLE t AUTO_INCREMENT = 20000, RENAME u", "INSERT INTO u VALUES (NULL)",
    "ALTER TABLE u AUTO_INCREMENT = 30000, CHANGE id n INT AUTO_INCREMENT",
    "INSERT INTO u VALUES (NULL)", "SELECT * FROM u ORDER BY 1", "DROP TABLE u",
    # rows with numbers that no sequence gave
    "CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (-5), (7), (1000)",
    "ALTER TABLE t MODIFY id INT AUTO_INCREMENT", "INSERT INTO t VALUES (NULL), (NULL)",
    "SELECT * FROM t ORDER BY 1", "DROP TABLE t",
    "CREATE TABLE t (id INT PRIMARY KEY, n INT, KEY (n))",
    "INSERT INTO t VALUES (1, 10), (2, 20), (3, 30), (4, 40)",
    "ALTER TABLE t CHANGE n m BIGINT AUTO_INCREMENT", "INSERT INTO t (id) VALUES (5), (6)",
    "INSERT INTO t VALUES (7, 0), (8, NULL)", "SELECT * FROM t ORDER BY 1", "DROP TABLE t",
]


GREATEST = [
    "CREATE TABLE t (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY)",
    "INSERT INTO t VALUES (18446744073709551615)", "INSERT INTO t VALUES (NULL)",
    "INSERT INTO t VALUES (18446744073709551614), (5)", "SELECT * FROM t ORDER BY 1",
    "DROP TABLE t",
]


def test_the_greatest_number(both):
    """None is behind it: it was looked for without end."""
    for sql in GREATEST:
        both.compare(sql)


def test_numbers_go_on(both):
    for sql in NUMBERS:
        both.compare(sql)


@pytest.mark.parametrize("columns, values, change", [
    ("id INT PRIMARY KEY", "(0), (7), (9)", "MODIFY id INT AUTO_INCREMENT"),
    ("id INT PRIMARY KEY, n INT, KEY (n)", "(1, 10), (2, NULL), (3, 4)",
     "MODIFY n INT AUTO_INCREMENT"),
    ("id INT PRIMARY KEY, n INT, KEY (n)", "(1, 10), (2, 0), (3, 4)",
     "CHANGE n m INT AUTO_INCREMENT"),
    ("id INT PRIMARY KEY", "(1), (2), (3)", "ADD n INT AUTO_INCREMENT, ADD KEY (n)"),
])
def test_no_shard_finds_numbers_for_rows(both, columns, values, change):
    shardd = both.connections[0]
    both.run(f"CREATE TABLE t ({columns}) COMMENT 'shardd: key(id)'")
    both.run(f"INSERT INTO t VALUES {values}")
    error = testbed.Answer(shardd, f"ALTER TABLE t {change}").error
    assert error[0] == 1235 and "give them values first" in error[1], error
    both.compare("SELECT * FROM t ORDER BY id")
    both.run("TRUNCATE t")
    both.compare(f"ALTER TABLE t {change}")
    both.compare(f"INSERT INTO t {'' if columns.startswith('id INT PRIMARY KEY,') else '(id)'}"
                 f" VALUES {values.replace('(0)', '(1)')}")
    both.run("DROP TABLE t")
    both.cluster.fsck()
