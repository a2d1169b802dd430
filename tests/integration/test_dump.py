"""A dump is taken through shardd and restored through it, with the options people use."""
import subprocess

import pytest

TABLES = [
    "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, b VARCHAR(10), d DATETIME, KEY (b))",
    "CREATE TABLE u (id INT PRIMARY KEY, e VARCHAR(20) UNIQUE)",
    "CREATE TABLE r (id INT PRIMARY KEY, b LONGBLOB) COMMENT 'shardd: reference'",
    "CREATE VIEW v AS SELECT id, b FROM t WHERE id > 100",
    "INSERT INTO t (b) VALUES " + ", ".join(f"('x{i}')" for i in range(200)),
    "INSERT INTO u VALUES (1, 'one'), (2, NULL)",
    "INSERT INTO r VALUES (1, 0x00ff27), (2, 'two''s')",
]
WHAT = ["SELECT * FROM t ORDER BY id", "SELECT * FROM u ORDER BY id",
        "SELECT * FROM r ORDER BY id", "SELECT * FROM v ORDER BY id"]


@pytest.mark.parametrize("options", [["--single-transaction"], ["--skip-lock-tables"],
                                     ["--single-transaction", "--skip-extended-insert"]],
                         ids=" ".join)
def test_dump_and_restore(checked, db, options):
    for sql in TABLES:
        checked.sql(sql, db=db)
    login = ["-h127.0.0.1", f"-P{checked.port}", "-uapp", "-papp"]
    dump = subprocess.run(["mariadb-dump", *login, *options, db], capture_output=True, timeout=60)
    assert dump.returncode == 0, dump.stderr
    checked.sql(f"CREATE DATABASE {db}copy")
    try:
        restored = subprocess.run(["mariadb", *login, f"{db}copy"], input=dump.stdout,
                                  capture_output=True, timeout=60)
        assert restored.returncode == 0, restored.stderr
        for sql in WHAT:
            assert checked.sql(sql, db=f"{db}copy") == checked.sql(sql, db=db)
        checked.sql("INSERT INTO t (b) VALUES ('new')", db=f"{db}copy")
        assert checked.sql("SELECT MAX(id) FROM t", db=f"{db}copy") == ((201,),)
    finally:
        checked.sql(f"DROP DATABASE {db}copy")


def test_locks_are_refused_otherwise(checked, db):
    checked.sql(TABLES[0], db=db)
    with checked.connect(db=db) as c, c.cursor() as cursor:
        for sql in "LOCK TABLES t WRITE", "LOCK TABLES t READ":
            with pytest.raises(Exception, match="LOCK TABLES"):
                cursor.execute(sql)
        cursor.execute("SET foreign_key_checks = 0")
        cursor.execute("LOCK TABLES t WRITE")
        cursor.execute("SHOW WARNINGS")
        assert "not locked" in cursor.fetchall()[0][2]
        with pytest.raises(Exception, match="LOCK TABLES"):
            cursor.execute("LOCK TABLES t READ")
