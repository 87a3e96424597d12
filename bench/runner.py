# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measure spawnlet beside a floor and beside its peers, in one run.

Every figure is a ratio of two programs that took turns on the same machine. Exits with 1
if one is over its budget.
"""

import argparse
import importlib
import json
import os
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parent
sys.path.append(str(BENCH.parent / "tests/lib"))

import build  # noqa: E402
import roots  # noqa: E402
import sandbox  # noqa: E402

# Each a module with compare(release, quick, progress), which yields rows; see generator.py.
COMPARISONS = ["generator", "network", "lifecycle"]


def progress(text):
    """One line on a terminal, which the next one takes the place of."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def verdict(row):
    if row["budget"] is None:
        return ""
    sign = "≤" if row["budget_is"] == "at most" else "≥"
    return f"{sign} {row['budget']:g}" + ("" if row["met"] else "  NOT MET")


def print_table(rows):
    cells = [("what", "figure", "spawnlet", "beside", "", "ratio", "budget")]
    for row in rows:
        cells.append((row["what"], row["figure"], row["spawnlet"], row["other"], row["beside"],
                      f"{row['ratio']:.2f}", verdict(row)))
    cells = [[f"{c:.4g}" if isinstance(c, float) else str(c) for c in line] for line in cells]
    widths = [max(map(len, column)) for column in zip(*cells)]
    for line in cells:
        print("  ".join(c.ljust(w) for c, w in zip(line, widths)).rstrip())


def main():
    parser = argparse.ArgumentParser(prog="bench/run", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", help=f"of {', '.join(COMPARISONS)}; default: all")
    parser.add_argument("--release", choices=sorted(roots.CODENAMES), default="13",
                        help="the Debian release to measure on (default: 13)")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and smaller numbers")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    options = parser.parse_args()
    for name in options.what:
        if name not in COMPARISONS:
            parser.error(f"no comparison is called '{name}'; there is {', '.join(COMPARISONS)}")

    rows = []
    sys.path.insert(0, str(BENCH))
    built = build.build(options.release, BENCH.parent)
    for name in options.what or COMPARISONS:
        for row in importlib.import_module(name).compare(options.release, built, options.quick, progress):
            row["met"] = (row["budget"] is None
                          or (row["ratio"] <= row["budget"] if row["budget_is"] == "at most"
                              else row["ratio"] >= row["budget"]))
            rows.append(row)
    progress("")

    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        print_table(rows)
    return 0 if all(row["met"] for row in rows) else 1


if __name__ == "__main__":
    os.umask(0o022)
    sandbox.enter(main)
