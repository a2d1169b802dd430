"""The OLTP scripts that come with sysbench: prepare, run, clean up, without an error."""
import subprocess

import pytest

SCRIPTS = ["oltp_delete", "oltp_insert", "oltp_point_select", "oltp_read_only",
           "oltp_read_write", "oltp_update_index", "oltp_update_non_index", "oltp_write_only",
           "select_random_points", "select_random_ranges"]

MAY_DEADLOCK = ("oltp_read_write", "oltp_write_only")


def sysbench(server, db, script, command, *, rows, threads, events=0, ps="auto"):
    done = subprocess.run(
        ["sysbench", script, "--db-driver=mysql", "--mysql-host=127.0.0.1",
         f"--mysql-port={server.port}", "--mysql-user=app", "--mysql-password=app",
         f"--mysql-db={db}", f"--table-size={rows}", f"--threads={threads}",
         f"--tables={1 if script.startswith('select') else 2}",
         f"--db-ps-mode={ps}", f"--events={events}", "--time=0", "--rand-seed=1",
         command],
        capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{script} {command}: {done.stdout}\n{done.stderr}"
    assert "FATAL" not in done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("script", SCRIPTS)
def test_script(checked, db, script):
    # Clients that lock rows of two shards in opposite order wait for the lock timeout: among
    # so many rows they hardly ever meet.
    rows, threads = (20_000, 4) if script in MAY_DEADLOCK else (1000, 8)
    sysbench(checked, db, script, "prepare", rows=rows, threads=2)
    assert sum(checked.spread("sbtest1", db)) == rows
    for ps in "auto", "disable":
        out = sysbench(checked, db, script, "run", rows=rows, threads=threads, events=300,
                       ps=ps)
        # Rows deleted and inserted again by several clients deadlock on any server.
        assert script in MAY_DEADLOCK or "ignored errors:                      0 " in out, out
    if script in MAY_DEADLOCK:  # and each such transaction was whole
        assert sum(checked.spread("sbtest1", db)) == rows
    sysbench(checked, db, script, "cleanup", rows=1000, threads=2)


def test_bulk_insert(checked, db):
    sysbench(checked, db, "bulk_insert", "prepare", rows=1000, threads=2)
    sysbench(checked, db, "bulk_insert", "run", rows=1000, threads=2, events=2000)
    sysbench(checked, db, "bulk_insert", "cleanup", rows=1000, threads=2)


def test_rows_lie_even(checked, db):
    sysbench(checked, db, "oltp_point_select", "prepare", rows=20_000, threads=2)
    spread = checked.spread("sbtest1", db)
    assert sum(spread) == 20_000
    even = 20_000 / len(spread)
    assert all(abs(n - even) <= 0.05 * even for n in spread), spread


@pytest.mark.long
@pytest.mark.parametrize("ps", ["auto", "disable"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_script_with_64_threads(checked, db, script, ps):
    sysbench(checked, db, script, "prepare", rows=20_000, threads=2)
    sysbench(checked, db, script, "run", rows=20_000, threads=64, events=20_000, ps=ps)
    sysbench(checked, db, script, "cleanup", rows=20_000, threads=2)
