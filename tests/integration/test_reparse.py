# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whatever a definition says reaches the process: no byte of it becomes another argument,
variable, specifier or line on the way through the unit. Random strings, read back."""

import base64
import json
import os
import random

from case import contains, equal
from host import wait_until

ROUNDS = 40

# What means something to spawnlet, to systemd, to nspawn or to a shell, and what is beside that.
PIECES = ["%", "%%", "%i", "%n", "$", "$$", "$HOME", "${HOME}", "\\", "\\\\", "\\x41", '"', "'", ";",
          " ", "\t", "#", "=", ":", "-", "--", "@", "+", "!", "|", "&", "*", "?", "~", "<", ">", "(",
          "[", "{", "`", ",", "/", "a", "Z", "0", "_", ".", "ä", "漢", "🦀", "\u200b", "\x7f", "\u0085"]
CONTROLS = ["\n", "\r", "\x01", "\x1b", "\v"]


def text(rng, pieces=tuple(PIECES + CONTROLS), least=0):
    return "".join(rng.choice(pieces) for _ in range(rng.randint(least, 12)))


def quoted(data):
    """One word of a list in a definition: everything that may need it as an escape."""
    data = os.fsencode(data)
    return '"' + "".join(chr(b) if chr(b).isalnum() and b < 128 else f"\\x{b:02x}" for b in data) + '"'


def path(rng):
    # No NUL and no '/' in it; nspawn's own syntax has ':' and '\\', which the caller escapes.
    pieces = [p for p in PIECES if "/" not in p and p != "."]
    return "/srv/" + text(rng, pieces, 1).strip() + "x"


def read(host, name, interface, *properties):
    """What systemd has read, without the quoting that systemctl adds."""
    reply = host.out("busctl", "--json=short", "get-property", "org.freedesktop.systemd1",
                     f"/org/freedesktop/systemd1/unit/container_2d{name}_2eservice",
                     f"org.freedesktop.systemd1.{interface}", *properties)
    return [json.loads(line)["data"] for line in reply.split("\n")]


def dollars(arguments):
    """systemd shows arguments before it replaces variables, for which "$$" is a dollar sign."""
    return [a.replace("$", "$$") for a in arguments]


def test_systemd_reads_what_was_written(host):
    """systemd-analyze finds nothing to say of the units, and the arguments are those given."""
    seed = int.from_bytes(os.urandom(4), "big")
    rng = random.Random(seed)
    wanted = {}
    for i in range(ROUNDS):
        environment = [f"V{k}={text(rng)}" for k in range(4)]
        parameters = [text(rng) for _ in range(4)]
        binds = [path(rng).replace("\\", "\\\\").replace(":", "\\:") + ":/mnt/x" for _ in range(2)]
        root, description = path(rng), "x" + text(rng, PIECES) + "x"
        host.write(f"/etc/spawnlet/r{i}.container", "\n".join([
            "[Container]",
            "AutoStart=no",
            f"Description={description}",
            f"Root={root}",
            "[Exec]",
            "PrivateUsers=no",  # else options are appended to values of Bind=
            *(f"Environment={quoted(e)}" for e in environment),
            f"Parameters={' '.join(quoted(p) for p in parameters)}",
            "[Files]",
            *(f"Bind={b}" for b in binds),
            "",
        ]))
        wanted[f"r{i}"] = (root, description, [
            *("--setenv=" + e for e in environment),
            *("--bind=" + b for b in binds),
            "--", *parameters,
        ])
    host.run("systemctl", "daemon-reload")

    units = [f"/run/systemd/generator/container-{name}.service" for name in wanted]
    said = host.run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *units)
    equal((said.stdout + said.stderr).strip(), "", f"seed {seed}")
    for name, (root, description, arguments) in wanted.items():
        (((_, got, *_),),) = read(host, name, "Service", "ExecStart")
        equal(got[-len(arguments):], dollars(arguments), f"seed {seed}, {name}")
        contains(*dollars([f"--directory={root}"]), got)
        shown, mounts = read(host, name, "Unit", "Description", "RequiresMountsFor")
        equal(shown, description, f"seed {seed}, {name}")
        contains(root, mounts, f"seed {seed}, {name}")


def test_a_process_gets_what_was_written(host):
    """Arguments and environment of a started container, byte for byte."""
    host.copied_root("/srv/dump")
    host.write("/srv/dump/srv/dump", """\
#!/bin/sh
cat /proc/$$/environ > /tmp/out/environ
cat /proc/$$/cmdline > /tmp/out/cmdline
""")
    host.out("chmod", "755", "/srv/dump/srv/dump")
    host.out("mkdir", "/srv/out")
    seed = int.from_bytes(os.urandom(4), "big")
    rng = random.Random(seed)
    for i in range(8):
        arguments = [text(rng) for _ in range(20)]
        arguments.append("".join(chr(rng.randint(1, 0xd7ff)) for _ in range(60)))
        environment = [f"V{k}={text(rng)}" for k in range(20)]
        host.define("dump", "\n".join([
            "[Container]",
            "Root=/srv/dump",
            "Command=/srv/dump " + " ".join(quoted(a) for a in arguments),
            "[Exec]",
            "ProcessTwo=yes",
            *(f"Environment={quoted(e)}" for e in environment),
            "[Files]",
            "Bind=/srv/out:/tmp/out",
            "[Unit]",
            "StartLimitIntervalSec=0",
            "",
        ]))
        if not host.ok("systemctl", "start", "container-dump"):
            log = host.out("journalctl", "-u", "container-dump", "-n", "20", "-o", "cat")
            raise AssertionError(f"seed {seed}, round {i}:\n{log}")
        wait_until("the command has ended", lambda: host.state("container-dump") == "inactive")
        equal(read_list(host, "/srv/out/cmdline"), [b"/bin/sh", b"/srv/dump", *map(os.fsencode, arguments)],
              f"seed {seed}, round {i}")
        for assignment in environment:
            contains(os.fsencode(assignment), read_list(host, "/srv/out/environ"))


def read_list(host, name):
    return base64.b64decode(host.out("base64", "-w0", name)).split(b"\0")[:-1]
