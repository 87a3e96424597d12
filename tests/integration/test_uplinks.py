# SPDX-License-Identifier: LGPL-2.1-or-later
"""Interface= and MACVLAN=: interfaces of the host in a container, and back."""

import re

from case import contains, contains_not, equal
from containers import says
from host import wait_until

IDLE = "[Container]\nSystem=host\n\n[Service]\nRestart=no\n\n[Network]\n"


def interface(host, name="nic0"):
    """An interface with everything that one can have, and a neighbour at its other end."""
    for command in (
        f"ip link add {name} type veth peer name {name}peer",
        f"ip link set {name}peer up",
        f"ip link set {name} mtu 1450 up",
        f"ip address add 10.70.0.1/24 dev {name}",
        f"ip address add 10.70.1.1/24 dev {name} label {name}:1",
        f"ip address add 2001:db8:70::1/64 dev {name} nodad",
        f"ip route add 10.71.0.0/16 via 10.70.0.9",
        f"ip route add 10.72.0.0/16 via 10.70.0.9 metric 50 src 10.70.1.1",
        f"ip route add 10.73.0.0/16 dev {name} table 70",
        f"ip -6 route add 2001:db8:71::/48 via 2001:db8:70::9",
        # As a cloud has it: a gateway beside every network.
        f"ip route add 10.79.0.1 dev {name}",
        f"ip route add default via 10.79.0.1 dev {name}",
        f"ip link property add dev {name} altname office altname {'long-name-' * 9}",
    ):
        host.run(*command.split())


def settings(host, name="nic0"):
    """All of them, as ip says."""
    text = host.out("ip", "-d", "address", "show", name)
    text += host.out("ip", "route", "show", "table", "all", "dev", name)
    text += host.out("ip", "-6", "route", "show", "table", "all", "dev", name)
    # What changes by itself.
    text = re.sub(r"link-netnsid \d+ |valid_lft \S+|state \S+|qlen \d+|promiscuity \d+|,?LOWER_UP", "", text)
    return sorted(line.strip() for line in text.splitlines() if "fe80" not in line and "ff00::" not in line)


def inside(host, *command):
    return host.out("spawnlet", "run", "web", *command)


def test_moved_and_back(host):
    interface(host)
    before, as_it_was = host.footprint(), settings(host)
    host.define("web", IDLE + "Interface=nic0:lan\nHostAddress=10.90.0.1\nLocalAddress=10.90.0.2\n")

    host.run("systemctl", "start", "container-web")
    equal(sorted(inside(host, "/bin/ls", "/sys/class/net").split()), ["eth0", "lan", "lo"])
    contains("UP", inside(host, "ip", "-br", "link", "show", "lan"))
    assert not host.exists("/sys/class/net/nic0")
    host.run("systemctl", "stop", "container-web")
    equal(settings(host), as_it_was)
    wait_until("nothing is left", lambda: equal(before, host.footprint()) or True)

    # Again, as the same name; and after a kill.
    host.define("web", IDLE + "Interface=nic0\n")
    host.run("systemctl", "start", "container-web")
    equal(sorted(inside(host, "/bin/ls", "/sys/class/net").split()), ["lo", "nic0"])
    host.run("systemctl", "kill", "--signal=KILL", "container-web")
    host.wait_unit("container-web", "failed")
    equal(settings(host), as_it_was)
    wait_until("nothing is left", lambda: equal(before, host.footprint()) or True)
    host.run("systemctl", "reset-failed", "container-web")

    # Renamed inside, and given another address: it is known by its number.
    host.run("systemctl", "start", "container-web")
    inside(host, "/bin/sh", "-c", "ip link set nic0 down && ip link set nic0 name mine && ip link set mine mtu 1300")
    host.run("systemctl", "stop", "container-web")
    equal(settings(host), as_it_was)


def test_a_hostile_container(host):
    """What root inside gives the interface stays inside; and what it cannot be told apart by, too."""
    interface(host)
    as_it_was = settings(host)
    host.run("ip", "link", "add", "theirs", "type", "bridge")
    host.run("ip", "link", "property", "add", "dev", "theirs", "altname", "of-the-host")
    host.define("web", IDLE + "Interface=nic0\n")
    host.define("victim", IDLE + "HostAddress=10.91.0.1\nLocalAddress=10.91.0.2\n")
    host.run("systemctl", "start", "container-web")
    inside(host, "/bin/bash", "-c", """
        for name in container-victim spawnlet-zone-blue of-the-host $(seq -f "a-name-that-takes-place-%0100.f" 300); do
            ip link property add dev nic0 altname $name || exit
        done
        ip link set nic0 down && ip link set nic0 name c-victim address 02:00:00:00:00:66 && ip link set c-victim up
        ip link add nic0 type dummy 2>/dev/null || ip link add nic0 type bridge
    """)
    host.run("systemctl", "stop", "container-web")
    equal(settings(host), as_it_was)
    host.run("systemctl", "start", "container-victim")
    host.run("ping", "-c1", "-W2", "10.91.0.2")
    equal(settings(host), as_it_was)


def test_back_after_a_failed_start(host):
    interface(host)
    before, as_it_was = host.footprint(), settings(host)
    # The second does not exist.
    host.define("web", IDLE + "Interface=nic0 nic1\n")
    assert not host.ok("systemctl", "start", "container-web")
    says(host, "There is no interface 'nic1' on the host", "systemctl", "status", "container-web")
    equal(settings(host), as_it_was)

    # nspawn fails, after the network was made.
    host.define("web", IDLE + "Interface=nic0\n[Files]\nBind=/nowhere\n")
    assert not host.ok("systemctl", "start", "container-web")
    equal(settings(host), as_it_was)
    wait_until("nothing is left", lambda: equal(before, host.footprint()) or True)


def test_the_name_is_taken_meanwhile(host):
    """It comes back all the same, with another name."""
    interface(host)
    number = host.out("cat", "/sys/class/net/nic0/ifindex")
    host.define("web", IDLE + "Interface=nic0\n")
    host.run("systemctl", "start", "container-web")
    host.run("ip", "link", "add", "nic0", "type", "bridge")
    host.run("systemctl", "stop", "container-web", timeout=60)
    name = f"moved{number}"
    contains("10.70.0.1/24", host.out("ip", "address", "show", name))
    contains("via 10.70.0.9", host.out("ip", "route", "show", "dev", name))
    contains("bridge", host.out("ip", "-d", "link", "show", "nic0"))


def test_two_containers_want_it(host):
    interface(host)
    for name in ("web", "other"):
        host.define(name, IDLE + "Interface=nic0\n")
    contains("the same interface as that of", host.out("spawnlet", "check", check=False))


def test_macvlan(host):
    with host.another() as other:
        host.join(other)
        before = host.footprint()
        host.define("web", IDLE + "MACVLAN=lan0 lan0:second\n")
        for _ in range(2):
            host.run("systemctl", "start", "container-web")
            equal(sorted(inside(host, "/bin/ls", "/sys/class/net").split()), ["lo", "mv-lan0", "second"])
            contains("UP", inside(host, "ip", "-br", "link", "show", "mv-lan0"))
            inside(host, "ip", "address", "add", "192.0.2.5/24", "dev", "second")
            inside(host, "ping", "-c1", "-W2", "192.0.2.2")
            mac = inside(host, "/bin/cat", "/sys/class/net/second/address")
            host.run("systemctl", "stop", "container-web")
        host.run("systemctl", "start", "container-web")
        equal(inside(host, "/bin/cat", "/sys/class/net/second/address"), mac)
        host.run("systemctl", "stop", "container-web")
        wait_until("nothing is left", lambda: equal(before, host.footprint()) or True)


def test_added_and_removed_live(host):
    interface(host)
    as_it_was = settings(host)
    host.define("web", IDLE + "LocalAddress=10.90.0.2\n")
    host.run("systemctl", "start", "container-web")
    host.define("web", IDLE + "LocalAddress=10.90.0.2\nInterface=nic0:lan\nMACVLAN=nic0peer:mv\n")
    host.run("systemctl", "reload", "container-web")
    equal(sorted(inside(host, "/bin/ls", "/sys/class/net").split()), ["eth0", "lan", "lo", "mv"])
    host.run("systemctl", "reload", "container-web")

    host.define("web", IDLE + "LocalAddress=10.90.0.2\n")
    host.run("systemctl", "reload", "container-web")
    equal(sorted(inside(host, "/bin/ls", "/sys/class/net").split()), ["eth0", "lo"])
    equal(settings(host), as_it_was)
    contains_not("moved", host.out("ls", "/run/spawnlet/network/web"))
