# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many containers at once on one host, and what `spawnlet check` says of limits of the kernel.

Most here run a command and no systemd, which would need inotify instances: the machine that runs the
tests has 128 of them for all hosts together, and no host can raise that. See tests/vm/test_vm_many.py.
SPAWNLET_TEST_CONTAINERS=100 has a hundred of them.
"""

import json
import os

from case import contains, equal
from host import wait_until

CONTAINERS = int(os.environ.get("SPAWNLET_TEST_CONTAINERS", "25"))

SMALL = """\
    [Container]
    System=host
    Command=/bin/sleep infinity

    [Exec]
    ProcessTwo=yes

    [Network]
    Zone=many
    HostAddress=10.92.0.1/16
    LocalAddress=10.92.1.{number}/16
    Port={port}:80
"""

INSTANCES = "/proc/sys/fs/inotify/max_user_instances"


def define_many(host, number, text):
    for i in range(1, number + 1):
        host.define(f"c{i}", text.format(number=i, port=8000 + i), reload=False)
    host.run("systemctl", "daemon-reload")


def states(host):
    return set(host.out("systemctl", "show", "--property=ActiveState", "--value",
                        *(f"container-c{i}" for i in range(1, CONTAINERS + 1))).split())


def test_many_start_and_stop_at_once(host):
    before = host.footprint()
    define_many(host, CONTAINERS, SMALL)
    for _ in range(2):
        host.run("systemctl", "start", "machines.target", timeout=300)
        equal(states(host), {"active"})
        equal(len(host.out("machinectl", "list", "--no-legend").splitlines()), CONTAINERS)
        for i in (1, CONTAINERS):
            host.run("ping", "-c1", "-W5", f"c{i}.containers")
        equal(len(host.footprint()["interfaces"]), len(before["interfaces"]) + CONTAINERS + 1)

        host.run("systemctl", "stop", "machines.target", timeout=300)
        wait_until("all are stopped", lambda: states(host) == {"inactive"}, timeout=120)
        wait_until("nothing is left", lambda: equal(before, host.footprint()) or True, timeout=60)


def test_all_at_once_are_killed(host):
    """As by whoever is out of memory: each cleans up after itself, whoever else does at the time."""
    before = host.footprint()
    define_many(host, CONTAINERS, SMALL + "\n    [Service]\n    Restart=no\n")
    host.run("systemctl", "start", "machines.target", timeout=300)
    host.run("systemctl", "kill", "--kill-who=main", "--signal=KILL", "container-*")
    wait_until("all have failed", lambda: states(host) == {"failed"}, timeout=120)
    wait_until("nothing is left", lambda: equal(before, host.footprint()) or True, timeout=60)


def limit_findings(host):
    return [finding for finding in json.loads(host.out("spawnlet", "check", "--json"))
            if finding["file"] == INSTANCES]


def test_check_knows_the_limits(host):
    """Of the kernel that runs. What counts are containers that boot a system by themselves."""
    limit = int(host.read(INSTANCES))
    number = min(limit, 1000) // 7 + 1
    if limit > 1000:
        # Nothing to warn of: this machine has them.
        number = 20
    define_many(host, number, "[Container]\nSystem=host\n")
    found = limit_findings(host)
    if limit > 1000:
        equal(found, [])
        return

    equal(len(found), 1)
    equal((found[0]["severity"], found[0]["line"], found[0]["key"]), ("warning", 0, None))
    contains(f"{limit} is too few for {number} containers", found[0]["message"])
    contains("LIMITS OF THE KERNEL", found[0]["hint"])
    # It fails no check but a strict one.
    text = host.run("spawnlet", "check").stdout
    contains(f"warning: {INSTANCES}: {limit} is too few for {number} containers, which need about ", text)
    equal(host.run("spawnlet", "check", "--strict", check=False).returncode, 1)
    # Nor is it about a single one, or other definitions than this machine's.
    equal(host.out("spawnlet", "check", "--json", "c1"), "[]")
    equal(host.out("spawnlet", "check", "--json", env={"SPAWNLET_PATH": "/etc/spawnlet"}), "[]")

    for text in ("[Container]\nSystem=host\nAutoStart=no\n", "[Container]\nSystem=host\nCommand=/bin/true\n"):
        define_many(host, number, text)
        equal(limit_findings(host), [])


def test_the_limits_are_set(host):
    """The file is where systemd-sysctl looks, and harmless in a container that shares the host's /usr."""
    names = [line.split("=")[0].strip(" -") for line in host.read("/usr/lib/sysctl.d/60-spawnlet.conf").splitlines()
             if line and not line.startswith("#")]
    assert len(names) > 5, names
    for name in names:
        # (Neighbours are the business of the first network namespace alone.)
        assert "neigh" in name or host.exists("/proc/sys/" + name.replace(".", "/")), name
    host.define("web", "[Container]\nSystem=host\n[Network]\nPrivate=yes\n")
    host.run("systemctl", "start", "container-web")
    equal(host.out("spawnlet", "run", "web", "systemctl", "is-system-running"), "running")
    equal(host.out("spawnlet", "run", "web", "systemctl", "show", "-P", "ExecMainStatus", "systemd-sysctl"), "0")
    equal(host.out("spawnlet", "run", "web", "journalctl", "--no-pager", "--quiet", "-p", "notice", "-u",
                   "systemd-sysctl"), "")


def test_a_failure_for_want_of_inotify_instances_says_so(host):
    """What spawnlet-cleanup says. It is run in a user namespace that has none, as by the unit of a
    container whose systemd has failed: who counts for all tests on this machine stays as it is."""
    # /proc is read-only on a host in a container; a new one is not.
    limited = ("mount -t proc proc /proc && echo 0 >/proc/sys/user/max_inotify_instances && "
               "exec /usr/libexec/spawnlet/spawnlet-cleanup web")
    failed = {"SERVICE_RESULT": "exit-code", "EXIT_CODE": "exited", "EXIT_STATUS": "255"}

    def cleanup(**environment):
        return host.run("unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "sh", "-c", limited,
                        check=False, env={k: v for k, v in environment.items() if v}).stderr

    contains("no inotify instances left (fs.inotify.max_user_instances=", cleanup(**failed))
    # Nothing was tried where something else is known to be wrong, or nothing.
    for other in ({"SERVICE_RESULT": "success"}, {"EXIT_STATUS": "1"}, {"EXIT_CODE": "killed"},
                  {"SERVICE_RESULT": "", "EXIT_CODE": "", "EXIT_STATUS": ""}, {"EXIT_CODE": ""}):
        equal(cleanup(**{**failed, **other}), "")
    # With enough of them.
    equal(host.run("/usr/libexec/spawnlet/spawnlet-cleanup", "web", env=failed).stderr, "")
