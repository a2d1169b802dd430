"""test_table_move.py - a table with rows becomes another kind, or gets another key, while
applications read and write it; and back. A home is drained."""
import json

import pymysql
import pytest

import movebed
from testbed import Cluster, wait_for

ITEMS = ("CREATE TABLE items (id BIGINT NOT NULL AUTO_INCREMENT, owner INT NOT NULL,"
         " v VARCHAR(200), n INT NOT NULL, twice INT AS (n * 2) STORED, PRIMARY KEY (id, owner),"
         " UNIQUE KEY by_owner (owner, id)) COMMENT 'shardd: global'")


class Worker(movebed.Load):
    """Rows of its own owners, each statement on a plain server as well, and what it sees of all."""

    def begin(self, cursor):
        self.mirror = self.bed.plain.connect(db="app")
        self.mine = {}
        self.ids = set()
        self.deadlocks = 0

    def insert(self, cursor):
        owner, text, n = self.owner(), "x" * self.random.randrange(150), self.random.randrange(9)
        if self.bed.numbers:
            cursor.execute("INSERT INTO items (owner, v, n) VALUES (%s, %s, %s)", (owner, text, n))
            key = cursor.lastrowid
        else:  # several rows of one statement
            key = self.number * 10_000_000 + self.done
            cursor.execute("INSERT INTO items (id, owner, v, n) VALUES (%s, %s, %s, %s)",
                           (key, owner, text, n))
        assert key not in self.ids, f"the number {key} twice"
        self.ids.add(key)
        with self.mirror.cursor() as other:
            other.execute("INSERT INTO items (id, owner, v, n) VALUES (%s, %s, %s, %s)",
                          (key, owner, text, n))
        self.mine[key] = (owner, text, n)

    def owner(self):
        return self.number * 1000 + self.random.randrange(40)

    def step(self, cursor):
        """Next-key locks of statements that meet, as on one server: repeated."""
        try:
            self.once(cursor)
        except pymysql.err.OperationalError as error:
            assert error.args[0] == 1213, error
            cursor.execute("ROLLBACK")
            self.deadlocks += 1
            assert self.deadlocks < 20 + self.done / 50, error

    def once(self, cursor):
        what = self.random.random()
        if what < 0.35 or not self.mine:
            self.insert(cursor)
            return
        key = self.random.choice(list(self.mine))
        owner, text, n = self.mine[key]
        if what < 0.5:
            cursor.execute("SELECT owner, v, n, twice FROM items WHERE id = %s AND owner = %s",
                           (key, owner))
            assert cursor.fetchone() == (owner, text, n, 2 * n), key
        elif what < 0.65:
            self.both(cursor, "UPDATE items SET n = n + 1 WHERE id = %s", (key,))
            self.mine[key] = (owner, text, n + 1)
        elif what < 0.72:  # the row goes elsewhere, in one transaction
            new = self.owner()
            cursor.execute("BEGIN")
            cursor.execute("DELETE FROM items WHERE id = %s", (key,))
            assert cursor.rowcount == 1, f"row {key} is not there"
            cursor.execute("INSERT INTO items (id, owner, v, n) VALUES (%s, %s, %s, %s)",
                           (key, new, text, n))
            cursor.execute("COMMIT")
            with self.mirror.cursor() as other:
                other.execute("UPDATE items SET owner = %s WHERE id = %s", (new, key))
            self.mine[key] = (new, text, n)
        elif what < 0.8:
            self.both(cursor, "DELETE FROM items WHERE id = %s AND owner = %s", (key, owner))
            del self.mine[key]
        elif what < 0.9:
            cursor.execute("SELECT COUNT(*), SUM(n) FROM items WHERE owner BETWEEN %s AND %s",
                           (self.number * 1000, self.number * 1000 + 999))
            count, total = cursor.fetchone()
            assert (count, int(total or 0)) == (len(self.mine),
                                                sum(m[2] for m in self.mine.values()))
        else:
            cursor.execute("BEGIN")
            cursor.execute("UPDATE items SET n = n + 5 WHERE owner = %s", (owner,))
            changed = cursor.rowcount
            cursor.execute("UPDATE items SET n = n - 5 WHERE owner = %s", (owner,))
            assert changed == cursor.rowcount == sum(m[0] == owner for m in self.mine.values())
            cursor.execute("COMMIT")


class Bed(movebed.Bed):
    def __init__(self, cluster, plain, workers=4, pause=0.002, numbers=True):
        self.cluster, self.plain, self.pause, self.numbers = cluster, plain, pause, numbers
        self.stop, self.hold = movebed.threading.Event(), movebed.threading.Event()
        for server in cluster, plain:
            server.sql(ITEMS, db="app")
        self.threads = [Worker(self, i + 1) for i in range(workers)]

    def compare(self):
        sql = "SELECT * FROM items ORDER BY id"
        ours, theirs = self.cluster.sql(sql), self.plain.sql(sql, db="app")
        ids = [row[0] for row in ours]
        twice = [i for i, j in zip(ids, ids[1:]) if i == j]
        wrong = [f"numbers given twice: {twice[:10]}"] if twice else []
        return wrong if ours == theirs else wrong + [
            f"{len(ours)} rows, not {len(theirs)}; {sorted(set(ours) ^ set(theirs))[:10]}"]


@pytest.fixture(scope="module")
def c(scratch):
    cluster = Cluster(scratch / "tables", shards=3)
    yield cluster
    cluster.finish()


def table_set(c, *args, timeout=120):
    done = c.ctl_raw("table set", *args, "--wait", "--json", timeout=timeout)
    assert done.returncode == 0, f"{args}: {done.stdout[-1500:]} {done.stderr}"
    return json.loads(done.stdout)


def kind(c, name):
    (table,) = [t for t in c.ctl("table list", "app")["tables"] if t["name"] == name]
    return " ".join(filter(None, (table["kind"], table.get("key"))))


def places(c, name):
    """How many rows of the table each shard has; None: no such table."""
    found = []
    for shard in c.shard_list():
        try:
            found.append(c.on_shard(shard, f"SELECT COUNT(*) FROM {name}", "app")[0][0])
        except pymysql.err.ProgrammingError:
            found.append(None)
    return found


def loaded(c, bed, *steps):
    """The steps, each a function of the cluster, while the bed works."""
    bed.start()
    try:
        wait_for("some rows", lambda: sum(t.done for t in bed.threads) > 400, 30)
        for step in steps:
            step()
            assert bed.check() == []
    finally:
        wrong = bed.end()
    assert wrong == []
    c.fsck()
    c.sql("DROP TABLE items")


def becomes(c, want, *args):
    def step():
        job = table_set(c, "app.items", *args)
        assert kind(c, "items") == want
        assert job["verified"]["rows"] > 0 or want == "global"  # copies stay, others go
    return step


def goes_back(c, want):
    def step():
        done = c.ctl_raw("reshard reverse", "--wait")
        assert done.returncode == 0, done
        assert kind(c, "items") == want
    return step


def test_sharded_resharded_and_global_again(c, mirror):
    loaded(c, Bed(c, mirror),
           becomes(c, "sharded owner", "--key", "owner", "--no-reverse"),
           becomes(c, "sharded id", "--kind", "sharded", "--key", "id"),
           goes_back(c, "sharded owner"),
           becomes(c, "global", "--global", "--no-reverse"))


@pytest.mark.long
def test_every_way_and_back(c, mirror):
    loaded(c, Bed(c, mirror),
           becomes(c, "sharded owner", "--key", "owner"), goes_back(c, "global"),
           becomes(c, "sharded owner", "--key", "owner", "--no-reverse"),
           becomes(c, "sharded id", "--key", "id"), goes_back(c, "sharded owner"),
           becomes(c, "sharded id", "--key", "id", "--no-reverse"),
           becomes(c, "global", "--global"), goes_back(c, "sharded id"),
           becomes(c, "global", "--global", "--no-reverse"))


@pytest.mark.long
def test_copies_on_every_shard(c, mirror):
    loaded(c, Bed(c, mirror, workers=2, numbers=False),
           becomes(c, "reference", "--reference"), goes_back(c, "global"),
           becomes(c, "reference", "--reference", "--no-reverse"),
           becomes(c, "global", "--global"),
           becomes(c, "sharded id", "--key", "id", "--no-reverse"),
           becomes(c, "reference", "--reference"),
           becomes(c, "global", "--global"))


REFUSED = [
    ("a unique key without it", "CREATE TABLE x (a INT PRIMARY KEY, b INT NOT NULL, UNIQUE u (a))"
     " COMMENT 'shardd: global'", "b", "UNIQUE key PRIMARY lacks the column b"),
    ("no such column", "CREATE TABLE x (a INT PRIMARY KEY) COMMENT 'shardd: global'", "z",
     "it has no column z"),
    ("computed", "CREATE TABLE x (a INT, b INT AS (a + 1) PERSISTENT, PRIMARY KEY (a),"
     " UNIQUE (a, b)) COMMENT 'shardd: global'", "b", "computes the column b"),
    ("a parent that is global", "CREATE TABLE x (a INT PRIMARY KEY, p INT, FOREIGN KEY (p)"
     " REFERENCES parent (a)) COMMENT 'shardd: global'", "a", "refers to the global table parent"),
    ("already so", "CREATE TABLE x (a INT PRIMARY KEY)", "a", "is sharded by a already"),
    ("a reference table", "CREATE TABLE x (a INT PRIMARY KEY, b INT) COMMENT 'shardd: reference'",
     "a", "by way of global"),
]


@pytest.mark.parametrize("make, key, says", [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_what_is_refused(c, make, key, says):
    c.sql("CREATE TABLE parent (a INT PRIMARY KEY) COMMENT 'shardd: global'")
    c.sql("INSERT INTO parent VALUES (1)")
    c.sql(make)
    c.sql("INSERT INTO x VALUES (1, 1)" if "b INT NOT" in make else "INSERT INTO x (a) VALUES (1)")
    done = c.ctl_raw("table set", "app.x", "--key", key, "--dry-run")
    assert done.returncode == 1 and says in done.stderr, done
    c.sql("DROP TABLE x")
    c.sql("DROP TABLE parent")


USED = [
    ("CREATE VIEW used AS SELECT COUNT(*) AS n FROM x", "DROP VIEW used", "the view app.used uses"),
    ("CREATE PROCEDURE used() SELECT COUNT(*) FROM x", "DROP PROCEDURE used",
     "PROCEDURE app.used uses"),
    ("CREATE TRIGGER used BEFORE INSERT ON other FOR EACH ROW"
     " SET @n = (SELECT COUNT(*) FROM app.`x`)", "DROP TRIGGER used", "TRIGGER app.used uses"),
    ("CREATE EVENT used ON SCHEDULE EVERY 1 DAY DO DELETE FROM x", "DROP EVENT used",
     "EVENT app.used uses"),
    ("CREATE TRIGGER used BEFORE INSERT ON x FOR EACH ROW SET NEW.b = 1", "DROP TRIGGER used",
     "has the trigger used"),
]


def test_what_uses_the_table_comes_first(c):
    c.sql("CREATE TABLE x (a INT PRIMARY KEY, b INT) COMMENT 'shardd: global'")
    c.sql("CREATE TABLE other (a INT PRIMARY KEY) COMMENT 'shardd: global'")
    c.sql("INSERT INTO x VALUES (1, 1), (2, 2)")
    for make, drop, says in USED:
        c.sql(make)
        done = c.ctl_raw("table set", "app.x", "--key", "a", "--dry-run")
        assert done.returncode == 1 and says in done.stderr, done
        c.sql(drop)
    done = c.ctl_raw("table set", "app.x", "--key", "a", "--dry-run")
    assert done.returncode == 0 and "shard-2" in done.stdout, done
    c.sql("DROP TABLE x, other")


def test_a_stray_table_on_a_target_is_left_alone(c):
    c.sql("CREATE TABLE x (a INT PRIMARY KEY) COMMENT 'shardd: global'")
    c.sql("INSERT INTO x VALUES (1)")
    second = c.shard_list()[1]
    c.on_shard(second, "CREATE TABLE x (a INT)", "app")
    done = c.ctl_raw("table set", "app.x", "--key", "a")
    assert done.returncode == 1 and "there is a table app.x on shard-2 already" in done.stderr, done
    c.on_shard(second, "DROP TABLE x", "app")
    c.sql("DROP TABLE x")


def test_while_it_changes(c):
    c.sql("CREATE TABLE x (a INT PRIMARY KEY AUTO_INCREMENT, b INT) COMMENT 'shardd: global'")
    c.sql("INSERT INTO x (b) VALUES (1), (2), (3)")
    job = c.ctl("table set", "app.x", "--key", "a", "--cutover", "manual")["job"]
    wait_for("the copy", lambda: c.ctl("job show", job)["phase"] == "follow", 30)
    for sql in ("CREATE VIEW used AS SELECT a FROM x", "CREATE PROCEDURE used() SELECT * FROM x",
                "CREATE TABLE child (a INT PRIMARY KEY, FOREIGN KEY (a) REFERENCES x (a))",
                "ALTER TABLE x ADD c INT", "DROP TABLE x"):
        with pytest.raises(pymysql.err.MySQLError, match=f"job {job}"):
            c.sql(sql)
    c.sql("CREATE TABLE other (a INT PRIMARY KEY)")  # others are free
    c.sql("DROP TABLE other")
    c.sql("INSERT INTO x (b) VALUES (4)")
    assert c.sql("SELECT * FROM x ORDER BY a") == ((1, 1), (2, 2), (3, 3), (4, 4))
    assert c.ctl_raw("job cancel", "--wait").returncode == 0
    assert kind(c, "x") == "global" and places(c, "x") == [4, None, None]
    table_set(c, "app.x", "--key", "a", "--no-reverse")
    wait_for("the end", lambda: c.ctl("job list")["jobs"][0]["state"] == "done", 30)
    c.sql("INSERT INTO x (b) VALUES (5)")
    (number,) = c.sql("SELECT a FROM x WHERE b = 5")[0]
    assert number > 4 and sum(places(c, "x")) == 5
    table_set(c, "app.x", "--global", "--no-reverse")
    c.sql("INSERT INTO x (b) VALUES (6)")
    assert c.sql("SELECT a FROM x WHERE b = 6")[0][0] > number
    wait_for("the end", lambda: c.ctl("job list")["jobs"][0]["state"] == "done", 30)
    c.fsck()
    c.sql("DROP TABLE x")


def test_an_empty_table_changes_at_once(c):
    c.sql("CREATE TABLE x (a INT PRIMARY KEY, b INT) COMMENT 'shardd: global'")
    for option, want in (("--reference", "reference"), ("--key=a", "sharded a"),
                         ("--global", "global")):
        assert "is" in c.ctl_raw("table set", "app.x", option).stdout and kind(c, "x") == want
    assert c.ctl_raw("table set", "app.x", "--kind", "sharded").returncode == 2
    assert c.ctl_raw("table set", "app.x", "--kind", "global", "--key", "a").returncode == 2
    assert c.ctl_raw("table reshard", "app.x").returncode == 2
    c.sql("DROP TABLE x")


def test_one_shard_is_enough(scratch):
    cluster = Cluster(scratch / "one", shards=1)
    try:
        cluster.sql("CREATE TABLE x (a INT PRIMARY KEY AUTO_INCREMENT, b INT)"
                    " COMMENT 'shardd: global'")
        cluster.sql("INSERT INTO x (b) VALUES (1), (2), (3)")
        table_set(cluster, "app.x", "--key", "a", "--no-reverse")
        cluster.sql("INSERT INTO x (b) VALUES (4)")
        assert kind(cluster, "x") == "sharded a"
        assert cluster.sql("SELECT b FROM x ORDER BY a") == ((1,), (2,), (3,), (4,))
    finally:
        cluster.finish()


def drain(c, shard, *args):
    done = c.ctl_raw("shard drain", shard, *args, "--wait", "--json", timeout=120)
    assert done.returncode == 0, f"{done.stdout[-1500:]} {done.stderr}"
    wait_for("the shard to be gone", lambda: shard not in [s["name"] for s in c.shard_list()], 30)


class Guest(movebed.Load):
    """An application whose database is at home where the shard goes."""

    def begin(self, cursor):
        self.rows = {"g": 0, "s": 0, "r": 0}
        self.highest = dict(self.rows)

    def step(self, cursor):
        for table in self.rows:
            cursor.execute(f"INSERT INTO {table} (v) VALUES (%s)", (self.done,))
            assert cursor.lastrowid > self.highest[table] or table == "s", (table, cursor.lastrowid)
            self.highest[table] = cursor.lastrowid
            self.rows[table] += 1
        cursor.execute("SELECT (SELECT COUNT(*) FROM g), (SELECT COUNT(*) FROM r), n FROM seen")
        assert cursor.fetchone() == (self.rows["g"], self.rows["r"], self.rows["g"])
        cursor.execute("SELECT COUNT(*), COUNT(DISTINCT id) FROM s")
        assert cursor.fetchone() == (self.rows["s"], self.rows["s"])


def test_a_home_is_drained(scratch):
    cluster = Cluster(scratch / "home", shards=3)
    try:
        for table, how in ("g", "global"), ("s", "key(id)"), ("r", "reference"):
            cluster.sql(f"CREATE TABLE {table} (id BIGINT PRIMARY KEY AUTO_INCREMENT, v INT)"
                        f" COMMENT 'shardd: {how}'")
        cluster.sql("CREATE TABLE child (id INT PRIMARY KEY, p BIGINT, FOREIGN KEY (p) REFERENCES"
                    " g (id)) COMMENT 'shardd: global'")
        cluster.sql("CREATE VIEW under AS SELECT * FROM g")
        cluster.sql("CREATE VIEW seen AS SELECT COUNT(*) AS n FROM under")
        cluster.sql("CREATE PROCEDURE counts() SELECT n FROM seen")  # it is on every shard
        cluster.sql("CREATE PROCEDURE p() FOR i IN 1..2 DO INSERT INTO g (v) VALUES (1);"
                    " END FOR")
        done = cluster.ctl_raw("shard drain", "shard-1")
        assert done.returncode == 1 and "PROCEDURE app.p lives on" in done.stderr, done
        cluster.sql("DROP PROCEDURE p")
        bed = movebed.Bed.__new__(movebed.Bed)
        bed.cluster, bed.pause = cluster, 0.002
        bed.stop, bed.hold = movebed.threading.Event(), movebed.threading.Event()
        guest = Guest(bed, 1)
        guest.start()
        try:
            wait_for("some rows", lambda: guest.done > 50, 30)
            drain(cluster, "shard-1", "--no-reverse")
            drain(cluster, "shard-2", "--no-reverse")
            seen = guest.done
            wait_for("some rows more", lambda: guest.done > seen + 20 or guest.wrong, 30)
        finally:
            bed.stop.set()
            guest.join(60)
        assert guest.wrong == []
        assert [s["name"] for s in cluster.shard_list()] == ["shard-3"]
        assert cluster.sql("CALL counts()") == cluster.sql("SELECT COUNT(*) FROM g")
        cluster.sql("INSERT INTO child VALUES (1, 1)")
        with pytest.raises(pymysql.err.IntegrityError):
            cluster.sql("INSERT INTO child VALUES (2, 987654321)")
    finally:
        cluster.finish()


def test_a_home_comes_back(scratch):
    cluster = Cluster(scratch / "back", shards=2)
    try:
        cluster.sql("CREATE TABLE g (id BIGINT PRIMARY KEY AUTO_INCREMENT, v INT)"
                    " COMMENT 'shardd: global'")
        cluster.sql("CREATE VIEW seen AS SELECT COUNT(*) AS n FROM g")
        cluster.sql("INSERT INTO g (v) VALUES (1), (2), (3)")
        done = cluster.ctl_raw("shard drain", "shard-1", "--wait")
        assert done.returncode == 0, done
        cluster.sql("INSERT INTO g (v) VALUES (4)")
        for sql in ("CREATE VIEW late AS SELECT 1", "CREATE PROCEDURE late() SELECT 1"):
            with pytest.raises(pymysql.err.MySQLError, match="nothing new may use app"):
                cluster.sql(sql)
        assert cluster.ctl_raw("reshard reverse", "--wait").returncode == 0
        assert cluster.sql("SELECT n FROM seen") == ((4,),)
        assert [cluster.on_shard(s, "SHOW TABLES", "app") for s in cluster.shard_list()] == [
            (("g",), ("seen",)), ()]
        cluster.sql("INSERT INTO g (v) VALUES (5)")
        assert cluster.sql("SELECT id FROM g WHERE v = 5")[0][0] > 4
    finally:
        cluster.finish()


def test_what_foreign_keys_tie_together_changes_together(c):
    """Alone each is refused; together they go, and come back, and their foreign key holds."""
    c.sql("CREATE TABLE parents (id INT PRIMARY KEY, v INT) COMMENT 'shardd: global'")
    c.sql("CREATE TABLE children (id INT, parent INT NOT NULL, v INT, PRIMARY KEY (id, parent),"
          " CONSTRAINT tie FOREIGN KEY (parent) REFERENCES parents (id)) COMMENT 'shardd: global'")
    c.sql("INSERT INTO parents VALUES " + ",".join(f"({i}, {i})" for i in range(200)))
    c.sql("INSERT INTO children VALUES " + ",".join(f"({i}, {i % 100}, 0)" for i in range(400)))
    together = ("app.parents", "--key", "id", "--with", "children:parent")
    both = [("parents", "sharded id"), ("children", "sharded parent")]

    def add(child, parent):
        c.sql(f"INSERT INTO children VALUES ({child}, {parent}, 1)")

    def holds(n):
        with pytest.raises(pymysql.err.IntegrityError):
            c.sql("DELETE FROM parents WHERE id = 5")
        with pytest.raises(pymysql.err.IntegrityError):
            add(9999, 777)
        assert c.sql("SELECT COUNT(*), COUNT(DISTINCT id) FROM children") == ((n, n),)
        assert c.sql("SELECT COUNT(*) FROM parents p JOIN children c ON c.parent = p.id") == ((n,),)

    for alone in together[:3], ("app.children", "--key", "parent"):
        done = c.ctl_raw("table set", *alone, "--dry-run")
        assert done.returncode == 1 and "global table" in done.stderr, done
    for wrong in ("children:z", "children", "parents:id", "nowhere:a"):
        done = c.ctl_raw("table set", *together[:4], wrong, "--dry-run")
        assert done.returncode == 1, done
    table_set(c, *together)
    assert [(t, kind(c, t)) for t, _ in both] == both
    holds(400)
    add(1000, 150)
    assert c.ctl_raw("reshard reverse", "--wait").returncode == 0
    assert {kind(c, t) for t, _ in both} == {"global"}
    holds(401)
    table_set(c, *together, "--no-reverse")
    add(1001, 151)
    holds(402)
    done = c.ctl_raw("table set", "app.children", "--global", "--dry-run")
    assert done.returncode == 1 and "--with" in done.stderr, done
    table_set(c, "app.children", "--global", "--with", "app.parents", "--no-reverse")
    assert {kind(c, t) for t, _ in both} == {"global"}
    holds(402)
    c.fsck()
    c.sql("DROP TABLE children")
    c.sql("DROP TABLE parents")
