# SPDX-License-Identifier: LGPL-2.1-or-later
"""A kernel with too few inotify instances for its containers: those that fail say why, and all start
once units/60-spawnlet.conf counts."""

from case import contains, contains_not, equal
from host import wait_until

# Those that are there stay, and no more are given. (With some, but not enough, systemd inside starts,
# and what watches a path fails.)
INSTANCES = 1
CONTAINERS = 2

WHY = (f"The kernel has no inotify instances left (fs.inotify.max_user_instances={INSTANCES}), which "
       "systemd inside needs")

SMALL = """\
    [Container]
    System=host

    [Service]
    Restart=no
"""


def states(vm):
    return [vm.state(f"container-c{i}") for i in range(CONTAINERS)]


def test_too_few_inotify_instances(vm):
    # What the file sets is what the machine has booted with.
    equal(vm.read("/proc/sys/fs/inotify/max_user_instances").strip(), "1048576")
    equal(vm.read("/proc/sys/net/ipv4/neigh/default/gc_thresh3").strip(), "16384")

    for i in range(CONTAINERS):
        vm.define(f"c{i}", SMALL, reload=False)
    vm.run("systemctl", "daemon-reload")
    vm.run("sysctl", "-qw", f"fs.inotify.max_user_instances={INSTANCES}")
    contains(f"{INSTANCES} is too few for {CONTAINERS} containers", vm.out("spawnlet", "check"))

    for i in range(CONTAINERS):
        assert not vm.ok("systemctl", "start", f"container-c{i}", timeout=120)
        contains(WHY, vm.unit(f"container-c{i}")["StatusText"])
    contains(WHY, vm.out("systemctl", "status", "--no-pager", "container-c0", check=False))

    # For another reason: nothing is guessed.
    vm.define("other", SMALL + "ExecStartPre=/bin/false\n")
    assert not vm.ok("systemctl", "start", "container-other")
    contains_not("inotify", vm.unit("container-other")["StatusText"])
    vm.remove("/etc/spawnlet/other.container")

    vm.run("systemctl", "restart", "systemd-sysctl")
    vm.run("systemctl", "reset-failed")
    vm.run("systemctl", "start", *(f"container-c{i}" for i in range(CONTAINERS)), timeout=240)
    equal(set(states(vm)), {"active"})
    vm.run("systemctl", "stop", "machines.target", timeout=120)
    wait_until("all are stopped", lambda: set(states(vm)) == {"inactive"}, timeout=120)
