"""Files of LOAD DATA are cut into records and fields as a server cuts them."""
import os
import random
import subprocess
import zlib

import pytest

from testbed import MODE, ROOT

TOP = ROOT
COLUMNS = ["c0", "c1", "c2"]
CHARSETS = {"binary": 63, "ascii": 11, "latin1": 8, "utf8mb3": 33, "utf8mb4": 45}
TERMS = [b"\t", b",", b"\n", b";", b"ab", b"aab", b"||", b"\r\n", b"NULL", b"x", b"\\", b'"', b"",
         b"\0", b"aba", b" "]
BYTES = [b'"', b"'", b"\\", b"a", b"|", b"x", b"N", b"", b"", b"\n", b",", b"\t"]
PIECES = [b"a", b"b", b"N", b"NULL", b"\\N", b"\\", b'"', b'""', b"'", b"1", b"0", b"Z", b"n",
          b"\xc3\xa9", b"\xe2\x82\xac", b"\xf0\x9f\x98\x80", b"word", b" ", b"\t", b"\n", b",",
          b"|", b"\0"]
BROKEN = [b"\xc3", b"\xe2", b"\xe2\x82", b"\xf0", b"\xf0\x9f", b"\xf0\x9f\x98", b"\xff", b"\x80",
          b"\xc0\x80", b"\xed\xa0\x80", b"\xe0\x80", b"\xf4\x90\x80\x80", b"\xe0\x41"]


class Format:
    def __init__(self, pick):
        usual = pick.random() < 0.4
        self.field = b"," if usual else pick.choice(TERMS)
        self.line = b"\n" if usual else pick.choice(TERMS)
        self.enclosed = pick.choice([b'"', b""]) if usual else pick.choice(BYTES)
        self.escape = b"\\" if usual else pick.choice(BYTES)
        self.start = b"" if pick.random() < 0.7 else pick.choice(TERMS)
        self.charset = pick.choice(list(CHARSETS))
        self.skip = pick.choice([0, 0, 0, 1, 2])
        if not self.field and not self.enclosed:
            self.field = b","
        if self.start and not self.line:  # after a line that it ignores a server looks for none
            self.skip = 0
        if not self.field or not self.line or self.field == self.line:
            self.field, self.line, self.start = (t.replace(b"\0", b"!") for t in
                                                 (self.field, self.line, self.start))
        if not self.field and not self.line:  # the server wants one of them for BLOBs
            self.line = b"\n"

    def clauses(self):
        def text(b):
            return f"x'{b.hex()}'" if b else "''"
        lines = f" LINES STARTING BY {text(self.start)}" if self.start else " LINES"
        return (f" CHARACTER SET {self.charset} FIELDS TERMINATED BY {text(self.field)}"
                f" ENCLOSED BY {text(self.enclosed)} ESCAPED BY {text(self.escape)}"
                f"{lines} TERMINATED BY {text(self.line)}"
                + (f" IGNORE {self.skip} LINES" if self.skip else ""))

    def question(self, data):
        words = [self.field, self.enclosed, self.escape, self.start, self.line]
        return " ".join([w.hex() or "-" for w in words] +
                        [str(len(COLUMNS)), str(CHARSETS[self.charset]), str(self.skip),
                         data.hex() or "-"])


def make_file(pick, f):
    special = [b for b in (f.field, f.line, f.enclosed, f.escape, f.start) if b]
    pieces = PIECES + special * 5 + [b[:1] for b in special]
    if pick.random() < 0.2:
        pieces = pieces + BROKEN
    if pick.random() < 0.5:
        return b"".join(pick.choice(pieces) for _ in range(pick.randint(0, 40)))
    record = (f.start + f.field.join(
        f.enclosed + b"".join(pick.choice(pieces) for _ in range(pick.randint(0, 3)))
        + f.enclosed for _ in range(pick.choice([3, 3, 3, 2, 4]))) + f.line
        for _ in range(pick.randint(0, 5)))
    return b"".join(record)


def of_server(rows):
    return [["N" if cell is None else "x" + cell.hex() for cell in row] for row in rows]


def same(ours, theirs):
    """What a column without a field gets is the server's own affair, and so is what it makes
    of bytes that are no text."""
    return len(ours) == len(theirs) and all(
        a == b or a[0] in "-?" for o, t in zip(ours, theirs) for a, b in zip(o, t))


@pytest.fixture(scope="module")
def cut():
    program = TOP / "build" / MODE / "load_cli"
    if not program.exists():
        subprocess.run(["make", "-C", TOP, f"MODE={MODE}", f"build/{MODE}/load_cli"], check=True)
    process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                               bufsize=1)

    def ask(question):
        process.stdin.write(question + "\n")
        process.stdin.flush()
        line = process.stdout.readline().strip()
        return [r.split(",")[:-1] for r in line.split(";")[:-1]] if line != "no" else None
    yield ask
    process.stdin.close()
    process.wait()


def compare(plain, scratch, cut, rounds, seed):
    pick, path = random.Random(seed), scratch / "file"
    plain.sql("CREATE OR REPLACE DATABASE cut")
    with plain.connect(db="cut", local_infile=True) as c, c.cursor() as cursor:
        cursor.execute("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, c0 LONGBLOB,"
                       " c1 LONGBLOB, c2 LONGBLOB)")
        for i in range(rounds):
            f = Format(pick)
            data = make_file(pick, f)
            path.write_bytes(data)
            cursor.execute("DELETE FROM t")
            cursor.execute(f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE t{f.clauses()}"
                           f" ({','.join(COLUMNS)})")
            cursor.execute("SELECT c0, c1, c2 FROM t ORDER BY id")
            theirs = of_server(cursor.fetchall())
            ours = cut(f.question(data))
            assert ours is not None and same(ours, theirs), \
                f"seed {seed} round {i}: {f.clauses()}\n{data}\nours   {ours}\nserver {theirs}"
    plain.sql("DROP DATABASE cut")


def test_files_are_cut_as_a_server_cuts_them(plain, scratch, cut):
    compare(plain, scratch, cut, 1000, zlib.crc32(b"load"))


@pytest.mark.long
def test_many_files(plain, scratch, cut):
    compare(plain, scratch, cut, 40000, random.SystemRandom().getrandbits(32))
