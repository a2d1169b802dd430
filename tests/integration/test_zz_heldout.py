import os, json
import test_corpus
from test_corpus import pair, failures_of, tell, answer

def test_new(pair, capsys):
    q = []
    for f in os.environ["HELDOUT"].split():
        q += [l for l in open(f).read().splitlines() if l and not l.startswith("--")]
    import sys
    import pymysql
    f0 = test_corpus.run_one
    def ro(p, s, t):
        open("/tmp/heldout/last","w").write(s)
        return f0(p, s, t)
    test_corpus.run_one = ro
    fl = failures_of(pair, q)
    tell(capsys, "new", q, fl)

def test_plain_errors(pair):
    q = []
    for f in os.environ["HELDOUT"].split():
        q += [l for l in open(f).read().splitlines() if l and not l.startswith("--")]
    out = open("/tmp/heldout/plain_errors", "w")
    c = pair.connections[1]
    for s in q:
        c.begin()
        a = answer(c, s)
        c.rollback()
        if a[0] == "error":
            out.write(f"{a[1]} {a[2]}: {s}\n")
