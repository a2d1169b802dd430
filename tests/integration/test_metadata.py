"""What describes tables, views, routines and plans, as one plain server says it."""
import pytest

import testbed

OBJECTS = [
    "CREATE TABLE users (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, name VARCHAR(40) NOT NULL"
    " DEFAULT 'x' COMMENT 'who', city VARCHAR(20) CHARACTER SET latin1, born DATE, score"
    " DECIMAL(8,3), tags SET('a','b'), up TIMESTAMP DEFAULT CURRENT_TIMESTAMP ON UPDATE"
    " CURRENT_TIMESTAMP, full_name VARCHAR(80) AS (CONCAT(name, '!')) STORED, KEY by_city (city,"
    " born), CHECK (score > 0)) COMMENT 'people'",
    "CREATE TABLE orders (user_id BIGINT UNSIGNED, line INT, note TEXT, j JSON, PRIMARY KEY"
    " (user_id, line), FULLTEXT (note), CONSTRAINT whose FOREIGN KEY (user_id) REFERENCES users"
    " (id))",
    "CREATE TABLE kinds (id INT PRIMARY KEY, name CHAR(9) UNIQUE) COMMENT 'shardd: reference'",
    "CREATE TABLE notes (a INT, b BLOB, g POINT, KEY (a))",
    "CREATE TABLE parts (k INT PRIMARY KEY, v INT) PARTITION BY RANGE (k) (PARTITION p0 VALUES LESS"
    " THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE)",
    "CREATE VIEW people AS SELECT id, name FROM users",
    "CREATE OR REPLACE SQL SECURITY INVOKER VIEW plain_notes (x) AS SELECT a FROM notes",
    "ALTER TABLE users ADD COLUMN phone VARCHAR(20) AFTER name, ALTER name SET DEFAULT 'y'",
    "CREATE INDEX by_score ON users (score DESC)",
]

STATEMENTS = [
    "SHOW TABLES", "SHOW FULL TABLES", "SHOW TABLES LIKE '%s'", "SHOW TABLES WHERE 1",
    "SHOW TABLES FROM {db}", "SHOW TABLES FROM nosuch", "SHOW OPEN TABLES LIKE 'nosuch'",
    "SHOW CREATE TABLE users", "SHOW CREATE TABLE orders", "SHOW CREATE TABLE kinds",
    "SHOW CREATE TABLE notes", "SHOW CREATE TABLE parts", "SHOW CREATE TABLE people",
    "SHOW CREATE VIEW people", "SHOW CREATE VIEW plain_notes", "SHOW CREATE VIEW users",
    "SHOW CREATE TABLE nosuch", "SHOW CREATE DATABASE {db}", "SHOW CREATE TABLE {db}.users",
    "SHOW COLUMNS FROM users", "SHOW FULL COLUMNS FROM users", "SHOW FIELDS FROM orders LIKE 'n%'",
    "SHOW COLUMNS FROM people", "SHOW COLUMNS FROM users WHERE `Null` = 'YES'",
    "SHOW FULL FIELDS IN kinds IN {db}", "DESCRIBE users", "DESC users name", "EXPLAIN users",
    "DESCRIBE users '%na%'", "DESCRIBE people", "DESCRIBE nosuch", "DESC {db}.orders",
    "SHOW TRIGGERS", "SHOW TRIGGERS LIKE 'x'", "SHOW EVENTS", "SHOW EVENTS FROM {db}",
    "SHOW PROCEDURE STATUS WHERE Db = '{db}'", "SHOW FUNCTION STATUS LIKE 'nosuch'",
    "SHOW CREATE PROCEDURE nosuch", "SHOW CREATE FUNCTION nosuch", "SHOW CREATE TRIGGER nosuch",
    "SHOW CREATE EVENT nosuch", "SHOW CREATE SEQUENCE users", "SHOW WARNINGS", "SHOW ERRORS",
    "SHOW CHARACTER SET LIKE 'utf8%'", "SHOW COLLATION LIKE 'utf8mb4_g%'", "SHOW ENGINES",
    "SHOW PRIVILEGES", "SHOW DATABASES LIKE '{db}'", "SHOW SCHEMAS LIKE 'nosuch'",
    "SHOW INDEX FROM people", "SHOW INDEX FROM kinds", "SHOW VARIABLES LIKE 'sql_mode'",
    "SHOW SESSION VARIABLES LIKE 'autocommit'", "SHOW GLOBAL VARIABLES LIKE 'innodb_page_size'",
    "SHOW VARIABLES WHERE Variable_name = 'lower_case_table_names'", "SELECT @@version_comment",
    "SELECT TABLE_NAME, TABLE_TYPE, ENGINE, TABLE_COMMENT FROM information_schema.TABLES WHERE"
    " TABLE_SCHEMA = '{db}' ORDER BY 1",
    "SELECT TABLE_NAME, COLUMN_NAME, ORDINAL_POSITION, COLUMN_DEFAULT, IS_NULLABLE, COLUMN_TYPE,"
    " COLUMN_KEY, EXTRA, GENERATION_EXPRESSION FROM information_schema.COLUMNS WHERE TABLE_SCHEMA ="
    " '{db}' ORDER BY 1, 3",
    "SELECT TABLE_NAME, VIEW_DEFINITION, IS_UPDATABLE, SECURITY_TYPE FROM"
    " information_schema.VIEWS WHERE TABLE_SCHEMA = '{db}' ORDER BY 1",
    "SELECT CONSTRAINT_NAME, TABLE_NAME, CONSTRAINT_TYPE FROM information_schema.TABLE_CONSTRAINTS"
    " WHERE TABLE_SCHEMA = '{db}' ORDER BY 1, 2",
    "SELECT CONSTRAINT_NAME, TABLE_NAME, COLUMN_NAME, REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME"
    " FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_SCHEMA = '{db}' ORDER BY 1, 2, 3",
    "SELECT CONSTRAINT_NAME, UPDATE_RULE, DELETE_RULE, TABLE_NAME, REFERENCED_TABLE_NAME FROM"
    " information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = '{db}'",
    "SELECT TABLE_NAME, CONSTRAINT_NAME, CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS"
    " WHERE CONSTRAINT_SCHEMA = '{db}' ORDER BY 1, 2",
    "SELECT TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX, COLUMN_NAME, COLLATION, NON_UNIQUE, INDEX_TYPE"
    " FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = '{db}' ORDER BY 1, 2, 3",
    "SELECT SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM"
    " information_schema.SCHEMATA WHERE SCHEMA_NAME = '{db}'",
    "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = '{db}'",
    "SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = '{db}'",
    "SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = '{db}'",
    "SELECT PARTITION_NAME, PARTITION_DESCRIPTION FROM information_schema.PARTITIONS WHERE"
    " TABLE_SCHEMA = '{db}' AND TABLE_NAME = 'parts' ORDER BY 1",
    "SELECT t.TABLE_NAME, c.COLUMN_NAME, s.INDEX_NAME FROM information_schema.TABLES t JOIN"
    " information_schema.COLUMNS c ON c.TABLE_SCHEMA = t.TABLE_SCHEMA AND c.TABLE_NAME ="
    " t.TABLE_NAME LEFT JOIN information_schema.STATISTICS s ON s.TABLE_SCHEMA = c.TABLE_SCHEMA AND"
    " s.TABLE_NAME = c.TABLE_NAME AND s.COLUMN_NAME = c.COLUMN_NAME WHERE t.TABLE_SCHEMA = '{db}'"
    " ORDER BY 1, 2, 3",
    "SELECT k.TABLE_NAME, r.DELETE_RULE FROM information_schema.KEY_COLUMN_USAGE k NATURAL JOIN"
    " information_schema.REFERENTIAL_CONSTRAINTS r WHERE k.TABLE_SCHEMA = '{db}'",
    "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = '{db}' AND TABLE_NAME IN"
    " (SELECT TABLE_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = '{db}')",
    "SELECT DATABASE(), SCHEMA()",
]


@pytest.fixture(scope="module")
def described(cluster, plain):
    name = "described"
    for where in cluster, plain:
        where.sql(f"CREATE DATABASE {name}", db=None)
    both = testbed.Both(cluster, plain, name)
    for sql in OBJECTS:
        both.run(sql)
    yield both
    both.close()
    for where in cluster, plain:
        where.sql(f"DROP DATABASE {name}", db=None)
    cluster.fsck()


@pytest.mark.parametrize("sql", STATEMENTS)
def test_described(described, sql):
    ours, theirs = (testbed.Answer(c, sql.format(db=described.db)) for c in described.connections)
    where = f"{sql}\n shardd: {ours}\n server: {theirs}"
    if theirs.error or ours.error:
        assert ours.error and theirs.error and ours.error == theirs.error, where
        return
    assert ours.rows == theirs.rows, where
    assert [c[:2] for c in ours.columns] == [c[:2] for c in theirs.columns], where


def test_a_database_at_home_elsewhere(checked, db):
    """Its global tables are on that shard only."""
    first, second = (s["name"] for s in checked.shard_list())
    home = {d["name"]: d["home"] for d in checked.ctl("database list")["databases"]}[db]
    checked.ctl_raw("database create", "elsewhere", "--home-shard",
                    second if home == first else first)
    try:
        with checked.connect(db="elsewhere") as c:
            c.query("CREATE TABLE lonely (a INT, b INT) COMMENT 'shardd: global'")
            c.query("CREATE VIEW looks AS SELECT a FROM lonely")
        for schema in db, "elsewhere", None:
            with checked.connect(db=schema) as c:
                for sql, rows in (
                        ("SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA ="
                         " 'elsewhere' AND TABLE_NAME = 'lonely' ORDER BY 1", [("a",), ("b",)]),
                        ("SELECT v.TABLE_NAME FROM information_schema.VIEWS v WHERE v.TABLE_SCHEMA"
                         " IN ('elsewhere')", [("looks",)]),
                        ("SELECT TABLE_SCHEMA FROM information_schema.TABLES WHERE TABLE_NAME ="
                         " 'lonely'", [("elsewhere",)]),
                        ("SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA ="
                         " 'elsewhere'", [(2,)])):
                    answer = testbed.Answer(c, sql)
                    assert answer.rows == rows, (schema, sql, answer)
    finally:
        checked.sql("DROP DATABASE elsewhere")


def test_temporary_and_other_tables_in_one_drop(checked, db):
    with checked.connect(db=db) as c:
        c.query("CREATE TABLE g (k INT) COMMENT 'shardd: global'")
        c.query("CREATE TEMPORARY TABLE tt (k INT)")
        for sql in "DROP TABLE tt, g", "DROP TABLE IF EXISTS g, tt":
            answer = testbed.Answer(c, sql)
            assert answer.error and answer.error[0] == 1235, answer
        for sql in "SELECT * FROM g", "DROP TABLE tt", "DROP TABLE g":
            answer = testbed.Answer(c, sql)
            assert answer.error is None, answer
