#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes unicode_table.c from this Python's Unicode data: python3 make_unicode.py > unicode_table.c

The table lists the code points at which the class changes, each as code * 4 + class.
"""
import sys
import unicodedata

CLASSES = {"L": 1, "N": 2, "M": 3}          # as in unicode.h; all else is 0


def boundaries():
    before = 0
    for code in range(0x110000):
        now = CLASSES.get(unicodedata.category(chr(code))[0], 0)
        if now != before:
            yield code << 2 | now
        before = now


def main():
    entries = ["0x%x," % entry for entry in boundaries()]
    print("/* SPDX-License-Identifier: MIT */")
    print("/* General categories of Unicode %s, written by make_unicode.py. */"
          % unicodedata.unidata_version)
    print('#include "text/unicode.h"\n')
    print("const uint32_t sv_unicode_table[SV_UNICODE_ENTRIES] = {")
    line = "   "
    for entry in entries:
        if len(line) + 1 + len(entry) > 99:
            print(line)
            line = "   "
        line += " " + entry
    print(line)
    print("};")
    print("%d entries" % len(entries), file=sys.stderr)


main()
