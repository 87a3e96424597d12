#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
Hold the manual page and the table of keys together: each key has its entry, in its section, with a
default, an example that `spawnlet check` takes, and what it becomes.

Usage: check-man.py SPAWNLET PAGE.SCD
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

SECTION = re.compile(r"^# \[(\w+)(?: NAME)?\] SECTION$")
ENTRY = re.compile(r"^\*(\w+)=\*")
# What an example stands beside, as its page says.
BESIDE = {key: "[Exec]\nPrivateUsers=no\n" for key in ("Overlay", "OverlayReadOnly")}
PLANNED = "this version of spawnlet does not support it yet"


def spawnlet(program, *args):
    result = subprocess.run([program, *args], capture_output=True, text=True, timeout=60)
    return json.loads(result.stdout)


def entries(page):
    """{(section, key): text} of the page, scdoc's escapes removed."""
    found, section, key = {}, None, None
    for line in page.splitlines():
        if line.startswith("# "):
            match = SECTION.match(line)
            section, key = match[1].capitalize() if match else None, None
        elif section and (match := ENTRY.match(line)):
            key = section, match[1]
            found[key] = ""
        if key:
            found[key] += line.replace("\\", "") + "\n"
    return found


def example_findings(program, section, example):
    """What is wrong with the example's value itself, not with what it is to stand beside."""
    header = section + " lan" if section == "Veth" else section
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory, "web.container")
        path.touch(0o600)  # for credentials: that others can read them is worth a warning
        path.write_text(f"[{header}]\n{example}\n" + BESIDE.get(example.partition("=")[0], ""))
        found = spawnlet(program, "check", "--json", str(path))
    beside = (PLANNED, "has a meaning only", "needs ", "contradicts", "no valid definition", "of this family",
              "the container has no address")
    return [f["message"] for f in found if not any(text in f["message"] for text in beside)]


def problems(program, key, text):
    default = re.search(r"\bDefault:", text)
    examples = re.findall(r"^\tExample[^:]*: (\w+=.*)$", text, re.MULTILINE)
    if not default and not re.search(r"\b[Bb]y default\b", text):
        yield "does not say the default"
    if not examples:
        yield "has no example"
    for example in examples:
        if not example.startswith(f"{key['key']}="):
            yield f"has an example of another key: {example}"
        for message in example_findings(program, key["section"], example):
            yield f"has an example that is wrong: {example}: {message}"
    if key["option"] and key["option"] not in text:
        yield f"does not say that it becomes {key['option']}"
    if key["since"] and f"systemd {key['since']}" not in text.replace("\n\t", " "):
        yield f"does not say that it needs systemd {key['since']}"
    if key["planned"] != ("refuses the key" in text.replace("\n\t", " ")) and key["section"] != "Veth":
        yield "is wrong about whether it is supported"


def main(program, page):
    keys = {(k["section"], k["key"]): k for k in spawnlet(program, "keys", "--json")}
    documented = entries(pathlib.Path(page).read_text())
    found = [f"[{s}] {k}= has no entry" for s, k in sorted(keys.keys() - documented.keys())]
    found += [f"[{s}] {k}= is no key" for s, k in sorted(documented.keys() - keys.keys())]
    for name in sorted(keys.keys() & documented.keys()):
        found += [
            f"[{name[0]}] {name[1]}= {problem}"
            for problem in problems(program, keys[name], documented[name])
        ]
    for line in found:
        print(f"{page}: {line}")
    print(f"{len(keys)} keys")
    return 1 if found or not keys else 0


sys.exit(main(*sys.argv[1:]))
