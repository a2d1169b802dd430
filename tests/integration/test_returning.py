"""INSERT, REPLACE and DELETE ... RETURNING: one shard, several, copies; as one server answers."""
import pymysql
import pytest

KINDS = {"sharded": "", "reference": "COMMENT 'shardd: reference'",
         "global": "COMMENT 'shardd: global'"}

STEPS = [
    "INSERT INTO t (id, v) VALUES (5,'a'), (6,'b'), (7,'c'), (8,'d'), (9,'e') "
    "RETURNING v, id, d, UPPER(v)",
    "INSERT INTO t (v) VALUES ('x') RETURNING v",
    "INSERT INTO t (v) VALUES ('x'), ('y'), ('z') RETURNING v",
    "INSERT INTO t SET v = 'set' RETURNING v, d",
    "INSERT IGNORE INTO t (id, v) VALUES (5,'a'), (6,'b'), (77,'c') RETURNING v, id",
    "REPLACE INTO t (id, v) VALUES (5,'aa'), (6,'bb'), (77,'cc') RETURNING v, id",
    "INSERT INTO t (id, v) VALUES (5,'a'), (78,'c') ON DUPLICATE KEY UPDATE v = CONCAT(v, '!') "
    "RETURNING v, id",
    "INSERT INTO t (id, v) VALUES (5,'a') RETURNING v",
    "INSERT INTO t (v, d) VALUES ('z','x'), ('zz','y') RETURNING v, d",
    "BEGIN",
    "INSERT INTO t (v) VALUES ('m1'), ('m2'), ('m3') RETURNING v",
    "COMMIT",
    "BEGIN",
    "INSERT INTO t (v) VALUES ('n1'), ('n2'), ('n3') RETURNING v",
    "ROLLBACK",
    "SELECT v, d FROM t ORDER BY v, d",
    "DELETE FROM t WHERE v LIKE 'm%' RETURNING v, d",
    "DELETE FROM t WHERE id = 5 RETURNING v",
    "INSERT INTO t (v) VALUES ('k1'), ('k2'), ('k3')",
    "SELECT v, d FROM t ORDER BY v, d",
]


@pytest.mark.parametrize("kind", KINDS)
def test_answers(both, kind):
    both.run("CREATE TABLE t (id BIGINT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(20), "
             f"d DECIMAL(8,2) DEFAULT 1.5) {KINDS[kind]}")
    for step in STEPS:
        both.compare(step, ordered=step.startswith("INSERT INTO"))


@pytest.mark.parametrize("kind", KINDS)
def test_last_insert_id_is_the_first_number(checked, db, kind):
    checked.sql(f"CREATE TABLE t (id BIGINT AUTO_INCREMENT PRIMARY KEY, v INT) {KINDS[kind]}",
                db=db)
    with checked.connect(db=db) as c, c.cursor() as cursor:
        for values in "(1)", "(2), (3), (4)":
            cursor.execute(f"INSERT INTO t (v) VALUES {values} RETURNING id")
            ids = [row[0] for row in cursor.fetchall()]
            assert ids == list(range(ids[0], ids[0] + len(ids)))
            cursor.execute("SELECT LAST_INSERT_ID()")
            assert cursor.fetchone() == (ids[0],)
        cursor.execute("INSERT INTO t (id, v) VALUES (900, 5) RETURNING id")
        cursor.execute("SELECT LAST_INSERT_ID()")
        assert cursor.fetchone() == (ids[0],)
        cursor.execute("SELECT id FROM t WHERE v = 3")
        assert cursor.fetchone() == (ids[1],)


def test_a_row_that_fails_leaves_none(checked, db):
    checked.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, v INT)", db=db)
    checked.sql("INSERT INTO t VALUES (50, 0)", db=db)
    rows = ", ".join(f"({i}, 1)" for i in range(1, 51))
    with pytest.raises(pymysql.err.IntegrityError):
        checked.sql(f"INSERT INTO t VALUES {rows} RETURNING id", db=db)
    assert checked.sql("SELECT COUNT(*) FROM t", db=db) == ((1,),)


def test_copies_number_all_rows_or_none(checked, db):
    checked.sql("CREATE TABLE t (id BIGINT AUTO_INCREMENT PRIMARY KEY, v INT) "
                "COMMENT 'shardd: reference'", db=db)
    with pytest.raises(pymysql.err.NotSupportedError, match="in every row"):
        checked.sql("INSERT INTO t VALUES (NULL, 1), (7, 2)", db=db)
    with checked.connect(db=db) as c, c.cursor() as cursor:
        cursor.execute("SET auto_increment_increment = 10")
        cursor.execute("INSERT INTO t VALUES (NULL, 1), (0, 2), (DEFAULT, 3)")
    copies = {checked.on_shard(s, "SELECT id, v FROM t ORDER BY v", db)
              for s in checked.shard_list()}
    assert len(copies) == 1
    (rows,) = copies
    assert [b[0] - a[0] for a, b in zip(rows, rows[1:])] == [10, 10]
