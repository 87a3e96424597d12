# SPDX-License-Identifier: LGPL-2.1-or-later
"""Start and stop of containers beside the same systemd-nspawn in a unit written by hand, beside
systemd-nspawn@.service, and beside a plain boot of the same /usr."""

import re
import select
import statistics
import threading
import time
from pathlib import Path

from host import Host, wait_until

ROUNDS, QUICK = 20, 3
# What has a budget of 3 %, and takes so little time that others on the machine change it by 5: so many times the
# rounds.
OFTENER = 3
# At once, where the kernel lets so many boot: each takes five inotify instances, of which 128 is the
# default for each user.
AT_ONCE = (50, 200)
INSTANCES_EACH, INSTANCES_OF_OTHERS = 5, 30
INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")

# What everybody would write by hand who has read systemd-nspawn@.service.
UNIT = """\
[Unit]
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=exec
Slice=machine.slice
Delegate=yes
KillMode=mixed
TasksMax=16384
SuccessExitStatus=133
Environment=SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
ExecStart={}
"""

OFTEN = "[Unit]\nStartLimitIntervalSec=0\n"
SHARED = OFTEN + "[Container]\nSystem=host\nAutoStart=no\n"
USERS = SHARED + "[Network]\nHostAddress=10.99.0.1\nLocalAddress=10.99.0.2\n"
PRIVATE = USERS + "[Exec]\nPrivateUsers=no\n"
WHOLE = OFTEN + "[Container]\nRoot=/srv/whole\nAutoStart=no\n"

SETTINGS = """\
[Exec]
Boot=yes
PrivateUsers=no
NotifyReady=yes
Environment=SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
Parameters={}

[Files]
BindReadOnly=/usr

[Network]
Private=no
VirtualEthernet=no
"""


class Bench:
    def __init__(self, host, progress, rounds):
        self.host, self.progress, self.rounds = host, progress, rounds

    def keep(self, units):
        """Have systemd remember units that do not run, and with them their time stamps."""
        self.host.write("/etc/systemd/system/keep.target", f"[Unit]\nWants={' '.join(units)}\n")
        self.host.run("systemctl", "daemon-reload")
        self.host.run("systemctl", "start", "keep.target")
        self.host.run("systemctl", "stop", *units)

    def stamps(self, name, *units):
        """Time stamps of systemd's, in ms of the monotonic clock."""
        text = self.host.out("systemctl", "show", "-P", f"{name}TimestampMonotonic", *units)
        return [int(line) / 1e3 for line in text.split()]

    def start(self, unit):
        """From the unit's first process until it is ready."""
        self.host.run("systemctl", "start", unit)
        return self.stamps("ActiveEnter", unit)[0] - self.stamps("InactiveExit", unit)[0]

    def stop(self, unit, *command):
        """From the end of the container's last process, and from the command, until the unit is
        inactive."""
        events = self.host._scope.parent / f"machine.slice/{unit}/payload/cgroup.events"
        empty, watched = [], threading.Event()

        def watch():
            with open(events) as file:
                poll = select.poll()
                poll.register(file, select.POLLPRI)
                try:
                    while "populated 0" not in file.read():
                        watched.set()
                        poll.poll()
                        file.seek(0)
                except OSError:  # removed meanwhile
                    pass
                empty.append(time.monotonic() * 1e3)

        watcher = threading.Thread(target=watch)
        watcher.start()
        watched.wait()
        begin = time.monotonic() * 1e3
        self.host.run(*(command or ("systemctl", "stop", unit)))
        wait_until(f"{unit} is inactive", lambda: self.host.state(unit) == "inactive", timeout=60)
        watcher.join()
        end = self.stamps("InactiveEnter", unit)[0]
        return end - empty[0], end - begin

    def cpu(self, unit):
        """What it has taken of the processors so far, in ms: all of its processes."""
        stat = (self.host._scope.parent / f"machine.slice/{unit}/cpu.stat").read_text()
        return int(re.search(r"^usage_usec (\d+)$", stat, re.M)[1]) / 1e3

    def command_line(self, name):
        text = self.host.out("systemctl", "cat", f"container-{name}")
        return re.search(r"^ExecStart=(.*)$", text, re.M)[1]

    def by_hand(self, name, change=lambda command: command, of=None):
        """The container's systemd-nspawn in a unit of its own, with the same root."""
        unit = f"by-hand-{name}.service"
        self.host.write(f"/etc/systemd/system/{unit}", UNIT.format(change(self.command_line(of or name))))
        return unit

    def turns(self, what, units, stop=(), times=1):
        """Start and stop units in turn, each as often first. Returns for each the samples (start, after the
        last process, stop, CPU time until ready)."""
        samples, rounds = {unit: [] for unit in units}, self.rounds * times
        for i in range(-1, rounds):
            self.progress(f"{what}: round {i + 1} of {rounds}")
            first = i % len(units)
            for unit in (*units[first:], *units[:first]):
                started, cpu = self.start(unit), self.cpu(unit)
                sample = (started, *self.stop(unit, *stop), cpu)
                if i >= 0:  # in the first round nothing is in a cache
                    samples[unit].append(sample)
        return [list(zip(*samples[unit])) for unit in units]


def row(what, figure, ours, other, theirs, budget=None):
    return {"what": what, "figure": figure, "spawnlet": statistics.median(ours), "beside": other,
            "other": statistics.median(theirs),
            "ratio": statistics.median(a / b for a, b in zip(ours, theirs)),
            "budget": budget, "budget_is": "at most"}


def compare_by_hand(bench):
    host = bench.host
    host.copied_root("/srv/whole")
    for name, text in (("shared", SHARED), ("private", PRIVATE), ("whole", WHOLE)):
        host.define(name, text)
    # The namespace is there already; the unit by hand only joins it.
    host.run("/usr/libexec/spawnlet/spawnlet-network", "up", "kept",
             "--host-address=10.99.1.1", "--local-address=10.99.1.2")
    pairs = {
        "System=host": ("container-shared.service", bench.by_hand("shared")),
        "the same, own network, PrivateUsers=no": ("container-private.service", bench.by_hand(
            "private", lambda command: command.replace("netns/private", "netns/kept"))),
        "a whole Debian": ("container-whole.service", bench.by_hand("whole")),
    }
    bench.keep([unit for pair in pairs.values() for unit in pair])
    for what, units in pairs.items():
        times = 1 if what == "a whole Debian" else OFTENER
        (start, after, stop, _), (start2, after2, stop2, _) = bench.turns(what, units, times=times)
        yield row(what, "start until ready, ms", start, "unit by hand", start2, 1.03)
        yield row(what, "stop until inactive, ms", stop, "unit by hand", stop2)
        # DESIGN: within 10 ms. What nspawn and systemd take of it by themselves is in README.md.
        yield row(what, "after the last process, ms", after, "unit by hand", after2)


def nspawn_alone(command):
    """The same container with a network of its own from systemd-nspawn, which makes the pair and gives it no
    addresses."""
    command, n = re.subn(
        r"^.*?(systemd-nspawn .*) --bind-ro=\S+/spawnlet-init:(\S+)(.*) -- \2 --network .*?--boot ",
        r"\1\3 --boot -- ", command)
    assert n == 1, command
    return command.replace("--private-network", "--network-veth")


def without_users(command):
    return nspawn_alone(command).replace(":/usr:idmap", "").replace(
        " --private-users=pick --private-users-ownership=map", "")


def compare_users(bench):
    """What users of its own add to a container with a network of its own: to ours, and to systemd-nspawn,
    whose -U is the same as the options in our unit."""
    host = bench.host
    host.define("users", USERS)
    host.define("root", PRIVATE)
    units = ("container-users.service", "container-root.service",
             bench.by_hand("users", nspawn_alone), bench.by_hand("users-root", without_users, of="users"))
    bench.keep(units)
    samples = bench.turns("users of its own", units, times=OFTENER)
    for figure, number in (("start until ready, ms", 0), ("CPU time until ready, ms", 3)):
        ours, ours_root, theirs, theirs_root = [sample[number] for sample in samples]
        yield row("own users and network", figure, ours, "systemd-nspawn -U", theirs)
        yield row("own users and network", figure, ours, "PrivateUsers=no", ours_root)
        yield row("what users add", figure.split(",")[0] + ", factor", [a / b for a, b in zip(ours, ours_root)],
                  "to systemd-nspawn", [a / b for a, b in zip(theirs, theirs_root)], 1.03)


def plain(command):
    """The same boot without what spawnlet keeps off it."""
    command = re.sub(r" systemd\.(mask|ssh_auto)=\S+", "", command)
    return command.replace("/var/lib/machines/shared", "/var/lib/machines/plain")


def compare_plain_boot(bench):
    host = bench.host
    host.run("cp", "-a", "/var/lib/machines/shared", "/var/lib/machines/plain")
    host.remove("/var/lib/machines/plain/etc/systemd/system-generators")
    unit = bench.by_hand("shared", plain)
    host.run("systemctl", "daemon-reload")
    ours, theirs = bench.turns("a plain boot of /usr", ("container-shared.service", unit))
    yield row("System=host", "start until ready, ms", ours[0], "plain boot of /usr", theirs[0])


def compare_poweroff(bench):
    """systemctl stop of ours beside machinectl poweroff of systemd-nspawn@.service."""
    host = bench.host
    settings(bench, "shared", "shared")
    host.write("/etc/systemd/system/systemd-nspawn@.service.d/often.conf", OFTEN)
    theirs = "systemd-nspawn@shared.service"
    bench.keep(["container-shared.service", theirs])
    ours, others = [], []
    for i in range(bench.rounds):
        bench.progress(f"machinectl poweroff: round {i + 1} of {bench.rounds}")
        bench.start("container-shared.service")
        ours.append(bench.stop("container-shared.service")[1])
        bench.start(theirs)
        others.append(bench.stop(theirs, "machinectl", "poweroff", "shared")[1])
    host.remove("/etc/systemd/nspawn/shared.nspawn")
    yield row("System=host", "stop until inactive, ms", ours, "machinectl poweroff", others)


def settings(bench, name, of):
    """A .nspawn file that makes systemd-nspawn@NAME what the container OF is."""
    parameters = bench.command_line(of).partition(" -- ")[2]
    bench.host.write(f"/etc/systemd/nspawn/{name}.nspawn", SETTINGS.format(parameters))


def compare_at_once(bench):
    host = bench.host
    fit = (int(INSTANCES.read_text()) - INSTANCES_OF_OTHERS) // INSTANCES_EACH
    for number in sorted({min(n, fit) for n in AT_ONCE}):
        names = [f"s{i}" for i in range(number)]
        for name in names:
            host.define(name, SHARED, reload=False)
        host.run("systemctl", "daemon-reload")
        for name in names:
            settings(bench, name, name)
        groups = [[f"container-{name}.service" for name in names],
                  [f"systemd-nspawn@{name}.service" for name in names]]
        host.write("/etc/systemd/system/systemd-nspawn@.service.d/often.conf", OFTEN)
        bench.progress(f"{number} at once: making their roots")
        bench.keep(groups[0])
        bench.keep(groups[0] + groups[1])
        samples = [[], []]
        for i in range(max(2, bench.rounds // 5)):
            bench.progress(f"{number} at once: round {i + 1}")
            for sample, units in zip(samples, groups):
                host.run("systemctl", "start", *units, timeout=600)
                start = max(bench.stamps("ActiveEnter", *units)) - min(bench.stamps("InactiveExit", *units))
                begin = time.monotonic() * 1e3
                host.run("systemctl", "stop", *units, timeout=600)
                sample.append((start, max(bench.stamps("InactiveEnter", *units)) - begin))
        (start, stop), (start2, stop2) = [list(zip(*sample)) for sample in samples]
        yield row(f"{number} at once", "until all are ready, ms", start, "systemd-nspawn@", start2)
        yield row(f"{number} at once", "until all are inactive, ms", stop, "systemd-nspawn@", stop2)


def compare(release, built, quick, progress):
    with Host(release, built.stage) as host:
        bench = Bench(host, progress, QUICK if quick else ROUNDS)
        yield from compare_by_hand(bench)
        yield from compare_users(bench)
        yield from compare_plain_boot(bench)
        yield from compare_poweroff(bench)
        yield from compare_at_once(bench)
