#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
Run the generator on each case below this directory, and compare what it writes byte by byte.

A case is a directory NN-NAME with

    in/               definitions and drop-ins
    path              $SPAWNLET_PATH, if it is not "in"
    expected/         what the generator writes: units as files, links as links
    expected.stderr   what it says, if anything
    expected.status   its exit status, if it is not 0

The generator runs in the case's directory, so that the paths in units and messages are the
same everywhere. It runs twice: the order of a directory's entries must not show.

What cannot lie in a repository, such as a FIFO, is a test_...() below.
"""

import argparse
import difflib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

CASES = pathlib.Path(__file__).resolve().parent
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


def write_tree(top, tree):
    shutil.rmtree(top, ignore_errors=True)
    top.mkdir()
    for name, data in tree.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if data.startswith(b"-> "):
            path.symlink_to(data[3:-1].decode())
        else:
            path.write_bytes(data)


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
        check(name.endswith(".service"), f"{name} is no unit")
        check(b"\r" not in data, f"{name} has a carriage return")
        try:
            data.decode()
        except UnicodeDecodeError as e:
            raise Failure(f"{name} is not UTF-8, systemd refuses it: {e}") from e


def read(path, otherwise):
    return path.read_bytes() if path.exists() else otherwise


def run_case(generator, case, update):
    path = read(case / "path", b"in").decode().strip()
    tree, stderr, status = generator.run(case, path)
    check_tree(tree)
    check(generator.run(case, path) == (tree, stderr, status), "differs from run to run")

    if update:
        write_tree(case / "expected", tree)
        for name, data, usual in (
            ("expected.stderr", stderr, b""),
            ("expected.status", f"{status}\n".encode(), b"0\n"),
        ):
            (case / name).unlink(missing_ok=True)
            if data != usual:
                (case / name).write_bytes(data)

    text = diff_trees(read_tree(case / "expected"), tree)
    text += diff("stderr", read(case / "expected.stderr", b""), stderr)
    text += diff("status", read(case / "expected.status", b"0\n"), f"{status}\n".encode())
    check(not text, text)


# What no directory of the repository can hold


def good_definition(directory, name="good"):
    (directory / f"{name}.container").write_text(f"[Container]\nDescription={name}\n")


def is_stub(unit):
    return b"ExecStart=/usr/bin/spawnlet check " in unit


def test_odd_files(generator, directory):
    """Each costs its own name a unit, and no other."""
    good_definition(directory)
    os.mkfifo(directory / "fifo.container")
    (directory / "directory.container").mkdir()
    (directory / "dangling.container").symlink_to("missing")
    (directory / "loop.container").symlink_to("loop.container")
    (directory / "endless.container").symlink_to("/dev/zero")
    (directory / "large.container").write_bytes(b"#" * (1024 * 1024 + 1))
    (directory / "long.container").write_bytes(b"[Exec]\nParameters=" + b"x" * 65536)

    tree, stderr, status = generator.run(directory, ".")
    check_tree(tree)
    check(status == 0, f"exit status {status}")
    for name in ("fifo", "directory", "dangling", "loop", "endless", "large", "long"):
        check(is_stub(tree[f"container-{name}.service"]), f"{name}.container makes no stub")
        check(f"{name}.container:".encode() in stderr, f"nothing is said of {name}.container")
    check(not is_stub(tree["container-good.service"]), "good.container makes a stub")
    check(b"good.container" not in stderr, stderr.decode())


def test_odd_dropins(generator, directory):
    """A drop-in that is no file spoils the containers that it is for."""
    good_definition(directory)
    good_definition(directory, "bad")
    (directory / "bad.container.d").mkdir()
    os.mkfifo(directory / "bad.container.d" / "x.conf")

    tree, _, status = generator.run(directory, ".")
    check_tree(tree)
    check(status == 0, f"exit status {status}")
    check(is_stub(tree["container-bad.service"]), "bad.container makes no stub")
    check(not is_stub(tree["container-good.service"]), "good.container makes a stub")


def test_odd_file_names(generator, directory):
    """No name of a file makes a line of a unit."""
    good_definition(directory)
    good_definition(directory, "bad\nname")
    (directory / "good.container.d").mkdir()
    for name in (b"a\nExecStart=evil\n.conf", b"b\rExecStart=evil\r.conf", b"c\xff.conf"):
        dropin = os.fsencode(directory / "good.container.d") + b"/" + name
        os.close(os.open(dropin, os.O_CREAT | os.O_WRONLY))

    tree, _, _ = generator.run(directory, ".")
    unit = tree["container-good.service"]
    check(b"\nExecStart=evil" not in unit and b"\r" not in unit, unit.decode(errors="replace"))
    check([n for n in tree if n.startswith("container-")] == ["container-good.service"], tree.keys())


def test_alias_of_another_container(generator, directory):
    """An alias never takes the place of a container's own unit, whichever comes first."""
    good_definition(directory)
    for name in ("a", "z"):
        (directory / f"{name}.container").write_text("[Install]\nAlias=container-good.service\n")

    tree, _, _ = generator.run(directory, ".")
    check(b"--machine=good" in tree["container-good.service"], tree["container-good.service"])
    for name in ("a", "z"):
        check(f"container-{name}.service" in tree, f"{name}.container makes no unit")


def test_unit_that_exists(generator, directory):
    """It is not overwritten, the exit status says so, and the others are written."""
    for name in ("a", "b", "c"):
        good_definition(directory, name)
    out = directory / "out"
    out.mkdir()
    (out / "container-b.service").write_text("mine\n")

    result = generator.call([out], directory, ".")
    check(result.returncode == 1, f"exit status {result.returncode}")
    check(b"container-b.service" in result.stderr, result.stderr.decode())
    check((out / "container-b.service").read_text() == "mine\n", "was overwritten")
    for name in ("a", "c"):
        check((out / f"container-{name}.service").exists(), f"{name} was not written")


def test_arguments(generator, directory):
    good_definition(directory)
    outs = []
    for name in ("normal", "early", "late"):
        (directory / name).mkdir()
        outs.append(str(directory / name))

    for args, status in (
        ([], 1),
        (outs[:2], 1),
        (outs + ["more"], 1),
        (["--nonsense"], 1),
        ([str(directory / "missing")], 1),
        (["--help"], 0),
        (["--version"], 0),
    ):
        result = generator.call(args, directory, ".")
        check(result.returncode == status, f"{args}: exit status {result.returncode}")
        check(bool(result.stderr) == bool(status), f"{args}: {result.stderr.decode()}")
    check(not any(os.listdir(out) for out in outs), "wrote something all the same")

    check(generator.call(outs, directory, ".").returncode == 0, "three directories")
    check("container-good.service" in os.listdir(outs[0]), "the first one is empty")
    check(not any(os.listdir(out) for out in outs[1:]), "the others are not empty")


def test_not_for_users_or_initrd(generator, directory):
    good_definition(directory)
    out = directory / "out"
    out.mkdir()
    for env in ({"SYSTEMD_SCOPE": "user"}, {"SYSTEMD_IN_INITRD": "1"}):
        result = generator.call([out], directory, ".", **env)
        check((result.returncode, result.stderr) == (0, b""), env)
        check(not os.listdir(out), env)
    for env in ({"SYSTEMD_SCOPE": "system"}, {"SYSTEMD_IN_INITRD": "0"}):
        check(generator.call([out], directory, ".", **env).returncode == 0, env)
        check(os.listdir(out), env)
        shutil.rmtree(out)
        out.mkdir()


def test_many(generator, directory):
    """A thousand, in the same order whatever the directory's."""
    for i in range(1000):
        good_definition(directory, f"c{i * 7919 % 1000}")
    tree, stderr, status = generator.run(directory, ".")
    check_tree(tree)
    check((stderr, status) == (b"", 0), stderr.decode())
    check(len(tree) == 2001, f"{len(tree)} files")  # with its link each, and machines.target's


def run_function(function, generator):
    with tempfile.TemporaryDirectory(prefix="spawnlet-") as directory:
        function(generator, pathlib.Path(directory))


def main():
    parser = argparse.ArgumentParser(description="Run the generator's golden cases.")
    parser.add_argument("generator")
    parser.add_argument("cases", nargs="*", help="names of cases; default: all")
    parser.add_argument("--update", action="store_true", help="write what is as what is expected")
    parser.add_argument("--libexecdir", default=LIBEXECDIR)
    parser.add_argument("--bindir", default=BINDIR)
    args = parser.parse_intermixed_args()

    generator = Generator(args.generator, args.libexecdir, args.bindir)
    tests = [
        (case.parent.name, lambda c=case.parent: run_case(generator, c, args.update))
        for case in sorted(CASES.glob("[0-9][0-9]-*/in"))
    ] + [
        (name.removeprefix("test_").replace("_", "-"), lambda f=f: run_function(f, generator))
        for name, f in globals().items()
        if name.startswith("test_")
    ]

    unknown = set(args.cases) - {name for name, _ in tests}
    if unknown:
        parser.error(f"no such case: {', '.join(sorted(unknown))}")

    failed = 0
    for name, run in tests:
        if args.cases and name not in args.cases:
            continue
        try:
            run()
        except (Failure, KeyError, subprocess.TimeoutExpired) as e:
            failed += 1
            print(f"FAIL {name}\n{e if isinstance(e, Failure) else repr(e)}")
        else:
            print(f"PASS {name}")

    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
