"""test_demo.py - the movie of `make demo`, shortened: it judges itself."""
import subprocess

import pytest

from testbed import ROOT


@pytest.mark.long
def test_demo():
    """It grew because a shard was hot, shrank because shards were cold; nothing failed, and all
    rows are what the applications know."""
    done = subprocess.run([ROOT / "bench" / "demo.py", "--seconds", "60"], text=True,
                          capture_output=True, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 failed;" in done.stdout and "all as the applications know them" in done.stdout
    assert "split shard-1 has" in done.stdout and "have been below" in done.stdout
