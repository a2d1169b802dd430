"""test_reshard.py - rows move between shards while applications go on."""
import json
import threading

import pymysql
import pytest

import movebed
from controlbed import UnixConnection
from testbed import Cluster, wait_for


@pytest.fixture(scope="module")
def c(scratch):
    cluster = Cluster(scratch / "move", shards=2)
    yield cluster
    cluster.finish()


def jobs(c):
    return c.ctl("job list")["jobs"]


def job(c, number):
    return c.ctl("job show", number)


def reshard(c, verb, *args, timeout=120):
    """Waits until the rows are switched (or the job is at its end); its record."""
    done = c.ctl_raw(verb, *args, "--wait", "--json", timeout=timeout)
    assert done.returncode == 0, f"{verb} {args}: {done.stdout[-1500:]} {done.stderr}"
    return json.loads(done.stdout)


def refused(c, verb, *args):
    done = c.ctl_raw(verb, *args)
    assert done.returncode == 1, done.stdout
    return done.stderr


def shares(c):
    return {s["name"]: round(s["percent"]) for s in c.shard_list()}


def leftovers(c):
    """What a move that has ended must not leave on any shard."""
    found = []
    for shard in c.shard_list():
        found += [(shard["name"], name) for (name,) in c.on_shard(
            shard, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA ="
            " 'shardd_move' AND (TABLE_NAME LIKE 'in\\_%' OR TABLE_NAME LIKE 'out\\_%')")]
    return found


def test_everything_under_load(c, mirror):
    bed = movebed.Bed(c, mirror, triggers=movebed.TRIGGERS)
    bed.start()
    try:
        first = reshard(c, "reshard split", "shard-1")
        assert first["phase"] == "reverse" and first["verified"]["rows"] > 0, first
        assert shares(c) == {"shard-1": 25, "shard-2": 50, "shard-3": 25}
        assert bed.check() == []
        assert reshard(c, "reshard reverse")["end"] == "reversed"
        assert shares(c) == {"shard-1": 50, "shard-2": 50, "shard-3": 0}
        assert bed.check() == []
        c.ctl("shard add")
        reshard(c, "reshard rebalance")
        assert shares(c) == {f"shard-{i}": 25 for i in range(1, 5)}
        assert reshard(c, "reshard complete")["state"] == "done"
        assert bed.check() == [] and leftovers(c) == []
        reshard(c, "reshard merge", "shard-1", "shard-3", "--no-reverse")
        reshard(c, "shard drain", "shard-4", "--no-reverse")
        wait_for("the shard to be gone", lambda: len(c.shard_list()) == 3, 20)
    finally:
        wrong = bed.end()
    assert wrong == []
    assert leftovers(c) == []
    c.fsck()


def test_inserts_do_not_wait_for_a_copy(c):
    """LOAD DATA held AUTO-INC and waited for gaps of transactions that waited for it: 1213."""
    c.sql("CREATE TABLE counted (id INT AUTO_INCREMENT PRIMARY KEY, v INT)")
    shard = c.shard_list()[0]

    def runs():
        return [r[0] for r in c.on_shard(shard, "SHOW PROCESSLIST") if "seq_1_to" in str(r[7])]

    def copy():
        with pytest.raises(pymysql.err.OperationalError) as end:
            c.on_shard(shard, "INSERT INTO counted SELECT 1000000 + seq, SLEEP(0.1)"
                       " FROM seq_1_to_1200", "app")
        ended.append(end.value.args[0])

    ended = []
    thread = threading.Thread(target=copy)
    thread.start()
    wait_for("the copy", runs)
    for i in range(8):
        c.sql("INSERT INTO counted VALUES (%s, 1)", (i + 1,))
    assert c.spread("counted")[0] > 0
    for number in runs():
        c.on_shard(shard, f"KILL QUERY {number}")
    thread.join()
    assert ended == [1317]  # it had not ended by itself
    c.sql("DROP TABLE counted")


# --- what is refused -------------------------------------------------------------------------

def on_all(c, sql, db="app"):
    for shard in c.shard_list():
        c.on_shard(shard, sql, db)


BAD = [
    ("no primary key", "CREATE TABLE bad (a INT PRIMARY KEY)", "ALTER TABLE bad DROP PRIMARY KEY",
     None, "has no primary key"),
    ("another engine", "CREATE TABLE bad (a INT PRIMARY KEY)", "ALTER TABLE bad ENGINE = MyISAM",
     None, "only InnoDB tables can move"),
    ("cascades", "CREATE TABLE bad (a INT PRIMARY KEY)",
     "ALTER TABLE bad ADD b INT, ADD INDEX (b), ADD FOREIGN KEY (b) REFERENCES bad (a)"
     " ON DELETE CASCADE", None, "changes rows by itself"),
    ("a trigger of whom shardd knows nothing", "CREATE TABLE bad (a INT PRIMARY KEY)",
     "CREATE TRIGGER bt BEFORE INSERT ON bad FOR EACH ROW SET NEW.a = NEW.a", None,
     "has the trigger bt"),
    ("history", "CREATE TABLE bad (a INT PRIMARY KEY)", "ALTER TABLE bad ADD SYSTEM VERSIONING",
     None, "has system versioning"),
    ("statements in the log", "CREATE TABLE bad (a INT PRIMARY KEY)",
     "SET GLOBAL binlog_format = 'STATEMENT'", "SET GLOBAL binlog_format = 'ROW'",
     "has binlog_format = STATEMENT"),
    ("parts of rows in the log", "CREATE TABLE bad (a INT PRIMARY KEY)",
     "SET GLOBAL binlog_row_image = 'MINIMAL'", "SET GLOBAL binlog_row_image = 'FULL'",
     "has binlog_row_image = MINIMAL"),
]


@pytest.mark.parametrize("make, spoil, mend, says", [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_what_cannot_move_is_refused(c, make, spoil, mend, says):
    c.sql(make)
    try:
        on_all(c, spoil)
        first, second = [s["name"] for s in c.shard_list()][:2]
        done = c.ctl_raw("reshard split", second, "--to", first, "--dry-run")
        assert done.returncode == 1 and says in done.stderr, done
    finally:
        if mend:
            on_all(c, mend)
        c.sql("DROP TABLE bad")


def test_definitions_must_be_equal(c):
    c.sql("CREATE TABLE uneven (a INT PRIMARY KEY)")
    first = c.shard_list()[0]
    c.on_shard(first, "ALTER TABLE uneven ADD COLUMN b INT", "app")
    done = c.ctl_raw("reshard move", "0-ffff", "--to", c.shard_list()[1]["name"], "--dry-run")
    both = c.ctl_raw("reshard move", "0-ffff", "--to", first["name"], "--dry-run")
    assert "definitions of app.uneven" in done.stderr + both.stderr
    c.on_shard(first, "ALTER TABLE uneven DROP COLUMN b", "app")
    c.sql("DROP TABLE uneven")


WRONG = [
    (["reshard split", "nobody"], "there is no shard 'nobody'"),
    (["reshard split", "shard-1", "--into", "1"], None),
    (["reshard split", "shard-1", "--at", "zz"], "is no position in the key space"),
    (["reshard split", "shard-1", "--at", "8", "--at", "4"], "must ascend"),
    (["reshard split", "shard-1", "--to", "shard-1"], "cannot be split into itself"),
    (["reshard merge", "shard-1"], "say two shards or more"),
    (["reshard merge", "shard-1", "shard-1"], "is named twice"),
    (["reshard move", "x-y", "--to", "shard-1"], "is no range"),
    (["reshard move", "1", "--to", "shard-1"], "no range begins at 1"),
    (["reshard move", "0"], None),
    (["reshard split", "shard-1", "--max-pause", "0"], None),
    (["reshard complete"], "no rows are being moved"),
    (["reshard cutover", "1"], "is no move that runs"),
    (["job pause", "99999"], "there is no job 99999"),
    (["job show", "99999"], "there is no job"),
]


@pytest.mark.parametrize("words, says", WRONG, ids=[" ".join(w[0]) for w in WRONG])
def test_what_makes_no_sense(c, words, says):
    done = c.ctl_raw(words[0], *words[1:])
    assert done.returncode == (1 if says else 2), done
    assert not says or says in done.stderr, done.stderr


# --- a move under way ------------------------------------------------------------------------

@pytest.fixture
def move(c):
    """One that waits to be told when to switch, its job's number; cancelled at the end."""
    c.sql("CREATE TABLE m (id INT PRIMARY KEY, v INT)")
    c.sql("INSERT INTO m VALUES " + ",".join(f"({i}, {i})" for i in range(500)))
    shards = [s["name"] for s in c.shard_list()]
    owned = {s["name"]: s["percent"] for s in c.shard_list()}
    source = max(shards, key=lambda s: owned[s])
    target = min((s for s in shards if s != source), key=lambda s: owned[s])
    number = c.ctl("reshard split", source, "--to", target, "--cutover", "manual")["job"]
    wait_for("the copy", lambda: job(c, number)["phase"] == "follow" and
             "verified" in job(c, number), 30)
    yield number
    if job(c, number)["state"] in ("running", "paused"):
        asked = "complete" if job(c, number)["phase"] == "reverse" else "cancel"
        c.ctl_raw("job cancel" if asked == "cancel" else "reshard complete", number, "--wait")
    assert c.sql("SELECT COUNT(*), SUM(v) FROM m") in (((500, 124750),), ((501, 124751),))
    c.sql("DROP TABLE m")
    assert leftovers(c) == []


def test_what_waits_for_the_end(c, move):
    assert c.sql("SELECT COUNT(*), SUM(v) FROM m") == ((500, 124750),)
    for sql in ("ALTER TABLE m ADD w INT", "DROP TABLE m", "TRUNCATE TABLE m",
                "RENAME TABLE m TO m2", "CREATE INDEX i ON m (v)", "DROP DATABASE app"):
        with pytest.raises(Exception, match=f"when job {move}"):
            c.sql(sql)
    assert f"job {move}" in refused(c, "shard add")
    assert f"job {move}" in refused(c, "shard remove", "shard-2")
    assert f"job {move}" in refused(c, "reshard rebalance", "--by", "rows")
    assert f"job {move}" in refused(c, "table set", "app.m", "--global")
    assert "its rows have" not in refused(c, "reshard reverse")
    c.sql("INSERT INTO m VALUES (1000, 1)")
    assert c.sql("SELECT COUNT(*), SUM(v) FROM m") == ((501, 124751),)
    c.sql("DELETE FROM m WHERE id = 1000")
    c.ctl("job pause")
    assert job(c, move)["state"] == "paused"
    c.ctl("job resume", move)
    c.ctl("job throttle", 100000)
    assert job(c, move)["state"] == "running"
    assert job(c, move)["options"]["throttle"].endswith(",rows=100000")
    assert "is no way to throttle" in refused(c, "job throttle", "quickly")
    assert c.ctl_raw("job cancel", "--wait").returncode == 0
    assert job(c, move)["state"] == "cancelled"


def test_a_set_that_stays_empty_costs_little(c, move):
    """Every statement not fixed by a key asks it for each row: the server leaves that out where
    it knows that there are none. Keys are put into the others."""
    spec = {p["from"]: p["to"] for p in job(c, move)["move"]["pieces"]}
    ((source, target),) = spec.items()
    for shard in c.shard_list():
        engines = dict(c.on_shard(shard, "SELECT SUBSTRING_INDEX(TABLE_NAME, '_', 1), MAX(ENGINE)"
                                         " FROM information_schema.TABLES WHERE TABLE_SCHEMA ="
                                         f" 'shardd_move' AND TABLE_NAME REGEXP '_{move}_'"
                                         " GROUP BY 1 HAVING COUNT(DISTINCT ENGINE) = 1"))
        assert engines == {"in": "InnoDB" if shard["id"] == target else "MyISAM",
                           "out": "InnoDB" if shard["id"] == source else "MyISAM"}
        plan = c.on_shard(shard, "EXPLAIN SELECT * FROM m WHERE NOT EXISTS (SELECT 1 FROM"
                                 f" shardd_move.in_{move}_0 AS h WHERE h.k <=> m.id)", "app")
        assert ("Impossible WHERE" in str(plan)) == (engines["in"] == "MyISAM")


def test_a_new_shard_is_asked_for_rows_when_it_has_some(c):
    """Until the switch nothing of the move is in the statements, which go where rows are."""
    c.sql("CREATE TABLE fresh (id INT PRIMARY KEY, v INT)")
    c.sql("INSERT INTO fresh SELECT seq, 1 FROM seq_1_to_500")
    c.ctl("shard add", "--name", "fresh")
    count, new = "SELECT COUNT(*), SUM(v) FROM fresh", "fresh"
    owners = {s["name"] for s in c.shard_list() if s["percent"]}
    source = max(owners)

    def asked():
        told = c.sql(f"EXPLAIN SHARDD FORMAT=JSON {count}")[0][0]
        return set(json.loads(told)["shards"]), "shardd_move" in told
    try:
        assert new not in owners and asked() == (owners, False)
        number = c.ctl("reshard split", source, "--to", new, "--cutover", "manual")["job"]
        wait_for("the copy", lambda: job(c, number)["phase"] == "follow" and
                 "verified" in job(c, number), 30)
        (target,) = [s for s in c.shard_list() if s["name"] == new]
        assert c.on_shard(target, "SELECT COUNT(*) FROM fresh", "app")[0][0] > 0
        assert asked() == (owners, False) and c.sql(count) == ((500, 500),)
        with pytest.raises(Exception, match="not for tables whose rows move"):
            c.sql(f"/* shardd: shard={new} */ {count}")
        c.sql("UPDATE fresh SET v = v + 1")
        assert c.sql(count) == ((500, 1000),)
        assert c.ctl_raw("reshard cutover", "--wait").returncode == 0
        assert asked() == (owners | {new}, True) and c.sql(count) == ((500, 1000),)
        c.sql("UPDATE fresh SET v = v + 1")
        assert c.sql(count) == ((500, 1500),)
        assert c.ctl_raw("reshard complete", "--wait").returncode == 0
        assert asked() == (owners | {new}, False) and c.sql(count) == ((500, 1500),)
        reshard(c, "shard drain", new, "--no-reverse")
        wait_for("the shard to be gone", lambda: new not in {s["name"] for s in c.shard_list()}, 20)
    finally:
        c.sql("DROP TABLE fresh")


def test_who_looks_is_not_in_the_way_of_who_asks(c, move):
    """A record is shown while it is changed."""
    stop, wrong = threading.Event(), []

    def look():
        asking = UnixConnection(c.home / "controller.sock")
        while not stop.is_set():
            asking.request("GET", f"/v1/jobs/{move}")
            answer = asking.getresponse()
            if json.loads(answer.read()).get("number") != move:
                wrong.append(answer.status)
    lookers = [threading.Thread(target=look) for _ in range(3)]
    for looker in lookers:
        looker.start()
    try:
        for i in range(20):
            c.ctl("job pause", move)
            c.ctl("job throttle", 1000 + i)
            c.ctl("job resume", move)
            c.ctl("reshard verify", move)
    finally:
        stop.set()
        for looker in lookers:
            looker.join()
    assert wrong == []
    assert job(c, move)["options"]["throttle"].endswith(",rows=1019")


def test_a_switch_by_hand_and_back(c, move):
    assert c.ctl_raw("reshard cutover", "--wait").returncode == 0
    assert job(c, move)["phase"] == "reverse"
    with pytest.raises(Exception, match="reshard complete"):
        c.sql("ALTER TABLE m ADD w INT")
    assert "have been switched" in refused(c, "job cancel")
    c.sql("INSERT INTO m VALUES (1000, 1)")
    assert c.ctl_raw("reshard reverse", "--wait").returncode == 0
    assert job(c, move)["end"] == "reversed"
    assert c.sql("SELECT COUNT(*), SUM(v) FROM m") == ((501, 124751),)
    c.fsck()


def test_an_old_transaction_holds_up_the_end(c, move):
    old = c.connect()
    try:
        with old.cursor() as cursor:
            assert c.ctl_raw("reshard cutover", "--wait").returncode == 0
            cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
            cursor.execute("SELECT COUNT(*) FROM m")
            c.ctl("reshard complete")
            wait_for("the reason", lambda: "waits_for" in job(c, move), 30)
            why = job(c, move)
            assert "older than the switch" in why["waits_for"], why
            assert "of app on shard-" in why["waits_for"] and why["problem"], why
            cursor.execute("SELECT COUNT(*) FROM m")  # as before, all the while
            assert cursor.fetchone() == (500,)
            assert c.ctl_raw("reshard complete", "--cut-transactions", "--wait").returncode == 0
            assert job(c, move)["state"] == "done" and "waits_for" not in job(c, move)
            with pytest.raises(pymysql.err.OperationalError):
                cursor.execute("SELECT COUNT(*) FROM m")
                cursor.execute("SELECT COUNT(*) FROM m")
    finally:
        old.close()


@pytest.mark.long
def test_a_new_table_stops_it(c, move):
    c.sql("CREATE TABLE newcomer (id INT PRIMARY KEY)")
    c.sql("INSERT INTO newcomer VALUES (1), (2), (3), (4), (5)")
    wait_for("the move to stop", lambda: job(c, move)["state"] == "failed", 20)
    assert "newcomer was made while rows moved" in job(c, move)["error"]
    c.fsck()
    c.sql("DROP TABLE newcomer")


def test_a_target_that_somebody_wrote_to_is_found_out(c, move):
    target = job(c, move)["move"]["pieces"][0]["to_name"]
    (shard,) = [s for s in c.shard_list() if s["name"] == target]
    hidden = c.on_shard(shard, f"SELECT k FROM shardd_move.in_{move}_"
                        f"{job(c, move)['move']['tables'].index('app.m')} LIMIT 1")
    c.on_shard(shard, f"UPDATE m SET v = -1 WHERE id = {hidden[0][0]}", "app")
    c.ctl("reshard verify")
    wait_for("the move to stop", lambda: job(c, move)["state"] == "failed", 20)
    assert "1 different" in job(c, move)["error"], job(c, move)
    c.fsck()
