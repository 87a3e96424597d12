# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of the generator share: running it, and reading what it wrote."""

import difflib
import os
import pathlib
import subprocess
import tempfile

LIBEXECDIR = "/usr/libexec/spawnlet"
BINDIR = "/usr/bin"
TIMEOUT_SEC = 60  # a generator that waits for a FIFO would wait for ever
FROM_SYSTEMD = ("SYSTEMD_EXEC_PID", "SYSTEMD_SCOPE", "SYSTEMD_IN_INITRD")


class Failure(Exception):
    pass


def check(condition, message):
    if not condition:
        raise Failure(message)


class Generator:
    def __init__(self, program, libexecdir, bindir):
        self.program = os.path.abspath(program)
        self.dirs = (
            (f"{libexecdir}/spawnlet-".encode(), f"{LIBEXECDIR}/spawnlet-".encode()),
            (f"{bindir}/spawnlet ".encode(), f"{BINDIR}/spawnlet ".encode()),
        )

    def call(self, args, cwd, path, **more):
        env = {k: v for k, v in os.environ.items() if k not in FROM_SYSTEMD}
        env |= {"LC_ALL": "C", "SPAWNLET_PATH": path} | more
        return subprocess.run(
            [self.program, *args],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=TIMEOUT_SEC,
        )

    def usual(self, data):
        """With the directories of this build replaced by the usual ones."""
        for here, usual in self.dirs:
            data = data.replace(here, usual)
        return data

    def run(self, cwd, path="in"):
        """Run it into a fresh directory. Return: its tree, what it said, its exit status."""
        with tempfile.TemporaryDirectory(prefix="spawnlet-") as out:
            result = self.call([out], cwd, path)
            check(result.stdout == b"", f"printed to standard output: {result.stdout!r}")
            tree = read_tree(out)
        return {k: self.usual(v) for k, v in tree.items()}, result.stderr, result.returncode


def read_tree(top):
    """{path: content}, the content of a link being "-> TARGET"."""
    tree = {}
    for directory, dirs, files in os.walk(top):
        for name in dirs + files:
            path = pathlib.Path(directory, name)
            if path.is_symlink():
                data = f"-> {os.readlink(path)}\n".encode()
            elif path.is_file():
                data = path.read_bytes()
            else:
                continue
            tree[path.relative_to(top).as_posix()] = data
    return tree


def diff(name, expected, actual):
    def lines(data):
        return data.decode(errors="backslashreplace").splitlines(keepends=True)

    names = (f"expected/{name}", name)
    return "".join(
        line if line.endswith("\n") else line + "\n\\ No newline at end of file\n"
        for line in difflib.unified_diff(lines(expected), lines(actual), *names)
    )


def diff_trees(expected, actual):
    text = ""
    for name in sorted(expected.keys() | actual.keys()):
        if name not in actual:
            text += f"not written: {name}\n"
        elif name not in expected:
            text += f"not expected: {name}\n" + diff(name, b"", actual[name])
        elif expected[name] != actual[name]:
            text += diff(name, expected[name], actual[name])
    return text


def check_tree(tree):
    """What holds for every output."""
    for name, data in tree.items():
        if data.startswith(b"-> "):
            target = os.path.normpath(os.path.join(os.path.dirname(name), data[3:-1].decode()))
            check(target in tree or target == "machines.target", f"{name} leads nowhere")
            continue
        if ".credentials/" in name:
            continue
        check(name.endswith((".service", ".timer")), f"{name} is no unit")
        check(b"\r" not in data, f"{name} has a carriage return")
        try:
            data.decode()
        except UnicodeDecodeError as e:
            raise Failure(f"{name} is not UTF-8, systemd refuses it: {e}") from e


def read(path, otherwise):
    return path.read_bytes() if path.exists() else otherwise


def good_definition(directory, name="good"):
    (directory / f"{name}.container").write_text(f"[Container]\nDescription={name}\n")


def is_stub(unit):
    return b"ExecStart=/usr/bin/spawnlet check " in unit
