"""LOAD DATA LOCAL INFILE into sharded and reference tables: as into one server."""
import random
import zlib

import pytest

import testbed

LOADS = {"local_infile": True}


class Loader(testbed.Both):
    """The same file into a cluster and a plain server."""

    def __init__(self, cluster, plain, db, folder):
        super().__init__(cluster, plain, db)
        self.close()
        self.path = folder / "file"
        self.connections = [cluster.connect(db=db, **LOADS), plain.connect(db=db, **LOADS)]

    def load(self, data, into, same_info=True):
        """`into`: what stands behind INFILE '...'. Answers, warnings and info compare; of
        errors the code."""
        self.path.write_bytes(data if isinstance(data, bytes) else data.encode())
        first, rest = ("", into) if into.startswith("INTO") else into.split(" ", 1)
        sql = f"LOAD DATA LOCAL INFILE '{self.path}' {first} {rest}"
        answers, info = [], []
        for c in self.connections:
            with c.cursor() as cursor:
                try:
                    cursor.execute(sql)
                    r = cursor._result
                    info.append((r.affected_rows, r.insert_id, r.warning_count, r.message))
                except testbed.pymysql.err.MySQLError as error:
                    info.append(error.args)
                cursor.execute("SHOW WARNINGS")
                answers.append(sorted(cursor.fetchall()))
        failed = any(len(i) == 2 for i in info)
        if same_info:
            same = info[0][0] == info[1][0] if failed else info[0] == info[1]
            assert same, f"{sql}\n{data[:200]}\n{info}"
        if same_info and not failed and len(answers[1]) < 64:
            assert answers[0] == answers[1], f"{sql}\n{data[:200]}"
        return info

    def same(self, table, columns="*", key="1"):
        return self.compare(f"SELECT {columns} FROM {table} ORDER BY {key}")


@pytest.fixture
def loader(checked, plain, db, scratch):
    plain.sql(f"CREATE OR REPLACE DATABASE {db}")
    loader = Loader(checked, plain, db, scratch)
    yield loader
    loader.close()
    plain.sql(f"DROP DATABASE IF EXISTS {db}")


T = "CREATE TABLE t (k INT PRIMARY KEY, a INT, s VARCHAR(20)) COMMENT 'shardd: key(k)'"
LINES = "".join(f"{i}\t{i * 7}\tline {i}\n" for i in range(1, 201))


@pytest.mark.parametrize("kind", ["key(k)", "reference", "global"])
@pytest.mark.parametrize("where", ["alone", "transaction", "manual"])
def test_a_file(loader, kind, where):
    loader.run(T.replace("key(k)", kind))
    if where == "transaction":
        loader.run("BEGIN")
        loader.run("INSERT INTO t VALUES (1000, 1, 'before'), (1001, 2, 'before')")
    if where == "manual":
        loader.run("SET autocommit = 0")
    loader.load(LINES, "INTO TABLE t")
    loader.same("t", key="k")
    loader.compare("SELECT ROW_COUNT()")
    loader.load(LINES, "INTO TABLE t")  # duplicates are left out
    loader.load("1\t0\tnew\n2\t0\tnew\n777\t0\tnew", "REPLACE INTO TABLE t")
    loader.load(LINES, "IGNORE INTO TABLE t")
    loader.same("t", key="k")
    if where != "alone":
        loader.run("ROLLBACK")
        loader.run("SET autocommit = 1")
        loader.same("t", key="k")
    loader.load("", "INTO TABLE t")
    if kind == "key(k)" and where == "alone":
        assert min(loader.cluster.spread("t", db=loader.db)) > 20


@pytest.mark.parametrize("clauses,data", [
    ("FIELDS TERMINATED BY ',' ENCLOSED BY '\"' LINES TERMINATED BY '\\r\\n' IGNORE 1 LINES",
     'k,a,s\r\n1,"2","x ""y"" z"\r\n"3",4,"two\r\nlines"\r\n5,NULL,"NULL"\r\n6,\\N,\\N\r\n'),
    ("FIELDS TERMINATED BY '||' LINES STARTING BY '>>' TERMINATED BY '<<'",
     "junk>>1||2||three<<more>>4||5||six<<>>7||8"),
    ("FIELDS TERMINATED BY ';' ESCAPED BY ''", "1;2;\\n\n3;4;\\\n"),
    ("FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\\'' (s, a, k)", "'a,b',1,2\nc,3,4\n"),
    ("(k, @x, s) SET a = @x * 2", "1\t2\tx\n3\t4\ty\n5\t\\N\tz\n"),
    ("(k, @a, @b) SET s = CONCAT(@a, '-', @b), a = LENGTH(@b)", "1\tx\tyy\n2\tz\tzzzz\n"),
    ("IGNORE 3 ROWS (k)", "no\nno\nno\n4\n5\n"),
    ("(k, s)", "1\tfar too long for the column it is for\n2\tok\textra\n3\n"),
    ("(k, a)", "1\tabc\n2\t99999999999\n3\t\n"),
    ("CHARACTER SET latin1", b"1\t2\tgr\xfc\xdfe\n"),
    ("CHARACTER SET utf8 (k, s)", "1\tgr\u00fc\u00dfe\n".encode()),
    ("FIELDS TERMINATED BY ',' LINES TERMINATED BY ''", "1,2,a,3,4,b,5,6,c"),
    ("FIELDS TERMINATED BY ',' LINES TERMINATED BY ','", "1,2,x,3,4,y,5,6,z"),
    ("(k, nosuch)", "1\t2\n"),
    ("FIELDS ESCAPED BY 'ab'", "1\t2\n"),
    ("(k) SET s = DEFAULT, a = k + 1", "7\n8\n"),
    ("PARTITION (p0)", "7\n8\n"),
    ("(T.k, a, s)", "1\t2\t3\n"),
])
def test_clauses(loader, clauses, data):
    loader.run(T)
    loader.load(data, f"INTO TABLE t {clauses}")
    loader.same("t", key="k")
    assert len({testbed.Answer(c, "SELECT @x, @a, @b").rows[0] for c in loader.connections}) == 1


def test_strict_replace_fails_as_a_whole(loader):
    loader.run(T)
    loader.run("INSERT INTO t VALUES (5, 5, 'kept')")
    bad = LINES + "9999\tabc\tbad\n"
    loader.load(bad, "REPLACE INTO TABLE t")
    loader.same("t", key="k")
    loader.run("BEGIN")
    loader.run("UPDATE t SET a = 6")
    loader.load(bad, "REPLACE INTO TABLE t")
    loader.same("t", key="k")
    loader.run("COMMIT")
    loader.same("t", key="k")


TYPES = [
    ("BIGINT UNSIGNED", ["0", "18446744073709551615", "007", "42"], ["-1", "", "x", "1.5", "1e3"]),
    ("TINYINT", ["-128", "127", "0"], ["128", " 1", "NULLx"]),
    ("DECIMAL(8,2)", ["1.5", "-12.50", "3", "0"], ["1.234", "x", "99999999"]),
    ("DATE", ["2020-02-29", "1999-12-31"], ["2020-2-9", "2020-02-30", "20200101"]),
    ("DATETIME", ["2020-02-29 10:11:12", "2021-01-01"], ["2020-02-29T10:11:12"]),
    ("VARCHAR(5)", ["a", "A", "\u00e9", "ab  ", ""], ["toolong"]),
    ("VARCHAR(8) COLLATE utf8mb4_bin", ["a", "A", "\u00e9"], ["waytoolong"]),
    ("VARBINARY(5)", ["a", "A", "\u00e9", ""], ["toolong"]),
    ("CHAR(5) CHARACTER SET latin1", ["a", "\u00e9"], ["\u4e2d"]),
]


@pytest.mark.parametrize("kind,good,bad", TYPES)
def test_keys_are_exact_or_refused(loader, kind, good, bad):
    loader.run(f"CREATE TABLE t (k {kind}, a INT, PRIMARY KEY (k)) COMMENT 'shardd: key(k)'")
    loader.load("".join(f"{k}\t1\n" for k in good), "INTO TABLE t")
    loader.same("t", "HEX(k), a", "k")
    for k in bad:
        ours, _ = loader.load(f"{good[0]}\t1\n{k}\t2\n", "INTO TABLE t", same_info=False)
        assert ours[0] == 1235 and "row 2 of the file" in ours[1], ours
    ours, _ = loader.load(f"{good[0]}\t1\n\\N\t2\n", "INTO TABLE t", same_info=False)
    assert ours[0] == 1235 and "NULL" in ours[1]
    loader.connections[1].query("DELETE FROM t WHERE a = 2")
    loader.cluster.sql("SELECT COUNT(*) FROM t", db=loader.db)


def test_numbers(loader):
    loader.run("CREATE TABLE t (id BIGINT AUTO_INCREMENT PRIMARY KEY, s VARCHAR(20))"
               " COMMENT 'shardd: key(id)'")
    data = "".join(f"s{i}\n" for i in range(300))
    loader.load(data, "INTO TABLE t (s)")
    loader.compare("SELECT LAST_INSERT_ID()")
    loader.compare("SELECT COUNT(*), MIN(id), MAX(id), COUNT(DISTINCT id) FROM t")
    loader.compare("SELECT s FROM t ORDER BY id")
    own = "\\N,a\n0,b\n5000,c\n-7,d\n\"0\",e\nNULL,f\n"
    loader.load(own, "INTO TABLE t FIELDS TERMINATED BY ',' ENCLOSED BY '\"'")
    loader.compare("SELECT s FROM t WHERE s IN ('a','b','c','d','e','f') ORDER BY s")
    assert loader.compare("SELECT id FROM t WHERE s IN ('c', 'd') ORDER BY id").rows
    loader.run("INSERT INTO t (s) VALUES ('next')")
    ids = loader.cluster.sql("SELECT id FROM t", db=loader.db)
    assert len(set(ids)) == len(ids) == 307
    assert max(ids)[0] > 5000
    ours, _ = loader.load("x\ty\n", "INTO TABLE t", same_info=False)
    assert ours[0] == 1235
    loader.run("CREATE TABLE o (k INT, id INT AUTO_INCREMENT, PRIMARY KEY (k, id), KEY (id))"
               " COMMENT 'shardd: key(k)'")
    loader.load("".join(f"{i}\n" for i in range(50)), "INTO TABLE o (k)")
    loader.compare("SELECT k FROM o ORDER BY id")
    loader.load("1\t\\N\n2\t1000\n", "INTO TABLE o")
    loader.compare("SELECT COUNT(*), COUNT(DISTINCT id) FROM o")


def test_invisible_and_generated_columns(loader):
    loader.run("CREATE TABLE t (i INT INVISIBLE DEFAULT 3, k INT PRIMARY KEY, g INT AS (k + 1),"
               " s VARCHAR(9)) COMMENT 'shardd: key(k)'")
    loader.load("".join(f"{i}\t0\tx{i}\n" for i in range(20)), "INTO TABLE t")
    loader.same("t", "i, k, g, s", "k")
    loader.run("INSERT INTO t VALUES (100, DEFAULT, 'a'), (101, DEFAULT, 'b')")
    loader.same("t", "i, k, g, s", "k")


@pytest.mark.parametrize("statement,said", [
    ("LOAD DATA INFILE '/etc/hosts' INTO TABLE t", "LOCAL"),
    ("LOAD XML LOCAL INFILE 'x' INTO TABLE t", "global tables only"),
    ("LOAD DATA LOCAL INFILE 'x' INTO TABLE t (k, a) SET k = 5", "cannot SET 'k'"),
    ("LOAD DATA LOCAL INFILE 'x' INTO TABLE t (@k, a)", "as a column of the file"),
    ("LOAD DATA LOCAL INFILE 'x' INTO TABLE t (a, s)", "as a column of the file"),
    ("LOAD DATA LOCAL INFILE 'x' INTO TABLE t (k) SET a = (SELECT 1)", "cannot read tables"),
    ("LOAD DATA LOCAL INFILE 'x' INTO TABLE t (k) SET a = @n := 1", "assigns none"),
    ("LOAD DATA LOCAL INFILE 'x' INTO TABLE t (k) SET a = @n", "assigns none"),
    ("LOAD DATA LOCAL INFILE 'x' INTO TABLE t (k) SET a = f(1)", "stored functions"),
    ("LOAD DATA LOCAL INFILE 'x' INTO TABLE t CHARACTER SET gbk", "gbk"),
    ("LOAD DATA LOCAL INFILE 'x' INTO TABLE t FIELDS TERMINATED BY ''", "fixed size"),
    ("LOAD DATA LOCAL INFILE 'x' INTO TABLE r (k) SET a = RAND()", "reference"),
    ("LOAD DATA LOCAL INFILE 'x' INTO TABLE n (a)", "AUTO_INCREMENT"),
])
def test_what_is_refused(loader, statement, said):
    loader.run(T)
    loader.run(T.replace("TABLE t", "TABLE r").replace("key(k)", "reference"))
    loader.run("CREATE TABLE n (k INT AUTO_INCREMENT PRIMARY KEY, a INT)"
               " COMMENT 'shardd: reference'")
    answer = testbed.Answer(loader.connections[0], statement)
    assert answer.error and answer.error[0] == 1235 and said in answer.error[1], answer


def random_file(pick):
    lines = []
    for _ in range(pick.randint(0, 60)):
        key = str(pick.randint(1, 80))
        a = pick.choice(["1", "-5", "\\N", "x", "99999999999", "", "2.6"])
        s = pick.choice(["abc", "a\\tb", "\\N", "a,b", "\u00fc", "x" * 25, "it''s", "\\\\", ""])
        cells = [key, a, s][:pick.choice([3, 3, 3, 3, 2])]
        if pick.random() < 0.1:
            cells.append("more")
        lines.append(cells)
    return lines


@pytest.mark.parametrize("kind", ["key(k)", "reference"])
def test_random_files(loader, kind):
    pick = random.Random(zlib.crc32(kind.encode()))
    loader.run(T.replace("key(k)", kind))
    for _ in range(40):
        term, quote = pick.choice(["\t", ",", "||"]), pick.choice(["", '"'])
        end = pick.choice(["\n", "\r\n", ";;"])
        data = "".join(term.join(quote + c.replace("\\t", " ") + quote for c in cells) + end
                       for cells in random_file(pick))
        if pick.random() < 0.3:
            data = data[:len(data) - len(end)]
        how = pick.choice(["", "IGNORE ", "REPLACE "])
        loader.load(data, f"{how}INTO TABLE t FIELDS TERMINATED BY '{term}' ENCLOSED BY '{quote}'"
                    f" LINES TERMINATED BY '{end}'".replace("\r\n", "\\r\\n"))
        loader.same("t", key="k")
        if pick.random() < 0.3:
            loader.run("DELETE FROM t")
