# SPDX-License-Identifier: LGPL-2.1-or-later
"""Static analysis, valgrind, and how the installed programs are hardened.

All tools are in the build root of RELEASE. What one of them finds counts, unless tests/analysis/TOOL
excuses it: a line with the check, the files and a part of the text, below a comment with the reason.
A line that excuses nothing any more is a finding, too. clang-tidy has its own file, .clang-tidy.
"""

import json
import plistlib
import re
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import build
import hardening
import sandbox

RELEASE = "13"
EXCUSES = Path(__file__).resolve().parent.parent / "analysis"

# Tests that valgrind cannot run, and why.
NOT_UNDER_VALGRIND = {
    "init": "it looks at signal masks and executables of its children: those of valgrind",
}


class Findings(Exception):
    """What was found, a line for each."""


@dataclass(frozen=True)
class Finding:
    path: str  # below the source tree
    line: int
    check: str
    text: str  # the message
    notes: str = ""  # how the analyzer came there

    def __str__(self):
        lines = [f"{self.path}:{self.line}: {self.text} [{self.check}]"]
        return "\n".join(lines + ["    " + note for note in self.notes.splitlines()])


class Excuse:
    def __init__(self, tool, number, line):
        self.where = f"tests/analysis/{tool}:{number}"
        self.line = line
        self.check, self.path, self.text = line.split(None, 2)
        self.used = False

    def covers(self, finding, source):
        if not fnmatch(finding.check, self.check) or not fnmatch(finding.path, self.path):
            return False
        return (self.text == "*" or self.text in finding.text + finding.notes
                or self.text == "@cleanup" and _is_cleaned_up(finding, source))


def _is_cleaned_up(finding, source):
    """Whether the variable that the message names is declared with one of our _cleanup_."""
    name = re.search(r"'(\w+)|: (\w+)[.\w]*$", finding.text)
    lines = (source / finding.path).read_text().splitlines()[: finding.line]
    begin = max((i for i, line in enumerate(lines) if re.match(r"\w.*[{(]$|\w.*\) \{", line)), default=0)
    function = "\n".join(lines[begin:])
    return name is not None and re.search(
        rf"_cleanup_[^;]*?[\s*]{name[1] or name[2]} =", function) is not None


def _excuses(tool):
    excuses, reason = [], False
    for number, line in enumerate((EXCUSES / tool).read_text().splitlines(), 1):
        if line.startswith("#"):
            reason = "SPDX-" not in line
        elif not line.strip():
            reason = False
        elif not reason:
            raise Findings(f"tests/analysis/{tool}:{number}: has no reason above it")
        else:
            excuses.append(Excuse(tool, number, line))
    return excuses


def _judge(tool, findings, source):
    excuses, left = _excuses(tool), []
    for finding in sorted(set(findings), key=lambda f: (f.path, f.line, f.text)):
        covering = [e for e in excuses if e.covers(finding, source)]
        for excuse in covering:
            excuse.used = True
        if not covering:
            left.append(str(finding))
    left += [f"{e.where}: excuses nothing: {e.line}" for e in excuses if not e.used]
    if left:
        raise Findings("\n".join(left))


def _below_source(path):
    """The name in the tree of what a compiler calls ../../src/x.c or /src/x.c; None if elsewhere."""
    found = re.match(r"(?:(?:\.\./)+|/)src/(.*)", path)
    return str(Path(found[1])) if found else None


def _lines(text):
    """Findings in lines such as "FILE:LINE:COLUMN: warning: TEXT [CHECK]"."""
    for line in text.splitlines():
        found = re.match(r"(\S+?):(\d+):(?:\d+:)? (?:warning|error|style|performance|portability): "
                         r"(.*) \[([\w.,-]+)\]$", line)
        if found and (path := _below_source(found[1])):
            yield Finding(path, int(found[2]), found[4], found[3])


def _clang_room(source):
    """Configured for clang, for what goes by compile_commands.json."""
    return build.Room(RELEASE, source, "analysis", ["--buildtype=debug"], {"CC": "clang"})


def clang_tidy(source):
    with _clang_room(source).open() as room:
        room.configure()
        code, text = room.output("run-clang-tidy", "-quiet", "-p", "/build")
    findings = {str(f).replace(",-warnings-as-errors", "") for f in _lines(text)}
    if findings or code != 0:
        raise Findings("\n".join(sorted(findings)) or text)


def cppcheck(source):
    with _clang_room(source).open() as room:
        room.configure()
        room.run(
            "cppcheck", "--project=/build/compile_commands.json", "--quiet", "-j2",
            "--output-file=/build/cppcheck.txt", "--enable=warning,style,performance,portability",
            "--check-level=exhaustive", "--template={file}:{line}: {severity}: {message} [{id}]",
            "--template-location=")
        text = (room.builddir / "cppcheck.txt").read_text()
    _judge("cppcheck", _lines(text), source)


def _reports(directory):
    for report in directory.glob("*/*.plist"):
        content = plistlib.loads(report.read_bytes())
        for found in content["diagnostics"]:
            def place(location):
                return _below_source(content["files"][location["file"]]), location["line"]

            path, line = place(found["location"])
            notes = [(*place(e["location"]), e["message"]) for e in found["path"] if e["kind"] == "event"]
            if path:
                yield Finding(path, line, found["check_name"], found["description"],
                              "\n".join(f"{p}:{n}: {text}" for p, n, text in notes[:-1]))


def scan_build(source):
    """One compilation of what is installed. Unit tests and fuzzers run, under the sanitizers and
    valgrind: that finds more in them than a tool that does not know that an assertion ends a test."""
    room = build.Room(RELEASE, source, "scan-build", ["--buildtype=debug", "-Dman=disabled"], {})
    with room.open():
        room.configure("scan-build", "--use-cc=clang", anew=True)
        targets = json.loads(room.output("meson", "introspect", "--targets", "/build")[1])
        installed = [str(Path(t["filename"][0]).relative_to("/build")) for t in targets
                     if t["installed"] and t["type"] in ("executable", "shared library")]
        room.run("scan-build", "--use-cc=clang", "-plist-html", "-o", "/build/reports",
                 "ninja", "-C", "/build", *installed)
        findings = list(_reports(room.builddir / "reports"))
    _judge("scan-build", findings, source)


def valgrind(source):
    """Unit tests and the corpora of the fuzzers, as a packager builds them."""
    with build.packaged(RELEASE, source).open() as room:
        room.compile()
        names = [t["name"] for t in json.loads(room.output("meson", "introspect", "--tests", "/build")[1])
                 if {"unit", "fuzz"} & {s.split(":")[-1] for s in t["suite"]}]
        command = ("env SPAWNLET_TEST_UNDER_VALGRIND=1 valgrind -q --error-exitcode=99 --leak-check=full"
                   " --track-origins=yes"
                   " --errors-for-leak-kinds=definite,indirect,possible"
                   " --suppressions=/src/tests/analysis/valgrind.supp")
        tests = room.test("--wrap", command, "--timeout-multiplier", "10",
                          *[n for n in names if n not in NOT_UNDER_VALGRIND])
    bad = [f"{t.name}: {t.result}\n{t.tail()}" for t in tests if not t.passed and t.result != "SKIP"]
    if bad:
        raise Findings("\n".join(bad))


def installed(release, source):
    """What each program in the stage of a release lacks."""
    with build.packaged(release, source).open() as room:
        room.compile()
        stage = room.install(sandbox.WORK / f"hardening-{release}")
        lacking = hardening.lacking(stage, lambda *args: room.output("readelf", *args)[1])
    if lacking:
        raise Findings("\n".join(lacking))


# Name, and what takes the source tree. Those that take the longest first.
CHECKS = {
    "scan-build": scan_build,
    "valgrind": valgrind,
    "clang-tidy": clang_tidy,
    "cppcheck": cppcheck,
}
