# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads in ELF files how they are hardened, and compares that with what each has to have."""

import re
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

# Functions that libc has in a second form, __NAME_chk, for _FORTIFY_SOURCE.
FORTIFIED = set("""
    asprintf confstr dprintf fgets fprintf fread getcwd getgroups gethostname memcpy memmove mempcpy
    memset poll ppoll pread pread64 printf read readlink readlinkat realpath recv recvfrom snprintf
    sprintf stpcpy strcat strcpy strncat strncpy syslog ttyname_r vasprintf vdprintf vfprintf vprintf
    vsnprintf vsprintf vsyslog
""".split())


@dataclass
class Elf:
    machine: str
    type: str  # EXEC, DYN
    segments: list  # (type, flags)
    dynamic: list  # "(TAG) value"
    imports: set
    compiled: list  # how, for each of our source files

    def has_dynamic(self, pattern):
        return any(re.search(pattern, entry) for entry in self.dynamic)

    def flags(self, segment):
        return [flags for kind, flags in self.segments if kind == segment]

    def compiled_with(self, option, family):
        """Whether the last of a family of options was that one, for each source file."""
        given = [re.findall(rf"(?:^| )(-[fm](?:no-)?{family}\S*)", how)[-1:] for how in self.compiled]
        return bool(given) and all(last == [option] for last in given)


def _is_fortified(elf):
    plain = elf.imports & FORTIFIED
    return not plain or any(re.fullmatch(r"__\w+_chk", name) for name in elf.imports - {"__stack_chk_fail"})


def _has_protected_branches(elf):
    # The linker marks a file only if all that is in it is made so, and Debian 12's crt1.o is not. So
    # we look how our part was compiled.
    if elf.machine == "Advanced Micro Devices X86-64":
        return elf.compiled_with("-fcf-protection=full", "cf-protection")
    return elf.machine != "AArch64" or elf.compiled_with("-mbranch-protection=standard", "branch-protection")


# What there is to have.
PIE = ("is not position independent", lambda e: e.type == "DYN" and e.has_dynamic(r"FLAGS_1.*\bPIE\b"))
SHARED = ("is not position independent", lambda e: e.type == "DYN")
STATIC = ("is not static", lambda e: not e.flags("INTERP") and not e.has_dynamic(r"\(NEEDED\)"))
STACK = ("has an executable stack", lambda e: e.flags("GNU_STACK") == ["RW"])
WRITE_XOR_EXECUTE = (
    "has memory that is writable and executable",
    lambda e: e.flags("LOAD") and not any("W" in f and "E" in f for f in e.flags("LOAD")))
RELRO = ("has no read-only relocations", lambda e: bool(e.flags("GNU_RELRO")))
NOW = ("binds its symbols late", lambda e: e.has_dynamic(r"\(FLAGS_1\).*\bNOW\b"))
NO_TEXT_RELOCATIONS = ("has text relocations", lambda e: not e.has_dynamic("TEXTREL"))
NO_RUNPATH = (
    "looks for libraries at a place of its own",
    lambda e: not e.has_dynamic(r"\((RPATH|RUNPATH)\)"))
FORTIFY = ("was compiled without _FORTIFY_SOURCE", _is_fortified)
STACK_PROTECTOR = (
    "was compiled without -fstack-protector-strong",
    lambda e: "__stack_chk_fail" in e.imports and e.compiled_with("-fstack-protector-strong", "stack-protector"))
STACK_CLASH = (
    "was compiled without -fstack-clash-protection",
    lambda e: e.compiled_with("-fstack-clash-protection", "stack-clash-protection"))
BRANCHES = ("was compiled without protection of branches", _has_protected_branches)

ALL = [STACK, WRITE_XOR_EXECUTE, RELRO, NOW, NO_TEXT_RELOCATIONS, NO_RUNPATH, FORTIFY,
       STACK_PROTECTOR, STACK_CLASH, BRANCHES]

# The first row that fits the name of a file says what it has to have.
REQUIRED = [
    # Runs before the container's libc is there: with none, so without what libc's part is in.
    ("spawnlet-init", [STATIC, STACK, WRITE_XOR_EXECUTE, NO_TEXT_RELOCATIONS, NO_RUNPATH]),
    ("libnss_spawnlet.so*", [SHARED, *ALL]),
    ("*", [PIE, *ALL]),
]


def _read(path, readelf):
    """readelf: runs readelf(1) with arguments. What it says of a file, as an Elf."""
    text = readelf("-W", "-h", "-l", "-d", "--dyn-syms", path)
    # One entry for each source file; gcc writes its options into it.
    units = re.split(r"DW_TAG_compile_unit", readelf("-W", "--debug-dump=info", "--dwarf-depth=1", path))[1:]

    def all_of(pattern, where=text):
        return re.findall(pattern, where, re.MULTILINE)

    return Elf(
        machine=all_of(r"^ +Machine: +(.*\S)")[0],
        type=all_of(r"^ +Type: +(\w+)")[0],
        segments=[(kind, flags.replace(" ", "")) for kind, flags in all_of(
            r"^  (\w+) +0x\w+ 0x\w+ 0x\w+ 0x\w+ 0x\w+ ([RWE ]{3}) ")],
        dynamic=all_of(r"^ 0x\w+ (\(\w+\).*)"),
        imports=set(all_of(r" UND (\w+)(?:@.*)?$")),
        compiled=[how for unit in units for how in all_of(r"DW_AT_producer .*?: (?:\(.*?\): )?(.*)", unit)],
    )


def lacking(stage, readelf):
    """A line for each thing that a program installed in stage has not, though it has to."""
    found, lines = 0, []
    for path in sorted(p for p in stage.rglob("*") if p.is_file() and not p.is_symlink()):
        with open(path, "rb") as f:
            if f.read(4) != b"\x7fELF":
                continue
        found += 1
        elf = _read("/stage/" + str(path.relative_to(stage)), readelf)
        required = next(rows for pattern, rows in REQUIRED if fnmatch(path.name, pattern))
        lines += [f"/{path.relative_to(stage)} {text}" for text, has in required if not has(elf)]
    return lines if found else ["no programs are installed"]
