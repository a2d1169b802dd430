#!/usr/bin/python3
"""weights.py - write core/route/weights_*.c from a running MariaDB server.

usage: weights.py SOCKET [USER]     (run in the root of the tree)

The tables decide where rows lie: they must not change once rows are stored.
Running this against another server is a way to check that (git diff is empty).
"""
import sys

import pymysql

PART_PAGES = 40
MANY, IMPLICIT = 0x8000, 0xFFFF
COLUMNS = 5


def implicit(code_point):
    """What a character without an entry of its own weighs in the UCA."""
    base = 0xFBC0
    if 0x3400 <= code_point <= 0x4DB5:
        base = 0xFB80
    elif 0x4E00 <= code_point <= 0x9FA5:
        base = 0xFB40
    return (base + (code_point >> 15), (code_point & 0x7FFF) | 0x8000)


def weights_of(cursor, collation):
    cursor.execute(
        "SELECT seq, HEX(WEIGHT_STRING(CONVERT(CHAR(seq USING utf32) USING utf8mb4)"
        f" COLLATE {collation})) FROM seq_0_to_1114111"
        " WHERE seq NOT BETWEEN 0xd800 AND 0xdfff")
    return {cp: tuple(int(text[i:i + 4], 16) for i in range(0, len(text), 4))
            for cp, text in cursor.fetchall()}


def words(entries):
    """16-bit entries, four to a word, as lines of C."""
    entries = list(entries) + [0] * (-len(entries) % 4)
    texts = ["0x%04x%04x%04x%04x," % tuple(reversed(entries[i:i + 4]))
             for i in range(0, len(entries), 4)]
    return [" " + "".join(texts[i:i + COLUMNS]) for i in range(0, len(texts), COLUMNS)]


def small(values, width=20):
    texts = ["%d," % v for v in values]
    return ["    " + " ".join(texts[i:i + width]) for i in range(0, len(texts), width)]


def write(name, purpose, lines):
    path = f"core/route/{name}.c"
    head = [f"/* {name}.c - {purpose}. Made by weights.py. */",
            '#include "core/route/weights.h"', ""]
    assert len(head) + len(lines) <= 600, path
    with open(path, "w", encoding="ascii") as out:
        out.write("\n".join(head + lines) + "\n")


def table(name, collation, exceptions, entry_of):
    """Pages in parts of a file each, and the file that ties them together."""
    highs = sorted({cp >> 8 for cp in exceptions})
    many, places = [], {}

    def place(weights):
        if weights not in places:
            places[weights] = len(many)
            many.extend((len(weights),) + weights)
        return MANY + places[weights]

    pages = [[entry_of((high << 8) + low, place) for low in range(256)] for high in highs]
    parts = [sum(pages[i:i + PART_PAGES], []) for i in range(0, len(pages), PART_PAGES)]
    assert len(many) < IMPLICIT - MANY
    for i, part in enumerate(parts):
        lines = [f"extern const uint64_t {name}_part{i}[];", "",
                 f"const uint64_t {name}_part{i}[] = {{"] + words(part) + ["};"]
        write(f"{name}_part{i}", f"weights of {collation}, part {i + 1}", lines)
    page_of = [highs.index(h) + 1 if h in highs else 0 for h in range(max(highs) + 1)]
    lines = [f"extern const uint64_t {name}_part{i}[];" for i in range(len(parts))]
    lines += ["", "static const uint8_t page_of[] = {"] + small(page_of) + ["};"]
    lines += ["", "static const uint64_t *const part[] = {",
              "    " + ", ".join(f"{name}_part{i}" for i in range(len(parts))), "};"]
    lines += ["", "static const uint64_t many[] = {"] + words(many or [0]) + ["};"]
    lines += ["", f"const struct weights {name} = {{",
              "    .n_high = sizeof(page_of), .page_of = page_of,",
              "    .part = part, .many = many,", "};"]
    write(name, f"weights of {collation}", lines)


def general(cursor):
    weights = weights_of(cursor, "utf8mb4_general_ci")
    assert all(w == ((0xFFFD,) if cp > 0xFFFF else (w[0],)) for cp, w in weights.items())
    exceptions = [cp for cp, w in weights.items() if cp <= 0xFFFF and w != (cp,)]
    table("weights_general", "utf8mb4_general_ci", exceptions, lambda cp, _: weights[cp][0])


def unicode(cursor, name, collation, has_supplementary):
    weights = weights_of(cursor, collation)
    if not has_supplementary:
        assert all(w == (0xFFFD,) for cp, w in weights.items() if cp > 0xFFFF)
        weights = {cp: w for cp, w in weights.items() if cp <= 0xFFFF}
    exceptions = [cp for cp, w in weights.items() if w != implicit(cp)]
    assert max(len(w) for w in weights.values()) <= 8

    def entry_of(cp, place):
        w = weights.get(cp)
        if w is None or w == implicit(cp):
            return IMPLICIT
        return w[0] if len(w) == 1 and w[0] < MANY else place(w)

    table(name, collation, exceptions, entry_of)


def latin1(cursor):
    cursor.execute("SELECT HEX(WEIGHT_STRING(CONVERT(UNHEX(LPAD(HEX(seq), 2, '0')) USING latin1)"
                   " COLLATE latin1_swedish_ci)), CONV(HEX(CONVERT(CONVERT(UNHEX(LPAD(HEX(seq), 2,"
                   " '0')) USING latin1) USING utf32)), 16, 10) FROM seq_0_to_255")
    rows = [(int(w, 16), int(cp)) for w, cp in cursor.fetchall()]
    assert all(cp == i for i, (_, cp) in enumerate(rows) if not 0x80 <= i < 0xA0)
    lines = ["const uint8_t weights_latin1[256] = {"] + small([w for w, _ in rows], 16) + ["};"]
    lines += ["", "const uint16_t weights_latin1_high[32] = {"]
    lines += small([cp for _, cp in rows[0x80:0xA0]], 8) + ["};"]
    write("weights_latin1", "weights of latin1_swedish_ci", lines)


def main():
    connection = pymysql.connect(unix_socket=sys.argv[1], database="mysql", charset="utf8mb4",
                                 user=sys.argv[2] if len(sys.argv) > 2 else "root")
    cursor = connection.cursor()
    latin1(cursor)
    general(cursor)
    unicode(cursor, "weights_unicode", "utf8mb4_unicode_ci", False)
    unicode(cursor, "weights_unicode_520", "utf8mb4_unicode_520_ci", True)


if __name__ == "__main__":
    main()
