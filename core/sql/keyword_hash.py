#!/usr/bin/python3
# keyword_hash.py - write keyword_hash.h from keyword_list.h (see there).
# The hash is the one of word_hash() in keyword.c.
import os
import re

BITS, MULTIPLIER, MASK = 11, 0x9E3779B97F4A7C15, (1 << 64) - 1


def word_hash(word):
    w = bytes(b | 0x20 for b in word.encode())
    n = len(w)
    if n >= 8:
        first, last = w[:8], w[-8:]
    elif n >= 4:
        first, last = w[:4], w[-4:]
    else:
        first, last = bytes([w[0], w[n // 2]]), bytes([w[n - 1]])
    first, last = (int.from_bytes(x, "little") for x in (first, last))
    mixed = (first * MULTIPLIER) & MASK
    mixed = ((mixed ^ (mixed >> 32)) + last + n) * MULTIPLIER & MASK
    return mixed >> (64 - BITS)


here = os.path.dirname(os.path.abspath(__file__))
with open(here + "/keyword_list.h") as f:
    words = re.findall(r"\b[RN]\((\w+)\)", f.read())
slots = [0] * (1 << BITS)
for number, word in enumerate(words, 1):
    at = word_hash(word)
    while slots[at]:
        at = (at + 1) % len(slots)
    slots[at] = number

with open(here + "/keyword_hash.h", "w") as f:
    f.write("/* keyword_hash.h - made by keyword_hash.py: the keyword in each slot, or 0. */\n")
    f.write("static const uint16_t slots[1 << HASH_BITS] = {\n")
    for i in range(0, len(slots), 16):
        f.write("    " + ", ".join(str(n) for n in slots[i:i + 16]) + ",\n")
    f.write("};\n")
