# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is left when the helper is killed, or a system call of it fails: every one in turn."""

import re

from case import contains, equal, releases
from host import wait_until

HELPER = "/usr/libexec/spawnlet/spawnlet-network"

# Everything that it can make: pairs routed, on a bridge and in a zone, a moved interface, a macvlan.
OPTIONS = ("--host-address=10.96.0.1 --local-address=10.96.0.2 --host-address=fd96::1 --local-address=fd96::2 "
           "--interface=nic0:lan --macvlan=nic0peer --veth=blue --zone=blue --host-address=10.97.0.1/24 "
           "--local-address=10.97.0.2/24 --veth=lan2 --bridge=br0 x")
CHANGED = ("--host-address=10.96.0.1 --local-address=10.96.0.3 --gateway=none --veth=blue --zone=red "
           "--host-address=10.98.0.1/24 --local-address=10.98.0.2/24 --mtu=1400 x")

# What has to be so after each: no file, no name of ours, the interface with its address and route.
CLEAN = """
clean() {
    [ -z "$(find /run/spawnlet -type f)" ] || { find /run/spawnlet -type f; return 1; }
    ! ip -o link | grep -E 'container-x|c-x|z-(blue|red)' || return 1
    ip -4 -o address show nic0 | grep -q '10[.]70[.]0[.]1/24' || { ip address show nic0; return 1; }
    ip route show 10.71.0.0/16 | grep -q 'via 10[.]70[.]0[.]9 dev nic0' || { ip route; return 1; }
}
"""


def prepare(host):
    for command in (
        "ip link add nic0 type veth peer name nic0peer",
        "ip link set nic0 up",
        "ip link set nic0peer up",
        "ip address add 10.70.0.1/24 dev nic0",
        "ip route add 10.71.0.0/16 via 10.70.0.9",
        "ip link add br0 type bridge",
        "ip link set br0 up",
    ):
        host.run(*command.split())
    return host.footprint()


def calls(host, command):
    """Every system call that the command makes, as (name, the how manieth of that name)."""
    host.run("sh", "-c", f"strace -f -qq -o /run/trace {command}")
    seen = {}
    found = []
    for line in host.read("/run/trace").splitlines():
        name = re.match(r"\d+ +(\w+)\(", line)
        if name and name[1] not in ("exit", "exit_group"):
            seen[name[1]] = seen.get(name[1], 0) + 1
            found.append((name[1], seen[name[1]]))
    # What the dynamic linker does is the same for all programs, and comes before all that is ours.
    return found[found.index(("socket", 1)) - 10:]


def every(host, calls, fault, commands):
    """Run the shell commands for each call, with $inject an option of strace that lets it fail."""
    host.run("bash", "-c", CLEAN + """
        while read -r call number; do
            inject="-f -qq -o /dev/null -e trace=$call -e inject=$call:%s:when=$number"
            %s
            clean || { echo "%s at $call number $number"; exit 1; }
        done
        """ % (fault, commands, fault), input="".join(f"{c} {n}\n" for c, n in calls), timeout=500)


def finish(host, before):
    host.run("sh", "-c", f"{HELPER} up {OPTIONS} && {HELPER} down x")
    wait_until("nothing is left", lambda: equal(before, host.footprint()) or True)


# Two minutes in all: on one release.
@releases("13")
def test_killed_on_the_way_up(host):
    before = prepare(host)
    found = calls(host, f"{HELPER} up {OPTIONS}")
    host.run(HELPER, "down", "x")
    every(host, found, "signal=KILL", f"""
        ! strace $inject {HELPER} up {OPTIONS} 2>/dev/null || {{ echo "not killed"; exit 1; }}
        {HELPER} down x || exit
    """)
    finish(host, before)


@releases("13")
def test_killed_on_the_way_down(host):
    before = prepare(host)
    host.run("sh", "-c", f"{HELPER} up {OPTIONS}")
    found = calls(host, f"{HELPER} down x")
    every(host, found, "signal=KILL", f"""
        {HELPER} up {OPTIONS} || exit
        ! strace $inject {HELPER} down x 2>/dev/null || {{ echo "not killed"; exit 1; }}
        {HELPER} down x || exit
    """)
    finish(host, before)


@releases("13")
def test_killed_in_a_change(host):
    """The next reload goes on where it stopped; and so does a stop."""
    before = prepare(host)
    host.run("sh", "-c", f"{HELPER} up {OPTIONS}")
    found = calls(host, f"{HELPER} reload {CHANGED}")
    host.run(HELPER, "down", "x")
    every(host, found, "signal=KILL", f"""
        {HELPER} up {OPTIONS} || exit
        ! strace $inject {HELPER} reload {CHANGED} 2>/dev/null || {{ echo "not killed"; exit 1; }}
        if ((count++ % 2)); then
            {HELPER} reload {CHANGED} || {{ echo "reload after $call number $number"; exit 1; }}
            ip route get 10.96.0.3 | grep -q 'dev c-x' || {{ ip route; exit 1; }}
        fi
        {HELPER} down x || exit
    """)
    finish(host, before)


@releases("13")
def test_a_system_call_fails_on_the_way_up(host):
    """It says so, and takes back what it made; what it cannot, the unit's ExecStopPost= does."""
    before = prepare(host)
    found = calls(host, f"{HELPER} up {OPTIONS}")
    host.run(HELPER, "down", "x")
    faults = {"sendmsg": "ENOBUFS", "recvmsg": "ENOBUFS", "openat": "EMFILE", "socket": "EMFILE", "unshare": "EPERM",
              "mount": "EPERM", "setns": "EPERM", "flock": "ENOLCK", "renameat": "ENOSPC", "write": "ENOSPC",
              "mkdirat": "ENOSPC", "ioctl": "EPERM"}
    for name, error in faults.items():
        some = [c for c in found if c[0] == name]
        every(host, some, f"error={error}", f"""
            strace $inject {HELPER} up {OPTIONS} 2>/run/said; status=$?
            [ $status = 0 ] || [ -s /run/said ] || {{ echo "$call number $number: not a word"; exit 1; }}
            {HELPER} down x || exit
            rm /run/said
        """)
    finish(host, before)


def test_a_failure_is_taken_back_at_once(host):
    """Without ExecStopPost=: a second interface that is missing, a bridge, a taken name."""
    before = prepare(host)
    for more, text in (("--interface=nic1", "There is no interface 'nic1' on the host"),
                       ("--veth=late --bridge=br9", "There is no bridge 'br9'"),
                       ("--macvlan=nic0peer:eth0", "File exists")):
        result = host.run("sh", "-c", f"{HELPER} up {OPTIONS} {more}", check=False)
        contains(text, result.stderr)
        host.run("bash", "-c", CLEAN + "clean")
    wait_until("nothing is left", lambda: equal(before, host.footprint()) or True)
