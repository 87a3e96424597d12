# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bridge=, Zone= and [Veth NAME]."""

import json

from case import contains, equal
from containers import bridge, fetch, says, serve
from host import wait_until

IDLE = "[Container]\nSystem=host\n\n[Service]\nRestart=no\n\n[Network]\n"
CAT = ("/bin/cat",)


def ports(host, name):
    """The names of the interfaces on a bridge."""
    return sorted(link["ifname"] for link in json.loads(host.out("ip", "-j", "link", "show", "master", name)))


def inside(host, name, *command):
    return host.out("spawnlet", "run", name, *command)


def test_bridge(host):
    before = host.footprint()
    bridge(host)
    host.define("web", IDLE + "Bridge=br0\nLocalAddress=10.80.0.2/24\nGateway=10.80.0.1\n")
    host.run("systemctl", "start", "container-web")
    equal(ports(host, "br0"), ["c-web"])
    inside(host, "web", "ping", "-c1", "-W2", "10.80.0.1")
    contains("default via 10.80.0.1", inside(host, "web", "ip", "route"))
    host.run("ping", "-c1", "-W2", "web.containers")

    host.run("systemctl", "stop", "container-web")
    equal(ports(host, "br0"), [])
    contains("10.80.0.1/24", host.out("ip", "address", "show", "br0"))
    host.run("ip", "link", "delete", "br0")
    wait_until("nothing is left", lambda: equal(before, host.footprint()) or True)


def test_a_bridge_that_is_missing(host):
    before = host.footprint()
    host.define("web", IDLE + "Bridge=br7\nLocalAddress=10.80.0.2/24\n")
    assert not host.ok("systemctl", "start", "container-web")
    says(host, "There is no bridge 'br7'", "systemctl", "status", "container-web")
    wait_until("nothing is left", lambda: equal(before, host.footprint()) or True)

    # The next start works.
    bridge(host, "br7")
    host.run("systemctl", "start", "container-web")
    equal(ports(host, "br7"), ["c-web"])


def test_a_bridge_that_is_made_again(host):
    """systemctl reload puts the container back on it, and nobody inside notices."""
    bridge(host)
    host.define("web", IDLE + "Bridge=br0\nLocalAddress=10.80.0.2/24\n")
    host.run("systemctl", "start", "container-web")
    started = inside(host, "web", "stat", "-c", "%Y", "/proc/1")
    host.run("ip", "link", "delete", "br0")
    bridge(host)
    assert not host.ok("ping", "-c1", "-W1", "10.80.0.2")

    host.run("systemctl", "reload", "container-web")
    host.run("ping", "-c1", "-W2", "10.80.0.2")
    equal(inside(host, "web", "stat", "-c", "%Y", "/proc/1"), started)

    host.run("ip", "link", "delete", "br0")
    bridge(host)
    host.run("systemctl", "start", "spawnlet-repair@br0")  # as the udev rule does
    host.run("ping", "-c1", "-W2", "10.80.0.2")


def test_zone(host):
    before = host.footprint()
    for i, name in enumerate(("a", "b"), 2):
        host.define(name, IDLE + f"Zone=blue\nHostAddress=10.81.0.1/24\nLocalAddress=10.81.0.{i}/24\n"
                                 f"HostAddress=fd81::1/64\nLocalAddress=fd81::{i}/64\n")
    host.run("systemctl", "start", "container-a")
    mac = host.read("/sys/class/net/z-blue/address")
    host.run("systemctl", "start", "container-b")
    equal(host.read("/sys/class/net/z-blue/address"), mac, "the bridge changed its address")
    equal(ports(host, "z-blue"), ["c-a", "c-b"])
    for address in ("10.81.0.1", "10.81.0.3", "fd81::3", "b.containers"):
        inside(host, "a", "ping", "-c1", "-W2", address)

    # The bridge goes with the last member.
    host.run("systemctl", "stop", "container-a")
    inside(host, "b", "ping", "-c1", "-W2", "10.81.0.1")
    host.run("systemctl", "stop", "container-b")
    assert not host.exists("/sys/class/net/z-blue")
    wait_until("nothing is left", lambda: equal(before, host.footprint()) or True)


def test_a_zone_as_one_writes_it(host):
    """Without prefix lengths at the members, and two with one address."""
    for name, address in (("a", "10.81.0.2"), ("b", "10.81.0.3"), ("c", "10.81.0.2")):
        host.define(name, IDLE + f"Zone=blue\nHostAddress=10.81.0.1/24\nLocalAddress={address}\n")
    host.run("systemctl", "start", "container-a", "container-b")
    inside(host, "a", "ping", "-c1", "-W2", "b.containers")
    assert not host.ok("systemctl", "start", "container-c")
    says(host, "Address 10.81.0.2 is that of container 'a' already", "systemctl", "status", "container-c")


def test_a_zone_whose_members_do_not_agree(host):
    host.define("a", IDLE + "Zone=blue\nHostAddress=10.81.0.1/24\nLocalAddress=10.81.0.2/24\n")
    host.define("b", IDLE + "Zone=blue\nHostAddress=10.82.0.1/24\nLocalAddress=10.82.0.2/24\n")
    contains("other addresses of the host in this zone", host.out("spawnlet", "check", check=False))
    host.run("systemctl", "start", "container-a")
    assert not host.ok("systemctl", "start", "container-b")
    says(host, "Zone 'blue' has other HostAddress= lines in container 'a'", "systemctl", "status", "container-b")
    equal(ports(host, "z-blue"), ["c-a"])


def test_a_zone_whose_name_is_taken(host):
    before = host.footprint()
    bridge(host, "z-blue", "10.81.0.1/24")
    host.define("a", IDLE + "Zone=blue\nLocalAddress=10.81.0.2/24\n")
    assert not host.ok("systemctl", "start", "container-a")
    says(host, "Failed to make the bridge 'z-blue': File exists", "systemctl", "status", "container-a")
    contains("10.81.0.1/24", host.out("ip", "address", "show", "z-blue"))
    host.run("ip", "link", "delete", "z-blue")
    wait_until("nothing is left", lambda: equal(before, host.footprint()) or True)


def test_fifty_members_at_once(host):
    """The helper alone: what makes and removes the bridge runs fifty times at the same time."""
    before = host.footprint()
    script = """\
        for i in $(seq 50); do
            /usr/libexec/spawnlet/spawnlet-network up --zone=crowd --host-address=10.83.0.1/24 \
                --local-address=10.83.0.$((i + 1))/24 m$i & pids="$pids $!"
        done
        for p in $pids; do wait $p || exit 1; done
    """
    host.run("sh", "-c", script, timeout=120)
    equal(len(ports(host, "z-crowd")), 50)
    # Half go while they come back: the bridge may go, or not, and is there for who needs it.
    host.run("sh", "-c", """\
        for i in $(seq 50); do
            { /usr/libexec/spawnlet/spawnlet-network down m$i
              [ $((i % 2)) = 0 ] || /usr/libexec/spawnlet/spawnlet-network up --zone=crowd \
                  --host-address=10.83.0.1/24 --local-address=10.83.0.$((i + 1))/24 m$i; } & pids="$pids $!"
        done
        for p in $pids; do wait $p || exit 1; done
    """, timeout=120)
    equal(len(ports(host, "z-crowd")), 25)
    host.run("sh", "-c", "for i in $(seq 50); do /usr/libexec/spawnlet/spawnlet-network down m$i & done; wait",
             timeout=120)
    wait_until("nothing is left", lambda: equal(before, host.footprint()) or True)


def test_further_pairs(host):
    """[Veth NAME]: routed, on a bridge, in a zone; without a default route."""
    before = host.footprint()
    bridge(host)
    serve(host, "/var/lib/machines/web-with-a-long-name")
    host.define("web-with-a-long-name", """\
        [Container]
        System=host
        Services=hello.socket

        [Network]
        HostAddress=10.90.0.1
        LocalAddress=10.90.0.2

        [Veth db]
        HostAddress=10.84.0.1
        LocalAddress=10.84.0.2
        HostAddress=fd84::1
        LocalAddress=fd84::2
        MACAddress=02:00:00:00:00:07
        MTU=1380

        [Veth lan]
        Bridge=br0
        LocalAddress=10.80.0.2/24

        [Veth blue]
        Zone=blue
        HostAddress=10.85.0.1/24
        LocalAddress=10.85.0.2/24
    """)
    host.run("systemctl", "start", "container-web-with-a-long-name")
    for address in ("10.90.0.2", "10.84.0.2", "10.80.0.2", "10.85.0.2"):
        equal(fetch(host, f"http://{address}/"), "hello")
    links = sorted(inside(host, "web-with-a-long-name", "/bin/ls", "/sys/class/net").split())
    equal(links, ["blue", "db", "eth0", "lan", "lo"])
    equal(inside(host, "web-with-a-long-name", "/bin/cat", "/sys/class/net/db/address",
                 "/sys/class/net/db/mtu").split(), ["02:00:00:00:00:07", "1380"])
    equal(inside(host, "web-with-a-long-name", "ip", "route", "show", "default").count("default"), 1)
    contains("dev db", inside(host, "web-with-a-long-name", "ip", "route", "get", "10.84.0.1"))
    contains("dev db", inside(host, "web-with-a-long-name", "ip", "route", "get", "fd84::1"))
    host.run("ip", "link", "show", "c-web-with-a-long-name-db")

    host.run("systemctl", "stop", "container-web-with-a-long-name")
    host.run("ip", "link", "delete", "br0")
    wait_until("nothing is left", lambda: equal(before, host.footprint()) or True)
