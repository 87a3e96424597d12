#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
Hold the manual page and the program together: each key has its entry, in its section, with a default,
an example that `spawnlet check` takes, and what it becomes; and the table of HARDENING has what the
units of the presets have.

Usage: check-man.py SPAWNLET PAGE.SCD
"""

import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

SECTION = re.compile(r"^# \[(\w+)(?: NAME)?\] SECTION$")
ENTRY = re.compile(r"^\*(\w+)=\*")
# What an example stands beside, as its page says.
BESIDE = {key: "[Exec]\nPrivateUsers=no\n" for key in ("Overlay", "OverlayReadOnly")}
PRESETS = ("trusted", "default", "strict")


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
    beside = ("has a meaning only", "needs ", "contradicts", "no valid definition", "of this family",
              "the container has no address", "shares the host's network")
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


def hardening_table(page):
    """{setting: (value, value, value)} of the table in HARDENING."""
    section = page.split("\n# HARDENING\n")[1].split("\n# ")[0]
    table = section.split("[[")[1].split("\n\n")[0]
    rows = [[" ".join(cell.split()) for cell in re.split(r"^:[\[<] ", row, flags=re.MULTILINE)]
            for row in re.split(r"^\|\[ ", table, flags=re.MULTILINE)[1:]]
    # The blank after a comma is for the formatter.
    return {re.sub(r"(?<=,) ", "", setting): values for setting, *values in rows}


def settings(program, preset, image):
    """The lines of [Service] and the options of systemd-nspawn that the preset's unit has."""
    image = "Image=/i\n" if image else ""
    with tempfile.TemporaryDirectory() as directory:
        pathlib.Path(directory, "web.container").write_text(
            f"[Container]\nHardening={preset}\n{image}[Network]\nPrivate=yes\n")
        unit = subprocess.run([program, "unit", "web"], capture_output=True, text=True, timeout=60, check=True,
                              env={**os.environ, "SPAWNLET_PATH": directory}).stdout
    lines = unit.split("[Service]\n")[1].splitlines()
    start = next(line for line in lines if line.startswith("ExecStart="))
    options = shlex.split(re.split(r" --(?: |$)", start.split("systemd-nspawn")[1])[0])
    return {line for line in lines if not line.startswith(("#", "Exec"))} | set(options)


def expected(setting, value, image):
    """The line or option that a cell of the table stands for; None for none."""
    if value == "yes" or value == "Image=" and image:
        return setting
    if setting.endswith("="):
        return setting + value
    return f"{setting} {value}" if value not in ("no", "Image=") else None


# What follows from users and network, which is not for the table.
FOLLOWS = ("--private-users-ownership=", "--bind-ro=/usr/", "--network-namespace-path=", "--private-users=no", "--boot")


def hardening_problems(program, page):
    table = hardening_table(page)
    if len(table) < 10:
        yield "HARDENING has no table"
    for image in False, True:
        units = [settings(program, preset, image) for preset in PRESETS]
        differ = set.union(*units) - set.intersection(*units)
        told = set()
        for column, (preset, unit) in enumerate(zip(PRESETS, units)):
            cells = {setting: expected(setting, values[column], image) for setting, values in table.items()}
            told |= set(cells.values())
            for setting, text in cells.items():
                if text and text not in unit and text not in FOLLOWS:
                    yield f"HARDENING: {preset} does not have {text}"
                if not text and setting in unit:
                    yield f"HARDENING: {preset} has {setting}"
        for setting in sorted(differ - told):
            if not setting.startswith(FOLLOWS):
                yield f"HARDENING says nothing of {setting}"


def main(program, page):
    keys = {(k["section"], k["key"]): k for k in spawnlet(program, "keys", "--json")}
    text = pathlib.Path(page).read_text()
    documented = entries(text)
    found = [f"[{s}] {k}= has no entry" for s, k in sorted(keys.keys() - documented.keys())]
    found += [f"[{s}] {k}= is no key" for s, k in sorted(documented.keys() - keys.keys())]
    for name in sorted(keys.keys() & documented.keys()):
        found += [
            f"[{name[0]}] {name[1]}= {problem}"
            for problem in problems(program, keys[name], documented[name])
        ]
    found += hardening_problems(program, text.replace("\\", ""))
    for line in found:
        print(f"{page}: {line}")
    print(f"{len(keys)} keys")
    return 1 if found or not keys else 0


sys.exit(main(*sys.argv[1:]))
