#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
Hold the manual page and the table of keys together: each key has its entry, in its section.

Usage: check-man.py KEYS.C PAGE.SCD
"""

import re
import sys

ROW = re.compile(r'\[KEY_\w+\] = \{ "(\w+)", "(\w+)"')
SECTION = re.compile(r"^# \[(\w+)\] SECTION$")
ENTRY = re.compile(r"^\*(\w+)=\*")


def documented(page):
    section = None
    for line in page.splitlines():
        if line.startswith("# "):
            match = SECTION.match(line)
            section = match[1].capitalize() if match else None
        elif section and (match := ENTRY.match(line)):
            yield section, match[1]


def main(keys, page):
    with open(keys) as f:
        table = set(ROW.findall(f.read()))
    with open(page) as f:
        entries = set(documented(f.read()))
    for section, key in sorted(table - entries):
        print(f"{page}: [{section}] {key}= has no entry")
    for section, key in sorted(entries - table):
        print(f"{page}: [{section}] {key}= is no key")
    print(f"{len(table)} keys")
    return 0 if table and table == entries else 1


sys.exit(main(*sys.argv[1:]))
