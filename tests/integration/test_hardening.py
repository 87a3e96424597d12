# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the presets of Hardening= do to a booted container; spawnlet.container(5), HARDENING."""

import base64
import errno
import platform
import re
import signal
import struct

from case import contains, equal
from containers import fetch, serve
from host import wait_until

ROOT = "/var/lib/machines/web"
CGROUP = "/sys/fs/cgroup/machine.slice/container-web.service/payload/init.scope/cgroup.procs"

NETWORK = """\
[Network]
HostAddress=10.90.0.1
LocalAddress=10.90.0.2
"""

# capabilities(7). What systemd-nspawn does without by default, and what strict takes from the container.
OUTSIDE = {"sys_module": 16, "sys_rawio": 17, "sys_pacct": 20, "sys_time": 25, "mac_override": 32, "mac_admin": 33,
           "syslog": 34, "wake_alarm": 35, "block_suspend": 36, "audit_read": 37, "ipc_lock": 14, "perfmon": 38,
           "bpf": 39, "checkpoint_restore": 40}
INSIDE = {"linux_immutable": 9, "net_broadcast": 11, "sys_tty_config": 26, "mknod": 27, "lease": 28,
          "audit_write": 29, "audit_control": 30}

# With it systemd carries out DeviceAllow=; test_lowports.py.
WITH_BPF = "--system-call-filter=bpf"

# Prints the error of each call, 0 for success. Without a structure io_uring_setup(2) says EFAULT.
PROBE = r"""
sub say { print "$_[0]=", ($_[1] ? 0 : $!+0), "\n" }
%kinds = (inet => [2, 1, 0], unix => [1, 1, 0], packet => [17, 3, 0], netlink => [16, 3, 0],
          vsock => [40, 1, 0], alg => [38, 5, 0]);
for $k (sort keys %kinds) { say($k, socket(my $s, $kinds{$k}[0], $kinds{$k}[1], $kinds{$k}[2])) }
if ($ARGV[0] eq "x86_64") {
        say("io_uring", syscall(425, 1, 0) >= 0);
        say("userfaultfd", syscall(323, 1) >= 0);
}
"""

# What of the host is in every container; docs/SECURITY.md says why.
RUN_HOST = {"container-manager", "container-uuid", "credentials", "inaccessible", "incoming", "notify", "os-release",
            "proc-kmsg", "proc-sys-kernel-random-boot-id", "spawnlet", "unix-export"}
VARIABLES = {"CREDENTIALS_DIRECTORY", "HOME", "LANG", "LOGNAME", "NOTIFY_SOCKET", "PATH", "TERM", "USER", "container",
             "container_host_build_id", "container_host_id", "container_host_variant_id",
             "container_host_version_id", "container_uuid"}

DEVICES = {"/dev/net/tun": (10, 200), "/dev/fuse": (10, 229), "/dev/loop-control": (10, 237)}


def mask(capabilities):
    return sum(1 << number for number in capabilities.values())


def status(text):
    return {key: int(value, 16) for key, value in re.findall(r"^(Cap\w+|NoNewPrivs):\s*(\w+)$", text, re.M)}


def inside(host, *command):
    return host.out("spawnlet", "run", "web", *command)


def with_filters(host, *command):
    """As a service of the container's, which has what its init has."""
    return host.run("spawnlet", "run", "web", "systemd-run", "--quiet", "--wait", "--pipe", "--collect", *command,
                    check=False)


def elf(bits, code):
    """A program that is nothing but this code."""
    if bits == 32:
        ident, machine, form, header, table = 1, 3, "<HHIIIIIHHHHHH", 52, 32
        program = struct.pack("<8I", 1, 0, 0x400000, 0x400000, header + table + len(code),
                              header + table + len(code), 5, 4096)
    else:
        ident, machine, form, header, table = 2, 62, "<HHIQQQIHHHHHH", 64, 56
        program = struct.pack("<2I6Q", 1, 5, 0, 0x400000, 0x400000, header + table + len(code),
                              header + table + len(code), 4096)
    return (b"\x7fELF" + bytes([ident, 1, 1]) + bytes(9) + struct.pack(
        form, 2, machine, 1, 0x400000 + header + table, header, 0, 0, header, table, 1, 0, 0, 0) + program + code)


# exit(0) as i386 calls it; and as x32 does, which the kernel may not know: then exit(1).
PROGRAMS = {"i386": elf(32, bytes.fromhex("b801000000 31db cd80")),
            "x32": elf(64, bytes.fromhex("b83c000040 31ff 0f05 b83c000000 bf01000000 0f05"))}


def install(host):
    host.write(f"{ROOT}/probe", PROBE)
    for name, program in PROGRAMS.items():
        host.run("sh", "-c", 'base64 -d >"$1" && chmod 755 "$1"', "sh", f"{ROOT}/{name}",
                 input=base64.b64encode(program).decode())
    for node, (major, minor) in DEVICES.items():
        host.run("sh", "-c", '[ -e "$1" ] || mknod -m 666 "$1" c "$2" "$3"', "sh", node, major, minor)


def refused(host):
    """Which nodes of the host a process in the container's cgroup may not open, nor make."""
    script = ('echo $$ >"$0"; for d; do perl -e \'print "$ARGV[0]\\n" if !open(F, "+<", $ARGV[0]) && $!+0 == 1\' '
              '"$d"; done')
    return set(host.out("sh", "-c", script, CGROUP, *DEVICES).split())


def start(host, text):
    host.define("web", text + NETWORK)
    host.run("systemctl", "start", "container-web")
    equal(inside(host, "systemctl", "is-system-running", "--wait"), "running")
    nspawn = host.read(f"/proc/{host.unit('container-web')['MainPID']}/status")
    return status(nspawn), status(inside(host, "cat", "/proc/1/status"))


def stop(host):
    host.run("systemctl", "stop", "container-web")
    equal(host.unit("container-web")["Result"], "success")


def probe(host):
    text = with_filters(host, "perl", "/probe", platform.machine()).stdout
    return {key: int(value) for key, value in re.findall(r"^(\w+)=(\d+)$", text, re.M)}


def foreign(host):
    """How the programs of other architectures end, with 128 and the signal that kills one."""
    return {name: int(with_filters(host, "/bin/sh", "-c", f"/{name}; echo $?").stdout) for name in PROGRAMS}


def test_presets(first):
    with first.another(WITH_BPF) as host:
        presets(host)


def presets(host):
    host.copied_root(ROOT)
    install(host)
    is_x86 = platform.machine() == "x86_64"
    full = status(host.read("/proc/1/status"))["CapBnd"]

    nspawn, usual = start(host, "[Container]\nHardening=trusted\n")
    equal(nspawn["CapBnd"], full)
    equal(inside(host, "cat", "/proc/1/uid_map").split(), ["0", "0", "4294967295"])
    equal(refused(host), set())
    can = probe(host)
    equal(can["inet"], 0)
    runs = {name for name, end in foreign(host).items() if end in (0, 1)} if is_x86 else set()
    stop(host)

    nspawn, init = start(host, "")
    equal(nspawn["CapBnd"], full & ~mask(OUTSIDE))
    equal((init["CapBnd"] & full, init["NoNewPrivs"]), (usual["CapBnd"], 0))  # a host may lack some
    equal(refused(host), {"/dev/loop-control"})
    equal(probe(host), can)
    contains("web", inside(host, "ls", "/run/host/spawnlet/hosts"))
    equal(set(inside(host, "ls", "-A", "/run/host").split()) - RUN_HOST, set())
    variables = inside(host, "cat", "/proc/1/environ").split("\0")
    equal({variable.partition("=")[0] for variable in variables if variable} - VARIABLES, set())
    equal(set(inside(host, "find", "/dev", "-type", "b").split()), set())
    stop(host)

    nspawn, init = start(host, "[Container]\nHardening=strict\n")
    equal(nspawn["CapBnd"], full & ~mask(OUTSIDE))
    equal(init["CapBnd"] & full, usual["CapBnd"] & ~mask(INSIDE))
    equal(init["NoNewPrivs"], 1)
    equal(status(inside(host, "cat", "/proc/self/status"))["NoNewPrivs"], 1)
    assert inside(host, "cat", "/proc/1/uid_map").split()[1] != "0"
    equal(refused(host), set(DEVICES))
    # Error for error the same, but for what is refused.
    no = errno.EAFNOSUPPORT
    calls = {"io_uring": errno.EPERM, "userfaultfd": errno.EPERM} if is_x86 else {}
    equal(probe(host), {**can, "vsock": no, "alg": no, **calls})
    ends = foreign(host) if runs else {}
    equal({name: ends[name] for name in runs}, {name: 128 + signal.SIGSYS for name in runs})
    assert not inside(host, "find", "/run/host/spawnlet", "-name", "hosts")
    equal(host.out("machinectl", "shell", "-q", "web", "/usr/bin/id", "-u").strip(), "0")
    contains("Reached target", host.out("journalctl", "-q", "-M", "web", "-b", "-o", "cat"))
    stop(host)

    # What the definition asks for, it gets.
    _, init = start(host, "[Container]\nHardening=strict\n[Exec]\nNoNewPrivileges=no\nCapability=CAP_MKNOD\n"
                          "SystemCallFilter=userfaultfd\n[Files]\nDevice=/dev/net/tun\n"
                          "[Service]\nRestrictAddressFamilies=AF_VSOCK\n")
    equal(init["CapBnd"] & mask(INSIDE), 1 << INSIDE["mknod"])
    equal(init["NoNewPrivs"], 0)
    equal(refused(host), set(DEVICES) - {"/dev/net/tun"})
    calls = {"io_uring": errno.EPERM} if is_x86 else {}
    equal(probe(host), {**can, "alg": no, **calls})
    stop(host)


def test_the_hosts_usr_under_strict(host):
    """With all that spawnlet itself does to a container that runs."""
    serve(host, ROOT)
    before = host.footprint()
    text = ("[Container]\nHardening=strict\nSystem=host\nServices=hello.socket\nHealthCommand=/usr/bin/test -e /srv\n"
            "HealthInterval=1h\n[Exec]\nNotifyReady=healthy\n")
    start(host, text)
    equal(fetch(host), "hello")
    host.run("systemctl", "start", "spawnlet-health-web")
    wait_until("it is healthy", lambda: contains("healthy", host.read("/run/spawnlet/health/web")) or True)
    host.run("mkdir", "-p", "/srv/files")
    host.write("/srv/files/one", "1\n")
    host.define("web", text + "[Files]\nBindReadOnly=/srv/files:/srv/files:noidmap\n" + NETWORK)
    host.run("systemctl", "reload", "container-web")
    equal(inside(host, "cat", "/srv/files/one"), "1")
    stop(host)
    wait_until("nothing is left", lambda: equal(host.footprint(), before) or True, timeout=20)
