# SPDX-License-Identifier: LGPL-2.1-or-later
"""The generator beside a floor that only reads and writes files, and beside Quadlet."""

import re
import shutil
import statistics
import subprocess

import roots
import sandbox

NUMBERS = {1: 60, 100: 40, 1000: 20, 10000: 7}  # definitions, and rounds that are measured
QUICK = {1: 10, 100: 10, 1000: 5}

# All of a number are as long as each other, so that the floor's units, too, are all of one size.
DEFINITION = """\
[Container]
Description=Web server {i:05}
System=host
Services=nginx.service

[Exec]
Environment=STAGE=production NUMBER={i:05}
Capability=CAP_NET_BIND_SERVICE

[Files]
BindReadOnly=/srv/www/{i:05}:/srv/www
Bind=/srv/data/{i:05}:/var/lib/data

[Network]
HostAddress=10.1{high:02}.1{middle:02}.1{low:02}
LocalAddress=10.2{high:02}.1{middle:02}.1{low:02}

[Service]
MemoryMax=512M
"""
QUADLET = """\
[Unit]
Description=Web server {i:05}

[Container]
ContainerName=web{i:05}
Image=localhost/web:latest
Environment=STAGE=production NUMBER={i:05}
AddCapability=CAP_NET_BIND_SERVICE
Volume=/srv/www/{i:05}:/srv/www:ro
Volume=/srv/data/{i:05}:/var/lib/data
Network=web.network
IP=10.1{high:02}.1{middle:02}.1{low:02}

[Service]
MemoryMax=512M

[Install]
WantedBy=machines.target
"""


def write_definitions(directory, text, number):
    directory.mkdir()
    for i in range(number):
        name = directory / f"web{i:05}.container"
        name.write_text(text.format(i=i, high=i // 10000, middle=i // 100 % 100, low=i % 100))


class Room:
    """A Debian with Quadlet in it, our programs, and a place for definitions and units."""

    def __init__(self, release, built):
        directory = sandbox.WORK / "bench"
        self.root = sandbox.overlay(directory, roots.podman_root(release))
        self.work = self.root / "bench"
        self.work.mkdir()
        sandbox.mount("tmpfs", self.work, "tmpfs")  # as systemd's generator directories are
        sandbox.mount("proc", self.root / "proc", "proc")
        sandbox.bind("/dev/null", self._file("dev/null"))
        for program in ("measure", "generator-floor"):
            shutil.copy(built.builddir / "bench" / program, self.work)
        self.generator = "/usr/lib/systemd/system-generators/spawnlet-generator"
        shutil.copy(built.stage / self.generator[1:], self.work)

    def _file(self, name):
        path = self.root / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
        return path

    def run(self, *args, env=None):
        done = subprocess.run(["chroot", self.root, *map(str, args)], capture_output=True,
                              text=True, stdin=subprocess.DEVNULL,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **(env or {})})
        if done.returncode != 0:
            raise RuntimeError(f"{args}: exited with {done.returncode}\n{done.stderr[-2000:]}")
        return done.stdout


class Program:
    def __init__(self, room, name, out, argv, env=None):
        self.room, self.name, self.argv, self.env = room, name, argv, env
        self.out = room.work / out
        self.samples = []

    def _clean(self):
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir()

    def measure(self):
        self._clean()
        seconds, kib = self.room.run("/bench/measure", *self.argv, env=self.env).split()
        self.samples.append((float(seconds), int(kib)))

    def calls(self):
        """System calls of one run, of all its threads."""
        self._clean()
        self.room.run("/usr/bin/strace", "-f", "-c", "-U", "calls,name", "-o", "/bench/calls",
                      *self.argv, env=self.env)
        return int(re.search(r"(\d+) total", (self.room.work / "calls").read_text())[1])

    def tree(self):
        """What was written: sizes of files, targets of links."""
        return {str(p.relative_to(self.out)): p.readlink() if p.is_symlink() else p.stat().st_size
                for p in self.out.rglob("*") if p.is_symlink() or p.is_file()}


def programs(room, number):
    for name, text in (("definitions", DEFINITION), ("quadlets", QUADLET)):
        shutil.rmtree(room.work / name, ignore_errors=True)
        write_definitions(room.work / name, text, number)
    (room.work / "quadlets/web.network").write_text("[Network]\nSubnet=10.0.0.0/8\n")

    generator = Program(room, "generator", "out-generator",
                        ["/bench/spawnlet-generator", "/bench/out-generator"],
                        {"SPAWNLET_PATH": "/bench/definitions"})
    quadlet = Program(room, "quadlet", "out-quadlet",
                      ["/usr/libexec/podman/quadlet", "-no-kmsg-log", "/bench/out-quadlet"],
                      {"QUADLET_UNIT_DIRS": "/bench/quadlets"})
    floor = Program(room, "floor", "out-floor",
                    ["/bench/generator-floor", "/bench/definitions", "/bench/sample", "/bench/out-floor"])

    generator.measure()
    shutil.copy(generator.out / "container-web00000.service", room.work / "sample")
    floor.measure()
    quadlet.measure()
    if floor.tree() != generator.tree():
        raise RuntimeError("the floor does not write what the generator writes")
    if len(list(quadlet.out.glob("*.service"))) != number + 1:
        raise RuntimeError("Quadlet did not write a unit for each definition")
    for program in (generator, floor, quadlet):
        program.samples.clear()
    return generator, floor, quadlet


def rows(number, generator, other, budgets):
    """other is the floor, which the generator has a multiple of, or Quadlet, which has a
    multiple of the generator."""
    is_floor = other.name == "floor"
    what = f"generator, {number:,} definition{'s' if number > 1 else ''}"

    def row(figure, ours, theirs, ratio, budget=None):
        return {"what": what, "figure": figure, "spawnlet": ours, "beside": other.name,
                "other": theirs, "ratio": ratio, "budget": budget,
                "budget_is": "at most" if is_floor else "at least"}

    def ratio(ours, theirs):
        return ours / theirs if is_floor else theirs / ours

    # The two ran in turn, so that each pair had the same machine.
    pairs = [ratio(a[0], b[0]) for a, b in zip(generator.samples, other.samples)]
    milliseconds = [statistics.median(s[0] for s in p.samples) * 1e3 for p in (generator, other)]
    yield row("time, ms", *milliseconds, statistics.median(pairs), budgets.get(other.name))
    memory = [max(s[1] for s in p.samples) for p in (generator, other)]
    yield row("peak memory, KiB", *memory, ratio(*memory))
    calls = [p.calls() for p in (generator, other)]
    yield row("system calls", *calls, ratio(*calls))


def compare(release, built, quick, progress):
    room = Room(release, built)
    for number, rounds in (QUICK if quick else NUMBERS).items():
        progress(f"generator: {number} definitions")
        generator, floor, quadlet = programs(room, number)
        for i in range(rounds):
            progress(f"generator: {number} definitions, round {i + 1} of {rounds}")
            for program in (generator, floor, quadlet):
                program.measure()
        # DESIGN: a single definition is all start-up, and has no budget.
        budgets = {"floor": 1.5, "quadlet": 5} if number >= 1000 else {}
        for other in (floor, quadlet):
            yield from rows(number, generator, other, budgets)
