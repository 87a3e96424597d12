# SPDX-License-Identifier: LGPL-2.1-or-later
"""What our helpers may do while they run: read in /proc, and compared with what each is to have."""

import re

from case import contains, equal
from containers import WEB, serve
from host import wait_until

# As the table in common/kernel/confine.c.
NETWORK = {"net_admin", "sys_admin"}
ENTER = {"sys_ptrace", "sys_admin", "sys_chroot", "setpcap", "dac_override", "kill"}
STOP = {"kill", "sys_ptrace", "dac_override"}
CLEANUP = NETWORK | {"dac_override", "fowner"}

NUMBERS = {"dac_override": 1, "fowner": 3, "kill": 5, "setgid": 6, "setuid": 7, "setpcap": 8,
           "net_admin": 12, "sys_chroot": 18, "sys_ptrace": 19, "sys_admin": 21, "sys_boot": 22}


def mask(capabilities):
    return sum(1 << NUMBERS[c] for c in capabilities)


def status(host, pid):
    return dict(re.findall(r"^(\w+):\s*(.*)$", host.read(f"/proc/{pid}/status"), re.M))


def with_capabilities(host, program, capabilities):
    """The process of a helper that has these; one that is about to execute systemd-nspawn has others."""
    found = {}
    for pid in host.out("pgrep", "-f", f"^/usr/libexec/spawnlet/{program} ", check=False).split():
        found[pid] = int(status(host, pid)["CapEff"], 16)
    contains(mask(capabilities), list(found.values()))
    return next(pid for pid, effective in found.items() if effective == mask(capabilities))


def wait_confined(host, program, capabilities, runs_commands=False):
    """A helper has these capabilities at most, soon after its start. Returns its PID."""
    pid = wait_until(f"{program} is confined", lambda: with_capabilities(host, program, capabilities),
                     timeout=20)
    s = status(host, pid)
    if runs_commands:
        equal(s["NoNewPrivs"], "0")
    else:
        equal({s["CapPrm"], s["CapBnd"]}, {s["CapEff"]})
        equal(s["NoNewPrivs"], "1")
    equal({int(s[c], 16) for c in ("CapInh", "CapAmb")}, {0})
    environment = host.read(f"/proc/{pid}/environ")  # that of its start: not what is left
    assert environment is not None
    return pid


def slow_init(host, name):
    """A container that takes its time to stop: until /srv/go is there."""
    root = f"/var/lib/machines/{name}"
    host.write(f"{root}/srv/init",
               "#!/bin/sh\nt() { while ! [ -e /srv/go ]; do sleep 0.05; done; exit 0; }\ntrap t TERM\n"
               ": >/srv/started\nwhile :; do sleep 0.1; done\n", 0o755)
    host.define(name, "[Container]\nSystem=host\nInit=/srv/init\n[Exec]\nNotifyReady=no\nKillSignal=SIGTERM\n")
    host.run("systemctl", "start", f"container-{name}")
    wait_until("the init runs", lambda: host.exists(f"{root}/srv/started"))
    return root


def test_stop(host):
    root = slow_init(host, "slow")
    host.run("systemctl", "stop", "--no-block", "container-slow")
    pid = wait_confined(host, "spawnlet-stop", STOP)
    host.write(f"{root}/srv/go", "")
    host.wait_unit("container-slow", "inactive")
    assert not host.exists(f"/proc/{pid}")


def test_health_and_commands(host):
    serve(host, "/var/lib/machines/web")
    host.define("web", WEB.replace("Services=", "HealthCommand=/usr/bin/sleep 1001\nHealthInterval=1h\n"
                                                "HealthTimeout=1h\nServices="))
    host.run("systemctl", "start", "container-web")
    host.run("systemctl", "start", "--no-block", "spawnlet-health-web.service")
    wait_confined(host, "spawnlet-health", ENTER, runs_commands=True)

    # Its command has what the container's init may have, no more and no less.
    command = wait_until("the command runs", lambda: host.out("pgrep", "-x", "sleep", check=False))
    init = host.out("pgrep", "-P", host.unit("container-web")["MainPID"])
    equal(status(host, command)["CapEff"], status(host, init)["CapBnd"])
    host.run("systemctl", "stop", "spawnlet-health-web.service")
    wait_until("it ends with the check", lambda: not host.ok("pgrep", "-x", "sleep"))


def test_a_command_ends_with_its_caller(host):
    """An execve(2) by which a process gains capabilities has it forget whose end it is to die of."""
    host.define("web", "[Container]\nSystem=host\n")
    host.run("systemctl", "start", "container-web")
    host.run("systemd-run", "--quiet", "--unit=session", "spawnlet", "run", "web", "sleep", "1001")
    pid = wait_confined(host, "spawnlet-enter", ENTER, runs_commands=True)
    wait_until("the command runs", lambda: host.ok("pgrep", "-x", "sleep"))
    host.run("kill", "-KILL", pid)
    wait_until("the command has ended", lambda: not host.ok("pgrep", "-x", "sleep"))


def held_up(host, lock):
    """Hold a lock until /run/go is there, so that whoever wants it waits."""
    host.run("systemd-run", "--quiet", "--unit=lock", "flock", lock, "sh", "-c",
             ": >/run/locked; while ! [ -e /run/go ]; do sleep 0.05; done")
    wait_until("it is locked", lambda: host.exists("/run/locked"))


def test_network_and_cleanup(host):
    """Held up by the lock that all of them take who forward ports."""
    host.define("first", WEB)
    host.run("systemctl", "start", "container-first")
    lock = "/run/spawnlet/network"
    held_up(host, lock)
    host.define("web", WEB.replace("10.90.", "10.91.").replace("fd90", "fd91") + "Port=8080\n")
    host.run("systemctl", "start", "--no-block", "container-web")
    wait_confined(host, "spawnlet-network", NETWORK | {"sys_ptrace"})  # users of its own
    host.write("/run/go", "")
    host.wait_unit("container-web", "active")

    for f in ("/run/go", "/run/locked"):
        host.remove(f)
    held_up(host, lock)
    host.run("systemctl", "stop", "--no-block", "container-web")
    wait_confined(host, "spawnlet-cleanup", CLEANUP)
    host.run("systemctl", "start", "--no-block", "spawnlet-repair@br0.service")
    wait_confined(host, "spawnlet-network", NETWORK)
    host.write("/run/go", "")
    host.wait_unit("container-web", "inactive")
    wait_until("the repair has ended", lambda: host.state("spawnlet-repair@br0") == "inactive")
    equal(host.unit("spawnlet-repair@br0")["Result"], "success")
