# SPDX-License-Identifier: LGPL-2.1-or-later
"""A container's network beside the bare calls of the kernel, and beside commands of ip(8)."""

import ctypes
import re
import shutil
import statistics
import subprocess
import time

import roots
import sandbox

ROUNDS = {1: 60, 100: 5}  # containers at once, and rounds that are measured
QUICK = {1: 10, 100: 2}

CLONE_NEWNET = 0x40000000

# {} is the number of the container, see measure.c.
HOST, LOCAL = ("10.96.{}.1", "fd96:{}::1"), ("10.96.{}.2", "fd96:{}::2")
UP = ["/usr/libexec/spawnlet/spawnlet-network", "up",
      *(f"--host-address={a}" for a in HOST), *(f"--local-address={a}" for a in LOCAL), "x{}"]
DOWN = [UP[0], "down", "x{}"]

# What NixOS does for a container with such addresses, in bash as there: fourteen commands.
#
#   1  before, on the host: delete an interface of that name
#   8  inside, by the init: rename host0 to eth0, set it up, add two addresses, and for each
#      family a route to the host and a default route
#   5  afterwards, on the host: set the interface up, add two addresses and two routes
#
# Between the first two systemd-nspawn makes namespace and pair, for which the floor stands here.
# What is left out would be in our favour: the deletion of the interface that a bridged container
# would have, machinectl, one of three shells, and that the last five wait until all inside is up.
INSIDE = """\
set -e
ip link set host0 name eth0
ip link set dev eth0 up
ip addr add "$local4" dev eth0
ip -6 addr add "$local6" dev eth0
ip route add "$host4" dev eth0
ip route add default via "$host4"
ip -6 route add "$host6" dev eth0
ip -6 route add default via "$host6"
"""
SEQUENCE = """\
set -e
export interface=$1 host4=$2 host6=$3 local4=$4 local6=$5
ip link del dev "$interface" 2>/dev/null || true
/bench/network-floor pair /run/netns "$interface" /bin/bash /bench/inside
ip link set dev "$interface" up
ip addr add "$host4" dev "$interface"
ip -6 addr add "$host6" dev "$interface"
ip route add "$local4" dev "$interface"
ip -6 route add "$local6" dev "$interface"
"""


class Room:
    """A Debian with our programs in it, and in a network namespace of its own."""

    def __init__(self, release, built):
        # Of this process, and so of all that it starts. Nobody comes back from there: what is
        # measured after it has no use for a network.
        if ctypes.CDLL(None).unshare(CLONE_NEWNET) != 0:
            raise RuntimeError("cannot make a network namespace")
        self.root = sandbox.overlay(sandbox.WORK / "bench-network", roots.build_root(release))
        sandbox.mount("proc", self.root / "proc", "proc")
        sandbox.mount("tmpfs", self.root / "run", "tmpfs")  # as a host's is
        sandbox.bind("/dev/null", self._file("dev/null"))
        (self.root / "run/netns").mkdir()
        self._file("etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
        self._file("bench/inside").write_text(INSIDE)
        self._file("bench/sequence").write_text(SEQUENCE)
        for program in ("measure", "network-floor"):
            shutil.copy(built.builddir / "bench" / program, self.root / "bench")
        shutil.copytree(built.stage / "usr/libexec", self.root / "usr/libexec", dirs_exist_ok=True)

    def _file(self, name):
        path = self.root / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
        return path

    def run(self, *args):
        done = subprocess.run(["chroot", self.root, *map(str, args)], capture_output=True,
                              text=True, stdin=subprocess.DEVNULL,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        if done.returncode != 0:
            raise RuntimeError(f"{args}: exited with {done.returncode}\n{done.stderr[-2000:]}")
        return done.stdout


class Program:
    """Something that makes a network, and takes it down."""

    def __init__(self, room, name, nothing, up, down):
        self.room, self.name = room, name
        self.argv = {"start": nothing, "up": up, "down": down}
        self.samples = {}  # of what was measured: a list of (seconds, KiB)

    def measure(self, verb, number, links=0):
        out = self.room.run("/bench/measure", "-n", number, "-l", links, *self.argv[verb])
        seconds, kib, *gone = out.splitlines()[-1].split()
        self.samples.setdefault(verb, []).append((float(seconds), int(kib)))
        self.samples.setdefault("gone", []).extend((float(t), 0) for t in gone)

    def round(self, number):
        if number == 1:
            self.measure("start", 1)
        self.measure("up", number)
        self.measure("down", number, links=number)
        # The kernel goes on taking the namespace apart, with locks that the next one needs.
        time.sleep(0.1 if number == 1 else 1)

    def calls(self):
        """System calls of "up", of all its processes."""
        argv = [word.replace("{}", "0") for word in self.argv["up"]]
        self.room.run("/usr/bin/strace", "-f", "-c", "-U", "calls,name", "-o", "/bench/calls", *argv)
        self.room.run("/bench/measure", "-l", 1, *self.argv["down"])
        return int(re.search(r"(\d+) total", (self.room.root / "bench/calls").read_text())[1])


def programs(room):
    floor = "/bench/network-floor"

    def floor_down(name):
        return [floor, "down", "/run/netns", name]

    return (Program(room, "spawnlet", [UP[0], "--help"], UP, DOWN),
            Program(room, "floor", [floor, "nothing"], [floor, "up", "/run/netns", "y{}"],
                    floor_down("y{}")),
            Program(room, "ip commands", ["/bin/bash", "-c", ":"],
                    ["/bin/bash", "/bench/sequence", "ve-z{}", *HOST, *LOCAL], floor_down("ve-z{}")))


def check_same(room, ours, theirs):
    """The two that make addresses and routes make the same ones."""
    found = []
    for program, host, namespace in ((ours, "c-x0", "/run/spawnlet/netns/x0"),
                                     (theirs, "ve-z0", "/run/netns/ve-z0")):
        inside = ["nsenter", f"--net={namespace}"]
        program.measure("up", 1)
        text = "".join(room.run(*prefix, "ip", *words.split())
                       for prefix, name in (([], host), (inside, "eth0"))
                       for words in (f"-o addr show dev {name} scope global",
                                     f"route show dev {name}", f"-6 route show dev {name}"))
        program.measure("down", 1, links=1)
        found.append({word for word in text.split() if re.match(r"10\.96|fd96|default", word)})
    if found[0] != found[1] or len(found[0]) != 9:
        raise RuntimeError(f"not the same addresses and routes: {found}")


def seconds(program, figure):
    if figure == "up without the start":
        return [up - start for up, start in zip(seconds(program, "up"), seconds(program, "start"))]
    return [s for s, _ in program.samples[figure]]


def rows(number, ours, other, figures):
    is_floor = other.name == "floor"

    def row(figure, a, b, ratio, budget=None):
        return {"what": f"network, {number} at once" if number > 1 else "network, 1 container",
                "figure": figure, "spawnlet": a, "beside": other.name, "other": b, "ratio": ratio,
                "budget": budget, "budget_is": "at most" if is_floor else "at least"}

    def ratio(a, b):
        return a / b if is_floor else b / a

    for figure, budget in figures.items():
        # They ran in turn, so that each pair had the same machine.
        a, b = seconds(ours, figure), seconds(other, figure)
        yield row(f"{figure}, ms", statistics.median(a) * 1e3, statistics.median(b) * 1e3,
                  statistics.median(map(ratio, a, b)), budget)
    if number == 1:
        memory = [max(kib for _, kib in p.samples["up"]) for p in (ours, other)]
        yield row("up, peak memory, KiB", *memory, ratio(*memory))
        made = [p.calls() for p in (ours, other)]
        yield row("up, system calls", *made, ratio(*made))


def compare(release, built, quick, progress):
    room = Room(release, built)
    for number, rounds in (QUICK if quick else ROUNDS).items():
        ours, floor, sequence = everything = programs(room)
        check_same(room, *(p for p in programs(room) if p.name != "floor"))
        for i in range(-1, rounds):
            progress(f"network: {number} at once, round {i + 1} of {rounds}")
            for program in everything:
                program.round(number)
                if i < 0:
                    program.samples.clear()  # of the first round, when nothing was in a cache
        # DESIGN: the budgets are those of one container. Twenty times is more than the floor itself
        # can do with a process to start: so that one is of what is done in the process.
        one = number == 1
        figures = {"up": 2 if one else None, "down": None, "gone": None}
        starts = {"start": None, "up without the start": None} if one else {}
        yield from rows(number, ours, floor, {**figures, **starts})
        yield from rows(number, ours, sequence,
                        {"up": None, **({"up without the start": 20} if one else {})})
