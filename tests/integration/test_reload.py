# SPDX-License-Identifier: LGPL-2.1-or-later
"""systemctl reload: the running container gets the network that its definition has now."""

import json

from case import contains, contains_not, equal
from containers import WEB, addresses, bridge, echo, fetch, init_start_time, says, talk, web
from host import wait_until

LIVE = "/etc/spawnlet/web.container.d/live.conf"


def change(host, text, check=True):
    host.write(LIVE, text)
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "reload", "container-web", check=check)


def inside(host, *command):
    return host.out("spawnlet", "run", "web", *command)


def routes(host):
    return [line.strip() for line in inside(host, "ip", "route").splitlines()]


def test_addresses_routes_and_mtu(host):
    before = host.footprint()
    echo(host)
    web(host)
    host.run("systemctl", "start", "container-web")
    started = init_start_time(host)
    ask = talk(host, "10.90.0.2", 7)

    change(host, "[Network]\nLocalAddress=10.90.7.2\nMTU=1400\n")
    equal(addresses(host), ["10.90.0.2/32", "10.90.7.2/32", "fd90::2/128"])
    equal(fetch(host, "http://10.90.7.2/"), "hello")
    equal(inside(host, "/bin/cat", "/sys/class/net/eth0/mtu"), "1400")
    equal(host.read("/sys/class/net/c-web/mtu"), "1400\n")
    contains("10.90.7.2", host.out("getent", "ahostsv4", "web.containers"))
    ask("with another address")

    # A gateway of its own network, and one of the host's addresses less.
    change(host, "[Network]\nHostAddress=10.90.1.1\nGateway=10.90.1.1\n")
    equal(addresses(host), ["10.90.0.2/32", "fd90::2/128"])
    contains("default via 10.90.1.1 dev eth0 proto static", routes(host))
    contains_not("10.90.0.1 dev eth0 proto static scope link", routes(host))
    equal(inside(host, "/bin/cat", "/sys/class/net/eth0/mtu"), "1500")
    assert not host.ok("ping", "-c1", "-W1", "10.90.7.2")
    ask("with another gateway")

    change(host, "[Network]\nGateway=none\nMACAddress=02:00:00:00:00:42\n")
    equal(routes(host), [])
    equal(inside(host, "/bin/cat", "/sys/class/net/eth0/address"), "02:00:00:00:00:42")

    # Back to what it was; and what is right is not touched.
    change(host, "")
    contains("default via 10.90.0.1 dev eth0 proto static", routes(host))
    ask("as before")
    wait_until("the link-local addresses are no longer tentative",
               lambda: contains_not("tentative", inside(host, "ip", "address")) or True)
    state = inside(host, "ip", "-d", "address"), host.out("ip", "-d", "address"), routes(host)
    host.run("systemctl", "reload", "container-web")
    equal((inside(host, "ip", "-d", "address"), host.out("ip", "-d", "address"), routes(host)), state)
    equal(init_start_time(host), started)

    host.run("systemctl", "stop", "client")
    host.run("systemctl", "stop", "container-web")
    wait_until("nothing is left", lambda: equal(before, host.footprint()) or True)


def test_first_of_two_addresses_in_one_network_goes(host):
    """The kernel takes the second with it, and it has to come back."""
    host.define("web", "[Container]\nSystem=host\n[Network]\nHostAddress=10.90.0.1/24\n"
                       "LocalAddress=10.90.0.2/24\nLocalAddress=10.90.0.3/24\n")
    host.run("systemctl", "start", "container-web")
    change(host, "[Network]\nLocalAddress=\nLocalAddress=10.90.0.3/24\n")
    equal(addresses(host), ["10.90.0.3/24"])
    contains("default via 10.90.0.1 dev eth0 proto static", routes(host))
    host.run("ping", "-c1", "-W2", "10.90.0.3")


def test_bridges_zones_and_pairs(host):
    before = host.footprint()
    bridge(host)
    echo(host)
    web(host)
    host.run("systemctl", "start", "container-web")
    ask = talk(host, "10.90.0.2", 7)

    def master(name):
        return json.loads(host.out("ip", "-j", "link", "show", name))[0].get("master")

    change(host, "[Veth a]\nZone=blue\nHostAddress=10.81.0.1/24\nLocalAddress=10.81.0.2/24\n")
    host.run("ping", "-c1", "-W2", "10.81.0.2")
    ask("with a pair in a zone")
    change(host, "[Veth a]\nBridge=br0\nLocalAddress=10.80.0.2/24\n")
    host.run("ping", "-c1", "-W2", "10.80.0.2")
    equal(master("c-web-a"), "br0")
    assert not host.exists("/sys/class/net/z-blue"), "nobody is in the zone"
    ask("with it on a bridge")
    change(host, "[Veth a]\nHostAddress=10.82.0.1\nLocalAddress=10.82.0.2\n")
    host.run("ping", "-c1", "-W2", "10.82.0.2")
    equal(master("c-web-a"), None)
    change(host, "")
    assert not host.exists("/sys/class/net/c-web-a")
    ask("without it")

    # eth0 itself: into a zone and out.
    change(host, "[Network]\nHostAddress=\nLocalAddress=\nZone=blue\nHostAddress=10.90.0.1/24\n"
                 "LocalAddress=10.90.0.2/24\n")
    equal(master("c-web"), "z-blue")
    ask("in a zone")
    host.remove(LIVE)
    change(host, "")
    ask("as before")
    host.run("systemctl", "stop", "client")
    host.run("systemctl", "stop", "container-web")
    host.run("ip", "link", "delete", "br0")
    wait_until("nothing is left", lambda: equal(before, host.footprint()) or True)


def test_what_others_broke(host):
    """All at once, by a reload; without a change of the definition."""
    web(host)
    host.run("systemctl", "start", "container-web")
    for command in ("ip address flush dev c-web", "ip route flush dev c-web", "ip link set c-web down"):
        host.run(*command.split())
    host.run("rm", "/run/spawnlet/hosts/web")
    inside(host, "/bin/sh", "-c", "ip address flush dev eth0; ip route flush dev eth0; ip link set eth0 down")
    host.run("systemctl", "reload", "container-web")
    equal(fetch(host), "hello")
    equal(fetch(host, "http://[fd90::2]/"), "hello")

    # Even the pair itself.
    host.run("ip", "link", "delete", "c-web")
    host.run("systemctl", "reload", "container-web")
    equal(fetch(host), "hello")
    host.run("ip", "link", "delete", "c-web")
    host.run("systemctl", "restart", "spawnlet-repair")
    equal(fetch(host), "hello")


def test_a_change_that_fails(host):
    """It says why, and the running container keeps what it had; the next reload goes on."""
    web(host)
    web(host, "    HostAddress=\n    LocalAddress=\n    HostAddress=10.91.0.1\n    LocalAddress=10.91.0.2\n",
        name="other")
    host.run("systemctl", "start", "container-web", "container-other")
    state = addresses(host), routes(host)
    for text, why in (
        ("[Network]\nLocalAddress=\nLocalAddress=10.90.0.7\n[Veth a]\nBridge=br0\n", "There is no bridge 'br0'"),
        ("[Network]\nLocalAddress=\nLocalAddress=10.91.0.2\n",
         "Address 10.91.0.2 is that of container 'other' already"),
        ("[Network]\nHostAddress=\nLocalAddress=10.90.0.8\nBridge=lo\n", "'lo' is not a bridge"),
        ("[Network]\nLocalAddress=\nLocalAddress=10.90.0.9\nMTU=1400\nInterface=nic0\n",
         "There is no interface 'nic0' on the host"),
    ):
        change(host, text, check=False)
        contains(why, host.unit("container-web")["StatusText"])
        equal(host.state("container-web"), "active")
        equal((addresses(host), routes(host)), state, why)
        equal(fetch(host), "hello")
        equal(fetch(host, "http://[fd90::2]/"), "hello")
        equal(host.read("/sys/class/net/c-web/mtu"), "1500\n")

    change(host, "[Veth a]\nBridge=br0\nLocalAddress=10.80.0.2/24\n", check=False)
    bridge(host)
    host.run("systemctl", "reload", "container-web")
    host.run("ping", "-c1", "-W2", "10.80.0.2")
    contains_not("no bridge", host.unit("container-web")["StatusText"])

    # A definition with an error by now: that is what a reload says.
    host.write(LIVE, "[Network]\nLocalAddress=10.300.0.1\n")
    host.run("systemctl", "daemon-reload")
    assert not host.ok("systemctl", "reload", "container-web")
    says(host, "LocalAddress=10.300.0.1: not an IPv4 or IPv6 address", "journalctl", "-u", "container-web")
    equal(fetch(host), "hello")


def test_what_takes_a_restart(host):
    web(host)
    host.define("plain", "[Container]\nSystem=host\n")
    host.run("systemctl", "start", "container-plain")
    host.define("plain", "[Container]\nSystem=host\n[Network]\nHostAddress=10.91.0.1\nLocalAddress=10.91.0.2\n")
    assert not host.ok("systemctl", "reload", "container-plain")
    says(host, "Container 'plain' was started without a network of its own: restart it",
         "systemctl", "status", "container-plain")
    host.run("systemctl", "restart", "container-plain")
    host.run("ping", "-c1", "-W2", "10.91.0.2")


def test_the_first_service_inside_reaches_another_host(host):
    """Every time: both ends, the routes and the masquerading are there before the init."""
    host.write("/var/lib/machines/web/etc/systemd/system/first.service",
               "[Unit]\nDefaultDependencies=no\nBefore=sysinit.target\n"
               "[Service]\nType=oneshot\nRemainAfterExit=yes\n"
               "ExecStart=/usr/bin/ping -c1 -W1 192.0.2.2\nExecStart=/usr/bin/ping -c1 -W1 2001:db8::2\n")
    host.define("web", WEB.replace("hello.socket", "first.service") + "    Masquerade=yes\n")
    with host.another() as other:
        host.join(other)
        for _ in range(5):
            host.run("systemctl", "start", "container-web")
            equal(inside(host, "systemctl", "is-active", "first.service"), "active")
            host.run("systemctl", "stop", "container-web")
            host.run("systemctl", "reset-failed", "container-web", check=False)
