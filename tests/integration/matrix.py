"""matrix.py - what became of everything that was killed, filled up or cut off, as one table.

Tests note() a line; the table is printed behind the last test, whichever process ran them
(conftest.py), and stays in build/outcomes.txt.
"""
import json
import os

import testbed

LINES = testbed.ROOT / "build" / "testbed" / "outcomes.jsonl"
TABLE = testbed.ROOT / "build" / "outcomes.txt"
COLUMNS = "victim", "what ran", "at", "outcome"


def forget():
    LINES.parent.mkdir(parents=True, exist_ok=True)
    LINES.unlink(missing_ok=True)


def note(victim, what, at, outcome):
    """Said when all is verified: rows, sums, fsck."""
    line = json.dumps([victim, what, at, outcome]) + "\n"
    f = os.open(LINES, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.write(f, line.encode())
    os.close(f)


def ended(job):
    """A job's record in words: was it resumed or taken back?"""
    if job["state"] == "done" and job.get("end") == "reversed":
        return "resumed: switched, and back"
    if job["state"] == "done":
        return "resumed: done"
    if job["state"] == "running":
        return f"resumed: {job['phase']}"
    return f"rolled back: {job['state']}" + (f" ({job['error'][:90]})" if job.get("error") else "")


def table():
    """As lines of text; empty: nobody was killed."""
    if not LINES.exists():
        return []
    rows = sorted({tuple(json.loads(line)) for line in LINES.read_text().splitlines()})
    width = [max(len(row[i]) for row in [COLUMNS, *rows]) for i in range(3)]
    lines = ["  ".join([*(cell.ljust(w) for cell, w in zip(row, width)), row[3]])
             for row in [COLUMNS, *rows]]
    TABLE.write_text("\n".join(lines) + "\n")
    return lines
