"""Reads that replicas answer: who is asked, how old an answer may be, and what becomes of reads
whose server fails. A row that only one replica has, written there behind replication's back, tells
which server an answer is from."""
import os
import random
import signal
import threading
import time

import pymysql
import pytest

import rawclient
from test_cursor import Cursor
from testbed import wait_for

FAST = [w for s in ["replica_probe_ms=50", "replica_probe_timeout_ms=300", "replica_lag_ms=2000",
                    "breaker_open_ms=200", "breaker_open_max_ms=500", "replica_ramp_ms=0"]
        for w in ("--set", s)]


def mark(c, server, name, table="who"):
    """`name` stands in the table on this server alone."""
    with c.server_connect(server, "app") as root, root.cursor() as cursor:
        cursor.execute("SET sql_log_bin = 0")
        cursor.execute(f"UPDATE {table} SET name = %s", name)


def add_replicas(c, n):
    for shard in c.shard_list():
        for _ in range(n):
            c.ctl("replica add", shard["name"], timeout=120)


def make_who(c):
    """A global table on shard-1: its rows name the server they are read from."""
    c.sql("CREATE TABLE who (id INT PRIMARY KEY, name VARCHAR(20)) COMMENT 'shardd: global'")
    c.sql("INSERT INTO who VALUES (1, 'primary')")
    # Rows of the replicas are written when they have that one.
    for replica in c.replica_list():
        def there():
            with c.server_connect(replica, "app") as root, root.cursor() as cursor:
                cursor.execute("SELECT COUNT(*) FROM who")
                return cursor.fetchall() == ((1,),)
        if replica["shard"] == home(c)["name"]:
            wait_for("the row on the replica", lambda: quiet(there))
            mark(c, replica, replica["replica"])


def caught_up(c):
    """All replicas have what their primaries have."""
    for shard in c.shard_list():
        ((position,),) = c.on_shard(shard, "SELECT @@gtid_binlog_pos")
        for replica in c.replica_list():
            if replica["shard"] == shard["name"]:
                with c.server_connect(replica) as root, root.cursor() as cursor:
                    cursor.execute("SELECT MASTER_GTID_WAIT(%s, 60)", position)
                    assert cursor.fetchall() == ((0,),)


def quiet(check):
    try:
        return check()
    except pymysql.err.Error:
        return False


def home(c):
    return c.shard_list()[0]


def replicas(c):
    return [r for r in c.replica_list() if r["shard"] == home(c)["name"]]


def weak(c, how):
    app = c.connect()
    with app.cursor() as cursor:
        cursor.execute(f"SET shardd_consistency = '{how}'")
    return app


def ask(app, sql="SELECT name FROM who WHERE id = 1", args=None):
    with app.cursor() as cursor:
        cursor.execute(sql, args)
        return cursor.fetchall()


def who(app):
    return ask(app)[0][0]


def reached(app, names, seconds=60):
    """All of `names` answer, sooner or later: one that was slow once is left out until that is
    forgotten."""
    seen = set()

    def look():
        seen.add(who(app))
        return set(names) <= seen
    wait_for(f"answers of {names}", look, seconds)
    return seen


@pytest.fixture(scope="module")
def c(scratch):
    import testbed
    shared = testbed.Cluster(scratch / "reads", shards=2, workers=1, settings=FAST)
    add_replicas(shared, 2)
    make_who(shared)
    yield shared
    for replica in replicas(shared):
        mark(shared, replica, "primary")
    shared.finish()


# --- who is asked ------------------------------------------------------------------------


def test_reads_are_spread(c):
    names = {r["replica"] for r in replicas(c)}
    with weak(c, "eventual") as app:
        reached(app, names)
        # One that is late with a word of itself is left out for a moment.
        wait_for("replicas alone", lambda: {who(app) for _ in range(50)} <= names)
    with weak(c, "strong") as app:
        assert {who(app) for _ in range(50)} == {"primary"}


def test_causal_reads_come_back_to_replicas(c):
    names = {r["replica"] for r in replicas(c)}
    with weak(c, "causal") as app:
        ask(app, "UPDATE who SET name = name WHERE id = 2")
        wait_for("a replica that has it", lambda: who(app) in names)


def committed(app):
    ask(app, "COMMIT")
    return True


def in_transaction(app, how="START TRANSACTION READ ONLY"):
    ask(app, how)
    return who(app)


def test_read_only_transactions_stay_on_one_replica(c):
    names, seen = {r["replica"] for r in replicas(c)}, set()
    c.sql("CREATE TABLE spread (id BIGINT PRIMARY KEY, n INT)")
    c.sql("INSERT INTO spread VALUES " + ",".join(f"({i}, 1)" for i in range(50)))
    with weak(c, "eventual") as app, c.connect() as writer:
        caught_up(c)
        wait_for("all rows", lambda: quiet(
            lambda: ask(app, "SELECT SUM(n) FROM spread") == ((50,),)))
        reached(app, names)
        for n in range(30):
            first = in_transaction(app)
            seen.add(first)
            assert {who(app) for _ in range(5)} == {first}
            # It sees one moment of its shard, whatever happens there.
            before = ask(app, "SELECT id, n FROM spread WHERE id = 1")
            ask(writer, "UPDATE spread SET n = n + 1 WHERE id = 1")
            assert ask(app, "SELECT id, n FROM spread WHERE id = 1") == before
            assert ask(app, "SELECT COUNT(*) FROM spread") == ((50,),)
            assert ask(app, "SELECT COUNT(*) FROM spread a JOIN spread b ON b.id + 0 = a.id") == (
                (50,),)
            # What says nothing of tables runs where the transaction is.
            assert ask(app, "SELECT 1 + 1") == ((2,),)
            assert ask(app, "SELECT @@tx_read_only, CONNECTION_ID() > 0")[0][1] == 1
            committed(app)
            ask(app, "START TRANSACTION")
            assert who(app) == "primary"
            ask(app, "ROLLBACK")
        assert seen <= names | {"primary"} and seen & names
        wait_for("both of them", lambda: (seen.add(in_transaction(app)), committed(app),
                                          names <= seen)[2], 60)
        for text, code in (("SELECT name FROM who WHERE id = 1 FOR UPDATE", 1235),
                           ("SELECT GET_LOCK('x', 0)", 1235), ("SELECT id INTO @a FROM who", 1235),
                           ("CREATE TEMPORARY TABLE ttt (a INT)", 1235),
                           ("UPDATE who SET name = name", 1792),
                           ("INSERT INTO spread VALUES (77, 1)", 1792),
                           ("/*shardd: consistency=strong*/ SELECT name FROM who", 1235)):
            wait_for("a replica", lambda: in_transaction(app) in names or not committed(app), 60)
            with pytest.raises(pymysql.err.Error) as wrong:
                ask(app, text)
            assert wrong.value.args[0] == code, (text, wrong.value)
            assert who(app) in names
            ask(app, "COMMIT")
        # A snapshot of all shards is one of the primaries; the next transaction is like any.
        ask(app, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        assert who(app) == "primary"
        ask(app, "COMMIT")
        ask(app, "SET SESSION TRANSACTION READ ONLY")
        ask(app, "SET autocommit = 0")
        wait_for("a replica", lambda: (who(app) in names, committed(app))[0], 60)
    c.sql("DROP TABLE spread")


def test_a_read_only_transaction_is_causal(c):
    c.sql("CREATE TABLE ro (id INT PRIMARY KEY, n INT)")
    c.sql("INSERT INTO ro VALUES (1, 0)")
    with weak(c, "causal") as app:
        for n in range(1, 60):
            ask(app, "UPDATE ro SET n = %s WHERE id = 1", n)
            ask(app, "START TRANSACTION READ ONLY")
            assert ask(app, "SELECT n FROM ro WHERE id = 1") == ((n,),)
            assert ask(app, "SELECT SUM(n) FROM ro") == ((n,),)
            ask(app, "COMMIT")
            if n % 10 == 0:
                time.sleep(0.1)
    c.sql("DROP TABLE ro")


def test_gathered_reads_and_variables(c):
    names = {r["replica"] for r in replicas(c)}
    c.sql("CREATE TABLE ga (id BIGINT PRIMARY KEY, w INT)")
    c.sql("INSERT INTO ga VALUES " + ",".join(f"({i}, 1)" for i in range(40)))
    gathered = ("SELECT who.name, COUNT(*) FROM who JOIN ga ON ga.w = who.id"
                " JOIN ga b ON b.w = ga.w AND b.id < 2 WHERE who.id = 1 GROUP BY who.name")
    with weak(c, "eventual") as app:
        caught_up(c)
        wait_for("all rows", lambda: quiet(
            lambda: ask(app, "SELECT SUM(w) FROM ga") == ((40,),)))
        plan = dict(ask(app, f"EXPLAIN SHARDD {gathered}"))
        assert any("engine" in line for line in plan), plan
        wait_for("a replica in the plan", lambda: "  server: replica" in dict(
            ask(app, f"EXPLAIN SHARDD {gathered}")))
        seen = set()
        wait_for("replicas", lambda: (seen.add(ask(app, gathered)[0]),
                                      {(n, 80) for n in names} <= seen)[1], 60)
        assert seen <= {(n, 80) for n in names | {"primary"}}
        assert ask(app, f"/*shardd: consistency=strong*/ {gathered}") == (("primary", 80),)
        ask(app, "SET @one = 1")
        wait_for("a replica", lambda: ask(
            app, "SELECT name FROM who WHERE id = @one")[0][0] in names, 60)
        assert ask(app, "SELECT @one, id FROM who WHERE id = @one") == ((1, 1),)
        # What one replica fails to give the primary gives.
        victim = replicas(c)[0]
        with c.server_connect(victim, "app") as root, root.cursor() as cursor:
            cursor.execute("SET sql_log_bin = 0")
            cursor.execute("RENAME TABLE ga TO gb")
            for _ in range(30):
                assert ask(app, gathered)[0][1] == 80
            cursor.execute("RENAME TABLE gb TO ga")
    c.sql("DROP TABLE ga")


def test_cursors_stay_where_they_are(c):
    names, seen = {r["replica"] for r in replicas(c)}, set()
    with weak(c, "eventual") as app:
        reached(app, names)
    with rawclient.RawClient(c.port) as client:
        client.login(db="app")
        client.query("SET shardd_consistency = 'eventual'")

        def again():
            cursor = Cursor(client, "SELECT id, name FROM who WHERE id <= ? ORDER BY id", [1])
            seen.add(bytes(cursor.fetch(1)[0]))
            cursor.close()
            return all(any(name.encode() in row for row in seen) for name in names)
        wait_for("cursors on all replicas", again, 60)


@pytest.mark.parametrize("text, server, why", [
    ("SELECT name FROM who WHERE id = 1", "replica", "eventual"),
    ("/*shardd: consistency=causal*/ SELECT name FROM who WHERE id = 1", "replica", "causal"),
    ("/*shardd: consistency=strong*/ SELECT name FROM who WHERE id = 1", "primary", "strong"),
    ("SELECT name FROM who WHERE id = 1 FOR UPDATE", "primary", "locks"),
    ("SELECT f(name) FROM who", "primary", "stored function"),
    ("UPDATE who SET name = 'x'", "primary", "plain SELECTs"),
])
def test_which_server_is_explained(c, text, server, why):
    with weak(c, "eventual") as app:
        def explained():
            lines = [row[0].strip() for row in ask(app, f"EXPLAIN SHARDD {text}")]
            return f"server: {server}" in lines and lines

        lines = wait_for(f"the {server}", explained)
        assert any(line.startswith("server_why:") and why in line for line in lines), lines


# What may not be asked of a replica: the statement, what comes before it, and after.
ELSEWHERE = [
    ("a transaction", "BEGIN", "COMMIT"),
    ("no autocommit", "SET autocommit = 0", "COMMIT"),
    ("locked tables", "LOCK TABLES who READ", "UNLOCK TABLES"),
    ("a lock by name", "SELECT GET_LOCK('x', 1)", "SELECT RELEASE_LOCK('x')"),
    ("a temporary table", "CREATE TEMPORARY TABLE tt (a INT)", "DROP TEMPORARY TABLE tt"),
    ("the next transaction", "SET TRANSACTION READ ONLY", None),
]


@pytest.mark.parametrize("what", ELSEWHERE, ids=lambda w: w[0])
def test_sessions_with_state_stay_at_the_primary(c, what):
    with weak(c, "eventual") as app:
        reached(app, {r["replica"] for r in replicas(c)})
        ask(app, what[1])
        assert who(app) == "primary"
        if what[2]:
            ask(app, what[2])


@pytest.mark.parametrize("text", [
    "SELECT name FROM who WHERE id = 1 FOR UPDATE",
    "SELECT name FROM who WHERE id = 1 LOCK IN SHARE MODE",
    "SELECT name FROM who WHERE id = 1 AND (@a := 1) = 1",
    "SELECT name FROM who WHERE id = 1 AND SLEEP(0) = 0",
    "SELECT name FROM who WHERE id = 1 AND RAND() >= 0",
    "SELECT name FROM who WHERE id = 1 AND LAST_INSERT_ID() >= 0",
    "/*shardd: consistency=strong*/ SELECT name FROM who WHERE id = 1",
])
def test_statements_for_the_primary(c, text):
    with weak(c, "eventual") as app:
        for _ in range(10):
            assert ask(app, text)[0][0] == "primary"


def test_by_comment(c):
    names = {r["replica"] for r in replicas(c)}
    text  = "/* shardd: consistency=eventual */ SELECT name FROM who WHERE id = 1"
    with c.connect() as app:
        wait_for("a replica", lambda: ask(app, text)[0][0] in names)
        assert who(app) == "primary"
        with pytest.raises(pymysql.err.Error) as wrong:
            ask(app, "/*shardd: consistency=weak*/ SELECT name FROM who WHERE id = 1")
        assert wrong.value.args[0] == 1231 and "strong, causal or eventual" in wrong.value.args[1]


def test_comments_hold_for_views(c):
    names = {r["replica"] for r in replicas(c)}
    c.sql("CREATE VIEW who_view AS SELECT id, name FROM who")
    text = "SELECT name FROM who_view WHERE id = 1"
    with weak(c, "eventual") as app:
        reached(app, names)
        assert {ask(app, f"/*shardd: consistency=strong*/ {text}")[0][0]
                for _ in range(30)} == {"primary"}
    c.sql("DROP VIEW who_view")


def test_variables(c):
    with c.connect() as app:
        assert ask(app, "SELECT @@shardd_consistency") == (("strong",),)
        ask(app, "SET shardd_consistency = EVENTUAL")
        assert ask(app, "SHOW VARIABLES LIKE 'shardd_cons%'") == (
            ("shardd_consistency", "eventual"),)
        ask(app, "SET shardd_consistency = DEFAULT")
        assert ask(app, "SELECT @@shardd_consistency") == (("strong",),)
        for bad in ("shardd_consistency = 'weak'", "shardd_causal_token = 'x'",
                    "shardd_consistency = 1"):
            with pytest.raises(pymysql.err.Error) as wrong:
                ask(app, f"SET {bad}")
            assert wrong.value.args[0] == 1231


def test_defaults_of_users_and_databases(c):
    names = {r["replica"] for r in replicas(c)}
    try:
        c.ctl("database set", "app", "--consistency", "eventual")
        with c.connect() as app:
            wait_for("a replica", lambda: who(app) in names)
            assert ask(app, "SELECT @@shardd_consistency") == (("eventual",),)
        c.ctl("user set", "app", "--consistency", "strong")
        with c.connect() as app:
            assert {who(app) for _ in range(20)} == {"primary"}
    finally:
        c.ctl("database set", "app", "--consistency", "default")
        c.ctl("user set", "app", "--consistency", "default")


def test_prepared_and_merged(c):
    with weak(c, "eventual") as app:
        ask(app, "CREATE TABLE many (id BIGINT PRIMARY KEY, n INT)")
        ask(app, "INSERT INTO many VALUES " + ",".join(f"({i}, {i % 7})" for i in range(500)))
        before = c.metric("shardd_weak_reads_total", server="replica")

        caught_up(c)

        def complete():
            return ask(app, "SELECT COUNT(*), SUM(n) FROM many") == ((500, 1494),)
        wait_for("all rows", complete)
        for text in ("SELECT n, COUNT(*) FROM many GROUP BY n ORDER BY n",
                     "SELECT id FROM many ORDER BY id DESC LIMIT 7",
                     "SELECT DISTINCT n FROM many ORDER BY n"):
            weakly = ask(app, text)
            assert weakly == ask(app, f"/*shardd: consistency=strong*/ {text}")
        wait_for("reads from replicas",
                 lambda: (complete(), c.metric("shardd_weak_reads_total", server="replica") >
                          before + 8)[1])
        ask(app, "DROP TABLE many")


# --- how old -------------------------------------------------------------------------------


def replication(c, verb):
    for replica in c.replica_list():
        with c.server_connect(replica) as root, root.cursor() as cursor:
            cursor.execute(f"{verb} SLAVE SQL_THREAD")


def test_a_session_reads_its_writes(c):
    """Also while replicas stand still, and as soon as they go on."""
    c.sql("CREATE TABLE own (id INT PRIMARY KEY, n INT)")
    c.sql("INSERT INTO own VALUES (1, 0), (2, 0), (3, 0), (4, 0)")
    stood, choice = False, random.Random(7)
    with weak(c, "causal") as app:
        for n in range(1, 400):
            key = choice.randint(1, 4)
            if n % 100 == 50:
                replication(c, "START" if stood else "STOP")
                stood = not stood
            if choice.random() < 0.3:
                ask(app, "BEGIN")
                ask(app, "UPDATE own SET n = %s WHERE id = %s", (n, key))
                ask(app, "COMMIT")
            else:
                ask(app, "UPDATE own SET n = %s WHERE id = %s", (n, key))
            for _ in range(choice.randint(1, 3)):
                assert ask(app, "SELECT n FROM own WHERE id = %s", key) == ((n,),)
            if choice.random() < 0.1:
                time.sleep(0.05)
    if stood:
        replication(c, "START")
    c.sql("DROP TABLE own")


def test_a_session_sees_what_the_controller_did(c):
    c.sql("CREATE TABLE emptied (id INT PRIMARY KEY, n INT)")
    with weak(c, "causal") as app:
        for n in range(5):
            ask(app, "INSERT INTO emptied VALUES (1, %s)", n)
            assert ask(app, "SELECT n FROM emptied WHERE id = 1") == ((n,),)
            replication(c, "STOP")
            try:
                ask(app, "TRUNCATE TABLE emptied")
                assert ask(app, "SELECT n FROM emptied WHERE id = 1") == ()
            finally:
                replication(c, "START")
    c.sql("DROP TABLE emptied")


def test_a_token_is_passed_on(c):
    c.sql("CREATE TABLE passed (id INT PRIMARY KEY, n INT)")
    c.sql("INSERT INTO passed VALUES (1, 0)")
    try:
        with c.connect() as writer, weak(c, "causal") as reader:
            wait_for("the table", lambda: ask(reader, "SELECT n FROM passed WHERE id = 1"))
            replication(c, "STOP")
            for n in range(1, 20):
                ask(writer, "UPDATE passed SET n = %s WHERE id = 1", n)
                token = ask(writer, "SELECT @@shardd_causal_token")[0][0]
                ask(reader, "SET shardd_causal_token = %s", token)
                assert ask(reader, "SELECT n FROM passed WHERE id = 1") == ((n,),)
            # One of elsewhere: everything until now.
            with c.connect() as fresh:
                ask(fresh, "SET shardd_consistency = 'causal'")
                ask(writer, "UPDATE passed SET n = 99 WHERE id = 1")
                ask(fresh, "SET shardd_causal_token = '0123456789abcdef-5'")
                assert ask(fresh, "SELECT n FROM passed WHERE id = 1") == ((99,),)
    finally:
        replication(c, "START")
        c.sql("DROP TABLE passed")


def run_together(seconds, *functions):
    """The functions are called over and over; what goes wrong in one of them is raised."""
    stop, failures = time.monotonic() + seconds, []

    def loop(function):
        try:
            while time.monotonic() < stop and not failures:
                function()
        except Exception as error:
            failures.append(error)
    threads = [threading.Thread(target=loop, args=(f,)) for f in functions]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failures:
        raise failures[0]


def check_order(c, seconds):
    """One counter that grows. Nobody who reads causally sees it fall; who reads eventually sees
    nothing older than the limit."""
    c.sql("CREATE TABLE counter (id INT PRIMARY KEY, n BIGINT)")
    c.sql("INSERT INTO counter VALUES (1, 0)")
    when, lag = [time.monotonic()], 2.0
    writer, lazy = c.connect(), weak(c, "eventual")
    causal = [weak(c, "causal") for _ in range(4)]
    last   = [0] * len(causal)

    def write():
        when.append(time.monotonic())
        ask(writer, "UPDATE counter SET n = n + 1 WHERE id = 1")

    def read(i):
        n = ask(causal[i], "SELECT n FROM counter WHERE id = 1")[0][0]
        assert n >= last[i], f"session {i} read {last[i]} and then {n}"
        last[i] = n

    def read_lazily():
        began = time.monotonic()
        n     = ask(lazy, "SELECT n FROM counter WHERE id = 1")[0][0]
        # What was written after it was surely not there before it was begun.
        if n + 2 < len(when):
            assert began - when[n + 2] < lag + 0.5, "an answer older than the limit"

    def trouble():
        time.sleep(0.3)
        victim = random.choice(c.replica_list())
        with c.server_connect(victim) as root, root.cursor() as cursor:
            cursor.execute("STOP SLAVE SQL_THREAD")
            time.sleep(random.random())
            cursor.execute("START SLAVE SQL_THREAD")
    try:
        wait_for("the counter", lambda: quiet(
            lambda: ask(lazy, "SELECT n FROM counter WHERE id = 1")))
        run_together(seconds, write, read_lazily, trouble,
                     *[lambda i=i: read(i) for i in range(len(causal))])
        assert min(last) > 0
    finally:
        for app in [writer, lazy, *causal]:
            app.close()
        replication(c, "START")
        c.sql("DROP TABLE counter")


def test_nothing_falls(c):
    check_order(c, 3)


@pytest.mark.long
def test_nothing_falls_for_long(c):
    check_order(c, 120)


# --- what fails ----------------------------------------------------------------------------


def read_on(c, app, names, stop, seen, failures):
    while not stop.is_set():
        try:
            seen.append((time.monotonic(), who(app)))
        except pymysql.err.Error as error:
            failures.append(error)
            return


def with_readers(c, n, trouble):
    """Readers while `trouble()` runs: what they saw, with times."""
    stop, seen, failures = threading.Event(), [], []
    names   = {r["replica"] for r in replicas(c)}
    apps    = [weak(c, "eventual") for _ in range(n)]
    threads = [threading.Thread(target=read_on, args=(c, app, names, stop, seen, failures))
               for app in apps]
    for t in threads:
        t.start()
    try:
        trouble(seen)
    finally:
        stop.set()
        for t in threads:
            t.join()
        for app in apps:
            app.close()
    assert not failures, failures
    return seen


def answers_again(seen, name):
    began = time.monotonic()

    def back():
        return any(at > began and who == name for at, who in seen[-200:])
    wait_for(f"answers of {name}", back, 60)


def test_a_killed_replica_costs_nothing(c):
    victim = replicas(c)[0]

    def trouble(seen):
        answers_again(seen, victim["replica"])
        os.kill(victim["pid"], signal.SIGKILL)
        # The controller starts it again, and it comes back by itself.
        wait_for("the replica", lambda: replicas(c)[0].get("replicates"), 60)
        answers_again(seen, victim["replica"])
    with_readers(c, 4, trouble)


def test_a_stopped_replica_costs_nothing(c):
    victim = replicas(c)[1]

    def trouble(seen):
        answers_again(seen, victim["replica"])
        os.kill(victim["pid"], signal.SIGSTOP)
        try:
            answers_again(seen, replicas(c)[0]["replica"])
            n = len(seen)
            wait_for("reads to go on", lambda: len(seen) > n + 100)
        finally:
            os.kill(victim["pid"], signal.SIGCONT)
        answers_again(seen, victim["replica"])
    with_readers(c, 4, trouble)


def test_a_replica_without_the_table(c):
    """What a replica lacks is not missing: the primary is asked as well."""
    victim = replicas(c)[0]
    c.sql("CREATE TABLE here (id INT PRIMARY KEY, n INT) COMMENT 'shardd: global'")
    c.sql("INSERT INTO here VALUES (1, 5)")
    with weak(c, "eventual") as app:
        for replica in replicas(c):
            with c.server_connect(replica, "app") as root, root.cursor() as cursor:
                wait_for("the table", lambda: quiet(
                    lambda: cursor.execute("SELECT * FROM here")))
        with c.server_connect(victim, "app") as root, root.cursor() as cursor:
            cursor.execute("SET sql_log_bin = 0")
            cursor.execute("RENAME TABLE here TO there")
            for _ in range(100):
                assert ask(app, "SELECT n FROM here WHERE id = 1") == ((5,),)
            cursor.execute("RENAME TABLE there TO here")
        # An error of the statement stays one.
        with pytest.raises(pymysql.err.Error) as wrong:
            ask(app, "SELECT nothing FROM here")
        assert wrong.value.args[0] == 1054
    c.sql("DROP TABLE here")


def test_states(c):
    one, two = replicas(c)
    with weak(c, "eventual") as app:
        for verb in ("drain", "disable"):
            c.ctl(f"server {verb}", one["replica"])
            assert {who(app) for _ in range(50)} <= {"primary", two["replica"]}
            c.ctl("server enable", one["replica"])
            reached(app, {one["replica"], two["replica"]})
    shown = {row[0]: row for row in ask(c.connect(), "SHOW SHARDD SERVERS")}
    assert set(shown) == {r["replica"] for r in c.replica_list()}
    assert shown[one["replica"]][4] == "serving"


def test_replicas_go_under_their_readers(c):
    """The last ones of a shard, and with them all that is known of it."""
    c.sql("CREATE TABLE kept (id BIGINT PRIMARY KEY, n INT)")
    c.sql("INSERT INTO kept VALUES " + ",".join(f"({i}, 1)" for i in range(100)))
    apps, stop, failures = [weak(c, how) for how in ("causal", "eventual") * 2], False, []

    def read(app):
        while not stop and not failures:
            try:
                got = ask(app, "SELECT COUNT(*), SUM(n) FROM kept")
                assert got == ((100, 100),), got
            except Exception as error:
                failures.append(error)
    caught_up(c)
    for app in apps:
        wait_for("all rows", lambda: quiet(
            lambda: ask(app, "SELECT COUNT(*) FROM kept") == ((100,),)))
    threads = [threading.Thread(target=read, args=(app,)) for app in apps]
    for t in threads:
        t.start()
    try:
        for replica in c.replica_list():
            if replica["shard"] != home(c)["name"]:
                c.ctl("replica remove", replica["replica"], timeout=120)
    finally:
        stop = True
        for t in threads:
            t.join()
    assert not failures, failures
    c.sql("DROP TABLE kept")
