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
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import quadlet
from harness import (
    BINDIR,
    LIBEXECDIR,
    Failure,
    Generator,
    check,
    check_tree,
    diff,
    diff_trees,
    good_definition,
    is_stub,
    read,
    read_tree,
)

CASES = pathlib.Path(__file__).resolve().parent


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


BAD = {
    "typo": b"[Container]\nAutoStart=maybe\n",
    "header": b"[Container\n",
    "outside": b"Root=/srv\n",
    "nul": b"[Container]\n\0\n",
    "utf8": b"[Container]\nDescription=\xff\n",
    "return": b"[Container]\nDescription=a\rExecStart=b\n",
    "quote": b'[Exec]\nEnvironment=A="b\n',
    "escape": b"[Exec]\nParameters=\\.\n",
    "refused": b"[Service]\nExecStart=/bin/true\n",
    "address": b"[Network]\nLocalAddress=10.0.0.300\n",
    "contradiction": b"[Network]\nPrivate=no\nMTU=1400\n",
    "preset": b"[Container]\nHardening=strict\n[Exec]\nPrivateUsers=no\n",
}


def test_one_bad_of_each_kind_among_a_hundred(generator, directory):
    """99 units are what they are without it, byte for byte; the bad one is a stub."""
    for i in range(99):
        good_definition(directory, f"c{i}")
    without, _, _ = generator.run(directory, ".")

    for kind, text in BAD.items():
        bad = directory / "bad.container"
        bad.write_bytes(text)
        tree, stderr, status = generator.run(directory, ".")
        bad.unlink()
        check(status == 0 and b"bad.container:" in stderr, f"{kind}: {status} {stderr.decode()}")
        check(is_stub(tree.pop("container-bad.service")), f"{kind}: no stub")
        tree.pop("machines.target.wants/container-bad.service")
        check(tree == without, f"{kind}: the others changed")


def test_same_bytes_everywhere(generator, directory):
    """Neither the machine's name nor its clock, locale or user shows in what is written."""
    good_definition(directory)
    usual, _, _ = generator.run(directory, ".")
    for env in ({"LC_ALL": "tr_TR.UTF-8"}, {"TZ": "Asia/Tokyo"}, {"HOME": "/nowhere", "USER": "x"}):
        out = directory / "out"
        out.mkdir()
        check(generator.call([out], directory, ".", **env).returncode == 0, env)
        tree = {k: generator.usual(v) for k, v in read_tree(out).items()}
        shutil.rmtree(out)
        check(tree == usual, env)


def kmsg_records(generator, directory):
    """What it writes to /dev/kmsg: a file in its place, in a mount namespace of our own."""
    kmsg, out = directory / "kmsg", directory / "out"
    kmsg.touch()
    out.mkdir()
    # The shell becomes the generator, with the PID that systemd would have told it.
    script = 'mount --bind "$1" /dev/kmsg && SYSTEMD_EXEC_PID=$$ exec "$2" "$3"'
    result = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", kmsg, generator.program, out],
        cwd=directory,
        env=os.environ | {"SPAWNLET_PATH": "."},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=60,
    )
    check(result.returncode == 0, result.stderr.decode())
    return kmsg.read_bytes().splitlines(keepends=True)


def test_messages_to_kmsg(generator, directory):
    """With priority, name and PID, each below the kernel's limit of 1024 bytes, one a record."""
    if os.geteuid() != 0 or not os.path.exists("/dev/kmsg"):
        print("note: not root, or no /dev/kmsg: messages to it are not tested")
        return
    (directory / "bad.container").write_text("[Container]\nAutoStart=maybe\nUnknown=1\n")
    (directory / "long.container").write_text(f"[Container]\nAutoStart={'x' * 5000}\n")
    (directory / f"{'y' * 200}.container").write_text("[Container]\n")

    records = kmsg_records(generator, directory)
    check(len(records) == 4, records)
    for record in records:
        check(re.match(rb"<[34]>spawnlet-generator\[\d+\]: \S", record), record)
        check(len(record) < 1000 and record.endswith(b"\n"), record)
    check(sum(r.startswith(b"<4>") for r in records) == 1, records)


# What would be another process, another machine, a name service, or a wait.
FOREIGN = re.compile(
    r"^(socket|connect|bind|sendto|sendmsg|execve?[lvpe]*|fork|vfork|clone|posix_spawn|system|popen"
    r"|dlopen|getpw|getgr|getaddrinfo|gethost|sleep|usleep|nanosleep|pthread_create|sd_)"
)


def test_calls_nothing_foreign(generator, directory):
    """It links libc alone, and of it nothing that talks to others; systemd.generator(7)."""
    needed = subprocess.run(
        ["readelf", "-d", generator.program], check=True, capture_output=True, text=True
    ).stdout
    libraries = set(re.findall(r"NEEDED.*\[(.+)\]", needed)) - {"ld-linux-x86-64.so.2"}
    symbols = subprocess.run(
        ["nm", "-D", generator.program], check=True, capture_output=True, text=True
    ).stdout
    if re.search(r" T __asan_init$", symbols, re.M):
        return  # clang links its sanitizers in, with all that they call; gcc's build is looked at
    sanitizers = {lib for lib in libraries if re.match(r"lib[a-z]+san\.so", lib)}
    if sanitizers:
        sanitizers |= {"libm.so.6", "libgcc_s.so.1"}
    libraries -= sanitizers
    check(all(library.startswith("libc.so") for library in libraries), libraries)
    symbols = re.findall(r" U (\S+)$", symbols, re.M)
    foreign = [s for s in symbols if FOREIGN.match(s.split("@")[0])]
    check(not foreign, foreign)


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
        for name, f in [*globals().items(), *vars(quadlet).items()]
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
