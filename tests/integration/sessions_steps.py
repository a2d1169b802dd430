"""sessions_steps.py - what the clients of sessions.py do: random steps of sessions.

A step is a tuple: ("query", sql), ("prepare", slot, sql), ("execute", slot, values), ("cursor",
slot, values), ("fetch", slot, rows), ("close", slot), ("restart", slot), ("long", slot, bytes),
("reset",), ("user", db), ("init", db), ("ping",), ("kill", how, client). Each client has two
databases, cN and dN, that nobody else writes to.
"""
import re

ROWS = ", ".join(f"({i}, {i * 10}, '{c}')" for i, c in enumerate("abcdef", 1))
TABLES = [
    "CREATE TABLE {db}.t (id BIGINT PRIMARY KEY, n INT, s VARCHAR(20)) COMMENT 'shardd: key(id)'",
    "CREATE TABLE {db}.g (id INT AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL, s VARCHAR(5)) "
    "COMMENT 'shardd: global'",
    "CREATE TABLE {db}.r (id INT PRIMARY KEY, n INT, s VARCHAR(20)) COMMENT 'shardd: reference'",
]
OTHER = [
    "CREATE TABLE {db}.t (id INT PRIMARY KEY, n INT, s VARCHAR(20)) COMMENT 'shardd: key(id)'",
    "CREATE TABLE {db}.g (id INT PRIMARY KEY, n INT, s VARCHAR(20)) COMMENT 'shardd: global'",
]
CODE = [
    "CREATE TABLE {db}.au (id INT AUTO_INCREMENT PRIMARY KEY, n INT) COMMENT 'shardd: global'",
    "CREATE TABLE {db}.g (id INT PRIMARY KEY, n INT, s VARCHAR(20)) COMMENT 'shardd: global'",
    "CREATE FUNCTION {db}.f(i INT) RETURNS INT BEGIN SET @f = COALESCE(@f, 0) + i; RETURN @f; END",
    "CREATE FUNCTION {db}.fm() RETURNS INT BEGIN SET time_zone = '+04:00'; RETURN 1; END",
    "CREATE PROCEDURE {db}.p(OUT o INT) BEGIN SELECT COUNT(*) INTO o FROM {db}.g; "
    "SET @inside = CONCAT('in ', o); END",
    "CREATE PROCEDURE {db}.q(IN i INT) BEGIN SET group_concat_max_len = 9, @q = i; "
    "SET time_zone = '+02:00'; SELECT i, n FROM {db}.g WHERE id <= i ORDER BY id; SELECT @q; END",
    "CREATE PROCEDURE {db}.w(IN i INT) BEGIN UPDATE {db}.au SET n = n + i; "
    "INSERT INTO {db}.au (n) VALUES (i), (i); END",
    "CREATE PROCEDURE {db}.x() BEGIN START TRANSACTION; UPDATE {db}.au SET n = n + 1; COMMIT; END",
    "CREATE PROCEDURE {db}.y() BEGIN SET NAMES latin1; SET max_error_count = 3; "
    "SELECT CAST('x' AS INT); SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'y'; END",
    "CREATE PROCEDURE {db}.z() BEGIN START TRANSACTION; UPDATE {db}.au SET n = n + 1; END",
]


def setup(number, first):
    c, d, e = f"c{number}", f"d{number}", f"e{number}"
    if first:
        return [f"CREATE DATABASE {c}", f"CREATE DATABASE {d} CHARACTER SET latin1",
                f"CREATE DATABASE {e}", *(s.format(db=c) for s in TABLES),
                *(s.format(db=d) for s in OTHER), *(s.format(db=e) for s in CODE),
                *fill(c), *fill(d), *fill(e)]
    return [f"DROP TABLE IF EXISTS {c}.x, {c}.t2, {c}.y", f"DROP VIEW IF EXISTS {c}.v",
            f"DROP TABLE IF EXISTS {c}.t, {c}.g, {c}.r", *(s.format(db=c) for s in TABLES),
            f"TRUNCATE {e}.au", *fill(c),
            # What one of the two was refused may have been committed by the other one.
            *(f"DELETE FROM {t}" for t in (f"{d}.t", f"{d}.g", f"{e}.g")), *fill(d), *fill(e)]


def teardown(number):
    return [f"DROP DATABASE {name}{number}" for name in "cde"]


def fill(db):
    return [f"INSERT INTO {db}.{t} (id, n, s) VALUES {ROWS}"
            for t in {"c": "tgr", "d": "tg", "e": "g"}[db[0]]]


def writes(step):
    """Whether the step may have changed a table."""
    if step[0] in ("prepare", "query"):
        return not re.match(r"(SELECT|SET|SHOW|BEGIN|COMMIT|ROLLBACK|USE|DO)\b[^;]*$", step[1 if
                            step[0] == "query" else 2])
    return False


MODES = ["''", "'ANSI_QUOTES'", "'STRICT_ALL_TABLES'", "'TRADITIONAL'", "'NO_BACKSLASH_ESCAPES'",
         "'PIPES_AS_CONCAT'", "'ONLY_FULL_GROUP_BY'", "'PAD_CHAR_TO_FULL_LENGTH'", "'nonsense'",
         "CONCAT(@@sql_mode, ',ANSI_QUOTES')", "'NO_AUTO_VALUE_ON_ZERO'", "'IGNORE_SPACE'",
         "'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO'", "'EMPTY_STRING_IS_NULL'", "3",
         "'NO_ENGINE_SUBSTITUTION'", "'ANSI'", "REPLACE(@@sql_mode, 'ANSI_QUOTES', '')"]
ZONES = ["'+03:00'", "'-11:00'", "'SYSTEM'", "'nowhere'", "'+00:00'", "@@time_zone"]
CHARSETS = ["latin1", "utf8mb4", "utf8mb3", "ascii", "binary", "nosuch", "'latin1'", "cp1251"]
COLLATIONS = ["utf8mb4_bin", "latin1_german1_ci", "utf8mb4_general_ci", "latin1_bin", "nosuch_ci",
              "'utf8mb4_unicode_ci'"]
LEVELS = ["READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]
SETTINGS = {
    "sql_mode": MODES, "time_zone": ZONES,
    "character_set_client": CHARSETS + ["ucs2"], "character_set_results": CHARSETS + ["NULL"],
    "character_set_connection": CHARSETS, "collation_connection": COLLATIONS,
    "tx_isolation": ["'" + level.replace(" ", "-") + "'" for level in LEVELS] + ["'x'", "1"],
    "autocommit": ["0", "1", "ON", "OFF", "'on'", "2", "NULL", "1 - 1"],
    "max_statement_time": ["0", "30", "100.5", "-1", "'x'"],
    "sql_select_limit": ["1", "3", "0", "DEFAULT", "-1", "18446744073709551615"],
    "lock_wait_timeout": ["1", "5", "999999999", "'1'"], "innodb_lock_wait_timeout": ["1", "3"],
    "auto_increment_increment": ["1", "2", "5", "0", "70000"],
    "auto_increment_offset": ["1", "3", "0"],
    "group_concat_max_len": ["4", "7", "1", "1000"], "div_precision_increment": ["1", "9", "77"],
    "default_week_format": ["1", "3", "9"], "lc_time_names": ["'de_DE'", "'fr_FR'", "'xx'", "4"],
    "sql_safe_updates": ["0", "1"], "max_error_count": ["0", "1", "3", "64"],
    "sql_notes": ["0", "1"], "foreign_key_checks": ["0", "1"], "unique_checks": ["0", "1"],
    "sql_auto_is_null": ["0"], "completion_type": ["CHAIN", "NO_CHAIN", "'CHAIN'", "1", "0"],
    "wait_timeout": ["100", "100000"], "timestamp": ["1000000000", "1.5"],
    "last_insert_id": ["5", "0"], "identity": ["6"], "sql_quote_show_create": ["0", "1"],
    "max_sort_length": ["64", "8", "1024"], "big_tables": ["0", "1"], "sql_warnings": ["0", "1"],
    "tx_read_only": ["0"], "sql_big_selects": ["0", "1"],
    "nosuch": ["1"], "max_connections": ["7"], "join_buffer_size": ["1000"],
    "tmp_table_size": ["2000", "100000"], "max_heap_table_size": ["20000"],
    "default_storage_engine": ["'InnoDB'", "'MyISAM'", "nosuch"], "profiling": ["0"],
    "optimizer_switch": ["'mrr=on'", "'mrr=off'", "'default'", "'x=on'"],
    "max_recursive_iterations": ["2", "1000"], "old_mode": ["''", "'UTF8_IS_UTF8MB3'"],
    "sort_buffer_size": ["100000"], "net_write_timeout": ["77"], "query_cache_type": ["OFF"],
    "character_set_filesystem": ["latin1", "binary"], "collation_server": ["latin1_bin"],
    "explicit_defaults_for_timestamp": ["0", "1"], "check_constraint_checks": ["0", "1"],
    "transaction_prealloc_size": ["4096"],
    "session_track_system_variables": ["'autocommit,time_zone'", "''", "'nosuch'"],
    "session_track_state_change": ["0", "1"], "session_track_schema": ["0", "1"],
}
# Of these some values are changed with a warning, or cannot be set so.
NOT_FOR_ONE = {"auto_increment_increment", "auto_increment_offset", "big_tables", "timestamp",
               "group_concat_max_len", "max_error_count", "sql_select_limit", "query_cache_type",
               "div_precision_increment", "default_week_format", "lock_wait_timeout", "sql_notes",
               "max_sort_length", "join_buffer_size", "tmp_table_size", "max_statement_time",
               "max_heap_table_size", "session_track_system_variables", "sort_buffer_size"}
VALUES = ["1", "-7", "18446744073709551615", "1.50", "1e0", "'text'", "''", "'it''s'", "x'00ff'",
          "NULL", "TRUE", "'é'", "_latin1 x'e9'", "DATE'2020-02-29'", "'e' COLLATE utf8mb4_bin",
          "1/3", "REPEAT('long ', 300)", "CAST(NULL AS SIGNED)", "@b", "@@sql_mode",
          "(SELECT 5)", "LAST_INSERT_ID()", "TIME'10:11:12'", "'7abc'"]
PARAMETERS = [1, 2, 3, 5, 77, -1, None, "a", "2", "é", "", "x'y\"z\\"]


class Maker:
    def __init__(self, rng, me, clients):
        self.rng, self.me, self.clients = rng, me, clients
        self.c, self.d, self.e = f"c{me}", f"d{me}", f"e{me}"

    def pick(self, choices):
        what = self.rng.choices([c for _, c in choices], [w for w, _ in choices])[0]
        return what() if callable(what) else what

    def any(self, *choices):
        return self.rng.choice(choices)

    def number(self):
        return self.rng.randint(1, 8)

    def step(self):
        return self.pick([
            (60, lambda: ("query", self.sql())), (10, self.prepared), (2, self.command),
            (3, self.several),
        ])

    def several(self):
        if self.rng.random() < 0.3:
            return "query", (f"SELECT SQL_CALC_FOUND_ROWS id FROM {self.any('t', 'g', 'r')} "
                             "ORDER BY id LIMIT 2; SELECT FOUND_ROWS()")
        if self.rng.random() < 0.3:
            return "query", f"{self.write()}; SELECT ROW_COUNT()"
        return "query", "; ".join(self.sql() for _ in range(self.rng.randint(2, 3)))

    def command(self):
        return self.pick([
            (2, ("reset",)), (2, lambda: ("user", self.any(self.c, self.d, self.c))),
            (3, lambda: ("init", self.any(self.c, self.d, "nosuch"))),
            (1, ("ping",)),
            (1, lambda: ("kill", self.any("QUERY", "QUERY", ""), (self.me + 1) % self.clients)),
        ])

    def prepared(self):
        slot = self.rng.randrange(3)
        values = tuple(self.rng.choice(PARAMETERS) for _ in range(3))
        return self.pick([
            (8, lambda: ("prepare", slot, self.template())), (14, ("execute", slot, values)),
            (2, ("cursor", slot, values)), (2, ("fetch", slot, self.number())),
            (1, ("close", slot)), (1, ("restart", slot)), (1, ("long", slot, b"long")),
        ])

    def template(self):
        t = self.table()
        return self.pick([
            (3, f"SELECT id, n, s FROM {t} WHERE id = ?"), (2, f"SELECT * FROM {t} ORDER BY id"),
            (2, f"SELECT ?, n FROM {t} WHERE s = ? ORDER BY id"), (1, "SELECT ?, @a, @@sql_mode"),
            (2, f"UPDATE {t} SET n = ? WHERE id = ?"), (1, f"UPDATE {t} SET s = ?"),
            (2, f"INSERT INTO {t} (id, n, s) VALUES (?, ?, ?)"),
            (1, f"DELETE FROM {t} WHERE id = ?"),
            (2, f"SELECT COUNT(*), SUM(n) FROM {t} WHERE n > ?"), (1, "SET @a = ?"),
            (1, "SET sql_mode = ?"), (1, "SELECT LAST_INSERT_ID()"),
            (2, lambda: self.sql()), (1, f"SELECT n FROM {t} ORDER BY id LIMIT ?"),
            (1, "SELECT 'é', \"q\", ?"), (1, f"CALL {self.e}.p(?)"), (1, f"CALL {self.e}.q(?)"),
            (1, "SELECT @a := ?"),
        ])

    def table(self):
        return self.pick([
            (6, "t"), (5, "g"), (2, "r"), (4, "tmp"), (1, f"{self.d}.t"), (1, f"{self.c}.t"),
            (1, "x"), (1, "v"), (1, f"{self.c}.g"), (1, f"{self.c}.tmp"), (1, f"{self.c}.r"),
        ])

    def sql(self):
        return self.pick([
            (14, self.setting), (8, self.variables), (12, self.transaction), (12, self.read),
            (12, self.write), (5, self.temporary), (16, self.look), (5, self.named),
            (3, self.locks), (2, self.ddl), (3, self.use), (4, self.routine), (3, self.mistake),
            (3, self.statement_setting),
        ])

    def use(self):
        return f"USE {self.any(self.c, self.c, self.d, self.e, 'nosuch')}"

    # --- settings -------------------------------------------------------------

    def assignment(self):
        name = self.any(*SETTINGS, "sql_mode", "time_zone", "autocommit", "sql_select_limit")
        value = "DEFAULT" if self.rng.random() < 0.15 else self.any(*SETTINGS[name])
        word = self.any("", "", "SESSION ", "LOCAL ", "@@", "@@session.", "@@local.")
        return f"{word}{name} {self.any('=', '=', ':=')} {value}"

    def setting(self):
        charset, collation, level = (self.any(*x) for x in (CHARSETS, COLLATIONS, LEVELS))
        return self.pick([
            (12, lambda: f"SET {self.assignment()}"),
            (3, lambda: f"SET {self.assignment()}, {self.assignment()}"),
            (2, lambda: f"SET @a = {self.any(*VALUES)}, {self.assignment()}, @b = @a"),
            (2, f"SET NAMES {charset}"), (1, f"SET NAMES utf8mb4 COLLATE {collation}"),
            (1, f"SET NAMES latin1 COLLATE {collation}"), (1, "SET NAMES DEFAULT"),
            (1, f"SET CHARACTER SET {charset}"), (1, "SET CHARACTER SET DEFAULT"),
            (1, f"SET NAMES {charset}, @a = 3"),
            (2, f"SET SESSION TRANSACTION ISOLATION LEVEL {level}"),
            (2, f"SET TRANSACTION ISOLATION LEVEL {level}"),
            (1, "SET TRANSACTION READ ONLY"),
            (2, "SET SESSION TRANSACTION READ WRITE"),
            (1, f"SET TRANSACTION READ WRITE, ISOLATION LEVEL {level}"),
            (2, "SET autocommit = 1"), (2, "SET sql_mode = DEFAULT, sql_select_limit = DEFAULT"),
        ])

    def for_one(self):
        """What SET STATEMENT may set, without warnings: those are not told (shardd-sql(7))."""
        name = self.any(*sorted(SETTINGS.keys() - NOT_FOR_ONE))
        return f"{name} = {self.any(*SETTINGS[name])}"

    def statement_setting(self):
        what = self.for_one()
        return self.pick([
            (3, lambda: f"SET STATEMENT {what} FOR {self.read()}"),
            (1, lambda: f"SET STATEMENT {what} FOR {self.write()}"),
            (2, lambda: f"SET STATEMENT {what} FOR {self.look()}"),
            (1, lambda: f"SET STATEMENT {what}, {self.for_one()} FOR {self.read()}"),
        ])

    # --- variables and what is left of statements -----------------------------

    def variables(self):
        v, value = self.any("a", "b", "c", "`d e`"), self.any(*VALUES)
        n = self.number()
        return self.any(
            f"SET @{v} = {value}", f"SELECT @{v}, COLLATION(@{v}), HEX(@{v})", f"SET @{v} := @a",
            f"SELECT @{v} := {value}", f"SELECT @{v} := COALESCE(@{v} + 0, 0) + 1",
            f"SELECT n, s INTO @{v}, @d FROM g WHERE id = {n}", f"DO @{v} := {value}",
            f"SELECT n FROM t WHERE id = {n} INTO @{v}", f"SELECT @{v}, n FROM t WHERE id = {n}",
            f"SET @{v} = (SELECT MAX(n) FROM g)", f"SELECT COUNT(*), @{v} FROM t",
            f"UPDATE g SET n = @{v} := {n} WHERE id = {n}", f"SET @{v} = 1, @b = nosuch()",
            f"SELECT id FROM t WHERE id < @{v} ORDER BY id", f"SELECT @{v} IS NULL, @a = @b",
            "SELECT VARIABLE_NAME, VARIABLE_VALUE FROM information_schema.USER_VARIABLES "
            "WHERE VARIABLE_VALUE IS NOT NULL ORDER BY 1",
            f"SET @{v} = @@{self.any('sql_mode', 'time_zone', 'autocommit', 'warning_count')}",
            f"SELECT @{v} := n FROM g ORDER BY id", f"INSERT INTO g (n) VALUES (@{v} := {n})",
            f"UPDATE t SET n = @{v} WHERE id = {n}", f"SET @{v} = LAST_INSERT_ID()")

    def look(self):
        return self.any(
            "SELECT @@sql_mode, @@time_zone, @@autocommit, @@tx_isolation",
            "SELECT @@character_set_client, @@character_set_results, @@collation_connection",
            "SELECT @@character_set_database, @@collation_database, DATABASE()",
            "SELECT @@tx_read_only, @@completion_type",
            "SELECT @@sql_select_limit, @@max_statement_time, @@lock_wait_timeout",
            "SELECT @@auto_increment_increment, @@auto_increment_offset, @@sql_auto_is_null",
            "SELECT @@last_insert_id, @@identity, @@warning_count, @@error_count",
            "SELECT 'a' || 'b', FROM_UNIXTIME(0), 1/3, DAYNAME('2024-01-01')",
            "SELECT LAST_INSERT_ID()",
            "SELECT LAST_INSERT_ID(), @@warning_count",
            "SHOW WARNINGS", "SHOW ERRORS", "SHOW COUNT(*) WARNINGS", "SHOW WARNINGS LIMIT 1",
            "SHOW COUNT(*) ERRORS", "SELECT LAST_INSERT_ID(41)", "DO LAST_INSERT_ID(42)",
            "SET @a = LAST_INSERT_ID(43)",
            "SHOW VARIABLES LIKE 'character_set_c%'", "SHOW VARIABLES LIKE 'sql_mode'",
            "SELECT 'é', LENGTH('é'), CHARSET('x'), COLLATION('x')", 'SELECT "q"',
            "SELECT 1/0, CAST('x' AS INT)", "SELECT DATABASE(), USER()", "SELECT '\\\\', 'a\\nb'",
            "SELECT @@max_error_count, @@sql_notes, @@foreign_key_checks, @@group_concat_max_len",
            f"SELECT @@{self.asked()}", f"SELECT @@session.{self.asked()}",
            "SELECT @@wait_timeout, @@default_week_format, @@lc_time_names, @@optimizer_switch",
            "SHOW TABLES", "SELECT CONNECTION_ID() > 0", "SHOW SESSION VARIABLES LIKE 'tx_%'")

    def asked(self):
        return self.any(*sorted(SETTINGS.keys() - {"timestamp", "max_connections"}))

    # --- rows -------------------------------------------------------------------

    def read(self):
        t, n = self.table(), self.number()
        return self.any(
            f"SELECT id, n, s FROM {t} WHERE id = {n}", f"SELECT * FROM {t} ORDER BY id",
            f"SELECT COUNT(*), SUM(n) FROM {t}", f"SELECT n, s FROM {t} WHERE n < {n * 10}",
            f"SELECT SQL_CALC_FOUND_ROWS id FROM {t} ORDER BY id LIMIT 2",
            f"SELECT GROUP_CONCAT(s ORDER BY id) FROM {t}", f"SELECT id FROM {t} WHERE id IS NULL",
            f"SELECT n FROM {t} WHERE id = {n} FOR UPDATE", f"SELECT s || 'x' FROM {t} ORDER BY id",
            f"SELECT a.id, b.n FROM {t} a JOIN r b ON a.id = b.id ORDER BY a.id",
            f"SELECT MAX(n) FROM {t} WHERE s IN ('a', 'c') UNION SELECT 5",
            f"SELECT n FROM {t} WHERE id IN (1, {n}) ORDER BY id", f"SELECT 1/0, n FROM {t} "
            f"WHERE id <= 3 ORDER BY id", f"SELECT CAST(s AS INT) FROM {t} WHERE id = {n}",
            f"SELECT a.n FROM {t} a JOIN {self.table()} b ON a.id = b.id ORDER BY 1",
            f"(SELECT id FROM {t}) UNION ALL (SELECT id FROM r) ORDER BY 1",
            f"SELECT s, COUNT(*) FROM {t} GROUP BY s ORDER BY s", f"SHOW COLUMNS FROM {t}",
            "SELECT LAST_INSERT_ID(n) FROM g ORDER BY id")

    def write(self):
        t, n, m = self.table(), self.number(), self.rng.randint(0, 99)
        return self.any(
            f"INSERT INTO {t} (id, n, s) VALUES ({n}, {m}, 'w')",
            f"INSERT IGNORE INTO {t} (id, n, s) VALUES ({n}, 'x', 'long long'), (9, {m}, NULL)",
            f"INSERT INTO g (n) VALUES ({m})", f"INSERT INTO g (n, s) VALUES ({m}, 'p'), (1, 'q')",
            f"UPDATE {t} SET n = n + 1 WHERE id = {n}", f"UPDATE {t} SET n = {m}",
            f"UPDATE {t} SET s = 'too long for this' WHERE id <= {n}",
            f"UPDATE {t} SET n = LAST_INSERT_ID(n + 5) WHERE id = {n}",
            f"DELETE FROM {t} WHERE id = {n}", f"DELETE FROM {t} WHERE n > 50", f"DELETE FROM {t}",
            f"REPLACE INTO {t} (id, n, s) VALUES ({n}, {m}, 'r')",
            f"INSERT INTO {t} (id, n) VALUES ({n}, {m}) ON DUPLICATE KEY UPDATE n = n + 1",
            f"INSERT INTO {t} (id, n, s) SELECT id + 8, n, s FROM {self.table()} WHERE id < {n} "
            "ORDER BY id",
            "INSERT INTO g (n) VALUES (NULL)", f"INSERT INTO {t} (id, n) VALUES (11, 'bad')",
            f"INSERT INTO {t} (id, n) VALUES ({n + 20}, 1), ({n}, 2), ({n + 21}, 3)",
            f"UPDATE {t} SET n = n + 1 ORDER BY id LIMIT 1", f"INSERT INTO g VALUES (0, {m}, '')",
            f"INSERT INTO {self.e}.au (n) VALUES ({m})",
            f"INSERT INTO {t} (id, n) VALUES ({n + 30}, {m}) RETURNING id, n",
            f"UPDATE {t} SET s = \"dq\" WHERE id = {n}", f"UPDATE {t} SET n = 1/0 WHERE id = {n}")

    def mistake(self):
        return self.any(
            "SELEC 1", "SELECT nosuch FROM t", "SELECT * FROM nosuch", "INSERT INTO t VALUES (1)",
            "INSERT INTO t VALUES (1, 1, 1), (2, 2, 2)", "SELECT nosuch()", "DROP TABLE nosuch",
            "SIGNAL SQLSTATE '45000'", "SIGNAL SQLSTATE '01000' SET MESSAGE_TEXT = 'w'",
            "INSERT INTO g (id, n) VALUES (1, 1)", "CALL nosuch()",
            "SELECT (SELECT n FROM g)", "DROP TABLE IF EXISTS nosuch", "DO 1/0", "DO (SELECT 1)",
            "CREATE TABLE t (id INT)", "CREATE TABLE IF NOT EXISTS g (id INT)", "DO SLEEP(0)")

    # --- transactions -------------------------------------------------------------

    def transaction(self):
        name = self.any("a", "b", "`c d`", "A")
        return self.pick([
            (8, "BEGIN"), (3, "START TRANSACTION"), (2, "START TRANSACTION READ ONLY"),
            (1, "START TRANSACTION READ WRITE"), (1, "START TRANSACTION WITH CONSISTENT SNAPSHOT"),
            (8, "COMMIT"), (6, "ROLLBACK"), (1, "COMMIT AND CHAIN"), (1, "ROLLBACK AND CHAIN"),
            (1, "COMMIT RELEASE"), (1, "COMMIT AND NO CHAIN NO RELEASE"), (1, "ROLLBACK RELEASE"),
            (4, f"SAVEPOINT {name}"), (3, f"ROLLBACK TO {name}"), (2, f"RELEASE SAVEPOINT {name}"),
            (1, f"ROLLBACK TO SAVEPOINT {name}"), (3, "SET autocommit = 0"),
            (3, "SET autocommit = 1"), (2, "BEGIN; SELECT @@in_transaction, @@autocommit"),
            (1, "COMMIT WORK"), (1, "BEGIN WORK"),
        ])

    # --- temporary tables, locks, DDL ----------------------------------------------

    def temporary(self):
        name = self.pick([(6, "tmp"), (1, f"{self.c}.tmp"), (1, "g"), (1, "t"), (1, "tmp2")])
        return self.pick([
            (4, f"CREATE TEMPORARY TABLE {name} (id INT PRIMARY KEY, n INT, s VARCHAR(9))"),
            (1, f"CREATE TEMPORARY TABLE IF NOT EXISTS {name} (id INT, n INT, s CHAR(3))"),
            (2, f"CREATE TEMPORARY TABLE {name} LIKE {self.table()}"),
            (2, f"CREATE TEMPORARY TABLE {name} SELECT * FROM {self.table()} ORDER BY id"),
            (1, f"CREATE OR REPLACE TEMPORARY TABLE {name} (id INT, n INT, s INT)"),
            (4, f"INSERT INTO {name} (id, n, s) VALUES ({self.number()}, 1, 'm'), (9, 2, 'n')"),
            (2, f"INSERT INTO {name} SELECT * FROM {self.table()}"),
            (2, f"INSERT INTO {self.table()} (id, n, s) SELECT id + 40, n, s FROM {name} "
             "ORDER BY id"),
            (3, f"SELECT * FROM {name} ORDER BY id"), (2, f"DROP TEMPORARY TABLE {name}"),
            (2, f"DROP TEMPORARY TABLE IF EXISTS {name}"), (1, f"DROP TABLE {name}"),
            (1, f"ALTER TABLE {name} ADD z INT"), (1, f"TRUNCATE {name}"),
            (1, f"UPDATE {name} SET n = n + 1"), (1, f"SHOW CREATE TABLE {name}"),
            (1, f"CREATE TABLE x SELECT * FROM {name}"), (1, f"CREATE TABLE x LIKE {name}"),
        ])

    def locks(self):
        name = self.any(f"l{self.me}", "common")
        return self.any(
            f"SELECT GET_LOCK('{name}', 0)", f"SELECT RELEASE_LOCK('{name}')",
            "SELECT RELEASE_ALL_LOCKS()", f"SELECT IS_FREE_LOCK('{name}')",
            f"DO GET_LOCK('{name}', 0)", f"SELECT IS_USED_LOCK('{name}') = CONNECTION_ID()",
            "LOCK TABLES g READ", "LOCK TABLES g WRITE", "UNLOCK TABLES", "UNLOCK TABLES",
            "LOCK TABLES g WRITE, g AS b READ")

    def ddl(self):
        return self.any(
            "CREATE TABLE x (id INT PRIMARY KEY, n INT, s VARCHAR(9))", "DROP TABLE IF EXISTS x",
            "DROP TABLE x", "ALTER TABLE g ADD z INT", "ALTER TABLE g DROP COLUMN z",
            "ALTER TABLE t ADD z INT DEFAULT 4", "ALTER TABLE t DROP COLUMN z", "TRUNCATE g",
            "TRUNCATE TABLE t", "CREATE OR REPLACE VIEW v AS SELECT * FROM g", "DROP VIEW v",
            "CREATE TABLE IF NOT EXISTS x (id INT)", "CREATE INDEX i ON g (n)",
            "ALTER TABLE g MODIFY s VARCHAR(30)", "CREATE TABLE x LIKE g",
            "CREATE TABLE x SELECT id, n FROM g")

    # --- statements by name, routines ------------------------------------------------

    def named(self):
        name = self.any("p", "q", "P")
        text = self.template().replace("'", "''").replace("\\", "\\\\")
        marks = text.count("?")
        using = " USING " + ", ".join(self.any("@a", "@b", "1", "'x'", "@a + 1")
                                      for _ in range(marks)) if marks else ""
        self.last = getattr(self, "last", using)
        using, old = self.last, using
        made = self.pick([
            (5, f"PREPARE {name} FROM '{text}'"), (8, f"EXECUTE {name}{using}"),
            (1, f"EXECUTE {name}"), (1, f"DEALLOCATE PREPARE {name}"),
            (1, f"EXECUTE IMMEDIATE '{text}'{old}"), (1, f"DROP PREPARE {name}"),
            (1, f"PREPARE {name} FROM @a"), (1, f"EXECUTE {name} USING @a"),
        ])
        if made.startswith("PREPARE"):
            self.last = old
        return made

    def routine(self):
        d, n = self.e, self.number()
        return self.any(
            f"SELECT {d}.f({n})", f"SELECT {d}.f(1), @f", f"CALL {d}.p(@out)",
            "SELECT @out, @inside, @f, @q", f"CALL {d}.q({n})", f"CALL {d}.w({n})",
            f"CALL {d}.x()", f"CALL {d}.y()", f"SELECT {d}.fm()", f"CALL {d}.z()",
            f"SET @a = {d}.f(2)", f"DO {d}.f(3)", f"INSERT INTO {d}.au (n) VALUES ({d}.f(1))")
