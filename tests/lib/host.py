# SPDX-License-Identifier: LGPL-2.1-or-later
"""A test host: a whole Debian system with its own systemd, booted by systemd-nspawn.

The root is an overlay: the cached Debian root, on it what `meson install` installed,
and on top a directory that goes away with the host. An overlay cannot be mounted with
mapped owners, as private users need it. So /usr, which all hosts read, and what
containers live in are directories. Two hosts share nothing that either could write.
Needs sandbox.enter().
"""

import collections
import itertools
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import textwrap
import threading
import time
import uuid
from pathlib import Path

import roots
import sandbox

BOOT_TIMEOUT = 90

# Where roots of containers, what they share and their journals are: their owners can be mapped.
MAPPABLE = {"/var/lib/machines": 0o700, "/srv": 0o755, "/nix": 0o755, "/var/log/spawnlet": 0o755}

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# What nspawn --keep-unit exits with.
EXIT_VERBS = {0: "poweroff", 133: "reboot"}

# The interface of join(), and the networks of its addresses, which are set aside for
# documentation (RFC 5737, RFC 3849).
LAN = "lan0"
LAN_ADDRESSES = ("192.0.2.{}/24", "2001:db8::{}/64")

# What a boot takes half its time for, and no scenario needs: above all processes.
MASKED = [
    "apt-daily-upgrade.timer", "apt-daily.timer", "dev-hugepages.mount", "dpkg-db-backup.timer",
    "e2scrub_all.timer", "e2scrub_reap.service", "getty.target", "run-lock.mount",
    "sys-kernel-debug.mount", "sys-kernel-tracing.mount", "systemd-tmpfiles-setup-dev-early.service",
    "systemd-update-utmp-runlevel.service", "systemd-update-utmp.service",
]
# In a container there is nothing for them to do, or they cannot.
MASKED_IN_CONTAINER = [
    "modprobe@.service", "systemd-modules-load.service", "systemd-remount-fs.service",
    "systemd-tmpfiles-setup-dev.service",
]
UNITS = "etc/systemd/system"

_numbers = itertools.count(1)
_usr_lock = threading.Lock()


class HostError(Exception):
    """A host, or a command on it, did not do what it should."""


def wait_until(what, condition, timeout=10):
    """Check until condition() is true and return its value. For what has no descriptor
    to wait on; the last exception of a condition is part of the error."""
    deadline = time.monotonic() + timeout
    while True:
        error = None
        try:
            if value := condition():
                return value
        except (HostError, AssertionError) as e:
            error = e
        if time.monotonic() >= deadline:
            raise HostError(f"after {timeout} s still not: {what}") from error
        time.sleep(0.02)


def tail(path, lines):
    """The last lines of a file, or nothing where there is none."""
    try:
        return "\n".join(Path(path).read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def shared_usr(base, stage):
    """The /usr of all hosts with the same root and stage."""
    usr = sandbox.WORK / f"usr-{base.name}{'-' + stage.name if stage else ''}"
    with _usr_lock:
        if not usr.exists():
            usr.mkdir()
            for lower in [base, *([stage] if stage else [])]:
                subprocess.run(["cp", "-a", f"{lower}/usr/.", usr], check=True)
    return usr


class Host:
    # All deadlines are as many times longer: see Vm.
    patience = 1
    masked = MASKED + MASKED_IN_CONTAINER
    # All others of systemd's are masked: half of a daemon-reload is to execute them.
    generators = ["spawnlet-generator"]

    def __init__(self, release, stage=None, source=None, workdir=None, name=None, options=()):
        """A host of this Debian release, not booted yet. stage: what is installed on it.
        source: the source tree, for the script that enables the name service. options: more of
        systemd-nspawn(1), by which it is booted."""
        self.release, self.stage, self.source = release, stage, source
        self.name = name or f"host{next(_numbers)}"
        self.dir = Path(workdir or sandbox.WORK) / self.name
        self.console = self.dir / "console.log"
        self.options = options
        self.cgroup = sandbox.cgroup_root() / self.name
        self.machine_id = uuid.uuid4().hex
        self.root = self.leader = self._process = self._pidfd = self._scope = None

    def __enter__(self):
        try:
            self.boot()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def another(self, *options):
        """A second host like this one, which is booted with more options."""
        return Host(self.release, self.stage, self.source, options=options)

    def join(self, other):
        """Put this host and another one on an Ethernet segment of their own. Each has the
        interface lan0: this host with 192.0.2.1/24 and 2001:db8::1/64, the other with .2 and
        ::2. The pair goes when either of them goes down: after a reboot, join them again."""
        # With one number for both ends the kernel takes its time to see that they are up, and
        # IPv6 waits for that: linkwatch_urgent_event().
        self._ip(f"link add {LAN} index 1001 type veth peer name {LAN} index 1002 netns {other.leader}")
        for number, host in enumerate((self, other), 1):
            ipv4, ipv6 = (address.format(number) for address in LAN_ADDRESSES)
            host._ip(f"link set {LAN} up",
                     f"address add {ipv4} dev {LAN}",
                     f"address add {ipv6} dev {LAN} nodad")

    def _ip(self, *lines):
        """Have the host's own ip execute these lines in the host's network namespace, but in
        our PID namespace: where the PIDs of all hosts are known."""
        script = 'mount -t proc proc "$0/proc" && exec chroot "$0" ip -batch -'
        subprocess.run(["nsenter", f"--net=/proc/{self.leader}/ns/net", "unshare", "--mount",
                        "sh", "-c", script, self.root],
                       input="\n".join(lines), text=True, check=True, env={"PATH": PATH})

    # Life

    def _base(self):
        """The root that is below all others."""
        return roots.host_root(self.release)

    def _prepare(self):
        lower = ([self.stage] if self.stage else []) + [self._base()]
        self.root = sandbox.overlay(self.dir, *lower)
        # With an id it is not a first boot, which would enable units by preset.
        (self.root / "etc/machine-id").write_text(self.machine_id + "\n")
        # Else units with ConditionNeedsUpdate= run, for what was installed a moment ago.
        for updated in ("etc/.updated", "var/.updated"):
            (self.root / updated).touch()
        for number, mode in enumerate(MAPPABLE.values()):
            self._mappable(number).mkdir(mode)
        self._mask()
        enable = Path(self.source, "nss/enable") if self.source else None
        if enable and enable.exists():
            subprocess.run(["sh", enable, self.root / "etc/nsswitch.conf"], check=True)

    def _mappable(self, number):
        return self.dir / f"mappable{number}"

    def _binds(self):
        yield f"--bind-ro={shared_usr(self._base(), self.stage)}:/usr"
        yield f"--bind-ro={roots.host_root(self.release)}:/srv/debian"
        for number, path in enumerate(MAPPABLE):
            yield f"--bind={self._mappable(number)}:{path}"

    def _mask(self):
        for unit in self.masked:
            (self.root / UNITS / unit).symlink_to("/dev/null")
        generators = self.root / "etc/systemd/system-generators"
        generators.mkdir(exist_ok=True)
        for generator in (self.root / "usr/lib/systemd/system-generators").iterdir():
            if generator.name not in self.generators:
                (generators / generator.name).symlink_to("/dev/null")

    def boot(self, timeout=BOOT_TIMEOUT):
        """Boot and wait until everything is started. Returns the seconds it took."""
        if self.root is None:
            self._prepare()
        self.cgroup.mkdir(exist_ok=True)
        started = time.monotonic()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, \
                open(self.console, "ab") as console:
            notify.bind(f"\0spawnlet-tests-{self.cgroup.parent.name}-{self.name}")
            self._process = subprocess.Popen(
                sandbox.in_cgroup(
                    self.cgroup,
                    "systemd-nspawn", "--quiet", "--settings=no", "--register=no", "--keep-unit",
                    "--boot", f"--directory={self.root}", f"--machine={self.name}",
                    "--private-network", "--capability=all", "--notify-ready=yes",
                    "--link-journal=no", "--timezone=off", "--resolv-conf=off",
                    "--console=read-only",
                    *self._binds(),
                    # The many mounts of a boot run into systemd's rate limit for mount events,
                    # which costs a second.
                    "--setenv=SYSTEMD_DEFAULT_MOUNT_RATE_LIMIT_BURST=1000",
                    *self.options,
                ),
                stdin=subprocess.DEVNULL, stdout=console, stderr=console,
                start_new_session=True,
                env={
                    "PATH": PATH,
                    "NOTIFY_SOCKET": "@" + notify.getsockname()[1:].decode(),
                    "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
                },
            )
            self._pidfd = os.pidfd_open(self._process.pid)
            self._wait_ready(notify, started + timeout)
        # (The socket is closed by now: nspawn would block on one that nobody reads.)
        # Commands run where the host's init is, else they would be outside the cgroup
        # namespace that they are in.
        unified = [line for line in Path(f"/proc/{self.leader}/cgroup").read_text().splitlines()
                   if line.startswith("0::")]
        self._scope = sandbox.CGROUPS / unified[0].removeprefix("0::/")
        return time.monotonic() - started

    def _wait_ready(self, notify, deadline):
        poll = select.poll()
        poll.register(notify, select.POLLIN)
        poll.register(self._pidfd, select.POLLIN)
        while True:
            events = dict(poll.poll(max(0, deadline - time.monotonic()) * 1000))
            if notify.fileno() in events:
                for line in notify.recv(4096).decode().splitlines():
                    key, _, value = line.partition("=")
                    if key == "X_NSPAWN_LEADER_PID":
                        self.leader = int(value)
                    elif line == "READY=1":
                        return
                continue
            why = f"systemd-nspawn exited with {self._process.wait()}" if events else "not ready in time"
            raise HostError(f"{self.name} (debian-{self.release}) did not boot: {why}\n"
                            + tail(self.console, 30))

    def _wait_exit(self, timeout):
        """Wait until the host is down, and return the systemctl verb that asks for such an
        end."""
        if not select.select([self._pidfd], [], [], timeout)[0]:
            raise HostError(f"{self.name} is still up after {timeout} s\n" + tail(self.console, 30))
        os.close(self._pidfd)
        status = self._process.wait()
        self._process = self._pidfd = self.leader = self._scope = None
        return EXIT_VERBS.get(status, f"exit status {status}")

    def _shut_down(self, verb, timeout):
        started = time.monotonic()
        # The command may be killed by what it asked for.
        self.run("systemctl", verb, check=False)
        got = self._wait_exit(timeout * self.patience)
        if got != verb:
            raise HostError(f"{self.name}: {verb} became {got}\n" + tail(self.console, 30))
        # nspawn's own sub-cgroups would be in the way of the next boot.
        sandbox.wait_cgroup_empty(self.cgroup, 10)
        sandbox.remove_cgroup(self.cgroup)
        return time.monotonic() - started

    def poweroff(self, timeout=60):
        """Shut down cleanly. Returns the seconds it took."""
        return self._shut_down("poweroff", timeout)

    def reboot(self, timeout=60):
        """Shut down cleanly and boot again with the same files. Returns the seconds of each."""
        return self._shut_down("reboot", timeout), self.boot()

    def cut(self):
        """Have the kernel kill everything, and do not wait. Safe from another thread."""
        try:
            (self.cgroup / "cgroup.kill").write_text("1")
        except OSError:  # Linux < 5.14: the container dies with nspawn
            if process := self._process:
                process.kill()

    def kill(self):
        """A power cut: all processes at once."""
        if self._process is None:
            return
        self.cut()
        self._wait_exit(30)
        sandbox.wait_cgroup_empty(self.cgroup, 30)
        sandbox.remove_cgroup(self.cgroup)

    def close(self):
        self.kill()
        if self.cgroup.exists():
            sandbox.remove_cgroup(self.cgroup)
        if self.root is not None:
            sandbox.umount(self.root)
            self.root = None
        shutil.rmtree(self.dir, ignore_errors=True)

    # Commands

    def run(self, *args, check=True, timeout=60, input=None, env=None):
        """Run a command on the host, as root with a clean environment."""
        if self._process is None:
            raise HostError(f"{self.name} is not up")
        args = [str(a) for a in args]
        timeout *= self.patience
        env = {"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": "/root", **(env or {})}
        code, stdout, stderr = self._execute(args, timeout, input, env)
        if code is None:
            check, code = True, f"nothing in {timeout} s"
        if check and code != 0:
            raise HostError(f"{' '.join(args)}: exited with {code}\n"
                            + textwrap.indent(stdout[-4000:] + stderr[-4000:], "    ").rstrip())
        return subprocess.CompletedProcess(args, code, stdout, stderr)

    def _execute(self, args, timeout, input, env):
        """Returns exit status, stdout and stderr. Without a status it was killed, as it took
        too long."""
        process = subprocess.Popen(
            sandbox.in_cgroup(self._scope, "nsenter", "-a", "-t", self.leader, "--", *args),
            stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, errors="replace", start_new_session=True,
            env=env,
        )
        try:
            stdout, stderr = process.communicate(input, timeout)
            return process.returncode, stdout, stderr
        except BaseException as e:
            os.killpg(process.pid, signal.SIGKILL)  # nsenter and what it entered with
            if not isinstance(e, subprocess.TimeoutExpired):
                raise
            return None, *process.communicate()

    def ok(self, *args, **options):
        """Does the command succeed?"""
        return self.run(*args, check=False, **options).returncode == 0

    def out(self, *args, **options):
        """What the command prints, stripped."""
        return self.run(*args, **options).stdout.strip()

    # Files. A command on the host does it: through /proc/PID/root an absolute link would
    # lead out of the host.

    def write(self, path, text, mode=0o644):
        script = 'mkdir -p -- "${1%/*}/" && cat >"$1" && chmod "$2" -- "$1"'
        self.run("sh", "-c", script, "sh", path, f"{mode:o}", input=text)

    def read(self, path):
        return self.run("cat", "--", path).stdout

    def exists(self, path):
        return self.ok("sh", "-c", '[ -e "$1" ] || [ -L "$1" ]', "sh", path)

    def remove(self, path):
        self.run("rm", "-rf", "--", path)

    def overlay_root(self, path):
        """Put a fresh whole Debian system at path, as the root of a container without private
        users: the owners of an overlay cannot be mapped."""
        self.run("sh", "-ec", textwrap.dedent("""\
            mkdir -p "$1" /run/test-overlays
            d=$(mktemp -d /run/test-overlays/XXXXXX)
            mkdir -m 755 "$d/upper" "$d/work"
            mount -t overlay overlay -o "lowerdir=/srv/debian,upperdir=$d/upper,workdir=$d/work" "$1"
            : >"$1/etc/machine-id"
            rm -f "$1/etc/hostname"
            """), "sh", path)

    def copied_root(self, path):
        """The same, below one of MAPPABLE, as the root of any container. Takes half a second and
        270 MB."""
        self.run("sh", "-ec", textwrap.dedent("""\
            mkdir -p "$1"
            cp -a /srv/debian/. "$1"
            : >"$1/etc/machine-id"
            rm -f "$1/etc/hostname"
            """), "sh", path)

    def podman_root(self, path):
        """The same with Podman in it. On Debian 13, and not on a virtual machine."""
        number = list(MAPPABLE).index("/var/lib/machines")
        inside = self._mappable(number) / Path(path).relative_to("/var/lib/machines")
        subprocess.run(["cp", "-a", roots.podman_root(self.release), inside], check=True)
        (inside / "etc/machine-id").write_text("")
        (inside / "etc/hostname").unlink()

    def own_usr(self):
        """Give the host a /usr that it can write, and whose owners can be mapped still."""
        self.run("sh", "-ec", textwrap.dedent("""\
            mkdir /run/usr
            mount -t tmpfs -o mode=755 tmpfs /run/usr
            cp -a /usr/. /run/usr
            mount --bind /run/usr /usr
            """))

    # systemd and spawnlet

    def define(self, name, text, reload=True):
        """Write a container's definition, and have the generator see it."""
        self.write(f"/etc/spawnlet/{name}.container", textwrap.dedent(text))
        if reload:
            self.run("systemctl", "daemon-reload")

    def unit(self, name):
        """The unit's properties. Several lines of one name are joined by newlines."""
        properties = {}
        for line in self.run("systemctl", "show", "--all", "--", name).stdout.splitlines():
            key, _, value = line.partition("=")
            properties[key] = f"{properties[key]}\n{value}" if key in properties else value
        return properties

    def state(self, unit):
        return self.out("systemctl", "show", "-P", "ActiveState", "--", unit)

    def wait_unit(self, unit, state="active", timeout=30):
        """Wait until the unit is in this state; one that failed is waited for no longer."""

        def reached():
            now = self.state(unit)
            if now == "failed" != state:
                # Not a HostError, which would only be tried again.
                raise RuntimeError(f"{unit} failed\n" + self.run(
                    "systemctl", "status", "--no-pager", "-n30", "--", unit, check=False).stdout)
            return now == state

        wait_until(f"{unit} {state}", reached, timeout * self.patience)

    def journal(self, lines=200):
        """The end of the host's journal, or of its console where there is no journal."""
        try:
            text = self.run("journalctl", "--no-pager", "-b", f"-n{lines}", "-o", "short-precise",
                            timeout=20).stdout
        except (HostError, OSError) as e:
            text = f"(no journal: {e})"
        return f"--- journal\n{text}\n--- console\n{tail(self.console, lines)}\n"

    # Leak checks

    def _process_netns(self):
        """Network namespaces with a process in them, but for those that systemd's own daemons
        come and go with."""
        found = set()
        for directory, _, _ in os.walk(self._scope.parent):
            if "/system.slice/systemd-" in directory:
                continue
            try:
                for pid in Path(directory, "cgroup.procs").read_text().split():
                    found.add(os.readlink(f"/proc/{pid}/ns/net"))
            except OSError:
                pass  # gone in between
        return found

    def descriptors(self, pid):
        """How many descriptors of each kind a process of the host has open, by its PID there."""
        script = 'cd "/proc/$1/fd" && for fd in *; do readlink "$fd"; done'
        links = self.run("sh", "-c", script, "sh", pid).stdout.splitlines()
        # Of "socket:[123]" and "net:[123]" the number is another one each time.
        return collections.Counter(re.sub(r":\[\d+\]$", "", link) for link in links)

    def footprint(self):
        """All that a container could leave behind. Take it before and after, and compare."""
        lines = self.read("/proc/self/mountinfo").splitlines()
        mounts = [line.split()[4] for line in lines]
        mounted_netns = {line.split()[3] for line in lines if " - nsfs " in line and " net:[" in line}

        def find(*args):
            return sorted(self.run("find", *args, check=False).stdout.splitlines())

        return {
            "interfaces": sorted(link["ifname"] for link in json.loads(self.out("ip", "-j", "link"))),
            "mounts": sorted(m for m in mounts
                             if not m.startswith(("/run/credentials", "/run/user/"))),
            "netns": sorted(self._process_netns() | mounted_netns),
            # What a running container makes in its own comes and goes.
            "cgroups": find("/sys/fs/cgroup/machine.slice", "-mindepth", "1", "-type", "d",
                            "-not", "-path", "*/payload/*"),
            # Directly below there are the directories for all containers, which stay. So does the
            # lock of a root whose systemd-nspawn is killed, for the next one.
            "run": find("/run/spawnlet", "/run/systemd/nspawn", "/run/systemd/machines",
                        "(", "-not", "-type", "d", "-o", "-path", "/run/*/*/*/*", ")",
                        "-not", "-path", "/run/systemd/nspawn/locks/*"),
            "nft": self.out("nft", "--stateless", "list", "ruleset", check=False),
            # It has namespaces open while it starts something, and files of a unit's that runs.
            "systemd": {kind: n for kind, n in self.descriptors(1).items()
                        if kind.startswith("/run/") or kind in ("net", "mnt", "user", "pid")},
            # But for the one that waits for firewalls: it stays with the first container.
            "units": [line.split()[0] for line in self.out(
                "systemctl", "list-units", "--plain", "--no-legend", "--all",
                "--state=active,activating,deactivating,reloading",
                "container-*", "spawnlet-*").splitlines()
                if not line.startswith("spawnlet-repair.service")],
        }
