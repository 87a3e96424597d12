# SPDX-License-Identifier: LGPL-2.1-or-later
"""Private networks: many at once, names of any length, both families, and nothing half-done."""

import json

from case import contains, contains_not, equal
from containers import WEB, fetch, serve, web, says
from host import wait_until

IDLE = "[Container]\nSystem=host\n\n[Service]\nRestart=no\n\n[Network]\n"

LONG = "a-name-that-is-much-longer-than-any-interface-may-be-called.x-64"


def link(host, name):
    return json.loads(host.out("ip", "-j", "link", "show", name))[0]


def test_ten_containers_at_once(host):
    before = host.footprint()
    names = [f"c{i}" for i in range(10)]
    for i, name in enumerate(names):
        serve(host, f"/var/lib/machines/{name}")
        host.define(name, f"""\
            [Container]
            System=host
            Services=hello.socket

            [Network]
            HostAddress=10.92.{i}.1
            LocalAddress=10.92.{i}.2
            HostAddress=fd92:{i}::1
            LocalAddress=fd92:{i}::2
        """, reload=False)
    host.run("systemctl", "daemon-reload")

    units = [f"container-{name}" for name in names]
    host.run("systemctl", "start", *units, timeout=120)
    for i, name in enumerate(names):
        equal(fetch(host, f"http://{name}.containers/"), "hello")
        equal(fetch(host, f"http://10.92.{i}.2/"), "hello")
        equal(fetch(host, f"http://[fd92:{i}::2]/"), "hello")
        host.run("spawnlet", "run", name, "ping", "-c1", "-W2", f"10.92.{i}.1")
        host.run("spawnlet", "run", name, "ping", "-c1", "-W2", f"fd92:{i}::1")

    host.run("systemctl", "stop", *units, timeout=120)
    wait_until("nothing is left", lambda: equal(before, host.footprint()) or True)


def test_names_resolve_while_the_container_runs(host):
    web(host)
    assert not host.ok("getent", "hosts", "web.containers")

    host.run("systemctl", "start", "container-web")
    contains("10.90.0.2", host.out("getent", "ahostsv4", "web.containers"))
    contains("fd90::2", host.out("getent", "ahostsv6", "web.containers"))
    contains("web.containers", host.out("getent", "hosts", "10.90.0.2"))
    contains("web.containers", host.out("getent", "hosts", "fd90::2"))

    host.run("systemctl", "stop", "container-web")
    assert not host.ok("getent", "hosts", "web.containers")


def test_names_of_any_length(host):
    before = host.footprint()
    twin = LONG[:-1] + "5"
    for i, name in enumerate((LONG, twin)):
        equal(len(name), 64)
        host.define(name, f"{IDLE}HostAddress=10.93.{i}.1\nLocalAddress=10.93.{i}.2\n")
    host.run("systemctl", "start", f"container-{LONG}", f"container-{twin}", timeout=120)

    first, second = link(host, f"c-{LONG}"), link(host, f"c-{twin}")
    assert first["ifname"] != second["ifname"] and len(first["ifname"]) <= 15
    equal(sorted(first["altnames"]), sorted([f"c-{LONG}", f"container-{LONG}"]))
    host.run("ping", "-c1", "-W2", f"{LONG}.containers")
    host.run("ping", "-c1", "-W2", f"{twin}.containers")

    host.run("systemctl", "stop", f"container-{LONG}", f"container-{twin}")
    wait_until("nothing is left", lambda: equal(before, host.footprint()) or True)


def test_what_the_container_sees(host):
    web(host)
    host.run("systemctl", "start", "container-web")

    equal(host.out("spawnlet", "run", "web", "ls", "/sys/class/net").split(), ["eth0", "lo"])
    equal(host.out("spawnlet", "run", "web", "ip", "-4", "route").splitlines(),
          ["default via 10.90.0.1 dev eth0 proto static ",
           "10.90.0.1 dev eth0 proto static scope link"])
    contains("default via fd90::1 dev eth0", host.out("spawnlet", "run", "web", "ip", "-6", "route"))
    contains_not("tentative", host.out("spawnlet", "run", "web", "ip", "-o", "address", "show",
                                       "dev", "eth0", "scope", "global"))

    # CAP_NET_ADMIN, and a /proc/sys/net of its own.
    host.run("spawnlet", "run", "web", "ip", "link", "add", "dummy0", "type", "veth", "peer", "dummy1")
    host.run("spawnlet", "run", "web", "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")


def test_the_first_process_inside_has_the_network(host):
    """No race: a service ordered before everything else reaches the host every time."""
    web(host)
    host.write("/var/lib/machines/web/etc/systemd/system/first.service",
               "[Unit]\nDefaultDependencies=no\nBefore=sysinit.target\n"
               "[Service]\nType=oneshot\nRemainAfterExit=yes\n"
               "ExecStart=/usr/bin/ping -c1 -W1 10.90.0.1\nExecStart=/usr/bin/ping -c1 -W1 fd90::1\n")
    host.define("web", WEB.replace("hello.socket", "first.service"))
    for _ in range(5):
        host.run("systemctl", "start", "container-web")
        equal(host.out("spawnlet", "run", "web", "systemctl", "is-active", "first.service"), "active")
        host.run("systemctl", "stop", "container-web")
        host.run("systemctl", "reset-failed", "container-web", check=False)


def test_prefixes_gateway_mac_and_mtu(host):
    host.define("web", IDLE + "HostAddress=10.94.0.1/24\nLocalAddress=10.94.0.2/24\n"
                              "LocalAddress=10.95.0.2\nGateway=10.94.0.9\n"
                              "MACAddress=02:11:22:33:44:55\nMTU=1400\n")
    host.run("systemctl", "start", "container-web")

    inside = json.loads(host.out("spawnlet", "run", "web", "ip", "-j", "address", "show", "eth0"))[0]
    equal((inside["address"], inside["mtu"]), ("02:11:22:33:44:55", 1400))
    equal(link(host, "c-web")["mtu"], 1400)
    equal(sorted(f"{a['local']}/{a['prefixlen']}" for a in inside["addr_info"] if a["scope"] == "global"),
          ["10.94.0.2/24", "10.95.0.2/32"])
    contains("default via 10.94.0.9", host.out("spawnlet", "run", "web", "ip", "route"))
    host.run("ping", "-c1", "-W2", "10.94.0.2")
    host.run("ping", "-c1", "-W2", "10.95.0.2")


def test_private_network_without_addresses(host):
    host.define("web", IDLE + "Private=yes\n")
    host.run("systemctl", "start", "container-web")
    equal(host.out("spawnlet", "run", "web", "ls", "/sys/class/net").split(), ["eth0", "lo"])
    assert not host.exists("/run/spawnlet/hosts/web")


def test_shared_network(host):
    host.define("web", "[Container]\nSystem=host\n")
    host.run("systemctl", "start", "container-web")
    equal(host.out("spawnlet", "run", "web", "readlink", "/proc/1/ns/net"),
          host.out("readlink", "/proc/1/ns/net"))


def test_leftovers_of_a_crash_are_taken_over(host):
    web(host)
    host.run("systemctl", "start", "container-web")
    host.run("systemctl", "stop", "container-web")
    host.run("systemctl", "reset-failed")

    # As after a power cut in mid-start: a namespace file without a mount, the veth pair of a
    # start that nobody stopped, an old name.
    host.write("/run/spawnlet/netns/web", "")
    host.write("/run/spawnlet/hosts/web", "10.1.2.3\n")
    host.run("ip", "link", "add", "c-web", "type", "veth", "peer", "name", "old")
    host.run("ip", "link", "property", "add", "dev", "c-web", "altname", "container-web")
    host.run("systemctl", "start", "container-web")
    equal(fetch(host), "hello")


def test_an_interface_that_is_not_ours_is_left_alone(host):
    before = host.footprint()
    host.run("ip", "link", "add", "c-web", "type", "veth", "peer", "name", "theirs")
    host.define("web", IDLE + "LocalAddress=10.90.0.2\n")

    assert not host.ok("systemctl", "start", "container-web")
    says(host, "Failed to make the veth pair 'c-web' and 'eth0': File exists", "systemctl", "status", "container-web")
    host.run("ip", "link", "show", "theirs")

    host.run("ip", "link", "delete", "c-web")
    wait_until("nothing is left", lambda: equal(before, host.footprint()) or True)


def test_an_address_that_another_container_has(host):
    web(host)
    host.run("systemctl", "start", "container-web")
    before = host.footprint()
    host.define("copy", IDLE + "HostAddress=10.90.0.9\nLocalAddress=10.90.0.2\n")

    assert not host.ok("systemctl", "start", "container-copy")
    says(host, "Address 10.90.0.2 is that of container 'web' already", "systemctl", "status", "container-copy")
    equal(fetch(host), "hello")
    wait_until("nothing is left of the second", lambda: equal(before, host.footprint()) or True)


def test_a_misspelt_key_does_not_open_the_hosts_network(host):
    host.define("web", "[Container]\nSystem=host\n\n[Network]\nLocalAdress=10.90.0.2\n")
    host.run("systemctl", "start", "container-web")
    assert host.out("spawnlet", "run", "web", "readlink", "/proc/1/ns/net") != host.out("readlink", "/proc/1/ns/net")


def test_ethernet_addresses(host):
    """The same after a restart, and different on a clone of the host."""
    web(host)
    host.run("systemctl", "start", "container-web")
    macs = [host.out("spawnlet", "run", "web", "cat", "/sys/class/net/eth0/address"), link(host, "c-web")["address"]]
    assert macs[0] != macs[1]
    host.run("systemctl", "restart", "container-web")
    equal([host.out("spawnlet", "run", "web", "cat", "/sys/class/net/eth0/address"), link(host, "c-web")["address"]],
          macs)
    with host.another() as other:
        web(other)
        other.run("systemctl", "start", "container-web")
        assert link(other, "c-web")["address"] != macs[1]


def test_down_needs_the_name_alone(host):
    before = host.footprint()
    helper = "/usr/libexec/spawnlet/spawnlet-network"
    for _ in range(2):
        host.run(helper, "up", "--host-address=10.96.0.1", "--local-address=10.96.0.2", "x")
        host.run("ip", "link", "show", "c-x")
    for _ in range(2):
        host.run(helper, "down", "x")
    wait_until("nothing is left", lambda: equal(before, host.footprint()) or True)


def test_failures_leave_nothing(host):
    """Whatever step fails, what was made before is taken back, and the reason is told."""
    before = host.footprint()
    up = ("/usr/libexec/spawnlet/spawnlet-network up --host-address=10.96.0.1 --local-address=10.96.0.2 "
          "--host-address=fd96::1 --local-address=fd96::2 x")

    failures = 0
    for descriptors in range(3, 12):
        result = host.run("sh", "-c", f"ulimit -n {descriptors}; exec {up}", check=False)
        if result.returncode == 0:
            break
        failures += 1
        assert result.stderr, f"with {descriptors} descriptors it failed without a word"
        wait_until("nothing is left", lambda: equal(before, host.footprint()) or True)
    assert failures > 0 and result.returncode == 0, "it never failed, or never succeeded"
    host.run("/usr/libexec/spawnlet/spawnlet-network", "down", "x")

    host.run("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6")
    result = host.run("sh", "-c", up, check=False)
    contains("Failed to give c-x the address fd96::1/128: Permission denied", result.stderr)
    wait_until("nothing is left", lambda: equal(before, host.footprint()) or True)
    host.run("sh", "-c", "echo 0 >/proc/sys/net/ipv6/conf/default/disable_ipv6")

    # Not enough time to complete: killed at some point on its way.
    for microseconds in range(200, 6000, 200):
        host.run("timeout", "-s", "KILL", f"{microseconds / 1e6:.6f}", "sh", "-c", f"exec {up}", check=False)
        host.run("/usr/libexec/spawnlet/spawnlet-network", "down", "x")
        wait_until("nothing is left", lambda: equal(before, host.footprint()) or True)
    host.run("sh", "-c", up)
    host.run("/usr/libexec/spawnlet/spawnlet-network", "down", "x")
    wait_until("nothing is left", lambda: equal(before, host.footprint()) or True)
