"""What a session is told about its last statement: warnings, errors, counts, ids."""
import pytest

import testbed

ROWS = "(1,1,'a'),(2,2,'b'),(3,3,'c'),(4,4,'d'),(5,5,'e'),(6,6,'f'),(7,7,'g'),(8,8,'h')"


@pytest.fixture
def filled(both):
    both.run("CREATE TABLE t (k INT PRIMARY KEY, a INT, s VARCHAR(10)) COMMENT 'shardd: key(k)'")
    both.run("CREATE TABLE r (k INT PRIMARY KEY, a INT, s VARCHAR(10)) COMMENT 'shardd: reference'")
    both.run(f"INSERT INTO t VALUES {ROWS}")
    both.run(f"INSERT INTO r VALUES {ROWS}")
    return both


KEPT = ["UNLOCK TABLES", "PREPARE p FROM 'SELECT 1'", "PREPARE p FROM 'SELECT * FROM t'",
        "PREPARE p FROM 'UPDATE r SET a = ?'", "PREPARE p FROM 'INSERT INTO t VALUES (?, 1, ?)'"]


@pytest.mark.parametrize("statement", KEPT)
def test_what_is_told_of_the_one_before(filled, statement):
    filled.compare("SELECT nosuch FROM t")
    filled.run(statement)
    for connection in filled.connections:
        connection._result = None
    filled.compare("SHOW WARNINGS")


BAD_ROWS = "(1,1,'dup'),(2,2,'dup'),(20,20,'aaaaaaaaaaaaaaa'),(21,21,'x'),(22,'x','y'),(23,'y','z')"


@pytest.mark.parametrize("statement", [
    f"INSERT IGNORE INTO t VALUES {BAD_ROWS}",
    f"INSERT IGNORE INTO r VALUES {BAD_ROWS}",
    f"INSERT IGNORE INTO t VALUES {BAD_ROWS[:11]}",
    "INSERT INTO t VALUES (31,1,'a'),(32,2,'b'),(33,3,'c'),(34,400000000000,'d')",
    "INSERT INTO t VALUES (31,1,'a'),(32,2,'b'),(3,3,'c')",
    "SELECT k/0 FROM t",
    "SELECT COUNT(*) FROM t WHERE s = 1",
    "SELECT k AS a, COUNT(*) FROM t GROUP BY a",
    "SELECT k FROM t WHERE k = '1x'",
    "SELECT k FROM t WHERE 1 IN ('aa', 'bb') ORDER BY k",
    "SELECT COUNT(*) FROM t WHERE a = 'abc'",
    "UPDATE t SET a = 5 WHERE (k, a) IN ((1, 'aa'), (2, 'bb'))",
    "SELECT nosuch FROM t",
    "SELECT nosuch FROM t WHERE k = 1",
    "SELECT k FROM t ORDER BY 0",
    "SELECT k FROM t GROUP BY 3",
    "UPDATE t SET a = 'x'",
    "UPDATE IGNORE t SET a = 'x' WHERE k = 3",
    "SELEC",
])
@pytest.mark.parametrize("where", ["alone", "transaction", "pinned"])
def test_warnings(filled, statement, where):
    for sql in {"alone": [], "transaction": ["BEGIN", "UPDATE t SET a = a + 1"],
                "pinned": ["SET @x = 1", "SELECT @x"]}[where]:
        filled.run(sql)
    filled.compare(statement, messages=True)
    filled.compare("SELECT @@warning_count, @@session.error_count AS e")
    filled.compare("SHOW COUNT(*) WARNINGS")
    filled.compare("SHOW COUNT(*) ERRORS")
    shown = filled.compare("SHOW WARNINGS")
    filled.compare("SHOW ERRORS")
    # In what order the shards' warnings come is open, how many LIMIT leaves is not.
    limited = [len(testbed.Answer(c, "SHOW WARNINGS LIMIT 1, 3").rows)
               for c in filled.connections]
    assert limited[0] == limited[1] == min(3, max(0, len(shown.rows) - 1))
    filled.compare("SELECT k FROM t WHERE k = 1")
    filled.compare("SHOW WARNINGS")


@pytest.mark.parametrize("table", ["t", "r"])
def test_a_warning_for_each_row(filled, table):
    """Their texts have the numbers of a shard's rows."""
    for statement in (f"UPDATE IGNORE {table} SET a = 'x'", f"UPDATE IGNORE {table} SET a = '1y'",
                      f"UPDATE IGNORE {table} SET s = REPEAT('long', k) WHERE k > 2"):
        ours, theirs = filled.answers(statement)
        filled.check(statement, ours, theirs)
        assert theirs.warnings and ours.info[1:] == theirs.info[1:]
        filled.compare("SHOW COUNT(*) WARNINGS")
        filled.compare(f"SELECT * FROM {table} ORDER BY k")


@pytest.mark.parametrize("statement", [
    "SET tmp_table_size = 1024",
    "SET @@sort_buffer_size = 1, @y = 7",
    "SET sql_mode = 'NO_ENGINE_SUBSTITUTION', max_sort_length = 1",
    "SET @a = 1/0, @b = CAST('12x' AS SIGNED)",
    "SET sort_buffer_size = 1, no_such = 2",
])
def test_warnings_of_set(filled, statement):
    for _ in range(2):
        filled.compare(statement, messages=True)
        filled.compare("SHOW COUNT(*) WARNINGS")
        filled.compare("SHOW WARNINGS")
        filled.compare(statement, messages=True)
        filled.compare("SELECT @y, @a, @b, @@tmp_table_size, @@sort_buffer_size, @@sql_mode")
        filled.compare("SELECT k FROM t WHERE k = 1")
        filled.run("BEGIN")


@pytest.mark.parametrize("where", ["alone", "transaction", "pinned"])
def test_counts(filled, where):
    for sql in {"alone": [], "transaction": ["BEGIN", "UPDATE t SET a = a + 1"],
                "pinned": ["SELECT SQL_CALC_FOUND_ROWS * FROM r LIMIT 1"]}[where]:
        filled.run(sql)
    for statement in ("SHOW WARNINGS", "UPDATE t SET a = 3", "UPDATE t SET a = 3",
                      "UPDATE t SET a = 4 WHERE k IN (1, 2, 3)", "DELETE FROM t WHERE k > 6",
                      "SELECT * FROM t ORDER BY k", "SELECT * FROM t ORDER BY k LIMIT 2",
                      "SELECT SQL_CALC_FOUND_ROWS k FROM r ORDER BY k LIMIT 2",
                      "INSERT INTO t VALUES (1, 1, '')"):
        filled.compare(statement)
        filled.compare("SELECT FOUND_ROWS(), ROW_COUNT() AS n" if "SELECT" in statement
                       else "SELECT ROW_COUNT()")


@pytest.mark.parametrize("rows", [
    "(90,1,'a'),(5,1,'b'),(2,1,'c'),(7,1,'d'),(1,1,'e'),(3,1,'f')",
    "(90,1,'a'),(3,1,'b'),(1,1,'c'),(2,1,'d'),(8,1,'e')",
    "(90,1,'a'),(4,1,'b'),(91,1,'far too long a text'),(2,1,'d'),(8,1,'e'),(7,1,'e')",
    "(90,1,'a'),(91,1,'far too long a text'),(4,1,'b'),(2,1,'d'),(92,'x','e'),(7,1,'e')",
    "('90',1,'a'),('6',1,'b'),('2',1,'d'),('7',1,'e'),('1',1,'e')",
])
def test_the_first_wrong_row_is_told(filled, rows):
    """Whichever shard is the first to answer."""
    for _ in range(3):
        error = filled.compare(f"INSERT INTO t VALUES {rows}", messages=True).error
        assert error is not None


def test_last_insert_id_stays(both):
    """Rows that bring their own numbers are told in the OK; LAST_INSERT_ID() is about
    generated ones."""
    for kind in ("key(id)", "global", "reference"):
        name = kind[:3] + "_t"
        both.run(f"CREATE TABLE {name} (id INT AUTO_INCREMENT PRIMARY KEY, v INT)"
                 f" COMMENT 'shardd: {kind}'")
    both.compare("INSERT INTO glo_t (v) VALUES (1), (2)")
    for statement in ("INSERT INTO key_t VALUES (5, 1)",
                      "INSERT INTO key_t VALUES (6, 1), (7, 1), (8, 1), (9, 1)"):
        both.compare(statement)
        both.compare("SELECT LAST_INSERT_ID()")
    for name in ("glo_t", "ref_t"):
        for statement in (f"INSERT INTO {name} VALUES (105, 1)",
                          f"INSERT INTO {name} VALUES (106, 1), (107, 2)",
                          f"INSERT INTO {name} (v, id) VALUES (1, 108)",
                          f"INSERT INTO {name} SET v = 1, id = 109",
                          f"INSERT INTO {name} VALUES (109, 1) ON DUPLICATE KEY UPDATE v = 7",
                          f"INSERT INTO {name} (v) VALUES (5)",
                          f"INSERT INTO {name} VALUES (NULL, 6)",
                          f"INSERT INTO {name} VALUES (0, 6)",
                          f"UPDATE {name} SET v = LAST_INSERT_ID(44) WHERE id = 109"
                          if name == "glo_t" else "SELECT LAST_INSERT_ID(45)"):
            both.compare(statement)
            both.compare("SELECT LAST_INSERT_ID()")


def test_what_the_statement_before_was_is_asked_by_show_warnings(checked, db):
    """A backend would tell what somebody else's statement has left."""
    with checked.connect(db=db) as c, c.cursor() as cursor:
        cursor.execute("SELECT 1/0")
        with pytest.raises(testbed.pymysql.err.MySQLError) as told:
            cursor.execute("GET DIAGNOSTICS @n = NUMBER")
        assert told.value.args[0] == 1235 and "SHOW WARNINGS" in told.value.args[1]
        with pytest.raises(testbed.pymysql.err.MySQLError) as told:
            cursor.execute("RESIGNAL")
        assert told.value.args[0] == 1645


def test_raised_by_the_client(both):
    """SIGNAL begins anew, as every statement does."""
    for sql in ("SELECT 1/0", "SIGNAL SQLSTATE '01000'",
                "SIGNAL SQLSTATE '01000' SET MESSAGE_TEXT = 'told', MYSQL_ERRNO = 1000",
                "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'refused'", "SIGNAL SQLSTATE '02000'"):
        both.compare(sql, messages=True)
        both.compare("SELECT @@warning_count, @@error_count")
        both.compare("SHOW WARNINGS")
