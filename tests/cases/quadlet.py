# SPDX-License-Identifier: LGPL-2.1-or-later
"""
The ten places where Quadlet, the generator of podman, is weak, each as a test here. What it did was
seen with its releases 5.4 and 5.8.
"""

import os
import subprocess
import tempfile

from harness import check, check_tree, good_definition, is_stub


def define(directory, name, text):
    (directory / f"{name}.container").write_text(text)


def test_quadlet_1_a_bad_file_costs_no_other_its_unit(generator, directory):
    """A dangling link, a syntax error, a BOM or a directory removed every unit of its directory."""
    good_definition(directory)
    (directory / "dangling.container").symlink_to("missing")
    define(directory, "syntax", "[Container\n")
    (directory / "bom.container").write_bytes(b"\xef\xbb\xbf[Container]\n")
    (directory / "directory.container").mkdir()

    tree, _, status = generator.run(directory, ".")
    check_tree(tree)
    check(status == 0, status)
    for name in ("good", "bom"):
        check(not is_stub(tree[f"container-{name}.service"]), name)
    for name in ("dangling", "syntax", "directory"):
        check(is_stub(tree[f"container-{name}.service"]), name)


def test_quadlet_2_nothing_outside_the_directory(generator, directory):
    """ServiceName=../evil made a file there; blanks in a name made an invalid unit."""
    define(directory, "sp ace", "[Container]\n")
    define(directory, "..", "[Container]\n")
    define(directory, "a", "[Install]\nWantedBy=../evil.target\nAlias=/evil.service ../b.service\n")
    define(directory, "b", "[Install]\nWantedBy=a/b.target\n")

    with tempfile.TemporaryDirectory(prefix="spawnlet-") as top:
        out = os.path.join(top, "normal")
        os.mkdir(out)
        generator.call([out], directory, ".")
        check(os.listdir(top) == ["normal"], os.listdir(top))
        check(
            set(os.listdir(out)) <= {f"container-{n}.service" for n in "ab"}
            | {"machines.target.wants", "multi-user.target.wants"},
            os.listdir(out),
        )


def test_quadlet_3_bad_quoting_is_an_error(generator, directory):
    """The line vanished, and the unit started with the wrong command."""
    for i, line in enumerate(("Parameters=a \\. b", 'Environment=A="b', "Environment=A=\\q")):
        define(directory, f"c{i}", f"[Exec]\n{line}\n")

    tree, stderr, _ = generator.run(directory, ".")
    for i in range(3):
        check(is_stub(tree[f"container-c{i}.service"]), i)
        check(f"c{i}.container:2: [Exec] ".encode() in stderr, stderr)


def test_quadlet_4_no_value_is_guessed(generator, directory):
    """ReadOnly=ture was false, NoNewPrivileges=y off, User=bob 0, PublishPort=99999:abc taken."""
    for i, line in enumerate(("[Files]\nReadOnly=ture", "[Exec]\nUser=a b", "[Network]\nMTU=0x500",
                              "[Network]\nPort=99999:abc", "[Exec]\nLimitNOFILE=08x")):
        define(directory, f"c{i}", f"[Container]\nCommand=/a\n{line}\n")
    define(directory, "y", "[Exec]\nNoNewPrivileges=y\n")

    tree, _, _ = generator.run(directory, ".")
    check(all(is_stub(tree[f"container-c{i}.service"]) for i in range(5)), tree.keys())
    check(b" --no-new-privileges=yes " in tree["container-y.service"], "y is yes")


def test_quadlet_5_command_lines_are_escaped_whole(generator, directory):
    """A ; became a second command, $VAR and $$ were expanded."""
    define(directory, "a", "[Exec]\nParameters=; $HOME $$ %n ${X} \"a;b\"\n")

    tree, _, _ = generator.run(directory, ".")
    start = [x for x in tree["container-a.service"].splitlines() if x.startswith(b"ExecStart=")]
    check(len(start) == 1, start)
    check(start[0].endswith(b' -- ";" $$HOME $$$$ %%n "$${X}" "a;b"'), start)


def test_quadlet_6_names_that_collide_are_told(generator, directory):
    """The last writer won, and nothing was said; a vendor's unit was shadowed the same way."""
    define(directory, "web-blue", "[Container]\n")
    define(directory, "web@", "[Container]\n")
    (directory / "web@blue.container").symlink_to("web@.container")
    define(directory, "getty@", "[Container]\n")  # container-getty@.service is systemd's
    define(directory, "a", "[Install]\nAlias=container-web-blue.service\n")

    tree, stderr, _ = generator.run(directory, ".")
    check(b"--machine=web-blue" in tree["container-web-blue.service"], "was replaced")
    check("container-getty@.service" not in tree, "replaces systemd's")
    for text in (b"the same machine name as", b"container-getty@.service", b"is taken already"):
        check(text in stderr, stderr)


def test_quadlet_7_a_unit_is_written_in_one_go(generator, directory):
    """One write for each line and an fsync for each unit, into a file that was there already."""
    good_definition(directory)
    with tempfile.TemporaryDirectory(prefix="spawnlet-") as out:
        existing = os.path.join(out, "container-good.service")
        with open(existing, "w") as f:
            f.write("from another run\n")
        check(generator.call([out], directory, ".").returncode == 1, "overwrote")
        with open(existing) as f:
            check(f.read() == "from another run\n", "overwrote")
        os.unlink(existing)

        trace = subprocess.run(
            ["strace", "-f", "-e", "trace=write,fsync,openat", generator.program, out],
            cwd=directory,
            env=os.environ | {"SPAWNLET_PATH": ".", "ASAN_OPTIONS": "detect_leaks=0"},
            capture_output=True,
            text=True,
        )
        check(trace.returncode == 0, trace.stderr)
        lines = trace.stderr.splitlines()
        check(sum("write(" in x for x in lines) == 1, trace.stderr)
        check(not any("fsync(" in x for x in lines), trace.stderr)
        check(any("container-good.service" in x and "O_EXCL" in x for x in lines), trace.stderr)


def test_quadlet_8_nothing_hangs_it(generator, directory):
    """A FIFO, a backslash at the end and blank lines did. The harness's timeout is the test."""
    os.mkfifo(directory / "fifo.container")
    for i, text in enumerate(("[Exec]\nParameters=a \\", " \n\t\n \\", "[Container]\n\\\n\\\n\\")):
        define(directory, f"c{i}", text)
    os.mkfifo(directory / "socket.container.d")

    tree, _, _ = generator.run(directory, ".")
    check(is_stub(tree["container-fifo.service"]), "no stub")
    check(b" -- a\n" in tree["container-c0.service"], tree["container-c0.service"])


def test_quadlet_9_messages_reach_who_asks(generator, directory):
    """They had no priority, and went to the kernel's log alone when a person ran it."""
    define(directory, "a", "[Container]\nAutoStart=maybe\nUnknown=1\n")

    _, stderr, _ = generator.run(directory, ".")
    check(len(stderr.splitlines()) == 2, stderr)
    for text in (b"a.container:2: [Container] AutoStart=maybe: ", b"a.container:3: [Container] "):
        check(text in stderr, stderr)


def test_quadlet_10_environment_and_masks(generator, directory):
    """$SYSTEMD_SCOPE and $SYSTEMD_IN_INITRD were not looked at; a mask was an error at each reload."""
    (directory / "masked.container").symlink_to("/dev/null")
    define(directory, "empty", "")
    tree, stderr, status = generator.run(directory, ".")
    check((tree, stderr, status) == ({}, b"", 0), (tree, stderr, status))

    good_definition(directory)
    for env in ({"SYSTEMD_SCOPE": "user"}, {"SYSTEMD_IN_INITRD": "1"}):
        with tempfile.TemporaryDirectory(prefix="spawnlet-") as out:
            check(generator.call([out], directory, ".", **env).returncode == 0, env)
            check(not os.listdir(out), env)
