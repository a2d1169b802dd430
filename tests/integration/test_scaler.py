"""test_scaler.py - a cluster that grows and shrinks by itself under applications, and a scaler that
is killed, stopped, held back and asked why."""
import json

import pymysql
import pytest

import movebed
from movebed import restart
from testbed import Cluster, wait_for

BUSY, IDLE = 0.004, 0.5  # seconds between the statements of one application
QUICK = ["check_s=1", "max_statements=150", "hot_n=3", "hot_of=4", "cold=30", "cold_n=4",
         "cold_of=5", "merge_to=60", "cooldown_s=2", "max_shards=2", "max_latency_ms=0",
         "max_cpu=0", "max_memory=0", "max_storage=0", "max_connections=0", "free_disk=0",
         "forecast_error=0", "moves_per_day=1000", "max_pause_ms=1000", "keep_s=0", "rows_per_s=0",
         "max_failures=3", "quiet="]
TABLES = ["kv", "`lines`", "accounts", "stays", "m"]


@pytest.fixture(scope="module")
def c(scratch):
    cluster = Cluster(scratch / "scale", shards=1)
    cluster.ctl("load set", "--interval", 1)
    cluster.ctl("scaler set", *QUICK)
    yield cluster
    cluster.finish()


@pytest.fixture(autouse=True)
def tidy(c):
    """What a test leaves behind is no matter of the next one, also when it has failed."""
    yield
    if movebed.controller(c) is None:
        restart(c)
    c.ctl("scaler set", "mode=off", *QUICK)
    c.ctl_raw("scaler resume")
    for job in open_moves(c):
        c.ctl_raw("job cancel", job, "--wait", timeout=120)
    for table in TABLES:
        c.sql(f"DROP TABLE IF EXISTS {table}")
    for name in names(c)[1:]:  # those that have rows are drained
        if c.ctl_raw("shard remove", name, timeout=120).returncode:
            c.ctl_raw("shard drain", name, "--no-reverse", "--wait", timeout=120)
    assert names(c) == ["shard-1"]


def decisions(c, **want):
    done = c.ctl_raw("scaler decisions", "--limit", 500, "--json")
    if done.returncode:
        return []  # the controller is away
    return [d for d in json.loads(done.stdout)["decisions"]
            if all(d.get(k) == v for k, v in want.items())]


def names(c):
    done = c.ctl_raw("shard list", "--json")
    return [s["name"] for s in json.loads(done.stdout)["shards"]] if not done.returncode else []


def ended(c, action, after=0):
    return next((d for d in decisions(c, action=action)
                 if d["number"] > after and d["state"] not in ("held", "beginning", "moving")),
                None)


def last(c):
    return max((d["number"] for d in decisions(c)), default=0)


def explain(c, number):
    answer = c.ctl("scaler explain", number)
    assert answer["replayed"]["text"] == answer["text"]
    return answer


def test_grows_and_shrinks(c, plain):
    """The movie, shortened: first it only says so; no statement fails, no row is lost."""
    with movebed.running(c, plain, writers=3, movers=1, watchers=1, pause=BUSY) as bed:
        advice = wait_for("advice", lambda: decisions(c, action="split", held="advise"), 30)[-1]
        assert "the mode is advise" in explain(c, advice["number"])["text"]
        assert names(c) == ["shard-1"] and c.ctl("scaler status")["moves_today"] == 0
        before = last(c)
        c.ctl("scaler mode", "auto")
        split = wait_for("the end of a split", lambda: ended(c, "split", before), 60)
        assert split["state"] == "done", split
        assert (split["why"], split["metric"], split["shard"]) == ("hot", "statements", "shard-1")
        shown = explain(c, split["number"])
        assert shown["world"]["shards"][0]["hot"]["statements"] >= 1
        assert len(shown["request"]["at"]) == 1  # by load
        assert len(names(c)) == 2 and bed.check() == []
        held = wait_for("no third", lambda: decisions(c, action="split", held="shards") or
                        not any(s["hot"] for s in c.ctl("scaler status")["shards"]), 30)
        assert held
        bed.pause = IDLE
        merge = wait_for("the end of a merge", lambda: ended(c, "merge", before), 60)
        assert merge["state"] == "done", merge
        assert merge["why"] == "cold" and merge["other"] == "shard-1"
        assert explain(c, merge["number"])["request"]["verb"] == "drain"
        assert names(c) == ["shard-1"] and bed.check() == []
        c.ctl("scaler mode", "off")
        jobs = [j["number"] for j in c.ctl("job list")["jobs"] if j["kind"] == "move"]
        assert {split["job"], merge["job"]} == set(jobs)
    c.fsck()


@pytest.mark.long
def test_old_copies_are_kept_for_a_while(c, plain):
    with movebed.running(c, plain, writers=3, movers=1, watchers=1, pause=BUSY):
        before = last(c)
        c.ctl("scaler set", "keep_s=4", "cold=0", "mode=auto")
        split = wait_for("the end of a split", lambda: ended(c, "split", before), 60)
        assert split["state"] == "done" and split["ended_s"] - split["switched_s"] >= 4
        c.ctl("scaler mode", "off")


@pytest.mark.long
def test_stops_after_failures(c, plain):
    """What cannot be done is not tried for ever, and a rest lies between the tries."""
    c.sql("CREATE TABLE stays (id BIGINT PRIMARY KEY) ENGINE=MyISAM")
    with movebed.running(c, plain, writers=3, movers=1, watchers=1, pause=BUSY):
        before = last(c)
        c.ctl("scaler set", "max_failures=2", "mode=auto")
        stopped = wait_for("its stop", lambda: c.ctl("scaler status")["stopped"], 40)
        assert "2 failures in a row" in stopped
        assert "STOPPED: 2 failures" in c.ctl_raw("status").stdout
        failed = [d for d in decisions(c, state="failed") if d["number"] > before]
        assert len(failed) == 2 and "stays" in failed[0]["error"], failed
        assert failed[0]["at_s"] - failed[1]["ended_s"] >= 2  # cooldown_s
        wait_for("word of it", lambda: next((d for d in decisions(c, held="stopped")
                                             if d["number"] > before), None))
        restart(c)
        assert wait_for("the same", lambda: c.ctl("scaler status")["stopped"]) == stopped
        c.ctl("scaler mode", "off")
        c.ctl("scaler resume")
        wait_for("no stop", lambda: not c.ctl("scaler status")["stopped"])
        assert names(c) == ["shard-1"]


def open_moves(c):
    return [j["number"] for j in c.ctl("job list")["jobs"]
            if j["kind"] == "move" and j["state"] in ("running", "paused")]


@pytest.mark.long
def test_never_two_at_once(c, plain):
    """While somebody moves rows of a hot shard it is left alone, and while the scaler moves them
    nobody else can."""
    with movebed.running(c, plain, writers=3, movers=1, watchers=1, pause=BUSY):
        theirs = c.ctl("reshard split", "shard-1", "--cutover", "manual")["job"]
        before = last(c)
        c.ctl("scaler set", "cold=0", "cooldown_s=0", "mode=auto")
        looks = set()

        def looked():
            now = c.ctl("scaler status")
            one = next(s for s in now["shards"] if s["name"] == "shard-1")
            if one["hot"] and one["moving"]:
                looks.add(now["checked_s"])
            return len(looks) >= 4

        wait_for("looks at a hot shard whose rows move", looked, 60)
        assert open_moves(c) == [theirs]
        assert not [d for d in decisions(c) if d["number"] > before and d.get("job")]
        c.ctl("job cancel", theirs, "--wait")
        ours = wait_for("a split", lambda: next(
            (d for d in decisions(c, action="split", state="moving")
             if d["number"] > before and d.get("job")), None), 60)
        done = c.ctl_raw("reshard split", "shard-1")
        assert done.returncode == 1 and f"job {ours['job']}" in done.stderr, done
        wait_for("its end", lambda: next((d for d in decisions(c, state="done")
                                          if d["number"] == ours["number"]), None), 60)
        c.ctl("scaler mode", "off")


def spoil(c, number):
    """One row of `m`, which no application changes, is made another on the target of the move."""
    move = c.ctl("job show", number).get("move") or {}
    target = next((s for s in c.shard_list()
                   if s["name"] in [p["to_name"] for p in move.get("pieces", [])]), None)
    if not target or "app.m" not in move.get("tables", []):
        return False
    at = move["tables"].index("app.m")
    try:
        ((key,),) = c.on_shard(target, f"SELECT MIN(k) FROM shardd_move.in_{number}_{at}")
        c.on_shard(target, f"UPDATE m SET v = -1 WHERE id = {key}", "app")
        return c.on_shard(target, "SELECT COUNT(*) FROM m WHERE v = -1", "app") == ((1,),)
    except pymysql.err.MySQLError:
        return False  # it is not there yet


@pytest.mark.long
def test_stops_when_copies_differ(c, plain):
    """That is no accident: nothing moves any more, whatever max_failures is, until somebody has
    looked."""
    c.sql("CREATE TABLE m (id BIGINT PRIMARY KEY, v INT)")
    c.sql("INSERT INTO m VALUES " + ",".join(f"({i}, 1)" for i in range(1, 501)))
    with movebed.running(c, plain, writers=3, movers=1, watchers=1, pause=BUSY) as bed:
        before = last(c)
        c.ctl("scaler set", "rows_per_s=150", "max_failures=50", "mode=auto")
        split = wait_for("a split", lambda: next(
            (d for d in decisions(c, action="split", state="moving")
             if d["number"] > before and d.get("job")), None), 40)
        wait_for("the wrong row", lambda: spoil(c, split["job"]), 40)
        stopped = wait_for("its stop", lambda: c.ctl("scaler status")["stopped"], 90)
        assert f"the copies of job {split['job']} differed" in stopped
        assert c.ctl("job show", split["job"])["verified"]["different"] == 1
        wait_for("word of it", lambda: next((d for d in decisions(c, held="stopped")
                                             if d["number"] > split["number"]), None))
        c.ctl("scaler mode", "off")
        c.ctl("scaler resume")
        assert bed.check() == []
        assert c.sql("SELECT COUNT(*), SUM(v) FROM m") == ((500, 500),)


def killed_once(c, point, action, before):
    """The controller dies at `point`; the next one brings a decision of that kind to its end."""
    wait_for("its end", lambda: movebed.controller(c) is None, 60)
    restart(c)
    return wait_for(f"the end of a {action}", lambda: next(
        (d for d in decisions(c, action=action, state="done") if d["number"] > before), None), 90)


@pytest.mark.long
@pytest.mark.parametrize("point", [
    "scaler-decided", "scaler-begun", "scaler-moving", "prepare-hide", "copy", "follow", "verify",
    "cutover-fenced", "cutover-journal", "cutover-published", "complete", "clean-drop",
    "scaler-ends"])
def test_killed(c, plain, point):
    """Wherever the controller dies, the next one knows what was decided, and goes on: while a
    shard is split, and while two are merged."""
    with movebed.running(c, plain, writers=3, movers=1, watchers=1, pause=BUSY) as bed:
        before = last(c)
        restart(c, SHARDD_FAIL_AT=point)
        c.ctl("scaler set", "cooldown_s=0", "cold=0", "max_failures=10")
        c.ctl("scaler mode", "auto")
        split = killed_once(c, point, "split", before)
        lost = decisions(c, state="lost")
        assert len([d for d in lost if d["number"] > before]) == (point == "scaler-decided")
        assert c.ctl("job show", split["job"])["who"] == f"scaler {split['number']}"
        assert len(names(c)) == 2
        c.ctl("scaler mode", "off")
        bed.pause = IDLE
        before = last(c)
        restart(c, SHARDD_FAIL_AT=point)
        c.ctl("scaler set", "cold=30", "mode=auto")
        merge = killed_once(c, point, "merge", before)
        assert c.ctl("job show", merge["job"])["who"] == f"scaler {merge['number']}"
        c.ctl("scaler mode", "off")
        assert len(names(c)) == 1 and bed.check() == []
    c.fsck()


def test_settings_are_checked_and_kept(c):
    refused = [("max_cpu=101", "from 0 to 100"), ("nothing=1", "no setting"), ("mode=on", "mode"),
               ("quiet=22-6", "quiet hours"), ("hot_n=60", "hot_of"), ("cold=90", "clear")]
    for word, sentence in refused:
        done = c.ctl_raw("scaler set", word)
        assert done.returncode == 1 and sentence in done.stderr, done
    done = c.ctl_raw("scaler set", "max_cpu=70", "max_shards=0")
    assert done.returncode == 1, done
    assert c.ctl_raw("scaler set", "max_cpu").returncode == 2
    c.ctl("scaler set", "max_cpu=71.5", "quiet=22:00-06:30", "mode=off")
    restart(c)
    kept = {s["name"]: s["value"] for s in c.ctl("scaler status")["settings"]}
    assert kept["max_cpu"] == 71.5 and kept["quiet"] == "22:00-06:30"
    assert kept["max_statements"] == 150 and c.ctl("scaler status")["mode"] == "off"
    c.ctl("scaler set", "quiet=")
    assert c.ctl_raw("scaler resume").returncode == 1  # it has not stopped
    assert c.ctl_raw("scaler explain", 999999).returncode == 1
    assert c.ctl_raw("scaler explain", "x").returncode == 1
    assert "quiet" in c.ctl_raw("scaler status").stdout
    assert c.ctl_raw("scaler decisions").returncode == 0


def test_traces(c, tmp_path):
    """What was measured, and what was made up, can be simulated."""
    made = tmp_path / "trace"
    c.ctl_raw("scaler simulate", "--generate", "growth", "--trace-shards", 2, "--write", made)
    out = c.ctl("scaler simulate", "--trace", made, "--set", "max_statements=5000")
    assert out["splits"] > 0 and out["shards"]["first"] == 2
    text = c.ctl_raw("scaler simulate", "--trace", made, "--decisions").stdout
    assert "shard-minutes above a limit" in text
    measured = c.ctl_raw("scaler trace")
    assert measured.returncode == 0
    assert measured.stdout.splitlines()[1].startswith("time shard statements")
    made.write_text("time shard statements\n1 a b\n")
    done = c.ctl_raw("scaler simulate", "--trace", made)
    assert done.returncode == 1 and "line 2" in done.stderr
    assert c.ctl_raw("scaler simulate").returncode == 2
